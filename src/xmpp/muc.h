/* muc.h - one chat room that we are in, or want to be in.
 * Source   XEP-0045 1.34: 7 (occupant), 8 (moderator: kick, subject), 10.1 (a new room is accepted as it is), 9.1 (ban).
 * Shape    one handler on a client for what comes from the room. join may be called at any time; a session that begins anew
 *          (not one that is resumed) joins again by itself until leave. Everything is told by one callback.
 *          Occupants are lent: they stay until the event that tells their end.
 * Limits   below; occupants beyond them are not shown, their messages are.
 * Errors   PL_EINVAL: no room's address, no nickname; PL_ESTATE: not in the room; as pl_xmpp_send.
 * Thread   the client's. Not to be freed from its own callbacks. */
#ifndef PL_XMPP_MUC_H
#define PL_XMPP_MUC_H

#include "base/hash.h"
#include "xmpp/caps.h"
#include "xmpp/client.h"
#include "xmpp/message.h"
#include "xmpp/presence.h"

#define PL_NS_MUC       "http://jabber.org/protocol/muc"
#define PL_NS_MUC_USER  "http://jabber.org/protocol/muc#user"
#define PL_NS_MUC_ADMIN "http://jabber.org/protocol/muc#admin"
#define PL_NS_MUC_OWNER "http://jabber.org/protocol/muc#owner"

enum {
    PL_MUC_OCCUPANTS_MAX = 5000,
    PL_MUC_SUBJECT_MAX = 4095, /* bytes; longer ones are cut */
    PL_MUC_REASON_MAX = 1023,  /* the same */
};

typedef enum pl_muc_role { PL_MUC_NO_ROLE, PL_MUC_VISITOR, PL_MUC_PARTICIPANT, PL_MUC_MODERATOR } pl_muc_role;
typedef enum pl_muc_affiliation {
    PL_MUC_OUTCAST,
    PL_MUC_UNAFFILIATED,
    PL_MUC_MEMBER,
    PL_MUC_ADMIN,
    PL_MUC_OWNER,
} pl_muc_affiliation;
const char *pl_muc_role_str(pl_muc_role r);               /* "none", "visitor", "participant", "moderator" */
const char *pl_muc_affiliation_str(pl_muc_affiliation a); /* "outcast", "none", "member", "admin", "owner" */

typedef struct pl_occupant {
    const char *nick;
    const char *jid; /* the real one where the room shows it, else NULL */
    pl_muc_role role;
    pl_muc_affiliation affiliation;
    pl_show show;
    const char *status;
    bool self;
} pl_occupant;

typedef enum pl_muc_event_type {
    PL_MUC_JOINED,    /* we are in; occupants are known. nick is ours, created: the room is new */
    PL_MUC_NOT_IN,    /* joining failed; error is the condition ("conflict": the nickname is taken) */
    PL_MUC_OUT,       /* we are no longer in; why, and perhaps by whom and reason */
    PL_MUC_CAME,      /* occupant; not told of those who were there before us */
    PL_MUC_CHANGED,   /* occupant: presence, role or affiliation */
    PL_MUC_RENAMED,   /* occupant has the new nickname, nick is the old one */
    PL_MUC_WENT,      /* occupant, for the last time; why, by, reason */
    PL_MUC_SAID,      /* message; nick (NULL: the room itself), history: said before we came */
    PL_MUC_WHISPERED, /* message from nick to us alone */
    PL_MUC_TOPIC,     /* topic is the subject; nick set it (NULL: nobody says) */
    PL_MUC_REFUSED,   /* something we asked for is not done; error */
    PL_MUC_ASKED,     /* nick has no voice and asks us, a moderator, for it (8.6): pl_muc_set_role gives it */
} pl_muc_event_type;

typedef enum pl_muc_why {
    PL_MUC_LEFT,
    PL_MUC_KICKED,
    PL_MUC_BANNED,
    PL_MUC_REMOVED,   /* affiliation changed, or the room is for members now */
    PL_MUC_SHUT_DOWN, /* the service */
    PL_MUC_DESTROYED, /* the room */
    PL_MUC_LOST,      /* our session, or the other's link */
} pl_muc_why;
const char *pl_muc_why_str(
    pl_muc_why w); /* "left", "kicked", "banned", "removed", "shutdown", "destroyed", "lost" */

typedef struct pl_muc_event {
    pl_muc_event_type type;
    const char *nick;
    const pl_occupant *occupant;
    const pl_message *message;
    bool history, created;
    pl_muc_why why;
    const char *by, *reason; /* NULL: not said */
    const char *topic;
    const char *error, *text; /* condition, and what the room says about it or NULL */
} pl_muc_event;               /* what does not belong to the type is zero; all is lent to the callback */

typedef struct pl_muc pl_muc;

typedef struct pl_muc_conf {
    const char *room;     /* room@service; copied */
    const char *nick;     /* copied */
    const char *password; /* of the room; NULL: none; copied */
    int history;   /* messages of before that are asked for; below 0: as many as the room likes to send */
    pl_caps *caps; /* decorates our presence; lent as long as the room lives; may be NULL */
    void (*event)(void *user, const pl_muc_event *e);
    void *user;
} pl_muc_conf;

PL_NODISCARD pl_err pl_muc_new(pl_muc **out, pl_xmpp_client *client, const pl_muc_conf *conf);
void pl_muc_free(pl_muc *m); /* NULL is fine; leaves without a word when we are in: say leave before */
/* PL_ESTATE: in or on the way. Without a session it waits for one. */
PL_NODISCARD pl_err pl_muc_join(pl_muc *m);
PL_NODISCARD pl_err pl_muc_leave(pl_muc *m, const char *status);
/* While we are in: asks for another nickname (RENAMED or REFUSED follows). Else: the one to join with. */
PL_NODISCARD pl_err pl_muc_set_nick(pl_muc *m, const char *nick);
PL_NODISCARD pl_err pl_muc_say(pl_muc *m, const char *body);
PL_NODISCARD pl_err pl_muc_whisper(pl_muc *m, const char *nick, const char *body);
PL_NODISCARD pl_err pl_muc_set_topic(pl_muc *m, const char *subject);
/* Moderators may. WENT follows, or REFUSED. reason may be NULL. */
PL_NODISCARD pl_err pl_muc_kick(pl_muc *m, const char *nick, const char *reason);
/* Admins may: a real address can come no more. */
PL_NODISCARD pl_err pl_muc_ban(pl_muc *m, const char *jid, const char *reason);
/* Voice and more: an occupant's role, an account's affiliation (8.3 to 9.7). CHANGED follows, or REFUSED. */
PL_NODISCARD pl_err pl_muc_set_role(pl_muc *m, const char *nick, pl_muc_role role, const char *reason);
PL_NODISCARD pl_err pl_muc_set_affiliation(pl_muc *m, const char *jid, pl_muc_affiliation affiliation,
                                           const char *reason);
/* Through the room (7.8.2), which makes a member of who is invited where it is for members. Nothing, or REFUSED, follows. */
PL_NODISCARD pl_err pl_muc_invite(pl_muc *m, const char *jid, const char *reason);
/* From us to somebody, past the room, with its password (XEP-0249): it makes nobody a member. */
PL_NODISCARD pl_err pl_muc_invite_directly(pl_muc *m, const char *jid, const char *reason);
/* For a room where who has no voice may ask its moderators for it (7.13). */
PL_NODISCARD pl_err pl_muc_ask_for_voice(pl_muc *m);
/* Owners may: one setting of the room's form ("muc#roomconfig_roomname"); the others stay. Nothing, or REFUSED, follows. */
PL_NODISCARD pl_err pl_muc_configure(pl_muc *m, const char *key, const char *value);

bool pl_muc_is_in(const pl_muc *m);
const char *pl_muc_room(const pl_muc *m);
const char *pl_muc_nick(const pl_muc *m);  /* ours, or the one to join with */
const char *pl_muc_topic(const pl_muc *m); /* "": none */
const pl_occupant *pl_muc_find(const pl_muc *m, const char *nick);
const pl_occupant *pl_muc_next(const pl_muc *m, const pl_occupant *after); /* NULL begins, NULL ends */

typedef struct pl_muc_counts {
    uint64_t left_out, malformed,
        stray; /* stray: from the room, and not what somebody outside of it may get */
} pl_muc_counts;
const pl_muc_counts *pl_muc_counted(const pl_muc *m);

#endif
