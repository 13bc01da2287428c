#include "pair.h"

#include "pl_test.h"

enum { PACKET_MAX = 65536 };

void pair_init(pair *p, const pl_sctp_conf *a, const pl_sctp_conf *b, const sim_net *net, uint64_t seed)
{
    static const sim_net quick = { .delay_us = 1000 };
    const pl_sctp_conf *conf[2] = { a, b };
    *p = (pair){ .now_us = PL_SEC(1), .check = true };
    for (int i = 0; i < 2; i++) {
        pl_sctp_conf c = conf[i] ? *conf[i] : (pl_sctp_conf){ 0 };
        c.rand = pl_rand_seed(&p->state[i], seed * 2 + (uint64_t)i);
        c.log_id = (uint32_t)i;
        PL_EQ(pl_sctp_new(&p->end[i], &c, p->now_us), PL_OK);
        p->link[i] = sim_link_new(net ? net : &quick, seed * 2 + 7 + (uint64_t)i);
    }
}

void pair_clear(pair *p)
{
    for (int i = 0; i < 2; i++) {
        pl_sctp_free(p->end[i]);
        sim_link_free(p->link[i]);
        sim_link_free(p->by_parts[i]);
    }
}

static void take_events(pair *p, int at)
{
    pl_sctp_event e;
    pl_sctp_msg m;
    while (p->on_message && pl_sctp_recv(p->end[at], &m)) {
        p->on_message(p, at, &m);
        pl_sctp_msg_free(&m);
    }
    while (pl_sctp_poll_event(p->end[at], &e)) {
        PL_EQ(p->closed[at], 0); /* nothing comes after the end */
        switch (e.kind) {
        case PL_SCTP_EVENT_CONNECTED: p->connected[at]++; break;
        case PL_SCTP_EVENT_RESTARTED: p->restarted[at]++; break;
        case PL_SCTP_EVENT_CLOSED:
            p->closed[at]++;
            p->last_closed[at] = e;
            break;
        case PL_SCTP_EVENT_RESET_IN:
            p->resets_in[at]++;
            p->last_reset_in[at] = e.sid;
            break;
        case PL_SCTP_EVENT_RESET_OUT:
            PL_EQ(e.error, PL_OK);
            p->resets_out[at]++;
            p->restarts_before[at] = p->restarted[at];
            break;
        case PL_SCTP_EVENT_BUFFERED_LOW: p->lows[at]++; break;
        case PL_SCTP_EVENT_WRITABLE: p->writables[at]++; break;
        case PL_SCTP_EVENT_STREAMS:
            p->streams_added[at]++;
            p->last_added[at] = e.error;
            break;
        }
    }
}

static void check(const pair *p, int at)
{
    if (p->check)
        pl_sctp_check(p->end[at]);
}

static sim_link *way_of(const pair *p, int at, size_t len)
{
    bool cut =
        p->by_parts[at] && pl_sctp_last_packet(p->end[at]) == PL_SCTP_PACKET_OVERSIZED && len >= p->cut_from;
    return cut ? p->by_parts[at] : p->link[at];
}

static uint8_t packet[PACKET_MAX];

static void arrive(pair *p, int at, sim_link *link)
{
    size_t len;
    while (sim_link_recv(link, p->now_us, NULL, packet, sizeof packet, &len)) {
        pl_sctp_input(p->end[at], p->now_us, packet, len);
        check(p, at);
    }
}

void pair_step(pair *p)
{
    size_t len;
    for (int i = 0; i < 2; i++) {
        arrive(p, i, p->link[1 - i]);
        if (p->by_parts[1 - i])
            arrive(p, i, p->by_parts[1 - i]);
        if (p->now_us >= pl_sctp_next_us(p->end[i]))
            pl_sctp_tick(p->end[i], p->now_us);
        take_events(p, i);
        while (pl_sctp_poll_output(p->end[i], p->now_us, packet, sizeof packet, &len)) {
            check(p, i);
            sim_link_send(way_of(p, i, len), p->now_us, NULL, packet, len);
        }
        check(p, i);
        take_events(p, i);
    }
}

int64_t pair_next_us(const pair *p)
{
    int64_t at_us = PL_NEVER;
    for (int i = 0; i < 2; i++) {
        at_us = pl_min_us(at_us, sim_link_next_us(p->link[i]));
        if (p->by_parts[i])
            at_us = pl_min_us(at_us, sim_link_next_us(p->by_parts[i]));
        at_us = pl_min_us(at_us, pl_sctp_next_us(p->end[i]));
    }
    return at_us;
}

void pair_run(pair *p, int64_t until_us)
{
    for (;;) {
        pair_step(p);
        int64_t next_us = pair_next_us(p);
        if (next_us > until_us)
            break;
        p->now_us = pl_max_us(
            next_us, p->now_us + (next_us <= p->now_us)); /* a deadline that stays must not stop time */
    }
    p->now_us = until_us;
}

void pair_connect(pair *p)
{
    for (int i = 0; i < 2; i++)
        pl_sctp_connect(p->end[i], p->now_us);
    for (int i = 0; i < 20000 && !(p->connected[0] && p->connected[1]); i++)
        pair_run(p, p->now_us + PL_MS(10));
    PL_EQ(p->connected[0], 1);
    PL_EQ(p->connected[1], 1);
}

void pair_shuttle(pair *p)
{
    size_t len;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < 2; i++) {
            while (pl_sctp_poll_output(p->end[i], p->now_us, packet, sizeof packet, &len)) {
                moved = true;
                pl_sctp_input(p->end[1 - i], p->now_us, packet, len);
                check(p, 1 - i);
            }
            take_events(p, i);
        }
    }
}
