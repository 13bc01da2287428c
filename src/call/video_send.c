/* video_send.c - the encoder thread: reads pictures at their times, encodes, hands packets to the loop. */
#include "call/call_internal.h"

#include <string.h>

#include "video/send.h"

enum { BEHIND_US = 500000, REST_US = 200000 };

static int64_t clock_us(void *ctx)
{
    (void)ctx;
    return pl_clock_us();
}

static void drop(call_video_send *v)
{
    pl_video_send_free(v->send);
    v->send = NULL;
}

static void follow_terms(pl_media *m)
{
    call_video_send *v = &m->video_send;
    const pl_pc_media_info *info = &v->engine.info;
    if (!call_terms_changed(&m->video_side, &v->engine).send)
        return;
    drop(v);
    if (!info->sending)
        return;
    pl_video_send_conf conf = { .inbox = m->video_side.rings.send_in,
                                .outbox = m->video_side.rings.send_out,
                                .codec = pl_video_codec_find(info->send_codec),
                                .pt = info->send_pt,
                                .first_picture_id = (uint16_t)(pl_rand_u32(NULL) & 0x7fff),
                                .first_ts = pl_rand_u32(NULL),
                                .bitrate_bps = 500000,
                                .clock_us = clock_us };
    pl_err err = conf.codec ? pl_video_send_new(&v->send, &conf) : PL_ENOTSUP;
    if (err)
        pl_log_warn(&m->log, "video cannot be sent as %s: %s", info->send_codec, pl_err_str(err));
    v->start_us = pl_clock_us();
    v->n_read = 0;
}

static void show(pl_media *m, int64_t now_us)
{
    call_video_send *v = &m->video_send;
    pl_picture *pic = NULL;
    v->n_read++;
    if (pl_video_source_read(v->source, &pic))
        return; /* every picture is still in use, or the file has gone: this one is left out */
    pic->time_us = now_us;
    pl_video_send_picture(v->send, now_us, pic);
    pl_picture_put(pic);
    atomic_fetch_add(&v->n_sent, 1);
    call_kick(&m->video_side);
}

void call_video_send_run(void *arg)
{
    pl_media *m = arg;
    call_video_send *v = &m->video_send;
    while (!atomic_load(&v->engine.stop)) {
        follow_terms(m);
        int64_t now_us = pl_clock_us();
        if (!v->send) {
            pl_sem_wait_until(&v->engine.bell, now_us + REST_US);
            continue;
        }
        int64_t due_us = v->start_us + pl_video_source_due_us(v->source, v->n_read);
        if (now_us < due_us) {
            pl_sem_wait_until(&v->engine.bell, due_us);
            continue;
        }
        if (now_us - due_us > BEHIND_US) /* the machine slept or is too slow: begin the time anew */
            v->start_us += now_us - due_us;
        show(m, now_us);
    }
    drop(v);
}
