/* What an application hears of the peer's tracks: kind, streams and names (W3C RTCTrackEvent, RFC 8830). */
#include "pl_test.h"

#include "peerline/loop.h"
#include "peerline/peer_connection.h"

enum { TRACKS = 4 };

typedef struct heard {
    pl_rtp_transceiver *track[TRACKS];
    int n;
} heard;

static void on_track(void *user, pl_rtp_transceiver *t)
{
    heard *h = user;
    PL_OKAY(h->n < TRACKS);
    h->track[h->n++] = t;
}

static pl_loop *loop;
static pl_factory *factory;
static heard at_a, at_b;
static pl_peer_connection *a, *b;

static int begin(void **state)
{
    (void)state;
    at_a = at_b = (heard){ 0 };
    if (pl_loop_new(&loop, NULL))
        return 1;
    pl_factory_conf conf = { .loop = loop, .loopback = true };
    const pl_peer_connection_observer hear_a = { .user = &at_a, .on_track = on_track },
                                      hear_b = { .user = &at_b, .on_track = on_track };
    return pl_factory_new(&factory, &conf) || pl_peer_connection_new(&a, factory, NULL, &hear_a) ||
           pl_peer_connection_new(&b, factory, NULL, &hear_b);
}

static int end(void **state)
{
    (void)state;
    pl_peer_connection_free(a);
    pl_peer_connection_free(b);
    pl_factory_free(factory);
    pl_loop_free(loop);
    return 0;
}

static void hand_over(pl_peer_connection *from, pl_peer_connection *to, pl_sdp_type type)
{
    char *sdp;
    PL_EQ(pl_peer_connection_set_local_description(from, type, NULL), PL_OK);
    PL_EQ(pl_peer_connection_local_description(from, NULL, &sdp), PL_OK);
    PL_EQ(pl_peer_connection_set_remote_description(to, type, sdp), PL_OK);
    pl_free(sdp);
}

static void negotiate(void)
{
    hand_over(a, b, PL_SDP_OFFER);
    hand_over(b, a, PL_SDP_ANSWER);
    for (int i = 0; i < 20; i++)
        PL_EQ(pl_loop_run_once(loop, 0), PL_OK);
}

static void is_in(pl_rtp_transceiver *t, pl_media_type kind, const char *stream)
{
    char id[PL_STREAM_ID_MAX + 1], track[PL_STREAM_ID_MAX + 1];
    PL_EQ(pl_rtp_transceiver_kind(t), kind);
    PL_EQ(pl_rtp_transceiver_remote_stream(t, 0, id, sizeof id), stream != NULL);
    assert_string_equal(id, stream ? stream : "");
    PL_OKAY(!pl_rtp_transceiver_remote_stream(t, 1, id, sizeof id) && !id[0]);
    pl_rtp_transceiver_remote_track(t, track, sizeof track);
    PL_OKAY(track[0]);
}

PL_TEST(sound_and_picture_of_one_stream_are_told_apart_from_others)
{
    const pl_transceiver_init camera = { .stream_id = "camera" }, nothing = { .stream_id = NULL };
    pl_rtp_transceiver *t;
    PL_EQ(pl_peer_connection_add_track(a, PL_AUDIO, &camera, &t), PL_OK);
    PL_EQ(pl_peer_connection_add_track(a, PL_VIDEO, &camera, &t), PL_OK);
    PL_EQ(pl_peer_connection_add_track(a, PL_VIDEO, &nothing, &t), PL_OK);
    char id[PL_STREAM_ID_MAX + 1];
    PL_OKAY(!pl_rtp_transceiver_remote_stream(t, 0, id, sizeof id)); /* the peer has said nothing yet */
    pl_rtp_transceiver_remote_track(t, id, sizeof id);
    assert_string_equal(id, "");
    negotiate();
    PL_EQ(at_b.n, 3);
    is_in(at_b.track[0], PL_AUDIO, "camera");
    is_in(at_b.track[1], PL_VIDEO, "camera");
    is_in(at_b.track[2], PL_VIDEO, NULL);
    PL_EQ(at_a.n, 0); /* b sends nothing */
    char small[4];
    PL_OKAY(pl_rtp_transceiver_remote_stream(at_b.track[0], 0, small, sizeof small));
    assert_string_equal(small, "cam");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(
        sound_and_picture_of_one_stream_are_told_apart_from_others, begin, end) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
