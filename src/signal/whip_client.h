/* whip_client.h - a client of WHIP (it publishes) or WHEP (it plays): which request follows from what was answered.
 * Source   RFC 9725 (WHIP), draft-ietf-wish-whep, RFC 8840 (fragments), RFC 9110 (redirects, conditions, Retry-After),
 *          RFC 6750 (bearer tokens).
 * Shape    a core without I/O: HTTP answers and the time come in; requests, one at a time, and events come out. Who carries
 *          it is whip_curl.h. The owner's part:
 *              event READY      make the connection, with the servers that it names; then pl_whip_client_offer
 *              event ANSWER     set the remote description; add the servers if there were none before
 *              candidates       pl_whip_client_candidate as they are found: they wait until there is a session
 *              ICE is lost      pl_whip_client_restart with the new offer; RESTARTED brings the answer's fragment
 *              the end          pl_whip_client_end; CLOSED follows, after DELETE
 * Limits   PL_WHIP_CANDIDATES_MAX candidates that wait, PL_WHIP_BODY_MAX bytes of an answer, PL_WHIP_REDIRECTS_MAX
 *          redirects in a row, never from https to http. The token goes to the origin of conf.url alone.
 * Errors   FAILED with a sentence; what does not end the session is a NOTE.
 * Units    microseconds.
 * Thread   its owner's. */
#ifndef PL_SIGNAL_WHIP_CLIENT_H
#define PL_SIGNAL_WHIP_CLIENT_H

#include "base/slice.h"
#include "peerline/error.h"
#include "signal/whip_link.h"
#include "signal/whip_url.h"

enum {
    PL_WHIP_CANDIDATES_MAX = 64,
    PL_WHIP_BODY_MAX = 256 * 1024,
    PL_WHIP_HEADERS_MAX = 64, /* of an answer that are looked at */
    PL_WHIP_REDIRECTS_MAX = 5,
    PL_WHIP_WHY_MAX = 320,
    PL_WHIP_CLIENT_TOKEN_MAX = 4096
};

typedef struct pl_whip_client_conf {
    const char *url;   /* of the endpoint */
    const char *token; /* or NULL */
    bool no_options;   /* do not ask for servers first */
    int64_t
        patience_us; /* how long to come back to a server that says when (404 of a player, 409, 429, 503) */
} pl_whip_client_conf;

typedef struct pl_whip_call {
    const char *method, *url;
    const char *type;     /* of the body, NULL: no body */
    const char *accept;   /* or NULL */
    const char *if_match; /* or NULL */
    const char *token;    /* or NULL */
    pl_str body;
} pl_whip_call; /* lent until the result */

typedef struct pl_whip_header {
    pl_str name, value;
} pl_whip_header;

typedef struct pl_whip_result {
    int status;
    const pl_whip_header *header;
    size_t n_headers;
    pl_str body;
} pl_whip_result;

typedef enum pl_whip_event_kind {
    PL_WHIP_READY,      /* links */
    PL_WHIP_ANSWER,     /* text: the description; links */
    PL_WHIP_RESTARTED,  /* text: a fragment */
    PL_WHIP_NO_RESTART, /* text: why the server would not */
    PL_WHIP_NOTE,       /* text: for people */
    PL_WHIP_FAILED,     /* text: why there is, or there is no longer, a session. Only end is left, or free */
    PL_WHIP_CLOSED      /* after pl_whip_client_end */
} pl_whip_event_kind;

typedef struct pl_whip_event {
    pl_whip_event_kind kind;
    const char *text;           /* never NULL; lent until the next verb */
    const pl_whip_links *links; /* READY, ANSWER */
} pl_whip_event;

typedef struct pl_whip_client pl_whip_client;

/* Errors: PL_EINVAL (url, or a token that no header can hold), PL_ENOMEM. */
PL_NODISCARD pl_err pl_whip_client_new(pl_whip_client **out, const pl_whip_client_conf *conf, int64_t now_us);
void pl_whip_client_free(pl_whip_client *c); /* NULL is fine */

/* The offer, with the candidates that are known. Errors: PL_ESTATE (not READY), PL_EPROTO (no description), PL_ENOMEM. */
PL_NODISCARD pl_err pl_whip_client_offer(pl_whip_client *c, int64_t now_us, const char *sdp);
/* A candidate of the present ICE session that is not in its offer, "" for their end. Errors: PL_ENOSPC, PL_ENOMEM. */
PL_NODISCARD pl_err pl_whip_client_candidate(pl_whip_client *c, const char *line);
/* A new offer after createOffer with an ICE restart: its names and candidates go over. Candidates that wait are of the
 * past. Errors: PL_ESTATE (no session, or a restart is not answered yet), PL_EPROTO, PL_ENOMEM. */
PL_NODISCARD pl_err pl_whip_client_restart(pl_whip_client *c, const char *sdp);
void pl_whip_client_end(pl_whip_client *c);

/* The next request, if one is to be made and none is under way. */
bool pl_whip_client_poll_call(pl_whip_client *c, int64_t now_us, pl_whip_call *out);
/* How the request ended: an answer, or (NULL and why) none. */
void pl_whip_client_result(pl_whip_client *c, int64_t now_us, const pl_whip_result *r, const char *why);
bool pl_whip_client_poll_event(pl_whip_client *c, pl_whip_event *out);
int64_t pl_whip_client_next_us(const pl_whip_client *c); /* when poll_call may give something, or PL_NEVER */
void pl_whip_client_check(const pl_whip_client *c);

#endif
