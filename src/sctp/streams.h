/* streams.h - outgoing streams: messages queued for each, whose turn it is, and what became of a reset.
 * Source   RFC 9260 6.5, 6.6 (order), RFC 8260 3 (schedulers; round robin by message is the one here),
 *          RFC 6525 5.1.2 (a stream being reset carries nothing new).
 * Shape    init/clear inside an association. A message is one block: header and the only copy of its bytes.
 *          It lives while it is queued or while TSNs refer to it. Streams are made on first use, in pages.
 * Units    bytes of user data; `total` charges a message's header too, so that small ones are not free. */
#ifndef PL_SCTP_STREAMS_H
#define PL_SCTP_STREAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "peerline/error.h"

enum { PL_SCTP_OUT_PAGE = 8 };

typedef struct pl_sctp_out_msg {
    struct pl_sctp_out_msg *next;
    int64_t expires_us; /* PL_NEVER: reliable in time */
    uint32_t ppid, len;
    uint32_t taken;               /* bytes that TSNs carry */
    uint32_t first_tsn, last_tsn; /* when taken > 0 */
    uint32_t n_refs;              /* TSNs that point here, and one while queued */
    uint32_t max_retransmits;     /* UINT32_MAX: any number */
    uint16_t sid, ssn; /* ssn is given with the first TSN, so that nobody waits for a message that expired */
    bool unordered, abandoned;
    bool uncounted; /* not in its stream's buffered */
    uint8_t data[];
} pl_sctp_out_msg;

typedef enum pl_sctp_out_reset {
    PL_SCTP_OUT_OPEN,
    PL_SCTP_OUT_RESET_WAITING, /* until its queue is empty */
    PL_SCTP_OUT_RESET_ASKED    /* in the request under way */
} pl_sctp_out_reset;

/* Facts not yet told as events. */
enum { PL_SCTP_OUT_LOW = 1, PL_SCTP_OUT_RESET_DONE = 2, PL_SCTP_OUT_RESET_REFUSED = 4 };

typedef struct pl_sctp_out_stream {
    pl_sctp_out_msg *head, *tail;
    size_t buffered, low; /* bytes not taken yet; threshold of the event */
    pl_node in_active;    /* has messages */
    pl_node in_resets;    /* reset != PL_SCTP_OUT_OPEN */
    pl_node in_noisy;     /* facts != 0 */
    uint16_t sid, next_ssn;
    uint8_t reset; /* pl_sctp_out_reset */
    uint8_t facts;
} pl_sctp_out_stream;

typedef struct pl_sctp_streams {
    pl_sctp_out_stream **page;
    size_t n_pages;
    pl_list active, resets, noisy;
    pl_sctp_out_stream *current; /* a message of it is half taken: nothing may come between its fragments */
    size_t total;                /* what messages cost, queued or referred to */
    size_t n_queued;             /* messages not wholly taken */
} pl_sctp_streams;

void pl_sctp_streams_init(pl_sctp_streams *st);
/* Frees what is queued; what TSNs refer to must be gone before. */
void pl_sctp_streams_clear(pl_sctp_streams *st);
/* The stream, or NULL when it was never used. */
pl_sctp_out_stream *pl_sctp_streams_find(const pl_sctp_streams *st, uint16_t sid);
/* The stream, made when needed; NULL without memory. */
pl_sctp_out_stream *pl_sctp_streams_get(pl_sctp_streams *st, uint16_t sid);

/* A message with room for len bytes and a copy of data in it; counted in total. NULL without memory. */
pl_sctp_out_msg *pl_sctp_out_msg_new(pl_sctp_streams *st, const void *data, size_t len);
size_t pl_sctp_out_msg_cost(size_t len);
void pl_sctp_out_msg_unref(pl_sctp_streams *st, pl_sctp_out_msg *m);
void pl_sctp_streams_push(pl_sctp_streams *st, pl_sctp_out_stream *s, pl_sctp_out_msg *m);

/* Whose turn it is (its head is the message to take from), or NULL. */
pl_sctp_out_stream *pl_sctp_streams_next(pl_sctp_streams *st);
/* n bytes of the head have got a TSN. A message wholly taken leaves the queue and the turn passes on. */
void pl_sctp_streams_take(pl_sctp_streams *st, pl_sctp_out_stream *s, uint32_t n);
/* Takes the head out of the queue whatever is left of it; the caller holds a reference of its own when it
 * still needs the message. */
void pl_sctp_streams_drop(pl_sctp_streams *st, pl_sctp_out_stream *s);
/* All of a stream's queue. Returns how many messages it held. */
size_t pl_sctp_streams_purge(pl_sctp_streams *st, pl_sctp_out_stream *s);
/* All streams start at SSN 0 again (restart of the association). */
void pl_sctp_streams_renumber(pl_sctp_streams *st);

void pl_sctp_streams_note(pl_sctp_streams *st, pl_sctp_out_stream *s, uint8_t fact);
void pl_sctp_streams_check(const pl_sctp_streams *st);

#endif
