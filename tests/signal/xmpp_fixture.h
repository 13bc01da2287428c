/* xmpp_fixture.h - an XMPP server of Debian's for a test (tests/interop/xmpp_server.py), and accounts signed in to it.
 * Shape    one server and one loop a program. Waits are for conditions, with generous limits. */
#ifndef TESTS_SIGNAL_XMPP_FIXTURE_H
#define TESTS_SIGNAL_XMPP_FIXTURE_H

#include "net/loop.h"
#include "signal/xmpp.h"

typedef struct xmpp_server {
    int pid, to; /* of the script; closing `to` ends it */
    unsigned c2s, c2s_tls;
    char domain[64], websocket[128], websocket_tls[128], bosh[128], bosh_tls[128], ca[128], other_ca[128];
} xmpp_server;

/* options: NULL-terminated, of the script. Aborts the test when the server does not start. */
void xmpp_server_start(xmpp_server *s, const char *kind, const char *const *options);
void xmpp_server_stop(xmpp_server *s);

enum { USER_TEXTS_MAX = 1024 };

typedef struct xmpp_user {
    pl_loop *loop;
    pl_xmpp_connection *x;
    pl_xmpp_client *client;
    pl_xmpp_handler handler;
    pl_xmpp_state state;
    unsigned n_opened, n_resumed, n_lost, n_troubles, n_answers, n_silent;
    pl_xmpp_fault fault;
    bool again;
    char why[200];
    unsigned n_texts;
    char *texts[USER_TEXTS_MAX]; /* bodies, in the order in which they came */
} xmpp_user;

/* What the account's conf is by the way it goes; the caller may change it before xmpp_user_new. */
pl_xmpp_connection_conf xmpp_user_conf(const xmpp_server *s, const char *jid, pl_xmpp_via via);
void xmpp_user_new(xmpp_user *u, pl_loop *loop, const pl_xmpp_connection_conf *conf);
void xmpp_user_free(xmpp_user *u);
void xmpp_user_say(xmpp_user *u, const char *to, const char *text);
void xmpp_user_ask_ping(xmpp_user *u); /* of the server; counted in n_answers or n_silent */

/* Runs the loop until the condition holds, at most a minute and a half. */
#define XMPP_UNTIL(loop, condition)                                                                          \
    do {                                                                                                     \
        int64_t until_us = pl_clock_us() + PL_SEC(90);                                                       \
        while (!(condition) && pl_clock_us() < until_us)                                                     \
            (void)pl_loop_run_once((loop), PL_MS(50));                                                       \
        PL_OKAY(condition);                                                                                  \
    } while (0)

#endif
