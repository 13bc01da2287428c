/* Invitations: through the room, and from one to another. */
#include "xmpp/invitation.h"

#include <stdio.h>

#include "xmpp/client.h"
#include "xmpp/feature.h"
#include "xmpp/muc.h"

/* Who asks may be an occupant's address, then its nickname is what there is. */
static bool mediated(pl_invitation *out, const pl_xml *x, const pl_jid *from)
{
    const pl_xml *invite = pl_xml_child(x, PL_NS_MUC_USER, "invite");
    const char *by = pl_xml_attr_of(invite, "from");
    pl_jid jid;
    if (!invite || from->resource_n)
        return false;
    snprintf(out->room, sizeof out->room, "%s", from->text);
    if (by && !pl_jid_parse(&jid, pl_str_of(by)))
        snprintf(out->by, sizeof out->by, "%s", jid.text);
    out->password = pl_xml_child_text(x, PL_NS_MUC_USER, "password");
    out->reason = pl_xml_child_text(invite, PL_NS_MUC_USER, "reason");
    return true;
}

static bool direct(pl_invitation *out, const pl_xml *x, const pl_jid *from)
{
    pl_jid room;
    if (!x || !feature_bare(&room, pl_xml_attr_of(x, "jid")) || !room.local_n)
        return false;
    snprintf(out->room, sizeof out->room, "%s", room.text);
    snprintf(out->by, sizeof out->by, "%s", from->text);
    out->password = pl_xml_attr_of(x, "password");
    out->reason = pl_xml_attr_of(x, "reason");
    out->direct = true;
    return true;
}

/* Services add the direct form to what goes through the room, for old clients. */
bool pl_invitation_read(pl_invitation *out, const pl_xml *message, const pl_jid *from)
{
    *out = (pl_invitation){ .direct = false };
    return mediated(out, pl_xml_child(message, PL_NS_MUC_USER, "x"), from) ||
           direct(out, pl_xml_child(message, PL_NS_CONFERENCE, "x"), from);
}

pl_xml *pl_invitation_write(const char *to, const char *room, const char *password, const char *reason)
{
    pl_xml *message = pl_xml_new(PL_NS_CLIENT, "message");
    pl_xml *x = pl_xml_add(message, PL_NS_CONFERENCE, "x");
    pl_xml_set(message, "to", to);
    pl_xml_set(x, "jid", room);
    pl_xml_set(x, "password", password && password[0] ? password : NULL);
    pl_xml_set(x, "reason", reason && reason[0] ? reason : NULL);
    return message;
}
