#include "net/alarm.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "net/loop.h"

#ifdef __linux__

#include <sys/timerfd.h>

/* The descriptor is not read: setting the next deadline silences it as well, and saves a call. */
static void program(pl_alarm *a, int64_t at_us)
{
    struct itimerspec spec = { .it_value = { 0 } };
    if (at_us != PL_NEVER) {
        at_us = pl_max_us(at_us, 1); /* zero would disarm */
        spec.it_value.tv_sec = at_us / 1000000;
        spec.it_value.tv_nsec = at_us % 1000000 * 1000;
    }
    if (timerfd_settime(a->fd, TFD_TIMER_ABSTIME, &spec, NULL) != 0)
        pl_log_warn(NULL, "timerfd: %s", strerror(errno));
}

static void on_poll(uv_poll_t *h, int status, int events)
{
    (void)status;
    (void)events;
    pl_alarm *a = h->data;
    a->rang = true;
}

pl_err pl_alarm_start(pl_alarm *a, uv_loop_t *uv)
{
    *a = (pl_alarm){ .armed_us = PL_NEVER };
    a->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (a->fd < 0)
        return PL_EIO;
    if (uv_poll_init(uv, &a->h.poll, a->fd) != 0) {
        close(a->fd);
        return PL_EIO;
    }
    a->h.poll.data = a;
    uv_poll_start(&a->h.poll, UV_READABLE, on_poll);
    return PL_OK;
}

static void stop(pl_alarm *a)
{
    uv_poll_stop(&a->h.poll);
    close(a->fd);
}

#else

static void on_timer(uv_timer_t *h)
{
    pl_alarm *a = h->data;
    a->rang = true;
}

static void program(pl_alarm *a, int64_t at_us)
{
    if (at_us == PL_NEVER) {
        uv_timer_stop(&a->h.timer);
        return;
    }
    uv_update_time(a->h.timer.loop);
    int64_t left_us = pl_max_us(at_us - pl_clock_us(), 0);
    uv_timer_start(&a->h.timer, on_timer, (uint64_t)(left_us + 999) / 1000, 0);
}

pl_err pl_alarm_start(pl_alarm *a, uv_loop_t *uv)
{
    *a = (pl_alarm){ .armed_us = PL_NEVER, .fd = -1 };
    uv_timer_init(uv, &a->h.timer);
    a->h.timer.data = a;
    return PL_OK;
}

static void stop(pl_alarm *a)
{
    uv_timer_stop(&a->h.timer);
}

#endif

void pl_alarm_set(pl_alarm *a, int64_t at_us)
{
    if (!a->rang && at_us >= a->armed_us)
        return;
    a->rang = false;
    a->armed_us = at_us;
    program(a, at_us);
}

void pl_alarm_close(pl_alarm *a, void (*closed)(uv_handle_t *h))
{
    stop(a);
    uv_close(&a->h.any, closed);
}
