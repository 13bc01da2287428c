/* session_internal.h - what signaling.c, events.c, session.c and connection.c share.
 * Shape    a pl_signaling lives until it and all its sessions are freed (`refs`); `dead`: the application has freed it.
 *          Events wait in one queue a signaling, in order, and are told by a timer: see events.c. A session stands in the queue
 *          once, whatever is due for it.
 * Thread   the loop's owner. */
#ifndef PL_SESSION_SESSION_INTERNAL_H
#define PL_SESSION_SESSION_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "net/loop.h"
#include "session/backend.h"
#include "session/negotiation.h"

enum {
    SESSION_NOTES_MAX = 32,       /* that wait to be told; what comes then is left out */
    SESSION_RESTARTS_MAX = 5,     /* of ICE, in a row */
    SESSION_SILENT_US = 2000000,  /* without a sign of the path, before one */
    SESSION_ANSWER_US = 15000000, /* for its answer */
    SESSION_TURNS_MAX = 64        /* events told in one turn of the loop */
};

typedef enum sig_event_kind { SIG_LINK, SIG_PEER, SIG_TEXT, SIG_NOTE, SIG_SESSION } sig_event_kind;

/* The first member of whatever stands in the queue. */
typedef struct sig_turn {
    pl_node node;
    sig_event_kind kind;
} sig_turn;

typedef struct sig_event {
    sig_turn turn;
    pl_signaling_link link;
    pl_err err;
    bool again, here, before;
    char *address, *text; /* behind it, or NULL. PEER: text is the name */
} sig_event;

struct pl_signaling {
    pl_loop *loop;
    const pl_backend *backend;
    void *state; /* the backend's */
    pl_signaling_observer on;
    char *callee;
    pl_signaling_link link, told_link;
    sig_event spare; /* a link event that no memory was found for */
    pl_list queue, sessions;
    pl_timer timer; /* set while something is in the queue */
    size_t n_sessions, n_notes;
    unsigned refs;
    bool dead;
    uint64_t n_unknown; /* said by nobody we talk to */
    pl_log log;
};

typedef struct session_note {
    pl_node node;
    char text[];
} session_note;

typedef struct session_candidate {
    pl_node node;
    int mline;
    char *mid, *ufrag; /* behind it, or NULL */
    char text[];
} session_candidate;

struct pl_session {
    sig_turn turn;
    pl_node in_signaling;
    pl_signaling *sig;
    void *state;  /* the backend's */
    bool dropped; /* the backend knows it no more */
    pl_session_observer on;
    char *to, *address, *name;
    bool outgoing, wants[2], data;

    /* life */
    bool handed; /* incoming: the application has it */
    bool accepted, reached, taken, over,
        connected; /* taken: they have said yes, or called at the same moment */
    pl_session_reason reason;
    char why[PL_SESSION_WHY_MAX];

    /* what is due for the application; `call` first, `ended` last */
    struct {
        bool call, ringing, connect, accepted, refused, ended, start;
    } due;
    pl_err refused_err;
    char refused_why[PL_SESSION_WHY_MAX];
    pl_list notes;
    size_t n_notes;

    /* what came before there was a connection to take it */
    pl_sdp_type early_type;
    char *early; /* the newest description, or NULL */
    pl_list early_candidates;
    size_t n_early;

    pl_peer_connection *pc;
    pl_peer_connection_observer app;
    pl_negotiation negotiation;
    bool started;           /* tracks are on the connection: descriptions may meet it */
    bool has_servers;       /* the configuration brought some, or the way has */
    pl_ice_server *servers; /* of the way, before the connection; texts behind */
    size_t n_servers;
    pl_timer silent;
    unsigned n_restarts;
};

/* ---- events.c ---- */
void sig_queue_init(pl_signaling *sig);
/* Stands in line to be told, unless it does already. */
void sig_enqueue(pl_signaling *sig, sig_turn *turn);
void sig_queue_clear(pl_signaling *sig);
/* Takes a session out of the line. */
void sig_dequeue(pl_signaling *sig, sig_turn *turn);

/* ---- signaling.c ---- */
/* Without its backend's part; NULL: no memory. */
pl_signaling *sig_new(pl_loop *loop, const pl_backend *backend, const pl_signaling_observer *observer);
void sig_unref(pl_signaling *sig);

/* ---- session.c ---- */
/* Tells something that is due, after which there may be no session. */
void session_deliver(pl_session *s);
PL_NODISCARD pl_err session_new(pl_session **out, pl_signaling *sig, const char *to, const char *address,
                                const char *name, bool outgoing);
/* The backend forgets it. */
void session_drop(pl_session *s);
/* It is over, of our side or theirs; nothing is said to the other side. */
void session_ended(pl_session *s, pl_session_reason reason, const char *why);
/* The same, and the backend says so. */
void session_end(pl_session *s, pl_session_reason reason, const char *why);
void session_refused(pl_session *s, pl_err err, const char *why);
void session_due(pl_session *s);

/* ---- connection.c ---- */
/* What came early meets the connection, and offers may be made. */
void connection_start(pl_session *s);
void connection_close(pl_session *s);
void connection_free(pl_session *s);
/* It has a connection that takes descriptions. */
bool connection_takes(const pl_session *s);

#endif
