#include "signal/http_server.h"

#include <stdlib.h>

#include "signal/http_internal.h"

enum { DRAIN_SEC = 3, TURNED_AWAY_MAX = 64 };

/* ---- carrying what the rooms tell ---- */

static void on_ready(pl_http_server *s, http_conn *c, pl_peer_id id)
{
    if (c->mode == HTTP_SOCKET) {
        http_conn_tell(c);
        return;
    }
    pl_buf out = pl_buf_init(HTTP_OUT_MAX);
    if (pl_classic_deliver(s->rooms, pl_loop_now_us(s->loop), id, c, &out) && http_conn_write(c, &out))
        http_conn_end(c);
    pl_buf_clear(&out);
}

static void on_gone(http_conn *c)
{
    if (c->mode != HTTP_SOCKET) {
        http_conn_free(c);
        return;
    }
    pl_buf texts = pl_buf_init(256), out = pl_buf_init(256);
    pl_ws_session_gone(&c->session, &texts);
    if (texts.n)
        pl_ws_put(c->ws, PL_WS_TEXT, texts.p, texts.n - 1, &out);
    (void)http_conn_write(c, &out);
    pl_buf_clear(&texts);
    pl_buf_clear(&out);
}

void http_server_pump(pl_http_server *s)
{
    pl_rooms_event ev;
    if (s->pumping)
        return;
    s->pumping = true;
    while (pl_rooms_poll_event(s->rooms, &ev)) {
        if (ev.kind == PL_ROOMS_READY)
            on_ready(s, ev.listener, ev.id);
        else
            on_gone(ev.listener);
    }
    s->pumping = false;
    pl_timer_set(s->loop, &s->rooms_timer, pl_rooms_next_us(s->rooms));
}

static void on_rooms_time(void *user, int64_t now_us)
{
    pl_http_server *s = user;
    pl_rooms_tick(s->rooms, now_us);
    http_server_pump(s);
}

/* ---- who comes ---- */

static void say_turned_away(pl_http_server *s, const pl_addr *from, int64_t now_us)
{
    char text[PL_ADDR_TEXT_MAX];
    s->stats.n_turned_away++;
    if (pl_rate_pass(&s->said_many, now_us))
        pl_log_info(&s->log, "%s turned away, %u connections are open (%u more unsaid)",
                    pl_log_addr(from, text), s->stats.n_connections, pl_rate_missed(&s->said_many));
}

/* Over a limit the client is told so as long as a few connections for telling are free. */
static void on_accepted(void *user, pl_tcp *tcp)
{
    pl_http_server *s = user;
    int64_t now_us = pl_loop_now_us(s->loop);
    const pl_addr *from = pl_tcp_remote(tcp);
    uint32_t max = s->conf.max_connections;
    pl_limit *limit = s->stats.n_connections < max ? pl_limits_enter(&s->limits, now_us, from) : NULL;
    s->stats.n_accepted++;
    if (!limit)
        say_turned_away(s, from, now_us);
    if (!limit && s->n_telling >= TURNED_AWAY_MAX)
        pl_tcp_close(tcp);
    else
        http_conn_open(s, tcp, limit);
}

static pl_err start_listening(pl_http_server *s)
{
    for (size_t i = 0; i < s->conf.n_listen; i++) {
        pl_tcp_listen_conf lc = { .bind = s->conf.listen[i],
                                  .backlog = 1024,
                                  .accepted = on_accepted,
                                  .user = s,
                                  .queue_max = HTTP_OUT_MAX + HTTP_OUT_MAX / 16 };
        pl_err err = pl_tcp_listen(&s->listener[i], s->loop, &lc);
        if (err) {
            char text[PL_ADDR_TEXT_MAX];
            pl_log_warn(&s->log, "cannot listen on %s", pl_addr_str(&lc.bind, text));
            return err;
        }
        s->n_listeners++;
    }
    return PL_OK;
}

static void stop_listening(pl_http_server *s)
{
    for (size_t i = 0; i < s->n_listeners; i++) {
        pl_tcp_listener_close(s->listener[i]);
        s->listener[i] = NULL;
    }
}

/* ---- life ---- */

static void set_defaults(pl_http_server_conf *conf)
{
    conf->max_connections = conf->max_connections ? conf->max_connections : 12000;
    conf->max_per_address = conf->max_per_address ? conf->max_per_address : 1000;
    conf->rate = conf->rate ? conf->rate : 100;
    conf->burst = conf->burst ? conf->burst : 400;
    conf->header_us = conf->header_us ? conf->header_us : PL_SEC(10);
    conf->ping_us = conf->ping_us ? conf->ping_us : PL_SEC(20);
}

static bool conf_is_sane(const pl_http_server_conf *conf)
{
    return conf->n_listen > 0 && conf->n_listen <= PL_HTTP_LISTEN_MAX && conf->rate <= 1000000 &&
           conf->burst <= 1000000 && conf->header_us >= 0 && conf->ping_us >= 0 &&
           !conf->tls_cert == !conf->tls_key;
}

pl_err pl_http_server_new(pl_http_server **out, pl_loop *loop, const pl_http_server_conf *conf)
{
    *out = NULL;
    if (!conf_is_sane(conf))
        return PL_EINVAL;
    pl_http_server *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->conf = *conf;
    s->loop = loop;
    s->log = (pl_log){ "http" };
    set_defaults(&s->conf);
    pl_list_init(&s->conns);
    pl_limits_init(&s->limits, s->conf.max_per_address, s->conf.rate, s->conf.burst, s->conf.rooms.rand);
    s->rooms_timer = (pl_timer){ .fn = on_rooms_time, .arg = s };
    pl_err err = pl_rooms_new(&s->rooms, &s->conf.rooms);
    if (!err && conf->tls_cert)
        err = pl_tls_server_new(&s->tls, conf->tls_cert, conf->tls_key);
    if (!err)
        err = start_listening(s);
    if (err) {
        pl_http_server_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

void pl_http_server_free(pl_http_server *s)
{
    if (!s)
        return;
    s->pumping = true; /* nobody is told any more */
    s->drained = NULL;
    stop_listening(s);
    for (pl_node *n; (n = pl_list_first(&s->conns));)
        http_conn_free(pl_of(n, http_conn, in_conns));
    pl_timer_cancel(s->loop, &s->rooms_timer);
    pl_timer_cancel(s->loop, &s->drain_timer);
    pl_limits_clear(&s->limits);
    pl_rooms_free(s->rooms);
    pl_tls_ctx_free(s->tls);
    free(s);
}

static void on_drain_time(void *user, int64_t now_us)
{
    pl_http_server *s = user;
    void (*done)(void *) = s->drained;
    (void)now_us;
    s->pumping = true;
    s->drained = NULL;
    for (pl_node *n; (n = pl_list_first(&s->conns));)
        http_conn_free(pl_of(n, http_conn, in_conns));
    if (done)
        done(s->drained_user); /* may free the server */
}

void http_server_conn_gone(pl_http_server *s)
{
    if (s->drained && s->stats.n_connections == 0)
        pl_timer_set(s->loop, &s->drain_timer, pl_loop_now_us(s->loop));
}

void pl_http_server_drain(pl_http_server *s, void (*done)(void *user), void *user)
{
    if (s->draining)
        return;
    s->draining = true;
    s->drained = done;
    s->drained_user = user;
    s->drain_timer = (pl_timer){ .fn = on_drain_time, .arg = s };
    stop_listening(s);
    pl_timer_set(s->loop, &s->drain_timer, pl_loop_now_us(s->loop) + PL_SEC(DRAIN_SEC));
    s->pumping = true; /* each leaves; telling the others, who leave too, would only cost time */
    PL_EACH (n, &s->conns)
        http_conn_drain(pl_of(n, http_conn, in_conns));
    s->pumping = false;
    http_server_pump(s);
    http_server_conn_gone(s);
}

size_t pl_http_server_n_addrs(const pl_http_server *s)
{
    return s->n_listeners;
}

const pl_addr *pl_http_server_addr(const pl_http_server *s, size_t i)
{
    return pl_tcp_listener_addr(s->listener[i]);
}

const pl_http_server_stats *pl_http_server_get_stats(const pl_http_server *s)
{
    return &s->stats;
}

pl_rooms *pl_http_server_rooms(pl_http_server *s)
{
    return s->rooms;
}

void pl_http_server_rooms_changed(pl_http_server *s)
{
    http_server_pump(s);
}
