/* nat_probe.h - the network side of `peerline nat`: NAT discovery over five sockets, and one Binding over a stream
 * or DTLS. Both run the given loop until they are done.
 * Thread   the loop's owner. */
#ifndef PL_CLI_NAT_PROBE_H
#define PL_CLI_NAT_PROBE_H

#include "net/loop.h"
#include "stun/client.h"
#include "stun/nat.h"
#include "stun/uri.h"

typedef struct pl_nat_net {
    pl_loop *loop;
    pl_addr local; /* source address, port 0; family none: as the system routes */
    int64_t timeout_us;
    const char *host; /* the name a certificate must carry */
    const char *ca_file;
    bool trust_all;
    pl_str username, password; /* long-term credentials of a Binding; empty: none */
    /* Now and then while discovery goes on; may be NULL. */
    void (*progress)(const pl_stun_nat_event *at, int64_t elapsed_us);
} pl_nat_net;

/* Everything of stun/nat.h; `how` says which parts, its addresses are filled in here.
 * Errors: PL_EIO: no route, or no socket. */
PL_NODISCARD pl_err pl_nat_discover(const pl_nat_net *net, const pl_addr *server, const pl_stun_nat_conf *how,
                                    pl_nat_result *out);

typedef struct pl_nat_binding {
    pl_addr local;
    int64_t connect_us;         /* until the first request could go */
    pl_stun_client_event event; /* ANSWER, or FAILED */
    const char *failure;        /* NULL, or a clause: what failed */
} pl_nat_binding;

/* True: an answer is in out->event. */
bool pl_nat_bind(const pl_nat_net *net, const pl_addr *server, pl_stun_transport transport,
                 pl_nat_binding *out);

#endif
