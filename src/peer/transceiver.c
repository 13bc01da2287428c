/* transceiver.c - handles of transceivers, and the docking of engines to them. */
#include "desc/jsep.h"
#include "peer/peer_internal.h"

#include <stdio.h>
#include <stdlib.h>

pl_rtp_transceiver *peer_transceiver(pl_peer_connection *p, int index)
{
    pl_rtp_transceiver *t = p->transceiver[index];
    if (t)
        return t;
    pl_pc_media_info info;
    t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    pl_pc_media_info_get(p->core, index, &info);
    t->peer = p;
    t->index = index;
    t->kind = info.kind;
    p->transceiver[index] = t;
    return t;
}

typedef struct addition {
    pl_media_type kind;
    bool by_track;
    const pl_transceiver_init *init;
} addition;

/* arg: addition; result: pl_rtp_transceiver ** */
static pl_err do_add(peer_call *c, pl_pc *core, int64_t now_us)
{
    const addition *a = c->arg;
    pl_rtp_transceiver **out = c->result;
    int index;
    pl_err err = pl_pc_add_transceiver(core, now_us, a->kind, a->by_track, a->init, &index);
    if (err)
        return err;
    *out = peer_transceiver(c->p, index);
    return *out ? PL_OK : PL_ENOMEM;
}

static pl_err add(pl_peer_connection *p, const addition *a, pl_rtp_transceiver **out)
{
    peer_call c = { .p = p, .fn = do_add, .arg = a, .result = out };
    *out = NULL;
    if ((a->kind != PL_AUDIO && a->kind != PL_VIDEO) || (a->init && a->init->direction >= PL_STOPPED))
        return PL_EINVAL;
    return peer_carry(&c);
}

pl_err pl_peer_connection_add_transceiver(pl_peer_connection *p, pl_media_type kind,
                                          const pl_transceiver_init *init, pl_rtp_transceiver **out)
{
    const addition a = { .kind = kind, .init = init };
    return add(p, &a, out);
}

pl_err pl_peer_connection_add_track(pl_peer_connection *p, pl_media_type kind,
                                    const pl_transceiver_init *init, pl_rtp_transceiver **out)
{
    const addition a = { .kind = kind, .by_track = true, .init = init };
    return add(p, &a, out);
}

typedef struct listing {
    pl_rtp_transceiver **out;
    size_t cap, n;
} listing;

/* result: listing */
static pl_err do_list(peer_call *c, pl_pc *core, int64_t now_us)
{
    listing *l = c->result;
    (void)now_us;
    l->n = (size_t)pl_pc_n_transceivers(core);
    for (size_t i = 0; i < l->n && i < l->cap; i++)
        l->out[i] = peer_transceiver(c->p, (int)i);
    return PL_OK;
}

size_t pl_peer_connection_get_transceivers(pl_peer_connection *p, pl_rtp_transceiver **out, size_t cap)
{
    listing l = { .out = out, .cap = cap };
    peer_call c = { .p = p, .fn = do_list, .result = &l };
    return peer_carry(&c) ? 0 : l.n;
}

/* ---- one transceiver ---- */

/* number: index; result: pl_pc_media_info */
static pl_err do_info(peer_call *c, pl_pc *core, int64_t now_us)
{
    (void)now_us;
    pl_pc_media_info_get(core, c->number, c->result);
    return PL_OK;
}

static pl_pc_media_info info_of(pl_rtp_transceiver *t)
{
    pl_pc_media_info info = { .direction = PL_STOPPED, .current_direction = PL_STOPPED };
    peer_call c = { .p = t->peer, .fn = do_info, .number = t->index, .result = &info };
    (void)peer_carry(&c);
    return info;
}

pl_media_type pl_rtp_transceiver_kind(const pl_rtp_transceiver *t)
{
    return t->kind;
}

void pl_rtp_transceiver_mid(pl_rtp_transceiver *t, char *out, size_t cap)
{
    pl_pc_media_info info = info_of(t);
    snprintf(out, cap, "%s", info.mid);
}

pl_direction pl_rtp_transceiver_direction(pl_rtp_transceiver *t)
{
    return info_of(t).direction;
}

pl_direction pl_rtp_transceiver_current_direction(pl_rtp_transceiver *t)
{
    return info_of(t).current_direction;
}

typedef struct remote_track {
    char stream[PL_JSEP_STREAMS_MAX][PL_STREAM_ID_MAX + 1], track[PL_STREAM_ID_MAX + 1];
    size_t n;
} remote_track;

/* number: index; result: remote_track */
static pl_err do_remote(peer_call *c, pl_pc *core, int64_t now_us)
{
    const char *id[PL_JSEP_STREAMS_MAX], *track;
    remote_track *out = c->result;
    (void)now_us;
    out->n = pl_pc_remote_streams(core, c->number, id, PL_JSEP_STREAMS_MAX, &track);
    for (size_t i = 0; i < out->n; i++)
        snprintf(out->stream[i], sizeof out->stream[i], "%s", id[i]);
    snprintf(out->track, sizeof out->track, "%s", track ? track : "");
    return PL_OK;
}

static remote_track remote_of(pl_rtp_transceiver *t)
{
    remote_track r = { .n = 0 };
    peer_call c = { .p = t->peer, .fn = do_remote, .number = t->index, .result = &r };
    (void)peer_carry(&c);
    return r;
}

bool pl_rtp_transceiver_remote_stream(pl_rtp_transceiver *t, size_t stream, char *out, size_t cap)
{
    remote_track r = remote_of(t);
    snprintf(out, cap, "%s", stream < r.n ? r.stream[stream] : "");
    return stream < r.n;
}

void pl_rtp_transceiver_remote_track(pl_rtp_transceiver *t, char *out, size_t cap)
{
    remote_track r = remote_of(t);
    snprintf(out, cap, "%s", r.track);
}

/* number: index; arg: pl_direction */
static pl_err do_direction(peer_call *c, pl_pc *core, int64_t now_us)
{
    return pl_pc_set_direction(core, now_us, c->number, *(const pl_direction *)c->arg);
}

pl_err pl_rtp_transceiver_set_direction(pl_rtp_transceiver *t, pl_direction direction)
{
    peer_call c = { .p = t->peer, .fn = do_direction, .number = t->index, .arg = &direction };
    return direction >= PL_STOPPED ? PL_EINVAL : peer_carry(&c);
}

/* number: index */
static pl_err do_stop(peer_call *c, pl_pc *core, int64_t now_us)
{
    return pl_pc_stop_transceiver(core, now_us, c->number);
}

pl_err pl_rtp_transceiver_stop(pl_rtp_transceiver *t)
{
    peer_call c = { .p = t->peer, .fn = do_stop, .number = t->index };
    return peer_carry(&c);
}

/* ---- engines ---- */

/* result: pl_rtp_transceiver; arg: pl_media_port, or NULL to detach */
static pl_err do_attach(peer_call *c, pl_pc *core, int64_t now_us)
{
    static const pl_media_port nobody;
    pl_rtp_transceiver *t = c->result;
    pl_pc_media_info info;
    (void)now_us;
    t->port = c->arg ? *(const pl_media_port *)c->arg : nobody;
    pl_pc_attach_media(core, t->index, c->arg ? &t->port.rings : NULL);
    pl_pc_media_info_get(core, t->index, &info);
    if (t->port.changed)
        t->port.changed(t->port.user, &info);
    return PL_OK;
}

pl_err pl_peer_attach_media(pl_rtp_transceiver *t, const pl_media_port *port)
{
    peer_call c = { .p = t->peer, .fn = do_attach, .result = t, .arg = port };
    return peer_carry(&c);
}

void pl_peer_detach_media(pl_rtp_transceiver *t)
{
    peer_call c = { .p = t->peer, .fn = do_attach, .result = t };
    (void)peer_carry(&c); /* a connection that is gone has let go already */
}

void pl_peer_media_kick(pl_rtp_transceiver *t)
{
    (void)pl_wake_up(&t->peer->kick); /* refused only when the loop is drowning; the next kick serves both */
}

/* ---- statistics ---- */

/* result: pl_stats_report ** */
static pl_err do_stats(peer_call *c, pl_pc *core, int64_t now_us)
{
    return pl_pc_get_stats(core, now_us, c->result);
}

pl_err pl_peer_connection_get_stats(pl_peer_connection *p, pl_stats_report **out)
{
    peer_call c = { .p = p, .fn = do_stats, .result = out };
    *out = NULL;
    return peer_carry(&c);
}

/* result: pl_setup_times */
static pl_err do_times(peer_call *c, pl_pc *core, int64_t now_us)
{
    (void)now_us;
    pl_pc_setup_times(core, c->result);
    return PL_OK;
}

void pl_peer_connection_get_setup_times(pl_peer_connection *p, pl_setup_times *out)
{
    peer_call c = { .p = p, .fn = do_times, .result = out };
    *out = (pl_setup_times){ -1, -1, -1, -1, -1, -1 };
    (void)peer_carry(&c);
}
