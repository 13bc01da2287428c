#include "peer/duo.h"

#include <string.h>

static void on_open(void *user, pl_data_channel *c)
{
    (void)c;
    ((duo_side *)user)->n_open++;
}

static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    (void)c, (void)data, (void)len, (void)binary;
    ((duo_side *)user)->n_messages++;
}

static pl_data_channel_observer channel_observer(duo_side *s)
{
    return (pl_data_channel_observer){ .user = s, .on_open = on_open, .on_message = on_message };
}

static void on_channel(void *user, pl_data_channel *c)
{
    duo_side *s = user;
    pl_data_channel_observer o = channel_observer(s);
    pl_data_channel_set_observer(c, &o);
    s->channel = c;
    s->n_open++;
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    duo_side *s = user;
    if (s->n_candidates < 24)
        snprintf(s->lines[s->n_candidates], sizeof s->lines[0], "%s", c->candidate);
    s->n_candidates += c->candidate[0] != 0;
    if (s->other->pc && (!s->only || !c->candidate[0] || strstr(c->candidate, s->only)))
        PL_EQ(pl_peer_connection_add_ice_candidate(s->other->pc, c), PL_OK);
}

static void on_error(void *user, const pl_ice_candidate_error *e)
{
    duo_side *s = user;
    s->n_errors++;
    s->error_code = e->error_code;
    snprintf(s->error_url, sizeof s->error_url, "%s", e->url);
    snprintf(s->error_text, sizeof s->error_text, "%s", e->error_text);
}

static void on_state(void *user, pl_peer_connection_state state, const char *reason)
{
    (void)reason;
    ((duo_side *)user)->state = state;
    ((duo_side *)user)->n_disconnected += state == PL_CONNECTION_DISCONNECTED;
}

static void on_needed(void *user)
{
    ((duo_side *)user)->n_needed++;
}

static void make_side(duo *d, int i, const pl_configuration *conf)
{
    duo_side *s = &d->side[i];
    s->other = &d->side[1 - i];
    pl_peer_connection_observer o = { .user = s,
                                      .on_data_channel = on_channel,
                                      .on_ice_candidate = on_candidate,
                                      .on_ice_candidate_error = on_error,
                                      .on_connection_state = on_state,
                                      .on_negotiation_needed = on_needed };
    PL_EQ(pl_peer_connection_new(&s->pc, s->factory, conf, &o), PL_OK);
}

void duo_init(duo *d, const pl_factory_conf *fa, const pl_factory_conf *fb, const pl_configuration *ca,
              const pl_configuration *cb)
{
    pl_factory_conf conf[2] = { fa ? *fa : (pl_factory_conf){ 0 }, fb ? *fb : (pl_factory_conf){ 0 } };
    *d = (duo){ .own_loop = true, .own_factory = { true, fb != NULL } };
    PL_EQ(pl_loop_new(&d->loop, NULL), PL_OK);
    conf[0].loop = conf[1].loop = d->loop;
    PL_EQ(pl_factory_new(&d->side[0].factory, &conf[0]), PL_OK);
    d->side[1].factory = d->side[0].factory;
    if (fb)
        PL_EQ(pl_factory_new(&d->side[1].factory, &conf[1]), PL_OK);
    make_side(d, 0, ca);
    make_side(d, 1, cb);
}

void duo_init_on(duo *d, pl_loop *loop, pl_factory *fa, pl_factory *fb)
{
    *d = (duo){ .loop = loop };
    d->side[0].factory = fa;
    d->side[1].factory = fb;
    make_side(d, 0, NULL);
    make_side(d, 1, NULL);
}

void duo_clear(duo *d)
{
    for (int i = 0; i < 2; i++) {
        pl_data_channel_free(d->side[i].channel);
        pl_peer_connection_free(d->side[i].pc);
        d->side[i].pc = NULL;
    }
    for (int i = 0; i < 2; i++) {
        if (d->own_factory[i])
            pl_factory_free(d->side[i].factory);
    }
    if (d->own_loop)
        pl_loop_free(d->loop);
}

void duo_negotiate(duo *d, bool ice_restart)
{
    pl_peer_connection *a = d->side[0].pc, *b = d->side[1].pc;
    pl_offer_options options = { .ice_restart = ice_restart };
    char *offer, *answer;
    PL_EQ(pl_peer_connection_create_offer(a, &options, &offer), PL_OK);
    PL_EQ(pl_peer_connection_set_local_description(a, PL_SDP_OFFER, offer), PL_OK);
    PL_EQ(pl_peer_connection_set_remote_description(b, PL_SDP_OFFER, offer), PL_OK);
    PL_EQ(pl_peer_connection_create_answer(b, &answer), PL_OK);
    PL_EQ(pl_peer_connection_set_local_description(b, PL_SDP_ANSWER, answer), PL_OK);
    PL_EQ(pl_peer_connection_set_remote_description(a, PL_SDP_ANSWER, answer), PL_OK);
    pl_free(offer);
    pl_free(answer);
}

void duo_begin(duo *d)
{
    pl_data_channel_observer o = channel_observer(&d->side[0]);
    PL_EQ(pl_peer_connection_create_data_channel(d->side[0].pc, "duo", NULL, &o, &d->side[0].channel), PL_OK);
    duo_negotiate(d, false);
}

void duo_connect(duo *d)
{
    duo_begin(d);
    DUO_UNTIL(d, d->side[0].n_open && d->side[1].n_open);
}

void duo_talk(duo *d, int n)
{
    int want[2] = { d->side[0].n_messages + n, d->side[1].n_messages + n };
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < 2; k++)
            PL_EQ(pl_data_channel_send(d->side[k].channel, "0123456789", 10, true), PL_OK);
    }
    DUO_UNTIL(d, d->side[0].n_messages == want[0] && d->side[1].n_messages == want[1]);
}

void duo_run(duo *d, int64_t us)
{
    for (int64_t end_us = pl_clock_us() + us; pl_clock_us() < end_us;)
        PL_EQ(pl_loop_run_once(d->loop, PL_MS(10)), PL_OK);
}

static const pl_stats *by_id(const pl_stats_report *r, const char *id)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->stats[i].id, id) == 0)
            return &r->stats[i];
    }
    return NULL;
}

duo_path duo_path_of(duo *d, int side)
{
    pl_stats_report *r;
    duo_path p = { { 0 } };
    PL_EQ(pl_peer_connection_get_stats(d->side[side].pc, &r), PL_OK);
    const pl_stats *t = pl_stats_find(r, PL_STATS_TRANSPORT, 0);
    const pl_stats *pair = t ? by_id(r, t->u.transport.selected_candidate_pair_id) : NULL;
    if (pair) {
        const pl_stats *local = by_id(r, pair->u.candidate_pair.local_candidate_id);
        const pl_stats *remote = by_id(r, pair->u.candidate_pair.remote_candidate_id);
        PL_OKAY(local && remote);
        snprintf(p.local_type, sizeof p.local_type, "%s", local->u.candidate.candidate_type);
        snprintf(p.remote_type, sizeof p.remote_type, "%s", remote->u.candidate.candidate_type);
        snprintf(p.protocol, sizeof p.protocol, "%s", local->u.candidate.protocol);
        snprintf(p.relay_protocol, sizeof p.relay_protocol, "%s", local->u.candidate.relay_protocol);
        snprintf(p.url, sizeof p.url, "%s", local->u.candidate.url);
        snprintf(p.tcp_type, sizeof p.tcp_type, "%s", local->u.candidate.tcp_type);
        snprintf(p.local, sizeof p.local, "%s", local->u.candidate.address);
        snprintf(p.remote, sizeof p.remote, "%s", remote->u.candidate.address);
        p.local_port = local->u.candidate.port;
        p.remote_port = remote->u.candidate.port;
    }
    pl_stats_report_free(r);
    return p;
}
