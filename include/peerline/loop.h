/* loop.h - where everything of a connection happens: one thread with its sockets and timers.
 * Two ways to use it:
 *   own thread      pl_loop_new, pl_loop_start ... pl_loop_stop, pl_loop_free. The library's thread runs it.
 *   no thread       pl_loop_new, then the application polls pl_loop_fd for reading, at most
 *                   pl_loop_timeout_us long, and calls pl_loop_run_once. Everything happens inside that call.
 * Thread   pl_loop_post, pl_loop_call and pl_loop_is_here may be called from any thread at any time until
 *          pl_loop_free; the others from the owner: the loop's own thread while it is started, else the
 *          thread that made it, stopped it or last called pl_loop_run_once. */
#ifndef PEERLINE_LOOP_H
#define PEERLINE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "peerline/error.h"
#include "peerline/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pl_loop pl_loop;
typedef void (*pl_loop_fn)(void *arg);

typedef struct pl_loop_conf {
    const char *name; /* of the thread, up to 15 characters, copied; NULL: "peerline" */
} pl_loop_conf;

enum { PL_LOOP_POSTS_MAX = 65536 }; /* functions posted and not yet run */

/* Makes a loop that does not run yet. conf may be NULL. *out is the caller's, for pl_loop_free.
 * Errors: PL_ENOMEM; PL_EIO when the machine has no more file descriptors. */
PL_API PL_NODISCARD pl_err pl_loop_new(pl_loop **out, const pl_loop_conf *conf);

/* Stops the loop if it runs, runs what was posted and not yet run, and frees it. What lives on the loop
 * (connections, servers) must have been freed before. NULL is fine. Not from inside a callback. */
PL_API void pl_loop_free(pl_loop *loop);

/* Starts the loop's own thread, which owns the loop from now on.
 * Errors: PL_ESTATE when it runs already, PL_EIO when no thread can be made. */
PL_API PL_NODISCARD pl_err pl_loop_start(pl_loop *loop);

/* Ends the thread once everything posted before has run, waits for it, and gives the loop to the calling
 * thread. Does nothing when it was not started. Not from the loop's own thread. */
PL_API void pl_loop_stop(pl_loop *loop);

/* A descriptor that becomes readable when pl_loop_run_once has something to do; it stays the same and
 * belongs to the loop. Timers make it readable too. -1 where the system has none. */
PL_API int pl_loop_fd(const pl_loop *loop);

/* Microseconds until pl_loop_run_once must be called even when the descriptor is silent; 0: at once;
 * INT64_MAX: no need. Ask again after every run: it also tells the kernel about new sockets. */
PL_API int64_t pl_loop_timeout_us(pl_loop *loop);

/* Waits up to timeout_us (0: not at all; negative: as long as it takes) for sockets, timers and posts, runs
 * what is due, and returns. Errors: PL_ESTATE when the loop has a thread of its own, or from a callback. */
PL_API pl_err pl_loop_run_once(pl_loop *loop, int64_t timeout_us);

/* Runs fn(arg) on the loop soon, in the order of posting, never inside this call.
 * Errors: PL_ENOSPC with PL_LOOP_POSTS_MAX waiting, PL_ENOMEM; then fn will not run. */
PL_API PL_NODISCARD pl_err pl_loop_post(pl_loop *loop, pl_loop_fn fn, void *arg);

/* Runs fn(arg) on the loop and returns when it has returned: directly when this is the owner's thread.
 * With an application-driven loop another thread waits here until the application runs the loop.
 * Errors: as pl_loop_post. */
PL_API PL_NODISCARD pl_err pl_loop_call(pl_loop *loop, pl_loop_fn fn, void *arg);

/* Whether the calling thread owns the loop at this moment. */
PL_API bool pl_loop_is_here(const pl_loop *loop);

#ifdef __cplusplus
}
#endif
#endif
