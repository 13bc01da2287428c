/* call_session.h - one call of `peerline xmpp call`: connection, media, chat channel, negotiation, and the report at its end.
 * (Other calls of the program are talk.h, on a pl_session.)
 * Shape    new gives, free takes; lives on the loop. Callbacks come from the loop.
 * Roles    perfect negotiation: the callee is the polite peer. */
#ifndef PL_CLI_CALL_SESSION_H
#define PL_CLI_CALL_SESSION_H

#include <jansson.h>

#include "peerline/media.h"
#include "peerline/peer_connection.h"

typedef struct pl_call_session pl_call_session;

typedef struct pl_call_session_conf {
    pl_factory *factory;
    const pl_configuration *connection; /* lent for the call of new */
    pl_media_conf media;
    const char *name, *peer; /* for the report; copied */
    bool caller;
    double patience_s; /* give up when not connected by then */
    void *user;
    /* To the peer: offers and answers, candidates after them, and that we hang up. */
    void (*describe)(void *user, pl_sdp_type type, const char *sdp);
    void (*candidate)(void *user, const pl_ice_candidate *c);
    void (*hang_up)(void *user);
    void (*chat)(void *user, const char *text, size_t len);
    /* A line for people about what happens: "connected", "the peer sends video" … */
    void (*progress)(void *user, const char *text);
    /* The call is over, or could not be set up; reason NULL: it ended as calls end. Comes once; the session
     * is to be freed after it, not inside. */
    void (*ended)(void *user, const char *reason);
} pl_call_session_conf;

/* error: a sentence when it fails. The caller's offer is sent at once. */
PL_NODISCARD pl_err pl_call_session_new(pl_call_session **out, const pl_call_session_conf *conf, char *error,
                                        size_t cap);
/* An offer or answer of the peer, and a candidate of its. */
void pl_call_session_described(pl_call_session *s, pl_sdp_type type, const char *sdp);
void pl_call_session_trickled(pl_call_session *s, const pl_ice_candidate *c);
/* False when there is no open chat channel. */
bool pl_call_session_say(pl_call_session *s, const char *text);
/* Seconds since connected, 0 before. */
double pl_call_session_seconds(const pl_call_session *s);
bool pl_call_session_connected(const pl_call_session *s);
/* When it gives up waiting, on pl_clock_us; PL_NEVER once connected. */
int64_t pl_call_session_deadline_us(const pl_call_session *s);
/* failure NULL unless the call failed. Owned by the caller. */
json_t *pl_call_session_report(pl_call_session *s, const char *failure);
/* Says bye to the peer. */
void pl_call_session_hang_up(pl_call_session *s);
void pl_call_session_free(pl_call_session *s);

#endif
