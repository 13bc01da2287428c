#include "signal/rooms.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "signal/rooms_internal.h"

static const pl_log rooms_log = { "rooms" };

pl_err pl_rooms_new(pl_rooms **out, const pl_rooms_conf *conf)
{
    *out = NULL;
    if (conf->max_peers > PL_ROOMS_PEERS_MAX || conf->idle_us < 0)
        return PL_EINVAL;
    pl_rooms *r = calloc(1, sizeof *r);
    if (!r)
        return PL_ENOMEM;
    r->conf = *conf;
    r->conf.max_peers = conf->max_peers ? conf->max_peers : 10000;
    r->conf.max_queue = conf->max_queue ? conf->max_queue : 256;
    r->conf.max_queue_bytes = conf->max_queue_bytes ? conf->max_queue_bytes : 1024 * 1024;
    r->conf.max_total_bytes = conf->max_total_bytes ? conf->max_total_bytes : 64 * 1024 * 1024;
    r->conf.idle_us = conf->idle_us ? conf->idle_us : PL_SEC(30);
    uint8_t key[16];
    pl_rand_bytes(&r->conf.rand, key, sizeof key);
    pl_hash_init(&r->by_id, r->conf.max_peers, key);
    pl_hash_init(&r->by_name, r->conf.max_peers, key);
    pl_list_init(&r->rooms);
    pl_list_init(&r->ready);
    pl_list_init(&r->gone);
    r->next_id = 1;
    *out = r;
    return PL_OK;
}

/* ---- names ---- */

static size_t utf8_chars(pl_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return n;
}

static bool name_fits(pl_str s)
{
    return s.n <= PL_ROOMS_NAME_MAX && pl_utf8_valid(s.p, s.n) && utf8_chars(s) <= PL_ROOMS_NAME_CHARS;
}

static bool is_control(char c)
{
    return (uint8_t)c < ' ' || c == 0x7f;
}

static bool has_control(pl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_control(s.p[i]))
            return true;
    }
    return false;
}

static pl_name *name_new(pl_str s, pl_peer_id id)
{
    char made[32];
    if (s.n == 0) {
        snprintf(made, sizeof made, "peer_%u", id);
        s = pl_str_of(made);
    }
    pl_name *n = malloc(sizeof *n + s.n);
    if (!n)
        return NULL;
    n->refs = 1;
    n->len = s.n;
    for (size_t i = 0; i < s.n; i++)
        n->text[i] = s.p[i] == ',' || is_control(s.p[i]) ? '_' : s.p[i];
    return n;
}

void pl_name_unref(pl_name *n)
{
    if (n && --n->refs == 0)
        free(n);
}

/* ---- rooms come with their first peer and go with their last ---- */

static pl_room *find_room(const pl_rooms *r, pl_str name)
{
    name.p = name.p ? name.p : "";
    for (pl_hash_node *n = pl_hash_find(&r->by_name, name.p, name.n); n; n = pl_hash_next(n)) {
        pl_room *room = pl_of(n, pl_room, by_name);
        if (pl_str_eq(pl_room_name(room), name))
            return room;
    }
    return NULL;
}

static pl_room *room_new(pl_rooms *r, pl_str name)
{
    pl_room *room = calloc(1, sizeof *room + name.n);
    if (!room)
        return NULL;
    room->name_len = name.n;
    if (name.n)
        memcpy(room->name, name.p, name.n);
    pl_list_init(&room->peers);
    if (pl_hash_insert(&r->by_name, &room->by_name, room->name, name.n)) {
        free(room);
        return NULL;
    }
    pl_list_push_back(&r->rooms, &room->in_rooms);
    r->stats.n_rooms++;
    return room;
}

static void room_free(pl_rooms *r, pl_room *room)
{
    pl_room_log_clear(r, room);
    pl_hash_remove(&r->by_name, &room->by_name);
    pl_list_remove(&room->in_rooms);
    r->stats.n_rooms--;
    free(room->log);
    free(room);
}

/* ---- peers ---- */

static pl_peer *find_peer(const pl_rooms *r, pl_peer_id id)
{
    for (pl_hash_node *n = pl_hash_find(&r->by_id, &id, sizeof id); n; n = pl_hash_next(n)) {
        pl_peer *p = pl_of(n, pl_peer, by_id);
        if (p->id == id)
            return p;
    }
    return NULL;
}

static void forget_lent(pl_rooms *r)
{
    pl_name_unref(r->lent_name);
    free(r->lent_message);
    r->lent_name = NULL;
    r->lent_message = NULL;
}

static void drop_queue(pl_rooms *r, pl_peer *p)
{
    for (pl_node *n; (n = pl_list_pop_front(&p->queue));) {
        pl_message *m = pl_of(n, pl_message, in_queue);
        r->stats.queued_bytes -= pl_message_size(m);
        r->stats.n_queued--;
        free(m);
    }
    p->n_queued = 0;
    p->queued_bytes = 0;
}

static void peer_free(pl_peer *p)
{
    pl_name_unref(p->name);
    free(p);
}

/* Takes the peer out of everything. With a listener it stays in the list of the gone until that was told. */
static void sign_out(pl_rooms *r, pl_peer *p, const char *why)
{
    pl_room *room = p->room;
    pl_log_debug(&rooms_log, "peer %u signed out: %s", p->id, why);
    pl_heap_remove(&r->idle, &p->idle);
    pl_list_remove(&p->in_ready);
    pl_hash_remove(&r->by_id, &p->by_id);
    drop_queue(r, p);
    room->n_caught -= p->cursor == room->log_end;
    pl_list_remove(&p->in_room);
    room->n_peers--;
    r->stats.n_peers--;
    r->stats.n_signed_out++;
    if (room->n_peers == 0)
        room_free(r, room);
    else
        pl_room_log_add(r, room, p, false);
    p->room = NULL;
    if (p->listener) {
        r->stats.n_listening--;
        pl_list_push_back(&r->gone, &p->in_ready);
    } else {
        peer_free(p);
    }
}

void pl_rooms_free(pl_rooms *r)
{
    if (!r)
        return;
    forget_lent(r);
    PL_EACH (n, &r->rooms) {
        pl_room *room = pl_of(n, pl_room, in_rooms);
        PL_EACH (m, &room->peers) {
            pl_peer *p = pl_of(m, pl_peer, in_room);
            drop_queue(r, p);
            peer_free(p);
        }
        room_free(r, room);
    }
    for (pl_node *n; (n = pl_list_pop_front(&r->gone));)
        peer_free(pl_of(n, pl_peer, in_ready));
    pl_hash_clear(&r->by_id);
    pl_hash_clear(&r->by_name);
    free(r);
}

static pl_err refused(pl_rooms *r, pl_err err)
{
    r->stats.n_refused++;
    return err;
}

static pl_err add_peer(pl_rooms *r, pl_str room_name, pl_peer *p)
{
    pl_room *room = find_room(r, room_name);
    bool made = !room;
    if (made && !(room = room_new(r, room_name)))
        return PL_ENOMEM;
    pl_err err = pl_hash_insert(&r->by_id, &p->by_id, &p->id, sizeof p->id);
    if (err) {
        if (made)
            room_free(r, room);
        return err;
    }
    p->room = room;
    pl_room_log_add(r, room, p, true);
    pl_list_push_back(&room->peers, &p->in_room);
    room->n_peers++;
    p->cursor = room->log_end; /* it does not hear of its own coming */
    pl_room_caught_up(r, room);
    return PL_OK;
}

static void say_signed_in(pl_rooms *r, const pl_peer *p, int64_t now_us)
{
    char name[PL_ROOMS_NAME_MAX + 1];
    if (!pl_rate_pass(&r->said, now_us))
        return;
    (void)pl_str_copy(pl_name_str(p->name), name, sizeof name);
    pl_log_info(&rooms_log, "peer %u %s signed in, %u are here (%u more came unsaid)", p->id,
                pl_log_private(name), r->stats.n_peers, pl_rate_missed(&r->said));
}

pl_err pl_rooms_sign_in(pl_rooms *r, int64_t now_us, pl_str room, pl_str name, pl_peer_id *id)
{
    *id = 0;
    if (!name_fits(name) || !name_fits(room) || has_control(room))
        return refused(r, PL_EINVAL);
    if (r->stats.n_peers >= r->conf.max_peers || r->next_id > INT32_MAX)
        return refused(r, PL_ENOSPC);
    pl_peer *p = calloc(1, sizeof *p);
    if (!p)
        return PL_ENOMEM;
    p->id = r->next_id;
    pl_list_init(&p->queue);
    p->name = name_new(name, p->id);
    pl_err err = p->name ? add_peer(r, room, p) : PL_ENOMEM;
    if (err) {
        peer_free(p);
        return err;
    }
    pl_heap_set(&r->idle, &p->idle, now_us + r->conf.idle_us);
    r->next_id++;
    r->stats.n_peers++;
    r->stats.n_signed_in++;
    say_signed_in(r, p, now_us);
    *id = p->id;
    return PL_OK;
}

void pl_rooms_sign_out(pl_rooms *r, int64_t now_us, pl_peer_id id)
{
    (void)now_us;
    pl_peer *p = find_peer(r, id);
    if (p)
        sign_out(r, p, "it asked to");
}

static void describe(const pl_peer *p, pl_rooms_peer *out)
{
    *out = (pl_rooms_peer){ p->id, pl_name_str(p->name), pl_room_name(p->room), p->bound };
}

void pl_rooms_bind(pl_rooms *r, pl_peer_id id)
{
    pl_peer *p = find_peer(r, id);
    if (p)
        p->bound = true;
}

bool pl_rooms_find(const pl_rooms *r, pl_peer_id id, pl_rooms_peer *out)
{
    const pl_peer *p = find_peer(r, id);
    if (!p)
        return false;
    describe(p, out);
    return true;
}

bool pl_rooms_each(const pl_rooms *r, pl_peer_id of, const void **cursor, pl_rooms_peer *out)
{
    const pl_peer *me = find_peer(r, of);
    if (!me)
        return false;
    const pl_node *n = *cursor ? ((const pl_node *)*cursor)->next : me->room->peers.next;
    if (n == &me->in_room)
        n = n->next;
    if (n == &me->room->peers)
        return false;
    const pl_peer *p = pl_of(n, pl_peer, in_room);
    *cursor = n;
    describe(p, out);
    return true;
}

/* ---- messages ---- */

static bool has_something(const pl_peer *p)
{
    return p->cursor != p->room->log_end || !pl_list_empty(&p->queue);
}

/* Something new waits for p: say so once, if there is somebody to hear it. */
void pl_peer_wake(pl_rooms *r, pl_peer *p)
{
    if (p->listener && !p->told && !pl_node_linked(&p->in_ready))
        pl_list_push_back(&r->ready, &p->in_ready);
}

static bool has_room_for(const pl_rooms *r, const pl_peer *to, size_t size)
{
    return to->n_queued < r->conf.max_queue && size <= r->conf.max_queue_bytes - to->queued_bytes &&
           r->stats.queued_bytes + size <= r->conf.max_total_bytes;
}

pl_err pl_rooms_send(pl_rooms *r, int64_t now_us, pl_peer_id from, pl_peer_id to, pl_str type, pl_str data)
{
    pl_peer *sender = find_peer(r, from), *target = find_peer(r, to);
    if (!sender)
        return refused(r, PL_ESTATE);
    if (!sender->listener) /* who speaks is alive */
        pl_heap_set(&r->idle, &sender->idle, now_us + r->conf.idle_us);
    if (!target || target->room != sender->room || data.n > PL_ROOMS_MESSAGE_MAX ||
        type.n > PL_ROOMS_TYPE_MAX || has_control(type))
        return refused(r, PL_EINVAL);
    size_t size = sizeof(pl_message) + type.n + data.n;
    if (!has_room_for(r, target, size))
        return refused(r, PL_ENOSPC);
    pl_message *m = malloc(size);
    if (!m)
        return PL_ENOMEM;
    *m = (pl_message){ .from = from, .after = target->room->log_end, .type_len = type.n, .data_len = data.n };
    if (type.n)
        memcpy(m->bytes, type.p, type.n);
    if (data.n)
        memcpy(m->bytes + type.n, data.p, data.n);
    pl_list_push_back(&target->queue, &m->in_queue);
    target->n_queued++;
    target->queued_bytes += size;
    r->stats.queued_bytes += size;
    r->stats.n_queued++;
    r->stats.n_messages++;
    r->stats.message_bytes += data.n;
    pl_peer_wake(r, target);
    return PL_OK;
}

/* ---- listeners ---- */

/* Its room forgot what it has not heard yet: telling it the rest would leave it with a wrong picture. */
static bool fell_behind(pl_rooms *r, pl_peer *p)
{
    if (p->cursor >= p->room->log_start)
        return false;
    r->stats.n_behind++;
    sign_out(r, p, "it fell behind");
    return true;
}

pl_err pl_rooms_listen(pl_rooms *r, int64_t now_us, pl_peer_id id, void *listener, void **replaced)
{
    (void)now_us;
    *replaced = NULL;
    pl_peer *p = find_peer(r, id);
    if (!p || (!p->listener && fell_behind(r, p)))
        return refused(r, PL_ESTATE);
    if (p->listener && p->listener != listener)
        *replaced = p->listener;
    r->stats.n_listening += !p->listener;
    p->listener = listener;
    p->told = false;
    pl_heap_remove(&r->idle, &p->idle);
    if (has_something(p))
        pl_peer_wake(r, p);
    return PL_OK;
}

void pl_rooms_unlisten(pl_rooms *r, int64_t now_us, pl_peer_id id, const void *listener)
{
    PL_EACH (n, &r->gone) {
        pl_peer *p = pl_of(n, pl_peer, in_ready);
        if (p->id == id && p->listener == listener) {
            pl_list_remove(n);
            peer_free(p);
            return;
        }
    }
    pl_peer *p = find_peer(r, id);
    if (!p || p->listener != listener || !listener)
        return;
    p->listener = NULL;
    p->told = false;
    r->stats.n_listening--;
    pl_list_remove(&p->in_ready);
    pl_heap_set(&r->idle, &p->idle, now_us + r->conf.idle_us);
}

static void take_message(pl_rooms *r, pl_peer *p, pl_rooms_item *out)
{
    pl_message *m = pl_of(pl_list_pop_front(&p->queue), pl_message, in_queue);
    size_t size = pl_message_size(m);
    p->n_queued--;
    p->queued_bytes -= size;
    r->stats.queued_bytes -= size;
    r->stats.n_queued--;
    r->lent_message = m;
    *out = (pl_rooms_item){ .kind = PL_ROOMS_MESSAGE,
                            .peer = m->from,
                            .type = { m->bytes, m->type_len },
                            .data = { m->bytes + m->type_len, m->data_len } };
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
    (void)now_us;
    forget_lent(r);
    pl_peer *p = find_peer(r, id);
    if (!p || fell_behind(r, p))
        return false;
    const pl_node *first = pl_list_first(&p->queue);
    if (first && pl_of(first, pl_message, in_queue)->after <= p->cursor) {
        take_message(r, p, out);
        return true;
    }
    if (p->cursor != p->room->log_end) {
        take_note(r, p, out);
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
        peer_free(p);
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

/* ---- time ---- */

void pl_rooms_tick(pl_rooms *r, int64_t now_us)
{
    for (pl_heap_node *n; (n = pl_heap_first(&r->idle)) && n->at_us <= now_us;) {
        r->stats.n_idle++;
        sign_out(r, pl_of(n, pl_peer, idle), "nobody has listened for it");
    }
}

int64_t pl_rooms_next_us(const pl_rooms *r)
{
    const pl_heap_node *n = pl_heap_first(&r->idle);
    return n ? n->at_us : PL_NEVER;
}

const pl_rooms_stats *pl_rooms_get_stats(const pl_rooms *r)
{
    return &r->stats;
}

/* ---- invariants ---- */

static size_t check_peer(const pl_rooms *r, const pl_room *room, const pl_peer *p)
{
    assert(p->room == room);
    assert(p->id && p->id < r->next_id);
    assert(p->idle.linked == !p->listener);
    assert(!pl_node_linked(&p->in_ready) || (p->listener && !p->told));
    assert(p->cursor <= room->log_end);
    assert(!p->listener || !has_something(p) || p->told || pl_node_linked(&p->in_ready));
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
    assert(n == p->n_queued && n <= r->conf.max_queue);
    assert(bytes == p->queued_bytes && bytes <= r->conf.max_queue_bytes);
    return bytes;
}

void pl_rooms_check(const pl_rooms *r)
{
    uint32_t n_peers = 0, n_rooms = 0, n_listening = 0;
    size_t bytes = 0, log_bytes = 0;
    PL_EACH (n, &r->rooms) {
        const pl_room *room = pl_of(n, pl_room, in_rooms);
        uint32_t here = 0, caught = 0;
        PL_EACH (m, &room->peers) {
            const pl_peer *p = pl_of(m, pl_peer, in_room);
            bytes += check_peer(r, room, p);
            caught += p->cursor == room->log_end;
            n_listening += p->listener != NULL;
            here++;
        }
        assert(here > 0 && here == room->n_peers);
        assert(caught == room->n_caught);
        assert(room->log_end - room->log_start <= PL_ROOMS_LOG_MAX);
        for (uint64_t i = room->log_start; i < room->log_end; i++)
            log_bytes += pl_note_size(pl_room_log_at(room, i));
        n_peers += here;
        n_rooms++;
    }
    assert(n_peers == r->stats.n_peers && n_peers == r->by_id.n);
    assert(n_rooms == r->stats.n_rooms && n_rooms == r->by_name.n);
    assert(n_listening == r->stats.n_listening);
    assert(bytes == r->stats.queued_bytes && log_bytes == r->stats.log_bytes);
    (void)n_listening, (void)n_rooms, (void)n_peers, (void)bytes, (void)log_bytes;
}
