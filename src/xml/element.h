/* element.h - one XML element with all that is in it: a stanza, read or being built.
 * Source   XML 1.0 and Namespaces in XML, as much as RFC 6120 11 leaves of them.
 * Shape    a root owns the memory of its whole tree: pl_xml_new or pl_xml_copy gives it, pl_xml_free takes it. What is
 *          below a root is lent, and so are all texts. Texts are UTF-8 with a final zero. The text of an element is
 *          all that stands directly in it, joined; how it lay between the children is not kept.
 *     pl_xml *iq = pl_xml_new(PL_NS_CLIENT, "iq");
 *     pl_xml_set(iq, "type", "get");
 *     pl_xml_add(iq, "urn:xmpp:ping", "ping");
 * Errors   building sticks: without memory or beyond PL_XML_BYTES_MAX the adders return NULL, every function takes
 *          NULL for an element and does nothing, and pl_xml_err says so: ask once, before it is sent. Text
 *          that XML cannot carry (not UTF-8, control characters) makes it PL_EINVAL, since a server would end the stream.
 * Thread   belongs to its owner's. */
#ifndef PL_XML_ELEMENT_H
#define PL_XML_ELEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peerline/error.h"

enum {
    PL_XML_BYTES_MAX = 4 << 20, /* of one tree, all in all: a roster of 10,000 is one stanza */
    PL_XML_DEPTH_MAX = 64,      /* elements within elements */
    PL_XML_ATTRS_MAX = 64,      /* of one element */
};

#define PL_NS_XML    "http://www.w3.org/XML/1998/namespace" /* of xml:lang */
#define PL_NS_CLIENT "jabber:client"

typedef struct pl_xml pl_xml;

typedef struct pl_xml_attr {
    const char *ns; /* NULL: none, as nearly always */
    const char *name, *value;
    struct pl_xml_attr *next;
} pl_xml_attr;

struct pl_xml {
    const char *ns; /* never NULL; "" is none */
    const char *name;
    const char *text; /* never NULL */
    pl_xml_attr *attrs;
    pl_xml *first, *last; /* children */
    pl_xml *next;         /* sibling */
    pl_xml *parent;       /* NULL: a root */
};

/* --- building ------------------------------------------------------------------------------------------- */

/* NULL without memory. */
pl_xml *pl_xml_new(const char *ns, const char *name);
/* A root of its own, equal to e with all that is in it. */
pl_xml *pl_xml_copy(const pl_xml *e);
/* Takes a root; NULL is fine. */
void pl_xml_free(pl_xml *root);
/* Of the whole tree that e is in: PL_OK, PL_ENOMEM, PL_ENOSPC, PL_EINVAL; PL_ENOMEM for NULL. */
pl_err pl_xml_err(const pl_xml *e);
/* A new last child. ns NULL: the parent's. */
pl_xml *pl_xml_add(pl_xml *parent, const char *ns, const char *name);
/* The same with a text in it. */
pl_xml *pl_xml_add_text(pl_xml *parent, const char *ns, const char *name, const char *text);
/* A new last child equal to e. */
pl_xml *pl_xml_add_copy(pl_xml *parent, const pl_xml *e);
/* Sets or replaces an attribute; NULL takes it away. The copy is the tree's. */
void pl_xml_set(pl_xml *e, const char *name, const char *value);
void pl_xml_set_ns(pl_xml *e, const char *ns, const char *name, const char *value);
void pl_xml_setf(pl_xml *e, const char *name, const char *fmt, ...) PL_PRINTF(3, 4);
void pl_xml_set_u64(pl_xml *e, const char *name, uint64_t value);
/* Appends to the text. */
void pl_xml_say(pl_xml *e, pl_str text);
/* Takes a child, with all that is in it, out of its tree; its memory stays with the tree. */
void pl_xml_remove(pl_xml *child);

/* --- looking -------------------------------------------------------------------------------------------- */

/* ns NULL: any. False for NULL. */
bool pl_xml_is(const pl_xml *e, const char *ns, const char *name);
/* The first child that pl_xml_is, name NULL: any; or NULL. `for (c = pl_xml_child(e, ns, n); c; c = pl_xml_next(c, ns, n))` */
pl_xml *pl_xml_child(const pl_xml *e, const char *ns, const char *name);
/* The next sibling that pl_xml_is. */
pl_xml *pl_xml_next(const pl_xml *e, const char *ns, const char *name);
/* The attribute without a namespace, or NULL. */
const char *pl_xml_attr_of(const pl_xml *e, const char *name);
const char *pl_xml_attr_ns(const pl_xml *e, const char *ns, const char *name);
/* The attribute is there and equal. */
bool pl_xml_attr_is(const pl_xml *e, const char *name, const char *value);
/* Whole attribute is a decimal number of at most max. */
bool pl_xml_attr_u64(const pl_xml *e, const char *name, uint64_t max, uint64_t *out);
/* The text of the first such child, or NULL when there is none. */
const char *pl_xml_child_text(const pl_xml *e, const char *ns, const char *name);

/* --- text ----------------------------------------------------------------------------------------------- */

/* Appends e as XML. outer_ns is the default namespace where it will stand ("" or NULL: none): xmlns is written where an
 * element's differs from its surroundings'. */
void pl_xml_write(const pl_xml *e, const char *outer_ns, pl_buf *out);

#endif
