#include "dtls/queue.h"

#include <stdlib.h>
#include <string.h>

enum { LEN_BYTES = 4, CAP_FIRST = 1536 };

void pl_dtls_queue_clear(pl_dtls_queue *q)
{
    free(q->block);
    *q = (pl_dtls_queue){ 0 };
}

static bool make_room(pl_dtls_queue *q, size_t need)
{
    if (q->head > 0 && q->cap - q->tail < need) {
        memmove(q->block, q->block + q->head, q->tail - q->head);
        q->tail -= q->head;
        q->head = 0;
    }
    if (q->cap - q->tail >= need)
        return true;
    size_t cap = q->cap ? q->cap : CAP_FIRST;
    while (cap - q->tail < need)
        cap *= 2;
    if (cap > PL_DTLS_QUEUE_BYTES_MAX)
        return false;
    uint8_t *block = realloc(q->block, cap);
    if (!block)
        return false;
    q->block = block;
    q->cap = cap;
    return true;
}

uint8_t *pl_dtls_queue_reserve(pl_dtls_queue *q, size_t n_max, size_t len)
{
    if (q->n >= n_max || len > PL_DTLS_QUEUE_BYTES_MAX || !make_room(q, LEN_BYTES + len))
        return NULL;
    return q->block + q->tail + LEN_BYTES;
}

void pl_dtls_queue_commit(pl_dtls_queue *q, size_t len)
{
    uint32_t n = (uint32_t)len;
    memcpy(q->block + q->tail, &n, LEN_BYTES);
    q->tail += LEN_BYTES + len;
    q->n++;
}

bool pl_dtls_queue_push(pl_dtls_queue *q, size_t n_max, const void *data, size_t len)
{
    uint8_t *at = pl_dtls_queue_reserve(q, n_max, len);
    if (!at)
        return false;
    memcpy(at, data, len);
    pl_dtls_queue_commit(q, len);
    return true;
}

const uint8_t *pl_dtls_queue_peek(const pl_dtls_queue *q, size_t *len)
{
    if (q->n == 0)
        return NULL;
    uint32_t n;
    memcpy(&n, q->block + q->head, LEN_BYTES);
    *len = n;
    return q->block + q->head + LEN_BYTES;
}

void pl_dtls_queue_drop(pl_dtls_queue *q)
{
    size_t len;
    if (!pl_dtls_queue_peek(q, &len))
        return;
    q->head += LEN_BYTES + len;
    if (--q->n > 0)
        return;
    q->head = q->tail = 0;
    if (q->cap > PL_DTLS_QUEUE_KEEP)
        pl_dtls_queue_clear(q);
}
