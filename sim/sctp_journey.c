#include "sim/sctp_journey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"

enum { PACKET_MAX = 65536, STEPS_MAX = 4000000, PATIENCE_S = 6000, LITTLE = 40000 };

void sim_journey_fail(sim_journey_rig *j, int at, const char *what)
{
    if (!j->failed[0])
        snprintf(j->failed, sizeof j->failed, "seed %llu, end %d, %.3f s: %s",
                 (unsigned long long)j->conf->seed, at, (double)j->now_us * 1e-6, what);
}

bool sim_journey_has(const sim_journey_rig *j, unsigned feature)
{
    return !(j->conf->without & feature);
}

uint32_t sim_journey_below(sim_journey_rig *j, uint32_t below)
{
    return pl_rand_below(&j->rand, below);
}

void sim_journey_begin_end(sim_journey_rig *j, int at)
{
    if (pl_sctp_new(&j->end[at].sctp, &j->end[at].conf, j->now_us) != PL_OK)
        abort();
}

/* --- what comes out --- */

static bool take_messages(sim_journey_rig *j, int at)
{
    bool any = false;
    pl_sctp_msg m;
    sim_journey_end *peer = &j->end[1 - at];
    while (j->end[at].reading && pl_sctp_recv(j->end[at].sctp, &m)) {
        const char *wrong = sim_ledger_arrived(&peer->ledger, &m);
        if (wrong) {
            char text[100];
            snprintf(text, sizeof text, "message %u on %u: %s", m.ppid, m.sid, wrong);
            sim_journey_fail(j, at, text);
        }
        j->sum->pieces += m.continues;
        any = true;
        pl_sctp_msg_free(&m);
    }
    return any;
}

static int slot_of(const sim_journey_end *e, uint16_t sid)
{
    for (int i = 0; i < SIM_LEDGER_SLOTS; i++) {
        if (e->ledger.sid[i] == sid)
            return i;
    }
    return 0;
}

static void on_reset_out(sim_journey_rig *j, int at, const pl_sctp_event *ev)
{
    sim_journey_end *e = &j->end[at];
    int slot = slot_of(e, ev->sid);
    if (ev->error != PL_OK)
        sim_journey_fail(j, at, "a reset was refused");
    if (!e->resetting[slot])
        sim_journey_fail(j, at, "a reset has ended that nobody asked for");
    e->resetting[slot] = false;
    sim_ledger_reset_out(&e->ledger, ev->sid);
}

static void on_low(sim_journey_rig *j, int at, const pl_sctp_event *ev)
{
    sim_journey_end *e = &j->end[at];
    int slot = slot_of(e, ev->sid);
    if (!e->low_may[slot] && !j->restarted)
        sim_journey_fail(j, at, "buffered low, and was never high");
    e->low_owed[slot] = e->low_may[slot] = false;
    sim_journey_expect_low(e, (unsigned)slot); /* high again since */
}

/* The peer lost its memory: what was sent before need not arrive, and streams begin anew. */
static void on_restarted(sim_journey_rig *j, int at)
{
    sim_journey_end *e = &j->end[at];
    e->n_restarted++;
    sim_ledger_excuse(&e->ledger, true);
    sim_ledger_next_life(&j->end[1 - at].ledger);
    memset(e->low_owed, 0, sizeof e->low_owed);
    e->adding = false;
}

static void on_event(sim_journey_rig *j, int at, const pl_sctp_event *ev)
{
    sim_journey_end *e = &j->end[at];
    if (e->ended)
        sim_journey_fail(j, at, "an event after the end");
    switch (ev->kind) {
    case PL_SCTP_EVENT_CONNECTED: e->connected = true; break;
    case PL_SCTP_EVENT_RESTARTED: on_restarted(j, at); break;
    case PL_SCTP_EVENT_CLOSED:
        e->ended = true;
        e->closed = *ev;
        break;
    case PL_SCTP_EVENT_RESET_IN: {
        const char *wrong = sim_ledger_reset_in(&j->end[1 - at].ledger, ev->sid);
        if (wrong)
            sim_journey_fail(j, at, wrong);
        break;
    }
    case PL_SCTP_EVENT_RESET_OUT: on_reset_out(j, at, ev); break;
    case PL_SCTP_EVENT_BUFFERED_LOW: on_low(j, at, ev); break;
    case PL_SCTP_EVENT_WRITABLE:
        if (!e->writable_owed)
            sim_journey_fail(j, at, "writable, and never was full");
        e->writable_owed = false;
        break;
    case PL_SCTP_EVENT_STREAMS: e->adding = false; break;
    }
}

/* Events first: a message of the peer's next life comes behind the news of it, one of a stream's behind its reset. */
static void take(sim_journey_rig *j, int at)
{
    pl_sctp_event ev;
    do {
        while (pl_sctp_poll_event(j->end[at].sctp, &ev))
            on_event(j, at, &ev);
    } while (take_messages(j, at));
}

static void check(const sim_journey_rig *j, int at)
{
    if (j->conf->check)
        pl_sctp_check(j->end[at].sctp);
}

/* --- time --- */

static void step(sim_journey_rig *j)
{
    static uint8_t packet[PACKET_MAX];
    size_t len;
    for (int i = 0; i < 2; i++) {
        sim_journey_end *e = &j->end[i];
        while (sim_link_recv(j->end[1 - i].link, j->now_us, NULL, packet, sizeof packet, &len)) {
            pl_sctp_input(e->sctp, j->now_us, packet, len);
            check(j, i);
            take(j, i);
        }
        if (j->now_us >= pl_sctp_next_us(e->sctp))
            pl_sctp_tick(e->sctp, j->now_us);
        take(j, i);
        while (pl_sctp_poll_output(e->sctp, j->now_us, packet, sizeof packet, &len)) {
            check(j, i);
            j->sum->packets++;
            j->sum->no_checksum += pl_get32(packet + 8) == 0;
            sim_link_send(e->link, j->now_us, NULL, packet, len);
        }
        check(j, i);
        take(j, i);
    }
    if (++j->n_steps > STEPS_MAX)
        sim_journey_fail(j, 0, "never comes to rest");
}

static int64_t next_us(const sim_journey_rig *j)
{
    int64_t at_us = PL_NEVER;
    for (int i = 0; i < 2; i++) {
        at_us = pl_min_us(at_us, sim_link_next_us(j->end[i].link));
        at_us = pl_min_us(at_us, pl_sctp_next_us(j->end[i].sctp));
    }
    return at_us;
}

void sim_journey_run(sim_journey_rig *j, int64_t until_us)
{
    while (!j->failed[0]) {
        step(j);
        int64_t at_us = next_us(j);
        if (at_us > until_us)
            break;
        j->now_us =
            pl_max_us(at_us, j->now_us + (at_us <= j->now_us)); /* a deadline that stays must not stop time */
    }
    j->now_us = pl_max_us(j->now_us, until_us);
}

/* --- the end of the journey --- */

/* What has been promised and not come: a bit for each kind. */
static unsigned owed(const sim_journey_end *e)
{
    unsigned bits = (e->connected ? 0 : 1u) | (e->writable_owed ? 2u : 0) | (e->adding ? 4u : 0) |
                    (pl_sctp_peek(e->sctp) ? 8u : 0) | (pl_sctp_buffered_total(e->sctp) > 0 ? 64u : 0);
    for (int i = 0; i < SIM_LEDGER_SLOTS; i++)
        bits |= (e->resetting[i] ? 16u : 0) | (e->low_owed[i] ? 32u : 0);
    return bits;
}

static bool at_rest(sim_journey_rig *j)
{
    bool rest = true;
    for (int i = 0; i < 2; i++) {
        j->end[i].reading = true;
        pl_sctp_connect(j->end[i].sctp, j->now_us); /* one that was still waiting for the other */
        rest &= sim_journey_finish_parts(j, i);
        rest = rest && owed(&j->end[i]) == 0 && sim_ledger_missing(&j->end[i].ledger) == 0;
    }
    return rest;
}

static void say_stuck(sim_journey_rig *j, const char *when)
{
    char text[160];
    const sim_journey_end *a = &j->end[0], *b = &j->end[1];
    snprintf(text, sizeof text, "stuck %s: missing %u %u, buffered %zu %zu, owed %x %x, %s %s", when,
             sim_ledger_missing(&a->ledger), sim_ledger_missing(&b->ledger), pl_sctp_buffered_total(a->sctp),
             pl_sctp_buffered_total(b->sctp), owed(a), owed(b), pl_sctp_state_str(pl_sctp_get_state(a->sctp)),
             pl_sctp_state_str(pl_sctp_get_state(b->sctp)));
    sim_journey_fail(j, 0, text);
}

static void rest(sim_journey_rig *j)
{
    for (int i = 0; i < PATIENCE_S && !j->failed[0] && !at_rest(j); i++)
        sim_journey_run(j, j->now_us + PL_MS(i < 20 ? 100 : 1000));
    if (!j->failed[0] && !at_rest(j))
        say_stuck(j, "at the end");
}

static void account(sim_journey_rig *j, int at)
{
    pl_sctp_stats stats;
    const sim_journey_end *e = &j->end[at];
    const sim_ledger *l = &e->ledger;
    pl_sctp_get_stats(e->sctp, &stats);
    if (stats.send_buffered || stats.in_flight)
        sim_journey_fail(j, at, "bytes are still held for sending");
    if (stats.receive_buffered)
        sim_journey_fail(j, at, "received bytes are still held");
    if (stats.messages_abandoned + e->stats_abandoned < sim_ledger_lost(l))
        sim_journey_fail(j, at, "messages are gone and not counted as abandoned");
    if (!j->restarted && stats.messages_abandoned > l->n_partial)
        sim_journey_fail(j, at, "a reliable message was abandoned");
    if (!j->restarted && stats.messages_sent + stats.messages_abandoned != l->n)
        sim_journey_fail(j, at, "sent and abandoned are not all messages");
}

static void add_up(sim_journey_rig *j, int at)
{
    pl_sctp_stats stats;
    const sim_ledger *l = &j->end[at].ledger;
    pl_sctp_get_stats(j->end[at].sctp, &stats);
    j->sum->messages += l->n;
    for (uint32_t i = 0; i < l->n; i++)
        j->sum->bytes += l->m[i].len;
    j->sum->arrived += l->n_arrived;
    j->sum->partial += l->n_partial;
    j->sum->broken += l->n_broken;
    j->sum->abandoned += stats.messages_abandoned;
    j->sum->retransmitted += stats.chunks_retransmitted;
    j->sum->timeouts += stats.timeouts;
    j->sum->undone += stats.undone;
}

static void await_closed(sim_journey_rig *j)
{
    j->end[0].reading = j->end[1].reading = true; /* messages come before the end is told */
    for (int i = 0; i < PATIENCE_S && !j->failed[0] && !(j->end[0].ended && j->end[1].ended); i++)
        sim_journey_run(j, j->now_us + PL_SEC(1));
    if (!j->failed[0] && !(j->end[0].ended && j->end[1].ended))
        say_stuck(j, "closing");
}

/* An orderly end from one side or both. What was accepted before it still arrives. */
static void shut_down(sim_journey_rig *j, bool early)
{
    uint32_t who = sim_journey_below(j, 3);
    for (int i = 0; i < 2; i++) {
        if (who == 2 || who == (uint32_t)i)
            pl_sctp_shutdown(j->end[i].sctp, j->now_us);
    }
    j->sum->shutdowns++;
    await_closed(j);
    for (int i = 0; i < 2 && !j->failed[0]; i++) {
        if (early && sim_ledger_missing(&j->end[i].ledger) > 0)
            sim_journey_fail(j, i, "shut down before everything had arrived");
        if (j->end[i].closed.error != PL_OK)
            sim_journey_fail(j, i, j->end[i].closed.reason);
    }
}

/* Parts given, and so little queued on either side that it arrives before T5 (9.2) ends the shutdown. */
static bool little_left(sim_journey_rig *j)
{
    bool little = true;
    for (int i = 0; i < 2; i++) {
        j->end[i].reading = true;
        little &= sim_journey_finish_parts(j, i);
        little = little && pl_sctp_buffered_total(j->end[i].sctp) < LITTLE;
    }
    return little;
}

static bool both_up(const sim_journey_rig *j)
{
    bool up = true;
    for (int i = 0; i < 2; i++)
        up = up && j->end[i].connected && pl_sctp_get_state(j->end[i].sctp) == PL_SCTP_ESTABLISHED;
    return up;
}

static void abort_it(sim_journey_rig *j)
{
    int who = (int)sim_journey_below(j, 2);
    bool up = both_up(j);
    pl_sctp_abort(j->end[who].sctp, j->now_us, "the journey ends here");
    if (!up) /* an ABORT needs a tag to go to */
        pl_sctp_abort(j->end[1 - who].sctp, j->now_us, NULL);
    j->sum->aborts++;
    sim_net good = { .delay_us = 1000 };
    for (int i = 0; i < 2; i++) {
        sim_ledger_excuse(&j->end[i].ledger, false);
        sim_link_set(j->end[i].link, &good);
        sim_link_blackout(j->end[i].link, 0);
    }
    await_closed(j);
    if (!j->failed[0] && up && j->end[1 - who].closed.error != PL_EPROTO)
        sim_journey_fail(j, 1 - who, "an ABORT was not told as one");
}

/* Nothing may remain of an association that has ended. */
static void leave(sim_journey_rig *j)
{
    for (int i = 0; i < 2 && !j->failed[0]; i++) {
        pl_sctp_stats stats;
        pl_sctp_get_stats(j->end[i].sctp, &stats);
        if (pl_sctp_next_us(j->end[i].sctp) != PL_NEVER)
            sim_journey_fail(j, i, "a timer runs after the end");
        if (stats.send_buffered || stats.receive_buffered)
            sim_journey_fail(j, i, "bytes are held after the end");
        if (j->end[i].n_released != j->end[i].n_lent)
            sim_journey_fail(j, i, "lent bytes were not given back");
    }
}

static bool early_end(sim_journey_rig *j)
{
    for (int i = 0; i < PATIENCE_S && !j->failed[0] && !little_left(j); i++)
        sim_journey_run(j, j->now_us + PL_SEC(1));
    return both_up(j) && !j->restarted;
}

static void finish(sim_journey_rig *j)
{
    uint32_t how = sim_journey_below(j, 8);
    if (how == 0 && early_end(j)) {
        shut_down(j, true);
    } else if (how == 1) {
        abort_it(j);
    } else {
        rest(j);
        for (int i = 0; i < 2 && !j->failed[0]; i++)
            account(j, i);
        if (!j->failed[0])
            shut_down(j, false);
    }
    leave(j);
}

const char *sim_journey(const sim_journey_conf *conf, sim_journey_totals *sum)
{
    static sim_journey_rig rig;
    sim_journey_rig *j = &rig;
    *j = (sim_journey_rig){ .conf = conf, .now_us = PL_SEC(1), .sum = sum };
    j->rand = pl_rand_seed(&j->state, conf->seed);
    sim_journey_plan(j);
    for (int i = 0; i < 2; i++) {
        j->end[i].reading = true;
        sim_journey_begin_end(j, i);
    }
    for (uint32_t n = 5 + sim_journey_below(j, 25); n > 0 && !j->failed[0]; n--)
        sim_journey_act(j);
    if (!j->failed[0])
        finish(j);
    for (int i = 0; i < 2; i++) {
        add_up(j, i);
        pl_sctp_free(j->end[i].sctp);
        sim_link_free(j->end[i].link);
        sim_ledger_clear(&j->end[i].ledger);
    }
    sum->journeys++;
    sum->virtual_us += j->now_us;
    return j->failed[0] ? j->failed : NULL;
}
