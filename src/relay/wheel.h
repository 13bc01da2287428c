/* wheel.h - deadlines in whole seconds, O(1) each: what a relay waits for is a lifetime, and lifetimes are seconds.
 * Shape    one slot a second, for more than the longest lifetime; intrusive timers, zero state legal ("not set").
 *          A later deadline need not be told: when the timer fires early, its owner sets it again. So a refresh
 *          costs nothing here, and the loop wakes at most once a second.
 * Thread   its relay's. */
#ifndef PL_RELAY_WHEEL_H
#define PL_RELAY_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum { RELAY_WHEEL_SLOTS = 4096 /* seconds; beyond it a timer fires early */ };

typedef enum relay_timer_kind {
    RELAY_TIMER_ALLOC,
    RELAY_TIMER_RESERVATION,
    RELAY_TIMER_LINK
} relay_timer_kind;

typedef struct relay_timer {
    struct relay_timer *next, **back; /* back NULL: not set */
    uint16_t slot;
    uint8_t kind;
} relay_timer;

typedef struct relay_wheel {
    int64_t second; /* all up to this one has fired */
    uint64_t used[RELAY_WHEEL_SLOTS / 64];
    relay_timer *slot[RELAY_WHEEL_SLOTS];
    unsigned n;
} relay_wheel;

void relay_wheel_init(relay_wheel *w, int64_t now_us);
/* Fires at the first full second at or after at_us. */
void relay_wheel_set(relay_wheel *w, relay_timer *t, int64_t now_us, int64_t at_us);
void relay_wheel_stop(relay_wheel *w, relay_timer *t);
/* The next timer whose second has come, stopped; NULL: no more at now_us. */
relay_timer *relay_wheel_fire(relay_wheel *w, int64_t now_us);
int64_t relay_wheel_next_us(const relay_wheel *w); /* PL_NEVER: none is set */

#endif
