/* nat.h - what kind of NAT stands between us and the world.
 * Source   RFC 5780 4.2 to 4.7 (behaviour discovery), RFC 4787 (the words), RFC 3489 5 (the classic names).
 * Shape    sans-I/O with the eight verbs, over several UDP sockets of the owner, named by number: socket n is
 *          bound to conf.local[n], all on one local IP, each a fresh port used for nothing else. Filtering is
 *          looked at before anything is sent to the server's other address, for that would open the way it is
 *          to find closed. A server without OTHER-ADDRESS is asked as much as one address can tell; whatever
 *          is not known says why.
 * Units    microseconds.
 * Errors   none after new: everything that fails is a result.
 * Thread   its owner's. */
#ifndef PL_STUN_NAT_H
#define PL_STUN_NAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/rand.h"
#include "base/time.h"

enum {
    PL_STUN_NAT_MAPPING = 0, /* socket numbers, by the test that owns them */
    PL_STUN_NAT_FILTERING = 1,
    PL_STUN_NAT_HAIRPIN = 2,
    PL_STUN_NAT_LIFETIME = 3,
    PL_STUN_NAT_LIFETIME2 = 4, /* asks for answers to socket 3 */
    PL_STUN_NAT_N_SOCKETS = 5,
    PL_STUN_NAT_DGRAM_MAX = 2048 /* most bytes that poll_output writes */
};

/* RFC 4787's words for mapping (4.1) and filtering (5). */
typedef enum pl_nat_behaviour {
    PL_NAT_UNKNOWN = 0,
    PL_NAT_NONE, /* mapping: addresses are not changed; filtering: does not occur */
    PL_NAT_ENDPOINT_INDEPENDENT,
    PL_NAT_ADDRESS_DEPENDENT,
    PL_NAT_ADDRESS_PORT_DEPENDENT
} pl_nat_behaviour;

typedef enum pl_nat_classic {
    PL_NAT_CLASSIC_UNKNOWN = 0,
    PL_NAT_OPEN, /* open internet */
    PL_NAT_FULL_CONE,
    PL_NAT_RESTRICTED_CONE,
    PL_NAT_PORT_RESTRICTED_CONE,
    PL_NAT_SYMMETRIC,
    PL_NAT_SYMMETRIC_FIREWALL, /* no translation, but only answers come in */
    PL_NAT_UDP_BLOCKED
} pl_nat_classic;

typedef enum pl_nat_truth { PL_NAT_MAYBE = 0, PL_NAT_YES, PL_NAT_NO } pl_nat_truth;

/* Why something is not known. */
typedef enum pl_nat_why {
    PL_NAT_KNOWN = 0,
    PL_NAT_NOT_ASKED,   /* the configuration left it out, or it is not over yet */
    PL_NAT_NO_ANSWER,   /* UDP is blocked, or the server is not there */
    PL_NAT_REFUSED,     /* the server answers with an error: refused_code */
    PL_NAT_ONE_ADDRESS, /* the server has no OTHER-ADDRESS */
    PL_NAT_NO_CHANGE,   /* the server refuses CHANGE-REQUEST */
    PL_NAT_NO_RESPONSE_PORT,
    PL_NAT_NO_PADDING,
    PL_NAT_OTHER_SILENT, /* the server's other address does not answer */
    PL_NAT_NO_NAT,       /* nothing is translated: the question does not arise */
    PL_NAT_UNSTABLE,     /* the answers contradict each other (the mapping changed meanwhile) */
    PL_NAT_OUT_OF_TIME
} pl_nat_why;

typedef struct pl_nat_result {
    pl_nat_classic classic;
    pl_nat_behaviour mapping, filtering;
    pl_nat_why mapping_why, filtering_why, hairpin_why, lifetime_why, fragments_why;
    pl_addr local, mapped; /* of the first socket; mapped: family none when nobody answered */
    pl_addr other;         /* the server's OTHER-ADDRESS, family none without */
    bool translated;       /* local and mapped differ */
    bool port_preserved;   /* the mapped port is the local one */
    pl_nat_truth pooled;   /* RFC 4787 4.1: another IP for another of our ports (arbitrary pooling) */
    pl_nat_truth hairpin;
    pl_nat_truth fragments;  /* UDP fragments pass in both directions */
    int64_t lifetime_min_us; /* a binding that was silent so long was still alive; 0: not known */
    int64_t lifetime_max_us; /* one silent so long was gone; PL_NEVER: none was found gone */
    uint16_t refused_code;   /* of the first question, or 0 */
    int64_t rtt_us;          /* to the server, at most; -1: not known */
    char software[64];       /* of the server, or "" */
} pl_nat_result;

typedef enum pl_nat_stage {
    PL_NAT_STAGE_BINDING,   /* the first answer */
    PL_NAT_STAGE_FILTERING, /* before the other address has been sent to */
    PL_NAT_STAGE_MAPPING,
    PL_NAT_STAGE_HAIRPIN,
    PL_NAT_STAGE_FRAGMENTS,
    PL_NAT_STAGE_LIFETIME,
    PL_NAT_STAGE_DONE
} pl_nat_stage;

typedef struct pl_stun_nat_conf {
    pl_addr server;
    pl_addr local[PL_STUN_NAT_N_SOCKETS]; /* with the real IP (not "any"), else NAT and none look alike */
    bool lifetime;                        /* takes minutes: off by default */
    int64_t lifetime_limit_us;            /* longest silence tried; 0: 10 min */
    int64_t lifetime_total_us;            /* the whole search ends by then; 0: 20 min */
    int64_t rto_us;                       /* first wait of a question; 0: 500 ms, RFC 8489's */
    uint8_t rc; /* transmissions of a question that may well stay unanswered; 0: 4 */
    pl_rand rand;
} pl_stun_nat_conf;

typedef struct pl_stun_nat_event {
    pl_nat_stage stage; /* entered; DONE is the last event */
    uint8_t step, n_steps;
} pl_stun_nat_event;

typedef struct pl_stun_nat pl_stun_nat;

/* Errors: PL_EINVAL (server or local without family, families that differ), PL_ENOMEM. */
PL_NODISCARD pl_err pl_stun_nat_new(pl_stun_nat **out, const pl_stun_nat_conf *conf, int64_t now_us);
/* A datagram that came to socket number `socket` from `from`. */
void pl_stun_nat_input(pl_stun_nat *n, int64_t now_us, unsigned socket, const pl_addr *from, const void *pkt,
                       size_t len);
void pl_stun_nat_tick(pl_stun_nat *n, int64_t now_us);
int64_t pl_stun_nat_next_us(const pl_stun_nat *n); /* or PL_NEVER */
/* One datagram for socket number *socket; out->path.local is that socket's address. */
bool pl_stun_nat_poll_output(pl_stun_nat *n, int64_t now_us, pl_dgram *out, unsigned *socket);
/* Stages as they begin; after DONE the result is complete and nothing more happens. */
bool pl_stun_nat_poll_event(pl_stun_nat *n, pl_stun_nat_event *out);
void pl_stun_nat_check(const pl_stun_nat *n);
void pl_stun_nat_free(pl_stun_nat *n); /* NULL is fine */
/* What is known by now. */
const pl_nat_result *pl_stun_nat_get_result(const pl_stun_nat *n);

/* The classic name of a mapping and filtering (RFC 3489 5); filtering may be unknown. */
pl_nat_classic pl_nat_classic_of(pl_nat_behaviour mapping, pl_nat_behaviour filtering);
const char *pl_nat_behaviour_str(pl_nat_behaviour b); /* "endpoint-independent", "none", "unknown", ... */
const char *pl_nat_classic_str(pl_nat_classic c);     /* "full cone", "open internet", ... */
const char *pl_nat_why_str(pl_nat_why w);             /* a clause: "the server has no second address" */
const char *pl_nat_stage_str(pl_nat_stage s);         /* "mapping", ... */

#endif
