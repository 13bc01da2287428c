/* wav.h - RIFF WAVE files: any common PCM in, 48 kHz mono 16 bit out.
 * Source   Microsoft and IBM, Multimedia Programming Interface 1.0 (1991); WAVE_FORMAT_EXTENSIBLE.
 * Shape    the header parser is pure; source and sink stand behind device/audio.h. */
#ifndef PL_DEVICE_WAV_H
#define PL_DEVICE_WAV_H

#include <stdbool.h>
#include <stdint.h>

#include "device/audio.h"

enum { PL_WAV_CHANNELS_MAX = 8, PL_WAV_HEADER_MAX = 65536 /* bytes before the samples */ };

typedef struct pl_wav_format {
    uint32_t rate_hz;
    uint16_t channels;
    uint16_t bytes; /* per sample: 1 (unsigned), 2, 3, 4 */
    bool is_float;  /* with 4 bytes */
    uint32_t data_offset;
    uint32_t data_len; /* as declared; the file may end sooner */
} pl_wav_format;

/* Reads the beginning of a file, up to PL_WAV_HEADER_MAX bytes of it. Errors: PL_EPROTO, PL_ENOTSUP. */
PL_NODISCARD pl_err pl_wav_parse(pl_wav_format *out, const uint8_t *data, size_t len);
PL_NODISCARD pl_err pl_wav_source_open(pl_audio_source **out, const char *path, char why[PL_DEVICE_WHY_MAX]);
/* The header is right after each second written, so that a killed program leaves a file that plays. */
PL_NODISCARD pl_err pl_wav_sink_open(pl_audio_sink **out, const char *path, char why[PL_DEVICE_WHY_MAX]);

#endif
