/* A manager of data channels whose peer says anything: messages of any payload type on any stream, resets, and the
 * user opening, closing and releasing in between. */
#include <stdlib.h>

#include "data/channels_internal.h"

typedef struct fz {
    const uint8_t *p, *end;
} fz;

static uint8_t u8(fz *in)
{
    return (uint8_t)(in->p < in->end ? *in->p++ : 0);
}

enum { HELD = 16 };
static pl_channel *held[HELD];

static void hold(pl_channel *c)
{
    for (int i = 0; i < HELD; i++) {
        if (!held[i]) {
            held[i] = c;
            return;
        }
    }
    pl_channel_release(c, 0);
}

static void events(pl_data *d)
{
    pl_data_event e;
    while (pl_data_poll_event(d, &e)) {
        if (e.kind == PL_DATA_EVENT_CHANNEL)
            hold(e.channel);
        if (e.kind == PL_DATA_EVENT_MESSAGE && !e.data)
            abort();
        pl_data_event_clear(&e);
    }
}

static void exchange(pl_data *d, pl_sctp *peer, int64_t now_us)
{
    uint8_t packet[2048];
    size_t len;
    pl_sctp_msg m;
    pl_sctp_event e;
    for (bool moved = true; moved;) {
        moved = false;
        for (; pl_sctp_poll_output(peer, now_us, packet, sizeof packet, &len); moved = true)
            pl_data_input(d, now_us, packet, len);
        events(d);
        for (; pl_data_poll_output(d, now_us, packet, sizeof packet, &len); moved = true)
            pl_sctp_input(peer, now_us, packet, len);
    }
    while (pl_sctp_recv(peer, &m))
        pl_sctp_msg_free(&m);
    while (pl_sctp_poll_event(peer, &e))
        ;
}

static void peer_says(fz *in, pl_sctp *peer, int64_t now_us)
{
    static const uint32_t ppid[] = { 50, 50, 50, 51, 52, 53, 54, 56, 57, 99 };
    uint8_t message[256];
    uint16_t sid = u8(in) % 16;
    size_t len = 1 + u8(in) % 64u;
    uint32_t p = ppid[u8(in) % 10];
    for (size_t i = 0; i < len; i++)
        message[i] = u8(in);
    (void)!pl_sctp_send(peer, now_us, sid, p, message, len, NULL);
}

static void user_does(fz *in, pl_data *d, int64_t now_us)
{
    int i = u8(in) % HELD;
    pl_data_channel_init init = { .negotiated = u8(in) & 1, .id = u8(in) % 16, .unordered = u8(in) & 1 };
    pl_channel *c;
    switch (u8(in) % 5) {
    case 0:
        if (!held[i] && pl_channel_new(&c, d, now_us, "x", 1, &init, NULL) == PL_OK)
            held[i] = c;
        break;
    case 1:
        if (held[i])
            pl_channel_close(held[i], now_us);
        break;
    case 2:
        pl_channel_release(held[i], now_us);
        held[i] = NULL;
        break;
    case 3:
        if (held[i])
            (void)!pl_channel_send(held[i], now_us, "hello", u8(in) % 6, u8(in) & 1);
        break;
    default:
        if (u8(in) == 0)
            pl_data_close(d, now_us);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fz in = { data, data + size };
    pl_rand_seeded state[2];
    pl_data_conf conf = {
        .sctp = { .rand = pl_rand_seed(&state[0], 1), .max_message_size = 100, .send_buffer_max = 2000 },
        .max_channels = 12
    };
    pl_sctp_conf other = { .rand = pl_rand_seed(&state[1], 2) };
    pl_data *d;
    pl_sctp *peer;
    memset(held, 0, sizeof held);
    if (pl_data_new(&d, &conf, 0) != PL_OK || pl_sctp_new(&peer, &other, 0) != PL_OK)
        abort();
    pl_data_set_role(d, u8(&in) & 1);
    if (pl_data_start(d, 0) != PL_OK)
        abort();
    int64_t now_us = 0;
    for (; in.p < in.end; now_us += 1000) {
        uint16_t sid = u8(&in) % 16;
        switch (u8(&in) % 6) {
        case 0: user_does(&in, d, now_us); break;
        case 1: (void)!pl_sctp_reset_streams(peer, now_us, &sid, 1); break;
        case 2: exchange(d, peer, now_us); break;
        case 3:
            now_us += PL_MS(500);
            pl_data_tick(d, now_us);
            pl_sctp_tick(peer, now_us);
            break;
        default: peer_says(&in, peer, now_us); break;
        }
        pl_data_check(d);
    }
    exchange(d, peer, now_us);
    pl_data_check(d);
    pl_data_free(d);
    pl_sctp_free(peer);
    return 0;
}
