/* Files in words. */
#include "jingle/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypto/base64.h"

/* --- hashes ----------------------------------------------------------------------------------------------------- */

const pl_jingle_hash *pl_jingle_file_hash(const pl_jingle_file *f, const char *algo)
{
    for (size_t i = 0; i < f->n_hashes; i++) {
        if (strcmp(f->hash[i].algo, algo) == 0)
            return &f->hash[i];
    }
    return NULL;
}

bool pl_jingle_file_add_hash(pl_jingle_file *f, const char *algo, const uint8_t *value, size_t len)
{
    if (f->n_hashes == PL_JINGLE_FILE_HASHES_MAX || len > PL_JINGLE_FILE_HASH_MAX)
        return false;
    pl_jingle_hash h = { .len = (uint8_t)len, .used_only = len == 0 };
    if (!pl_str_copy(pl_str_of(algo), h.algo, sizeof h.algo))
        return false;
    if (len)
        memcpy(h.value, value, len);
    f->hash[f->n_hashes++] = h;
    return true;
}

static void write_hashes(pl_xml *in, const pl_jingle_file *f)
{
    for (size_t i = 0; i < f->n_hashes; i++) {
        const pl_jingle_hash *h = &f->hash[i];
        char text[PL_BASE64_LEN(PL_JINGLE_FILE_HASH_MAX) + 1];
        size_t n = pl_base64_encode(h->value, h->len, text);
        pl_xml *e = pl_xml_add(in, PL_NS_HASHES, h->used_only ? "hash-used" : "hash");
        pl_xml_set(e, "algo", h->algo);
        if (!h->used_only)
            pl_xml_say(e, (pl_str){ text, n });
    }
}

static pl_str bare_text(const char *text)
{
    static const char blank[] = " \t\r\n";
    pl_str t = pl_str_of(text);
    while (t.n && strchr(blank, t.p[0]))
        t = (pl_str){ t.p + 1, t.n - 1 };
    while (t.n && strchr(blank, t.p[t.n - 1]))
        t.n--;
    return t;
}

/* More than we can keep are passed over: one that we know is enough. */
static pl_err read_hash(pl_jingle_file *f, const pl_xml *e)
{
    uint8_t value[PL_JINGLE_FILE_HASH_MAX];
    size_t len = 0;
    const char *algo = pl_xml_attr_of(e, "algo");
    bool used_only = strcmp(e->name, "hash-used") == 0;
    pl_str text = bare_text(e->text);
    if (!algo || !algo[0] ||
        (!used_only && (!pl_base64_decode(text.p, text.n, value, sizeof value, &len) || len == 0)))
        return PL_EPROTO;
    (void)pl_jingle_file_add_hash(f, algo, value, len);
    return PL_OK;
}

/* --- the file --------------------------------------------------------------------------------------------------- */

static void write_text(pl_xml *file, const char *name, const char *text)
{
    if (text[0])
        pl_xml_add_text(file, NULL, name, text);
}

pl_xml *pl_jingle_file_write(pl_xml *content, const pl_jingle_file *f)
{
    pl_xml *description = pl_xml_add(content, PL_NS_JINGLE_FILE, "description"),
           *file = pl_xml_add(description, NULL, "file");
    write_text(file, "date", f->date);
    write_text(file, "desc", f->desc);
    write_text(file, "media-type", f->media_type);
    write_text(file, "name", f->name);
    char size[24];
    snprintf(size, sizeof size, "%" PRIu64, f->size);
    if (f->has_size)
        pl_xml_add_text(file, NULL, "size", size);
    if (f->has_range) {
        pl_xml *range = pl_xml_add(file, NULL, "range");
        if (f->range_offset)
            pl_xml_set_u64(range, "offset", f->range_offset);
        if (f->range_length)
            pl_xml_set_u64(range, "length", f->range_length);
    }
    write_hashes(file, f);
    return description;
}

/* Nobody who sends a file says where it lies here. */
static bool read_name(const char *text, pl_jingle_file *f)
{
    pl_str name = bare_text(text);
    for (size_t i = name.n; i > 0; i--) {
        if (name.p[i - 1] == '/' || name.p[i - 1] == '\\') {
            name = (pl_str){ name.p + i, name.n - i };
            break;
        }
    }
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
            return false;
    }
    return name.n && !pl_str_is(name, ".") && !pl_str_is(name, "..") &&
           pl_str_copy(name, f->name, sizeof f->name);
}

static pl_err read_range(const pl_xml *range, pl_jingle_file *f)
{
    f->has_range = true;
    if (pl_xml_attr_of(range, "offset") && !pl_xml_attr_u64(range, "offset", UINT64_MAX, &f->range_offset))
        return PL_EPROTO;
    if (pl_xml_attr_of(range, "length") && !pl_xml_attr_u64(range, "length", UINT64_MAX, &f->range_length))
        return PL_EPROTO;
    return PL_OK;
}

static pl_err read_child(const pl_xml *c, pl_jingle_file *f)
{
    if (strncmp(c->ns, "urn:xmpp:hashes:", 16) == 0)
        return strcmp(c->name, "hash") == 0 || strcmp(c->name, "hash-used") == 0 ? read_hash(f, c) : PL_OK;
    if (strcmp(c->name, "name") == 0)
        return read_name(c->text, f) ? PL_OK : PL_EPROTO;
    if (strcmp(c->name, "range") == 0)
        return read_range(c, f);
    if (strcmp(c->name, "size") == 0) {
        f->has_size = pl_str_u64(bare_text(c->text), UINT64_MAX, &f->size);
        return f->has_size ? PL_OK : PL_EPROTO;
    }
    if (strcmp(c->name, "media-type") == 0)
        return pl_str_copy(bare_text(c->text), f->media_type, sizeof f->media_type) ? PL_OK : PL_ENOSPC;
    if (strcmp(c->name, "date") == 0)
        return pl_str_copy(bare_text(c->text), f->date, sizeof f->date) ? PL_OK : PL_ENOSPC;
    if (strcmp(c->name, "desc") == 0 && !pl_str_copy(bare_text(c->text), f->desc, sizeof f->desc))
        f->desc[0] = 0; /* talk, and too much of it */
    return PL_OK;
}

pl_err pl_jingle_file_parse(const pl_xml *description, pl_jingle_file *out)
{
    *out = (pl_jingle_file){ 0 };
    if (!pl_xml_is(description, PL_NS_JINGLE_FILE, "description") &&
        !pl_xml_is(description, PL_NS_JINGLE_FILE_4, "description"))
        return PL_EPROTO;
    const pl_xml *file = pl_xml_child(description, description->ns, "file");
    if (!file)
        return PL_EPROTO;
    pl_err err = PL_OK;
    for (const pl_xml *c = file->first; c && !err; c = c->next)
        err = read_child(c, out);
    return err;
}

bool pl_jingle_file_part(const pl_jingle_file *f, uint64_t *offset, uint64_t *length)
{
    *offset = f->has_range ? f->range_offset : 0;
    *length = f->has_range ? f->range_length : 0;
    if (!f->has_size)
        return true;
    if (*offset > f->size || *length > f->size - *offset)
        return false;
    if (!*length)
        *length = f->size - *offset;
    return true;
}

/* --- infos ------------------------------------------------------------------------------------------------------ */

static pl_xml *info(const char *word, const char *creator, const char *content)
{
    pl_xml *e = pl_xml_new(PL_NS_JINGLE_FILE, word);
    pl_xml_set(e, "creator", creator);
    pl_xml_set(e, "name", content);
    return e;
}

pl_xml *pl_jingle_file_received(const char *creator, const char *content)
{
    return info("received", creator, content);
}

pl_xml *pl_jingle_file_checksum(const char *creator, const char *content, const pl_jingle_file *f)
{
    pl_xml *e = info("checksum", creator, content);
    write_hashes(pl_xml_add(e, NULL, "file"), f);
    return e;
}

pl_err pl_jingle_file_checksum_parse(const pl_xml *checksum, pl_jingle_file *out)
{
    *out = (pl_jingle_file){ 0 };
    const pl_xml *file = checksum ? pl_xml_child(checksum, checksum->ns, "file") : NULL;
    pl_err err = file ? PL_OK : PL_EPROTO;
    for (const pl_xml *c = file ? file->first : NULL; c && !err; c = c->next) {
        if (strncmp(c->ns, "urn:xmpp:hashes:", 16) == 0)
            err = read_child(c, out);
    }
    return !err && out->n_hashes == 0 ? PL_EPROTO : err;
}

/* --- what came before ------------------------------------------------------------------------------------------- */

pl_xml *pl_jingle_file_answer_si(const pl_xml *iq)
{
    const pl_xml *si = pl_xml_child(iq, PL_NS_SI, "si");
    const char *from = iq ? pl_xml_attr_of(iq, "from") : NULL, *id = iq ? pl_xml_attr_of(iq, "id") : NULL;
    if (!si || !from || !id || !pl_xml_attr_is(iq, "type", "set"))
        return NULL;
    pl_xml *answer = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_set(answer, "to", from);
    pl_xml_set(answer, "id", id);
    pl_xml_set(answer, "type", "error");
    pl_xml *error = pl_xml_add(answer, NULL, "error");
    pl_xml_set(error, "type", "cancel");
    pl_xml_add(error, "urn:ietf:params:xml:ns:xmpp-stanzas", "bad-request");
    pl_xml_add(error, PL_NS_SI, "bad-profile");
    pl_xml *text = pl_xml_add_text(error, "urn:ietf:params:xml:ns:xmpp-stanzas", "text",
                                   "Files are sent by Jingle: " PL_NS_JINGLE_FILE);
    pl_xml_set_ns(text, PL_NS_XML, "lang", "en");
    if (!pl_xml_err(answer))
        return answer;
    pl_xml_free(answer);
    return NULL;
}
