/* alarm.h - one deadline in microseconds that wakes a libuv loop.
 * Shape    a value inside the loop; start, then close and let the loop run until `closed` was called. On
 *          Linux a timerfd in the poll set, so that an application polling the loop's descriptor sees it,
 *          too; elsewhere uv_timer, which rounds up to milliseconds.
 * Errors   PL_EIO: no more descriptors.
 * Thread   the loop's. */
#ifndef PL_NET_ALARM_H
#define PL_NET_ALARM_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "peerline/error.h"

typedef struct pl_alarm {
    int64_t armed_us; /* PL_NEVER: silent */
    bool rang;        /* and was not set since */
    int fd;
    union {
        uv_handle_t any;
        uv_poll_t poll;
        uv_timer_t timer;
    } h;
} pl_alarm;

PL_NODISCARD pl_err pl_alarm_start(pl_alarm *a, uv_loop_t *uv);
/* The loop wakes at at_us or, when it was set to an earlier time before, at that one: deadlines move later
 * all the time, and an early ring costs less than telling the kernel each time. Set before every sleep;
 * PL_NEVER when there is nothing to wait for. */
void pl_alarm_set(pl_alarm *a, int64_t at_us);
void pl_alarm_close(pl_alarm *a, void (*closed)(uv_handle_t *h));

#endif
