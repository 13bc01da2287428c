/* jsep_peer.h - a JSEP engine as a connection would set it up, for the tests of desc/ and sdp/. */
#ifndef PL_TESTS_JSEP_PEER_H
#define PL_TESTS_JSEP_PEER_H

#include "base/rand.h"
#include "desc/jsep.h"

enum { PEER_FB = PL_FB_NACK | PL_FB_NACK_PLI | PL_FB_CCM_FIR | PL_FB_TRANSPORT_CC | PL_FB_GOOG_REMB };

static const pl_desc_codec peer_audio[] = {
    { .name = "opus",
      .clock_hz = 48000,
      .channels = 2,
      .pt = 111,
      .apt = -1,
      .feedback = PL_FB_TRANSPORT_CC,
      .fmtp = "minptime=10;useinbandfec=1" },
    { .name = "PCMU", .clock_hz = 8000, .channels = 1, .pt = 0, .apt = -1 },
    { .name = "PCMA", .clock_hz = 8000, .channels = 1, .pt = 8, .apt = -1 },
};
static const pl_desc_codec peer_video[] = {
    { .name = "VP8", .clock_hz = 90000, .channels = 1, .pt = 96, .apt = -1, .feedback = PEER_FB },
    { .name = "rtx", .clock_hz = 90000, .channels = 1, .pt = 97, .apt = 96 },
};
#define PEER_EXT_MID   "urn:ietf:params:rtp-hdrext:sdes:mid"
#define PEER_EXT_AST   "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
#define PEER_EXT_TWCC  "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
#define PEER_EXT_LEVEL "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
static const pl_desc_ext peer_audio_ext[] = {
    { .uri = PEER_EXT_LEVEL, .id = 1 },
    { .uri = PEER_EXT_AST, .id = 2 },
    { .uri = PEER_EXT_TWCC, .id = 3 },
    { .uri = PEER_EXT_MID, .id = 4 },
};
static const pl_desc_ext peer_video_ext[] = {
    { .uri = PEER_EXT_AST, .id = 2 },
    { .uri = PEER_EXT_TWCC, .id = 3 },
    { .uri = PEER_EXT_MID, .id = 4 },
};
static const pl_desc_fingerprint peer_fingerprint = {
    .hash = "sha-256",
    .value = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
};

/* rand must outlive the engine. */
static inline pl_jsep_conf peer_conf(pl_rand rand)
{
    return (pl_jsep_conf){
        .rand = rand,
        .kind = { { peer_audio, 3, peer_audio_ext, 4 }, { peer_video, 2, peer_video_ext, 3 } },
        .fingerprints = &peer_fingerprint,
        .n_fingerprints = 1,
    };
}

/* Polls everything away; returns how many events of this kind there were. */
static inline int peer_drain(pl_jsep *j, pl_jsep_event_kind kind)
{
    pl_jsep_event e;
    int n = 0;
    while (pl_jsep_poll_event(j, &e))
        n += e.kind == kind;
    pl_jsep_check(j);
    return n;
}

#endif
