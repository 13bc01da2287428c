/* Two ways through here. The short one is for what nearly every client sends: a Binding request with nothing in
 * it that asks for something; its answer is written straight into the buffer. The long one parses, collects what
 * the request wants, and builds. Both give the same bytes for the same request (tests compare them). */
#include "stun/server.h"

#include <string.h>

#include "stun/integrity.h"
#include "stun/message.h"

enum { AMPLIFY_NUM = 3, AMPLIFY_DEN = 2, FINGERPRINT_LEN = 8, ATTR_HEADER_LEN = 4 };

/* Attributes that no Binding server understands: answered like unknown ones. */
static const uint16_t not_served[] = {
    PL_STUN_RESPONSE_ADDRESS, /* RFC 3489: answers to anybody whom the sender names, so never */
    PL_STUN_CHANNEL_NUMBER,           PL_STUN_LIFETIME,      PL_STUN_XOR_PEER_ADDRESS,
    PL_STUN_REQUESTED_ADDRESS_FAMILY, PL_STUN_EVEN_PORT,     PL_STUN_DATA_ATTR,
    PL_STUN_REQUESTED_TRANSPORT,      PL_STUN_DONT_FRAGMENT, PL_STUN_CONNECTION_ID,
    PL_STUN_RESERVATION_TOKEN,
};

/* ---- set-up ---- */

static size_t padded(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

static bool is_usable_alternate(const pl_addr *a, const pl_addr *b)
{
    return (a->family == PL_AF_IP4 || a->family == PL_AF_IP6) && b->family == a->family && a->port &&
           b->port && a->port != b->port && !pl_addr_ip_eq(a, b);
}

static uint8_t *append_addr(uint8_t *p, uint16_t type, const pl_addr *a)
{
    size_t n = a->family == PL_AF_IP4 ? 4 : 16;
    pl_put16(p, type);
    pl_put16(p + 2, (uint16_t)(4 + n));
    pl_put16(p + 4, n == 4 ? 1 : 2);
    pl_put16(p + 6, a->port);
    memcpy(p + 8, a->ip, n);
    return p + 8 + n;
}

static void set_software(pl_stun_server *s, const char *text)
{
    size_t n = text ? strlen(text) : 0;
    n = n < sizeof s->software - ATTR_HEADER_LEN ? n : sizeof s->software - ATTR_HEADER_LEN - 1;
    if (!n)
        return;
    pl_put16(s->software, PL_STUN_SOFTWARE);
    pl_put16(s->software + 2, (uint16_t)n);
    memcpy(s->software + ATTR_HEADER_LEN, text, n);
    s->software_len = (uint8_t)(ATTR_HEADER_LEN + padded(n));
}

void pl_stun_server_init(pl_stun_server *s, const pl_stun_server_conf *conf)
{
    *s = (pl_stun_server){ 0 };
    if (!conf)
        return;
    set_software(s, conf->software);
    s->addr[PL_STUN_AT_PRIMARY] = conf->primary;
    s->discovery = is_usable_alternate(&conf->primary, &conf->alternate);
    if (!s->discovery)
        return;
    s->addr[PL_STUN_AT_PORT] = conf->primary;
    s->addr[PL_STUN_AT_PORT].port = conf->alternate.port;
    s->addr[PL_STUN_AT_IP] = conf->alternate;
    s->addr[PL_STUN_AT_IP].port = conf->primary.port;
    s->addr[PL_STUN_AT_BOTH] = conf->alternate;
    for (int at = 0; at < PL_STUN_N_SOCKETS; at++) {
        uint8_t *end = append_addr(s->other[at], PL_STUN_OTHER_ADDRESS, &s->addr[at ^ PL_STUN_AT_BOTH]);
        s->other_len = (uint8_t)(end - s->other[at]);
    }
}

/* ---- what both ways share ---- */

/* An attribute of `len` bytes, header and padding included, is still paid for by the request; `reserve` bytes
 * will follow it in any case. */
static bool affordable(size_t so_far, size_t len, size_t reserve, size_t request_len)
{
    size_t total = so_far + len + reserve;
    return total * AMPLIFY_DEN <= request_len * AMPLIFY_NUM && total <= PL_STUN_RESPOND_MAX;
}

/* ---- the short way ---- */

/* A Binding request with cookie whose attributes may all be ignored (the comprehension-optional range), with or
 * without a FINGERPRINT at its end. */
static bool is_plain(const uint8_t *pkt, size_t len, bool *fingerprint)
{
    *fingerprint = false;
    if (len < PL_STUN_HEADER_LEN ||
        pl_get32(pkt) != (UINT32_C(1) << 16 | (uint32_t)(len - PL_STUN_HEADER_LEN)) || len % 4 ||
        pl_get32(pkt + 4) != PL_STUN_COOKIE)
        return false;
    for (size_t at = PL_STUN_HEADER_LEN, n = 0; at < len; n++) {
        if (len - at < ATTR_HEADER_LEN || n == PL_STUN_ATTRS_MAX)
            return false;
        uint16_t type = pl_get16(pkt + at);
        size_t end = at + ATTR_HEADER_LEN + padded(pl_get16(pkt + at + 2));
        if (type < 0x8000 || end > len)
            return false;
        if (type == PL_STUN_FINGERPRINT) {
            pl_stun_msg m = { .pkt = pkt, .len = len, .fingerprint_at = (uint16_t)at };
            *fingerprint = end == len && !pl_stun_check_fingerprint(&m);
            return *fingerprint;
        }
        at = end;
    }
    return true;
}

static uint8_t *append(uint8_t *p, const uint8_t *bytes, size_t len)
{
    memcpy(p, bytes, len);
    return p + len;
}

static uint8_t *append_mapped(uint8_t *p, const pl_addr *source, const uint8_t *mask)
{
    size_t n = source->family == PL_AF_IP4 ? 4 : 16;
    pl_put16(p, PL_STUN_XOR_MAPPED_ADDRESS);
    pl_put16(p + 2, (uint16_t)(4 + n));
    pl_put16(p + 4, n == 4 ? 1 : 2);
    pl_put16(p + 6, (uint16_t)(source->port ^ (PL_STUN_COOKIE >> 16)));
    if (n == 4) {
        pl_put32(p + 8, pl_get32(source->ip) ^ PL_STUN_COOKIE);
    } else {
        for (size_t i = 0; i < 16; i++)
            p[8 + i] = source->ip[i] ^ mask[i];
    }
    return p + 8 + n;
}

static size_t answer_plain(const pl_stun_server *s, const pl_stun_query *q, bool fingerprint, uint8_t *out)
{
    const uint8_t *pkt = q->pkt;
    size_t reserve = fingerprint ? FINGERPRINT_LEN : 0;
    uint8_t *p = out + PL_STUN_HEADER_LEN;
    memcpy(out + 4, pkt + 4, 16);
    p = append_mapped(p, q->source, pkt + 4);
    if (s->discovery) {
        const pl_addr *origin = &s->addr[q->at];
        p = append(p, s->other[q->at], s->other_len);
        if (affordable((size_t)(p - out), s->other_len, reserve, q->len))
            p = append_addr(p, PL_STUN_RESPONSE_ORIGIN, origin);
    }
    if (s->discovery &&
        affordable((size_t)(p - out), 8 + (q->source->family == PL_AF_IP4 ? 4 : 16), reserve, q->len))
        p = append_addr(p, PL_STUN_MAPPED_ADDRESS, q->source);
    if (s->software_len && affordable((size_t)(p - out), s->software_len, reserve, q->len))
        p = append(p, s->software, s->software_len);
    pl_stun_wr w = { .w = { .start = out, .p = p, .end = out + PL_STUN_RESPOND_MAX } };
    pl_put32(out, UINT32_C(0x0101) << 16 | (uint32_t)(p - out - PL_STUN_HEADER_LEN));
    if (fingerprint)
        pl_stun_put_fingerprint(&w);
    return pl_wr_len(&w.w);
}

/* ---- the long way ---- */

/* What a request wants beyond being told its address. */
typedef struct wish {
    uint16_t code; /* 0, or what to refuse it with */
    uint16_t unknown[PL_STUN_UNKNOWN_MAX];
    size_t n_unknown;
    uint8_t from; /* the socket */
    uint16_t response_port;
    size_t padding;
    bool discovers; /* it knows RFC 5780 */
} wish;

static void refuse_type(wish *w, uint16_t type)
{
    w->code = w->code ? w->code : 420;
    if (w->n_unknown < PL_STUN_UNKNOWN_MAX)
        w->unknown[w->n_unknown++] = type;
}

/* RFC 5780 6.1, table 1. Old clients say in words that they want no change: that is served everywhere. */
static void read_change(const pl_stun_server *s, const pl_stun_query *q, const pl_stun_msg *m, wish *w)
{
    uint32_t flags;
    pl_err err = pl_stun_get_u32(m, PL_STUN_CHANGE_REQUEST, &flags);
    if (err == PL_EPROTO)
        w->code = 400;
    if (err || !(flags & (PL_STUN_CHANGE_IP | PL_STUN_CHANGE_PORT)))
        return;
    if (!s->discovery || q->stream)
        refuse_type(w, PL_STUN_CHANGE_REQUEST);
    else
        w->from ^= (uint8_t)((flags & PL_STUN_CHANGE_IP ? PL_STUN_AT_IP : 0) |
                             (flags & PL_STUN_CHANGE_PORT ? PL_STUN_AT_PORT : 0));
}

static void read_port_and_padding(const pl_stun_query *q, const pl_stun_msg *m, wish *w)
{
    pl_rd padding;
    bool has_padding = pl_stun_find(m, PL_STUN_PADDING, &padding);
    pl_err err = pl_stun_get_u16(m, PL_STUN_RESPONSE_PORT, &w->response_port);
    if (err != PL_ENOTSUP && q->stream)
        refuse_type(w, PL_STUN_RESPONSE_PORT);
    else if (err != PL_ENOTSUP && (err || w->response_port == 0 || has_padding))
        w->code = 400;
    if (has_padding)
        w->padding = pl_rd_left(&padding);
}

static void read_wish(const pl_stun_server *s, const pl_stun_query *q, const pl_stun_msg *m, wish *w)
{
    pl_str name;
    *w = (wish){ .from = q->at };
    for (size_t i = 0; i < m->n_unknown && i < PL_STUN_UNKNOWN_MAX; i++)
        refuse_type(w, m->unknown[i]);
    for (size_t i = 0; i < sizeof not_served / sizeof not_served[0]; i++) {
        if (pl_stun_has(m, not_served[i]))
            refuse_type(w, not_served[i]);
    }
    w->discovers = pl_stun_has(m, PL_STUN_CHANGE_REQUEST) || pl_stun_has(m, PL_STUN_RESPONSE_PORT) ||
                   pl_stun_has(m, PL_STUN_PADDING);
    read_change(s, q, m, w);
    read_port_and_padding(q, m, w);
    if (pl_stun_get_str(m, PL_STUN_USERNAME, &name) == PL_EPROTO)
        w->code = 400;
    if (m->classic && q->dtls)
        w->code = 500;
}

static size_t fingerprint_len(const pl_stun_msg *m)
{
    return m->fingerprint_at ? FINGERPRINT_LEN : 0;
}

static pl_stun_wr refuse(const pl_stun_msg *m, const wish *w, uint8_t *out, size_t cap)
{
    pl_stun_wr s = pl_stun_begin_reply(out, cap, PL_STUN_ERROR, m);
    bool list = w->code == 420;
    size_t rest = 8 + padded(strlen(pl_stun_reason(w->code))) + (list ? 4 + padded(2 * w->n_unknown) : 0);
    bool in_words = affordable(pl_wr_len(&s.w), rest, fingerprint_len(m), m->len);
    pl_stun_put_error(&s, w->code, in_words ? NULL : "");
    if (list)
        pl_stun_put_unknown(&s, w->unknown, w->n_unknown);
    return s;
}

/* RFC 3489 8.1: the plain address, where the answer comes from, and where others would come from. */
static void reflect_classic(const pl_stun_server *s, const pl_stun_query *q, const wish *w, pl_stun_wr *out)
{
    pl_stun_put_addr(out, PL_STUN_MAPPED_ADDRESS, q->source);
    if (!s->discovery)
        return;
    pl_stun_put_addr(out, PL_STUN_SOURCE_ADDRESS, &s->addr[w->from]);
    pl_stun_put_addr(out, PL_STUN_CHANGED_ADDRESS, &s->addr[q->at ^ PL_STUN_AT_BOTH]);
}

static void put_if_paid(pl_stun_wr *s, const pl_stun_msg *m, uint16_t type, const pl_addr *a)
{
    if (affordable(pl_wr_len(&s->w), 8 + (a->family == PL_AF_IP4 ? 4 : 16), fingerprint_len(m), m->len))
        pl_stun_put_addr(s, type, a);
}

/* As much PADDING as the request brought, as the buffer holds and as its size pays for. */
static void pad(pl_stun_wr *s, const pl_stun_msg *m, size_t wanted)
{
    size_t paid = m->len * AMPLIFY_NUM / AMPLIFY_DEN, rest = ATTR_HEADER_LEN + fingerprint_len(m);
    size_t used = pl_wr_len(&s->w) + rest, room = pl_wr_left(&s->w);
    size_t n = wanted < PL_STUN_PADDING_MAX ? wanted : PL_STUN_PADDING_MAX;
    n = paid > used && paid - used < n ? paid - used : n;
    n = room > rest && room - rest < n ? room - rest : n;
    if (paid <= used || room <= rest)
        return;
    n &= ~(size_t)3;
    pl_wr_u16(&s->w, PL_STUN_PADDING);
    pl_wr_u16(&s->w, (uint16_t)n);
    pl_wr_zeros(&s->w, n);
}

static pl_stun_wr reflect(const pl_stun_server *s, const pl_stun_query *q, const pl_stun_msg *m,
                          const wish *w, uint8_t *out, size_t cap)
{
    pl_stun_wr r = pl_stun_begin_reply(out, cap, PL_STUN_SUCCESS, m);
    if (m->classic) {
        reflect_classic(s, q, w, &r);
        return r;
    }
    pl_stun_put_xor_addr(&r, PL_STUN_XOR_MAPPED_ADDRESS, q->source);
    if (s->discovery) {
        pl_wr_bytes(&r.w, s->other[q->at], s->other_len);
        if (w->discovers)
            pl_stun_put_addr(&r, PL_STUN_RESPONSE_ORIGIN, &s->addr[w->from]);
        else
            put_if_paid(&r, m, PL_STUN_RESPONSE_ORIGIN, &s->addr[w->from]);
        put_if_paid(&r, m, PL_STUN_MAPPED_ADDRESS, q->source);
    }
    if (s->software_len && affordable(pl_wr_len(&r.w), s->software_len, fingerprint_len(m), m->len))
        pl_wr_bytes(&r.w, s->software, s->software_len);
    if (w->padding)
        pad(&r, m, w->padding);
    return r;
}

static bool is_for_us(const pl_stun_msg *m)
{
    return m->cls == PL_STUN_REQUEST && m->method == PL_STUN_BINDING &&
           pl_stun_check_fingerprint(m) != PL_EPROTO;
}

static size_t answer(const pl_stun_server *s, pl_stun_server_counters *count, const pl_stun_query *q,
                     uint8_t *out, size_t cap, pl_stun_reply *reply)
{
    pl_stun_msg m;
    wish w;
    if (pl_stun_parse(&m, q->pkt, q->len) || !is_for_us(&m)) {
        count->ignored++;
        return 0;
    }
    count->requests++;
    count->classic += m.classic;
    read_wish(s, q, &m, &w);
    count->errors += w.code != 0;
    pl_stun_wr r = w.code ? refuse(&m, &w, out, cap) : reflect(s, q, &m, &w, out, cap);
    if (!w.code) {
        reply->from = w.from;
        reply->to.port = w.response_port ? w.response_port : reply->to.port;
    }
    if (m.fingerprint_at)
        pl_stun_put_fingerprint(&r);
    return pl_stun_end(&r);
}

size_t pl_stun_serve(const pl_stun_server *s, pl_stun_server_counters *count, const pl_stun_query *q,
                     uint8_t *out, size_t cap, pl_stun_reply *reply)
{
    pl_stun_server_counters nowhere = { 0 };
    bool fingerprint;
    count = count ? count : &nowhere;
    reply->from = q->at;
    reply->to = *q->source;
    if (cap >= PL_STUN_RESPOND_MAX && is_plain(q->pkt, q->len, &fingerprint)) {
        count->requests++;
        count->plain++;
        reply->len = answer_plain(s, q, fingerprint, out);
    } else {
        reply->len = answer(s, count, q, out, cap, reply);
    }
    return reply->len;
}

size_t pl_stun_respond(const pl_stun_server_conf *conf, pl_stun_server_counters *count, const void *pkt,
                       size_t len, const pl_addr *source, uint8_t *out, size_t cap)
{
    pl_stun_server s;
    pl_stun_reply reply;
    pl_stun_query q = { .pkt = pkt, .len = len, .source = source, .stream = true };
    pl_stun_server_init(&s, &(pl_stun_server_conf){ .software = conf ? conf->software : NULL });
    return pl_stun_serve(&s, count, &q, out, cap, &reply);
}
