/* Channels through the public interface: every id there is, opened and closed; and each congestion controller. */
#include "peer/pipe.h"

#include <stdlib.h>

#include "pc/pc_internal.h"
#include "peer/peer_internal.h"

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED true
#else
#define SANITIZED false
#endif

enum {
    EVEN = 32768, /* the DTLS client's ids, 0 to 65534 */
    ODD = 32767,
    ALL = EVEN + ODD,
    A_CHANNEL_MAX = 4096, /* bytes of both ends of one, in 2 connections */
    CARRIED = 4 << 20
};

typedef struct crowd_end {
    pl_peer_connection *pc;
    struct crowd_end *other;
    pl_data_channel *made[ALL], *came[ALL]; /* by id */
    unsigned n_made, n_came, n_open, n_closed, n_messages;
} crowd_end;

typedef struct crowd {
    pl_loop *loop;
    pl_factory *factory;
    crowd_end end[2];
} crowd;

static void on_open(void *user, pl_data_channel *c)
{
    crowd_end *e = user;
    int id = pl_data_channel_id(c);
    PL_OKAY(id >= 0 && id < ALL);
    if (!e->came[id]) {
        PL_OKAY(!e->made[id]);
        e->made[id] = c;
    }
    e->n_open++;
}

static void on_close(void *user, pl_data_channel *c)
{
    crowd_end *e = user;
    int id = pl_data_channel_id(c);
    PL_OKAY(e->made[id] == c || e->came[id] == c);
    PL_EQ(pl_data_channel_get_state(c), PL_CHANNEL_CLOSED);
    e->made[id] = e->came[id] = NULL;
    e->n_closed++;
    pl_data_channel_free(c);
}

/* Its label and what it says are its id. */
static void on_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    crowd_end *e = user;
    uint16_t id;
    PL_OKAY(binary && len == sizeof id);
    memcpy(&id, data, sizeof id);
    PL_EQ(id, pl_data_channel_id(c));
    e->n_messages++;
}

static pl_data_channel_observer watch(crowd_end *e)
{
    return (pl_data_channel_observer){
        .user = e, .on_open = on_open, .on_close = on_close, .on_message = on_message
    };
}

static void on_channel(void *user, pl_data_channel *c)
{
    crowd_end *e = user;
    pl_data_channel_observer o = watch(e);
    int id = pl_data_channel_id(c);
    PL_OKAY(id >= 0 && id < ALL && !e->came[id] && !e->made[id]);
    pl_data_channel_set_observer(c, &o);
    e->came[id] = c;
    e->n_came++;
}

static void on_candidate(void *user, const pl_ice_candidate *candidate)
{
    crowd_end *e = user;
    pl_err err = pl_peer_connection_add_ice_candidate(e->other->pc, candidate);
    PL_OKAY(err == PL_OK || err == PL_ESTATE); /* no description yet: it will be in it */
}

static void describe(crowd_end *from, pl_sdp_type type)
{
    char *sdp;
    PL_EQ(pl_peer_connection_set_local_description(from->pc, type, NULL), PL_OK);
    PL_EQ(pl_peer_connection_local_description(from->pc, NULL, &sdp), PL_OK);
    PL_EQ(pl_peer_connection_set_remote_description(from->other->pc, type, sdp), PL_OK);
    pl_free(sdp);
}

#define CROWD_UNTIL(w, condition)                                                                            \
    do {                                                                                                     \
        int64_t crowd_end_us = pl_clock_us() + PL_SEC(200);                                                  \
        while (!(condition) && pl_clock_us() < crowd_end_us)                                                 \
            PL_EQ(pl_loop_run_once((w)->loop, PL_MS(20)), PL_OK);                                            \
        PL_OKAY(condition);                                                                                  \
    } while (0)

static pl_err open_one(crowd_end *e)
{
    pl_data_channel_observer o = watch(e);
    pl_data_channel *c;
    pl_err err = pl_peer_connection_create_data_channel(e->pc, "crowd", NULL, &o, &c);
    e->n_made += err == PL_OK;
    return err;
}

/* The answerer is the DTLS client: its ids are even. */
static crowd *crowd_new(void)
{
    crowd *w = calloc(1, sizeof *w);
    pl_factory_conf factory = { .bind_address = "127.0.0.1", .loopback = true };
    PL_OKAY(w != NULL);
    PL_EQ(pl_loop_new(&w->loop, NULL), PL_OK);
    factory.loop = w->loop;
    PL_EQ(pl_factory_new(&w->factory, &factory), PL_OK);
    for (int i = 0; i < 2; i++) {
        pl_peer_connection_observer o = { .user = &w->end[i],
                                          .on_data_channel = on_channel,
                                          .on_ice_candidate = on_candidate };
        w->end[i].other = &w->end[1 - i];
        PL_EQ(pl_peer_connection_new(&w->end[i].pc, w->factory, NULL, &o), PL_OK);
        PL_EQ(open_one(&w->end[i]), PL_OK);
    }
    describe(&w->end[0], PL_SDP_OFFER);
    describe(&w->end[1], PL_SDP_ANSWER);
    CROWD_UNTIL(w, w->end[0].n_open == 2 && w->end[1].n_open == 2);
    return w;
}

static void crowd_free(crowd *w)
{
    for (int i = 0; i < 2; i++) {
        for (int id = 0; id < ALL; id++) {
            pl_data_channel_free(w->end[i].made[id]);
            pl_data_channel_free(w->end[i].came[id]);
        }
        pl_peer_connection_free(w->end[i].pc);
    }
    pl_factory_free(w->factory);
    pl_loop_free(w->loop);
    free(w);
}

/* Each end as many as it has ids for, in batches. */
static void open_all(crowd *w)
{
    static const unsigned own[2] = { ODD, EVEN };
    while (w->end[0].n_open < ALL || w->end[1].n_open < ALL) {
        for (int i = 0; i < 2; i++) {
            for (unsigned n = 0; n < 4096 && w->end[i].n_made < own[i]; n++)
                PL_EQ(open_one(&w->end[i]), PL_OK);
        }
        CROWD_UNTIL(w, w->end[0].n_open == w->end[0].n_made + w->end[1].n_made &&
                           w->end[1].n_open == w->end[0].n_open);
    }
}

static pl_data_channel *at(const crowd_end *e, int id)
{
    return e->made[id] ? e->made[id] : e->came[id];
}

static void talk(crowd *w)
{
    for (int id = 0; id < ALL; id++) {
        for (int i = 0; i < 2; i++) {
            pl_data_channel *c = at(&w->end[i], id);
            PL_OKAY(c != NULL);
            PL_EQ(w->end[i].made[id] != NULL, id % 2 != i);
            PL_EQ(pl_data_channel_send(c, &(uint16_t){ (uint16_t)id }, 2, true), PL_OK);
        }
    }
    CROWD_UNTIL(w, w->end[0].n_messages == ALL && w->end[1].n_messages == ALL);
}

/* By the one, the other, or both, whoever opened them. */
static void close_all(crowd *w)
{
    for (int id = 0; id < ALL; id++) {
        for (int i = 0; i < 2; i++) {
            if (id % 5 == i || id % 5 == 2 + i || id % 5 == 4)
                pl_data_channel_close(at(&w->end[i], id));
        }
    }
    CROWD_UNTIL(w, w->end[0].n_closed == ALL && w->end[1].n_closed == ALL);
    for (int i = 0; i < 2; i++) {
        crowd_end *e = &w->end[i];
        e->n_made = e->n_came = e->n_open = e->n_closed = e->n_messages = 0;
    }
}

PL_TEST(all_ids_are_opened_and_closed_and_opened_again)
{
    size_t before, most[2] = { 0, 0 };
    crowd *w = crowd_new();
    before = pipe_memory();
    for (int round = 0; round < (SANITIZED ? 1 : 2); round++) {
        open_all(w);
        for (int i = 0; i < 2; i++)
            PL_EQ(open_one(&w->end[i]), PL_ENOSPC);
        talk(w);
        most[round] = pipe_memory();
        close_all(w);
    }
    if (!SANITIZED) { /* those keep what is freed for a while */
        PL_LE(most[0], before + (size_t)ALL * A_CHANNEL_MAX);
        PL_LE(most[1], most[0] + most[0] / 4); /* what the first left behind serves the second */
    }
    for (int i = 0; i < 2; i++)
        PL_EQ(open_one(&w->end[i]), PL_OK);
    CROWD_UNTIL(w, w->end[0].n_open == 2 && w->end[1].n_open == 2);
    crowd_free(w);
}

static pl_sctp_congestion controller_of(const pipe_end *e)
{
    pl_data_stats stats;
    pl_data_get_stats(e->pc->core->data, &stats);
    PL_OKAY(stats.has_sctp);
    return stats.sctp.congestion;
}

PL_TEST(each_controller_carries_its_bytes)
{
    for (unsigned c = PL_DATA_CONGESTION_DEFAULT; c <= PL_DATA_CONGESTION_LEDBAT; c++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = true, .conf.data_congestion = (pl_data_congestion)c });
        for (uint64_t sent = 0; sent < CARRIED; sent += 65536)
            PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(sent), 65536, true), PL_OK);
        PIPE_UNTIL(&p, p.b.n_bytes == CARRIED);
        PL_EQ(controller_of(&p.a), c);
        PL_OKAY(!p.b.wrong);
        pipe_close(&p);
    }
}

PL_TEST(there_is_no_other_controller)
{
    pl_factory *factory;
    pl_peer_connection *pc;
    const pl_configuration conf = { .data_congestion = PL_DATA_CONGESTION_LEDBAT + 1 };
    PL_EQ(pl_factory_new(&factory, NULL), PL_OK);
    PL_EQ(pl_peer_connection_new(&pc, factory, &conf, NULL), PL_EINVAL);
    pl_factory_free(factory);
}

PL_TEST(texts_must_be_utf_8)
{
    static const char *const bad[] = { "\xff",    "a\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "\xe2\x82" };
    static const char good[] = "\xe2\x82\xac \xf0\x9f\x98\x80";
    pipe_duo p;
    pl_data_channel *c;
    pipe_open(&p, &(pipe_conf){ .own_loop = true, .whole = true });
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const pl_data_channel_init init = { .protocol = bad[i] };
        PL_EQ(pl_peer_connection_create_data_channel(p.a.pc, bad[i], NULL, NULL, &c), PL_EINVAL);
        PL_EQ(pl_peer_connection_create_data_channel(p.a.pc, "label", &init, NULL, &c), PL_EINVAL);
        PL_EQ(pl_data_channel_send_text(p.a.channel, bad[i]), PL_EINVAL);
        PL_EQ(pl_data_channel_send(p.a.channel, bad[i], strlen(bad[i]), false), PL_EINVAL);
    }
    PL_EQ(pl_data_channel_buffered_amount(p.a.channel), 0);
    PL_EQ(pl_data_channel_send_text(p.a.channel, good), PL_OK);
    PIPE_UNTIL(&p, p.b.n_messages == 1);
    PL_EQ(p.b.n_bytes, strlen(good));
    pipe_close(&p);
}

static pl_data_channel *came;

static void on_came(void *user, pl_data_channel *c)
{
    (void)user;
    came = c;
}

/* What a channel is made of is known at the end that did not make it. */
PL_TEST(a_channel_from_the_peer_tells_what_it_is)
{
    pipe_duo p;
    pl_data_channel *c;
    pl_data_channel_init init = { .unordered = true,
                                  .has_max_packet_life_time = true,
                                  .max_packet_life_time = 500,
                                  .protocol = "proto",
                                  .priority = 1024 },
                         got;
    came = NULL;
    pipe_open(&p, &(pipe_conf){ .own_loop = true });
    p.b.pc->observer.on_data_channel = on_came;
    PL_EQ(pl_peer_connection_create_data_channel(p.a.pc, "x", &init, NULL, &c), PL_OK);
    PIPE_UNTIL(&p, came != NULL);
    pl_data_channel_get_init(came, &got);
    PL_OKAY(got.unordered && got.has_max_packet_life_time && !got.has_max_retransmits && !got.negotiated);
    PL_EQ(got.max_packet_life_time, 500);
    PL_EQ(got.priority, 1024);
    PL_STREQ(got.protocol, "proto");
    PL_EQ(got.id, pl_data_channel_id(c));
    pl_data_channel_get_init(p.a.channel, &got);
    PL_OKAY(!got.unordered && got.negotiated && got.priority == 256 && got.id == 0);
    pl_data_channel_free(c);
    pl_data_channel_free(came);
    pipe_close(&p);
}

PL_TESTS(t(all_ids_are_opened_and_closed_and_opened_again), t(each_controller_carries_its_bytes),
         t(there_is_no_other_controller), t(texts_must_be_utf_8), t(a_channel_from_the_peer_tells_what_it_is))
