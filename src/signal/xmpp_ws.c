/* XMPP over WebSocket (RFC 7395): the upgrade, then one frame an element. Where the server is, the URL says or the
 * domain's host-meta. */
#include <stdio.h>
#include <stdlib.h>

#include "crypto/base64.h"
#include "signal/websocket.h"
#include "signal/xmpp_internal.h"
#include "signal/xmpp_meta.h"

enum { HEAD_MAX = 8192, MESSAGE_MAX = PL_XMPP_STANZA_MAX + 1024, OUT_MAX = 8 << 20, UPGRADE_S = 10 };

typedef enum phase { LOOKING, CONNECTING, UPGRADING, OPEN } phase;

typedef struct ws_link {
    xmpp_link base;
    xmpp_meta *meta;
    xmpp_pipe *pipe;
    pl_ws ws;
    pl_buf head; /* of the server's answer to the upgrade */
    phase phase;
    pl_timer timer;
    xmpp_url url;
    char accept[PL_WS_ACCEPT_LEN + 1];
    bool *gone; /* set when the link is freed while frames are being told */
} ws_link;

static ws_link *of(xmpp_link *k)
{
    return (ws_link *)k;
}

/* ---- the upgrade ---- */

static void ask_upgrade(ws_link *w)
{
    uint8_t nonce[16];
    char key[PL_BASE64_LEN(16) + 1];
    const xmpp_target *at = &w->url.at;
    bool ip6 = strchr(at->host, ':') != NULL;
    pl_buf out = pl_buf_init(2048);
    pl_rand_bytes(NULL, nonce, sizeof nonce);
    pl_base64_encode(nonce, sizeof nonce, key);
    (void)pl_ws_accept(pl_str_of(key), w->accept);
    pl_buf_addf(&out,
                "GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\nSec-WebSocket-Key: %s\r\n"
                "User-Agent: peerline\r\n\r\n",
                w->url.path, ip6 ? "[" : "", at->host, ip6 ? "]" : "", at->port, key);
    w->phase = UPGRADING;
    pl_timer_set(w->base.x->loop, &w->timer, pl_loop_now_us(w->base.x->loop) + PL_SEC(UPGRADE_S));
    if (out.bad || xmpp_pipe_write(w->pipe, out.p, out.n))
        pl_timer_set(w->base.x->loop, &w->timer, 0);
    pl_buf_clear(&out);
}

/* 101, our key answered, and the subprotocol taken: a server that leaves it out speaks something else (RFC 7395 3.1). */
static bool answer_is_right(const ws_link *w, pl_str head)
{
    bool accepted = false, xmpp = false;
    pl_str line = pl_str_cut(&head, '\n');
    if (!pl_str_starts(line, "HTTP/1.1 101"))
        return false;
    while (head.p) {
        pl_str value = pl_str_cut(&head, '\n'), name = pl_str_cut(&value, ':');
        if (value.n && value.p[value.n - 1] == '\r')
            value.n--;
        value = pl_str_trim(value);
        accepted |= pl_str_ieq(name, PL_STR("Sec-WebSocket-Accept")) && pl_str_is(value, w->accept);
        xmpp |= pl_str_ieq(name, PL_STR("Sec-WebSocket-Protocol")) && pl_str_is(value, "xmpp");
    }
    return accepted && xmpp;
}

static void upgraded(ws_link *w)
{
    pl_sasl_binding tls;
    pl_timer_cancel(w->base.x->loop, &w->timer);
    w->phase = OPEN;
    xmpp_pipe_bindings(w->pipe, &tls);
    xmpp_up(w->base.x, PL_XMPP_FRAMED_WEBSOCKET, xmpp_pipe_is_secure(w->pipe), &tls);
}

/* Takes the bytes up to the end of the head; *used is how many. False: the link is gone. */
static bool feed_head(ws_link *w, const uint8_t *data, size_t len, size_t *used)
{
    for (*used = 0; *used < len;) {
        pl_buf_add(&w->head, &data[(*used)++], 1);
        if (w->head.bad) {
            xmpp_down(w->base.x, PL_XMPP_BROKEN, "no WebSocket server is there");
            return false;
        }
        if (w->head.n < 4 || memcmp(w->head.p + w->head.n - 4, "\r\n\r\n", 4) != 0)
            continue;
        bool right = answer_is_right(w, (pl_str){ w->head.p, w->head.n });
        pl_buf_clear(&w->head);
        if (!right) {
            xmpp_down(w->base.x, PL_XMPP_BROKEN, "the server speaks no XMPP over WebSocket there");
            return false;
        }
        bool gone = false;
        w->gone = &gone;
        upgraded(w);
        if (!gone)
            w->gone = NULL;
        return !gone;
    }
    return true;
}

/* ---- frames ---- */

static void on_message(ws_link *w)
{
    pl_buf text = w->ws.message; /* the stream may end everything while it reads */
    w->ws.message = pl_buf_init(MESSAGE_MAX);
    w->ws.told = false;
    xmpp_input(w->base.x, text.p ? text.p : "", text.n);
    pl_buf_clear(&text);
}

static void on_frames(ws_link *w, uint8_t *data, size_t len)
{
    bool gone = false;
    w->gone = &gone;
    for (size_t at = 0, used; !gone && at < len; at += used) {
        pl_buf out = pl_buf_init(OUT_MAX);
        pl_ws_progress p = pl_ws_feed(&w->ws, data + at, len - at, &used, &out);
        bool bad = out.bad || (out.n && xmpp_pipe_write(w->pipe, out.p, out.n));
        pl_buf_clear(&out);
        if (p == PL_WS_MESSAGE && !bad)
            on_message(w);
        else if (p != PL_WS_MORE || bad)
            xmpp_down(w->base.x, p == PL_WS_FAILED ? PL_XMPP_BROKEN : PL_XMPP_UNREACHABLE,
                      p == PL_WS_FAILED ? "broken WebSocket frames" : "the server closed the WebSocket");
    }
    if (!gone)
        w->gone = NULL;
}

/* ---- what the pipe tells ---- */

static void on_ready(void *user)
{
    ask_upgrade(user);
}

static void on_secured(void *user)
{
    (void)user; /* never asked for */
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    ws_link *w = user;
    size_t used = 0;
    if (w->phase == UPGRADING && !feed_head(w, data, len, &used))
        return;
    if (w->phase == OPEN && used < len)
        on_frames(w, data + used, len - used);
}

static void on_drained(void *user)
{
    ws_link *w = user;
    xmpp_pump(w->base.x);
}

static void on_lost(void *user, pl_xmpp_fault fault, const char *why)
{
    ws_link *w = user;
    xmpp_down(w->base.x, fault, why);
}

static void on_time(void *user, int64_t now_us)
{
    ws_link *w = user;
    (void)now_us;
    xmpp_down(w->base.x, PL_XMPP_UNREACHABLE,
              w->phase == UPGRADING ? "the server does not answer the WebSocket upgrade"
                                    : "no connection can be made");
}

/* ---- verbs ---- */

static pl_err connect_to(ws_link *w)
{
    pl_xmpp_connection *x = w->base.x;
    xmpp_target at = w->url.at;
    if (x->host) /* for tests and odd networks; the certificate is the URL's */
        (void)pl_str_copy(pl_str_of(x->host), at.host, sizeof at.host);
    xmpp_pipe_conf conf = { .target = &at,
                            .n_targets = 1,
                            .tls = x->tls,
                            .alpn = x->tls, /* it is HTTP that is spoken there */
                            .name = w->url.at.host,
                            .siblings = &x->pipes,
                            .on = { on_ready, on_secured, on_data, on_drained, on_lost },
                            .user = w };
    w->phase = CONNECTING;
    return xmpp_pipe_open(&w->pipe, x->loop, &conf);
}

static void on_meta(void *user, const char *url, const char *why)
{
    ws_link *w = user;
    w->meta = NULL;
    if (!url || !xmpp_parse_url(url, "ws", &w->url) || !(w->url.at.tls || w->base.x->insecure))
        xmpp_down(w->base.x, PL_XMPP_UNREACHABLE,
                  url ? "the domain's host-meta names no wss:// address" : why);
    else if (connect_to(w))
        pl_timer_set(w->base.x->loop, &w->timer, 0);
}

static void end(ws_link *w)
{
    if (w->gone)
        *w->gone = true;
    pl_timer_cancel(w->base.x->loop, &w->timer);
    xmpp_meta_cancel(w->meta);
    pl_ws_clear(&w->ws);
    pl_buf_clear(&w->head);
    free(w);
}

static void close_link(xmpp_link *k)
{
    xmpp_pipe_close(of(k)->pipe);
    end(of(k));
}

static void finish_link(xmpp_link *k)
{
    ws_link *w = of(k);
    pl_buf out = pl_buf_init(PL_WS_CONTROL_MAX + 14);
    if (w->phase == OPEN) {
        pl_ws_put_close(&w->ws, 1000, "", &out);
        (void)!xmpp_pipe_write(w->pipe, out.p, out.n);
    }
    pl_buf_clear(&out);
    if (w->pipe)
        xmpp_pipe_finish(w->pipe);
    end(w);
}

static pl_err begin(ws_link *w)
{
    pl_xmpp_connection *x = w->base.x;
    if (!x->url)
        return xmpp_meta_ask(&w->meta, x->loop, x->domain, x->ca_file, XMPP_META_WEBSOCKET, on_meta, w);
    return xmpp_parse_url(x->url, "ws", &w->url) ? connect_to(w) : PL_EINVAL;
}

static pl_err open_link(xmpp_link **out, pl_xmpp_connection *x, const char *other)
{
    ws_link *w = calloc(1, sizeof *w);
    (void)other; /* RFC 7395 3.6.1 has another way to say it */
    *out = NULL;
    if (!w)
        return PL_ENOMEM;
    w->base.x = x;
    w->timer = (pl_timer){ .fn = on_time, .arg = w };
    w->head = pl_buf_init(HEAD_MAX);
    pl_ws_init(&w->ws, true, MESSAGE_MAX, (pl_rand){ 0 });
    pl_err err = begin(w);
    if (err) {
        close_link(&w->base);
        return err;
    }
    *out = &w->base;
    return PL_OK;
}

static pl_err write_link(xmpp_link *k, const pl_xmpp_output *frame)
{
    ws_link *w = of(k);
    pl_buf out = pl_buf_init(OUT_MAX);
    if (w->phase != OPEN)
        return PL_ESTATE;
    pl_ws_put(&w->ws, PL_WS_TEXT, frame->text.p, frame->text.n, &out);
    pl_err err = out.bad ? PL_ENOMEM : xmpp_pipe_write(w->pipe, out.p, out.n);
    pl_buf_clear(&out);
    return err;
}

static bool is_full(const xmpp_link *k)
{
    const ws_link *w = (const ws_link *)k;
    return w->pipe && xmpp_pipe_queued(w->pipe) > XMPP_PIPE_CALM;
}

static const char *version(const xmpp_link *k)
{
    const ws_link *w = (const ws_link *)k;
    return w->pipe ? xmpp_pipe_version(w->pipe) : "";
}

const xmpp_link_ops xmpp_ws_ops = { open_link, write_link, NULL, is_full, finish_link, close_link, version };
