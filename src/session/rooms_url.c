#include "session/rooms_url.h"

#include <stdio.h>
#include <stdlib.h>

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

char *pl_url_decode(pl_str text, pl_err *err)
{
    char *out = malloc(text.n + 1), *to = out;
    *err = out ? PL_OK : PL_ENOMEM;
    for (size_t i = 0; out && i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex(text.p[i + 1]) : -1, low = high < 0 ? -1 : hex(text.p[i + 2]);
            c = (char)(low < 0 ? 0 : high * 16 + low);
            i += 2;
        }
        if (!c) {
            *err = PL_EINVAL;
            break;
        }
        *to++ = c;
    }
    if (out)
        *to = '\0';
    if (!*err && !pl_utf8_valid(out, (size_t)(to - out)))
        *err = PL_EINVAL;
    if (*err) {
        free(out);
        out = NULL;
    }
    return out;
}

/* A room is reached by WebSocket alone; the classic protocol knows the common one. */
static char *service_of(pl_str scheme, pl_str authority, pl_str path, bool in_room)
{
    bool http = pl_str_starts(scheme, "http"), tls = scheme.p[scheme.n - 1] == 's';
    const char *as = http && in_room ? (tls ? "wss" : "ws") : NULL;
    pl_buf b = pl_buf_init(2048);
    pl_buf_addf(&b, "%.*s://%.*s", as ? (int)strlen(as) : (int)scheme.n, as ? as : scheme.p, (int)authority.n,
                authority.p);
    if (path.n)
        pl_buf_addf(&b, "/%.*s", (int)path.n, path.p);
    return pl_buf_take(&b);
}

static pl_str without_slashes(pl_str path)
{
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    return path;
}

pl_err pl_rooms_url_parse(pl_rooms_url *out, const char *url, const char *room)
{
    pl_err err = PL_OK;
    pl_str rest = pl_str_of(url), scheme = pl_str_cut(&rest, ':');
    *out = (pl_rooms_url){ 0 };
    if (!rest.p || !pl_str_starts(rest, "//"))
        return PL_EINVAL;
    rest = (pl_str){ rest.p + 2, rest.n - 2 };
    pl_str where = pl_str_cut(&rest, '#'), authority = pl_str_cut(&where, '/'),
           path = without_slashes(pl_str_cut(&where, '?'));
    bool http = pl_str_starts(scheme, "http");
    if (authority.n == 0 || (http && !room && path.n && memchr(path.p, '/', path.n)))
        return PL_EINVAL;
    if (!room && http) {
        out->room = pl_url_decode(path, &err);
        path.n = 0;
    } else {
        out->room = strdup(room ? room : "");
    }
    if (!err && rest.n)
        out->name = pl_url_decode(rest, &err);
    if (!err && out->room)
        out->server = service_of(scheme, authority, path, out->room[0] != '\0');
    if (!err && (!out->server || !out->room))
        err = PL_ENOMEM;
    if (err)
        pl_rooms_url_clear(out);
    return err;
}

void pl_rooms_url_clear(pl_rooms_url *u)
{
    free(u->server);
    free(u->room);
    free(u->name);
    *u = (pl_rooms_url){ 0 };
}
