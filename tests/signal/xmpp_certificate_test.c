/* Servers with certificates that must not be believed, one that is bound to the log-in, and one without TLS. */
#include "pl_test.h"

#include "signal/xmpp_fixture.h"

static pl_loop *loop;
static const pl_xmpp_via ways[] = { PL_XMPP_VIA_STARTTLS, PL_XMPP_VIA_TLS, PL_XMPP_VIA_WEBSOCKET,
                                    PL_XMPP_VIA_BOSH };
enum { WAYS = 4 };

static void refused(const char *kind, const char *why)
{
    xmpp_server s;
    const char *options[] = { "--cert", kind, NULL };
    xmpp_server_start(&s, "prosody", options);
    for (int a = 0; a < WAYS; a++) {
        xmpp_user u;
        pl_xmpp_connection_conf conf = xmpp_user_conf(&s, "romeo@example.org", ways[a]);
        xmpp_user_new(&u, loop, &conf);
        XMPP_UNTIL(loop, u.state == PL_XMPP_CLOSED && u.n_troubles);
        if (u.fault != PL_XMPP_BAD_CERTIFICATE || !strstr(u.why, why))
            print_error("way %d: %s\n", a, u.why);
        PL_EQ(u.fault, PL_XMPP_BAD_CERTIFICATE);
        PL_OKAY(strstr(u.why, why));
        PL_OKAY(!u.again);
        PL_EQ(u.n_opened, 0);
        xmpp_user_free(&u);
    }
    xmpp_server_stop(&s);
}

PL_TEST(an_expired_certificate)
{
    refused("expired", "expired");
}

PL_TEST(a_certificate_of_another_host)
{
    refused("wrong-host", "match");
}

static void binds(const char *kind)
{
    xmpp_server s;
    const char *options[] = { "--tls12", NULL };
    xmpp_server_start(&s, kind, options);
    for (int a = 0; a < 2; a++) {
        xmpp_user u;
        pl_xmpp_connection_conf conf = xmpp_user_conf(&s, "romeo@example.org", ways[a]);
        xmpp_user_new(&u, loop, &conf);
        XMPP_UNTIL(loop, u.state == PL_XMPP_OPENED || u.n_troubles);
        if (u.n_troubles)
            print_error("%s\n", u.why);
        PL_EQ(u.state, PL_XMPP_OPENED);
        PL_STREQ(pl_xmpp_connection_security(u.x), "TLSv1.2, SCRAM-SHA-256-PLUS");
        pl_xmpp_connection_cut(u.x); /* and again on the way back */
        XMPP_UNTIL(loop, u.n_resumed == 1);
        xmpp_user_free(&u);
    }
    xmpp_server_stop(&s);
}

PL_TEST(the_log_in_is_bound_to_tls_at_prosody)
{
    binds("prosody");
}

PL_TEST(the_log_in_is_bound_to_tls_at_ejabberd)
{
    binds("ejabberd");
}

PL_TEST(without_tls_nothing_is_said)
{
    xmpp_server s;
    xmpp_user u;
    const char *options[] = { "--no-tls", NULL };
    xmpp_server_start(&s, "prosody", options);
    pl_xmpp_connection_conf conf = xmpp_user_conf(&s, "romeo@example.org", PL_XMPP_VIA_STARTTLS);
    xmpp_user_new(&u, loop, &conf);
    XMPP_UNTIL(loop, u.state == PL_XMPP_CLOSED && u.n_troubles);
    PL_EQ(u.fault, PL_XMPP_NO_TLS);
    xmpp_user_free(&u);
    conf.insecure = true; /* asked for, it works, and the password is still not told */
    xmpp_user_new(&u, loop, &conf);
    XMPP_UNTIL(loop, u.state == PL_XMPP_OPENED);
    PL_STREQ(pl_xmpp_connection_security(u.x), "SCRAM-SHA-256");
    xmpp_user_free(&u);
    pl_xmpp_connection_conf open[] = { xmpp_user_conf(&s, "romeo@example.org", PL_XMPP_VIA_WEBSOCKET),
                                       xmpp_user_conf(&s, "romeo@example.org", PL_XMPP_VIA_BOSH) };
    open[0].url = s.websocket;
    open[1].url = s.bosh;
    for (int i = 0; i < 2; i++) {
        pl_xmpp_connection *x;
        PL_EQ(pl_xmpp_connection_new(&x, loop, &open[i]), PL_EINVAL);
        open[i].insecure = true;
        xmpp_user_new(&u, loop, &open[i]);
        XMPP_UNTIL(loop, u.state == PL_XMPP_OPENED);
        xmpp_user_free(&u);
    }
    xmpp_server_stop(&s);
}

/* PLAIN over TLS, when there is nothing else. */
PL_TEST(plain_is_the_last_resort)
{
    xmpp_server s;
    xmpp_user u;
    const char *options[] = { "--mechanisms", "PLAIN", NULL };
    xmpp_server_start(&s, "prosody", options);
    for (int a = 0; a < WAYS; a++) {
        pl_xmpp_connection_conf conf = xmpp_user_conf(&s, "romeo@example.org", ways[a]);
        xmpp_user_new(&u, loop, &conf);
        XMPP_UNTIL(loop, u.state == PL_XMPP_OPENED || u.n_troubles);
        PL_EQ(u.state, PL_XMPP_OPENED);
        PL_OKAY(strstr(pl_xmpp_connection_security(u.x), "PLAIN"));
        xmpp_user_free(&u);
    }
    xmpp_server_stop(&s);
}

/* Nobody listens there: told, with the pause until the next try; once: it stays so. */
PL_TEST(nobody_is_there)
{
    xmpp_user u;
    xmpp_server none = { .c2s = 1, .c2s_tls = 1 };
    snprintf(none.websocket_tls, sizeof none.websocket_tls, "wss://127.0.0.1:1/ws");
    snprintf(none.bosh_tls, sizeof none.bosh_tls, "https://127.0.0.1:1/bosh");
    for (int a = 0; a < WAYS; a++) {
        pl_xmpp_connection_conf conf = xmpp_user_conf(&none, "romeo@example.org", ways[a]);
        conf.ca_file = NULL;
        xmpp_user_new(&u, loop, &conf);
        XMPP_UNTIL(loop, u.n_troubles == 2);
        PL_OKAY(u.again);
        PL_OKAY(u.fault == PL_XMPP_UNREACHABLE || u.fault == PL_XMPP_BROKEN);
        pl_xmpp_connection_close(u.x);
        PL_EQ(u.state, PL_XMPP_CLOSED);
        xmpp_user_free(&u);
        conf.once = true;
        xmpp_user_new(&u, loop, &conf);
        XMPP_UNTIL(loop, u.state == PL_XMPP_CLOSED && u.n_troubles == 1);
        PL_OKAY(!u.again);
        xmpp_user_free(&u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        t(an_expired_certificate),
        t(a_certificate_of_another_host),
        t(the_log_in_is_bound_to_tls_at_prosody),
        t(the_log_in_is_bound_to_tls_at_ejabberd),
        t(without_tls_nothing_is_said),
        t(plain_is_the_last_resort),
        t(nobody_is_there),
    };
    if (pl_loop_new(&loop, NULL))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pl_loop_free(loop);
    return failed;
}
