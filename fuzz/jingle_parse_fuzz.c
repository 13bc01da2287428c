/* Any XML: contents are refused, or read, written and read again equal, by either side and transport; and what can be read
 * is a description that SDP can say and read back (its candidates and names hold no second line). */
#include <stdlib.h>

#include "jingle/ancient.h"
#include "jingle/parse.h"
#include "jingle/stanza.h"
#include "jingle/write.h"
#include "xml/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
    if (!truth)
        abort();
}

static bool is_part(const pl_desc *d)
{
    for (size_t i = 0; i < d->media.n; i++) {
        if (d->media.at[i].kind == PL_DESC_OTHER)
            return true;
    }
    return false;
}

static void no_second_line(const pl_desc *d)
{
    for (size_t i = 0; i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        for (size_t k = 0; k < m->candidates.n; k++)
            must(!strpbrk(m->candidates.at[k], "\r\n"));
        for (size_t k = 0; k < m->codecs.n; k++)
            must(!m->codecs.at[k].fmtp || !strpbrk(m->codecs.at[k].fmtp, "\r\n"));
        must(m->mid && !strpbrk(m->mid, " \r\n"));
    }
}

static void read_one(const pl_xml *jingle, bool by_initiator)
{
    pl_jingle_parse_conf conf = { .by_initiator = by_initiator, .allow_insecure = true };
    pl_jingle_fault fault;
    pl_desc *d, *back;
    if (pl_jingle_parse(&d, jingle, &conf, &fault)) {
        must(fault.text[0] != 0);
        return;
    }
    no_second_line(d);
    if (!is_part(d)) {
        pl_xml *out = pl_xml_new(PL_NS_JINGLE, "jingle");
        pl_jingle_write_conf how = { .by_initiator = by_initiator };
        pl_err err = pl_jingle_write(d, out, &how);
        must(err == PL_OK || err == PL_ENOSPC || err == PL_ENOTSUP);
        if (!err && pl_jingle_parse(&back, out, &conf, &fault) == PL_OK) {
            must(back->media.n <= d->media.n);
            pl_desc_free(back);
        }
        pl_xml_free(out);
    }
    pl_desc_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_xml *e;
    if (pl_xml_parse(&e, (pl_str){ (const char *)data, size }))
        return 0;
    read_one(e, size % 2);
    pl_xml *then = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_add_copy(then, e);
    pl_xml *now = pl_jingle_from_2007(then);
    if (now) {
        const char *condition, *text;
        const pl_xml *payload;
        (void)pl_jingle_error_in(now, &condition, &text);
        (void)pl_jingle_reason_in(now->first, &text);
        (void)pl_jingle_info_in(now->first, &payload);
        read_one(now->first, size % 2);
        pl_jingle_to_2007(now);
    }
    pl_xml_free(now);
    pl_xml_free(then);
    pl_xml_free(e);
    return 0;
}
