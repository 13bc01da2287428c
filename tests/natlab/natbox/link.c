/* link.c - one direction of an access link: a queue drained at a rate, then loss, duplicates and delay. */
#include <math.h>
#include <stdlib.h>

#include "natbox.h"

void link_init(struct link *l, struct node *n, int dir)
{
    l->node = n;
    l->dir = dir;
    l->rate = -1;
    l->qrate = 1e6;
    l->qmode = Q_NS;
    l->qlimit = 200e6;
    l->ge_bad = 1;
    l->reorder_by = 10 * MSEC;
    l->r_loss = mkrng(n->name, "loss", dir);
    l->r_jit = mkrng(n->name, "jitter", dir);
    l->r_reord = mkrng(n->name, "reorder", dir);
    l->r_dup = mkrng(n->name, "dup", dir);
}

void deliver(struct link *l, struct pkt *p)
{
    l->st.out_p++;
    l->st.out_b += (uint64_t)p->len;
    if (l->dir == UP)
        arrive_up(l->node, p);
    else
        arrive_down(l->node, p);
}

static double jitter(struct link *l)
{
    double j = (double)l->jitter, u = rndu(&l->r_jit), w;
    switch (l->dist) {
    case DIST_NORMAL: w = rndu(&l->r_jit); return j * sqrt(-2 * log(1 - u)) * cos(2 * M_PI * w);
    case DIST_EXP: return -j * log(1 - u);
    case DIST_PARETO: /* shape 2.5, mean j, from 0 */ return j * 1.5 * (pow(1 - u, -1 / 2.5) - 1);
    default: return j * (2 * u - 1);
    }
}

/* the packet has left the queue at time t: loss, duplication, delay */
static void wire(struct link *l, struct pkt *p, ns_t t)
{
    bool lost = false;
    if (l->ge_p > 0) {
        double u = rndu(&l->r_loss);
        l->ge_lossy = l->ge_lossy ? u >= l->ge_r : u < l->ge_p;
        lost = rndu(&l->r_loss) < (l->ge_lossy ? l->ge_bad : l->ge_good);
    }
    if (l->loss > 0 && rndu(&l->r_loss) < l->loss)
        lost = true;
    if (lost) {
        l->st.dl++;
        free(p);
        return;
    }
    struct pkt *copy = NULL;
    if (l->dup > 0 && rndu(&l->r_dup) < l->dup) {
        copy = pkt_clone(p);
        l->st.dup++;
    }
    do {
        double off = (double)l->delay + (l->jitter ? jitter(l) : 0);
        ns_t out = t + (off > 0 ? (ns_t)off : 0);
        if (l->reorder > 0 && rndu(&l->r_reord) < l->reorder) {
            out += l->reorder_by; /* later packets overtake it */
            l->st.reord++;
        } else {
            if (out < l->last_out)
                out = l->last_out; /* jitter alone never reorders */
            l->last_out = out;
        }
        if (out <= now)
            deliver(l, p);
        else
            ev_push(out, E_DELIVER, l, p, 0);
        p = copy;
        copy = NULL;
    } while (p);
}

static void serve_next(struct link *l)
{
    l->gen++;
    if (l->qh && l->rate > 0)
        ev_push(l->served_at + (ns_t)ceil(l->head_bits / l->rate * 1e9), E_SERVE, l, NULL, l->gen);
}
void serve_done(struct link *l, ns_t t)
{
    struct pkt *p = l->qh;
    if (!(l->qh = p->next))
        l->qt = NULL;
    l->qpkts--;
    l->qbytes -= p->len + l->overhead;
    ns_t q = t > p->t_in ? t - p->t_in : 0;
    l->st.qn++;
    l->st.qsum += q;
    if (q > l->st.qmax)
        l->st.qmax = q;
    if (l->qh) {
        l->head_bits = (l->qh->len + l->overhead) * 8.0;
        l->served_at = t;
    }
    serve_next(l);
    wire(l, p, t);
}
void set_rate(struct link *l, double rate)
{
    if (l->qh && l->rate > 0)
        l->head_bits = fmax(0, l->head_bits - (double)(now - l->served_at) * 1e-9 * l->rate);
    l->served_at = now;
    l->rate = rate;
    if (rate > 0)
        l->qrate = rate;
    if (rate < 0)
        while (l->qh)
            serve_done(l, now);
    serve_next(l);
}
void trace_step(struct link *l)
{
    set_rate(l, l->tr[l->tri].rate);
    if (++l->tri == l->ntr) {
        if (!l->tloop || l->ntr < 2)
            return;
        l->tbase += l->tr[l->ntr - 1].t; /* the last line ends the period */
        set_rate(l, l->tr[0].rate);
        l->tri = 1;
    }
    ev_push(l->tbase + l->tr[l->tri].t, E_TRACE, l, NULL, l->tgen);
}
void trace_start(struct link *l)
{
    l->tgen++;
    l->tri = 0;
    l->tbase = now;
    if (l->ntr)
        ev_push(now + l->tr[0].t, E_TRACE, l, NULL, l->tgen);
}

void link_send(struct link *l, struct pkt *p)
{
    l->st.in_p++;
    l->st.in_b += (uint64_t)p->len;
    p->t_in = now;
    if (l->mtu && p->len > l->mtu) { /* a PMTU black hole */
        l->st.dm++;
        free(p);
        return;
    }
    if (l->rate < 0) {
        wire(l, p, now);
        return;
    }
    int size = p->len + l->overhead;
    if (l->qh) {
        double bits = (double)l->qbytes * 8; /* what is still to be sent */
        double drain;
        if (l->rate > 0)
            bits -= (l->qh->len + l->overhead) * 8.0 -
                    fmax(0, l->head_bits - (double)(now - l->served_at) * 1e-9 * l->rate);
        drain = (bits + size * 8.0) / l->qrate * 1e9;
        if (l->qmode == Q_NS      ? drain > l->qlimit
            : l->qmode == Q_BYTES ? l->qbytes + size > l->qlimit
                                  : l->qpkts + 1 > l->qlimit) {
            l->st.dq++;
            free(p);
            return;
        }
        if (l->ecn && drain > (double)l->ecn) { /* mark ECT packets CE */
            if (p->d[0] >> 4 == 4 && (p->d[1] & 3)) {
                uint8_t nw[2] = { p->d[0], p->d[1] | 3 };
                csum_adj(p->d + 10, p->d, nw, 2);
                p->d[1] |= 3;
                l->st.ce++;
            } else if (p->d[0] >> 4 == 6 && (p->d[1] & 0x30)) {
                p->d[1] |= 0x30;
                l->st.ce++;
            }
        }
    }
    p->next = NULL;
    if (l->qt)
        l->qt->next = p;
    l->qt = p;
    l->qpkts++;
    l->qbytes += size;
    if (!l->qh) {
        l->qh = p;
        l->head_bits = size * 8.0;
        l->served_at = now;
        serve_next(l);
    }
}
