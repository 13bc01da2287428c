/* States, not only bytes: the input is a list of things that happen to one TURN client. Raw messages, answers to its
 * own requests (granted, challenged, refused with any code, redirected, signed or not, with wrong attributes), data
 * and ICMP of peers, permissions, channels, data of ours, moves, probes, farewells and time. The invariants hold after
 * each; what is wrapped can be unwrapped; and the client always comes to rest. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "stun/integrity.h"
#include "turn/client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SENT_MAX = 16, DRAIN_MAX = 200 };

static const char user[] = "u", password[] = "p", realm[] = "r";

typedef struct sent {
    uint8_t data[PL_TURN_DGRAM_MAX];
    size_t len;
} sent;

typedef struct world {
    pl_rd in;
    pl_turn *turn;
    pl_rand_seeded state;
    int64_t now_us;
    sent sent[SENT_MAX]; /* requests of the client, to be answered */
    size_t n_sent, next_sent;
} world;

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* A few addresses only, so that things meet. */
static pl_addr some_addr(world *w)
{
    uint8_t n = pl_rd_u8(&w->in);
    pl_addr a = { .family = n & 0x80 ? PL_AF_IP6 : PL_AF_IP4, .port = (uint16_t)(n >> 5 & 3) };
    a.ip[0] = n & 0x80 ? 0x20 : 192;
    a.ip[3] = n & 31;
    a.scope = n == 0xff ? 3 : 0;
    return a;
}

static void hear(world *w, const uint8_t *pkt, size_t len)
{
    pl_turn_data data;
    uint8_t *exact = malloc(len ? len : 1); /* a step too far is seen */
    must(exact != NULL);
    if (len)
        memcpy(exact, pkt, len);
    if (pl_turn_input(w->turn, w->now_us, exact, len, &data) == PL_TURN_DATA)
        must(data.at <= len && data.len <= len - data.at && data.peer.family != PL_AF_NONE);
    free(exact);
}

static void hear_raw(world *w)
{
    size_t n = pl_rd_u8(&w->in);
    n = n < pl_rd_left(&w->in) ? n : pl_rd_left(&w->in);
    hear(w, pl_rd_take(&w->in, n), n);
}

static void put_details(world *w, pl_stun_wr *s, uint16_t code)
{
    uint8_t how = pl_rd_u8(&w->in);
    pl_addr a = some_addr(w);
    if (code == 401 || code == 438) {
        char nonce[2] = { (char)('a' + (how & 7)), 0 };
        static const uint16_t algorithms[] = { PL_STUN_ALG_SHA256, PL_STUN_ALG_MD5 };
        if (!(how & 8))
            pl_stun_put_str(s, PL_STUN_REALM, pl_str_of(realm));
        pl_stun_put_str(s, PL_STUN_NONCE, how & 16 ? PL_STR("obMatJos2wAAA") : pl_str_of(nonce));
        if (how & 32)
            pl_stun_put_algorithms(s, algorithms, 2);
    } else if (code) {
        if (how & 1)
            pl_stun_put_addr(s, PL_STUN_ALTERNATE_SERVER, &a);
        if (how & 2)
            pl_stun_put_str(s, PL_STUN_ALTERNATE_DOMAIN, PL_STR("other.example"));
    } else {
        if (!(how & 1)) {
            pl_addr relayed = { .family = how & 2 ? PL_AF_IP6 : PL_AF_IP4, .ip = { 9 }, .port = 9 };
            pl_stun_put_xor_addr(s, PL_STUN_XOR_RELAYED_ADDRESS, how & 4 ? &a : &relayed);
            pl_stun_put_xor_addr(s, PL_STUN_XOR_RELAYED_ADDRESS, &a);
        }
        pl_stun_put_xor_addr(s, PL_STUN_XOR_MAPPED_ADDRESS, &a);
        if (!(how & 8))
            pl_stun_put_u32(s, PL_STUN_LIFETIME, how & 16 ? how >> 5 : 600);
        if (how & 32)
            pl_stun_put(s, PL_STUN_MOBILITY_TICKET, realm, how >> 6 & 1);
    }
}

static void answer(world *w, const sent *asked, uint16_t code, bool sign, bool details)
{
    uint8_t pkt[1500], key[PL_STUN_KEY_MAX];
    pl_stun_msg m;
    must(pl_stun_parse(&m, asked->data, asked->len) == PL_OK);
    pl_stun_wr s = pl_stun_begin_reply(pkt, sizeof pkt, code ? PL_STUN_ERROR : PL_STUN_SUCCESS, &m);
    if (code)
        pl_stun_put_error(&s, code, NULL);
    if (details)
        put_details(w, &s, code);
    bool sha256 = m.integrity256_at != 0;
    size_t key_len = pl_stun_long_term_key(sha256 ? PL_STUN_ALG_SHA256 : PL_STUN_ALG_MD5, pl_str_of(user),
                                           pl_str_of(realm), pl_str_of(password), key);
    if (sign && sha256)
        pl_stun_put_integrity256(&s, key, key_len, 32);
    else if (sign)
        pl_stun_put_integrity(&s, key, key_len);
    hear(w, pkt, pl_stun_end(&s));
}

static void answer_some(world *w)
{
    static const uint16_t codes[] = { 0,   0,   0,   0,   0,   401, 438, 300, 400, 401, 403, 405, 420,
                                      437, 438, 440, 441, 442, 443, 447, 486, 500, 508, 699, 0,   0 };
    uint8_t which = pl_rd_u8(&w->in), how = pl_rd_u8(&w->in);
    if (w->n_sent)
        answer(w, &w->sent[which % w->n_sent], codes[how % (sizeof codes / sizeof *codes)], how < 200, true);
}

static void hear_peer(world *w)
{
    uint8_t pkt[300], id[PL_STUN_ID_LEN] = { 1 }, how = pl_rd_u8(&w->in);
    pl_addr peer = some_addr(w);
    if (how & 1) {
        pl_put16(pkt, (uint16_t)(0x4000 + (how >> 1)));
        pl_put16(pkt + 2, pl_rd_u8(&w->in));
        memset(pkt + 4, 7, 100);
        hear(w, pkt, 104);
        return;
    }
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_DATA, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    if (how & 2)
        pl_stun_put(&s, PL_STUN_DATA_ATTR, "data of a peer", how >> 4);
    if (how & 4)
        pl_stun_put_icmp(&s, &(pl_stun_icmp){ .type = how & 0x7f, .code = how, .data = how });
    hear(w, pkt, pl_stun_end(&s));
}

/* What a server makes of it: the same bytes, for the same peer. */
static void unwrap(const pl_dgram *d, size_t at, size_t len, uint8_t fill, size_t fill_len,
                   const pl_addr *peer)
{
    const uint8_t *p = d->data + at;
    if (p[0] >> 4 == 4) {
        must(pl_get16(p + 2) == fill_len && len >= 4 + fill_len);
        for (size_t i = 0; i < fill_len; i++)
            must(p[4 + i] == fill);
        return;
    }
    pl_stun_msg m;
    pl_rd data;
    pl_addr to;
    must(pl_stun_parse(&m, p, len) == PL_OK && pl_stun_find(&m, PL_STUN_DATA_ATTR, &data));
    must(pl_stun_get_xor_addr(&m, PL_STUN_XOR_PEER_ADDRESS, &to) == PL_OK);
    must(pl_addr_ip_eq(&to, &(pl_addr){ .family = peer->family, .ip = { peer->ip[0], 0, 0, peer->ip[3] } }));
    must(pl_rd_left(&data) == fill_len);
    for (size_t i = 0; i < fill_len; i++)
        must(data.p[i] == fill);
}

static void send_data(world *w)
{
    static uint8_t buf[2000];
    pl_addr peer = some_addr(w);
    uint8_t n = (uint8_t)(1 + pl_rd_u8(&w->in) % 5);
    size_t each = 1u + pl_rd_u8(&w->in), last = 1 + (each - 1) / 2, cap = 8u * pl_rd_u8(&w->in);
    pl_dgram d = { .data = buf, .len = (n - 1) * each + last, .segment = n > 1 ? each : 0 };
    d.cap = d.len + cap < sizeof buf ? d.len + cap : sizeof buf;
    memset(buf, 0x5a, d.len);
    size_t overhead = pl_turn_overhead(w->turn, &peer), before = d.len;
    pl_err err = pl_turn_wrap(w->turn, w->now_us, &peer, &d);
    if (err) {
        must(d.len == before);
        return;
    }
    must(overhead <= PL_TURN_OVERHEAD_MAX && d.len <= before + n * overhead && d.len <= d.cap);
    size_t step = d.segment ? d.segment : d.len;
    for (size_t i = 0; i < n; i++) {
        size_t len = i == n - 1u ? d.len - i * step : step;
        unwrap(&d, i * step, len, 0x5a, i == n - 1u ? last : each, &peer);
    }
}

static void call_api(world *w)
{
    uint8_t what = pl_rd_u8(&w->in);
    pl_addr a = some_addr(w);
    switch (what % 12) {
    case 0:
    case 1: (void)!pl_turn_permit(w->turn, w->now_us, &a); break;
    case 2: pl_turn_unpermit(w->turn, w->now_us, &a); break;
    case 3:
    case 4: (void)!pl_turn_bind(w->turn, w->now_us, &a); break;
    case 5: pl_turn_unbind(w->turn, w->now_us, &a); break;
    case 6: pl_turn_probe(w->turn, w->now_us); break;
    case 7: (void)!pl_turn_move(w->turn, w->now_us, &a); break;
    case 8:
        for (uint8_t i = 0; i < 80; i++) {
            a.ip[2] = i;
            (void)!pl_turn_permit(w->turn, w->now_us, &a);
        }
        break;
    case 9:
        must(pl_turn_permission_of(w->turn, &a) <= PL_TURN_PERMIT_DENIED);
        (void)pl_turn_is_bound(w->turn, &a);
        break;
    case 10:
        if (what > 200)
            pl_turn_close(w->turn, w->now_us);
        break;
    case 11:
        if (what > 200)
            pl_turn_disconnected(w->turn, w->now_us);
        break;
    }
}

/* Takes all output and events; both must end. */
static void drain(world *w)
{
    uint8_t buf[PL_TURN_DGRAM_MAX];
    pl_dgram d = { .data = buf, .cap = sizeof buf };
    int n = 0;
    while (pl_turn_poll_output(w->turn, w->now_us, &d)) {
        must(++n < DRAIN_MAX);
        must(d.len > 0 && d.len <= sizeof buf && pl_turn_is_path(w->turn, &d.path));
        pl_stun_msg m;
        must(pl_stun_parse(&m, buf, d.len) == PL_OK);
        if (m.cls != PL_STUN_REQUEST)
            continue;
        sent *s = &w->sent[w->next_sent++ % SENT_MAX];
        w->n_sent = w->n_sent < SENT_MAX ? w->n_sent + 1 : SENT_MAX;
        s->len = d.len;
        memcpy(s->data, buf, d.len);
    }
    n = 0;
    for (pl_turn_event ev; pl_turn_poll_event(w->turn, &ev);)
        must(++n < DRAIN_MAX && strlen(ev.reason) <= PL_TURN_REASON_MAX);
}

/* Most inputs begin where data flows. */
static void allocate(world *w, bool anonymous)
{
    static const uint8_t granted[] = { 32 | 64, 0 }; /* a ticket, too */
    pl_rd rest = w->in;
    static const uint8_t challenge[] = { 0, 0 };
    drain(w);
    if (!anonymous) {
        w->in = pl_rd_init(challenge, sizeof challenge);
        answer(w, &w->sent[0], 401, false, true);
        drain(w);
    }
    w->in = pl_rd_init(granted, sizeof granted);
    answer(w, &w->sent[w->n_sent - 1], 0, !anonymous, true);
    w->in = rest;
    drain(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    w = (world){ .in = pl_rd_init(data, size), .now_us = PL_SEC(1) };
    uint8_t how = pl_rd_u8(&w.in);
    pl_turn_conf conf = { .local = { .family = PL_AF_IP4, .ip = { 10, 0, 0, 1 }, .port = 5 },
                          .server = { .family = PL_AF_IP4, .ip = { 192, 0, 0, 1 }, .port = 3 },
                          .proto = how & 1 ? PL_TCP : PL_UDP,
                          .families = how >> 1 & 3,
                          .mobility = how & 8,
                          .username = how & 16 ? NULL : user,
                          .password = how & 16 ? NULL : password,
                          .rand = pl_rand_seed(&w.state, how) };
    if (pl_turn_new(&w.turn, &conf, w.now_us))
        return 0;
    if (how & 0x60)
        allocate(&w, !conf.username);
    while (pl_rd_left(&w.in) > 0) {
        switch (pl_rd_u8(&w.in) % 10) {
        case 0: hear_raw(&w); break;
        case 1:
        case 2:
        case 3: answer_some(&w); break;
        case 4: hear_peer(&w); break;
        case 5: send_data(&w); break;
        case 6: call_api(&w); break;
        case 7: w.now_us += (int64_t)pl_rd_u8(&w.in) * PL_MS(500); break;
        default:
            drain(&w);
            if (pl_turn_next_us(w.turn) != PL_NEVER)
                w.now_us = pl_max_us(w.now_us, pl_turn_next_us(w.turn));
            break;
        }
        pl_turn_check(w.turn);
        pl_turn_tick(w.turn, w.now_us);
        pl_turn_check(w.turn);
    }
    drain(&w);
    pl_turn_tick(w.turn, w.now_us);
    drain(&w);
    must(pl_turn_next_us(w.turn) > w.now_us); /* at rest until then */
    pl_turn_free(w.turn);
    return 0;
}
