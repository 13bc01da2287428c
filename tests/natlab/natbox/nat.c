/* nat.c - NATs and firewalls (RFC 4787, RFC 5382), and how packets find their node. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "natbox.h"

static int droplog = MAXDROPLOG; /* lines still to be written */

static void drop(struct node *n, struct pkt *p, const char *why)
{
    struct view v;
    if (logf_ && droplog > 0 && parse(p->d, p->len, &v, false)) {
        note("%s drop %s: proto %d %s:%d -> %s:%d", n->name, why, v.proto, ips(&v.src), v.sp, ips(&v.dst),
             v.dp);
        if (!--droplog)
            note("further drops are not logged");
    }
    free(p);
}

static bool xlates(const struct node *n, const struct addr *a)
{
    return n->kind == K_NAT && n->map != M_NONE && is4(a);
}

static bool has(const struct node *n, const struct addr *a)
{
    for (int i = 0; i < n->naddr; i++)
        if (aeq(&n->addr[i], a))
            return true;
    return false;
}
static struct node *child_for(const struct node *parent, const struct addr *a)
{
    for (struct node *n = nodes; n < nodes + nnodes; n++)
        if (n->parent == parent && n->kind != K_NET &&
            (has(n, a) || (n->kind == K_NAT && !xlates(n, a) && child_for(n, a))))
            return n;
    return NULL;
}

static const char *proto_name(int p)
{
    return p == UDP ? "udp" : p == TCP ? "tcp" : "icmp";
}
static unsigned hkey(const struct key *k)
{
    return (unsigned)(fnv(0xcbf29ce484222325ull, k, sizeof *k) >> 13) % NBUCKETS;
}
static unsigned hext(int proto, const struct ep *e)
{
    uint64_t h = fnv(0xcbf29ce484222325ull + (unsigned)proto, &e->ip, 16);
    return (unsigned)(fnv(h, &e->port, 2) >> 13) % NBUCKETS;
}

static void map_del(struct node *n, struct map *m)
{
    struct map **pp;
    for (pp = &n->bk[hkey(&m->k)]; *pp != m; pp = &(*pp)->nk)
        ;
    *pp = m->nk;
    for (pp = &n->be[hext(m->k.proto, &m->ext)]; *pp != m; pp = &(*pp)->ne)
        ;
    *pp = m->ne;
    for (struct perm *q = m->perms, *nx; q; q = nx) {
        nx = q->next;
        free(q);
    }
    note("%s unmap %s %s:%d = %s:%d", n->name, proto_name(m->k.proto), ips(&m->k.in.ip), m->k.in.port,
         ips(&m->ext.ip), m->ext.port);
    n->nmaps--;
    free(m);
}
void maps_expire(struct node *n, bool all)
{
    for (int i = 0; i < NBUCKETS && n->nmaps; i++)
        for (struct map *m = n->bk[i], *nx; m; m = nx) {
            nx = m->nk;
            if (all || m->exp <= now)
                map_del(n, m);
        }
}

static struct map *map_in(struct node *n, int proto, const struct ep *ext)
{
    for (struct map *m = n->be[hext(proto, ext)], *nx; m; m = nx) {
        nx = m->ne;
        if (m->exp <= now) {
            map_del(n, m);
            continue;
        }
        if (m->k.proto == proto && m->ext.port == ext->port && aeq(&m->ext.ip, &ext->ip))
            return m;
    }
    return NULL;
}

static bool alloc_port(struct node *n, int proto, struct map *m)
{
    int lo = n->port_lo, hi = n->port_hi, span = hi - lo + 1;
    int p = m->k.in.port, ip = 0;
    if (n->arbitrary && n->naddr > 1)
        ip = (int)(rnd(&n->r_port) % (unsigned)n->naddr);
    else if (n->naddr > 1) /* paired: by inside address */
        ip = m->k.in.ip.b[15] % n->naddr;
    m->ext.ip = n->addr[ip];
    for (int i = 0; i < span; i++) {
        switch (n->alloc) {
        case A_PRESERVE: p = p < lo || p > hi ? lo + p % span : p; break;
        case A_SEQ:
            p = n->next_port < lo || n->next_port > hi ? lo : n->next_port;
            n->next_port = p + 1;
            break;
        default: p = lo + (int)(rnd(&n->r_port) % (unsigned)span);
        }
        m->ext.port = (uint16_t)p;
        if (!map_in(n, proto, &m->ext))
            return true;
        p++;
    }
    return false;
}

static struct map *map_out(struct node *n, int proto, const struct ep *in, const struct ep *dst, bool create)
{
    struct key k;
    bool x = xlates(n, &in->ip);
    memset(&k, 0, sizeof k);
    k.proto = (uint16_t)proto;
    k.in.ip = in->ip;
    k.in.port = in->port;
    if (x && n->map >= M_AD)
        k.dst.ip = dst->ip;
    if (x && n->map == M_APD && proto != ICMP)
        k.dst.port = dst->port;
    unsigned h = hkey(&k);
    for (struct map *m = n->bk[h], *nx; m; m = nx) {
        nx = m->nk;
        if (m->exp <= now) {
            map_del(n, m);
            continue;
        }
        if (!memcmp(&m->k, &k, sizeof k))
            return m;
    }
    if (!create)
        return NULL;
    struct map *m = calloc(1, sizeof *m);
    if (!m)
        die("out of memory");
    m->k = k;
    if (!x) {
        m->ext = *in;
    } else if (!alloc_port(n, proto, m)) {
        free(m);
        return NULL;
    }
    m->nk = n->bk[h];
    n->bk[h] = m;
    h = hext(proto, &m->ext);
    m->ne = n->be[h];
    n->be[h] = m;
    n->nmaps++;
    note("%s map %s %s:%d = %s:%d for %s:%d", n->name, proto_name(proto), ips(&in->ip), in->port,
         ips(&m->ext.ip), m->ext.port, ips(&dst->ip), dst->port);
    return m;
}

static struct perm *perm_find(struct map *m, const struct ep *rem, int mode)
{
    for (struct perm *q = m->perms; q; q = q->next)
        if (q->exp > now && aeq(&q->rem.ip, &rem->ip) && (mode == M_AD || q->rem.port == rem->port))
            return q;
    return NULL;
}
static void map_touch(struct node *n, struct map *m, const struct ep *rem, const struct view *v, bool out)
{
    ns_t life = v->proto == UDP ? n->to_udp : v->proto == TCP ? n->to_tcp : n->to_icmp;
    struct perm *q = perm_find(m, rem, M_APD);
    if (!out && !(q && (n->refresh_in || v->proto == TCP)))
        return;
    if (!q) {
        for (q = m->perms; q && q->exp > now; q = q->next)
            ; /* reuse an expired one */
        if (!q) {
            if (!(q = calloc(1, sizeof *q)))
                die("out of memory");
            q->next = m->perms;
            m->perms = q;
        }
        q->rem = *rem;
    }
    if (v->proto == TCP && (v->flags & 5) && life > 30 * SEC) /* FIN, RST */
        life = 30 * SEC;
    q->exp = now + life;
    if (v->proto != TCP || m->exp < q->exp)
        m->exp = q->exp;
}

static struct frag *frag_for(struct node *n, const struct view *v, bool out, bool create)
{
    for (int i = 0; !create && i < NFRAGS; i++) {
        struct frag *f = &n->frags[i];
        if (f->exp > now && f->out == out && f->id == v->id && f->proto == v->proto &&
            aeq(&f->src, &v->src) && aeq(&f->dst, &v->dst))
            return f;
    }
    if (!create)
        return NULL;
    struct frag *f = &n->frags[n->nfrag++ % NFRAGS];
    *f = (struct frag){
        .src = v->src, .dst = v->dst, .id = v->id, .proto = v->proto, .out = out, .exp = now + 5 * SEC
    };
    return f;
}

static void nat_in(struct node *n, struct pkt *p);

/* an ICMPv4 error crossing the NAT: translate the quoted packet, too */
static bool icmp_error(struct node *n, struct pkt *p, struct view *v, bool out, struct addr *to)
{
    struct view e;
    uint8_t *q = v->th + 8;
    if (!parse(q, v->tlen - 8, &e, true) || e.v != 4 || e.frag == 2)
        return false;
    struct ep a = { e.src, e.sp }, b = { e.dst, e.dp };
    struct map *m = out ? map_out(n, e.proto, &b, &a, false) : map_in(n, e.proto, &a);
    if (!m || (!out && n->filt != M_EI && !perm_find(m, &b, e.proto == ICMP ? M_AD : n->filt)))
        return false;
    const struct ep *nw = out ? &m->ext : &m->k.in;
    rewrite(q, &e, !out, &nw->ip, nw->port, true);
    rewrite(p->d, v, out, &nw->ip, -1, false);
    s16(v->th + 2, 0);
    s16(v->th + 2, csum(v->th, v->tlen));
    *to = nw->ip;
    return true;
}

static void nat_out(struct node *n, struct node *from, struct pkt *p)
{
    struct view v;
    struct node *c;
    if (!parse(p->d, p->len, &v, false) || (v.v == 6 && n->v6 == V6_OFF)) {
        free(p);
        return;
    }
    bool mc = v.v == 4 ? v.dst.b[12] >= 224 : v.dst.b[0] == 0xff;
    if (mc) { /* multicast stays on the LAN */
        for (c = nodes; c < nodes + nnodes; c++)
            if (v.proto == UDP && c->parent == n && c != from && c->kind == K_HOST && !n->isolate)
                link_send(&c->link[DOWN], pkt_clone(p));
        free(p);
        return;
    }
    if ((c = child_for(n, &v.dst))) { /* LAN to LAN */
        if (n->isolate) {
            drop(n, p, "isolated");
            return;
        }
        link_send(&c->link[DOWN], p);
        return;
    }
    if (aeq(&v.dst, &n->gw)) {
        drop(n, p, "to router");
        return;
    }
    bool ok = v.proto == UDP    ? n->udp
              : v.proto == TCP  ? n->tcp
              : v.proto == ICMP ? n->icmp
                                : v.proto == ICMP6;
    if (ok && v.proto == TCP && n->ntports && v.frag != 2) {
        ok = false;
        for (int i = 0; i < n->ntports; i++)
            ok |= n->tports[i] == v.dp;
    }
    if (!ok) {
        drop(n, p, "policy");
        return;
    }
    bool x = xlates(n, &v.src);
    struct addr to;
    if (v.proto == ICMP6 || (v.v == 6 && n->v6 == V6_PASS)) {
        link_send(&n->link[UP], p);
        return;
    }
    if (v.frag == 2) {
        struct frag *f = frag_for(n, &v, true, false);
        if (!f) {
            drop(n, p, "fragment");
            return;
        }
        if (x)
            rewrite(p->d, &v, true, &f->to, -1, false);
    } else if (v.icmp_err) {
        if (x && !icmp_error(n, p, &v, true, &to)) {
            drop(n, p, "icmp");
            return;
        }
    } else {
        struct ep in = { v.src, v.sp }, dst = { v.dst, v.dp };
        struct map *m = map_out(n, v.proto, &in, &dst, true);
        if (!m) {
            drop(n, p, "no free port");
            return;
        }
        map_touch(n, m, &dst, &v, true);
        if (v.frag == 1)
            frag_for(n, &v, true, true)->to = m->ext.ip;
        if (x)
            rewrite(p->d, &v, true, &m->ext.ip, m->ext.port, false);
    }
    if (x && has(n, &v.dst)) {
        if (n->hairpin)
            nat_in(n, p);
        else
            drop(n, p, "hairpin");
        return;
    }
    link_send(&n->link[UP], p);
}

static void nat_in(struct node *n, struct pkt *p)
{
    struct view v;
    if (!parse(p->d, p->len, &v, false) || (v.v == 6 && n->v6 == V6_OFF)) {
        free(p);
        return;
    }
    bool x = xlates(n, &v.dst);
    struct addr to = v.dst;
    if (v.proto == ICMP6 || (v.v == 6 && n->v6 == V6_PASS)) {
        ;
    } else if (v.frag == 2) {
        struct frag *f = frag_for(n, &v, false, false);
        if (!f) {
            drop(n, p, "fragment");
            return;
        }
        to = f->to;
        if (x)
            rewrite(p->d, &v, false, &to, -1, false);
    } else if (v.icmp_err) {
        if (x && !icmp_error(n, p, &v, false, &to)) {
            drop(n, p, "icmp");
            return;
        }
    } else {
        struct ep src = { v.src, v.sp }, dst = { v.dst, v.dp };
        struct map *m = map_in(n, v.proto, &dst);
        if (!m) {
            drop(n, p, "no mapping");
            return;
        }
        if (n->filt != M_EI && !perm_find(m, &src, v.proto == ICMP ? M_AD : n->filt)) {
            drop(n, p, "filtered");
            return;
        }
        map_touch(n, m, &src, &v, false);
        to = m->k.in.ip;
        if (v.frag == 1)
            frag_for(n, &v, false, true)->to = to;
        if (x)
            rewrite(p->d, &v, false, &to, m->k.in.port, false);
    }
    struct node *c = child_for(n, &to);
    if (c)
        link_send(&c->link[DOWN], p);
    else
        drop(n, p, "no such host");
}

void arrive_up(struct node *from, struct pkt *p)
{
    struct node *n = from->parent;
    struct view v;
    if (n->kind == K_NAT) {
        nat_out(n, from, p);
        return;
    }
    struct node *c = parse(p->d, p->len, &v, false) ? child_for(n, &v.dst) : NULL;
    if (c && c != from) {
        link_send(&c->link[DOWN], p);
    } else {
        n->noroute++;
        free(p);
    }
}
void arrive_down(struct node *n, struct pkt *p)
{
    if (n->kind == K_NAT) {
        nat_in(n, p);
        return;
    }
    if (n->pcap >= 0)
        pcap_write(n->pcap, p);
    if (write(n->fd, p->d, (size_t)p->len) < 0 && errno != EIO && errno != EINVAL && errno != EAGAIN)
        note("%s write: %s", n->name, strerror(errno));
    free(p);
}
