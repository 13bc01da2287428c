#include "sim/pc_duo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pl_dtls_ctx *ctx[2];

void duo_certificates(void)
{
    for (int i = 0; i < 2; i++) {
        pl_cert *cert;
        pl_cert_conf conf = { .now_s = 1700000000 };
        if (ctx[i])
            continue;
        if (pl_cert_new(&cert, &conf) || pl_dtls_ctx_new(&ctx[i], cert))
            abort();
        pl_cert_free(cert);
    }
}

void duo_certificates_free(void)
{
    for (int i = 0; i < 2; i++) {
        pl_dtls_ctx_free(ctx[i]);
        ctx[i] = NULL;
    }
}

static void shield(const duo *d, bool inside)
{
    if (d->shield)
        d->shield(inside);
}

static duo_end *other(duo *d, const duo_end *x)
{
    return x == &d->end[0] ? &d->end[1] : &d->end[0];
}

static void note(duo_end *x, pl_err err)
{
    x->n_refused += err != PL_OK;
}

void duo_init(duo *d, const sim_net *net, uint64_t seed, pl_dtls_setup setup_0, pl_dtls_setup setup_1)
{
    pl_dtls_setup setup[2] = { setup_0, setup_1 };
    shield(d, true);
    duo_certificates();
    for (int i = 0; i < 2; i++)
        d->link[i] = sim_link_new(net, seed * 4 + 2 + (uint64_t)i);
    shield(d, false);
    d->now_us = PL_SEC(1);
    for (int i = 0; i < 2; i++) {
        duo_end *x = &d->end[i];
        x->addr = (pl_addr){ .family = PL_AF_IP4, .ip = { 10, 0, 0, (uint8_t)(1 + i) }, .port = 4000 };
        pl_pc_conf conf = { .dtls_ctx = ctx[i],
                            .rand = pl_rand_seed(&x->rand, seed * 4 + (uint64_t)i),
                            .log_id = (uint32_t)i,
                            .setup = setup[i],
                            .wall_offset_us = PL_SEC(1700000000) };
        note(x, pl_pc_new(&x->pc, &conf, d->now_us));
    }
}

static void free_rings(pl_pc_rings *r)
{
    pl_ring_free(r->recv_in);
    pl_ring_free(r->recv_out);
    pl_ring_free(r->send_in);
    pl_ring_free(r->send_out);
    *r = (pl_pc_rings){ 0 };
}

void duo_clear(duo *d)
{
    for (int i = 0; i < 2; i++) {
        duo_end *x = &d->end[i];
        for (int c = 0; c < x->n_channels; c++)
            pl_channel_release(x->channel[c], d->now_us);
        pl_pc_free(x->pc);
        for (int t = 0; t < PL_TRANSCEIVERS_MAX; t++)
            free_rings(&x->rings[t]);
        for (; x->in_n > 0; x->in_n--, x->in_at++)
            free(x->inbox[x->in_at % DUO_SIGNALS].sdp);
        sim_link_free(d->link[i]);
    }
}

/* ---- signaling ---- */

static duo_signal *post(duo *d, duo_end *to)
{
    if (to->in_n == DUO_SIGNALS)
        return NULL;
    duo_signal *s = &to->inbox[(to->in_at + to->in_n++) % DUO_SIGNALS];
    *s = (duo_signal){ .due_us = d->now_us + d->signal_us };
    return s;
}

static void post_sdp(duo *d, duo_end *from, pl_sdp_type type, char *sdp)
{
    duo_signal *s = post(d, other(d, from));
    if (!s) {
        free(sdp);
        return;
    }
    s->type = type;
    s->sdp = d->edit ? d->edit(sdp) : sdp;
}

static void describe(duo *d, duo_end *x, pl_sdp_type type)
{
    char *sdp;
    pl_err err = type == PL_SDP_OFFER ? pl_pc_create_offer(x->pc, d->now_us, false, &sdp)
                                      : pl_pc_create_answer(x->pc, d->now_us, &sdp);
    if (!err) {
        err = pl_pc_set_local(x->pc, d->now_us, type, sdp);
        if (err)
            free(sdp);
        else
            post_sdp(d, x, type, sdp);
    }
    note(x, err);
}

void duo_offer(duo *d, int i)
{
    duo_end *x = &d->end[i];
    if (!x->pc || pl_pc_signaling(x->pc) != PL_SIGNALING_STABLE)
        return;
    x->n_offers++;
    describe(d, x, PL_SDP_OFFER);
}

static void take_description(duo *d, duo_end *x, duo_signal *s)
{
    bool polite = x == &d->end[1];
    bool collision = s->type == PL_SDP_OFFER && pl_pc_signaling(x->pc) != PL_SIGNALING_STABLE;
    x->ignoring = !polite && collision;
    if (x->ignoring) {
        x->n_ignored++;
        return;
    }
    pl_err err = pl_pc_set_remote(x->pc, d->now_us, s->type, s->sdp);
    note(x, err);
    if (!err && s->type == PL_SDP_OFFER)
        describe(d, x, PL_SDP_ANSWER);
}

static bool take_signal(duo *d, duo_end *x)
{
    if (x->in_n == 0 || x->inbox[x->in_at % DUO_SIGNALS].due_us > d->now_us)
        return false;
    duo_signal s = x->inbox[x->in_at % DUO_SIGNALS];
    x->in_at++;
    x->in_n--;
    if (x->pc && s.sdp) {
        take_description(d, x, &s);
    } else if (x->pc) {
        pl_ice_candidate c = {
            .candidate = s.line, .sdp_mid = s.mid, .sdp_mline_index = 0, .username_fragment = s.ufrag
        };
        pl_err err = pl_pc_add_candidate(x->pc, d->now_us, &c);
        if (!x->ignoring)
            note(x, err);
    }
    free(s.sdp);
    return true;
}

/* ---- events ---- */

static void attach(duo *d, duo_end *x, int t)
{
    pl_pc_rings *r = &x->rings[t];
    if (r->recv_in)
        return;
    shield(d, true);
    if (pl_ring_new(&r->recv_in, sizeof(pl_media_msg), 64) ||
        pl_ring_new(&r->recv_out, sizeof(pl_media_msg), 8) ||
        pl_ring_new(&r->send_in, sizeof(pl_media_msg), 8) ||
        pl_ring_new(&r->send_out, sizeof(pl_media_msg), 16))
        abort();
    shield(d, false);
    pl_pc_attach_media(x->pc, t, r);
}

static void on_data(duo *d, duo_end *x, pl_data_event *e)
{
    switch (e->kind) {
    case PL_DATA_EVENT_CHANNEL:
        if (x->n_channels < DUO_CHANNELS)
            x->channel[x->n_channels++] = e->channel;
        else
            pl_channel_release(e->channel, d->now_us);
        break;
    case PL_DATA_EVENT_OPEN: x->n_open++; break;
    case PL_DATA_EVENT_CLOSED:
        x->n_closed++;
        for (int i = 0; i < x->n_channels; i++) {
            if (x->channel[i] == e->channel) {
                pl_channel_release(e->channel, d->now_us);
                x->channel[i--] = x->channel[--x->n_channels];
            }
        }
        break;
    case PL_DATA_EVENT_MESSAGE:
        x->n_messages++;
        x->message_bytes += e->len;
        x->last_message_us = d->now_us;
        break;
    default: break;
    }
    pl_data_event_clear(e);
}

static void on_candidate(duo *d, duo_end *x, const pl_pc_event *e)
{
    duo_signal *s = post(d, other(d, x));
    if (!s)
        return;
    memcpy(s->line, e->u.candidate.line, sizeof s->line);
    memcpy(s->mid, e->u.candidate.mid, sizeof s->mid);
    memcpy(s->ufrag, e->u.candidate.ufrag, sizeof s->ufrag);
}

static void on_event(duo *d, duo_end *x, pl_pc_event *e)
{
    switch (e->kind) {
    case PL_PC_EV_CANDIDATE: on_candidate(d, x, e); break;
    case PL_PC_EV_CONNECTION:
        x->state = e->u.connection;
        x->n_disconnected += x->state == PL_CONNECTION_DISCONNECTED;
        snprintf(x->reason, sizeof x->reason, "%s", e->text);
        if (x->state == PL_CONNECTION_CONNECTED && !x->connected_us)
            x->connected_us = d->now_us;
        break;
    case PL_PC_EV_TRACK:
        x->n_tracks++;
        attach(d, x, e->u.transceiver);
        break;
    case PL_PC_EV_NEGOTIATION_NEEDED: x->making = !d->by_hand; break;
    case PL_PC_EV_DATA: on_data(d, x, &e->u.data); break;
    default: break;
    }
}

/* How old a packet is whose timestamp was the virtual time when it was sent. */
static void weigh(duo_end *x, int64_t now_us, const pl_media_packet *p)
{
    int64_t us = (int64_t)((uint32_t)(now_us * 9 / 100) - p->rtp_ts) * 100 / 9;
    x->media_bytes += p->len;
    x->media_delay_us += us;
    x->media_delay_max_us = pl_max_us(x->media_delay_max_us, us);
}

static void take_media(duo_end *x, int64_t now_us)
{
    pl_media_msg msg;
    for (int t = 0; t < PL_TRANSCEIVERS_MAX; t++) {
        while (x->rings[t].recv_in && pl_ring_pop(x->rings[t].recv_in, &msg)) {
            x->n_packets += msg.kind == PL_MEDIA_PACKET;
            if (msg.kind == PL_MEDIA_PACKET)
                weigh(x, now_us, &msg.u.packet);
            if (msg.kind == PL_MEDIA_RTT)
                x->last_rtt_us = msg.u.rtt_us;
        }
        while (x->rings[t].send_in && pl_ring_pop(x->rings[t].send_in, &msg))
            x->target_bps = msg.kind == PL_MEDIA_BITRATE ? msg.u.rate_bps : x->target_bps;
    }
}

/* ---- the network ---- */

static void gather(duo *d, duo_end *x)
{
    if (x->gathered || d->no_gather || !pl_pc_wants_gathering(x->pc))
        return;
    pl_ice_base base = { .addr = x->addr };
    x->gathered = true;
    note(x, pl_ice_add_base(pl_pc_ice(x->pc), d->now_us, &base));
    pl_ice_bases_done(pl_pc_ice(x->pc), d->now_us);
    pl_pc_ice_changed(x->pc, d->now_us);
}

static bool send_out(duo *d, duo_end *x)
{
    static uint8_t buf[65536];
    duo_end *to = other(d, x);
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    if (!pl_pc_poll_output(x->pc, d->now_us, &out))
        return false;
    pl_path path = { .local = out.path.remote, .remote = out.path.local };
    size_t step = out.segment ? out.segment : out.len;
    shield(d, true);
    for (size_t at = 0; pl_addr_eq(&path.local, &to->addr) && at < out.len; at += step)
        sim_link_send(d->link[x - d->end], d->now_us, &path, buf + at,
                      step < out.len - at ? step : out.len - at);
    shield(d, false);
    return true;
}

static bool receive(duo *d, int to)
{
    uint8_t pkt[20000];
    pl_path path;
    size_t len;
    shield(d, true);
    bool any = sim_link_recv(d->link[!to], d->now_us, &path, pkt, sizeof pkt, &len);
    shield(d, false);
    if (!any || !d->end[to].pc)
        return any;
    if (!d->on_packet || d->on_packet(d->user, d, to, pkt, &len))
        pl_pc_input(d->end[to].pc, d->now_us, &path, pkt, len);
    pl_pc_check(d->end[to].pc);
    return true;
}

static bool work(duo *d, int i)
{
    duo_end *x = &d->end[i];
    pl_pc_event e;
    bool any = take_signal(d, x);
    if (!x->pc)
        return any;
    pl_pc_pump_media(x->pc, d->now_us);
    gather(d, x);
    while (send_out(d, x))
        any = true;
    while (pl_pc_poll_event(x->pc, &e)) {
        any = true;
        on_event(d, x, &e);
    }
    if (x->making && pl_pc_signaling(x->pc) == PL_SIGNALING_STABLE) {
        any = true;
        x->making = false;
        duo_offer(d, i);
    }
    take_media(x, d->now_us);
    pl_pc_check(x->pc);
    return any;
}

static int64_t next_us(const duo *d)
{
    int64_t at = PL_NEVER;
    for (int i = 0; i < 2; i++) {
        const duo_end *x = &d->end[i];
        at = pl_min_us(at, sim_link_next_us(d->link[i]));
        if (x->pc)
            at = pl_min_us(at, pl_pc_next_us(x->pc));
        if (x->in_n)
            at = pl_min_us(at, x->inbox[x->in_at % DUO_SIGNALS].due_us);
    }
    return at;
}

static bool step(duo *d, int64_t end_us)
{
    int64_t at = next_us(d);
    if (at > end_us || d->stuck) {
        d->now_us = end_us;
        return false;
    }
    d->now_us = pl_max_us(at, d->now_us + 1);
    if (++d->n_steps > DUO_STEPS_MAX)
        d->stuck = true;
    for (int i = 0; i < 2; i++) {
        if (d->end[i].pc && pl_pc_next_us(d->end[i].pc) <= d->now_us)
            pl_pc_tick(d->end[i].pc, d->now_us);
    }
    return true;
}

bool duo_run(duo *d, int64_t for_us, bool (*until)(const duo *d))
{
    int64_t end_us = d->now_us + for_us;
    for (;;) {
        for (bool any = true; any;) {
            any = work(d, 0);
            any |= work(d, 1);
            any |= receive(d, 0);
            any |= receive(d, 1);
        }
        if (until && until(d))
            return true;
        if (!step(d, end_us))
            return !until;
    }
}

/* ---- what applications do ---- */

int duo_add(duo *d, int i, pl_media_type kind, pl_direction direction)
{
    duo_end *x = &d->end[i];
    pl_transceiver_init init = { .direction = direction, .stream_id = "duo" };
    int t;
    if (!x->pc)
        return -1;
    pl_err err = pl_pc_add_transceiver(x->pc, d->now_us, kind, false, &init, &t);
    note(x, err);
    if (err)
        return -1;
    attach(d, x, t);
    return t;
}

pl_channel *duo_open(duo *d, int i, const pl_data_channel_init *init)
{
    duo_end *x = &d->end[i];
    pl_channel *c;
    if (!x->pc || x->n_channels == DUO_CHANNELS)
        return NULL;
    pl_err err = pl_pc_create_channel(x->pc, d->now_us, "duo", 3, init, NULL, &c);
    note(x, err);
    if (err)
        return NULL;
    x->channel[x->n_channels++] = c;
    return c;
}

void duo_send_packet(duo *d, int i, int transceiver, uint32_t rtp_ts, uint16_t len)
{
    static pl_media_msg msg;
    duo_end *x = &d->end[i];
    pl_pc_media_info info;
    if (!x->pc || transceiver < 0 || transceiver >= pl_pc_n_transceivers(x->pc) ||
        !x->rings[transceiver].send_out)
        return;
    pl_pc_media_info_get(x->pc, transceiver, &info);
    if (!info.sending)
        return;
    msg.kind = PL_MEDIA_PACKET;
    msg.u.packet = (pl_media_packet){
        .pt = info.send_pt, .rtp_ts = rtp_ts, .marker = true, .audio_level = PL_AUDIO_LEVEL_NONE, .len = len
    };
    memset(msg.u.packet.payload, (int)(rtp_ts & 0xff), len);
    (void)pl_ring_push(x->rings[transceiver].send_out, &msg);
}

bool duo_connected(const duo *d)
{
    return d->end[0].state == PL_CONNECTION_CONNECTED && d->end[1].state == PL_CONNECTION_CONNECTED;
}

bool duo_channels_open(const duo *d)
{
    return d->end[0].n_open > 0 && d->end[1].n_open > 0;
}

bool duo_agreed(const duo *d)
{
    for (int i = 0; i < 2; i++) {
        const duo_end *x = &d->end[i];
        if (x->in_n || x->making || pl_pc_signaling(x->pc) != PL_SIGNALING_STABLE)
            return false;
    }
    return true;
}
