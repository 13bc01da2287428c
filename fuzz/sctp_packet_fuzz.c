/* An association in any state, and what an enemy or a user may do to it: raw chunks under the right tag and
 * checksum, well-formed chunks with numbers near the right ones, time, and API calls. Also the packets of an honest
 * peer, so that the states in between are reached. */
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

static pl_rand_seeded state[2];
static pl_sctp *end[2]; /* the one under fire, and its honest peer */

static void make(int i)
{
    pl_sctp_conf conf = { .recv_buffer = 60000,
                          .max_message_size = 20000,
                          .send_buffer_max = 100000,
                          .max_streams_in = 300,
                          .max_streams_out = 300,
                          .heartbeat_us = PL_SEC(5) };
    conf.rand = pl_rand_seed(&state[i], 7 + (uint64_t)i);
    if (pl_sctp_new(&end[i], &conf, 0) != PL_OK)
        abort();
}

static void take(int i)
{
    pl_sctp_msg m;
    pl_sctp_event e;
    while (pl_sctp_recv(end[i], &m))
        pl_sctp_msg_free(&m);
    while (pl_sctp_poll_event(end[i], &e))
        ;
}

/* `drop`: a bit for each packet that is lost. */
static void exchange(int64_t now_us, int rounds, unsigned drop)
{
    uint8_t packet[2048];
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

static void inject(int64_t now_us, uint32_t tag, pl_wr *w)
{
    pl_wr head = pl_wr_init(w->start, PL_SCTP_HEADER);
    pl_sctp_packet_begin(&head, &(pl_sctp_header){ 5000, 5000, tag });
    pl_wr_align(w, 4);
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
    inject(now_us, tag, &w);
}

static void put_data(fz *in, pl_wr *w)
{
    static const uint8_t zeros[1200];
    pl_sctp_data d = { .tsn = end[0]->in.cumulative_tsn + u8(in) % 32u - 3u,
                       .sid = u8(in) % 4u,
                       .mid = u8(in) % 8u,
                       .ppid = 51,
                       .flags = u8(in) & 15,
                       .payload = zeros,
                       .len = u8(in) * 4u };
    if (u8(in) == 0)
        d.tsn += u16(in);
    pl_sctp_data_write(w, &d);
}

static void put_sack(fz *in, pl_wr *w)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_SACK, 0), n = u8(in) % 6;
    pl_wr_u32(w, end[0]->sent.first_tsn + u8(in) % 24u - 4u);
    pl_wr_u32(w, (uint32_t)u16(in) * 4);
    pl_wr_u16(w, (uint16_t)n);
    pl_wr_u16(w, 0);
    for (uint16_t at = 0; n > 0; n--) {
        at = (uint16_t)(at + u8(in) % 8);
        pl_wr_u16(w, at);
        at = (uint16_t)(at + u8(in) % 8);
        pl_wr_u16(w, at);
    }
    pl_sctp_chunk_end(w, chunk);
}

static void put_forward(fz *in, pl_wr *w)
{
    pl_sctp_skip skip[3];
    size_t n = u8(in) % 4;
    for (size_t i = 0; i < n; i++)
        skip[i] = (pl_sctp_skip){ .sid = u8(in) % 4u, .mid = u8(in) % 8u };
    pl_sctp_forward_write(
        w, false, end[0]->in.cumulative_tsn + u8(in) % 32u - 2u + (u8(in) == 0 ? 100000u : 0u), skip, n);
}

static void put_reconfig(fz *in, pl_wr *w)
{
    uint32_t seq = end[0]->reset.peer_seq + u8(in) % 4u - 2u;
    uint16_t sids[3] = { u8(in) % 4u, u8(in) % 4u, u8(in) };
    switch (u8(in) % 4) {
    case 0:
        pl_sctp_reset_out_write(w, seq, 0, end[0]->in.cumulative_tsn + u8(in) % 16u - 2u, sids, u8(in) % 4);
        break;
    case 1: pl_sctp_reset_response_write(w, end[0]->reset.request_seq - u8(in) % 2u, u8(in) % 8); break;
    default: {
        size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_RECONFIG, 0);
        size_t param = pl_sctp_param_begin(w, (uint16_t)(14 + u8(in) % 5));
        pl_wr_u32(w, seq);
        pl_wr_u16(w, sids[0]);
        pl_wr_u16(w, 0);
        pl_sctp_param_end(w, param);
        pl_sctp_chunk_end(w, chunk);
    }
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
                          .extensions = u8(in) & 3,
                          .cookie = cookie,
                          .cookie_len = u8(in) % 100 };
    if (u8(in) % 8 == 0)
        init.cookie = NULL;
    pl_sctp_init_write(w, u8(in) % 2 ? PL_SCTP_INIT : PL_SCTP_INIT_ACK, &init);
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
    static void (*const put[])(fz *, pl_wr *) = { put_data,     put_data, put_sack, put_forward,
                                                  put_reconfig, put_init, put_bare };
    uint8_t packet[4000];
    pl_wr w = pl_wr_init(packet, sizeof packet);
    pl_wr_zeros(&w, PL_SCTP_HEADER);
    uint32_t tag = some_tag(in);
    for (unsigned n = 1 + u8(in) % 3; n > 0; n--)
        put[u8(in) % (sizeof put / sizeof *put)](in, &w);
    inject(now_us, tag, &w);
}

static void api(fz *in, int64_t now_us)
{
    static const uint8_t data[20000];
    uint16_t sids[2] = { u8(in) % 4u, u8(in) % 4u };
    pl_sctp_send_opts o = { .unordered = sids[0] & 1,
                            .limit_retransmits = sids[1] & 1,
                            .lifetime_us = sids[1] == 2 ? 1000 : 0 };
    switch (u8(in) % 8) {
    case 0: (void)!pl_sctp_reset_streams(end[0], now_us, sids, 1 + (sids[0] & 1)); break;
    case 1: (void)!pl_sctp_set_buffered_low(end[0], sids[0], u16(in)); break;
    case 2: pl_sctp_shutdown(end[0], now_us); break;
    case 3:
        if (u8(in) == 0)
            pl_sctp_abort(end[0], now_us, "fuzz");
        break;
    case 4: pl_sctp_connect(end[0], now_us); break;
    default: (void)!pl_sctp_send(end[0], now_us, sids[0], 51, data, u16(in) % sizeof data, &o); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fz in = { data, data + size };
    make(0);
    make(1);
    reach(u8(&in));
    for (int64_t now_us = 0; more(&in); now_us += u8(&in) * 1000) {
        switch (u8(&in) % 8) {
        case 0: raw(&in, now_us); break;
        case 1: pl_sctp_tick(end[0], now_us + u16(&in) * 1000); break;
        case 2: api(&in, now_us); break;
        case 3: exchange(now_us, 1 + u8(&in) % 3, u8(&in)); break;
        case 4: take(0); break;
        default: well_formed(&in, now_us); break;
        }
        pl_sctp_check(end[0]);
        if (end[0]->re.held > 66000 + 2000)
            abort(); /* more than the window and a tenth */
    }
    for (int i = 0; i < 2; i++)
        pl_sctp_free(end[i]);
    return 0;
}
