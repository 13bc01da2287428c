/* driver.h - a TURN client on a real socket, UDP or TCP, and a plain UDP socket as its peer; and Debian's coturn as a
 * child process. For tests against servers that others wrote; the real driver is src/peer/. */
#ifndef TESTS_TURN_DRIVER_H
#define TESTS_TURN_DRIVER_H

#include <sys/types.h>

#include "turn/client.h"

enum { DRIVER_EVENTS_MAX = 32 };

typedef struct driver {
    pl_turn *t;
    int fd;
    uint8_t proto;
    uint8_t rx[70000]; /* of a stream: what is not whole yet */
    size_t rx_len;
    pl_turn_event events[DRIVER_EVENTS_MAX]; /* told so far */
    size_t n_events;
    uint8_t data[2048]; /* the last application data, and from whom */
    size_t data_len;
    pl_addr data_from;
    unsigned n_data;
} driver;

int64_t driver_now_us(void);
pl_addr driver_addr(const char *ip_and_port);
/* A UDP socket at ip ("127.0.0.1") and any port; *at tells which. */
int driver_udp(const char *ip, pl_addr *at);

/* conf->local is filled in; conf->server and proto say where. Aborts the test when there is no socket. */
void driver_up(driver *d, pl_turn_conf conf);
void driver_down(driver *d);
/* Moves a UDP client to another local port. */
void driver_move(driver *d);
/* Runs until done says so; false after five seconds. */
bool driver_run(driver *d, bool (*done)(const driver *d));
bool driver_until_event(driver *d, pl_turn_event_kind kind); /* the first of its kind not yet asked for */
const pl_turn_event *driver_event(const driver *d,
                                  pl_turn_event_kind kind); /* the last of its kind, or NULL */
bool driver_until_data(driver *d, unsigned n);
/* Through the relay; a row when segment > 0. */
void driver_send(driver *d, const pl_addr *peer, const void *data, size_t len, size_t segment);

/* What a peer's socket gets within five seconds; the length, or 0. */
size_t peer_recv(int fd, pl_addr *from, void *data, size_t cap);
void peer_send(int fd, const pl_addr *to, const void *data, size_t len);

typedef struct coturn {
    pid_t pid;
    pl_addr addr; /* 127.0.0.1 and its port, UDP and TCP */
    char folder[64];
} coturn;

/* Starts Debian's turnserver with user alice, password secret, and these further options (NULL at the end), at a free
 * port or, when c->addr.port is not 0, at that one; returns when it answers. */
void coturn_up(coturn *c, const char *const *options);
void coturn_kill(coturn *c); /* at once, as in a crash */
void coturn_down(coturn *c);

#endif
