/* expat's events to elements. What a stream may not hold stops the parser on the spot. */
#include "xml/reader.h"

#include <assert.h>
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "xml/element_internal.h"

enum {
    STANZA_MAX = 256 * 1024,
    TOKEN_MAX = 64 * 1024, /* bytes of one tag: expat reads an unfinished one again with every piece */
    PATIENCE = 1024,       /* beyond so many bytes of a tag we wait for a '>' before expat looks again */
    SEPARATOR = '\n',      /* between namespace and name, as expat gives them; stands in neither */
};

/* Since 2.6.0, and in distributions' older ones: expat itself puts off reading an unfinished tag again, and then a
 * finished one waits for the next bytes, too, which a stanza cannot. hold_back() below does it without that. Weak,
 * since older ones have it not. */
/* NOLINTNEXTLINE(readability-redundant-declaration) */
XML_Bool XML_SetReparseDeferralEnabled(XML_Parser parser, XML_Bool enabled) __attribute__((weak));

typedef struct ready {
    struct ready *next;
    pl_xml_read read;
} ready;

struct pl_xml_reader {
    pl_xml_reader_kind kind;
    XML_Parser parser;
    size_t stanza_max;
    pl_xml *at;     /* innermost open element of the tree being built; NULL: between stanzas */
    pl_xml *root;   /* of that tree */
    unsigned depth; /* open elements, the stream's own included */
    bool over;      /* the outermost element has ended */
    bool parsing;   /* XML_Parse is running */
    uint64_t fed;   /* bytes given to expat */
    uint64_t told;  /* of them, those that something was told about: all but an unfinished tag or comment */
    uint64_t since; /* where the stanza under way began */
    pl_buf held;    /* of an unfinished tag, not given to expat yet */
    ready *first, **last;
    pl_err err;
    char why[96];
};

static void fail(pl_xml_reader *r, pl_err err, const char *why)
{
    if (r->err)
        return;
    r->err = err;
    snprintf(r->why, sizeof r->why, "%s", why);
    if (r->parsing)
        XML_StopParser(r->parser, XML_FALSE);
}

/* ---- what is ready ---- */

/* Takes the element. */
static void give(pl_xml_reader *r, pl_xml_read_type type, pl_xml *element)
{
    ready *n = malloc(sizeof *n);
    if (!n) {
        pl_xml_free(element);
        fail(r, PL_ENOMEM, "no memory");
        return;
    }
    *n = (ready){ .read = { type, element } };
    *r->last = n;
    r->last = &n->next;
}

bool pl_xml_reader_poll(pl_xml_reader *r, pl_xml_read *out)
{
    ready *n = r->first;
    if (!n)
        return false;
    *out = n->read;
    r->first = n->next;
    if (!r->first)
        r->last = &r->first;
    free(n);
    return true;
}

/* ---- what expat tells ---- */

static pl_str name_of(const char *both, pl_str *ns)
{
    const char *at = strrchr(both, SEPARATOR);
    *ns = at ? (pl_str){ both, (size_t)(at - both) } : (pl_str){ 0 };
    return pl_str_of(at ? at + 1 : both);
}

/* Where what is being told begins. Only in what expat calls, so every one of these begins with it. */
static uint64_t here(pl_xml_reader *r)
{
    XML_Index at = XML_GetCurrentByteIndex(r->parser);
    uint64_t from = at < 0 ? r->told : (uint64_t)at;
    r->told = from + (uint64_t)XML_GetCurrentByteCount(r->parser);
    return from;
}

static bool within_limit(pl_xml_reader *r)
{
    if (here(r) - r->since <= r->stanza_max)
        return true;
    fail(r, PL_ENOSPC, "stanza is too long");
    return false;
}

static pl_xml *begin(pl_xml_reader *r, pl_str ns, pl_str name)
{
    if (r->at)
        return xml_add(r->at, ns, name);
    r->root = xml_new(ns, name);
    return r->root;
}

static void on_start(void *user, const XML_Char *both, const XML_Char **attrs)
{
    pl_xml_reader *r = user;
    pl_str ns, name = name_of(both, &ns);
    bool opens_stream = r->kind == PL_XML_STREAM && r->depth == 0;
    if (r->err)
        return;
    if (!r->at)
        r->since = here(r);
    if (!within_limit(r))
        return;
    pl_xml *e = begin(r, ns, name);
    for (; e && *attrs; attrs += 2) {
        name = name_of(attrs[0], &ns);
        xml_set(e, ns, name, pl_str_of(attrs[1]));
    }
    r->depth++;
    pl_err err = pl_xml_err(e ? e : r->at);
    if (err) {
        fail(r, err == PL_EINVAL ? PL_EPROTO : err, err == PL_ENOSPC ? "too deep, too many" : "bad element");
    } else if (opens_stream) {
        r->root = NULL;
        give(r, PL_XML_OPENED, e);
    } else {
        r->at = e;
    }
}

static void on_end(void *user, const XML_Char *both)
{
    pl_xml_reader *r = user;
    (void)both;
    if (r->err)
        return;
    r->depth--;
    if (!within_limit(r))
        return;
    if (!r->at) {
        assert(r->kind == PL_XML_STREAM && r->depth == 0);
        r->over = true;
        give(r, PL_XML_CLOSED, NULL);
        return;
    }
    r->at = r->at->parent;
    if (r->at)
        return;
    pl_xml *whole = r->root;
    r->root = NULL;
    r->over = r->kind == PL_XML_DOCUMENT;
    give(r, PL_XML_ELEMENT, whole);
}

static void on_text(void *user, const XML_Char *text, int len)
{
    pl_xml_reader *r = user;
    (void)here(r);
    if (r->err)
        return;
    if (!r->at) {
        for (int i = 0; i < len; i++) {
            if (!strchr(" \t\r\n", text[i]) || !text[i])
                fail(r, PL_EPROTO, "text between stanzas");
        }
        return;
    }
    if (!within_limit(r))
        return;
    pl_xml_say(r->at, (pl_str){ text, (size_t)len });
    pl_err err = pl_xml_err(r->at);
    if (err)
        fail(r, err == PL_EINVAL ? PL_EPROTO : err,
             err == PL_EINVAL ? "no character of XML" : "too much text");
}

static void on_declaration(void *user, const XML_Char *version, const XML_Char *encoding, int standalone)
{
    (void)standalone;
    (void)here(user);
    if (!version || strcmp(version, "1.0") != 0 || (encoding && strcasecmp(encoding, "UTF-8") != 0))
        fail(user, PL_EPROTO, "neither XML 1.0 nor UTF-8");
}

/* What nobody else takes, as white space before the first tag. */
static void on_other(void *user, const XML_Char *text, int len)
{
    (void)text, (void)len;
    (void)here(user);
}

static void on_doctype(void *user, const XML_Char *name, const XML_Char *sys, const XML_Char *pub, int subset)
{
    (void)name, (void)sys, (void)pub, (void)subset;
    fail(user, PL_EPROTO, "document type declaration");
}

/* Cannot come without a document type; if it ever does, it ends here. */
static void on_entity(void *user, const XML_Char *name, int parameter, const XML_Char *value, int len,
                      const XML_Char *base, const XML_Char *sys, const XML_Char *pub,
                      const XML_Char *notation)
{
    (void)name, (void)parameter, (void)value, (void)len, (void)base, (void)sys, (void)pub, (void)notation;
    fail(user, PL_EPROTO, "entity declaration");
}

static void on_skipped(void *user, const XML_Char *name, int parameter)
{
    (void)name, (void)parameter;
    fail(user, PL_EPROTO, "reference to an entity");
}

static int on_external(XML_Parser parser, const XML_Char *context, const XML_Char *base, const XML_Char *sys,
                       const XML_Char *pub)
{
    (void)parser, (void)context, (void)base, (void)sys, (void)pub;
    return XML_STATUS_ERROR;
}

static void on_instruction(void *user, const XML_Char *target, const XML_Char *data)
{
    (void)target, (void)data;
    fail(user, PL_EPROTO, "processing instruction");
}

static void on_comment(void *user, const XML_Char *data)
{
    (void)data;
    fail(user, PL_EPROTO, "comment");
}

/* ---- verbs ---- */

static void listen(pl_xml_reader *r)
{
    XML_Parser p = r->parser;
    XML_SetUserData(p, r);
    XML_SetElementHandler(p, on_start, on_end);
    XML_SetCharacterDataHandler(p, on_text);
    XML_SetDefaultHandler(p, on_other);
    XML_SetXmlDeclHandler(p, on_declaration);
    XML_SetStartDoctypeDeclHandler(p, on_doctype);
    XML_SetEntityDeclHandler(p, on_entity);
    XML_SetSkippedEntityHandler(p, on_skipped);
    XML_SetExternalEntityRefHandler(p, on_external);
    XML_SetProcessingInstructionHandler(p, on_instruction);
    XML_SetCommentHandler(p, on_comment);
    XML_SetParamEntityParsing(p, XML_PARAM_ENTITY_PARSING_NEVER);
    if (XML_SetReparseDeferralEnabled)
        XML_SetReparseDeferralEnabled(p, XML_FALSE);
}

pl_err pl_xml_reader_new(pl_xml_reader **out, pl_xml_reader_kind kind, size_t stanza_max)
{
    *out = NULL;
    pl_xml_reader *r = calloc(1, sizeof *r);
    if (!r)
        return PL_ENOMEM;
    r->parser = XML_ParserCreateNS("UTF-8", SEPARATOR); /* whatever a declaration says */
    if (!r->parser) {
        free(r);
        return PL_ENOMEM;
    }
    r->kind = kind;
    r->stanza_max = stanza_max ? stanza_max : STANZA_MAX;
    r->held = pl_buf_init(TOKEN_MAX);
    r->last = &r->first;
    listen(r);
    *out = r;
    return PL_OK;
}

static void forget(pl_xml_reader *r)
{
    pl_xml_read read;
    while (pl_xml_reader_poll(r, &read))
        pl_xml_free(read.element);
    pl_xml_free(r->root);
    r->root = r->at = NULL;
    pl_buf_clear(&r->held);
}

void pl_xml_reader_free(pl_xml_reader *r)
{
    if (!r)
        return;
    forget(r);
    XML_ParserFree(r->parser);
    free(r);
}

void pl_xml_reader_reset(pl_xml_reader *r)
{
    assert(!r->parsing);
    forget(r);
    XML_ParserReset(r->parser, "UTF-8");
    listen(r);
    r->depth = 0;
    r->over = false;
    r->fed = r->told = r->since = 0;
    r->err = PL_OK;
    r->why[0] = 0;
}

static pl_err parse(pl_xml_reader *r, const char *data, size_t len)
{
    r->parsing = true;
    r->fed += len;
    enum XML_Status status = XML_Parse(r->parser, data, (int)len, XML_FALSE);
    r->parsing = false;
    if (status != XML_STATUS_OK && !r->err) {
        enum XML_Error code = XML_GetErrorCode(r->parser);
        fail(r, code == XML_ERROR_NO_MEMORY ? PL_ENOMEM : PL_EPROTO, XML_ErrorString(code));
    }
    return r->err;
}

/* Of a tag, a comment or the like that has not ended yet. */
static size_t unfinished(const pl_xml_reader *r)
{
    return r->fed > r->told ? (size_t)(r->fed - r->told) : 0;
}

/* A tag that comes byte by byte would cost its length squared. */
static bool hold_back(pl_xml_reader *r, const char *data, size_t len)
{
    if (unfinished(r) + r->held.n < PATIENCE || memchr(data, '>', len))
        return false;
    pl_buf_add(&r->held, data, len);
    if (r->held.bad || unfinished(r) + r->held.n > TOKEN_MAX)
        fail(r, r->held.n < TOKEN_MAX / 2 && r->held.bad ? PL_ENOMEM : PL_ENOSPC, "tag is too long");
    return true;
}

static pl_err feed(pl_xml_reader *r, const char *data, size_t len)
{
    if (hold_back(r, data, len))
        return r->err;
    if (r->held.n) {
        pl_buf before = r->held;
        r->held = pl_buf_init(TOKEN_MAX);
        (void)parse(r, before.p, before.n);
        pl_buf_clear(&before);
    }
    if (!r->err)
        (void)parse(r, data, len);
    if (!r->err && unfinished(r) > TOKEN_MAX)
        fail(r, PL_ENOSPC, "tag is too long");
    return r->err;
}

pl_err pl_xml_reader_input(pl_xml_reader *r, const void *data, size_t len)
{
    const char *p = data;
    while (len && !r->err) {
        size_t n = len < TOKEN_MAX / 2 ? len : TOKEN_MAX / 2;
        (void)feed(r, p, n);
        p += n;
        len -= n;
    }
    return r->err;
}

bool pl_xml_reader_is_between(const pl_xml_reader *r)
{
    return r->depth == 1 && unfinished(r) == 0 && r->held.n == 0;
}

const char *pl_xml_reader_why(const pl_xml_reader *r)
{
    return r->why;
}

pl_err pl_xml_parse(pl_xml **out, pl_str text)
{
    pl_xml_reader *r;
    pl_xml_read read = { 0 };
    *out = NULL;
    pl_err err = pl_xml_reader_new(&r, PL_XML_DOCUMENT, 0);
    if (err)
        return err;
    err = pl_xml_reader_input(r, text.p, text.n);
    if (!err && (!r->over || r->held.n || XML_Parse(r->parser, "", 0, XML_TRUE) != XML_STATUS_OK))
        err = PL_EPROTO;
    if (!err && !pl_xml_reader_poll(r, &read))
        err = PL_EPROTO;
    pl_xml_reader_free(r);
    *out = read.element;
    return err;
}
