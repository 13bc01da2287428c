/* bosh.h - an XML stream in the bodies of HTTP requests: which request goes when, and what comes back in which order.
 * Source   XEP-0124 1.11 (BOSH), XEP-0206 1.4 (XMPP over it).
 * Shape    sans-I/O, between a stream (stream.h, PL_XMPP_FRAMED_BOSH) and an HTTP client: the stream's outputs go into put,
 *          requests come out of poll_request, their answers go into answered or failed, and what they held comes out of
 *          poll_read for pl_xmpp_stream_read. One request always waits at the server, so that it can speak.
 * Errors   told by poll_end, once; nothing follows it.
 * Units    microseconds.
 * Thread   its owner's. */
#ifndef PL_XMPP_BOSH_H
#define PL_XMPP_BOSH_H

#include "xml/reader.h"
#include "xmpp/stream.h"

enum {
    PL_BOSH_WAIT_S = 50,        /* for how long the server may hold a request */
    PL_BOSH_SLACK_S = 15,       /* and for how long beyond that we wait for an answer */
    PL_BOSH_REQUESTS = 2,       /* at once: one waits, one speaks */
    PL_BOSH_TRIES = 4,          /* of one request whose answer was lost on the way */
    PL_BOSH_BODY_MAX = 2 << 20, /* bytes of an answer */
    PL_BOSH_SID_MAX = 255,
};

#define PL_NS_BOSH "http://jabber.org/protocol/httpbind"

typedef struct pl_bosh pl_bosh;

/* domain: copied. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_bosh_new(pl_bosh **out, const char *domain, const pl_rand *rand, int64_t now_us);
void pl_bosh_free(pl_bosh *b); /* NULL is fine */
void pl_bosh_put(pl_bosh *b, int64_t now_us, const pl_xmpp_output *out);
/* The next request to POST. slot names it until it is answered or failed; its text is lent until then. */
typedef struct pl_bosh_request {
    unsigned slot;
    pl_str text;
} pl_bosh_request;
bool pl_bosh_poll_request(pl_bosh *b, int64_t now_us, pl_bosh_request *out);
/* The answer to a request, status 200. */
void pl_bosh_answered(pl_bosh *b, int64_t now_us, unsigned slot, pl_str text);
/* status: of HTTP; 0: no answer came. It is asked again, or ends it. */
void pl_bosh_failed(pl_bosh *b, int64_t now_us, unsigned slot, int status);
bool pl_bosh_poll_read(pl_bosh *b, pl_xml_read *out);
/* The session is over, and why; lent until free. */
bool pl_bosh_poll_end(pl_bosh *b, pl_xmpp_fault *fault, const char **why);
int64_t pl_bosh_next_us(const pl_bosh *b); /* when poll_request has something without a fact */
void pl_bosh_check(const pl_bosh *b);

#endif
