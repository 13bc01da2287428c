/* share_memory.h - the memory that nodes share (signal/share.h), as a model: what the scripts of server/redis.c do in Redis,
 * with the same answers, and a world of nodes around it whose connections break and which die.
 * Shape    plain lists, for tests; asserts instead of errors. */
#ifndef PL_SIM_SHARE_MEMORY_H
#define PL_SIM_SHARE_MEMORY_H

#include "base/rand.h"
#include "signal/share.h"

enum { SIM_NODES_MAX = 128, SIM_MEMORY_PEERS = 512, SIM_STREAM_MAX = 65536 };

typedef struct sim_entry {
    pl_share_note note; /* of the stream of comings and goings */
    pl_share_message message;
    char *text; /* what the slices point into */
} sim_entry;

typedef struct sim_stream {
    sim_entry *entry;
    size_t n, cap, first; /* entries before first are forgotten */
} sim_stream;

typedef struct sim_record {
    pl_peer_id id;
    int node;
    char room[32], name[32];
    bool bound, busy;
    uint64_t heard, said;
} sim_record;

typedef struct sim_share_memory {
    uint64_t seq;
    pl_peer_id next_id;
    uint8_t secret[32];
    bool has_secret;
    char birth[PL_SHARE_BIRTH_MAX + 1];
    sim_record peer[SIM_MEMORY_PEERS];
    size_t n_peers;
    sim_stream notes;
    struct {
        char name[PL_SHARE_NODE_LEN + 1];
        sim_stream messages;
        uint64_t done;
        int64_t alive_until_us, dead_since_us; /* dead_since_us 0: is not */
        bool known;
    } node[SIM_NODES_MAX];
    size_t n_nodes;
    int64_t beaten_us; /* by any node */
} sim_share_memory;

/* The answer to one ask of the node of that name. A hello's peers are lent until the next. */
typedef struct sim_answer {
    pl_share_ask_kind kind;
    pl_share_hello hello;
    pl_share_answer op;
    bool known;
    pl_peer_id first_id;
    uint32_t n_ids;
    uint64_t seq;
    pl_share_peer *peers;
} sim_answer;

void sim_share_memory_clear(sim_share_memory *m);
void sim_share_carry_out(sim_share_memory *m, int64_t now_us, const char *node, const pl_share_ask *ask,
                         sim_answer *out);
void sim_answer_clear(sim_answer *a);
void sim_answer_give(pl_share *s, int64_t now_us, const sim_answer *a);
/* All that is new for the share's node, notes first. */
void sim_share_read(const sim_share_memory *m, int64_t now_us, pl_share *s);

#endif
