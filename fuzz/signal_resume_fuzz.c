/* Clients of two nodes that share their rooms: they sign in, number what they say, lose their connections and come back,
 * truthfully or with any id, token and place; nodes ask a memory that breaks off, forgets, or loses a node. Each step is an
 * opcode and its arguments; texts may be any bytes. In one connection places only grow, and numbers acknowledged were said. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signal/ws_protocol.h"
#include "sim/share_memory.h"

enum { NODES = 2, CLIENTS = 3, STEPS_MAX = 400, BIRTHS_MAX = 40, OUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const uint8_t *p, *end;
} input;

typedef struct node {
    pl_rooms *rooms;
    pl_share *share;
    bool connected;
    pl_rand_seeded rand;
} node;

typedef struct client {
    pl_ws_session session;
    int at; /* -1: nowhere */
    unsigned id;
    char token[PL_ROOMS_TOKEN_LEN + 1];
    uint64_t heard, n_said;
    uint64_t
        least; /* places up to here have been told already, in this connection or by what it said of itself */
} client;

typedef struct world {
    node node[NODES];
    client client[CLIENTS];
    sim_share_memory memory;
    int64_t now_us;
    unsigned n_born;
} world;

static unsigned take(input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

/* ---- nodes ---- */

static void birth(world *w, node *n)
{
    pl_rand rand = pl_rand_seed(&n->rand, ++w->n_born);
    pl_rooms_conf conf = {
        .shared = true, .rand = rand, .max_peers = 6, .max_room = 8, .max_queue = 4, .max_queue_bytes = 4096
    };
    if (pl_rooms_new(&n->rooms, &conf) || pl_share_new(&n->share, n->rooms, &rand))
        abort();
    n->connected = false;
}

static void death(world *w, node *n)
{
    for (int i = 0; i < CLIENTS; i++)
        if (w->client[i].at == (int)(n - w->node))
            w->client[i].at = -1, w->client[i].session.id = 0;
    pl_share_free(n->share);
    pl_rooms_free(n->rooms);
}

static void loses_memory(world *w, node *n)
{
    if (n->connected)
        pl_share_lost(n->share, w->now_us);
    n->connected = false;
}

static void asks(world *w, node *n, unsigned most, bool breaks)
{
    pl_share_ask ask;
    if (!n->connected)
        pl_share_connected(n->share, w->now_us);
    n->connected = true;
    for (unsigned i = 0; i < most && pl_share_poll_ask(n->share, w->now_us, &ask); i++) {
        sim_answer a;
        bool lost = breaks && i + 1 == most;
        sim_share_carry_out(&w->memory, w->now_us, pl_share_node(n->share), &ask, &a);
        if (!lost)
            sim_answer_give(n->share, w->now_us, &a);
        sim_answer_clear(&a);
        if (lost)
            loses_memory(w, n);
        if (lost)
            return;
    }
}

/* Who knows something of before tells it first: a newborn node that comes first would give ids that others' peers have. */
static void forgets_everything(world *w)
{
    for (int i = 0; i < NODES; i++)
        loses_memory(w, &w->node[i]);
    sim_share_memory_clear(&w->memory);
    for (int i = 0; i < NODES; i++)
        if (pl_share_get_stats(w->node[i].share)->n_hellos)
            asks(w, &w->node[i], 1, false);
    for (int i = 0; i < CLIENTS; i++) /* places may begin anew */
        w->client[i].least = 0;
}

/* ---- what is told ---- */

static uint64_t number_in(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static void hear(client *c, const char *text)
{
    if (text[0] != '{' || text[strlen(text) - 1] != '}')
        abort();
    if (strncmp(text, "{\"type\":\"welcome\"", 17) == 0) {
        const char *token = strstr(text, ",\"token\":\"");
        c->id = (unsigned)number_in(text, "\"id\":");
        if (!strstr(text, ",\"resumed\":true")) {
            c->heard = c->least = number_in(text, ",\"heard\":");
            c->n_said = 0;
        }
        if (token)
            (void)pl_str_copy((pl_str){ token + 10, PL_ROOMS_TOKEN_LEN }, c->token, sizeof c->token);
    } else if (strncmp(text, "{\"type\":\"message\"", 17) == 0 && strncmp(text + 17, ",\"from\":", 8) == 0) {
        const char *seq = strstr(text, ",\"seq\":"), *body = strstr(text, ",\"data\":");
        if (seq && seq < body) {
            uint64_t place = number_in(seq, ",\"seq\":");
            if (place <= c->least)
                abort();
            c->heard = c->least = place;
        }
    } else if (strncmp(text, "{\"type\":\"ack\"", 13) == 0 && number_in(text, "\"n\":") > c->n_said) {
        abort();
    }
}

static void says(world *w, client *c, const char *text, size_t len)
{
    if (c->at < 0)
        return;
    pl_rooms *rooms = w->node[c->at].rooms;
    pl_buf out = pl_buf_init(OUT_MAX);
    (void)pl_ws_session_input(&c->session, rooms, w->now_us, text, len, &out);
    while (pl_ws_session_next(&c->session, rooms, w->now_us, &out))
        continue;
    for (size_t at = 0; at < out.n; at += strlen(out.p + at) + 1)
        hear(c, out.p + at);
    pl_buf_clear(&out);
}

static void hear_of_the_gone(world *w, node *n)
{
    pl_rooms_event ev;
    (void)w;
    while (pl_rooms_poll_event(n->rooms, &ev)) {
        client *c = ev.listener;
        if (ev.kind == PL_ROOMS_GONE && c->session.id == ev.id)
            c->session.id = 0;
    }
}

/* ---- what clients do ---- */

static void loses_connection(world *w, client *c)
{
    if (c->at >= 0)
        pl_ws_session_lost(&c->session, w->node[c->at].rooms, w->now_us);
    c->session.id = 0;
    c->at = -1;
}

/* Truly itself, or with a place that is not so. A lower one makes it hear again what it has heard. */
static void connects(world *w, client *c, input *in)
{
    char text[256];
    unsigned how = take(in);
    loses_connection(w, c);
    c->at = (int)(how & 1);
    c->session = (pl_ws_session){ .listener = c };
    uint64_t heard = c->heard, less = how & 2 ? take(in) : 0;
    heard -= less < heard ? less : heard;
    c->least = c->least < heard ? c->least : heard;
    if (how & 4)
        heard += UINT64_C(1) << (take(in) % 53);
    unsigned id = how & 8 ? take(in) : c->id;
    int n =
        id ? snprintf(text, sizeof text,
                      "{\"type\":\"sign_in\",\"name\":\"a\",\"resumable\":true,\"id\":%u,\"token\":\"%s\","
                      "\"heard\":%" PRIu64 "}",
                      id, c->token, heard)
           : snprintf(text, sizeof text, "{\"type\":\"sign_in\",\"name\":\"a\",\"resumable\":true}");
    says(w, c, text, (size_t)n);
}

static void says_by_number(world *w, client *c, input *in)
{
    char text[128];
    uint64_t number = take(in);
    number = number < 128 ? c->n_said + 1 : c->n_said > number - 128 ? c->n_said - (number - 128) : 1;
    c->n_said = number > c->n_said ? number : c->n_said;
    int n = snprintf(text, sizeof text, "{\"type\":\"message\",\"to\":%u,\"data\":\"x\",\"n\":%" PRIu64 "}",
                     w->client[take(in) % CLIENTS].id, number);
    says(w, c, text, (size_t)n);
}

static void says_anything(world *w, client *c, input *in)
{
    size_t len = take(in), left = (size_t)(in->end - in->p);
    len = len < left ? len : left;
    c->n_said = UINT64_MAX; /* it may have numbered something */
    says(w, c, (const char *)in->p, len);
    in->p += len;
}

static void step(world *w, input *in)
{
    unsigned what = take(in), arg = take(in);
    client *c = &w->client[arg % CLIENTS];
    node *n = &w->node[arg / CLIENTS % NODES];
    switch (what % 12) {
    case 0:
    case 1: asks(w, n, 1 + take(in) % 32, false); break;
    case 2: asks(w, n, 1 + take(in) % 8, true); break;
    case 3: sim_share_read(&w->memory, w->now_us, n->share); break;
    case 4: connects(w, c, in); break;
    case 5:
    case 6: says_by_number(w, c, in); break;
    case 7: says_anything(w, c, in); break;
    case 8: loses_connection(w, c); break;
    case 9: w->now_us += PL_MS(100) * take(in); break;
    case 10:
        if (w->n_born < BIRTHS_MAX) {
            death(w, n);
            birth(w, n);
        }
        break;
    default:
        if (take(in) == 0)
            forgets_everything(w);
        else
            says(w, c, "{\"type\":\"ping\"}", 15); /* and hears what there is */
        break;
    }
    for (int i = 0; i < NODES; i++) {
        pl_rooms_tick(w->node[i].rooms, w->now_us);
        hear_of_the_gone(w, &w->node[i]);
        pl_rooms_check(w->node[i].rooms);
        pl_share_check(w->node[i].share);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    input in = { data, data + size };
    w = (world){ .now_us = PL_SEC(100) };
    for (int i = 0; i < NODES; i++)
        birth(&w, &w.node[i]);
    for (int i = 0; i < CLIENTS; i++)
        w.client[i].at = -1;
    for (int i = 0; i < STEPS_MAX && in.p < in.end; i++)
        step(&w, &in);
    for (int i = 0; i < NODES; i++)
        death(&w, &w.node[i]);
    sim_share_memory_clear(&w.memory);
    return 0;
}
