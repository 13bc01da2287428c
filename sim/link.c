#include "sim/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/time.h"

typedef struct packet {
    pl_heap_node in_flight;
    pl_path path;
    size_t len;
    uint8_t data[];
} packet;

struct sim_link {
    sim_net net;
    pl_rand_seeded state;
    pl_rand rand;
    pl_heap flight;
    int64_t free_at_us; /* when the transmitter has sent all it holds */
    int64_t last_at_us; /* latest arrival so far: jitter must not reorder */
    int64_t dark_until_us, stalled_until_us, burst_until_us;
    sim_link_stats stats;
};

sim_link *sim_link_new(const sim_net *net, uint64_t seed)
{
    sim_link *l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->net = *net;
    l->rand = pl_rand_seed(&l->state, seed);
    return l;
}

void sim_link_free(sim_link *l)
{
    if (!l)
        return;
    for (pl_heap_node *n; (n = pl_heap_first(&l->flight));) {
        pl_heap_remove(&l->flight, n);
        free(pl_of(n, packet, in_flight));
    }
    free(l);
}

void sim_link_set(sim_link *l, const sim_net *net)
{
    l->net = *net;
}

void sim_link_blackout(sim_link *l, int64_t until_us)
{
    l->dark_until_us = until_us;
}

static bool chance(sim_link *l, double p)
{
    return p > 0 && pl_rand_u32(&l->rand) < p * 4294967296.0;
}

static void launch(sim_link *l, int64_t at_us, const pl_path *path, const void *data, size_t len)
{
    packet *p = calloc(1, sizeof *p + len);
    if (!p)
        abort();
    if (path)
        p->path = *path;
    p->len = len;
    if (len)
        memcpy(p->data, data, len);
    if (len && chance(l, l->net.corrupt)) {
        p->data[pl_rand_below(&l->rand, (uint32_t)len)] ^= (uint8_t)(1 + pl_rand_below(&l->rand, 255));
        l->stats.n_corrupted++;
    }
    pl_heap_set(&l->flight, &p->in_flight, at_us);
}

static int64_t spell(sim_link *l, int64_t now_us, int64_t most_us)
{
    return now_us + pl_rand_below(&l->rand, (uint32_t)most_us + 1);
}

static bool lost(sim_link *l, int64_t now_us, size_t len)
{
    const sim_net *net = &l->net;
    if (now_us < l->dark_until_us || chance(l, net->loss) || (net->mtu && len > net->mtu))
        return true;
    if (now_us >= l->burst_until_us && chance(l, net->burst))
        l->burst_until_us = spell(l, now_us, net->burst_us);
    return net->burst > 0 && now_us < l->burst_until_us && chance(l, 0.75);
}

void sim_link_send(sim_link *l, int64_t now_us, const pl_path *path, const void *data, size_t len)
{
    const sim_net *net = &l->net;
    l->stats.n_sent++;
    if (lost(l, now_us, len)) {
        l->stats.n_lost++;
        return;
    }
    if (now_us >= l->stalled_until_us && chance(l, net->stall))
        l->stalled_until_us = spell(l, now_us, net->stall_us);
    int64_t at_us = now_us;
    if (net->rate_bps > 0) {
        int64_t start_us = pl_max_us(now_us, l->free_at_us);
        int64_t waiting_bytes = (start_us - now_us) * net->rate_bps / 8000000;
        size_t limit = net->queue_bytes ? net->queue_bytes : 256 * 1024;
        if ((size_t)waiting_bytes + len > limit) {
            l->stats.n_dropped++;
            return;
        }
        l->free_at_us = start_us + (int64_t)len * 8000000 / net->rate_bps;
        at_us = l->free_at_us;
    }
    at_us += net->delay_us;
    if (net->jitter_us > 0)
        at_us += pl_rand_below(&l->rand, (uint32_t)net->jitter_us + 1);
    if (net->stall > 0)
        at_us = pl_max_us(at_us, l->stalled_until_us);
    if (at_us <= l->last_at_us)
        at_us = l->last_at_us + 1; /* the heap keeps no order among equals */
    l->last_at_us = at_us;
    if (chance(l, net->reorder))
        at_us += net->reorder_us ? net->reorder_us : PL_MS(10);
    launch(l, at_us, path, data, len);
    if (chance(l, net->duplicate)) {
        l->stats.n_duplicated++;
        launch(l, at_us + 1, path, data, len);
    }
}

bool sim_link_recv(sim_link *l, int64_t now_us, pl_path *path, void *data, size_t cap, size_t *len)
{
    pl_heap_node *n = pl_heap_first(&l->flight);
    if (!n || n->at_us > now_us)
        return false;
    packet *p = pl_of(n, packet, in_flight);
    pl_heap_remove(&l->flight, n);
    if (p->len > cap)
        abort();
    if (path)
        *path = p->path;
    memcpy(data, p->data, p->len);
    *len = p->len;
    l->stats.n_delivered++;
    l->stats.bytes_delivered += p->len;
    free(p);
    return true;
}

int64_t sim_link_next_us(const sim_link *l)
{
    pl_heap_node *n = pl_heap_first(&l->flight);
    return n ? n->at_us : PL_NEVER;
}

const sim_link_stats *sim_link_get_stats(const sim_link *l)
{
    return &l->stats;
}
