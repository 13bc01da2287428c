/* statements.c - the language of natbox.conf, --at and $NATLAB_CTL (README.md has its grammar). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "natbox.h"

/* Statements that were read before the start and run later: "TIME STATEMENT". */
static char *ats[MAXATS];
static int nats;

static struct node *look(const char *name)
{
    for (int i = 0; i < nnodes; i++)
        if (!strcmp(nodes[i].name, name))
            return &nodes[i];
    return NULL;
}
static struct node *find(const char *name)
{
    struct node *n = look(name);
    if (!n)
        die("no node '%s'", name);
    return n;
}

struct node *mknode(const char *name, int kind)
{
    if (nnodes == MAXNODES)
        die("too many nodes");
    struct node *n = &nodes[nnodes++];
    snprintf(n->name, sizeof n->name, "%s", name);
    n->kind = kind;
    n->fd = n->netns = n->statfd = n->pcap = -1;
    snprintf(n->dev, sizeof n->dev, "net0");
    n->mtu = 1500;
    n->parent = kind == K_NET ? NULL : &nodes[0];
    n->map = n->filt = M_APD;
    n->alloc = A_RANDOM;
    n->udp = n->tcp = n->icmp = true;
    n->v6 = V6_FW;
    n->port_lo = 1024;
    n->port_hi = 65535;
    n->to_udp = 120 * SEC;
    n->to_tcp = 7440 * SEC;
    n->to_icmp = 60 * SEC;
    n->r_port = mkrng(name, "port", 0);
    n->next_port = 20000 + (int)(rnd(&n->r_port) % 20000);
    for (int d = 0; d < 2; d++)
        link_init(&n->link[d], n, d);
    return n;
}

static void load_trace(struct link *l, char *file)
{
    char *loop = strstr(file, ":loop"), line[256];
    l->tloop = loop != NULL;
    if (loop)
        *loop = 0;
    FILE *f = fopen(file, "r");
    if (!f)
        die("%s: %s", file, strerror(errno));
    l->ntr = 0;
    while (fgets(line, sizeof line, f)) {
        char *at, *end;
        double ms = strtod(line, &at), kbps = strtod(at, &end);
        if (*line == '#' || at == line || end == at)
            continue;
        if (!(l->tr = realloc(l->tr, sizeof *l->tr * (size_t)(l->ntr + 1))))
            die("out of memory");
        l->tr[l->ntr].t = (ns_t)(ms * 1e6);
        l->tr[l->ntr].rate = kbps * 1e3;
        if (l->ntr && l->tr[l->ntr].t <= l->tr[l->ntr - 1].t)
            die("%s: times must increase", file);
        l->ntr++;
    }
    fclose(f);
    if (!l->ntr)
        die("%s: no 'time_ms rate_kbps' line", file);
    set_rate(l, l->tr[0].rate);
    if (started)
        trace_start(l);
    if (loop)
        *loop = ':';
}

static void link_opt(struct link *l, char *k, char *v)
{
    const char *u;
    char *c = strchr(v, ':');
    if (!strcmp(k, "rate")) {
        l->ntr = 0;
        l->tgen++;
        set_rate(l, p_rate(v));
    } else if (!strcmp(k, "trace")) {
        load_trace(l, v);
    } else if (!strcmp(k, "queue")) {
        double q = num(v, &u);
        l->qmode = *u == 'p' ? Q_PKTS : *u == 'b' || *u == 'k' || (*u == 'm' && u[1] == 'b') ? Q_BYTES : Q_NS;
        l->qlimit = l->qmode == Q_NS ? (double)p_time(v)
                                     : q * (*u == 'k'                          ? 1e3
                                            : *u == 'm' && l->qmode == Q_BYTES ? 1e6
                                                                               : 1);
    } else if (!strcmp(k, "delay")) {
        l->delay = p_time(v);
    } else if (!strcmp(k, "jitter")) {
        l->jitter = p_time(v);
        l->dist = c ? p_enum(c + 1, "uniform normal exp pareto") : DIST_UNIFORM;
    } else if (!strcmp(k, "loss")) {
        l->loss = p_prob(v);
    } else if (!strcmp(k, "ge")) { /* ge=P:R[:LOSS_BAD[:LOSS_GOOD]] */
        double x[4] = { 0, 1, 1, 0 };
        char *s = v;
        for (int i = 0; i < 4 && s; i++, s = strchr(s, ':') ? strchr(s, ':') + 1 : NULL) {
            char b[32];
            snprintf(b, sizeof b, "%.*s", (int)strcspn(s, ":"), s);
            x[i] = p_prob(b);
        }
        l->ge_p = x[0];
        l->ge_r = x[1];
        l->ge_bad = x[2];
        l->ge_good = x[3];
        l->ge_lossy = false;
    } else if (!strcmp(k, "reorder")) { /* reorder=P[:EXTRA_DELAY] */
        char b[32];
        snprintf(b, sizeof b, "%.*s", (int)strcspn(v, ":"), v);
        l->reorder = p_prob(b);
        if (c)
            l->reorder_by = p_time(c + 1);
    } else if (!strcmp(k, "dup")) {
        l->dup = p_prob(v);
    } else if (!strcmp(k, "mtu")) {
        l->mtu = p_int(v, 0, 65535);
    } else if (!strcmp(k, "overhead")) {
        if (l->qh)
            die("overhead cannot change while packets are queued");
        l->overhead = p_int(v, 0, 1500);
    } else if (!strcmp(k, "ecn")) {
        l->ecn = p_time(v);
    } else {
        die("unknown link option '%s'", k);
    }
}

/* The options of nodes, one row each. */
static void o_parent(struct node *n, char *v)
{
    n->parent = find(v);
}
static void o_fd(struct node *n, char *v)
{
    n->netns = p_int(v, 0, 1 << 20);
}
static void o_dev(struct node *n, char *v)
{
    snprintf(n->dev, sizeof n->dev, "%s", v);
}
static void o_metric(struct node *n, char *v)
{
    n->metric = p_int(v, 0, 9999);
}
static void o_gw(struct node *n, char *v)
{
    n->gw = parse_ip(v, NULL);
}
static void o_map(struct node *n, char *v)
{
    n->map = p_enum(v, "none ei ad apd");
}
static void o_filter(struct node *n, char *v)
{
    n->filt = p_enum(v, "none ei ad apd");
    if (n->filt == M_NONE)
        n->filt = M_EI;
}
static void o_alloc(struct node *n, char *v)
{
    n->alloc = p_enum(v, "preserve seq random");
}
static void o_hairpin(struct node *n, char *v)
{
    n->hairpin = p_bool(v);
}
static void o_isolate(struct node *n, char *v)
{
    n->isolate = p_bool(v);
}
static void o_refresh(struct node *n, char *v)
{
    n->refresh_in = p_enum(v, "out both") == 1;
}
static void o_pool(struct node *n, char *v)
{
    n->arbitrary = p_enum(v, "paired arbitrary") == 1;
}
static void o_udp(struct node *n, char *v)
{
    n->udp = p_bool(v);
}
static void o_tcp(struct node *n, char *v)
{
    n->tcp = p_bool(v);
}
static void o_icmp(struct node *n, char *v)
{
    n->icmp = p_bool(v);
}
static void o_v6(struct node *n, char *v)
{
    n->v6 = p_enum(v, "off pass firewall");
}
static void o_mtu(struct node *n, char *v)
{
    n->mtu = p_int(v, 68, MAXPKT);
}
static void o_timeout(struct node *n, char *v)
{
    n->to_udp = p_time(v);
}
static void o_tcp_timeout(struct node *n, char *v)
{
    n->to_tcp = p_time(v);
}
static void o_base(struct node *n, char *v)
{
    n->next_port = p_int(v, 1, 65535);
}

static void o_addr(struct node *n, char *v)
{
    int plen;
    struct addr a = parse_ip(v, &plen);
    if (started) {
        host_set_addr(n, &a, plen);
        return;
    }
    if (n->naddr == MAXADDR)
        die("too many addresses");
    n->addr[n->naddr] = a;
    n->plen[n->naddr++] = plen;
}
static void o_ext(struct node *n, char *v)
{
    if (started) { /* a new public address: who had a mapping has none */
        n->naddr = 0;
        maps_expire(n, true);
    }
    if (n->naddr == MAXADDR)
        die("too many addresses");
    n->addr[n->naddr] = parse_ip(v, &n->plen[n->naddr]);
    n->naddr++;
}
static void o_tcp_ports(struct node *n, char *v)
{
    char *sv;
    n->ntports = 0;
    for (char *s = strtok_r(v, ":", &sv); s; s = strtok_r(NULL, ":", &sv)) {
        if (n->ntports == MAXPORTS)
            die("more than %d tcp-ports", MAXPORTS);
        n->tports[n->ntports++] = p_int(s, 1, 65535);
    }
}
static void o_ports(struct node *n, char *v)
{
    char *hi = strchr(v, '-');
    if (!hi)
        die("bad ports '%s'", v);
    *hi++ = 0;
    n->port_lo = p_int(v, 1, 65535);
    n->port_hi = p_int(hi, n->port_lo, 65535);
}

static const struct {
    const char *key;
    void (*set)(struct node *n, char *v);
} options[] = {
    { "parent", o_parent },
    { "fd", o_fd },
    { "dev", o_dev },
    { "metric", o_metric },
    { "addr", o_addr },
    { "ext", o_ext },
    { "gw", o_gw },
    { "map", o_map },
    { "filter", o_filter },
    { "alloc", o_alloc },
    { "hairpin", o_hairpin },
    { "isolate", o_isolate },
    { "refresh", o_refresh },
    { "pool", o_pool },
    { "udp", o_udp },
    { "tcp", o_tcp },
    { "icmp", o_icmp },
    { "v6", o_v6 },
    { "mtu", o_mtu },
    { "timeout", o_timeout },
    { "tcp-timeout", o_tcp_timeout },
    { "tcp-ports", o_tcp_ports },
    { "ports", o_ports },
    { "base", o_base },
};

/* Cuts "key=value"; returns the value. */
static char *cut(char *word)
{
    char *v = strchr(word, '=');
    if (!v)
        die("expected key=value, got '%s'", word);
    *v = 0;
    return v + 1;
}

static void node_opt(struct node *n, char *word)
{
    char *v = cut(word);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!strcmp(options[i].key, word)) {
            options[i].set(n, v);
            return;
        }
    die("unknown option '%s'", word);
}

void start(void)
{
    started = true;
    t0 = now = clock_ns();
    for (int i = 0; i < nnodes; i++)
        for (int d = 0; d < 2; d++)
            trace_start(&nodes[i].link[d]);
    for (int i = 0; i < nats; i++) {
        char *s = ats[i] + strcspn(ats[i], " \t");
        *s++ = 0;
        ev_push(t0 + p_time(ats[i]), E_STMT, s, NULL, 0);
    }
    ev_push(t0 + stats_every, E_STATS, NULL, NULL, 0);
}

/* ---- the statements, one function each; t[0] is the statement's name ---- */

static void s_at(char *rest)
{
    char *s = strdup(rest); /* for as long as the box lives */
    if (!s)
        die("out of memory");
    if (!s[strcspn(s, " \t")])
        die("at %s: a time, then a statement", s);
    if (!started) {
        if (nats == MAXATS)
            die("more than %d statements for later", MAXATS);
        ats[nats++] = s;
        return;
    }
    char *q = s + strcspn(s, " \t");
    *q++ = 0;
    ev_push(t0 + p_time(s), E_STMT, q, NULL, 0);
}

static void s_link(char **t, int n)
{
    struct node *x = find(t[1]);
    int d = n > 2 ? p_enum(t[2], "up down both") : 2;
    for (int i = 3; i < n; i++) {
        char *v = cut(t[i]);
        if (d != DOWN)
            link_opt(&x->link[UP], t[i], v);
        if (d != UP)
            link_opt(&x->link[DOWN], t[i], v);
    }
    if (started)
        note("link %s changed", x->name);
}

static void s_node(char **t, int n)
{
    struct node *x = look(t[1]);
    bool fresh = !x;
    if (fresh && started)
        die("no node '%s'", t[1]);
    if (fresh)
        x = mknode(t[1], !strcmp(t[0], "nat") ? K_NAT : K_HOST);
    for (int i = 2; i < n; i++) {
        if (!strcmp(t[i], "flush"))
            maps_expire(x, true);
        else if (!strcmp(t[i], "up") || !strcmp(t[i], "down"))
            host_set_up(x, *t[i] == 'u');
        else
            node_opt(x, t[i]);
    }
    if (fresh && x->kind == K_HOST)
        host_open(x);
    if (started)
        note("%s changed", x->name);
}

static void s_stats(char **t, int n)
{
    stats_open(t[1]);
    if (n > 2)
        stats_every = p_time(t[2]);
    if (stats_every < MSEC)
        die("statistics interval below 1 ms");
}

static void s_ctl(const char *path)
{
    ctlfd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (ctlfd < 0)
        die("%s: %s", path, strerror(errno));
}

void stmt(char *line)
{
    char *sv, *t[64];
    int n = 0;
    line[strcspn(line, "#\n")] = 0;
    line += strspn(line, " \t");
    if (!strncmp(line, "at ", 3)) {
        s_at(line + 3);
        return;
    }
    for (char *s = strtok_r(line, " \t,", &sv); s && n < 64; s = strtok_r(NULL, " \t,", &sv))
        t[n++] = s;
    if (!n)
        return;
    const char *c = t[0];
    if (!strcmp(c, "start")) {
        if (!started)
            start();
        return;
    }
    if (!strcmp(c, "hold")) {
        hold = true;
        return;
    }
    if (n < 2)
        die("incomplete statement '%s'", c);
    if (!strcmp(c, "seed"))
        seed = strtoull(t[1], NULL, 0);
    else if (!strcmp(c, "log"))
        logf_ = open_lines(t[1]);
    else if (!strcmp(c, "pcap"))
        snprintf(pcapdir, sizeof pcapdir, "%s", t[1]);
    else if (!strcmp(c, "ctl"))
        s_ctl(t[1]);
    else if (!strcmp(c, "stats"))
        s_stats(t, n);
    else if (!strcmp(c, "link"))
        s_link(t, n);
    else if (!strcmp(c, "nat") || !strcmp(c, "host"))
        s_node(t, n);
    else
        die("unknown statement '%s'", c);
}
