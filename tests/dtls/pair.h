/* pair.h - two sessions on two simulated links in virtual time, for the tests of dtls/. */
#ifndef TESTS_DTLS_PAIR_H
#define TESTS_DTLS_PAIR_H

#include "dtls/session.h"
#include "sim/link.h"

enum { PAIR_DATAGRAM_MAX = 20000 };

typedef struct end {
    pl_dtls *d;
    pl_dtls_ctx *ctx;
    sim_link *to_peer;
    struct end *peer;
    size_t n_sent, longest;          /* handshake datagrams */
    uint8_t last[PAIR_DATAGRAM_MAX]; /* the last record of application data */
    size_t last_len, n_data;
    int n_events;
    pl_dtls_event event;
    bool mute; /* its transport cannot send yet: output is not polled */
} end;

typedef struct pair {
    end a, b; /* a is the client */
    int64_t now_us;
    void (*spy)(void *user, struct pair *p, end *to, uint8_t *pkt,
                size_t len); /* sees all, may change bytes */
    void *spy_user;
} pair;

pl_cert *test_cert(pl_cert_key key);
void pair_new(pair *p, const sim_net *net, uint64_t seed);
/* Both know each other's fingerprint and start; a as client. */
void pair_introduce(pair *p);
void pair_start(pair *p);
/* Runs until both are connected or the time is over; true when connected. */
bool pair_connect(pair *p, int64_t for_us);
void pair_run(pair *p, int64_t for_us);
void pair_send(pair *p, end *from, const void *data, size_t len);
void pair_free(pair *p);

#endif
