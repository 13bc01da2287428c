/* XML as servers send it, as it must not be, and as an enemy would. */
#include "pl_test.h"

#include "xml/reader.h"

static const char stream_text[] =
    "<?xml version='1.0' encoding='utf-8'?>\n"
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='s1' "
    "version='1.0' "
    "xml:lang='en'>\n<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features> "
    "<message from='a@b/c' p:x='1' xmlns:p='urn:p'><body>1 &lt; 2 &amp; <b xmlns=''>x</b> "
    "\xc3\xa9&#233;<![CDATA[<&>]]>"
    "</body></message>\n \n<iq/></stream:stream>";

/* Reads everything in pieces of `step` bytes and writes what came into `out`. */
static pl_err read_all(pl_xml_reader *r, const char *text, size_t len, size_t step, pl_buf *out)
{
    pl_err err = PL_OK;
    for (size_t at = 0; at < len && !err; at += step) {
        pl_xml_read read;
        err = pl_xml_reader_input(r, text + at, step < len - at ? step : len - at);
        while (pl_xml_reader_poll(r, &read)) {
            pl_buf_addf(out, "%s",
                        read.type == PL_XML_OPENED   ? "[open]"
                        : read.type == PL_XML_CLOSED ? "[close]"
                                                     : "");
            pl_xml_write(read.element, PL_NS_CLIENT, out);
            pl_xml_free(read.element);
        }
    }
    return err;
}

PL_TEST(a_stream_in_pieces_of_every_size)
{
    static const char want[] =
        "[open]<stream xmlns='http://etherx.jabber.org/streams' id='s1' version='1.0' xml:lang='en'/>"
        "<features xmlns='http://etherx.jabber.org/streams'><starttls "
        "xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></features>"
        "<message from='a@b/c' xmlns:a0='urn:p' a0:x='1'><body>1 &lt; 2 &amp;  \xc3\xa9\xc3\xa9&lt;&amp;&gt;"
        "<b xmlns=''>x</b></body></message><iq/>[close]";
    pl_xml_reader *r;
    PL_EQ(pl_xml_reader_new(&r, PL_XML_STREAM, 0), PL_OK);
    for (size_t step = 1; step <= sizeof stream_text; step++) {
        pl_buf out = pl_buf_init(10000);
        PL_EQ(read_all(r, stream_text, sizeof stream_text - 1, step, &out), PL_OK);
        PL_STREQ(pl_buf_z(&out), want);
        pl_buf_clear(&out);
        pl_xml_reader_reset(r); /* the next one begins with an XML declaration again */
    }
    pl_xml_reader_free(r);
}

PL_TEST(a_reset_forgets_what_was_half_read)
{
    pl_xml_reader *r;
    PL_EQ(pl_xml_reader_new(&r, PL_XML_STREAM, 0), PL_OK);
    for (size_t cut = 0; cut < sizeof stream_text; cut++) {
        PL_EQ(pl_xml_reader_input(r, stream_text, cut), PL_OK);
        pl_xml_reader_reset(r);
        pl_xml_read none;
        PL_OKAY(!pl_xml_reader_poll(r, &none));
    }
    PL_EQ(pl_xml_reader_input(r, "<a>>", 4), PL_EPROTO);
    PL_EQ(pl_xml_reader_input(r, "<a/>", 4), PL_EPROTO); /* sticks */
    PL_OKAY(*pl_xml_reader_why(r));
    pl_xml_reader_reset(r);
    PL_STREQ(pl_xml_reader_why(r), "");
    PL_EQ(pl_xml_reader_input(r, "<a>", 3), PL_OK);
    pl_xml_reader_free(r);
}

static void refused(const char *text, size_t len, pl_err want)
{
    for (size_t step = 1; step <= len; step = step < 9 ? step + 1 : step * 7) {
        pl_xml_reader *r;
        pl_buf out = pl_buf_init(1 << 20);
        PL_EQ(pl_xml_reader_new(&r, PL_XML_STREAM, 0), PL_OK);
        pl_err err = read_all(r, text, len, step, &out);
        if (err != want)
            print_error("in pieces of %zu: %.60s\n", step, text);
        PL_EQ(err, want);
        pl_xml_reader_free(r);
        pl_buf_clear(&out);
    }
}

PL_TEST(what_a_stream_may_not_hold)
{
    static const char *const bad[] = {
        "<s><!-- c --></s>",
        "<!-- c --><s/>",
        "<s><?php x?></s>",
        "<?xml-stylesheet href='x'?><s/>",
        "<!DOCTYPE s><s/>",
        "<!DOCTYPE s SYSTEM 'file:///etc/passwd'><s/>",
        "<!DOCTYPE s [<!ENTITY a 'b'>]><s>&a;</s>",
        "<!DOCTYPE s [<!ENTITY % p SYSTEM 'http://x/'>%p;]><s/>",
        "<s>&nbsp;</s>",
        "<s><a>&a;</a></s>",
        "<s>text</s>",
        "<s><a/>x<a/></s>",
        "<s><a></b></s>",
        "<s></s><s/>",
        "<s></s>x",
        "<?xml version='1.1'?><s/>",
        "<?xml version='1.0' encoding='ISO-8859-1'?><s/>",
        "<?xml version='1.0' encoding='UTF-16'?><s/>",
        "<s><p:a/></s>",
        "<s><a p:b='1'/></s>",
        "<s><a b='1' b='2'/></s>",
        "<s><a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/></s>",
        "<s><a b='<'/></s>",
        "<s><a>&#0;</a></s>",
        "<s><a>&#x1;</a></s>",
        "<s><a>&#xfffe;</a></s>",
        "<s><a>&#xd800;</a></s>",
        "<s><a>\x01</a></s>",
        "<s><a>\xff</a></s>",
        "<s><a>\xc0\xaf</a></s>",
        "<s><a>\xed\xa0\x80</a></s>",
        "<s><a b='\xe2\x28\xa1'/></s>",
        "<s><\xc3\x28/></s>",
        "\xfe\xff <s>",
        "GET / HTTP/1.1\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(bad[i], strlen(bad[i]), PL_EPROTO);
}

PL_TEST(bombs_do_not_go_off)
{
    pl_buf lol = pl_buf_init(1 << 16);
    pl_buf_addf(&lol, "<?xml version='1.0'?><!DOCTYPE s [<!ENTITY a0 'lollollollollollol'>");
    for (int i = 1; i < 30; i++)
        pl_buf_addf(&lol, "<!ENTITY a%d '&a%d;&a%d;&a%d;&a%d;&a%d;'>", i, i - 1, i - 1, i - 1, i - 1, i - 1);
    pl_buf_addf(&lol, "]><s><a>&a29;</a></s>");
    refused(lol.p, lol.n, PL_EPROTO);
    pl_buf_clear(&lol);
}

static void flood(const char *head, const char *again, size_t n, pl_err want)
{
    pl_buf text = pl_buf_init(64 << 20);
    pl_buf_addf(&text, "%s", head);
    for (size_t i = 0; i < n; i++)
        pl_buf_addf(&text, "%s", again);
    PL_OKAY(!text.bad);
    static const size_t steps[] = { 1, 1000, 64 << 20 };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        pl_xml_reader *r;
        pl_buf out = pl_buf_init(64 << 20);
        PL_EQ(pl_xml_reader_new(&r, PL_XML_STREAM, 0), PL_OK);
        PL_EQ(read_all(r, text.p, text.n, steps[i], &out), want);
        pl_xml_reader_free(r);
        pl_buf_clear(&out);
    }
    pl_buf_clear(&text);
}

PL_TEST(nothing_grows_without_end)
{
    flood("<s>", "<a>", PL_XML_DEPTH_MAX, PL_OK);
    flood("<s>", "<a>", PL_XML_DEPTH_MAX + 1, PL_ENOSPC);
    flood("<s>", "<a>", 100000, PL_ENOSPC);
    flood("<s><a>", "text ", 100000, PL_ENOSPC);
    flood("<s><a>", "<b/>", 100000, PL_ENOSPC);
    flood("<s><a>", "&amp;", 100000, PL_ENOSPC);
    flood("<s><a b='", "xxxxxxxxxx", 10000, PL_ENOSPC);
    flood("<s ", "xxxxxxxxxx", 10000, PL_ENOSPC);
    flood("<s><", "xxxxxxxxxx", 10000, PL_ENOSPC);
    flood("<!--", "xxxxxxxxxx", 10000, PL_ENOSPC);
    flood("<?xml version='1.0' ", "          ", 10000, PL_ENOSPC);
    flood("<s><![CDATA[", "x", 10000, PL_EPROTO); /* between stanzas */
    flood("<s><a><![CDATA[", "xxxxxxxxxx", 100000, PL_ENOSPC);
    flood("<s>", " ", 1000000, PL_OK); /* white space keeps a link alive, and costs nothing */
}

PL_TEST(too_many_attributes)
{
    char text[8192] = "<s><a ";
    for (int i = 0; i <= PL_XML_ATTRS_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "a%d='' ", i);
    snprintf(text + strlen(text), sizeof text - strlen(text), "/></s>");
    refused(text, strlen(text), PL_ENOSPC);
}

PL_TEST(stanzas_of_the_greatest_length)
{
    pl_xml_reader *r;
    pl_buf out = pl_buf_init(10000);
    PL_EQ(pl_xml_reader_new(&r, PL_XML_STREAM, 20), PL_OK);
    PL_EQ(read_all(r, "<s><a>0123456789</a>", 20, 3, &out), PL_OK);
    PL_EQ(read_all(r, "<a>0123456789012</a>", 20, 3, &out), PL_OK);
    PL_EQ(read_all(r, "<a>0123456789012345678</a>", 26, 3, &out), PL_ENOSPC);
    PL_STREQ(out.p, "[open]<s xmlns=''/><a xmlns=''>0123456789</a><a xmlns=''>0123456789012</a>");
    pl_xml_reader_free(r);
    pl_buf_clear(&out);
}

PL_TEST(documents)
{
    static const char text[] = "<?xml version='1.0'?>\n<body xmlns='urn:b' a='1'>t<c/></body>\n";
    pl_xml *e;
    PL_EQ(pl_xml_parse(&e, PL_STR(text)), PL_OK);
    PL_OKAY(pl_xml_is(e, "urn:b", "body") && pl_xml_is(e->first, "urn:b", "c") && !e->parent);
    PL_STREQ(e->text, "t");
    pl_xml_free(e);
    for (size_t cut = 0; cut < sizeof text - 2; cut++) {
        PL_EQ(pl_xml_parse(&e, (pl_str){ text, cut }), PL_EPROTO);
        PL_OKAY(!e);
    }
    PL_EQ(pl_xml_parse(&e, PL_STR("<a/><b/>")), PL_EPROTO);
    PL_EQ(pl_xml_parse(&e, PL_STR("<a/>x")), PL_EPROTO);
    PL_EQ(pl_xml_parse(&e, PL_STR("x<a/>")), PL_EPROTO);
    PL_EQ(pl_xml_parse(&e, PL_STR("<a/><!-- -->")), PL_EPROTO);
}

/* What is written and read is what it was. */
PL_TEST(round_trip)
{
    pl_buf one = pl_buf_init(10000), two = pl_buf_init(10000);
    pl_xml *e = pl_xml_new("urn:\"'&<x>", "e"), *again;
    pl_xml_set(e, "a", " \t\r\n'\"<>&\xf0\x9f\x98\x80 ");
    pl_xml_set_ns(e, "urn:c", "a", "1");
    pl_xml_set_ns(e, PL_NS_XML, "lang", "sr-Latn");
    pl_xml_add_text(e, "", "none", "]]> \r\n\r \xc3\xbc");
    pl_xml_write(e, "", &one);
    PL_EQ(pl_xml_parse(&again, (pl_str){ one.p, one.n }), PL_OK);
    pl_xml_write(again, "", &two);
    PL_STREQ(pl_buf_z(&one), pl_buf_z(&two));
    PL_STREQ(pl_xml_attr_of(again, "a"), pl_xml_attr_of(e, "a"));
    PL_STREQ(again->first->text, e->first->text);
    PL_STREQ(again->ns, e->ns);
    pl_xml_free(e);
    pl_xml_free(again);
    pl_buf_clear(&one);
    pl_buf_clear(&two);
}

PL_TESTS(t(a_stream_in_pieces_of_every_size), t(a_reset_forgets_what_was_half_read),
         t(what_a_stream_may_not_hold), t(bombs_do_not_go_off), t(nothing_grows_without_end),
         t(too_many_attributes), t(stanzas_of_the_greatest_length), t(documents), t(round_trip))
