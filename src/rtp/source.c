#include "rtp/source.h"

#include "base/seq.h"
#include "rtp/report.h"

enum {
    FIRST_EXT_SEQ = 0x10000,  /* where unwrapping starts: room below for packets that come before the first */
    RECOVERED_REACH = 0x4000, /* how far from the newest a retransmission may lie */
    JITTER_SANE_SEC = 5       /* longer transit changes are pauses or clock steps, not jitter */
};

void pl_rtp_source_init(pl_rtp_source *s, uint32_t ssrc, uint32_t clock_rate)
{
    *s = (pl_rtp_source){ .ssrc = ssrc, .clock_rate = clock_rate, .bad_seq = -1 };
}

static int64_t expected(const pl_rtp_source *s)
{
    return s->started ? s->expected_before + s->max_seq - s->base_seq + 1 : 0;
}

static void begin_run(pl_rtp_source *s, int64_t ext_seq)
{
    s->expected_before = expected(s);
    s->base_seq = s->max_seq = ext_seq;
    s->bad_seq = -1;
    s->started = true;
    s->last_arrival_us = 0;
}

/* The unwrapped number of a packet, or -1 for a jump that the next packet has to confirm. */
static int64_t accept_seq(pl_rtp_source *s, uint16_t seq)
{
    if (!s->started) {
        begin_run(s, FIRST_EXT_SEQ + seq);
        return s->max_seq;
    }
    int64_t ext = pl_seq16_unwrap(s->max_seq, seq);
    if (ext >= s->max_seq + PL_SOURCE_MAX_DROPOUT || ext <= s->max_seq - PL_SOURCE_MAX_MISORDER) {
        if (s->bad_seq != seq) {
            s->bad_seq = (uint16_t)(seq + 1);
            return -1;
        }
        /* Two in a row: the sender has started anew. A later cycle keeps the numbers ascending. */
        s->n_restarts++;
        begin_run(s, ((s->max_seq >> 16) + 1) << 16 | seq);
        return s->max_seq;
    }
    if (ext > s->max_seq)
        s->max_seq = ext;
    if (ext < s->base_seq)
        s->base_seq = ext; /* the start came out of order */
    return ext;
}

/* RFC 3550 A.8, for the packets that advance: a late one measures reordering, and packets of one frame share
 * a timestamp but are sent one after the other, so only the first of a frame is taken. */
static void measure_jitter(pl_rtp_source *s, int64_t now_us, uint32_t rtp_ts)
{
    bool first = s->last_arrival_us == 0;
    if (!first && rtp_ts == s->last_rtp_ts)
        return;
    int64_t gap_us = now_us - s->last_arrival_us;
    if (!first && s->clock_rate && gap_us < PL_SOURCE_GAP_MAX_US) {
        int64_t d = gap_us * s->clock_rate / 1000000 - (int32_t)(rtp_ts - s->last_rtp_ts);
        if (d < 0)
            d = -d;
        if (d < (int64_t)s->clock_rate * JITTER_SANE_SEC)
            s->jitter_q4 += (uint32_t)d - ((s->jitter_q4 + 8) >> 4);
    }
    s->last_arrival_us = now_us;
    s->last_rtp_ts = rtp_ts;
}

static void count(pl_rtp_source *s, int64_t now_us, const pl_rtp_header *h)
{
    s->packets_received++;
    s->bytes_received += h->payload_len;
    s->header_bytes_received += (uint64_t)h->payload_at + h->pad_len;
    s->last_packet_received_us = now_us;
}

bool pl_rtp_source_packet(pl_rtp_source *s, int64_t now_us, const pl_rtp_header *h, int64_t *ext_seq)
{
    int64_t max_before = s->max_seq;
    *ext_seq = accept_seq(s, h->seq);
    if (*ext_seq < 0) {
        s->n_refused++;
        return false;
    }
    s->received++;
    count(s, now_us, h);
    if (s->max_seq != max_before)
        measure_jitter(s, now_us, h->rtp_ts);
    return true;
}

bool pl_rtp_source_recovered(pl_rtp_source *s, int64_t now_us, const pl_rtp_header *h, int64_t *ext_seq)
{
    *ext_seq = pl_seq16_unwrap(s->max_seq, h->seq);
    int64_t ahead = *ext_seq - s->max_seq;
    if (!s->started || ahead >= PL_SOURCE_MAX_DROPOUT || ahead < -RECOVERED_REACH || *ext_seq < 0) {
        s->n_refused++;
        return false;
    }
    count(s, now_us, h);
    s->retransmitted_packets_received++;
    s->retransmitted_bytes_received += h->payload_len;
    return true;
}

void pl_rtp_source_sr(pl_rtp_source *s, int64_t now_us, const pl_rtcp_sr *sr)
{
    s->sr = *sr;
    s->sr_arrival_us = now_us;
    s->has_sr = true;
    s->n_sr++;
}

int64_t pl_rtp_source_lost(const pl_rtp_source *s)
{
    return expected(s) - (int64_t)s->received;
}

static uint8_t fraction_lost(pl_rtp_source *s)
{
    int64_t n_expected = expected(s) - (int64_t)s->prior_expected;
    int64_t n_lost = n_expected - (int64_t)(s->received - s->prior_received);
    s->prior_expected = (uint64_t)expected(s);
    s->prior_received = s->received;
    if (n_expected <= 0 || n_lost <= 0)
        return 0;
    int64_t fraction = (n_lost << 8) / n_expected;
    return (uint8_t)(fraction > 255 ? 255 : fraction);
}

bool pl_rtp_source_block(pl_rtp_source *s, int64_t now_us, pl_rtcp_block *out)
{
    *out = (pl_rtcp_block){ .ssrc = s->ssrc };
    if (!s->started)
        return false;
    int64_t lost = pl_rtp_source_lost(s);
    out->lost = (int32_t)(lost > 0x7fffff ? 0x7fffff : lost < -0x800000 ? -0x800000 : lost);
    out->fraction_lost = fraction_lost(s);
    out->ext_seq = (uint32_t)(s->max_seq - FIRST_EXT_SEQ);
    out->jitter = s->jitter_q4 >> 4;
    if (s->has_sr) {
        out->lsr = pl_ntp_mid32(s->sr.ntp);
        out->dlsr = pl_ntp_short_of_us(now_us - s->sr_arrival_us);
    }
    return true;
}

double pl_rtp_source_jitter_s(const pl_rtp_source *s)
{
    return s->clock_rate ? (double)s->jitter_q4 / 16.0 / s->clock_rate : 0;
}

uint64_t pl_rtp_source_ntp(const pl_rtp_source *s, uint32_t rtp_ts)
{
    if (!s->has_sr || !s->clock_rate)
        return 0;
    /* 2^31 ticks shifted by 32 fit 64 bits signed exactly. */
    int64_t ticks = (int32_t)(rtp_ts - s->sr.rtp_ts);
    return s->sr.ntp + (uint64_t)(ticks * ((int64_t)1 << 32) / s->clock_rate);
}
