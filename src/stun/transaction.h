/* transaction.h - when a client sends its request again, and when it gives up.
 * Source   RFC 8489 6.2.1: RTO doubling, Rc transmissions, Rm times RTO after the last one; 5.1 for the id.
 * Shape    plain data, zero state legal (idle), nothing to free. The owner builds the message: sends when
 *          pl_stun_tx_due says so and tells with pl_stun_tx_sent.
 * Units    microseconds. */
#ifndef PL_STUN_TRANSACTION_H
#define PL_STUN_TRANSACTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rand.h"
#include "base/time.h"
#include "stun/message.h"

typedef struct pl_stun_tx_conf {
    int64_t rto_us;     /* first wait; 0: 500 ms */
    int64_t rto_max_us; /* the doubling stops there; 0: never */
    uint8_t rc;         /* transmissions in all; 0: 7 */
    uint8_t rm;         /* last wait, in first waits; 0: 16 */
} pl_stun_tx_conf;

typedef struct pl_stun_tx {
    uint8_t id[PL_STUN_ID_LEN];
    uint8_t n_sent, rc, rm;
    int64_t rto_us, rto_max_us;    /* the first wait, and the longest */
    int64_t sent_us, last_sent_us; /* of the first transmission, and of the last */
    int64_t at_us;                 /* next transmission or the end, PL_NEVER while idle */
} pl_stun_tx;

/* A new random id; due at once. conf NULL: all defaults. */
void pl_stun_tx_start(pl_stun_tx *tx, const pl_stun_tx_conf *conf, const pl_rand *rand, int64_t now_us);
/* No more transmissions, but an answer is still welcome until the transaction would have ended (RFC
 * 8445 7.3.1.4). */
void pl_stun_tx_cancel(pl_stun_tx *tx, int64_t now_us);
bool pl_stun_tx_due(const pl_stun_tx *tx, int64_t now_us);  /* a transmission is to be made */
bool pl_stun_tx_dead(const pl_stun_tx *tx, int64_t now_us); /* nobody answered */
void pl_stun_tx_sent(pl_stun_tx *tx, int64_t now_us);
static inline int64_t pl_stun_tx_next_us(const pl_stun_tx *tx)
{
    return tx->at_us;
}
bool pl_stun_tx_is(const pl_stun_tx *tx, const pl_stun_msg *m); /* a response to it, by id */
/* The round-trip time an answer now shows; with more than one transmission it is measured from the last but
 * known to be ambiguous: false (Karn). */
bool pl_stun_tx_rtt(const pl_stun_tx *tx, int64_t now_us, int64_t *rtt_us);

#endif
