#include "server/stream_map.h"

#include "base/time.h"

enum {
    DRIFT_PPM = 200,       /* by how much two clocks may differ */
    JUMP_US = 2000000,     /* the sender's timestamps have made a leap */
    FIRST_SEQ_MAX = 0x7fff /* room before the first wrap (RFC 3711 3.3.1) */
};

/* ---- what comes ---- */

void pl_stream_origin_renew(pl_stream_origin *o, uint32_t clock_hz)
{
    o->clock_hz = clock_hz ? clock_hz : 90000;
    o->ssrc = 0;
    o->heard_us = 0;
}

static void begin_epoch(pl_stream_origin *o, const pl_media_packet *p)
{
    o->epoch++;
    o->ssrc = p->ssrc;
    o->last_ts = p->rtp_ts;
    o->ts_us = 0;
    o->base_us = p->arrival_us;
}

/* The shortest way a packet has taken is the measure; what took longer waited somewhere. The base may rise only as fast
 * as clocks drift apart. */
static void follow_clock(pl_stream_origin *o, const pl_media_packet *p)
{
    int32_t step = (int32_t)(p->rtp_ts - o->last_ts);
    int64_t ts_us = o->ts_us + (int64_t)step * 1000000 / o->clock_hz;
    int64_t apart_us = p->arrival_us - ts_us;
    int64_t may_rise_us = (p->arrival_us - o->heard_us) * DRIFT_PPM / 1000000;
    if (apart_us < o->base_us || apart_us - o->base_us > JUMP_US)
        o->base_us = apart_us;
    else
        o->base_us = pl_min_us(apart_us, o->base_us + may_rise_us);
    if (step > 0 || apart_us == o->base_us) {
        o->last_ts = p->rtp_ts;
        o->ts_us = ts_us;
    }
}

bool pl_stream_origin_packet(pl_stream_origin *o, const pl_media_packet *p, int64_t *captured_us)
{
    bool fresh = o->epoch == 0 || o->heard_us == 0;
    if (!fresh && p->ssrc != o->ssrc && p->arrival_us - o->heard_us < PL_STREAM_SILENT_US)
        return false;
    if (fresh || p->ssrc != o->ssrc)
        begin_epoch(o, p);
    else
        follow_clock(o, p);
    o->heard_us = p->arrival_us;
    int64_t ts_us = o->ts_us + (int64_t)(int32_t)(p->rtp_ts - o->last_ts) * 1000000 / o->clock_hz;
    *captured_us = pl_min_us(ts_us + o->base_us, p->arrival_us);
    return true;
}

/* ---- what goes on ---- */

/* A new source follows the old one without a gap in numbers, and with the time that has passed between. */
static void follow_epoch(pl_stream_map *m, const pl_stream_origin *o, const pl_media_packet *p,
                         uint32_t random)
{
    int64_t next = (int64_t)(random & FIRST_SEQ_MAX);
    uint32_t ts = p->rtp_ts;
    if (m->epoch) {
        int64_t gap_us = pl_max_us(p->arrival_us - m->top_us, 1000);
        next = m->top + 1;
        ts = m->top_ts + (uint32_t)(gap_us * o->clock_hz / 1000000);
    }
    m->epoch = o->epoch;
    m->first = p->ext_seq;
    m->seq_shift = next - p->ext_seq;
    m->ts_shift = ts - p->rtp_ts;
    m->top = next - 1;
}

bool pl_stream_map_packet(pl_stream_map *m, const pl_stream_origin *o, const pl_media_packet *p,
                          uint32_t random, int64_t *ext_seq, uint32_t *ts)
{
    if (m->epoch != o->epoch)
        follow_epoch(m, o, p, random);
    if (p->ext_seq < m->first)
        return false;
    *ext_seq = p->ext_seq + m->seq_shift;
    *ts = p->rtp_ts + m->ts_shift;
    if (*ext_seq > m->top) {
        m->top = *ext_seq;
        m->top_ts = *ts;
        m->top_us = p->arrival_us;
    }
    return true;
}

/* ---- key frames ---- */

void pl_stream_keys_want(pl_stream_keys *k)
{
    k->wanted = true;
    k->n_wanted++;
}

bool pl_stream_keys_due(pl_stream_keys *k, int64_t now_us)
{
    if (now_us < pl_stream_keys_next_us(k))
        return false;
    k->wanted = false;
    k->asked_us = now_us;
    k->n_asked++;
    return true;
}

int64_t pl_stream_keys_next_us(const pl_stream_keys *k)
{
    if (!k->wanted)
        return PL_NEVER;
    return k->asked_us ? k->asked_us + PL_STREAM_KEY_US : 0;
}
