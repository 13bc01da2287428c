/* Files of any bytes, opened and read as what their first byte chooses. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device/ivf.h"
#include "device/wav.h"
#include "device/y4m.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_audio(const char *path)
{
    pl_audio_source *s;
    if (pl_wav_source_open(&s, path, NULL))
        return;
    int16_t out[PL_DEVICE_FRAME];
    for (int i = 0; i < 10; i++)
        if (pl_audio_source_read(s, out))
            break;
    pl_audio_source_close(s);
}

static void read_video(pl_err (*open)(pl_video_source **, const char *, char *), const char *path)
{
    pl_video_source *s;
    if (open(&s, path, NULL))
        return;
    if (s->width == 0 || s->height == 0 || s->fps_num == 0 || s->fps_den == 0)
        abort();
    for (int i = 0; i < 4; i++) {
        pl_picture *pic;
        pl_err err = pl_video_source_read(s, &pic);
        if (err)
            break;
        pl_picture_put(pic);
    }
    pl_video_source_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    int fd = memfd_create("fuzz", 0);
    assert(fd >= 0);
    char path[40];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (write(fd, data + 1, size - 1) == (ssize_t)(size - 1)) {
        switch (data[0] % 3) {
        case 0: read_audio(path); break;
        case 1: read_video(pl_y4m_source_open, path); break;
        default: read_video(pl_ivf_source_open, path); break;
        }
    }
    (void)close(fd);
    return 0;
}
