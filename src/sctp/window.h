/* window.h - how large a window to advertise: as much as the path and the application make use of.
 * Source   RFC 9260 6.2 (a_rwnd) leaves it open; the way is that of Dynamic Right-Sizing (Fisk, Feng 2001).
 * Shape    plain data inside its association. What the application takes in one round trip, four times: once for what is
 *          under way, once for a queue as long as the path, and twice that because slow start doubles. What waits for a
 *          TSN that is missing counts as taken, for it will be: else each loss would hold up the growth for two round
 *          trips. It grows and never shrinks, since a window once advertised must be honoured.
 * Units    bytes, microseconds. */
#ifndef PL_SCTP_WINDOW_H
#define PL_SCTP_WINDOW_H

#include <stddef.h>
#include <stdint.h>

enum { PL_SCTP_WINDOW_TIMES = 4 };

typedef struct pl_sctp_window {
    size_t size, max;
    uint64_t taken, from; /* bytes in all; with those that waited, when the round began */
    int64_t since_us;     /* it did */
} pl_sctp_window;

void pl_sctp_window_init(pl_sctp_window *w, size_t size, size_t max, int64_t now_us);
/* The application has taken so much, all that it could; waiting: bytes held beside it, which the peer must complete first.
 * rtt_us: 0 when it is not known. */
void pl_sctp_window_taken(pl_sctp_window *w, size_t bytes, size_t waiting, int64_t now_us, int64_t rtt_us);
/* A message under way needs so much, though the application has taken all it can. */
void pl_sctp_window_need(pl_sctp_window *w, size_t bytes);

#endif
