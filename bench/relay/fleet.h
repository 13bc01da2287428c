/* fleet.h - many TURN clients in one thread: each does one request at a time, a window of them at once.
 * Source   RFC 8656 over UDP, long-term credentials of RFC 8489 9.2 (MD5 key, SHA-1), which every server knows.
 * Shape    load_fleet_open gives, load_fleet_close takes; load_fleet_run returns when all have an answer or
 *          were given up.
 * Thread   one. */
#ifndef BENCH_RELAY_FLEET_H
#define BENCH_RELAY_FLEET_H

#include "base/rand.h"
#include "load.h"
#include "stun/integrity.h"

enum {
    LOAD_NONCE_MAX = 160,
    LOAD_REALM_MAX = 128,
    LOAD_MESSAGE_MAX = 1024,
    LOAD_WINDOW_MAX = 1024,
    LOAD_FIRST_CHANNEL = 0x4000
};

typedef enum load_state { LOAD_IDLE, LOAD_WAITING, LOAD_DONE, LOAD_FAILED } load_state;

typedef struct load_client {
    int fd; /* connected to the server */
    uint8_t state;
    uint8_t n_sent;   /* transmissions of this request */
    uint8_t n_asked;  /* answers that asked for other credentials */
    uint16_t error;   /* of a refusal */
    uint16_t channel; /* to peer */
    uint8_t id[PL_STUN_ID_LEN];
    int64_t sent_us;
    pl_addr peer, relayed;
    uint8_t nonce_len; /* 0: the server has not told one */
    char nonce[LOAD_NONCE_MAX];
} load_client;

typedef struct load_fleet {
    const load_server *server;
    load_client *client;
    size_t n;
    bool gro;  /* sockets take bursts in one piece */
    int epoll; /* the data of an event is the client's index */
    size_t key_len;
    uint8_t key[PL_STUN_KEY_MAX];
    char realm[LOAD_REALM_MAX];
    pl_rand_seeded seed;
    pl_rand rand;
} load_fleet;

typedef struct load_order {
    uint16_t method; /* Allocate, Refresh, CreatePermission, ChannelBind */
    uint32_t lifetime;
    size_t first, n; /* which clients */
    size_t window;   /* how many at once */
} load_order;

typedef struct load_result {
    size_t n_done, n_failed, n_again; /* again: transmissions beyond the first */
    uint16_t error;                   /* of the last refusal; 0: given up without an answer */
    double wall_us, cpu_us;           /* cpu: the server's */
} load_result;

/* Each client has a channel number and, until the caller sets another,
 * itself for a peer. */
void load_fleet_open(load_fleet *f, const load_server *server, size_t n, bool gro);
void load_fleet_close(load_fleet *f);
load_result load_fleet_run(load_fleet *f, const load_order *order);
/* All of them, or the program ends with a word about `what`. */
load_result load_fleet_must(load_fleet *f, const load_order *order, const char *what);

/* 401 or 438: takes the realm and the nonce to answer with. False when they are not there. */
bool load_take_nonce(load_fleet *f, load_client *c, const pl_stun_msg *m);
/* A request of this client into buf (LOAD_MESSAGE_MAX), with the transaction id it has; the length. */
size_t load_build(load_fleet *f, load_client *c, const load_order *order, uint8_t *buf);

#endif
