#include "stun/uri.h"

#include <stdio.h>

static const struct {
    const char *name;
    bool turn, secure;
} schemes[] = {
    { "stun", false, false }, { "stuns", false, true }, { "turn", true, false }, { "turns", true, true }
};
enum { N_SCHEMES = sizeof schemes / sizeof schemes[0] };

const char *pl_stun_transport_str(pl_stun_transport t)
{
    static const char *const name[] = { "udp", "tcp", "tls", "dtls" };
    return t <= PL_STUN_DTLS ? name[t] : "?";
}

static bool read_scheme(pl_stun_uri *u, pl_str word)
{
    for (int i = 0; i < N_SCHEMES; i++) {
        if (pl_str_ieq(word, pl_str_of(schemes[i].name))) {
            u->turn = schemes[i].turn;
            u->secure = schemes[i].secure;
            u->transport = u->secure ? PL_STUN_TLS : PL_STUN_UDP;
            return true;
        }
    }
    return false;
}

/* "transport=udp": RFC 7065 names what is below TLS; our words for both together are taken, too. */
static bool read_query(pl_stun_uri *u, pl_str query)
{
    pl_str rest = query, key = pl_str_cut(&rest, '=');
    if (!pl_str_ieq(key, PL_STR("transport")))
        return false;
    for (int t = PL_STUN_UDP; t <= PL_STUN_DTLS; t++) {
        if (!pl_str_ieq(rest, pl_str_of(pl_stun_transport_str((pl_stun_transport)t))))
            continue;
        if (t >= PL_STUN_TLS && !u->secure)
            return false;
        bool datagrams = t == PL_STUN_UDP || t == PL_STUN_DTLS;
        u->transport = u->secure ? (datagrams ? PL_STUN_DTLS : PL_STUN_TLS) : (uint8_t)t;
        u->has_transport = true;
        return true;
    }
    return false;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels of 1 to 63 characters. A last one of digits alone would be a broken IPv4 address. */
static bool is_name(pl_str host)
{
    pl_str rest = host, label = { 0 };
    if (host.n && host.p[host.n - 1] == '.')
        rest.n--; /* the root may be written */
    while (rest.p) {
        label = pl_str_cut(&rest, '.');
        if (label.n == 0 || label.n > 63)
            return false;
        for (size_t i = 0; i < label.n; i++) {
            if (!is_name_char(label.p[i]))
                return false;
        }
    }
    uint64_t number;
    return label.n && !pl_str_u64(label, UINT64_MAX, &number);
}

static bool read_host(pl_stun_uri *u, pl_str host, bool bracketed)
{
    if (pl_addr_parse_ip(&u->ip, host.p, host.n) == PL_OK) {
        u->is_ip = true;
        if ((u->ip.family == PL_AF_IP6) != bracketed)
            return false;
    } else if (bracketed || !is_name(host)) {
        return false;
    }
    return pl_str_copy(host, u->host, sizeof u->host);
}

static bool read_port(pl_stun_uri *u, pl_str text)
{
    uint64_t port;
    if (!pl_str_u64(text, UINT16_MAX, &port) || port == 0)
        return false;
    u->port = (uint16_t)port;
    return true;
}

/* host[:port], IPv6 in brackets */
static bool read_host_port(pl_stun_uri *u, pl_str text)
{
    pl_str host, rest = text;
    bool bracketed = text.n && text.p[0] == '[';
    if (bracketed) {
        rest = (pl_str){ text.p + 1, text.n - 1 };
        host = pl_str_cut(&rest, ']');
        if (!rest.p || (rest.n && rest.p[0] != ':'))
            return false;
        return read_host(u, host, true) && (!rest.n || read_port(u, (pl_str){ rest.p + 1, rest.n - 1 }));
    }
    host = pl_str_cut(&rest, ':');
    return read_host(u, host, false) && (!rest.p || read_port(u, rest));
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded; no zero byte, not empty. */
static bool read_text(pl_str in, char *out, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        int c = (unsigned char)in.p[i];
        if (c == '%') {
            int hi = i + 2 < in.n ? hex_of(in.p[i + 1]) : -1, lo = hi >= 0 ? hex_of(in.p[i + 2]) : -1;
            if (lo < 0)
                return false;
            c = hi << 4 | lo;
            i += 2;
        }
        if (c == 0 || n + 1 >= cap)
            return false;
        out[n++] = (char)c;
    }
    out[n] = 0;
    return n > 0;
}

/* USER:PASSWORD@ before the host; the last @ ends it, so a password may hold one. */
static bool read_credentials(pl_stun_uri *u, pl_str *text)
{
    size_t at = text->n;
    while (at > 0 && text->p[at - 1] != '@')
        at--;
    if (at == 0)
        return true;
    pl_str password = { text->p, at - 1 }, user = pl_str_cut(&password, ':');
    *text = (pl_str){ text->p + at, text->n - at };
    return password.p && read_text(user, u->username, sizeof u->username) &&
           read_text(password, u->password, sizeof u->password);
}

static bool read_uri(pl_stun_uri *u, pl_str text)
{
    pl_str rest = text;
    *u = (pl_stun_uri){ 0 };
    if (!read_scheme(u, pl_str_cut(&rest, ':')) || !rest.p)
        return false;
    /* A password may hold a question mark: the query begins behind the last @. */
    if (!read_credentials(u, &rest))
        return false;
    pl_str host = pl_str_cut(&rest, '?');
    return read_host_port(u, host) && (!rest.p || read_query(u, rest));
}

pl_err pl_stun_uri_parse(pl_stun_uri *out, const char *text, size_t len)
{
    if (read_uri(out, (pl_str){ text, len }))
        return PL_OK;
    *out = (pl_stun_uri){ 0 };
    return PL_EPROTO;
}

pl_err pl_stun_uri_parse_server(pl_stun_uri *out, const char *text, size_t len)
{
    pl_addr ip;
    pl_str bare = { text, len };
    if (read_uri(out, bare))
        return PL_OK;
    *out = (pl_stun_uri){ .transport = PL_STUN_UDP };
    bool naked_ip6 = pl_addr_parse_ip(&ip, text, len) == PL_OK && ip.family == PL_AF_IP6;
    if (naked_ip6 ? read_host(out, bare, true) : read_host_port(out, bare))
        return PL_OK;
    *out = (pl_stun_uri){ 0 };
    return PL_EPROTO;
}

uint16_t pl_stun_uri_port(const pl_stun_uri *u)
{
    if (u->port)
        return u->port;
    return u->secure ? PL_STUN_TLS_PORT : PL_STUN_PORT;
}

bool pl_stun_uri_srv(const pl_stun_uri *u, char out[PL_STUN_SRV_MAX])
{
    bool datagrams = u->transport == PL_STUN_UDP || u->transport == PL_STUN_DTLS;
    out[0] = 0;
    if (u->port || u->is_ip || !u->host[0])
        return false;
    snprintf(out, PL_STUN_SRV_MAX, "_%s%s._%s.%s", u->turn ? "turn" : "stun", u->secure ? "s" : "",
             datagrams ? "udp" : "tcp", u->host);
    return true;
}

const char *pl_stun_uri_str(const pl_stun_uri *u, char out[PL_STUN_URI_TEXT_MAX])
{
    bool v6 = u->is_ip && u->ip.family == PL_AF_IP6;
    bool usual = u->transport == (u->secure ? PL_STUN_TLS : PL_STUN_UDP);
    bool datagrams = u->transport == PL_STUN_UDP || u->transport == PL_STUN_DTLS;
    char port[8] = "";
    if (u->port)
        snprintf(port, sizeof port, ":%u", u->port);
    snprintf(out, PL_STUN_URI_TEXT_MAX, "%s%s:%s%s%s%s%s", u->turn ? "turn" : "stun", u->secure ? "s" : "",
             v6 ? "[" : "", u->host, v6 ? "]" : "", port,
             usual       ? ""
             : datagrams ? "?transport=udp"
                         : "?transport=tcp");
    return out;
}
