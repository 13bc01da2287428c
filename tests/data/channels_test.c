/* Data channels between two peers in virtual time: RFC 8831, RFC 8832, webrtc-pc 6. */
#include "pl_test.h"

#include "base/time.h"
#include "data/channels.h"
#include "data/dcep.h"
#include "sim/link.h"

enum { PACKET_MAX = 2048, TOLD_MAX = 64 };

typedef struct told {
    pl_data_event_kind kind;
    pl_channel *channel;
    bool binary;
    size_t len;
    uint8_t first[32];
    pl_err error;
} told;

typedef struct peers {
    pl_data *end[2];
    sim_link *link[2];
    pl_rand_seeded state[2];
    int64_t now_us;
    told told[2][TOLD_MAX]; /* everything but messages and buffered-low when counted */
    unsigned n_told[2];
    unsigned n_messages[2], n_low[2], n_writable[2];
    uint64_t message_bytes[2];
    pl_channel *incoming[2]; /* the last channel the other side opened */
    bool echo;
} peers;

static void setup(peers *p, const pl_data_conf *conf, const sim_net *net, uint64_t seed)
{
    static const sim_net quick = { .delay_us = 1000 };
    *p = (peers){ .now_us = PL_SEC(1) };
    for (int i = 0; i < 2; i++) {
        pl_data_conf c = conf ? *conf : (pl_data_conf){ 0 };
        c.sctp.rand = pl_rand_seed(&p->state[i], seed * 2 + (uint64_t)i);
        PL_EQ(pl_data_new(&p->end[i], &c, p->now_us), PL_OK);
        p->link[i] = sim_link_new(net ? net : &quick, seed * 2 + 5 + (uint64_t)i);
        pl_data_set_remote(p->end[i], 5000, 262144);
    }
}

static void teardown(peers *p)
{
    for (int i = 0; i < 2; i++) {
        pl_data_free(p->end[i]);
        sim_link_free(p->link[i]);
    }
}

static void note(peers *p, int at, const pl_data_event *e)
{
    p->n_messages[at] += e->kind == PL_DATA_EVENT_MESSAGE;
    p->message_bytes[at] += e->len;
    p->n_low[at] += e->kind == PL_DATA_EVENT_BUFFERED_LOW;
    p->n_writable[at] += e->kind == PL_DATA_EVENT_WRITABLE;
    if (e->kind == PL_DATA_EVENT_CHANNEL)
        p->incoming[at] = e->channel;
    if (p->n_told[at] == TOLD_MAX || e->kind == PL_DATA_EVENT_BUFFERED_LOW)
        return;
    told *t = &p->told[at][p->n_told[at]++];
    *t = (told){ e->kind, e->channel, e->binary, e->len, { 0 }, e->error };
    if (e->kind == PL_DATA_EVENT_MESSAGE) {
        PL_OKAY(e->data != NULL);
        memcpy(t->first, e->data, e->len < sizeof t->first ? e->len : sizeof t->first);
    }
}

static void step(peers *p)
{
    uint8_t packet[PACKET_MAX];
    size_t len;
    for (int i = 0; i < 2; i++) {
        pl_data_event e;
        while (sim_link_recv(p->link[1 - i], p->now_us, NULL, packet, sizeof packet, &len))
            pl_data_input(p->end[i], p->now_us, packet, len);
        if (p->now_us >= pl_data_next_us(p->end[i]))
            pl_data_tick(p->end[i], p->now_us);
        while (pl_data_poll_event(p->end[i], &e)) {
            note(p, i, &e);
            pl_data_event_clear(&e);
        }
        while (pl_data_poll_output(p->end[i], p->now_us, packet, sizeof packet, &len))
            sim_link_send(p->link[i], p->now_us, NULL, packet, len);
        while (pl_data_poll_event(p->end[i], &e)) {
            note(p, i, &e);
            pl_data_event_clear(&e);
        }
        pl_data_check(p->end[i]);
    }
}

static void run(peers *p, int64_t us)
{
    int64_t until_us = p->now_us + us;
    for (;;) {
        step(p);
        int64_t next_us = PL_NEVER;
        for (int i = 0; i < 2; i++)
            next_us = pl_min_us(next_us, pl_min_us(sim_link_next_us(p->link[i]), pl_data_next_us(p->end[i])));
        if (next_us > until_us)
            break;
        p->now_us = pl_max_us(next_us, p->now_us + (next_us <= p->now_us));
    }
    p->now_us = until_us;
}

static void connect_peers(peers *p)
{
    for (int i = 0; i < 2; i++) {
        pl_data_set_role(p->end[i], i == 0);
        PL_EQ(pl_data_start(p->end[i], p->now_us), PL_OK);
    }
    run(p, PL_SEC(1));
    PL_OKAY(pl_data_connected(p->end[0]) && pl_data_connected(p->end[1]));
}

static pl_channel *make(peers *p, int at, const char *label, pl_data_channel_init init)
{
    pl_channel *c = NULL;
    PL_EQ(pl_channel_new(&c, p->end[at], p->now_us, label, strlen(label), &init, NULL), PL_OK);
    return c;
}

static bool was_told(const peers *p, int at, pl_data_event_kind kind, const pl_channel *c)
{
    for (unsigned i = 0; i < p->n_told[at]; i++) {
        if (p->told[at][i].kind == kind && p->told[at][i].channel == c)
            return true;
    }
    return false;
}

static void forget(peers *p)
{
    p->n_told[0] = p->n_told[1] = p->n_messages[0] = p->n_messages[1] = 0;
}

PL_TEST(a_channel_made_before_opens_and_is_announced)
{
    peers p;
    setup(&p, NULL, NULL, 1);
    pl_channel *c =
        make(&p, 0, "caf\xc3\xa9", (pl_data_channel_init){ .protocol = "proto", .priority = 512 });
    PL_EQ(pl_channel_id(c), -1);
    PL_EQ(pl_channel_state(c), PL_CHANNEL_CONNECTING);
    PL_EQ(pl_channel_send(c, p.now_us, "x", 1, false), PL_ESTATE);
    connect_peers(&p);
    PL_EQ(pl_channel_id(c), 0);
    PL_EQ(pl_channel_state(c), PL_CHANNEL_OPEN);
    PL_EQ(p.told[0][0].kind, PL_DATA_EVENT_CONNECTED);
    PL_EQ(p.told[0][1].kind, PL_DATA_EVENT_OPEN);
    PL_EQ(p.told[1][0].kind, PL_DATA_EVENT_CONNECTED);
    PL_EQ(p.told[1][1].kind, PL_DATA_EVENT_CHANNEL);
    PL_EQ(p.told[1][2].kind, PL_DATA_EVENT_OPEN);
    pl_channel *r = p.incoming[1];
    PL_STREQ(pl_channel_label(r, NULL), "caf\xc3\xa9");
    PL_STREQ(pl_channel_params(r)->protocol, "proto");
    PL_EQ(pl_channel_params(r)->priority, 512);
    PL_EQ(pl_channel_id(r), 0);
    teardown(&p);
}

PL_TEST(messages_of_all_kinds)
{
    static uint8_t big[262145];
    peers p;
    setup(&p, NULL, NULL, 2);
    pl_channel *c = make(&p, 1, "", (pl_data_channel_init){ 0 });
    connect_peers(&p);
    PL_EQ(pl_channel_id(c), 1);
    pl_channel *r = p.incoming[0];
    forget(&p);
    PL_EQ(pl_channel_send(c, p.now_us, "text", 4, false), PL_OK);
    PL_EQ(pl_channel_send(c, p.now_us, NULL, 0, false), PL_OK);
    PL_EQ(pl_channel_send(c, p.now_us, NULL, 0, true), PL_OK);
    PL_EQ(pl_channel_send(c, p.now_us, big, 262144, true), PL_OK);
    PL_EQ(pl_channel_send(c, p.now_us, big, 262145, true), PL_EINVAL);
    PL_EQ(pl_channel_buffered_amount(c), 4 + 262144);
    PL_EQ(pl_channel_send(r, p.now_us, "back", 4, true), PL_OK);
    run(&p, PL_SEC(3));
    PL_EQ(pl_channel_buffered_amount(c), 0);
    static const struct {
        size_t len;
        bool binary;
    } want[] = { { 4, false }, { 0, false }, { 0, true }, { 262144, true } };
    PL_EQ(p.n_messages[0], 4);
    for (int i = 0; i < 4; i++) {
        PL_EQ(p.told[0][i].kind, PL_DATA_EVENT_MESSAGE);
        PL_EQ(p.told[0][i].len, want[i].len);
        PL_EQ(p.told[0][i].binary, want[i].binary);
        PL_OKAY(p.told[0][i].channel == r);
    }
    PL_EQ(p.n_messages[1], 1);
    pl_channel_stats stats;
    pl_channel_get_stats(c, &stats);
    PL_EQ(stats.messages_sent, 4);
    PL_EQ(stats.bytes_sent, 262148);
    PL_EQ(stats.messages_received, 1);
    teardown(&p);
}

PL_TEST(negotiated_channels_say_nothing_in_band)
{
    peers p;
    setup(&p, NULL, NULL, 3);
    pl_data_channel_init init = { .negotiated = true, .id = 100, .unordered = true };
    pl_channel *a = make(&p, 0, "a", init), *b = make(&p, 1, "b", init);
    pl_channel *twice;
    PL_EQ(pl_channel_new(&twice, p.end[0], p.now_us, "c", 1, &init, NULL), PL_EINVAL);
    connect_peers(&p);
    PL_EQ(pl_channel_state(a), PL_CHANNEL_OPEN);
    PL_EQ(pl_channel_state(b), PL_CHANNEL_OPEN);
    PL_OKAY(p.incoming[0] == NULL && p.incoming[1] == NULL);
    PL_EQ(pl_channel_send(a, p.now_us, "x", 1, false), PL_OK);
    PL_EQ(pl_channel_send(b, p.now_us, "y", 1, false), PL_OK);
    run(&p, PL_SEC(1));
    PL_EQ(p.n_messages[0], 1);
    PL_EQ(p.n_messages[1], 1);
    teardown(&p);
}

PL_TEST(closing_resets_both_sides_after_what_was_sent)
{
    peers p;
    setup(&p, NULL, NULL, 4);
    connect_peers(&p);
    for (int round = 0; round < 3; round++) {
        pl_channel *c = make(&p, 0, "again", (pl_data_channel_init){ 0 });
        run(&p, PL_SEC(1));
        pl_channel *r = p.incoming[1];
        forget(&p);
        uint8_t data[50000] = { 0 };
        for (int i = 0; i < 5; i++)
            PL_EQ(pl_channel_send(c, p.now_us, data, sizeof data, true), PL_OK);
        pl_channel_close(c, p.now_us);
        PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSING);
        PL_EQ(pl_channel_send(c, p.now_us, data, 1, true), PL_ESTATE);
        run(&p, PL_SEC(3));
        PL_EQ(p.n_messages[1], 5);
        PL_OKAY(was_told(&p, 0, PL_DATA_EVENT_CLOSED, c));
        PL_OKAY(was_told(&p, 1, PL_DATA_EVENT_CLOSING, r));
        PL_OKAY(was_told(&p, 1, PL_DATA_EVENT_CLOSED, r));
        for (unsigned i = 0; i < 5; i++)
            PL_EQ(p.told[1][i].kind, PL_DATA_EVENT_MESSAGE); /* all before the closing */
        pl_channel_release(c, p.now_us);
        pl_channel_release(r, p.now_us);
    }
    teardown(&p);
}

PL_TEST(an_id_closed_can_be_used_anew)
{
    peers p;
    setup(&p, NULL, NULL, 5);
    connect_peers(&p);
    pl_data_channel_init init = { .negotiated = true, .id = 7 };
    for (int round = 0; round < 3; round++) {
        pl_channel *a = make(&p, 0, "", init), *b = make(&p, 1, "", init);
        forget(&p);
        for (int i = 0; i < 4; i++)
            PL_EQ(pl_channel_send(a, p.now_us, "1234", 4, true), PL_OK);
        run(&p, PL_SEC(1));
        PL_EQ(p.n_messages[1], 4);
        pl_channel_close(b, p.now_us);
        run(&p, PL_SEC(1));
        PL_EQ(pl_channel_state(a), PL_CHANNEL_CLOSED);
        PL_EQ(pl_channel_state(b), PL_CHANNEL_CLOSED);
        pl_channel_release(a, p.now_us);
        pl_channel_release(b, p.now_us);
    }
    teardown(&p);
}

PL_TEST(both_sides_close_at_once)
{
    peers p;
    setup(&p, NULL, NULL, 6);
    connect_peers(&p);
    pl_channel *c = make(&p, 0, "", (pl_data_channel_init){ 0 });
    run(&p, PL_SEC(1));
    pl_channel *r = p.incoming[1];
    pl_channel_close(c, p.now_us);
    pl_channel_close(r, p.now_us);
    run(&p, PL_SEC(1));
    PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSED);
    PL_EQ(pl_channel_state(r), PL_CHANNEL_CLOSED);
    teardown(&p);
}

PL_TEST(released_handles_are_silent)
{
    peers p;
    setup(&p, NULL, NULL, 7);
    connect_peers(&p);
    pl_channel *c = make(&p, 0, "", (pl_data_channel_init){ 0 });
    run(&p, PL_SEC(1));
    forget(&p);
    pl_channel_release(c, p.now_us);
    run(&p, PL_SEC(1));
    PL_EQ(p.n_told[0], 0);
    PL_EQ(pl_channel_state(p.incoming[1]), PL_CHANNEL_CLOSED);
    pl_data_stats stats;
    pl_data_get_stats(p.end[0], &stats);
    PL_EQ(stats.channels_closed, 1);
    teardown(&p);
}

PL_TEST(a_full_buffer_refuses_and_says_when_to_go_on)
{
    static uint8_t data[100000];
    peers p;
    pl_data_conf conf = { .sctp = { .send_buffer_max = 1000000 } };
    sim_net slow = { .rate_bps = 8000000, .delay_us = 5000 };
    setup(&p, &conf, &slow, 8);
    connect_peers(&p);
    pl_channel *c = make(&p, 0, "", (pl_data_channel_init){ 0 });
    run(&p, PL_SEC(1));
    pl_channel_set_buffered_low(c, 250000);
    int n = 0;
    while (pl_channel_send(c, p.now_us, data, sizeof data, true) == PL_OK)
        n++;
    PL_EQ(n, 9);
    PL_EQ(pl_channel_send(c, p.now_us, data, sizeof data, true), PL_EAGAIN);
    PL_EQ(pl_channel_buffered_amount(c), 900000);
    PL_EQ(p.n_low[0], 0);
    while (!p.n_writable[0])
        run(&p, PL_MS(1));
    pl_data_stats stats;
    pl_data_get_stats(p.end[0], &stats);
    PL_LE(stats.sctp.send_buffered, 750000);
    PL_EQ(pl_channel_send(c, p.now_us, data, sizeof data, true), PL_OK);
    run(&p, PL_SEC(10));
    PL_EQ(p.n_low[0], 1);
    PL_EQ(p.n_messages[1], 10);
    teardown(&p);
}

PL_TEST(arguments_are_checked)
{
    peers p;
    setup(&p, NULL, NULL, 9);
    pl_channel *c;
    static char longest[70000];
    pl_data_channel_init both = { .has_max_retransmits = true, .has_max_packet_life_time = true };
    pl_data_channel_init high = { .negotiated = true, .id = 65535 };
    pl_data_channel_init plain = { 0 };
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "x", 1, &both, NULL), PL_EINVAL);
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "x", 1, &high, NULL), PL_EINVAL);
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "\xff", 1, &plain, NULL), PL_EINVAL);
    PL_EQ(pl_channel_new(&c, p.end[0], 0, longest, 65536, &plain, NULL), PL_EINVAL);
    PL_EQ(pl_channel_new(&c, p.end[0], 0, longest, 65535, &plain, NULL), PL_OK);
    PL_EQ(pl_data_start(p.end[0], p.now_us), PL_ESTATE);
    connect_peers(&p);
    run(&p, PL_SEC(1));
    size_t len;
    pl_channel_label(p.incoming[1], &len);
    PL_EQ(len, 65535);
    teardown(&p);
}

PL_TEST(all_ids_can_be_taken)
{
    peers p;
    setup(&p, NULL, NULL, 10);
    pl_data_set_role(p.end[0], true);
    pl_data_set_role(p.end[1], false);
    pl_channel *c;
    pl_data_channel_init plain = { 0 };
    for (int i = 0; i < 32768; i++) {
        PL_EQ(pl_channel_new(&c, p.end[0], 0, "", 0, &plain, NULL), PL_OK);
        PL_EQ(pl_channel_id(c), 2 * i);
    }
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "", 0, &plain, NULL), PL_ENOSPC);
    for (int i = 0; i < 32767; i++) {
        plain.negotiated = true;
        plain.id = (uint16_t)(2 * i + 1);
        PL_EQ(pl_channel_new(&c, p.end[0], 0, "", 0, &plain, NULL), PL_OK);
    }
    PL_EQ(pl_channel_new(&c, p.end[0], 0, "", 0, &plain, NULL), PL_ENOSPC);
    for (int i = 0; i < 2; i++)
        PL_EQ(pl_data_start(p.end[i], p.now_us), PL_OK);
    for (int i = 0; i < 60; i++) { /* all are there: too many to look at after each packet */
        uint8_t packet[PACKET_MAX];
        size_t n;
        pl_data_event e;
        p.now_us += PL_MS(10);
        for (bool moved = true; moved;) {
            moved = false;
            for (int at = 0; at < 2; at++) {
                while (pl_data_poll_output(p.end[at], p.now_us, packet, sizeof packet, &n)) {
                    pl_data_input(p.end[1 - at], p.now_us, packet, n);
                    moved = true;
                }
                while (pl_data_poll_event(p.end[at], &e))
                    pl_data_event_clear(&e);
            }
        }
    }
    pl_data_stats stats;
    pl_data_get_stats(p.end[1], &stats);
    PL_EQ(stats.channels_opened, 32768);
    teardown(&p);
}

PL_TEST(what_the_peer_must_not_send)
{
    /* An association of our own under a manager lets us say anything. */
    peers p;
    setup(&p, NULL, NULL, 11);
    pl_sctp *s;
    pl_sctp_conf conf = { .rand = pl_rand_seed(&p.state[1], 99) };
    PL_EQ(pl_sctp_new(&s, &conf, p.now_us), PL_OK);
    pl_data_set_role(p.end[0], true);
    PL_EQ(pl_data_start(p.end[0], p.now_us), PL_OK);
    static const uint8_t open_1[] = { 3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'a' };
    static const uint8_t bad_utf8[] = { 3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0xff };
    static const uint8_t too_short[] = { 3, 0, 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 'a' };
    struct {
        uint16_t sid;
        uint32_t ppid;
        const void *data;
        size_t len;
    } say[] = { { 3, 50, open_1, sizeof open_1 },
                { 3, 50, open_1, sizeof open_1 }, /* twice */
                { 4, 50, open_1, sizeof open_1 }, /* our parity */
                { 5, 50, bad_utf8, sizeof bad_utf8 },
                { 7, 50, too_short, sizeof too_short },
                { 9, 50, "\x02", 1 },  /* ACK of nothing */
                { 11, 50, "\x09", 1 }, /* no such message */
                { 13, 51, "who", 3 },  /* no such channel */
                { 3, 99, "what", 4 },  /* no such payload */
                { 3, 54, "par", 3 },
                { 3, 54, "ti", 2 },
                { 3, 51, "al", 2 },
                { 3, 52, "bin", 3 },
                { 3, 53, "ary", 3 } };
    for (size_t i = 0; i < sizeof say / sizeof *say; i++)
        PL_EQ(pl_sctp_send(s, p.now_us, say[i].sid, say[i].ppid, say[i].data, say[i].len, NULL), PL_OK);
    uint8_t packet[PACKET_MAX];
    size_t n;
    pl_data_event e;
    pl_sctp_event se;
    unsigned resets = 0;
    for (int i = 0; i < 100; i++) {
        p.now_us += PL_MS(10);
        while (pl_data_poll_output(p.end[0], p.now_us, packet, sizeof packet, &n))
            pl_sctp_input(s, p.now_us, packet, n);
        pl_sctp_tick(s, p.now_us);
        while (pl_sctp_poll_output(s, p.now_us, packet, sizeof packet, &n))
            pl_data_input(p.end[0], p.now_us, packet, n);
        while (pl_sctp_poll_event(s, &se))
            resets += se.kind == PL_SCTP_EVENT_RESET_IN;
        while (pl_data_poll_event(p.end[0], &e)) {
            note(&p, 0, &e);
            pl_data_event_clear(&e);
        }
    }
    pl_data_stats stats;
    pl_data_get_stats(p.end[0], &stats);
    PL_EQ(stats.channels_opened, 1);
    PL_EQ(stats.bad_messages, 8);
    PL_EQ(resets, 3); /* the three OPENs that could not be */
    PL_EQ(p.n_messages[0], 2);
    PL_EQ(p.told[0][p.n_told[0] - 2].len, 7);
    PL_OKAY(memcmp(p.told[0][p.n_told[0] - 2].first, "partial", 7) == 0);
    PL_OKAY(memcmp(p.told[0][p.n_told[0] - 1].first, "binary", 6) == 0 && p.told[0][p.n_told[0] - 1].binary);
    pl_sctp_free(s);
    teardown(&p);
}

PL_TEST(the_end_closes_every_channel)
{
    for (int how = 0; how < 3; how++) {
        peers p;
        setup(&p, NULL, NULL, 12);
        connect_peers(&p);
        pl_channel *c = make(&p, 0, "", (pl_data_channel_init){ 0 });
        run(&p, PL_SEC(1));
        pl_channel *r = p.incoming[1];
        forget(&p);
        if (how == 0)
            pl_data_close(p.end[0], p.now_us);
        else if (how == 1)
            pl_data_transport_closed(p.end[0], p.now_us);
        else
            sim_link_blackout(p.link[1], PL_NEVER);
        if (how == 2)
            PL_EQ(pl_channel_send(c, p.now_us, "?", 1, true), PL_OK);
        run(&p, PL_SEC(300));
        PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSED);
        PL_OKAY(was_told(&p, 0, PL_DATA_EVENT_CLOSED, c));
        PL_EQ(was_told(&p, 0, PL_DATA_EVENT_FAILED, NULL), how != 0);
        PL_EQ(p.told[0][p.n_told[0] - 1].error, how == 0 ? PL_OK : PL_EIO);
        if (how == 0) {
            PL_EQ(pl_channel_state(r), PL_CHANNEL_CLOSED);
            PL_EQ(p.told[1][p.n_told[1] - 1].kind, PL_DATA_EVENT_FAILED);
        }
        PL_EQ(pl_channel_new(&c, p.end[0], p.now_us, "", 0, &(pl_data_channel_init){ 0 }, NULL), PL_ESTATE);
        teardown(&p);
    }
}

PL_TEST(unordered_waits_for_the_ack)
{
    /* RFC 8832 6: on a link that reorders, nothing may overtake the OPEN. */
    for (uint64_t seed = 1; seed < 60; seed++) {
        peers p;
        sim_net wild = { .delay_us = 10000, .reorder = 0.3, .reorder_us = 30000, .loss = 0.1 };
        setup(&p, NULL, &wild, seed);
        pl_channel *c = make(&p, 0, "", (pl_data_channel_init){ .unordered = true });
        for (int i = 0; i < 2; i++) {
            pl_data_set_role(p.end[i], i == 0);
            PL_EQ(pl_data_start(p.end[i], p.now_us), PL_OK);
        }
        while (pl_channel_state(c) != PL_CHANNEL_OPEN)
            run(&p, PL_MS(1));
        for (int i = 0; i < 20; i++)
            PL_EQ(pl_channel_send(c, p.now_us, "12345", 5, false), PL_OK);
        run(&p, PL_SEC(60));
        PL_EQ(p.n_messages[1], 20);
        teardown(&p);
    }
}

PL_TESTS(t(a_channel_made_before_opens_and_is_announced), t(messages_of_all_kinds),
         t(negotiated_channels_say_nothing_in_band), t(closing_resets_both_sides_after_what_was_sent),
         t(an_id_closed_can_be_used_anew), t(both_sides_close_at_once), t(released_handles_are_silent),
         t(a_full_buffer_refuses_and_says_when_to_go_on), t(arguments_are_checked), t(all_ids_can_be_taken),
         t(what_the_peer_must_not_send), t(the_end_closes_every_channel), t(unordered_waits_for_the_ack))
