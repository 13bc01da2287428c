#include "voice/packet_buffer.h"

#include <stdlib.h>
#include <string.h>

pl_err pl_packet_buffer_init(pl_packet_buffer *b)
{
    memset(b, 0, sizeof *b);
    b->slot = malloc(PL_PACKET_BUFFER_MAX * sizeof *b->slot);
    if (!b->slot)
        return PL_ENOMEM;
    for (int i = 0; i < PL_PACKET_BUFFER_MAX; i++)
        b->order[i] = (uint8_t)i;
    return PL_OK;
}

void pl_packet_buffer_clear(pl_packet_buffer *b)
{
    free(b->slot);
    b->slot = NULL;
    b->n = 0;
}

/* Behind which position ext_seq belongs; nearly always behind the last. */
static size_t place_of(const pl_packet_buffer *b, int64_t ext_seq)
{
    size_t i = b->n;
    while (i > 0 && b->slot[b->order[i - 1]].ext_seq > ext_seq)
        i--;
    return i;
}

pl_voice_packet *pl_packet_buffer_insert(pl_packet_buffer *b, int64_t ext_seq)
{
    size_t at = place_of(b, ext_seq);
    if (at > 0 && b->slot[b->order[at - 1]].ext_seq == ext_seq) {
        b->n_duplicate++;
        return NULL;
    }
    if (b->n == PL_PACKET_BUFFER_MAX) {
        pl_packet_buffer_flush(b);
        at = 0;
    }
    uint8_t slot = b->order[b->n];
    memmove(b->order + at + 1, b->order + at, b->n - at);
    b->order[at] = slot;
    b->n++;
    b->slot[slot].ext_seq = ext_seq;
    return &b->slot[slot];
}

const pl_voice_packet *pl_packet_buffer_at(const pl_packet_buffer *b, size_t i)
{
    return i < b->n ? &b->slot[b->order[i]] : NULL;
}

void pl_packet_buffer_drop(pl_packet_buffer *b)
{
    if (b->n == 0)
        return;
    uint8_t slot = b->order[0];
    memmove(b->order, b->order + 1, --b->n);
    b->order[b->n] = slot;
}

void pl_packet_buffer_flush(pl_packet_buffer *b)
{
    b->n_flushed += b->n;
    b->n = 0;
}

size_t pl_packet_buffer_samples(const pl_packet_buffer *b)
{
    size_t sum = 0;
    for (size_t i = 0; i < b->n; i++)
        sum += b->slot[b->order[i]].n_samples;
    return sum;
}
