/* record.h - the record layer of an established DTLS 1.2 association with an AEAD cipher suite.
 * OpenSSL makes the handshake; from then on records are ours. Its record layer costs half as much again as
 * the cipher, and its session object keeps 75 KB that an established association has no use for.
 * Source   RFC 6347 4.1 (records, replay), RFC 5288 (AES-GCM), RFC 7905 (ChaCha20-Poly1305).
 * Shape    init/clear inside a session; zero state legal. No allocation per record.
 * Errors   PL_EPROTO malformed, of another epoch, or not authentic; PL_EAGAIN a replay. */
#ifndef PL_DTLS_RECORD_H
#define PL_DTLS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "crypto/aead.h"
#include "crypto/replay.h"

enum {
    PL_DTLS_HEADER_LEN = 13,
    PL_DTLS_CCS = 20,
    PL_DTLS_ALERT = 21,
    PL_DTLS_HANDSHAKE = 22,
    PL_DTLS_APPDATA = 23,
    PL_DTLS_VERSION = 0xfefd,
};

/* One record of a datagram, as it stands there. */
typedef struct pl_dtls_rec {
    uint8_t type;
    uint16_t version;
    uint16_t epoch;
    uint64_t seq; /* 48 bits */
    const uint8_t *raw;
    size_t raw_len; /* header and body */
    const uint8_t *body;
    size_t len;
} pl_dtls_rec;

/* Takes the next record off a datagram; false at its end or when the rest is no record. */
bool pl_dtls_rec_next(pl_rd *r, pl_dtls_rec *out);

typedef struct pl_dtls_keys {
    pl_aead_alg alg;
    uint8_t local_key[PL_AEAD_KEY_MAX], remote_key[PL_AEAD_KEY_MAX];
    uint8_t local_iv[PL_AEAD_NONCE_LEN], remote_iv[PL_AEAD_NONCE_LEN]; /* GCM: the first 4 bytes */
} pl_dtls_keys;

typedef struct pl_dtls_record {
    pl_aead *seal, *open;
    uint64_t next_seq; /* of the next record we send */
    pl_replay replay;
    bool explicit_nonce; /* GCM carries eight bytes of nonce in the record, ChaCha20 none */
    uint8_t local_iv[PL_AEAD_NONCE_LEN], remote_iv[PL_AEAD_NONCE_LEN];
} pl_dtls_record;

/* next_seq: one more than the last sequence number of epoch 1 that the handshake used. */
PL_NODISCARD pl_err pl_dtls_record_init(pl_dtls_record *r, const pl_dtls_keys *keys, uint64_t next_seq);
void pl_dtls_record_clear(pl_dtls_record *r);
/* len bytes of content into one record at out. Errors: PL_ENOSPC, PL_ESTATE when 2^48 records are used up. */
PL_NODISCARD pl_err pl_dtls_record_seal(pl_dtls_record *r, uint8_t type, const uint8_t *data, size_t len,
                                        uint8_t *out, size_t cap, size_t *out_len);
/* How long the content is at most: what open needs as cap. */
size_t pl_dtls_record_room(const pl_dtls_record *r, const pl_dtls_rec *rec);
PL_NODISCARD pl_err pl_dtls_record_open(pl_dtls_record *r, const pl_dtls_rec *rec, uint8_t *out, size_t cap,
                                        size_t *out_len);

#endif
