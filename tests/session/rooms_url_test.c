/* Addresses of rooms, and what is none. */
#include "pl_test.h"

#include "session/rooms_url.h"

static void is(const char *url, const char *room, const char *server, const char *in, const char *name)
{
    pl_rooms_url u;
    PL_EQ(pl_rooms_url_parse(&u, url, room), PL_OK);
    PL_STREQ(u.server, server);
    PL_STREQ(u.room, in);
    if (name)
        PL_STREQ(u.name, name);
    else
        PL_OKAY(!u.name || !u.name[0]);
    pl_rooms_url_clear(&u);
}

PL_TEST(parts)
{
    is("http://host:8888", NULL, "http://host:8888", "", NULL);
    is("http://host:8888/#bob", NULL, "http://host:8888", "", "bob");
    is("http://host#bob", NULL, "http://host", "", "bob");
    is("https://host/", NULL, "https://host", "", NULL);
    is("https://host/#", NULL, "https://host", "", NULL);
    is("http://host/hall#Bob%20%C3%A9", NULL, "ws://host", "hall", "Bob \303\251");
    is("https://host:1/h%2Fall", NULL, "wss://host:1", "h/all", NULL);
    is("http://[::1]:80/hall/", NULL, "ws://[::1]:80", "hall", NULL);
    is("ws://host/path/ws#bob", NULL, "ws://host/path/ws", "", "bob");
    is("wss://host", "hall", "wss://host", "hall", NULL);
    is("http://host/behind/a/proxy", "", "http://host/behind/a/proxy", "", NULL); /* as --server has it */
    is("http://host/?some=thing#bob#cid", NULL, "http://host", "", "bob#cid");
}

PL_TEST(nothing)
{
    static const char *const wrong[] = {
        "http:",       "http:/",      "http://",       "http:///x#bob", "//host#bob",    "http://h/a/b",
        "http://h/%4", "http://h/#%", "http://h/#%00", "http://h/#%zz", "http://h/#%ff", "http://h/%c3#x"
    };
    pl_rooms_url u;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        PL_EQ(pl_rooms_url_parse(&u, wrong[i], NULL), PL_EINVAL);
        PL_OKAY(!u.server && !u.room && !u.name);
    }
}

PL_TESTS(t(parts), t(nothing))
