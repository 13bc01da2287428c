/* What a peer may say in-band, and what it must not: DCEP half way, in the wrong order, malformed; texts that are no UTF-8.
 * The peer is a bare association, which says whatever it is told to (RFC 8832 5, 6; RFC 8831 6.6). */
#include "data/dcep.h"
#include "data/pair.h"

#include <stdlib.h>

typedef struct stranger {
    pair p; /* its end 0 alone */
    pl_sctp *s;
    pl_rand_seeded state;
    unsigned n_resets, n_acks, n_opens;
    uint16_t reset[16];
} stranger;

static void stranger_setup(stranger *w, bool we_are_client)
{
    memset(w, 0, sizeof *w);
    pair_setup(&w->p, NULL, NULL, 11);
    pl_sctp_conf conf = { .rand = pl_rand_seed(&w->state, 99) };
    PL_EQ(pl_sctp_new(&w->s, &conf, w->p.now_us), PL_OK);
    pl_data_set_role(w->p.end[0], we_are_client);
    PL_EQ(pl_data_start(w->p.end[0], w->p.now_us), PL_OK);
}

static void stranger_teardown(stranger *w)
{
    pl_sctp_free(w->s);
    pair_teardown(&w->p);
}

static void say(stranger *w, uint16_t sid, uint32_t ppid, const void *data, size_t len)
{
    PL_EQ(pl_sctp_send(w->s, w->p.now_us, sid, ppid, data, len, NULL), PL_OK);
}

static void hear(stranger *w)
{
    pl_sctp_event e;
    pl_sctp_msg m;
    while (pl_sctp_poll_event(w->s, &e)) {
        if (e.kind == PL_SCTP_EVENT_RESET_IN && w->n_resets < 16)
            w->reset[w->n_resets] = e.sid;
        w->n_resets += e.kind == PL_SCTP_EVENT_RESET_IN;
    }
    while (pl_sctp_recv(w->s, &m)) {
        w->n_acks += m.ppid == PL_PPID_DCEP && pl_dcep_type(m.data, m.len) == PL_DCEP_ACK;
        w->n_opens += m.ppid == PL_PPID_DCEP && pl_dcep_type(m.data, m.len) == PL_DCEP_OPEN;
        pl_sctp_msg_free(&m);
    }
}

/* A second passes, in which everything said is heard. */
static void pass(stranger *w)
{
    uint8_t packet[PAIR_PACKET_MAX];
    pl_data_event e;
    size_t n;
    for (int i = 0; i < 100; i++) {
        w->p.now_us += PL_MS(10);
        pl_data_tick(w->p.end[0], w->p.now_us);
        while (pl_data_poll_output(w->p.end[0], w->p.now_us, packet, sizeof packet, &n))
            pl_sctp_input(w->s, w->p.now_us, packet, n);
        pl_sctp_tick(w->s, w->p.now_us);
        while (pl_sctp_poll_output(w->s, w->p.now_us, packet, sizeof packet, &n))
            pl_data_input(w->p.end[0], w->p.now_us, packet, n);
        hear(w);
        while (pl_data_poll_event(w->p.end[0], &e)) {
            pair_note(&w->p, 0, &e);
            pl_data_event_clear(&e);
        }
        pl_data_check(w->p.end[0]);
    }
}

static pl_data_stats stats_of(const stranger *w)
{
    pl_data_stats stats;
    pl_data_get_stats(w->p.end[0], &stats);
    return stats;
}

static const uint8_t open_a[] = { 3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 'a' };

PL_TEST(what_the_peer_must_not_send)
{
    stranger w;
    stranger_setup(&w, true);
    static const uint8_t bad_utf8[] = { 3, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0xff };
    static const uint8_t too_short[] = { 3, 0, 1, 0, 0, 0, 0, 0, 0, 9, 0, 0, 'a' };
    struct {
        uint16_t sid;
        uint32_t ppid;
        const void *data;
        size_t len;
    } said[] = { { 3, 50, open_a, sizeof open_a },
                 { 3, 50, open_a, sizeof open_a }, /* twice */
                 { 4, 50, open_a, sizeof open_a }, /* our parity */
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
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        say(&w, said[i].sid, said[i].ppid, said[i].data, said[i].len);
    pass(&w);
    PL_EQ(stats_of(&w).channels_opened, 1);
    PL_EQ(stats_of(&w).bad_messages, 8);
    PL_EQ(w.n_resets, 3); /* the three OPENs that could not be */
    PL_EQ(w.p.n_messages[0], 2);
    PL_EQ(w.p.told[0][w.p.n_told[0] - 2].len, 7);
    PL_MEMEQ(w.p.told[0][w.p.n_told[0] - 2].first, "partial", 7);
    PL_MEMEQ(w.p.told[0][w.p.n_told[0] - 1].first, "binary", 6);
    PL_OKAY(w.p.told[0][w.p.n_told[0] - 1].binary);
    stranger_teardown(&w);
}

/* Label and protocol are read as UTF-8 or the channel is refused; what text says, too, but that costs the message alone. */
PL_TEST(texts_are_utf_8_or_nothing)
{
    static const char *const bad[] = { "\xff",    "a\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "\xe2\x82" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        stranger w;
        uint8_t open[64] = { 3 };
        size_t n = strlen(bad[i]);
        stranger_setup(&w, true);
        open[9] = (uint8_t)n;
        memcpy(open + 12, bad[i], n);
        say(&w, 1, PL_PPID_DCEP, open, 12 + n); /* as a label */
        open[9] = 0;
        open[11] = (uint8_t)n;
        say(&w, 3, PL_PPID_DCEP, open, 12 + n); /* as a protocol */
        say(&w, 5, PL_PPID_DCEP, open_a, sizeof open_a);
        say(&w, 5, 51, bad[i], n);
        say(&w, 5, 53, bad[i], n); /* bytes may be what they like */
        say(&w, 5, 51, "\xe2\x82\xac", 3);
        pass(&w);
        PL_EQ(stats_of(&w).channels_opened, 1);
        PL_EQ(stats_of(&w).bad_messages, 3);
        PL_EQ(w.n_resets, 2);
        PL_OKAY((w.reset[0] == 1 && w.reset[1] == 3) || (w.reset[0] == 3 && w.reset[1] == 1));
        PL_EQ(w.p.n_messages[0], 2);
        PL_EQ(pl_channel_state(w.p.incoming[0]), PL_CHANNEL_OPEN);
        stranger_teardown(&w);
    }
}

/* RFC 8832 6: who opened may use it at once, and must live without the ACK until the peer says it. */
PL_TEST(a_channel_of_which_only_the_open_has_been_said)
{
    stranger w;
    stranger_setup(&w, true);
    pl_channel *c = pair_make(&w.p, 0, "half", (pl_data_channel_init){ .unordered = true });
    pass(&w);
    PL_EQ(w.n_opens, 1);
    PL_EQ(pl_channel_state(c), PL_CHANNEL_OPEN);
    PL_EQ(pl_channel_send(c, w.p.now_us, "early", 5, true),
          PL_OK); /* in order behind the OPEN: nobody may overtake it */
    pass(&w);
    say(&w, 0, 53, "from the peer, whose ACK has not come", 37);
    pass(&w);
    PL_EQ(w.p.n_messages[0], 1);
    say(&w, 0, PL_PPID_DCEP, "\x02", 1);
    say(&w, 0, PL_PPID_DCEP, "\x02", 1); /* once is enough, twice does no harm */
    pass(&w);
    PL_EQ(pl_channel_send(c, w.p.now_us, "later", 5, true), PL_OK);
    pass(&w);
    PL_EQ(pl_channel_buffered_amount(c), 0);
    PL_EQ(pl_channel_state(c), PL_CHANNEL_OPEN);
    stranger_teardown(&w);
}

PL_TEST(closed_before_its_ack_came)
{
    for (int ack_comes = 0; ack_comes < 2; ack_comes++) {
        stranger w;
        stranger_setup(&w, true);
        pass(&w);
        pl_channel *c = pair_make(&w.p, 0, "brief", (pl_data_channel_init){ 0 });
        pl_channel_close(c, w.p.now_us);
        PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSING);
        pass(&w);
        PL_EQ(w.n_resets, 1); /* our side of it */
        PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSING);
        if (ack_comes)
            say(&w, 0, PL_PPID_DCEP, "\x02", 1);
        pass(&w);
        PL_EQ(pl_sctp_reset_streams(w.s, w.p.now_us, &(uint16_t){ 0 }, 1), PL_OK);
        pass(&w);
        PL_EQ(pl_channel_state(c), PL_CHANNEL_CLOSED);
        PL_OKAY(pair_was_told(&w.p, 0, PL_DATA_EVENT_CLOSED, c));
        PL_EQ(stats_of(&w).bad_messages, 0);
        stranger_teardown(&w);
    }
}

/* An OPEN and the end of its stream in one breath: a channel that was, and nothing left of it. */
PL_TEST(opened_and_reset_at_once)
{
    stranger w;
    stranger_setup(&w, true);
    pass(&w);
    say(&w, 1, PL_PPID_DCEP, open_a, sizeof open_a);
    say(&w, 1, 51, "hello", 5);
    PL_EQ(pl_sctp_reset_streams(w.s, w.p.now_us, &(uint16_t){ 1 }, 1), PL_OK);
    pass(&w);
    pl_channel *c = w.p.incoming[0];
    PL_EQ(w.p.n_messages[0], 1);
    PL_OKAY(pair_was_told(&w.p, 0, PL_DATA_EVENT_OPEN, c) && pair_was_told(&w.p, 0, PL_DATA_EVENT_CLOSED, c));
    PL_EQ(w.n_resets, 1);
    say(&w, 1, PL_PPID_DCEP, open_a, sizeof open_a); /* the number is free for the next */
    pass(&w);
    PL_OKAY(w.p.incoming[0] != c);
    PL_EQ(pl_channel_state(w.p.incoming[0]), PL_CHANNEL_OPEN);
    PL_EQ(w.n_acks, 2);
    stranger_teardown(&w);
}

/* Every truncation of an OPEN is refused, and one with more behind it. */
PL_TEST(an_open_of_the_wrong_length)
{
    static const uint8_t open[] = { 3, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0, 3, 'a', 'b', 'p', 'r', 'o', '!' };
    stranger w;
    unsigned n_bad = 0;
    stranger_setup(&w, true);
    for (size_t len = 1; len <= sizeof open; len++) {
        if (len == sizeof open - 1)
            continue;
        say(&w, (uint16_t)(2 * len + 1), PL_PPID_DCEP, open, len);
        n_bad++;
    }
    say(&w, 99, PL_PPID_DCEP, open, sizeof open - 1);
    pass(&w);
    PL_EQ(stats_of(&w).channels_opened, 1);
    PL_EQ(stats_of(&w).bad_messages, n_bad);
    PL_EQ(w.n_resets, n_bad);
    PL_STREQ(pl_channel_params(w.p.incoming[0])->protocol, "pro");
    stranger_teardown(&w);
}

PL_TESTS(t(what_the_peer_must_not_send), t(texts_are_utf_8_or_nothing),
         t(a_channel_of_which_only_the_open_has_been_said), t(closed_before_its_ack_came),
         t(opened_and_reset_at_once), t(an_open_of_the_wrong_length))
