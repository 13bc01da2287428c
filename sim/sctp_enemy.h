/* sctp_enemy.h - a peer that has gone mad: it has watched a handshake, so it knows tags, TSNs and the cookie, and makes
 * packets that are right in form and checksum and wrong in everything else.
 * Source   what RFC 9260, 3758, 6525 and 8260 forbid, or leave open for a peer to overdo.
 * Shape    plain data. sim_enemy_saw learns from every honest packet; sim_enemy_packet writes the next attack. All from
 *          a seed. */
#ifndef SIM_SCTP_ENEMY_H
#define SIM_SCTP_ENEMY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"

typedef enum sim_attack {
    SIM_ATTACK_MUTANT,      /* an honest packet with wrong bytes */
    SIM_ATTACK_NOISE,       /* chunks of any type with random bodies */
    SIM_ATTACK_DATA,        /* fragments with any flags, near the right TSN */
    SIM_ATTACK_ENDLESS,     /* one message of tiny fragments, in order, that never ends */
    SIM_ATTACK_HOLES,       /* every second TSN, tiny */
    SIM_ATTACK_WAITING,     /* whole messages whose turn never comes, on every stream there is */
    SIM_ATTACK_INTERLEAVED, /* the beginnings of many messages at once */
    SIM_ATTACK_SACK_LIES,   /* acknowledgements of what was never sent, overlapping and endless gaps */
    SIM_ATTACK_OPTIMIST,    /* acknowledgements of everything, early */
    SIM_ATTACK_WINDOWS,     /* windows of 0, of 1 byte, of 4 GiB */
    SIM_ATTACK_FORWARD,     /* FORWARD TSN far ahead, with streams that do not exist */
    SIM_ATTACK_RECONFIG,    /* resets and additions in any order */
    SIM_ATTACK_INIT,        /* a flood of INIT, well-formed and not */
    SIM_ATTACK_COOKIE,      /* the old cookie again, whole and broken */
    SIM_ATTACK_HEARTBEAT,   /* requests to be echoed */
    SIM_ATTACK_UNKNOWN,     /* chunks that ask to be reported */
    SIM_ATTACK_END,         /* parts of a shutdown at the wrong time */
    SIM_ATTACKS
} sim_attack;

typedef struct sim_enemy {
    pl_rand_seeded state;
    pl_rand rand;
    uint32_t tag, own_tag;           /* that the victim expects, and that it sends */
    uint32_t tsn;                    /* the last that went to the victim, of an honest peer or of ours */
    uint32_t their_tsn, their_first; /* the last that the victim sent; the last that was acknowledged */
    uint32_t request_seq, response_seq;
    uint32_t mid, fsn;
    uint16_t sid;
    bool interleaved, begun;
    bool lethal; /* one in ten: it also says what ends an association at once, so its siege is short */
    uint8_t cookie[1024], honest[1500];
    size_t cookie_len, honest_len;
} sim_enemy;

void sim_enemy_init(sim_enemy *e, uint64_t seed);
/* An honest packet, before the enemy took over: from the victim, or to it. */
void sim_enemy_saw(sim_enemy *e, bool from_victim, const uint8_t *pkt, size_t len);
/* The next packet of this kind; its length, at most cap. */
size_t sim_enemy_packet(sim_enemy *e, sim_attack attack, uint8_t *out, size_t cap);
const char *sim_attack_str(sim_attack attack);

#endif
