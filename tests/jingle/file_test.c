/* XEP-0234 with 0300: files in words. */
#include "pl_test.h"

#include "jingle/file.h"
#include "jingle/write.h"
#include "jingle_xml.h"

static pl_jingle_file carried(const pl_jingle_file *f)
{
    pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle"), *c = pl_jingle_write_name(jingle, "a-file", NULL);
    PL_OKAY(pl_jingle_file_write(c, f));
    pl_xml *back = xml_carried(jingle);
    pl_jingle_file out;
    PL_EQ(pl_jingle_file_parse(pl_xml_child(pl_xml_child(back, NULL, "content"), NULL, "description"), &out),
          PL_OK);
    pl_xml_free(back);
    pl_xml_free(jingle);
    return out;
}

PL_TEST(an_offer)
{
    pl_jingle_file f = { .name = "test & more.txt",
                         .media_type = "text/plain",
                         .desc = "a <test>",
                         .date = "1969-07-21T02:56:15Z",
                         .has_size = true,
                         .size = 6144,
                         .has_range = true };
    static const uint8_t hash[32] = { 1, 2, 3 };
    PL_OKAY(pl_jingle_file_add_hash(&f, "sha-256", hash, sizeof hash));
    PL_OKAY(pl_jingle_file_add_hash(&f, "blake2b-512", NULL, 0));
    pl_jingle_file back = carried(&f);
    PL_OKAY(memcmp(&f, &back, sizeof f) == 0);
    const pl_jingle_hash *h = pl_jingle_file_hash(&back, "sha-256");
    PL_OKAY(h && h->len == 32 && memcmp(h->value, hash, 32) == 0 && !h->used_only);
    PL_OKAY(pl_jingle_file_hash(&back, "blake2b-512")->used_only);
    PL_OKAY(!pl_jingle_file_hash(&back, "md5"));
}

/* A transfer that broke goes on where it was. */
PL_TEST(resumption)
{
    pl_jingle_file f = {
        .name = "big", .has_size = true, .size = 1000, .has_range = true, .range_offset = 400
    };
    pl_jingle_file back = carried(&f);
    uint64_t offset, length;
    PL_OKAY(pl_jingle_file_part(&back, &offset, &length));
    PL_EQ(offset, 400);
    PL_EQ(length, 600);
    f.range_length = 100;
    back = carried(&f);
    PL_OKAY(pl_jingle_file_part(&back, &offset, &length));
    PL_EQ(length, 100);
    f.range_length = 601;
    PL_OKAY(!pl_jingle_file_part(&f, &offset, &length));
    f.range_offset = 1001;
    f.range_length = 0;
    PL_OKAY(!pl_jingle_file_part(&f, &offset, &length));
    f.range_offset = UINT64_MAX;
    f.range_length = UINT64_MAX;
    PL_OKAY(!pl_jingle_file_part(&f, &offset, &length));
    f = (pl_jingle_file){ .has_range = true, .range_offset = 7 };
    PL_OKAY(pl_jingle_file_part(&f, &offset, &length) && offset == 7 && length == 0);
}

#define FILE_OF(ns, inside)                                                                                  \
    "<description xmlns='urn:xmpp:jingle:apps:file-transfer:" ns "'><file>" inside "</file></description>"

/* A name is a name, not a place. */
PL_TEST(names)
{
    static const struct {
        const char *said, *kept;
    } row[] = { { "report.txt", "report.txt" },
                { "../../etc/passwd", "passwd" },
                { "C:\\Windows\\notes.txt", "notes.txt" },
                { " spaced out.txt\n", "spaced out.txt" },
                { ".hidden", ".hidden" },
                { "..", NULL },
                { "a/..", NULL },
                { "dir/", NULL },
                { "", NULL },
                { "a&#9;b", NULL } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[512];
        snprintf(text, sizeof text, FILE_OF("5", "<name>%s</name>"), row[i].said);
        pl_xml *e = xml_of(text);
        pl_jingle_file f;
        PL_EQ(pl_jingle_file_parse(e, &f), row[i].kept ? PL_OK : PL_EPROTO);
        if (row[i].kept)
            PL_STREQ(f.name, row[i].kept);
        pl_xml_free(e);
    }
}

PL_TEST(malformed)
{
    static const char *const text[] = {
        "<description xmlns='urn:xmpp:jingle:apps:file-transfer:5'/>",
        "<description xmlns='urn:xmpp:jingle:apps:file-transfer:3'><file/></description>",
        FILE_OF("5", "<size>-1</size>"),
        FILE_OF("5", "<size>many</size>"),
        FILE_OF("5", "<size/>"),
        FILE_OF("5", "<range offset='x'/>"),
        FILE_OF("5", "<range length='18446744073709551616'/>"),
        FILE_OF("5", "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>***</hash>"),
        FILE_OF("5", "<hash xmlns='urn:xmpp:hashes:2'>AAAA</hash>"),
        FILE_OF("5", "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'/>"),
    };
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        pl_xml *e = xml_of(text[i]);
        pl_jingle_file f;
        PL_EQ(pl_jingle_file_parse(e, &f), PL_EPROTO);
        pl_xml_free(e);
    }
    pl_xml *e =
        xml_of(FILE_OF("4", "<name>x</name><size> 12\n</size><hash xmlns='urn:xmpp:hashes:1' "
                            "algo='sha-1'>VS2nSZMIUsaa5dKhQ9N4ZrE=</hash><later xmlns='urn:example'/>"));
    pl_jingle_file f;
    PL_EQ(pl_jingle_file_parse(e, &f), PL_OK);
    PL_EQ(f.size, 12);
    PL_EQ(f.n_hashes, 1);
    pl_xml_free(e);
}

PL_TEST(afterwards)
{
    pl_jingle_file f = { 0 }, back;
    static const uint8_t hash[20] = { 9 };
    PL_OKAY(pl_jingle_file_add_hash(&f, "sha-1", hash, 20));
    pl_xml *sum = pl_jingle_file_checksum("initiator", "a-file", &f), *got = xml_carried(sum);
    PL_EQ(pl_jingle_file_checksum_parse(got, &back), PL_OK);
    PL_EQ(pl_jingle_file_hash(&back, "sha-1")->value[0], 9);
    pl_xml_free(sum);
    pl_xml_free(got);
    pl_xml *received = pl_jingle_file_received("responder", "a-file");
    PL_OKAY(pl_xml_is(received, PL_NS_JINGLE_FILE, "received") && pl_xml_attr_is(received, "name", "a-file"));
    PL_EQ(pl_jingle_file_checksum_parse(received, &back), PL_EPROTO);
    pl_xml_free(received);
}

/* XEP-0096: whoever still asks so is told by what it was replaced. */
PL_TEST(stream_initiation)
{
    pl_xml *iq =
        xml_of("<iq xmlns='jabber:client' from='romeo@example.net/orchard' id='o1' type='set'><si "
               "xmlns='http://jabber.org/protocol/si' id='a0' "
               "profile='http://jabber.org/protocol/si/profile/file-transfer'><file "
               "xmlns='http://jabber.org/protocol/si/profile/file-transfer' name='t' size='1'/></si></iq>");
    pl_xml *answer = pl_jingle_file_answer_si(iq);
    PL_OKAY(answer && pl_xml_attr_is(answer, "type", "error") && pl_xml_attr_is(answer, "id", "o1"));
    const pl_xml *error = pl_xml_child(answer, NULL, "error");
    PL_OKAY(pl_xml_child(error, PL_NS_SI, "bad-profile"));
    PL_OKAY(strstr(pl_xml_child_text(error, NULL, "text"), PL_NS_JINGLE_FILE));
    pl_xml_free(answer);
    pl_xml_free(iq);
    iq = xml_of("<iq xmlns='jabber:client' from='a@b' id='o1' type='result'/>");
    PL_OKAY(!pl_jingle_file_answer_si(iq));
    pl_xml_free(iq);
}

PL_TESTS(t(an_offer), t(resumption), t(names), t(malformed), t(afterwards), t(stream_initiation))
