/* One agent against a peer written by hand: what it says to each message, and what it does not. */
#include "pl_test.h"

#include "base/time.h"
#include "ice/agent.h"
#include "stun/integrity.h"
#include "stun/message.h"

static const char their_ufrag[] = "peer", their_pwd[] = "peerspasswordof24letters";
static pl_rand_seeded state;
static int64_t now_us;
static pl_ice *ice;
static pl_addr base;
static uint8_t out_buf[PL_ICE_DGRAM_MAX];

static pl_addr addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

static void up(bool controlling)
{
    pl_ice_conf conf = { .controlling = controlling, .rand = pl_rand_seed(&state, pl_test_seed(1)) };
    pl_ice_base b = { .addr = addr("10.0.0.1:1000") };
    now_us = PL_SEC(50);
    PL_EQ(pl_ice_new(&ice, &conf, now_us), PL_OK);
    PL_EQ(pl_ice_add_base(ice, now_us, &b), PL_OK);
    base = b.addr;
}

static void down(void)
{
    pl_ice_check(ice);
    pl_ice_free(ice);
    ice = NULL;
}

static void add_remote(const char *at, uint32_t priority, const char *foundation)
{
    pl_ice_cand c = { .addr = addr(at), .priority = priority, .component = 1, .type = PL_ICE_HOST };
    snprintf(c.foundation, sizeof c.foundation, "%s", foundation);
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
}

static void set_remote(void)
{
    PL_EQ(pl_ice_set_remote(ice, now_us, their_ufrag, their_pwd, false), PL_OK);
}

/* ---- the peer's hand ---- */

typedef struct check {
    bool use_candidate, no_priority, wrong_pwd, wrong_ufrag, next_ufrag, unknown_attr;
    uint64_t controlling, controlled; /* tie-breakers, 0: no such attribute */
    uint32_t priority;
} check;

static size_t write_check(uint8_t *out, size_t cap, const check *k)
{
    char name[600];
    uint8_t id[PL_STUN_ID_LEN];
    pl_rand r = { 0 };
    pl_rand_bytes(&r, id, sizeof id);
    snprintf(name, sizeof name, "%s:%s", k->wrong_ufrag ? "nobody" : pl_ice_ufrag(ice),
             k->next_ufrag ? "peer2" : their_ufrag);
    pl_stun_wr s = pl_stun_begin(out, cap, PL_STUN_REQUEST, PL_STUN_BINDING, id);
    pl_stun_put_str(&s, PL_STUN_USERNAME, pl_str_of(name));
    if (!k->no_priority)
        pl_stun_put_u32(&s, PL_STUN_PRIORITY, k->priority ? k->priority : 1000);
    if (k->controlling)
        pl_stun_put_u64(&s, PL_STUN_ICE_CONTROLLING, k->controlling);
    if (k->controlled)
        pl_stun_put_u64(&s, PL_STUN_ICE_CONTROLLED, k->controlled);
    if (k->use_candidate)
        pl_stun_put_flag(&s, PL_STUN_USE_CANDIDATE);
    if (k->unknown_attr)
        pl_stun_put_u32(&s, 0x7777, 1);
    const char *pwd = k->wrong_pwd ? "wrong password of 22 chars" : pl_ice_pwd(ice);
    pl_stun_put_integrity(&s, pwd, strlen(pwd));
    pl_stun_put_fingerprint(&s);
    return pl_stun_end(&s);
}

static void send_from(const char *from, const uint8_t *pkt, size_t len)
{
    pl_path path = { .local = base, .remote = addr(from) };
    pl_ice_input(ice, now_us, &path, pkt, len);
    pl_ice_check(ice);
}

static void check_from(const char *from, check k)
{
    uint8_t pkt[1024];
    send_from(from, pkt, write_check(pkt, sizeof pkt, &k));
}

/* The next message out; PL_OKAY that there is one. */
static pl_dgram next_out(pl_stun_msg *m)
{
    pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
    PL_OKAY(pl_ice_poll_output(ice, now_us, &d));
    PL_EQ(pl_stun_parse(m, d.data, d.len), PL_OK);
    PL_EQ(pl_stun_check_fingerprint(m), PL_OK);
    PL_OKAY(pl_addr_eq(&d.path.local, &base));
    return d;
}

static bool anything_out(void)
{
    pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
    return pl_ice_poll_output(ice, now_us, &d);
}

/* Answers one of the agent's checks from `from`; code 0: success. */
static void answer_it(const pl_stun_msg *request, const char *from, uint16_t code, const char *pwd)
{
    uint8_t pkt[512];
    pl_stun_wr s = pl_stun_begin_reply(pkt, sizeof pkt, code ? PL_STUN_ERROR : PL_STUN_SUCCESS, request);
    if (code)
        pl_stun_put_error(&s, code, NULL);
    else
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &base);
    pl_stun_put_integrity(&s, pwd, strlen(pwd));
    pl_stun_put_fingerprint(&s);
    send_from(from, pkt, pl_stun_end(&s));
}

/* Answers all checks that are out; returns how many. */
static int answer_all(void)
{
    int n = 0;
    pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
    while (pl_ice_poll_output(ice, now_us, &d)) {
        pl_stun_msg m;
        char from[PL_ADDR_TEXT_MAX];
        uint8_t copy[PL_ICE_DGRAM_MAX];
        memcpy(copy, d.data, d.len);
        PL_EQ(pl_stun_parse(&m, copy, d.len), PL_OK);
        if (m.cls != PL_STUN_REQUEST)
            continue;
        n++;
        answer_it(&m, pl_addr_str(&d.path.remote, from), 0, their_pwd);
    }
    return n;
}

static pl_ice_state last_state(void)
{
    pl_ice_state s = PL_ICE_NEW;
    for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);)
        if (ev.kind == PL_ICE_EV_STATE)
            s = ev.u.state;
    return s;
}

/* ---- gathering ---- */

PL_TEST(events_come_in_order)
{
    pl_ice_event ev;
    up(true);
    pl_ice_bases_done(ice, now_us);
    PL_OKAY(pl_ice_poll_event(ice, &ev));
    PL_EQ(ev.kind, PL_ICE_EV_GATHERING);
    PL_EQ(ev.u.gathering, PL_ICE_GATHERING);
    PL_OKAY(pl_ice_poll_event(ice, &ev));
    PL_EQ(ev.kind, PL_ICE_EV_CANDIDATE);
    PL_EQ(ev.u.candidate.type, PL_ICE_HOST);
    PL_EQ(ev.u.candidate.priority, 2130706431 - 256); /* IPv4 leaves the first place to IPv6 */
    PL_OKAY(pl_addr_eq(&ev.u.candidate.addr, &base));
    PL_STREQ(ev.u.candidate.ufrag, pl_ice_ufrag(ice));
    PL_OKAY(strlen(ev.u.candidate.foundation) >= 1 && pl_ice_chars_ok(pl_str_of(ev.u.candidate.foundation)));
    PL_OKAY(pl_ice_poll_event(ice, &ev));
    PL_EQ(ev.kind, PL_ICE_EV_GATHERING);
    PL_EQ(ev.u.gathering, PL_ICE_GATHER_COMPLETE);
    PL_OKAY(!pl_ice_poll_event(ice, &ev));
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_next_us(ice), PL_NEVER);
    down();
}

PL_TEST(bases_and_servers_have_limits)
{
    up(true);
    static const char *const bad[] = { "10.0.0.1:1000", "0.0.0.0:5", "10.0.0.2:0", "224.0.0.1:5" };
    for (int i = 0; i < 4; i++) {
        pl_ice_base b = { .addr = addr(bad[i]) };
        PL_EQ(pl_ice_add_base(ice, now_us, &b), PL_EINVAL);
    }
    for (int i = 1; i <= PL_ICE_BASES_MAX; i++) {
        pl_ice_base b = { .addr = addr("10.0.0.2:1") };
        b.addr.port = (uint16_t)i;
        PL_EQ(pl_ice_add_base(ice, now_us, &b), (i < PL_ICE_BASES_MAX ? PL_OK : PL_ENOSPC));
    }
    for (int i = 0; i <= PL_ICE_SERVERS_MAX; i++) {
        pl_addr server = addr("198.51.100.1:3478");
        server.port = (uint16_t)(3478 + i);
        PL_EQ(pl_ice_add_stun_server(ice, now_us, &server), (i < PL_ICE_SERVERS_MAX ? PL_OK : PL_ENOSPC));
    }
    pl_ice_check(ice);
    pl_ice_remove_base(ice, now_us, &base);
    pl_ice_check(ice);
    down();
}

PL_TEST(the_policy_relay_hides_everything_else)
{
    pl_ice_conf conf = { .relay_only = true, .rand = pl_rand_seed(&state, 1) };
    pl_ice_base b = { .addr = addr("10.0.0.1:1000") }, relay = { .addr = addr("198.51.100.1:5000"),
                                                                 .type = PL_ICE_RELAY,
                                                                 .related = addr("203.0.113.1:4000") };
    PL_EQ(pl_ice_new(&ice, &conf, 0), PL_OK);
    PL_EQ(pl_ice_add_base(ice, 0, &b), PL_OK);
    PL_EQ(pl_ice_add_base(ice, 0, &relay), PL_OK);
    set_remote();
    add_remote("10.0.0.2:2000", 100, "1");
    pl_ice_pair_info pair;
    PL_EQ(pl_ice_get_pairs(ice, &pair, 1), 1);
    int n = 0;
    for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);) {
        if (ev.kind != PL_ICE_EV_CANDIDATE)
            continue;
        n++;
        PL_EQ(ev.u.candidate.type, PL_ICE_RELAY);
        PL_EQ(ev.u.candidate.related.family, PL_AF_NONE);
    }
    PL_EQ(n, 1);
    pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
    PL_OKAY(pl_ice_poll_output(ice, now_us, &d));
    PL_OKAY(pl_addr_eq(&d.path.local, &relay.addr));
    down();
}

PL_TEST(own_credentials)
{
    static const struct {
        const char *ufrag, *pwd;
    } bad[] = { { "abc", "0123456789012345678901" },
                { "abcd", "012345678901234567890" },
                { "ab:d", "0123456789012345678901" },
                { "abcd", NULL },
                { NULL, "0123456789012345678901" } };
    pl_ice_conf conf = { 0 };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        conf.ufrag = bad[i].ufrag;
        conf.pwd = bad[i].pwd;
        PL_EQ(pl_ice_new(&ice, &conf, 0), PL_EINVAL);
        PL_OKAY(!ice);
    }
    conf.ufrag = "abcd";
    conf.pwd = "0123456789012345678901";
    PL_EQ(pl_ice_new(&ice, &conf, 0), PL_OK);
    PL_STREQ(pl_ice_ufrag(ice), "abcd");
    PL_EQ(pl_ice_restart(ice, 0, "x", "y"), PL_EINVAL);
    PL_STREQ(pl_ice_ufrag(ice), "abcd");
    down();
}

/* ---- outsiders ---- */

PL_TEST(outsiders_get_silence)
{
    uint8_t pkt[1024];
    pl_ice_pair_info pair;
    up(false);
    set_remote();
    const pl_ice_counters *count = pl_ice_get_counters(ice);
    check_from("192.0.2.66:6", (check){ .wrong_pwd = true, .controlling = 1 });
    PL_EQ(count->bad_integrity, 1);
    check_from("192.0.2.66:6", (check){ .wrong_ufrag = true, .controlling = 1 });
    PL_EQ(count->bad_username, 1);
    check good = { .controlling = 1 };
    size_t len = write_check(pkt, sizeof pkt, &good);
    pkt[len - 1] ^= 1;
    send_from("192.0.2.66:6", pkt, len);
    PL_EQ(count->not_stun, 1);
    for (size_t cut = 0; cut < len; cut++)
        send_from("192.0.2.66:6", pkt, cut);
    PL_EQ(count->not_stun, 1 + len);
    pkt[len - 1] ^= 1;
    pl_path elsewhere = { .local = addr("10.0.0.1:1001"), .remote = addr("192.0.2.66:6") };
    pl_ice_input(ice, now_us, &elsewhere, pkt, len);
    PL_EQ(count->unknown_base, 1);
    uint8_t id[PL_STUN_ID_LEN] = { 1 };
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_SUCCESS, PL_STUN_BINDING, id);
    send_from("192.0.2.66:6", pkt, pl_stun_end(&s));
    PL_EQ(count->stray_response, 1);
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_get_pairs(ice, &pair, 1), 0);
    down();
}

PL_TEST(a_flood_of_checks_is_bounded)
{
    up(false);
    set_remote();
    for (int i = 0; i < 1000; i++) {
        char from[32];
        snprintf(from, sizeof from, "192.0.2.%d:%d", i % 250 + 1, 1000 + i);
        check_from(from, (check){ .controlling = 1, .priority = (uint32_t)i });
    }
    int n = 0, n_checks = 0;
    pl_stun_msg m;
    for (pl_dgram d = { .data = out_buf, .cap = sizeof out_buf }; pl_ice_poll_output(ice, now_us, &d); n++) {
        PL_EQ(pl_stun_parse(&m, d.data, d.len), PL_OK);
        n_checks += m.cls == PL_STUN_REQUEST;
    }
    PL_LE(n, PL_ICE_PRFLX_MAX + 5); /* who finds no room gets no answer */
    PL_LE(n_checks, 5);
    PL_EQ(pl_ice_get_pairs(ice, NULL, 0), PL_ICE_PRFLX_MAX);
    for (int i = 0; i < 1000; i++)
        check_from("192.0.2.1:1000", (check){ .controlling = 1 });
    PL_EQ(pl_ice_get_counters(ice)->answers_dropped, 1000 - PL_ICE_ANSWERS_MAX);
    down();
}

/* ---- requests ---- */

PL_TEST(a_check_is_answered_and_checked_in_return)
{
    pl_stun_msg m;
    pl_addr mapped, from = addr("192.0.2.7:7");
    uint32_t priority;
    uint64_t tie_breaker;
    up(false);
    set_remote();
    check_from("192.0.2.7:7", (check){ .controlling = 1 });
    pl_dgram d = next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    PL_OKAY(pl_addr_eq(&d.path.remote, &from));
    PL_EQ(pl_stun_get_xor_addr(&m, PL_STUN_XOR_MAPPED_ADDRESS, &mapped), PL_OK);
    PL_OKAY(pl_addr_eq(&mapped, &from));
    PL_EQ(pl_stun_check_integrity(&m, pl_ice_pwd(ice), strlen(pl_ice_pwd(ice))), PL_OK);
    next_out(&m); /* at once, not a Ta later */
    PL_EQ(m.cls, PL_STUN_REQUEST);
    PL_EQ(pl_stun_check_integrity(&m, their_pwd, strlen(their_pwd)), PL_OK);
    PL_EQ(pl_stun_get_u32(&m, PL_STUN_PRIORITY, &priority), PL_OK);
    PL_EQ(priority >> 24, 110);
    PL_EQ(pl_stun_get_u64(&m, PL_STUN_ICE_CONTROLLED, &tie_breaker), PL_OK);
    PL_OKAY(!pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
    down();
}

PL_TEST(bad_requests_of_the_peer_itself)
{
    static const struct {
        check k;
        uint16_t code;
    } bad[] = { { { .unknown_attr = true, .controlling = 1 }, 420 },
                { { .no_priority = true, .controlling = 1 }, 400 } };
    for (int i = 0; i < 2; i++) {
        pl_stun_msg m;
        pl_str reason;
        uint16_t code, types[2];
        size_t n;
        up(false);
        set_remote();
        check_from("192.0.2.7:7", bad[i].k);
        next_out(&m);
        PL_EQ(pl_stun_get_error(&m, &code, &reason), PL_OK);
        PL_EQ(code, bad[i].code);
        PL_EQ(pl_stun_check_integrity(&m, pl_ice_pwd(ice), strlen(pl_ice_pwd(ice))), PL_OK);
        if (code == 420) {
            PL_EQ(pl_stun_get_unknown(&m, types, 2, &n), PL_OK);
            PL_EQ(n, 1);
            PL_EQ(types[0], 0x7777);
        }
        PL_OKAY(!anything_out());
        PL_EQ(pl_ice_get_pairs(ice, NULL, 0), 0);
        down();
    }
}

/* RFC 8445 7.3: the offerer may be checked before the answer has come. */
PL_TEST(checks_before_the_answer)
{
    pl_stun_msg m;
    up(true);
    check_from("192.0.2.7:7", (check){ .controlled = 1 });
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    PL_OKAY(!anything_out()); /* their password is not known */
    now_us += PL_SEC(2);
    set_remote();
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_REQUEST);
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    pl_path path;
    PL_OKAY(pl_ice_selected(ice, &path));
    down();
}

PL_TEST(conflict_by_request)
{
    for (int i = 0; i < 4; i++) {
        bool controlling = i & 1, we_win = i & 2;
        uint64_t theirs = we_win ? 1 : UINT64_MAX;
        pl_stun_msg m;
        pl_str reason;
        uint16_t code = 0;
        up(controlling);
        set_remote();
        check_from("192.0.2.7:7",
                   controlling ? (check){ .controlling = theirs } : (check){ .controlled = theirs });
        next_out(&m);
        /* the larger tie-breaker controls: who should be controlled already hears 487 */
        bool refused = controlling == we_win;
        PL_EQ(pl_stun_get_error(&m, &code, &reason) == PL_OK, refused);
        PL_EQ(code, refused ? 487 : 0);
        PL_EQ(pl_ice_is_controlling(ice), we_win);
        down();
    }
}

PL_TEST(conflict_by_answer)
{
    for (int controlling = 0; controlling < 2; controlling++) {
        pl_stun_msg m;
        uint16_t mine = controlling ? PL_STUN_ICE_CONTROLLING : PL_STUN_ICE_CONTROLLED;
        uint16_t other = controlling ? PL_STUN_ICE_CONTROLLED : PL_STUN_ICE_CONTROLLING;
        up(controlling);
        set_remote();
        add_remote("192.0.2.7:7", 100, "1");
        next_out(&m);
        PL_OKAY(pl_stun_has(&m, mine));
        answer_it(&m, "192.0.2.7:7", 487, their_pwd);
        PL_EQ(pl_ice_is_controlling(ice), !controlling);
        next_out(&m); /* asked again at once, in the other role */
        PL_OKAY(pl_stun_has(&m, other));
        int n_roles = 0;
        for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);)
            n_roles += ev.kind == PL_ICE_EV_ROLE;
        PL_EQ(n_roles, 1);
        down();
    }
}

/* ---- responses ---- */

PL_TEST(answers_must_come_from_whom_was_asked)
{
    pl_stun_msg m;
    pl_path path;
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    next_out(&m);
    answer_it(&m, "192.0.2.8:7", 0, their_pwd);
    PL_OKAY(!pl_ice_selected(ice, &path));
    PL_EQ(pl_ice_get_counters(ice)->stray_response, 1);
    answer_it(&m, "192.0.2.7:7", 0, "not the right password");
    answer_it(&m, "192.0.2.7:7", 400, "not the right password");
    PL_OKAY(!pl_ice_selected(ice, &path));
    PL_EQ(pl_ice_get_counters(ice)->bad_integrity, 2);
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    PL_OKAY(pl_ice_selected(ice, &path));
    answer_it(&m, "192.0.2.7:7", 0, their_pwd); /* a duplicate */
    PL_EQ(pl_ice_get_counters(ice)->stray_response, 2);
    down();
}

PL_TEST(a_refused_check_fails_its_pair)
{
    pl_stun_msg m;
    pl_ice_pair_info pair;
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    next_out(&m);
    answer_it(&m, "192.0.2.7:7", 400, their_pwd);
    PL_EQ(pl_ice_get_pairs(ice, &pair, 1), 1);
    PL_EQ(pair.state, PL_ICE_PAIR_FAILED);
    check_from("192.0.2.7:7", (check){ .controlled = 1 }); /* a check of theirs gives it another chance */
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_REQUEST);
    down();
}

/* Signaled link-local addresses carry no interface; datagrams from them do. */
PL_TEST(link_local_addresses)
{
    pl_ice_conf conf = { .controlling = true, .rand = pl_rand_seed(&state, 1) };
    pl_ice_base b = { .addr = addr("[fe80::1%3]:1000") };
    pl_stun_msg m;
    now_us = 0;
    base = b.addr;
    PL_EQ(pl_ice_new(&ice, &conf, now_us), PL_OK);
    PL_EQ(pl_ice_add_base(ice, now_us, &b), PL_OK);
    set_remote();
    add_remote("[fe80::2]:7", 100, "1");
    add_remote("[2001:db8::2]:7", 200, "2"); /* no pair: RFC 8445 6.1.2.2 */
    PL_EQ(pl_ice_get_pairs(ice, NULL, 0), 1);
    pl_dgram d = next_out(&m);
    PL_EQ(d.path.remote.scope, 3);
    answer_it(&m, "[fe80::2%3]:7", 0, their_pwd);
    pl_path path;
    PL_OKAY(pl_ice_selected(ice, &path));
    PL_EQ(path.remote.scope, 3);
    check_from("[fe80::2%3]:7", (check){ .controlled = 1 });
    d = next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    PL_EQ(d.path.remote.scope, 3);
    pl_ice_cand_info info[8];
    PL_EQ(pl_ice_get_candidates(ice, info, 8), 3); /* nobody was met twice */
    down();
}

/* ---- order and pacing ---- */

PL_TEST(pacing_after_the_first_burst)
{
    up(true);
    set_remote();
    for (int i = 0; i < 40; i++) {
        char at[32], foundation[16];
        snprintf(at, sizeof at, "192.0.2.%d:7", i + 1);
        snprintf(foundation, sizeof foundation, "%d", i);
        add_remote(at, 1000 + (uint32_t)i, foundation);
    }
    int n = 0;
    int64_t start_us = now_us;
    uint64_t last = UINT64_MAX;
    while (now_us < start_us + PL_MS(450)) { /* before any pair's second check: all others come first */
        pl_stun_msg m;
        pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
        pl_ice_tick(ice, now_us);
        while (pl_ice_poll_output(ice, now_us, &d)) {
            PL_EQ(pl_stun_parse(&m, d.data, d.len), PL_OK);
            PL_OKAY(d.path.remote.ip[3] < last); /* by falling priority */
            last = d.path.remote.ip[3];
            n++;
        }
        PL_LE(n, 5 + (now_us - start_us) / PL_MS(15));
        PL_GE(pl_ice_next_us(ice), now_us + 1);
        now_us = pl_ice_next_us(ice);
    }
    PL_EQ(n, 5 + 29);
    down();
}

/* What the peer has asked for goes before everything that merely waits, and does not wait for Ta. */
PL_TEST(triggered_checks_come_first)
{
    pl_stun_msg m;
    up(false);
    set_remote();
    for (int i = 0; i < 10; i++) {
        char at[32], foundation[16];
        snprintf(at, sizeof at, "192.0.2.%d:7", i + 1);
        snprintf(foundation, sizeof foundation, "%d", i);
        add_remote(at, 2000 - (uint32_t)i, foundation);
    }
    for (int i = 0; i < 5; i++)
        next_out(&m);
    PL_OKAY(!anything_out()); /* the burst is spent */
    now_us += PL_MS(5);
    check_from("192.0.2.10:7", (check){ .controlling = 1 }); /* the last in the list */
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    pl_dgram d = next_out(&m);
    PL_EQ(m.cls, PL_STUN_REQUEST);
    PL_EQ(d.path.remote.ip[3], 10);
    PL_OKAY(!anything_out());
    check_from("192.0.2.1:7",
               (check){ .controlling = 1 }); /* in progress: asked again, as a NAT may be open now */
    next_out(&m);
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_next_us(ice), now_us + PL_MS(5));
    now_us += PL_MS(5);
    d = next_out(&m);
    PL_EQ(d.path.remote.ip[3], 1);
    down();
}

/* Met by a check first, signaled later: the pair takes the signaled candidate's place in the order. */
PL_TEST(a_signaled_candidate_replaces_the_discovered_one)
{
    pl_ice_pair_info pair[2];
    pl_ice_cand_info info[4];
    up(true);
    set_remote();
    check_from("192.0.2.1:7", (check){ .controlled = 1, .priority = 10 });
    add_remote("192.0.2.2:7", 20, "2");
    PL_EQ(pl_ice_get_pairs(ice, pair, 2), 2);
    uint32_t discovered = pair[1].remote_id;
    PL_EQ(pair[1].priority >> 32, 10);
    add_remote("192.0.2.1:7", 30, "1");
    PL_EQ(pl_ice_get_pairs(ice, pair, 2), 2);
    PL_EQ(pair[0].remote_id, discovered);
    PL_EQ(pair[0].priority >> 32, 30);
    PL_EQ(pl_ice_get_candidates(ice, info, 4), 3);
    PL_EQ(info[1].type, PL_ICE_HOST);
    PL_STREQ(info[1].foundation, "1");
    down();
}

PL_TEST(a_restart_ends_the_checks_before_it)
{
    pl_stun_msg m;
    up(true);
    set_remote();
    add_remote("192.0.2.1:7", 10, "1");
    next_out(&m);
    PL_EQ(pl_ice_restart(ice, now_us, NULL, NULL), PL_OK);
    for (int i = 0; i < 40; i++) {
        now_us += PL_MS(500);
        pl_ice_tick(ice, now_us);
        PL_OKAY(!anything_out());
    }
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CHECKING);
    down();
}

/* A peer that restarts may check with our old fragment and its new one, before it has our answer. */
PL_TEST(checks_across_a_restart_are_not_answered)
{
    pl_stun_msg m;
    up(false);
    check_from("192.0.2.1:7", (check){ .next_ufrag = true }); /* what is not known yet may be anything */
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    set_remote();
    PL_EQ(answer_all(), 1);
    check_from("192.0.2.1:8", (check){ .next_ufrag = true, .use_candidate = true });
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_get_counters(ice)->bad_username, 1);
    check_from("192.0.2.1:8", (check){ 0 });
    next_out(&m);
    PL_EQ(m.cls, PL_STUN_SUCCESS);
    down();
}

PL_TEST(frozen_until_their_foundation_works)
{
    pl_stun_msg m;
    pl_ice_pair_info pair[4];
    up(true);
    set_remote();
    add_remote("192.0.2.1:1", 400, "same");
    add_remote("192.0.2.1:2", 300, "same");
    add_remote("192.0.2.1:3", 200, "same");
    add_remote("192.0.2.9:1", 100, "other");
    PL_EQ(pl_ice_get_pairs(ice, pair, 4), 4);
    PL_EQ(pair[0].state, PL_ICE_PAIR_WAITING);
    PL_EQ(pair[1].state, PL_ICE_PAIR_FROZEN);
    PL_EQ(pair[2].state, PL_ICE_PAIR_FROZEN);
    PL_EQ(pair[3].state, PL_ICE_PAIR_WAITING);
    pl_dgram d = next_out(&m);
    PL_EQ(d.path.remote.port, 1);
    uint8_t first[PL_ICE_DGRAM_MAX];
    memcpy(first, d.data, d.len);
    size_t first_len = d.len;
    d = next_out(&m); /* the other foundation, not the frozen ones */
    PL_EQ(d.path.remote.ip[3], 9);
    PL_OKAY(!anything_out());
    pl_ice_set_controlling(ice, now_us, false); /* so that success does not end checking */
    PL_EQ(pl_stun_parse(&m, first, first_len), PL_OK);
    answer_it(&m, "192.0.2.1:1", 0, their_pwd);
    PL_EQ(pl_ice_get_pairs(ice, pair, 4), 4);
    PL_EQ(pair[0].state, PL_ICE_PAIR_SUCCEEDED);
    PL_EQ(pair[1].state, PL_ICE_PAIR_WAITING);
    PL_EQ(pair[2].state, PL_ICE_PAIR_WAITING);
    down();
}

PL_TEST(the_best_pairs_stay_at_the_limit)
{
    pl_ice_conf conf = { .controlling = true, .pairs_max = 8, .rand = pl_rand_seed(&state, 1) };
    pl_ice_base b = { .addr = addr("10.0.0.1:1000") };
    pl_ice_pair_info pair[16];
    PL_EQ(pl_ice_new(&ice, &conf, 0), PL_OK);
    PL_EQ(pl_ice_add_base(ice, 0, &b), PL_OK);
    set_remote();
    for (int i = 0; i < PL_ICE_REMOTES_MAX; i++) {
        pl_ice_cand c = { .addr = addr("192.0.2.1:1"), .component = 1, .foundation = "1" };
        c.addr.port = (uint16_t)(i + 1);
        c.priority = (uint32_t)(i * 37 % PL_ICE_REMOTES_MAX + 1);
        PL_EQ(pl_ice_add_remote(ice, 0, &c), PL_OK);
        PL_EQ(pl_ice_add_remote(ice, 0, &c), PL_OK); /* known already */
    }
    pl_ice_cand more = { .addr = addr("192.0.2.2:1"), .component = 1, .priority = 1, .foundation = "1" };
    PL_EQ(pl_ice_add_remote(ice, 0, &more), PL_ENOSPC);
    PL_EQ(pl_ice_get_pairs(ice, pair, 16), 8);
    for (int i = 0; i < 8; i++)
        PL_EQ(pair[i].priority >> 32, PL_ICE_REMOTES_MAX - i);
    base = b.addr;
    down();
}

/* ---- nomination ---- */

PL_TEST(regular_nomination)
{
    pl_stun_msg m;
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    next_out(&m);
    PL_OKAY(!pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CHECKING);
    next_out(&m);
    PL_EQ(pl_stun_get_flag(&m, PL_STUN_USE_CANDIDATE), PL_OK);
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CONNECTED);
    pl_ice_bases_done(ice, now_us);
    pl_ice_remote_done(ice, now_us);
    PL_EQ(last_state(), PL_ICE_COMPLETED);
    down();
}

/* A worse pair that answers first waits a moment for the better one: half of its own round trip, since a check that was
 * out for longer hardly belongs to a faster pair. */
PL_TEST(grace_for_better_pairs)
{
    for (int better_answers = 0; better_answers < 2; better_answers++) {
        pl_stun_msg better, worse, m;
        uint8_t better_wire[PL_ICE_DGRAM_MAX], worse_wire[PL_ICE_DGRAM_MAX];
        up(true);
        set_remote();
        add_remote("192.0.2.7:7", 200, "1");
        add_remote("192.0.2.8:8", 100, "2");
        pl_dgram d = next_out(&m);
        memcpy(better_wire, d.data, d.len);
        PL_EQ(pl_stun_parse(&better, better_wire, d.len), PL_OK);
        d = next_out(&m);
        memcpy(worse_wire, d.data, d.len);
        PL_EQ(pl_stun_parse(&worse, worse_wire, d.len), PL_OK);
        now_us += PL_MS(13);
        answer_it(&worse, "192.0.2.8:8", 0, their_pwd);
        pl_path path;
        PL_OKAY(pl_ice_selected(ice, &path)); /* early data may go there */
        PL_EQ(path.remote.port, 8);
        PL_OKAY(!anything_out());
        PL_EQ(pl_ice_next_us(ice),
              now_us + PL_MS(2)); /* the better one is asked again, as the first may be lost */
        PL_OKAY(!anything_out());
        if (better_answers) {
            now_us += PL_MS(1);
            answer_it(&better, "192.0.2.7:7", 0, their_pwd);
        } else {
            now_us += PL_MS(4);
            next_out(&m);
            PL_EQ(pl_ice_next_us(ice), now_us + 2500); /* the worse one's 13 ms and half of that have passed */
            now_us += 2500;
            pl_ice_tick(ice, now_us);
        }
        d = next_out(&m);
        PL_OKAY(pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
        PL_EQ(d.path.remote.port, better_answers ? 7 : 8);
        down();
    }
}

PL_TEST(a_nomination_that_is_lost_comes_again)
{
    pl_stun_msg m;
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    next_out(&m);
    now_us += PL_MS(20);
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    next_out(&m);
    PL_OKAY(pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
    PL_OKAY(!anything_out());
    PL_EQ(pl_ice_next_us(ice), now_us + PL_MS(100)); /* the round trip is known: no need to wait 500 ms */
    now_us += PL_MS(100);
    next_out(&m);
    PL_OKAY(pl_stun_has(&m, PL_STUN_USE_CANDIDATE));
    answer_it(&m, "192.0.2.7:7", 0, their_pwd);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CONNECTED);
    down();
}

/* The peer puts USE-CANDIDATE into every check (RFC 5245's aggressive nomination). */
PL_TEST(aggressive_peer)
{
    pl_path path;
    check k = { .use_candidate = true, .controlling = 1 };
    up(false);
    set_remote();
    add_remote("192.0.2.8:8", 100, "2");
    add_remote("192.0.2.7:7", 200, "1");
    check_from("192.0.2.8:8", k);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CHECKING);
    PL_GE(answer_all(), 1);
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CONNECTED);
    now_us += PL_MS(100);
    check_from("192.0.2.7:7", k); /* a better one: it takes over */
    answer_all();
    PL_OKAY(pl_ice_selected(ice, &path));
    PL_EQ(path.remote.port, 7);
    now_us += PL_MS(100);
    check_from("192.0.2.8:8", k); /* the worse one again: stays behind */
    answer_all();
    PL_OKAY(pl_ice_selected(ice, &path));
    PL_EQ(path.remote.port, 7);
    now_us += PL_MS(3500); /* but when the better one is not nominated any more, the peer has left it */
    check_from("192.0.2.8:8", k);
    answer_all();
    PL_OKAY(pl_ice_selected(ice, &path));
    PL_EQ(path.remote.port, 8);
    down();
}

/* ---- the rest of life ---- */

static void connect_it(void)
{
    up(true);
    set_remote();
    add_remote("192.0.2.7:7", 100, "1");
    while (answer_all() > 0)
        ;
    pl_ice_bases_done(ice, now_us);
    pl_ice_remote_done(ice, now_us);
    PL_EQ(last_state(), PL_ICE_COMPLETED);
}

static void let_pass(int64_t us)
{
    for (int64_t end_us = now_us + us; now_us < end_us;) {
        pl_ice_tick(ice, now_us);
        while (anything_out())
            ;
        PL_GE(pl_ice_next_us(ice), now_us + 1);
        now_us = pl_min_us(end_us, pl_ice_next_us(ice));
    }
    pl_ice_tick(ice, now_us);
}

PL_TEST(media_is_a_sign_of_life_but_no_consent)
{
    connect_it();
    int64_t start_us = now_us;
    while (now_us < start_us + PL_MS(29900)) {
        let_pass(PL_MS(100));
        pl_ice_heard(ice, now_us);
        PL_EQ(pl_ice_get_state(ice), PL_ICE_COMPLETED);
    }
    let_pass(PL_MS(200));
    PL_EQ(pl_ice_get_state(ice), PL_ICE_FAILED);
    pl_path path;
    PL_OKAY(!pl_ice_selected(ice, &path));
    PL_EQ(pl_ice_next_us(ice), PL_NEVER);
    down();
}

PL_TEST(credentials_change_only_with_a_restart)
{
    connect_it();
    set_remote();
    PL_EQ(pl_ice_set_remote(ice, now_us, "othr", their_pwd, false), PL_ESTATE);
    PL_EQ(pl_ice_set_remote(ice, now_us, "bad", their_pwd, false), PL_EPROTO);
    PL_EQ(pl_ice_set_remote(ice, now_us, "good", "tooshort", false), PL_EPROTO);
    PL_EQ(pl_ice_set_remote(ice, now_us, "go:d", their_pwd, false), PL_EPROTO);
    PL_EQ(pl_ice_restart(ice, now_us, NULL, NULL), PL_OK);
    PL_EQ(pl_ice_set_remote(ice, now_us, "othr", their_pwd, false), PL_OK);
    PL_EQ(pl_ice_rollback(ice, now_us), PL_ESTATE);
    down();
}

PL_TEST(candidates_of_other_generations_are_ignored)
{
    up(true);
    pl_ice_cand c = {
        .addr = addr("192.0.2.7:7"), .component = 1, .priority = 5, .foundation = "1", .ufrag = "gone"
    };
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK); /* kept: nobody knows the generation yet */
    snprintf(c.ufrag, sizeof c.ufrag, "%s", their_ufrag);
    c.addr.port = 8;
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    set_remote();
    snprintf(c.ufrag, sizeof c.ufrag, "%s", "late");
    c.addr.port = 9;
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    pl_ice_cand_info info[4];
    PL_EQ(pl_ice_get_candidates(ice, info, 4), 2);
    PL_EQ(info[1].addr.port, 8);
    down();
}

PL_TEST(names_are_resolved_by_the_driver)
{
    up(true);
    pl_ice_cand c = {
        .addr = { .port = 77 }, .component = 1, .priority = 5, .foundation = "1", .name = "a-b.local"
    };
    pl_addr found = addr("192.0.2.7:0");
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    set_remote();
    snprintf(c.name, sizeof c.name, "%s", "nobody.local");
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
    int n = 0;
    for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);)
        n += ev.kind == PL_ICE_EV_RESOLVE;
    PL_EQ(n, 2);
    PL_OKAY(!anything_out());
    pl_ice_resolved(ice, now_us, "nobody.local", NULL);
    pl_ice_resolved(ice, now_us, "A-B.LOCAL", &found);
    pl_ice_resolved(ice, now_us, "A-B.LOCAL", &found);
    pl_stun_msg m;
    pl_dgram d = next_out(&m);
    PL_EQ(d.path.remote.port, 77);
    PL_EQ(pl_ice_get_pairs(ice, NULL, 0), 1);
    down();
}

/* Candidates may be carried by hand: without any, only their end makes a failure. */
PL_TEST(no_candidate_is_no_failure_until_there_will_be_none)
{
    up(true);
    set_remote();
    pl_ice_bases_done(ice, now_us);
    now_us += PL_SEC(300);
    pl_ice_tick(ice, now_us);
    PL_EQ(last_state(), PL_ICE_NEW);
    PL_EQ(pl_ice_next_us(ice), PL_NEVER);
    pl_ice_remote_done(ice, now_us);
    PL_EQ(last_state(), PL_ICE_FAILED);
    add_remote("192.0.2.7:7", 100, "1"); /* late, but a reason to try again */
    PL_EQ(last_state(), PL_ICE_CHECKING);
    while (answer_all() > 0)
        continue;
    PL_EQ(last_state(), PL_ICE_COMPLETED);
    down();
}

PL_TEST(closed_is_closed)
{
    connect_it();
    pl_ice_close(ice, now_us);
    PL_EQ(last_state(), PL_ICE_CLOSED);
    check_from("192.0.2.7:7", (check){ .controlled = 1 });
    PL_OKAY(!anything_out());
    pl_path path;
    PL_OKAY(!pl_ice_selected(ice, &path));
    PL_EQ(pl_ice_next_us(ice), PL_NEVER);
    add_remote("192.0.2.9:7", 100, "1");
    pl_ice_tick(ice, now_us + PL_SEC(100));
    PL_EQ(pl_ice_get_state(ice), PL_ICE_CLOSED);
    down();
}

PL_TEST(statistics)
{
    connect_it();
    pl_ice_count_sent(ice, now_us, 3, 3000);
    pl_ice_count_received(ice, now_us, 1, 100);
    pl_ice_pair_info pair;
    PL_OKAY(pl_ice_get_selected_pair(ice, &pair));
    PL_OKAY(pair.nominated && pair.selected);
    PL_EQ(pair.state, PL_ICE_PAIR_SUCCEEDED);
    PL_EQ(pair.packets_sent, 3);
    PL_EQ(pair.bytes_sent, 3000);
    PL_EQ(pair.bytes_received, 100);
    PL_EQ(pair.last_sent_us, now_us);
    PL_EQ(pair.requests_sent, 2);
    PL_EQ(pair.responses_received, 2);
    pl_ice_cand_info info[2];
    PL_EQ(pl_ice_get_candidates(ice, info, 2), 2);
    PL_EQ(info[0].id, pair.local_id);
    PL_EQ(info[1].id, pair.remote_id);
    PL_OKAY(!info[0].remote && info[1].remote);
    down();
}

PL_TESTS(t(events_come_in_order), t(bases_and_servers_have_limits), t(the_policy_relay_hides_everything_else),
         t(own_credentials), t(outsiders_get_silence), t(a_flood_of_checks_is_bounded),
         t(a_check_is_answered_and_checked_in_return), t(bad_requests_of_the_peer_itself),
         t(checks_before_the_answer), t(conflict_by_request), t(conflict_by_answer),
         t(answers_must_come_from_whom_was_asked), t(a_refused_check_fails_its_pair), t(link_local_addresses),
         t(pacing_after_the_first_burst), t(triggered_checks_come_first),
         t(a_signaled_candidate_replaces_the_discovered_one), t(a_restart_ends_the_checks_before_it),
         t(checks_across_a_restart_are_not_answered), t(frozen_until_their_foundation_works),
         t(the_best_pairs_stay_at_the_limit), t(regular_nomination), t(grace_for_better_pairs),
         t(a_nomination_that_is_lost_comes_again), t(aggressive_peer),
         t(media_is_a_sign_of_life_but_no_consent), t(credentials_change_only_with_a_restart),
         t(candidates_of_other_generations_are_ignored), t(names_are_resolved_by_the_driver),
         t(no_candidate_is_no_failure_until_there_will_be_none), t(closed_is_closed), t(statistics))
