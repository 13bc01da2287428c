/* A tree of elements in memory of its own: building and copying. */
#include "xml/element.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "xml/element_internal.h"

enum { FIRST_BLOCK = 768, BLOCK_MAX = 64 * 1024, NODE_ALIGN = _Alignof(xml_node) };

/* ---- memory ---- */

static bool new_block(xml_tree *t, size_t n)
{
    size_t size = t->block->size * 2 < BLOCK_MAX ? t->block->size * 2 : BLOCK_MAX;
    if (size < n)
        size = n;
    xml_block *b = malloc(sizeof *b + size);
    if (!b) {
        t->err = PL_ENOMEM;
        return false;
    }
    *b = (xml_block){ .next = t->block, .size = size };
    t->block = b;
    return true;
}

static void *get(xml_tree *t, size_t n, size_t align)
{
    if (t->err)
        return NULL;
    if (n > PL_XML_BYTES_MAX - t->bytes) {
        t->err = PL_ENOSPC;
        return NULL;
    }
    size_t at = (t->block->used + align - 1) / align * align;
    if (at > t->block->size || n > t->block->size - at) {
        if (!new_block(t, n))
            return NULL;
        at = 0;
    }
    t->block->used = at + n;
    t->bytes += n;
    return (char *)(t->block + 1) + at;
}

static const char *keep(xml_tree *t, pl_str text)
{
    char *copy = get(t, text.n + 1, 1);
    if (!copy)
        return NULL;
    if (text.n)
        memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    return copy;
}

/* Names and namespaces come again and again in one stanza. FNV-1a is only a guess where to look. */
static const char *keep_name(xml_tree *t, pl_str text)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (uint8_t)text.p[i]) * 16777619u;
    const char **slot = &t->recent[(h ^ h >> 16) % XML_RECENT];
    if (!*slot || !pl_str_is(text, *slot)) {
        const char *copy = keep(t, text);
        if (!copy)
            return NULL;
        *slot = copy;
    }
    return *slot;
}

static bool init_node(xml_tree *t, xml_node *n, pl_str ns, pl_str name)
{
    *n = (xml_node){ .tree = t, .e = { .text = "" } };
    n->e.ns = keep_name(t, ns);
    n->e.name = keep_name(t, name);
    return n->e.ns && n->e.name;
}

pl_xml *xml_new(pl_str ns, pl_str name)
{
    xml_tree *t = malloc(sizeof *t + FIRST_BLOCK);
    if (!t)
        return NULL;
    *t = (xml_tree){ .first = { .size = FIRST_BLOCK } };
    t->block = &t->first;
    if (!init_node(t, &t->root, ns, name)) {
        pl_xml_free(&t->root.e);
        return NULL;
    }
    t->root.depth = 1;
    return &t->root.e;
}

void pl_xml_free(pl_xml *root)
{
    if (!root)
        return;
    xml_tree *t = xml_node_of(root)->tree;
    assert(root == &t->root.e); /* a child goes with its root */
    for (xml_block *b = t->block; b != &t->first;) {
        xml_block *older = b->next;
        free(b);
        b = older;
    }
    free(t);
}

pl_err pl_xml_err(const pl_xml *e)
{
    return e ? xml_node_of(e)->tree->err : PL_ENOMEM;
}

void xml_fail(pl_xml *e, pl_err err)
{
    xml_tree *t = e ? xml_node_of(e)->tree : NULL;
    if (t && !t->err)
        t->err = err;
}

/* XML 1.0 2.2; what is no character of it cannot even be written as a reference. */
bool xml_text_fits(pl_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        if (c < 0x20 && c != '\t' && c != '\n' && c != '\r')
            return false;
        if (c == 0xef && text.n - i >= 3 && (uint8_t)text.p[i + 1] == 0xbf && (uint8_t)text.p[i + 2] >= 0xbe)
            return false; /* U+FFFE and U+FFFF */
    }
    return pl_utf8_valid(text.p, text.n);
}

/* ---- elements ---- */

pl_xml *pl_xml_new(const char *ns, const char *name)
{
    return xml_new(pl_str_of(ns), pl_str_of(name));
}

pl_xml *xml_add(pl_xml *parent, pl_str ns, pl_str name)
{
    if (!parent)
        return NULL;
    xml_node *up = xml_node_of(parent);
    if (up->depth >= PL_XML_DEPTH_MAX)
        xml_fail(parent, PL_ENOSPC);
    xml_node *n = get(up->tree, sizeof *n, NODE_ALIGN);
    if (!n || !init_node(up->tree, n, ns, name))
        return NULL;
    n->depth = up->depth + 1;
    n->e.parent = parent;
    if (parent->last)
        parent->last->next = &n->e;
    else
        parent->first = &n->e;
    parent->last = &n->e;
    return &n->e;
}

pl_xml *pl_xml_add(pl_xml *parent, const char *ns, const char *name)
{
    return parent ? xml_add(parent, pl_str_of(ns ? ns : parent->ns), pl_str_of(name)) : NULL;
}

pl_xml *pl_xml_add_text(pl_xml *parent, const char *ns, const char *name, const char *text)
{
    pl_xml *e = pl_xml_add(parent, ns, name);
    pl_xml_say(e, pl_str_of(text));
    return e;
}

void pl_xml_remove(pl_xml *child)
{
    if (!child || !child->parent)
        return;
    pl_xml *parent = child->parent, *before = NULL;
    for (pl_xml *e = parent->first; e != child; e = e->next)
        before = e;
    if (before)
        before->next = child->next;
    else
        parent->first = child->next;
    if (parent->last == child)
        parent->last = before;
    child->parent = child->next = NULL;
}

/* ---- attributes and text ---- */

static bool same_ns(const char *have, pl_str want)
{
    return have ? pl_str_is(want, have) : want.n == 0;
}

static void unset(pl_xml *e, pl_str ns, pl_str name)
{
    for (pl_xml_attr **at = &e->attrs; *at; at = &(*at)->next) {
        if (same_ns((*at)->ns, ns) && pl_str_is(name, (*at)->name)) {
            *at = (*at)->next;
            return;
        }
    }
}

/* Fills in or appends; attributes keep the order in which they were first set. */
void xml_set(pl_xml *e, pl_str ns, pl_str name, pl_str value)
{
    if (!e)
        return;
    if (!xml_text_fits(value))
        xml_fail(e, PL_EINVAL);
    xml_tree *t = xml_node_of(e)->tree;
    unsigned n = 0;
    pl_xml_attr **at = &e->attrs;
    for (; *at && !(same_ns((*at)->ns, ns) && pl_str_is(name, (*at)->name)); at = &(*at)->next)
        n++;
    const char *copy = keep(t, value);
    if (copy && *at) {
        (*at)->value = copy;
        return;
    }
    if (n >= PL_XML_ATTRS_MAX)
        xml_fail(e, PL_ENOSPC);
    pl_xml_attr *a = get(t, sizeof *a, _Alignof(pl_xml_attr));
    if (!a)
        return;
    *a = (pl_xml_attr){ .value = copy, .name = keep_name(t, name), .ns = ns.n ? keep_name(t, ns) : NULL };
    if (!t->err)
        *at = a;
}

void pl_xml_set_ns(pl_xml *e, const char *ns, const char *name, const char *value)
{
    if (e && value)
        xml_set(e, pl_str_of(ns), pl_str_of(name), pl_str_of(value));
    else if (e)
        unset(e, pl_str_of(ns), pl_str_of(name));
}

void pl_xml_set(pl_xml *e, const char *name, const char *value)
{
    pl_xml_set_ns(e, NULL, name, value);
}

void pl_xml_setf(pl_xml *e, const char *name, const char *fmt, ...)
{
    if (!e)
        return;
    va_list args;
    va_start(args, fmt);
    char small[256];
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n >= 0 && (size_t)n < sizeof small) {
        xml_set(e, (pl_str){ 0 }, pl_str_of(name), (pl_str){ small, (size_t)n });
        return;
    }
    char *large = n >= 0 ? malloc((size_t)n + 1) : NULL;
    if (large) {
        va_start(args, fmt);
        vsnprintf(large, (size_t)n + 1, fmt, args);
        va_end(args);
        xml_set(e, (pl_str){ 0 }, pl_str_of(name), (pl_str){ large, (size_t)n });
    } else {
        xml_fail(e, PL_ENOMEM);
    }
    free(large);
}

void pl_xml_set_u64(pl_xml *e, const char *name, uint64_t value)
{
    pl_xml_setf(e, name, "%" PRIu64, value);
}

/* Room doubles, so that a text that comes in many pieces costs twice its length and no more. */
static bool grow_text(xml_node *n, size_t more)
{
    size_t need = n->text_len + more + 1;
    if (need <= n->text_cap)
        return true;
    size_t cap = n->text_cap ? n->text_cap * 2 : need;
    if (cap < need)
        cap = need;
    char *copy = get(n->tree, cap, 1);
    if (!copy)
        return false;
    memcpy(copy, n->e.text, n->text_len);
    n->e.text = copy;
    n->text_cap = cap;
    return true;
}

void pl_xml_say(pl_xml *e, pl_str text)
{
    if (!e || text.n == 0)
        return;
    if (!xml_text_fits(text))
        xml_fail(e, PL_EINVAL);
    xml_node *n = xml_node_of(e);
    if (n->tree->err || text.n > PL_XML_BYTES_MAX) {
        xml_fail(e, PL_ENOSPC);
        return;
    }
    if (!grow_text(n, text.n))
        return;
    char *p = (char *)(uintptr_t)n->e.text; /* ours: text_cap is not 0 */
    memcpy(p + n->text_len, text.p, text.n);
    n->text_len += text.n;
    p[n->text_len] = 0;
}

/* ---- copies ---- */

static void fill(pl_xml *to, const pl_xml *from)
{
    for (const pl_xml_attr *a = from->attrs; a; a = a->next)
        xml_set(to, pl_str_of(a->ns), pl_str_of(a->name), pl_str_of(a->value));
    pl_xml_say(to, pl_str_of(from->text));
    for (const pl_xml *c = from->first; c; c = c->next) {
        pl_xml *copy = xml_add(to, pl_str_of(c->ns), pl_str_of(c->name));
        if (!copy)
            return;
        fill(copy, c);
    }
}

pl_xml *pl_xml_copy(const pl_xml *e)
{
    pl_xml *root = e ? xml_new(pl_str_of(e->ns), pl_str_of(e->name)) : NULL;
    if (!root)
        return NULL;
    fill(root, e);
    xml_fail(root, pl_xml_err(e));
    if (pl_xml_err(root) == PL_ENOMEM) {
        pl_xml_free(root);
        return NULL;
    }
    return root;
}

/* A tree may be added to itself: what is copied ends where it ended before. */
pl_xml *pl_xml_add_copy(pl_xml *parent, const pl_xml *e)
{
    if (!parent || !e)
        return NULL;
    if (xml_node_of(parent)->tree != xml_node_of(e)->tree) {
        pl_xml *to = xml_add(parent, pl_str_of(e->ns), pl_str_of(e->name));
        if (to)
            fill(to, e);
        return to;
    }
    pl_xml *apart = pl_xml_copy(e);
    pl_xml *to = apart ? pl_xml_add_copy(parent, apart) : NULL;
    if (!apart)
        xml_fail(parent, PL_ENOMEM);
    pl_xml_free(apart);
    return to;
}
