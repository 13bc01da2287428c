#include "stun/transaction.h"

enum { DEFAULT_RC = 7, DEFAULT_RM = 16 };

void pl_stun_tx_start(pl_stun_tx *tx, const pl_stun_tx_conf *conf, const pl_rand *rand, int64_t now_us)
{
    static const pl_stun_tx_conf none;
    if (!conf)
        conf = &none;
    *tx = (pl_stun_tx){
        .rc = conf->rc ? conf->rc : DEFAULT_RC,
        .rm = conf->rm ? conf->rm : DEFAULT_RM,
        .rto_us = conf->rto_us > 0 ? conf->rto_us : PL_MS(500),
        .rto_max_us = conf->rto_max_us > 0 ? conf->rto_max_us : PL_NEVER,
        .at_us = now_us,
    };
    pl_rand_bytes(rand, tx->id, sizeof tx->id);
}

/* How long to wait after the nth transmission, n from 1. */
static int64_t wait_us(const pl_stun_tx *tx, unsigned n)
{
    if (n >= tx->rc)
        return tx->rm * tx->rto_us;
    int64_t wait = tx->rto_us;
    while (--n > 0 && wait < tx->rto_max_us)
        wait *= 2;
    return pl_min_us(wait, tx->rto_max_us);
}

void pl_stun_tx_sent(pl_stun_tx *tx, int64_t now_us)
{
    if (tx->n_sent == 0)
        tx->sent_us = now_us;
    tx->last_sent_us = now_us;
    tx->n_sent++;
    tx->at_us = now_us + wait_us(tx, tx->n_sent);
}

void pl_stun_tx_cancel(pl_stun_tx *tx, int64_t now_us)
{
    if (tx->at_us == PL_NEVER)
        return;
    int64_t left_us = tx->rm * tx->rto_us;
    for (unsigned n = tx->n_sent; n > 0 && n < tx->rc; n++)
        left_us += wait_us(tx, n);
    tx->n_sent = tx->n_sent ? tx->n_sent : 1;
    tx->rc = tx->n_sent;
    tx->at_us = now_us + left_us;
}

bool pl_stun_tx_due(const pl_stun_tx *tx, int64_t now_us)
{
    return tx->at_us <= now_us && tx->n_sent < tx->rc;
}

bool pl_stun_tx_dead(const pl_stun_tx *tx, int64_t now_us)
{
    return tx->at_us <= now_us && tx->n_sent >= tx->rc;
}

bool pl_stun_tx_is(const pl_stun_tx *tx, const pl_stun_msg *m)
{
    return tx->n_sent > 0 && !m->classic && (m->cls == PL_STUN_SUCCESS || m->cls == PL_STUN_ERROR) &&
           memcmp(tx->id, m->id, sizeof tx->id) == 0;
}

bool pl_stun_tx_rtt(const pl_stun_tx *tx, int64_t now_us, int64_t *rtt_us)
{
    *rtt_us = pl_max_us(now_us - tx->last_sent_us, 0);
    return tx->n_sent == 1;
}
