/* link.h - one direction of a network link in virtual time: rate, queue, delay, jitter, loss, duplication,
 * reordering, corruption, stalls, bursts of loss, a largest packet and blackouts, all from a seed.
 * Shape    sim_link_send puts a datagram in; sim_link_recv takes what has arrived by `now_us`, in order of
 *          arrival; sim_link_next_us tells the next arrival. The bytes are copied in and out.
 * Units    microseconds, bits per second, probabilities 0..1. */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rand.h"

typedef struct sim_net {
    int64_t rate_bps;   /* 0: unlimited */
    int64_t delay_us;   /* propagation */
    int64_t jitter_us;  /* added, uniform in [0, jitter], never reorders by itself */
    size_t queue_bytes; /* drop-tail limit behind a rate; 0: 256 KiB */
    double loss, duplicate, reorder, corrupt;
    int64_t reorder_us; /* how much later a reordered packet comes; 0: 10 ms */
    double stall;       /* chance, at each packet, that the link holds everything back … */
    int64_t stall_us;   /* … for up to so long; then all of it arrives at once */
    double burst;       /* chance, at each packet, that three of four are lost … */
    int64_t burst_us;   /* … for up to so long */
    size_t mtu;         /* larger ones are lost; 0: none are */
} sim_net;

typedef struct sim_link sim_link;

sim_link *sim_link_new(const sim_net *net, uint64_t seed);
void sim_link_free(sim_link *l);
/* New conditions from now on; packets under way keep theirs. */
void sim_link_set(sim_link *l, const sim_net *net);
/* Everything sent before `until_us` is lost. */
void sim_link_blackout(sim_link *l, int64_t until_us);
void sim_link_send(sim_link *l, int64_t now_us, const pl_path *path, const void *data, size_t len);
/* True and *len set when a datagram has arrived; path may be NULL. cap must hold it. */
bool sim_link_recv(sim_link *l, int64_t now_us, pl_path *path, void *data, size_t cap, size_t *len);
int64_t sim_link_next_us(const sim_link *l); /* or PL_NEVER */

typedef struct sim_link_stats {
    uint64_t n_sent, n_delivered, n_lost, n_dropped, n_duplicated, n_corrupted, bytes_delivered;
} sim_link_stats;
const sim_link_stats *sim_link_get_stats(const sim_link *l);

#endif
