/* XML from anybody, in pieces: what is read can be written and read again, and is the same then. */
#include "xml/reader.h"

#include <stdlib.h>

static void round_trip(const pl_xml *e)
{
    pl_buf one = pl_buf_init(64 << 20), two = pl_buf_init(64 << 20);
    pl_xml *again;
    pl_xml_write(e, NULL, &one);
    if (one.bad)
        abort();
    pl_err err = pl_xml_parse(&again, (pl_str){ one.p, one.n });
    if (err == PL_EPROTO)
        abort(); /* too long and too much may be: prefixes become longer */
    if (!err) {
        pl_xml_write(again, NULL, &two);
        if (two.n != one.n || memcmp(one.p, two.p, one.n) != 0)
            abort();
        pl_xml_free(again);
    }
    pl_buf_clear(&one);
    pl_buf_clear(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_xml_reader *r;
    pl_xml_read read;
    if (size < 2 || pl_xml_reader_new(&r, data[0] & 1 ? PL_XML_DOCUMENT : PL_XML_STREAM, 16384))
        return 0;
    size_t piece = 1 + (data[0] >> 1);
    for (size_t at = 1; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        if (data[at] == 0xff) /* never in UTF-8: the stream begins anew here */
            pl_xml_reader_reset(r);
        else if (pl_xml_reader_input(r, data + at, n))
            break;
        while (pl_xml_reader_poll(r, &read)) {
            if (read.element)
                round_trip(read.element);
            pl_xml_free(read.element);
        }
    }
    pl_xml_reader_free(r);
    return 0;
}
