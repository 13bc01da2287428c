/* parse.h - contents of a <jingle/> to a description that knows no notation.
 * Source   XEP-0167 (RTP), 0293 (feedback), 0294 (header extensions), 0338 (grouping), 0339 (sources), 0320 (DTLS),
 *          0343 (data channels), 0176 and 0371 (ICE), 0177 (raw UDP).
 * Shape    functions; the description is the caller's. A content's name is the section's mid, its senders are the
 *          direction of who wrote it. A content without a description (transport-info, content-modify) gives a section
 *          of kind PL_DESC_OTHER with what its transport says. Data channels are a content whose description is in
 *          one of the PL_NS_JINGLE_CHANNELS namespaces, as browsers' XMPP clients and bridges write it.
 * Errors   PL_EPROTO what it says is malformed, PL_ENOTSUP well-formed but not for us (not secured, not an application
 *          or transport of these), PL_ENOSPC a maximum of desc/, PL_ENOMEM. The fault is what to tell the peer.
 * Thread   any. */
#ifndef PL_JINGLE_PARSE_H
#define PL_JINGLE_PARSE_H

#include "desc/description.h"
#include "jingle/names.h"
#include "xml/element.h"

enum { PL_JINGLE_FAULT_MAX = 120 };

typedef struct pl_jingle_fault {
    pl_jingle_reason reason;
    const char *condition;          /* of PL_NS_JINGLE_RTP_ERRORS ("crypto-required"), or NULL; constant */
    char text[PL_JINGLE_FAULT_MAX]; /* a sentence */
} pl_jingle_fault;

typedef struct pl_jingle_parse_conf {
    bool by_initiator; /* who wrote it, for the direction */
    bool
        allow_insecure; /* also RTP without DTLS fingerprint: to look at, never to run (XEP-0320; SDES and ZRTP, XEP-0167
                          * and 0262, are refused with security-error) */
} pl_jingle_parse_conf;

/* jingle: the element with the contents, in today's namespaces (see ancient.h). *out is NULL after an error. fault may
 * be NULL. */
PL_NODISCARD pl_err pl_jingle_parse(pl_desc **out, const pl_xml *jingle, const pl_jingle_parse_conf *conf,
                                    pl_jingle_fault *fault);

/* A <candidate/> of ICE-UDP or ICE as the line SDP has for it, "candidate:…" with a final zero. Errors: PL_EPROTO,
 * PL_ENOTSUP (a type or protocol that SDP has no word for). */
enum { PL_JINGLE_CANDIDATE_MAX = 640 };
PL_NODISCARD pl_err pl_jingle_candidate_line(const pl_xml *candidate, char out[PL_JINGLE_CANDIDATE_MAX]);

#endif
