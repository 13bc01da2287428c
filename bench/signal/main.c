/* bench-signal - peers of a server of rooms, or accounts of an XMPP server, that write to each other; what that costs the
 * server, and how long it takes. tools/bench_signal.py runs it. */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../relay/load.h"
#include "swarm.h"

enum { AT_ONCE = 64, SIGN_IN_S = 240, SETTLE_S = 2, IDLE_S = 3 };

static const char usage[] = "usage: bench-signal [options] HOST:PORT...\n"
                            "  --peers N       10000\n"
                            "  --poll PERCENT  of them by the classic protocol, the others by WebSocket; 50\n"
                            "  --xmpp DOMAIN   anonymous accounts of an XMPP server, by TCP\n"
                            "  --room N        so many in a room, at least 2 and at most 64; 10\n"
                            "  --rate N        messages per second, all together; 5000\n"
                            "  --seconds N     10\n"
                            "  --size N        bytes of a message; 300\n"
                            "  --pid N[,N...]  the server's processes: CPU and memory of these are told\n";

typedef struct options {
    unsigned long poll_percent, rate, seconds;
    load_server process[SWARM_NODES_MAX + 1];
    size_t n_processes;
} options;

static unsigned long number(const char *text, unsigned long lo, unsigned long hi)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*end || n < lo || n > hi)
        load_die("%s is not between %lu and %lu", text, lo, hi);
    return n;
}

static void read_pids(options *o, char *text)
{
    for (char *rest = text, *one; (one = strsep(&rest, ","));)
        if (o->n_processes <= SWARM_NODES_MAX)
            o->process[o->n_processes++].pid = (pid_t)number(one, 1, INT32_MAX);
}

static void read_node(swarm *s, char *text)
{
    char *port = strrchr(text, ':');
    struct sockaddr_in *at = &s->node[s->n_nodes];
    if (!port || s->n_nodes == SWARM_NODES_MAX)
        load_die("%s", usage);
    *port++ = '\0';
    *at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)number(port, 1, 65535)) };
    if (inet_pton(AF_INET, text, &at->sin_addr) != 1)
        load_die("%s is no address", text);
    s->n_nodes++;
}

static void read_options(int argc, char **argv, swarm *s, options *o)
{
    static const struct option known[] = { { "peers", 1, NULL, 'n' }, { "poll", 1, NULL, 'p' },
                                           { "xmpp", 1, NULL, 'x' },  { "room", 1, NULL, 'r' },
                                           { "rate", 1, NULL, 'e' },  { "seconds", 1, NULL, 's' },
                                           { "size", 1, NULL, 'z' },  { "pid", 1, NULL, 'i' },
                                           { NULL, 0, NULL, 0 } };
    *s = (swarm){ .n_peers = 10000, .room_size = 10, .text_len = 300 };
    *o = (options){ .poll_percent = 50, .rate = 5000, .seconds = 10 };
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (c) {
        case 'n': s->n_peers = number(optarg, 2, 60000); break;
        case 'p': o->poll_percent = number(optarg, 0, 100); break;
        case 'x': s->domain = optarg; break;
        case 'r': s->room_size = number(optarg, 2, SWARM_ROOM_MAX); break;
        case 'e': o->rate = number(optarg, 1, 1000000); break;
        case 's': o->seconds = number(optarg, 1, 600); break;
        case 'z': s->text_len = number(optarg, SWARM_STAMP, SWARM_TEXT_MAX); break;
        case 'i': read_pids(o, optarg); break;
        default: load_die("%s", usage);
        }
    }
    while (optind < argc)
        read_node(s, argv[optind++]);
    if (s->n_nodes == 0)
        load_die("%s", usage);
    if (s->n_peers % s->room_size == 1)
        s->n_peers--; /* nobody is alone */
}

/* By turns, so that each room and each node has both. */
static void choose_ways(swarm *s, const options *o)
{
    unsigned long rest = 0;
    for (size_t i = 0; i < s->n_peers; i++) {
        rest += o->poll_percent;
        s->peer[i].way = s->domain ? &swarm_xmpp : rest >= 100 ? &swarm_poll : &swarm_ws;
        rest %= 100;
    }
}

static double rss_kib(const options *o)
{
    double sum = 0;
    for (size_t i = 0; i < o->n_processes; i++)
        sum += (double)load_measure(&o->process[i]).rss_kib;
    return sum;
}

static double cpu_us(const options *o)
{
    double sum = 0;
    for (size_t i = 0; i < o->n_processes; i++)
        sum += (double)load_measure(&o->process[i]).cpu_ns / 1e3;
    return sum;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const swarm *s, double share)
{
    uint64_t n = s->count.n_heard;
    return n ? (double)s->took_us[(uint64_t)(share * (double)(n - 1))] / 1e3 : 0;
}

typedef struct figures {
    double rss_empty, rss_idle, rss_end, sign_in_cpu_us, idle_cpu_us, cpu_us, own_cpu_us, took_s;
} figures;

static void say(swarm *s, const options *o, const figures *f)
{
    const swarm_count *n = &s->count;
    qsort(s->took_us, n->n_heard, sizeof *s->took_us, compare);
    printf("{\"bench\":\"signal\",\"peers\":%zu,\"nodes\":%zu,\"rate\":%lu,\"size\":%zu,\"room\":%zu,"
           "\"sign_in_s\":%.2f,\"sign_ins_per_s\":%.0f,\"sign_in_cpu_us\":%.1f,",
           s->n_peers, s->n_nodes, o->rate, s->text_len, s->room_size, n->sign_in_s,
           (double)s->n_peers / n->sign_in_s, f->sign_in_cpu_us / (double)s->n_peers);
    printf("\"kib_per_peer\":%.2f,\"rss_mib\":%.1f,\"idle_cpu_ms_per_s\":%.2f,",
           (f->rss_idle - f->rss_empty) / (double)s->n_peers, f->rss_end / 1024,
           f->idle_cpu_us / 1e3 / IDLE_S);
    printf("\"sent\":%llu,\"heard\":%llu,\"lost\":%llu,\"twice\":%llu,\"misordered\":%llu,\"refused\":%llu,"
           "\"cut\":%llu,\"connections\":%llu,",
           (unsigned long long)n->n_sent, (unsigned long long)n->n_heard,
           (unsigned long long)(n->n_sent - n->n_heard), (unsigned long long)n->n_twice,
           (unsigned long long)n->n_misordered, (unsigned long long)n->n_refused,
           (unsigned long long)n->n_cut, (unsigned long long)n->n_connections);
    printf("\"p50_ms\":%.2f,\"p95_ms\":%.2f,\"p99_ms\":%.2f,\"max_ms\":%.2f,\"cpu_us_per_message\":%.1f,"
           "\"cpu_ms_per_s\":%.0f,\"own_cpu_ms_per_s\":%.0f}\n",
           percentile_ms(s, 0.50), percentile_ms(s, 0.95), percentile_ms(s, 0.99), percentile_ms(s, 1),
           f->cpu_us / (double)n->n_sent, f->cpu_us / 1e3 / f->took_s, f->own_cpu_us / 1e3 / f->took_s);
}

int main(int argc, char **argv)
{
    swarm s;
    options o;
    figures f = { 0 };
    read_options(argc, argv, &s, &o);
    s.n_messages = (uint64_t)o.rate * o.seconds;
    swarm_begin(&s);
    choose_ways(&s, &o);
    f.rss_empty = rss_kib(&o);
    double before_us = cpu_us(&o);
    if (!swarm_sign_in(&s, AT_ONCE, (int64_t)SIGN_IN_S * 1000000))
        load_die("only %zu of %zu signed in", s.n_in, s.n_peers);
    swarm_rest(&s, (int64_t)SETTLE_S * 1000000);
    f.sign_in_cpu_us = cpu_us(&o) - before_us;
    f.rss_idle = rss_kib(&o);
    before_us = cpu_us(&o);
    swarm_rest(&s, (int64_t)IDLE_S * 1000000);
    f.idle_cpu_us = cpu_us(&o) - before_us;
    before_us = cpu_us(&o);
    int64_t own_us = load_own_cpu_us(), began_us = load_now_us();
    swarm_exchange(&s, (double)o.rate);
    f.took_s = (double)(load_now_us() - began_us) / 1e6;
    f.cpu_us = cpu_us(&o) - before_us;
    f.own_cpu_us = (double)(load_own_cpu_us() - own_us);
    f.rss_end = rss_kib(&o);
    say(&s, &o, &f);
    swarm_end(&s);
    return 0;
}
