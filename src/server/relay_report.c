/* What an operator reads: a line an allocation, and figures for Prometheus. */
#include <inttypes.h>
#include <stdio.h>

#include "server/relay_worker.h"

/* ---- lines ---- */

static void add_json_text(pl_buf *b, const char *text)
{
    pl_buf_add(b, "\"", 1);
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            pl_buf_addf(b, "\\%c", c);
        else if (c < 0x20)
            pl_buf_addf(b, "\\u%04x", c);
        else
            pl_buf_add(b, p, 1);
    }
    pl_buf_add(b, "\"", 1);
}

static const char *const event_name[] = { "allocated", "moved", "ended" };

static const char *family_text(const pl_relay_event *e)
{
    bool v4 = e->relayed[0].family != PL_AF_NONE, v6 = e->relayed[1].family != PL_AF_NONE;
    return v4 && v6 ? "ip4+ip6" : v6 ? "ip6" : "ip4";
}

static void add_json(pl_buf *b, const pl_relay_event *e, int64_t now_us)
{
    char text[PL_ADDR_TEXT_MAX];
    pl_buf_addf(b,
                "{\"type\":\"%s\",\"id\":\"%016" PRIx64
                "\",\"transport\":\"%s\",\"relay\":\"%s\",\"family\":\"%s\",\"user\":",
                event_name[e->kind], e->id, pl_relay_transport_str(e->transport), e->tcp ? "tcp" : "udp",
                family_text(e));
    add_json_text(b, e->user);
    pl_buf_addf(b, ",\"client\":\"%s\"", pl_log_addr(&e->client.remote, text));
    for (int i = 0; i < 2; i++) {
        if (e->relayed[i].family != PL_AF_NONE)
            pl_buf_addf(b, ",\"relayed%s\":\"%s\"", i ? "6" : "4", pl_log_addr(&e->relayed[i], text));
    }
    if (e->kind == PL_RELAY_ENDED)
        pl_buf_addf(b,
                    ",\"why\":\"%s\",\"seconds\":%.1f,\"up_packets\":%" PRIu64 ",\"up_bytes\":%" PRIu64
                    ",\"down_packets\":%" PRIu64 ",\"down_bytes\":%" PRIu64 ",\"dropped\":%" PRIu64,
                    pl_relay_why_str(e->why), (double)(now_us - e->since_us) / 1e6, e->usage.up_packets,
                    e->usage.up_bytes, e->usage.down_packets, e->usage.down_bytes, e->usage.dropped);
    pl_buf_addf(b, "}");
}

static void add_text(pl_buf *b, const pl_relay_event *e, int64_t now_us)
{
    char client[PL_ADDR_TEXT_MAX], relayed[PL_ADDR_TEXT_MAX];
    const pl_addr *r = &e->relayed[e->relayed[0].family == PL_AF_NONE];
    pl_buf_addf(b, "allocation %016" PRIx64 " %s: user '%s', client %s by %s, relayed %s (%s, %s)", e->id,
                event_name[e->kind], e->user, pl_log_addr(&e->client.remote, client),
                pl_relay_transport_str(e->transport), pl_log_addr(r, relayed), family_text(e),
                e->tcp ? "tcp" : "udp");
    if (e->kind == PL_RELAY_ENDED)
        pl_buf_addf(b,
                    ", %s after %.1f s, up %" PRIu64 " packets %" PRIu64 " bytes, down %" PRIu64
                    " packets %" PRIu64 " bytes, %" PRIu64 " dropped",
                    pl_relay_why_str(e->why), (double)(now_us - e->since_us) / 1e6, e->usage.up_packets,
                    e->usage.up_bytes, e->usage.down_packets, e->usage.down_bytes, e->usage.dropped);
}

void rs_report_event(rs_worker *w, const pl_relay_event *e)
{
    pl_relay_server *s = w->server;
    if (!s->conf.line)
        return;
    pl_buf b = pl_buf_init(4096);
    int64_t now_us = rs_now_us(w);
    if (s->conf.json)
        add_json(&b, e, now_us);
    else
        add_text(&b, e, now_us);
    const char *line = pl_buf_z(&b);
    if (line) {
        pl_mutex_lock(&s->line_lock);
        s->conf.line(s->conf.user, line);
        pl_mutex_unlock(&s->line_lock);
    }
    pl_buf_clear(&b);
}

/* ---- figures ---- */

typedef struct sums {
    rs_worker *w;
    pl_relay_counters count;
    rs_figures own;
} sums;

static void read_worker(void *arg)
{
    sums *out = arg;
    rs_worker *w = out->w;
    out->count = *pl_relay_count(w->core);
    out->own = w->figures;
    for (size_t i = 0; i < w->n_listeners; i++) {
        const pl_udp_stats *st = w->listener[i].udp ? pl_udp_get_stats(w->listener[i].udp) : NULL;
        if (!st)
            continue;
        out->own.udp_dropped += st->n_dropped;
        out->own.udp_received += st->n_received;
        out->own.udp_sent += st->n_sent;
    }
}

/* All counters are uint64_t, so structures of them add up as arrays. */
static void add_up(void *to, const void *from, size_t size)
{
    uint64_t *a = to;
    const uint64_t *b = from;
    for (size_t i = 0; i < size / sizeof *a; i++)
        a[i] += b[i];
}
_Static_assert(sizeof(pl_relay_counters) % sizeof(uint64_t) == 0 &&
                   sizeof(rs_figures) % sizeof(uint64_t) == 0,
               "nothing but uint64_t in them");

static void sum_up(pl_relay_server *s, sums *out)
{
    *out = (sums){ 0 };
    for (unsigned i = 0; i < s->n_workers; i++) {
        sums one = { .w = s->worker[i] };
        if (pl_loop_call(one.w->loop, read_worker, &one) != PL_OK)
            continue;
        add_up(&out->count, &one.count, sizeof one.count);
        add_up(&out->own, &one.own, sizeof one.own);
    }
}

void pl_relay_server_count(pl_relay_server *s, pl_relay_counters *out)
{
    sums all;
    sum_up(s, &all);
    *out = all.count;
}

static void head(pl_buf *b, const char *name, const char *type, const char *help)
{
    pl_buf_addf(b, "# HELP peerline_relay_%s %s\n# TYPE peerline_relay_%s %s\n", name, help, name, type);
}

static void one(pl_buf *b, const char *name, const char *type, const char *help, uint64_t value)
{
    head(b, name, type, help);
    pl_buf_addf(b, "peerline_relay_%s %" PRIu64 "\n", name, value);
}

static void labelled(pl_buf *b, const char *name, const char *label, const char *is, uint64_t value)
{
    pl_buf_addf(b, "peerline_relay_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, is, value);
}

static void by_transport(pl_buf *b, const char *name, const char *type, const char *help,
                         const uint64_t *value)
{
    head(b, name, type, help);
    for (unsigned i = 0; i < PL_RELAY_TRANSPORTS; i++)
        labelled(b, name, "transport", pl_relay_transport_str(i), value[i]);
}

static void two_ways(pl_buf *b, const char *name, const char *help, uint64_t up, uint64_t down)
{
    head(b, name, "counter", help);
    labelled(b, name, "direction", "up", up);
    labelled(b, name, "direction", "down", down);
}

static void add_codes(pl_buf *b, const pl_relay_counters *c)
{
    head(b, "errors_total", "counter", "Error answers by code.");
    for (unsigned i = 0; i < PL_RELAY_CODES; i++) {
        char text[8] = "other";
        if (pl_relay_code(i))
            snprintf(text, sizeof text, "%u", pl_relay_code(i));
        else if (c->errors[i] == 0)
            continue;
        labelled(b, "errors_total", "code", text, c->errors[i]);
    }
}

static void add_core(pl_buf *b, const pl_relay_counters *c)
{
    by_transport(b, "allocations", "gauge", "Allocations now.", c->now);
    by_transport(b, "allocations_total", "counter", "Allocations made.", c->allocations);
    one(b, "tcp_allocations_total", "counter", "Allocations made that relay TCP.", c->tcp_allocations);
    one(b, "allocations_ended_total", "counter", "Allocations that ended.", c->ended);
    one(b, "permissions_total", "counter", "Permissions made.", c->permissions);
    one(b, "channels_total", "counter", "Channels bound.", c->channels);
    one(b, "refreshes_total", "counter", "Refresh requests granted.", c->refreshes);
    one(b, "connects_total", "counter", "TCP connections to peers that clients asked for.", c->connects);
    one(b, "moves_total", "counter", "Allocations whose client changed its address.", c->moved);
    one(b, "reservations_total", "counter", "Ports reserved with EVEN-PORT.", c->reservations);
    two_ways(b, "data_packets_total", "Datagrams relayed: up to peers, down to clients.", c->data.up_packets,
             c->data.down_packets);
    two_ways(b, "data_bytes_total", "Application bytes relayed.", c->data.up_bytes, c->data.down_bytes);
    two_ways(b, "data_batches_total", "Sends that carried them.", c->up_batches, c->down_batches);
    head(b, "drops_total", "counter", "Packets dropped, by reason.");
    for (unsigned i = 0; i < PL_RELAY_DROP_REASONS; i++)
        labelled(b, "drops_total", "reason", pl_relay_drop_str(i), c->drop[i]);
    one(b, "requests_total", "counter", "TURN requests.", c->requests);
    one(b, "challenges_total", "counter", "Answers that asked for credentials.", c->challenges);
    add_codes(b, c);
    one(b, "binding_requests_total", "counter", "STUN binding requests.", c->binding.requests);
    one(b, "binding_errors_total", "counter", "STUN binding requests answered with an error.",
        c->binding.errors);
}

static void add_own(pl_buf *b, const rs_figures *f)
{
    by_transport(b, "connections_total", "counter", "Clients' connections and DTLS sessions.", f->conns);
    one(b, "connections_refused_total", "counter", "Connections over max-connections.", f->conns_refused);
    one(b, "connections_idle_closed_total", "counter", "Connections closed for their silence.",
        f->idle_closed);
    one(b, "tls_failures_total", "counter", "TLS and DTLS sessions that failed.", f->tls_failures);
    one(b, "slow_dropped_total", "counter", "Datagrams not queued for clients that read too slowly.",
        f->slow_dropped);
    one(b, "slow_closed_total", "counter", "Connections closed because the client did not read.",
        f->slow_cut);
    one(b, "links_total", "counter", "TCP connections with peers.", f->links);
    one(b, "bind_failures_total", "counter", "Ports for relayed addresses that were taken.",
        f->bind_failures);
    one(b, "udp_dropped_total", "counter", "Datagrams to clients that the kernel refused.", f->udp_dropped);
}

void pl_relay_server_metrics(pl_relay_server *s, pl_buf *out)
{
    sums all;
    sum_up(s, &all);
    head(out, "info", "gauge", "Which version runs.");
    pl_buf_addf(out, "peerline_relay_info{version=\"%s\"} 1\n", PL_VERSION);
    one(out, "threads", "gauge", "Loops that serve clients.", s->n_workers);
    one(out, "draining", "gauge", "1 when no new allocation is taken.", s->draining);
    one(out, "reloads_total", "counter", "Reloads of the configuration.", s->n_reloads);
    head(out, "up_seconds", "gauge", "Time since the start.");
    pl_buf_addf(out, "peerline_relay_up_seconds %.1f\n",
                (double)(pl_loop_now_us(s->loop) - s->started_us) / 1e6);
    one(out, "connections", "gauge", "Clients' connections and DTLS sessions now.",
        (uint64_t)atomic_load(&s->n_conns));
    add_core(out, &all.count);
    add_own(out, &all.own);
}
