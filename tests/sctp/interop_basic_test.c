/* Against usrsctp: both roles, messages of all sizes, and all ways to end. */
#include "pl_test.h"

#include "interop_rig.h"

static const uint32_t sizes[] = { 1, 4, 100, 1159, 1160, 1161, 1200, 5000, 65536, 262144 };
enum { N_SIZES = sizeof sizes / sizeof *sizes };

/* Messages of all sizes both ways on seven streams. */
static void exchange(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        UNTIL(interop_send(i % 7, sizes[i % N_SIZES], NULL));
        UNTIL(interop_their_send(i % 7, sizes[i % N_SIZES], NULL, 0));
    }
    UNTIL(interop_settled());
}

PL_TEST(whoever_begins)
{
    static const interop_who who[] = { INTEROP_WE, INTEROP_THEY, INTEROP_BOTH };
    for (uint64_t i = 0; i < 6; i++) {
        interop_start(&(interop_conf){ .seed = 1 + i, .net = { .delay_us = 1000 }, .interleaving = i >= 3 });
        interop_connect(who[i % 3]);
        exchange(30);
        PL_OKAY((it->n_seen[64] > 0) == it->supports_interleaving); /* I-DATA where both have it */
        PL_OKAY(i >= 3 || !it->supports_interleaving);
        interop_stop();
    }
}

/* As much as usrsctp takes now; 0: nothing. */
static size_t send_some(const uint8_t *data, size_t len, bool last)
{
    struct sctp_sendv_spa spa = { .sendv_flags = SCTP_SEND_SNDINFO_VALID };
    spa.sendv_sndinfo.snd_ppid = htonl(53);
    spa.sendv_sndinfo.snd_flags = last ? SCTP_EOR : 0;
    ssize_t n = usrsctp_sendv(it->theirs, data, len, NULL, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0);
    interop_step();
    return n > 0 ? (size_t)n : 0;
}

PL_TEST(sixteen_mebibytes_in_one_message)
{
    enum { LEN = 16 << 20, PART = 1 << 20 };
    for (int interleaving = 0; interleaving < 2; interleaving++) {
        interop_conf conf = { .seed = 20,
                              .net = { .delay_us = 1000 },
                              .buffers = 4 << 20,
                              .interleaving = interleaving,
                              .explicit_eor = true };
        conf.ours = (pl_sctp_conf){ .max_message_size = LEN, .recv_buffer_max = LEN + (LEN >> 3) };
        interop_start(&conf);
        interop_connect(INTEROP_WE);
        static uint8_t data[LEN];
        pl_rand_bytes(&it->chance, data, sizeof data);
        pl_sctp_msg m = { 0 };
        it->hold = true;
        for (size_t at = 0; at < LEN;)
            at += send_some(data + at, LEN - at < PART ? LEN - at : PART, LEN - at <= PART);
        UNTIL(pl_sctp_recv(it->ours, &m));
        PL_EQ(m.len, LEN);
        PL_OKAY(memcmp(m.data, data, LEN) == 0);
        pl_sctp_msg_free(&m);
        interop_stop();
    }
}

PL_TEST(we_shut_down)
{
    interop_start(&(interop_conf){ .seed = 30 });
    interop_connect(INTEROP_WE);
    PL_OKAY(interop_send(0, 10, NULL));
    pl_sctp_shutdown(it->ours, it->now_us);
    UNTIL(it->closed == 1 && it->theirs_down);
    PL_EQ(it->last_closed.error, PL_OK);
    PL_EQ(it->sent[0].n_arrived, 1);
    interop_stop();
}

PL_TEST(usrsctp_shuts_down)
{
    interop_start(&(interop_conf){ .seed = 31 });
    interop_connect(INTEROP_BOTH);
    PL_OKAY(interop_their_send(0, 200000, NULL, 0));
    PL_EQ(usrsctp_shutdown(it->theirs, SHUT_WR), 0);
    UNTIL(it->closed == 1);
    PL_EQ(it->last_closed.error, PL_OK);
    PL_EQ(it->sent[1].n_arrived, 1);
    interop_stop();
}

PL_TEST(usrsctp_aborts)
{
    interop_start(&(interop_conf){ .seed = 32 });
    interop_connect(INTEROP_BOTH);
    usrsctp_close(it->theirs); /* linger is off: ABORT */
    it->theirs = NULL;
    UNTIL(it->closed == 1);
    PL_EQ(it->last_closed.error, PL_EPROTO);
    interop_stop();
}

PL_TEST(we_abort)
{
    interop_start(&(interop_conf){ .seed = 33 });
    interop_connect(INTEROP_WE);
    pl_sctp_abort(it->ours, it->now_us, "enough");
    UNTIL(it->theirs_down);
    PL_EQ(it->closed, 1);
    interop_stop();
}

PL_TESTS(t(whoever_begins), t(sixteen_mebibytes_in_one_message), t(we_shut_down), t(usrsctp_shuts_down),
         t(usrsctp_aborts), t(we_abort))
