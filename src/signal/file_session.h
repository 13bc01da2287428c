/* file_session.h - one file on its way over a Jingle session, offered by us or to us.
 * Source   XEP-0234 0.19 (offer, range, received, checksum), XEP-0300 (sha-256), XEP-0260 3 (in-band where SOCKS5 fails).
 * Shape    a byte_stream and a session; knows neither disk nor people. The owner hands every event of the session on by
 *          pl_file_session_event, and gives bytes in `room` (offering) or gets them in `data`.
 *          Offering: `wanted` says from where on, then write_bytes until all is written; `over` with success when the
 *          other side has the whole file.
 *          Receiving: accept or decline; after the last byte `whole`, with the hash to compare where one is known; then
 *          pl_file_session_finish.
 * Units    bytes.
 * Thread   the client's. Callbacks come from verbs, too; in them verbs may be called, and free not. */
#ifndef PL_SIGNAL_FILE_SESSION_H
#define PL_SIGNAL_FILE_SESSION_H

#include "jingle/file.h"
#include "signal/byte_stream.h"
#include "signal/xmpp_jingle.h"

#define PL_FILE_CHECKSUM_US PL_SEC(10) /* a hash that was promised is waited for so long */
#define PL_FILE_GOODBYE_US  PL_SEC(60) /* so long the receiver has to look at the file when all is sent */
#define PL_FILE_SILENCE_US  PL_SEC(60) /* without a byte or a way for them */

typedef struct pl_file_session pl_file_session;

typedef struct pl_file_session_conf {
    pl_loop *loop;
    pl_xmpp_client *client;
    pl_xmpp_jingle *jingle;
    bool in_band;               /* offering: never by SOCKS5 */
    bool proxy_only;            /* our addresses are told to nobody */
    const pl_byte_proxy *proxy; /* lent for the call */
    void *user;
    void (*wanted)(void *user, uint64_t offset, uint64_t length);
    void (*room)(void *user);
    void (*data)(void *user, const uint8_t *data, size_t len);
    void (*whole)(void *user, const pl_jingle_hash *sha256); /* NULL: nobody said one */
    /* The end, once; but for free nothing is left to call. PL_JINGLE_SUCCESS: the file is where it should be. */
    void (*over)(void *user, pl_jingle_reason reason, bool by_peer, const char *text);
} pl_file_session_conf;

/* The namespaces for pl_xmpp_jingle_conf, and what service discovery says of files; each ends in NULL. */
const char *const *pl_file_session_applications(void);
const char *const *pl_file_session_transports(void);
const char *const *pl_file_session_features(void);

/* Offers a file to a full address. Errors: PL_ESTATE: not signed in; PL_ENOSPC, PL_ENOMEM. */
PL_NODISCARD pl_err pl_file_session_offer(pl_file_session **out, const pl_file_session_conf *conf,
                                          const char *peer, const pl_jingle_file *file);
/* An INCOMING session that was admitted. PL_EPROTO, PL_ENOTSUP: no offer of one file that we understand; the session was
 * ended with the reason. */
PL_NODISCARD pl_err pl_file_session_take(pl_file_session **out, const pl_file_session_conf *conf,
                                         const pl_jingle_event *e);
void pl_file_session_free(pl_file_session *f); /* NULL is fine; a session that stands is cancelled */
void pl_file_session_event(pl_file_session *f, const pl_jingle_event *e);
const pl_jingle_file *pl_file_session_file(const pl_file_session *f);
const char *pl_file_session_peer(const pl_file_session *f);
bool pl_file_session_in_band(const pl_file_session *f);
bool pl_file_session_flows(const pl_file_session *f); /* there is a way for the bytes */

/* offset counts when the offer allows ranges; the file begins there, else at 0. Returns the offset that counts. */
PL_NODISCARD pl_err pl_file_session_accept(pl_file_session *f, uint64_t offset, uint64_t *from);
/* How much was taken. */
size_t pl_file_session_write_bytes(pl_file_session *f, const void *data, size_t len);
/* After `whole`: it is stored, or (false) its hash is wrong. */
void pl_file_session_finish(pl_file_session *f, bool good);
/* Ends it in any state. text may be NULL. */
void pl_file_session_end(pl_file_session *f, pl_jingle_reason reason, const char *text);

#endif
