/* probe.h - asking the path with a short burst whether it carries more than we send.
 * Source   draft-ietf-rmcat-gcc-02 leaves it open; packet-train dispersion, as receivers' clocks see it.
 * Shape    plain data, zero state legal, nothing to free.
 * Units    microseconds, bits per second, bytes. */
#ifndef PL_CONGESTION_PROBE_H
#define PL_CONGESTION_PROBE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PL_PROBE_US = 15000,       /* a burst lasts at least so long ... */
    PL_PROBE_BYTES_MIN = 5000, /* ... and has at least so much */
    PL_PROBE_TIMEOUT_US = 1000000
};

typedef struct pl_cc_probe_ask {
    uint8_t cluster; /* 1..255, goes with each packet of the burst to pl_twcc_tx_sent */
    int64_t rate_bps;
    uint32_t bytes;
} pl_cc_probe_ask;

typedef struct pl_cc_probe {
    uint8_t cluster; /* of the burst under way, 0 none */
    uint8_t last_cluster;
    int64_t rate_bps, asked_us;
    uint32_t asked_bytes;
    uint32_t n, bytes, first_len, last_len; /* of its packets that have arrived */
    int64_t first_sent_us, last_sent_us, first_arrival_us, last_arrival_us;
    int64_t want_bps; /* the next burst to ask for, 0 none */
    int64_t want_us;  /* earliest time for it */
} pl_cc_probe;

/* Ask for a burst at rate_bps at at_us; replaces a wish that was not fulfilled yet. */
void pl_cc_probe_want(pl_cc_probe *p, int64_t at_us, int64_t rate_bps);
bool pl_cc_probe_poll(pl_cc_probe *p, int64_t now_us, pl_cc_probe_ask *out);
/* A packet of a burst has arrived. */
void pl_cc_probe_packet(pl_cc_probe *p, uint8_t cluster, int64_t sent_us, int64_t arrival_us, uint32_t len);
/* What the burst says: bits per second, or 0 while it is not complete. A result ends the burst. */
int64_t pl_cc_probe_result(pl_cc_probe *p, int64_t now_us);
int64_t pl_cc_probe_next_us(const pl_cc_probe *p); /* when poll will give something, or PL_NEVER */

#endif
