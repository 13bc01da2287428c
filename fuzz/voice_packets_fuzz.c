/* The jitter buffer in any order of packets and steps, whatever they hold. */
#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "voice/jitter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t PT[] = { 111, 0, 8, 13 };

static void feed(pl_jitter *j, pl_rd *r, int64_t now_us)
{
    static pl_media_packet p;
    uint8_t how = pl_rd_u8(r);
    p.pt = PT[how & 3];
    p.ssrc = how >> 7;
    p.ext_seq = 100000 + (int16_t)pl_rd_u16(r);
    p.rtp_ts = how & 4 ? pl_rd_u32(r) : (uint32_t)p.ext_seq * 960;
    p.arrival_us = now_us - (how & 8 ? (int64_t)pl_rd_u16(r) * 16 : 0);
    size_t len = how & 16 ? pl_rd_u16(r) % (PL_MEDIA_PAYLOAD_MAX + 1) : pl_rd_u8(r);
    len = len < pl_rd_left(r) ? len : pl_rd_left(r);
    p.len = (uint16_t)len;
    if (len)
        memcpy(p.payload, pl_rd_take(r, len), len);
    pl_jitter_insert(j, &p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_jitter_conf conf = { .codec = { { 111, pl_audio_codec_find("opus") },
                                       { 0, pl_audio_codec_find("PCMU") },
                                       { 8, pl_audio_codec_find("PCMA") } },
                            .n_codecs = 3 };
    pl_jitter *j;
    if (pl_jitter_new(&j, &conf))
        return 0;
    int64_t now_us = 0;
    for (pl_rd r = pl_rd_init(data, size); pl_rd_left(&r) > 0;) {
        uint8_t what = pl_rd_u8(&r);
        if (what & 1)
            feed(j, &r, now_us);
        for (int n = what >> 5; n > 0; n--) {
            int16_t out[PL_JITTER_FRAME_MAX];
            uint32_t rate_hz;
            size_t got = pl_jitter_get(j, now_us, out, &rate_hz);
            if (got != rate_hz / 100)
                abort();
            now_us += what & 2 ? 10000 : 12000;
        }
    }
    if (pl_jitter_level_us(j) < 0 || pl_jitter_target_us(j) < 0)
        abort();
    pl_jitter_free(j);
    return 0;
}
