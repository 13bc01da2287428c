/* Rows in, rows out: what offload gives is passed on as it came, what stood apart is put together, nothing is copied,
 * nothing is allocated, and the order within a flow is kept. */
#include <malloc.h>

#include "pl_alloc.h"
#include "pl_test.h"
#include "sim/relay_rig.h"
#include "stun/stream.h"

enum { N_CLIENTS = 4 };

static rig *g;
static rig_client c[N_CLIENTS];
static pl_addr peer;

static void start(void)
{
    rig_conf conf = { .seed = 6, .no_auth = true };
    g = rig_new(&conf);
    PL_OKAY(g != NULL);
    peer = rig_addr("203.0.113.5:7000");
    for (unsigned i = 0; i < N_CLIENTS; i++) {
        c[i] = rig_client_of(g, i);
        PL_EQ(rig_allocate(&c[i]), 0);
        PL_EQ(rig_bind(&c[i], 0x4000, &peer), 0);
    }
    rig_forget(g);
}

static void finish(void)
{
    pl_relay_check(g->core);
    rig_free(g);
}

static size_t put_channel(uint8_t *at, size_t len, uint8_t mark)
{
    pl_stun_channel_put(at, 0x4000, (uint16_t)len);
    memset(at + 4, mark, len);
    return len + 4;
}

PL_TEST(a_row_leaves_as_a_row)
{
    uint8_t data[20 * 104 + 54];
    size_t len = 0;
    start();
    for (uint8_t i = 0; i < 20; i++)
        len += put_channel(data + len, 100, i);
    len += put_channel(data + len, 50, 20); /* the last may be shorter */
    rig_row_from_client(g, &c[0].path, data, len, 104);
    PL_EQ(g->n_queued, 21);
    for (uint8_t i = 0; i < 21; i++) {
        rig_packet p;
        PL_OKAY(rig_take(g, &p));
        PL_EQ(p.n_in_tx, 21);
        PL_EQ(p.len, i < 20 ? 100 : 50);
        PL_EQ(p.data[0], i);
    }
    /* And back. */
    rig_row_from_peer(g, &peer, &c[0].relayed[0], data, 20 * 104 + 54, 104);
    PL_EQ(g->n_queued, 21);
    for (size_t i = 0; i < 21; i++) {
        rig_packet p;
        PL_OKAY(rig_take(g, &p));
        PL_EQ(p.n_in_tx, 21);
        PL_EQ(p.len, i < 20 ? 108 : 58);
        PL_EQ(pl_get16(p.data + 2), p.len - 4);
        PL_MEMEQ(p.data + 4, data + i * 104, p.len - 4);
    }
    finish();
}

PL_TEST(interleaved_flows_are_put_together)
{
    uint8_t data[16][104];
    pl_relay_row row[16];
    start();
    for (uint8_t i = 0; i < 16; i++) {
        (void)put_channel(data[i], 100, i);
        row[i] = (pl_relay_row){ .path = &c[i % N_CLIENTS].path, .data = data[i], .len = 104 };
    }
    PL_EQ(pl_relay_client_input(g->core, g->now_us, g, row, 16), 16);
    rig_drain(g);
    PL_EQ(g->n_queued, 16);
    uint8_t last[N_CLIENTS] = { 0 };
    for (int i = 0; i < 16; i++) {
        rig_packet p;
        PL_OKAY(rig_take(g, &p));
        PL_EQ(p.n_in_tx, 4);
        unsigned flow = p.data[0] % N_CLIENTS;
        PL_OKAY(pl_addr_eq(&p.from, &c[flow].relayed[0]));
        PL_GE(p.data[0], last[flow]);
        last[flow] = p.data[0];
    }
    finish();
}

PL_TEST(the_order_within_a_flow_is_kept_whatever_the_sizes)
{
    static const uint16_t size[] = { 100, 100, 40, 100, 200, 200, 200, 10, 10, 0, 10, 300, 100, 100 };
    enum { N = sizeof size / sizeof *size };
    uint8_t data[N][304];
    pl_relay_row row[N];
    start();
    for (unsigned i = 0; i < N; i++) {
        size_t len = put_channel(data[i], size[i], (uint8_t)i);
        row[i] = (pl_relay_row){ .path = &c[0].path, .data = data[i], .len = len };
    }
    PL_EQ(pl_relay_client_input(g->core, g->now_us, g, row, N), N);
    rig_drain(g);
    PL_EQ(g->n_queued, N);
    for (unsigned i = 0; i < N; i++) {
        rig_packet p;
        PL_OKAY(rig_take(g, &p));
        PL_EQ(p.len, size[i]);
        if (p.len)
            PL_EQ(p.data[0], i);
    }
    finish();
}

PL_TEST(requests_between_data)
{
    uint8_t data[3 * 104], request[256];
    start();
    for (uint8_t i = 0; i < 3; i++)
        (void)put_channel(data + i * 104, 100, i);
    pl_stun_wr s = rig_begin(&c[0], PL_STUN_REFRESH);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, 0);
    size_t len = pl_stun_end(&s);
    memcpy(request, c[0].body, len);
    pl_relay_row row[] = { { .path = &c[0].path, .data = data, .len = 208, .segment = 104 },
                           { .path = &c[0].path, .data = request, .len = len },
                           { .path = &c[0].path, .data = data + 208, .len = 104 } };
    PL_EQ(pl_relay_client_input(g->core, g->now_us, g, row, 3), 3);
    rig_drain(g);
    PL_EQ(g->n_queued, 3); /* two datagrams and the answer; the third came too late */
    PL_EQ(pl_relay_count(g->core)->drop[PL_RELAY_DROP_STRANGER], 1);
    PL_EQ(g->n_open, N_CLIENTS - 1);
    finish();
}

PL_TEST(a_full_batch_takes_no_more_until_it_is_drained)
{
    static uint8_t data[104];
    pl_relay_row row[64];
    start();
    (void)put_channel(data, 100, 1);
    for (int i = 0; i < 64; i++)
        row[i] = (pl_relay_row){ .path = &c[i % N_CLIENTS].path, .data = data, .len = 104 };
    size_t total = 0, n;
    do {
        n = pl_relay_client_input(g->core, g->now_us, g, row, 64);
        total += n;
    } while (n == 64 && total < 100000);
    PL_OKAY(total >= 512 && total < 100000);
    rig_drain(g);
    PL_EQ(g->n_queued, total);
    PL_EQ(pl_relay_client_input(g->core, g->now_us, g, row, 64), 64);
    rig_drain(g);
    PL_EQ(pl_relay_count(g->core)->drop[PL_RELAY_DROP_BUSY], 0);
    finish();
}

PL_TEST(what_no_route_takes_whole_stays_alone)
{
    static uint8_t data[4 * 1600];
    rig_packet p;
    start();
    for (size_t size = 1460; size <= 1480; size += 4) {
        for (size_t i = 0; i < 4; i++)
            (void)put_channel(data + i * (size + 4), size, 1);
        rig_row_from_client(g, &c[0].path, data, 4 * (size + 4), size + 4);
        PL_EQ(g->n_queued, 4);
        PL_OKAY(rig_take(g, &p));
        PL_EQ(p.n_in_tx, size <= 1472 ? 4 : 1);
        rig_forget(g);
        rig_row_from_peer(g, &peer, &c[0].relayed[0], data, 4 * size, size);
        PL_EQ(g->n_queued, 4);
        PL_OKAY(rig_take(g, &p));
        PL_EQ(p.n_in_tx, size + 4 <= 1472 ? 4 : 1);
        rig_forget(g);
    }
    finish();
}

PL_TEST(longer_rows_than_any_kernels_are_cut)
{
    static uint8_t data[500 * 5];
    start();
    for (int i = 0; i < 500; i++)
        (void)put_channel(data + i * 5, 1, (uint8_t)i);
    rig_row_from_client(g, &c[0].path, data, sizeof data, 5);
    PL_EQ(g->n_queued, PL_RELAY_ROW_MAX);
    finish();
}

PL_TEST(data_allocates_nothing)
{
    uint8_t data[32 * 104];
    start();
    for (int i = 0; i < 32; i++)
        (void)put_channel(data + i * 104, 100, 1);
    size_t before = pl_allocs();
    for (int i = 0; i < 100; i++) {
        g->now_us += 1000;
        rig_row_from_client(g, &c[i % N_CLIENTS].path, data, sizeof data, 104);
        rig_row_from_peer(g, &peer, &c[i % N_CLIENTS].relayed[0], data, sizeof data, 104);
        rig_send_indication(&c[0], &peer, data, 100);
        PL_EQ(rig_refresh(&c[i % N_CLIENTS], 600), 0);
        rig_forget(g);
    }
    PL_EQ(pl_allocs() - before, 0);
    finish();
}

/* With everything counted: its tables, its port, and what malloc itself adds. */
PL_TEST(an_idle_allocation_is_less_than_a_kibibyte)
{
    enum { N = 1000 };
    rig_conf conf = { .seed = 7, .no_auth = true };
    g = rig_new(&conf);
    peer = rig_addr("203.0.113.5:7000");
    size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < N; i++) {
        rig_client many = rig_client_of(g, i);
        PL_EQ(rig_allocate(&many), 0);
        PL_EQ(rig_bind(&many, 0x4000, &peer), 0);
        rig_forget(g);
    }
    PL_LE((mallinfo2().uordblks - before) / N, 1024);
    finish();
}

PL_TESTS(t(a_row_leaves_as_a_row), t(interleaved_flows_are_put_together),
         t(the_order_within_a_flow_is_kept_whatever_the_sizes), t(requests_between_data),
         t(a_full_batch_takes_no_more_until_it_is_drained), t(what_no_route_takes_whole_stays_alone),
         t(longer_rows_than_any_kernels_are_cut), t(data_allocates_nothing),
         t(an_idle_allocation_is_less_than_a_kibibyte))
