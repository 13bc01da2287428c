/* jingle_call.h - one call, as offers, answers and candidates (W3C webrtc), carried over XMPP as Jingle: so that a call is the
 * same call either way.
 * Source   XEP-0166, 0167, 0176 (ICE restart), 0338, 0339; docs/jingle.md says what was chosen.
 * Shape    one call over one session of a pl_jingle, whose events its owner polls and hands on. Our side's descriptions go in
 *          by pl_jingle_call_describe; the peer's come by `description`. The first offer begins the session, the answer
 *          accepts it. A later offer becomes content-add, -remove and -modify, description-info and, with other ICE
 *          credentials, a transport-info of them; what the peer says to all of that becomes its answer. What the peer
 *          changes comes as an offer in the same way, and our answer becomes content-accept, -reject and what follows.
 *          Of changes that cross each other the caller's goes first: our side has to be a polite peer when it is called,
 *          and an impolite one when it calls (W3C webrtc 10.7); of an offer that it ignored it is never told.
 * Limits   PL_JINGLE_CALL_LATER_MAX changes of the peer that wait for ours.
 * Errors   what the peer says and cannot be meant for us ends the call, with a sentence to both; a fingerprint that is not
 *          the one the call began with does, too.
 * Units    microseconds.
 * Thread   the loop's owner. Callbacks come within every function but new, free and the looking ones; in them describe,
 *          candidate and hang_up may be called, but not free. */
#ifndef PL_SIGNAL_JINGLE_CALL_H
#define PL_SIGNAL_JINGLE_CALL_H

#include "jingle/sessions.h"
#include "peerline/peer_connection.h"

enum { PL_JINGLE_CALL_LATER_MAX = 64 };
/* A peer that acknowledges an ICE restart and brings no credentials in this time does not know what one is. */
#define PL_JINGLE_CALL_RESTART_US PL_SEC(15)
/* Media that is added may be for people to decide on; after this time it counts as rejected. */
#define PL_JINGLE_CALL_ACCEPT_US PL_SEC(60)
/* What the mids begin with that the one who is called gives (pl_configuration.mid_prefix): Jingle tells contents of one name by
 * who made them, SDP does not, and both sides may add some at one time. */
#define PL_JINGLE_CALLEE_MIDS 'r'

typedef struct pl_jingle_call pl_jingle_call;

typedef struct pl_jingle_call_conf {
    pl_jingle *jingle;
    const char *peer;           /* full address; we call. Copied */
    const char *sid;            /* of a message initiation, or NULL. Copied */
    pl_jingle_session *session; /* we are called: an admitted session; peer and sid are not looked at */
    /* What our offers go without, as if the peer had rejected it; unless there is nothing else in them. Some refuse a whole session
     * for one content that they do not know, or that was not proposed. */
    bool no_channels;
    bool no_video; /* in the first one: it may be added later */
    void *user;
    void (*description)(void *user, pl_sdp_type type, const char *sdp); /* the peer's offer or answer */
    void (*candidate)(void *user, const pl_ice_candidate *c);           /* of the peer; "" ends them */
    /* Our last offer is not taken: it is to be rolled back. Media that is not taken is rejected in an answer instead. */
    void (*refused)(void *user, pl_err err, const char *why);
    void (*note)(void *user, const char *text); /* for people: "the peer holds the call" */
    /* The session is over; why is "" when it ended as calls do. Comes once. */
    void (*ended)(void *user, pl_jingle_reason reason, const char *why);
} pl_jingle_call_conf;

PL_NODISCARD pl_err pl_jingle_call_new(pl_jingle_call **out, const pl_jingle_call_conf *conf);
/* Ends its session when it lives, as hang_up does. NULL is fine. */
void pl_jingle_call_free(pl_jingle_call *c, int64_t now_us);
/* Our side's offer or answer. Errors: PL_EPROTO: malformed, or it does not answer what was asked; PL_ESTATE: not at this
 * time; PL_ENOTSUP: Jingle, or this peer's, has no words for it; those of the session (PL_ESTATE after its end). */
PL_NODISCARD pl_err pl_jingle_call_describe(pl_jingle_call *c, int64_t now_us, pl_sdp_type type,
                                            const char *sdp);
/* Errors: PL_ESTATE: before its description, or after the end. One that belongs to nothing any more is passed over. */
PL_NODISCARD pl_err pl_jingle_call_candidate(pl_jingle_call *c, int64_t now_us,
                                             const pl_ice_candidate *candidate);
/* With success, cancel or decline, as it fits; `ended` follows as an event of the session. */
PL_NODISCARD pl_err pl_jingle_call_hang_up(pl_jingle_call *c, int64_t now_us);
/* Every event of its session, the INCOMING one too (after admission). */
void pl_jingle_call_event(pl_jingle_call *c, int64_t now_us, const pl_jingle_event *e);
void pl_jingle_call_tick(pl_jingle_call *c, int64_t now_us);
int64_t pl_jingle_call_next_us(const pl_jingle_call *c); /* or PL_NEVER */
/* NULL before the first offer and after the end. */
pl_jingle_session *pl_jingle_call_session(const pl_jingle_call *c);
/* Nothing is under way: both sides agree on what has been said. */
bool pl_jingle_call_is_quiet(const pl_jingle_call *c);
void pl_jingle_call_check(const pl_jingle_call *c);

#endif
