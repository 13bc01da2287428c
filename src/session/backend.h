/* backend.h - what a way of carrying descriptions does for the session layer, and what it tells it.
 * Shape    one pl_backend a kind of URL, static, in the table of backends.c. Everything a backend keeps hangs on pl_sig_state()
 *          and pl_session_state(): the core never looks at it.
 *          Down (the functions of the table): called from the application's calls and from events of the connection. A backend
 *          may call up from inside of them: the core keeps what comes and tells the application from the loop.
 *          Up (pl_sig_*, pl_session_*): called from the loop (a socket's, a timer's, a client's callback) or from inside of
 *          down-functions. None of them frees a session or calls the application, but pl_sig_may_call; none of them calls
 *          `drop` or `free`. Any of them may call down-functions.
 * A call   outgoing: `call` looks for the other side; once a description can be sent, pl_session_reached. The core then makes
 *          an offer when it has a connection and calls `describe`. The answer comes by pl_session_described; the first one
 *          also says that they took the call.
 *          incoming: pl_sig_called makes the session, pl_session_described brings the first offer when there is one, before or
 *          after `accept`. The core keeps it, and candidates, until the application has accepted and opened a connection, and
 *          then answers by `describe`.
 *          the end: `end` when our side ends it (the core then asks nothing more), pl_session_over when theirs does, and `drop`,
 *          always once and last, when the session is freed: nothing is called up for it any more. What is still to be said
 *          after `drop` (a DELETE under way) the backend carries on by itself until `free`.
 * Changes  a later offer goes by `describe`, too: what the way cannot carry (another medium, an ICE restart) it refuses with
 *          PL_ENOTSUP, or later with pl_session_refused; the core rolls the offer back and tells the application. An offer that
 *          is carried is answered by pl_session_described(ANSWER), which the backend may have to make (WHIP: the old answer with
 *          the fragment's names).
 *          Glare: offers of both sides that cross are the core's (perfect negotiation, W3C webrtc 10.7), unless the way settles
 *          them, as Jingle does: then the backend does not tell the losing one.
 * Errors   of down-functions: PL_ENOTSUP and PL_EAGAIN (not now: the link is closed) refuse a change and end a call that has no
 *          description yet; others end the session with a sentence.
 * Thread   the loop's owner. */
#ifndef PL_SESSION_BACKEND_H
#define PL_SESSION_BACKEND_H

#include "base/slice.h"
#include "peerline/session.h"

typedef struct pl_backend {
    const char *kind;          /* what pl_signaling_kind says */
    const char *const *scheme; /* "http:", "https:", … of URLs; ends in NULL */
    bool whole; /* descriptions travel with all candidates in them; `candidate` is not called */
    bool
        restarts; /* the core asks for an ICE restart when the path is silent for two seconds or failed, 5 times in a row */

    /* Both sides may add media at one time: the callee's mids begin with this letter, so that no two have one name. 0: none. */
    char callee_mids;

    /* Copies what it needs of conf (its texts are lent), reads conf->url, begins to sign in, and tells pl_sig_opened later, from
     * the loop. With an error nothing is left behind, and a sentence may be in error. `callee`: pl_sig_set_callee. */
    pl_err (*open)(pl_signaling *sig, const pl_signaling_conf *conf, char *error, size_t cap);
    /* Says goodbye; pl_sig_closed(PL_OK) follows from the loop, in 5 s at the latest. */
    void (*close)(pl_signaling *sig);
    /* Sessions have been dropped before. */
    void (*free)(pl_signaling *sig);
    pl_err (*paste)(pl_signaling *sig, const char *text); /* NULL: PL_ENOTSUP */

    /* Looks for pl_session_to(s) (NULL: whom the URL names) and begins. With an error the session never was: no drop. */
    pl_err (*call)(pl_session *s);
    /* NULL: such a way has no incoming calls (ring: none that ring). */
    pl_err (*ring)(pl_session *s);
    pl_err (*accept)(pl_session *s);
    pl_err (*describe)(pl_session *s, pl_sdp_type type, const char *sdp); /* OFFER or ANSWER */
    pl_err (*candidate)(pl_session *s, const pl_ice_candidate *c); /* "" ends them; after their description */
    /* Our offer of this moment was rolled back, since the other side's goes first. NULL: that is nothing to it. */
    void (*withdrawn)(pl_session *s);
    /* reason: HUNG_UP (also when a connected call's path was lost: why), CANCELLED, DECLINED, BUSY, FAILED. */
    void (*end)(pl_session *s, pl_session_reason reason, const char *why);
    void (*drop)(pl_session *s);
    /* A path went silent, so the way may be dead, too: it shows now, not when TCP gives up. NULL: nothing to be done. */
    void (*check)(pl_signaling *sig);
    /* Whose offer gives way when two cross. NULL: the callee's. */
    bool (*polite)(const pl_session *s);
} pl_backend;

extern const pl_backend pl_backend_rooms, pl_backend_paste, pl_backend_xmpp, pl_backend_whip, pl_backend_whep;

/* ---- the signaling, for backends ---- */

pl_loop *pl_sig_loop(const pl_signaling *sig);
void *pl_sig_state(const pl_signaling *sig);
void pl_sig_set_state(pl_signaling *sig, void *state);
/* Whom the URL names, for people; copied. */
PL_NODISCARD pl_err pl_sig_set_callee(pl_signaling *sig, pl_str name);
/* The same when it is already; OPEN and CLOSED may come any number of times in turn. */
void pl_sig_opened(pl_signaling *sig, const char *text);
/* again: it is trying to come back already. The core ends no session for it: the backend knows which are lost. */
void pl_sig_closed(pl_signaling *sig, pl_err err, const char *why, bool again);
void pl_sig_peer(pl_signaling *sig, const pl_signaling_peer *peer);
void pl_sig_text(pl_signaling *sig, const char *text);
void pl_sig_note(pl_signaling *sig, const char *fmt, ...) PL_PRINTF(2, 3);
/* fallback: what is true without the application's function. */
bool pl_sig_may_call(pl_signaling *sig, const char *address, const char *name, bool fallback);
/* Somebody who may calls: an incoming session, which the application hears of soon. Errors: PL_ENOSPC (PL_SESSIONS_MAX: say
 * busy), PL_ESTATE (nobody takes calls: decline), PL_ENOMEM. */
PL_NODISCARD pl_err pl_sig_called(pl_signaling *sig, pl_session **out, const char *address, const char *name);
/* Its sessions, those that are over included: start with NULL; the one that was given may not be freed meanwhile. */
pl_session *pl_sig_next(const pl_signaling *sig, const pl_session *after);

/* ---- a session, for backends ---- */

pl_signaling *pl_session_signaling(const pl_session *s);
void *pl_session_state(const pl_session *s);
void pl_session_set_state(pl_session *s, void *state);
const char *pl_session_to(const pl_session *s); /* of the conf; NULL: whom the URL names */
/* What an outgoing session was made for (conf). */
bool pl_session_offers_data(const pl_session *s);
/* Who it is, more precisely than before; either may be NULL. Without memory it stays as it was. */
void pl_session_set_peer(pl_session *s, const char *address, const char *name);
/* What the caller wants, before there is a description. */
void pl_session_set_wants(pl_session *s, bool audio, bool video);
/* A first description was exchanged in both directions: losing the way does not end the call. */
bool pl_session_is_agreed(const pl_session *s);
bool pl_session_is_accepted(const pl_session *s); /* incoming: the application has said yes */

void pl_session_rings(pl_session *s);   /* outgoing: it rings there */
void pl_session_reached(pl_session *s); /* outgoing: offers can be sent */
/* OFFER or ANSWER of the other side; sdp is copied. What breaks its rules ends the session with a sentence to both. */
void pl_session_described(pl_session *s, pl_sdp_type type, const char *sdp);
/* Of the description that came last. */
void pl_session_trickled(pl_session *s, const pl_ice_candidate *c);
/* Our last offer is not taken, now or ever. */
void pl_session_refused(pl_session *s, pl_err err, const char *why);
/* STUN and TURN servers that the way names: used unless the connection has some; copied. Before the connection is opened they
 * are kept for it. */
void pl_session_add_servers(pl_session *s, const pl_ice_server *servers, size_t n);
void pl_session_note(pl_session *s, const char *fmt, ...) PL_PRINTF(2, 3);
/* Theirs ended, or it cannot go on. The first one counts. `end` is not called for it. */
void pl_session_over(pl_session *s, pl_session_reason reason, const char *why);

#endif
