/* nack.h - a receiver's list of what is missing: when to ask, how often, and when to give up.
 * Source   RFC 4585 6.2.1 (message) and 3.6; tolerance of reordering and limits after common practice.
 * Shape    zero state legal after init; a stream without loss allocates nothing; clear frees. Belongs to its
 *          connection's thread.
 * Units    microseconds.
 * Errors   none to handle: without memory a loss is not asked for, the engine conceals it. */
#ifndef PL_RTP_NACK_H
#define PL_RTP_NACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rtp/rtcp_feedback.h"

enum {
    PL_NACK_MISSING_MAX = 1024, /* more missing at once: only a key frame helps */
    PL_NACK_TRIES_MAX = 10,
    PL_NACK_JUMP_MAX = 3000 /* a gap longer than this is a restart, not loss */
};

typedef struct pl_nack_conf {
    int64_t reorder_us; /* wait so long before the first request; 0: 10 ms */
    int64_t max_age_us; /* then a packet is of no use; 0: 1 s. Audio: what the jitter buffer can wait */
    bool wants_key;     /* video: giving up means asking for a key frame */
} pl_nack_conf;

typedef struct pl_nack_missing pl_nack_missing;

typedef struct pl_nack {
    pl_nack_conf conf;
    bool started, want_key;
    int64_t top;              /* highest number seen */
    pl_nack_missing *missing; /* ascending */
    uint32_t n, cap;
    int64_t rtt_us, next_us;
    uint64_t n_requests, n_recovered, n_given_up; /* n_requests: packets asked for, repetitions counted */
} pl_nack;

void pl_nack_init(pl_nack *n, const pl_nack_conf *conf);
void pl_nack_clear(pl_nack *n);
/* The smoothed round-trip time: how long to wait before asking again. 100 ms until told. */
void pl_nack_rtt(pl_nack *n, int64_t rtt_us);
/* A packet is there, by itself or by RTX. */
void pl_nack_packet(pl_nack *n, int64_t now_us, int64_t ext_seq);
int64_t pl_nack_next_us(const pl_nack *n); /* or PL_NEVER */
/* Fills items for one NACK with what is due, returns how many (0: nothing now); what does not fit stays due,
 * so call until 0. Gives up on what is too old. */
size_t pl_nack_poll(pl_nack *n, int64_t now_us, pl_nack_item *item, size_t cap);
/* True once after giving up on a packet: send a PLI. */
bool pl_nack_poll_key(pl_nack *n);
void pl_nack_check(const pl_nack *n);

#endif
