/* driver.h - the other side of a client: what a transport, or a simulation, does with it.
 * Shape    sans-I/O. The client orders (connect, start TLS, send, disconnect), the driver tells facts (connected,
 *          secured, bytes, lost). It says when it wants to try again; the driver only waits.
 *     new open { poll_order | connected | secured | input | read | lost | tick }* free
 * Units    microseconds.
 * Thread   its owner's. Handlers are called from the verbs that bring facts and from tick, never from send or ask. */
#ifndef PL_XMPP_DRIVER_H
#define PL_XMPP_DRIVER_H

#include "base/rand.h"
#include "xmpp/client.h"
#include "xmpp/stream.h"

enum {
    PL_XMPP_PAUSE_MIN_MS = 1000, /* before the second try; doubles */
    PL_XMPP_PAUSE_MAX_MS = 60000,
    PL_XMPP_CONNECT_S = 30,    /* for the transport to stand */
    PL_XMPP_CALM_S = 30,       /* so long a session makes the pauses short again */
    PL_XMPP_REDIRECTS_MAX = 3, /* see-other-host in a row */
};

typedef struct pl_xmpp_client_conf {
    const char *jid, *password; /* copied; the password's copy is wiped */
    bool plain;                 /* PLAIN over TLS, when the server has no SCRAM */
    bool insecure, create_account, once;
    pl_rand rand;
    int64_t (*clock)(void *user); /* the time, for what is called between facts; NULL: of the last fact */
    void (*wake)(void *user);     /* poll and tick soon: something was sent from outside; may be NULL */
    void (*trouble)(void *user, pl_xmpp_fault fault, const char *why, bool again,
                    int64_t in_us); /* may be NULL */
    void *user;
} pl_xmpp_client_conf;

/* Errors: PL_EINVAL (no account's address), PL_ENOMEM. */
PL_NODISCARD pl_err pl_xmpp_client_new(pl_xmpp_client **out, const pl_xmpp_client_conf *conf, int64_t now_us);
/* Handlers must have gone, or never be looked at again: nothing is told to them. NULL is fine. */
void pl_xmpp_client_free(pl_xmpp_client *c);
void pl_xmpp_client_open(pl_xmpp_client *c, int64_t now_us);
void pl_xmpp_client_close(pl_xmpp_client *c, int64_t now_us);
/* The next try begins now. */
void pl_xmpp_client_hurry(pl_xmpp_client *c, int64_t now_us);

typedef enum pl_xmpp_order_type {
    PL_XMPP_CONNECT,    /* make a transport; answer with connected or lost */
    PL_XMPP_START_TLS,  /* on the one that stands; answer with secured or lost */
    PL_XMPP_WRITE,      /* output */
    PL_XMPP_DISCONNECT, /* end the transport once what was written is out; answer with nothing */
} pl_xmpp_order_type;

typedef struct pl_xmpp_order {
    pl_xmpp_order_type type;
    pl_xmpp_output output; /* lent until the next poll_order */
    const char *other;     /* CONNECT: where see-other-host said, or NULL; lent as output */
} pl_xmpp_order;
bool pl_xmpp_client_poll_order(pl_xmpp_client *c, int64_t now_us, pl_xmpp_order *out);

void pl_xmpp_client_connected(pl_xmpp_client *c, int64_t now_us, pl_xmpp_framing framing, bool secure,
                              const pl_sasl_binding *tls);
void pl_xmpp_client_secured(pl_xmpp_client *c, int64_t now_us, const pl_sasl_binding *tls);
void pl_xmpp_client_input(pl_xmpp_client *c, int64_t now_us, const void *data, size_t len);
void pl_xmpp_client_read(pl_xmpp_client *c, int64_t now_us, const pl_xml_read *read);
/* The transport is gone, or could not be made. why is a sentence. */
void pl_xmpp_client_lost(pl_xmpp_client *c, int64_t now_us, pl_xmpp_fault fault, const char *why);
void pl_xmpp_client_tick(pl_xmpp_client *c, int64_t now_us);
int64_t pl_xmpp_client_next_us(const pl_xmpp_client *c);
void pl_xmpp_client_check(const pl_xmpp_client *c);
/* The mechanism that logged in ("SCRAM-SHA-256-PLUS"); "" before. */
const char *pl_xmpp_client_mechanism(const pl_xmpp_client *c);

#endif
