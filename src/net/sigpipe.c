#include "net/sigpipe.h"

#include <stddef.h>
#include <time.h>

static sigset_t only_sigpipe(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

static bool is_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void pl_sigpipe_block(void)
{
    sigset_t set = only_sigpipe();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void pl_sigpipe_hold(pl_sigpipe *s)
{
    sigset_t set = only_sigpipe(), before;
    s->was_pending = is_pending();
    s->held = pthread_sigmask(SIG_BLOCK, &set, &before) == 0 && sigismember(&before, SIGPIPE) == 0;
}

void pl_sigpipe_release(const pl_sigpipe *s)
{
    static const struct timespec at_once;
    sigset_t set = only_sigpipe();
    if (!s->held)
        return;
    if (!s->was_pending && is_pending())
        (void)sigtimedwait(&set, NULL, &at_once);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
