/* The rooms in JSON: what is said to a client, word for word, and what it may say. */
#include "pl_test.h"

#include "signal/ws_protocol.h"

typedef struct world {
    pl_rooms *rooms;
    pl_ws_session ann, bob;
    int ann_conn, bob_conn;
    pl_buf out;
} world;

static void world_init(world *w)
{
    *w = (world){ .out = pl_buf_init(1 << 22) };
    PL_EQ(pl_rooms_new(&w->rooms, &(pl_rooms_conf){ .max_peers = 3, .max_queue = 4 }), PL_OK);
    w->ann.listener = &w->ann_conn;
    w->bob.listener = &w->bob_conn;
}

static void world_clear(world *w)
{
    pl_rooms_check(w->rooms);
    pl_rooms_free(w->rooms);
    pl_buf_clear(&w->out);
}

static pl_err say(world *w, pl_ws_session *s, const char *text)
{
    w->out.n = 0;
    pl_err err = pl_ws_session_input(s, w->rooms, 0, text, strlen(text), &w->out);
    pl_rooms_check(w->rooms);
    return err;
}

/* What is said back, without the zero that ends it; "" for silence. */
static const char *heard(world *w)
{
    return w->out.n ? w->out.p : "";
}

static const char *next(world *w, pl_ws_session *s)
{
    w->out.n = 0;
    return pl_ws_session_next(s, w->rooms, 0, &w->out) ? heard(w) : "";
}

PL_TEST(a_conversation_word_for_word)
{
    world w;
    world_init(&w);
    PL_EQ(say(&w, &w.ann, "{\"type\":\"sign_in\",\"name\":\"Ann \\\"A\\\"\"}"), PL_OK);
    PL_STREQ(heard(&w),
             "{\"type\":\"welcome\",\"id\":1,\"name\":\"Ann \\\"A\\\"\",\"room\":\"\",\"peers\":[]}");
    PL_EQ(say(&w, &w.bob, "{\"type\":\"sign_in\",\"name\":\"Bob\"}"), PL_OK);
    PL_STREQ(heard(&w), "{\"type\":\"welcome\",\"id\":2,\"name\":\"Bob\",\"room\":\"\",\"peers\":["
                        "{\"id\":1,\"name\":\"Ann \\\"A\\\"\"}]}");
    PL_STREQ(next(&w, &w.ann), "{\"type\":\"joined\",\"id\":2,\"name\":\"Bob\"}");
    PL_EQ(say(&w, &w.ann, "{\"type\":\"message\",\"to\":2,\"data\":\"a\\n\\u0001\\\\\\u00e9\"}"), PL_OK);
    PL_STREQ(heard(&w), "");
    PL_STREQ(next(&w, &w.bob), "{\"type\":\"message\",\"from\":1,\"data\":\"a\\n\\u0001\\\\\xc3\xa9\"}");
    PL_EQ(say(&w, &w.bob, "{\"type\":\"ping\"}"), PL_OK);
    PL_STREQ(heard(&w), "{\"type\":\"pong\"}");
    PL_EQ(say(&w, &w.bob, "{\"type\":\"sign_out\"}"), PL_OK);
    PL_STREQ(heard(&w), "{\"type\":\"signed_out\"}");
    PL_EQ(w.bob.id, 0);
    PL_STREQ(next(&w, &w.ann), "{\"type\":\"left\",\"id\":2,\"name\":\"Bob\"}");
    PL_STREQ(next(&w, &w.ann), "");
    pl_ws_session_end(&w.ann, w.rooms, 0);
    PL_EQ(pl_rooms_get_stats(w.rooms)->n_peers, 0);
    world_clear(&w);
}

PL_TEST(rooms_are_apart)
{
    world w;
    world_init(&w);
    (void)say(&w, &w.ann, "{\"type\":\"sign_in\",\"name\":\"a\",\"room\":\"red\"}");
    (void)say(&w, &w.bob, "{\"type\":\"sign_in\",\"name\":\"b\",\"room\":\"blue\"}");
    PL_OKAY(strstr(heard(&w), "\"room\":\"blue\",\"peers\":[]}"));
    (void)say(&w, &w.ann, "{\"type\":\"message\",\"to\":2,\"data\":\"x\"}");
    PL_OKAY(strstr(heard(&w), "\"code\":\"no-such-peer\""));
    PL_OKAY(strstr(heard(&w), "\"to\":2}"));
    world_clear(&w);
}

PL_TEST(what_is_refused)
{
    world w;
    world_init(&w);
    static const struct {
        const char *text, *code;
    } cases[] = {
        { "", "bad-json" },
        { "nonsense", "bad-json" },
        { "[]", "bad-json" },
        { "{\"type\":1}", "bad-json" },
        { "{\"type\":\"ping\",\"type\":\"ping\"}", "bad-json" },
        { "{\"type\":\"dance\"}", "bad-type" },
        { "{\"type\":\"sign_in\"}", "bad-name" },
        { "{\"type\":\"sign_in\",\"name\":7}", "bad-name" },
        { "{\"type\":\"sign_in\",\"name\":\"a\",\"room\":\"b\\n\"}", "bad-name" },
        { "{\"type\":\"sign_in\",\"name\":"
          "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
          "bad-name" },
        { "{\"type\":\"message\",\"to\":1,\"data\":\"x\"}", "signed-out" },
        { "{\"type\":\"message\",\"to\":\"1\",\"data\":\"x\"}", "bad-message" },
        { "{\"type\":\"message\",\"to\":-1,\"data\":\"x\"}", "bad-message" },
        { "{\"type\":\"message\",\"to\":4294967297,\"data\":\"x\"}", "bad-message" },
        { "{\"type\":\"message\",\"to\":1,\"data\":{}}", "bad-message" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char code[64];
        snprintf(code, sizeof code, "{\"type\":\"error\",\"code\":\"%s\"", cases[i].code);
        pl_err err = say(&w, &w.ann, cases[i].text);
        PL_EQ(err, (strcmp(cases[i].code, "bad-json") == 0 ? PL_EPROTO : PL_OK));
        if (strncmp(heard(&w), code, strlen(code)) != 0)
            print_error("%s: %s\n", cases[i].text, heard(&w));
        PL_OKAY(strncmp(heard(&w), code, strlen(code)) == 0);
    }
    (void)say(&w, &w.ann, "{\"type\":\"sign_in\",\"name\":\"a\"}");
    (void)say(&w, &w.ann, "{\"type\":\"sign_in\",\"name\":\"a\"}");
    PL_OKAY(strstr(heard(&w), "\"signed-in\""));
    for (int i = 0; i < 4; i++)
        (void)say(&w, &w.ann, "{\"type\":\"message\",\"to\":1,\"data\":\"x\"}");
    (void)say(&w, &w.ann, "{\"type\":\"message\",\"to\":1,\"data\":\"x\"}");
    PL_OKAY(strstr(heard(&w), "\"busy\""));
    world_clear(&w);
}

PL_TEST(a_message_may_be_as_long_as_the_rooms_allow)
{
    world w;
    world_init(&w);
    char *text = malloc(PL_ROOMS_MESSAGE_MAX + 100);
    (void)say(&w, &w.ann, "{\"type\":\"sign_in\",\"name\":\"a\"}");
    for (int over = 0; over < 2; over++) {
        sprintf(text, "{\"type\":\"message\",\"to\":1,\"data\":\"%0*d\"}", PL_ROOMS_MESSAGE_MAX + over, 0);
        PL_EQ(say(&w, &w.ann, text), PL_OK);
        PL_EQ(strstr(heard(&w), "\"too-big\"") != NULL, over);
    }
    w.out.n = 0;
    PL_OKAY(pl_ws_session_next(&w.ann, w.rooms, 0, &w.out));
    PL_GE(w.out.n, PL_ROOMS_MESSAGE_MAX);
    free(text);
    world_clear(&w);
}

PL_TEST(what_is_no_text_is_not_carried)
{
    world w;
    world_init(&w);
    pl_peer_id classic;
    (void)say(&w, &w.ann, "{\"type\":\"sign_in\",\"name\":\"a\"}");
    PL_EQ(pl_rooms_sign_in(w.rooms, 0, PL_STR(""), PL_STR("old"), &classic), PL_OK);
    PL_EQ(pl_rooms_send(w.rooms, 0, classic, 1, PL_STR(""), PL_STR("\xff\xfe")), PL_OK);
    PL_EQ(pl_rooms_send(w.rooms, 0, classic, 1, PL_STR(""), PL_STR("text")), PL_OK);
    PL_OKAY(strstr(next(&w, &w.ann), "joined"));
    PL_STREQ(next(&w, &w.ann), "{\"type\":\"message\",\"from\":2,\"data\":\"text\"}");
    world_clear(&w);
}

PL_TESTS(t(a_conversation_word_for_word), t(rooms_are_apart), t(what_is_refused),
         t(a_message_may_be_as_long_as_the_rooms_allow), t(what_is_no_text_is_not_carried))
