/* rest.h - letting datagrams gather. A thread that is woken for each of them spends more on waking than on the datagram,
 * and has nothing to put into one segmented send; so while many come, a server looks for them a little later.
 * Source   the interrupt moderation of network cards; the figures were measured with bench/relay.
 * Shape    plain data, zero state legal (never rests), nothing to free.
 * Units    microseconds; datagrams.
 * Thread   its loop's. */
#ifndef PL_NET_REST_H
#define PL_NET_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PL_REST_WINDOW_US = 1000, /* over so long it is judged whether many come */
    PL_REST_MANY = 20,        /* in one window; fewer are each served at once */
    PL_REST_PLENTY = 48       /* came in one round: waiting would make them no cheaper */
};

typedef struct pl_rest {
    int64_t rest_us; /* how long; 0: never */
    int64_t since_us;
    uint32_t n_window, n_round;
    bool many;
} pl_rest;

static inline void pl_rest_count(pl_rest *r, size_t n_datagrams)
{
    r->n_round += (uint32_t)n_datagrams;
}
/* At the end of a round, before sleep: how long to let things be; 0: not at all. */
int64_t pl_rest_take(pl_rest *r, int64_t now_us);

#endif
