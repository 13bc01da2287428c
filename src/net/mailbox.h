/* mailbox.h - functions that other threads leave for a loop.
 * Shape    a value inside the loop; init and clear match. Two arrays change places when the owner drains, so
 *          posting never waits for what is posted.
 * Errors   PL_ENOSPC with PL_LOOP_POSTS_MAX waiting, PL_ENOMEM.
 * Thread   put from any; drain and forget from the owner. */
#ifndef PL_NET_MAILBOX_H
#define PL_NET_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "net/thread.h"
#include "peerline/loop.h"

typedef struct pl_post {
    pl_loop_fn fn; /* NULL: forgotten */
    void *arg;
} pl_post;

typedef struct pl_posts {
    pl_post *at;
    size_t n, cap;
} pl_posts;

typedef struct pl_mailbox {
    pl_mutex lock;   /* guards in */
    pl_posts in;     /* where threads put */
    pl_posts out;    /* what is being run */
    size_t next_out; /* the first of out that has not run */
} pl_mailbox;

void pl_mailbox_init(pl_mailbox *m);
void pl_mailbox_clear(pl_mailbox *m);
/* *was_empty: nobody has been told yet that there is something. */
PL_NODISCARD pl_err pl_mailbox_put(pl_mailbox *m, pl_loop_fn fn, void *arg, bool *was_empty);
/* Runs all that is there now, in order, without the lock; what they put waits for the next drain. True when
 * there was something. */
bool pl_mailbox_drain(pl_mailbox *m);
unsigned pl_mailbox_forget(pl_mailbox *m, pl_loop_fn fn, void *arg);

#endif
