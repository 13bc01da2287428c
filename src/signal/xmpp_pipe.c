#include "signal/xmpp_pipe.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/resolve.h"
#include "net/tcp.h"

enum { ATTEMPT_S = 8, FINISH_S = 2, PLAIN_MAX = 4 << 20 };

typedef enum phase { RESOLVING, CONNECTING, HANDSHAKE, READY, UPGRADING, FINISHING, DEAD } phase;

struct xmpp_pipe {
    pl_node in_siblings;
    pl_loop *loop;
    pl_tls_ctx *ctx, *alpn; /* lent: sessions hold references */
    char name[256];         /* "": the target's host */
    xmpp_pipe_events on;
    void *user;
    xmpp_target target[XMPP_TARGETS_MAX];
    size_t n_targets, at_target;
    pl_addr addr[PL_RESOLVE_ADDR_MAX];
    size_t n_addrs, at_addr;
    pl_resolve *resolve;
    pl_tcp *tcp;
    pl_tls *tls;
    pl_timer timer;
    phase phase;
    unsigned busy; /* events that are being told */
    bool closed;   /* freed when the last of them returns */
    bool any_address;
    char why[200]; /* what the last attempt failed with */
};

static const xmpp_target *target(const xmpp_pipe *p)
{
    return &p->target[p->at_target];
}

static void drop_connection(xmpp_pipe *p)
{
    pl_timer_cancel(p->loop, &p->timer);
    pl_resolve_cancel(p->resolve);
    p->resolve = NULL;
    pl_tcp_close(p->tcp);
    p->tcp = NULL;
    pl_tls_free(p->tls);
    p->tls = NULL;
}

static void leave(xmpp_pipe *p)
{
    if (--p->busy == 0 && p->closed)
        free(p);
}

/* Inside an event, whose end frees it. */
static void shut(xmpp_pipe *p)
{
    if (p->closed)
        return;
    p->phase = DEAD;
    p->closed = true;
    drop_connection(p);
    pl_list_remove(&p->in_siblings);
}

void xmpp_pipe_close(xmpp_pipe *p)
{
    if (!p)
        return;
    p->busy++;
    shut(p);
    leave(p);
}

void xmpp_pipe_close_all(pl_list *siblings)
{
    PL_EACH (n, siblings)
        xmpp_pipe_close(pl_of(n, xmpp_pipe, in_siblings));
}

/* The last event. */
static void lost(xmpp_pipe *p, pl_xmpp_fault fault, const char *why)
{
    char text[200];
    snprintf(text, sizeof text, "%s", why);
    if (p->phase == FINISHING) {
        shut(p);
        return;
    }
    p->phase = DEAD;
    drop_connection(p);
    p->on.lost(p->user, fault, text);
}

static void set_timer(xmpp_pipe *p, int64_t in_us)
{
    pl_timer_set(p->loop, &p->timer, pl_loop_now_us(p->loop) + in_us);
}

/* ---- trying ---- */

static void try_address(xmpp_pipe *p);
static void try_target(xmpp_pipe *p);

static void next_target(xmpp_pipe *p)
{
    drop_connection(p);
    p->n_addrs = p->at_addr = 0;
    if (++p->at_target < p->n_targets) {
        try_target(p);
        return;
    }
    p->at_target = p->n_targets - 1;
    lost(p, PL_XMPP_UNREACHABLE, p->why);
}

/* What stands between goes on to the next address of the same target, then to the next target. */
static void attempt_failed(xmpp_pipe *p, const char *why)
{
    snprintf(p->why, sizeof p->why, "%.100s:%u: %s", target(p)->host, target(p)->port, why);
    drop_connection(p);
    if (p->at_addr < p->n_addrs)
        try_address(p);
    else
        next_target(p);
}

static void on_time(void *user, int64_t now_us)
{
    xmpp_pipe *p = user;
    (void)now_us;
    p->busy++;
    if (p->phase == FINISHING)
        shut(p);
    else if (p->phase == READY)
        pl_timer_cancel(p->loop, &p->timer);
    else if (p->phase == UPGRADING)
        lost(p, PL_XMPP_UNREACHABLE, "no TLS handshake in time");
    else
        attempt_failed(p, p->phase == RESOLVING ? "the name is not answered for" : "no answer");
    leave(p);
}

static void on_resolved(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    xmpp_pipe *p = user;
    p->resolve = NULL;
    p->busy++;
    for (p->n_addrs = 0; !err && p->n_addrs < n && p->n_addrs < PL_RESOLVE_ADDR_MAX; p->n_addrs++)
        p->addr[p->n_addrs] = addr[p->n_addrs];
    p->at_addr = 0;
    if (p->n_addrs)
        try_address(p);
    else
        attempt_failed(p, "no such host");
    leave(p);
}

static void try_target(xmpp_pipe *p)
{
    p->phase = RESOLVING;
    set_timer(p, PL_SEC(ATTEMPT_S));
    if (pl_resolve_start(&p->resolve, p->loop, target(p)->host, target(p)->port, PL_AF_NONE, on_resolved, p))
        set_timer(p, 0); /* told from the loop */
}

/* ---- bytes ---- */

static pl_err send_cipher(xmpp_pipe *p)
{
    pl_buf cipher = pl_buf_init(XMPP_PIPE_QUEUE_MAX);
    pl_tls_output(p->tls, &cipher);
    pl_err err = cipher.bad ? PL_ENOMEM : cipher.n ? pl_tcp_write(p->tcp, cipher.p, cipher.n) : PL_OK;
    pl_buf_clear(&cipher);
    return err;
}

pl_err xmpp_pipe_write(xmpp_pipe *p, const void *data, size_t len)
{
    if (p->phase != READY)
        return PL_ESTATE;
    if (!p->tls)
        return pl_tcp_write(p->tcp, data, len);
    pl_err err = pl_tls_write(p->tls, data, len);
    return err ? err : send_cipher(p);
}

static pl_err make_tls(xmpp_pipe *p)
{
    pl_err err = pl_tls_new(&p->tls, target(p)->tls && p->phase != READY ? p->alpn : p->ctx,
                            p->name[0] ? p->name : target(p)->host);
    return err ? err : send_cipher(p);
}

pl_err xmpp_pipe_start_tls(xmpp_pipe *p)
{
    if (p->phase != READY || p->tls)
        return PL_ESTATE;
    pl_err err = make_tls(p);
    if (err)
        return err;
    p->phase = UPGRADING;
    set_timer(p, PL_SEC(ATTEMPT_S));
    return PL_OK;
}

static void ready(xmpp_pipe *p)
{
    bool upgraded = p->phase == UPGRADING;
    pl_timer_cancel(p->loop, &p->timer);
    p->phase = READY;
    if (upgraded)
        p->on.secured(p->user);
    else
        p->on.ready(p->user);
}

/* A certificate that is refused ends it all: to go on to the next server would let who breaks one choose it. */
static void tls_failed(xmpp_pipe *p)
{
    const char *refusal = pl_tls_refusal(p->tls), *reason = pl_tls_why(p->tls);
    char why[320], failed[100];
    snprintf(failed, sizeof failed, "no TLS: %.80s", reason ? reason : "the handshake failed");
    snprintf(why, sizeof why, "%.100s:%u: the certificate for %.100s is refused: %s", target(p)->host,
             target(p)->port, p->name[0] ? p->name : target(p)->host, refusal ? refusal : "");
    if (refusal)
        lost(p, PL_XMPP_BAD_CERTIFICATE, why);
    else if (p->phase == HANDSHAKE)
        attempt_failed(p, failed);
    else
        lost(p, PL_XMPP_UNREACHABLE, p->phase == UPGRADING ? failed : "TLS broke");
}

static void on_cipher(xmpp_pipe *p, uint8_t *data, size_t len)
{
    pl_buf plain = pl_buf_init(PLAIN_MAX);
    bool ended;
    pl_err err = pl_tls_input(p->tls, data, len, &plain, &ended);
    if (send_cipher(p) && !err)
        err = PL_EIO;
    if (err && !(plain.n && p->phase == READY))
        tls_failed(p);
    else if (p->phase != READY && p->phase != FINISHING && pl_tls_is_ready(p->tls))
        ready(p);
    if (p->phase == READY && plain.n)
        p->on.data(p->user, (uint8_t *)plain.p, plain.n);
    if (p->phase == READY && (ended || err))
        lost(p, PL_XMPP_UNREACHABLE, ended ? "the server hung up" : "TLS broke");
    pl_buf_clear(&plain);
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    xmpp_pipe *p = user;
    p->busy++;
    if (p->tls)
        on_cipher(p, data, len);
    else if (p->phase == READY)
        p->on.data(p->user, data, len);
    leave(p);
}

static void on_connected(void *user)
{
    xmpp_pipe *p = user;
    p->busy++;
    if (!target(p)->tls) {
        ready(p);
    } else {
        p->phase = HANDSHAKE;
        if (make_tls(p))
            attempt_failed(p, "no TLS");
    }
    leave(p);
}

static void on_drained(void *user)
{
    xmpp_pipe *p = user;
    p->busy++;
    if (p->phase == READY)
        p->on.drained(p->user);
    leave(p);
}

static void on_closed(void *user, pl_err err)
{
    xmpp_pipe *p = user;
    p->busy++;
    pl_tcp_close(p->tcp);
    p->tcp = NULL;
    if (p->phase == CONNECTING)
        attempt_failed(p, "cannot connect");
    else if (p->phase == HANDSHAKE)
        attempt_failed(p, "hung up during the TLS handshake");
    else if (p->phase != DEAD)
        lost(p, PL_XMPP_UNREACHABLE, err ? "the connection broke" : "the server hung up");
    leave(p);
}

static void try_address(xmpp_pipe *p)
{
    pl_tcp_conf conf = { .on = { on_connected, on_data, on_drained, on_closed },
                         .user = p,
                         .queue_max = XMPP_PIPE_QUEUE_MAX,
                         .quick_ack = true }; /* Prosody writes with Nagle's rule, in small pieces */
    p->phase = CONNECTING;
    set_timer(p, PL_SEC(ATTEMPT_S));
    while (p->at_addr < p->n_addrs) {
        if (pl_tcp_connect(&p->tcp, p->loop, &p->addr[p->at_addr++], &conf) == PL_OK)
            return;
    }
    snprintf(p->why, sizeof p->why, "%.100s:%u: cannot connect", target(p)->host, target(p)->port);
    set_timer(p, 0);
}

/* ---- verbs ---- */

pl_err xmpp_pipe_open(xmpp_pipe **out, pl_loop *loop, const xmpp_pipe_conf *conf)
{
    *out = NULL;
    if (conf->n_targets == 0 || conf->n_targets > XMPP_TARGETS_MAX)
        return PL_EINVAL;
    xmpp_pipe *p = calloc(1, sizeof *p);
    if (!p)
        return PL_ENOMEM;
    p->loop = loop;
    p->ctx = conf->tls;
    p->alpn = conf->alpn;
    p->on = conf->on;
    p->user = conf->user;
    p->n_targets = conf->n_targets;
    memcpy(p->target, conf->target, conf->n_targets * sizeof *conf->target);
    snprintf(p->name, sizeof p->name, "%s", conf->name ? conf->name : "");
    p->timer = (pl_timer){ .fn = on_time, .arg = p };
    pl_list_push_back(conf->siblings, &p->in_siblings);
    try_target(p);
    *out = p;
    return PL_OK;
}

void xmpp_pipe_finish(xmpp_pipe *p)
{
    if (p->phase != READY) {
        xmpp_pipe_close(p);
        return;
    }
    p->phase = FINISHING;
    if (p->tls) {
        pl_tls_shutdown(p->tls);
        (void)!send_cipher(p);
    }
    (void)pl_tcp_shutdown(p->tcp);
    set_timer(p, PL_SEC(FINISH_S));
}

size_t xmpp_pipe_queued(const xmpp_pipe *p)
{
    return p->tcp ? pl_tcp_queued(p->tcp) : 0;
}

bool xmpp_pipe_is_secure(const xmpp_pipe *p)
{
    return p->tls && p->phase == READY;
}

const char *xmpp_pipe_version(const xmpp_pipe *p)
{
    return p->tls ? pl_tls_version(p->tls) : "";
}

const xmpp_target *xmpp_pipe_target(const xmpp_pipe *p)
{
    return target(p);
}

void xmpp_pipe_bindings(const xmpp_pipe *p, pl_sasl_binding *out)
{
    _Static_assert(PL_SASL_BINDING_MAX == (int)PL_TLS_BINDING_MAX, "one length");
    *out = (pl_sasl_binding){ .exporter_n = 0 };
    if (!p->tls)
        return;
    (void)pl_tls_bind(p->tls, PL_TLS_EXPORTER, out->exporter, &out->exporter_n);
    (void)pl_tls_bind(p->tls, PL_TLS_UNIQUE, out->unique, &out->unique_n);
}
