/* xmpp.h - one account signed in to its XMPP server: the loop, a transport and the client joined; it comes back by
 * itself when the link breaks.
 * Source   RFC 6120 3 (TCP, SRV, STARTTLS), XEP-0368 (TLS from the first byte), RFC 7395 (WebSocket), XEP-0124 and
 *          0206 (BOSH), XEP-0156 (where the last two are).
 * Shape    pl_xmpp_connection_new gives, pl_xmpp_connection_free takes. Features and the application add their
 *          handlers to pl_xmpp_connection_client() between new and open; states are told to them.
 * Errors   PL_EINVAL (address, URL, CA file), PL_ENOMEM, PL_EIO. What happens later is told to `trouble`.
 * Thread   the loop's owner; callbacks come from the loop, never inside new or free. */
#ifndef PL_SIGNAL_XMPP_H
#define PL_SIGNAL_XMPP_H

#include <stdbool.h>
#include <stdint.h>

#include "peerline/error.h"
#include "peerline/loop.h"
#include "xmpp/client.h"
#include "xmpp/fault.h"

typedef enum pl_xmpp_via {
    PL_XMPP_VIA_AUTO,      /* TCP, where and how the domain's SRV records say */
    PL_XMPP_VIA_STARTTLS,  /* TCP, TLS when the stream is open; port 5222 */
    PL_XMPP_VIA_TLS,       /* TCP, TLS from the first byte; port 5223 */
    PL_XMPP_VIA_WEBSOCKET, /* url, or what the domain's host-meta says */
    PL_XMPP_VIA_BOSH,      /* the same */
} pl_xmpp_via;

typedef struct pl_xmpp_connection_conf {
    const char *jid;      /* "juliet@example.org" or with a "/resource" (else the server chooses) */
    const char *password; /* copied; the copy is wiped in free */
    pl_xmpp_via via;
    const char
        *host; /* where the server is, in place of what DNS says of the domain; its certificate is still the
                          * domain's. NULL: DNS */
    uint16_t port;       /* 0: SRV, or the default */
    const char *url;     /* WEBSOCKET: ws(s)://, BOSH: http(s)://; NULL: asked for at the domain */
    const char *ca_file; /* PEM file of whom to trust; NULL: the system's */
    bool create_account; /* in-band registration (XEP-0077) with the password, before the log-in */
    bool insecure; /* also without TLS, when the server offers none; PLAIN is never said so. Loopback only */
    bool once;     /* do not come back after a loss */
    /* The session did not come about, or ended; may be NULL. again: it will be tried again by itself, in_us from now.
     * why is a sentence, lent. When again is false, state CLOSED follows. */
    void (*trouble)(void *user, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us);
    void *user;
} pl_xmpp_connection_conf;

typedef struct pl_xmpp_connection pl_xmpp_connection;

/* Copies the texts. Nothing is sent before open. */
PL_NODISCARD pl_err pl_xmpp_connection_new(pl_xmpp_connection **out, pl_loop *loop,
                                           const pl_xmpp_connection_conf *conf);
/* Cuts the link when it stands; no callback comes after it, requests under way get no answer. NULL is fine. Not from a
 * callback. */
void pl_xmpp_connection_free(pl_xmpp_connection *x);
/* Begins to sign in. */
void pl_xmpp_connection_open(pl_xmpp_connection *x);
/* Sends what waits, ends the stream in order (2 s at most), then state CLOSED. Open may follow. */
void pl_xmpp_connection_close(pl_xmpp_connection *x);
/* Tries at once what would be tried after a pause; for when the network came back. */
void pl_xmpp_connection_hurry(pl_xmpp_connection *x);
/* Whom the features talk to. Lives as long as the connection. */
pl_xmpp_client *pl_xmpp_connection_client(pl_xmpp_connection *x);
/* How this session is secured, for people: "TLSv1.3, SCRAM-SHA-256-PLUS"; "" before it is. Lent until the next call. */
const char *pl_xmpp_connection_security(const pl_xmpp_connection *x);
/* Cuts the link as a dead network would, so that it is resumed; for tests and for `hurry` after a move. */
void pl_xmpp_connection_cut(pl_xmpp_connection *x);

#endif
