/* ancient.h - Jingle as it was in 2007, before its namespaces were settled: turned into today's at the door, and back.
 * Source   XEP-0166 0.17 of June 2007 with XEP-0167, 0176, 0177, 0180 and 0181 of the time: namespaces of the form
 *          http://www.xmpp.org/extensions/xep-NNNN.html#ns, video an application of its own, reasons as attributes, the
 *          one who is called a "recipient", ICE credentials with each candidate.
 * Shape    functions over stanzas. Any thread. */
#ifndef PL_JINGLE_ANCIENT_H
#define PL_JINGLE_ANCIENT_H

#include "jingle/names.h"
#include "xml/element.h"

#define PL_NS_JINGLE_2007 "http://www.xmpp.org/extensions/xep-0166.html#ns"

/* Its <jingle/>, or an error's Jingle condition, is of 2007. */
bool pl_jingle_stanza_is_2007(const pl_xml *iq);
/* A copy in today's words; without memory NULL. */
pl_xml *pl_jingle_from_2007(const pl_xml *iq);
/* Rewrites a stanza of ours. What 2007 had no words for stays as it is. */
void pl_jingle_to_2007(pl_xml *iq);
/* The action was known: not content-reject, description-info, security-info, transport-accept, -reject, -replace. */
bool pl_jingle_action_in_2007(pl_jingle_action a);

#endif
