#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypto/hmac.h"
#include "net/loop.h"
#include "server/web.h"
#include "signal/whip_link.h"

enum { SECRET_BYTES = 16, CREDENTIALS_S = 86400, HOST_MAX = 128 };

static const pl_log server_log = { "server" };

struct pl_server {
    pl_server_conf conf;
    pl_loop *loop;
    pl_http_server *http;
    pl_redis *redis; /* or NULL */
    pl_timer leaving;
    int64_t leave_by_us;
    void (*drained)(void *user);
    void *drained_user;
    pl_relay_server *relay;
    pl_whip *whip;
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
    pl_buf_addf(json, "{\"urls\":[");
    for (int i = 0; i < 2; i++)
        pl_buf_addf(json, "%s\"turn:%s%s%s:%u?transport=%s\"", i ? "," : "", v6 ? "[" : "", text,
                    v6 ? "]" : "", port, i ? "tcp" : "udp");
    pl_buf_addf(json, "],\"username\":\"%s\",\"credential\":\"%s\"}", name, password);
}

/* Those elsewhere. Their URLs have been looked at when the server began. */
static void add_other_relays(const pl_server *s, pl_buf *json)
{
    char name[PL_RELAY_TEXT_MAX], password[PL_RELAY_TEXT_MAX];
    pl_relay_make_credentials(s->conf.turn_secret, "page", pl_wall_us() / 1000000 + CREDENTIALS_S, name,
                              password);
    pl_buf_addf(json, "{\"urls\":[");
    for (size_t i = 0; i < s->conf.n_turn; i++)
        pl_buf_addf(json, "%s\"%s\"", i ? "," : "", s->conf.turn_url[i]);
    pl_buf_addf(json, "],\"username\":\"%s\",\"credential\":\"%s\"}", name, password);
}

/* What the page has to know of this server: where STUN and TURN are. */
static bool make_config(const pl_server *s, pl_http_file *out)
{
    pl_buf json = pl_buf_init(2048);
    pl_buf_addf(&json, "{");
    if (s->relay)
        pl_buf_addf(&json, "\"stunPort\":%u", pl_server_stun_addr(s, 0)->port);
    if (s->offers_turn || s->conf.n_turn > 0) {
        pl_buf_addf(&json, "%s\"iceServers\":[", s->relay ? "," : "");
        if (s->offers_turn)
            add_ice_server(s, &json);
        if (s->offers_turn && s->conf.n_turn > 0)
            pl_buf_addf(&json, ",");
        if (s->conf.n_turn > 0)
            add_other_relays(s, &json);
        pl_buf_addf(&json, "]");
    }
    pl_buf_addf(&json, "}\n");
    size_t len = json.n;
    char *text = pl_buf_take(&json);
    *out = (pl_http_file){ .type = "application/json", .data = (uint8_t *)text, .len = len, .release = text };
    return text != NULL;
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-.[]:", c));
}

/* By which name a client came here, without the port; "" when it says none. */
static void host_of(const pl_http_request *req, char out[HOST_MAX])
{
    pl_str host = pl_http_header_get(req, "Host");
    out[0] = '\0';
    for (size_t i = 0; i < host.n; i++) {
        if (!is_host_char(host.p[i]))
            return;
    }
    size_t at = host.n;
    while (at > 0 && host.p[at - 1] >= '0' && host.p[at - 1] <= '9')
        at--;
    if (at > 1 && at < host.n && host.p[at - 1] == ':')
        host.n = at - 1;
    (void)pl_str_copy(host, out, HOST_MAX);
}

static void link_relay(const char *secret, const char *url, pl_buf *head)
{
    char name[PL_RELAY_TEXT_MAX], password[PL_RELAY_TEXT_MAX];
    pl_whip_link link = { 0 };
    pl_relay_make_credentials(secret, "whip", pl_wall_us() / 1000000 + CREDENTIALS_S, name, password);
    snprintf(link.url, sizeof link.url, "%s", url);
    snprintf(link.username, sizeof link.username, "%s", name);
    snprintf(link.credential, sizeof link.credential, "%s", password);
    pl_whip_link_write(head, &link);
    pl_wipe(&link, sizeof link);
}

/* RFC 9725 4.6: our own STUN, and TURN with credentials, for a client of WHIP; then relays elsewhere. */
static void on_links(void *user, const pl_http_request *req, pl_buf *head)
{
    const pl_server *s = user;
    char host[HOST_MAX], url[PL_WHIP_LINK_TEXT_MAX];
    host_of(req, host);
    if (s->relay && host[0]) {
        unsigned port = pl_server_stun_addr(s, 0)->port;
        pl_whip_link stun = { 0 };
        snprintf(stun.url, sizeof stun.url, "stun:%s:%u", host, port);
        pl_whip_link_write(head, &stun);
        for (int i = 0; s->offers_turn && i < 2; i++) {
            snprintf(url, sizeof url, "turn:%s:%u?transport=%s", host, port, i ? "tcp" : "udp");
            link_relay(s->secret, url, head);
        }
    }
    for (size_t i = 0; i < s->conf.n_turn; i++)
        link_relay(s->conf.turn_secret, s->conf.turn_url[i], head);
}

static bool on_request(void *user, const pl_http_request *req, const pl_addr *from, int64_t now_us,
                       pl_http_reply *out)
{
    const pl_server *s = user;
    return s->whip && pl_whip_answer(s->whip, req, from, now_us, out);
}

static bool on_file(void *user, pl_str path, pl_http_file *out)
{
    pl_server *s = user;
    if (pl_str_is(path, "/config.json"))
        return make_config(s, out);
    return pl_web_get(s->conf.web_dir, path, out);
}

static void add_shared_status(const pl_server_stats *st, pl_buf *out)
{
    pl_buf_addf(
        out,
        ",\"shared\":{\"connected\":%s,\"remote_peers\":%u,\"waiting\":%u,\"told\":%llu,\"heard\":%llu,"
        "\"messages\":%llu,\"resumed\":%llu,\"moved\":%llu,\"losses\":%llu}",
        st->share.connected ? "true" : "false", st->rooms.n_remote, st->rooms.n_ops,
        (unsigned long long)st->share.n_told, (unsigned long long)st->share.n_notes,
        (unsigned long long)st->share.n_messages, (unsigned long long)st->rooms.n_resumed,
        (unsigned long long)st->rooms.n_moved, (unsigned long long)st->share.n_lost);
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
                "\"bytes_out\":%llu,\"stun_requests\":%llu,\"stun_answers\":%llu,\"relay_packets\":%llu,",
                st.http.n_connections, st.http.n_websockets, st.http.n_waiting,
                (unsigned long long)st.http.n_accepted, (unsigned long long)st.http.n_turned_away,
                (unsigned long long)st.http.n_requests, (unsigned long long)st.http.n_too_many,
                (unsigned long long)st.http.n_bad, (unsigned long long)st.http.n_timeouts,
                (unsigned long long)st.http.bytes_in, (unsigned long long)st.http.bytes_out,
                (unsigned long long)st.stun_requests, (unsigned long long)st.stun_answers,
                (unsigned long long)st.relay_packets);
    pl_buf_addf(
        out,
        "\"publishers\":%u,\"viewers\":%u,\"media_sessions\":%llu,\"ice_restarts\":%llu,\"packets_in\":%llu,"
        "\"packets_out\":%llu,\"packets_dropped\":%llu,\"key_frames_asked\":%llu",
        st.whip.sessions.n_publishers, st.whip.sessions.n_viewers,
        (unsigned long long)st.whip.sessions.n_opened, (unsigned long long)st.whip.sessions.n_restarts,
        (unsigned long long)st.whip.packets.packets_in, (unsigned long long)st.whip.packets.packets_out,
        (unsigned long long)st.whip.packets.n_dropped, (unsigned long long)st.whip.packets.keys_asked);
    if (((const pl_server *)user)->redis)
        add_shared_status(&st, out);
    pl_buf_addf(out, "}\n");
}

/* ---- life ---- */

static void on_rooms_changed(void *user)
{
    pl_server *s = user;
    pl_http_server_rooms_changed(s->http);
}

static pl_err open_redis(pl_server *s)
{
    char say[PL_REDIS_SAY_MAX];
    pl_redis_conf rc = { .url = s->conf.redis_url,
                         .password = s->conf.redis_password,
                         .prefix = s->conf.redis_prefix,
                         .rooms = pl_http_server_rooms(s->http),
                         .changed = on_rooms_changed,
                         .user = s };
    pl_err err = pl_redis_new(&s->redis, s->loop, &rc, say);
    if (err)
        pl_log_warn(&server_log, "%s", say);
    return err;
}

static pl_err start(pl_server *s)
{
    pl_http_server_conf hc = s->conf.http;
    hc.file = on_file;
    hc.answer = on_request;
    hc.status = on_status;
    hc.user = s;
    hc.rooms.shared = s->conf.redis_url != NULL;
    pl_err err = pl_http_server_new(&s->http, s->loop, &hc);
    if (!err && s->conf.redis_url)
        err = open_redis(s);
    if (!err)
        err = open_relay(s);
    if (!err && s->conf.whip)
        err = pl_whip_new(&s->whip, s->loop, s->conf.whip, on_links, s);
    return err;
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
    pl_timer_cancel(s->loop, &s->leaving);
    pl_redis_free(s->redis);
    pl_http_server_free(s->http);
    pl_whip_free(s->whip);
    pl_relay_server_free(s->relay);
    pl_wipe(s->secret, sizeof s->secret);
    free(s);
}

/* The other nodes hear who has left. */
static void on_leaving_time(void *user, int64_t now_us)
{
    pl_server *s = user;
    if (s->redis && !pl_redis_is_idle(s->redis) && now_us < s->leave_by_us)
        pl_timer_set(s->loop, &s->leaving, now_us + PL_MS(20));
    else
        s->drained(s->drained_user);
}

static void on_http_drained(void *user)
{
    pl_server *s = user;
    s->leave_by_us = pl_loop_now_us(s->loop) + PL_SEC(1);
    s->leaving = (pl_timer){ .fn = on_leaving_time, .arg = s };
    pl_timer_set(s->loop, &s->leaving, pl_loop_now_us(s->loop));
}

void pl_server_drain(pl_server *s, void (*done)(void *user), void *user)
{
    pl_log_info(&server_log, "leaving: no new connections, those that are open may finish");
    s->drained = done;
    s->drained_user = user;
    pl_http_server_drain(s->http, on_http_drained, s);
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
                              .share = s->redis ? *pl_redis_get_stats(s->redis) : (pl_share_stats){ 0 },
                              .stun_requests = relay.binding.requests,
                              .stun_answers = relay.binding.requests,
                              .relay_packets = relay.data.up_packets + relay.data.down_packets,
                              .up_us = pl_loop_now_us(s->loop) - s->started_us };
    if (s->whip)
        pl_whip_get_stats(s->whip, &out->whip);
}
