/* What the TURN server's core costs, in nanoseconds of one core: a datagram of ChannelData each way, one by one from
 * interleaved clients and in rows as offload gives them, indications, and an allocation with its challenge. One line
 * of JSON each. The core alone: no socket, the driver's part is only to look at every output. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/relay.h"
#include "stun/stream.h"

enum {
    N_FLOWS = 8,
    N_IN_ROW = 32,
    N_PACKETS = 4000000,
    N_ALLOCS = 20000,
    CHANNEL = 0x4000,
    REQUEST_MAX = 256,
    PACKET_MAX = 1300
};

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void report(const char *what, int64_t start_ns, int64_t n, uint64_t witness)
{
    printf("{\"bench\":\"relay\",\"what\":\"%s\",\"ns\":%.1f,\"witness\":%llu}\n", what,
           (double)(cpu_ns() - start_ns) / (double)n, (unsigned long long)witness);
}

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* ---- a relay, its clients, and a driver that sends nothing ---- */

typedef struct bench {
    pl_relay_shared *shared;
    pl_stun_auth *auth;
    pl_relay *core;
    pl_relay_port *port[N_ALLOCS + N_FLOWS];
    size_t n_ports;
    int64_t now_us;
    uint64_t witness;
    uint8_t last[2048]; /* the last message to a client */
    size_t last_len;
} bench;

static const pl_relay_policy policy = { .unauth_per_s = UINT32_MAX, .port_lo = 1, .port_hi = 65535 };
static const pl_addr server = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 1 }, .port = 3478 };

static pl_path client_path(unsigned n)
{
    pl_path path = { .local = server, .remote = { .family = PL_AF_IP4, .ip = { 198, 51, 100, 1 } } };
    path.remote.ip[2] = (uint8_t)(n >> 16);
    path.remote.port = (uint16_t)(1024 + n);
    return path;
}

static pl_addr peer_addr(unsigned n)
{
    return (pl_addr){ .family = PL_AF_IP4, .ip = { 203, 0, 113, 1 }, .port = (uint16_t)(5000 + n) };
}

static void on_open(bench *b, const pl_relay_open *o)
{
    pl_addr relayed = server;
    relayed.port = (uint16_t)(10000 + b->n_ports);
    b->port[b->n_ports++] = o->port;
    pl_relay_opened(b->core, b->now_us, o->port, o->port, &relayed, NULL, NULL);
}

static void keep(bench *b, const pl_relay_tx *tx)
{
    b->last_len = 0;
    for (size_t i = 0; i < tx->n_slices && b->last_len + tx->slice[i].n <= sizeof b->last; i++) {
        if (tx->slice[i].n)
            memcpy(b->last + b->last_len, tx->slice[i].p, tx->slice[i].n);
        b->last_len += tx->slice[i].n;
    }
}

static void drain(bench *b, bool wants_bytes)
{
    pl_relay_out out;
    while (pl_relay_poll_output(b->core, &out)) {
        if (out.kind == PL_RELAY_OPEN) {
            on_open(b, &out.u.open);
        } else {
            b->witness += out.u.tx.n_slices;
            if (wants_bytes)
                keep(b, &out.u.tx);
        }
    }
    pl_relay_event event;
    while (pl_relay_poll_event(b->core, &event))
        ;
}

static void start(bench *b, bool with_auth)
{
    *b = (bench){ .now_us = PL_SEC(1) };
    pl_stun_auth_conf auth = { .realm = PL_STR("peerline") };
    must(!pl_relay_shared_new(&b->shared, 0, NULL), "no shared");
    must(!pl_stun_auth_new(&b->auth, &auth) && !pl_stun_auth_add_password(b->auth, PL_STR("u"), PL_STR("p")),
         "no auth");
    pl_relay_conf conf = { .shared = b->shared,
                           .auth = with_auth ? b->auth : NULL,
                           .policy = &policy,
                           .wall_us = INT64_C(1800000000) * 1000000 };
    must(!pl_relay_new(&b->core, &conf, b->now_us), "no relay");
}

static void stop(bench *b)
{
    pl_relay_free(b->core);
    pl_relay_shared_free(b->shared);
    pl_stun_auth_free(b->auth);
}

static void give(bench *b, unsigned client, const uint8_t *data, size_t len, bool wants_bytes)
{
    pl_path path = client_path(client);
    pl_relay_row row = { .path = &path, .data = data, .len = len };
    must(pl_relay_client_input(b->core, b->now_us, NULL, &row, 1) == 1, "row not taken");
    drain(b, wants_bytes);
}

static size_t build_allocate(uint8_t *out, unsigned n, const char *nonce)
{
    static uint8_t key[PL_STUN_KEY_MAX];
    static size_t key_len;
    uint8_t id[PL_STUN_ID_LEN] = { 0 };
    pl_put32(id, n + 1);
    pl_stun_wr s = pl_stun_begin(out, REQUEST_MAX, PL_STUN_REQUEST, PL_STUN_ALLOCATE, id);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    if (nonce) {
        if (!key_len)
            key_len =
                pl_stun_long_term_key(PL_STUN_ALG_MD5, PL_STR("u"), PL_STR("peerline"), PL_STR("p"), key);
        pl_stun_put_str(&s, PL_STUN_USERNAME, PL_STR("u"));
        pl_stun_put_str(&s, PL_STUN_REALM, PL_STR("peerline"));
        pl_stun_put_str(&s, PL_STUN_NONCE, pl_str_of(nonce));
        pl_stun_put_integrity(&s, key, key_len);
    }
    return pl_stun_end(&s);
}

/* ---- data ---- */

static void bind_flows(bench *b, bool channels)
{
    uint8_t pkt[REQUEST_MAX], id[PL_STUN_ID_LEN] = { 0 };
    for (unsigned i = 0; i < N_FLOWS; i++) {
        pl_addr peer = peer_addr(i);
        give(b, i, pkt, build_allocate(pkt, i, NULL), false);
        pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_REQUEST,
                                     channels ? PL_STUN_CHANNEL_BIND : PL_STUN_CREATE_PERMISSION, id);
        if (channels)
            pl_stun_put_u16(&s, PL_STUN_CHANNEL_NUMBER, CHANNEL);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
        give(b, i, pkt, pl_stun_end(&s), false);
    }
    must(b->n_ports == N_FLOWS, "allocations missing");
}

/* rows of `per_row` datagrams; n_rows of them in a batch, from all flows in turn. */
static void bench_up(const char *what, size_t size, size_t per_row, size_t n_rows)
{
    static bench b;
    static uint8_t data[N_IN_ROW * PACKET_MAX];
    pl_path path[N_FLOWS];
    pl_relay_row row[64];
    start(&b, false);
    bind_flows(&b, true);
    for (size_t i = 0; i < per_row; i++)
        pl_stun_channel_put(data + i * (size + 4), CHANNEL, (uint16_t)size);
    for (unsigned i = 0; i < n_rows; i++) {
        path[i % N_FLOWS] = client_path(i % N_FLOWS);
        row[i] = (pl_relay_row){
            .path = &path[i % N_FLOWS], .data = data, .len = per_row * (size + 4), .segment = size + 4
        };
    }
    int64_t n = 0, start_ns = cpu_ns();
    for (; n < N_PACKETS; n += (int64_t)(per_row * n_rows)) {
        b.now_us++;
        must(pl_relay_client_input(b.core, b.now_us, NULL, row, n_rows) == n_rows, "rows not taken");
        drain(&b, false);
    }
    report(what, start_ns, n, b.witness + pl_relay_count(b.core)->data.up_packets);
    stop(&b);
}

static void bench_down(const char *what, bool channels, size_t size, size_t per_row)
{
    static bench b;
    static uint8_t data[N_IN_ROW * PACKET_MAX];
    start(&b, false);
    bind_flows(&b, channels);
    int64_t n = 0, start_ns = cpu_ns();
    for (unsigned i = 0; n < N_PACKETS; n += (int64_t)per_row, i = (i + 1) % N_FLOWS) {
        pl_path path = { .remote = peer_addr(i) };
        pl_relay_row row = { .path = &path, .data = data, .len = per_row * size, .segment = size };
        b.now_us++;
        must(pl_relay_peer_input(b.core, b.now_us, b.port[i], &row, 1) == 1, "row not taken");
        drain(&b, false);
    }
    report(what, start_ns, n, b.witness + pl_relay_count(b.core)->data.down_packets);
    stop(&b);
}

/* ---- allocations ---- */

static void bench_allocate(void)
{
    static bench b;
    static uint8_t wire[N_ALLOCS][REQUEST_MAX];
    static size_t len[N_ALLOCS];
    char nonce[128];
    pl_stun_msg m;
    pl_str text;
    start(&b, true);
    uint8_t bare[REQUEST_MAX];
    size_t bare_len = build_allocate(bare, 0, NULL);
    give(&b, 0, bare, bare_len, true);
    must(!pl_stun_parse(&m, b.last, b.last_len) && !pl_stun_get_str(&m, PL_STUN_NONCE, &text) &&
             pl_str_copy(text, nonce, sizeof nonce),
         "no nonce");
    for (unsigned i = 0; i < N_ALLOCS; i++)
        len[i] = build_allocate(wire[i], i, nonce);
    int64_t start_ns = cpu_ns();
    for (unsigned i = 0; i < N_ALLOCS; i++)
        give(&b, i, bare, bare_len, false);
    report("challenge", start_ns, N_ALLOCS, b.witness);
    start_ns = cpu_ns();
    for (unsigned i = 0; i < N_ALLOCS; i++)
        give(&b, i, wire[i], len[i], false);
    report("allocation", start_ns, N_ALLOCS, b.n_ports);
    must(b.n_ports == N_ALLOCS, "allocations missing");
    start_ns = cpu_ns();
    stop(&b);
    report("end of an allocation", start_ns, N_ALLOCS, 0);
}

int main(void)
{
    bench_up("channel up, 1200 bytes, one by one, 8 flows interleaved", 1200, 1, 16);
    bench_up("channel up, 1200 bytes, alone in its batch", 1200, 1, 1);
    bench_up("channel up, 1200 bytes, rows of 32", 1200, N_IN_ROW, 4);
    bench_up("channel up, 200 bytes, rows of 32", 200, N_IN_ROW, 4);
    bench_down("channel down, 1200 bytes, alone in its batch", true, 1200, 1);
    bench_down("channel down, 1200 bytes, rows of 32", true, 1200, N_IN_ROW);
    bench_down("channel down, 200 bytes, rows of 32", true, 200, N_IN_ROW);
    bench_down("data indication, 1200 bytes, rows of 32", false, 1200, N_IN_ROW);
    bench_allocate();
    return 0;
}
