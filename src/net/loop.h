/* loop.h - what rooms above see of a loop beyond peerline/loop.h: its time, its timers, its wake-ups.
 * Shape    timers live in their owners and are linked into one heap a loop; one timerfd (microseconds where
 *          the system has them) serves them all. A zeroed pl_timer with fn and arg set is an idle one.
 * Units    microseconds of a monotonic clock with an arbitrary start.
 * Thread   the owner's (see peerline/loop.h), except pl_clock_us, pl_wall_us and pl_wake_up. */
#ifndef PL_NET_LOOP_H
#define PL_NET_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/shared.h"
#include "base/time.h"
#include "peerline/loop.h"

PL_SHARED_BEGIN

struct uv_loop_s;

/* The clock itself, and the calendar (microseconds since 1970 UTC). Any thread. */
int64_t pl_clock_us(void);
int64_t pl_wall_us(void);

/* The time of this iteration: read once when the loop wakes, the same for everything it then does. Outside
 * of an iteration of an application-driven loop it reads the clock. */
int64_t pl_loop_now_us(pl_loop *loop);

typedef struct pl_timer {
    pl_heap_node node; /* node.linked: it is set */
    void (*fn)(void *arg, int64_t now_us);
    void *arg;
} pl_timer;

/* fn will be called once, when at_us has come; PL_NEVER cancels. Setting a set timer moves it. fn may set it
 * again, set or cancel others, and free its owner after cancelling. A deadline that has passed is due in the
 * next iteration, so a timer cannot starve the sockets. */
void pl_timer_set(pl_loop *loop, pl_timer *t, int64_t at_us);
/* Cancelling one that is not set does nothing. */
void pl_timer_cancel(pl_loop *loop, pl_timer *t);

/* A wake-up that many threads may ring and that runs once: for "there is something in my ring".
 * Zero state plus loop, fn and arg. pl_wake_close before its memory goes (owner's thread; nobody may ring
 * any more). Ringing takes a lock only when the bell is silent. */
typedef struct pl_wake {
    pl_loop *loop;
    pl_loop_fn fn;
    void *arg;
    _Atomic bool rung;
} pl_wake;
pl_err pl_wake_up(pl_wake *w);
void pl_wake_close(pl_wake *w);

/* Drops every posted fn(arg) that has not run yet; returns how many. For owners that go away. */
unsigned pl_loop_forget(pl_loop *loop, pl_loop_fn fn, void *arg);

/* Runs h->fn before the loop goes to sleep, every iteration, until removed: the place to send what was
 * gathered. Adding an added one does nothing; it may remove itself inside the call. */
typedef struct pl_loop_hook {
    pl_node node; /* linked: it is added */
    void (*fn)(void *arg, int64_t now_us);
    void *arg;
} pl_loop_hook;
void pl_loop_hook_add(pl_loop *loop, pl_loop_hook *h);
void pl_loop_hook_remove(pl_loop_hook *h);

/* For servers that own their thread: while more than some 20,000 datagrams come in a second, the loop lets rest_us
 * pass before it looks for further ones, so that one wake-up serves several and those of one flow leave together
 * (net/rest.h). 0: never, the default. Owner's thread, or before it starts. */
void pl_loop_set_rest(pl_loop *loop, int64_t rest_us);

/* The libuv loop beneath, for libraries that bring their own handles (libwebsockets). They must be closed
 * before pl_loop_free. */
struct uv_loop_s *pl_loop_uv(pl_loop *loop);

PL_SHARED_END

#endif
