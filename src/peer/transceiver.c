/* transceiver.c - handles of transceivers, and the docking of engines to them. */
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

typedef struct call {
    pl_peer_connection *p;
    pl_rtp_transceiver *t;
    void (*fn)(struct call *c, pl_pc *core, int64_t now_us);
    pl_err err;
    pl_media_type kind;
    bool by_track;
    const pl_transceiver_init *init;
    const pl_media_port *port;
    pl_direction direction;
    pl_pc_media_info info;
    pl_rtp_transceiver **list;
    size_t n, cap;
    pl_stats_report *report;
    pl_setup_times *times;
} call;

static void run(void *arg)
{
    call *c = arg;
    pl_peer_connection *p = c->p;
    if (!p->core) {
        c->err = PL_ESTATE;
        return;
    }
    p->in_call++;
    c->fn(c, p->core, pl_loop_now_us(p->factory->net));
    if (c->err) {
        pl_mutex_lock(&p->lock);
        snprintf(p->error, sizeof p->error, "%s", pl_pc_error_text(p->core));
        pl_mutex_unlock(&p->lock);
    }
    peer_pump(p);
    p->in_call--;
}

static pl_err carry(call *c)
{
    pl_err err = pl_loop_call(c->p->factory->net, run, c);
    return err ? err : c->err;
}

static void do_add(call *c, pl_pc *core, int64_t now_us)
{
    int index;
    c->err = pl_pc_add_transceiver(core, now_us, c->kind, c->by_track, c->init, &index);
    if (!c->err && !(c->t = peer_transceiver(c->p, index)))
        c->err = PL_ENOMEM;
}

static pl_err add(pl_peer_connection *p, pl_media_type kind, bool by_track, const pl_transceiver_init *init,
                  pl_rtp_transceiver **out)
{
    call c = { .p = p, .fn = do_add, .kind = kind, .init = init, .by_track = by_track };
    *out = NULL;
    if ((kind != PL_AUDIO && kind != PL_VIDEO) || (init && init->direction >= PL_STOPPED))
        return PL_EINVAL;
    pl_err err = carry(&c);
    *out = err ? NULL : c.t;
    return err;
}

pl_err pl_peer_connection_add_transceiver(pl_peer_connection *p, pl_media_type kind,
                                          const pl_transceiver_init *init, pl_rtp_transceiver **out)
{
    return add(p, kind, false, init, out);
}

pl_err pl_peer_connection_add_track(pl_peer_connection *p, pl_media_type kind,
                                    const pl_transceiver_init *init, pl_rtp_transceiver **out)
{
    return add(p, kind, true, init, out);
}

static void do_list(call *c, pl_pc *core, int64_t now_us)
{
    (void)now_us;
    c->n = (size_t)pl_pc_n_transceivers(core);
    for (size_t i = 0; i < c->n && i < c->cap; i++)
        c->list[i] = peer_transceiver(c->p, (int)i);
}

size_t pl_peer_connection_get_transceivers(pl_peer_connection *p, pl_rtp_transceiver **out, size_t cap)
{
    call c = { .p = p, .fn = do_list, .list = out, .cap = cap };
    return carry(&c) ? 0 : c.n;
}

/* ---- one transceiver ---- */

static void do_info(call *c, pl_pc *core, int64_t now_us)
{
    (void)now_us;
    pl_pc_media_info_get(core, c->t->index, &c->info);
}

static pl_pc_media_info info_of(pl_rtp_transceiver *t)
{
    call c = { .p = t->peer, .t = t, .fn = do_info };
    c.info.direction = c.info.current_direction = PL_STOPPED;
    (void)carry(&c);
    return c.info;
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

static void do_direction(call *c, pl_pc *core, int64_t now_us)
{
    c->err = pl_pc_set_direction(core, now_us, c->t->index, c->direction);
}

pl_err pl_rtp_transceiver_set_direction(pl_rtp_transceiver *t, pl_direction direction)
{
    call c = { .p = t->peer, .t = t, .fn = do_direction, .direction = direction };
    return direction >= PL_STOPPED ? PL_EINVAL : carry(&c);
}

static void do_stop(call *c, pl_pc *core, int64_t now_us)
{
    c->err = pl_pc_stop_transceiver(core, now_us, c->t->index);
}

pl_err pl_rtp_transceiver_stop(pl_rtp_transceiver *t)
{
    call c = { .p = t->peer, .t = t, .fn = do_stop };
    return carry(&c);
}

/* ---- engines ---- */

static void do_attach(call *c, pl_pc *core, int64_t now_us)
{
    pl_pc_media_info info;
    (void)now_us;
    c->t->port = *c->port;
    pl_pc_attach_media(core, c->t->index, &c->port->rings);
    pl_pc_media_info_get(core, c->t->index, &info);
    if (c->port->changed)
        c->port->changed(c->port->user, &info);
}

pl_err pl_peer_attach_media(pl_rtp_transceiver *t, const pl_media_port *port)
{
    call c = { .p = t->peer, .t = t, .fn = do_attach, .port = port };
    return carry(&c);
}

static void do_detach(call *c, pl_pc *core, int64_t now_us)
{
    (void)now_us;
    pl_pc_attach_media(core, c->t->index, NULL);
    c->t->port = (pl_media_port){ 0 };
}

void pl_peer_detach_media(pl_rtp_transceiver *t)
{
    call c = { .p = t->peer, .t = t, .fn = do_detach };
    (void)carry(&c); /* a connection that is gone has let go already */
}

void pl_peer_media_kick(pl_rtp_transceiver *t)
{
    (void)pl_wake_up(&t->peer->kick); /* refused only when the loop is drowning; the next kick serves both */
}

/* ---- statistics ---- */

/* Channels stand in the handles, so their objects are added here. */
static pl_err add_channels(pl_peer_connection *p, pl_stats_report *r)
{
    pl_err err = PL_OK;
    pl_mutex_lock(&p->lock);
    PL_EACH (n, &p->channels) {
        pl_data_channel *c = pl_of(n, pl_data_channel, in_peer);
        pl_channel_stats s = { 0 };
        pl_stats *more = realloc(r->stats, (r->n + 1) * sizeof *more);
        if (!more) {
            err = PL_ENOMEM;
            break;
        }
        r->stats = more;
        pl_stats *out = &r->stats[r->n++];
        *out = (pl_stats){ .type = PL_STATS_DATA_CHANNEL, .timestamp = r->stats[0].timestamp };
        if (c->core)
            pl_channel_get_stats(c->core, &s);
        snprintf(out->id, sizeof out->id, "D%d", atomic_load(&c->id));
        snprintf(out->u.data_channel.label, PL_STATS_TEXT_MAX, "%s", c->label);
        snprintf(out->u.data_channel.protocol, PL_STATS_TEXT_MAX, "%s", c->protocol);
        snprintf(out->u.data_channel.state, sizeof out->u.data_channel.state, "%s",
                 pl_data_channel_state_str(pl_data_channel_get_state(c)));
        out->u.data_channel.data_channel_identifier = atomic_load(&c->id);
        out->u.data_channel.messages_sent = s.messages_sent;
        out->u.data_channel.bytes_sent = s.bytes_sent;
        out->u.data_channel.messages_received = s.messages_received;
        out->u.data_channel.bytes_received = s.bytes_received;
    }
    pl_mutex_unlock(&p->lock);
    return err;
}

static void do_stats(call *c, pl_pc *core, int64_t now_us)
{
    c->err = pl_pc_get_stats(core, now_us, &c->report);
    if (!c->err && (c->err = add_channels(c->p, c->report))) {
        pl_stats_report_free(c->report);
        c->report = NULL;
    }
}

pl_err pl_peer_connection_get_stats(pl_peer_connection *p, pl_stats_report **out)
{
    call c = { .p = p, .fn = do_stats };
    pl_err err = carry(&c);
    *out = err ? NULL : c.report;
    return err;
}

static void do_times(call *c, pl_pc *core, int64_t now_us)
{
    (void)now_us;
    pl_pc_setup_times(core, c->times);
}

void pl_peer_connection_get_setup_times(pl_peer_connection *p, pl_setup_times *out)
{
    call c = { .p = p, .fn = do_times, .times = out };
    *out = (pl_setup_times){ -1, -1, -1, -1, -1, -1 };
    (void)carry(&c);
}
