#include "relay/wheel.h"

#include <stddef.h>

enum { SECOND_US = 1000000, MASK = RELAY_WHEEL_SLOTS - 1 };

void relay_wheel_init(relay_wheel *w, int64_t now_us)
{
    *w = (relay_wheel){ .second = now_us / SECOND_US };
}

/* Seconds from the one after w->second to the first slot with a timer in it. */
static int64_t ahead(const relay_wheel *w)
{
    for (int64_t i = 1; i < RELAY_WHEEL_SLOTS;) {
        unsigned at = (unsigned)((w->second + i) & MASK);
        uint64_t word = w->used[at / 64] >> at % 64;
        if (word)
            return i + __builtin_ctzll(word);
        i += 64 - at % 64;
    }
    return RELAY_WHEEL_SLOTS;
}

/* Seconds without timers go by unnoticed; a new timer has to start from now. */
static void catch_up(relay_wheel *w, int64_t now_s)
{
    if (w->second >= now_s)
        return;
    int64_t before = w->n ? w->second + ahead(w) - 1 : now_s;
    w->second = before < now_s ? before : now_s;
}

void relay_wheel_set(relay_wheel *w, relay_timer *t, int64_t now_us, int64_t at_us)
{
    relay_wheel_stop(w, t);
    catch_up(w, now_us / SECOND_US);
    int64_t second = at_us / SECOND_US + (at_us % SECOND_US != 0);
    if (second <= w->second)
        second = w->second + 1;
    if (second - w->second >= RELAY_WHEEL_SLOTS)
        second = w->second + RELAY_WHEEL_SLOTS - 1;
    t->slot = (uint16_t)(second & MASK);
    relay_timer **head = &w->slot[t->slot];
    t->next = *head;
    if (t->next)
        t->next->back = &t->next;
    t->back = head;
    *head = t;
    w->used[t->slot / 64] |= UINT64_C(1) << t->slot % 64;
    w->n++;
}

void relay_wheel_stop(relay_wheel *w, relay_timer *t)
{
    if (!t->back)
        return;
    *t->back = t->next;
    if (t->next)
        t->next->back = t->back;
    t->back = NULL;
    t->next = NULL;
    if (!w->slot[t->slot])
        w->used[t->slot / 64] &= ~(UINT64_C(1) << t->slot % 64);
    w->n--;
}

relay_timer *relay_wheel_fire(relay_wheel *w, int64_t now_us)
{
    int64_t now_s = now_us / SECOND_US;
    while (w->n && w->second < now_s) {
        int64_t next = w->second + ahead(w);
        if (next > now_s)
            break;
        relay_timer *t = w->slot[next & MASK];
        relay_wheel_stop(w, t);
        /* Stay before this second while it holds more, so that a timer set meanwhile comes after it. */
        w->second = w->slot[next & MASK] ? next - 1 : next;
        return t;
    }
    if (w->second < now_s)
        w->second = now_s;
    return NULL;
}

int64_t relay_wheel_next_us(const relay_wheel *w)
{
    return w->n ? (w->second + ahead(w)) * SECOND_US : PL_NEVER;
}
