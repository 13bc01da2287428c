/* The whole server on loopback: page, configuration, status, STUN. */
#include "pl_test.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/udp.h"
#include "peerline/log.h"
#include "server/server.h"
#include "server/web.h"
#include "stun/message.h"

static const pl_addr loopback = { .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } };

PL_TEST(files_built_in)
{
    pl_http_file f;
    static const char *const paths[] = { "/", "/index.html", "/app.js", "/style.css", "/icon.svg" };
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        PL_OKAY(pl_web_get(NULL, pl_str_of(paths[i]), &f));
        PL_OKAY(f.len > 100 && f.etag[0] == '"' && !f.release);
    }
    PL_OKAY(pl_web_get(NULL, PL_STR("/app.js"), &f));
    PL_STREQ(f.type, "text/javascript; charset=utf-8");
    PL_OKAY(!pl_web_get(NULL, PL_STR("/nothing.html"), &f));
    PL_OKAY(!pl_web_get(NULL, PL_STR(""), &f));
}

PL_TEST(files_of_a_directory)
{
    char dir[] = "/tmp/pl-web-XXXXXX", name[64], secret[64];
    pl_http_file f;
    PL_OKAY(mkdtemp(dir));
    snprintf(name, sizeof name, "%s/index.html", dir);
    snprintf(secret, sizeof secret, "%s/.htpasswd", dir);
    FILE *out = fopen(name, "w");
    fputs("mine", out);
    fclose(out);
    out = fopen(secret, "w");
    fclose(out);
    PL_OKAY(pl_web_get(dir, PL_STR("/"), &f));
    PL_EQ(f.len, 4);
    PL_MEMEQ(f.data, "mine", 4);
    free(f.release);
    static const char *const bad[] = { "/.htpasswd",         "/../index.html", "/..", "/x/../index.html",
                                       "/%2e%2e/index.html", "/index.htm",     "/.",  "index.html",
                                       "/index.html/",       "//index.html" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        PL_OKAY(!pl_web_get(dir, pl_str_of(bad[i]), &f));
    unlink(name);
    unlink(secret);
    rmdir(dir);
}

typedef struct asker {
    pl_udp *udp;
    bool answered;
    pl_addr mapped;
    size_t len;
} asker;

static void on_answer(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    asker *a = user;
    pl_stun_msg msg;
    (void)now_us;
    PL_EQ(n, 1);
    a->len = batch[0].len;
    PL_EQ(pl_stun_parse(&msg, batch[0].data, batch[0].len), PL_OK);
    PL_EQ(pl_stun_get_xor_addr(&msg, PL_STUN_XOR_MAPPED_ADDRESS, &a->mapped), PL_OK);
    a->answered = true;
}

PL_TEST(stun_is_answered_and_never_longer_than_it_may)
{
    pl_loop *loop;
    pl_server *s;
    asker a = { 0 };
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    pl_server_conf conf = { .http = { .listen = { loopback }, .n_listen = 1 },
                            .stun = { loopback },
                            .n_stun = 1 };
    PL_EQ(pl_server_new(&s, loop, &conf), PL_OK);
    pl_udp_conf uc = { .bind = loopback, .fn = on_answer, .user = &a };
    PL_EQ(pl_udp_open(&a.udp, loop, &uc), PL_OK);

    static uint8_t binding[20] = {
        0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
    };
    static uint8_t junk[100] = { 0xff };
    pl_dgram d = {
        .path = { .remote = *pl_server_stun_addr(s, 0) }, .data = junk, .cap = sizeof junk, .len = 100
    };
    PL_EQ(pl_udp_send(a.udp, &d), PL_OK);
    d.data = binding;
    d.len = sizeof binding;
    PL_EQ(pl_udp_send(a.udp, &d), PL_OK);
    for (int i = 0; i < 2000 && !a.answered; i++)
        (void)pl_loop_run_once(loop, 5000);
    PL_OKAY(a.answered);
    PL_OKAY(pl_addr_eq(&a.mapped, pl_udp_addr(a.udp)));
    PL_LE(a.len, 44);
    pl_server_stats st;
    pl_server_get_stats(s, &st);
    PL_EQ(st.stun_requests, 1);
    PL_EQ(st.stun_answers, 1);
    pl_udp_close(a.udp);
    pl_server_free(s);
    pl_loop_free(loop);
}

PL_TEST(taken_addresses_are_said)
{
    pl_loop *loop;
    pl_server *s, *other;
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    pl_server_conf conf = { .http = { .listen = { loopback }, .n_listen = 1 },
                            .stun = { loopback },
                            .n_stun = 1 };
    PL_EQ(pl_server_new(&s, loop, &conf), PL_OK);
    PL_EQ(pl_server_n_addrs(s), 1);
    PL_EQ(pl_server_n_stun(s), 1);
    pl_log_to(NULL, NULL, PL_LOG_OFF);
    conf.stun[0] = *pl_server_stun_addr(s, 0);
    PL_EQ(pl_server_new(&other, loop, &conf), PL_EIO);
    conf.stun[0] = loopback;
    conf.http.listen[0] = *pl_server_addr(s, 0);
    PL_EQ(pl_server_new(&other, loop, &conf), PL_EIO);
    PL_OKAY(!other);
    conf.n_stun = PL_SERVER_STUN_MAX + 1;
    PL_EQ(pl_server_new(&other, loop, &conf), PL_EINVAL);
    pl_server_free(s);
    pl_loop_free(loop);
}

/* The whole answer to one request, the server on our own loop. */
static void get(pl_loop *loop, const pl_addr *at, const char *path, char *out, size_t cap)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(at->port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char request[128];
    size_t n = 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0),
        len = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\n\r\n", path);
    PL_EQ(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    PL_EQ(send(fd, request, (size_t)len, 0), len);
    for (int i = 0; i < 2000 && n < cap - 1; i++) {
        (void)pl_loop_run_once(loop, 10000);
        ssize_t got = recv(fd, out + n, cap - 1 - n, MSG_DONTWAIT);
        if (got == 0)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    out[n] = '\0';
    close(fd);
    PL_OKAY(n > 0);
}

static bool parse_answer(const char *json, const char *member, char *out, size_t cap)
{
    const char *at = strstr(json, member), *end = at ? strchr(at + strlen(member), '"') : NULL;
    return end && pl_str_copy((pl_str){ at + strlen(member), (size_t)(end - at) - strlen(member) }, out, cap);
}

/* Credentials for relays elsewhere: END:page, and the HMAC of that under the secret they share with us. */
PL_TEST(relays_elsewhere_are_handed_out)
{
    pl_server_conf conf = { .turn_url = { "turn:relay.example.org:3478", "turns:relay.example.org:5349" },
                            .n_turn = 2,
                            .turn_secret = "north" };
    pl_loop *loop;
    pl_server *s;
    char name[64], password[64], want[PL_RELAY_TEXT_MAX], got_name[PL_RELAY_TEXT_MAX];
    conf.http.listen[0] = loopback;
    conf.http.n_listen = 1;
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    PL_EQ(pl_server_new(&s, loop, &conf), PL_OK);
    char json[4096];
    get(loop, pl_server_addr(s, 0), "/config.json", json, sizeof json);
    PL_OKAY(strstr(
        json,
        "{\"iceServers\":[{\"urls\":[\"turn:relay.example.org:3478\",\"turns:relay.example.org:5349\"]"));
    PL_OKAY(parse_answer(json, "\"username\":\"", name, sizeof name));
    PL_OKAY(parse_answer(json, "\"credential\":\"", password, sizeof password));
    long long end_s = strtoll(name, NULL, 10);
    PL_OKAY(end_s > pl_wall_us() / 1000000 + 80000);
    pl_relay_make_credentials("north", "page", end_s, got_name, want);
    PL_STREQ(got_name, name);
    PL_STREQ(want, password);
    pl_server_free(s);
    pl_loop_free(loop);
}

PL_TESTS(t(files_built_in), t(files_of_a_directory), t(stun_is_answered_and_never_longer_than_it_may),
         t(taken_addresses_are_said), t(relays_elsewhere_are_handed_out))
