/* The hash of what somebody can (XEP-0115 5.1), or why there is none (5.4). */
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "xmpp/caps.h"
#include "xmpp/feature.h"

#define NS_DATA "jabber:x:data"

enum { LINES_MAX = PL_DISCO_CHILDREN_MAX, TEXT_MAX = 1 << 20 };

/* Texts to be sorted, each with its end mark. */
typedef struct lines {
    char **line;
    size_t n, cap;
    pl_err err;
} lines;

static void lines_clear(lines *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->line[i]);
    free(l->line);
    *l = (lines){ 0 };
}

static bool make_room(lines *l)
{
    if (l->n < l->cap)
        return true;
    size_t cap = l->cap ? 2 * l->cap : 32;
    char **more = l->n < LINES_MAX ? realloc(l->line, cap * sizeof *more) : NULL;
    if (!more)
        return false;
    l->line = more;
    l->cap = cap;
    return true;
}

/* Takes what is in the buffer. */
static void lines_add(lines *l, pl_buf *text)
{
    char *z = pl_buf_take(text);
    if (!z || !make_room(l)) {
        l->err = l->err ? l->err : PL_ENOMEM;
        free(z);
        return;
    }
    l->line[l->n++] = z;
}

/* i;octet (RFC 4790 9.3), text by text: what ends a text is less than all that may stand in one. */
static int compare_texts(const char *a, const char *b, char also_end)
{
    for (;; a++, b++) {
        int x = *a == '<' ? 1 : *a == also_end && also_end ? 2 : (unsigned char)*a;
        int y = *b == '<' ? 1 : *b == also_end && also_end ? 2 : (unsigned char)*b;
        if (x != y || !x)
            return x - y;
    }
}

static int by_text(const void *a, const void *b)
{
    return compare_texts(*(char *const *)a, *(char *const *)b, 0);
}

static int by_identity(const void *a, const void *b)
{
    return compare_texts(*(char *const *)a, *(char *const *)b, '/');
}

/* Equal neighbours are what 5.4 calls ill-formed, for identities, features and forms; values may be alike. */
static void put_sorted(lines *l, pl_buf *out, bool unique, int (*order)(const void *, const void *))
{
    if (l->n)
        qsort(l->line, l->n, sizeof *l->line, order);
    for (size_t i = 0; i < l->n; i++) {
        if (unique && i && strcmp(l->line[i], l->line[i - 1]) == 0)
            l->err = l->err ? l->err : PL_EPROTO;
        pl_buf_add(out, l->line[i], strlen(l->line[i]));
    }
}

/* The marks between texts may not stand in them, or two descriptions could have one hash. */
static const char *plain(lines *l, const char *text, const char *marks)
{
    if (!text)
        return "";
    if (strpbrk(text, marks))
        l->err = l->err ? l->err : PL_EPROTO;
    return text;
}

static pl_err put_identities(const pl_xml *info, pl_buf *out)
{
    lines l = { 0 };
    for (const pl_xml *i = pl_xml_child(info, PL_NS_DISCO_INFO, "identity"); i;
         i = pl_xml_next(i, PL_NS_DISCO_INFO, "identity")) {
        pl_buf text = pl_buf_init(TEXT_MAX);
        pl_buf_addf(&text, "%s/%s/%s/%s<", plain(&l, pl_xml_attr_of(i, "category"), "</"),
                    plain(&l, pl_xml_attr_of(i, "type"), "</"),
                    plain(&l, pl_xml_attr_ns(i, PL_NS_XML, "lang"), "</"),
                    plain(&l, pl_xml_attr_of(i, "name"), "<"));
        lines_add(&l, &text);
    }
    put_sorted(&l, out, true, by_identity);
    pl_err err = l.err;
    lines_clear(&l);
    return err;
}

static pl_err put_features(const pl_xml *info, pl_buf *out)
{
    lines l = { 0 };
    for (const pl_xml *f = pl_xml_child(info, PL_NS_DISCO_INFO, "feature"); f;
         f = pl_xml_next(f, PL_NS_DISCO_INFO, "feature")) {
        pl_buf text = pl_buf_init(TEXT_MAX);
        pl_buf_addf(&text, "%s<", plain(&l, pl_xml_attr_of(f, "var"), "<"));
        lines_add(&l, &text);
    }
    put_sorted(&l, out, true, by_text);
    pl_err err = l.err;
    lines_clear(&l);
    return err;
}

/* "value<value<", sorted. */
static pl_err put_values(const pl_xml *field, pl_buf *out)
{
    lines l = { 0 };
    for (const pl_xml *v = pl_xml_child(field, NS_DATA, "value"); v; v = pl_xml_next(v, NS_DATA, "value")) {
        pl_buf text = pl_buf_init(TEXT_MAX);
        pl_buf_addf(&text, "%s<", plain(&l, v->text, "<"));
        lines_add(&l, &text);
    }
    put_sorted(&l, out, false, by_text);
    pl_err err = l.err;
    lines_clear(&l);
    return err;
}

/* A form counts by its hidden FORM_TYPE, which may have one value only. */
static const pl_xml *form_type(const pl_xml *form, pl_err *err)
{
    for (const pl_xml *f = pl_xml_child(form, NS_DATA, "field"); f; f = pl_xml_next(f, NS_DATA, "field")) {
        const pl_xml *first = pl_xml_child(f, NS_DATA, "value");
        if (!pl_xml_attr_is(f, "var", "FORM_TYPE") || !pl_xml_attr_is(f, "type", "hidden") || !first)
            continue;
        for (const pl_xml *v = first; v; v = pl_xml_next(v, NS_DATA, "value")) {
            if (strcmp(v->text, first->text) != 0)
                *err = PL_EPROTO;
        }
        return first;
    }
    return NULL;
}

/* The fields of one form but its type, sorted by their names. */
static pl_err put_fields(const pl_xml *form, pl_buf *out)
{
    lines l = { 0 };
    for (const pl_xml *f = pl_xml_child(form, NS_DATA, "field"); f; f = pl_xml_next(f, NS_DATA, "field")) {
        if (pl_xml_attr_is(f, "var", "FORM_TYPE"))
            continue;
        pl_buf text = pl_buf_init(TEXT_MAX);
        pl_buf_addf(&text, "%s<", plain(&l, pl_xml_attr_of(f, "var"), "<"));
        pl_err err = put_values(f, &text);
        l.err = l.err ? l.err : err;
        lines_add(&l, &text);
    }
    put_sorted(&l, out, false, by_text);
    pl_err err = l.err;
    lines_clear(&l);
    return err;
}

/* How often a form of this type is there. */
static size_t count_forms(const pl_xml *info, const char *type)
{
    size_t n = 0;
    pl_err err = PL_OK;
    for (const pl_xml *x = pl_xml_child(info, NS_DATA, "x"); x; x = pl_xml_next(x, NS_DATA, "x")) {
        const pl_xml *other = form_type(x, &err);
        n += other && strcmp(other->text, type) == 0;
    }
    return n;
}

enum { FORMS_MAX = 16 }; /* looking for equal ones is quadratic */

static pl_err put_forms(const pl_xml *info, pl_buf *out)
{
    lines l = { 0 };
    for (const pl_xml *x = pl_xml_child(info, NS_DATA, "x"); x; x = pl_xml_next(x, NS_DATA, "x")) {
        pl_err err = PL_OK;
        const pl_xml *type = form_type(x, &err);
        if (!type)
            continue;
        if (l.n == FORMS_MAX || count_forms(info, type->text) > 1)
            err = PL_EPROTO;
        if (err) {
            l.err = err;
            break;
        }
        pl_buf text = pl_buf_init(TEXT_MAX);
        pl_buf_addf(&text, "%s<", plain(&l, type->text, "<"));
        err = put_fields(x, &text);
        l.err = l.err ? l.err : err;
        lines_add(&l, &text);
    }
    put_sorted(&l, out, true, by_text);
    pl_err err = l.err;
    lines_clear(&l);
    return err;
}

pl_err pl_caps_ver(const pl_xml *info, char out[PL_CAPS_VER_LEN + 1])
{
    uint8_t hash[PL_SHA1_LEN];
    pl_buf text = pl_buf_init(TEXT_MAX);
    pl_err err = put_identities(info, &text);
    err = err ? err : put_features(info, &text);
    err = err ? err : put_forms(info, &text);
    if (!err && text.bad)
        err = PL_ENOMEM;
    if (!err) {
        pl_sha1(text.p, text.n, hash);
        pl_base64_encode(hash, sizeof hash, out);
    }
    pl_buf_clear(&text);
    return err;
}
