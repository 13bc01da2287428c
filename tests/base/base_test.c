/* The containers and readers that every other room stands on. */
#include "pl_test.h"

#include "base/addr.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/rand.h"
#include "base/ring.h"
#include "base/seq.h"
#include "base/slice.h"

PL_TEST(short_reads_stick)
{
    static const uint8_t wire[] = { 1, 2, 3, 4, 5 };
    pl_rd r = pl_rd_init(wire, sizeof wire);
    PL_EQ(pl_rd_u16(&r), 0x0102);
    pl_rd sub = pl_rd_sub(&r, 2);
    PL_EQ(pl_rd_u32(&sub), 0);
    PL_OKAY(!pl_rd_ok(&sub));
    PL_OKAY(pl_rd_ok(&r));
    PL_EQ(pl_rd_u16(&r), 0);
    PL_OKAY(!pl_rd_ok(&r));
    PL_EQ(pl_rd_u8(&r), 0);
}

PL_TEST(writes_that_do_not_fit_stick)
{
    uint8_t out[4];
    pl_wr w = pl_wr_init(out, sizeof out);
    size_t mark = pl_wr_mark(&w);
    pl_wr_u16(&w, 0);
    pl_wr_patch16(&w, mark, 7);
    pl_wr_u24(&w, 1);
    PL_OKAY(!pl_wr_ok(&w));
    pl_wr_u8(&w, 1);
    PL_EQ(pl_wr_len(&w), 2);
    PL_EQ(out[1], 7);
}

PL_TEST(serial_numbers_wrap)
{
    PL_OKAY(pl_seq16_newer(0, 65535));
    PL_OKAY(!pl_seq16_newer(65535, 0));
    PL_OKAY(pl_seq32_newer(5, 0xfffffff0u));
    PL_EQ(pl_seq16_unwrap(65535, 2), 65538);
    PL_EQ(pl_seq16_unwrap(65538, 65535), 65535);
    PL_EQ(pl_seq32_unwrap(0x100000000, 0xffffffffu), 0xffffffff);
}

PL_TEST(heap_gives_deadlines_in_order)
{
    enum { N = 500 };
    static pl_heap_node node[N];
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, pl_test_seed(1));
    pl_heap h = { 0 };
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < N; i++)
            pl_heap_set(&h, &node[i], pl_rand_below(&rand, 1000));
        for (int i = 0; i < N; i += 3)
            pl_heap_remove(&h, &node[pl_rand_below(&rand, N)]);
        int64_t last = -1;
        for (pl_heap_node *n; (n = pl_heap_first(&h));) {
            PL_LE(last, n->at_us);
            last = n->at_us;
            pl_heap_remove(&h, n);
            PL_OKAY(!n->linked);
        }
    }
}

PL_TEST(siphash_vector)
{
    /* The example of the paper's appendix A: key 00..0f, input 00..0e. */
    uint8_t key[16], in[15];
    for (int i = 0; i < 16; i++)
        key[i] = (uint8_t)i;
    memcpy(in, key, sizeof in);
    PL_OKAY(pl_siphash(key, in, sizeof in) == 0xa129ca6149be45e5u);
}

PL_TEST(hash_finds_what_was_put_in)
{
    struct item {
        pl_hash_node node;
        uint32_t key;
    } item[200];
    pl_hash h;
    static const uint8_t key[16] = { 9 };
    pl_hash_init(&h, 150, key);
    for (uint32_t i = 0; i < 200; i++) {
        item[i].key = i;
        PL_EQ(pl_hash_insert(&h, &item[i].node, &i, sizeof i), (i < 150 ? PL_OK : PL_ENOSPC));
    }
    for (uint32_t i = 0; i < 150; i += 2)
        pl_hash_remove(&h, &item[i].node);
    for (uint32_t i = 0; i < 200; i++) {
        pl_hash_node *n = pl_hash_find(&h, &i, sizeof i);
        while (n && pl_of(n, struct item, node)->key != i)
            n = pl_hash_next(n);
        PL_EQ(n != NULL, i < 150 && i % 2 == 1);
    }
    pl_hash_clear(&h);
}

PL_TEST(pool_and_ring_have_limits)
{
    pl_pool p;
    pl_pool_init(&p, 2000, 10);
    void *buf[11];
    for (int i = 0; i < 11; i++) {
        buf[i] = pl_pool_get(&p);
        PL_EQ(buf[i] != NULL, i < 10);
    }
    for (int i = 0; i < 10; i++)
        pl_pool_put(&p, buf[i]);
    PL_EQ(p.n_used, 0);
    pl_pool_clear(&p);

    pl_ring *r;
    PL_EQ(pl_ring_new(&r, sizeof(int), 5), PL_OK);
    for (int i = 0; i < 9; i++)
        PL_EQ(pl_ring_push(r, &i), i < 8);
    for (int i = 0, got; i < 9; i++) {
        PL_EQ(pl_ring_pop(r, &got), i < 8);
        if (i < 8)
            PL_EQ(got, i);
    }
    pl_ring_free(r);
}

PL_TEST(addresses_in_text)
{
    static const struct {
        const char *in, *out;
    } good[] = {
        { "1.2.3.4:56", "1.2.3.4:56" },
        { "[::1]:80", "[::1]:80" },
        { "[2001:DB8::0:1]:9", "[2001:db8::1]:9" },
        { "[::]:0", "[::]:0" },
        { "[fe80::1%3]:5", "[fe80::1%3]:5" },
        { "[1:0:0:2:0:0:0:3]:1", "[1:0:0:2::3]:1" },
        { "[::ffff:1.2.3.4]:5", "[::ffff:102:304]:5" },
        { "[1:2:3:4:5:6:7::]:5", "[1:2:3:4:5:6:7:0]:5" },
    };
    static const char *const bad[] = { "",
                                       ":",
                                       "1.2.3:4",
                                       "1.2.3.4",
                                       "1.2.3.256:1",
                                       "1.2.3.4:65536",
                                       "[::1]",
                                       "[1::2::3]:4",
                                       "[:1:2:3:4:5:6:7]:1",
                                       "[1:2:3:4:5:6:7:8:9]:1",
                                       "[1:2:3:4:5:6:7:8::]:1",
                                       "[12345::]:1",
                                       "1.2.3.4.5:1",
                                       "[::1.2.3]:5",
                                       "[:::]:1" };
    char text[PL_ADDR_TEXT_MAX];
    pl_addr a;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        PL_EQ(pl_addr_parse(&a, good[i].in, strlen(good[i].in)), PL_OK);
        PL_STREQ(pl_addr_str(&a, text), good[i].out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (pl_addr_parse(&a, bad[i], strlen(bad[i])) != PL_EPROTO)
            fail_msg("accepted: %s", bad[i]);
    }
}

PL_TEST(text_slices)
{
    pl_str rest = PL_STR("a,b,,c");
    static const char *const want[] = { "a", "b", "", "c" };
    int n = 0;
    while (rest.p) {
        pl_str field = pl_str_cut(&rest, ',');
        PL_OKAY(pl_str_is(field, want[n++]));
    }
    PL_EQ(n, 4);
    uint64_t v;
    PL_OKAY(pl_str_u64(PL_STR("65535"), 65535, &v) && v == 65535);
    PL_OKAY(!pl_str_u64(PL_STR("65536"), 65535, &v));
    PL_OKAY(!pl_str_u64(PL_STR("99999999999999999999999"), UINT64_MAX, &v));
    PL_OKAY(!pl_str_u64(PL_STR(""), 9, &v));
    PL_OKAY(pl_utf8_valid("gr\xc3\xbc\xc3\x9f", 6) && !pl_utf8_valid("\xc0\x80", 2) &&
            !pl_utf8_valid("\xed\xa0\x80", 3));
    pl_buf b = pl_buf_init(10);
    pl_buf_addf(&b, "%d-%s", 42, "abc");
    PL_STREQ(pl_buf_z(&b), "42-abc");
    pl_buf_add(&b, "12345", 5);
    PL_OKAY(pl_buf_z(&b) == NULL);
    pl_buf_clear(&b);
}

PL_TEST(seeds_replay)
{
    pl_rand_seeded s1, s2;
    pl_rand a = pl_rand_seed(&s1, 7), b = pl_rand_seed(&s2, 7);
    for (int i = 0; i < 100; i++)
        PL_EQ(pl_rand_u32(&a), pl_rand_u32(&b));
    for (int i = 0; i < 1000; i++)
        PL_OKAY(pl_rand_below(&a, 10) < 10);
}

PL_TESTS(t(short_reads_stick), t(writes_that_do_not_fit_stick), t(serial_numbers_wrap),
         t(heap_gives_deadlines_in_order), t(siphash_vector), t(hash_finds_what_was_put_in),
         t(pool_and_ring_have_limits), t(addresses_in_text), t(text_slices), t(seeds_replay))
