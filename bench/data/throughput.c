/* How much one reliable ordered channel carries, and what it costs. The line also tells what went through the sockets,
 * so that the bare limit can be measured with the same packets. */
#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

typedef struct traffic {
    uint64_t packets, bytes;
} traffic;

static traffic sent_by(const side *s)
{
    pl_stats_report *report;
    traffic t = { 0 };
    bench_check(pl_peer_connection_get_stats(s->pc, &report), "statistics");
    const pl_stats *transport = pl_stats_find(report, PL_STATS_TRANSPORT, 0);
    if (transport)
        t = (traffic){ transport->u.transport.packets_sent, transport->u.transport.bytes_sent };
    pl_stats_report_free(report);
    return t;
}

static double per(double amount, double of)
{
    return of > 0 ? amount / of : 0;
}

static void print_line(size_t len, const pair *p, double wall_s, double cpu_s)
{
    double bytes = (double)p->b.bytes;
    traffic there = sent_by(&p->a), back = sent_by(&p->b);
    printf("{\"bench\":\"throughput\",\"lib\":\"peerline\",\"msg\":%zu,\"mbit_s\":%.1f,\"cpu_s_per_GB\":%.2f,"
           "\"messages\":%llu,\"packet\":%.0f,\"data_per_packet\":%.0f,\"packets_per_answer\":%.1f}\n",
           len, bytes * 8 / 1e6 / wall_s, per(cpu_s, bytes / 1e9), (unsigned long long)p->b.messages,
           per((double)there.bytes, (double)there.packets), per(bytes, (double)there.packets),
           per((double)there.packets, (double)back.packets));
    fflush(stdout);
}

void bench_throughput(size_t len, double seconds)
{
    pair p;
    uint8_t *message = calloc(1, len ? len : 1);
    if (!message)
        bench_die("out of memory");
    bench_open_pair(&p);
    bench_wait_open(&p);
    double wall = bench_clock_s(CLOCK_MONOTONIC), cpu = bench_clock_s(CLOCK_PROCESS_CPUTIME_ID), now = wall;
    while (now - wall < seconds) {
        bench_fill(&p.a, message, len);
        bench_wait(0.01);
        now = bench_clock_s(CLOCK_MONOTONIC);
    }
    print_line(len, &p, now - wall, bench_clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    bench_close_pair(&p);
    free(message);
}
