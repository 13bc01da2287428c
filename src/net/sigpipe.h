/* sigpipe.h - writing to a stream that the peer has closed is an error of that stream, not a signal that ends the
 * process. Our own threads block the signal for good; on an application's thread it is held back while we work, and
 * one that was ours is taken away, so that the application's own handling of it stays as it was.
 * Source   POSIX write(2): SIGPIPE is sent to the writing thread.
 * Thread   the calling one. */
#ifndef PL_NET_SIGPIPE_H
#define PL_NET_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

typedef struct pl_sigpipe {
    bool held; /* it was not blocked before */
    bool was_pending;
} pl_sigpipe;

void pl_sigpipe_block(void); /* for the rest of the thread's life */
void pl_sigpipe_hold(pl_sigpipe *s);
void pl_sigpipe_release(const pl_sigpipe *s);

#endif
