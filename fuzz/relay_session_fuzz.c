/* States, not only bytes: the input is a list of things that happen to two relays of one process. Requests that are
 * signed rightly, of every method with attributes of every kind, right and wrong; data of clients and peers, in rows;
 * connections, peers that connect and close; ICMP; a driver that refuses, delays or carries over; policies, draining
 * and time. The invariants hold after each, what is held stays bounded, and in the end everything has expired. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "sim/relay_rig.h"
#include "stun/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { N_CLIENTS = 4, N_CONNS = 3, STEPS_MAX = 200, ROW_BYTES_MAX = 1200 };

typedef struct world {
    pl_rd in;
    rig *g[2]; /* two threads of one server */
    rig_client udp[2][N_CLIENTS], conn[N_CONNS];
    uint8_t ticket[64], token[8];
    size_t ticket_len;
    uint32_t connection_id;
    pl_addr relayed;
} world;

static void must(bool fact)
{
    if (!fact)
        abort();
}

/* A few addresses, so that things meet; some are denied. */
static pl_addr some_peer(world *w)
{
    static const char *const text[] = { "203.0.113.1:7000", "203.0.113.1:7001",  "203.0.113.2:7000",
                                        "10.0.0.1:80",      "127.0.0.1:80",      "192.0.2.1:50000",
                                        "192.0.2.1:22",     "[2001:db8:5::1]:9", "[::1]:9",
                                        "203.0.113.9:1",    "203.0.113.3:0" };
    uint8_t n = pl_rd_u8(&w->in);
    pl_addr a = rig_addr(text[n % (sizeof text / sizeof *text)]);
    if (n & 0x80 && a.family == PL_AF_IP4)
        a.ip[3] = pl_rd_u8(&w->in); /* and many, now and then */
    return a;
}

static rig_client *some_client(world *w)
{
    uint8_t n = pl_rd_u8(&w->in);
    rig_client *c =
        n & 0x40 && w->conn[n % N_CONNS].conn ? &w->conn[n % N_CONNS] : &w->udp[n >> 7][n % N_CLIENTS];
    bool bob = (n & 0x30) == 0x30;
    c->user = bob ? "bob" : "ann";
    c->password = bob ? "bob's" : "ann's";
    return c;
}

/* ---- requests ---- */

static void put_some_attribute(world *w, pl_stun_wr *s)
{
    static const uint16_t type[] = { PL_STUN_LIFETIME,         PL_STUN_REQUESTED_TRANSPORT,
                                     PL_STUN_EVEN_PORT,        PL_STUN_RESERVATION_TOKEN,
                                     PL_STUN_DONT_FRAGMENT,    PL_STUN_REQUESTED_ADDRESS_FAMILY,
                                     PL_STUN_CHANNEL_NUMBER,   PL_STUN_ADDITIONAL_ADDRESS_FAMILY,
                                     PL_STUN_XOR_PEER_ADDRESS, PL_STUN_CONNECTION_ID,
                                     PL_STUN_MOBILITY_TICKET,  PL_STUN_DATA_ATTR,
                                     PL_STUN_SOFTWARE,         0x7abc };
    uint8_t value[16];
    uint16_t t = type[pl_rd_u8(&w->in) % (sizeof type / sizeof *type)];
    size_t len = pl_rd_u8(&w->in) % sizeof value;
    for (size_t i = 0; i < len; i++)
        value[i] = pl_rd_u8(&w->in);
    pl_stun_put(s, t, value, len);
}

static void put_allocate(world *w, pl_stun_wr *s, uint8_t how)
{
    pl_stun_put_u8(s, PL_STUN_REQUESTED_TRANSPORT, how & 1 ? 6 : 17);
    if (how & 2)
        pl_stun_put_even_port(s, how & 4);
    if (how & 8)
        pl_stun_put(s, PL_STUN_MOBILITY_TICKET, "", 0);
    if (how & 16)
        pl_stun_put_u8(s, how & 32 ? PL_STUN_REQUESTED_ADDRESS_FAMILY : PL_STUN_ADDITIONAL_ADDRESS_FAMILY, 2);
    if (how & 64)
        pl_stun_put(s, PL_STUN_RESERVATION_TOKEN, w->token, sizeof w->token);
}

static void put_usual(world *w, pl_stun_wr *s, uint16_t method)
{
    pl_addr peer;
    uint8_t how = pl_rd_u8(&w->in);
    switch (method) {
    case PL_STUN_ALLOCATE: put_allocate(w, s, how); break;
    case PL_STUN_REFRESH:
        pl_stun_put_u32(s, PL_STUN_LIFETIME, how < 8 ? 0 : how * 20u);
        if (how & 1 && w->ticket_len)
            pl_stun_put(s, PL_STUN_MOBILITY_TICKET, w->ticket, w->ticket_len);
        break;
    case PL_STUN_CHANNEL_BIND:
        pl_stun_put_u16(s, PL_STUN_CHANNEL_NUMBER, (uint16_t)(0x4000 + how % 16)); /* fall through */
    case PL_STUN_CREATE_PERMISSION:
    case PL_STUN_CONNECT:
        peer = some_peer(w);
        pl_stun_put_xor_addr(s, PL_STUN_XOR_PEER_ADDRESS, &peer);
        break;
    case PL_STUN_CONNECTION_BIND:
        pl_stun_put_u32(s, PL_STUN_CONNECTION_ID, w->connection_id + how / 200);
        break;
    default: break;
    }
}

/* What a success tells is used later. */
static void remember(world *w, const rig_client *c)
{
    pl_rd value;
    if (pl_stun_find(&c->answer, PL_STUN_MOBILITY_TICKET, &value) && pl_rd_left(&value) <= sizeof w->ticket) {
        w->ticket_len = pl_rd_left(&value);
        memcpy(w->ticket, value.p, w->ticket_len);
    }
    if (pl_stun_find(&c->answer, PL_STUN_RESERVATION_TOKEN, &value) && pl_rd_left(&value) == sizeof w->token)
        memcpy(w->token, value.p, sizeof w->token);
    (void)!pl_stun_get_xor_addr(&c->answer, PL_STUN_XOR_RELAYED_ADDRESS, &w->relayed);
    if (c->answer.method == PL_STUN_CONNECT)
        (void)!pl_stun_get_u32(&c->answer, PL_STUN_CONNECTION_ID, &w->connection_id);
}

static void do_request(world *w)
{
    static const uint16_t method[] = { PL_STUN_ALLOCATE,     PL_STUN_REFRESH, PL_STUN_CREATE_PERMISSION,
                                       PL_STUN_CHANNEL_BIND, PL_STUN_CONNECT, PL_STUN_CONNECTION_BIND };
    rig_client *c = some_client(w);
    uint8_t n = pl_rd_u8(&w->in);
    uint16_t m = method[n % 6];
    pl_stun_wr s = rig_begin(c, m);
    if (n < 224)
        put_usual(w, &s, m);
    for (unsigned i = n >> 6; i > 0; i--)
        put_some_attribute(w, &s);
    int code = rig_ask(c, &s);
    must(code != -2); /* unsigned or wrongly signed */
    if (code == 0)
        remember(w, c);
    rig_forget(c->g);
}

/* ---- data ---- */

static size_t some_bytes(world *w, uint8_t *out)
{
    size_t len = pl_rd_u16(&w->in) % ROW_BYTES_MAX, have = pl_rd_left(&w->in);
    memset(out, 0xa5, len);
    size_t n = len < have && len < 64 ? len : 0;
    if (n)
        memcpy(out, pl_rd_take(&w->in, n), n);
    return len;
}

static void do_raw(world *w)
{
    uint8_t bytes[ROW_BYTES_MAX];
    rig_client *c = some_client(w);
    size_t segment = pl_rd_u8(&w->in) * 4u, len = some_bytes(w, bytes);
    if (c->conn)
        rig_from_client(c->g, NULL, c->conn, bytes, len);
    else
        rig_row_from_client(c->g, &c->path, bytes, len, segment);
    rig_forget(c->g);
}

static void do_data(world *w)
{
    uint8_t bytes[ROW_BYTES_MAX];
    rig_client *c = some_client(w);
    uint8_t n = pl_rd_u8(&w->in);
    pl_addr peer = some_peer(w);
    size_t len = some_bytes(w, bytes);
    if (n & 1)
        rig_send_channel(c, (uint16_t)(0x4000 + (n >> 1) % 16), bytes, len);
    else
        rig_send_indication(c, &peer, bytes, len);
    rig_forget(c->g);
}

static void do_peer(world *w)
{
    uint8_t bytes[ROW_BYTES_MAX];
    uint8_t n = pl_rd_u8(&w->in);
    pl_addr peer = some_peer(w);
    size_t segment = pl_rd_u8(&w->in), len = some_bytes(w, bytes);
    rig *g = w->g[n & 1];
    (void)rig_row_from_peer(g, &peer, &w->relayed, bytes, len, segment);
    rig_sock *sock = rig_sock_at(g, &w->relayed);
    if (sock && n & 2) {
        pl_stun_icmp icmp = { .type = n >> 2 & 15, .code = n >> 6 };
        pl_relay_peer_error(g->core, g->now_us, sock->port, &peer, &icmp);
        rig_drain(g);
    }
    rig_forget(g);
}

/* ---- connections ---- */

static void do_conn(world *w)
{
    uint8_t n = pl_rd_u8(&w->in);
    rig_client *c = &w->conn[n % N_CONNS];
    if (c->conn) {
        rig_close_client(c);
        return;
    }
    *c = rig_client_of(w->g[0], 50 + n % N_CONNS);
    must(rig_connect_client(c, (pl_relay_transport)(PL_RELAY_TCP + (n >> 4) % 3)));
}

static void do_link(world *w)
{
    uint8_t n = pl_rd_u8(&w->in);
    rig *g = w->g[0];
    rig_link *l = &g->link[n % 8];
    if (l->open) {
        l->open = false;
        pl_relay_link_closed(g->core, g->now_us, l->link);
    } else {
        pl_addr peer = some_peer(w);
        rig_sock *sock = rig_sock_at(g, &w->relayed);
        if (!sock)
            return;
        *l = (rig_link){ .open = true, .peer = peer };
        l->link = pl_relay_accepted(g->core, g->now_us, sock->port, l, &peer);
        l->open = l->link != NULL;
    }
    rig_drain(g);
    rig_forget(g);
}

/* ---- the driver and the operator ---- */

static void do_carry(world *w)
{
    rig *from = w->g[0], *to = w->g[1];
    if (!to->fetched_len)
        return;
    pl_relay_parcel *p = pl_relay_detach(from->core, from->now_us, &to->claim);
    rig_drain(from);
    if (p) {
        pl_relay_port *port;
        void **at;
        for (size_t i = 0; (at = pl_relay_parcel_sock(p, i, &port)); i++) {
            rig_sock *old = *at, *sock = to->sock;
            while (sock->open)
                sock++;
            *sock = *old;
            *at = sock;
            old->open = false;
            from->n_open--;
            to->n_open++;
        }
        must(!pl_relay_attach(to->core, to->now_us, p));
    }
    pl_relay_replay(to->core, to->now_us, to, NULL, &to->fetched_path, to->fetched, to->fetched_len);
    to->fetched_len = 0;
    rig_drain(to);
    rig_forget(to);
}

static void do_driver(world *w)
{
    uint8_t n = pl_rd_u8(&w->in);
    rig *g = w->g[n & 1];
    g->refuse_open[0] = n & 2;
    g->refuse_open[1] = n & 4;
    g->refuse_pair = n & 8;
    g->hold_connect = n & 16;
    g->hold_open = n & 32;
    if (!g->hold_open)
        rig_answer_opens(g);
    g->policy.max_per_user = n & 64 ? 2 : 0;
    g->policy.bytes_per_s = n & 128 ? 10000 : 0;
    pl_relay_set_policy(g->core, &g->policy);
    rig_forget(g);
}

static void do_time(world *w)
{
    uint16_t n = pl_rd_u16(&w->in);
    int64_t us = n & 0x8000 ? PL_SEC(n & 0x3ff) : n;
    for (int i = 0; i < 2; i++)
        rig_wait(w->g[i], us);
    if (n == 0xfffe)
        pl_relay_drain(w->g[1]->core, w->g[1]->now_us, w->g[1]->now_us + PL_SEC(100), NULL, 0);
    for (int i = 0; i < 2; i++)
        rig_forget(w->g[i]);
}

static void step(world *w)
{
    static void (*const what[])(world *) = { do_request, do_request, do_request, do_request,
                                             do_raw,     do_data,    do_data,    do_peer,
                                             do_peer,    do_conn,    do_link,    do_carry,
                                             do_driver,  do_time,    do_request, do_request };
    what[pl_rd_u8(&w->in) % 16](w);
    for (int i = 0; i < 2; i++) {
        pl_relay_check(w->g[i]->core);
        must(w->g[i]->n_open <= 4 * (N_CLIENTS + N_CONNS) + 64);
    }
}

static void start(world *w)
{
    rig_conf conf = { .seed = 1, .tcp = true, .mobility = true, .queue_max = 64 };
    conf.policy.unauth_per_s = UINT32_MAX;
    w->g[0] = rig_new(&conf);
    must(w->g[0] != NULL);
    conf.shared = w->g[0]->shared;
    conf.auth = w->g[0]->auth;
    conf.thread = 1;
    w->g[1] = rig_new(&conf);
    must(w->g[1] != NULL);
    w->g[1]->keep_fetch = true;
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < N_CLIENTS; k++)
            w->udp[i][k] = rig_client_of(w->g[i], 10 * i + k);
    w->relayed = rig_addr("192.0.2.1:49153");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static world w;
    memset(&w, 0, sizeof w);
    w.in = pl_rd_init(data, size);
    start(&w);
    for (int i = 0; i < STEPS_MAX && pl_rd_left(&w.in) > 0; i++)
        step(&w);
    for (int i = 0; i < 2; i++) {
        rig_answer_opens(w.g[i]);
        rig_wait(w.g[i], PL_SEC(4000));
        pl_relay_check(w.g[i]->core);
        must(pl_relay_is_empty(w.g[i]->core) && w.g[i]->n_open == 0);
        must(pl_relay_next_us(w.g[i]->core) == PL_NEVER);
    }
    must(pl_relay_shared_total(w.g[0]->shared) == 0);
    rig_free(w.g[1]);
    rig_free(w.g[0]);
    return 0;
}
