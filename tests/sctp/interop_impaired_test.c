/* Against usrsctp over links that lose, double, reorder, corrupt and stall: random traffic both ways with all that
 * both have, from seeds. PL_SEED=n runs one, PL_SEEDS=n so many. */
#include "pl_test.h"

#include "interop_rig.h"

enum { SEEDS = 60, BURSTS = 12 };

static pl_rand_seeded state;
static pl_rand rand_;

static uint32_t below(uint32_t n)
{
    return pl_rand_below(&rand_, n);
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

static interop_conf some_conf(uint64_t seed)
{
    static const pl_sctp_scheduler scheduler[] = { PL_SCTP_SCHEDULER_ROUND_ROBIN, PL_SCTP_SCHEDULER_PRIORITY,
                                                   PL_SCTP_SCHEDULER_FAIR };
    interop_conf c = { .seed = seed, .interleaving = one_in(2), .buffers = 100000 + (int)below(400000) };
    c.net = (sim_net){ .delay_us = below(60000), .jitter_us = below(10000), .loss = below(60) / 1000.0 };
    c.net.duplicate = one_in(3) ? 0.03 : 0;
    c.net.reorder = one_in(3) ? 0.03 : 0;
    c.net.corrupt = one_in(3) ? 0.01 : 0;
    c.net.stall = one_in(4) ? 0.01 : 0;
    c.net.stall_us = 500000;
    c.net.rate_bps = one_in(3) ? 2000000 + below(20000000) : 0;
    c.ours = (pl_sctp_conf){ .send_buffer_max = 200000 + below(400000),
                             .recv_buffer = 70000 + below(200000),
                             .scheduler = scheduler[below(3)],
                             .congestion = (pl_sctp_congestion)below(PL_SCTP_CONGESTION_LEDBAT + 1) };
    c.ours.max_message_size = 65536;
    if (c.interleaving) /* usrsctp begins messages beside each other that the window may not hold together */
        c.ours.recv_buffer += SIM_LEDGER_SLOTS * c.ours.max_message_size;
    return c;
}

static pl_sctp_send_opts some_opts(void)
{
    pl_sctp_send_opts o = { .unordered = one_in(4) };
    if (one_in(3))
        o.lifetime_us = PL_MS(1 + below(300));
    else if (one_in(3))
        o.limit_retransmits = true, o.max_retransmits = below(3);
    return o;
}

static uint32_t some_length(void)
{
    return 1 + below(one_in(6) ? 60000 : one_in(3) ? 5000 : 300);
}

/* With I-DATA two things would lose reliable messages (docs/rfc/sctp.md says why): usrsctp takes an I-FORWARD-TSN for an
 * unordered message for one of the ordered message with that number, so slot 5 alone carries unordered ones of ours; and
 * when it gives up a message of several fragments itself, it gives up others with it, so its limited ones are short. */
static void we_send(void)
{
    pl_sctp_send_opts o = some_opts();
    unsigned slot = below(7);
    if (it->conf.interleaving)
        o.unordered = slot == 5;
    (void)interop_send(slot, some_length(), &o);
}

static void they_send(void)
{
    pl_sctp_send_opts o = some_opts();
    bool limited = o.lifetime_us > 0 || o.limit_retransmits;
    uint32_t len = some_length();
    (void)interop_their_send(one_in(7) ? 7 : below(6),
                             it->conf.interleaving && limited ? 1 + len % 1000 : len, &o, 0);
}

/* Slots 0 to 5 carry; 6 and 7 are also reset, each by one side, when all is calm. */
static void traffic(void)
{
    for (uint32_t n = below(8); n > 0; n--)
        one_in(2) ? we_send() : they_send();
    for (uint32_t n = below(300); n > 0; n--)
        interop_step();
}

/* usrsctp sends a FORWARD-TSN once. When it was the last thing and is lost, the reset that waits for it is asked for in
 * vain until more data follows (docs/rfc/sctp.md). */
static void they_reset(unsigned round)
{
    interop_their_reset(7);
    for (int i = 0; it->resets_in != round; i++) {
        if (i % 500 == 499)
            (void)interop_their_send(0, 100, NULL, 0);
        if (i == 100000)
            interop_fail("their reset never came");
        interop_step();
    }
}

static void reset_both(unsigned round)
{
    static const uint16_t ours = 6;
    PL_EQ(pl_sctp_reset_streams(it->ours, it->now_us, &ours, 1), PL_OK);
    UNTIL(it->resets_out == round && it->resets_seen == round);
    they_reset(round);
}

static void journey(uint64_t seed)
{
    rand_ = pl_rand_seed(&state, seed);
    interop_conf conf = some_conf(seed);
    interop_start(&conf);
    interop_connect((interop_who)below(3));
    for (unsigned round = 1; round <= 2; round++) {
        for (int i = 0; i < BURSTS; i++)
            traffic();
        UNTIL(interop_settled());
        reset_both(round);
    }
    pl_sctp_stats stats;
    pl_sctp_get_stats(it->ours, &stats);
    PL_EQ(stats.messages_sent + stats.messages_abandoned, it->sent[0].n);
    PL_GE(stats.messages_abandoned, sim_ledger_lost(&it->sent[0]));
    if (one_in(2))
        pl_sctp_shutdown(it->ours, it->now_us);
    else
        PL_EQ(usrsctp_shutdown(it->theirs, SHUT_WR), 0);
    UNTIL(it->closed == 1);
    PL_EQ(it->last_closed.error, PL_OK);
    interop_stop();
}

PL_TEST(journeys_with_usrsctp)
{
    const char *text = getenv("PL_SEEDS");
    uint64_t first = pl_test_seed(1), n = getenv("PL_SEED") ? 1 : text ? strtoull(text, NULL, 0) : SEEDS;
    for (uint64_t seed = first; seed < first + n; seed++)
        journey(seed);
}

PL_TESTS(t(journeys_with_usrsctp))
