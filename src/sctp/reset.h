/* reset.h - resetting streams, and answering the peer who resets or adds his.
 * Source   RFC 6525 5.1, 5.2.
 * Shape    plain data inside an association; the functions work on the association, whose streams, TSNs and
 *          timers they need. One request of ours is under way at a time; one of the peer's may wait for its
 *          last TSN. */
#ifndef PL_SCTP_RESET_H
#define PL_SCTP_RESET_H

#include "sctp/association.h"
#include "sctp/chunk_reconfig.h"

typedef struct pl_sctp_reset {
    uint32_t next_seq;                /* of our next request */
    uint32_t peer_seq;                /* of the peer's next request */
    pl_sctp_reset_result last_result; /* of the peer's request before that */
    /* Our request under way: sids NULL when there is none. */
    uint16_t *sids;
    size_t n_sids;
    uint32_t request_seq, last_tsn;
    int64_t due_us; /* to be sent again */
    /* The peer's request that waits until everything before it has arrived. */
    bool deferred;
    uint16_t *deferred_sids;
    size_t n_deferred;
    uint32_t deferred_tsn;
} pl_sctp_reset;

void pl_sctp_reset_init(pl_sctp *s, uint32_t my_tsn, uint32_t peer_tsn);
void pl_sctp_reset_clear(pl_sctp *s);
/* A RE-CONFIG chunk has arrived. */
void pl_sctp_reset_input(pl_sctp *s, pl_rd body);
/* Something has moved: perform what was deferred, ask for what is waiting. */
void pl_sctp_reset_settle(pl_sctp *s);
/* The request has gone unanswered until due_us. */
void pl_sctp_reset_timeout(pl_sctp *s);
void pl_sctp_reset_write(pl_sctp *s, pl_wr *w);

#endif
