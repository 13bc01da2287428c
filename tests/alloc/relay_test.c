/* The relay, sockets and all, with every allocation failing once: a client may be refused, and the server goes on. */
#include "pl_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "net/loop.h"
#include "net/udp.h"
#include "peerline/log.h"
#include "server/relay_server.h"
#include "stun/message.h"

enum { ROUNDS = 6, HIGH = 120 };

static pl_loop *loop;

static void nothing(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    (void)user, (void)now_us, (void)batch, (void)n;
}

/* libuv ends the process when its table of descriptors cannot grow: here it is large from the start. */
static void make_loop(void)
{
    int fd[HIGH];
    pl_udp *u;
    pl_addr any = { .family = PL_AF_IP4 };
    PL_EQ(pl_loop_new(&loop, NULL), PL_OK);
    for (int i = 0; i < HIGH; i++)
        fd[i] = dup(0);
    PL_EQ(pl_udp_open(&u, loop, &(pl_udp_conf){ .bind = any, .fn = nothing }), PL_OK);
    PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
    pl_udp_close(u);
    for (int i = 0; i < HIGH; i++)
        close(fd[i]);
    PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
}

static void settings(pl_relay_settings *s)
{
    static const char *const pairs[][2] = {
        { "listen", "127.0.0.1:0" }, { "no-auth", "" }, { "allow-peer", "127.0.0.0/8" }, { "threads", "1" }
    };
    char say[PL_RELAY_SAY_MAX];
    pl_relay_settings_init(s);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        PL_OKAY(pl_relay_settings_set(s, pairs[i][0], pairs[i][1], say));
    PL_OKAY(pl_relay_settings_finish(s, say));
}

/* ---- a client by bare system calls, which allocate nothing ---- */

static int connect_to(int type, uint16_t port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, type, 0);
    PL_GE(fd, 0);
    PL_EQ(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void run(void)
{
    for (int i = 0; i < ROUNDS; i++)
        (void)pl_loop_run_once(loop, PL_MS(1));
}

static void ask(int fd, uint16_t method, void (*fill)(pl_stun_wr *s))
{
    uint8_t pkt[256], id[PL_STUN_ID_LEN] = { (uint8_t)method, 1 };
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt,
                                 method == PL_STUN_SEND ? PL_STUN_INDICATION : PL_STUN_REQUEST, method, id);
    if (fill)
        fill(&s);
    size_t len = pl_stun_end(&s);
    PL_GE(len, 20);
    (void)!send(fd, pkt, len, MSG_NOSIGNAL); /* it may have been cut */
    run();
    while (recv(fd, pkt, sizeof pkt, MSG_DONTWAIT) > 0)
        ;
}

static void fill_transport(pl_stun_wr *s)
{
    pl_stun_put_u8(s, PL_STUN_REQUESTED_TRANSPORT, 17);
}

static pl_addr peer_addr(void)
{
    return (pl_addr){ .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 }, .port = 9 };
}

static void fill_peer(pl_stun_wr *s)
{
    pl_addr peer = peer_addr();
    pl_stun_put_xor_addr(s, PL_STUN_XOR_PEER_ADDRESS, &peer);
}

static void fill_channel(pl_stun_wr *s)
{
    pl_stun_put_u16(s, PL_STUN_CHANNEL_NUMBER, 0x4000);
    fill_peer(s);
}

static void fill_data(pl_stun_wr *s)
{
    fill_peer(s);
    pl_stun_put(s, PL_STUN_DATA_ATTR, "hello", 5);
}

static void fill_end(pl_stun_wr *s)
{
    pl_stun_put_u32(s, PL_STUN_LIFETIME, 0);
}

static void visit(int fd)
{
    ask(fd, PL_STUN_BINDING, NULL);
    ask(fd, PL_STUN_ALLOCATE, fill_transport);
    ask(fd, PL_STUN_CREATE_PERMISSION, fill_peer);
    ask(fd, PL_STUN_CHANNEL_BIND, fill_channel);
    ask(fd, PL_STUN_SEND, fill_data);
    ask(fd, PL_STUN_REFRESH, fill_end);
    close(fd);
    run();
}

static bool answers_binding(int fd)
{
    uint8_t pkt[64], id[PL_STUN_ID_LEN] = { 9 };
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    PL_EQ(send(fd, pkt, pl_stun_end(&s), 0), 20);
    for (int i = 0; i < 1000; i++) {
        (void)pl_loop_run_once(loop, PL_MS(1));
        if (recv(fd, pkt, sizeof pkt, MSG_DONTWAIT) > 20)
            return true;
    }
    return false;
}

static void scenario(void)
{
    static pl_relay_settings s;
    char say[PL_RELAY_SAY_MAX];
    pl_relay_server *r;
    pl_relay_server_conf conf = { .settings = &s };
    fail_shield(true);
    settings(&s);
    make_loop();
    fail_shield(false);
    pl_err err = pl_relay_server_new(&r, loop, &conf, say);
    PL_OKAY(err == PL_OK || fail_is_on());
    if (err == PL_OK) {
        uint16_t port = pl_relay_server_place(r, 0)->addr.port;
        visit(connect_to(SOCK_DGRAM, port));
        visit(connect_to(SOCK_STREAM, port));
        (void)!pl_relay_server_reload(r, &s, say);
        fail_shield(true);
        int fd = connect_to(SOCK_DGRAM, port);
        PL_OKAY(answers_binding(fd)); /* whatever happened to others */
        close(fd);
        fail_shield(false);
    } else {
        PL_OKAY(say[0]);
    }
    pl_relay_server_free(r);
    fail_shield(true);
    pl_loop_free(loop);
    fail_shield(false);
}

PL_TEST(the_relay_survives_every_allocation_that_fails)
{
    pl_log_to(NULL, NULL, PL_LOG_OFF);
    fail_each(scenario);
}

PL_TESTS(t(the_relay_survives_every_allocation_that_fails))
