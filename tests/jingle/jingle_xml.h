/* jingle_xml.h - XML of tests: from text, to text. */
#ifndef PL_TESTS_JINGLE_XML_H
#define PL_TESTS_JINGLE_XML_H

#include "xml/reader.h"

static inline pl_xml *xml_of(const char *text)
{
    pl_xml *e = NULL;
    if (pl_xml_parse(&e, pl_str_of(text)))
        print_error("not well-formed:\n%s\n", text);
    assert_non_null(e);
    return e;
}

/* To be freed. */
static inline char *xml_text(const pl_xml *e)
{
    pl_buf b = pl_buf_init(1 << 20);
    pl_xml_write(e, NULL, &b);
    return pl_buf_take(&b);
}

/* Through text and back, as over a wire. */
static inline pl_xml *xml_carried(const pl_xml *e)
{
    char *text = xml_text(e);
    pl_xml *back = xml_of(text);
    free(text);
    return back;
}

#endif
