#include "ice/candidate.h"

#include <stdio.h>

/* RFC 8445 5.1.2.2, in the order of pl_ice_type. */
static const uint8_t type_preference[] = {
    [PL_ICE_HOST] = 126, [PL_ICE_SRFLX] = 100, [PL_ICE_PRFLX] = 110, [PL_ICE_RELAY] = 0
};
static const char *const type_name[] = {
    [PL_ICE_HOST] = "host", [PL_ICE_SRFLX] = "srflx", [PL_ICE_PRFLX] = "prflx", [PL_ICE_RELAY] = "relay"
};
static const char *const tcptype_name[] = {
    [PL_ICE_TCPTYPE_ACTIVE] = "active", [PL_ICE_TCPTYPE_PASSIVE] = "passive", [PL_ICE_TCPTYPE_SO] = "so"
};

uint32_t pl_ice_cand_priority(pl_ice_type type, uint16_t local_pref, uint16_t component)
{
    return (uint32_t)type_preference[type] << 24 | (uint32_t)local_pref << 8 | (256u - component);
}

/* Whoever is behind a NAT gets out, but not in: of host candidates the active one is best, of reflexive ones the
 * simultaneous-open one. */
uint32_t pl_ice_cand_priority_tcp(pl_ice_type type, pl_ice_tcptype tcptype, uint16_t other_pref)
{
    static const uint8_t type_pref[] = {
        [PL_ICE_HOST] = 90, [PL_ICE_SRFLX] = 70, [PL_ICE_PRFLX] = 80, [PL_ICE_RELAY] = 0
    };
    static const uint8_t direct[] = { 0, 6, 4, 2 }, reflexive[] = { 0, 4, 2, 6 };
    uint32_t direction = (type == PL_ICE_HOST || type == PL_ICE_RELAY ? direct : reflexive)[tcptype];
    return (uint32_t)type_pref[type] << 24 | direction << 21 | (uint32_t)(other_pref >> 3) << 8 | 255;
}

uint16_t pl_ice_local_pref(pl_family family, uint16_t nth)
{
    uint32_t place = 2u * nth + (family == PL_AF_IP4);
    return (uint16_t)(place < UINT16_MAX ? UINT16_MAX - place : 0);
}

uint64_t pl_ice_pair_priority(uint32_t controlling, uint32_t controlled)
{
    uint64_t g = controlling, d = controlled;
    return (g < d ? g : d) << 32 | (g > d ? g : d) << 1 | (g > d);
}

const char *pl_ice_type_str(uint8_t type)
{
    return type <= PL_ICE_RELAY ? type_name[type] : "unknown";
}

const char *pl_ice_tcptype_str(pl_ice_tcptype t)
{
    return t > PL_ICE_TCPTYPE_NONE && t <= PL_ICE_TCPTYPE_SO ? tcptype_name[t] : "";
}

bool pl_ice_chars_ok(pl_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
                  c == '/';
        if (!ok)
            return false;
    }
    return true;
}

static bool host_chars_ok(pl_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '.' || c == '_';
        if (!ok)
            return false;
    }
    return text.n > 0 && text.p[0] != '.' && text.p[text.n - 1] != '.';
}

bool pl_ice_name_is_mdns(const char *name)
{
    static const char suffix[] = ".local";
    size_t n = strlen(name), m = sizeof suffix - 1;
    return n > m && pl_str_ieq((pl_str){ name + n - m, m }, PL_STR(suffix)) && name[n - m - 1] != '.';
}

/* ---- reading ---- */

static pl_str word(pl_str *rest)
{
    pl_str w;
    do
        w = pl_str_cut(rest, ' ');
    while (w.n == 0 && rest->p); /* a doubled space is not worth a lost call */
    return w;
}

static bool number(pl_str w, uint64_t max, uint64_t *out)
{
    return w.n > 0 && w.n <= 10 && pl_str_u64(w, max, out);
}

static bool read_port(pl_str w, pl_addr *a)
{
    uint64_t n;
    if (!number(w, UINT16_MAX, &n))
        return false;
    a->port = (uint16_t)n;
    return true;
}

/* An IP address, or a name when `name` is not NULL. A zone (fe80::1%2) means something on the machine that wrote it alone. */
static bool read_host(pl_str w, pl_addr *a, char *name, size_t name_cap)
{
    if (pl_addr_parse_ip(a, w.p, w.n) == PL_OK) {
        a->scope = 0;
        return true;
    }
    *a = (pl_addr){ 0 };
    return name && host_chars_ok(w) && pl_str_copy(w, name, name_cap);
}

static pl_err read_proto(pl_str w, pl_ice_cand *c)
{
    if (pl_str_ieq(w, PL_STR("udp")))
        c->proto = PL_UDP;
    else if (pl_str_ieq(w, PL_STR("tcp")) || pl_str_ieq(w, PL_STR("ssltcp")))
        c->proto = PL_TCP;
    else
        return w.n ? PL_ENOTSUP : PL_EPROTO;
    c->pseudo_ssl = pl_str_ieq(w, PL_STR("ssltcp"));
    return PL_OK;
}

static pl_err read_type(pl_str w, pl_ice_cand *c)
{
    for (int i = 0; i <= PL_ICE_RELAY; i++) {
        if (pl_str_ieq(w, pl_str_of(type_name[i]))) {
            c->type = (uint8_t)i;
            return PL_OK;
        }
    }
    return w.n ? PL_ENOTSUP : PL_EPROTO;
}

/* foundation SP component SP transport SP priority SP address SP port SP "typ" SP type */
static pl_err read_fixed(pl_str *rest, pl_ice_cand *c)
{
    uint64_t n;
    pl_str foundation = word(rest);
    if (foundation.n == 0 || !pl_ice_chars_ok(foundation) ||
        !pl_str_copy(foundation, c->foundation, sizeof c->foundation))
        return PL_EPROTO;
    if (!number(word(rest), 256, &n) || n == 0)
        return PL_EPROTO;
    c->component = (uint16_t)n;
    pl_err unknown = read_proto(word(rest), c);
    if (unknown == PL_EPROTO || !number(word(rest), UINT32_MAX, &n))
        return PL_EPROTO;
    c->priority = (uint32_t)n;
    pl_str host = word(rest);
    if (!read_host(host, &c->addr, c->name, sizeof c->name) || !read_port(word(rest), &c->addr))
        return PL_EPROTO;
    if (!pl_str_ieq(word(rest), PL_STR("typ")))
        return PL_EPROTO;
    pl_err err = read_type(word(rest), c);
    return err ? err : unknown;
}

static bool read_tcptype(pl_str w, pl_ice_cand *c)
{
    for (int i = PL_ICE_TCPTYPE_ACTIVE; i <= PL_ICE_TCPTYPE_SO; i++)
        if (pl_str_ieq(w, pl_str_of(tcptype_name[i])))
            c->tcptype = (uint8_t)i;
    return c->tcptype != PL_ICE_TCPTYPE_NONE;
}

/* Pairs of name and value in any order; related addresses that are hidden or odd are simply not known. */
static bool read_extension(pl_str name, pl_str value, pl_ice_cand *c)
{
    uint64_t n;
    if (pl_str_is(name, "raddr")) {
        uint16_t port = c->related.port;
        if (!read_host(value, &c->related, NULL, 0))
            return host_chars_ok(value);
        c->related.port = port;
        return true;
    }
    if (pl_str_is(name, "rport"))
        return read_port(value, &c->related);
    if (pl_str_is(name, "tcptype"))
        return read_tcptype(value, c);
    if (pl_str_is(name, "ufrag"))
        return pl_ice_chars_ok(value) && pl_str_copy(value, c->ufrag, sizeof c->ufrag);
    if (pl_str_is(name, "generation") && number(value, UINT32_MAX, &n)) {
        c->generation = (uint32_t)n;
        c->has_generation = true;
    } else if (pl_str_is(name, "network-id") && number(value, UINT16_MAX, &n)) {
        c->network_id = (uint16_t)n;
        c->has_network_id = true;
    } else if (pl_str_is(name, "network-cost") && number(value, UINT16_MAX, &n)) {
        c->network_cost = (uint16_t)n;
        c->has_network_cost = true;
    }
    return true;
}

pl_err pl_ice_cand_parse(pl_ice_cand *out, const char *text, size_t len)
{
    pl_ice_cand c = { 0 };
    *out = c;
    while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    pl_str rest = { text, len };
    if (pl_str_starts(rest, "a="))
        rest = (pl_str){ rest.p + 2, rest.n - 2 };
    if (!pl_str_starts(rest, "candidate:"))
        return PL_EPROTO;
    rest = (pl_str){ rest.p + 10, rest.n - 10 };
    pl_err err = read_fixed(&rest, &c);
    if (err)
        return err;
    while (rest.p) {
        pl_str name = word(&rest);
        if (name.n == 0 || !rest.p || !read_extension(name, word(&rest), &c))
            return PL_EPROTO;
    }
    if (c.related.family == PL_AF_NONE)
        c.related = (pl_addr){ 0 };
    *out = c;
    return PL_OK;
}

/* ---- writing ---- */

static void put_related(pl_buf *b, const pl_ice_cand *c)
{
    char text[PL_ADDR_TEXT_MAX];
    if (c->related.family != PL_AF_NONE)
        pl_buf_addf(b, " raddr %s rport %u", pl_addr_ip_str(&c->related, text), c->related.port);
    else if (c->type != PL_ICE_HOST) /* the grammar wants it for these: hidden, as browsers write it */
        pl_buf_addf(b, " raddr %s rport 0", c->addr.family == PL_AF_IP6 ? "::" : "0.0.0.0");
}

size_t pl_ice_cand_print(const pl_ice_cand *c, char *out, size_t cap)
{
    char ip[PL_ADDR_TEXT_MAX];
    pl_buf b = pl_buf_init(PL_ICE_CAND_TEXT_MAX);
    pl_addr shown = c->addr;
    shown.scope = 0; /* an interface number means nothing to others */
    pl_buf_addf(&b, "candidate:%s %u %s %u %s %u typ %s", c->foundation, c->component,
                c->pseudo_ssl ? "ssltcp"
                : c->proto    ? "tcp"
                              : "udp",
                (unsigned)c->priority, c->name[0] ? c->name : pl_addr_ip_str(&shown, ip), c->addr.port,
                pl_ice_type_str(c->type));
    put_related(&b, c);
    if (c->tcptype != PL_ICE_TCPTYPE_NONE)
        pl_buf_addf(&b, " tcptype %s", tcptype_name[c->tcptype]);
    if (c->has_generation)
        pl_buf_addf(&b, " generation %u", (unsigned)c->generation);
    if (c->ufrag[0])
        pl_buf_addf(&b, " ufrag %s", c->ufrag);
    if (c->has_network_id)
        pl_buf_addf(&b, " network-id %u", c->network_id);
    if (c->has_network_cost)
        pl_buf_addf(&b, " network-cost %u", c->network_cost);
    size_t n = b.bad || b.n >= cap ? 0 : b.n;
    if (n)
        memcpy(out, b.p, n);
    if (cap)
        out[n] = 0;
    pl_buf_clear(&b);
    return n;
}

bool pl_ice_cand_usable(const pl_ice_cand *c)
{
    bool reachable =
        c->proto == PL_UDP || c->tcptype == PL_ICE_TCPTYPE_PASSIVE || c->tcptype == PL_ICE_TCPTYPE_SO;
    if (!reachable || c->pseudo_ssl || c->component != 1 || c->addr.port == 0)
        return false;
    if (c->addr.family == PL_AF_NONE)
        return pl_ice_name_is_mdns(c->name);
    return !pl_addr_is_any(&c->addr) && !pl_addr_is_multicast(&c->addr);
}
