#include "server/relay_settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

/* ---- kinds of values ---- */

bool pl_relay_refuse(char say[PL_RELAY_SAY_MAX], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(say, PL_RELAY_SAY_MAX, fmt, args);
    va_end(args);
    return false;
}

typedef enum kind {
    LISTEN,
    LISTEN_TLS,
    ADDR,
    TEXT,
    FLAG,
    NUMBER,
    RATE,
    USER,
    EXTERNAL,
    IPS,
    PORTS,
    ALLOW,
    DENY,
    METRICS,
    ALTERNATE_SERVER
} kind;

/* Where a value lands: `at` is an offset for the kinds that have only one place. */
typedef struct row {
    const char *key;
    kind kind;
    size_t at;
    int64_t min, max;
    bool fixed; /* cannot change while running */
} row;

#define AT(field) offsetof(pl_relay_settings, field)
static const row rows[] = {
    { "listen", LISTEN, 0, 0, 0, true },
    { "tls", LISTEN_TLS, 0, 0, 0, true },
    { "primary", ADDR, AT(primary), 0, 0, true },
    { "alternate", ADDR, AT(alternate), 0, 0, true },
    { "cert", TEXT, AT(cert), 0, 0, false },
    { "key", TEXT, AT(key), 0, 0, false },
    { "realm", TEXT, AT(realm), 0, 0, false },
    { "user", USER, 0, 0, 0, false },
    { "user-file", TEXT, AT(user_file), 0, 0, false },
    { "rest-secret-file", TEXT, AT(rest_secret_file), 0, 0, false },
    { "token-key-file", TEXT, AT(token_key_file), 0, 0, false },
    { "server-name", TEXT, AT(server_name), 0, 0, false },
    { "no-auth", FLAG, AT(no_auth), 0, 0, true },
    { "relay-address", IPS, 0, 0, 0, true },
    { "external", EXTERNAL, 0, 0, 0, true },
    { "ports", PORTS, 0, 0, 0, true },
    { "no-udp", FLAG, AT(no_udp), 0, 0, true },
    { "no-tcp", FLAG, AT(no_tcp), 0, 0, true },
    { "no-tcp-relay", FLAG, AT(no_tcp_relay), 0, 0, true },
    { "no-mobility", FLAG, AT(no_mobility), 0, 0, true },
    { "no-software", FLAG, AT(no_software), 0, 0, true },
    { "allow-peer", ALLOW, 0, 0, 0, false },
    { "deny-peer", DENY, 0, 0, 0, false },
    { "user-quota", NUMBER, AT(user_quota), 0, PL_RELAY_ALLOCATIONS_MAX, false },
    { "client-quota", NUMBER, AT(client_quota), 0, PL_RELAY_ALLOCATIONS_MAX, false },
    { "total-quota", NUMBER, AT(total_quota), 0, PL_RELAY_ALLOCATIONS_MAX, false },
    { "bandwidth", RATE, AT(bandwidth), 8000, INT64_C(32000000000), false },
    { "unauthenticated-rate", NUMBER, AT(unauthenticated_rate), 0, UINT32_MAX, false },
    { "max-connections", NUMBER, AT(max_connections), 1, 1000000, false },
    { "drain-seconds", NUMBER, AT(drain_seconds), 0, 86400, false },
    { "threads", NUMBER, AT(threads), 0, PL_RELAY_THREADS_MAX, true },
    { "metrics", METRICS, 0, 0, 0, true },
    { "run-as", TEXT, AT(run_as), 0, 0, true },
    { "log-addresses", FLAG, AT(log_addresses), 0, 0, false },
    { "alternate-server", ALTERNATE_SERVER, 0, 0, 0, false },
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static const row *find(const char *key)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (strcmp(rows[i].key, key) == 0)
            return &rows[i];
    }
    return NULL;
}

/* ---- single values ---- */

/* "ADDR:PORT"; an address alone gets the usual port. */
static bool read_addr(pl_addr *out, const char *text, uint16_t port)
{
    size_t n = strlen(text);
    if (pl_addr_parse(out, text, n) == PL_OK)
        return true;
    if (n > 2 && text[0] == '[' && text[n - 1] == ']')
        text++, n -= 2;
    bool ok = pl_addr_parse_ip(out, text, n) == PL_OK;
    out->port = ok ? port : 0;
    return ok;
}

static bool add_addr(pl_addr *list, size_t *n, const char *key, const char *value, uint16_t port, char *say)
{
    if (*n == PL_RELAY_LISTEN_MAX)
        return pl_relay_refuse(say, "%s may be given %d times at most", key, PL_RELAY_LISTEN_MAX);
    if (!read_addr(&list[*n], value, port))
        return pl_relay_refuse(say, "%s wants ADDR:PORT such as 0.0.0.0:%u or [::]:%u, not '%s'", key, port,
                               port, value);
    ++*n;
    return true;
}

static bool add_range(pl_relay_range *list, size_t *n, const char *key, const char *value, char *say)
{
    if (*n == PL_RELAY_RANGES_MAX)
        return pl_relay_refuse(say, "%s may be given %d times at most", key, PL_RELAY_RANGES_MAX);
    if (pl_relay_range_parse(&list[*n], value, strlen(value)) != PL_OK)
        return pl_relay_refuse(say, "%s wants a range such as 10.0.0.0/8 or 2001:db8::/32, not '%s'", key,
                               value);
    ++*n;
    return true;
}

static bool set_text(char *out, const char *key, const char *value, char *say)
{
    size_t n = strlen(value);
    if (n == 0 || n >= PL_RELAY_TEXT_MAX)
        return pl_relay_refuse(say, "%s wants 1 to %d characters", key, PL_RELAY_TEXT_MAX - 1);
    memcpy(out, value, n + 1);
    return true;
}

static bool set_flag(bool *out, const char *key, const char *value, char *say)
{
    static const char *const yes[] = { "", "yes", "true", "on", "1" }, *const no[] = { "no", "false", "off",
                                                                                       "0" };
    for (size_t i = 0; i < 5; i++) {
        if (strcmp(value, yes[i]) == 0)
            return *out = true;
    }
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(value, no[i]) == 0) {
            *out = false;
            return true;
        }
    }
    return pl_relay_refuse(say, "%s is yes or no, not '%s'", key, value);
}

static bool set_number(int64_t *out, const row *r, const char *value, int64_t unit, char *say)
{
    char *end = NULL;
    errno = 0;
    long long v = strtoll(value, &end, 10);
    if (unit == 0) { /* a rate: k, M and G multiply */
        static const char *const letters = "kMG";
        const char *at = *end ? strchr(letters, *end) : NULL;
        for (unit = 1; at && at >= letters; at--)
            unit *= 1000;
        end += unit > 1;
    }
    bool fits = !errno && end != value && !*end && v >= 0 && v <= INT64_MAX / unit;
    if (!fits || (v * unit != 0 && v * unit < r->min) || v * unit > r->max || (v == 0 && r->min == 1))
        return pl_relay_refuse(say, "%s wants a number from %lld to %lld, not '%s'", r->key,
                               (long long)r->min, (long long)r->max, value);
    *out = v * unit;
    return true;
}

static bool add_user(pl_relay_settings *s, const char *value, char *say)
{
    if (s->n_users == PL_RELAY_USERS_MAX)
        return pl_relay_refuse(say, "user may be given %d times at most; a user-file holds any number",
                               PL_RELAY_USERS_MAX);
    pl_relay_user *u = &s->user[s->n_users];
    pl_str rest = pl_str_of(value), name = pl_str_cut(&rest, ':');
    if (!rest.p || name.n == 0 || rest.n == 0 || !pl_str_copy(name, u->name, sizeof u->name) ||
        !pl_str_copy(rest, u->secret, sizeof u->secret))
        return pl_relay_refuse(say, "user wants NAME:PASSWORD");
    s->n_users++;
    return true;
}

static bool add_external(pl_relay_settings *s, const char *value, char *say)
{
    pl_str local = pl_str_of(value), addr = pl_str_cut(&local, '/');
    pl_relay_external *e = &s->external[s->n_externals];
    if (s->n_externals == PL_RELAY_ADDRS_MAX)
        return pl_relay_refuse(say, "external may be given %d times at most", PL_RELAY_ADDRS_MAX);
    *e = (pl_relay_external){ 0 };
    if (pl_addr_parse_ip(&e->addr, addr.p, addr.n) != PL_OK ||
        (local.p &&
         (pl_addr_parse_ip(&e->local, local.p, local.n) != PL_OK || e->local.family != e->addr.family)))
        return pl_relay_refuse(say, "external wants ADDR or ADDR/LOCAL, both IPv4 or both IPv6, not '%s'",
                               value);
    s->n_externals++;
    return true;
}

static bool add_relay_address(pl_relay_settings *s, const char *value, char *say)
{
    if (s->n_relay_addresses == PL_RELAY_ADDRS_MAX)
        return pl_relay_refuse(say, "relay-address may be given %d times at most", PL_RELAY_ADDRS_MAX);
    pl_addr *a = &s->relay_address[s->n_relay_addresses];
    if (pl_addr_parse_ip(a, value, strlen(value)) != PL_OK || pl_addr_is_any(a))
        return pl_relay_refuse(say, "relay-address wants an address of this machine, not '%s'", value);
    s->n_relay_addresses++;
    return true;
}

static bool set_ports(pl_relay_settings *s, const char *value, char *say)
{
    uint64_t lo, hi;
    pl_str rest = pl_str_of(value), first = pl_str_cut(&rest, '-');
    if (!rest.p || !pl_str_u64(first, 65535, &lo) || !pl_str_u64(rest, 65535, &hi) || lo == 0 || hi < lo)
        return pl_relay_refuse(say, "ports wants LO-HI such as 49152-65535, not '%s'", value);
    s->port_lo = (uint16_t)lo;
    s->port_hi = (uint16_t)hi;
    return true;
}

/* A port alone means this machine only: figures are nobody else's business. */
static bool set_metrics(pl_relay_settings *s, const char *value, char *say)
{
    uint64_t port;
    if (pl_str_u64(pl_str_of(value), 65535, &port)) {
        s->metrics = (pl_addr){ .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 }, .port = (uint16_t)port };
        return true;
    }
    if (!read_addr(&s->metrics, value, PL_RELAY_METRICS_PORT))
        return pl_relay_refuse(say, "metrics wants ADDR:PORT or a port, not '%s'", value);
    return true;
}

static bool add_alternate_server(pl_relay_settings *s, const char *value, char *say)
{
    pl_addr a;
    if (s->n_alternate_servers == 2 || !read_addr(&a, value, PL_RELAY_PORT))
        return pl_relay_refuse(say, "alternate-server wants ADDR:PORT, one of each family at most");
    pl_addr_str(&a, s->alternate_server[s->n_alternate_servers++]);
    return true;
}

bool pl_relay_settings_set(pl_relay_settings *s, const char *key, const char *value,
                           char say[PL_RELAY_SAY_MAX])
{
    const row *r = find(key);
    void *at = r ? (uint8_t *)s + r->at : NULL;
    if (!r)
        return pl_relay_refuse(say, "there is no key '%.64s'", key);
    if (!*value && r->kind != FLAG)
        return pl_relay_refuse(say, "%s wants a value", key);
    switch (r->kind) {
    case LISTEN: return add_addr(s->listen, &s->n_listen, key, value, PL_RELAY_PORT, say);
    case LISTEN_TLS: return add_addr(s->tls, &s->n_tls, key, value, PL_RELAY_TLS_PORT, say);
    case ADDR:
        return read_addr(at, value, PL_RELAY_PORT) ||
               pl_relay_refuse(say, "%s wants ADDR:PORT, not '%s'", key, value);
    case TEXT: return set_text(at, key, value, say);
    case FLAG: return set_flag(at, key, value, say);
    case NUMBER: return set_number(at, r, value, 1, say);
    case RATE: return set_number(at, r, value, 0, say);
    case USER: return add_user(s, value, say);
    case EXTERNAL: return add_external(s, value, say);
    case IPS: return add_relay_address(s, value, say);
    case PORTS: return set_ports(s, value, say);
    case ALLOW: return add_range(s->allow, &s->n_allow, key, value, say);
    case DENY: return add_range(s->deny, &s->n_deny, key, value, say);
    case METRICS: return set_metrics(s, value, say);
    case ALTERNATE_SERVER: return add_alternate_server(s, value, say);
    }
    return false;
}

/* ---- files ---- */

/* "key value", "key = value", "key"; a comment begins with '#' at the start or after a space, so that a password
 * may hold one. */
static bool read_line(pl_relay_settings *s, char *line, char *say)
{
    for (char *p = line; *p; p++) {
        if (*p == '#' && (p == line || p[-1] == ' ' || p[-1] == '\t'))
            *p = 0;
    }
    pl_str text = pl_str_trim(pl_str_of(line));
    if (text.n == 0)
        return true;
    size_t n = strcspn(text.p, " \t=");
    n = n < text.n ? n : text.n;
    pl_str value = pl_str_trim((pl_str){ text.p + n, text.n - n });
    if (value.n > 0 && value.p[0] == '=')
        value = pl_str_trim((pl_str){ value.p + 1, value.n - 1 });
    char key[64], copy[2 * PL_RELAY_TEXT_MAX];
    if (!pl_str_copy((pl_str){ text.p, n }, key, sizeof key) || !pl_str_copy(value, copy, sizeof copy))
        return pl_relay_refuse(say, "the line is too long");
    return pl_relay_settings_set(s, key, copy, say);
}

bool pl_relay_settings_read(pl_relay_settings *s, const char *file, char say[PL_RELAY_SAY_MAX])
{
    char line[1024], why[PL_RELAY_SAY_MAX];
    FILE *f = fopen(file, "r");
    if (!f)
        return pl_relay_refuse(say, "%s: %s", file, strerror(errno));
    bool ok = true;
    for (unsigned n = 1; ok && fgets(line, sizeof line, f); n++) {
        size_t len = strcspn(line, "\r\n");
        bool whole = line[len] || feof(f);
        line[len] = 0;
        ok = whole ? read_line(s, line, why) : pl_relay_refuse(why, "the line is too long");
        if (!ok)
            snprintf(say, PL_RELAY_SAY_MAX, "%.200s:%u: %.400s", file, n, why);
    }
    if (ok && ferror(f))
        ok = pl_relay_refuse(say, "%s: %s", file, strerror(errno));
    fclose(f);
    return ok;
}

/* ---- as a whole ---- */

void pl_relay_settings_init(pl_relay_settings *s)
{
    *s = (pl_relay_settings){ .realm = "peerline",
                              .port_lo = 49152,
                              .port_hi = 65535,
                              .max_connections = 20000,
                              .drain_seconds = 300 };
}

bool pl_relay_settings_relays(const pl_relay_settings *s)
{
    return s->no_auth || s->n_users > 0 || s->user_file[0] || s->rest_secret_file[0] || s->rest_secret[0] ||
           s->token_key_file[0];
}

static bool check_discovery(const pl_relay_settings *s, char *say)
{
    const pl_addr *a = &s->primary, *b = &s->alternate;
    if (a->family == PL_AF_NONE && b->family == PL_AF_NONE)
        return true;
    if (a->family != b->family || a->port == 0 || b->port == 0 || a->port == b->port || pl_addr_ip_eq(a, b) ||
        pl_addr_is_any(a) || pl_addr_is_any(b))
        return pl_relay_refuse(
            say, "primary and alternate go together, and must differ in address and in port (RFC 5780)");
    return true;
}

bool pl_relay_settings_finish(pl_relay_settings *s, char say[PL_RELAY_SAY_MAX])
{
    if (s->n_listen == 0 && s->n_tls == 0 && s->primary.family == PL_AF_NONE) {
        s->listen[0] = (pl_addr){ .family = PL_AF_IP4, .port = PL_RELAY_PORT };
        s->listen[1] = (pl_addr){ .family = PL_AF_IP6, .port = PL_RELAY_PORT };
        s->n_listen = 2;
        s->listen_is_default = true;
    }
    if (!s->cert[0] != !s->key[0])
        return pl_relay_refuse(say, "cert and key go together");
    if (s->n_tls > 0 && !s->cert[0])
        return pl_relay_refuse(say, "tls wants a certificate: cert and key");
    if (s->no_udp && s->no_tcp && s->n_tls == 0)
        return pl_relay_refuse(say, "with no-udp and no-tcp there is nothing left to listen on");
    if (s->no_auth && (s->n_users > 0 || s->user_file[0] || s->rest_secret_file[0] || s->token_key_file[0]))
        return pl_relay_refuse(say, "no-auth and credentials contradict each other");
    return check_discovery(s, say);
}

/* Only lists and single places that cannot be changed under running sockets are compared. */
static bool same(const pl_relay_settings *a, const pl_relay_settings *b, const row *r)
{
#define SAME(field) (memcmp(&a->field, &b->field, sizeof a->field) == 0)
    switch (r->kind) {
    case LISTEN: return SAME(listen) && a->n_listen == b->n_listen;
    case LISTEN_TLS: return SAME(tls) && a->n_tls == b->n_tls;
    case EXTERNAL: return SAME(external) && a->n_externals == b->n_externals;
    case IPS: return SAME(relay_address) && a->n_relay_addresses == b->n_relay_addresses;
    case PORTS: return SAME(port_lo) && SAME(port_hi);
    case METRICS: return SAME(metrics);
    default: break;
    }
    size_t n = r->kind == ADDR   ? sizeof(pl_addr)
               : r->kind == TEXT ? PL_RELAY_TEXT_MAX
               : r->kind == FLAG ? sizeof(bool)
                                 : sizeof(int64_t);
    return memcmp((const uint8_t *)a + r->at, (const uint8_t *)b + r->at, n) == 0;
#undef SAME
}

bool pl_relay_settings_reloadable(const pl_relay_settings *a, const pl_relay_settings *b, const char **key)
{
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].fixed && !same(a, b, &rows[i])) {
            *key = rows[i].key;
            return false;
        }
    }
    return true;
}
