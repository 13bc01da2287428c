/* The data path, both ways: rows in place, padding, limits, and what strangers may not do. */
#include "pl_alloc.h"
#include "script.h"

enum { CAP = 60000 };

static uint8_t buf[CAP];

/* A row of `n` datagrams of `each` bytes, the last of `last`; byte k of all is a pattern of k. */
static pl_dgram make_row(size_t n, size_t each, size_t last)
{
    pl_dgram d = {
        .data = buf, .cap = sizeof buf, .len = (n - 1) * each + last, .segment = n > 1 ? each : 0
    };
    d.path.dscp = 46;
    for (size_t i = 0; i < d.len; i++)
        buf[i] = (uint8_t)(i * 7 + i / 256);
    return d;
}

static void is_pattern(const uint8_t *at, size_t from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (at[i] != (uint8_t)((from + i) * 7 + (from + i) / 256))
            fail_msg("byte %zu of the row has changed", from + i);
}

/* What a server reads from one wrapped datagram. */
static void is_channel_data(const uint8_t *at, size_t len, size_t from, size_t data_len, bool padded)
{
    PL_EQ(at[0] >> 4, 4);
    PL_EQ(pl_get16(at + 2), data_len);
    PL_EQ(len, padded ? (4 + data_len + 3) / 4 * 4 : 4 + data_len);
    is_pattern(at + 4, from, data_len);
    for (size_t i = 4 + data_len; i < len; i++)
        PL_EQ(at[i], 0);
}

static void is_send(const uint8_t *at, size_t len, size_t from, size_t data_len, const pl_addr *peer)
{
    pl_stun_msg m;
    pl_addr to;
    pl_rd data;
    PL_EQ(pl_stun_parse(&m, at, len), PL_OK);
    PL_EQ(m.cls, PL_STUN_INDICATION);
    PL_EQ(m.method, PL_STUN_SEND);
    PL_EQ(m.n_attrs, 2);
    PL_EQ(pl_stun_get_xor_addr(&m, PL_STUN_XOR_PEER_ADDRESS, &to), PL_OK);
    PL_OKAY(pl_addr_eq(&to, peer));
    PL_OKAY(pl_stun_find(&m, PL_STUN_DATA_ATTR, &data));
    PL_EQ(pl_rd_left(&data), data_len);
    is_pattern(data.p, from, data_len);
}

static void walk(const pl_dgram *d, size_t n, size_t each, size_t last, const pl_addr *peer, bool channel,
                 bool padded)
{
    size_t step = d->segment ? d->segment : d->len, left = d->len;
    PL_EQ((d->len + step - 1) / step, n);
    for (size_t i = 0; i < n; i++, left -= step < left ? step : left) {
        const uint8_t *at = d->data + i * step;
        size_t len = left < step ? left : step, data_len = i == n - 1 ? last : each;
        if (channel)
            is_channel_data(at, len, i * each, data_len, padded);
        else
            is_send(at, len, i * each, data_len, peer);
    }
}

static void rows_to(const char *text, uint8_t proto, bool channel)
{
    static const struct {
        size_t n, each, last;
    } rows[] = { { 1, 1, 1 }, { 1, 2, 2 },       { 1, 1200, 1200 }, { 2, 200, 200 },   { 3, 201, 7 },
                 { 5, 3, 1 }, { 40, 1200, 999 }, { 7, 1, 1 },       { 32, 1203, 1202 } };
    script s;
    pl_addr peer = script_addr(text);
    script_ready(&s, &(pl_turn_conf){ .proto = proto, .families = PL_TURN_IP4 | PL_TURN_IP6 });
    script_permit(&s, text);
    if (channel)
        script_bind(&s, text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        pl_dgram d = make_row(rows[i].n, rows[i].each, rows[i].last);
        size_t before = d.len, overhead = pl_turn_overhead(s.t, &peer);
        PL_LE(overhead, PL_TURN_OVERHEAD_MAX);
        PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_OK);
        PL_LE(d.len, before + rows[i].n * overhead);
        PL_OKAY(pl_turn_is_path(s.t, &d.path));
        PL_EQ(d.path.dscp, 46);
        walk(&d, rows[i].n, rows[i].each, rows[i].last, &peer, channel, proto == PL_TCP);
        /* Exactly as much room as it takes is enough, a byte less is refused and nothing is touched. */
        size_t wrapped = d.len;
        d = make_row(rows[i].n, rows[i].each, rows[i].last);
        d.cap = wrapped - 1;
        PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_ENOSPC);
        PL_EQ(d.len, before);
        is_pattern(d.data, 0, d.len);
        d.cap = wrapped;
        PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_OK);
    }
    script_down(&s);
}

PL_TEST(rows_in_channels)
{
    rows_to("198.51.100.7:7000", PL_UDP, true);
    rows_to("198.51.100.7:7000", PL_TCP, true);
    rows_to("[2001:db8::7]:7000", PL_UDP, true);
}

PL_TEST(rows_in_send_indications)
{
    rows_to("198.51.100.7:7000", PL_UDP, false);
    rows_to("198.51.100.7:7000", PL_TCP, false);
    rows_to("[2001:db8::7]:7000", PL_UDP, false);
}

PL_TEST(when_data_may_go)
{
    script s;
    pl_addr peer = script_addr("198.51.100.7:7000"), stranger = script_addr("198.51.100.8:7000");
    script_up(&s, NULL);
    pl_dgram d = make_row(1, 100, 100);
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_ESTATE); /* allocating */
    script_down(&s);
    script_ready(&s, NULL);
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_ESTATE); /* not permitted */
    PL_EQ(pl_turn_permit(s.t, s.now_us, &peer), PL_OK);
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_ESTATE); /* not even asked */
    script_expect(&s, PL_STUN_CREATE_PERMISSION);
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_OK); /* right behind the request */
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &stranger, &d), PL_ESTATE);
    script_error(&s, 403, true);
    script_event(&s, PL_TURN_PERMISSION);
    d = make_row(1, 100, 100);
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_ESTATE); /* denied */
    script_permit(&s, "198.51.100.9:1");
    peer = script_addr("198.51.100.9:7000");
    d.len = 0;
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_EINVAL);
    d.len = 65001;
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_EINVAL);
    d = make_row(1, 100, 100);
    pl_turn_close(s.t, s.now_us);
    PL_EQ(pl_turn_wrap(s.t, s.now_us, &peer, &d), PL_ESTATE);
    script_down(&s);
}

/* ---- from the server ---- */

static size_t channel_data(uint8_t *out, uint16_t number, const char *text, size_t padding)
{
    pl_wr w = pl_wr_init(out, 100);
    pl_wr_u16(&w, number);
    pl_wr_u16(&w, (uint16_t)strlen(text));
    pl_wr_bytes(&w, text, strlen(text));
    pl_wr_zeros(&w, padding);
    return pl_wr_len(&w);
}

PL_TEST(channel_data_comes_in)
{
    script s;
    uint8_t pkt[100];
    pl_turn_data data;
    pl_addr peer = script_addr("198.51.100.7:7000");
    script_ready(&s, NULL);
    PL_EQ(script_input(&s, pkt, channel_data(pkt, 0x4000, "early", 0), &data), PL_TURN_CONTROL);
    PL_EQ(pl_turn_get_counters(s.t)->unknown_data, 1);
    script_permit(&s, "198.51.100.7:1");
    PL_EQ(pl_turn_bind(s.t, s.now_us, &peer), PL_OK);
    script_expect(&s, PL_STUN_CHANNEL_BIND);
    uint16_t number;
    PL_EQ(pl_stun_get_u16(&s.req, PL_STUN_CHANNEL_NUMBER, &number), PL_OK);
    /* Data may overtake the answer. */
    PL_EQ(script_input(&s, pkt, channel_data(pkt, number, "hello", 0), &data), PL_TURN_DATA);
    script_ok(&s);
    for (size_t padding = 0; padding < 4; padding++) {
        PL_EQ(script_input(&s, pkt, channel_data(pkt, number, "hello", padding), &data), PL_TURN_DATA);
        PL_OKAY(pl_addr_eq(&data.peer, &peer));
        PL_EQ(data.at, 4);
        PL_EQ(data.len, 5);
    }
    size_t len = channel_data(pkt, number, "hello", 0);
    for (size_t cut = 1; cut < len; cut++)
        PL_EQ(script_input(&s, pkt, cut, &data), PL_TURN_CONTROL);
    PL_EQ(pl_turn_get_counters(s.t)->bad_messages, len - 1);
    PL_EQ(script_input(&s, pkt, channel_data(pkt, number, "", 0), &data), PL_TURN_DATA);
    PL_EQ(data.len, 0);
    static const uint16_t wrong[] = { PL_TURN_CHANNELS_MAX, 1, 0xfff };
    for (size_t i = 0; i < 3; i++) {
        len = channel_data(pkt, (uint16_t)(0x4000 + (number - 0x4000 + wrong[i]) % 0x1000), "hello", 0);
        PL_EQ(script_input(&s, pkt, len, &data), PL_TURN_CONTROL);
    }
    PL_EQ(pl_turn_get_counters(s.t)->unknown_data, 4);
    PL_EQ(script_input(&s, pkt, channel_data(pkt, 0x5000, "hello", 0), &data), PL_TURN_NOT_MINE);
    script_down(&s);
}

static size_t data_indication(uint8_t *out, size_t cap, const pl_addr *peer, const char *text,
                              const pl_stun_icmp *icmp)
{
    static const uint8_t id[PL_STUN_ID_LEN] = { 9 };
    pl_stun_wr s = pl_stun_begin(out, cap, PL_STUN_INDICATION, PL_STUN_DATA, id);
    if (peer)
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, peer);
    if (text)
        pl_stun_put(&s, PL_STUN_DATA_ATTR, text, strlen(text));
    if (icmp)
        pl_stun_put_icmp(&s, icmp);
    return pl_stun_end(&s);
}

PL_TEST(data_indications_come_in)
{
    script s;
    uint8_t pkt[200];
    pl_turn_data data;
    pl_addr peer = script_addr("198.51.100.7:7000"), stranger = script_addr("198.51.100.8:7000");
    script_ready(&s, NULL);
    script_permit(&s, "198.51.100.7:1");
    size_t len = data_indication(pkt, sizeof pkt, &peer, "hello", NULL);
    PL_EQ(script_input(&s, pkt, len, &data), PL_TURN_DATA);
    PL_OKAY(pl_addr_eq(&data.peer, &peer));
    PL_EQ(data.len, 5);
    PL_MEMEQ(pkt + data.at, "hello", 5);
    for (size_t cut = 0; cut < len; cut++)
        PL_OKAY(script_input(&s, pkt, cut, &data) != PL_TURN_DATA);
    len = data_indication(pkt, sizeof pkt, &stranger, "hello", NULL);
    PL_EQ(script_input(&s, pkt, len, &data), PL_TURN_CONTROL);
    PL_EQ(pl_turn_get_counters(s.t)->unknown_data, 1);
    len = data_indication(pkt, sizeof pkt, NULL, "hello", NULL);
    PL_EQ(script_input(&s, pkt, len, &data), PL_TURN_CONTROL);
    len = data_indication(pkt, sizeof pkt, &peer, NULL, NULL);
    PL_EQ(script_input(&s, pkt, len, &data), PL_TURN_CONTROL);
    PL_GE(pl_turn_get_counters(s.t)->bad_messages, 2);
    pl_turn_unpermit(s.t, s.now_us, &peer);
    len = data_indication(pkt, sizeof pkt, &peer, "hello", NULL);
    PL_EQ(script_input(&s, pkt, len, &data), PL_TURN_CONTROL);
    script_down(&s);
}

/* RFC 8656 11.5 */
PL_TEST(icmp_comes_in)
{
    script s;
    uint8_t pkt[200];
    pl_addr peer = script_addr("198.51.100.7:7000");
    pl_stun_icmp icmp = { .type = 3, .code = 4, .data = 1400 };
    script_ready(&s, NULL);
    script_permit(&s, "198.51.100.7:1");
    size_t len = data_indication(pkt, sizeof pkt, &peer, NULL, &icmp);
    PL_EQ(script_input(&s, pkt, len, NULL), PL_TURN_CONTROL);
    const pl_turn_event *e = script_event(&s, PL_TURN_ICMP);
    PL_OKAY(pl_addr_eq(&e->peer, &peer));
    PL_EQ(e->icmp_type, 3);
    PL_EQ(e->icmp_code, 4);
    PL_EQ(e->icmp_data, 1400);
    script_no_event(&s);
    script_down(&s);
}

PL_TEST(data_costs_no_allocation)
{
    script s;
    uint8_t pkt[200];
    pl_turn_data data;
    pl_addr bound = script_addr("198.51.100.7:7000"), peer = script_addr("198.51.100.7:7001");
    script_ready(&s, NULL);
    script_permit(&s, "198.51.100.7:1");
    script_bind(&s, "198.51.100.7:7000");
    size_t len = data_indication(pkt, sizeof pkt, &peer, "hello", NULL), before = pl_allocs();
    for (int i = 0; i < 100; i++) {
        pl_dgram d = make_row(3, 500, 300);
        PL_EQ(pl_turn_wrap(s.t, s.now_us, i % 2 ? &bound : &peer, &d), PL_OK);
        PL_EQ(pl_turn_input(s.t, s.now_us, pkt, len, &data), PL_TURN_DATA);
    }
    PL_EQ(pl_allocs() - before, 0);
    PL_EQ(pl_turn_get_counters(s.t)->channel_packets_out, 150);
    PL_EQ(pl_turn_get_counters(s.t)->indications_out, 150);
    PL_EQ(pl_turn_get_counters(s.t)->indications_in, 100);
    script_down(&s);
}

PL_TEST(without_memory_there_is_no_client)
{
    pl_turn *t;
    pl_turn_conf conf = { .local = script_addr("10.0.0.1:5000"), .server = script_addr("192.0.2.1:3478") };
    long n = 0;
    for (;; n++) {
        pl_alloc_fail_after(n);
        pl_err err = pl_turn_new(&t, &conf, 0);
        bool failed = pl_alloc_has_failed();
        PL_EQ(err, failed ? PL_ENOMEM : PL_OK);
        if (!failed)
            break;
        PL_OKAY(t == NULL);
    }
    PL_EQ(n, 1); /* and everything else lives inside that one */
    pl_turn_free(t);
}

PL_TESTS(t(rows_in_channels), t(rows_in_send_indications), t(when_data_may_go), t(channel_data_comes_in),
         t(data_indications_come_in), t(icmp_comes_in), t(data_costs_no_allocation),
         t(without_memory_there_is_no_client))
