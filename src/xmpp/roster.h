/* roster.h - the account's contacts, as its server keeps them.
 * Source   RFC 6121 2 (roster, pushes, versions), 3.4 (pre-approval is shown, not asked for).
 * Shape    one handler on a client. Asks for the roster whenever a session begins, with the version it has when the
 *          server offers versions; keeps itself up to date by pushes. Contacts are lent: they stay until `changed` has
 *          told of a newer state of theirs, or the roster is loaded anew. Nothing is kept when the roster is freed.
 * Limits   below; a roster beyond them is cut, and `cut` counts what was left out.
 * Errors   PL_EINVAL: no bare address; PL_ENOSPC; PL_ENOMEM; as pl_xmpp_ask. A push that is not from the account itself is
 *          refused with service-unavailable and counted (2.1.6).
 * Thread   the client's; callbacks come from the client's. Not to be freed from its own callbacks. */
#ifndef PL_XMPP_ROSTER_H
#define PL_XMPP_ROSTER_H

#include "base/hash.h"
#include "xmpp/client.h"

#define PL_NS_ROSTER "jabber:iq:roster"

enum {
    PL_ROSTER_MAX = 10000,
    PL_ROSTER_GROUPS_MAX = 32,  /* of one contact */
    PL_ROSTER_NAME_MAX = 1023,  /* bytes of a name or group; longer ones are left out */
    PL_ROSTER_EDITS_MAX = 64,   /* changes of ours that wait for the server's answer */
    PL_ROSTER_VERSION_MAX = 255 /* longer: as if there were none */
};

typedef enum pl_subscription {
    PL_SUBSCRIPTION_NONE,
    PL_SUBSCRIPTION_TO,   /* we see their presence */
    PL_SUBSCRIPTION_FROM, /* they see ours */
    PL_SUBSCRIPTION_BOTH,
} pl_subscription;

typedef struct pl_contact {
    const char *jid;  /* bare, prepared */
    const char *name; /* "": none */
    pl_subscription subscription;
    bool asked;    /* we wait for them to let us see their presence */
    bool approved; /* they may, before they have asked */
    unsigned n_groups;
    const char *const *groups;
    void *user; /* the application's; NULL at first */
} pl_contact;

typedef struct pl_roster pl_roster;

typedef struct pl_roster_conf {
    /* The whole roster is known, now or again; error: it is not to be had (condition). May be NULL. */
    void (*loaded)(void *user, const char *error);
    /* A contact came, is another now, or is gone (last sight of it). Not called for what `loaded` tells. May be NULL. */
    void (*changed)(void *user, const pl_contact *contact, bool gone);
    void *user;
} pl_roster_conf;

PL_NODISCARD pl_err pl_roster_new(pl_roster **out, pl_xmpp_client *client, const pl_roster_conf *conf);
void pl_roster_free(pl_roster *r); /* NULL is fine */
bool pl_roster_is_loaded(const pl_roster *r);
/* jid may have a resource, which does not count. NULL: no contact. */
const pl_contact *pl_roster_find(const pl_roster *r, const char *jid);
/* In the order of their coming: NULL begins, NULL ends. */
const pl_contact *pl_roster_next(const pl_roster *r, const pl_contact *after);
size_t pl_roster_count(const pl_roster *r);
void pl_roster_set_user(const pl_contact *contact, void *user);

/* error: NULL when it is done, a condition ("item-not-found", "" for no answer) otherwise. */
typedef void (*pl_roster_done_fn)(void *user, const char *jid, const char *error);
/* Adds a contact or changes its name and groups; `changed` comes with the server's push. done may be NULL. */
PL_NODISCARD pl_err pl_roster_set(pl_roster *r, const char *jid, const char *name, const char *const *groups,
                                  unsigned n_groups, pl_roster_done_fn done, void *user);
/* Takes it away with both subscriptions. */
PL_NODISCARD pl_err pl_roster_remove(pl_roster *r, const char *jid, pl_roster_done_fn done, void *user);

/* Of "none", "to", "from", "both"; and back. */
const char *pl_subscription_str(pl_subscription s);

typedef struct pl_roster_counts {
    uint64_t pushes, spoofed, malformed, cut;
} pl_roster_counts;
const pl_roster_counts *pl_roster_counted(const pl_roster *r);

#endif
