/* congestion.h - how much may be under way: one controller behind a table of functions.
 * Source   RFC 9260 7.2 for the one that is here (congestion_reno.c); others fill the same table.
 * Shape    plain data inside its association, nothing to free. The association reports facts (acknowledged,
 *          lost, timed out, idle) and asks for the window; when a packet counts as lost is not the
 *          controller's matter.
 * Units    bytes of user data with chunk headers left out, as RFC 9260 counts flight size; microseconds. */
#ifndef PL_SCTP_CONGESTION_H
#define PL_SCTP_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pl_sctp_cc pl_sctp_cc;

/* What one SACK brought. */
typedef struct pl_sctp_cc_ack {
    int64_t now_us;
    int64_t rtt_us;       /* newest sample, or -1 */
    size_t acked;         /* bytes newly acknowledged, cumulatively or in gaps */
    size_t flight_before; /* before this SACK */
    size_t flight_after;
    bool cum_advanced;
    bool in_recovery; /* fast recovery goes on behind this SACK */
} pl_sctp_cc_ack;

typedef struct pl_sctp_cc_ops {
    const char *name;
    void (*init)(pl_sctp_cc *cc);
    void (*acked)(pl_sctp_cc *cc, const pl_sctp_cc_ack *ack);
    void (*lost)(pl_sctp_cc *cc, int64_t now_us);                  /* fast recovery begins */
    void (*timeout)(pl_sctp_cc *cc, int64_t now_us);               /* T3 expired */
    void (*idle)(pl_sctp_cc *cc, int64_t idle_us, int64_t rto_us); /* data goes out after a silence */
} pl_sctp_cc_ops;

struct pl_sctp_cc {
    const pl_sctp_cc_ops *ops;
    size_t mtu;            /* payload of a full packet */
    size_t cwnd, ssthresh; /* every controller keeps these two */
    union {
        struct {
            size_t partial_bytes_acked;
        } reno;
    } u;
};

extern const pl_sctp_cc_ops pl_sctp_cc_reno;

void pl_sctp_cc_init(pl_sctp_cc *cc, const pl_sctp_cc_ops *ops, size_t mtu);
/* Ten packets as RFC 6928: what a fresh or rested association may send at once. */
size_t pl_sctp_cc_initial(const pl_sctp_cc *cc);

#endif
