#include "crypto/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t pl_base64_encode(const void *data, size_t len, char *out)
{
    const uint8_t *p = data;
    char *at = out;
    for (; len > 0; p += 3) {
        size_t n = len < 3 ? len : 3;
        uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0);
        *at++ = alphabet[v >> 18];
        *at++ = alphabet[v >> 12 & 63];
        *at++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
        *at++ = n > 2 ? alphabet[v & 63] : '=';
        len -= n;
    }
    *at = 0;
    return (size_t)(at - out);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

bool pl_base64_decode(const char *text, size_t len, uint8_t *out, size_t cap, size_t *out_len)
{
    if (len > 0 && len % 4 == 0)
        for (int padding = 0; padding < 2 && text[len - 1] == '='; padding++)
            len--;
    if (len % 4 == 1 || len / 4 * 3 + (len % 4 ? len % 4 - 1 : 0) > cap)
        return false;
    uint32_t v = 0;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        int six = value_of(text[i]);
        if (six < 0)
            return false;
        v = v << 6 | (uint32_t)six;
        if (i % 4)
            out[n++] = (uint8_t)(v >> (6 - 2 * (i % 4)));
    }
    *out_len = n;
    return true;
}
