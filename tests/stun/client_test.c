/* The Binding client in virtual time: its timers, its credentials, servers that send it elsewhere, and strangers. */
#include "pl_test.h"

#include "stun/auth.h"
#include "stun/client.h"
#include "stun/integrity.h"
#include "stun/server.h"

static const pl_addr me = { .family = PL_AF_IP4, .ip = { 192, 0, 2, 7 }, .port = 4711 };
static pl_rand_seeded state;
static pl_stun_client *client;
static int64_t now_us;
static uint8_t sent[PL_STUN_CLIENT_REQUEST_MAX], answer[4096];
static pl_dgram out;

static pl_addr addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

static void begin(pl_stun_client_conf conf)
{
    now_us = 0;
    conf.rand = pl_rand_seed(&state, pl_test_seed(8489));
    if (conf.server.family == PL_AF_NONE)
        conf.server = addr("198.51.100.1:3478");
    PL_EQ(pl_stun_client_new(&client, &conf, now_us), PL_OK);
    out = (pl_dgram){ .data = sent, .cap = sizeof sent };
}

static pl_stun_msg take_request(void)
{
    pl_stun_msg m;
    PL_OKAY(pl_stun_client_poll_output(client, now_us, &out));
    PL_EQ(pl_stun_parse(&m, sent, out.len), PL_OK);
    PL_EQ(m.method, PL_STUN_BINDING);
    return m;
}

static void feed_from(const pl_addr *from, size_t len)
{
    pl_path path = { .remote = *from };
    now_us += PL_MS(30);
    pl_stun_client_input(client, now_us, &path, answer, len);
}

/* The last request answered by our own responder. */
static void feed_answer(const pl_stun_server_conf *conf)
{
    feed_from(&out.path.remote, pl_stun_respond(conf, NULL, sent, out.len, &me, answer, sizeof answer));
}

static pl_stun_client_event end(void)
{
    pl_stun_client_event e;
    PL_OKAY(pl_stun_client_poll_event(client, &e));
    PL_OKAY(!pl_stun_client_poll_event(client, &(pl_stun_client_event){ 0 }));
    PL_EQ(pl_stun_client_next_us(client), PL_NEVER);
    PL_OKAY(!pl_stun_client_poll_output(client, now_us + PL_SEC(100), &out));
    pl_stun_client_free(client);
    client = NULL;
    return e;
}

static pl_stun_wr error_to(const pl_stun_msg *request, uint16_t code)
{
    pl_stun_wr s = pl_stun_begin_reply(answer, sizeof answer, PL_STUN_ERROR, request);
    pl_stun_put_error(&s, code, NULL);
    return s;
}

PL_TEST(learns_its_address)
{
    static const pl_stun_server_conf conf = { .software = "peerline" };
    begin(
        (pl_stun_client_conf){ .software = PL_STR("a client that pays for the name"), .fingerprint = true });
    pl_stun_msg m = take_request();
    PL_EQ(pl_stun_check_fingerprint(&m), PL_OK);
    feed_answer(&conf);
    pl_stun_client_event e = end();
    PL_EQ(e.kind, PL_STUN_CLIENT_ANSWER);
    PL_OKAY(pl_addr_eq(&e.mapped, &me));
    PL_EQ(e.rtt_us, PL_MS(30));
    PL_EQ(e.n_sent, 1);
    PL_STREQ(e.software, "peerline");
    PL_EQ(e.other.family, PL_AF_NONE);
}

PL_TEST(speaks_to_old_servers)
{
    begin((pl_stun_client_conf){ .classic = true });
    pl_stun_msg m = take_request();
    PL_OKAY(m.classic);
    PL_EQ(m.len, PL_STUN_HEADER_LEN);
    feed_answer(NULL);
    pl_stun_client_event e = end();
    PL_EQ(e.kind, PL_STUN_CLIENT_ANSWER);
    PL_OKAY(pl_addr_eq(&e.mapped, &me));
}

PL_TEST(the_timers_of_the_standard)
{
    static const int at_ms[] = { 0, 500, 1500, 3500, 7500, 15500, 31500 };
    begin((pl_stun_client_conf){ 0 });
    for (size_t i = 0; i < sizeof at_ms / sizeof at_ms[0]; i++) {
        PL_EQ(pl_stun_client_next_us(client), PL_MS(at_ms[i]));
        now_us = PL_MS(at_ms[i]);
        pl_stun_client_tick(client, now_us);
        (void)take_request();
        PL_OKAY(!pl_stun_client_poll_output(client, now_us, &out));
    }
    PL_EQ(pl_stun_client_next_us(client), PL_MS(39500));
    now_us = PL_MS(39500);
    pl_stun_client_tick(client, now_us);
    pl_stun_client_event e = end();
    PL_EQ(e.kind, PL_STUN_CLIENT_FAILED);
    PL_EQ(e.err, PL_EIO);
    PL_EQ(e.n_sent, 7);
}

PL_TEST(a_stream_is_asked_once)
{
    begin((pl_stun_client_conf){ .stream = true });
    (void)take_request();
    PL_EQ(pl_stun_client_next_us(client), PL_MS(39500));
    now_us = PL_MS(39500);
    pl_stun_client_tick(client, now_us);
    PL_EQ(end().err, PL_EIO);
}

PL_TEST(strangers_are_ignored)
{
    pl_addr stranger = addr("198.51.100.2:3478");
    begin((pl_stun_client_conf){ 0 });
    pl_stun_msg m = take_request();
    size_t len = pl_stun_respond(NULL, NULL, sent, out.len, &me, answer, sizeof answer);
    feed_from(&stranger, len); /* the right answer from the wrong place */
    answer[19] ^= 1;
    feed_from(&out.path.remote, len); /* another transaction */
    answer[19] ^= 1;
    answer[1] = 0x17; /* another method's */
    feed_from(&out.path.remote, len);
    memcpy(answer, sent, out.len); /* our own request */
    feed_from(&out.path.remote, out.len);
    feed_from(&out.path.remote, 3);
    PL_EQ(pl_stun_client_get_counters(client)->ignored, 5);
    pl_stun_wr s = pl_stun_begin_reply(answer, sizeof answer, PL_STUN_SUCCESS, &m);
    feed_from(&out.path.remote, pl_stun_end(&s)); /* and no address in it: that is the server's fault */
    PL_EQ(end().err, PL_EPROTO);
}

PL_TEST(refusals_end_it)
{
    begin((pl_stun_client_conf){ 0 });
    pl_stun_msg m = take_request();
    pl_stun_wr s = error_to(&m, 500);
    feed_from(&out.path.remote, pl_stun_end(&s));
    pl_stun_client_event e = end();
    PL_EQ(e.err, PL_ENOTSUP);
    PL_EQ(e.code, 500);
}

static pl_stun_auth *auth_of_alice(void)
{
    pl_stun_auth *a;
    PL_EQ(pl_stun_auth_new(&a, &(pl_stun_auth_conf){ .realm = PL_STR("example.org") }), PL_OK);
    PL_EQ(pl_stun_auth_add_password(a, PL_STR("alice"), PL_STR("secret")), PL_OK);
    return a;
}

/* A server that wants to know who asks. */
static void feed_authenticated(const pl_stun_auth *a)
{
    pl_stun_msg m;
    pl_stun_auth_result got;
    PL_EQ(pl_stun_parse(&m, sent, out.len), PL_OK);
    uint16_t code = pl_stun_auth_check(a, now_us, &m, &me, NULL, &got);
    pl_stun_wr s =
        code ? error_to(&m, code) : pl_stun_begin_reply(answer, sizeof answer, PL_STUN_SUCCESS, &m);
    if (code)
        pl_stun_auth_challenge(a, now_us, &me, &s);
    else
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &me);
    pl_stun_auth_sign(&got, &s);
    feed_from(&out.path.remote, pl_stun_end(&s));
}

PL_TEST(long_term_credentials)
{
    pl_stun_auth *a = auth_of_alice();
    pl_stun_client_conf conf = { .credentials = PL_STUN_CRED_LONG_TERM,
                                 .username = PL_STR("alice"),
                                 .password = PL_STR("secret") };
    begin(conf);
    (void)take_request();
    feed_authenticated(a);
    (void)take_request();
    /* an answer without proof is not believed, though everything else is right */
    pl_stun_wr s = pl_stun_begin(answer, sizeof answer, PL_STUN_SUCCESS, PL_STUN_BINDING, sent + 8);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &me);
    feed_from(&out.path.remote, pl_stun_end(&s));
    PL_EQ(pl_stun_client_get_counters(client)->forged, 1);
    feed_authenticated(a);
    PL_EQ(pl_stun_client_get_counters(client)->challenges, 1);
    PL_EQ(end().kind, PL_STUN_CLIENT_ANSWER);
    conf.password = PL_STR("wrong");
    begin(conf);
    for (int i = 0; i < 2; i++) {
        (void)take_request();
        feed_authenticated(a);
    }
    pl_stun_client_event e = end();
    PL_EQ(e.err, PL_ENOTSUP);
    PL_EQ(e.code, 401);
    pl_stun_auth_free(a);
}

PL_TEST(short_term_credentials)
{
    for (int sha256 = 0; sha256 < 2; sha256++) {
        pl_stun_client_conf conf = { .credentials = PL_STUN_CRED_SHORT_TERM,
                                     .username = PL_STR("bob"),
                                     .password = PL_STR("word") };
        bool used;
        begin(conf);
        pl_stun_msg m = take_request();
        PL_EQ(pl_stun_auth_check_short(&m, PL_STR("bob"), PL_STR("word"), &used), 0);
        PL_OKAY(used && m.integrity_at); /* both, for nobody has said which one is known */
        pl_stun_wr s = pl_stun_begin_reply(answer, sizeof answer, PL_STUN_SUCCESS, &m);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &me);
        feed_from(&out.path.remote, pl_stun_end(&s)); /* not signed */
        pl_stun_auth_sign_short(&s, PL_STR("ward"), sha256);
        feed_from(&out.path.remote, pl_stun_end(&s)); /* by somebody else */
        PL_EQ(pl_stun_client_get_counters(client)->forged, 2);
        s = pl_stun_begin_reply(answer, sizeof answer, PL_STUN_SUCCESS, &m);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &me);
        pl_stun_auth_sign_short(&s, PL_STR("word"), sha256);
        feed_from(&out.path.remote, pl_stun_end(&s));
        PL_EQ(end().kind, PL_STUN_CLIENT_ANSWER);
    }
}

PL_TEST(forgeries_alone_are_said_to_be_that)
{
    pl_stun_client_conf conf = { .credentials = PL_STUN_CRED_SHORT_TERM,
                                 .username = PL_STR("bob"),
                                 .password = PL_STR("word") };
    for (int stream = 0; stream < 2; stream++) {
        conf.stream = stream;
        begin(conf);
        pl_stun_msg m = take_request();
        pl_stun_wr s = pl_stun_begin_reply(answer, sizeof answer, PL_STUN_SUCCESS, &m);
        feed_from(&out.path.remote, pl_stun_end(&s));
        while (!stream && pl_stun_client_next_us(client) != PL_NEVER) {
            now_us = pl_stun_client_next_us(client);
            pl_stun_client_tick(client, now_us);
            (void)pl_stun_client_poll_output(client, now_us, &out);
        }
        PL_EQ(end().err, PL_EPROTO);
    }
}

static void send_elsewhere(const char *first, const char *second)
{
    pl_stun_msg m = take_request();
    pl_stun_wr s = error_to(&m, 300);
    pl_addr a = addr(first), b = addr(second);
    pl_stun_put_addr(&s, PL_STUN_ALTERNATE_SERVER, &a);
    pl_stun_put_addr(&s, PL_STUN_ALTERNATE_SERVER, &b);
    pl_stun_put_str(&s, PL_STUN_ALTERNATE_DOMAIN, PL_STR("other.example"));
    feed_from(&out.path.remote, pl_stun_end(&s));
}

PL_TEST(follows_to_other_servers)
{
    pl_addr second = addr("198.51.100.9:99");
    begin((pl_stun_client_conf){ 0 });
    send_elsewhere("[2001:db8::9]:99", "198.51.100.9:99"); /* the family in use counts */
    (void)take_request();
    PL_OKAY(pl_addr_eq(&out.path.remote, &second));
    feed_answer(NULL);
    pl_stun_client_event e = end();
    PL_EQ(e.kind, PL_STUN_CLIENT_ANSWER);
    PL_OKAY(pl_addr_eq(&e.server, &second));
}

PL_TEST(a_stream_moves_when_its_owner_has_connected)
{
    pl_addr second = addr("198.51.100.9:99");
    pl_stun_client_event e;
    begin((pl_stun_client_conf){ .stream = true });
    send_elsewhere("198.51.100.9:99", "[2001:db8::9]:99");
    PL_OKAY(pl_stun_client_poll_event(client, &e));
    PL_EQ(e.kind, PL_STUN_CLIENT_MOVED);
    PL_OKAY(pl_addr_eq(&e.server, &second));
    PL_STREQ(e.domain, "other.example");
    PL_OKAY(!pl_stun_client_poll_output(client, now_us, &out));
    PL_EQ(pl_stun_client_next_us(client), PL_NEVER);
    pl_stun_client_connected(client, now_us);
    (void)take_request();
    feed_answer(NULL);
    PL_EQ(end().kind, PL_STUN_CLIENT_ANSWER);
}

PL_TEST(runs_in_no_circle)
{
    begin((pl_stun_client_conf){ 0 });
    send_elsewhere("198.51.100.2:3478", "198.51.100.2:3478");
    send_elsewhere("198.51.100.1:3478", "198.51.100.1:3478"); /* back again */
    pl_stun_client_event e = end();
    PL_EQ(e.err, PL_EPROTO);
    PL_EQ(e.code, 300);
    begin((pl_stun_client_conf){ 0 });
    for (int i = 0; i <= PL_STUN_CLIENT_HOPS_MAX; i++) { /* always on */
        char to[32];
        snprintf(to, sizeof to, "198.51.100.%d:3478", 2 + i);
        send_elsewhere(to, to);
    }
    PL_EQ(end().code, 300);
    begin((pl_stun_client_conf){ 0 });
    pl_stun_msg m = take_request();
    pl_stun_wr s = error_to(&m, 300); /* elsewhere, but where? */
    feed_from(&out.path.remote, pl_stun_end(&s));
    PL_EQ(end().err, PL_EPROTO);
}

PL_TEST(wrong_configurations)
{
    static char text[PL_STUN_TEXT_MAX + 1];
    memset(text, 'x', sizeof text);
    pl_stun_client_conf conf = { 0 };
    PL_EQ(pl_stun_client_new(&client, &conf, 0), PL_EINVAL);
    conf.server = addr("[::1]:3478");
    conf.software = (pl_str){ text, 128 };
    PL_EQ(pl_stun_client_new(&client, &conf, 0), PL_EINVAL);
    conf.software = (pl_str){ 0 };
    conf.credentials = PL_STUN_CRED_LONG_TERM;
    PL_EQ(pl_stun_client_new(&client, &conf, 0), PL_EINVAL);
    conf.username = PL_STR("x");
    conf.password = (pl_str){ text, sizeof text };
    PL_EQ(pl_stun_client_new(&client, &conf, 0), PL_EINVAL);
    PL_OKAY(!client);
}

PL_TESTS(t(learns_its_address), t(speaks_to_old_servers), t(the_timers_of_the_standard),
         t(a_stream_is_asked_once), t(strangers_are_ignored), t(refusals_end_it), t(long_term_credentials),
         t(short_term_credentials), t(forgeries_alone_are_said_to_be_that), t(follows_to_other_servers),
         t(a_stream_moves_when_its_owner_has_connected), t(runs_in_no_circle), t(wrong_configurations))
