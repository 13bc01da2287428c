/* tls_dgram.h - DTLS 1.2 on datagrams, for STUN and TURN clients and servers (RFC 7350). Media's DTLS, with
 * fingerprints and SRTP keys, is another matter: dtls/.
 * Source   RFC 6347 by OpenSSL, 4.2.1 for the cookies, 4.2.4 for the timer.
 * Shape    no socket inside: datagrams go in one by one, datagrams and records of plaintext come out one by
 *          one. A listener keeps nothing for a stranger: it answers a hello without cookie with fewer bytes
 *          than it got, and makes a session only for who has proved to own its address.
 * Units    microseconds. The timer is OpenSSL's, which reads the calendar: a clock set back delays
 *          retransmissions, at worst until PL_TLS_DGRAM_PATIENCE_US ends the handshake.
 * Errors   PL_EPROTO after which the session is only good for poll_output (an alert) and free. Junk and
 *          forged datagrams are dropped in silence.
 * Thread   its owner's. */
#ifndef PL_NET_TLS_DGRAM_H
#define PL_NET_TLS_DGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/time.h"
#include "net/tls.h"

PL_SHARED_BEGIN

enum {
    PL_TLS_DGRAM_MTU = 1200,      /* of handshake datagrams, when 0 is given */
    PL_TLS_DGRAM_MTU_MIN = 256,   /* less is raised to this */
    PL_TLS_DGRAM_OVERHEAD = 64,   /* a record is at most this much longer than its data, in any suite */
    PL_TLS_DGRAM_OUT_MAX = 65536, /* bytes waiting to be polled; more are dropped, as by the network */
    PL_TLS_DGRAM_DATA_MAX = 16384,
    PL_TLS_COOKIE_ANSWER_MAX = 64 /* bytes of an answer to a stranger; his hello has more */
};
#define PL_TLS_DGRAM_RTO_US      PL_MS(500) /* first retransmission, doubled after ... */
#define PL_TLS_DGRAM_RTO_MAX_US  PL_SEC(4)  /* ... up to this */
#define PL_TLS_DGRAM_PATIENCE_US PL_SEC(30) /* a handshake that takes longer has failed */

typedef struct pl_tls_dgram pl_tls_dgram;
typedef struct pl_tls_listener pl_tls_listener;

/* A client's session, its hello ready in poll_output. host: the name the certificate must carry. mtu: bytes
 * of handshake datagrams, without IP and UDP headers. ctx was made with `datagrams`. Errors: PL_ENOMEM,
 * PL_EINVAL (a server's context: its sessions come from pl_tls_listen). */
PL_NODISCARD pl_err pl_tls_dgram_new(pl_tls_dgram **out, pl_tls_ctx *ctx, const char *host, size_t mtu,
                                     int64_t now_us);
void pl_tls_dgram_free(pl_tls_dgram *s); /* NULL is fine; says nothing to the peer: shutdown first */

/* One datagram, lent until poll_data has said false. Afterwards poll data, then output. */
PL_NODISCARD pl_err pl_tls_dgram_input(pl_tls_dgram *s, int64_t now_us, const uint8_t *pkt, size_t len);
/* The next record of plaintext of the last datagram; call until false. One longer than cap is cut in parts. */
bool pl_tls_dgram_poll_data(pl_tls_dgram *s, uint8_t *buf, size_t cap, size_t *len);
/* The next datagram to send; false when there is none, or when it is longer than cap (then it stays). */
bool pl_tls_dgram_poll_output(pl_tls_dgram *s, uint8_t *buf, size_t cap, size_t *len);
/* One record, one datagram, to be polled. Errors: PL_EAGAIN before the handshake is over, PL_EINVAL for 0 or
 * more than PL_TLS_DGRAM_DATA_MAX bytes, PL_EPROTO (failed or ended). */
PL_NODISCARD pl_err pl_tls_dgram_write(pl_tls_dgram *s, const void *data, size_t len);
/* Retransmits what is due; PL_EPROTO when patience is over. */
PL_NODISCARD pl_err pl_tls_dgram_tick(pl_tls_dgram *s, int64_t now_us);
int64_t pl_tls_dgram_next_us(const pl_tls_dgram *s);
bool pl_tls_dgram_is_ready(const pl_tls_dgram *s);
bool pl_tls_dgram_has_ended(const pl_tls_dgram *s); /* the peer said goodbye */
pl_str pl_tls_dgram_alpn(const pl_tls_dgram *s);    /* as pl_tls_alpn */
void pl_tls_dgram_shutdown(pl_tls_dgram *s);        /* queues close_notify */

/* ctx: a server's, with `datagrams`. Errors: PL_ENOMEM, PL_EINVAL. */
PL_NODISCARD pl_err pl_tls_listener_new(pl_tls_listener **out, pl_tls_ctx *ctx, size_t mtu);
void pl_tls_listener_free(pl_tls_listener *l); /* sessions it gave live on. NULL is fine */
/* A datagram from an address that has no session. Exactly one of these happens:
 *   *out set        it carried a cookie of ours: poll the new session's output, feed it further datagrams
 *   *answer_len > 0 send the answer to `from`, and forget it
 *   neither         junk, or no memory: forget it */
void pl_tls_listen(pl_tls_listener *l, int64_t now_us, const pl_addr *from, const uint8_t *pkt, size_t len,
                   uint8_t answer[PL_TLS_COOKIE_ANSWER_MAX], size_t *answer_len, pl_tls_dgram **out);

PL_SHARED_END

#endif
