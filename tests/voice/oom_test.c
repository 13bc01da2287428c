/* Every allocation of a voice engine's life fails once: it is refused whole, nothing leaks, nothing breaks. */
#include "pl_test.h"

#include "base/ring.h"
#include "pl_alloc.h"
#include "voice/capture.h"
#include "voice/playout.h"

static pl_err live(void)
{
    pl_ring *in = NULL, *out = NULL;
    pl_capture *capture = NULL;
    pl_playout *playout = NULL;
    pl_playout_stream *stream = NULL;
    pl_err err = pl_ring_new(&in, sizeof(pl_media_msg), 4);
    if (!err)
        err = pl_ring_new(&out, sizeof(pl_media_msg), 4);
    pl_capture_conf c = { .outbox = out, .codec = pl_audio_codec_find("PCMU") };
    pl_playout_stream_conf p = { .inbox = in,
                                 .jitter = { .codec = { { 111, pl_audio_codec_find("opus") },
                                                        { 0, pl_audio_codec_find("PCMU") } },
                                             .n_codecs = 2 } };
    if (!err)
        err = pl_capture_new(&capture, &c);
    if (!err)
        err = pl_playout_new(&playout);
    if (!err)
        err = pl_playout_stream_new(&stream, &p);
    if (!err)
        err = pl_playout_attach(playout, stream);
    for (int i = 0; i < 4 && !err; i++) {
        int16_t frame[PL_VOICE_FRAME];
        pl_capture_10ms(capture, i * 10000, NULL);
        pl_playout_10ms(playout, i * 10000, frame);
    }
    pl_playout_free(playout);
    pl_playout_stream_free(stream);
    pl_capture_free(capture);
    pl_ring_free(in);
    pl_ring_free(out);
    return err;
}

PL_TEST(each_allocation_fails_once)
{
    long n = 0;
    for (bool failed = true; failed; n++) {
        pl_alloc_fail_after(n);
        pl_err err = live();
        failed = pl_alloc_has_failed();
        PL_EQ(err, failed ? PL_ENOMEM : PL_OK);
    }
    PL_GE(n, 12);
}

PL_TESTS(t(each_allocation_fails_once))
