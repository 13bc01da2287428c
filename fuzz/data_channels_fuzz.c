/* Two managers of data channels over links that lose packets: users who call anything at any time, and a second one whose
 * association says, behind the manager's back, what no manager would: messages of any payload type, parts that never
 * end, resets. Channels, DCEP, pieces, pauses and lent messages in every state of both. */
#include <stdlib.h>

#include "data/channels_internal.h"

typedef struct fz {
    const uint8_t *p, *end;
} fz;

static uint8_t u8(fz *in)
{
    return (uint8_t)(in->p < in->end ? *in->p++ : 0);
}
static uint16_t u16(fz *in)
{
    uint16_t hi = u8(in);
    return (uint16_t)(hi << 8 | u8(in));
}

enum { HELD = 12, MESSAGE = 3000, PACKET_MAX = 2048 };

typedef struct user {
    pl_data *d;
    pl_rand_seeded state;
    pl_channel *held[HELD];
    bool amid[HELD]; /* a piece came, and not its message's last */
} user;

static user users[2];
static size_t n_lent;
static const uint8_t bytes[4000];

static int slot_of(const user *u, const pl_channel *c)
{
    for (int i = 0; i < HELD; i++) {
        if (u->held[i] == c)
            return i;
    }
    return -1;
}

static void hold(user *u, pl_channel *c, int64_t now_us)
{
    int i = slot_of(u, NULL);
    if (i < 0) {
        pl_channel_release(c, now_us);
        return;
    }
    u->held[i] = c;
    u->amid[i] = false;
}

static void on_event(user *u, const pl_data_event *e, int64_t now_us)
{
    int i = e->channel ? slot_of(u, e->channel) : -1;
    if (e->kind == PL_DATA_EVENT_CHANNEL) {
        hold(u, e->channel, now_us);
    } else if (e->kind == PL_DATA_EVENT_MESSAGE) {
        if (i < 0 || !e->data || e->len > MESSAGE || !e->first || !e->last)
            abort();
        u->amid[i] = false; /* what was amid was given up */
    } else if (e->kind == PL_DATA_EVENT_PIECE) {
        if (i < 0 || !e->data || (!e->first && !u->amid[i]))
            abort();
        u->amid[i] = !e->last;
    }
}

/* Now and then an application lets events lie. */
static void events(user *u, int64_t now_us, unsigned n)
{
    pl_data_event e;
    while (n-- > 0 && pl_data_poll_event(u->d, &e)) {
        on_event(u, &e, now_us);
        pl_data_event_clear(&e);
    }
}

static void exchange(int64_t now_us, int rounds, unsigned drop)
{
    uint8_t packet[PACKET_MAX];
    size_t len;
    while (rounds-- > 0) {
        for (int i = 0; i < 2; i++) {
            while (pl_data_poll_output(users[i].d, now_us, packet, sizeof packet, &len)) {
                if (drop & 1)
                    drop >>= 1;
                else
                    pl_data_input(users[1 - i].d, now_us, packet, len);
            }
            events(&users[1 - i], now_us, rounds & 1 ? 1000 : 3);
        }
    }
}

/* --- the user --- */

static void open_one(fz *in, user *u, int i, int64_t now_us)
{
    static const char *const label[] = { "", "x", "gr\xc3\xbc\xc3\x9f", "\xff" };
    uint8_t how = u8(in);
    pl_data_channel_init init = { .negotiated = how & 1,
                                  .id = u8(in) % 20,
                                  .unordered = how & 2,
                                  .has_max_retransmits = how & 4,
                                  .max_retransmits = how >> 6,
                                  .has_max_packet_life_time = (how & 12) == 8,
                                  .max_packet_life_time = 30,
                                  .protocol = how & 16 ? "p" : NULL,
                                  .priority = (uint16_t)(how & 32 ? 1024 : 0) };
    const char *name = label[u8(in) % 4];
    pl_channel *c;
    if (!u->held[i] && pl_channel_new(&c, u->d, now_us, name, strlen(name), &init, NULL) == PL_OK)
        hold(u, c, now_us);
}

static void release(void *user)
{
    (void)user;
    n_lent--;
}

static void send(fz *in, pl_channel *c, int64_t now_us)
{
    uint8_t how = u8(in);
    size_t len = u16(in) % (sizeof bytes + 1);
    pl_sctp_lent lent = { bytes, len, release, NULL };
    switch (how % 4) {
    case 0:
        n_lent++;
        if (len == 0 || pl_channel_send_lent(c, now_us, &lent, how & 16, how * 1000) != PL_OK)
            n_lent--;
        break;
    case 1:
    case 2: (void)!pl_channel_send_part(c, now_us, bytes, len, how & 32, how & 16); break;
    default: (void)!pl_channel_send(c, now_us, bytes, len, how & 16); break;
    }
}

static void tune(fz *in, pl_channel *c)
{
    uint8_t how = u8(in);
    switch (how % 4) {
    case 0: (void)!pl_channel_set_pieces(c, how & 16); break;
    case 1: pl_channel_set_buffered_low(c, how * 16u); break;
    default: pl_channel_pause(c, how & 16); break;
    }
}

static void user_does(fz *in, user *u, int64_t now_us)
{
    int i = u8(in) % HELD;
    uint8_t what = u8(in) % 12;
    if (what < 2) {
        open_one(in, u, i, now_us);
    } else if (what == 2) {
        uint8_t sure = u8(in);
        if (sure == 255)
            pl_data_close(u->d, now_us);
        else if (sure == 254)
            pl_data_transport_closed(u->d, now_us);
        else
            pl_data_path_changed(u->d, now_us);
    } else if (!u->held[i]) {
        return;
    } else if (what == 3) {
        pl_channel_close(u->held[i], now_us);
    } else if (what == 4) {
        pl_channel_release(u->held[i], now_us);
        u->held[i] = NULL;
    } else if (what < 8) {
        tune(in, u->held[i]);
    } else {
        send(in, u->held[i], now_us);
    }
}

/* --- the peer's association --- */

static void peer_says(fz *in, int64_t now_us)
{
    static const uint32_t ppid[] = { 50, 50, 50, 51, 52, 53, 54, 56, 57, 99 };
    pl_sctp *s = pl_data_association(users[1].d);
    uint8_t message[256];
    uint16_t sid = u8(in) % 20;
    size_t len = 1 + u8(in) % 64u;
    uint8_t how = u8(in);
    pl_sctp_send_opts o = { .unordered = how & 16, .limit_retransmits = how & 32 };
    for (size_t i = 0; i < len; i++)
        message[i] = u8(in);
    if (!s)
        return;
    if (how & 64)
        (void)!pl_sctp_send_part(s, now_us, sid, ppid[how % 10], message, len, how & 128, &o);
    else
        (void)!pl_sctp_send(s, now_us, sid, ppid[how % 10], message, len, &o);
}

static void peer_resets(fz *in, int64_t now_us)
{
    pl_sctp *s = pl_data_association(users[1].d);
    uint16_t sid = u8(in) % 20;
    if (s)
        (void)!pl_sctp_reset_streams(s, now_us, &sid, 1);
}

static void raw(fz *in, int64_t now_us)
{
    uint8_t packet[255];
    size_t n = u8(in);
    for (size_t i = 0; i < n; i++)
        packet[i] = u8(in);
    pl_data_input(users[0].d, now_us, packet, n);
}

/* --- */

/* modes: a bit each for no I-DATA at all, pieces from the first, probing, who is the DTLS client; two late roles. */
static void make(int i, uint8_t modes)
{
    user *u = &users[i];
    *u = (user){ 0 };
    pl_data_conf conf = { .sctp = { .rand = pl_rand_seed(&u->state, 1 + (uint64_t)i),
                                    .max_message_size = MESSAGE,
                                    .recv_buffer = 20000,
                                    .send_buffer_max = 12000,
                                    .no_interleaving = modes & 1,
                                    .mtu_max = modes & 4 ? 1432 : 0 },
                          .max_channels = 10,
                          .pieces = i == 0 && modes & 2 };
    if (pl_data_new(&u->d, &conf, 0) != PL_OK)
        abort();
    pl_data_set_remote(u->d, 5000, MESSAGE);
}

static void start(int i, uint8_t modes)
{
    pl_data_set_role(users[i].d, (modes & 8) == (i == 0 ? 8 : 0));
    if (pl_data_start(users[i].d, 0) == PL_ENOMEM)
        abort(); /* else it may be over already */
}

static int64_t step(fz *in, int64_t now_us)
{
    switch (u8(in) % 9) {
    case 0:
    case 1:
    case 2: user_does(in, &users[0], now_us); break;
    case 3: user_does(in, &users[1], now_us); break;
    case 4: peer_says(in, now_us); break;
    case 5: peer_resets(in, now_us); break;
    case 6:
        now_us += PL_MS(u16(in) % 2000);
        for (int i = 0; i < 2; i++)
            pl_data_tick(users[i].d, now_us);
        break;
    case 7: raw(in, now_us); break;
    default: exchange(now_us, 1 + u8(in) % 4, u8(in)); break;
    }
    return now_us + u8(in) * 100;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fz in = { data, data + size };
    uint8_t modes = u8(&in);
    int64_t now_us = 0;
    n_lent = 0;
    for (int i = 0; i < 2; i++)
        make(i, modes);
    for (int n = modes >> 5; n > 0; n--) /* before there is an association */
        now_us = step(&in, now_us);
    for (int i = 0; i < 2; i++)
        start(i, modes);
    if (modes & 16)
        exchange(now_us, 4, 0);
    while (in.p < in.end) {
        now_us = step(&in, now_us);
        pl_data_check(users[0].d);
    }
    exchange(now_us, 4, 0);
    pl_data_check(users[0].d);
    for (int i = 0; i < 2; i++)
        pl_data_free(users[i].d);
    if (n_lent != 0)
        abort(); /* not given back, or twice */
    return 0;
}
