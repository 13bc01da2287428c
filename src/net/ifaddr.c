#include "net/ifaddr.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/sockaddr.h"

/* --- hints of Linux: what /sys and /proc tell beyond getifaddrs --- */

enum { ARP_ETHERNET = 1, ARP_PPP = 512, ARP_LOOPBACK = 772, ARP_NONE = 65534 };
/* Flags of /proc/net/if_inet6, as in linux/if_addr.h */
enum { V6_TEMPORARY = 0x01, V6_DAD_FAILED = 0x08, V6_DEPRECATED = 0x20, V6_TENTATIVE = 0x40 };

static bool sys_has(const char *name, const char *what)
{
    char path[64 + PL_IFADDR_NAME_MAX];
    snprintf(path, sizeof path, "/sys/class/net/%s/%s", name, what);
    return access(path, F_OK) == 0;
}

static bool starts_with_one_of(const char *name, const char *const *prefix)
{
    for (; *prefix; prefix++) {
        if (strncmp(name, *prefix, strlen(*prefix)) == 0)
            return true;
    }
    return false;
}

static pl_if_type guess_type(const char *name, unsigned flags, int arp)
{
    static const char *const vpn[] = { "tun", "tap", "wg", "ppp", "ipsec", "utun", "tailscale", "zt", NULL };
    static const char *const wifi[] = { "wl", "ath", "ra", NULL };
    static const char *const cellular[] = { "ww", "rmnet", "pdp_ip", NULL };
    static const char *const ethernet[] = { "eth", "en", NULL };
    if (flags & IFF_LOOPBACK)
        return PL_IF_LOOPBACK;
    if (sys_has(name, "wireless") || sys_has(name, "phy80211") || starts_with_one_of(name, wifi))
        return PL_IF_WIFI;
    if (starts_with_one_of(name, cellular))
        return PL_IF_CELLULAR;
    if (sys_has(name, "tun_flags") || starts_with_one_of(name, vpn) || arp == ARP_PPP || arp == ARP_NONE)
        return PL_IF_VPN;
    if (arp == ARP_ETHERNET || starts_with_one_of(name, ethernet))
        return PL_IF_ETHERNET;
    return PL_IF_UNKNOWN;
}

/* The state of the IPv6 addresses; getifaddrs does not know it. */
typedef struct v6_state {
    uint8_t ip[16];
    uint32_t index;
    unsigned flags;
} v6_state;

/* "fe8000000000000000fc00fffe000001 04 40 20 80 eth0": address, index, prefix, scope, flags, name; all hex.
 */
static bool parse_v6_state(const char *line, v6_state *out)
{
    char byte[3] = { 0 }, *at = NULL;
    if (strspn(line, "0123456789abcdef") != 32)
        return false;
    for (size_t i = 0; i < 16; i++) {
        memcpy(byte, line + 2 * i, 2);
        out->ip[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    out->index = (uint32_t)strtoul(line + 32, &at, 16);
    (void)strtoul(at, &at, 16);
    (void)strtoul(at, &at, 16);
    out->flags = (unsigned)strtoul(at, NULL, 16);
    return true;
}

static size_t read_v6_states(v6_state *out, size_t cap)
{
    FILE *f = fopen("/proc/net/if_inet6", "re");
    char line[128];
    size_t n = 0;
    while (f && n < cap && fgets(line, sizeof line, f))
        n += parse_v6_state(line, &out[n]);
    if (f)
        fclose(f);
    return n;
}

static unsigned v6_flags(const v6_state *state, size_t n, const pl_ifaddr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (state[i].index == a->index && memcmp(state[i].ip, a->addr.ip, 16) == 0)
            return state[i].flags;
    }
    return 0;
}

/* --- the list --- */

static uint8_t prefix_bits(const struct sockaddr *mask, int family)
{
    pl_addr a = { 0 };
    struct sockaddr_storage with_family = { 0 };
    if (!mask)
        return 0;
    memcpy(&with_family, mask, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    with_family.ss_family = (sa_family_t)family; /* some systems leave it out of masks */
    pl_sockaddr_to(&a, (struct sockaddr *)&with_family);
    uint8_t bits = 0;
    for (size_t i = 0; i < sizeof a.ip; i++)
        bits = (uint8_t)(bits + __builtin_popcount(a.ip[i]));
    return bits;
}

/* Addresses that no peer should be told: none at all, IPv4-mapped and -compatible ones, site-local and 6bone
 * ones (RFC 8445 5.1.1.1). */
static bool is_useless(const pl_addr *a)
{
    static const uint8_t zeros[12];
    if (pl_addr_is_any(a) || pl_addr_is_multicast(a))
        return true;
    if (a->family == PL_AF_IP4 || pl_addr_is_loopback(a))
        return false;
    bool site_local = a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0xc0;
    return site_local || memcmp(a->ip, zeros, 12) == 0;
}

static bool is_wanted(const pl_ifaddr *a, unsigned flags, unsigned state)
{
    if (is_useless(&a->addr) || state & (V6_DEPRECATED | V6_TENTATIVE | V6_DAD_FAILED))
        return false;
    if (a->type == PL_IF_LOOPBACK || pl_addr_is_loopback(&a->addr))
        return flags & PL_IFADDR_LOOPBACK;
    return !pl_addr_is_link_local(&a->addr) || flags & PL_IFADDR_LINK_LOCAL;
}

/* Index and hardware type stand in the link-level entry that getifaddrs gives for the interface: asking the system
 * once more for every address cost more than the list itself. */
static int read_link(pl_ifaddr *out, const struct ifaddrs *all)
{
    for (; all; all = all->ifa_next) {
        if (all->ifa_addr && all->ifa_addr->sa_family == AF_PACKET && strcmp(all->ifa_name, out->name) == 0) {
            struct sockaddr_ll link;
            memcpy(&link, all->ifa_addr, sizeof link);
            out->index = (uint32_t)link.sll_ifindex;
            return link.sll_hatype;
        }
    }
    out->index = if_nametoindex(out->name);
    return -1;
}

/* What the interface is, asked once for all its addresses: `list` holds those found so far. */
static void read_interface(pl_ifaddr *out, const struct ifaddrs *ifa, const struct ifaddrs *all,
                           const pl_ifaddr *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, out->name) == 0) {
            out->index = list[i].index;
            out->type = list[i].type;
            return;
        }
    }
    int arp = read_link(out, all);
    out->type = (uint8_t)guess_type(out->name, ifa->ifa_flags, arp);
}

static bool read_address(pl_ifaddr *out, const struct ifaddrs *ifa)
{
    *out = (pl_ifaddr){ 0 };
    if (!ifa->ifa_addr || !(ifa->ifa_flags & IFF_UP) || !pl_sockaddr_to(&out->addr, ifa->ifa_addr))
        return false;
    out->addr.port = 0;
    snprintf(out->name, sizeof out->name, "%s", ifa->ifa_name);
    out->prefix = prefix_bits(ifa->ifa_netmask, ifa->ifa_addr->sa_family);
    out->multicast = ifa->ifa_flags & IFF_MULTICAST;
    return true;
}

static bool is_listed(const pl_ifaddr *list, size_t n, const pl_addr *addr)
{
    for (size_t i = 0; i < n; i++) {
        if (pl_addr_eq(&list[i].addr, addr))
            return true;
    }
    return false;
}

/* A stable address says for months who we are: where a temporary one of the same network is at hand, that
 * one goes out (RFC 8445 5.1.1.1). */
static bool has_temporary_sibling(const pl_ifaddr *list, size_t n, const pl_ifaddr *a)
{
    if (a->addr.family != PL_AF_IP6 || a->temporary || pl_addr_is_link_local(&a->addr))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (list[i].temporary && list[i].index == a->index && memcmp(list[i].addr.ip, a->addr.ip, 8) == 0)
            return true;
    }
    return false;
}

static size_t drop_stable(pl_ifaddr *list, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n;
         i++) { /* a temporary one is never dropped, so what is asked about is still there */
        if (!has_temporary_sibling(list, n, &list[i]))
            list[kept++] = list[i];
    }
    return kept;
}

size_t pl_ifaddr_list(pl_ifaddr *out, size_t cap, unsigned flags)
{
    v6_state state[PL_IFADDR_MAX];
    size_t n_states = read_v6_states(state, PL_IFADDR_MAX), n = 0;
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return 0;
    for (struct ifaddrs *ifa = all; ifa && n < cap; ifa = ifa->ifa_next) {
        pl_ifaddr a;
        if (!read_address(&a, ifa))
            continue;
        read_interface(&a, ifa, all, out, n);
        unsigned v6 = a.addr.family == PL_AF_IP6 ? v6_flags(state, n_states, &a) : 0;
        a.temporary = v6 & V6_TEMPORARY;
        if (is_wanted(&a, flags, v6) && !is_listed(out, n, &a.addr))
            out[n++] = a;
    }
    freeifaddrs(all);
    return flags & PL_IFADDR_STABLE ? n : drop_stable(out, n);
}

const char *pl_if_type_str(pl_if_type type)
{
    static const char *const name[] = {
        [PL_IF_UNKNOWN] = "unknown",   [PL_IF_ETHERNET] = "ethernet", [PL_IF_WIFI] = "wifi",
        [PL_IF_CELLULAR] = "cellular", [PL_IF_VPN] = "vpn",           [PL_IF_LOOPBACK] = "loopback"
    };
    return (size_t)type < sizeof name / sizeof *name ? name[type] : "unknown";
}

/* ---- routes ---- */

/* The kernel chooses the source when a datagram socket is connected; no packet leaves by that. */
pl_err pl_ifaddr_source(pl_addr *out, const pl_addr *to)
{
    struct sockaddr_storage sa, mine;
    socklen_t len = pl_sockaddr_from(&sa, to, false), mine_len = sizeof mine;
    *out = (pl_addr){ 0 };
    int fd = len ? socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0)
        return PL_EIO;
    bool known = connect(fd, (struct sockaddr *)&sa, len) == 0 &&
                 getsockname(fd, (struct sockaddr *)&mine, &mine_len) == 0 &&
                 pl_sockaddr_to(out, (struct sockaddr *)&mine);
    close(fd);
    out->port = 0;
    return known ? PL_OK : PL_EIO;
}
