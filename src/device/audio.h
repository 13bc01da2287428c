/* audio.h - where sound comes from and where it goes: files, a tone, nothing; sound cards come with SDL2.
 * Shape    two small vtables. open gives, close takes (and finishes the file). Everything is 48 kHz mono,
 *          10 ms (480 samples) a call, whatever the file holds.
 * Errors   open: PL_EIO (no such file), PL_EPROTO (not what it says it is), PL_ENOTSUP, PL_EINVAL (a word
 *          that names no device), PL_ENOMEM. `why` gets a sentence for the user; NULL is fine.
 * Thread   open and close anywhere; read and write on the audio thread. */
#ifndef PL_DEVICE_AUDIO_H
#define PL_DEVICE_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"

enum { PL_DEVICE_HZ = 48000, PL_DEVICE_FRAME = 480, PL_DEVICE_WHY_MAX = 160 };

typedef struct pl_audio_source pl_audio_source;
struct pl_audio_source {
    bool once; /* may be set before the first read: a file ends instead of beginning again */
    pl_err (*read)(pl_audio_source *s, int16_t out[PL_DEVICE_FRAME]);
    void (*close)(pl_audio_source *s);
};
typedef struct pl_audio_sink pl_audio_sink;
struct pl_audio_sink {
    pl_err (*write)(pl_audio_sink *s, const int16_t in[PL_DEVICE_FRAME]);
    pl_err (*close)(pl_audio_sink *s);
};

/* "tone", "tone:HZ" (a sine of -12 dBov), "none" (silence), or the name of a WAV file, played in a loop. */
PL_NODISCARD pl_err pl_audio_source_open(pl_audio_source **out, const char *what,
                                         char why[PL_DEVICE_WHY_MAX]);
/* "none", or the name of a WAV file to write. */
PL_NODISCARD pl_err pl_audio_sink_open(pl_audio_sink **out, const char *what, char why[PL_DEVICE_WHY_MAX]);

/* Fills out always: with silence when there is nothing. Returns PL_EIO when the file can no longer be read,
 * PL_ESTATE when it has ended. */
static inline pl_err pl_audio_source_read(pl_audio_source *s, int16_t out[PL_DEVICE_FRAME])
{
    return s->read(s, out);
}
static inline void pl_audio_source_close(pl_audio_source *s)
{
    if (s)
        s->close(s);
}
static inline pl_err pl_audio_sink_write(pl_audio_sink *s, const int16_t in[PL_DEVICE_FRAME])
{
    return s->write(s, in);
}
/* PL_EIO: what was written is not all on the disk. */
static inline pl_err pl_audio_sink_close(pl_audio_sink *s)
{
    return s ? s->close(s) : PL_OK;
}

#endif
