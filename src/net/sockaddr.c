#include "net/sockaddr.h"

#include <string.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static socklen_t write_ip4(struct sockaddr_storage *out, const pl_addr *a)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    in->sin_family = AF_INET;
    in->sin_port = htons(a->port);
    memcpy(&in->sin_addr, a->ip, 4);
    return sizeof *in;
}

static socklen_t write_ip6(struct sockaddr_storage *out, const pl_addr *a)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(a->port);
    if (a->family == PL_AF_IP4) {
        memcpy(&in6->sin6_addr, mapped_prefix, 12);
        memcpy((uint8_t *)&in6->sin6_addr + 12, a->ip, 4);
    } else {
        memcpy(&in6->sin6_addr, a->ip, 16);
        in6->sin6_scope_id = a->scope;
    }
    return sizeof *in6;
}

socklen_t pl_sockaddr_from(struct sockaddr_storage *out, const pl_addr *a, bool mapped)
{
    memset(out, 0, sizeof(struct sockaddr_in6));
    switch (a->family) {
    case PL_AF_IP4: return mapped ? write_ip6(out, a) : write_ip4(out, a);
    case PL_AF_IP6: return write_ip6(out, a);
    default: return 0;
    }
}

static void read_ip6(pl_addr *out, const struct sockaddr_in6 *in6)
{
    out->port = ntohs(in6->sin6_port);
    if (memcmp(&in6->sin6_addr, mapped_prefix, 12) == 0) {
        out->family = PL_AF_IP4;
        memcpy(out->ip, (const uint8_t *)&in6->sin6_addr + 12, 4);
        return;
    }
    out->family = PL_AF_IP6;
    memcpy(out->ip, &in6->sin6_addr, 16);
    if (pl_addr_is_link_local(out)) /* the kernel tells the interface of wider addresses, too: not theirs */
        out->scope = in6->sin6_scope_id;
}

bool pl_sockaddr_to(pl_addr *out, const struct sockaddr *sa)
{
    *out = (pl_addr){ 0 };
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        out->family = PL_AF_IP4;
        out->port = ntohs(in->sin_port);
        memcpy(out->ip, &in->sin_addr, 4);
        return true;
    }
    if (sa->sa_family != AF_INET6)
        return false;
    read_ip6(out, (const struct sockaddr_in6 *)(const void *)sa);
    return true;
}
