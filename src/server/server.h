/* server.h - what `peerline serve` is: rooms, page, STUN, WHIP and WHEP on one loop, and TURN on threads of its own.
 * Shape    lives on a loop; pl_server_new gives, pl_server_free takes.
 * Errors   PL_EIO when an address is taken, PL_EINVAL for a certificate or a limit; the log names it.
 * Thread   the loop's owner. */
#ifndef PL_SERVER_SERVER_H
#define PL_SERVER_SERVER_H

#include <stddef.h>
#include <stdint.h>

#include "server/redis.h"
#include "server/relay_server.h"
#include "server/whip.h"
#include "signal/http_server.h"

enum { PL_SERVER_STUN_MAX = 4, PL_SERVER_TURN_MAX = 8, PL_SERVER_PORT = 8888, PL_SERVER_STUN_PORT = 3478 };

typedef struct pl_server_conf {
    pl_http_server_conf http; /* listen, limits and TLS; file, status and user are set by the server */
    const char *web_dir;      /* the page from there instead of the one built in; NULL: built in */
    pl_addr stun[PL_SERVER_STUN_MAX]; /* UDP; none with n_stun 0 */
    size_t n_stun;
    /* Offer TURN as well, on `stun` over UDP and TCP; the page is handed credentials that end after a day. Lent
     * for the server's life; its `listen` is not looked at. NULL: STUN alone. */
    const pl_relay_settings *relay;
    const pl_whip_conf
        *whip; /* answer WHIP and WHEP, too; what it lends is lent for the server's life. NULL: do not */
    /* Relays elsewhere that clients are told of, with credentials for a day made from the secret that those relays know
     * (time-limited, by the REST convention): "turn:relay.example.org". */
    const char *turn_url[PL_SERVER_TURN_MAX];
    size_t n_turn;
    const char *turn_secret;
    /* Rooms shared with other nodes: redis://…, see redis.h. NULL: this one stands alone. */
    const char *redis_url, *redis_password, *redis_prefix;
} pl_server_conf;

typedef struct pl_server pl_server;

PL_NODISCARD pl_err pl_server_new(pl_server **out, pl_loop *loop, const pl_server_conf *conf);
void pl_server_free(pl_server *s); /* NULL is fine */
size_t pl_server_n_addrs(const pl_server *s);
const pl_addr *pl_server_addr(const pl_server *s, size_t i); /* with real ports */
size_t pl_server_n_stun(const pl_server *s);
const pl_addr *pl_server_stun_addr(const pl_server *s, size_t i);
/* See pl_http_server_drain. */
void pl_server_drain(pl_server *s, void (*done)(void *user), void *user);

typedef struct pl_server_stats {
    pl_rooms_stats rooms;
    pl_http_server_stats http;
    pl_share_stats share;
    uint64_t stun_requests, stun_answers, relay_packets;
    pl_whip_stats whip;
    int64_t up_us;
} pl_server_stats;
void pl_server_get_stats(const pl_server *s, pl_server_stats *out);

#endif
