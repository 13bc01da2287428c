/* XEP-0260: two ends that offer and try candidates at random agree on one, or both know that there is none. And the words of
 * SOCKS5 that come after. */
#include "pl_test.h"

#include "base/rand.h"
#include "jingle/s5b.h"
#include "jingle/socks5.h"
#include "jingle/write.h"
#include "jingle_xml.h"

#define ROMEO  "romeo@example.net/orchard"
#define JULIET "juliet@example.com/balcony"

enum { SEEDS = 3000 };

typedef struct end_ {
    pl_s5b *s;
    bool used, failed, ours;
    char cid[PL_S5B_ID_MAX + 1];
    char trying[PL_S5B_ID_MAX + 1]; /* "" none */
    bool activating;
    pl_xml *inbox[8]; /* transports, in order */
    size_t n_inbox;
} end_;

typedef struct pair {
    end_ e[2];
    pl_rand rand;
    pl_rand_seeded state;
    int64_t now_us;
    uint32_t reach; /* of 100 */
} pair;

static uint32_t dice(pair *p, uint32_t n)
{
    return pl_rand_below(&p->rand, n);
}

static void make_end(pair *p, int i)
{
    pl_s5b_candidate c[4] = { 0 };
    size_t n = dice(p, 5);
    for (size_t k = 0; k < n; k++) {
        snprintf(c[k].cid, sizeof c[k].cid, "%c%zu", i ? 'j' : 'r', k);
        snprintf(c[k].host, sizeof c[k].host, "192.0.2.%zu", k + 1);
        c[k].port = (uint16_t)(5000 + k);
        c[k].type = (uint8_t)dice(p, 4);
        c[k].priority =
            pl_s5b_priority((pl_s5b_type)c[k].type, (uint16_t)dice(p, 3)); /* equal ones are meant */
    }
    PL_EQ(pl_s5b_new(&p->e[i].s, &(pl_s5b_conf){ .self = i ? JULIET : ROMEO,
                                                 .peer = i ? ROMEO : JULIET,
                                                 .sid = "vj3hs98y",
                                                 .initiator = !i,
                                                 .ours = c,
                                                 .n_ours = n }),
          PL_OK);
}

static void offer(pair *p, int from)
{
    pl_xml *content = pl_xml_new(PL_NS_JINGLE, "content");
    PL_OKAY(pl_s5b_write_transport(p->e[from].s, content));
    pl_xml *back = xml_carried(content);
    PL_EQ(pl_s5b_offered(p->e[!from].s, p->now_us, back->first), PL_OK);
    PL_EQ(pl_s5b_offered(p->e[!from].s, p->now_us, back->first), PL_ESTATE);
    pl_xml_free(back);
    pl_xml_free(content);
}

static bool collect(pair *p, int i)
{
    end_ *e = &p->e[i];
    pl_s5b_event ev;
    bool moved = false;
    for (; pl_s5b_poll_event(e->s, &ev); moved = true) {
        switch (ev.kind) {
        case PL_S5B_CONNECT:
            PL_OKAY(!e->trying[0] && strlen(ev.dst) == PL_S5B_DST_LEN);
            PL_STREQ(ev.dst, pl_s5b_dst_in(p->e[!i].s));
            snprintf(e->trying, sizeof e->trying, "%s", ev.candidate->cid);
            break;
        case PL_S5B_STOP:
            if (strcmp(e->trying, ev.candidate->cid) == 0)
                e->trying[0] = 0;
            break;
        case PL_S5B_ACTIVATE: e->activating = true; break;
        case PL_S5B_USE:
            PL_OKAY(!e->used && !e->failed);
            e->used = true;
            e->ours = ev.ours;
            snprintf(e->cid, sizeof e->cid, "%s", ev.candidate->cid);
            break;
        case PL_S5B_FAILED_NOW: e->failed = true; break;
        }
    }
    pl_xml *content = pl_xml_new(PL_NS_JINGLE, "content");
    for (pl_xml *t; (t = pl_s5b_poll_output(e->s, content)); moved = true)
        p->e[!i].inbox[p->e[!i].n_inbox++] = pl_xml_copy(t);
    pl_xml_free(content);
    return moved;
}

/* One thing happens to an end: news arrives, an attempt ends, a proxy answers. */
static bool happen(pair *p, int i)
{
    end_ *e = &p->e[i];
    if (e->n_inbox && dice(p, 2)) {
        pl_xml *t = e->inbox[0];
        memmove(e->inbox, e->inbox + 1, --e->n_inbox * sizeof t);
        PL_EQ(pl_s5b_told(e->s, p->now_us, t), PL_OK);
        pl_xml_free(t);
    } else if (e->trying[0] && dice(p, 2)) {
        char cid[PL_S5B_ID_MAX + 1];
        memcpy(cid, e->trying, sizeof cid);
        e->trying[0] = 0;
        if (dice(p, 100) < p->reach)
            pl_s5b_connected(e->s, p->now_us, cid);
        else
            pl_s5b_failed(e->s, p->now_us, cid);
    } else if (e->activating && dice(p, 2)) {
        e->activating = false;
        pl_s5b_activated(e->s, p->now_us, dice(p, 100) < p->reach);
    } else {
        return e->n_inbox || e->trying[0] || e->activating;
    }
    return true;
}

static void one_seed(uint64_t seed, int count[2])
{
    pair *p = calloc(1, sizeof *p);
    p->rand = pl_rand_seed(&p->state, seed);
    p->reach = dice(p, 101);
    make_end(p, 0);
    make_end(p, 1);
    offer(p, 0);
    bool answered = false;
    for (bool moved = true; moved || !answered;) {
        moved = false;
        if (!answered && dice(p, 3) == 0) {
            offer(p, 1);
            answered = true;
        }
        for (int i = 0; i < 2; i++) {
            moved = collect(p, i) || moved;
            moved = happen(p, i) || moved;
        }
    }
    bool agree = p->e[0].used == p->e[1].used && p->e[0].failed == p->e[1].failed &&
                 p->e[0].used != p->e[0].failed && strcmp(p->e[0].cid, p->e[1].cid) == 0 &&
                 (p->e[0].failed || p->e[0].ours != p->e[1].ours);
    if (!agree)
        print_error("PL_SEED=%llu: %d %d %s, %d %d %s\n", (unsigned long long)seed, p->e[0].used,
                    p->e[0].failed, p->e[0].cid, p->e[1].used, p->e[1].failed, p->e[1].cid);
    PL_OKAY(agree);
    count[p->e[0].used]++;
    for (int i = 0; i < 2; i++) {
        PL_EQ(pl_s5b_next_us(p->e[i].s), PL_NEVER);
        PL_EQ(p->e[i].n_inbox, 0);
        pl_s5b_free(p->e[i].s);
    }
    free(p);
}

PL_TEST(both_ends_use_the_same)
{
    uint64_t first = pl_test_seed(1);
    int count[2] = { 0 };
    for (uint64_t seed = first; seed < first + (getenv("PL_SEED") ? 1 : SEEDS); seed++)
        one_seed(seed, count);
    print_message("%d streams, %d without a way\n", count[1], count[0]);
    PL_OKAY(getenv("PL_SEED") || (count[0] > SEEDS / 10 && count[1] > SEEDS / 10));
}

PL_TEST(hashes)
{
    char dst[PL_S5B_DST_LEN + 1];
    /* SHA-1 of "abc", FIPS 180-4 */
    pl_s5b_dst("a", "b", "c", dst);
    PL_STREQ(dst, "a9993e364706816aba3e25717850c26c9cd0d89d");
    PL_EQ(pl_s5b_priority(PL_S5B_DIRECT, 0), 8257536);
    PL_EQ(pl_s5b_priority(PL_S5B_PROXY, 1), 655361);
}

static pl_s5b *juliet(void)
{
    pl_s5b *s;
    pl_s5b_candidate c = { .cid = "j0", .host = "192.0.2.9", .port = 1, .priority = 5 };
    PL_EQ(
        pl_s5b_new(&s, &(pl_s5b_conf){ .self = JULIET, .peer = ROMEO, .sid = "s", .ours = &c, .n_ours = 1 }),
        PL_OK);
    return s;
}

static pl_err offered(pl_s5b *s, const char *text)
{
    pl_xml *e = xml_of(text);
    pl_err err = pl_s5b_offered(s, 0, e);
    pl_xml_free(e);
    return err;
}

static pl_err told(pl_s5b *s, const char *inside)
{
    char text[512];
    snprintf(text, sizeof text, "<transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='s'>%s</transport>",
             inside);
    pl_xml *e = xml_of(text);
    pl_err err = pl_s5b_told(s, 0, e);
    pl_xml_free(e);
    return err;
}

#define S5B(inside) "<transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='s'>" inside "</transport>"

PL_TEST(hostile)
{
    static const char *const bad[] = {
        S5B("<candidate cid='a' host='h' priority='x'/>"),
        S5B("<candidate cid='a' priority='1'/>"),
        S5B("<candidate host='h' priority='1'/>"),
        S5B("<candidate cid='a' host='h&#10;x' priority='1'/>"),
        S5B("<candidate cid='a' host='h' priority='1' port='0'/>"),
        S5B("<candidate cid='a' host='h' priority='1'/><candidate cid='a' host='i' priority='1'/>"),
        "<transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='other'/>",
        "<transport xmlns='urn:xmpp:jingle:transports:ibb:1' sid='s'/>",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pl_s5b *s = juliet();
        PL_EQ(offered(s, bad[i]), PL_EPROTO);
        pl_s5b_check(s);
        PL_EQ(offered(s, S5B("")), PL_OK); /* nothing was changed */
        pl_s5b_free(s);
    }
    pl_s5b *s = juliet();
    PL_EQ(offered(s, "<transport xmlns='urn:xmpp:jingle:transports:s5b:1' sid='s' mode='udp'/>"), PL_ENOTSUP);
    PL_EQ(offered(s, S5B("<candidate cid='r0' host='h' priority='1'/>")), PL_OK);
    PL_EQ(told(s, "<candidate-used cid='nobody'/>"), PL_EPROTO);
    PL_EQ(told(s, "<activated cid='r0'/>"), PL_EPROTO); /* nothing was chosen */
    PL_EQ(told(s, "<proxy-error/>"), PL_OK);
    pl_s5b_connected(s, 0, "nobody");
    pl_s5b_failed(s, 0, "nobody");
    PL_EQ(told(s, "<candidate-error/>"), PL_OK);
    PL_EQ(told(s, "<candidate-error/>"), PL_EPROTO); /* said already */
    pl_s5b_failed(s, 0, "r0");
    pl_s5b_event e;
    while (pl_s5b_poll_event(s, &e) && e.kind != PL_S5B_FAILED_NOW)
        ;
    PL_EQ(e.kind, PL_S5B_FAILED_NOW);
    pl_s5b_free(s);
    /* The other side says nothing. */
    s = juliet();
    PL_EQ(pl_s5b_next_us(s), PL_NEVER); /* somebody may still be deciding */
    PL_EQ(offered(s, S5B("")), PL_OK);
    PL_EQ(pl_s5b_next_us(s), PL_S5B_WAIT_US);
    pl_s5b_tick(s, PL_S5B_WAIT_US);
    while (pl_s5b_poll_event(s, &e) && e.kind != PL_S5B_FAILED_NOW)
        ;
    PL_EQ(e.kind, PL_S5B_FAILED_NOW);
    pl_s5b_free(s);
}

/* --- SOCKS5 ------------------------------------------------------------------------------------------------------- */

static size_t move_bytes(pl_socks5 *from, pl_socks5 *to, size_t at_once)
{
    uint8_t b[300];
    size_t n = pl_socks5_output(from, b, at_once < sizeof b ? at_once : sizeof b);
    PL_EQ(pl_socks5_input(to, b, n), n);
    return n;
}

PL_TEST(socks5_talk)
{
    for (size_t at_once = 1; at_once < 60; at_once++) {
        for (int yes = 0; yes < 2; yes++) {
            char dst[PL_S5B_DST_LEN + 1];
            pl_s5b_dst("sid", ROMEO, JULIET, dst);
            pl_socks5 client, server;
            pl_socks5_client(&client, dst);
            pl_socks5_server(&server);
            for (int i = 0; i < 1000 && (move_bytes(&client, &server, at_once) +
                                         move_bytes(&server, &client, at_once)) > 0;
                 i++) {
                if (server.state == PL_SOCKS5_ASKED) {
                    PL_STREQ(server.dst, dst);
                    pl_socks5_answer(&server, yes);
                }
            }
            PL_EQ(client.state, yes ? PL_SOCKS5_OPEN : PL_SOCKS5_BROKEN);
            PL_EQ(server.state, client.state);
        }
    }
}

PL_TEST(socks5_bytes)
{
    pl_socks5 s;
    uint8_t b[300];
    pl_socks5_client(&s, "ab");
    PL_EQ(pl_socks5_output(&s, b, sizeof b), 3);
    PL_MEMEQ(b, ((uint8_t[]){ 5, 1, 0 }), 3);
    PL_EQ(pl_socks5_input(&s, (uint8_t[]){ 5, 0 }, 2), 2);
    PL_EQ(pl_socks5_output(&s, b, sizeof b), 9);
    PL_MEMEQ(b, ((uint8_t[]){ 5, 1, 0, 3, 2, 'a', 'b', 0, 0 }), 9);
    /* The answer names an address of its own; what follows is the stream's. */
    static const uint8_t answer[] = { 5, 0, 0, 1, 127, 0, 0, 1, 4, 56, 'x', 'y' };
    PL_EQ(pl_socks5_input(&s, answer, sizeof answer), 10);
    PL_EQ(s.state, PL_SOCKS5_OPEN);
}

/* An answer that ends anywhere is none, whatever its kind of address; its last byte makes it one. */
PL_TEST(socks5_truncated)
{
    static const struct {
        uint8_t bytes[24], n;
    } row[] = { { { 5, 0, 5, 0, 0, 1, 127, 0, 0, 1, 4, 56 }, 12 },
                { { 5, 0, 5, 0, 0, 3, 2, 'a', 'b', 0, 0 }, 11 },
                { { 5, 0, 5, 0, 0, 3, 0, 0, 0 }, 9 },
                { { 5, 0, 5, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 4, 56 }, 24 } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        for (size_t cut = 0; cut <= row[i].n; cut++) {
            pl_socks5 s;
            pl_socks5_client(&s, "ab");
            PL_EQ(pl_socks5_input(&s, row[i].bytes, cut), cut);
            PL_EQ(s.state, cut < row[i].n ? PL_SOCKS5_TALKING : PL_SOCKS5_OPEN);
        }
    }
    /* Refused, for each reason that there is; and what is said by no SOCKS5 at all. */
    for (int code = 1; code < 256; code++) {
        pl_socks5 s;
        uint8_t no[] = { 5, 0, 5, (uint8_t)code, 0, 1, 0, 0, 0, 0, 0, 0 };
        pl_socks5_client(&s, "ab");
        (void)pl_socks5_input(&s, no, sizeof no);
        PL_EQ(s.state, PL_SOCKS5_BROKEN);
    }
    pl_socks5 s;
    pl_socks5_client(&s, "ab");
    (void)pl_socks5_input(&s, (const uint8_t *)"HTTP/1.1 400", 12);
    PL_EQ(s.state, PL_SOCKS5_BROKEN);
}

PL_TEST(socks5_hostile)
{
    static const struct {
        uint8_t bytes[16], n;
    } row[] = { { { 4, 1, 0 }, 3 },                                 /* another version */
                { { 5, 1, 2 }, 3 },                                 /* with a password alone */
                { { 5, 0 }, 2 },                                    /* in no way at all */
                { { 5, 1, 0, 5, 2, 0, 3, 1, 'a', 0, 0 }, 11 },      /* BIND */
                { { 5, 1, 0, 5, 1, 0, 1, 1, 2, 3, 4, 0, 80 }, 13 }, /* to some address: no open relay */
                { { 5, 1, 0, 5, 1, 0, 9, 1, 2 }, 9 },
                { { 5, 1, 0, 5, 1, 0, 3, 0, 0, 0 }, 10 },
                { { 5, 1, 0, 5, 1, 0, 3, 2, 'a', 0, 0, 0 }, 12 } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pl_socks5 s;
        pl_socks5_server(&s);
        (void)pl_socks5_input(&s, row[i].bytes, row[i].n);
        PL_EQ(s.state, PL_SOCKS5_BROKEN);
        PL_EQ(pl_socks5_input(&s, row[i].bytes, row[i].n), 0);
    }
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(1));
    for (int i = 0; i < 20000; i++) {
        pl_socks5 s;
        uint8_t b[600];
        char dst[256] = "";
        memset(dst, 'a', pl_rand_below(&rand, 256));
        if (i % 2)
            pl_socks5_server(&s);
        else
            pl_socks5_client(&s, dst);
        pl_rand_bytes(&rand, b, sizeof b);
        b[0] = 5;
        b[1] = (uint8_t)pl_rand_below(&rand, 3);
        b[2] = 0;
        PL_LE(pl_socks5_input(&s, b, sizeof b), sizeof b);
        pl_socks5_answer(&s, true);
        PL_LE(s.n_out, sizeof s.out);
    }
}

PL_TESTS(t(both_ends_use_the_same), t(hashes), t(hostile), t(socks5_talk), t(socks5_bytes),
         t(socks5_truncated), t(socks5_hostile))
