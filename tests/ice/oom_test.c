/* The life of two agents once more for every allocation it makes, with that one failing: nothing breaks, nothing leaks,
 * and what a caller asked for is refused with PL_ENOMEM and not half done. */
#include "pl_test.h"

#include "base/time.h"
#include "ice/agent.h"
#include "stun/integrity.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifdef SANITIZED
#define REAL(name) __interceptor_##name
#else
#define REAL(name) __libc_##name
#endif

void *REAL(malloc)(size_t n);
void *REAL(calloc)(size_t n, size_t size);

static long countdown = -1; /* allocations until one fails; -1: none does */

static bool has_failed;

static bool fails_now(void)
{
    if (countdown < 0 || countdown-- > 0)
        return false;
    has_failed = true;
    return true;
}

void *malloc(size_t n)
{
    return fails_now() ? NULL : REAL(malloc)(n);
}

void *calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : REAL(calloc)(n, size);
}

typedef struct life {
    pl_ice *ice[2];
    pl_addr base[2];
    pl_rand_seeded state[2];
    int64_t now_us;
    int n_refused, n_relays;
} life;

static const char user[] = "alice", secret[] = "secret", realm[] = "r", nonce[] = "n";
static const pl_addr turn_server = { .family = PL_AF_IP4, .ip = { 198, 51, 100, 2 }, .port = 3478 };

/* What a TURN server says: a challenge, then yes to everything. It never lacks memory. */
static void answer_server(life *l, int who, const pl_path *path, const uint8_t *pkt, size_t len)
{
    uint8_t out[512], key[PL_STUN_KEY_MAX];
    pl_stun_msg m;
    pl_addr relayed = { .family = PL_AF_IP4, .ip = { 198, 51, 100, 9 }, .port = (uint16_t)(50000 + who) };
    long before = countdown;
    countdown = -1;
    bool request = pl_stun_parse(&m, pkt, len) == PL_OK && m.cls == PL_STUN_REQUEST;
    pl_stun_wr s =
        pl_stun_begin_reply(out, sizeof out, request && m.integrity_at ? PL_STUN_SUCCESS : PL_STUN_ERROR, &m);
    if (request && !m.integrity_at) {
        pl_stun_put_error(&s, 401, NULL);
        pl_stun_put_str(&s, PL_STUN_REALM, pl_str_of(realm));
        pl_stun_put_str(&s, PL_STUN_NONCE, pl_str_of(nonce));
    } else if (request && m.method == PL_STUN_ALLOCATE) {
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_RELAYED_ADDRESS, &relayed);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &path->local);
        pl_stun_put_u32(&s, PL_STUN_LIFETIME, 600);
    }
    if (request && m.integrity_at) {
        size_t n =
            pl_stun_long_term_key(PL_STUN_ALG_MD5, pl_str_of(user), pl_str_of(realm), pl_str_of(secret), key);
        pl_stun_put_integrity(&s, key, n);
    }
    countdown = before;
    if (!request)
        return;
    uint8_t *at = out;
    size_t n = pl_stun_end(&s);
    pl_path from = *path;
    PL_OKAY(!pl_ice_unwrap(l->ice[who], l->now_us, &from, &at, &n) || m.method == PL_STUN_BINDING);
}

static void count(life *l, pl_err err)
{
    PL_OKAY(err == PL_OK || err == PL_ENOMEM);
    l->n_refused += err == PL_ENOMEM;
}

/* Passes everything between the two, without delay, until both are quiet. */
static void exchange(life *l)
{
    uint8_t buf[PL_ICE_DGRAM_MAX];
    for (int i = 0, quiet = 0; quiet < 2; i = !i, quiet++) {
        pl_ice_tick(l->ice[i], l->now_us);
        for (pl_dgram d = { .data = buf, .cap = sizeof buf }; pl_ice_poll_output(l->ice[i], l->now_us, &d);
             quiet = -1) {
            pl_path back = { .local = d.path.remote, .remote = d.path.local };
            if (pl_addr_ip_eq(&d.path.remote, &turn_server))
                answer_server(l, i, &d.path, d.data, d.len);
            else if (pl_addr_eq(&back.local, &l->base[!i]))
                pl_ice_input(l->ice[!i], l->now_us, &back, d.data, d.len);
            pl_ice_check(l->ice[!i]);
        }
        for (pl_ice_event ev; pl_ice_poll_event(l->ice[i], &ev);) {
            if (ev.kind != PL_ICE_EV_CONNECT)
                continue;
            pl_addr local = l->base[i];
            local.port = (uint16_t)(2000 + ev.u.connect.stream);
            quiet = -1;
            if (ev.u.connect.to_turn)
                pl_ice_stream_up(l->ice[i], l->now_us, ev.u.connect.stream, &local);
            else
                pl_ice_stream_down(l->ice[i], l->now_us, ev.u.connect.stream);
        }
        pl_ice_check(l->ice[i]);
    }
}

static void describe(life *l)
{
    for (int i = 0; i < 2; i++) {
        pl_ice_cand c = { .addr = l->base[!i], .priority = 100, .component = 1, .foundation = "1" };
        pl_ice_cand name = {
            .addr = { .port = 9 }, .priority = 50, .component = 1, .foundation = "2", .name = "x.local"
        };
        count(l, pl_ice_add_remote(l->ice[i], l->now_us, &c));
        count(l, pl_ice_add_remote(l->ice[i], l->now_us, &name));
        pl_ice_cand tcp = c;
        tcp.proto = PL_TCP;
        tcp.tcptype = PL_ICE_TCPTYPE_PASSIVE;
        count(l, pl_ice_add_remote(l->ice[i], l->now_us, &tcp));
        count(l, pl_ice_set_remote(l->ice[i], l->now_us, pl_ice_ufrag(l->ice[!i]), pl_ice_pwd(l->ice[!i]),
                                   false));
        pl_ice_resolved(l->ice[i], l->now_us, "x.local", &l->base[!i]);
        pl_ice_remote_done(l->ice[i], l->now_us);
        pl_ice_check(l->ice[i]);
    }
    exchange(l);
    for (int k = 0; k < 20; k++) {
        l->now_us += PL_SEC(1);
        exchange(l);
    }
}

static bool connected(const life *l)
{
    return pl_ice_get_state(l->ice[0]) == PL_ICE_COMPLETED && pl_ice_get_state(l->ice[1]) == PL_ICE_COMPLETED;
}

static bool has_relay(const pl_ice *ice)
{
    pl_ice_cand_info info[16];
    size_t n = pl_ice_get_candidates(ice, info, 16), n_relays = 0;
    for (size_t i = 0; i < n && i < 16; i++)
        n_relays += !info[i].remote && info[i].type == PL_ICE_RELAY;
    return n_relays > 0;
}

/* One life; whether it went as if nothing had happened. */
static bool live(life *l, long failing)
{
    pl_addr server = { .family = PL_AF_IP4, .ip = { 198, 51, 100, 1 }, .port = 3478 };
    *l = (life){ .now_us = PL_SEC(5) };
    countdown = failing;
    has_failed = false;
    bool up = true;
    for (int i = 0; i < 2; i++) {
        pl_ice_conf conf = { .controlling = i == 0, .rand = pl_rand_seed(&l->state[i], (uint64_t)i) };
        pl_ice_base b = { .addr = {
                              .family = PL_AF_IP4, .ip = { 10, 0, 0, (uint8_t)(i + 1) }, .port = 1000 } };
        l->base[i] = b.addr;
        pl_err err = pl_ice_new(&l->ice[i], &conf, l->now_us);
        count(l, err);
        PL_EQ(err != PL_OK, l->ice[i] == NULL);
        if (!l->ice[i]) {
            up = false;
            continue;
        }
        count(l, pl_ice_add_base(l->ice[i], l->now_us, &b));
        pl_ice_base active = b;
        active.proto = PL_TCP;
        active.tcptype = PL_ICE_TCPTYPE_ACTIVE;
        active.mdns = "x.local";
        pl_ice_turn_server turn = {
            .addr = turn_server, .proto = i ? PL_TCP : PL_UDP, .username = user, .password = secret
        };
        count(l, pl_ice_add_base(l->ice[i], l->now_us, &active));
        count(l, pl_ice_add_turn_server(l->ice[i], l->now_us, &turn));
        count(l, pl_ice_add_stun_server(l->ice[i], l->now_us, &server));
        pl_ice_bases_done(l->ice[i], l->now_us);
    }
    bool well = false;
    if (up) {
        describe(l);
        well = connected(l);
        l->n_relays = has_relay(l->ice[0]) + has_relay(l->ice[1]);
        for (int i = 0; i < 2; i++)
            count(l, pl_ice_restart(l->ice[i], l->now_us, NULL, NULL));
        if (l->n_refused == 0) {
            describe(l);
            well = well && connected(l);
        }
    }
    countdown = -1;
    pl_ice_free(l->ice[0]);
    pl_ice_free(l->ice[1]);
    return well;
}

PL_TEST(every_allocation_fails_once)
{
    static life l;
    PL_OKAY(live(&l, 1000000));
    PL_EQ(l.n_refused, 0);
    PL_EQ(l.n_relays, 2); /* over UDP, and over a connection */
    int n_harmless = 0, n_refused = 0;
    long n = 0;
    for (;; n++) {
        bool well = live(&l, n);
        if (!has_failed)
            break; /* it makes no more than n */
        PL_LE(l.n_refused, 1);
        n_harmless += well && l.n_refused == 0;
        n_refused += l.n_refused;
    }
    /* An answer or a check that found no memory comes again, so many failures cost a little time only. */
    print_message("%ld allocations failed: %d refused, %d healed\n", n, n_refused, n_harmless);
    PL_GE(n, 40);
    PL_GE(n_refused, 10);
    PL_GE(n_harmless, 10);
}

PL_TESTS(t(every_allocation_fails_once))
