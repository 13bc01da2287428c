/* `serve --relay`: the page is handed an ice server, and its credentials relay. */
#include "turn_help.h"

#include "server/server.h"

static char page[65536];
static size_t n_page;
static bool page_ended;

static void on_page(void *user, uint8_t *data, size_t len)
{
    (void)user;
    PL_LE(n_page + len, sizeof page - 1);
    memcpy(page + n_page, data, len);
    n_page += len;
    page[n_page] = 0;
}

static void on_page_end(void *user, pl_err err)
{
    (void)user, (void)err;
    page_ended = true;
}

/* What GET answers. */
static const char *get(pl_loop *loop, const pl_addr *at, const char *path)
{
    char request[256];
    pl_tcp *s;
    pl_tcp_conf conf = { .on = { .data = on_page, .closed = on_page_end } };
    n_page = 0;
    page_ended = false;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
    PL_EQ(pl_tcp_connect(&s, loop, at, &conf), PL_OK);
    while (pl_tcp_write(s, request, strlen(request)) == PL_ESTATE && !page_ended)
        PL_EQ(pl_loop_run_once(loop, PL_MS(5)), PL_OK);
    HELP_UNTIL(loop, page_ended);
    pl_tcp_close(s);
    return page;
}

/* The text of "key":"...". */
static void value_of(const char *json, const char *key, char *out, size_t cap)
{
    char want[64];
    snprintf(want, sizeof want, "\"%s\":\"", key);
    const char *at = strstr(json, want);
    PL_OKAY(at != NULL);
    at += strlen(want);
    PL_OKAY(pl_str_copy((pl_str){ at, strcspn(at, "\"") }, out, cap));
}

PL_TEST(the_page_is_handed_a_relay)
{
    pl_loop *loop;
    pl_server *s;
    static pl_relay_settings set;
    char say[PL_RELAY_SAY_MAX], name[256], password[256], url[64];
    pl_relay_settings_init(&set);
    PL_OKAY(pl_relay_settings_set(&set, "allow-peer", "127.0.0.0/8", say));
    PL_OKAY(pl_relay_settings_set(&set, "threads", "2", say));
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    pl_addr loopback = help_addr("127.0.0.1:0");
    pl_server_conf conf = {
        .http = { .listen = { loopback }, .n_listen = 1 }, .stun = { loopback }, .n_stun = 1, .relay = &set
    };
    PL_EQ(pl_server_new(&s, loop, &conf), PL_OK);
    PL_EQ(pl_server_n_stun(s), 1);
    const pl_addr *stun = pl_server_stun_addr(s, 0);
    const char *text = get(loop, pl_server_addr(s, 0), "/config.json");
    snprintf(url, sizeof url, "\"turn:{host}:%u?transport=udp\"", stun->port);
    PL_OKAY(strstr(text, url));
    snprintf(url, sizeof url, "\"turn:{host}:%u?transport=tcp\"", stun->port);
    PL_OKAY(strstr(text, url));
    value_of(text, "username", name, sizeof name);
    value_of(text, "credential", password, sizeof password);
    int64_t end_s = strtoll(name, NULL, 10), now_s = pl_wall_us() / 1000000;
    PL_GE(end_s, now_s + 86300);
    PL_LE(end_s, now_s + 86400);
    for (int how = PL_RELAY_UDP; how <= PL_RELAY_TCP; how++) {
        help_turn *t = help_turn_open(loop, (pl_relay_transport)how, stun);
        pl_addr relayed;
        PL_EQ(help_turn_allocate(t, &relayed), 401);
        help_turn_login(t, name, password);
        PL_EQ(help_turn_allocate(t, &relayed), 0);
        help_turn_close(t);
    }
    PL_OKAY(strstr(get(loop, pl_server_addr(s, 0), "/status"), "\"relay_packets\":0"));
    pl_server_free(s);
    pl_loop_free(loop);
}

/* Behind a 1:1 NAT the page is told the outer address. */
PL_TEST(an_external_address_is_handed_on)
{
    pl_loop *loop;
    pl_server *s;
    static pl_relay_settings set;
    char say[PL_RELAY_SAY_MAX];
    pl_relay_settings_init(&set);
    PL_OKAY(pl_relay_settings_set(&set, "external", "2001:db8::7", say));
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    pl_server_conf conf = { .http = { .listen = { help_addr("127.0.0.1:0") }, .n_listen = 1 },
                            .stun = { help_addr("127.0.0.1:0") },
                            .n_stun = 1,
                            .relay = &set };
    PL_EQ(pl_server_new(&s, loop, &conf), PL_OK);
    PL_OKAY(strstr(get(loop, pl_server_addr(s, 0), "/config.json"), "\"turn:[2001:db8::7]:"));
    pl_server_free(s);
    pl_loop_free(loop);
}

PL_TESTS(t(the_page_is_handed_a_relay), t(an_external_address_is_handed_on))
