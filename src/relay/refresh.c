/* Refresh: RFC 8656 8, and RFC 8016 3.2, by which an allocation follows its client to another address. */
#include "crypto/base64.h"
#include "relay/relay_internal.h"

enum { TAG_LEN = 15, TICKET_TEXT = PL_BASE64_LEN(RELAY_TICKET_LEN) };
_Static_assert(RELAY_TICKET_LEN % 3 == 0, "its text needs no padding, so there is one text a ticket");

/* ---- tickets ---- */

/* Nobody else can make one, and nobody but the user who has the allocation can use one. It travels as text, since
 * coturn's clients keep it as a string. */
static void tag(const pl_relay *r, const uint8_t *ticket, uint8_t out[TAG_LEN])
{
    uint8_t whole[PL_SHA256_LEN];
    pl_slice part = { ticket, RELAY_TICKET_LEN - TAG_LEN };
    pl_hmac_sha256(relay_shared_secret(r->shared), 32, &part, 1, whole);
    memcpy(out, whole, TAG_LEN);
}

void relay_put_ticket(const pl_relay *r, const relay_alloc *a, pl_stun_wr *s)
{
    uint8_t ticket[RELAY_TICKET_LEN];
    char text[TICKET_TEXT + 1];
    ticket[0] = (uint8_t)r->thread;
    pl_put64(ticket + 1, a->id);
    tag(r, ticket, ticket + RELAY_TICKET_LEN - TAG_LEN);
    pl_stun_put(s, PL_STUN_MOBILITY_TICKET, text, pl_base64_encode(ticket, sizeof ticket, text));
}

static bool read_ticket(const pl_relay *r, pl_rd value, uint8_t *thread, uint64_t *id)
{
    uint8_t expected[TAG_LEN], p[RELAY_TICKET_LEN];
    size_t n;
    if (pl_rd_left(&value) != TICKET_TEXT ||
        !pl_base64_decode((const char *)value.p, TICKET_TEXT, p, sizeof p, &n) || n != sizeof p)
        return false;
    tag(r, p, expected);
    *thread = p[0];
    *id = (uint64_t)pl_get32(p + 1) << 32 | pl_get32(p + 5);
    return pl_ct_eq(expected, p + RELAY_TICKET_LEN - TAG_LEN, TAG_LEN);
}

/* ---- the request ---- */

typedef struct wish {
    uint32_t lifetime_s;
    bool end;
    uint8_t family; /* pl_family; none: all */
} wish;

static uint16_t read_wish(const pl_relay *r, const pl_stun_msg *m, wish *w)
{
    uint32_t asked_s;
    uint8_t family;
    pl_err err = pl_stun_get_u32(m, PL_STUN_LIFETIME, &asked_s);
    pl_err family_err = pl_stun_get_u8(m, PL_STUN_REQUESTED_ADDRESS_FAMILY, &family);
    if (err == PL_EPROTO || family_err == PL_EPROTO)
        return 400;
    w->end = err == PL_OK && asked_s == 0;
    w->lifetime_s = w->end ? 0 : relay_lifetime_s(r, err ? PL_RELAY_LIFETIME_MIN_S : asked_s);
    if (family_err == PL_OK && family != 1 && family != 2)
        return 443;
    w->family = family_err ? PL_AF_NONE : family == 1 ? PL_AF_IP4 : PL_AF_IP6;
    return 0;
}

static void answer(pl_relay *r, const relay_ask *ask, const relay_alloc *a, const wish *w)
{
    pl_stun_wr s = relay_answer(r, PL_STUN_SUCCESS, ask);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, w->lifetime_s);
    if (a->mobile && !w->end)
        relay_put_ticket(r, a, &s);
    relay_answer_end(r, ask, &s);
}

/* Lifetime 0 for one family of two ends that address alone. */
static void end_some(pl_relay *r, relay_alloc *a, const wish *w)
{
    if (w->family && a->port[0] && a->port[1]) {
        int side = relay_side(w->family);
        relay_port_close(r, a->port[side]);
        a->port[side] = NULL;
    } else {
        relay_alloc_end(r, a, PL_RELAY_WHY_CLIENT);
    }
}

static void refresh(pl_relay *r, const relay_ask *ask, relay_alloc *a, const wish *w)
{
    r->count.refreshes++;
    answer(r, ask, a, w);
    if (w->end) {
        end_some(r, a, w);
        return;
    }
    a->lifetime_s = w->lifetime_s;
    relay_alloc_until(r, a, r->now_us + PL_SEC(w->lifetime_s));
}

/* ---- mobility ---- */

static void move(pl_relay *r, const relay_ask *ask, relay_alloc *a, const wish *w)
{
    if (relay_alloc_place(r, a, ask)) {
        relay_refuse(r, ask, 508);
        return;
    }
    /* A repeated Allocate of the old address must not be taken for one from here. */
    memset(a->late.txid, 0, sizeof a->late.txid);
    r->count.moved++;
    relay_tell(r, a, RELAY_NEWS_MOVED);
    refresh(r, ask, a, w);
}

/* From a 5-tuple without allocation, with a ticket. */
static void come_over(pl_relay *r, const relay_ask *ask, pl_rd ticket, const wish *w)
{
    uint8_t thread;
    uint64_t id;
    if (!r->mobility || !read_ticket(r, ticket, &thread, &id)) {
        relay_refuse(r, ask, r->mobility ? 400 : 405);
        return;
    }
    relay_alloc *a = relay_alloc_standing(r, relay_alloc_by_id(r, id));
    pl_relay_claim claim = { .kind = RELAY_CLAIM_ALLOCATION, .id = id, .user = ask->auth.known.user };
    if (!a && relay_fetch_from(r, ask, thread, &claim))
        return;
    uint16_t code = !a ? 437 : a->known.user != ask->auth.known.user ? 441 : 0;
    if (!code && w->family && !a->port[relay_side(w->family)])
        code = 443;
    if (code || a->pending)
        relay_refuse(r, ask, code ? code : 437);
    else if (w->end)
        refresh(r, ask, a, w);
    else
        move(r, ask, a, w);
}

void relay_on_refresh(pl_relay *r, relay_ask *ask)
{
    wish w = { 0 };
    pl_rd ticket;
    relay_alloc *a = ask->alloc;
    uint16_t code = read_wish(r, ask->m, &w);
    if (!code && !a && pl_stun_find(ask->m, PL_STUN_MOBILITY_TICKET, &ticket)) {
        come_over(r, ask, ticket, &w);
        return;
    }
    if (!code && !a)
        code = 437;
    if (!code && a->known.user != ask->auth.known.user)
        code = 441;
    if (!code && w.family && !a->port[relay_side(w.family)])
        code = 443;
    if (code)
        relay_refuse(r, ask, code);
    else if (a->pending)
        r->count.drop[PL_RELAY_DROP_BUSY]++;
    else
        refresh(r, ask, a, &w);
}
