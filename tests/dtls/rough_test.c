/* Handshakes over bad networks, through junk and forgery, thousands of them in virtual time. */
#include "pl_test.h"

#include "base/bytes.h"
#include "dtls/pair.h"

enum { SEEDS = 150 };

static uint64_t first_seed(void)
{
    return pl_test_seed(1);
}

static void same_keys(pair *p)
{
    pl_srtp_keys ka, kb;
    PL_EQ(pl_dtls_export_srtp(p->a.d, &ka), PL_OK);
    PL_EQ(pl_dtls_export_srtp(p->b.d, &kb), PL_OK);
    PL_MEMEQ(&ka.local, &kb.remote, sizeof ka.local);
    PL_MEMEQ(&ka.remote, &kb.local, sizeof ka.local);
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void data_flows(pair *p)
{
    p->a.n_data = p->b.n_data = 0;
    sim_link_set(p->a.to_peer, &(sim_net){ 0 });
    sim_link_set(p->b.to_peer, &(sim_net){ 0 });
    pair_run(p, PL_MS(500)); /* what was under way arrives */
    for (int i = 0; i < 10; i++) {
        pair_send(p, &p->a, "to the server", 13);
        pair_send(p, &p->b, "to the client", 13);
    }
    pair_run(p, PL_MS(10));
    PL_EQ(p->b.n_data, 10);
    PL_EQ(p->a.n_data, 10);
}

PL_TEST(connects_over_bad_networks)
{
    static int64_t took[SEEDS];
    for (uint64_t i = 0; i < SEEDS; i++) {
        uint64_t seed = first_seed() + i;
        pl_rand_seeded s;
        pl_rand r = pl_rand_seed(&s, seed);
        sim_net net = { .delay_us = pl_rand_below(&r, 100000),
                        .jitter_us = pl_rand_below(&r, 20000),
                        .loss = pl_rand_below(&r, 31) / 100.0,
                        .duplicate = pl_rand_below(&r, 30) / 100.0,
                        .reorder = pl_rand_below(&r, 30) / 100.0 };
        pair p;
        pair_new(&p, &net, seed);
        pair_introduce(&p);
        pair_start(&p);
        if (!pair_connect(&p, PL_SEC(40)))
            fail_msg("no connection, PL_SEED=%llu (%s / %s)", (unsigned long long)seed, p.a.event.reason,
                     p.b.event.reason);
        took[i] = p.now_us;
        same_keys(&p);
        data_flows(&p);
        pair_free(&p);
    }
    qsort(took, SEEDS, sizeof took[0], by_size);
    print_message("connected after: median %lld ms, 95 %% %lld ms, worst %lld ms\n",
                  (long long)took[SEEDS / 2] / 1000, (long long)took[SEEDS * 95 / 100] / 1000,
                  (long long)took[SEEDS - 1] / 1000);
    PL_LE(took[SEEDS / 2], PL_SEC(1));
    PL_LE(took[SEEDS * 95 / 100], PL_SEC(5));
}

/* The first datagrams are lost, one more each time: every flight is retransmitted, at every depth. */
static void lose_first_copies(void *user, pair *p, end *to, uint8_t *pkt, size_t len)
{
    size_t *lost = user;
    (void)p, (void)to;
    if (*lost > 0) {
        (*lost)--;
        memset(pkt, 0, len);
    }
}

PL_TEST(each_flight_is_retransmitted)
{
    for (size_t lost = 0; lost <= 16; lost++) {
        pair p;
        size_t left = lost;
        pair_new(&p, &(sim_net){ 0 }, 1);
        p.spy = lose_first_copies;
        p.spy_user = &left;
        pair_introduce(&p);
        pair_start(&p);
        PL_OKAY(pair_connect(&p, PL_SEC(30)));
        PL_EQ(p.now_us < PL_MS(50), lost == 0);
        same_keys(&p);
        data_flows(&p);
        pair_free(&p);
    }
}

/* The server's last flight is lost again and again: each repeated Finished brings it anew. */
static void lose_server_end(void *user, pair *p, end *to, uint8_t *pkt, size_t len)
{
    int *left = user;
    if (to == &p->a && len > 0 && pkt[0] == 20 && *left > 0) {
        (*left)--;
        memset(pkt, 0, len);
    }
}

PL_TEST(the_last_flight_is_repeated)
{
    pair p;
    int left = 5;
    pl_dtls_info info;
    pair_new(&p, &(sim_net){ .delay_us = 5000 }, 1);
    p.spy = lose_server_end;
    p.spy_user = &left;
    pair_introduce(&p);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(30)));
    PL_EQ(left, 0);
    pl_dtls_get_info(p.b.d, &info);
    PL_EQ(info.n_retransmits, 5);
    data_flows(&p);
    pair_free(&p);
}

PL_TEST(trickled_in_any_order)
{
    for (uint64_t i = 0; i < SEEDS; i++) {
        uint64_t seed = first_seed() + i;
        pl_rand_seeded s;
        pl_rand r = pl_rand_seed(&s, seed);
        pair p;
        int todo[6] = { 0, 1, 2, 3, 4, 5 };
        pair_new(&p, &(sim_net){ .delay_us = 20000, .loss = 0.1 }, seed);
        p.a.mute = p.b.mute = true;
        for (int n = 6; n > 0; n--) {
            int k = (int)pl_rand_below(&r, (uint32_t)n), what = todo[k];
            todo[k] = todo[n - 1];
            end *e = what % 2 ? &p.a : &p.b;
            switch (what / 2) {
            case 0:
                PL_EQ(pl_dtls_start(e->d, p.now_us, e == &p.a ? PL_DTLS_CLIENT : PL_DTLS_SERVER), PL_OK);
                break;
            case 1:
                PL_EQ(pl_dtls_set_remote(e->d, p.now_us, pl_cert_fingerprint(pl_dtls_ctx_cert(e->peer->ctx)),
                                         1),
                      PL_OK);
                break;
            case 2: e->mute = false; break;
            }
            pair_run(&p, pl_rand_below(&r, 1000000));
        }
        if (!pair_connect(&p, PL_SEC(20)))
            fail_msg("no connection, PL_SEED=%llu", (unsigned long long)seed);
        same_keys(&p);
        pair_free(&p);
    }
}

typedef struct enemy {
    pl_rand_seeded seeded;
    pl_rand rand;
    size_t n;
} enemy;

static void put_header(uint8_t *at, uint8_t type, uint16_t epoch, uint64_t seq, size_t len)
{
    at[0] = type;
    pl_put16(at + 1, 0xfefd);
    pl_put64(at + 3, (uint64_t)epoch << 48 | seq);
    pl_put16(at + 11, (uint16_t)len);
}

/* Beside every real datagram: noise, cut ones, alerts, application data and handshake nonsense in clear. */
static void junk(void *user, pair *p, end *to, uint8_t *pkt, size_t len)
{
    enemy *e = user;
    uint8_t bad[1500];
    for (int i = 0; i < 8; i++) {
        size_t n = 1 + pl_rand_below(&e->rand, 300);
        pl_rand_bytes(&e->rand, bad, n + 13);
        switch (i) {
        case 0: bad[0] = (uint8_t)(20 + pl_rand_below(&e->rand, 44)); break;
        case 1:
            put_header(bad, 21, 0, 1 + e->n, 2);
            bad[13] = 2;
            n = 2;
            break;
        case 2: put_header(bad, 23, 0, 1 + e->n, n); break;
        case 3: put_header(bad, 23, 1, 1 + e->n, n); break;
        case 4: put_header(bad, 22, 1, 5 + e->n, n); break;
        case 5: put_header(bad, 22, 0, 1000 + e->n, n); break;
        case 6: put_header(bad, 20, 0, 2000 + e->n, n); break;
        case 7:
            n = pl_rand_below(&e->rand, (uint32_t)len);
            memcpy(bad, pkt, n);
            n = n > 13 ? n - 13 : 0;
            break;
        }
        e->n++;
        pl_dtls_input(to->d, p->now_us, bad, n + 13);
    }
}

PL_TEST(junk_does_not_kill)
{
    for (uint64_t i = 0; i < SEEDS; i++) {
        enemy e = { .n = 0 };
        pair p;
        uint64_t seed = first_seed() + i;
        pl_dtls_info info;
        e.rand = pl_rand_seed(&e.seeded, seed);
        pair_new(&p, &(sim_net){ .delay_us = 10000, .loss = 0.1, .reorder = 0.1 }, seed);
        p.spy = junk;
        p.spy_user = &e;
        pair_introduce(&p);
        pair_start(&p);
        if (!pair_connect(&p, PL_SEC(30)))
            fail_msg("killed, PL_SEED=%llu (%s / %s)", (unsigned long long)seed, p.a.event.reason,
                     p.b.event.reason);
        same_keys(&p);
        data_flows(&p);
        pl_dtls_get_info(p.b.d, &info);
        PL_GE(info.n_junk, 5);
        pair_free(&p);
    }
}

/* Copies with bits turned over arrive before the real ones. An enemy on the path can end a handshake, as with
 * any TLS; it must not do more. */
static void turn_bits(void *user, pair *p, end *to, uint8_t *pkt, size_t len)
{
    enemy *e = user;
    uint8_t bad[PAIR_DATAGRAM_MAX];
    if (pl_rand_below(&e->rand, 3))
        return;
    memcpy(bad, pkt, len);
    for (int i = 0; i < 2; i++)
        bad[pl_rand_below(&e->rand, (uint32_t)len)] ^= (uint8_t)(1u << pl_rand_below(&e->rand, 8));
    pl_dtls_input(to->d, p->now_us, bad, len);
    pl_dtls_check(to->d);
}

PL_TEST(forgery_ends_in_failure_at_worst)
{
    size_t connected = 0;
    for (uint64_t i = 0; i < SEEDS; i++) {
        enemy e = { .n = 0 };
        pair p;
        e.rand = pl_rand_seed(&e.seeded, first_seed() + i);
        pair_new(&p, &(sim_net){ .delay_us = 10000 }, i);
        p.spy = turn_bits;
        p.spy_user = &e;
        pair_introduce(&p);
        pair_start(&p);
        if (pair_connect(&p, PL_SEC(35))) {
            connected++;
            same_keys(&p);
            data_flows(&p);
        }
        pair_free(&p);
    }
    PL_GE(connected, 1);
}

PL_TEST(a_believed_alert_needs_silence)
{
    static const uint8_t alert[] = { 21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40 };
    pair p;
    pair_new(&p, &(sim_net){ .delay_us = 10000 }, 1);
    pair_introduce(&p);
    PL_EQ(pl_dtls_start(p.a.d, 0, PL_DTLS_CLIENT), PL_OK);
    pair_run(&p, PL_MS(5));
    pl_dtls_input(p.a.d, p.now_us, alert, sizeof alert);
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_CONNECTING);
    pair_run(&p, PL_MS(990));
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_CONNECTING);
    pair_run(&p, PL_MS(20));
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_FAILED);
    PL_STREQ(p.a.event.reason, "handshake: alert of the peer: handshake failure");
    pair_free(&p);

    pair_new(&p, &(sim_net){ .delay_us = 10000 }, 1); /* but one who speaks on is believed more */
    pair_introduce(&p);
    pair_start(&p);
    pair_run(&p, PL_MS(5));
    pl_dtls_input(p.a.d, p.now_us, alert, sizeof alert);
    PL_OKAY(pair_connect(&p, PL_SEC(1)));
    pair_free(&p);
}

PL_TEST(early_packets_are_bounded)
{
    pair p;
    uint8_t flood[4000] = { 22 };
    pl_dtls_info info;
    pair_new(&p, &(sim_net){ 0 }, 1);
    pair_introduce(&p);
    for (int i = 0; i < 1000; i++)
        pl_dtls_input(p.b.d, 0, flood, i % 2 ? 1200 : 4000);
    pl_dtls_get_info(p.b.d, &info);
    PL_EQ(info.n_early_dropped, 1000 - PL_DTLS_EARLY_MAX);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(5)));
    pair_free(&p);
}

PL_TESTS(t(connects_over_bad_networks), t(each_flight_is_retransmitted), t(the_last_flight_is_repeated),
         t(trickled_in_any_order), t(junk_does_not_kill), t(forgery_ends_in_failure_at_worst),
         t(a_believed_alert_needs_silence), t(early_packets_are_bounded))
