#include "ice/mdns.h"

#include "base/bytes.h"
#include "base/slice.h"

enum {
    TYPE_A = 1,
    TYPE_AAAA = 28,
    TYPE_ANY = 255,
    CLASS_IN = 1,
    TOP_BIT = 0x8000, /* of the class: in a question "answer to me alone", in a record "flush your cache" */
    FLAG_RESPONSE = 0x8000,
    FLAG_AUTHORITATIVE = 0x0400,
    NAME_MAX_LEN = 255,
    LABEL_MAX = 63,
    RECORDS_MAX = 64, /* looked at in one message */
    JUMPS_MAX = 16,   /* compression pointers followed in one name */
    TTL_S = 120       /* RFC 6762 10: records of a host name */
};

pl_addr pl_mdns_group(pl_family family)
{
    pl_addr a = { .family = (uint8_t)family, .port = PL_MDNS_GROUP_PORT };
    static const uint8_t ip4[4] = { 224, 0, 0, 251 }, ip6[16] = { 0xff, 0x02, [15] = 0xfb };
    memcpy(a.ip, family == PL_AF_IP4 ? ip4 : ip6, family == PL_AF_IP4 ? sizeof ip4 : sizeof ip6);
    return a;
}

/* ---- writing ---- */

static void put_name(pl_wr *w, const char *name)
{
    pl_str rest = pl_str_of(name);
    if (rest.n == 0 || rest.n > NAME_MAX_LEN - 2)
        w->bad = true;
    while (rest.p && pl_wr_ok(w)) {
        pl_str label = pl_str_cut(&rest, '.');
        if (label.n == 0 || label.n > LABEL_MAX) {
            w->bad = true;
            return;
        }
        pl_wr_u8(w, (uint8_t)label.n);
        pl_wr_bytes(w, label.p, label.n);
    }
    pl_wr_u8(w, 0);
}

static void put_header(pl_wr *w, uint16_t flags, uint16_t n_questions, uint16_t n_answers)
{
    pl_wr_u16(w, 0); /* the id is not used by mDNS */
    pl_wr_u16(w, flags);
    pl_wr_u16(w, n_questions);
    pl_wr_u16(w, n_answers);
    pl_wr_u32(w, 0);
}

size_t pl_mdns_query(const char *name, bool unicast, uint8_t *out, size_t cap)
{
    static const uint16_t type[] = { TYPE_A, TYPE_AAAA };
    pl_wr w = pl_wr_init(out, cap);
    put_header(&w, 0, 2, 0);
    for (int i = 0; i < 2; i++) {
        put_name(&w, name);
        pl_wr_u16(&w, type[i]);
        pl_wr_u16(&w, (uint16_t)(CLASS_IN | (unicast ? TOP_BIT : 0)));
    }
    return pl_wr_ok(&w) ? pl_wr_len(&w) : 0;
}

size_t pl_mdns_respond(const char *name, const pl_addr *addr, uint8_t *out, size_t cap)
{
    size_t n = addr->family == PL_AF_IP4 ? 4 : 16;
    pl_wr w = pl_wr_init(out, cap);
    put_header(&w, FLAG_RESPONSE | FLAG_AUTHORITATIVE, 0, 1);
    put_name(&w, name);
    pl_wr_u16(&w, n == 4 ? TYPE_A : TYPE_AAAA);
    pl_wr_u16(&w, CLASS_IN | TOP_BIT);
    pl_wr_u32(&w, TTL_S);
    pl_wr_u16(&w, (uint16_t)n);
    pl_wr_bytes(&w, addr->ip, n);
    return pl_wr_ok(&w) ? pl_wr_len(&w) : 0;
}

/* ---- reading ---- */

typedef struct message {
    const uint8_t *pkt;
    size_t len;
    pl_rd r; /* behind what was read so far */
    uint16_t flags, n_questions, n_records;
} message;

static bool open_message(message *m, const uint8_t *pkt, size_t len)
{
    *m = (message){ .pkt = pkt, .len = len, .r = pl_rd_init(pkt, len) };
    pl_rd_skip(&m->r, 2);
    m->flags = pl_rd_u16(&m->r);
    m->n_questions = pl_rd_u16(&m->r);
    uint32_t n = pl_rd_u16(&m->r); /* answers may also stand in the additional section */
    n += pl_rd_u16(&m->r);
    n += pl_rd_u16(&m->r);
    m->n_records = (uint16_t)(n < RECORDS_MAX ? n : RECORDS_MAX);
    return pl_rd_ok(&m->r);
}

/* Reads a name with its compression (RFC 1035 4.1.4) into dotted text; m->r ends behind its first piece.
 * Every pointer must point backwards, so the walk ends. */
static bool read_name(message *m, char out[NAME_MAX_LEN + 1])
{
    pl_rd *r = &m->r, jumped;
    size_t n = 0, limit = m->len, jumps = 0;
    for (;;) {
        uint8_t len = pl_rd_u8(r);
        if (!pl_rd_ok(r))
            return false;
        if (len == 0)
            break;
        if ((len & 0xc0) == 0xc0) {
            size_t here = (size_t)(r->p - 1 - m->pkt);
            size_t at = (size_t)(len & 0x3f) << 8 | pl_rd_u8(r);
            if (!pl_rd_ok(r) || at >= here || at >= limit || ++jumps > JUMPS_MAX)
                return false;
            limit = at;
            jumped = pl_rd_init(m->pkt + at, m->len - at);
            r = &jumped;
            continue;
        }
        const uint8_t *label = len <= LABEL_MAX ? pl_rd_take(r, len) : NULL;
        if (!label || n + len + 1 > NAME_MAX_LEN || memchr(label, 0, len))
            return false;
        if (n)
            out[n++] = '.';
        memcpy(out + n, label, len);
        n += len;
    }
    out[n] = 0;
    return true;
}

static bool same_name(const char *a, const char *b)
{
    return pl_str_ieq(pl_str_of(a), pl_str_of(b));
}

/* One question: its name, type and class. */
static bool read_question(message *m, char name[NAME_MAX_LEN + 1], uint16_t *type, uint16_t *cls)
{
    bool ok = read_name(m, name);
    *type = pl_rd_u16(&m->r);
    *cls = pl_rd_u16(&m->r);
    return ok && pl_rd_ok(&m->r);
}

static bool skip_questions(message *m)
{
    char name[NAME_MAX_LEN + 1];
    uint16_t type, cls;
    for (unsigned i = 0; i < m->n_questions; i++)
        if (!read_question(m, name, &type, &cls))
            return false;
    return true;
}

/* One record; *out gets an address when it is one of `wanted`. */
static bool read_record(message *m, const char *wanted, pl_addr *out)
{
    char name[NAME_MAX_LEN + 1];
    *out = (pl_addr){ 0 };
    if (!read_name(m, name))
        return false;
    uint16_t type = pl_rd_u16(&m->r);
    uint16_t cls = pl_rd_u16(&m->r);
    uint32_t ttl_s = pl_rd_u32(&m->r);
    pl_rd data = pl_rd_sub(&m->r, pl_rd_u16(&m->r));
    if (!pl_rd_ok(&m->r))
        return false;
    size_t n = type == TYPE_A ? 4 : type == TYPE_AAAA ? 16 : 0;
    if (n == 0 || (cls & ~TOP_BIT) != CLASS_IN || ttl_s == 0 || !same_name(name, wanted))
        return true; /* somebody else's, or a goodbye (RFC 6762 10.1) */
    if (pl_rd_left(&data) != n)
        return false;
    out->family = n == 4 ? PL_AF_IP4 : PL_AF_IP6;
    memcpy(out->ip, data.p, n);
    return true;
}

static bool listed(const pl_addr *list, size_t n, const pl_addr *a)
{
    for (size_t i = 0; i < n; i++)
        if (pl_addr_ip_eq(&list[i], a))
            return true;
    return false;
}

pl_err pl_mdns_answer(const uint8_t *pkt, size_t len, const char *name, pl_addr out[PL_MDNS_ANSWERS_MAX],
                      size_t *n)
{
    message m;
    size_t found = 0;
    *n = 0;
    if (!open_message(&m, pkt, len) || !(m.flags & FLAG_RESPONSE) || m.flags & 0x780f || !skip_questions(&m))
        return PL_EPROTO;
    for (unsigned i = 0; i < m.n_records; i++) {
        pl_addr a;
        if (!read_record(&m, name, &a))
            return PL_EPROTO;
        bool usable = a.family != PL_AF_NONE && !pl_addr_is_any(&a) && !pl_addr_is_multicast(&a);
        if (usable && found < PL_MDNS_ANSWERS_MAX && !listed(out, found, &a))
            out[found++] = a;
    }
    *n = found;
    return PL_OK;
}

bool pl_mdns_asks_for(const uint8_t *pkt, size_t len, const char *name, bool *unicast)
{
    message m;
    *unicast = false;
    if (!open_message(&m, pkt, len) || m.flags & (FLAG_RESPONSE | 0x7800))
        return false;
    for (unsigned i = 0; i < m.n_questions; i++) {
        char asked[NAME_MAX_LEN + 1];
        uint16_t type, cls;
        if (!read_question(&m, asked, &type, &cls))
            return false;
        bool ours = type == TYPE_A || type == TYPE_AAAA || type == TYPE_ANY;
        if (ours && (cls & ~TOP_BIT) == CLASS_IN && same_name(asked, name)) {
            *unicast = cls & TOP_BIT;
            return true;
        }
    }
    return false;
}
