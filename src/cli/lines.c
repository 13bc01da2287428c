#include "cli/lines.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pl_lines_clear(pl_lines *l)
{
    free(l->buf);
    l->buf = NULL;
    l->n = l->cap = 0;
}

static bool make_room(pl_lines *l)
{
    if (l->n < l->cap)
        return true;
    if (l->cap >= PL_LINE_MAX)
        return false;
    size_t cap = l->cap ? l->cap * 2 : 8192;
    char *buf = realloc(l->buf, cap + 1);
    if (!buf)
        return false;
    l->buf = buf;
    l->cap = cap;
    return true;
}

static void hand_out(pl_lines *l)
{
    size_t at = 0;
    for (char *end; (end = memchr(l->buf + at, '\n', l->n - at));) {
        size_t len = (size_t)(end - (l->buf + at));
        *end = 0;
        if (l->skipping)
            l->skipping = false; /* the tail of the overlong line */
        else if (len)
            l->line(l->user, l->buf + at, len);
        at += len + 1;
    }
    memmove(l->buf, l->buf + at, l->n - at);
    l->n -= at;
}

static void read_some(pl_lines *l)
{
    if (!make_room(l)) {
        if (!l->skipping)
            l->overlong(l->user);
        l->skipping = true;
        l->n = 0;
    }
    ssize_t n = read(l->fd, l->buf + l->n, l->cap - l->n);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        l->ended = true;
        if (l->n && !l->skipping) { /* a last line without its end */
            l->buf[l->n] = 0;
            l->line(l->user, l->buf, l->n);
            l->n = 0;
        }
        return;
    }
    l->n += (size_t)n;
    hand_out(l);
}

bool pl_lines_wait_also(pl_lines *l, pl_loop *loop, pl_lines_also *also, int64_t timeout_us)
{
    struct pollfd fd[3] = { { .fd = pl_loop_fd(loop), .events = POLLIN },
                            { .fd = l->ended ? -1 : l->fd, .events = POLLIN },
                            { .fd = -1 } };
    if (also)
        fd[2] = (struct pollfd){ .fd = also->fd, .events = also->to_write ? POLLOUT : POLLIN };
    int64_t own_us = pl_loop_timeout_us(loop);
    if (own_us < timeout_us)
        timeout_us = own_us;
    int ms = timeout_us > 3600000000 ? 3600000 : (int)((timeout_us + 999) / 1000);
    int n = poll(fd, 3, ms);
    if (n < 0 && errno != EINTR)
        return false;
    if (n > 0 && fd[1].revents)
        read_some(l);
    if (also)
        also->ready = n > 0 && fd[2].revents;
    pl_loop_run_once(loop, 0);
    return true;
}

bool pl_lines_writable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    return poll(&p, 1, 0) > 0;
}

bool pl_lines_wait(pl_lines *l, pl_loop *loop, int64_t timeout_us)
{
    return pl_lines_wait_also(l, loop, NULL, timeout_us);
}

void pl_lines_print(json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12));
    if (text) {
        puts(text);
        fflush(stdout);
    }
    free(text);
    json_decref(object);
}
