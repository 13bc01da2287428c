/* handshake.h - OpenSSL makes the handshake, and this file keeps it in the bounds of a sans-I/O core: it gets
 * records from memory, writes flights into a queue, and its timer never runs.
 *
 * Retransmission is ours. OpenSSL 3 measures its DTLS timer with the machine's clock, which a core may not
 * read and a simulation cannot turn, and gives up after twelve. So its timer is set to an hour, each flight
 * it writes is kept here, and pl_dtls_hs_resend sends it again when the session's own deadline has passed:
 * with new record numbers, as RFC 6347 4.2.4 asks and a peer's replay check enforces. Records of epoch 0 are
 * in clear, so their numbers are simply written; the Finished of epoch 1 is sealed anew.
 *
 * Source   RFC 6347 4.2, RFC 5246 6.3 and 7.4.9, RFC 5764 4.2.
 * Shape    new/free; exists from the session's start until its handshake is complete.
 * Errors   of the peer: pl_dtls_hs_feed says FAILED, pl_dtls_hs_reason why. */
#ifndef PL_DTLS_HANDSHAKE_H
#define PL_DTLS_HANDSHAKE_H

#include "dtls/queue.h"
#include "dtls/record.h"
#include "dtls/session.h"
#include "dtls/trust.h"

typedef struct pl_dtls_hs pl_dtls_hs;

typedef struct pl_dtls_hs_conf {
    pl_dtls_ctx *ctx; /* lent */
    pl_dtls_role role;
    size_t mtu;
    pl_dtls_trust *trust; /* learns the certificate; a stranger fails the handshake at once */
    pl_dtls_queue *out;   /* flights and alerts */
    pl_dtls_queue *held;  /* application data that overtook the end of the handshake, as raw records */
} pl_dtls_hs_conf;

typedef enum pl_dtls_hs_status { PL_DTLS_HS_GOING, PL_DTLS_HS_DONE, PL_DTLS_HS_FAILED } pl_dtls_hs_status;

PL_NODISCARD pl_err pl_dtls_hs_new(pl_dtls_hs **out, const pl_dtls_hs_conf *conf);
void pl_dtls_hs_free(pl_dtls_hs *h);
/* Goes on with the records of a datagram (an empty reader begins the client's side). On DONE the reader
 * stands behind the record that completed the handshake. */
pl_dtls_hs_status pl_dtls_hs_feed(pl_dtls_hs *h, pl_rd *datagram);
/* Whether a flight waits for an answer. */
bool pl_dtls_hs_in_flight(const pl_dtls_hs *h);
/* True once when a new flight was written since last asked. */
bool pl_dtls_hs_flight_is_new(pl_dtls_hs *h);
/* The last flight into the queue once more. */
void pl_dtls_hs_resend(pl_dtls_hs *h);
/* A fatal alert in clear, which anybody may have sent: the session believes it when nothing better comes.
 * -1 when there was none since the last handshake record. */
int pl_dtls_hs_plain_alert(const pl_dtls_hs *h);
const char *pl_dtls_hs_reason(const pl_dtls_hs *h);
size_t pl_dtls_hs_take_junk(pl_dtls_hs *h); /* records dropped since last asked */

/* A fatal alert in clear into the queue. */
void pl_dtls_hs_alert(pl_dtls_hs *h, uint8_t description);

enum { PL_DTLS_FINISHED_LEN = 24 };
/* What a complete handshake leaves behind. */
typedef struct pl_dtls_result {
    pl_dtls_record record;                  /* owned by who takes it */
    uint64_t plain_seq;                     /* next record number of epoch 0 */
    uint8_t finished[PL_DTLS_FINISHED_LEN]; /* our Finished message: a server says it again when asked */
    pl_srtp_keys srtp;                      /* profile NONE when none was agreed */
    const char *cipher, *group;
} pl_dtls_result;
/* After DONE. Errors: PL_ENOMEM, PL_EIO. */
PL_NODISCARD pl_err pl_dtls_hs_finish(pl_dtls_hs *h, pl_dtls_result *out);

const char *pl_dtls_alert_str(int description);

#endif
