/* duo.h - two connections on one loop that the test drives, their signaling a direct call, and a channel between. */
#ifndef PEER_DUO_H
#define PEER_DUO_H

#include "pl_test.h"

#include "net/loop.h"
#include "peerline/loop.h"
#include "peerline/peer_connection.h"

typedef struct duo_side {
    pl_factory *factory;
    pl_peer_connection *pc;
    pl_data_channel *channel;
    struct duo_side *other;
    const char *only; /* of its candidates only those with this text reach the other side; NULL: all */
    char error_url[100], error_text[100]; /* the last candidate error */
    int error_code, n_errors;
    int n_disconnected;
    int n_candidates, n_open, n_messages, n_needed;
    char lines[24][200]; /* its candidates */
    pl_peer_connection_state state;
} duo_side;

typedef struct duo {
    pl_loop *loop;
    duo_side side[2];
    bool own_loop, own_factory[2];
} duo;

/* Ten seconds more than anything here needs. */
#define DUO_UNTIL(d, condition)                                                                              \
    do {                                                                                                     \
        int64_t duo_end_us = pl_clock_us() + PL_SEC(20);                                                     \
        while (!(condition) && pl_clock_us() < duo_end_us)                                                   \
            PL_EQ(pl_loop_run_once((d)->loop, PL_MS(20)), PL_OK);                                            \
        PL_OKAY(condition);                                                                                  \
    } while (0)

/* The configurations may be NULL. fb NULL: both connections are of one factory. */
void duo_init(duo *d, const pl_factory_conf *fa, const pl_factory_conf *fb, const pl_configuration *ca,
              const pl_configuration *cb);
/* On a loop and with factories that are the caller's. */
void duo_init_on(duo *d, pl_loop *loop, pl_factory *fa, pl_factory *fb);
void duo_clear(duo *d);
/* Offer, answer, candidates; until the channel is open at both ends. */
void duo_connect(duo *d);
void duo_begin(duo *d); /* the same without waiting */
void duo_negotiate(duo *d, bool ice_restart);
/* n messages in each direction, all of which arrive. */
void duo_talk(duo *d, int n);
void duo_run(duo *d, int64_t us);

/* What the selected pair of a side is made of. */
typedef struct duo_path {
    char local_type[8], remote_type[8], protocol[8], relay_protocol[8], url[256], tcp_type[16];
    char local[64], remote[64];
    uint16_t local_port, remote_port;
} duo_path;
duo_path duo_path_of(duo *d, int side);

#endif
