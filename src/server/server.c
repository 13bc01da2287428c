#include "server/server.h"

#include <stdlib.h>

#include "base/log.h"
#include "net/loop.h"
#include "net/udp.h"
#include "server/web.h"
#include "stun/server.h"

static const pl_log server_log = { "server" };

typedef struct stun_socket {
    pl_server *server;
    pl_udp *udp;
} stun_socket;

struct pl_server {
    pl_server_conf conf;
    pl_loop *loop;
    pl_http_server *http;
    stun_socket stun[PL_SERVER_STUN_MAX];
    size_t n_stun;
    pl_stun_server_counters stun_count;
    uint64_t stun_answers;
    int64_t started_us;
};

/* ---- STUN: datagram in, answer out, nothing remembered ---- */

static void answer_stun(stun_socket *sock, const pl_udp_rx *rx)
{
    static const pl_stun_server_conf conf = { .software = "peerline" };
    pl_server *s = sock->server;
    uint8_t out[PL_STUN_RESPOND_MAX];
    size_t len =
        pl_stun_respond(&conf, &s->stun_count, rx->data, rx->len, &rx->path->remote, out, sizeof out);
    if (len == 0)
        return;
    pl_dgram answer = { .path = *rx->path, .data = out, .cap = sizeof out, .len = len };
    s->stun_answers += pl_udp_send(sock->udp, &answer) == PL_OK;
}

static void on_stun(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    stun_socket *sock = user;
    (void)now_us;
    pl_udp_cork(sock->udp);
    for (size_t i = 0; i < n; i++)
        answer_stun(sock, &batch[i]);
    pl_udp_flush(sock->udp);
}

static pl_err open_stun(pl_server *s)
{
    for (size_t i = 0; i < s->conf.n_stun; i++) {
        stun_socket *sock = &s->stun[i];
        pl_udp_conf uc = { .bind = s->conf.stun[i], .fn = on_stun, .user = sock };
        sock->server = s;
        pl_err err = pl_udp_open(&sock->udp, s->loop, &uc);
        if (err) {
            char text[PL_ADDR_TEXT_MAX];
            pl_log_warn(&server_log, "cannot answer STUN on %s", pl_addr_str(&uc.bind, text));
            return err;
        }
        s->n_stun++;
    }
    return PL_OK;
}

/* ---- what the HTTP server asks us ---- */

/* What the page has to know of this server: where STUN is. Its own address the page knows better. */
static bool make_config(const pl_server *s, pl_http_file *out)
{
    pl_buf json = pl_buf_init(256);
    pl_buf_addf(&json, "{");
    if (s->n_stun)
        pl_buf_addf(&json, "\"stunPort\":%u", pl_udp_addr(s->stun[0].udp)->port);
    pl_buf_addf(&json, "}\n");
    size_t len = json.n;
    char *text = pl_buf_take(&json);
    *out = (pl_http_file){ .type = "application/json", .data = (uint8_t *)text, .len = len, .release = text };
    return text != NULL;
}

static bool on_file(void *user, pl_str path, pl_http_file *out)
{
    pl_server *s = user;
    if (pl_str_is(path, "/config.json"))
        return make_config(s, out);
    return pl_web_get(s->conf.web_dir, path, out);
}

static void on_status(void *user, pl_buf *out)
{
    pl_server_stats st;
    pl_server_get_stats(user, &st);
    pl_buf_addf(
        out,
        "{\"up_s\":%.1f,\"peers\":%u,\"rooms\":%u,\"signed_in\":%llu,\"signed_out\":%llu,\"idle_out\":%llu,"
        "\"behind_out\":%llu,\"messages\":%llu,\"message_bytes\":%llu,\"queued\":%zu,\"queued_bytes\":%zu,",
        (double)st.up_us / 1e6, st.rooms.n_peers, st.rooms.n_rooms, (unsigned long long)st.rooms.n_signed_in,
        (unsigned long long)st.rooms.n_signed_out, (unsigned long long)st.rooms.n_idle,
        (unsigned long long)st.rooms.n_behind, (unsigned long long)st.rooms.n_messages,
        (unsigned long long)st.rooms.message_bytes, st.rooms.n_queued, st.rooms.queued_bytes);
    pl_buf_addf(out,
                "\"connections\":%u,\"websockets\":%u,\"waiting\":%u,\"accepted\":%llu,\"turned_away\":%llu,"
                "\"requests\":%llu,\"too_many\":%llu,\"bad\":%llu,\"timeouts\":%llu,\"bytes_in\":%llu,"
                "\"bytes_out\":%llu,\"stun_requests\":%llu,\"stun_answers\":%llu}\n",
                st.http.n_connections, st.http.n_websockets, st.http.n_waiting,
                (unsigned long long)st.http.n_accepted, (unsigned long long)st.http.n_turned_away,
                (unsigned long long)st.http.n_requests, (unsigned long long)st.http.n_too_many,
                (unsigned long long)st.http.n_bad, (unsigned long long)st.http.n_timeouts,
                (unsigned long long)st.http.bytes_in, (unsigned long long)st.http.bytes_out,
                (unsigned long long)st.stun_requests, (unsigned long long)st.stun_answers);
}

/* ---- life ---- */

static pl_err start(pl_server *s)
{
    pl_http_server_conf hc = s->conf.http;
    hc.file = on_file;
    hc.status = on_status;
    hc.user = s;
    pl_err err = pl_http_server_new(&s->http, s->loop, &hc);
    return err ? err : open_stun(s);
}

pl_err pl_server_new(pl_server **out, pl_loop *loop, const pl_server_conf *conf)
{
    *out = NULL;
    if (conf->n_stun > PL_SERVER_STUN_MAX)
        return PL_EINVAL;
    pl_server *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->conf = *conf;
    s->loop = loop;
    s->started_us = pl_loop_now_us(loop);
    pl_err err = start(s);
    if (err) {
        pl_server_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

void pl_server_free(pl_server *s)
{
    if (!s)
        return;
    pl_http_server_free(s->http);
    for (size_t i = 0; i < s->n_stun; i++)
        pl_udp_close(s->stun[i].udp);
    free(s);
}

void pl_server_drain(pl_server *s, void (*done)(void *user), void *user)
{
    pl_log_info(&server_log, "leaving: no new connections, those that are open may finish");
    pl_http_server_drain(s->http, done, user);
}

size_t pl_server_n_addrs(const pl_server *s)
{
    return pl_http_server_n_addrs(s->http);
}

const pl_addr *pl_server_addr(const pl_server *s, size_t i)
{
    return pl_http_server_addr(s->http, i);
}

size_t pl_server_n_stun(const pl_server *s)
{
    return s->n_stun;
}

const pl_addr *pl_server_stun_addr(const pl_server *s, size_t i)
{
    return pl_udp_addr(s->stun[i].udp);
}

void pl_server_get_stats(const pl_server *s, pl_server_stats *out)
{
    *out = (pl_server_stats){ .rooms = *pl_rooms_get_stats(pl_http_server_rooms(s->http)),
                              .http = *pl_http_server_get_stats(s->http),
                              .stun_requests = s->stun_count.requests,
                              .stun_answers = s->stun_answers,
                              .up_us = pl_loop_now_us(s->loop) - s->started_us };
}
