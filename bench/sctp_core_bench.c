/* The cost of SCTP alone: two associations in memory, no DTLS, no socket, no loss; then usrsctp the same way. Prints a
 * JSON line for each run, then the ratio.
 *     bench/sctp_core [SECONDS] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "sctp/association.h"

enum { PACKET_MAX = 2048, MTU = 1188, BATCH = 64, BUFFER = 4 << 20 };

typedef struct result {
    uint64_t messages, bytes, packets;
    double seconds, cpu;
} result;

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int64_t clock_us(void)
{
    return (int64_t)(clock_s(CLOCK_MONOTONIC) * 1e6);
}

static void print(const char *lib, size_t len, const result *r)
{
    printf("{\"bench\":\"sctp-core\",\"lib\":\"%s\",\"msg\":%zu,\"mbit_s\":%.0f,\"cpu_s_per_GB\":%.2f,\"ns_"
           "per_packet\":%.0f}\n",
           lib, len, (double)r->bytes * 8e-6 / r->seconds, r->cpu / ((double)r->bytes * 1e-9),
           r->packets ? r->cpu * 1e9 / (double)r->packets : 0);
    fflush(stdout);
}

/* --- ours --- */

static void move(pl_sctp *from, pl_sctp *to, int64_t now_us)
{
    uint8_t packet[PACKET_MAX];
    size_t len;
    for (int i = 0; i < BATCH && pl_sctp_poll_output(from, now_us, packet, sizeof packet, &len); i++)
        pl_sctp_input(to, now_us, packet, len);
    if (now_us >= pl_sctp_next_us(from))
        pl_sctp_tick(from, now_us);
}

static result run_ours(size_t len, double seconds)
{
    pl_sctp *end[2];
    result r = { 0 };
    uint8_t *data = calloc(1, len);
    for (int i = 0; i < 2; i++) {
        pl_sctp_conf conf = { .mtu = MTU, .send_buffer_max = BUFFER, .recv_buffer = BUFFER };
        if (pl_sctp_new(&end[i], &conf, clock_us()) != PL_OK)
            abort();
        pl_sctp_connect(end[i], clock_us());
    }
    double began = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID), now;
    do {
        int64_t now_us = clock_us();
        while (pl_sctp_send(end[0], now_us, 0, 53, data, len, NULL) == PL_OK)
            ;
        for (int i = 0; i < 16; i++) {
            pl_sctp_msg m;
            move(end[0], end[1], now_us);
            while (pl_sctp_recv(end[1], &m)) {
                r.messages++;
                r.bytes += m.len;
                pl_sctp_msg_free(&m);
            }
            move(end[1], end[0], now_us);
        }
        now = clock_s(CLOCK_MONOTONIC);
    } while (now - began < seconds);
    r.seconds = now - began;
    r.cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    pl_sctp_stats a, b;
    pl_sctp_get_stats(end[0], &a);
    pl_sctp_get_stats(end[1], &b);
    r.packets = a.packets_sent + b.packets_sent;
    for (int i = 0; i < 2; i++)
        pl_sctp_free(end[i]);
    free(data);
    return r;
}

#ifdef PL_BENCH_USRSCTP
/* --- usrsctp --- */
#include <pthread.h>

#include "shared/usrsctp_end.h"

typedef struct queued {
    struct queued *next;
    void *to;
    size_t len;
    uint8_t data[];
} queued;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static queued *first, **last = &first;
static uint64_t n_packets, n_bytes;
static char side[2]; /* two addresses */

static int on_output(void *addr, void *buffer, size_t length, uint8_t tos, uint8_t set_df)
{
    (void)tos, (void)set_df;
    queued *q = malloc(sizeof *q + length);
    if (!q)
        abort();
    *q = (queued){ .to = addr == &side[0] ? &side[1] : &side[0], .len = length };
    memcpy(q->data, buffer, length);
    pthread_mutex_lock(&lock);
    *last = q;
    last = &q->next;
    n_packets++;
    pthread_mutex_unlock(&lock);
    return 0;
}

static bool deliver(void)
{
    pthread_mutex_lock(&lock);
    queued *q = first;
    first = NULL;
    last = &first;
    pthread_mutex_unlock(&lock);
    bool any = q != NULL;
    for (queued *next; q; q = next) {
        next = q->next;
        usrsctp_conninput(q->to, q->data, q->len, 0);
        free(q);
    }
    return any;
}

static int on_receive(struct socket *s, union sctp_sockstore addr, void *data, size_t len,
                      struct sctp_rcvinfo info, int flags, void *ulp)
{
    (void)s, (void)addr, (void)info, (void)flags, (void)ulp;
    n_bytes += data ? len : 0;
    free(data);
    return 1;
}

static result run_usrsctp(size_t len, double seconds)
{
    usrsctp_init(0, on_output, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    struct socket *s[2];
    for (int i = 0; i < 2; i++)
        s[i] = bench_usrsctp_end(&side[i], BUFFER, MTU, on_receive);
    for (int i = 0; i < 2; i++)
        bench_usrsctp_connect(s[i], &side[i]);
    uint8_t *data = calloc(1, len);
    result r = { 0 };
    n_bytes = n_packets = 0;
    double began = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID), now;
    do {
        bench_usrsctp_fill(s[0], data, len);
        for (int i = 0; i < 16 && deliver(); i++)
            ;
        now = clock_s(CLOCK_MONOTONIC);
    } while (now - began < seconds);
    r.seconds = now - began;
    r.cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    r.bytes = n_bytes;
    r.packets = n_packets;
    for (int i = 0; i < 2; i++)
        usrsctp_close(s[i]);
    for (int i = 0; i < 1000 && usrsctp_finish() != 0; i++) {
        struct timespec pause = { 0, 10000000 };
        deliver();
        nanosleep(&pause, NULL);
    }
    free(data);
    return r;
}

#endif

int main(int argc, char **argv)
{
    static const size_t sizes[] = { 65536, 1024, 64 };
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        result ours = run_ours(sizes[i], seconds);
        print("peerline", sizes[i], &ours);
#ifdef PL_BENCH_USRSCTP
        result theirs = run_usrsctp(sizes[i], seconds);
        print("usrsctp", sizes[i], &theirs);
        double ratio = theirs.bytes && ours.bytes
                           ? (theirs.cpu / (double)theirs.bytes) / (ours.cpu / (double)ours.bytes)
                           : 0;
        printf("{\"bench\":\"sctp-core\",\"msg\":%zu,\"usrsctp_cpu_over_ours\":%.1f}\n", sizes[i], ratio);
#endif
    }
    return 0;
}
