#include "sim/sctp_ledger.h"

#include <stdlib.h>
#include <string.h>

enum { PERIOD = 1 << 16, STEP = 61 };

void sim_ledger_clear(sim_ledger *l)
{
    free(l->m);
    *l = (sim_ledger){ 0 };
}

const uint8_t *sim_ledger_bytes(uint32_t number)
{
    static uint8_t pattern[SIM_LEDGER_MESSAGE_MAX + PERIOD];
    static bool made;
    if (!made) {
        pl_rand_seeded state;
        pl_rand r = pl_rand_seed(&state, 1);
        pl_rand_bytes(&r, pattern, sizeof pattern);
        made = true;
    }
    return pattern + (number * STEP & (PERIOD - 1));
}

void sim_ledger_sent(sim_ledger *l, unsigned slot, uint32_t len, bool open, const pl_sctp_send_opts *opts)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        l->m = realloc(l->m, l->cap * sizeof *l->m);
        if (!l->m)
            abort();
    }
    bool partial = opts->limit_retransmits || opts->lifetime_us > 0 || opts->limit_priority;
    l->m[l->n++] = (sim_ledger_message){ .len = len,
                                         .slot = (uint8_t)slot,
                                         .unordered = opts->unordered,
                                         .open = open,
                                         .partial = partial,
                                         .life = l->sent_life,
                                         .generation = l->sent_generation[slot] };
    l->n_partial += partial;
}

void sim_ledger_part(sim_ledger *l, uint32_t number, uint32_t len, bool last)
{
    l->m[number].len += len;
    l->m[number].open = !last;
}

static int slot_of(const sim_ledger *l, uint16_t sid)
{
    for (int i = 0; i < SIM_LEDGER_SLOTS; i++) {
        if (l->sid[i] == sid)
            return i;
    }
    return -1;
}

void sim_ledger_reset_out(sim_ledger *l, uint16_t sid)
{
    int slot = slot_of(l, sid);
    if (slot >= 0)
        l->sent_generation[slot]++;
}

const char *sim_ledger_reset_in(sim_ledger *l, uint16_t sid)
{
    int slot = slot_of(l, sid);
    if (slot < 0)
        return "a reset of a stream that nobody reset";
    for (uint32_t i = 0; i < l->n; i++) {
        const sim_ledger_message *m = &l->m[i];
        if (m->slot == slot && m->life == l->here_life && m->generation == l->here_generation[slot] &&
            !m->arrived && !m->partial && !m->excused)
            return "a stream was reset before its messages came";
    }
    l->here_generation[slot]++;
    return NULL;
}

void sim_ledger_excuse(sim_ledger *l, bool new_life)
{
    for (uint32_t i = 0; i < l->n; i++)
        l->m[i].excused = true;
    if (!new_life)
        return;
    l->sent_life++;
    memset(l->sent_generation, 0, sizeof l->sent_generation);
}

void sim_ledger_next_life(sim_ledger *l)
{
    l->here_life++;
    memset(l->here_generation, 0, sizeof l->here_generation);
}

/* Pieces of one message come one after the other; those of an ordered and of an unordered one may mix. */
static const char *take_piece(sim_ledger *l, uint32_t number, const pl_sctp_msg *p)
{
    sim_ledger_message *m = &l->m[number];
    int64_t *of = &l->piece_of[m->slot][m->unordered];
    if (p->continues != (m->n_here > 0))
        return "a piece that does not follow what came before";
    if (p->continues && *of != (int64_t)number + 1)
        return "a piece between those of another message";
    if (!p->continues && *of != 0 && !l->m[*of - 1].excused)
        return "a message began before the one before it had ended";
    *of = p->more ? (int64_t)number + 1 : 0;
    if (p->broken) {
        m->broken = true;
        l->n_broken++;
        return p->len != 0 || p->more ? "a broken message goes on" : NULL;
    }
    if (p->len > m->len - m->n_here)
        return "more bytes than were sent";
    if (memcmp(p->data, sim_ledger_bytes(number) + m->n_here, p->len) != 0)
        return "wrong bytes";
    m->n_here += (uint32_t)p->len;
    if (!p->more && (m->open || m->n_here != m->len))
        return "a message ended too soon";
    return NULL;
}

static const char *take_turn(sim_ledger *l, uint32_t number, const pl_sctp_msg *p)
{
    sim_ledger_message *m = &l->m[number];
    if (m->life == l->here_life && m->generation != l->here_generation[m->slot])
        return "of before or after a reset of its stream";
    if (!m->unordered && !p->continues) {
        if (l->last_ordered[m->slot] > (int64_t)number)
            return "out of order";
        l->last_ordered[m->slot] = (int64_t)number + 1;
    }
    return NULL;
}

const char *sim_ledger_arrived(sim_ledger *l, const pl_sctp_msg *p)
{
    uint32_t number = p->ppid;
    if (number >= l->n)
        return "nobody sent it";
    sim_ledger_message *m = &l->m[number];
    if (m->arrived || m->broken)
        return "twice";
    if (p->sid != l->sid[m->slot] || p->unordered != m->unordered)
        return "on another stream, or in another manner";
    if (m->life > l->here_life)
        return "before the restart was told";
    if (p->broken && !m->partial && !m->excused)
        return "a reliable message is broken";
    const char *wrong = take_turn(l, number, p);
    if (!wrong)
        wrong = take_piece(l, number, p);
    m->arrived = !p->more && !p->broken;
    l->n_arrived += m->arrived;
    return wrong;
}

uint32_t sim_ledger_missing(const sim_ledger *l)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        n += !l->m[i].arrived && !l->m[i].partial && !l->m[i].excused;
    return n;
}

uint32_t sim_ledger_lost(const sim_ledger *l)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        n += !l->m[i].arrived && l->m[i].partial && !l->m[i].excused;
    return n;
}
