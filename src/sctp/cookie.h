/* cookie.h - the state cookie: what an INIT said, signed, so that nothing need be kept until it comes back.
 * Source   RFC 9260 5.1.3, 5.1.4, 5.1.5.
 * Shape    plain data; the key is 32 random bytes of the association. */
#ifndef PL_SCTP_COOKIE_H
#define PL_SCTP_COOKIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

enum { PL_SCTP_COOKIE_KEY = 32, PL_SCTP_COOKIE_LEN = 84 };

typedef struct pl_sctp_cookie {
    uint32_t my_tag, peer_tag;   /* of the association that the cookie makes */
    uint32_t my_tsn, peer_tsn;   /* initial TSNs */
    uint32_t tie_mine, tie_peer; /* tags of the association that was there, or 0 (RFC 9260 5.2.2) */
    uint32_t peer_rwnd;
    uint16_t peer_streams_out, peer_streams_in;
    uint8_t extensions;
    int64_t made_us, life_us;
} pl_sctp_cookie;

void pl_sctp_cookie_seal(const pl_sctp_cookie *c, const uint8_t key[PL_SCTP_COOKIE_KEY],
                         uint8_t out[PL_SCTP_COOKIE_LEN]);
/* Errors: PL_EPROTO when it is not one of ours. Its age is the caller's question. */
PL_NODISCARD pl_err pl_sctp_cookie_open(pl_sctp_cookie *out, const uint8_t key[PL_SCTP_COOKIE_KEY],
                                        const uint8_t *cookie, size_t len);

#endif
