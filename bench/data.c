/* bench-data - what a data channel costs: throughput, set-up and memory of pairs of peers in this process,
 * over loopback sockets with ICE and DTLS. Prints one JSON line a run.
 *     bench-data throughput MESSAGE_BYTES SECONDS RUNS
 *     bench-data setup N
 *     bench-data rss PAIRS
 *     bench-data idle PAIRS SECONDS
 * Uses the public interface alone, on one loop without threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "peerline/loop.h"
#include "peerline/peer_connection.h"

enum { BUFFER = 4 << 20 };

typedef struct side {
    pl_peer_connection *pc;
    struct side *other;
    pl_data_channel *channel;
    bool open, failed;
    uint64_t bytes, messages;
} side;

typedef struct pair {
    side a, b;
    double offered_s; /* when createOffer was called */
} pair;

static pl_loop *loop;
static pl_factory *factory;

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "bench-data: %s\n", what);
    exit(1);
}

static void check(pl_err err, const char *what)
{
    if (err) {
        fprintf(stderr, "bench-data: %s: %s\n", what, pl_err_str(err));
        exit(1);
    }
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    side *s = user;
    check(pl_peer_connection_add_ice_candidate(s->other->pc, c), "candidate");
}

static void on_state(void *user, pl_peer_connection_state state, const char *reason)
{
    side *s = user;
    if (state == PL_CONNECTION_FAILED) {
        fprintf(stderr, "bench-data: %s\n", reason);
        s->failed = true;
    }
}

static void on_open(void *user, pl_data_channel *c)
{
    (void)c;
    ((side *)user)->open = true;
}

static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    side *s = user;
    (void)c, (void)data, (void)binary;
    s->bytes += len;
    s->messages++;
}

static void on_channel(void *user, pl_data_channel *c)
{
    side *s = user;
    pl_data_channel_observer o = { .user = s, .on_open = on_open, .on_message = on_message };
    pl_data_channel_set_observer(c, &o);
    s->channel = c;
}

static void make_side(side *s, side *other)
{
    pl_peer_connection_observer o = { .user = s,
                                      .on_ice_candidate = on_candidate,
                                      .on_connection_state = on_state,
                                      .on_data_channel = on_channel };
    *s = (side){ .other = other };
    check(pl_peer_connection_new(&s->pc, factory, NULL, &o), "connection");
}

/* Offer and answer travel by call; candidates follow as they come. */
static void negotiate(pair *p)
{
    char *sdp;
    check(pl_peer_connection_create_offer(p->a.pc, NULL, &sdp), "offer");
    check(pl_peer_connection_set_local_description(p->a.pc, PL_SDP_OFFER, sdp), "local offer");
    check(pl_peer_connection_set_remote_description(p->b.pc, PL_SDP_OFFER, sdp), "remote offer");
    pl_free(sdp);
    check(pl_peer_connection_create_answer(p->b.pc, &sdp), "answer");
    check(pl_peer_connection_set_local_description(p->b.pc, PL_SDP_ANSWER, sdp), "local answer");
    check(pl_peer_connection_set_remote_description(p->a.pc, PL_SDP_ANSWER, sdp), "remote answer");
    pl_free(sdp);
}

static void open_pair(pair *p)
{
    pl_data_channel_observer o = { .user = &p->a, .on_open = on_open, .on_message = on_message };
    make_side(&p->a, &p->b);
    make_side(&p->b, &p->a);
    check(pl_peer_connection_create_data_channel(p->a.pc, "bench", NULL, &o, &p->a.channel), "channel");
    p->offered_s = clock_s(CLOCK_MONOTONIC);
    negotiate(p);
}

static void wait_open(pair *p)
{
    double until = clock_s(CLOCK_MONOTONIC) + 10;
    while (!p->a.open || !p->b.open) {
        if (p->a.failed || p->b.failed || clock_s(CLOCK_MONOTONIC) > until)
            die("the pair did not connect");
        pl_loop_run_once(loop, 100000);
    }
}

static void close_pair(pair *p)
{
    pl_data_channel_free(p->a.channel);
    pl_data_channel_free(p->b.channel);
    pl_peer_connection_free(p->a.pc);
    pl_peer_connection_free(p->b.pc);
}

static void fill(pair *p, const uint8_t *message, size_t len)
{
    while (pl_data_channel_buffered_amount(p->a.channel) < BUFFER) {
        pl_err err = pl_data_channel_send(p->a.channel, message, len, true);
        if (err == PL_EAGAIN)
            return;
        check(err, "send");
    }
}

static void throughput(size_t len, double seconds)
{
    pair p;
    uint8_t *message = calloc(1, len ? len : 1);
    if (!message)
        die("out of memory");
    open_pair(&p);
    wait_open(&p);
    double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID), now = wall;
    while (now - wall < seconds) {
        fill(&p, message, len);
        pl_loop_run_once(loop, 10000);
        now = clock_s(CLOCK_MONOTONIC);
    }
    cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    double bytes = (double)p.b.bytes;
    printf("{\"bench\":\"throughput\",\"lib\":\"peerline\",\"msg\":%zu,\"mbit_s\":%.1f,\"cpu_s_per_GB\":%.2f,"
           "\"messages\":%llu}\n",
           len, bytes * 8 / 1e6 / (now - wall), bytes > 0 ? cpu / (bytes / 1e9) : 0.0,
           (unsigned long long)p.b.messages);
    fflush(stdout);
    close_pair(&p);
    free(message);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void setup(int n)
{
    double *ms = calloc((size_t)n, sizeof *ms), cpu_all = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    if (!ms)
        die("out of memory");
    for (int i = 0; i < n; i++) {
        pair p;
        double cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
        open_pair(&p);
        wait_open(&p);
        ms[i] = (clock_s(CLOCK_MONOTONIC) - p.offered_s) * 1e3;
        printf("{\"bench\":\"setup\",\"lib\":\"peerline\",\"from_offer_ms\":%.3f,\"cpu_ms\":%.3f}\n", ms[i],
               (clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3);
        close_pair(&p);
    }
    cpu_all = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu_all;
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    printf("{\"bench\":\"setup-summary\",\"lib\":\"peerline\",\"n\":%d,\"median_ms\":%.3f,\"p95_ms\":%.3f,"
           "\"max_ms\":%.3f,\"cpu_ms_per_pair\":%.3f}\n",
           n, ms[n / 2], ms[n * 95 / 100], ms[n - 1], cpu_all * 1e3 / n);
    free(ms);
}

static long rss_kib(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2)
        die("no /proc/self/statm");
    fclose(f);
    return resident * 4;
}

static pair *open_many(int n)
{
    pair *p = calloc((size_t)n, sizeof *p);
    if (!p)
        die("out of memory");
    for (int i = 0; i < n; i++) {
        open_pair(&p[i]);
        wait_open(&p[i]);
    }
    return p;
}

static void run_for(double seconds)
{
    double until = clock_s(CLOCK_MONOTONIC) + seconds, now;
    while ((now = clock_s(CLOCK_MONOTONIC)) < until)
        pl_loop_run_once(loop, (int64_t)((until - now) * 1e6));
}

static void rss(int n)
{
    pair warm;
    open_pair(&warm); /* what is shared is paid for once */
    wait_open(&warm);
    long before = rss_kib();
    pair *p = open_many(n);
    run_for(1);
    printf("{\"bench\":\"rss\",\"lib\":\"peerline\",\"pairs\":%d,\"kib_per_pair\":%.1f}\n", n,
           (double)(rss_kib() - before) / n);
    for (int i = 0; i < n; i++)
        close_pair(&p[i]);
    close_pair(&warm);
    free(p);
}

static void idle(int n, double seconds)
{
    pair *p = open_many(n);
    run_for(1);
    double cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
    run_for(seconds);
    printf("{\"bench\":\"idle\",\"lib\":\"peerline\",\"pairs\":%d,\"cpu_ms_per_s\":%.3f}\n", n,
           (clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu) * 1e3 / seconds);
    for (int i = 0; i < n; i++)
        close_pair(&p[i]);
    free(p);
}

static int usage(void)
{
    fprintf(stderr, "usage: bench-data throughput MESSAGE_BYTES SECONDS RUNS\n"
                    "       bench-data setup N\n"
                    "       bench-data rss PAIRS\n"
                    "       bench-data idle PAIRS SECONDS\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    pl_factory_conf conf = { .bind_address = "127.0.0.1", .loopback = true };
    check(pl_loop_new(&loop, NULL), "loop");
    conf.loop = loop;
    check(pl_factory_new(&factory, &conf), "factory");
    int code = 0;
    if (strcmp(what, "throughput") == 0 && argc == 5) {
        for (int i = 0; i < atoi(argv[4]); i++)
            throughput((size_t)atol(argv[2]), atof(argv[3]));
    } else if (strcmp(what, "setup") == 0 && argc == 3 && atoi(argv[2]) > 0) {
        setup(atoi(argv[2]));
    } else if (strcmp(what, "rss") == 0 && argc == 3 && atoi(argv[2]) > 0) {
        rss(atoi(argv[2]));
    } else if (strcmp(what, "idle") == 0 && argc == 4 && atoi(argv[2]) > 0) {
        idle(atoi(argv[2]), atof(argv[3]));
    } else {
        code = usage();
    }
    pl_factory_free(factory);
    pl_loop_free(loop);
    return code;
}
