/* The loop in both manners: with a thread of its own, and driven by the application. */
#include "net_help.h"

#include <poll.h>

#include "base/rand.h"
#include "net/thread.h"

/* --- posts and calls --- */

enum { N_THREADS = 4, N_POSTS = 2000 };

struct post_test {
    pl_loop *loop;
    int next[N_THREADS]; /* what each thread must say next; touched on the loop only */
    int n_run, n_wrong;
    int64_t sum;
};
struct post {
    struct post_test *test;
    int thread, number;
};
struct poster {
    struct post_test *test;
    pl_thread thread;
    struct post post[N_POSTS];
};

static void on_post(void *arg)
{
    struct post *p = arg;
    struct post_test *test = p->test;
    test->n_wrong += p->number != test->next[p->thread] || !pl_loop_is_here(test->loop);
    test->next[p->thread] = p->number + 1;
    test->n_run++;
}
static void add_one(void *arg)
{
    (*(int64_t *)arg)++;
}
static void post_many(void *arg)
{
    struct poster *me = arg;
    for (int i = 0; i < N_POSTS; i++) {
        if (pl_loop_post(me->test->loop, on_post, &me->post[i]) != PL_OK)
            abort();
        if (i % 100 == 0 && pl_loop_call(me->test->loop, add_one, &me->test->sum) != PL_OK)
            abort();
    }
}

PL_TEST(posts_of_many_threads_run_in_order)
{
    static struct poster poster[N_THREADS];
    struct post_test test = { .loop = help_loop() };
    PL_EQ(pl_loop_start(test.loop), PL_OK);
    PL_OKAY(!pl_loop_is_here(test.loop));
    for (int i = 0; i < N_THREADS; i++) {
        poster[i].test = &test;
        for (int k = 0; k < N_POSTS; k++)
            poster[i].post[k] = (struct post){ &test, i, k };
        PL_EQ(pl_thread_start(&poster[i].thread, "poster", post_many, &poster[i]), PL_OK);
    }
    for (int i = 0; i < N_THREADS; i++)
        pl_thread_join(&poster[i].thread);
    pl_loop_stop(test.loop); /* what was posted before has run */
    PL_EQ(test.n_run, N_THREADS * N_POSTS);
    PL_EQ(test.n_wrong, 0);
    PL_EQ(test.sum, N_THREADS * N_POSTS / 100);
    PL_OKAY(pl_loop_is_here(test.loop));
    pl_loop_free(test.loop);
}

static void call_inside(void *arg)
{
    struct post_test *test = arg;
    test->n_wrong +=
        pl_loop_call(test->loop, add_one, &test->sum) != PL_OK; /* else it would wait for itself */
    test->n_run += pl_loop_run_once(test->loop, 0) == PL_ESTATE;
}

PL_TEST(a_call_on_the_loop_is_direct)
{
    struct post_test test = { .loop = help_loop() };
    PL_EQ(pl_loop_call(test.loop, add_one, &test.sum), PL_OK); /* it is ours while it does not run */
    PL_EQ(test.sum, 1);
    PL_EQ(pl_loop_post(test.loop, call_inside, &test), PL_OK);
    PL_EQ(pl_loop_run_once(test.loop, 0), PL_OK);
    PL_EQ(pl_loop_start(test.loop), PL_OK);
    PL_EQ(pl_loop_start(test.loop), PL_ESTATE);
    PL_EQ(pl_loop_run_once(test.loop, 0), PL_ESTATE);
    PL_EQ(pl_loop_call(test.loop, call_inside, &test), PL_OK);
    PL_EQ(test.sum, 3);
    PL_EQ(test.n_run, 2);
    PL_EQ(test.n_wrong, 0);
    pl_loop_free(test.loop); /* stops it, too */
}

PL_TEST(posts_have_a_limit_and_can_be_forgotten)
{
    pl_loop *loop = help_loop();
    int64_t a = 0, b = 0;
    for (int i = 0; i < PL_LOOP_POSTS_MAX; i++)
        PL_EQ(pl_loop_post(loop, add_one, i % 2 ? &a : &b), PL_OK);
    PL_EQ(pl_loop_post(loop, add_one, &a), PL_ENOSPC);
    PL_EQ(pl_loop_forget(loop, add_one, &a), PL_LOOP_POSTS_MAX / 2);
    PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
    PL_EQ(a, 0);
    PL_EQ(b, PL_LOOP_POSTS_MAX / 2);
    PL_EQ(pl_loop_post(loop, add_one, &a), PL_OK);
    pl_loop_free(loop); /* what is left is run, so that nobody who waits for it waits for ever */
    PL_EQ(a, 1);
}

struct wake_test {
    pl_wake wake;
    _Atomic int n_rung;
    int n_run, seen;
};
static void on_wake(void *arg)
{
    struct wake_test *test = arg;
    test->n_run++;
    test->seen = atomic_load(&test->n_rung);
}
static void ring_many(void *arg)
{
    struct wake_test *test = arg;
    for (int i = 0; i < 1000; i++) {
        atomic_fetch_add(&test->n_rung, 1);
        pl_wake_up(&test->wake);
    }
}

PL_TEST(wakes_coalesce_and_none_is_lost)
{
    pl_loop *loop = help_loop();
    struct wake_test test = { .wake = { .loop = loop, .fn = on_wake, .arg = &test } };
    pl_thread th[2] = { 0 };
    for (int i = 0; i < 2; i++)
        PL_EQ(pl_thread_start(&th[i], "ringer", ring_many, &test), PL_OK);
    HELP_UNTIL(loop, test.seen == 2000);
    for (int i = 0; i < 2; i++)
        pl_thread_join(&th[i]);
    PL_LE(test.n_run, 2000);
    test.n_run = 0;
    for (int i = 0; i < 10; i++)
        PL_EQ(pl_wake_up(&test.wake), PL_OK);
    PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
    PL_EQ(test.n_run, 1);
    PL_EQ(pl_wake_up(&test.wake), PL_OK);
    pl_wake_close(&test.wake);
    PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
    PL_EQ(test.n_run, 1);
    pl_loop_free(loop);
}

/* --- timers --- */

enum { N_TIMERS = 300 };
struct timer_test {
    pl_loop *loop;
    struct one {
        pl_timer timer;
        struct timer_test *test;
        int64_t at_us;
        int n_fired;
    } one[N_TIMERS];
    int n_fired, n_early, n_disordered;
    int64_t last_us;
};

static void on_timer(void *arg, int64_t now_us)
{
    struct one *one = arg;
    struct timer_test *test = one->test;
    test->n_early += now_us < one->at_us;
    test->n_disordered += one->at_us < test->last_us;
    test->last_us = one->at_us;
    one->n_fired++;
    test->n_fired++;
}

PL_TEST(timers_come_in_order_and_never_early)
{
    static struct timer_test test;
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(3));
    test = (struct timer_test){ .loop = help_loop() };
    int64_t start_us = pl_loop_now_us(test.loop);
    for (int i = 0; i < N_TIMERS; i++) {
        struct one *one = &test.one[i];
        *one = (struct one){ .timer = { .fn = on_timer, .arg = one }, .test = &test };
        one->at_us = start_us + pl_rand_below(&rand, 50000);
        pl_timer_set(test.loop, &one->timer, start_us + PL_SEC(50)); /* then moved */
        pl_timer_set(test.loop, &one->timer, one->at_us);
    }
    for (int i = 0; i < N_TIMERS; i += 3)
        pl_timer_cancel(test.loop, &test.one[i].timer);
    HELP_UNTIL(test.loop, test.n_fired == N_TIMERS - N_TIMERS / 3);
    PL_EQ(test.n_early, 0);
    PL_EQ(test.n_disordered, 0);
    for (int i = 0; i < N_TIMERS; i++)
        PL_EQ(test.one[i].n_fired, i % 3 != 0);
    pl_loop_free(test.loop);
}

struct tangle {
    pl_loop *loop;
    pl_timer a, b, c;
    int n_a, n_b, n_c, n_post;
};
static void on_a(void *arg, int64_t now_us)
{
    struct tangle *x = arg;
    x->n_a++;
    pl_timer_cancel(x->loop, &x->b);             /* due at the same time, may be next */
    pl_timer_set(x->loop, &x->a, now_us - 1000); /* always due again */
}
static void on_b(void *arg, int64_t now_us)
{
    struct tangle *x = arg;
    x->n_b++;
    pl_timer_cancel(x->loop, &x->a);
    pl_timer_set(x->loop, &x->b, now_us); /* always due again */
}
static void on_c(void *arg, int64_t now_us)
{
    (void)now_us;
    ((struct tangle *)arg)->n_c++;
}
static void count_post(void *arg)
{
    ((struct tangle *)arg)->n_post++;
}

PL_TEST(timers_may_do_anything_inside_and_starve_nobody)
{
    struct tangle x = { .loop = help_loop() };
    x.a = (pl_timer){ .fn = on_a, .arg = &x };
    x.b = (pl_timer){ .fn = on_b, .arg = &x };
    x.c = (pl_timer){ .fn = on_c, .arg = &x };
    int64_t now_us = pl_loop_now_us(x.loop);
    pl_timer_set(x.loop, &x.a, now_us);
    pl_timer_set(x.loop, &x.b, now_us);
    pl_timer_set(x.loop, &x.c, PL_NEVER);
    PL_EQ(pl_loop_post(x.loop, count_post, &x), PL_OK);
    HELP_UNTIL(x.loop, x.n_a + x.n_b >= 50 && x.n_post == 1);
    PL_OKAY(x.n_a == 0 || x.n_b == 0); /* whoever came first has cancelled the other */
    PL_EQ(x.n_c, 0);
    pl_loop_free(x.loop);
}

/* --- driven by the application --- */

PL_TEST(the_descriptor_and_the_timeout_are_enough)
{
    struct tangle x = { .loop = help_loop() };
    x.c = (pl_timer){ .fn = on_c, .arg = &x };
    pl_timer_set(x.loop, &x.c, pl_loop_now_us(x.loop) + PL_MS(5));
    PL_EQ(pl_loop_post(x.loop, count_post, &x), PL_OK);
    for (int i = 0; i < 100 && (x.n_c == 0 || x.n_post == 0); i++) {
        int64_t wait_us = pl_loop_timeout_us(x.loop);
        struct pollfd p = { .fd = pl_loop_fd(x.loop), .events = POLLIN };
        int ready = poll(&p, 1, wait_us > PL_SEC(5) ? 5000 : (int)((wait_us + 999) / 1000));
        PL_OKAY(ready == 1 || wait_us < PL_SEC(5)); /* silence until a timer is due would be a bug */
        PL_EQ(pl_loop_run_once(x.loop, 0), PL_OK);
    }
    PL_EQ(x.n_c, 1);
    PL_EQ(x.n_post, 1);
    PL_EQ(pl_loop_run_once(x.loop, PL_MS(1)), PL_OK); /* nothing to do: comes back all the same */
    pl_loop_free(x.loop);
}

static void run_to_completion(void *arg)
{
    struct post_test *test = arg;
    struct post post = { test, 0, 0 };
    bool fine = pl_loop_call(test->loop, add_one, &test->sum) == PL_OK;
    fine = fine && pl_loop_post(test->loop, on_post, &post) == PL_OK;
    fine = fine && pl_loop_call(test->loop, add_one, &test->sum) == PL_OK; /* the post before has run, too */
    if (!fine)
        abort(); /* cmocka's own way out is for its own thread */
}

PL_TEST(another_thread_calls_an_application_driven_loop)
{
    struct post_test test = { .loop = help_loop() };
    pl_thread th = { 0 };
    PL_EQ(pl_thread_start(&th, "caller", run_to_completion, &test), PL_OK);
    HELP_UNTIL(test.loop, test.sum == 2);
    pl_thread_join(&th);
    PL_EQ(test.n_run, 1);
    PL_EQ(test.n_wrong, 0);
    pl_loop_free(test.loop);
}

static void on_hook(void *arg, int64_t now_us)
{
    struct tangle *x = arg;
    PL_LE(now_us, pl_clock_us());
    x->n_a++;
}

PL_TEST(hooks_run_every_iteration_until_removed)
{
    struct tangle x = { .loop = help_loop() };
    pl_loop_hook hook = { .fn = on_hook, .arg = &x };
    pl_loop_hook_add(x.loop, &hook);
    pl_loop_hook_add(x.loop, &hook);
    PL_EQ(pl_loop_run_once(x.loop, 0), PL_OK);
    PL_GE(x.n_a, 1);
    pl_loop_hook_remove(&hook);
    int n = x.n_a;
    PL_EQ(pl_loop_run_once(x.loop, 0), PL_OK);
    PL_EQ(x.n_a, n);
    pl_loop_free(x.loop);
}

PL_TEST(clocks_go_forward)
{
    pl_loop *loop = help_loop();
    int64_t before_us = pl_clock_us(), wall_us = pl_wall_us();
    pl_thread_sleep_us(2000);
    PL_GE(pl_clock_us(), before_us + 2000);
    PL_GE(wall_us, PL_SEC(1600000000));
    PL_GE(pl_loop_now_us(loop), before_us + 2000); /* outside of an iteration it is the clock itself */
    pl_loop_free(loop);
    pl_loop_free(NULL);
}

/* --- locks --- */

struct gate {
    pl_mutex lock;
    pl_cond cond;
    pl_sem sem;
    int turn;
};
static void other_side(void *arg)
{
    struct gate *g = arg;
    pl_mutex_lock(&g->lock);
    while (g->turn != 1)
        pl_cond_wait(&g->cond, &g->lock);
    g->turn = 2;
    pl_cond_broadcast(&g->cond);
    pl_mutex_unlock(&g->lock);
    pl_sem_wait(&g->sem);
}

PL_TEST(threads_meet_at_locks)
{
    struct gate g = { .turn = 0 };
    pl_thread th = { 0 };
    pl_mutex_init(&g.lock);
    pl_cond_init(&g.cond);
    pl_sem_init(&g.sem, 0);
    PL_OKAY(!pl_sem_wait_until(&g.sem, pl_clock_us() + 1000));
    PL_EQ(pl_thread_start(&th, "other", other_side, &g), PL_OK);
    PL_OKAY(!pl_thread_is_here(&th));
    pl_mutex_lock(&g.lock);
    g.turn = 1;
    pl_cond_signal(&g.cond);
    int64_t until_us = pl_clock_us() + PL_SEC(10);
    while (g.turn != 2 && pl_cond_wait_until(&g.cond, &g.lock, until_us))
        ;
    PL_EQ(g.turn, 2);
    pl_mutex_unlock(&g.lock);
    pl_sem_post(&g.sem);
    pl_thread_join(&th);
    pl_thread_join(&th); /* a second time does nothing */
    pl_sem_clear(&g.sem);
    pl_cond_clear(&g.cond);
    pl_mutex_clear(&g.lock);
}

PL_TESTS(t(posts_of_many_threads_run_in_order), t(a_call_on_the_loop_is_direct),
         t(posts_have_a_limit_and_can_be_forgotten), t(wakes_coalesce_and_none_is_lost),
         t(timers_come_in_order_and_never_early), t(timers_may_do_anything_inside_and_starve_nobody),
         t(the_descriptor_and_the_timeout_are_enough), t(another_thread_calls_an_application_driven_loop),
         t(hooks_run_every_iteration_until_removed), t(clocks_go_forward), t(threads_meet_at_locks))
