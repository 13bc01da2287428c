/* usrsctp_end.h - one end of a usrsctp association in this process (AF_CONN), tuned as the libraries that use it tune it: large
 * buffers, no delay, packets of one size. What drives it, threads or a simulation, is the benchmark's. */
#ifndef BENCH_SHARED_USRSCTP_END_H
#define BENCH_SHARED_USRSCTP_END_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <usrsctp.h>

enum { BENCH_USRSCTP_PORT = 5000 };

typedef int (*bench_usrsctp_receive)(struct socket *s, union sctp_sockstore addr, void *data, size_t len,
                                     struct sctp_rcvinfo info, int flags, void *ulp);

/* name: what output and usrsctp_conninput call this end. */
static inline struct sockaddr_conn bench_usrsctp_address(void *name)
{
    struct sockaddr_conn a;
    memset(&a, 0, sizeof a);
    a.sconn_family = AF_CONN;
    a.sconn_port = htons(BENCH_USRSCTP_PORT);
    a.sconn_addr = name;
    return a;
}

static inline struct socket *bench_usrsctp_end(void *name, int buffer, uint32_t mtu,
                                               bench_usrsctp_receive receive)
{
    int on = 1;
    struct sctp_paddrparams path = { .spp_flags = SPP_PMTUD_DISABLE, .spp_pathmtu = mtu };
    struct sockaddr_conn a = bench_usrsctp_address(name);
    usrsctp_register_address(name);
    struct socket *s = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, receive, NULL, 0, NULL);
    if (!s || usrsctp_bind(s, (struct sockaddr *)&a, sizeof a) < 0)
        abort();
    usrsctp_setsockopt(s, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    usrsctp_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on);
    usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
    usrsctp_set_non_blocking(s, 1);
    return s;
}

/* Each end sees its peer under its own name, which output turns round. */
static inline void bench_usrsctp_connect(struct socket *s, void *name)
{
    struct sockaddr_conn a = bench_usrsctp_address(name);
    (void)usrsctp_connect(s, (struct sockaddr *)&a, sizeof a);
}

/* As many messages as its buffer takes. */
static inline void bench_usrsctp_fill(struct socket *s, const uint8_t *message, size_t len)
{
    struct sctp_sendv_spa spa = { .sendv_flags = SCTP_SEND_SNDINFO_VALID };
    while (usrsctp_sendv(s, message, len, NULL, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0) > 0)
        ;
}

#endif
