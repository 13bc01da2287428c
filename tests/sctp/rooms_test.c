/* The small rooms by themselves: RTO, congestion, received TSNs, outstanding TSNs, reassembly. */
#include "pl_test.h"

#include "base/rand.h"
#include "base/seq.h"
#include "base/time.h"
#include "sctp/congestion.h"
#include "sctp/outstanding.h"
#include "sctp/reassembly.h"
#include "sctp/rto.h"
#include "sctp/sack.h"

PL_TEST(rto_by_the_rules_of_6_3_1)
{
    pl_sctp_rto r;
    pl_sctp_rto_init(&r, PL_SEC(1), PL_MS(300), PL_SEC(4));
    PL_EQ(r.rto_us, PL_SEC(1)); /* C1 */
    pl_sctp_rto_sample(&r, PL_MS(200));
    PL_EQ(r.srtt_us, PL_MS(200)); /* C2 */
    PL_EQ(r.rttvar_us, PL_MS(100));
    PL_EQ(r.rto_us, PL_MS(600));
    pl_sctp_rto_sample(&r, PL_MS(280));
    PL_EQ(r.rttvar_us, 95000); /* C3: 3/4 of 100 plus 1/4 of 80 */
    PL_EQ(r.srtt_us, PL_MS(210));
    PL_EQ(r.rto_us, 590000);
    for (int i = 0; i < 100; i++)
        pl_sctp_rto_sample(&r, PL_MS(10));
    PL_EQ(r.rto_us, PL_MS(300)); /* C6 */
    for (int i = 0; i < 10; i++)
        pl_sctp_rto_double(&r);
    PL_EQ(r.rto_us, PL_SEC(4)); /* C7, E2 */
    pl_sctp_rto_sample(&r, -1);
    pl_sctp_rto_sample(&r, PL_SEC(5));
    PL_EQ(r.rto_us, PL_SEC(4));
}

PL_TEST(reno_grows_and_shrinks_as_7_2_says)
{
    enum { MTU = 1000 };
    pl_sctp_cc cc;
    pl_sctp_cc_init(&cc, &pl_sctp_cc_reno, MTU);
    PL_EQ(cc.cwnd, 10 * MTU);
    pl_sctp_cc_ack ack = {
        .acked = 2 * MTU, .flight_before = 10 * MTU, .flight_after = 8 * MTU, .cum_advanced = true
    };
    cc.ops->acked(&cc, &ack);
    PL_EQ(cc.cwnd, 12 * MTU); /* slow start */
    cc.ops->acked(&cc, &ack);
    PL_EQ(cc.cwnd, 12 * MTU); /* the window was not full: no growth */
    ack.flight_before = 12 * MTU;
    ack.in_recovery = true;
    cc.ops->acked(&cc, &ack);
    PL_EQ(cc.cwnd, 12 * MTU);
    cc.ops->lost(&cc, 0);
    PL_EQ(cc.cwnd, 6 * MTU);
    PL_EQ(cc.ssthresh, 6 * MTU);
    ack.in_recovery = false;
    ack.flight_before = 6 * MTU;
    cc.ops->acked(&cc, &ack); /* slow start still at the threshold */
    PL_EQ(cc.cwnd, 8 * MTU);
    ack.flight_before = 8 * MTU;
    for (int i = 0; i < 4; i++)
        cc.ops->acked(&cc, &ack);
    PL_EQ(cc.cwnd, 9 * MTU); /* one packet a window */
    cc.ops->timeout(&cc, 0);
    PL_EQ(cc.cwnd, MTU);
    PL_EQ(cc.ssthresh, 9 * MTU / 2);
    for (int i = 0; i < 3; i++)
        cc.ops->lost(&cc, 0);
    PL_EQ(cc.cwnd, 4 * MTU);
}

/* Against the plainest model there is: an array of booleans. */
PL_TEST(received_tsns_against_a_model)
{
    enum { SPAN = 3000 };
    static bool model[SPAN + 1];
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 200; seed++, n++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed);
        uint32_t first = pl_rand_u32(&rand);
        if (seed % 3 == 0)
            first = 0xffffffffu - pl_rand_below(&rand, 1000);
        uint32_t cum = 0; /* model[1..cum] are all there */
        memset(model, 0, sizeof model);
        pl_sctp_sack s;
        pl_sctp_sack_init(&s, first + 1, PL_MS(100));
        for (int i = 0; i < 2000; i++) {
            uint32_t at = cum + 1 + (pl_rand_below(&rand, 3) ? 0 : pl_rand_below(&rand, 300));
            if (at > SPAN)
                break;
            if (pl_rand_below(&rand, 200) == 0) {
                pl_sctp_sack_forward(&s, first + at);
                for (uint32_t k = 1; k <= at; k++)
                    model[k] = true;
            } else {
                PL_EQ(pl_sctp_sack_look(&s, first + at), model[at] ? PL_SCTP_TSN_DUPLICATE : PL_SCTP_TSN_NEW);
                if (!model[at]) {
                    PL_EQ(pl_sctp_sack_reserve(&s, first + at), PL_OK);
                    pl_sctp_sack_add(&s, first + at);
                    model[at] = true;
                }
            }
            while (cum < SPAN && model[cum + 1])
                cum++;
            PL_OKAY(s.cumulative_tsn == first + cum);
            pl_sctp_sack_check(&s);
        }
        uint8_t out[1400];
        pl_wr w = pl_wr_init(out, sizeof out);
        pl_sctp_sack_write(&s, &w, 1000);
        pl_sctp_sack_chunk parsed;
        PL_EQ(pl_sctp_sack_parse(&parsed, pl_rd_init(out + 4, pl_wr_len(&w) - 4)), PL_OK);
        uint32_t at = cum + 1;
        for (size_t g = 0; g < parsed.n_gaps; g++) {
            uint16_t start, end;
            pl_sctp_sack_gap(&parsed, g, &start, &end);
            for (; at < cum + start; at++)
                PL_OKAY(!model[at]);
            for (; at <= cum + end; at++)
                PL_OKAY(model[at]);
        }
        pl_sctp_sack_clear(&s);
    }
}

PL_TEST(sacks_come_when_6_2_says)
{
    pl_sctp_sack s;
    pl_sctp_sack_init(&s, 1, PL_MS(100));
    pl_sctp_sack_add(&s, 1);
    pl_sctp_sack_packet(&s, 1000, false);
    PL_EQ(s.due_us, 1000 + PL_MS(100)); /* the first waits */
    pl_sctp_sack_add(&s, 2);
    pl_sctp_sack_packet(&s, 2000, false);
    PL_EQ(s.due_us, 2000); /* the second does not */
    uint8_t out[64];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_sctp_sack_write(&s, &w, 1);
    PL_OKAY(s.due_us == PL_NEVER);
    PL_EQ(pl_sctp_sack_reserve(&s, 4), PL_OK);
    pl_sctp_sack_add(&s, 4);
    pl_sctp_sack_packet(&s, 3000, false);
    PL_EQ(s.due_us, 3000); /* a gap */
    w = pl_wr_init(out, sizeof out);
    pl_sctp_sack_write(&s, &w, 1);
    pl_sctp_sack_add(&s, 3);
    pl_sctp_sack_packet(&s, 4000, false);
    PL_EQ(s.due_us, 4000); /* a gap filled */
    w = pl_wr_init(out, sizeof out);
    pl_sctp_sack_write(&s, &w, 1);
    pl_sctp_sack_packet(&s, 5000, true);
    PL_EQ(s.due_us, 5000); /* I bit */
    PL_EQ(pl_sctp_sack_look(&s, 5 + PL_SCTP_AHEAD_MAX), PL_SCTP_TSN_TOO_FAR);
    PL_EQ(pl_sctp_sack_look(&s, 4 + PL_SCTP_AHEAD_MAX), PL_SCTP_TSN_NEW);
    pl_sctp_sack_clear(&s);
}

/* n TSNs of ten bytes, the first being `first`. */
static pl_sctp_out_msg *send_some(pl_sctp_streams *st, pl_sctp_outstanding *o, uint32_t first, unsigned n)
{
    static const uint8_t data[1000];
    pl_sctp_streams_init(st, PL_SCTP_SCHEDULER_DEFAULT);
    pl_sctp_outstanding_init(o, first);
    pl_sctp_out_msg *m = pl_sctp_out_msg_new(st, data, 10 * n);
    for (unsigned i = 0; i < n; i++) {
        PL_EQ(pl_sctp_outstanding_reserve(o), PL_OK);
        pl_sctp_outstanding_add(o, m, 10, i == 0 ? PL_SCTP_DATA_B : 0, PL_MS(i));
    }
    return m;
}

static pl_sctp_acked sack(pl_sctp_outstanding *o, pl_sctp_streams *st, uint32_t cum, size_t n_gaps,
                          const uint8_t *gaps)
{
    pl_sctp_sack_chunk s = { .cumulative_tsn = cum, .n_gaps = n_gaps, .gaps = gaps };
    pl_sctp_acked a;
    PL_EQ(pl_sctp_outstanding_ack(o, st, &s, PL_MS(500), PL_MS(100), &a), PL_OK);
    pl_sctp_outstanding_check(o);
    return a;
}

/* RFC 8985: sent before something that has arrived, and its round trip and the window are over. */
PL_TEST(what_later_sendings_overtake_is_lost_by_time)
{
    pl_sctp_streams st;
    pl_sctp_outstanding o;
    uint32_t first = 0xfffffffau; /* across the wrap */
    pl_sctp_out_msg *m = send_some(&st, &o, first, 20);
    PL_EQ(o.flight, 20 * 28);
    static const uint8_t gap[2][4] = { { 0, 3, 0, 3 }, { 0, 3, 0, 6 } };
    int64_t again_us;
    PL_EQ(pl_sctp_outstanding_detect(&o, PL_MS(500), 0, &again_us),
          0); /* nothing has arrived: nothing to compare */
    PL_EQ(again_us, PL_NEVER);
    pl_sctp_acked a = sack(&o, &st, first, 1, gap[0]); /* first+1, first+2 are missing */
    PL_EQ(a.bytes, 2 * 28);
    PL_OKAY(a.cum_advanced);
    PL_EQ(a.rtt_us, PL_MS(497));
    PL_EQ(pl_sctp_outstanding_detect(&o, PL_MS(500), PL_MS(10), &again_us), 0);
    PL_EQ(again_us, PL_MS(1 + 497 + 10)); /* sent at 1 ms, a round trip, the window */
    PL_EQ(pl_sctp_outstanding_detect(&o, PL_MS(508), PL_MS(10), &again_us), 28);
    PL_EQ(again_us, PL_MS(509));
    PL_EQ(pl_sctp_outstanding_detect(&o, PL_MS(509), PL_MS(10), &again_us), 28);
    PL_EQ(again_us, PL_NEVER); /* what was sent later than the newest arrival is not judged */
    PL_EQ(o.n_lost, 2);
    uint32_t tsn;
    pl_sctp_sent *e = pl_sctp_outstanding_lost(&o, &tsn);
    PL_OKAY(tsn == first + 1);
    pl_sctp_outstanding_resent(&o, e, tsn, PL_MS(510));
    sack(&o, &st, first, 1, gap[1]);
    PL_EQ(pl_sctp_outstanding_detect(&o, PL_SEC(9), 0, &again_us),
          0); /* all that arrived was sent before it */
    PL_OKAY(pl_sctp_outstanding_lost(&o, &tsn) != NULL);
    PL_OKAY(tsn == first + 2);
    a = sack(&o, &st, first + 19, 0, NULL);
    PL_EQ(a.n_late, 1); /* first+2 arrived though it was called lost and never went again */
    PL_EQ(pl_sctp_outstanding_n(&o), 0);
    PL_EQ(o.flight, 0);
    pl_sctp_sack_chunk beyond = { .cumulative_tsn = first + 20 };
    PL_EQ(pl_sctp_outstanding_ack(&o, &st, &beyond, 0, 0, &a), PL_EPROTO);
    pl_sctp_out_msg_unref(&st, m);
    PL_EQ(st.total, 0);
    pl_sctp_outstanding_clear(&o, &st);
}

PL_TEST(the_window_for_reordering_grows_with_needless_repairs)
{
    pl_sctp_rto rto;
    pl_sctp_rack r;
    pl_sctp_rto_init(&rto, PL_SEC(1), PL_MS(300), PL_SEC(4));
    pl_sctp_rto_sample(&rto, PL_MS(40));
    pl_sctp_rack_init(&r);
    PL_EQ(pl_sctp_rack_window_us(&r, &rto, false, 2), PL_MS(10)); /* a quarter of the least RTT */
    PL_EQ(pl_sctp_rack_window_us(&r, &rto, false, 3), 0);         /* three overtook it: proof enough … */
    r.reordering_seen = true;
    PL_EQ(pl_sctp_rack_window_us(&r, &rto, false, 3), PL_MS(10)); /* … but not on a path that reorders */
    pl_sctp_rack_needless(&r, 100, 200);
    pl_sctp_rack_needless(&r, 150, 250); /* the same round trip */
    PL_EQ(pl_sctp_rack_window_us(&r, &rto, true, 9), PL_MS(20));
    for (uint32_t i = 0; i < 10; i++)
        pl_sctp_rack_needless(&r, 200 + 100 * i, 300 + 100 * i);
    PL_EQ(pl_sctp_rack_window_us(&r, &rto, true, 9), PL_MS(40)); /* never above a round trip */
    for (int i = 0; i < PL_SCTP_RACK_PERSIST; i++)
        pl_sctp_rack_recovered(&r);
    PL_EQ(pl_sctp_rack_window_us(&r, &rto, true, 9), PL_MS(10)); /* long without: forgotten */
}

PL_TEST(a_timeout_taken_back_leaves_what_went_again)
{
    pl_sctp_streams st;
    pl_sctp_outstanding o;
    pl_sctp_out_msg *m = send_some(&st, &o, 1, 6);
    pl_sctp_outstanding_timeout(&o);
    PL_EQ(o.flight, 0);
    uint32_t tsn;
    pl_sctp_outstanding_resent(&o, pl_sctp_outstanding_lost(&o, &tsn), 1, PL_MS(300));
    PL_EQ(o.n_lost, 5);
    pl_sctp_acked a = sack(&o, &st, 2, 0, NULL); /* 2 never went again */
    PL_EQ(a.n_late, 1);
    pl_sctp_outstanding_revive(&o);
    pl_sctp_outstanding_check(&o);
    PL_EQ(o.n_lost, 0);
    PL_EQ(o.flight, 4 * 28);
    PL_EQ(pl_sctp_outstanding_lose_newest(&o), 6);
    PL_EQ(o.n_lost, 1);
    pl_sctp_outstanding_clear(&o, &st);
    pl_sctp_out_msg_unref(&st, m);
}

/* Thousands of SACKs with random blocks, against an array of what they said. */
PL_TEST(gap_blocks_against_a_model)
{
    enum { N = 60 };
    pl_rand_seeded state;
    uint64_t seed = pl_test_seed(1);
    pl_rand r = pl_rand_seed(&state, seed);
    for (int round = 0; round < 300; round++) {
        pl_sctp_streams st;
        pl_sctp_outstanding o;
        bool has[N + 2];
        pl_sctp_out_msg *m = send_some(&st, &o, 1, N);
        for (int i = 0; i < 30; i++) {
            uint8_t gaps[4 * N];
            size_t n_gaps = 0, n_missing = 0;
            uint32_t cum = o.first_tsn - 1 + pl_rand_below(&r, 3);
            cum = cum > N ? N : cum;
            memset(has, 0, sizeof has);
            for (uint32_t at = cum + 2 + pl_rand_below(&r, 4); at <= N && n_gaps < 15; n_gaps++) {
                uint32_t end = at + pl_rand_below(&r, 5);
                end = end > N ? N : end;
                for (uint32_t t = at; t <= end; t++)
                    has[t] = true;
                uint8_t block[] = { 0, (uint8_t)(at - cum), 0, (uint8_t)(end - cum) };
                memcpy(gaps + 4 * n_gaps, block, 4);
                at = end + 2 + pl_rand_below(&r, 6);
            }
            sack(&o, &st, cum, n_gaps, gaps);
            for (uint32_t t = cum + 1; t <= N; t++) {
                n_missing += !has[t];
                if ((pl_sctp_outstanding_at(&o, t)->state == PL_SCTP_SENT_ACKED) != has[t])
                    fail_msg("TSN %u, seed %llu", t, (unsigned long long)seed);
            }
            PL_EQ(o.flight, 28 * n_missing);
        }
        pl_sctp_outstanding_clear(&o, &st);
        pl_sctp_out_msg_unref(&st, m);
    }
}

PL_TEST(what_a_sack_takes_back_is_under_way_again)
{
    pl_sctp_streams st;
    pl_sctp_outstanding o;
    pl_sctp_out_msg *m = send_some(&st, &o, 100, 10);
    static const uint8_t gap[] = { 0, 2, 0, 9 }, less[] = { 0, 2, 0, 3 };
    sack(&o, &st, 100, 1, gap);
    PL_EQ(o.flight, 28);
    sack(&o, &st, 100, 1, less);
    PL_EQ(o.flight, 28 * 7);
    sack(&o, &st, 100, 0, NULL);
    PL_EQ(o.flight, 28 * 9);
    /* Blocks that do not ascend, overlap, or reach beyond what was sent are passed over. */
    static const uint8_t nonsense[] = { 0, 5, 0, 4, 0, 2, 0, 3 }, far_away[] = { 0, 2, 0, 10 },
                         zero[] = { 0, 0, 0, 3 };
    sack(&o, &st, 100, 2, nonsense);
    sack(&o, &st, 100, 1, far_away);
    sack(&o, &st, 100, 1, zero);
    PL_EQ(o.flight, 28 * 9);
    pl_sctp_outstanding_timeout(&o);
    PL_EQ(o.flight, 0);
    PL_EQ(o.n_lost, 9);
    pl_sctp_outstanding_check(&o);
    pl_sctp_outstanding_clear(&o, &st);
    pl_sctp_out_msg_unref(&st, m);
}

PL_TEST(abandoned_messages_move_the_forward_point)
{
    pl_sctp_streams st;
    pl_sctp_outstanding o;
    pl_sctp_out_msg *m = send_some(&st, &o, 1, 3);
    m->sid = 7;
    m->mid = 4;
    m->begun = true;
    pl_sctp_out_msg *second = pl_sctp_out_msg_new(&st, "abcd", 4);
    PL_EQ(pl_sctp_outstanding_reserve(&o), PL_OK);
    pl_sctp_outstanding_add(&o, second, 4, PL_SCTP_DATA_B, 0);
    PL_EQ(pl_sctp_outstanding_advanced(&o), 0);
    pl_sctp_outstanding_abandon(&o, &st, m);
    pl_sctp_outstanding_check(&o);
    PL_EQ(pl_sctp_outstanding_advanced(&o), 3);
    pl_sctp_skip skip[4];
    uint32_t tsn = 3;
    PL_EQ(pl_sctp_outstanding_skips(&o, &tsn, skip, 4), 1);
    PL_EQ(skip[0].sid, 7);
    PL_EQ(skip[0].mid, 4);
    PL_EQ(pl_sctp_outstanding_skips(&o, &tsn, skip, 0), 0);
    PL_EQ(tsn, 0); /* no room to name it: no further than before it */
    pl_sctp_outstanding_clear(&o, &st);
    pl_sctp_out_msg_unref(&st, m);
    pl_sctp_out_msg_unref(&st, second);
    PL_EQ(st.total, 0);
}

/* --- reassembly --- */

static pl_sctp_data piece(uint32_t tsn, uint16_t sid, uint16_t ssn, const char *flags, const char *text)
{
    pl_sctp_data d = {
        .tsn = tsn, .sid = sid, .mid = ssn, .ppid = 51, .payload = (const uint8_t *)text, .len = strlen(text)
    };
    for (; *flags; flags++)
        d.flags |= *flags == 'B' ? PL_SCTP_DATA_B : *flags == 'E' ? PL_SCTP_DATA_E : PL_SCTP_DATA_U;
    return d;
}

static void expect(pl_sctp_reassembly *r, uint16_t sid, const char *text)
{
    pl_sctp_msg m;
    PL_OKAY(pl_sctp_reassembly_take(r, &m));
    PL_EQ(m.sid, sid);
    PL_EQ(m.len, strlen(text));
    PL_MEMEQ(m.data, text, m.len);
    pl_sctp_msg_free(&m);
}

static void expect_nothing(pl_sctp_reassembly *r)
{
    pl_sctp_msg m;
    pl_sctp_reassembly_check(r);
    PL_OKAY(!pl_sctp_reassembly_take(r, &m));
}

PL_TEST(a_gap_blocks_only_its_own_stream)
{
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 1000);
    pl_sctp_data d[] = { piece(12, 1, 1, "BE", "later"), piece(13, 2, 0, "B", "ot"),
                         piece(15, 2, 0, "E", "er"), piece(14, 2, 0, "", "h"),
                         piece(16, 1, 9, "BEU", "free") };
    for (size_t i = 0; i < 5; i++) /* 11 is missing: stream 1, SSN 0 */
        PL_EQ(pl_sctp_reassembly_early(&r, &d[i], 10), PL_OK);
    expect(&r, 2, "other");
    expect(&r, 1, "free");
    expect_nothing(&r);
    pl_sctp_data missing = piece(11, 1, 0, "BE", "first");
    PL_EQ(pl_sctp_reassembly_next(&r, &missing), PL_OK);
    for (uint32_t tsn = 12; tsn <= 16; tsn++)
        PL_EQ(pl_sctp_reassembly_reached(&r, tsn), PL_OK);
    expect(&r, 1, "first");
    expect(&r, 1, "later");
    expect_nothing(&r);
    PL_EQ(r.held, 0);
    pl_sctp_reassembly_clear(&r);
}

PL_TEST(skipping_releases_what_waits)
{
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 1000);
    pl_sctp_data begin = piece(1, 3, 0, "B", "lost ");
    PL_EQ(pl_sctp_reassembly_next(&r, &begin), PL_OK);
    pl_sctp_data d[] = { piece(4, 3, 1, "BE", "one"), piece(6, 3, 3, "BE", "three"),
                         piece(5, 3, 2, "B", "two") };
    for (size_t i = 0; i < 3; i++)
        PL_EQ(pl_sctp_reassembly_early(&r, &d[i], 1), PL_OK);
    expect_nothing(&r);
    pl_sctp_reassembly_forward(&r, 1, 5); /* gives up messages 0 and 2 */
    PL_EQ(pl_sctp_reassembly_skip(&r, (pl_sctp_skip){ .sid = 3, .mid = 2 }), PL_OK);
    expect(&r, 3, "one");
    expect(&r, 3, "three");
    PL_EQ(pl_sctp_reassembly_reached(&r, 6), PL_OK);
    expect_nothing(&r);
    PL_EQ(r.held, 0);
    PL_EQ(pl_sctp_reassembly_skip(&r, (pl_sctp_skip){ .sid = 3, .mid = 1 }),
          PL_OK); /* an old one changes nothing */
    pl_sctp_data next = piece(7, 3, 4, "BE", "four");
    PL_EQ(pl_sctp_reassembly_next(&r, &next), PL_OK);
    expect(&r, 3, "four");
    pl_sctp_reassembly_clear(&r);
}

PL_TEST(limits_and_nonsense)
{
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 8);
    pl_sctp_data d[] = { piece(1, 0, 0, "", "orphan"),      piece(2, 0, 0, "B", "abc"),
                         piece(3, 0, 0, "B", "new"),        piece(4, 1, 0, "E", "stray"),
                         piece(5, 0, 0, "BE", "123456789"), piece(5, 0, 0, "B", "12345") };
    for (size_t i = 0; i < 4; i++)
        PL_EQ(pl_sctp_reassembly_next(&r, &d[i]), PL_OK);
    PL_EQ(r.n_orphans, 4);
    PL_EQ(pl_sctp_reassembly_next(&r, &d[4]), PL_ENOSPC);
    PL_EQ(pl_sctp_reassembly_next(&r, &d[5]), PL_OK);
    pl_sctp_data more = piece(6, 0, 0, "", "6789");
    PL_EQ(pl_sctp_reassembly_next(&r, &more), PL_ENOSPC);
    pl_sctp_data early[] = { piece(8, 0, 1, "B", "12345"), piece(9, 0, 1, "", "6789") };
    PL_EQ(pl_sctp_reassembly_early(&r, &early[0], 5), PL_OK);
    PL_EQ(pl_sctp_reassembly_early(&r, &early[1], 5), PL_ENOSPC);
    expect_nothing(&r);
    pl_sctp_reassembly_clear(&r);
    PL_EQ(r.held, 0);
}

PL_TEST(giving_back_takes_the_highest_first)
{
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 1000);
    pl_sctp_data d[] = { piece(5, 0, 0, "B", "a"), piece(6, 0, 0, "", "b"), piece(7, 0, 0, "", "c") };
    for (size_t i = 0; i < 3; i++)
        PL_EQ(pl_sctp_reassembly_early(&r, &d[i], 1), PL_OK);
    uint32_t tsn, n;
    PL_OKAY(pl_sctp_reassembly_renege(&r, 1, 7, &tsn, &n) && n == 1 && tsn == 7);
    pl_sctp_data again = piece(7, 0, 0, "E", "c");
    PL_EQ(pl_sctp_reassembly_early(&r, &again, 1), PL_OK);
    expect(&r, 0, "abc");
    PL_OKAY(!pl_sctp_reassembly_renege(&r, 1, 7, &tsn, &n));
    pl_sctp_reassembly_clear(&r);
}

/* Messages 1 and 2 are whole and wait for 0: given back, they may come again. */
PL_TEST(what_waits_for_its_turn_is_given_back_too)
{
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 1000);
    pl_sctp_data one = piece(4, 0, 1, "BE", "one"),
                 two[] = { piece(6, 0, 2, "B", "tw"), piece(7, 0, 2, "E", "o") };
    PL_EQ(pl_sctp_reassembly_early(&r, &one, 1), PL_OK);
    for (size_t i = 0; i < 2; i++)
        PL_EQ(pl_sctp_reassembly_early(&r, &two[i], 1), PL_OK);
    uint32_t tsn, n;
    PL_OKAY(pl_sctp_reassembly_renege(&r, 1, 7, &tsn, &n) && tsn == 6 && n == 2);
    PL_OKAY(!pl_sctp_reassembly_renege(&r, 4, 7, &tsn, &n)); /* acknowledged for good */
    PL_OKAY(pl_sctp_reassembly_renege(&r, 1, 7, &tsn, &n) && tsn == 4 && n == 1);
    PL_OKAY(!pl_sctp_reassembly_renege(&r, 1, 7, &tsn, &n));
    pl_sctp_data zero = piece(2, 0, 0, "BE", "zero");
    PL_EQ(pl_sctp_reassembly_next(&r, &zero), PL_OK);
    PL_EQ(pl_sctp_reassembly_early(&r, &one, 2), PL_OK);
    expect(&r, 0, "zero");
    expect(&r, 0, "one");
    expect_nothing(&r);
    pl_sctp_reassembly_clear(&r);
}

PL_TEST(a_stream_far_off_costs_little)
{
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 1000);
    pl_sctp_data d = piece(2, 65534, 0, "BE", "far");
    size_t growth = pl_sctp_reassembly_growth(&r, &d, 1);
    PL_EQ(pl_sctp_reassembly_next(&r, &d), PL_OK);
    PL_LE(r.held + r.tables, growth);
    PL_LE(growth, 4096);
    PL_EQ(pl_sctp_reassembly_stream_growth(&r, 65534), 0);
    expect(&r, 65534, "far");
    expect_nothing(&r);
    pl_sctp_reassembly_clear(&r);
}

/* With little room a buffer is as long as what is in it, and nearly so when more comes. */
PL_TEST(tight_buffers_have_no_slack)
{
    pl_sctp_reassembly r;
    pl_sctp_reassembly_init(&r, 100000);
    static const char text[] = "0123456789012345678901234567890123456789";
    pl_sctp_data d = piece(2, 0, 0, "B", text);
    PL_EQ(pl_sctp_reassembly_next(&r, &d), PL_OK);
    size_t loose = r.held;
    pl_sctp_reassembly_tighten(&r);
    PL_LE(r.held + 4000, loose);
    for (uint32_t tsn = 3; tsn < 100; tsn++) {
        d = piece(tsn, 0, 0, "", text);
        size_t growth = pl_sctp_reassembly_growth(&r, &d, tsn - 1), before = r.held;
        PL_EQ(pl_sctp_reassembly_next(&r, &d), PL_OK);
        PL_LE(r.held, before + growth);
        PL_LE(r.held, sizeof(pl_sctp_in_msg) + PL_SCTP_BLOCK + (tsn - 1) * (sizeof text - 1) * 33 / 32 + 1);
    }
    pl_sctp_reassembly_clear(&r);
}

PL_TESTS(t(rto_by_the_rules_of_6_3_1), t(reno_grows_and_shrinks_as_7_2_says),
         t(received_tsns_against_a_model), t(sacks_come_when_6_2_says),
         t(what_later_sendings_overtake_is_lost_by_time),
         t(the_window_for_reordering_grows_with_needless_repairs),
         t(a_timeout_taken_back_leaves_what_went_again), t(gap_blocks_against_a_model),
         t(what_a_sack_takes_back_is_under_way_again), t(abandoned_messages_move_the_forward_point),
         t(a_gap_blocks_only_its_own_stream), t(skipping_releases_what_waits), t(limits_and_nonsense),
         t(giving_back_takes_the_highest_first), t(what_waits_for_its_turn_is_given_back_too),
         t(a_stream_far_off_costs_little), t(tight_buffers_have_no_slack))
