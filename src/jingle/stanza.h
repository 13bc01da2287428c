/* stanza.h - iq stanzas with Jingle in them: made, answered and looked at. Private to jingle/.
 * Source   RFC 6120 8 (iq, errors), XEP-0166 7 and 10.
 * Shape    functions; a stanza that is made is a root for the caller, or NULL without memory. */
#ifndef PL_JINGLE_STANZA_H
#define PL_JINGLE_STANZA_H

#include "jingle/names.h"
#include "xml/element.h"

/* An iq of type set with an empty <jingle/>, which *jingle gets. */
pl_xml *pl_jingle_iq(const char *to, const char *id, pl_jingle_action action, const char *sid,
                     pl_xml **jingle);
pl_xml *pl_jingle_answer_result(const char *to, const char *id);
/* uri: of PL_JINGLE_REDIRECT, else NULL. */
pl_xml *pl_jingle_answer_error(const char *to, const char *id, pl_jingle_error e, const char *uri);

/* What an error stanza says: which of ours (PL_JINGLE_FINE: another), and its stanza condition ("" when there is none). */
pl_jingle_error pl_jingle_error_in(const pl_xml *iq, const char **condition, const char **text);

/* The reason in a <jingle/>, PL_JINGLE_NO_REASON without one; unknown ones are general-error. text: "" or its text. */
pl_jingle_reason pl_jingle_reason_in(const pl_xml *jingle, const char **text);
/* condition: of PL_NS_JINGLE_RTP_ERRORS, or NULL. */
void pl_jingle_write_reason(pl_xml *jingle, pl_jingle_reason r, const char *text, const char *condition);

/* What a session-info tells; *payload is NULL for a ping. */
pl_jingle_info pl_jingle_info_in(const pl_xml *jingle, const pl_xml **payload);
/* Of those that are one element without more: RINGING to UNMUTE. */
void pl_jingle_write_info(pl_xml *jingle, pl_jingle_info info, const char *creator, const char *content);

#endif
