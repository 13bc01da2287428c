/* data.c - relaying of ChannelData: a few allocations with many packets each in flight, between clients and
 * peers that this program plays both. What is in flight is known, so nothing is sent that must be dropped, and
 * what is lost is seen. */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "fleet.h"
#include "modes.h"
#include "rows.h"

enum {
    HEADER = 4,        /* of ChannelData (RFC 8656 12.4) */
    STAMP = 20,        /* of a payload: which flow, which packet, sent when */
    DELAY_MAX = 20000, /* longer ones count as that */
    STALL_US = 100000, /* nothing came back for so long: what is in flight is lost */
    BURST_MAX = 48,
    EVENTS = 64,
    SIZE_MAX_BYTES = 1300
};

typedef struct flow {
    load_client *client;
    int peer;
    uint32_t id;
    uint64_t n_sent, n_back; /* datagrams; back: those that reached the last receiver */
    uint64_t n_lost;
    uint64_t next[2]; /* the number that should come at the peer and at the client, or a later one */
    unsigned in_flight;
    int64_t heard_us;
} flow;

typedef struct run {
    const data_order *order;
    load_fleet fleet;
    flow *flow;
    load_rows *rows;
    int epoll;
    bool bursts;
    uint64_t n_relayed; /* by the server, counted where they arrive */
    uint64_t n_bad;
    int64_t began_us, now_us;
    uint64_t n_paced;              /* sent at the pace that was asked for */
    uint32_t delay[DELAY_MAX + 1]; /* datagrams by microseconds under way */
    pl_rand_seeded seed;
    pl_rand rand;
    uint8_t packet[BURST_MAX * (HEADER + SIZE_MAX_BYTES)];
} run;

/* --- sending --- */

static void stamp(const run *r, uint8_t *payload, const flow *f, uint64_t number)
{
    pl_put32(payload, f->id);
    number = htobe64(number);
    memcpy(payload + 4, &number, sizeof number);
    memcpy(payload + 12, &r->now_us, sizeof r->now_us);
}

static size_t write_channel_data(const run *r, const flow *f, uint8_t *out, uint64_t number)
{
    pl_put16(out, f->client->channel);
    pl_put16(out + 2, (uint16_t)r->order->size);
    stamp(r, out + HEADER, f, number);
    return HEADER + r->order->size;
}

static void send_some(run *r, flow *f, unsigned n)
{
    bool down = r->order->direction == DATA_DOWN;
    size_t each = 0;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *at = r->packet + i * each;
        if (down) {
            stamp(r, at, f, f->n_sent + i);
            each = r->order->size;
        } else {
            each = write_channel_data(r, f, at, f->n_sent + i);
        }
    }
    size_t sent = load_send(down ? f->peer : f->client->fd, r->packet, n * each, each, r->bursts);
    f->n_sent += n;
    f->in_flight += (unsigned)sent;
    f->n_lost += n - sent;
}

/* One packet of each flow in turn, so that neighbours on the wire belong to different allocations; bursts are
 * of one flow, as they leave an encoder. */
static void send_all(run *r)
{
    const data_order *o = r->order;
    if (o->per_s > 0) {
        uint64_t due = (uint64_t)(r->now_us - r->began_us) * o->per_s / 1000000;
        for (; r->n_paced < due; r->n_paced++)
            send_some(r, &r->flow[r->n_paced % o->allocations], 1);
        return;
    }
    if (r->bursts) {
        for (size_t i = 0; i < o->allocations; i++)
            while (r->flow[i].in_flight < o->in_flight)
                send_some(r, &r->flow[i],
                          o->burst_min + pl_rand_below(&r->rand, o->burst_max - o->burst_min + 1));
        return;
    }
    for (bool any = true; any;) {
        any = false;
        for (size_t i = 0; i < o->allocations; i++)
            if (r->flow[i].in_flight < o->in_flight) {
                send_some(r, &r->flow[i], 1);
                any = true;
            }
    }
}

/* --- receiving --- */

enum { AT_PEER, AT_CLIENT };

/* Whether the stamp says this flow and a packet that was sent, and none before it comes after it. */
static bool is_right(flow *f, int end, const uint8_t *payload)
{
    uint64_t number;
    memcpy(&number, payload + 4, sizeof number);
    number = be64toh(number);
    if (pl_get32(payload) != f->id || number >= f->n_sent || number < f->next[end])
        return false;
    f->next[end] = number + 1;
    return true;
}

static void arrived(run *r, flow *f, const load_row *row, size_t header)
{
    size_t want = header + r->order->size, n = load_row_count(row);
    int end = header > 0 ? AT_CLIENT : AT_PEER;
    for (size_t at = 0; at < row->len; at += want)
        r->n_bad += row->len - at < want || !is_right(f, end, row->data + at + header);
    r->n_bad += row->segment != want;
    r->n_relayed += n;
}

/* At the last receiver. */
static void is_back(run *r, flow *f, const load_row *row, size_t header, int64_t now_us)
{
    size_t n = load_row_count(row);
    int64_t sent_us;
    memcpy(&sent_us, row->data + header + 12, sizeof sent_us);
    int64_t delay_us = now_us - sent_us;
    r->delay[delay_us < 0 ? 0 : delay_us > DELAY_MAX ? DELAY_MAX : delay_us] += (uint32_t)n;
    f->n_back += n;
    f->in_flight -= n < f->in_flight ? (unsigned)n : f->in_flight;
    f->heard_us = now_us;
}

static void at_peer(run *r, flow *f, const load_row *row, int64_t now_us)
{
    arrived(r, f, row, 0);
    if (r->order->direction == DATA_UP)
        is_back(r, f, row, 0, now_us);
    else if (r->order->direction == DATA_ECHO)
        load_send(f->peer, row->data, row->len, row->segment, r->bursts);
}

static void at_client(run *r, flow *f, const load_row *row, int64_t now_us)
{
    if (row->len < HEADER || pl_get16(row->data) != f->client->channel)
        return; /* a late answer to a request */
    arrived(r, f, row, HEADER);
    is_back(r, f, row, HEADER, now_us);
}

static void receive(run *r, int timeout_ms)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(r->epoll, event, EVENTS, timeout_ms);
    int64_t now_us = load_now_us();
    for (int i = 0; i < n; i++) {
        flow *f = &r->flow[event[i].data.u64 / 2];
        bool is_peer = event[i].data.u64 % 2;
        for (size_t rows = ROWS_SLOTS; load_rows_full(rows);) {
            rows = load_rows_recv(r->rows, is_peer ? f->peer : f->client->fd);
            for (size_t k = 0; k < rows; k++)
                (is_peer ? at_peer : at_client)(r, f, &r->rows->row[k], now_us);
        }
    }
}

static int64_t delay_of(const run *r, double share)
{
    uint64_t all = 0, sum = 0;
    for (size_t i = 0; i <= DELAY_MAX; i++)
        all += r->delay[i];
    for (int64_t i = 0; i <= DELAY_MAX; i++)
        if ((double)(sum += r->delay[i]) >= share * (double)all)
            return i;
    return DELAY_MAX;
}

static void forget_lost(run *r)
{
    int64_t now_us = load_now_us();
    for (size_t i = 0; i < r->order->allocations; i++) {
        flow *f = &r->flow[i];
        if (f->in_flight > 0 && now_us - f->heard_us > STALL_US) {
            f->n_lost += f->in_flight;
            f->in_flight = 0;
            f->heard_us = now_us;
        }
    }
}

/* --- a run --- */

static void open_flows(run *r)
{
    const data_order *o = r->order;
    load_fleet_open(&r->fleet, o->server, o->allocations, r->bursts);
    load_fleet_must(&r->fleet, &(load_order){ .method = PL_STUN_ALLOCATE, .n = o->allocations, .window = 8 },
                    "Allocate");
    r->flow = calloc(o->allocations, sizeof *r->flow);
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!r->flow || r->epoll < 0)
        load_die("no memory");
    for (size_t i = 0; i < o->allocations; i++) {
        flow *f = &r->flow[i];
        struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        *f = (flow){ .client = &r->fleet.client[i], .id = pl_rand_u32(&r->rand), .heard_us = load_now_us() };
        struct sockaddr_in relayed = load_sockaddr(&f->client->relayed);
        f->peer = load_socket(&any, &relayed, r->bursts);
        f->client->peer = load_bound(f->peer);
        load_epoll_add(r->epoll, f->client->fd, i * 2);
        load_epoll_add(r->epoll, f->peer, i * 2 + 1);
    }
    load_fleet_must(&r->fleet,
                    &(load_order){ .method = PL_STUN_CHANNEL_BIND, .n = o->allocations, .window = 8 },
                    "ChannelBind");
}

static void close_flows(run *r)
{
    load_fleet_must(&r->fleet,
                    &(load_order){ .method = PL_STUN_REFRESH, .n = r->order->allocations, .window = 8 },
                    "Refresh");
    for (size_t i = 0; i < r->order->allocations; i++)
        close(r->flow[i].peer);
    close(r->epoll);
    free(r->flow);
    free(r->rows);
    load_fleet_close(&r->fleet);
}

static void spin(run *r, int64_t until_us)
{
    r->began_us = load_now_us();
    r->n_paced = 0;
    while ((r->now_us = load_now_us()) < until_us) {
        send_all(r);
        receive(r, r->order->per_s > 0 ? 0 : 20); /* at a pace: never asleep, for the delays' sake */
        forget_lost(r);
    }
}

void data_run(const data_order *order)
{
    run *r = calloc(1, sizeof *r);
    if (!r || order->size < STAMP || order->size > SIZE_MAX_BYTES || order->burst_max > BURST_MAX)
        load_die("data: a size from %d to %d, bursts up to %d", STAMP, SIZE_MAX_BYTES, BURST_MAX);
    r->order = order;
    r->bursts = order->burst_max > 1;
    r->rand = pl_rand_seed(&r->seed, 1);
    r->rows = load_rows_new();
    open_flows(r);
    spin(r, load_now_us() + 200000); /* warm */
    memset(r->delay, 0, sizeof r->delay);
    uint64_t relayed = r->n_relayed, lost = 0;
    int64_t own_us = load_own_cpu_us();
    load_usage before = load_measure(order->server);
    spin(r, before.at_us + order->span_us);
    double cpu_us = load_cpu_us_since(order->server, &before);
    double wall_us = (double)(load_now_us() - before.at_us);
    own_us = load_own_cpu_us() - own_us;
    relayed = r->n_relayed - relayed;
    for (int64_t until_us = load_now_us() + STALL_US; load_now_us() < until_us;)
        receive(r, 10); /* what is under way */
    for (size_t i = 0; i < order->allocations; i++)
        lost += r->flow[i].n_sent -
                (r->flow[i].n_back < r->flow[i].n_sent ? r->flow[i].n_back : r->flow[i].n_sent);
    printf("{\"bench\":\"relay-data\",\"direction\":\"%s\",\"bytes\":%u,\"bursts\":%s,\"relayed_per_s\":%.0f,"
           "\"mbit_per_s\":%.0f,\"cpu_us\":%.3f,\"load_cpu_us\":%.3f,\"relayed\":%llu,\"lost\":%llu,"
           "\"wrong\":%llu,\"delay_us\":[%lld,%lld]}\n",
           (const char *[]){ "up", "down", "echo" }[order->direction], order->size,
           r->bursts ? "true" : "false", (double)relayed / wall_us * 1e6,
           (double)relayed * order->size * 8 / wall_us, relayed ? cpu_us / (double)relayed : 0,
           relayed ? (double)own_us / (double)relayed : 0, (unsigned long long)relayed,
           (unsigned long long)lost, (unsigned long long)r->n_bad, (long long)delay_of(r, 0.5),
           (long long)delay_of(r, 0.99));
    close_flows(r);
    if (r->n_bad > 0)
        load_die("%llu datagrams came out other than they went in", (unsigned long long)r->n_bad);
    free(r);
}
