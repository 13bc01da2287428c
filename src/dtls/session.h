/* session.h - one DTLS 1.2 association: handshake, records, and the keys of SRTP.
 * Source   RFC 6347 (DTLS 1.2), RFC 5764 (use_srtp), RFC 7627 (extended master secret), RFC 8122 and 8842
 *          (fingerprints and setup roles in SDP), RFC 8827 6.5 (what WebRTC demands of it).
 * Shape    a sans-I/O core with the eight verbs. pl_dtls_ctx is what all connections with one certificate
 *          share (reference counted, any thread); a pl_dtls belongs to its connection's thread.
 *          Datagrams that come before pl_dtls_start are kept and replayed; what there is to send waits until
 *          the owner polls, so input may be fed before the transport can send.
 * Trust    a session is CONNECTED only when the handshake is complete and the peer's certificate has one of
 *          the fingerprints of pl_dtls_set_remote, which may come at any time. Until then it gives out no
 *          application data and no keys.
 * Units    microseconds.
 * Errors   junk and forged packets are counted and dropped; only an authenticated fault, a wrong fingerprint
 *          or PL_DTLS_PATIENCE_US without progress fail a session. */
#ifndef PL_DTLS_SESSION_H
#define PL_DTLS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/time.h"
#include "crypto/cert.h"
#include "crypto/srtp_profile.h"

enum {
    PL_DTLS_MTU = 1200,             /* bytes of a handshake datagram when the configuration names none */
    PL_DTLS_MTU_MIN = 256,          /* less is raised to this */
    PL_DTLS_MTU_MAX = 1500,         /* more is cut to this */
    PL_DTLS_OVERHEAD = 64,          /* a record is at most this much longer than its data, in any suite */
    PL_DTLS_DATA_MAX = 16384,       /* bytes of application data in one record */
    PL_DTLS_EARLY_MAX = 16,         /* datagrams kept before the start; later ones are dropped */
    PL_DTLS_EARLY_BYTES_MAX = 2048, /* longer early datagrams are dropped */
    PL_DTLS_INBOX_MAX = 512,        /* records of application data waiting to be polled */
    PL_DTLS_OUT_MAX = 32,           /* datagrams waiting to be polled */
    PL_DTLS_IN_MAX = 16,            /* datagrams of application data kept before the fingerprint is known */
    PL_DTLS_FINGERPRINT_MAX = 8,    /* remote fingerprints compared against */
    PL_DTLS_REASON_MAX = 96,
};
#define PL_DTLS_RTO_US      PL_MS(50) /* first retransmission (WebRTC practice; RFC 6347's second is too long) */
#define PL_DTLS_RTO_MAX_US  PL_MS(1600) /* doubling ends here */
#define PL_DTLS_PATIENCE_US PL_SEC(30)  /* a handshake that sent a flight and took longer has failed */

/* What connections share: certificate, suites, OpenSSL's SSL_CTX. */
typedef struct pl_dtls_ctx pl_dtls_ctx;
/* Takes a reference to the certificate. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_dtls_ctx_new(pl_dtls_ctx **out, pl_cert *cert);
pl_dtls_ctx *pl_dtls_ctx_ref(pl_dtls_ctx *c);
void pl_dtls_ctx_free(pl_dtls_ctx *c); /* gives one reference back; NULL is fine */
const pl_cert *pl_dtls_ctx_cert(const pl_dtls_ctx *c);

typedef struct pl_dtls pl_dtls;

typedef enum pl_dtls_role {
    PL_DTLS_CLIENT, /* a=setup:active, sends the ClientHello */
    PL_DTLS_SERVER, /* a=setup:passive */
} pl_dtls_role;

/* As RTCDtlsTransportState. CONNECTING includes a complete handshake whose fingerprint is not known yet. */
typedef enum pl_dtls_state {
    PL_DTLS_NEW,
    PL_DTLS_CONNECTING,
    PL_DTLS_CONNECTED,
    PL_DTLS_CLOSED, /* by either side's close_notify */
    PL_DTLS_FAILED,
} pl_dtls_state;
const char *pl_dtls_state_str(pl_dtls_state s); /* "new", "connecting", ... as in W3C */

typedef struct pl_dtls_conf {
    pl_dtls_ctx *ctx; /* a reference is taken */
    size_t mtu;       /* 0: PL_DTLS_MTU. Of the handshake; application records are as long as they are */
    int64_t rto_us;   /* 0: PL_DTLS_RTO_US. A path known to be long may start higher */
    uint32_t log_id;  /* the number in "dtls[3f]" */
} pl_dtls_conf;

PL_NODISCARD pl_err pl_dtls_new(pl_dtls **out, const pl_dtls_conf *conf, int64_t now_us);
/* The fingerprints of the remote description; the certificate must match one of them. Only sha-256, sha-384
 * and sha-512 count. Replaces earlier ones; after CONNECTED only checks that the peer is still the same.
 * A mismatch fails the session. Errors: PL_ENOTSUP when none counts, PL_ENOSPC; nothing changed then. */
PL_NODISCARD pl_err pl_dtls_set_remote(pl_dtls *d, int64_t now_us, const pl_fingerprint *list, size_t n);
/* Begins the handshake and replays what came early. Errors: PL_ESTATE after the first start. */
PL_NODISCARD pl_err pl_dtls_start(pl_dtls *d, int64_t now_us, pl_dtls_role role);
/* One datagram whose first byte says DTLS (20 to 63, RFC 7983). Others are junk, counted. Afterwards poll
 * data, output and events. */
void pl_dtls_input(pl_dtls *d, int64_t now_us, const uint8_t *pkt, size_t len);
void pl_dtls_tick(pl_dtls *d, int64_t now_us);
int64_t pl_dtls_next_us(const pl_dtls *d);
/* The next handshake or alert datagram into out->data; out->path is not touched. False when there is none,
 * or when out->cap is below the datagram (the MTU always suffices). */
bool pl_dtls_poll_output(pl_dtls *d, int64_t now_us, pl_dgram *out);
/* The next record of application data of the last input, while CONNECTED; call until false. A record that
 * does not fit into cap is dropped and counted. Empty records are not reported. */
bool pl_dtls_poll_data(pl_dtls *d, uint8_t *buf, size_t cap, size_t *len);

typedef struct pl_dtls_event {
    pl_dtls_state state; /* the state now */
    const char *reason;  /* of FAILED and CLOSED: a sentence, lent until the session is freed; else "" */
} pl_dtls_event;
/* The state when it differs from what was last reported. */
bool pl_dtls_poll_event(pl_dtls *d, pl_dtls_event *out);

/* Application data into one record, written to out (its cap at least len + PL_DTLS_OVERHEAD); never queued.
 * Errors: PL_ESTATE unless CONNECTED, PL_ENOSPC, PL_EINVAL for 0 or more than PL_DTLS_DATA_MAX bytes. */
PL_NODISCARD pl_err pl_dtls_protect(pl_dtls *d, const uint8_t *data, size_t len, uint8_t *out, size_t cap,
                                    size_t *out_len);
/* Says close_notify (to be polled) and enters CLOSED; before a handshake is complete just CLOSED. */
void pl_dtls_close(pl_dtls *d, int64_t now_us);

pl_dtls_state pl_dtls_get_state(const pl_dtls *d);
/* The negotiated SRTP keys. Errors: PL_ESTATE unless CONNECTED, PL_ENOTSUP when the peer chose no profile. */
PL_NODISCARD pl_err pl_dtls_export_srtp(const pl_dtls *d, pl_srtp_keys *out);

typedef struct pl_dtls_info {
    pl_dtls_role role;
    pl_srtp_profile profile;
    const char *cipher;         /* IANA's name ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"), "" before */
    const char *group;          /* "X25519", "P-256", "P-384", or "" */
    uint16_t version;           /* 0xfefd is DTLS 1.2; 0 before */
    pl_fingerprint remote;      /* sha-256 of the peer's certificate; alg NONE before */
    const uint8_t *remote_cert; /* its DER, lent until the session is freed */
    size_t remote_cert_len;
    int64_t handshake_us; /* from start to CONNECTED; 0 before */
    uint64_t n_in, n_junk, n_early_dropped, n_retransmits, n_data_dropped, n_replayed;
} pl_dtls_info;
void pl_dtls_get_info(const pl_dtls *d, pl_dtls_info *out);

void pl_dtls_check(const pl_dtls *d);
/* Wipes the keys; NULL is fine. Says nothing to the peer: close first. */
void pl_dtls_free(pl_dtls *d);

#endif
