/* talk.h - one call of the program, whatever carries it: a pl_session with media, a chat channel, and the report at its end.
 * Shape    new takes a session over and frees it with itself; lives on the loop. Callbacks come from the loop.
 * Roles    what a WHIP endpoint takes is sent alone, what a WHEP endpoint gives is received alone, and neither chats. */
#ifndef PL_CLI_TALK_H
#define PL_CLI_TALK_H

#include <jansson.h>

#include "peerline/media.h"
#include "peerline/session.h"

typedef struct pl_talk pl_talk;

typedef enum pl_talk_way { PL_TALK_BOTH, PL_TALK_SEND, PL_TALK_RECEIVE } pl_talk_way;

typedef struct pl_talk_conf {
    pl_factory *factory;
    const pl_configuration *connection; /* lent for the talk's life */
    pl_media_conf media;
    pl_talk_way way;
    bool kind[2];      /* by pl_media_type: what is wanted at all */
    const char *name;  /* ours, for the report; copied */
    double patience_s; /* until the other side is there, and again until it is connected */
    void *user;
    void (*chat)(void *user, const char *text, size_t len);
    void (*progress)(void *user, const char *text); /* for people: "connected", "the peer sends video" … */
    /* It is over; reason NULL: as calls end. Comes once; to be freed after it, not inside. */
    void (*ended)(void *user, const char *reason);
} pl_talk_conf;

/* error: a sentence when it fails; the session is the caller's then. */
PL_NODISCARD pl_err pl_talk_new(pl_talk **out, const pl_talk_conf *conf, char *error, size_t cap);
/* The session of the talk, which is the talk's from now on; before any of its events. */
void pl_talk_join(pl_talk *t, pl_session *session);
/* For pl_session_call: it tells the talk. */
pl_session_observer pl_talk_observer(pl_talk *t);
const char *pl_talk_peer(const pl_talk *t);         /* for people */
const char *pl_talk_peer_address(const pl_talk *t); /* for scripts */
/* The caller is whom we are calling, and has not been reached: we called each other, and who answers joins the two. */
bool pl_talk_crosses(const pl_talk *t, const pl_session *caller);
bool pl_talk_say(pl_talk *t, const char *text); /* false: there is no open chat */
bool pl_talk_reached(const pl_talk *t);         /* the other side was there at some time */
bool pl_talk_connected(const pl_talk *t);       /* at some time */
double pl_talk_seconds(const pl_talk *t);       /* since connected, 0 before */
/* When it is to be given up, on pl_clock_us; PL_NEVER once connected. */
int64_t pl_talk_deadline_us(const pl_talk *t);
/* Over, with this reason. */
void pl_talk_give_up(pl_talk *t, const char *reason);
/* NULL: the other side was never reached. failure NULL unless it failed. Owned by the caller. */
json_t *pl_talk_report(pl_talk *t, const char *failure);
void pl_talk_hang_up(pl_talk *t);
void pl_talk_restart(pl_talk *t); /* another path */
void pl_talk_free(pl_talk *t);    /* NULL is fine */

#endif
