/* frame_buffer.c - a window of packets by sequence number; its left edge is the first packet not yet used up.
 * Whatever stands at the left edge decides what happens next: a whole frame is given out or, if it needs what
 * was lost, dropped; a gap is waited for, then crossed. */
#include "video/frame_buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/seq.h"
#include "base/time.h"

enum { WINDOW = PL_FRAME_BUFFER_PACKETS, SEQ_NONE = -1 };

typedef enum slot_state { SLOT_EMPTY, SLOT_DATA, SLOT_PADDING } slot_state;

typedef struct slot {
    int64_t ext_seq;
    int64_t arrival_us;
    uint32_t rtp_ts;
    int32_t picture_id;
    int16_t tl0_pic_idx;
    uint16_t len;
    uint8_t state; /* slot_state */
    uint8_t pt, temporal_id;
    bool first, key, marker, layer_sync, picture_id_long;
    uint8_t data[PL_MEDIA_PAYLOAD_MAX];
} slot;

struct pl_frame_buffer {
    slot *window;         /* WINDOW of them, by ext_seq modulo WINDOW */
    uint8_t *assembly;    /* one frame in one piece */
    bool has_seq, has_ts; /* a packet came; a frame was given out, so timestamps can be unwrapped */
    bool begun;           /* the left edge is where a frame ended, not where we happened to begin */
    uint32_t ssrc;
    int64_t next_seq, high_seq; /* left edge; newest seen */
    bool needs_key;
    bool
        upper_lost; /* a frame above the base layer is missing: only the base and layer switches are usable */
    int32_t last_picture_id;
    bool last_picture_id_long;
    int16_t last_tl0;
    int64_t last_ext_ts;
    int64_t patience_us, deadline_us;
    pl_frame_buffer_count count;
};

typedef struct extent {
    int64_t end_seq; /* last packet of the frame, or the missing one */
    bool whole;
} extent;

pl_err pl_frame_buffer_new(pl_frame_buffer **out)
{
    *out = NULL;
    pl_frame_buffer *b = calloc(1, sizeof *b);
    if (!b)
        return PL_ENOMEM;
    b->window = calloc(WINDOW, sizeof *b->window);
    b->assembly = malloc((size_t)WINDOW * PL_MEDIA_PAYLOAD_MAX);
    if (!b->window || !b->assembly) {
        pl_frame_buffer_free(b);
        return PL_ENOMEM;
    }
    b->needs_key = true;
    b->last_picture_id = -1;
    b->last_tl0 = -1;
    b->patience_us = PL_FRAME_WAIT_MIN_US;
    b->deadline_us = PL_NEVER;
    *out = b;
    return PL_OK;
}

void pl_frame_buffer_free(pl_frame_buffer *b)
{
    if (!b)
        return;
    free(b->window);
    free(b->assembly);
    free(b);
}

void pl_frame_buffer_rtt(pl_frame_buffer *b, int64_t rtt_us)
{
    int64_t us = 3 * rtt_us;
    b->patience_us = us < PL_FRAME_WAIT_MIN_US   ? PL_FRAME_WAIT_MIN_US
                     : us > PL_FRAME_WAIT_MAX_US ? PL_FRAME_WAIT_MAX_US
                                                 : us;
}

static slot *at(const pl_frame_buffer *b, int64_t ext_seq)
{
    return &b->window[(uint64_t)ext_seq % WINDOW];
}

/* The packet of that number, or NULL. */
static const slot *have(const pl_frame_buffer *b, int64_t ext_seq)
{
    const slot *s = at(b, ext_seq);
    return s->state != SLOT_EMPTY && s->ext_seq == ext_seq ? s : NULL;
}

/* Moves the left edge; what was not used is dropped. */
static void skip_to(pl_frame_buffer *b, int64_t seq)
{
    int64_t stop = seq - b->next_seq > WINDOW ? b->next_seq + WINDOW : seq;
    for (int64_t i = b->next_seq; i < stop; i++) {
        slot *s = at(b, i);
        if (s->state == SLOT_DATA && s->first)
            b->count.n_dropped++;
        s->state = SLOT_EMPTY;
    }
    b->next_seq = seq;
}

static void start_over(pl_frame_buffer *b, const pl_media_packet *p)
{
    if (b->has_seq)
        skip_to(b, b->next_seq + WINDOW);
    b->has_seq = true;
    b->begun = false;
    b->has_ts = false;
    b->needs_key = true;
    b->upper_lost = false;
    b->last_picture_id = -1;
    b->last_tl0 = -1;
    b->ssrc = p->ssrc;
    b->next_seq = b->high_seq = p->ext_seq;
}

/* Makes the window reach ext_seq. False: it lies behind the left edge. */
static bool make_room(pl_frame_buffer *b, int64_t ext_seq)
{
    if (ext_seq < b->next_seq) {
        /* Before the first frame the edge is only where we happened to begin. */
        if (b->begun || b->high_seq - ext_seq >= WINDOW)
            return false;
        b->next_seq = ext_seq;
    }
    if (ext_seq - b->next_seq >= WINDOW) {
        b->count.n_overflow++;
        b->needs_key = true;
        skip_to(b, ext_seq - WINDOW + 1);
    }
    b->high_seq = ext_seq > b->high_seq ? ext_seq : b->high_seq;
    return true;
}

static void fill(slot *s, const pl_media_packet *p, const pl_payload_info *info)
{
    s->ext_seq = p->ext_seq;
    s->arrival_us = p->arrival_us;
    s->rtp_ts = p->rtp_ts;
    s->pt = p->pt;
    s->marker = p->marker;
    s->state = info->len ? SLOT_DATA : SLOT_PADDING;
    s->picture_id = info->picture_id;
    s->picture_id_long = info->picture_id_long;
    s->tl0_pic_idx = info->tl0_pic_idx;
    s->temporal_id = info->temporal_id;
    s->layer_sync = info->layer_sync;
    s->first = info->first;
    s->key = info->key;
    s->len = (uint16_t)info->len;
    if (info->len)
        memcpy(s->data, info->data, info->len);
}

void pl_frame_buffer_insert(pl_frame_buffer *b, const pl_payload_format *format, const pl_media_packet *p)
{
    pl_payload_info info = { .picture_id = -1, .tl0_pic_idx = -1 };
    b->count.n_packets++;
    if (p->len > PL_MEDIA_PAYLOAD_MAX || (p->len && format->parse(&info, p->payload, p->len))) {
        b->count.n_malformed++;
        return;
    }
    if (!b->has_seq || p->ssrc != b->ssrc)
        start_over(b, p);
    if (!make_room(b, p->ext_seq))
        b->count.n_late++;
    else if (have(b, p->ext_seq))
        b->count.n_duplicate++;
    else
        fill(at(b, p->ext_seq), p, &info);
}

/* How far the frame that begins at `seq` reaches. It ends with its marker, or where another time begins. */
static extent measure(const pl_frame_buffer *b, int64_t seq)
{
    uint32_t rtp_ts = have(b, seq)->rtp_ts;
    for (int64_t i = seq; i < seq + WINDOW; i++) {
        const slot *s = have(b, i);
        if (!s)
            return (extent){ i, false };
        if (s->state == SLOT_DATA && i > seq && (s->rtp_ts != rtp_ts || s->first))
            return (extent){ i - 1, true };
        if (s->marker)
            return (extent){ i, true };
    }
    return (extent){ seq + WINDOW - 1, true };
}

/* The first packet after a gap, or NULL. */
static const slot *after_gap(const pl_frame_buffer *b, int64_t gap)
{
    for (int64_t i = gap + 1; i <= b->high_seq; i++) {
        const slot *s = have(b, i);
        if (s)
            return s;
    }
    return NULL;
}

/* The next picture's number: the gap before it held nothing (padding that was not passed on to us). */
static bool follows(const pl_frame_buffer *b, const slot *s)
{
    if (!s->first || s->picture_id < 0 || b->last_picture_id < 0 ||
        s->picture_id_long != b->last_picture_id_long)
        return false;
    return s->picture_id == ((b->last_picture_id + 1) & (s->picture_id_long ? 0x7fff : 0x7f));
}

/* RFC 7741 4.2, TL0PICIDX: the base layer needs the base frame before it alone, and a layer switch (Y) needs
 * the last base frame alone. */
static bool stands_on_base(const pl_frame_buffer *b, const slot *s)
{
    if (s->tl0_pic_idx < 0 || b->last_tl0 < 0)
        return false;
    if (s->temporal_id == 0)
        return s->tl0_pic_idx == ((b->last_tl0 + 1) & 0xff);
    return s->layer_sync && s->tl0_pic_idx == b->last_tl0;
}

static bool usable(const pl_frame_buffer *b, const slot *s)
{
    if (s->key)
        return true;
    if (b->needs_key)
        return false;
    return !b->upper_lost || s->temporal_id == 0 || stands_on_base(b, s);
}

/* The first whole frame behind the gap that `fits`, or SEQ_NONE. */
static int64_t find_whole(const pl_frame_buffer *b, int64_t gap,
                          bool (*fits)(const pl_frame_buffer *, const slot *))
{
    for (int64_t i = gap + 1; i <= b->high_seq; i++) {
        const slot *s = have(b, i);
        if (s && s->state == SLOT_DATA && s->first && fits(b, s) && measure(b, i).whole)
            return i;
    }
    return SEQ_NONE;
}

static bool is_key(const pl_frame_buffer *b, const slot *s)
{
    (void)b;
    return s->key;
}

/* Patience is over: on with the base layer if there are layers, otherwise nothing helps but a key frame. */
static void abandon(pl_frame_buffer *b, int64_t gap, const slot *beyond)
{
    b->count.n_gaps_abandoned++;
    int64_t base = b->needs_key ? SEQ_NONE : find_whole(b, gap, stands_on_base);
    if (base != SEQ_NONE) {
        b->upper_lost = true;
        skip_to(b, base);
        return;
    }
    b->needs_key = true;
    skip_to(b, beyond->ext_seq);
}

/* A packet is missing. True: the left edge has moved on. */
static bool cross_gap(pl_frame_buffer *b, int64_t now_us, int64_t gap)
{
    const slot *beyond = after_gap(b, gap);
    if (!beyond)
        return false; /* not missing, only not sent yet */
    if (gap == b->next_seq && !b->needs_key && follows(b, beyond)) {
        skip_to(b, beyond->ext_seq);
        return true;
    }
    bool over = now_us - beyond->arrival_us >= b->patience_us;
    int64_t key = b->needs_key || over ? find_whole(b, gap, is_key) : SEQ_NONE;
    if (key != SEQ_NONE)
        skip_to(b, key);
    else if (over)
        abandon(b, gap, beyond);
    else
        b->deadline_us = beyond->arrival_us + b->patience_us;
    return key != SEQ_NONE || over;
}

/* What stands at the left edge needs what came before it: it is dropped, unless the stream only begins and what
 * came before may just be late. True: the left edge has moved on. */
static bool drop_orphan(pl_frame_buffer *b, int64_t now_us, const slot *s, int64_t to_seq)
{
    if (b->begun || now_us - s->arrival_us >= b->patience_us) {
        b->needs_key = true;
        skip_to(b, to_seq);
        return true;
    }
    int64_t key = find_whole(b, b->next_seq, is_key);
    if (key != SEQ_NONE)
        skip_to(b, key);
    else
        b->deadline_us = s->arrival_us + b->patience_us;
    return key != SEQ_NONE;
}

/* A frame above the base layer without what it builds on: nothing else needs it. */
static bool drop_upper(pl_frame_buffer *b, int64_t to_seq)
{
    skip_to(b, to_seq);
    return true;
}

/* Works at the left edge until a usable frame stands there whole. Every turn moves the edge or ends. */
static bool advance(pl_frame_buffer *b, int64_t now_us, extent *frame)
{
    b->deadline_us = PL_NEVER;
    while (b->has_seq && b->next_seq <= b->high_seq) {
        const slot *s = have(b, b->next_seq);
        if (!s) {
            if (!cross_gap(b, now_us, b->next_seq))
                return false;
            continue;
        }
        if (s->state == SLOT_PADDING) {
            skip_to(b, b->next_seq + 1);
            continue;
        }
        if (!s->first) {
            if (!drop_orphan(b, now_us, s, b->next_seq + 1))
                return false;
            continue;
        }
        *frame = measure(b, b->next_seq);
        if (frame->whole && usable(b, s))
            return true;
        bool moved;
        if (b->needs_key && !s->key)
            moved = drop_orphan(b, now_us, s, frame->end_seq + frame->whole);
        else if (frame->whole)
            moved = drop_upper(b, frame->end_seq + 1);
        else
            moved = cross_gap(b, now_us, frame->end_seq);
        if (!moved)
            return false;
    }
    return false;
}

static void describe(const pl_frame_buffer *b, const extent *e, pl_frame *out)
{
    const slot *s = have(b, b->next_seq);
    *out = (pl_frame){ .pt = s->pt, .key = s->key, .temporal_id = s->temporal_id, .rtp_ts = s->rtp_ts };
    out->ext_ts =
        b->has_ts ? pl_seq32_unwrap(b->last_ext_ts, s->rtp_ts) : (int64_t)s->rtp_ts + ((int64_t)1 << 32);
    out->first_us = out->complete_us = s->arrival_us;
    out->last_seq = e->end_seq;
    for (int64_t i = b->next_seq; i <= e->end_seq; i++) {
        const slot *part = have(b, i);
        out->first_us = pl_min_us(out->first_us, part->arrival_us);
        out->complete_us = pl_max_us(out->complete_us, part->arrival_us);
        out->len += part->len;
    }
}

bool pl_frame_buffer_peek(pl_frame_buffer *b, int64_t now_us, pl_frame *out)
{
    extent e;
    if (!advance(b, now_us, &e))
        return false;
    describe(b, &e, out);
    return true;
}

static void put_together(pl_frame_buffer *b, const extent *e)
{
    size_t n = 0;
    for (int64_t i = b->next_seq; i <= e->end_seq; i++) {
        slot *s = at(b, i);
        memcpy(b->assembly + n, s->data, s->len);
        n += s->len;
        s->state = SLOT_EMPTY;
    }
    b->next_seq = e->end_seq + 1;
}

static void remember(pl_frame_buffer *b, const slot *s, const pl_frame *f)
{
    b->begun = true;
    b->needs_key = false;
    if (s->key || s->layer_sync)
        b->upper_lost = false;
    b->last_picture_id = s->picture_id;
    b->last_picture_id_long = s->picture_id_long;
    if (s->temporal_id == 0)
        b->last_tl0 = s->tl0_pic_idx;
    b->has_ts = true;
    b->last_ext_ts = f->ext_ts;
    b->count.n_frames++;
    b->count.n_key_frames += s->key;
}

bool pl_frame_buffer_next(pl_frame_buffer *b, int64_t now_us, pl_frame *out)
{
    extent e;
    if (!advance(b, now_us, &e))
        return false;
    describe(b, &e, out);
    remember(b, have(b, b->next_seq), out);
    put_together(b, &e);
    out->data = b->assembly;
    return true;
}

void pl_frame_buffer_broken(pl_frame_buffer *b)
{
    b->needs_key = true;
}

static bool key_is_coming(const pl_frame_buffer *b)
{
    for (int64_t i = b->next_seq; i <= b->high_seq; i++) {
        const slot *s = have(b, i);
        if (s && s->first && s->key)
            return true;
    }
    return false;
}

bool pl_frame_buffer_wants_key(const pl_frame_buffer *b)
{
    return b->needs_key && !(b->has_seq && key_is_coming(b));
}

int64_t pl_frame_buffer_next_us(const pl_frame_buffer *b)
{
    return b->deadline_us;
}

const pl_frame_buffer_count *pl_frame_buffer_counts(const pl_frame_buffer *b)
{
    return &b->count;
}

void pl_frame_buffer_check(const pl_frame_buffer *b)
{
    assert(b->patience_us >= PL_FRAME_WAIT_MIN_US && b->patience_us <= PL_FRAME_WAIT_MAX_US);
    assert(!b->begun || b->has_seq);
    assert(!b->has_seq || b->high_seq - b->next_seq < WINDOW);
    for (int i = 0; i < WINDOW; i++) {
        const slot *s = &b->window[i];
        if (s->state == SLOT_EMPTY)
            continue;
        assert(s->ext_seq >= b->next_seq);
        assert(s->ext_seq <= b->high_seq);
        assert((uint64_t)s->ext_seq % WINDOW == (uint64_t)i);
        assert(s->len <= PL_MEDIA_PAYLOAD_MAX);
    }
}
