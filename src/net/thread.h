/* thread.h - threads, locks and the check that an object stays on its own thread.
 * Shape    values inside their owners; init and clear (or start and join) match. Locks guard mailboxes and
 *          the hand-over to media threads; nothing on the packet path takes one.
 * Errors   PL_EIO when the machine has no more threads. Misuse (a lock taken twice) aborts in debug builds.
 */
#ifndef PL_NET_THREAD_H
#define PL_NET_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/shared.h"
#include "peerline/error.h"
#include "peerline/loop.h"

PL_SHARED_BEGIN

typedef struct pl_thread {
    pthread_t id;
    bool running; /* started and not yet joined */
} pl_thread;

/* name: up to 15 characters that debuggers and `top -H` show; copied. */
PL_NODISCARD pl_err pl_thread_start(pl_thread *th, const char *name, void (*fn)(void *arg), void *arg);
/* One that nobody waits for and that ends by itself, or with the process. */
PL_NODISCARD pl_err pl_thread_start_detached(const char *name, void (*fn)(void *arg), void *arg);
/* Waits for its end. One that was never started is fine. */
void pl_thread_join(pl_thread *th);
bool pl_thread_is_here(const pl_thread *th);
/* Asks for a scheduling class fit for audio; the machine may refuse (then PL_EIO, and nothing changes). For
 * the calling thread. */
pl_err pl_thread_make_urgent(void);
void pl_thread_sleep_us(int64_t us);
/* Processors this process may use; at least 1. */
unsigned pl_thread_processors(void);

typedef struct pl_mutex {
    pthread_mutex_t m;
} pl_mutex;

/* For one that stands alone: static pl_mutex m = PL_MUTEX_INIT. */
#define PL_MUTEX_INIT                                                                                        \
    {                                                                                                        \
        PTHREAD_MUTEX_INITIALIZER                                                                            \
    }
void pl_mutex_init(pl_mutex *m);
void pl_mutex_clear(pl_mutex *m);
void pl_mutex_lock(pl_mutex *m);
void pl_mutex_unlock(pl_mutex *m);

typedef struct pl_cond {
    pthread_cond_t c;
} pl_cond;

void pl_cond_init(pl_cond *c);
void pl_cond_clear(pl_cond *c);
void pl_cond_wait(pl_cond *c, pl_mutex *m);
/* until_us is on pl_clock_us; false when that time came first. May wake without cause, as all of them do. */
bool pl_cond_wait_until(pl_cond *c, pl_mutex *m, int64_t until_us);
void pl_cond_signal(pl_cond *c);
void pl_cond_broadcast(pl_cond *c);

typedef struct pl_sem { /* a lock and a condition, because unnamed POSIX semaphores are not everywhere */
    pl_mutex m;
    pl_cond c;
    unsigned value;
} pl_sem;

void pl_sem_init(pl_sem *s, unsigned value);
void pl_sem_clear(pl_sem *s);
void pl_sem_post(pl_sem *s);
void pl_sem_wait(pl_sem *s);
bool pl_sem_wait_until(pl_sem *s, int64_t until_us); /* on pl_clock_us; false when that time came first */

/* Opens every verb of an object that lives on a loop: a call from the wrong thread aborts a debug build. */
#ifdef NDEBUG
#define PL_OWNED(loop) ((void)0)
#else
#define PL_OWNED(loop) (pl_loop_is_here(loop) ? (void)0 : pl_thread_wrong(__func__))
#endif
_Noreturn void pl_thread_wrong(const char *func);

PL_SHARED_END

#endif
