#include "peer/pipe.h"

#include <stdlib.h>
#include <string.h>

const uint8_t *pipe_bytes(uint64_t at)
{
    static uint8_t *all;
    if (!all) {
        uint32_t x = 1;
        all = malloc(PIPE_RUN + PIPE_PERIOD);
        PL_OKAY(all != NULL);
        for (size_t i = 0; i < PIPE_PERIOD; i++)
            all[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
        for (size_t i = PIPE_PERIOD; i < PIPE_RUN + PIPE_PERIOD; i++)
            all[i] = all[i - PIPE_PERIOD];
    }
    return all + at % PIPE_PERIOD;
}

static void take(pipe_end *e, const uint8_t *data, size_t len)
{
    if (len > PIPE_RUN || memcmp(data, pipe_bytes(atomic_load(&e->n_bytes)), len) != 0)
        atomic_store(&e->wrong, true);
    atomic_fetch_add(&e->n_bytes, len);
}

static void ended(pipe_end *e, uint64_t len, bool binary)
{
    if (len > atomic_load(&e->longest))
        atomic_store(&e->longest, len);
    atomic_fetch_add(&e->n_binary, binary);
    atomic_fetch_add(&e->n_messages, 1);
    if (atomic_exchange(&e->pause_next, false))
        pl_data_channel_pause(e->channel);
}

static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    pipe_end *e = user;
    (void)c;
    take(e, data, len);
    ended(e, len, binary);
}

static void on_piece(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary, bool first,
                     bool last)
{
    pipe_end *e = user;
    (void)c;
    if (first == e->amid)
        atomic_store(&e->wrong, true);
    e->len = first ? len : e->len + len;
    e->amid = !last;
    take(e, data, len);
    atomic_fetch_add(&e->n_pieces, 1);
    if (last)
        ended(e, e->len, binary);
}

static void on_open(void *user, pl_data_channel *c)
{
    (void)c;
    atomic_store(&((pipe_end *)user)->open, true);
}

static void on_close(void *user, pl_data_channel *c)
{
    (void)c;
    atomic_store(&((pipe_end *)user)->closed, true);
}

static void on_low(void *user, pl_data_channel *c)
{
    (void)c;
    atomic_fetch_add(&((pipe_end *)user)->n_low, 1);
}

static void make(pipe_end *e, const pipe_conf *conf)
{
    pl_data_channel_init init = conf->init;
    pl_data_channel_observer watch = { .user = e,
                                       .on_open = on_open,
                                       .on_message = on_message,
                                       .on_close = on_close,
                                       .on_buffered_amount_low = on_low,
                                       .on_piece = e->whole ? NULL : on_piece };
    init.negotiated = true;
    PL_EQ(pl_peer_connection_new(&e->pc, e->factory, &conf->conf, NULL), PL_OK);
    PL_EQ(pl_peer_connection_create_data_channel(e->pc, "pipe", &init, &watch, &e->channel), PL_OK);
}

static void describe(pipe_duo *p, pipe_end *from, pipe_end *to, pl_sdp_type type)
{
    char *sdp;
    PL_EQ(pl_peer_connection_set_local_description(from->pc, type, NULL), PL_OK);
    PIPE_UNTIL(p, pl_peer_connection_get_ice_gathering_state(from->pc) == PL_ICE_GATHERING_COMPLETE);
    PL_EQ(pl_peer_connection_local_description(from->pc, NULL, &sdp), PL_OK);
    PL_EQ(pl_peer_connection_set_remote_description(to->pc, type, sdp), PL_OK);
    pl_free(sdp);
}

void pipe_open(pipe_duo *p, const pipe_conf *conf)
{
    memset(p, 0, sizeof *p);
    (void)pipe_bytes(0);
    if (conf->own_loop)
        PL_EQ(pl_loop_new(&p->loop, NULL), PL_OK);
    for (int i = 0; i < 2; i++) {
        pl_factory_conf factory = { .bind_address = conf->addresses[i], .loop = p->loop };
        factory.loopback = !factory.bind_address;
        if (factory.loopback)
            factory.bind_address = "127.0.0.1";
        if (conf->place)
            conf->place(i);
        PL_EQ(pl_factory_new(i ? &p->b.factory : &p->a.factory, &factory), PL_OK);
    }
    p->b.whole = conf->whole;
    make(&p->a, conf);
    make(&p->b, conf);
    describe(p, &p->a, &p->b, PL_SDP_OFFER);
    describe(p, &p->b, &p->a, PL_SDP_ANSWER);
    PIPE_UNTIL(p, p->a.open && p->b.open);
}

static void drop(pipe_end *e)
{
    pl_data_channel_free(e->channel);
    pl_peer_connection_free(e->pc);
}

void pipe_close(pipe_duo *p)
{
    drop(&p->a);
    drop(&p->b);
    pl_factory_free(p->a.factory);
    pl_factory_free(p->b.factory);
    pl_loop_free(p->loop);
}

void pipe_nap(pipe_duo *p)
{
    if (p->loop)
        PL_EQ(pl_loop_run_once(p->loop, PL_MS(1)), PL_OK);
    else
        usleep(1000);
}

size_t pipe_memory(void)
{
    char line[128] = "", *resident = line;
    FILE *f = fopen("/proc/self/statm", "r");
    PL_OKAY(f != NULL);
    PL_OKAY(fgets(line, sizeof line, f) != NULL);
    fclose(f);
    (void)strtoul(line, &resident, 10); /* all of it */
    return strtoul(resident, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}
