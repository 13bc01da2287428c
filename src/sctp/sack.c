#include "sctp/sack.h"

#include <assert.h>
#include <stdlib.h>

#include "base/seq.h"
#include "base/time.h"

enum { BITS_LEAST = 256, WORD = 64 };

void pl_sctp_sack_init(pl_sctp_sack *s, uint32_t initial_tsn, int64_t delay_us)
{
    *s = (pl_sctp_sack){ .cumulative_tsn = initial_tsn - 1,
                         .highest_tsn = initial_tsn - 1,
                         .delay_us = delay_us,
                         .due_us = PL_NEVER };
}

void pl_sctp_sack_clear(pl_sctp_sack *s)
{
    free(s->bits);
    pl_sctp_sack_init(s, s->cumulative_tsn + 1, s->delay_us);
}

static uint64_t *word_of(const pl_sctp_sack *s, uint32_t tsn)
{
    return &s->bits[(tsn & (s->n_bits - 1)) / WORD];
}
static uint64_t bit_of(uint32_t tsn)
{
    return (uint64_t)1 << tsn % WORD;
}

bool pl_sctp_sack_has(const pl_sctp_sack *s, uint32_t tsn)
{
    if (!pl_seq32_newer(tsn, s->cumulative_tsn))
        return true;
    return pl_seq32_at_least(s->highest_tsn, tsn) && (*word_of(s, tsn) & bit_of(tsn));
}

pl_sctp_tsn_is pl_sctp_sack_look(pl_sctp_sack *s, uint32_t tsn)
{
    if (pl_sctp_sack_has(s, tsn)) {
        if (s->n_duplicates < PL_SCTP_DUPLICATES_MAX)
            s->duplicate[s->n_duplicates++] = tsn;
        return PL_SCTP_TSN_DUPLICATE;
    }
    return tsn - s->cumulative_tsn <= PL_SCTP_AHEAD_MAX ? PL_SCTP_TSN_NEW : PL_SCTP_TSN_TOO_FAR;
}

/* In the common case the TSN is the next one and nothing waits beyond it: no bits are needed. */
static bool is_plain_next(const pl_sctp_sack *s, uint32_t tsn)
{
    return tsn == s->cumulative_tsn + 1 && s->highest_tsn == s->cumulative_tsn;
}

pl_err pl_sctp_sack_reserve(pl_sctp_sack *s, uint32_t tsn)
{
    if (is_plain_next(s, tsn) || tsn - s->cumulative_tsn <= s->n_bits)
        return PL_OK;
    uint32_t n_bits = s->n_bits ? s->n_bits : BITS_LEAST;
    while (tsn - s->cumulative_tsn > n_bits)
        n_bits *= 2;
    assert(n_bits <= PL_SCTP_AHEAD_MAX);
    uint64_t *bits = calloc(n_bits / WORD, sizeof *bits);
    if (!bits)
        return PL_ENOMEM;
    pl_sctp_sack bigger = *s;
    bigger.bits = bits;
    bigger.n_bits = n_bits;
    for (uint32_t t = s->cumulative_tsn + 1; pl_seq32_at_least(s->highest_tsn, t); t++) {
        if (*word_of(s, t) & bit_of(t))
            *word_of(&bigger, t) |= bit_of(t);
    }
    free(s->bits);
    *s = bigger;
    return PL_OK;
}

static void move_over_received(pl_sctp_sack *s)
{
    while (s->highest_tsn != s->cumulative_tsn) {
        uint32_t next = s->cumulative_tsn + 1;
        if (!(*word_of(s, next) & bit_of(next)))
            return;
        *word_of(s, next) &= ~bit_of(next);
        s->cumulative_tsn = next;
    }
}

void pl_sctp_sack_add(pl_sctp_sack *s, uint32_t tsn)
{
    if (is_plain_next(s, tsn)) {
        s->cumulative_tsn = s->highest_tsn = tsn;
        return;
    }
    *word_of(s, tsn) |= bit_of(tsn);
    if (pl_seq32_newer(tsn, s->highest_tsn))
        s->highest_tsn = tsn;
    move_over_received(s);
}

void pl_sctp_sack_renege(pl_sctp_sack *s, uint32_t tsn)
{
    *word_of(s, tsn) &= ~bit_of(tsn);
    while (s->highest_tsn != s->cumulative_tsn && !pl_sctp_sack_has(s, s->highest_tsn))
        s->highest_tsn--;
}

void pl_sctp_sack_forward(pl_sctp_sack *s, uint32_t tsn)
{
    if (!pl_seq32_newer(tsn, s->cumulative_tsn))
        return;
    for (uint32_t t = s->cumulative_tsn + 1;
         pl_seq32_at_least(tsn, t) && pl_seq32_at_least(s->highest_tsn, t); t++)
        *word_of(s, t) &= ~bit_of(t);
    s->cumulative_tsn = tsn;
    if (pl_seq32_newer(tsn, s->highest_tsn))
        s->highest_tsn = tsn;
    move_over_received(s);
}

void pl_sctp_sack_packet(pl_sctp_sack *s, int64_t now_us, bool at_once)
{
    bool gaps = s->highest_tsn != s->cumulative_tsn;
    bool filled = s->had_gaps && !gaps; /* the sender waits to hear it */
    s->n_packets++;
    if (at_once || gaps || filled || s->n_duplicates > 0 || s->n_packets >= PL_SCTP_SACK_EVERY)
        s->due_us = now_us;
    else
        s->due_us = pl_min_us(s->due_us, now_us + s->delay_us);
}

/* The first TSN from `tsn` on, before `end`, whose bit is as asked; else end. */
static uint32_t scan(const pl_sctp_sack *s, uint32_t tsn, uint32_t end, bool set)
{
    while (pl_seq32_newer(end, tsn)) {
        uint64_t word = *word_of(s, tsn);
        word = (set ? word : ~word) >> tsn % WORD;
        if (word) {
            tsn += (uint32_t)__builtin_ctzll(word);
            break;
        }
        tsn += WORD - tsn % WORD;
    }
    return pl_seq32_newer(end, tsn) ? tsn : end;
}

static size_t write_gaps(const pl_sctp_sack *s, pl_wr *w)
{
    size_t n = 0;
    uint32_t end = s->highest_tsn + 1;
    for (uint32_t tsn = s->cumulative_tsn + 1; pl_wr_left(w) >= 4; n++) {
        uint32_t start = scan(s, tsn, end, true);
        if (start == end)
            break;
        tsn = scan(s, start, end, false);
        pl_wr_u16(w, (uint16_t)(start - s->cumulative_tsn));
        pl_wr_u16(w, (uint16_t)(tsn - 1 - s->cumulative_tsn));
    }
    return n;
}

void pl_sctp_sack_write(pl_sctp_sack *s, pl_wr *w, uint32_t a_rwnd)
{
    size_t chunk = pl_sctp_chunk_begin(w, PL_SCTP_SACK, 0);
    pl_wr_u32(w, s->cumulative_tsn);
    pl_wr_u32(w, a_rwnd);
    size_t counts = pl_wr_mark(w);
    pl_wr_u32(w, 0);
    size_t n_gaps = write_gaps(s, w), n_duplicates = 0;
    for (; n_duplicates < s->n_duplicates && pl_wr_left(w) >= 4; n_duplicates++)
        pl_wr_u32(w, s->duplicate[n_duplicates]);
    pl_wr_patch16(w, counts, (uint16_t)n_gaps);
    pl_wr_patch16(w, counts + 2, (uint16_t)n_duplicates);
    pl_sctp_chunk_end(w, chunk);
    s->n_duplicates = 0;
    s->n_packets = 0;
    s->had_gaps = n_gaps > 0;
    s->due_us = PL_NEVER;
}

size_t pl_sctp_sack_size(const pl_sctp_sack *s)
{
    enum { GAPS_WANTED = 32 }; /* enough beside data; a SACK that goes alone takes what there is */
    size_t gaps = s->highest_tsn == s->cumulative_tsn ? 0 : GAPS_WANTED;
    return PL_SCTP_SACK_HEADER + 4 * (gaps + s->n_duplicates);
}

void pl_sctp_sack_check(const pl_sctp_sack *s)
{
    assert(pl_seq32_at_least(s->highest_tsn, s->cumulative_tsn));
    assert(s->highest_tsn - s->cumulative_tsn <= s->n_bits || s->highest_tsn == s->cumulative_tsn);
    if (s->highest_tsn != s->cumulative_tsn) {
        assert(!pl_sctp_sack_has(s, s->cumulative_tsn + 1));
        assert(pl_sctp_sack_has(s, s->highest_tsn));
    }
}
