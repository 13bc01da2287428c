/* disco.h - what somebody is and can, and what is there: asked and answered.
 * Source   XEP-0030 2.5; forms within (XEP-0128) are kept as they came.
 * Shape    one handler on a client. Features (roster, Jingle ...) register what they bring; who asks for our info gets it,
 *          who asks for items gets none. Answers are lent to the callback as the <query/> element, looked at with the
 *          functions below.
 * Limits   below. Answers beyond them are refused (condition "policy-violation").
 * Errors   PL_EINVAL: no address; PL_ENOSPC: a limit; as pl_xmpp_ask.
 * Thread   the client's. Not to be freed from its own callbacks. */
#ifndef PL_XMPP_DISCO_H
#define PL_XMPP_DISCO_H

#include "xmpp/client.h"

#define PL_NS_DISCO_INFO  "http://jabber.org/protocol/disco#info"
#define PL_NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"

enum {
    PL_DISCO_FEATURES_MAX = 128,  /* ours */
    PL_DISCO_IDENTITIES_MAX = 8,  /* ours */
    PL_DISCO_CHILDREN_MAX = 2048, /* of one answer: identities, features and forms, or items */
    PL_DISCO_QUESTIONS_MAX = 128, /* that wait for an answer */
};

typedef struct pl_disco_identity {
    const char *category, *type, *name; /* "client", "console", "Peerline" */
} pl_disco_identity;

typedef struct pl_disco pl_disco;

PL_NODISCARD pl_err pl_disco_new(pl_disco **out, pl_xmpp_client *client, const pl_disco_identity *self);
void pl_disco_free(pl_disco *d); /* NULL is fine; questions under way are told nothing */

/* A feature of ours ("urn:xmpp:jingle:1"); counted, so that two may bring the same. Copied. */
PL_NODISCARD pl_err pl_disco_add(pl_disco *d, const char *feature);
void pl_disco_remove(pl_disco *d, const char *feature);
/* Whenever what we are becomes another; one listener (caps.h). */
void pl_disco_on_change(pl_disco *d, void (*changed)(void *user), void *user);
/* The node that also stands for us as we are now (caps.h): who asks for another gets item-not-found. Copied; NULL: none. */
PL_NODISCARD pl_err pl_disco_set_node(pl_disco *d, const char *node);
/* What we answer, as a new root <query/>; NULL without memory. */
pl_xml *pl_disco_self(const pl_disco *d);

/* query: NULL when there is no good answer; then error is its condition, "" when none came. */
typedef void (*pl_disco_fn)(void *user, const char *jid, const pl_xml *query, const char *error);
/* node may be NULL. When it fails, fn is not called. */
PL_NODISCARD pl_err pl_disco_ask_info(pl_disco *d, const char *jid, const char *node, pl_disco_fn fn,
                                      void *user);
PL_NODISCARD pl_err pl_disco_ask_items(pl_disco *d, const char *jid, const char *node, pl_disco_fn fn,
                                       void *user);
/* Nobody with this user is told any more. */
void pl_disco_forget(pl_disco *d, const void *user);

/* --- looking at an answer ------------------------------------------------------------------------------- */

bool pl_disco_has(const pl_xml *info, const char *feature);
/* type NULL: any. */
bool pl_disco_is(const pl_xml *info, const char *category, const char *type);
/* after NULL: the first. Attributes: jid (never missing), name, node. */
const pl_xml *pl_disco_next_item(const pl_xml *items, const pl_xml *after);

#endif
