/* xmpp_say.h - what others wrote, shown so that it cannot steer the terminal; and the events of --json.
 * Shape    plain functions on standard output, a whole line each. One thread. */
#ifndef PL_CLI_XMPP_SAY_H
#define PL_CLI_XMPP_SAY_H

#include <jansson.h>
#include <stdio.h>

/* Text by somebody else: control characters and those that turn the direction of text become spaces, lines after the first
 * are indented. */
void pl_xmpp_put(FILE *to, const char *text);
/* A line of pieces: what the format says is ours, and each %s is put as above. Other conversions are not known. */
void pl_xmpp_print(FILE *to, const char *fmt, ...);
/* Sets a member; NULL is left out. */
void pl_xmpp_member(json_t *o, const char *name, const char *text);

#endif
