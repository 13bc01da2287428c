/* Two WebSocket clients of one server. Each step is one byte that says who speaks and how, and a length: raw
 * bytes as frames, or well-formed frames with any text, so that both the framing and the JSON are reached. */
#include "signal/websocket.h"
#include "signal/ws_protocol.h"

#include <stdlib.h>

enum { N = 2, MESSAGE_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct client {
    pl_ws ws;   /* the server's end */
    pl_ws mine; /* ours, to make well-formed frames */
    pl_ws_session session;
    bool open;
} client;

typedef struct server {
    pl_rooms *rooms;
    client client[N];
    pl_rand_seeded seeded;
    int64_t now_us;
} server;

static void start(server *s, client *c)
{
    pl_ws_init(&c->ws, false, MESSAGE_MAX, (pl_rand){ 0 });
    pl_ws_init(&c->mine, true, MESSAGE_MAX, pl_rand_seed(&s->seeded, 2));
    c->session = (pl_ws_session){ .listener = c };
    c->open = true;
}

static void stop(server *s, client *c)
{
    pl_ws_session_end(&c->session, s->rooms, s->now_us);
    pl_ws_clear(&c->ws);
    pl_ws_clear(&c->mine);
    c->open = false;
}

/* Whatever is said is JSON texts, each with its zero. */
static void check_texts(const pl_buf *texts)
{
    if (!texts->bad && texts->n && (texts->p[0] != '{' || texts->p[texts->n - 1] != '\0'))
        abort();
}

static void hear(server *s, client *c, uint8_t *bytes, size_t len)
{
    while (len > 0 && c->open) {
        size_t used;
        pl_buf out = pl_buf_init(1 << 20), texts = pl_buf_init(1 << 20);
        pl_ws_progress p = pl_ws_feed(&c->ws, bytes, len, &used, &out);
        if (p == PL_WS_MESSAGE)
            (void)pl_ws_session_input(&c->session, s->rooms, s->now_us, c->ws.message.p, c->ws.message.n,
                                      &texts);
        check_texts(&texts);
        if (p == PL_WS_CLOSED || p == PL_WS_FAILED)
            stop(s, c);
        pl_buf_clear(&out);
        pl_buf_clear(&texts);
        bytes += used;
        len -= used;
    }
}

static void tell(server *s)
{
    pl_rooms_event ev;
    while (pl_rooms_poll_event(s->rooms, &ev)) {
        client *c = ev.listener;
        pl_buf texts = pl_buf_init(1 << 20);
        if (ev.kind == PL_ROOMS_GONE)
            pl_ws_session_gone(&c->session, &texts);
        while (ev.kind == PL_ROOMS_READY && pl_ws_session_next(&c->session, s->rooms, s->now_us, &texts))
            ;
        check_texts(&texts);
        pl_buf_clear(&texts);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    server s = { 0 };
    pl_rooms_conf conf = {
        .rand = pl_rand_seed(&s.seeded, 1), .max_peers = 3, .max_queue = 8, .max_queue_bytes = 8192
    };
    if (pl_rooms_new(&s.rooms, &conf))
        return 0;
    while (size > 1) {
        client *c = &s.client[data[0] & 1];
        bool raw = data[0] & 2;
        size_t len = data[1] * (data[0] & 4 ? 16u : 1u);
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        if (!c->open)
            start(&s, c);
        pl_buf wire = pl_buf_init(1 << 16);
        if (raw)
            pl_buf_add(&wire, data, len);
        else
            pl_ws_put(&c->mine, PL_WS_TEXT, data, len, &wire);
        hear(&s, c, (uint8_t *)wire.p, wire.n);
        pl_buf_clear(&wire);
        data += len;
        size -= len;
        s.now_us += PL_MS(100);
        tell(&s);
        pl_rooms_check(s.rooms);
    }
    for (int i = 0; i < N; i++) {
        if (s.client[i].open)
            stop(&s, &s.client[i]);
    }
    pl_rooms_free(s.rooms);
    return 0;
}
