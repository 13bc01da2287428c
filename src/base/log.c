#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/rand.h"
#include "base/slice.h"

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    pl_log_fn fn;
    void *user;
    _Atomic int level; /* -1: not asked yet */
    _Atomic bool show_private;
    uint8_t key[16]; /* hashes of addresses mean nothing outside this run */
} sink = { .lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT, .level = -1 };

static void make_key(void)
{
    pl_rand_bytes(NULL, sink.key, sizeof sink.key);
}

static int level_from_env(void)
{
    static const char *const name[] = { "debug", "info", "warn", "off" };
    const char *env = getenv("PEERLINE_LOG");
    for (int i = 0; env && i < 4; i++) {
        if (strcmp(env, name[i]) == 0)
            return i;
    }
    return PL_LOG_WARN;
}

bool pl_log_wants(pl_log_level level)
{
    int at = atomic_load_explicit(&sink.level, memory_order_relaxed);
    if (at < 0) {
        int unset = -1;
        at = level_from_env();
        if (!atomic_compare_exchange_strong(&sink.level, &unset, at))
            at = unset;
    }
    return (int)level >= at;
}

void pl_log_to(pl_log_fn fn, void *user, pl_log_level level)
{
    pthread_mutex_lock(&sink.lock);
    sink.fn = fn;
    sink.user = user;
    atomic_store(&sink.level, (int)level);
    pthread_mutex_unlock(&sink.lock);
}

void pl_log_show_private(bool show)
{
    atomic_store(&sink.show_private, show);
}

void pl_log_name(pl_log *log, const char *kind, uint32_t id)
{
    snprintf(log->name, sizeof log->name, "%s[%x]", kind, id);
}

void pl_log_write(const pl_log *log, pl_log_level level, const char *fmt, ...)
{
    static const char mark[] = { 'D', 'I', 'W', ' ' };
    char line[512];
    int n = snprintf(line, sizeof line, "%s: ", log && log->name[0] ? log->name : "peerline");
    va_list args;
    va_start(args, fmt);
    vsnprintf(line + n, sizeof line - (size_t)n, fmt, args);
    va_end(args);
    for (char *p = line; *p; p++) { /* a peer's text must not forge a line */
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    }
    pthread_mutex_lock(&sink.lock);
    if (sink.fn)
        sink.fn(sink.user, level, line);
    else
        fprintf(stderr, "%c %s\n", mark[level], line);
    pthread_mutex_unlock(&sink.lock);
}

const char *pl_log_addr(const pl_addr *a, char out[PL_ADDR_TEXT_MAX])
{
    if (atomic_load(&sink.show_private))
        return pl_addr_str(a, out);
    pthread_once(&sink.once, make_key);
    uint64_t h = pl_siphash(sink.key, a->ip, sizeof a->ip);
    snprintf(out, PL_ADDR_TEXT_MAX, "ip%d-%06x:%u", a->family, (unsigned)(h & 0xffffff), a->port);
    return out;
}

const char *pl_log_private(const char *text)
{
    return atomic_load(&sink.show_private) ? text : "(hidden)";
}

bool pl_rate_pass(pl_rate *r, int64_t now_us)
{
    if (now_us < r->next_us) {
        r->missed++;
        return false;
    }
    r->next_us = now_us + 1000000;
    return true;
}

uint32_t pl_rate_missed(pl_rate *r)
{
    uint32_t n = r->missed;
    r->missed = 0;
    return n;
}
