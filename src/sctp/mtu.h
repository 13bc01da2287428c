/* mtu.h - how large a packet the path carries: probing for more, and noticing when it carries less.
 * Source   RFC 8899 4.3 (black holes), 5.1 (timers and counts), 5.2 (states), 5.3 (search); RFC 8261 5: within DTLS
 *          no router's word reaches us, so only packets that arrive tell a size.
 * Shape    plain data inside an association, nothing to free. The association sends the probes (HEARTBEAT and PAD of
 *          exactly that size, which nothing misses when it is lost), and tells what became of them.
 *            RESTING --full packet--> BASE --arrived--> SEARCHING --all sizes tried--> COMPLETE --600 s--> RESTING
 *            BASE --lost--> ERROR --arrived--> SEARCHING;  a doubted size that is lost leads back to BASE
 *          A probe counts as lost only when the peer was heard from since: a dark path says nothing of sizes.
 * Units    bytes of one SCTP packet, multiples of four; microseconds. */
#ifndef PL_SCTP_MTU_H
#define PL_SCTP_MTU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PL_SCTP_MTU_PROBES = 3, /* of one size, lost one after the other: MAX_PROBES */
    PL_SCTP_MTU_STEP = 32,  /* the search ends when it knows the size as exactly */
    PL_SCTP_MTU_FAR = 1452  /* nothing longer goes far */
};

typedef enum pl_sctp_mtu_state {
    PL_SCTP_MTU_OFF,       /* the size is what was configured */
    PL_SCTP_MTU_RESTING,   /* no packet was full yet, or not since the last search */
    PL_SCTP_MTU_BASE,      /* does the base size arrive? */
    PL_SCTP_MTU_SEARCHING, /* does a larger one? */
    PL_SCTP_MTU_COMPLETE,  /* it is known, for a while */
    PL_SCTP_MTU_ERROR      /* not even the base size does */
} pl_sctp_mtu_state;

typedef struct pl_sctp_mtu {
    pl_sctp_mtu_state state;
    size_t base, max;
    size_t size;      /* what packets may have */
    size_t bad;       /* the least that is known not to arrive */
    size_t probe;     /* what is being tried; 0: nothing */
    bool near;        /* round trips are short: packets beyond Ethernet's delay nobody */
    bool due;         /* the probe is to be sent (again) */
    bool doubted;     /* the probe is of the size in use, because its packets vanish */
    bool heard;       /* the peer, since the probe went */
    unsigned n_tries; /* of this probe that were lost */
    int64_t due_us;   /* the probe is lost, or a search is due; PL_NEVER */
    uint64_t nonce;   /* of the probe, so that nobody can answer what did not arrive */
} pl_sctp_mtu;

/* max at most base: no probing. */
void pl_sctp_mtu_init(pl_sctp_mtu *m, size_t base, size_t max);
/* Another path, or none any more: the base size, until a packet is full. */
void pl_sctp_mtu_restart(pl_sctp_mtu *m);
/* A packet was full: larger ones would be of use. */
void pl_sctp_mtu_full(pl_sctp_mtu *m);
/* Packets of this size vanish: is it still good? */
void pl_sctp_mtu_doubt(pl_sctp_mtu *m);
/* The probe has gone. wait_us: an answer may take that long; it is given a second in any case. */
void pl_sctp_mtu_sent(pl_sctp_mtu *m, int64_t now_us, int64_t wait_us);
/* A probe has arrived. True when `size` has changed; the same for expired. */
bool pl_sctp_mtu_arrived(pl_sctp_mtu *m, size_t size, int64_t now_us);
/* due_us has passed. */
bool pl_sctp_mtu_expired(pl_sctp_mtu *m, int64_t now_us);
const char *pl_sctp_mtu_state_str(pl_sctp_mtu_state state);
void pl_sctp_mtu_check(const pl_sctp_mtu *m);

#endif
