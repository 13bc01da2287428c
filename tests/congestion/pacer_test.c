/* The pacer: order, rate, bursts, padding and limits. */
#include "pl_test.h"

#include "base/rand.h"
#include "base/time.h"
#include "congestion/pacer.h"

static pl_pacer_pkt pkt[PL_PACER_PACKETS_MAX + 1];

static pl_pacer_class next_class(pl_pacer *p, int64_t now_us)
{
    pl_pacer_pkt *got = pl_pacer_poll(p, now_us);
    return got ? (pl_pacer_class)got->prio : PL_PACE_CLASSES;
}

PL_TEST(the_urgent_go_first)
{
    pl_pacer p;
    pl_pacer_init(&p, 80000000, 0);
    static const pl_pacer_class in[] = { PL_PACE_PADDING, PL_PACE_VIDEO, PL_PACE_RETRANSMIT, PL_PACE_VIDEO,
                                         PL_PACE_AUDIO };
    for (int i = 0; i < 5; i++)
        PL_EQ(pl_pacer_push(&p, 0, &pkt[i], in[i], 100), PL_OK);
    PL_EQ(next_class(&p, 0), PL_PACE_AUDIO);
    PL_EQ(next_class(&p, PL_MS(1)), PL_PACE_RETRANSMIT);
    pl_pacer_pkt *got = pl_pacer_poll(&p, PL_MS(2));
    PL_OKAY(got == &pkt[1]); /* the older of the two */
    PL_EQ(next_class(&p, PL_MS(3)), PL_PACE_VIDEO);
    PL_EQ(next_class(&p, PL_MS(4)), PL_PACE_PADDING);
    PL_EQ(next_class(&p, PL_MS(5)), PL_PACE_CLASSES);
    PL_EQ(pl_pacer_next_us(&p), PL_NEVER);
    pl_pacer_check(&p);
}

/* Sends n packets of len bytes, waking when told to; returns when the last has left. */
static int64_t drain(pl_pacer *p, int64_t now_us, int n)
{
    int wakes = 0;
    while (n > 0) {
        while (pl_pacer_poll(p, now_us))
            n--;
        pl_pacer_check(p);
        if (n == 0)
            break;
        int64_t next_us = pl_pacer_next_us(p);
        PL_OKAY(next_us > now_us && next_us < now_us + PL_SEC(1)); /* no busy loop, no lost wake-up */
        now_us = next_us;
        PL_LE(++wakes, 10000);
    }
    return now_us;
}

PL_TEST(the_rate_is_kept)
{
    static const int64_t rate[] = { 30000, 333333, 1000000, 7777777, 200000000 };
    for (size_t r = 0; r < 5; r++) {
        pl_pacer p;
        pl_pacer_init(&p, rate[r], 0);
        int n = rate[r] > 200000 ? 200 : 6; /* within the time the queue may take */
        if (rate[r] == 333333)
            n = 60;
        for (int i = 0; i < n; i++)
            PL_EQ(pl_pacer_push(&p, PL_SEC(5), &pkt[i], PL_PACE_VIDEO, 1000), PL_OK);
        int64_t took_us = drain(&p, PL_SEC(5), n) - PL_SEC(5),
                exact_us = (int64_t)(n - 1) * 8000000000 / rate[r];
        PL_LE(took_us, exact_us + n);
        PL_GE(took_us, exact_us - PL_PACER_BURST_US - n);
    }
}

PL_TEST(polling_often_does_not_slow_it_down)
{
    pl_pacer p;
    pl_pacer_init(&p, 30000, 0);
    for (int i = 0; i < 4; i++)
        PL_EQ(pl_pacer_push(&p, 0, &pkt[i], PL_PACE_VIDEO, 1000), PL_OK);
    int n = 0;
    int64_t now_us = 0;
    for (; n < 4; now_us += 7) /* a fifth of a bit each time */
        n += pl_pacer_poll(&p, now_us) != NULL;
    PL_LE(llabs(now_us - 800000), 100);
}

PL_TEST(idle_time_earns_one_short_burst)
{
    pl_pacer p;
    pl_pacer_init(&p, 8000000, 0);
    for (int i = 0; i < 100; i++)
        PL_EQ(pl_pacer_push(&p, PL_SEC(60), &pkt[i], PL_PACE_VIDEO, 1000), PL_OK);
    int n = 0;
    while (pl_pacer_poll(&p, PL_SEC(60)))
        n++;
    PL_EQ(n, 6); /* 5 ms at 1000 bytes a millisecond, and the one that makes the debt */
    while (pl_pacer_take(&p))
        n++;
    PL_EQ(n, 100);
}

PL_TEST(sound_never_waits_and_never_starves_pictures)
{
    pl_pacer p;
    pl_pacer_init(&p, 100000, 0);
    PL_EQ(pl_pacer_push(&p, 0, &pkt[0], PL_PACE_VIDEO, 1200), PL_OK);
    PL_EQ(pl_pacer_push(&p, 0, &pkt[1], PL_PACE_VIDEO, 1200), PL_OK);
    PL_OKAY(pl_pacer_poll(&p, 0) == &pkt[0]);
    PL_OKAY(pl_pacer_poll(&p, 0) == NULL);
    int64_t video_us = 0;
    for (int64_t now_us = 0; now_us < PL_SEC(3);
         now_us += PL_MS(20)) { /* 128 kbit/s of sound: more than the rate */
        PL_EQ(pl_pacer_push(&p, now_us, &pkt[2], PL_PACE_AUDIO, 320), PL_OK);
        PL_EQ(pl_pacer_next_us(&p), now_us);
        PL_OKAY(pl_pacer_poll(&p, now_us) == &pkt[2]);
        if (!video_us && pl_pacer_poll(&p, now_us + PL_MS(19)))
            video_us = now_us;
    }
    PL_EQ(video_us, 0);                                            /* there is no room for pictures, */
    PL_OKAY(pl_pacer_poll(&p, PL_SEC(3) + PL_MS(100)) == &pkt[1]); /* but the debt is forgiven soon */
}

PL_TEST(a_long_queue_raises_the_rate)
{
    pl_pacer p;
    pl_pacer_init(&p, 100000, 0);
    int64_t bytes = 0;
    for (int i = 0; i < 200; i++, bytes += 1200)
        PL_EQ(pl_pacer_push(&p, 0, &pkt[i], PL_PACE_VIDEO, 1200), PL_OK);
    PL_GE(pl_pacer_delay_us(&p), PL_MS(1900));
    PL_LE(pl_pacer_delay_us(&p), PL_MS(2100));
    /* at 100 kbit/s it would take 19 s; at the rate that falls with the queue it nears that slowly */
    int64_t done_us = drain(&p, 0, 200);
    PL_LE(done_us, PL_SEC(10));
    PL_GE(done_us, PL_SEC(2));
}

PL_TEST(the_queue_has_an_end)
{
    pl_pacer p;
    pl_pacer_init(&p, 1000000, 0);
    for (int i = 0; i < PL_PACER_PACKETS_MAX; i++)
        PL_EQ(pl_pacer_push(&p, 0, &pkt[i], (pl_pacer_class)(i % PL_PACE_CLASSES), 100), PL_OK);
    PL_EQ(pl_pacer_push(&p, 0, &pkt[PL_PACER_PACKETS_MAX], PL_PACE_VIDEO, 100), PL_ENOSPC);
    pl_pacer_remove(&p, &pkt[6]);
    pl_pacer_remove(&p, &pkt[6]); /* twice is fine */
    pl_pacer_check(&p);
    PL_EQ(pl_pacer_push(&p, 0, &pkt[PL_PACER_PACKETS_MAX], PL_PACE_VIDEO, 100), PL_OK);
    int n = 0;
    while (pl_pacer_take(&p))
        n++;
    PL_EQ(n, PL_PACER_PACKETS_MAX);
    PL_EQ(p.bytes, 0);
}

PL_TEST(a_probe_has_its_own_timetable)
{
    pl_pacer p;
    pl_pacer_init(&p, 300000, 0);
    pl_pacer_probe(&p, 0, &(pl_cc_probe_ask){ .cluster = 7, .rate_bps = 2000000, .bytes = 5000 });
    PL_EQ(pl_pacer_next_us(&p), PL_NEVER); /* it waits for a packet to begin with */
    PL_EQ(pl_pacer_padding(&p, PL_SEC(1)), 0);
    PL_EQ(pl_pacer_push(&p, PL_SEC(1), &pkt[0], PL_PACE_VIDEO, 1000), PL_OK);
    int64_t now_us = PL_SEC(1), bytes = 0, first_us = 0;
    int n = 0;
    for (size_t padding = 0; now_us < PL_SEC(2); now_us = pl_pacer_next_us(&p)) {
        for (pl_pacer_pkt *got; (got = pl_pacer_poll(&p, now_us));) {
            PL_EQ(got->probe, 7);
            if (n++ == 0)
                first_us = now_us;
            PL_EQ(now_us, first_us + bytes * 8 / 2); /* 2 Mbit/s: 4 us a byte */
            bytes += got->len;
        }
        padding = pl_pacer_padding(&p, now_us);
        if (padding)
            PL_EQ(pl_pacer_push(&p, now_us, &pkt[n], PL_PACE_PADDING, padding), PL_OK);
    }
    PL_EQ(bytes, 5000);
    PL_EQ(n, 5);
    /* what it took beyond the rate does not hold back what follows for longer than a moment */
    PL_EQ(pl_pacer_push(&p, PL_SEC(1) + PL_MS(20), &pkt[0], PL_PACE_VIDEO, 1000), PL_OK);
    PL_EQ(drain(&p, PL_SEC(1) + PL_MS(20), 1) / PL_MS(10), 111);
    PL_EQ(pkt[0].probe, 0);

    /* a burst whose padding never comes is given up */
    pl_pacer_probe(&p, PL_SEC(3), &(pl_cc_probe_ask){ .cluster = 8, .rate_bps = 2000000, .bytes = 5000 });
    PL_EQ(pl_pacer_push(&p, PL_SEC(3), &pkt[0], PL_PACE_VIDEO, 1000), PL_OK);
    PL_OKAY(pl_pacer_poll(&p, PL_SEC(3)) == &pkt[0]);
    PL_EQ(pl_pacer_padding(&p, PL_SEC(3) + PL_MS(10)), 1000);
    PL_EQ(pl_pacer_padding(&p, PL_SEC(3) + PL_MS(10)), 0); /* at once, so that nobody turns in circles */
    PL_EQ(pl_pacer_next_us(&p), PL_NEVER);

    /* and so is one that takes too long */
    pl_pacer_probe(&p, PL_SEC(4), &(pl_cc_probe_ask){ .cluster = 9, .rate_bps = 2000000, .bytes = 5000 });
    PL_EQ(pl_pacer_push(&p, PL_SEC(4), &pkt[0], PL_PACE_VIDEO, 1000), PL_OK);
    PL_OKAY(pl_pacer_poll(&p, PL_SEC(4)) == &pkt[0]);
    PL_EQ(pl_pacer_push(&p, PL_SEC(5), &pkt[0], PL_PACE_VIDEO, 1000), PL_OK);
    PL_OKAY(pl_pacer_poll(&p, PL_SEC(5)) == &pkt[0]);
    PL_EQ(pkt[0].probe, 0);
}

PL_TEST(padding_holds_a_rate)
{
    pl_pacer p;
    pl_pacer_init(&p, 1000000, 0);
    pl_pacer_rate(&p, 0, 1000000, 100000);
    int64_t bytes = 0, now_us = 0;
    while (now_us < PL_SEC(10)) {
        size_t n = pl_pacer_padding(&p, now_us);
        if (n) {
            PL_EQ(pl_pacer_push(&p, now_us, &pkt[0], PL_PACE_PADDING, n), PL_OK);
            PL_OKAY(pl_pacer_poll(&p, now_us) == &pkt[0]);
            bytes += (int64_t)n;
        }
        int64_t next_us = pl_pacer_next_us(&p);
        PL_OKAY(next_us > now_us);
        now_us = next_us;
    }
    PL_LE(llabs(bytes - 125000), 500);
    /* without padding to give, it is asked for ten times a second */
    int asked = 0, wakes = 0;
    for (int64_t until_us = now_us + PL_SEC(10); now_us < until_us; wakes++) {
        asked += pl_pacer_padding(&p, now_us) > 0;
        now_us = pl_max_us(now_us, pl_pacer_next_us(&p));
    }
    PL_LE(asked, 101);
    PL_LE(wakes, 203);
    pl_pacer_rate(&p, now_us, 1000000, 0);
    PL_EQ(pl_pacer_padding(&p, now_us + PL_SEC(1)), 0);
    PL_EQ(pl_pacer_next_us(&p), PL_NEVER);
}

PL_TESTS(t(the_urgent_go_first), t(the_rate_is_kept), t(polling_often_does_not_slow_it_down),
         t(idle_time_earns_one_short_burst), t(sound_never_waits_and_never_starves_pictures),
         t(a_long_queue_raises_the_rate), t(the_queue_has_an_end), t(a_probe_has_its_own_timetable),
         t(padding_holds_a_rate))
