#include "xmpp/sm.h"

#include <assert.h>
#include <stdlib.h>

void pl_xmpp_sm_init(pl_xmpp_sm *sm)
{
    *sm = (pl_xmpp_sm){ .enabled = false };
    pl_list_init(&sm->unacked);
    pl_list_init(&sm->left);
}

static void drop(pl_xmpp_sm *sm, pl_list *list, size_t *n)
{
    while (!pl_list_empty(list)) {
        pl_xmpp_unacked *u = pl_of(pl_list_pop_front(list), pl_xmpp_unacked, in_queue);
        sm->bytes -= u->len;
        (*n)--;
        free(u);
    }
}

void pl_xmpp_sm_clear(pl_xmpp_sm *sm)
{
    drop(sm, &sm->unacked, &sm->n_unacked);
    drop(sm, &sm->left, &sm->n_left);
    pl_xmpp_sm_init(sm);
}

void pl_xmpp_sm_begin(pl_xmpp_sm *sm)
{
    PL_EACH (n, &sm->unacked) {
        pl_xmpp_unacked *u = pl_of(n, pl_xmpp_unacked, in_queue);
        if (!u->message)
            continue;
        pl_list_remove(n);
        sm->n_unacked--;
        pl_list_push_back(&sm->left, n);
        sm->n_left++;
    }
    drop(sm, &sm->unacked, &sm->n_unacked);
    sm->enabled = sm->resumable = false;
    sm->in_h = sm->acked = 0;
}

void pl_xmpp_sm_end(pl_xmpp_sm *sm)
{
    sm->enabled = sm->resumable = false;
}

pl_err pl_xmpp_sm_keep(pl_xmpp_sm *sm, pl_str text, bool message)
{
    if (sm->n_unacked + sm->n_left >= PL_XMPP_SM_MAX || text.n > PL_XMPP_SM_BYTES_MAX - sm->bytes)
        return PL_ENOSPC;
    pl_xmpp_unacked *u = malloc(sizeof *u + text.n + 1);
    if (!u)
        return PL_ENOMEM;
    *u = (pl_xmpp_unacked){ .message = message, .len = text.n };
    memcpy(u->text, text.p, text.n);
    u->text[text.n] = 0;
    pl_list_push_back(&sm->unacked, &u->in_queue);
    sm->n_unacked++;
    sm->bytes += text.n;
    return PL_OK;
}

pl_err pl_xmpp_sm_ack(pl_xmpp_sm *sm, uint32_t h)
{
    uint32_t n = h - sm->acked;
    if (n > sm->n_unacked)
        return PL_EPROTO;
    for (; n; n--) {
        pl_xmpp_unacked *u = pl_of(pl_list_pop_front(&sm->unacked), pl_xmpp_unacked, in_queue);
        sm->bytes -= u->len;
        sm->n_unacked--;
        free(u);
    }
    sm->acked = h;
    return PL_OK;
}

void pl_xmpp_sm_check(const pl_xmpp_sm *sm)
{
    size_t n = 0, bytes = 0;
    PL_EACH (at, &sm->unacked) {
        n++;
        bytes += pl_of(at, pl_xmpp_unacked, in_queue)->len;
    }
    assert(n == sm->n_unacked);
    PL_EACH (at, &sm->left)
        bytes += pl_of(at, pl_xmpp_unacked, in_queue)->len;
    assert(bytes == sm->bytes);
    assert(sm->n_unacked + sm->n_left <= PL_XMPP_SM_MAX);
    assert(!sm->resumable || (sm->enabled && sm->id[0]));
}
