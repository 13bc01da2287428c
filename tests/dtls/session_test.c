/* Two sessions with each other: handshake, trust, application data, the end. */
#include "pl_test.h"

#include "crypto/hmac.h"
#include "dtls/pair.h"

static const sim_net clean = { .delay_us = 10000 };

PL_TEST(shakes_hands)
{
    pair p;
    pair_new(&p, &clean, 1);
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_NEW);
    pair_introduce(&p);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(5)));
    PL_EQ(p.now_us, 4 * 10000); /* two round trips */
    PL_EQ(p.a.event.state, PL_DTLS_CONNECTED);
    PL_LE(p.a.longest, PL_DTLS_MTU);
    PL_LE(p.b.longest, PL_DTLS_MTU);

    pl_dtls_info ia, ib;
    pl_dtls_get_info(p.a.d, &ia);
    pl_dtls_get_info(p.b.d, &ib);
    PL_STREQ(ia.cipher, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
    PL_STREQ(ia.group, "X25519");
    PL_STREQ(ib.group, "X25519");
    PL_EQ(ia.version, 0xfefd);
    PL_EQ(ia.profile, PL_SRTP_AEAD_AES_128_GCM);
    PL_EQ(ib.profile, PL_SRTP_AEAD_AES_128_GCM);
    PL_EQ(ia.n_junk + ib.n_junk, 0);
    PL_EQ(ia.n_retransmits + ib.n_retransmits, 0);
    PL_OKAY(pl_fingerprint_eq(&ia.remote, pl_cert_fingerprint(pl_dtls_ctx_cert(p.b.ctx))));
    PL_EQ(pl_dtls_next_us(p.a.d), PL_NEVER);
    pair_free(&p);
}

PL_TEST(both_sides_have_the_same_keys)
{
    pair p;
    pl_srtp_keys ka, kb;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    pair_start(&p);
    PL_EQ(pl_dtls_export_srtp(p.a.d, &ka), PL_ESTATE);
    PL_OKAY(pair_connect(&p, PL_SEC(5)));
    PL_EQ(pl_dtls_export_srtp(p.a.d, &ka), PL_OK);
    PL_EQ(pl_dtls_export_srtp(p.b.d, &kb), PL_OK);
    PL_EQ(ka.profile, kb.profile);
    PL_MEMEQ(&ka.local, &kb.remote, sizeof ka.local);
    PL_MEMEQ(&ka.remote, &kb.local, sizeof ka.local);
    PL_OKAY(memcmp(&ka.local, &ka.remote, sizeof ka.local) != 0);
    PL_OKAY(memcmp(ka.local.key, (uint8_t[16]){ 0 }, 16) != 0);
    PL_OKAY(memcmp(ka.local.salt, (uint8_t[12]){ 0 }, 12) != 0);
    pair_free(&p);
}

PL_TEST(carries_data_of_every_size)
{
    static uint8_t data[PL_DTLS_DATA_MAX];
    static const size_t sizes[] = { 1, 2, 15, 16, 17, 1200, 4096, PL_DTLS_DATA_MAX };
    pair p;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(5)));
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        end *from = i % 2 ? &p.a : &p.b;
        pair_send(&p, from, data, sizes[i]);
        pair_run(&p, PL_MS(20));
        PL_EQ(from->peer->last_len, sizes[i]);
        PL_MEMEQ(from->peer->last, data, sizes[i]);
    }
    uint8_t out[64 + 1200];
    size_t n;
    PL_EQ(pl_dtls_protect(p.a.d, data, 0, out, sizeof out, &n), PL_EINVAL);
    PL_EQ(pl_dtls_protect(p.a.d, data, sizeof data + 1, out, sizeof out, &n), PL_EINVAL);
    PL_EQ(pl_dtls_protect(p.a.d, data, 1200, out, 1200, &n), PL_ENOSPC);
    pair_free(&p);
}

PL_TEST(several_records_in_one_datagram)
{
    pair p;
    uint8_t datagram[400], buf[100];
    size_t n, len = 0;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(5)));
    for (uint8_t i = 1; i <= 3; i++) {
        PL_EQ(pl_dtls_protect(p.a.d, &i, 1, datagram + len, sizeof datagram - len, &n), PL_OK);
        len += n;
    }
    pl_dtls_input(p.b.d, p.now_us, datagram, len);
    for (uint8_t i = 1; i <= 3; i++) {
        PL_OKAY(pl_dtls_poll_data(p.b.d, buf, sizeof buf, &n));
        PL_EQ(n, 1);
        PL_EQ(buf[0], i);
    }
    PL_OKAY(!pl_dtls_poll_data(p.b.d, buf, sizeof buf, &n));

    pl_dtls_input(p.b.d, p.now_us, datagram, len); /* all again: replays */
    PL_OKAY(!pl_dtls_poll_data(p.b.d, buf, sizeof buf, &n));
    pl_dtls_info info;
    pl_dtls_get_info(p.b.d, &info);
    PL_EQ(info.n_replayed, 3);
    pair_free(&p);
}

PL_TEST(a_buffer_too_small_loses_one_record_only)
{
    pair p;
    uint8_t datagram[400], big[50] = { 0 }, buf[10];
    size_t n, m;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(5)));
    PL_EQ(pl_dtls_protect(p.a.d, big, sizeof big, datagram, sizeof datagram, &n), PL_OK);
    PL_EQ(pl_dtls_protect(p.a.d, (const uint8_t *)"ok", 2, datagram + n, sizeof datagram - n, &m), PL_OK);
    pl_dtls_input(p.b.d, p.now_us, datagram, n + m);
    PL_OKAY(pl_dtls_poll_data(p.b.d, buf, sizeof buf, &n));
    PL_EQ(n, 2);
    pl_dtls_info info;
    pl_dtls_get_info(p.b.d, &info);
    PL_EQ(info.n_data_dropped, 1);
    pair_free(&p);
}

PL_TEST(a_stranger_is_refused_by_the_client)
{
    pair p;
    pl_fingerprint wrong;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    wrong = *pl_cert_fingerprint(pl_dtls_ctx_cert(p.b.ctx));
    wrong.bytes[31] ^= 1;
    PL_EQ(pl_dtls_set_remote(p.a.d, 0, &wrong, 1), PL_OK);
    pair_start(&p);
    PL_OKAY(!pair_connect(&p, PL_SEC(5)));
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_FAILED);
    PL_OKAY(strstr(p.a.event.reason, "fingerprint") != NULL);
    PL_EQ(pl_dtls_get_state(p.b.d), PL_DTLS_FAILED); /* by the alert, after doubting it for a second */
    PL_OKAY(strstr(p.b.event.reason, "bad certificate") != NULL);
    PL_LE(p.b.n_events, 2);
    pair_free(&p);
}

PL_TEST(a_stranger_is_refused_by_the_server)
{
    pair p;
    pl_fingerprint wrong;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    wrong = *pl_cert_fingerprint(pl_dtls_ctx_cert(p.a.ctx));
    wrong.bytes[0] ^= 0x80;
    PL_EQ(pl_dtls_set_remote(p.b.d, 0, &wrong, 1), PL_OK);
    pair_start(&p);
    PL_OKAY(!pair_connect(&p, PL_SEC(5)));
    PL_EQ(pl_dtls_get_state(p.b.d), PL_DTLS_FAILED);
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_FAILED);
    pair_free(&p);
}

PL_TEST(one_of_several_fingerprints_is_enough)
{
    pair p;
    pl_fingerprint list[3], only_sha1 = { .alg = PL_HASH_SHA1, .len = 20 };
    pl_dtls_info info;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(5)));
    pl_dtls_get_info(p.a.d, &info);
    list[0] = only_sha1;
    list[1] = info.remote;
    list[1].bytes[0] ^= 1;
    PL_EQ(pl_fingerprint_of(&list[2], PL_HASH_SHA512, info.remote_cert, info.remote_cert_len), PL_OK);
    PL_EQ(pl_dtls_set_remote(p.a.d, p.now_us, list, 3), PL_OK);
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_CONNECTED);
    PL_EQ(pl_fingerprint_of(&only_sha1, PL_HASH_SHA1, info.remote_cert, info.remote_cert_len), PL_OK);
    PL_EQ(pl_dtls_set_remote(p.a.d, p.now_us, &only_sha1, 1), PL_ENOTSUP);
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_CONNECTED);
    PL_EQ(pl_dtls_set_remote(p.a.d, p.now_us, list, 2), PL_OK); /* the peer became another */
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_FAILED);
    pair_free(&p);
}

PL_TEST(nothing_is_given_out_before_the_fingerprint_is_known)
{
    pair p;
    uint8_t buf[100];
    size_t n;
    pl_srtp_keys keys;
    pair_new(&p, &clean, 1);
    PL_EQ(pl_dtls_set_remote(p.a.d, 0, pl_cert_fingerprint(pl_dtls_ctx_cert(p.b.ctx)), 1), PL_OK);
    pair_start(&p); /* b, the server, does not know a */
    pair_run(&p, PL_SEC(1));
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_CONNECTED);
    PL_EQ(pl_dtls_get_state(p.b.d), PL_DTLS_CONNECTING);
    pair_send(&p, &p.a, "early", 5);
    pair_run(&p, PL_SEC(60)); /* no patience runs out: the handshake is complete */
    PL_EQ(p.b.n_data, 0);
    PL_EQ(pl_dtls_export_srtp(p.b.d, &keys), PL_ESTATE);
    PL_EQ(pl_dtls_protect(p.b.d, buf, 1, buf, sizeof buf, &n), PL_ESTATE);
    PL_EQ(pl_dtls_set_remote(p.b.d, p.now_us, pl_cert_fingerprint(pl_dtls_ctx_cert(p.a.ctx)), 1), PL_OK);
    PL_EQ(pl_dtls_get_state(p.b.d), PL_DTLS_CONNECTED);
    pair_run(&p, PL_MS(1));
    PL_EQ(p.b.n_data, 1);
    PL_MEMEQ(p.b.last, "early", 5);
    PL_EQ(pl_dtls_export_srtp(p.b.d, &keys), PL_OK);
    pair_free(&p);
}

PL_TEST(a_late_wrong_fingerprint_fails_both)
{
    pair p;
    pl_fingerprint wrong = { .alg = PL_HASH_SHA256, .len = 32 };
    pair_new(&p, &clean, 1);
    PL_EQ(pl_dtls_set_remote(p.a.d, 0, pl_cert_fingerprint(pl_dtls_ctx_cert(p.b.ctx)), 1), PL_OK);
    pair_start(&p);
    pair_run(&p, PL_SEC(1));
    pair_send(&p, &p.a, "early", 5);
    pair_run(&p, PL_SEC(1));
    PL_EQ(pl_dtls_set_remote(p.b.d, p.now_us, &wrong, 1), PL_OK);
    pair_run(&p, PL_SEC(1));
    PL_EQ(pl_dtls_get_state(p.b.d), PL_DTLS_FAILED);
    PL_EQ(p.b.n_data, 0);
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_FAILED);
    PL_STREQ(p.a.event.reason, "alert of the peer: bad certificate");
    pair_free(&p);
}

PL_TEST(early_flights_are_kept)
{
    pair p;
    pl_dtls_info info;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    PL_EQ(pl_dtls_start(p.a.d, 0, PL_DTLS_CLIENT), PL_OK);
    pair_run(&p, PL_MS(30)); /* the ClientHello has arrived, nobody answers */
    PL_EQ(pl_dtls_get_state(p.b.d), PL_DTLS_NEW);
    PL_EQ(pl_dtls_start(p.b.d, p.now_us, PL_DTLS_SERVER), PL_OK);
    PL_OKAY(pair_connect(&p, PL_SEC(1)));
    PL_EQ(p.now_us, PL_MS(60)); /* three more flights: nothing was waited for */
    pl_dtls_get_info(p.a.d, &info);
    PL_EQ(info.n_retransmits, 0);
    pair_free(&p);
}

PL_TEST(an_answer_waits_for_the_transport)
{
    pair p;
    pl_dtls_info info;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    p.b.mute = true;
    pair_start(&p);
    pair_run(&p, PL_SEC(8)); /* the client repeats its hello; the server's one answer waits */
    p.b.mute = false;
    int64_t from_us = p.now_us;
    PL_OKAY(pair_connect(&p, PL_SEC(1)));
    PL_EQ(p.now_us - from_us, PL_MS(30));
    pl_dtls_get_info(p.b.d, &info);
    PL_EQ(info.n_retransmits, 0);
    pair_free(&p);
}

PL_TEST(gives_up_on_silence)
{
    pair p;
    pair_new(&p, &(sim_net){ .loss = 1.0 }, 1);
    pair_introduce(&p);
    pair_start(&p);
    pair_run(&p, PL_SEC(29));
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_CONNECTING);
    PL_GE(p.a.n_sent, 15);
    PL_LE(p.a.n_sent, 30);
    pair_run(&p, PL_SEC(2));
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_FAILED);
    PL_EQ(pl_dtls_get_state(p.b.d), PL_DTLS_CONNECTING); /* a server has nothing to be impatient about */
    pair_free(&p);
}

PL_TEST(says_goodbye)
{
    pair p;
    uint8_t buf[100];
    size_t n;
    pair_new(&p, &clean, 1);
    pair_introduce(&p);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(1)));
    pl_dtls_close(p.a.d, p.now_us);
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_CLOSED);
    pair_run(&p, PL_SEC(1));
    PL_EQ(pl_dtls_get_state(p.b.d), PL_DTLS_CLOSED);
    PL_STREQ(p.b.event.reason, "closed by the peer");
    PL_EQ(pl_dtls_protect(p.b.d, buf, 1, buf, sizeof buf, &n), PL_ESTATE);
    pl_dtls_close(p.b.d, p.now_us);
    pair_free(&p);

    pair_new(&p, &clean, 1);
    pl_dtls_close(p.a.d, 0);
    PL_EQ(pl_dtls_get_state(p.a.d), PL_DTLS_CLOSED);
    PL_EQ(pl_dtls_start(p.a.d, 0, PL_DTLS_CLIENT), PL_ESTATE);
    pair_free(&p);
}

PL_TEST(rsa_certificates_work_too)
{
    pair p;
    pl_cert *rsa = test_cert(PL_CERT_RSA_2048);
    pl_dtls_info info;
    pair_new(&p, &clean, 1);
    pl_dtls_free(p.b.d);
    pl_dtls_ctx_free(p.b.ctx);
    PL_EQ(pl_dtls_ctx_new(&p.b.ctx, rsa), PL_OK);
    PL_EQ(pl_dtls_new(&p.b.d, &(pl_dtls_conf){ .ctx = p.b.ctx, .mtu = 300 }, 0), PL_OK);
    pl_cert_free(rsa);
    pair_introduce(&p);
    pair_start(&p);
    PL_OKAY(pair_connect(&p, PL_SEC(1)));
    PL_LE(p.b.longest, 300);
    pl_dtls_get_info(p.a.d, &info);
    PL_STREQ(info.cipher, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    pair_free(&p);
}

PL_TESTS(t(shakes_hands), t(both_sides_have_the_same_keys), t(carries_data_of_every_size),
         t(several_records_in_one_datagram), t(a_buffer_too_small_loses_one_record_only),
         t(a_stranger_is_refused_by_the_client), t(a_stranger_is_refused_by_the_server),
         t(one_of_several_fingerprints_is_enough), t(nothing_is_given_out_before_the_fingerprint_is_known),
         t(a_late_wrong_fingerprint_fails_both), t(early_flights_are_kept),
         t(an_answer_waits_for_the_transport), t(gives_up_on_silence), t(says_goodbye),
         t(rsa_certificates_work_too))
