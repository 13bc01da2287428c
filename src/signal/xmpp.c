/* A client, a loop and one link at a time. */
#include "signal/xmpp.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/thread.h"
#include "signal/xmpp_internal.h"

static int64_t now_of(const pl_xmpp_connection *x)
{
    return pl_loop_now_us(x->loop);
}

/* ---- addresses ---- */

bool xmpp_host_port(pl_str text, xmpp_target *out)
{
    pl_str host;
    uint64_t port = out->port;
    if (text.n && text.p[0] == '[') {
        host = pl_str_cut(&text, ']');
        host = (pl_str){ host.p + 1, host.n - 1 };
        if (!text.p || (text.n && text.p[0] != ':'))
            return false;
        (void)pl_str_cut(&text, ':');
    } else {
        host = pl_str_cut(&text, ':');
    }
    if (text.p && text.n && (!pl_str_u64(text, 65535, &port) || port == 0))
        return false;
    out->port = (uint16_t)port;
    return host.n && pl_str_copy(host, out->host, sizeof out->host);
}

bool xmpp_parse_url(const char *text, const char *scheme, xmpp_url *out)
{
    pl_str rest = pl_str_of(text);
    size_t n = strlen(scheme);
    *out = (xmpp_url){ .path = "/" };
    if (!pl_str_starts(rest, scheme))
        return false;
    rest = (pl_str){ rest.p + n, rest.n - n };
    out->at.tls = pl_str_starts(rest, "s");
    if (out->at.tls)
        rest = (pl_str){ rest.p + 1, rest.n - 1 };
    if (!pl_str_starts(rest, "://"))
        return false;
    rest = (pl_str){ rest.p + 3, rest.n - 3 };
    out->at.port = out->at.tls ? 443 : 80;
    for (size_t i = 0; i < rest.n; i++) {
        if (rest.p[i] <= ' ' || rest.p[i] == 0x7f) /* nothing that would be a line of its own in a request */
            return false;
    }
    rest = pl_str_cut(&rest, '#');
    pl_str authority = pl_str_cut(&rest, '/');
    if (memchr(authority.p, '@', authority.n))
        return false;
    if (rest.p)
        n = (size_t)snprintf(out->path, sizeof out->path, "/%.*s", (int)rest.n, rest.p);
    return (!rest.p || n < sizeof out->path) && xmpp_host_port(authority, &out->at);
}

/* ---- orders ---- */

static void drop_link(pl_xmpp_connection *x, bool at_once)
{
    xmpp_link *k = x->link;
    x->link = NULL;
    if (k && at_once)
        x->ops->close(k);
    else if (k)
        x->ops->finish(k);
}

static void open_link(pl_xmpp_connection *x, const char *other)
{
    drop_link(x, true);
    x->security[0] = 0;
    if (x->ops->open(&x->link, x, other))
        pl_xmpp_client_lost(x->client, now_of(x), PL_XMPP_LIMIT, "no connection can be made");
}

static pl_err carry_out(pl_xmpp_connection *x, const pl_xmpp_order *order)
{
    switch (order->type) {
    case PL_XMPP_CONNECT: open_link(x, order->other); return PL_OK;
    case PL_XMPP_START_TLS: return x->link && x->ops->start_tls ? x->ops->start_tls(x->link) : PL_ESTATE;
    case PL_XMPP_WRITE: return x->link ? x->ops->write(x->link, &order->output) : PL_OK;
    case PL_XMPP_DISCONNECT: drop_link(x, false); return PL_OK;
    }
    return PL_OK;
}

void xmpp_pump(pl_xmpp_connection *x)
{
    if (x->pumping) { /* told from inside: the outer one goes round once more */
        x->again = true;
        return;
    }
    x->pumping = true;
    do {
        pl_xmpp_order order;
        x->again = false;
        pl_xmpp_client_tick(x->client, now_of(x));
        while (!(x->link && x->ops->is_full(x->link)) &&
               pl_xmpp_client_poll_order(x->client, now_of(x), &order)) {
            if (carry_out(x, &order)) {
                drop_link(x, true);
                pl_xmpp_client_lost(x->client, now_of(x), PL_XMPP_UNREACHABLE,
                                    "the connection takes no more");
            }
        }
    } while (x->again);
    x->pumping = false;
    pl_timer_set(x->loop, &x->timer, pl_xmpp_client_next_us(x->client));
}

static void on_time(void *user, int64_t now_us)
{
    (void)now_us;
    xmpp_pump(user);
}

/* What was sent between two facts goes out when the loop comes round, together. */
static void on_wake(void *user)
{
    pl_xmpp_connection *x = user;
    if (!x->pumping)
        pl_timer_set(x->loop, &x->timer, now_of(x));
    x->again = true;
}

/* ---- facts ---- */

void xmpp_up(pl_xmpp_connection *x, pl_xmpp_framing framing, bool secure, const pl_sasl_binding *tls)
{
    pl_xmpp_client_connected(x->client, now_of(x), framing, secure, tls);
    xmpp_pump(x);
}

void xmpp_secured(pl_xmpp_connection *x, const pl_sasl_binding *tls)
{
    pl_xmpp_client_secured(x->client, now_of(x), tls);
    xmpp_pump(x);
}

void xmpp_input(pl_xmpp_connection *x, const void *data, size_t len)
{
    pl_xmpp_client_input(x->client, now_of(x), data, len);
    xmpp_pump(x);
}

void xmpp_read(pl_xmpp_connection *x, const pl_xml_read *read)
{
    pl_xmpp_client_read(x->client, now_of(x), read);
    xmpp_pump(x);
}

void xmpp_down(pl_xmpp_connection *x, pl_xmpp_fault fault, const char *why)
{
    char text[200];
    snprintf(text, sizeof text, "%s", why);
    drop_link(x, true);
    pl_xmpp_client_lost(x->client, now_of(x), fault, text);
    xmpp_pump(x);
}

static int64_t clock_of(void *user)
{
    return now_of(user);
}

static void on_trouble(void *user, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us)
{
    pl_xmpp_connection *x = user;
    if (x->trouble)
        x->trouble(x->user, fault, why, again, in_us);
}

/* ---- verbs ---- */

static bool copy_text(char **out, const char *text)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

static const xmpp_link_ops *ops_of(pl_xmpp_via via)
{
    switch (via) {
    case PL_XMPP_VIA_WEBSOCKET: return &xmpp_ws_ops;
    case PL_XMPP_VIA_BOSH: return &xmpp_bosh_ops;
    default: return &xmpp_tcp_ops;
    }
}

static bool url_fits(const pl_xmpp_connection_conf *conf)
{
    xmpp_url u;
    const char *scheme = conf->via == PL_XMPP_VIA_WEBSOCKET ? "ws" : "http";
    if (!conf->url || conf->via < PL_XMPP_VIA_WEBSOCKET)
        return true;
    return xmpp_parse_url(conf->url, scheme, &u) && (u.at.tls || conf->insecure);
}

static pl_err fill(pl_xmpp_connection *x, const pl_xmpp_connection_conf *conf)
{
    pl_jid j;
    if (!conf->jid || pl_jid_parse(&j, pl_str_of(conf->jid)) || !url_fits(conf))
        return PL_EINVAL;
    char domain[PL_JID_DNS_MAX + 1];
    if (!pl_jid_dns(&j, domain))
        return PL_EINVAL;
    if (!copy_text(&x->domain, domain) || !copy_text(&x->host, conf->host) ||
        !copy_text(&x->url, conf->url) || !copy_text(&x->ca_file, conf->ca_file))
        return PL_ENOMEM;
    x->port = conf->port;
    x->via = conf->via;
    x->insecure = conf->insecure;
    x->ops = ops_of(conf->via);
    pl_tls_conf tls = { .ca_file = conf->ca_file };
    pl_err err = pl_tls_ctx_new(&x->tls, &tls);
    tls.alpn = "xmpp-client"; /* XEP-0368 3 */
    if (!err)
        err = pl_tls_ctx_new(&x->tls_alpn, &tls);
    if (err)
        return err;
    pl_xmpp_client_conf client = { .jid = conf->jid,
                                   .password = conf->password,
                                   .plain = true,
                                   .insecure = conf->insecure,
                                   .create_account = conf->create_account,
                                   .once = conf->once,
                                   .clock = clock_of,
                                   .wake = on_wake,
                                   .trouble = on_trouble,
                                   .user = x };
    return pl_xmpp_client_new(&x->client, &client, now_of(x));
}

pl_err pl_xmpp_connection_new(pl_xmpp_connection **out, pl_loop *loop, const pl_xmpp_connection_conf *conf)
{
    PL_OWNED(loop);
    *out = NULL;
    pl_xmpp_connection *x = calloc(1, sizeof *x);
    if (!x)
        return PL_ENOMEM;
    x->loop = loop;
    x->timer = (pl_timer){ .fn = on_time, .arg = x };
    pl_list_init(&x->pipes);
    pl_list_init(&x->leaving);
    x->trouble = conf->trouble;
    x->user = conf->user;
    pl_log_name(&x->log, "xmpp-link", (uint32_t)((uintptr_t)x >> 6) & 0xff);
    pl_err err = fill(x, conf);
    if (err) {
        pl_xmpp_connection_free(x);
        return err;
    }
    *out = x;
    return PL_OK;
}

void pl_xmpp_connection_free(pl_xmpp_connection *x)
{
    if (!x)
        return;
    pl_timer_cancel(x->loop, &x->timer);
    if (x->ops)
        drop_link(x, true);
    xmpp_pipe_close_all(&x->pipes);
    xmpp_bosh_close_all(&x->leaving);
    pl_xmpp_client_free(x->client);
    pl_tls_ctx_free(x->tls);
    pl_tls_ctx_free(x->tls_alpn);
    free(x->domain);
    free(x->host);
    free(x->url);
    free(x->ca_file);
    free(x);
}

void pl_xmpp_connection_open(pl_xmpp_connection *x)
{
    pl_xmpp_client_open(x->client, now_of(x));
}

void pl_xmpp_connection_close(pl_xmpp_connection *x)
{
    pl_xmpp_client_close(x->client, now_of(x));
}

void pl_xmpp_connection_hurry(pl_xmpp_connection *x)
{
    pl_xmpp_client_hurry(x->client, now_of(x));
}

void pl_xmpp_connection_cut(pl_xmpp_connection *x)
{
    if (!x->link)
        return;
    drop_link(x, true);
    pl_xmpp_client_lost(x->client, now_of(x), PL_XMPP_UNREACHABLE, "the link was cut");
    on_wake(x);
}

pl_xmpp_client *pl_xmpp_connection_client(pl_xmpp_connection *x)
{
    return x->client;
}

const char *pl_xmpp_connection_security(const pl_xmpp_connection *x)
{
    pl_xmpp_connection *own = (pl_xmpp_connection *)(uintptr_t)x;
    const char *tls = x->link ? x->ops->version(x->link) : "", *how = pl_xmpp_client_mechanism(x->client);
    snprintf(own->security, sizeof own->security, "%s%s%s", tls, *tls && *how ? ", " : "", how);
    return x->security;
}
