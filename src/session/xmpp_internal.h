/* xmpp_internal.h - what backend_xmpp.c (the account and who is there) and xmpp_calls.c (calls) share. Private to them. */
#ifndef PL_SESSION_XMPP_INTERNAL_H
#define PL_SESSION_XMPP_INTERNAL_H

#include "net/loop.h"
#include "session/account.h"
#include "session/backend.h"
#include "signal/jingle_call.h"
#include "signal/xmpp_jingle.h"

typedef struct xmpp_way {
    pl_signaling *sig;
    pl_session_account on;
    bool lent; /* the account is somebody else's */
    pl_xmpp_client *client;
    pl_xmpp_handler before, after; /* of all others, and behind them: what is cut, and what begins */
    pl_xmpp_jingle *jingle;
    char *callee; /* of the URL, or NULL */
    bool anybody, ready, leaving, cut;
    int64_t arriving_until_us; /* contacts that are told of until then were here before */
    pl_timer due;
} xmpp_way;

/* --- xmpp_calls.c --- */
/* The functions of pl_backend. */
pl_err xmpp_call_out(pl_session *s);
pl_err xmpp_ring(pl_session *s);
pl_err xmpp_accept(pl_session *s);
pl_err xmpp_describe(pl_session *s, pl_sdp_type type, const char *sdp);
pl_err xmpp_candidate(pl_session *s, const pl_ice_candidate *c);
void xmpp_end(pl_session *s, pl_session_reason reason, const char *why);
void xmpp_drop(pl_session *s);
void xmpp_on_session(void *user, const pl_jingle_event *e);
void xmpp_on_proposal(void *user, const pl_jmi_event *e);
/* The account is signed in and contacts are known: what waited begins. */
void xmpp_calls_begin(xmpp_way *w);
/* What was under way without a Jingle session is lost with the stream. */
void xmpp_calls_cut(xmpp_way *w);
void xmpp_calls_tick(xmpp_way *w, int64_t now_us);
int64_t xmpp_calls_next_us(const xmpp_way *w);

/* --- backend_xmpp.c --- */
/* Sends what verbs have left to send, and sets the timer. */
void xmpp_run(xmpp_way *w);

#endif
