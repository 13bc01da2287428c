/* Two accounts that want to call each other at the same time, by proposals (XEP-0353) and the sessions that come of them, over a
 * link that delays and may break: in the end both have the same call, or none. PL_SEED replays one. */
#include "pl_test.h"

#include "jingle/message.h"
#include "jingle_side.h"

enum { FLIGHT_MAX = 128, SEEDS = 4000 };

typedef struct flight {
    pl_xml *e;
    int64_t at_us;
} flight;

typedef struct person {
    side *s;
    pl_jmi *m;
    pl_rand_seeded state;
    flight out[FLIGHT_MAX];
    size_t n_out;
    int64_t last_us, dial_us, decide_us, regret_us,
        here_us; /* here_us: what comes before it is kept, and does not ring */
    char dialled[PL_JMI_ID_MAX + 1], rings[PL_JMI_ID_MAX + 1],
        agreed[PL_JMI_ID_MAX + 1]; /* proposals; "": none */
    pl_jingle_session *call;
    unsigned n_tie_breaks, n_calls;
} person;

typedef struct world {
    person p[2];
    pl_rand_seeded state;
    pl_rand rand;
    int64_t now_us;
    bool crossing; /* both dial, and nobody regrets, rejects or is cut off */
} world;

static uint32_t dice(world *w, uint32_t sides)
{
    return pl_rand_below(&w->rand, sides);
}

/* --- the link: in order, each stanza after a while ----------------------------------------------------------- */

static void put(world *w, person *from, pl_xml *e)
{
    int64_t at_us = w->now_us + 1000 + dice(w, dice(w, 2) ? 5000 : 300000);
    PL_OKAY(from->n_out < FLIGHT_MAX);
    pl_xml_set(e, "from", from->s->name);
    from->last_us = pl_max_us(from->last_us, at_us);
    from->out[from->n_out++] = (flight){ e, from->last_us };
}

static void collect(world *w, person *from)
{
    for (pl_xml *e; (e = pl_jmi_poll_output(from->m));)
        put(w, from, e);
    for (pl_xml *e; (e = pl_jingle_poll_output(from->s->j, w->now_us));)
        put(w, from, e);
}

static void arrive(world *w, person *from, person *to)
{
    size_t n = 0;
    for (; n < from->n_out && from->out[n].at_us <= w->now_us; n++) {
        pl_xml *e = xml_carried(from->out[n].e);
        bool own = strncmp(pl_xml_attr_of(e, "to"), from->s->name, strcspn(from->s->name, "/")) == 0;
        person *target = own ? from : to;
        if (w->now_us >= target->here_us && !pl_jmi_input(target->m, w->now_us, e))
            (void)pl_jingle_input(target->s->j, w->now_us, e);
        pl_xml_free(e);
        pl_xml_free(from->out[n].e);
    }
    from->n_out -= n;
    memmove(from->out, from->out + n, from->n_out * sizeof *from->out);
}

/* One stream breaks and is not resumed: proposals of that side are forgotten, as in a program that signs in anew. */
static void cut(world *w, person *p, person *other)
{
    for (size_t i = 0; i < p->n_out; i++)
        pl_xml_free(p->out[i].e);
    for (size_t i = 0; i < other->n_out; i++)
        pl_xml_free(other->out[i].e);
    p->n_out = other->n_out = 0;
    pl_jingle_cut(p->s->j, w->now_us);
    pl_jmi_free(p->m);
    pl_jmi_conf conf = { .self = p->s->name, .rand = pl_rand_seed(&p->state, dice(w, 1u << 30)) };
    PL_EQ(pl_jmi_new(&p->m, &conf, w->now_us), PL_OK);
    p->dialled[0] = p->rings[0] = p->agreed[0] = 0;
    p->decide_us = p->regret_us = PL_NEVER;
    pl_xml *presence = pl_xml_new(PL_NS_CLIENT, "presence");
    pl_xml_set(presence, "to", other->s->name);
    pl_xml_set(presence, "type", "unavailable");
    put(w, p, presence);
}

/* --- people -------------------------------------------------------------------------------------------------- */

static void on_proposal(world *w, person *p, const pl_jmi_event *e)
{
    pl_xml *offer;
    switch (e->kind) {
    case PL_JMI_INCOMING:
        PL_OKAY(!p->rings[0]); /* never twice at one time */
        snprintf(p->rings, sizeof p->rings, "%s", e->id);
        p->decide_us = w->now_us + dice(w, 500000);
        (void)!pl_jmi_ring(p->m, e->id); /* it may be taken back already */
        break;
    case PL_JMI_PROCEED:
        PL_STREQ(e->id, p->dialled);
        offer = audio("voice");
        PL_EQ(pl_jingle_initiate(p->s->j, w->now_us, e->from, e->id, offer, &p->call), PL_OK);
        p->n_calls++;
        p->regret_us = PL_NEVER;
        break;
    case PL_JMI_REJECTED:
        p->n_tie_breaks += e->tie_break;
        p->dialled[0] = 0;
        p->regret_us = PL_NEVER;
        break;
    case PL_JMI_RETRACTED:
    case PL_JMI_TAKEN:
    case PL_JMI_EXPIRED:
    case PL_JMI_FAILED:
    case PL_JMI_FINISHED:
        if (strcmp(e->id, p->rings) == 0)
            p->rings[0] = 0, p->decide_us = PL_NEVER;
        if (strcmp(e->id, p->agreed) == 0)
            p->agreed[0] = 0;
        if (strcmp(e->id, p->dialled) == 0)
            p->dialled[0] = 0, p->regret_us = PL_NEVER;
        break;
    case PL_JMI_RINGING: break;
    }
}

static void on_session(world *w, person *p, const pl_jingle_event *e)
{
    if (e->kind == PL_JINGLE_INCOMING && strcmp(pl_jingle_sid(e->session), p->agreed) == 0) {
        PL_EQ(pl_jmi_started(p->m, p->agreed), PL_OK);
        PL_EQ(pl_jingle_admit(e->session, w->now_us), PL_OK);
        PL_EQ(pl_jingle_accept(e->session, w->now_us, audio("voice")), PL_OK);
        p->call = e->session;
        p->n_calls++;
    } else if (e->kind == PL_JINGLE_INCOMING && pl_jingle_session_state(e->session) != PL_JINGLE_ENDED) {
        PL_EQ(pl_jingle_ignore(e->session, w->now_us), PL_OK);
    } else if (e->kind == PL_JINGLE_ENDED_NOW && e->session == p->call) {
        p->call = NULL;
        p->dialled[0] = p->agreed[0] = 0;
    }
}

static void decide(world *w, person *p)
{
    p->decide_us = PL_NEVER;
    if (!p->rings[0])
        return;
    if (!w->crossing && dice(w, 4) == 0) {
        PL_EQ(pl_jmi_reject(p->m, p->rings, PL_JINGLE_DECLINE), PL_OK);
    } else {
        PL_EQ(pl_jmi_proceed(p->m, w->now_us, p->rings), PL_OK);
        snprintf(p->agreed, sizeof p->agreed, "%s", p->rings);
    }
    p->rings[0] = 0;
}

/* Also while it rings; who talks does not. */
static void dial(world *w, person *p, const person *other)
{
    char bare[64];
    p->dial_us = PL_NEVER;
    if (p->agreed[0] || p->call)
        return;
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(other->s->name, "/"), other->s->name);
    PL_EQ(pl_jmi_propose(p->m, w->now_us, bare, true, false, false, p->dialled), PL_OK);
    p->regret_us = w->crossing || dice(w, 2) ? PL_NEVER : w->now_us + dice(w, 900000);
}

static void turn(world *w, person *p, const person *other)
{
    pl_jmi_event e;
    pl_jingle_event s;
    pl_jmi_tick(p->m, w->now_us);
    pl_jingle_tick(p->s->j, w->now_us);
    while (pl_jmi_poll_event(p->m, &e))
        on_proposal(w, p, &e);
    while (pl_jingle_poll_event(p->s->j, &s))
        on_session(w, p, &s);
    if (p->dial_us <= w->now_us)
        dial(w, p, other);
    if (p->decide_us <= w->now_us)
        decide(w, p);
    if (p->regret_us <= w->now_us) {
        p->regret_us = PL_NEVER;
        PL_EQ(pl_jmi_retract(p->m, p->dialled, PL_JINGLE_CANCEL), PL_OK);
        p->dialled[0] = 0;
    }
    collect(w, p);
}

static int64_t next_us(const person *p)
{
    int64_t at_us = pl_min_us(pl_min_us(p->dial_us, p->decide_us), p->regret_us);
    at_us = pl_min_us(at_us, pl_min_us(pl_jmi_next_us(p->m), pl_jingle_next_us(p->s->j)));
    return p->n_out ? pl_min_us(at_us, p->out[0].at_us) : at_us;
}

static void run(world *w, int64_t until_us)
{
    person *a = &w->p[0], *b = &w->p[1];
    for (;;) {
        arrive(w, a, b);
        arrive(w, b, a);
        turn(w, a, b);
        turn(w, b, a);
        int64_t at_us = pl_min_us(next_us(a), next_us(b));
        if (at_us > until_us)
            break;
        w->now_us = pl_max_us(w->now_us + 1, at_us);
    }
    w->now_us = until_us;
}

/* --- one life ------------------------------------------------------------------------------------------------ */

static void person_new(world *w, person *p, const char *name, uint64_t seed)
{
    p->s = side_new(name, seed);
    pl_jmi_conf conf = { .self = name, .rand = pl_rand_seed(&p->state, seed + 77) };
    PL_EQ(pl_jmi_new(&p->m, &conf, 0), PL_OK);
    p->decide_us = p->regret_us = PL_NEVER;
    p->dial_us = dice(w, 500000);
}

static void person_clear(person *p)
{
    for (size_t i = 0; i < p->n_out; i++)
        pl_xml_free(p->out[i].e);
    pl_jmi_free(p->m);
    side_free(p->s);
}

static unsigned n_crossed, n_stood;

static void judge(const world *w)
{
    const person *a = &w->p[0], *b = &w->p[1];
    PL_EQ(a->call != NULL, b->call != NULL);
    if (a->call) {
        PL_STREQ(pl_jingle_sid(a->call), pl_jingle_sid(b->call));
        PL_EQ(pl_jingle_session_state(a->call), PL_JINGLE_ACTIVE);
        PL_EQ(pl_jingle_session_state(b->call), PL_JINGLE_ACTIVE);
        PL_OKAY(pl_jingle_we_called(a->call) != pl_jingle_we_called(b->call));
    }
    for (int i = 0; i < 2; i++) { /* nobody is left ringing, or waiting for somebody */
        const person *p = &w->p[i];
        PL_EQ(pl_jingle_n_sessions(p->s->j), p->call != NULL);
        PL_STREQ(p->rings, "");
        PL_OKAY(p->call || (!p->dialled[0] && !p->agreed[0]));
    }
    if (w->crossing) { /* and then there is exactly one call, of either */
        PL_OKAY(a->call);
        PL_EQ(a->n_calls, 1);
        PL_EQ(b->n_calls, 1);
    }
    n_crossed += a->n_tie_breaks + b->n_tie_breaks > 0;
    n_stood += a->call != NULL;
}

static void one_life(uint64_t seed)
{
    world *w = calloc(1, sizeof *w);
    w->rand = pl_rand_seed(&w->state, seed);
    w->crossing = seed % 2;
    person_new(w, &w->p[0], ROMEO, seed * 2);
    person_new(w, &w->p[1], JULIET, seed * 2 + 1);
    if (seed % 4 == 1) { /* one signs in while the other one calls, or just after */
        person *late = &w->p[dice(w, 2)];
        late->here_us = dice(w, 1500000);
        late->dial_us = pl_max_us(late->dial_us, late->here_us);
    }
    if (seed % 8 == 0) {
        run(w, dice(w, 1500000));
        int who = (int)dice(w, 2);
        cut(w, &w->p[who], &w->p[!who]);
    }
    run(w, w->now_us + PL_JMI_RING_US + PL_SEC(100));
    judge(w);
    person_clear(&w->p[0]);
    person_clear(&w->p[1]);
    free(w);
}

static uint64_t running; /* 0: none */

PL_TEST(one_call_comes_of_two_proposals)
{
    uint64_t first = pl_test_seed(1), n = getenv("PL_SEED") ? 1 : SEEDS;
    for (running = first; running < first + n; running++)
        one_life(running);
    running = 0;
    PL_OKAY(n == 1 || (n_crossed > SEEDS / 10 && n_stood > SEEDS / 3));
}

static int tell_seed(void **state)
{
    (void)state;
    if (running)
        print_error("PL_SEED=%llu\n", (unsigned long long)running);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_teardown(one_call_comes_of_two_proposals,
                                                                  tell_seed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
