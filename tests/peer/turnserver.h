/* turnserver.h - coturn on loopback addresses of the test's own network, for as long as a test wants it. */
#ifndef PEER_TURNSERVER_H
#define PEER_TURNSERVER_H

#include <stdbool.h>
#include <sys/types.h>

enum { TURN_PORT = 3478, TURN_TLS_PORT = 5349 };

typedef struct turnserver {
    pid_t pid;
    char cert_file[40]; /* its own certificate, for localhost and 127.0.0.1 */
} turnserver;

/* Listens on 127.0.0.1; user "u", password "p". */
void turnserver_start(turnserver *t);
/* On that address of loopback, "127.0.0.2"; without_udp: reached by TCP and TLS alone. */
void turnserver_start_at(turnserver *t, const char *address, bool without_udp);
void turnserver_stop(turnserver *t);

#endif
