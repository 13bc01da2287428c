/* receive.h - packets to pictures: the spine of everything that is seen.
 * Shape    opaque; new gives, free takes. Its worker sleeps until the inbox has something or next_us has
 *          come, then polls until there is nothing more.
 * Units    microseconds.
 * Thread   the decoder worker. */
#ifndef PL_VIDEO_RECEIVE_H
#define PL_VIDEO_RECEIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ring.h"
#include "codec/video.h"
#include "rtp/media_packet.h"
#include "video/frame_buffer.h"

enum { PL_VIDEO_PT_MAX = 8 };

typedef struct pl_video_pt {
    uint8_t pt;
    const pl_video_codec *codec;
} pl_video_pt;

typedef struct pl_video_receive_conf {
    pl_ring *inbox;                     /* of pl_media_msg: PACKET, RTT, STOP; lent */
    pl_ring *outbox;                    /* of pl_media_msg: WANT_KEY, STATS; lent */
    pl_video_pt codec[PL_VIDEO_PT_MAX]; /* what was negotiated for receiving */
    int n_codecs;
    /* The clock for decode times: engines read none themselves. NULL: decode times count as 0. */
    int64_t (*clock_us)(void *ctx);
    void *clock_ctx;
} pl_video_receive_conf;

typedef struct pl_video_out {
    pl_picture *picture;    /* one reference for the caller; NULL when the frame is not shown */
    pl_video_frame encoded; /* as it came, lent until the next poll: for recording */
    const pl_video_codec *codec;
    uint32_t rtp_ts;
    int64_t ext_ts;
    int64_t show_us; /* when it should be on the screen */
} pl_video_out;

typedef struct pl_video_receive pl_video_receive;

/* Errors: PL_EINVAL (no codec), PL_ENOMEM. */
PL_NODISCARD pl_err pl_video_receive_new(pl_video_receive **out, const pl_video_receive_conf *conf);
void pl_video_receive_free(pl_video_receive *r); /* NULL is fine */
/* The next decoded frame that is due; false when there is none. Asks for key frames and reports by itself. */
bool pl_video_receive_poll(pl_video_receive *r, int64_t now_us, pl_video_out *out);
int64_t pl_video_receive_next_us(const pl_video_receive *r);
void pl_video_receive_stats(const pl_video_receive *r, pl_media_stats *out);
const pl_frame_buffer *pl_video_receive_frames(const pl_video_receive *r);

#endif
