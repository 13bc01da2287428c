#include "driver.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pl_test.h"
#include "stun/stream.h"

enum { PATIENCE_MS = 5000 };

int64_t driver_now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return PL_SEC(ts.tv_sec) + ts.tv_nsec / 1000;
}

pl_addr driver_addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

/* ---- sockets ---- */

static socklen_t to_sockaddr(const pl_addr *a, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (a->family == PL_AF_IP6) {
        struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(a->port);
        memcpy(&six->sin6_addr, a->ip, 16);
        return sizeof *six;
    }
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    four->sin_family = AF_INET;
    four->sin_port = htons(a->port);
    memcpy(&four->sin_addr, a->ip, 4);
    return sizeof *four;
}

static pl_addr from_sockaddr(const struct sockaddr_storage *in)
{
    pl_addr a = { 0 };
    if (in->ss_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, in, sizeof six);
        a.family = PL_AF_IP6;
        a.port = ntohs(six.sin6_port);
        memcpy(a.ip, &six.sin6_addr, 16);
    } else {
        struct sockaddr_in four;
        memcpy(&four, in, sizeof four);
        a.family = PL_AF_IP4;
        a.port = ntohs(four.sin_port);
        memcpy(a.ip, &four.sin_addr, 4);
    }
    return a;
}

static pl_addr own_address(int fd)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof ss;
    PL_EQ(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
    return from_sockaddr(&ss);
}

/* A socket bound to a; -1 when that cannot be. */
static int bound(const pl_addr *a, int type)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = to_sockaddr(a, &ss);
    int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&ss, len) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int driver_udp(const char *ip, pl_addr *at)
{
    PL_EQ(pl_addr_parse_ip(at, ip, strlen(ip)), PL_OK);
    int fd = bound(at, SOCK_DGRAM);
    if (fd >= 0)
        *at = own_address(fd);
    return fd;
}

static int connected(const pl_addr *to, uint8_t proto)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = to_sockaddr(to, &ss);
    int on = 1, fd = socket(ss.ss_family, (proto == PL_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    PL_GE(fd, 0);
    PL_EQ(connect(fd, (struct sockaddr *)&ss, len), 0);
    if (proto == PL_TCP)
        PL_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
    return fd;
}

static bool readable(int fd, int64_t timeout_us)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    return poll(&p, 1, (int)((timeout_us + 999) / 1000)) == 1;
}

size_t peer_recv(int fd, pl_addr *from, void *data, size_t cap)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof ss;
    if (!readable(fd, PL_MS(PATIENCE_MS)))
        return 0;
    ssize_t n = recvfrom(fd, data, cap, 0, (struct sockaddr *)&ss, &len);
    *from = from_sockaddr(&ss);
    return n > 0 ? (size_t)n : 0;
}

void peer_send(int fd, const pl_addr *to, const void *data, size_t len)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t ss_len = to_sockaddr(to, &ss);
    PL_EQ(sendto(fd, data, len, 0, (struct sockaddr *)&ss, ss_len), len);
}

/* ---- the client ---- */

void driver_up(driver *d, pl_turn_conf conf)
{
    *d = (driver){ .proto = conf.proto, .fd = connected(&conf.server, conf.proto) };
    conf.local = own_address(d->fd);
    PL_EQ(pl_turn_new(&d->t, &conf, driver_now_us()), PL_OK);
}

void driver_down(driver *d)
{
    pl_turn_free(d->t);
    close(d->fd);
}

void driver_move(driver *d)
{
    int fd = connected(&pl_turn_get_path(d->t)->remote, PL_UDP);
    pl_addr local = own_address(fd);
    PL_EQ(pl_turn_move(d->t, driver_now_us(), &local), PL_OK);
    close(d->fd);
    d->fd = fd;
}

/* An ICMP error of an earlier datagram is not this one's: silence will tell. */
static void put(driver *d, const uint8_t *data, size_t len)
{
    ssize_t n = send(d->fd, data, len, MSG_NOSIGNAL);
    if (n < 0 && d->proto == PL_UDP)
        n = send(d->fd, data, len, MSG_NOSIGNAL);
    PL_OKAY(n == (ssize_t)len || errno == ECONNREFUSED || errno == EPIPE || errno == ECONNRESET);
}

void driver_send(driver *d, const pl_addr *peer, const void *data, size_t len, size_t segment)
{
    uint8_t buf[4096];
    pl_dgram out = { .data = buf, .cap = sizeof buf, .len = len, .segment = segment };
    memcpy(buf, data, len);
    PL_EQ(pl_turn_wrap(d->t, driver_now_us(), peer, &out), PL_OK);
    size_t step = out.segment && d->proto == PL_UDP ? out.segment : out.len;
    for (size_t at = 0; at < out.len; at += step)
        put(d, buf + at, out.len - at < step ? out.len - at : step);
}

static void take(driver *d, const uint8_t *pkt, size_t len)
{
    pl_turn_data data;
    if (pl_turn_input(d->t, driver_now_us(), pkt, len, &data) != PL_TURN_DATA)
        return;
    d->n_data++;
    d->data_from = data.peer;
    d->data_len = data.len < sizeof d->data ? data.len : sizeof d->data;
    memcpy(d->data, pkt + data.at, d->data_len);
}

static void follow(driver *d)
{
    const pl_path *path = pl_turn_get_path(d->t);
    struct sockaddr_storage ss = { 0 };
    socklen_t len = to_sockaddr(&path->remote, &ss);
    if (d->proto == PL_UDP)
        PL_EQ(connect(d->fd, (struct sockaddr *)&ss, len), 0);
}

static void read_socket(driver *d)
{
    ssize_t n = recv(d->fd, d->rx + d->rx_len, sizeof d->rx - d->rx_len, MSG_DONTWAIT);
    if (d->proto == PL_UDP) {
        if (n > 0)
            take(d, d->rx, (size_t)n);
        return;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        pl_turn_disconnected(d->t, driver_now_us());
        return;
    }
    d->rx_len += n > 0 ? (size_t)n : 0;
    for (;;) {
        pl_stun_frame f = pl_stun_frame_next(d->rx, d->rx_len, 0);
        PL_OKAY(f.kind != PL_STUN_FRAME_BROKEN);
        if (f.kind == PL_STUN_FRAME_MORE)
            return;
        take(d, d->rx + f.at, f.len);
        d->rx_len -= f.advance;
        memmove(d->rx, d->rx + f.advance, d->rx_len);
    }
}

static void write_and_tell(driver *d)
{
    uint8_t buf[PL_TURN_DGRAM_MAX];
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    follow(d);
    while (pl_turn_poll_output(d->t, driver_now_us(), &out))
        put(d, out.data, out.len);
    while (d->n_events < DRIVER_EVENTS_MAX && pl_turn_poll_event(d->t, &d->events[d->n_events]))
        d->n_events++;
    pl_turn_check(d->t);
}

bool driver_run(driver *d, bool (*done)(const driver *d))
{
    int64_t end_us = driver_now_us() + PL_MS(PATIENCE_MS);
    for (;;) {
        pl_turn_tick(d->t, driver_now_us());
        write_and_tell(d);
        int64_t now_us = driver_now_us();
        if (done(d))
            return true;
        if (now_us >= end_us)
            return false;
        int64_t wait_us = pl_min_us(pl_turn_next_us(d->t), end_us) - now_us;
        if (readable(d->fd, pl_max_us(wait_us, 0)))
            read_socket(d);
    }
}

static pl_turn_event_kind awaited;
static unsigned awaited_data;

static bool has_event(const driver *d)
{
    return driver_event(d, awaited) != NULL;
}

static bool has_data(const driver *d)
{
    return d->n_data >= awaited_data;
}

bool driver_until_event(driver *d, pl_turn_event_kind kind)
{
    awaited = kind;
    return driver_run(d, has_event);
}

bool driver_until_data(driver *d, unsigned n)
{
    awaited_data = n;
    return driver_run(d, has_data);
}

const pl_turn_event *driver_event(const driver *d, pl_turn_event_kind kind)
{
    for (size_t i = d->n_events; i-- > 0;)
        if (d->events[i].kind == kind)
            return &d->events[i];
    return NULL;
}

/* ---- coturn ---- */

/* Free for UDP and TCP a moment ago. */
static uint16_t free_port(void)
{
    for (int i = 0; i < 50; i++) {
        pl_addr at;
        int udp = driver_udp("127.0.0.1", &at), tcp = bound(&at, SOCK_STREAM);
        close(udp);
        if (tcp >= 0) {
            close(tcp);
            return at.port;
        }
    }
    fail_msg("no free port");
    return 0;
}

static void exec_coturn(const coturn *c, const char *const *options)
{
    char port[16], pidfile[96], db[96];
    const char *argv[64] = { "turnserver",
                             "-n",
                             "--listening-ip=127.0.0.1",
                             "--relay-ip=127.0.0.1",
                             "-p",
                             port,
                             "--lt-cred-mech",
                             "--user=alice:secret",
                             "--realm=test.example",
                             "--allow-loopback-peers",
                             "--no-cli",
                             "--no-tls",
                             "--no-dtls",
                             "--log-file=stdout",
                             "--simple-log",
                             "--no-software-attribute",
                             "--relay-threads=1",
                             "--pidfile",
                             pidfile,
                             "-b",
                             db };
    size_t n = 0;
    snprintf(port, sizeof port, "%u", c->addr.port);
    snprintf(pidfile, sizeof pidfile, "%s/pid", c->folder);
    snprintf(db, sizeof db, "%s/db", c->folder);
    while (argv[n])
        n++;
    for (; *options && n < 63; options++)
        argv[n++] = *options;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    FILE *out = freopen("/dev/null", "w", stdout), *err = freopen("/dev/null", "w", stderr);
    if (out && err)
        execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static bool answers(const coturn *c)
{
    static const uint8_t binding[20] = { 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1 };
    pl_addr at, from;
    uint8_t reply[200];
    int fd = driver_udp("127.0.0.1", &at);
    peer_send(fd, &c->addr, binding, sizeof binding);
    bool yes = readable(fd, PL_MS(100)) && peer_recv(fd, &from, reply, sizeof reply) > 0;
    close(fd);
    return yes;
}

void coturn_up(coturn *c, const char *const *options)
{
    uint16_t port = c->addr.port ? c->addr.port : free_port();
    c->addr = driver_addr("127.0.0.1:1");
    c->addr.port = port;
    snprintf(c->folder, sizeof c->folder, "/tmp/pl-coturn-XXXXXX");
    assert_non_null(mkdtemp(c->folder));
    c->pid = fork();
    PL_GE(c->pid, 0);
    if (c->pid == 0)
        exec_coturn(c, options);
    int tries = 0;
    while (!answers(c) && tries < 100) {
        int status;
        if (waitpid(c->pid, &status, WNOHANG) == c->pid)
            fail_msg("turnserver did not start: is the package coturn installed?");
        tries++;
        nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    }
    PL_LE(tries, 99);
}

void coturn_kill(coturn *c)
{
    char path[96];
    kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
    static const char *const files[] = { "pid", "db" };
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", c->folder, files[i]);
        unlink(path);
    }
    rmdir(c->folder);
    c->pid = 0;
}

void coturn_down(coturn *c)
{
    if (c->pid)
        coturn_kill(c);
}
