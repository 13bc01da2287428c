#include "stun/message.h"

enum { ATTR_HEADER_LEN = 4, REASON_MAX = 763 };

/* ---- header ---- */

/* The class sits in bits 4 and 8 of the type, the method around them (RFC 8489 figure 3). */
static uint8_t class_of(uint16_t type)
{
    return (uint8_t)((type >> 4 & 1) | (type >> 7 & 2));
}

static uint16_t method_of(uint16_t type)
{
    return (uint16_t)((type & 0x000f) | (type >> 1 & 0x0070) | (type >> 2 & 0x0f80));
}

static size_t padded(size_t len)
{
    return (len + 3) & ~(size_t)3;
}

bool pl_stun_is_message(const uint8_t *pkt, size_t len)
{
    return len >= PL_STUN_HEADER_LEN && (pkt[0] & 0xc0) == 0 && pl_get32(pkt + 4) == PL_STUN_COOKIE &&
           (size_t)pl_get16(pkt + 2) + PL_STUN_HEADER_LEN == len && len % 4 == 0;
}

bool pl_stun_knows(uint16_t type)
{
    if (type >= 0x8000)
        return true; /* comprehension-optional */
    switch (type) {
    case PL_STUN_MAPPED_ADDRESS:
    case PL_STUN_RESPONSE_ADDRESS:
    case PL_STUN_CHANGE_REQUEST:
    case PL_STUN_SOURCE_ADDRESS:
    case PL_STUN_CHANGED_ADDRESS:
    case PL_STUN_USERNAME:
    case PL_STUN_PASSWORD:
    case PL_STUN_MESSAGE_INTEGRITY:
    case PL_STUN_ERROR_CODE:
    case PL_STUN_UNKNOWN_ATTRIBUTES:
    case PL_STUN_REFLECTED_FROM:
    case PL_STUN_CHANNEL_NUMBER:
    case PL_STUN_LIFETIME:
    case PL_STUN_XOR_PEER_ADDRESS:
    case PL_STUN_DATA_ATTR:
    case PL_STUN_REALM:
    case PL_STUN_NONCE:
    case PL_STUN_XOR_RELAYED_ADDRESS:
    case PL_STUN_REQUESTED_ADDRESS_FAMILY:
    case PL_STUN_EVEN_PORT:
    case PL_STUN_REQUESTED_TRANSPORT:
    case PL_STUN_DONT_FRAGMENT:
    case PL_STUN_ACCESS_TOKEN:
    case PL_STUN_MESSAGE_INTEGRITY_SHA256:
    case PL_STUN_PASSWORD_ALGORITHM:
    case PL_STUN_USERHASH:
    case PL_STUN_XOR_MAPPED_ADDRESS:
    case PL_STUN_RESERVATION_TOKEN:
    case PL_STUN_PRIORITY:
    case PL_STUN_USE_CANDIDATE:
    case PL_STUN_PADDING:
    case PL_STUN_RESPONSE_PORT:
    case PL_STUN_CONNECTION_ID: return true;
    default: return false;
    }
}

const char *pl_stun_method_str(uint16_t method)
{
    switch (method) {
    case PL_STUN_BINDING: return "Binding";
    case PL_STUN_SHARED_SECRET: return "SharedSecret";
    case PL_STUN_ALLOCATE: return "Allocate";
    case PL_STUN_REFRESH: return "Refresh";
    case PL_STUN_SEND: return "Send";
    case PL_STUN_DATA: return "Data";
    case PL_STUN_CREATE_PERMISSION: return "CreatePermission";
    case PL_STUN_CHANNEL_BIND: return "ChannelBind";
    case PL_STUN_CONNECT: return "Connect";
    case PL_STUN_CONNECTION_BIND: return "ConnectionBind";
    case PL_STUN_CONNECTION_ATTEMPT: return "ConnectionAttempt";
    default: return "unknown method";
    }
}

const char *pl_stun_class_str(uint8_t cls)
{
    static const char *const name[] = { "request", "indication", "success", "error" };
    return cls < 4 ? name[cls] : "?";
}

/* ---- parsing ---- */

/* One attribute of the part that counts has been met at offset `at`; it may end that part. */
static void note_attribute(pl_stun_msg *m, uint16_t type, size_t at)
{
    bool behind_integrity = m->integrity_at || m->integrity256_at;
    switch (type) {
    case PL_STUN_MESSAGE_INTEGRITY:
        if (!behind_integrity)
            m->integrity_at = (uint16_t)at;
        break;
    case PL_STUN_MESSAGE_INTEGRITY_SHA256:
        if (!m->integrity256_at)
            m->integrity256_at = (uint16_t)at;
        break;
    case PL_STUN_FINGERPRINT: m->fingerprint_at = (uint16_t)at; break;
    default:
        if (behind_integrity)
            return;
        if (!pl_stun_knows(type) && m->n_unknown < PL_STUN_UNKNOWN_MAX)
            m->unknown[m->n_unknown++] = type;
        return;
    }
    if (m->attrs_end == m->len)
        m->attrs_end = (uint16_t)at;
}

static pl_err parse_attributes(pl_stun_msg *m)
{
    pl_rd r = pl_rd_init(m->pkt + PL_STUN_HEADER_LEN, m->len - PL_STUN_HEADER_LEN);
    while (pl_rd_left(&r) > 0) {
        if (m->fingerprint_at)
            return PL_EPROTO; /* it must be the last one */
        size_t at = (size_t)(r.p - m->pkt);
        uint16_t type = pl_rd_u16(&r);
        uint16_t len = pl_rd_u16(&r);
        pl_rd_skip(&r, padded(len));
        if (!pl_rd_ok(&r))
            return PL_EPROTO;
        if (m->n_attrs++ == PL_STUN_ATTRS_MAX)
            return PL_ENOSPC;
        note_attribute(m, type, at);
    }
    return PL_OK;
}

pl_err pl_stun_parse(pl_stun_msg *out, const void *pkt, size_t len)
{
    *out = (pl_stun_msg){ 0 };
    pl_rd r = pl_rd_init(pkt, len);
    uint16_t type = pl_rd_u16(&r);
    uint16_t body_len = pl_rd_u16(&r);
    uint32_t cookie = pl_rd_u32(&r);
    const uint8_t *id = pl_rd_take(&r, PL_STUN_ID_LEN);
    if (!pl_rd_ok(&r) || type & 0xc000 || body_len != pl_rd_left(&r) || body_len % 4)
        return PL_EPROTO;
    pl_stun_msg m = { .pkt = pkt,
                      .len = len,
                      .method = method_of(type),
                      .cls = class_of(type),
                      .classic = cookie != PL_STUN_COOKIE,
                      .id = id,
                      .attrs_end = (uint16_t)len };
    if (m.attrs_end != len)
        return PL_EPROTO; /* 65536 bytes and more do not fit a datagram either */
    pl_err err = parse_attributes(&m);
    if (!err)
        *out = m;
    return err;
}

/* ---- looking up ---- */

bool pl_stun_find_nth(const pl_stun_msg *m, uint16_t type, unsigned nth, pl_rd *value)
{
    *value = (pl_rd){ 0 };
    if (!m->pkt)
        return false;
    pl_rd r = pl_rd_init(m->pkt + PL_STUN_HEADER_LEN, (size_t)m->attrs_end - PL_STUN_HEADER_LEN);
    while (pl_rd_left(&r) > 0) {
        uint16_t found = pl_rd_u16(&r);
        uint16_t len = pl_rd_u16(&r);
        pl_rd body = pl_rd_sub(&r, padded(len));
        if (!pl_rd_ok(&r))
            return false;
        if (found == type && nth-- == 0) {
            *value = pl_rd_init(body.p, len);
            return true;
        }
    }
    return false;
}

bool pl_stun_find(const pl_stun_msg *m, uint16_t type, pl_rd *value)
{
    return pl_stun_find_nth(m, type, 0, value);
}

bool pl_stun_has(const pl_stun_msg *m, uint16_t type)
{
    pl_rd value;
    return pl_stun_find(m, type, &value);
}

/* What every getter answers at its end: the value was read, and nothing of it is left. */
static pl_err whole(const pl_rd *v)
{
    return pl_rd_ok(v) && pl_rd_left(v) == 0 ? PL_OK : PL_EPROTO;
}

/* Address family, port, address (RFC 8489 14.1); with `mask`, 16 bytes of cookie and id, XORed (14.2). */
static pl_err read_addr(pl_rd v, const uint8_t *mask, pl_addr *out)
{
    pl_addr a = { 0 };
    pl_rd_skip(&v, 1);
    uint8_t family = pl_rd_u8(&v);
    a.port = pl_rd_u16(&v);
    size_t n = family == 1 ? 4 : family == 2 ? 16 : 0;
    const uint8_t *ip = pl_rd_take(&v, n);
    if (!n || whole(&v))
        return PL_EPROTO;
    a.family = family == 1 ? PL_AF_IP4 : PL_AF_IP6;
    memcpy(a.ip, ip, n);
    if (mask) {
        a.port ^= pl_get16(mask);
        for (size_t i = 0; i < n; i++)
            a.ip[i] ^= mask[i];
    }
    *out = a;
    return PL_OK;
}

pl_err pl_stun_get_addr_nth(const pl_stun_msg *m, uint16_t type, unsigned nth, pl_addr *out)
{
    pl_rd v;
    *out = (pl_addr){ 0 };
    return pl_stun_find_nth(m, type, nth, &v) ? read_addr(v, NULL, out) : PL_ENOTSUP;
}

pl_err pl_stun_get_addr(const pl_stun_msg *m, uint16_t type, pl_addr *out)
{
    return pl_stun_get_addr_nth(m, type, 0, out);
}

pl_err pl_stun_get_xor_addr_nth(const pl_stun_msg *m, uint16_t type, unsigned nth, pl_addr *out)
{
    pl_rd v;
    *out = (pl_addr){ 0 };
    return pl_stun_find_nth(m, type, nth, &v) ? read_addr(v, m->pkt + 4, out) : PL_ENOTSUP;
}

pl_err pl_stun_get_xor_addr(const pl_stun_msg *m, uint16_t type, pl_addr *out)
{
    return pl_stun_get_xor_addr_nth(m, type, 0, out);
}

pl_err pl_stun_get_u32(const pl_stun_msg *m, uint16_t type, uint32_t *out)
{
    pl_rd v;
    *out = 0;
    if (!pl_stun_find(m, type, &v))
        return PL_ENOTSUP;
    uint32_t n = pl_rd_u32(&v);
    if (whole(&v))
        return PL_EPROTO;
    *out = n;
    return PL_OK;
}

pl_err pl_stun_get_u64(const pl_stun_msg *m, uint16_t type, uint64_t *out)
{
    pl_rd v;
    *out = 0;
    if (!pl_stun_find(m, type, &v))
        return PL_ENOTSUP;
    uint64_t n = pl_rd_u64(&v);
    if (whole(&v))
        return PL_EPROTO;
    *out = n;
    return PL_OK;
}

pl_err pl_stun_get_u16(const pl_stun_msg *m, uint16_t type, uint16_t *out)
{
    uint32_t n;
    pl_err err = pl_stun_get_u32(m, type, &n);
    *out = (uint16_t)(n >> 16);
    return err;
}

pl_err pl_stun_get_u8(const pl_stun_msg *m, uint16_t type, uint8_t *out)
{
    pl_rd v;
    *out = 0;
    if (!pl_stun_find(m, type, &v))
        return PL_ENOTSUP;
    if (pl_rd_left(&v) != 1 && pl_rd_left(&v) != 4)
        return PL_EPROTO;
    *out = pl_rd_u8(&v);
    return PL_OK;
}

pl_err pl_stun_get_flag(const pl_stun_msg *m, uint16_t type)
{
    pl_rd v;
    if (!pl_stun_find(m, type, &v))
        return PL_ENOTSUP;
    return whole(&v);
}

pl_err pl_stun_get_str(const pl_stun_msg *m, uint16_t type, pl_str *out)
{
    pl_rd v;
    *out = (pl_str){ 0 };
    if (!pl_stun_find(m, type, &v))
        return PL_ENOTSUP;
    size_t n = pl_rd_left(&v);
    if (n > (type == PL_STUN_USERNAME ? PL_STUN_USERNAME_MAX : PL_STUN_TEXT_MAX))
        return PL_EPROTO;
    *out = (pl_str){ (const char *)v.p, n };
    return PL_OK;
}

/* 13 or 21 reserved bits are gone already: class, number and reason phrase. */
static pl_err read_code(pl_rd *v, uint16_t *code, pl_str *reason)
{
    unsigned hundreds = pl_rd_u8(v) & 7, rest = pl_rd_u8(v);
    if (!pl_rd_ok(v) || hundreds < 3 || hundreds > 6 || rest > 99 || pl_rd_left(v) > REASON_MAX)
        return PL_EPROTO;
    *code = (uint16_t)(hundreds * 100 + rest);
    *reason = (pl_str){ (const char *)v->p, pl_rd_left(v) };
    return PL_OK;
}

pl_err pl_stun_get_error(const pl_stun_msg *m, uint16_t *code, pl_str *reason)
{
    pl_rd v;
    *code = 0;
    *reason = (pl_str){ 0 };
    if (!pl_stun_find(m, PL_STUN_ERROR_CODE, &v))
        return PL_ENOTSUP;
    pl_rd_skip(&v, 2);
    return read_code(&v, code, reason);
}

pl_err pl_stun_get_address_error(const pl_stun_msg *m, pl_family *family, uint16_t *code, pl_str *reason)
{
    pl_rd v;
    *family = PL_AF_NONE;
    *code = 0;
    *reason = (pl_str){ 0 };
    if (!pl_stun_find(m, PL_STUN_ADDRESS_ERROR_CODE, &v))
        return PL_ENOTSUP;
    uint8_t af = pl_rd_u8(&v);
    pl_rd_skip(&v, 1);
    if (af != 1 && af != 2)
        return PL_EPROTO;
    pl_err err = read_code(&v, code, reason);
    if (!err)
        *family = af == 1 ? PL_AF_IP4 : PL_AF_IP6;
    return err;
}

pl_err pl_stun_get_unknown(const pl_stun_msg *m, uint16_t *types, size_t cap, size_t *n)
{
    pl_rd v;
    *n = 0;
    if (!pl_stun_find(m, PL_STUN_UNKNOWN_ATTRIBUTES, &v))
        return PL_ENOTSUP;
    if (pl_rd_left(&v) % 2)
        return PL_EPROTO;
    for (; pl_rd_left(&v) > 0; ++*n) {
        uint16_t type = pl_rd_u16(&v);
        if (*n < cap)
            types[*n] = type;
    }
    return PL_OK;
}

/* 16 reserved bits, 7 of type, 9 of code, 32 of data. */
pl_err pl_stun_get_icmp(const pl_stun_msg *m, pl_stun_icmp *out)
{
    uint64_t n;
    pl_err err = pl_stun_get_u64(m, PL_STUN_ICMP, &n);
    *out = (pl_stun_icmp){ .type = (uint8_t)(n >> 41 & 0x7f),
                           .code = (uint16_t)(n >> 32 & 0x1ff),
                           .data = (uint32_t)n };
    return err;
}

/* One algorithm and its parameters, which both known ones have none of. */
static uint16_t read_algorithm(pl_rd *v)
{
    uint16_t algorithm = pl_rd_u16(v);
    uint16_t len = pl_rd_u16(v);
    pl_rd_skip(v, padded(len) <= pl_rd_left(v) ? padded(len)
                                               : len); /* the last one's padding is the attribute's */
    return algorithm;
}

pl_err pl_stun_get_algorithm(const pl_stun_msg *m, uint16_t *out)
{
    pl_rd v;
    *out = 0;
    if (!pl_stun_find(m, PL_STUN_PASSWORD_ALGORITHM, &v))
        return PL_ENOTSUP;
    uint16_t algorithm = read_algorithm(&v);
    if (whole(&v))
        return PL_EPROTO;
    *out = algorithm;
    return PL_OK;
}

pl_err pl_stun_get_algorithms(const pl_stun_msg *m, uint32_t *set)
{
    pl_rd v;
    uint32_t found = 0;
    *set = 0;
    if (!pl_stun_find(m, PL_STUN_PASSWORD_ALGORITHMS, &v))
        return PL_ENOTSUP;
    while (pl_rd_left(&v) > 0) {
        uint16_t algorithm = read_algorithm(&v);
        if (algorithm < 32)
            found |= UINT32_C(1) << algorithm;
    }
    if (whole(&v))
        return PL_EPROTO;
    *set = found;
    return PL_OK;
}
