#include "sctp/scheduler.h"

#include "base/list.h"

enum {
    PRIORITY_SHIFT = 47, /* turns below, priorities above */
    TIE_SHIFT = 10       /* accounts above; below, the order of those whose accounts are equal */
};

void pl_sctp_turns_init(pl_sctp_turns *t, pl_sctp_scheduler kind)
{
    *t = (pl_sctp_turns){ .kind = kind == PL_SCTP_SCHEDULER_DEFAULT ? PL_SCTP_SCHEDULER_FAIR : kind };
}

static int64_t priority(const pl_sctp_turn *turn)
{
    return turn->priority ? turn->priority : PL_SCTP_PRIORITY_NORMAL;
}

static int64_t price(const pl_sctp_turn *turn, size_t bytes)
{
    if (turn->priority == 0 ||
        turn->priority == PL_SCTP_PRIORITY_NORMAL) /* most, and worth sparing a division */
        return (int64_t)bytes * (PL_SCTP_TURN_SCALE / PL_SCTP_PRIORITY_NORMAL);
    return ((int64_t)bytes * PL_SCTP_TURN_SCALE + priority(turn) - 1) / priority(turn);
}

/* Of equals the weightier goes first. */
static int64_t tie(const pl_sctp_turn *turn)
{
    enum { MOST = (1 << TIE_SHIFT) - 1 };
    return priority(turn) / 2 < MOST ? MOST - priority(turn) / 2 : 0;
}

/* Where a stream stands that gets in line now: the smaller, the sooner. */
static int64_t key(pl_sctp_turns *t, const pl_sctp_turn *turn)
{
    switch (t->kind) {
    case PL_SCTP_SCHEDULER_ROUND_ROBIN: return t->n_turns++;
    case PL_SCTP_SCHEDULER_PRIORITY: return (UINT16_MAX - priority(turn)) << PRIORITY_SHIFT | t->n_turns++;
    default: return turn->owed << TIE_SHIFT | tie(turn);
    }
}

/* Before the row changes, for each who stands in it has paid for a part of what was sent. */
static void settle(pl_sctp_turns *t)
{
    if (t->weight > 0)
        t->even += (int64_t)t->unpaid * PL_SCTP_TURN_SCALE / t->weight;
    t->unpaid = 0;
}

/* An account in this era's time. What was paid for in an earlier one is not counted any more. */
static void into_this_era(const pl_sctp_turns *t, pl_sctp_turn *turn)
{
    uint32_t behind = t->era - turn->era;
    turn->era = t->era;
    for (; behind > 0 && turn->owed > 0; behind--)
        turn->owed -= PL_SCTP_TURN_ERA;
    if (turn->owed < 0)
        turn->owed = 0;
}

static int64_t set_back(int64_t at)
{
    return at > PL_SCTP_TURN_ERA ? at - PL_SCTP_TURN_ERA : 0;
}

/* Nobody in the row stands below the clock, so all have come as far. */
static void begin_era(pl_sctp_turns *t)
{
    settle(t);
    pl_heap before = t->heap;
    t->heap = (pl_heap){ 0 };
    t->era++;
    t->now = set_back(t->now);
    t->even = set_back(t->even);
    t->latest = set_back(t->latest);
    for (pl_heap_node *n; (n = pl_heap_first(&before));) {
        pl_sctp_turn *turn = pl_of(n, pl_sctp_turn, in_turns);
        pl_heap_remove(&before, n);
        into_this_era(t, turn);
        pl_heap_set(&t->heap, n, key(t, turn));
    }
}

void pl_sctp_turns_join(pl_sctp_turns *t, pl_sctp_turn *turn)
{
    if (turn->in_turns.linked)
        return;
    settle(t);
    into_this_era(t, turn);
    const pl_sctp_turn *first = pl_sctp_turns_next(t);
    if (first && turn->owed <= t->even && turn->owed > first->owed)
        turn->owed = first->owed;
    if (turn->owed < t->now)
        turn->owed = t->now;
    t->weight += priority(turn);
    t->even += (turn->owed - t->even) * priority(turn) / t->weight;
    pl_heap_set(&t->heap, &turn->in_turns, key(t, turn));
}

void pl_sctp_turns_leave(pl_sctp_turns *t, pl_sctp_turn *turn)
{
    if (!turn->in_turns.linked)
        return;
    settle(t);
    pl_heap_remove(&t->heap, &turn->in_turns);
    t->weight -= priority(turn);
    if (t->weight > 0)
        t->even += (t->even - turn->owed) * priority(turn) / t->weight;
    else
        t->now = t->even = t->latest; /* everybody has had what there was: nobody owes anything */
}

pl_sctp_turn *pl_sctp_turns_next(const pl_sctp_turns *t)
{
    pl_heap_node *n = pl_heap_first(&t->heap);
    return n ? pl_of(n, pl_sctp_turn, in_turns) : NULL;
}

void pl_sctp_turns_begin(pl_sctp_turns *t, const pl_sctp_turn *turn)
{
    if (turn->owed > t->now)
        t->now = turn->owed;
}

void pl_sctp_turns_charge(pl_sctp_turns *t, pl_sctp_turn *turn, size_t bytes)
{
    turn->owed += price(turn, bytes);
    t->unpaid += bytes;
    if (turn->owed > t->latest)
        t->latest = turn->owed;
}

void pl_sctp_turns_pass(pl_sctp_turns *t, pl_sctp_turn *turn)
{
    bool alone = pl_heap_first(&t->heap) == &turn->in_turns && !turn->in_turns.child;
    if (alone)
        turn->in_turns.at_us = key(t, turn);
    else if (turn->in_turns.linked)
        pl_heap_set(&t->heap, &turn->in_turns, key(t, turn));
    if (t->kind == PL_SCTP_SCHEDULER_FAIR && t->now > PL_SCTP_TURN_ERA)
        begin_era(t);
}

void pl_sctp_turns_set_priority(pl_sctp_turns *t, pl_sctp_turn *turn, uint16_t to)
{
    bool linked = turn->in_turns.linked;
    pl_sctp_turns_leave(t, turn);
    turn->priority = to;
    if (linked)
        pl_sctp_turns_join(t, turn);
}
