/* rooms_url.h - an address of a server's rooms taken apart: where the service is, which room, and who in it.
 * Source   docs/session.md.
 * Shape    one call; the texts are the caller's, freed with clear. Zero state legal.
 * Errors   PL_EINVAL: no such address, or a part that no server takes; PL_ENOMEM. */
#ifndef PL_SESSION_ROOMS_URL_H
#define PL_SESSION_ROOMS_URL_H

#include "base/slice.h"
#include "peerline/error.h"

typedef struct pl_rooms_url {
    char *server; /* for pl_room_client_conf.url */
    char *room;   /* "": the common one */
    char *name;   /* of who is to be called, or NULL */
} pl_rooms_url;

/* room: overrules the URL's, whose path is then the service's; NULL: the path of http(s) names the room. */
PL_NODISCARD pl_err pl_rooms_url_parse(pl_rooms_url *out, const char *url, const char *room);
void pl_rooms_url_clear(pl_rooms_url *u);
/* Without %XX, for any part of a URL; NULL: malformed, a zero byte, or no memory (*err says which). Freed by the caller. */
char *pl_url_decode(pl_str text, pl_err *err);

#endif
