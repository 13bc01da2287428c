/*
 * natprobe - the measuring tool of natlab's self test; knows nothing of natbox.
 *
 *   natprobe server IP1 IP2 PORT1 PORT2     reflector, runs until killed
 *   natprobe nat IP1 IP2 PORT1 PORT2        classify the NATs on the way
 *   natprobe life IP1 PORT1 MS...           does a mapping live MS without traffic?
 *   natprobe tcp IP1 PORT1 [SRCPORT]        address seen over TCP, and 1 MB of echo
 *   natprobe refused IP PORT                does an ICMP error come back from there?
 *   natprobe tx IP PORT SIZE BPS SECONDS    paced UDP flow (BPS counts IP packets)
 *   natprobe rx PORT                        receives one flow, prints statistics
 *
 * tx and rx also do IPv6 and ECN, the rest is IPv4.  C11 + Linux, libc only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAGIC 0x4e505242u
typedef struct sockaddr_in sin_t;

struct msg { /* request: change, delay; reply: seen */
    uint32_t magic, id, change, delay_ms, ip;
    uint16_t port, pad;
};
struct flow {
    uint32_t magic, seq;
    uint64_t t;
    uint32_t fin, total;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void fail(const char *s)
{
    perror(s);
    exit(2);
}
static double amount(const char *text)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end) {
        fprintf(stderr, "bad number %s\n", text);
        exit(2);
    }
    return v;
}
static int number(const char *text)
{
    return (int)amount(text);
}
static sin_t mk(const char *ip, int port)
{
    sin_t a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    if (ip && inet_pton(AF_INET, ip, &a.sin_addr) != 1) {
        fprintf(stderr, "bad address %s\n", ip);
        exit(2);
    }
    return a;
}
static int sock(int type, sin_t a)
{
    int s = socket(AF_INET, type, 0), on = 1, big = 8 << 20;
    if (s < 0)
        fail("socket");
    if (type == SOCK_STREAM)
        setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    else if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big))
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
    if (bind(s, (struct sockaddr *)&a, sizeof a) < 0)
        fail("bind");
    return s;
}
static int wait_in(int s, int ms)
{
    struct pollfd p = { s, POLLIN, 0 };
    return poll(&p, 1, ms);
}

/* ----------------------------------------------------------------- server */

static _Noreturn void server(char **v)
{
    struct {
        uint64_t t;
        int s;
        sin_t to;
        struct msg m;
    } pend[64];
    int np = 0, nc = 0, conn[256];
    struct pollfd pf[6 + 256];
    for (int i = 0; i < 4; i++) /* bit 0: other port, bit 1: other address */
        pf[i] = (struct pollfd){ sock(SOCK_DGRAM, mk(v[i >> 1], number(v[2 + (i & 1)]))), POLLIN, 0 };
    for (int i = 0; i < 2; i++) {
        pf[4 + i] = (struct pollfd){ sock(SOCK_STREAM, mk(v[0], number(v[2 + i]))), POLLIN, 0 };
        listen(pf[4 + i].fd, 64);
    }
    for (;;) {
        for (int i = 0; i < nc; i++)
            pf[6 + i] = (struct pollfd){ conn[i], POLLIN, 0 };
        poll(pf, 6 + (nfds_t)nc, np ? 2 : -1);
        for (int i = 0; i < np; i++)
            if (pend[i].t <= now_ns()) {
                sendto(pend[i].s, &pend[i].m, sizeof pend[i].m, 0, (struct sockaddr *)&pend[i].to,
                       sizeof pend[i].to);
                pend[i--] = pend[--np];
            }
        for (int i = 0; i < 4; i++) {
            struct msg m;
            sin_t from;
            socklen_t fl = sizeof from;
            if (!(pf[i].revents & POLLIN) ||
                recvfrom(pf[i].fd, &m, sizeof m, 0, (struct sockaddr *)&from, &fl) != sizeof m ||
                m.magic != MAGIC)
                continue;
            m.ip = from.sin_addr.s_addr;
            m.port = from.sin_port;
            int s = pf[(unsigned)i ^ (m.change & 3)].fd;
            if (m.delay_ms && np < 64) {
                pend[np].t = now_ns() + m.delay_ms * 1000000ull;
                pend[np].s = s;
                pend[np].to = from;
                pend[np++].m = m;
            } else {
                sendto(s, &m, sizeof m, 0, (struct sockaddr *)&from, fl);
            }
        }
        for (int i = nc - 1; i >= 0; i--) {
            char b[16384];
            ssize_t n = pf[6 + i].revents ? recv(conn[i], b, sizeof b, 0) : 1;
            if (pf[6 + i].revents && n > 0 && send(conn[i], b, (size_t)n, MSG_NOSIGNAL) != n)
                n = 0;
            if (n <= 0) {
                close(conn[i]);
                conn[i] = conn[--nc];
            }
        }
        for (int i = 4; i < 6; i++) {
            sin_t from;
            socklen_t fl = sizeof from;
            if (!(pf[i].revents & POLLIN) || nc == 256)
                continue;
            int c = accept(pf[i].fd, (struct sockaddr *)&from, &fl);
            struct msg m = { .magic = MAGIC, .ip = from.sin_addr.s_addr, .port = from.sin_port };
            if (c >= 0 && send(c, &m, sizeof m, MSG_NOSIGNAL) == sizeof m)
                conn[nc++] = c;
        }
    }
}

/* ------------------------------------------------------------ NAT behaviour */

static uint32_t next_id = 1;

/* one transaction; false: no answer to any of three requests */
static bool ask(int s, sin_t to, unsigned change, unsigned delay, sin_t *seen)
{
    for (int i = 0; i < (delay ? 1 : 3); i++) {
        struct msg q = { .magic = MAGIC, .id = next_id++, .change = change, .delay_ms = delay }, r;
        sendto(s, &q, sizeof q, 0, (struct sockaddr *)&to, sizeof to);
        uint64_t end = now_ns() + (150 + delay) * 1000000ull, t;
        while ((t = now_ns()) < end && wait_in(s, (int)((end - t) / 1000000) + 1) > 0)
            if (recv(s, &r, sizeof r, 0) == sizeof r && r.magic == MAGIC && r.id == q.id) {
                *seen = mk(NULL, ntohs(r.port));
                seen->sin_addr.s_addr = r.ip;
                return true;
            }
    }
    return false;
}
static bool same(sin_t a, sin_t b)
{
    return a.sin_addr.s_addr == b.sin_addr.s_addr && a.sin_port == b.sin_port;
}
static sin_t local(int s, sin_t peer) /* our address towards the peer */
{
    sin_t a, b;
    socklen_t l = sizeof a;
    int t = socket(AF_INET, SOCK_DGRAM, 0);
    if (connect(t, (struct sockaddr *)&peer, sizeof peer) < 0)
        fail("connect");
    getsockname(t, (struct sockaddr *)&b, &l);
    close(t);
    l = sizeof a;
    getsockname(s, (struct sockaddr *)&a, &l);
    a.sin_addr = b.sin_addr;
    return a;
}

static int nat(char **v)
{
    sin_t srv[4], seen[4], x, y;
    const char *map, *filt, *alloc;
    char ip[32];
    for (int i = 0; i < 4; i++)
        srv[i] = mk(v[i >> 1], number(v[2 + (i & 1)]));
    int s = sock(SOCK_DGRAM, mk(NULL, 0));
    for (int i = 0; i < 4; i++)
        if (!ask(s, srv[i], 0, 0, &seen[i])) {
            puts("udp=blocked");
            return 1;
        }
    sin_t me = local(s, srv[0]);
    map = !same(seen[0], seen[1]) || !same(seen[2], seen[3]) ? "apd"
          : !same(seen[0], seen[2])                          ? "ad"
          : same(seen[0], me)                                ? "none"
                                                             : "ei";

    int f = sock(SOCK_DGRAM, mk(NULL, 0));
    filt = ask(f, srv[0], 3, 0, &x) ? "ei" : ask(f, srv[0], 1, 0, &x) ? "ad" : "apd";

    int preserve = 1, step = 1, last = 0;
    for (int i = 0; i < 6; i++) {
        int t = sock(SOCK_DGRAM, mk(NULL, 0));
        if (!ask(t, srv[0], 0, 0, &x))
            return 1;
        preserve &= x.sin_port == local(t, srv[0]).sin_port;
        step &= !i || ntohs(x.sin_port) == last + 1;
        last = ntohs(x.sin_port);
        close(t);
    }
    alloc = preserve ? "preserve" : step ? "seq" : "random";

    int a = sock(SOCK_DGRAM, mk(NULL, 0)), b = sock(SOCK_DGRAM, mk(NULL, 0));
    bool hair = false, ext = false;
    ask(a, srv[0], 0, 0, &x);
    ask(b, srv[0], 0, 0, &y);
    for (int i = 0; i < 3; i++) {
        struct msg m = { .magic = 1 };
        sendto(a, &m, sizeof m, 0, (struct sockaddr *)&y, sizeof y);
        sendto(b, &m, sizeof m, 0, (struct sockaddr *)&x, sizeof x);
        sin_t from;
        socklen_t fl = sizeof from;
        if (wait_in(a, 50) > 0 && recvfrom(a, &m, sizeof m, 0, (struct sockaddr *)&from, &fl) == sizeof m &&
            m.magic == 1) {
            hair = true;
            ext = same(from, y);
        }
    }
    printf("map=%s filter=%s alloc=%s hairpin=%s%s seen=%s:%d\n", map, filt, alloc, hair ? "on" : "off",
           hair && !ext ? "-internal" : "", inet_ntop(AF_INET, &seen[0].sin_addr, ip, sizeof ip),
           ntohs(seen[0].sin_port));
    return 0;
}

static int life(int c, char **v)
{
    for (int i = 2; i < c; i++) {
        int s = sock(SOCK_DGRAM, mk(NULL, 0));
        sin_t x;
        printf("%s=%s ", v[i],
               ask(s, mk(v[0], number(v[1])), 0, (unsigned)number(v[i]), &x) ? "alive" : "gone");
        close(s);
    }
    puts("");
    return 0;
}

static int tcp(int c, char **v)
{
    sin_t to = mk(v[0], number(v[1]));
    int s = sock(SOCK_STREAM, mk(NULL, c > 2 ? number(v[2]) : 0));
    struct timeval tv = { 3, 0 };
    struct msg m;
    char ip[32];
    static char buf[65536];
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    if (connect(s, (struct sockaddr *)&to, sizeof to) < 0) {
        puts("tcp=blocked");
        return 1;
    }
    if (recv(s, &m, sizeof m, MSG_WAITALL) != sizeof m)
        fail("recv");
    size_t sent = 0, got = 0, total = 1 << 20;
    while (got < total) {
        struct pollfd p = { s, (short)(POLLIN | (sent < total ? POLLOUT : 0)), 0 };
        if (poll(&p, 1, 3000) <= 0)
            break;
        ssize_t n;
        if ((p.revents & POLLOUT) &&
            (n = send(s, buf, sizeof buf < total - sent ? sizeof buf : total - sent, MSG_DONTWAIT)) > 0)
            sent += (size_t)n;
        if (p.revents & POLLIN) {
            if ((n = recv(s, buf, sizeof buf, MSG_DONTWAIT)) <= 0)
                break;
            got += (size_t)n;
        }
    }
    printf("tcp=%s seen=%s:%d\n", got == total ? "ok" : "broken", inet_ntop(AF_INET, &m.ip, ip, sizeof ip),
           ntohs(m.port));
    return got != total;
}

static int refused(char **v)
{
    sin_t to = mk(v[0], number(v[1]));
    int s = sock(SOCK_DGRAM, mk(NULL, 0)), err = 0;
    if (connect(s, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect");
    for (int i = 0; i < 3 && err != ECONNREFUSED; i++) {
        err = send(s, "x", 1, 0) < 0 ? errno : wait_in(s, 200) > 0 && recv(s, &to, 1, 0) < 0 ? errno : 0;
    }
    printf("refused=%s\n", err == ECONNREFUSED ? "yes" : "no");
    return 0;
}

/* ------------------------------------------------------------------- flows */

/* measure the network, not the scheduler; best effort */
static void realtime(void)
{
    prctl(PR_SET_TIMERSLACK, 1);
    sched_setscheduler(0, SCHED_RR, &(struct sched_param){ .sched_priority = 1 });
}

static int flow_sock(bool v6, int port) /* IPv6 sockets take IPv4, too */
{
    int s = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0), on = 1, off = 0, big = 8 << 20, ect = 2;
    struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    sin_t a4 = mk(NULL, port);
    if (s < 0)
        return v6 ? flow_sock(false, port) : (fail("socket"), -1);
    if (v6)
        setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(s, v6 ? (struct sockaddr *)&a6 : (struct sockaddr *)&a4, v6 ? sizeof a6 : sizeof a4) < 0)
        fail("bind");
    for (int i = 0; i < 2; i++) {
        int opt = i ? SO_SNDBUF : SO_RCVBUF;
        if (setsockopt(s, SOL_SOCKET, i ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, &big, sizeof big))
            setsockopt(s, SOL_SOCKET, opt, &big, sizeof big);
    }
    setsockopt(s, IPPROTO_IP, IP_TOS, &ect, sizeof ect);
    setsockopt(s, IPPROTO_IPV6, IPV6_TCLASS, &ect, sizeof ect);
    setsockopt(s, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
    setsockopt(s, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
    return s;
}

static int tx(char **v)
{
    bool v6 = strchr(v[0], ':');
    struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number(v[1])) };
    sin_t to4 = mk(v6 ? NULL : v[0], number(v[1]));
    int hdr = v6 ? 48 : 28, size = number(v[2]) - hdr;
    double bps = amount(v[3]), secs = amount(v[4]);
    static uint8_t b[65536];
    struct flow f = { .magic = MAGIC };
    int s = flow_sock(v6, 0);
    if (v6)
        inet_pton(AF_INET6, v[0], &to6.sin6_addr);
    if (size < (int)sizeof f || size > 65507)
        size = (int)sizeof f;
    if (bps > 0)
        realtime();
    if (connect(s, v6 ? (struct sockaddr *)&to6 : (struct sockaddr *)&to4, v6 ? sizeof to6 : sizeof to4) < 0)
        fail("connect");
    uint64_t t0 = now_ns(), gap = bps > 0 ? (uint64_t)((size + hdr) * 8e9 / bps) : 0;
    for (uint64_t i = 0;; i++) {
        uint64_t due = t0 + i * gap, t = now_ns();
        if ((gap ? due : t) >= t0 + (uint64_t)(secs * 1e9))
            break;
        if (gap && due > t) {
            struct timespec ts = { (time_t)(due / 1000000000u), (long)(due % 1000000000u) };
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
        }
        f.t = now_ns();
        memcpy(b, &f, sizeof f);
        if (send(s, b, (size_t)size, 0) < 0 && errno != ECONNREFUSED && errno != ENOBUFS)
            fail("send");
        f.seq++;
    }
    f.fin = 1;
    f.total = f.seq;
    printf("sent=%u seconds=%.3f\n", f.seq, (double)(now_ns() - t0) / 1e9);
    fflush(stdout);
    for (int i = 0; i < 30; i++) { /* the end, robust against loss */
        usleep(i < 5 ? 100000 : 20000);
        if (send(s, &f, sizeof f, 0) < 0 && errno != ECONNREFUSED)
            break;
    }
    return 0;
}

static int dcmp(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int rx(char **v)
{
    int s = flow_sock(true, number(v[0]));
    static uint8_t b[65536];
    uint32_t max = 1 << 16, total = 0, n = 0, ce = 0, dup = 0, reord = 0, hi = 0, bursts = 0;
    uint8_t *got = calloc(1, max);
    double *d = malloc(8 * max), sum = 0, sq = 0;
    uint64_t first = 0, last = 0, hash = 0;
    double bytes = 0, firstb = 0;
    realtime();
    while (wait_in(s, n ? 3000 : 10000) > 0) {
        struct flow f;
        char cb[128];
        struct iovec io = { b, sizeof b };
        struct sockaddr_in6 from;
        struct msghdr mh = { .msg_name = &from,
                             .msg_namelen = sizeof from,
                             .msg_iov = &io,
                             .msg_iovlen = 1,
                             .msg_control = cb,
                             .msg_controllen = sizeof cb };
        ssize_t l = recvmsg(s, &mh, 0);
        double hdr = from.sin6_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&from.sin6_addr) ? 48 : 28;
        uint64_t t = now_ns();
        if (l < (ssize_t)sizeof f)
            continue;
        memcpy(&f, b, sizeof f);
        if (f.fin) {
            total = f.total;
            break;
        }
        while (f.seq >= max) {
            got = realloc(got, 2 * max);
            memset(got + max, 0, max);
            d = realloc(d, 8 * 2 * (max *= 2));
        }
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
            if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
                (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS))
                ce += (*(uint8_t *)CMSG_DATA(c) & 3) == 3;
        if (!first) {
            first = t;
            firstb = (double)l + hdr;
        }
        last = t;
        bytes += (double)l + hdr;
        if (got[f.seq]) {
            dup++;
            continue;
        }
        got[f.seq] = 1;
        reord += n && f.seq < hi;
        hi = f.seq > hi ? f.seq : hi;
        d[n++] = (double)(t - f.t) / 1e6;
    }
    if (!n) {
        puts("received=0");
        return 1;
    }
    for (uint32_t i = 0; i < total && i < max; i++) {
        bursts += !got[i] && (!i || got[i - 1]);
        hash = (hash ^ got[i]) * 0x100000001b3ull + 1;
    }
    for (uint32_t i = 0; i < n; i++) {
        sum += d[i];
        sq += d[i] * d[i];
    }
    qsort(d, n, sizeof *d, dcmp);
    double mean = sum / n, var = sq / n - mean * mean;
    double sd = 0; /* square root without libm */
    for (double x = var > 1 ? var : 1, k = 0; k < 60 && var > 0; k++)
        sd = x = (x + var / x) / 2;
    printf("sent=%u received=%u lost=%u bursts=%u dup=%u reordered=%u ce=%u kbps=%.2f "
           "min=%.3f p50=%.3f mean=%.3f sd=%.3f p99=%.3f max=%.3f pattern=%016llx\n",
           total, n, total - n, bursts, dup, reord, ce,
           last > first ? (bytes - firstb) * 8e6 / (double)(last - first) : 0, d[0], d[n / 2], mean, sd,
           d[(uint64_t)n * 99 / 100], d[n - 1], (unsigned long long)hash);
    return 0;
}

int main(int c, char **v)
{
    if (c == 6 && !strcmp(v[1], "server"))
        server(v + 2);
    if (c == 6 && !strcmp(v[1], "nat"))
        return nat(v + 2);
    if (c >= 5 && !strcmp(v[1], "life"))
        return life(c - 2, v + 2);
    if ((c == 4 || c == 5) && !strcmp(v[1], "tcp"))
        return tcp(c - 2, v + 2);
    if (c == 4 && !strcmp(v[1], "refused"))
        return refused(v + 2);
    if (c == 7 && !strcmp(v[1], "tx"))
        return tx(v + 2);
    if (c == 3 && !strcmp(v[1], "rx"))
        return rx(v + 2);
    fputs("usage: see natprobe.c\n", stderr);
    return 2;
}
