/* Trees: built, looked at, written, copied, and what a tree refuses. */
#include "pl_test.h"

#include "pl_alloc.h"
#include "xml/element.h"

static const char *text_of(const pl_xml *e, const char *outer, pl_buf *out)
{
    pl_buf_clear(out);
    *out = pl_buf_init(PL_XML_BYTES_MAX);
    pl_xml_write(e, outer, out);
    return pl_buf_z(out);
}

PL_TEST(built_and_written)
{
    pl_buf out = pl_buf_init(0);
    pl_xml *iq = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_set(iq, "type", "get");
    pl_xml_set_u64(iq, "n", 18446744073709551615u);
    pl_xml_setf(iq, "id", "%s-%d", "a'b\"<>&\n", 7);
    pl_xml_set_ns(iq, PL_NS_XML, "lang", "de");
    pl_xml_add(iq, "urn:xmpp:ping", "ping");
    pl_xml *m = pl_xml_add(iq, NULL, "body");
    pl_xml_say(m, PL_STR("1 < 2 "));
    pl_xml_say(m, PL_STR("& ]]>\r\n"));
    PL_EQ(pl_xml_err(iq), PL_OK);
    PL_STREQ(text_of(iq, PL_NS_CLIENT, &out),
             "<iq type='get' n='18446744073709551615' id='a&apos;b\"&lt;&gt;&amp;&#10;-7' xml:lang='de'>"
             "<ping xmlns='urn:xmpp:ping'/><body>1 &lt; 2 &amp; ]]&gt;&#13;\n</body></iq>");
    pl_xml_set(iq, "n", NULL);
    pl_xml_set(iq, "id", NULL);
    pl_xml_set(iq, "type", "set");
    pl_xml_set_ns(iq, PL_NS_XML, "lang", NULL);
    pl_xml_remove(pl_xml_child(iq, NULL, "body"));
    PL_STREQ(text_of(iq, NULL, &out),
             "<iq xmlns='jabber:client' type='set'><ping xmlns='urn:xmpp:ping'/></iq>");
    pl_xml_free(iq);
    pl_buf_clear(&out);
}

PL_TEST(attributes_with_a_namespace_get_a_prefix)
{
    pl_buf out = pl_buf_init(0);
    pl_xml *e = pl_xml_new("", "e");
    pl_xml_set_ns(e, "urn:a&b", "x", "1");
    pl_xml_set_ns(e, "urn:c", "x", "2");
    pl_xml_set(e, "x", "3");
    PL_STREQ(text_of(e, "", &out), "<e xmlns:a0='urn:a&amp;b' a0:x='1' xmlns:a1='urn:c' a1:x='2' x='3'/>");
    PL_STREQ(pl_xml_attr_ns(e, "urn:c", "x"), "2");
    PL_STREQ(pl_xml_attr_of(e, "x"), "3");
    PL_OKAY(!pl_xml_attr_of(e, "y"));
    pl_xml_free(e);
    pl_buf_clear(&out);
}

PL_TEST(a_child_without_a_namespace_says_so)
{
    pl_buf out = pl_buf_init(0);
    pl_xml *e = pl_xml_new("urn:a", "e");
    pl_xml_add(pl_xml_add(e, "", "f"), "urn:a", "g");
    PL_STREQ(text_of(e, "", &out), "<e xmlns='urn:a'><f xmlns=''><g xmlns='urn:a'/></f></e>");
    pl_xml_free(e);
    pl_buf_clear(&out);
}

PL_TEST(children_are_found_by_name_and_namespace)
{
    pl_xml *e = pl_xml_new("urn:a", "e");
    pl_xml_add_text(e, NULL, "x", "1");
    pl_xml_add_text(e, "urn:b", "x", "2");
    pl_xml_add_text(e, NULL, "y", "3");
    pl_xml_add_text(e, NULL, "x", "4");
    PL_STREQ(pl_xml_child_text(e, "urn:b", "x"), "2");
    PL_STREQ(pl_xml_child_text(e, NULL, "y"), "3");
    PL_OKAY(!pl_xml_child_text(e, "urn:b", "y"));
    char seen[8] = "";
    for (pl_xml *c = pl_xml_child(e, "urn:a", "x"); c; c = pl_xml_next(c, "urn:a", "x"))
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s", c->text);
    PL_STREQ(seen, "14");
    int n = 0;
    for (pl_xml *c = pl_xml_child(e, NULL, NULL); c; c = pl_xml_next(c, NULL, NULL))
        n++;
    PL_EQ(n, 4);
    pl_xml_remove(e->first);
    pl_xml_remove(e->last);
    PL_STREQ(e->first->text, "2");
    PL_STREQ(e->last->text, "3");
    PL_OKAY(!e->last->next);
    pl_xml_add_text(e, NULL, "z", "5");
    PL_STREQ(e->last->text, "5");
    pl_xml_free(e);
}

PL_TEST(numbers_in_attributes)
{
    uint64_t v = 9;
    pl_xml *e = pl_xml_new("", "e");
    pl_xml_set(e, "h", "4294967295");
    pl_xml_set(e, "bad", "12 ");
    PL_OKAY(pl_xml_attr_u64(e, "h", UINT32_MAX, &v));
    PL_EQ(v, UINT32_MAX);
    PL_OKAY(!pl_xml_attr_u64(e, "h", UINT32_MAX - 1u, &v));
    PL_OKAY(!pl_xml_attr_u64(e, "bad", 100, &v));
    PL_OKAY(!pl_xml_attr_u64(e, "none", 100, &v));
    PL_OKAY(pl_xml_attr_is(e, "h", "4294967295") && !pl_xml_attr_is(e, "none", "") &&
            !pl_xml_attr_is(e, "h", NULL));
    pl_xml_free(e);
}

PL_TEST(a_copy_is_equal_and_apart)
{
    pl_buf a = pl_buf_init(0), b = pl_buf_init(0);
    pl_xml *e = pl_xml_new("urn:a", "e");
    pl_xml *f = pl_xml_add_text(e, "urn:b", "f", "text");
    pl_xml_set_ns(f, PL_NS_XML, "lang", "en");
    pl_xml *copy = pl_xml_copy(e), *part = pl_xml_copy(f);
    PL_STREQ(text_of(copy, "", &a), text_of(e, "", &b));
    PL_OKAY(!part->parent);
    PL_STREQ(text_of(part, "", &a), "<f xmlns='urn:b' xml:lang='en'>text</f>");
    pl_xml_free(part);
    pl_xml_add_copy(copy, e);
    pl_xml_add_copy(copy, copy); /* into itself: as it was before */
    PL_STREQ(
        text_of(copy, "", &a),
        "<e xmlns='urn:a'><f xmlns='urn:b' xml:lang='en'>text</f>"
        "<e><f xmlns='urn:b' xml:lang='en'>text</f></e>"
        "<e><f xmlns='urn:b' xml:lang='en'>text</f><e><f xmlns='urn:b' xml:lang='en'>text</f></e></e></e>");
    pl_xml_free(e);
    pl_xml_free(copy);
    pl_buf_clear(&a);
    pl_buf_clear(&b);
}

PL_TEST(nothing_is_taken_for_an_element)
{
    pl_xml *none = NULL;
    PL_OKAY(!pl_xml_add(none, "", "x") && !pl_xml_add_copy(none, none) && !pl_xml_copy(none));
    pl_xml_set(none, "a", "b");
    pl_xml_setf(none, "a", "%d", 1);
    pl_xml_say(none, PL_STR("x"));
    pl_xml_remove(none);
    PL_OKAY(!pl_xml_is(none, NULL, NULL) && !pl_xml_child(none, NULL, NULL) &&
            !pl_xml_next(none, NULL, NULL));
    PL_OKAY(!pl_xml_attr_of(none, "a") && !pl_xml_child_text(none, NULL, "a"));
    PL_EQ(pl_xml_err(none), PL_ENOMEM);
    pl_xml_write(none, "", NULL);
    pl_xml_free(none);
}

PL_TEST(limits_stick)
{
    pl_xml *root = pl_xml_new("", "e"), *deep = root;
    for (int i = 1; i < PL_XML_DEPTH_MAX; i++)
        deep = pl_xml_add(deep, NULL, "e");
    PL_OKAY(deep);
    PL_EQ(pl_xml_err(root), PL_OK);
    PL_OKAY(!pl_xml_add(deep, NULL, "e"));
    PL_EQ(pl_xml_err(root), PL_ENOSPC);
    PL_OKAY(!pl_xml_add(root, NULL, "e"));
    pl_xml_free(root);

    root = pl_xml_new("", "e");
    for (int i = 0; i <= PL_XML_ATTRS_MAX; i++) {
        PL_EQ(pl_xml_err(root), PL_OK);
        char name[8];
        snprintf(name, sizeof name, "a%d", i);
        pl_xml_set(root, name, "");
    }
    PL_EQ(pl_xml_err(root), PL_ENOSPC);
    pl_xml_free(root);

    root = pl_xml_new("", "e");
    char *large = malloc(PL_XML_BYTES_MAX);
    memset(large, 'x', PL_XML_BYTES_MAX);
    pl_xml_say(root, (pl_str){ large, PL_XML_BYTES_MAX / 2 });
    PL_EQ(pl_xml_err(root), PL_OK);
    pl_xml_say(root, (pl_str){ large, PL_XML_BYTES_MAX / 2 });
    PL_EQ(pl_xml_err(root), PL_ENOSPC);
    free(large);
    pl_xml_free(root);
}

/* A text in a hundred thousand pieces costs a small multiple of itself. */
PL_TEST(text_in_pieces_stays_small)
{
    pl_xml *e = pl_xml_new("", "e");
    for (int i = 0; i < 1000000; i++)
        pl_xml_say(e, PL_STR("x"));
    PL_EQ(pl_xml_err(e), PL_OK);
    PL_EQ(strlen(e->text), 1000000);
    pl_xml_free(e);
}

PL_TEST(what_xml_cannot_carry_is_refused)
{
    static const char *const bad[] = { "\x01",         "a\x1f",        "\xff", "\xc0\x80",
                                       "\xed\xa0\x80", "\xef\xbf\xbe", "\xf8" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pl_xml *e = pl_xml_new("", "e");
        pl_xml_say(e, pl_str_of(bad[i]));
        PL_EQ(pl_xml_err(e), PL_EINVAL);
        pl_xml_free(e);
        e = pl_xml_new("", "e");
        pl_xml_set(e, "a", bad[i]);
        PL_EQ(pl_xml_err(e), PL_EINVAL);
        pl_xml_free(e);
    }
    pl_xml *e = pl_xml_new("", "e");
    pl_xml_say(e, PL_STR("\t\n\r \xc3\xa9 \xef\xbf\xbd \xf0\x9f\x98\x80"));
    PL_EQ(pl_xml_err(e), PL_OK);
    pl_xml_say(e, (pl_str){ "a\0b", 3 });
    PL_EQ(pl_xml_err(e), PL_EINVAL);
    pl_xml_free(e);
}

static pl_xml *build(void)
{
    pl_xml *e = pl_xml_new("urn:a", "e");
    for (int i = 0; i < 40; i++) {
        pl_xml *c = pl_xml_add_text(e, NULL, "child", "some text that fills a block before long");
        pl_xml_setf(c, "n", "%0300d", i);
    }
    return e;
}

PL_TEST(without_memory_it_says_so_and_stays_whole)
{
    for (long n = 0; n == 0 || pl_alloc_has_failed(); n++) {
        pl_alloc_fail_after(n);
        pl_xml *e = build(), *copy = pl_xml_copy(e);
        bool failed = pl_alloc_has_failed();
        pl_alloc_fail_after(-1);
        PL_OKAY(failed || (pl_xml_err(e) == PL_OK && pl_xml_err(copy) == PL_OK));
        PL_OKAY(!failed || pl_xml_err(e) == PL_ENOMEM || pl_xml_err(copy) == PL_ENOMEM);
        pl_xml_free(e);
        pl_xml_free(copy);
        if (!failed)
            break;
    }
}

PL_TESTS(t(built_and_written), t(attributes_with_a_namespace_get_a_prefix),
         t(a_child_without_a_namespace_says_so), t(children_are_found_by_name_and_namespace),
         t(numbers_in_attributes), t(a_copy_is_equal_and_apart), t(nothing_is_taken_for_an_element),
         t(limits_stick), t(text_in_pieces_stays_small), t(what_xml_cannot_carry_is_refused),
         t(without_memory_it_says_so_and_stays_whole))
