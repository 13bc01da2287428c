#include "rtp/twcc.h"

#include <stdlib.h>

#include "base/seq.h"
#include "base/time.h"

enum {
    RING_MIN = 128,
    FIRST_SEQ = 0x10000,  /* unwrapping starts here: room below for reordering at the start */
    BATCH = 256,          /* arrivals looked at for one feedback packet */
    GATHER_US = 20000,    /* a packet after silence waits so long for company */
    AWAITED_US = 5000000, /* feedback that has not come by then never will */
    RATE_WINDOW_US = 500000,
    FEEDBACK_BITS = 768, /* of a usual feedback packet with everything below it */
    FEEDBACK_SHARE = 20  /* feedback may take a twentieth of what it reports on */
};

/* Receiver */

void pl_twcc_rx_init(pl_twcc_rx *r)
{
    *r = (pl_twcc_rx){ .next_us = PL_NEVER, .interval_us = PL_TWCC_INTERVAL_MIN_US };
}

void pl_twcc_rx_clear(pl_twcc_rx *r)
{
    free(r->arrival_us);
    pl_twcc_rx_init(r);
}

static int64_t *arrival_of(const pl_twcc_rx *r, int64_t seq)
{
    return &r->arrival_us[seq & (r->cap - 1)];
}

static bool grow_arrivals(pl_twcc_rx *r)
{
    uint32_t cap = r->cap ? r->cap * 2 : RING_MIN;
    int64_t *ring = cap <= PL_TWCC_RX_MAX ? malloc(cap * sizeof *ring) : NULL;
    if (!ring)
        return false;
    for (int64_t seq = r->kept; seq < r->next; seq++)
        ring[seq & (cap - 1)] = *arrival_of(r, seq);
    free(r->arrival_us);
    r->arrival_us = ring;
    r->cap = cap;
    return true;
}

/* Makes [kept, end) fit the ring: what was reported already goes first, then the ring grows, and in the end
 * the oldest stay unreported. */
static bool make_room(pl_twcc_rx *r, int64_t end)
{
    while (end - r->kept > r->cap) {
        int64_t over = end - r->kept - r->cap;
        if (r->kept + over <= r->base && r->cap > 0)
            r->kept += over;
        else if (!grow_arrivals(r) && r->cap > 0)
            r->kept = r->base = r->kept + over;
        else if (r->cap == 0)
            return false;
    }
    return true;
}

static void measure_interval(pl_twcc_rx *r, int64_t now_us, size_t len)
{
    r->window_bytes += len;
    int64_t span_us = now_us - r->window_us;
    if (span_us < RATE_WINDOW_US)
        return;
    int64_t rate_bps = (int64_t)(r->window_bytes * 8 * 1000000 / (uint64_t)span_us);
    int64_t us = (int64_t)FEEDBACK_BITS * FEEDBACK_SHARE * 1000000 / pl_max_us(rate_bps, 1);
    r->interval_us = pl_min_us(pl_max_us(us, PL_TWCC_INTERVAL_MIN_US), PL_TWCC_INTERVAL_MAX_US);
    r->window_us = now_us;
    r->window_bytes = 0;
}

/* Begins anew where the numbers have jumped out of reach. */
static void restart_rx(pl_twcc_rx *r, int64_t seq)
{
    r->base = r->next = r->kept = seq;
    r->started = true;
}

void pl_twcc_rx_packet(pl_twcc_rx *r, int64_t arrival_us, uint16_t seq16, uint32_t ssrc, size_t len)
{
    int64_t seq = r->started ? pl_seq16_unwrap(r->next - 1, seq16) : FIRST_SEQ + seq16;
    if (!r->started || seq - r->next > PL_TWCC_RX_MAX)
        restart_rx(r, seq);
    measure_interval(r, arrival_us, len);
    if (seq < r->kept && r->next - seq > r->cap)
        return; /* too late to be reported */
    if (!make_room(r, seq + 1))
        return;
    for (; r->kept > seq; r->kept--)
        *arrival_of(r, r->kept - 1) = PL_NEVER;
    for (; r->next <= seq; r->next++)
        *arrival_of(r, r->next) = PL_NEVER;
    if (*arrival_of(r, seq) != PL_NEVER)
        return; /* a copy: the first one counts */
    *arrival_of(r, seq) = arrival_us;
    r->base = pl_min_us(r->base, seq); /* late: the feedback goes back to it, and the sender skips the rest */
    r->media_ssrc = ssrc;
    if (r->next_us == PL_NEVER)
        r->next_us = pl_max_us(arrival_us + GATHER_US, r->sent_us + r->interval_us);
}

int64_t pl_twcc_rx_next_us(const pl_twcc_rx *r)
{
    return r->next_us;
}

bool pl_twcc_rx_poll(pl_twcc_rx *r, int64_t now_us, uint32_t sender_ssrc, pl_wr *w)
{
    if (r->next_us == PL_NEVER || now_us < r->next_us)
        return false;
    pl_twcc_arrival a[BATCH];
    size_t n = 0;
    for (int64_t seq = r->base; seq < r->next && n < BATCH; seq++)
        if (*arrival_of(r, seq) != PL_NEVER)
            a[n++] = (pl_twcc_arrival){ .seq = seq, .arrival_us = *arrival_of(r, seq) };
    size_t taken = n ? pl_rtcp_twcc_write(w, sender_ssrc, r->media_ssrc, r->fb_count, r->base, a, n) : 0;
    if (n > 0 && taken == 0)
        return false;
    r->base = taken < n ? a[taken - 1].seq + 1 : n == BATCH ? a[n - 1].seq + 1 : r->next;
    if (r->base == r->next) {
        r->next_us = PL_NEVER;
        r->sent_us = now_us;
    }
    r->fb_count = (uint8_t)(r->fb_count + (taken > 0));
    return taken > 0;
}

/* Sender */

typedef enum sent_state { SENT_NONE, SENT_IN_FLIGHT, SENT_UNREPORTED, SENT_LOST, SENT_ACKED } sent_state;

struct pl_twcc_sent {
    int64_t sent_us;
    uint16_t len;
    uint8_t probe;
    uint8_t state; /* sent_state */
};

void pl_twcc_tx_init(pl_twcc_tx *t)
{
    *t = (pl_twcc_tx){ .next = FIRST_SEQ, .first = FIRST_SEQ, .settled = FIRST_SEQ };
}

void pl_twcc_tx_clear(pl_twcc_tx *t)
{
    free(t->sent);
    pl_twcc_tx_init(t);
}

static pl_twcc_sent *sent_of(const pl_twcc_tx *t, int64_t seq)
{
    return &t->sent[seq & (t->cap - 1)];
}

static void set_state(pl_twcc_tx *t, pl_twcc_sent *s, sent_state to)
{
    if (s->state == SENT_IN_FLIGHT)
        t->in_flight -= s->len;
    s->state = (uint8_t)to;
}

static bool grow_sent(pl_twcc_tx *t)
{
    uint32_t cap = t->cap ? t->cap * 2 : RING_MIN;
    pl_twcc_sent *ring = cap <= PL_TWCC_TX_MAX ? calloc(cap, sizeof *ring) : NULL;
    if (!ring)
        return false;
    for (int64_t seq = t->first; seq < t->next; seq++)
        ring[seq & (cap - 1)] = *sent_of(t, seq);
    free(t->sent);
    t->sent = ring;
    t->cap = cap;
    return true;
}

uint16_t pl_twcc_tx_sent(pl_twcc_tx *t, int64_t now_us, size_t len, uint8_t probe)
{
    if (t->next - t->first == t->cap) {
        /* The ring is full. Grow when its oldest is still awaited, else let it go. */
        const pl_twcc_sent *oldest = t->cap ? sent_of(t, t->first) : NULL;
        if (!oldest || (oldest->state == SENT_IN_FLIGHT && now_us - oldest->sent_us < AWAITED_US))
            (void)grow_sent(t);
        if (t->cap > 0 && t->next - t->first == t->cap) {
            set_state(t, sent_of(t, t->first), SENT_NONE);
            t->first++;
        }
    }
    int64_t seq = t->next++;
    if (t->cap == 0) {
        t->first = t->settled = t->next; /* no memory: this one goes unrecorded */
        return (uint16_t)seq;
    }
    uint16_t size = (uint16_t)(len > UINT16_MAX ? UINT16_MAX : len);
    *sent_of(t, seq) =
        (pl_twcc_sent){ .sent_us = now_us, .len = size, .probe = probe, .state = SENT_IN_FLIGHT };
    t->in_flight += size;
    return (uint16_t)seq;
}

/* Packets before those a feedback reports on were in one that got lost: no longer in flight, fate unknown. */
static void settle_before(pl_twcc_tx *t, int64_t seq)
{
    t->settled = pl_max_us(t->settled, t->first);
    for (; t->settled < seq && t->settled < t->next; t->settled++) {
        pl_twcc_sent *s = sent_of(t, t->settled);
        if (s->state == SENT_IN_FLIGHT)
            set_state(t, s, SENT_UNREPORTED);
    }
}

void pl_twcc_tx_feedback(pl_twcc_tx *t, const pl_rtcp_twcc *fb)
{
    uint32_t diff = (fb->ref_time - t->ref_time) & 0xffffff;
    int64_t step = (int64_t)(int32_t)(diff ^ 0x800000) - 0x800000; /* 24 bits, signed */
    t->ref_us = t->has_fb ? t->ref_us + step * 64000 : (int64_t)fb->ref_time * 64000;
    t->ref_time = fb->ref_time;
    uint8_t skipped = (uint8_t)(fb->fb_count - t->fb_count - 1);
    if (t->has_fb && skipped < 0x80)
        t->n_fb_missed += skipped;
    t->fb_count = fb->fb_count;
    t->has_fb = true;
    t->n_fb++;
    settle_before(t, pl_seq16_unwrap(t->next - 1, fb->base_seq));
}

bool pl_twcc_tx_next(pl_twcc_tx *t, pl_rtcp_twcc *fb, pl_twcc_result *out)
{
    pl_rtcp_twcc_item item;
    while (pl_rtcp_twcc_next(fb, &item)) {
        int64_t seq = pl_seq16_unwrap(t->next - 1, item.seq);
        if (seq < t->first || seq >= t->next)
            continue;
        pl_twcc_sent *s = sent_of(t, seq);
        if (s->state == SENT_NONE || s->state == SENT_ACKED || (!item.received && s->state == SENT_LOST))
            continue;
        *out = (pl_twcc_result){ .seq = seq, .sent_us = s->sent_us, .len = s->len, .probe = s->probe };
        out->was_lost = s->state == SENT_LOST;
        out->arrival_us =
            item.received ? item.arrival_us - (int64_t)fb->ref_time * 64000 + t->ref_us : PL_NEVER;
        set_state(t, s, item.received ? SENT_ACKED : SENT_LOST);
        return true;
    }
    return false;
}
