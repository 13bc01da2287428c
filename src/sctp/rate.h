/* rate.h - how fast the path delivers, measured packet by packet.
 * Source   draft-cheng-iccrg-delivery-rate-estimation, as draft-ietf-ccwg-bbr 4.1.1.2 has it.
 * Shape    plain data inside outstanding.h, nothing to free. Each sending is marked with what had been delivered and
 *          lost until then; when it arrives, the difference is a sample of the rate, when it is lost, of the losses.
 *          A sample says how much was delivered from the mark on, over the longer of the times that sending and
 *          acknowledging that much took: so SACKs that come in a bunch do not pass for a fast path.
 * Units    bytes, bytes per second, microseconds. Marks count modulo 2^32, since no more is ever in flight. */
#ifndef PL_SCTP_RATE_H
#define PL_SCTP_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a sending remembers. */
typedef struct pl_sctp_rate_mark {
    uint32_t delivered, lost;     /* when it went */
    uint32_t flight;              /* with it */
    uint32_t since_delivered_us;  /* from the latest delivery to the sending */
    uint32_t since_first_us : 31; /* from the sending that a sample's sending began with */
    uint32_t limited : 1;         /* the application, not the path, kept the flight small then */
} pl_sctp_rate_mark;

typedef struct pl_sctp_rate {
    uint64_t delivered, lost; /* bytes, in all */
    int64_t delivered_us;     /* latest delivery; or, from a rest on, the first sending */
    int64_t first_us;         /* sending of what was delivered last: where the next sample's begins */
    uint64_t limited_till;    /* of `delivered`: until then samples are limited; 0: not at all */
    bool blind;               /* the latest SACK may have left blocks out */
    int64_t blind_us;         /* what was sent by then knows too little of what had been delivered */
    /* of the SACK that is being read */
    pl_sctp_rate_mark newest; /* mark of the latest sending that it acknowledges, … */
    int64_t newest_us;        /* … and when it went; -1: none */
    uint32_t worst_flight;    /* of what was lost: in flight when it went, … */
    uint32_t worst_lost;      /* … and lost from then on; the largest share of all, 0: nothing was lost */
} pl_sctp_rate;

/* What one SACK has shown. */
typedef struct pl_sctp_rate_sample {
    uint64_t total;     /* delivered by now */
    uint64_t rate;      /* 0: no sample */
    uint32_t delivered; /* from the mark to now */
    uint32_t lost;      /* in the same time */
    uint32_t flight;    /* when the newest of them was sent */
    uint64_t mark;      /* `delivered` when that was: a round ends when this passes the round's begin */
    bool blind;         /* too much, perhaps: part of it had been delivered before, untold */
    bool limited;       /* by the application: the path may do more */
    bool any;           /* delivered, lost, flight and mark are told */
    uint32_t lost_flight, lost_of; /* the worst loss: in flight when it was sent, lost since; 0: none */
} pl_sctp_rate_sample;

void pl_sctp_rate_init(pl_sctp_rate *r);
/* A sending; flight: with it. alone: nothing else is under way, so time begins anew. */
void pl_sctp_rate_sent(pl_sctp_rate *r, pl_sctp_rate_mark *out, int64_t now_us, size_t flight, bool alone);
void pl_sctp_rate_arrived(pl_sctp_rate *r, const pl_sctp_rate_mark *mark, int64_t sent_us, size_t size,
                          int64_t now_us);
void pl_sctp_rate_lost(pl_sctp_rate *r, const pl_sctp_rate_mark *mark, size_t size);
/* There is less to send than might be: what is in flight now, and what follows until it has arrived, is limited. */
void pl_sctp_rate_limited(pl_sctp_rate *r, size_t flight);
/* Whether the SACK that is being read may have left blocks out for want of room. What they would have told comes later,
 * as if it had been delivered later. */
void pl_sctp_rate_told(pl_sctp_rate *r, int64_t now_us, bool all);
/* After a SACK has been read: what it showed. Forgets it. */
void pl_sctp_rate_take(pl_sctp_rate *r, int64_t now_us, int64_t min_rtt_us, pl_sctp_rate_sample *out);

#endif
