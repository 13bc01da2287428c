/* registration.h - an account's own administration, signed in: another password, no account any more; and what a service
 * wants to know for a registration.
 * Source   XEP-0077 2.4: 3.2 (cancel), 3.3 (password), 3.1 (fields). An account is made before the log-in:
 *          create_account of pl_xmpp_client_conf.
 * Shape    lives in its owner between init and clear; one question at a time.
 * Errors   PL_ESTATE: one is under way; as pl_xmpp_ask.
 * Thread   the client's. Not to be cleared from its own callback. */
#ifndef PL_XMPP_REGISTRATION_H
#define PL_XMPP_REGISTRATION_H

#include "xmpp/client.h"

#define PL_NS_REGISTER "jabber:iq:register"

/* answer: what the fields' question got, else NULL. error: NULL: done; else a condition, "" when no answer came. */
typedef void (*pl_registration_fn)(void *user, const pl_xml *answer, const char *error);

typedef struct pl_registration {
    pl_xmpp_client *client;
    pl_registration_fn done; /* NULL: nothing is under way */
    void *user;
    bool cancelling;
} pl_registration;

void pl_registration_init(pl_registration *r, pl_xmpp_client *client);
void pl_registration_clear(pl_registration *r); /* zero state is fine; nothing is told after it */
/* service NULL: the account's server. */
PL_NODISCARD pl_err pl_registration_ask_fields(pl_registration *r, const char *service,
                                               pl_registration_fn done, void *user);
PL_NODISCARD pl_err pl_registration_change_password(pl_registration *r, const char *password,
                                                    pl_registration_fn done, void *user);
/* The account is gone, and its session: servers close the stream before or after they answer, so that the session's end
 * counts as done. */
PL_NODISCARD pl_err pl_registration_remove_account(pl_registration *r, pl_registration_fn done, void *user);

#endif
