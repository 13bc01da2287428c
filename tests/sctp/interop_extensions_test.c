/* Against usrsctp, extension by extension. */
#include "pl_test.h"

#include "interop_rig.h"
#include "sctp/chunk.h"

static void start(uint64_t seed, double loss, bool interleaving, interop_who who)
{
    interop_start(&(interop_conf){ .seed = seed,
                                   .net = { .delay_us = 10000, .loss = loss },
                                   .ours = { .send_buffer_max = 300000 },
                                   .buffers = 200000,
                                   .interleaving = interleaving });
    interop_connect(who);
}

static uint64_t seen(uint8_t type)
{
    return it->n_seen[type];
}

/* --- RFC 3758, RFC 7496 --- */

static pl_sctp_send_opts policy(int which, unsigned i)
{
    pl_sctp_send_opts o = { .unordered = i % 5 == 0 };
    switch (which) {
    case 0: o.lifetime_us = PL_MS(40); break;
    case 1: o.limit_retransmits = true; break;
    default: o.limit_priority = true, o.buffer_priority = i % 2 ? 1 : 7; break;
    }
    return o;
}

/* Limited messages, more than the link and the buffers carry, and one that must arrive. */
static void send_limited(int which)
{
    for (unsigned i = 0; i < 150; i++) {
        pl_sctp_send_opts o = policy(which, i);
        (void)interop_send(i % 4, 3000 + i * 40, &o);
        for (int k = which < 2 ? 5 : i % 16 == 0; k > 0; k--)
            interop_step();
    }
    UNTIL(interop_send(1, 100, NULL));
    UNTIL(interop_settled());
}

PL_TEST(partial_reliability_towards_usrsctp)
{
    for (int i = 0; i < 6; i++) {
        start(10 + (uint64_t)i, 0.1, i >= 3, INTEROP_WE);
        send_limited(i % 3);
        pl_sctp_stats stats;
        pl_sctp_get_stats(it->ours, &stats);
        PL_GE(stats.messages_abandoned, 1);
        PL_EQ(stats.messages_sent + stats.messages_abandoned, it->sent[0].n);
        PL_GE(stats.messages_abandoned, sim_ledger_lost(&it->sent[0]));
        interop_stop();
    }
}

/* usrsctp's give-ups are whole and right for plain DATA; with I-DATA for messages of one fragment (docs/rfc/sctp.md). */
PL_TEST(partial_reliability_from_usrsctp)
{
    for (int i = 0; i < 6; i++) {
        bool interleaving = i >= 3;
        start(20 + (uint64_t)i, 0.1, interleaving, INTEROP_BOTH);
        for (unsigned k = 0; k < 150; k++) {
            pl_sctp_send_opts o = policy(i % 3, k);
            (void)interop_their_send(k % 4, interleaving ? 300 + k * 5 : 3000 + k * 40, &o, 0);
            for (int n = i % 3 < 2 ? 5 : k % 16 == 0; n > 0; n--)
                interop_step();
        }
        UNTIL(interop_their_send(1, 100, NULL, 0));
        UNTIL(interop_settled());
        if (i % 3 < 2) { /* the third policy needs a full buffer, and what it takes has not been sent yet */
            PL_GE(seen(interleaving ? PL_SCTP_I_FORWARD_TSN : PL_SCTP_FORWARD_TSN), 1);
            PL_GE(sim_ledger_lost(&it->sent[1]), 1);
        }
        interop_stop();
    }
}

/* --- RFC 6525 --- */

PL_TEST(streams_are_reset_both_ways)
{
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        static const uint16_t sid = 4;
        start(30, 0.03, interleaving, INTEROP_WE);
        for (unsigned round = 1; round <= 4; round++) {
            for (unsigned i = 0; i < 3; i++) {
                UNTIL(interop_send(4, 2000 * round, NULL));
                UNTIL(interop_their_send(3, 2000 * round, NULL, 0));
                UNTIL(interop_send(5, 100, NULL)); /* one that stays */
            }
            PL_EQ(pl_sctp_reset_streams(it->ours, it->now_us, &sid, 1), PL_OK);
            UNTIL(it->resets_out == round && it->resets_seen == round);
            UNTIL(interop_settled());
            interop_their_reset(3);
            UNTIL(it->resets_in == round);
        }
        interop_stop();
    }
}

static void their_wish(uint16_t in, uint16_t out)
{
    struct sctp_add_streams add = { .sas_instrms = in, .sas_outstrms = out };
    interop_set(SCTP_ADD_STREAMS, &add, sizeof add);
}

PL_TEST(streams_are_added_both_ways)
{
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        interop_start(&(interop_conf){ .seed = 40,
                                       .net = { .delay_us = 5000, .loss = 0.03 },
                                       .ours = { .max_streams_out = 10, .max_streams_in = 300 },
                                       .interleaving = interleaving,
                                       .streams = 50 });
        interop_connect(INTEROP_THEY);
        PL_EQ(pl_sctp_streams_out(it->ours), 10);
        PL_EQ(pl_sctp_add_streams(it->ours, it->now_us, 20, 0), PL_OK);
        UNTIL(it->streams_events == 1);
        PL_EQ(it->last_streams.error, PL_OK);
        PL_EQ(pl_sctp_streams_out(it->ours), 30);
        UNTIL(it->streams_seen >= 1);
        PL_EQ(it->their_streams_in, 30);
        it->sent[0].sid[6] = 29; /* one of the new ones carries */
        UNTIL(interop_send(6, 5000, NULL));
        UNTIL(interop_settled());
        their_wish(0, 40);
        UNTIL(it->their_streams_out == 90);
        it->sent[1].sid[6] = 89;
        UNTIL(interop_their_send(6, 5000, NULL, 0));
        UNTIL(interop_settled());
        interop_stop();
    }
}

/* --- RFC 8260 --- */

PL_TEST(without_i_data_on_either_side_there_is_none)
{
    for (int i = 0; i < 2; i++) {
        interop_start(&(interop_conf){ .seed = 60,
                                       .net = { .delay_us = 1000 },
                                       .ours = { .no_interleaving = i == 0 },
                                       .interleaving = i == 0 });
        interop_connect(i ? INTEROP_THEY : INTEROP_WE);
        PL_OKAY(interop_send(1, 50000, NULL) && interop_their_send(1, 50000, NULL, 0));
        UNTIL(interop_settled());
        PL_OKAY(!it->supports_interleaving && seen(PL_SCTP_DATA) > 0 && seen(PL_SCTP_I_DATA) == 0);
        interop_stop();
    }
}

static bool arrived(int from, uint32_t number)
{
    return it->sent[from].m[number].arrived;
}

/* --- RFC 7053 --- */

static int64_t time_until_acknowledged(void)
{
    int64_t begun_us = it->now_us;
    UNTIL(pl_sctp_buffered_total(it->ours) == 0);
    return it->now_us - begun_us;
}

/* What usrsctp marks, and one message alone of ours: neither waits for a delayed SACK. */
PL_TEST(sacks_come_at_once_where_asked_for)
{
    start(70, 0, false, INTEROP_WE);
    UNTIL(interop_settled());
    PL_OKAY(interop_their_send(1, 100, NULL, SCTP_SACK_IMMEDIATELY));
    UNTIL(arrived(1, 0));
    PL_GE(it->n_immediate, 1);
    pl_sctp_stats stats;
    pl_sctp_get_stats(it->ours, &stats);
    uint64_t before = stats.sacks_sent;
    interop_step();
    pl_sctp_get_stats(it->ours, &stats);
    PL_LE(before, stats.sacks_sent);
    PL_GE(stats.sacks_sent, 1);
    static const uint16_t sid = 2;
    PL_OKAY(interop_send(2, 100, NULL));
    PL_EQ(pl_sctp_reset_streams(it->ours, it->now_us, &sid, 1), PL_OK); /* it waits for the SACK: the I bit */
    PL_LE(time_until_acknowledged(), PL_MS(60));
    interop_stop();
}

/* --- what we have not --- */

/* AUTH and ASCONF are offered to us, with their parameters, and passed over. */
PL_TEST(offers_of_what_we_have_not_are_passed_over)
{
    start(80, 0, false, INTEROP_THEY);
    PL_OKAY(it->offers_asconf);
    PL_OKAY(interop_send(1, 5000, NULL) && interop_their_send(1, 5000, NULL, 0));
    UNTIL(interop_settled());
    PL_EQ(seen(PL_SCTP_ABORT) + seen(PL_SCTP_ERROR), 0);
    interop_stop();
}

PL_TESTS(t(partial_reliability_towards_usrsctp), t(partial_reliability_from_usrsctp),
         t(streams_are_reset_both_ways), t(streams_are_added_both_ways),
         t(without_i_data_on_either_side_there_is_none), t(sacks_come_at_once_where_asked_for),
         t(offers_of_what_we_have_not_are_passed_over))
