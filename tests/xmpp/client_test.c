/* Scripts: what a server says, word by word, and what the client makes of it; the chain of handlers; requests. */
#include "pl_test.h"

#include "xmpp/driver.h"

#define HEADER                                                                                               \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/"      \
    "streams' from='example.org' id='x' version='1.0'>"
#define FEATURES(x) "<stream:features>" x "</stream:features>"
#define PLAIN       "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
#define STARTTLS    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
#define BIND        "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"
#define SUCCESS     "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
#define BOUND(jid)                                                                                           \
    "<iq type='result' id='login-1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>" jid                \
    "</jid></bind></iq>"
#define STREAM_ERROR(x)                                                                                      \
    "<stream:error><" x " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"

typedef struct world {
    pl_xmpp_client *c;
    pl_xmpp_handler handler;
    int64_t now_us;
    pl_buf out; /* since the last look */
    bool want_connect, want_tls, disconnected, take;
    char other[100];
    pl_xmpp_state state;
    pl_xmpp_fault fault;
    bool again;
    unsigned n_troubles, n_answers, n_silent, n_stanzas;
    char last[100]; /* name of the last stanza */
} world;

static int64_t clock_of(void *user)
{
    return ((world *)user)->now_us;
}

static void on_trouble(void *user, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us)
{
    world *w = user;
    (void)in_us;
    w->fault = fault;
    w->again = again;
    w->n_troubles++;
    PL_OKAY(*why);
}

static bool on_stanza(void *user, const pl_xml *stanza)
{
    world *w = user;
    w->n_stanzas++;
    snprintf(w->last, sizeof w->last, "%s", stanza->name);
    return w->take;
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    ((world *)user)->state = state;
    PL_OKAY(!resumed);
}

static void obey(world *w)
{
    pl_xmpp_order o;
    while (pl_xmpp_client_poll_order(w->c, w->now_us, &o)) {
        switch (o.type) {
        case PL_XMPP_CONNECT:
            w->want_connect = true;
            snprintf(w->other, sizeof w->other, "%s", o.other ? o.other : "");
            break;
        case PL_XMPP_START_TLS: w->want_tls = true; break;
        case PL_XMPP_WRITE: pl_buf_add(&w->out, o.output.text.p, o.output.text.n); break;
        case PL_XMPP_DISCONNECT: w->disconnected = true; break;
        }
    }
    pl_xmpp_client_check(w->c);
}

static void world_new(world *w, bool secure)
{
    *w = (world){ .now_us = PL_SEC(5), .out = pl_buf_init(1 << 20) };
    pl_xmpp_client_conf conf = { .jid = "romeo@example.org/orchard",
                                 .password = "secret",
                                 .plain = true,
                                 .clock = clock_of,
                                 .trouble = on_trouble,
                                 .user = w };
    PL_EQ(pl_xmpp_client_new(&w->c, &conf, w->now_us), PL_OK);
    w->handler = (pl_xmpp_handler){ .stanza = on_stanza, .state = on_state, .user = w };
    pl_xmpp_add_handler(w->c, PL_XMPP_TYPE, &w->handler);
    pl_xmpp_client_open(w->c, w->now_us);
    pl_xmpp_client_tick(w->c, w->now_us);
    obey(w);
    PL_OKAY(w->want_connect);
    pl_xmpp_client_connected(w->c, w->now_us, PL_XMPP_FRAMED_TCP, secure, NULL);
    obey(w);
}

static void world_free(world *w)
{
    pl_xmpp_client_free(w->c);
    pl_buf_clear(&w->out);
}

/* The server says this; what the client said since the last look is forgotten before. */
static void hear(world *w, const char *text)
{
    pl_buf_clear(&w->out);
    pl_xmpp_client_input(w->c, w->now_us, text, strlen(text));
    obey(w);
}

static bool said(world *w, const char *text)
{
    const char *all = pl_buf_z(&w->out);
    return all && strstr(all, text);
}

static void log_in(world *w)
{
    world_new(w, true);
    hear(w, HEADER FEATURES(PLAIN));
    PL_OKAY(said(w, "mechanism='PLAIN'"));
    hear(w, SUCCESS);
    PL_OKAY(said(w, "<stream:stream"));
    hear(w, HEADER FEATURES(BIND));
    PL_OKAY(said(w, "<resource>orchard</resource>"));
    hear(w, BOUND("romeo@example.org/orchard"));
    PL_EQ(w->state, PL_XMPP_OPENED);
}

/* ---- logging in ---- */

#define PROCEED "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

PL_TEST(names_are_told_only_under_tls)
{
    world w;
    world_new(&w, false);
    PL_OKAY(said(&w, "to='example.org'") && !said(&w, "romeo"));
    hear(&w, HEADER FEATURES(STARTTLS PLAIN));
    PL_OKAY(said(&w, "starttls") && !said(&w, "auth"));
    hear(&w, PROCEED);
    PL_OKAY(w.want_tls);
    hear(&w, HEADER FEATURES(PLAIN)); /* nobody's */
    PL_EQ(w.out.n, 0);
    pl_xmpp_client_secured(w.c, w.now_us, NULL);
    obey(&w);
    PL_OKAY(said(&w, "from='romeo@example.org'"));
    world_free(&w);
}

/* Said in the clear, to be taken for something said under TLS. */
PL_TEST(what_is_slipped_in_before_tls)
{
    static const char *const slipped[] = { HEADER, FEATURES(PLAIN), "<a/>" };
    for (size_t i = 0; i < 3; i++) {
        char text[1000];
        world w;
        world_new(&w, false);
        hear(&w, HEADER FEATURES(STARTTLS));
        snprintf(text, sizeof text, "%s%s", PROCEED, slipped[i]);
        hear(&w, text);
        PL_OKAY(!w.want_tls);
        PL_EQ(w.fault, PL_XMPP_BROKEN);
        world_free(&w);
    }
}

static void fails(bool secure, const char *text, pl_xmpp_fault fault)
{
    for (size_t step = 1; step < 9; step += 7) {
        world w;
        world_new(&w, secure);
        for (size_t at = 0; at < strlen(text); at += step) {
            size_t n = strlen(text) - at < step ? strlen(text) - at : step;
            pl_xmpp_client_input(w.c, w.now_us, text + at, n);
            obey(&w);
        }
        if (w.fault != fault)
            print_error("%s: %s\n", text, pl_xmpp_fault_str(w.fault));
        PL_EQ(w.n_troubles, 1);
        PL_EQ(w.fault, fault);
        PL_EQ(w.again, pl_xmpp_fault_may_pass(fault));
        PL_OKAY(w.disconnected);
        PL_EQ(w.state, w.again ? PL_XMPP_CONNECTING : PL_XMPP_CLOSED);
        world_free(&w);
    }
}

PL_TEST(servers_that_are_none)
{
    fails(true, "HTTP/1.1 400 Bad Request\r\n", PL_XMPP_BROKEN);
    fails(true, "<html><body>", PL_XMPP_BROKEN);
    fails(true, "<stream:stream xmlns='jabber:client' xmlns:stream='urn:x' version='1.0'>", PL_XMPP_BROKEN);
    fails(true, HEADER "<message/>", PL_XMPP_BROKEN);
    fails(true, HEADER "</stream:stream>", PL_XMPP_UNREACHABLE);
    fails(true, "<!DOCTYPE x>", PL_XMPP_BROKEN);
    fails(
        true,
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
        "from='example.net'>",
        PL_XMPP_BROKEN);
}

PL_TEST(without_tls_nothing_is_said)
{
    fails(false, HEADER FEATURES(PLAIN), PL_XMPP_NO_TLS);
    fails(false, HEADER FEATURES(STARTTLS) "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
          PL_XMPP_NO_TLS);
}

PL_TEST(log_ins_that_fail)
{
#define FAILURE(x)                                                                                           \
    HEADER FEATURES(PLAIN) "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><" x "/></failure>"
    fails(true, FAILURE("not-authorized"), PL_XMPP_NOT_AUTHORIZED);
    fails(true, FAILURE("temporary-auth-failure"), PL_XMPP_UNREACHABLE);
    fails(true, FAILURE("account-disabled"), PL_XMPP_REFUSED);
    fails(true, FAILURE("mechanism-too-weak"), PL_XMPP_NO_MECHANISM);
    fails(true, HEADER FEATURES(""), PL_XMPP_NO_MECHANISM);
    fails(true, HEADER FEATURES(PLAIN) "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AAAA</challenge>",
          PL_XMPP_UNPROVEN);
    fails(true, HEADER FEATURES(PLAIN) "<message/>", PL_XMPP_BROKEN);
    fails(true,
          HEADER FEATURES(
              "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism>"
              "</mechanisms>") SUCCESS,
          PL_XMPP_UNPROVEN);
}

PL_TEST(stream_errors)
{
    fails(true, HEADER STREAM_ERROR("conflict"), PL_XMPP_REPLACED);
    fails(true, HEADER STREAM_ERROR("host-unknown"), PL_XMPP_REFUSED);
    fails(true, HEADER STREAM_ERROR("system-shutdown"), PL_XMPP_UNREACHABLE);
    fails(true, HEADER STREAM_ERROR("not-well-formed"), PL_XMPP_BROKEN);
    fails(true, HEADER STREAM_ERROR("something-new"), PL_XMPP_BROKEN);
}

PL_TEST(see_other_host_is_followed_a_few_times)
{
    world w;
    world_new(&w, true);
    for (int i = 0; i < PL_XMPP_REDIRECTS_MAX; i++) {
        w.want_connect = false;
        hear(&w, HEADER "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>[::1]:9222"
                        "</see-other-host></stream:error></stream:stream>");
        pl_xmpp_client_tick(w.c, w.now_us);
        obey(&w);
        PL_OKAY(w.want_connect);
        PL_STREQ(w.other, "[::1]:9222");
        PL_EQ(w.n_troubles, 0);
        pl_xmpp_client_connected(w.c, w.now_us, PL_XMPP_FRAMED_TCP, true, NULL);
        obey(&w);
    }
    hear(&w,
         HEADER "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>x</see-other-host>"
                "</stream:error>");
    PL_EQ(w.n_troubles, 1);
    PL_OKAY(w.again);
    world_free(&w);
}

PL_TEST(a_server_that_falls_silent)
{
    static const char *const steps[] = { HEADER, FEATURES(PLAIN), SUCCESS, HEADER, FEATURES(BIND) };
    for (size_t n = 0; n <= sizeof steps / sizeof *steps; n++) {
        world w;
        world_new(&w, true);
        for (size_t i = 0; i < n; i++)
            hear(&w, steps[i]);
        int64_t next_us = pl_xmpp_client_next_us(w.c);
        PL_LE(next_us, w.now_us + PL_SEC(PL_XMPP_STEP_S));
        w.now_us = next_us;
        pl_xmpp_client_tick(w.c, w.now_us);
        obey(&w);
        PL_EQ(w.fault, PL_XMPP_UNREACHABLE);
        PL_OKAY(w.again && w.disconnected);
        world_free(&w);
    }
}

PL_TEST(another_address_is_not_bound)
{
    world w;
    world_new(&w, true);
    hear(&w, HEADER FEATURES(PLAIN));
    hear(&w, SUCCESS);
    hear(&w, HEADER FEATURES(BIND));
    hear(&w, BOUND("juliet@example.org/orchard"));
    PL_EQ(w.fault, PL_XMPP_BROKEN);
    world_free(&w);
}

/* Half a second to a minute, with chance in it; a wrong password is not tried again. */
PL_TEST(pauses_grow)
{
    world w;
    int64_t longest_us = 0;
    world_new(&w, true);
    for (int i = 0; i < 12; i++) {
        pl_xmpp_client_lost(w.c, w.now_us, PL_XMPP_UNREACHABLE, "no network");
        int64_t pause_us = pl_xmpp_client_next_us(w.c) - w.now_us;
        PL_GE(pause_us, PL_MS(500) << (i < 6 ? i : 6) > PL_SEC(30) ? PL_SEC(30) : PL_MS(500) << i);
        PL_LE(pause_us, PL_SEC(60));
        longest_us = pl_max_us(longest_us, pause_us);
        w.now_us += pause_us;
        w.want_connect = false;
        pl_xmpp_client_tick(w.c, w.now_us);
        obey(&w);
        PL_OKAY(w.want_connect);
    }
    PL_GE(longest_us, PL_SEC(30));
    pl_xmpp_client_lost(w.c, w.now_us, PL_XMPP_UNREACHABLE, "no network");
    pl_xmpp_client_hurry(w.c, w.now_us);
    PL_LE(pl_xmpp_client_next_us(w.c), w.now_us);
    world_free(&w);
}

/* ---- stanzas ---- */

PL_TEST(requests_of_the_server_are_answered)
{
    world w;
    log_in(&w);
    hear(&w, "<iq type='get' id='a' from='example.org'><ping xmlns='urn:xmpp:ping'/></iq>");
    PL_OKAY(said(&w, "type='result'") && said(&w, "id='a'") && said(&w, "to='example.org'"));
    hear(&w, "<iq type='set' id='b' from='x@y/z'><unknown xmlns='urn:unknown'/></iq>");
    PL_OKAY(said(&w, "service-unavailable") && said(&w, "to='x@y/z'"));
    hear(&w, "<iq type='get' id='c'/>");
    PL_OKAY(said(&w, "bad-request"));
    hear(&w, "<iq type='get' id='c'><a/><b/></iq>");
    PL_OKAY(said(&w, "bad-request"));
    hear(
        &w,
        "<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq><iq id='d' type='huh'><x/></iq><iq id='e'><x/></iq>"
        "<iq type='result' id='f'/><iq type='error' id='g'/>");
    PL_EQ(w.out.n, 0); /* answers are never answered, nor what has no id */
    w.take = true;
    hear(&w, "<iq type='set' id='b' from='x@y/z'><unknown xmlns='urn:unknown'/></iq>");
    PL_EQ(w.out.n, 0);
    world_free(&w);
}

PL_TEST(stanzas_with_wrong_addresses_are_dropped)
{
    world w;
    log_in(&w);
    w.n_stanzas = 0;
    hear(&w, "<message from='@'/><message from='a@b' to='juliet@example.org'/><message "
             "to='romeo@example.org/other'/>"
             "<message from=''/><message to='example.org'/>");
    PL_EQ(w.n_stanzas, 0);
    hear(&w, "<message/><message to='romeo@example.org'/><message to='romeo@example.org/orchard'/><message "
             "from='a@b'/>");
    PL_EQ(w.n_stanzas, 4);
    hear(&w, "<unknown/><stream:features/>");
    PL_EQ(w.n_stanzas, 4);
    PL_EQ(w.state, PL_XMPP_OPENED);
    world_free(&w);
}

static void on_answer(void *user, const pl_xml *answer)
{
    world *w = user;
    w->n_answers += answer != NULL;
    w->n_silent += !answer;
}

/* Asks and gives the id that was used. */
static void ask(world *w, const char *to, char id[64])
{
    pl_xml *iq = pl_xmpp_iq("get", to);
    pl_xml_add(iq, "urn:q", "q");
    pl_buf_clear(&w->out);
    PL_EQ(pl_xmpp_ask(w->c, iq, PL_SEC(10), on_answer, w), PL_OK);
    obey(w);
    const char *at = strstr(pl_buf_z(&w->out), " id='");
    PL_OKAY(at);
    snprintf(id, 64, "%.*s", (int)strcspn(at + 5, "'"), at + 5);
}

static void answer(world *w, const char *id, const char *from)
{
    char text[300];
    snprintf(text, sizeof text, "<iq type='result' id='%s'%s%s%s/>", id, from ? " from='" : "",
             from ? from : "", from ? "'" : "");
    hear(w, text);
}

PL_TEST(only_who_was_asked_may_answer)
{
    static const char *const server[] = { NULL, "example.org", "romeo@example.org",
                                          "romeo@example.org/orchard" };
    world w;
    char id[64];
    log_in(&w);
    for (size_t i = 0; i < 4; i++) {
        ask(&w, NULL, id);
        answer(&w, id, "mallory@example.org");
        answer(&w, id, "example.net");
        answer(&w, "other", server[i]);
        PL_EQ(w.n_answers, i);
        answer(&w, id, server[i]);
        PL_EQ(w.n_answers, i + 1);
        answer(&w, id, server[i]); /* once */
        PL_EQ(w.n_answers, i + 1);
    }
    ask(&w, "Juliet@Example.org/Balcony", id);
    answer(&w, id, NULL);
    answer(&w, id, "juliet@example.org");
    answer(&w, id, "juliet@example.org/balcony");
    PL_EQ(w.n_answers, 4);
    answer(&w, id, "juliet@example.org/Balcony");
    PL_EQ(w.n_answers, 5);
    world_free(&w);
}

PL_TEST(requests_time_out_and_are_forgotten)
{
    world w;
    char id[64];
    log_in(&w);
    ask(&w, NULL, id);
    ask(&w, NULL, id);
    w.now_us += PL_SEC(11);
    pl_xmpp_client_tick(w.c, w.now_us);
    PL_EQ(w.n_silent, 2);
    ask(&w, NULL, id);
    pl_xmpp_forget(w.c, &w);
    answer(&w, id, NULL);
    PL_EQ(w.n_answers, 0);
    ask(&w, NULL, id); /* the session ends */
    pl_xmpp_client_lost(w.c, w.now_us, PL_XMPP_UNREACHABLE, "cut");
    PL_EQ(w.n_silent, 3);
    PL_EQ(w.state, PL_XMPP_CONNECTING);
    pl_xml *iq = pl_xmpp_iq("get", NULL);
    pl_xml_add(iq, "urn:q", "q");
    PL_EQ(pl_xmpp_ask(w.c, iq, 0, on_answer, &w), PL_ESTATE);
    world_free(&w);
}

PL_TEST(requests_have_a_limit)
{
    world w;
    char id[64];
    log_in(&w);
    for (int i = 0; i < PL_XMPP_IQS_MAX; i++)
        ask(&w, NULL, id);
    PL_EQ(pl_xmpp_ask(w.c, pl_xmpp_iq("get", NULL), 0, on_answer, &w), PL_ENOSPC);
    answer(&w, id, NULL);
    ask(&w, NULL, id);
    world_free(&w);
    PL_EQ(w.n_silent, 0); /* free tells nothing */
}

PL_TEST(what_is_no_stanza_is_not_sent)
{
    world w;
    log_in(&w);
    PL_EQ(pl_xmpp_send(w.c, NULL), PL_ENOMEM);
    PL_EQ(pl_xmpp_send(w.c, pl_xml_new("urn:x", "message")), PL_EINVAL);
    pl_xml *m = pl_xml_new(PL_NS_CLIENT, "message");
    pl_xml_add_text(m, NULL, "body", "\x01");
    PL_EQ(pl_xmpp_send(w.c, m), PL_EINVAL);
    PL_EQ(pl_xmpp_ask(w.c, pl_xmpp_iq("result", NULL), 0, on_answer, &w), PL_EINVAL);
    PL_EQ(pl_xmpp_ask(w.c, pl_xmpp_iq("get", "@"), 0, on_answer, &w), PL_EINVAL);
    pl_buf_clear(&w.out);
    obey(&w);
    PL_EQ(w.out.n, 0);
    world_free(&w);
}

/* ---- the chain ---- */

typedef struct link {
    pl_xmpp_handler h;
    pl_xmpp_client *c;
    struct link *removes; /* taken away when this one is asked */
    char name, *trace;
    bool takes;
} link;

static bool on_link(void *user, const pl_xml *stanza)
{
    link *l = user;
    (void)stanza;
    l->trace[strlen(l->trace)] = l->name;
    if (l->removes)
        pl_xmpp_remove_handler(l->c, &l->removes->h);
    return l->takes;
}

PL_TEST(handlers_are_asked_in_order)
{
    world w;
    char trace[32] = "";
    link l[6];
    static const pl_xmpp_level level[] = { PL_XMPP_ALL,    PL_XMPP_TYPE, PL_XMPP_SENDER,
                                           PL_XMPP_SINGLE, PL_XMPP_PEEK, PL_XMPP_PEEK };
    log_in(&w);
    pl_xmpp_remove_handler(w.c, &w.handler);
    pl_xmpp_remove_handler(w.c, &w.handler);
    for (int i = 0; i < 6; i++) {
        l[i] = (link){ .c = w.c, .name = (char)('a' + i), .trace = trace };
        l[i].h = (pl_xmpp_handler){ .stanza = on_link, .user = &l[i] };
        pl_xmpp_add_handler(w.c, level[i], &l[i].h);
    }
    hear(&w, "<message/>");
    PL_STREQ(trace, "efdcba");
    l[4].takes = true; /* a peek's answer does not count */
    l[2].takes = true;
    memset(trace, 0, sizeof trace);
    hear(&w, "<message/>");
    PL_STREQ(trace, "efdc");
    l[4].removes = &l[5]; /* the next in line */
    l[3].removes = &l[3]; /* itself */
    memset(trace, 0, sizeof trace);
    hear(&w, "<message/><message/>");
    PL_STREQ(trace, "edcec");
    world_free(&w);
}

PL_TEST(closing)
{
    world w;
    log_in(&w);
    pl_buf_clear(&w.out);
    pl_xmpp_client_close(w.c, w.now_us);
    obey(&w);
    PL_OKAY(said(&w, "</stream:stream>"));
    PL_EQ(pl_xmpp_send(w.c, pl_xml_new(PL_NS_CLIENT, "message")), PL_ESTATE);
    hear(&w, "<message/></stream:stream>");
    PL_EQ(w.state, PL_XMPP_CLOSED);
    PL_EQ(w.n_troubles, 0);
    PL_OKAY(w.disconnected);
    w.want_connect = false;
    pl_xmpp_client_open(w.c, w.now_us); /* and again */
    pl_xmpp_client_tick(w.c, w.now_us);
    obey(&w);
    PL_OKAY(w.want_connect);
    pl_xmpp_client_close(w.c, w.now_us);
    PL_EQ(w.state, PL_XMPP_CLOSED);
    world_free(&w);

    log_in(&w); /* a server that does not agree */
    pl_xmpp_client_close(w.c, w.now_us);
    obey(&w);
    w.now_us += PL_SEC(3);
    pl_xmpp_client_tick(w.c, w.now_us);
    PL_EQ(w.state, PL_XMPP_CLOSED);
    world_free(&w);
}

PL_TESTS(t(names_are_told_only_under_tls), t(what_is_slipped_in_before_tls), t(servers_that_are_none),
         t(without_tls_nothing_is_said), t(log_ins_that_fail), t(stream_errors),
         t(see_other_host_is_followed_a_few_times), t(a_server_that_falls_silent),
         t(another_address_is_not_bound), t(pauses_grow), t(requests_of_the_server_are_answered),
         t(stanzas_with_wrong_addresses_are_dropped), t(only_who_was_asked_may_answer),
         t(requests_time_out_and_are_forgotten), t(requests_have_a_limit), t(what_is_no_stanza_is_not_sent),
         t(handlers_are_asked_in_order), t(closing))
