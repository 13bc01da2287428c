/* codec_internal.h - the table entries that the registries list. Private to codec/. */
#ifndef PL_CODEC_INTERNAL_H
#define PL_CODEC_INTERNAL_H

#include "codec/audio.h"
#include "codec/video.h"

extern const pl_audio_codec pl_codec_opus;
extern const pl_audio_codec pl_codec_pcmu;
extern const pl_audio_codec pl_codec_pcma;
extern const pl_video_codec pl_codec_vp8;

#endif
