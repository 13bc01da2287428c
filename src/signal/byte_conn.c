/* Connections that begin with SOCKS5. */
#include "signal/byte_conn.h"

#include <stdlib.h>
#include <string.h>

static void broken(byte_conn *c, bool in_order)
{
    pl_timer_cancel(c->loop, &c->deadline);
    c->on->broken(c->user, c, in_order);
}

/* ---- the words ---- */

static bool say_words(byte_conn *c)
{
    uint8_t out[sizeof c->talk.out];
    size_t n = pl_socks5_output(&c->talk, out, sizeof out);
    return n == 0 || pl_tcp_write(c->tcp, out, n) == PL_OK;
}

/* What is no word any more waits until somebody wants it. */
static bool keep_early(byte_conn *c, const uint8_t *data, size_t len)
{
    if (!len)
        return true;
    c->early = malloc(len);
    if (!c->early)
        return false;
    memcpy(c->early, data, len);
    c->n_early = len;
    return true;
}

static bool hear_words(byte_conn *c, const uint8_t *data, size_t len)
{
    size_t n = pl_socks5_input(&c->talk, data, len);
    if (c->talk.state == PL_SOCKS5_ASKED)
        pl_socks5_answer(&c->talk, c->on->wanted(c->user, c->talk.dst));
    if (!say_words(c) || c->talk.state == PL_SOCKS5_BROKEN)
        return false;
    if (c->talk.state != PL_SOCKS5_OPEN)
        return true;
    pl_timer_cancel(c->loop, &c->deadline);
    pl_tcp_pause(c->tcp, true);
    c->is_open = true;
    return keep_early(c, data + n, len - n);
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    byte_conn *c = user;
    if (c->in_use)
        c->on->data(c->user, data, len);
    else if (!hear_words(c, data, len))
        broken(c, false);
    else if (c->is_open)
        c->on->open(c->user, c);
}

static void on_drained(void *user)
{
    byte_conn *c = user;
    if (c->in_use)
        c->on->drained(c->user);
}

static void try_next(byte_conn *c);

static void on_closed(void *user, pl_err err)
{
    byte_conn *c = user;
    if (!c->talk.server && !c->is_open && c->next < c->n_addr)
        try_next(c);
    else
        broken(c, err == PL_OK);
}

static void on_connected(void *user)
{
    byte_conn *c = user;
    if (!say_words(c))
        broken(c, false);
}

static const pl_tcp_events events = {
    .connected = on_connected, .data = on_data, .drained = on_drained, .closed = on_closed
};

/* ---- getting there ---- */

static void try_next(byte_conn *c)
{
    pl_tcp_conf conf = { .on = events, .user = c };
    char dst[sizeof c->talk.dst];
    memcpy(dst, c->talk.dst, sizeof dst);
    pl_tcp_close(c->tcp);
    c->tcp = NULL;
    pl_socks5_client(&c->talk, dst);
    while (c->next < c->n_addr) {
        if (pl_tcp_connect(&c->tcp, c->loop, &c->addr[c->next++], &conf) == PL_OK)
            return;
        c->tcp = NULL;
    }
    broken(c, false);
}

static void on_resolved(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    byte_conn *c = user;
    c->question = NULL;
    c->n_addr = err ? 0 : n;
    for (size_t i = 0; i < c->n_addr; i++)
        c->addr[i] = addr[i];
    try_next(c);
}

static void on_deadline(void *arg, int64_t now_us)
{
    (void)now_us;
    broken(arg, false);
}

static byte_conn *conn_new(pl_list *owner, pl_loop *loop, const byte_conn_events *on, void *user)
{
    byte_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->loop = loop;
    c->on = on;
    c->user = user;
    c->deadline = (pl_timer){ .fn = on_deadline, .arg = c };
    pl_timer_set(loop, &c->deadline, pl_loop_now_us(loop) + BYTE_CONN_TALK_US);
    pl_list_push_back(owner, &c->in_owner);
    return c;
}

pl_err byte_conn_connect(byte_conn **out, pl_list *owner, pl_loop *loop, const char *host, uint16_t port,
                         const char *dst, const byte_conn_events *on, void *user)
{
    byte_conn *c = *out = conn_new(owner, loop, on, user);
    if (!c)
        return PL_ENOMEM;
    pl_socks5_client(&c->talk, dst);
    pl_err err = pl_resolve_start(&c->question, loop, host, port, PL_AF_NONE, on_resolved, c);
    if (err) {
        c->question = NULL;
        byte_conn_close(c);
        *out = NULL;
    }
    return err;
}

pl_err byte_conn_accept(byte_conn **out, pl_list *owner, pl_loop *loop, pl_tcp *tcp,
                        const byte_conn_events *on, void *user)
{
    byte_conn *c = *out = conn_new(owner, loop, on, user);
    if (!c) {
        pl_tcp_close(tcp);
        return PL_ENOMEM;
    }
    c->ours = true;
    c->tcp = tcp;
    pl_socks5_server(&c->talk);
    pl_tcp_set_events(tcp, &events, c);
    return PL_OK;
}

void byte_conn_close(byte_conn *c)
{
    if (!c)
        return;
    pl_timer_cancel(c->loop, &c->deadline);
    pl_resolve_cancel(c->question);
    pl_tcp_close(c->tcp);
    pl_list_remove(&c->in_owner);
    free(c->early);
    free(c);
}

void byte_conn_close_all(pl_list *owner)
{
    while (!pl_list_empty(owner))
        byte_conn_close(pl_of(pl_list_first(owner), byte_conn, in_owner));
}

/* ---- in use ---- */

static void go_on(void *arg, int64_t now_us)
{
    byte_conn *c = arg;
    uint8_t *early = c->early;
    size_t n = c->n_early;
    (void)now_us;
    c->early = NULL;
    pl_tcp_pause(c->tcp, false);
    if (n)
        c->on->data(c->user, early, n);
    free(early);
}

void byte_conn_use(byte_conn *c)
{
    c->in_use = true;
    c->deadline.fn = go_on; /* the words are over, and with them its first job */
    pl_timer_set(c->loop, &c->deadline, pl_loop_now_us(c->loop));
}

size_t byte_conn_write(byte_conn *c, const void *data, size_t len)
{
    size_t queued = pl_tcp_queued(c->tcp), room = queued < PL_TCP_QUEUE_MAX ? PL_TCP_QUEUE_MAX - queued : 0;
    size_t n = len < room ? len : room;
    return n && pl_tcp_write(c->tcp, data, n) == PL_OK ? n : 0;
}
