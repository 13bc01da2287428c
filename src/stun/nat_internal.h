/* nat_internal.h - what nat.c (questions, stages) and nat_judge.c (what the answers mean) share. */
#ifndef PL_STUN_NAT_INTERNAL_H
#define PL_STUN_NAT_INTERNAL_H

#include "stun/message.h"
#include "stun/nat.h"
#include "stun/transaction.h"

typedef enum probe_state { IDLE, ASKING, ANSWERED, REFUSED, SILENT } probe_state;

/* P for the server's primary address, O for its other one: "PO" is the primary IP with the other port. */
typedef enum probe_id {
    BIND_PP,     /* mapping socket, the first question of all */
    CHANGE_BOTH, /* filtering socket */
    CHANGE_PORT,
    BIND_OP, /* mapping socket again */
    BIND_OO,
    BIND_PO,
    BIND_HAIRPIN, /* hairpin socket: its mapped address */
    BIND_PADDING,
    BIND_LIFETIME, /* lifetime socket: makes or refreshes the binding */
    ASK_LIFETIME,  /* the second one, for an answer to the first */
    N_PROBES
} probe_id;

typedef struct probe {
    probe_state state;
    pl_addr to, answers_from;
    uint8_t socket, answered_on;
    uint32_t change;
    uint16_t response_port, padding;
    bool padded; /* the answer had PADDING */
    pl_addr mapped;
    pl_stun_tx tx;
} probe;

/* Binding requests to our own mapped addresses; both ways, so that filters are opened as ICE would. */
typedef struct hairpin {
    uint8_t id[PL_STUN_ID_LEN];
    unsigned sent; /* datagrams: even ones from the hairpin socket, odd ones from the mapping socket */
    int64_t at_us; /* of the next one, or of the end; PL_NEVER: not now */
    bool heard;
} hairpin;

/* Doubles the silence until the binding is gone or the limit reached, then halves the interval. */
typedef struct lifetime {
    bool works; /* an answer has come to the other socket at all */
    int64_t silence_us;
    int64_t ask_at_us; /* PL_NEVER: not waiting */
    int64_t end_us;    /* of the whole search */
} lifetime;

struct pl_stun_nat {
    pl_stun_nat_conf conf;
    pl_nat_stage stage, told;
    bool told_any;
    probe probes[N_PROBES];
    hairpin hairpin;
    lifetime life;
    int64_t next_start_us;
    pl_nat_result result;
};

static inline bool pl_stun_nat_answered(const pl_stun_nat *n, probe_id id)
{
    return n->probes[id].state == ANSWERED;
}

/* nat_judge.c: each fills in its part of the result from the probes that are settled. */
void pl_stun_nat_know_first(pl_stun_nat *n);
void pl_stun_nat_know_filtering(pl_stun_nat *n);
void pl_stun_nat_know_mapping(pl_stun_nat *n);
void pl_stun_nat_know_pooling(pl_stun_nat *n);
void pl_stun_nat_know_fragments(pl_stun_nat *n);

#endif
