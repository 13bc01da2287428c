/* One direction of a video call in virtual time: real pictures, real VP8, a bad network between. */
#include "pl_test.h"

#include "pl_alloc.h"
#include "sim/media_net.h"
#include "video/receive.h"
#include "video/send.h"

enum { WIDTH = 320, HEIGHT = 180, PT = 96, KEEP = 64 };

typedef struct video_call {
    pl_ring *send_in, *send_out, *recv_in, *recv_out;
    pl_video_send *send;
    pl_video_receive *recv;
    pl_picture_pool *pool;
    sim_media *net;
    int64_t now_us, next_us, key_at_us;
    uint32_t n_sent, n_shown, n_keys_asked;
    double worst_psnr;
    int64_t longest_us, shown_us;
    pl_picture *sent[KEEP]; /* by capture number, to compare with */
} video_call;

static void draw(pl_picture *pic, uint32_t number)
{
    for (int plane = 0; plane < 3; plane++)
        for (unsigned y = 0; y < pl_picture_plane_height(pic, plane); y++)
            for (unsigned x = 0; x < pl_picture_plane_width(pic, plane); x++)
                pic->plane[plane][y * (unsigned)pic->stride[plane] + x] =
                    (uint8_t)((x + y + number * 2) / 2 % 160 + (x / 16 + number / 10) % 4 * 10 + 20);
}

static void call_init(video_call *v, const sim_media_conf *net, uint64_t seed)
{
    *v = (video_call){ .now_us = 1000000, .next_us = 1000000, .key_at_us = -1, .worst_psnr = 100 };
    const pl_video_codec *vp8 = pl_video_codec_find("VP8");
    PL_EQ(pl_ring_new(&v->send_in, sizeof(pl_media_msg), 8), PL_OK);
    PL_EQ(pl_ring_new(&v->send_out, sizeof(pl_media_msg), 256), PL_OK);
    PL_EQ(pl_ring_new(&v->recv_in, sizeof(pl_media_msg), 512), PL_OK);
    PL_EQ(pl_ring_new(&v->recv_out, sizeof(pl_media_msg), 8), PL_OK);
    PL_EQ(pl_picture_pool_new(&v->pool, 32), PL_OK);
    pl_video_send_conf s = { .inbox = v->send_in,
                             .outbox = v->send_out,
                             .codec = vp8,
                             .pt = PT,
                             .first_picture_id = 0x7ff0,
                             .first_ts = 0xffff0000u,
                             .bitrate_bps = 600000 };
    PL_EQ(pl_video_send_new(&v->send, &s), PL_OK);
    pl_video_receive_conf r = {
        .inbox = v->recv_in, .outbox = v->recv_out, .codec = { { PT, vp8 } }, .n_codecs = 1
    };
    PL_EQ(pl_video_receive_new(&v->recv, &r), PL_OK);
    v->net = sim_media_new(net, seed);
}

static void call_clear(video_call *v)
{
    for (int i = 0; i < KEEP; i++)
        pl_picture_put(v->sent[i]);
    pl_video_send_free(v->send);
    pl_video_receive_free(v->recv);
    pl_picture_pool_free(v->pool);
    pl_ring_free(v->send_in);
    pl_ring_free(v->send_out);
    pl_ring_free(v->recv_in);
    pl_ring_free(v->recv_out);
    sim_media_free(v->net);
}

static void send_picture(video_call *v)
{
    pl_picture **kept = &v->sent[v->n_sent % 24];
    pl_picture_put(*kept);
    *kept = pl_picture_get(v->pool, WIDTH, HEIGHT);
    PL_OKAY(*kept != NULL);
    draw(*kept, v->n_sent++);
    (*kept)->time_us = v->now_us;
    if (v->key_at_us >= 0 && v->now_us >= v->key_at_us) {
        PL_OKAY(pl_ring_push(v->send_in, &(pl_media_msg){ .kind = PL_MEDIA_WANT_KEY }));
        v->key_at_us = -1;
    }
    pl_video_send_picture(v->send, v->now_us, *kept);
    for (const pl_media_msg *m; (m = pl_ring_peek(v->send_out)); pl_ring_drop(v->send_out))
        if (m->kind == PL_MEDIA_PACKET)
            sim_media_send(v->net, v->now_us, &m->u.packet);
}

static void show(video_call *v, const pl_video_out *out)
{
    for (int i = 0; i < 24; i++)
        if (v->sent[i] && 0xffff0000u + (uint32_t)(v->sent[i]->time_us * 9 / 100) == out->rtp_ts) {
            double psnr = pl_picture_psnr(v->sent[i], out->picture);
            v->worst_psnr = psnr < v->worst_psnr ? psnr : v->worst_psnr;
        }
    if (v->n_shown++ && v->now_us - v->shown_us > v->longest_us)
        v->longest_us = v->now_us - v->shown_us;
    v->shown_us = v->now_us;
    pl_picture_put(out->picture);
}

static void call_1ms(video_call *v)
{
    v->now_us += 1000;
    if (v->now_us >= v->next_us) {
        send_picture(v);
        v->next_us += 33333;
    }
    pl_media_msg m = { .kind = PL_MEDIA_PACKET };
    while (sim_media_recv(v->net, v->now_us, &m.u.packet))
        PL_OKAY(pl_ring_push(v->recv_in, &m));
    for (pl_video_out out; pl_video_receive_poll(v->recv, v->now_us, &out);)
        show(v, &out);
    for (const pl_media_msg *r; (r = pl_ring_peek(v->recv_out)); pl_ring_drop(v->recv_out))
        if (r->kind == PL_MEDIA_WANT_KEY) {
            v->key_at_us = v->now_us + 40000; /* the request needs time too */
            v->n_keys_asked++;
        }
}

PL_TEST(a_clean_network_shows_everything)
{
    video_call v;
    call_init(&v, &(sim_media_conf){ .delay_us = 20000, .jitter_us = 5000 }, 1);
    for (int ms = 0; ms < 4000; ms++)
        call_1ms(&v);
    PL_GE(v.n_shown, v.n_sent - 3);
    PL_GE(v.worst_psnr, 28);
    PL_EQ(v.n_keys_asked, 0);
    PL_LE(v.longest_us, 60000);
    pl_media_stats s;
    pl_video_receive_stats(v.recv, &s);
    PL_EQ(s.freeze_count, 0);
    PL_EQ(s.frames_decoded, v.n_shown);
    PL_EQ(s.key_frames_decoded, 1);
    PL_EQ(s.frame_width, WIDTH);
    PL_LE(s.jitter_buffer_delay_us / s.jitter_buffer_emitted_count, 20000);
    pl_video_send_stats(v.send, &s);
    PL_EQ(s.frames_encoded + s.frames_dropped, v.n_sent);
    call_clear(&v);
}

PL_TEST(loss_never_shows_a_broken_picture)
{
    uint64_t first = pl_test_seed(1);
    for (uint64_t seed = first; seed < first + 6; seed++) {
        video_call v;
        call_init(&v,
                  &(sim_media_conf){ .loss = 0.05,
                                     .delay_us = 40000,
                                     .jitter_us = 30000,
                                     .retransmit_us = 90000,
                                     .retransmits = 1 },
                  seed);
        PL_OKAY(pl_ring_push(v.recv_in, &(pl_media_msg){ .kind = PL_MEDIA_RTT, .u.rtt_us = 95000 }));
        for (int ms = 0; ms < 8000; ms++)
            call_1ms(&v);
        pl_media_stats s;
        pl_video_receive_stats(v.recv, &s);
        if (v.worst_psnr < 25 || v.n_shown < v.n_sent * 80 / 100 || v.longest_us > 1500000)
            fail_msg("seed %llu: worst picture %.1f dB, %u of %u shown, longest pause %lld ms",
                     (unsigned long long)seed, v.worst_psnr, v.n_shown, v.n_sent,
                     (long long)(v.longest_us / 1000));
        call_clear(&v);
    }
}

PL_TEST(an_outage_is_seen_as_a_freeze_and_ends)
{
    video_call v;
    call_init(&v, &(sim_media_conf){ .delay_us = 20000 }, 1);
    for (int ms = 0; ms < 6000; ms++) {
        if (ms == 2000)
            sim_media_blackout(v.net, v.now_us + 1000000);
        call_1ms(&v);
    }
    pl_media_stats s;
    pl_video_receive_stats(v.recv, &s);
    PL_EQ(s.freeze_count, 1);
    PL_GE(s.total_freezes_us, 1000000);
    PL_LE(s.total_freezes_us, 1500000);
    PL_GE(v.n_keys_asked, 1);
    PL_LE(v.n_keys_asked, 3);
    PL_EQ(s.key_frames_decoded, 2);
    PL_GE(v.worst_psnr, 25);
    call_clear(&v);
}

PL_TEST(bit_rate_key_frames_and_the_end)
{
    video_call v;
    call_init(&v, &(sim_media_conf){ .delay_us = 1000 }, 1);
    for (int ms = 0; ms < 1000; ms++)
        call_1ms(&v);
    /* Five requests at once make one key frame. */
    for (int i = 0; i < 5; i++)
        PL_OKAY(pl_ring_push(v.send_in, &(pl_media_msg){ .kind = PL_MEDIA_WANT_KEY }));
    for (int ms = 0; ms < 1000; ms++)
        call_1ms(&v);
    pl_media_stats s;
    pl_video_send_stats(v.send, &s);
    PL_EQ(s.key_frames_encoded, 2);
    /* At 30 kbit/s the pictures become smaller and fewer. */
    PL_OKAY(pl_ring_push(v.send_in, &(pl_media_msg){ .kind = PL_MEDIA_BITRATE, .u.rate_bps = 30000 }));
    for (int ms = 0; ms < 2000; ms++)
        call_1ms(&v);
    pl_video_receive_stats(v.recv, &s);
    PL_EQ(s.frame_width, WIDTH / 2);
    PL_LE(s.frames_per_second, 17);
    PL_OKAY(pl_ring_push(v.send_in, &(pl_media_msg){ .kind = PL_MEDIA_STOP }));
    PL_OKAY(pl_ring_push(v.recv_in, &(pl_media_msg){ .kind = PL_MEDIA_STOP }));
    uint32_t before = v.n_shown;
    for (int ms = 0; ms < 500; ms++)
        call_1ms(&v);
    PL_LE(v.n_shown - before, 2);
    call_clear(&v);
}

/* A full outbox loses the rest of a frame; the sender knows that a key frame must follow. */
PL_TEST(a_full_outbox_forces_a_key_frame)
{
    video_call v;
    call_init(&v, &(sim_media_conf){ .delay_us = 1000 }, 1);
    pl_picture *pic = pl_picture_get(v.pool, WIDTH, HEIGHT);
    for (int i = 0; i < 400; i++) { /* nobody takes packets out */
        draw(pic, (uint32_t)i);
        pic->time_us = v.now_us += 33333;
        pl_video_send_picture(v.send, v.now_us, pic);
    }
    while (pl_ring_peek(v.send_out))
        pl_ring_drop(v.send_out);
    pl_media_stats before, after;
    pl_video_send_stats(v.send, &before);
    draw(pic, 1000);
    pic->time_us = v.now_us += 400000;
    pl_video_send_picture(v.send, v.now_us, pic);
    pl_video_send_stats(v.send, &after);
    PL_EQ(after.key_frames_encoded, before.key_frames_encoded + 1);
    pl_picture_put(pic);
    call_clear(&v);
}

PL_TEST(bad_configurations)
{
    pl_video_send *s;
    pl_video_receive *r;
    pl_ring *ring;
    PL_EQ(pl_ring_new(&ring, sizeof(pl_media_msg), 2), PL_OK);
    pl_video_codec vp9 = *pl_video_codec_find("VP8");
    vp9.name = "VP9";
    PL_EQ(pl_video_send_new(&s, &(pl_video_send_conf){ .inbox = ring, .outbox = ring, .codec = &vp9 }),
          PL_ENOTSUP);
    PL_EQ(pl_video_send_new(&s, &(pl_video_send_conf){ .inbox = ring, .outbox = ring }), PL_EINVAL);
    PL_EQ(pl_video_receive_new(&r, &(pl_video_receive_conf){ .inbox = ring, .outbox = ring }), PL_EINVAL);
    pl_video_receive_conf conf = { .inbox = ring, .outbox = ring, .codec = { { 96, &vp9 } }, .n_codecs = 1 };
    PL_EQ(pl_video_receive_new(&r, &conf), PL_EINVAL);
    pl_ring_free(ring);
}

PL_TEST(steady_state_allocates_nothing)
{
    video_call v;
    call_init(&v, &(sim_media_conf){ .delay_us = 20000, .jitter_us = 5000 }, 1);
    for (int ms = 0; ms < 2000; ms++)
        call_1ms(&v);
    size_t before = pl_allocs();
    for (int ms = 0; ms < 2000; ms++)
        call_1ms(&v);
    PL_EQ(pl_allocs() - before, 0);
    call_clear(&v);
}

PL_TESTS(t(a_clean_network_shows_everything), t(loss_never_shows_a_broken_picture),
         t(an_outage_is_seen_as_a_freeze_and_ends), t(bit_rate_key_frames_and_the_end),
         t(a_full_outbox_forces_a_key_frame), t(bad_configurations), t(steady_state_allocates_nothing))
