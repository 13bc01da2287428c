/* The lines that `peerline peer` reads, one by one: what they ask for, and what is wrong with those that err. */
#include "pl_test.h"

#include "cli/peer_line.h"

static pl_peer_line line;

static pl_err parse(const char *text)
{
    pl_peer_line_clear(&line);
    return pl_peer_line_parse(&line, text, strlen(text));
}

static void refused(const char *text, const char *why)
{
    PL_EQ(parse(text), PL_EPROTO);
    if (!strstr(line.error, why))
        fail_msg("%s: \"%s\" instead of \"%s\"", text, line.error, why);
}

PL_TEST(descriptions)
{
    PL_EQ(parse("{\"type\":\"offer\",\"sdp\":\"v=0\\r\\n\"}"), PL_OK);
    PL_EQ(line.kind, PL_PEER_LINE_DESCRIPTION);
    PL_EQ(line.sdp_type, PL_SDP_OFFER);
    PL_STREQ(line.sdp, "v=0\r\n");
    PL_EQ(parse("{\"type\":\"answer\",\"sdp\":\"\"}"), PL_OK);
    PL_EQ(line.sdp_type, PL_SDP_ANSWER);
    PL_EQ(parse("{\"sdp\":\"x\",\"type\":\"pranswer\",\"more\":[1,2]}"), PL_OK);
    PL_EQ(line.sdp_type, PL_SDP_PRANSWER);
    refused("{\"type\":\"offer\"}", "\"sdp\" is missing");
    refused("{\"type\":\"answer\",\"sdp\":7}", "\"sdp\" is missing");
    pl_peer_line_clear(&line);
}

PL_TEST(candidates)
{
    PL_EQ(parse("{\"type\":\"candidate\",\"candidate\":\"candidate:1\",\"sdpMid\":\"0\",\"sdpMLineIndex\":3,"
                "\"usernameFragment\":\"abcd\"}"),
          PL_OK);
    PL_EQ(line.kind, PL_PEER_LINE_CANDIDATE);
    PL_STREQ(line.candidate.candidate, "candidate:1");
    PL_STREQ(line.candidate.sdp_mid, "0");
    PL_EQ(line.candidate.sdp_mline_index, 3);
    PL_STREQ(line.candidate.username_fragment, "abcd");
    PL_EQ(parse("{\"type\":\"candidate\",\"candidate\":\"\",\"sdpMid\":null}"), PL_OK); /* the end of them */
    PL_OKAY(!line.candidate.sdp_mid && !line.candidate.username_fragment);
    PL_EQ(line.candidate.sdp_mline_index, -1);
    PL_EQ(parse("{\"type\":\"candidate\",\"candidate\":\"x\",\"sdpMLineIndex\":4294967296}"), PL_OK);
    PL_EQ(line.candidate.sdp_mline_index, -1); /* no such number: as if not given */
    PL_EQ(parse("{\"type\":\"candidate\",\"candidate\":\"x\",\"sdpMLineIndex\":\"0\"}"), PL_OK);
    PL_EQ(line.candidate.sdp_mline_index, -1);
    refused("{\"type\":\"candidate\",\"sdpMid\":\"0\"}", "\"candidate\" is missing");
    pl_peer_line_clear(&line);
}

PL_TEST(messages)
{
    PL_EQ(parse("{\"type\":\"send\",\"label\":\"chat\",\"data\":\"h\\u0000llo\"}"), PL_OK);
    PL_EQ(line.kind, PL_PEER_LINE_SEND);
    PL_STREQ(line.label, "chat");
    PL_EQ(line.len, 5); /* a zero character is one of them */
    PL_MEMEQ(line.data, "h\0llo", 5);
    PL_OKAY(!line.binary);
    PL_EQ(parse("{\"type\":\"send\",\"base64\":\"AAEC/w==\"}"), PL_OK);
    PL_OKAY(!line.label && line.binary);
    PL_EQ(line.len, 4);
    PL_MEMEQ(line.data, "\0\1\2\xff", 4);
    PL_EQ(parse("{\"type\":\"send\",\"base64\":\"\"}"), PL_OK);
    PL_EQ(line.len, 0);
    PL_OKAY(line.data != NULL);
    static const char *const bad[] = { "A", "AA=A", "A===", "AAEC/w=", "AAE\\u0000", "AA C", "====" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "{\"type\":\"send\",\"label\":\"chat\",\"base64\":\"%s\"}", bad[i]);
        refused(text, "malformed");
        PL_EQ(line.kind, PL_PEER_LINE_SEND); /* which channel it was for is known */
        PL_STREQ(line.label, "chat");
    }
    refused("{\"type\":\"send\",\"label\":\"chat\"}", "wants \"data\"");
    refused("{\"type\":\"send\",\"data\":5}", "wants \"data\"");
    pl_peer_line_clear(&line);
}

PL_TEST(orders)
{
    PL_EQ(parse("{\"type\":\"restart-ice\"}"), PL_OK);
    PL_EQ(line.kind, PL_PEER_LINE_RESTART_ICE);
    PL_EQ(parse(" { \"type\" : \"close\" } "), PL_OK);
    PL_EQ(line.kind, PL_PEER_LINE_CLOSE);
    pl_peer_line_clear(&line);
}

PL_TEST(what_is_no_line)
{
    static const char whole[] = "{\"type\":\"send\",\"label\":\"a\",\"base64\":\"AAEC\"}";
    refused("", "not JSON");
    refused("hello", "not JSON");
    refused("{\"type\":\"close\"", "not JSON");
    refused("{\"type\":\"close\"} x", "not JSON");
    refused("[1]", "wants a \"type\"");
    refused("{}", "wants a \"type\"");
    refused("{\"type\":1}", "wants a \"type\"");
    refused("{\"type\":\"Close\"}", "no line of type \"Close\"");
    refused("{\"type\":\"\xff\"}", "not JSON");
    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        pl_peer_line_clear(&line);
        PL_EQ(pl_peer_line_parse(&line, whole, cut), PL_EPROTO);
    }
    char type[1000] = "{\"type\":\"";
    memset(type + 9, 'x', 900);
    memcpy(type + 909, "\"}", 3);
    refused(type, "no line of type"); /* cut to fit */
    pl_peer_line_clear(&line);
}

PL_TESTS(t(descriptions), t(candidates), t(messages), t(orders), t(what_is_no_line))
