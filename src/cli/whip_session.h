/* whip_session.h - one session of `publish` or `play`: connection, media, the WHIP or WHEP client, and ICE restarts when the
 * path is lost.
 * Shape    new gives, free takes; lives on the loop. Callbacks come from the loop; the session is not to be freed in them. */
#ifndef PL_CLI_WHIP_SESSION_H
#define PL_CLI_WHIP_SESSION_H

#include <jansson.h>

#include "peerline/loop.h"
#include "peerline/media.h"
#include "peerline/peer_connection.h"

typedef struct pl_whip_run pl_whip_run;

typedef struct pl_whip_run_conf {
    pl_loop *loop;
    pl_factory *factory;
    const pl_configuration
        *connection; /* lent for the session; its servers go before those of the endpoint */
    pl_media_conf media;
    bool play;
    bool kind[2]; /* by pl_media_type: what is wanted */
    const char *url, *token, *ca_file;
    bool no_options;
    double patience_s; /* until it is connected */
    void *user;
    void (*progress)(void *user, const char *text);
    /* It is over, or was never set up; reason NULL: it ended as sessions end. Once. */
    void (*ended)(void *user, const char *reason);
    /* The server knows that it is over, or cannot be told. */
    void (*closed)(void *user);
} pl_whip_run_conf;

/* error: a sentence when it fails. */
PL_NODISCARD pl_err pl_whip_run_new(pl_whip_run **out, const pl_whip_run_conf *conf, char *error, size_t cap);
bool pl_whip_run_connected(const pl_whip_run *s);
double pl_whip_run_seconds(const pl_whip_run *s); /* since connected, 0 before */
/* When it is to be given up, on pl_clock_us; PL_NEVER once connected. */
int64_t pl_whip_run_deadline_us(const pl_whip_run *s);
/* Asks for an ICE restart now. */
void pl_whip_run_restart(pl_whip_run *s);
/* DELETE; `closed` follows. */
void pl_whip_run_end(pl_whip_run *s);
json_t *pl_whip_run_report(pl_whip_run *s, const char *failure);
void pl_whip_run_free(pl_whip_run *s);

#endif
