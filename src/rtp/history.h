/* history.h - packets that were sent, kept for a while in case they are asked for again.
 * Source   RFC 4588 4 (buffer of the sender), RFC 4585 6.2.1.
 * Shape    zero state legal after init; memory comes in chunks as packets come and goes back when they are
 *          old, so a quiet stream holds nothing. clear frees. Belongs to its connection's thread.
 * Units    microseconds.
 * Errors   PL_ENOMEM: this packet is not kept, the others are. A full history forgets its oldest. */
#ifndef PL_RTP_HISTORY_H
#define PL_RTP_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

enum {
    PL_HISTORY_PACKETS_MAX = 4096, /* kept at most */
    PL_HISTORY_LEN_MAX = 1500,     /* bytes of a packet */
    PL_HISTORY_CHUNK = 16384,      /* bytes per allocation */
    PL_HISTORY_KEEP_US = 1000000,  /* at least so long, or three round trips */
    PL_HISTORY_KEEP_MAX_US = 4000000
};

typedef struct pl_history_slot pl_history_slot;
typedef struct pl_history_chunk pl_history_chunk;

typedef struct pl_rtp_history {
    pl_history_slot *slot; /* ring by sequence number, a power of two */
    uint32_t n_slots;
    int64_t first, next; /* unwrapped numbers kept: [first, next) */
    pl_history_chunk *oldest, *newest, *spare;
    int64_t rtt_us;
    uint32_t n_missed, n_too_soon; /* asked for in vain; asked again within a round trip */
} pl_rtp_history;

void pl_rtp_history_init(pl_rtp_history *h);
void pl_rtp_history_clear(pl_rtp_history *h);
/* The smoothed round-trip time: how long to keep, and how soon a packet may go again. 100 ms until told. */
void pl_rtp_history_rtt(pl_rtp_history *h, int64_t rtt_us);
/* Copies a packet in (RTP before SRTP, its own SSRC and sequence number). Sequence numbers ascend; a late one (forwarded
 * after it was repaired) fills the gap that was left for it. */
PL_NODISCARD pl_err pl_rtp_history_put(pl_rtp_history *h, int64_t now_us, const uint8_t *pkt, size_t len);
/* The packet a NACK asks for, or NULL when it is gone or was resent less than a round trip ago (that copy is
 * still on its way); marks it as resent at now_us. Lent until the next put, tick or clear. */
const uint8_t *pl_rtp_history_resend(pl_rtp_history *h, int64_t now_us, uint16_t seq, size_t *len);
/* The newest packet of at most max_len bytes, to be repeated as padding (RTX carries it); NULL when none. */
const uint8_t *pl_rtp_history_padding(pl_rtp_history *h, size_t max_len, size_t *len);
/* Forgets what is too old; once a second is enough. */
void pl_rtp_history_tick(pl_rtp_history *h, int64_t now_us);
size_t pl_rtp_history_bytes(const pl_rtp_history *h); /* allocated now */
void pl_rtp_history_check(const pl_rtp_history *h);

#endif
