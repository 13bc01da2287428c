/* relay_rig.h - a relay core with a driver made of arrays, and clients that speak TURN by hand: for tests that look at
 * every message, and for the fuzzer.
 * Shape    all in virtual time and in order; after each call everything the core wanted has been done. What it sent
 *          waits in a queue until somebody takes it. A failing allocation of the core is survived, one of the rig is
 *          not.
 * Thread   one. */
#ifndef SIM_RELAY_RIG_H
#define SIM_RELAY_RIG_H

#include "relay/relay.h"
#include "stun/auth.h"
#include "stun/message.h"

enum { RIG_SOCKS_MAX = 4096, RIG_QUEUE_MAX = 4096, RIG_PACKET_MAX = 2048, RIG_LINKS_MAX = 256 };

typedef struct rig_sock { /* a relayed address's socket */
    bool open;
    bool tcp;
    pl_relay_port *port;
    pl_addr addr;
} rig_sock;

typedef struct rig_link { /* a peer's TCP connection */
    bool open;
    bool connecting;
    pl_relay_link *link;
    pl_relay_conn *spliced; /* with this connection of a client */
    pl_addr peer;
} rig_link;

typedef struct rig_packet {
    pl_relay_out_kind kind;
    pl_relay_conn *conn;
    pl_addr from, to; /* from: the relayed address, or the server's */
    bool dont_fragment;
    uint8_t tos;
    size_t n_in_tx; /* datagrams in the output it came in */
    size_t len;
    uint8_t data[RIG_PACKET_MAX];
} rig_packet;

typedef struct rig {
    pl_relay *core;
    pl_relay_shared *shared;
    pl_stun_auth *auth;
    pl_relay_policy policy;
    pl_rand_seeded state;
    pl_rand rand;
    int64_t now_us;
    pl_addr server[2], relay[2]; /* IPv4 and IPv6 */
    rig_sock sock[RIG_SOCKS_MAX];
    size_t n_open;
    uint16_t next_port;
    rig_link link[RIG_LINKS_MAX];
    rig_packet *queue;
    size_t queue_max, head, n_queued, n_lost;
    size_t n_events[3];
    pl_relay_event last_event;
    char last_user[64];
    /* what the driver shall do */
    bool refuse_open[2]; /* by family */
    bool refuse_pair;
    bool hold_open; /* answers to PL_RELAY_OPEN come with rig_answer_opens */
    bool hold_connect;
    pl_relay_open held[64];
    size_t n_held;
    pl_relay_conn *closed_conn; /* the last PL_RELAY_CLOSE_CONN */
    pl_relay_claim claim;       /* the last PL_RELAY_FETCH */
    uint32_t claim_thread;
    size_t n_fetches;
    bool keep_fetch; /* the test answers it, with what was kept */
    uint8_t fetched[RIG_PACKET_MAX];
    size_t fetched_len;
    pl_path fetched_path;
} rig;

typedef struct rig_conf {
    uint64_t seed;
    bool no_auth, tcp, mobility, ip4_only, ip6_only;
    uint32_t max_allocations, thread;
    size_t queue_max;        /* packets; 0: RIG_QUEUE_MAX */
    pl_relay_policy policy;  /* port_lo 0: 49152 to 65535 */
    pl_relay_shared *shared; /* of another rig, in the same process; NULL: its own */
    pl_stun_auth *auth;      /* likewise */
    const char *software;
} rig_conf;

/* Users "ann" and "bob" with the passwords "ann's" and "bob's" at realm "r". NULL when the core had no memory. */
rig *rig_new(const rig_conf *conf);
void rig_free(rig *g);
void rig_drain(rig *g);
/* Ticks at each deadline on the way. */
void rig_wait(rig *g, int64_t us);
void rig_answer_opens(rig *g);

/* ---- packets ---- */
pl_addr rig_addr(const char *text);
/* From a client's 5-tuple, or a peer to a relayed address; false: nobody listens there. */
void rig_from_client(rig *g, const pl_path *path, pl_relay_conn *conn, const void *data, size_t len);
bool rig_from_peer(rig *g, const pl_addr *peer, const pl_addr *relayed, const void *data, size_t len);
/* A row: n datagrams of `segment` bytes but the last. */
void rig_row_from_client(rig *g, const pl_path *path, const void *data, size_t len, size_t segment);
bool rig_row_from_peer(rig *g, const pl_addr *peer, const pl_addr *relayed, const void *data, size_t len,
                       size_t segment);
rig_sock *rig_sock_at(rig *g, const pl_addr *relayed);
/* The oldest packet that waits; false: none. */
bool rig_take(rig *g, rig_packet *out);
void rig_forget(rig *g);

/* ---- a client ---- */
typedef struct rig_client {
    rig *g;
    pl_path path;
    pl_relay_conn *conn; /* NULL: UDP */
    const char *user, *password;
    char realm[64], nonce[128];
    bool sha256;
    uint16_t algorithm;  /* 0: MD5 without PASSWORD-ALGORITHM */
    uint32_t algorithms; /* what the server offered, as it stood */
    uint8_t offered[64];
    size_t offered_len;
    uint32_t n_txid;
    uint8_t body[1024]; /* the request under construction, before its credentials */
    uint8_t sent[2048]; /* as it went out, for sending it again */
    size_t sent_len;
    uint8_t got[RIG_PACKET_MAX];
    pl_stun_msg answer; /* a view of got */
    pl_addr relayed[2];
} rig_client;

/* The nth client, by UDP over IPv4. */
rig_client rig_client_of(rig *g, unsigned n);
bool rig_connect_client(rig_client *c, pl_relay_transport transport);
void rig_close_client(rig_client *c);
pl_stun_wr rig_begin(rig_client *c, uint16_t method);
/* Adds credentials as far as they are known, sends, and follows one 401 or 438. 0: success; else the error code;
 * -1: no answer. The answer's integrity is checked: -2 when it is wrong. */
int rig_ask(rig_client *c, pl_stun_wr *s);
/* Without following: just what comes back for this very message. */
int rig_ask_once(rig_client *c, pl_stun_wr *s, bool with_credentials);
int rig_send_again(rig_client *c);
int rig_allocate(rig_client *c);
int rig_refresh(rig_client *c, uint32_t lifetime_s);
int rig_permit(rig_client *c, const pl_addr *peer);
int rig_bind(rig_client *c, uint16_t number, const pl_addr *peer);
void rig_send_channel(rig_client *c, uint16_t number, const void *data, size_t len);
void rig_send_indication(rig_client *c, const pl_addr *peer, const void *data, size_t len);

#endif
