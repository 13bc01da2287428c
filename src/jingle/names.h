/* names.h - the words of Jingle: namespaces, actions, reasons, errors, session infos.
 * Source   XEP-0166 7 (actions, reasons), 10 (errors), XEP-0167 7 (infos), XEP-0181 (DTMF), XEP-0234 (received), and
 *          the registered namespaces of the applications and transports.
 * Shape    constants and lookups. Any thread. */
#ifndef PL_JINGLE_NAMES_H
#define PL_JINGLE_NAMES_H

#include <stdbool.h>

#define PL_NS_JINGLE            "urn:xmpp:jingle:1"
#define PL_NS_JINGLE_ERRORS     "urn:xmpp:jingle:errors:1"
#define PL_NS_STANZAS           "urn:ietf:params:xml:ns:xmpp-stanzas"
#define PL_NS_JINGLE_RTP        "urn:xmpp:jingle:apps:rtp:1"
#define PL_NS_JINGLE_RTP_INFO   "urn:xmpp:jingle:apps:rtp:info:1"
#define PL_NS_JINGLE_RTP_ERRORS "urn:xmpp:jingle:apps:rtp:errors:1"
#define PL_NS_JINGLE_RTP_FB     "urn:xmpp:jingle:apps:rtp:rtcp-fb:0"
#define PL_NS_JINGLE_RTP_HDREXT "urn:xmpp:jingle:apps:rtp:rtp-hdrext:0"
#define PL_NS_JINGLE_RTP_SSMA   "urn:xmpp:jingle:apps:rtp:ssma:0"
#define PL_NS_JINGLE_RTP_MSID                                                                                \
    "urn:xmpp:jingle:apps:rtp:msid:0" /* the stanza library's; nobody registered one */
#define PL_NS_JINGLE_RTP_ZRTP "urn:xmpp:jingle:apps:rtp:zrtp:1"
#define PL_NS_JINGLE_GROUPING "urn:xmpp:jingle:apps:grouping:0"
#define PL_NS_JINGLE_DTLS     "urn:xmpp:jingle:apps:dtls:0"
#define PL_NS_JINGLE_SCTP     "urn:xmpp:jingle:transports:dtls-sctp:1"
#define PL_NS_JINGLE_CHANNELS                                                                                \
    "urn:xmpp:jingle:transports:webrtc-datachannel:0" /* as application, see parse.h */
#define PL_NS_JINGLE_CHANNELS_1 "urn:xmpp:jingle:transports:webrtc-datachannel:1"
#define PL_NS_JINGLE_CHANNELS_T "http://talky.io/ns/datachannel" /* what came before */
#define PL_NS_JINGLE_ICE_UDP    "urn:xmpp:jingle:transports:ice-udp:1"
#define PL_NS_JINGLE_ICE        "urn:xmpp:jingle:transports:ice:0"
#define PL_NS_JINGLE_ICE_OPTION                                                                              \
    "http://gultsch.de/xmpp/drafts/jingle/transports/ice-udp/option" /* Conversations' */
#define PL_NS_JINGLE_RAW_UDP  "urn:xmpp:jingle:transports:raw-udp:1"
#define PL_NS_JINGLE_IBB      "urn:xmpp:jingle:transports:ibb:1"
#define PL_NS_JINGLE_S5B      "urn:xmpp:jingle:transports:s5b:1"
#define PL_NS_JINGLE_DTMF     "urn:xmpp:jingle:dtmf:0"
#define PL_NS_JINGLE_FILE     "urn:xmpp:jingle:apps:file-transfer:5"
#define PL_NS_JINGLE_FILE_4   "urn:xmpp:jingle:apps:file-transfer:4"
#define PL_NS_JINGLE_FILE_ERR "urn:xmpp:jingle:apps:file-transfer:errors:0"
#define PL_NS_JINGLE_MESSAGE  "urn:xmpp:jingle-message:0"
#define PL_NS_HINTS           "urn:xmpp:hints"
#define PL_NS_HASHES          "urn:xmpp:hashes:2"
#define PL_NS_IBB             "http://jabber.org/protocol/ibb"
#define PL_NS_BYTESTREAMS     "http://jabber.org/protocol/bytestreams"
#define PL_NS_SI              "http://jabber.org/protocol/si"
#define PL_NS_SI_FILE         "http://jabber.org/protocol/si/profile/file-transfer"

typedef enum pl_jingle_action {
    PL_JINGLE_CONTENT_ACCEPT,
    PL_JINGLE_CONTENT_ADD,
    PL_JINGLE_CONTENT_MODIFY,
    PL_JINGLE_CONTENT_REJECT,
    PL_JINGLE_CONTENT_REMOVE,
    PL_JINGLE_DESCRIPTION_INFO,
    PL_JINGLE_SECURITY_INFO,
    PL_JINGLE_SESSION_ACCEPT,
    PL_JINGLE_SESSION_INFO,
    PL_JINGLE_SESSION_INITIATE,
    PL_JINGLE_SESSION_TERMINATE,
    PL_JINGLE_TRANSPORT_ACCEPT,
    PL_JINGLE_TRANSPORT_INFO,
    PL_JINGLE_TRANSPORT_REJECT,
    PL_JINGLE_TRANSPORT_REPLACE,
    PL_JINGLE_ACTIONS
} pl_jingle_action;
const char *pl_jingle_action_str(pl_jingle_action a);
/* PL_JINGLE_ACTIONS for an unknown word or NULL. */
pl_jingle_action pl_jingle_action_of(const char *word);

typedef enum pl_jingle_reason {
    PL_JINGLE_NO_REASON,
    PL_JINGLE_ALTERNATIVE_SESSION,
    PL_JINGLE_BUSY,
    PL_JINGLE_CANCEL,
    PL_JINGLE_CONNECTIVITY_ERROR,
    PL_JINGLE_DECLINE,
    PL_JINGLE_EXPIRED,
    PL_JINGLE_FAILED_APPLICATION,
    PL_JINGLE_FAILED_TRANSPORT,
    PL_JINGLE_GENERAL_ERROR,
    PL_JINGLE_GONE,
    PL_JINGLE_INCOMPATIBLE_PARAMETERS,
    PL_JINGLE_MEDIA_ERROR,
    PL_JINGLE_SECURITY_ERROR,
    PL_JINGLE_SUCCESS,
    PL_JINGLE_TIMEOUT,
    PL_JINGLE_UNSUPPORTED_APPLICATIONS,
    PL_JINGLE_UNSUPPORTED_TRANSPORTS,
    PL_JINGLE_REASONS
} pl_jingle_reason;
const char *pl_jingle_reason_str(pl_jingle_reason r);   /* "" for none */
pl_jingle_reason pl_jingle_reason_of(const char *word); /* PL_JINGLE_REASONS: unknown */

/* What an iq that breaks the rules is answered with. */
typedef enum pl_jingle_error {
    PL_JINGLE_FINE,
    PL_JINGLE_BAD_REQUEST,     /* malformed */
    PL_JINGLE_OUT_OF_ORDER,    /* not in this state */
    PL_JINGLE_TIE_BREAK,       /* the other side's request of the same kind goes first */
    PL_JINGLE_UNKNOWN_SESSION, /* also for a sender that is not the session's peer */
    PL_JINGLE_UNSUPPORTED_INFO,
    PL_JINGLE_SECURITY_REQUIRED,
    PL_JINGLE_BUSY_NOW,             /* resource-constraint: a limit */
    PL_JINGLE_UNAVAILABLE,          /* service-unavailable: as if nobody were here */
    PL_JINGLE_REDIRECT,             /* the initiate: to another address */
    PL_JINGLE_UNSUPPORTED_CONTENT,  /* 2007: none of the applications of an initiate is spoken */
    PL_JINGLE_UNSUPPORTED_TRANSPORT /* 2007: none of its transports */
} pl_jingle_error;

/* Informational payloads of a session-info. */
typedef enum pl_jingle_info {
    PL_JINGLE_PING, /* without payload */
    PL_JINGLE_RINGING,
    PL_JINGLE_ACTIVE_AGAIN, /* "active": neither on hold nor muted any more */
    PL_JINGLE_HOLD,
    PL_JINGLE_UNHOLD,
    PL_JINGLE_MUTE,
    PL_JINGLE_UNMUTE,
    PL_JINGLE_DTMF,     /* XEP-0181: a key; RFC 4733 does the same in the media */
    PL_JINGLE_RECEIVED, /* XEP-0234: the whole file is there */
    PL_JINGLE_CHECKSUM, /* XEP-0234: the hash that was not known before */
    PL_JINGLE_INFOS     /* unknown */
} pl_jingle_info;

/* Who sends in a content. */
typedef enum pl_jingle_senders {
    PL_JINGLE_BOTH,
    PL_JINGLE_BY_INITIATOR,
    PL_JINGLE_BY_RESPONDER,
    PL_JINGLE_BY_NONE
} pl_jingle_senders;
const char *pl_jingle_senders_str(pl_jingle_senders s);
/* Absent means both. False: an unknown word. */
bool pl_jingle_senders_of(const char *word, pl_jingle_senders *out);

#endif
