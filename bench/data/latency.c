/* How long a small message is under way on a channel of high priority, while another channel of the connection is kept
 * full, beside the same channel alone. Both ends share this thread, so a message also waits for packets of the bulk that are being
 * worked through; what the scheduler adds by itself is told without sockets by bench_sctp_latency. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

enum { SMALL = 64, BULK = 65536, PER_S = 100, SAMPLES_MAX = 4096, HIGH = 1024 };

typedef struct probe {
    pl_data_channel *channel;
    bool open;
    int n;
    double us[SAMPLES_MAX];
} probe;

static void on_arrival(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    probe *p = user;
    double sent_s;
    (void)c, (void)binary;
    memcpy(&sent_s, data, sizeof sent_s);
    if (len == SMALL && p->n < SAMPLES_MAX)
        p->us[p->n++] = (bench_clock_s(CLOCK_MONOTONIC) - sent_s) * 1e6;
}

static void on_probe_open(void *user, pl_data_channel *c)
{
    (void)c;
    ((probe *)user)->open = true;
}

/* The same negotiated channel at both ends: the sender's needs no observer but for its opening. */
static void open_probe(probe *p, const side *from, const side *to, pl_data_channel **receiver)
{
    pl_data_channel_init init = { .negotiated = true, .id = 100, .priority = HIGH };
    pl_data_channel_observer sends = { .user = p, .on_open = on_probe_open },
                             takes = { .user = p, .on_message = on_arrival };
    bench_check(pl_peer_connection_create_data_channel(from->pc, "urgent", &init, &sends, &p->channel),
                "channel");
    bench_check(pl_peer_connection_create_data_channel(to->pc, "urgent", &init, &takes, receiver), "channel");
    while (!p->open)
        bench_wait(0.01);
}

static void send_small(probe *p)
{
    uint8_t message[SMALL] = { 0 };
    double now = bench_clock_s(CLOCK_MONOTONIC);
    memcpy(message, &now, sizeof now);
    bench_check(pl_data_channel_send(p->channel, message, sizeof message, true), "send");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void run(pair *p, probe *u, bool loaded, double seconds)
{
    static const uint8_t bulk[BULK];
    double begin = bench_clock_s(CLOCK_MONOTONIC), now = begin, next = begin;
    uint64_t bytes = p->b.bytes;
    u->n = 0;
    while (now - begin < seconds) {
        if (loaded)
            bench_fill(&p->a, bulk, sizeof bulk);
        if (now >= next) {
            send_small(u);
            next += 1.0 / PER_S;
        }
        bench_wait(next > now ? next - now : 0);
        now = bench_clock_s(CLOCK_MONOTONIC);
    }
    qsort(u->us, (size_t)u->n, sizeof *u->us, by_value);
    printf("{\"bench\":\"latency\",\"lib\":\"peerline\",\"loaded\":%s,\"n\":%d,\"median_us\":%.0f,\"p95_us\":"
           "%.0f,"
           "\"max_us\":%.0f,\"bulk_mbit_s\":%.0f}\n",
           loaded ? "true" : "false", u->n, u->n ? u->us[u->n / 2] : 0, u->n ? u->us[u->n * 95 / 100] : 0,
           u->n ? u->us[u->n - 1] : 0, (double)(p->b.bytes - bytes) * 8e-6 / (now - begin));
    fflush(stdout);
}

void bench_latency(double seconds)
{
    static probe u;
    pair p;
    pl_data_channel *receiver;
    bench_open_pair(&p);
    bench_wait_open(&p);
    open_probe(&u, &p.a, &p.b, &receiver);
    run(&p, &u, false, seconds);
    run(&p, &u, true, seconds);
    pl_data_channel_free(u.channel);
    pl_data_channel_free(receiver);
    bench_close_pair(&p);
}
