#include "base/addr.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/slice.h"

bool pl_addr_ip_eq(const pl_addr *a, const pl_addr *b)
{
    return a->family == b->family && a->scope == b->scope && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool pl_addr_eq(const pl_addr *a, const pl_addr *b)
{
    return a->port == b->port && pl_addr_ip_eq(a, b);
}

bool pl_addr_is_any(const pl_addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->ip, zero, sizeof zero) == 0;
}

bool pl_addr_is_loopback(const pl_addr *a)
{
    static const uint8_t one[16] = { [15] = 1 };
    return a->family == PL_AF_IP4 ? a->ip[0] == 127 : memcmp(a->ip, one, sizeof one) == 0;
}

bool pl_addr_is_link_local(const pl_addr *a)
{
    if (a->family == PL_AF_IP4)
        return a->ip[0] == 169 && a->ip[1] == 254;
    return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

bool pl_addr_is_private(const pl_addr *a)
{
    const uint8_t *ip = a->ip;
    if (a->family != PL_AF_IP4)
        return (ip[0] & 0xfe) == 0xfc;
    return ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168) ||
           (ip[0] == 100 && (ip[1] & 0xc0) == 64);
}

bool pl_addr_is_multicast(const pl_addr *a)
{
    return a->family == PL_AF_IP4 ? (a->ip[0] & 0xf0) == 0xe0 : a->ip[0] == 0xff;
}

static bool parse_ip4(uint8_t out[4], pl_str text)
{
    for (int i = 0; i < 4; i++) {
        uint64_t v;
        if (!text.p)
            return false;
        pl_str part = pl_str_cut(&text, '.');
        if (part.n > 3 || !pl_str_u64(part, 255, &v))
            return false;
        out[i] = (uint8_t)v;
    }
    return !text.p;
}

static bool parse_hex16(pl_str part, uint16_t *out)
{
    unsigned v = 0;
    if (part.n < 1 || part.n > 4)
        return false;
    for (size_t i = 0; i < part.n; i++) {
        char c = part.p[i];
        int d = c >= '0' && c <= '9'                 ? c - '0'
                : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                     : -1;
        if (d < 0)
            return false;
        v = v << 4 | (unsigned)d;
    }
    *out = (uint16_t)v;
    return true;
}

/* RFC 4291 2.2: eight groups, one "::" for a run of zeros, the last two possibly as IPv4. */
static bool parse_ip6(uint8_t out[16], pl_str text)
{
    uint8_t head[16], tail[16];
    size_t n_head = 0, n_tail = 0;
    bool gap = false;
    if (pl_str_starts(text, "::")) {
        gap = true;
        text.p += 2;
        text.n -= 2;
        if (!text.n)
            text.p = NULL;
    }
    while (text.p) {
        pl_str part = pl_str_cut(&text, ':');
        uint8_t *to = gap ? tail : head;
        size_t *n = gap ? &n_tail : &n_head;
        uint16_t v;
        if (part.n == 0) {
            if (gap || !n_head || !text.p)
                return false;
            gap = true;
            if (!text.n)
                text.p = NULL;
            continue;
        }
        if (n_head + n_tail > 14)
            return false;
        if (!text.p && memchr(part.p, '.', part.n)) {
            if (n_head + n_tail > 12 || !parse_ip4(to + *n, part))
                return false;
            *n += 4;
            continue;
        }
        if (!parse_hex16(part, &v))
            return false;
        pl_put16(to + *n, v);
        *n += 2;
    }
    if (gap ? n_head + n_tail > 14 : n_head != 16)
        return false;
    memset(out, 0, 16);
    memcpy(out, head, n_head);
    memcpy(out + 16 - n_tail, tail, n_tail);
    return true;
}

pl_err pl_addr_parse_ip(pl_addr *out, const char *text, size_t len)
{
    pl_str s = { text, len };
    *out = (pl_addr){ 0 };
    if (!len)
        return PL_EPROTO;
    if (!memchr(text, ':', len)) {
        if (!parse_ip4(out->ip, s))
            return PL_EPROTO;
        out->family = PL_AF_IP4;
        return PL_OK;
    }
    pl_str ip = pl_str_cut(&s, '%');
    uint64_t scope = 0;
    if ((s.p && !pl_str_u64(s, UINT32_MAX, &scope)) || !parse_ip6(out->ip, ip)) {
        *out = (pl_addr){ 0 };
        return PL_EPROTO;
    }
    out->family = PL_AF_IP6;
    out->scope = (uint32_t)scope;
    return PL_OK;
}

pl_err pl_addr_parse(pl_addr *out, const char *text, size_t len)
{
    pl_str s = { text, len }, ip;
    uint64_t port;
    *out = (pl_addr){ 0 };
    if (len && text[0] == '[') {
        s.p++;
        s.n--;
        ip = pl_str_cut(&s, ']');
        if (!s.p || s.n < 1 || s.p[0] != ':')
            return PL_EPROTO;
        s.p++;
        s.n--;
    } else {
        ip = pl_str_cut(&s, ':');
    }
    if (!s.p || !pl_str_u64(s, 65535, &port))
        return PL_EPROTO;
    pl_err err = pl_addr_parse_ip(out, ip.p, ip.n);
    out->port = err ? 0 : (uint16_t)port;
    return err;
}

/* RFC 5952: lower case, the longest run of two or more zero groups as "::", the first among equals. */
static void ip6_str(const pl_addr *a, char *out, size_t cap)
{
    int best = -1, best_n = 1;
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && pl_get16(a->ip + 2 * (i + n)) == 0)
            n++;
        if (n > best_n) {
            best = i;
            best_n = n;
        }
    }
    size_t at = 0;
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            at += (size_t)snprintf(out + at, cap - at, "::");
            i += best_n - 1;
            continue;
        }
        bool colon = i > 0 && !(best >= 0 && i == best + best_n);
        at += (size_t)snprintf(out + at, cap - at, "%s%x", colon ? ":" : "", pl_get16(a->ip + 2 * i));
    }
    if (a->scope)
        snprintf(out + at, cap - at, "%%%u", a->scope);
}

const char *pl_addr_ip_str(const pl_addr *a, char out[PL_ADDR_TEXT_MAX])
{
    if (a->family == PL_AF_IP4)
        snprintf(out, PL_ADDR_TEXT_MAX, "%u.%u.%u.%u", a->ip[0], a->ip[1], a->ip[2], a->ip[3]);
    else if (a->family == PL_AF_IP6)
        ip6_str(a, out, PL_ADDR_TEXT_MAX);
    else
        snprintf(out, PL_ADDR_TEXT_MAX, "none");
    return out;
}

const char *pl_addr_str(const pl_addr *a, char out[PL_ADDR_TEXT_MAX])
{
    char ip[PL_ADDR_TEXT_MAX];
    pl_addr_ip_str(a, ip);
    snprintf(out, PL_ADDR_TEXT_MAX, a->family == PL_AF_IP6 ? "[%.54s]:%u" : "%.54s:%u", ip, a->port);
    return out;
}
