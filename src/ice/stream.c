/* Connections: to TURN servers, and to the peer from active and simultaneous-open TCP candidates (RFC 6544). The driver
 * opens them; here is who wants which, and what becomes of it. */
#include <stdlib.h>

#include "ice/agent_internal.h"

ice_stream *pl_ice_stream_new(pl_ice *ice, const pl_addr *local, const pl_addr *remote)
{
    ice_stream *s = ice->n_streams < PL_ICE_STREAMS_MAX ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->id = ++ice->next_stream;
    s->local = *local;
    s->remote = *remote;
    ice->n_streams++;
    pl_list_push_back(&ice->streams, &s->in_streams);
    return s;
}

static void stream_free(pl_ice *ice, ice_stream *s)
{
    pl_list_remove(&s->in_streams);
    ice->n_streams--;
    free(s);
}

/* Its owner is done with it. The driver hears of that, if it ever heard of the stream. */
void pl_ice_stream_release(pl_ice *ice, ice_stream **at)
{
    ice_stream *s = *at;
    *at = NULL;
    if (!s)
        return;
    s->turn = NULL;
    s->pair = NULL;
    if (!s->told)
        stream_free(ice, s);
}

static ice_stream *find(const pl_ice *ice, uint32_t id)
{
    PL_EACH (n, &ice->streams) {
        ice_stream *s = pl_of(n, ice_stream, in_streams);
        if (s->id == id && s->told && (s->turn || s->pair))
            return s;
    }
    return NULL;
}

/* The pair whose connection a message came over. */
ice_pair *pl_ice_stream_pair(const pl_ice *ice, const pl_path *path)
{
    PL_EACH (n, &ice->streams) {
        const ice_stream *s = pl_of(n, ice_stream, in_streams);
        if (s->pair && s->up && pl_addr_eq(&s->local, &path->local) && pl_addr_eq(&s->remote, &path->remote))
            return s->pair;
    }
    return NULL;
}

void pl_ice_stream_up(pl_ice *ice, int64_t now_us, uint32_t stream, const pl_addr *local)
{
    ice_stream *s = find(ice, stream);
    ice->now_us = now_us;
    if (!s || s->up || ice->closed || local->family != s->remote.family)
        return;
    s->up = true;
    s->local = *local;
    if (s->turn)
        pl_ice_relay_stream_up(ice, s->turn);
    else
        pl_ice_trigger(ice, s->pair); /* what it was opened for */
    pl_ice_update_state(ice);
}

/* Simultaneous open needs both sides in the same instant, more or less: it is tried several times. */
static void pair_down(pl_ice *ice, ice_pair *p, bool was_up)
{
    bool again = !was_up && p->base->tcptype == PL_ICE_TCPTYPE_SO && p->n_checks < ICE_CHECKS_MAX;
    pl_ice_drop_txs_of(ice, p, NULL);
    pl_list_remove(&p->in_triggered);
    if (again) {
        p->hold_us = ice->now_us + PL_MS(20) * p->n_checks;
        if (p->state == PL_ICE_PAIR_IN_PROGRESS)
            pl_ice_pair_enter(ice, p, PL_ICE_PAIR_WAITING, "not opened: once more");
    } else {
        pl_ice_pair_give_up(ice, p, "its connection is closed");
    }
}

void pl_ice_stream_down(pl_ice *ice, int64_t now_us, uint32_t stream)
{
    ice_stream *s = find(ice, stream);
    ice->now_us = now_us;
    if (!s || ice->closed)
        return;
    ice_turn *t = s->turn;
    ice_pair *p = s->pair;
    bool was_up = s->up;
    stream_free(ice, s);
    if (t)
        pl_ice_relay_stream_down(ice, t);
    if (p) {
        p->stream = NULL;
        pair_down(ice, p, was_up);
    }
    pl_ice_update_state(ice);
}

/* ---- connections the peer opened ---- */

static ice_pair *accepted_pair(const ice_session *s, const pl_path *path)
{
    PL_EACH (n, &s->pairs) {
        ice_pair *p = pl_of(n, ice_pair, in_pairs);
        bool listens = p->base->tcptype == PL_ICE_TCPTYPE_PASSIVE || p->base->tcptype == PL_ICE_TCPTYPE_SO;
        if (!p->stream && listens && pl_addr_eq(&p->base->addr, &path->local) &&
            pl_addr_eq(&p->remote->addr, &path->remote))
            return p;
    }
    return NULL;
}

void pl_ice_accepted_down(pl_ice *ice, int64_t now_us, const pl_path *path)
{
    ice_session *sessions[] = { ice->cur, ice->prev };
    ice->now_us = now_us;
    for (int i = 0; i < 2; i++) {
        ice_pair *p = sessions[i] ? accepted_pair(sessions[i], path) : NULL;
        if (p)
            pl_ice_pair_give_up(ice, p, "the peer has closed its connection");
    }
    pl_ice_update_state(ice);
}

bool pl_ice_wants_accepted(const pl_ice *ice, const pl_path *path)
{
    const ice_pair *p = accepted_pair(ice->cur, path);
    if (!p && ice->prev)
        p = accepted_pair(ice->prev, path);
    return p && !ice->closed && p->state != PL_ICE_PAIR_FAILED && (p->valid || !pl_ice_nominated(p->session));
}

/* ---- events ---- */

static void describe(const ice_stream *s, pl_ice_connect *out)
{
    *out = (pl_ice_connect){
        .stream = s->id, .local = s->local, .remote = s->remote, .simultaneous = s->simultaneous
    };
    if (!s->turn)
        return;
    out->to_turn = true;
    out->tls = s->turn->server->tls;
    out->server_id = s->turn->server->id;
    memcpy(out->server_name, s->turn->name, sizeof out->server_name);
}

bool pl_ice_tell_stream(pl_ice *ice, pl_ice_event *out)
{
    PL_EACH (n, &ice->streams) {
        ice_stream *s = pl_of(n, ice_stream, in_streams);
        bool owned = s->turn || s->pair;
        if (owned && s->told)
            continue;
        *out = (pl_ice_event){ .kind = owned ? PL_ICE_EV_CONNECT : PL_ICE_EV_DISCONNECT };
        if (owned) {
            s->told = true;
            describe(s, &out->u.connect);
        } else {
            out->u.stream = s->id;
            stream_free(ice, s);
        }
        return true;
    }
    return false;
}

void pl_ice_streams_free(pl_ice *ice)
{
    PL_EACH (n, &ice->streams)
        stream_free(ice, pl_of(n, ice_stream, in_streams));
}
