#include "fail.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "pl_alloc.h"
#include "pl_test.h"

enum { EACH_UP_TO = 300, SAMPLES = 150, RUN = 6, WARM_UP = 3, RETRIES = 4 };

static int depth;
static long kept; /* the countdown while shielded */
static size_t shielded, shield_began;
static long now_n;
static char obituary[96]; /* written ahead: a signal handler may not format */
static bool on, leaks_count = true;

/* What was inherited goes: libuv has a table as long as the highest descriptor, and ends the process when it cannot grow. */
__attribute__((constructor)) static void close_inherited(void)
{
    closefrom(STDERR_FILENO + 1);
}

void fail_shield(bool inside)
{
    if (inside && depth++ == 0) {
        kept = atomic_exchange(&pl_alloc_countdown, -1);
        shield_began = pl_allocs();
    } else if (!inside && --depth == 0) {
        shielded += pl_allocs() - shield_began;
        atomic_store(&pl_alloc_countdown, kept);
    }
}

bool fail_is_on(void)
{
    return on;
}

long fail_at_n(void)
{
    return now_n;
}

/* A crash tells which allocation it was. */
static void on_crash(int sig)
{
    (void)!write(STDERR_FILENO, obituary, strlen(obituary));
    signal(sig, SIG_DFL);
    raise(sig);
}

static size_t count(void (*scenario)(void))
{
    size_t before = pl_allocs();
    on = false;
    shielded = 0;
    scenario();
    return pl_allocs() - before - shielded;
}

/* What it left on the heap. */
static long run_one(void (*scenario)(void), long n, long run)
{
    long before = atomic_load(&pl_alloc_live);
    on = true;
    now_n = n;
    snprintf(obituary, sizeof obituary, "crashed with allocation %ld failing, run of %ld: PL_ALLOC_N=%ld\n",
             n, run, n);
    pl_alloc_fail_run(n, run);
    scenario();
    (void)pl_alloc_has_failed();
    on = false;
#ifdef PL_ALLOC_SANITIZED /* the leak detector's work */
    return 0 * before;
#else
    return atomic_load(&pl_alloc_live) - before;
#endif
}

/* A library may keep something once; what is left again and again is lost. */
static void fail_at(void (*scenario)(void), long n, long run)
{
    long left = run_one(scenario, n, run);
    for (int i = 0; left > 0 && leaks_count && i < RETRIES; i++)
        left = run_one(scenario, n, run);
    if (left > 0 && leaks_count)
        fail_msg("%ld objects are lost each time that allocation %ld fails (run of %ld): PL_ALLOC_N=%ld",
                 left, n, run, n);
}

void fail_each(void (*scenario)(void))
{
    const char *only = getenv("PL_ALLOC_N");
    size_t n_allocs = 0;
    void (*old_segv)(int) = signal(SIGSEGV, on_crash), (*old_abort)(int) = signal(SIGABRT, on_crash);
    for (int i = 0; i < WARM_UP; i++)
        n_allocs = count(scenario);
    PL_GE(n_allocs, 1);
    if (only) {
        fail_at(scenario, strtol(only, NULL, 10), 1);
        fail_at(scenario, strtol(only, NULL, 10), RUN);
    } else {
        size_t step = n_allocs > EACH_UP_TO + SAMPLES ? (n_allocs - EACH_UP_TO) / SAMPLES : 1;
        for (size_t n = 0; n < n_allocs; n += n < EACH_UP_TO ? 1 : step) {
            fail_at(scenario, (long)n, 1);
            fail_at(scenario, (long)n, RUN);
        }
    }
    (void)count(scenario); /* and once more in peace: nothing is broken for good */
    signal(SIGSEGV, old_segv);
    signal(SIGABRT, old_abort);
    print_message("%zu allocations\n", n_allocs);
}

void fail_each_but_leaks(void (*scenario)(void))
{
    leaks_count = false;
    fail_each(scenario);
    leaks_count = true;
}
