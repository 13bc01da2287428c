/* modes.h - what bench-relay can be told to do. Each prints one line of JSON. */
#ifndef BENCH_RELAY_MODES_H
#define BENCH_RELAY_MODES_H

#include "load.h"

typedef struct stun_order {
    const load_server *server;
    unsigned sockets, in_flight; /* in_flight: of each socket */
    int64_t span_us;
} stun_order;
void stun_run(const stun_order *order);

typedef enum data_direction { DATA_UP, DATA_DOWN, DATA_ECHO } data_direction; /* up: client to peer */
typedef struct data_order {
    const load_server *server;
    data_direction direction;
    unsigned allocations, in_flight, size;
    unsigned burst_min, burst_max; /* 1: packet by packet */
    unsigned per_s; /* at this pace, packet by packet; 0: as fast as what is in flight allows */
    int64_t span_us;
} data_order;
void data_run(const data_order *order);

/* Allocations made, bound to a channel, refreshed and deleted, with CPU for each step and the growth of memory. */
typedef struct allocate_order {
    const load_server *server;
    unsigned n, window;
} allocate_order;
void allocate_run(const allocate_order *order);

/* Allocations held and kept alive as real clients do; CPU in windows of 100 ms. */
typedef struct hold_order {
    const load_server *server;
    unsigned n;
    int64_t span_us;
} hold_order;
void hold_run(const hold_order *order);

/* Legitimate traffic of many allocations with hostile messages mixed in, twice, and a judgement: what was sent
 * arrived, nothing hostile had an effect, and memory is what it was before. Ends the program when it was not so. */
typedef struct mix_order {
    const load_server *server;
    unsigned n;
    unsigned per_s;   /* datagrams of all clients together; each is answered by its peer */
    unsigned percent; /* of what the server gets is hostile */
    int64_t span_us;  /* of both turns together */
} mix_order;
void mix_run(const mix_order *order);

/* Requests without credentials by a single stranger: what it gets out of the server. */
typedef struct flood_order {
    const load_server *server;
    unsigned per_s;
    unsigned
        limit; /* answers per second that the server's 401 limit allows, in bursts of twice as many; 0: any */
    int64_t span_us;
} flood_order;
void flood_run(const flood_order *order);

/* A server that does the least: what this machine takes. Runs until it is ended. */
typedef struct floor_order {
    struct sockaddr_in at;
    unsigned slots; /* datagrams or bursts by one system call */
} floor_order;
_Noreturn void floor_run(const floor_order *order);

#endif
