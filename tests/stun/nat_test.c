/* NAT discovery in virtual time, through a NAT of every mapping and filtering, against our own responder. */
#include "pl_test.h"

#include "stun/message.h"
#include "stun/nat.h"
#include "stun/server.h"

enum { IN_FLIGHT_MAX = 64, MAPPINGS_MAX = 64, PERMITTED_MAX = 32 };

typedef enum behaviour { EI, AD, APD } behaviour; /* RFC 4787: endpoint-independent and so on */

typedef struct nat_kind {
    bool translates, blocks_udp, hairpins, drops_fragments, pools;
    behaviour mapping, filtering;
    bool filters;
    int64_t life_us; /* of a binding; 0: for ever. Only what goes out renews it */
} nat_kind;

typedef struct mapping {
    unsigned socket;
    pl_addr towards, outer;
    pl_addr permitted[PERMITTED_MAX];
    size_t n_permitted;
    int64_t used_us;
} mapping;

typedef struct packet {
    bool used, to_server;
    int64_t at_us;
    unsigned where; /* socket of the client or of the server */
    pl_addr from;
    size_t len;
    uint8_t data[PL_STUN_NAT_DGRAM_MAX];
} packet;

typedef struct world {
    int64_t now_us, delay_us;
    nat_kind nat;
    double loss;
    bool other_is_dead, ignores_change, silent, refuses;
    pl_rand_seeded state;
    pl_rand rand;
    pl_stun_server server;
    pl_addr server_addr[PL_STUN_N_SOCKETS];
    pl_addr public_ip, local[PL_STUN_NAT_N_SOCKETS];
    mapping mappings[MAPPINGS_MAX];
    size_t n_mappings;
    packet flight[IN_FLIGHT_MAX];
    pl_stun_nat *client;
    size_t n_sent;
    pl_nat_stage last_stage;
} world;

static pl_addr addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

static void post(world *w, bool to_server, unsigned where, const pl_addr *from, const uint8_t *data,
                 size_t len)
{
    if (w->loss > 0 && pl_rand_below(&w->rand, 1000) < (uint32_t)(w->loss * 1000))
        return;
    for (int i = 0; i < IN_FLIGHT_MAX; i++) {
        packet *p = &w->flight[i];
        if (p->used)
            continue;
        *p = (packet){ .used = true,
                       .to_server = to_server,
                       .at_us = w->now_us + w->delay_us,
                       .where = where,
                       .from = *from,
                       .len = len };
        memcpy(p->data, data, len);
        return;
    }
    fail_msg("too many packets under way");
}

/* ---- the NAT ---- */

static bool ends_match(behaviour b, const pl_addr *a, const pl_addr *with)
{
    return b == EI || (pl_addr_ip_eq(a, with) && (b == AD || a->port == with->port));
}

static bool is_alive(const world *w, const mapping *m)
{
    return w->nat.life_us == 0 || w->now_us - m->used_us < w->nat.life_us;
}

static mapping *map_out(world *w, unsigned socket, const pl_addr *to)
{
    mapping *m = NULL;
    for (size_t i = 0; i < w->n_mappings && !m; i++) {
        mapping *c = &w->mappings[i];
        if (c->socket == socket && is_alive(w, c) && ends_match(w->nat.mapping, &c->towards, to))
            m = c;
    }
    if (!m) {
        PL_OKAY(w->n_mappings < MAPPINGS_MAX);
        m = &w->mappings[w->n_mappings];
        *m = (mapping){ .socket = socket, .towards = *to, .outer = w->public_ip };
        m->outer.port = (uint16_t)(40000 + w->n_mappings++);
        if (w->nat.pools)
            m->outer.ip[3] = (uint8_t)(1 + socket);
        if (!w->nat.translates)
            m->outer = w->local[socket];
    }
    m->used_us = w->now_us;
    if (m->n_permitted < PERMITTED_MAX)
        m->permitted[m->n_permitted++] = *to;
    return m;
}

static bool lets_in(const world *w, const mapping *m, const pl_addr *from)
{
    if (!w->nat.filters)
        return true;
    for (size_t i = 0; i < m->n_permitted; i++) {
        if (ends_match(w->nat.filtering, &m->permitted[i], from))
            return true;
    }
    return false;
}

static void come_in(world *w, const pl_addr *to, const pl_addr *from, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < w->n_mappings; i++) {
        const mapping *m = &w->mappings[i];
        if (pl_addr_eq(&m->outer, to) && is_alive(w, m) && lets_in(w, m, from)) {
            post(w, false, m->socket, from, data, len);
            return;
        }
    }
}

static void go_out(world *w, unsigned socket, const pl_addr *to, const uint8_t *data, size_t len)
{
    if (w->nat.blocks_udp || (w->nat.drops_fragments && len > 1400))
        return;
    const mapping *m = map_out(w, socket, to);
    pl_addr from = m->outer;
    if (pl_addr_ip_eq(to, &w->public_ip) && w->nat.translates) {
        if (w->nat.hairpins)
            come_in(w, to, &from, data, len);
        return;
    }
    for (unsigned at = 0; at < PL_STUN_N_SOCKETS; at++) {
        if (pl_addr_eq(to, &w->server_addr[at]))
            post(w, true, at, &from, data, len);
    }
}

/* ---- the server ---- */

static void serve(world *w, const packet *p)
{
    uint8_t out[PL_STUN_SERVE_MAX];
    pl_stun_reply reply;
    pl_stun_query q = { .pkt = p->data, .len = p->len, .source = &p->from, .at = (uint8_t)p->where };
    if (w->refuses) {
        pl_stun_msg m;
        PL_EQ(pl_stun_parse(&m, p->data, p->len), PL_OK);
        pl_stun_wr s = pl_stun_begin_reply(out, sizeof out, PL_STUN_ERROR, &m);
        pl_stun_put_error(&s, 401, NULL);
        come_in(w, &p->from, &w->server_addr[p->where], out, pl_stun_end(&s));
        return;
    }
    if (w->silent || !pl_stun_serve(&w->server, NULL, &q, out, sizeof out, &reply))
        return;
    if (w->ignores_change)
        reply.from = (uint8_t)p->where;
    if (w->other_is_dead && (reply.from != PL_STUN_AT_PRIMARY || p->where != PL_STUN_AT_PRIMARY))
        return;
    if (w->nat.drops_fragments && reply.len > 1400)
        return;
    come_in(w, &reply.to, &w->server_addr[reply.from], out, reply.len);
}

/* ---- running ---- */

static void world_init(world *w, const nat_kind *nat, bool two_addresses)
{
    pl_stun_server_conf conf = { .software = "peerline test", .primary = addr("198.51.100.1:3478") };
    *w = (world){ .delay_us = PL_MS(20), .nat = *nat, .public_ip = addr("203.0.113.9:1") };
    w->rand = pl_rand_seed(&w->state, pl_test_seed(5780));
    if (two_addresses)
        conf.alternate = addr("198.51.100.2:3479");
    pl_stun_server_init(&w->server, &conf);
    memcpy(w->server_addr, w->server.addr, sizeof w->server_addr);
    for (int i = 0; i < PL_STUN_NAT_N_SOCKETS; i++) {
        w->local[i] = addr("192.168.1.2:50000");
        w->local[i].port = (uint16_t)(50000 + i);
    }
}

static void move(world *w)
{
    uint8_t out[PL_STUN_NAT_DGRAM_MAX];
    unsigned socket;
    pl_dgram d = { .data = out, .cap = sizeof out };
    pl_stun_nat_event e;
    pl_stun_nat_tick(w->client, w->now_us);
    while (pl_stun_nat_poll_output(w->client, w->now_us, &d, &socket)) {
        PL_OKAY(pl_addr_eq(&d.path.local, &w->local[socket]));
        go_out(w, socket, &d.path.remote, out, d.len);
        w->n_sent++;
    }
    for (int i = 0; i < IN_FLIGHT_MAX; i++) {
        packet *p = &w->flight[i];
        if (!p->used || p->at_us > w->now_us)
            continue;
        p->used = false;
        packet copy = *p;
        if (copy.to_server)
            serve(w, &copy);
        else
            pl_stun_nat_input(w->client, w->now_us, copy.where, &copy.from, copy.data, copy.len);
    }
    while (pl_stun_nat_poll_event(w->client, &e)) {
        PL_GE(e.stage, w->last_stage);
        w->last_stage = e.stage;
    }
}

static int64_t next_us(const world *w)
{
    int64_t at_us = pl_stun_nat_next_us(w->client);
    for (int i = 0; i < IN_FLIGHT_MAX; i++) {
        if (w->flight[i].used)
            at_us = pl_min_us(at_us, w->flight[i].at_us);
    }
    return at_us;
}

static pl_nat_result run(world *w, pl_stun_nat_conf conf)
{
    conf.server = addr("198.51.100.1:3478");
    conf.rand = w->rand;
    memcpy(conf.local, w->local, sizeof conf.local);
    PL_EQ(pl_stun_nat_new(&w->client, &conf, w->now_us), PL_OK);
    while (w->last_stage != PL_NAT_STAGE_DONE) {
        int64_t at_us = next_us(w);
        PL_OKAY(at_us != PL_NEVER);
        w->now_us = pl_max_us(w->now_us, at_us);
        move(w);
    }
    PL_EQ(pl_stun_nat_next_us(w->client), PL_NEVER);
    pl_nat_result r = *pl_stun_nat_get_result(w->client);
    pl_stun_nat_free(w->client);
    return r;
}

static const pl_stun_nat_conf plain = { 0 };
static const pl_nat_behaviour word[] = { PL_NAT_ENDPOINT_INDEPENDENT, PL_NAT_ADDRESS_DEPENDENT,
                                         PL_NAT_ADDRESS_PORT_DEPENDENT };

static void every_nat(double loss, int64_t within_us)
{
    static const pl_nat_classic cone[] = { PL_NAT_FULL_CONE, PL_NAT_RESTRICTED_CONE,
                                           PL_NAT_PORT_RESTRICTED_CONE };
    for (int i = 0; i < 18; i++) {
        nat_kind nat = { .translates = true,
                         .filters = true,
                         .mapping = (behaviour)(i % 3),
                         .filtering = (behaviour)(i / 3 % 3),
                         .hairpins = i >= 9 };
        world w;
        world_init(&w, &nat, true);
        w.loss = loss;
        pl_nat_result r = run(&w, plain);
        PL_EQ(r.mapping, word[nat.mapping]);
        PL_EQ(r.filtering, word[nat.filtering]);
        PL_EQ(r.classic, nat.mapping == EI ? cone[nat.filtering] : PL_NAT_SYMMETRIC);
        PL_OKAY(r.translated && !r.port_preserved);
        PL_EQ(r.fragments, PL_NAT_YES);
        PL_EQ(r.pooled, PL_NAT_NO);
        if (nat.mapping == EI) /* through others only what a filter lets in by chance */
            PL_EQ(r.hairpin, nat.hairpins ? PL_NAT_YES : PL_NAT_NO);
        if (!nat.hairpins)
            PL_EQ(r.hairpin, PL_NAT_NO);
        PL_LE(w.now_us, within_us);
    }
}

PL_TEST(names_every_mapping_and_filtering)
{
    every_nat(0, PL_SEC(5));
}

PL_TEST(loss_makes_no_other_nat)
{
    every_nat(0.05, PL_SEC(15));
}

PL_TEST(open_internet_and_firewalls)
{
    for (int i = -1; i < 3; i++) {
        nat_kind nat = { .filters = i >= 0, .filtering = i >= 0 ? (behaviour)i : EI };
        world w;
        world_init(&w, &nat, true);
        pl_nat_result r = run(&w, plain);
        PL_EQ(r.mapping, PL_NAT_NONE);
        PL_EQ(r.filtering, i <= 0 ? PL_NAT_NONE : word[i]);
        PL_EQ(r.classic, i <= 0 ? PL_NAT_OPEN : PL_NAT_SYMMETRIC_FIREWALL);
        PL_EQ(r.hairpin_why, PL_NAT_NO_NAT);
        PL_OKAY(!r.translated && r.port_preserved);
    }
}

PL_TEST(blocked_udp_is_said_within_ten_seconds)
{
    for (int i = 0; i < 2; i++) {
        nat_kind nat = { .translates = true, .blocks_udp = i == 0 };
        world w;
        world_init(&w, &nat, true);
        w.silent = i == 1;
        pl_nat_result r = run(&w, plain);
        PL_EQ(r.classic, PL_NAT_UDP_BLOCKED);
        PL_EQ(r.mapping_why, PL_NAT_NO_ANSWER);
        PL_EQ(r.mapped.family, PL_AF_NONE);
        PL_EQ(r.rtt_us, -1);
        PL_LE(w.now_us, PL_SEC(12));
    }
}

PL_TEST(a_refusal_is_no_blocked_udp)
{
    nat_kind nat = { .translates = true };
    world w;
    world_init(&w, &nat, true);
    w.refuses = true;
    pl_nat_result r = run(&w, plain);
    PL_EQ(r.classic, PL_NAT_CLASSIC_UNKNOWN);
    PL_EQ(r.mapping_why, PL_NAT_REFUSED);
    PL_EQ(r.refused_code, 401);
}

PL_TEST(a_server_with_one_address_tells_less_and_why)
{
    nat_kind nat = { .translates = true, .filters = true, .filtering = APD };
    world w;
    world_init(&w, &nat, false);
    pl_nat_result r = run(&w, plain);
    PL_EQ(r.mapping_why, PL_NAT_ONE_ADDRESS);
    PL_EQ(r.filtering_why, PL_NAT_ONE_ADDRESS);
    PL_EQ(r.classic, PL_NAT_CLASSIC_UNKNOWN);
    PL_OKAY(r.translated);
    PL_EQ(r.hairpin, PL_NAT_NO);
    PL_EQ(r.fragments, PL_NAT_YES);
    world_init(&w, &(nat_kind){ 0 }, false);
    r = run(&w, plain);
    PL_EQ(r.mapping, PL_NAT_NONE);
    PL_EQ(r.filtering_why, PL_NAT_ONE_ADDRESS);
}

PL_TEST(a_dead_second_address_is_no_filter)
{
    nat_kind nat = { .translates = true };
    world w;
    world_init(&w, &nat, true);
    w.other_is_dead = true;
    pl_nat_result r = run(&w, plain);
    PL_EQ(r.mapping_why, PL_NAT_OTHER_SILENT);
    PL_EQ(r.filtering_why, PL_NAT_OTHER_SILENT);
    PL_EQ(r.classic, PL_NAT_CLASSIC_UNKNOWN);
}

PL_TEST(a_server_that_answers_from_the_wrong_place)
{
    nat_kind nat = { .translates = true };
    world w;
    world_init(&w, &nat, true);
    w.ignores_change = true;
    pl_nat_result r = run(&w, plain);
    PL_EQ(r.mapping, PL_NAT_ENDPOINT_INDEPENDENT);
    PL_EQ(r.filtering_why, PL_NAT_NO_CHANGE);
}

PL_TEST(fragments_and_pools)
{
    nat_kind nat = { .translates = true, .drops_fragments = true, .pools = true };
    world w;
    world_init(&w, &nat, true);
    pl_nat_result r = run(&w, plain);
    PL_EQ(r.fragments, PL_NAT_NO);
    PL_EQ(r.pooled, PL_NAT_YES);
}

PL_TEST(lifetimes_are_found_by_search)
{
    static const int life_s[] = { 20, 30, 65, 180, 300, 590 };
    for (size_t i = 0; i < sizeof life_s / sizeof life_s[0]; i++) {
        nat_kind nat = { .translates = true,
                         .filters = true,
                         .filtering = (behaviour)(i % 3),
                         .mapping = (behaviour)(i / 3),
                         .life_us = PL_SEC(life_s[i]) };
        world w;
        world_init(&w, &nat, true);
        pl_nat_result r = run(&w, (pl_stun_nat_conf){ .lifetime = true, .lifetime_total_us = PL_SEC(7200) });
        PL_EQ(r.lifetime_why, PL_NAT_KNOWN);
        PL_LE(r.lifetime_min_us, nat.life_us);
        PL_GE(r.lifetime_max_us, nat.life_us - PL_SEC(1));
        PL_LE(r.lifetime_max_us - r.lifetime_min_us, pl_max_us(PL_SEC(5), nat.life_us / 9));
    }
}

PL_TEST(the_search_for_a_lifetime_is_bounded)
{
    nat_kind nat = { .translates = true };
    world w;
    world_init(&w, &nat, true); /* never forgets */
    pl_nat_result r = run(&w, (pl_stun_nat_conf){ .lifetime = true, .lifetime_limit_us = PL_SEC(120) });
    PL_EQ(r.lifetime_why, PL_NAT_KNOWN);
    PL_EQ(r.lifetime_min_us, PL_SEC(120));
    PL_OKAY(r.lifetime_max_us == PL_NEVER);
    world_init(&w, &nat, true);
    r = run(&w, (pl_stun_nat_conf){ .lifetime = true, .lifetime_total_us = PL_SEC(200) });
    PL_EQ(r.lifetime_why, PL_NAT_OUT_OF_TIME);
    PL_GE(r.lifetime_min_us, PL_SEC(50));
    PL_LE(w.now_us, PL_SEC(215));
    world_init(&w, &(nat_kind){ 0 }, true); /* nothing there that could forget */
    r = run(&w, (pl_stun_nat_conf){ .lifetime = true });
    PL_EQ(r.lifetime_why, PL_NAT_NO_NAT);
}

PL_TEST(wrong_configurations)
{
    pl_stun_nat *n;
    pl_stun_nat_conf conf = { .server = addr("198.51.100.1:3478") };
    PL_EQ(pl_stun_nat_new(&n, &conf, 0), PL_EINVAL);
    PL_OKAY(!n);
    for (int i = 0; i < PL_STUN_NAT_N_SOCKETS; i++)
        conf.local[i] = addr("[::1]:5");
    PL_EQ(pl_stun_nat_new(&n, &conf, 0), PL_EINVAL);
    pl_stun_nat_free(NULL);
}

PL_TEST(every_word_has_a_text)
{
    for (int i = 0; i <= PL_NAT_ADDRESS_PORT_DEPENDENT; i++)
        PL_OKAY(pl_nat_behaviour_str((pl_nat_behaviour)i)[0] != '?');
    for (int i = 0; i <= PL_NAT_UDP_BLOCKED; i++)
        PL_OKAY(pl_nat_classic_str((pl_nat_classic)i)[0] != '?');
    for (int i = 0; i <= PL_NAT_OUT_OF_TIME; i++)
        PL_OKAY(pl_nat_why_str((pl_nat_why)i)[0] != '?');
    for (int i = 0; i <= PL_NAT_STAGE_DONE; i++)
        PL_OKAY(pl_nat_stage_str((pl_nat_stage)i)[0] != '?');
}

PL_TESTS(t(names_every_mapping_and_filtering), t(loss_makes_no_other_nat), t(open_internet_and_firewalls),
         t(blocked_udp_is_said_within_ten_seconds), t(a_refusal_is_no_blocked_udp),
         t(a_server_with_one_address_tells_less_and_why), t(a_dead_second_address_is_no_filter),
         t(a_server_that_answers_from_the_wrong_place), t(fragments_and_pools),
         t(lifetimes_are_found_by_search), t(the_search_for_a_lifetime_is_bounded), t(wrong_configurations),
         t(every_word_has_a_text))
