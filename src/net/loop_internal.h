/* loop_internal.h - the inside of pl_loop, for the files of net/ that hang handles on it.
 * Shape    private to net/. */
#ifndef PL_NET_LOOP_INTERNAL_H
#define PL_NET_LOOP_INTERNAL_H

#include <stdatomic.h>
#include <uv.h>

#include "base/list.h"
#include "net/alarm.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/rest.h"
#include "net/thread.h"

struct pl_loop {
    uv_loop_t uv;
    uv_async_t bell;           /* rung by other threads: look into the mailbox */
    uv_prepare_t before_sleep; /* hooks, then the alarm is set */
    uv_check_t after_wake;     /* timers that are due */
    pl_alarm alarm;
    pl_heap timers;
    pl_list hooks;
    pl_mailbox mailbox;
    pl_rest rest;
    bool sleeps_exactly; /* this thread's timer slack is off */

    int64_t now_us;       /* of this iteration */
    bool now_is_fresh;    /* it was read after the last sleep */
    bool inside;          /* between two sleeps, not back at the application */
    bool firing;          /* timers are being called: new deadlines are at least now_us + 1 */
    int64_t run_until_us; /* when pl_loop_run_once wants to be back */

    pl_thread thread;
    char name[16];
    _Atomic uintptr_t owner; /* pthread_self() of the owning thread */
    _Atomic bool stop;

    struct pl_udp_shared *udp; /* receive and send buffers of all sockets, made with the first one */
    void *tcp_buf;             /* what streams read into, made with the first read */
    size_t n_tcp;              /* streams that are open */
    size_t n_reads;            /* of files, under way in libuv's pool */
    bool no_sigpipe;           /* this thread holds the signal back now (sigpipe.h) */
};

/* Freed with the loop; NULL is fine. In udp.c. */
void pl_udp_shared_free(struct pl_udp_shared *s);

#endif
