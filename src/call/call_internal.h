/* call_internal.h - the shared insides of call/: one engine for audio, two for video, and how negotiation
 * reaches their threads. Only files of call/ include this. */
#ifndef PL_CALL_CALL_INTERNAL_H
#define PL_CALL_CALL_INTERNAL_H

#include <stdatomic.h>

#include "base/log.h"
#include "device/audio.h"
#include "device/video.h"
#include "net/loop.h"
#include "net/thread.h"
#include "peer/media_port.h"
#include "peerline/media.h"

enum {
    CALL_FRAME_US = 10000,
    CALL_HEARD = 12000, /* samples kept for measuring what is heard: a quarter of a second */
    CALL_AUDIO_SLOTS = 64,
    CALL_VIDEO_SLOTS = 1024, /* packets of a large key frame, twice */
    CALL_CONTROL_SLOTS = 32
};

/* What negotiation said last, handed from the network thread to an engine's thread: the engine looks when the
 * version has changed. */
typedef struct call_terms {
    pl_mutex lock;
    pl_pc_media_info info;
    _Atomic uint32_t version;
} call_terms;

typedef struct call_engine {
    pl_thread thread;
    pl_sem bell;
    _Atomic bool stop;
    uint32_t version;      /* of the terms it works by, */
    pl_pc_media_info info; /* which are these */
} call_engine;

typedef struct call_audio {
    call_engine engine;
    pl_audio_source *source;
    pl_audio_sink *sink;
    struct pl_capture *capture;
    struct pl_playout *playout;
    struct pl_playout_stream *stream;
    int16_t heard[CALL_HEARD]; /* ring, under the terms' lock */
    size_t heard_at;
    _Atomic uint64_t n_sent, n_recorded;
} call_audio;

typedef struct call_video_send {
    call_engine engine;
    pl_video_source *source;
    struct pl_video_send *send;
    int64_t start_us, n_read; /* when the first picture was due, and how many were read since */
    _Atomic uint64_t n_sent;
} call_video_send;

typedef struct call_video_recv {
    call_engine engine;
    pl_video_sink *sink;
    struct pl_video_receive *receive;
    _Atomic uint64_t n_recorded;
} call_video_recv;

/* One kind of media at one transceiver. */
typedef struct call_side {
    pl_media *media;
    pl_rtp_transceiver *transceiver; /* NULL: not attached */
    pl_pc_rings rings;
    call_terms terms;
} call_side;

struct pl_media {
    pl_log log;
    call_side audio_side, video_side;
    call_audio audio;
    call_video_send video_send;
    call_video_recv video_recv;
};

/* terms.c */
/* What of the engine's terms negotiation has changed since the last call: engine->info holds the new ones. An
 * engine goes on undisturbed through a negotiation that is about something else. */
typedef struct call_change {
    bool send, recv;
} call_change;
call_change call_terms_changed(call_side *side, call_engine *engine);
/* Lets the network loop look at the rings when there is something in them. */
void call_kick(call_side *side);
/* audio.c, video_send.c, video_recv.c: the bodies of the threads. arg: pl_media */
void call_audio_run(void *arg);
void call_video_send_run(void *arg);
void call_video_recv_run(void *arg);
void call_audio_measure(pl_media *m, pl_media_totals *out);

#endif
