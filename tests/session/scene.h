/* scene.h - two parties, Ann and Bob, on one loop, and a way between them that can be exchanged: what a test does with them is the
 * same for every way.
 * Shape    scene_begin gives, scene_end takes and checks that nothing came after an end. A way has a row in a table of its test. */
#ifndef TESTS_SESSION_SCENE_H
#define TESTS_SESSION_SCENE_H

#include "pl_test.h"

#include "peerline/session.h"
#include "signal/http_server.h"

enum { SCENE_CALLS = 4, SCENE_NOTES = 400 };

typedef struct party party;
typedef struct scene scene;

typedef struct scene_call {
    party *of;
    pl_session *s;
    pl_peer_connection *pc;
    pl_data_channel *chat, *other; /* other: theirs beside ours, when both call */
    bool video;                    /* put on the connection */
    bool silent;                   /* opens no connection at on_connect */
    size_t n_ringing, n_connect, n_accepted, n_refused, n_ended, n_tracks, n_heard, n_connected, n_stable;
    pl_err refused;
    pl_session_reason reason;
    char why[PL_SESSION_WHY_MAX], heard[64], notes[SCENE_NOTES];
} scene_call;

struct party {
    scene *in;
    const char *name;
    pl_signaling *sig;
    pl_factory *factory;
    scene_call call[SCENE_CALLS]; /* in order */
    size_t n_calls, n_incoming;
    size_t n_open, n_closed, n_came, n_left;
    pl_err err;
    bool again, deaf;                  /* deaf: may_call says no */
    bool undecided;                    /* leaves callers undecided */
    pl_session *kept[PL_SESSIONS_MAX]; /* with that; by n_incoming */
    char last[64];                     /* address of who came last */
    char *text[8];                     /* paste: what it gave out */
    size_t n_texts, n_pasted;
};

typedef struct scene_way {
    const char *name;
    const char *scheme[2]; /* of Ann and Bob */
    bool rooms;            /* a server's */
    bool trickles, rings;
    const char *server; /* XMPP: scheme of pl_signaling_conf.server; NULL: no XMPP */
} scene_way;

/* Of the ways by XMPP, for a whole program; started by its first scene. */
void scene_stop_servers(void);

struct scene {
    const scene_way *way;
    pl_loop *loop;
    pl_http_server *server;
    uint16_t port;
    party ann, bob;
};

void scene_begin(scene *sc, const scene_way *way);
void scene_end(scene *sc);
/* Opens a party's way to `callee` (NULL: nobody), and waits until it is open. */
void scene_open(party *p, const char *callee);
/* A call to whom the URL names, or to `to`. */
scene_call *scene_dial(party *p, const char *to);
/* The newest call of a party. */
scene_call *scene_last(party *p);
/* Frees the session, first the chat. */
void scene_drop(scene_call *c);

/* Turns the loop until the condition holds; fails the test after half a minute. */
#define SCENE_UNTIL(sc, condition)                                                                           \
    do {                                                                                                     \
        int64_t scene_end_us = scene_deadline();                                                             \
        while (!(condition) && scene_turn(sc, scene_end_us))                                                 \
            continue;                                                                                        \
        PL_OKAY(condition);                                                                                  \
    } while (0)
int64_t scene_deadline(void);
bool scene_turn(scene *sc, int64_t end_us);
/* So long, for what is not to happen. */
void scene_pass(scene *sc, int64_t us);

/* From "bob is called" to "both hear each other". */
void scene_connect(scene *sc, scene_call **ann, scene_call **bob);

#endif
