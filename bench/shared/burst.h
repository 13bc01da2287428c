/* burst.h - many datagrams by one system call, as the benchmarks below every stack send them.
 * Source   UDP_SEGMENT and UDP_GRO of Linux udp(7); older headers do not name them. */
#ifndef BENCH_SHARED_BURST_H
#define BENCH_SHARED_BURST_H

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* On a connected socket: datagrams of `segment` bytes, the last perhaps shorter. False: errno says why. */
static inline bool bench_send_burst(int fd, const uint8_t *bytes, size_t len, size_t segment)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
    struct iovec iov = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = len };
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    uint16_t size = (uint16_t)segment;
    c->cmsg_level = IPPROTO_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof size);
    memcpy(CMSG_DATA(c), &size, sizeof size);
    return sendmsg(fd, &m, 0) >= 0;
}

#endif
