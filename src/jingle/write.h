/* write.h - a description as contents of a <jingle/>.
 * Source   as parse.h.
 * Shape    adds to an element that the caller built: `pl_xml_new(PL_NS_JINGLE, "jingle")`; the session sets action, sid
 *          and creators when it is sent. What Jingle has no word for is left out (docs/jingle.md lists it).
 * Errors   PL_ENOTSUP: a section without mid; else those of pl_xml_err. */
#ifndef PL_JINGLE_WRITE_H
#define PL_JINGLE_WRITE_H

#include "desc/description.h"
#include "jingle/names.h"
#include "xml/element.h"

typedef enum pl_jingle_transport {
    PL_JINGLE_VIA_ICE_UDP, /* XEP-0176: everybody */
    PL_JINGLE_VIA_ICE,     /* XEP-0371 */
    PL_JINGLE_VIA_RAW_UDP, /* XEP-0177: address and port of the section */
} pl_jingle_transport;

typedef struct pl_jingle_write_conf {
    bool by_initiator; /* who writes, for the senders */
    pl_jingle_transport via;
} pl_jingle_write_conf;

/* All sections that are not rejected, and the groups. */
PL_NODISCARD pl_err pl_jingle_write(const pl_desc *d, pl_xml *jingle, const pl_jingle_write_conf *conf);
/* The groups alone, for a request that has only some of their contents in it. */
void pl_jingle_write_groups(const pl_desc *d, pl_xml *jingle);
/* One section; the content, or NULL (see pl_xml_err). */
pl_xml *pl_jingle_write_content(const pl_desc *d, const pl_desc_media *m, pl_xml *jingle,
                                const pl_jingle_write_conf *conf);
/* What a transport-info says: candidates ("candidate:…" lines) of a section with its credentials, and whether there come
 * more. A line that ICE-UDP has no words for is left out. */
pl_xml *pl_jingle_write_trickle(const pl_desc_media *m, const char *const *lines, size_t n_lines, bool end,
                                pl_xml *jingle, const pl_jingle_write_conf *conf);
/* A content with nothing in it but its name and who sends (content-modify, content-remove). senders NULL: not said. */
pl_xml *pl_jingle_write_name(pl_xml *jingle, const char *name, const char *senders);

#endif
