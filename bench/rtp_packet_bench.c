/* What one packet costs in the RTP rooms, in nanoseconds: the outgoing way (header,
 * extensions, record, stamp, history), the incoming way (parse, extensions, statistics, duplicates, NACK,
 * arrival), a retransmission, and feedback per packet reported. One line of JSON each. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "rtp/dup.h"
#include "rtp/ext.h"
#include "rtp/history.h"
#include "rtp/nack.h"
#include "rtp/rtx.h"
#include "rtp/source.h"
#include "rtp/twcc.h"

enum { N = 2000000, LEN = 1200 };

static int64_t clock_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void report(const char *what, int64_t start_ns, int64_t n, uint64_t witness)
{
    double ns = (double)(clock_ns() - start_ns) / (double)n;
    printf("{\"bench\":\"rtp\",\"what\":\"%s\",\"ns\":%.1f,\"witness\":%llu}\n", what, ns,
           (unsigned long long)witness);
}

static pl_rtp_ext_map usual_map(void)
{
    return (pl_rtp_ext_map){ .id = { [PL_EXT_MID] = 4, [PL_EXT_TWCC] = 3, [PL_EXT_ABS_SEND_TIME] = 2 } };
}

static size_t write_packet(uint8_t *pkt, const pl_rtp_ext_map *m, uint16_t seq, pl_rtp_stamp_at *at)
{
    pl_rtp_ext e = { .has = 1 << PL_EXT_MID | 1 << PL_EXT_TWCC | 1 << PL_EXT_ABS_SEND_TIME,
                     .mid = PL_STR("1") };
    pl_wr w = pl_wr_init(pkt, LEN);
    pl_rtp_write(&w, &(pl_rtp_header){ .pt = 96, .seq = seq, .rtp_ts = seq * 30u, .ssrc = 1 }, NULL);
    pl_rtp_ext_write(&w, m, &e, at);
    (void)pl_wr_make(&w, pl_wr_left(&w));
    return pl_wr_len(&w);
}

static void bench_out(bool keep)
{
    static uint8_t pkt[LEN];
    pl_rtp_ext_map m = usual_map();
    pl_rtp_history h;
    pl_twcc_tx tx;
    pl_rtp_history_init(&h);
    pl_twcc_tx_init(&tx);
    uint64_t witness = 0;
    int64_t start_ns = clock_ns();
    for (int64_t i = 0; i < N; i++) {
        pl_rtp_stamp_at at;
        size_t len = write_packet(pkt, &m, (uint16_t)i, &at);
        if (keep && pl_rtp_history_put(&h, i * 1000, pkt, len))
            witness++;
        pl_rtp_stamp(pkt, &at, i * 1000, pl_twcc_tx_sent(&tx, i * 1000, len, 0));
        witness += pkt[20];
    }
    report(keep ? "out with history" : "out", start_ns, N, witness);
    pl_rtp_history_clear(&h);
    pl_twcc_tx_clear(&tx);
}

static void bench_in(void)
{
    static uint8_t pkt[LEN];
    pl_rtp_ext_map m = usual_map();
    pl_rtp_source s;
    pl_rtp_dup dup = { 0 };
    pl_nack nack;
    pl_twcc_rx rx;
    pl_rtp_stamp_at at;
    pl_rtp_source_init(&s, 1, 90000);
    pl_nack_init(&nack, &(pl_nack_conf){ .wants_key = true });
    pl_twcc_rx_init(&rx);
    size_t len = write_packet(pkt, &m, 0, &at);
    static uint8_t fb[1200];
    uint64_t witness = 0;
    int64_t start_ns = clock_ns();
    for (int64_t i = 0; i < N; i++) {
        int64_t now_us = PL_SEC(1) + i * 1000, ext_seq;
        pl_rtp_header h;
        pl_rtp_ext e;
        pl_rtp_set_seq(pkt, (uint16_t)i);
        pl_rtp_stamp(pkt, &at, now_us, (uint16_t)i);
        if (pl_rtp_parse(&h, pkt, len) || pl_rtp_ext_parse(&e, &m, pkt, &h))
            break;
        pl_twcc_rx_packet(&rx, now_us, e.twcc_seq, h.ssrc, len);
        if (pl_rtp_source_packet(&s, now_us, &h, &ext_seq) && pl_rtp_dup_first(&dup, ext_seq)) {
            pl_nack_packet(&nack, now_us, ext_seq);
            witness++;
        }
        pl_wr w = pl_wr_init(fb, sizeof fb);
        if (pl_twcc_rx_next_us(&rx) <= now_us)
            witness += pl_twcc_rx_poll(&rx, now_us, 1, &w);
    }
    report("in with feedback", start_ns, N, witness);
    pl_nack_clear(&nack);
    pl_twcc_rx_clear(&rx);
}

static void bench_rtx(void)
{
    static uint8_t pkt[LEN], out[LEN + 2];
    pl_rtp_ext_map m = usual_map();
    pl_rtx_stream rtx = { .ssrc = 2, .pt = 97 };
    size_t len = write_packet(pkt, &m, 0, NULL), out_len;
    uint64_t witness = 0;
    int64_t start_ns = clock_ns();
    for (int64_t i = 0; i < N; i++) {
        if (pl_rtx_wrap(&rtx, &m, pkt, len, out, sizeof out, &out_len) == PL_OK &&
            pl_rtx_unwrap(out, &out_len, 1, 96, &m) == PL_OK)
            witness += out[2];
    }
    report("rtx there and back", start_ns, N, witness);
}

static void bench_feedback(void)
{
    enum { PER = 100 };
    static uint8_t fb[1200];
    pl_twcc_tx tx;
    pl_twcc_tx_init(&tx);
    uint64_t witness = 0;
    int64_t start_ns = clock_ns();
    for (int64_t i = 0; i < N; i += PER) {
        pl_twcc_arrival a[PER];
        for (int64_t k = 0; k < PER; k++) {
            (void)pl_twcc_tx_sent(&tx, (i + k) * 1000, LEN, 0);
            a[k] = (pl_twcc_arrival){ .seq = tx.next - 1, .arrival_us = (i + k) * 1000 + 40000 };
        }
        pl_wr w = pl_wr_init(fb, sizeof fb);
        if (pl_rtcp_twcc_write(&w, 1, 2, (uint8_t)(i / PER), a[0].seq, a, PER) != PER)
            break;
        pl_rd rd = pl_rd_init(fb, pl_wr_len(&w));
        pl_rtcp p;
        pl_rtcp_twcc f;
        pl_twcc_result res;
        if (!pl_rtcp_next(&rd, &p) || pl_rtcp_twcc_parse(&f, p.body))
            break;
        pl_twcc_tx_feedback(&tx, &f);
        while (pl_twcc_tx_next(&tx, &f, &res))
            witness += res.len;
    }
    report("feedback both ways, per packet", start_ns, N, witness);
    pl_twcc_tx_clear(&tx);
}

int main(void)
{
    bench_out(false);
    bench_out(true);
    bench_in();
    bench_rtx();
    bench_feedback();
    return 0;
}
