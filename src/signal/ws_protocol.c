#include "signal/ws_protocol.h"

#include <jansson.h>

#include "signal/rooms_resume.h"

/* What a number in JavaScript holds exactly. */
#define NUMBER_MAX ((INT64_C(1) << 53) - 1)

/* ---- writing JSON ---- */

/* Appends a JSON string. Text is UTF-8 already, or it would not have come this far; names from the classic
 * side may only hold what names may hold. */
static void add_string(pl_buf *out, pl_str s)
{
    pl_buf_add(out, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (c >= ' ' && c != '"' && c != '\\' && c != 0x7f)
            continue;
        pl_buf_add(out, s.p + from, i - from);
        from = i + 1;
        if (c == '"' || c == '\\')
            pl_buf_addf(out, "\\%c", c);
        else if (c == '\n')
            pl_buf_add(out, "\\n", 2);
        else if (c == '\r')
            pl_buf_add(out, "\\r", 2);
        else
            pl_buf_addf(out, "\\u%04x", c);
    }
    if (s.n)
        pl_buf_add(out, s.p + from, s.n - from);
    pl_buf_add(out, "\"", 1);
}

static void add_field(pl_buf *out, const char *before, pl_str s)
{
    pl_buf_add(out, before, strlen(before));
    add_string(out, s);
}

static void finish(pl_buf *out)
{
    pl_buf_add(out, "}", 2); /* with its zero */
}

static void add_plain(pl_buf *out, const char *type)
{
    pl_buf_addf(out, "{\"type\":\"%s\"", type);
    finish(out);
}

static void add_error_about(pl_buf *out, const char *code, const char *text, pl_peer_id to, uint64_t number)
{
    pl_buf_addf(out, "{\"type\":\"error\",\"code\":\"%s\",\"message\":\"%s\"", code, text);
    if (to)
        pl_buf_addf(out, ",\"to\":%u", to);
    if (number)
        pl_buf_addf(out, ",\"n\":%llu", (unsigned long long)number);
    finish(out);
}

static void add_error(pl_buf *out, const char *code, const char *text, pl_peer_id to)
{
    add_error_about(out, code, text, to, 0);
}

/* Where it stands in the messages is told to who comes for the first time; who comes back knows it. */
static void add_token(const pl_ws_session *s, const pl_rooms *rooms, bool resumed, pl_buf *out)
{
    char token[PL_ROOMS_TOKEN_LEN + 1];
    if (!s->resumable || !pl_rooms_token(rooms, s->id, token))
        return;
    pl_buf_addf(out, ",\"token\":\"%s\",\"keeps\":%lld,\"said\":%llu", token,
                (long long)(pl_rooms_resume_us(rooms) / PL_SEC(1)),
                (unsigned long long)pl_rooms_said_until(rooms, s->id));
    if (resumed)
        pl_buf_addf(out, ",\"resumed\":true");
    else
        pl_buf_addf(out, ",\"heard\":%llu", (unsigned long long)pl_rooms_seq(rooms));
}

static void add_welcome(const pl_ws_session *s, const pl_rooms *rooms, bool resumed, pl_buf *out)
{
    pl_rooms_peer peer;
    const void *cursor = NULL;
    pl_peer_id id = s->id;
    if (!pl_rooms_find(rooms, id, &peer))
        return;
    pl_buf_addf(out, "{\"type\":\"welcome\",\"id\":%u", id);
    add_field(out, ",\"name\":", peer.name);
    add_field(out, ",\"room\":", peer.room);
    add_token(s, rooms, resumed, out);
    pl_buf_addf(out, ",\"peers\":[");
    for (int n = 0; pl_rooms_each(rooms, id, &cursor, &peer); n++) {
        pl_buf_addf(out, "%s{\"id\":%u", n ? "," : "", peer.id);
        add_field(out, ",\"name\":", peer.name);
        pl_buf_add(out, "}", 1);
    }
    pl_buf_add(out, "]", 1);
    finish(out);
}

/* ---- what a client says ---- */

static pl_str get_string(const json_t *msg, const char *key)
{
    const json_t *v = json_object_get(msg, key);
    return json_is_string(v) ? (pl_str){ json_string_value(v), json_string_length(v) } : (pl_str){ 0 };
}

/* True when it was a coming back: the token is right, and the peer is still there. */
static bool resume(pl_ws_session *s, pl_rooms *rooms, int64_t now_us, const json_t *msg, pl_buf *out)
{
    void *replaced;
    json_int_t id = json_integer_value(json_object_get(msg, "id"));
    json_int_t heard = json_integer_value(json_object_get(msg, "heard"));
    if (id <= 0 || id > INT32_MAX ||
        !pl_rooms_token_is_right(rooms, (pl_peer_id)id, get_string(msg, "token")))
        return false;
    pl_err err = pl_rooms_resume(rooms, now_us, (pl_peer_id)id, heard > 0 ? (uint64_t)heard : 0);
    if (err == PL_EAGAIN || err == PL_ENOMEM || err == PL_ENOSPC) {
        add_error(out, "later", "The servers do not reach each other; try again soon.", 0);
        return true;
    }
    if (err || pl_rooms_listen(rooms, now_us, (pl_peer_id)id, s->listener, &replaced))
        return false; /* a replaced one of this node finds that nothing comes any more, and is closed by its pings */
    s->id = (pl_peer_id)id;
    s->resumable = true;
    add_welcome(s, rooms, true, out);
    return true;
}

static void on_sign_in(pl_ws_session *s, pl_rooms *rooms, int64_t now_us, const json_t *msg, pl_buf *out)
{
    void *replaced;
    pl_str name = get_string(msg, "name");
    if (s->id) {
        add_error(out, "signed-in", "You are signed in already.", 0);
        return;
    }
    if (!name.p) {
        add_error(out, "bad-name", "A sign_in wants a name.", 0);
        return;
    }
    if (resume(s, rooms, now_us, msg, out))
        return;
    pl_peer_id id;
    pl_err err = pl_rooms_sign_in(rooms, now_us, get_string(msg, "room"), name, &id);
    if (err == PL_EAGAIN)
        add_error(out, "later", "The server is starting; try again soon.", 0);
    else if (err == PL_EINVAL)
        add_error(out, "bad-name", "Names of peers and rooms have at most 64 characters.", 0);
    else if (err)
        add_error(out, "full", "The server or the room is full.", 0);
    if (err || pl_rooms_listen(rooms, now_us, id, s->listener, &replaced))
        return;
    s->id = id;
    s->resumable = json_is_true(json_object_get(msg, "resumable"));
    pl_rooms_bind(rooms, id);
    if (s->resumable)
        pl_rooms_keep(rooms, id);
    add_welcome(s, rooms, false, out);
}

static void on_message(pl_ws_session *s, pl_rooms *rooms, int64_t now_us, const json_t *msg, pl_buf *out)
{
    pl_str data = get_string(msg, "data");
    json_int_t to = json_integer_value(json_object_get(msg, "to"));
    json_int_t n = json_integer_value(json_object_get(msg, "n"));
    pl_peer_id peer = to > 0 && to <= INT32_MAX ? (pl_peer_id)to : 0;
    uint64_t number = s->resumable && n > 0 && n <= NUMBER_MAX ? (uint64_t)n : 0;
    if (!data.p || !peer) {
        add_error_about(out, "bad-message", "A message wants a number `to` and a string `data`.", peer,
                        number);
        return;
    }
    if (data.n > PL_ROOMS_MESSAGE_MAX) {
        add_error_about(out, "too-big", "A message has at most 262144 bytes.", peer, number);
        return;
    }
    switch (pl_rooms_send_numbered(rooms, now_us, s->id, peer, PL_STR("text/plain"), data, number)) {
    case PL_OK: break;
    case PL_ENOSPC:
    case PL_ENOMEM:
        add_error_about(out, "busy", "Too many messages wait for that peer.", peer, number);
        break;
    case PL_ESTATE: add_error_about(out, "signed-out", "Sign in first.", peer, number); break;
    default: add_error_about(out, "no-such-peer", "That peer is not there.", peer, number); break;
    }
}

static void on_sign_out(pl_ws_session *s, pl_rooms *rooms, int64_t now_us, pl_buf *out)
{
    pl_ws_session_end(s, rooms, now_us);
    add_plain(out, "signed_out");
}

pl_err pl_ws_session_input(pl_ws_session *s, pl_rooms *rooms, int64_t now_us, const char *text, size_t len,
                           pl_buf *out)
{
    json_t *msg = json_loadb(text ? text : "", len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    pl_str type = get_string(msg, "type");
    if (!json_is_object(msg) || !type.p) {
        json_decref(msg);
        add_error(out, "bad-json", "Say a JSON object with a type.", 0);
        return PL_EPROTO;
    }
    if (pl_str_is(type, "message"))
        on_message(s, rooms, now_us, msg, out);
    else if (pl_str_is(type, "sign_in"))
        on_sign_in(s, rooms, now_us, msg, out);
    else if (pl_str_is(type, "ping"))
        add_plain(out, "pong");
    else if (pl_str_is(type, "sign_out"))
        on_sign_out(s, rooms, now_us, out);
    else
        add_error(out, "bad-type", "There is no message of that type.", 0);
    json_decref(msg);
    return PL_OK;
}

/* ---- what the rooms say ---- */

bool pl_ws_session_next(pl_ws_session *s, pl_rooms *rooms, int64_t now_us, pl_buf *out)
{
    pl_rooms_item item;
    do { /* the classic side may post anything; JSON can carry only text */
        if (!s->id || !pl_rooms_take(rooms, now_us, s->id, &item))
            return false;
    } while (item.kind == PL_ROOMS_MESSAGE && !pl_utf8_valid(item.data.p, item.data.n));
    if (item.kind == PL_ROOMS_REFUSED) {
        if (item.busy)
            add_error_about(out, "busy", "Too many messages wait for that peer.", item.peer, item.seq);
        else
            add_error_about(out, "no-such-peer", "That peer is not there.", item.peer, item.seq);
        return true;
    }
    if (item.kind == PL_ROOMS_SAID) {
        pl_buf_addf(out, "{\"type\":\"ack\",\"n\":%llu", (unsigned long long)item.seq);
        finish(out);
        return true;
    }
    if (item.kind == PL_ROOMS_MESSAGE) {
        pl_buf_addf(out, "{\"type\":\"message\",\"from\":%u", item.peer);
        if (s->resumable)
            pl_buf_addf(out, ",\"seq\":%llu", (unsigned long long)item.seq);
        add_field(out, ",\"data\":", item.data);
    } else {
        pl_buf_addf(out, "{\"type\":\"%s\",\"id\":%u", item.kind == PL_ROOMS_JOINED ? "joined" : "left",
                    item.peer);
        add_field(out, ",\"name\":", item.name);
    }
    finish(out);
    return true;
}

void pl_ws_session_gone(pl_ws_session *s, pl_buf *out)
{
    s->id = 0;
    add_plain(out, "signed_out");
}

void pl_ws_session_end(pl_ws_session *s, pl_rooms *rooms, int64_t now_us)
{
    if (!s->id)
        return;
    pl_rooms_unlisten(rooms, now_us, s->id, s->listener);
    pl_rooms_sign_out(rooms, now_us, s->id);
    s->id = 0;
}

void pl_ws_session_lost(pl_ws_session *s, pl_rooms *rooms, int64_t now_us)
{
    char token[PL_ROOMS_TOKEN_LEN + 1];
    if (!s->id || !s->resumable || !pl_rooms_token(rooms, s->id, token)) {
        pl_ws_session_end(s, rooms, now_us);
        return;
    }
    pl_rooms_unlisten(rooms, now_us, s->id, s->listener);
    s->id = 0;
}
