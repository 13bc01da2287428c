/* sim_server.h - an XMPP server for one account, small and sans-I/O: streams over TCP's framing, PLAIN, binding, stream
 * management with resumption. What it is told to do wrong it does.
 * Shape    lives in a test. Bytes go in by input; what it says gathers in `out`. */
#ifndef TESTS_XMPP_SIM_SERVER_H
#define TESTS_XMPP_SIM_SERVER_H

#include "xml/reader.h"

enum { SIM_QUEUE_MAX = 4096 };

typedef struct sim_server {
    pl_xml_reader *reader; /* NULL: no connection */
    pl_buf out;
    bool tls, authed, ended;
    /* the session, which outlives connections */
    bool bound, sm_on, attached;
    uint32_t in_h, out_acked;
    char *queue[SIM_QUEUE_MAX]; /* stanzas sent since out_acked, whole life's numbers */
    uint32_t n_out;
    unsigned n_sessions, n_resumed;
    int texts[SIM_QUEUE_MAX]; /* numbers in the bodies that came */
    unsigned n_texts;
    /* what it offers */
    bool no_sm, forgets; /* forgets: every resumption fails */
} sim_server;

void sim_server_init(sim_server *s);
void sim_server_clear(sim_server *s);
void sim_server_connect(sim_server *s); /* a new connection; what was of the old one is gone */
void sim_server_cut(sim_server *s);
void sim_server_input(sim_server *s, const char *data, size_t len);
void sim_server_say(sim_server *s, int number); /* a message to the client, now or when it is back */
void sim_server_ask_ack(sim_server *s);

#endif
