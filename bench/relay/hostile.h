/* hostile.h - messages that a relay must survive and must not act on: malformed, truncated, unauthenticated and
 * replayed ones, from a client's own socket, from strangers, and to relayed addresses.
 * Shape    a load_hostile borrows the fleet and owns the strangers' sockets. Everything it sends that looks like
 *          data carries HOSTILE_MARK, which may come out nowhere.
 * Thread   one. */
#ifndef BENCH_RELAY_HOSTILE_H
#define BENCH_RELAY_HOSTILE_H

#include "fleet.h"

#define HOSTILE_MARK UINT32_C(0xbadbadba)

enum { HOSTILE_STRANGERS = 16, HOSTILE_KINDS = 16 };

typedef struct load_hostile {
    load_fleet *fleet;
    int to_server[HOSTILE_STRANGERS]; /* connected to the server */
    int to_relayed;                   /* not connected; no client permits its address */
    uint64_t n_sent[HOSTILE_KINDS];
    uint64_t bytes_sent, bytes_back; /* of the strangers, with the server */
} load_hostile;

void load_hostile_open(load_hostile *h, load_fleet *f);
void load_hostile_close(load_hostile *h);
/* One of them, chosen by the fleet's dice, in the name of client c or at its cost. recorded: a request of c that
 * was answered with success, to be played again. */
void load_hostile_send(load_hostile *h, const load_client *c, const uint8_t *recorded, size_t recorded_len);
/* Takes what the strangers were told. Returns how many datagrams bore the mark. */
uint64_t load_hostile_receive(load_hostile *h);
const char *load_hostile_str(unsigned kind);

#endif
