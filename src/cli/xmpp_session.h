/* xmpp_session.h - an account signed in, with its features and standard input, as the actions of `peerline xmpp` need it.
 * Shape    one a program. An action gives an xmpp_action and calls xmpp_session_run; everything else happens in its calls.
 * Thread   the program's only one. */
#ifndef PL_CLI_XMPP_SESSION_H
#define PL_CLI_XMPP_SESSION_H

#include <jansson.h>

#include "cli/ice_options.h"
#include "cli/lines.h"
#include "cli/options.h"
#include "signal/xmpp.h"
#include "xmpp/caps.h"
#include "xmpp/disco.h"
#include "xmpp/message.h"
#include "xmpp/muc.h"
#include "xmpp/presence.h"
#include "xmpp/registration.h"
#include "xmpp/roster.h"

typedef struct xmpp_options {
    const char *password_file, *new_password_file, *ca_file, *host, *websocket, *bosh, *resource, *nick,
        *show, *status, *room_password_file;
    int64_t port, priority, history;
    double timeout_s;
    bool direct_tls, insecure, json, create, remove;
    /* call */
    const char *audio, *video, *record_audio, *record_video;
    double duration_s, patience_s;
    bool answer, anybody, once;
    /* send-file, receive */
    const char *into;
    bool yes, overwrite, in_band, proxy_only;
    int64_t max_size; /* 0: any */
    pl_ice_options ice;
} xmpp_options;
extern xmpp_options xmpp_opt;

typedef struct xmpp_session xmpp_session;

/* Each function may be NULL. */
typedef struct xmpp_action {
    bool seen;                      /* sends presence */
    bool no_input;                  /* standard input is not for it */
    void (*begin)(xmpp_session *s); /* features are there, nothing is sent yet */
    void (*end)(xmpp_session *s);   /* gives back what begin took */
    void (*opened)(xmpp_session *s, bool again);
    void (*loaded)(xmpp_session *s, bool known); /* the contacts; !known: the server does not tell them */
    void (*contact)(xmpp_session *s, const pl_contact *c, bool gone);
    void (*device)(xmpp_session *s, const pl_device *d);
    void (*asked)(xmpp_session *s, const char *jid, const char *status);
    void (*answered)(xmpp_session *s, const char *jid, bool allowed);
    void (*refused)(xmpp_session *s, const char *jid, const char *condition);
    void (*message)(xmpp_session *s, const pl_message *m);
    void (*delivered)(xmpp_session *s, const char *from, const char *id);
    void (*line)(xmpp_session *s, char *text);                             /* for people */
    void (*command)(xmpp_session *s, const char *word, const json_t *all); /* with --json: {"do":word, ...} */
    void (*input_ended)(xmpp_session *s);                                  /* NULL: xmpp_finish */
    int64_t (*due_us)(xmpp_session *s); /* when `turned` is wanted at the latest; on pl_clock_us */
    void (*turned)(xmpp_session *s);    /* after every turn of the loop */
    void (*finishing)(xmpp_session *s); /* before signing out: what is still to be said */
} xmpp_action;

struct xmpp_session {
    const pl_command *cmd;
    const xmpp_action *action;
    int n_args;
    char **args; /* behind the account */
    bool json, terminal;
    pl_loop *loop;
    pl_xmpp_connection *connection;
    pl_xmpp_client *client;
    pl_roster *roster;
    pl_presence *presence;
    pl_messages *messages;
    pl_disco *disco;
    pl_caps *caps;
    pl_registration registration;
    pl_lines lines;
    pl_xmpp_handler handler;
    bool ready; /* input is read from now on */
    bool was_opened, finishing, closed;
    bool failed; /* part of what was asked for: the exit code says so, whoever ends it and how */
    int code;
    void *user; /* the action's */
};

/* Signs in and lives until xmpp_finish, a signal or a fault that does not pass. args[0] is the account. */
int xmpp_session_run(const pl_command *cmd, const xmpp_action *action, int n_args, char **args);
/* Signs out in order, then the program ends with this code, or PL_EXIT_FAILED when it would be PL_EXIT_OK and s->failed. */
void xmpp_finish(xmpp_session *s, int code);
/* Says it as an event with --json (takes more, which may be NULL). */
void xmpp_event(xmpp_session *s, const char *name, json_t *more);
/* Something could not be done: to standard error, or as event "error". */
void xmpp_failed(xmpp_session *s, const char *what, const char *why);
/* The same for what a call gave, unless PL_OK. */
void xmpp_try(xmpp_session *s, const char *what, pl_err err);
/* A text member of a command; complains when it is missing. */
const char *xmpp_wants(xmpp_session *s, const json_t *all, const char *name);
json_t *xmpp_message_json(const pl_message *m);

extern const xmpp_action xmpp_login, xmpp_roster, xmpp_chat, xmpp_send, xmpp_muc, xmpp_call, xmpp_send_file,
    xmpp_receive;

#endif
