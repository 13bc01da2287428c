/* The verbs of a stream, and how text is framed. */
#include "xmpp/stream.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hmac.h"
#include "xmpp/stream_internal.h"

enum { CLOSE_S = 2 };

static const char *const state_names[] = { "idle",     "header", "features", "tls asked", "tls",
                                           "register", "sasl",   "bind",     "session",   "enable",
                                           "resume",   "ready",  "closing",  "ended" };

/* ---- life ---- */

pl_err pl_xmpp_stream_new(pl_xmpp_stream **out, const pl_xmpp_stream_conf *conf, int64_t now_us)
{
    *out = NULL;
    pl_xmpp_stream *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    pl_xml_reader_kind kind = conf->framing == PL_XMPP_FRAMED_TCP ? PL_XML_STREAM : PL_XML_DOCUMENT;
    pl_err err = pl_xml_reader_new(&s->reader, kind, PL_XMPP_STANZA_MAX);
    if (err) {
        free(s);
        return err;
    }
    s->conf = *conf;
    s->secure = conf->secure;
    if (conf->tls) {
        s->tls = *conf->tls;
        s->has_tls_binding = true;
    }
    s->conf.tls = NULL;
    s->mechanism = "";
    s->jid = *conf->account;
    s->now_us = s->heard_us = s->said_us = now_us;
    s->step_us = s->answer_us = s->ask_ack_us = PL_NEVER;
    pl_list_init(&s->out);
    pl_list_init(&s->in);
    pl_log_name(&s->log, "xmpp-stream", pl_rand_u32(&conf->rand) & 0xff);
    *out = s;
    return PL_OK;
}

static void free_out(pl_xmpp_stream *s, stream_out *o)
{
    if (!o)
        return;
    s->out_bytes -= o->len;
    pl_wipe(o->text, o->len); /* it may hold a password */
    free(o);
}

void pl_xmpp_stream_free(pl_xmpp_stream *s)
{
    if (!s)
        return;
    free_out(s, s->lent);
    while (!pl_list_empty(&s->out))
        free_out(s, pl_of(pl_list_pop_front(&s->out), stream_out, in_list));
    while (!pl_list_empty(&s->in)) {
        stream_in *i = pl_of(pl_list_pop_front(&s->in), stream_in, in_list);
        pl_xml_free(i->stanza);
        free(i);
    }
    pl_sasl_free(s->sasl);
    pl_xml_reader_free(s->reader);
    pl_xml_free(s->features);
    free(s);
}

/* The only place where the state changes. Each step of the log-in has its time. */
void stream_enter(pl_xmpp_stream *s, stream_state to)
{
    assert(s->state != STREAM_ENDED);
    pl_log_debug(&s->log, "%s -> %s", state_names[s->state], state_names[to]);
    s->state = to;
    switch (to) {
    case STREAM_IDLE:
    case STREAM_READY:
    case STREAM_ENDED: s->step_us = PL_NEVER; break;
    case STREAM_CLOSING: s->step_us = s->now_us + PL_SEC(CLOSE_S); break;
    default: s->step_us = s->now_us + PL_SEC(PL_XMPP_STEP_S); break;
    }
}

void stream_fail(pl_xmpp_stream *s, pl_xmpp_fault fault, const char *condition, const char *fmt, ...)
{
    va_list args;
    if (s->state == STREAM_ENDED)
        return;
    va_start(args, fmt);
    vsnprintf(s->why, sizeof s->why, fmt, args);
    va_end(args);
    s->fault = fault;
    if (condition && s->state != STREAM_IDLE) {
        char text[512];
        bool stands_alone = s->conf.framing != PL_XMPP_FRAMED_TCP;
        snprintf(text, sizeof text, "<%s%s><%s xmlns='" NS_STREAMS "'/></%s>",
                 stands_alone ? "error" : "stream:error", stands_alone ? " xmlns='" PL_NS_STREAM "'" : "",
                 condition, stands_alone ? "error" : "stream:error");
        stream_put(s, PL_XMPP_FRAME_ELEMENT, pl_str_of(text));
    }
    if (s->state != STREAM_IDLE && s->state != STREAM_CLOSING && s->state != STREAM_TLS)
        stream_put(s, PL_XMPP_FRAME_CLOSE,
                   s->conf.framing == PL_XMPP_FRAMED_TCP ? PL_STR("</stream:stream>")
                                                         : PL_STR("<close xmlns='" PL_NS_FRAMING "'/>"));
    if (s->state == STREAM_ENDED) /* there was no room to say so */
        return;
    stream_enter(s, STREAM_ENDED);
    s->tell_end = true;
}

void stream_die(pl_xmpp_stream *s, pl_xmpp_fault fault, const char *why)
{
    if (s->state == STREAM_ENDED)
        return;
    snprintf(s->why, sizeof s->why, "%s", why);
    s->fault = fault;
    stream_enter(s, STREAM_ENDED);
    s->tell_end = true;
}

/* ---- text out ---- */

void stream_put(pl_xmpp_stream *s, pl_xmpp_frame frame, pl_str text)
{
    if (s->state == STREAM_ENDED)
        return;
    stream_out *o = text.n <= PL_XMPP_STREAM_OUT_MAX - s->out_bytes ? malloc(sizeof *o + text.n) : NULL;
    if (!o) {
        stream_die(s, PL_XMPP_LIMIT, "no room for what is to be sent");
        return;
    }
    *o = (stream_out){ .frame = frame, .len = text.n };
    memcpy(o->text, text.p, text.n);
    s->out_bytes += text.n;
    pl_list_push_back(&s->out, &o->in_list);
    s->said_us = s->now_us;
}

void stream_put_stanza(pl_xmpp_stream *s, pl_str text)
{
    size_t name = 1;
    if (s->conf.framing == PL_XMPP_FRAMED_TCP) {
        stream_put(s, PL_XMPP_FRAME_ELEMENT, text);
        return;
    }
    while (name < text.n && !strchr(" />", text.p[name]))
        name++;
    pl_buf framed = pl_buf_init(PL_XMPP_STREAM_OUT_MAX);
    pl_buf_add(&framed, text.p, name);
    pl_buf_addf(&framed, " xmlns='" PL_NS_CLIENT "'");
    pl_buf_add(&framed, text.p + name, text.n - name);
    if (framed.bad)
        stream_die(s, PL_XMPP_LIMIT, "no room for what is to be sent");
    else
        stream_put(s, PL_XMPP_FRAME_ELEMENT, (pl_str){ framed.p, framed.n });
    pl_buf_clear(&framed);
}

void stream_put_element(pl_xmpp_stream *s, pl_xml *e)
{
    pl_buf text = pl_buf_init(PL_XMPP_STREAM_OUT_MAX);
    pl_xml_write(e, s->conf.framing == PL_XMPP_FRAMED_TCP ? PL_NS_CLIENT : NULL, &text);
    if (pl_xml_err(e) || text.bad)
        stream_fail(s, PL_XMPP_LIMIT, NULL, "no memory");
    else
        stream_put(s, PL_XMPP_FRAME_ELEMENT, (pl_str){ text.p, text.n });
    if (text.p)
        pl_wipe(text.p, text.n);
    pl_buf_clear(&text);
    pl_xml_free(e);
}

/* The account's name is told only under TLS (RFC 6120 4.7.1). */
static void put_header(pl_xmpp_stream *s)
{
    pl_buf text = pl_buf_init(4 * PL_JID_MAX);
    pl_xml *h = pl_xml_new(s->conf.framing == PL_XMPP_FRAMED_TCP ? PL_NS_CLIENT : PL_NS_FRAMING, "open");
    char domain[PL_JID_PART_MAX + 1], bare[PL_JID_MAX + 1];
    (void)pl_str_copy(pl_jid_domain(s->conf.account), domain, sizeof domain);
    (void)pl_str_copy(pl_jid_bare(s->conf.account), bare, sizeof bare);
    if (s->secure)
        pl_xml_set(h, "from", bare);
    pl_xml_set(h, "to", domain);
    pl_xml_set(h, "version", "1.0");
    pl_xml_set_ns(h, PL_NS_XML, "lang", "en");
    if (s->conf.framing == PL_XMPP_FRAMED_TCP) {
        pl_buf attrs = pl_buf_init(4 * PL_JID_MAX);
        pl_xml_write(h, PL_NS_CLIENT, &attrs); /* "<open .../>": between are the attributes, escaped */
        pl_buf_addf(&text, "<?xml version='1.0'?><stream:stream xmlns='" PL_NS_CLIENT
                           "' xmlns:stream='" PL_NS_STREAM "'");
        if (attrs.n > 7)
            pl_buf_add(&text, attrs.p + 5, attrs.n - 7);
        pl_buf_addf(&text, ">");
        text.bad |= attrs.bad;
        pl_buf_clear(&attrs);
    } else {
        pl_xml_write(h, NULL, &text);
    }
    if (pl_xml_err(h) || text.bad)
        stream_fail(s, PL_XMPP_LIMIT, NULL, "no memory");
    else
        stream_put(s, PL_XMPP_FRAME_OPEN, (pl_str){ text.p, text.n });
    pl_buf_clear(&text);
    pl_xml_free(h);
}

void stream_restart(pl_xmpp_stream *s)
{
    pl_xml_reader_reset(s->reader);
    stream_enter(s, STREAM_HEADER);
    put_header(s);
}

void pl_xmpp_stream_start(pl_xmpp_stream *s, int64_t now_us)
{
    s->now_us = s->heard_us = now_us;
    if (s->state == STREAM_IDLE)
        stream_restart(s);
}

void pl_xmpp_stream_secured(pl_xmpp_stream *s, int64_t now_us, const pl_sasl_binding *tls)
{
    s->now_us = s->heard_us = now_us;
    if (s->state != STREAM_TLS)
        return;
    s->secure = true;
    if (tls) {
        s->tls = *tls;
        s->has_tls_binding = true;
    }
    stream_restart(s);
}

pl_err pl_xmpp_stream_send(pl_xmpp_stream *s, int64_t now_us, pl_xml *stanza)
{
    s->now_us = now_us;
    pl_buf text = pl_buf_init(PL_XMPP_STREAM_OUT_MAX);
    pl_err err = s->state != STREAM_READY ? PL_ESTATE : pl_xml_err(stanza);
    bool message = pl_xml_is(stanza, NULL, "message");
    if (!err)
        pl_xml_write(stanza, PL_NS_CLIENT, &text);
    if (!err && text.bad && text.n < PL_XMPP_STREAM_OUT_MAX / 2)
        err = PL_ENOMEM;
    if (!err && (text.bad || text.n + 64 > PL_XMPP_STREAM_OUT_MAX - s->out_bytes))
        err = PL_ENOSPC;
    if (!err && s->conf.sm->enabled)
        err = pl_xmpp_sm_keep(s->conf.sm, (pl_str){ text.p, text.n }, message);
    if (!err) {
        stream_put_stanza(s, (pl_str){ text.p, text.n });
        s->unasked++;
    }
    pl_buf_clear(&text);
    pl_xml_free(stanza);
    if (!err && s->state == STREAM_READY)
        flow_tick(s);
    return err;
}

void pl_xmpp_stream_probe(pl_xmpp_stream *s, int64_t now_us)
{
    s->now_us = now_us;
    if (s->state == STREAM_READY)
        flow_probe(s);
}

void pl_xmpp_stream_close(pl_xmpp_stream *s, int64_t now_us)
{
    s->now_us = now_us;
    if (s->state == STREAM_ENDED || s->state == STREAM_CLOSING)
        return;
    if (s->state != STREAM_READY) {
        stream_fail(s, PL_XMPP_FINE, NULL, "closed");
        return;
    }
    if (s->conf.sm->enabled && s->conf.sm->in_h) { /* so that nothing we have seen is delivered again */
        pl_xml *a = pl_xml_new(PL_NS_SM, "a");
        pl_xml_set_u64(a, "h", s->conf.sm->in_h);
        stream_put_element(s, a);
    }
    stream_put(s, PL_XMPP_FRAME_CLOSE,
               s->conf.framing == PL_XMPP_FRAMED_TCP ? PL_STR("</stream:stream>")
                                                     : PL_STR("<close xmlns='" PL_NS_FRAMING "'/>"));
    if (s->state != STREAM_ENDED)
        stream_enter(s, STREAM_CLOSING);
}

/* ---- text in ---- */

static void on_header(pl_xmpp_stream *s, const pl_xml *e)
{
    const char *version = pl_xml_attr_of(e, "version"), *from = pl_xml_attr_of(e, "from");
    pl_jid j;
    if (s->state != STREAM_HEADER) {
        stream_fail(s, PL_XMPP_BROKEN, "bad-format", "a header at the wrong time");
        return;
    }
    if (s->conf.framing == PL_XMPP_FRAMED_TCP && !pl_xml_is(e, PL_NS_STREAM, "stream")) {
        stream_fail(s, PL_XMPP_BROKEN, "invalid-namespace", "that is no XMPP server");
        return;
    }
    if (from && (pl_jid_parse(&j, pl_str_of(from)) ||
                 !pl_str_eq(pl_jid_domain(&j), pl_jid_domain(s->conf.account)))) {
        stream_fail(s, PL_XMPP_BROKEN, "invalid-from", "the server is of another domain");
        return;
    }
    /* a server of before RFC 3920 has neither TLS nor SASL; an error may follow, which says more */
    if (!version || strncmp(version, "1.", 2) != 0)
        pl_log_debug(&s->log, "the server says version %s", version ? version : "nothing");
    stream_enter(s, STREAM_FEATURES);
}

static bool is_stanza(const pl_xml *e)
{
    return pl_xml_is(e, PL_NS_CLIENT, "iq") || pl_xml_is(e, PL_NS_CLIENT, "message") ||
           pl_xml_is(e, PL_NS_CLIENT, "presence");
}

/* A bound resource may be written to before the last answers of the log-in are here. */
static bool is_early(const pl_xmpp_stream *s, const pl_xml *e)
{
    return (s->state == STREAM_SESSION || s->state == STREAM_ENABLE) &&
           !(pl_xml_is(e, NULL, "iq") && pl_xml_attr_is(e, "id", s->id));
}

static void on_element(pl_xmpp_stream *s, pl_xml *e)
{
    if (pl_xml_is(e, PL_NS_STREAM, "error")) {
        stream_error(s, e);
    } else if (s->state < STREAM_READY && !(is_stanza(e) && is_early(s, e))) {
        login_element(s, e);
    } else if (is_stanza(e)) {
        flow_stanza(s, e);
        return;
    } else if (!flow_element(s, e) && !pl_xml_is(e, PL_NS_STREAM, "features")) {
        pl_log_debug(&s->log, "an unknown element was dropped");
    }
    pl_xml_free(e);
}

static void on_close(pl_xmpp_stream *s)
{
    bool agreed = s->state == STREAM_CLOSING;
    stream_fail(s, agreed ? PL_XMPP_FINE : PL_XMPP_UNREACHABLE, NULL,
                agreed ? "closed" : "the server closed the stream");
}

void pl_xmpp_stream_read(pl_xmpp_stream *s, int64_t now_us, const pl_xml_read *read)
{
    s->now_us = s->heard_us = now_us;
    s->answer_us = PL_NEVER;
    if (s->state == STREAM_ENDED || s->state == STREAM_IDLE || s->state == STREAM_TLS) {
        pl_xml_free(read->element);
        return;
    }
    switch (read->type) {
    case PL_XML_OPENED:
        on_header(s, read->element);
        pl_xml_free(read->element);
        break;
    case PL_XML_ELEMENT: on_element(s, read->element); break;
    case PL_XML_CLOSED: on_close(s); break;
    }
}

/* RFC 7395 3.3: what is a tag of the stream in TCP is an element of its own here. */
static pl_xml_read as_frame(pl_xml *e)
{
    pl_xml_read read = { PL_XML_ELEMENT, e };
    if (pl_xml_is(e, PL_NS_FRAMING, "open"))
        read.type = PL_XML_OPENED;
    if (pl_xml_is(e, PL_NS_FRAMING, "close")) {
        read.type = PL_XML_CLOSED;
        read.element = NULL;
        pl_xml_free(e);
    }
    return read;
}

static unsigned read_all(pl_xmpp_stream *s)
{
    pl_xml_read read;
    unsigned n = 0;
    bool frames = s->conf.framing == PL_XMPP_FRAMED_WEBSOCKET;
    while (s->state != STREAM_ENDED && s->state != STREAM_TLS && pl_xml_reader_poll(s->reader, &read)) {
        if (frames)
            read = as_frame(read.element);
        pl_xmpp_stream_read(s, s->now_us, &read);
        n++;
    }
    return n;
}

/* Whoever says more in the clear after <proceed/> is not the server. */
static void refuse_more(pl_xmpp_stream *s, pl_err err)
{
    pl_xml_read read;
    bool more = pl_xml_reader_poll(s->reader, &read);
    if (more)
        pl_xml_free(read.element);
    if (more || err || !pl_xml_reader_is_between(s->reader)) {
        s->tell_tls = false;
        stream_die(s, PL_XMPP_BROKEN, "something was slipped in before TLS");
    }
}

void pl_xmpp_stream_input(pl_xmpp_stream *s, int64_t now_us, const void *data, size_t len)
{
    s->now_us = s->heard_us = now_us;
    s->answer_us = PL_NEVER;
    if (s->state == STREAM_ENDED || s->state == STREAM_IDLE || s->state == STREAM_TLS)
        return; /* what comes between <proceed/> and TLS is nobody's */
    bool frames = s->conf.framing == PL_XMPP_FRAMED_WEBSOCKET;
    if (frames)
        pl_xml_reader_reset(s->reader);
    pl_err err = pl_xml_reader_input(s->reader, data, len);
    unsigned n = read_all(s); /* may reset the reader, which then is well again */
    if (s->state == STREAM_TLS) {
        refuse_more(s, err);
        return;
    }
    if (!err && frames && n == 0 &&
        memchr(data, '<', len)) { /* it is not gone on with in the next (RFC 7395 3.3) */
        stream_fail(s, PL_XMPP_BROKEN, "not-well-formed", "what the server sent is no XMPP: half an element");
        return;
    }
    if (!err || s->state == STREAM_ENDED || !*pl_xml_reader_why(s->reader))
        return;
    stream_fail(s, err == PL_ENOMEM ? PL_XMPP_LIMIT : PL_XMPP_BROKEN,
                err == PL_ENOSPC ? "policy-violation" : "not-well-formed",
                "what the server sent is no XMPP: %s", pl_xml_reader_why(s->reader));
}

/* ---- time ---- */

void pl_xmpp_stream_tick(pl_xmpp_stream *s, int64_t now_us)
{
    s->now_us = now_us;
    if (s->state == STREAM_CLOSING && now_us >= s->step_us)
        stream_fail(s, PL_XMPP_FINE, NULL, "closed; the server did not say so");
    else if (now_us >= s->step_us)
        stream_fail(s, PL_XMPP_UNREACHABLE, "connection-timeout",
                    "the server was silent while logging in (%s)", state_names[s->state]);
    else if (s->state == STREAM_READY)
        flow_tick(s);
}

int64_t pl_xmpp_stream_next_us(const pl_xmpp_stream *s)
{
    return s->state == STREAM_READY ? flow_next_us(s) : s->step_us;
}

/* ---- out ---- */

bool pl_xmpp_stream_poll_output(pl_xmpp_stream *s, pl_xmpp_output *out)
{
    free_out(s, s->lent);
    pl_node *n = pl_list_pop_front(&s->out);
    s->lent = n ? pl_of(n, stream_out, in_list) : NULL;
    if (!n)
        return false;
    *out = (pl_xmpp_output){ s->lent->frame, { s->lent->text, s->lent->len } };
    return true;
}

bool pl_xmpp_stream_poll_event(pl_xmpp_stream *s, pl_xmpp_event *out)
{
    *out = (pl_xmpp_event){ .why = "" };
    if (s->tell_tls) {
        s->tell_tls = false;
        out->type = PL_XMPP_WANT_TLS;
        return true;
    }
    if (s->tell_ready) {
        s->tell_ready = false;
        out->type = PL_XMPP_READY;
        out->resumed = s->resumed;
        return true;
    }
    pl_node *n = pl_list_pop_front(&s->in);
    if (n) {
        stream_in *i = pl_of(n, stream_in, in_list);
        *out = (pl_xmpp_event){ .type = PL_XMPP_STANZA, .stanza = i->stanza, .why = "" };
        s->n_in--;
        free(i);
        return true;
    }
    if (!s->tell_end)
        return false;
    s->tell_end = false;
    *out = (pl_xmpp_event){
        .type = PL_XMPP_ENDED, .fault = s->fault, .why = s->why, .other = s->other[0] ? s->other : NULL
    };
    return true;
}

const pl_jid *pl_xmpp_stream_jid(const pl_xmpp_stream *s)
{
    return &s->jid;
}

pl_sasl_rank pl_xmpp_stream_rank(const pl_xmpp_stream *s)
{
    return s->rank;
}

const char *pl_xmpp_stream_mechanism(const pl_xmpp_stream *s)
{
    return s->mechanism;
}

bool pl_xmpp_stream_is_ready(const pl_xmpp_stream *s)
{
    return s->state == STREAM_READY;
}

void pl_xmpp_stream_check(const pl_xmpp_stream *s)
{
    size_t bytes = s->lent ? s->lent->len : 0, n_in = 0;
    PL_EACH (n, &s->out)
        bytes += pl_of(n, stream_out, in_list)->len;
    PL_EACH (n, &s->in)
        n_in++;
    assert(bytes == s->out_bytes && bytes <= PL_XMPP_STREAM_OUT_MAX);
    assert(n_in == s->n_in && n_in <= STREAM_EVENTS_MAX);
    assert((s->step_us == PL_NEVER) ==
           (s->state == STREAM_IDLE || s->state == STREAM_READY || s->state == STREAM_ENDED));
    assert(s->state != STREAM_SASL || s->sasl);
    assert(s->state < STREAM_BIND || s->state == STREAM_ENDED || s->authed);
    assert(!s->authed || s->secure || s->conf.insecure);
}

bool pl_xmpp_stream_offers(const pl_xmpp_stream *s, const char *ns)
{
    return pl_xml_child(s->features, ns, NULL) != NULL;
}
