/* Messages by I-DATA in any order of their chunks, beside a model; and messages of both kinds in pieces. */
#include "base/rand.h"
#include "pl_test.h"
#include "sctp/reassembly.h"

enum { STREAMS = 3, MESSAGES = 24, CHUNKS = 600, LONGEST = 12 };

typedef struct message {
    uint16_t sid;
    bool unordered;
    uint32_t mid;
    uint8_t bytes[400];
    size_t len, n_told; /* by pieces or whole */
    unsigned n_ended;
} message;

typedef struct world {
    message m[MESSAGES];
    pl_sctp_data chunk[CHUNKS];
    size_t n_chunks;
    int amid[STREAMS];      /* the message of which pieces are being told; -1: none */
    uint32_t next[STREAMS]; /* ordered message that is due */
    bool pieces;
} world;

static void make(world *w, pl_rand *r, bool pieces)
{
    uint32_t next[STREAMS][2] = { { 0 } };
    *w = (world){ .pieces = pieces, .amid = { -1, -1, -1 } };
    for (int i = 0; i < MESSAGES; i++) {
        message *m = &w->m[i];
        m->sid = (uint16_t)pl_rand_below(r, STREAMS);
        m->unordered = pl_rand_below(r, 3) == 0;
        m->mid = next[m->sid][m->unordered]++;
        uint32_t n = 1 + pl_rand_below(r, LONGEST);
        for (uint32_t f = 0; f < n; f++) {
            size_t len = 1 + pl_rand_below(r, 30);
            m->bytes[m->len] = (uint8_t)i; /* names the message */
            for (size_t b = m->len ? 0 : 1; b < len; b++)
                m->bytes[m->len + b] = (uint8_t)pl_rand_u32(r);
            w->chunk[w->n_chunks++] =
                (pl_sctp_data){ .sid = m->sid,
                                .mid = m->mid,
                                .fsn = f,
                                .ppid = f == 0 ? 1000 + (uint32_t)i : 0,
                                .interleaved = true,
                                .payload = m->bytes + m->len,
                                .len = len,
                                .flags = (uint8_t)((f == 0 ? PL_SCTP_DATA_B : 0) |
                                                   (f == n - 1 ? PL_SCTP_DATA_E : 0) |
                                                   (m->unordered ? PL_SCTP_DATA_U : 0)) };
            m->len += len;
        }
    }
    for (size_t i = w->n_chunks; i-- > 1;) {
        size_t j = pl_rand_below(r, (uint32_t)i + 1);
        pl_sctp_data d = w->chunk[i];
        w->chunk[i] = w->chunk[j];
        w->chunk[j] = d;
    }
}

/* What comes out is the next bytes of one message of its stream, in the stream's order. */
static void take_all(world *w, pl_sctp_reassembly *r)
{
    for (pl_sctp_msg got; pl_sctp_reassembly_take(r, &got);) {
        message *m = &w->m[got.ppid - 1000];
        int *amid = &w->amid[got.sid];
        PL_EQ(got.sid, m->sid);
        PL_EQ(got.unordered, m->unordered);
        PL_EQ(got.continues, *amid >= 0);
        PL_OKAY(*amid < 0 || *amid == (int)got.ppid - 1000);
        PL_OKAY(!got.broken && (w->pieces || (!got.more && !got.continues)));
        if (!got.continues && !m->unordered)
            PL_EQ(m->mid, w->next[got.sid]++);
        PL_LE(m->n_told + got.len, m->len);
        PL_MEMEQ(got.data, m->bytes + m->n_told, got.len);
        m->n_told += got.len;
        m->n_ended += !got.more;
        *amid = got.more ? (int)got.ppid - 1000 : -1;
        pl_sctp_msg_free(&got);
    }
}

/* Fragments come twice, under TSNs of their own, so what is told of them means nothing; but nothing is lost of the
 * account. */
static void repeated(uint64_t seed, bool pieces)
{
    static world w;
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, seed);
    pl_sctp_reassembly r;
    make(&w, &rand, pieces);
    pl_sctp_reassembly_init(&r, 1000);
    for (uint16_t sid = 0; pieces && sid < STREAMS; sid++)
        PL_EQ(pl_sctp_reassembly_set_pieces(&r, sid, true), PL_OK);
    for (uint32_t i = 0; i < 3 * w.n_chunks; i++) {
        pl_sctp_data d = w.chunk[pl_rand_below(&rand, (uint32_t)w.n_chunks)];
        d.tsn = i + 1;
        PL_EQ(pl_sctp_reassembly_early(&r, &d, 0), PL_OK);
        pl_sctp_reassembly_check(&r);
        pl_sctp_msg m;
        if (pl_rand_below(&rand, 3) == 0 && pl_sctp_reassembly_take(&r, &m))
            pl_sctp_msg_free(&m);
    }
    pl_sctp_reassembly_clear(&r);
    PL_EQ(r.held, 0);
}

static void all_here(uint64_t seed, bool pieces)
{
    static world w;
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, seed);
    pl_sctp_reassembly r;
    make(&w, &rand, pieces);
    pl_sctp_reassembly_init(&r, 1000);
    for (uint16_t sid = 0; pieces && sid < STREAMS; sid++)
        PL_EQ(pl_sctp_reassembly_set_pieces(&r, sid, true), PL_OK);
    for (size_t i = 0; i < w.n_chunks; i++) {
        w.chunk[i].tsn = (uint32_t)i + 1;
        PL_EQ(pl_sctp_reassembly_next(&r, &w.chunk[i]), PL_OK);
        if (pl_rand_below(&rand, 3) == 0)
            take_all(&w, &r);
    }
    take_all(&w, &r);
    for (int i = 0; i < MESSAGES; i++) {
        if (w.m[i].n_told != w.m[i].len || w.m[i].n_ended != 1)
            fail_msg("message %d: %zu of %zu bytes, seed %llu", i, w.m[i].n_told, w.m[i].len,
                     (unsigned long long)seed);
    }
    PL_EQ(r.held, 0);
    PL_EQ(r.n_unfinished, 0);
    PL_EQ(r.n_messages, MESSAGES);
    pl_sctp_reassembly_clear(&r);
}

PL_TEST(every_message_of_i_data_comes_whole_and_in_order)
{
    for (uint64_t i = 0; i < 400; i++)
        all_here(pl_test_seed(100 + i), i % 2);
}

static pl_sctp_data part(bool interleaved, uint32_t fsn, uint8_t flags, const char *text)
{
    return (pl_sctp_data){ .tsn = 1 + fsn,
                           .sid = 7,
                           .ppid = 53,
                           .fsn = fsn,
                           .flags = flags,
                           .interleaved = interleaved,
                           .payload = (const uint8_t *)text,
                           .len = strlen(text) };
}

static void expect(pl_sctp_reassembly *r, const char *text, bool continues, bool more, bool broken)
{
    pl_sctp_msg m;
    PL_OKAY(pl_sctp_reassembly_take(r, &m));
    PL_EQ(m.len, strlen(text));
    PL_MEMEQ(m.data, text, m.len);
    PL_EQ(m.continues, continues);
    PL_EQ(m.more, more);
    PL_EQ(m.broken, broken);
    pl_sctp_msg_free(&m);
}

static void next(pl_sctp_reassembly *r, pl_sctp_data d)
{
    PL_EQ(pl_sctp_reassembly_next(r, &d), PL_OK);
    pl_sctp_reassembly_check(r);
}

/* Bytes gather until they are taken. */
PL_TEST(pieces_come_as_they_arrive)
{
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        pl_sctp_reassembly r;
        pl_sctp_reassembly_init(&r, 10); /* pieces are not bound by it */
        PL_EQ(pl_sctp_reassembly_set_pieces(&r, 7, true), PL_OK);
        next(&r, part(interleaved, 0, PL_SCTP_DATA_B, "first "));
        next(&r, part(interleaved, 1, 0, "second"));
        expect(&r, "first second", false, true, false);
        PL_OKAY(!pl_sctp_reassembly_peek(&r));
        next(&r, part(interleaved, 2, 0, "third "));
        next(&r, part(interleaved, 3, PL_SCTP_DATA_E, "last"));
        expect(&r, "third last", true, false, false);
        PL_EQ(r.held, 0);
        pl_sctp_reassembly_clear(&r);
    }
}

PL_TEST(asking_for_pieces_amid_a_message_gives_what_is_there)
{
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        pl_sctp_reassembly r;
        pl_sctp_reassembly_init(&r, 100);
        next(&r, part(interleaved, 0, PL_SCTP_DATA_B, "early"));
        PL_OKAY(!pl_sctp_reassembly_peek(&r));
        PL_EQ(pl_sctp_reassembly_set_pieces(&r, 7, true), PL_OK);
        expect(&r, "early", false, true, false);
        next(&r, part(interleaved, 1, PL_SCTP_DATA_E, "late"));
        expect(&r, "late", true, false, false);
        PL_EQ(r.held, 0);
        pl_sctp_reassembly_clear(&r);
    }
}

PL_TEST(a_message_given_up_half_way_ends_broken)
{
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        pl_sctp_reassembly r;
        pl_sctp_reassembly_init(&r, 100);
        PL_EQ(pl_sctp_reassembly_set_pieces(&r, 7, true), PL_OK);
        next(&r, part(interleaved, 0, PL_SCTP_DATA_B, "half"));
        expect(&r, "half", false, true, false);
        pl_sctp_skip skip = { .sid = 7, .mid = 0 };
        if (interleaved) {
            PL_EQ(pl_sctp_reassembly_skip_interleaved(&r, skip), PL_OK);
        } else {
            pl_sctp_reassembly_forward(&r, 1, 5);
            PL_EQ(pl_sctp_reassembly_skip(&r, skip), PL_OK);
        }
        expect(&r, "", true, false, true);
        pl_sctp_data whole = part(interleaved, 0, PL_SCTP_DATA_B | PL_SCTP_DATA_E, "whole");
        whole.mid = 1;
        next(&r, whole);
        expect(&r, "whole", false, false, false);
        PL_EQ(r.held, 0);
        pl_sctp_reassembly_clear(&r);
    }
}

PL_TEST(a_reset_or_the_end_breaks_what_is_handed_out)
{
    uint16_t sid;
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 100);
    PL_EQ(pl_sctp_reassembly_set_pieces(&r, 7, true), PL_OK);
    next(&r, part(true, 0, PL_SCTP_DATA_B, "half"));
    PL_EQ(pl_sctp_reassembly_reset(&r, 7), PL_OK);
    expect(&r, "half", false, true, false);
    PL_OKAY(!pl_sctp_reassembly_poll_reset(&r, &sid));
    expect(&r, "", true, false, true);
    PL_OKAY(pl_sctp_reassembly_poll_reset(&r, &sid) && sid == 7);
    next(&r, part(true, 0, PL_SCTP_DATA_B, "anew"));
    pl_sctp_reassembly_restart(&r);
    expect(&r, "anew", false, true, false);
    expect(&r, "", true, false, true);
    PL_EQ(r.held, 0);
    pl_sctp_reassembly_clear(&r);
}

PL_TEST(unordered_messages_are_skipped_by_their_own_numbers)
{
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 100);
    next(&r, part(true, 0, PL_SCTP_DATA_B | PL_SCTP_DATA_U, "unordered 0"));
    next(&r, part(true, 0, PL_SCTP_DATA_B, "ordered 0 "));
    PL_EQ(pl_sctp_reassembly_skip_interleaved(&r, (pl_sctp_skip){ .sid = 7, .unordered = true }), PL_OK);
    PL_EQ(r.n_unfinished, 1);
    next(&r, part(true, 1, PL_SCTP_DATA_E, "is there"));
    expect(&r, "ordered 0 is there", false, false, false);
    PL_EQ(r.held, 0);
    pl_sctp_reassembly_clear(&r);
}

PL_TEST(repeated_fragments_do_no_harm)
{
    for (uint64_t i = 0; i < 200; i++)
        repeated(pl_test_seed(9000 + i), i % 2);
}

/* What waits for a fragment before it can be given back, the latest first, and come again. */
PL_TEST(early_fragments_are_given_back)
{
    pl_sctp_reassembly r;
    uint32_t tsn, n;
    pl_sctp_reassembly_init(&r, 100);
    next(&r, part(true, 0, PL_SCTP_DATA_B, "a"));
    next(&r, part(true, 3, PL_SCTP_DATA_E, "d"));
    next(&r, part(true, 2, 0, "c"));
    PL_OKAY(pl_sctp_reassembly_renege(&r, 1, 4, &tsn, &n) && n == 1 && tsn == 3);
    PL_OKAY(pl_sctp_reassembly_renege(&r, 1, 4, &tsn, &n) && n == 1 && tsn == 4);
    PL_OKAY(!pl_sctp_reassembly_renege(&r, 1, 4, &tsn, &n));
    next(&r, part(true, 1, 0, "b"));
    next(&r, part(true, 2, 0, "c"));
    next(&r, part(true, 3, PL_SCTP_DATA_E, "d"));
    expect(&r, "abcd", false, false, false);
    PL_EQ(r.held, 0);
    pl_sctp_reassembly_clear(&r);
}

/* Pieces that nobody takes cost little more than the bytes in them, however these were cut: a gap that is filled turns all that
 * came behind it into pieces at once, and the window has let in no more than the bytes. */
PL_TEST(pieces_are_filled_to_the_brim)
{
    static const uint8_t bytes[1400];
    enum { ALL = 900000 };
    for (size_t cut = 700; cut <= sizeof bytes; cut += 100) {
        pl_sctp_reassembly r;
        pl_sctp_reassembly_init(&r, 100);
        PL_EQ(pl_sctp_reassembly_set_pieces(&r, 7, true), PL_OK);
        pl_sctp_reassembly_spare(&r);
        for (uint32_t fsn = 0; fsn * cut < ALL; fsn++) {
            pl_sctp_data d = part(false, fsn, fsn == 0 ? PL_SCTP_DATA_B : 0, "");
            d.payload = bytes;
            d.len = cut;
            next(&r, d);
        }
        PL_LE(r.held, ALL + ALL / 20);
        pl_sctp_reassembly_clear(&r);
    }
}

PL_TESTS(t(every_message_of_i_data_comes_whole_and_in_order), t(pieces_come_as_they_arrive),
         t(asking_for_pieces_amid_a_message_gives_what_is_there), t(a_message_given_up_half_way_ends_broken),
         t(a_reset_or_the_end_breaks_what_is_handed_out),
         t(unordered_messages_are_skipped_by_their_own_numbers), t(repeated_fragments_do_no_harm),
         t(early_fragments_are_given_back), t(pieces_are_filled_to_the_brim))
