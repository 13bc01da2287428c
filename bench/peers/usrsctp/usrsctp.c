/* usrsctp - the SCTP most WebRTC stacks are built on, two associations in one thread over UDP loopback sockets: in DTLS as
 * data channels have it, or raw. No ICE, no threads, 16 MiB of buffers: what any stack around it costs, it costs on top
 * of this. Prints bench-data's JSON lines.
 *     usrsctp dtls|raw throughput MESSAGE_BYTES SECONDS RUNS */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <usrsctp.h>

#include "dtls.h"

enum { PORT = 5000, MTU = 1188, PACKET_MAX = 2048, BUFFER = 16 << 20, SOCKET_BUFFER = 64 << 20, BATCH = 64 };

typedef struct side {
    int fd;
    struct socket *sctp;
} side;

static side end[2];
static uint64_t n_bytes;
static bool with_dtls;

static double clock_s(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "usrsctp: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int on_output(void *addr, void *buffer, size_t length, uint8_t tos, uint8_t set_df)
{
    uint8_t record[PACKET_MAX];
    side *s = addr;
    (void)tos, (void)set_df;
    if (with_dtls) {
        length = dtls_seal((int)(s - end), buffer, length, record, sizeof record);
        buffer = record;
    }
    return send(s->fd, buffer, length, 0) < 0 ? errno : 0; /* a full socket is a lost packet */
}

static int on_receive(struct socket *s, union sctp_sockstore addr, void *data, size_t len,
                      struct sctp_rcvinfo info, int flags, void *user)
{
    (void)s, (void)addr, (void)info, (void)flags, (void)user;
    n_bytes += data ? len : 0;
    free(data);
    return 1;
}

static void make_udp(void)
{
    int size = SOCKET_BUFFER; /* a packet takes twice its size, and none is to be lost */
    struct sockaddr_in a[2];
    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof a[i];
        a[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        end[i].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (end[i].fd < 0 || bind(end[i].fd, (struct sockaddr *)&a[i], len) < 0 ||
            getsockname(end[i].fd, (struct sockaddr *)&a[i], &len) < 0)
            die("socket");
        setsockopt(end[i].fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
        setsockopt(end[i].fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    }
    for (int i = 0; i < 2; i++) {
        if (connect(end[i].fd, (struct sockaddr *)&a[!i], sizeof a[!i]) < 0)
            die("connect");
    }
}

static struct sockaddr_conn address_of(side *s)
{
    struct sockaddr_conn a;
    memset(&a, 0, sizeof a);
    a.sconn_family = AF_CONN;
    a.sconn_port = htons(PORT);
    a.sconn_addr = s;
    return a;
}

static void make_association(void)
{
    usrsctp_init_nothreads(0, on_output, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    for (int i = 0; i < 2; i++) {
        int size = BUFFER, on = 1;
        struct sockaddr_conn a = address_of(&end[i]);
        struct sctp_paddrparams path = { .spp_flags = SPP_PMTUD_DISABLE, .spp_pathmtu = MTU };
        usrsctp_register_address(&end[i]);
        struct socket *s = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_receive, NULL, 0, NULL);
        if (!s || usrsctp_bind(s, (struct sockaddr *)&a, sizeof a) < 0)
            die("sctp socket");
        usrsctp_setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        usrsctp_setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on);
        usrsctp_setsockopt(s, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
        usrsctp_set_non_blocking(s, 1);
        end[i].sctp = s;
    }
    for (int i = 0; i < 2; i++) { /* both call: as data channels do (RFC 8831 6.2) */
        struct sockaddr_conn a = address_of(&end[i]);
        (void)usrsctp_connect(end[i].sctp, (struct sockaddr *)&a, sizeof a);
    }
}

static bool receive(side *s)
{
    uint8_t packet[PACKET_MAX], plain[PACKET_MAX];
    bool any = false;
    for (int i = 0; i < BATCH; i++) {
        ssize_t n = recv(s->fd, packet, sizeof packet, 0);
        if (n <= 0)
            break;
        any = true;
        size_t len =
            with_dtls ? dtls_open((int)(s - end), packet, (size_t)n, plain, sizeof plain) : (size_t)n;
        if (len > 0)
            usrsctp_conninput(s, with_dtls ? plain : packet, len, 0);
    }
    return any;
}

static void turn(double *timers_s)
{
    bool a = receive(&end[0]), b = receive(&end[1]);
    double now = clock_s(CLOCK_MONOTONIC);
    uint32_t passed_ms = (uint32_t)((now - *timers_s) * 1e3);
    if (passed_ms >= 10) {
        usrsctp_handle_timers(passed_ms);
        *timers_s = now;
    }
    if (!a && !b) {
        struct pollfd p[2] = { { end[0].fd, POLLIN, 0 }, { end[1].fd, POLLIN, 0 } };
        poll(p, 2, 10);
    }
}

static void throughput(size_t len, double seconds)
{
    uint8_t *message = calloc(1, len ? len : 1);
    struct sctp_sendv_spa spa = { .sendv_flags = SCTP_SEND_SNDINFO_VALID };
    double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID), now = wall,
           timers = wall;
    n_bytes = 0;
    while (now - wall < seconds) {
        while (usrsctp_sendv(end[0].sctp, message, len, NULL, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0) > 0)
            ;
        turn(&timers);
        now = clock_s(CLOCK_MONOTONIC);
    }
    cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"bench\":\"throughput\",\"lib\":\"usrsctp "
           "%s\",\"msg\":%zu,\"mbit_s\":%.1f,\"cpu_s_per_GB\":%.2f}\n",
           with_dtls ? "dtls" : "raw", len, (double)n_bytes * 8e-6 / (now - wall),
           n_bytes ? cpu / ((double)n_bytes * 1e-9) : 0);
    fflush(stdout);
    free(message);
}

int main(int argc, char **argv)
{
    with_dtls = argc == 6 && strcmp(argv[1], "dtls") == 0;
    if (argc != 6 || !(with_dtls || strcmp(argv[1], "raw") == 0) || strcmp(argv[2], "throughput") != 0) {
        fprintf(stderr, "usage: usrsctp dtls|raw throughput MESSAGE_BYTES SECONDS RUNS\n");
        return 2;
    }
    if (with_dtls)
        dtls_connect();
    make_udp();
    make_association();
    for (int i = 0; i < atoi(argv[5]); i++)
        throughput((size_t)atol(argv[3]), atof(argv[4]));
    return 0; /* the association dies with the process */
}
