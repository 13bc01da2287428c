/* Rooms over several nodes: the operations that tell the others, and what the others tell. */
#include "signal/rooms_share.h"

#include <stdlib.h>

#include "signal/rooms_internal.h"

static const pl_log share_log = { "rooms" };

/* ---- operations ---- */

static size_t op_size(const pl_rooms_op *op)
{
    return sizeof *op + op->room.n + op->name.n + op->type.n + op->data.n;
}

static pl_str put_text(char **at, pl_str text)
{
    pl_str copy = { *at, text.n };
    if (text.n)
        memcpy(*at, text.p, text.n);
    *at += text.n;
    return copy;
}

static pl_rooms_op *op_new(const pl_rooms_op *like)
{
    pl_rooms_op *op = malloc(op_size(like));
    if (!op)
        return NULL;
    *op = *like;
    char *at = (char *)(op + 1);
    op->room = put_text(&at, like->room);
    op->name = put_text(&at, like->name);
    op->type = put_text(&at, like->type);
    op->data = put_text(&at, like->data);
    return op;
}

void pl_rooms_push_op(pl_rooms *r, pl_rooms_op *op)
{
    pl_list_push_back(&r->ops, &op->in_list);
    r->stats.n_ops++;
    r->stats.ops_bytes += op_size(op);
}

static pl_err push(pl_rooms *r, const pl_rooms_op *like)
{
    pl_rooms_op *op = op_new(like);
    if (!op)
        return PL_ENOMEM;
    pl_rooms_push_op(r, op);
    return PL_OK;
}

pl_rooms_op *pl_rooms_next_op(pl_rooms *r)
{
    pl_node *n = pl_list_pop_front(&r->ops);
    return n ? pl_of(n, pl_rooms_op, in_list) : NULL;
}

void pl_rooms_op_free(pl_rooms *r, pl_rooms_op *op)
{
    if (!op)
        return;
    r->stats.n_ops--;
    r->stats.ops_bytes -= op_size(op);
    free(op);
}

pl_err pl_peer_promise_leave(pl_rooms *r, pl_peer *p)
{
    if (!r->conf.shared || p->leave)
        return PL_OK;
    p->leave = op_new(&(pl_rooms_op){ .kind = PL_ROOMS_OP_LEAVE, .id = p->id });
    return p->leave ? PL_OK : PL_ENOMEM;
}

pl_err pl_rooms_join_again(pl_rooms *r, pl_peer_id id)
{
    const pl_peer *p = pl_peer_find(r, id);
    if (!r->conf.shared || !p || p->remote)
        return PL_OK;
    return push(r, &(pl_rooms_op){ .kind = PL_ROOMS_OP_JOIN,
                                   .id = id,
                                   .room = pl_room_name(p->room),
                                   .name = pl_name_str(p->name),
                                   .seq = p->safe,
                                   .bound = p->bound });
}

/* The sign-in that was told just now, or that will be told, says so. */
void pl_peer_share_bound(pl_rooms *r, const pl_peer *p)
{
    if (!pl_list_empty(&r->ops)) {
        pl_rooms_op *newest = pl_of(r->ops.prev, pl_rooms_op, in_list);
        if (newest->kind == PL_ROOMS_OP_JOIN && newest->id == p->id) {
            newest->bound = true;
            return;
        }
    }
    if (pl_rooms_join_again(r, p->id))
        pl_log_debug(&share_log, "no memory to tell that peer %u is bound", p->id);
}

pl_err pl_rooms_share_message(pl_rooms *r, pl_peer_id from, pl_peer_id to, pl_str type, pl_str data,
                              uint64_t number)
{
    pl_rooms_op op = {
        .kind = PL_ROOMS_OP_SEND, .id = from, .to = to, .seq = number, .type = type, .data = data
    };
    if (r->stats.n_ops >= PL_ROOMS_OPS_MAX || r->stats.ops_bytes + op_size(&op) > PL_ROOMS_OPS_BYTES)
        return pl_rooms_refused(r, PL_ENOSPC);
    pl_err err = push(r, &op);
    pl_peer *sender = pl_peer_find(r, from);
    if (!err && number &&
        !sender->remote) /* it may have moved away a moment ago, and its connection live on */
        sender->said = number;
    return err;
}

void pl_rooms_said(pl_rooms *r, pl_peer_id id, uint64_t number)
{
    pl_peer *p = pl_peer_find(r, id);
    if (!p || p->remote || number <= p->safe)
        return;
    p->safe = number;
    if (!p->arriving)
        pl_peer_wake(r, p);
}

/* Who came over WebSocket says itself, when it comes back, what it has heard. Without memory a message may come twice. */
void pl_peer_share_heard(pl_rooms *r, pl_peer *p, uint64_t seq)
{
    if (r->conf.shared && !p->bound)
        (void)push(r, &(pl_rooms_op){ .kind = PL_ROOMS_OP_HEARD, .id = p->id, .seq = seq });
}

/* Its senders are at other nodes: they are told when its queue is full, and again when half of it is free. What is on its
 * way by then has as much room once more. */
void pl_peer_share_load(pl_rooms *r, pl_peer *p)
{
    bool full = p->n_queued >= r->conf.max_queue || p->queued_bytes >= r->conf.max_queue_bytes;
    bool half = p->n_queued > r->conf.max_queue / 2 || p->queued_bytes > r->conf.max_queue_bytes / 2;
    if (!r->conf.shared || (p->busy ? half : !full))
        return;
    pl_rooms_op op = { .kind = p->busy ? PL_ROOMS_OP_CALM : PL_ROOMS_OP_BUSY, .id = p->id };
    if (push(r, &op) == PL_OK)
        p->busy = !p->busy;
}

/* ---- ids ---- */

void pl_rooms_give_ids(pl_rooms *r, pl_peer_id first, uint32_t n)
{
    if (r->ids_left == 0) {
        r->next_id = first;
        r->ids_left = n;
    } else {
        r->spare_id = first;
        r->spare_ids = n;
    }
}

uint32_t pl_rooms_ids_left(const pl_rooms *r)
{
    return r->ids_left + r->spare_ids;
}

/* ---- other nodes' peers ---- */

pl_err pl_rooms_remote_join(pl_rooms *r, pl_peer_id id, pl_str room, pl_str name, bool bound)
{
    if (pl_peer_find(r, id))
        return PL_OK;
    if (!id || id > INT32_MAX || !pl_room_name_fits(name) || !pl_room_name_fits(room) ||
        pl_room_has_control(room))
        return pl_rooms_refused(r, PL_EINVAL);
    pl_peer *p = pl_peer_new(id, name);
    if (!p)
        return PL_ENOMEM;
    p->remote = true;
    p->bound = bound;
    pl_err err = pl_peer_enter(r, room, p);
    if (err)
        pl_peer_free(p);
    return err;
}

void pl_rooms_remote_leave(pl_rooms *r, pl_peer_id id)
{
    pl_peer *p = pl_peer_find(r, id);
    if (p && p->remote)
        pl_peer_sign_out(r, p, "it left another node");
}

void pl_rooms_moved_away(pl_rooms *r, pl_peer_id id, uint64_t at)
{
    pl_peer *p = pl_peer_find(r, id);
    if (!p || p->remote || p->arriving || at <= p->here_since)
        return;
    pl_room *room = p->room;
    pl_peer_leave_listener(r, p);
    pl_peer_drop_queue(r, p);
    free(p->leave);
    p->leave = NULL;
    p->remote = true;
    p->arriving = p->busy = false;
    p->said = p->safe = p->told_safe = 0; /* wherever it is, they know better */
    room->n_caught -= p->cursor == room->log_end;
    room->n_own--;
    r->stats.n_peers--;
    r->stats.n_remote++;
    r->stats.n_moved++;
    if (room->n_own == 0)
        pl_room_log_clear(r, room);
}

/* ---- messages ---- */

void pl_rooms_deliver(pl_rooms *r, pl_peer_id to, pl_peer_id from, pl_str type, pl_str data, uint64_t seq,
                      uint64_t origin)
{
    pl_peer *p = pl_peer_find(r, to);
    if (!p || p->remote || seq <= p->here_since || origin <= p->heard)
        return;
    bool fits = p->n_queued < 2 * r->conf.max_queue && p->queued_bytes < 2 * r->conf.max_queue_bytes - data.n;
    pl_message *m = fits ? pl_message_new(from, type, data) : NULL;
    if (!m) {
        r->stats.n_refused++;
        return;
    }
    m->seq = seq;
    m->origin = origin;
    pl_peer_enqueue(r, p, m);
}

void pl_rooms_refuse(pl_rooms *r, pl_peer_id from, pl_peer_id to, uint64_t number, bool busy)
{
    pl_peer *p = pl_peer_find(r, from);
    r->stats.n_refused++;
    if (!p || p->remote || !p->bound || p->n_queued >= r->conf.max_queue)
        return; /* the classic protocol has no word for it */
    pl_message *m = pl_message_new(to, PL_STR(""), PL_STR(""));
    if (!m)
        return;
    m->kind = PL_ROOMS_REFUSED;
    m->busy = busy;
    m->origin = number;
    pl_peer_enqueue(r, p, m);
}

/* ---- coming back ---- */

pl_err pl_peer_share_resume(pl_rooms *r, pl_peer *p, uint64_t heard_seq)
{
    if (!r->reach)
        return PL_EAGAIN;
    if (p->remote && r->stats.n_peers >= r->conf.max_peers)
        return PL_ENOSPC;
    if (p->arriving) { /* what it has not heard is on its way already; it may have been elsewhere meanwhile */
        p->heard = p->heard > heard_seq ? p->heard : heard_seq;
        return PL_OK;
    }
    pl_rooms_op op = { .kind = PL_ROOMS_OP_MOVE, .id = p->id, .seq = heard_seq };
    if (pl_peer_promise_leave(r, p) || push(r, &op)) {
        if (p->remote) {
            free(p->leave);
            p->leave = NULL;
        }
        return PL_ENOMEM;
    }
    if (p->remote) {
        r->stats.n_remote--;
        pl_peer_own(r, p);
    }
    if (p->listener) /* its former connection, which nobody has seen breaking */
        pl_peer_leave_listener(r, p);
    pl_peer_drop_queue(r, p);
    p->arriving = true;
    p->heard = heard_seq;
    return PL_OK;
}

/* What was held back and is from before the move comes a second time, behind it; and what it has heard elsewhere is here
 * because the move was told late. */
static void drop_until(pl_rooms *r, pl_peer *p, uint64_t seq)
{
    PL_EACH (n, &p->queue) {
        pl_message *m = pl_of(n, pl_message, in_queue);
        if (m->kind != PL_ROOMS_MESSAGE || (m->seq > seq && m->origin > p->heard))
            continue;
        pl_list_remove(n);
        pl_peer_dequeued(r, p, m);
        free(m);
    }
}

void pl_rooms_arrive(pl_rooms *r, pl_peer_id id, uint64_t at)
{
    pl_peer *p = pl_peer_find(r, id);
    if (!p || !p->arriving)
        return;
    p->arriving = false;
    p->here_since = at;
    p->heard = p->heard < at ? p->heard
                             : at; /* places beyond were those of a memory that has forgotten everything */
    drop_until(r, p, at);
    if (pl_peer_has_something(p))
        pl_peer_wake(r, p);
}

void pl_rooms_set_reach(pl_rooms *r, bool reach)
{
    r->reach = reach;
}

bool pl_rooms_each_of_all(const pl_rooms *r, const void **cursor, pl_rooms_peer *out)
{
    const pl_node *n = *cursor;
    const pl_room *room = n ? pl_of(n, pl_peer, in_room)->room : NULL;
    const pl_node *next_room = room ? room->in_rooms.next : r->rooms.next;
    if (n && n->next != &room->peers)
        n = n->next;
    else if (next_room != &r->rooms)
        n = pl_of(next_room, pl_room, in_rooms)->peers.next; /* a room has a peer */
    else
        return false;
    *cursor = n;
    pl_peer_describe(pl_of(n, pl_peer, in_room), out);
    return true;
}

void pl_rooms_set_seq(pl_rooms *r, uint64_t seq)
{
    r->seq = seq;
}
