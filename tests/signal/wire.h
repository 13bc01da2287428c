/* wire.h - plain sockets on loopback that speak to a server on the test's own loop.
 * Shape    wire_open connects; sending and receiving turn the loop until something comes or a deadline of
 *          some seconds has passed, which only a broken server reaches. */
#ifndef TESTS_SIGNAL_WIRE_H
#define TESTS_SIGNAL_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "peerline/loop.h"

typedef struct wire {
    pl_loop *loop;
    int fd;
    char *in; /* everything received, zero-terminated */
    size_t n;
    bool ended; /* the server closed */
} wire;

wire wire_open(pl_loop *loop, const pl_addr *to);
void wire_close(wire *w);
void wire_send(wire *w, const void *data, size_t len);
/* Until `text` has come; false when the server closed before. */
bool wire_wait_for(wire *w, const char *text);
/* Until the server closes; returns what came. */
const char *wire_wait_end(wire *w);
/* Turns the loop while `until` is false, at most some seconds; returns *until. */
bool wire_turn(pl_loop *loop, const bool *until);
void wire_turn_us(pl_loop *loop, long us);
/* One request on a connection of its own: the status of the answer, 0 when there was none. */
int wire_status(pl_loop *loop, const pl_addr *to, const char *request);

#endif
