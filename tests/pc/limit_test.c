/* What the peer says that it takes at most (b=AS, b=TIAS: RFC 8866 5.8, RFC 3890), and what is sent to it. */
#include "pl_test.h"

#include <stdlib.h>

#include "pc/pc_internal.h"
#include "sim/pc_duo.h"

enum { FRAME_US = 33333, PAYLOAD = 1100 };

static duo d;
static const char *limit; /* a line for each section, or NULL */

/* Behind every c= line, which each section has. */
static char *with_limit(char *sdp)
{
    size_t n = 0, extra = limit ? strlen(limit) : 0;
    for (const char *p = sdp; (p = strstr(p, "\r\nc=")); p++)
        n++;
    char *out = malloc(strlen(sdp) + n * extra + 1), *to = out;
    assert_non_null(out);
    const char *from = sdp;
    for (const char *p; limit && (p = strstr(from, "\r\nc="));) {
        const char *end = strstr(p + 2, "\r\n") + 2;
        memcpy(to, from, (size_t)(end - from));
        to += end - from;
        memcpy(to, limit, extra);
        to += extra;
        from = end;
    }
    memcpy(to, from, strlen(from) + 1);
    free(sdp);
    return out;
}

static void call(const char *line, const pl_media_type *kinds, int n)
{
    sim_net net = { .rate_bps = 20000000, .delay_us = 10000, .queue_bytes = 100000 };
    memset(&d, 0, sizeof d);
    limit = line;
    duo_init(&d, &net, 5, PL_SETUP_ACTPASS, PL_SETUP_ACTPASS);
    d.edit = with_limit;
    for (int i = 0; i < n; i++)
        PL_EQ(duo_add(&d, 0, kinds[i], PL_SENDONLY), i);
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_connected));
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_agreed));
}

/* An encoder that makes what it is told to. */
static void send_for(int t, int64_t for_us)
{
    for (int64_t end_us = d.now_us + for_us; d.now_us < end_us;) {
        int64_t target_bps = d.end[0].pc->t[t]->rate_told_bps;
        for (int64_t left = target_bps * FRAME_US / 8000000; left > 0; left -= PAYLOAD)
            duo_send_packet(&d, 0, t, (uint32_t)(d.now_us * 9 / 100),
                            (uint16_t)(left < PAYLOAD ? left : PAYLOAD));
        d.n_steps = 0;
        duo_run(&d, FRAME_US, NULL);
    }
}

static int64_t told(int t)
{
    return d.end[0].pc->t[t]->rate_told_bps;
}

PL_TEST(a_video_grows_to_what_the_peer_takes_and_no_further)
{
    const pl_media_type one[] = { PL_VIDEO };
    call("b=TIAS:400000\r\n", one, 1);
    for (int i = 0; i < 40; i++) {
        send_for(0, PL_MS(500));
        assert_true(told(0) <= 400000);
        assert_true(d.end[0].pc->media->rate_bps <= 440000); /* nothing is probed for that nobody takes */
    }
    assert_true(told(0) > 350000);
    duo_clear(&d);
    call(NULL, one, 1);
    send_for(0, PL_SEC(20));
    assert_true(told(0) > 1000000);
    duo_clear(&d);
}

PL_TEST(of_two_limits_the_smaller_counts)
{
    const pl_media_type one[] = { PL_VIDEO };
    call("b=AS:900\r\nb=TIAS:300000\r\n", one, 1);
    send_for(0, PL_SEC(15));
    assert_true(told(0) <= 300000 && told(0) > 250000);
    duo_clear(&d);
}

PL_TEST(a_limit_of_less_than_a_video_needs_is_kept)
{
    const pl_media_type one[] = { PL_VIDEO };
    call("b=AS:20\r\n", one, 1);
    send_for(0, PL_SEC(5));
    PL_EQ(told(0), 20000);
    duo_clear(&d);
}

PL_TEST(audio_hears_of_its_limit)
{
    const pl_media_type both[] = { PL_AUDIO, PL_VIDEO };
    call("b=AS:24\r\n", both, 2);
    send_for(1, PL_SEC(2));
    PL_EQ(told(0), 24000);
    PL_EQ(told(1), 24000);
    limit = NULL;
    duo_offer(&d, 0);
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_agreed));
    PL_GE(told(0), 40000);
    duo_clear(&d);
}

PL_TEST(a_new_description_lifts_the_limit)
{
    const pl_media_type one[] = { PL_VIDEO };
    call("b=AS:200\r\n", one, 1);
    send_for(0, PL_SEC(10));
    assert_true(told(0) <= 200000);
    limit = NULL;
    duo_offer(&d, 0);
    PL_OKAY(duo_run(&d, PL_SEC(10), duo_agreed));
    send_for(0, PL_SEC(20));
    assert_true(told(0) > 400000);
    duo_clear(&d);
}

PL_TEST(two_videos_share_what_there_is)
{
    const pl_media_type two[] = { PL_VIDEO, PL_VIDEO };
    call("b=AS:300\r\n", two, 2);
    send_for(0, PL_SEC(15));
    assert_true(told(0) + told(1) <= 600000);
    assert_true(told(0) > 200000 && told(1) > 200000);
    duo_clear(&d);
}

PL_TESTS(t(a_video_grows_to_what_the_peer_takes_and_no_further), t(of_two_limits_the_smaller_counts),
         t(a_limit_of_less_than_a_video_needs_is_kept), t(audio_hears_of_its_limit),
         t(a_new_description_lifts_the_limit), t(two_videos_share_what_there_is))
