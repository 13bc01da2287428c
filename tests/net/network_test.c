/* A network that changes, and a domain with services: in a namespace of the test's own. */
#include "net_help.h"
#include "own_net.h"

#include <pthread.h>
#include <sys/mount.h>

#include "base/bytes.h"
#include "base/slice.h"
#include "net/ifaddr.h"
#include "net/ifwatch.h"
#include "net/resolve.h"
#include "net/srv.h"
#include "net/udp.h"

/* ---- the watch ---- */

typedef struct watched {
    int n_calls;
    pl_ifwatch *w;
    bool close_it;
} watched;

static void on_change(void *user)
{
    watched *w = user;
    w->n_calls++;
    if (w->close_it) {
        pl_ifwatch_close(w->w);
        w->w = NULL;
    }
}

static bool has_address(const char *text)
{
    pl_ifaddr list[PL_IFADDR_MAX];
    pl_addr want;
    size_t n = pl_ifaddr_list(list, PL_IFADDR_MAX, 0);
    PL_EQ(pl_addr_parse_ip(&want, text, strlen(text)), PL_OK);
    for (size_t i = 0; i < n; i++) {
        if (pl_addr_ip_eq(&list[i].addr, &want))
            return true;
    }
    return false;
}

/* Addresses come and go within one debounced call each. */
static void see_changes(bool by_kernel)
{
    watched w = { 0 };
    own_net_enter(true);
    pl_loop *loop = help_loop();
    PL_EQ(by_kernel ? pl_ifwatch_open(&w.w, loop, on_change, &w)
                    : pl_ifwatch_open_polling(&w.w, loop, on_change, &w),
          PL_OK);
    PL_EQ(pl_loop_run_once(loop, PL_MS(400)), PL_OK);
    PL_EQ(w.n_calls, 0); /* nothing has changed */
    own_net_add("pl0", "192.0.2.7/24");
    HELP_UNTIL(loop, w.n_calls >= 1);
    PL_OKAY(has_address("192.0.2.7"));
    PL_EQ(pl_loop_run_once(loop, PL_MS(400)), PL_OK);
    int so_far = w.n_calls;
    own_net_ip("addr del 192.0.2.7/24 dev pl0");
    HELP_UNTIL(loop, w.n_calls > so_far);
    PL_OKAY(!has_address("192.0.2.7"));
    w.close_it = true; /* from its own callback */
    own_net_ip("addr add 192.0.2.8/24 dev pl0");
    HELP_UNTIL(loop, !w.w);
    own_net_remove("pl0");
    PL_EQ(pl_loop_run_once(loop, PL_MS(400)), PL_OK);
    pl_loop_free(loop);
}

PL_TEST(the_kernel_tells_of_changes)
{
    see_changes(true);
}

PL_TEST(polling_finds_them_too)
{
    see_changes(false);
}

PL_TEST(a_storm_of_changes_is_one_call)
{
    watched w = { 0 };
    own_net_enter(true);
    pl_loop *loop = help_loop();
    own_net_add("pl1", "198.51.100.254/24");
    PL_EQ(pl_ifwatch_open(&w.w, loop, on_change, &w), PL_OK);
    for (int i = 0; i < 20; i++) {
        char args[80];
        snprintf(args, sizeof args, "addr add 198.51.100.%d/24 dev pl1", i + 1);
        own_net_ip(args);
    }
    HELP_UNTIL(loop, w.n_calls == 1);
    for (int i = 0; i < 5; i++)
        PL_EQ(pl_loop_run_once(loop, PL_MS(100)), PL_OK);
    PL_LE(w.n_calls, 2); /* IPv6's own address may come a little later */
    pl_ifwatch_close(w.w);
    own_net_remove("pl1");
    pl_loop_free(loop);
}

/* ---- a name server: knows a few things about example.test, and is asked by the system's resolver ---- */

typedef struct name_server {
    pthread_t thread;
    pl_loop *loop;
    pl_udp *udp;
    _Atomic bool ready, stop;
    _Atomic int n_srv;
} name_server;

enum { T_A = 1, T_AAAA = 28, T_SRV = 33 };

static void put_name(pl_wr *w, const char *dotted)
{
    for (pl_str rest = pl_str_of(dotted); rest.p && rest.n;) {
        pl_str label = pl_str_cut(&rest, '.');
        pl_wr_u8(w, (uint8_t)label.n);
        pl_wr_bytes(w, label.p, label.n);
    }
    pl_wr_u8(w, 0);
}

static size_t get_name(pl_rd *r, char out[256])
{
    size_t n = 0, len;
    while ((len = pl_rd_u8(r)) > 0 && pl_rd_ok(r) && n + len + 1 < 256) {
        const uint8_t *label = pl_rd_take(r, len);
        if (!label)
            break;
        if (n)
            out[n++] = '.';
        memcpy(out + n, label, len);
        n += len;
    }
    out[n] = 0;
    return n;
}

static void put_record(pl_wr *w, uint16_t type, const void *data, size_t len)
{
    pl_wr_u16(w, 0xc00c); /* the name of the question */
    pl_wr_u16(w, type);
    pl_wr_u16(w, 1);
    pl_wr_u32(w, 60);
    pl_wr_u16(w, (uint16_t)len);
    pl_wr_bytes(w, data, len);
}

static void put_srv(pl_wr *w, uint16_t priority, uint16_t weight, uint16_t port, const char *target)
{
    uint8_t data[300];
    pl_wr d = pl_wr_init(data, sizeof data);
    pl_wr_u16(&d, priority);
    pl_wr_u16(&d, weight);
    pl_wr_u16(&d, port);
    put_name(&d, target);
    put_record(w, T_SRV, data, pl_wr_len(&d));
}

/* How many records about it. */
static uint16_t know(pl_wr *w, const char *name, uint16_t type)
{
    static const uint8_t a1[] = { 192, 0, 2, 1 }, a2[] = { 192, 0, 2, 2 }, plain[] = { 192, 0, 2, 9 };
    if (type == T_SRV && strcmp(name, "_stun._udp.example.test") == 0) {
        put_srv(w, 20, 0, 3479, "two.example.test");
        put_srv(w, 10, 5, 3480, "one.example.test");
        return 2;
    }
    if (type == T_SRV && strcmp(name, "_turn._udp.example.test") == 0) {
        put_srv(w, 0, 0, 0, ""); /* decidedly not */
        return 1;
    }
    if (type == T_A && strcmp(name, "one.example.test") == 0)
        put_record(w, T_A, a1, sizeof a1);
    else if (type == T_A && strcmp(name, "two.example.test") == 0)
        put_record(w, T_A, a2, sizeof a2);
    else if (type == T_A && strcmp(name, "example.test") == 0)
        put_record(w, T_A, plain, sizeof plain);
    else
        return 0;
    return 1;
}

static void on_question(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    name_server *s = user;
    (void)now_us;
    for (size_t i = 0; i < n; i++) {
        uint8_t out[1500];
        char name[256];
        pl_rd r = pl_rd_init(batch[i].data, batch[i].len);
        uint16_t id = pl_rd_u16(&r);
        pl_rd_skip(&r, 10);
        const uint8_t *question = r.p;
        get_name(&r, name);
        uint16_t type = pl_rd_u16(&r);
        pl_rd_skip(&r, 2);
        if (!pl_rd_ok(&r))
            continue;
        if (type == T_SRV)
            s->n_srv++;
        pl_wr w = pl_wr_init(out, sizeof out);
        pl_wr_u16(&w, id);
        pl_wr_u16(&w, 0x8580); /* an answer, authoritative */
        pl_wr_u16(&w, 1);
        size_t count = pl_wr_mark(&w);
        pl_wr_u16(&w, 0);
        pl_wr_u32(&w, 0);
        pl_wr_bytes(&w, question, (size_t)(r.p - question));
        pl_wr_patch16(&w, count, know(&w, name, type));
        pl_dgram d = { .path = { .local = batch[i].path->local, .remote = batch[i].path->remote },
                       .data = out,
                       .len = pl_wr_len(&w) };
        (void)pl_udp_send(s->udp, &d);
    }
}

static void *serve(void *arg)
{
    name_server *s = arg;
    pl_loop_conf conf = { .name = "names" };
    PL_EQ(pl_loop_new(&s->loop, &conf), PL_OK);
    pl_udp_conf udp = { .bind = help_addr("127.0.0.53:53"), .fn = on_question, .user = s };
    PL_EQ(pl_udp_open(&s->udp, s->loop, &udp), PL_OK);
    s->ready = true;
    while (!s->stop)
        PL_EQ(pl_loop_run_once(s->loop, PL_MS(20)), PL_OK);
    pl_udp_close(s->udp);
    pl_loop_free(s->loop);
    return NULL;
}

static void name_server_start(name_server *s)
{
    char file[] = "/tmp/pl-resolv-XXXXXX";
    static bool mounted;
    *s = (name_server){ 0 };
    own_net_enter(true);
    if (!mounted) {
        mounted = true;
        int fd = mkstemp(file);
        PL_GE(fd, 0);
        PL_OKAY(write(fd, "nameserver 127.0.0.53\n", 22) == 22);
        close(fd);
        PL_EQ(mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL), 0);
        PL_EQ(mount(file, "/etc/resolv.conf", "none", MS_BIND, NULL), 0);
        unlink(file);
    }
    PL_EQ(pthread_create(&s->thread, NULL, serve, s), 0);
    while (!s->ready)
        usleep(1000);
}

static void name_server_stop(name_server *s)
{
    s->stop = true;
    pthread_join(s->thread, NULL);
}

/* ---- services ---- */

typedef struct answer {
    bool come;
    pl_err err;
    size_t n;
    pl_addr addr[PL_RESOLVE_ADDR_MAX];
} answer;

static void on_answer(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    answer *a = user;
    *a = (answer){ .come = true, .err = err, .n = n };
    if (n)
        memcpy(a->addr, addr, n * sizeof *addr);
}

static answer ask(const char *host, uint16_t port, const char *service, const char *proto)
{
    answer a = { 0 };
    pl_loop *loop = help_loop();
    pl_resolve *q;
    pl_resolve_service what = {
        .host = host, .port = port, .default_port = 3478, .service = service, .proto = proto
    };
    PL_EQ(pl_resolve_service_start(&q, loop, &what, on_answer, &a), PL_OK);
    PL_OKAY(!a.come);
    HELP_UNTIL(loop, a.come);
    pl_loop_free(loop);
    return a;
}

PL_TEST(services_are_found_in_their_order)
{
    name_server s;
    name_server_start(&s);
    answer a = ask("example.test", 0, "stun", "udp");
    PL_EQ(a.err, PL_OK);
    PL_EQ(a.n, 2);
    pl_addr first = help_addr("192.0.2.1:3480"), second = help_addr("192.0.2.2:3479");
    PL_OKAY(pl_addr_eq(&a.addr[0], &first));
    PL_OKAY(pl_addr_eq(&a.addr[1], &second));
    PL_EQ(s.n_srv, 1);
    name_server_stop(&s);
}

PL_TEST(a_port_or_a_missing_record_leads_to_the_host_itself)
{
    name_server s;
    name_server_start(&s);
    pl_addr at_port = help_addr("192.0.2.9:5000"), by_default = help_addr("192.0.2.9:3478");
    answer a = ask("example.test", 5000, "stun", "udp");
    PL_EQ(a.n, 1);
    PL_OKAY(pl_addr_eq(&a.addr[0], &at_port));
    PL_EQ(s.n_srv, 0); /* RFC 8489 8: with a port there is no SRV question */
    a = ask("example.test", 0, "stuns", "tcp");
    PL_EQ(a.n, 1);
    PL_OKAY(pl_addr_eq(&a.addr[0], &by_default));
    PL_EQ(s.n_srv, 1);
    name_server_stop(&s);
}

PL_TEST(a_domain_may_say_that_there_is_no_such_service)
{
    name_server s;
    name_server_start(&s);
    answer a = ask("example.test", 0, "turn", "udp");
    PL_EQ(a.err, PL_EIO);
    PL_EQ(a.n, 0);
    name_server_stop(&s);
}

PL_TEST(addresses_and_localhost_need_no_question)
{
    answer a = ask("192.0.2.77", 0, "stun", "udp");
    pl_addr want = help_addr("192.0.2.77:3478");
    PL_EQ(a.n, 1);
    PL_OKAY(pl_addr_eq(&a.addr[0], &want));
    a = ask("localhost", 9, "stun", "udp");
    PL_EQ(a.addr[0].port, 9);
}

/* ---- the format ---- */

static size_t srv_answer(uint8_t out[512])
{
    pl_wr w = pl_wr_init(out, 512);
    pl_wr_u16(&w, 7);
    pl_wr_u16(&w, 0x8180);
    pl_wr_u16(&w, 1);
    pl_wr_u16(&w, 2);
    pl_wr_u32(&w, 0);
    put_name(&w, "_turn._tcp.example.test");
    pl_wr_u16(&w, T_SRV);
    pl_wr_u16(&w, 1);
    put_srv(&w, 1, 2, 3, "a.example.test");
    put_srv(&w, 4, 5, 6, "");
    return pl_wr_len(&w);
}

PL_TEST(records_are_read_and_truncations_refused)
{
    uint8_t msg[512];
    pl_srv srv[PL_SRV_MAX];
    size_t n, len = srv_answer(msg);
    PL_EQ(pl_srv_parse(msg, len, srv, &n), PL_OK);
    PL_EQ(n, 2);
    PL_EQ(srv[0].priority, 1);
    PL_EQ(srv[0].weight, 2);
    PL_EQ(srv[0].port, 3);
    PL_STREQ(srv[0].target, "a.example.test");
    PL_STREQ(srv[1].target, "");
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1); /* so that reading past the end is seen */
        memcpy(exact, msg, cut);
        PL_EQ(pl_srv_parse(exact, cut, srv, &n), PL_EPROTO);
        free(exact);
    }
}

/* RFC 2782: priorities in order, and within one the weight is the share of first places. */
PL_TEST(weights_are_shares)
{
    enum { ROUNDS = 2000 };
    pl_rand_seeded seed;
    pl_rand rand = pl_rand_seed(&seed, pl_test_seed(7));
    int first[3] = { 0 };
    for (int i = 0; i < ROUNDS; i++) {
        pl_srv list[] = { { .priority = 2, .weight = 9, .port = 100 },
                          { .priority = 1, .port = 0 },
                          { .priority = 1, .weight = 30, .port = 1 },
                          { .priority = 1, .weight = 10, .port = 2 } };
        pl_srv_order(list, 4, &rand);
        PL_EQ(list[3].port, 100);
        PL_LE(list[0].port, 2);
        first[list[0].port]++;
    }
    PL_GE(first[0], 1); /* weight 0: seldom, but not never */
    PL_LE(first[0], ROUNDS / 10);
    PL_GE(first[1], ROUNDS * 65 / 100);
    PL_LE(first[1], ROUNDS * 82 / 100);
}

PL_TESTS(t(the_kernel_tells_of_changes), t(polling_finds_them_too), t(a_storm_of_changes_is_one_call),
         t(services_are_found_in_their_order), t(a_port_or_a_missing_record_leads_to_the_host_itself),
         t(a_domain_may_say_that_there_is_no_such_service), t(addresses_and_localhost_need_no_question),
         t(records_are_read_and_truncations_refused), t(weights_are_shares))
