/* What XEP-0234 0.19 shows in its examples, and those of 0260, 0261 and 0300 that a transfer is made of: parsed, answered,
 * and written again as they were. */
#include "pl_test.h"

#include "jingle/file.h"
#include "jingle/ibb.h"
#include "jingle/s5b.h"
#include "jingle_xml.h"

#define ROMEO  "romeo@montague.example/dr4hcr0st3lup4c"
#define JULIET "juliet@capulet.example/yn0cl4bnw0yr3vym"
#define FILE5  "urn:xmpp:jingle:apps:file-transfer:5"
#define OFFER                                                                                                \
    "<description xmlns='" FILE5 "'><file><date>1969-07-21T02:56:15Z</date>"                                 \
    "<desc>This is a test. If this were a real file...</desc><media-type>text/plain</media-type>"            \
    "<name>test.txt</name><size>6144</size><range/>"                                                         \
    "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash></file></description>"

/* Words that are all understood, and come out as they went in. */
static const char *const same[] = {
    OFFER,
    /* the hash is said when all is sent */
    "<description xmlns='" FILE5 "'><file><name>test.txt</name><size>1022</size>"
    "<hash-used xmlns='urn:xmpp:hashes:2' algo='sha-1'/></file></description>",
    /* an acceptance that goes on where it was; a part; of two, the hashes of XEP-0300 */
    "<description xmlns='" FILE5 "'><file><name>test.txt</name><size>1022</size><range offset='270336'/>"
    "</file></description>",
    "<description xmlns='" FILE5 "'><file><range offset='270336' length='131072'/></file></description>",
    "<description xmlns='" FILE5 "'><file><hash xmlns='urn:xmpp:hashes:2' algo='sha-256'>"
    "2XarmwTlNxDAMkvymloX3S5+VbylNrJt/l5QyPa+YoU=</hash><hash xmlns='urn:xmpp:hashes:2' algo='sha3-256'>"
    "2XarmwTlNxDAMkvymloX3S5+VbylNrJt/l5QyPa+YoU=</hash></file></description>",
    /* nothing but that it is a file */
    "<description xmlns='" FILE5 "'><file/></description>",
};

PL_TEST(descriptions)
{
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        pl_jingle_file f;
        pl_xml *e = xml_of(same[i]), *content = pl_xml_new(PL_NS_JINGLE, "content");
        PL_EQ(pl_jingle_file_parse(e, &f), PL_OK);
        char *was = xml_text(e), *is = xml_text(pl_jingle_file_write(content, &f));
        PL_STREQ(is, was);
        free(was);
        free(is);
        pl_xml_free(content);
        pl_xml_free(e);
    }
}

PL_TEST(an_offer_in_its_fields)
{
    static const uint8_t sha1[] = { 0xc3, 0x49, 0x9c, 0x27, 0x29, 0x73, 0x0a, 0x7f, 0x80, 0x7e,
                                    0xfb, 0x86, 0x76, 0xa9, 0x2d, 0xcb, 0x6f, 0x8a, 0x3f, 0x8f };
    pl_jingle_file f;
    pl_xml *e = xml_of(OFFER);
    PL_EQ(pl_jingle_file_parse(e, &f), PL_OK);
    PL_STREQ(f.name, "test.txt");
    PL_STREQ(f.date, "1969-07-21T02:56:15Z");
    PL_STREQ(f.media_type, "text/plain");
    PL_OKAY(f.has_size && f.size == 6144 && f.has_range && f.range_offset == 0 && f.range_length == 0);
    const pl_jingle_hash *h = pl_jingle_file_hash(&f, "sha-1");
    PL_OKAY(h && !h->used_only && h->len == sizeof sha1);
    PL_MEMEQ(h->value, sha1, sizeof sha1);
    pl_xml_free(e);
}

/* What is said when all is sent, and when all has come. */
PL_TEST(informations)
{
    pl_jingle_file f;
    pl_xml *e = xml_of("<checksum xmlns='" FILE5 "' creator='initiator' name='a-file-offer'><file>"
                       "<hash xmlns='urn:xmpp:hashes:2' algo='sha-1'>w0mcJylzCn+AfvuGdqkty2+KP48=</hash>"
                       "</file></checksum>");
    PL_EQ(pl_jingle_file_checksum_parse(e, &f), PL_OK);
    pl_xml *again = pl_jingle_file_checksum("initiator", "a-file-offer", &f);
    char *was = xml_text(e), *is = xml_text(again);
    PL_STREQ(is, was);
    free(was);
    free(is);
    pl_xml_free(e);
    pl_xml_free(again);
    pl_xml *received = pl_jingle_file_received("initiator", "a-file-offer");
    is = xml_text(received);
    PL_STREQ(is, "<received xmlns='" FILE5 "' creator='initiator' name='a-file-offer'/>");
    free(is);
    pl_xml_free(received);
}

PL_TEST(in_band)
{
    static const char text[] =
        "<transport xmlns='urn:xmpp:jingle:transports:ibb:1' block-size='4096' sid='ch3d9s71'/>";
    const char *sid;
    uint16_t block;
    pl_xml *e = xml_of(text), *content = pl_xml_new(PL_NS_JINGLE, "content");
    PL_EQ(pl_ibb_parse_transport(e, &sid, &block), PL_OK);
    char *is = xml_text(pl_ibb_write_transport(content, sid, block));
    PL_STREQ(is, text);
    free(is);
    pl_xml_free(content);
    pl_xml_free(e);
}

#define S5B(inside)                                                                                          \
    "<transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='vj3hs98y'>" inside "</transport>"

static void hears(pl_s5b *s, pl_err (*verb)(pl_s5b *s, int64_t now_us, const pl_xml *e), const char *text)
{
    pl_xml *e = xml_of(text);
    PL_EQ(verb(s, 0, e), PL_OK);
    pl_xml_free(e);
}

static void next_is(pl_s5b *s, pl_s5b_event_kind kind, const char *cid)
{
    pl_s5b_event e;
    PL_OKAY(pl_s5b_poll_event(s, &e));
    PL_EQ(e.kind, kind);
    PL_STREQ(e.candidate->cid, cid);
}

/* XEP-0260 2.1 to 2.4: two addresses are offered, the better one is tried and does not work, the other one does. */
PL_TEST(socks5)
{
    pl_s5b *s;
    PL_EQ(pl_s5b_new(&s, &(pl_s5b_conf){ .self = JULIET, .peer = ROMEO, .sid = "vj3hs98y" }), PL_OK);
    hears(s, pl_s5b_offered,
          S5B("<candidate cid='hft54dqy' host='192.168.4.1' jid='" ROMEO "' port='5086' priority='8257536' "
              "type='direct'/><candidate cid='hutr46fe' host='24.24.24.1' jid='" ROMEO
              "' port='5087' priority='8258636' type='direct'/>"));
    next_is(s, PL_S5B_CONNECT, "hutr46fe");
    pl_s5b_failed(s, 0, "hutr46fe");
    next_is(s, PL_S5B_CONNECT, "hft54dqy");
    pl_s5b_connected(s, 0, "hft54dqy");
    pl_xml *content = pl_xml_new(PL_NS_JINGLE, "content");
    char *is = xml_text(pl_s5b_poll_output(s, content));
    PL_STREQ(is, S5B("<candidate-used cid='hft54dqy'/>"));
    hears(s, pl_s5b_told, S5B("<candidate-error/>"));
    next_is(s, PL_S5B_USE, "hft54dqy");
    free(is);
    pl_xml_free(content);
    pl_s5b_free(s);
}

PL_TESTS(t(descriptions), t(an_offer_in_its_fields), t(informations), t(in_band), t(socks5))
