/* tls.h - TLS on a byte stream, for the server's listeners and for clients of wss://.
 * Source   RFC 8446 and 5246 by OpenSSL; RFC 6125 names checked for clients.
 * Shape    no socket inside: ciphertext goes in by input, plaintext out by read; plaintext in by write,
 *          ciphertext out by output. A context serves many sessions and outlives them.
 * Errors   PL_EPROTO after which the session is only good for output (an alert) and free.
 * Thread   its owner's; a context is used by one thread. */
#ifndef PL_SIGNAL_TLS_H
#define PL_SIGNAL_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peerline/error.h"

typedef struct pl_tls_ctx pl_tls_ctx;
typedef struct pl_tls pl_tls;

/* PEM files: the certificate with its chain, and its key. Errors: PL_EINVAL (the log says why), PL_ENOMEM. */
PL_NODISCARD pl_err pl_tls_server_new(pl_tls_ctx **out, const char *cert_file, const char *key_file);
/* Trusts what the system trusts, or the PEM file of ca_file. */
PL_NODISCARD pl_err pl_tls_client_new(pl_tls_ctx **out, const char *ca_file);
void pl_tls_ctx_free(pl_tls_ctx *ctx); /* NULL is fine */

/* host: for clients, the name the certificate must carry; NULL for servers. */
PL_NODISCARD pl_err pl_tls_new(pl_tls **out, pl_tls_ctx *ctx, const char *host);
void pl_tls_free(pl_tls *t); /* NULL is fine */
/* Takes ciphertext and appends what it decrypts to `plain`. *ended: the peer said goodbye. */
PL_NODISCARD pl_err pl_tls_input(pl_tls *t, const uint8_t *data, size_t len, pl_buf *plain, bool *ended);
/* PL_EAGAIN before the handshake is over. */
PL_NODISCARD pl_err pl_tls_write(pl_tls *t, const void *data, size_t len);
bool pl_tls_is_ready(const pl_tls *t);
void pl_tls_shutdown(pl_tls *t); /* queues close_notify */
/* Appends the ciphertext that waits to be sent. Ask after new (clients speak first), input, write and
 * shutdown. */
void pl_tls_output(pl_tls *t, pl_buf *cipher);

#endif
