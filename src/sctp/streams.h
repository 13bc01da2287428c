/* streams.h - outgoing streams: the messages queued for each, their numbers, and what became of a reset.
 * Source   RFC 9260 6.5, 6.6 (order), RFC 8260 2 (message identifiers; fragments of different messages may
 *          interleave), RFC 6525 5.1.2 (a stream being reset carries nothing new).
 * Shape    init/clear inside an association. Streams are made on first use, in pages; what they cost when idle is a
 *          page. A stream is in the row (scheduler.h) while its first message has bytes to take.
 * Units    bytes of user data; `total` charges headers of messages and parts too, so that small ones are not free. */
#ifndef PL_SCTP_STREAMS_H
#define PL_SCTP_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "peerline/error.h"
#include "sctp/out_msg.h"
#include "sctp/scheduler.h"

enum { PL_SCTP_OUT_PAGE = 4 };

typedef enum pl_sctp_out_reset {
    PL_SCTP_OUT_OPEN,
    PL_SCTP_OUT_RESET_WAITING,  /* until its queue is empty */
    PL_SCTP_OUT_RESET_DRAINING, /* until reset_tsn is acknowledged */
    PL_SCTP_OUT_RESET_ASKED     /* in the request under way */
} pl_sctp_out_reset;

/* Facts not yet told as events. RESET_BEFORE: done, in the life before the restart that is to be told; such streams
 * stand at the front. */
enum {
    PL_SCTP_OUT_LOW = 1,
    PL_SCTP_OUT_RESET_DONE = 2,
    PL_SCTP_OUT_RESET_REFUSED = 4,
    PL_SCTP_OUT_RESET_BEFORE = 8
};

typedef struct pl_sctp_out_stream {
    pl_sctp_out_msg *head, *tail;
    size_t buffered, low; /* bytes not taken yet; threshold of the event, for which held bytes do not count */
    pl_sctp_turn turn;    /* in the row while its head has bytes to take */
    pl_node in_parked;    /* out of the row though its head is ready: the peer may lack the room */
    pl_node in_begun;     /* its head is under way without a promise of room for all of it */
    pl_node in_resets;    /* reset != PL_SCTP_OUT_OPEN */
    pl_node in_noisy;     /* facts != 0 */
    uint32_t next_mid[2]; /* of ordered messages (their SSN, in DATA), of unordered ones */
    uint32_t reset_tsn;   /* the last TSN assigned when its queue was empty */
    uint16_t sid;
    uint8_t reset; /* pl_sctp_out_reset */
    uint8_t facts;
    bool dropping; /* the streamed message was given up: its parts are thrown away, up to the last */
} pl_sctp_out_stream;

struct pl_sctp_streams {
    pl_sctp_out_stream **page;
    size_t n_pages;
    pl_list resets, noisy, parked, begun; /* the last two in the order of joining */
    pl_sctp_turns turns;
    pl_heap limited;         /* messages that RFC 7496 3.4 lets go, the least important first */
    uint32_t n_limited_ever; /* among equals the oldest goes first */
    pl_sctp_out_stream
        *current; /* whose turn is under way. In DATA nothing may come between the fragments of a message */
    bool interleaved;  /* I-DATA: turns end with the packet, else with the message */
    size_t total;      /* what messages cost, queued or referred to */
    size_t n_queued;   /* messages not wholly taken */
    size_t n_begun;    /* of these, with TSNs already */
    uint64_t promised; /* bytes not taken yet of messages with a promise */
};

void pl_sctp_streams_init(pl_sctp_streams *st, pl_sctp_scheduler scheduler);
/* Frees what is queued; what TSNs refer to must be gone before. */
void pl_sctp_streams_clear(pl_sctp_streams *st);
/* The stream, or NULL when it was never used. */
pl_sctp_out_stream *pl_sctp_streams_find(const pl_sctp_streams *st, uint16_t sid);
/* The stream, made when needed; NULL without memory. */
pl_sctp_out_stream *pl_sctp_streams_get(pl_sctp_streams *st, uint16_t sid);

void pl_sctp_streams_push(pl_sctp_streams *st, pl_sctp_out_stream *s, pl_sctp_out_msg *m);
/* More bytes for the stream's last message, which is unended; last: it is not any more. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_sctp_streams_append(pl_sctp_streams *st, pl_sctp_out_stream *s, const void *data,
                                           size_t len, bool last);

/* --- taking --- */

/* Whose turn it is (its head is the message to take from), or NULL: nothing can be taken now. */
pl_sctp_out_stream *pl_sctp_streams_next(pl_sctp_streams *st);
static inline bool pl_sctp_streams_ready(const pl_sctp_streams *st)
{
    if (st->current)
        return pl_sctp_out_msg_ready(st->current->head);
    return pl_sctp_turns_next(&st->turns) != NULL;
}
/* With I-DATA: its head must not go on now. The stream comes back with unpark, or when its head has changed. */
void pl_sctp_streams_park(pl_sctp_streams *st, pl_sctp_out_stream *s);
void pl_sctp_streams_unpark(pl_sctp_streams *st, pl_sctp_out_stream *s);
/* The one that has waited longest, or NULL. */
pl_sctp_out_stream *pl_sctp_streams_parked(const pl_sctp_streams *st);
/* With I-DATA: whose head has been under way longest of those without a promise, or NULL. */
pl_sctp_out_stream *pl_sctp_streams_oldest(const pl_sctp_streams *st);
/* The head, whose end is known, gets its promise. */
void pl_sctp_streams_promise(pl_sctp_streams *st, pl_sctp_out_stream *s);
/* The head gets its number: its first TSN is about to be assigned. */
void pl_sctp_streams_begin(pl_sctp_streams *st, pl_sctp_out_stream *s);
/* n bytes of the head have got a TSN: at most n_at, and not all when it is unended. A message wholly taken leaves the queue and the turn
 * passes on. */
void pl_sctp_streams_take(pl_sctp_streams *st, pl_sctp_out_stream *s, uint32_t n);
/* A packet is full: with I-DATA the turn passes on. */
void pl_sctp_streams_packet_end(pl_sctp_streams *st);
/* Takes a message out of its queue whatever is left of it; the caller holds a reference of its own when it still
 * needs the message. */
void pl_sctp_streams_drop(pl_sctp_streams *st, pl_sctp_out_stream *s, pl_sctp_out_msg *m);
/* All of a stream's queue. Returns how many messages it held. */
size_t pl_sctp_streams_purge(pl_sctp_streams *st, pl_sctp_out_stream *s);
/* The same of all streams from sid on. */
size_t pl_sctp_streams_purge_from(pl_sctp_streams *st, size_t sid);
/* All streams start at number 0 again (restart of the association). */
void pl_sctp_streams_renumber(pl_sctp_streams *st);

void pl_sctp_streams_note(pl_sctp_streams *st, pl_sctp_out_stream *s, uint8_t fact);
/* Resets done and not yet told were done before the restart. */
void pl_sctp_streams_date_resets(pl_sctp_streams *st);
void pl_sctp_streams_check(const pl_sctp_streams *st);

#endif
