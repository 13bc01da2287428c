/* ice_transport.c - the public pl_ice_transport: each call is carried to the network thread, done there on the agent,
 * followed by a pump, and its result returned. */
#include "peer/ice_transport.h"

#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_TEXT_MAX = PL_ICE_LOCALS_MAX * PL_ICE_CAND_TEXT_MAX };

_Static_assert((int)PL_ICE_CONNECTION_CLOSED == (int)PL_ICE_CLOSED, "the states are the same list");
_Static_assert((int)PL_ICE_GATHERING_COMPLETE == (int)PL_ICE_GATHER_COMPLETE, "so are those of gathering");
_Static_assert((int)PL_CANDIDATE_RELAY == (int)PL_ICE_RELAY, "and the types of candidates");

void ice_transport_ref(pl_ice_transport *t)
{
    atomic_fetch_add(&t->refs, 1);
}

void ice_transport_unref(pl_ice_transport *t)
{
    if (atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    pl_buf_clear(&t->candidates);
    pl_mutex_clear(&t->lock);
    free(t);
}

/* ---- the pump ---- */

static void send_all(pl_ice_transport *t, int64_t now_us)
{
    pl_dgram d = { .data = t->factory->out_buf, .cap = PEER_OUT_CAP };
    while (pl_ice_poll_output(t->agent, now_us, &d))
        pl_ice_io_send(t->io, &d);
}

void ice_transport_pump(pl_ice_transport *t)
{
    if (t->pumping) {
        t->again = true;
        return;
    }
    t->pumping = true;
    do {
        int64_t now_us = pl_loop_now_us(t->factory->net);
        t->again = false;
        send_all(t, now_us);
        ice_transport_take_events(t, now_us);
    } while (t->again);
    t->pumping = false;
    pl_timer_set(t->factory->net, &t->timer, pl_ice_next_us(t->agent));
}

static void on_timer(void *arg, int64_t now_us)
{
    pl_ice_transport *t = arg;
    pl_ice_tick(t->agent, now_us);
    ice_transport_pump(t);
}

static void on_changed(void *arg)
{
    pl_ice_transport *t = arg;
    if (t->agent)
        ice_transport_pump(t);
}

/* ---- calls carried over ---- */

typedef struct ice_call ice_call;
struct ice_call {
    pl_ice_transport *t;
    pl_err (*fn)(ice_call *c, pl_ice *agent, int64_t now_us);
    pl_err err;
    const void *in;
    void *out;
    size_t n;
};

static void run_call(void *arg)
{
    ice_call *c = arg;
    c->err = PL_ESTATE;
    if (!c->t->agent)
        return;
    c->err = c->fn(c, c->t->agent, pl_loop_now_us(c->t->factory->net));
    ice_transport_pump(c->t);
}

static pl_err carry(ice_call *c)
{
    pl_err err = pl_loop_call(c->t->factory->net, run_call, c);
    return err ? err : c->err;
}

/* ---- making ---- */

typedef struct make {
    pl_ice_transport *t;
    const pl_ice_transport_conf *conf;
    pl_err err;
} make;

static pl_err make_agent(pl_ice_transport *t, const pl_ice_transport_conf *conf, uint32_t id)
{
    const pl_factory_conf *of_all = &t->factory->conf;
    pl_ice_conf agent = { .controlling = conf->controlling,
                          .lite = of_all->ice_lite,
                          .relay_only = conf->policy == PL_ICE_TRANSPORT_RELAY,
                          .without = of_all->ice_without,
                          .log_id = id,
                          .ufrag = conf->ufrag,
                          .pwd = conf->pwd };
    return pl_ice_new(&t->agent, &agent, pl_loop_now_us(t->factory->net));
}

static pl_err make_io(pl_ice_transport *t, const pl_ice_transport_conf *conf, uint32_t id)
{
    static const pl_ice_io_events on = { .input = ice_transport_input, .changed = on_changed };
    pl_ice_io_server server[PL_ICE_IO_SERVERS_MAX];
    pl_ice_io_conf io = { .servers = server, .n_servers = conf->n_servers, .log_id = id };
    if (conf->n_servers > PL_ICE_IO_SERVERS_MAX)
        return PL_EINVAL;
    peer_io_conf(t->factory, &io);
    for (size_t i = 0; i < conf->n_servers; i++) {
        const pl_ice_server *s = &conf->servers[i];
        server[i] = (pl_ice_io_server){ s->url, s->username, s->credential };
    }
    return pl_ice_io_new(&t->io, t->factory->hub, &io, &on, t);
}

static void do_make(void *arg)
{
    static const pl_ice_transport_conf defaults = { .policy = PL_ICE_TRANSPORT_ALL };
    make *m = arg;
    pl_ice_transport *t = m->t;
    const pl_ice_transport_conf *conf = m->conf ? m->conf : &defaults;
    uint32_t id = atomic_fetch_add(&t->factory->next_id, 1);
    pl_log_name(&t->log, "transport", id);
    m->err = make_agent(t, conf, id);
    if (m->err)
        return;
    m->err = make_io(t, conf, id);
    if (m->err) {
        pl_ice_free(t->agent);
        t->agent = NULL;
    }
}

pl_err pl_ice_transport_new(pl_ice_transport **out, pl_factory *factory, const pl_ice_transport_conf *conf,
                            const pl_ice_transport_observer *observer)
{
    *out = NULL;
    pl_ice_transport *t = calloc(1, sizeof *t);
    if (!t)
        return PL_ENOMEM;
    make m = { t, conf, PL_OK };
    t->factory = factory;
    atomic_init(&t->refs, 1);
    if (observer)
        t->observer = *observer;
    t->candidates = pl_buf_init(CANDIDATES_TEXT_MAX);
    pl_mutex_init(&t->lock);
    pl_list_init(&t->notes);
    pl_list_init(&t->sends);
    t->timer = (pl_timer){ .fn = on_timer, .arg = t };
    t->kick.loop = factory->net;
    t->kick.fn = ice_transport_send_queued;
    t->kick.arg = t;
    t->bell.loop = factory->sig;
    t->bell.fn = ice_transport_deliver;
    t->bell.arg = t;
    pl_err err = pl_loop_call(factory->net, do_make, &m);
    if (!err)
        err = m.err;
    if (err) {
        ice_transport_unref(t);
        return err;
    }
    atomic_fetch_add(&factory->n_peers, 1);
    *out = t;
    return PL_OK;
}

/* ---- ending ---- */

static void do_mute(void *arg)
{
    pl_ice_transport *t = arg;
    t->muted = true;
    pl_wake_close(&t->bell);
}

static void do_end(void *arg)
{
    pl_ice_transport *t = arg;
    int64_t now_us = pl_loop_now_us(t->factory->net);
    pl_timer_cancel(t->factory->net, &t->timer);
    pl_ice_close(t->agent, now_us);
    send_all(t, now_us); /* relays get their allocations back */
    pl_ice_io_free(t->io);
    pl_wake_close(&t->kick);
    pl_ice_free(t->agent);
    t->io = NULL;
    t->agent = NULL;
}

void pl_ice_transport_free(pl_ice_transport *t)
{
    if (!t)
        return;
    pl_factory *f = t->factory;
    /* Until the agent has ended the loop may ring the bell once more: it is taken down again after that. */
    if (pl_loop_call(f->sig, do_mute, t) || pl_loop_call(f->net, do_end, t) ||
        pl_loop_call(f->sig, do_mute, t))
        pl_log_warn(&t->log, "the loops do not answer");
    ice_transport_drop_notes(t);
    ice_transport_drop_sends(t);
    atomic_fetch_sub(&f->n_peers, 1);
    ice_transport_unref(t);
}

/* ---- candidates and words ---- */

static pl_err do_gather(ice_call *c, pl_ice *agent, int64_t now_us)
{
    (void)now_us;
    if (c->t->gathering)
        return PL_ESTATE;
    c->t->gathering = true;
    pl_ice_io_gather(c->t->io, agent);
    return PL_OK;
}

pl_err pl_ice_transport_gather(pl_ice_transport *t)
{
    ice_call c = { .t = t, .fn = do_gather };
    return carry(&c);
}

static pl_err do_local(ice_call *c, pl_ice *agent, int64_t now_us)
{
    char **text = c->out;
    pl_buf b = pl_buf_init(CANDIDATES_TEXT_MAX + 1024);
    (void)now_us;
    pl_ice_words_write(&b, pl_ice_ufrag(agent), pl_ice_pwd(agent), c->t->factory->conf.ice_lite,
                       (pl_str){ c->t->candidates.p, c->t->candidates.n },
                       pl_ice_get_gathering(agent) == PL_ICE_GATHER_COMPLETE);
    if (c->t->candidates.bad)
        b.bad = true;
    *text = pl_buf_take(&b);
    return *text ? PL_OK : PL_ENOMEM;
}

pl_err pl_ice_transport_local(pl_ice_transport *t, char **text)
{
    ice_call c = { .t = t, .fn = do_local, .out = text };
    *text = NULL;
    return carry(&c);
}

static pl_err do_set_remote(ice_call *c, pl_ice *agent, int64_t now_us)
{
    const pl_ice_words *w = c->in;
    pl_err err = pl_ice_set_remote(agent, now_us, w->ufrag, w->pwd, w->lite);
    for (size_t i = 0; i < w->n && !err; i++)
        err = pl_ice_add_remote(agent, now_us, &w->cand[i]);
    if (w->complete && !err)
        pl_ice_remote_done(agent, now_us);
    return err;
}

pl_err pl_ice_transport_set_remote(pl_ice_transport *t, const char *text)
{
    pl_ice_words *words = malloc(sizeof *words);
    if (!words)
        return PL_ENOMEM;
    ice_call c = { .t = t, .fn = do_set_remote, .in = words };
    pl_err err = pl_ice_words_read(words, text);
    if (!err)
        err = carry(&c);
    free(words);
    return err;
}

static pl_err do_set_controlling(ice_call *c, pl_ice *agent, int64_t now_us)
{
    pl_ice_set_controlling(agent, now_us, c->n != 0);
    return PL_OK;
}

void pl_ice_transport_set_controlling(pl_ice_transport *t, bool controlling)
{
    ice_call c = { .t = t, .fn = do_set_controlling, .n = controlling };
    (void)carry(&c);
}

static pl_err do_add_candidate(ice_call *c, pl_ice *agent, int64_t now_us)
{
    if (c->in)
        return pl_ice_add_remote(agent, now_us, c->in);
    pl_ice_remote_done(agent, now_us);
    return PL_OK;
}

pl_err pl_ice_transport_add_candidate(pl_ice_transport *t, const char *candidate)
{
    pl_ice_cand cand;
    ice_call c = { .t = t, .fn = do_add_candidate };
    if (candidate[0]) {
        pl_err err = pl_ice_cand_parse(&cand, candidate, strlen(candidate));
        if (err)
            return err == PL_ENOTSUP ? PL_OK : err;
        c.in = &cand;
    }
    return carry(&c);
}

static pl_err do_restart(ice_call *c, pl_ice *agent, int64_t now_us)
{
    pl_err err = pl_ice_restart(agent, now_us, NULL, NULL);
    if (!err)
        c->t->candidates.n = 0; /* they are told again */
    return err;
}

pl_err pl_ice_transport_restart(pl_ice_transport *t)
{
    ice_call c = { .t = t, .fn = do_restart };
    return carry(&c);
}

/* ---- looking ---- */

static pl_err do_state(ice_call *c, pl_ice *agent, int64_t now_us)
{
    (void)now_us;
    *(pl_ice_connection_state *)c->out = (pl_ice_connection_state)pl_ice_get_state(agent);
    return PL_OK;
}

pl_ice_connection_state pl_ice_transport_get_state(pl_ice_transport *t)
{
    pl_ice_connection_state state = PL_ICE_CONNECTION_CLOSED;
    ice_call c = { .t = t, .fn = do_state, .out = &state };
    (void)carry(&c);
    return state;
}

static pl_err do_gathering(ice_call *c, pl_ice *agent, int64_t now_us)
{
    (void)now_us;
    *(pl_ice_gathering_state *)c->out = (pl_ice_gathering_state)pl_ice_get_gathering(agent);
    return PL_OK;
}

pl_ice_gathering_state pl_ice_transport_get_gathering_state(pl_ice_transport *t)
{
    pl_ice_gathering_state state = PL_ICE_GATHERING_NEW;
    ice_call c = { .t = t, .fn = do_gathering, .out = &state };
    (void)carry(&c);
    return state;
}

static const pl_ice_cand_info *find_cand(const pl_ice_cand_info *info, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (info[i].id == id)
            return &info[i];
    }
    return NULL;
}

static pl_ice_pair_use use_of(pl_ice_pair_state state)
{
    switch (state) {
    case PL_ICE_PAIR_IN_PROGRESS: return PL_PAIR_CHECKING;
    case PL_ICE_PAIR_FAILED: return PL_PAIR_FAILED;
    case PL_ICE_PAIR_SUCCEEDED: return PL_PAIR_WORKS;
    default: return PL_PAIR_WAITING;
    }
}

void ice_transport_pair_of(const pl_ice *agent, const pl_ice_pair_info *info, pl_ice_transport_pair *out)
{
    pl_ice_cand_info cand[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX];
    size_t n = pl_ice_get_candidates(agent, cand, PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX);
    const pl_ice_cand_info *local = find_cand(cand, n, info->local_id),
                           *remote = find_cand(cand, n, info->remote_id);
    *out = (pl_ice_transport_pair){ .use = use_of(info->state),
                                    .nominated = info->nominated,
                                    .selected = info->selected,
                                    .rtt_us = info->rtt_us,
                                    .packets_sent = info->packets_sent,
                                    .packets_received = info->packets_received,
                                    .bytes_sent = info->bytes_sent,
                                    .bytes_received = info->bytes_received,
                                    .checks_sent = info->requests_sent,
                                    .checks_received = info->requests_received };
    if (local) {
        out->local_type = (pl_ice_candidate_type)local->type;
        out->tcp = local->proto == PL_TCP;
        pl_addr_str(&local->addr, out->local);
        (void)pl_str_copy(pl_str_of(pl_ice_relay_proto_str(local->relay_proto)), out->relay_protocol,
                          sizeof out->relay_protocol);
        if (local->type == PL_ICE_RELAY && local->url)
            (void)pl_str_copy(pl_str_of(local->url), out->relay_address, sizeof out->relay_address);
    }
    if (remote) {
        out->remote_type = (pl_ice_candidate_type)remote->type;
        pl_addr_str(&remote->addr, out->remote);
    }
}

static pl_err do_selected(ice_call *c, pl_ice *agent, int64_t now_us)
{
    pl_ice_pair_info info;
    (void)now_us;
    if (!pl_ice_get_selected_pair(agent, &info))
        return PL_ESTATE;
    ice_transport_pair_of(agent, &info, c->out);
    return PL_OK;
}

bool pl_ice_transport_get_selected(pl_ice_transport *t, pl_ice_transport_pair *out)
{
    ice_call c = { .t = t, .fn = do_selected, .out = out };
    return carry(&c) == PL_OK;
}

static pl_err do_pairs(ice_call *c, pl_ice *agent, int64_t now_us)
{
    pl_ice_pair_info info[PL_ICE_PAIRS_MAX];
    pl_ice_transport_pair *out = c->out;
    size_t cap = c->n;
    (void)now_us;
    c->n = pl_ice_get_pairs(agent, info, PL_ICE_PAIRS_MAX);
    for (size_t i = 0; i < c->n && i < cap; i++)
        ice_transport_pair_of(agent, &info[i], &out[i]);
    return PL_OK;
}

size_t pl_ice_transport_get_pairs(pl_ice_transport *t, pl_ice_transport_pair *out, size_t cap)
{
    ice_call c = { .t = t, .fn = do_pairs, .out = out, .n = cap };
    return carry(&c) ? 0 : c.n;
}

const char *pl_ice_candidate_type_str(pl_ice_candidate_type type)
{
    return pl_ice_type_str((uint8_t)type);
}
