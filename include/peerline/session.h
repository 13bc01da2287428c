/* session.h - calls, whatever way their descriptions travel: the rooms of a server, XMPP (Jingle), WHIP and WHEP, or text
 * that people copy and paste. Part of libpeerline-signal.
 * Source   docs/session.md; perfect negotiation: W3C webrtc 10.7.
 *
 * Use      pl_signaling_open with a URL. To call: pl_session_call; when somebody calls: on_call, then pl_session_accept.
 *          At on_connect, on either side: pl_session_open_connection, then tracks and channels on that connection. The
 *          session does the rest: offers, answers, candidates, and the same again whenever the connection needs it.
 * Errors   of calls as told below. What happens later comes as events with a sentence for people.
 * Threads  everything on the loop's thread (elsewhere: pl_loop_call), with a factory on the same loop
 *          (pl_factory_conf.loop). Events come from the loop, never inside a call of this header.
 * Owners   what _open and _call gave, and on_call hands over, is freed with its own free function, also inside any event.
 *          Texts in events are lent for the call. */
#ifndef PEERLINE_SESSION_H
#define PEERLINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/loop.h"
#include "peerline/peer_connection.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PL_SESSIONS_MAX = 64, /* at once over one signaling; more callers hear "busy" */
    PL_SESSION_EARLY_MAX =
        256, /* candidates that a caller may send before it is answered; more are dropped */
    PL_SESSION_TEXT_MAX = 256 * 1024, /* bytes of one description, or of a pasted text */
    PL_SESSION_WHY_MAX = 320          /* bytes of a sentence, with the zero */
};

typedef struct pl_signaling pl_signaling;
typedef struct pl_session pl_session;

/* --- the way ---------------------------------------------------------------------------------------------- */

typedef enum pl_signaling_link {
    PL_LINK_OPENING, /* for the first time, or again */
    PL_LINK_OPEN,    /* signed in: peers can be called and call */
    PL_LINK_CLOSED
} pl_signaling_link;

/* Somebody who can be called. */
typedef struct pl_signaling_peer {
    const char *address; /* for pl_session_call: this one, also when others have its name */
    const char *name;    /* for people */
    bool here;           /* false: has left */
    bool before;         /* was here before we came */
} pl_signaling_peer;

/* Every function may be NULL. */
typedef struct pl_signaling_observer {
    void *user;
    /* text: a sentence ("signed in as ann; 2 others here"), or "". CLOSED: err PL_OK when we closed it; again: it comes
     * back by itself, and OPENING follows. */
    void (*on_link)(void *user, pl_signaling_link link, pl_err err, const char *text, bool again);
    /* Came, or left; rooms and XMPP only. After OPEN those that are here already come one by one. */
    void (*on_peer)(void *user, const pl_signaling_peer *peer);
    /* Whether this one may ring (its address, name) at all; who may not learns nothing of us, where the way has such
     * discretion. Without the function: everybody in rooms, and contacts over XMPP. May come inside other calls. */
    bool (*may_call)(void *user, const char *address, const char *name);
    /* Somebody calls: the session is the application's from now on. pl_session_set_observer, then pl_session_ring,
     * _accept or _reject, now or later. Without the function callers are declined. */
    void (*on_call)(void *user, pl_session *session);
    /* A text to carry to the other side by hand (paste: only). */
    void (*on_text)(void *user, const char *text);
    void (*on_note)(void *user, const char *text); /* a sentence for people */
} pl_signaling_observer;

typedef struct pl_signaling_conf {
    /* Which way, where, and perhaps whom (percent-encoded):
     *   http(s)://HOST[:PORT][/ROOM][#NAME]    rooms of a server: the classic protocol; a ROOM by WebSocket
     *   ws(s)://HOST[:PORT][/PATH][#NAME]      rooms by WebSocket; PATH is /ws without one
     *   xmpp:USER@HOST[/RESOURCE]              an account, or just this device of it, called from `account`; "xmpp:" nobody
     *   whip:http(s)://…, whep:http(s)://…     an endpoint to publish to, or to play from
     *   paste:                                 text by hand; paste:json as W3C's JSON, as browsers know it */
    const char *url;
    const char
        *name; /* rooms: how others see us; at most 64 characters. NULL: "peerline@" and the host's name */
    const char *
        room; /* rooms: this one, "" the common one, and the URL's path is where the server's service is. NULL: the
                       * URL's path names the room */
    const char *account;  /* XMPP: "juliet@example.org[/resource]" */
    const char *password; /* of the account; the copy is wiped */
    const char *
        server; /* XMPP: in place of what DNS says of the account's domain: HOST[:PORT] (STARTTLS), tls://HOST[:PORT],
                           * ws(s)://… or, for BOSH, http(s)://… NULL: DNS */
    const char *token;   /* WHIP, WHEP: bearer token, or NULL */
    const char *ca_file; /* PEM: whom TLS trusts; NULL: what the system trusts */
    bool insecure;       /* XMPP: without TLS when the server has none; for servers of this machine */
    bool anybody;        /* XMPP: not only contacts may ring */
    bool no_options;     /* WHIP, WHEP: do not ask the endpoint for ICE servers first */
    bool once;           /* do not come back after a loss */
    int64_t patience_us; /* WHIP, WHEP: how long to come back to an endpoint that says "later"; 0: 30 s */
} pl_signaling_conf;

/* Begins to sign in; on_link tells. conf's texts and the observer are copied. `error` (cap bytes; may be NULL with cap 0)
 * becomes a sentence when it fails.
 * Errors: PL_EINVAL (a URL, a name, an account or a token that means nothing), PL_ENOTSUP (a kind of URL that this build does
 * not have), PL_EIO, PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_signaling_open(pl_signaling **out, pl_loop *loop, const pl_signaling_conf *conf,
                                             const pl_signaling_observer *observer, char *error, size_t cap);
/* Hangs up every session and says goodbye: what is said last leaves, then CLOSED with PL_OK comes, in 5 s at the latest. */
PL_API void pl_signaling_close(pl_signaling *sig);
/* At once, without a word. Sessions that are not connected end with PL_SESSION_GONE; calls that are go on as long as the other
 * side lets them, without changes. Sessions may be freed before or after it. NULL is fine. */
PL_API void pl_signaling_free(pl_signaling *sig);
PL_API pl_signaling_link pl_signaling_get_link(const pl_signaling *sig);
/* "rooms", "paste", "xmpp", "whip", "whep"; a constant. */
PL_API const char *pl_signaling_kind(const pl_signaling *sig);
/* Whom the URL names, for people; NULL: nobody. Lives as long as it. */
PL_API const char *pl_signaling_callee(const pl_signaling *sig);
/* What people pasted, whole or in pieces of lines. Errors: PL_EAGAIN (more is to come), PL_EPROTO (nothing of ours, or damaged;
 * what was pasted before is forgotten), PL_ESTATE (it answers nothing that is open), PL_ENOTSUP (not paste:), PL_ENOSPC,
 * PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_signaling_paste(pl_signaling *sig, const char *text);

/* --- one call ---------------------------------------------------------------------------------------------- */

/* How a session ended, or how it is to. */
typedef enum pl_session_reason {
    PL_SESSION_HUNG_UP,   /* as calls end */
    PL_SESSION_CANCELLED, /* the caller has given up before it was answered */
    PL_SESSION_DECLINED,
    PL_SESSION_BUSY,
    PL_SESSION_ELSEWHERE, /* another device has dealt with it */
    PL_SESSION_NO_ANSWER, /* nobody decided in the time that the other side, or its server, grants */
    PL_SESSION_NOT_FOUND, /* no such account, or no such endpoint */
    PL_SESSION_REFUSED,   /* the server lets us not: a token, a policy */
    PL_SESSION_GONE,      /* the peer, or the way to it, has gone */
    PL_SESSION_FAILED     /* it could not be set up, or the path was lost */
} pl_session_reason;

/* "hung-up", "cancelled", "declined", "busy", "elsewhere", "no-answer", "not-found", "refused", "gone", "failed". */
PL_API const char *pl_session_reason_str(pl_session_reason reason);

/* Every function may be NULL. */
typedef struct pl_session_observer {
    void *user;
    void (*on_ringing)(void *user); /* it rings there; ways that do not tell go without */
    /* The other side is there (outgoing), or its description has come after pl_session_accept (incoming): the time to
     * open the connection, unless it is open. */
    void (*on_connect)(void *user);
    void (*on_accepted)(void *user); /* outgoing: they take the call; the connection is being made */
    /* A change of media, or an ICE restart, that the way or the other side does not take. It was taken back: the
     * connection is in "stable" again as it was before. */
    void (*on_refused)(void *user, pl_err err, const char *why);
    /* It is over; the last event. why: a sentence when that is no ordinary end, else "". */
    void (*on_ended)(void *user, pl_session_reason reason, const char *why);
    void (*on_note)(void *user, const char *text);
} pl_session_observer;

typedef struct pl_session_conf {
    const char *to; /* an address that on_peer told, or a name; NULL: whom the URL names */
    /* What is going to be sent and received, for ways that tell before there is a description (an XMPP account's devices
     * ring with it). Of none audio. */
    bool audio, video, data;
} pl_session_conf;

/* Calls; who is not there yet is waited for, in rooms, until the application gives up. conf NULL: whom the URL names, audio.
 * Errors: PL_EINVAL (nobody is named, or an address that is none), PL_ESTATE (closed, or there is a session with that peer
 * where the way has one for each), PL_ENOSPC (PL_SESSIONS_MAX), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_session_call(pl_session **out, pl_signaling *sig, const pl_session_conf *conf,
                                           const pl_session_observer *observer);
/* For sessions of on_call; copied. */
PL_API void pl_session_set_observer(pl_session *s, const pl_session_observer *observer);

/* As pl_peer_connection_new, and the session drives its negotiation from now on. The connection is lent: it is closed and
 * freed with the session, so free media at it, and handles of channels, before. The observer's on_negotiation_needed and
 * on_ice_candidate come, too, after the session has looked after them.
 * Errors: as pl_peer_connection_new; PL_ESTATE (there is one, the session is over, or it is incoming and not accepted),
 * PL_EINVAL also for a factory that is not on the signaling's loop. */
PL_NODISCARD PL_API pl_err pl_session_open_connection(pl_session *s, pl_peer_connection **out,
                                                      pl_factory *factory, const pl_configuration *conf,
                                                      const pl_peer_connection_observer *observer);
PL_API pl_peer_connection *pl_session_get_connection(const pl_session *s); /* NULL: not opened */

/* Incoming only (PL_ESTATE otherwise, and after the decision). ring: tells the caller that it rings here. accept: on_connect
 * follows. reject: tells why (BUSY, DECLINED; others count as DECLINED) and the session is over, without on_ended. */
PL_NODISCARD PL_API pl_err pl_session_ring(pl_session *s);
PL_NODISCARD PL_API pl_err pl_session_accept(pl_session *s);
PL_API void pl_session_reject(pl_session *s, pl_session_reason reason);
/* Ends it at any time: cancels, declines or hangs up, and tells the other side. on_ended follows, with HUNG_UP, CANCELLED or
 * DECLINED. After the end nothing happens. */
PL_API void pl_session_hang_up(pl_session *s);
/* Ends it if it lives, and closes the connection. No event comes after it. NULL is fine. */
PL_API void pl_session_free(pl_session *s);

PL_API bool pl_session_is_outgoing(const pl_session *s);
/* What the caller says it sends and receives; before there is a description, all that may be. */
PL_API bool pl_session_wants(const pl_session *s, pl_media_type kind);
PL_API bool pl_session_is_over(const pl_session *s);
/* The connection was connected at some time. */
PL_API bool pl_session_was_connected(const pl_session *s);
/* For people, and for pl_session_call; live until free. They may become more precise ("romeo@example.org" the device). */
PL_API const char *pl_session_peer_name(const pl_session *s);
PL_API const char *pl_session_peer_address(const pl_session *s);

#ifdef __cplusplus
}
#endif
#endif
