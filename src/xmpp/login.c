/* From the server's features to a session: one function a state. */
#include <stdio.h>

#include "crypto/hmac.h"
#include "xmpp/stream_internal.h"

static void next_id(pl_xmpp_stream *s)
{
    snprintf(s->id, sizeof s->id, "login-%u", ++s->id_no);
}

/* An iq to the server with one child; *child is that. */
static pl_xml *request(pl_xmpp_stream *s, const char *ns, const char *name, pl_xml **child)
{
    next_id(s);
    pl_xml *iq = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_set(iq, "type", "set");
    pl_xml_set(iq, "id", s->id);
    *child = pl_xml_add(iq, ns, name);
    return iq;
}

static bool is_our_answer(const pl_xmpp_stream *s, const pl_xml *e)
{
    return pl_xml_is(e, PL_NS_CLIENT, "iq") && pl_xml_attr_is(e, "id", s->id) &&
           (pl_xml_attr_is(e, "type", "result") || pl_xml_attr_is(e, "type", "error"));
}

static bool is_error(const pl_xml *iq)
{
    return pl_xml_attr_is(iq, "type", "error");
}

/* The first child in the namespace that is no text. */
static const char *condition_of(const pl_xml *e, const char *ns)
{
    for (const pl_xml *c = pl_xml_child(e, ns, NULL); c; c = pl_xml_next(c, ns, NULL)) {
        if (strcmp(c->name, "text") != 0)
            return c->name;
    }
    return "undefined-condition";
}

static const char *iq_condition(const pl_xml *iq)
{
    return condition_of(pl_xml_child(iq, NULL, "error"), "urn:ietf:params:xml:ns:xmpp-stanzas");
}

/* ---- TLS ---- */

static void ask_tls(pl_xmpp_stream *s)
{
    stream_put_element(s, pl_xml_new(NS_TLS, "starttls"));
    if (s->state != STREAM_ENDED)
        stream_enter(s, STREAM_TLS_ASKED);
}

static void on_tls_answer(pl_xmpp_stream *s, const pl_xml *e)
{
    if (!pl_xml_is(e, NS_TLS, "proceed")) {
        stream_fail(s, PL_XMPP_NO_TLS, NULL, "the server refuses TLS");
        return;
    }
    stream_enter(s, STREAM_TLS);
    s->tell_tls = true;
}

/* ---- SASL ---- */

static void say(pl_xmpp_stream *s, const char *name, pl_buf *text)
{
    pl_xml *e = pl_xml_new(NS_SASL, name);
    if (strcmp(name, "auth") == 0)
        pl_xml_set(e, "mechanism", s->mechanism);
    pl_xml_say(e, text->n || strcmp(name, "auth") != 0 ? (pl_str){ text->p, text->n } : PL_STR("="));
    stream_put_element(s, e);
}

static void wipe(pl_buf *text)
{
    if (text->p)
        pl_wipe(text->p, text->n);
    pl_buf_clear(text);
}

static void begin_sasl(pl_xmpp_stream *s)
{
    pl_sasl_conf conf = { .user = pl_jid_local(s->conf.account),
                          .password = s->conf.password,
                          .tls = s->has_tls_binding ? &s->tls : NULL,
                          .plain = s->conf.plain && s->secure,
                          .at_least = s->conf.at_least,
                          .must_bind = s->conf.must_bind };
    pl_buf text = pl_buf_init(PL_SASL_TEXT_MAX);
    pl_err err = pl_sasl_new(&s->sasl, &conf, &s->offer);
    if (err == PL_ENOTSUP) {
        stream_fail(s, PL_XMPP_NO_MECHANISM, NULL,
                    s->conf.at_least > PL_SASL_PLAIN
                        ? "the server offers only weaker ways to log in than before"
                        : "the server offers no safe way to log in that we have");
        return;
    }
    if (!err) {
        s->mechanism = pl_sasl_mechanism(s->sasl);
        err = pl_sasl_begin(s->sasl, &text);
    }
    if (err) {
        stream_fail(s, err == PL_ENOMEM ? PL_XMPP_LIMIT : PL_XMPP_NOT_AUTHORIZED, NULL,
                    "name and password cannot be used with %s", s->mechanism);
    } else {
        stream_enter(s, STREAM_SASL);
        say(s, "auth", &text);
    }
    wipe(&text);
}

static void unproven(pl_xmpp_stream *s, pl_err err)
{
    if (err == PL_ENOMEM) {
        stream_fail(s, PL_XMPP_LIMIT, NULL, "no memory");
        return;
    }
    stream_put_element(s, pl_xml_new(NS_SASL, "abort"));
    stream_fail(s, PL_XMPP_UNPROVEN, NULL, "the server has not proven that it knows the password");
}

static void on_challenge(pl_xmpp_stream *s, const pl_xml *e)
{
    pl_buf text = pl_buf_init(PL_SASL_TEXT_MAX);
    pl_err err = pl_sasl_challenge(s->sasl, pl_str_of(e->text), &text);
    if (err) {
        unproven(s, err);
    } else {
        stream_enter(s, STREAM_SASL); /* a step forward: its time begins anew */
        say(s, "response", &text);
    }
    wipe(&text);
}

static void on_success(pl_xmpp_stream *s, const pl_xml *e)
{
    pl_err err = pl_sasl_success(s->sasl, pl_str_of(e->text));
    if (err) {
        unproven(s, err);
        return;
    }
    s->rank = pl_sasl_rank_of(s->sasl);
    s->authed = true;
    pl_log_info(&s->log, "logged in with %s", s->mechanism);
    stream_restart(s);
    pl_sasl_free(s->sasl);
    s->sasl = NULL;
}

static void on_sasl_failure(pl_xmpp_stream *s, const pl_xml *e)
{
    const char *c = condition_of(e, NS_SASL);
    if (strcmp(c, "temporary-auth-failure") == 0)
        stream_fail(s, PL_XMPP_UNREACHABLE, NULL, "the server cannot check passwords at the moment");
    else if (strcmp(c, "invalid-mechanism") == 0 || strcmp(c, "mechanism-too-weak") == 0 ||
             strcmp(c, "encryption-required") == 0)
        stream_fail(s, PL_XMPP_NO_MECHANISM, NULL, "the server takes no %s: %.40s", s->mechanism, c);
    else if (strcmp(c, "account-disabled") == 0)
        stream_fail(s, PL_XMPP_REFUSED, NULL, "the account is disabled");
    else
        stream_fail(s, PL_XMPP_NOT_AUTHORIZED, NULL, "wrong name or password (%.40s)", c);
}

static void on_sasl(pl_xmpp_stream *s, const pl_xml *e)
{
    if (pl_xml_is(e, NS_SASL, "challenge"))
        on_challenge(s, e);
    else if (pl_xml_is(e, NS_SASL, "success"))
        on_success(s, e);
    else if (pl_xml_is(e, NS_SASL, "failure"))
        on_sasl_failure(s, e);
    else
        stream_fail(s, PL_XMPP_BROKEN, "not-authorized", "the server said something else while logging in");
}

/* ---- a new account (XEP-0077 3.1, what every server takes) ---- */

static void ask_account(pl_xmpp_stream *s)
{
    pl_xml *query, *iq = request(s, NS_REGISTER, "query", &query);
    pl_xml_say(pl_xml_add(query, NULL, "username"), pl_jid_local(s->conf.account));
    pl_xml_add_text(query, NULL, "password", s->conf.password);
    stream_enter(s, STREAM_REGISTER);
    stream_put_element(s, iq);
}

static void on_registered(pl_xmpp_stream *s, const pl_xml *e)
{
    if (!is_our_answer(s, e))
        return;
    /* somebody has it: the log-in will show whether that is us */
    if (is_error(e) && strcmp(iq_condition(e), "conflict") != 0) {
        stream_fail(s, PL_XMPP_REFUSED, NULL, "the server makes no such account (%.40s)", iq_condition(e));
        return;
    }
    s->registered = true;
    begin_sasl(s);
}

/* ---- resource, session, stream management ---- */

static void ask_bind(pl_xmpp_stream *s, bool with_resource)
{
    pl_xml *bind, *iq = request(s, NS_BIND, "bind", &bind);
    pl_str resource = pl_jid_resource(s->conf.account);
    s->asked_resource = with_resource && resource.n;
    if (s->asked_resource)
        pl_xml_say(pl_xml_add(bind, NULL, "resource"), resource);
    stream_enter(s, STREAM_BIND);
    stream_put_element(s, iq);
}

static void ask_resume(pl_xmpp_stream *s)
{
    pl_xml *resume = pl_xml_new(PL_NS_SM, "resume");
    pl_xml_set_u64(resume, "h", s->conf.sm->in_h);
    pl_xml_set(resume, "previd", s->conf.sm->id);
    stream_enter(s, STREAM_RESUME);
    stream_put_element(s, resume);
}

static void ask_enable(pl_xmpp_stream *s)
{
    pl_xml *enable = pl_xml_new(PL_NS_SM, "enable");
    pl_xml_set(enable, "resume", "true");
    stream_enter(s, STREAM_ENABLE);
    stream_put_element(s, enable);
}

/* BOSH has acknowledgements of its own. */
static void after_bind(pl_xmpp_stream *s)
{
    if (s->sm_offered && s->conf.framing != PL_XMPP_FRAMED_BOSH)
        ask_enable(s);
    else
        flow_begin(s, false);
}

static void on_bound(pl_xmpp_stream *s, const pl_xml *e)
{
    if (is_error(e) && s->asked_resource && strcmp(iq_condition(e), "conflict") == 0) {
        ask_bind(s, false); /* RFC 6120 7.7.2.2: the server chooses another */
        return;
    }
    if (is_error(e)) {
        stream_fail(s, PL_XMPP_REFUSED, NULL, "the server gives no resource (%.40s)", iq_condition(e));
        return;
    }
    const char *jid = pl_xml_child_text(pl_xml_child(e, NS_BIND, "bind"), NS_BIND, "jid");
    pl_jid bound;
    if (!jid || pl_jid_parse(&bound, pl_str_of(jid)) || !bound.resource_n ||
        !pl_jid_bare_eq(&bound, s->conf.account)) {
        stream_fail(s, PL_XMPP_BROKEN, "undefined-condition", "the server bound no address of this account");
        return;
    }
    s->jid = bound;
    pl_xmpp_sm_begin(s->conf.sm);
    if (!s->session_needed) {
        after_bind(s);
        return;
    }
    pl_xml *session, *iq = request(s, NS_SESSION, "session", &session);
    stream_enter(s, STREAM_SESSION);
    stream_put_element(s, iq);
}

static void on_session(pl_xmpp_stream *s, const pl_xml *e)
{
    if (is_error(e))
        stream_fail(s, PL_XMPP_REFUSED, NULL, "the server begins no session (%.40s)", iq_condition(e));
    else
        after_bind(s);
}

static void on_enabled(pl_xmpp_stream *s, const pl_xml *e)
{
    pl_xmpp_sm *sm = s->conf.sm;
    const char *id = pl_xml_attr_of(e, "id"), *resume = pl_xml_attr_of(e, "resume");
    uint64_t max_s;
    if (pl_xml_is(e, PL_NS_SM, "enabled")) {
        sm->enabled = true;
        sm->jid = s->jid;
        sm->resumable = id && *id && resume && (strcmp(resume, "true") == 0 || strcmp(resume, "1") == 0) &&
                        pl_str_copy(pl_str_of(id), sm->id, sizeof sm->id);
        if (!pl_xml_attr_u64(e, "max", 24 * 3600, &max_s))
            max_s = PL_XMPP_SM_RESUME_S;
        sm->resume_us = PL_SEC((int64_t)max_s);
    } else if (!pl_xml_is(e, PL_NS_SM, "failed")) {
        return;
    }
    flow_begin(s, false);
}

static void on_resumed(pl_xmpp_stream *s, const pl_xml *e)
{
    pl_xmpp_sm *sm = s->conf.sm;
    uint64_t h;
    bool says_h = pl_xml_attr_u64(e, "h", UINT32_MAX, &h);
    bool failed = pl_xml_is(e, PL_NS_SM, "failed");
    if (!failed && !pl_xml_is(e, PL_NS_SM, "resumed"))
        return;
    bool wrong = failed ? says_h && pl_xmpp_sm_ack(sm, (uint32_t)h) != PL_OK
                        : !says_h || !pl_xml_attr_is(e, "previd", sm->id) || pl_xmpp_sm_ack(sm, (uint32_t)h);
    if (wrong) {
        pl_xmpp_sm_end(sm);
        stream_fail(s, PL_XMPP_BROKEN, "undefined-condition",
                    "the server resumes a session that was not ours");
    } else if (failed) {
        pl_log_info(&s->log, "the session is gone, a new one begins");
        pl_xmpp_sm_end(sm);
        ask_bind(s, true);
    } else {
        s->jid = sm->jid;
        flow_begin(s, true);
    }
}

/* ---- features ---- */

static void read_offer(pl_xmpp_stream *s, const pl_xml *features)
{
    const pl_xml *list = pl_xml_child(features, NS_SASL, "mechanisms");
    s->offer = (pl_sasl_offer){ .plain = false };
    for (const pl_xml *m = pl_xml_child(list, NS_SASL, "mechanism"); m;
         m = pl_xml_next(m, NS_SASL, "mechanism"))
        pl_sasl_offer_mechanism(&s->offer, pl_str_of(m->text));
    list = pl_xml_child(features, NS_CB, "sasl-channel-binding");
    for (const pl_xml *b = pl_xml_child(list, NS_CB, "channel-binding"); b;
         b = pl_xml_next(b, NS_CB, "channel-binding")) {
        const char *type = pl_xml_attr_of(b, "type");
        if (type)
            pl_sasl_offer_binding(&s->offer, pl_str_of(type));
    }
}

static void go_on_outside(pl_xmpp_stream *s, const pl_xml *features)
{
    bool can_tls = s->conf.framing == PL_XMPP_FRAMED_TCP && pl_xml_child(features, NS_TLS, "starttls");
    if (!s->secure && can_tls) {
        ask_tls(s);
    } else if (!s->secure && !s->conf.insecure) {
        stream_fail(s, PL_XMPP_NO_TLS, NULL, "the server offers no TLS");
    } else {
        read_offer(s, features);
        if (s->conf.create_account && !s->registered)
            ask_account(s);
        else
            begin_sasl(s);
    }
}

static void on_features(pl_xmpp_stream *s, const pl_xml *features)
{
    if (!pl_xml_is(features, PL_NS_STREAM, "features")) {
        stream_fail(s, PL_XMPP_BROKEN, "bad-format", "the server said something else than its features");
        return;
    }
    if (!s->authed) {
        go_on_outside(s, features);
        return;
    }
    pl_xml_free(s->features);
    s->features = pl_xml_copy(features); /* without memory: as if there were none */
    const pl_xml *session = pl_xml_child(features, NS_SESSION, "session");
    s->sm_offered = pl_xml_child(features, PL_NS_SM, "sm") != NULL;
    s->session_needed = session && !pl_xml_child(session, NULL, "optional");
    if (s->conf.sm->resumable && s->sm_offered)
        ask_resume(s);
    else if (pl_xml_child(features, NS_BIND, "bind"))
        ask_bind(s, true);
    else
        stream_fail(s, PL_XMPP_BROKEN, "undefined-condition", "the server binds no resources");
}

void login_element(pl_xmpp_stream *s, const pl_xml *e)
{
    switch (s->state) {
    case STREAM_FEATURES: on_features(s, e); break;
    case STREAM_TLS_ASKED: on_tls_answer(s, e); break;
    case STREAM_REGISTER: on_registered(s, e); break;
    case STREAM_SASL: on_sasl(s, e); break;
    case STREAM_BIND:
        if (is_our_answer(s, e))
            on_bound(s, e);
        break;
    case STREAM_SESSION:
        if (is_our_answer(s, e))
            on_session(s, e);
        break;
    case STREAM_ENABLE: on_enabled(s, e); break;
    case STREAM_RESUME: on_resumed(s, e); break;
    default: stream_fail(s, PL_XMPP_BROKEN, "bad-format", "the server spoke before its header"); break;
    }
}
