/* media_packet.h - what passes between a connection and an engine: one RTP payload with the facts of its
 * header, and the few other messages of the two directions. The connection (pc/) adds sequence numbers,
 * extensions, RTX, NACK, RTCP and SRTP; the engine (voice/, video/) knows payloads and timestamps only.
 * Shape    plain data of fixed size, so that it fits a pl_ring slot; nothing to free.
 * Thread   values; they cross from the loop to a media thread and back inside two SPSC rings. */
#ifndef PL_RTP_MEDIA_PACKET_H
#define PL_RTP_MEDIA_PACKET_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PL_MEDIA_PAYLOAD_MAX =
        1380, /* bytes of payload that reach an engine; larger packets are counted and dropped */
    PL_MEDIA_SEND_MAX = 1160, /* bytes of payload an engine may hand over: the rest of a 1200-byte packet */
    PL_MEDIA_FORWARD_MAX = 1300, /* and of a packet that was made elsewhere and is forwarded */
    PL_AUDIO_LEVEL_NONE = 128
};

typedef struct pl_media_packet {
    int64_t arrival_us; /* inbound: when it came; outbound: when the frame was captured */
    int64_t ext_seq; /* inbound, and forwarded: unwrapped sequence number of the media stream (RTX undone) */
    uint32_t rtp_ts; /* clock-rate ticks. Outbound: any start, the connection adds no offset */
    uint32_t ssrc;   /* inbound only */
    uint8_t pt;      /* negotiated payload type */
    bool marker;
    uint8_t audio_level; /* -dBov 0..127 (RFC 6464), or PL_AUDIO_LEVEL_NONE */
    bool voice;          /* RFC 6464 V bit */
    uint16_t len;
    uint8_t payload[PL_MEDIA_PAYLOAD_MAX];
} pl_media_packet;

/* Counters an engine reports, under the names of webrtc-stats in snake case; zero where they do not apply. */
typedef struct pl_media_stats {
    uint64_t frames_decoded, key_frames_decoded, frames_dropped, freeze_count, total_freezes_us;
    uint64_t frames_encoded, key_frames_encoded, total_encode_us, total_decode_us;
    uint64_t total_samples_received, concealed_samples, silent_concealed_samples, concealment_events;
    uint64_t inserted_samples_for_deceleration, removed_samples_for_acceleration;
    uint64_t jitter_buffer_delay_us, jitter_buffer_emitted_count, jitter_buffer_target_delay_us;
    double audio_level;        /* 0..1, of the last second */
    double total_audio_energy; /* webrtc-stats totalAudioEnergy: sum of level^2 times duration */
    uint32_t frame_width, frame_height;
    double frames_per_second;
    int64_t first_frame_us; /* when the first frame was decoded or played; 0: not yet */
} pl_media_stats;

typedef enum pl_media_kind {
    PL_MEDIA_PACKET,   /* both ways: u.packet */
    PL_MEDIA_WANT_KEY, /* engine > connection: send PLI; connection > engine: the peer asked for a key frame */
    PL_MEDIA_BITRATE,  /* connection > engine: u.rate_bps, what the encoder should produce */
    PL_MEDIA_RTT,      /* connection > engine: u.rtt_us, smoothed */
    PL_MEDIA_STATS,    /* engine > connection: u.stats, five times a second and at the end */
    PL_MEDIA_STOP,     /* connection > engine: nothing more will come */
    PL_MEDIA_LOSS,     /* connection > engine: u.loss, what the peer's reports say it misses of us */
    PL_MEDIA_FORWARD   /* engine > connection: u.packet made elsewhere; goes with its ext_seq, gaps and all */
} pl_media_kind;

typedef struct pl_media_msg {
    pl_media_kind kind;
    union {
        pl_media_packet packet;
        pl_media_stats stats;
        int64_t rate_bps;
        int64_t rtt_us;
        double loss; /* 0..1 */
    } u;
} pl_media_msg;

#endif
