/* Finding one's way in a tree. */
#include "xml/element.h"

bool pl_xml_is(const pl_xml *e, const char *ns, const char *name)
{
    return e && (!name || strcmp(e->name, name) == 0) && (!ns || strcmp(e->ns, ns) == 0);
}

static pl_xml *first_from(pl_xml *e, const char *ns, const char *name)
{
    while (e && !pl_xml_is(e, ns, name))
        e = e->next;
    return e;
}

pl_xml *pl_xml_child(const pl_xml *e, const char *ns, const char *name)
{
    return e ? first_from(e->first, ns, name) : NULL;
}

pl_xml *pl_xml_next(const pl_xml *e, const char *ns, const char *name)
{
    return e ? first_from(e->next, ns, name) : NULL;
}

const char *pl_xml_attr_ns(const pl_xml *e, const char *ns, const char *name)
{
    for (const pl_xml_attr *a = e ? e->attrs : NULL; a; a = a->next) {
        bool same = ns && *ns ? a->ns && strcmp(a->ns, ns) == 0 : !a->ns;
        if (same && strcmp(a->name, name) == 0)
            return a->value;
    }
    return NULL;
}

const char *pl_xml_attr_of(const pl_xml *e, const char *name)
{
    return pl_xml_attr_ns(e, NULL, name);
}

bool pl_xml_attr_is(const pl_xml *e, const char *name, const char *value)
{
    const char *have = pl_xml_attr_of(e, name);
    return have && value && strcmp(have, value) == 0;
}

bool pl_xml_attr_u64(const pl_xml *e, const char *name, uint64_t max, uint64_t *out)
{
    const char *have = pl_xml_attr_of(e, name);
    return have && pl_str_u64(pl_str_of(have), max, out);
}

const char *pl_xml_child_text(const pl_xml *e, const char *ns, const char *name)
{
    const pl_xml *c = pl_xml_child(e, ns, name);
    return c ? c->text : NULL;
}
