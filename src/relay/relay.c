/* The life of a relay: made, told the time and the operator's wishes, asked for its figures, checked, freed. */
#include "relay/relay.h"

#include <assert.h>
#include <stdlib.h>

#include "relay/relay_internal.h"

enum { ALLOC_MAX_DEFAULT = 65536, BURST_BYTES_MIN = 64 * 1024 };

static const pl_relay_policy no_policy;

/* ---- new, free ---- */

static void init_tables(pl_relay *r, int64_t now_us)
{
    uint8_t key[16];
    pl_rand_bytes(&r->rand, key, sizeof key);
    relay_tuples_init(&r->tuples, key);
    pl_hash_init(&r->ids, r->max_alloc, key);
    pl_hash_init(&r->tokens, r->max_alloc, key);
    pl_hash_init(&r->links, r->max_alloc, key);
    relay_wheel_init(&r->wheel, now_us);
    pl_list *lists[] = { &r->all,        &r->conns,      &r->ports,     &r->news,
                         &r->work_ports, &r->work_links, &r->work_conns };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        pl_list_init(lists[i]);
    pl_rand_bytes(&r->rand, r->indication_id, sizeof r->indication_id);
    /* Shared by all relays, so that what one has counted or indexed holds in another. */
    memcpy(r->shared_key, relay_shared_secret(r->shared), sizeof r->shared_key);
    r->peers_seed = pl_siphash(r->shared_key, "peers", 5);
    r->batch = 1;
}

pl_err pl_relay_new(pl_relay **out, const pl_relay_conf *conf, int64_t now_us)
{
    *out = NULL;
    if (!conf->shared || conf->thread >= PL_RELAY_THREADS_MAX)
        return PL_EINVAL;
    pl_relay *r = calloc(1, sizeof *r);
    if (!r)
        return PL_ENOMEM;
    r->shared = conf->shared;
    r->auth = conf->auth;
    r->rand = conf->rand;
    r->thread = conf->thread;
    r->ip4 = conf->ip4 || !conf->ip6;
    r->ip6 = conf->ip6;
    r->tcp_allowed = conf->tcp;
    r->mobility = conf->mobility;
    r->max_alloc = conf->max_allocations ? conf->max_allocations : ALLOC_MAX_DEFAULT;
    r->now_us = now_us;
    r->wall_offset_us = conf->wall_us - now_us;
    if (conf->software)
        (void)pl_str_copy(pl_str_of(conf->software), r->software, sizeof r->software);
    pl_stun_server_init(&r->plain, NULL);
    r->binding = conf->binding ? conf->binding : &r->plain;
    pl_log_name(&r->log, "relay", conf->log_id);
    init_tables(r, now_us);
    pl_relay_set_policy(r, conf->policy);
    *out = r;
    return PL_OK;
}

static void free_allocs(pl_relay *r)
{
    PL_EACH (n, &r->all) {
        relay_alloc *a = pl_of(n, relay_alloc, in_all);
        relay_alloc_end(r, a, PL_RELAY_WHY_NONE);
    }
    pl_relay_event event;
    while (pl_relay_poll_event(r, &event))
        ;
}

void pl_relay_free(pl_relay *r)
{
    if (!r)
        return;
    free_allocs(r);
    PL_EACH (n, &r->work_links)
        relay_link_free(r, pl_of(n, pl_relay_link, in_work));
    PL_EACH (n, &r->conns)
        free(pl_of(n, pl_relay_conn, in_all));
    for (size_t i = 0; i < r->tokens.n_buckets; i++)
        while (r->tokens.bucket[i])
            relay_reservation_end(r, pl_of(r->tokens.bucket[i], relay_reservation, in_tokens));
    for (pl_node *n; (n = pl_list_first(&r->ports));)
        relay_port_free(pl_of(n, pl_relay_port, in_all));
    relay_tuples_clear(&r->tuples);
    pl_hash_clear(&r->ids);
    pl_hash_clear(&r->tokens);
    pl_hash_clear(&r->links);
    pl_wipe(r->bytes, sizeof r->bytes);
    free(r);
}

/* ---- time ---- */

static void alloc_timer(pl_relay *r, relay_alloc *a)
{
    if (relay_alloc_standing(r, a)) /* it has been refreshed meanwhile */
        relay_alloc_until(r, a, a->end_us);
}

void pl_relay_tick(pl_relay *r, int64_t now_us)
{
    r->now_us = now_us;
    for (relay_timer *t; (t = relay_wheel_fire(&r->wheel, now_us));) {
        switch ((relay_timer_kind)t->kind) {
        case RELAY_TIMER_ALLOC: alloc_timer(r, pl_of(t, relay_alloc, timer)); break;
        case RELAY_TIMER_RESERVATION: relay_reservation_end(r, pl_of(t, relay_reservation, timer)); break;
        case RELAY_TIMER_LINK: relay_link_expired(r, pl_of(t, pl_relay_link, timer)); break;
        }
    }
}

int64_t pl_relay_next_us(const pl_relay *r)
{
    return relay_wheel_next_us(&r->wheel);
}

/* ---- the operator ---- */

void pl_relay_set_wall(pl_relay *r, int64_t now_us, int64_t wall_us)
{
    r->wall_offset_us = wall_us - now_us;
}

void pl_relay_set_policy(pl_relay *r, const pl_relay_policy *policy)
{
    const pl_relay_policy *p = r->policy = policy ? policy : &no_policy;
    r->ns_per_byte16 = 0;
    if (!p->bytes_per_s)
        return;
    uint32_t burst = p->burst_bytes ? p->burst_bytes : p->bytes_per_s / 2;
    if (!p->burst_bytes && burst < BURST_BYTES_MIN)
        burst = BURST_BYTES_MIN;
    r->ns_per_byte16 = (UINT64_C(1000000000) << 16) / p->bytes_per_s;
    r->burst_ns = (int64_t)((double)burst * 1e9 / p->bytes_per_s);
}

void pl_relay_set_auth(pl_relay *r, const pl_stun_auth *auth)
{
    r->auth = auth;
}

/* All allocations are visited, once: a drain is asked for once in a relay's life. */
void pl_relay_drain(pl_relay *r, int64_t now_us, int64_t until_us, const pl_addr *alternate,
                    size_t n_alternate)
{
    r->now_us = now_us;
    r->draining = true;
    r->drain_us = until_us;
    for (size_t i = 0; i < 2; i++)
        r->alternate[i] = i < n_alternate ? alternate[i] : (pl_addr){ 0 };
    PL_EACH (n, &r->all) {
        relay_alloc *a = pl_of(n, relay_alloc, in_all);
        if (a->end_us > until_us)
            relay_alloc_until(r, a, until_us);
    }
}

bool pl_relay_is_empty(const pl_relay *r)
{
    return r->n_alloc == 0 && r->tokens.n == 0;
}

/* ---- figures ---- */

const pl_relay_counters *pl_relay_count(const pl_relay *r)
{
    return &r->count;
}

const char *pl_relay_drop_str(unsigned reason)
{
    static const char *const name[PL_RELAY_DROP_REASONS] = { "malformed",  "stranger",
                                                             "no_channel", "no_permission",
                                                             "bandwidth",  "unauthenticated_rate",
                                                             "too_long",   "busy" };
    return reason < PL_RELAY_DROP_REASONS ? name[reason] : "unknown";
}

const char *pl_relay_transport_str(unsigned transport)
{
    static const char *const name[PL_RELAY_TRANSPORTS] = { "udp", "tcp", "tls", "dtls" };
    return transport < PL_RELAY_TRANSPORTS ? name[transport] : "unknown";
}

/* ---- invariants ---- */

static void check_alloc(const pl_relay *r, const relay_alloc *a)
{
    assert(!a->dead && a->timer.back && a->timer_us <= a->end_us);
    assert(a->n_links <= PL_RELAY_LINKS_MAX && (a->tcp || a->n_links == 0));
    assert(!a->tabled || relay_tuples_find(&r->tuples, &a->client) == a);
    assert(!(a->tabled && a->conn) && (a->tabled || a->conn || a->mobile));
    assert(!a->conn || a->conn->alloc == a);
    assert(a->pending || a->port[0] || a->port[1]);
    assert(!a->mobile || relay_alloc_by_id(r, a->id) == a);
    for (int i = 0; i < 2; i++) {
        const pl_relay_port *p = a->port[i];
        assert(!p || (p->owner == a && relay_side(p->family) == i));
        assert(!p || p->state == RELAY_PORT_OPEN || (a->pending && p->state == RELAY_PORT_OPENING));
    }
    relay_peers_check(&a->peers, r->peers_seed);
}

static size_t check_links(const relay_alloc *a)
{
    size_t n = 0;
    for (const pl_node *at = a->links.next; at != &a->links; at = at->next, n++) {
        const pl_relay_link *l = pl_of(at, pl_relay_link, in_alloc);
        assert(l->alloc == a && l->state != RELAY_LINK_CLOSING);
        assert((l->timer.back != NULL) == (l->state != RELAY_LINK_SPLICED));
        assert((l->conn != NULL) == (l->state == RELAY_LINK_SPLICED) && (!l->conn || l->conn->link == l));
    }
    assert(n == a->n_links);
    return n;
}

void pl_relay_check(const pl_relay *r)
{
    size_t n = 0, n_tabled = 0, n_mobile = 0, n_links = 0, n_dead = 0;
    uint64_t now[PL_RELAY_TRANSPORTS] = { 0 };
    for (const pl_node *at = r->all.next; at != &r->all; at = at->next, n++) {
        const relay_alloc *a = pl_of(at, relay_alloc, in_all);
        check_alloc(r, a);
        n_tabled += a->tabled;
        n_mobile += a->mobile;
        n_links += check_links(a);
        if (a->tabled || a->conn)
            now[a->transport]++;
    }
    for (const pl_node *at = r->news.next; at != &r->news; at = at->next)
        n_dead += pl_of(at, relay_alloc, in_news)->dead;
    assert(n == r->n_alloc && n + r->n_dead <= r->max_alloc && n_dead == r->n_dead);
    assert(n_tabled == r->tuples.n && n_mobile == r->ids.n && n_links == r->links.n);
    assert(memcmp(now, r->count.now, sizeof now) == 0);
    assert(r->n_tx <= RELAY_TX_MAX && r->n_dgrams <= RELAY_DGRAMS_MAX && r->n_bytes <= RELAY_BYTES_MAX);
}
