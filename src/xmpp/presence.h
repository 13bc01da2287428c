/* presence.h - who is there, at which of their devices, and who wants to know of us.
 * Source   RFC 6121 3 (subscriptions) and 4 (presence, probes, priority).
 * Shape    one handler on a client. Ours is sent when a session begins, and when it is set. Others are kept by full
 *          address; those of one bare address in the order of their priority, the best first. Entries are lent: they
 *          stay until `changed` has told of a newer one.
 *          A chat room's presence belongs to muc.h, which takes it first; what says that it is a room's and was not
 *          taken is counted as stray.
 * Limits   below. Who is not in the roster (when one is given) shares PL_PRESENCE_STRANGERS_MAX places.
 * Errors   PL_EINVAL: no address, priority out of range; as pl_xmpp_send.
 * Thread   the client's; callbacks come from the client's. Not to be freed from its own callbacks. */
#ifndef PL_XMPP_PRESENCE_H
#define PL_XMPP_PRESENCE_H

#include "base/hash.h"
#include "xmpp/client.h"
#include "xmpp/roster.h"

enum {
    PL_PRESENCE_MAX = 20000,         /* full addresses */
    PL_PRESENCE_STRANGERS_MAX = 256, /* of these, not in the roster */
    PL_PRESENCE_RESOURCES_MAX = 64,  /* of one bare address */
    PL_PRESENCE_REQUESTS_MAX = 256,  /* bare addresses that asked to subscribe and were not answered */
    PL_PRESENCE_STATUS_MAX = 1023,   /* bytes of a status; longer ones are cut */
};

typedef enum pl_show {
    PL_SHOW_OFFLINE,
    PL_SHOW_ONLINE,
    PL_SHOW_CHAT, /* glad to talk */
    PL_SHOW_AWAY,
    PL_SHOW_XA, /* away for long */
    PL_SHOW_DND,
} pl_show;
const char *pl_show_str(pl_show s); /* "offline", "online", "chat", "away", "xa", "dnd" */
bool pl_show_of(const char *word, pl_show *out);

typedef struct pl_device {
    const char *jid; /* full, or bare when it has no resource */
    pl_show show;
    int priority; /* -128 to 127; below zero: takes no messages to the bare address */
    const char *status;
} pl_device;

typedef struct pl_presence pl_presence;
struct pl_caps;

typedef struct pl_presence_conf {
    const pl_roster *roster; /* lent as long as the presence lives; NULL: nobody is a stranger */
    struct pl_caps *caps;    /* says what we can in ours (XEP-0115); the same; may be NULL */
    /* A device came, is another now, or went (show OFFLINE). */
    void (*changed)(void *user, const pl_device *device);
    /* Somebody wants to see our presence; answer with allow or refuse when it suits. Once for each, until answered. */
    void (*asked)(void *user, const char *jid, const char *status);
    /* They let us see theirs, or no longer do (or refused). */
    void (*answered)(void *user, const char *jid, bool allowed);
    /* What we sent to somebody came back. */
    void (*refused)(void *user, const char *jid, const char *condition);
    void *user;
} pl_presence_conf; /* each function may be NULL */

PL_NODISCARD pl_err pl_presence_new(pl_presence **out, pl_xmpp_client *client, const pl_presence_conf *conf);
void pl_presence_free(pl_presence *p); /* NULL is fine */
/* Ours, from now on and in later sessions. OFFLINE: signed in without being seen. status may be NULL. Before the session
 * stands it is only noted. ONLINE with priority 0 unless it is set. */
PL_NODISCARD pl_err pl_presence_set(pl_presence *p, pl_show show, int priority, const char *status);
/* Says ours again: what caps tell is another. */
PL_NODISCARD pl_err pl_presence_repeat(pl_presence *p);

PL_NODISCARD pl_err pl_presence_subscribe(pl_presence *p, const char *jid, const char *status);
/* They may see ours; also before they ask. */
PL_NODISCARD pl_err pl_presence_allow(pl_presence *p, const char *jid);
/* They may not, or no longer. */
PL_NODISCARD pl_err pl_presence_refuse(pl_presence *p, const char *jid);
/* Who asked and was not answered: NULL begins, NULL ends. */
const char *pl_presence_next_request(const pl_presence *p, const char *after);

/* The best device of a bare address (a resource does not count), then the others: NULL begins, NULL ends. */
const pl_device *pl_presence_next(const pl_presence *p, const char *bare, const pl_device *after);

typedef struct pl_presence_counts {
    uint64_t strangers_left_out, left_out, requests_left_out, stray, malformed;
} pl_presence_counts;
const pl_presence_counts *pl_presence_counted(const pl_presence *p);

#endif
