/* client.h - one account's session with an XMPP server, as the features above it see it: stanzas through an ordered
 * chain of handlers, requests with answers, states.
 * Source   RFC 6120 (streams, stanzas, SASL, binding), 7622 (addresses), XEP-0198 (stream management); the shape is
 *          libjingle's: an engine, stanza handlers on levels, state events.
 * Shape    knows no socket: a transport (signal/xmpp_*.h: TCP, WebSocket, BOSH) or a simulation feeds the stream engine
 *          (stream.h) and drives this. A feature (roster, chat rooms, Jingle ...) adds one handler and takes it away
 *          when it goes. Handlers may send, ask, add and take away handlers (themselves too), but not free the client.
 * Units    microseconds.
 * Errors   PL_ESTATE: not opened; PL_ENOSPC: a limit below; PL_ENOMEM; PL_EINVAL: no stanza.
 * Thread   the loop's owner. */
#ifndef PL_XMPP_CLIENT_H
#define PL_XMPP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/time.h"
#include "xml/element.h"
#include "xmpp/jid.h"

enum {
    PL_XMPP_IQS_MAX = 256,             /* requests waiting for an answer */
    PL_XMPP_IQ_TIMEOUT_S = 20,         /* when the caller says 0 */
    PL_XMPP_UNACKED_MAX = 1024,        /* stanzas kept for resumption */
    PL_XMPP_QUEUE_BYTES_MAX = 4 << 20, /* written and not yet taken by the transport */
};

typedef enum pl_xmpp_state {
    PL_XMPP_CLOSED,     /* and stays so */
    PL_XMPP_CONNECTING, /* the transport is being made, or waits for the next try */
    PL_XMPP_OPENING,    /* stream, TLS, SASL, binding */
    PL_XMPP_OPENED,     /* stanzas go both ways */
    PL_XMPP_LOST,       /* the transport broke; resumption is tried: what is sent meanwhile waits */
} pl_xmpp_state;

typedef enum pl_xmpp_level {                 /* the order in which handlers are asked */
                             PL_XMPP_PEEK,   /* sees everything first; its answer does not count */
                             PL_XMPP_SINGLE, /* for one exchange that is under way */
                             PL_XMPP_SENDER, /* for what comes from one peer: a chat room, a call */
                             PL_XMPP_TYPE,   /* for one kind of stanza: a roster push, a Jingle request */
                             PL_XMPP_ALL,    /* for what nobody took */
} pl_xmpp_level;
enum { PL_XMPP_LEVELS = 5 };

typedef struct pl_xmpp_client pl_xmpp_client;

/* Lives in its owner, between add and remove. Either function may be NULL. */
typedef struct pl_xmpp_handler {
    pl_node in_level;
    /* A stanza of the server's; its sender has been checked for what RFC 6120 8.1.2.1 asks. True: handled, nobody else is
     * asked. An iq of type get or set that nobody handles is answered with service-unavailable. */
    bool (*stanza)(void *user, const pl_xml *stanza);
    /* resumed: with PL_XMPP_OPENED, the session of before goes on (XEP-0198), nothing was lost. */
    void (*state)(void *user, pl_xmpp_state state, bool resumed);
    void *user;
} pl_xmpp_handler;

void pl_xmpp_add_handler(pl_xmpp_client *c, pl_xmpp_level level, pl_xmpp_handler *h);
void pl_xmpp_remove_handler(pl_xmpp_client *c, pl_xmpp_handler *h); /* not added: fine */

/* Sends a stanza; takes it, also when it fails. Written in order. NULL gives PL_ENOMEM. */
PL_NODISCARD pl_err pl_xmpp_send(pl_xmpp_client *c, pl_xml *stanza);

/* The answer to a request: type result or error; NULL: none came in time, or the session ended. */
typedef void (*pl_xmpp_answer_fn)(void *user, const pl_xml *answer);
/* Sends an iq of type get or set with a new id; takes it. The answer counts only when it comes from whom was asked.
 * timeout_us 0: PL_XMPP_IQ_TIMEOUT_S. owner: see pl_xmpp_forget. When it fails, fn is not called. */
PL_NODISCARD pl_err pl_xmpp_ask(pl_xmpp_client *c, pl_xml *iq, int64_t timeout_us, pl_xmpp_answer_fn fn,
                                void *owner);
/* No answer is told any more to requests of this owner. */
void pl_xmpp_forget(pl_xmpp_client *c, const void *owner);

/* An iq of the type, to is NULL: the server or the account itself. Has no id yet. */
pl_xml *pl_xmpp_iq(const char *type, const char *to);
/* The answer to a request: type result, id and addresses set. */
pl_xml *pl_xmpp_result(const pl_xml *iq);
/* The error answer to a stanza: type "cancel", "modify", "auth", "wait"; condition of RFC 6120 8.3.3. The error element is
 * child "error": applications add theirs to it. */
pl_xml *pl_xmpp_error(const pl_xml *stanza, const char *type, const char *condition);
/* The condition of an error stanza ("service-unavailable"), "undefined-condition" when it says none. */
const char *pl_xmpp_condition(const pl_xml *stanza);

/* There is reason to doubt that the server can be reached: the network has changed, or a call's path went silent. A link that
 * does not answer within PL_XMPP_PROBE_S is given up and made anew, with the session resumed; a pause before the next try
 * ends now. TCP alone would need minutes. */
void pl_xmpp_probe(pl_xmpp_client *c);

pl_xmpp_state pl_xmpp_client_state(const pl_xmpp_client *c);
/* The full address that the server bound; before that the bare one. Lent. */
const pl_jid *pl_xmpp_client_jid(const pl_xmpp_client *c);
/* Who sent it: a stanza without `from` is of the account itself (RFC 6120 8.1.2.1). False: no address. */
bool pl_xmpp_sender(const pl_xmpp_client *c, const pl_xml *stanza, pl_jid *out);
/* The server's features after the log-in name something in this namespace (RFC 6121 2.6.1). */
bool pl_xmpp_client_offers(const pl_xmpp_client *c, const char *ns);
int64_t pl_xmpp_client_now(const pl_xmpp_client *c);
/* n random characters that may stand in ids and resources, and a final zero. */
void pl_xmpp_client_token(pl_xmpp_client *c, char *out, size_t n);

#endif
