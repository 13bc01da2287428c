/* session_internal.h - what the files of the sessions share. Private to jingle/.
 *   sessions.c     the manager: stanzas to sessions, outputs, events, deadlines
 *   session.c      one session: its contents, its end
 *   session_in.c   what the peer asks for
 *   session_out.c  what we ask for, one change after the other
 *   session_call.c calling, being called, who may ring
 *   session_answer.c  answers to what we asked for, and what happens without one
 *   stanza.h       elements; ancient.h 2007 */
#ifndef PL_JINGLE_SESSION_INTERNAL_H
#define PL_JINGLE_SESSION_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "jingle/ancient.h"
#include "jingle/sessions.h"
#include "jingle/stanza.h"

enum { PL_JINGLE_ID_MAX = 40, PL_JINGLE_HELD_MAX = 32 };

typedef struct pl_jingle_part {                   /* a content of a session */
    char *name, *application, *transport, *media; /* never NULL */
    bool by_initiator;
    uint8_t senders; /* pl_jingle_senders */
    bool initial;    /* of the session-initiate: accepted by session-accept alone */
    bool accepted, offered_by_us, supported;
    bool answered;                    /* our content-accept or -reject is under way */
    bool replacing_out, replacing_in; /* a transport-replace waits for its answer */
} pl_jingle_part;

typedef struct pl_jingle_out { /* a request of ours, or an answer that waits for admission */
    pl_node node;
    pl_xml *iq; /* in today's words */
    pl_jingle_action action;
    char id[PL_JINGLE_ID_MAX];
    bool sent;
    bool quiet;     /* nobody asked for it, so nobody is told of its answer */
    bool overruled; /* the initiator asked for the same meanwhile: its word holds */
    int64_t deadline_us;
} pl_jingle_out;

struct pl_jingle_session {
    pl_node in_manager;
    pl_jingle *j;
    char *peer;
    char sid[PL_JINGLE_NAME_MAX + 1];
    bool we_called, is_2007;
    bool admitted;     /* an incoming one: the peer was told that there is somebody */
    bool acknowledged; /* an outgoing one: the peer has it */
    bool accepting;    /* our session-accept is under way */
    bool one_change;   /* pl_jingle_one_change */
    pl_jingle_state state;
    pl_jingle_part part[PL_JINGLE_CONTENTS_MAX];
    size_t n_parts;
    pl_list requests; /* pl_jingle_out, oldest first */
    size_t n_requests;
    pl_list held; /* answers, the session-initiate's first, until admitted or ignored */
    size_t n_held, n_events;
    int64_t decide_by_us; /* nobody said whether it may ring: ignored then */
    /* the end */
    bool farewell; /* our session-terminate is not answered yet */
    bool outdone;  /* it was refused because the peer's own goes first: that one must come */
    int64_t settle_by_us;
    bool settled, told; /* the reason holds; the ENDED event was polled */
    pl_jingle_reason reason;
    char text[PL_JINGLE_TEXT_MAX + 1], condition[64];
    bool by_peer;
    void *user;
};

typedef struct pl_jingle_note { /* an event that was not polled yet */
    pl_node node;
    pl_jingle_session *session;
    pl_jingle_event_kind kind;
    pl_jingle_action action;
    pl_xml *iq;     /* the request, or NULL */
    pl_xml *answer; /* the error it got, or NULL */
} pl_jingle_note;

struct pl_jingle {
    pl_log log;
    char *self;
    const char *const *applications, *const *transports;
    pl_rand rand;
    int64_t ack_us, now_us;
    pl_list sessions;
    size_t n_sessions, n_strangers;
    pl_list outputs; /* pl_jingle_out, only node and iq are used */
    size_t n_outputs;
    pl_list notes;
    pl_jingle_note *lent;       /* what the last poll gave out */
    pl_jingle_session *leaving; /* its end was told by the last poll */
    char id_prefix[12];
    uint64_t next_id;
    struct {
        uint64_t lost; /* outputs and events for which there was no room or no memory */
        uint64_t refused;
    } count;
};

/* sessions.c */
void pl_jingle_make_id(pl_jingle *j, char out[PL_JINGLE_ID_MAX]);
/* Takes the stanza. False: no room or no memory, it is gone. */
bool pl_jingle_put(pl_jingle *j, pl_xml *iq);
/* A note of a session; takes both. */
bool pl_jingle_note_add(pl_jingle_session *s, pl_jingle_event_kind kind, pl_jingle_action action, pl_xml *iq,
                        pl_xml *answer);
pl_jingle_session *pl_jingle_session_new(pl_jingle *j, const char *peer, const char *sid, bool we_called);
void pl_jingle_session_free(pl_jingle_session *s);

/* session.c */
pl_jingle_part *pl_jingle_part_named(pl_jingle_session *s, const char *name);
pl_jingle_part *pl_jingle_part_of(pl_jingle_session *s, const pl_xml *content); /* by name and creator */
/* Enters the contents of a request; all or none. */
PL_NODISCARD pl_err pl_jingle_parts_add(pl_jingle_session *s, const pl_xml *jingle, bool by_us, bool initial);
void pl_jingle_part_remove(pl_jingle_session *s, pl_jingle_part *p);
/* What a content says of a part that is there; without a word both send. */
void pl_jingle_take_senders(pl_jingle_part *p, const pl_xml *content);
void pl_jingle_take_transport(pl_jingle_session *s, pl_jingle_part *p, const pl_xml *content);
/* One namespace of a list, or of what we take when it is NULL. */
bool pl_jingle_takes_application(const pl_jingle *j, const char *ns);
bool pl_jingle_takes_transport(const pl_jingle *j, const char *ns);
/* The state becomes ENDED; what waits to be sent is dropped. The reason may change until it is settled. */
void pl_jingle_end(pl_jingle_session *s, pl_jingle_reason r, const char *text, const char *condition,
                   bool by_peer);
/* Tells it; requests under way are forgotten. */
void pl_jingle_settle(pl_jingle_session *s);

/* session_in.c */
/* An answer to the peer: held until admission. */
void pl_jingle_reply(pl_jingle_session *s, const char *id, pl_jingle_error e);
void pl_jingle_on_initiate(pl_jingle *j, const pl_xml *iq, const pl_xml *jingle, bool is_2007);
void pl_jingle_on_request(pl_jingle_session *s, const pl_xml *iq, const pl_xml *jingle);

/* session_out.c */
/* Sends what may go now. */
void pl_jingle_pump(pl_jingle_session *s);
/* Takes iq; it is in no queue yet. */
PL_NODISCARD pl_err pl_jingle_out_new(pl_jingle_out **out, pl_jingle_action action, pl_xml *iq);
void pl_jingle_out_free(pl_jingle_out *o); /* NULL is fine */
void pl_jingle_enqueue(pl_jingle_session *s, pl_jingle_out *o);
/* Both at once; takes iq. */
PL_NODISCARD pl_err pl_jingle_queue(pl_jingle_session *s, pl_jingle_action action, pl_xml *iq);
pl_xml *pl_jingle_of(const pl_jingle_out *o); /* its <jingle/> */
/* An empty request, to be filled and queued. */
pl_xml *pl_jingle_begin(pl_jingle_session *s, pl_jingle_action action, pl_xml **jingle);
/* One with the caller's contents, their creators set; takes body. */
pl_xml *pl_jingle_with_body(pl_jingle_session *s, pl_jingle_action action, pl_xml *body);
bool pl_jingle_fits(pl_jingle_action action, const pl_jingle_part *p);
const pl_jingle_part *pl_jingle_part_for(pl_jingle_session *s, pl_jingle_action action, const char *name);
void pl_jingle_name_creator(pl_jingle_session *s, pl_jingle_action action, pl_xml *content);
/* Ends it from our side and says so; not ended yet. */
void pl_jingle_hang_up(pl_jingle_session *s, pl_jingle_reason reason, const char *text,
                       const char *condition);
/* Rejects what the peer offered, because we do not speak it. */
void pl_jingle_reject_parts(pl_jingle_session *s, const pl_xml *jingle, pl_jingle_action with,
                            pl_jingle_reason r);

/* session_call.c */
bool pl_jingle_is_undecided(const pl_jingle_session *s); /* nobody said yet whether it may ring */
/* As if there were nobody. */
void pl_jingle_turn_down(pl_jingle_session *s);
/* The peer is told that there is somebody: all that was held. */
void pl_jingle_tell_held(pl_jingle_session *s);

/* session_answer.c */
/* True: it answers a request of ours. */
bool pl_jingle_on_answer(pl_jingle_session *s, const pl_xml *iq);
/* Requests under way that nobody answered. */
void pl_jingle_session_tick(pl_jingle_session *s);
int64_t pl_jingle_session_next_us(const pl_jingle_session *s);

#endif
