/* exchange.h - one client and its peer talking through the relay, each datagram numbered and checked: nothing is
 * lost, changed, doubled or out of order without being seen. Requests go on beside the data.
 * Shape    a load_talk lives in its owner's array and borrows its client. Every fourth talks by Send and Data
 *          indications, the others by a channel.
 * Thread   one. */
#ifndef BENCH_RELAY_EXCHANGE_H
#define BENCH_RELAY_EXCHANGE_H

#include "fleet.h"

enum { TALK_BYTES_MIN = 8, TALK_BYTES_MAX = 1200 };

typedef struct load_way {
    uint32_t n_sent, n_arrived, next; /* next: the number that should come, or a later one */
} load_way;

typedef struct load_talk {
    load_fleet *fleet;
    load_client *client;
    int peer; /* connected to the relayed address */
    uint32_t id;
    bool indications;
    load_way up, down;
    uint8_t recorded[LOAD_MESSAGE_MAX]; /* the last request that was answered with success */
    size_t recorded_len;
    uint8_t asking[LOAD_MESSAGE_MAX]; /* the one under way, client->state LOAD_WAITING */
    size_t asking_len;
    unsigned n_requests;
    int64_t next_request_us;
} load_talk;

typedef struct load_talk_count {
    uint64_t n_requests, n_again, n_refused;
    uint64_t n_wrong;  /* changed, doubled, out of order, or from a wrong address */
    uint64_t n_marked; /* hostile data that came through */
    uint16_t refused_with;
} load_talk_count;

/* The client has an allocation. Opens the peer's socket and tells the client of it. */
void load_talk_open(load_talk *t, load_fleet *f, size_t nth);
void load_talk_close(load_talk *t);
/* Sends the next datagram from the client to the peer. */
void load_talk_say(load_talk *t);
/* What waits at either end. The peer answers each datagram; returns how many it answered. */
size_t load_talk_at_peer(load_talk *t, load_talk_count *count);
void load_talk_at_client(load_talk *t, load_talk_count *count);
/* Refreshes what it has when it is time, and asks again when there was no answer. */
void load_talk_tick(load_talk *t, int64_t now_us, load_talk_count *count);

#endif
