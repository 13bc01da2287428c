/* negotiation.h - one connection's offers and answers, in perfect negotiation: whoever has the connection calls in with its
 * events and with what the other side says, and is told what to say.
 * Source   W3C webrtc 10.7. What is refused is rolled back and not offered again until something else has changed.
 * Shape    plain data inside its owner, zero state and the members up to `started` set by it; clear frees. `describe` and the
 *          others come from inside the calls.
 * Errors   told to `failed`, once the connection is of no use; the calls give none.
 * Thread   the connection's loop. */
#ifndef PL_SESSION_NEGOTIATION_H
#define PL_SESSION_NEGOTIATION_H

#include "peerline/peer_connection.h"

typedef struct pl_negotiation {
    pl_peer_connection *pc; /* lent */
    bool polite;            /* gives way when two offers cross */
    bool whole; /* descriptions are told when all candidates are in them, and no candidate by itself */
    void *user;
    /* A description to be carried to the other side. An error of an offer refuses it, see pl_negotiation_refused. */
    pl_err (*describe)(void *user, pl_sdp_type type, const char *sdp);
    void (*candidate)(void *user, const pl_ice_candidate *c);
    /* The offer was taken back: err and why say what describe, or who called pl_negotiation_refused, said. */
    void (*refused)(void *user, pl_err err, const char *why);
    void (*withdrawn)(void *user); /* ours, since theirs goes first; may be NULL */
    void (*failed)(void *user, pl_err err, const char *why);
    void (*note)(void *user, const char *text);

    bool started;  /* offers may be made: the caller sets it; an offer of the other side does, too */
    bool wants;    /* an offer is to be made once started */
    bool untold;   /* whole: our description waits for its candidates */
    bool ignoring; /* the offer that lost, and its candidates */
    bool agreed;   /* an answer was set, either side's */
    char *refusal; /* what was offered and refused, or NULL */
} pl_negotiation;

void pl_negotiation_clear(pl_negotiation *n);
/* Offers may be made from now on. */
void pl_negotiation_start(pl_negotiation *n);
/* The connection's events of these names. */
void pl_negotiation_needed(pl_negotiation *n);
void pl_negotiation_gathering(pl_negotiation *n, pl_ice_gathering_state state);
void pl_negotiation_local_candidate(pl_negotiation *n, const pl_ice_candidate *c);
/* What the other side says. */
void pl_negotiation_description(pl_negotiation *n, pl_sdp_type type, const char *sdp);
void pl_negotiation_remote_candidate(pl_negotiation *n, const pl_ice_candidate *c);
/* The offer that is out is not taken. */
void pl_negotiation_refused(pl_negotiation *n, pl_err err, const char *why);

#endif
