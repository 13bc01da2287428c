/* xmpp_password.h - a password from a file, the environment (PEERLINE_XMPP_PASSWORD) or a prompt; never from arguments, which
 * everybody on the machine can read.
 * Shape    into the caller's buffer, to be wiped by it. One thread. */
#ifndef PL_CLI_XMPP_PASSWORD_H
#define PL_CLI_XMPP_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/options.h"

enum { PL_XMPP_PASSWORD_MAX = 1023 };

/* file: its first line; NULL: the environment, else a prompt for `who`; twice: asked for again, to be sure. False: said why. */
bool pl_xmpp_password(const pl_command *cmd, const char *file, const char *who, bool twice,
                      char out[PL_XMPP_PASSWORD_MAX + 1]);

#endif
