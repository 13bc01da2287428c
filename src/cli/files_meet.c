#include "cli/files_meet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "net/loop.h"

enum {
    LINK_PATIENCE_S = 20,
    PAUSE_MIN_US = 300000,
    PAUSE_MAX_US = 8000000,
    GONE_US = 2000000, /* to wait for the other side's end */
    LINGER_US = 150000,
    ID_MAX = 64
};

struct pl_files_meet {
    pl_files_meet_conf conf;
    char url[512];
    pl_room_client *room;
    pl_room_known known;
    bool signed_in;
    pl_files_link *link;
    bool link_over, link_by_peer;
    char why[256];   /* the link is over */
    pl_peer_id peer; /* of the link, or whom it would be made with; 0: nobody */
    bool peer_here;  /* in the room */
    pl_peer_id next; /* has no link and is ready, while we had another peer; 0: nobody */
    char peer_name[PL_ROOM_NAME_LEN], id[ID_MAX];
    json_int_t attempt; /* "try" of the link's messages */
    int64_t again_us;   /* when the sender offers again; PL_NEVER */
    int64_t pause_us, alone_since_us;
    bool ending, failed;
};

static void note(pl_files_meet *m, const char *text)
{
    m->conf.note(m->conf.user, text);
}

static void fail(pl_files_meet *m, const char *why)
{
    if (m->failed || m->ending)
        return;
    m->failed = true;
    m->conf.failed(m->conf.user, why);
}

static json_t *make_tags(const char *id, json_int_t attempt)
{
    return json_pack("{ss ss sI}", "for", "files", "id", id, "try", attempt);
}

/* ---- links ---- */

static void link_say(void *user, const char *text, size_t len)
{
    pl_files_meet *m = user;
    if (m->peer && pl_room_client_send(m->room, m->peer, text, len))
        note(m, "the server did not take a message");
}

static void link_described(void *user, const char *code)
{
    pl_files_meet *m = user;
    m->conf.described(m->conf.user, code);
}

static void link_note(void *user, const char *text)
{
    note(user, text);
}

static void link_opened(void *user)
{
    pl_files_meet *m = user;
    m->pause_us = PAUSE_MIN_US;
    m->alone_since_us = PL_NEVER;
    m->conf.opened(m->conf.user, m->peer_name);
}

static void link_message(void *user, const uint8_t *data, size_t len)
{
    pl_files_meet *m = user;
    m->conf.message(m->conf.user, data, len);
}

static void link_writable(void *user)
{
    pl_files_meet *m = user;
    m->conf.writable(m->conf.user);
}

/* Freed by the next tick: it is still on the stack. */
static void link_closed(void *user, const char *why, bool by_peer)
{
    pl_files_meet *m = user;
    m->link_over = true;
    m->link_by_peer = by_peer;
    snprintf(m->why, sizeof m->why, "%s", why);
}

static void drop_link(pl_files_meet *m)
{
    pl_files_link_free(m->link);
    m->link = NULL;
    m->link_over = false;
}

static void make_link(pl_files_meet *m, json_t *tags)
{
    pl_files_link_conf conf = { .factory = m->conf.factory,
                                .connection = m->conf.connection,
                                .sender = m->conf.sender,
                                .tags = tags,
                                .patience_s = LINK_PATIENCE_S,
                                .user = m,
                                .say = link_say,
                                .described = link_described,
                                .note = link_note,
                                .opened = link_opened,
                                .message = link_message,
                                .writable = link_writable,
                                .closed = link_closed };
    drop_link(m);
    if (pl_files_link_new(&m->link, &conf))
        fail(m, "no connection can be made");
}

static void offer(pl_files_meet *m)
{
    m->again_us = PL_NEVER;
    make_link(m, make_tags(m->conf.id, ++m->attempt));
}

/* Two codes make one connection: what comes after it needs people again. */
static void fail_codes(pl_files_meet *m, const char *why, bool was_open)
{
    char text[512];
    snprintf(text, sizeof text,
             "%s; a connection by pasted codes cannot come back by itself: run both sides again with new "
             "codes, and what "
             "has arrived is not sent again",
             why);
    fail(m, was_open ? text : why);
}

/* Told once for each link that was open or on its way. */
static void lose_link(pl_files_meet *m, const char *why)
{
    char text[256];
    snprintf(text, sizeof text, "%s", why);
    bool was_open = m->alone_since_us == PL_NEVER;
    drop_link(m);
    if (m->ending)
        return;
    if (!m->conf.server) {
        fail_codes(m, text, was_open);
        return;
    }
    if (was_open)
        m->alone_since_us = pl_clock_us();
    m->conf.lost(m->conf.user, text);
    if (!m->conf.sender)
        return;
    m->again_us = m->peer_here ? pl_clock_us() + m->pause_us : PL_NEVER;
    m->pause_us = pl_min_us(2 * m->pause_us, PAUSE_MAX_US);
}

/* ---- the room ---- */

static bool is_wanted(const pl_files_meet *m, const pl_room_peer *p)
{
    return m->conf.sender && (m->conf.code || (m->conf.to && strcmp(p->name, m->conf.to) == 0));
}

/* Somebody whom we look for is here. With an open link it is the same one under a new id, whose server was lost for
 * a moment; or one that was started again, and will say so. */
static void see(pl_files_meet *m, const pl_room_peer *p)
{
    pl_room_known_add(&m->known, p);
    if (!is_wanted(m, p) || m->ending || (m->peer_here && m->peer != p->id))
        return;
    m->peer = p->id;
    m->peer_here = true;
    snprintf(m->peer_name, sizeof m->peer_name, "%s", p->name);
    if (!m->link)
        m->again_us = pl_clock_us();
}

/* Who was killed or hangs may be in the room for as long as the server waits for it, and its next start beside it. */
static bool has_peer(const pl_files_meet *m)
{
    return m->peer_here && m->link && !pl_files_link_is_silent(m->link);
}

/* A receiver that has no link: whatever link we have is dead, unless it is on its way to that one or with another. */
static void take_ready(pl_files_meet *m, pl_peer_id from)
{
    pl_room_peer p = { .id = from, .name = pl_room_known_name(&m->known, from) };
    bool on_its_way = m->link && !pl_files_link_is_open(m->link) && m->peer == from;
    if (!is_wanted(m, &p) || m->ending || on_its_way)
        return;
    m->next = m->peer != from && has_peer(m) ? from : 0;
    if (m->next)
        return;
    if (m->link)
        lose_link(m, "the other side was started again");
    m->peer = from;
    m->peer_here = true;
    m->again_us = pl_clock_us();
}

static void say_ready(pl_files_meet *m, pl_peer_id to)
{
    static const char ready[] = "{\"for\":\"files\",\"type\":\"ready\"}";
    if (pl_room_client_send(m->room, to, ready, sizeof ready - 1))
        note(m, "the server did not take a message");
}

static void on_signed_in(void *user, pl_peer_id id, const pl_room_peer *peers, size_t n)
{
    pl_files_meet *m = user;
    (void)id;
    m->signed_in = true;
    m->peer_here = false;
    for (size_t i = 0; i < n; i++) {
        if (m->peer == peers[i].id && is_wanted(m, &peers[i]))
            m->peer_here = true; /* our own way to the server was lost, not theirs */
    }
    for (size_t i = 0; i < n; i++) {
        see(m, &peers[i]);
        if (!m->conf.sender && m->conf.code && !m->link)
            say_ready(m, peers[i].id);
    }
}

static void on_joined(void *user, const pl_room_peer *peer)
{
    see(user, peer);
}

static void on_left(void *user, const pl_room_peer *peer)
{
    pl_files_meet *m = user;
    if (peer->id == m->next)
        m->next = 0;
    if (peer->id != m->peer)
        return;
    m->peer_here = false; /* a link that is open needs no room */
    if (m->link && !pl_files_link_is_open(m->link))
        lose_link(m, "the other side has left");
}

static void say_bye(pl_files_meet *m, pl_peer_id to, const json_t *about, const char *reason)
{
    json_t *o = json_pack("{ss ss ss sO* sO*}", "for", "files", "type", "bye", "reason", reason, "id",
                          json_object_get(about, "id"), "try", json_object_get(about, "try"));
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (text && pl_room_client_send(m->room, to, text, strlen(text)))
        note(m, "the server did not take a message");
    free(text);
    json_decref(o);
}

/* An offer: of our transfer that comes back, or, when there is none or it has lost its link, of a new one. */
static void take_offer(pl_files_meet *m, pl_peer_id from, const json_t *o, const char *id)
{
    bool ours = strcmp(id, m->id) == 0, open = pl_files_link_is_open(m->link);
    if (m->conf.sender || m->ending || (open && !ours && (m->peer_here || from == m->peer))) {
        say_bye(m, from, o, "busy");
        return;
    }
    if (m->link)
        lose_link(m, "the other side begins again");
    m->peer = from;
    m->peer_here = true;
    m->attempt = json_integer_value(json_object_get(o, "try"));
    snprintf(m->id, sizeof m->id, "%s", id);
    snprintf(m->peer_name, sizeof m->peer_name, "%s", pl_room_known_name(&m->known, from));
    make_link(m, make_tags(m->id, m->attempt));
    if (m->link)
        pl_files_link_take(m->link, o);
}

static void take_bye(pl_files_meet *m, const json_t *o)
{
    const char *reason = json_string_value(json_object_get(o, "reason"));
    if (reason && strcmp(reason, "declined") == 0)
        fail(m, "the other side takes no files");
    else if (reason && strcmp(reason, "busy") == 0)
        lose_link(m, "the other side is busy with another transfer");
    else
        lose_link(m, "the other side has given up");
}

static void on_message(void *user, pl_peer_id from, const char *text, size_t len)
{
    pl_files_meet *m = user;
    json_t *o = json_loadb(text, len, 0, NULL);
    const char *kind = json_string_value(json_object_get(o, "for"));
    const char *type = json_string_value(json_object_get(o, "type"));
    const char *id = json_string_value(json_object_get(o, "id"));
    bool files = kind && id && strcmp(kind, "files") == 0 && strlen(id) < ID_MAX;
    bool of_link = files && m->link && from == m->peer && strcmp(id, m->id) == 0 &&
                   json_integer_value(json_object_get(o, "try")) == m->attempt;
    if (kind && type && strcmp(kind, "files") == 0 && strcmp(type, "ready") == 0)
        take_ready(m, from);
    else if (files && type && strcmp(type, "offer") == 0)
        take_offer(m, from, o, id);
    else if (of_link && type && strcmp(type, "bye") == 0)
        take_bye(m, o);
    else if (of_link)
        pl_files_link_take(m->link, o);
    json_decref(o);
}

static void on_closed(void *user, pl_err err, const char *why, bool again)
{
    pl_files_meet *m = user;
    m->signed_in = false;
    if (m->ending)
        return;
    if (again)
        note(m, "the server is not reached: trying again");
    else if (err)
        fail(m, why);
}

/* ---- life ---- */

/* Rooms with names are WebSocket's alone. */
static void choose_url(pl_files_meet *m)
{
    const char *url = m->conf.server, *rest = strstr(url, "://");
    bool classic = rest && strncmp(url, "http", 4) == 0;
    if (!m->conf.code || !classic) {
        snprintf(m->url, sizeof m->url, "%s", url);
        return;
    }
    size_t n = strcspn(rest + 3, "/");
    snprintf(m->url, sizeof m->url, "%s://%.*s/ws", strncmp(url, "https", 5) == 0 ? "wss" : "ws", (int)n,
             rest + 3);
}

static pl_err enter_room(pl_files_meet *m)
{
    choose_url(m);
    pl_room_client_conf conf = {
        .url = m->url,
        .name = m->conf.name,
        .room = m->conf.code,
        .unkept = true, /* a new start of ours is not to wait until the old one is given up */
        .on = { .signed_in = on_signed_in,
                .peer_joined = on_joined,
                .peer_left = on_left,
                .message = on_message,
                .closed = on_closed },
        .user = m
    };
    return pl_room_client_new(&m->room, m->conf.loop, &conf);
}

pl_err pl_files_meet_new(pl_files_meet **out, const pl_files_meet_conf *conf)
{
    pl_files_meet *m = calloc(1, sizeof *m);
    *out = m;
    if (!m)
        return PL_ENOMEM;
    m->conf = *conf;
    m->again_us = PL_NEVER;
    m->pause_us = PAUSE_MIN_US;
    m->alone_since_us = pl_clock_us();
    snprintf(m->id, sizeof m->id, "%s", conf->id ? conf->id : "");
    pl_err err = PL_OK;
    if (conf->server)
        err = enter_room(m);
    else
        make_link(m, NULL);
    if (!err && !conf->server && !m->link)
        err = PL_EIO;
    if (err) {
        free(m);
        *out = NULL;
    }
    return err;
}

void pl_files_meet_free(pl_files_meet *m)
{
    if (!m)
        return;
    m->ending = true;
    drop_link(m);
    pl_room_leave(m->conf.loop, m->room, &m->signed_in);
    free(m);
}

pl_files_link *pl_files_meet_link(pl_files_meet *m)
{
    return pl_files_link_is_open(m->link) ? m->link : NULL;
}

pl_err pl_files_meet_paste(pl_files_meet *m, const char *text)
{
    return m->link && !m->conf.server ? pl_files_link_paste(m->link, text) : PL_ESTATE;
}

void pl_files_meet_end(pl_files_meet *m, bool wait)
{
    int64_t now_us = pl_clock_us(), until_us = now_us + GONE_US, empty_us = PL_NEVER;
    m->ending = true;
    m->again_us = PL_NEVER;
    while (m->link && !m->link_over && pl_files_link_is_open(m->link)) {
        now_us = pl_clock_us();
        if (pl_files_link_unsent(m->link) == 0)
            empty_us = pl_min_us(empty_us, now_us + (wait ? GONE_US : LINGER_US));
        int64_t left_us = pl_min_us(until_us, empty_us) - now_us;
        if (left_us <= 0 || pl_loop_run_once(m->conf.loop, pl_min_us(left_us, PL_MS(20))))
            break;
    }
    drop_link(m);
}

int64_t pl_files_meet_next_us(const pl_files_meet *m)
{
    int64_t at_us = pl_min_us(m->again_us, pl_files_link_next_us(m->link));
    if (m->link_over)
        return 0;
    return m->alone_since_us == PL_NEVER
               ? at_us
               : pl_min_us(at_us, m->alone_since_us + (int64_t)(m->conf.patience_s * 1e6));
}

void pl_files_meet_tick(pl_files_meet *m)
{
    int64_t now_us = pl_clock_us();
    if (m->link)
        pl_files_link_due(m->link);
    if (m->link_over)
        lose_link(m, m->why);
    if (m->next && !has_peer(m))
        take_ready(m, m->next);
    if (now_us >= m->again_us && m->peer_here && !m->link)
        offer(m);
    bool alone = m->alone_since_us != PL_NEVER && m->conf.server;
    if (alone && now_us >= m->alone_since_us + (int64_t)(m->conf.patience_s * 1e6))
        fail(m, m->signed_in ? "the other side has not come" : "the server does not answer");
}
