#include "signal/share.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "crypto/hmac.h"

enum { MARKS = 12 }; /* how far the streams had come, one each tenth of PL_SHARE_KEEP_S, and two more */
#define BEAT_US PL_SEC(1)
#define HOLD_US PL_SEC(4) /* more than a node's longest pause between two tries to connect */
#define MARK_US PL_SEC(PL_SHARE_KEEP_S / (MARKS - 2))

typedef enum share_state { AWAY, CONNECTED, GREETING, HERE } share_state;

struct pl_share {
    pl_rooms *rooms;
    char node[PL_SHARE_NODE_LEN + 1];
    uint8_t secret[32];
    char birth[PL_SHARE_BIRTH_MAX + 1];     /* of the memory that we know */
    char our_birth[PL_SHARE_BIRTH_MAX + 1]; /* that we would give a new one */
    share_state state;
    pl_list ops;   /* told or to be told, until answered */
    pl_node *next; /* the first that is to be told; &ops: none */
    uint64_t n_ops_numbered;
    uint32_t n_unanswered;
    uint32_t n_unknown; /* answered by a memory that does not know us: to be told again after the hello */
    pl_peer_id first_base;
    uint64_t notes_seq, messages_seq;
    pl_peer_id highest_id;
    int64_t beat_us;
    bool greeted;         /* once */
    bool beating;         /* one is not answered */
    uint64_t mark[MARKS]; /* the newest first */
    int64_t mark_us;
    int64_t hold_us;  /* until then peers alone are told: the memory is new, and others tell it theirs */
    int64_t again_us; /* a second hello, when the others have had time for theirs */
    pl_log log;
    pl_share_stats stats;
};

pl_err pl_share_new(pl_share **out, pl_rooms *rooms, const pl_rand *rand)
{
    pl_share *s = calloc(1, sizeof *s);
    *out = s;
    if (!s)
        return PL_ENOMEM;
    s->rooms = rooms;
    s->log = (pl_log){ "share" };
    uint8_t name[PL_SHARE_NODE_LEN / 2];
    pl_rand_bytes(rand, name, sizeof name);
    for (size_t i = 0; i < sizeof name; i++)
        snprintf(s->node + 2 * i, 3, "%02x", name[i]);
    pl_rand_bytes(rand, s->secret, sizeof s->secret);
    s->first_base = (pl_peer_id)(pl_rand_u32(rand) >> 2);
    pl_list_init(&s->ops);
    s->next = &s->ops;
    s->beat_us = s->mark_us = s->again_us = PL_NEVER;
    return PL_OK;
}

static void set_state(pl_share *s, share_state to)
{
    s->state = to;
    s->stats.connected = to == HERE;
    pl_rooms_set_reach(s->rooms, to == HERE);
}

static pl_rooms_op *first_op(const pl_share *s)
{
    pl_node *n = pl_list_first(&s->ops);
    return n ? pl_of(n, pl_rooms_op, in_list) : NULL;
}

/* Carried out. */
static void op_done(pl_share *s, pl_rooms_op *op)
{
    if (op->kind == PL_ROOMS_OP_SEND && op->seq)
        pl_rooms_said(s->rooms, op->id, op->seq);
    pl_list_remove(&op->in_list);
    pl_rooms_op_free(s->rooms, op);
}

void pl_share_free(pl_share *s)
{
    if (!s)
        return;
    for (pl_rooms_op *op; (op = first_op(s));) {
        pl_list_remove(&op->in_list);
        pl_rooms_op_free(s->rooms, op);
    }
    pl_wipe(s->secret, sizeof s->secret);
    free(s);
}

const char *pl_share_node(const pl_share *s)
{
    return s->node;
}

/* ---- connections ---- */

void pl_share_connected(pl_share *s, int64_t now_us)
{
    (void)now_us;
    set_state(s, CONNECTED);
}

void pl_share_lost(pl_share *s, int64_t now_us)
{
    (void)now_us;
    if (s->state == HERE)
        s->stats.n_lost++;
    set_state(s, AWAY);
    s->beating = false;
    s->beat_us = s->mark_us = s->again_us = PL_NEVER;
    s->next = pl_list_empty(&s->ops) ? &s->ops : s->ops.next; /* all that is not answered is told again */
    s->n_unanswered = s->n_unknown = 0;
}

/* ---- what is asked ---- */

static void number_new_ops(pl_share *s)
{
    for (pl_rooms_op *op; (op = pl_rooms_next_op(s->rooms));) {
        op->number = ++s->n_ops_numbered;
        pl_list_push_back(&s->ops, &op->in_list);
        if (s->next == &s->ops)
            s->next = &op->in_list;
    }
}

/* A memory that knows nothing has carried out nothing: our peers first, then, when the other nodes have had time to tell
 * of theirs, what was to be told before. */
static void begin_anew(pl_share *s, int64_t now_us)
{
    pl_list rest;
    pl_list_init(&rest);
    number_new_ops(s);
    PL_EACH (n, &s->ops) {
        if (pl_of(n, pl_rooms_op, in_list)->kind == PL_ROOMS_OP_JOIN)
            continue;
        pl_list_remove(n);
        pl_list_push_back(&rest, n);
    }
    for (pl_node *n; (n = pl_list_pop_front(&rest));)
        pl_list_push_back(&s->ops, n);
    PL_EACH (n, &s->ops)
        pl_of(n, pl_rooms_op, in_list)->number = ++s->n_ops_numbered;
    s->next = pl_list_empty(&s->ops) ? &s->ops : s->ops.next;
    s->hold_us = now_us + HOLD_US;
}

/* The next operation has to wait for other nodes' peers. */
static bool is_held(const pl_share *s, int64_t now_us)
{
    return now_us < s->hold_us && s->next != &s->ops &&
           pl_of(s->next, pl_rooms_op, in_list)->kind != PL_ROOMS_OP_JOIN;
}

static uint32_t ids_wanted(const pl_share *s)
{
    return pl_rooms_ids_left(s->rooms) < PL_SHARE_IDS / 2 ? PL_SHARE_IDS : 0;
}

static void greet_again(pl_share *s)
{
    set_state(s, CONNECTED);
    s->again_us = PL_NEVER;
}

static bool ask_hello(pl_share *s, pl_share_ask *out)
{
    set_state(s, GREETING);
    s->stats.n_hellos++;
    snprintf(s->our_birth, sizeof s->our_birth, "%s:%llu", s->node, (unsigned long long)s->stats.n_hellos);
    *out = (pl_share_ask){ .kind = PL_SHARE_HELLO,
                           .n_ids = ids_wanted(s),
                           .highest_id = s->highest_id,
                           .first_base = s->first_base,
                           .highest_seq = s->notes_seq > s->messages_seq ? s->notes_seq : s->messages_seq };
    memcpy(out->secret, s->secret, sizeof out->secret);
    out->birth = s->our_birth;
    return true;
}

static bool ask_beat(pl_share *s, int64_t now_us, pl_share_ask *out)
{
    s->beating = true;
    s->beat_us = now_us + BEAT_US;
    *out = (pl_share_ask){ .kind = PL_SHARE_BEAT, .n_ids = ids_wanted(s), .forget_seq = s->mark[MARKS - 1] };
    return true;
}

bool pl_share_poll_ask(pl_share *s, int64_t now_us, pl_share_ask *out)
{
    number_new_ops(s);
    if (s->state == HERE && now_us >= s->again_us && s->n_unanswered == 0 && !s->beating)
        greet_again(s);
    if (s->state == CONNECTED)
        return ask_hello(s, out);
    if (s->state != HERE)
        return false;
    bool due = now_us >= s->beat_us || ids_wanted(s); /* many may come within a second */
    if (!s->beating && due && now_us < s->again_us)
        return ask_beat(s, now_us, out);
    if (s->next == &s->ops || s->n_unanswered >= PL_SHARE_UNANSWERED || now_us >= s->again_us ||
        is_held(s, now_us))
        return false;
    *out = (pl_share_ask){ .kind = PL_SHARE_OP, .op = pl_of(s->next, pl_rooms_op, in_list) };
    s->next = s->next->next;
    s->n_unanswered++;
    s->stats.n_told++;
    return true;
}

int64_t pl_share_next_us(const pl_share *s)
{
    return s->state == HERE && !s->beating ? pl_min_us(s->beat_us, s->again_us)
                                           : PL_NEVER; /* beats are more frequent than holds */
}

bool pl_share_is_idle(const pl_share *s)
{
    return pl_rooms_get_stats(s->rooms)->n_ops == 0;
}

/* ---- the hello: two pictures of who is there become one ---- */

static int compare_ids(const void *a, const void *b)
{
    pl_peer_id x = *(const pl_peer_id *)a, y = *(const pl_peer_id *)b;
    return (x > y) - (x < y);
}

static bool is_us(const pl_share *s, pl_str node)
{
    return pl_str_is(node, s->node);
}

/* Who is known here and not there: another node's has left; of ours they have not heard, or took it for dead. */
static void settle_the_missing(pl_share *s, const pl_peer_id *there, size_t n, bool forgot)
{
    const void *cursor = NULL;
    pl_rooms_peer p;
    pl_peer_id *gone = NULL;
    size_t n_gone = 0, max = pl_rooms_get_stats(s->rooms)->n_remote;
    gone = malloc(max ? max * sizeof *gone : 1);
    while (pl_rooms_each_of_all(s->rooms, &cursor, &p)) {
        if (bsearch(&p.id, there, n, sizeof *there, compare_ids))
            continue;
        if (p.remote && gone && !forgot && n_gone < max)
            gone[n_gone++] = p.id;
        else if (!p.remote && pl_rooms_join_again(s->rooms, p.id))
            pl_log_warn(&s->log, "no memory to tell of peer %u", p.id);
    }
    for (size_t i = 0; i < n_gone; i++)
        pl_rooms_remote_leave(s->rooms, gone[i]);
    free(gone);
}

static void note_id(pl_share *s, pl_peer_id id)
{
    s->highest_id = id > s->highest_id ? id : s->highest_id;
}

static void settle_the_known(pl_share *s, const pl_share_hello *a)
{
    for (size_t i = 0; i < a->n_peers; i++) {
        const pl_share_peer *p = &a->peers[i];
        note_id(s, p->id);
        if (is_us(s, p->node))
            continue;
        pl_rooms_moved_away(s->rooms, p->id, a->seq);
        if (pl_rooms_remote_join(s->rooms, p->id, p->room, p->name, p->bound))
            pl_log_warn(&s->log, "peer %u of another node does not fit", p->id);
    }
}

/* Those carried out before the loss need not be told again; a move must, since its answer is wanted. */
static void drop_done(pl_share *s, uint64_t done)
{
    PL_EACH (n, &s->ops) {
        pl_rooms_op *op = pl_of(n, pl_rooms_op, in_list);
        if (op->number <= done && op->kind != PL_ROOMS_OP_MOVE)
            op_done(s, op);
    }
    s->next = pl_list_empty(&s->ops) ? &s->ops : s->ops.next;
    s->n_unknown = 0;
}

void pl_share_hello_answered(pl_share *s, int64_t now_us, const pl_share_hello *a)
{
    if (s->state != GREETING)
        return;
    pl_peer_id *there = malloc(a->n_peers ? a->n_peers * sizeof *there : 1);
    if (!there) { /* nothing has changed; the next beat finds us unknown, or the carrier tries again */
        pl_share_lost(s, now_us);
        return;
    }
    for (size_t i = 0; i < a->n_peers; i++)
        there[i] = a->peers[i].id;
    qsort(there, a->n_peers, sizeof *there, compare_ids);
    drop_done(s, a->done);
    bool forgot = s->greeted && !pl_str_is(a->birth, s->birth);
    (void)pl_str_copy(a->birth, s->birth, sizeof s->birth);
    memcpy(s->secret, a->secret, sizeof s->secret); /* a new memory gets it again, so that tokens stay good */
    pl_rooms_set_secret(s->rooms, a->secret);
    if (a->n_ids) {
        pl_rooms_give_ids(s->rooms, a->first_id, a->n_ids);
        note_id(s, a->first_id + a->n_ids - 1);
    }
    settle_the_known(s, a);
    settle_the_missing(s, there, a->n_peers, forgot);
    free(there);
    if (forgot)
        begin_anew(s, now_us);
    s->notes_seq = a->seq;
    if (!s->greeted) { /* afterwards the stream goes on where it was left */
        s->greeted = true;
        s->messages_seq = a->seq;
        pl_rooms_set_seq(s->rooms, a->seq);
    }
    for (size_t i = 0; i < MARKS; i++)
        s->mark[i] = s->mark[i] <= a->seq ? s->mark[i] : 0;
    set_state(s, HERE);
    s->beat_us = now_us;
    s->mark_us = now_us + MARK_US;
    s->again_us = forgot ? now_us + PL_SEC(PL_SHARE_GRACE_S) : PL_NEVER;
    pl_log_info(&s->log, "node %s shares its rooms; %u peers are at other nodes", s->node,
                pl_rooms_get_stats(s->rooms)->n_remote);
}

/* ---- other answers ---- */

static void move_answered(pl_share *s, pl_peer_id id, const pl_share_answer *a)
{
    if (a->result == PL_SHARE_DONE)
        pl_rooms_arrive(s->rooms, id, a->at);
    else
        pl_rooms_sign_out(s->rooms, 0, id); /* it was given up before it came */
}

void pl_share_op_answered(pl_share *s, int64_t now_us, const pl_share_answer *a)
{
    pl_rooms_op *op = first_op(s);
    if (s->state != HERE || !op || s->n_unanswered == 0)
        return;
    s->n_unanswered--;
    if (a->result == PL_SHARE_UNKNOWN || s->n_unknown) { /* so are all that are on their way */
        s->n_unknown++;
        s->again_us = now_us;
        return;
    }
    if (op->kind == PL_ROOMS_OP_MOVE)
        move_answered(s, op->id, a);
    else if (op->kind == PL_ROOMS_OP_SEND && a->result != PL_SHARE_DONE)
        pl_rooms_refuse(s->rooms, op->id, op->to, op->seq, a->result == PL_SHARE_BUSY);
    op_done(s, op);
}

void pl_share_beat_answered(pl_share *s, int64_t now_us, bool known, pl_peer_id first_id, uint32_t n_ids,
                            uint64_t seq)
{
    if (s->state != HERE)
        return;
    s->beating = false;
    if (n_ids) {
        pl_rooms_give_ids(s->rooms, first_id, n_ids);
        note_id(s, first_id + n_ids - 1);
    }
    if (now_us >= s->mark_us) {
        memmove(s->mark + 1, s->mark, sizeof s->mark - sizeof s->mark[0]);
        s->mark[0] = seq;
        s->mark_us = now_us + MARK_US;
    }
    if (known)
        return;
    pl_log_warn(&s->log, "the common memory knows this node no more");
    s->again_us = now_us; /* when all is answered that is on its way */
}

/* ---- what the others do ---- */

bool pl_share_reads(const pl_share *s, uint64_t *notes_after, uint64_t *messages_after)
{
    *notes_after = s->notes_seq;
    *messages_after = s->messages_seq;
    return s->state == HERE;
}

static void on_left(pl_share *s, const pl_share_note *n)
{
    pl_rooms_peer p;
    if (!pl_rooms_find(s->rooms, n->peer.id, &p))
        return;
    if (p.remote)
        pl_rooms_remote_leave(s->rooms, p.id);
    else if (n->by.n && is_us(s, n->peer.node)) /* the classic protocol's sign-out, at another node's door */
        pl_rooms_sign_out(s->rooms, 0, p.id);
    else if (is_us(s, n->peer.node) && pl_rooms_join_again(s->rooms, p.id)) /* they took us for dead */
        pl_log_warn(&s->log, "no memory to tell of peer %u", p.id);
}

static void join(pl_share *s, const pl_share_peer *p)
{
    if (pl_rooms_remote_join(s->rooms, p->id, p->room, p->name, p->bound))
        pl_log_debug(&s->log, "peer %u of another node does not fit", p->id);
}

void pl_share_note_read(pl_share *s, int64_t now_us, const pl_share_note *n)
{
    (void)now_us;
    if (s->state != HERE || n->seq <= s->notes_seq)
        return;
    s->notes_seq = n->seq;
    s->stats.n_notes++;
    note_id(s, n->peer.id);
    if (is_us(s, n->by))
        return;
    switch (n->kind) {
    case PL_SHARE_MOVED:
        pl_rooms_moved_away(s->rooms, n->peer.id, n->seq);
        join(s, &n->peer); /* it may just have been given up here */
        break;
    case PL_SHARE_JOINED: join(s, &n->peer); break;
    case PL_SHARE_LEFT: on_left(s, n); break;
    }
}

void pl_share_message_read(pl_share *s, int64_t now_us, const pl_share_message *m)
{
    (void)now_us;
    if (s->state != HERE || m->seq <= s->messages_seq)
        return;
    s->messages_seq = m->seq;
    s->stats.n_messages++;
    pl_rooms_set_seq(s->rooms, m->seq);
    pl_rooms_deliver(s->rooms, m->to, m->from, m->type, m->data, m->seq, m->origin ? m->origin : m->seq);
}

const pl_share_stats *pl_share_get_stats(const pl_share *s)
{
    return &s->stats;
}

void pl_share_check(const pl_share *s)
{
    uint32_t n = 0, told = 0;
    uint64_t last = 0;
    bool before_next = true;
    PL_EACH (node, &s->ops) {
        const pl_rooms_op *op = pl_of(node, pl_rooms_op, in_list);
        before_next = before_next && node != s->next;
        told += before_next;
        assert(op->number > last);
        last = op->number;
        n++;
    }
    assert(told == s->n_unanswered + s->n_unknown);
    assert((s->next == &s->ops) == before_next);
    assert(n <= pl_rooms_get_stats(s->rooms)->n_ops);
    (void)n, (void)told, (void)last;
}
