/* Outputs of a batch: datagrams are chained to the output ("tx") of their destination and size as they come, and laid
 * out as slices when the driver asks. */
#include "relay/relay_internal.h"

#include <assert.h>

bool relay_batch_room(const pl_relay *r, size_t n_datagrams)
{
    return r->n_dgrams + n_datagrams <= RELAY_DGRAMS_MAX && r->n_tx + n_datagrams <= RELAY_TX_MAX &&
           r->n_bytes + RELAY_BYTES_MAX / 4 <= RELAY_BYTES_MAX;
}

size_t relay_row_count(const pl_relay_row *row)
{
    if (!row->segment || row->segment >= row->len)
        return 1;
    size_t n = (row->len + row->segment - 1) / row->segment;
    return n < PL_RELAY_ROW_MAX ? n : PL_RELAY_ROW_MAX; /* the kernel never makes longer ones */
}

uint8_t *relay_batch_bytes(pl_relay *r, size_t n)
{
    if (n > RELAY_BYTES_MAX - r->n_bytes)
        return NULL;
    uint8_t *at = r->bytes + r->n_bytes;
    r->n_bytes += (uint32_t)n;
    return at;
}

static bool same_place(const relay_tx *tx, const relay_to *to)
{
    return tx->sock == to->sock && tx->conn == to->conn && tx->each == to->each && tx->tos == to->tos &&
           tx->dont_fragment == to->dont_fragment &&
           (!to->remote || relay_same_addr(&tx->path.remote, to->remote)) &&
           (!to->local || pl_addr_ip_eq(&tx->path.local, to->local));
}

/* The kernel segments nothing that would not fit the route; what is longer has to be cut into fragments one by one. Trying
 * would cost, and drivers that are refused too often give segmentation up for all. */
static size_t segment_max(const relay_to *to)
{
    enum { MTU = 1500, UDP = 8, IP4 = 20, IP6 = 40 };
    if (!to->remote)
        return SIZE_MAX;
    return to->remote->family == PL_AF_IP4 ? MTU - UDP - IP4 : MTU - UDP - IP6;
}

/* Datagrams of one tx are of one size, and only the last may be shorter (UDP_SEGMENT); bytes of a stream just follow
 * each other. */
static bool takes(const relay_tx *tx, const relay_to *to, size_t wire_len)
{
    return !tx->closed && tx->n < PL_RELAY_TX_DATAGRAMS_MAX && tx->len + wire_len <= PL_RELAY_TX_BYTES_MAX &&
           (tx->stream || (wire_len <= tx->segment && tx->segment <= segment_max(to))) && wire_len > 0 &&
           same_place(tx, to);
}

static relay_tx *open_tx(pl_relay *r, relay_lane *lane, const relay_to *to, size_t wire_len)
{
    if (r->n_tx == RELAY_TX_MAX)
        return NULL;
    relay_tx *tx = &r->tx[r->n_tx];
    bool stream = to->conn && to->conn->transport != PL_RELAY_DTLS;
    *tx = (relay_tx){ .sock = to->sock,
                      .conn = to->conn,
                      .segment = (uint32_t)wire_len,
                      .first = RELAY_NONE,
                      .kind = to->kind,
                      .each = to->each,
                      .tos = to->tos,
                      .dont_fragment = to->dont_fragment,
                      .stream = stream };
    if (to->local)
        tx->path.local = *to->local;
    if (to->remote)
        tx->path.remote = *to->remote;
    if (lane)
        *lane = (relay_lane){ r->batch, r->n_tx };
    r->n_tx++;
    return tx;
}

bool relay_send(pl_relay *r, relay_lane *lane, const relay_to *to, const uint8_t *head, size_t head_len,
                const uint8_t *data, size_t len, size_t pad)
{
    size_t wire_len = head_len + len + pad;
    bool joins = lane && lane->batch == r->batch && lane->tx >= r->tx_out && lane->tx < r->n_tx &&
                 takes(&r->tx[lane->tx], to, wire_len);
    relay_tx *tx = joins                            ? &r->tx[lane->tx]
                   : r->n_dgrams < RELAY_DGRAMS_MAX ? open_tx(r, lane, to, wire_len)
                                                    : NULL;
    if (!tx || r->n_dgrams == RELAY_DGRAMS_MAX) {
        r->count.drop[PL_RELAY_DROP_BUSY]++;
        return false;
    }
    relay_dgram *d = &r->dgram[r->n_dgrams];
    d->data = data;
    d->len = (uint32_t)len;
    d->head_len = (uint16_t)head_len;
    d->pad = (uint8_t)pad;
    d->next = RELAY_NONE;
    d->head = head;
    if (head_len && head_len <= sizeof d->head4) {
        memcpy(d->head4, head, head_len);
        d->head = NULL;
    }
    if (tx->first == RELAY_NONE)
        tx->first = r->n_dgrams;
    else
        r->dgram[tx->last].next = r->n_dgrams;
    tx->last = r->n_dgrams++;
    tx->n++;
    tx->len += (uint32_t)wire_len;
    if (!tx->stream && wire_len < tx->segment)
        tx->closed = true;
    return true;
}

bool relay_send_bytes(pl_relay *r, void *sock, pl_relay_conn *conn, const pl_path *path, const uint8_t *data,
                      size_t len)
{
    relay_to to = { .kind = PL_RELAY_TO_CLIENT, .each = 1, .sock = sock, .conn = conn };
    if (!conn) {
        to.local = &path->local;
        to.remote = &path->remote;
    }
    return relay_send(r, NULL, &to, NULL, 0, data, len, 0);
}

relay_to relay_to_client(const relay_alloc *a, uint8_t tos)
{
    relay_to to = { .kind = PL_RELAY_TO_CLIENT, .tos = tos, .sock = a->sock, .conn = a->conn };
    if (!a->conn) {
        to.local = &a->client.local;
        to.remote = &a->client.remote;
    }
    return to;
}

/* A connection has gone while outputs for it wait. */
void relay_void_conn(pl_relay *r, const pl_relay_conn *c)
{
    for (uint16_t i = r->tx_out; i < r->n_tx; i++)
        if (r->tx[i].conn == c)
            r->tx[i].void_ = true;
    for (uint16_t i = r->fetch_out; i < r->n_fetch; i++)
        if (r->fetch[i].conn == c)
            r->fetch[i].wanted = false;
}

/* ---- draining ---- */

static const uint8_t zeros[4];

static size_t lay_out(pl_relay *r, const relay_tx *tx)
{
    pl_slice *s = r->slice;
    for (uint16_t i = tx->first; i != RELAY_NONE; i = r->dgram[i].next) {
        const relay_dgram *d = &r->dgram[i];
        if (tx->each > 1)
            *s++ = (pl_slice){ d->head ? d->head : d->head4, d->head_len };
        *s++ = (pl_slice){ d->data, d->len };
        if (tx->each > 2)
            *s++ = (pl_slice){ zeros, d->pad };
    }
    return (size_t)(s - r->slice);
}

static bool poll_tx(pl_relay *r, pl_relay_out *out)
{
    while (r->tx_out < r->n_tx) {
        const relay_tx *tx = &r->tx[r->tx_out++];
        if (tx->void_)
            continue;
        out->kind = (pl_relay_out_kind)tx->kind;
        out->u.tx = (pl_relay_tx){ .sock = tx->sock,
                                   .conn = tx->conn,
                                   .path = &tx->path,
                                   .slice = r->slice,
                                   .n_slices = lay_out(r, tx),
                                   .slices_each = tx->each,
                                   .n_datagrams = tx->n,
                                   .segment = tx->segment,
                                   .len = tx->len,
                                   .dont_fragment = tx->dont_fragment,
                                   .tos = tx->tos,
                                   .binding = tx->binding,
                                   .from = tx->from };
        return true;
    }
    return false;
}

static void port_to_open(pl_relay *r, pl_relay_port *p, pl_relay_out *out)
{
    (void)r;
    out->kind = PL_RELAY_OPEN;
    out->u.open = (pl_relay_open){
        .port = p, .family = (pl_family)p->family, .tcp = p->tcp, .even = p->even, .pair = p->next != NULL
    };
}

static bool poll_port(pl_relay *r, pl_relay_out *out)
{
    pl_node *n = pl_list_pop_front(&r->work_ports);
    if (!n)
        return false;
    pl_relay_port *p = pl_of(n, pl_relay_port, in_work);
    if (p->state == RELAY_PORT_OPENING) {
        port_to_open(r, p, out);
        return true;
    }
    assert(p->state == RELAY_PORT_CLOSING);
    out->kind = PL_RELAY_CLOSE;
    out->u.sock = p->sock;
    relay_port_free(p);
    return true;
}

static bool poll_link(pl_relay *r, pl_relay_out *out)
{
    pl_node *n = pl_list_pop_front(&r->work_links);
    if (!n)
        return false;
    pl_relay_link *l = pl_of(n, pl_relay_link, in_work);
    switch (l->state) {
    case RELAY_LINK_CONNECTING:
        l->asked = true;
        out->kind = PL_RELAY_CONNECT;
        out->u.connect.link = l;
        out->u.connect.sock = l->alloc->port[relay_side(l->peer.family)]->sock;
        out->u.connect.peer = &l->peer;
        return true;
    case RELAY_LINK_SPLICED:
        out->kind = PL_RELAY_SPLICE;
        out->u.splice.conn = l->conn;
        out->u.splice.conn_sock = l->conn->sock;
        out->u.splice.link = l;
        out->u.splice.link_sock = l->sock;
        return true;
    default:
        assert(l->state == RELAY_LINK_CLOSING);
        out->kind = PL_RELAY_CLOSE_LINK;
        out->u.close_link.link = l;
        out->u.close_link.sock = l->sock;
        relay_link_free(r, l);
        return true;
    }
}

static bool poll_conn(pl_relay *r, pl_relay_out *out)
{
    pl_node *n = pl_list_pop_front(&r->work_conns);
    if (!n)
        return false;
    pl_relay_conn *c = pl_of(n, pl_relay_conn, in_work);
    out->kind = PL_RELAY_CLOSE_CONN;
    out->u.close_conn.conn = c;
    out->u.close_conn.sock = c->sock;
    return true;
}

static bool poll_fetch(pl_relay *r, pl_relay_out *out)
{
    while (r->fetch_out < r->n_fetch) {
        const relay_fetch *f = &r->fetch[r->fetch_out++];
        if (!f->wanted)
            continue;
        out->kind = PL_RELAY_FETCH;
        out->u.fetch.thread = f->thread;
        out->u.fetch.claim = f->claim;
        out->u.fetch.sock = f->sock;
        out->u.fetch.conn = f->conn;
        out->u.fetch.path = &f->path;
        out->u.fetch.message = f->message;
        return true;
    }
    return false;
}

static void batch_over(pl_relay *r)
{
    r->n_tx = r->tx_out = r->n_dgrams = r->n_fetch = r->fetch_out = 0;
    r->n_bytes = 0;
    r->batch += 1 + (r->batch == UINT32_MAX); /* never 0, which is a lane's zero state */
}

/* First what is to be sent, so that it leaves by sockets that are closed afterwards. */
bool pl_relay_poll_output(pl_relay *r, pl_relay_out *out)
{
    if (poll_tx(r, out) || poll_fetch(r, out) || poll_port(r, out) || poll_link(r, out) || poll_conn(r, out))
        return true;
    if (r->n_tx || r->n_bytes || r->n_fetch)
        batch_over(r);
    return false;
}
