/* stream_internal.h - what stream.c (verbs, framing), login.c (up to READY), flow.c (stanzas, acknowledgements, a dead
 * link) and stream_error.c share. Private to them. */
#ifndef PL_XMPP_STREAM_INTERNAL_H
#define PL_XMPP_STREAM_INTERNAL_H

#include "base/log.h"
#include "xmpp/stream.h"

#define NS_TLS      "urn:ietf:params:xml:ns:xmpp-tls"
#define NS_SASL     "urn:ietf:params:xml:ns:xmpp-sasl"
#define NS_CB       "urn:xmpp:sasl-cb:0"
#define NS_BIND     "urn:ietf:params:xml:ns:xmpp-bind"
#define NS_SESSION  "urn:ietf:params:xml:ns:xmpp-session"
#define NS_REGISTER "jabber:iq:register"
#define NS_STREAMS  "urn:ietf:params:xml:ns:xmpp-streams"
#define NS_PING     "urn:xmpp:ping"

typedef enum stream_state {
    STREAM_IDLE,
    STREAM_HEADER,   /* ours is sent */
    STREAM_FEATURES, /* the server's came */
    STREAM_TLS_ASKED,
    STREAM_TLS, /* the transport is at it */
    STREAM_REGISTER,
    STREAM_SASL,
    STREAM_BIND,
    STREAM_SESSION,
    STREAM_ENABLE,
    STREAM_RESUME,
    STREAM_READY,
    STREAM_CLOSING, /* our closing tag is sent */
    STREAM_ENDED,
} stream_state;

typedef struct stream_out {
    pl_node in_list;
    pl_xmpp_frame frame;
    size_t len;
    char text[];
} stream_out;

typedef struct stream_in {
    pl_node in_list;
    pl_xml *stanza;
} stream_in;

enum { STREAM_EVENTS_MAX = 4096 }; /* stanzas that the client has not taken: it takes them after each input */

struct pl_xmpp_stream {
    pl_xmpp_stream_conf conf;
    pl_sasl_binding tls;
    bool has_tls_binding, secure, authed, registered;
    bool sm_offered, session_needed, asked_resource;
    pl_xml *features; /* after the log-in; NULL before */
    pl_sasl_offer offer;
    pl_xml_reader *reader;
    pl_sasl *sasl;
    pl_sasl_rank rank;
    const char *mechanism;
    pl_jid jid;
    stream_state state;
    int64_t now_us;
    char id[16]; /* of the request under way */
    unsigned id_no;
    pl_list out;
    stream_out *lent;
    size_t out_bytes;
    pl_list in; /* stanzas for the client */
    size_t n_in;
    bool tell_tls, tell_ready, resumed, tell_end; /* events not told yet */
    pl_xmpp_fault fault;
    char why[200], other[300];
    pl_log log;
    /* deadlines */
    int64_t step_us;           /* of the log-in, or of closing */
    int64_t heard_us, said_us; /* bytes came, bytes went */
    int64_t answer_us;         /* something must have come by then */
    int64_t ask_ack_us;        /* ask for an acknowledgement */
    bool ack_asked;
    uint32_t unasked; /* stanzas since */
};

/* stream.c */
void stream_enter(pl_xmpp_stream *s, stream_state to);
void stream_put(pl_xmpp_stream *s, pl_xmpp_frame frame, pl_str text);
void stream_put_element(pl_xmpp_stream *s, pl_xml *e); /* takes it */
/* A stanza as sm.h keeps it: outside of TCP each says its namespace itself. */
void stream_put_stanza(pl_xmpp_stream *s, pl_str text);
void stream_restart(pl_xmpp_stream *s);
/* Ends it without a word: the link is dead, or a session that may be resumed must not be closed. */
void stream_die(pl_xmpp_stream *s, pl_xmpp_fault fault, const char *why);
/* Ends it with a fault of ours or theirs. condition: of the stream error to send, NULL: none. */
void stream_fail(pl_xmpp_stream *s, pl_xmpp_fault fault, const char *condition, const char *fmt, ...)
    PL_PRINTF(4, 5);

/* login.c: an element before READY */
void login_element(pl_xmpp_stream *s, const pl_xml *e);

/* flow.c */
void flow_begin(pl_xmpp_stream *s, bool resumed);
bool flow_element(pl_xmpp_stream *s, const pl_xml *e); /* stream management; true: was it */
void flow_stanza(pl_xmpp_stream *s, pl_xml *stanza);   /* takes it */
void flow_tick(pl_xmpp_stream *s);
void flow_probe(pl_xmpp_stream *s);
int64_t flow_next_us(const pl_xmpp_stream *s);

/* stream_error.c */
void stream_error(pl_xmpp_stream *s, const pl_xml *e);

#endif
