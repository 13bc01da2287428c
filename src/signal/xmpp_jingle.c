/* Jingle on an account that is signed in. */
#include "signal/xmpp_jingle.h"

#include <stdlib.h>

struct pl_xmpp_jingle {
    pl_xmpp_jingle_conf conf;
    pl_xmpp_handler handler;
    pl_jingle *jingle;
    pl_jmi *messages;
    bool running;
};

const char *const *pl_xmpp_jingle_features(void)
{
    static const char *const feature[] = { PL_NS_JINGLE,
                                           PL_NS_JINGLE_RTP,
                                           "urn:xmpp:jingle:apps:rtp:audio",
                                           "urn:xmpp:jingle:apps:rtp:video",
                                           PL_NS_JINGLE_RTP_FB,
                                           PL_NS_JINGLE_RTP_HDREXT,
                                           PL_NS_JINGLE_RTP_SSMA,
                                           PL_NS_JINGLE_GROUPING,
                                           PL_NS_JINGLE_DTLS,
                                           PL_NS_JINGLE_ICE_UDP,
                                           PL_NS_JINGLE_ICE,
                                           PL_NS_JINGLE_SCTP,
                                           PL_NS_JINGLE_CHANNELS,
                                           PL_NS_JINGLE_MESSAGE,
                                           NULL };
    return feature;
}

/* --- out ---------------------------------------------------------------------------------------------------------- */

/* A stanza that the client does not take is lost: its answer will not come, and the session ends by that. */
static bool send_all(pl_xmpp_jingle *x)
{
    int64_t now_us = pl_xmpp_client_now(x->conf.client);
    bool any = false;
    for (pl_xml *e; x->jingle && (e = pl_jingle_poll_output(x->jingle, now_us)); any = true) {
        if (pl_xmpp_send(x->conf.client, e))
            break;
    }
    for (pl_xml *e; x->messages && (e = pl_jmi_poll_output(x->messages)); any = true) {
        if (pl_xmpp_send(x->conf.client, e))
            break;
    }
    return any;
}

static bool tell_all(pl_xmpp_jingle *x)
{
    pl_jingle_event e;
    pl_jmi_event m;
    bool any = false;
    for (; x->jingle && pl_jingle_poll_event(x->jingle, &e); any = true)
        x->conf.session(x->conf.user, &e);
    for (; x->messages && pl_jmi_poll_event(x->messages, &m); any = true)
        x->conf.proposal(x->conf.user, &m);
    return any;
}

static void drain(pl_xmpp_jingle *x)
{
    if (x->running)
        return; /* a callback called a verb: what comes of it is taken by the loop it is in */
    x->running = true;
    while (tell_all(x) || send_all(x))
        ;
    x->running = false;
}

void pl_xmpp_jingle_run(pl_xmpp_jingle *x)
{
    int64_t now_us = pl_xmpp_client_now(x->conf.client);
    if (x->jingle && pl_jingle_next_us(x->jingle) <= now_us)
        pl_jingle_tick(x->jingle, now_us);
    if (x->messages && pl_jmi_next_us(x->messages) <= now_us)
        pl_jmi_tick(x->messages, now_us);
    drain(x);
}

int64_t pl_xmpp_jingle_next_us(const pl_xmpp_jingle *x)
{
    int64_t next_us = x->jingle ? pl_jingle_next_us(x->jingle) : PL_NEVER;
    return x->messages ? pl_min_us(next_us, pl_jmi_next_us(x->messages)) : next_us;
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

static bool on_stanza(void *user, const pl_xml *stanza)
{
    pl_xmpp_jingle *x = user;
    int64_t now_us = pl_xmpp_client_now(x->conf.client);
    bool taken = x->jingle && pl_jingle_input(x->jingle, now_us, stanza);
    if (!taken && x->messages)
        taken = pl_jmi_input(x->messages, now_us, stanza);
    drain(x);
    return taken;
}

/* All that was belongs to an address that is not ours any more. */
static void forget(pl_xmpp_jingle *x)
{
    if (x->jingle)
        pl_jingle_cut(x->jingle, pl_xmpp_client_now(x->conf.client));
    pl_jmi_free(x->messages);
    x->messages = NULL;
    drain(x);
    pl_jingle_free(x->jingle);
    x->jingle = NULL;
}

static void begin(pl_xmpp_jingle *x)
{
    int64_t now_us = pl_xmpp_client_now(x->conf.client);
    const char *self = pl_xmpp_client_jid(x->conf.client)->text;
    pl_jingle_conf sessions = { .self = self,
                                .applications = x->conf.applications,
                                .transports = x->conf.transports,
                                .rand = x->conf.rand };
    pl_jmi_conf messages = { .self = self, .rand = x->conf.rand };
    pl_err err = pl_jingle_new(&x->jingle, &sessions, now_us);
    if (!err && x->conf.proposal)
        err = pl_jmi_new(&x->messages, &messages, now_us);
    (void)err; /* without memory for it nobody calls, as before */
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    pl_xmpp_jingle *x = user;
    if (state != PL_XMPP_CLOSED && (state != PL_XMPP_OPENED || resumed))
        return;
    forget(x);
    if (state == PL_XMPP_OPENED)
        begin(x);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

pl_err pl_xmpp_jingle_new(pl_xmpp_jingle **out, const pl_xmpp_jingle_conf *conf)
{
    pl_xmpp_jingle *x = *out = calloc(1, sizeof *x);
    if (!x)
        return PL_ENOMEM;
    x->conf = *conf;
    x->handler = (pl_xmpp_handler){ .stanza = on_stanza, .state = on_state, .user = x };
    pl_xmpp_add_handler(conf->client, PL_XMPP_TYPE, &x->handler);
    if (pl_xmpp_client_state(conf->client) == PL_XMPP_OPENED)
        begin(x);
    return PL_OK;
}

void pl_xmpp_jingle_free(pl_xmpp_jingle *x)
{
    if (!x)
        return;
    pl_xmpp_remove_handler(x->conf.client, &x->handler);
    pl_jingle_free(x->jingle);
    pl_jmi_free(x->messages);
    free(x);
}

pl_jingle *pl_xmpp_jingle_sessions(const pl_xmpp_jingle *x)
{
    return x->jingle;
}

pl_jmi *pl_xmpp_jingle_messages(const pl_xmpp_jingle *x)
{
    return x->messages;
}
