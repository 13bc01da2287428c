/* host.c - the interfaces of the hosts: TUN devices in their network namespaces.
 * A host with two interfaces has two nodes that name one namespace. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "natbox.h"

void pcap_write(int fd, const struct pkt *p)
{
    struct timespec t;
    uint32_t h[4];
    static uint8_t b[16 + MAXPKT];
    clock_gettime(CLOCK_REALTIME, &t);
    h[0] = (uint32_t)t.tv_sec;
    h[1] = (uint32_t)t.tv_nsec;
    h[2] = h[3] = (uint32_t)p->len;
    memcpy(b, h, 16);
    memcpy(b + 16, p->d, (size_t)p->len);
    if (write(fd, b, 16 + (size_t)p->len) < 0)
        note("pcap: %s", strerror(errno));
}

static void pcap_open(struct node *n)
{
    char path[600];
    /* magic with nanoseconds, version 2.4, no zone, snap length, LINKTYPE_RAW */
    uint32_t h[6] = { 0xa1b23c4d, 4 << 16 | 2, 0, 0, 65535, 101 };
    snprintf(path, sizeof path, "%s/%s.pcap", pcapdir, n->name);
    n->pcap = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (n->pcap < 0 || write(n->pcap, h, sizeof h) < 0)
        die("%s: %s", path, strerror(errno));
}

/* ---- into the host's namespace and back ---- */

struct visit {
    int home, s4, s6;
};

static struct visit enter(const struct node *n)
{
    struct visit v = { .home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) };
    if (setns(n->netns, CLONE_NEWNET) < 0)
        die("setns(%s): %s", n->name, strerror(errno));
    v.s4 = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    v.s6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* -1: a machine without IPv6 */
    return v;
}

static void leave(struct visit *v)
{
    close(v->s4);
    if (v->s6 >= 0)
        close(v->s6);
    if (setns(v->home, CLONE_NEWNET) < 0)
        die("setns: %s", strerror(errno));
    close(v->home);
}

/* ---- with SIOC..., so that no iproute2 is needed ---- */

static void sysctl(const char *family, const char *dev, const char *key, const char *value)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/%s", family, dev, key);
    int f = open(path, O_WRONLY | O_CLOEXEC);
    if (f < 0)
        return;
    if (write(f, value, strlen(value)) < 0)
        note("cannot set %s", path);
    close(f);
}

/* The others, IFF_MULTICAST among them, stay as they are. */
static void set_flags(const struct visit *v, const char *dev, bool up)
{
    struct ifreq q = { .ifr_flags = 0 };
    snprintf(q.ifr_name, sizeof q.ifr_name, "%s", dev);
    if (ioctl(v->s4, SIOCGIFFLAGS, &q) < 0)
        die("%s: %s", dev, strerror(errno));
    q.ifr_flags = (short)(up ? q.ifr_flags | IFF_UP : q.ifr_flags & ~IFF_UP);
    if (ioctl(v->s4, SIOCSIFFLAGS, &q) < 0)
        die("%s %s: %s", dev, up ? "up" : "down", strerror(errno));
}

struct in6_request { /* struct in6_ifreq, whose header does not go with net/if.h */
    uint8_t addr[16];
    uint32_t plen;
    int index;
};

static void set_addr(const struct visit *v, const struct node *n, int i)
{
    if (!is4(&n->addr[i])) {
        struct in6_request a = { .plen = (uint32_t)n->plen[i], .index = (int)if_nametoindex(n->dev) };
        memcpy(a.addr, n->addr[i].b, 16);
        if (ioctl(v->s6, SIOCSIFADDR, &a) < 0 && errno != EEXIST)
            die("address %s: %s", ips(&n->addr[i]), strerror(errno));
        return;
    }
    int alias = 0;
    for (int k = 0; k < i; k++)
        alias += is4(&n->addr[k]);
    struct ifreq a = { .ifr_flags = 0 };
    struct sockaddr_in sa = { .sin_family = AF_INET };
    snprintf(a.ifr_name, sizeof a.ifr_name, alias ? "%s:%d" : "%s", n->dev, alias);
    memcpy(&sa.sin_addr, n->addr[i].b + 12, 4);
    memcpy(&a.ifr_addr, &sa, sizeof sa);
    if (ioctl(v->s4, SIOCSIFADDR, &a) < 0)
        die("address %s: %s", ips(&n->addr[i]), strerror(errno));
    sa.sin_addr.s_addr = htonl(n->plen[i] ? ~0u << (32 - n->plen[i]) : 0);
    memcpy(&a.ifr_netmask, &sa, sizeof sa);
    if (ioctl(v->s4, SIOCSIFNETMASK, &a) < 0)
        die("netmask of %s: %s", ips(&n->addr[i]), strerror(errno));
}

static void del_addr(const struct visit *v, const struct node *n, int i)
{
    if (is4(&n->addr[i])) { /* address 0 on its alias takes it away */
        int alias = 0;
        for (int k = 0; k < i; k++)
            alias += is4(&n->addr[k]);
        struct ifreq a = { .ifr_flags = 0 };
        struct sockaddr_in sa = { .sin_family = AF_INET };
        snprintf(a.ifr_name, sizeof a.ifr_name, alias ? "%s:%d" : "%s", n->dev, alias);
        memcpy(&a.ifr_addr, &sa, sizeof sa);
        if (ioctl(v->s4, SIOCSIFADDR, &a) < 0)
            note("%s: removing %s: %s", n->name, ips(&n->addr[i]), strerror(errno));
        return;
    }
    struct in6_request a = { .plen = (uint32_t)n->plen[i], .index = (int)if_nametoindex(n->dev) };
    memcpy(a.addr, n->addr[i].b, 16);
    if (ioctl(v->s6, SIOCDIFADDR, &a) < 0)
        note("%s: removing %s: %s", n->name, ips(&n->addr[i]), strerror(errno));
}

static bool has_family(const struct node *n, bool v4)
{
    for (int i = 0; i < n->naddr; i++)
        if (is4(&n->addr[i]) == v4)
            return true;
    return false;
}

/* Everything goes out by the interface; the first of two is preferred. */
static void set_default_routes(const struct visit *v, struct node *n)
{
    if (has_family(n, true)) {
        struct rtentry rt = { .rt_flags = RTF_UP, .rt_dev = n->dev, .rt_metric = (short)(n->metric + 1) };
        rt.rt_dst.sa_family = rt.rt_genmask.sa_family = AF_INET;
        if (ioctl(v->s4, SIOCADDRT, &rt) < 0 && errno != EEXIST)
            die("route %s: %s", n->name, strerror(errno));
    }
    if (has_family(n, false)) {
        struct { /* struct in6_rtmsg */
            uint8_t dst[16], src[16], gw[16];
            uint32_t type;
            uint16_t dst_len, src_len;
            uint32_t metric;
            unsigned long info;
            uint32_t flags;
            int index;
        } r6 = { .metric = (uint32_t)n->metric + 1, .flags = RTF_UP, .index = (int)if_nametoindex(n->dev) };
        if (ioctl(v->s6, SIOCADDRT, &r6) < 0 && errno != EEXIST)
            die("IPv6 route %s: %s", n->name, strerror(errno));
    }
}

/* ---- what statements ask for ---- */

static void make_device(struct node *n)
{
    struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", n->dev);
    n->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (n->fd < 0)
        die("/dev/net/tun: %s", strerror(errno));
    if (ioctl(n->fd, TUNSETIFF, &r) < 0)
        die("TUNSETIFF(%s): %s", n->name, strerror(errno));
    n->statfd = open("/proc/thread-self/net/dev", O_RDONLY | O_CLOEXEC);
}

void host_open(struct node *n)
{
    struct visit v = enter(n);
    make_device(n);
    bool v6 = has_family(n, false);
    sysctl("ipv6", n->dev, v6 ? "accept_ra" : "disable_ipv6", v6 ? "0" : "1"); /* no stray IPv6 */
    sysctl("ipv4", "all", "rp_filter", "0");
    sysctl("ipv4", n->dev, "rp_filter", "0");
    set_flags(&v, "lo", true);
    struct ifreq q = { .ifr_flags = 0 };
    snprintf(q.ifr_name, sizeof q.ifr_name, "%s", n->dev);
    q.ifr_mtu = n->mtu;
    if (ioctl(v.s4, SIOCSIFMTU, &q) < 0)
        die("mtu %d: %s", n->mtu, strerror(errno));
    q.ifr_qlen = 5000;
    ioctl(v.s4, SIOCSIFTXQLEN, &q);
    set_flags(&v, n->dev, true);
    for (int i = 0; i < n->naddr; i++)
        set_addr(&v, n, i);
    set_default_routes(&v, n);
    n->up = true;
    if (*pcapdir)
        pcap_open(n);
    leave(&v);
}

void host_set_up(struct node *n, bool up)
{
    struct visit v = enter(n);
    set_flags(&v, n->dev, up);
    for (int i = 0; up && i < n->naddr;
         i++) /* Linux keeps IPv4 addresses, and forgets the others and routes */
        if (!is4(&n->addr[i]))
            set_addr(&v, n, i);
    if (up)
        set_default_routes(&v, n);
    n->up = up;
    leave(&v);
}

void host_set_addr(struct node *n, const struct addr *addr, int plen)
{
    struct visit v = enter(n);
    int kept = 0;
    for (int i = n->naddr - 1; i >= 0; i--)
        if (is4(&n->addr[i]) == is4(addr))
            del_addr(&v, n, i);
    for (int i = 0; i < n->naddr; i++)
        if (is4(&n->addr[i]) != is4(addr)) {
            n->addr[kept] = n->addr[i];
            n->plen[kept++] = n->plen[i];
        }
    if (kept == MAXADDR)
        die("%s has too many addresses", n->name);
    n->addr[kept] = *addr;
    n->plen[kept] = plen;
    n->naddr = kept + 1;
    set_addr(&v, n, kept);
    if (n->up)
        set_default_routes(&v, n);
    leave(&v);
}

/* The kernel chooses an interface by destination; a host with two uplinks, as phones are, sends by the one
 * that the source address belongs to. NULL: that one is down. */
struct node *host_uplink(struct node *n, struct pkt *p)
{
    struct view v;
    if (!parse(p->d, p->len, &v, false))
        return n;
    for (struct node *o = nodes; o < nodes + nnodes; o++)
        for (int i = 0; o->kind == K_HOST && o->netns == n->netns && i < o->naddr; i++)
            if (aeq(&o->addr[i], &v.src))
                return o->up ? o : NULL;
    return n;
}

/* Packets that natbox was too slow to read. */
uint64_t tun_drops(const struct node *n)
{
    char b[2048], key[20], *p;
    ssize_t k = n->kind == K_HOST && n->statfd >= 0 ? pread(n->statfd, b, sizeof b - 1, 0) : 0;
    if (k <= 0)
        return 0;
    b[k] = 0;
    snprintf(key, sizeof key, "%s:", n->dev);
    p = strstr(b, key);
    if (!p)
        return 0;
    p += strlen(key);
    for (int field = 0; field < 11; field++) /* eight of reception, then bytes, packets, errors, drops */
        strtoull(p, &p, 10);
    return strtoull(p, NULL, 10);
}
