/* Two ends that call, change, hold and hang up at random, over a link that delays, changes the order of stanzas and breaks:
 * in the end both say the same of every session. PL_SEED replays one. */
#include "pl_test.h"

#include "jingle_side.h"

enum { FLIGHT_MAX = 4096, SESSIONS_MAX = 256, SEEDS = 2000 };

typedef struct flight {
    pl_xml *e; /* NULL: landed */
    int64_t at_us;
    int to;
} flight;

typedef struct fate { /* of one session, at both ends */
    char sid[64];
    bool seen[2], ended[2], ignored, torn; /* torn: the link broke while it lived */
    pl_jingle_reason reason[2];
} fate;

typedef struct world {
    side *s[2];
    pl_rand_seeded state;
    pl_rand rand;
    int64_t now_us, delay_us, jitter_us;
    int64_t not_before_us
        [2]; /* what a new stream of this side sends comes after the news of the end of the old one */
    flight flight[FLIGHT_MAX];
    size_t n_flight;
    fate fate[SESSIONS_MAX];
    size_t n_fates;
    bool cut; /* the link broke at least once */
    unsigned next_name, n_calls;
} world;

static uint32_t dice(world *w, uint32_t sides)
{
    return pl_rand_below(&w->rand, sides);
}

static fate *fate_of(world *w, const char *sid)
{
    for (size_t i = 0; i < w->n_fates; i++) {
        if (strcmp(w->fate[i].sid, sid) == 0)
            return &w->fate[i];
    }
    PL_OKAY(w->n_fates < SESSIONS_MAX);
    fate *f = &w->fate[w->n_fates++];
    f->torn = w->now_us < w->not_before_us[0] ||
              w->now_us < w->not_before_us[1]; /* called whom the news is about */
    snprintf(f->sid, sizeof f->sid, "%s", sid);
    return f;
}

/* --- the link ------------------------------------------------------------------------------------------------- */

static void send_at(world *w, pl_xml *e, int to, int64_t at_us)
{
    PL_OKAY(w->n_flight < FLIGHT_MAX);
    w->flight[w->n_flight++] = (flight){ .e = e, .to = to, .at_us = at_us };
}

static void collect(world *w, int from)
{
    side *s = w->s[from];
    for (pl_xml *e; (e = pl_jingle_poll_output(s->j, w->now_us));) {
        pl_xml_set(e, "from", s->name);
        int64_t at_us = w->now_us + w->delay_us + dice(w, (uint32_t)w->jitter_us + 1);
        send_at(w, e, !from, pl_max_us(at_us, w->not_before_us[from]));
    }
}

static int64_t arrive(world *w)
{
    int64_t next_us = PL_NEVER;
    size_t kept = 0;
    for (size_t i = 0; i < w->n_flight; i++) {
        flight f = w->flight[i];
        if (f.at_us <= w->now_us) {
            if (getenv("PL_SEED") && getenv("PL_TRACE")) {
                char *text = xml_text(f.e);
                print_message("%lld to %d: %s\n", (long long)w->now_us, f.to, text);
                free(text);
            }
            (void)pl_jingle_input(w->s[f.to]->j, w->now_us, f.e);
            pl_xml_free(f.e);
        } else {
            next_us = pl_min_us(next_us, f.at_us);
            w->flight[kept++] = f;
        }
    }
    w->n_flight = kept;
    return next_us;
}

/* The stream of one side breaks and is not resumed: what is under way to it is lost, what is under way from it may be,
 * and its server tells the other side. */
static void cut(world *w, int who)
{
    int64_t last_us = w->now_us;
    size_t kept = 0;
    w->cut = true;
    for (size_t i = 0; i < w->n_fates; i++)
        w->fate[i].torn = w->fate[i].torn || !w->fate[i].ended[0] || !w->fate[i].ended[1];
    collect(w, who);
    bool lost_too = dice(w, 2);
    for (size_t i = 0; i < w->n_flight; i++) {
        if (w->flight[i].to == who || lost_too) {
            pl_xml_free(w->flight[i].e);
            continue;
        }
        last_us = pl_max_us(last_us, w->flight[i].at_us);
        w->flight[kept++] = w->flight[i];
    }
    w->n_flight = kept;
    pl_xml *presence = pl_xml_new(PL_NS_CLIENT, "presence");
    pl_xml_set(presence, "from", w->s[who]->name);
    pl_xml_set(presence, "type", "unavailable");
    send_at(w, presence, !who, last_us + 1);
    w->not_before_us[who] = last_us + 2;
    pl_jingle_cut(w->s[who]->j, w->now_us);
}

/* --- what people do ------------------------------------------------------------------------------------------- */

static pl_xml *offer(world *w)
{
    char name[16];
    snprintf(name, sizeof name, "c%u", w->next_name++);
    pl_xml *jingle = audio(name);
    if (dice(w, 2)) {
        snprintf(name, sizeof name, "c%u", w->next_name++);
        pl_xml *more =
            content_of(name, dice(w, 4) ? PL_NS_JINGLE_CHANNELS : "urn:example:board", PL_NS_JINGLE_ICE_UDP);
        pl_xml_add_copy(jingle, more->first);
        pl_xml_free(more);
    }
    return jingle;
}

/* The contents of a session for which `pick` is said, each with what it has. */
static pl_xml *contents(world *w, pl_jingle_session *s, bool accepted, bool ours)
{
    pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle");
    pl_jingle_content c;
    static const char *const senders[] = { "both", "initiator", "responder", "none" };
    for (size_t i = 0; pl_jingle_content_at(s, i, &c); i++) {
        if (c.accepted != accepted || (!accepted && c.offered_by_us != ours) || dice(w, 3) == 0)
            continue;
        pl_xml *e = pl_jingle_write_name(jingle, c.name, senders[dice(w, 4)]);
        pl_xml_add(e, c.application, "description");
        pl_xml_add(e, dice(w, 2) ? PL_NS_JINGLE_ICE_UDP : PL_NS_JINGLE_RAW_UDP, "transport");
    }
    return jingle;
}

static void tolerate(pl_err err)
{
    PL_OKAY(err == PL_OK || err == PL_ESTATE || err == PL_EINVAL || err == PL_ENOSPC);
}

static void hang_up(world *w, pl_jingle_session *s)
{
    tolerate(pl_jingle_terminate(s, w->now_us, (pl_jingle_reason)(1 + dice(w, PL_JINGLE_REASONS - 1)),
                                 "enough", NULL));
}

static void touch(world *w, pl_jingle_session *s)
{
    static const pl_jingle_action change[] = { PL_JINGLE_CONTENT_MODIFY,    PL_JINGLE_CONTENT_REMOVE,
                                               PL_JINGLE_TRANSPORT_REPLACE, PL_JINGLE_TRANSPORT_INFO,
                                               PL_JINGLE_DESCRIPTION_INFO,  PL_JINGLE_TRANSPORT_ACCEPT,
                                               PL_JINGLE_TRANSPORT_REJECT,  PL_JINGLE_SECURITY_INFO };
    switch (dice(w, 12)) {
    case 0: hang_up(w, s); break;
    case 1:
    case 2: tolerate(pl_jingle_request(s, w->now_us, PL_JINGLE_CONTENT_ADD, offer(w))); break;
    case 3:
        tolerate(pl_jingle_request(s, w->now_us,
                                   dice(w, 2) ? PL_JINGLE_CONTENT_ACCEPT : PL_JINGLE_CONTENT_REJECT,
                                   contents(w, s, false, false)));
        break;
    case 4:
        tolerate(pl_jingle_tell(s, w->now_us, (pl_jingle_info)dice(w, PL_JINGLE_UNMUTE + 1), NULL));
        break;
    case 5: tolerate(pl_jingle_accept(s, w->now_us, contents(w, s, false, false))); break;
    default: tolerate(pl_jingle_request(s, w->now_us, change[dice(w, 8)], contents(w, s, true, true))); break;
    }
}

static void on_event(world *w, int who, const pl_jingle_event *e)
{
    fate *f = fate_of(w, pl_jingle_sid(e->session));
    f->seen[who] = true;
    if (e->kind == PL_JINGLE_ENDED_NOW) {
        PL_OKAY(!f->ended[who]);
        f->ended[who] = true;
        f->reason[who] = e->reason;
    } else if (e->kind == PL_JINGLE_INCOMING && pl_jingle_session_state(e->session) != PL_JINGLE_ENDED) {
        if (dice(w, 8) == 0) {
            f->ignored = true;
            PL_EQ(pl_jingle_ignore(e->session, w->now_us), PL_OK);
        } else {
            PL_EQ(pl_jingle_admit(e->session, w->now_us), PL_OK);
            tolerate(pl_jingle_tell(e->session, w->now_us, PL_JINGLE_RINGING, NULL));
        }
    } else if (e->kind == PL_JINGLE_INCOMING) {
        f->ignored = true; /* the caller gave up first, and was told nothing */
    }
}

static pl_jingle_session *some_session(world *w, int who)
{
    for (int tries = 0; w->n_fates && tries < 8; tries++) {
        fate *f = &w->fate[dice(w, (uint32_t)w->n_fates)];
        pl_jingle_session *s = pl_jingle_find(w->s[who]->j, w->s[!who]->name, f->sid);
        if (s)
            return s;
    }
    return NULL;
}

static void act(world *w, int who)
{
    pl_jingle_session *s = some_session(w, who);
    if (w->n_calls < 12 && (!s || dice(w, 10) == 0)) {
        w->n_calls++;
        if (pl_jingle_initiate(w->s[who]->j, w->now_us, w->s[!who]->name, NULL, offer(w), &s) == PL_OK)
            fate_of(w, pl_jingle_sid(s))->seen[who] = true;
    } else if (s) {
        touch(w, s);
    }
}

/* --- one run ------------------------------------------------------------------------------------------------------ */

static void run(world *w, int64_t until_us, bool acting)
{
    int64_t act_us = w->now_us;
    for (;;) {
        int64_t next_us = arrive(w);
        for (int who = 0; who < 2; who++) {
            pl_jingle_event e;
            pl_jingle_tick(w->s[who]->j, w->now_us);
            while (pl_jingle_poll_event(w->s[who]->j, &e))
                on_event(w, who, &e);
            if (acting && act_us <= w->now_us)
                act(w, who);
            collect(w, who);
            next_us = pl_min_us(next_us, pl_jingle_next_us(w->s[who]->j));
        }
        if (acting && act_us <= w->now_us)
            act_us = w->now_us + 1 + dice(w, 400000);
        for (size_t i = 0; i < w->n_flight; i++)
            next_us = pl_min_us(next_us, w->flight[i].at_us);
        if (acting)
            next_us = pl_min_us(next_us, act_us);
        if (next_us > until_us)
            break;
        w->now_us = pl_max_us(w->now_us + 1, next_us);
    }
    w->now_us = until_us;
}

static bool same_contents(pl_jingle_session *a, pl_jingle_session *b)
{
    pl_jingle_content x, y;
    size_t n = 0, m = 0;
    while (pl_jingle_content_at(a, n, &x))
        n++;
    while (pl_jingle_content_at(b, m, &y))
        m++;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        (void)pl_jingle_content_at(a, i, &x);
        for (size_t k = 0; k < m && !found; k++) {
            (void)pl_jingle_content_at(b, k, &y);
            found = strcmp(x.name, y.name) == 0 && x.by_initiator == y.by_initiator &&
                    x.senders == y.senders && x.accepted == y.accepted &&
                    strcmp(x.transport, y.transport) == 0;
        }
        if (!found)
            return false;
    }
    return n == m;
}

/* Of a link that breaks both ends hear; but a farewell that was under way is known to one of them alone. */
static bool agree(const fate *f)
{
    return f->ended[0] == f->ended[1] && (f->torn || f->reason[0] == f->reason[1]);
}

static void show(const char *who, pl_jingle_session *s)
{
    pl_jingle_content c;
    print_error("  %s: state %d, %zu waiting\n", who, pl_jingle_session_state(s), pl_jingle_waiting(s));
    for (size_t i = 0; pl_jingle_content_at(s, i, &c); i++)
        print_error("    %s by %s, senders %s, %s, %s\n", c.name, c.by_initiator ? "initiator" : "responder",
                    pl_jingle_senders_str(c.senders), c.accepted ? "accepted" : "offered", c.transport);
}

static bool judge(world *w)
{
    bool fine = true;
    for (size_t i = 0; i < w->n_fates; i++) {
        const fate *f = &w->fate[i];
        if (!f->seen[0] || !f->seen[1]) { /* refused before anybody heard of it, or lost with the link */
            fine = fine && (f->ended[0] || f->ended[1]);
            continue;
        }
        if (f->ignored)
            continue;
        pl_jingle_session *a = pl_jingle_find(w->s[0]->j, JULIET, f->sid),
                          *b = pl_jingle_find(w->s[1]->j, ROMEO, f->sid);
        bool same =
            !a == !b && (a ? pl_jingle_session_state(a) == pl_jingle_session_state(b) &&
                                 same_contents(a, b) && pl_jingle_waiting(a) + pl_jingle_waiting(b) == 0
                           : agree(f));
        if (!same)
            print_error("%s: %s %d, %s %d\n", f->sid, a ? "stands" : "ended", f->reason[0],
                        b ? "stands" : "ended", f->reason[1]);
        if (!same && a && b) {
            show(ROMEO, a);
            show(JULIET, b);
        }
        fine = fine && same;
    }
    return fine;
}

static void one_seed(uint64_t seed, size_t *n_ended, size_t *n_standing, size_t *n_cut)
{
    world *w = calloc(1, sizeof *w);
    w->rand = pl_rand_seed(&w->state, seed);
    w->s[0] = side_new(ROMEO, seed * 2);
    w->s[1] = side_new(JULIET, seed * 2 + 1);
    w->delay_us = dice(w, 200000);
    w->jitter_us = dice(w, 3) ? dice(w, 1000000) : 0;
    run(w, PL_SEC(2 + dice(w, 10)), true);
    if (seed % 4 == 0) {
        cut(w, (int)dice(w, 2));
        run(w, w->now_us + PL_SEC(3), true);
    }
    run(w, w->now_us + 3 * PL_JINGLE_ACK_US, false);
    bool fine = judge(w);
    if (!fine)
        print_error("PL_SEED=%llu\n", (unsigned long long)seed);
    PL_OKAY(fine);
    for (size_t i = 0; i < w->n_fates; i++) {
        *n_ended += w->fate[i].ended[0] && w->fate[i].ended[1];
        *n_standing += !w->fate[i].ended[0] && !w->fate[i].ended[1];
    }
    *n_cut += w->cut;
    for (size_t i = 0; i < w->n_flight; i++)
        pl_xml_free(w->flight[i].e);
    side_free(w->s[0]);
    side_free(w->s[1]);
    free(w);
}

PL_TEST(both_ends_agree)
{
    uint64_t first = pl_test_seed(1);
    size_t n_ended = 0, n_standing = 0, n_cut = 0;
    for (uint64_t seed = first; seed < first + (getenv("PL_SEED") ? 1 : SEEDS); seed++)
        one_seed(seed, &n_ended, &n_standing, &n_cut);
    print_message("%zu sessions ended, %zu stand, %zu runs with a cut\n", n_ended, n_standing, n_cut);
    PL_OKAY(getenv("PL_SEED") || (n_ended > SEEDS && n_standing > SEEDS / 10 && n_cut > SEEDS / 8));
}

PL_TESTS(t(both_ends_agree))
