/* client_peers.h - whom a room's client has been told of, so that a list that comes later can be told as comings and goings.
 * Shape    sorted by id; zero state legal, clear frees. Private to the client.
 * Errors   without memory, or over PL_ROOMS_PEERS_MAX, a peer is not noted, and would be told of again. */
#ifndef PL_SIGNAL_CLIENT_PEERS_H
#define PL_SIGNAL_CLIENT_PEERS_H

#include "signal/client.h"

typedef struct client_peer {
    pl_peer_id id;
    char *name;
} client_peer;

typedef struct client_peers {
    client_peer *at;
    size_t n, cap;
} client_peers;

void client_peers_clear(client_peers *p);
void client_peers_add(client_peers *p, pl_peer_id id, const char *name);
void client_peers_remove(client_peers *p, pl_peer_id id);
bool client_peers_has(const client_peers *p, pl_peer_id id);

#endif
