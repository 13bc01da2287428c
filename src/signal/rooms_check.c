/* The rooms' invariants. */
#include <assert.h>

#include "signal/rooms_internal.h"

static size_t check_peer(const pl_rooms *r, const pl_room *room, const pl_peer *p)
{
    assert(p->room == room);
    assert(p->id && (r->conf.shared || p->id < r->next_id));
    if (p->remote) {
        assert(!p->listener && !p->idle.linked && pl_list_empty(&p->queue) && !p->leave && !p->arriving);
        return 0;
    }
    assert(p->idle.linked == !p->listener);
    assert(r->conf.shared == (p->leave != NULL));
    assert(!pl_node_linked(&p->in_ready) || (p->listener && !p->told));
    assert(p->cursor <= room->log_end);
    assert(!p->listener || !pl_peer_has_something(p) || p->told || pl_node_linked(&p->in_ready));
    uint32_t n = 0;
    size_t bytes = 0;
    uint64_t after = 0;
    PL_EACH (node, &p->queue) {
        const pl_message *m = pl_of(node, pl_message, in_queue);
        assert(m->after >= after);
        after = m->after;
        bytes += pl_message_size(m);
        n++;
    }
    assert(n == p->n_queued && n <= r->conf.max_queue * (r->conf.shared ? 2 : 1) + PL_ROOMS_KEPT_MAX);
    assert(bytes == p->queued_bytes &&
           bytes <= r->conf.max_queue_bytes * (r->conf.shared ? 2 : 1) + PL_ROOMS_KEPT_BYTES);
    return bytes;
}

static size_t check_kept(const pl_rooms *r, const pl_peer *p)
{
    uint32_t n = 0;
    size_t bytes = 0;
    uint64_t origin = p->missed;
    PL_EACH (node, &p->kept) {
        const pl_message *m = pl_of(node, pl_message, in_queue);
        assert(m->origin > origin);
        origin = m->origin;
        bytes += pl_message_size(m);
        n++;
    }
    assert(n == p->n_kept && n <= PL_ROOMS_KEPT_MAX && bytes == p->kept_bytes);
    assert(n <= 1 || bytes <= PL_ROOMS_KEPT_BYTES);
    assert(n == 0 || (p->keeps && !r->conf.shared));
    return bytes;
}

void pl_rooms_check(const pl_rooms *r)
{
    uint32_t n_peers = 0, n_remote = 0, n_rooms = 0, n_listening = 0;
    size_t bytes = 0, kept_bytes = 0, log_bytes = 0;
    PL_EACH (n, &r->rooms) {
        const pl_room *room = pl_of(n, pl_room, in_rooms);
        uint32_t here = 0, own = 0, caught = 0;
        PL_EACH (m, &room->peers) {
            const pl_peer *p = pl_of(m, pl_peer, in_room);
            bytes += check_peer(r, room, p);
            kept_bytes += check_kept(r, p);
            own += !p->remote;
            caught += !p->remote && p->cursor == room->log_end;
            n_listening += p->listener != NULL;
            here++;
        }
        assert(here > 0 && here == room->n_peers && own == room->n_own);
        assert(caught == room->n_caught);
        assert(room->log_end - room->log_start <= PL_ROOMS_LOG_MAX);
        for (uint64_t i = room->log_start; i < room->log_end; i++)
            log_bytes += pl_note_size(pl_room_log_at(room, i));
        n_peers += own;
        n_remote += here - own;
        n_rooms++;
    }
    assert(n_peers == r->stats.n_peers && n_remote == r->stats.n_remote && n_peers + n_remote == r->by_id.n);
    assert(n_rooms == r->stats.n_rooms && n_rooms == r->by_name.n);
    assert(n_listening == r->stats.n_listening);
    assert(kept_bytes == r->stats.kept_bytes);
    assert(bytes == r->stats.queued_bytes && log_bytes == r->stats.log_bytes);
    (void)n_listening, (void)n_rooms, (void)n_peers, (void)bytes, (void)kept_bytes, (void)log_bytes;
}
