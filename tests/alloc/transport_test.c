/* The cores under a connection, each by itself, with every allocation failing once. */
#include "pl_test.h"

#include "base/pool.h"
#include "base/time.h"
#include "data/channels.h"
#include "dtls/session.h"
#include "fail.h"
#include "rtp/history.h"
#include "rtp/nack.h"
#include "rtp/twcc.h"
#include "srtp/context.h"

/* ---- channels over SCTP ---- */

static pl_data *data[2];
static unsigned n_messages;

static void drain_data(int i, int64_t now_us, pl_channel **theirs)
{
    pl_data_event e;
    while (pl_data_poll_event(data[i], &e)) {
        if (e.kind == PL_DATA_EVENT_CHANNEL) {
            if (*theirs)
                pl_channel_release(e.channel, now_us);
            else
                *theirs = e.channel;
        }
        n_messages += e.kind == PL_DATA_EVENT_MESSAGE;
        pl_data_event_clear(&e);
    }
    pl_data_check(data[i]);
}

/* Every seventh packet is lost, so that gaps, retransmission and reassembly need memory too. */
static void exchange(int64_t *now_us, int64_t for_us, pl_channel **theirs)
{
    static unsigned n_packets;
    uint8_t pkt[2048];
    size_t len;
    for (int64_t end_us = *now_us + for_us; *now_us < end_us; *now_us += PL_MS(20)) {
        for (int i = 0; i < 2; i++) {
            pl_data_tick(data[i], *now_us);
            while (pl_data_poll_output(data[i], *now_us, pkt, sizeof pkt, &len)) {
                if (++n_packets % 7)
                    pl_data_input(data[1 - i], *now_us, pkt, len);
            }
            drain_data(i, *now_us, theirs);
        }
    }
}

static void data_scenario(void)
{
    static pl_rand_seeded seed[2];
    static uint8_t big[30000];
    pl_channel *mine[3] = { NULL }, *theirs = NULL;
    int64_t now_us = PL_SEC(1);
    pl_err err = PL_OK;
    n_messages = 0;
    for (int i = 0; i < 2; i++) {
        pl_data_conf conf = { .sctp = { .rand = pl_rand_seed(&seed[i], 3 + (uint64_t)i) } };
        data[i] = NULL;
        if (!err)
            err = pl_data_new(&data[i], &conf, now_us);
    }
    for (int i = 0; i < 2 && !err; i++) {
        pl_data_set_role(data[i], i == 0);
        err = pl_data_start(data[i], now_us);
    }
    PL_OKAY(!err || (fail_is_on() && err == PL_ENOMEM));
    for (int c = 0; c < 3 && !err; c++) {
        pl_data_channel_init init = { .unordered = c == 1,
                                      .has_max_retransmits = c == 2,
                                      .max_retransmits = 1 };
        pl_err made = pl_channel_new(&mine[c], data[0], now_us, "label", 5, &init, NULL);
        PL_OKAY(!made || (fail_is_on() && made == PL_ENOMEM));
    }
    if (!err) {
        exchange(&now_us, PL_SEC(2), &theirs);
        for (int k = 0; k < 5; k++) {
            for (int c = 0; c < 3; c++) {
                if (mine[c])
                    (void)!pl_channel_send(mine[c], now_us, big, k % 2 ? 100 : sizeof big, true);
            }
            if (theirs)
                (void)!pl_channel_send(theirs, now_us, big, 2000, false);
        }
        exchange(&now_us, PL_SEC(6), &theirs);
        PL_OKAY(fail_is_on() || n_messages >= 10);
        for (int c = 0; c < 3; c++)
            pl_channel_release(mine[c], now_us);
        pl_channel_release(theirs, now_us);
        exchange(&now_us, PL_SEC(1), &theirs);
    }
    pl_data_free(data[0]);
    pl_data_free(data[1]);
}

PL_TEST(channels)
{
    fail_each(data_scenario);
}

/* ---- DTLS ---- */

static pl_cert *cert;

static void pass_flights(pl_dtls *d[2], int64_t now_us)
{
    uint8_t buf[2048];
    for (int quiet = 0, i = 0; quiet < 2; i = !i, quiet++) {
        pl_dtls_event ev;
        pl_dgram out = { .data = buf, .cap = sizeof buf };
        while (pl_dtls_poll_output(d[i], now_us, &out)) {
            pl_dtls_input(d[!i], now_us, buf, out.len);
            quiet = -1;
        }
        while (pl_dtls_poll_event(d[i], &ev))
            continue;
        pl_dtls_check(d[i]);
    }
}

static void dtls_scenario(void)
{
    pl_dtls_ctx *ctx = NULL;
    pl_dtls *d[2] = { NULL };
    pl_err err = pl_dtls_ctx_new(&ctx, cert);
    for (int i = 0; i < 2 && !err; i++) {
        err = pl_dtls_new(&d[i], &(pl_dtls_conf){ .ctx = ctx }, 0);
        if (!err)
            err = pl_dtls_set_remote(d[i], 0, pl_cert_fingerprint(cert), 1);
    }
    PL_OKAY(!err || fail_is_on());
    if (!err && !pl_dtls_start(d[1], 0, PL_DTLS_SERVER) && !pl_dtls_start(d[0], 0, PL_DTLS_CLIENT)) {
        for (int64_t now_us = 0; now_us < PL_SEC(3); now_us += PL_MS(100)) { /* timers repair what was lost */
            pl_dtls_tick(d[0], now_us);
            pl_dtls_tick(d[1], now_us);
            pass_flights(d, now_us);
        }
        bool up =
            pl_dtls_get_state(d[0]) == PL_DTLS_CONNECTED && pl_dtls_get_state(d[1]) == PL_DTLS_CONNECTED;
        PL_OKAY(up || fail_is_on());
        uint8_t sealed[200], opened[200];
        size_t n;
        pl_srtp_keys keys;
        if (up && !pl_dtls_protect(d[0], (const uint8_t *)"hello", 5, sealed, sizeof sealed, &n)) {
            pl_dtls_input(d[1], PL_SEC(3), sealed, n);
            PL_OKAY((pl_dtls_poll_data(d[1], opened, sizeof opened, &n) && n == 5) || fail_is_on());
        }
        (void)!pl_dtls_export_srtp(d[0], &keys);
        pl_dtls_close(d[0], PL_SEC(3));
        pass_flights(d, PL_SEC(3));
    }
    pl_dtls_free(d[0]);
    pl_dtls_free(d[1]);
    pl_dtls_ctx_free(ctx);
}

PL_TEST(handshake)
{
    PL_EQ(pl_cert_new(&cert, &(pl_cert_conf){ .now_s = 1700000000 }), PL_OK);
    fail_each(dtls_scenario);
    pl_cert_free(cert);
}

static void cert_scenario(void)
{
    pl_cert *c;
    pl_err err = pl_cert_new(&c, &(pl_cert_conf){ .now_s = 1700000000 });
    PL_OKAY(!err || fail_is_on());
    PL_OKAY(!err == !!c);
    pl_cert_free(c);
}

PL_TEST(certificate)
{
    fail_each_but_leaks(cert_scenario); /* OpenSSL's generation of keys */
}

/* ---- SRTP ---- */

static void srtp_scenario(void)
{
    static const pl_srtp_profile profile[] = { PL_SRTP_AES128_CM_SHA1_80, PL_SRTP_AEAD_AES_128_GCM,
                                               PL_SRTP_AEAD_AES_256_GCM };
    static pl_rand_seeded seed;
    pl_rand rand = pl_rand_seed(&seed, 1);
    pl_srtp_master master = { { 1 }, { 2 } };
    for (size_t k = 0; k < sizeof profile / sizeof profile[0]; k++) {
        pl_srtp *out = NULL, *in = NULL;
        if (!pl_srtp_new(&out, profile[k], &master, PL_SRTP_SEND, &rand) &&
            !pl_srtp_new(&in, profile[k], &master, PL_SRTP_RECV, &rand)) {
            for (uint8_t n = 0; n < 100; n++) { /* many streams: tables grow */
                uint8_t pkt[100] = { 0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, n };
                size_t len;
                if (pl_srtp_protect(out, pkt, 60, sizeof pkt, &len) == PL_OK)
                    PL_OKAY(pl_srtp_unprotect(in, pkt, len, &len) == PL_OK || fail_is_on());
                uint8_t rtcp[100] = { 0x80, 201, 0, 1, 0, 0, 0, n };
                if (pl_srtp_protect_rtcp(out, rtcp, 8, sizeof rtcp, &len) == PL_OK)
                    PL_OKAY(pl_srtp_unprotect_rtcp(in, rtcp, len, &len) == PL_OK || fail_is_on());
            }
        } else {
            PL_OKAY(fail_is_on());
        }
        pl_srtp_free(out);
        pl_srtp_free(in);
    }
}

PL_TEST(srtp)
{
    fail_each(srtp_scenario);
}

/* ---- RTP ---- */

static void rtp_scenario(void)
{
    pl_nack nack;
    pl_rtp_history history;
    pl_twcc_rx rx;
    pl_twcc_tx tx;
    pl_pool pool;
    pl_nack_item item[50];
    pl_rtcp_twcc fb;
    pl_twcc_result result;
    uint8_t report[1200];
    void *buf[40];
    size_t len;
    pl_nack_init(&nack, &(pl_nack_conf){ .wants_key = true });
    pl_rtp_history_init(&history);
    pl_twcc_rx_init(&rx);
    pl_twcc_tx_init(&tx);
    pl_pool_init(&pool, 100, 40);
    for (uint16_t n = 0; n < 400; n++) {
        int64_t now_us = PL_SEC(1) + n * PL_MS(5);
        uint8_t pkt[200] = { 0x80, 96, (uint8_t)(n >> 8), (uint8_t)n };
        uint16_t seq = pl_twcc_tx_sent(&tx, now_us, sizeof pkt, 0);
        (void)!pl_rtp_history_put(&history, now_us, pkt, sizeof pkt);
        (void)pl_rtp_history_resend(&history, now_us, (uint16_t)(n - 20), &len);
        if (n % 5) {
            pl_nack_packet(&nack, now_us, n);
            pl_twcc_rx_packet(&rx, now_us, seq, 7, sizeof pkt);
        }
        while (pl_nack_poll(&nack, now_us, item, 50) > 0)
            continue;
        pl_wr w = pl_wr_init(report, sizeof report);
        if (pl_twcc_rx_next_us(&rx) <= now_us && pl_twcc_rx_poll(&rx, now_us, 1, &w)) {
            pl_rd rd = pl_rd_init(report, pl_wr_len(&w));
            pl_rtcp rtcp;
            if (pl_rtcp_next(&rd, &rtcp) && !pl_rtcp_twcc_parse(&fb, rtcp.body)) {
                pl_twcc_tx_feedback(&tx, &fb);
                while (pl_twcc_tx_next(&tx, &fb, &result))
                    continue;
            }
        }
        pl_nack_check(&nack);
        pl_rtp_history_check(&history);
    }
    for (size_t i = 0; i < 40; i++)
        buf[i] = pl_pool_get(&pool);
    for (size_t i = 0; i < 40; i++) {
        PL_OKAY(buf[i] || fail_is_on());
        pl_pool_put(&pool, buf[i]);
    }
    pl_pool_clear(&pool);
    pl_nack_clear(&nack);
    pl_rtp_history_clear(&history);
    pl_twcc_rx_clear(&rx);
    pl_twcc_tx_clear(&tx);
}

PL_TEST(rtp)
{
    fail_each(rtp_scenario);
}

PL_TESTS(t(channels), t(handshake), t(certificate), t(srtp), t(rtp))
