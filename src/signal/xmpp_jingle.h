/* xmpp_jingle.h - Jingle on an account that is signed in: its sessions and proposals joined to the client.
 * Source   XEP-0166, XEP-0353; how they are spoken: docs/jingle.md.
 * Shape    one handler on a client. Sessions are there from the moment the server has bound an address; another address
 *          (a stream that was not resumed) ends them all. The owner calls run after every verb on jingle or messages,
 *          and at next_us; stanzas that come run it by themselves.
 * Units    microseconds.
 * Thread   the client's. Callbacks come within run and with stanzas; in them verbs may be called, and free not. */
#ifndef PL_SIGNAL_XMPP_JINGLE_H
#define PL_SIGNAL_XMPP_JINGLE_H

#include "jingle/message.h"
#include "jingle/sessions.h"
#include "xmpp/client.h"

typedef struct pl_xmpp_jingle pl_xmpp_jingle;

typedef struct pl_xmpp_jingle_conf {
    pl_xmpp_client *client;
    const char *const *applications, *const *transports; /* as in pl_jingle_conf */
    pl_rand rand;
    void *user;
    void (*session)(void *user, const pl_jingle_event *e);
    void (*proposal)(void *user, const pl_jmi_event *e); /* NULL: message initiation is not spoken */
} pl_xmpp_jingle_conf;

PL_NODISCARD pl_err pl_xmpp_jingle_new(pl_xmpp_jingle **out, const pl_xmpp_jingle_conf *conf);
/* Sessions that live end without a word. NULL is fine. */
void pl_xmpp_jingle_free(pl_xmpp_jingle *x);
/* NULL until the account is signed in. */
pl_jingle *pl_xmpp_jingle_sessions(const pl_xmpp_jingle *x);
pl_jmi *pl_xmpp_jingle_messages(const pl_xmpp_jingle *x); /* NULL also when it is not spoken */
void pl_xmpp_jingle_run(pl_xmpp_jingle *x);
int64_t pl_xmpp_jingle_next_us(const pl_xmpp_jingle *x); /* or PL_NEVER */
/* What service discovery says of all this; ends in NULL. */
const char *const *pl_xmpp_jingle_features(void);

#endif
