/* whip_access.h - who may publish and watch, by bearer tokens (RFC 6750) of a file.
 *     # role  name  token
 *     publish news  s3cret
 *     play    *     -          "-": nobody is asked
 *     both    lab   t0ken
 * Shape    a table, init and clear; only hashes of the tokens are kept.
 * Limits   PL_WHIP_ACCESS_MAX lines, names as pl_whip_name_ok, tokens of 1 to PL_WHIP_TOKEN_MAX characters.
 * Errors   PL_EPROTO with a sentence that names the line; PL_ENOSPC; PL_ENOMEM. */
#ifndef PL_SERVER_WHIP_ACCESS_H
#define PL_SERVER_WHIP_ACCESS_H

#include "base/slice.h"
#include "crypto/digest.h"
#include "peerline/error.h"

enum { PL_WHIP_ACCESS_MAX = 4096, PL_WHIP_TOKEN_MAX = 1024, PL_WHIP_NAME_MAX = 64, PL_WHIP_SAY_MAX = 160 };

typedef enum pl_whip_role { PL_WHIP_PUBLISH, PL_WHIP_PLAY } pl_whip_role;

typedef struct pl_whip_grant {
    char name[PL_WHIP_NAME_MAX + 1]; /* "*": every */
    bool role[2];                    /* by pl_whip_role */
    bool anybody;                    /* no token is needed */
    uint8_t hash[PL_SHA256_LEN];
} pl_whip_grant;

typedef struct pl_whip_access {
    pl_whip_grant *grant;
    size_t n, cap;
} pl_whip_access;

typedef enum pl_whip_verdict {
    PL_WHIP_MAY,
    PL_WHIP_WHO,    /* a token is needed, or this one is not known: 401 */
    PL_WHIP_MAY_NOT /* the token is good for something else: 403 */
} pl_whip_verdict;

/* 1 to PL_WHIP_NAME_MAX letters, digits, '-', '.', '_' or '~', and no dot first: what stands in a URL as it is. */
bool pl_whip_name_ok(pl_str name);
PL_NODISCARD pl_err pl_whip_access_read(pl_whip_access *a, pl_str text, char say[PL_WHIP_SAY_MAX]);
void pl_whip_access_clear(pl_whip_access *a);
/* token: of the Authorization header, empty when there is none. Takes as long for a wrong token as for a right one. */
pl_whip_verdict pl_whip_access_ask(const pl_whip_access *a, pl_whip_role role, pl_str name, pl_str token);
/* What stands behind "Bearer " of an Authorization header's value; empty for anything else. */
pl_str pl_whip_bearer(pl_str authorization);

#endif
