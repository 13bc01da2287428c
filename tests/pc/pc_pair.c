#include "pc_pair.h"

#include <stdlib.h>
#include <string.h>

#include "pl_test.h"

static void make_peer(pair_peer *x, uint8_t host, pl_dtls_ctx *ctx, pl_rand rand)
{
    pl_pc_conf conf = { .dtls_ctx = ctx, .rand = rand, .log_id = host, .wall_offset_us = PL_SEC(1700000000) };
    x->addr = (pl_addr){ .family = PL_AF_IP4, .ip = { 10, 0, 0, host }, .port = 4000 };
    PL_EQ(pl_pc_new(&x->pc, &conf, PL_SEC(1)), PL_OK);
}

void pair_init(pair *p, const sim_net *net, uint64_t seed)
{
    memset(p, 0, sizeof *p);
    pl_cert_conf cert = { .now_s = 1700000000 };
    p->now_us = PL_SEC(1);
    PL_EQ(pl_cert_new(&p->cert_a, &cert), PL_OK);
    PL_EQ(pl_cert_new(&p->cert_b, &cert), PL_OK);
    PL_EQ(pl_dtls_ctx_new(&p->ctx_a, p->cert_a), PL_OK);
    PL_EQ(pl_dtls_ctx_new(&p->ctx_b, p->cert_b), PL_OK);
    make_peer(&p->a, 1, p->ctx_a, pl_rand_seed(&p->rand_a, seed * 2 + 1));
    make_peer(&p->b, 2, p->ctx_b, pl_rand_seed(&p->rand_b, seed * 2 + 2));
    p->ab = sim_link_new(net, seed * 7 + 3);
    p->ba = sim_link_new(net, seed * 7 + 4);
}

static void clear_peer(pair_peer *x)
{
    for (int i = 0; i < x->n_channels; i++)
        pl_channel_release(x->channel[i], 0);
    pl_pc_free(x->pc);
    for (int i = 0; i < PAIR_TRANSCEIVERS; i++) {
        pl_ring_free(x->rings[i].recv_in);
        pl_ring_free(x->rings[i].recv_out);
        pl_ring_free(x->rings[i].send_in);
        pl_ring_free(x->rings[i].send_out);
    }
}

void pair_clear(pair *p)
{
    clear_peer(&p->a);
    clear_peer(&p->b);
    sim_link_free(p->ab);
    sim_link_free(p->ba);
    pl_dtls_ctx_free(p->ctx_a);
    pl_dtls_ctx_free(p->ctx_b);
    pl_cert_free(p->cert_a);
    pl_cert_free(p->cert_b);
}

/* One hex digit of the fingerprint is another: somebody sits in between. */
static void spoil(char *sdp)
{
    char *fp = strstr(sdp, "a=fingerprint:sha-256 ");
    for (; fp; fp = strstr(fp + 22, "a=fingerprint:sha-256 "))
        fp[22] = fp[22] == 'A' ? 'B' : 'A';
}

void pair_offer_from(pair *p, pair_peer *from)
{
    pair_peer *to = from == &p->a ? &p->b : &p->a;
    char *sdp;
    PL_EQ(pl_pc_create_offer(from->pc, p->now_us, false, &sdp), PL_OK);
    pl_err err = pl_pc_set_local(from->pc, p->now_us, PL_SDP_OFFER, sdp);
    if (err)
        fail_msg("%s\n%s", pl_pc_error_text(from->pc), sdp);
    if (p->corrupt_fingerprint)
        spoil(sdp);
    if (p->edit)
        p->edit(sdp);
    PL_EQ(pl_pc_set_remote(to->pc, p->now_us, PL_SDP_OFFER, sdp), PL_OK);
    free(sdp);
    PL_EQ(pl_pc_create_answer(to->pc, p->now_us, &sdp), PL_OK);
    PL_EQ(pl_pc_set_local(to->pc, p->now_us, PL_SDP_ANSWER, sdp), PL_OK);
    if (p->edit)
        p->edit(sdp);
    PL_EQ(pl_pc_set_remote(from->pc, p->now_us, PL_SDP_ANSWER, sdp), PL_OK);
    free(sdp);
}

void pair_negotiate(pair *p)
{
    pair_offer_from(p, &p->a);
}

static void gather(pair *p, pair_peer *x)
{
    if (x->gathered || !pl_pc_wants_gathering(x->pc))
        return;
    pl_ice_base base = { .addr = x->addr };
    x->gathered = true;
    PL_EQ(pl_ice_add_base(pl_pc_ice(x->pc), p->now_us, &base), PL_OK);
    pl_ice_bases_done(pl_pc_ice(x->pc), p->now_us);
    pl_pc_ice_changed(x->pc, p->now_us);
}

static void on_data(pair *p, pair_peer *x, pl_data_event *d)
{
    switch (d->kind) {
    case PL_DATA_EVENT_CHANNEL:
        if (x->n_channels < PAIR_CHANNELS)
            x->channel[x->n_channels++] = d->channel;
        break;
    case PL_DATA_EVENT_OPEN: x->n_open++; break;
    case PL_DATA_EVENT_CLOSED: x->n_closed++; break;
    case PL_DATA_EVENT_MESSAGE:
        x->n_messages++;
        x->message_bytes += d->len;
        for (size_t i = 0; i < d->len; i++)
            x->message_sum += d->data[i];
        break;
    default: break;
    }
    (void)p;
    pl_data_event_clear(d);
}

static void take_event(pair *p, pair_peer *x, pair_peer *other, pl_pc_event *e)
{
    pl_ice_candidate c = { .sdp_mline_index = 0 };
    switch (e->kind) {
    case PL_PC_EV_CANDIDATE:
        c.candidate = e->u.candidate.line;
        c.sdp_mid = e->u.candidate.mid;
        c.username_fragment = e->u.candidate.ufrag;
        if (!p->no_trickle)
            PL_EQ(pl_pc_add_candidate(other->pc, p->now_us, &c), PL_OK);
        break;
    case PL_PC_EV_CONNECTION:
        x->state = e->u.connection;
        snprintf(x->reason, sizeof x->reason, "%s", e->text);
        break;
    case PL_PC_EV_TRACK: x->n_tracks++; break;
    case PL_PC_EV_NEGOTIATION_NEEDED: x->n_negotiation_needed++; break;
    case PL_PC_EV_DATA: on_data(p, x, &e->u.data); break;
    default: break;
    }
}

static bool work(pair *p, pair_peer *x)
{
    static uint8_t buf[65536];
    pair_peer *other = x == &p->a ? &p->b : &p->a;
    sim_link *link = x == &p->a ? p->ab : p->ba;
    pl_dgram d = { .data = buf, .cap = sizeof buf };
    pl_pc_event e;
    bool any = false;
    pl_pc_pump_media(x->pc, p->now_us);
    gather(p, x);
    while (pl_pc_poll_output(x->pc, p->now_us, &d)) {
        any = true;
        PL_OKAY(pl_addr_eq(&d.path.local, &x->addr));
        pl_path path = { .local = d.path.remote, .remote = d.path.local };
        size_t step = d.segment ? d.segment : d.len;
        if (!pl_addr_eq(&path.local, &other->addr))
            continue; /* nobody there */
        for (size_t at = 0; at < d.len; at += step)
            sim_link_send(link, p->now_us, &path, buf + at, step < d.len - at ? step : d.len - at);
    }
    while (pl_pc_poll_event(x->pc, &e)) {
        any = true;
        take_event(p, x, other, &e);
    }
    pl_pc_check(x->pc);
    return any;
}

static bool receive(pair *p, pair_peer *x, sim_link *link)
{
    uint8_t pkt[20000];
    pl_path path;
    size_t len;
    if (!sim_link_recv(link, p->now_us, &path, pkt, sizeof pkt, &len))
        return false;
    pl_pc_input(x->pc, p->now_us, &path, pkt, len);
    return true;
}

bool pair_run(pair *p, int64_t max_us, bool (*until)(const pair *p))
{
    int64_t end_us = p->now_us + max_us;
    for (;;) {
        bool any = true;
        while (any) {
            any = work(p, &p->a);
            any |= work(p, &p->b);
            any |= receive(p, &p->b, p->ab);
            any |= receive(p, &p->a, p->ba);
        }
        if (until && until(p))
            return true;
        int64_t next_us = pl_min_us(pl_pc_next_us(p->a.pc), pl_pc_next_us(p->b.pc));
        next_us = pl_min_us(next_us, pl_min_us(sim_link_next_us(p->ab), sim_link_next_us(p->ba)));
        if (next_us > end_us) {
            p->now_us = end_us;
            return !until;
        }
        p->now_us = pl_max_us(next_us, p->now_us + 1);
        if (pl_pc_next_us(p->a.pc) <= p->now_us)
            pl_pc_tick(p->a.pc, p->now_us);
        if (pl_pc_next_us(p->b.pc) <= p->now_us)
            pl_pc_tick(p->b.pc, p->now_us);
    }
}

void pair_attach(pair_peer *x, int transceiver)
{
    pl_pc_rings *r = &x->rings[transceiver];
    PL_EQ(pl_ring_new(&r->recv_in, sizeof(pl_media_msg), 512), PL_OK);
    PL_EQ(pl_ring_new(&r->recv_out, sizeof(pl_media_msg), 64), PL_OK);
    PL_EQ(pl_ring_new(&r->send_in, sizeof(pl_media_msg), 64), PL_OK);
    PL_EQ(pl_ring_new(&r->send_out, sizeof(pl_media_msg), 512), PL_OK);
    pl_pc_attach_media(x->pc, transceiver, r);
}

bool pair_connected(const pair *p)
{
    return p->a.state == PL_CONNECTION_CONNECTED && p->b.state == PL_CONNECTION_CONNECTED;
}

bool pair_open(const pair *p)
{
    return p->a.n_open > 0 && p->b.n_open > 0;
}
