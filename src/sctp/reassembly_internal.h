/* reassembly_internal.h - what the files of reassembly.h share. */
#ifndef PL_SCTP_REASSEMBLY_INTERNAL_H
#define PL_SCTP_REASSEMBLY_INTERNAL_H

#include "sctp/reassembly.h"

enum { PL_SCTP_HINT_LEAST = 4096, PL_SCTP_PIECE_LEAST = 4096, PL_SCTP_PIECE_MOST = 65536 };

static inline size_t pl_sctp_in_msg_cost(const pl_sctp_in_msg *m)
{
    return sizeof *m + PL_SCTP_BLOCK + m->cap;
}

/* reassembly.c */
pl_sctp_in_stream *pl_sctp_in_stream_find(const pl_sctp_reassembly *r, uint16_t sid);
pl_sctp_in_stream *pl_sctp_in_stream_get(pl_sctp_reassembly *r, uint16_t sid); /* NULL without memory */
pl_sctp_in_msg *pl_sctp_in_msg_new(pl_sctp_reassembly *r, const pl_sctp_data *d, size_t cap);
void pl_sctp_in_msg_drop(pl_sctp_reassembly *r, pl_sctp_in_msg *m); /* NULL is fine */
/* Appends; the buffer grows by doubling. */
PL_NODISCARD pl_err pl_sctp_in_msg_append(pl_sctp_reassembly *r, pl_sctp_in_msg **m, const uint8_t *data,
                                          size_t len);
/* The buffer's size for a message that begins with d; what it becomes when len no longer fits in cap. */
size_t pl_sctp_first_cap(const pl_sctp_reassembly *r, const pl_sctp_data *d);
/* An unfinished message's buffer becomes as long as what is in it. NULL is fine. */
pl_sctp_in_msg *pl_sctp_in_msg_tighten(pl_sctp_reassembly *r, pl_sctp_in_msg *m);
size_t pl_sctp_next_cap(const pl_sctp_reassembly *r, size_t cap, size_t len);
/* A whole message: gives back what its buffer has too much, and remembers its length. */
pl_sctp_in_msg *pl_sctp_in_msg_trim(pl_sctp_reassembly *r, pl_sctp_in_msg *m);
int64_t pl_sctp_in_mid(const pl_sctp_in_stream *s, const pl_sctp_data *d); /* unwrapped */
/* A whole message: out at once, or when its turn comes. */
void pl_sctp_deliver(pl_sctp_reassembly *r, pl_sctp_in_stream *s, pl_sctp_in_msg *m);
void pl_sctp_release_waiting(pl_sctp_reassembly *r, pl_sctp_in_stream *s);
/* To the end of what can be taken. */
void pl_sctp_push_ready(pl_sctp_reassembly *r, pl_sctp_in_stream *s, pl_sctp_in_msg *m);

/* reassembly_plain.c */
size_t pl_sctp_plain_growth(const pl_sctp_reassembly *r, const pl_sctp_data *d, uint32_t cumulative_tsn);
void pl_sctp_plain_drop(pl_sctp_reassembly *r);
void pl_sctp_plain_give_up(pl_sctp_reassembly *r);
bool pl_sctp_plain_renege(pl_sctp_reassembly *r, uint32_t cumulative_tsn, uint32_t highest_tsn,
                          uint32_t *tsn);
PL_NODISCARD pl_err pl_sctp_plain_pieces(pl_sctp_reassembly *r, pl_sctp_in_stream *s);

/* reassembly_interleaved.c */
void pl_sctp_interleaved_tighten(pl_sctp_reassembly *r, pl_sctp_in_stream *s);
PL_NODISCARD pl_err pl_sctp_interleaved_take(pl_sctp_reassembly *r, const pl_sctp_data *d);
size_t pl_sctp_interleaved_growth(const pl_sctp_reassembly *r, const pl_sctp_data *d);
/* The turn has passed on in the stream: the message whose turn it is may be handed out. Without memory it waits for
 * its next fragment. */
void pl_sctp_interleaved_turn(pl_sctp_reassembly *r, pl_sctp_in_stream *s);
/* Unordered messages up to this one are past. */
void pl_sctp_interleaved_pass(pl_sctp_in_stream *s, uint32_t mid);
/* Gives a message up; when it is being handed out, that is told. */
void pl_sctp_assembly_drop(pl_sctp_reassembly *r, pl_sctp_assembly *a);
bool pl_sctp_interleaved_renege(pl_sctp_reassembly *r, uint32_t cumulative_tsn, uint32_t *tsn);

/* reassembly_pieces.c */
bool pl_sctp_pieces_may_begin(const pl_sctp_in_stream *s, bool unordered, int64_t mid);
bool pl_sctp_pieces_gives(const pl_sctp_in_stream *s, bool unordered, uint32_t mid);
/* first: what there is of the message already, or NULL; taken over unless there is an error. */
PL_NODISCARD pl_err pl_sctp_pieces_begin(pl_sctp_reassembly *r, pl_sctp_in_stream *s, bool unordered,
                                         uint32_t mid, uint32_t ppid, pl_sctp_in_msg *first);
PL_NODISCARD pl_err pl_sctp_pieces_add(pl_sctp_reassembly *r, pl_sctp_in_stream *s, const uint8_t *data,
                                       size_t len);
size_t pl_sctp_pieces_growth(const pl_sctp_reassembly *r, const pl_sctp_in_stream *s, size_t len);
/* What was added last was the end. */
void pl_sctp_pieces_end(pl_sctp_reassembly *r, pl_sctp_in_stream *s);
/* The rest will never come. Nothing happens when nothing is handed out. */
void pl_sctp_pieces_break(pl_sctp_reassembly *r, pl_sctp_in_stream *s);
void pl_sctp_pieces_stand_behind(pl_sctp_in_stream *s, pl_sctp_in_msg *m);

#endif
