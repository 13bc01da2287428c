/* sessions.h - all Jingle sessions of one XMPP address: stanzas go in, stanzas and events come out.
 * Source   XEP-0166 1.1.2, and its text of June 2007 (ancient.h); XEP-0167 6 and 7 (infos), XEP-0181.
 * Shape    sans-I/O. Knows actions, contents by name and states, but not what a description says: parse.h and write.h, or
 *          file.h, translate what events carry. Requests that change a session go one after the other, each after the
 *          answer to the one before; candidates and infos follow each other freely.
 *          Who may ring: an INCOMING event comes before anything is answered. pl_jingle_admit acknowledges, pl_jingle_ignore
 *          answers what a server answers for an address with nobody there; until one of both, the peer learns nothing.
 *          A session lives until its ENDED event has been followed by another poll (or free).
 * Units    microseconds.
 * Limits   below; a request that finds its session's events full is answered resource-constraint.
 * Errors   PL_ESTATE: not in this state; PL_EINVAL: no such content, malformed; PL_ENOSPC: a limit; PL_ENOMEM.
 * Thread   its owner's. */
#ifndef PL_JINGLE_SESSIONS_H
#define PL_JINGLE_SESSIONS_H

#include <stdint.h>

#include "base/rand.h"
#include "base/time.h"
#include "jingle/names.h"
#include "xml/element.h"

enum {
    PL_JINGLE_SESSIONS_MAX = 64,
    PL_JINGLE_STRANGERS_MAX = 8,  /* sessions of one peer that are not admitted yet */
    PL_JINGLE_CONTENTS_MAX = 16,  /* of one session */
    PL_JINGLE_EVENTS_MAX = 64,    /* of one session, not polled yet */
    PL_JINGLE_REQUESTS_MAX = 128, /* of one session, waiting to be sent or for an answer */
    PL_JINGLE_OUTPUTS_MAX = 1024, /* answers and requests, not polled yet */
    PL_JINGLE_NAME_MAX = 255,     /* characters of a content's name or a session id */
    PL_JINGLE_JID_MAX = 3071,
    PL_JINGLE_TEXT_MAX = 255, /* of a reason's text; longer ones are cut */
};
#define PL_JINGLE_ACK_US      PL_SEC(30) /* a request without an answer ends its session: timeout */
#define PL_JINGLE_FAREWELL_US PL_SEC(5)  /* a session-terminate waits so long for its answer */

typedef struct pl_jingle pl_jingle;
typedef struct pl_jingle_session pl_jingle_session;

typedef struct pl_jingle_conf {
    const char *self; /* our full address; copied */
    const char *const
        *applications; /* namespaces of descriptions that we take; NULL: RTP and data channels */
    const char *const
        *transports; /* NULL: ICE-UDP, ICE and raw UDP. Both end in NULL and outlive the manager */
    pl_rand rand;
    int64_t ack_us; /* 0: PL_JINGLE_ACK_US */
} pl_jingle_conf;

typedef enum pl_jingle_state { PL_JINGLE_PENDING, PL_JINGLE_ACTIVE, PL_JINGLE_ENDED } pl_jingle_state;

typedef enum pl_jingle_event_kind {
    PL_JINGLE_INCOMING, /* a peer calls (jingle: its session-initiate): admit or ignore */
    PL_JINGLE_ACTION,   /* the peer's request, acknowledged; its content changes are made (see session.h) */
    PL_JINGLE_ACKED,    /* the peer has acknowledged our request `action` */
    PL_JINGLE_REFUSED, /* the peer answered our request with an error: nothing was changed, or what it asked for is
                         * taken back */
    PL_JINGLE_ENDED_NOW /* reason and all that is known of the end */
} pl_jingle_event_kind;

typedef struct pl_jingle_event {
    pl_jingle_event_kind kind;
    pl_jingle_session *session;
    pl_jingle_action action;
    const pl_xml
        *jingle; /* the request's element (ours: of ACKED and REFUSED), in today's namespaces; or NULL */
    pl_jingle_info info;     /* of a session-info */
    const pl_xml *info_xml;  /* its payload, or NULL */
    pl_jingle_reason reason; /* ENDED, and requests that carry one */
    const char *text;        /* REASON's text or an error's, "" */
    const char *condition; /* stanza error condition of REFUSED, and of an end by one ("redirect"); else "" */
    pl_jingle_error error; /* REFUSED: which of ours it is, PL_JINGLE_FINE: another */
    bool by_peer;          /* ENDED: not by us */
} pl_jingle_event;

PL_NODISCARD pl_err pl_jingle_new(pl_jingle **out, const pl_jingle_conf *conf, int64_t now_us);
void pl_jingle_free(pl_jingle *j); /* NULL is fine; tells nobody */
/* A stanza that came. True: it was Jingle's (an iq of ours, or an answer to one). Presence is looked at and never taken. */
bool pl_jingle_input(pl_jingle *j, int64_t now_us, const pl_xml *stanza);
/* Our stream ended and was not resumed: every session ends (gone), nothing that waits is sent. */
void pl_jingle_cut(pl_jingle *j, int64_t now_us);
void pl_jingle_tick(pl_jingle *j, int64_t now_us);
int64_t pl_jingle_next_us(const pl_jingle *j); /* or PL_NEVER */
/* The next stanza to send, a root that is the caller's; NULL: none. */
pl_xml *pl_jingle_poll_output(pl_jingle *j, int64_t now_us);
/* All that *out points to is lent until the next poll or free. */
bool pl_jingle_poll_event(pl_jingle *j, pl_jingle_event *out);
void pl_jingle_check(const pl_jingle *j);

/* --- calling and being called --------------------------------------------------------------------------- */

/* Calls `to`, a full address. offer: a root <jingle/> with contents; taken, also when it fails. sid NULL: a new one (else
 * the id of a message initiation, message.h). */
PL_NODISCARD pl_err pl_jingle_initiate(pl_jingle *j, int64_t now_us, const char *to, const char *sid,
                                       pl_xml *offer, pl_jingle_session **out);
/* The same in the namespaces and words of 2007. */
PL_NODISCARD pl_err pl_jingle_initiate_2007(pl_jingle *j, int64_t now_us, const char *to, pl_xml *offer,
                                            pl_jingle_session **out);
/* Of an INCOMING session that was neither admitted nor ignored (else PL_ESTATE). When it offers nothing that conf names,
 * admit also ends it (unsupported-applications or -transports). */
PL_NODISCARD pl_err pl_jingle_admit(pl_jingle_session *s, int64_t now_us);
PL_NODISCARD pl_err pl_jingle_ignore(pl_jingle_session *s, int64_t now_us);
/* Answers "try this address": a URI. The session ends. */
PL_NODISCARD pl_err pl_jingle_redirect(pl_jingle_session *s, int64_t now_us, const char *uri);
/* The answer to an admitted call. answer as offer; contents of the call that it does not name are removed. */
PL_NODISCARD pl_err pl_jingle_accept(pl_jingle_session *s, int64_t now_us, pl_xml *answer);

/* --- within a session ----------------------------------------------------------------------------------- */

/* Any other request of Jingle but session-initiate, -accept, -info and -terminate. body: a root <jingle/> with contents,
 * taken; may hold a <reason/>. */
PL_NODISCARD pl_err pl_jingle_request(pl_jingle_session *s, int64_t now_us, pl_jingle_action action,
                                      pl_xml *body);
/* Ringing, hold, mute … PL_JINGLE_PING asks whether the session still stands. content: of MUTE and UNMUTE, NULL: all. */
PL_NODISCARD pl_err pl_jingle_tell(pl_jingle_session *s, int64_t now_us, pl_jingle_info info,
                                   const char *content);
/* A session-info with a payload of one's own; a root, taken. */
PL_NODISCARD pl_err pl_jingle_tell_xml(pl_jingle_session *s, int64_t now_us, pl_xml *payload);
/* Ends it in any state; an ENDED event follows (from then on everything but looking is PL_ESTATE). text and condition
 * (of PL_NS_JINGLE_RTP_ERRORS) may be NULL. */
PL_NODISCARD pl_err pl_jingle_terminate(pl_jingle_session *s, int64_t now_us, pl_jingle_reason reason,
                                        const char *text, const char *condition);

/* --- looking -------------------------------------------------------------------------------------------- */

typedef struct pl_jingle_content {
    const char *name;
    bool by_initiator; /* its creator */
    pl_jingle_senders senders;
    bool accepted; /* else offered and not answered yet */
    bool offered_by_us;
    bool supported;                      /* conf names its application and its transport */
    const char *application, *transport; /* namespaces; "" when not known */
} pl_jingle_content;

pl_jingle_state pl_jingle_session_state(const pl_jingle_session *s);
bool pl_jingle_we_called(const pl_jingle_session *s);
bool pl_jingle_is_2007(const pl_jingle_session *s);
const char *pl_jingle_sid(const pl_jingle_session *s);
const char *pl_jingle_peer(const pl_jingle_session *s); /* full address */
/* By order of their coming; false beyond the last. */
bool pl_jingle_content_at(const pl_jingle_session *s, size_t i, pl_jingle_content *out);
/* Requests that wait to be sent or for an answer. */
size_t pl_jingle_waiting(const pl_jingle_session *s);
/* From now on changes go one at a time: of any two that cross each other, whatever they change (candidates and infos apart),
 * the initiator's holds, and the responder's is answered tie-break. Without it only two of the same are rivals. */
void pl_jingle_one_change(pl_jingle_session *s);
/* A transport-info that begins ICE anew: credentials, and no candidates yet. */
bool pl_jingle_is_restart(const pl_xml *jingle);
void *pl_jingle_user(const pl_jingle_session *s);
void pl_jingle_set_user(pl_jingle_session *s, void *user);
/* Sessions that exist, those that have ended and were not told included. */
size_t pl_jingle_n_sessions(const pl_jingle *j);
/* The session with this peer and id, or NULL. */
pl_jingle_session *pl_jingle_find(const pl_jingle *j, const char *peer, const char *sid);

#endif
