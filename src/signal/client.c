#include "signal/client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "signal/client_internal.h"
#include "signal/http_request.h"

static const int64_t pause_min_us = PL_MS(500), pause_max_us = PL_SEC(15);
static const int64_t resume_pause_min_us = PL_MS(100), resume_pause_max_us = PL_SEC(1);

/* ---- addresses ---- */

static bool parse_host(pl_str authority, client_url *out)
{
    uint64_t port = out->port;
    pl_str host;
    if (!authority.p || authority.n == 0)
        return false;
    if (authority.p[0] == '[') {
        host = pl_str_cut(&authority, ']');
        host = (pl_str){ host.p + 1, host.n - 1 };
        if (!authority.p || (authority.n && authority.p[0] != ':'))
            return false;
        (void)pl_str_cut(&authority, ':');
    } else {
        host = pl_str_cut(&authority, ':');
    }
    if (authority.n && !pl_str_u64(authority, 65535, &port))
        return false;
    out->port = (uint16_t)port;
    return host.n > 0 && port > 0 && pl_str_copy(host, out->host, sizeof out->host);
}

static bool parse_url(const char *text, client_url *out)
{
    static const struct {
        const char *scheme;
        bool ws, tls;
    } known[] = { { "http://", false, false },
                  { "https://", false, true },
                  { "ws://", true, false },
                  { "wss://", true, true } };
    pl_str rest = pl_str_of(text);
    *out = (client_url){ 0 };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t n = strlen(known[i].scheme);
        if (!pl_str_starts(rest, known[i].scheme))
            continue;
        out->ws = known[i].ws;
        out->tls = known[i].tls;
        out->port = known[i].tls ? 443 : 80;
        rest = (pl_str){ rest.p + n, rest.n - n };
        rest = pl_str_cut(&rest, '#');
        rest = pl_str_cut(&rest, '?');
        pl_str authority = pl_str_cut(&rest, '/');
        if (authority.p && memchr(authority.p, '@', authority.n))
            return false;
        while (rest.n && rest.p[rest.n - 1] == '/')
            rest.n--;
        int len = rest.n ? snprintf(out->path, sizeof out->path, "/%.*s", (int)rest.n, rest.p) : 0;
        if (out->ws && len == 0)
            len = snprintf(out->path, sizeof out->path, "/ws");
        return len >= 0 && (size_t)len < sizeof out->path && parse_host(authority, out);
    }
    return false;
}

/* ---- the queue ---- */

client_text *client_first_text(const pl_room_client *c)
{
    return c->next != &c->queue ? pl_of(c->next, client_text, in_queue) : NULL;
}

static void drop_text(pl_room_client *c, client_text *t)
{
    if (c->next == &t->in_queue)
        c->next = c->next->next;
    pl_list_remove(&t->in_queue);
    free(t);
    c->n_queued--;
}

void client_text_sent(pl_room_client *c)
{
    client_text *t = client_first_text(c);
    if (!t)
        return;
    if (t->number)
        c->next = c->next->next;
    else
        drop_text(c, t);
}

void client_texts_acked(pl_room_client *c, uint64_t number)
{
    for (client_text *t; c->queue.next != c->next; drop_text(c, t)) {
        t = pl_of(c->queue.next, client_text, in_queue);
        if (t->number > number)
            return;
    }
}

void client_text_refused(pl_room_client *c, uint64_t number)
{
    PL_EACH (n, &c->queue) {
        client_text *t = pl_of(n, client_text, in_queue);
        if (n == c->next)
            return;
        if (t->number == number) {
            drop_text(c, t);
            return;
        }
    }
}

void client_texts_again(pl_room_client *c)
{
    if (!c->acked)
        client_texts_acked(c, UINT64_MAX);
    c->next = c->queue.next;
}

static void drop_queue(pl_room_client *c)
{
    PL_EACH (n, &c->queue)
        drop_text(c, pl_of(n, client_text, in_queue));
}

pl_err pl_room_client_send(pl_room_client *c, pl_peer_id to, const char *text, size_t len)
{
    if (!c->id || c->leaving)
        return PL_ESTATE;
    if (!pl_utf8_valid(text, len))
        return PL_EINVAL;
    if (c->n_queued >= PL_ROOM_CLIENT_QUEUE_MAX || len > PL_ROOMS_MESSAGE_MAX)
        return PL_ENOSPC;
    client_text *t = malloc(sizeof *t + len + 1);
    if (!t)
        return PL_ENOMEM;
    *t = (client_text){ .to = to, .len = len };
    if (len)
        memcpy(t->text, text, len);
    t->text[len] = '\0';
    pl_list_push_back(&c->queue, &t->in_queue);
    if (c->next == &c->queue)
        c->next = &t->in_queue;
    c->n_queued++;
    if (c->carrier)
        c->ops->kick(c->carrier);
    return PL_OK;
}

/* ---- attempts and losses ---- */

static void attempt(pl_room_client *c, int64_t now_us)
{
    c->carrier = c->ops->open(c);
    if (!c->carrier)
        pl_timer_set(c->loop, &c->timer, now_us + pause_max_us);
}

/* The connection is lost, the peer is not: nobody is told as long as it may come back as it was. */
static bool tries_to_resume(pl_room_client *c, int64_t now_us)
{
    if (!c->token[0] || !c->lost.again || c->once || c->leaving)
        return false;
    if (c->lost_us == PL_NEVER) {
        c->lost_us = now_us;
        c->pause_us = resume_pause_min_us;
    }
    if (now_us - c->lost_us > c->keeps_us)
        return false;
    pl_timer_set(c->loop, &c->timer, now_us + c->pause_us);
    c->pause_us = pl_min_us(2 * c->pause_us, resume_pause_max_us);
    pl_log_info(&c->log, "%s; will come back", c->lost.why);
    return true;
}

static void forget_session(pl_room_client *c)
{
    c->id = 0;
    c->token[0] = '\0';
    c->lost_us = PL_NEVER;
    c->pause_us = pl_max_us(c->pause_us, pause_min_us);
    client_peers_clear(&c->peers);
    drop_queue(c);
    c->acked = false;
    c->n_said = 0;
}

static void end(pl_room_client *c, int64_t now_us)
{
    bool again = c->lost.again && !c->once && !c->leaving;
    pl_err err = c->leaving ? PL_OK : c->lost.err;
    c->ops->close(c->carrier);
    c->carrier = NULL;
    c->on_line = false;
    if (tries_to_resume(c, now_us))
        return;
    c->over = !again;
    forget_session(c);
    if (again) {
        pl_timer_set(c->loop, &c->timer, now_us + c->pause_us);
        c->pause_us = pl_min_us(c->pause_us * 2, pause_max_us);
    }
    pl_log_info(&c->log, "%s%s", c->lost.why, again ? "; will try again" : "");
    if (c->on.closed)
        c->on.closed(c->user, err, c->lost.why, again);
}

static void on_time(void *user, int64_t now_us)
{
    pl_room_client *c = user;
    if (c->carrier)
        end(c, now_us);
    else if (!c->over)
        attempt(c, now_us);
}

void client_lost(pl_room_client *c, pl_err err, bool again, const char *fmt, ...)
{
    va_list args;
    if (c->timer.node.linked) /* the first reason is the true one */
        return;
    va_start(args, fmt);
    vsnprintf(c->lost.why, sizeof c->lost.why, fmt, args);
    va_end(args);
    c->lost.err = err;
    c->lost.again = again;
    pl_timer_set(c->loop, &c->timer, pl_loop_now_us(c->loop)); /* from outside of the carrier */
}

void client_signed_in(pl_room_client *c, pl_peer_id id, const pl_room_peer *peers, size_t n)
{
    if (c->id) { /* it was too late to come back as who we were */
        char token[sizeof c->token];
        bool acked = c->acked;
        memcpy(token, c->token, sizeof token);
        forget_session(c);
        memcpy(c->token, token, sizeof token); /* the new one */
        c->acked = acked;
        if (c->on.closed)
            c->on.closed(c->user, PL_EIO, c->lost.why, true);
    }
    c->id = id;
    c->on_line = true;
    c->lost_us = PL_NEVER;
    c->pause_us = pause_min_us;
    for (size_t i = 0; c->token[0] && i < n; i++)
        client_peers_add(&c->peers, peers[i].id, peers[i].name);
    pl_log_info(&c->log, "signed in as peer %u, %zu others are there", id, n);
    if (c->on.signed_in)
        c->on.signed_in(c->user, id, peers, n);
}

void client_resumed(pl_room_client *c, const pl_room_peer *peers, size_t n)
{
    c->on_line = true;
    c->lost_us = PL_NEVER;
    c->pause_us = pause_min_us;
    pl_log_info(&c->log, "back as peer %u", c->id);
    client_peers there = { 0 };
    for (size_t i = 0; i < n; i++)
        client_peers_add(&there, peers[i].id, peers[i].name);
    for (size_t i = c->peers.n; i-- > 0;) {
        const client_peer *known = &c->peers.at[i];
        if (!client_peers_has(&there, known->id))
            client_presence(c, false, known->id, known->name);
    }
    client_peers_clear(&there);
    for (size_t i = 0; i < n; i++)
        if (!client_peers_has(&c->peers, peers[i].id))
            client_presence(c, true, peers[i].id, peers[i].name);
    if (c->carrier)
        c->ops->kick(c->carrier);
}

void client_presence(pl_room_client *c, bool joined, pl_peer_id id, const char *name)
{
    pl_room_peer peer = { id, name };
    if (joined && c->on.peer_joined)
        c->on.peer_joined(c->user, &peer);
    if (!joined && c->on.peer_left)
        c->on.peer_left(c->user, &peer);
    if (c->token[0] && joined)
        client_peers_add(&c->peers, id, name);
    else
        client_peers_remove(&c->peers, id); /* name may be the one that is kept there */
}

void client_message(pl_room_client *c, pl_peer_id from, const char *text, size_t len)
{
    if (c->on.message)
        c->on.message(c->user, from, text, len);
}

/* ---- life ---- */

static bool name_is_legal(const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n > 0 && n <= PL_ROOMS_NAME_MAX && pl_utf8_valid(name, n);
}

static pl_err copy_texts(pl_room_client *c, const pl_room_client_conf *conf)
{
    c->url_text = strdup(conf->url);
    c->name = strdup(conf->name);
    c->room = strdup(conf->room ? conf->room : "");
    return c->url_text && c->name && c->room ? PL_OK : PL_ENOMEM;
}

pl_err pl_room_client_new(pl_room_client **out, pl_loop *loop, const pl_room_client_conf *conf)
{
    client_url url;
    *out = NULL;
    if (!conf->url || !parse_url(conf->url, &url) || !name_is_legal(conf->name))
        return PL_EINVAL;
    pl_room_client *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    c->loop = loop;
    c->url = url;
    c->ops = url.ws ? &client_ws_ops : &client_classic_ops;
    c->once = conf->once;
    c->unkept = conf->unkept;
    c->on = conf->on;
    c->user = conf->user;
    c->pause_us = pause_min_us;
    c->lost_us = PL_NEVER;
    c->timer = (pl_timer){ .fn = on_time, .arg = c };
    c->log = (pl_log){ "room" };
    pl_list_init(&c->queue);
    c->next = &c->queue;
    pl_err err = copy_texts(c, conf);
    if (!err)
        c->carrier = c->ops->open(c);
    if (!err && !c->carrier)
        err = PL_ENOMEM;
    if (err) {
        pl_room_client_free(c);
        return err;
    }
    *out = c;
    return PL_OK;
}

void pl_room_client_free(pl_room_client *c)
{
    if (!c)
        return;
    pl_timer_cancel(c->loop, &c->timer);
    if (c->carrier)
        c->ops->close(c->carrier);
    drop_queue(c);
    client_peers_clear(&c->peers);
    free(c->url_text);
    free(c->name);
    free(c->room);
    free(c);
}

void pl_room_client_sign_out(pl_room_client *c)
{
    if (c->leaving || c->over)
        return;
    c->leaving = true;
    if (c->carrier) {
        c->ops->kick(c->carrier);
        return;
    }
    c->over = true; /* between two attempts: nothing to say to anybody */
    pl_timer_cancel(c->loop, &c->timer);
}

pl_peer_id pl_room_client_id(const pl_room_client *c)
{
    return c->id;
}

void pl_room_client_check(pl_room_client *c)
{
    if (c->over || c->leaving)
        return;
    if (!c->carrier)
        pl_timer_set(c->loop, &c->timer, pl_loop_now_us(c->loop));
    else if (c->ops->check && c->on_line)
        c->ops->check(c->carrier);
}
