/* turn_internal.h - what the rooms of the TURN client share; nobody outside turn/ includes it.
 * An ask is one request under way: Allocate or Refresh (at most one of both, in slot 0), and any of a few
 * CreatePermissions and ChannelBinds. Permissions and channels are slots of fixed tables, so asks name them by
 * index; a slot that is being asked for is never given to another peer. */
#ifndef PL_TURN_INTERNAL_H
#define PL_TURN_INTERNAL_H

#include "base/log.h"
#include "stun/credentials.h"
#include "stun/message.h"
#include "stun/transaction.h"
#include "turn/client.h"

enum {
    ASKS_MAX = 9,   /* slot 0 is the allocation's */
    BATCH_MAX = 12, /* peers in one CreatePermission: 12 of IPv6 are 288 bytes */
    TRIED_MAX = 1 + PL_TURN_REDIRECTS_MAX,
    SOFTWARE_MAX = 64,
    ERRORS_MAX = 3, /* refusals of one request that may pass, each tried again a second later */
    RELAYED_MAX = 2
};

/* RFC 8656 9 and 12: what the server grants, and how long before the end we ask again. A request has its whole
 * patience inside the margin, several times over. */
#define PERMIT_LIFE_US  PL_SEC(300)
#define CHANNEL_LIFE_US PL_SEC(600)
#define MARGIN_US       PL_SEC(60)
#define TOGETHER_US     PL_SEC(30) /* permissions due within this go into one request */
#define FAREWELL_US     PL_SEC(2)
#define ERROR_PAUSE_US  PL_SEC(1)
#define RTO_MIN_US      PL_MS(100)
#define RTO_MAX_US      PL_MS(1600)

typedef enum turn_ask_kind { ASK_NONE, ASK_ALLOCATE, ASK_REFRESH, ASK_PERMIT, ASK_BIND } turn_ask_kind;

typedef struct turn_ask {
    uint8_t kind; /* turn_ask_kind */
    uint8_t n_errors;
    uint8_t channel;    /* ASK_BIND: slot */
    bool probing;       /* ASK_REFRESH: silence means the server is gone */
    uint16_t hint_code; /* an error that nobody signed: told if nothing better comes */
    uint64_t permits;   /* ASK_PERMIT: a bit a slot */
    pl_stun_tx tx;
    pl_stun_cred_try tries;
} turn_ask;

typedef struct turn_permit {
    pl_addr ip; /* no port, no scope; PL_AF_NONE: free slot */
    bool wanted, asking;
    bool alone;          /* in a request of its own, since one of several was refused */
    uint8_t state, told; /* pl_turn_permission; told: STANDS or DENIED as an event said, else NONE */
    uint16_t code;
    int64_t until_us; /* the server forgets it then */
    int64_t at_us;    /* to be asked for (again); PL_NEVER */
} turn_permit;

typedef struct turn_channel {
    pl_addr peer; /* PL_AF_NONE: free slot */
    uint16_t
        number; /* number % PL_TURN_CHANNELS_MAX is the slot; a new number each time the slot is given away */
    bool wanted, asking, bound;
    bool untold; /* an event is due: bound, or code */
    uint16_t code;
    int64_t until_us, at_us;
} turn_channel;

struct pl_turn {
    pl_rand rand;
    pl_log log;
    int64_t now_us;
    uint8_t state; /* pl_turn_state */
    pl_path path;
    pl_stun_cred cred;
    char software[SOFTWARE_MAX + 1];

    /* what was asked for */
    uint8_t families;
    uint32_t lifetime_s;
    int64_t rto_us, patience_us, keepalive_us;
    bool mobility, connection;
    uint8_t n_redirects, n_tried;
    pl_addr tried[TRIED_MAX];

    /* what was given */
    pl_addr relayed[RELAYED_MAX], mapped;
    uint32_t granted_s;
    int64_t until_us;   /* the allocation ends then; PL_NEVER before it began */
    int64_t refresh_us; /* to be refreshed then */
    bool probe_wanted;
    bool moved; /* answered from the new address */
    uint8_t ticket[PL_TURN_TICKET_MAX];
    uint16_t ticket_len;

    turn_ask asks[ASKS_MAX];
    turn_permit permits[PL_TURN_PEERS_MAX];
    turn_channel channels[PL_TURN_CHANNELS_MAX];
    uint8_t n_permits, n_channels; /* slots up to the last one in use: what is looked at for every packet */
    uint8_t last_channel;          /* slot of the last wrapped packet */
    int64_t srtt_us, rttvar_us;
    int64_t last_sent_us;

    /* events not yet told */
    bool tell_allocated, tell_icmp, tell_moved;
    bool has_end, tell_end; /* `end` is known, and due */
    pl_turn_event end, icmp;

    pl_turn_counters count;
};

/* ---- client.c: the life of the allocation ---- */
/* The only place where the state changes. */
void pl_turn_enter(pl_turn *t, pl_turn_state to, const char *why);
/* The last event, if there is none yet; and the same, being GONE from now on. */
void pl_turn_tell_end(pl_turn *t, pl_turn_event_kind kind, uint16_t code, const char *why);
void pl_turn_end(pl_turn *t, pl_turn_event_kind kind, uint16_t code, const char *why);

/* ---- ask.c: requests under way ---- */
void pl_turn_ask_start(pl_turn *t, turn_ask *a); /* due at once, with a fresh budget */
void pl_turn_ask_again(pl_turn *t, turn_ask *a,
                       int64_t at_us);  /* a new id, after a challenge, an error, a move */
turn_ask *pl_turn_ask_free(pl_turn *t); /* NULL: all are busy. Never slot 0 */
void pl_turn_ask_done(pl_turn *t, turn_ask *a);
bool pl_turn_ask_is(const turn_ask *a, const pl_stun_msg *m);                /* m answers it */
size_t pl_turn_ask_write(pl_turn *t, turn_ask *a, uint8_t *out, size_t cap); /* 0: does not fit */
int64_t pl_turn_ask_next_us(const pl_turn *t, const turn_ask *a);
bool pl_turn_ask_due(const pl_turn *t, const turn_ask *a);
bool pl_turn_ask_dead(const pl_turn *t, const turn_ask *a);

/* ---- answer.c: what the server says ---- */
bool pl_turn_on_answer(pl_turn *t, const pl_stun_msg *m); /* false: to none of ours */
void pl_turn_on_silence(pl_turn *t, turn_ask *a);

/* ---- allocation.c ---- */
void pl_turn_allocation_tick(pl_turn *t); /* starts a Refresh when one is due */
int64_t pl_turn_allocation_next_us(const pl_turn *t);
void pl_turn_on_allocated(pl_turn *t, turn_ask *a, const pl_stun_msg *m);
void pl_turn_on_refreshed(pl_turn *t, turn_ask *a, const pl_stun_msg *m);
void pl_turn_on_allocation_error(pl_turn *t, turn_ask *a, const pl_stun_msg *m, uint16_t code,
                                 const char *why);
void pl_turn_release(pl_turn *t); /* CLOSING, and a Refresh with lifetime 0 */

/* ---- peers.c ---- */
void pl_turn_peers_tick(pl_turn *t); /* starts requests that are due, lets go of what has run out */
int64_t pl_turn_peers_next_us(const pl_turn *t);
void pl_turn_on_permitted(pl_turn *t, turn_ask *a);
void pl_turn_on_bound(pl_turn *t, turn_ask *a);
void pl_turn_on_peer_error(pl_turn *t, turn_ask *a, uint16_t code);
void pl_turn_permit_forget(turn_permit *p); /* the slot is free */
turn_permit *pl_turn_permit_find(const pl_turn *t, const pl_addr *ip);
turn_channel *pl_turn_channel_find(const pl_turn *t, const pl_addr *peer);

/* ---- data.c ---- */
pl_turn_got pl_turn_on_channel_data(pl_turn *t, const uint8_t *pkt, size_t len, pl_turn_data *out);
pl_turn_got pl_turn_on_indication(pl_turn *t, const pl_stun_msg *m, pl_turn_data *out);

static inline bool pl_turn_is_up(const pl_turn *t)
{
    return t->state == PL_TURN_READY || t->state == PL_TURN_MOVING;
}

#endif
