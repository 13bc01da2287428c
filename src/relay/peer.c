/* From peers: datagrams at a relayed address go to the client as ChannelData or in Data indications. */
#include "relay/relay_internal.h"
#include "stun/stream.h"

enum { DATA_HEADER_MAX = PL_STUN_HEADER_LEN + 4 + 20 + 4, UDP_LEN_MAX = 65507 };

static void drop(pl_relay *r, relay_alloc *a, pl_relay_drop why)
{
    r->count.drop[why]++;
    r->count.data.dropped++;
    a->usage.dropped++;
}

static void count_down(pl_relay *r, relay_alloc *a, size_t len)
{
    a->usage.down_packets++;
    a->usage.down_bytes += len;
    r->count.data.down_packets++;
    r->count.data.down_bytes += len;
}

/* Ids of indications are answered by nobody: they only have to differ. */
void relay_next_indication_id(pl_relay *r, uint8_t out[PL_STUN_ID_LEN])
{
    pl_put32(r->indication_id + 8, pl_get32(r->indication_id + 8) + 1);
    memcpy(out, r->indication_id, PL_STUN_ID_LEN);
}

/* Where a row goes: to the channel, or with permission alone in indications. */
typedef struct way {
    relay_to to;
    bool stream;
    uint16_t channel;
    const pl_addr *peer;
} way;

static bool is_stream(const relay_alloc *a)
{
    return a->conn && a->conn->transport != PL_RELAY_DTLS;
}

static bool find_way(pl_relay *r, const relay_alloc *a, const pl_addr *peer, uint8_t tos, way *out)
{
    const relay_chan *c = relay_peers_chan(&a->peers, r->peers_seed, peer);
    const relay_perm *perm = c ? &a->peers.perm[c->perm] : relay_peers_perm(&a->peers, r->peers_seed, peer);
    if (!perm || perm->until_us <= r->now_us)
        return false;
    out->to = relay_to_client(a, tos);
    out->stream = is_stream(a);
    out->channel = c && c->until_us > r->now_us ? c->number : 0;
    out->peer = peer;
    out->to.each = out->stream || !out->channel ? 3 : 2; /* header, data, and padding where it belongs */
    return true;
}

static bool send_channel(pl_relay *r, relay_alloc *a, const way *w, const uint8_t *data, size_t len)
{
    uint8_t head[PL_STUN_CHANNEL_HEADER_LEN];
    pl_stun_channel_put(head, w->channel, (uint16_t)len);
    return relay_send(r, &a->down, &w->to, head, sizeof head, data, len,
                      w->stream ? pl_stun_channel_pad(len) : 0);
}

/* A Data indication without the data itself, which is not copied: header, XOR-PEER-ADDRESS, and DATA's own header. */
static uint8_t *data_header(pl_relay *r, const pl_addr *peer, size_t len, size_t pad, size_t *head_len)
{
    uint8_t id[PL_STUN_ID_LEN], *out = relay_batch_bytes(r, DATA_HEADER_MAX);
    if (!out)
        return NULL;
    relay_next_indication_id(r, id);
    pl_stun_wr s = pl_stun_begin(out, DATA_HEADER_MAX, PL_STUN_INDICATION, PL_STUN_DATA, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, peer);
    pl_wr_u16(&s.w, PL_STUN_DATA_ATTR);
    pl_wr_u16(&s.w, (uint16_t)len);
    *head_len = pl_wr_len(&s.w);
    pl_wr_patch16(&s.w, 2, (uint16_t)(*head_len - PL_STUN_HEADER_LEN + len + pad));
    return pl_wr_ok(&s.w) ? out : NULL;
}

static bool send_indication(pl_relay *r, relay_alloc *a, const way *w, const uint8_t *data, size_t len)
{
    size_t pad = pl_stun_channel_pad(len), head_len = 0;
    uint8_t *head = data_header(r, w->peer, len, pad, &head_len);
    if (!head) {
        r->count.drop[PL_RELAY_DROP_BUSY]++;
        return false;
    }
    return relay_send(r, &a->down, &w->to, head, head_len, data, len, pad);
}

static void one(pl_relay *r, relay_alloc *a, const way *w, const uint8_t *data, size_t len)
{
    size_t over = w->channel ? PL_STUN_CHANNEL_HEADER_LEN : DATA_HEADER_MAX + 3;
    if (len + over > UDP_LEN_MAX) {
        drop(r, a, PL_RELAY_DROP_TOO_LONG);
    } else if (!relay_bucket(r, &a->down_full_ns, len)) {
        drop(r, a, PL_RELAY_DROP_BANDWIDTH);
    } else if (w->channel ? send_channel(r, a, w, data, len) : send_indication(r, a, w, data, len)) {
        count_down(r, a, len);
    }
}

static void peer_row(pl_relay *r, relay_alloc *a, const pl_relay_row *row, size_t n)
{
    way w;
    if (!find_way(r, a, &row->path->remote, row->tos, &w)) {
        r->count.drop[PL_RELAY_DROP_NO_PERMISSION] += n;
        r->count.data.dropped += n;
        a->usage.dropped += n;
        return;
    }
    const uint8_t *p = row->data;
    size_t left = row->len, segment = n > 1 ? row->segment : row->len;
    for (size_t i = 0; i < n; i++) {
        size_t len = left < segment ? left : segment;
        one(r, a, &w, p, len);
        p += len;
        left -= len;
    }
}

/* Somebody is there to take data: a client between two connections (RFC 8016) is not. */
static bool has_client(const relay_alloc *a)
{
    return !a->pending && !a->tcp && (a->conn || a->tabled);
}

size_t pl_relay_peer_input(pl_relay *r, int64_t now_us, pl_relay_port *port, const pl_relay_row *row,
                           size_t n)
{
    r->now_us = now_us;
    relay_alloc *a = relay_alloc_standing(r, port->owner);
    for (size_t i = 0; i < n; i++) {
        size_t count = relay_row_count(&row[i]);
        if (!relay_batch_room(r, count))
            return i;
        if (a && has_client(a))
            peer_row(r, a, &row[i], count);
        else
            r->count.drop[PL_RELAY_DROP_STRANGER] += count;
    }
    return n;
}

/* ---- ICMP ---- */

/* RFC 8656 11.5: destination unreachable and time exceeded; over IPv6 packet too big as well. */
static bool worth_telling(const pl_addr *peer, const pl_stun_icmp *icmp)
{
    if (peer->family == PL_AF_IP4)
        return icmp->type == 3 || icmp->type == 11;
    return icmp->type >= 1 && icmp->type <= 3;
}

void pl_relay_peer_error(pl_relay *r, int64_t now_us, pl_relay_port *port, const pl_addr *peer,
                         const pl_stun_icmp *icmp)
{
    enum { ICMP_MAX = PL_STUN_HEADER_LEN + 24 + 12 };
    relay_alloc *a = port->owner;
    way w;
    r->now_us = now_us;
    if (!a || !has_client(a) || !worth_telling(peer, icmp) || !relay_batch_room(r, 1) ||
        !find_way(r, a, peer, 0, &w))
        return;
    uint8_t id[PL_STUN_ID_LEN], *out = relay_batch_bytes(r, ICMP_MAX);
    if (!out)
        return;
    relay_next_indication_id(r, id);
    pl_stun_wr s = pl_stun_begin(out, ICMP_MAX, PL_STUN_INDICATION, PL_STUN_DATA, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, peer);
    pl_stun_put_icmp(&s, icmp);
    size_t len = pl_stun_end(&s);
    if (len)
        (void)relay_send_bytes(r, a->sock, a->conn, &a->client, out, len);
}
