#include "signal/xmpp_scenarios.h"

#include "pl_test.h"
#include "signal/xmpp_fixture.h"

static xmpp_server server;
static pl_loop *loop;
static char romeo[80], juliet[80];
static bool
    websocket_resumes; /* ejabberd 23 drops the session when it sees a cut WebSocket before our resumption */

static const pl_xmpp_via ways[] = { PL_XMPP_VIA_STARTTLS, PL_XMPP_VIA_TLS, PL_XMPP_VIA_WEBSOCKET,
                                    PL_XMPP_VIA_BOSH };
enum { WAYS = 4 };

static void sign_in(xmpp_user *u, const char *jid, pl_xmpp_via via)
{
    pl_xmpp_connection_conf conf = xmpp_user_conf(&server, jid, via);
    xmpp_user_new(u, loop, &conf);
    XMPP_UNTIL(loop, u->state == PL_XMPP_OPENED || u->n_troubles);
    if (u->n_troubles)
        print_error("%s\n", u->why);
    PL_EQ(u->state, PL_XMPP_OPENED);
    xmpp_user_ask_ping(u); /* behind our presence: when it is answered, messages find us */
    XMPP_UNTIL(loop, u->n_answers == 1);
    u->n_answers = 0;
}

static void sign_out(xmpp_user *u)
{
    pl_xmpp_connection_close(u->x);
    XMPP_UNTIL(loop, u->state == PL_XMPP_CLOSED);
    xmpp_user_free(u);
}

PL_TEST(signs_in_every_way_and_messages_pass)
{
    for (int a = 0; a < WAYS; a++) {
        for (int b = 0; b < WAYS; b++) {
            xmpp_user r, j;
            if (a != b && a != 0) /* each with itself, and the first with each */
                continue;
            sign_in(&r, romeo, ways[a]);
            sign_in(&j, juliet, ways[b]);
            PL_OKAY(pl_jid_resource(pl_xmpp_client_jid(r.client)).n > 0);
            PL_OKAY(strstr(pl_xmpp_connection_security(r.x), "SCRAM-SHA-"));
            xmpp_user_ask_ping(&r);
            xmpp_user_say(&r, juliet, "wherefore <art> & thou \xf0\x9f\x8e\xad");
            xmpp_user_say(&j, pl_xmpp_client_jid(r.client)->text, "a rose");
            XMPP_UNTIL(loop, j.n_texts == 1 && r.n_texts == 1 && r.n_answers == 1);
            PL_STREQ(j.texts[0], "wherefore <art> & thou \xf0\x9f\x8e\xad");
            PL_STREQ(r.texts[0], "a rose");
            PL_EQ(r.n_troubles + j.n_troubles, 0);
            sign_out(&r);
            sign_out(&j);
        }
    }
}

PL_TEST(the_resource_that_was_asked_for)
{
    char full[100];
    snprintf(full, sizeof full, "%s/balcony", romeo);
    for (int a = 0; a < WAYS; a++) {
        xmpp_user r;
        sign_in(&r, full, ways[a]);
        PL_STREQ(pl_xmpp_client_jid(r.client)->text, full);
        sign_out(&r);
    }
}

PL_TEST(a_wrong_password_is_told_as_such)
{
    for (int a = 0; a < WAYS; a++) {
        xmpp_user r;
        pl_xmpp_connection_conf conf = xmpp_user_conf(&server, romeo, ways[a]);
        conf.password = "Secret";
        xmpp_user_new(&r, loop, &conf);
        XMPP_UNTIL(loop, r.state == PL_XMPP_CLOSED && r.n_troubles);
        PL_EQ(r.fault, PL_XMPP_NOT_AUTHORIZED);
        PL_OKAY(!r.again);
        PL_EQ(r.n_troubles, 1);
        PL_EQ(r.n_opened, 0);
        xmpp_user_free(&r);
    }
}

PL_TEST(an_authority_that_nobody_trusts)
{
    for (int a = 0; a < WAYS; a++) {
        xmpp_user r;
        pl_xmpp_connection_conf conf = xmpp_user_conf(&server, romeo, ways[a]);
        conf.ca_file = server.other_ca;
        xmpp_user_new(&r, loop, &conf);
        XMPP_UNTIL(loop, r.state == PL_XMPP_CLOSED && r.n_troubles);
        PL_EQ(r.fault, PL_XMPP_BAD_CERTIFICATE);
        PL_OKAY(!r.again);
        xmpp_user_free(&r);
    }
}

/* The server does not have the domain: it says so in the stream or in TLS, or shows another's certificate. */
PL_TEST(another_domain)
{
    static const pl_xmpp_via tcp[] = { PL_XMPP_VIA_STARTTLS, PL_XMPP_VIA_TLS };
    for (int a = 0; a < 2; a++) {
        xmpp_user r;
        pl_xmpp_connection_conf conf = xmpp_user_conf(&server, "romeo@example.net", tcp[a]);
        conf.once = true;
        xmpp_user_new(&r, loop, &conf);
        XMPP_UNTIL(loop, r.state == PL_XMPP_CLOSED && r.n_troubles);
        PL_OKAY(r.fault != PL_XMPP_FINE && r.fault != PL_XMPP_NOT_AUTHORIZED);
        PL_EQ(r.n_opened, 0);
        xmpp_user_free(&r);
    }
}

static void say_numbers(xmpp_user *u, const char *to, int from, int n)
{
    for (int i = from; i < from + n; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        xmpp_user_say(u, to, text);
    }
}

static void heard_all_in_order(const xmpp_user *u, unsigned n)
{
    PL_EQ(u->n_texts, n);
    for (unsigned i = 0; i < n; i++)
        PL_EQ((int)strtol(u->texts[i], NULL, 10), i);
}

/* Both ends are cut with stanzas in the air, again and again: nothing is lost, nothing comes twice. */
PL_TEST(a_cut_session_is_resumed_without_loss)
{
    static const pl_xmpp_via resumable[] = { PL_XMPP_VIA_STARTTLS, PL_XMPP_VIA_TLS, PL_XMPP_VIA_WEBSOCKET };
    enum { CUTS = 3, SOME = 15 };
    for (int a = 0; a < (websocket_resumes ? 3 : 2); a++) {
        xmpp_user r, j;
        sign_in(&r, romeo, resumable[a]);
        sign_in(&j, juliet, resumable[a]);
        char to_r[200], to_j[200];
        snprintf(to_r, sizeof to_r, "%.190s", pl_xmpp_client_jid(r.client)->text);
        snprintf(to_j, sizeof to_j, "%.190s", pl_xmpp_client_jid(j.client)->text);
        int n = 0;
        for (int cut = 0; cut < CUTS; cut++) {
            say_numbers(&r, to_j, n, SOME);
            say_numbers(&j, to_r, n, SOME);
            (void)pl_loop_run_once(loop, 0); /* some are out, few are in */
            n += SOME;
            pl_xmpp_connection_cut(r.x);
            PL_EQ(r.state, PL_XMPP_LOST);
            say_numbers(&r, to_j, n, SOME); /* waits */
            say_numbers(&j, to_r, n, SOME);
            n += SOME;
            XMPP_UNTIL(loop, r.state == PL_XMPP_OPENED && r.n_resumed == (unsigned)cut + 1);
        }
        xmpp_user_ask_ping(&r);
        XMPP_UNTIL(loop, r.n_texts >= (unsigned)n && j.n_texts >= (unsigned)n && r.n_answers == 1);
        heard_all_in_order(&r, (unsigned)n);
        heard_all_in_order(&j, (unsigned)n);
        PL_EQ(r.n_opened, CUTS + 1);
        PL_STREQ(pl_xmpp_client_jid(r.client)->text, to_r);
        sign_out(&r);
        sign_out(&j);
    }
}

/* An answer that is under way when the link is cut comes after the resumption. */
PL_TEST(requests_outlive_a_cut)
{
    xmpp_user r;
    sign_in(&r, romeo, PL_XMPP_VIA_TLS);
    for (int i = 0; i < 10; i++)
        xmpp_user_ask_ping(&r);
    pl_xmpp_connection_cut(r.x);
    XMPP_UNTIL(loop, r.n_answers == 10);
    PL_EQ(r.n_silent, 0);
    sign_out(&r);
}

/* Whatever the server does with the old session: we are back, and a message that was waiting goes out, once. */
PL_TEST(a_cut_websocket_comes_back)
{
    xmpp_user r, j;
    sign_in(&r, romeo, PL_XMPP_VIA_WEBSOCKET);
    sign_in(&j, juliet, PL_XMPP_VIA_TLS);
    xmpp_user_ask_ping(&r);
    XMPP_UNTIL(loop, r.n_answers == 1);
    pl_xmpp_connection_cut(r.x);
    xmpp_user_say(&r, pl_xmpp_client_jid(j.client)->text, "late");
    XMPP_UNTIL(loop, r.state == PL_XMPP_OPENED && j.n_texts == 1);
    PL_STREQ(j.texts[0], "late");
    sign_out(&r);
    sign_out(&j);
}

/* Over BOSH nothing is resumed: a new session begins, and it is said so. */
PL_TEST(a_cut_bosh_session_begins_anew)
{
    xmpp_user r;
    sign_in(&r, romeo, PL_XMPP_VIA_BOSH);
    pl_xmpp_connection_cut(r.x);
    PL_EQ(r.state, PL_XMPP_CONNECTING);
    XMPP_UNTIL(loop, r.state == PL_XMPP_OPENED && r.n_opened == 2);
    PL_EQ(r.n_resumed, 0);
    sign_out(&r);
}

PL_TEST(a_resource_that_is_taken_over)
{
    char full[100];
    xmpp_user one, two;
    snprintf(full, sizeof full, "%s/balcony", romeo);
    sign_in(&one, full, PL_XMPP_VIA_TLS);
    sign_in(&two, full, PL_XMPP_VIA_TLS);
    bool same = pl_jid_eq(pl_xmpp_client_jid(one.client), pl_xmpp_client_jid(two.client));
    if (same) { /* else the server gave the second another one */
        XMPP_UNTIL(loop, one.state == PL_XMPP_CLOSED && one.n_troubles);
        PL_EQ(one.fault, PL_XMPP_REPLACED);
        PL_OKAY(!one.again);
    }
    xmpp_user_free(&one);
    sign_out(&two);
}

PL_TEST(an_account_is_made_and_used)
{
    for (int a = 0; a < WAYS; a++) {
        xmpp_user n;
        char jid[100];
        snprintf(jid, sizeof jid, "newcomer%d@%s", a, server.domain);
        for (int again = 0; again < 2; again++) { /* the second time it is there already */
            pl_xmpp_connection_conf conf = xmpp_user_conf(&server, jid, ways[a]);
            conf.create_account = true;
            xmpp_user_new(&n, loop, &conf);
            XMPP_UNTIL(loop, n.state == PL_XMPP_OPENED || n.n_troubles);
            if (n.n_troubles)
                print_error("%s\n", n.why);
            PL_EQ(n.state, PL_XMPP_OPENED);
            sign_out(&n);
        }
    }
}

PL_TEST(large_stanzas_both_ways)
{
    enum { LARGE = 100000 };
    char *text = malloc(LARGE + 1);
    for (int i = 0; i < LARGE; i++)
        text[i] = (char)('a' + i % 26);
    text[LARGE] = 0;
    for (int a = 0; a < WAYS; a++) {
        xmpp_user r, j;
        sign_in(&r, romeo, ways[a]);
        sign_in(&j, juliet, ways[a]);
        for (int i = 0; i < 4; i++) {
            xmpp_user_say(&r, pl_xmpp_client_jid(j.client)->text, text);
            xmpp_user_say(&j, pl_xmpp_client_jid(r.client)->text, text);
        }
        XMPP_UNTIL(loop, r.n_texts == 4 && j.n_texts == 4);
        PL_STREQ(r.texts[3], text);
        PL_STREQ(j.texts[3], text);
        sign_out(&r);
        sign_out(&j);
    }
    free(text);
}

PL_TEST(freed_at_every_moment)
{
    for (int a = 0; a < WAYS; a++) {
        for (int n = 0; n < 60; n += 3) {
            xmpp_user r;
            pl_xmpp_connection_conf conf = xmpp_user_conf(&server, romeo, ways[a]);
            xmpp_user_new(&r, loop, &conf);
            for (int i = 0; i < n && r.state != PL_XMPP_OPENED; i++)
                (void)pl_loop_run_once(loop, PL_MS(5));
            if (n % 2)
                pl_xmpp_connection_close(r.x);
            xmpp_user_free(&r);
        }
    }
}

int xmpp_scenarios_run(const char *kind)
{
    const struct CMUnitTest tests[] = {
        t(signs_in_every_way_and_messages_pass),
        t(the_resource_that_was_asked_for),
        t(a_wrong_password_is_told_as_such),
        t(an_authority_that_nobody_trusts),
        t(another_domain),
        t(a_cut_session_is_resumed_without_loss),
        t(requests_outlive_a_cut),
        t(a_cut_websocket_comes_back),
        t(a_cut_bosh_session_begins_anew),
        t(a_resource_that_is_taken_over),
        t(an_account_is_made_and_used),
        t(large_stanzas_both_ways),
        t(freed_at_every_moment),
    };
    websocket_resumes = strcmp(kind, "ejabberd") != 0;
    xmpp_server_start(&server, kind, NULL);
    snprintf(romeo, sizeof romeo, "romeo@%s", server.domain);
    snprintf(juliet, sizeof juliet, "juliet@%s", server.domain);
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    int failed = cmocka_run_group_tests_name(kind, tests, NULL, NULL);
    pl_loop_free(loop);
    xmpp_server_stop(&server);
    return failed;
}
