#include "sim/turn_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNS_MAX = 32, PORTS_MAX = 256, PORT_LO = 49152, PORT_HI = 65535, PACKET_MAX = 20000 };

/* A relayed address: what a driver has a socket for. */
typedef struct relayed {
    pl_relay_port *port;
    pl_addr addr; /* PL_AF_NONE: free */
} relayed;

/* A client's connection; each packet is one message (sim/ice_tcp.h). */
typedef struct connection {
    pl_relay_conn *conn; /* NULL: free */
    pl_path path;
} connection;

struct sim_turn {
    sim_ice_net *net;
    sim_turn_conf conf;
    char user[64], password[64];
    pl_addr addr[2], own[2]; /* IPv4 and IPv6 */
    size_t n_own;
    pl_rand_seeded state;
    pl_rand rand;
    pl_relay_policy policy;
    pl_relay_shared *shared;
    pl_stun_auth *auth;
    pl_relay *core;
    relayed ports[PORTS_MAX];
    connection conns[CONNS_MAX];
    uint16_t next_port;
    uint64_t n_packets;
    bool silent;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "sim/turn_net: %s\n", what);
    abort();
}

/* ---- the core, made anew at each reboot ---- */

static void boot(sim_turn *s, int64_t now_us)
{
    pl_stun_auth_conf auth = { .realm = PL_STR("sim.example"),
                               .nonce_life_us = s->conf.nonce_life_us,
                               .md5_only = s->conf.md5_only,
                               .no_userhash = s->conf.md5_only,
                               .rand = &s->rand };
    pl_relay_conf conf = { .policy = &s->policy,
                           .rand = s->rand,
                           .max_allocations = PORTS_MAX,
                           .ip4 = s->addr[0].family != PL_AF_NONE,
                           .ip6 = s->addr[1].family != PL_AF_NONE,
                           .mobility = !s->conf.no_mobility,
                           .wall_us = PL_SEC(1700000000) + now_us };
    must(!pl_stun_auth_new(&s->auth, &auth), "no auth");
    must(!pl_stun_auth_add_password(s->auth, pl_str_of(s->user), pl_str_of(s->password)), "bad user");
    must(!pl_relay_shared_new(&s->shared, PORTS_MAX, &s->rand), "no shared");
    conf.auth = s->auth;
    conf.shared = s->shared;
    must(!pl_relay_new(&s->core, &conf, now_us), "no relay");
}

static void halt(sim_turn *s)
{
    pl_relay_free(s->core);
    pl_relay_shared_free(s->shared);
    pl_stun_auth_free(s->auth);
    s->core = NULL;
    memset(s->ports, 0, sizeof s->ports);
    memset(s->conns, 0, sizeof s->conns);
}

/* ---- what the core wants done ---- */

static void send_datagrams(sim_turn *s, int64_t now_us, const pl_relay_tx *tx, pl_path path)
{
    for (size_t i = 0; i < tx->n_datagrams; i++) {
        uint8_t data[PACKET_MAX];
        pl_wr w = pl_wr_init(data, sizeof data);
        for (size_t k = 0; k < tx->slices_each; k++) {
            const pl_slice *slice = &tx->slice[i * tx->slices_each + k];
            pl_wr_bytes(&w, slice->p, slice->n);
        }
        must(pl_wr_ok(&w), "a datagram beyond 20000 bytes");
        if (!s->silent)
            sim_ice_emit(s->net, now_us, &path, data, pl_wr_len(&w));
    }
}

static void send_to_client(sim_turn *s, int64_t now_us, const pl_relay_tx *tx)
{
    if (tx->conn)
        send_datagrams(s, now_us, tx, ((const connection *)tx->sock)->path);
    else
        send_datagrams(s, now_us, tx, (pl_path){ .local = tx->path->local, .remote = tx->path->remote });
}

static void send_to_peer(sim_turn *s, int64_t now_us, const pl_relay_tx *tx)
{
    const relayed *from = tx->sock;
    send_datagrams(s, now_us, tx, (pl_path){ .local = from->addr, .remote = tx->path->remote });
}

/* One byte is the end of a connection, as sim/ice_tcp.h has it. */
static void hang_up(sim_turn *s, int64_t now_us, connection *c)
{
    sim_ice_emit(s->net, now_us, &c->path, "F", 1);
    pl_relay_conn_close(s->core, now_us, c->conn);
    c->conn = NULL;
}

static bool port_is_taken(const sim_turn *s, uint16_t port)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (s->ports[i].addr.family != PL_AF_NONE && s->ports[i].addr.port == port)
            return true;
    return false;
}

static uint16_t take_port(sim_turn *s, bool even)
{
    do {
        s->next_port = (uint16_t)(s->next_port == PORT_HI ? PORT_LO : s->next_port + 1);
    } while (port_is_taken(s, s->next_port) || (even && s->next_port % 2));
    return s->next_port;
}

static relayed *open_at(sim_turn *s, pl_relay_port *port, pl_family family, uint16_t number)
{
    for (size_t i = 0; i < PORTS_MAX; i++) {
        relayed *p = &s->ports[i];
        if (p->addr.family != PL_AF_NONE)
            continue;
        *p = (relayed){ .port = port, .addr = s->addr[family == PL_AF_IP6] };
        p->addr.port = number;
        return p;
    }
    return NULL;
}

static void on_open(sim_turn *s, int64_t now_us, const pl_relay_open *o)
{
    if (s->addr[o->family == PL_AF_IP6].family == PL_AF_NONE || o->tcp || o->pair) {
        pl_relay_open_failed(s->core, now_us, o->port, PL_ENOTSUP);
        return;
    }
    relayed *p = open_at(s, o->port, o->family, take_port(s, o->even));
    if (p)
        pl_relay_opened(s->core, now_us, o->port, p, &p->addr, NULL, NULL);
    else
        pl_relay_open_failed(s->core, now_us, o->port, PL_ENOSPC);
}

static void drain(sim_turn *s, int64_t now_us)
{
    pl_relay_out out;
    while (pl_relay_poll_output(s->core, &out)) {
        switch (out.kind) {
        case PL_RELAY_TO_CLIENT: send_to_client(s, now_us, &out.u.tx); break;
        case PL_RELAY_TO_PEER: send_to_peer(s, now_us, &out.u.tx); break;
        case PL_RELAY_CLOSE_CONN: hang_up(s, now_us, out.u.close_conn.sock); break;
        case PL_RELAY_OPEN: on_open(s, now_us, &out.u.open); break;
        case PL_RELAY_CLOSE: ((relayed *)out.u.sock)->addr.family = PL_AF_NONE; break;
        case PL_RELAY_FETCH: /* there is no other thread */
            pl_relay_replay(s->core, now_us, out.u.fetch.sock, out.u.fetch.conn, out.u.fetch.path,
                            out.u.fetch.message.p, out.u.fetch.message.n);
            break;
        default: must(false, "an output that UDP relaying does not have");
        }
    }
    pl_relay_event event;
    while (pl_relay_poll_event(s->core, &event))
        continue;
    pl_relay_check(s->core);
}

/* ---- its place in the net ---- */

static bool owns(void *ctx, const pl_addr *to)
{
    const sim_turn *s = ctx;
    return pl_addr_ip_eq(to, &s->addr[0]) || pl_addr_ip_eq(to, &s->addr[1]);
}

static connection *connection_of(sim_turn *s, int64_t now_us, const pl_path *path)
{
    connection *unused = NULL;
    for (size_t i = 0; i < CONNS_MAX; i++) {
        connection *c = &s->conns[i];
        if (c->conn && pl_addr_eq(&c->path.remote, &path->remote))
            return c;
        unused = c->conn ? unused : c;
    }
    must(unused != NULL, "more connections than there are places");
    unused->path = *path;
    must(!pl_relay_conn_open(s->core, now_us, &unused->conn, unused, PL_RELAY_TCP, path), "no connection");
    return unused;
}

static size_t from_client(sim_turn *s, int64_t now_us, const pl_relay_row *row)
{
    if (row->path->proto == PL_UDP)
        return pl_relay_client_input(s->core, now_us, s, row, 1);
    return row->len > 1
               ? pl_relay_conn_input(s->core, now_us, connection_of(s, now_us, row->path)->conn, row, 1)
               : 1;
}

static size_t from_peer(sim_turn *s, int64_t now_us, const pl_relay_row *row)
{
    for (size_t i = 0; i < PORTS_MAX; i++)
        if (pl_addr_eq(&s->ports[i].addr, &row->path->local) && row->path->proto == PL_UDP)
            return pl_relay_peer_input(s->core, now_us, s->ports[i].port, row, 1);
    return 1;
}

static void hears(void *ctx, int64_t now_us, const pl_path *path, const void *data, size_t len)
{
    sim_turn *s = ctx;
    pl_relay_row row = { .path = path, .data = data, .len = len };
    if (s->silent)
        return;
    s->n_packets++;
    bool is_client = pl_addr_eq(&path->local, &s->addr[path->local.family == PL_AF_IP6]);
    must((is_client ? from_client(s, now_us, &row) : from_peer(s, now_us, &row)) == 1, "a full batch");
    drain(s, now_us);
}

static void ticks(void *ctx, int64_t now_us)
{
    sim_turn *s = ctx;
    pl_relay_tick(s->core, now_us);
    drain(s, now_us);
}

static int64_t next_us(void *ctx)
{
    const sim_turn *s = ctx;
    return pl_relay_next_us(s->core);
}

static pl_addr parse(const char *text)
{
    pl_addr a = { 0 };
    if (text)
        must(!pl_addr_parse(&a, text, strlen(text)), "no address");
    return a;
}

sim_turn *sim_turn_new(sim_ice_net *net, const sim_turn_conf *conf)
{
    sim_turn *s = calloc(1, sizeof *s);
    must(s != NULL, "no memory");
    s->net = net;
    s->conf = *conf;
    s->addr[0] = parse(conf->addr);
    s->addr[1] = parse(conf->addr6);
    must(pl_str_copy(pl_str_of(conf->user ? conf->user : "alice"), s->user, sizeof s->user), "user");
    must(pl_str_copy(pl_str_of(conf->password ? conf->password : "secret"), s->password, sizeof s->password),
         "password");
    for (size_t i = 0; i < 2; i++)
        if (s->addr[i].family != PL_AF_NONE)
            s->own[s->n_own++] = s->addr[i];
    if (conf->policy)
        s->policy = *conf->policy;
    s->policy.own = s->own;
    s->policy.n_own = s->n_own;
    s->policy.port_lo = PORT_LO;
    s->policy.port_hi = PORT_HI;
    s->rand = pl_rand_seed(&s->state, conf->seed + 1);
    s->next_port = (uint16_t)(PORT_LO + pl_rand_below(&s->rand, 10000));
    boot(s, 0);
    sim_ice_service service = { .ctx = s, .owns = owns, .hears = hears, .ticks = ticks, .next_us = next_us };
    sim_ice_add_service(net, &service);
    return s;
}

void sim_turn_free(sim_turn *s)
{
    if (!s)
        return;
    halt(s);
    free(s);
}

pl_addr sim_turn_addr(const sim_turn *s, pl_family family)
{
    return s->addr[family == PL_AF_IP6];
}

void sim_turn_reboot(sim_turn *s, int64_t now_us)
{
    for (size_t i = 0; i < CONNS_MAX; i++)
        if (s->conns[i].conn)
            hang_up(s, now_us, &s->conns[i]);
    halt(s);
    boot(s, now_us);
}

void sim_turn_silence(sim_turn *s, bool silent)
{
    s->silent = silent;
}

uint64_t sim_turn_packets(const sim_turn *s)
{
    return s->n_packets;
}

pl_relay *sim_turn_core(sim_turn *s)
{
    return s->core;
}
