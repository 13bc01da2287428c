/* media_net.h - a network between two engines, in virtual time: numbers what is sent, then loses, delays,
 * reorders, duplicates and retransmits it as a connection would.
 * Shape    sim_media_send puts a packet in and gives it its sequence number; sim_media_recv takes what has
 *          come.
 * Units    microseconds, probabilities 0..1. */
#ifndef SIM_MEDIA_NET_H
#define SIM_MEDIA_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "rtp/media_packet.h"

enum { SIM_MEDIA_FLIGHT_MAX = 2048 };

typedef struct sim_media_conf {
    double loss, duplicate;
    int64_t delay_us;
    int64_t jitter_us;     /* added, uniform in [0, jitter]; packets may overtake */
    int64_t retransmit_us; /* a lost packet comes this much later, if that is not lost too; 0: never */
    int retransmits;       /* how often that is tried */
    bool last_one_comes;   /* the last retransmission is never lost */
} sim_media_conf;

typedef struct sim_media sim_media;

sim_media *sim_media_new(const sim_media_conf *conf, uint64_t seed);
void sim_media_free(sim_media *m);
void sim_media_set(sim_media *m, const sim_media_conf *conf);
/* Everything sent before until_us is lost, retransmissions too. */
void sim_media_blackout(sim_media *m, int64_t until_us);
void sim_media_send(sim_media *m, int64_t now_us, const pl_media_packet *p);
/* In order of arrival; arrival_us is set. */
bool sim_media_recv(sim_media *m, int64_t now_us, pl_media_packet *out);
pl_rand *sim_media_rand(sim_media *m);
uint64_t sim_media_lost(const sim_media *m); /* for good */
uint64_t sim_media_sent(const sim_media *m);

#endif
