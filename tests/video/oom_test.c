/* Every allocation of a video engine's life fails once, libvpx's too: it is refused or a picture is lost, nothing
 * leaks, nothing breaks. */
#include "pl_test.h"

#include "base/ring.h"
#include "pl_alloc.h"
#include "video/receive.h"
#include "video/send.h"

typedef struct life {
    pl_ring *send_in, *between, *recv_out;
    pl_video_send *send;
    pl_video_receive *recv;
    pl_picture_pool *pool;
    int n_shown;
} life;

static pl_err begin(life *l)
{
    const pl_video_codec *vp8 = pl_video_codec_find("VP8");
    pl_err err = pl_ring_new(&l->send_in, sizeof(pl_media_msg), 4);
    if (!err)
        err = pl_ring_new(&l->between, sizeof(pl_media_msg), 64);
    if (!err)
        err = pl_ring_new(&l->recv_out, sizeof(pl_media_msg), 4);
    pl_video_send_conf s = { .inbox = l->send_in, .outbox = l->between, .codec = vp8, .pt = 96 };
    if (!err)
        err = pl_video_send_new(&l->send, &s);
    pl_video_receive_conf r = {
        .inbox = l->between, .outbox = l->recv_out, .codec = { { 96, vp8 } }, .n_codecs = 1
    };
    if (!err)
        err = pl_video_receive_new(&l->recv, &r);
    return err ? err : pl_picture_pool_new(&l->pool, 2);
}

static void show_some(life *l)
{
    for (int i = 1; i <= 3; i++) {
        pl_picture *pic = pl_picture_get(l->pool, 64, 64);
        if (!pic)
            continue;
        for (int plane = 0; plane < 3; plane++)
            memset(pic->plane[plane], i * 40,
                   (size_t)pic->stride[plane] * pl_picture_plane_height(pic, plane));
        pic->time_us = i * 33333;
        pl_video_send_picture(l->send, pic->time_us, pic);
        pl_picture_put(pic);
        /* The network is the ring itself; its packets lack only their numbers. */
        pl_media_msg m;
        int64_t seq = i * 1000;
        for (size_t n = pl_ring_len(l->between); n > 0; n--) {
            PL_OKAY(pl_ring_pop(l->between, &m));
            m.u.packet.ext_seq = seq++;
            PL_OKAY(pl_ring_push(l->between, &m));
        }
        pl_video_out out;
        while (pl_video_receive_poll(l->recv, i * 33333, &out)) {
            l->n_shown += out.picture != NULL;
            pl_picture_put(out.picture);
        }
    }
}

static void end(life *l)
{
    pl_video_send_free(l->send);
    pl_video_receive_free(l->recv);
    pl_picture_pool_free(l->pool);
    pl_ring_free(l->send_in);
    pl_ring_free(l->between);
    pl_ring_free(l->recv_out);
}

PL_TEST(each_allocation_fails_once)
{
    long n = 0;
    for (bool failed = true; failed; n++) {
        life l = { 0 };
        pl_alloc_fail_after(n);
        pl_err err = begin(&l);
        if (!err)
            show_some(&l);
        failed = pl_alloc_has_failed();
        PL_OKAY(err == PL_OK || (err == PL_ENOMEM && failed));
        if (!failed)
            PL_GE(l.n_shown, 1);
        end(&l);
    }
    PL_GE(n, 12);
}

PL_TESTS(t(each_allocation_fails_once))
