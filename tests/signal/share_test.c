/* Rooms over several nodes, in virtual time: clients that write to each other, come and go, lose their connections and
 * come back at another node; nodes that die; a memory that is out of reach, or forgets everything. */
#include "pl_test.h"

#include <inttypes.h>
#include <stdlib.h>

#include "sim/share_memory.h"

enum { NODES = 3, CLIENTS = 12, STEPS = 1500, ALL = CLIENTS };

typedef struct node {
    pl_rooms *rooms; /* NULL: dead */
    pl_share *share;
    bool connected;
    pl_rand_seeded rand_state;
} node;

typedef struct client {
    pl_peer_id id; /* 0: not signed in */
    int at;        /* its node, or -1: between two connections */
    int was_at;
    bool classic;
    uint64_t heard;
    char token[PL_ROOMS_TOKEN_LEN + 1];
    uint32_t sent[CLIENTS], got[CLIENTS]; /* messages to and from each */
    bool sees[CLIENTS];                   /* its picture of who is there */
    int64_t gone_since_us;
} client;

typedef struct world {
    uint64_t seed;
    pl_rand_seeded rand_state;
    pl_rand rand;
    int64_t now_us;
    bool memory_up;
    sim_share_memory memory;
    node node[NODES];
    client client[CLIENTS];
    uint32_t n_resumed, n_died, n_heard, n_refused;
} world;

static uint32_t below(world *w, uint32_t n)
{
    return pl_rand_below(&w->rand, n);
}

/* ---- nodes ---- */

static void node_up(world *w, int i)
{
    node *n = &w->node[i];
    pl_rand rand = pl_rand_seed(&n->rand_state, w->seed * 1000 + below(w, 1000000));
    pl_rooms_conf conf = { .shared = true, .rand = rand, .idle_us = PL_SEC(60) };
    PL_EQ(pl_rooms_new(&n->rooms, &conf), PL_OK);
    PL_EQ(pl_share_new(&n->share, n->rooms, &rand), PL_OK);
    n->connected = false;
}

static void node_down(node *n)
{
    pl_share_free(n->share);
    pl_rooms_free(n->rooms);
    n->rooms = NULL;
}

/* All that the node has to ask, and the answers; those after the first `answered` get lost with the connection. */
static void node_asks(world *w, node *n, uint32_t answered)
{
    pl_share_ask ask;
    if (!w->memory_up || !n->rooms)
        return;
    if (!n->connected)
        pl_share_connected(n->share, w->now_us);
    n->connected = true;
    for (uint32_t i = 0; pl_share_poll_ask(n->share, w->now_us, &ask); i++) {
        sim_answer a;
        sim_share_carry_out(&w->memory, w->now_us, pl_share_node(n->share), &ask, &a);
        if (i < answered)
            sim_answer_give(n->share, w->now_us, &a);
        sim_answer_clear(&a);
        if (i >= answered && below(w, 4) == 0)
            break;
        pl_share_check(n->share);
        pl_rooms_check(n->rooms);
    }
}

static void node_loses_memory(world *w, node *n)
{
    if (n->rooms && n->connected)
        pl_share_lost(n->share, w->now_us);
    n->connected = false;
}

/* ---- clients ---- */

static int number_of(const world *w, pl_peer_id id)
{
    for (int i = 0; i < CLIENTS; i++)
        if (w->client[i].id == id)
            return i;
    return ALL;
}

static void take_list(world *w, client *c)
{
    const void *cursor = NULL;
    pl_rooms_peer p;
    memset(c->sees, 0, sizeof c->sees);
    while (pl_rooms_each(w->node[c->at].rooms, c->id, &cursor, &p))
        if (number_of(w, p.id) < ALL)
            c->sees[number_of(w, p.id)] = true;
}

static bool listen_at(world *w, client *c, int at)
{
    void *replaced;
    if (pl_rooms_listen(w->node[at].rooms, w->now_us, c->id, c, &replaced))
        return false;
    c->at = c->was_at = at;
    take_list(w, c);
    return true;
}

static void sign_in(world *w, client *c, int at)
{
    node *n = &w->node[at];
    char name[16];
    snprintf(name, sizeof name, "c%d", (int)(c - w->client));
    if (!n->rooms || pl_rooms_sign_in(n->rooms, w->now_us, PL_STR("r"), pl_str_of(name), &c->id))
        return; /* no ids yet */
    memset(c->sent, 0, sizeof c->sent);
    memset(c->got, 0, sizeof c->got);
    for (int i = 0; i < CLIENTS; i++) /* a new id is a new peer */
        w->client[i].sent[c - w->client] = w->client[i].got[c - w->client] = 0;
    c->classic = below(w, 3) == 0;
    if (!c->classic)
        pl_rooms_bind(n->rooms, c->id);
    PL_OKAY(pl_rooms_token(n->rooms, c->id, c->token));
    c->heard = pl_rooms_seq(n->rooms);
    PL_OKAY(listen_at(w, c, at));
}

static void lose_connection(world *w, client *c)
{
    if (c->at >= 0 && w->node[c->at].rooms)
        pl_rooms_unlisten(w->node[c->at].rooms, w->now_us, c->id, c);
    c->at = -1;
    c->gone_since_us = w->now_us;
}

static void come_back(world *w, client *c, int at)
{
    node *n = &w->node[at];
    if (!n->rooms || !pl_share_get_stats(n->share)->n_hellos ||
        !pl_rooms_token_is_right(n->rooms, c->id, pl_str_of(c->token)))
        return;
    if (w->node[c->was_at].rooms && pl_rooms_get_stats(w->node[c->was_at].rooms)->n_ops)
        return; /* what it has said, and a classic one has heard, is known there alone */
    if (c->at >= 0)
        lose_connection(w, c);
    pl_err err = pl_rooms_resume(n->rooms, w->now_us, c->id, c->classic ? 0 : c->heard);
    if (err == PL_EAGAIN)
        return;
    if (err == PL_OK && listen_at(w, c, at))
        w->n_resumed++;
    else
        c->id = 0; /* too late: it signs in anew */
}

static void on_message(world *w, client *c, const pl_rooms_item *item)
{
    char text[64];
    unsigned long number;
    int from = number_of(w, item->peer);
    c->heard = item->seq;
    PL_OKAY(pl_str_copy(item->data, text, sizeof text));
    number = strtoul(text, NULL, 10);
    if (from == ALL)
        return; /* it has a new id by now */
    if (number != c->got[from] + 1)
        print_error("seed %" PRIu64 ": from %d to %d came %lu after %u\n", w->seed, from,
                    (int)(c - w->client), number, c->got[from]);
    PL_EQ(number, c->got[from] + 1);
    c->got[from]++;
    w->n_heard++;
}

static void hear(world *w, client *c)
{
    pl_rooms_item item;
    if (c->at < 0)
        return;
    while (pl_rooms_take(w->node[c->at].rooms, w->now_us, c->id, &item)) {
        int who = number_of(w, item.peer);
        if (item.kind == PL_ROOMS_MESSAGE)
            on_message(w, c, &item);
        else if (item.kind == PL_ROOMS_REFUSED)
            w->n_refused++;
        else if (who < ALL)
            c->sees[who] = item.kind == PL_ROOMS_JOINED;
    }
}

static void say(world *w, client *c, int to)
{
    char text[16];
    if (c->at < 0 || !w->client[to].id || &w->client[to] == c)
        return;
    pl_rooms_peer p;
    if (!pl_rooms_find(w->node[c->at].rooms, w->client[to].id, &p)) /* not known at this node yet */
        return;
    snprintf(text, sizeof text, "%u", c->sent[to] + 1);
    if (pl_rooms_send(w->node[c->at].rooms, w->now_us, c->id, w->client[to].id, PL_STR("text/plain"),
                      pl_str_of(text)) == PL_OK)
        c->sent[to]++;
}

/* Who was signed out, or whose connection belongs to another node now. */
static void hear_of_the_gone(world *w, node *n)
{
    pl_rooms_event ev;
    while (n->rooms && pl_rooms_poll_event(n->rooms, &ev)) {
        client *c = ev.listener;
        if (ev.kind == PL_ROOMS_GONE && c->id == ev.id && c->at >= 0 && &w->node[c->at] == n)
            c->id = 0;
    }
}

/* ---- what happens ---- */

static void kill_node(world *w, int i)
{
    if (!w->memory_up || !w->node[i].rooms)
        return;
    node_asks(w, &w->node[i], UINT32_MAX); /* what it had not said yet would be lost with it */
    for (int k = 0; k < CLIENTS; k++)
        if (w->client[k].at == i)
            w->client[k].at = -1, w->client[k].gone_since_us = w->now_us;
    node_down(&w->node[i]);
    w->n_died++;
}

static void something_happens(world *w)
{
    client *c = &w->client[below(w, CLIENTS)];
    int at = (int)below(w, NODES);
    uint32_t what = below(w, 1000);
    if (what < 5)
        kill_node(w, at);
    else if (what < 40)
        node_loses_memory(w, &w->node[at]);
    else if (what < 44 && w->memory_up)
        w->memory_up = false;
    else if (what < 90)
        lose_connection(w, c);
    else if (what < 100 && c->id)
        come_back(w, c, at);
    else if (c->id)
        say(w, c, (int)below(w, CLIENTS));
}

/* Whoever is without a connection looks for a node, within five seconds. */
static void clients_come_back(world *w, bool at_once)
{
    for (int i = 0; i < CLIENTS; i++) {
        client *c = &w->client[i];
        int at = (int)below(w, NODES);
        if (!c->id)
            sign_in(w, c, at);
        else if (c->at < 0 && (at_once || w->now_us - c->gone_since_us > (int64_t)below(w, 5) * PL_SEC(1)))
            come_back(w, c, at);
    }
}

/* When the connection breaks, the first few answers come and no others. */
static void exchange(world *w, node *n, bool holds)
{
    node_asks(w, n, holds ? UINT32_MAX : below(w, 3));
    if (!holds)
        node_loses_memory(w, n);
}

static void step(world *w, bool calm)
{
    int64_t down_us = PL_SEC(10);
    w->now_us += PL_MS(20);
    if (!calm)
        something_happens(w);
    if (!w->memory_up)
        for (int i = 0; i < NODES; i++)
            node_loses_memory(w, &w->node[i]);
    if (!w->memory_up && (calm || below(w, (uint32_t)(down_us / PL_MS(20))) == 0))
        w->memory_up = true;
    for (int i = 0; i < NODES; i++) {
        node *n = &w->node[i];
        if (!n->rooms && (calm || below(w, 100) == 0))
            node_up(w, i);
        if (calm || below(w, 3))
            exchange(w, n, calm || below(w, 50));
        if (w->memory_up && n->rooms && n->connected && (calm || below(w, 3))) {
            sim_share_read(&w->memory, w->now_us, n->share);
            pl_rooms_check(n->rooms);
        }
        if (n->rooms)
            pl_rooms_tick(n->rooms, w->now_us);
        hear_of_the_gone(w, n);
    }
    clients_come_back(w, calm);
    for (int i = 0; i < CLIENTS; i++)
        if (calm || below(w, 2))
            hear(w, &w->client[i]);
}

static world *world_new(uint64_t seed)
{
    world *w = calloc(1, sizeof *w);
    PL_OKAY(w);
    w->seed = seed;
    w->rand = pl_rand_seed(&w->rand_state, seed);
    w->now_us = PL_SEC(100);
    w->memory_up = true;
    for (int i = 0; i < NODES; i++)
        node_up(w, i);
    for (int i = 0; i < CLIENTS; i++)
        w->client[i].at = -1;
    return w;
}

static void world_free(world *w)
{
    for (int i = 0; i < NODES; i++)
        if (w->node[i].rooms)
            node_down(&w->node[i]);
    sim_share_memory_clear(&w->memory);
    free(w);
}

/* All messages between two that are still who they were have come, and everybody sees everybody. */
static void all_is_well(const world *w)
{
    for (int i = 0; i < CLIENTS; i++) {
        const client *c = &w->client[i];
        PL_OKAY(c->id && c->at >= 0);
        for (int k = 0; k < CLIENTS; k++) {
            if (k == i)
                continue;
            if (c->sent[k] != w->client[k].got[i] || !c->sees[k])
                print_error("seed %" PRIu64 ": %d to %d: %u sent, %u came, seen %d\n", w->seed, i, k,
                            c->sent[k], w->client[k].got[i], c->sees[k]);
            PL_EQ(c->sent[k], w->client[k].got[i]);
            PL_OKAY(c->sees[k]);
        }
    }
}

PL_TEST(messages_arrive_once_and_in_order_whatever_breaks)
{
    uint64_t first = pl_test_seed(1), n_heard = 0, n_resumed = 0, n_died = 0;
    for (uint64_t seed = first; seed < first + 200; seed++) {
        world *w = world_new(seed);
        for (int i = 0; i < STEPS; i++)
            step(w, false);
        for (int i = 0; i < 1500; i++) /* 30 s: the dead are buried, who did not come back in time is new */
            step(w, true);
        all_is_well(w);
        n_heard += w->n_heard;
        n_resumed += w->n_resumed;
        n_died += w->n_died;
        world_free(w);
    }
    PL_OKAY(n_heard > 10000 && n_resumed > 1000 && n_died > 100);
}

/* ---- a memory that was emptied while nodes run ---- */

static pl_peer_id first_in(world *w, int at, const char *name)
{
    pl_peer_id id = 0;
    PL_EQ(pl_rooms_sign_in(w->node[at].rooms, w->now_us, PL_STR("r"), pl_str_of(name), &id), PL_OK);
    pl_rooms_bind(w->node[at].rooms, id);
    return id;
}

static void all_exchange(world *w)
{
    for (int i = 0; i < NODES; i++) {
        node_asks(w, &w->node[i], UINT32_MAX);
        sim_share_read(&w->memory, w->now_us, w->node[i].share);
    }
}

/* The newest node is the first that says hello to it, and knows of no id that was given before. */
PL_TEST(an_emptied_memory_gives_no_id_twice)
{
    uint64_t seed = pl_test_seed(7);
    world *w = world_new(seed);
    pl_peer_id old[4], young[4];
    all_exchange(w);
    for (int i = 0; i < 4; i++)
        old[i] = first_in(w, i % 2, "old");
    all_exchange(w);
    sim_share_memory_clear(&w->memory);
    node_down(&w->node[2]);
    node_up(w, 2);
    node_asks(w, &w->node[2], UINT32_MAX);
    for (int i = 0; i < 4; i++)
        young[i] = first_in(w, 2, "young");
    for (int i = 0; i < 40; i++) { /* both old ones notice, and hold back until each has told of its peers */
        w->now_us += PL_MS(500);
        all_exchange(w);
    }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            PL_OKAY(old[i] != young[k]);
    for (int i = 0; i < NODES; i++) {
        const pl_rooms_stats *st = pl_rooms_get_stats(w->node[i].rooms);
        PL_EQ(st->n_peers + st->n_remote, 8);
        PL_EQ(st->n_moved, 0); /* nobody's peer was taken for another's */
    }
    world_free(w);
}

/* What was given to others lately, and never seen at this node, is not given again either. */
PL_TEST(an_emptied_memory_goes_on_above_what_others_may_hold)
{
    world *w = world_new(pl_test_seed(8));
    all_exchange(w);
    pl_peer_id given = w->memory.next_id; /* to all; node 0, which greeted first, has the lowest of them */
    sim_share_memory_clear(&w->memory);
    w->now_us += PL_SEC(2);
    node_asks(w, &w->node[0], UINT32_MAX);
    PL_OKAY(given > PL_SHARE_IDS && w->memory.next_id > given);
    world_free(w);
}

/* What is said before the node has noticed waits, and nobody is told that the other is not there. */
PL_TEST(a_message_to_an_emptied_memory_waits_for_the_hello)
{
    world *w = world_new(pl_test_seed(9));
    pl_rooms_item item;
    unsigned heard = 0;
    all_exchange(w);
    pl_peer_id ann = first_in(w, 0, "ann"), bob = first_in(w, 1, "bob");
    all_exchange(w);
    all_exchange(w);
    sim_share_memory_clear(&w->memory);
    for (int i = 0; i < 3; i++)
        PL_EQ(pl_rooms_send(w->node[0].rooms, w->now_us, ann, bob, PL_STR("text/plain"), PL_STR("hello")),
              PL_OK);
    for (int i = 0; i < 40; i++) {
        w->now_us += PL_MS(500);
        all_exchange(w);
        while (pl_rooms_take(w->node[0].rooms, w->now_us, ann, &item))
            PL_OKAY(item.kind != PL_ROOMS_REFUSED);
        while (pl_rooms_take(w->node[1].rooms, w->now_us, bob, &item))
            heard += item.kind == PL_ROOMS_MESSAGE;
    }
    PL_EQ(heard, 3);
    world_free(w);
}

PL_TESTS(t(messages_arrive_once_and_in_order_whatever_breaks), t(an_emptied_memory_gives_no_id_twice),
         t(an_emptied_memory_goes_on_above_what_others_may_hold),
         t(a_message_to_an_emptied_memory_waits_for_the_hello))
