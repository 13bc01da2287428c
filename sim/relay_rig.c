#include "sim/relay_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stun/integrity.h"
#include "stun/stream.h"

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "sim/relay_rig: %s\n", what);
    abort();
}

pl_addr rig_addr(const char *text)
{
    pl_addr a;
    must(!pl_addr_parse(&a, text, strlen(text)), text);
    return a;
}

/* ---- life ---- */

static bool make_auth(rig *g)
{
    pl_stun_auth_conf conf = { .realm = PL_STR("r"), .rand = &g->rand };
    return !pl_stun_auth_new(&g->auth, &conf) &&
           !pl_stun_auth_add_password(g->auth, PL_STR("ann"), PL_STR("ann's")) &&
           !pl_stun_auth_add_password(g->auth, PL_STR("bob"), PL_STR("bob's"));
}

static bool make_core(rig *g, const rig_conf *conf)
{
    if (!conf->shared && pl_relay_shared_new(&g->shared, 0, &g->rand))
        return false;
    if (!conf->no_auth && !conf->auth && !make_auth(g))
        return false;
    pl_relay_conf core = { .shared = conf->shared ? conf->shared : g->shared,
                           .auth = conf->auth ? conf->auth : g->auth,
                           .policy = &g->policy,
                           .rand = g->rand,
                           .thread = conf->thread,
                           .max_allocations = conf->max_allocations,
                           .ip4 = !conf->ip6_only,
                           .ip6 = !conf->ip4_only,
                           .tcp = conf->tcp,
                           .mobility = conf->mobility,
                           .software = conf->software,
                           .wall_us = PL_SEC(1700000000) };
    return !pl_relay_new(&g->core, &core, g->now_us);
}

rig *rig_new(const rig_conf *conf)
{
    rig *g = calloc(1, sizeof *g);
    size_t queue_max = conf->queue_max ? conf->queue_max : RIG_QUEUE_MAX;
    rig_packet *queue = calloc(queue_max, sizeof *queue);
    if (!g || !queue) {
        free(g);
        free(queue);
        return NULL;
    }
    g->queue = queue;
    g->queue_max = queue_max;
    g->rand = pl_rand_seed(&g->state, conf->seed);
    g->now_us = PL_SEC(1000);
    g->policy = conf->policy;
    if (!g->policy.port_lo) {
        g->policy.port_lo = 49152;
        g->policy.port_hi = 65535;
    }
    g->next_port = g->policy.port_lo;
    g->server[0] = rig_addr("192.0.2.1:3478");
    g->server[1] = rig_addr("[2001:db8::1]:3478");
    g->relay[0] = g->server[0];
    g->relay[1] = g->server[1];
    g->policy.own = g->relay;
    g->policy.n_own = 2;
    if (!make_core(g, conf)) {
        rig_free(g);
        return NULL;
    }
    return g;
}

void rig_free(rig *g)
{
    if (!g)
        return;
    pl_relay_free(g->core);
    pl_relay_shared_free(g->shared);
    pl_stun_auth_free(g->auth);
    free(g->queue);
    free(g);
}

/* ---- the driver ---- */

static rig_sock *open_at(rig *g, const pl_relay_open *o, uint16_t number)
{
    for (size_t i = 0; i < RIG_SOCKS_MAX; i++) {
        rig_sock *s = &g->sock[i];
        if (s->open)
            continue;
        *s = (rig_sock){
            .open = true, .tcp = o->tcp, .port = o->port, .addr = g->relay[o->family == PL_AF_IP6]
        };
        s->addr.port = number;
        g->n_open++;
        return s;
    }
    return NULL;
}

static uint16_t next_port(rig *g, bool even)
{
    uint16_t hi = g->policy.port_hi, lo = g->policy.port_lo;
    do {
        g->next_port = g->next_port >= hi ? lo : (uint16_t)(g->next_port + 1);
    } while (even && g->next_port % 2);
    return g->next_port;
}

static void do_open(rig *g, const pl_relay_open *o)
{
    if (g->refuse_open[o->family == PL_AF_IP6] || g->n_open + 2 > RIG_SOCKS_MAX) {
        pl_relay_open_failed(g->core, g->now_us, o->port, PL_ENOSPC);
        return;
    }
    uint16_t number = next_port(g, o->even || o->pair);
    rig_sock *s = open_at(g, o, number), *next = NULL;
    if (o->pair && !g->refuse_pair)
        next = open_at(g, o, next_port(g, false));
    pl_relay_port *port =
        pl_relay_opened(g->core, g->now_us, o->port, s, &s->addr, next, next ? &next->addr : NULL);
    if (next)
        next->port = port; /* NULL: its PL_RELAY_CLOSE is on the way */
}

void rig_answer_opens(rig *g)
{
    for (size_t i = 0; i < g->n_held; i++)
        do_open(g, &g->held[i]);
    g->n_held = 0;
    rig_drain(g);
}

static void on_open(rig *g, const pl_relay_open *o)
{
    if (g->hold_open && g->n_held < sizeof g->held / sizeof *g->held)
        g->held[g->n_held++] = *o;
    else
        do_open(g, o);
}

static void on_close(rig *g, rig_sock *s)
{
    must(s->open, "a socket was closed twice");
    s->open = false;
    g->n_open--;
}

static void keep(rig *g, const pl_relay_out *out, size_t i)
{
    const pl_relay_tx *tx = &out->u.tx;
    if (g->n_queued == g->queue_max) {
        g->n_lost++;
        return;
    }
    rig_packet *p = &g->queue[(g->head + g->n_queued++) % g->queue_max];
    bool to_client = out->kind == PL_RELAY_TO_CLIENT;
    *p = (rig_packet){ .kind = out->kind,
                       .conn = tx->conn,
                       .from = to_client ? tx->path->local : ((const rig_sock *)tx->sock)->addr,
                       .to = tx->path->remote,
                       .dont_fragment = tx->dont_fragment,
                       .tos = tx->tos,
                       .n_in_tx = tx->n_datagrams };
    for (size_t k = 0; k < tx->slices_each; k++) {
        const pl_slice *s = &tx->slice[i * tx->slices_each + k];
        must(p->len + s->n <= RIG_PACKET_MAX, "a datagram too long for the rig");
        if (s->n)
            memcpy(p->data + p->len, s->p, s->n);
        p->len += s->n;
    }
}

/* What the header promises of every output. */
static void check_tx(const pl_relay_out *out)
{
    const pl_relay_tx *tx = &out->u.tx;
    bool stream = tx->conn && out->kind == PL_RELAY_TO_CLIENT;
    size_t total = 0;
    must(tx->n_datagrams > 0 && tx->n_datagrams <= PL_RELAY_TX_DATAGRAMS_MAX, "datagrams in an output");
    must(tx->n_slices == tx->n_datagrams * tx->slices_each, "slices in an output");
    for (size_t i = 0; i < tx->n_datagrams; i++) {
        size_t len = 0;
        for (size_t k = 0; k < tx->slices_each; k++)
            len += tx->slice[i * tx->slices_each + k].n;
        total += len;
        must(stream || (i + 1 < tx->n_datagrams ? len == tx->segment : len <= tx->segment),
             "unequal segments");
    }
    must(total == tx->len && total <= 65535, "an output's length");
}

static rig_link *free_link(rig *g)
{
    for (size_t i = 0; i < RIG_LINKS_MAX; i++)
        if (!g->link[i].open)
            return &g->link[i];
    return NULL;
}

static void on_connect(rig *g, pl_relay_link *link, const pl_addr *peer)
{
    rig_link *l = free_link(g);
    if (!l || peer->port == 1) { /* nobody listens on port 1 */
        pl_relay_link_closed(g->core, g->now_us, link);
        return;
    }
    *l = (rig_link){ .open = true, .connecting = g->hold_connect, .link = link, .peer = *peer };
    if (!g->hold_connect)
        pl_relay_connected(g->core, g->now_us, link, l);
}

static void on_close_link(rig *g, const pl_relay_link *link, rig_link *l)
{
    for (size_t i = 0; !l && i < RIG_LINKS_MAX; i++)
        if (g->link[i].open && g->link[i].connecting && g->link[i].link == link)
            l = &g->link[i];
    must(l && l->open, "a link was closed twice");
    l->open = false;
}

static void on_fetch(rig *g, const pl_relay_out *out)
{
    g->claim = out->u.fetch.claim;
    g->claim_thread = out->u.fetch.thread;
    g->n_fetches++;
    if (g->keep_fetch) {
        g->fetched_len = out->u.fetch.message.n;
        must(g->fetched_len <= sizeof g->fetched, "a request too long for the rig");
        memcpy(g->fetched, out->u.fetch.message.p, g->fetched_len);
        g->fetched_path = *out->u.fetch.path;
        return;
    }
    pl_relay_replay(g->core, g->now_us, out->u.fetch.sock, out->u.fetch.conn, out->u.fetch.path,
                    out->u.fetch.message.p, out->u.fetch.message.n);
}

static void on_output(rig *g, const pl_relay_out *out)
{
    switch (out->kind) {
    case PL_RELAY_TO_CLIENT:
    case PL_RELAY_TO_PEER:
        check_tx(out);
        for (size_t i = 0; i < out->u.tx.n_datagrams; i++)
            keep(g, out, i);
        break;
    case PL_RELAY_OPEN: on_open(g, &out->u.open); break;
    case PL_RELAY_CLOSE: on_close(g, out->u.sock); break;
    case PL_RELAY_CONNECT: on_connect(g, out->u.connect.link, out->u.connect.peer); break;
    case PL_RELAY_SPLICE: ((rig_link *)out->u.splice.link_sock)->spliced = out->u.splice.conn; break;
    case PL_RELAY_CLOSE_LINK: on_close_link(g, out->u.close_link.link, out->u.close_link.sock); break;
    case PL_RELAY_CLOSE_CONN: g->closed_conn = out->u.close_conn.conn; break;
    case PL_RELAY_FETCH: on_fetch(g, out); break;
    }
}

void rig_drain(rig *g)
{
    pl_relay_out out;
    while (pl_relay_poll_output(g->core, &out))
        on_output(g, &out);
    pl_relay_event e;
    while (pl_relay_poll_event(g->core, &e)) {
        g->n_events[e.kind]++;
        g->last_event = e;
        snprintf(g->last_user, sizeof g->last_user, "%s", e.user);
    }
}

void rig_wait(rig *g, int64_t us)
{
    int64_t end_us = g->now_us + us;
    for (int64_t next_us; (next_us = pl_relay_next_us(g->core)) <= end_us;) {
        must(next_us > g->now_us, "a deadline that has passed stays");
        g->now_us = next_us;
        pl_relay_tick(g->core, g->now_us);
        rig_drain(g);
    }
    g->now_us = end_us;
}

/* ---- packets ---- */

void rig_row_from_client(rig *g, const pl_path *path, const void *data, size_t len, size_t segment)
{
    pl_relay_row row = { .path = path, .data = data, .len = len, .segment = segment };
    must(pl_relay_client_input(g->core, g->now_us, g, &row, 1) == 1, "an empty batch takes no row");
    rig_drain(g);
}

void rig_from_client(rig *g, const pl_path *path, pl_relay_conn *conn, const void *data, size_t len)
{
    pl_relay_row row = { .path = path, .data = data, .len = len };
    if (conn)
        must(pl_relay_conn_input(g->core, g->now_us, conn, &row, 1) == 1, "an empty batch takes no row");
    else
        rig_row_from_client(g, path, data, len, 0);
    rig_drain(g);
}

rig_sock *rig_sock_at(rig *g, const pl_addr *relayed)
{
    for (size_t i = 0; i < RIG_SOCKS_MAX; i++)
        if (g->sock[i].open && pl_addr_eq(&g->sock[i].addr, relayed))
            return &g->sock[i];
    return NULL;
}

bool rig_row_from_peer(rig *g, const pl_addr *peer, const pl_addr *relayed, const void *data, size_t len,
                       size_t segment)
{
    rig_sock *s = rig_sock_at(g, relayed);
    if (!s)
        return false;
    pl_path path = { .local = *relayed, .remote = *peer };
    pl_relay_row row = { .path = &path, .data = data, .len = len, .segment = segment };
    must(pl_relay_peer_input(g->core, g->now_us, s->port, &row, 1) == 1, "an empty batch takes no row");
    rig_drain(g);
    return true;
}

bool rig_from_peer(rig *g, const pl_addr *peer, const pl_addr *relayed, const void *data, size_t len)
{
    return rig_row_from_peer(g, peer, relayed, data, len, 0);
}

bool rig_take(rig *g, rig_packet *out)
{
    if (!g->n_queued)
        return false;
    *out = g->queue[g->head];
    g->head = (g->head + 1) % g->queue_max;
    g->n_queued--;
    return true;
}

void rig_forget(rig *g)
{
    g->n_queued = 0;
}

/* ---- a client ---- */

rig_client rig_client_of(rig *g, unsigned n)
{
    rig_client c = { .g = g, .user = "ann", .password = "ann's" };
    c.path.local = g->server[0];
    c.path.remote = rig_addr("198.51.100.1:1024");
    c.path.remote.ip[3] = (uint8_t)(1 + n % 250);
    c.path.remote.port = (uint16_t)(1024 + n);
    return c;
}

bool rig_connect_client(rig_client *c, pl_relay_transport transport)
{
    c->path.proto = PL_TCP;
    return !pl_relay_conn_open(c->g->core, c->g->now_us, &c->conn, c, transport, &c->path);
}

void rig_close_client(rig_client *c)
{
    pl_relay_conn_close(c->g->core, c->g->now_us, c->conn);
    c->conn = NULL;
    rig_drain(c->g);
}

pl_stun_wr rig_begin(rig_client *c, uint16_t method)
{
    uint8_t id[PL_STUN_ID_LEN] = "client";
    pl_put16(id + 6, c->path.remote.port);
    pl_put32(id + 8, ++c->n_txid);
    return pl_stun_begin(c->body, sizeof c->body, PL_STUN_REQUEST, method, id);
}

static size_t key_of(const rig_client *c, uint8_t key[PL_STUN_KEY_MAX])
{
    return pl_stun_long_term_key(c->algorithm ? c->algorithm : PL_STUN_ALG_MD5, pl_str_of(c->user),
                                 pl_str_of(c->realm), pl_str_of(c->password), key);
}

static void sign(rig_client *c, pl_stun_wr *s)
{
    uint8_t key[PL_STUN_KEY_MAX];
    pl_stun_put_str(s, PL_STUN_USERNAME, pl_str_of(c->user));
    pl_stun_put_str(s, PL_STUN_REALM, pl_str_of(c->realm));
    pl_stun_put_str(s, PL_STUN_NONCE, pl_str_of(c->nonce));
    if (c->algorithm) {
        pl_stun_put(s, PL_STUN_PASSWORD_ALGORITHMS, c->offered, c->offered_len);
        pl_stun_put_algorithm(s, c->algorithm);
    }
    if (c->sha256)
        pl_stun_put_integrity256(s, key, key_of(c, key), PL_STUN_SHA256_LEN);
    else
        pl_stun_put_integrity(s, key, key_of(c, key));
}

/* Realm, nonce and algorithms of a challenge. */
static void learn(rig_client *c)
{
    pl_str text;
    pl_rd offered;
    if (!pl_stun_get_str(&c->answer, PL_STUN_REALM, &text))
        (void)pl_str_copy(text, c->realm, sizeof c->realm);
    if (!pl_stun_get_str(&c->answer, PL_STUN_NONCE, &text))
        (void)pl_str_copy(text, c->nonce, sizeof c->nonce);
    if (pl_stun_find(&c->answer, PL_STUN_PASSWORD_ALGORITHMS, &offered) &&
        pl_rd_left(&offered) <= sizeof c->offered) {
        c->offered_len = pl_rd_left(&offered);
        memcpy(c->offered, offered.p, c->offered_len);
    }
}

static bool is_for(const rig_client *c, const rig_packet *p)
{
    if (p->kind != PL_RELAY_TO_CLIENT)
        return false;
    return c->conn ? p->conn == c->conn
                   : pl_addr_eq(&p->to, &c->path.remote) && pl_addr_eq(&p->from, &c->path.local);
}

/* Looks for the answer among what waits, and leaves the rest. */
static bool take_answer(rig_client *c, const uint8_t *id)
{
    rig *g = c->g;
    for (size_t i = 0; i < g->n_queued; i++) {
        rig_packet *p = &g->queue[(g->head + i) % g->queue_max];
        if (!is_for(c, p) || pl_stun_parse(&c->answer, p->data, p->len) || c->answer.cls < PL_STUN_SUCCESS ||
            memcmp(c->answer.id, id, PL_STUN_ID_LEN) != 0)
            continue;
        memcpy(c->got, p->data, p->len);
        must(!pl_stun_parse(&c->answer, c->got, p->len), "a message that parsed does not");
        for (; i + 1 < g->n_queued; i++)
            g->queue[(g->head + i) % g->queue_max] = g->queue[(g->head + i + 1) % g->queue_max];
        g->n_queued--;
        return true;
    }
    return false;
}

static bool is_genuine(const rig_client *c)
{
    uint8_t key[PL_STUN_KEY_MAX];
    size_t len = key_of(c, key);
    if (c->answer.integrity256_at)
        return !pl_stun_check_integrity256(&c->answer, key, len);
    return !pl_stun_check_integrity(&c->answer, key, len);
}

static int outcome(rig_client *c, bool with_credentials)
{
    uint16_t code = 0;
    pl_str reason;
    if (!take_answer(c, c->sent + 8))
        return -1;
    if (c->answer.cls == PL_STUN_ERROR && pl_stun_get_error(&c->answer, &code, &reason))
        return -2;
    bool signed_ = c->answer.integrity_at || c->answer.integrity256_at;
    if (with_credentials && signed_ && !is_genuine(c))
        return -2;
    if (with_credentials && c->g->auth && !signed_ && code != 400 && code != 401 && code != 438)
        return -2;
    if (code == 401 || code == 438)
        learn(c);
    return code;
}

int rig_ask_once(rig_client *c, pl_stun_wr *s, bool with_credentials)
{
    size_t len = pl_wr_len(&s->w);
    must(pl_wr_ok(&s->w), "a request too long for the rig");
    pl_stun_wr whole = { .w = pl_wr_init(c->sent, sizeof c->sent) };
    pl_wr_bytes(&whole.w, s->w.start, len);
    if (with_credentials)
        sign(c, &whole);
    c->sent_len = pl_stun_end(&whole);
    must(c->sent_len > 0, "a request too long for the rig");
    rig_from_client(c->g, &c->path, c->conn, c->sent, c->sent_len);
    return outcome(c, with_credentials);
}

int rig_ask(rig_client *c, pl_stun_wr *s)
{
    bool known = c->nonce[0] != 0;
    int code = rig_ask_once(c, s, known);
    if (code == 438 || (code == 401 && !known)) {
        pl_put32(s->w.start + 16, ++c->n_txid);
        code = rig_ask_once(c, s, true);
    }
    return code;
}

int rig_send_again(rig_client *c)
{
    rig_from_client(c->g, &c->path, c->conn, c->sent, c->sent_len);
    return outcome(c, true);
}

int rig_allocate(rig_client *c)
{
    pl_stun_wr s = rig_begin(c, PL_STUN_ALLOCATE);
    pl_stun_put_u8(&s, PL_STUN_REQUESTED_TRANSPORT, 17);
    int code = rig_ask(c, &s);
    if (code == 0 && pl_stun_get_xor_addr(&c->answer, PL_STUN_XOR_RELAYED_ADDRESS, &c->relayed[0]))
        return -2;
    return code;
}

int rig_refresh(rig_client *c, uint32_t lifetime_s)
{
    pl_stun_wr s = rig_begin(c, PL_STUN_REFRESH);
    pl_stun_put_u32(&s, PL_STUN_LIFETIME, lifetime_s);
    return rig_ask(c, &s);
}

int rig_permit(rig_client *c, const pl_addr *peer)
{
    pl_stun_wr s = rig_begin(c, PL_STUN_CREATE_PERMISSION);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, peer);
    return rig_ask(c, &s);
}

int rig_bind(rig_client *c, uint16_t number, const pl_addr *peer)
{
    pl_stun_wr s = rig_begin(c, PL_STUN_CHANNEL_BIND);
    pl_stun_put_u16(&s, PL_STUN_CHANNEL_NUMBER, number);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, peer);
    return rig_ask(c, &s);
}

void rig_send_channel(rig_client *c, uint16_t number, const void *data, size_t len)
{
    uint8_t pkt[RIG_PACKET_MAX];
    must(len + PL_STUN_CHANNEL_HEADER_LEN <= sizeof pkt, "data too long for the rig");
    pl_stun_channel_put(pkt, number, (uint16_t)len);
    memcpy(pkt + PL_STUN_CHANNEL_HEADER_LEN, data, len);
    rig_from_client(c->g, &c->path, c->conn, pkt, PL_STUN_CHANNEL_HEADER_LEN + len);
}

void rig_send_indication(rig_client *c, const pl_addr *peer, const void *data, size_t len)
{
    uint8_t pkt[RIG_PACKET_MAX], id[PL_STUN_ID_LEN] = "indication";
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_SEND, id);
    pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, peer);
    pl_stun_put(&s, PL_STUN_DATA_ATTR, data, len);
    rig_from_client(c->g, &c->path, c->conn, pkt, pl_stun_end(&s));
}
