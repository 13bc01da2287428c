/* parcel.c - many small messages of one channel in one block on their way to the core. A block, a reference and a place in
 * a list for each message cost more than its bytes: a burst of 64 bytes each spent a third of its time on them. */
#include "peer/peer_internal.h"

#include <stdlib.h>
#include <string.h>

/* Before the bytes of each message. */
typedef struct head {
    uint16_t len;
    bool binary;
} head;

_Static_assert(PEER_PARCEL_MESSAGE_MAX <= UINT16_MAX, "the head holds any length");

static uint32_t record_size(size_t len)
{
    return (uint32_t)(sizeof(head) + len);
}

peer_send *peer_parcel_make(pl_data_channel *c, size_t len, bool alone)
{
    uint32_t room = alone ? record_size(len) : PEER_PARCEL_ROOM;
    peer_send *s = peer_send_make(c, room);
    if (!s)
        return NULL;
    s->kind = PEER_SEND_PARCEL;
    s->room = room;
    return s;
}

bool peer_parcel_add(peer_send *s, const void *data, size_t len, bool binary)
{
    head h = { (uint16_t)len, binary };
    if (s->room - s->used < record_size(len))
        return false;
    memcpy(s->own + s->used, &h, sizeof h);
    if (len)
        memcpy(s->own + s->used + sizeof h, data, len);
    s->used += record_size(len);
    s->len += len;
    return true;
}

bool peer_parcel_next(const peer_send *s, const uint8_t **data, size_t *len, bool *binary)
{
    head h;
    if (s->taken == s->used)
        return false;
    memcpy(&h, s->own + s->taken, sizeof h);
    *data = s->own + s->taken + sizeof h;
    *len = h.len;
    *binary = h.binary;
    return true;
}

void peer_parcel_take(peer_send *s, size_t len)
{
    s->taken += record_size(len);
    s->len -= len;
}
