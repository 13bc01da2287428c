/* Permissions, channels and what passes by them: RFC 8656 9 to 12. */
#include "pl_test.h"
#include "sim/relay_rig.h"
#include "stun/stream.h"

static rig *g;
static rig_client c;
static pl_addr peer, other;

static void start(rig_conf conf)
{
    conf.seed = 2;
    g = rig_new(&conf);
    PL_OKAY(g != NULL);
    c = rig_client_of(g, 1);
    PL_EQ(rig_allocate(&c), 0);
    peer = rig_addr("203.0.113.5:7000");
    other = rig_addr("203.0.113.6:7000");
    rig_forget(g);
}

static void finish(void)
{
    pl_relay_check(g->core);
    rig_free(g);
}

static uint64_t dropped(pl_relay_drop why)
{
    return pl_relay_count(g->core)->drop[why];
}

/* The one packet that waits. */
static rig_packet one(pl_relay_out_kind kind)
{
    rig_packet p = { 0 };
    PL_EQ(g->n_queued, 1);
    PL_OKAY(rig_take(g, &p));
    PL_EQ(p.kind, kind);
    return p;
}

static void nothing(void)
{
    PL_EQ(g->n_queued, 0);
}

/* A Data indication's payload. */
static pl_rd data_of(const rig_packet *p, pl_stun_msg *m, pl_addr *from)
{
    pl_rd data = { 0 };
    PL_EQ(pl_stun_parse(m, p->data, p->len), PL_OK);
    PL_EQ(m->method, PL_STUN_DATA);
    PL_EQ(m->cls, PL_STUN_INDICATION);
    PL_EQ(pl_stun_get_xor_addr(m, PL_STUN_XOR_PEER_ADDRESS, from), PL_OK);
    (void)pl_stun_find(m, PL_STUN_DATA_ATTR, &data);
    return data;
}

PL_TEST(nothing_passes_without_permission)
{
    start((rig_conf){ 0 });
    rig_send_indication(&c, &peer, "hello", 5);
    nothing();
    rig_from_peer(g, &peer, &c.relayed[0], "hello", 5);
    nothing();
    rig_send_channel(&c, 0x4000, "hello", 5);
    nothing();
    PL_EQ(dropped(PL_RELAY_DROP_NO_PERMISSION), 2);
    PL_EQ(dropped(PL_RELAY_DROP_NO_CHANNEL), 1);
    PL_EQ(pl_relay_count(g->core)->data.dropped, 3);
    finish();
}

PL_TEST(indications_both_ways)
{
    start((rig_conf){ 0 });
    PL_EQ(rig_permit(&c, &peer), 0);
    for (size_t len = 0; len < 9; len++) {
        rig_send_indication(&c, &peer, "12345678", len);
        rig_packet p = one(PL_RELAY_TO_PEER);
        PL_EQ(p.len, len);
        PL_MEMEQ(p.data, "12345678", len);
        PL_OKAY(pl_addr_eq(&p.to, &peer) && pl_addr_eq(&p.from, &c.relayed[0]) && !p.dont_fragment);

        rig_from_peer(g, &peer, &c.relayed[0], "12345678", len);
        p = one(PL_RELAY_TO_CLIENT);
        pl_stun_msg m;
        pl_addr from;
        pl_rd data = data_of(&p, &m, &from);
        PL_OKAY(pl_addr_eq(&from, &peer) && pl_addr_eq(&p.to, &c.path.remote));
        PL_EQ(pl_rd_left(&data), len);
        PL_MEMEQ(data.p, "12345678", len);
    }
    /* The port does not matter, the address does. */
    pl_addr port = peer;
    port.port = 1;
    rig_from_peer(g, &port, &c.relayed[0], "x", 1);
    (void)one(PL_RELAY_TO_CLIENT);
    rig_from_peer(g, &other, &c.relayed[0], "x", 1);
    nothing();
    finish();
}

PL_TEST(a_send_indication_that_is_wrong_is_dropped)
{
    uint8_t pkt[256], id[PL_STUN_ID_LEN] = { 0 };
    start((rig_conf){ 0 });
    PL_EQ(rig_permit(&c, &peer), 0);
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_SEND, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    rig_from_client(g, &c.path, NULL, pkt, pl_stun_end(&s)); /* no DATA */
    s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_SEND, id);
    pl_stun_put(&s, PL_STUN_DATA_ATTR, "x", 1);
    rig_from_client(g, &c.path, NULL, pkt, pl_stun_end(&s)); /* no peer */
    s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_SEND, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    pl_stun_put(&s, PL_STUN_DATA_ATTR, "x", 1);
    pl_stun_put_u32(&s, 0x7ffe, 0);
    rig_from_client(g, &c.path, NULL, pkt, pl_stun_end(&s)); /* what is this? */
    nothing();
    PL_EQ(dropped(PL_RELAY_DROP_MALFORMED), 3);
    s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_SEND, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    pl_stun_put(&s, PL_STUN_DATA_ATTR, "x", 1);
    pl_stun_put_flag(&s, PL_STUN_DONT_FRAGMENT);
    rig_from_client(g, &c.path, NULL, pkt, pl_stun_end(&s));
    PL_OKAY(one(PL_RELAY_TO_PEER).dont_fragment);
    finish();
}

PL_TEST(channels_both_ways)
{
    start((rig_conf){ 0 });
    PL_EQ(rig_bind(&c, 0x4001, &peer), 0);
    for (size_t len = 0; len < 9; len++) {
        rig_send_channel(&c, 0x4001, "12345678", len);
        rig_packet p = one(PL_RELAY_TO_PEER);
        PL_EQ(p.len, len);
        PL_MEMEQ(p.data, "12345678", len);
        rig_from_peer(g, &peer, &c.relayed[0], "12345678", len);
        p = one(PL_RELAY_TO_CLIENT);
        PL_EQ(p.len, 4 + len); /* no padding on UDP */
        PL_EQ(pl_get16(p.data), 0x4001);
        PL_EQ(pl_get16(p.data + 2), len);
        PL_MEMEQ(p.data + 4, "12345678", len);
    }
    /* The permission came with it; another port of that address gets indications. */
    pl_addr port = peer;
    port.port = 9;
    rig_from_peer(g, &port, &c.relayed[0], "x", 1);
    rig_packet p = one(PL_RELAY_TO_CLIENT);
    PL_EQ(p.data[0] & 0xc0, 0);
    /* A channel does not keep a client from sending indications to the same peer. */
    rig_send_indication(&c, &peer, "x", 1);
    (void)one(PL_RELAY_TO_PEER);
    finish();
}

PL_TEST(channel_data_that_is_wrong_is_dropped)
{
    start((rig_conf){ 0 });
    PL_EQ(rig_bind(&c, 0x4001, &peer), 0);
    static const uint8_t too_long[] = { 0x40, 1, 0, 3, 'a', 'b' };
    static const uint8_t reserved[] = { 0x80, 0, 0, 1, 'a' };
    static const uint8_t padded[] = { 0x40, 1, 0, 1, 'a', 0, 0, 0 };
    for (size_t len = 0; len < sizeof too_long; len++)
        rig_from_client(g, &c.path, NULL, too_long, len);
    rig_from_client(g, &c.path, NULL, too_long, sizeof too_long);
    rig_from_client(g, &c.path, NULL, reserved, sizeof reserved);
    nothing();
    rig_from_client(g, &c.path, NULL, padded, sizeof padded); /* padding is welcome on UDP too (12.5) */
    PL_EQ(one(PL_RELAY_TO_PEER).len, 1);
    rig_client stranger = rig_client_of(g, 9);
    rig_from_client(g, &stranger.path, NULL, padded, sizeof padded);
    nothing();
    PL_EQ(dropped(PL_RELAY_DROP_STRANGER), 1);
    finish();
}

PL_TEST(create_permission_rules)
{
    start((rig_conf){ 0 });
    pl_stun_wr s = rig_begin(&c, PL_STUN_CREATE_PERMISSION);
    PL_EQ(rig_ask(&c, &s), 400); /* nobody named */
    s = rig_begin(&c, PL_STUN_CREATE_PERMISSION);
    pl_stun_put(&s, PL_STUN_XOR_PEER_ADDRESS, "ab", 2);
    PL_EQ(rig_ask(&c, &s), 400);
    pl_addr six = rig_addr("[2001:db8:5::5]:5");
    PL_EQ(rig_permit(&c, &six), 443);
    pl_addr local = rig_addr("127.0.0.1:5");
    PL_EQ(rig_permit(&c, &local), 403);
    /* All or nothing. */
    s = rig_begin(&c, PL_STUN_CREATE_PERMISSION);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &local);
    PL_EQ(rig_ask(&c, &s), 403);
    rig_from_peer(g, &peer, &c.relayed[0], "x", 1);
    nothing();
    s = rig_begin(&c, PL_STUN_CREATE_PERMISSION);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &other);
    PL_EQ(rig_ask(&c, &s), 0);
    rig_from_peer(g, &peer, &c.relayed[0], "x", 1);
    rig_from_peer(g, &other, &c.relayed[0], "x", 1);
    PL_EQ(g->n_queued, 2);
    rig_client stranger = rig_client_of(g, 2);
    PL_EQ(rig_permit(&stranger, &peer), 437);
    rig_client thief = c;
    thief.user = "bob";
    thief.password = "bob's";
    PL_EQ(rig_permit(&thief, &peer), 441);
    PL_EQ(rig_bind(&thief, 0x4000, &peer), 441);
    PL_EQ(rig_refresh(&thief, 0), 441);
    PL_EQ(g->n_open, 1);
    finish();
}

PL_TEST(channel_bind_rules)
{
    start((rig_conf){ 0 });
    pl_stun_wr s = rig_begin(&c, PL_STUN_CHANNEL_BIND);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, &peer);
    PL_EQ(rig_ask(&c, &s), 400);
    s = rig_begin(&c, PL_STUN_CHANNEL_BIND);
    pl_stun_put_u16(&s, PL_STUN_CHANNEL_NUMBER, 0x4000);
    PL_EQ(rig_ask(&c, &s), 400);
    PL_EQ(rig_bind(&c, 0x3fff, &peer), 400);
    PL_EQ(rig_bind(&c, 0x8000, &peer), 400); /* up to 0x7fff as in RFC 5766: older clients go there */
    PL_EQ(rig_bind(&c, 0x4fff, &peer), 0);
    PL_EQ(rig_bind(&c, 0x4fff, &peer), 0); /* a refresh */
    PL_EQ(rig_bind(&c, 0x4fff, &other), 400);
    PL_EQ(rig_bind(&c, 0x4ffe, &peer), 400);
    pl_addr port = peer, six = rig_addr("[2001:db8:5::5]:5"), local = rig_addr("10.0.0.1:5");
    port.port++;
    PL_EQ(rig_bind(&c, 0x4ffe, &port), 0);
    PL_EQ(rig_bind(&c, 0x4ffd, &six), 443);
    PL_EQ(rig_bind(&c, 0x4ffd, &local), 403);
    rig_client stranger = rig_client_of(g, 2);
    PL_EQ(rig_bind(&stranger, 0x4000, &peer), 437);
    finish();
}

PL_TEST(permissions_last_five_minutes_and_channels_ten)
{
    start((rig_conf){ 0 });
    PL_EQ(rig_refresh(&c, 3600), 0);
    PL_EQ(rig_bind(&c, 0x4000, &peer), 0);
    PL_EQ(rig_permit(&c, &other), 0);
    rig_wait(g, PL_SEC(299));
    rig_send_channel(&c, 0x4000, "x", 1);
    (void)one(PL_RELAY_TO_PEER);
    rig_from_peer(g, &other, &c.relayed[0], "x", 1);
    (void)one(PL_RELAY_TO_CLIENT);
    rig_wait(g, PL_SEC(1));
    rig_from_peer(g, &other, &c.relayed[0], "x", 1);
    rig_from_peer(g, &peer, &c.relayed[0], "x", 1);
    rig_send_channel(&c, 0x4000, "x", 1);
    nothing(); /* the channel stands, its permission does not */
    PL_EQ(rig_permit(&c, &peer), 0);
    rig_send_channel(&c, 0x4000, "x", 1);
    (void)one(PL_RELAY_TO_PEER);
    PL_EQ(rig_bind(&c, 0x4001, &peer), 400); /* bound for five more minutes */
    rig_wait(g, PL_SEC(290));
    PL_EQ(rig_permit(&c, &peer), 0);
    rig_wait(g, PL_SEC(10));
    rig_send_channel(&c, 0x4000, "x", 1);
    nothing();
    rig_from_peer(g, &peer, &c.relayed[0], "x", 1);
    rig_packet p = one(PL_RELAY_TO_CLIENT);
    PL_EQ(p.data[0] & 0xc0, 0); /* an indication again */
    PL_EQ(rig_bind(&c, 0x4001, &peer), 0);
    PL_EQ(rig_bind(&c, 0x4000, &other), 0);
    finish();
}

PL_TEST(many_peers_and_their_limit)
{
    start((rig_conf){ 0 });
    PL_EQ(rig_refresh(&c, 3600), 0);
    for (unsigned i = 0; i < PL_RELAY_CHANNELS_MAX; i++) {
        pl_addr p = rig_addr("203.0.113.0:7000");
        p.ip[3] = (uint8_t)i;
        p.port = (uint16_t)(7000 + i);
        PL_EQ(rig_bind(&c, (uint16_t)(0x4000 + 7 * i), &p), 0);
        if (i % 16 == 0)
            pl_relay_check(g->core);
    }
    rig_forget(g);
    for (unsigned i = 0; i < PL_RELAY_CHANNELS_MAX; i++) {
        pl_addr p = rig_addr("203.0.113.0:7000");
        p.ip[3] = (uint8_t)i;
        p.port = (uint16_t)(7000 + i);
        rig_send_channel(&c, (uint16_t)(0x4000 + 7 * i), &i, sizeof i);
        rig_packet out = one(PL_RELAY_TO_PEER);
        PL_OKAY(pl_addr_eq(&out.to, &p));
        rig_from_peer(g, &p, &c.relayed[0], "x", 1);
        out = one(PL_RELAY_TO_CLIENT);
        PL_EQ(pl_get16(out.data), 0x4000 + 7 * i);
    }
    pl_addr p = rig_addr("203.0.112.1:7000");
    PL_EQ(rig_bind(&c, 0x4001, &p), 508);
    PL_EQ(rig_permit(&c, &p), 508);
    rig_wait(g, PL_SEC(301)); /* the permissions are over, the channels keep their places */
    PL_EQ(rig_permit(&c, &p), 508);
    rig_wait(g, PL_SEC(300));
    PL_EQ(rig_bind(&c, 0x4001, &p), 0);
    rig_forget(g);
    rig_send_channel(&c, 0x4001, "x", 1);
    (void)one(PL_RELAY_TO_PEER);
    finish();
}

PL_TEST(dual_allocation_relays_both_families)
{
    start((rig_conf){ 0 });
    rig_client d = rig_client_of(g, 2);
    pl_stun_wr s = rig_begin(&d, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    pl_stun_put_u8(&s, PL_STUN_ADDITIONAL_ADDRESS_FAMILY, 2);
    PL_EQ(rig_ask(&d, &s), 0);
    for (unsigned i = 0; i < 2; i++)
        PL_EQ(pl_stun_get_xor_addr_nth(&d.answer, PL_STUN_XOR_RELAYED_ADDRESS, i, &d.relayed[i]), PL_OK);
    pl_addr six = rig_addr("[2001:db8:5::5]:5");
    PL_EQ(rig_bind(&d, 0x4000, &peer), 0);
    PL_EQ(rig_bind(&d, 0x4001, &six), 0);
    rig_forget(g);
    rig_send_channel(&d, 0x4000, "x", 1);
    rig_packet p = one(PL_RELAY_TO_PEER);
    PL_OKAY(pl_addr_eq(&p.from, &d.relayed[0]));
    rig_send_channel(&d, 0x4001, "x", 1);
    p = one(PL_RELAY_TO_PEER);
    PL_OKAY(pl_addr_eq(&p.from, &d.relayed[1]) && pl_addr_eq(&p.to, &six));
    rig_from_peer(g, &six, &d.relayed[1], "x", 1);
    PL_EQ(pl_get16(one(PL_RELAY_TO_CLIENT).data), 0x4001);
    /* One family can be given up alone (RFC 8656 8.2). */
    s = rig_begin(&d, PL_STUN_REFRESH);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, 0);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_ADDRESS_FAMILY, 1);
    PL_EQ(rig_ask(&d, &s), 0);
    PL_EQ(g->n_open, 2);
    rig_send_channel(&d, 0x4000, "x", 1);
    nothing();
    rig_send_channel(&d, 0x4001, "x", 1);
    (void)one(PL_RELAY_TO_PEER);
    PL_EQ(rig_permit(&d, &peer), 443);
    s = rig_begin(&d, PL_STUN_REFRESH);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_ADDRESS_FAMILY, 1);
    PL_EQ(rig_ask(&d, &s), 443);
    finish();
}

PL_TEST(icmp_errors_are_told)
{
    static const pl_stun_icmp unreachable = { .type = 3, .code = 4, .data = 1400 };
    static const pl_stun_icmp quench = { .type = 4, .code = 0 };
    start((rig_conf){ 0 });
    pl_relay_port *port = rig_sock_at(g, &c.relayed[0])->port;
    pl_relay_peer_error(g->core, g->now_us, port, &peer, &unreachable);
    rig_drain(g);
    nothing(); /* nobody has permission */
    PL_EQ(rig_bind(&c, 0x4000, &peer), 0);
    pl_relay_peer_error(g->core, g->now_us, port, &peer, &quench);
    rig_drain(g);
    nothing();
    pl_relay_peer_error(g->core, g->now_us, port, &peer, &unreachable);
    rig_drain(g);
    rig_packet p = one(PL_RELAY_TO_CLIENT);
    pl_stun_msg m;
    pl_addr from;
    pl_rd data = data_of(&p, &m, &from);
    PL_EQ(pl_rd_left(&data), 0);
    pl_stun_icmp icmp;
    PL_EQ(pl_stun_get_icmp(&m, &icmp), PL_OK);
    PL_EQ(icmp.type, 3);
    PL_EQ(icmp.code, 4);
    PL_EQ(icmp.data, 1400);
    PL_OKAY(pl_addr_eq(&from, &peer));
    finish();
}

PL_TEST(streams_are_padded)
{
    start((rig_conf){ 0 });
    rig_client d = rig_client_of(g, 3);
    PL_OKAY(rig_connect_client(&d, PL_RELAY_TLS));
    PL_OKAY(!pl_relay_conn_busy(d.conn));
    PL_EQ(rig_allocate(&d), 0);
    PL_OKAY(pl_relay_conn_busy(d.conn));
    PL_EQ(rig_bind(&d, 0x4000, &peer), 0);
    rig_forget(g);
    for (size_t len = 0; len < 9; len++) {
        rig_send_channel(&d, 0x4000, "12345678", len);
        PL_EQ(one(PL_RELAY_TO_PEER).len, len);
        rig_from_peer(g, &peer, &d.relayed[0], "12345678", len);
        rig_packet p = one(PL_RELAY_TO_CLIENT);
        PL_OKAY(p.conn == d.conn);
        PL_EQ(p.len, 4 + len + pl_stun_channel_pad(len));
        PL_EQ(pl_get16(p.data + 2), len);
    }
    rig_close_client(&d);
    PL_EQ(g->last_event.why, PL_RELAY_WHY_DISCONNECTED);
    PL_EQ(g->n_open, 1);
    finish();
}

PL_TEST(usage_is_counted)
{
    start((rig_conf){ 0 });
    PL_EQ(rig_bind(&c, 0x4000, &peer), 0);
    for (int i = 0; i < 3; i++)
        rig_send_channel(&c, 0x4000, "12345678", 8);
    rig_send_indication(&c, &peer, "1234", 4);
    rig_from_peer(g, &peer, &c.relayed[0], "1234567", 7);
    rig_from_peer(g, &other, &c.relayed[0], "1234567", 7);
    PL_EQ(rig_refresh(&c, 0), 0);
    const pl_relay_usage *u = &g->last_event.usage;
    PL_EQ(g->last_event.kind, PL_RELAY_ENDED);
    PL_EQ(g->last_event.why, PL_RELAY_WHY_CLIENT);
    PL_EQ(u->up_packets, 4);
    PL_EQ(u->up_bytes, 28);
    PL_EQ(u->down_packets, 1);
    PL_EQ(u->down_bytes, 7);
    PL_EQ(u->dropped, 1);
    PL_OKAY(pl_addr_eq(&g->last_event.relayed[0], &c.relayed[0]));
    PL_EQ(memcmp(u, &pl_relay_count(g->core)->data, sizeof *u), 0);
    finish();
}

PL_TESTS(t(nothing_passes_without_permission), t(indications_both_ways),
         t(a_send_indication_that_is_wrong_is_dropped), t(channels_both_ways),
         t(channel_data_that_is_wrong_is_dropped), t(create_permission_rules), t(channel_bind_rules),
         t(permissions_last_five_minutes_and_channels_ten), t(many_peers_and_their_limit),
         t(dual_allocation_relays_both_families), t(icmp_errors_are_told), t(streams_are_padded),
         t(usage_is_counted))
