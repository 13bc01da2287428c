/* stream.c - the way of a packet through the server:
 *     publisher's ring > which source, captured when > for each viewer: number and timestamp > its ring > kick */
#include "server/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/rand.h"
#include "net/loop.h"

enum { CONTROL_SLOTS = 32 };

/* One kind of media of a publisher. */
typedef struct stream_in {
    pl_stream *stream;
    pl_rtp_transceiver *transceiver; /* NULL: not published */
    pl_pc_rings rings;
    pl_pc_media_info info;
    pl_stream_origin origin;
    char codec[16]; /* what viewers are offered */
} stream_in;

/* And of a viewer. */
typedef struct stream_out {
    pl_stream_viewer *viewer;
    pl_rtp_transceiver *transceiver;
    pl_pc_rings rings;
    pl_pc_media_info info;
    pl_stream_map map;
    bool written; /* since it was kicked */
} stream_out;

struct pl_stream_viewer {
    pl_node in_stream;
    pl_stream *stream;
    stream_out out[2];
};

struct pl_stream {
    pl_loop *loop;
    stream_in in[2];
    pl_list viewers;
    pl_stream_keys keys;
    pl_timer key_timer;
    pl_stream_stats stats;
};

/* ---- key frames ---- */

static void ask_for_key(pl_stream *s, int64_t now_us)
{
    stream_in *in = &s->in[PL_VIDEO];
    const pl_media_msg msg = { .kind = PL_MEDIA_WANT_KEY };
    if (in->transceiver && pl_stream_keys_due(&s->keys, now_us) && pl_ring_push(in->rings.recv_out, &msg))
        pl_peer_media_kick(in->transceiver);
    pl_timer_set(s->loop, &s->key_timer, in->transceiver ? pl_stream_keys_next_us(&s->keys) : PL_NEVER);
}

static void on_key_time(void *user, int64_t now_us)
{
    ask_for_key(user, now_us);
}

/* What a viewer's connection says to its engine; all but the wish for a key frame is about encoding. */
static void hear_viewer(stream_out *o)
{
    pl_stream *s = o->viewer->stream;
    const pl_media_msg *msg;
    while (o->transceiver && (msg = pl_ring_peek(o->rings.send_in))) {
        if (msg->kind == PL_MEDIA_WANT_KEY)
            pl_stream_keys_want(&s->keys);
        pl_ring_drop(o->rings.send_in);
    }
}

/* ---- the way of a packet ---- */

static void forward_to(stream_out *o, const stream_in *in, const pl_media_packet *p, int64_t captured_us)
{
    pl_stream *s = o->viewer->stream;
    int64_t ext_seq;
    uint32_t ts;
    if (!o->transceiver || !o->info.sending)
        return;
    if (strcmp(o->info.send_codec, in->codec) != 0) {
        s->stats.n_dropped++;
        return;
    }
    if (!pl_stream_map_packet(&o->map, &in->origin, p, o->map.epoch ? 0 : pl_rand_u32(NULL), &ext_seq, &ts))
        return;
    pl_media_msg *msg = pl_ring_reserve(o->rings.send_out);
    if (!msg) {
        s->stats.n_dropped++;
        return;
    }
    pl_media_packet *q = &msg->u.packet;
    msg->kind = PL_MEDIA_FORWARD;
    memcpy(q, p, offsetof(pl_media_packet, payload) + p->len);
    q->arrival_us = captured_us;
    q->ext_seq = ext_seq;
    q->rtp_ts = ts;
    q->pt = o->info.send_pt;
    pl_ring_commit(o->rings.send_out);
    o->written = true;
    s->stats.packets_out++;
    s->stats.bytes_out += p->len;
}

static const char *codec_of_pt(const pl_pc_media_info *info, uint8_t pt)
{
    for (int i = 0; i < info->n_recv; i++) {
        if (info->recv[i].pt == pt)
            return info->recv[i].name;
    }
    return "";
}

static void forward(stream_in *in, const pl_media_packet *p)
{
    pl_stream *s = in->stream;
    int64_t captured_us;
    s->stats.packets_in++;
    s->stats.bytes_in += p->len;
    if (p->len > PL_MEDIA_FORWARD_MAX || strcmp(codec_of_pt(&in->info, p->pt), in->codec) != 0 ||
        !pl_stream_origin_packet(&in->origin, p, &captured_us)) {
        s->stats.n_dropped++;
        return;
    }
    PL_EACH (n, &s->viewers)
        forward_to(&pl_of(n, pl_stream_viewer, in_stream)->out[in->info.kind], in, p, captured_us);
}

static void kick_viewers(pl_stream *s, pl_media_type kind)
{
    PL_EACH (n, &s->viewers) {
        stream_out *o = &pl_of(n, pl_stream_viewer, in_stream)->out[kind];
        hear_viewer(o);
        if (o->written)
            pl_peer_media_kick(o->transceiver);
        o->written = false;
    }
}

static void on_in_posted(void *user)
{
    stream_in *in = user;
    const pl_media_msg *msg;
    while ((msg = pl_ring_peek(in->rings.recv_in))) {
        if (msg->kind == PL_MEDIA_PACKET)
            forward(in, &msg->u.packet);
        pl_ring_drop(in->rings.recv_in);
    }
    kick_viewers(in->stream, in->info.kind);
    if (in->info.kind == PL_VIDEO)
        ask_for_key(in->stream, pl_loop_now_us(in->stream->loop));
}

/* ---- what was negotiated ---- */

static void on_in_changed(void *user, const pl_pc_media_info *info)
{
    stream_in *in = user;
    bool comes_up = info->receiving && !in->info.receiving;
    in->info = *info;
    if (!in->codec[0] && info->n_recv > 0) {
        memcpy(in->codec, info->recv[0].name, sizeof in->codec);
        pl_stream_origin_renew(&in->origin, info->recv[0].clock_hz);
    }
    if (comes_up && info->kind == PL_VIDEO && !pl_list_empty(&in->stream->viewers)) {
        pl_stream_keys_want(&in->stream->keys);
        ask_for_key(in->stream, pl_loop_now_us(in->stream->loop));
    }
}

static void on_out_changed(void *user, const pl_pc_media_info *info)
{
    stream_out *o = user;
    pl_stream *s = o->viewer->stream;
    bool comes_up = info->sending && !o->info.sending;
    o->info = *info;
    if (!comes_up || info->kind != PL_VIDEO)
        return;
    pl_stream_keys_want(&s->keys);
    ask_for_key(s, pl_loop_now_us(s->loop));
}

/* ---- docking ---- */

static void free_rings(pl_pc_rings *r)
{
    pl_ring_free(r->recv_in);
    pl_ring_free(r->recv_out);
    pl_ring_free(r->send_in);
    pl_ring_free(r->send_out);
    *r = (pl_pc_rings){ 0 };
}

static void undock(pl_rtp_transceiver **t, pl_pc_rings *rings)
{
    if (*t)
        pl_peer_detach_media(*t);
    *t = NULL;
    free_rings(rings);
}

static pl_err dock_in(stream_in *in, pl_rtp_transceiver *t)
{
    pl_err err = pl_ring_new(&in->rings.recv_in, sizeof(pl_media_msg), PL_STREAM_RING_IN);
    if (!err)
        err = pl_ring_new(&in->rings.recv_out, sizeof(pl_media_msg), CONTROL_SLOTS);
    in->rings.empties = true;
    in->info = (pl_pc_media_info){ .kind = pl_rtp_transceiver_kind(t) };
    in->codec[0] = '\0';
    const pl_media_port port = {
        .rings = in->rings, .user = in, .posted = on_in_posted, .changed = on_in_changed
    };
    if (!err)
        err = pl_peer_attach_media(t, &port);
    if (err)
        free_rings(&in->rings);
    else
        in->transceiver = t;
    return err;
}

static pl_err dock_out(stream_out *o, pl_rtp_transceiver *t, pl_media_type kind)
{
    size_t slots = kind == PL_VIDEO ? PL_STREAM_RING_VIDEO : PL_STREAM_RING_AUDIO;
    pl_err err = pl_ring_new(&o->rings.send_out, sizeof(pl_media_msg), slots);
    if (!err)
        err = pl_ring_new(&o->rings.send_in, sizeof(pl_media_msg), CONTROL_SLOTS);
    const pl_media_port port = { .rings = o->rings, .user = o, .changed = on_out_changed };
    if (!err)
        err = pl_peer_attach_media(t, &port);
    if (err)
        free_rings(&o->rings);
    else
        o->transceiver = t;
    return err;
}

static bool may_come(pl_rtp_transceiver *t)
{
    pl_direction d = pl_rtp_transceiver_current_direction(t);
    return d == PL_RECVONLY || d == PL_SENDRECV;
}

pl_err pl_stream_publish(pl_stream *s, pl_peer_connection *pc)
{
    pl_rtp_transceiver *t[PL_TRANSCEIVERS_MAX];
    size_t n = pl_peer_connection_get_transceivers(pc, t, PL_TRANSCEIVERS_MAX);
    pl_err err = PL_OK;
    if (s->in[PL_AUDIO].transceiver || s->in[PL_VIDEO].transceiver)
        return PL_ESTATE;
    for (size_t i = 0; i < n && i < PL_TRANSCEIVERS_MAX && !err; i++) {
        stream_in *in = &s->in[pl_rtp_transceiver_kind(t[i])];
        if (!in->transceiver && may_come(t[i]))
            err = dock_in(in, t[i]);
    }
    if (!err && !s->in[PL_AUDIO].codec[0] && !s->in[PL_VIDEO].codec[0])
        err = PL_EINVAL;
    if (err)
        pl_stream_unpublish(s);
    return err;
}

void pl_stream_unpublish(pl_stream *s)
{
    for (int k = 0; k < 2; k++) {
        stream_in *in = &s->in[k];
        undock(&in->transceiver, &in->rings);
        pl_stream_origin_renew(&in->origin, 0);
        in->codec[0] = '\0';
    }
    pl_timer_cancel(s->loop, &s->key_timer);
}

const char *pl_stream_codec(const pl_stream *s, pl_media_type kind)
{
    return s->in[kind].codec;
}

pl_err pl_stream_view(pl_stream_viewer **out, pl_stream *s, pl_rtp_transceiver *const t[2])
{
    pl_err err = PL_OK;
    *out = NULL;
    pl_stream_viewer *v = calloc(1, sizeof *v);
    if (!v)
        return PL_ENOMEM;
    v->stream = s;
    pl_list_push_back(&s->viewers, &v->in_stream);
    for (int k = 0; k < 2 && !err; k++) {
        v->out[k].viewer = v;
        v->out[k].info.kind = (pl_media_type)k;
        if (t[k])
            err = dock_out(&v->out[k], t[k], (pl_media_type)k);
    }
    if (err) {
        pl_stream_unview(v);
        return err;
    }
    *out = v;
    return PL_OK;
}

void pl_stream_unview(pl_stream_viewer *v)
{
    if (!v)
        return;
    for (int k = 0; k < 2; k++)
        undock(&v->out[k].transceiver, &v->out[k].rings);
    pl_list_remove(&v->in_stream);
    free(v);
}

/* ---- life ---- */

pl_err pl_stream_new(pl_stream **out, pl_loop *loop)
{
    pl_stream *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return PL_ENOMEM;
    s->loop = loop;
    pl_list_init(&s->viewers);
    s->key_timer = (pl_timer){ .fn = on_key_time, .arg = s };
    for (int k = 0; k < 2; k++) {
        s->in[k].stream = s;
        s->in[k].info.kind = (pl_media_type)k;
    }
    return PL_OK;
}

void pl_stream_free(pl_stream *s)
{
    if (!s)
        return;
    pl_stream_unpublish(s);
    free(s);
}

void pl_stream_get_stats(const pl_stream *s, pl_stream_stats *out)
{
    *out = s->stats;
    out->keys_wanted = s->keys.n_wanted;
    out->keys_asked = s->keys.n_asked;
}
