/* reset.h - resetting streams and adding some, and answering the peer who does.
 * Source   RFC 6525 5.1, 5.2. A reset of all SSNs and TSNs (5.2.4) is denied: RFC 8831 has no use for it.
 * Shape    plain data inside an association; the functions work on the association, whose streams, TSNs and
 *          timers they need. One request of ours is under way at a time; one of the peer's may wait for its
 *          last TSN. */
#ifndef PL_SCTP_RESET_H
#define PL_SCTP_RESET_H

#include "sctp/association.h"
#include "sctp/chunk_reconfig.h"
#include "sctp/streams.h"

typedef struct pl_sctp_reset {
    uint32_t next_seq; /* of our next request */
    uint32_t peer_seq; /* of the peer's next request */
    /* Of the peer's last request and the one before: two may come in one chunk, and again when answers are lost. */
    pl_sctp_reset_result last_result, before_result;
    /* Our request under way: PL_SCTP_RESET_OUT with sids, PL_SCTP_ADD_OUT or _IN with n_asked, or 0. */
    unsigned asked;
    uint16_t *sids;
    size_t n_sids;
    uint16_t n_asked;
    uint32_t request_seq, last_tsn;
    int64_t due_us; /* to be sent again */
    /* Streams to be asked for: by the peer's wish, and by the application's, which is told the end. */
    uint16_t owed_out, add_out, add_in;
    bool adding;
    pl_err add_error;
    unsigned in_allowed; /* of the peer's streams, because we asked for them */
    /* The peer's request that waits until everything before it has arrived. */
    bool deferred;
    uint16_t *deferred_sids;
    size_t n_deferred;
    uint32_t deferred_tsn;
    /* The last look for streams that are ready found none, with this TSN as the first not acknowledged and so many messages
     * waiting: until one of them changes another look would not either. */
    bool in_vain;
    uint32_t vain_tsn;
    size_t vain_queued;
} pl_sctp_reset;

void pl_sctp_reset_init(pl_sctp *s, uint32_t my_tsn, uint32_t peer_tsn);
void pl_sctp_reset_clear(pl_sctp *s);
/* An open stream of ours is to be reset, when all in it has arrived; pl_sctp_reset_settle does it. */
void pl_sctp_reset_stream(pl_sctp *s, pl_sctp_out_stream *st);
/* Asks for n_out of ours and n_in of the peer's; none may be under way. */
void pl_sctp_reset_add(pl_sctp *s, uint16_t n_out, uint16_t n_in);
/* A RE-CONFIG chunk has arrived. */
void pl_sctp_reset_input(pl_sctp *s, pl_rd body);
/* The peer has no streams of ours from this one on, or begins all anew (first_sid 0): those that wait to be reset are. */
void pl_sctp_reset_spare(pl_sctp *s, unsigned first_sid);
/* Something has moved: perform what was deferred, ask for what is waiting. */
void pl_sctp_reset_settle(pl_sctp *s);
/* The request has gone unanswered until due_us. */
void pl_sctp_reset_timeout(pl_sctp *s);
void pl_sctp_reset_write(pl_sctp *s, pl_wr *w);

#endif
