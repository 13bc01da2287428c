#include "server/redis_watch.h"

#include <hiredis/async.h>
#include <stdlib.h>
#include <uv.h>

/* libuv closes a handle later than hiredis lets go of it: the watch frees itself. */
typedef struct watch {
    uv_poll_t poll;
    redisAsyncContext *context; /* NULL: it has let go */
    int events;
} watch;

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const watch *w = poll->data;
    if (status < 0) /* refused, or reset: reading finds out why */
        events = w->events;
    if (w->context && events & UV_READABLE)
        redisAsyncHandleRead(w->context);
    if (w->context && events & UV_WRITABLE)
        redisAsyncHandleWrite(w->context);
}

static void set_events(watch *w, int events)
{
    w->events = events;
    if (events)
        (void)uv_poll_start(&w->poll, events, on_poll);
    else
        (void)uv_poll_stop(&w->poll);
}

static void add_read(void *user)
{
    watch *w = user;
    set_events(w, w->events | UV_READABLE);
}

static void del_read(void *user)
{
    watch *w = user;
    set_events(w, w->events & ~UV_READABLE);
}

static void add_write(void *user)
{
    watch *w = user;
    set_events(w, w->events | UV_WRITABLE);
}

static void del_write(void *user)
{
    watch *w = user;
    set_events(w, w->events & ~UV_WRITABLE);
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

static void clean_up(void *user)
{
    watch *w = user;
    w->context = NULL;
    uv_close((uv_handle_t *)&w->poll, on_closed);
}

pl_err pl_redis_watch(redisAsyncContext *c, pl_loop *loop)
{
    watch *w = calloc(1, sizeof *w);
    if (!w)
        return PL_ENOMEM;
    if (uv_poll_init_socket(pl_loop_uv(loop), &w->poll, c->c.fd)) {
        free(w);
        return PL_EIO;
    }
    w->poll.data = w;
    w->context = c;
    c->ev.data = w;
    c->ev.addRead = add_read;
    c->ev.delRead = del_read;
    c->ev.addWrite = add_write;
    c->ev.delWrite = del_write;
    c->ev.cleanup = clean_up;
    return PL_OK;
}
