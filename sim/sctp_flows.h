/* sctp_flows.h - transfers by SCTP that share one bottleneck in virtual time, and a TCP by CUBIC beside them.
 * Shape    sim_flows_run makes the associations, lets each send without end, and measures. Each flow's packets enter one
 *          queue before the link; SACKs come back over a link of their own that loses nothing.
 * Units    microseconds, bytes, bits per second. A packet spends 65 bytes more on the link than SCTP's (IPv4, UDP, DTLS).
 */
#ifndef SIM_SCTP_FLOWS_H
#define SIM_SCTP_FLOWS_H

#include "sctp/association.h"
#include "sim/link.h"

enum { SIM_FLOWS_MAX = 3, SIM_FLOW_OVERHEAD = 65 };

typedef struct sim_flows_conf {
    unsigned n; /* SCTP transfers */
    bool tcp; /* and one TCP-like flow after them: CUBIC (RFC 9438) without pacing, SACK, an endless window */
    int64_t rate_bps, rtt_us;
    size_t queue; /* 0: one bandwidth-delay product, and never less than 16 packets */
    double loss;  /* at random, of packets with data */
    sim_net
        rough; /* what else goes wrong, both ways; its loss is that of SACKs, and rate, delay and queue are
                         passed over */
    int64_t for_us;   /* how long they send */
    int64_t from_us;  /* shares are counted from here on */
    int64_t apart_us; /* each begins so much after the one before */
    pl_sctp_congestion congestion;
    size_t recv_buffer, recv_buffer_max, send_buffer; /* 0: defaults */
    pl_sctp_congestion others;                        /* of all flows but the first; 0: the same */
    uint64_t seed;
} sim_flows_conf;

typedef struct sim_flows {
    double utilisation;                    /* of the link by DATA packets of all flows, from from_us on */
    double goodput_bps[SIM_FLOWS_MAX + 1]; /* user data that came out; the last: TCP */
    double jain;                           /* of all flows */
    pl_sctp_stats stats[SIM_FLOWS_MAX], receiver[SIM_FLOWS_MAX];
    int64_t queue_us; /* that a packet of ours waited at the bottleneck, on average from from_us on */
    uint64_t n_dropped;
} sim_flows;

void sim_flows_run(sim_flows *out, const sim_flows_conf *conf);

#endif
