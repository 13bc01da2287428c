#include "rtp/rtcp_twcc.h"

#include <assert.h>

enum {
    NOT_RECEIVED = 0,
    SMALL_DELTA = 1, /* one byte, not negative */
    LARGE_DELTA = 2, /* two bytes, signed */
    RESERVED = 3,
    ONE_BIT_SYMBOLS = 14,
    TWO_BIT_SYMBOLS = 7,
    RUN_MAX = 0x1fff,
    TICK_US = 250,
    REF_US = 64000
};

/* Reading. A chunk is a run (0 SS LLLLLLLLLLLLL), 14 one-bit symbols (10 ...) or 7 two-bit ones (11 ...). */

static uint32_t chunk_symbols(uint16_t chunk)
{
    return !(chunk & 0x8000) ? chunk & RUN_MAX : chunk & 0x4000 ? TWO_BIT_SYMBOLS : ONE_BIT_SYMBOLS;
}

/* The symbol that has `left` symbols from itself to the end of its chunk. */
static unsigned chunk_symbol(uint16_t chunk, uint32_t left)
{
    if (!(chunk & 0x8000))
        return chunk >> 13 & 3;
    if (chunk & 0x4000)
        return chunk >> (2 * (left - 1)) & 3;
    return chunk >> (left - 1) & 1;
}

/* Adds the bytes of deltas that a chunk announces for its first n symbols; false for the reserved symbol. */
static bool add_delta_bytes(uint16_t chunk, uint32_t n, size_t *bytes)
{
    uint32_t all = chunk_symbols(chunk);
    if (!(chunk & 0x8000)) { /* a run: no need to count to 8191 */
        *bytes += (size_t)n * chunk_symbol(chunk, 1);
        return chunk_symbol(chunk, 1) != RESERVED;
    }
    for (uint32_t i = 0; i < n; i++) {
        unsigned symbol = chunk_symbol(chunk, all - i);
        if (symbol == RESERVED)
            return false;
        *bytes += symbol; /* the symbol's value is the delta's size */
    }
    return true;
}

pl_err pl_rtcp_twcc_parse(pl_rtcp_twcc *out, pl_rd body)
{
    *out = (pl_rtcp_twcc){ 0 };
    out->sender_ssrc = pl_rd_u32(&body);
    out->media_ssrc = pl_rd_u32(&body);
    out->base_seq = pl_rd_u16(&body);
    out->n = pl_rd_u16(&body);
    out->ref_time = pl_rd_u24(&body);
    out->fb_count = pl_rd_u8(&body);
    if (!pl_rd_ok(&body) || out->n == 0)
        return PL_EPROTO;
    out->chunks = body;
    size_t delta_bytes = 0;
    for (uint32_t i = 0; i < out->n;) {
        uint16_t chunk = pl_rd_u16(&body);
        uint32_t n = chunk_symbols(chunk), want = out->n - i;
        if (!pl_rd_ok(&body) || !add_delta_bytes(chunk, n < want ? n : want, &delta_bytes))
            return PL_EPROTO;
        i += n;
    }
    out->chunks.end = body.p;
    out->deltas = pl_rd_sub(&body, delta_bytes);
    out->at_us = (int64_t)out->ref_time * REF_US;
    return pl_rd_ok(&body) ? PL_OK : PL_EPROTO;
}

bool pl_rtcp_twcc_next(pl_rtcp_twcc *f, pl_rtcp_twcc_item *out)
{
    if (f->i == f->n)
        return false;
    while (f->run_left == 0 && pl_rd_left(&f->chunks) > 0) {
        f->chunk = pl_rd_u16(&f->chunks);
        f->run_left = chunk_symbols(f->chunk);
    }
    if (f->run_left == 0)
        return false;
    unsigned symbol = chunk_symbol(f->chunk, f->run_left--);
    if (symbol == SMALL_DELTA)
        f->at_us += pl_rd_u8(&f->deltas) * TICK_US;
    else if (symbol == LARGE_DELTA)
        f->at_us += (int16_t)pl_rd_u16(&f->deltas) * TICK_US;
    out->seq = (uint16_t)(f->base_seq + f->i++);
    out->received = symbol != NOT_RECEIVED;
    out->arrival_us = f->at_us;
    return true;
}

/* Writing. Symbols are held back until it is clear which kind of chunk takes most of them: a run as long as
 * all are equal, else 14 one-bit symbols as long as no delta is large, else 7 two-bit ones. */

typedef struct chunker {
    uint8_t symbol[ONE_BIT_SYMBOLS]; /* the first of those that wait */
    uint32_t n;
    bool same, large;
    uint8_t *out; /* chunks done */
    size_t n_chunks;
} chunker;

static bool chunk_takes(const chunker *c, uint8_t symbol)
{
    if (c->n < TWO_BIT_SYMBOLS)
        return true;
    if (c->n < ONE_BIT_SYMBOLS && !c->large && symbol != LARGE_DELTA)
        return true;
    return c->n < RUN_MAX && c->same && symbol == c->symbol[0];
}

static uint16_t encode_chunk(const chunker *c, uint32_t *used)
{
    *used = c->n;
    if (c->same)
        return (uint16_t)(c->symbol[0] << 13 | c->n);
    uint16_t chunk = 0;
    if (c->n > TWO_BIT_SYMBOLS && !c->large) {
        for (uint32_t i = 0; i < c->n; i++)
            chunk |= (uint16_t)(c->symbol[i] << (ONE_BIT_SYMBOLS - 1 - i));
        return chunk | 0x8000;
    }
    *used = c->n < TWO_BIT_SYMBOLS ? c->n : TWO_BIT_SYMBOLS;
    for (uint32_t i = 0; i < *used; i++)
        chunk |= (uint16_t)(c->symbol[i] << (2 * (TWO_BIT_SYMBOLS - 1 - i)));
    return chunk | 0xc000;
}

/* Encodes what waits, or as much of it as one chunk takes. With fewer than 14 one-bit symbols and more to
 * come, 7 go as two-bit ones, so that none of the places is left empty in the middle. */
static void flush_chunk(chunker *c, bool last)
{
    uint32_t used;
    if (!last && !c->same && c->n < ONE_BIT_SYMBOLS)
        c->large = true;
    pl_put16(c->out + 2 * c->n_chunks++, encode_chunk(c, &used));
    uint32_t left = c->n - used;
    chunker rest = { .out = c->out, .n_chunks = c->n_chunks, .n = left, .same = true };
    for (uint32_t i = 0; i < left; i++) {
        rest.symbol[i] = c->symbol[used + i];
        rest.same &= rest.symbol[i] == rest.symbol[0];
        rest.large |= rest.symbol[i] == LARGE_DELTA;
    }
    *c = rest;
}

static void add_symbol(chunker *c, uint8_t symbol)
{
    while (!chunk_takes(c, symbol))
        flush_chunk(c, false);
    if (c->n == 0)
        c->same = true, c->large = false;
    if (c->n < ONE_BIT_SYMBOLS)
        c->symbol[c->n] = symbol;
    c->same = c->same && symbol == c->symbol[0];
    c->large |= symbol == LARGE_DELTA;
    c->n++;
}

/* Nearest tick, so that errors do not add up: each delta starts from what the peer has computed so far. */
static int64_t ticks_since(int64_t arrival_us, int64_t peer_us)
{
    int64_t d = arrival_us - peer_us;
    return (d >= 0 ? d + TICK_US / 2 : d - TICK_US / 2) / TICK_US;
}

static uint8_t symbol_of(int64_t ticks)
{
    return ticks >= 0 && ticks <= 255 ? SMALL_DELTA : LARGE_DELTA;
}

static void put_deltas(uint8_t *at, int64_t peer_us, const pl_twcc_arrival *a, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int64_t ticks = ticks_since(a[i].arrival_us, peer_us);
        peer_us += ticks * TICK_US;
        if (symbol_of(ticks) == SMALL_DELTA) {
            *at++ = (uint8_t)ticks;
        } else {
            pl_put16(at, (uint16_t)(int16_t)ticks);
            at += 2;
        }
    }
}

size_t pl_rtcp_twcc_write(pl_wr *w, uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t fb_count,
                          int64_t base_seq, const pl_twcc_arrival *a, size_t n)
{
    assert(n > 0 && a[0].seq >= base_seq);
    size_t room = pl_wr_ok(w) ? pl_wr_left(w) & ~(size_t)3 : 0, taken = 0, delta_bytes = 0;
    if (room < PL_TWCC_HEADER_LEN)
        return 0;
    uint64_t ref = (uint64_t)a[0].arrival_us / REF_US;
    int64_t start_us = (int64_t)ref * REF_US, peer_us = start_us, seq = base_seq;
    chunker c = { .out = w->p + PL_TWCC_HEADER_LEN };
    for (; taken < n; taken++) {
        int64_t ticks = ticks_since(a[taken].arrival_us, peer_us), gap = a[taken].seq - seq;
        /* The worst that this arrival and the gap before it can add: chunks for what waits and the gap. */
        size_t chunks = c.n_chunks + 4 + (size_t)gap / RUN_MAX;
        uint8_t symbol = symbol_of(ticks);
        if (a[taken].seq - base_seq >= UINT16_MAX || ticks > INT16_MAX || ticks < INT16_MIN ||
            PL_TWCC_HEADER_LEN + 2 * chunks + delta_bytes + symbol > room)
            break;
        for (; seq < a[taken].seq; seq++)
            add_symbol(&c, NOT_RECEIVED);
        add_symbol(&c, symbol);
        seq++;
        delta_bytes += symbol;
        peer_us += ticks * TICK_US;
    }
    if (taken == 0)
        return 0;
    while (c.n > 0)
        flush_chunk(&c, true);
    size_t body = 2 * c.n_chunks + delta_bytes;
    uint8_t *at = pl_rtcp_make(w, PL_RTPFB_TWCC, PL_RTCP_RTPFB, (PL_TWCC_HEADER_LEN + body + 3) & ~(size_t)3);
    assert(at);
    pl_put32(at + 4, sender_ssrc);
    pl_put32(at + 8, media_ssrc);
    pl_put16(at + 12, (uint16_t)base_seq);
    pl_put16(at + 14, (uint16_t)(seq - base_seq));
    pl_put32(at + 16, (uint32_t)(ref & 0xffffff) << 8 | fb_count);
    put_deltas(at + PL_TWCC_HEADER_LEN + 2 * c.n_chunks, start_us, a, taken);
    for (uint8_t *pad = at + PL_TWCC_HEADER_LEN + body; pad < w->p; pad++)
        *pad = 0;
    return taken;
}
