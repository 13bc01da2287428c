#include "net/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "base/log.h"
#include "net/loop.h"
#include "net/sigpipe.h"

enum { NAME_MAX_LEN = 15 }; /* what Linux shows of a thread's name */

struct start {
    void (*fn)(void *arg);
    void *arg;
    char name[NAME_MAX_LEN + 1];
};

static void *run(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
#ifdef __APPLE__
    pthread_setname_np(start.name);
#else
    pthread_setname_np(pthread_self(), start.name);
#endif
    pl_sigpipe_block();
    start.fn(start.arg);
    return NULL;
}

pl_err pl_thread_start(pl_thread *th, const char *name, void (*fn)(void *arg), void *arg)
{
    struct start *start = malloc(sizeof *start);
    if (!start)
        return PL_ENOMEM;
    *start = (struct start){ .fn = fn, .arg = arg };
    snprintf(start->name, sizeof start->name, "%s", name);
    int err = pthread_create(&th->id, NULL, run, start);
    if (err) {
        pl_log_warn(NULL, "no thread for %s: %s", name, strerror(err));
        free(start);
        return PL_EIO;
    }
    th->running = true;
    return PL_OK;
}

pl_err pl_thread_start_detached(const char *name, void (*fn)(void *arg), void *arg)
{
    pl_thread th;
    pl_err err = pl_thread_start(&th, name, fn, arg);
    if (err == PL_OK)
        pthread_detach(th.id);
    return err;
}

void pl_thread_join(pl_thread *th)
{
    if (th->running)
        pthread_join(th->id, NULL);
    th->running = false;
}

bool pl_thread_is_here(const pl_thread *th)
{
    return th->running && pthread_equal(th->id, pthread_self());
}

pl_err pl_thread_make_urgent(void)
{
    struct sched_param param = { .sched_priority = sched_get_priority_min(SCHED_RR) };
    return pthread_setschedparam(pthread_self(), SCHED_RR, &param) == 0 ? PL_OK : PL_EIO;
}

static struct timespec timespec_of(int64_t us)
{
    us = us > 0 ? us : 0;
    return (struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
}

unsigned pl_thread_processors(void)
{
    return uv_available_parallelism(); /* the affinity mask counts, and it is never 0 */
}

void pl_thread_sleep_us(int64_t us)
{
    struct timespec left = timespec_of(us);
    while (nanosleep(&left, &left) == -1 && errno == EINTR)
        ;
}

/* What pthread calls return here tells of misuse only, so there is nobody to return it to. */
static void must(int err)
{
    if (err) {
        fprintf(stderr, "peerline: a lock was misused: %s\n", strerror(err));
        abort();
    }
}

void pl_mutex_init(pl_mutex *m)
{
    pthread_mutexattr_t attr;
    must(pthread_mutexattr_init(&attr));
#ifndef NDEBUG
    must(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
#endif
    must(pthread_mutex_init(&m->m, &attr));
    pthread_mutexattr_destroy(&attr);
}

void pl_mutex_clear(pl_mutex *m)
{
    must(pthread_mutex_destroy(&m->m));
}

void pl_mutex_lock(pl_mutex *m)
{
    must(pthread_mutex_lock(&m->m));
}

void pl_mutex_unlock(pl_mutex *m)
{
    must(pthread_mutex_unlock(&m->m));
}

void pl_cond_init(pl_cond *c)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr));
#ifndef __APPLE__
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC)); /* pl_clock_us */
#endif
    must(pthread_cond_init(&c->c, &attr));
    pthread_condattr_destroy(&attr);
}

void pl_cond_clear(pl_cond *c)
{
    must(pthread_cond_destroy(&c->c));
}

void pl_cond_wait(pl_cond *c, pl_mutex *m)
{
    must(pthread_cond_wait(&c->c, &m->m));
}

bool pl_cond_wait_until(pl_cond *c, pl_mutex *m, int64_t until_us)
{
#ifdef __APPLE__
    struct timespec left = timespec_of(until_us - pl_clock_us());
    int err = pthread_cond_timedwait_relative_np(&c->c, &m->m, &left);
#else
    struct timespec until = timespec_of(until_us);
    int err = pthread_cond_timedwait(&c->c, &m->m, &until);
#endif
    if (err != ETIMEDOUT)
        must(err);
    return err != ETIMEDOUT;
}

void pl_cond_signal(pl_cond *c)
{
    must(pthread_cond_signal(&c->c));
}

void pl_cond_broadcast(pl_cond *c)
{
    must(pthread_cond_broadcast(&c->c));
}

void pl_sem_init(pl_sem *s, unsigned value)
{
    pl_mutex_init(&s->m);
    pl_cond_init(&s->c);
    s->value = value;
}

void pl_sem_clear(pl_sem *s)
{
    pl_cond_clear(&s->c);
    pl_mutex_clear(&s->m);
}

/* Signalled under the lock: the waiter may free the semaphore as soon as it is through. */
void pl_sem_post(pl_sem *s)
{
    pl_mutex_lock(&s->m);
    s->value++;
    pl_cond_signal(&s->c);
    pl_mutex_unlock(&s->m);
}

void pl_sem_wait(pl_sem *s)
{
    pl_mutex_lock(&s->m);
    while (s->value == 0)
        pl_cond_wait(&s->c, &s->m);
    s->value--;
    pl_mutex_unlock(&s->m);
}

bool pl_sem_wait_until(pl_sem *s, int64_t until_us)
{
    pl_mutex_lock(&s->m);
    while (s->value == 0 && pl_cond_wait_until(&s->c, &s->m, until_us))
        ;
    bool got = s->value > 0;
    s->value -= got;
    pl_mutex_unlock(&s->m);
    return got;
}

void pl_thread_wrong(const char *func)
{
    fprintf(stderr, "peerline: %s called from a thread that does not own the loop\n", func);
    abort();
}
