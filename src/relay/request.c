/* Requests: who asks, what is asked, and the form of every answer. */
#include "relay/relay_internal.h"

enum { UNAUTH_PER_S = 1000, UNAUTH_BURST_S = 2 };

/* ---- answers ---- */

static const uint16_t codes[PL_RELAY_CODES] = { 300, 400, 401, 403, 405, 420, 437, 438, 440,
                                                441, 442, 443, 446, 447, 486, 500, 508 };

uint16_t pl_relay_code(unsigned i)
{
    return i < PL_RELAY_CODES ? codes[i] : 0;
}

static void count_error(pl_relay *r, uint16_t code)
{
    unsigned i = 0;
    while (i < PL_RELAY_CODES - 1 && codes[i] != code)
        i++;
    r->count.errors[i]++; /* the last one counts all others */
}

pl_stun_wr relay_answer(pl_relay *r, pl_stun_class cls, const relay_ask *ask)
{
    uint8_t *out = relay_batch_bytes(r, RELAY_ANSWER_MAX);
    if (!out)
        r->count.drop[PL_RELAY_DROP_BUSY]++;
    return pl_stun_begin_reply(out, out ? RELAY_ANSWER_MAX : 0, cls, ask->m);
}

/* Gives back what the answer did not need, and sends it. */
static void send_answer(pl_relay *r, void *sock, pl_relay_conn *conn, const pl_path *path, pl_stun_wr *s)
{
    size_t len = pl_stun_end(s);
    if (!s->w.start)
        return;
    r->n_bytes -= (uint32_t)(RELAY_ANSWER_MAX - len);
    if (len)
        (void)relay_send_bytes(r, sock, conn, path, s->w.start, len);
}

void relay_answer_end(pl_relay *r, const relay_ask *ask, pl_stun_wr *s)
{
    if (r->software[0] && ask->auth.sign)
        pl_stun_put_str(s, PL_STUN_SOFTWARE, pl_str_of(r->software));
    pl_stun_auth_sign(&ask->auth, s);
    if (ask->fingerprint)
        pl_stun_put_fingerprint(s);
    send_answer(r, ask->sock, ask->conn, ask->path, s);
}

void relay_end_late(pl_relay *r, const relay_alloc *a, const relay_late *late, pl_stun_wr *s)
{
    pl_stun_auth_result by = { .sign = late->sign, .sha256 = late->sha256, .known = a->known };
    if (r->software[0] && by.sign)
        pl_stun_put_str(s, PL_STUN_SOFTWARE, pl_str_of(r->software));
    pl_stun_auth_sign(&by, s);
    if (late->fingerprint)
        pl_stun_put_fingerprint(s);
    pl_wipe(&by, sizeof by);
    send_answer(r, a->sock, a->conn, &a->client, s);
}

void relay_refuse_late(pl_relay *r, const relay_alloc *a, uint16_t method, const relay_late *late,
                       uint16_t code)
{
    count_error(r, code);
    pl_stun_wr s = relay_begin_late(r, PL_STUN_ERROR, method, late);
    pl_stun_put_error(&s, code, NULL);
    relay_end_late(r, a, late, &s);
}

relay_late relay_later(const relay_ask *ask)
{
    relay_late late = { .sign = ask->auth.sign, .sha256 = ask->auth.sha256, .fingerprint = ask->fingerprint };
    memcpy(late.txid, ask->m->id, sizeof late.txid);
    return late;
}

pl_stun_wr relay_begin_late(pl_relay *r, pl_stun_class cls, uint16_t method, const relay_late *late)
{
    uint8_t *out = relay_batch_bytes(r, RELAY_ANSWER_MAX);
    if (!out)
        r->count.drop[PL_RELAY_DROP_BUSY]++;
    return pl_stun_begin(out, out ? RELAY_ANSWER_MAX : 0, cls, method, late->txid);
}

void relay_refuse(pl_relay *r, const relay_ask *ask, uint16_t code)
{
    count_error(r, code);
    pl_stun_wr s = relay_answer(r, PL_STUN_ERROR, ask);
    pl_stun_put_error(&s, code, NULL);
    if (code == 420)
        pl_stun_put_unknown(&s, ask->m->unknown, ask->m->n_unknown);
    relay_answer_end(r, ask, &s);
}

void relay_redirect(pl_relay *r, const relay_ask *ask, const pl_addr *to)
{
    count_error(r, 300);
    pl_stun_wr s = relay_answer(r, PL_STUN_ERROR, ask);
    pl_stun_put_error(&s, 300, NULL);
    pl_stun_put_addr(&s, PL_STUN_ALTERNATE_SERVER, to);
    relay_answer_end(r, ask, &s);
}

/* ---- strangers ---- */

uint64_t relay_client_key(const pl_relay *r, const pl_addr *client)
{
    /* Whoever has an IPv6 address has a /64 of them. */
    return pl_siphash(r->shared_key, client->ip, client->family == PL_AF_IP4 ? 4 : 8);
}

/* A request without valid credentials costs its client one unit, and more when the answer is longer than one and a
 * half times the request: so what a forged source makes us send is bounded per victim. Clients share a slot by chance,
 * and then its units. */
static bool stranger_may(pl_relay *r, const pl_addr *client, size_t asked, size_t answer)
{
    uint32_t per_s = r->policy->unauth_per_s ? r->policy->unauth_per_s : UNAUTH_PER_S;
    if (per_s == UINT32_MAX)
        return true;
    int64_t units = (int64_t)((2 * answer + 3 * asked - 1) / (3 * asked));
    int64_t *full_us = &r->unauth_full_us[relay_client_key(r, client) % RELAY_UNAUTH_SLOTS];
    int64_t full = pl_max_us(*full_us, r->now_us) + units * (1000000 / per_s);
    if (full - r->now_us > PL_SEC(UNAUTH_BURST_S)) {
        r->count.drop[PL_RELAY_DROP_UNAUTH_RATE]++;
        return false;
    }
    *full_us = full;
    return true;
}

/* 400, 401, 438: without SOFTWARE; the phrase only where the answer stays within one and a half times the request. */
static void challenge(pl_relay *r, relay_ask *ask)
{
    uint16_t code = ask->auth.code;
    pl_stun_wr s;
    for (int brief = 0; brief < 2; brief++) {
        s = relay_answer(r, PL_STUN_ERROR, ask);
        pl_stun_put_error(&s, code, brief ? "" : NULL);
        if (code != 400)
            pl_stun_auth_challenge(r->auth, r->now_us + r->wall_offset_us, &ask->path->remote, &s);
        if (ask->fingerprint)
            pl_stun_put_fingerprint(&s);
        if (brief || !s.w.start || pl_stun_end(&s) * 2 <= ask->m->len * 3)
            break;
        r->n_bytes -= RELAY_ANSWER_MAX;
    }
    size_t len = pl_stun_end(&s);
    if (len && stranger_may(r, &ask->path->remote, ask->m->len, len)) {
        count_error(r, code);
        r->count.challenges += code != 400;
    } else {
        s.w.bad = true;
    }
    send_answer(r, ask->sock, ask->conn, ask->path, &s);
}

/* ---- who and what ---- */

static bool authenticate(pl_relay *r, relay_ask *ask)
{
    ask->auth = (pl_stun_auth_result){ 0 };
    if (!r->auth)
        return true;
    const relay_alloc *a = ask->alloc;
    if (pl_stun_auth_check(r->auth, r->now_us + r->wall_offset_us, ask->m, &ask->path->remote,
                           a ? &a->known : NULL, &ask->auth) == 0)
        return true;
    challenge(r, ask);
    return false;
}

/* Methods that need an allocation of this user's at this 5-tuple (RFC 8656 5, RFC 8489 9.2.4). */
static bool has_allocation(pl_relay *r, const relay_ask *ask)
{
    const relay_alloc *a = ask->alloc;
    if (!a) {
        relay_refuse(r, ask, 437);
        return false;
    }
    if (a->known.user != ask->auth.known.user) {
        relay_refuse(r, ask, 441);
        return false;
    }
    if (a->pending) {
        r->count.drop[PL_RELAY_DROP_BUSY]++; /* nobody can know yet that there is one */
        return false;
    }
    return true;
}

static void dispatch(pl_relay *r, relay_ask *ask)
{
    switch (ask->m->method) {
    case PL_STUN_ALLOCATE: relay_on_allocate(r, ask); break;
    case PL_STUN_REFRESH: relay_on_refresh(r, ask); break;
    case PL_STUN_CONNECTION_BIND: relay_on_connection_bind(r, ask); break;
    case PL_STUN_CREATE_PERMISSION:
        if (has_allocation(r, ask))
            relay_on_create_permission(r, ask);
        break;
    case PL_STUN_CHANNEL_BIND:
        if (has_allocation(r, ask))
            relay_on_channel_bind(r, ask);
        break;
    case PL_STUN_CONNECT:
        if (has_allocation(r, ask))
            relay_on_connect(r, ask);
        break;
    default: break;
    }
}

static bool is_method(uint16_t method)
{
    switch (method) {
    case PL_STUN_ALLOCATE:
    case PL_STUN_REFRESH:
    case PL_STUN_CREATE_PERMISSION:
    case PL_STUN_CHANNEL_BIND:
    case PL_STUN_CONNECT:
    case PL_STUN_CONNECTION_BIND: return true;
    default: return false;
    }
}

void relay_request(pl_relay *r, relay_ask *ask)
{
    r->count.requests++;
    if (!is_method(ask->m->method)) {
        r->count.drop[PL_RELAY_DROP_MALFORMED]++; /* RFC 8489 6.3: an unknown method gets no answer */
        return;
    }
    if (!authenticate(r, ask))
        return;
    if (ask->alloc && ask->alloc->known.user == ask->auth.known.user)
        ask->alloc->known = ask->auth.known;
    if (ask->m->n_unknown)
        relay_refuse(r, ask, 420);
    else
        dispatch(r, ask);
    pl_wipe(&ask->auth, sizeof ask->auth);
}
