/* context.h - SRTP and SRTCP in one direction: protect what is sent, or authenticate and open what came.
 * Source   RFC 3711, RFC 7714 (AES-GCM), RFC 6904 not used. MKI and key derivation rate are not used (RFC
 *          5764 4.1.2 has none).
 * Shape    a connection has two, one a direction. Streams (SSRCs) appear by themselves: on the sending side
 *          with the first packet, on the receiving side with the first packet that authenticates, so forged
 *          ones cost no memory. All work is done in place; nothing is allocated per packet.
 * Thread   its connection's thread.
 * Errors   PL_EPROTO malformed or not authentic, PL_ENOSPC no tailroom or no stream left, PL_EAGAIN a replay
 *          (the owner counts it and drops the packet), PL_ESTATE a key used up (RFC 3711 9.2): 2^48 RTP
 *          packets or 2^31 RTCP packets. After an error of unprotect the payload is undefined; the header is
 *          untouched. After an error of protect the packet must not be sent. */
#ifndef PL_SRTP_CONTEXT_H
#define PL_SRTP_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/rand.h"
#include "crypto/srtp_profile.h"
#include "peerline/error.h"

enum {
    PL_SRTP_TAILROOM = 16,      /* protect makes an RTP packet longer by at most this ... */
    PL_SRTCP_TAILROOM = 20,     /* ... and an RTCP packet */
    PL_SRTP_STREAMS_MAX = 1024, /* SSRCs in one context */
    PL_SRTP_WINDOW = 960,       /* packets a replay window looks back, RTP and RTCP */
};

typedef struct pl_srtp pl_srtp;
typedef enum pl_srtp_dir { PL_SRTP_SEND, PL_SRTP_RECV } pl_srtp_dir;

/* Derives the session keys; the master is not kept. rand: the key of the stream table, for peers choose
 * the SSRCs. Errors: PL_EINVAL unknown profile, PL_ENOMEM. */
PL_NODISCARD pl_err pl_srtp_new(pl_srtp **out, pl_srtp_profile profile, const pl_srtp_master *master,
                                pl_srtp_dir dir, const pl_rand *rand);
/* Wipes the keys; NULL is fine. */
void pl_srtp_free(pl_srtp *s);

/* pkt holds len bytes of RTP (RTCP: a compound packet) in cap bytes; *out_len is the new length. Protecting
 * a sequence number twice would use a nonce twice, so it gives PL_EAGAIN: to send a packet again, keep its
 * protected form (or use RFC 4588). */
PL_NODISCARD pl_err pl_srtp_protect(pl_srtp *s, uint8_t *pkt, size_t len, size_t cap, size_t *out_len);
PL_NODISCARD pl_err pl_srtp_unprotect(pl_srtp *s, uint8_t *pkt, size_t len, size_t *out_len);
PL_NODISCARD pl_err pl_srtp_protect_rtcp(pl_srtp *s, uint8_t *pkt, size_t len, size_t cap, size_t *out_len);
PL_NODISCARD pl_err pl_srtp_unprotect_rtcp(pl_srtp *s, uint8_t *pkt, size_t len, size_t *out_len);

/* Forgets a stream on the receiving side to make room; unknown ones are fine. Packets of it that were seen
 * would be taken again afterwards, so only for an SSRC that nobody listens to any more. On the sending side
 * streams are never forgotten, because their numbers must not start again. */
void pl_srtp_forget(pl_srtp *s, uint32_t ssrc);
/* The rollover counter of a stream, or 0: for statistics and for tests. */
uint32_t pl_srtp_roc(pl_srtp *s, uint32_t ssrc);
size_t pl_srtp_n_streams(const pl_srtp *s);

#endif
