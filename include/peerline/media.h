/* media.h - the engines at a connection: sources that are encoded and sent, received media that is decoded
 * and recorded. Part of libpeerline-media.
 *
 * Threads  one audio thread with a beat of 10 ms, one encoder and one decoder thread for video, started with
 *          the first transceiver that needs them. Every function may be called from any thread but a callback
 *          of the connection's network loop; free the media before the connection. */
#ifndef PEERLINE_MEDIA_H
#define PEERLINE_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"
#include "peerline/export.h"
#include "peerline/rtp.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pl_media pl_media;

typedef struct pl_media_conf {
    const char *audio_source; /* "tone", "tone:HZ", a WAV file; NULL or "none": nothing is sent    */
    const char *video_source; /* "pattern", a Y4M or IVF (VP8) file; NULL or "none": nothing is sent */
    const char *record_audio; /* WAV file to write what is received (48 kHz, mono, 16 bits), or NULL */
    const char *record_video; /* IVF file (as received) or Y4M file (decoded), by its ending, or NULL */
    bool play_once;           /* files end; by default they begin again */
} pl_media_conf;

/* Opens sources and sinks. On failure `error` (cap bytes, may be NULL) says which file and why.
 * Errors: PL_EINVAL (a word or ending that means nothing), PL_EIO (a file cannot be opened), PL_EPROTO (a
 * file is not what its name says), PL_ENOTSUP (a format we do not read), PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_media_new(pl_media **out, const pl_media_conf *conf, char *error, size_t cap);
/* Docks at a transceiver: sends the source of its kind when negotiated to send, decodes and records what
 * comes when negotiated to receive. One transceiver of each kind; the same one again is fine. Errors:
 * PL_ESTATE (another one of the kind is attached, or the connection is closed), PL_EIO, PL_ENOMEM. */
PL_NODISCARD PL_API pl_err pl_media_attach(pl_media *media, pl_rtp_transceiver *transceiver);
/* Ends the threads, finishes the files. NULL is fine. */
PL_API void pl_media_free(pl_media *media);

/* Sizes of what was handled so far, for reports: counters of the engines beyond what
 * pl_peer_connection_get_stats gives (which has decoded frames, freezes, concealment, levels). */
typedef struct pl_media_totals {
    uint64_t audio_frames_sent; /* encoded audio packets */
    uint64_t video_frames_sent; /* encoded pictures */
    uint64_t audio_samples_recorded;
    uint64_t video_frames_recorded;
    double received_tone_hz;    /* strongest frequency of the last second of received audio; 0: silence */
    double received_level_dbov; /* of the last second; -127: silence */
} pl_media_totals;
PL_API void pl_media_get_totals(pl_media *media, pl_media_totals *out);

#ifdef __cplusplus
}
#endif
#endif
