/* dup.h - has this packet come before? A sliding window of bits over unwrapped sequence numbers, so that a
 * packet reaches an engine once whether the network, RTX or both brought it.
 * Shape    plain data, zero state legal, nothing to free; 520 bytes. */
#ifndef PL_RTP_DUP_H
#define PL_RTP_DUP_H

#include <stdbool.h>
#include <stdint.h>

enum { PL_DUP_WINDOW = 4096 }; /* packets; older ones count as seen */

typedef struct pl_rtp_dup {
    bool started;
    int64_t top; /* newest number seen */
    uint64_t bit[PL_DUP_WINDOW / 64];
} pl_rtp_dup;

/* True the first time, false when it was seen or is older than the window. */
bool pl_rtp_dup_first(pl_rtp_dup *d, int64_t ext_seq);

#endif
