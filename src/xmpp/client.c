/* A client's life: transports come and go, sessions begin, are lost and resumed. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hmac.h"
#include "xmpp/client_internal.h"

pl_xmpp_state pl_xmpp_client_state(const pl_xmpp_client *c)
{
    return c->state;
}

const pl_jid *pl_xmpp_client_jid(const pl_xmpp_client *c)
{
    return &c->bound;
}

int64_t pl_xmpp_client_now(const pl_xmpp_client *c)
{
    return c->conf.clock ? c->conf.clock(c->conf.user) : c->now_us;
}

void pl_xmpp_client_token(pl_xmpp_client *c, char *out, size_t n)
{
    static const char chars[] = "abcdefghijklmnopqrstuvwxyz012345"; /* 32: five bits each */
    for (size_t i = 0; i < n; i++)
        out[i] = chars[pl_rand_below(&c->conf.rand, 32)];
    out[n] = 0;
}

const char *pl_xmpp_client_mechanism(const pl_xmpp_client *c)
{
    return c->mechanism;
}

bool pl_xmpp_client_offers(const pl_xmpp_client *c, const char *ns)
{
    return c->stream && pl_xmpp_stream_offers(c->stream, ns);
}

static void wake(pl_xmpp_client *c)
{
    if (c->conf.wake)
        c->conf.wake(c->conf.user);
}

static void enter(pl_xmpp_client *c, pl_xmpp_state to, bool resumed)
{
    if (c->state == to)
        return;
    pl_log_debug(&c->log, "state %d -> %d%s", c->state, to, resumed ? ", resumed" : "");
    c->state = to;
    client_tell_state(c, to, resumed);
}

/* The account's address without a resource. */
static void unbind(pl_xmpp_client *c)
{
    c->bound = c->account;
    c->bound.text[pl_jid_bare(&c->bound).n] = 0;
    c->bound.resource_n = 0;
}

/* ---- new and free ---- */

pl_err pl_xmpp_client_new(pl_xmpp_client **out, const pl_xmpp_client_conf *conf, int64_t now_us)
{
    *out = NULL;
    pl_xmpp_client *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    c->conf = *conf;
    c->password = strdup(conf->password ? conf->password : "");
    c->conf.jid = c->conf.password = NULL;
    pl_err err = !conf->jid || pl_jid_parse(&c->account, pl_str_of(conf->jid)) || !c->account.local_n
                     ? PL_EINVAL
                 : !c->password ? PL_ENOMEM
                                : PL_OK;
    for (int i = 0; i < PL_XMPP_LEVELS; i++)
        pl_list_init(&c->handlers[i]);
    pl_list_init(&c->requests);
    pl_xmpp_sm_init(&c->sm);
    unbind(c);
    pl_log_name(&c->log, "xmpp", pl_rand_u32(&conf->rand) & 0xff);
    c->now_us = now_us;
    c->try_us = c->give_up_us = c->resume_until_us = PL_NEVER;
    if (err) {
        pl_xmpp_client_free(c);
        return err;
    }
    *out = c;
    return PL_OK;
}

void pl_xmpp_client_free(pl_xmpp_client *c)
{
    if (!c)
        return;
    assert(!c->walks); /* not from a handler */
    client_forget_all(c, false);
    pl_xmpp_stream_free(c->stream);
    pl_xmpp_stream_free(c->spent);
    pl_xmpp_sm_clear(&c->sm);
    if (c->password)
        pl_wipe(c->password, strlen(c->password));
    free(c->password);
    free(c);
}

/* ---- ends ---- */

/* The stream's last words go out before the transport does. */
static void drop_stream(pl_xmpp_client *c, bool transport_stands)
{
    pl_xmpp_stream_free(c->spent);
    c->spent = transport_stands ? c->stream : NULL;
    if (!transport_stands)
        pl_xmpp_stream_free(c->stream);
    c->stream = NULL;
    c->want_disconnect = transport_stands;
    c->transport = c->want_tls = c->want_connect = false;
    c->give_up_us = PL_NEVER;
}

/* The session cannot be had back: who waits for an answer waits in vain. */
static void give_session_up(pl_xmpp_client *c)
{
    pl_xmpp_sm_end(&c->sm);
    c->resume_until_us = PL_NEVER;
    client_forget_all(c, true);
}

static void to_closed(pl_xmpp_client *c)
{
    c->try_us = PL_NEVER;
    c->closing = false;
    c->tries = c->redirects = 0;
    c->other[0] = 0;
    give_session_up(c);
    pl_xmpp_sm_clear(&c->sm);
    unbind(c);
    enter(c, PL_XMPP_CLOSED, false);
}

/* Half to all of a second, two, four ... so that a server that comes back is not met by all its clients at once. A
 * session that stood for a while was lost to a network that is likely to be back at once. */
static int64_t pause_us(pl_xmpp_client *c)
{
    if (c->tries == 0)
        return PL_MS(pl_rand_below(&c->conf.rand, 300));
    unsigned doublings = c->tries - 1 < 6 ? c->tries - 1 : 6;
    uint32_t ms = (uint32_t)PL_XMPP_PAUSE_MIN_MS << doublings;
    if (ms > PL_XMPP_PAUSE_MAX_MS)
        ms = PL_XMPP_PAUSE_MAX_MS;
    return PL_MS(ms / 2 + pl_rand_below(&c->conf.rand, ms / 2 + 1));
}

static void trouble(pl_xmpp_client *c, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us)
{
    pl_log_info(&c->log, "%s: %s", pl_xmpp_fault_str(fault), why);
    if (c->conf.trouble)
        c->conf.trouble(c->conf.user, fault, why, again, in_us);
}

static void try_again(pl_xmpp_client *c, pl_xmpp_fault fault, const char *why)
{
    bool stood = c->state == PL_XMPP_OPENED;
    if (stood && c->now_us - c->opened_us >= PL_SEC(PL_XMPP_CALM_S))
        c->tries = 0;
    int64_t in_us = pause_us(c);
    c->tries++;
    c->try_us = c->now_us + in_us;
    if (stood && c->sm.resumable)
        c->resume_until_us = c->now_us + c->sm.resume_us;
    if (!c->sm.resumable)
        give_session_up(c);
    enter(c, c->sm.resumable ? PL_XMPP_LOST : PL_XMPP_CONNECTING, false);
    trouble(c, fault, why, true, in_us);
}

/* The stream has ended, or its transport. why may lie in what is dropped here. */
static void ended(pl_xmpp_client *c, pl_xmpp_fault fault, const char *why, const char *other,
                  bool transport_stands)
{
    char text[200];
    snprintf(text, sizeof text, "%s", why);
    bool moved =
        other && c->redirects < PL_XMPP_REDIRECTS_MAX && strlen(other) < sizeof c->other && !c->closing;
    if (moved)
        snprintf(c->other, sizeof c->other, "%s", other);
    else
        c->other[0] = 0;
    drop_stream(c, transport_stands);
    if (c->closing) {
        to_closed(c);
    } else if (moved) {
        c->redirects++;
        c->try_us = c->now_us;
        enter(c, c->sm.resumable ? PL_XMPP_LOST : PL_XMPP_CONNECTING, false);
    } else if (c->conf.once || !pl_xmpp_fault_may_pass(fault)) {
        trouble(c, fault, text, false, 0);
        to_closed(c);
    } else {
        try_again(c, fault, text);
    }
}

/* ---- what the stream tells ---- */

/* What was sent and perhaps never came, or came twice: the receiver sees the same id. */
static void send_left_over(pl_xmpp_client *c)
{
    while (c->state == PL_XMPP_OPENED && !pl_list_empty(&c->sm.left)) {
        pl_xmpp_unacked *u = pl_of(pl_list_pop_front(&c->sm.left), pl_xmpp_unacked, in_queue);
        pl_xml *message;
        c->sm.n_left--;
        c->sm.bytes -= u->len;
        pl_buf text = pl_buf_init(
            u->len + 64); /* it was written without the namespace that is understood in a stream */
        pl_buf_addf(&text, "<s xmlns='" PL_NS_CLIENT "'>%s</s>", u->text);
        free(u);
        pl_err err = text.bad ? PL_ENOMEM : pl_xml_parse(&message, (pl_str){ text.p, text.n });
        pl_buf_clear(&text);
        if (err)
            continue;
        err = pl_xmpp_send(c, pl_xml_copy(message->first));
        pl_xml_free(message);
        if (err)
            return;
    }
}

static void on_ready(pl_xmpp_client *c, const pl_xmpp_event *e)
{
    c->bound = *pl_xmpp_stream_jid(c->stream);
    if (pl_xmpp_stream_rank(c->stream) > c->rank)
        c->rank = pl_xmpp_stream_rank(c->stream);
    c->bound_tls |= strstr(pl_xmpp_stream_mechanism(c->stream), "-PLUS") != NULL;
    c->registered = true;
    c->redirects = 0;
    c->opened_us = c->now_us;
    c->resume_until_us = PL_NEVER;
    if (!e->resumed)
        client_forget_all(c, true);
    if (e->resumed)
        c->tries = 0;
    enter(c, PL_XMPP_OPENED, e->resumed);
    if (!e->resumed)
        send_left_over(c);
}

static void on_event(pl_xmpp_client *c, pl_xmpp_event *e)
{
    switch (e->type) {
    case PL_XMPP_WANT_TLS: c->want_tls = true; break;
    case PL_XMPP_READY: on_ready(c, e); break;
    case PL_XMPP_STANZA:
        client_dispatch(c, e->stanza);
        pl_xml_free(e->stanza);
        break;
    case PL_XMPP_ENDED:
        ended(c, e->fault == PL_XMPP_FINE ? PL_XMPP_UNREACHABLE : e->fault, e->why, e->other, true);
        break;
    }
}

static void drain(pl_xmpp_client *c)
{
    pl_xmpp_event e;
    while (c->stream && pl_xmpp_stream_poll_event(c->stream, &e)) {
        snprintf(c->mechanism, sizeof c->mechanism, "%s", pl_xmpp_stream_mechanism(c->stream));
        on_event(c, &e);
    }
    if (c->state == PL_XMPP_LOST &&
        !c->sm.resumable) { /* the server had forgotten it; a new session is on its way */
        give_session_up(c);
        enter(c, c->stream ? PL_XMPP_OPENING : PL_XMPP_CONNECTING, false);
    }
}

/* ---- facts ---- */

void pl_xmpp_client_open(pl_xmpp_client *c, int64_t now_us)
{
    c->now_us = now_us;
    if (c->state != PL_XMPP_CLOSED)
        return;
    c->closing = false;
    c->tries = 1;
    c->try_us = now_us;
    enter(c, PL_XMPP_CONNECTING, false);
    wake(c);
}

void pl_xmpp_client_close(pl_xmpp_client *c, int64_t now_us)
{
    c->now_us = now_us;
    if (c->state == PL_XMPP_CLOSED || c->closing)
        return;
    c->closing = true;
    c->try_us = PL_NEVER;
    if (c->stream && pl_xmpp_stream_is_ready(c->stream)) {
        pl_xmpp_stream_close(c->stream, now_us); /* ENDED follows */
    } else {
        drop_stream(c, c->transport);
        to_closed(c);
    }
    wake(c);
}

void pl_xmpp_client_hurry(pl_xmpp_client *c, int64_t now_us)
{
    c->now_us = now_us;
    if (c->try_us != PL_NEVER)
        c->try_us = now_us;
    c->tries = c->tries > 1 ? 1 : c->tries;
    wake(c);
}

void pl_xmpp_client_connected(pl_xmpp_client *c, int64_t now_us, pl_xmpp_framing framing, bool secure,
                              const pl_sasl_binding *tls)
{
    c->now_us = now_us;
    if (!c->transport || c->stream)
        return;
    c->give_up_us = PL_NEVER;
    pl_xmpp_stream_conf conf = {
        .account = &c->account,
        .password = c->password,
        .framing = framing,
        .secure = secure,
        .tls = tls,
        .insecure = c->conf.insecure,
        .plain = c->conf.plain,
        .create_account = c->conf.create_account && !c->registered,
        .at_least = c->rank,
        .must_bind = c->bound_tls,
        .sm = &c->sm,
        .rand = c->conf.rand,
    };
    if (pl_xmpp_stream_new(&c->stream, &conf, now_us)) {
        ended(c, PL_XMPP_LIMIT, "no memory", NULL, true);
        return;
    }
    if (c->state != PL_XMPP_LOST)
        enter(c, PL_XMPP_OPENING, false);
    if (c->stream)
        pl_xmpp_stream_start(c->stream, now_us);
}

void pl_xmpp_client_secured(pl_xmpp_client *c, int64_t now_us, const pl_sasl_binding *tls)
{
    c->now_us = now_us;
    if (c->stream)
        pl_xmpp_stream_secured(c->stream, now_us, tls);
    drain(c);
}

void pl_xmpp_client_input(pl_xmpp_client *c, int64_t now_us, const void *data, size_t len)
{
    c->now_us = now_us;
    if (c->stream)
        pl_xmpp_stream_input(c->stream, now_us, data, len);
    drain(c);
}

void pl_xmpp_client_read(pl_xmpp_client *c, int64_t now_us, const pl_xml_read *read)
{
    c->now_us = now_us;
    if (c->stream)
        pl_xmpp_stream_read(c->stream, now_us, read);
    else
        pl_xml_free(read->element);
    drain(c);
}

void pl_xmpp_client_lost(pl_xmpp_client *c, int64_t now_us, pl_xmpp_fault fault, const char *why)
{
    c->now_us = now_us;
    drain(c); /* what was whole before */
    if (c->transport) {
        ended(c, fault, why, NULL, false);
    } else {
        pl_xmpp_stream_free(c->spent);
        c->spent = NULL;
        c->want_disconnect = false;
    }
}

static void session_may_expire(pl_xmpp_client *c)
{
    if (c->now_us < c->resume_until_us)
        return;
    give_session_up(c);
    if (c->state == PL_XMPP_LOST)
        enter(c, c->stream ? PL_XMPP_OPENING : PL_XMPP_CONNECTING, false);
}

void pl_xmpp_client_tick(pl_xmpp_client *c, int64_t now_us)
{
    c->now_us = now_us;
    if (c->stream)
        pl_xmpp_stream_tick(c->stream, now_us);
    drain(c);
    client_time_out(c);
    session_may_expire(c);
    if (now_us >= c->give_up_us)
        ended(c, PL_XMPP_UNREACHABLE, "no connection in time", NULL, true);
    if (now_us >= c->try_us) {
        c->try_us = PL_NEVER;
        c->want_connect = true;
    }
}

int64_t pl_xmpp_client_next_us(const pl_xmpp_client *c)
{
    int64_t next = pl_min_us(c->try_us, c->give_up_us);
    next = pl_min_us(next, pl_min_us(c->resume_until_us, client_next_timeout(c)));
    return c->stream ? pl_min_us(next, pl_xmpp_stream_next_us(c->stream)) : next;
}

/* ---- orders ---- */

static bool order(pl_xmpp_order *out, pl_xmpp_order_type type)
{
    *out = (pl_xmpp_order){ .type = type };
    return true;
}

static bool order_end(pl_xmpp_client *c, pl_xmpp_order *out)
{
    out->type = PL_XMPP_WRITE;
    if (c->spent && pl_xmpp_stream_poll_output(c->spent, &out->output))
        return true;
    pl_xmpp_stream_free(c->spent);
    c->spent = NULL;
    if (!c->want_disconnect)
        return false;
    c->want_disconnect = false;
    return order(out, PL_XMPP_DISCONNECT);
}

bool pl_xmpp_client_poll_order(pl_xmpp_client *c, int64_t now_us, pl_xmpp_order *out)
{
    c->now_us = now_us;
    *out = (pl_xmpp_order){ .type = PL_XMPP_WRITE };
    if (order_end(c, out))
        return true;
    if (c->want_connect) {
        c->want_connect = false;
        c->transport = true;
        c->give_up_us = now_us + PL_SEC(PL_XMPP_CONNECT_S);
        (void)order(out, PL_XMPP_CONNECT);
        out->other = c->other[0] ? c->other : NULL;
        return true;
    }
    out->type = PL_XMPP_WRITE;
    if (c->stream && pl_xmpp_stream_poll_output(c->stream, &out->output))
        return true;
    if (!c->want_tls)
        return false;
    c->want_tls = false;
    return order(out, PL_XMPP_START_TLS);
}

/* ---- sending ---- */

/* Kept for the session that is about to be resumed; it goes out with the rest then. */
static pl_err keep(pl_xmpp_client *c, pl_xml *stanza)
{
    pl_buf text = pl_buf_init(PL_XMPP_SM_BYTES_MAX);
    pl_err err = pl_xml_err(stanza);
    if (!err)
        pl_xml_write(stanza, PL_NS_CLIENT, &text);
    if (!err && text.bad)
        err = text.n >= PL_XMPP_SM_BYTES_MAX / 2 ? PL_ENOSPC : PL_ENOMEM;
    if (!err)
        err = pl_xmpp_sm_keep(&c->sm, (pl_str){ text.p, text.n }, pl_xml_is(stanza, NULL, "message"));
    pl_buf_clear(&text);
    pl_xml_free(stanza);
    return err;
}

pl_err pl_xmpp_send(pl_xmpp_client *c, pl_xml *stanza)
{
    if (!stanza)
        return PL_ENOMEM;
    if (!pl_xml_is(stanza, PL_NS_CLIENT, NULL) || stanza->parent) {
        pl_xml_free(stanza);
        return PL_EINVAL;
    }
    bool open = c->state == PL_XMPP_OPENED || c->state == PL_XMPP_LOST;
    if (!open || c->closing) {
        pl_xml_free(stanza);
        return PL_ESTATE;
    }
    if (!(c->stream && pl_xmpp_stream_is_ready(c->stream)) && c->sm.resumable)
        return keep(c, stanza);
    if (!c->stream) {
        pl_xml_free(stanza);
        return PL_ESTATE;
    }
    pl_err err = pl_xmpp_stream_send(c->stream, pl_xmpp_client_now(c), stanza);
    wake(c);
    return err;
}

void pl_xmpp_probe(pl_xmpp_client *c)
{
    if (!c->stream) {
        pl_xmpp_client_hurry(c, pl_xmpp_client_now(c));
        return;
    }
    pl_xmpp_stream_probe(c->stream, pl_xmpp_client_now(c));
    wake(c);
}

void pl_xmpp_client_check(const pl_xmpp_client *c)
{
    assert(!c->stream || c->transport);
    assert(!c->want_connect || !c->transport);
    assert((c->state == PL_XMPP_OPENED) <= (c->stream != NULL));
    assert(c->state != PL_XMPP_LOST || c->sm.resumable);
    assert(c->n_requests <= PL_XMPP_IQS_MAX);
    pl_xmpp_sm_check(&c->sm);
    if (c->stream)
        pl_xmpp_stream_check(c->stream);
}
