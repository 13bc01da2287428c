/* Two ends of a call that change it at random, both at once, over a link that delays: media come and go, turn, are stopped, ICE
 * begins anew. In the end both have the same sections, directions and credentials. */
#include "pl_test.h"

#include "../desc/jsep_peer.h"
#include "jingle/jingle_side.h"
#include "sdp/sdp.h"
#include "signal/jingle_call.h"

enum { FLIGHT_MAX = 512, SEEDS = 700, CHANGES = 12 };

typedef struct flight { /* a stanza on its way */
    pl_xml *stanza;
    int64_t at_us;
} flight;

typedef struct end {
    side *s;
    struct end *peer;
    pl_jingle_call *call;
    pl_jsep *j;
    pl_rand_seeded state, chance_state;
    pl_rand chance;
    pl_desc_fingerprint key;
    char key_text[96];
    flight out[FLIGHT_MAX];
    size_t n_out;
    int64_t last_us, answer_us, candidate_us;
    bool ended, started;
    char their_ufrag[PL_DESC_UFRAG_MAX + 1]; /* of the last candidate that came */
    unsigned n_offers, n_refused;
} end;

static int64_t now_us;

/* --- a connection's part: perfect negotiation (W3C webrtc 10.7) --- */

static void describe(end *e)
{
    pl_sdp_type type;
    const pl_desc *d = pl_jsep_local(e->j, &type);
    char *sdp;
    PL_EQ(pl_sdp_write(d, &sdp, NULL), PL_OK);
    PL_EQ(pl_jingle_call_describe(e->call, now_us, type, sdp), PL_OK);
    free(sdp);
}

static void gather(end *e)
{
    pl_jsep_event ev;
    while (pl_jsep_poll_event(e->j, &ev)) {
        if (ev.kind == PL_JSEP_GATHER)
            e->candidate_us = now_us + pl_rand_below(&e->chance, 30000);
    }
    pl_jsep_check(e->j);
}

static void needed(end *e)
{
    if (!e->call || e->ended || !e->started || pl_jsep_state(e->j) != PL_SIGNALING_STABLE ||
        !pl_jsep_negotiation_needed(e->j))
        return;
    e->n_offers++;
    PL_EQ(pl_jsep_set_local_implicit(e->j), PL_OK);
    gather(e);
    describe(e);
}

static void answer(end *e)
{
    e->answer_us = PL_NEVER;
    PL_EQ(pl_jsep_state(e->j), PL_SIGNALING_HAVE_REMOTE_OFFER);
    PL_EQ(pl_jsep_set_local_implicit(e->j), PL_OK);
    gather(e);
    e->started = true;
    describe(e);
}

static void on_description(void *user, pl_sdp_type type, const char *sdp)
{
    end *e = user;
    pl_desc *d;
    PL_EQ(pl_sdp_parse(&d, sdp, strlen(sdp), NULL), PL_OK);
    bool stable = pl_jsep_state(e->j) == PL_SIGNALING_STABLE;
    PL_OKAY(type == PL_SDP_ANSWER ? !stable
                                  : stable || !pl_jingle_we_called(pl_jingle_call_session(e->call)));
    pl_err err = pl_jsep_set_remote(e->j, type, d);
    if (err)
        print_error("%s\n%s\n", pl_jsep_error(e->j), sdp);
    PL_EQ(err, PL_OK);
    gather(e);
    for (size_t i = 0; i < d->media.n; i++) {
        if (d->media.at[i].candidates.n && !pl_desc_rejected(&d->media.at[i]))
            snprintf(e->their_ufrag, sizeof e->their_ufrag, "%s", d->media.at[i].ufrag);
    }
    pl_desc_free(d);
    if (type == PL_SDP_OFFER && pl_rand_below(&e->chance, 2))
        e->answer_us = now_us + pl_rand_below(&e->chance, 50000); /* people think about it */
    else if (type == PL_SDP_OFFER)
        answer(e);
    else if (pl_rand_below(&e->chance, 2))
        needed(e);
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    end *e = user;
    PL_OKAY(c->username_fragment);
    snprintf(e->their_ufrag, sizeof e->their_ufrag, "%s", c->username_fragment);
}

static void on_refused(void *user, pl_err err, const char *why)
{
    end *e = user;
    (void)why;
    PL_EQ(err, PL_EAGAIN); /* both added media of one kind at once, too late for a tie-break */
    e->n_refused++;
    PL_EQ(pl_jsep_set_local(e->j, PL_SDP_ROLLBACK, NULL), PL_OK);
    gather(e);
}

static void on_note(void *user, const char *text)
{
    (void)user, (void)text;
}

static void on_ended(void *user, pl_jingle_reason reason, const char *why)
{
    end *e = user;
    bool fine = reason == PL_JINGLE_SUCCESS || reason == PL_JINGLE_DECLINE ||
                reason == PL_JINGLE_FAILED_APPLICATION; /* nothing is left, or was taken */
    if (!fine)
        print_error("ended: %s\n", why);
    PL_OKAY(fine);
    e->ended = true;
}

static void trickle(end *e)
{
    const char *mid;
    int mline;
    e->candidate_us = PL_NEVER;
    if (e->ended)
        return;
    if (!pl_jsep_transport_section(e->j, &mid, &mline)) {
        e->candidate_us = now_us + 30000; /* all media are gone for now */
        return;
    }
    const pl_desc_media *m = &pl_jsep_local(e->j, NULL)->media.at[mline];
    static const char line[] = "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host";
    PL_EQ(pl_jsep_add_local_candidate(e->j, pl_str_of(line), m->ufrag), PL_OK);
    pl_ice_candidate c = { line, mid, mline, m->ufrag };
    PL_EQ(pl_jingle_call_candidate(e->call, now_us, &c), PL_OK);
}

/* --- the world --- */

static void give_call(end *e, pl_jingle_session *session)
{
    pl_jingle_call_conf conf = { .jingle = e->s->j,
                                 .peer = e->peer->s->name,
                                 .session = session,
                                 .user = e,
                                 .description = on_description,
                                 .candidate = on_candidate,
                                 .refused = on_refused,
                                 .note = on_note,
                                 .ended = on_ended };
    PL_EQ(pl_jingle_call_new(&e->call, &conf), PL_OK);
}

static end *end_new(const char *name, uint64_t seed, char digit, char mid_prefix)
{
    end *e = calloc(1, sizeof *e);
    e->s = side_new(name, seed);
    e->chance = pl_rand_seed(&e->chance_state, seed + 7);
    snprintf(e->key_text, sizeof e->key_text, "%s", peer_fingerprint.value);
    e->key_text[0] = digit;
    e->key = (pl_desc_fingerprint){ "sha-256", e->key_text };
    pl_jsep_conf conf = peer_conf(pl_rand_seed(&e->state, seed));
    conf.fingerprints = &e->key;
    conf.mid_prefix = mid_prefix;
    PL_EQ(pl_jsep_new(&e->j, &conf), PL_OK);
    e->answer_us = e->candidate_us = PL_NEVER;
    return e;
}

static void end_free(end *e)
{
    if (e->call)
        pl_jingle_call_free(e->call, now_us);
    for (size_t i = 0; i < e->n_out; i++)
        pl_xml_free(e->out[i].stanza);
    pl_jsep_free(e->j);
    side_free(e->s);
    free(e);
}

static void events(end *e)
{
    pl_jingle_event ev;
    while (pl_jingle_poll_event(e->s->j, &ev)) {
        if (ev.kind == PL_JINGLE_INCOMING && pl_jingle_session_state(ev.session) != PL_JINGLE_ENDED) {
            PL_EQ(pl_jingle_admit(ev.session, now_us), PL_OK);
            give_call(e, ev.session);
        }
        if (e->call) {
            pl_jingle_call_event(e->call, now_us, &ev);
            pl_jingle_call_check(e->call);
        }
    }
}

/* PL_TRACE with PL_SEED: the run in stanzas, as they arrive. */
static void show(const end *from, const pl_xml *e)
{
    if (!getenv("PL_SEED") || !getenv("PL_TRACE"))
        return;
    char *text = xml_text(e);
    printf("%9lld from %.5s: %s\n", (long long)now_us, from->s->name, text);
    free(text);
}

/* In order, as between two addresses (RFC 6120 10.1), each after a while. */
static void send_all(end *e)
{
    for (pl_xml *x; (x = pl_jingle_poll_output(e->s->j, now_us));) {
        int64_t at_us =
            now_us + 1000 + pl_rand_below(&e->chance, pl_rand_below(&e->chance, 2) ? 2000 : 60000);
        PL_OKAY(e->n_out < FLIGHT_MAX);
        pl_xml_set(x, "from", e->s->name);
        e->last_us = at_us > e->last_us ? at_us : e->last_us;
        e->out[e->n_out++] = (flight){ x, e->last_us };
    }
}

static void arrive(end *from)
{
    size_t n = 0;
    for (; n < from->n_out && from->out[n].at_us <= now_us; n++) {
        pl_xml *carried = xml_carried(from->out[n].stanza);
        show(from, carried);
        (void)pl_jingle_input(from->peer->s->j, now_us, carried);
        pl_xml_free(carried);
        pl_xml_free(from->out[n].stanza);
        events(from->peer);
        send_all(from->peer);
    }
    from->n_out -= n;
    memmove(from->out, from->out + n, from->n_out * sizeof *from->out);
}

static int64_t next_us(const end *e)
{
    int64_t at_us = e->ended ? PL_NEVER : pl_min_us(e->answer_us, e->candidate_us);
    if (e->call)
        at_us = pl_min_us(at_us, pl_jingle_call_next_us(e->call));
    return e->n_out ? pl_min_us(at_us, e->out[0].at_us) : at_us;
}

static void turn(end *e)
{
    if (e->answer_us <= now_us && !e->ended)
        answer(e);
    if (e->candidate_us <= now_us && e->call)
        trickle(e);
    if (e->call)
        pl_jingle_call_tick(e->call, now_us);
    if (pl_rand_below(&e->chance, 2))
        needed(e);
    events(e);
    send_all(e);
}

static void run_until(end *a, end *b, int64_t until_us)
{
    for (;;) {
        turn(a);
        turn(b);
        int64_t at_us = pl_min_us(next_us(a), next_us(b));
        if (at_us > until_us)
            break;
        now_us = at_us > now_us ? at_us : now_us;
        arrive(a);
        arrive(b);
    }
    now_us = until_us;
}

/* --- what is changed --- */

static pl_jsep_transceiver *some(end *e)
{
    size_t n = pl_jsep_n_transceivers(e->j);
    pl_jsep_transceiver *t = n ? pl_jsep_transceiver_at(e->j, pl_rand_below(&e->chance, (uint32_t)n)) : NULL;
    return t && !t->stopping && !t->stopped ? t : NULL;
}

static void change(end *e)
{
    pl_jsep_transceiver *t = some(e);
    pl_media_type kind = pl_rand_below(&e->chance, 2) ? PL_AUDIO : PL_VIDEO;
    static const pl_direction direction[] = { PL_SENDRECV, PL_SENDONLY, PL_RECVONLY, PL_INACTIVE };
    pl_direction d = direction[pl_rand_below(&e->chance, 4)];
    switch (pl_rand_below(&e->chance, 5) + pl_rand_below(&e->chance, 4)) {
    case 0:
    case 1:
        if (pl_jsep_n_transceivers(e->j) < 6)
            PL_EQ(pl_jsep_add_transceiver(e->j, kind, d, NULL, &t), PL_OK);
        break;
    case 2:
        if (pl_jsep_n_transceivers(e->j) < 6)
            PL_EQ(pl_jsep_add_track(e->j, kind, NULL, &t), PL_OK);
        break;
    case 3:
    case 4:
        if (t)
            PL_EQ(pl_jsep_set_direction(e->j, t, d), PL_OK);
        break;
    case 5:
        if (t)
            PL_EQ(pl_jsep_stop(e->j, t), PL_OK);
        break;
    case 6: pl_jsep_want_data(e->j); break;
    case 7: pl_jsep_restart_ice(e->j); break;
    }
    needed(e);
}

/* --- what holds in the end --- */

static const pl_desc_media *alive(const pl_desc *d, size_t i)
{
    return pl_desc_rejected(&d->media.at[i]) ? NULL : &d->media.at[i];
}

static size_t n_alive(const pl_desc *d)
{
    size_t n = 0;
    for (size_t i = 0; i < d->media.n; i++)
        n += alive(d, i) != NULL;
    return n;
}

static void same_credentials(const end *at, const end *of)
{
    const char *mid;
    int mine, theirs;
    PL_OKAY(pl_jsep_transport_section(of->j, &mid, &mine));
    const pl_desc *d = pl_jsep_remote(at->j, NULL);
    theirs = pl_desc_find_mid(d, mid);
    PL_OKAY(theirs >= 0);
    PL_STREQ(d->media.at[theirs].ufrag, pl_jsep_local(of->j, NULL)->media.at[mine].ufrag);
    PL_STREQ(d->media.at[theirs].pwd, pl_jsep_local(of->j, NULL)->media.at[mine].pwd);
    PL_STREQ(at->their_ufrag, d->media.at[theirs].ufrag); /* and a candidate of them has come */
}

static void same_senders(const end *e, const pl_jsep_transceiver *t)
{
    pl_jingle_session *s = pl_jingle_call_session(e->call);
    pl_jingle_content c;
    bool called = pl_jingle_we_called(s), send = pl_direction_sends((pl_direction)t->current),
         receive = pl_direction_receives((pl_direction)t->current);
    for (size_t i = 0; pl_jingle_content_at(s, i, &c); i++) {
        if (strcmp(c.name, t->mid) != 0)
            continue;
        PL_OKAY(c.accepted);
        PL_EQ(c.senders, send && receive     ? PL_JINGLE_BOTH
                         : !send && !receive ? PL_JINGLE_BY_NONE
                         : send == called    ? PL_JINGLE_BY_INITIATOR
                                             : PL_JINGLE_BY_RESPONDER);
        return;
    }
    PL_OKAY(!"a content for each section");
}

static size_t n_contents(const end *e)
{
    size_t n = 0;
    pl_jingle_content c;
    while (pl_jingle_content_at(pl_jingle_call_session(e->call), n, &c))
        n++;
    return n;
}

static void agree(const end *a, const end *b)
{
    const pl_desc *x = pl_jsep_current_local(a->j), *y = pl_jsep_current_local(b->j);
    PL_EQ(pl_jsep_state(a->j), PL_SIGNALING_STABLE);
    PL_EQ(pl_jsep_state(b->j), PL_SIGNALING_STABLE);
    PL_OKAY(pl_jingle_call_is_quiet(a->call) && pl_jingle_call_is_quiet(b->call));
    PL_EQ(n_contents(a), n_contents(b));
    for (size_t i = 0; i < x->media.n; i++) {
        const pl_desc_media *m = alive(x, i);
        const pl_jsep_transceiver *t = m ? pl_jsep_transceiver_of_mid(a->j, m->mid) : NULL, *u;
        if (!m || pl_desc_rejected(&pl_jsep_current_remote(a->j)->media.at[i]))
            continue;
        int k = pl_desc_find_mid(y, m->mid);
        PL_OKAY(k >= 0 && alive(y, (size_t)k) && y->media.at[k].kind == m->kind);
        if (!t)
            continue;
        u = pl_jsep_transceiver_of_mid(b->j, m->mid);
        PL_OKAY(u && t->has_current && u->has_current);
        PL_EQ(t->current, pl_direction_reverse((pl_direction)u->current));
        same_senders(a, t);
        same_senders(b, u);
    }
}

static unsigned n_refused;

static void begin(uint64_t seed, end **caller, end **callee)
{
    pl_jsep_transceiver *t;
    now_us = 0;
    end *a = *caller = end_new(ROMEO, seed, 'A', 0);
    end *b = *callee = end_new(JULIET, seed + 1000003, 'B', PL_JINGLE_CALLEE_MIDS);
    a->peer = b;
    b->peer = a;
    a->started = true;
    PL_EQ(pl_jsep_add_track(a->j, PL_AUDIO, NULL, &t), PL_OK);
    give_call(a, NULL);
    needed(a);
}

static void finish(end *a, end *b)
{
    PL_EQ(a->ended, b->ended);
    if (!a->ended && n_alive(pl_jsep_current_local(a->j))) {
        agree(a, b);
        agree(b, a);
        same_credentials(a, b);
        same_credentials(b, a);
    }
    end_free(a);
    end_free(b);
}

static void one_life(uint64_t seed)
{
    end *a, *b;
    begin(seed, &a, &b);
    for (int i = 0; i < CHANGES; i++) {
        run_until(a, b, now_us + pl_rand_below(&a->chance, pl_rand_below(&a->chance, 2) ? 30000 : 400000));
        if (a->ended || b->ended)
            break;
        change(pl_rand_below(&a->chance, 2) ? a : b);
        if (pl_rand_below(&a->chance, 3) == 0)
            change(pl_rand_below(&a->chance, 2) ? a : b);
    }
    run_until(a, b, now_us + PL_SEC(10));
    n_refused += a->n_refused + b->n_refused;
    PL_OKAY(a->n_offers + b->n_offers < 40 * CHANGES);
    finish(a, b);
}

static uint64_t running; /* 0: none */

PL_TEST(both_change_it_at_once)
{
    const char *more = getenv("PL_SEEDS");
    uint64_t first = pl_test_seed(1), n = getenv("PL_SEED") ? 1 : more ? strtoull(more, NULL, 0) : SEEDS;
    for (running = first; running < first + n; running++)
        one_life(running);
    running = 0;
    PL_LE(n_refused, 10 + n / 10);
}

/* Each of them showed a fault once: the last of a group removed while others are added to it, a place that is used again, all media
 * gone at one side alone, a restart that gives way or names what the other side removes, candidates of what is gone. */
PL_TEST(seeds_that_failed_once)
{
    static const uint64_t seed[] = { 2215, 3017, 3789,  4665,  6654,  6981,
                                     7014, 9189, 12909, 27369, 34368, 42368 };
    for (size_t i = 0; i < sizeof seed / sizeof *seed; i++)
        one_life(running = seed[i]);
    running = 0;
}

/* One offer in which nothing stays: other media, and other credentials. */
static void all_anew(end *a, end *b, end *who)
{
    char before[PL_DESC_UFRAG_MAX + 1];
    pl_jsep_transceiver *t;
    run_until(a, b, PL_SEC(5));
    snprintf(before, sizeof before, "%s", who->peer->their_ufrag);
    for (size_t i = 0; i < pl_jsep_n_transceivers(who->j); i++)
        PL_EQ(pl_jsep_stop(who->j, pl_jsep_transceiver_at(who->j, i)), PL_OK);
    PL_EQ(pl_jsep_add_track(who->j, PL_VIDEO, NULL, &t), PL_OK);
    pl_jsep_restart_ice(who->j);
    needed(who);
    run_until(a, b, PL_SEC(20));
    PL_OKAY(!a->ended && !b->ended);
    PL_EQ(n_contents(a), 1);
    PL_OKAY(strcmp(who->peer->their_ufrag, before) != 0);
    PL_EQ(a->n_refused + b->n_refused, 0);
}

PL_TEST(a_restart_with_other_media_alone)
{
    for (int callee = 0; callee < 2; callee++) {
        end *a, *b;
        begin(1, &a, &b);
        all_anew(a, b, callee ? b : a);
        finish(a, b);
    }
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
    const struct CMUnitTest tests[] = { t(a_restart_with_other_media_alone),
                                        cmocka_unit_test_teardown(both_change_it_at_once, tell_seed),
                                        cmocka_unit_test_teardown(seeds_that_failed_once, tell_seed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
