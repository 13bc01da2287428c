/* The rooms over WebSocket, client side: resolve, connect, upgrade, then one JSON object a message. */
#include <jansson.h>
#include <stdlib.h>

#include "crypto/base64.h"
#include "net/resolve.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "signal/client_internal.h"
#include "signal/http_request.h"
#include "signal/websocket.h"
#include "signal/ws_protocol.h"

enum {
    HEAD_MAX = 8192,
    OUT_MAX = 4 * PL_ROOMS_MESSAGE_MAX,
    CALM = 1024 * 1024,
    CONNECT_SEC = 10,
    SILENCE_SEC = 70,
    ANSWER_SEC = 2, /* whatever we say is answered, if by an acknowledgement; else we ask */
    PONG_SEC = 3
};

typedef enum phase { RESOLVING, CONNECTING, UPGRADING, OPEN, DEAD } phase;

struct client_carrier {
    pl_room_client *client;
    pl_resolve *resolve;
    pl_tcp *tcp;
    pl_tls_ctx *tls_ctx;
    pl_tls *tls;
    pl_ws ws;
    pl_buf head; /* of the server's answer to the upgrade */
    phase phase;
    pl_timer timer;
    pl_addr addr[PL_RESOLVE_ADDR_MAX];
    size_t n_addrs, next_addr;
    bool asked_to_leave, asked_upgrade;
    bool expects, pinged; /* a sign of life */
    char accept[PL_WS_ACCEPT_LEN + 1];
};

static void lost(client_carrier *k, pl_err err, const char *why)
{
    k->phase = DEAD;
    client_lost(k->client, err, err != PL_EPROTO, "%s: %s", k->client->url_text, why);
}

static void set_timer(client_carrier *k, int64_t in_us)
{
    pl_timer_set(k->client->loop, &k->timer, pl_loop_now_us(k->client->loop) + in_us);
}

/* ---- bytes out ---- */

static pl_err send_cipher(client_carrier *k)
{
    pl_buf cipher = pl_buf_init(OUT_MAX + OUT_MAX / 16);
    pl_tls_output(k->tls, &cipher);
    pl_err err = cipher.bad ? PL_ENOMEM : cipher.n ? pl_tcp_write(k->tcp, cipher.p, cipher.n) : PL_OK;
    pl_buf_clear(&cipher);
    return err;
}

static void send_bytes(client_carrier *k, const pl_buf *bytes)
{
    pl_err err = bytes->bad ? PL_ENOMEM : PL_OK;
    if (!err && bytes->n == 0)
        return;
    if (!err && k->tls) {
        err = pl_tls_write(k->tls, bytes->p, bytes->n);
        err = err ? err : send_cipher(k);
    } else if (!err) {
        err = pl_tcp_write(k->tcp, bytes->p, bytes->n);
    }
    if (err)
        lost(k, PL_EIO, "the connection takes no more");
}

static void send_json(client_carrier *k, json_t *msg)
{
    char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
    pl_buf out = pl_buf_init(OUT_MAX);
    if (text)
        pl_ws_put(&k->ws, PL_WS_TEXT, text, strlen(text), &out);
    out.bad |= !text;
    send_bytes(k, &out);
    pl_buf_clear(&out);
    free(text);
    json_decref(msg);
}

/* ---- the upgrade ---- */

static void ask_upgrade(client_carrier *k)
{
    const client_url *u = &k->client->url;
    uint8_t nonce[16];
    char key[PL_BASE64_LEN(16) + 1];
    bool ip6 = strchr(u->host, ':') != NULL;
    pl_buf out = pl_buf_init(2048);
    pl_rand_bytes(NULL, nonce, sizeof nonce);
    pl_base64_encode(nonce, sizeof nonce, key);
    (void)pl_ws_accept(pl_str_of(key), k->accept);
    pl_buf_addf(&out,
                "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nUser-Agent: peerline\r\n\r\n",
                u->path, ip6 ? "[" : "", u->host, ip6 ? "]" : "", u->port, key);
    k->asked_upgrade = true;
    send_bytes(k, &out);
    pl_buf_clear(&out);
}

static void sign_in(client_carrier *k)
{
    k->phase = OPEN;
    set_timer(k, PL_SEC(SILENCE_SEC));
    const pl_room_client *c = k->client;
    json_t *msg =
        json_pack("{sssssssb}", "type", "sign_in", "name", c->name, "room", c->room, "resumable", !c->unkept);
    if (msg && c->token[0] && c->id) {
        json_object_set_new(msg, "id", json_integer((json_int_t)c->id));
        json_object_set_new(msg, "token", json_string(c->token));
        json_object_set_new(msg, "heard", json_integer((json_int_t)c->heard));
    }
    send_json(k, msg);
}

static bool answer_is_right(const client_carrier *k, pl_str head)
{
    pl_str line = pl_str_cut(&head, '\n');
    if (!pl_str_starts(line, "HTTP/1.1 101"))
        return false;
    while (head.p) {
        pl_str value = pl_str_cut(&head, '\n'), name = pl_str_cut(&value, ':');
        if (value.n && value.p[value.n - 1] == '\r')
            value.n--;
        if (pl_str_ieq(name, PL_STR("Sec-WebSocket-Accept")))
            return pl_str_is(pl_str_trim(value), k->accept);
    }
    return false;
}

/* Takes the bytes up to the end of the head; returns how many. */
static size_t feed_head(client_carrier *k, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        pl_buf_add(&k->head, &data[i], 1);
        if (k->head.bad) {
            lost(k, PL_EPROTO, "no WebSocket server is there");
            return len;
        }
        if (k->head.n < 4 || memcmp(k->head.p + k->head.n - 4, "\r\n\r\n", 4) != 0)
            continue;
        if (answer_is_right(k, (pl_str){ k->head.p, k->head.n }))
            sign_in(k);
        else
            lost(k, PL_EPROTO, "the server speaks no WebSocket there");
        pl_buf_clear(&k->head);
        return i + 1;
    }
    return len;
}

/* ---- what the server says ---- */

static pl_peer_id get_id(const json_t *msg, const char *key)
{
    json_int_t id = json_integer_value(json_object_get(msg, key));
    return id > 0 && id <= INT32_MAX ? (pl_peer_id)id : 0;
}

static uint64_t get_seq(const json_t *msg, const char *key)
{
    json_int_t seq = json_integer_value(json_object_get(msg, key));
    return seq > 0 ? (uint64_t)seq : 0;
}

static const char *get_text(const json_t *msg, const char *key)
{
    const char *text = json_string_value(json_object_get(msg, key));
    return text ? text : "";
}

static void on_welcome(client_carrier *k, const json_t *msg)
{
    const json_t *peers = json_object_get(msg, "peers");
    size_t n = json_array_size(peers);
    pl_room_peer *list = calloc(n ? n : 1, sizeof *list);
    if (!list) {
        lost(k, PL_ENOMEM, "no memory for the list of peers");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *peer = json_array_get(peers, i);
        list[i] = (pl_room_peer){ get_id(peer, "id"), get_text(peer, "name") };
    }
    pl_room_client *c = k->client;
    bool resumed = json_is_true(json_object_get(msg, "resumed")) && get_id(msg, "id") == c->id;
    if (!pl_str_copy(pl_str_of(get_text(msg, "token")), c->token, sizeof c->token))
        c->token[0] = '\0';
    json_int_t keeps = json_integer_value(json_object_get(msg, "keeps"));
    c->keeps_us = PL_SEC(keeps > 0 && keeps < PL_ROOMS_RESUME_S ? keeps : PL_ROOMS_RESUME_S);
    c->acked = c->token[0] && json_is_integer(json_object_get(msg, "said"));
    if (!resumed)
        c->heard = get_seq(msg, "heard");
    if (resumed) {
        client_texts_acked(c, get_seq(msg, "said"));
        client_texts_again(c);
        client_resumed(c, list, n);
    } else {
        client_signed_in(c, get_id(msg, "id"), list, n);
    }
    free(list);
}

static void on_error(client_carrier *k, const json_t *msg)
{
    const char *code = get_text(msg, "code");
    if (get_seq(msg, "n"))
        client_text_refused(k->client, get_seq(msg, "n"));
    if (k->client->on_line) /* about one message, or one peer */
        pl_log_info(&k->client->log, "the server says: %s", get_text(msg, "message"));
    else
        lost(k,
             strcmp(code, "full") == 0    ? PL_ENOSPC
             : strcmp(code, "later") == 0 ? PL_EIO
                                          : PL_EPROTO,
             get_text(msg, "message"));
}

static void on_text(client_carrier *k)
{
    json_t *msg = json_loadb(k->ws.message.p ? k->ws.message.p : "", k->ws.message.n, JSON_ALLOW_NUL, NULL);
    const char *type = get_text(msg, "type");
    pl_ws_done(&k->ws);
    if (strcmp(type, "message") == 0) {
        const json_t *data = json_object_get(msg, "data");
        if (get_seq(msg, "seq"))
            k->client->heard = get_seq(msg, "seq");
        if (json_is_string(data))
            client_message(k->client, get_id(msg, "from"), json_string_value(data), json_string_length(data));
    } else if (strcmp(type, "joined") == 0 || strcmp(type, "left") == 0) {
        client_presence(k->client, type[0] == 'j', get_id(msg, "id"), get_text(msg, "name"));
    } else if (strcmp(type, "ack") == 0) {
        client_texts_acked(k->client, get_seq(msg, "n"));
    } else if (strcmp(type, "welcome") == 0) {
        on_welcome(k, msg);
    } else if (strcmp(type, "error") == 0) {
        on_error(k, msg);
    } else if (strcmp(type, "signed_out") == 0) {
        lost(k, PL_EIO, k->client->leaving ? "signed out" : "the server signed us out");
    }
    json_decref(msg);
}

/* A device that has changed its network finds out by this, not by a connection that breaks: TCP would try for minutes. */
static void expect_answer(client_carrier *k)
{
    if (k->expects || k->asked_to_leave)
        return;
    k->expects = true;
    set_timer(k, PL_SEC(ANSWER_SEC));
}

static void on_plain(client_carrier *k, uint8_t *data, size_t len)
{
    size_t at = k->phase == UPGRADING ? feed_head(k, data, len) : 0;
    if (k->phase == OPEN && !k->asked_to_leave)
        set_timer(k, PL_SEC(SILENCE_SEC));
    k->expects = k->pinged = false;
    while (k->phase == OPEN && at < len) {
        size_t used;
        pl_buf out = pl_buf_init(OUT_MAX);
        pl_ws_progress p = pl_ws_feed(&k->ws, data + at, len - at, &used, &out);
        at += used;
        send_bytes(k, &out);
        pl_buf_clear(&out);
        if (p == PL_WS_MESSAGE)
            on_text(k);
        else if (p != PL_WS_MORE)
            lost(k, PL_EIO, p == PL_WS_CLOSED ? "the server closed the connection" : "broken frames");
    }
}

/* ---- what the stream tells ---- */

static void on_data(void *user, uint8_t *data, size_t len)
{
    client_carrier *k = user;
    if (k->phase == DEAD)
        return;
    if (!k->tls) {
        on_plain(k, data, len);
        return;
    }
    pl_buf plain = pl_buf_init(4 * 1024 * 1024);
    bool ended;
    pl_err err = pl_tls_input(k->tls, data, len, &plain, &ended);
    if (send_cipher(k) || err)
        lost(k, PL_EPROTO, "TLS failed; is the certificate valid for that name?");
    if (k->phase == UPGRADING && !k->asked_upgrade && pl_tls_is_ready(k->tls))
        ask_upgrade(k);
    if (k->phase != DEAD && plain.n)
        on_plain(k, (uint8_t *)plain.p, plain.n);
    pl_buf_clear(&plain);
}

static void on_connected(void *user)
{
    client_carrier *k = user;
    k->phase = UPGRADING;
    if (!k->tls)
        ask_upgrade(k);
    else if (send_cipher(k))
        lost(k, PL_EIO, "the connection takes no more");
}

static void kick(client_carrier *k);

static void on_drained(void *user)
{
    kick(user);
}

static void try_next(client_carrier *k);

static void on_closed(void *user, pl_err err)
{
    client_carrier *k = user;
    pl_tcp_close(k->tcp);
    k->tcp = NULL;
    if (k->phase == CONNECTING && k->next_addr < k->n_addrs)
        try_next(k);
    else if (k->phase != DEAD)
        lost(k, PL_EIO,
             k->phase == CONNECTING ? "cannot connect"
             : err                  ? "the connection broke"
                                    : "the server hung up");
}

static void try_next(client_carrier *k)
{
    pl_tcp_conf conf = { .on = { on_connected, on_data, on_drained, on_closed },
                         .user = k,
                         .queue_max = OUT_MAX };
    k->phase = CONNECTING;
    while (k->next_addr < k->n_addrs) {
        if (pl_tcp_connect(&k->tcp, k->client->loop, &k->addr[k->next_addr++], &conf) == PL_OK)
            return;
    }
    lost(k, PL_EIO, "cannot connect");
}

static void on_resolved(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    client_carrier *k = user;
    k->resolve = NULL;
    if (err) {
        lost(k, PL_EIO, "no such host");
        return;
    }
    for (k->n_addrs = 0; k->n_addrs < n && k->n_addrs < PL_RESOLVE_ADDR_MAX; k->n_addrs++)
        k->addr[k->n_addrs] = addr[k->n_addrs];
    try_next(k);
}

static void on_time(void *user, int64_t now_us)
{
    client_carrier *k = user;
    (void)now_us;
    if (k->phase == OPEN && k->expects && !k->pinged) {
        k->pinged = true;
        set_timer(k, PL_SEC(PONG_SEC));
        send_json(k, json_pack("{ss}", "type", "ping"));
    } else if (k->phase != DEAD) {
        lost(k, PL_EIO, "the server is silent");
    }
}

/* ---- verbs ---- */

static void send_text(client_carrier *k, client_text *t)
{
    pl_room_client *c = k->client;
    json_t *msg = json_pack("{sssIss%}", "type", "message", "to", (json_int_t)t->to, "data", t->text, t->len);
    if (c->acked && !t->number)
        t->number = ++c->n_said;
    if (msg && c->acked)
        json_object_set_new(msg, "n", json_integer((json_int_t)t->number));
    send_json(k, msg);
    client_text_sent(c);
    expect_answer(k);
}

static void kick(client_carrier *k)
{
    pl_room_client *c = k->client;
    client_text *t;
    if (k->phase != OPEN || !c->on_line)
        return;
    while (k->phase == OPEN && pl_tcp_queued(k->tcp) < CALM && (t = client_first_text(c)))
        send_text(k, t);
    if (c->leaving && !k->asked_to_leave && k->phase == OPEN && !client_first_text(c)) {
        k->asked_to_leave = true;
        send_json(k, json_pack("{ss}", "type", "sign_out"));
        set_timer(k, PL_SEC(2));
    }
}

static void check(client_carrier *k)
{
    if (k->phase != OPEN || k->pinged)
        return;
    k->expects = true;
    on_time(k, 0);
}

static void close_carrier(client_carrier *k)
{
    pl_timer_cancel(k->client->loop, &k->timer);
    pl_resolve_cancel(k->resolve);
    pl_tcp_close(k->tcp);
    pl_tls_free(k->tls);
    pl_tls_ctx_free(k->tls_ctx);
    pl_ws_clear(&k->ws);
    pl_buf_clear(&k->head);
    free(k);
}

static pl_err open_tls(client_carrier *k)
{
    if (!k->client->url.tls)
        return PL_OK;
    pl_err err = pl_tls_client_new(&k->tls_ctx, NULL);
    return err ? err : pl_tls_new(&k->tls, k->tls_ctx, k->client->url.host);
}

static client_carrier *open_carrier(pl_room_client *c)
{
    client_carrier *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->client = c;
    k->timer = (pl_timer){ .fn = on_time, .arg = k };
    k->head = pl_buf_init(HEAD_MAX);
    pl_ws_init(&k->ws, true, CLIENT_LIST_MAX, (pl_rand){ 0 });
    if (open_tls(k) ||
        pl_resolve_start(&k->resolve, c->loop, c->url.host, c->url.port, PL_AF_NONE, on_resolved, k)) {
        close_carrier(k);
        return NULL;
    }
    set_timer(k, PL_SEC(CONNECT_SEC));
    return k;
}

const client_carrier_ops client_ws_ops = { open_carrier, kick, check, close_carrier };
