/* tls.h - TLS on a byte stream, and the contexts that TLS and DTLS (net/tls_dgram.h) sessions are made from.
 * Source   RFC 8446 and 5246 by OpenSSL; RFC 6125 names checked for clients; RFC 7301 ALPN, with RFC 7443's
 *          names for STUN and TURN.
 * Shape    no socket inside: ciphertext goes in by input, plaintext out by read; plaintext in by write,
 *          ciphertext out by output. A context serves many sessions; sessions hold
 *          references, so a certificate is renewed by a new context, and the old one may be freed at once.
 * Errors   PL_EPROTO after which the session is only good for output (an alert) and free.
 * Thread   a session is its owner's; a context may be shared by threads. */
#ifndef PL_NET_TLS_H
#define PL_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/shared.h"
#include "base/slice.h"
#include "peerline/error.h"

PL_SHARED_BEGIN

#define PL_TLS_ALPN_TURN "stun.turn"          /* RFC 7443 */
#define PL_TLS_ALPN_STUN "stun.nat-discovery" /* RFC 7443 */

typedef struct pl_tls_ctx pl_tls_ctx;
typedef struct pl_tls pl_tls;

typedef struct pl_tls_conf {
    bool server;
    bool datagrams;        /* DTLS 1.2, for pl_tls_dgram sessions; else TLS 1.2 and 1.3, for pl_tls */
    const char *cert_file; /* PEM: the certificate with its chain, and its key; servers must have both */
    const char *key_file;
    const char *ca_file; /* clients trust this PEM file; NULL: what the system trusts */
    bool trust_all;      /* clients: any certificate will do (for measuring, never for secrets) */
    const char *alpn;    /* names, best first, with commas between; NULL: none. A server ignores a client
                          * that names only others, as a client without any */
} pl_tls_conf;

/* conf is read and not kept. Errors: PL_EINVAL (files; the log says why), PL_ENOMEM. */
PL_NODISCARD pl_err pl_tls_ctx_new(pl_tls_ctx **out, const pl_tls_conf *conf);
/* The two most used. */
PL_NODISCARD pl_err pl_tls_server_new(pl_tls_ctx **out, const char *cert_file, const char *key_file);
PL_NODISCARD pl_err pl_tls_client_new(pl_tls_ctx **out, const char *ca_file);
void pl_tls_ctx_free(pl_tls_ctx *ctx); /* sessions it made live on. NULL is fine */

/* host: for clients, the name (or IP address) the certificate must carry; NULL for servers. */
PL_NODISCARD pl_err pl_tls_new(pl_tls **out, pl_tls_ctx *ctx, const char *host);
void pl_tls_free(pl_tls *t); /* NULL is fine */
/* Takes ciphertext and appends what it decrypts to `plain`. *ended: the peer said goodbye. */
PL_NODISCARD pl_err pl_tls_input(pl_tls *t, const uint8_t *data, size_t len, pl_buf *plain, bool *ended);
/* PL_EAGAIN before the handshake is over. */
PL_NODISCARD pl_err pl_tls_write(pl_tls *t, const void *data, size_t len);
bool pl_tls_is_ready(const pl_tls *t);
pl_str pl_tls_alpn(const pl_tls *t);         /* the protocol agreed on, empty when none; lent */
const char *pl_tls_version(const pl_tls *t); /* "TLSv1.3", for people */
/* Why the peer's certificate was refused ("certificate has expired"); NULL when it was not. Constant. */
const char *pl_tls_refusal(const pl_tls *t);
/* Why the session failed ("tlsv1 unrecognized name"); NULL when it did not, or nothing is known. Constant. */
const char *pl_tls_why(const pl_tls *t);
/* What ties a log-in above to this session: tls-exporter (RFC 9266) of TLS 1.3, tls-unique (RFC 5929) of TLS 1.2 with
 * the extended master secret, without which it says nothing. False: none, or not ready. */
enum { PL_TLS_BINDING_MAX = 64 };
typedef enum pl_tls_binding { PL_TLS_EXPORTER, PL_TLS_UNIQUE } pl_tls_binding;
bool pl_tls_bind(const pl_tls *t, pl_tls_binding kind, uint8_t out[PL_TLS_BINDING_MAX], size_t *len);
void pl_tls_shutdown(pl_tls *t); /* queues close_notify */
/* Appends the ciphertext that waits to be sent. Ask after new (clients speak first), input, write and
 * shutdown. */
void pl_tls_output(pl_tls *t, pl_buf *cipher);

PL_SHARED_END

#endif
