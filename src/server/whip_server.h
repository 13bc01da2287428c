/* whip_server.h - the endpoints /whip/NAME and /whep/NAME and the sessions that they make: which request may do what, with
 * which status and headers. Knows HTTP and descriptions as text, and no connection.
 * Source   RFC 9725 (WHIP), draft-ietf-wish-whep (WHEP; the player offers), RFC 8840 (fragments), RFC 6750 (tokens),
 *          RFC 9110 13 (If-Match), RFC 6585 (428), the Fetch standard (CORS). docs/whip.md tells what we chose.
 * Shape    a core without I/O and its own clock: a request comes in, a task for the carrier and a reply come out. A task
 *          other than ANSWERED is finished by the carrier inside the same request, with one of the verbs below that
 *          fill the reply.
 *              task = pl_whip_server_request(w, now_us, req, from, &reply)
 *              OPEN     make a connection, then pl_whip_server_opened or _refused
 *              TRICKLE  hand over task.fragment; the reply is written
 *              RESTART  then pl_whip_server_restarted or _refused
 *              END      close the connection and pl_whip_server_drop; the reply is written
 * Limits   conf.max_sessions sessions, conf.max_viewers at one name, offers of PL_WHIP_OFFER_MAX bytes; a session that is
 *          not connected after conf.connect_us expires, as do viewers whose publisher stays away for conf.linger_us.
 * Security the id of a session is 128 random bits, and its verbs want a token for the same role and name as well.
 * Thread   its owner's. */
#ifndef PL_SERVER_WHIP_SERVER_H
#define PL_SERVER_WHIP_SERVER_H

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/rand.h"
#include "sdp/fragment.h"
#include "server/whip_access.h"
#include "signal/http_server.h"

enum { PL_WHIP_OFFER_MAX = 65536, PL_WHIP_ID_LEN = 32, PL_WHIP_SESSIONS_MAX = 100000 };

typedef struct pl_whip_server_conf {
    const pl_whip_access *access; /* lent; NULL: no tokens */
    bool open;                    /* without tokens: everybody; by default clients of this machine alone */
    uint32_t max_sessions;        /* 0: 1000 */
    uint32_t max_viewers;         /* of one name; 0: 500 */
    int64_t connect_us;           /* 0: 30 s */
    int64_t linger_us;            /* 0: 30 s */
    pl_rand rand;
    /* Appends Link header lines for whoever may use our STUN and TURN servers; may be NULL. */
    void (*links)(void *user, const pl_http_request *req, pl_buf *head);
    void *user;
} pl_whip_server_conf;

struct pl_whip_session;

typedef struct pl_whip_name {
    void *user; /* the carrier's: NULL at first */
    char text[PL_WHIP_NAME_MAX + 1];
    struct pl_whip_session *publisher; /* or NULL */
    /* private from here on */
    pl_hash_node by_text;
    pl_list viewers;
    uint32_t n_viewers;
    pl_node in_orphans; /* viewers without a publisher */
    int64_t orphan_us;
} pl_whip_name;

typedef struct pl_whip_session {
    void *user; /* the carrier's: NULL at first */
    pl_whip_role role;
    pl_whip_name *name;
    char id[PL_WHIP_ID_LEN + 1];
    bool opened, connected;
    /* private from here on */
    pl_hash_node by_id;
    pl_node in_name, in_waiting;
    int64_t made_us;
    uint32_t generation; /* of the ICE session: counts restarts */
    char tag[9];
    char ufrag[PL_DESC_UFRAG_MAX + 1]; /* the client's */
} pl_whip_session;

typedef enum pl_whip_task_kind {
    PL_WHIP_NOT_MINE, /* another path: the reply is untouched */
    PL_WHIP_ANSWERED,
    PL_WHIP_OPEN,    /* sdp: the offer, lent for the request */
    PL_WHIP_TRICKLE, /* fragment */
    PL_WHIP_RESTART, /* fragment */
    PL_WHIP_END
} pl_whip_task_kind;

typedef struct pl_whip_task {
    pl_whip_task_kind kind;
    pl_whip_session *session;
    pl_str sdp;
    bool offers[2];           /* OPEN: whether the offer has a section of the kind that can be used */
    pl_sdp_fragment fragment; /* lent for the request */
} pl_whip_task;

typedef struct pl_whip_server pl_whip_server;

typedef struct pl_whip_server_stats {
    uint32_t n_sessions, n_publishers, n_viewers;
    uint64_t n_opened, n_refused, n_unauthorized, n_restarts, n_expired;
} pl_whip_server_stats;

PL_NODISCARD pl_err pl_whip_server_new(pl_whip_server **out, const pl_whip_server_conf *conf);
/* Every session must have been dropped. NULL is fine. */
void pl_whip_server_free(pl_whip_server *w);
void pl_whip_server_request(pl_whip_server *w, int64_t now_us, const pl_http_request *req,
                            const pl_addr *from, pl_http_reply *reply, pl_whip_task *task);
/* OPEN is done: 201 with the answer. */
void pl_whip_server_opened(pl_whip_server *w, pl_whip_session *s, const pl_http_request *req, pl_str answer,
                           pl_http_reply *reply);
/* RESTART is done: 200 with our names and candidates. */
void pl_whip_server_restarted(pl_whip_server *w, pl_whip_session *s, const pl_sdp_fragment *theirs,
                              const pl_sdp_fragment *ours, pl_http_reply *reply);
/* OPEN or RESTART cannot be done. A session that was never opened is still to be dropped. */
void pl_whip_server_refused(pl_whip_server *w, int status, const char *text, pl_http_reply *reply);
/* The connection came up: the session does not expire any more. */
void pl_whip_server_connected(pl_whip_server *w, pl_whip_session *s);
/* Frees a session. Returns the user of its name when that has nobody left, for the caller to free, else NULL. */
void *pl_whip_server_drop(pl_whip_server *w, int64_t now_us, pl_whip_session *s);
/* A session whose time is over: close its connection and drop it, then ask again. NULL: none. */
pl_whip_session *pl_whip_server_expired(pl_whip_server *w, int64_t now_us);
int64_t pl_whip_server_next_us(const pl_whip_server *w); /* when to ask, or PL_NEVER */
/* Any session, for who ends them all; NULL: none. */
pl_whip_session *pl_whip_server_any(pl_whip_server *w);
void pl_whip_server_get_stats(const pl_whip_server *w, pl_whip_server_stats *out);
void pl_whip_server_check(const pl_whip_server *w);

#endif
