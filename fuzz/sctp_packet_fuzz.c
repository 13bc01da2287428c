/* An association in any state, and what an enemy or a user may do to it: raw chunks under the right tag and
 * checksum, well-formed chunks with numbers near the right ones (I-DATA and I-FORWARD-TSN where they were agreed on),
 * answers to probes of the packet size, time, and API calls. Also the packets of an honest peer, so that the states in
 * between are reached. */
#include <stdlib.h>

#include "sctp/association_internal.h"

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
static bool more(const fz *in)
{
    return in->p < in->end;
}

enum { WINDOW = 60000, MESSAGE = 20000, PACKET_MAX = 2048 };

static pl_rand_seeded state[2];
static pl_sctp *end[2]; /* the one under fire, and its honest peer */
static size_t n_lent;   /* messages whose bytes are still lent */

/* features: a bit each for interleaving, of us and of the peer; zero checksum, both; probing, ours; a window that
 * grows; two for the controller. */
static void make(int i, uint8_t features)
{
    pl_sctp_conf conf = { .recv_buffer = WINDOW,
                          .recv_buffer_max = features & 16 ? 2 * WINDOW : WINDOW,
                          .max_message_size = MESSAGE,
                          .send_buffer_max = 100000,
                          .max_streams_in = 300,
                          .max_streams_out = 300,
                          .no_interleaving = features >> i & 1,
                          .zero_checksum = features & 4,
                          .mtu_max = features & 8 ? 1432 : 0,
                          .scheduler = (pl_sctp_scheduler)(features >> 6),
                          .congestion = (pl_sctp_congestion)(features >> 5 & 7) % 6,
                          .heartbeat_us = PL_SEC(5) };
    conf.rand = pl_rand_seed(&state[i], 7 + (uint64_t)i);
    if (pl_sctp_new(&end[i], &conf, 0) != PL_OK)
        abort();
}

/* At most so many messages. */
static void take(int i, unsigned n)
{
    pl_sctp_msg m;
    pl_sctp_event e;
    while (pl_sctp_poll_event(end[i], &e))
        ;
    while (n-- > 0 && pl_sctp_recv(end[i], &m))
        pl_sctp_msg_free(&m);
}

/* `drop`: a bit for each packet that is lost. */
static void exchange(int64_t now_us, int rounds, unsigned drop)
{
    uint8_t packet[PACKET_MAX];
    size_t len;
    while (rounds-- > 0) {
        for (int i = 0; i < 2; i++) {
            while (pl_sctp_poll_output(end[i], now_us, packet, sizeof packet, &len)) {
                if (drop & 1)
                    drop >>= 1;
                else
                    pl_sctp_input(end[1 - i], now_us, packet, len);
            }
        }
        take(1, 1000);
    }
}

/* 0 closed, 1 cookie-wait, 2 cookie-echoed or further, 3 established, 4.. on the way down */
static void reach(uint8_t where)
{
    if (where % 8 == 0)
        return;
    pl_sctp_connect(end[0], 0);
    if (where % 8 == 1)
        return;
    exchange(0, where % 8 == 2 ? 1 : 4, 0);
    if (where % 8 == 4)
        pl_sctp_shutdown(end[0], 0);
    if (where % 8 == 5)
        pl_sctp_shutdown(end[1], 0);
    if (where % 8 == 6) {
        (void)!pl_sctp_send(end[0], 0, 1, 51, state, 40, NULL);
        pl_sctp_shutdown(end[0], 0);
    }
    exchange(0, where >> 6, 0);
}

/* --- packets --- */

static void inject(int64_t now_us, uint32_t tag, bool checksum, pl_wr *w)
{
    pl_wr head = pl_wr_init(w->start, PL_SCTP_HEADER);
    pl_sctp_packet_begin(&head, &(pl_sctp_header){ 5000, 5000, tag });
    pl_wr_align(w, 4);
    if (checksum)
        pl_sctp_packet_end(w);
    if (pl_wr_ok(w))
        pl_sctp_input(end[0], now_us, w->start, pl_wr_len(w));
}

static uint32_t some_tag(fz *in)
{
    switch (u8(in) % 8) {
    case 0: return 0;
    case 1: return end[0]->peer_tag;
    case 2: return u16(in);
    default: return end[0]->my_tag;
    }
}

static void raw(fz *in, int64_t now_us)
{
    uint8_t packet[1500] = { 0 };
    pl_wr w = pl_wr_init(packet, sizeof packet);
    pl_wr_zeros(&w, PL_SCTP_HEADER);
    uint32_t tag = some_tag(in);
    for (size_t n = u8(in) * 4u; n > 0 && more(in); n--)
        pl_wr_u8(&w, u8(in));
    inject(now_us, tag, u8(in) % 8, &w);
}

/* What was agreed on, nearly always. */
static bool interleaved(fz *in)
{
    bool agreed = end[0]->extensions & PL_SCTP_EXT_INTERLEAVE;
    return u8(in) == 255 ? !agreed : agreed;
}

static void put_data(fz *in, pl_wr *w)
{
    static const uint8_t zeros[1200];
    pl_sctp_data d = { .interleaved = interleaved(in),
                       .tsn = end[0]->in.cumulative_tsn + u8(in) % 32u - 3u,
                       .sid = u8(in) % 4u,
                       .mid = u8(in) % 8u,
                       .ppid = 51,
                       .flags = u8(in) & 15,
                       .payload = zeros,
                       .len = u8(in) * 4u };
    uint8_t far = u8(in);
    d.fsn = d.flags & PL_SCTP_DATA_B ? 0 : far % 8u;
    if (far == 255)
        d.tsn += u16(in);
    else if (far == 254)
        d.fsn = u16(in) * 65537u;
    else if (far == 253)
        d.sid = u16(in);
    pl_sctp_data_write(w, &d);
}

/* One message of many fragments, in order. */
static void put_run(fz *in, pl_wr *w)
{
    static const uint8_t zeros[1200];
    uint8_t flags = PL_SCTP_DATA_B | (u8(in) & PL_SCTP_DATA_U);
    pl_sctp_data d = { .interleaved = interleaved(in),
                       .tsn = end[0]->in.cumulative_tsn + 1,
                       .sid = u8(in) % 4u,
                       .mid = u8(in) % 4u,
                       .ppid = 51,
                       .payload = zeros,
                       .len = 1 + u8(in) };
    for (unsigned n = u8(in) % 12; n > 0; n--, d.tsn++, d.fsn++) {
        d.flags = n == 1 ? flags | PL_SCTP_DATA_E : flags;
        pl_sctp_data_write(w, &d);
        flags &= (uint8_t)~PL_SCTP_DATA_B;
    }
}

static void put_sack(fz *in, pl_wr *w)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_SACK, 0), n = u8(in) % 6, n_duplicates = u8(in) % 3;
    uint32_t cumulative = end[0]->sent.first_tsn + u8(in) % 24u - 4u;
    pl_wr_u32(w, cumulative);
    pl_wr_u32(w, (uint32_t)u16(in) * 4);
    pl_wr_u16(w, (uint16_t)n);
    pl_wr_u16(w, (uint16_t)n_duplicates);
    for (uint16_t at = 0; n > 0; n--) {
        at = (uint16_t)(at + u8(in) % 8);
        pl_wr_u16(w, at);
        at = (uint16_t)(at + u8(in) % 8);
        pl_wr_u16(w, at);
    }
    for (; n_duplicates > 0; n_duplicates--)
        pl_wr_u32(w, cumulative + u8(in) % 16u - 8u);
    pl_sctp_chunk_end(w, chunk);
}

static void put_forward(fz *in, pl_wr *w)
{
    pl_sctp_skip skip[3];
    size_t n = u8(in) % 4;
    bool kind = interleaved(in);
    for (size_t i = 0; i < n; i++)
        skip[i] = (pl_sctp_skip){ .sid = u8(in) % 4u, .mid = u8(in) % 8u, .unordered = u8(in) & 1 };
    uint32_t tsn = end[0]->in.cumulative_tsn + u8(in) % 32u - 2u;
    pl_sctp_forward_write(w, kind, tsn + (u8(in) == 255 ? 100000u : 0u), skip, n);
}

static void put_reconfig(fz *in, pl_wr *w)
{
    uint32_t seq = end[0]->reset.peer_seq + u8(in) % 4u - 2u;
    uint16_t sids[3] = { u8(in) % 4u, u8(in) % 4u, u8(in) };
    uint8_t kind = u8(in) % 6;
    if (kind < 2) {
        pl_sctp_reset_out_write(w, seq, 0, end[0]->in.cumulative_tsn + u8(in) % 16u - 2u, sids, u8(in) % 4);
    } else if (kind == 2) {
        pl_sctp_reset_response_write(w, end[0]->reset.request_seq - u8(in) % 2u, u8(in) % 8);
    } else if (kind == 3) {
        pl_sctp_add_write(w, u8(in) % 2 ? PL_SCTP_ADD_OUT : PL_SCTP_ADD_IN, seq, sids[2] * 256u + u8(in));
    } else {
        size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_RECONFIG, 0);
        for (unsigned n = 1 + u8(in) % 3; n > 0; n--, seq++) {
            size_t param = pl_sctp_param_begin(w, (uint16_t)(13 + u8(in) % 7));
            pl_wr_u32(w, seq);
            pl_wr_u16(w, sids[0]);
            pl_wr_zeros(w, 2u * (u8(in) % 8));
            pl_sctp_param_end(w, param);
        }
        pl_sctp_chunk_end(w, chunk);
    }
}

static void put_init(fz *in, pl_wr *w)
{
    static const uint8_t cookie[100];
    pl_sctp_init init = { .tag = u8(in),
                          .a_rwnd = 1400u + u16(in),
                          .tsn = u16(in),
                          .streams_out = u8(in),
                          .streams_in = u8(in),
                          .extensions = u8(in) & 15,
                          .cookie = cookie,
                          .cookie_len = u8(in) % 100 };
    if (u8(in) % 8 == 0)
        init.cookie = NULL;
    pl_sctp_init_write(w, u8(in) % 2 ? PL_SCTP_INIT : PL_SCTP_INIT_ACK, &init);
}

/* To a probe that is out, or was. */
static void put_probe_answer(fz *in, pl_wr *w)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_HEARTBEAT_ACK, 0);
    size_t param = pl_sctp_param_begin(w, PL_SCTP_PARAM_HEARTBEAT_INFO);
    bool mtu = u8(in) & 1;
    pl_wr_u64(w, (uint64_t)(end[0]->now_us - u8(in) * 1000));
    pl_wr_u64(w, mtu ? end[0]->mtu.nonce : end[0]->heartbeat_nonce);
    if (mtu)
        pl_wr_u32(w, (uint32_t)(end[0]->mtu.probe + (u8(in) == 255 ? u16(in) : 0)));
    pl_sctp_param_end(w, param);
    pl_sctp_chunk_end(w, chunk);
}

static void put_bare(fz *in, pl_wr *w)
{
    uint8_t type = u8(in) % 16;
    size_t chunk = pl_sctp_chunk_begin(w, type == 15 ? u8(in) : type, u8(in) & 1);
    for (size_t n = u8(in) % 24; n > 0; n--)
        pl_wr_u8(w, u8(in));
    pl_sctp_chunk_end(w, chunk);
}

static void well_formed(fz *in, int64_t now_us)
{
    static void (*const put[])(fz *, pl_wr *) = { put_data, put_data,         put_run,
                                                  put_sack, put_forward,      put_reconfig,
                                                  put_init, put_probe_answer, put_bare };
    uint8_t packet[4000] = { 0 };
    pl_wr w = pl_wr_init(packet, sizeof packet);
    pl_wr_zeros(&w, PL_SCTP_HEADER);
    uint32_t tag = some_tag(in);
    for (unsigned n = 1 + u8(in) % 3; n > 0; n--)
        put[u8(in) % (sizeof put / sizeof *put)](in, &w);
    inject(now_us, tag, u8(in) % 8, &w);
}

/* --- calls --- */

static void release(void *user)
{
    (void)user;
    n_lent--;
}

static const uint8_t bytes[30000];

static void send(fz *in, pl_sctp *s, int64_t now_us)
{
    uint16_t sid = u8(in) % 4;
    uint8_t how = u8(in);
    size_t len = u16(in) % sizeof bytes;
    pl_sctp_send_opts o = { .unordered = how & 1,
                            .limit_retransmits = how & 2,
                            .max_retransmits = how >> 6,
                            .limit_priority = how & 4,
                            .buffer_priority = how >> 5,
                            .lifetime_us = how & 8 ? 20000 : 0,
                            .uncounted = how == 255 };
    switch (u8(in) % 4) {
    case 0:
        n_lent++;
        if (pl_sctp_send_lent(s, now_us, sid, 53, &(pl_sctp_lent){ bytes, len, release, NULL }, &o) != PL_OK)
            n_lent--;
        break;
    case 1:
    case 2: (void)!pl_sctp_send_part(s, now_us, sid, 53, bytes, len % 4000, how & 16, &o); break;
    default: (void)!pl_sctp_send(s, now_us, sid, 51, bytes, len, &o); break;
    }
}

static void tune(fz *in, pl_sctp *s, int64_t now_us)
{
    uint16_t sid = u8(in) % 4;
    switch (u8(in) % 8) {
    case 0: (void)!pl_sctp_set_buffered_low(s, sid, u16(in)); break;
    case 1: (void)!pl_sctp_set_priority(s, sid, u16(in)); break;
    case 2: (void)!pl_sctp_set_pieces(s, sid, u8(in) & 1); break;
    case 3: pl_sctp_set_held(s, now_us, u16(in)); break;
    case 4: pl_sctp_set_congestion(s, now_us, (pl_sctp_congestion)(u8(in) % 6)); break;
    case 5: pl_sctp_set_rate(s, now_us, u16(in) * 100u); break;
    case 6: pl_sctp_path_changed(s, now_us); break;
    default: (void)pl_sctp_least_rtt(s); break;
    }
}

static void api(fz *in, int64_t now_us)
{
    uint16_t sids[2] = { u8(in) % 4u, u8(in) % 4u };
    pl_sctp *s = end[sids[1] == 3 ? 1 : 0];
    switch (u8(in) % 8) {
    case 0: (void)!pl_sctp_reset_streams(s, now_us, sids, 1 + (sids[0] & 1)); break;
    case 1: (void)!pl_sctp_add_streams(s, now_us, u16(in), u8(in)); break;
    case 2:
        if (u8(in) % 8 == 7)
            pl_sctp_shutdown(s, now_us);
        else if (u8(in) == 255)
            pl_sctp_abort(s, now_us, "fuzz");
        else
            pl_sctp_connect(s, now_us);
        break;
    case 3:
    case 4: tune(in, s, now_us); break;
    default: send(in, s, now_us); break;
    }
}

/* --- */

/* The time it is then. */
static int64_t step(fz *in, int64_t now_us)
{
    switch (u8(in) % 8) {
    case 0: raw(in, now_us); break;
    case 1:
        now_us += u16(in) * 1000;
        pl_sctp_tick(end[0], now_us);
        break;
    case 2:
    case 3: api(in, now_us); break;
    case 4: exchange(now_us, 1 + u8(in) % 3, u8(in)); break;
    case 5: take(0, u8(in) % 8); break;
    default: well_formed(in, now_us); break;
    }
    return now_us + u8(in) * 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fz in = { data, data + size };
    uint8_t where = u8(&in), features = u8(&in);
    n_lent = 0;
    make(0, features);
    make(1, features);
    reach(where);
    for (int64_t now_us = 0; more(&in);) {
        now_us = step(&in, now_us);
        pl_sctp_check(end[0]);
        pl_sctp_check(end[1]);
    }
    for (int i = 0; i < 2; i++)
        pl_sctp_free(end[i]);
    if (n_lent != 0)
        abort(); /* not given back, or twice */
    return 0;
}
