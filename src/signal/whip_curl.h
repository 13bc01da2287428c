/* whip_curl.h - a WHIP or WHEP client on our loop: whip_client.h carried by libcurl.
 * Shape    lives on a loop; pl_whip_curl_new gives, pl_whip_curl_free takes. The owner calls the verbs of the client
 *          that pl_whip_curl_client lends, and pl_whip_curl_kick after each.
 * Errors   the network's become FAILED and NOTE events.
 * Thread   the loop's owner; events come from the loop, never inside a call of this header. They may use every verb but
 *          pl_whip_curl_free. */
#ifndef PL_SIGNAL_WHIP_CURL_H
#define PL_SIGNAL_WHIP_CURL_H

#include "peerline/loop.h"
#include "signal/whip_client.h"

typedef struct pl_whip_curl_conf {
    pl_whip_client_conf client;
    const char *ca_file; /* PEM: whom https trusts; NULL: what the system trusts. Copied */
    void (*event)(void *user, const pl_whip_event *ev);
    void *user;
} pl_whip_curl_conf;

typedef struct pl_whip_curl pl_whip_curl;

/* Begins at once. Errors: PL_EINVAL (URL or token), PL_ENOMEM. */
PL_NODISCARD pl_err pl_whip_curl_new(pl_whip_curl **out, pl_loop *loop, const pl_whip_curl_conf *conf);
/* Cuts what is under way; the server is not told. NULL is fine. */
void pl_whip_curl_free(pl_whip_curl *k);
pl_whip_client *pl_whip_curl_client(pl_whip_curl *k);
void pl_whip_curl_kick(pl_whip_curl *k);

#endif
