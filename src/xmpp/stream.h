/* stream.h - one XML stream with an XMPP server, from the first header to the last: TLS is asked for, the account logs
 * in, a resource is bound or a session resumed, stanzas are numbered and acknowledged, a dead link is noticed.
 * Source   RFC 6120 (4 streams, 5 STARTTLS, 6 SASL, 7 binding), RFC 3921 3 (session), RFC 7395 (WebSocket framing),
 *          XEP-0198 1.6, XEP-0199, XEP-0077 (registration before the log-in).
 * Shape    sans-I/O. One object a connection; what outlives it (stanzas not acknowledged) is in the pl_xmpp_sm that the
 *          client owns. Over TCP, text goes in and out as bytes; over WebSocket, one input and one output is a frame; over
 *          BOSH, outputs are put into bodies and what came in them goes into pl_xmpp_stream_read.
 *     new start  { input | read | secured | tick }*  poll_output poll_event  free
 * Errors   all faults are told by the event CLOSED; after it nothing is left but free.
 * Units    microseconds, bytes.
 * Thread   its owner's. */
#ifndef PL_XMPP_STREAM_H
#define PL_XMPP_STREAM_H

#include "base/list.h"
#include "base/rand.h"
#include "base/time.h"
#include "xml/reader.h"
#include "xmpp/fault.h"
#include "xmpp/jid.h"
#include "xmpp/sasl.h"
#include "xmpp/sm.h"

enum {
    PL_XMPP_STANZA_MAX = 1 << 20,     /* bytes of one that the server sends */
    PL_XMPP_STREAM_OUT_MAX = 4 << 20, /* written and not yet taken by the transport */
    PL_XMPP_STEP_S = 20,              /* the server's time for each step of the log-in */
    PL_XMPP_SILENCE_S = 60,           /* nothing came for so long: ask whether it lives */
    PL_XMPP_ANSWER_S = 20,            /* it does not answer that: the link is dead */
    PL_XMPP_PROBE_S = 5,              /* the same, for who has a reason to doubt that it lives */
    PL_XMPP_WHITESPACE_S = 90,        /* nothing sent for so long: a space, for what stands between */
};

#define PL_NS_STREAM  "http://etherx.jabber.org/streams"
#define PL_NS_FRAMING "urn:ietf:params:xml:ns:xmpp-framing"

typedef enum pl_xmpp_framing {
    PL_XMPP_FRAMED_TCP,
    PL_XMPP_FRAMED_WEBSOCKET,
    PL_XMPP_FRAMED_BOSH
} pl_xmpp_framing;

typedef struct pl_xmpp_stream pl_xmpp_stream;

typedef struct pl_xmpp_stream_conf {
    const pl_jid *account; /* with a resource: that one is asked for */
    const char *password;  /* lent as long as the stream lives */
    pl_xmpp_framing framing;
    bool secure;                /* TLS stands already */
    const pl_sasl_binding *tls; /* its channel bindings, copied; NULL: none */
    bool insecure;              /* may go on without TLS */
    bool plain;                 /* may use PLAIN, over TLS */
    bool create_account;
    pl_sasl_rank at_least; /* of what was used before: nothing weaker is taken */
    bool must_bind;        /* as in pl_sasl_conf */
    pl_xmpp_sm *sm;        /* lent; a session in it is resumed */
    pl_rand rand;
} pl_xmpp_stream_conf;

typedef enum pl_xmpp_frame {                     /* what an output is; TCP and WebSocket need not look */
                             PL_XMPP_FRAME_OPEN, /* a header; the second and later ones restart the stream */
                             PL_XMPP_FRAME_ELEMENT,
                             PL_XMPP_FRAME_SPACE,
                             PL_XMPP_FRAME_CLOSE,
} pl_xmpp_frame;

typedef struct pl_xmpp_output {
    pl_xmpp_frame frame;
    pl_str text; /* lent until the next poll_output */
} pl_xmpp_output;

typedef enum pl_xmpp_event_type {
    PL_XMPP_WANT_TLS, /* start it now; what the stream says next is in `secured` */
    PL_XMPP_READY,    /* logged in; jid is bound, resumed tells how */
    PL_XMPP_STANZA,
    PL_XMPP_ENDED, /* the server closed in order, or a fault */
} pl_xmpp_event_type;

typedef struct pl_xmpp_event {
    pl_xmpp_event_type type;
    bool resumed;
    pl_xml *stanza; /* the caller's to free */
    pl_xmpp_fault fault;
    const char *why;   /* a sentence; lent until free */
    const char *other; /* see-other-host: "host:port", or NULL; lent until free */
} pl_xmpp_event;

PL_NODISCARD pl_err pl_xmpp_stream_new(pl_xmpp_stream **out, const pl_xmpp_stream_conf *conf, int64_t now_us);
void pl_xmpp_stream_free(pl_xmpp_stream *s); /* NULL is fine */
void pl_xmpp_stream_start(pl_xmpp_stream *s, int64_t now_us);
/* Bytes of the stream, or one text message. */
void pl_xmpp_stream_input(pl_xmpp_stream *s, int64_t now_us, const void *data, size_t len);
/* What a BOSH body holds: PL_XML_OPENED for the body itself (from, version), PL_XML_ELEMENT for its children,
 * PL_XML_CLOSED when it ends the session. Takes the element. */
void pl_xmpp_stream_read(pl_xmpp_stream *s, int64_t now_us, const pl_xml_read *read);
/* TLS stands, its certificate was checked. tls as in the conf. */
void pl_xmpp_stream_secured(pl_xmpp_stream *s, int64_t now_us, const pl_sasl_binding *tls);
/* Takes the stanza, also when it fails. Errors: PL_ESTATE before READY and after the end, PL_ENOSPC, PL_ENOMEM,
 * PL_EINVAL. */
PL_NODISCARD pl_err pl_xmpp_stream_send(pl_xmpp_stream *s, int64_t now_us, pl_xml *stanza);
/* Asks whether the link lives: without an answer within PL_XMPP_PROBE_S it ends, UNREACHABLE. Over BOSH nothing happens, and
 * before READY. */
void pl_xmpp_stream_probe(pl_xmpp_stream *s, int64_t now_us);
/* Ends it in order; ENDED comes when the server agrees, or after two seconds. */
void pl_xmpp_stream_close(pl_xmpp_stream *s, int64_t now_us);
void pl_xmpp_stream_tick(pl_xmpp_stream *s, int64_t now_us);
int64_t pl_xmpp_stream_next_us(const pl_xmpp_stream *s);
bool pl_xmpp_stream_poll_output(pl_xmpp_stream *s, pl_xmpp_output *out);
bool pl_xmpp_stream_poll_event(pl_xmpp_stream *s, pl_xmpp_event *out);
void pl_xmpp_stream_check(const pl_xmpp_stream *s);

const pl_jid *pl_xmpp_stream_jid(const pl_xmpp_stream *s);     /* bound, or the account */
pl_sasl_rank pl_xmpp_stream_rank(const pl_xmpp_stream *s);     /* of the mechanism that succeeded */
const char *pl_xmpp_stream_mechanism(const pl_xmpp_stream *s); /* "" before the log-in */
bool pl_xmpp_stream_is_ready(const pl_xmpp_stream *s);
/* The server's features after the log-in name something in this namespace ("urn:xmpp:features:rosterver"). */
bool pl_xmpp_stream_offers(const pl_xmpp_stream *s, const char *ns);

#endif
