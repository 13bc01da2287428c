/* What a datagram costs in the TURN client's core, in nanoseconds of one core: wrapped for the server and taken from it,
 * by channel and in indications, alone and in rows as segmentation offload takes them. The server is a few lines of
 * yes. One line of JSON each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stun/message.h"
#include "turn/client.h"

enum { N = 2000000, SIZE = 1200, ROW = 32, ROOM = ROW * (SIZE + PL_TURN_OVERHEAD_MAX) };

static const pl_addr local = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 1 }, .port = 5000 };
static const pl_addr server = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 2 }, .port = 3478 };
static const pl_addr relayed = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 2 }, .port = 50000 };
static const pl_addr peer = { .family = PL_AF_IP4, .ip = { 198, 51, 100, 7 }, .port = 6000 };
static uint8_t row[ROOM];

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void report(const char *what, int64_t start_ns, uint64_t n, uint64_t witness)
{
    printf("{\"bench\":\"turn\",\"what\":\"%s\",\"ns\":%.1f,\"witness\":%llu}\n", what,
           (double)(cpu_ns() - start_ns) / (double)n, (unsigned long long)witness);
}

static void die(const char *what)
{
    fprintf(stderr, "bench_turn_client: %s\n", what);
    exit(1);
}

/* ---- a server that says yes ---- */

static size_t answer(const pl_stun_msg *m, uint8_t *out, size_t cap)
{
    pl_stun_wr s = pl_stun_begin_reply(out, cap, PL_STUN_SUCCESS, m);
    if (m->method == PL_STUN_ALLOCATE) {
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_RELAYED_ADDRESS, &relayed);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &local);
        pl_stun_put_u32(&s, PL_STUN_LIFETIME, 600);
    }
    return pl_stun_end(&s);
}

/* Answers until the client wants nothing more. */
static void serve(pl_turn *t)
{
    uint8_t request[PL_TURN_DGRAM_MAX], reply[256];
    pl_dgram d = { .data = request, .cap = sizeof request };
    pl_turn_event e;
    pl_turn_data data;
    while (pl_turn_poll_output(t, 0, &d)) {
        pl_stun_msg m;
        if (pl_stun_parse(&m, d.data, d.len) == PL_OK && m.cls == PL_STUN_REQUEST)
            pl_turn_input(t, 0, reply, answer(&m, reply, sizeof reply), &data);
        while (pl_turn_poll_event(t, &e))
            if (e.kind == PL_TURN_FAILED || e.kind == PL_TURN_LOST)
                die(e.reason);
    }
}

static pl_turn *ready(void)
{
    pl_turn *t;
    pl_turn_conf conf = { .local = local, .server = server, .keepalive_us = PL_NEVER };
    if (pl_turn_new(&t, &conf, 0))
        die("no memory");
    serve(t);
    if (pl_turn_permit(t, 0, &peer))
        die("no permission");
    serve(t);
    return t;
}

/* ---- what is measured ---- */

static void bench_wrap(pl_turn *t, const char *what, size_t n)
{
    uint64_t witness = 0;
    int64_t start_ns = cpu_ns();
    for (int i = 0; i < N; i += (int)n) {
        pl_dgram d = { .data = row, .cap = sizeof row, .len = n * SIZE, .segment = n > 1 ? SIZE : 0 };
        if (pl_turn_wrap(t, 0, &peer, &d))
            die("not wrapped");
        witness += d.len;
    }
    report(what, start_ns, N, witness);
}

static void bench_input(pl_turn *t, const char *what, const uint8_t *pkt, size_t len)
{
    uint64_t witness = 0;
    pl_turn_data data;
    int64_t start_ns = cpu_ns();
    for (int i = 0; i < N; i++) {
        if (pl_turn_input(t, 0, pkt, len, &data) != PL_TURN_DATA)
            die("not taken");
        witness += data.len;
    }
    report(what, start_ns, N, witness);
}

static size_t data_indication(uint8_t *out, size_t cap)
{
    static const uint8_t id[PL_STUN_ID_LEN] = "twelve bytes", payload[SIZE];
    pl_stun_wr s = pl_stun_begin(out, cap, PL_STUN_INDICATION, PL_STUN_DATA, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    pl_stun_put(&s, PL_STUN_DATA_ATTR, payload, sizeof payload);
    return pl_stun_end(&s);
}

int main(void)
{
    uint8_t pkt[2048];
    pl_turn *t = ready();
    bench_wrap(t, "Send indication, 1200 bytes", 1);
    bench_input(t, "Data indication taken, 1200 bytes", pkt, data_indication(pkt, sizeof pkt));
    if (pl_turn_bind(t, 0, &peer))
        die("no channel");
    serve(t);
    if (!pl_turn_is_bound(t, &peer))
        die("the channel does not stand");
    bench_wrap(t, "ChannelData, 1200 bytes", 1);
    bench_wrap(t, "ChannelData, 1200 bytes, rows of 32, moved apart", ROW);
    pl_dgram d = { .data = pkt, .cap = sizeof pkt, .len = SIZE };
    if (pl_turn_wrap(t, 0, &peer, &d))
        die("not wrapped");
    bench_input(t, "ChannelData taken, 1200 bytes", pkt, d.len);
    pl_turn_free(t);
    return 0;
}
