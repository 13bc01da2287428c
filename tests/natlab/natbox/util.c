/* util.c - what natbox needs of numbers, addresses, randomness and a log. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include "natbox.h"

struct node nodes[MAXNODES];
int nnodes;
ns_t now, t0, stats_every = SEC;
uint64_t seed = 1;
FILE *statf, *logf_;
char pcapdir[512];
int ctlfd = -1;
bool hold, started;

ns_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (ns_t)t.tv_sec * SEC + (ns_t)t.tv_nsec;
}

void die(const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    fputs("natbox: ", stderr);
    vfprintf(stderr, f, ap);
    fputc('\n', stderr);
    exit(2);
}

void note(const char *f, ...)
{
    if (!logf_)
        return;
    va_list ap;
    va_start(ap, f);
    fprintf(logf_, "%11.6f ", ((double)now - (double)t0) / 1e9);
    vfprintf(logf_, f, ap);
    fputc('\n', logf_);
    va_end(ap);
}

uint64_t rnd(struct rng *r) /* splitmix64 */
{
    uint64_t z = (r->s += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}
double rndu(struct rng *r)
{
    return (double)(rnd(r) >> 11) * 0x1p-53;
}

uint64_t fnv(uint64_t h, const void *p, size_t n)
{
    for (const uint8_t *b = p; n--; b++)
        h = (h ^ *b) * 0x100000001b3ull;
    return h;
}
struct rng mkrng(const char *name, const char *use, int dir)
{
    uint64_t h = fnv(0xcbf29ce484222325ull ^ (seed * 0x9e3779b97f4a7c15ull), name, strlen(name));
    h = fnv(h, use, strlen(use));
    struct rng r = { h + (uint64_t)dir * 7919 };
    rnd(&r);
    return r;
}

bool aeq(const struct addr *a, const struct addr *b)
{
    return !memcmp(a, b, 16);
}
bool is4(const struct addr *a)
{
    return !memcmp(a->b, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
}
struct addr a4(const uint8_t *p)
{
    struct addr a = { { [10] = 0xff, [11] = 0xff } };
    memcpy(a.b + 12, p, 4);
    return a;
}
struct addr a6(const uint8_t *p)
{
    struct addr a;
    memcpy(a.b, p, 16);
    return a;
}
const char *ips(const struct addr *a)
{
    static char s[4][INET6_ADDRSTRLEN];
    static int i;
    char *o = s[i = (i + 1) & 3];
    inet_ntop(is4(a) ? AF_INET : AF_INET6, is4(a) ? a->b + 12 : a->b, o, INET6_ADDRSTRLEN);
    return o;
}
struct addr parse_ip(const char *s, int *plen)
{
    char b[64];
    struct addr a;
    uint8_t v4[4];
    snprintf(b, sizeof b, "%s", s);
    char *sl = strchr(b, '/');
    if (sl)
        *sl++ = 0;
    if (inet_pton(AF_INET, b, v4) == 1)
        a = a4(v4);
    else if (inet_pton(AF_INET6, b, a.b) != 1)
        die("bad address '%s'", s);
    if (plen)
        *plen = sl ? p_int(sl, 0, is4(&a) ? 32 : 128) : is4(&a) ? 24 : 64;
    return a;
}

/* numbers with units; *unit receives the suffix */
double num(const char *s, const char **unit)
{
    char *e;
    double v = strtod(s, &e);
    if (e == s || v < 0)
        die("bad number '%s'", s);
    *unit = e;
    return v;
}
ns_t p_time(const char *s)
{
    const char *u;
    double v = num(s, &u);
    double m = !*u || !strncmp(u, "ms", 2) ? 1e6
               : !strncmp(u, "us", 2)      ? 1e3
               : !strncmp(u, "ns", 2)      ? 1
               : *u == 's'                 ? 1e9
               : *u == ':'                 ? 1e6
                                           : -1;
    if (m < 0)
        die("bad time '%s'", s);
    return (ns_t)(v * m);
}
double p_rate(const char *s)
{
    const char *u;
    if (!strcmp(s, "unlimited"))
        return -1;
    double v = num(s, &u);
    double m = !*u || *u == 'b'     ? 1
               : tolower(*u) == 'k' ? 1e3
               : tolower(*u) == 'm' ? 1e6
               : tolower(*u) == 'g' ? 1e9
                                    : -1;
    if (m < 0)
        die("bad rate '%s'", s);
    return v * m;
}
double p_prob(const char *s)
{
    const char *u;
    double v = num(s, &u);
    if (*u == '%')
        v /= 100;
    if (v > 1)
        die("bad probability '%s' (2%% or 0.02)", s);
    return v;
}
int p_enum(const char *v, const char *names) /* "a b c" -> 0 1 2 */
{
    size_t n = strlen(v);
    int i = 0;
    for (const char *p = names; *p; i++) {
        size_t l = strcspn(p, " ");
        if (l == n && !memcmp(p, v, n))
            return i;
        p += l + (p[l] == ' ');
    }
    die("'%s' is not one of: %s", v, names);
    return 0;
}
int p_int(const char *s, int lo, int hi)
{
    char *e;
    long v = strtol(s, &e, 10);
    if (e == s || *e || v < lo || v > hi)
        die("'%s' is not a number from %d to %d", s, lo, hi);
    return (int)v;
}
bool p_bool(const char *v)
{
    return p_enum(v, "off on") == 1;
}

FILE *open_lines(const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f)
        die("%s: %s", path, strerror(errno));
    setvbuf(f, NULL, _IOLBF, 0);
    return f;
}
