/* element_internal.h - what the builder and the writer know of a tree beyond element.h. Private to xml/. */
#ifndef PL_XML_ELEMENT_INTERNAL_H
#define PL_XML_ELEMENT_INTERNAL_H

#include "base/list.h"
#include "xml/element.h"

enum { XML_RECENT = 16 };

typedef struct xml_block {
    struct xml_block *next;
    size_t used, size; /* of the bytes that follow */
} xml_block;

typedef struct xml_tree xml_tree;

/* Every element lies in one of these. */
typedef struct xml_node {
    xml_tree *tree;
    size_t text_len, text_cap; /* text_cap 0: text is the constant "" */
    unsigned depth;            /* a root's is 1 */
    pl_xml e;
} xml_node;

struct xml_tree {
    xml_block *block; /* the newest; the oldest lies behind the tree itself and is freed with it */
    size_t bytes;     /* given out */
    pl_err err;
    const char *recent[XML_RECENT]; /* names and namespaces given out, by hash, to share equal ones */
    xml_node root;
    xml_block first;
};

static inline xml_node *xml_node_of(const pl_xml *e)
{
    return pl_of((pl_xml *)(uintptr_t)e, xml_node, e);
}

/* As their namesakes, with texts that end without a zero. */
pl_xml *xml_new(pl_str ns, pl_str name);
pl_xml *xml_add(pl_xml *parent, pl_str ns, pl_str name);
void xml_set(pl_xml *e, pl_str ns, pl_str name, pl_str value);
/* Makes the tree bad; the first error stays. */
void xml_fail(pl_xml *e, pl_err err);
/* All of it may stand in XML: UTF-8 without control characters but tab and the ends of lines. */
bool xml_text_fits(pl_str text);

#endif
