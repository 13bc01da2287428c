/* Addresses of a Redis. */
#include "pl_test.h"

#include "server/redis_url.h"

PL_TEST(every_part_is_found)
{
    static const struct {
        const char *url, *host, *name, *password;
        uint16_t port;
        unsigned database;
    } good[] = {
        { "redis://host", "host", "", "", 6379, 0 },
        { "redis://host:7000", "host", "", "", 7000, 0 },
        { "redis://host/3", "host", "", "", 6379, 3 },
        { "redis://node@host:1/0", "host", "node", "", 1, 0 },
        { "redis://node:a:b@10.0.0.1:65535/12", "10.0.0.1", "node", "a:b", 65535, 12 },
        { "redis://:secret@host", "host", "", "secret", 6379, 0 },
        { "redis://[2001:db8::1]:7000/1", "2001:db8::1", "", "", 7000, 1 },
        { "redis://host:", "host", "", "", 6379, 0 }, /* RFC 3986 3.2.3 */
        { "redis://[::1]", "::1", "", "", 6379, 0 },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        pl_redis_url at;
        PL_OKAY(pl_redis_url_parse(&at, good[i].url));
        assert_string_equal(at.host, good[i].host);
        assert_string_equal(at.name, good[i].name);
        assert_string_equal(at.password, good[i].password);
        PL_EQ(at.port, good[i].port);
        PL_EQ(at.database, good[i].database);
    }
}

PL_TEST(what_is_none_is_refused)
{
    static const char *const bad[] = {
        "",
        "host",
        "redis:",
        "redis://",
        "redis:///1",
        "redis://:6379",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:x",
        "redis://h/x",
        "redis://h/1/2",
        "redis://[]",
        "rediss://h",
        "redis://a@",
        "redis://h/1000001",
        "http://h",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pl_redis_url at;
        if (pl_redis_url_parse(&at, bad[i]))
            fail_msg("%s is taken for an address", bad[i]);
    }
    char url[400] = "redis://", *host = url + 8;
    pl_redis_url at;
    memset(host, 'h', 256);
    PL_OKAY(!pl_redis_url_parse(&at, url));
    host[255] = '\0';
    PL_OKAY(pl_redis_url_parse(&at, url));
}

PL_TESTS(t(every_part_is_found), t(what_is_none_is_refused))
