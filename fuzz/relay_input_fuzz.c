/* A stranger's bytes at a relay that wants credentials: as datagrams (single ones and rows), as a stream cut by
 * stun/stream.h, inside DTLS, and as a peer's data. Whatever they are, nothing is allocated, no socket is opened, and an
 * answer is never longer than a challenge may be. */
#include <stdlib.h>
#include <string.h>

#include "sim/relay_rig.h"
#include "stun/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ANSWER_MAX = 320, PAYLOAD_MAX = 1500 };

static void must(bool fact)
{
    if (!fact)
        abort();
}

static void look_at_answers(rig *g)
{
    rig_packet p;
    while (rig_take(g, &p))
        must(p.kind == PL_RELAY_TO_CLIENT && p.len <= ANSWER_MAX + PL_STUN_PADDING_MAX &&
             p.len >= PL_STUN_HEADER_LEN);
}

static void as_stream(rig *g, pl_relay_conn *c, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size;) {
        pl_stun_frame f = pl_stun_frame_next(data + at, size - at, 2048);
        if (f.kind == PL_STUN_FRAME_MORE || f.kind == PL_STUN_FRAME_BROKEN)
            return;
        rig_from_client(g, NULL, c, data + at + f.at, f.len);
        at += f.advance;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > PAYLOAD_MAX)
        return 0;
    rig_conf conf = { .seed = 1, .tcp = true, .mobility = true, .queue_max = 64 };
    rig *g = rig_new(&conf);
    must(g != NULL);
    rig_client udp = rig_client_of(g, 1), tcp = rig_client_of(g, 2), dtls = rig_client_of(g, 3);
    must(rig_connect_client(&tcp, PL_RELAY_TCP) && rig_connect_client(&dtls, PL_RELAY_DTLS));
    uint8_t *exact = malloc(size - 1); /* a step too far is seen */
    must(exact != NULL);
    memcpy(exact, data + 1, size - 1);
    rig_row_from_client(g, &udp.path, exact, size - 1, data[0] * 4u);
    as_stream(g, tcp.conn, exact, size - 1);
    rig_from_client(g, NULL, dtls.conn, exact, size - 1);
    pl_relay_check(g->core);
    must(g->n_open == 0 && pl_relay_is_empty(g->core) && g->n_lost == 0);
    look_at_answers(g);
    rig_wait(g, PL_SEC(10));
    free(exact);
    rig_free(g);
    return 0;
}
