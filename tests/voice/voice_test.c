/* The voice engine in virtual time: speech and tones through networks that lose, delay and reorder. */
#include "pl_test.h"

#include <math.h>

#include "dsp/tone.h"
#include "dsp/vector.h"
#include "pl_alloc.h"
#include "voice_call.h"

static const sim_media_conf CLEAN = { .delay_us = 20000 };
static const sim_media_conf ROUGH = {
    .loss = 0.05, .delay_us = 40000, .jitter_us = 30000, .duplicate = 0.01
};

static double percent_concealed(const pl_media_stats *s)
{
    return 100.0 * (double)s->concealed_samples / (double)s->total_samples_received;
}

static double mean_delay_ms(const pl_media_stats *s)
{
    return (double)s->jitter_buffer_delay_us / (double)s->jitter_buffer_emitted_count / 1000;
}

PL_TEST(a_tone_arrives_whole)
{
    static const char *const codec[] = { "opus", "PCMU", "PCMA" };
    for (int i = 0; i < 3; i++) {
        static int16_t heard[48000];
        voice_call v;
        pl_tone tone;
        pl_tone_init(&tone, PL_VOICE_HZ, 440, -12);
        voice_call_init(&v, codec[i], &(pl_audio_conf){ .fec = true }, &CLEAN, 1);
        for (int step = 0; step < 300; step++) {
            int16_t in[PL_VOICE_FRAME];
            pl_tone_make(&tone, in, PL_VOICE_FRAME);
            voice_call_10ms(&v, in);
            if (step >= 200)
                memcpy(heard + (step - 200) * PL_VOICE_FRAME, v.heard, sizeof v.heard);
        }
        pl_media_stats s = voice_call_stats(&v);
        PL_EQ(s.concealed_samples, 0);
        PL_LE(mean_delay_ms(&s), 60);
        PL_GE(pl_tone_share(heard, 48000, PL_VOICE_HZ, 440) * 100, 97);
        PL_LE(fabs(20 * log10(s.audio_level) + 12) * 10, 10); /* within 1 dB */
        PL_OKAY(s.first_frame_us > 0);
        voice_call_clear(&v);
    }
}

/* Plays the recording, in a loop, for some seconds; returns the statistics. */
static pl_media_stats speak(const char *codec, const sim_media_conf *net, const int16_t *speech, size_t n,
                            int seconds, uint64_t seed, int64_t *worst_level_us)
{
    voice_call v;
    voice_call_init(&v, codec, &(pl_audio_conf){ .fec = true }, net, seed);
    for (int step = 0; step < seconds * 100; step++)
        voice_call_10ms(&v, speech + (size_t)step * PL_VOICE_FRAME % n);
    pl_media_stats s = voice_call_stats(&v);
    *worst_level_us = v.worst_level_us;
    voice_call_clear(&v);
    return s;
}

PL_TEST(speech_through_loss_and_jitter)
{
    enum { SEEDS = 12, SECONDS = 20 };
    size_t n;
    int16_t *speech = voice_speech(&n);
    uint64_t first = pl_test_seed(1);
    double sum[2] = { 0 };
    for (uint64_t seed = first; seed < first + SEEDS; seed++) {
        for (int g711 = 0; g711 < 2; g711++) {
            int64_t worst_us;
            pl_media_stats s = speak(g711 ? "PCMU" : "opus", &ROUGH, speech, n, SECONDS, seed, &worst_us);
            double concealed = percent_concealed(&s), delay = mean_delay_ms(&s);
            if (concealed > (g711 ? 10 : 4) || delay > 130 || worst_us > 250000)
                fail_msg("seed %llu, %s: %.1f %% concealed, %.0f ms mean delay, %.0f ms at most",
                         (unsigned long long)seed, g711 ? "PCMU" : "opus", concealed, delay,
                         (double)worst_us / 1000);
            sum[g711] += concealed;
        }
    }
    /* With redundancy most of the five percent come back; without, little more than they is invented. */
    PL_LE(sum[0] / SEEDS * 100, 250);
    PL_LE(sum[1] / SEEDS * 100, 800);
    free(speech);
}

PL_TEST(no_clicks)
{
    /* A tone's steps are bounded by its steepness; a splice or a concealment that clicks exceeds them. */
    static const char *const codec[] = { "opus", "PCMU" };
    for (int i = 0; i < 2; i++) {
        voice_call v;
        pl_tone tone;
        int n_steep = 0, last = 0;
        pl_tone_init(&tone, PL_VOICE_HZ, 300, -12);
        double steepest = tone.amplitude * tone.step;
        voice_call_init(&v, codec[i], &(pl_audio_conf){ .fec = true }, &ROUGH, pl_test_seed(3));
        for (int step = 0; step < 2000; step++) {
            int16_t in[PL_VOICE_FRAME];
            pl_tone_make(&tone, in, PL_VOICE_FRAME);
            voice_call_10ms(&v, in);
            for (int k = 0; k < PL_VOICE_FRAME; k++) {
                n_steep += abs(v.heard[k] - last) > 2.5 * steepest;
                last = v.heard[k];
            }
        }
        PL_LE(n_steep, 4);
        voice_call_clear(&v);
    }
}

PL_TEST(a_faster_clock_is_followed)
{
    size_t n;
    int16_t *speech = voice_speech(&n);
    for (int sign = -1; sign <= 1; sign += 2) {
        voice_call v;
        voice_call_init(&v, "opus", &(pl_audio_conf){ 0 }, &CLEAN, 1);
        v.drift = sign * 0.001; /* a thousand parts per million: far worse than real clocks */
        for (int step = 0; step < 60 * 100; step++)
            voice_call_10ms(&v, speech + (size_t)step * PL_VOICE_FRAME % n);
        pl_media_stats s = voice_call_stats(&v);
        PL_LE(percent_concealed(&s) * 100, 50);
        PL_LE(v.worst_level_us, 120000);
        PL_OKAY(sign > 0 ? s.removed_samples_for_acceleration > 1000
                         : s.inserted_samples_for_deceleration > 1000);
        voice_call_clear(&v);
    }
    free(speech);
}

PL_TEST(an_outage_is_survived_and_its_delay_worked_off)
{
    size_t n;
    int16_t *speech = voice_speech(&n);
    voice_call v;
    voice_call_init(&v, "opus", &(pl_audio_conf){ 0 }, &CLEAN, 1);
    for (int step = 0; step < 1500; step++) {
        if (step == 300)
            sim_media_blackout(v.net, v.now_us + 1500000);
        voice_call_10ms(&v, speech + (size_t)step * PL_VOICE_FRAME % n);
        if (step == 430) /* a second and more of concealment has faded to nothing */
            PL_EQ(pl_dsp_peak(v.heard, PL_VOICE_FRAME), 0);
    }
    pl_media_stats s = voice_call_stats(&v);
    PL_LE(s.concealed_samples, 48 * 1700);
    PL_GE(s.silent_concealed_samples, 48 * 1000);
    PL_LE(s.concealment_events, 3);
    PL_LE(pl_jitter_level_us(pl_playout_stream_jitter(v.stream)), 100000);

    /* A burst of what was held up somewhere, half a second late. */
    sim_media_set(v.net, &(sim_media_conf){ .delay_us = 520000 });
    for (int step = 0; step < 50; step++)
        voice_call_10ms(&v, speech);
    sim_media_set(v.net, &CLEAN);
    for (int step = 0; step < 2500; step++)
        voice_call_10ms(&v, speech + (size_t)step * PL_VOICE_FRAME % n);
    PL_LE(pl_jitter_level_us(pl_playout_stream_jitter(v.stream)), 200000);
    voice_call_clear(&v);
    free(speech);
}

PL_TEST(discontinuous_transmission)
{
    static const int16_t silence[PL_VOICE_FRAME];
    size_t n;
    int16_t *speech = voice_speech(&n);
    voice_call v;
    voice_call_init(&v, "opus", &(pl_audio_conf){ .dtx = true }, &CLEAN, 1);
    double said = 0, heard = 0;
    for (int step = 0; step < 1600; step++) {
        bool talking = step / 200 % 2 == 0;
        const int16_t *in = talking ? speech + (size_t)step * PL_VOICE_FRAME % n : silence;
        voice_call_10ms(&v, in);
        said += pl_dsp_power(in, PL_VOICE_FRAME);
        heard += pl_dsp_power(v.heard, PL_VOICE_FRAME);
    }
    PL_LE(sim_media_sent(v.net), 700); /* of 800 */
    PL_GE(heard / said * 100, 70);
    PL_LE(v.worst_level_us, 150000);
    voice_call_clear(&v);
    free(speech);
}

PL_TEST(ten_milliseconds_allocate_nothing)
{
    static const char *const codec[] = { "opus", "PCMU" };
    size_t n;
    int16_t *speech = voice_speech(&n);
    for (int i = 0; i < 2; i++) {
        voice_call v;
        voice_call_init(&v, codec[i], &(pl_audio_conf){ .fec = true }, &ROUGH, pl_test_seed(9));
        size_t before = pl_allocs();
        for (int step = 0; step < 500; step++)
            voice_call_10ms(&v, speech + (size_t)step * PL_VOICE_FRAME % n);
        PL_EQ(pl_allocs() - before, 0);
        voice_call_clear(&v);
    }
    void *p = malloc(16); /* the counter counts */
    size_t before = pl_allocs();
    free(p);
    p = malloc(32);
    PL_OKAY(p != NULL);
    PL_EQ(pl_allocs() - before, 1);
    free(p);
    free(speech);
}

PL_TEST(streams_are_mixed_and_detached)
{
    voice_call a, b;
    pl_tone tone_a, tone_b;
    pl_tone_init(&tone_a, PL_VOICE_HZ, 400, -20);
    pl_tone_init(&tone_b, PL_VOICE_HZ, 1000, -20);
    voice_call_init(&a, "opus", &(pl_audio_conf){ 0 }, &CLEAN, 1);
    voice_call_init(&b, "PCMA", &(pl_audio_conf){ 0 }, &CLEAN, 2);
    PL_EQ(pl_playout_attach(a.playout, b.stream), PL_OK);
    pl_playout_detach(b.playout, b.stream);
    static int16_t mix[48000];
    for (int step = 0; step < 200; step++) {
        int16_t in[PL_VOICE_FRAME];
        pl_tone_make(&tone_b, in, PL_VOICE_FRAME);
        voice_call_10ms(&b, in); /* its own mixer has nothing to play */
        PL_EQ(pl_dsp_peak(b.heard, PL_VOICE_FRAME), 0);
        pl_tone_make(&tone_a, in, PL_VOICE_FRAME);
        voice_call_10ms(&a, in);
        if (step >= 100)
            memcpy(mix + (step - 100) * PL_VOICE_FRAME, a.heard, sizeof a.heard);
    }
    double share_a = pl_tone_share(mix, 48000, PL_VOICE_HZ, 400),
           share_b = pl_tone_share(mix, 48000, PL_VOICE_HZ, 1000);
    PL_GE(share_a * 100, 40);
    PL_GE(share_b * 100, 40);
    pl_playout_detach(a.playout, b.stream);
    voice_call_clear(&a);
    voice_call_clear(&b);
}

PL_TEST(capture_marks_and_measures)
{
    size_t n;
    int16_t *speech = voice_speech(&n);
    pl_ring *out;
    pl_capture *c;
    PL_EQ(pl_ring_new(&out, sizeof(pl_media_msg), 4), PL_OK);
    pl_capture_conf conf = { .outbox = out, .codec = pl_audio_codec_find("PCMU"), .pt = 0, .first_ts = 1000 };
    PL_EQ(pl_capture_new(&c, &(pl_capture_conf){ .outbox = out, .codec = conf.codec, .packet_ms = 30 }),
          PL_EINVAL);
    PL_EQ(pl_capture_new(&c, &conf), PL_OK);
    int voiced = 0;
    for (int step = 1; step <= 600; step++) {
        bool talking = step <= 400;
        pl_capture_10ms(c, step * 10000, talking ? speech + (size_t)step * PL_VOICE_FRAME : NULL);
        if (step % 2)
            continue;
        pl_media_msg m;
        PL_OKAY(pl_ring_pop(out, &m));
        PL_EQ(m.kind, PL_MEDIA_PACKET);
        PL_EQ(m.u.packet.rtp_ts, 1000 + (step / 2 - 1) * 160);
        PL_EQ(m.u.packet.marker, step == 2);
        PL_EQ(m.u.packet.arrival_us, (step - 1) * 10000);
        PL_EQ(m.u.packet.len, 160);
        voiced += talking && m.u.packet.voice;
        if (step > 440) {
            PL_EQ(m.u.packet.audio_level, 127);
            PL_OKAY(!m.u.packet.voice);
        }
        while (pl_ring_pop(out, &m))
            PL_EQ(m.kind, PL_MEDIA_STATS);
    }
    PL_GE(voiced, 120);                   /* of 200 packets of speech with its pauses */
    for (int step = 0; step < 20; step++) /* nobody takes packets out: dropped, not grown */
        pl_capture_10ms(c, 0, NULL);
    PL_EQ(pl_capture_dropped(c), 6);
    pl_capture_free(c);
    pl_ring_free(out);
    free(speech);
}

PL_TESTS(t(a_tone_arrives_whole), t(speech_through_loss_and_jitter), t(no_clicks),
         t(a_faster_clock_is_followed), t(an_outage_is_survived_and_its_delay_worked_off),
         t(discontinuous_transmission), t(ten_milliseconds_allocate_nothing),
         t(streams_are_mixed_and_detached), t(capture_marks_and_measures))
