#include "dtls/pair.h"

#include "pl_test.h"

pl_cert *test_cert(pl_cert_key key)
{
    pl_cert *c = NULL;
    PL_EQ(pl_cert_new(&c, &(pl_cert_conf){ .key = key, .now_s = 1700000000 }), PL_OK);
    return c;
}

static void end_new(end *e, const sim_net *net, uint64_t seed)
{
    pl_cert *cert = test_cert(PL_CERT_ECDSA_P256);
    PL_EQ(pl_dtls_ctx_new(&e->ctx, cert), PL_OK);
    pl_cert_free(cert);
    PL_EQ(pl_dtls_new(&e->d, &(pl_dtls_conf){ .ctx = e->ctx }, 0), PL_OK);
    e->to_peer = sim_link_new(net, seed);
}

void pair_new(pair *p, const sim_net *net, uint64_t seed)
{
    *p = (pair){ 0 };
    end_new(&p->a, net, 2 * seed);
    end_new(&p->b, net, 2 * seed + 1);
    p->a.peer = &p->b;
    p->b.peer = &p->a;
}

static void know(pair *p, end *e)
{
    const pl_fingerprint *f = pl_cert_fingerprint(pl_dtls_ctx_cert(e->peer->ctx));
    PL_EQ(pl_dtls_set_remote(e->d, p->now_us, f, 1), PL_OK);
}

void pair_introduce(pair *p)
{
    know(p, &p->a);
    know(p, &p->b);
}

void pair_start(pair *p)
{
    PL_EQ(pl_dtls_start(p->b.d, p->now_us, PL_DTLS_SERVER), PL_OK);
    PL_EQ(pl_dtls_start(p->a.d, p->now_us, PL_DTLS_CLIENT), PL_OK);
}

static void drain(pair *p, end *e)
{
    static uint8_t buf[PAIR_DATAGRAM_MAX];
    size_t len;
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    while (!e->mute && pl_dtls_poll_output(e->d, p->now_us, &out)) {
        e->n_sent++;
        if (out.len > e->longest)
            e->longest = out.len;
        sim_link_send(e->to_peer, p->now_us, &(pl_path){ 0 }, buf, out.len);
    }
    while (pl_dtls_poll_data(e->d, e->last, sizeof e->last, &len)) {
        e->last_len = len;
        e->n_data++;
    }
    while (pl_dtls_poll_event(e->d, &e->event))
        e->n_events++;
}

static void deliver(pair *p, end *to)
{
    static uint8_t buf[PAIR_DATAGRAM_MAX];
    size_t len;
    while (sim_link_recv(to->peer->to_peer, p->now_us, NULL, buf, sizeof buf, &len)) {
        if (p->spy)
            p->spy(p->spy_user, p, to, buf, len);
        pl_dtls_input(to->d, p->now_us, buf, len);
        drain(p, to);
    }
}

static bool step(pair *p, int64_t until_us)
{
    drain(p, &p->a);
    drain(p, &p->b);
    int64_t next = pl_min_us(sim_link_next_us(p->a.to_peer), sim_link_next_us(p->b.to_peer));
    next = pl_min_us(next, pl_min_us(pl_dtls_next_us(p->a.d), pl_dtls_next_us(p->b.d)));
    if (next > until_us) {
        p->now_us = until_us;
        return false;
    }
    p->now_us = pl_max_us(p->now_us, next);
    deliver(p, &p->a);
    deliver(p, &p->b);
    pl_dtls_tick(p->a.d, p->now_us);
    pl_dtls_tick(p->b.d, p->now_us);
    return true;
}

void pair_run(pair *p, int64_t for_us)
{
    int64_t until_us = p->now_us + for_us;
    while (step(p, until_us))
        ;
}

static bool both_connected(const pair *p)
{
    return pl_dtls_get_state(p->a.d) == PL_DTLS_CONNECTED && pl_dtls_get_state(p->b.d) == PL_DTLS_CONNECTED;
}

bool pair_connect(pair *p, int64_t for_us)
{
    int64_t until_us = p->now_us + for_us;
    while (!both_connected(p) && step(p, until_us))
        ;
    drain(p, &p->a);
    drain(p, &p->b);
    return both_connected(p);
}

void pair_send(pair *p, end *from, const void *data, size_t len)
{
    static uint8_t buf[PAIR_DATAGRAM_MAX];
    size_t n;
    PL_EQ(pl_dtls_protect(from->d, data, len, buf, sizeof buf, &n), PL_OK);
    PL_LE(n, len + PL_DTLS_OVERHEAD);
    sim_link_send(from->to_peer, p->now_us, &(pl_path){ 0 }, buf, n);
}

static void end_free(end *e)
{
    pl_dtls_free(e->d);
    pl_dtls_ctx_free(e->ctx);
    sim_link_free(e->to_peer);
}

void pair_free(pair *p)
{
    end_free(&p->a);
    end_free(&p->b);
}
