#include "signal/curl_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#include "net/loop.h"

struct pl_curl {
    CURLM *multi;
    pl_loop *loop;
    pl_timer timer;
    pl_curl_fn done;
    void *user;
};

/* libuv closes a handle later, and libcurl forgets a socket now: each watch frees itself. */
typedef struct watch {
    uv_poll_t poll;
    pl_curl *owner;
    curl_socket_t fd;
} watch;

static void init_once(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void tell_finished(pl_curl *c)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl_multi_info_read(c->multi, &left))) {
        CURL *easy = msg->easy_handle;
        CURLcode result = msg->data.result;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_multi_remove_handle(c->multi, easy); /* msg is void from here on */
        c->done(c->user, easy, result);
    }
}

static void act(pl_curl *c, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(c->multi, fd, events, &running);
    tell_finished(c);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    const watch *w = poll->data;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(w->owner, w->fd, flags);
}

static void on_time(void *user, int64_t now_us)
{
    (void)now_us;
    act(user, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *user)
{
    pl_curl *c = user;
    (void)multi;
    if (timeout_ms < 0)
        pl_timer_cancel(c->loop, &c->timer);
    else
        pl_timer_set(c->loop, &c->timer, pl_clock_us() + PL_MS(timeout_ms));
    return 0;
}

static void on_watch_closed(uv_handle_t *h)
{
    free(h->data);
}

static watch *watch_new(pl_curl *c, curl_socket_t fd)
{
    watch *w = calloc(1, sizeof *w);
    if (!w || uv_poll_init_socket(pl_loop_uv(c->loop), &w->poll, fd)) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->owner = c;
    w->fd = fd;
    curl_multi_assign(c->multi, fd, w);
    return w;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
    pl_curl *c = user;
    watch *w = socket_user;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w) {
            uv_poll_stop(&w->poll);
            curl_multi_assign(c->multi, fd, NULL);
            uv_close((uv_handle_t *)&w->poll, on_watch_closed);
        }
        return 0;
    }
    if (!w && !(w = watch_new(c, fd)))
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&w->poll, events, on_poll) ? -1 : 0;
}

pl_err pl_curl_new(pl_curl **out, pl_loop *loop, pl_curl_fn done, void *user)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    *out = NULL;
    pthread_once(&once, init_once);
    pl_curl *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    *c = (pl_curl){ .multi = curl_multi_init(), .loop = loop, .done = done, .user = user };
    if (!c->multi) {
        free(c);
        return PL_ENOMEM;
    }
    c->timer = (pl_timer){ .fn = on_time, .arg = c };
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    *out = c;
    return PL_OK;
}

void pl_curl_free(pl_curl *c)
{
    if (!c)
        return;
    curl_multi_cleanup(c->multi); /* tells us of the sockets that it closes */
    pl_timer_cancel(c->loop, &c->timer);
    free(c);
}

pl_err pl_curl_start(pl_curl *c, CURL *easy)
{
    return curl_multi_add_handle(c->multi, easy) == CURLM_OK ? PL_OK : PL_ENOMEM;
}

void pl_curl_stop(pl_curl *c, CURL *easy)
{
    curl_multi_remove_handle(c->multi, easy);
}
