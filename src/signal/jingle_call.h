/* jingle_call.h - the messages that the two ends of a call exchange in a room (docs/signaling.md: descriptions and candidates
 * as JSON, and bye), carried over XMPP as Jingle: so that a call is the same call either way.
 * Source   XEP-0166 and 0167; W3C webrtc 4.8 (toJSON).
 * Shape    one call over one session of a pl_jingle, whose events its owner polls and hands on. What the own side says goes
 *          in by pl_jingle_call_take; what the peer says comes by `message`, as if it had been in the room. The first
 *          offer begins the session, the answer accepts it; a later offer that changes who sends becomes content-modify,
 *          and is answered when the peer has it. Media that the peer adds later is declined, as is an ICE restart.
 * Errors   what the peer says and cannot be meant for us ends the call, with a sentence to both. Of take: see there.
 * Thread   the loop's owner. Callbacks come within take and event; they may take, but not free. */
#ifndef PL_SIGNAL_JINGLE_CALL_H
#define PL_SIGNAL_JINGLE_CALL_H

#include "jingle/sessions.h"

typedef struct pl_jingle_call pl_jingle_call;

typedef struct pl_jingle_call_conf {
    pl_jingle *jingle;
    const char *peer;           /* full address; we call. Copied */
    const char *sid;            /* of a message initiation, or NULL. Copied */
    pl_jingle_session *session; /* we are called: an admitted session; peer and sid are not looked at */
    void *user;
    void (*message)(void *user, const char *text, size_t len);
    void (*note)(void *user, const char *text); /* for people: "it rings there" */
    /* The session is over; why is "" when it ended as calls do. Comes once. */
    void (*ended)(void *user, pl_jingle_reason reason, const char *why);
} pl_jingle_call_conf;

PL_NODISCARD pl_err pl_jingle_call_new(pl_jingle_call **out, const pl_jingle_call_conf *conf);
/* Ends its session when it lives, with cancel or success. NULL is fine. */
void pl_jingle_call_free(pl_jingle_call *c, int64_t now_us);
/* What our side says: an offer, an answer, a candidate, bye. Errors: PL_EPROTO: none of these, or not at this time;
 * PL_ENOTSUP: Jingle has no words for it; those of the session (PL_ESTATE after its end). */
PL_NODISCARD pl_err pl_jingle_call_take(pl_jingle_call *c, int64_t now_us, const char *text, size_t len);
/* Every event of its session, the INCOMING one too (after admission). */
void pl_jingle_call_event(pl_jingle_call *c, int64_t now_us, const pl_jingle_event *e);
/* NULL before the first offer and after the end. */
pl_jingle_session *pl_jingle_call_session(const pl_jingle_call *c);

#endif
