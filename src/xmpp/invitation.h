/* invitation.h - somebody asks us into a chat room.
 * Source   XEP-0249 1.2 (from one to another), XEP-0045 7.8.2 (through the room).
 * Shape    plain functions on stanzas. Thread: any. */
#ifndef PL_XMPP_INVITATION_H
#define PL_XMPP_INVITATION_H

#include "xml/element.h"
#include "xmpp/jid.h"

#define PL_NS_CONFERENCE "jabber:x:conference"

typedef struct pl_invitation {
    char room[PL_JID_MAX + 1];     /* a bare address */
    char by[PL_JID_MAX + 1];       /* who asks; "" when the room does not tell */
    const char *password, *reason; /* NULL: none; lent by the stanza */
    bool direct;                   /* not through the room: nobody has made us a member by it */
} pl_invitation;

/* Whether a message is one. from: its sender, as the stream has checked it. One through the room counts from the room alone. */
bool pl_invitation_read(pl_invitation *out, const pl_xml *message, const pl_jid *from);
/* A new message from one to another. NULL without memory. */
pl_xml *pl_invitation_write(const char *to, const char *room, const char *password, const char *reason);

#endif
