/* Sessions over a link that is slow and is cut again and again, in virtual time: no stanza is lost, none comes twice, all
 * come in order, on both sides. */
#include "pl_test.h"

#include "xmpp/driver.h"
#include "xmpp/sim_server.h"

enum { PIECES_MAX = 4096 };

typedef struct piece {
    int64_t at_us;
    char *data; /* NULL: TLS stands */
    size_t len;
} piece;

typedef struct way { /* one direction of the link */
    piece piece[PIECES_MAX];
    size_t first, n;
} way;

typedef struct world {
    pl_rand_seeded seeded;
    pl_rand rand;
    int64_t now_us, delay_us;
    pl_xmpp_client *client;
    pl_xmpp_handler handler;
    sim_server server;
    bool connected;
    int64_t connect_at_us;
    way up, down;
    int texts[SIM_QUEUE_MAX];
    unsigned n_texts, n_opened, n_resumed, n_answers, n_silent, n_asked;
    pl_xmpp_state state;
    pl_xmpp_fault fault;
} world;

static void drop(way *w)
{
    for (; w->first < w->n; w->first++)
        free(w->piece[w->first].data);
    w->first = w->n = 0;
}

static void send_piece(world *w, way *d, const char *data, size_t len)
{
    if (d->first == d->n)
        d->first = d->n = 0;
    PL_OKAY(d->n < PIECES_MAX);
    int64_t at_us = w->now_us + w->delay_us / 2 + pl_rand_below(&w->rand, (uint32_t)w->delay_us);
    if (d->n > d->first && d->piece[d->n - 1].at_us > at_us)
        at_us = d->piece[d->n - 1].at_us; /* TCP keeps order */
    char *copy = malloc(len + 1);
    memcpy(copy, data, len);
    d->piece[d->n++] = (piece){ at_us, copy, len };
}

static int64_t clock_of(void *user)
{
    return ((world *)user)->now_us;
}

static bool on_stanza(void *user, const pl_xml *stanza)
{
    world *w = user;
    const char *body = pl_xml_child_text(stanza, NULL, "body");
    if (body && w->n_texts < SIM_QUEUE_MAX)
        w->texts[w->n_texts++] = (int)strtol(body, NULL, 10);
    return body != NULL;
}

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    world *w = user;
    w->state = state;
    w->n_opened += state == PL_XMPP_OPENED;
    w->n_resumed += state == PL_XMPP_OPENED && resumed;
}

static void on_trouble(void *user, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us)
{
    world *w = user;
    (void)why, (void)again;
    PL_OKAY(in_us >= 0 && in_us <= PL_SEC(61));
    w->fault = fault;
}

static void on_answer(void *user, const pl_xml *answer)
{
    world *w = user;
    w->n_answers += answer != NULL;
    w->n_silent += answer == NULL;
}

static world *world_new(uint64_t seed)
{
    world *w = calloc(1, sizeof *w);
    w->rand = pl_rand_seed(&w->seeded, seed);
    w->delay_us = PL_MS(40);
    w->now_us = PL_SEC(1000);
    sim_server_init(&w->server);
    pl_xmpp_client_conf conf = { .jid = "romeo@example.org",
                                 .password = "secret",
                                 .plain = true,
                                 .rand = w->rand,
                                 .clock = clock_of,
                                 .trouble = on_trouble,
                                 .user = w };
    PL_EQ(pl_xmpp_client_new(&w->client, &conf, w->now_us), PL_OK);
    w->handler = (pl_xmpp_handler){ .stanza = on_stanza, .state = on_state, .user = w };
    pl_xmpp_add_handler(w->client, PL_XMPP_TYPE, &w->handler);
    w->connect_at_us = PL_NEVER;
    return w;
}

static void world_free(world *w)
{
    pl_xmpp_client_free(w->client);
    sim_server_clear(&w->server);
    drop(&w->up);
    drop(&w->down);
    free(w);
}

static void cut(world *w, bool noticed)
{
    if (!w->connected)
        return;
    drop(&w->up);
    drop(&w->down);
    sim_server_cut(&w->server);
    w->connected = false;
    if (noticed)
        pl_xmpp_client_lost(w->client, w->now_us, PL_XMPP_UNREACHABLE, "cut");
}

static void obey(world *w)
{
    pl_xmpp_order o;
    while (pl_xmpp_client_poll_order(w->client, w->now_us, &o)) {
        switch (o.type) {
        case PL_XMPP_CONNECT: w->connect_at_us = w->now_us + w->delay_us; break;
        case PL_XMPP_START_TLS: pl_xmpp_client_secured(w->client, w->now_us, NULL); break;
        case PL_XMPP_WRITE:
            if (w->connected)
                send_piece(w, &w->up, o.output.text.p, o.output.text.n);
            break;
        case PL_XMPP_DISCONNECT:
            w->connected = false;
            drop(&w->down);
            w->connect_at_us = PL_NEVER;
            break;
        }
    }
}

static void deliver_up(world *w)
{
    way *d = &w->up;
    while (d->first < d->n && d->piece[d->first].at_us <= w->now_us) {
        piece p = d->piece[d->first++];
        sim_server_input(&w->server, p.data, p.len);
        free(p.data);
    }
    if (w->server.out.n && w->connected)
        send_piece(w, &w->down, w->server.out.p, w->server.out.n);
    pl_buf_clear(&w->server.out);
}

static void deliver_down(world *w)
{
    way *d = &w->down;
    while (d->first < d->n && d->piece[d->first].at_us <= w->now_us) {
        piece p = d->piece[d->first++];
        size_t half = pl_rand_below(&w->rand, (uint32_t)p.len + 1); /* in two parts, cut anywhere */
        pl_xmpp_client_input(w->client, w->now_us, p.data, half);
        pl_xmpp_client_input(w->client, w->now_us, p.data + half, p.len - half);
        free(p.data);
    }
}

/* One millisecond of the world. */
static void step(world *w)
{
    w->now_us += 1000;
    if (w->now_us >= w->connect_at_us) {
        w->connect_at_us = PL_NEVER;
        w->connected = true;
        sim_server_connect(&w->server);
        pl_xmpp_client_connected(w->client, w->now_us, PL_XMPP_FRAMED_TCP, false, NULL);
    }
    deliver_up(w);
    deliver_down(w);
    if (w->now_us >= pl_xmpp_client_next_us(w->client))
        pl_xmpp_client_tick(w->client, w->now_us);
    obey(w);
    pl_xmpp_client_check(w->client);
}

static void run_until(world *w, bool (*done)(const world *w), int64_t limit_us)
{
    int64_t until_us = w->now_us + limit_us;
    while (!done(w) && w->now_us < until_us)
        step(w);
    PL_OKAY(done(w));
}

static bool is_open(const world *w)
{
    return w->state == PL_XMPP_OPENED;
}

static void say(world *w, int number)
{
    pl_xml *m = pl_xml_new(PL_NS_CLIENT, "message");
    pl_xml_set(m, "to", "juliet@example.org");
    pl_xml_add_text(m, NULL, "body", "");
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    pl_xml_say(m->first, pl_str_of(text));
    PL_EQ(pl_xmpp_send(w->client, m), PL_OK);
}

static void ask(world *w)
{
    pl_xml *iq = pl_xmpp_iq("get", NULL);
    pl_xml_add(iq, "urn:xmpp:ping", "ping");
    PL_EQ(pl_xmpp_ask(w->client, iq, PL_SEC(600), on_answer, w), PL_OK);
    w->n_asked++;
}

enum { MESSAGES = 120 };

static bool all_said(const world *w)
{
    return w->n_texts >= MESSAGES && w->server.n_texts >= MESSAGES && w->n_answers == w->n_asked;
}

static unsigned n_resumed;

static void one_journey(uint64_t seed)
{
    world *w = world_new(seed);
    pl_xmpp_client_open(w->client, w->now_us);
    run_until(w, is_open, PL_SEC(10));
    int up = 0, down = 0;
    for (int ms = 0; ms < 60000 && (up < MESSAGES || down < MESSAGES); ms++) {
        if (up < MESSAGES && pl_rand_below(&w->rand, 40) == 0)
            say(w, up++);
        if (down < MESSAGES && pl_rand_below(&w->rand, 40) == 0)
            sim_server_say(&w->server, down++);
        if (w->n_asked < 20 && pl_rand_below(&w->rand, 60) == 0)
            ask(w);
        if (pl_rand_below(&w->rand, 100) == 0)
            sim_server_ask_ack(&w->server);
        if (pl_rand_below(&w->rand, 500) == 0)
            cut(w, true);
        step(w);
    }
    run_until(w, all_said, PL_SEC(400));
    for (int i = 0; i < 300; i++)
        step(w); /* nothing comes twice */
    PL_EQ(w->n_texts, MESSAGES);
    PL_EQ(w->server.n_texts, MESSAGES);
    for (int i = 0; i < MESSAGES; i++) {
        PL_EQ(w->texts[i], i);
        PL_EQ(w->server.texts[i], i);
    }
    PL_EQ(w->n_silent, 0);
    PL_EQ(w->server.n_sessions, 1);
    PL_EQ(w->n_resumed + 1, w->n_opened);
    n_resumed += w->n_resumed;
    pl_xmpp_client_close(w->client, w->now_us);
    for (int i = 0; i < 3000 && w->state != PL_XMPP_CLOSED; i++)
        step(w);
    PL_EQ(w->state, PL_XMPP_CLOSED);
    world_free(w);
}

static uint64_t seed_now; /* 0: all went well */

PL_TEST(nothing_is_lost_in_300_journeys)
{
    uint64_t from = pl_test_seed(1), to = getenv("PL_SEED") ? from : from + 299;
    for (seed_now = from; seed_now <= to; seed_now++)
        one_journey(seed_now);
    seed_now = 0;
    PL_GE(n_resumed, to - from); /* the link was cut indeed */
}

static int tell_seed(void **state)
{
    (void)state;
    if (seed_now)
        print_error("replay with PL_SEED=%llu\n", (unsigned long long)seed_now);
    return 0;
}

/* The server has forgotten: requests are answered with nothing, messages go out in the new session. */
PL_TEST(a_session_that_is_gone)
{
    world *w = world_new(7);
    pl_xmpp_client_open(w->client, w->now_us);
    run_until(w, is_open, PL_SEC(10));
    w->server.forgets = true;
    cut(w, true);
    PL_EQ(w->state, PL_XMPP_LOST);
    say(w, 0);
    ask(w);
    say(w, 1);
    run_until(w, is_open, PL_SEC(30));
    PL_EQ(w->n_resumed, 0);
    PL_EQ(w->n_opened, 2);
    PL_EQ(w->n_silent, 1);
    for (int i = 0; i < 1000; i++)
        step(w);
    PL_EQ(w->server.n_texts, 2);
    PL_EQ(w->server.texts[0], 0);
    PL_EQ(w->server.texts[1], 1);
    world_free(w);
}

/* No transport for longer than the server keeps a session: it is given up, and told so. */
PL_TEST(a_session_expires)
{
    world *w = world_new(8);
    pl_xmpp_client_open(w->client, w->now_us);
    run_until(w, is_open, PL_SEC(10));
    ask(w);
    cut(w, true);
    for (int s = 0; s < 301 && w->state == PL_XMPP_LOST; s++) {
        w->now_us += PL_SEC(1);
        pl_xmpp_client_tick(w->client, w->now_us);
        pl_xmpp_order o;
        while (pl_xmpp_client_poll_order(w->client, w->now_us, &o)) {
            if (o.type == PL_XMPP_CONNECT)
                pl_xmpp_client_lost(w->client, w->now_us, PL_XMPP_UNREACHABLE, "no network");
        }
        pl_xmpp_client_check(w->client);
    }
    PL_EQ(w->state, PL_XMPP_CONNECTING);
    PL_EQ(w->n_silent, 1);
    pl_xml *m = pl_xml_new(PL_NS_CLIENT, "message");
    PL_EQ(pl_xmpp_send(w->client, m), PL_ESTATE);
    world_free(w);
}

/* Nobody tells that the link is dead: silence does, within 80 seconds, and the session is resumed. */
PL_TEST(a_dead_link_is_noticed)
{
    for (int sm = 0; sm < 2; sm++) {
        world *w = world_new(9);
        w->server.no_sm = !sm;
        pl_xmpp_client_open(w->client, w->now_us);
        run_until(w, is_open, PL_SEC(10));
        int64_t dead_us = w->now_us;
        cut(w, false);
        while (w->state == PL_XMPP_OPENED && w->now_us < dead_us + PL_SEC(200))
            step(w);
        PL_LE(w->now_us - dead_us, PL_SEC(PL_XMPP_SILENCE_S + PL_XMPP_ANSWER_S + 1));
        PL_EQ(w->fault, PL_XMPP_UNREACHABLE);
        run_until(w, is_open, PL_SEC(10));
        PL_EQ(w->n_resumed, sm);
        world_free(w);
    }
}

/* Who doubts it knows within seconds, and a link that lives stays. */
PL_TEST(a_link_in_doubt_is_asked)
{
    for (int sm = 0; sm < 2; sm++) {
        world *w = world_new(9);
        w->server.no_sm = !sm;
        pl_xmpp_client_open(w->client, w->now_us);
        run_until(w, is_open, PL_SEC(10));
        int64_t asked_us = w->now_us;
        pl_xmpp_probe(w->client);
        while (w->now_us < asked_us + PL_SEC(20))
            step(w);
        PL_EQ(w->state, PL_XMPP_OPENED);
        PL_EQ(w->n_resumed, 0);
        cut(w, false);
        asked_us = w->now_us;
        pl_xmpp_probe(w->client);
        while (w->state == PL_XMPP_OPENED && w->now_us < asked_us + PL_SEC(200))
            step(w);
        PL_LE(w->now_us - asked_us, PL_SEC(PL_XMPP_PROBE_S + 1));
        pl_xmpp_probe(w->client); /* in the pause, which ends */
        run_until(w, is_open, PL_SEC(10));
        PL_EQ(w->n_resumed, sm);
        world_free(w);
    }
}

/* An hour of nothing keeps the link, with little traffic. */
PL_TEST(an_idle_link_lives)
{
    world *w = world_new(10);
    pl_xmpp_client_open(w->client, w->now_us);
    run_until(w, is_open, PL_SEC(10));
    for (int i = 0; i < 3600 * 1000; i += 1) {
        int64_t next_us = pl_xmpp_client_next_us(w->client);
        bool quiet = w->up.first == w->up.n && w->down.first == w->down.n;
        if (quiet && next_us > w->now_us + PL_MS(2)) { /* skip what nothing happens in */
            int64_t skip_us = pl_min_us(next_us, w->now_us + PL_SEC(3600)) - w->now_us - PL_MS(1);
            w->now_us += skip_us;
            i += (int)(skip_us / 1000);
        }
        step(w);
    }
    PL_EQ(w->n_opened, 1);
    PL_EQ(w->state, PL_XMPP_OPENED);
    world_free(w);
}

/* The queue has an end, and says so. */
PL_TEST(what_waits_is_bounded)
{
    world *w = world_new(11);
    pl_xmpp_client_open(w->client, w->now_us);
    run_until(w, is_open, PL_SEC(10));
    cut(w, true);
    pl_err err = PL_OK;
    int n = 0;
    for (; !err && n < 5000; n++) {
        pl_xml *m = pl_xml_new(PL_NS_CLIENT, "message");
        pl_xml_add_text(m, NULL, "body", "x");
        err = pl_xmpp_send(w->client, m);
    }
    PL_EQ(err, PL_ENOSPC);
    PL_EQ(n, PL_XMPP_UNACKED_MAX + 1);
    run_until(w, is_open, PL_SEC(30));
    for (int i = 0; i < 2000; i++)
        step(w);
    PL_EQ(w->server.n_texts, PL_XMPP_UNACKED_MAX);
    say(w, 1); /* there is room again */
    world_free(w);
}

PL_TESTS(cmocka_unit_test_teardown(nothing_is_lost_in_300_journeys, tell_seed), t(a_session_that_is_gone),
         t(a_session_expires), t(a_dead_link_is_noticed), t(a_link_in_doubt_is_asked), t(an_idle_link_lives),
         t(what_waits_is_bounded))
