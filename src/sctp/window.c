#include "sctp/window.h"

void pl_sctp_window_init(pl_sctp_window *w, size_t size, size_t max, int64_t now_us)
{
    *w = (pl_sctp_window){ .size = size, .max = max, .since_us = now_us };
}

void pl_sctp_window_taken(pl_sctp_window *w, size_t bytes, size_t waiting, int64_t now_us, int64_t rtt_us)
{
    w->taken += bytes;
    uint64_t seen = w->taken + waiting;
    int64_t took_us = now_us - w->since_us;
    if (rtt_us == 0 || took_us < rtt_us || w->size == w->max)
        return;
    double of_round = (double)(seen > w->from ? seen - w->from : 0) * (double)rtt_us / (double)took_us;
    double want = of_round * PL_SCTP_WINDOW_TIMES;
    if (want > (double)w->size)
        w->size = want < (double)w->max ? (size_t)want : w->max;
    w->from = seen;
    w->since_us = now_us;
}

void pl_sctp_window_need(pl_sctp_window *w, size_t bytes)
{
    size_t want = bytes + bytes / 4; /* not for each chunk anew */
    if (bytes > w->size)
        w->size = want < w->max ? want : w->max;
}
