/* Building messages: the second half of message.h. Every attribute is padded with zeros as it is written, and
 * the length in the header is patched at the end (and by the integrity attributes before that). */
#include "stun/message.h"

static pl_stun_wr begin(void *buf, size_t cap, pl_stun_class cls, uint16_t method)
{
    pl_stun_wr s = { .w = pl_wr_init(buf, cap) };
    unsigned m = method, c = cls;
    pl_wr_u16(&s.w,
              (uint16_t)((m & 0x00f) | (c & 1) << 4 | (m & 0x070) << 1 | (c & 2) << 7 | (m & 0xf80) << 2));
    pl_wr_u16(&s.w, 0);
    return s;
}

pl_stun_wr pl_stun_begin(void *buf, size_t cap, pl_stun_class cls, uint16_t method, const uint8_t *id)
{
    pl_stun_wr s = begin(buf, cap, cls, method);
    pl_wr_u32(&s.w, PL_STUN_COOKIE);
    pl_wr_bytes(&s.w, id, PL_STUN_ID_LEN);
    return s;
}

pl_stun_wr pl_stun_begin_reply(void *buf, size_t cap, pl_stun_class cls, const pl_stun_msg *request)
{
    pl_stun_wr s = begin(buf, cap, cls, request->method);
    pl_wr_bytes(&s.w, request->pkt + 4, 4 + PL_STUN_ID_LEN);
    return s;
}

static void head(pl_stun_wr *s, uint16_t type, size_t len)
{
    if (len > UINT16_MAX - 3) {
        s->w.bad = true;
        return;
    }
    pl_wr_u16(&s->w, type);
    pl_wr_u16(&s->w, (uint16_t)len);
}

void pl_stun_put(pl_stun_wr *s, uint16_t type, const void *value, size_t len)
{
    head(s, type, len);
    pl_wr_bytes(&s->w, value, len);
    pl_wr_align(&s->w, 4);
}

void pl_stun_put_str(pl_stun_wr *s, uint16_t type, pl_str text)
{
    if (text.n > (type == PL_STUN_USERNAME ? PL_STUN_USERNAME_MAX : PL_STUN_TEXT_MAX))
        s->w.bad = true;
    pl_stun_put(s, type, text.p, text.n);
}

void pl_stun_put_flag(pl_stun_wr *s, uint16_t type)
{
    head(s, type, 0);
}

void pl_stun_put_u8(pl_stun_wr *s, uint16_t type, uint8_t v)
{
    pl_stun_put_u32(s, type, (uint32_t)v << 24);
}

void pl_stun_put_even_port(pl_stun_wr *s, bool reserve)
{
    uint8_t r = reserve ? 0x80 : 0;
    pl_stun_put(s, PL_STUN_EVEN_PORT, &r, 1);
}

void pl_stun_put_u16(pl_stun_wr *s, uint16_t type, uint16_t v)
{
    pl_stun_put_u32(s, type, (uint32_t)v << 16);
}

void pl_stun_put_u32(pl_stun_wr *s, uint16_t type, uint32_t v)
{
    head(s, type, 4);
    pl_wr_u32(&s->w, v);
}

void pl_stun_put_u64(pl_stun_wr *s, uint16_t type, uint64_t v)
{
    head(s, type, 8);
    pl_wr_u64(&s->w, v);
}

static void put_addr(pl_stun_wr *s, uint16_t type, const pl_addr *a, const uint8_t *mask)
{
    size_t n = a->family == PL_AF_IP4 ? 4 : a->family == PL_AF_IP6 ? 16 : 0;
    if (!n) {
        s->w.bad = true;
        return;
    }
    head(s, type, 4 + n);
    pl_wr_u8(&s->w, 0);
    pl_wr_u8(&s->w, n == 4 ? 1 : 2);
    pl_wr_u16(&s->w, (uint16_t)(a->port ^ (mask ? pl_get16(mask) : 0)));
    for (size_t i = 0; i < n; i++)
        pl_wr_u8(&s->w, (uint8_t)(a->ip[i] ^ (mask ? mask[i] : 0)));
}

void pl_stun_put_addr(pl_stun_wr *s, uint16_t type, const pl_addr *a)
{
    put_addr(s, type, a, NULL);
}

void pl_stun_put_xor_addr(pl_stun_wr *s, uint16_t type, const pl_addr *a)
{
    if (pl_wr_len(&s->w) >= PL_STUN_HEADER_LEN) /* else the writer is bad already */
        put_addr(s, type, a, s->w.start + 4);
}

static void put_code(pl_stun_wr *s, uint16_t type, uint8_t first, uint16_t code, const char *reason)
{
    pl_str text = pl_str_of(reason ? reason : pl_stun_reason(code));
    head(s, type, 4 + text.n);
    pl_wr_u8(&s->w, first);
    pl_wr_u8(&s->w, 0);
    pl_wr_u8(&s->w, (uint8_t)(code / 100));
    pl_wr_u8(&s->w, (uint8_t)(code % 100));
    pl_wr_bytes(&s->w, text.p, text.n);
    pl_wr_align(&s->w, 4);
}

void pl_stun_put_error(pl_stun_wr *s, uint16_t code, const char *reason)
{
    put_code(s, PL_STUN_ERROR_CODE, 0, code, reason);
}

void pl_stun_put_address_error(pl_stun_wr *s, pl_family family, uint16_t code, const char *reason)
{
    put_code(s, PL_STUN_ADDRESS_ERROR_CODE, family == PL_AF_IP4 ? 1 : 2, code, reason);
}

void pl_stun_put_unknown(pl_stun_wr *s, const uint16_t *types, size_t n)
{
    head(s, PL_STUN_UNKNOWN_ATTRIBUTES, 2 * n);
    for (size_t i = 0; i < n; i++)
        pl_wr_u16(&s->w, types[i]);
    pl_wr_align(&s->w, 4);
}

void pl_stun_put_icmp(pl_stun_wr *s, const pl_stun_icmp *icmp)
{
    head(s, PL_STUN_ICMP, 8);
    pl_wr_u32(&s->w, (uint32_t)(icmp->type & 0x7f) << 9 | (icmp->code & 0x1ff));
    pl_wr_u32(&s->w, icmp->data);
}

void pl_stun_put_algorithm(pl_stun_wr *s, uint16_t algorithm)
{
    pl_stun_put_u16(s, PL_STUN_PASSWORD_ALGORITHM, algorithm); /* and no parameters */
}

void pl_stun_put_algorithms(pl_stun_wr *s, const uint16_t *algorithms, size_t n)
{
    head(s, PL_STUN_PASSWORD_ALGORITHMS, 4 * n);
    for (size_t i = 0; i < n; i++)
        pl_wr_u32(&s->w, (uint32_t)algorithms[i] << 16);
}

size_t pl_stun_end(pl_stun_wr *s)
{
    size_t len = pl_wr_len(&s->w);
    if (!pl_wr_ok(&s->w) || len > UINT16_MAX)
        return 0;
    pl_wr_patch16(&s->w, 2, (uint16_t)(len - PL_STUN_HEADER_LEN));
    return len;
}

const char *pl_stun_reason(uint16_t code)
{
    switch (code) {
    case 300: return "Try Alternate";
    case 400: return "Bad Request";
    case 401: return "Unauthenticated";
    case 403: return "Forbidden";
    case 405: return "Mobility Forbidden";
    case 420: return "Unknown Attribute";
    case 437: return "Allocation Mismatch";
    case 438: return "Stale Nonce";
    case 440: return "Address Family not Supported";
    case 441: return "Wrong Credentials";
    case 442: return "Unsupported Transport Protocol";
    case 443: return "Peer Address Family Mismatch";
    case 446: return "Connection Already Exists";
    case 447: return "Connection Timeout or Failure";
    case 486: return "Allocation Quota Reached";
    case 487: return "Role Conflict";
    case 500: return "Server Error";
    case 508: return "Insufficient Capacity";
    default: return "Error";
    }
}
