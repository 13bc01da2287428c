/* What happens on a journey: how the two ends and their links are made, and what their applications do. */
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sctp/out_msg.h"
#include "sim/sctp_journey.h"

enum { SMALL_MESSAGES = 70000, BIG_MESSAGES = 1 << 20 };

static uint32_t below(sim_journey_rig *j, uint32_t n)
{
    return sim_journey_below(j, n);
}

static bool one_in(sim_journey_rig *j, uint32_t n)
{
    return below(j, n) == 0;
}

/* --- the links --- */

static void bad_link(sim_journey_rig *j, sim_net *net, bool may_corrupt)
{
    net->loss = one_in(j, 4) ? 0 : below(j, 100) / 1000.0;
    net->duplicate = one_in(j, 3) ? 0.05 : 0;
    net->reorder = one_in(j, 3) ? 0.05 : 0;
    net->reorder_us = one_in(j, 2) ? 0 : 1 + below(j, 300000);
    net->corrupt = may_corrupt && one_in(j, 3) ? 0.02 : 0;
    if (one_in(j, 4)) {
        net->stall = 0.01;
        net->stall_us = 1000 + below(j, 3000000);
    }
    if (one_in(j, 4)) {
        net->burst = 0.02;
        net->burst_us = 1000 + below(j, 500000);
    }
}

static bool checksums(const sim_journey_rig *j)
{
    return !j->end[0].conf.zero_checksum && !j->end[1].conf.zero_checksum;
}

/* What was cut for a larger packet cannot be cut anew: a path that carries less, and fragments nothing, must find
 * nothing under way, not even a probe. `told`: the association starts from its configured size. */
static size_t least_mtu(const sim_journey_end *e, bool told)
{
    size_t base = e->conf.mtu ? e->conf.mtu : PL_SCTP_MTU_DEFAULT;
    bool anew = !e->sctp || (told && pl_sctp_buffered_total(e->sctp) == 0);
    return anew || base > e->conf.mtu_max ? base : e->conf.mtu_max;
}

static void new_link(sim_journey_rig *j, int at, bool told)
{
    sim_net net = { .delay_us = below(j, one_in(j, 8) ? 400000 : 100000), .jitter_us = below(j, 20000) };
    net.rate_bps = one_in(j, 3) ? 500000 + below(j, 20000000) : 0;
    net.queue_bytes = 20000 + below(j, 100000);
    size_t mtu = least_mtu(&j->end[at], told);
    if (one_in(j, 3))
        net.mtu = mtu + below(j, 1000);
    if (sim_journey_has(j, SIM_WITHOUT_BAD_LINKS))
        bad_link(j, &net, checksums(j));
    j->end[at].net = net;
}

/* --- the ends --- */

static void plan_end(sim_journey_rig *j, int at, uint32_t most)
{
    static const size_t mtus[] = { 0, 0, 0, PL_SCTP_MTU_MIN, 1200, 1440, 4000 };
    sim_journey_end *e = &j->end[at];
    pl_sctp_conf *c = &e->conf;
    c->rand = pl_rand_seed(&e->state, j->conf->seed * 2 + (uint64_t)at);
    c->log_id = (uint32_t)at;
    c->max_message_size = most;
    c->recv_buffer = 40000 + below(j, 400000);
    c->recv_buffer = c->recv_buffer < most && one_in(j, 2) ? most : c->recv_buffer;
    c->recv_buffer_max = (c->recv_buffer > most ? c->recv_buffer : most) + below(j, 1000000);
    c->send_buffer_max = most + most / 2 + below(j, 1000000);
    c->mtu = mtus[below(j, sizeof mtus / sizeof *mtus)];
    if (sim_journey_has(j, SIM_WITHOUT_PROBING) && one_in(j, 2))
        c->mtu_max = (c->mtu ? c->mtu : PL_SCTP_MTU_DEFAULT) + below(j, 1000);
    if (sim_journey_has(j, SIM_WITHOUT_CONTROLLERS))
        c->congestion = (pl_sctp_congestion)below(j, PL_SCTP_CONGESTION_LEDBAT + 1);
    if (sim_journey_has(j, SIM_WITHOUT_PRIORITIES))
        c->scheduler = (pl_sctp_scheduler)below(j, PL_SCTP_SCHEDULER_FAIR + 1);
    c->no_interleaving = !sim_journey_has(j, SIM_WITHOUT_INTERLEAVING) || one_in(j, 4);
    c->zero_checksum = sim_journey_has(j, SIM_WITHOUT_CHECKSUM) && one_in(j, 2);
    c->max_streams_in = (uint16_t)(one_in(j, 2) ? 0 : 40 + below(j, 2000));
    c->max_streams_out = (uint16_t)(one_in(j, 2) ? 0 : 2 + below(j, 1000));
    c->heartbeat_us = one_in(j, 4) ? PL_SEC(1 + below(j, 5)) : 0;
    if (one_in(j, 3))
        c->rto_min_us = PL_MS(20 + below(j, 1000));
}

/* The first two always exist; the others may have to be asked for, or be beyond what the peer allows. */
static void plan_streams(sim_journey_rig *j)
{
    for (int slot = 0; slot < SIM_LEDGER_SLOTS; slot++) {
        uint16_t sid = (uint16_t)slot;
        if (slot >= 2)
            sid = (uint16_t)(slot * 37 + (slot >= 6 ? (int)below(j, 1000) * 8 : 0));
        for (int at = 0; at < 2; at++)
            j->end[at].ledger.sid[slot] = sid;
    }
}

void sim_journey_plan(sim_journey_rig *j)
{
    uint32_t most = one_in(j, 24) ? BIG_MESSAGES : one_in(j, 3) ? 2000 + below(j, 10000) : SMALL_MESSAGES;
    for (int at = 0; at < 2; at++)
        plan_end(j, at, most);
    plan_streams(j);
    for (int at = 0; at < 2; at++) {
        new_link(j, at, true);
        j->end[at].link = sim_link_new(&j->end[at].net, j->conf->seed * 2 + 7 + (uint64_t)at);
    }
}

/* --- sending --- */

static uint32_t some_length(sim_journey_rig *j, int at)
{
    uint32_t most = (uint32_t)j->end[1 - at].conf.max_message_size;
    uint32_t own = (uint32_t)j->end[at].conf.send_buffer_max - 1000;
    most = most < own ? most : own;
    switch (below(j, 10)) {
    case 0: return 1 + below(j, most);
    case 1: return 1 + below(j, most < 5000 ? most : 5000);
    case 2: return 1150 + below(j, 30);
    case 3: return 1 + below(j, 4);
    default: return 1 + below(j, 300);
    }
}

static pl_sctp_send_opts some_opts(sim_journey_rig *j)
{
    pl_sctp_send_opts o = { .unordered = one_in(j, 4) };
    if (!sim_journey_has(j, SIM_WITHOUT_PARTIAL) || j->conf->seed % 3 == 0 || one_in(j, 2))
        return o;
    uint32_t how = below(j, 4);
    if (how == 0 || how == 3)
        o.lifetime_us = 1 + below(j, 300000);
    if (how == 1 || how == 3)
        o.limit_retransmits = true, o.max_retransmits = below(j, 3);
    if (how == 2 && sim_journey_has(j, SIM_WITHOUT_PRIORITIES))
        o.limit_priority = true, o.buffer_priority = below(j, 4);
    return o;
}

static bool slot_is_open(const sim_journey_end *e, unsigned slot)
{
    for (int i = 0; i < SIM_JOURNEY_OPEN_MAX; i++) {
        if (e->open[i].on && e->open[i].slot == slot)
            return true;
    }
    return false;
}

/* What a send that was refused may say. */
static void on_refused(sim_journey_rig *j, int at, unsigned slot, pl_err err)
{
    sim_journey_end *e = &j->end[at];
    bool known = e->ledger.sid[slot] < pl_sctp_streams_out(e->sctp);
    bool busy = e->resetting[slot] || slot_is_open(e, slot) || e->shutting || e->ended ||
                pl_sctp_get_state(e->sctp) >= PL_SCTP_SHUTDOWN_PENDING;
    if (err == PL_EAGAIN) {
        e->writable_owed = true;
        j->sum->refused_full++;
    } else if (err == PL_EINVAL && !known) {
        j->sum->refused_sid++;
    } else if (err != PL_ESTATE || !busy) {
        sim_journey_fail(j, at, err == PL_ESTATE ? "a send was refused by state" : "a send failed");
    }
}

typedef struct lent_bytes {
    sim_journey_end *end;
    uint8_t data[];
} lent_bytes;

static void release(void *user)
{
    lent_bytes *b = user;
    b->end->n_released++;
    free(b);
}

static pl_err send_lent(sim_journey_rig *j, int at, uint16_t sid, uint32_t number, uint32_t len,
                        const pl_sctp_send_opts *o)
{
    sim_journey_end *e = &j->end[at];
    lent_bytes *b = malloc(sizeof *b + len);
    if (!b)
        abort();
    b->end = e;
    memcpy(b->data, sim_ledger_bytes(number), len);
    e->n_lent++;
    pl_sctp_lent lent = { .data = b->data, .len = len, .release = release, .user = b };
    pl_err err = pl_sctp_send_lent(e->sctp, j->now_us, sid, number, &lent, o);
    if (err != PL_OK) {
        e->n_lent--;
        free(b);
    }
    j->sum->lent += err == PL_OK;
    return err;
}

/* A little of a message that goes on in parts is held back, and does not count. */
void sim_journey_expect_low(sim_journey_end *e, unsigned slot)
{
    size_t buffered = pl_sctp_buffered(e->sctp, e->ledger.sid[slot]);
    if (buffered > e->low[slot])
        e->low_may[slot] = true;
    if (buffered > e->low[slot] + (slot_is_open(e, slot) ? PL_SCTP_OUT_HELD : 0))
        e->low_owed[slot] = true;
}

static void send_one(sim_journey_rig *j, int at)
{
    sim_journey_end *e = &j->end[at];
    unsigned slot = below(j, e->connected ? SIM_LEDGER_SLOTS : 2);
    uint32_t number = e->ledger.n, len = some_length(j, at);
    uint16_t sid = e->ledger.sid[slot];
    pl_sctp_send_opts o = some_opts(j);
    bool lend = sim_journey_has(j, SIM_WITHOUT_LENT) && one_in(j, 4);
    pl_err err = lend ? send_lent(j, at, sid, number, len, &o)
                      : pl_sctp_send(e->sctp, j->now_us, sid, number, sim_ledger_bytes(number), len, &o);
    if (err != PL_OK) {
        on_refused(j, at, slot, err);
        return;
    }
    if (e->resetting[slot] || slot_is_open(e, slot))
        sim_journey_fail(j, at, "a send was accepted on a stream that is busy");
    sim_ledger_sent(&e->ledger, slot, len, false, &o);
    sim_journey_expect_low(e, slot);
}

/* --- in parts --- */

static void begin_parts(sim_journey_rig *j, int at)
{
    sim_journey_end *e = &j->end[at];
    unsigned slot = below(j, e->connected ? 3 : 2);
    sim_journey_open *open = &e->open[below(j, SIM_JOURNEY_OPEN_MAX)];
    if (open->on || slot_is_open(e, slot) || e->ledger.sid[slot] >= pl_sctp_streams_out(e->sctp))
        return;
    uint32_t most = (uint32_t)j->end[1 - at].conf.max_message_size, number = e->ledger.n;
    uint32_t total = 1 + below(j, one_in(j, 4) ? most : most < 20000 ? most : 20000);
    uint32_t first = 1 + below(j, total < 5000 ? total : 5000);
    *open = (sim_journey_open){
        .slot = (uint8_t)slot, .number = number, .left = total - first, .opts = some_opts(j)
    };
    bool last = open->left == 0 && one_in(j, 2); /* else the last part is of no bytes */
    pl_err err = pl_sctp_send_part(e->sctp, j->now_us, e->ledger.sid[slot], number, sim_ledger_bytes(number),
                                   first, last, &open->opts);
    if (err != PL_OK) {
        on_refused(j, at, slot, err);
        return;
    }
    open->on = !last;
    sim_ledger_sent(&e->ledger, slot, first, !last, &open->opts);
    j->sum->parts++;
    sim_journey_expect_low(e, slot);
}

/* False when there is no room. */
static bool next_part(sim_journey_rig *j, int at, sim_journey_open *open, uint32_t most)
{
    sim_journey_end *e = &j->end[at];
    const sim_ledger_message *m = &e->ledger.m[open->number];
    uint32_t n = open->left < most ? open->left : most;
    bool last = n == open->left;
    pl_err err = pl_sctp_send_part(e->sctp, j->now_us, e->ledger.sid[open->slot], open->number,
                                   sim_ledger_bytes(open->number) + m->len, n, last, &open->opts);
    if (err == PL_EAGAIN) {
        e->writable_owed = true;
        return false;
    }
    if (err != PL_OK) {
        if (!e->ended && pl_sctp_get_state(e->sctp) < PL_SCTP_SHUTDOWN_PENDING)
            sim_journey_fail(j, at, "a part was refused");
        open->on = false;
        return true;
    }
    sim_ledger_part(&e->ledger, open->number, n, last);
    open->left -= n;
    open->on = !last;
    j->sum->parts++;
    sim_journey_expect_low(e, open->slot);
    return true;
}

bool sim_journey_finish_parts(sim_journey_rig *j, int at)
{
    bool done = true;
    for (int i = 0; i < SIM_JOURNEY_OPEN_MAX; i++) {
        sim_journey_open *open = &j->end[at].open[i];
        while (open->on && next_part(j, at, open, 30000))
            ;
        done = done && !open->on;
    }
    return done;
}

static void some_parts(sim_journey_rig *j, int at)
{
    for (int i = 0; i < SIM_JOURNEY_OPEN_MAX; i++) {
        sim_journey_open *open = &j->end[at].open[i];
        if (open->on)
            next_part(j, at, open, 1 + below(j, 20000));
    }
}

/* --- other wishes --- */

static void reset_some(sim_journey_rig *j, int at)
{
    sim_journey_end *e = &j->end[at];
    uint16_t sids[3];
    size_t n = 0;
    for (uint32_t k = 1 + below(j, 3); k > 0; k--) {
        unsigned slot = below(j, e->connected ? SIM_LEDGER_SLOTS : 2);
        if (slot_is_open(e, slot) || e->ledger.sid[slot] >= pl_sctp_streams_out(e->sctp))
            continue;
        sids[n++] = e->ledger.sid[slot];
        e->resetting[slot] = true;
    }
    if (n > 0 && pl_sctp_reset_streams(e->sctp, j->now_us, sids, n) != PL_OK)
        sim_journey_fail(j, at, "streams cannot be reset");
    j->sum->resets += n;
}

static void add_some(sim_journey_rig *j, int at)
{
    sim_journey_end *e = &j->end[at];
    uint16_t n_out = (uint16_t)below(j, 100), n_in = (uint16_t)below(j, 3) ? 0 : (uint16_t)below(j, 100);
    pl_err err = pl_sctp_add_streams(e->sctp, j->now_us, n_out, n_in);
    if (err == PL_OK)
        e->adding = true;
    else if (err != PL_ESTATE && err != PL_EINVAL)
        sim_journey_fail(j, at, "streams cannot be added");
    j->sum->adds += err == PL_OK;
}

static void tune_streams(sim_journey_rig *j, int at)
{
    static const uint16_t priorities[] = { 128, 256, 512, 1024, 1, 65535 };
    sim_journey_end *e = &j->end[at];
    unsigned slot = below(j, SIM_LEDGER_SLOTS);
    uint16_t sid = e->ledger.sid[slot];
    pl_err err = PL_OK;
    switch (below(j, 3)) {
    case 0:
        if (sim_journey_has(j, SIM_WITHOUT_PRIORITIES))
            err = pl_sctp_set_priority(e->sctp, sid, priorities[below(j, 6)]);
        break;
    case 1:
        if (sim_journey_has(j, SIM_WITHOUT_PIECES))
            err = pl_sctp_set_pieces(e->sctp, sid, !one_in(j, 4));
        break;
    default:
        if (!e->low_may[slot]) {
            e->low[slot] = 1 + below(j, 20000);
            err = pl_sctp_set_buffered_low(e->sctp, sid, e->low[slot]);
            sim_journey_expect_low(e, slot);
        }
    }
    if (err != PL_OK)
        sim_journey_fail(j, at, "a stream cannot be tuned");
}

static void change_path(sim_journey_rig *j)
{
    bool told = sim_journey_has(j, SIM_WITHOUT_PATHS) && !one_in(j, 4);
    for (int at = 0; at < 2; at++) {
        new_link(j, at, told);
        sim_link_set(j->end[at].link, &j->end[at].net);
        if (told)
            pl_sctp_path_changed(j->end[at].sctp, j->now_us);
    }
    j->sum->path_changes++;
}

static void go_dark(sim_journey_rig *j)
{
    uint32_t which = below(j, 3);
    int64_t until_us = j->now_us + PL_MS(below(j, 30000));
    for (int at = 0; at < 2; at++) {
        if (which == 2 || which == (uint32_t)at)
            sim_link_blackout(j->end[at].link, until_us);
    }
    j->sum->blackouts++;
}

/* An end loses its memory and begins anew. */
static void forget(sim_journey_rig *j, int at)
{
    sim_journey_end *e = &j->end[at];
    pl_sctp_stats stats;
    pl_sctp_get_stats(e->sctp, &stats);
    e->stats_abandoned += stats.messages_abandoned;
    pl_sctp_free(e->sctp);
    sim_ledger_excuse(&e->ledger, true);
    sim_ledger_next_life(&j->end[1 - at].ledger);
    e->connected = e->writable_owed = e->adding = false;
    memset(e->resetting, 0, sizeof e->resetting);
    memset(e->low, 0, sizeof e->low);
    memset(e->low_owed, 0, sizeof e->low_owed);
    memset(e->low_may, 0, sizeof e->low_may);
    memset(e->open, 0, sizeof e->open);
    sim_journey_begin_end(j, at);
    pl_sctp_connect(e->sctp, j->now_us);
}

static void restart(sim_journey_rig *j)
{
    for (int at = 0; at < 2; at++) {
        if (!j->end[at].connected || !j->end[at].reading)
            return;
    }
    uint32_t which = below(j, 5);
    for (int at = 0; at < 2; at++) {
        if (which == 4 || which % 2 == (uint32_t)at)
            forget(j, at);
    }
    j->restarted = true;
    j->sum->restarts++;
}

static void wish(sim_journey_rig *j, int at)
{
    switch (below(j, 12)) {
    case 0:
        if (sim_journey_has(j, SIM_WITHOUT_RESETS))
            reset_some(j, at);
        break;
    case 1:
        if (sim_journey_has(j, SIM_WITHOUT_ADD))
            add_some(j, at);
        break;
    case 2:
    case 3: tune_streams(j, at); break;
    case 4:
        if (!getenv("NOPAUSE"))
            j->end[at].reading = !j->end[at].reading;
        break;
    case 5:
        if (one_in(j, 2))
            change_path(j);
        break;
    case 6:
        if (sim_journey_has(j, SIM_WITHOUT_BAD_LINKS) && one_in(j, 3))
            go_dark(j);
        break;
    case 7:
        if (sim_journey_has(j, SIM_WITHOUT_RESTARTS) && one_in(j, 4))
            restart(j);
        break;
    default: break;
    }
}

void sim_journey_act(sim_journey_rig *j)
{
    for (int at = 0; at < 2; at++) {
        sim_journey_end *e = &j->end[at];
        if (!e->connected && pl_sctp_get_state(e->sctp) == PL_SCTP_CLOSED && one_in(j, 2))
            pl_sctp_connect(e->sctp, j->now_us);
        for (uint32_t n = below(j, 6); n > 0; n--)
            send_one(j, at);
        if (sim_journey_has(j, SIM_WITHOUT_PARTS)) {
            some_parts(j, at);
            if (one_in(j, 8))
                begin_parts(j, at);
        }
        wish(j, at);
    }
    sim_journey_run(j, j->now_us + below(j, one_in(j, 10) ? 5000000 : 200000));
}
