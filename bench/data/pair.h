/* pair.h - two peers in this process, connected over loopback sockets: what all of bench-data stands on.
 * Shape    one loop and one factory for all pairs, made by bench_begin; what goes wrong ends the program.
 * Units    seconds as doubles. */
#ifndef BENCH_DATA_PAIR_H
#define BENCH_DATA_PAIR_H

#include <time.h>

#include "peerline/loop.h"
#include "peerline/peer_connection.h"

typedef struct side {
    pl_peer_connection *pc;
    struct side *other;
    pl_data_channel *channel;
    bool open, failed;
    uint64_t bytes, messages;
} side;

typedef struct pair {
    side a, b;        /* a makes the channel and sends */
    double offered_s; /* when createOffer was called */
} pair;

double bench_clock_s(clockid_t id);
void bench_die(const char *what);
void bench_check(pl_err err, const char *what);

/* address: what to bind to; NULL: all there is but loopback. */
void bench_begin(const char *address);
void bench_end(void);
pl_factory *bench_factory(void);
void bench_wait(double seconds); /* the loop runs until something has happened, or so long */

void bench_open_pair(pair *p);
void bench_wait_open(pair *p);
void bench_close_pair(pair *p);
/* Sends until 4 MiB wait. */
void bench_fill(side *s, const uint8_t *message, size_t len);

/* The words of bench-data. */
void bench_throughput(size_t len, double seconds);
void bench_latency(double seconds);
void bench_feed(size_t len);
void bench_setup(int n);
void bench_rss(int n);
void bench_idle(int n, double seconds);

#endif
