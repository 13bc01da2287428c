/* Requests under way: how each is written, when it goes out again, when nobody will answer it any more. */
#include "turn/turn_internal.h"

enum {
    PROTOCOL_UDP = 17,
    FAMILY_IP6 = 2,
    DRAFT_ADDITIONAL_ADDRESS_FAMILY = 0x8032 /* as coturn up to 4.6 knows it; who does not passes over it */
};

/* A retransmission timeout from what the round trips were, once they are known (RFC 6298); streams retransmit by
 * themselves. */
static pl_stun_tx_conf timing(const pl_turn *t)
{
    if (t->path.proto == PL_TCP)
        return (pl_stun_tx_conf){ .rto_us = t->patience_us, .rc = 1, .rm = 1 };
    int64_t rto_us = t->srtt_us ? pl_max_us(t->srtt_us + 4 * t->rttvar_us, RTO_MIN_US) : t->rto_us;
    return (
        pl_stun_tx_conf){ .rto_us = rto_us, .rto_max_us = pl_max_us(RTO_MAX_US, rto_us), .rc = UINT8_MAX };
}

void pl_turn_ask_again(pl_turn *t, turn_ask *a, int64_t at_us)
{
    pl_stun_tx_conf conf = timing(t);
    pl_stun_tx_start(&a->tx, &conf, &t->rand, at_us);
}

void pl_turn_ask_start(pl_turn *t, turn_ask *a)
{
    a->n_errors = 0;
    a->hint_code = 0;
    a->tries = (pl_stun_cred_try){ 0 };
    pl_turn_ask_again(t, a, t->now_us);
}

turn_ask *pl_turn_ask_free(pl_turn *t)
{
    for (size_t i = 1; i < ASKS_MAX; i++)
        if (t->asks[i].kind == ASK_NONE)
            return &t->asks[i];
    return NULL;
}

/* What it asked for may be asked for again, and be let go of if nobody wants it any more. */
void pl_turn_ask_done(pl_turn *t, turn_ask *a)
{
    for (size_t i = 0; a->kind == ASK_PERMIT && i < PL_TURN_PEERS_MAX; i++) {
        if (!(a->permits >> i & 1))
            continue;
        t->permits[i].asking = false;
        if (!t->permits[i].wanted)
            pl_turn_permit_forget(&t->permits[i]);
    }
    if (a->kind == ASK_BIND)
        t->channels[a->channel].asking = false;
    *a = (turn_ask){ .kind = ASK_NONE };
}

/* While we move, the server does not know the address that other requests would come from. */
static bool on_hold(const pl_turn *t, const turn_ask *a)
{
    return a->kind == ASK_NONE || (t->state == PL_TURN_MOVING && a != &t->asks[0]);
}

/* A farewell is not waited for: the server forgets us by itself. */
static int64_t given_up_us(const pl_turn *t, const turn_ask *a)
{
    if (!a->tx.n_sent)
        return PL_NEVER;
    return a->tx.sent_us +
           (t->state == PL_TURN_CLOSING ? pl_min_us(t->patience_us, FAREWELL_US) : t->patience_us);
}

int64_t pl_turn_ask_next_us(const pl_turn *t, const turn_ask *a)
{
    return on_hold(t, a) ? PL_NEVER : pl_min_us(pl_stun_tx_next_us(&a->tx), given_up_us(t, a));
}

bool pl_turn_ask_dead(const pl_turn *t, const turn_ask *a)
{
    return !on_hold(t, a) && (given_up_us(t, a) <= t->now_us || pl_stun_tx_dead(&a->tx, t->now_us));
}

bool pl_turn_ask_due(const pl_turn *t, const turn_ask *a)
{
    return !on_hold(t, a) && !pl_turn_ask_dead(t, a) && pl_stun_tx_due(&a->tx, t->now_us);
}

static uint16_t method_of(const turn_ask *a)
{
    switch (a->kind) {
    case ASK_ALLOCATE: return PL_STUN_ALLOCATE;
    case ASK_REFRESH: return PL_STUN_REFRESH;
    case ASK_PERMIT: return PL_STUN_CREATE_PERMISSION;
    default: return PL_STUN_CHANNEL_BIND;
    }
}

bool pl_turn_ask_is(const turn_ask *a, const pl_stun_msg *m)
{
    return a->kind != ASK_NONE && m->method == method_of(a) && pl_stun_tx_is(&a->tx, m);
}

/* RFC 8656 7.1. IPv4 is what a server gives unasked. */
static void put_allocate(const pl_turn *t, pl_stun_wr *s)
{
    pl_stun_put_u8(s, PL_STUN_REQUESTED_TRANSPORT, PROTOCOL_UDP);
    if (t->lifetime_s)
        pl_stun_put_u32(s, PL_STUN_LIFETIME, t->lifetime_s);
    if (t->families == PL_TURN_IP6)
        pl_stun_put_u8(s, PL_STUN_REQUESTED_ADDRESS_FAMILY, FAMILY_IP6);
    else if (t->families & PL_TURN_IP6) {
        pl_stun_put_u8(s, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, FAMILY_IP6);
        pl_stun_put_u8(s, DRAFT_ADDITIONAL_ADDRESS_FAMILY, FAMILY_IP6);
    }
    if (t->mobility)
        pl_stun_put_flag(s, PL_STUN_MOBILITY_TICKET);
    if (t->software[0])
        pl_stun_put_str(s, PL_STUN_SOFTWARE, pl_str_of(t->software));
}

static void put_refresh(const pl_turn *t, pl_stun_wr *s)
{
    if (t->state == PL_TURN_CLOSING)
        pl_stun_put_u32(s, PL_STUN_LIFETIME, 0);
    else if (t->lifetime_s)
        pl_stun_put_u32(s, PL_STUN_LIFETIME, t->lifetime_s);
    if (t->state == PL_TURN_MOVING)
        pl_stun_put(s, PL_STUN_MOBILITY_TICKET, t->ticket, t->ticket_len);
}

static void put_permit(const pl_turn *t, const turn_ask *a, pl_stun_wr *s)
{
    for (size_t i = 0; i < PL_TURN_PEERS_MAX; i++)
        if (a->permits >> i & 1)
            pl_stun_put_xor_addr(s, PL_STUN_XOR_PEER_ADDRESS, &t->permits[i].ip);
}

size_t pl_turn_ask_write(pl_turn *t, turn_ask *a, uint8_t *out, size_t cap)
{
    if (cap > PL_TURN_DGRAM_MAX)
        cap = PL_TURN_DGRAM_MAX;
    pl_stun_wr s = pl_stun_begin(out, cap, PL_STUN_REQUEST, method_of(a), a->tx.id);
    switch (a->kind) {
    case ASK_ALLOCATE: put_allocate(t, &s); break;
    case ASK_REFRESH: put_refresh(t, &s); break;
    case ASK_PERMIT: put_permit(t, a, &s); break;
    default:
        pl_stun_put_u16(&s, PL_STUN_CHANNEL_NUMBER, t->channels[a->channel].number);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &t->channels[a->channel].peer);
        break;
    }
    pl_stun_cred_put(&t->cred, &s, &a->tries);
    size_t len = pl_stun_end(&s);
    if (len) {
        t->count.requests++;
        t->count.retransmissions += a->tx.n_sent > 0;
        pl_stun_tx_sent(&a->tx, t->now_us);
    }
    return len;
}
