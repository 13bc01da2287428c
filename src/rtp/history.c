#include "rtp/history.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/seq.h"
#include "base/time.h"
#include "rtp/header.h"

enum { SLOTS_MIN = 64, PADDING_REACH = 32, LATE_REACH = 32, FIRST_RTT_US = 100000 };

struct pl_history_chunk {
    pl_history_chunk *next;
    uint32_t used, n_packets;
    uint8_t data[PL_HISTORY_CHUNK];
};

struct pl_history_slot {
    pl_history_chunk *chunk; /* NULL: no packet with this number */
    uint16_t at, len;
    int64_t sent_us;
    int64_t resent_us; /* 0: never */
};

void pl_rtp_history_init(pl_rtp_history *h)
{
    *h = (pl_rtp_history){ .rtt_us = FIRST_RTT_US };
}

static pl_history_slot *slot_of(const pl_rtp_history *h, int64_t ext_seq)
{
    return &h->slot[ext_seq & (h->n_slots - 1)];
}

static int64_t keep_us(const pl_rtp_history *h)
{
    return pl_min_us(pl_max_us(PL_HISTORY_KEEP_US, 3 * h->rtt_us), PL_HISTORY_KEEP_MAX_US);
}

/* Packets lie in the chunks in the order in which they are forgotten, so chunks empty from the oldest on. */
static void release_empty_chunks(pl_rtp_history *h)
{
    while (h->oldest && h->oldest->n_packets == 0 && h->oldest != h->newest) {
        pl_history_chunk *c = h->oldest;
        h->oldest = c->next;
        if (h->spare)
            free(c);
        else
            h->spare = c;
    }
    if (h->newest && h->newest->n_packets == 0)
        h->newest->used = 0;
}

static void forget_first(pl_rtp_history *h)
{
    pl_history_slot *s = slot_of(h, h->first++);
    if (s->chunk)
        s->chunk->n_packets--;
    *s = (pl_history_slot){ 0 };
    release_empty_chunks(h);
}

static void forget_all(pl_rtp_history *h)
{
    while (h->first < h->next)
        forget_first(h);
}

static void free_memory(pl_rtp_history *h)
{
    forget_all(h);
    assert(h->oldest == h->newest);
    free(h->newest);
    free(h->spare);
    free(h->slot);
    h->oldest = h->newest = h->spare = NULL;
    h->slot = NULL;
    h->n_slots = 0;
}

void pl_rtp_history_clear(pl_rtp_history *h)
{
    free_memory(h);
    *h = (pl_rtp_history){ 0 };
}

void pl_rtp_history_rtt(pl_rtp_history *h, int64_t rtt_us)
{
    if (rtt_us > 0)
        h->rtt_us = rtt_us;
}

static bool too_old(const pl_rtp_history *h, int64_t now_us)
{
    const pl_history_slot *s = slot_of(h, h->first);
    return !s->chunk || now_us - s->sent_us > keep_us(h);
}

static void forget_old(pl_rtp_history *h, int64_t now_us)
{
    while (h->first < h->next && too_old(h, now_us))
        forget_first(h);
}

/* Twice the slots; false at the maximum or without memory. */
static bool grow_slots(pl_rtp_history *h)
{
    uint32_t n = h->n_slots ? h->n_slots * 2 : SLOTS_MIN;
    if (n > PL_HISTORY_PACKETS_MAX)
        return false;
    pl_history_slot *slot = calloc(n, sizeof *slot);
    if (!slot)
        return false;
    for (int64_t seq = h->first; seq < h->next; seq++)
        slot[seq & (n - 1)] = *slot_of(h, seq);
    free(h->slot);
    h->slot = slot;
    h->n_slots = n;
    return true;
}

/* Room for len bytes at the end of the newest chunk. */
static pl_history_chunk *chunk_with_room(pl_rtp_history *h, size_t len)
{
    if (h->newest && PL_HISTORY_CHUNK - h->newest->used >= len)
        return h->newest;
    pl_history_chunk *c = h->spare ? h->spare : malloc(sizeof *c);
    if (!c)
        return NULL;
    h->spare = NULL;
    c->next = NULL;
    c->used = c->n_packets = 0;
    if (h->newest)
        h->newest->next = c;
    else
        h->oldest = c;
    h->newest = c;
    release_empty_chunks(h);
    return c;
}

static bool fills_gap(const pl_rtp_history *h, int64_t ext)
{
    return ext >= h->first && ext < h->next && !slot_of(h, ext)->chunk;
}

static bool comes_too_late(const pl_rtp_history *h, int64_t ext)
{
    return h->next != 0 && ext < h->first && ext >= h->first - LATE_REACH;
}

/* The unwrapped number of the packet to put. One far from the others begins a new series, as does one that is there
 * already. */
static int64_t place(pl_rtp_history *h, uint16_t seq)
{
    int64_t ext = pl_seq16_unwrap(h->next, seq);
    if (fills_gap(h, ext) || comes_too_late(h, ext))
        return ext;
    if (h->next == 0 || ext < h->next || ext - h->next >= PL_HISTORY_PACKETS_MAX) {
        forget_all(h);
        ext = ((h->next >> 16) + 1) << 16 | seq;
        h->first = h->next = ext;
    }
    return ext;
}

pl_err pl_rtp_history_put(pl_rtp_history *h, int64_t now_us, const uint8_t *pkt, size_t len)
{
    if (len < PL_RTP_HEADER_MIN || len > PL_HISTORY_LEN_MAX)
        return PL_ENOSPC;
    int64_t ext = place(h, pl_rtp_seq(pkt));
    forget_old(h, now_us);
    if (ext < h->first) /* what came before and after it has been forgotten */
        return PL_OK;
    while (ext - h->first >= h->n_slots) {
        if (grow_slots(h))
            continue;
        if (h->n_slots == 0)
            return PL_ENOMEM;
        if (h->first == h->next)
            h->first = h->next = ext;
        else
            forget_first(h);
    }
    if (h->first == h->next)
        h->first = ext;
    if (ext >= h->next)
        h->next = ext + 1; /* numbers in between have empty slots */
    pl_history_chunk *c = chunk_with_room(h, len);
    if (!c)
        return PL_ENOMEM;
    memcpy(c->data + c->used, pkt, len);
    *slot_of(h, ext) =
        (pl_history_slot){ .chunk = c, .at = (uint16_t)c->used, .len = (uint16_t)len, .sent_us = now_us };
    c->used += (uint32_t)len;
    c->n_packets++;
    return PL_OK;
}

const uint8_t *pl_rtp_history_resend(pl_rtp_history *h, int64_t now_us, uint16_t seq, size_t *len)
{
    *len = 0;
    int64_t ext = h->next > 0 ? pl_seq16_unwrap(h->next - 1, seq) : 0;
    pl_history_slot *s = ext >= h->first && ext < h->next ? slot_of(h, ext) : NULL;
    if (!s || !s->chunk || now_us - s->sent_us > keep_us(h)) {
        h->n_missed++;
        return NULL;
    }
    if (s->resent_us && now_us - s->resent_us < h->rtt_us) {
        h->n_too_soon++;
        return NULL;
    }
    s->resent_us = now_us;
    *len = s->len;
    return s->chunk->data + s->at;
}

const uint8_t *pl_rtp_history_padding(pl_rtp_history *h, size_t max_len, size_t *len)
{
    *len = 0;
    for (int64_t seq = h->next - 1; seq >= h->first && seq >= h->next - PADDING_REACH; seq--) {
        const pl_history_slot *s = slot_of(h, seq);
        if (s->chunk && s->len <= max_len) {
            *len = s->len;
            return s->chunk->data + s->at;
        }
    }
    return NULL;
}

void pl_rtp_history_tick(pl_rtp_history *h, int64_t now_us)
{
    forget_old(h, now_us);
    if (h->first == h->next) {
        free_memory(h);
    } else {
        free(h->spare);
        h->spare = NULL;
    }
}

size_t pl_rtp_history_bytes(const pl_rtp_history *h)
{
    size_t n = h->n_slots * sizeof *h->slot + (h->spare ? sizeof *h->spare : 0);
    for (const pl_history_chunk *c = h->oldest; c; c = c->next)
        n += sizeof *c;
    return n;
}

void pl_rtp_history_check(const pl_rtp_history *h)
{
    assert(h->first <= h->next);
    assert(h->next - h->first <= h->n_slots);
    assert((h->oldest == NULL) == (h->newest == NULL));
    size_t in_slots = 0, in_chunks = 0;
    for (int64_t seq = h->first; seq < h->next; seq++)
        in_slots += slot_of(h, seq)->chunk != NULL;
    for (const pl_history_chunk *c = h->oldest; c; c = c->next) {
        assert(c->used <= PL_HISTORY_CHUNK);
        assert(c->next || c == h->newest);
        in_chunks += c->n_packets;
    }
    assert(in_slots == in_chunks);
}
