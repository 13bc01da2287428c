/* video_recv.c - the decoder thread: sleeps until packets come or a frame is due, decodes, records. */
#include "call/call_internal.h"

#include "video/receive.h"

enum { REST_US = 200000 };

static int64_t clock_us(void *ctx)
{
    (void)ctx;
    return pl_clock_us();
}

static void drop(call_video_recv *v)
{
    pl_video_receive_free(v->receive);
    v->receive = NULL;
}

static void follow_terms(pl_media *m)
{
    call_video_recv *v = &m->video_recv;
    const pl_pc_media_info *info = &v->engine.info;
    if (!call_terms_changed(&m->video_side, &v->engine).recv)
        return;
    drop(v);
    if (!info->receiving)
        return;
    pl_video_receive_conf conf = { .inbox = m->video_side.rings.recv_in,
                                   .outbox = m->video_side.rings.recv_out,
                                   .clock_us = clock_us };
    for (int i = 0; i < info->n_recv && conf.n_codecs < PL_VIDEO_PT_MAX; i++) {
        const pl_video_codec *codec = pl_video_codec_find(info->recv[i].name);
        if (codec)
            conf.codec[conf.n_codecs++] = (pl_video_pt){ info->recv[i].pt, codec };
    }
    pl_err err = pl_video_receive_new(&v->receive, &conf);
    if (err)
        pl_log_warn(&m->log, "video cannot be received: %s", pl_err_str(err));
}

static void take_frame(call_video_recv *v, pl_video_out *out)
{
    bool whole = true;
    if (v->sink) {
        whole = pl_video_sink_encoded(v->sink, out->ext_ts, out->codec, &out->encoded) == PL_OK;
        if (out->picture)
            whole &= pl_video_sink_picture(v->sink, out->ext_ts, out->picture) == PL_OK;
        if (whole)
            atomic_fetch_add(&v->n_recorded, 1);
    }
    pl_picture_put(out->picture);
}

void call_video_recv_run(void *arg)
{
    pl_media *m = arg;
    call_video_recv *v = &m->video_recv;
    while (!atomic_load(&v->engine.stop)) {
        pl_video_out out;
        follow_terms(m);
        int64_t now_us = pl_clock_us();
        if (!v->receive) {
            pl_sem_wait_until(&v->engine.bell, now_us + REST_US);
            continue;
        }
        while (pl_video_receive_poll(v->receive, now_us, &out)) {
            take_frame(v, &out);
            now_us = pl_clock_us();
        }
        call_kick(&m->video_side);
        pl_sem_wait_until(&v->engine.bell, pl_min_us(pl_video_receive_next_us(v->receive), now_us + REST_US));
    }
    drop(v);
}
