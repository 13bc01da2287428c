/* net_udp_bench - what a datagram costs over loopback, one way after another in one run, so that the ratios
 * hold on any machine: sendto + recvfrom (what most stacks do), recvmmsg + sendmmsg, and segmentation
 * offload. Usage: net_udp_bench [MILLISECONDS-PER-WAY]. CPU time of this process, both ends in it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/udp.h"

enum { ROW = 50, SIZE = 1200 };

static uint8_t row[ROW * SIZE];
static size_t n_received;

static int64_t cpu_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int plain_socket(struct sockaddr_in *bound)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), size = 4 << 20;
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof *bound;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
        getsockname(fd, (struct sockaddr *)bound, &len) != 0) {
        perror("socket");
        exit(1);
    }
    return fd;
}

static double bench_plain(int64_t until_us)
{
    struct sockaddr_in from, to;
    int a = plain_socket(&from), b = plain_socket(&to);
    uint8_t buf[2048];
    size_t n = 0;
    int64_t start = cpu_ns();
    while (pl_clock_us() < until_us) {
        for (int i = 0; i < ROW; i++)
            n += sendto(a, row + i * SIZE, SIZE, 0, (struct sockaddr *)&to, sizeof to) == SIZE;
        for (int i = 0; i < ROW; i++)
            (void)!recv(b, buf, sizeof buf, MSG_DONTWAIT);
    }
    double ns = (double)(cpu_ns() - start) / (double)n;
    close(a);
    close(b);
    return ns;
}

static void on_datagrams(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    (void)user;
    (void)now_us;
    (void)batch;
    n_received += n;
}

static pl_udp *open_udp(pl_loop *loop, pl_udp_offload offload)
{
    pl_udp *u;
    pl_udp_conf conf = { .bind = { .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } },
                         .fn = on_datagrams,
                         .offload = offload,
                         .recv_buf = 4 << 20 };
    if (pl_udp_open(&u, loop, &conf) != PL_OK)
        exit(1);
    return u;
}

static double bench_udp(pl_udp_offload send, pl_udp_offload receive, int64_t until_us)
{
    pl_loop *loop;
    if (pl_loop_new(&loop, NULL) != PL_OK)
        exit(1);
    pl_udp *a = open_udp(loop, send), *b = open_udp(loop, receive);
    pl_dgram d = { .path.remote = *pl_udp_addr(b), .data = row, .len = sizeof row, .segment = SIZE };
    n_received = 0;
    int64_t start = cpu_ns();
    while (pl_clock_us() < until_us) {
        pl_udp_send(a, &d);
        pl_loop_run_once(loop, 0);
    }
    double ns = (double)(cpu_ns() - start) / (double)n_received;
    pl_udp_close(a);
    pl_udp_close(b);
    pl_loop_free(loop);
    return ns;
}

int main(int argc, char **argv)
{
    int64_t each_us = PL_MS(argc > 1 ? atoi(argv[1]) : 500);
    const pl_udp_offload off = PL_UDP_OFFLOAD_OFF, on = PL_UDP_OFFLOAD_AUTO;
    (void)bench_plain(pl_clock_us() + each_us / 4); /* warm */
    double plain = bench_plain(pl_clock_us() + each_us);
    struct {
        const char *name;
        double ns;
    } way[] = { { "sendto + recv", plain },
                { "sendmmsg + recvmmsg", bench_udp(off, off, pl_clock_us() + each_us) },
                { "GSO + recvmmsg", bench_udp(on, off, pl_clock_us() + each_us) },
                { "sendmmsg + GRO", bench_udp(off, on, pl_clock_us() + each_us) },
                { "GSO + GRO", bench_udp(on, on, pl_clock_us() + each_us) } };
    printf("%-22s %14s %8s\n", "1200-byte datagrams", "ns CPU each", "ratio");
    for (size_t i = 0; i < sizeof way / sizeof *way; i++)
        printf("%-22s %14.0f %8.2f\n", way[i].name, way[i].ns, plain / way[i].ns);
    return 0;
}
