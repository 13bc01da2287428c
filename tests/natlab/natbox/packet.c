/* packet.c - reading and rewriting IP packets. */
#include <stdlib.h>

#include "natbox.h"

uint16_t g16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
void s16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

bool parse(uint8_t *d, int len, struct view *v, bool embedded)
{
    memset(v, 0, sizeof *v);
    if (len < 20)
        return false;
    v->v = d[0] >> 4;
    if (v->v == 4) {
        v->hl = (d[0] & 15) * 4;
        if (v->hl < 20 || len < v->hl)
            return false;
        v->proto = d[9];
        v->src = a4(d + 12);
        v->dst = a4(d + 16);
        v->id = g16(d + 4);
        unsigned fo = g16(d + 6);
        v->frag = fo & 0x1fff ? 2 : fo & 0x2000 ? 1 : 0;
    } else if (v->v == 6 && len >= 40) {
        v->hl = 40;
        v->proto = d[6];
        v->src = a6(d + 8);
        v->dst = a6(d + 24);
    } else {
        return false;
    }
    v->th = d + v->hl;
    v->tlen = len - v->hl;
    if (v->frag == 2)
        return true;
    if (v->tlen < 8)
        return false;
    if (v->proto == UDP || v->proto == TCP) {
        v->sp = g16(v->th);
        v->dp = g16(v->th + 2);
        if (v->proto == TCP && !embedded) {
            if (v->tlen < 20)
                return false;
            v->flags = v->th[13];
        }
    } else if (v->proto == ICMP) {
        v->icmp_err = v->th[0] == 3 || v->th[0] == 11 || v->th[0] == 12;
        if (!v->icmp_err) /* echo: the id is the port */
            v->sp = v->dp = g16(v->th + 4);
    }
    return true;
}

void csum_adj(uint8_t *c, const uint8_t *old, const uint8_t *new, int n)
{
    uint32_t s = (uint16_t)~g16(c);
    for (int i = 0; i < n; i += 2)
        s += (uint16_t)~g16(old + i) + (uint32_t)g16(new + i);
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    s16(c, ~s & 0xffff);
}
uint16_t csum(const uint8_t *p, int n)
{
    uint32_t s = 0;
    for (; n > 1; n -= 2, p += 2)
        s += g16(p);
    if (n)
        s += (uint32_t)*p << 8;
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

/* rewrite source or destination of an IPv4 packet; port < 0: address only */
void rewrite(uint8_t *d, const struct view *v, bool src, const struct addr *ip, int port, bool embedded)
{
    uint8_t *a = d + (src ? 12 : 16), np[2];
    uint8_t *l4 = !embedded && v->frag != 2 && v->proto == UDP && g16(v->th + 6) ? v->th + 6
                  : !embedded && v->frag != 2 && v->proto == TCP                 ? v->th + 16
                                                                                 : NULL;
    csum_adj(d + 10, a, ip->b + 12, 4);
    if (l4)
        csum_adj(l4, a, ip->b + 12, 4);
    memcpy(a, ip->b + 12, 4);
    if (port >= 0 && v->frag != 2) {
        uint8_t *p = v->proto == ICMP ? v->th + 4 : v->th + (src ? 0 : 2);
        s16(np, (unsigned)port);
        if (v->proto == ICMP && !embedded)
            csum_adj(v->th + 2, p, np, 2);
        if (l4)
            csum_adj(l4, p, np, 2);
        memcpy(p, np, 2);
    }
    if (l4 && v->proto == UDP && !g16(l4))
        s16(l4, 0xffff);
}

struct pkt *pkt_new(const uint8_t *d, size_t len)
{
    struct pkt *p = malloc(sizeof *p + len);
    if (!p)
        die("out of memory");
    *p = (struct pkt){ .len = (int)len };
    memcpy(p->d, d, len);
    return p;
}
struct pkt *pkt_clone(const struct pkt *p)
{
    struct pkt *c = pkt_new(p->d, (size_t)p->len);
    c->t_in = p->t_in;
    return c;
}
