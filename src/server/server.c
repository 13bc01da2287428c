#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypto/hmac.h"
#include "net/loop.h"
#include "server/web.h"

enum { SECRET_BYTES = 16, CREDENTIALS_S = 86400 };

static const pl_log server_log = { "server" };

struct pl_server {
    pl_server_conf conf;
    pl_loop *loop;
    pl_http_server *http;
    pl_relay_server *relay;
    bool offers_turn;
    char secret[2 * SECRET_BYTES + 1]; /* of the credentials handed to the page */
    int64_t started_us;
};

/* ---- STUN and TURN ---- */

static void make_secret(pl_server *s)
{
    uint8_t random[SECRET_BYTES];
    pl_rand_bytes(&(pl_rand){ 0 }, random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(s->secret + 2 * i, 3, "%02x", random[i]);
}

/* Without settings of its own it is a STUN server on UDP and nothing else, on this loop. */
static bool make_settings(pl_server *s, pl_relay_settings *set, char *say)
{
    if (s->conf.relay)
        *set = *s->conf.relay;
    else
        pl_relay_settings_init(set);
    memcpy(set->listen, s->conf.stun, sizeof s->conf.stun);
    set->n_listen = s->conf.n_stun;
    set->no_tcp |= !s->conf.relay;
    if (s->offers_turn)
        snprintf(set->rest_secret, sizeof set->rest_secret, "%s", s->secret);
    return pl_relay_settings_finish(set, say);
}

static pl_err open_relay(pl_server *s)
{
    char say[PL_RELAY_SAY_MAX] = "";
    pl_relay_settings *set = s->conf.n_stun > 0 ? calloc(1, sizeof *set) : NULL;
    if (s->conf.n_stun == 0)
        return PL_OK;
    if (!set)
        return PL_ENOMEM;
    s->offers_turn = s->conf.relay != NULL;
    make_secret(s);
    pl_relay_server_conf rc = { .settings = set, .own_threads = s->offers_turn };
    pl_err err = make_settings(s, set, say) ? pl_relay_server_new(&s->relay, s->loop, &rc, say) : PL_EINVAL;
    if (err)
        pl_log_warn(&server_log, "STUN: %s", say);
    pl_wipe(set, sizeof *set);
    free(set);
    return err;
}

/* ---- what the HTTP server asks us ---- */

/* An RTCIceServer of ours. {host} is for the page to fill in: it knows better by which name it came here. */
static void add_ice_server(const pl_server *s, pl_buf *json)
{
    char name[PL_RELAY_TEXT_MAX], password[PL_RELAY_TEXT_MAX], text[PL_ADDR_TEXT_MAX] = "{host}";
    unsigned port = pl_server_stun_addr(s, 0)->port;
    if (s->conf.relay->n_externals > 0)
        pl_addr_ip_str(&s->conf.relay->external[0].addr, text);
    bool v6 = strchr(text, ':') != NULL;
    pl_relay_make_credentials(s->secret, "page", pl_wall_us() / 1000000 + CREDENTIALS_S, name, password);
    pl_buf_addf(json, ",\"iceServers\":[{\"urls\":[");
    for (int i = 0; i < 2; i++)
        pl_buf_addf(json, "%s\"turn:%s%s%s:%u?transport=%s\"", i ? "," : "", v6 ? "[" : "", text,
                    v6 ? "]" : "", port, i ? "tcp" : "udp");
    pl_buf_addf(json, "],\"username\":\"%s\",\"credential\":\"%s\"}]", name, password);
}

/* What the page has to know of this server: where STUN and TURN are. */
static bool make_config(const pl_server *s, pl_http_file *out)
{
    pl_buf json = pl_buf_init(2048);
    pl_buf_addf(&json, "{");
    if (s->relay)
        pl_buf_addf(&json, "\"stunPort\":%u", pl_server_stun_addr(s, 0)->port);
    if (s->offers_turn)
        add_ice_server(s, &json);
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
                "\"bytes_out\":%llu,\"stun_requests\":%llu,\"stun_answers\":%llu,\"relay_packets\":%llu}\n",
                st.http.n_connections, st.http.n_websockets, st.http.n_waiting,
                (unsigned long long)st.http.n_accepted, (unsigned long long)st.http.n_turned_away,
                (unsigned long long)st.http.n_requests, (unsigned long long)st.http.n_too_many,
                (unsigned long long)st.http.n_bad, (unsigned long long)st.http.n_timeouts,
                (unsigned long long)st.http.bytes_in, (unsigned long long)st.http.bytes_out,
                (unsigned long long)st.stun_requests, (unsigned long long)st.stun_answers,
                (unsigned long long)st.relay_packets);
}

/* ---- life ---- */

static pl_err start(pl_server *s)
{
    pl_http_server_conf hc = s->conf.http;
    hc.file = on_file;
    hc.status = on_status;
    hc.user = s;
    pl_err err = pl_http_server_new(&s->http, s->loop, &hc);
    return err ? err : open_relay(s);
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
    pl_relay_server_free(s->relay);
    pl_wipe(s->secret, sizeof s->secret);
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

/* The relay's places on UDP are those that were asked for, in their order. */
static const pl_relay_place *stun_place(const pl_server *s, size_t i)
{
    for (size_t k = 0; s->relay && k < pl_relay_server_n_places(s->relay); k++) {
        const pl_relay_place *p = pl_relay_server_place(s->relay, k);
        if (!p->tcp && !p->secure && i-- == 0)
            return p;
    }
    return NULL;
}

size_t pl_server_n_stun(const pl_server *s)
{
    size_t n = 0;
    while (stun_place(s, n))
        n++;
    return n;
}

const pl_addr *pl_server_stun_addr(const pl_server *s, size_t i)
{
    return &stun_place(s, i)->addr;
}

void pl_server_get_stats(const pl_server *s, pl_server_stats *out)
{
    pl_relay_counters relay = { 0 };
    if (s->relay)
        pl_relay_server_count(s->relay, &relay);
    *out = (pl_server_stats){ .rooms = *pl_rooms_get_stats(pl_http_server_rooms(s->http)),
                              .http = *pl_http_server_get_stats(s->http),
                              .stun_requests = relay.binding.requests,
                              .stun_answers = relay.binding.requests,
                              .relay_packets = relay.data.up_packets + relay.data.down_packets,
                              .up_us = pl_loop_now_us(s->loop) - s->started_us };
}
