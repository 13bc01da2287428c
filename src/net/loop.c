#include "net/loop_internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/log.h"
#include "net/sigpipe.h"

enum { CLOSING_ROUNDS = 8 }; /* a handle's last callback may close another */

int64_t pl_clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t pl_wall_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t pl_loop_now_us(pl_loop *loop)
{
    if (!loop->inside)
        return pl_clock_us();
    if (!loop->now_is_fresh) {
        loop->now_us = pl_clock_us();
        loop->now_is_fresh = true;
    }
    return loop->now_us;
}

static void own(pl_loop *loop)
{
    atomic_store(&loop->owner, (uintptr_t)pthread_self());
}

bool pl_loop_is_here(const pl_loop *loop)
{
    return atomic_load(&loop->owner) == (uintptr_t)pthread_self();
}

struct uv_loop_s *pl_loop_uv(pl_loop *loop)
{
    return &loop->uv;
}

/* --- one iteration: sleep, sockets and posts (libuv), timers, hooks --- */

void pl_timer_set(pl_loop *loop, pl_timer *t, int64_t at_us)
{
    PL_OWNED(loop);
    if (at_us == PL_NEVER) {
        pl_heap_remove(&loop->timers, &t->node);
        return;
    }
    if (loop->firing)
        at_us = pl_max_us(at_us, loop->now_us + 1);
    pl_heap_set(&loop->timers, &t->node, at_us);
}

void pl_timer_cancel(pl_loop *loop, pl_timer *t)
{
    PL_OWNED(loop);
    pl_heap_remove(&loop->timers, &t->node);
}

static void fire_timers(pl_loop *loop)
{
    int64_t now_us = pl_loop_now_us(loop);
    loop->firing = true;
    for (pl_heap_node *n; (n = pl_heap_first(&loop->timers)) && n->at_us <= now_us;) {
        pl_timer *t = pl_of(n, pl_timer, node);
        pl_heap_remove(&loop->timers, n); /* before the call, which may set it again or free it */
        t->fn(t->arg, now_us);
    }
    loop->firing = false;
}

void pl_loop_hook_add(pl_loop *loop, pl_loop_hook *h)
{
    if (!pl_node_linked(&h->node))
        pl_list_push_back(&loop->hooks, &h->node);
}

void pl_loop_hook_remove(pl_loop_hook *h)
{
    pl_list_remove(&h->node);
}

static void run_hooks(pl_loop *loop)
{
    PL_EACH (n, &loop->hooks) {
        pl_loop_hook *h = pl_of(n, pl_loop_hook, node);
        h->fn(h->arg, pl_loop_now_us(loop));
    }
}

static void set_alarm(pl_loop *loop)
{
    pl_heap_node *first = pl_heap_first(&loop->timers);
    pl_alarm_set(&loop->alarm, pl_min_us(first ? first->at_us : PL_NEVER, loop->run_until_us));
}

static void on_after_wake(uv_check_t *h)
{
    pl_loop *loop = h->data;
    fire_timers(loop);
    run_hooks(loop); /* an application-driven loop may not come back to on_before_sleep for long */
}

static void sleep_for(pl_loop *loop, int64_t us)
{
#ifdef __linux__
    if (!loop->sleeps_exactly) /* else the kernel makes 100 us of 50 */
        prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
#endif
    loop->sleeps_exactly = true;
    struct timespec ts = { .tv_nsec = us * 1000 };
    nanosleep(&ts, NULL); /* a signal makes it shorter */
}

static void on_before_sleep(uv_prepare_t *h)
{
    pl_loop *loop = h->data;
    run_hooks(loop);
    int64_t rest_us = pl_rest_take(&loop->rest, loop->rest.rest_us ? pl_loop_now_us(loop) : 0);
    if (rest_us > 0)
        sleep_for(loop, rest_us);
    set_alarm(loop);
    loop->now_is_fresh = false;
}

static void on_bell(uv_async_t *h)
{
    pl_loop *loop = h->data;
    bool stop = atomic_load(&loop->stop); /* before draining: what was posted before the stop still runs */
    pl_mailbox_drain(&loop->mailbox);
    if (stop)
        uv_stop(&loop->uv);
}

void pl_loop_set_rest(pl_loop *loop, int64_t rest_us)
{
    assert(rest_us >= 0 && rest_us < PL_MS(1));
    loop->rest.rest_us = rest_us;
}

/* --- from other threads --- */

pl_err pl_loop_post(pl_loop *loop, pl_loop_fn fn, void *arg)
{
    bool was_empty;
    pl_err err = pl_mailbox_put(&loop->mailbox, fn, arg, &was_empty);
    if (err == PL_OK && was_empty)
        uv_async_send(&loop->bell);
    return err;
}

unsigned pl_loop_forget(pl_loop *loop, pl_loop_fn fn, void *arg)
{
    PL_OWNED(loop);
    return pl_mailbox_forget(&loop->mailbox, fn, arg);
}

struct call {
    pl_loop_fn fn;
    void *arg;
    pl_sem done;
};

static void run_call(void *arg)
{
    struct call *call = arg;
    call->fn(call->arg);
    pl_sem_post(&call->done);
}

pl_err pl_loop_call(pl_loop *loop, pl_loop_fn fn, void *arg)
{
    if (pl_loop_is_here(loop)) {
        fn(arg);
        return PL_OK;
    }
    struct call call = { .fn = fn, .arg = arg };
    pl_sem_init(&call.done, 0);
    pl_err err = pl_loop_post(loop, run_call, &call);
    if (err == PL_OK)
        pl_sem_wait(&call.done);
    pl_sem_clear(&call.done);
    return err;
}

static void run_wake(void *arg)
{
    pl_wake *w = arg;
    atomic_store(&w->rung, false); /* before fn: a ring from now on comes again */
    w->fn(w->arg);
}

pl_err pl_wake_up(pl_wake *w)
{
    if (atomic_exchange(&w->rung, true))
        return PL_OK;
    pl_err err = pl_loop_post(w->loop, run_wake, w);
    if (err != PL_OK)
        atomic_store(&w->rung, false);
    return err;
}

void pl_wake_close(pl_wake *w)
{
    if (!w->loop)
        return;
    pl_loop_forget(w->loop, run_wake, w);
    atomic_store(&w->rung, false);
}

/* --- a thread of its own --- */

static void thread_main(void *arg)
{
    pl_loop *loop = arg;
    own(loop);
    loop->inside = true;
    loop->no_sigpipe = true; /* our threads block it */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->no_sigpipe = false;
    loop->inside = false;
    loop->now_is_fresh = false;
}

pl_err pl_loop_start(pl_loop *loop)
{
    if (loop->thread.running || loop->inside)
        return PL_ESTATE;
    PL_OWNED(loop);
    atomic_store(&loop->stop, false);
    loop->run_until_us = PL_NEVER;
    atomic_store(&loop->owner, 0); /* nobody's until the thread runs: a call now waits for it */
    pl_err err = pl_thread_start(&loop->thread, loop->name, thread_main, loop);
    if (err != PL_OK)
        own(loop);
    return err;
}

void pl_loop_stop(pl_loop *loop)
{
    if (!loop->thread.running)
        return;
    assert(!pl_loop_is_here(loop));
    atomic_store(&loop->stop, true);
    uv_async_send(&loop->bell);
    pl_thread_join(&loop->thread);
    atomic_store(&loop->stop, false);
    own(loop);
}

/* --- driven by the application --- */

int pl_loop_fd(const pl_loop *loop)
{
    return uv_backend_fd(&loop->uv);
}

int64_t pl_loop_timeout_us(pl_loop *loop)
{
    PL_OWNED(loop);
    run_hooks(loop);
    loop->run_until_us = PL_NEVER;
    set_alarm(loop);
    int ms = uv_backend_timeout(&loop->uv);
    return ms < 0 ? PL_NEVER : PL_MS(ms);
}

pl_err pl_loop_run_once(pl_loop *loop, int64_t timeout_us)
{
    if (loop->thread.running || loop->inside)
        return PL_ESTATE;
    own(loop);
    loop->inside = true;
    loop->now_is_fresh = false;
    bool forever = timeout_us < 0 || timeout_us >= PL_NEVER - pl_clock_us(), peek = timeout_us == 0;
    loop->run_until_us = forever || peek ? PL_NEVER : pl_clock_us() + timeout_us; /* peeking wants no alarm */
    pl_sigpipe pipe = { 0 };
    if (loop->n_tcp > 0)
        pl_sigpipe_hold(&pipe);
    loop->no_sigpipe = loop->n_tcp > 0;
    uv_run(&loop->uv, peek ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    pl_sigpipe_release(&pipe);
    loop->no_sigpipe = false;
    loop->inside = false;
    loop->run_until_us = PL_NEVER;
    return PL_OK;
}

/* --- birth and death --- */

/* Where libuv refuses to make a handle the machine has run out of descriptors. */
static pl_err init_handles(pl_loop *loop)
{
    if (uv_loop_init(&loop->uv) != 0)
        return PL_EIO;
    if (uv_async_init(&loop->uv, &loop->bell, on_bell) != 0) {
        uv_loop_close(&loop->uv);
        return PL_EIO;
    }
    if (pl_alarm_start(&loop->alarm, &loop->uv) != PL_OK) {
        uv_close((uv_handle_t *)&loop->bell, NULL);
        uv_run(&loop->uv, UV_RUN_DEFAULT);
        uv_loop_close(&loop->uv);
        return PL_EIO;
    }
    uv_prepare_init(&loop->uv, &loop->before_sleep);
    uv_check_init(&loop->uv, &loop->after_wake);
    loop->bell.data = loop->before_sleep.data = loop->after_wake.data = loop;
    uv_prepare_start(&loop->before_sleep, on_before_sleep);
    uv_check_start(&loop->after_wake, on_after_wake);
    return PL_OK;
}

pl_err pl_loop_new(pl_loop **out, const pl_loop_conf *conf)
{
    *out = NULL;
    pl_loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return PL_ENOMEM;
    pl_list_init(&loop->hooks);
    loop->run_until_us = PL_NEVER;
    snprintf(loop->name, sizeof loop->name, "%s", conf && conf->name ? conf->name : "peerline");
    pl_err err = init_handles(loop);
    if (err != PL_OK) {
        free(loop);
        return err;
    }
    pl_mailbox_init(&loop->mailbox);
    own(loop);
    *out = loop;
    return PL_OK;
}

static void count_open(uv_handle_t *h, void *arg)
{
    unsigned *n = arg;
    *n += !uv_is_closing(h);
}

static void close_handles(pl_loop *loop)
{
    uv_close((uv_handle_t *)&loop->bell, NULL);
    uv_close((uv_handle_t *)&loop->before_sleep, NULL);
    uv_close((uv_handle_t *)&loop->after_wake, NULL);
    pl_alarm_close(&loop->alarm, NULL);
}

void pl_loop_free(pl_loop *loop)
{
    if (!loop)
        return;
    assert(!loop->inside || loop->thread.running);
    pl_loop_stop(loop);
    PL_OWNED(loop);
    loop->inside = true;
    while (pl_mailbox_drain(&loop->mailbox))
        ;
    run_hooks(loop);
    while (loop->n_reads > 0) /* of files: another thread writes to their memory */
        uv_run(&loop->uv, UV_RUN_ONCE);
    close_handles(loop);
    for (int i = 0; i < CLOSING_ROUNDS && uv_loop_alive(&loop->uv); i++)
        uv_run(&loop->uv, UV_RUN_NOWAIT);
    unsigned n_open = 0;
    uv_walk(&loop->uv, count_open, &n_open);
    if (n_open > 0) { /* their memory is somebody's: a leak is all that can still be done about it */
        pl_log_warn(NULL, "%s: loop freed with %u handles open, so it is leaked", loop->name, n_open);
        assert(n_open == 0);
        return;
    }
    uv_loop_close(&loop->uv);
    pl_udp_shared_free(loop->udp);
    free(loop->tcp_buf);
    pl_mailbox_clear(&loop->mailbox);
    free(loop);
}
