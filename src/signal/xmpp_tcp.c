/* XMPP over TCP: where the server is (RFC 6120 3.2, XEP-0368), then the stream's bytes as they are. */
#include <stdio.h>
#include <stdlib.h>

#include "base/addr.h"
#include "net/resolve.h"
#include "signal/xmpp_internal.h"

enum { PORT = 5222, PORT_TLS = 5223 };

typedef struct tcp_link {
    xmpp_link base;
    pl_resolve *resolve;
    xmpp_pipe *pipe;
    pl_timer at_once; /* tells from the loop that nothing could be begun */
} tcp_link;

static tcp_link *of(xmpp_link *k)
{
    return (tcp_link *)k;
}

/* ---- what the pipe tells ---- */

static void on_ready(void *user)
{
    tcp_link *t = user;
    pl_sasl_binding tls;
    xmpp_pipe_bindings(t->pipe, &tls);
    xmpp_up(t->base.x, PL_XMPP_FRAMED_TCP, xmpp_pipe_is_secure(t->pipe), &tls);
}

static void on_secured(void *user)
{
    tcp_link *t = user;
    pl_sasl_binding tls;
    xmpp_pipe_bindings(t->pipe, &tls);
    xmpp_secured(t->base.x, &tls);
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    tcp_link *t = user;
    xmpp_input(t->base.x, data, len);
}

static void on_drained(void *user)
{
    tcp_link *t = user;
    xmpp_pump(t->base.x);
}

static void on_lost(void *user, pl_xmpp_fault fault, const char *why)
{
    tcp_link *t = user;
    xmpp_down(t->base.x, fault, why);
}

/* ---- where ---- */

static pl_err connect_to(tcp_link *t, const xmpp_target *target, size_t n)
{
    pl_xmpp_connection *x = t->base.x;
    xmpp_pipe_conf conf = { .target = target,
                            .n_targets = n,
                            .tls = x->tls,
                            .alpn = x->tls_alpn,
                            .name = x->domain, /* whatever host DNS names: it might lie */
                            .siblings = &x->pipes,
                            .on = { on_ready, on_secured, on_data, on_drained, on_lost },
                            .user = t };
    return xmpp_pipe_open(&t->pipe, x->loop, &conf);
}

static size_t add_target(xmpp_target *list, size_t n, const char *host, uint16_t port, bool tls)
{
    list[n] = (xmpp_target){ .port = port, .tls = tls };
    return n + pl_str_copy(pl_str_of(host), list[n].host, sizeof list[n].host);
}

/* Without records: the domain itself, at the ports that are for it. */
static size_t usual_targets(const pl_xmpp_connection *x, xmpp_target list[2])
{
    size_t n = 0;
    const char *host = x->host ? x->host : x->domain;
    if (x->via != PL_XMPP_VIA_TLS)
        n = add_target(list, n, host, x->port ? x->port : PORT, false);
    if (x->via == PL_XMPP_VIA_TLS || (x->via == PL_XMPP_VIA_AUTO && !x->port))
        n = add_target(list, n, host, x->port ? x->port : PORT_TLS, true);
    return n;
}

static void on_failed(void *user, int64_t now_us)
{
    tcp_link *t = user;
    (void)now_us;
    xmpp_down(t->base.x, PL_XMPP_LIMIT, "no connection can be made");
}

static void on_records(void *user, const pl_srv *record, size_t n_records)
{
    tcp_link *t = user;
    pl_xmpp_connection *x = t->base.x;
    xmpp_target list[XMPP_TARGETS_MAX];
    size_t n = 0;
    bool direct_first = x->via == PL_XMPP_VIA_TLS;
    t->resolve = NULL;
    for (size_t i = 0; i < n_records && n < XMPP_TARGETS_MAX; i++) {
        if (record[i].target[0] && record[i].port)
            n = add_target(list, n, record[i].target, record[i].port, direct_first || record[i].set == 1);
    }
    if (n == 0 && n_records) {
        xmpp_down(x, PL_XMPP_UNREACHABLE, "the domain says that it has no XMPP service");
        return;
    }
    if (n == 0)
        n = usual_targets(x, list);
    if (connect_to(t, list, n))
        pl_timer_set(x->loop, &t->at_once, pl_loop_now_us(x->loop));
}

static pl_err ask_records(tcp_link *t)
{
    pl_xmpp_connection *x = t->base.x;
    char plain[PL_RESOLVE_NAME_MAX + 32], direct[PL_RESOLVE_NAME_MAX + 32];
    snprintf(plain, sizeof plain, "_xmpp-client._tcp.%s", x->domain);
    snprintf(direct, sizeof direct, "_xmpps-client._tcp.%s", x->domain);
    const char *name = x->via == PL_XMPP_VIA_TLS ? direct : plain;
    return pl_resolve_srv_start(&t->resolve, x->loop, name, x->via == PL_XMPP_VIA_AUTO ? direct : NULL,
                                on_records, t);
}

/* A place is known, or the name is no domain that could have records. */
static bool is_known(const pl_xmpp_connection *x)
{
    pl_addr literal;
    return x->host || x->port || strcmp(x->domain, "localhost") == 0 ||
           pl_addr_parse_ip(&literal, x->domain, strlen(x->domain)) == PL_OK;
}

static pl_err begin(tcp_link *t, const char *other)
{
    xmpp_target list[2];
    const pl_xmpp_connection *x = t->base.x;
    if (other) {
        list[0] = (xmpp_target){ .port = PORT, .tls = x->via == PL_XMPP_VIA_TLS };
        return xmpp_host_port(pl_str_of(other), &list[0]) ? connect_to(t, list, 1) : PL_EINVAL;
    }
    if (is_known(x))
        return connect_to(t, list, usual_targets(x, list));
    return ask_records(t);
}

/* ---- verbs ---- */

static void end(tcp_link *t)
{
    pl_timer_cancel(t->base.x->loop, &t->at_once);
    pl_resolve_cancel(t->resolve);
    free(t);
}

static void close_link(xmpp_link *k)
{
    xmpp_pipe_close(of(k)->pipe);
    end(of(k));
}

static void finish_link(xmpp_link *k)
{
    if (of(k)->pipe)
        xmpp_pipe_finish(of(k)->pipe);
    end(of(k));
}

static pl_err open_link(xmpp_link **out, pl_xmpp_connection *x, const char *other)
{
    tcp_link *t = calloc(1, sizeof *t);
    *out = NULL;
    if (!t)
        return PL_ENOMEM;
    t->base.x = x;
    t->at_once = (pl_timer){ .fn = on_failed, .arg = t };
    pl_err err = begin(t, other);
    if (err) {
        close_link(&t->base);
        return err;
    }
    *out = &t->base;
    return PL_OK;
}

static pl_err write_link(xmpp_link *k, const pl_xmpp_output *out)
{
    return of(k)->pipe ? xmpp_pipe_write(of(k)->pipe, out->text.p, out->text.n) : PL_ESTATE;
}

static pl_err start_tls(xmpp_link *k)
{
    return of(k)->pipe ? xmpp_pipe_start_tls(of(k)->pipe) : PL_ESTATE;
}

static bool is_full(const xmpp_link *k)
{
    const tcp_link *t = (const tcp_link *)k;
    return t->pipe && xmpp_pipe_queued(t->pipe) > XMPP_PIPE_CALM;
}

static const char *version(const xmpp_link *k)
{
    const tcp_link *t = (const tcp_link *)k;
    return t->pipe ? xmpp_pipe_version(t->pipe) : "";
}

const xmpp_link_ops xmpp_tcp_ops = { open_link,   write_link, start_tls, is_full,
                                     finish_link, close_link, version };
