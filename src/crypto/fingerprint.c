#include "crypto/fingerprint.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"

static const struct {
    pl_hash_alg alg;
    const char *name;
    size_t len;
} known[] = {
    { PL_HASH_SHA256, "sha-256", 32 },
    { PL_HASH_SHA384, "sha-384", 48 },
    { PL_HASH_SHA512, "sha-512", 64 },
    { PL_HASH_SHA1, "sha-1", 20 },
};
enum { N_KNOWN = sizeof known / sizeof known[0] };

bool pl_fingerprint_eq(const pl_fingerprint *a, const pl_fingerprint *b)
{
    return a->alg == b->alg && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

const char *pl_hash_alg_str(pl_hash_alg alg)
{
    for (int i = 0; i < N_KNOWN; i++)
        if (known[i].alg == alg)
            return known[i].name;
    return NULL;
}

pl_hash_alg pl_hash_alg_of(const char *name, size_t len)
{
    for (int i = 0; i < N_KNOWN; i++)
        if (pl_str_ieq((pl_str){ name, len }, pl_str_of(known[i].name)))
            return known[i].alg;
    return PL_HASH_NONE;
}

size_t pl_hash_alg_len(pl_hash_alg alg)
{
    for (int i = 0; i < N_KNOWN; i++)
        if (known[i].alg == alg)
            return known[i].len;
    return 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

pl_err pl_fingerprint_parse(pl_fingerprint *out, const char *alg, size_t alg_len, const char *hex,
                            size_t hex_len)
{
    *out = (pl_fingerprint){ 0 };
    pl_fingerprint f = { .alg = (uint8_t)pl_hash_alg_of(alg, alg_len) };
    f.len = (uint8_t)pl_hash_alg_len(f.alg);
    if (f.alg == PL_HASH_NONE)
        return PL_ENOTSUP;
    if (hex_len != 3 * (size_t)f.len - 1)
        return PL_EPROTO;
    for (size_t i = 0; i < f.len; i++) {
        int hi = hex_value(hex[3 * i]), lo = hex_value(hex[3 * i + 1]);
        bool parted = i + 1 == f.len || hex[3 * i + 2] == ':';
        if (hi < 0 || lo < 0 || !parted)
            return PL_EPROTO;
        f.bytes[i] = (uint8_t)(hi << 4 | lo);
    }
    *out = f;
    return PL_OK;
}

static void put_hex(const pl_fingerprint *f, char *at)
{
    static const char digit[] = "0123456789ABCDEF";
    for (size_t i = 0; i < f->len; i++) {
        if (i > 0)
            *at++ = ':';
        *at++ = digit[f->bytes[i] >> 4];
        *at++ = digit[f->bytes[i] & 15];
    }
    *at = 0;
}

const char *pl_fingerprint_hex(const pl_fingerprint *f, char out[PL_FINGERPRINT_TEXT_MAX])
{
    put_hex(f, out);
    return out;
}

const char *pl_fingerprint_str(const pl_fingerprint *f, char out[PL_FINGERPRINT_TEXT_MAX])
{
    const char *name = pl_hash_alg_str(f->alg);
    int n = snprintf(out, PL_FINGERPRINT_TEXT_MAX, "%s ", name ? name : "none");
    put_hex(f, out + n);
    return out;
}
