/* A connection that breaks swallows what is on its way, in both directions; a node that dies takes with it what it has not
 * told. Clients that number what they say, and say again what was not acknowledged, lose nothing and double nothing. */
#include "pl_test.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "signal/ws_protocol.h"
#include "sim/share_memory.h"

enum { NODES = 3, CLIENTS = 8, STEPS = 1200, CALM_STEPS = 1500, WAITING_MAX = 64, PIPE_MAX = 65536 };

typedef struct node {
    pl_rooms *rooms; /* NULL: dead */
    pl_share *share;
    bool connected;
    pl_rand_seeded rand_state;
} node;

/* Texts on their way, each with a zero behind it. */
typedef struct pipe {
    char text[PIPE_MAX];
    size_t n;
} pipe;

typedef struct said {
    uint64_t number;
    int to;
    uint32_t nth;
} said;

typedef struct client {
    pl_ws_session session; /* the server's end of its connection */
    int at;                /* its node, or -1: no connection */
    bool cut;              /* the client knows; the server may not yet */
    pipe up, down;
    pl_peer_id id;
    bool on_line;
    char token[PL_ROOMS_TOKEN_LEN + 1];
    uint64_t heard, n_said;
    said waiting[WAITING_MAX];
    size_t n_waiting;
    uint32_t sent[CLIENTS], got[CLIENTS];
} client;

typedef struct world {
    uint64_t seed;
    bool alone; /* one node, which shares nothing and does not die */
    pl_rand_seeded rand_state;
    pl_rand rand;
    int64_t now_us;
    sim_share_memory memory;
    node node[NODES];
    client client[CLIENTS];
    uint32_t n_heard, n_cut, n_again, n_died, n_resumed;
} world;

static uint32_t below(world *w, uint32_t n)
{
    return pl_rand_below(&w->rand, n);
}

/* ---- nodes ---- */

static int nodes(const world *w)
{
    return w->alone ? 1 : NODES;
}

static void node_up(world *w, int i)
{
    node *n = &w->node[i];
    pl_rand rand = pl_rand_seed(&n->rand_state, w->seed * 1000 + below(w, 1000000));
    PL_EQ(pl_rooms_new(&n->rooms, &(pl_rooms_conf){ .shared = !w->alone, .rand = rand }), PL_OK);
    if (!w->alone)
        PL_EQ(pl_share_new(&n->share, n->rooms, &rand), PL_OK);
    n->connected = false;
}

static void node_down(node *n)
{
    pl_share_free(n->share);
    pl_rooms_free(n->rooms);
    n->share = NULL;
    n->rooms = NULL;
}

/* Up to `asked` questions of the node's; its connection to the memory breaks before the last answer when it does not hold. */
static void node_asks(world *w, node *n, uint32_t asked, bool holds)
{
    pl_share_ask ask;
    if (!n->connected)
        pl_share_connected(n->share, w->now_us);
    n->connected = true;
    for (uint32_t i = 0; i < asked && pl_share_poll_ask(n->share, w->now_us, &ask); i++) {
        sim_answer a;
        bool last = i + 1 == asked;
        sim_share_carry_out(&w->memory, w->now_us, pl_share_node(n->share), &ask, &a);
        if (holds || !last)
            sim_answer_give(n->share, w->now_us, &a);
        sim_answer_clear(&a);
        if (!holds && last) {
            pl_share_lost(n->share, w->now_us);
            n->connected = false;
            return;
        }
    }
    sim_share_read(&w->memory, w->now_us, n->share);
    pl_share_check(n->share);
    pl_rooms_check(n->rooms);
}

/* ---- the link ---- */

static void put(pipe *p, const char *text, size_t len)
{
    PL_OKAY(p->n + len + 1 <= sizeof p->text);
    memcpy(p->text + p->n, text, len);
    p->text[p->n + len] = '\0';
    p->n += len + 1;
}

static void drop_first(pipe *p)
{
    size_t len = strlen(p->text) + 1;
    memmove(p->text, p->text + len, p->n - len);
    p->n -= len;
}

/* The server's end goes away now or, when it is slow to notice, is replaced by the next connection. */
static void server_loses(world *w, client *c)
{
    if (c->at >= 0 && w->node[c->at].rooms)
        pl_ws_session_lost(&c->session, w->node[c->at].rooms, w->now_us);
    c->session.id = 0;
}

static void cut(world *w, client *c)
{
    if (c->at < 0)
        return;
    w->n_cut += c->up.n || c->down.n;
    c->up.n = c->down.n = 0;
    server_loses(w, c);
    c->at = -1;
    c->on_line = false;
}

/* ---- what a client says ---- */

static void put_said(client *c, const world *w, const said *s)
{
    char text[160];
    int n = snprintf(text, sizeof text, "{\"type\":\"message\",\"to\":%u,\"data\":\"%u\",\"n\":%" PRIu64 "}",
                     w->client[s->to].id, s->nth, s->number);
    put(&c->up, text, (size_t)n);
}

static void say(world *w, client *c, int to)
{
    if (!c->on_line || c->n_waiting == WAITING_MAX || !w->client[to].id || to == (int)(c - w->client))
        return;
    pl_rooms_peer p;
    if (!w->node[c->at].rooms || !pl_rooms_find(w->node[c->at].rooms, w->client[to].id, &p))
        return; /* not known at this node yet */
    said *s = &c->waiting[c->n_waiting++];
    *s = (said){ .number = ++c->n_said, .to = to, .nth = ++c->sent[to] };
    put_said(c, w, s);
}

static void connect_to(world *w, client *c, int at)
{
    char text[256];
    if (!w->node[at].rooms)
        return;
    c->at = at;
    c->session = (pl_ws_session){ .listener = c };
    int n =
        snprintf(text, sizeof text, "{\"type\":\"sign_in\",\"name\":\"c\",\"room\":\"r\",\"resumable\":true");
    if (c->id)
        n += snprintf(text + n, sizeof text - (size_t)n, ",\"id\":%u,\"token\":\"%s\",\"heard\":%" PRIu64,
                      c->id, c->token, c->heard);
    n += snprintf(text + n, sizeof text - (size_t)n, "}");
    put(&c->up, text, (size_t)n);
}

/* ---- what it hears ---- */

static void acked(client *c, uint64_t number)
{
    size_t n = 0;
    while (n < c->n_waiting && c->waiting[n].number <= number)
        n++;
    memmove(c->waiting, c->waiting + n, (c->n_waiting - n) * sizeof *c->waiting);
    c->n_waiting -= n;
}

static uint64_t number_of(const json_t *msg, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(msg, key));
}

static void forget(world *w, client *c)
{
    int me = (int)(c - w->client);
    memset(c->sent, 0, sizeof c->sent);
    memset(c->got, 0, sizeof c->got);
    for (int i = 0; i < CLIENTS; i++)
        w->client[i].sent[me] = w->client[i].got[me] = 0;
    c->n_waiting = 0;
    c->n_said = 0;
}

static void on_welcome(world *w, client *c, const json_t *msg)
{
    bool resumed = json_is_true(json_object_get(msg, "resumed"));
    PL_OKAY(json_is_integer(json_object_get(msg, "said")));
    c->on_line = true;
    if (!resumed) { /* calm enough for that not to happen after the beginning */
        PL_EQ(c->id, 0);
        forget(w, c);
        c->id = (pl_peer_id)number_of(msg, "id");
        c->heard = number_of(msg, "heard");
        PL_OKAY(pl_str_copy(pl_str_of(json_string_value(json_object_get(msg, "token"))), c->token,
                            sizeof c->token));
        return;
    }
    w->n_resumed++;
    acked(c, number_of(msg, "said"));
    w->n_again += (uint32_t)c->n_waiting;
    for (size_t i = 0; i < c->n_waiting; i++)
        put_said(c, w, &c->waiting[i]);
}

static void on_message(world *w, client *c, const json_t *msg)
{
    int from = 0;
    while (from < CLIENTS && w->client[from].id != number_of(msg, "from"))
        from++;
    PL_OKAY(from < CLIENTS);
    uint32_t nth = (uint32_t)strtoul(json_string_value(json_object_get(msg, "data")), NULL, 10);
    if (nth != c->got[from] + 1)
        print_error("seed %" PRIu64 ": from %d to %d came %u after %u\n", w->seed, from, (int)(c - w->client),
                    nth, c->got[from]);
    PL_EQ(nth, c->got[from] + 1);
    c->got[from]++;
    c->heard = number_of(msg, "seq");
    w->n_heard++;
}

static void hear(world *w, client *c, const char *text)
{
    json_t *msg = json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(msg, "type"));
    PL_OKAY(type);
    if (strcmp(type, "welcome") == 0)
        on_welcome(w, c, msg);
    else if (strcmp(type, "message") == 0)
        on_message(w, c, msg);
    else if (strcmp(type, "ack") == 0)
        acked(c, number_of(msg, "n"));
    else if (strcmp(type, "error") == 0) /* the memory is out of reach: it tries again */
        PL_STREQ(json_string_value(json_object_get(msg, "code")), "later"), c->cut = true;
    json_decref(msg);
}

/* ---- time ---- */

/* Some of what is on its way arrives. */
static void carry(world *w, client *c, bool all)
{
    if (c->at < 0)
        return;
    pl_rooms *rooms = w->node[c->at].rooms;
    pl_buf out = pl_buf_init(PIPE_MAX);
    for (uint32_t n = all ? UINT32_MAX : below(w, 4); c->up.n && n; n--) {
        PL_EQ(pl_ws_session_input(&c->session, rooms, w->now_us, c->up.text, strlen(c->up.text), &out),
              PL_OK);
        drop_first(&c->up);
    }
    while (pl_ws_session_next(&c->session, rooms, w->now_us, &out))
        continue;
    for (size_t at = 0; at < out.n; at += strlen(out.p + at) + 1)
        put(&c->down, out.p + at, strlen(out.p + at));
    pl_buf_clear(&out);
    for (uint32_t n = all ? UINT32_MAX : below(w, 4); c->down.n && n; n--) {
        hear(w, c, c->down.text);
        drop_first(&c->down);
    }
    if (c->cut)
        cut(w, c);
    c->cut = false;
}

static void hear_of_the_gone(node *n)
{
    pl_rooms_event ev;
    while (pl_rooms_poll_event(n->rooms, &ev))
        if (ev.kind == PL_ROOMS_GONE && ((client *)ev.listener)->session.id == ev.id)
            ((client *)ev.listener)->cut = true;
}

static void kill_node(world *w, int i)
{
    for (int k = 0; k < CLIENTS; k++)
        if (w->client[k].at == i)
            cut(w, &w->client[k]);
    node_down(&w->node[i]); /* with all that it had not told */
    w->n_died++;
}

static void something_happens(world *w)
{
    client *c = &w->client[below(w, CLIENTS)];
    uint32_t what = below(w, 1000);
    int at = (int)below(w, (uint32_t)nodes(w));
    if (what < 4 && !w->alone && w->node[at].rooms)
        kill_node(w, at);
    else if (what < 60)
        cut(w, c);
    else
        say(w, c, (int)below(w, CLIENTS));
}

static void step(world *w, bool calm)
{
    w->now_us += PL_MS(20);
    for (int i = 0; !calm && i < 2; i++)
        something_happens(w);
    for (int i = 0; i < nodes(w); i++) {
        node *n = &w->node[i];
        if (!n->rooms && (calm || below(w, 40) == 0))
            node_up(w, i);
        if (!n->rooms)
            continue;
        if (w->alone)
            pl_rooms_check(n->rooms);
        else if (calm || below(w, 2))
            node_asks(w, n, calm ? UINT32_MAX : below(w, 6), calm || below(w, 20));
        pl_rooms_tick(n->rooms, w->now_us);
        hear_of_the_gone(n);
    }
    for (int i = 0; i < CLIENTS; i++) {
        if (w->client[i].at < 0)
            connect_to(w, &w->client[i], (int)below(w, (uint32_t)nodes(w)));
        carry(w, &w->client[i], calm);
    }
}

static void live(uint64_t seed, bool alone, world *total)
{
    world *w = calloc(1, sizeof *w);
    PL_OKAY(w);
    w->seed = seed;
    w->alone = alone;
    w->rand = pl_rand_seed(&w->rand_state, seed);
    w->now_us = PL_SEC(100);
    for (int i = 0; i < CLIENTS; i++)
        w->client[i].at = -1;
    for (int i = 0; i < nodes(w); i++)
        node_up(w, i);
    for (int i = 0; i < 100; i++) /* all are in and know each other */
        step(w, true);
    for (int i = 0; i < STEPS; i++)
        step(w, false);
    for (int i = 0; i < CALM_STEPS; i++)
        step(w, true);
    for (int i = 0; i < CLIENTS; i++) {
        if (!w->client[i].on_line || w->client[i].n_waiting)
            print_error("seed %" PRIu64 ": %d at the end: on line %d, %zu not acknowledged\n", seed, i,
                        w->client[i].on_line, w->client[i].n_waiting);
        PL_OKAY(w->client[i].on_line);
        PL_EQ(w->client[i].n_waiting, 0);
        for (int k = 0; k < CLIENTS; k++)
            PL_EQ(w->client[i].sent[k], w->client[k].got[i]);
    }
    total->n_heard += w->n_heard;
    total->n_cut += w->n_cut;
    total->n_again += w->n_again;
    total->n_died += w->n_died;
    total->n_resumed += w->n_resumed;
    for (int i = 0; i < nodes(w); i++)
        node_down(&w->node[i]);
    sim_share_memory_clear(&w->memory);
    free(w);
}

PL_TEST(cuts_in_both_directions_lose_and_double_nothing)
{
    uint64_t first = pl_test_seed(1);
    world *total = calloc(1, sizeof *total);
    PL_OKAY(total);
    for (uint64_t seed = first; seed < first + 40; seed++)
        live(seed, false, total);
    PL_OKAY(total->n_heard > 10000 && total->n_cut > 1000 && total->n_again > 1000);
    PL_OKAY(total->n_died > 20 && total->n_resumed > 1000);
    free(total);
}

PL_TEST(a_node_alone_lets_its_peers_come_back)
{
    uint64_t first = pl_test_seed(1);
    world *total = calloc(1, sizeof *total);
    PL_OKAY(total);
    for (uint64_t seed = first; seed < first + 40; seed++)
        live(seed, true, total);
    PL_OKAY(total->n_heard > 10000 && total->n_cut > 1000 && total->n_again > 500);
    PL_OKAY(total->n_resumed > 1000);
    free(total);
}

PL_TESTS(t(a_node_alone_lets_its_peers_come_back), t(cuts_in_both_directions_lose_and_double_nothing))
