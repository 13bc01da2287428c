/* WebSocket frames: RFC 6455's examples, both roles against each other, and what must be refused. */
#include "pl_test.h"

#include "base/bytes.h"
#include "base/rand.h"
#include "signal/websocket.h"

enum { MESSAGE_MAX = 70000 };

static pl_ws ws_new(bool client)
{
    pl_ws ws;
    pl_ws_init(&ws, client, MESSAGE_MAX, (pl_rand){ 0 });
    return ws;
}

/* Feeds a copy, since unmasking writes. */
static pl_ws_progress feed(pl_ws *ws, const void *data, size_t len, size_t *used, pl_buf *out)
{
    uint8_t *copy = malloc(len ? len : 1);
    memcpy(copy, data, len);
    pl_ws_progress p = pl_ws_feed(ws, copy, len, used, out);
    free(copy);
    return p;
}

PL_TEST(accept_key_of_the_rfc)
{
    char accept[PL_WS_ACCEPT_LEN + 1];
    PL_OKAY(pl_ws_accept(PL_STR("dGhlIHNhbXBsZSBub25jZQ=="), accept)); /* 1.3 */
    PL_STREQ(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    PL_OKAY(!pl_ws_accept(PL_STR("dGhlIHNhbXBsZSBub25jZQ="), accept));
    PL_OKAY(!pl_ws_accept(PL_STR("short"), accept));
    PL_OKAY(!pl_ws_accept((pl_str){ 0 }, accept));
}

PL_TEST(frames_of_the_rfc)
{
    /* 5.7: "Hello" unmasked, masked, in two fragments with a ping between them */
    static const uint8_t plain[] = { 0x81, 0x05, 'H', 'e', 'l', 'l', 'o' };
    static const uint8_t masked[] = { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58 };
    static const uint8_t parts[] = { 0x01, 0x03, 'H', 'e', 'l', 0x89, 0x02, 'h', 'i', 0x80, 0x02, 'l', 'o' };
    size_t used;
    pl_buf out = pl_buf_init(1000);
    pl_ws client = ws_new(true), server = ws_new(false);

    PL_EQ(feed(&client, plain, sizeof plain, &used, &out), PL_WS_MESSAGE);
    PL_EQ(used, sizeof plain);
    PL_MEMEQ(client.message.p, "Hello", 5);
    PL_EQ(feed(&server, masked, sizeof masked, &used, &out), PL_WS_MESSAGE);
    PL_MEMEQ(server.message.p, "Hello", 5);
    PL_EQ(out.n, 0);
    PL_EQ(feed(&client, parts, sizeof parts, &used, &out), PL_WS_MESSAGE);
    PL_EQ(client.message.n, 5);
    PL_MEMEQ(client.message.p, "Hello", 5);
    PL_EQ(out.n, 2 + 4 + 2); /* the pong, masked */
    PL_EQ((uint8_t)out.p[0], 0x8a);
    PL_OKAY(client.alive);
    pl_ws_done(&client);
    PL_EQ(client.message.n, 0);
    pl_ws_clear(&client);
    pl_ws_clear(&server);
    pl_buf_clear(&out);
}

/* Messages of all sizes, cut anywhere, arrive whole and in order. */
PL_TEST(both_roles_understand_each_other)
{
    static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536, MESSAGE_MAX };
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(3));
    for (int role = 0; role < 2; role++) {
        pl_ws from = ws_new(role), to = ws_new(!role);
        pl_buf wire = pl_buf_init(1 << 20), out = pl_buf_init(1000);
        char *text = malloc(MESSAGE_MAX);
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            memset(text, 'a' + (int)i, sizes[i]);
            pl_ws_put(&from, PL_WS_TEXT, text, sizes[i], &wire);
        }
        size_t n_messages = 0;
        for (size_t at = 0; at < wire.n;) {
            size_t used, len = 1 + pl_rand_below(&rand, 3000);
            len = len < wire.n - at ? len : wire.n - at;
            if (pl_ws_feed(&to, (uint8_t *)wire.p + at, len, &used, &out) == PL_WS_MESSAGE) {
                PL_EQ(to.message.n, sizes[n_messages]);
                for (size_t k = 0; k < to.message.n; k++)
                    PL_EQ(to.message.p[k], 'a' + (int)n_messages);
                n_messages++;
            }
            at += used;
        }
        PL_EQ(n_messages, sizeof sizes / sizeof sizes[0]);
        free(text);
        pl_ws_clear(&from);
        pl_ws_clear(&to);
        pl_buf_clear(&wire);
        pl_buf_clear(&out);
    }
}

PL_TEST(closing)
{
    size_t used;
    pl_buf wire = pl_buf_init(1000), out = pl_buf_init(1000), back = pl_buf_init(1000);
    pl_ws client = ws_new(true), server = ws_new(false);
    pl_ws_put_close(&server, 1001, "server goes", &wire);
    pl_ws_put_close(&server, 1001, "only once", &wire);
    PL_EQ(wire.n, 2 + 2 + 11);
    PL_EQ(feed(&client, wire.p, wire.n, &used, &out), PL_WS_CLOSED);
    PL_EQ(client.close_code, 1001);
    PL_EQ(feed(&server, out.p, out.n, &used, &back), PL_WS_CLOSED);
    PL_EQ(back.n, 0); /* its own close was said already */
    pl_ws_clear(&client);
    pl_ws_clear(&server);
    pl_buf_clear(&wire);
    pl_buf_clear(&out);
    pl_buf_clear(&back);
}

PL_TEST(what_is_refused)
{
    static const struct {
        uint16_t code;
        size_t len;
        uint8_t bytes[20];
    } cases[] = { { 1002, 2, { 0x81, 0x01 } },                          /* not masked */
                  { 1002, 2, { 0xc1, 0x80 } },                          /* reserved bit */
                  { 1002, 6, { 0x83, 0x80 } },                          /* unknown opcode */
                  { 1002, 6, { 0x8b, 0x80 } },                          /* unknown control opcode */
                  { 1002, 6, { 0x80, 0x80 } },                          /* continues nothing */
                  { 1002, 12, { 0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80 } }, /* begins inside a message */
                  { 1002, 6, { 0x09, 0x80 } },                          /* fragmented ping */
                  { 1002, 8, { 0x89, 0xfe, 0, 126 } },                  /* long ping */
                  { 1002, 8, { 0x81, 0xfe, 0, 125 } },                  /* length not minimal */
                  { 1002, 14, { 0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff } },
                  { 1003, 6, { 0x82, 0x80 } },                                   /* binary */
                  { 1007, 7, { 0x81, 0x81, 0, 0, 0, 0, 0xff } },                 /* not UTF-8 */
                  { 1009, 14, { 0x81, 0xff, 0, 0, 0, 0, 0, 0x01, 0x11, 0x71 } }, /* 70001 bytes */
                  { 1009, 14, { 0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
                  { 1002, 7, { 0x88, 0x81, 0, 0, 0, 0, 3 } },          /* half a close code */
                  { 1002, 8, { 0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed } }, /* 1005 may not be sent */
                  { 1007, 9, { 0x88, 0x83, 0, 0, 0, 0, 0x03, 0xe8, 0xff } } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t used;
        pl_ws ws = ws_new(false);
        pl_buf out = pl_buf_init(1000);
        PL_EQ(feed(&ws, cases[i].bytes, cases[i].len, &used, &out), PL_WS_FAILED);
        if (ws.close_code != cases[i].code)
            print_error("case %zu\n", i);
        PL_EQ(ws.close_code, cases[i].code);
        PL_GE(out.n, 4); /* and the peer is told */
        PL_EQ((uint8_t)out.p[0], 0x88);
        PL_EQ(pl_get16((const uint8_t *)out.p + 2), cases[i].code);
        pl_ws_clear(&ws);
        pl_buf_clear(&out);
    }
}

PL_TESTS(t(accept_key_of_the_rfc), t(frames_of_the_rfc), t(both_roles_understand_each_other), t(closing),
         t(what_is_refused))
