/* Against usrsctp with I-DATA and the schedulers of both (RFC 8260). */
#include "pl_test.h"

#include "interop_rig.h"
#include "sctp/chunk.h"

static uint64_t seen(uint8_t type)
{
    return it->n_seen[type];
}

static bool arrived(int from, uint32_t number)
{
    return it->sent[from].m[number].arrived;
}

PL_TEST(a_small_message_passes_a_large_one)
{
    static const uint16_t scheduler[] = { SCTP_SS_ROUND_ROBIN_PACKET, SCTP_SS_FAIR_BANDWITH,
                                          SCTP_SS_PRIORITY };
    for (int i = 0; i < 3; i++) {
        interop_start(&(interop_conf){ .seed = 50 + (uint64_t)i,
                                       .net = { .delay_us = 5000, .rate_bps = 4000000 },
                                       .ours = { .scheduler = (pl_sctp_scheduler)(i + 1) },
                                       .interleaving = true });
        interop_connect(INTEROP_BOTH);
        struct sctp_assoc_value value = { .assoc_id = SCTP_ALL_ASSOC, .assoc_value = scheduler[i] };
        interop_set(SCTP_PLUGGABLE_SS, &value, sizeof value);
        for (uint16_t sid = 1; i == 2 && sid < 3; sid++) {
            struct sctp_stream_value rank = { .stream_id = sid, .stream_value = sid == 1 ? 9 : 1 };
            interop_set(SCTP_SS_VALUE, &rank, sizeof rank);
            PL_EQ(pl_sctp_set_priority(it->ours, sid, sid == 1 ? 128 : 1024), PL_OK);
        }
        PL_OKAY(interop_send(1, 250000, NULL) && interop_their_send(1, 250000, NULL, 0));
        for (int k = 0; k < 60; k++)
            interop_step();
        PL_OKAY(interop_send(2, 500, NULL) && interop_their_send(2, 500, NULL, 0));
        UNTIL(arrived(0, 1));
        PL_OKAY(!arrived(0, 0));
        UNTIL(arrived(1, 1));
        PL_OKAY(i == 1 || !arrived(1, 0)); /* its fair one gives a newcomer no turn before the others end */
        UNTIL(interop_settled());
        PL_OKAY(it->supports_interleaving && seen(PL_SCTP_I_DATA) > 0 && seen(PL_SCTP_DATA) == 0);
        interop_stop();
    }
}

PL_TESTS(t(a_small_message_passes_a_large_one))
