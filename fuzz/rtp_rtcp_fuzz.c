/* RTCP compounds: everything parsed, what is parsed written again, and feedback matched to packets sent. */
#include <assert.h>

#include "base/time.h"
#include "rtp/report.h"
#include "rtp/rtcp_feedback.h"
#include "rtp/rtcp_report.h"
#include "rtp/rtcp_xr.h"
#include "rtp/twcc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[4096];

/* The one packet in w as the reader sees it. */
static pl_rtcp written(const pl_wr *w)
{
    pl_rtcp p;
    assert(pl_wr_ok(w));
    pl_rd rd = pl_rd_init(w->start, pl_wr_len(w));
    bool more = pl_rtcp_next(&rd, &p);
    assert(more && pl_rd_left(&rd) == 0);
    return p;
}

static void on_report(const pl_rtcp *p)
{
    pl_rtcp_report r, back;
    if (pl_rtcp_report_parse(&r, p))
        return;
    pl_wr w = pl_wr_init(out, sizeof out);
    if (r.has_sr)
        pl_rtcp_sr_write(&w, r.ssrc, &r.sr, r.block, r.n_blocks);
    else
        pl_rtcp_rr_write(&w, r.ssrc, r.block, r.n_blocks);
    pl_rtcp again = written(&w);
    assert(pl_rtcp_report_parse(&back, &again) == PL_OK);
    assert(back.n_blocks == r.n_blocks && back.ssrc == r.ssrc && back.sr.ntp == r.sr.ntp);
    pl_rtp_sender s;
    pl_rtp_sender_init(&s, r.ssrc, 90000);
    for (size_t i = 0; i < r.n_blocks; i++) {
        assert(back.block[i].lost == r.block[i].lost && back.block[i].ext_seq == r.block[i].ext_seq);
        (void)pl_rtp_sender_block(&s, PL_SEC(5), PL_SEC(1795363200), &r.block[i]);
        assert(s.rtt_us >= 0);
    }
}

static void on_sdes(pl_rd body)
{
    pl_rtcp_sdes c, back;
    while (pl_rtcp_sdes_next(&body, &c)) {
        pl_wr w = pl_wr_init(out, sizeof out);
        pl_rtcp_cname_write(&w, c.ssrc, c.cname);
        pl_rtcp again = written(&w);
        bool more = pl_rtcp_sdes_next(&again.body, &back);
        assert(more && pl_str_eq(back.cname, c.cname));
    }
}

static void on_bye(const pl_rtcp *p)
{
    pl_rtcp_bye bye, back;
    if (pl_rtcp_bye_parse(&bye, p))
        return;
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_bye_write(&w, bye.ssrc, bye.n, bye.reason);
    pl_rtcp again = written(&w);
    assert(pl_rtcp_bye_parse(&back, &again) == PL_OK);
    assert(back.n == bye.n && pl_str_eq(back.reason, bye.reason));
}

/* The sender has sent 600 packets when this feedback comes, twice. */
static void match_feedback(const pl_rtcp_twcc *parsed)
{
    pl_twcc_tx tx;
    pl_twcc_tx_init(&tx);
    for (int i = 0; i < 600; i++)
        (void)pl_twcc_tx_sent(&tx, i * 1000, 1000, 0);
    for (int round = 0; round < 2; round++) {
        pl_rtcp_twcc fb = *parsed;
        pl_twcc_result res;
        pl_twcc_tx_feedback(&tx, &fb);
        while (pl_twcc_tx_next(&tx, &fb, &res)) {
            assert(res.seq >= tx.first && res.seq < tx.next);
            assert(res.sent_us == (res.seq - 65536) * 1000);
        }
        assert(tx.in_flight <= 600 * 1000);
    }
    pl_twcc_tx_clear(&tx);
}

static void on_twcc(pl_rd body)
{
    static pl_twcc_arrival a[65536];
    pl_rtcp_twcc f;
    if (pl_rtcp_twcc_parse(&f, body))
        return;
    match_feedback(&f);
    pl_rtcp_twcc_item item;
    size_t n = 0, items = 0;
    uint16_t base = f.base_seq;
    for (; pl_rtcp_twcc_next(&f, &item); items++)
        if (item.received)
            a[n++] = (pl_twcc_arrival){ base + (int64_t)items, item.arrival_us + PL_SEC(1 << 20) };
    assert(items == f.n);
    for (size_t done = 0; done < n;) {
        pl_wr w = pl_wr_init(out, 1200);
        size_t taken = pl_rtcp_twcc_write(&w, 1, 2, 3, a[done].seq, a + done, n - done);
        assert(taken > 0);
        pl_rtcp again = written(&w);
        assert(pl_rtcp_twcc_parse(&f, again.body) == PL_OK);
        assert(f.n == a[done + taken - 1].seq - a[done].seq + 1);
        done += taken;
    }
}

static void on_rtpfb(const pl_rtcp *p)
{
    pl_rtcp_nack nack, back;
    if (p->fmt == PL_RTPFB_TWCC)
        on_twcc(p->body);
    if (p->fmt != PL_RTPFB_NACK || pl_rtcp_nack_parse(&nack, p->body))
        return;
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_nack_write(&w, nack.sender_ssrc, nack.media_ssrc, nack.item, nack.n);
    assert(pl_rtcp_nack_parse(&back, written(&w).body) == PL_OK);
    assert(back.n == nack.n && back.item[back.n - 1].blp == nack.item[nack.n - 1].blp);
}

static void on_psfb(const pl_rtcp *p)
{
    pl_rtcp_pli pli;
    pl_rtcp_fir fir;
    pl_rtcp_remb remb, back;
    (void)pl_rtcp_pli_parse(&pli, p->body);
    if (pl_rtcp_fir_parse(&fir, p->body) == PL_OK) {
        pl_wr w = pl_wr_init(out, sizeof out);
        pl_rtcp_fir_write(&w, fir.sender_ssrc, fir.item, fir.n);
        (void)written(&w);
    }
    if (pl_rtcp_remb_parse(&remb, p->body) == PL_OK) {
        assert(remb.rate_bps >= 0);
        pl_wr w = pl_wr_init(out, sizeof out);
        pl_rtcp_remb_write(&w, remb.sender_ssrc, remb.rate_bps, remb.ssrc, remb.n);
        assert(pl_rtcp_remb_parse(&back, written(&w).body) == PL_OK);
        assert(back.rate_bps == remb.rate_bps);
    }
}

static void on_xr(pl_rd body)
{
    pl_rtcp_xr xr, back;
    if (pl_rtcp_xr_parse(&xr, body) || xr.n_dlrr == 0)
        return;
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_rtcp_xr_write_dlrr(&w, xr.ssrc, xr.dlrr, xr.n_dlrr);
    assert(pl_rtcp_xr_parse(&back, written(&w).body) == PL_OK);
    assert(back.n_dlrr == xr.n_dlrr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_rd rd = pl_rd_init(data, size);
    pl_rtcp p;
    bool any = false;
    (void)pl_rtcp_ssrc(data, size);
    for (; pl_rtcp_next(&rd, &p); any = true) {
        switch (p.pt) {
        case PL_RTCP_SR:
        case PL_RTCP_RR: on_report(&p); break;
        case PL_RTCP_SDES: on_sdes(p.body); break;
        case PL_RTCP_BYE: on_bye(&p); break;
        case PL_RTCP_RTPFB: on_rtpfb(&p); break;
        case PL_RTCP_PSFB: on_psfb(&p); break;
        case PL_RTCP_XR: on_xr(p.body); break;
        default: break;
        }
    }
    assert(pl_rtcp_valid(data, size) == (any && pl_rd_ok(&rd)));
    return 0;
}
