/* A server's connections without their sockets: any bytes as requests of the classic protocol, interleaved
 * with waiting, delivering and the passing of time. The rooms must stay whole after each. */
#include "signal/classic.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain_events(pl_rooms *rooms, int64_t now_us, pl_buf *out)
{
    pl_rooms_event ev;
    while (pl_rooms_poll_event(rooms, &ev)) {
        if (ev.kind == PL_ROOMS_READY)
            (void)pl_classic_deliver(rooms, now_us, ev.id, ev.listener, out);
        out->n = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int listener[4];
    pl_rand_seeded seeded;
    pl_rooms_conf conf = {
        .rand = pl_rand_seed(&seeded, 1), .max_peers = 8, .max_queue = 4, .max_queue_bytes = 4096
    };
    pl_rooms *rooms;
    pl_http_reader rd;
    int64_t now_us = 0;
    if (pl_rooms_new(&rooms, &conf))
        return 0;
    pl_buf out = pl_buf_init(PL_CLASSIC_OUT_MAX);
    pl_http_reader_init(&rd);
    while (size > 0) { /* one byte tells how many of the next arrive together */
        size_t step = (size_t)data[0] % 97 + 1, used;
        data++;
        size--;
        step = step < size ? step : size;
        pl_http_progress p = pl_http_reader_feed(&rd, data, step, &used);
        data += used;
        size -= used;
        now_us += PL_MS(step * 20);
        if (p == PL_HTTP_DONE) {
            pl_peer_id id;
            void *replaced;
            int status = 0;
            if (pl_classic_request(rooms, now_us, &rd.req, &listener[step % 4], &id, &replaced, &status,
                                   &out) == PL_CLASSIC_ANSWERED &&
                (status < 200 || status > 599 || out.n == 0))
                abort();
            out.n = 0;
            drain_events(rooms, now_us, &out);
        }
        if (p == PL_HTTP_BAD && (rd.status < 400 || rd.status > 599))
            abort();
        if (p == PL_HTTP_DONE || p == PL_HTTP_BAD)
            pl_http_reader_next(&rd);
        if (p == PL_HTTP_BAD && used == 0 && size > 0) { /* a refused byte is refused for good */
            data++;
            size--;
        }
        pl_rooms_tick(rooms, now_us);
        drain_events(rooms, now_us, &out);
        pl_rooms_check(rooms);
    }
    pl_http_reader_clear(&rd);
    pl_buf_clear(&out);
    pl_rooms_free(rooms);
    return 0;
}
