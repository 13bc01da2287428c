/* voice_call.h - one direction of a voice call in virtual time: capture, network, playout. */
#ifndef VOICE_CALL_H
#define VOICE_CALL_H

#include "sim/media_net.h"
#include "voice/capture.h"
#include "voice/playout.h"

enum { VOICE_PT = 111 };

typedef struct voice_call {
    pl_ring *capture_out, *capture_in, *playout_in, *playout_out;
    pl_capture *capture;
    pl_playout *playout;
    pl_playout_stream *stream;
    sim_media *net;
    int64_t now_us;
    int64_t worst_level_us; /* what the jitter buffer held at most */
    double drift;           /* how much faster the sender's clock runs */
    double sender_us;
    int16_t heard[PL_VOICE_FRAME]; /* in the last step */
} voice_call;

void voice_call_init(voice_call *v, const char *codec, const pl_audio_conf *audio, const sim_media_conf *net,
                     uint64_t seed);
void voice_call_clear(voice_call *v);
/* 10 ms: in is what is said, v->heard what is heard. */
void voice_call_10ms(voice_call *v, const int16_t *in);
pl_media_stats voice_call_stats(const voice_call *v);
/* The speech recording at 48 kHz; *n samples, owned by the caller. */
int16_t *voice_speech(size_t *n);

#endif
