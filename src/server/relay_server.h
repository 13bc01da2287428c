/* relay_server.h - the STUN and TURN server: threads, sockets and streams around the core of relay/.
 * Source   RFC 8656, 6062, 8016, 8489, 5780, 7350 (DTLS).
 * Shape    pl_relay_server_new opens everything that listens and starts its threads, pl_relay_server_free ends
 *          them. One loop a thread, each with sockets of its own on the same addresses (SO_REUSEPORT) and a core
 *          of its own; nothing is shared on the way of a packet. With `own_threads` false all of it runs on the
 *          caller's loop instead.
 * Errors   PL_EIO (an address is taken), PL_EINVAL (settings, certificate, files): `say` has the sentence.
 * Thread   the caller's loop. The sink is called on any thread, one line at a time. */
#ifndef PL_SERVER_RELAY_SERVER_H
#define PL_SERVER_RELAY_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "peerline/loop.h"
#include "relay/relay.h"
#include "server/relay_settings.h"

typedef struct pl_relay_server pl_relay_server;

typedef struct pl_relay_server_conf {
    const pl_relay_settings *settings; /* finished; copied */
    bool own_threads;                  /* as many as the settings want */
    /* One line an allocation that begins, moves or ends: text, or a JSON object. NULL: none. */
    void (*line)(void *user, const char *text);
    void *user;
    bool json;
} pl_relay_server_conf;

PL_NODISCARD pl_err pl_relay_server_new(pl_relay_server **out, pl_loop *loop,
                                        const pl_relay_server_conf *conf, char say[PL_RELAY_SAY_MAX]);
void pl_relay_server_free(pl_relay_server *s); /* NULL is fine */

/* Others' credentials, ranges, quotas, certificate and log from now on; allocations stand. On failure all stays
 * as it was. Errors: PL_EINVAL with the sentence. */
PL_NODISCARD pl_err pl_relay_server_reload(pl_relay_server *s, const pl_relay_settings *settings,
                                           char say[PL_RELAY_SAY_MAX]);
/* No new allocations; `done` once when none is left or the settings' drain-seconds are over, from the loop. */
void pl_relay_server_drain(pl_relay_server *s, void (*done)(void *user), void *user);
bool pl_relay_server_is_draining(const pl_relay_server *s);

/* What is listened on, with real ports. */
typedef struct pl_relay_place {
    pl_addr addr;
    bool tcp, secure;
} pl_relay_place;
size_t pl_relay_server_n_places(const pl_relay_server *s);
const pl_relay_place *pl_relay_server_place(const pl_relay_server *s, size_t i);
unsigned pl_relay_server_n_threads(const pl_relay_server *s);

/* Figures of all threads together. */
void pl_relay_server_count(pl_relay_server *s, pl_relay_counters *out);
/* The same and more in Prometheus' text format (0.0.4). */
void pl_relay_server_metrics(pl_relay_server *s, pl_buf *out);

/* A time-limited name and its password under a shared secret (base64 of HMAC-SHA1), good until end_s (seconds since
 * 1970). Both hold PL_RELAY_TEXT_MAX. */
void pl_relay_make_credentials(const char *secret, const char *id, int64_t end_s, char *name, char *password);

/* GET /metrics and /health for whoever watches; nothing else. */
typedef struct pl_relay_http pl_relay_http;
PL_NODISCARD pl_err pl_relay_http_open(pl_relay_http **out, pl_loop *loop, const pl_addr *at,
                                       pl_relay_server *s);
void pl_relay_http_close(pl_relay_http *h); /* NULL is fine */
const pl_addr *pl_relay_http_addr(const pl_relay_http *h);

#endif
