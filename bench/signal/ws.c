/* Peers by WebSocket. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../relay/load.h"
#include "base/rand.h"
#include "swarm.h"

enum { UPGRADING, SIGNING_IN, OPEN };
enum { FRAME_MAX = 2 * SWARM_TEXT_MAX, LIST_MAX = 1 << 22 };

static pl_rand_seeded masks;

static void put_text(swarm_peer *p, const char *text, size_t len)
{
    pl_buf out = pl_buf_init(FRAME_MAX);
    pl_ws_put(&p->ws, PL_WS_TEXT, text, len, &out);
    swarm_write(&p->main, out.p, out.n);
    pl_buf_clear(&out);
}

static void sign_in(swarm_peer *p)
{
    static const char upgrade[] =
        "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    pl_ws_init(&p->ws, true, LIST_MAX, pl_rand_seed(&masks, 1));
    p->stage = UPGRADING;
    swarm_open(p, &p->main, upgrade, sizeof upgrade - 1);
}

static void send_text(swarm_peer *p, const swarm_peer *to, const char *text, size_t len)
{
    static char json[SWARM_TEXT_MAX + 128];
    int n = snprintf(json, sizeof json, "{\"type\":\"message\",\"to\":%u,\"data\":\"%.*s\"}", to->id,
                     (int)len, text);
    put_text(p, json, (size_t)n);
}

static void on_text(swarm_peer *p, pl_str said)
{
    const char *data;
    if (pl_str_starts(said, "{\"type\":\"message\"")) {
        data = swarm_find(said, "\"data\":\"");
        if (data)
            swarm_heard(p, data + 8, (size_t)(said.p + said.n - (data + 8)) - 2);
    } else if (pl_str_starts(said, "{\"type\":\"welcome\",\"id\":") && p->stage == SIGNING_IN) {
        p->id = (uint32_t)strtoul(said.p + 23, NULL, 10);
        p->stage = OPEN;
        swarm_signed_in(p);
    } else if (pl_str_starts(said, "{\"type\":\"error\"")) {
        if (p->stage != OPEN)
            load_die("peer %u may not sign in: %.*s", p->index, (int)said.n, said.p);
        p->swarm->count.n_refused++;
    } else if (pl_str_starts(said, "{\"type\":\"signed_out\"")) {
        load_die("peer %u was signed out", p->index);
    }
}

static void on_frames(swarm_peer *p, swarm_conn *c)
{
    size_t at = 0;
    while (at < c->in.n) {
        size_t used;
        pl_buf out = pl_buf_init(FRAME_MAX);
        pl_ws_progress progress = pl_ws_feed(&p->ws, (uint8_t *)c->in.p + at, c->in.n - at, &used, &out);
        at += used;
        if (out.n)
            swarm_write(c, out.p, out.n);
        pl_buf_clear(&out);
        if (progress == PL_WS_MESSAGE) {
            on_text(p, (pl_str){ pl_buf_z(&p->ws.message), p->ws.message.n });
            pl_ws_done(&p->ws);
        } else if (progress != PL_WS_MORE) {
            load_die("peer %u: the server closed the WebSocket with %u", p->index, p->ws.close_code);
        }
    }
    swarm_consume(c, at);
}

static void input(swarm_peer *p, swarm_conn *c)
{
    if (p->stage == UPGRADING) {
        const char *end = swarm_find((pl_str){ c->in.p, c->in.n }, "\r\n\r\n");
        if (!end)
            return;
        if (!pl_str_starts((pl_str){ c->in.p, c->in.n }, "HTTP/1.1 101"))
            load_die("peer %u: no WebSocket: %.60s", p->index, c->in.p);
        char json[128];
        int n = snprintf(json, sizeof json, "{\"type\":\"sign_in\",\"name\":\"p%u\",\"room\":\"bench-%u\"}",
                         p->index, p->room);
        swarm_consume(c, (size_t)(end + 4 - c->in.p));
        p->stage = SIGNING_IN;
        put_text(p, json, (size_t)n);
    }
    on_frames(p, c);
}

static void closed(swarm_peer *p, swarm_conn *c)
{
    (void)c;
    load_die("peer %u: the server cut the WebSocket", p->index);
}

const swarm_way swarm_ws = { "WebSocket", sign_in, send_text, input, closed };
