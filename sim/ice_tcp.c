#include "sim/ice_tcp.h"

#include <stdlib.h>

#include "base/time.h"

/* One byte, as no message of ours is. */
enum { SYN = 'S', ACK = 'A', RST = 'R', FIN = 'F' };
#define TURN_RTT_US PL_MS(20)
#define GIVE_UP_US  PL_SEC(2)

static void say(sim_ice_tcp *t, int64_t now_us, int host, const pl_addr *local, const pl_addr *remote,
                uint8_t what)
{
    pl_path path = { .local = *local, .remote = *remote, .proto = PL_TCP };
    sim_ice_send(t->net, now_us, host, &path, &what, 1);
}

static sim_ice_tcp_end *find(sim_ice_tcp *t, int host, const pl_path *path)
{
    for (size_t i = 0; i < SIM_ICE_TCP_MAX; i++) {
        sim_ice_tcp_end *e = &t->ends[i];
        if (e->used && e->host == host && pl_addr_eq(&e->local, &path->local) &&
            pl_addr_eq(&e->remote, &path->remote))
            return e;
    }
    return NULL;
}

static sim_ice_tcp_end *make(sim_ice_tcp *t, sim_ice_tcp_end from)
{
    for (size_t i = 0; i < SIM_ICE_TCP_MAX; i++) {
        if (t->ends[i].used)
            continue;
        t->ends[i] = from;
        t->ends[i].used = true;
        return &t->ends[i];
    }
    abort();
}

void sim_ice_tcp_connect(sim_ice_tcp *t, int64_t now_us, int host, const pl_ice_connect *c,
                         const pl_addr *from)
{
    sim_ice_tcp_end e = { .host = host,
                          .stream = c->stream,
                          .local = c->local,
                          .remote = c->remote,
                          .to_turn = c->to_turn,
                          .at_us = now_us + (c->to_turn && !t->no_turn ? TURN_RTT_US : GIVE_UP_US) };
    if (!e.local.port) {
        char ip[PL_ADDR_TEXT_MAX];
        e.local =
            sim_ice_bind(t->net, host, pl_addr_ip_str(pl_addr_is_any(&c->local) ? from : &c->local, ip));
    }
    make(t, e);
    if (!c->to_turn)
        say(t, now_us, host, &e.local, &e.remote, SYN);
}

void sim_ice_tcp_disconnect(sim_ice_tcp *t, int64_t now_us, int host, uint32_t stream)
{
    for (size_t i = 0; i < SIM_ICE_TCP_MAX; i++) {
        sim_ice_tcp_end *e = &t->ends[i];
        if (!e->used || e->host != host || e->stream != stream)
            continue;
        e->used = false;
        if (e->up && !e->to_turn)
            say(t, now_us, host, &e->local, &e->remote, FIN);
    }
}

static void come_up(sim_ice_tcp *t, int64_t now_us, sim_ice_tcp_end *e, pl_ice *ice)
{
    if (e->up)
        return;
    e->up = true;
    e->at_us = PL_NEVER;
    t->n_opened++;
    pl_ice_stream_up(ice, now_us, e->stream, &e->local);
}

static void go_down(int64_t now_us, sim_ice_tcp_end *e, pl_ice *ice)
{
    pl_path path = { .local = e->local, .remote = e->remote, .proto = PL_TCP };
    e->used = false;
    if (e->stream)
        pl_ice_stream_down(ice, now_us, e->stream);
    else
        pl_ice_accepted_down(ice, now_us, &path);
}

bool sim_ice_tcp_input(sim_ice_tcp *t, int64_t now_us, int host, pl_ice *ice, const pl_path *path,
                       const uint8_t *data, size_t len, bool listens)
{
    sim_ice_tcp_end *e = find(t, host, path);
    if (len > 1)
        return !e || !e->up;
    if (data[0] == SYN && !e && listens)
        make(t,
             (sim_ice_tcp_end){
                 .host = host, .up = true, .local = path->local, .remote = path->remote, .at_us = PL_NEVER });
    if (data[0] == SYN) {
        t->n_refused += !e && !listens;
        say(t, now_us, host, &path->local, &path->remote, e || listens ? ACK : RST);
    }
    if (e && (data[0] == SYN || data[0] == ACK))
        come_up(t, now_us, e, ice);
    if (e && (data[0] == FIN || data[0] == RST))
        go_down(now_us, e, ice);
    return true;
}

void sim_ice_tcp_tick(sim_ice_tcp *t, int64_t now_us, int host, pl_ice *ice)
{
    for (size_t i = 0; i < SIM_ICE_TCP_MAX; i++) {
        sim_ice_tcp_end *e = &t->ends[i];
        if (!e->used || e->up || e->host != host || now_us < e->at_us)
            continue;
        if (e->to_turn && !t->no_turn)
            come_up(t, now_us, e, ice);
        else
            go_down(now_us, e, ice);
    }
}

int64_t sim_ice_tcp_next_us(const sim_ice_tcp *t)
{
    int64_t next_us = PL_NEVER;
    for (size_t i = 0; i < SIM_ICE_TCP_MAX; i++)
        if (t->ends[i].used && !t->ends[i].up)
            next_us = pl_min_us(next_us, t->ends[i].at_us);
    return next_us;
}

void sim_ice_tcp_break(sim_ice_tcp *t, int64_t now_us, int host, pl_ice *ice)
{
    for (size_t i = 0; i < SIM_ICE_TCP_MAX; i++) {
        sim_ice_tcp_end *e = &t->ends[i];
        if (!e->used || e->host != host)
            continue;
        if (e->up && !e->to_turn)
            say(t, now_us, host, &e->local, &e->remote, FIN);
        go_down(now_us, e, ice);
    }
}
