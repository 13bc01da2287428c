/* congestion.h - how much may be under way: one controller behind a table of functions.
 * Source   RFC 9260 7.2 (congestion_reno.c); RFC 9438 with RFC 9406 (congestion_cubic.c), plain and holding the path's
 *          bandwidth-delay product against losses that no queue explains; draft-ietf-ccwg-bbr (congestion_bbr.c,
 *          bbr_probe.c); RFC 6817 and draft-irtf-iccrg-ledbat-plus-plus (congestion_ledbat.c).
 * Shape    plain data inside its association, nothing to free. The association reports facts (acknowledged,
 *          lost, timed out, idle) and asks for the window and the pace; when a packet counts as lost is not the
 *          controller's matter.
 * Units    bytes of DATA chunks, as flight is counted; bytes per second; microseconds. */
#ifndef PL_SCTP_CONGESTION_H
#define PL_SCTP_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sctp/bbr.h"
#include "sctp/random_loss.h"
#include "sctp/rate.h"

enum {
    PL_SCTP_CC_ROUNDS = 4,      /* round trips over which the path's rate is the largest */
    PL_SCTP_CC_LEAST = 4,       /* packets that a loss leaves */
    PL_SCTP_CC_PACED_US = 1000, /* round trips shorter than this are not paced: no timer is that fine */
    PL_SCTP_CC_MINUTES = 10,    /* for which LEDBAT remembers the least round trip */
    PL_SCTP_CC_FILTER = 4       /* round trips of which it takes the least */
};

typedef struct pl_sctp_cc pl_sctp_cc;

/* What one SACK brought. */
typedef struct pl_sctp_cc_ack {
    int64_t now_us;
    int64_t rtt_us;       /* newest sample, or -1 */
    int64_t srtt_us;      /* 0: none yet */
    int64_t min_rtt_us;   /* 0: none yet */
    size_t acked;         /* bytes newly acknowledged, cumulatively or in gaps */
    size_t lost;          /* bytes newly called lost */
    size_t flight_before; /* before this SACK */
    size_t flight_after;
    bool cum_advanced;
    bool in_recovery; /* fast recovery goes on behind this SACK */
    bool backlog;     /* data waits that only the window or the pace holds back */
    pl_sctp_rate_sample rate;
} pl_sctp_cc_ack;

typedef struct pl_sctp_cc_ops {
    const char *name;
    bool bold; /* on long paths it begins with more than ten packets, paced */
    void (*init)(pl_sctp_cc *cc);
    void (*acked)(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack);
    void (*lost)(pl_sctp_cc *cc, int64_t now_us);            /* fast recovery begins */
    void (*timeout)(pl_sctp_cc *cc, int64_t now_us);         /* T3 expired */
    uint64_t (*pace)(const pl_sctp_cc *cc, int64_t srtt_us); /* bytes per second; NULL: by the window */
} pl_sctp_cc_ops;

/* Slow start by delay; see hystart.h. */
typedef struct pl_sctp_hystart {
    int64_t last_min_us, now_min_us, baseline_us;
    unsigned n_samples, css_rounds;
    bool in_css;
} pl_sctp_hystart;

typedef enum pl_sctp_ledbat_phase {
    PL_SCTP_LEDBAT_FIRST, /* slow start, until a queue shows */
    PL_SCTP_LEDBAT_STEADY,
    PL_SCTP_LEDBAT_SLOW, /* two packets, so that the queue empties and the least round trip shows */
    PL_SCTP_LEDBAT_RAMP  /* slow start back to where it was */
} pl_sctp_ledbat_phase;

typedef struct pl_sctp_ledbat {
    pl_sctp_ledbat_phase phase;
    uint64_t eased_till;                 /* of path.delivered: one reduction a round */
    int64_t base_us[PL_SCTP_CC_MINUTES]; /* least round trip of each of the last minutes; 0: none */
    int64_t minute_us;                   /* the one under way began */
    int64_t recent_us[PL_SCTP_CC_FILTER];
    unsigned n_recent;
    int64_t slow_us;  /* when the next slowdown begins, or the one under way ends; 0: none */
    int64_t began_us; /* the slowdown did */
    double rest;      /* of a byte */
} pl_sctp_ledbat;

/* The path as rounds of acknowledgement show it. */
typedef struct pl_sctp_cc_path {
    uint64_t delivered;                /* bytes, in all */
    uint64_t round_end;                /* of `delivered`, when what is in flight now is acknowledged */
    uint64_t round_from;               /* `delivered` when the round began, … */
    int64_t round_us;                  /* … and the time */
    bool round_began;                  /* with this SACK */
    uint64_t rate[PL_SCTP_CC_ROUNDS];  /* of the last rounds */
    unsigned at;                       /* the latest of them */
    int64_t rtt_us;                    /* latest sample */
    int64_t round_min_us, last_min_us; /* least sample of this round, of the last one */
    size_t round_lost;
    size_t round_peak, last_peak; /* most in flight in this round, in the last one */
} pl_sctp_cc_path;

struct pl_sctp_cc {
    const pl_sctp_cc_ops *ops;
    size_t mtu;                      /* payload of a full packet */
    size_t cwnd, ssthresh;           /* every controller keeps these two */
    size_t undo_cwnd, undo_ssthresh; /* before the last loss or timeout */
    uint32_t seed;                   /* so that flows do not march in step */
    bool rested;                     /* nothing was sent for a while; until the next SACK */
    pl_sctp_cc_path path;
    union {
        struct {
            size_t partial_bytes_acked;
        } reno;
        struct {
            int64_t epoch_us;         /* begin of the growth under way; 0: begins with the next SACK */
            double w_max, k_s;        /* bytes where the plateau lies, seconds until it */
            double c;                 /* steepness of the cubic, bytes per cubic second */
            double w_est;             /* bytes that Reno would have */
            double rest;              /* of a byte */
            uint64_t eased_till;      /* of path.delivered: one reduction a round */
            int64_t cautious_till_us; /* after a full queue: no growth but the cubic's */
            unsigned n_queued;        /* samples in a row that show a queue */
            pl_sctp_hystart hystart;
            pl_sctp_random_loss random;
        } cubic;
        pl_sctp_bbr bbr;
        pl_sctp_ledbat ledbat;
    } u;
};

extern const pl_sctp_cc_ops pl_sctp_cc_reno, pl_sctp_cc_cubic, pl_sctp_cc_cubic_bdp, pl_sctp_cc_bbr,
    pl_sctp_cc_ledbat;

void pl_sctp_cc_init(pl_sctp_cc *cc, const pl_sctp_cc_ops *ops, size_t mtu);
/* The path is another: everything is learnt anew. */
void pl_sctp_cc_restart(pl_sctp_cc *cc);
/* Another controller with the window of this one. */
void pl_sctp_cc_switch(pl_sctp_cc *cc, const pl_sctp_cc_ops *ops);
/* One SACK: the path's figures, then the controller. */
void pl_sctp_cc_acked(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack);
/* The handshake has taken so long, and nothing has been sent yet: a first window at the rate that nobody on the internet is too
 * slow for, by the round trip. */
void pl_sctp_cc_begin(pl_sctp_cc *cc, int64_t rtt_us);
/* Data goes out after a silence (RFC 9260 7.2.1). */
void pl_sctp_cc_idle(pl_sctp_cc *cc, int64_t idle_us, int64_t rto_us);
/* Before ops->lost or ops->timeout: what pl_sctp_cc_undo brings back when nothing had been lost. */
void pl_sctp_cc_save(pl_sctp_cc *cc);
void pl_sctp_cc_undo(pl_sctp_cc *cc);
/* Ten packets as RFC 6928: what a fresh or rested association may send at once. */
size_t pl_sctp_cc_initial(const pl_sctp_cc *cc);
/* Only a window that is used grows: it was full, or pacing alone kept it from being. */
bool pl_sctp_cc_full(const pl_sctp_cc *cc, const pl_sctp_cc_ack *ack);
/* Bytes that the path holds without a queue; 0: not known. */
size_t pl_sctp_cc_bdp(const pl_sctp_cc *cc, int64_t min_rtt_us);
/* Bytes per second for the pacer; 0: none. */
uint64_t pl_sctp_cc_pace(const pl_sctp_cc *cc, int64_t srtt_us, int64_t min_rtt_us);

#endif
