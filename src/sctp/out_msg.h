/* out_msg.h - one outgoing message: its bytes, what is left of them to be sent, and how reliable it is.
 * Source   RFC 9260 6.9 (fragments), RFC 8260 2 (their numbers), RFC 7496 (limits).
 * Shape    one block: header and the only copy of the bytes; or a pointer to the caller's (lent); or a list of parts
 *          (streamed). A message lives while it is queued or while TSNs refer to it; a part while bytes of it are not
 *          acknowledged. TSNs are acknowledged in order, so parts go in order too.
 * Units    bytes of user data; the streams' `total` is charged for headers too.
 * Errors   NULL and PL_ENOMEM without memory. */
#ifndef PL_SCTP_OUT_MSG_H
#define PL_SCTP_OUT_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "peerline/error.h"
#include "sctp/association.h"

enum {
    PL_SCTP_OUT_PART_LEAST = 4096, /* room of a part, so that short ones share one */
    /* So much of a message whose end is still to come waits for more: its last fragment must not be empty, and those
     * before had better be large. */
    PL_SCTP_OUT_HELD = 1024,
    PL_SCTP_OUT_GRAVE = 512 /* bytes of an abandoned message that are worth an allocation to be rid of */
};

/* Some bytes of a message that is given in parts. */
typedef struct pl_sctp_out_part {
    struct pl_sctp_out_part *next;
    uint32_t len, cap;
    uint8_t data[];
} pl_sctp_out_part;

typedef struct pl_sctp_out_msg pl_sctp_out_msg;
typedef struct pl_sctp_streams pl_sctp_streams;

/* What few messages have. */
typedef struct pl_sctp_out_extra {
    pl_sctp_out_msg *msg;
    void (*release)(void *user); /* of lent bytes */
    void *user;
    size_t n_lent;
    pl_sctp_out_part *first, *last; /* streamed: parts with bytes not acknowledged */
    pl_sctp_out_part *from;         /* the part to take from next; NULL: none */
    uint64_t taken_before; /* of its bytes, when the peer's window was narrow last: the time of that number */
    uint64_t narrow_seen;
    pl_heap_node in_limited; /* RFC 7496 3.4: may be given up for a more important one */
} pl_sctp_out_extra;

struct pl_sctp_out_msg {
    pl_sctp_out_msg *prev, *next;
    pl_sctp_out_extra *extra; /* NULL for most */
    const uint8_t *at;        /* what is to be taken next: n_at bytes in a row, of `left` in all */
    int64_t expires_us;       /* PL_NEVER: reliable in time */
    uint64_t len;             /* bytes given so far */
    uint32_t n_at, left;
    uint32_t ppid;
    uint32_t
        mid; /* given with the first TSN, so that nobody waits for a message that expired; DATA: its SSN */
    uint32_t next_fsn;            /* number of the next fragment */
    uint32_t first_tsn, last_tsn; /* when begun; first_tsn may be any acknowledged one */
    uint32_t n_refs;              /* TSNs that point here, and one while queued */
    uint32_t max_retransmits;     /* UINT32_MAX: any number */
    uint32_t own;                 /* bytes in data[] */
    uint16_t sid;
    bool unordered : 1;
    bool begun : 1;    /* a TSN carries its beginning */
    bool unended : 1;  /* streamed, and its last part is still to come */
    bool promised : 1; /* I-DATA: the peer's window is kept free for all that is left of it */
    bool queued : 1;
    bool abandoned : 1;
    bool uncounted : 1; /* not in its stream's buffered */
    uint8_t data[];
};

static inline bool pl_sctp_out_msg_ready(const pl_sctp_out_msg *m)
{
    return m->left > (m->unended ? PL_SCTP_OUT_HELD : 0);
}

/* With a copy of data in it. */
pl_sctp_out_msg *pl_sctp_out_msg_new(pl_sctp_streams *st, const void *data, size_t len);
/* Around bytes of the caller's. */
pl_sctp_out_msg *pl_sctp_out_msg_lent(pl_sctp_streams *st, const pl_sctp_lent *bytes);
/* Without any bytes yet, and unended. */
pl_sctp_out_msg *pl_sctp_out_msg_streamed(pl_sctp_streams *st);
/* What the first two add to total. */
size_t pl_sctp_out_msg_cost(size_t len);
/* What one more part of a message adds to it. m may be NULL: a message that is about to begin. */
size_t pl_sctp_out_part_cost(const pl_sctp_out_msg *m, size_t len);
/* More bytes for a streamed one. */
PL_NODISCARD pl_err pl_sctp_out_msg_append(pl_sctp_streams *st, pl_sctp_out_msg *m, const uint8_t *data,
                                           size_t len);
/* n bytes, at most n_at, are taken. */
void pl_sctp_out_msg_advance(pl_sctp_out_msg *m, uint32_t n);
/* What must be remembered of an abandoned message until the peer knows: a header with one reference. NULL without
 * memory, and when the message is not worth it. */
pl_sctp_out_msg *pl_sctp_out_msg_tombstone(pl_sctp_streams *st, const pl_sctp_out_msg *m);
void pl_sctp_out_msg_unref(pl_sctp_streams *st, pl_sctp_out_msg *m);
/* All bytes of the first part are acknowledged. */
void pl_sctp_out_msg_pop_part(pl_sctp_streams *st, pl_sctp_out_msg *m);
/* RFC 7496 3.4: may go when `priority` is a higher number than that of a message that finds no room.
 * Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_sctp_out_msg_limit(pl_sctp_streams *st, pl_sctp_out_msg *m, uint32_t priority);
/* The least important of those that may go for a message of `priority`, or NULL. */
pl_sctp_out_msg *pl_sctp_streams_dispensable(const pl_sctp_streams *st, uint32_t priority);
/* It may not go any more. */
void pl_sctp_out_msg_unlimit(pl_sctp_streams *st, pl_sctp_out_msg *m);

#endif
