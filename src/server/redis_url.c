#include "server/redis_url.h"

#include <string.h>

#include "base/slice.h"

static bool parse_address(pl_redis_url *out, pl_str place)
{
    uint64_t port = PL_REDIS_PORT;
    pl_str host;
    if (place.n && place.p[0] == '[') {
        host = pl_str_cut(&place, ']');
        host = (pl_str){ host.p + 1, host.n - 1 };
        (void)pl_str_cut(&place, ':');
    } else {
        host = pl_str_cut(&place, ':');
    }
    if (place.n && !pl_str_u64(place, 65535, &port))
        return false;
    out->port = (uint16_t)port;
    return host.n && port && pl_str_copy(host, out->host, sizeof out->host);
}

bool pl_redis_url_parse(pl_redis_url *out, const char *url)
{
    uint64_t database = 0;
    pl_str rest = pl_str_of(url);
    *out = (pl_redis_url){ .port = 0 };
    if (!pl_str_starts(rest, "redis://"))
        return false;
    rest = (pl_str){ rest.p + 8, rest.n - 8 };
    pl_str place = pl_str_cut(&rest, '/');
    if (rest.n && !pl_str_u64(rest, 1000000, &database))
        return false;
    out->database = (unsigned)database;
    if (place.n && memchr(place.p, '@', place.n)) {
        pl_str name = pl_str_cut(&place, '@'), password = name;
        name = pl_str_cut(&password, ':');
        if (!pl_str_copy(name, out->name, sizeof out->name) ||
            !pl_str_copy(password.p ? password : PL_STR(""), out->password, sizeof out->password))
            return false;
    }
    return parse_address(out, place);
}
