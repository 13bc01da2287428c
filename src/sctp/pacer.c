#include "sctp/pacer.h"

#include "base/time.h"

void pl_sctp_pacer_set(pl_sctp_pacer *p, uint64_t rate, size_t packet)
{
    uint64_t burst = rate * PL_SCTP_PACER_QUANTUM_US / 1000000;
    size_t least = PL_SCTP_PACER_LEAST * packet, most = PL_SCTP_PACER_MOST * packet;
    p->rate = rate;
    p->burst = burst < least ? least : burst > most ? most : (size_t)burst;
}

bool pl_sctp_pacer_open(const pl_sctp_pacer *p, int64_t now_us)
{
    return p->rate == 0 || now_us >= p->open_us;
}

void pl_sctp_pacer_rested(pl_sctp_pacer *p, int64_t now_us, size_t bytes)
{
    p->left = bytes;
    p->open_us = now_us;
}

/* A timer that comes late is made up for by one burst, not by more. */
void pl_sctp_pacer_sent(pl_sctp_pacer *p, int64_t now_us, size_t bytes)
{
    if (p->rate == 0)
        return;
    if (p->left == 0) {
        p->left = p->burst;
        int64_t lasts_us = (int64_t)(p->burst * 1000000 / p->rate);
        p->open_us = pl_max_us(p->open_us, now_us - lasts_us);
    }
    if (bytes < p->left) {
        p->left -= bytes;
        return;
    }
    p->open_us += (int64_t)((p->burst + bytes - p->left) * 1000000 / p->rate);
    p->left = 0;
}
