/* relay_settings.h - what an operator may set of the relay: the same keys in a file and as options.
 * Source   docs/relay.md lists the keys.
 * Shape    plain data, made by pl_relay_settings_init; nothing to free. A file holds lines "key value" or
 *          "key = value"; '#' begins a comment; keys that may come several times add up. A key that may come
 *          once and is set by an option wins over the file, because options are applied after it.
 * Errors   false, and a sentence that says what is wrong and what would be right, with file and line.
 * Thread   any, one at a time. */
#ifndef PL_SERVER_RELAY_SETTINGS_H
#define PL_SERVER_RELAY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "relay/policy.h"
#include "relay/shared.h"
#include "stun/auth.h"

enum {
    PL_RELAY_LISTEN_MAX = 16,  /* addresses, each kind */
    PL_RELAY_ADDRS_MAX = 16,   /* relay-address and external */
    PL_RELAY_RANGES_MAX = 256, /* allow-peer and deny-peer, each */
    PL_RELAY_USERS_MAX = 64,   /* `user` keys; more go into a user file */
    PL_RELAY_TEXT_MAX = 256,   /* a name, a path */
    PL_RELAY_SAY_MAX = 640,    /* an error's sentence */
    PL_RELAY_PORT = 3478,
    PL_RELAY_TLS_PORT = 5349,
    PL_RELAY_METRICS_PORT = 9641
};

typedef struct pl_relay_external {
    pl_addr addr, local; /* local: family none for "all of that family" */
} pl_relay_external;

typedef struct pl_relay_user {
    char name[PL_RELAY_TEXT_MAX], secret[PL_RELAY_TEXT_MAX]; /* a password, or hashes in braces */
} pl_relay_user;

typedef struct pl_relay_settings {
    pl_addr listen[PL_RELAY_LISTEN_MAX], tls[PL_RELAY_LISTEN_MAX];
    size_t n_listen, n_tls;
    bool listen_is_default;     /* nobody asked for it: a machine without IPv6 does without */
    pl_addr primary, alternate; /* family none: no behaviour discovery */
    char cert[PL_RELAY_TEXT_MAX], key[PL_RELAY_TEXT_MAX];

    char realm[PL_RELAY_TEXT_MAX];
    pl_relay_user user[PL_RELAY_USERS_MAX];
    size_t n_users;
    char user_file[PL_RELAY_TEXT_MAX], rest_secret_file[PL_RELAY_TEXT_MAX];
    char token_key_file[PL_RELAY_TEXT_MAX], server_name[PL_RELAY_TEXT_MAX]; /* RFC 7635; no name: the realm */
    char rest_secret[PL_RELAY_TEXT_MAX]; /* not a key: set by `serve` for its own page */
    bool no_auth;

    pl_addr relay_address[PL_RELAY_ADDRS_MAX];
    size_t n_relay_addresses;
    pl_relay_external external[PL_RELAY_ADDRS_MAX];
    size_t n_externals;
    uint16_t port_lo, port_hi;
    bool no_udp, no_tcp;            /* clients' transports on `listen` */
    bool no_tcp_relay, no_mobility; /* RFC 6062, RFC 8016 */
    bool no_software;               /* tell nobody what we are */
    pl_relay_range allow[PL_RELAY_RANGES_MAX], deny[PL_RELAY_RANGES_MAX];
    size_t n_allow, n_deny;

    int64_t user_quota, client_quota, total_quota; /* allocations; 0: unlimited, total 0: 65536 */
    int64_t bandwidth;            /* bits per second of one allocation, each way; 0: unlimited */
    int64_t unauthenticated_rate; /* answers per client and second; 0: 1000 */
    int64_t max_connections;      /* streams and DTLS sessions of the process */
    int64_t drain_seconds;
    int64_t threads; /* 0: one a processor */

    pl_addr metrics; /* family none: no metrics */
    char run_as[PL_RELAY_TEXT_MAX];
    bool log_addresses;
    char alternate_server[2][PL_ADDR_TEXT_MAX]; /* told while draining */
    size_t n_alternate_servers;
} pl_relay_settings;

void pl_relay_settings_init(pl_relay_settings *s);
/* One key. Errors: unknown key, malformed value, too many. */
bool pl_relay_settings_set(pl_relay_settings *s, const char *key, const char *value,
                           char say[PL_RELAY_SAY_MAX]);
/* All lines of a file. */
bool pl_relay_settings_read(pl_relay_settings *s, const char *file, char say[PL_RELAY_SAY_MAX]);
/* After the last one: what contradicts itself is refused, what was left open gets its default. */
bool pl_relay_settings_finish(pl_relay_settings *s, char say[PL_RELAY_SAY_MAX]);
/* Whether a client can have credentials at all; when not, only STUN is offered. */
bool pl_relay_settings_relays(const pl_relay_settings *s);
/* Whether `b` can take the place of `a` while running: only credentials, realm, ranges, quotas, certificate and
 * log may differ. *key: the first one that may not. */
bool pl_relay_settings_reloadable(const pl_relay_settings *a, const pl_relay_settings *b, const char **key);

/* Writes an error's sentence; always false. */
bool pl_relay_refuse(char say[PL_RELAY_SAY_MAX], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The credentials that the settings and their files name. nonce_key: as for pl_stun_auth_conf. */
bool pl_relay_auth_read(pl_stun_auth **out, const pl_relay_settings *s, const uint8_t *nonce_key,
                        char say[PL_RELAY_SAY_MAX]);
/* A line for a user file that does not tell the password; out: "" when it does not fit. */
void pl_relay_hash_user(const char *name, const char *realm, const char *password, char *out, size_t cap);

#endif
