/* media.c - the public face of the engines: opens sources and sinks, docks at transceivers, starts threads. */
#include "call/call_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool named(const char *what)
{
    return what && strcmp(what, "none") != 0;
}

static pl_err open_devices(pl_media *m, const pl_media_conf *conf, char why[PL_DEVICE_WHY_MAX])
{
    pl_err err = PL_OK;
    if (named(conf->audio_source))
        err = pl_audio_source_open(&m->audio.source, conf->audio_source, why);
    if (!err && named(conf->record_audio))
        err = pl_audio_sink_open(&m->audio.sink, conf->record_audio, why);
    if (!err && named(conf->video_source))
        err = pl_video_source_open(&m->video_send.source, conf->video_source, why);
    if (!err && named(conf->record_video))
        err = pl_video_sink_open(&m->video_recv.sink, conf->record_video, why);
    if (m->audio.source)
        m->audio.source->once = conf->play_once;
    if (m->video_send.source)
        m->video_send.source->once = conf->play_once;
    return err;
}

pl_err pl_media_new(pl_media **out, const pl_media_conf *conf, char *error, size_t cap)
{
    char why[PL_DEVICE_WHY_MAX] = "";
    *out = NULL;
    pl_media *m = calloc(1, sizeof *m);
    if (!m)
        return PL_ENOMEM;
    pl_log_name(&m->log, "media", 0);
    m->audio_side.media = m->video_side.media = m;
    pl_mutex_init(&m->audio_side.terms.lock);
    pl_mutex_init(&m->video_side.terms.lock);
    pl_sem_init(&m->audio.engine.bell, 0);
    pl_sem_init(&m->video_send.engine.bell, 0);
    pl_sem_init(&m->video_recv.engine.bell, 0);
    pl_err err = open_devices(m, conf, why);
    if (err) {
        if (error)
            snprintf(error, cap, "%s", why);
        pl_media_free(m);
        return err;
    }
    *out = m;
    return PL_OK;
}

/* ---- terms ---- */

/* Network thread. */
static void on_changed(void *user, const pl_pc_media_info *info)
{
    call_side *side = user;
    pl_media *m = side->media;
    pl_mutex_lock(&side->terms.lock);
    side->terms.info = *info;
    atomic_fetch_add_explicit(&side->terms.version, 1, memory_order_release);
    pl_mutex_unlock(&side->terms.lock);
    if (side == &m->audio_side) {
        pl_sem_post(&m->audio.engine.bell);
    } else {
        pl_sem_post(&m->video_send.engine.bell);
        pl_sem_post(&m->video_recv.engine.bell);
    }
}

/* Network thread. Audio has its own beat and needs no bell. */
static void on_posted(void *user)
{
    call_side *side = user;
    if (side == &side->media->video_side)
        pl_sem_post(&side->media->video_recv.engine.bell);
}

/* ---- docking ---- */

static pl_err make_rings(pl_pc_rings *r, size_t slots)
{
    pl_err err = pl_ring_new(&r->recv_in, sizeof(pl_media_msg), slots);
    if (!err)
        err = pl_ring_new(&r->recv_out, sizeof(pl_media_msg), CALL_CONTROL_SLOTS);
    if (!err)
        err = pl_ring_new(&r->send_in, sizeof(pl_media_msg), CALL_CONTROL_SLOTS);
    if (!err)
        err = pl_ring_new(&r->send_out, sizeof(pl_media_msg), slots);
    return err;
}

static void free_rings(pl_pc_rings *r)
{
    pl_ring_free(r->recv_in);
    pl_ring_free(r->recv_out);
    pl_ring_free(r->send_in);
    pl_ring_free(r->send_out);
    *r = (pl_pc_rings){ 0 };
}

static pl_err start_threads(pl_media *m, bool audio)
{
    if (audio)
        return pl_thread_start(&m->audio.engine.thread, "pl-audio", call_audio_run, m);
    pl_err err = pl_thread_start(&m->video_recv.engine.thread, "pl-video-recv", call_video_recv_run, m);
    if (!err && m->video_send.source)
        err = pl_thread_start(&m->video_send.engine.thread, "pl-video-send", call_video_send_run, m);
    return err;
}

static void stop_engine(call_engine *e)
{
    atomic_store(&e->stop, true);
    pl_sem_post(&e->bell);
    pl_thread_join(&e->thread);
    atomic_store(&e->stop, false);
    e->version = 0;
    e->info = (pl_pc_media_info){ 0 };
}

static void undock(pl_media *m, call_side *side)
{
    if (side == &m->audio_side) {
        stop_engine(&m->audio.engine);
    } else {
        stop_engine(&m->video_send.engine);
        stop_engine(&m->video_recv.engine);
    }
    if (side->transceiver)
        pl_peer_detach_media(side->transceiver);
    side->transceiver = NULL;
    free_rings(&side->rings);
}

pl_err pl_media_attach(pl_media *m, pl_rtp_transceiver *t)
{
    bool audio = pl_rtp_transceiver_kind(t) == PL_AUDIO;
    call_side *side = audio ? &m->audio_side : &m->video_side;
    if (side->transceiver)
        return side->transceiver == t ? PL_OK : PL_ESTATE;
    pl_err err = make_rings(&side->rings, audio ? CALL_AUDIO_SLOTS : CALL_VIDEO_SLOTS);
    if (!err) {
        pl_media_port port = {
            .rings = side->rings, .user = side, .posted = on_posted, .changed = on_changed
        };
        side->transceiver = t;
        err = pl_peer_attach_media(t, &port);
    }
    if (!err)
        err = start_threads(m, audio);
    if (err)
        undock(m, side);
    return err;
}

void pl_media_free(pl_media *m)
{
    if (!m)
        return;
    undock(m, &m->audio_side);
    undock(m, &m->video_side);
    pl_audio_source_close(m->audio.source);
    if (pl_audio_sink_close(m->audio.sink))
        pl_log_warn(&m->log, "the audio recording is not whole: the disk refused it");
    pl_video_source_close(m->video_send.source);
    if (pl_video_sink_close(m->video_recv.sink))
        pl_log_warn(&m->log, "the video recording is not whole: the disk refused it");
    pl_sem_clear(&m->audio.engine.bell);
    pl_sem_clear(&m->video_send.engine.bell);
    pl_sem_clear(&m->video_recv.engine.bell);
    pl_mutex_clear(&m->audio_side.terms.lock);
    pl_mutex_clear(&m->video_side.terms.lock);
    free(m);
}

void pl_media_get_totals(pl_media *m, pl_media_totals *out)
{
    *out = (pl_media_totals){ .audio_frames_sent = atomic_load(&m->audio.n_sent),
                              .video_frames_sent = atomic_load(&m->video_send.n_sent),
                              .audio_samples_recorded = atomic_load(&m->audio.n_recorded),
                              .video_frames_recorded = atomic_load(&m->video_recv.n_recorded) };
    call_audio_measure(m, out);
}
