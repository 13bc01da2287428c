/* The life of an allocation: made, placed under a client, moved, ended, told about. */
#include <assert.h>
#include <stdlib.h>

#include "relay/relay_internal.h"

relay_alloc *relay_alloc_new(pl_str user)
{
    relay_alloc *a = calloc(1, sizeof *a + user.n + 1);
    if (!a)
        return NULL;
    if (user.n)
        memcpy(a->user, user.p, user.n);
    pl_list_init(&a->links);
    return a;
}

void relay_alloc_free(relay_alloc *a)
{
    if (!a)
        return;
    relay_peers_clear(&a->peers);
    pl_wipe(&a->known, sizeof a->known);
    free(a);
}

/* ---- under its client ---- */

pl_err relay_alloc_place(pl_relay *r, relay_alloc *a, const relay_ask *ask)
{
    if (!ask->conn) {
        pl_err err = relay_tuples_reserve(&r->tuples);
        if (err)
            return err;
    }
    relay_alloc_displace(r, a);
    a->client = *ask->path;
    a->sock = ask->sock;
    a->conn = ask->conn;
    a->transport = ask->conn ? ask->conn->transport : PL_RELAY_UDP;
    if (a->conn)
        a->conn->alloc = a;
    else
        relay_tuples_insert(&r->tuples, a);
    a->tabled = !a->conn;
    r->count.now[a->transport]++;
    return PL_OK;
}

void relay_alloc_displace(pl_relay *r, relay_alloc *a)
{
    if (a->tabled)
        relay_tuples_remove(&r->tuples, a);
    if (a->conn)
        a->conn->alloc = NULL;
    if (a->tabled || a->conn)
        r->count.now[a->transport]--;
    a->tabled = false;
    a->conn = NULL;
    a->sock = NULL;
}

/* ---- in its relay ---- */

/* Only an earlier end moves the timer; it finds out about a later one when it fires. */
void relay_alloc_until(pl_relay *r, relay_alloc *a, int64_t end_us)
{
    a->end_us = end_us;
    if (a->timer.back && a->timer_us <= end_us)
        return;
    a->timer.kind = RELAY_TIMER_ALLOC;
    a->timer_us = end_us;
    relay_wheel_set(&r->wheel, &a->timer, r->now_us, end_us);
}

pl_err relay_alloc_enter(pl_relay *r, relay_alloc *a)
{
    if (a->mobile) {
        pl_err err = pl_hash_insert(&r->ids, &a->in_ids, &a->id, sizeof a->id);
        if (err)
            return err;
    }
    pl_list_push_back(&r->all, &a->in_all);
    r->n_alloc++;
    relay_alloc_until(r, a, a->end_us);
    if (a->news)
        pl_list_push_back(&r->news, &a->in_news);
    return PL_OK;
}

void relay_alloc_leave(pl_relay *r, relay_alloc *a)
{
    relay_alloc_displace(r, a);
    if (a->mobile)
        pl_hash_remove(&r->ids, &a->in_ids);
    relay_wheel_stop(&r->wheel, &a->timer);
    pl_list_remove(&a->in_all);
    pl_list_remove(&a->in_news);
    r->n_alloc--;
}

relay_alloc *relay_alloc_by_id(const pl_relay *r, uint64_t id)
{
    for (pl_hash_node *n = pl_hash_find(&r->ids, &id, sizeof id); n; n = pl_hash_next(n)) {
        relay_alloc *a = pl_of(n, relay_alloc, in_ids);
        if (a->id == id)
            return a;
    }
    return NULL;
}

void relay_tell(pl_relay *r, relay_alloc *a, uint8_t news)
{
    a->news |= news;
    if (!pl_node_linked(&a->in_news))
        pl_list_push_back(&r->news, &a->in_news);
}

/* Whoever holds the pointer must let go of it: without news it is freed at once. */
void relay_alloc_end(pl_relay *r, relay_alloc *a, pl_relay_why why)
{
    PL_EACH (n, &a->links)
        relay_link_end(r, pl_of(n, pl_relay_link, in_alloc));
    for (int i = 0; i < 2; i++)
        if (a->port[i])
            relay_port_close(r, a->port[i]);
    a->port[0] = a->port[1] = NULL;
    relay_alloc_leave(r, a);
    relay_shared_give(r->shared, a->user_key, a->client_key);
    relay_peers_clear(&a->peers);
    a->dead = true;
    if (a->pending) { /* nobody has heard of it */
        relay_alloc_free(a);
        return;
    }
    r->count.ended++;
    r->n_dead++;
    a->why = (uint8_t)why;
    relay_tell(r, a, RELAY_NEWS_ENDED);
}

static pl_relay_why why_over(const pl_relay *r, const relay_alloc *a)
{
    return r->draining && a->end_us >= r->drain_us ? PL_RELAY_WHY_DRAINED : PL_RELAY_WHY_EXPIRED;
}

/* Its time may be over before its second is: then it ends here. */
relay_alloc *relay_alloc_standing(pl_relay *r, relay_alloc *a)
{
    if (!a || a->end_us > r->now_us)
        return a;
    relay_alloc_end(r, a, why_over(r, a));
    return NULL;
}

/* ---- events ---- */

const char *pl_relay_why_str(pl_relay_why why)
{
    switch (why) {
    case PL_RELAY_WHY_EXPIRED: return "expired";
    case PL_RELAY_WHY_CLIENT: return "ended by the client";
    case PL_RELAY_WHY_DISCONNECTED: return "client disconnected";
    case PL_RELAY_WHY_DRAINED: return "drained";
    default: return "none";
    }
}

static void fill_event(const relay_alloc *a, pl_relay_event *out)
{
    *out = (pl_relay_event){ .id = a->id,
                             .transport = (pl_relay_transport)a->transport,
                             .tcp = a->tcp,
                             .user = a->user,
                             .client = a->client,
                             .since_us = a->since_us,
                             .usage = a->usage };
    out->relayed[0] = a->relayed[0];
    out->relayed[1] = a->relayed[1];
}

bool pl_relay_poll_event(pl_relay *r, pl_relay_event *out)
{
    relay_alloc_free(r->told);
    r->told = NULL;
    pl_node *n = pl_list_first(&r->news);
    if (!n)
        return false;
    relay_alloc *a = pl_of(n, relay_alloc, in_news);
    fill_event(a, out);
    if (a->news & RELAY_NEWS_ALLOCATED) {
        out->kind = PL_RELAY_ALLOCATED;
        a->news &= (uint8_t)~RELAY_NEWS_ALLOCATED;
    } else if (a->news & RELAY_NEWS_MOVED) {
        out->kind = PL_RELAY_MOVED;
        a->news &= (uint8_t)~RELAY_NEWS_MOVED;
    } else {
        assert(a->dead && a->news == RELAY_NEWS_ENDED);
        out->kind = PL_RELAY_ENDED;
        out->why = (pl_relay_why)a->why;
        a->news = 0;
        r->told = a;
        r->n_dead--;
    }
    if (!a->news)
        pl_list_remove(&a->in_news);
    return true;
}
