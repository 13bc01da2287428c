#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/data_journey.h"

enum { NUMBER = 5 }; /* digits in front */

void sim_channel_fill(uint8_t *out, unsigned channel, int from, unsigned number, uint32_t len)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%05u", number % 100000);
    unsigned from_here = channel * 5 + (unsigned)from * 3 + number * 7;
    for (uint32_t i = 0; i < len; i++)
        out[i] = i < NUMBER ? (uint8_t)digits[i] : (uint8_t)('a' + (from_here + i + (i >> 8)) % 26);
}

bool sim_channel_is_reliable(const sim_channel *c)
{
    return !c->init.has_max_retransmits && !c->init.has_max_packet_life_time;
}

/* Ordered and reliable: the next one. Else its number stands in front. */
static int number_of(const sim_channel *c, const sim_channel_way *w, const pl_data_event *e)
{
    char digits[NUMBER + 1] = { 0 };
    if (!c->init.unordered && sim_channel_is_reliable(c))
        return w->next;
    if (e->len < NUMBER)
        return -1;
    memcpy(digits, e->data, NUMBER);
    return (int)strtol(digits, NULL, 10);
}

static const char *take_number(sim_channel *c, sim_channel_way *w, int number)
{
    if (number < 0 || (unsigned)number >= w->n)
        return "a message that nobody sent";
    if (w->m[number].arrived)
        return "twice";
    if (!c->init.unordered && number < w->next)
        return "out of order";
    w->next = number + 1;
    return NULL;
}

static const char *compare(const sim_channel_message *m, unsigned channel, int from, int number, uint32_t at,
                           const pl_data_event *e)
{
    static uint8_t want[SIM_CHANNEL_MESSAGE_MAX];
    sim_channel_fill(want, channel, from, (unsigned)number, m->len);
    if (e->len > m->len - at)
        return "too long";
    if (memcmp(e->data, want + at, e->len) != 0)
        return "wrong bytes";
    return e->binary == m->binary ? NULL : "text for binary";
}

static const char *take_piece(sim_channel *c, sim_channel_way *w, unsigned channel, int from,
                              const pl_data_event *e)
{
    if (e->first) {
        int number = number_of(c, w, e);
        const char *wrong = take_number(c, w, number);
        if (wrong)
            return wrong;
        w->piece_of = number;
        w->piece_at = 0;
    } else if (w->piece_of < 0) {
        return "a piece without a beginning";
    }
    sim_channel_message *m = &w->m[w->piece_of];
    const char *wrong = compare(m, channel, from, w->piece_of, w->piece_at, e);
    w->piece_at += (uint32_t)e->len;
    if (!e->last || wrong)
        return wrong;
    m->arrived = !m->open && w->piece_at == m->len;
    w->n_arrived += m->arrived;
    w->piece_of = -1;
    return m->arrived || !sim_channel_is_reliable(c) || c->shut[from] ? NULL : "a message that ends too soon";
}

const char *sim_channel_arrived(sim_channel *c, unsigned channel, int from, const pl_data_event *e)
{
    sim_channel_way *w = &c->way[from];
    if (!c->opened[1 - from])
        return "before it was open";
    if (c->closed[1 - from])
        return "after it was closed";
    if (e->kind == PL_DATA_EVENT_PIECE)
        return take_piece(c, w, channel, from, e);
    int number = number_of(c, w, e);
    const char *wrong = take_number(c, w, number);
    if (wrong)
        return wrong;
    sim_channel_message *m = &w->m[number];
    m->arrived = true;
    w->n_arrived++;
    if (m->open || e->len != m->len)
        return "not whole";
    return compare(m, channel, from, number, 0, e);
}

bool sim_channel_complete(const sim_channel *c, int from)
{
    if (!sim_channel_is_reliable(c) || c->shut[1 - from])
        return true;
    for (unsigned i = 0; i < c->way[from].n; i++) {
        if (!c->way[from].m[i].arrived && !c->way[from].m[i].open)
            return false;
    }
    return true;
}
