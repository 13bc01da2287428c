/* From clients: rows are taken apart, ChannelData and Send indications go on to peers, the rest is requests. */
#include <string.h>

#include "relay/relay_internal.h"
#include "stun/stream.h"

static void drop(pl_relay *r, pl_relay_drop why)
{
    r->count.drop[why]++;
}

static void drop_data(pl_relay *r, relay_alloc *a, pl_relay_drop why)
{
    r->count.drop[why]++;
    r->count.data.dropped++;
    a->usage.dropped++;
}

/* Generic cell rate: full_ns is when all that has passed would have gone at the allowed rate. */
bool relay_bucket(const pl_relay *r, int64_t *full_ns, size_t len)
{
    if (!r->ns_per_byte16)
        return true;
    int64_t now_ns = r->now_us * 1000;
    int64_t full = pl_max_us(*full_ns, now_ns) + (int64_t)(len * r->ns_per_byte16 >> 16);
    if (full - now_ns > r->burst_ns)
        return false;
    *full_ns = full;
    return true;
}

static void count_up(pl_relay *r, relay_alloc *a, size_t len)
{
    a->usage.up_packets++;
    a->usage.up_bytes += len;
    r->count.data.up_packets++;
    r->count.data.up_bytes += len;
}

/* ---- data to peers ---- */

static void channel_data(pl_relay *r, relay_alloc *a, uint8_t tos, const uint8_t *data, size_t len)
{
    if (!a || a->pending) {
        drop(r, PL_RELAY_DROP_STRANGER);
        return;
    }
    uint16_t number = pl_get16(data);
    size_t body = pl_get16(data + 2);
    if (body > len - PL_STUN_CHANNEL_HEADER_LEN) {
        drop(r, PL_RELAY_DROP_MALFORMED);
        return;
    }
    relay_chan *c = relay_peers_number(&a->peers, number);
    if (!c || c->until_us <= r->now_us) {
        drop_data(r, a, PL_RELAY_DROP_NO_CHANNEL);
        return;
    }
    pl_relay_port *port = a->port[relay_side(c->peer.family)];
    if (!port || a->peers.perm[c->perm].until_us <= r->now_us) {
        drop_data(r, a, PL_RELAY_DROP_NO_PERMISSION);
        return;
    }
    if (!relay_bucket(r, &a->up_full_ns, body)) {
        drop_data(r, a, PL_RELAY_DROP_BANDWIDTH);
        return;
    }
    relay_to to = { .kind = PL_RELAY_TO_PEER, .each = 1, .tos = tos, .sock = port->sock, .remote = &c->peer };
    if (relay_send(r, &c->lane, &to, NULL, 0, data + PL_STUN_CHANNEL_HEADER_LEN, body, 0))
        count_up(r, a, body);
}

/* RFC 8656 11.2: whatever is wrong with it, it is dropped without a word. */
void relay_client_send(pl_relay *r, relay_alloc *a, const pl_stun_msg *m, uint8_t tos)
{
    pl_addr peer;
    pl_rd data;
    if (!a || a->pending) {
        drop(r, PL_RELAY_DROP_STRANGER);
        return;
    }
    if (a->tcp || m->n_unknown || pl_stun_get_xor_addr(m, PL_STUN_XOR_PEER_ADDRESS, &peer) || !peer.port ||
        !pl_stun_find(m, PL_STUN_DATA_ATTR, &data)) {
        drop(r, PL_RELAY_DROP_MALFORMED);
        return;
    }
    relay_perm *perm = relay_peers_perm(&a->peers, r->peers_seed, &peer);
    pl_relay_port *port = a->port[relay_side(peer.family)];
    if (!perm || perm->until_us <= r->now_us || !port ||
        (perm->own && !pl_relay_may_reach(r->policy, &peer))) {
        drop_data(r, a, PL_RELAY_DROP_NO_PERMISSION);
        return;
    }
    size_t len = pl_rd_left(&data);
    if (!relay_bucket(r, &a->up_full_ns, len)) {
        drop_data(r, a, PL_RELAY_DROP_BANDWIDTH);
        return;
    }
    relay_to to = { .kind = PL_RELAY_TO_PEER,
                    .each = 1,
                    .tos = tos,
                    .dont_fragment = pl_stun_has(m, PL_STUN_DONT_FRAGMENT),
                    .sock = port->sock,
                    .remote = &peer };
    if (relay_send(r, &perm->lane, &to, NULL, 0, data.p, len, 0))
        count_up(r, a, len);
}

/* ---- everything else ---- */

typedef struct relay_source {
    void *sock;
    pl_relay_conn *conn;
    const pl_path *path;
    uint8_t tos, at;
} relay_source;

static bool is_binding_request(const uint8_t *data, size_t len)
{
    return len >= PL_STUN_HEADER_LEN && data[0] == 0 && data[1] == PL_STUN_BINDING;
}

/* Answers to one stranger leave together, as a flow's data does. Whose lanes collide, theirs leave one by one. */
static relay_lane *answer_lane(pl_relay *r, const pl_addr *to)
{
    uint32_t ip;
    memcpy(&ip, to->family == PL_AF_IP4 ? to->ip : to->ip + 12, sizeof ip);
    return &r->answers[((ip ^ to->port) * 0x9e3779b1u) >> 26];
}
_Static_assert(RELAY_ANSWER_LANES == 1 << (32 - 26), "answer_lane gives six bits");

static void binding(pl_relay *r, const relay_source *src, const uint8_t *data, size_t len)
{
    uint8_t *out = relay_batch_bytes(r, PL_STUN_SERVE_MAX);
    if (!out) {
        drop(r, PL_RELAY_DROP_BUSY);
        return;
    }
    pl_stun_query q = { .pkt = data,
                        .len = len,
                        .source = &src->path->remote,
                        .at = src->at,
                        .dtls = src->conn && src->conn->transport == PL_RELAY_DTLS,
                        .stream = src->conn && src->conn->transport != PL_RELAY_DTLS };
    pl_stun_reply reply;
    size_t out_len = pl_stun_serve(r->binding, &r->count.binding, &q, out, PL_STUN_SERVE_MAX, &reply);
    r->n_bytes -= (uint32_t)(PL_STUN_SERVE_MAX - out_len);
    if (!out_len)
        return;
    relay_to to = { .kind = PL_RELAY_TO_CLIENT, .each = 1, .sock = src->sock, .conn = src->conn };
    if (!src->conn) {
        to.local = &src->path->local;
        to.remote = &reply.to;
    }
    relay_lane *lane = src->conn || reply.from != src->at ? NULL : answer_lane(r, &reply.to);
    uint16_t i = r->n_tx;
    if (relay_send(r, lane, &to, NULL, 0, out, out_len, 0) && r->n_tx > i) {
        r->tx[i].binding = true;
        r->tx[i].from = reply.from;
    }
}

/* Returns whether allocations may have come or gone. */
static bool message(pl_relay *r, const relay_source *src, relay_alloc *a, const uint8_t *data, size_t len)
{
    pl_stun_msg m;
    if (is_binding_request(data, len)) {
        binding(r, src, data, len);
        return false;
    }
    if (pl_stun_parse(&m, data, len) || pl_stun_check_fingerprint(&m) == PL_EPROTO) {
        drop(r, PL_RELAY_DROP_MALFORMED);
        return false;
    }
    relay_ask ask = { .sock = src->sock,
                      .conn = src->conn,
                      .path = src->path,
                      .alloc = a,
                      .m = &m,
                      .fingerprint = m.fingerprint_at != 0 };
    if (m.classic)
        drop(r, PL_RELAY_DROP_MALFORMED);
    else if (m.cls == PL_STUN_INDICATION && m.method == PL_STUN_SEND)
        relay_client_send(r, a, &m, src->tos);
    else if (m.cls == PL_STUN_REQUEST)
        relay_request(r, &ask);
    else if (m.cls != PL_STUN_INDICATION) /* indications to keep a NAT's mapping open are welcome */
        drop(r, PL_RELAY_DROP_MALFORMED);
    return m.cls == PL_STUN_REQUEST;
}

/* ---- rows ---- */

static bool is_channel_data(const uint8_t *data, size_t len)
{
    return len >= PL_STUN_CHANNEL_HEADER_LEN && (data[0] & 0xc0) == 0x40;
}

/* The allocation of a connection may come and go with each message, that of a 5-tuple too. */
static relay_alloc *look_up(pl_relay *r, const relay_source *src)
{
    return relay_alloc_standing(r, src->conn ? src->conn->alloc : relay_tuples_find(&r->tuples, src->path));
}

static relay_alloc *client_row(pl_relay *r, const relay_source *src, relay_alloc *a, const pl_relay_row *row,
                               size_t n)
{
    const uint8_t *p = row->data;
    size_t left = row->len, segment = n > 1 ? row->segment : row->len;
    for (size_t i = 0; i < n; i++) {
        size_t len = left < segment ? left : segment;
        if (is_channel_data(p, len)) {
            channel_data(r, a, src->tos, p, len);
        } else if (message(r, src, a, p, len)) {
            a = look_up(r, src);
        }
        p += len;
        left -= len;
    }
    return a;
}

size_t pl_relay_client_input(pl_relay *r, int64_t now_us, void *sock, const pl_relay_row *row, size_t n)
{
    relay_alloc *a = NULL;
    r->now_us = now_us;
    for (size_t i = 0; i < n; i++) {
        size_t count = relay_row_count(&row[i]);
        if (!relay_batch_room(r, count))
            return i;
        relay_source src = { .sock = sock, .path = row[i].path, .tos = row[i].tos, .at = row[i].at };
        if (!a || !relay_same_path(&a->client, row[i].path))
            a = look_up(r, &src);
        a = client_row(r, &src, a, &row[i], count);
    }
    return n;
}

size_t pl_relay_conn_input(pl_relay *r, int64_t now_us, pl_relay_conn *c, const pl_relay_row *row, size_t n)
{
    r->now_us = now_us;
    for (size_t i = 0; i < n; i++) {
        size_t count = relay_row_count(&row[i]);
        if (!relay_batch_room(r, count))
            return i;
        if (c->closing || c->link) { /* what comes behind a ConnectionBind is not ours */
            drop(r, PL_RELAY_DROP_STRANGER);
            continue;
        }
        relay_source src = { .sock = c->sock, .conn = c, .path = &c->path, .tos = row[i].tos };
        client_row(r, &src, look_up(r, &src), &row[i], count);
    }
    return n;
}

void pl_relay_replay(pl_relay *r, int64_t now_us, void *sock, pl_relay_conn *conn, const pl_path *path,
                     const uint8_t *data, size_t len)
{
    r->now_us = now_us;
    if (conn && (conn->closing || conn->link))
        return;
    relay_source src = { .sock = sock, .conn = conn, .path = conn ? &conn->path : path };
    r->in_replay = true;
    (void)message(r, &src, look_up(r, &src), data, len);
    r->in_replay = false;
}
