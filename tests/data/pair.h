/* pair.h - two managers of data channels joined by simulated links, in virtual time, and what they told. */
#ifndef DATA_PAIR_H
#define DATA_PAIR_H

#include "pl_test.h"

#include "base/time.h"
#include "data/channels.h"
#include "sim/link.h"

enum { PAIR_PACKET_MAX = 2048, PAIR_TOLD_MAX = 64 };

typedef struct told {
    pl_data_event_kind kind;
    pl_channel *channel;
    bool binary;
    size_t len;
    uint8_t first[32];
    pl_err error;
} told;

typedef struct pair {
    pl_data *end[2];
    sim_link *link[2];
    pl_rand_seeded state[2];
    int64_t now_us;
    told told[2][PAIR_TOLD_MAX]; /* everything but messages and buffered-low when counted */
    unsigned n_told[2];
    unsigned n_messages[2], n_low[2], n_writable[2];
    uint64_t message_bytes[2];
    pl_channel *incoming[2]; /* the last channel the other side opened */
    bool echo;
} pair;

/* conf and net may be NULL. */
void pair_setup(pair *p, const pl_data_conf *conf, const sim_net *net, uint64_t seed);
void pair_teardown(pair *p);
void pair_note(pair *p, int at, const pl_data_event *e);
void pair_run(pair *p, int64_t us);
void pair_connect(pair *p);
pl_channel *pair_make(pair *p, int at, const char *label, pl_data_channel_init init);
bool pair_was_told(const pair *p, int at, pl_data_event_kind kind, const pl_channel *c);
void pair_forget(pair *p);

#endif
