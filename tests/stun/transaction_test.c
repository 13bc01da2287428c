/* RFC 8489 6.2.1: with an RTO of 500 ms requests go out at 0, 500, 1500, 3500, 7500, 15500 and 31500 ms, and
 * the transaction is given up at 39500 ms. */
#include "pl_test.h"

#include "stun/transaction.h"

static pl_rand_seeded state;

PL_TEST(the_schedule_of_the_rfc)
{
    static const int sent_ms[] = { 0, 500, 1500, 3500, 7500, 15500, 31500 };
    pl_rand rand = pl_rand_seed(&state, 1);
    pl_stun_tx tx;
    pl_stun_tx_start(&tx, NULL, &rand, 0);
    for (int i = 0; i < 7; i++) {
        PL_EQ(pl_stun_tx_next_us(&tx), PL_MS(sent_ms[i]));
        PL_OKAY(!pl_stun_tx_due(&tx, PL_MS(sent_ms[i]) - 1));
        PL_OKAY(pl_stun_tx_due(&tx, PL_MS(sent_ms[i])));
        pl_stun_tx_sent(&tx, PL_MS(sent_ms[i]));
        PL_OKAY(!pl_stun_tx_dead(&tx, PL_MS(sent_ms[i])));
    }
    PL_OKAY(!pl_stun_tx_due(&tx, PL_SEC(1000)));
    PL_OKAY(!pl_stun_tx_dead(&tx, PL_MS(39499)));
    PL_OKAY(pl_stun_tx_dead(&tx, PL_MS(39500)));
}

PL_TEST(the_doubling_may_be_limited)
{
    static const int sent_ms[] = { 0, 100, 300, 700, 1100 };
    pl_rand rand = pl_rand_seed(&state, 1);
    pl_stun_tx_conf conf = { .rto_us = PL_MS(100), .rto_max_us = PL_MS(400), .rc = 5, .rm = 2 };
    pl_stun_tx tx;
    pl_stun_tx_start(&tx, &conf, &rand, 0);
    for (int i = 0; i < 5; i++) {
        PL_EQ(pl_stun_tx_next_us(&tx), PL_MS(sent_ms[i]));
        pl_stun_tx_sent(&tx, PL_MS(sent_ms[i]));
    }
    PL_EQ(pl_stun_tx_next_us(&tx), PL_MS(1300));
}

PL_TEST(a_cancelled_one_still_takes_its_answer)
{
    pl_rand rand = pl_rand_seed(&state, 2);
    pl_stun_tx tx;
    pl_stun_tx_start(&tx, NULL, &rand, 0);
    pl_stun_tx_sent(&tx, 0);
    pl_stun_tx_cancel(&tx, PL_MS(100));
    PL_OKAY(!pl_stun_tx_due(&tx, PL_SEC(100)));
    PL_OKAY(!pl_stun_tx_dead(&tx, PL_SEC(39)));
    PL_OKAY(pl_stun_tx_dead(&tx, PL_SEC(40)));
    uint8_t out[20];
    pl_stun_msg m;
    pl_stun_wr s = pl_stun_begin(out, sizeof out, PL_STUN_SUCCESS, PL_STUN_BINDING, tx.id);
    PL_EQ(pl_stun_parse(&m, out, pl_stun_end(&s)), PL_OK);
    PL_OKAY(pl_stun_tx_is(&tx, &m));
    out[19] ^= 1;
    PL_OKAY(!pl_stun_tx_is(&tx, &m));
}

PL_TEST(round_trips_are_measured_from_the_last_transmission)
{
    pl_rand rand = pl_rand_seed(&state, 3);
    pl_stun_tx tx;
    int64_t rtt_us;
    pl_stun_tx_start(&tx, NULL, &rand, 0);
    pl_stun_tx_sent(&tx, PL_MS(10));
    PL_OKAY(pl_stun_tx_rtt(&tx, PL_MS(52), &rtt_us));
    PL_EQ(rtt_us, PL_MS(42));
    pl_stun_tx_sent(&tx, PL_MS(510));
    PL_OKAY(!pl_stun_tx_rtt(&tx, PL_MS(530), &rtt_us));
    PL_EQ(rtt_us, PL_MS(20));
}

PL_TESTS(t(the_schedule_of_the_rfc), t(the_doubling_may_be_limited),
         t(a_cancelled_one_still_takes_its_answer), t(round_trips_are_measured_from_the_last_transmission))
