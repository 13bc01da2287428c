/* whip_link.h - STUN and TURN servers as Link header fields.
 * Source   RFC 9725 4.6 (rel="ice-server" with username, credential, credential-type), RFC 8288 (the grammar).
 * Shape    plain values of fixed size.
 * Limits   PL_WHIP_LINKS_MAX servers; what is longer than its field is left out, as are other relations and
 *          credentials that are no password. */
#ifndef PL_SIGNAL_WHIP_LINK_H
#define PL_SIGNAL_WHIP_LINK_H

#include "base/slice.h"

enum { PL_WHIP_LINKS_MAX = 8, PL_WHIP_LINK_TEXT_MAX = 256 };

typedef struct pl_whip_link {
    char url[PL_WHIP_LINK_TEXT_MAX], username[PL_WHIP_LINK_TEXT_MAX], credential[PL_WHIP_LINK_TEXT_MAX];
} pl_whip_link;

typedef struct pl_whip_links {
    size_t n;
    pl_whip_link link[PL_WHIP_LINKS_MAX];
} pl_whip_links;

/* Adds the ICE servers of one header's value, which may list several links. */
void pl_whip_links_read(pl_whip_links *out, pl_str value);
/* Appends one header line. username and credential "" for none; characters that would end a quoted text are left out. */
void pl_whip_link_write(pl_buf *out, const pl_whip_link *link);

#endif
