#include "signal/rooms.h"

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
    size_t max = r->conf.shared ? PL_ROOMS_PEERS_MAX : r->conf.max_peers; /* other nodes' peers, too */
    pl_hash_init(&r->by_id, max, key);
    pl_hash_init(&r->by_name, max, key);
    pl_list_init(&r->rooms);
    pl_list_init(&r->ready);
    pl_list_init(&r->gone);
    pl_list_init(&r->ops);
    r->next_id = 1;
    r->ids_left = conf->shared ? 0 : INT32_MAX;
    r->has_secret = !conf->shared; /* which the nodes agree on */
    if (r->has_secret)
        pl_rand_bytes(&r->conf.rand, r->secret, sizeof r->secret);
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

bool pl_room_name_fits(pl_str s)
{
    return s.n <= PL_ROOMS_NAME_MAX && pl_utf8_valid(s.p, s.n) && utf8_chars(s) <= PL_ROOMS_NAME_CHARS;
}

static bool is_control(char c)
{
    return (uint8_t)c < ' ' || c == 0x7f;
}

bool pl_room_has_control(pl_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (is_control(s.p[i]))
            return true;
    }
    return false;
}

pl_name *pl_name_new(pl_str s, pl_peer_id id)
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

pl_peer *pl_peer_find(const pl_rooms *r, pl_peer_id id)
{
    for (pl_hash_node *n = pl_hash_find(&r->by_id, &id, sizeof id); n; n = pl_hash_next(n)) {
        pl_peer *p = pl_of(n, pl_peer, by_id);
        if (p->id == id)
            return p;
    }
    return NULL;
}

void pl_rooms_forget_lent(pl_rooms *r)
{
    pl_name_unref(r->lent_name);
    free(r->lent_message);
    r->lent_name = NULL;
    r->lent_message = NULL;
}

void pl_peer_drop_queue(pl_rooms *r, pl_peer *p)
{
    for (pl_node *n; (n = pl_list_pop_front(&p->queue));) {
        pl_message *m = pl_of(n, pl_message, in_queue);
        r->stats.queued_bytes -= pl_message_size(m);
        r->stats.n_queued--;
        free(m);
    }
    p->n_queued = 0;
    p->queued_bytes = 0;
    pl_peer_drop_kept(r, p);
}

void pl_peer_free(pl_peer *p)
{
    pl_name_unref(p->name);
    free(p->leave);
    free(p);
}

/* From here on it is nobody's peer: with a listener it stays in the list of the gone until that was told. */
static void let_go(pl_rooms *r, pl_peer *p)
{
    p->room = NULL;
    if (p->listener) {
        r->stats.n_listening--;
        pl_list_push_back(&r->gone, &p->in_ready);
    } else {
        pl_peer_free(p);
    }
}

/* Takes the peer out of everything. */
void pl_peer_sign_out(pl_rooms *r, pl_peer *p, const char *why)
{
    pl_room *room = p->room;
    pl_log_debug(&rooms_log, "peer %u signed out: %s", p->id, why);
    pl_heap_remove(&r->idle, &p->idle);
    pl_list_remove(&p->in_ready);
    pl_hash_remove(&r->by_id, &p->by_id);
    pl_peer_drop_queue(r, p);
    pl_list_remove(&p->in_room);
    room->n_peers--;
    if (p->remote) {
        r->stats.n_remote--;
    } else {
        room->n_caught -= p->cursor == room->log_end;
        room->n_own--;
        r->stats.n_peers--;
        r->stats.n_signed_out++;
    }
    if (p->leave) {
        pl_rooms_push_op(r, p->leave);
        p->leave = NULL;
    }
    if (room->n_peers == 0)
        room_free(r, room);
    else
        pl_room_log_add(r, room, p, false);
    let_go(r, p);
}

void pl_rooms_free(pl_rooms *r)
{
    if (!r)
        return;
    pl_rooms_forget_lent(r);
    PL_EACH (n, &r->rooms) {
        pl_room *room = pl_of(n, pl_room, in_rooms);
        PL_EACH (m, &room->peers) {
            pl_peer *p = pl_of(m, pl_peer, in_room);
            pl_peer_drop_queue(r, p);
            pl_peer_free(p);
        }
        room_free(r, room);
    }
    for (pl_node *n; (n = pl_list_pop_front(&r->gone));)
        pl_peer_free(pl_of(n, pl_peer, in_ready));
    for (pl_rooms_op *op; (op = pl_rooms_next_op(r));)
        pl_rooms_op_free(r, op);
    pl_hash_clear(&r->by_id);
    pl_hash_clear(&r->by_name);
    free(r);
}

pl_err pl_rooms_refused(pl_rooms *r, pl_err err)
{
    r->stats.n_refused++;
    return err;
}

/* Into its room, which comes with its first peer, and into the tables. */
pl_err pl_peer_enter(pl_rooms *r, pl_str room_name, pl_peer *p)
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
    if (p->remote)
        r->stats.n_remote++;
    else
        pl_peer_own(r, p);
    return PL_OK;
}

/* One of ours now. It does not hear of its own coming, and nothing of before. */
void pl_peer_own(pl_rooms *r, pl_peer *p)
{
    p->remote = false;
    p->cursor = p->room->log_end;
    p->room->n_own++;
    r->stats.n_peers++;
    pl_room_caught_up(r, p->room);
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

pl_peer *pl_peer_new(pl_peer_id id, pl_str name)
{
    pl_peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->id = id;
    pl_list_init(&p->queue);
    pl_list_init(&p->kept);
    p->name = pl_name_new(name, id);
    if (!p->name) {
        free(p);
        return NULL;
    }
    return p;
}

static void use_up_id(pl_rooms *r)
{
    r->next_id++;
    if (--r->ids_left == 0 && r->spare_ids) {
        r->next_id = r->spare_id;
        r->ids_left = r->spare_ids;
        r->spare_ids = 0;
    }
}

pl_err pl_rooms_sign_in(pl_rooms *r, int64_t now_us, pl_str room, pl_str name, pl_peer_id *id)
{
    *id = 0;
    if (!pl_room_name_fits(name) || !pl_room_name_fits(room) || pl_room_has_control(room))
        return pl_rooms_refused(r, PL_EINVAL);
    if (r->conf.shared && r->ids_left == 0) /* the other nodes have not been within reach yet */
        return pl_rooms_refused(r, PL_EAGAIN);
    if (r->stats.n_peers >= r->conf.max_peers || r->ids_left == 0)
        return pl_rooms_refused(r, PL_ENOSPC);
    const pl_room *there = find_room(r, room);
    if (r->conf.max_room && there && there->n_peers >= r->conf.max_room)
        return pl_rooms_refused(r, PL_ENOSPC);
    pl_peer *p = pl_peer_new(r->next_id, name);
    pl_err err = p ? pl_peer_promise_leave(r, p) : PL_ENOMEM;
    if (!err)
        err = pl_peer_enter(r, room, p);
    if (!err && (err = pl_rooms_join_again(r, p->id))) {
        free(p->leave); /* nobody has heard of it */
        p->leave = NULL;
        pl_peer_sign_out(r, p, "no memory");
        return err;
    }
    if (err) {
        if (p)
            pl_peer_free(p);
        return err;
    }
    pl_heap_set(&r->idle, &p->idle, now_us + r->conf.idle_us);
    use_up_id(r);
    r->stats.n_signed_in++;
    say_signed_in(r, p, now_us);
    *id = p->id;
    return PL_OK;
}

void pl_rooms_sign_out(pl_rooms *r, int64_t now_us, pl_peer_id id)
{
    (void)now_us;
    pl_peer *p = pl_peer_find(r, id);
    if (p && p->remote &&
        pl_peer_promise_leave(r, p)) /* a claim of the classic protocol, at another node's door */
        return;
    if (p)
        pl_peer_sign_out(r, p, "it asked to");
}

void pl_peer_describe(const pl_peer *p, pl_rooms_peer *out)
{
    *out = (pl_rooms_peer){ p->id, pl_name_str(p->name), pl_room_name(p->room), p->bound, p->remote };
}

void pl_rooms_bind(pl_rooms *r, pl_peer_id id)
{
    pl_peer *p = pl_peer_find(r, id);
    if (!p || p->bound)
        return;
    p->bound = true;
    pl_peer_share_bound(r, p);
}

bool pl_rooms_find(const pl_rooms *r, pl_peer_id id, pl_rooms_peer *out)
{
    const pl_peer *p = pl_peer_find(r, id);
    if (!p)
        return false;
    pl_peer_describe(p, out);
    return true;
}

bool pl_rooms_each(const pl_rooms *r, pl_peer_id of, const void **cursor, pl_rooms_peer *out)
{
    const pl_peer *me = pl_peer_find(r, of);
    if (!me)
        return false;
    const pl_node *n = *cursor ? ((const pl_node *)*cursor)->next : me->room->peers.next;
    if (n == &me->in_room)
        n = n->next;
    if (n == &me->room->peers)
        return false;
    const pl_peer *p = pl_of(n, pl_peer, in_room);
    *cursor = n;
    pl_peer_describe(p, out);
    return true;
}

/* ---- time ---- */

void pl_rooms_tick(pl_rooms *r, int64_t now_us)
{
    for (pl_heap_node *n; (n = pl_heap_first(&r->idle)) && n->at_us <= now_us;) {
        if (r->conf.shared && !r->reach) { /* nobody could have come back */
            pl_heap_set(&r->idle, n, now_us + PL_SEC(PL_ROOMS_RESUME_S));
            continue;
        }
        r->stats.n_idle++;
        pl_peer_sign_out(r, pl_of(n, pl_peer, idle), "nobody has listened for it");
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
