/* whip_url.h - addresses of WHIP: checked, resolved against each other, compared by where they lead.
 * Source   RFC 3986 5 (by libcurl's URL interface), RFC 6454 (origin).
 * Shape    functions over texts of at most PL_WHIP_URL_MAX characters. Any thread. */
#ifndef PL_SIGNAL_WHIP_URL_H
#define PL_SIGNAL_WHIP_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "peerline/error.h"

enum { PL_WHIP_URL_MAX = 2048 };

/* http or https, a host, no user name in it. */
bool pl_whip_url_ok(const char *url);
/* What `ref`, absolute or relative, means where `base` is. Errors: PL_EPROTO (not such an address, or too long). */
PL_NODISCARD pl_err pl_whip_url_resolve(const char *base, const char *ref, char out[PL_WHIP_URL_MAX]);
/* Scheme, host and port are the same. */
bool pl_whip_url_same_origin(const char *a, const char *b);
bool pl_whip_url_is_secure(const char *url); /* https */

#endif
