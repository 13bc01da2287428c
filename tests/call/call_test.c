/* Two connections in one process over real loopback sockets, with real engines and their threads: what one side
 * plays the other side records. Run under the thread sanitizer, too. */
#include "pl_test.h"

#include <unistd.h>

#include "device/pattern.h"
#include "device/video.h"
#include "device/wav.h"
#include "dsp/tone.h"
#include "net/loop.h"
#include "peerline/media.h"
#include "peerline/peer_connection.h"

enum { WAIT_US = 30000000, NAP_US = 5000 };

typedef struct side {
    pl_peer_connection *pc;
    pl_media *media;
    pl_rtp_transceiver *audio, *video;
    char wav[64], ivf[64];
} side;

static pl_factory *factory;
static char dir[] = "/tmp/peerline-call-XXXXXX";

static int begin(void **state)
{
    (void)state;
    pl_factory_conf conf = { .loopback = true };
    return mkdtemp(dir) == NULL || pl_factory_new(&factory, &conf) != PL_OK;
}

static int end(void **state)
{
    (void)state;
    pl_factory_free(factory);
    return rmdir(dir);
}

/* Waits until it holds; the only clock here is patience. */
#define UNTIL(condition)                                                                                     \
    for (int64_t until_us = pl_clock_us() + WAIT_US; !(condition); usleep(NAP_US))                           \
    PL_OKAY(pl_clock_us() < until_us)

static void side_init(side *s, const char *name, const char *audio, const char *video)
{
    char why[200];
    *s = (side){ 0 };
    (void)snprintf(s->wav, sizeof s->wav, "%s/%s.wav", dir, name);
    (void)snprintf(s->ivf, sizeof s->ivf, "%s/%s.ivf", dir, name);
    pl_media_conf media = {
        .audio_source = audio, .video_source = video, .record_audio = s->wav, .record_video = s->ivf
    };
    PL_EQ(pl_peer_connection_new(&s->pc, factory, NULL, &(pl_peer_connection_observer){ 0 }), PL_OK);
    PL_EQ(pl_media_new(&s->media, &media, why, sizeof why), PL_OK);
}

static void side_clear(side *s)
{
    pl_media_free(s->media);
    pl_peer_connection_free(s->pc);
    (void)unlink(s->wav);
    (void)unlink(s->ivf);
}

static void add_tracks(side *s, const char *audio_codec, bool with_video)
{
    pl_transceiver_init init = { .direction = PL_SENDRECV, .preferred_codec = audio_codec };
    if (!s->audio) {
        PL_EQ(pl_peer_connection_add_track(s->pc, PL_AUDIO, &init, &s->audio), PL_OK);
        PL_EQ(pl_media_attach(s->media, s->audio), PL_OK);
    }
    if (with_video && !s->video) {
        PL_EQ(pl_peer_connection_add_track(s->pc, PL_VIDEO, NULL, &s->video), PL_OK);
        PL_EQ(pl_media_attach(s->media, s->video), PL_OK);
    }
}

/* The description with all its candidates in it. */
static void hand_over(side *from, side *to)
{
    pl_sdp_type type;
    char *sdp;
    PL_EQ(pl_peer_connection_set_local_description(from->pc, PL_SDP_OFFER, NULL), PL_OK);
    UNTIL(pl_peer_connection_get_ice_gathering_state(from->pc) == PL_ICE_GATHERING_COMPLETE);
    PL_EQ(pl_peer_connection_local_description(from->pc, &type, &sdp), PL_OK);
    PL_EQ(pl_peer_connection_set_remote_description(to->pc, type, sdp), PL_OK);
    pl_free(sdp);
}

static void negotiate(side *a, side *b)
{
    hand_over(a, b);
    hand_over(b, a);
    UNTIL(pl_peer_connection_get_connection_state(a->pc) == PL_CONNECTION_CONNECTED);
    UNTIL(pl_peer_connection_get_connection_state(b->pc) == PL_CONNECTION_CONNECTED);
}

static pl_media_totals totals(const side *s)
{
    pl_media_totals t;
    pl_media_get_totals(s->media, &t);
    return t;
}

/* Tenths of a second of the recording, after its first half second, in which the tone stands. */
static int tenths_with_tone(const char *wav, double hz)
{
    pl_audio_source *file;
    int16_t x[10 * PL_DEVICE_FRAME];
    int n = 0;
    PL_EQ(pl_wav_source_open(&file, wav, NULL), PL_OK);
    file->once = true;
    for (int tenth = 0;; tenth++) {
        for (int i = 0; i < 10; i++)
            if (pl_audio_source_read(file, x + i * PL_DEVICE_FRAME)) {
                pl_audio_source_close(file);
                return n;
            }
        n += tenth >= 5 && pl_tone_share(x, 10 * PL_DEVICE_FRAME, PL_DEVICE_HZ, hz) > 0.9;
    }
}

/* Pictures of the recording; their numbers must rise. */
static int pictures_in_order(const char *ivf)
{
    pl_video_source *file;
    pl_picture *pic;
    int n = 0;
    uint32_t last = 0;
    PL_EQ(pl_video_source_open(&file, ivf, NULL), PL_OK);
    file->once = true;
    while (pl_video_source_read(file, &pic) == PL_OK) {
        uint32_t number;
        PL_OKAY(pl_pattern_read(pic, &number));
        PL_OKAY(n == 0 || number > last);
        last = number;
        n++;
        pl_picture_put(pic);
    }
    pl_video_source_close(file);
    return n;
}

/* Ends the engines first, so that the files are whole. */
static void hang_up(side *a, side *b)
{
    pl_media_free(a->media);
    pl_media_free(b->media);
    a->media = b->media = NULL;
}

PL_TEST(sound_and_pictures_both_ways)
{
    side a, b;
    side_init(&a, "a", "tone:440", "pattern:320x180@30");
    side_init(&b, "b", "tone:1000", "pattern:160x120@15");
    add_tracks(&a, NULL, true);
    add_tracks(&b, NULL, true);
    negotiate(&a, &b);
    UNTIL(totals(&a).video_frames_recorded >= 20 && totals(&b).video_frames_recorded >= 40 &&
          totals(&a).audio_samples_recorded >= 3 * 48000 && totals(&b).audio_samples_recorded >= 3 * 48000);
    PL_LE(abs((int)totals(&a).received_tone_hz - 1000), 4);
    PL_LE(abs((int)totals(&b).received_tone_hz - 440), 4);
    pl_setup_times times;
    pl_peer_connection_get_setup_times(a.pc, &times);
    PL_OKAY(times.first_audio_us > 0 && times.first_video_us > 0);
    hang_up(&a, &b);
    PL_GE(tenths_with_tone(a.wav, 1000), 10);
    PL_GE(tenths_with_tone(b.wav, 440), 10);
    PL_GE(pictures_in_order(a.ivf), 20);
    PL_GE(pictures_in_order(b.ivf), 40);
    side_clear(&a);
    side_clear(&b);
}

PL_TEST(video_joins_a_call_whose_sound_goes_on)
{
    side a, b;
    side_init(&a, "a", "tone:600", "pattern:160x120@30");
    side_init(&b, "b", "none", NULL);
    add_tracks(&a, "PCMU", false);
    add_tracks(&b, NULL, false);
    negotiate(&a, &b);
    UNTIL(totals(&b).audio_samples_recorded >= 48000);
    add_tracks(&a, NULL, true);
    add_tracks(&b, NULL, true);
    negotiate(&a, &b);
    UNTIL(totals(&b).video_frames_recorded >= 10 && totals(&b).audio_samples_recorded >= 3 * 48000);
    PL_EQ(totals(&b).video_frames_sent, 0);
    PL_EQ(totals(&a).video_frames_recorded, 0);
    hang_up(&a, &b);
    PL_GE(tenths_with_tone(b.wav, 600), 15);
    PL_GE(pictures_in_order(b.ivf), 10);
    side_clear(&a);
    side_clear(&b);
}

PL_TEST(wrong_files_and_wrong_moments)
{
    char why[200];
    pl_media *m;
    PL_EQ(pl_media_new(&m, &(pl_media_conf){ .audio_source = "/nowhere.wav" }, why, sizeof why), PL_EIO);
    PL_OKAY(strstr(why, "/nowhere.wav") != NULL && m == NULL);
    PL_EQ(pl_media_new(&m, &(pl_media_conf){ .video_source = "film.mkv" }, why, sizeof why), PL_EINVAL);
    PL_EQ(pl_media_new(&m, &(pl_media_conf){ .record_video = "/nowhere/x.ivf" }, NULL, 0), PL_EIO);
    side s;
    pl_rtp_transceiver *other;
    side_init(&s, "a", "tone", "pattern");
    add_tracks(&s, NULL, true);
    PL_EQ(pl_media_attach(s.media, s.audio), PL_OK); /* the same again */
    PL_EQ(pl_peer_connection_add_transceiver(s.pc, PL_AUDIO, NULL, &other), PL_OK);
    PL_EQ(pl_media_attach(s.media, other), PL_ESTATE);
    side_clear(&s); /* never negotiated: the threads rest, and end */
    pl_media_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { t(sound_and_pictures_both_ways),
                                        t(video_joins_a_call_whose_sound_goes_on),
                                        t(wrong_files_and_wrong_moments) };
    return cmocka_run_group_tests(tests, begin, end);
}
