/* A tree as text. Depth is bounded by the builder, so it may recurse. */
#include "xml/element.h"

/* White space but the space itself is written as references in attributes, or reading would make spaces of it; a
 * carriage return everywhere, or it would become a line feed. */
static const char *reference(char c, bool attr)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;"; /* "]]>" may not stand in text */
    case '\r': return "&#13;";
    case '\'': return attr ? "&apos;" : NULL;
    case '\n': return attr ? "&#10;" : NULL;
    case '\t': return attr ? "&#9;" : NULL;
    default: return NULL;
    }
}

static void write_text(const char *text, bool attr, pl_buf *out)
{
    const char *from = text;
    for (const char *p = text; *p; p++) {
        const char *ref = reference(*p, attr);
        if (!ref)
            continue;
        pl_buf_add(out, from, (size_t)(p - from));
        pl_buf_add(out, ref, strlen(ref));
        from = p + 1;
    }
    pl_buf_add(out, from, strlen(from));
}

static void write_z(const char *z, pl_buf *out)
{
    pl_buf_add(out, z, strlen(z));
}

static void write_attr(const char *prefix, const char *name, const char *value, pl_buf *out)
{
    write_z(" ", out);
    write_z(prefix, out);
    write_z(name, out);
    write_z("='", out);
    write_text(value, true, out);
    write_z("'", out);
}

/* An attribute with a namespace gets a prefix of its own, but xml: has one from birth. */
static void write_attrs(const pl_xml *e, pl_buf *out)
{
    unsigned n = 0;
    for (const pl_xml_attr *a = e->attrs; a; a = a->next) {
        if (!a->ns) {
            write_attr("", a->name, a->value, out);
        } else if (strcmp(a->ns, PL_NS_XML) == 0) {
            write_attr("xml:", a->name, a->value, out);
        } else {
            pl_buf_addf(out, " xmlns:a%u='", n);
            write_text(a->ns, true, out);
            pl_buf_addf(out, "' a%u:%s='", n++, a->name);
            write_text(a->value, true, out);
            write_z("'", out);
        }
    }
}

void pl_xml_write(const pl_xml *e, const char *outer_ns, pl_buf *out)
{
    if (!e)
        return;
    write_z("<", out);
    write_z(e->name, out);
    if (strcmp(e->ns, outer_ns ? outer_ns : "") != 0)
        write_attr("", "xmlns", e->ns, out);
    write_attrs(e, out);
    if (!e->first && !*e->text) {
        write_z("/>", out);
        return;
    }
    write_z(">", out);
    write_text(e->text, false, out);
    for (const pl_xml *c = e->first; c; c = c->next)
        pl_xml_write(c, e->ns, out);
    write_z("</", out);
    write_z(e->name, out);
    write_z(">", out);
}
