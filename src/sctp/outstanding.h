/* outstanding.h - every TSN that was sent and is not cumulatively acknowledged, and what SACKs say about it.
 * Source   RFC 9260 6.2.1 (SACK), 6.3.3 (T3); RFC 8985 (losses found by time, in place of 7.2.4's three reports);
 *          RFC 3758 3.5 (abandoning).
 * Shape    a ring indexed by TSN: finding one is an addition and a mask. init/clear inside an association.
 *          A TSN points into its message's bytes, so sending it again copies nothing but the packet. What is in flight
 *          stands in a list by time of sending, so finding losses touches only the lost; what gap blocks have
 *          acknowledged stands in runs, so a SACK costs by its blocks, not by their length.
 * Units    bytes: a TSN counts its DATA chunk with header and padding, which is what a packet spends on it.
 * Errors   PL_ENOSPC at PL_SCTP_OUTSTANDING_MAX, PL_ENOMEM, PL_EPROTO for a SACK of what was never sent. */
#ifndef PL_SCTP_OUTSTANDING_H
#define PL_SCTP_OUTSTANDING_H

#include "sctp/chunk_forward.h"
#include "sctp/chunk_sack.h"
#include "sctp/rack.h"
#include "sctp/rate.h"
#include "sctp/streams.h"

enum { PL_SCTP_OUTSTANDING_MAX = 32768 };

typedef enum pl_sctp_sent_state {
    PL_SCTP_SENT_IN_FLIGHT,
    PL_SCTP_SENT_LOST,     /* to be sent again */
    PL_SCTP_SENT_ACKED,    /* in a gap block: the peer might still take it back */
    PL_SCTP_SENT_ABANDONED /* partial reliability gave its message up */
} pl_sctp_sent_state;

/* With PL_SCTP_DATA_* in the flags of a TSN: the last one of its part of a streamed message. */
enum { PL_SCTP_SENT_ENDS_PART = 16 };

typedef struct pl_sctp_sent {
    pl_sctp_out_msg *msg;
    const uint8_t *data;
    int64_t sent_us;
    uint32_t older,
        newer;    /* in flight: neighbours by time. Acked: `newer` ends a run that begins here, `older`
                              begins one that ends here */
    uint32_t fsn; /* of I-DATA */
    uint16_t len, size;
    uint16_t n_sends;
    uint8_t flags;
    uint8_t state : 3;
    bool taken_back : 1; /* by a later SACK: its time is no longer that of a sending */
    pl_sctp_rate_mark mark;
} pl_sctp_sent;

typedef struct pl_sctp_outstanding {
    pl_sctp_sent *ring;
    uint32_t cap;       /* a power of two, or 0 */
    uint32_t first_tsn; /* oldest not cumulatively acknowledged */
    uint32_t next_tsn;  /* to be assigned next */
    uint32_t n_lost;
    uint32_t lost_from;                /* no TSN before it is lost */
    uint32_t highest_gap;              /* highest TSN that a gap block has reported */
    uint32_t oldest, newest, n_flying; /* the list of what is in flight, by time of sending */
    uint32_t n_gap_acked;              /* in state ACKED */
    size_t flight;                     /* bytes in state IN_FLIGHT */
    bool interleaved;                  /* I-DATA chunks, of a larger header */
    uint32_t most_gaps;                /* blocks of the SACK that had most: the peer has room for so many */
    pl_sctp_rack rack;
    pl_sctp_rate rate;
} pl_sctp_outstanding;

/* What one SACK changed. */
typedef struct pl_sctp_acked {
    size_t bytes;   /* newly acknowledged */
    int64_t rtt_us; /* of the newest TSN that was sent once, or -1 */
    bool cum_advanced;
    bool repaired;          /* something arrived by being sent again */
    uint32_t n_late;        /* acknowledged after they counted as lost and before they went again */
    uint32_t n_messages;    /* wholly acknowledged */
    uint64_t message_bytes; /* of those */
} pl_sctp_acked;

void pl_sctp_outstanding_init(pl_sctp_outstanding *o, uint32_t first_tsn);
/* Returns how many messages it knew as sent whole and not as acknowledged whole. */
size_t pl_sctp_outstanding_clear(pl_sctp_outstanding *o, pl_sctp_streams *st);
static inline uint32_t pl_sctp_outstanding_n(const pl_sctp_outstanding *o)
{
    return o->next_tsn - o->first_tsn;
}
static inline pl_sctp_sent *pl_sctp_outstanding_at(const pl_sctp_outstanding *o, uint32_t tsn)
{
    return &o->ring[tsn & (o->cap - 1)];
}

/* Room for one more TSN. */
PL_NODISCARD pl_err pl_sctp_outstanding_reserve(pl_sctp_outstanding *o);
/* Assigns the next TSN to the next bytes of a message, which gains a reference; room must be reserved. */
pl_sctp_sent *pl_sctp_outstanding_add(pl_sctp_outstanding *o, pl_sctp_out_msg *m, uint16_t len, uint8_t flags,
                                      int64_t now_us);
/* The first lost TSN, or NULL. */
pl_sctp_sent *pl_sctp_outstanding_lost(pl_sctp_outstanding *o, uint32_t *tsn);
/* It goes out again. */
void pl_sctp_outstanding_resent(pl_sctp_outstanding *o, pl_sctp_sent *s, uint32_t tsn, int64_t now_us);
/* T3: everything in flight is lost. */
void pl_sctp_outstanding_timeout(pl_sctp_outstanding *o);
/* It was not: what has not gone again is in flight after all. */
void pl_sctp_outstanding_revive(pl_sctp_outstanding *o);
/* The latest sending in flight counts as lost, to be sent again as a probe; n_flying must not be 0. Its TSN. */
uint32_t pl_sctp_outstanding_lose_newest(pl_sctp_outstanding *o);

PL_NODISCARD pl_err pl_sctp_outstanding_ack(pl_sctp_outstanding *o, pl_sctp_streams *st,
                                            const pl_sctp_sack_chunk *sack, int64_t now_us,
                                            int64_t min_rtt_us, pl_sctp_acked *out);
/* Calls lost what was sent before the newest arrival and should have arrived window_us ago. Returns the bytes;
 * *again_us: when the next would be lost, or PL_NEVER. */
size_t pl_sctp_outstanding_detect(pl_sctp_outstanding *o, int64_t now_us, int64_t window_us,
                                  int64_t *again_us);
/* Every TSN of a message, which is out of its queue, is abandoned. Its bytes go at once where that is worth an
 * allocation: a header is enough for what the peer must be told. */
void pl_sctp_outstanding_abandon(pl_sctp_outstanding *o, pl_sctp_streams *st, pl_sctp_out_msg *m);
/* RFC 3758's Advanced.Peer.Ack.Point: the last TSN before which nothing is worth waiting for. */
uint32_t pl_sctp_outstanding_advanced(const pl_sctp_outstanding *o);
/* The last message of each stream skipped up to *cumulative_tsn (ordered ones alone, unless interleaved: then of
 * either kind), at most `max`; lowers it when there are more. */
size_t pl_sctp_outstanding_skips(const pl_sctp_outstanding *o, uint32_t *cumulative_tsn, pl_sctp_skip *out,
                                 size_t max);
void pl_sctp_outstanding_check(const pl_sctp_outstanding *o);

#endif
