/* pl_alloc.h - counts allocations, to prove that a path makes none, and lets one fail, to prove that it is survived.
 * The allocator's entry points become ours, for libraries too. Include in one source of a test only.
 *     size_t before = pl_allocs(); ...; PL_EQ(pl_allocs() - before, 0);
 *     for (long n = 0; n == 0 || pl_alloc_has_failed(); n++) { pl_alloc_fail_after(n); ...; } */
#ifndef PL_TEST_ALLOC_H
#define PL_TEST_ALLOC_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PL_ALLOC_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PL_ALLOC_SANITIZED 1
#endif
#ifdef PL_ALLOC_SANITIZED /* which cannot be called before it is ready, as libraries would: only our own code then */
#define PL_ALLOC_REAL(name) __interceptor_##name
#define PL_ALLOC_OURS       __attribute__((visibility("hidden")))
#else
#define PL_ALLOC_REAL(name) __libc_##name
#define PL_ALLOC_OURS       __attribute__((visibility("default")))
#endif

void *PL_ALLOC_REAL(malloc)(size_t n);
void *PL_ALLOC_REAL(calloc)(size_t n, size_t size);
void *PL_ALLOC_REAL(realloc)(void *p, size_t n);
void *PL_ALLOC_REAL(memalign)(size_t align, size_t n);

static atomic_size_t pl_alloc_count;
static atomic_long pl_alloc_countdown = -1; /* allocations until one fails; below 0: none does */
static atomic_long pl_alloc_run = 1;        /* so many in a row do */
static atomic_bool pl_alloc_failed;
static atomic_long pl_alloc_live; /* made and not freed; not under a sanitizer, which finds leaks itself */

static inline size_t pl_allocs(void)
{
    return atomic_load(&pl_alloc_count);
}

/* After n more the next one fails, and that one alone. Below 0: none does. */
static inline void pl_alloc_fail_after(long n)
{
    atomic_store(&pl_alloc_failed, false);
    atomic_store(&pl_alloc_run, 1);
    atomic_store(&pl_alloc_countdown, n);
}

/* The same, but `run` of them in a row. */
static inline void pl_alloc_fail_run(long n, long run)
{
    pl_alloc_fail_after(n);
    atomic_store(&pl_alloc_run, run);
}

/* Since the last call of pl_alloc_fail_after; stops the failing. */
static inline bool pl_alloc_has_failed(void)
{
    atomic_store(&pl_alloc_countdown, -1);
    return atomic_load(&pl_alloc_failed);
}

static bool pl_alloc_fails_now(void)
{
    atomic_fetch_add(&pl_alloc_count, 1);
    if (atomic_load(&pl_alloc_countdown) < 0 || atomic_fetch_sub(&pl_alloc_countdown, 1) != 0)
        return false;
    if (atomic_fetch_sub(&pl_alloc_run, 1) > 1)
        atomic_store(&pl_alloc_countdown, 0);
    atomic_store(&pl_alloc_failed, true);
    errno = ENOMEM; /* as POSIX has it */
    return true;
}

static void *pl_alloc_made(void *p)
{
    if (p)
        atomic_fetch_add(&pl_alloc_live, 1);
    return p;
}

PL_ALLOC_OURS void *malloc(size_t n)
{
    return pl_alloc_fails_now() ? NULL : pl_alloc_made(PL_ALLOC_REAL(malloc)(n));
}

PL_ALLOC_OURS void *calloc(size_t n, size_t size)
{
    return pl_alloc_fails_now() ? NULL : pl_alloc_made(PL_ALLOC_REAL(calloc)(n, size));
}

PL_ALLOC_OURS void *realloc(void *p, size_t n)
{
    if (pl_alloc_fails_now())
        return NULL;
    return p ? PL_ALLOC_REAL(realloc)(p, n) : pl_alloc_made(PL_ALLOC_REAL(realloc)(p, n));
}

PL_ALLOC_OURS void *aligned_alloc(size_t align, size_t n)
{
    return pl_alloc_fails_now() ? NULL : pl_alloc_made(PL_ALLOC_REAL(memalign)(align, n));
}

#ifndef PL_ALLOC_SANITIZED
void __libc_free(void *p);

PL_ALLOC_OURS void free(void *p)
{
    if (p)
        atomic_fetch_sub(&pl_alloc_live, 1);
    __libc_free(p);
}
#endif

#endif
