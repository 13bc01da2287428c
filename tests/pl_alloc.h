/* pl_alloc.h - counts allocations, to prove that a path makes none. Include in one source of a test only.
 *     size_t before = pl_allocs(); ...; PL_EQ(pl_allocs() - before, 0);
 * Under a sanitizer its own hooks count; otherwise the allocator's entry points are ours. */
#ifndef PL_TEST_ALLOC_H
#define PL_TEST_ALLOC_H

#include <stdatomic.h>
#include <stddef.h>

static atomic_size_t pl_alloc_count;

static inline size_t pl_allocs(void)
{
    return atomic_load(&pl_alloc_count);
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PL_ALLOC_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PL_ALLOC_SANITIZED 1
#endif

#ifdef PL_ALLOC_SANITIZED
int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void *, size_t),
                                              void (*free_hook)(const volatile void *));
static void pl_alloc_seen(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    atomic_fetch_add(&pl_alloc_count, 1);
}
static void pl_alloc_freed(const volatile void *p)
{
    (void)p;
}
__attribute__((constructor)) static void pl_alloc_install(void)
{
    (void)__sanitizer_install_malloc_and_free_hooks(pl_alloc_seen, pl_alloc_freed);
}
#else
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);
void *malloc(size_t n)
{
    atomic_fetch_add(&pl_alloc_count, 1);
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    atomic_fetch_add(&pl_alloc_count, 1);
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    atomic_fetch_add(&pl_alloc_count, 1);
    return __libc_realloc(p, n);
}
void *aligned_alloc(size_t align, size_t n)
{
    atomic_fetch_add(&pl_alloc_count, 1);
    return __libc_memalign(align, n);
}
#endif

#endif
