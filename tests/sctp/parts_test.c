/* Messages whose bytes stay the caller's, and messages given in parts. */
#include "pl_test.h"

#include "pair.h"

enum { PPID = 53 };

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

/* What has arrived of messages that all follow the pattern. */
typedef struct taken {
    unsigned n_messages;
    uint64_t n_bytes;
    size_t last_len;
    uint16_t last_sid;
} taken;

static void on_message(pair *p, int at, const pl_sctp_msg *m)
{
    (void)at;
    taken *got = p->user;
    for (size_t i = 0; i < m->len; i++) {
        if (m->data[i] != pattern(i))
            fail_msg("byte %zu of message %u", i, got->n_messages);
    }
    got->n_messages++;
    got->n_bytes += m->len;
    got->last_len = m->len;
    got->last_sid = m->sid;
}

static const uint8_t *bytes(size_t n)
{
    static uint8_t data[4 << 20];
    if (data[1] == 0) {
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = pattern(i);
    }
    PL_LE(n, sizeof data);
    return data;
}

static void begin(pair *p, taken *got, const pl_sctp_conf *a, const sim_net *net)
{
    static const pl_sctp_conf wide = { .max_message_size = 8 << 20, .recv_buffer = 8 << 20 };
    *got = (taken){ 0 };
    pair_init(p, a, &wide, net, pl_test_seed(1));
    p->on_message = on_message;
    p->user = got;
    pair_connect(p);
}

static pl_sctp_stats stats(const pair *p)
{
    pl_sctp_stats s;
    pl_sctp_get_stats(p->end[0], &s);
    return s;
}

static void count_release(void *user)
{
    ++*(int *)user;
}

static pl_err lend(pair *p, uint16_t sid, size_t len, int *released, const pl_sctp_send_opts *opts)
{
    pl_sctp_lent lent = { bytes(len), len, count_release, released };
    return pl_sctp_send_lent(p->end[0], p->now_us, sid, PPID, &lent, opts);
}

static pl_err part(pair *p, uint16_t sid, size_t from, size_t n, bool last, const pl_sctp_send_opts *opts)
{
    return pl_sctp_send_part(p->end[0], p->now_us, sid, PPID, bytes(from + n) + from, n, last, opts);
}

/* --- lent --- */

PL_TEST(lent_bytes_are_given_back_once_acknowledged)
{
    pair p;
    taken got;
    int released = 0;
    sim_net net = { .delay_us = 10000, .loss = 0.05 };
    begin(&p, &got, NULL, &net);
    PL_EQ(lend(&p, 3, 300000, &released, NULL), PL_OK);
    PL_GE(pl_sctp_buffered_total(p.end[0]), 300000);
    PL_EQ(pl_sctp_buffered(p.end[0], 3), 300000);
    while (pl_sctp_buffered_total(p.end[0]) > 0) {
        PL_EQ(released, 0); /* as long as a byte of it may have to go again */
        pair_run(&p, p.now_us + PL_MS(1));
    }
    PL_EQ(released, 1);
    PL_EQ(got.n_messages, 1);
    PL_EQ(got.n_bytes, 300000);
    pair_clear(&p);
    PL_EQ(released, 1);
}

PL_TEST(an_error_leaves_lent_bytes_with_the_caller)
{
    pair p;
    taken got;
    int released = 0;
    pl_sctp_conf conf = { .send_buffer_max = 100000 };
    begin(&p, &got, &conf, NULL);
    PL_EQ(lend(&p, 65535, 10, &released, NULL), PL_EINVAL);
    PL_EQ(lend(&p, 0, 0, &released, NULL), PL_EINVAL);
    PL_EQ(lend(&p, 0, 100001, &released, NULL), PL_ENOSPC);
    PL_EQ(lend(&p, 0, 60000, &released, NULL), PL_OK);
    PL_EQ(lend(&p, 0, 60000, &released, NULL), PL_EAGAIN);
    PL_EQ(released, 0);
    pl_sctp_abort(p.end[0], p.now_us, NULL);
    PL_EQ(released, 1);
    PL_EQ(lend(&p, 0, 10, &released, NULL), PL_ESTATE);
    PL_EQ(released, 1);
    pair_clear(&p);
    PL_EQ(released, 1);
}

PL_TEST(lent_bytes_come_back_whatever_ends_their_message)
{
    pair p;
    taken got;
    int queued = 0, half = 0, expired = 0, lost = 0;
    sim_net net = { .rate_bps = 1000000, .delay_us = 10000, .queue_bytes = 1 << 20 };
    begin(&p, &got, NULL, &net);
    pl_sctp_send_opts brief = { .lifetime_us = PL_MS(50) }, once = { .limit_retransmits = true };
    PL_EQ(lend(&p, 1, 200000, &half, &brief), PL_OK); /* half of it goes before its time is over */
    PL_EQ(lend(&p, 1, 1000, &expired, &brief), PL_OK);
    pair_run(&p, p.now_us + PL_SEC(4));
    PL_EQ(half, 1);
    PL_EQ(expired, 1);
    PL_EQ(got.n_messages, 0);
    PL_EQ(stats(&p).abandoned_sent, 1);
    PL_EQ(stats(&p).abandoned_unsent, 1);
    sim_link_blackout(p.link[0], p.now_us + PL_MS(200));
    PL_EQ(lend(&p, 2, 500, &lost, &once), PL_OK);
    pair_run(&p, p.now_us + PL_SEC(4));
    PL_EQ(lost, 1);
    PL_EQ(stats(&p).abandoned_sent, 2);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    PL_EQ(lend(&p, 2, 200000, &queued, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_MS(5));
    pair_clear(&p); /* free */
    PL_EQ(queued, 1);
}

/* --- parts --- */

PL_TEST(a_message_larger_than_the_buffer_goes_through_in_parts)
{
    enum { PART = 48 << 10, TOTAL = 4 << 20, ROOM = 256 << 10 };
    pair p;
    taken got;
    pl_sctp_conf conf = { .send_buffer_max = ROOM };
    sim_net net = { .rate_bps = 100000000, .delay_us = 5000, .loss = 0.002 };
    begin(&p, &got, &conf, &net);
    size_t at = 0;
    unsigned n_full = 0;
    while (at < TOTAL) {
        size_t n = TOTAL - at < PART ? TOTAL - at : PART;
        pl_err err = part(&p, 7, at, n, at + n == TOTAL, NULL);
        PL_OKAY(err == PL_OK || err == PL_EAGAIN);
        PL_LE(pl_sctp_buffered_total(p.end[0]), ROOM);
        if (err == PL_OK) {
            at += n;
        } else {
            unsigned before = p.writables[0];
            n_full++;
            for (int i = 0; i < 5000 && p.writables[0] == before; i++)
                pair_run(&p, p.now_us + PL_MS(1));
            PL_EQ(p.writables[0], before + 1); /* WRITABLE follows each PL_EAGAIN */
        }
    }
    PL_GE(n_full, 10);
    pair_run(&p, p.now_us + PL_SEC(3));
    PL_EQ(got.n_messages, 1);
    PL_EQ(got.n_bytes, TOTAL);
    PL_EQ(got.last_sid, 7);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    PL_EQ(stats(&p).messages_sent, 1);
    PL_EQ(stats(&p).message_bytes_sent, TOTAL);
    pair_clear(&p);
}

/* Parts of one byte do not become chunks of one byte, nor blocks of one byte. */
PL_TEST(small_parts_share_packets_and_memory)
{
    enum { TOTAL = 50000 };
    pair p;
    taken got;
    sim_net net = { .rate_bps = 10000000, .delay_us = 5000 };
    begin(&p, &got, NULL, &net);
    for (size_t at = 0; at < TOTAL; at++) {
        PL_EQ(part(&p, 0, at, 1, false, NULL), PL_OK);
        PL_LE(pl_sctp_buffered_total(p.end[0]), TOTAL + TOTAL / 10 + 8192);
        if (at % 500 == 0)
            pair_run(&p, p.now_us + PL_MS(1));
    }
    PL_EQ(part(&p, 0, TOTAL, 0, true, NULL), PL_OK); /* the end may be empty */
    pair_run(&p, p.now_us + PL_SEC(3));
    PL_EQ(got.n_messages, 1);
    PL_EQ(got.n_bytes, TOTAL);
    PL_LE(stats(&p).chunks_sent, TOTAL / 400);
    pair_clear(&p);
}

PL_TEST(between_parts_the_stream_takes_nothing_else)
{
    pair p;
    taken got;
    begin(&p, &got, NULL, NULL);
    PL_EQ(part(&p, 4, 0, 0, false, NULL), PL_EINVAL); /* a message does not begin with nothing */
    PL_EQ(part(&p, 4, 0, 0, true, NULL), PL_EINVAL);
    PL_EQ(part(&p, 4, 0, 10, false, NULL), PL_OK);
    PL_EQ(part(&p, 4, 10, 0, false, NULL), PL_EINVAL);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 4, PPID, bytes(5), 5, NULL), PL_ESTATE);
    int released = 0;
    PL_EQ(lend(&p, 4, 5, &released, NULL), PL_ESTATE);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 5, PPID, bytes(5), 5, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_MS(500));
    PL_EQ(got.n_messages, 1); /* ten bytes had not begun to go, so the other stream was free */
    PL_EQ(got.last_sid, 5);
    PL_EQ(part(&p, 4, 10, 20, true, NULL), PL_OK);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 4, PPID, bytes(5), 5, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_MS(500));
    PL_EQ(got.n_messages, 3);
    PL_EQ(got.n_bytes, 40);
    pair_clear(&p);
}

/* The rest that waits for the next part does not keep its giver waiting. */
PL_TEST(held_bytes_do_not_count_for_the_threshold)
{
    pair p;
    taken got;
    begin(&p, &got, NULL, NULL);
    size_t at = 0;
    for (unsigned i = 0; i < 20; i++) {
        PL_EQ(p.lows[0], i);
        PL_EQ(part(&p, 0, at, 100 + 3000 * (i % 3), false, NULL), PL_OK);
        at += 100 + 3000 * (i % 3);
        PL_GE(pl_sctp_buffered(p.end[0], 0), 100);
        pair_run(&p, p.now_us + PL_MS(300));
    }
    PL_EQ(p.lows[0], 20);
    PL_GE(pl_sctp_buffered(p.end[0], 0), 1); /* which says all the same what has not gone */
    PL_EQ(part(&p, 0, at, 0, true, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_MS(300));
    PL_EQ(pl_sctp_buffered(p.end[0], 0), 0);
    PL_EQ(got.n_bytes, at);
    pair_clear(&p);
}

/* Plain DATA cannot interleave; what waits behind a half-given message waits for its limit at most. */
PL_TEST(a_half_given_message_that_expires_frees_the_others)
{
    pair p;
    taken got;
    pl_sctp_conf conf = { .no_interleaving = true };
    begin(&p, &got, &conf, NULL);
    pl_sctp_send_opts brief = { .lifetime_us = PL_MS(500) };
    PL_EQ(part(&p, 0, 0, 5000, false, &brief), PL_OK);
    pair_run(&p, p.now_us + PL_MS(100));
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 1, PPID, bytes(5), 5, NULL), PL_OK);
    int64_t sent_us = p.now_us, n_steps = 0;
    for (; p.now_us < sent_us + PL_MS(390); n_steps++) {
        pair_step(&p);
        p.now_us = pl_max_us(p.now_us + 1, pl_min_us(pair_next_us(&p), sent_us + PL_MS(390)));
    }
    PL_LE(n_steps, 50); /* waiting is not spinning */
    PL_EQ(got.n_messages, 0);
    pair_run(&p, p.now_us + PL_MS(30));
    PL_EQ(got.n_messages, 1);
    PL_EQ(got.last_sid, 1);
    PL_EQ(stats(&p).abandoned_sent, 1);
    PL_EQ(part(&p, 0, 5000, 5000, false, NULL), PL_OK); /* of the message that is no more: thrown away */
    PL_EQ(pl_sctp_buffered(p.end[0], 0), 0);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, PPID, bytes(6), 6, NULL), PL_ESTATE);
    PL_EQ(part(&p, 0, 10000, 0, true, NULL), PL_OK);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, PPID, bytes(6), 6, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_MS(300));
    PL_EQ(got.n_messages, 2);
    PL_EQ(got.last_len, 6);
    PL_EQ(stats(&p).messages_abandoned, 1);
    pair_clear(&p);
}

PL_TEST(a_reset_breaks_off_what_is_half_given)
{
    pair p;
    taken got;
    begin(&p, &got, NULL, NULL);
    PL_EQ(part(&p, 2, 0, 5000, false, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_MS(50));
    uint16_t sid = 2;
    PL_EQ(pl_sctp_reset_streams(p.end[0], p.now_us, &sid, 1), PL_OK);
    PL_EQ(part(&p, 2, 5000, 10, true, NULL), PL_ESTATE);
    pair_run(&p, p.now_us + PL_SEC(1));
    PL_EQ(p.resets_out[0], 1);
    PL_EQ(p.resets_in[1], 1);
    PL_EQ(stats(&p).messages_abandoned, 1);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 2, PPID, bytes(5), 5, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_SEC(1));
    PL_EQ(got.n_messages, 1);
    pair_clear(&p);
}

PL_TEST(a_shutdown_breaks_off_what_is_half_given)
{
    pair p;
    taken got;
    begin(&p, &got, NULL, NULL);
    PL_EQ(part(&p, 1, 0, 100, false, NULL), PL_OK);
    PL_EQ(part(&p, 2, 0, 5000, false, NULL), PL_OK);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 3, PPID, bytes(9), 9, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_MS(50));
    pl_sctp_shutdown(p.end[0], p.now_us);
    PL_EQ(part(&p, 2, 5000, 10, true, NULL), PL_ESTATE);
    pair_run(&p, p.now_us + PL_SEC(2));
    PL_EQ(p.closed[0], 1);
    PL_EQ(p.closed[1], 1);
    PL_EQ(p.last_closed[0].error, PL_OK);
    PL_EQ(got.n_messages, 1);
    PL_EQ(stats(&p).messages_abandoned, 2);
    PL_EQ(stats(&p).abandoned_unsent, 1);
    pair_clear(&p);
}

PL_TEST(a_restart_gives_back_and_forgets_what_was_half_given)
{
    pair p;
    taken got;
    int released = 0;
    static const pl_sctp_conf wide = { .heartbeat_us = -1 };
    sim_net net = { .rate_bps = 1000000, .delay_us = 10000 };
    begin(&p, &got, NULL, &net);
    PL_EQ(lend(&p, 1, 100000, &released, NULL), PL_OK);
    PL_EQ(part(&p, 2, 0, 5000, false, NULL), PL_OK);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 3, PPID, bytes(10), 10, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_MS(60));
    unsigned n_before = got.n_messages;
    pl_sctp_conf conf = wide;
    pl_rand_seeded state;
    conf.rand = pl_rand_seed(&state, 99);
    pl_sctp_free(p.end[1]);
    PL_EQ(pl_sctp_new(&p.end[1], &conf, p.now_us), PL_OK);
    pl_sctp_connect(p.end[1], p.now_us);
    pair_run(&p, p.now_us + PL_SEC(2));
    PL_EQ(p.restarted[0], 1);
    PL_EQ(released, 1);
    PL_EQ(stats(&p).messages_sent + stats(&p).messages_abandoned, 3);
    PL_GE(stats(&p).messages_abandoned, 2);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    PL_EQ(part(&p, 2, 5000, 5000, false, NULL), PL_OK); /* of before: thrown away */
    PL_EQ(part(&p, 2, 10000, 5, true, NULL), PL_OK);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, 2, PPID, bytes(77), 77, NULL), PL_OK);
    pair_run(&p, p.now_us + PL_SEC(1));
    PL_EQ(got.n_messages, n_before + 1);
    PL_EQ(got.last_len, 77);
    pair_clear(&p);
}

/* The new life of the peer may have fewer streams: parts of what was begun on one of the others are thrown away, too. A
 * reset that the restart cut short has ended with the old life, and is told before the new one. */
PL_TEST(a_restart_ends_what_was_under_way_on_streams_that_are_no_more)
{
    pair p;
    taken got;
    begin(&p, &got, NULL, NULL);
    PL_EQ(part(&p, 900, 0, 5000, false, NULL), PL_OK);
    uint16_t sid = 2;
    PL_EQ(pl_sctp_send(p.end[0], p.now_us, sid, PPID, bytes(10), 10, NULL), PL_OK);
    PL_EQ(pl_sctp_reset_streams(p.end[0], p.now_us, &sid, 1), PL_OK);
    PL_EQ(pl_sctp_set_buffered_low(p.end[0], sid, 1), PL_OK);
    pl_rand_seeded state;
    pl_sctp_conf conf = { .heartbeat_us = -1, .max_streams_in = 40, .rand = pl_rand_seed(&state, 99) };
    pl_sctp_free(p.end[1]);
    PL_EQ(pl_sctp_new(&p.end[1], &conf, p.now_us), PL_OK);
    pl_sctp_connect(p.end[1], p.now_us);
    pair_shuttle(&p); /* events stay where they are when nothing takes them */
    PL_EQ(p.restarted[0], 1);
    PL_EQ(p.resets_out[0], 1);
    PL_EQ(p.restarts_before[0], 0); /* when the reset was told */
    PL_EQ(p.resets_in[1], 0);
    PL_EQ(pl_sctp_streams_out(p.end[0]), 40);
    PL_EQ(part(&p, 900, 5000, 5000, false, NULL), PL_OK);
    PL_EQ(part(&p, 900, 10000, 5, true, NULL), PL_OK);
    PL_EQ(part(&p, 900, 0, 5, true, NULL), PL_EINVAL);
    PL_EQ(pl_sctp_buffered_total(p.end[0]), 0);
    pair_clear(&p);
}

/* A buffer smaller than a part's block still lets the message through. */
PL_TEST(a_small_buffer_does_not_lock_itself)
{
    pair p;
    taken got;
    pl_sctp_conf conf = { .send_buffer_max = 4000 };
    begin(&p, &got, &conf, NULL);
    size_t at = 0;
    for (int i = 0; i < 2000 && at < 30000; i++) {
        pl_err err = part(&p, 0, at, 1000, at + 1000 == 30000, NULL);
        PL_OKAY(err == PL_OK || err == PL_EAGAIN);
        at += err == PL_OK ? 1000 : 0;
        pair_run(&p, p.now_us + PL_MS(10));
    }
    PL_EQ(at, 30000);
    pair_run(&p, p.now_us + PL_SEC(1));
    PL_EQ(got.n_bytes, 30000);
    pair_clear(&p);
}

PL_TESTS(t(lent_bytes_are_given_back_once_acknowledged), t(an_error_leaves_lent_bytes_with_the_caller),
         t(lent_bytes_come_back_whatever_ends_their_message),
         t(a_message_larger_than_the_buffer_goes_through_in_parts), t(small_parts_share_packets_and_memory),
         t(between_parts_the_stream_takes_nothing_else), t(held_bytes_do_not_count_for_the_threshold),
         t(a_half_given_message_that_expires_frees_the_others), t(a_reset_breaks_off_what_is_half_given),
         t(a_shutdown_breaks_off_what_is_half_given), t(a_restart_gives_back_and_forgets_what_was_half_given),
         t(a_restart_ends_what_was_under_way_on_streams_that_are_no_more),
         t(a_small_buffer_does_not_lock_itself))
