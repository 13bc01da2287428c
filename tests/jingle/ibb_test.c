/* XEP-0047: bytes in stanzas, between two ends over a server that keeps their order. */
#include "pl_test.h"

#include "base/rand.h"
#include "jingle/ibb.h"
#include "jingle_xml.h"

#define ROMEO  "romeo@example.net/orchard"
#define JULIET "juliet@example.com/balcony"

enum { FLIGHT_MAX = 256 };

typedef struct end_ {
    pl_ibb *b;
    const char *name;
    bool opened, closed, failed;
} end_;

typedef struct pair {
    end_ e[2];
    pl_xml *flight[2][FLIGHT_MAX]; /* towards e[i], in order */
    size_t n_flight[2];
    int64_t now_us;
} pair;

static pair *begin(uint16_t block_a, uint16_t block_b)
{
    pair *p = calloc(1, sizeof *p);
    p->e[0].name = ROMEO;
    p->e[1].name = JULIET;
    PL_EQ(pl_ibb_new(&p->e[0].b,
                     &(pl_ibb_conf){ .peer = JULIET, .sid = "i781hf64", .block = block_a, .opens = true }, 0),
          PL_OK);
    PL_EQ(pl_ibb_new(&p->e[1].b, &(pl_ibb_conf){ .peer = ROMEO, .sid = "i781hf64", .block = block_b }, 0),
          PL_OK);
    return p;
}

static void finish(pair *p)
{
    for (int i = 0; i < 2; i++) {
        pl_ibb_check(p->e[i].b);
        pl_ibb_free(p->e[i].b);
        for (size_t k = 0; k < p->n_flight[i]; k++)
            pl_xml_free(p->flight[i][k]);
    }
    free(p);
}

static void events(pair *p)
{
    pl_ibb_event e;
    for (int i = 0; i < 2; i++) {
        while (pl_ibb_poll_event(p->e[i].b, &e)) {
            p->e[i].opened = p->e[i].opened || e == PL_IBB_OPENED;
            p->e[i].closed = p->e[i].closed || e == PL_IBB_CLOSED;
            p->e[i].failed = p->e[i].failed || e == PL_IBB_FAILED;
        }
    }
}

/* Takes all that waits, then delivers at most `n` stanzas to each side. True: something moved. */
static bool step(pair *p, size_t n)
{
    bool moved = false;
    for (int i = 0; i < 2; i++) {
        for (pl_xml *e; p->n_flight[!i] < FLIGHT_MAX && (e = pl_ibb_poll_output(p->e[i].b, p->now_us));
             moved = true) {
            pl_xml_set(e, "from", p->e[i].name);
            p->flight[!i][p->n_flight[!i]++] = e;
        }
    }
    for (int i = 0; i < 2; i++) {
        for (size_t k = 0; k < n && p->n_flight[i]; k++, moved = true) {
            pl_xml *e = p->flight[i][0], *carried = xml_carried(e);
            memmove(p->flight[i], p->flight[i] + 1, --p->n_flight[i] * sizeof e);
            PL_OKAY(pl_ibb_input(p->e[i].b, p->now_us, carried));
            pl_xml_free(carried);
            pl_xml_free(e);
        }
    }
    events(p);
    return moved;
}

/* Both send half a megabyte and more, at their own pace; each reads what the other wrote. */
static void journey(uint64_t seed)
{
    enum { LEN = 600000 };
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, seed);
    uint8_t *data = malloc(LEN), *got[2] = { malloc(LEN), malloc(LEN) };
    size_t wrote[2] = { 0 }, read[2] = { 0 };
    pl_rand_bytes(&rand, data, LEN);
    pair *p = begin((uint16_t)(PL_IBB_BLOCK_MIN + pl_rand_below(&rand, 16000)),
                    (uint16_t)(PL_IBB_BLOCK + pl_rand_below(&rand, 20000)));
    bool closing = false;
    for (int round = 0; round < 100000 && !(p->e[0].closed && p->e[1].closed); round++) {
        for (int i = 0; i < 2; i++) {
            size_t some = pl_rand_below(&rand, 50000);
            if (some > LEN - wrote[i])
                some = LEN - wrote[i];
            wrote[i] += pl_ibb_write(p->e[i].b, data + wrote[i], some);
            if (pl_rand_below(&rand, 3) == 0)
                read[i] +=
                    pl_ibb_read(p->e[i].b, got[i] + read[i], LEN - read[i] < 30000 ? LEN - read[i] : 30000);
        }
        if (!closing && read[0] == LEN && read[1] == LEN) {
            closing = true;
            pl_ibb_close(p->e[pl_rand_below(&rand, 2)].b);
        }
        step(p, pl_rand_below(&rand, 4));
        PL_OKAY(!p->e[0].failed && !p->e[1].failed);
    }
    PL_OKAY(p->e[0].closed && p->e[1].closed);
    PL_OKAY(memcmp(data, got[0], LEN) == 0 && memcmp(data, got[1], LEN) == 0);
    finish(p);
    free(data);
    free(got[0]);
    free(got[1]);
}

PL_TEST(bytes_arrive)
{
    uint64_t first = pl_test_seed(1);
    for (uint64_t seed = first; seed < first + (getenv("PL_SEED") ? 1 : 6); seed++) {
        print_message("PL_SEED=%llu\n", (unsigned long long)seed);
        journey(seed);
    }
}

/* Whoever does not read stops the writer, not the server. */
PL_TEST(a_slow_reader)
{
    pair *p = begin(4096, 4096);
    static uint8_t block[PL_IBB_BUFFER];
    while (step(p, 10))
        ;
    PL_OKAY(p->e[0].opened && p->e[1].opened);
    size_t wrote = 0;
    for (int i = 0; i < 100; i++) {
        wrote += pl_ibb_write(p->e[0].b, block, sizeof block);
        while (step(p, 10))
            ;
    }
    PL_LE(wrote - pl_ibb_unsent(p->e[0].b), PL_IBB_BUFFER / 2 + 4096);
    size_t read = 0;
    for (size_t n; (n = pl_ibb_read(p->e[1].b, block, sizeof block)) > 0 || step(p, 10); read += n)
        ;
    PL_EQ(read, wrote);
    pl_ibb_close(p->e[0].b);
    while (step(p, 10))
        ;
    PL_OKAY(p->e[0].closed && p->e[1].closed);
    PL_EQ(pl_ibb_write(p->e[0].b, block, 1), 0);
    finish(p);
}

/* Takes all that `b` says, answers it when so much time has passed, and tells how many stanzas it were. */
static size_t round_trip(pl_ibb *b, int64_t *now_us, int64_t takes_us)
{
    pl_xml *said[2 * PL_IBB_WINDOW];
    size_t n = 0;
    while (n < 2 * PL_IBB_WINDOW && (said[n] = pl_ibb_poll_output(b, *now_us)))
        n++;
    *now_us += takes_us;
    for (size_t i = 0; i < n; i++) {
        pl_xml *answer = pl_xml_new(PL_NS_CLIENT, "iq");
        pl_xml_set(answer, "from", JULIET);
        pl_xml_set(answer, "type", "result");
        pl_xml_set(answer, "id", pl_xml_attr_of(said[i], "id"));
        PL_OKAY(pl_ibb_input(b, *now_us, answer));
        pl_xml_free(answer);
        pl_xml_free(said[i]);
    }
    return n;
}

/* After so many round trips of this length: the blocks on their way. */
static size_t window_after(uint16_t block, int64_t takes_us, int rounds)
{
    static const uint8_t data[PL_IBB_BUFFER];
    int64_t now_us = 0;
    size_t n = 0;
    pl_ibb *b;
    PL_EQ(pl_ibb_new(&b, &(pl_ibb_conf){ .peer = JULIET, .sid = "s", .block = block, .opens = true }, 0),
          PL_OK);
    PL_EQ(round_trip(b, &now_us, 0), 1); /* it opens */
    for (int i = 0; i < rounds; i++) {
        (void)pl_ibb_write(b, data, sizeof data);
        n = round_trip(b, &now_us, takes_us);
    }
    pl_ibb_free(b);
    return n;
}

/* Quick answers widen the window up to its end, late ones narrow it to one block, and what is between leaves it. No more
 * bytes are on their way than the peer's buffer holds, however large the blocks. */
PL_TEST(the_window)
{
    PL_EQ(window_after(PL_IBB_BLOCK, PL_MS(20), 1), PL_IBB_WINDOW_FIRST);
    PL_EQ(window_after(PL_IBB_BLOCK, PL_MS(20), 20), PL_IBB_WINDOW);
    PL_EQ(window_after(PL_IBB_BLOCK, PL_IBB_SLOW_US, 20), PL_IBB_WINDOW_FIRST);
    PL_EQ(window_after(PL_IBB_BLOCK, PL_IBB_SLOW_US + 1, 20), 1);
    PL_EQ(window_after(PL_IBB_BLOCK_MAX, PL_MS(20), 20), PL_IBB_UNDER_WAY / PL_IBB_BLOCK_MAX);
}

/* Too large for the other side: halves. */
PL_TEST(block_sizes)
{
    pair *p = begin(65535, 4096);
    while (step(p, 10))
        ;
    PL_OKAY(p->e[0].opened && p->e[1].opened);
    finish(p);
    p = begin(4096, 100);
    while (step(p, 10))
        ;
    PL_OKAY(p->e[0].failed && !p->e[1].opened);
    finish(p);
}

PL_TEST(timeouts)
{
    pair *p = begin(4096, 4096);
    for (int i = 0; i < 2; i++) {
        PL_EQ(pl_ibb_next_us(p->e[i].b), PL_IBB_ACK_US);
        pl_ibb_tick(p->e[i].b, PL_IBB_ACK_US);
    }
    events(p);
    PL_OKAY(p->e[0].failed && p->e[1].failed);
    finish(p);
}

#define OPEN "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='i781hf64' stanza='iq'/>"
#define DATA(seq, text)                                                                                      \
    "<data xmlns='http://jabber.org/protocol/ibb' seq='" seq "' sid='i781hf64'>" text "</data>"

static const char *answered(pl_ibb *b, const char *from, const char *inside, char out[64])
{
    char text[1024];
    snprintf(text, sizeof text, "<iq xmlns='jabber:client' from='%s' id='q' type='set'>%s</iq>", from,
             inside);
    pl_xml *e = xml_of(text);
    bool taken = pl_ibb_input(b, 0, e);
    pl_xml_free(e);
    pl_xml *a = taken ? pl_ibb_poll_output(b, 0) : NULL;
    const pl_xml *error = pl_xml_child(a, NULL, "error");
    snprintf(out, 64, "%s", !taken ? "not taken" : error ? error->first->name : "result");
    pl_xml_free(a);
    return out;
}

/* What ends a stream, and what is not of it. */
PL_TEST(hostile)
{
    static const struct {
        const char *then, *answer;
    } row[] = { { DATA("1", "AAAA"), "unexpected-request" },
                { DATA("0", "no base64!"), "bad-request" },
                { DATA("-1", "AAAA"), "unexpected-request" },
                { OPEN, "not-acceptable" },
                { "<close xmlns='http://jabber.org/protocol/ibb' sid='i781hf64'/>", "result" },
                { "<shout xmlns='http://jabber.org/protocol/ibb' sid='i781hf64'/>", "bad-request" } };
    char a[64];
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        pl_ibb *b;
        PL_EQ(pl_ibb_new(&b, &(pl_ibb_conf){ .peer = ROMEO, .sid = "i781hf64" }, 0), PL_OK);
        PL_STREQ(answered(b, ROMEO, DATA("0", "AAAA"), a), "item-not-found");
        PL_STREQ(answered(b, "tybalt@example.net/x", OPEN, a), "not taken");
        PL_STREQ(answered(b, ROMEO,
                          "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='another'/>",
                          a),
                 "not taken");
        PL_STREQ(answered(b, ROMEO,
                          "<open xmlns='http://jabber.org/protocol/ibb' block-size='0' sid='i781hf64'/>", a),
                 "bad-request");
        PL_STREQ(answered(b, ROMEO,
                          "<open xmlns='http://jabber.org/protocol/ibb' block-size='65535' sid='i781hf64'/>",
                          a),
                 "resource-constraint");
        PL_STREQ(answered(b, ROMEO,
                          "<open xmlns='http://jabber.org/protocol/ibb' block-size='4096' sid='i781hf64' "
                          "stanza='message'/>",
                          a),
                 "feature-not-implemented");
        PL_STREQ(answered(b, ROMEO, OPEN, a), "result");
        PL_STREQ(answered(b, ROMEO, row[i].then, a), row[i].answer);
        pl_ibb_check(b);
        pl_ibb_free(b);
    }
    /* The number of a block begins anew after 65535. */
    pl_ibb *b;
    PL_EQ(pl_ibb_new(&b, &(pl_ibb_conf){ .peer = ROMEO, .sid = "i781hf64" }, 0), PL_OK);
    PL_STREQ(answered(b, ROMEO, OPEN, a), "result");
    uint8_t got[8];
    for (int seq = 0; seq <= 65537; seq++) {
        char text[256];
        snprintf(text, sizeof text, DATA("%d", "AAAA"), seq & 0xffff);
        PL_STREQ(answered(b, ROMEO, text, a), "result");
        PL_EQ(pl_ibb_read(b, got, sizeof got), 3);
    }
    pl_ibb_free(b);
}

PL_TEST(as_a_transport)
{
    pl_xml *content = pl_xml_new(PL_NS_JINGLE, "content");
    const char *sid;
    uint16_t block;
    PL_OKAY(pl_ibb_write_transport(content, "ch3d9s71", 8192));
    pl_xml *back = xml_carried(content);
    PL_EQ(pl_ibb_parse_transport(back->first, &sid, &block), PL_OK);
    PL_STREQ(sid, "ch3d9s71");
    PL_EQ(block, 8192);
    PL_EQ(pl_ibb_parse_transport(back, &sid, &block), PL_EPROTO);
    PL_EQ(pl_ibb_parse_transport(NULL, &sid, &block), PL_EPROTO);
    pl_xml_free(back);
    pl_xml_free(content);
}

PL_TESTS(t(bytes_arrive), t(a_slow_reader), t(the_window), t(block_sizes), t(timeouts), t(hostile),
         t(as_a_transport))
