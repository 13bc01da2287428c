#include "sim/data_journey.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum {
    PACKET_MAX = 4096,
    STEPS_MAX = 2000000,
    PATIENCE_S = 3000,
    NEGOTIATED_FROM = 40,
    FEW_STREAMS = 16,
    MANY_STREAMS = 64
};

typedef struct rig {
    uint64_t seed;
    bool check;
    sim_data_totals *sum;
    pl_data *end[2];
    sim_link *link[2];
    pl_rand_seeded state[3];
    pl_rand rand;
    int64_t now_us;
    uint64_t n_steps;
    sim_channel channel[SIM_CHANNELS_MAX];
    unsigned n_channels;
    bool used[2][256]; /* ids that a channel has had */
    bool connected[2], failed_event[2];
    char failed[200];
} rig;

static void fail(rig *j, int at, const char *what)
{
    if (!j->failed[0])
        snprintf(j->failed, sizeof j->failed, "seed %llu, end %d, %.3f s: %s", (unsigned long long)j->seed,
                 at, (double)j->now_us * 1e-6, what);
}

static void fail_channel(rig *j, int at, unsigned k, const char *what)
{
    char text[150];
    snprintf(text, sizeof text, "channel %u: %s", k, what);
    fail(j, at, text);
}

static uint32_t below(rig *j, uint32_t n)
{
    return pl_rand_below(&j->rand, n);
}

static bool one_in(rig *j, uint32_t n)
{
    return below(j, n) == 0;
}

/* --- events --- */

static bool same(const pl_data_channel_init *a, const pl_data_channel_init *b)
{
    return a->unordered == b->unordered && a->has_max_packet_life_time == b->has_max_packet_life_time &&
           a->max_packet_life_time == b->max_packet_life_time &&
           a->has_max_retransmits == b->has_max_retransmits && a->max_retransmits == b->max_retransmits &&
           strcmp(a->protocol, b->protocol) == 0 && a->priority == b->priority;
}

static void on_channel(rig *j, int at, pl_channel *h)
{
    const char *label = pl_channel_label(h, NULL);
    unsigned k = 0;
    while (k < j->n_channels && strcmp(label, j->channel[k].label) != 0)
        k++;
    if (k == j->n_channels || j->channel[k].made[at] || j->channel[k].init.negotiated) {
        fail(j, at, "a channel that nobody opened");
        pl_channel_release(h, j->now_us);
        return;
    }
    sim_channel *c = &j->channel[k];
    c->handle[at] = h;
    c->made[at] = true;
    pl_channel_set_user(h, c);
    if (!same(pl_channel_params(h), &c->init))
        fail_channel(j, at, k, "opened with other parameters");
    if (one_in(j, 3)) {
        c->pieces[at] = true;
        if (pl_channel_set_pieces(h, true) != PL_OK)
            fail_channel(j, at, k, "no pieces");
    }
}

static void on_open(rig *j, int at, unsigned k)
{
    sim_channel *c = &j->channel[k];
    int id = pl_channel_id(c->handle[at]);
    if (c->opened[at] || c->closed[at])
        fail_channel(j, at, k, "opened twice");
    c->opened[at] = true;
    if (id < 0 || id >= 256 || (!c->init.negotiated && id % 2 != c->opener))
        fail_channel(j, at, k, "an id of the wrong kind");
    j->sum->reused += j->used[at][id & 255];
    j->used[at][id & 255] = true;
}

static void on_closed(rig *j, int at, unsigned k, pl_err error)
{
    sim_channel *c = &j->channel[k];
    if (c->closed[at])
        fail_channel(j, at, k, "closed twice");
    if (error == PL_OK && !sim_channel_complete(c, 1 - at))
        fail_channel(j, at, k, "closed before its messages came");
    if (error != PL_OK && c->opened[at])
        fail_channel(j, at, k, "closed with an error");
    c->closed[at] = true;
    c->shut[at] |= error != PL_OK; /* it asked for an id before the peer said how few there are */
    pl_channel_release(c->handle[at], j->now_us);
    c->handle[at] = NULL;
}

static void on_event(rig *j, int at, pl_data_event *e)
{
    const char *wrong = NULL;
    sim_channel *c = e->channel && e->kind != PL_DATA_EVENT_CHANNEL ? pl_channel_user(e->channel) : NULL;
    unsigned k = c ? (unsigned)(c - j->channel) : 0;
    if (c && c->handle[at] != e->channel)
        fail(j, at, "an event of a channel that was given back");
    assert(c || e->kind == PL_DATA_EVENT_CONNECTED || e->kind == PL_DATA_EVENT_CHANNEL ||
           e->kind == PL_DATA_EVENT_WRITABLE || e->kind == PL_DATA_EVENT_FAILED);
    switch (e->kind) {
    case PL_DATA_EVENT_CONNECTED: j->connected[at] = true; break;
    case PL_DATA_EVENT_CHANNEL: on_channel(j, at, e->channel); break;
    case PL_DATA_EVENT_OPEN: on_open(j, at, k); break;
    case PL_DATA_EVENT_MESSAGE:
    case PL_DATA_EVENT_PIECE:
        j->sum->pieces += e->kind == PL_DATA_EVENT_PIECE && !e->last;
        wrong = sim_channel_arrived(c, k, 1 - at, e);
        break;
    case PL_DATA_EVENT_CLOSING:
        if (c->closing[at] || c->closed[at])
            wrong = "closing at the wrong time";
        c->closing[at] = true;
        break;
    case PL_DATA_EVENT_CLOSED: on_closed(j, at, k, e->error); break;
    case PL_DATA_EVENT_FAILED: j->failed_event[at] = true; break;
    case PL_DATA_EVENT_BUFFERED_LOW:
    case PL_DATA_EVENT_WRITABLE: break;
    }
    if (wrong)
        fail_channel(j, at, k, wrong);
    pl_data_event_clear(e);
}

static void take(rig *j, int at)
{
    pl_data_event e;
    while (pl_data_poll_event(j->end[at], &e))
        on_event(j, at, &e);
    if (j->check)
        pl_data_check(j->end[at]);
}

/* --- time --- */

static void step(rig *j)
{
    static uint8_t packet[PACKET_MAX];
    size_t len;
    for (int i = 0; i < 2; i++) {
        while (sim_link_recv(j->link[1 - i], j->now_us, NULL, packet, sizeof packet, &len)) {
            pl_data_input(j->end[i], j->now_us, packet, len);
            take(j, i);
        }
        if (j->now_us >= pl_data_next_us(j->end[i]))
            pl_data_tick(j->end[i], j->now_us);
        take(j, i);
        while (pl_data_poll_output(j->end[i], j->now_us, packet, sizeof packet, &len))
            sim_link_send(j->link[i], j->now_us, NULL, packet, len);
        take(j, i);
    }
    if (++j->n_steps > STEPS_MAX)
        fail(j, 0, "never comes to rest");
}

static void run(rig *j, int64_t until_us)
{
    while (!j->failed[0]) {
        step(j);
        int64_t at_us = PL_NEVER;
        for (int i = 0; i < 2; i++)
            at_us = pl_min_us(at_us, pl_min_us(sim_link_next_us(j->link[i]), pl_data_next_us(j->end[i])));
        if (at_us > until_us)
            break;
        j->now_us = pl_max_us(at_us, j->now_us + (at_us <= j->now_us));
    }
    j->now_us = pl_max_us(j->now_us, until_us);
}

/* --- deeds --- */

static void some_init(rig *j, sim_channel *c)
{
    static const uint16_t priority[] = { 128, 256, 512, 1024 };
    c->init.unordered = one_in(j, 3);
    c->init.priority = priority[below(j, 4)];
    switch (below(j, 4)) {
    case 0:
        c->init.has_max_retransmits = true;
        c->init.max_retransmits = (uint16_t)below(j, 3);
        break;
    case 1:
        c->init.has_max_packet_life_time = true;
        c->init.max_packet_life_time = (uint16_t)(1 + below(j, 500));
        break;
    default: break;
    }
    c->init.protocol = c->protocol;
}

static void open_channel(rig *j)
{
    unsigned k = j->n_channels;
    if (k == SIM_CHANNELS_MAX)
        return;
    sim_channel *c = &j->channel[k];
    *c = (sim_channel){ .opener = (int)below(j, 2) };
    c->way[0].piece_of = c->way[1].piece_of = -1;
    snprintf(c->label, sizeof c->label, "channel %u \xc3\xa4", k);
    snprintf(c->protocol, sizeof c->protocol, "%s", one_in(j, 2) ? "" : "seeded");
    some_init(j, c);
    if (j->seed % 2 && one_in(j, 6) && k < 20) { /* beyond the ids that are given */
        c->init.negotiated = true;
        c->init.id = (uint16_t)(NEGOTIATED_FROM + k);
    }
    for (int i = 0; i < 2; i++) {
        if (!c->init.negotiated && i != c->opener)
            continue;
        pl_err err =
            pl_channel_new(&c->handle[i], j->end[i], j->now_us, c->label, strlen(c->label), &c->init, c);
        if (err == PL_ENOSPC) {
            j->sum->no_id++;
            return;
        }
        if (err != PL_OK) {
            fail_channel(j, i, k, "cannot be made");
            return;
        }
        c->made[i] = true;
    }
    j->n_channels++;
    j->sum->channels++;
    j->sum->negotiated += c->init.negotiated;
}

static bool can_send(const sim_channel *c, int at)
{
    return c->opened[at] && !c->shut[at] && !c->closing[at] && !c->closed[at] && c->way[at].part_total == 0 &&
           c->way[at].n < SIM_CHANNEL_MESSAGES;
}

static uint32_t some_length(rig *j, const sim_channel *c)
{
    bool numbered = c->init.unordered || !sim_channel_is_reliable(c);
    switch (below(j, 6)) {
    case 0: return numbered ? 5 : 0;
    case 1: return 5 + below(j, SIM_CHANNEL_MESSAGE_MAX - 5);
    default: return 5 + below(j, 1000);
    }
}

static pl_err send_lent(sim_channel *c, int at, int64_t now_us, const uint8_t *data, uint32_t len,
                        bool binary)
{
    uint8_t *copy = malloc(len);
    if (!copy)
        abort();
    memcpy(copy, data, len);
    pl_sctp_lent lent = { .data = copy, .len = len, .release = free, .user = copy };
    pl_err err = pl_channel_send_lent(c->handle[at], now_us, &lent, binary, 0);
    if (err != PL_OK)
        free(copy);
    return err;
}

static void send_one(rig *j, unsigned k, int at)
{
    static uint8_t data[SIM_CHANNEL_MESSAGE_MAX];
    sim_channel *c = &j->channel[k];
    sim_channel_way *w = &c->way[at];
    uint32_t len = some_length(j, c), now = len;
    bool binary = one_in(j, 2), parts = len > 10 && one_in(j, 6), lent = len > 0 && one_in(j, 4);
    sim_channel_fill(data, k, at, w->n, len);
    pl_err err;
    if (parts)
        err =
            pl_channel_send_part(c->handle[at], j->now_us, data, now = 1 + below(j, len - 1), false, binary);
    else if (lent)
        err = send_lent(c, at, j->now_us, data, len, binary);
    else
        err = pl_channel_send(c->handle[at], j->now_us, data, len, binary);
    if (err == PL_EAGAIN) {
        j->sum->full++;
        return;
    }
    if (err != PL_OK) { /* the news that it closes may wait behind messages */
        if (err != PL_ESTATE || pl_channel_state(c->handle[at]) == PL_CHANNEL_OPEN)
            fail_channel(j, at, k, "a message was refused");
        return;
    }
    w->m[w->n++] = (sim_channel_message){ .len = now, .binary = binary, .open = parts };
    w->part_total = parts ? len : 0;
    j->sum->messages++;
    j->sum->empty += len == 0;
    j->sum->lent += lent && !parts;
}

/* The rest of a message in parts, or some of it. */
static void send_rest(rig *j, unsigned k, int at, bool all)
{
    static uint8_t data[SIM_CHANNEL_MESSAGE_MAX];
    sim_channel *c = &j->channel[k];
    sim_channel_way *w = &c->way[at];
    while (w->part_total > 0) {
        sim_channel_message *m = &w->m[w->n - 1];
        uint32_t left = w->part_total - m->len, n = all || one_in(j, 2) ? left : below(j, left + 1);
        if (!c->opened[at] || c->shut[at] || c->closing[at] || c->closed[at]) {
            w->part_total = 0; /* it is over; the message stays open, and must not be delivered as whole */
            return;
        }
        if (n == 0 && left > 0)
            return;
        sim_channel_fill(data, k, at, w->n - 1, w->part_total);
        pl_err err = pl_channel_send_part(c->handle[at], j->now_us, data + m->len, n, n == left, m->binary);
        if (err != PL_OK) {
            if (err != PL_EAGAIN && pl_channel_state(c->handle[at]) == PL_CHANNEL_OPEN)
                fail_channel(j, at, k, "a part was refused");
            if (err != PL_EAGAIN)
                w->part_total = 0;
            return;
        }
        m->len += n;
        m->open = n < left;
        w->part_total = m->open ? w->part_total : 0;
        j->sum->parts++;
        if (!all)
            return;
    }
}

static void close_channel(rig *j, unsigned k, int at)
{
    sim_channel *c = &j->channel[k];
    if (!c->handle[at] || c->shut[at])
        return;
    c->shut[at] = true;
    if (one_in(j, 4) || !c->opened[at]) {
        pl_channel_release(c->handle[at], j->now_us);
        c->handle[at] = NULL;
        c->closed[at] = true;
        j->sum->releases++;
        return;
    }
    pl_channel_close(c->handle[at], j->now_us);
    j->sum->closes++;
}

static void act(rig *j)
{
    if (one_in(j, 3))
        open_channel(j);
    for (uint32_t n = j->n_channels > 0 ? below(j, 10) : 0; n > 0; n--) {
        unsigned k = below(j, j->n_channels);
        int at = (int)below(j, 2);
        if (can_send(&j->channel[k], at))
            send_one(j, k, at);
        else
            send_rest(j, k, at, false);
    }
    if (j->n_channels > 0 && one_in(j, 4)) {
        unsigned k = below(j, j->n_channels);
        int at = (int)below(j, 2);
        bool both = j->channel[k].opened[0] && j->channel[k].opened[1];
        if (both ||
            (!j->channel[k].init.negotiated && one_in(j, 8))) /* no reset tells of one that never was open */
            close_channel(j, k, at);
    }
    if (j->n_channels > 0 && one_in(j, 4)) {
        sim_channel *c = &j->channel[below(j, j->n_channels)];
        int at = (int)below(j, 2);
        if (c->handle[at] && c->opened[at]) {
            pl_channel_pause(c->handle[at], one_in(j, 2));
            j->sum->pauses++;
        }
    }
    if (one_in(j, 25))
        sim_link_blackout(j->link[below(j, 2)], j->now_us + PL_MS(below(j, 30000)));
    run(j, j->now_us + below(j, one_in(j, 10) ? 3000000 : 200000));
}

/* --- the end --- */

/* What is still to be waited for at this end of a channel; NULL: nothing. */
static const char *waits(const sim_channel *c, int at)
{
    if (!c->made[at] || c->closed[at])
        return c->made[at] || c->shut[1 - at] ? NULL : "not made";
    if (c->shut[0] || c->shut[1])
        return "not closed";
    if (!c->opened[at])
        return "not open";
    if (!sim_channel_complete(c, at))
        return "messages are missing";
    return pl_channel_buffered_amount(c->handle[at]) > 0 ? "bytes are buffered" : NULL;
}

/* Nothing is held back any more. What waits first, in words. */
static const char *settle(rig *j)
{
    static char text[100];
    for (unsigned k = 0; k < j->n_channels; k++) {
        for (int at = 0; at < 2; at++) {
            if (j->channel[k].handle[at])
                pl_channel_pause(j->channel[k].handle[at], false);
            send_rest(j, k, at, true);
        }
    }
    for (unsigned k = 0; k < j->n_channels; k++) {
        const sim_channel *c = &j->channel[k];
        for (int at = 0; at < 2; at++) {
            const char *why = waits(c, at);
            if (!why)
                continue;
            snprintf(text, sizeof text, "channel %u at %d, shut %d%d: %s", k, at, c->shut[0], c->shut[1],
                     why);
            return text;
        }
    }
    return j->connected[0] && j->connected[1] ? NULL : "not connected";
}

static void await(rig *j)
{
    for (int i = 0; i < PATIENCE_S && !j->failed[0] && settle(j); i++)
        run(j, j->now_us + PL_MS(i < 20 ? 100 : 1000));
    const char *why = j->failed[0] ? NULL : settle(j);
    if (why)
        fail(j, 0, why);
}

static void finish(rig *j)
{
    await(j);
    for (unsigned k = 0; k < j->n_channels && !j->failed[0]; k++) {
        if (!j->channel[k].shut[0] && !j->channel[k].shut[1])
            close_channel(j, k, (int)below(j, 2));
    }
    await(j);
    for (int i = 0;
         i < PATIENCE_S && !j->failed[0] && (pl_data_next(j->end[0], NULL) || pl_data_next(j->end[1], NULL));
         i++)
        run(j, j->now_us + PL_MS(i < 20 ? 100 : 1000)); /* what was given back is still being reset */
    for (int i = 0; i < 2 && !j->failed[0]; i++) {
        pl_data_stats stats;
        pl_data_get_stats(j->end[i], &stats);
        if (pl_data_next(j->end[i], NULL))
            fail(j, i, "a channel is left");
        if (stats.bad_messages)
            fail(j, i, "messages were taken for bad ones");
        if (stats.channels_opened != stats.channels_closed)
            fail(j, i, "more channels were opened than closed");
    }
    if (!j->failed[0])
        pl_data_close(j->end[0], j->now_us);
    sim_net good = { .delay_us = 1000 };
    for (int i = 0; i < 2; i++) {
        sim_link_set(j->link[i], &good);
        sim_link_blackout(j->link[i], 0);
    }
    for (int i = 0; i < 60 && !j->failed[0] && !j->failed_event[1]; i++)
        run(j, j->now_us + PL_SEC(1));
    if (!j->failed[0] && (!j->failed_event[1] || j->failed_event[0]))
        fail(j, 1, "the end was not told");
    for (int i = 0; i < 2 && !j->failed[0]; i++) {
        if (pl_data_next_us(j->end[i]) != PL_NEVER)
            fail(j, i, "a timer runs after the end");
    }
}

static sim_net some_net(rig *j)
{
    sim_net net = { .delay_us = below(j, 100000), .jitter_us = below(j, 20000) };
    net.loss = one_in(j, 4) ? 0 : below(j, 80) / 1000.0;
    net.duplicate = one_in(j, 3) ? 0.05 : 0;
    net.reorder = one_in(j, 3) ? 0.05 : 0;
    net.stall = one_in(j, 4) ? 0.01 : 0;
    net.stall_us = 1000000;
    net.burst = one_in(j, 4) ? 0.02 : 0;
    net.burst_us = 200000;
    net.rate_bps = one_in(j, 3) ? 1000000 + below(j, 20000000) : 0;
    return net;
}

static void begin(rig *j)
{
    uint16_t streams = j->seed % 2 ? MANY_STREAMS : FEW_STREAMS; /* few: ids are used again, and run out */
    for (int i = 0; i < 2; i++) {
        pl_data_conf conf = { .sctp = { .max_message_size = 65536,
                                        .send_buffer_max = 150000 + below(j, 500000),
                                        .max_streams_in = streams,
                                        .max_streams_out = streams,
                                        .no_interleaving = one_in(j, 3),
                                        .zero_checksum = one_in(j, 2) } };
        conf.sctp.congestion = (pl_sctp_congestion)below(j, PL_SCTP_CONGESTION_LEDBAT + 1);
        conf.sctp.rand = pl_rand_seed(&j->state[i], j->seed * 2 + (uint64_t)i);
        conf.sctp.log_id = (uint32_t)i;
        if (pl_data_new(&j->end[i], &conf, j->now_us) != PL_OK)
            abort();
        sim_net net = some_net(j);
        j->link[i] = sim_link_new(&net, j->seed * 2 + 7 + (uint64_t)i);
    }
    while (one_in(j, 2)) /* before there are ids */
        open_channel(j);
}

static void start(rig *j)
{
    for (int i = 0; i < 2; i++) {
        pl_data_set_role(j->end[i], i == 0);
        pl_data_set_remote(j->end[i], PL_SCTP_PORT, 65536);
        if (pl_data_start(j->end[i], j->now_us) != PL_OK)
            abort();
    }
}

const char *sim_data_journey(uint64_t seed, bool check, sim_data_totals *sum)
{
    static rig the_rig;
    rig *j = &the_rig;
    *j = (rig){ .seed = seed, .check = check, .now_us = PL_SEC(1), .sum = sum };
    j->rand = pl_rand_seed(&j->state[2], seed);
    begin(j);
    start(j);
    for (uint32_t n = 10 + below(j, 40); n > 0 && !j->failed[0]; n--)
        act(j);
    if (!j->failed[0])
        finish(j);
    for (int i = 0; i < 2; i++) {
        pl_data_free(j->end[i]);
        sim_link_free(j->link[i]);
    }
    for (unsigned k = 0; k < j->n_channels; k++) {
        const sim_channel *c = &j->channel[k];
        for (int at = 0; at < 2; at++) {
            sum->arrived += c->way[at].n_arrived;
            sum->given_up += c->way[at].n - c->way[at].n_arrived;
        }
    }
    sum->journeys++;
    return j->failed[0] ? j->failed : NULL;
}
