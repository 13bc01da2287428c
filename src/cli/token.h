/* token.h - a bearer token from a file, the terminal or the environment (PEERLINE_TOKEN); never from arguments, which everybody
 * on the machine can read.
 * Shape    into the caller's buffer, to be wiped by it. One thread. */
#ifndef PL_CLI_TOKEN_H
#define PL_CLI_TOKEN_H

#include <stdbool.h>

#include "cli/options.h"
#include "signal/whip_client.h"

enum { PL_TOKEN_BYTES = PL_WHIP_CLIENT_TOKEN_MAX + 2 };

/* file: its first line; ask: the terminal; neither: the environment, or none: "". False: said why. */
bool pl_token_find(const pl_command *cmd, const char *file, bool ask, char out[PL_TOKEN_BYTES]);

#endif
