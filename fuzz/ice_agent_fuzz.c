/* States, not only bytes: the input is a list of things that happen to one agent. Raw datagrams, well-formed
 * and authenticated checks, answers to the agent's own requests (right, refused, redirected, from elsewhere),
 * TURN servers that challenge, allocate, deny, forget and relay all of that, connections that open and break,
 * candidates as text, names, bases, servers, restarts, rollbacks, role changes and time. The invariants hold
 * after each, and the agent always comes to rest. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "ice/agent.h"
#include "stun/integrity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SENT_MAX = 16, DRAIN_MAX = 400 };

static const char their_ufrag[] = "peer", their_pwd[] = "peerspasswordof24letters";
static const char user[] = "alice", secret[] = "secret", realm[] = "r", nonce[] = "n";

/* One request of the agent, kept so that it can be answered. */
typedef struct sent {
    pl_path path;
    uint8_t data[PL_ICE_DGRAM_MAX];
    size_t len;
} sent;

typedef struct world {
    pl_rd in;
    pl_ice *ice;
    pl_rand_seeded state;
    int64_t now_us;
    sent sent[SENT_MAX];  /* to the peer */
    sent asked[SENT_MAX]; /* to TURN servers */
    size_t n_sent, n_asked;
    uint32_t stream; /* the newest that was wanted */
    pl_addr remote;  /* where to */
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
    pl_addr a = { .family = n & 0x80 ? PL_AF_IP6 : PL_AF_IP4, .port = (uint16_t)(1000 + (n >> 4 & 7)) };
    if (a.family == PL_AF_IP6) {
        a.ip[0] = n & 8 ? 0xfe : 0x20;
        a.ip[1] = n & 8 ? 0x80 : 1;
        a.ip[15] = n & 7;
    } else {
        a.ip[0] = 10;
        a.ip[3] = n & 15;
    }
    return a;
}

static pl_path some_path(world *w)
{
    pl_path p = { .local = some_addr(w) };
    p.remote = some_addr(w);
    return p;
}

/* As a driver does: the relay's wrapping first. */
static void deliver(world *w, pl_path path, uint8_t *pkt, size_t len)
{
    if (pl_ice_unwrap(w->ice, w->now_us, &path, &pkt, &len))
        pl_ice_input(w->ice, w->now_us, &path, pkt, len);
}

static void feed_raw(world *w)
{
    uint8_t pkt[256];
    pl_path path = some_path(w);
    size_t n = pl_rd_u8(&w->in);
    if (n & 1 && w->n_asked) { /* from a server */
        path = w->asked[0].path;
    }
    n = n < pl_rd_left(&w->in) ? n : pl_rd_left(&w->in);
    const uint8_t *from = pl_rd_take(&w->in, n);
    if (n)
        memcpy(pkt, from, n);
    deliver(w, path, pkt, n);
}

static size_t write_check(world *w, uint8_t *pkt, size_t cap, uint8_t how)
{
    uint8_t id[PL_STUN_ID_LEN] = { pl_rd_u8(&w->in) };
    char name[PL_ICE_UFRAG_MAX + 16];
    size_t n = strlen(pl_ice_ufrag(w->ice));
    memcpy(name, pl_ice_ufrag(w->ice), n);
    memcpy(name + n, ":peer", 5);
    pl_stun_wr s =
        pl_stun_begin(pkt, cap, how & 128 ? PL_STUN_INDICATION : PL_STUN_REQUEST, PL_STUN_BINDING, id);
    pl_stun_put_str(&s, PL_STUN_USERNAME, (pl_str){ name, n + 5 });
    if (how & 1)
        pl_stun_put_flag(&s, PL_STUN_USE_CANDIDATE);
    if (how & 6)
        pl_stun_put_u64(&s, how & 2 ? PL_STUN_ICE_CONTROLLING : PL_STUN_ICE_CONTROLLED,
                        how & 8 ? UINT64_MAX : 0);
    if (!(how & 16))
        pl_stun_put_u32(&s, PL_STUN_PRIORITY, (uint32_t)pl_rd_u8(&w->in) << 20);
    if ((how & 33) == 33)
        pl_stun_put_u32(&s, 0xc001, how >> 1 & 7); /* NOMINATION */
    else if (how & 32)
        pl_stun_put_u32(&s, 0x7777, 0);
    const char *pwd = how & 64 ? their_pwd : pl_ice_pwd(w->ice);
    pl_stun_put_integrity(&s, pwd, strlen(pwd));
    pl_stun_put_fingerprint(&s);
    return pl_stun_end(&s);
}

static void feed_check(world *w)
{
    uint8_t pkt[1500], how = pl_rd_u8(&w->in);
    pl_path path = some_path(w);
    path.proto = path.local.port & 1;
    deliver(w, path, pkt, write_check(w, pkt, sizeof pkt, how));
}

/* What a relay has for us: from that peer, a check or anything, as an indication or on a channel. */
static void feed_relayed(world *w)
{
    uint8_t inner[1200], pkt[1500], id[PL_STUN_ID_LEN] = { 1 }, how = pl_rd_u8(&w->in);
    pl_addr peer = some_addr(w);
    if (!w->n_asked)
        return;
    pl_path path = w->asked[how % w->n_asked].path;
    size_t n = how & 1 ? write_check(w, inner, sizeof inner, (uint8_t)(how & 0x5f)) : 5;
    if (how & 2) {
        uint8_t head[4] = { 0x40, how >> 2 & 3, (uint8_t)(n >> 8), (uint8_t)n };
        memcpy(pkt, head, 4);
        memcpy(pkt + 4, inner, n);
        deliver(w, path, pkt, n + 4);
        return;
    }
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_DATA, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    pl_stun_put(&s, PL_STUN_DATA_ATTR, inner, n);
    deliver(w, path, pkt, pl_stun_end(&s));
}

/* A server's answer to a request: success, a challenge, or an error. */
static void answer_server(world *w)
{
    static const uint16_t codes[] = { 0, 0, 0, 0, 0, 401, 401, 438, 437, 403, 486, 508, 300, 400, 441, 442 };
    uint8_t pkt[1500], key[PL_STUN_KEY_MAX], how = pl_rd_u8(&w->in);
    pl_stun_msg m;
    if (!w->n_asked)
        return;
    const sent *asked = &w->asked[how % w->n_asked];
    must(pl_stun_parse(&m, asked->data, asked->len) == PL_OK);
    uint16_t code = codes[pl_rd_u8(&w->in) & 15];
    pl_addr some = some_addr(w), mapped = some_addr(w);
    if (!m.integrity_at && code != 300)
        code = 401;
    pl_stun_wr s = pl_stun_begin_reply(pkt, sizeof pkt, code ? PL_STUN_ERROR : PL_STUN_SUCCESS, &m);
    if (code)
        pl_stun_put_error(&s, code, "");
    if (code == 401 || code == 438) {
        pl_stun_put_str(&s, PL_STUN_REALM, pl_str_of(realm));
        pl_stun_put_str(&s, PL_STUN_NONCE, pl_str_of(nonce));
    }
    if (code == 300)
        pl_stun_put_addr(&s, PL_STUN_ALTERNATE_SERVER, &some);
    if (!code && m.method == PL_STUN_ALLOCATE) {
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_RELAYED_ADDRESS, &some);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &mapped);
    }
    if (!code && (m.method == PL_STUN_ALLOCATE || m.method == PL_STUN_REFRESH))
        pl_stun_put_u32(&s, PL_STUN_LIFETIME, 600);
    if (code != 401) {
        size_t n =
            pl_stun_long_term_key(PL_STUN_ALG_MD5, pl_str_of(user), pl_str_of(realm), pl_str_of(secret), key);
        pl_stun_put_integrity(&s, key, n);
    }
    deliver(w, asked->path, pkt, pl_stun_end(&s));
}

static void answer_check(world *w)
{
    uint8_t pkt[1500], how = pl_rd_u8(&w->in);
    if (!w->n_sent)
        return;
    const sent *asked = &w->sent[how % w->n_sent];
    pl_stun_msg m;
    must(pl_stun_parse(&m, asked->data, asked->len) == PL_OK);
    static const uint16_t codes[] = { 0, 0, 0, 0, 487, 400, 401, 420 };
    uint16_t code = codes[pl_rd_u8(&w->in) & 7];
    pl_stun_wr s = pl_stun_begin_reply(pkt, sizeof pkt, code ? PL_STUN_ERROR : PL_STUN_SUCCESS, &m);
    pl_addr mapped = how & 16 ? some_addr(w) : asked->path.local;
    if (code)
        pl_stun_put_error(&s, code, "");
    else if (!(how & 32))
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_MAPPED_ADDRESS, &mapped);
    pl_stun_put_integrity(&s, their_pwd, strlen(their_pwd));
    pl_path path = asked->path;
    if (how & 64)
        path.remote = some_addr(w);
    deliver(w, path, pkt, pl_stun_end(&s));
}

static void add_candidate(world *w)
{
    pl_ice_cand c = { .addr = some_addr(w), .component = 1, .foundation = "1" };
    uint8_t how = pl_rd_u8(&w->in);
    c.priority = (uint32_t)how << 23 | pl_rd_u8(&w->in);
    c.type = how & 3;
    c.proto = c.addr.port & 1;
    c.tcptype = c.proto ? (how & 7) % 4 : 0;
    c.foundation[0] = (char)('0' + (how >> 2 & 3));
    if (how & 128) {
        memcpy(c.name, "x.local", 8);
        c.name[0] = (char)('a' + (how >> 4 & 3));
        c.addr = (pl_addr){ .port = c.addr.port };
    }
    if ((how & 0x60) == 0x60)
        memcpy(c.ufrag, "peer", 5);
    (void)!pl_ice_add_remote(w->ice, w->now_us, &c);
}

static void add_candidate_text(world *w)
{
    pl_ice_cand c;
    size_t n = pl_rd_u8(&w->in);
    n = n < pl_rd_left(&w->in) ? n : pl_rd_left(&w->in);
    const char *text = (const char *)pl_rd_take(&w->in, n);
    if (pl_ice_cand_parse(&c, text, n) == PL_OK)
        (void)!pl_ice_add_remote(w->ice, w->now_us, &c);
}

static void call_api(world *w)
{
    pl_addr a = some_addr(w);
    pl_ice_base base = { .addr = a,
                         .type = a.port & 1 ? PL_ICE_HOST : PL_ICE_RELAY,
                         .mdns = a.port & 2 ? "me.local" : NULL };
    pl_ice_turn_server server = {
        .addr = a, .proto = a.ip[3] & 1, .tls = (a.ip[3] & 3) == 3, .username = user, .password = secret
    };
    pl_path path = { .local = a, .remote = w->remote, .proto = PL_TCP };
    char name[] = "x.local";
    if (a.port > 1004) {
        base.type = PL_ICE_HOST;
        base.proto = PL_TCP;
        base.tcptype = (uint8_t)(1 + a.port % 3);
    }
    switch (pl_rd_u8(&w->in) % 20) {
    case 0:
    case 1: (void)!pl_ice_add_base(w->ice, w->now_us, &base); break;
    case 2: pl_ice_remove_base(w->ice, w->now_us, &a); break;
    case 3: (void)!pl_ice_add_stun_server(w->ice, w->now_us, &a); break;
    case 4: pl_ice_bases_done(w->ice, w->now_us); break;
    case 5: (void)!pl_ice_set_remote(w->ice, w->now_us, their_ufrag, their_pwd, a.ip[3] == 7); break;
    case 6: pl_ice_remote_done(w->ice, w->now_us); break;
    case 7: (void)!pl_ice_restart(w->ice, w->now_us, NULL, NULL); break;
    case 8: (void)!pl_ice_rollback(w->ice, w->now_us); break;
    case 9: pl_ice_set_controlling(w->ice, w->now_us, a.ip[3] & 1); break;
    case 10:
        name[0] = (char)('a' + (a.ip[3] & 3));
        pl_ice_resolved(w->ice, w->now_us, name, a.port & 1 ? &a : NULL);
        break;
    case 11: pl_ice_heard(w->ice, w->now_us); break;
    case 12: pl_ice_count_sent(w->ice, w->now_us, 1, 100); break;
    case 13:
        if (a.port == 1007)
            pl_ice_close(w->ice, w->now_us);
        break;
    case 14:
    case 15: (void)!pl_ice_add_turn_server(w->ice, w->now_us, &server); break;
    case 16: pl_ice_stream_up(w->ice, w->now_us, w->stream, &a); break;
    case 17: pl_ice_stream_down(w->ice, w->now_us, w->stream - (a.port & 1)); break;
    case 18:
        pl_ice_accepted_down(w->ice, w->now_us, &path);
        (void)pl_ice_wants_accepted(w->ice, &path);
        break;
    case 19: pl_ice_remove_tcp_base(w->ice, w->now_us, &a, (pl_ice_tcptype)(a.port & 3)); break;
    }
}

/* Data of the application: wrapped where it passes a relay, never beyond its room. */
static void send_data(world *w)
{
    uint8_t buf[1500];
    pl_dgram d = { .data = buf, .cap = sizeof buf, .len = 1 + pl_rd_u8(&w->in) };
    memset(buf, 0x80, d.len);
    if (!pl_ice_selected(w->ice, &d.path))
        return;
    size_t len = d.len, room = pl_ice_overhead(w->ice, &d.path);
    d.cap = len + room;
    if (!pl_ice_wrap(w->ice, w->now_us, &d))
        must(d.len >= len && d.len <= d.cap);
}

static void ask_statistics(world *w)
{
    pl_ice_cand_info cands[4];
    pl_ice_pair_info pairs[4], selected;
    pl_path path;
    pl_ice_get_candidates(w->ice, cands, 4);
    pl_ice_get_pairs(w->ice, pairs, 4);
    must(pl_ice_selected(w->ice, &path) <= pl_ice_get_selected_pair(w->ice, &selected));
}

/* Takes all output and events; both must end. */
static void drain(world *w)
{
    uint8_t buf[PL_ICE_DGRAM_MAX];
    pl_dgram d = { .data = buf, .cap = sizeof buf };
    int n = 0;
    while (pl_ice_poll_output(w->ice, w->now_us, &d)) {
        must(++n < DRAIN_MAX);
        must(d.len > 0 && d.len <= sizeof buf && d.path.local.family == d.path.remote.family);
        pl_stun_msg m;
        if (buf[0] & 0x40)
            continue; /* on a channel */
        must(pl_stun_parse(&m, buf, d.len) == PL_OK);
        if (m.cls != PL_STUN_REQUEST)
            continue;
        bool to_server = m.method != PL_STUN_BINDING;
        size_t *have = to_server ? &w->n_asked : &w->n_sent;
        size_t at = *have < SENT_MAX ? (*have)++ : (size_t)m.id[0] % SENT_MAX;
        sent *s = to_server ? &w->asked[at] : &w->sent[at];
        s->path = d.path;
        s->len = d.len;
        memcpy(s->data, buf, d.len);
    }
    n = 0;
    for (pl_ice_event ev; pl_ice_poll_event(w->ice, &ev);) {
        must(++n < DRAIN_MAX);
        if (ev.kind == PL_ICE_EV_CONNECT) {
            w->stream = ev.u.connect.stream;
            w->remote = ev.u.connect.remote;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    w = (world){ .in = pl_rd_init(data, size), .now_us = PL_SEC(1) };
    uint8_t how = pl_rd_u8(&w.in);
    pl_ice_conf conf = { .controlling = how & 1,
                         .lite = how & 2,
                         .relay_only = (how & 12) == 12,
                         .pairs_max = how >> 4,
                         .rand = pl_rand_seed(&w.state, how) };
    if (pl_ice_new(&w.ice, &conf, w.now_us))
        return 0;
    while (pl_rd_left(&w.in) > 0) {
        switch (pl_rd_u8(&w.in) % 14) {
        case 0: feed_raw(&w); break;
        case 1:
        case 2: feed_check(&w); break;
        case 3:
        case 4: answer_check(&w); break;
        case 5: add_candidate(&w); break;
        case 6: add_candidate_text(&w); break;
        case 7: call_api(&w); break;
        case 8: w.now_us += (int64_t)pl_rd_u8(&w.in) * PL_MS(100); break;
        case 9: answer_server(&w); break;
        case 10: feed_relayed(&w); break;
        case 11: send_data(&w); break;
        default:
            drain(&w);
            if (pl_ice_next_us(w.ice) != PL_NEVER)
                w.now_us = pl_max_us(w.now_us, pl_ice_next_us(w.ice));
            break;
        }
        pl_ice_tick(w.ice, w.now_us);
        pl_ice_check(w.ice);
    }
    ask_statistics(&w);
    drain(&w);
    pl_ice_tick(w.ice, w.now_us);
    drain(&w);
    must(pl_ice_next_us(w.ice) > w.now_us); /* at rest until then */
    pl_ice_free(w.ice);
    return 0;
}
