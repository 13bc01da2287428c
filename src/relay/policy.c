#include "relay/policy.h"

#include <string.h>

#include "base/slice.h"

/* Why a range is denied by default, and so which flag lifts it. */
typedef enum reason { ALWAYS, LOOPBACK, PRIVATE, LINK_LOCAL } reason;

typedef struct default_range {
    uint8_t ip[16];
    uint8_t bits;
    uint8_t reason;
} default_range;

static const default_range denied4[] = {
    { { 0 }, 8, ALWAYS },             /* "this" network, and "any" */
    { { 10 }, 8, PRIVATE },           /* RFC 1918 */
    { { 100, 64 }, 10, PRIVATE },     /* RFC 6598, carrier-grade NAT */
    { { 127 }, 8, LOOPBACK },         /* */
    { { 169, 254 }, 16, LINK_LOCAL }, /* RFC 3927; clouds keep their metadata there */
    { { 172, 16 }, 12, PRIVATE },     /* RFC 1918 */
    { { 192, 0, 0 }, 24, ALWAYS },    /* IETF protocol assignments */
    { { 192, 168 }, 16, PRIVATE },    /* RFC 1918 */
    { { 224 }, 4, ALWAYS },           /* multicast */
    { { 240 }, 4, ALWAYS },           /* reserved, and the limited broadcast */
};

static const default_range denied6[] = {
    { { 0 }, 96, ALWAYS },                         /* "any", IPv4-compatible */
    { { [15] = 1 }, 128, LOOPBACK },               /* */
    { { [10] = 0xff, [11] = 0xff }, 96, ALWAYS },  /* IPv4-mapped: never on the wire */
    { { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48, ALWAYS }, /* local NAT64, RFC 8215 */
    { { 0x20, 0x01 }, 32, ALWAYS },                /* Teredo */
    { { 0xfc }, 7, PRIVATE },                      /* ULA */
    { { 0xfe, 0x80 }, 10, LINK_LOCAL },            /* */
    { { 0xfe, 0xc0 }, 10, PRIVATE },               /* site-local, given up by RFC 3879 */
    { { 0xff }, 8, ALWAYS },                       /* multicast */
};

static bool inside(const uint8_t *ip, const uint8_t *base, unsigned bits)
{
    if (memcmp(ip, base, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return !rest || ((ip[bits / 8] ^ base[bits / 8]) & (0xff00 >> rest) & 0xff) == 0;
}

/* Longest prefix of a list that holds the address; -1: none. */
static int longest(const pl_relay_range *list, size_t n, const pl_addr *a)
{
    int best = -1;
    for (size_t i = 0; i < n; i++)
        if (list[i].base.family == a->family && list[i].bits > best &&
            inside(a->ip, list[i].base.ip, list[i].bits))
            best = list[i].bits;
    return best;
}

static bool lifted(const pl_relay_policy *p, uint8_t why)
{
    switch (why) {
    case LOOPBACK: return p->allow_loopback;
    case PRIVATE: return p->allow_private;
    case LINK_LOCAL: return p->allow_link_local;
    default: return false;
    }
}

static int longest_default(const pl_relay_policy *p, const pl_addr *a)
{
    bool is4 = a->family == PL_AF_IP4;
    const default_range *list = is4 ? denied4 : denied6;
    size_t n = is4 ? sizeof denied4 / sizeof *denied4 : sizeof denied6 / sizeof *denied6;
    const default_range *best = NULL;
    for (size_t i = 0; i < n; i++)
        if ((!best || list[i].bits > best->bits) && inside(a->ip, list[i].ip, list[i].bits))
            best = &list[i];
    return best && !lifted(p, best->reason) ? best->bits : -1;
}

/* The IPv4 address a translator would take out of it: NAT64's well-known prefix (RFC 6052), 6to4 (RFC 3056). */
static bool hidden_ip4(const pl_addr *a, pl_addr *out)
{
    static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };
    if (a->family != PL_AF_IP6)
        return false;
    *out = (pl_addr){ .family = PL_AF_IP4 };
    if (memcmp(a->ip, nat64, sizeof nat64) == 0)
        memcpy(out->ip, a->ip + 12, 4);
    else if (a->ip[0] == 0x20 && a->ip[1] == 0x02)
        memcpy(out->ip, a->ip + 2, 4);
    else
        return false;
    return true;
}

static bool is_own(const pl_relay_policy *p, const pl_addr *a)
{
    for (size_t i = 0; i < p->n_own; i++)
        if (p->own[i].family == a->family && memcmp(p->own[i].ip, a->ip, sizeof a->ip) == 0)
            return true;
    return false;
}

pl_relay_verdict pl_relay_judge(const pl_relay_policy *p, const pl_addr *peer)
{
    if (peer->family != PL_AF_IP4 && peer->family != PL_AF_IP6)
        return PL_RELAY_DENIED;
    int full = peer->family == PL_AF_IP4 ? 32 : 128;
    int allow = longest(p->allow, p->n_allow, peer), deny = longest(p->deny, p->n_deny, peer);
    if (deny >= 0 && deny >= allow)
        return PL_RELAY_DENIED;
    if (allow < full && !pl_addr_is_loopback(peer) && is_own(p, peer))
        return PL_RELAY_OWN;
    if (longest_default(p, peer) > allow)
        return PL_RELAY_DENIED;
    pl_addr hidden;
    if (allow < full && hidden_ip4(peer, &hidden))
        return pl_relay_judge(p, &hidden) == PL_RELAY_ALLOWED ? PL_RELAY_ALLOWED : PL_RELAY_DENIED;
    return PL_RELAY_ALLOWED;
}

bool pl_relay_may_reach(const pl_relay_policy *p, const pl_addr *peer)
{
    switch (pl_relay_judge(p, peer)) {
    case PL_RELAY_ALLOWED: return true;
    case PL_RELAY_OWN: return peer->port >= p->port_lo && peer->port <= p->port_hi && peer->port != 0;
    default: return false;
    }
}

pl_err pl_relay_range_parse(pl_relay_range *out, const char *text, size_t len)
{
    *out = (pl_relay_range){ 0 };
    pl_str rest = { text, len };
    pl_str ip = pl_str_cut(&rest, '/');
    pl_err err = pl_addr_parse_ip(&out->base, ip.p, ip.n);
    unsigned full = out->base.family == PL_AF_IP4 ? 32 : 128;
    uint64_t bits = full;
    if (err || out->base.scope || (rest.p && !pl_str_u64(rest, full, &bits))) {
        *out = (pl_relay_range){ 0 };
        return PL_EPROTO;
    }
    out->bits = (uint8_t)bits;
    for (unsigned i = 0; i < 16; i++)
        if (i * 8 >= bits)
            out->base.ip[i] = 0;
        else if (bits - i * 8 < 8)
            out->base.ip[i] &= (uint8_t)(0xff00 >> (bits - i * 8));
    return PL_OK;
}
