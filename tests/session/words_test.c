/* The JSON of two ends of a call: what is read of it, written, and refused. */
#include "pl_test.h"

#include "session/words.h"

static pl_words_kind kind_of(const char *text)
{
    pl_words w;
    PL_EQ(pl_words_read(&w, text, strlen(text)), PL_OK);
    pl_words_kind kind = w.kind;
    pl_words_clear(&w);
    return kind;
}

PL_TEST(kinds)
{
    PL_EQ(kind_of("{\"type\":\"offer\",\"sdp\":\"v=0\"}"), PL_WORDS_OFFER);
    PL_EQ(kind_of("{\"type\":\"answer\",\"sdp\":\"v=0\",\"else\":1}"), PL_WORDS_ANSWER);
    PL_EQ(kind_of("{\"candidate\":\"\"}"), PL_WORDS_CANDIDATE);
    PL_EQ(kind_of("{\"ringing\":true}"), PL_WORDS_RINGING);
    PL_EQ(kind_of("{\"type\":\"bye\"}"), PL_WORDS_BYE);
    PL_EQ(kind_of("BYE"), PL_WORDS_BYE);
    PL_EQ(kind_of("{\"type\":\"offer\",\"sdp\":\"v=0\",\"for\":\"files\"}"), PL_WORDS_OTHER);
    PL_EQ(kind_of("{\"type\":\"offer\"}"), PL_WORDS_OTHER);
    PL_EQ(kind_of("{\"type\":\"offer\",\"sdp\":7}"), PL_WORDS_OTHER);
    PL_EQ(kind_of("{\"type\":[],\"candidate\":{}}"), PL_WORDS_OTHER);
    PL_EQ(kind_of("{}"), PL_WORDS_OTHER);
}

PL_TEST(no_objects)
{
    static const char *const wrong[] = { "",  "B",          "BYEBYE",
                                         "{", "[]",         "null",
                                         "7", "{\"a\":1}}", "{\"type\":\"\xff\"}" };
    pl_words w;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        PL_EQ(pl_words_read(&w, wrong[i], strlen(wrong[i])), PL_EPROTO);
}

PL_TEST(reasons)
{
    static const struct {
        const char *text;
        pl_session_reason reason;
    } bye[] = { { "{\"type\":\"bye\",\"reason\":\"busy\"}", PL_SESSION_BUSY },
                { "{\"type\":\"bye\",\"reason\":\"declined\"}", PL_SESSION_DECLINED },
                { "{\"type\":\"bye\",\"reason\":\"something\"}", PL_SESSION_HUNG_UP },
                { "{\"type\":\"bye\",\"reason\":7}", PL_SESSION_HUNG_UP },
                { "BYE", PL_SESSION_HUNG_UP } };
    for (size_t i = 0; i < sizeof bye / sizeof bye[0]; i++) {
        pl_words w;
        PL_EQ(pl_words_read(&w, bye[i].text, strlen(bye[i].text)), PL_OK);
        PL_EQ(w.reason, bye[i].reason);
        pl_words_clear(&w);
    }
}

PL_TEST(there_and_back)
{
    const pl_ice_candidate c = { "candidate:1 1 udp 1 ::1 9 typ host", "0", 3, "uf" };
    json_t *tags = json_pack("{ss}", "call", "x");
    char *text = pl_words_candidate(&c, tags);
    pl_words w;
    PL_STREQ(text,
             "{\"candidate\":\"candidate:1 1 udp 1 ::1 9 typ host\",\"sdpMid\":\"0\",\"sdpMLineIndex\":3,"
             "\"usernameFragment\":\"uf\",\"call\":\"x\"}");
    PL_EQ(pl_words_read(&w, text, strlen(text)), PL_OK);
    PL_STREQ(w.cand.candidate, c.candidate);
    PL_STREQ(w.cand.sdp_mid, "0");
    PL_STREQ(w.cand.username_fragment, "uf");
    PL_EQ(w.cand.sdp_mline_index, 3);
    pl_words_clear(&w);
    free(text);
    text = pl_words_description(PL_SDP_ANSWER, "v=0\r\n", NULL);
    PL_STREQ(text, "{\"type\":\"answer\",\"sdp\":\"v=0\\r\\n\"}");
    free(text);
    text = pl_words_bye(PL_SESSION_CANCELLED, NULL);
    PL_STREQ(text, "{\"type\":\"bye\"}");
    free(text);
    text = pl_words_bye(PL_SESSION_BUSY, tags);
    PL_STREQ(text, "{\"type\":\"bye\",\"reason\":\"busy\",\"call\":\"x\"}");
    free(text);
    text = pl_words_ringing(NULL);
    PL_STREQ(text, "{\"ringing\":true}");
    free(text);
    json_decref(tags);
}

PL_TEST(an_index_is_a_short_or_none)
{
    static const struct {
        const char *index;
        int means;
    } row[] = { { "0", 0 },      { "65535", 65535 },   { "65536", -1 },
                { "-1", -1 },    { "4294967296", -1 }, { "9223372036854775807", -1 },
                { "\"0\"", -1 }, { "1.5", -1 },        { "null", -1 } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char text[120];
        pl_words w;
        snprintf(text, sizeof text, "{\"candidate\":\"\",\"sdpMLineIndex\":%s}", row[i].index);
        PL_EQ(pl_words_read(&w, text, strlen(text)), PL_OK);
        PL_EQ(w.cand.sdp_mline_index, row[i].means);
        pl_words_clear(&w);
    }
}

PL_TESTS(t(kinds), t(no_objects), t(reasons), t(there_and_back), t(an_index_is_a_short_or_none))
