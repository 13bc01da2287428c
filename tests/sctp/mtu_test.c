/* How large packets may be: found by probing, in virtual time, over links that lose what is too long (RFC 8899). */
#include "pl_test.h"

#include "pair.h"
#include "sctp/association_internal.h"

enum { MESSAGE = 60000, MAX = 16384 };

static const pl_sctp_conf probing = { .mtu_max = MAX, .zero_checksum = true };
static uint8_t data[MESSAGE];

static void count(pair *p, int at, const pl_sctp_msg *m)
{
    PL_EQ(at, 1);
    PL_EQ(m->len, MESSAGE);
    PL_MEMEQ(m->data, data, MESSAGE);
    ++*(unsigned *)p->user;
}

static size_t mtu_of(const pair *p)
{
    pl_sctp_stats stats;
    pl_sctp_get_stats(p->end[0], &stats);
    PL_EQ(stats.mtu, p->end[0]->mtu.size);
    return stats.mtu;
}

static void begin(pair *p, const sim_net *net, uint64_t seed, unsigned *n_heard)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    *n_heard = 0;
    pair_init(p, &probing, &probing, net, seed);
    pair_connect(p);
    p->on_message = count;
    p->user = n_heard;
}

static void send_some(pair *p, int n)
{
    for (int i = 0; i < n; i++)
        PL_EQ(pl_sctp_send(p->end[0], p->now_us, 0, 51, data, sizeof data, NULL), PL_OK);
}

/* Something to carry once a second. */
static void talk(pair *p, int seconds)
{
    for (int i = 0; i < seconds; i++) {
        send_some(p, 1);
        pair_run(p, p->now_us + PL_SEC(1));
    }
}

/* 5.3: what is found is what the link carries, within the step; no message is lost on the way to it. */
PL_TEST(the_size_of_the_path_is_found)
{
    static const size_t paths[] = { 1188, 1215, 1300, 1352,  1404,  1431, 1435,
                                    2011, 4000, 8911, 12000, 16384, 65000 };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        for (uint64_t seed = pl_test_seed(1), n = 0; n < 4; n++, seed++) {
            pair p;
            unsigned heard;
            sim_net net = { .delay_us = 200, .mtu = paths[i], .loss = n > 1 ? 0.02 : 0 };
            begin(&p, &net, seed, &heard);
            talk(&p, 120);
            size_t most = paths[i] < MAX ? paths[i] : MAX;
            PL_LE(mtu_of(&p), most);
            PL_GE(mtu_of(&p),
                  most & ~(size_t)3 ? (most - 1188 < PL_SCTP_MTU_STEP ? 1188 : most - PL_SCTP_MTU_STEP) : 0);
            PL_EQ(p.end[0]->mtu.state, PL_SCTP_MTU_COMPLETE);
            pair_run(&p, p.now_us + PL_SEC(20));
            PL_EQ(heard, 120);
            pair_clear(&p);
        }
    }
}

/* 5.1.1: a probe has a second at least, and three are lost before a size counts as too large. */
PL_TEST(probes_take_their_time)
{
    pair p;
    unsigned heard;
    sim_net net = { .delay_us = 5000, .mtu = 1300 };
    begin(&p, &net, 1, &heard);
    send_some(&p, 1);
    pair_run(&p, p.now_us + PL_MS(500));
    PL_EQ(p.end[0]->mtu.state, PL_SCTP_MTU_SEARCHING);
    PL_EQ(p.end[0]->mtu.probe, 1332);
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(stats.mtu_probes, 2); /* the base size, and the first that is lost */
    for (unsigned i = 0; i < 3; i++) {
        pl_sctp_get_stats(p.end[0], &stats);
        PL_EQ(stats.mtu_probes, 2 + i);
        PL_EQ(p.end[0]->mtu.probe, 1332);
        send_some(&p, 1);
        pair_run(&p, p.now_us + PL_SEC(1));
    }
    PL_EQ(p.end[0]->mtu.bad, 1332);
    pair_clear(&p);
}

/* 3 (7), 4.1: a lost probe is no congestion. */
PL_TEST(lost_probes_leave_the_window_alone)
{
    pair p;
    unsigned heard;
    sim_net net = { .delay_us = 5000, .mtu = 1188 };
    begin(&p, &net, 1, &heard);
    talk(&p, 60);
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_GE(stats.mtu_probes, 10);
    PL_EQ(stats.chunks_retransmitted, 0);
    PL_EQ(stats.timeouts, 0);
    PL_EQ(stats.fast_retransmits, 0);
    PL_EQ(p.end[0]->n_errors, 0);
    pair_clear(&p);
}

/* 4.3: a path that carries less from now on, while what was cut for more is under way. */
PL_TEST(a_path_that_shrinks_is_noticed)
{
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 20; n++, seed++) {
        pair p;
        unsigned heard;
        sim_net net = { .delay_us = 10000, .rate_bps = 20000000, .mtu = 1435 }, parts = net;
        begin(&p, &net, seed, &heard);
        parts.mtu = 0;
        p.by_parts[0] = sim_link_new(&parts, seed);
        talk(&p, 60);
        PL_GE(mtu_of(&p), 1404);
        net.mtu = 1250;
        sim_link_set(p.link[0], &net);
        send_some(&p, 10); /* all of it is cut for the larger path */
        pair_run(&p, p.now_us + PL_SEC(8));
        PL_LE(mtu_of(&p), 1250); /* a few probes of a second each */
        talk(&p, 60);
        PL_GE(mtu_of(&p), 1250 - PL_SCTP_MTU_STEP);
        PL_EQ(heard, 130);
        PL_EQ(p.closed[0], 0);
        pair_clear(&p);
    }
}

/* The same where no router cuts or says a word (IPv6): the sender's system cuts what is longer than its own link, so what
 * was cut for the larger path is made so long. */
PL_TEST(a_path_that_shrinks_where_only_the_sender_cuts)
{
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 20; n++, seed++) {
        pair p;
        unsigned heard;
        sim_net net = { .delay_us = 10000, .rate_bps = 20000000, .mtu = 1404 }, parts = net;
        begin(&p, &net, seed, &heard);
        parts.mtu = 0;
        p.by_parts[0] = sim_link_new(&parts, seed);
        p.cut_from = 1440;
        pl_sctp_set_cut(p.end[0], 1440);
        talk(&p, 60);
        PL_EQ(mtu_of(&p), 1404);
        net.mtu = 1188;
        sim_link_set(p.link[0], &net);
        send_some(&p, 10);
        pair_run(&p, p.now_us + PL_SEC(20));
        PL_EQ(mtu_of(&p), 1188);
        PL_EQ(heard, 70);
        /* What was sent long goes whole now and then: the path may be wide again, and drop the parts. */
        net.mtu = 1404;
        sim_link_set(p.link[0], &net);
        pair_run(&p, p.now_us + PL_SEC(600));
        talk(&p, 60);
        PL_EQ(mtu_of(&p), 1404);
        net.mtu = 1188;
        sim_link_set(p.link[0], &net);
        send_some(&p, 10);
        pair_run(&p, p.now_us + PL_SEC(5));
        sim_link_blackout(p.by_parts[0], PL_NEVER);
        net.mtu = 1404;
        sim_link_set(p.link[0], &net);
        talk(&p, 60);
        PL_EQ(heard, 200);
        PL_EQ(p.closed[0], 0);
        pair_clear(&p);
    }
}

/* 4.3: nothing arrives, large or small: that says nothing of sizes. */
PL_TEST(a_dark_path_does_not_shrink)
{
    pair p;
    unsigned heard;
    sim_net net = { .delay_us = 10000, .mtu = 1435 };
    begin(&p, &net, 3, &heard);
    talk(&p, 60);
    size_t before = mtu_of(&p);
    sim_link_blackout(p.link[0], p.now_us + PL_SEC(30));
    sim_link_blackout(p.link[1], p.now_us + PL_SEC(30));
    talk(&p, 30);
    PL_EQ(mtu_of(&p), before);
    talk(&p, 20);
    PL_EQ(mtu_of(&p), before);
    PL_EQ(heard, 110);
    pair_clear(&p);
}

/* 5.2: below the base size there is the least one, and the way back up from it. */
PL_TEST(a_path_below_the_base_size)
{
    pair p;
    unsigned heard;
    sim_net net = { .delay_us = 10000, .mtu = 1435 }, parts = net;
    begin(&p, &net, 3, &heard);
    parts.mtu = 0;
    p.by_parts[0] = sim_link_new(&parts, 3);
    talk(&p, 60);
    net.mtu = 600;
    sim_link_set(p.link[0], &net);
    talk(&p, 30);
    PL_EQ(mtu_of(&p), PL_SCTP_MTU_MIN);
    PL_EQ(p.end[0]->mtu.state, PL_SCTP_MTU_ERROR);
    net.mtu = 1435;
    sim_link_set(p.link[0], &net);
    talk(&p, 90);
    PL_GE(mtu_of(&p), 1404);
    PL_EQ(heard, 180);
    pair_clear(&p);
}

/* 5.1.1, PMTU_RAISE_TIMER: a path that carries more from now on, found when there is use for it. */
PL_TEST(a_path_that_grows_is_noticed)
{
    pair p;
    unsigned heard;
    sim_net net = { .delay_us = 10000, .mtu = 1300 };
    begin(&p, &net, 3, &heard);
    talk(&p, 60);
    PL_LE(mtu_of(&p), 1300);
    net.mtu = 1435;
    sim_link_set(p.link[0], &net);
    talk(&p, 60);
    PL_LE(mtu_of(&p), 1300);
    pair_run(&p, p.now_us + PL_SEC(600));
    PL_EQ(p.end[0]->mtu.state, PL_SCTP_MTU_RESTING);
    pl_sctp_stats before, after;
    pl_sctp_get_stats(p.end[0], &before);
    pair_run(&p, p.now_us + PL_SEC(600));
    pl_sctp_get_stats(p.end[0], &after);
    PL_EQ(before.mtu_probes, after.mtu_probes); /* silence needs no large packets */
    talk(&p, 60);
    PL_GE(mtu_of(&p), 1404);
    pair_clear(&p);
}

PL_TEST(who_says_little_never_probes)
{
    pair p;
    unsigned heard;
    begin(&p, NULL, 1, &heard);
    p.on_message = NULL;
    for (int i = 0; i < 30; i++) {
        PL_EQ(pl_sctp_send(p.end[0], p.now_us, 0, 51, data, 100, NULL), PL_OK);
        pair_run(&p, p.now_us + PL_SEC(60));
    }
    pl_sctp_stats stats;
    pl_sctp_get_stats(p.end[0], &stats);
    PL_EQ(stats.mtu_probes, 0);
    PL_EQ(stats.mtu, PL_SCTP_MTU_DEFAULT);
    pair_clear(&p);
}

/* RFC 4820, RFC 8899 4.1: exactly so long, a heartbeat and padding, nothing else. */
PL_TEST(a_probe_is_a_heartbeat_and_padding)
{
    pair p;
    unsigned heard, n_probes = 0;
    static uint8_t packet[MAX];
    size_t len;
    sim_net net = { .delay_us = 200 };
    begin(&p, &net, 1, &heard);
    send_some(&p, 4);
    for (int i = 0; i < 400; i++) {
        for (int at = 0; at < 2; at++) {
            while (pl_sctp_poll_output(p.end[at], p.now_us, packet, sizeof packet, &len)) {
                PL_LE(len, pl_sctp_packet_max(p.end[at]));
                if (pl_sctp_last_packet(p.end[at]) == PL_SCTP_PACKET_PROBE) {
                    pl_rd r = pl_rd_init(packet + PL_SCTP_HEADER, len - PL_SCTP_HEADER);
                    pl_sctp_chunk c;
                    PL_EQ(len, p.end[at]->mtu.probe);
                    PL_OKAY(pl_sctp_chunk_next(&r, &c));
                    PL_EQ(c.type, PL_SCTP_HEARTBEAT);
                    PL_OKAY(pl_sctp_chunk_next(&r, &c));
                    PL_EQ(c.type, PL_SCTP_PAD);
                    PL_OKAY(!pl_sctp_chunk_next(&r, &c));
                    n_probes++;
                }
                pl_sctp_input(p.end[1 - at], p.now_us, packet, len);
            }
        }
        p.now_us += PL_MS(1);
        for (int at = 0; at < 2; at++)
            pl_sctp_tick(p.end[at], p.now_us);
    }
    PL_EQ(n_probes, 8); /* the base, six usual sizes, the largest: none is lost */
    PL_EQ(mtu_of(&p), MAX);
    pair_clear(&p);
}

PL_TEST(answers_to_nothing_are_no_answers)
{
    pair p;
    unsigned heard;
    sim_net net = { .delay_us = 5000, .mtu = 1300 };
    begin(&p, &net, 1, &heard);
    send_some(&p, 1);
    pair_run(&p, p.now_us + PL_MS(200));
    PL_EQ(p.end[0]->mtu.probe, 1332);
    for (int i = 0; i < 3; i++) { /* a wrong nonce, a wrong size, the right ones */
        uint8_t raw[64];
        pl_wr w = pl_wr_init(raw, sizeof raw);
        pl_sctp_packet_begin(&w, &(pl_sctp_header){ 5000, 5000, p.end[0]->my_tag });
        size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_HEARTBEAT_ACK, 0);
        size_t param = pl_sctp_param_begin(&w, PL_SCTP_PARAM_HEARTBEAT_INFO);
        pl_wr_u64(&w, (uint64_t)p.now_us);
        pl_wr_u64(&w, p.end[0]->mtu.nonce + (i == 0));
        pl_wr_u32(&w, i == 1 ? 9000 : 1332);
        pl_sctp_param_end(&w, param);
        pl_sctp_chunk_end(&w, chunk);
        pl_sctp_packet_end(&w);
        pl_sctp_input(p.end[0], p.now_us, raw, pl_wr_len(&w));
        PL_EQ(mtu_of(&p), i == 2 ? 1332 : 1188);
    }
    pair_clear(&p);
}

/* Another path: nothing of the last one holds, and nothing is lost. */
PL_TEST(another_path_is_learnt_anew)
{
    for (uint64_t seed = pl_test_seed(1), n = 0; n < 10; n++, seed++) {
        pair p;
        unsigned heard;
        sim_net net = { .delay_us = 1000, .rate_bps = 50000000 }, parts;
        begin(&p, &net, seed, &heard);
        talk(&p, 20);
        PL_EQ(mtu_of(&p), PL_SCTP_MTU_FAR); /* 2 ms are far */
        send_some(&p, 20);
        pair_run(&p, p.now_us + PL_MS(20));
        net = (sim_net){ .delay_us = 50000, .rate_bps = 5000000, .mtu = 1352 };
        parts = net;
        parts.mtu = 0;
        for (int i = 0; i < 2; i++) {
            sim_link_blackout(p.link[i], p.now_us); /* what was on the old path is gone */
            sim_link_set(p.link[i], &net);
            pl_sctp_path_changed(p.end[i], p.now_us);
            p.by_parts[i] = sim_link_new(&parts, seed);
        }
        pl_sctp_stats stats;
        pl_sctp_get_stats(p.end[0], &stats);
        PL_EQ(stats.min_rtt_us, 0);
        PL_EQ(stats.rto_us, PL_SEC(1));
        PL_EQ(stats.mtu, PL_SCTP_MTU_DEFAULT);
        PL_LE(stats.cwnd, 20 * PL_SCTP_MTU_DEFAULT);
        pair_run(&p, p.now_us + PL_SEC(1));
        pl_sctp_get_stats(p.end[0], &stats);
        PL_GE(stats.min_rtt_us, 100000);
        talk(&p, 60);
        PL_EQ(heard, 100);
        PL_LE(mtu_of(&p), 1352);
        PL_GE(mtu_of(&p), 1352 - PL_SCTP_MTU_STEP);
        pair_clear(&p);
    }
}

PL_TEST(without_probing_nothing_changes)
{
    pair p;
    unsigned heard = 0;
    pair_init(&p, NULL, NULL, NULL, 1);
    pair_connect(&p);
    p.on_message = count;
    p.user = &heard;
    talk(&p, 20);
    PL_EQ(heard, 20);
    PL_EQ(mtu_of(&p), PL_SCTP_MTU_DEFAULT);
    PL_EQ(p.end[0]->mtu.state, PL_SCTP_MTU_OFF);
    PL_EQ(pl_sctp_packet_max(p.end[0]), PL_SCTP_MTU_DEFAULT);
    pair_clear(&p);
}

PL_TESTS(t(the_size_of_the_path_is_found), t(probes_take_their_time), t(lost_probes_leave_the_window_alone),
         t(a_path_that_shrinks_is_noticed), t(a_path_that_shrinks_where_only_the_sender_cuts),
         t(a_dark_path_does_not_shrink), t(a_path_below_the_base_size), t(a_path_that_grows_is_noticed),
         t(who_says_little_never_probes), t(a_probe_is_a_heartbeat_and_padding),
         t(answers_to_nothing_are_no_answers), t(another_path_is_learnt_anew),
         t(without_probing_nothing_changes))
