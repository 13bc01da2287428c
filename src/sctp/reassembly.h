/* reassembly.h - from DATA and I-DATA chunks to messages in their order, whole or in pieces.
 * Source   RFC 9260 6.5, 6.6, 6.9; RFC 8260 2.2 (interleaved messages); RFC 3758 3.6 and RFC 8260 2.3.1 (skipping);
 *          RFC 6525 5.2.2 (incoming streams start anew).
 * Shape    init/clear inside an association. A chunk that comes in TSN order goes straight into the buffer
 *          that the application will get. One that comes early is kept aside in a ring indexed by TSN, where
 *          neighbours know the ends of their run, so that a message which is whole before a gap is filled is
 *          found in O(1). I-DATA names message and fragment itself, so there TSNs do not matter. Ordered messages
 *          whose turn has not come wait in a heap by number, one for each stream.
 *              reassembly.c              streams, numbers, what is ready
 *              reassembly_plain.c        DATA
 *              reassembly_interleaved.c  I-DATA
 *              reassembly_pieces.c       a message handed out before it is whole
 * Units    bytes. `held` counts data, headers and what the allocator adds of everything kept, also of messages not yet
 *          taken; `tables` what streams and the ring cost, which data does not give back.
 * Errors   PL_ENOMEM leaves all as it was; PL_ENOSPC: a message outgrew max_message; what breaks the protocol without
 *          harm only counts (n_orphans). */
#ifndef PL_SCTP_REASSEMBLY_H
#define PL_SCTP_REASSEMBLY_H

#include "base/heap.h"
#include "base/list.h"
#include "sctp/association.h"
#include "sctp/chunk_data.h"
#include "sctp/chunk_forward.h"

enum {
    PL_SCTP_IN_PAGE = 4,  /* streams made together, … */
    PL_SCTP_IN_BOOK = 64, /* and pages that a table of them names: a stream far off costs no long table */
    PL_SCTP_UNFINISHED_MAX = 2048, /* messages of I-DATA under way at once; chunks of more are not taken */
    PL_SCTP_BLOCK = 16             /* what an allocator adds to a block */
};

typedef struct pl_sctp_in_msg {
    struct pl_sctp_in_msg *next; /* ready to be taken */
    pl_heap_node waiting;        /* for its turn */
    pl_node in_waits;            /* the same, of all streams */
    uint32_t tsn,
        n_tsns; /* when it came early: its chunks, which may be given back while it waits; n 0: may not */
    pl_sctp_msg msg;
    size_t cap;  /* of data */
    int64_t mid; /* unwrapped, of an ordered one */
    uint8_t data[];
} pl_sctp_in_msg;

/* A chunk that came before its predecessors. */
typedef struct pl_sctp_fragment {
    uint32_t tsn, ppid;
    uint16_t sid, ssn;
    uint32_t run_other; /* at an end of a run: the TSN of its other end … */
    uint32_t run_bytes; /* … and the bytes of all of it */
    uint16_t len;
    uint8_t flags;
    uint8_t data[];
} pl_sctp_fragment;

/* An I-DATA chunk before whose FSN others are missing. */
typedef struct pl_sctp_early {
    pl_heap_node by_fsn;
    pl_node in_earlies;
    struct pl_sctp_assembly *of;
    uint32_t tsn;
    uint16_t len;
    bool ends;
    uint8_t data[];
} pl_sctp_early;

/* A message of I-DATA under way. */
typedef struct pl_sctp_assembly {
    struct pl_sctp_assembly *next; /* of its stream; the latest begun comes first */
    struct pl_sctp_in_stream *stream;
    pl_sctp_in_msg *m; /* fragments before next_fsn that have not been handed out; NULL: none */
    pl_heap early;     /* pl_sctp_early by FSN */
    int64_t next_fsn;
    size_t bytes; /* in m and early */
    uint32_t mid, ppid;
    bool unordered, ended;
} pl_sctp_assembly;

/* Of a stream whose messages may come in pieces. One message at a time is handed out, `giving`; others that are whole
 * meanwhile stand behind it, so pieces of two are never mixed. */
typedef struct pl_sctp_in_pieces {
    bool on, giving, begun, unordered;
    uint32_t mid, ppid;
    pl_sctp_in_msg *open;  /* the last piece, not taken yet */
    pl_sctp_in_msg *spare; /* says that the rest will never come, so that this never lacks memory */
    pl_sctp_in_msg *behind, *behind_last;
} pl_sctp_in_pieces;

typedef struct pl_sctp_in_stream {
    pl_heap waiting;   /* pl_sctp_in_msg by unwrapped number */
    int64_t next_mid;  /* unwrapped; its low 16 (DATA) or 32 bits travel */
    uint32_t n_ready;  /* messages and pieces not yet taken … */
    uint32_t n_before; /* … of them, when the stream was reset: those of before */
    uint32_t skipped;  /* I-DATA, when `skips`: unordered messages up to this one are past */
    pl_sctp_assembly *unfinished;
    pl_sctp_in_pieces *pieces; /* NULL until pl_sctp_set_pieces */
    pl_node in_noisy;
    uint16_t sid;
    bool skips;
    bool reset; /* to be told once n_before is 0, and before any message of after is taken */
} pl_sctp_in_stream;

typedef struct pl_sctp_in_book {
    pl_sctp_in_stream *page[PL_SCTP_IN_BOOK];
} pl_sctp_in_book;

typedef struct pl_sctp_reassembly {
    pl_sctp_fragment **ring;
    uint32_t cap, n_fragments;
    pl_sctp_in_msg *current;   /* DATA: the message that the cumulative TSN stands in the middle of … */
    pl_sctp_in_stream *giving; /* … or its stream, when it is handed out in pieces */
    pl_list earlies;           /* pl_sctp_early of all streams, as they came */
    uint32_t n_unfinished;
    pl_sctp_in_msg *ready, *ready_last;
    pl_sctp_in_book **book;
    size_t n_books;
    pl_list noisy;
    pl_list waits; /* whole messages whose turn has not come, as they came */
    bool sparing;  /* buffers take no more than they need, or nearly … */
    bool tight;    /* … and those of before have given back what they had too much */
    size_t held, tables;
    size_t max_message;
    size_t piece_cap;   /* of the next piece's buffer */
    size_t size_hint;   /* length of the last large message: the next one's buffer */
    size_t last_len;    /* of the last message of several chunks */
    uint64_t n_orphans; /* fragments without their beginning */
    uint64_t n_messages, message_bytes;
} pl_sctp_reassembly;

void pl_sctp_reassembly_init(pl_sctp_reassembly *r, size_t max_message);
void pl_sctp_reassembly_clear(pl_sctp_reassembly *r);

/* How much `held` and `tables` grow, at most, when this chunk is taken; early: it is not the next one. */
size_t pl_sctp_reassembly_growth(const pl_sctp_reassembly *r, const pl_sctp_data *d, uint32_t cumulative_tsn);
/* How much `tables` grows when the stream is spoken of for the first time. */
size_t pl_sctp_reassembly_stream_growth(const pl_sctp_reassembly *r, uint16_t sid);
/* Little room is left: buffers of unfinished messages take no more than they need from now on; or they give back, too,
 * what they have too much; or there is room again. */
static inline void pl_sctp_reassembly_spare(pl_sctp_reassembly *r)
{
    r->sparing = true;
}
void pl_sctp_reassembly_tighten(pl_sctp_reassembly *r);
/* How long the next buffer is at most, whatever is in it, when there is room. */
static inline size_t pl_sctp_reassembly_in_advance(const pl_sctp_reassembly *r)
{
    return r->size_hint > r->piece_cap ? r->size_hint : r->piece_cap;
}
static inline void pl_sctp_reassembly_loosen(pl_sctp_reassembly *r)
{
    r->sparing = r->tight = false;
}
/* The chunk whose TSN is the next one. */
PL_NODISCARD pl_err pl_sctp_reassembly_next(pl_sctp_reassembly *r, const pl_sctp_data *d);
/* A chunk beyond a gap. When it makes a message whole, that is delivered at once. */
PL_NODISCARD pl_err pl_sctp_reassembly_early(pl_sctp_reassembly *r, const pl_sctp_data *d,
                                             uint32_t cumulative_tsn);
/* The cumulative point has moved over tsn: what was kept aside for it joins the message it belongs to. */
PL_NODISCARD pl_err pl_sctp_reassembly_reached(pl_sctp_reassembly *r, uint32_t tsn);
/* FORWARD TSN from old to new: unfinished messages in between are given up. */
void pl_sctp_reassembly_forward(pl_sctp_reassembly *r, uint32_t old_tsn, uint32_t new_tsn);
PL_NODISCARD pl_err pl_sctp_reassembly_skip(pl_sctp_reassembly *r, pl_sctp_skip skip);
/* The same of I-FORWARD-TSN: messages up to skip.mid of this kind are finished as far as they ever will be. */
PL_NODISCARD pl_err pl_sctp_reassembly_skip_interleaved(pl_sctp_reassembly *r, pl_sctp_skip skip);
/* Gives up the highest chunk kept aside, looked for between the two, or a whole message that came early and waits;
 * *tsn and *n tell which chunks. False when there is none. */
bool pl_sctp_reassembly_renege(pl_sctp_reassembly *r, uint32_t cumulative_tsn, uint32_t highest_tsn,
                               uint32_t *tsn, uint32_t *n);

/* The peer has reset its stream: numbers start anew, and the event comes when its messages are taken. */
PL_NODISCARD pl_err pl_sctp_reassembly_reset(pl_sctp_reassembly *r, uint16_t sid);
void pl_sctp_reassembly_reset_all(pl_sctp_reassembly *r);
/* A reset whose messages are all taken. */
bool pl_sctp_reassembly_poll_reset(pl_sctp_reassembly *r, uint16_t *sid);
/* True while a reset of the stream waits to be told; the next one has to wait for it. */
bool pl_sctp_reassembly_reset_is_untold(const pl_sctp_reassembly *r, uint16_t sid);
/* Restart of the association: what is unfinished is lost, what is whole stays. */
void pl_sctp_reassembly_restart(pl_sctp_reassembly *r);
/* The association is over: what is unfinished is lost, what is whole and resets not yet told stay. */
void pl_sctp_reassembly_end(pl_sctp_reassembly *r);

/* Messages of the stream come in pieces from now on, the one under way too, or whole again after it. */
PL_NODISCARD pl_err pl_sctp_reassembly_set_pieces(pl_sctp_reassembly *r, uint16_t sid, bool on);

/* The next message or piece, or NULL: none, or a reset has to be told before it. */
const pl_sctp_msg *pl_sctp_reassembly_peek(const pl_sctp_reassembly *r);
bool pl_sctp_reassembly_take(pl_sctp_reassembly *r, pl_sctp_msg *out);
/* What one chunk kept aside costs. */
size_t pl_sctp_fragment_cost(size_t len);
void pl_sctp_reassembly_check(const pl_sctp_reassembly *r);

#endif
