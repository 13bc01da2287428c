#include "cli/xmpp_say.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

/* The code point at p, and how many bytes it has; what came in a stanza is UTF-8. */
static uint32_t decode(const unsigned char *p, int *n)
{
    *n = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
    uint32_t c = *n == 1 ? *p : *p & (0xffu >> (*n + 1));
    for (int i = 1; i < *n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *n = 1;
            return ' ';
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    return c;
}

static int steers(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029;
}

void pl_xmpp_put(FILE *to, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        int n;
        uint32_t c = decode(p, &n);
        if (c == '\n')
            fputs("\n    ", to);
        else if (steers(c))
            fputc(' ', to);
        else
            fwrite(p, 1, (size_t)n, to);
        p += n;
    }
}

void pl_xmpp_print(FILE *to, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    for (const char *p = fmt; *p; p++) {
        if (p[0] == '%' && p[1] == 's') {
            const char *text = va_arg(args, const char *);
            pl_xmpp_put(to, text ? text : "");
            p++;
        } else {
            fputc(*p, to);
        }
    }
    va_end(args);
    fputc('\n', to);
    fflush(to);
}

void pl_xmpp_member(json_t *o, const char *name, const char *text)
{
    if (text)
        json_object_set_new(o, name, json_string(text));
}
