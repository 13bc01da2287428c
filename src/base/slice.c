#include "base/slice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

bool pl_str_ieq(pl_str a, pl_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    }
    return true;
}

bool pl_str_starts(pl_str a, const char *z)
{
    size_t n = strlen(z);
    return a.n >= n && memcmp(a.p, z, n) == 0;
}

pl_str pl_str_cut(pl_str *rest, char sep)
{
    pl_str all = *rest;
    const char *at = all.n ? memchr(all.p, sep, all.n) : NULL;
    if (!at) {
        *rest = (pl_str){ NULL, 0 };
        return all;
    }
    size_t n = (size_t)(at - all.p);
    *rest = (pl_str){ at + 1, all.n - n - 1 };
    return (pl_str){ all.p, n };
}

pl_str pl_str_trim(pl_str a)
{
    while (a.n && (a.p[0] == ' ' || a.p[0] == '\t')) {
        a.p++;
        a.n--;
    }
    while (a.n && (a.p[a.n - 1] == ' ' || a.p[a.n - 1] == '\t'))
        a.n--;
    return a;
}

bool pl_str_u64(pl_str a, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < a.n; i++) {
        uint64_t digit = (uint64_t)(unsigned char)a.p[i] - '0';
        if (digit > 9 || digit > max || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return a.n > 0;
}

bool pl_str_copy(pl_str a, char *out, size_t cap)
{
    if (a.n >= cap || (a.n && memchr(a.p, 0, a.n))) {
        if (cap)
            out[0] = 0;
        return false;
    }
    if (a.n)
        memcpy(out, a.p, a.n);
    out[a.n] = 0;
    return true;
}

bool pl_utf8_valid(const void *text, size_t len)
{
    const uint8_t *p = text;
    for (size_t i = 0; i < len;) {
        uint32_t c = p[i];
        size_t more = c < 0x80                ? 0
                      : c >= 0xc2 && c < 0xe0 ? 1
                      : c >= 0xe0 && c < 0xf0 ? 2
                      : c >= 0xf0 && c < 0xf5 ? 3
                                              : 9;
        if (more == 9 || more > len - i - 1)
            return false;
        c = more == 0 ? c : c & (0x3fu >> more);
        for (size_t k = 1; k <= more; k++) {
            if ((p[i + k] & 0xc0) != 0x80)
                return false;
            c = c << 6 | (p[i + k] & 0x3fu);
        }
        if ((more == 2 && c < 0x800) || (more == 3 && c < 0x10000) || c > 0x10ffff ||
            (c >= 0xd800 && c < 0xe000))
            return false;
        i += more + 1;
    }
    return true;
}

static bool make_room(pl_buf *b, size_t n)
{
    if (b->bad || n > b->max || b->n > b->max - n) {
        b->bad = true;
        return false;
    }
    size_t want = b->n + n + 1; /* one for the final zero */
    if (want <= b->cap)
        return true;
    size_t cap = b->cap * 2 > want ? b->cap * 2 : want + 64;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->bad = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void pl_buf_clear(pl_buf *b)
{
    free(b->p);
    *b = (pl_buf){ .max = b->max };
}

void pl_buf_add(pl_buf *b, const void *data, size_t n)
{
    if (!make_room(b, n))
        return;
    if (n)
        memcpy(b->p + b->n, data, n);
    b->n += n;
    b->p[b->n] = 0;
}

void pl_buf_addf(pl_buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0 || !make_room(b, (size_t)n)) {
        b->bad = true;
        return;
    }
    va_start(args, fmt);
    vsnprintf(b->p + b->n, (size_t)n + 1, fmt, args);
    va_end(args);
    b->n += (size_t)n;
}

const char *pl_buf_z(pl_buf *b)
{
    return b->bad ? NULL : b->p ? b->p : "";
}

char *pl_buf_take(pl_buf *b)
{
    char *p = NULL;
    if (!b->bad && make_room(b, 0)) {
        p = b->p;
        p[b->n] = 0;
        b->p = NULL;
    }
    pl_buf_clear(b);
    return p;
}
