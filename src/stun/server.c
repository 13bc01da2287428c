#include "stun/server.h"

#include "stun/integrity.h"
#include "stun/message.h"

enum { AMPLIFY_NUM = 3, AMPLIFY_DEN = 2 };

/* Attributes that ask a Binding server for something this one does not do: answered like unknown ones, which
 * for CHANGE-REQUEST and RESPONSE-PORT is what RFC 5780 7.2 and 7.5 want. */
static const uint16_t not_served[] = {
    PL_STUN_RESPONSE_ADDRESS, PL_STUN_CHANGE_REQUEST,           PL_STUN_PADDING,
    PL_STUN_RESPONSE_PORT,    PL_STUN_CHANNEL_NUMBER,           PL_STUN_LIFETIME,
    PL_STUN_XOR_PEER_ADDRESS, PL_STUN_REQUESTED_ADDRESS_FAMILY, PL_STUN_EVEN_PORT,
    PL_STUN_DATA_ATTR,        PL_STUN_REQUESTED_TRANSPORT,      PL_STUN_DONT_FRAGMENT,
    PL_STUN_CONNECTION_ID,    PL_STUN_RESERVATION_TOKEN,
};

static size_t collect_unknown(const pl_stun_msg *m, uint16_t out[PL_STUN_UNKNOWN_MAX])
{
    size_t n = 0;
    for (; n < m->n_unknown; n++)
        out[n] = m->unknown[n];
    for (size_t i = 0; i < sizeof not_served / sizeof not_served[0] && n < PL_STUN_UNKNOWN_MAX; i++) {
        uint32_t flags;
        if (not_served[i] == PL_STUN_CHANGE_REQUEST && !pl_stun_get_u32(m, PL_STUN_CHANGE_REQUEST, &flags) &&
            !(flags & (PL_STUN_CHANGE_IP | PL_STUN_CHANGE_PORT)))
            continue; /* it asks for no change: old clients say so in words */
        if (pl_stun_has(m, not_served[i]))
            out[n++] = not_served[i];
    }
    return n;
}

static bool is_malformed(const pl_stun_msg *m)
{
    uint32_t flags;
    pl_str name;
    return pl_stun_get_u32(m, PL_STUN_CHANGE_REQUEST, &flags) == PL_EPROTO ||
           pl_stun_get_str(m, PL_STUN_USERNAME, &name) == PL_EPROTO;
}

/* An optional attribute of `len` bytes with header and padding still fits what the request has paid for. */
static bool affordable(const pl_stun_wr *s, const pl_stun_msg *request, size_t len)
{
    size_t total = pl_wr_len(&s->w) + len;
    return total * AMPLIFY_DEN <= request->len * AMPLIFY_NUM && total <= PL_STUN_RESPOND_MAX;
}

static void put_extras(pl_stun_wr *s, const pl_stun_server_conf *conf, const pl_stun_msg *request)
{
    size_t fingerprint_len = request->fingerprint_at ? 8 : 0;
    pl_str software = pl_str_of(conf && !request->classic ? conf->software : NULL);
    if (software.n && affordable(s, request, 4 + (software.n + 3) / 4 * 4 + fingerprint_len))
        pl_stun_put_str(s, PL_STUN_SOFTWARE, software);
    if (fingerprint_len)
        pl_stun_put_fingerprint(s);
}

static pl_stun_wr refuse(const pl_stun_msg *request, uint16_t code, const uint16_t *unknown, size_t n_unknown,
                         uint8_t *out, size_t cap)
{
    pl_stun_wr s = pl_stun_begin_reply(out, cap, PL_STUN_ERROR, request);
    size_t reason_len = strlen(pl_stun_reason(code));
    size_t rest = 8 + (reason_len + 3) / 4 * 4 + (n_unknown ? 4 + (2 * n_unknown + 3) / 4 * 4 : 0);
    bool in_words = affordable(&s, request, rest + (request->fingerprint_at ? 8 : 0));
    pl_stun_put_error(&s, code, in_words ? NULL : "");
    if (n_unknown)
        pl_stun_put_unknown(&s, unknown, n_unknown);
    return s;
}

static pl_stun_wr reflect(const pl_stun_msg *request, const pl_addr *source, uint8_t *out, size_t cap)
{
    pl_stun_wr s = pl_stun_begin_reply(out, cap, PL_STUN_SUCCESS, request);
    if (request->classic)
        pl_stun_put_addr(&s, PL_STUN_MAPPED_ADDRESS, source);
    else
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, source);
    return s;
}

static bool is_for_us(const pl_stun_msg *m)
{
    return m->cls == PL_STUN_REQUEST && m->method == PL_STUN_BINDING &&
           pl_stun_check_fingerprint(m) != PL_EPROTO;
}

size_t pl_stun_respond(const pl_stun_server_conf *conf, pl_stun_server_counters *count, const void *pkt,
                       size_t len, const pl_addr *source, uint8_t *out, size_t cap)
{
    pl_stun_server_counters nowhere = { 0 };
    pl_stun_msg m;
    count = count ? count : &nowhere;
    if (pl_stun_parse(&m, pkt, len) || !is_for_us(&m)) {
        count->ignored++;
        return 0;
    }
    count->requests++;
    count->classic += m.classic;
    uint16_t unknown[PL_STUN_UNKNOWN_MAX];
    size_t n_unknown = collect_unknown(&m, unknown);
    bool malformed = is_malformed(&m);
    count->errors += malformed || n_unknown;
    pl_stun_wr s = malformed   ? refuse(&m, 400, NULL, 0, out, cap)
                   : n_unknown ? refuse(&m, 420, unknown, n_unknown, out, cap)
                               : reflect(&m, source, out, cap);
    put_extras(&s, conf, &m);
    return pl_stun_end(&s);
}
