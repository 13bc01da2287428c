/* muc_internal.h - what muc.c (ours) and muc_in.c (the room's) share. Private to them. */
#ifndef PL_XMPP_MUC_INTERNAL_H
#define PL_XMPP_MUC_INTERNAL_H

#include "xmpp/feature.h"
#include "xmpp/muc.h"

#define NS_STANZAS     "urn:ietf:params:xml:ns:xmpp-stanzas"
#define NS_DATA        "jabber:x:data"
#define NS_MUC_REQUEST "http://jabber.org/protocol/muc#request"

typedef enum muc_state { MUC_OUTSIDE, MUC_JOINING, MUC_IN } muc_state;

typedef struct muc_occupant {
    pl_occupant pub;
    pl_hash_node in_table;
    pl_node in_order;
    char *nick, *jid, *status;
} muc_occupant;

struct pl_muc {
    pl_xmpp_client *client;
    pl_muc_conf conf;
    pl_xmpp_handler handler;
    char *room, *nick, *password;
    muc_state state;
    bool wanted; /* a new session joins again */
    pl_hash by_nick;
    pl_list occupants;
    char topic[PL_MUC_SUBJECT_MAX + 1];
    pl_muc_counts counts;
};

/* muc.c */
muc_occupant *muc_find(const pl_muc *m, pl_str nick);
/* Into the table under that name; takes the occupant when it does. */
pl_err muc_put(pl_muc *m, muc_occupant *o, pl_str nick);
void muc_take(pl_muc *m, muc_occupant *o);
void muc_free_occupant(muc_occupant *o);
bool muc_set_text(char **at, const char *text);
void muc_tell(pl_muc *m, const pl_muc_event *e);
void muc_tell_refused(pl_muc *m, const char *error, const char *text);
/* We are no longer in: told when we were, occupants forgotten. */
void muc_out(pl_muc *m, const pl_muc_event *e);
void muc_accept_defaults(pl_muc *m);

/* muc_in.c */
bool muc_on_stanza(void *user, const pl_xml *stanza);

#endif
