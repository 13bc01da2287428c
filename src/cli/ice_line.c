#include "cli/ice_line.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/base64.h"
#include "crypto/crc.h"

static const char mark[] = "peerline1:";

enum { HEAD_LEN = 6, LITE = 1, COMPLETE = 2 };
enum { IS_IP4, IS_IP6, IS_NAME };
enum { PROTO_AT = 2, TCPTYPE_AT = 3, FORM_AT = 5 }; /* bits of a candidate's kind; the type is below */

/* ---- writing ---- */

static uint8_t form_of(const pl_ice_cand *c)
{
    return c->addr.family == PL_AF_IP4 ? IS_IP4 : c->addr.family == PL_AF_IP6 ? IS_IP6 : IS_NAME;
}

/* Equal foundations must stay equal; what they are called does not matter (RFC 8445 5.1.1.3). */
static uint8_t foundation_of(const pl_ice_words *w, size_t i)
{
    size_t first = 0;
    while (strcmp(w->cand[first].foundation, w->cand[i].foundation) != 0)
        first++;
    return (uint8_t)(first + 1);
}

static void write_candidate(pl_wr *out, const pl_ice_words *w, size_t i)
{
    const pl_ice_cand *c = &w->cand[i];
    uint8_t form = form_of(c);
    pl_wr_u8(out, (uint8_t)(c->type | c->proto << PROTO_AT | c->tcptype << TCPTYPE_AT | form << FORM_AT));
    pl_wr_u8(out, foundation_of(w, i));
    pl_wr_u32(out, c->priority);
    pl_wr_u16(out, c->addr.port);
    if (form == IS_NAME) {
        pl_wr_u8(out, (uint8_t)strlen(c->name));
        pl_wr_bytes(out, c->name, strlen(c->name));
    } else {
        pl_wr_bytes(out, c->addr.ip, form == IS_IP4 ? 4 : 16);
    }
}

static void write_text(pl_wr *out, const char *text)
{
    size_t n = strlen(text);
    pl_wr_u16(out, (uint16_t)n);
    pl_wr_bytes(out, text, n);
}

bool pl_ice_line_write(const pl_ice_words *words, char out[PL_ICE_LINE_MAX])
{
    uint8_t bytes[PL_ICE_LINE_BYTES_MAX];
    pl_wr w = pl_wr_init(bytes, sizeof bytes);
    pl_wr_zeros(&w, HEAD_LEN);
    pl_wr_u8(&w, (uint8_t)((words->lite ? LITE : 0) | (words->complete ? COMPLETE : 0)));
    write_text(&w, words->ufrag);
    write_text(&w, words->pwd);
    pl_wr_u8(&w, (uint8_t)words->n);
    for (size_t i = 0; i < words->n; i++)
        write_candidate(&w, words, i);
    if (!pl_wr_ok(&w))
        return false;
    size_t len = pl_wr_len(&w);
    pl_wr_patch16(&w, 0, (uint16_t)len);
    pl_wr_patch32(&w, 2, pl_crc32(bytes + HEAD_LEN, len - HEAD_LEN));
    memcpy(out, mark, sizeof mark - 1);
    size_t n = sizeof mark - 1 + pl_base64_encode(bytes, len, out + sizeof mark - 1);
    while (out[n - 1] == '=')
        out[--n] = 0;
    return true;
}

/* ---- reading ---- */

static void read_text(pl_rd *in, char *out, size_t cap)
{
    pl_str s = { .n = pl_rd_u16(in) };
    s.p = (const char *)pl_rd_take(in, s.n);
    if (s.p && !pl_str_copy(s, out, cap))
        in->bad = true;
}

static void read_candidate(pl_rd *in, pl_ice_cand *c)
{
    uint8_t kind = pl_rd_u8(in), form = kind >> FORM_AT;
    *c = (pl_ice_cand){
        .component = 1, .type = kind & 3, .proto = kind >> PROTO_AT & 1, .tcptype = kind >> TCPTYPE_AT & 3
    };
    snprintf(c->foundation, sizeof c->foundation, "%u", (unsigned)pl_rd_u8(in));
    c->priority = pl_rd_u32(in);
    c->addr.port = pl_rd_u16(in);
    if (form > IS_NAME) {
        in->bad = true;
    } else if (form == IS_NAME) {
        pl_str name = { .n = pl_rd_u8(in) };
        name.p = (const char *)pl_rd_take(in, name.n);
        if (!name.n || (name.p && !pl_str_copy(name, c->name, sizeof c->name)))
            in->bad = true;
    } else {
        size_t n = form == IS_IP4 ? 4 : 16;
        const uint8_t *ip = pl_rd_take(in, n);
        c->addr.family = form == IS_IP4 ? PL_AF_IP4 : PL_AF_IP6;
        if (ip)
            memcpy(c->addr.ip, ip, n);
    }
}

static pl_err read_bytes(pl_ice_words *out, const uint8_t *bytes, size_t len)
{
    pl_rd in = pl_rd_init(bytes, len);
    *out = (pl_ice_words){ .n = 0 };
    pl_rd_skip(&in, 2);
    uint32_t crc = pl_rd_u32(&in);
    if (len < HEAD_LEN || crc != pl_crc32(bytes + HEAD_LEN, len - HEAD_LEN))
        return PL_EPROTO;
    uint8_t flags = pl_rd_u8(&in);
    out->lite = flags & LITE;
    out->complete = flags & COMPLETE;
    read_text(&in, out->ufrag, sizeof out->ufrag);
    read_text(&in, out->pwd, sizeof out->pwd);
    out->n = pl_rd_u8(&in);
    if (out->n > PL_ICE_REMOTES_MAX)
        return PL_EPROTO;
    for (size_t i = 0; i < out->n; i++)
        read_candidate(&in, &out->cand[i]);
    return pl_rd_ok(&in) && pl_rd_left(&in) == 0 ? PL_OK : PL_EPROTO;
}

/* The next character of base64 at or after *at, which moves behind it; 0 at the end. */
static char next_letter(const char **at)
{
    while (**at) {
        char c = *(*at)++;
        bool alpha = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (alpha || (c >= '0' && c <= '9') || c == '+' || c == '/')
            return c;
    }
    return 0;
}

/* base64 goes by four letters for three bytes: the length is known after the first four. */
static pl_err read_line(pl_ice_words *out, const char *at)
{
    char letters[PL_ICE_LINE_MAX];
    uint8_t bytes[PL_ICE_LINE_BYTES_MAX];
    size_t n = 0, want = 4, len = 0, whole = 0;
    for (; n < want; n++) {
        letters[n] = next_letter(&at);
        if (!letters[n])
            return PL_EAGAIN;
        if (n != 3)
            continue;
        if (!pl_base64_decode(letters, 4, bytes, sizeof bytes, &len))
            return PL_EPROTO;
        whole = pl_get16(bytes);
        want = (whole * 8 + 5) / 6;
        if (whole < HEAD_LEN || whole > PL_ICE_LINE_BYTES_MAX)
            return PL_EPROTO;
    }
    if (!pl_base64_decode(letters, want, bytes, sizeof bytes, &len) || len != whole)
        return PL_EPROTO;
    return read_bytes(out, bytes, len);
}

pl_err pl_ice_line_read(pl_ice_words *out, const char *text)
{
    const char *at = strstr(text, mark);
    if (at)
        return read_line(out, at + sizeof mark - 1);
    if (!strstr(text, "end-of-candidates"))
        return PL_EAGAIN;
    return pl_ice_words_read(out, text);
}
