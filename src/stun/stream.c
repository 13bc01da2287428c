#include "stun/stream.h"

#include "stun/message.h"

enum { LENGTH_END = 4 }; /* both formats tell their length in bytes 2 and 3 */

static pl_stun_frame more(size_t need)
{
    return (pl_stun_frame){ .kind = PL_STUN_FRAME_MORE, .advance = need };
}

static const pl_stun_frame broken = { .kind = PL_STUN_FRAME_BROKEN };

/* A message known by its header: given once all of it, padding included, has come. */
static pl_stun_frame whole(pl_stun_frame_kind kind, size_t have, size_t at, size_t len, size_t advance,
                           size_t max)
{
    if (max && len > max)
        return broken;
    if (have < advance)
        return more(advance);
    return (pl_stun_frame){ .kind = (uint8_t)kind, .at = at, .len = len, .advance = advance };
}

static pl_stun_frame stun_message(const uint8_t *data, size_t len, size_t max)
{
    size_t n = PL_STUN_HEADER_LEN + (size_t)pl_get16(data + 2);
    if (n % 4 || n > UINT16_MAX || (max && n > max)) /* beyond 65535 no datagram could have brought it */
        return broken;
    if (len < 8)
        return more(PL_STUN_HEADER_LEN);
    if (pl_get32(data + 4) != PL_STUN_COOKIE) /* the only mark a stream has */
        return broken;
    return whole(PL_STUN_FRAME_MESSAGE, len, 0, n, n, max);
}

static pl_stun_frame channel_data(const uint8_t *data, size_t len, size_t max)
{
    size_t n = PL_STUN_CHANNEL_HEADER_LEN + (size_t)pl_get16(data + 2);
    return whole(PL_STUN_FRAME_CHANNEL, len, 0, n, n + pl_stun_channel_pad(n), max);
}

pl_stun_frame pl_stun_frame_next(const uint8_t *data, size_t len, size_t max)
{
    if (len == 0)
        return more(LENGTH_END);
    unsigned first = data[0];
    bool is_channel = first >= PL_STUN_CHANNEL_MIN >> 8 && first <= PL_STUN_CHANNEL_MAX >> 8;
    if (!is_channel && first > 0x3f)
        return broken;
    if (len < LENGTH_END)
        return more(LENGTH_END);
    return is_channel ? channel_data(data, len, max) : stun_message(data, len, max);
}

pl_stun_frame pl_stun_frame_next_4571(const uint8_t *data, size_t len, size_t max)
{
    if (len < PL_FRAME_4571_HEADER_LEN)
        return more(PL_FRAME_4571_HEADER_LEN);
    size_t n = pl_get16(data);
    return whole(PL_STUN_FRAME_DATAGRAM, len, PL_FRAME_4571_HEADER_LEN, n, PL_FRAME_4571_HEADER_LEN + n, max);
}
