#include "script.h"

#include "stun/integrity.h"

static const char realm[] = "test.example";

pl_addr script_addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

void script_up(script *s, const pl_turn_conf *conf)
{
    *s = (script){ .now_us = PL_SEC(1000) };
    if (conf)
        s->conf = *conf;
    if (s->conf.local.family == PL_AF_NONE)
        s->conf.local = script_addr("10.0.0.1:5000");
    if (s->conf.server.family == PL_AF_NONE)
        s->conf.server = script_addr("192.0.2.1:3478");
    if (!s->conf.username) {
        s->conf.username = "alice";
        s->conf.password = "secret";
    }
    s->conf.rand = pl_rand_seed(&s->state, 7);
    PL_EQ(pl_turn_new(&s->t, &s->conf, s->now_us), PL_OK);
    pl_turn_check(s->t);
}

void script_down(script *s)
{
    pl_turn_check(s->t);
    pl_turn_free(s->t);
    s->t = NULL;
}

void script_ready(script *s, const pl_turn_conf *conf)
{
    script_up(s, conf);
    script_expect(s, PL_STUN_ALLOCATE);
    script_challenge(s, 401, "nonce1");
    script_expect(s, PL_STUN_ALLOCATE);
    script_allocated(s, 600);
    script_event(s, PL_TURN_ALLOCATED);
}

static size_t key_of(const script *s, uint8_t key[PL_STUN_KEY_MAX])
{
    size_t len = pl_stun_long_term_key(PL_STUN_ALG_MD5, pl_str_of(s->conf.username), pl_str_of(realm),
                                       pl_str_of(s->conf.password), key);
    PL_EQ(len, 16);
    return len;
}

void script_expect(script *s, uint16_t method)
{
    pl_dgram out = { .data = s->req_bytes, .cap = sizeof s->req_bytes };
    PL_OKAY(pl_turn_poll_output(s->t, s->now_us, &out));
    pl_turn_check(s->t);
    PL_EQ(pl_stun_parse(&s->req, out.data, out.len), PL_OK);
    PL_EQ(s->req.cls, PL_STUN_REQUEST);
    PL_EQ(s->req.method, method);
    PL_EQ(s->req.n_unknown, 0);
    PL_LE(out.len, PL_TURN_DGRAM_MAX);
    s->path = out.path;
    s->signed_req = s->req.integrity_at != 0;
    if (s->signed_req) {
        uint8_t key[PL_STUN_KEY_MAX];
        PL_EQ(pl_stun_check_integrity(&s->req, key, key_of(s, key)), PL_OK);
    }
}

void script_quiet(script *s)
{
    uint8_t buf[2048];
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    PL_OKAY(!pl_turn_poll_output(s->t, s->now_us, &out));
    PL_OKAY(pl_turn_next_us(s->t) > s->now_us);
    pl_turn_check(s->t);
}

void script_wait(script *s, int64_t limit_us)
{
    int64_t next_us = pl_turn_next_us(s->t);
    PL_LE(next_us, s->now_us + limit_us);
    s->now_us = pl_max_us(s->now_us, next_us);
    pl_turn_tick(s->t, s->now_us);
    pl_turn_check(s->t);
}

void script_pass(script *s, int64_t for_us)
{
    int64_t end_us = s->now_us + for_us;
    uint8_t buf[2048];
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    for (int i = 0; pl_turn_next_us(s->t) <= end_us; i++) {
        PL_LE(i, 1000); /* a deadline that is never met */
        s->now_us = pl_max_us(s->now_us, pl_turn_next_us(s->t));
        pl_turn_tick(s->t, s->now_us);
        while (pl_turn_poll_output(s->t, s->now_us, &out))
            continue;
        pl_turn_check(s->t);
    }
    s->now_us = end_us;
    pl_turn_tick(s->t, end_us);
    pl_turn_check(s->t);
}

void script_begin(script *s, pl_stun_class cls)
{
    s->wr = pl_stun_begin_reply(s->reply, sizeof s->reply, cls, &s->req);
}

pl_turn_got script_input(script *s, const void *pkt, size_t len, pl_turn_data *data)
{
    uint8_t *exact = malloc(len ? len : 1); /* so that a sanitizer sees a step too far */
    assert_non_null(exact);
    memcpy(exact, pkt, len);
    pl_turn_data none;
    pl_turn_got got = pl_turn_input(s->t, s->now_us, exact, len, data ? data : &none);
    free(exact);
    pl_turn_check(s->t);
    return got;
}

void script_send(script *s, bool sign)
{
    uint8_t key[PL_STUN_KEY_MAX];
    if (sign)
        pl_stun_put_integrity(&s->wr, key, key_of(s, key));
    size_t len = pl_stun_end(&s->wr);
    PL_OKAY(len > 0);
    PL_EQ(script_input(s, s->reply, len, NULL), PL_TURN_CONTROL);
}

void script_challenge(script *s, uint16_t code, const char *nonce)
{
    script_begin(s, PL_STUN_ERROR);
    pl_stun_put_error(&s->wr, code, NULL);
    pl_stun_put_str(&s->wr, PL_STUN_REALM, pl_str_of(realm));
    pl_stun_put_str(&s->wr, PL_STUN_NONCE, pl_str_of(nonce));
    script_send(s, false);
}

void script_error(script *s, uint16_t code, bool sign)
{
    script_begin(s, PL_STUN_ERROR);
    pl_stun_put_error(&s->wr, code, NULL);
    script_send(s, sign);
}

void script_ok(script *s)
{
    script_begin(s, PL_STUN_SUCCESS);
    script_send(s, true);
}

void script_allocated(script *s, uint32_t lifetime_s)
{
    pl_addr ip4 = script_addr("192.0.2.1:50000"), ip6 = script_addr("[2001:db8::1]:50000");
    pl_addr mapped = script_addr("203.0.113.9:6000");
    script_begin(s, PL_STUN_SUCCESS);
    if (s->conf.families != PL_TURN_IP6)
        pl_stun_put_xor_addr(&s->wr, PL_STUN_XOR_RELAYED_ADDRESS, &ip4);
    if (s->conf.families & PL_TURN_IP6)
        pl_stun_put_xor_addr(&s->wr, PL_STUN_XOR_RELAYED_ADDRESS, &ip6);
    pl_stun_put_xor_addr(&s->wr, PL_STUN_XOR_MAPPED_ADDRESS, &mapped);
    pl_stun_put_u32(&s->wr, PL_STUN_LIFETIME, lifetime_s);
    if (pl_stun_has(&s->req, PL_STUN_MOBILITY_TICKET))
        pl_stun_put_str(&s->wr, PL_STUN_MOBILITY_TICKET, PL_STR("ticket one"));
    script_send(s, true);
}

void script_refreshed(script *s, uint32_t lifetime_s)
{
    script_begin(s, PL_STUN_SUCCESS);
    pl_stun_put_u32(&s->wr, PL_STUN_LIFETIME, lifetime_s);
    script_send(s, true);
}

const pl_turn_event *script_event(script *s, pl_turn_event_kind kind)
{
    static pl_turn_event event;
    PL_OKAY(pl_turn_poll_event(s->t, &event));
    PL_EQ(event.kind, kind);
    return &event;
}

void script_no_event(script *s)
{
    pl_turn_event event;
    PL_OKAY(!pl_turn_poll_event(s->t, &event));
}

uint32_t script_u32(const script *s, uint16_t type)
{
    uint32_t v;
    return pl_stun_get_u32(&s->req, type, &v) ? UINT32_MAX : v;
}

size_t script_peers(const script *s)
{
    pl_rd value;
    unsigned n = 0;
    while (pl_stun_find_nth(&s->req, PL_STUN_XOR_PEER_ADDRESS, n, &value))
        n++;
    return n;
}

void script_permit(script *s, const char *peer)
{
    pl_addr a = script_addr(peer);
    PL_EQ(pl_turn_permit(s->t, s->now_us, &a), PL_OK);
    script_expect(s, PL_STUN_CREATE_PERMISSION);
    script_ok(s);
    PL_EQ(script_event(s, PL_TURN_PERMISSION)->code, 0);
}

void script_bind(script *s, const char *peer)
{
    pl_addr a = script_addr(peer);
    PL_EQ(pl_turn_bind(s->t, s->now_us, &a), PL_OK);
    if (pl_turn_permission_of(s->t, &a) == PL_TURN_PERMIT_NONE) {
        script_expect(s, PL_STUN_CREATE_PERMISSION);
        script_ok(s);
        script_event(s, PL_TURN_PERMISSION);
    }
    script_expect(s, PL_STUN_CHANNEL_BIND);
    script_ok(s);
    PL_EQ(script_event(s, PL_TURN_BOUND)->code, 0);
}
