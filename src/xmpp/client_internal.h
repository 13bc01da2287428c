/* client_internal.h - what client.c (states, driver), chain.c (handlers) and ask.c (requests) share. Private to them. */
#ifndef PL_XMPP_CLIENT_INTERNAL_H
#define PL_XMPP_CLIENT_INTERNAL_H

#include "base/log.h"
#include "xmpp/driver.h"

enum { CLIENT_OTHER_MAX = 300 };

/* A walk over handlers; taking one away moves the walks that would have come to it. */
typedef struct client_walk {
    struct client_walk *outer;
    pl_node *next;
} client_walk;

typedef struct client_request {
    pl_node in_requests;
    uint64_t no; /* they are numbered as they are asked */
    char id[28];
    char *to; /* prepared; NULL: the server or the account */
    int64_t until_us;
    pl_xmpp_answer_fn fn;
    void *owner;
} client_request;

struct pl_xmpp_client {
    pl_xmpp_client_conf conf;
    pl_jid account, bound;
    char *password;
    pl_log log;
    int64_t now_us;
    pl_xmpp_state state;
    pl_list handlers[PL_XMPP_LEVELS];
    client_walk *walks;
    pl_list requests;
    unsigned n_requests;
    uint64_t request_no;
    pl_xmpp_stream *stream; /* NULL: no transport */
    pl_xmpp_stream
        *spent; /* an ended one whose last words are still to be written, or whose output is lent */
    pl_xmpp_sm sm;
    pl_sasl_rank rank; /* of the best log-in so far */
    bool bound_tls;    /* one of them was bound to its TLS session */
    char mechanism[24];
    bool want_connect, want_tls, want_disconnect; /* orders not given yet */
    bool transport;                               /* stands or is being made */
    bool closing;
    bool registered;    /* the account was created, or is there */
    int64_t try_us;     /* the next try */
    int64_t give_up_us; /* of the transport that is being made */
    int64_t opened_us, resume_until_us;
    unsigned tries, redirects;
    char other[CLIENT_OTHER_MAX];
};

/* chain.c: takes nothing; the stanza is freed by the caller. */
void client_dispatch(pl_xmpp_client *c, const pl_xml *stanza);
void client_tell_state(pl_xmpp_client *c, pl_xmpp_state state, bool resumed);

/* ask.c */
bool client_answered(pl_xmpp_client *c, const pl_xml *iq); /* it was the answer to one of ours */
void client_time_out(pl_xmpp_client *c);
void client_forget_all(pl_xmpp_client *c, bool tell); /* NULL to all that wait */
int64_t client_next_timeout(const pl_xmpp_client *c);

#endif
