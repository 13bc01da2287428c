/* States, not only bytes: two connections in virtual time, and the input decides what happens to them. Packets lost,
 * changed or made up; packets of the peer that are authentic but wrong inside (SCTP through its DTLS, RTP and RTCP
 * through its SRTP); calls of the application on both sides; signaling delayed; time. The first byte chooses how far
 * they are when it begins. The invariants hold after every step, time passes, and everything is given back. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "data/channels_internal.h"
#include "pc/pc_internal.h"
#include "sctp/association_internal.h"
#include "sim/pc_duo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OPS_MAX = 200, LEN_MAX = 1200 };

static duo d;
static pl_rd in;
static uint8_t pkt[2048];

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* Bytes of the input, as many as it says and has. */
static size_t some_bytes(uint8_t *out, size_t cap)
{
    size_t n = pl_rd_u16(&in) % LEN_MAX;
    n = n < pl_rd_left(&in) ? n : pl_rd_left(&in);
    n = n < cap ? n : cap;
    memcpy(out, pl_rd_take(&in, n), n);
    return n;
}

static void feed(int to, uint8_t *bytes, size_t len)
{
    duo_end *x = &d.end[to];
    pl_path path = { .local = x->addr, .remote = d.end[!to].addr };
    pl_pc_input(x->pc, d.now_us, &path, bytes, len);
    pl_pc_check(x->pc);
}

/* ---- what a peer that has the keys may send ---- */

static void send_records(int to, const uint8_t *plain, size_t len)
{
    pl_pc *from = d.end[!to].pc;
    size_t n;
    if (from->dtls && len && pl_dtls_protect(from->dtls, plain, len, pkt, sizeof pkt, &n) == PL_OK)
        feed(to, pkt, n);
}

/* Chunks behind the right ports, tag and checksum: as they come, or DATA whose number is near the next one. */
static void sctp_chunks(int to, bool data)
{
    uint8_t bytes[LEN_MAX], plain[LEN_MAX + 100];
    const pl_sctp *s = d.end[to].pc->data ? d.end[to].pc->data->sctp : NULL;
    uint8_t tsn = data ? pl_rd_u8(&in) : 0, flags = data ? pl_rd_u8(&in) : 0, sid = data ? pl_rd_u8(&in) : 0;
    size_t n = some_bytes(bytes, sizeof bytes);
    if (!s)
        return;
    pl_wr w = pl_wr_init(plain, sizeof plain);
    pl_sctp_packet_begin(&w, &(pl_sctp_header){ 5000, 5000, s->my_tag });
    pl_sctp_data chunk = { .tsn = s->in.cumulative_tsn + 1 + (tsn & 15),
                           .sid = sid & 7,
                           .mid = tsn >> 4,
                           .ppid = 50 + (uint32_t)(sid >> 4),
                           .flags = flags & 15,
                           .payload = bytes,
                           .len = n };
    if (data)
        pl_sctp_data_write(&w, &chunk);
    else
        pl_wr_bytes(&w, bytes, n);
    pl_sctp_packet_end(&w);
    send_records(to, plain, pl_wr_len(&w));
}

static void sctp_raw(int to)
{
    uint8_t plain[LEN_MAX];
    send_records(to, plain, some_bytes(plain, sizeof plain));
}

static void rtp(int to)
{
    pl_pc *from = d.end[!to].pc;
    uint8_t kind = pl_rd_u8(&in), t = pl_rd_u8(&in);
    size_t len = some_bytes(pkt + 12, LEN_MAX) + 12;
    pl_wr w = pl_wr_init(pkt, 12);
    if (!from->srtp_out)
        return;
    pc_transceiver *sender = from->n_t ? from->t[t % from->n_t] : NULL;
    pl_wr_u8(&w, (uint8_t)(0x80 | (kind & 0x3f)));
    pl_wr_u8(&w, kind & 0x40 ? t : sender ? sender->info.send_pt : 96);
    pl_wr_u16(&w, sender ? sender->seq++ : 0);
    pl_wr_u32(&w, (uint32_t)d.now_us);
    pl_wr_u32(&w, kind & 0x80 || !sender ? (uint32_t)kind * 17 : sender->ssrc);
    if (pl_srtp_protect(from->srtp_out, pkt, len, sizeof pkt, &len) == PL_OK)
        feed(to, pkt, len);
}

/* A head of the right form and SSRCs that both sides know; the rest as it comes. */
static void rtcp(int to)
{
    pl_pc *from = d.end[!to].pc;
    uint8_t type = pl_rd_u8(&in), fmt = pl_rd_u8(&in);
    size_t len = (some_bytes(pkt + 12, LEN_MAX) & ~(size_t)3) + 12;
    pl_wr w = pl_wr_init(pkt, 12);
    if (!from->srtp_out)
        return;
    pl_pc *heard = d.end[to].pc;
    pl_wr_u8(&w, 0x80 | (fmt & 0x1f));
    pl_wr_u8(&w, (uint8_t)(200 + type % 8));
    pl_wr_u16(&w, (uint16_t)(len / 4 - 1));
    pl_wr_u32(&w, from->n_t ? from->t[0]->ssrc : 1);
    pl_wr_u32(&w, heard->n_t ? heard->t[fmt % heard->n_t]->ssrc : 1);
    if (pl_srtp_protect_rtcp(from->srtp_out, pkt, len, sizeof pkt, &len) == PL_OK)
        feed(to, pkt, len);
}

static void raw(int to)
{
    feed(to, pkt, some_bytes(pkt, LEN_MAX));
}

/* ---- what the network and the applications do ---- */

static uint8_t weather; /* 0: fine */

static bool on_packet(void *user, duo *x, int to, uint8_t *bytes, size_t *len)
{
    (void)user, (void)x, (void)to;
    if (!weather || !pl_rd_left(&in))
        return true;
    uint8_t fate = pl_rd_u8(&in);
    if (fate < weather / 4)
        return false;
    if (fate < weather / 2)
        bytes[pl_rd_u16(&in) % *len] ^= (uint8_t)(1 << (fate & 7));
    else if (fate < weather)
        *len = 1 + pl_rd_u16(&in) % *len;
    return true;
}

static pl_channel *some_channel(int i)
{
    int n = d.end[i].n_channels;
    return n ? d.end[i].channel[pl_rd_u8(&in) % n] : NULL;
}

static void send_message(int i)
{
    static uint8_t big[40000];
    pl_channel *c = some_channel(i);
    if (c)
        (void)!pl_channel_send(c, d.now_us, big, pl_rd_u16(&in) % sizeof big, pl_rd_u8(&in) & 1);
}

static void open_channel(int i)
{
    uint8_t how = pl_rd_u8(&in);
    pl_data_channel_init init = { .unordered = how & 1,
                                  .negotiated = how & 2,
                                  .id = how >> 4,
                                  .has_max_retransmits = how & 4,
                                  .max_retransmits = how >> 4 };
    (void)!duo_open(&d, i, &init);
}

static void change_media(int i)
{
    pl_pc *pc = d.end[i].pc;
    uint8_t what = pl_rd_u8(&in);
    int n = pl_pc_n_transceivers(pc);
    if (what % 4 == 0 || !n) {
        if (n < 8)
            (void)duo_add(&d, i, what & 16 ? PL_VIDEO : PL_AUDIO, (pl_direction)(what >> 6));
    } else if (what % 4 == 1) {
        (void)!pl_pc_stop_transceiver(pc, d.now_us, (what >> 2) % n);
    } else if (what % 4 == 2) {
        (void)!pl_pc_set_direction(pc, d.now_us, (what >> 4) % n, (pl_direction)(what >> 2 & 3));
    } else {
        for (uint32_t k = 0; k < 5; k++)
            duo_send_packet(&d, i, (what >> 2) % n, (uint32_t)d.now_us + k, (uint16_t)(1 + what * 4));
    }
}

static void words(int i)
{
    static char text[2000];
    pl_pc *pc = d.end[i].pc;
    uint8_t what = pl_rd_u8(&in);
    char *sdp;
    if (what % 4 == 0) {
        pl_pc_restart_ice(pc, d.now_us);
    } else if (what % 4 == 1) { /* a description, somewhat changed on its way */
        if (pl_pc_local_description(d.end[!i].pc, NULL, &sdp) || !sdp)
            return;
        for (int k = 0; k < what >> 5; k++)
            sdp[pl_rd_u16(&in) % strlen(sdp)] = (char)(1 + pl_rd_u8(&in) % 126);
        (void)!pl_pc_set_remote(pc, d.now_us, what & 4 ? PL_SDP_OFFER : PL_SDP_ANSWER, sdp);
        free(sdp);
    } else if (what % 4 == 2) {
        (void)!pl_pc_set_local(pc, d.now_us, PL_SDP_ROLLBACK, NULL);
    } else {
        text[some_bytes((uint8_t *)text, sizeof text - 1)] = 0;
        pl_ice_candidate c = { .candidate = text, .sdp_mline_index = what >> 5 };
        (void)!pl_pc_add_candidate(pc, d.now_us, &c);
    }
    pl_pc_check(pc);
}

static void ask(int i)
{
    pl_stats_report *r;
    if (pl_pc_get_stats(d.end[i].pc, d.now_us, &r) == PL_OK)
        pl_stats_report_free(r);
}

static void one(void)
{
    uint8_t op = pl_rd_u8(&in);
    int i = op >> 7;
    pl_channel *c;
    switch (op % 16) {
    case 0: raw(i); break;
    case 1:
    case 2: sctp_chunks(i, op % 16 == 1); break;
    case 3: sctp_raw(i); break;
    case 4:
    case 5: rtp(i); break;
    case 6:
    case 7: rtcp(i); break;
    case 8: send_message(i); break;
    case 9: open_channel(i); break;
    case 10: change_media(i); break;
    case 11: words(i); break;
    case 12: weather = pl_rd_u8(&in); break;
    case 13: ask(i); break;
    case 14:
        if (op >> 4 == 5)
            pl_pc_close(d.end[i].pc, d.now_us);
        else if ((c = some_channel(i)))
            pl_channel_close(c, d.now_us);
        break;
    case 15: (void)duo_run(&d, pl_rd_u16(&in) * (int64_t)(op & 16 ? 100 : 5), NULL); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sim_net net = { .delay_us = PL_MS(5) };
    in = pl_rd_init(data, size);
    uint8_t start = pl_rd_u8(&in);
    pl_log_to(NULL, NULL, PL_LOG_OFF);
    memset(&d, 0, sizeof d);
    weather = 0;
    d.on_packet = on_packet;
    duo_init(&d, &net, start, (pl_dtls_setup)(start % 3), PL_SETUP_ACTPASS);
    (void)!duo_open(&d, 0, NULL);
    if (start & 64) {
        (void)duo_add(&d, 0, PL_AUDIO, PL_SENDRECV);
        (void)duo_add(&d, 1, PL_VIDEO, PL_SENDRECV);
    }
    if (start & 128)
        (void)duo_run(&d, PL_MS(start & 32 ? 60 : 400), NULL);
    for (int n = 0; n < OPS_MAX && pl_rd_left(&in); n++) {
        one();
        (void)duo_run(&d, 0, NULL);
    }
    weather = 0;
    (void)duo_run(&d, PL_SEC(2), NULL);
    must(!d.stuck);
    duo_clear(&d);
    return 0;
}
