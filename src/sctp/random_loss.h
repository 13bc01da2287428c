/* random_loss.h - how much of what is lost has nothing to do with how much is sent.
 * Source   ours. A full queue and a policer lose less, or nothing, when less is sent; a radio link loses its share all the
 *          same. So the shares of spans are compared in which much and less arrived.
 * Shape    plain data inside a controller, nothing to free; zero is its first state. A span ends when enough was lost to
 *          say something; one in which a queue showed says nothing.
 * Units    bytes, bytes per second; shares are of 1024. */
#ifndef PL_SCTP_RANDOM_LOSS_H
#define PL_SCTP_RANDOM_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PL_SCTP_SHARE_ONE = 1024,
    PL_SCTP_SHARE_MOST = 160 /* beyond this, nearly a sixth, it is never called random */
};

typedef struct pl_sctp_random_loss {
    uint64_t acked, lost, rate; /* in the span under way; the rate is that of its fastest round */
    unsigned n_rounds;
    bool queued;
    uint64_t much_rate;  /* of the fastest span that lost much, or of that which taught the share; 0: none */
    uint32_t much_share; /* what that lost */
    uint32_t share;      /* of what is sent that is lost at random; 0: none is known to be */
} pl_sctp_random_loss;

/* One SACK. round_rate: at which a round that ends with it has delivered, 0: none ends; queued: its round trip shows a
 * queue. */
void pl_sctp_random_loss_acked(pl_sctp_random_loss *r, size_t acked, size_t lost, size_t mtu,
                               uint64_t round_rate, bool queued);

#endif
