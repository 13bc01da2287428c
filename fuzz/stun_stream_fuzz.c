/* Any bytes as a stream of STUN messages and ChannelData, or of RFC 4571 frames, in pieces whose sizes the first
 * bytes say: cut finely or coarsely, the same frames must come out. */
#include <stdlib.h>

#include "stun/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAMES_MAX = 4096 };

static void must(bool fact)
{
    if (!fact)
        abort();
}

typedef pl_stun_frame (*next_fn)(const uint8_t *data, size_t len, size_t max);

/* A hash of everything that was found. */
static uint64_t walk(next_fn next, const uint8_t *data, size_t size, size_t piece, size_t max)
{
    uint64_t seen = 0;
    size_t at = 0, have = 0;
    for (;;) {
        pl_stun_frame f = next(data + at, have - at, max);
        if (f.kind == PL_STUN_FRAME_BROKEN)
            return seen * 31 + 1;
        if (f.kind == PL_STUN_FRAME_MORE) {
            must(f.advance > have - at && f.advance <= PL_STUN_FRAME_MAX);
            if (have == size)
                return seen;
            have = size - have < piece ? size : have + piece;
            continue;
        }
        must(f.advance > 0 && f.at + f.len <= f.advance && f.advance <= have - at);
        must(!max || f.len <= max);
        seen = seen * 31 + f.kind + 7 * (at + f.at) + 13 * f.len;
        at += f.advance;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    next_fn next = data[0] & 1 ? pl_stun_frame_next_4571 : pl_stun_frame_next;
    size_t piece = 1 + data[1], max = data[2] * 16u;
    must(walk(next, data + 3, size - 3, piece, max) == walk(next, data + 3, size - 3, size, max));
    return 0;
}
