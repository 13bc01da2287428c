/* HTTP bytes at the endpoints of WHIP and WHEP, request after request with time between; and any text as a file of tokens. The
 * carrier accepts every other offer. "@" in a path stands for the last session's id. */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/time.h"
#include "server/whip_server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct world {
    pl_whip_server *w;
    char id[PL_WHIP_ID_LEN + 1];
    int64_t now_us;
    unsigned n;
} world;

static void carry(world *f, const pl_http_request *req, const pl_whip_task *task, pl_http_reply *reply)
{
    const pl_sdp_fragment ours = { .ufrag = PL_STR("srvr"), .pwd = PL_STR("srvsrvsrvsrvsrvsrvsrvs") };
    switch (task->kind) {
    case PL_WHIP_OPEN:
        if (f->n++ % 4 == 3) {
            pl_whip_server_refused(f->w, 422, "no", reply);
            (void)pl_whip_server_drop(f->w, f->now_us, task->session);
            break;
        }
        snprintf(f->id, sizeof f->id, "%s", task->session->id);
        pl_whip_server_opened(f->w, task->session, req, PL_STR("v=0\r\n"), reply);
        if (f->n % 2)
            pl_whip_server_connected(f->w, task->session);
        break;
    case PL_WHIP_RESTART: pl_whip_server_restarted(f->w, task->session, &task->fragment, &ours, reply); break;
    case PL_WHIP_END: (void)pl_whip_server_drop(f->w, f->now_us, task->session); break;
    default: break;
    }
}

static void request(world *f, const pl_http_request *req)
{
    static const pl_addr from = { .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } };
    pl_http_reply reply = { .head = pl_buf_init(16384), .body = pl_buf_init(1 << 20) };
    pl_whip_task task;
    pl_whip_server_request(f->w, f->now_us, req, &from, &reply, &task);
    carry(f, req, &task, &reply);
    if (task.kind != PL_WHIP_NOT_MINE && (reply.status < 200 || reply.status > 599))
        abort();
    for (size_t i = 0; i < reply.head.n; i++) { /* nobody writes headers into our answers */
        if (reply.head.p[i] == '\n' && (i == 0 || reply.head.p[i - 1] != '\r'))
            abort();
    }
    pl_buf_clear(&reply.head);
    pl_buf_clear(&reply.body);
    pl_whip_server_check(f->w);
}

/* The bytes with the id in the place of "@". */
static void feed(world *f, pl_http_reader *rd, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool stands_for = data[i] == '@' && f->id[0];
        const uint8_t *p = stands_for ? (const uint8_t *)f->id : data + i;
        size_t n = stands_for ? PL_WHIP_ID_LEN : 1, used;
        pl_http_progress got = pl_http_reader_feed(rd, p, n, &used);
        if (got == PL_HTTP_DONE) {
            request(f, &rd->req);
            f->now_us += PL_SEC(3);
        }
        if (got == PL_HTTP_DONE || got == PL_HTTP_BAD)
            pl_http_reader_next(rd);
        for (pl_whip_session *s; (s = pl_whip_server_expired(f->w, f->now_us));)
            (void)pl_whip_server_drop(f->w, f->now_us, s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rand_seeded state;
    pl_http_reader rd;
    char say[PL_WHIP_SAY_MAX];
    pl_whip_access access = { 0 };
    world f = { .now_us = PL_SEC(1) };
    bool by_token = size > 0 && data[0] == '#' &&
                    pl_whip_access_read(&access, (pl_str){ (const char *)data, size }, say) == PL_OK;
    const pl_whip_server_conf conf = { .access = by_token ? &access : NULL,
                                       .max_sessions = 6,
                                       .max_viewers = 3,
                                       .rand = pl_rand_seed(&state, 1) };
    if (pl_whip_server_new(&f.w, &conf) == PL_OK) {
        pl_http_reader_init(&rd);
        feed(&f, &rd, data, size);
        pl_http_reader_clear(&rd);
        for (pl_whip_session *s; (s = pl_whip_server_any(f.w));)
            (void)pl_whip_server_drop(f.w, f.now_us, s);
        pl_whip_server_free(f.w);
    }
    pl_whip_access_clear(&access);
    return 0;
}
