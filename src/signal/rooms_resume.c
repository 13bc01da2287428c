/* Who comes back: tokens, what may have been swallowed by a broken connection, and the way back in. */
#include "signal/rooms_resume.h"

#include <stdlib.h>

#include "crypto/hmac.h"
#include "signal/rooms_internal.h"

/* ---- who it is ---- */

void pl_rooms_set_secret(pl_rooms *r, const uint8_t secret[32])
{
    memcpy(r->secret, secret, sizeof r->secret);
    r->has_secret = true;
}

bool pl_rooms_token(const pl_rooms *r, pl_peer_id id, char out[PL_ROOMS_TOKEN_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t mac[PL_SHA256_LEN];
    pl_slice part[] = { { "peer", 4 }, { &id, sizeof id } };
    out[0] = '\0';
    if (!r->has_secret)
        return false;
    pl_hmac_sha256(r->secret, sizeof r->secret, part, 2, mac);
    for (size_t i = 0; i < PL_ROOMS_TOKEN_LEN; i++)
        out[i] = digits[mac[i / 2] >> (i & 1 ? 0 : 4) & 15];
    out[PL_ROOMS_TOKEN_LEN] = '\0';
    return true;
}

bool pl_rooms_token_is_right(const pl_rooms *r, pl_peer_id id, pl_str token)
{
    char right[PL_ROOMS_TOKEN_LEN + 1];
    return pl_rooms_token(r, id, right) && token.n == PL_ROOMS_TOKEN_LEN &&
           pl_ct_eq(right, token.p, PL_ROOMS_TOKEN_LEN);
}

uint64_t pl_rooms_seq(const pl_rooms *r)
{
    return r->seq;
}

uint64_t pl_rooms_said_until(const pl_rooms *r, pl_peer_id id)
{
    const pl_peer *p = pl_peer_find(r, id);
    return p ? p->safe : 0;
}

int64_t pl_rooms_resume_us(const pl_rooms *r)
{
    return pl_min_us(r->conf.idle_us, PL_SEC(PL_ROOMS_RESUME_S));
}

/* ---- what may have been swallowed ---- */

void pl_rooms_keep(pl_rooms *r, pl_peer_id id)
{
    pl_peer *p = pl_peer_find(r, id);
    if (p)
        p->keeps = true;
}

static pl_message *unkeep(pl_rooms *r, pl_peer *p)
{
    pl_node *n = pl_list_pop_front(&p->kept);
    if (!n)
        return NULL;
    pl_message *m = pl_of(n, pl_message, in_queue);
    p->n_kept--;
    p->kept_bytes -= pl_message_size(m);
    r->stats.kept_bytes -= pl_message_size(m);
    return m;
}

static void drop_oldest(pl_rooms *r, pl_peer *p)
{
    pl_message *m = unkeep(r, p);
    p->missed = m->origin;
    free(m);
}

void pl_peer_drop_kept(pl_rooms *r, pl_peer *p)
{
    while (p->n_kept)
        drop_oldest(r, p);
}

bool pl_peer_keep(pl_rooms *r, int64_t now_us, pl_peer *p, pl_message *m)
{
    size_t size = pl_message_size(m);
    if (!p->keeps || r->conf.shared || m->kind != PL_ROOMS_MESSAGE)
        return false;
    if (r->stats.kept_bytes + size > r->conf.max_total_bytes / 2) {
        p->missed = m->origin;
        pl_peer_drop_kept(r, p); /* what is older is of no use without it */
        return false;
    }
    while (p->n_kept) {
        const pl_message *oldest = pl_of(pl_list_first(&p->kept), pl_message, in_queue);
        if (p->n_kept < PL_ROOMS_KEPT_MAX && p->kept_bytes + size <= PL_ROOMS_KEPT_BYTES &&
            oldest->taken_us > now_us - PL_SEC(PL_ROOMS_KEPT_S))
            break;
        drop_oldest(r, p);
    }
    m->taken_us = now_us;
    pl_list_push_back(&p->kept, &m->in_queue);
    p->n_kept++;
    p->kept_bytes += size;
    r->stats.kept_bytes += size;
    return true;
}

/* What it has not heard waits for it once more, before what it was never told. */
static pl_err resume_here(pl_rooms *r, pl_peer *p, uint64_t heard)
{
    if (!p->keeps || heard < p->missed)
        return PL_ESTATE;
    if (p->listener) /* its former connection, which nobody has seen breaking */
        pl_peer_leave_listener(r, p);
    pl_list again;
    pl_list_init(&again);
    for (pl_message *m; (m = unkeep(r, p));) {
        if (m->origin <= heard)
            free(m);
        else
            pl_list_push_back(&again, &m->in_queue);
    }
    while (!pl_list_empty(&again)) {
        pl_node *n = again.prev;
        pl_message *m = pl_of(n, pl_message, in_queue);
        pl_list_remove(n);
        pl_list_push_front(&p->queue, n);
        p->n_queued++;
        p->queued_bytes += pl_message_size(m);
        r->stats.n_queued++;
        r->stats.queued_bytes += pl_message_size(m);
    }
    return PL_OK;
}

/* ---- coming back ---- */

/* Its listener stays behind with a stand-in, which is told that it is gone. */
void pl_peer_leave_listener(pl_rooms *r, pl_peer *p)
{
    pl_peer *stand_in = p->listener ? calloc(1, sizeof *stand_in) : NULL;
    if (stand_in) {
        stand_in->id = p->id;
        stand_in->listener = p->listener;
        pl_list_init(&stand_in->queue);
        pl_list_push_back(&r->gone, &stand_in->in_ready);
    }
    r->stats.n_listening -= p->listener != NULL;
    p->listener = NULL;
    p->told = false;
    pl_list_remove(&p->in_ready);
    pl_heap_remove(&r->idle, &p->idle);
}

pl_err pl_rooms_resume(pl_rooms *r, int64_t now_us, pl_peer_id id, uint64_t heard_seq)
{
    pl_peer *p = pl_peer_find(r, id);
    pl_err err = PL_ESTATE;
    if (p)
        err = r->conf.shared ? pl_peer_share_resume(r, p, heard_seq) : resume_here(r, p, heard_seq);
    if (err)
        return pl_rooms_refused(r, err);
    if (p->cursor != p->room->log_end) { /* it will be given the list of who is there */
        p->cursor = p->room->log_end;
        pl_room_caught_up(r, p->room);
    }
    if (!p->listener)
        pl_heap_set(&r->idle, &p->idle, now_us + r->conf.idle_us);
    r->stats.n_resumed++;
    return PL_OK;
}
