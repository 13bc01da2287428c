/* turn_help.h - a small TURN client for tests: UDP, TCP, TLS or DTLS, one request at a time, driven by the test's
 * loop. */
#ifndef TURN_HELP_H
#define TURN_HELP_H

#include "pl_test.h"

#include "net/loop.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "net/tls_dgram.h"
#include "net/udp.h"
#include "relay/relay.h"
#include "stun/credentials.h"
#include "stun/message.h"
#include "stun/stream.h"

/* Ten seconds are not a wish for speed but the end of hope. */
#define HELP_UNTIL(loop, condition)                                                                          \
    do {                                                                                                     \
        int64_t help_end_us = pl_clock_us() + PL_SEC(10);                                                    \
        while (!(condition) && pl_clock_us() < help_end_us)                                                  \
            PL_EQ(pl_loop_run_once((loop), PL_MS(20)), PL_OK);                                               \
        PL_OKAY(condition);                                                                                  \
    } while (0)

typedef struct help_turn {
    pl_loop *loop;
    pl_relay_transport how;
    pl_addr server;
    pl_udp *udp;
    pl_tcp *tcp;
    pl_tls_ctx *ctx;
    pl_tls *tls;
    pl_tls_dgram *dtls;
    bool connected, closed;
    bool raw;           /* spliced: bytes come as they are */
    size_t write_bytes; /* streams: pieces of so many bytes; 0: whole */
    pl_stun_cred cred;
    uint8_t id[PL_STUN_ID_LEN];
    uint8_t in[PL_STUN_FRAME_MAX + 70000]; /* of a stream, not whole yet; raw bytes */
    size_t n_in;
    bool answered;
    uint8_t answer[2048];
    pl_stun_msg msg; /* of answer */
    /* what came beside answers */
    unsigned n_data, n_icmp, n_attempts;
    pl_addr from;     /* of the last data or attempt */
    uint16_t channel; /* 0: an indication */
    uint8_t data[2048];
    size_t len;
    uint32_t connection_id;
    pl_stun_icmp icmp;
} help_turn;

pl_addr help_addr(const char *text);
/* A PEM file with a certificate and its key, for this run of the test. */
const char *help_certificate(void);

help_turn *help_turn_open(pl_loop *loop, pl_relay_transport how, const pl_addr *server);
void help_turn_close(help_turn *t);
void help_turn_login(help_turn *t, const char *user, const char *password);

/* Sends a request until its answer has come, with credentials when they are asked for. fill adds attributes. Returns
 * 0 or the error code; t->msg is the answer. */
typedef void (*help_fill)(pl_stun_wr *s, const void *arg);
uint16_t help_turn_ask(help_turn *t, uint16_t method, help_fill fill, const void *arg);
uint16_t help_turn_allocate(help_turn *t, pl_addr *relayed); /* UDP */
uint16_t help_turn_permit(help_turn *t, const pl_addr *peer);
uint16_t help_turn_bind(help_turn *t, uint16_t channel, const pl_addr *peer);
uint16_t help_turn_refresh(help_turn *t, uint32_t lifetime_s);
/* By Send indication with channel 0, else as ChannelData. */
void help_turn_send(help_turn *t, uint16_t channel, const pl_addr *peer, const void *data, size_t len);
void help_turn_raw(help_turn *t, const void *data, size_t len);

/* Somebody with a UDP socket: keeps the last datagram. */
typedef struct help_peer {
    pl_udp *udp;
    unsigned n;
    pl_addr from;
    uint8_t data[2048];
    size_t len;
} help_peer;
help_peer *help_peer_open(pl_loop *loop, const char *bind);
void help_peer_close(help_peer *p);
void help_peer_send(help_peer *p, const pl_addr *to, const void *data, size_t len);

#endif
