/* message.h - messages from one to another.
 * Source   RFC 6121 5, XEP-0184 (receipts), XEP-0203 (delay), XEP-0280 1.0 (carbons), XEP-0249 (invitations to rooms),
 *          XEP-0334 4 is not spoken.
 * Shape    one handler on a client, for what no room and nobody else took. A message is lent to the callback. Receipts
 *          that are asked for are given to contacts only (a roster is given, or nobody gets one), since they tell that
 *          we are here.
 *          Carbons (what our other devices say and hear) are believed from our own bare address and from nobody else
 *          (0280 11), whether they were asked for or not.
 * Limits   ids that wait for a receipt: PL_MESSAGES_WAITING_MAX, the oldest are forgotten.
 * Errors   PL_EINVAL: no address, no type for it; as pl_xmpp_send.
 * Thread   the client's. Not to be freed from its own callbacks. */
#ifndef PL_XMPP_MESSAGE_H
#define PL_XMPP_MESSAGE_H

#include "xmpp/client.h"
#include "xmpp/invitation.h"
#include "xmpp/roster.h"

#define PL_NS_RECEIPTS "urn:xmpp:receipts"
#define PL_NS_CARBONS  "urn:xmpp:carbons:2"
#define PL_NS_FORWARD  "urn:xmpp:forward:0"
#define PL_NS_DELAY    "urn:xmpp:delay"

enum { PL_MESSAGES_WAITING_MAX = 256, PL_MESSAGE_ID_MAX = 24 };

typedef enum pl_message_type {
    PL_MESSAGE_NORMAL,
    PL_MESSAGE_CHAT,
    PL_MESSAGE_GROUPCHAT,
    PL_MESSAGE_HEADLINE,
    PL_MESSAGE_ERROR,
} pl_message_type;
const char *pl_message_type_str(pl_message_type t);

typedef enum pl_carbon { PL_CARBON_NONE, PL_CARBON_RECEIVED, PL_CARBON_SENT } pl_carbon;

typedef struct pl_message {
    pl_message_type type;
    const char *from, *to;   /* full addresses where they are known; `to` may be NULL */
    const char *id, *thread; /* NULL: none */
    const char *subject;     /* NULL: none */
    const char *body;        /* NULL: none */
    const char *stamp;       /* when it was said, if that was not now; else NULL */
    const char *error;       /* the condition of an ERROR, else NULL */
    pl_carbon carbon;        /* heard or said by another device of ours */
    const pl_xml *stanza;    /* all of it; of a carbon, what is in it */
} pl_message;

typedef struct pl_messages pl_messages;

typedef struct pl_messages_conf {
    const pl_roster *roster; /* who gets receipts; lent as long as the messages live; may be NULL */
    bool carbons;            /* ask the server for them */
    void (*message)(void *user, const pl_message *m);
    /* What was sent with this id was delivered to that device. May be NULL. */
    void (*delivered)(void *user, const char *from, const char *id);
    /* Somebody asks us into a room; an error that one of ours met is told as a message. May be NULL. */
    void (*invited)(void *user, const pl_invitation *i);
    void *user;
} pl_messages_conf;

PL_NODISCARD pl_err pl_messages_new(pl_messages **out, pl_xmpp_client *client, const pl_messages_conf *conf);
void pl_messages_free(pl_messages *m); /* NULL is fine */

typedef struct pl_message_out {
    pl_message_type type; /* not ERROR */
    const char *to;
    const char *body, *subject, *thread; /* NULL: none */
    bool receipt;                        /* ask for one; not of GROUPCHAT (0184 5.3) */
} pl_message_out;
/* Sends it; id (may be NULL) becomes the one it got. */
PL_NODISCARD pl_err pl_messages_send(pl_messages *m, const pl_message_out *out, char id[PL_MESSAGE_ID_MAX]);

/* Reads what a message stanza says; for muc.h and tests. False: it is none. Lends from the stanza. */
bool pl_message_read(const pl_xml *stanza, pl_message *out);
/* A new stanza. NULL without memory. */
pl_xml *pl_message_write(const pl_message_out *out, const char *id);

typedef struct pl_messages_counts {
    uint64_t spoofed_carbons, stray_groupchat, stray_receipts, malformed;
} pl_messages_counts;
const pl_messages_counts *pl_messages_counted(const pl_messages *m);

#endif
