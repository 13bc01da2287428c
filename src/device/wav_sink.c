/* wav_sink.c - writes 48 kHz mono, 16 bit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "device/device_internal.h"
#include "device/wav.h"

enum { HEADER = 44, PATCH_FRAMES = 100 /* every second of sound */ };
static const uint32_t DATA_MAX = UINT32_MAX - HEADER; /* RIFF lengths have 32 bits: 12 hours */

typedef struct wav_sink {
    pl_audio_sink base;
    FILE *file;
    uint32_t data_len;
    unsigned n_frames;
    bool failed;
} wav_sink;

static void le16(pl_wr *w, unsigned v)
{
    pl_wr_u8(w, (uint8_t)v);
    pl_wr_u8(w, (uint8_t)(v >> 8));
}

static void le32(pl_wr *w, uint32_t v)
{
    le16(w, v & 0xffff);
    le16(w, v >> 16);
}

static void make_header(uint8_t out[HEADER], uint32_t data_len)
{
    pl_wr w = pl_wr_init(out, HEADER);
    pl_wr_bytes(&w, "RIFF", 4);
    le32(&w, data_len + HEADER - 8);
    pl_wr_bytes(&w, "WAVEfmt ", 8);
    le32(&w, 16);
    le16(&w, 1); /* PCM */
    le16(&w, 1); /* mono */
    le32(&w, PL_DEVICE_HZ);
    le32(&w, PL_DEVICE_HZ * 2); /* bytes a second */
    le16(&w, 2);                /* bytes a frame */
    le16(&w, 16);               /* bits a sample */
    pl_wr_bytes(&w, "data", 4);
    le32(&w, data_len);
}

/* Lengths last, and only for samples that are on the disk already. */
static bool patch_header(wav_sink *s)
{
    uint8_t head[HEADER];
    make_header(head, s->data_len);
    return fflush(s->file) == 0 && fseek(s->file, 0, SEEK_SET) == 0 &&
           fwrite(head, 1, HEADER, s->file) == HEADER && fflush(s->file) == 0 &&
           fseek(s->file, 0, SEEK_END) == 0;
}

static pl_err write_wav(pl_audio_sink *base, const int16_t in[PL_DEVICE_FRAME])
{
    wav_sink *s = (wav_sink *)base;
    uint8_t bytes[PL_DEVICE_FRAME * 2];
    if (s->failed || s->data_len > DATA_MAX - sizeof bytes)
        return PL_EIO;
    for (size_t i = 0; i < PL_DEVICE_FRAME; i++) {
        bytes[2 * i] = (uint8_t)in[i];
        bytes[2 * i + 1] = (uint8_t)((uint16_t)in[i] >> 8);
    }
    if (fwrite(bytes, 1, sizeof bytes, s->file) == sizeof bytes)
        s->data_len += sizeof bytes;
    else
        s->failed = true;
    if (++s->n_frames % PATCH_FRAMES == 0 && !s->failed)
        s->failed = !patch_header(s);
    return s->failed ? PL_EIO : PL_OK;
}

static pl_err close_wav(pl_audio_sink *base)
{
    wav_sink *s = (wav_sink *)base;
    bool ok = !s->failed && patch_header(s);
    ok = fclose(s->file) == 0 && ok;
    free(s);
    return ok ? PL_OK : PL_EIO;
}

pl_err pl_wav_sink_open(pl_audio_sink **out, const char *path, char why[PL_DEVICE_WHY_MAX])
{
    *out = NULL;
    wav_sink *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->base = (pl_audio_sink){ .write = write_wav, .close = close_wav };
    s->file = fopen(path, "wb");
    if (!s->file || !patch_header(s)) {
        pl_err err = pl_device_say_errno(why, path);
        if (s->file)
            (void)fclose(s->file);
        free(s);
        return err;
    }
    *out = &s->base;
    return PL_OK;
}
