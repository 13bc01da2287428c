/* codec.h - when two codec descriptions mean the same, and what both sides of a section keep.
 * Source   RFC 8866 (names), RFC 6184 8.2.2 (H.264), RFC 9628 (VP9), the AV1 RTP specification, RFC 4588
 *          (rtx), RFC 2198 (red).
 * Shape    functions over pl_desc; nothing kept. */
#ifndef PL_DESC_CODEC_H
#define PL_DESC_CODEC_H

#include "desc/description.h"

/* The header extensions this stack knows by number; pl_desc_ext_uri() gives their names. (PL_EXT_ and
 * pl_ext_ belong to rtp/ext.h, PL_DTLS_CLIENT to dtls/session.h: pc/ includes all three.) */
typedef enum pl_desc_ext_kind {
    PL_DESC_EXT_MID, /* urn:ietf:params:rtp-hdrext:sdes:mid */
    PL_DESC_EXT_ABS_SEND_TIME,
    PL_DESC_EXT_TRANSPORT_CC,
    PL_DESC_EXT_AUDIO_LEVEL, /* RFC 6464, ssrc-audio-level */
    PL_DESC_EXT_RID,         /* RFC 8852 */
    PL_DESC_EXT_RRID,        /* repaired rid */
    PL_DESC_EXT_KINDS
} pl_desc_ext_kind;
const char *pl_desc_ext_uri(pl_desc_ext_kind kind);
/* PL_DESC_EXT_KINDS when unknown. */
pl_desc_ext_kind pl_desc_ext_of(const char *uri);

/* Value of one parameter ("profile-id" in "profile-id=0;x=1"), names without regard to case. A name that
 * stands alone has an empty value. false: not there. fmtp may be NULL. */
bool pl_desc_fmtp(const char *fmtp, const char *name, pl_str *value);

/* rtx, red, ulpfec, flexfec, CN, telephone-event: they carry or replace another codec's media and are never
 * the only one agreed on. */
bool pl_desc_codec_is_helper(const pl_desc_codec *c);
bool pl_desc_codec_is_rtx(const pl_desc_codec *c);
/* Payload type a helper stands on: apt of rtx, the first of red's list ("111/111", RFC 2198); -1 for none. */
int pl_desc_codec_base(const pl_desc_codec *c);

/* The same codec configuration: name without regard to case, clock, channels, and those parameters that
 * decide whether one side can decode the other (H.264 profile and packetization-mode, VP9 profile-id, AV1
 * profile). Helpers that point to another payload type (rtx, red with parameters) are compared by what they
 * point to: a_in and b_in are their sections. */
bool pl_desc_codec_same(const pl_desc_media *a_in, const pl_desc_codec *a, const pl_desc_media *b_in,
                        const pl_desc_codec *b);
/* The first codec of `in` that is the same as c, or NULL. */
const pl_desc_codec *pl_desc_codec_find(const pl_desc_media *in, const pl_desc_media *c_in,
                                        const pl_desc_codec *c);
/* The rtx codec that repeats this payload type, or NULL. */
const pl_desc_codec *pl_desc_rtx_of(const pl_desc_media *m, uint8_t pt);

/* H.264 profile-level-id (RFC 6184 8.1): six hex digits to a profile and a level. */
typedef struct pl_h264_profile {
    uint8_t profile; /* pl_h264_profile_kind */
    uint8_t level;   /* level_idc; level 1b is 9 */
} pl_h264_profile;
typedef enum pl_h264_profile_kind {
    PL_H264_CONSTRAINED_BASELINE,
    PL_H264_BASELINE,
    PL_H264_MAIN,
    PL_H264_CONSTRAINED_HIGH,
    PL_H264_HIGH,
    PL_H264_OTHER
} pl_h264_profile_kind;
/* Absent (empty) text is the RFC's default, Baseline 1.0, which browsers read as constrained 3.1's profile.
 * false: not six hex digits. */
bool pl_h264_profile_parse(pl_str text, pl_h264_profile *out);

#endif
