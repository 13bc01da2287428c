#include "sim/share_memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- streams ---- */

static pl_str keep(char **at, pl_str text)
{
    pl_str copy = { *at, text.n };
    if (text.n)
        memcpy(*at, text.p, text.n);
    *at += text.n;
    return copy;
}

static sim_entry *append(sim_share_memory *m, sim_stream *s, size_t bytes)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->entry = realloc(s->entry, s->cap * sizeof *s->entry);
        assert(s->entry);
    }
    sim_entry *e = &s->entry[s->n++];
    *e = (sim_entry){ .text = malloc(bytes + 1) };
    assert(e->text);
    m->seq++;
    return e;
}

static void add_note(sim_share_memory *m, pl_share_note_kind kind, const sim_record *p, int by)
{
    pl_str room = pl_str_of(p->room), name = pl_str_of(p->name);
    sim_entry *e = append(m, &m->notes, room.n + name.n);
    char *at = e->text;
    e->note = (pl_share_note){ .seq = m->seq,
                               .kind = kind,
                               .peer = { .id = p->id,
                                         .node = pl_str_of(m->node[p->node].name),
                                         .room = keep(&at, room),
                                         .name = keep(&at, name),
                                         .bound = p->bound },
                               .by = by < 0 ? PL_STR("") : pl_str_of(m->node[by].name) };
}

static void add_message(sim_share_memory *m, int node, const pl_rooms_op *op)
{
    sim_entry *e = append(m, &m->node[node].messages, op->type.n + op->data.n);
    char *at = e->text;
    e->message = (pl_share_message){ .seq = m->seq,
                                     .origin = m->seq,
                                     .to = op->to,
                                     .from = op->id,
                                     .type = keep(&at, op->type),
                                     .data = keep(&at, op->data) };
}

static void stream_clear(sim_stream *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->entry[i].text);
    free(s->entry);
    *s = (sim_stream){ 0 };
}

void sim_share_memory_clear(sim_share_memory *m)
{
    stream_clear(&m->notes);
    for (size_t i = 0; i < m->n_nodes; i++)
        stream_clear(&m->node[i].messages);
    *m = (sim_share_memory){ 0 };
}

/* ---- records ---- */

static int node_of(sim_share_memory *m, const char *name)
{
    for (size_t i = 0; i < m->n_nodes; i++)
        if (strcmp(m->node[i].name, name) == 0)
            return (int)i;
    assert(m->n_nodes < SIM_NODES_MAX);
    snprintf(m->node[m->n_nodes].name, sizeof m->node[0].name, "%s", name);
    return (int)m->n_nodes++;
}

static sim_record *record_of(sim_share_memory *m, pl_peer_id id)
{
    for (size_t i = 0; i < m->n_peers; i++)
        if (m->peer[i].id == id)
            return &m->peer[i];
    return NULL;
}

static void forget(sim_share_memory *m, sim_record *p)
{
    *p = m->peer[--m->n_peers];
}

/* ---- operations ---- */

static void join(sim_share_memory *m, int me, const pl_rooms_op *op)
{
    sim_record *p = record_of(m, op->id);
    if (p && p->node != me)
        return;
    bool is_new = !p;
    if (is_new) {
        assert(m->n_peers < SIM_MEMORY_PEERS);
        p = &m->peer[m->n_peers++];
        *p = (sim_record){ .id = op->id, .node = me, .heard = m->seq };
    }
    p->bound = op->bound;
    p->said = op->seq > p->said ? op->seq : p->said;
    (void)pl_str_copy(op->room, p->room, sizeof p->room);
    (void)pl_str_copy(op->name, p->name, sizeof p->name);
    if (is_new)
        add_note(m, PL_SHARE_JOINED, p, me);
}

static void leave(sim_share_memory *m, int me, const pl_rooms_op *op)
{
    sim_record *p = record_of(m, op->id);
    if (!p || (p->node != me && !op->bound))
        return;
    add_note(m, PL_SHARE_LEFT, p, me);
    forget(m, p);
}

static void send_message(sim_share_memory *m, const pl_rooms_op *op, sim_answer *out)
{
    const sim_record *p = record_of(m, op->to);
    sim_record *sender = record_of(m, op->id);
    if (op->seq && sender && op->seq <= sender->said)
        return;
    out->op.result = !p ? PL_SHARE_NO_PEER : p->busy ? PL_SHARE_BUSY : PL_SHARE_DONE;
    if (out->op.result == PL_SHARE_DONE)
        add_message(m, p->node, op);
    if (out->op.result == PL_SHARE_DONE && op->seq && sender)
        sender->said = op->seq;
}

/* Copies what the peer has not heard from one node's stream to the end of another's, or of the same. */
static void copy_unheard(sim_share_memory *m, int from, int to, pl_peer_id id, uint64_t heard, uint64_t told)
{
    for (size_t i = m->node[from].messages.first, n = m->node[from].messages.n; i < n; i++) {
        pl_share_message e = m->node[from].messages.entry[i].message;
        pl_rooms_op op = { .id = e.from, .to = e.to, .type = e.type, .data = e.data };
        if (e.to != id || e.seq <= heard || e.origin <= told)
            continue;
        add_message(m, to, &op);
        m->node[to].messages.entry[m->node[to].messages.n - 1].message.origin = e.origin;
    }
}

static void move(sim_share_memory *m, int me, const pl_rooms_op *op, sim_answer *out)
{
    sim_record *p = record_of(m, op->id);
    if (!p) {
        out->op.result = PL_SHARE_NO_PEER;
        return;
    }
    int before = p->node;
    uint64_t heard = op->seq > p->heard ? op->seq : p->heard;
    if (before != me) {
        p->node = me;
        add_note(m, PL_SHARE_MOVED, p, me);
    }
    out->op.at = p->heard = m->seq; /* what was before that is of no more use */
    copy_unheard(m, before, me, op->id, heard, op->seq);
}

static void carry_out_op(sim_share_memory *m, int me, const pl_rooms_op *op, sim_answer *out)
{
    sim_record *p = record_of(m, op->id);
    if (!m->node[me].known) {
        out->op.result = PL_SHARE_UNKNOWN;
        return;
    }
    if (op->kind != PL_ROOMS_OP_MOVE && op->number <= m->node[me].done)
        return;
    if (op->number > m->node[me].done)
        m->node[me].done = op->number;
    switch (op->kind) {
    case PL_ROOMS_OP_JOIN: join(m, me, op); break;
    case PL_ROOMS_OP_LEAVE: leave(m, me, op); break;
    case PL_ROOMS_OP_SEND: send_message(m, op, out); break;
    case PL_ROOMS_OP_MOVE: move(m, me, op, out); break;
    case PL_ROOMS_OP_HEARD:
        if (p && p->heard < op->seq)
            p->heard = op->seq;
        break;
    case PL_ROOMS_OP_BUSY:
    case PL_ROOMS_OP_CALM:
        if (p)
            p->busy = op->kind == PL_ROOMS_OP_BUSY;
        break;
    }
}

/* ---- life and death ---- */

static void bury(sim_share_memory *m, int node)
{
    for (size_t i = 0; i < m->n_peers;) {
        if (m->peer[i].node == node) {
            add_note(m, PL_SHARE_LEFT, &m->peer[i], -1);
            forget(m, &m->peer[i]);
        } else {
            i++;
        }
    }
    m->node[node].known = false;
    m->node[node].done = 0;
}

static void look_for_the_dead(sim_share_memory *m, int64_t now_us, int me)
{
    bool was_away =
        now_us - m->beaten_us >= PL_SEC(PL_SHARE_ALIVE_S); /* nobody could have said that it lives */
    m->beaten_us = now_us;
    for (int i = 0; i < (int)m->n_nodes; i++) {
        if (i == me || !m->node[i].known)
            continue;
        if (now_us < m->node[i].alive_until_us)
            m->node[i].dead_since_us = 0;
        else if (!m->node[i].dead_since_us || was_away)
            m->node[i].dead_since_us = now_us;
        else if (now_us - m->node[i].dead_since_us >= PL_SEC(PL_SHARE_GRACE_S))
            bury(m, i);
    }
}

static void give_ids(sim_share_memory *m, const pl_share_ask *ask, pl_peer_id *first, uint32_t *n)
{
    *first = m->next_id + 1;
    *n = ask->n_ids;
    m->next_id += ask->n_ids;
}

static void say_hello(sim_share_memory *m, int me, const pl_share_ask *ask, sim_answer *out)
{
    m->seq = m->seq < ask->highest_seq ? ask->highest_seq : m->seq;
    if (!m->has_secret)
        m->next_id = ask->first_base;
    if (m->next_id < ask->highest_id && ask->highest_id - m->next_id < 1 << 30)
        m->next_id = ask->highest_id + PL_SHARE_ID_ROOM;
    if (!m->has_secret)
        memcpy(m->secret, ask->secret, sizeof m->secret);
    if (!m->birth[0])
        snprintf(m->birth, sizeof m->birth, "%s", ask->birth);
    m->has_secret = true;
    out->hello.birth = pl_str_of(m->birth);
    memcpy(out->hello.secret, m->secret, sizeof m->secret);
    m->node[me].known = true;
    out->hello.done = m->node[me].done;
    out->hello.seq = m->seq;
    give_ids(m, ask, &out->hello.first_id, &out->hello.n_ids);
    out->peers = calloc(m->n_peers + 1, sizeof *out->peers);
    assert(out->peers);
    for (size_t i = 0; i < m->n_peers; i++) {
        const sim_record *p = &m->peer[i];
        out->peers[i] = (pl_share_peer){ .id = p->id,
                                         .node = pl_str_of(m->node[p->node].name),
                                         .room = pl_str_of(p->room),
                                         .name = pl_str_of(p->name),
                                         .bound = p->bound };
    }
    out->hello.peers = out->peers;
    out->hello.n_peers = m->n_peers;
}

void sim_share_carry_out(sim_share_memory *m, int64_t now_us, const char *node, const pl_share_ask *ask,
                         sim_answer *out)
{
    int me = node_of(m, node);
    *out = (sim_answer){ .kind = ask->kind };
    if (ask->kind != PL_SHARE_OP) {
        m->node[me].alive_until_us = now_us + PL_SEC(PL_SHARE_ALIVE_S);
        m->node[me].dead_since_us = 0;
    }
    switch (ask->kind) {
    case PL_SHARE_HELLO: say_hello(m, me, ask, out); break;
    case PL_SHARE_OP: carry_out_op(m, me, ask->op, out); break;
    case PL_SHARE_BEAT:
        out->known = m->node[me].known;
        give_ids(m, ask, &out->first_id, &out->n_ids);
        look_for_the_dead(m, now_us, me);
        while (m->notes.first < m->notes.n && m->notes.entry[m->notes.first].note.seq <= ask->forget_seq)
            m->notes.first++;
        out->seq = m->seq;
        break;
    }
}

void sim_answer_clear(sim_answer *a)
{
    free(a->peers);
}

void sim_answer_give(pl_share *s, int64_t now_us, const sim_answer *a)
{
    switch (a->kind) {
    case PL_SHARE_HELLO: pl_share_hello_answered(s, now_us, &a->hello); break;
    case PL_SHARE_OP: pl_share_op_answered(s, now_us, &a->op); break;
    case PL_SHARE_BEAT: pl_share_beat_answered(s, now_us, a->known, a->first_id, a->n_ids, a->seq); break;
    }
}

void sim_share_read(const sim_share_memory *m, int64_t now_us, pl_share *s)
{
    uint64_t notes_after, messages_after;
    if (!pl_share_reads(s, &notes_after, &messages_after))
        return;
    for (size_t i = m->notes.first; i < m->notes.n; i++)
        if (m->notes.entry[i].note.seq > notes_after)
            pl_share_note_read(s, now_us, &m->notes.entry[i].note);
    for (size_t k = 0; k < m->n_nodes; k++) {
        if (strcmp(m->node[k].name, pl_share_node(s)) != 0)
            continue;
        for (size_t i = m->node[k].messages.first; i < m->node[k].messages.n; i++)
            if (m->node[k].messages.entry[i].message.seq > messages_after)
                pl_share_message_read(s, now_us, &m->node[k].messages.entry[i].message);
    }
}
