/* negotiation.h - one connection's offers, answers and candidates as JSON messages of a room (docs/signaling.md), in
 * perfect negotiation.
 * Source   W3C webrtc 10.7; toJSON forms.
 * Shape    plain data inside its owner; clear frees the members that are added. Lives on the loop; nothing here frees
 *          the connection. */
#ifndef PL_CLI_NEGOTIATION_H
#define PL_CLI_NEGOTIATION_H

#include <jansson.h>

#include "peerline/peer_connection.h"

typedef struct pl_negotiation {
    pl_peer_connection *pc;
    bool caller;  /* offers first, and does not give way */
    json_t *tags; /* members that every message has besides, or NULL; owned */
    void *user;
    void (*send)(void *user, const char *text, size_t len);
    void (*failed)(void *user, const char *why); /* a sentence; the connection is of no use */
    void (*note)(void *user, const char *text);  /* a sentence for people */
    bool started; /* offers may be made: set for the caller, and by the first offer for the callee */
    bool making_offer, ignore_offer;
} pl_negotiation;

void pl_negotiation_clear(pl_negotiation *n);
/* The connection's events of these names. */
void pl_negotiation_needed(pl_negotiation *n);
void pl_negotiation_candidate(pl_negotiation *n, const pl_ice_candidate *c);
/* A message of the peer. False when it is neither a description nor a candidate. */
bool pl_negotiation_take(pl_negotiation *n, const json_t *o);
/* Sends with the tags, and frees. */
void pl_negotiation_say(pl_negotiation *n, json_t *o);

#endif
