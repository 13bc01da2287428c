/* What waits for a peer and who carries it: message queues, listeners, the order of messages and notes. */
#include <stdlib.h>

#include "signal/rooms_internal.h"

bool pl_peer_has_something(const pl_peer *p)
{
    if (p->arriving) /* what comes first is still on its way */
        return false;
    return p->cursor != p->room->log_end || !pl_list_empty(&p->queue) || p->safe != p->told_safe;
}

/* Something new waits for p: say so once, if there is somebody to hear it. */
void pl_peer_wake(pl_rooms *r, pl_peer *p)
{
    if (p->listener && !p->told && !pl_node_linked(&p->in_ready))
        pl_list_push_back(&r->ready, &p->in_ready);
}

pl_message *pl_message_new(pl_peer_id from, pl_str type, pl_str data)
{
    pl_message *m = malloc(sizeof *m + type.n + data.n);
    if (!m)
        return NULL;
    *m = (pl_message){ .from = from, .type_len = type.n, .data_len = data.n };
    if (type.n)
        memcpy(m->bytes, type.p, type.n);
    if (data.n)
        memcpy(m->bytes + type.n, data.p, data.n);
    return m;
}

void pl_peer_enqueue(pl_rooms *r, pl_peer *p, pl_message *m)
{
    m->after = p->room->log_end;
    pl_list_push_back(&p->queue, &m->in_queue);
    p->n_queued++;
    p->queued_bytes += pl_message_size(m);
    r->stats.queued_bytes += pl_message_size(m);
    r->stats.n_queued++;
    r->stats.n_messages += m->kind == PL_ROOMS_MESSAGE;
    r->stats.message_bytes += m->data_len;
    pl_peer_share_load(r, p);
    if (!p->arriving)
        pl_peer_wake(r, p);
}

void pl_peer_dequeued(pl_rooms *r, pl_peer *p, const pl_message *m)
{
    p->n_queued--;
    p->queued_bytes -= pl_message_size(m);
    r->stats.queued_bytes -= pl_message_size(m);
    r->stats.n_queued--;
    pl_peer_share_load(r, p);
}

static bool has_room_for(const pl_rooms *r, const pl_peer *to, size_t size)
{
    return to->n_queued < r->conf.max_queue && to->queued_bytes + size <= r->conf.max_queue_bytes &&
           r->stats.queued_bytes + size <= r->conf.max_total_bytes;
}

pl_err pl_rooms_send(pl_rooms *r, int64_t now_us, pl_peer_id from, pl_peer_id to, pl_str type, pl_str data)
{
    return pl_rooms_send_numbered(r, now_us, from, to, type, data, 0);
}

pl_err pl_rooms_send_numbered(pl_rooms *r, int64_t now_us, pl_peer_id from, pl_peer_id to, pl_str type,
                              pl_str data, uint64_t number)
{
    pl_peer *sender = pl_peer_find(r, from), *target = pl_peer_find(r, to);
    if (!sender)
        return pl_rooms_refused(r, PL_ESTATE);
    if (number && number <= sender->said) /* said again, and on its way already */
        return PL_OK;
    if (!sender->listener && !sender->remote) /* who speaks is alive */
        pl_heap_set(&r->idle, &sender->idle, now_us + r->conf.idle_us);
    if (!target || target->room != sender->room || data.n > PL_ROOMS_MESSAGE_MAX ||
        type.n > PL_ROOMS_TYPE_MAX || pl_room_has_control(type))
        return pl_rooms_refused(r, PL_EINVAL);
    size_t size = sizeof(pl_message) + type.n + data.n;
    if (!target->remote && !has_room_for(r, target, size))
        return pl_rooms_refused(r, PL_ENOSPC);
    if (r->conf.shared)
        return pl_rooms_share_message(r, from, to, type, data, number);
    pl_message *m = pl_message_new(from, type, data);
    if (!m)
        return PL_ENOMEM;
    m->seq = m->origin = ++r->seq;
    pl_peer_enqueue(r, target, m);
    if (number) {
        sender->said = number;
        pl_rooms_said(r, from, number);
    }
    return PL_OK;
}

/* ---- listeners ---- */

/* Its room forgot what it has not heard yet: telling it the rest would leave it with a wrong picture. */
static bool fell_behind(pl_rooms *r, pl_peer *p)
{
    if (p->cursor >= p->room->log_start)
        return false;
    r->stats.n_behind++;
    pl_peer_sign_out(r, p, "it fell behind");
    return true;
}

pl_err pl_rooms_listen(pl_rooms *r, int64_t now_us, pl_peer_id id, void *listener, void **replaced)
{
    (void)now_us;
    *replaced = NULL;
    pl_peer *p = pl_peer_find(r, id);
    if (!p || p->remote || (!p->listener && fell_behind(r, p)))
        return pl_rooms_refused(r, PL_ESTATE);
    if (p->listener && p->listener != listener)
        *replaced = p->listener;
    r->stats.n_listening += !p->listener;
    p->listener = listener;
    p->told = false;
    pl_heap_remove(&r->idle, &p->idle);
    if (pl_peer_has_something(p))
        pl_peer_wake(r, p);
    return PL_OK;
}

void pl_rooms_unlisten(pl_rooms *r, int64_t now_us, pl_peer_id id, const void *listener)
{
    PL_EACH (n, &r->gone) {
        pl_peer *p = pl_of(n, pl_peer, in_ready);
        if (p->id == id && p->listener == listener) {
            pl_list_remove(n);
            pl_peer_free(p);
            return;
        }
    }
    pl_peer *p = pl_peer_find(r, id);
    if (!p || p->listener != listener || !listener)
        return;
    p->listener = NULL;
    p->told = false;
    r->stats.n_listening--;
    pl_list_remove(&p->in_ready);
    bool comes_back = p->keeps || (r->conf.shared && p->bound); /* soon, or not at all */
    pl_heap_set(&r->idle, &p->idle, now_us + (comes_back ? pl_rooms_resume_us(r) : r->conf.idle_us));
}

static void take_message(pl_rooms *r, int64_t now_us, pl_peer *p, pl_rooms_item *out)
{
    pl_message *m = pl_of(pl_list_pop_front(&p->queue), pl_message, in_queue);
    pl_peer_dequeued(r, p, m);
    r->lent_message = pl_peer_keep(r, now_us, p, m) ? NULL : m;
    *out = (pl_rooms_item){ .kind = (pl_rooms_kind)m->kind,
                            .peer = m->from,
                            .type = { m->bytes, m->type_len },
                            .data = { m->bytes + m->type_len, m->data_len },
                            .seq = m->origin,
                            .busy = m->busy };
    if (m->kind == PL_ROOMS_MESSAGE)
        pl_peer_share_heard(r, p, m->seq);
}

static void take_note(pl_rooms *r, pl_peer *p, pl_rooms_item *out)
{
    const pl_note *note = pl_room_log_at(p->room, p->cursor);
    r->lent_name = note->name;
    note->name->refs++;
    *out = (pl_rooms_item){ .kind = note->joined ? PL_ROOMS_JOINED : PL_ROOMS_LEFT,
                            .peer = note->id,
                            .name = pl_name_str(note->name) };
    if (++p->cursor == p->room->log_end)
        pl_room_caught_up(r, p->room);
}

bool pl_rooms_take(pl_rooms *r, int64_t now_us, pl_peer_id id, pl_rooms_item *out)
{
    pl_rooms_forget_lent(r);
    pl_peer *p = pl_peer_find(r, id);
    if (!p || p->remote || p->arriving || fell_behind(r, p))
        return false;
    const pl_node *first = pl_list_first(&p->queue);
    if (first && pl_of(first, pl_message, in_queue)->after <= p->cursor) {
        take_message(r, now_us, p, out);
        return true;
    }
    if (p->cursor != p->room->log_end) {
        take_note(r, p, out);
        return true;
    }
    if (p->told_safe != p->safe) {
        p->told_safe = p->safe;
        *out = (pl_rooms_item){ .kind = PL_ROOMS_SAID, .seq = p->safe };
        return true;
    }
    p->told = false;
    return false;
}

bool pl_rooms_poll_event(pl_rooms *r, pl_rooms_event *out)
{
    pl_node *n = pl_list_pop_front(&r->gone);
    if (n) {
        pl_peer *p = pl_of(n, pl_peer, in_ready);
        *out = (pl_rooms_event){ PL_ROOMS_GONE, p->id, p->listener };
        pl_peer_free(p);
        return true;
    }
    n = pl_list_pop_front(&r->ready);
    if (!n)
        return false;
    pl_peer *p = pl_of(n, pl_peer, in_ready);
    p->told = true;
    *out = (pl_rooms_event){ PL_ROOMS_READY, p->id, p->listener };
    return true;
}
