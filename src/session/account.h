/* account.h - calls on an XMPP account that somebody else keeps: a program that is signed in for other things, too.
 * Shape    as pl_signaling_open with "xmpp:"; but the account's owner signs in, sends presence, tells faults, and signs out. The
 *          signaling adds what it can to the owner's service discovery, so make it before the account opens.
 * Owners   the account is lent until pl_signaling_free, which comes before its features are freed.
 * Thread   the loop's owner. */
#ifndef PL_SESSION_ACCOUNT_H
#define PL_SESSION_ACCOUNT_H

#include "peerline/session.h"
#include "signal/xmpp.h"
#include "xmpp/caps.h"
#include "xmpp/disco.h"
#include "xmpp/presence.h"
#include "xmpp/roster.h"

typedef struct pl_session_account {
    pl_xmpp_connection *connection;
    pl_disco *disco;
    pl_caps *caps;
    pl_roster *roster;
    pl_presence *presence;
} pl_session_account;

/* anybody: not only contacts may ring. on_peer is not called: the owner sees presence itself. Errors: PL_ENOMEM. */
PL_NODISCARD pl_err pl_signaling_open_account(pl_signaling **out, pl_loop *loop,
                                              const pl_session_account *account, bool anybody,
                                              const pl_signaling_observer *observer);
/* Its contacts are known, or will not be, since it was opened (anew): from now on it calls and is called. */
void pl_signaling_account_ready(pl_signaling *sig);

#endif
