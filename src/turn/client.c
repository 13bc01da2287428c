/* The verbs of the TURN client, each a list of calls into the rooms; its states and its events. */
#include "turn/client.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "turn/turn_internal.h"

/* ---- states ---- */

static const uint8_t may_go[] = {
    [PL_TURN_ALLOCATING] = 1 << PL_TURN_READY | 1 << PL_TURN_CLOSING | 1 << PL_TURN_GONE,
    [PL_TURN_READY] = 1 << PL_TURN_MOVING | 1 << PL_TURN_CLOSING | 1 << PL_TURN_GONE,
    [PL_TURN_MOVING] = 1 << PL_TURN_READY | 1 << PL_TURN_CLOSING | 1 << PL_TURN_GONE,
    [PL_TURN_CLOSING] = 1 << PL_TURN_GONE,
    [PL_TURN_GONE] = 0,
};

const char *pl_turn_state_str(pl_turn_state state)
{
    static const char *const name[] = { "allocating", "ready", "moving", "closing", "gone" };
    return (size_t)state < sizeof name / sizeof *name ? name[state] : "?";
}

void pl_turn_enter(pl_turn *t, pl_turn_state to, const char *why)
{
    assert(may_go[t->state] & 1 << to);
    pl_log_debug(&t->log, "%s -> %s: %s", pl_turn_state_str(t->state), pl_turn_state_str(to), why);
    t->state = (uint8_t)to;
    if (to == PL_TURN_CLOSING || to == PL_TURN_GONE) {
        t->until_us = t->refresh_us = PL_NEVER;
        t->probe_wanted = t->tell_moved = t->tell_icmp = false;
    }
    for (size_t i = 0; to == PL_TURN_GONE && i < ASKS_MAX; i++)
        pl_turn_ask_done(t, &t->asks[i]);
}

void pl_turn_tell_end(pl_turn *t, pl_turn_event_kind kind, uint16_t code, const char *why)
{
    if (t->has_end)
        return;
    t->has_end = t->tell_end = true;
    t->end.kind = kind;
    t->end.code = code;
    size_t n = 0;
    for (; why[n] && n < PL_TURN_REASON_MAX; n++) /* a peer's words may hold anything */
        t->end.reason[n] = why[n] >= ' ' && why[n] <= '~' ? why[n] : '?';
    t->end.reason[n] = '\0';
}

void pl_turn_end(pl_turn *t, pl_turn_event_kind kind, uint16_t code, const char *why)
{
    pl_turn_tell_end(t, kind, code, why);
    pl_turn_enter(t, PL_TURN_GONE, why);
}

/* ---- birth and death ---- */

static bool conf_ok(const pl_turn_conf *c)
{
    bool addresses = c->local.family == c->server.family && c->server.port && c->local.port &&
                     (c->server.family == PL_AF_IP4 || c->server.family == PL_AF_IP6);
    return addresses && (c->proto == PL_UDP || c->proto == PL_TCP) &&
           c->families <= (PL_TURN_IP4 | PL_TURN_IP6) && !c->username == !c->password;
}

static int64_t or_default(int64_t v, int64_t otherwise)
{
    return v > 0 ? v : otherwise;
}

static void take_conf(pl_turn *t, const pl_turn_conf *c, int64_t now_us)
{
    bool stream = c->proto == PL_TCP;
    t->rand = c->rand;
    pl_log_name(&t->log, "turn", c->log_id);
    t->path = (pl_path){ .local = c->local, .remote = c->server, .proto = c->proto };
    t->families = c->families ? c->families : PL_TURN_IP4;
    t->lifetime_s = c->lifetime_s;
    t->mobility = c->mobility;
    t->connection = c->connection;
    t->n_redirects = c->n_redirects;
    t->tried[t->n_tried++] = c->server;
    t->rto_us = pl_max_us(or_default(c->rto_us, PL_MS(500)), RTO_MIN_US);
    t->patience_us = or_default(c->patience_us, stream ? PL_SEC(15) : PL_MS(7900));
    t->keepalive_us = stream ? PL_NEVER : or_default(c->keepalive_us, PL_SEC(20));
    t->now_us = t->last_sent_us = now_us;
    t->until_us = t->refresh_us = PL_NEVER;
    for (size_t i = 0; i < PL_TURN_PEERS_MAX; i++)
        t->permits[i].at_us = PL_NEVER;
}

pl_err pl_turn_new(pl_turn **out, const pl_turn_conf *conf, int64_t now_us)
{
    *out = NULL;
    if (!conf_ok(conf))
        return PL_EINVAL;
    pl_turn *t = calloc(1, sizeof *t);
    if (!t)
        return PL_ENOMEM;
    bool texts_ok =
        pl_str_copy(pl_str_of(conf->software ? conf->software : ""), t->software, sizeof t->software);
    if (texts_ok && conf->username)
        texts_ok = pl_stun_cred_set(&t->cred, pl_str_of(conf->username), pl_str_of(conf->password)) == PL_OK;
    if (!texts_ok) {
        pl_turn_free(t);
        return PL_EINVAL;
    }
    take_conf(t, conf, now_us);
    t->asks[0] = (turn_ask){ .kind = ASK_ALLOCATE };
    pl_turn_ask_start(t, &t->asks[0]);
    *out = t;
    return PL_OK;
}

void pl_turn_free(pl_turn *t)
{
    if (!t)
        return;
    pl_stun_cred_clear(&t->cred);
    free(t);
}

/* An Allocate that was signed may have been granted without our knowing. */
void pl_turn_close(pl_turn *t, int64_t now_us)
{
    t->now_us = now_us;
    if (t->state == PL_TURN_CLOSING || t->state == PL_TURN_GONE)
        return;
    bool maybe_granted = t->asks[0].kind == ASK_ALLOCATE && t->asks[0].tries.authed;
    if (pl_turn_is_up(t) || maybe_granted)
        pl_turn_release(t);
    else
        pl_turn_end(t, PL_TURN_CLOSED, 0, "nothing to give back");
}

void pl_turn_disconnected(pl_turn *t, int64_t now_us)
{
    t->now_us = now_us;
    switch (t->state) {
    case PL_TURN_ALLOCATING: pl_turn_end(t, PL_TURN_FAILED, 0, "the connection to the server is gone"); break;
    case PL_TURN_READY:
    case PL_TURN_MOVING: pl_turn_end(t, PL_TURN_LOST, 0, "the connection to the server is gone"); break;
    case PL_TURN_CLOSING: pl_turn_end(t, PL_TURN_CLOSED, 0, "the connection to the server is gone"); break;
    default: break;
    }
}

/* ---- in ---- */

static pl_turn_got on_message(pl_turn *t, const pl_stun_msg *m, pl_turn_data *data)
{
    switch (m->cls) {
    case PL_STUN_INDICATION:
        return m->method == PL_STUN_DATA ? pl_turn_on_indication(t, m, data) : PL_TURN_NOT_MINE;
    case PL_STUN_SUCCESS:
    case PL_STUN_ERROR: return pl_turn_on_answer(t, m) ? PL_TURN_CONTROL : PL_TURN_NOT_MINE;
    default: return PL_TURN_NOT_MINE;
    }
}

pl_turn_got pl_turn_input(pl_turn *t, int64_t now_us, const uint8_t *pkt, size_t len, pl_turn_data *data)
{
    pl_stun_msg m;
    t->now_us = now_us;
    if (len && pkt[0] >> 4 == 4) /* 0x4000 to 0x4fff (RFC 8656 12) */
        return pl_turn_on_channel_data(t, pkt, len, data);
    if (!pl_stun_is_message(pkt, len))
        return PL_TURN_NOT_MINE;
    if (pl_stun_parse(&m, pkt, len)) {
        t->count.bad_messages++;
        return PL_TURN_CONTROL;
    }
    return on_message(t, &m, data);
}

/* ---- time and out ---- */

/* What has become due since the last call. */
static void run(pl_turn *t)
{
    for (size_t i = 0; i < ASKS_MAX; i++)
        if (pl_turn_ask_dead(t, &t->asks[i]))
            pl_turn_on_silence(t, &t->asks[i]);
    if (t->state == PL_TURN_READY)
        pl_turn_peers_tick(t);
    if (pl_turn_is_up(t))
        pl_turn_allocation_tick(t);
}

void pl_turn_tick(pl_turn *t, int64_t now_us)
{
    t->now_us = now_us;
    run(t);
}

static int64_t keepalive_at_us(const pl_turn *t)
{
    bool wanted = pl_turn_is_up(t) && t->keepalive_us != PL_NEVER;
    return wanted ? t->last_sent_us + t->keepalive_us : PL_NEVER;
}

int64_t pl_turn_next_us(const pl_turn *t)
{
    int64_t next_us = keepalive_at_us(t);
    for (size_t i = 0; i < ASKS_MAX; i++)
        next_us = pl_min_us(next_us, pl_turn_ask_next_us(t, &t->asks[i]));
    if (t->state == PL_TURN_READY)
        next_us = pl_min_us(next_us, pl_turn_peers_next_us(t));
    if (pl_turn_is_up(t))
        next_us = pl_min_us(next_us, pl_turn_allocation_next_us(t));
    return next_us;
}

/* From now on what is sent to these peers may get through. */
static void note_asked(pl_turn *t, const turn_ask *a)
{
    for (size_t i = 0; a->kind == ASK_PERMIT && i < PL_TURN_PEERS_MAX; i++)
        if (a->permits >> i & 1 && t->permits[i].state == PL_TURN_PERMIT_NONE)
            t->permits[i].state = PL_TURN_PERMIT_ASKED;
}

static size_t write_keepalive(pl_turn *t, pl_dgram *out)
{
    uint8_t id[PL_STUN_ID_LEN];
    pl_rand_bytes(&t->rand, id, sizeof id);
    pl_stun_wr s = pl_stun_begin(out->data, out->cap, PL_STUN_INDICATION, PL_STUN_BINDING, id);
    t->count.keepalives++;
    return pl_stun_end(&s);
}

static size_t write_next(pl_turn *t, pl_dgram *out)
{
    for (size_t i = 0; i < ASKS_MAX; i++) {
        turn_ask *a = &t->asks[i];
        if (!pl_turn_ask_due(t, a))
            continue;
        size_t len = pl_turn_ask_write(t, a, out->data, out->cap);
        if (len) {
            note_asked(t, a);
            return len;
        }
        bool began = t->state != PL_TURN_ALLOCATING;
        pl_turn_end(t, began ? PL_TURN_LOST : PL_TURN_FAILED, 0, "a request does not fit into a datagram");
        return 0;
    }
    return keepalive_at_us(t) <= t->now_us ? write_keepalive(t, out) : 0;
}

bool pl_turn_poll_output(pl_turn *t, int64_t now_us, pl_dgram *out)
{
    t->now_us = now_us;
    run(t);
    out->len = write_next(t, out);
    if (!out->len)
        return false;
    out->segment = 0;
    out->path = t->path;
    t->last_sent_us = now_us;
    return true;
}

/* ---- events: what is, and has not been told ---- */

static bool tell_allocated(pl_turn *t, pl_turn_event *out)
{
    if (!t->tell_allocated)
        return false;
    t->tell_allocated = false;
    *out = (pl_turn_event){ .kind = PL_TURN_ALLOCATED, .mapped = t->mapped, .lifetime_s = t->granted_s };
    memcpy(out->relayed, t->relayed, sizeof out->relayed);
    return true;
}

static bool tell_permission(pl_turn *t, pl_turn_event *out)
{
    for (size_t i = 0; i < t->n_permits; i++) {
        turn_permit *p = &t->permits[i];
        bool settled = p->state == PL_TURN_PERMIT_STANDS || p->state == PL_TURN_PERMIT_DENIED;
        if (!p->wanted || !settled || p->told == p->state)
            continue;
        p->told = p->state;
        *out = (pl_turn_event){ .kind = PL_TURN_PERMISSION, .peer = p->ip };
        if (p->state == PL_TURN_PERMIT_DENIED) {
            out->code = p->code;
            (void)pl_str_copy(pl_str_of(pl_stun_reason(p->code)), out->reason, sizeof out->reason);
        }
        return true;
    }
    return false;
}

static bool tell_bound(pl_turn *t, pl_turn_event *out)
{
    for (size_t i = 0; i < t->n_channels; i++) {
        turn_channel *c = &t->channels[i];
        if (!c->untold)
            continue;
        c->untold = false;
        *out = (pl_turn_event){ .kind = PL_TURN_BOUND, .peer = c->peer, .code = c->code };
        if (c->code)
            (void)pl_str_copy(pl_str_of(pl_stun_reason(c->code)), out->reason, sizeof out->reason);
        return true;
    }
    return false;
}

bool pl_turn_poll_event(pl_turn *t, pl_turn_event *out)
{
    if (tell_allocated(t, out))
        return true;
    if (t->tell_end) {
        t->tell_end = false;
        *out = t->end;
        return true;
    }
    if (!pl_turn_is_up(t))
        return false;
    if (t->tell_moved) {
        t->tell_moved = false;
        *out = (pl_turn_event){ .kind = PL_TURN_MOVED };
        return true;
    }
    if (tell_permission(t, out) || tell_bound(t, out))
        return true;
    if (!t->tell_icmp)
        return false;
    t->tell_icmp = false;
    *out = t->icmp;
    return true;
}

/* ---- queries ---- */

pl_turn_state pl_turn_get_state(const pl_turn *t)
{
    return (pl_turn_state)t->state;
}

const pl_path *pl_turn_get_path(const pl_turn *t)
{
    return &t->path;
}

bool pl_turn_is_path(const pl_turn *t, const pl_path *path)
{
    return path->proto == t->path.proto && pl_addr_eq(&path->remote, &t->path.remote) &&
           pl_addr_eq(&path->local, &t->path.local);
}

bool pl_turn_get_relayed(const pl_turn *t, pl_family family, pl_addr *out)
{
    *out = t->relayed[family == PL_AF_IP6];
    return pl_turn_is_up(t) && out->family == family;
}

bool pl_turn_is_relayed(const pl_turn *t, const pl_addr *a)
{
    pl_addr relayed;
    return pl_turn_get_relayed(t, (pl_family)a->family, &relayed) && pl_addr_eq(&relayed, a);
}

int64_t pl_turn_rtt_us(const pl_turn *t)
{
    return t->srtt_us;
}

const pl_turn_counters *pl_turn_get_counters(const pl_turn *t)
{
    return &t->count;
}
