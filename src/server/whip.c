#include "server/whip.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/time.h"
#include "net/loop.h"
#include "sdp/sdp.h"

/* What a viewer gets is the publisher's to say; this is how far its path is probed, which costs padding. More than that goes
 * as well, only not as evenly. */
#define WHIP_BITRATE_MAX 10000000

static const pl_log whip_log = { "whip" };

/* A session's connection. */
typedef struct whip_peer {
    pl_node in_peers;
    pl_whip *whip;
    pl_whip_session *session;
    pl_peer_connection *pc;
    pl_stream_viewer *viewer; /* or NULL */
    bool publishes, over;
} whip_peer;

struct pl_whip {
    pl_loop *loop;
    pl_factory *factory;
    pl_whip_server *table;
    pl_list peers;
    pl_timer timer; /* sessions that are over, or expire */
    pl_stream_stats past;
};

/* ---- ends ---- */

static void add_stats(pl_stream_stats *sum, const pl_stream *s)
{
    pl_stream_stats st;
    pl_stream_get_stats(s, &st);
    sum->packets_in += st.packets_in;
    sum->bytes_in += st.bytes_in;
    sum->packets_out += st.packets_out;
    sum->bytes_out += st.bytes_out;
    sum->n_dropped += st.n_dropped;
    sum->keys_wanted += st.keys_wanted;
    sum->keys_asked += st.keys_asked;
}

static void end_peer(whip_peer *p, const char *why)
{
    pl_whip *w = p->whip;
    pl_whip_session *s = p->session;
    pl_log_info(&whip_log, "%s: a %s leaves: %s", s->name->text,
                s->role == PL_WHIP_PUBLISH ? "publisher" : "viewer", why);
    pl_stream_unview(p->viewer);
    if (p->publishes)
        pl_stream_unpublish(s->name->user);
    pl_peer_connection_free(p->pc);
    pl_list_remove(&p->in_peers);
    pl_stream *left = pl_whip_server_drop(w->table, pl_loop_now_us(w->loop), s);
    if (left)
        add_stats(&w->past, left);
    pl_stream_free(left);
    free(p);
}

static void set_timer(pl_whip *w)
{
    pl_timer_set(w->loop, &w->timer, pl_whip_server_next_us(w->table));
}

static void on_time(void *user, int64_t now_us)
{
    pl_whip *w = user;
    pl_whip_session *s;
    PL_EACH (n, &w->peers) {
        whip_peer *p = pl_of(n, whip_peer, in_peers);
        if (p->over)
            end_peer(p, "its connection has ended");
    }
    while ((s = pl_whip_server_expired(w->table, now_us)))
        end_peer(s->user, s->connected ? "nobody publishes any more" : "no connection in time");
    set_timer(w);
}

/* Inside a callback of the connection, which is freed when that is over. */
static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    whip_peer *p = user;
    pl_whip *w = p->whip;
    if (state == PL_CONNECTION_CONNECTED && !p->session->connected) {
        pl_whip_server_connected(w->table, p->session);
        pl_log_info(&whip_log, "%s: a %s is connected", p->session->name->text,
                    p->publishes ? "publisher" : "viewer");
    }
    p->over |= state == PL_CONNECTION_FAILED || state == PL_CONNECTION_CLOSED ||
               (state == PL_CONNECTION_DISCONNECTED && reason[0]);
    if (p->over)
        pl_timer_set(w->loop, &w->timer, pl_loop_now_us(w->loop));
}

/* ---- offers ---- */

/* The sections of a viewer's offer that there is something for. */
static pl_err add_tracks(whip_peer *p, const pl_whip_task *task, pl_rtp_transceiver *t[2])
{
    pl_err err = PL_OK;
    for (int k = 0; k < 2 && !err; k++) {
        const char *codec = pl_stream_codec(p->session->name->user, (pl_media_type)k);
        pl_transceiver_init init = { .stream_id = p->session->name->text, .preferred_codec = codec };
        if (codec[0] && task->offers[k])
            err = pl_peer_connection_add_track(p->pc, (pl_media_type)k, &init, &t[k]);
    }
    return err;
}

static pl_err send_only(pl_rtp_transceiver *t[2])
{
    pl_err err = PL_OK;
    for (int k = 0; k < 2 && !err; k++) {
        if (t[k])
            err = pl_rtp_transceiver_set_direction(t[k], PL_SENDONLY);
    }
    return err;
}

static bool sends(pl_rtp_transceiver *t)
{
    return t && pl_rtp_transceiver_current_direction(t) == PL_SENDONLY;
}

static pl_err join_stream(whip_peer *p, pl_rtp_transceiver *t[2])
{
    pl_stream *stream = p->session->name->user;
    if (p->session->role == PL_WHIP_PUBLISH) {
        pl_err err = pl_stream_publish(stream, p->pc);
        p->publishes = err == PL_OK;
        return err;
    }
    for (int k = 0; k < 2; k++) {
        if (!sends(t[k]))
            t[k] = NULL;
    }
    return t[0] || t[1] ? pl_stream_view(&p->viewer, stream, t) : PL_ENOTSUP;
}

static pl_err negotiate(whip_peer *p, const pl_whip_task *task, const char *offer)
{
    pl_rtp_transceiver *t[2] = { NULL, NULL };
    pl_err err = PL_OK;
    if (p->session->role == PL_WHIP_PLAY)
        err = add_tracks(p, task, t);
    if (!err)
        err = pl_peer_connection_set_remote_description(p->pc, PL_SDP_OFFER, offer);
    if (!err)
        err = send_only(t);
    if (!err)
        err = pl_peer_connection_set_local_description(p->pc, PL_SDP_ANSWER, NULL);
    return err ? err : join_stream(p, t);
}

static pl_err open_peer(pl_whip *w, const pl_whip_task *task, whip_peer *p)
{
    pl_buf offer = pl_buf_init(PL_WHIP_OFFER_MAX + 1);
    const pl_configuration conf = { .max_bitrate_bps = WHIP_BITRATE_MAX };
    const pl_peer_connection_observer observer = { .user = p, .on_connection_state = on_connection };
    pl_whip_name *name = task->session->name;
    pl_err err = PL_OK;
    if (!name->user) {
        pl_stream *stream;
        err = pl_stream_new(&stream, w->loop);
        name->user = stream;
    }
    pl_buf_add(&offer, task->sdp.p, task->sdp.n);
    const char *text = pl_buf_z(&offer);
    if (!err)
        err = text ? pl_peer_connection_new(&p->pc, w->factory, &conf, &observer) : PL_ENOMEM;
    if (!err)
        err = negotiate(p, task, text);
    pl_buf_clear(&offer);
    return err;
}

static void refuse_open(pl_whip *w, const whip_peer *p, pl_err err, pl_http_reply *reply)
{
    char why[200] = "";
    int status = err == PL_ENOMEM || err == PL_EIO || err == PL_ENOSPC ? 503 : 422;
    if (p->pc && err == PL_EPROTO)
        pl_peer_connection_error_text(p->pc, why, sizeof why);
    if (err == PL_ENOTSUP || err == PL_EINVAL)
        (void)pl_str_copy(PL_STR("No codec that is sent here is offered."), why, sizeof why);
    pl_whip_server_refused(w->table, status, why[0] ? why : "The offer cannot be answered.", reply);
}

static whip_peer *peer_new(pl_whip *w, pl_whip_session *s)
{
    whip_peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->whip = w;
    p->session = s;
    s->user = p;
    pl_list_push_back(&w->peers, &p->in_peers);
    return p;
}

static void on_open(pl_whip *w, const pl_http_request *req, const pl_whip_task *task, pl_http_reply *reply)
{
    pl_sdp_type type;
    char *answer = NULL;
    whip_peer *p = peer_new(w, task->session);
    if (!p) {
        pl_whip_server_refused(w->table, 503, "The server is out of memory.", reply);
        (void)pl_whip_server_drop(w->table, pl_loop_now_us(w->loop), task->session);
        return;
    }
    pl_err err = open_peer(w, task, p);
    if (!err)
        err = pl_peer_connection_local_description(p->pc, &type, &answer);
    if (err || !answer) {
        refuse_open(w, p, err ? err : PL_ENOMEM, reply);
        end_peer(p, "its offer was refused");
        return;
    }
    pl_whip_server_opened(w->table, p->session, req, pl_str_of(answer), reply);
    pl_free(answer);
    pl_log_info(&whip_log, "%s: a %s comes", p->session->name->text, p->publishes ? "publisher" : "viewer");
}

/* ---- fragments ---- */

static void trickle(const whip_peer *p, const pl_sdp_fragment *f)
{
    char line[PL_DESC_TEXT_MAX + 1], mid[PL_DESC_MID_MAX + 1], ufrag[PL_DESC_UFRAG_MAX + 1];
    if (!pl_str_copy(f->mid, mid, sizeof mid) || !pl_str_copy(f->ufrag, ufrag, sizeof ufrag))
        return;
    pl_ice_candidate c = { .candidate = line,
                           .sdp_mid = mid[0] ? mid : NULL,
                           .sdp_mline_index = 0,
                           .username_fragment = ufrag[0] ? ufrag : NULL };
    for (size_t i = 0; i < f->n_candidates; i++) {
        if (pl_str_copy(f->candidate[i], line, sizeof line) &&
            pl_peer_connection_add_ice_candidate(p->pc, &c))
            pl_log_debug(&whip_log, "%s: a candidate is of no use", p->session->name->text);
    }
    c.candidate = "";
    if (f->end_of_candidates && pl_peer_connection_add_ice_candidate(p->pc, &c))
        pl_log_debug(&whip_log, "%s: the end of candidates is of no use", p->session->name->text);
}

/* The offer of before with the fragment's ICE names is what the client would offer now (RFC 9725 4.3.3). */
static pl_err offer_again(const whip_peer *p, const pl_sdp_fragment *f, char **offer)
{
    pl_sdp_type type;
    pl_desc *d = NULL;
    char *text;
    *offer = NULL;
    pl_err err = pl_peer_connection_remote_description(p->pc, &type, &text);
    if (!err)
        err = pl_sdp_parse(&d, text ? text : "", text ? strlen(text) : 0, NULL);
    pl_free(text);
    if (!err)
        err = pl_sdp_fragment_apply(f, d);
    if (!err) {
        d->session_version++;
        err = pl_sdp_write(d, offer, NULL);
    }
    pl_desc_free(d);
    return err;
}

static pl_err restart(const whip_peer *p, const pl_sdp_fragment *f, char **answer)
{
    pl_sdp_type type;
    char *offer;
    *answer = NULL;
    pl_err err = offer_again(p, f, &offer);
    if (!err)
        err = pl_peer_connection_set_remote_description(p->pc, PL_SDP_OFFER, offer);
    if (!err)
        err = pl_peer_connection_set_local_description(p->pc, PL_SDP_ANSWER, NULL);
    if (!err)
        err = pl_peer_connection_local_description(p->pc, &type, answer);
    free(offer);
    return err ? err : *answer ? PL_OK : PL_ENOMEM;
}

static void on_restart(pl_whip *w, const pl_whip_task *task, pl_http_reply *reply)
{
    whip_peer *p = task->session->user;
    pl_sdp_fragment ours;
    char *answer;
    pl_desc *d = NULL;
    pl_err err = restart(p, &task->fragment, &answer);
    if (!err)
        err = pl_sdp_parse(&d, answer, strlen(answer), NULL);
    if (err) {
        pl_whip_server_refused(w->table, err == PL_ENOMEM ? 503 : 422, "ICE cannot be restarted.", reply);
    } else {
        pl_sdp_fragment_of(d, &ours);
        pl_whip_server_restarted(w->table, p->session, &task->fragment, &ours, reply);
        pl_log_info(&whip_log, "%s: ICE is restarted", p->session->name->text);
    }
    pl_desc_free(d);
    pl_free(answer);
}

/* ---- requests ---- */

bool pl_whip_answer(pl_whip *w, const pl_http_request *req, const pl_addr *from, int64_t now_us,
                    pl_http_reply *reply)
{
    pl_whip_task task;
    pl_whip_server_request(w->table, now_us, req, from, reply, &task);
    switch (task.kind) {
    case PL_WHIP_NOT_MINE: return false;
    case PL_WHIP_ANSWERED: break;
    case PL_WHIP_OPEN: on_open(w, req, &task, reply); break;
    case PL_WHIP_TRICKLE: trickle(task.session->user, &task.fragment); break;
    case PL_WHIP_RESTART: on_restart(w, &task, reply); break;
    case PL_WHIP_END: end_peer(task.session->user, "it was deleted"); break;
    }
    set_timer(w);
    return true;
}

/* ---- life ---- */

pl_err pl_whip_new(pl_whip **out, pl_loop *loop, const pl_whip_conf *conf,
                   void (*links)(void *user, const pl_http_request *req, pl_buf *head), void *user)
{
    *out = NULL;
    pl_whip *w = calloc(1, sizeof *w);
    if (!w)
        return PL_ENOMEM;
    w->loop = loop;
    w->timer = (pl_timer){ .fn = on_time, .arg = w };
    pl_list_init(&w->peers);
    const pl_whip_server_conf table = { .access = conf->access,
                                        .open = conf->open,
                                        .max_sessions = conf->max_sessions,
                                        .max_viewers = conf->max_viewers,
                                        .connect_us = conf->connect_us,
                                        .linger_us = conf->linger_us,
                                        .links = links,
                                        .user = user };
    const pl_factory_conf factory = {
        .loop = loop, .loopback = true, .udp_port = conf->udp_port, .bind_address = conf->bind_address
    };
    pl_err err = pl_whip_server_new(&w->table, &table);
    if (!err)
        err = pl_factory_new(&w->factory, &factory);
    if (err) {
        pl_whip_free(w);
        return err;
    }
    *out = w;
    return PL_OK;
}

void pl_whip_free(pl_whip *w)
{
    if (!w)
        return;
    for (pl_node *n; (n = pl_list_first(&w->peers));)
        end_peer(pl_of(n, whip_peer, in_peers), "the server stops");
    pl_timer_cancel(w->loop, &w->timer);
    pl_whip_server_free(w->table);
    pl_factory_free(w->factory);
    free(w);
}

void pl_whip_get_stats(const pl_whip *w, pl_whip_stats *out)
{
    out->packets = w->past;
    pl_whip_server_get_stats(w->table, &out->sessions);
    PL_EACH (n, &w->peers) {
        const whip_peer *p = pl_of(n, const whip_peer, in_peers);
        const pl_whip_name *name = p->session->name;
        bool first = name->publisher ? name->publisher == p->session
                                     : pl_list_first(&name->viewers) == &p->session->in_name;
        if (first && name->user)
            add_stats(&out->packets, name->user);
    }
}
