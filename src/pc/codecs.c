/* codecs.c - what we offer: codecs in order of preference, and header extensions.
 * Payload types from 96 up as browsers use them; static ones for G.711 (RFC 3551). */
#include "pc/pc_internal.h"

static const pl_desc_codec audio_codec[] = {
    { .name = "opus",
      .clock_hz = 48000,
      .channels = 2,
      .pt = 111,
      .apt = -1,
      .fmtp = "minptime=10;useinbandfec=1",
      .feedback = PL_FB_TRANSPORT_CC },
    { .name = "PCMU", .clock_hz = 8000, .channels = 1, .pt = 0, .apt = -1 },
    { .name = "PCMA", .clock_hz = 8000, .channels = 1, .pt = 8, .apt = -1 },
};

static const pl_desc_codec video_codec[] = {
    { .name = "VP8",
      .clock_hz = 90000,
      .channels = 1,
      .pt = 96,
      .apt = -1,
      .feedback = PL_FB_NACK | PL_FB_NACK_PLI | PL_FB_CCM_FIR | PL_FB_TRANSPORT_CC | PL_FB_GOOG_REMB },
    { .name = "rtx", .clock_hz = 90000, .channels = 1, .pt = 97, .apt = 96 },
};

#define EXT(number, name)                                                                                    \
    {                                                                                                        \
        .uri = (name), .id = (number), .direction = PL_SENDRECV                                              \
    }
#define EXT_COMMON                                                                                           \
    EXT(1, "urn:ietf:params:rtp-hdrext:sdes:mid"),                                                           \
        EXT(2, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),                                \
        EXT(3, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01")

static const pl_desc_ext audio_ext[] = { EXT_COMMON, EXT(4, "urn:ietf:params:rtp-hdrext:ssrc-audio-level") };
static const pl_desc_ext video_ext[] = { EXT_COMMON };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

const pl_jsep_kind_conf pc_kind_conf[2] = {
    [PL_AUDIO] = { audio_codec, COUNT(audio_codec), audio_ext, COUNT(audio_ext) },
    [PL_VIDEO] = { video_codec, COUNT(video_codec), video_ext, COUNT(video_ext) },
};
