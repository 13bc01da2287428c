#include "signal/classic.h"

#include <stdio.h>

#include "signal/rooms_share.h"

/* What the original sends with every answer: any page may talk to it. */
static const char cors[] = "Access-Control-Allow-Origin: *\r\n"
                           "Access-Control-Allow-Credentials: true\r\n"
                           "Access-Control-Allow-Methods: POST, GET, OPTIONS\r\n"
                           "Access-Control-Allow-Headers: Content-Type, Content-Length, Connection, "
                           "Cache-Control\r\n"
                           "Access-Control-Expose-Headers: Content-Length, X-Peer-Id\r\n";

/* The order and the capitals are the original's: its client looks for "\r\nContent-Length: " and
 * "\r\nPragma: " in the bytes. */
void pl_classic_respond(pl_buf *out, int status, const char *reason, pl_str type, pl_peer_id pragma,
                        pl_str body)
{
    pl_buf_addf(out, "HTTP/1.1 %d %s\r\nServer: peerline\r\nCache-Control: no-cache\r\nConnection: close\r\n",
                status, reason);
    if (type.n)
        pl_buf_addf(out, "Content-Type: %.*s\r\n", (int)type.n, type.p);
    pl_buf_addf(out, "Content-Length: %zu\r\n", body.n);
    if (pragma)
        pl_buf_addf(out, "Pragma: %u\r\n", pragma);
    pl_buf_add(out, cors, sizeof cors - 1);
    pl_buf_add(out, "\r\n", 2);
    pl_buf_add(out, body.p, body.n);
}

static void respond_text(pl_buf *out, int status, int *told, const char *text)
{
    *told = status;
    pl_classic_respond(out, status, pl_http_status_text(status), PL_STR("text/plain"), 0, pl_str_of(text));
}

static void gone(pl_buf *out, int *status)
{
    respond_text(out, 404, status, "Peer most likely gone.");
}

static void add_entry(pl_buf *list, const pl_rooms_peer *peer)
{
    pl_buf_addf(list, "%.*s,%u,1\n", (int)peer->name.n, peer->name.p, peer->id);
}

/* "name,id,1\n" of the new peer, then of all who were there before. */
static void welcome(pl_rooms *rooms, pl_peer_id id, int *status, pl_buf *out)
{
    pl_buf list = pl_buf_init(out->max);
    pl_rooms_peer peer;
    const void *cursor = NULL;
    if (pl_rooms_find(rooms, id, &peer))
        add_entry(&list, &peer);
    while (pl_rooms_each(rooms, id, &cursor, &peer))
        add_entry(&list, &peer);
    const char *text = pl_buf_z(&list);
    if (text) {
        *status = 200;
        pl_classic_respond(out, 200, "Added", PL_STR("text/plain"), id, (pl_str){ text, list.n });
    } else {
        respond_text(out, 503, status, "The server is out of memory.");
    }
    pl_buf_clear(&list);
}

static pl_classic_result on_sign_in(pl_rooms *rooms, int64_t now_us, const pl_http_request *req,
                                    pl_str room_text, int *status, pl_buf *out)
{
    char name[PL_ROOMS_NAME_MAX + 2], room[PL_ROOMS_NAME_MAX + 2];
    size_t len, room_len;
    pl_peer_id id;
    pl_err err = PL_EINVAL;
    if (pl_http_unescape(req->query, name, sizeof name, &len) &&
        pl_http_unescape(room_text, room, sizeof room, &room_len))
        err = pl_rooms_sign_in(rooms, now_us, (pl_str){ room, room_len }, (pl_str){ name, len }, &id);
    if (err == PL_OK)
        welcome(rooms, id, status, out);
    else if (err == PL_EINVAL)
        respond_text(out, 400, status, "A name has at most 64 characters of UTF-8.");
    else
        respond_text(out, 503, status,
                     err == PL_EAGAIN ? "The server is starting; try again soon."
                                      : "The server or the room is full.");
    return PL_CLASSIC_ANSWERED;
}

/* The id in "peer_id=5"; false when it is no number at all. Ids that were never given are simply unknown. */
static bool get_id(const pl_http_request *req, const char *key, pl_peer_id *id)
{
    uint64_t v;
    pl_str text = pl_http_query_get(req->query, key);
    if (!text.p || !pl_str_u64(text, INT32_MAX, &v))
        return false;
    *id = (pl_peer_id)v;
    return true;
}

static void on_message(pl_rooms *rooms, int64_t now_us, const pl_http_request *req, pl_peer_id from,
                       int *status, pl_buf *out)
{
    pl_peer_id to;
    pl_str type = pl_http_header_get(req, "Content-Type");
    if (!get_id(req, "to", &to) || req->body.n == 0 || type.n > PL_ROOMS_TYPE_MAX) {
        respond_text(out, 400, status, "A message wants ?peer_id=&to= and a body.");
        return;
    }
    if (to == from) { /* an echo, as the original does it */
        *status = 200;
        pl_classic_respond(out, 200, "OK", type, from, req->body);
        return;
    }
    switch (pl_rooms_send(rooms, now_us, from, to, type, req->body)) {
    case PL_OK: respond_text(out, 200, status, ""); break;
    case PL_ENOSPC: respond_text(out, 429, status, "Too many messages wait for that peer."); break;
    case PL_ENOMEM: respond_text(out, 503, status, "The server is out of memory."); break;
    default: gone(out, status); break;
    }
}

static pl_classic_result on_wait(pl_rooms *rooms, int64_t now_us, pl_peer_id id, void *listener, int *status,
                                 void **replaced, pl_buf *out)
{
    pl_rooms_peer peer;
    pl_err err = PL_OK;
    if (pl_rooms_find(rooms, id, &peer) && peer.remote) /* a balancer sent it to another node this time */
        err = pl_rooms_resume(rooms, now_us, id, 0);
    if (err == PL_OK)
        err = pl_rooms_listen(rooms, now_us, id, listener, replaced);
    if (err == PL_OK)
        return PL_CLASSIC_WAITS;
    if (err == PL_ESTATE)
        gone(out, status);
    else
        respond_text(out, 503, status, "The servers do not reach each other; try again soon.");
    return PL_CLASSIC_ANSWERED;
}

typedef enum verb { SIGN_IN, WAIT, MESSAGE, SIGN_OUT, QUIT, N_VERBS } verb;

/* "/room/NAME/sign_in" is "/sign_in" into a room of that name, for clients whose server may be given with a path. */
static verb verb_of(pl_str path, pl_str *room)
{
    static const char *const name[] = { "/sign_in", "/wait", "/message", "/sign_out", "/quit" };
    static const char prefix[] = "/room/";
    int i = 0;
    *room = PL_STR("");
    if (pl_str_starts(path, prefix)) {
        const char *at = path.p + sizeof prefix - 1, *end = memchr(at, '/', path.n - (sizeof prefix - 1));
        if (!end || end == at)
            return N_VERBS;
        *room = (pl_str){ at, (size_t)(end - at) };
        path = (pl_str){ end, (size_t)(path.p + path.n - end) };
    }
    while (i < N_VERBS && !pl_str_is(path, name[i]))
        i++;
    return (verb)i;
}

pl_classic_result pl_classic_request(pl_rooms *rooms, int64_t now_us, const pl_http_request *req,
                                     void *listener, pl_peer_id *id, void **replaced, int *status,
                                     pl_buf *out)
{
    pl_str room;
    verb v = verb_of(req->path, &room);
    *id = 0;
    *replaced = NULL;
    if (v == N_VERBS)
        return PL_CLASSIC_NOT_MINE;
    if (req->method == PL_HTTP_OPTIONS) { /* a browser asks before it posts across origins */
        *status = 200;
        pl_classic_respond(out, 200, "OK", PL_STR(""), 0, PL_STR(""));
        return PL_CLASSIC_ANSWERED;
    }
    if (v == QUIT) {
        respond_text(out, 403, status, "This server stays.");
        return PL_CLASSIC_ANSWERED;
    }
    if (req->method != (v == MESSAGE ? PL_HTTP_POST : PL_HTTP_GET)) {
        respond_text(out, 405, status, v == MESSAGE ? "POST messages." : "GET this.");
        return PL_CLASSIC_ANSWERED;
    }
    if (v == SIGN_IN)
        return on_sign_in(rooms, now_us, req, room, status, out);
    if (!get_id(req, "peer_id", id)) {
        respond_text(out, 400, status, "Which peer? Say ?peer_id=NUMBER.");
        return PL_CLASSIC_ANSWERED;
    }
    pl_rooms_peer peer;
    if (!pl_rooms_find(rooms, *id, &peer) || peer.bound) { /* a WebSocket's peer is only its own to use */
        gone(out, status);
        return PL_CLASSIC_ANSWERED;
    }
    if (v == WAIT)
        return on_wait(rooms, now_us, *id, listener, status, replaced, out);
    if (v == MESSAGE) {
        on_message(rooms, now_us, req, *id, status, out);
        return PL_CLASSIC_ANSWERED;
    }
    pl_rooms_sign_out(rooms, now_us, *id);
    respond_text(out, 200, status, "");
    return PL_CLASSIC_ANSWERED;
}

/* The Pragma header names the sender of a message, or the peer itself when the server speaks. */
bool pl_classic_deliver(pl_rooms *rooms, int64_t now_us, pl_peer_id id, void *listener, pl_buf *out)
{
    pl_rooms_item item;
    if (!pl_rooms_take(rooms, now_us, id, &item))
        return false;
    if (item.kind == PL_ROOMS_MESSAGE) {
        pl_classic_respond(out, 200, "OK", item.type, item.peer, item.data);
    } else {
        char note[PL_ROOMS_NAME_MAX + 32];
        int n = snprintf(note, sizeof note, "%.*s,%u,%d\n", (int)item.name.n, item.name.p, item.peer,
                         item.kind == PL_ROOMS_JOINED);
        pl_classic_respond(out, 200, "OK", PL_STR("text/plain"), id, (pl_str){ note, (size_t)n });
    }
    pl_rooms_unlisten(rooms, now_us, id, listener);
    return true;
}
