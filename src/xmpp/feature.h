/* feature.h - what the features (roster.c, presence.c ...) share. Private to them.
 * Shape    plain functions; texts that are given are malloc'd. Thread: their client's. */
#ifndef PL_XMPP_FEATURE_H
#define PL_XMPP_FEATURE_H

#include <stdlib.h>

#include "xmpp/client.h"

/* A copy of at most max bytes, cut between characters; of NULL: of "". NULL without memory. */
char *feature_cut(const char *text, size_t max);
/* Of text, or NULL for NULL; *ok becomes false when there is no memory. */
char *feature_dup(const char *text, bool *ok);
/* The address without its resource. False: it is none. */
bool feature_bare(pl_jid *out, const char *text);
/* 80 random bits, for tables whose keys others choose. */
void feature_key(pl_xmpp_client *c, uint8_t key[16]);
/* What an answer says: NULL when it is a result, else the condition, "" for no answer. */
const char *feature_error(const pl_xml *answer);
static inline bool feature_is_error(const pl_xml *stanza)
{
    return pl_xml_attr_is(stanza, "type", "error");
}

#endif
