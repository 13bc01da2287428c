/* send.h - camera to packets: the spine of everything that is shown.
 * Shape    opaque; new gives, free takes.
 * Units    microseconds; bits per second; RTP timestamps are 90 kHz of the capture time.
 * Thread   the encoder worker. */
#ifndef PL_VIDEO_SEND_H
#define PL_VIDEO_SEND_H

#include <stdint.h>

#include "base/ring.h"
#include "codec/video.h"
#include "rtp/media_packet.h"

enum { PL_VIDEO_KEY_INTERVAL_US = 300000 /* key frames are not made more often than this */ };

typedef struct pl_video_send_conf {
    pl_ring *inbox;  /* of pl_media_msg: BITRATE, WANT_KEY, STOP; lent */
    pl_ring *outbox; /* of pl_media_msg: PACKET, STATS; lent */
    const pl_video_codec *codec;
    uint8_t pt;
    uint16_t first_picture_id; /* the connection may choose them at random */
    uint32_t first_ts;
    int64_t bitrate_bps;            /* until the first BITRATE; 0: 1 Mbit/s */
    int64_t bitrate_max_bps;        /* 0: 2.5 Mbit/s */
    bool fixed_size;                /* never scale down */
    int64_t (*clock_us)(void *ctx); /* for encode times; NULL: they count as 0 */
    void *clock_ctx;
} pl_video_send_conf;

typedef struct pl_video_send pl_video_send;

/* Errors: PL_EINVAL, PL_ENOTSUP (no payload format for the codec), PL_ENOMEM. */
PL_NODISCARD pl_err pl_video_send_new(pl_video_send **out, const pl_video_send_conf *conf);
void pl_video_send_free(pl_video_send *s); /* NULL is fine */
/* A picture captured at pic->time_us. Lent: takes its own reference if it needs one. */
void pl_video_send_picture(pl_video_send *s, int64_t now_us, const pl_picture *pic);
void pl_video_send_stats(const pl_video_send *s, pl_media_stats *out);

#endif
