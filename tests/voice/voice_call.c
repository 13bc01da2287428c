#include "voice_call.h"

#include "pl_test.h"

#include "dsp/resample.h"

void voice_call_init(voice_call *v, const char *name, const pl_audio_conf *audio, const sim_media_conf *net,
                     uint64_t seed)
{
    *v = (voice_call){ .now_us = 1000000, .sender_us = 1000000 };
    const pl_audio_codec *codec = pl_audio_codec_find(name);
    PL_EQ(pl_ring_new(&v->capture_out, sizeof(pl_media_msg), 32), PL_OK);
    PL_EQ(pl_ring_new(&v->capture_in, sizeof(pl_media_msg), 8), PL_OK);
    PL_EQ(pl_ring_new(&v->playout_in, sizeof(pl_media_msg), 256), PL_OK);
    PL_EQ(pl_ring_new(&v->playout_out, sizeof(pl_media_msg), 8), PL_OK);
    pl_capture_conf c = { .inbox = v->capture_in, .outbox = v->capture_out, .codec = codec, .pt = VOICE_PT };
    c.audio = *audio;
    c.first_ts = 0xfffff000u; /* it will wrap */
    PL_EQ(pl_capture_new(&v->capture, &c), PL_OK);
    pl_playout_stream_conf p = { .inbox = v->playout_in, .outbox = v->playout_out };
    p.jitter.codec[0] = (pl_voice_pt){ VOICE_PT, codec };
    p.jitter.n_codecs = 1;
    PL_EQ(pl_playout_new(&v->playout), PL_OK);
    PL_EQ(pl_playout_stream_new(&v->stream, &p), PL_OK);
    PL_EQ(pl_playout_attach(v->playout, v->stream), PL_OK);
    v->net = sim_media_new(net, seed);
}

void voice_call_clear(voice_call *v)
{
    pl_playout_detach(v->playout, v->stream);
    pl_playout_stream_free(v->stream);
    pl_playout_free(v->playout);
    pl_capture_free(v->capture);
    pl_ring_free(v->capture_out);
    pl_ring_free(v->capture_in);
    pl_ring_free(v->playout_in);
    pl_ring_free(v->playout_out);
    sim_media_free(v->net);
}

static void say(voice_call *v, const int16_t *in)
{
    pl_capture_10ms(v->capture, (int64_t)v->sender_us, in);
    for (const pl_media_msg *m; (m = pl_ring_peek(v->capture_out)); pl_ring_drop(v->capture_out))
        if (m->kind == PL_MEDIA_PACKET)
            sim_media_send(v->net, (int64_t)v->sender_us, &m->u.packet);
}

void voice_call_10ms(voice_call *v, const int16_t *in)
{
    v->now_us += 10000;
    for (; v->sender_us < (double)v->now_us; v->sender_us += 10000 / (1 + v->drift))
        say(v, in);
    pl_media_msg m = { .kind = PL_MEDIA_PACKET };
    while (sim_media_recv(v->net, v->now_us, &m.u.packet))
        PL_OKAY(pl_ring_push(v->playout_in, &m));
    pl_playout_10ms(v->playout, v->now_us, v->heard);
    while (pl_ring_peek(v->playout_out))
        pl_ring_drop(v->playout_out);
    int64_t level_us = pl_jitter_level_us(pl_playout_stream_jitter(v->stream));
    v->worst_level_us = level_us > v->worst_level_us ? level_us : v->worst_level_us;
}

pl_media_stats voice_call_stats(const voice_call *v)
{
    pl_media_stats s;
    pl_playout_stream_stats(v->stream, &s);
    return s;
}

int16_t *voice_speech(size_t *n)
{
    enum { HEADER = 44, SAMPLES = 80000, HZ = 8000 };
    uint8_t *raw = malloc(HEADER + 2 * SAMPLES);
    int16_t *in = malloc(SAMPLES * sizeof *in), *out = malloc(6 * SAMPLES * sizeof *out);
    FILE *f = fopen(PL_TEST_DATA "/../../share/media/speech.wav", "rb");
    PL_OKAY(raw && in && out && f);
    size_t got = fread(raw, 1, HEADER + 2 * SAMPLES, f);
    PL_EQ(got, HEADER + 2 * SAMPLES);
    PL_EQ(fclose(f), 0);
    for (int i = 0; i < SAMPLES; i++)
        in[i] = (int16_t)(raw[HEADER + 2 * i] | raw[HEADER + 2 * i + 1] << 8);
    pl_resampler *r;
    size_t used;
    PL_EQ(pl_resampler_new(&r, HZ, PL_VOICE_HZ), PL_OK);
    *n = pl_resampler_run(r, in, SAMPLES, &used, out, 6 * SAMPLES);
    PL_EQ(used, SAMPLES);
    pl_resampler_free(r);
    free(raw);
    free(in);
    return out;
}
