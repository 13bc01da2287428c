/* backend_xmpp.c - calls from an XMPP account: signing in, contacts, and who is there. The calls are in xmpp_calls.c.
 * Source   RFC 6120, 6121; docs/xmpp.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/rooms_url.h"
#include "session/session_internal.h"
#include "session/xmpp_internal.h"

static const int64_t arriving_us = PL_SEC(2), look_us = PL_MS(500);

/* ---- time ---- */

void xmpp_run(xmpp_way *w)
{
    pl_xmpp_jingle_run(w->jingle);
    int64_t next_us = pl_min_us(pl_xmpp_jingle_next_us(w->jingle), xmpp_calls_next_us(w));
    if (next_us == PL_NEVER && !pl_sig_next(w->sig, NULL))
        pl_timer_cancel(pl_sig_loop(w->sig), &w->due);
    else /* stanzas that come bring nearer deadlines with them, and nobody says so */
        pl_timer_set(pl_sig_loop(w->sig), &w->due,
                     pl_min_us(next_us, pl_loop_now_us(pl_sig_loop(w->sig)) + look_us));
}

static void on_due(void *user, int64_t now_us)
{
    xmpp_way *w = user;
    (void)now_us;
    xmpp_calls_tick(w, pl_xmpp_client_now(w->client));
    xmpp_run(w);
}

/* ---- who is there ---- */

static bool is_here(const xmpp_way *w, const char *bare)
{
    for (const pl_device *d = pl_presence_next(w->on.presence, bare, NULL); d;
         d = pl_presence_next(w->on.presence, bare, d)) {
        if (d->show != PL_SHOW_OFFLINE)
            return true;
    }
    return false;
}

/* A contact is a peer while one of its devices is there; which are told is kept with the contact. */
static void on_device(void *user, const pl_device *d)
{
    xmpp_way *w = user;
    const pl_contact *c = pl_roster_find(w->on.roster, d->jid);
    bool here = c && is_here(w, c->jid);
    if (!c || here == (c->user != NULL))
        return;
    pl_roster_set_user(c, here ? w : NULL);
    const pl_signaling_peer peer = { .address = c->jid,
                                     .name = c->name[0] ? c->name : c->jid,
                                     .here = here,
                                     .before =
                                         here && pl_loop_now_us(pl_sig_loop(w->sig)) < w->arriving_until_us };
    pl_sig_peer(w->sig, &peer);
}

static void begin(xmpp_way *w)
{
    w->ready = true;
    xmpp_calls_begin(w);
    xmpp_run(w);
}

static void on_loaded(void *user, const char *error)
{
    xmpp_way *w = user;
    if (error)
        pl_sig_note(w->sig, "the server does not tell our contacts: nobody may ring");
    begin(w);
}

static void on_caps(void *user)
{
    xmpp_way *w = user;
    if (w->on.presence && pl_presence_repeat(w->on.presence))
        pl_sig_note(w->sig, "presence could not be sent");
}

/* ---- the link ---- */

static void on_trouble(void *user, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us)
{
    xmpp_way *w = user;
    (void)fault, (void)in_us;
    pl_sig_closed(w->sig, PL_EIO, why, again);
}

/* Jingle's own handler stands between the two: what ends in it now was cut off. */
static void before_state(void *user, pl_xmpp_state state, bool resumed)
{
    xmpp_way *w = user;
    w->cut = state == PL_XMPP_CLOSED || (state == PL_XMPP_OPENED && !resumed);
    if (w->cut)
        w->ready = false; /* until the contacts are loaded anew */
}

static void after_state(void *user, pl_xmpp_state state, bool resumed)
{
    xmpp_way *w = user;
    if (w->cut)
        xmpp_calls_cut(w);
    w->cut = false;
    if (state == PL_XMPP_OPENED && resumed) {
        pl_sig_opened(w->sig, "the session at the server goes on");
    } else if (state == PL_XMPP_OPENED) {
        char text[PL_SESSION_WHY_MAX];
        const char *security = pl_xmpp_connection_security(w->on.connection);
        snprintf(text, sizeof text, "signed in as %.200s%s%.80s%s", pl_xmpp_client_jid(w->client)->text,
                 security[0] ? " (" : "", security, security[0] ? ")" : "");
        w->arriving_until_us = pl_loop_now_us(pl_sig_loop(w->sig)) + arriving_us;
        pl_sig_opened(w->sig, text);
    } else if (state == PL_XMPP_CLOSED) {
        pl_sig_closed(w->sig, w->leaving ? PL_OK : PL_EIO, w->leaving ? "" : "the account is signed out",
                      false);
    }
}

/* ---- opening ---- */

/* "host", "host:port", "[::1]:port". */
static bool split_host(const char *text, char *host, size_t cap, uint16_t *port)
{
    const char *colon = text[0] == '[' ? strstr(text, "]:") : strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    const char *from = text;
    if (text[0] == '[') {
        const char *end = strchr(text, ']');
        from = text + 1;
        n = end ? (size_t)(end - from) : 0;
        colon = colon ? colon + 1 : NULL;
    }
    unsigned long value = 0;
    char *rest = NULL;
    if (colon)
        value = strtoul(colon + 1, &rest, 10);
    if (!n || n >= cap || (colon && (*rest || !value || value > 65535)))
        return false;
    memcpy(host, from, n);
    host[n] = 0;
    *port = (uint16_t)value;
    return true;
}

/* Where the server is, when DNS is not to say it. */
static bool choose_server(const char *server, pl_xmpp_connection_conf *conf, char *host, size_t cap)
{
    bool ws = server && (strncmp(server, "ws://", 5) == 0 || strncmp(server, "wss://", 6) == 0),
         http = server && (strncmp(server, "http://", 7) == 0 || strncmp(server, "https://", 8) == 0);
    if (!server)
        return true;
    if (ws || http) {
        conf->via = ws ? PL_XMPP_VIA_WEBSOCKET : PL_XMPP_VIA_BOSH;
        conf->url = server;
        return true;
    }
    bool tls = strncmp(server, "tls://", 6) == 0;
    conf->via = tls ? PL_XMPP_VIA_TLS : PL_XMPP_VIA_STARTTLS;
    conf->host = host;
    return split_host(server + (tls ? 6 : 0), host, cap, &conf->port);
}

static pl_err make_features(xmpp_way *w)
{
    static const pl_disco_identity self = { "client", "phone", "Peerline" };
    pl_caps_conf caps = { .node = "urn:peerline", .changed = on_caps, .user = w };
    const pl_roster_conf roster = { .loaded = on_loaded, .user = w };
    pl_err err = pl_disco_new(&w->on.disco, w->client, &self);
    caps.disco = w->on.disco;
    if (!err)
        err = pl_caps_new(&w->on.caps, w->client, &caps);
    if (!err)
        err = pl_roster_new(&w->on.roster, w->client, &roster);
    const pl_presence_conf presence = {
        .roster = w->on.roster, .caps = w->on.caps, .changed = on_device, .user = w
    };
    if (!err)
        err = pl_presence_new(&w->on.presence, w->client, &presence);
    return err ? err : pl_presence_set(w->on.presence, PL_SHOW_ONLINE, 0, NULL);
}

static pl_err make_jingle(xmpp_way *w)
{
    const pl_xmpp_jingle_conf jingle = {
        .client = w->client, .user = w, .session = xmpp_on_session, .proposal = xmpp_on_proposal
    };
    w->before = (pl_xmpp_handler){ .state = before_state, .user = w };
    w->after = (pl_xmpp_handler){ .state = after_state, .user = w };
    pl_xmpp_add_handler(w->client, PL_XMPP_PEEK, &w->before);
    pl_xmpp_add_handler(w->client, PL_XMPP_ALL, &w->after);
    pl_err err = pl_xmpp_jingle_new(&w->jingle, &jingle);
    for (const char *const *f = pl_xmpp_jingle_features(); *f && !err; f++)
        err = pl_disco_add(w->on.disco, *f);
    return err;
}

static void free_account(pl_session_account *a)
{
    pl_presence_free(a->presence);
    pl_roster_free(a->roster);
    pl_caps_free(a->caps);
    pl_disco_free(a->disco);
    pl_xmpp_connection_free(a->connection);
}

static void way_free(xmpp_way *w)
{
    pl_timer_cancel(pl_sig_loop(w->sig), &w->due);
    pl_xmpp_jingle_free(w->jingle);
    if (w->before.user) {
        pl_xmpp_remove_handler(w->client, &w->before);
        pl_xmpp_remove_handler(w->client, &w->after);
    }
    if (!w->lent)
        free_account(&w->on);
    free(w->callee);
    free(w);
}

static xmpp_way *way_new(pl_signaling *sig, bool anybody)
{
    xmpp_way *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->sig = sig;
    w->anybody = anybody;
    w->due = (pl_timer){ .fn = on_due, .arg = w };
    return w;
}

static pl_err refuse(pl_err err, const char *why, char *error, size_t cap)
{
    snprintf(error, cap, "%s", why);
    return err;
}

static pl_err take_url(xmpp_way *w, const char *url, char *error, size_t cap)
{
    pl_jid jid;
    pl_err err = PL_OK;
    const char *whom = strchr(url, ':') + 1;
    if (!whom[0])
        return PL_OK;
    w->callee = pl_url_decode(pl_str_of(whom), &err);
    if (!w->callee)
        return refuse(err, "that is no address of an account", error, cap);
    if (pl_jid_parse(&jid, pl_str_of(w->callee)) || !jid.local_n)
        return refuse(PL_EINVAL, "xmpp:USER@HOST is wanted, with a /RESOURCE for one device of it", error,
                      cap);
    return pl_sig_set_callee(w->sig, pl_str_of(w->callee));
}

static pl_err connect_to(xmpp_way *w, const pl_signaling_conf *conf, char *error, size_t cap)
{
    char host[256];
    pl_jid jid;
    pl_xmpp_connection_conf c = { .jid = conf->account,
                                  .password = conf->password,
                                  .ca_file = conf->ca_file,
                                  .insecure = conf->insecure,
                                  .once = conf->once,
                                  .trouble = on_trouble,
                                  .user = w };
    if (!conf->account || pl_jid_parse(&jid, pl_str_of(conf->account)) || !jid.local_n)
        return refuse(PL_EINVAL, "an account to call from is wanted: it looks like juliet@example.org", error,
                      cap);
    if (!conf->password)
        return refuse(PL_EINVAL, "the account's password is wanted", error, cap);
    if (!choose_server(conf->server, &c, host, sizeof host))
        return refuse(PL_EINVAL, "the server is HOST[:PORT], tls://HOST[:PORT], or a ws or http address",
                      error, cap);
    pl_err err = pl_xmpp_connection_new(&w->on.connection, pl_sig_loop(w->sig), &c);
    if (err)
        return refuse(err,
                      err == PL_EINVAL ? "the server's address or the file of authorities cannot be used"
                                       : pl_err_str(err),
                      error, cap);
    w->client = pl_xmpp_connection_client(w->on.connection);
    return PL_OK;
}

static pl_err xmpp_open(pl_signaling *sig, const pl_signaling_conf *conf, char *error, size_t cap)
{
    xmpp_way *w = way_new(sig, conf->anybody);
    if (!w)
        return PL_ENOMEM;
    pl_err err = take_url(w, conf->url, error, cap);
    if (!err)
        err = connect_to(w, conf, error, cap);
    if (!err)
        err = make_features(w);
    if (!err)
        err = make_jingle(w);
    if (err) {
        way_free(w);
        return err;
    }
    pl_sig_set_state(sig, w);
    pl_xmpp_connection_open(w->on.connection);
    return PL_OK;
}

static void xmpp_close(pl_signaling *sig)
{
    xmpp_way *w = pl_sig_state(sig);
    w->leaving = true;
    xmpp_run(w);
    if (w->lent)
        pl_sig_closed(sig, PL_OK, "", false);
    else
        pl_xmpp_connection_close(w->on.connection);
}

static void xmpp_check(pl_signaling *sig)
{
    pl_xmpp_probe(((xmpp_way *)pl_sig_state(sig))->client);
}

static void xmpp_free(pl_signaling *sig)
{
    way_free(pl_sig_state(sig));
}

static const char *const schemes[] = { "xmpp:", NULL };
const pl_backend pl_backend_xmpp = { .kind = "xmpp",
                                     .scheme = schemes,
                                     .restarts = true,
                                     .callee_mids = PL_JINGLE_CALLEE_MIDS,
                                     .open = xmpp_open,
                                     .close = xmpp_close,
                                     .free = xmpp_free,
                                     .call = xmpp_call_out,
                                     .ring = xmpp_ring,
                                     .accept = xmpp_accept,
                                     .describe = xmpp_describe,
                                     .candidate = xmpp_candidate,
                                     .end = xmpp_end,
                                     .drop = xmpp_drop,
                                     .check = xmpp_check };

/* ---- on an account of somebody else ---- */

pl_err pl_signaling_open_account(pl_signaling **out, pl_loop *loop, const pl_session_account *account,
                                 bool anybody, const pl_signaling_observer *observer)
{
    pl_signaling *sig = sig_new(loop, &pl_backend_xmpp, observer);
    xmpp_way *w = sig ? way_new(sig, anybody) : NULL;
    *out = NULL;
    if (!w) {
        free(sig);
        return PL_ENOMEM;
    }
    w->on = *account;
    w->lent = true;
    w->client = pl_xmpp_connection_client(account->connection);
    pl_sig_set_state(sig, w);
    pl_err err = make_jingle(w);
    if (err) {
        pl_signaling_free(sig);
        return err;
    }
    *out = sig;
    return PL_OK;
}

void pl_signaling_account_ready(pl_signaling *sig)
{
    begin(pl_sig_state(sig));
}
