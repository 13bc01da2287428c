#include "sim/sctp_flows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"

enum {
    MESSAGE = 65536,
    PACKET_MAX = PL_SCTP_MTU_DEFAULT + SIM_FLOW_OVERHEAD,
    PAYLOAD = PL_SCTP_MTU_DEFAULT - 28, /* of a full packet: common header 12, DATA header 16 */
    QUEUE_LEAST = 16 * PACKET_MAX
};

/* The plainest CUBIC sender: packets are numbered by sending, the path keeps their order, so what an acknowledgement
 * passes over is lost. */
typedef struct tcp_flow {
    sim_link *acks;
    uint64_t first, next, recovery; /* oldest unacknowledged, next to be sent; no second reduction before */
    double cwnd, ssthresh, w_max, k_s, w_est; /* packets */
    int64_t epoch_us, last_us;
    uint64_t n_arrived;
} tcp_flow;

typedef struct flow {
    pl_sctp *from, *to;
    sim_link *back;
    pl_rand_seeded state[2];
    int64_t begins_us;
    bool begun, full;
    uint64_t bytes;
} flow;

typedef struct world {
    const sim_flows_conf *conf;
    int64_t now_us;
    sim_link *link;
    flow flow[SIM_FLOWS_MAX];
    tcp_flow tcp;
    int64_t waited_us; /* packets of SCTP at the bottleneck, all together */
    uint64_t n_waited;
    uint8_t packet[PACKET_MAX];
} world;

/* --- TCP --- */

static void tcp_send(world *w)
{
    tcp_flow *t = &w->tcp;
    memset(w->packet, 0, sizeof w->packet);
    while ((double)(t->next - t->first) < t->cwnd) {
        w->packet[0] = SIM_FLOWS_MAX;
        memcpy(w->packet + 1, &t->next, sizeof t->next);
        sim_link_send(w->link, w->now_us, NULL, w->packet, PACKET_MAX);
        t->next++;
    }
}

static void tcp_lost(tcp_flow *t)
{
    t->w_max = t->cwnd < t->w_max ? t->cwnd * 0.85 : t->cwnd;
    t->cwnd = t->ssthresh = t->cwnd * 0.7 > 2 ? t->cwnd * 0.7 : 2;
    t->epoch_us = 0;
    t->recovery = t->next;
}

static void tcp_grow(tcp_flow *t, int64_t now_us, int64_t rtt_us)
{
    if (t->cwnd < t->ssthresh) {
        t->cwnd += 1;
        return;
    }
    if (t->epoch_us == 0) {
        t->epoch_us = now_us;
        t->w_max = t->w_max > t->cwnd ? t->w_max : t->cwnd;
        t->k_s = cbrt((t->w_max - t->cwnd) / 0.4);
        t->w_est = t->cwnd;
    }
    double at_s = (double)(now_us - t->epoch_us + rtt_us) * 1e-6 - t->k_s;
    double target = 0.4 * at_s * at_s * at_s + t->w_max;
    t->w_est += (t->w_est < t->w_max ? 0.53 : 1) / t->cwnd;
    if (target < t->w_est)
        target = t->w_est;
    if (target > 1.5 * t->cwnd)
        target = 1.5 * t->cwnd;
    if (target > t->cwnd)
        t->cwnd += (target - t->cwnd) / t->cwnd;
}

static void tcp_acked(world *w, uint64_t number)
{
    tcp_flow *t = &w->tcp;
    if (number < t->first)
        return;
    if (number > t->first && t->first >= t->recovery)
        tcp_lost(t);
    else if (number >= t->recovery)
        tcp_grow(t, w->now_us, w->conf->rtt_us);
    t->first = number + 1;
    t->last_us = w->now_us;
}

static void tcp_step(world *w)
{
    size_t len;
    uint64_t number;
    while (sim_link_recv(w->tcp.acks, w->now_us, NULL, &number, sizeof number, &len))
        tcp_acked(w, number);
    if (w->now_us - w->tcp.last_us > PL_SEC(1)) { /* all of a window was lost */
        w->tcp.first = w->tcp.next;
        w->tcp.cwnd = 1;
        w->tcp.last_us = w->now_us;
    }
    tcp_send(w);
}

/* --- SCTP --- */

static void make_flow(world *w, unsigned i)
{
    flow *f = &w->flow[i];
    sim_net back = w->conf->rough;
    back.rate_bps = 0;
    back.delay_us = w->conf->rtt_us / 2;
    f->back = sim_link_new(&back, w->conf->seed + i);
    f->begins_us = w->now_us + (int64_t)i * w->conf->apart_us;
    for (int e = 0; e < 2; e++) {
        pl_sctp_conf c = { .congestion = i > 0 && w->conf->others ? w->conf->others : w->conf->congestion,
                           .recv_buffer = w->conf->recv_buffer,
                           .recv_buffer_max = w->conf->recv_buffer_max,
                           .send_buffer_max = w->conf->send_buffer,
                           .log_id = 2 * i + (unsigned)e };
        c.rand = pl_rand_seed(&f->state[e], w->conf->seed * 16 + 2 * i + (unsigned)e);
        if (pl_sctp_new(e ? &f->to : &f->from, &c, w->now_us) != PL_OK)
            abort();
    }
}

static void take_messages(flow *f)
{
    pl_sctp_msg m;
    pl_sctp_event e;
    while (pl_sctp_recv(f->to, &m)) {
        f->bytes += m.len;
        pl_sctp_msg_free(&m);
    }
    while (pl_sctp_poll_event(f->to, &e))
        ;
    while (pl_sctp_poll_event(f->from, &e))
        f->full = f->full && e.kind != PL_SCTP_EVENT_WRITABLE;
}

static void step_flow(world *w, unsigned i)
{
    static const uint8_t message[MESSAGE];
    flow *f = &w->flow[i];
    size_t len;
    if (w->now_us < f->begins_us)
        return;
    if (!f->begun)
        pl_sctp_connect(f->from, w->now_us);
    f->begun = true;
    while (sim_link_recv(f->back, w->now_us, NULL, w->packet, sizeof w->packet, &len))
        pl_sctp_input(f->from, w->now_us, w->packet, len);
    if (w->now_us >= pl_sctp_next_us(f->from))
        pl_sctp_tick(f->from, w->now_us);
    if (w->now_us >= pl_sctp_next_us(f->to))
        pl_sctp_tick(f->to, w->now_us);
    take_messages(f);
    while (!f->full && pl_sctp_get_state(f->from) == PL_SCTP_ESTABLISHED)
        f->full = pl_sctp_send(f->from, w->now_us, 0, 53, message, sizeof message, NULL) != PL_OK;
    while (pl_sctp_poll_output(f->to, w->now_us, w->packet, sizeof w->packet, &len))
        sim_link_send(f->back, w->now_us, NULL, w->packet, len);
    memset(w->packet, 0, SIM_FLOW_OVERHEAD);
    w->packet[0] = (uint8_t)i;
    memcpy(w->packet + 1, &w->now_us, sizeof w->now_us);
    while (pl_sctp_poll_output(f->from, w->now_us, w->packet + SIM_FLOW_OVERHEAD, PL_SCTP_MTU_DEFAULT, &len))
        sim_link_send(w->link, w->now_us, NULL, w->packet, len + SIM_FLOW_OVERHEAD);
}

/* --- the world --- */

static void arrive(world *w)
{
    size_t len;
    while (sim_link_recv(w->link, w->now_us, NULL, w->packet, sizeof w->packet, &len)) {
        unsigned i = w->packet[0];
        if (i == SIM_FLOWS_MAX) {
            sim_link_send(w->tcp.acks, w->now_us, NULL, w->packet + 1, sizeof(uint64_t));
            w->tcp.n_arrived++;
        } else {
            int64_t sent_us;
            memcpy(&sent_us, w->packet + 1, sizeof sent_us);
            w->waited_us += w->now_us - sent_us - (w->conf->rtt_us - w->conf->rtt_us / 2);
            w->n_waited++;
            pl_sctp_input(w->flow[i].to, w->now_us, w->packet + SIM_FLOW_OVERHEAD, len - SIM_FLOW_OVERHEAD);
        }
    }
}

static int64_t next_us(const world *w)
{
    int64_t at_us = sim_link_next_us(w->link);
    for (unsigned i = 0; i < w->conf->n; i++) {
        const flow *f = &w->flow[i];
        at_us = pl_min_us(at_us, sim_link_next_us(f->back));
        at_us = pl_min_us(at_us, f->begun ? pl_sctp_next_us(f->from) : f->begins_us);
        at_us = pl_min_us(at_us, pl_sctp_next_us(f->to));
    }
    if (w->conf->tcp)
        at_us = pl_min_us(at_us, pl_min_us(sim_link_next_us(w->tcp.acks), w->tcp.last_us + PL_SEC(1) + 1));
    return at_us;
}

static void run_until(world *w, int64_t until_us)
{
    while (w->now_us < until_us) {
        arrive(w);
        for (unsigned i = 0; i < w->conf->n; i++)
            step_flow(w, i);
        if (w->conf->tcp)
            tcp_step(w);
        w->now_us = pl_min_us(until_us, pl_max_us(next_us(w), w->now_us + 1));
    }
}

static void sum_up(sim_flows *out, const world *w, const uint64_t *before)
{
    double seconds = (double)(w->conf->for_us - w->conf->from_us) * 1e-6, sum = 0, squares = 0;
    unsigned n = w->conf->n + w->conf->tcp;
    for (unsigned i = 0; i < n; i++) {
        bool is_tcp = i == w->conf->n;
        uint64_t bytes = is_tcp ? w->tcp.n_arrived * PAYLOAD : w->flow[i].bytes;
        double bps = (double)(bytes - before[i]) * 8 / seconds;
        out->goodput_bps[is_tcp ? SIM_FLOWS_MAX : i] = bps;
        sum += bps;
        squares += bps * bps;
        if (is_tcp)
            continue;
        pl_sctp_get_stats(w->flow[i].from, &out->stats[i]);
        pl_sctp_get_stats(w->flow[i].to, &out->receiver[i]);
    }
    out->utilisation = sum / (double)w->conf->rate_bps * PACKET_MAX / PAYLOAD;
    out->jain = squares > 0 ? sum * sum / (n * squares) : 0;
    out->queue_us = w->n_waited > 0 ? w->waited_us / (int64_t)w->n_waited : 0;
    out->n_dropped = sim_link_get_stats(w->link)->n_dropped;
}

void sim_flows_run(sim_flows *out, const sim_flows_conf *conf)
{
    world *w = calloc(1, sizeof *w);
    uint64_t before[SIM_FLOWS_MAX + 1] = { 0 };
    size_t bdp = (size_t)(conf->rate_bps / 8000 * conf->rtt_us / 1000);
    sim_net net = conf->rough;
    if (!w)
        abort();
    net.rate_bps = conf->rate_bps;
    net.delay_us = conf->rtt_us - conf->rtt_us / 2;
    net.loss = conf->loss;
    net.queue_bytes = conf->queue ? conf->queue : bdp > QUEUE_LEAST ? bdp : QUEUE_LEAST;
    *out = (sim_flows){ 0 };
    w->conf = conf;
    w->now_us = PL_SEC(1);
    w->link = sim_link_new(&net, conf->seed);
    for (unsigned i = 0; i < conf->n; i++)
        make_flow(w, i);
    sim_net back = { .delay_us = conf->rtt_us / 2 };
    w->tcp = (tcp_flow){ .acks = sim_link_new(&back, 1), .cwnd = 10, .ssthresh = 1e9, .last_us = w->now_us };
    int64_t begin_us = w->now_us;
    run_until(w, begin_us + conf->from_us);
    for (unsigned i = 0; i < conf->n; i++)
        before[i] = w->flow[i].bytes;
    before[conf->n] = w->tcp.n_arrived * PAYLOAD;
    w->waited_us = 0;
    w->n_waited = 0;
    run_until(w, begin_us + conf->for_us);
    sum_up(out, w, before);
    for (unsigned i = 0; i < conf->n; i++) {
        pl_sctp_free(w->flow[i].from);
        pl_sctp_free(w->flow[i].to);
        sim_link_free(w->flow[i].back);
    }
    sim_link_free(w->tcp.acks);
    sim_link_free(w->link);
    free(w);
}
