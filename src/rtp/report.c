#include "rtp/report.h"

#include <assert.h>

#include "base/time.h"

enum { RTT_MAX_US = 60000000, CLOCK_SLACK_US = 10000 };

static const uint64_t UNIX_IN_NTP = 2208988800u; /* seconds from 1900 to 1970 */

uint64_t pl_ntp_of_us(int64_t unix_us)
{
    uint64_t us = unix_us > 0 ? (uint64_t)unix_us : 0;
    uint64_t sec = us / 1000000 + UNIX_IN_NTP; /* the era is cut off by the shift */
    uint64_t fraction = ((us % 1000000 << 32) + 500000) / 1000000;
    return (sec << 32) + fraction;
}

int64_t pl_ntp_to_us(uint64_t ntp)
{
    uint64_t sec = ntp >> 32;
    if (sec < UNIX_IN_NTP)
        sec += (uint64_t)1 << 32; /* the era that begins in 2036 */
    uint64_t fraction = ((ntp & 0xffffffff) * 1000000 + 0x80000000u) >> 32;
    return (int64_t)((sec - UNIX_IN_NTP) * 1000000 + fraction);
}

int64_t pl_ntp_short_to_us(uint32_t d)
{
    return ((int64_t)d * 1000000 + 0x8000) >> 16;
}

uint32_t pl_ntp_short_of_us(int64_t us)
{
    if (us <= 0)
        return 0;
    if (us >= PL_SEC(65536))
        return UINT32_MAX;
    return (uint32_t)((us << 16) / 1000000);
}

bool pl_ntp_rtt(uint64_t now_ntp, uint32_t echoed_mid32, uint32_t delay, int64_t *rtt_us)
{
    if (echoed_mid32 == 0)
        return false;
    uint32_t d = pl_ntp_mid32(now_ntp) - echoed_mid32 - delay;
    /* The rounding of two clocks can make a short path look shorter than nothing. */
    if (-d <= pl_ntp_short_of_us(CLOCK_SLACK_US))
        d = 0;
    int64_t us = pl_ntp_short_to_us(d);
    if (us > RTT_MAX_US)
        return false;
    *rtt_us = pl_max_us(us, 1);
    return true;
}

void pl_rtp_sender_init(pl_rtp_sender *s, uint32_t ssrc, uint32_t clock_rate)
{
    *s = (pl_rtp_sender){ .ssrc = ssrc, .clock_rate = clock_rate };
}

void pl_rtp_sender_sent(pl_rtp_sender *s, const pl_rtp_header *h, int64_t sample_us)
{
    s->packets_sent++;
    s->bytes_sent += h->payload_len;
    s->header_bytes_sent += (uint64_t)h->payload_at + h->pad_len;
    s->last_rtp_ts = h->rtp_ts;
    s->last_sample_us = sample_us;
    s->started = true;
}

void pl_rtp_sender_resent(pl_rtp_sender *s, size_t header_len, size_t payload_len)
{
    s->packets_sent++;
    s->bytes_sent += payload_len;
    s->header_bytes_sent += header_len;
    s->retransmitted_packets_sent++;
    s->retransmitted_bytes_sent += payload_len;
}

bool pl_rtp_sender_sr(pl_rtp_sender *s, int64_t now_us, int64_t wall_offset_us, pl_rtcp_sr *out)
{
    *out = (pl_rtcp_sr){ 0 };
    if (!s->started)
        return false;
    int64_t ticks = (now_us - s->last_sample_us) * (int64_t)s->clock_rate / 1000000;
    out->ntp = pl_ntp_of_us(now_us + wall_offset_us);
    out->rtp_ts = s->last_rtp_ts + (uint32_t)ticks;
    /* RTX has an SSRC, and so a count, of its own. */
    out->n_packets = (uint32_t)(s->packets_sent - s->retransmitted_packets_sent);
    out->n_octets = (uint32_t)(s->bytes_sent - s->retransmitted_bytes_sent);
    s->n_sr++;
    return true;
}

bool pl_rtp_sender_block(pl_rtp_sender *s, int64_t now_us, int64_t wall_offset_us, const pl_rtcp_block *b)
{
    s->remote = *b;
    s->reported_us = now_us;
    s->reported = true;
    int64_t rtt_us;
    if (!pl_ntp_rtt(pl_ntp_of_us(now_us + wall_offset_us), b->lsr, b->dlsr, &rtt_us))
        return false;
    s->rtt_us = rtt_us;
    s->total_rtt_us += rtt_us;
    s->n_rtt++;
    return true;
}

/* RFC 3550 6.3.1: half to one and a half times the interval, so that peers do not fall into step. */
static int64_t randomised(int64_t interval_us, const pl_rand *rand)
{
    return interval_us / 2 + pl_rand_below(rand, (uint32_t)interval_us);
}

void pl_rtcp_timer_start(pl_rtcp_timer *t, int64_t now_us, int64_t interval_us, const pl_rand *rand)
{
    assert(interval_us > 1 && interval_us <= UINT32_MAX);
    t->interval_us = interval_us;
    t->next_us = now_us + randomised(interval_us, rand) / 2;
}

bool pl_rtcp_timer_due(pl_rtcp_timer *t, int64_t now_us, const pl_rand *rand)
{
    if (t->interval_us == 0 || now_us < t->next_us)
        return false;
    t->next_us = now_us + randomised(t->interval_us, rand);
    return true;
}

int64_t pl_rtcp_timer_next_us(const pl_rtcp_timer *t)
{
    return t->interval_us ? t->next_us : PL_NEVER;
}
