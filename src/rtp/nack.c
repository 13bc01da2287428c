#include "rtp/nack.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum {
    MISSING_MIN = 32,
    REORDER_US = 10000,
    MAX_AGE_US = 1000000,
    FIRST_RTT_US = 100000,
    RETRY_MIN_US = 20000
};

struct pl_nack_missing {
    int64_t ext_seq;
    int64_t since_us;
    int64_t ask_us; /* next request */
    uint8_t tries;
};

void pl_nack_init(pl_nack *n, const pl_nack_conf *conf)
{
    *n = (pl_nack){ .conf = *conf, .rtt_us = FIRST_RTT_US, .next_us = PL_NEVER };
    if (n->conf.reorder_us <= 0)
        n->conf.reorder_us = REORDER_US;
    if (n->conf.max_age_us <= 0)
        n->conf.max_age_us = MAX_AGE_US;
}

static void release(pl_nack *n)
{
    free(n->missing);
    n->missing = NULL;
    n->n = n->cap = 0;
    n->next_us = PL_NEVER;
}

void pl_nack_clear(pl_nack *n)
{
    release(n);
    *n = (pl_nack){ .next_us = PL_NEVER };
}

void pl_nack_rtt(pl_nack *n, int64_t rtt_us)
{
    if (rtt_us > 0)
        n->rtt_us = rtt_us;
}

static void give_up(pl_nack *n, uint64_t n_packets)
{
    n->n_given_up += n_packets;
    n->want_key |= n->conf.wants_key;
}

static bool reserve(pl_nack *n, uint32_t want)
{
    uint32_t cap = n->cap ? n->cap : MISSING_MIN;
    while (cap < want)
        cap *= 2;
    if (cap == n->cap)
        return true;
    pl_nack_missing *m = realloc(n->missing, cap * sizeof *m);
    if (!m)
        return false;
    n->missing = m;
    n->cap = cap;
    return true;
}

/* The numbers between the newest packet and a newer one. */
static void add_gap(pl_nack *n, int64_t now_us, int64_t from, int64_t to)
{
    uint32_t gap = (uint32_t)(to - from);
    if (n->n + gap > PL_NACK_MISSING_MAX) {
        give_up(n, n->n + gap);
        release(n);
        return;
    }
    if (!reserve(n, n->n + gap)) {
        give_up(n, gap);
        return;
    }
    int64_t ask_us = now_us + n->conf.reorder_us;
    for (int64_t seq = from; seq < to; seq++)
        n->missing[n->n++] = (pl_nack_missing){ .ext_seq = seq, .since_us = now_us, .ask_us = ask_us };
    n->next_us = pl_min_us(n->next_us, ask_us);
}

/* Index of the first entry that is not below ext_seq. */
static uint32_t lower_bound(const pl_nack *n, int64_t ext_seq)
{
    uint32_t lo = 0, hi = n->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (n->missing[mid].ext_seq < ext_seq)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void remove_range(pl_nack *n, uint32_t at, uint32_t count)
{
    if (count == 0)
        return;
    memmove(n->missing + at, n->missing + at + count, (n->n - at - count) * sizeof *n->missing);
    n->n -= count;
    if (n->n == 0)
        release(n);
}

static void found(pl_nack *n, int64_t ext_seq)
{
    uint32_t i = lower_bound(n, ext_seq);
    if (i == n->n || n->missing[i].ext_seq != ext_seq)
        return;
    n->n_recovered += n->missing[i].tries > 0;
    remove_range(n, i, 1);
}

void pl_nack_packet(pl_nack *n, int64_t now_us, int64_t ext_seq)
{
    if (!n->started) {
        n->started = true;
        n->top = ext_seq;
    } else if (ext_seq < n->top) {
        found(n, ext_seq);
    } else if (ext_seq - n->top > PL_NACK_JUMP_MAX) {
        give_up(n, n->n);
        release(n);
        n->top = ext_seq;
    } else if (ext_seq > n->top) {
        if (ext_seq > n->top + 1)
            add_gap(n, now_us, n->top + 1, ext_seq);
        n->top = ext_seq;
    }
}

int64_t pl_nack_next_us(const pl_nack *n)
{
    return n->n > 0 ? n->next_us : PL_NEVER;
}

/* Puts a number into the last item or a new one; false when there is no room. */
static bool add_item(pl_nack_item *item, size_t cap, size_t *n_items, uint16_t seq)
{
    if (*n_items > 0) {
        pl_nack_item *last = &item[*n_items - 1];
        uint16_t behind = (uint16_t)(seq - last->pid);
        if (behind >= 1 && behind <= 16) {
            last->blp |= (uint16_t)(1u << (behind - 1));
            return true;
        }
    }
    if (*n_items == cap)
        return false;
    item[(*n_items)++] = (pl_nack_item){ .pid = seq };
    return true;
}

size_t pl_nack_poll(pl_nack *n, int64_t now_us, pl_nack_item *item, size_t cap)
{
    if (now_us < pl_nack_next_us(n))
        return 0;
    size_t n_items = 0;
    uint32_t kept = 0;
    int64_t retry_us = pl_max_us(n->rtt_us + n->rtt_us / 4, RETRY_MIN_US);
    n->next_us = PL_NEVER;
    for (uint32_t i = 0; i < n->n; i++) {
        pl_nack_missing m = n->missing[i];
        bool due = m.ask_us <= now_us;
        if (due && (m.tries >= PL_NACK_TRIES_MAX || now_us - m.since_us >= n->conf.max_age_us)) {
            give_up(n, 1);
            continue;
        }
        if (due && add_item(item, cap, &n_items, (uint16_t)m.ext_seq)) {
            m.tries++;
            m.ask_us = now_us + retry_us;
            n->n_requests++;
        }
        n->missing[kept++] = m;
        n->next_us = pl_min_us(n->next_us, m.ask_us);
    }
    n->n = kept;
    if (kept == 0)
        release(n);
    return n_items;
}

bool pl_nack_poll_key(pl_nack *n)
{
    bool want = n->want_key;
    n->want_key = false;
    return want;
}

void pl_nack_check(const pl_nack *n)
{
    assert(n->n <= n->cap && n->n <= PL_NACK_MISSING_MAX);
    assert((n->cap == 0) == (n->missing == NULL));
    for (uint32_t i = 0; i < n->n; i++) {
        assert(n->missing[i].ext_seq < n->top);
        assert(i == 0 || n->missing[i - 1].ext_seq < n->missing[i].ext_seq);
        assert(n->missing[i].ask_us >= n->next_us);
    }
}
