/* events.c - what happens when, and what is counted. */
#include <stdlib.h>

#include "natbox.h"

struct ev {
    ns_t t;
    uint64_t seq; /* equal times: in the order they were made */
    enum event type;
    void *p, *q;
    uint64_t gen;
};
static struct ev *heap;
static int nheap, cheap;
static uint64_t evseq;
static ns_t lag_max;

static bool ev_lt(const struct ev *a, const struct ev *b)
{
    return a->t != b->t ? a->t < b->t : a->seq < b->seq;
}
void ev_push(ns_t t, enum event type, void *p, void *q, uint64_t gen)
{
    if (nheap == cheap) {
        cheap = cheap ? 2 * cheap : 1024;
        heap = realloc(heap, (size_t)cheap * sizeof *heap);
        if (!heap)
            die("out of memory");
    }
    struct ev e = { t, evseq++, type, p, q, gen };
    int i = nheap++;
    for (; i && ev_lt(&e, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = e;
}
ns_t ev_next(void)
{
    return nheap ? heap[0].t : UINT64_MAX;
}

static struct ev ev_pop(void)
{
    struct ev top = heap[0], e = heap[--nheap];
    int i = 0;
    for (int c; (c = 2 * i + 1) < nheap; i = c) {
        if (c + 1 < nheap && ev_lt(&heap[c + 1], &heap[c]))
            c++;
        if (!ev_lt(&heap[c], &e))
            break;
        heap[i] = heap[c];
    }
    heap[i] = e;
    return top;
}

void stats_open(const char *path)
{
    statf = open_lines(path);
    fputs("time_s,node,dir,rate_kbps,in_pkts,in_bytes,out_pkts,out_bytes,drop_queue,drop_loss,drop_mtu,dup,"
          "reorder,ecn_ce,qdelay_avg_ms,qdelay_max_ms,queue_bytes,lag_max_us,tun_drops\n",
          statf);
}

static void stats_line(ns_t t, struct node *n, const struct link *l)
{
    const struct stats *s = &l->st;
    fprintf(statf, "%.3f,%s,%s,%.0f,", (double)(t - t0) / 1e9, n->name, l->dir == DOWN ? "down" : "up",
            l->rate < 0 ? -1 : l->rate / 1e3);
    const uint64_t counts[] = { s->in_p, s->in_b, s->out_p, s->out_b, s->dq,
                                s->dl,   s->dm,   s->dup,   s->reord, s->ce };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        fprintf(statf, "%llu,", (unsigned long long)counts[i]);
    fprintf(statf, "%.3f,%.3f,%lld,%.0f,%llu\n", s->qn ? (double)s->qsum / 1e6 / (double)s->qn : 0,
            (double)s->qmax / 1e6, (long long)l->qbytes, (double)lag_max / 1e3,
            (unsigned long long)(l->dir == DOWN ? 0 : tun_drops(n)));
}

void stats_row(ns_t t)
{
    maps_expire(&nodes[0], false);
    for (int i = 1; i < nnodes; i++) {
        if (nodes[i].kind == K_NAT)
            maps_expire(&nodes[i], false);
        for (int d = 0; d < 2; d++) {
            struct link *l = &nodes[i].link[d];
            if (statf)
                stats_line(t, &nodes[i], l);
            l->st = (struct stats){ 0 };
        }
    }
    lag_max = 0;
}

void run_events(void)
{
    while (nheap && heap[0].t <= now) {
        struct ev e = ev_pop();
        struct link *l = e.p;
        if (e.type <= E_DELIVER && now - e.t > lag_max)
            lag_max = now - e.t;
        switch (e.type) {
        case E_SERVE:
            if (e.gen == l->gen)
                serve_done(l, e.t);
            break;
        case E_DELIVER: deliver(l, e.q); break;
        case E_TRACE:
            if (e.gen == l->tgen)
                trace_step(l);
            break;
        case E_STMT:
            note("at: %s", (char *)e.p);
            stmt(e.p);
            break;
        case E_STATS:
            stats_row(e.t);
            ev_push(e.t + stats_every, E_STATS, NULL, NULL, 0);
            break;
        }
    }
}
