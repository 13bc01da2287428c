/* by_hand.h - one agent and a peer written by hand: what tests of single messages share. Each file has an agent of its
 * own, which up() makes and down() checks and frees. */
#ifndef PL_TESTS_ICE_BY_HAND_H
#define PL_TESTS_ICE_BY_HAND_H

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

static inline pl_addr addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

static inline void up(bool controlling)
{
    pl_ice_conf conf = { .controlling = controlling, .rand = pl_rand_seed(&state, pl_test_seed(1)) };
    pl_ice_base b = { .addr = addr("10.0.0.1:1000") };
    now_us = PL_SEC(50);
    PL_EQ(pl_ice_new(&ice, &conf, now_us), PL_OK);
    PL_EQ(pl_ice_add_base(ice, now_us, &b), PL_OK);
    base = b.addr;
}

static inline void down(void)
{
    pl_ice_check(ice);
    pl_ice_free(ice);
    ice = NULL;
}

static inline void add_remote(const char *at, uint32_t priority, const char *foundation)
{
    pl_ice_cand c = { .addr = addr(at), .priority = priority, .component = 1, .type = PL_ICE_HOST };
    snprintf(c.foundation, sizeof c.foundation, "%s", foundation);
    PL_EQ(pl_ice_add_remote(ice, now_us, &c), PL_OK);
}

static inline void set_remote(void)
{
    PL_EQ(pl_ice_set_remote(ice, now_us, their_ufrag, their_pwd, false), PL_OK);
}

/* ---- the peer's hand ---- */

typedef struct check {
    bool use_candidate, no_priority, wrong_pwd, wrong_ufrag, next_ufrag, unknown_attr;
    uint64_t controlling, controlled; /* tie-breakers, 0: no such attribute */
    uint32_t priority;
} check;

static inline size_t write_check(uint8_t *out, size_t cap, const check *k)
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

static inline void send_from(const char *from, const uint8_t *pkt, size_t len)
{
    pl_path path = { .local = base, .remote = addr(from) };
    pl_ice_input(ice, now_us, &path, pkt, len);
    pl_ice_check(ice);
}

static inline void check_from(const char *from, check k)
{
    uint8_t pkt[1024];
    send_from(from, pkt, write_check(pkt, sizeof pkt, &k));
}

/* The next message out; PL_OKAY that there is one. */
static inline pl_dgram next_out(pl_stun_msg *m)
{
    pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
    PL_OKAY(pl_ice_poll_output(ice, now_us, &d));
    PL_EQ(pl_stun_parse(m, d.data, d.len), PL_OK);
    PL_EQ(pl_stun_check_fingerprint(m), PL_OK);
    PL_OKAY(pl_addr_eq(&d.path.local, &base));
    return d;
}

static inline bool anything_out(void)
{
    pl_dgram d = { .data = out_buf, .cap = sizeof out_buf };
    return pl_ice_poll_output(ice, now_us, &d);
}

/* Answers one of the agent's checks from `from`; code 0: success. */
static inline void answer_it(const pl_stun_msg *request, const char *from, uint16_t code, const char *pwd)
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
static inline int answer_all(void)
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

static inline pl_ice_state last_state(void)
{
    pl_ice_state s = PL_ICE_NEW;
    for (pl_ice_event ev; pl_ice_poll_event(ice, &ev);)
        if (ev.kind == PL_ICE_EV_STATE)
            s = ev.u.state;
    return s;
}

#endif
