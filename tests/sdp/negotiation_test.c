/* Two engines that exchange texts: random changes, glare and rollbacks, over thousands of seeds. However they
 * get there, they end stable, with nothing left to negotiate, and agree on every section. */
#include "pl_test.h"

#include "desc/jsep_peer.h"
#include "sdp/sdp.h"

typedef struct side {
    pl_jsep *j;
    pl_rand_seeded state;
    /* What the events told. */
    char ufrag[8], remote_ufrag[8];
    pl_desc_role role;
    bool controlling, data;
    pl_signaling_state signaling;
    int candidates;
} side;

static uint64_t run_seed;

/* cmocka's assertions, with the seed to replay. */
#define OK(x)                                                                                                \
    do {                                                                                                     \
        if (!(x)) {                                                                                          \
            print_error("PL_SEED=%llu\n", (unsigned long long)run_seed);                                     \
            fail_msg("%s", #x);                                                                              \
        }                                                                                                    \
    } while (0)

static void okay(side *s, pl_err err)
{
    if (err)
        print_error("%s: %s\n", pl_err_str(err), pl_jsep_error(s->j));
    OK(err == PL_OK);
    pl_jsep_check(s->j);
}

/* `user` is the owner's handle: 1 known, 2 known and receiving. It must never be told a second end. */
static char known, receiving;

static void drain(side *s)
{
    pl_jsep_event e;
    while (pl_jsep_poll_event(s->j, &e)) {
        pl_jsep_transceiver *t = e.u.transceiver;
        pl_jsep_media m;
        switch (e.kind) {
        case PL_JSEP_STATE: s->signaling = e.u.state; break;
        case PL_JSEP_GATHER:
            OK(strcmp(s->ufrag, e.u.gather.ufrag) != 0);
            snprintf(s->ufrag, sizeof s->ufrag, "%s", e.u.gather.ufrag);
            break;
        case PL_JSEP_TRANSPORT:
            snprintf(s->remote_ufrag, sizeof s->remote_ufrag, "%s", e.u.transport.ufrag);
            OK(strcmp(s->ufrag, e.u.transport.local_ufrag) == 0);
            s->role = e.u.transport.role;
            s->controlling = e.u.transport.controlling;
            break;
        case PL_JSEP_CANDIDATE: s->candidates++; break;
        case PL_JSEP_TRANSCEIVER:
            OK(pl_jsep_negotiated(s->j, t, &m) || t->current == PL_INACTIVE);
            if (!t->user)
                t->user = &known;
            break;
        case PL_JSEP_TRACK:
            OK(t->user != &receiving);
            t->user = &receiving;
            break;
        case PL_JSEP_MUTE:
            OK(t->user == &receiving);
            t->user = &known;
            break;
        case PL_JSEP_REMOVED: t->user = NULL; break;
        case PL_JSEP_DATA: s->data = e.u.data.accepted; break;
        }
    }
    for (size_t i = 0; i < pl_jsep_n_transceivers(s->j); i++) {
        const pl_jsep_transceiver *t = pl_jsep_transceiver_at(s->j, i);
        OK((t->user == &receiving) == t->receiving);
    }
    OK(s->signaling == pl_jsep_state(s->j));
}

/* As a text there and back, as it travels. */
static pl_desc *travel(const pl_desc *d)
{
    char *text;
    size_t len;
    pl_desc *back;
    pl_sdp_error error;
    OK(pl_sdp_write(d, &text, &len) == PL_OK);
    if (pl_sdp_parse(&back, text, len, &error))
        print_error("%s\n", error.text);
    OK(back && pl_desc_eq(d, back));
    free(text);
    return back;
}

static void deliver(side *from, side *to, pl_sdp_type type)
{
    pl_desc *d = travel(pl_jsep_local(from->j, NULL));
    okay(to, pl_jsep_set_remote(to->j, type, d));
    pl_desc_free(d);
}

static void answer(side *from, side *to, pl_rand *rand)
{
    if (pl_rand_below(rand, 5) == 0) {
        okay(from, pl_jsep_set_local(from->j, PL_SDP_PRANSWER, NULL));
        if (pl_rand_below(rand, 2)) {
            deliver(from, to, PL_SDP_PRANSWER);
            drain(to);
        }
    }
    okay(from, pl_jsep_set_local_implicit(from->j));
    deliver(from, to, PL_SDP_ANSWER);
    drain(from);
    drain(to);
}

static void negotiate(side *a, side *b, pl_rand *rand)
{
    okay(a, pl_jsep_set_local_implicit(a->j));
    if (pl_rand_below(rand, 2))
        drain(a);
    deliver(a, b, PL_SDP_OFFER);
    if (pl_rand_below(rand, 2))
        drain(b);
    answer(b, a, rand);
}

/* Both offer at once. The impolite one ignores what comes, the polite one rolls back (perfect negotiation).
 */
static void glare(side *impolite, side *polite, pl_rand *rand)
{
    okay(polite, pl_jsep_set_local_implicit(polite->j));
    okay(impolite, pl_jsep_set_local_implicit(impolite->j));
    if (pl_rand_below(rand, 2))
        drain(polite);
    deliver(impolite, polite, PL_SDP_OFFER);
    OK(pl_jsep_state(polite->j) == PL_SIGNALING_HAVE_REMOTE_OFFER);
    answer(polite, impolite, rand);
}

static void try_and_take_back(side *a, side *b, pl_rand *rand)
{
    okay(a, pl_jsep_set_local(a->j, PL_SDP_OFFER, NULL));
    if (pl_rand_below(rand, 2))
        drain(a);
    if (pl_rand_below(rand, 2)) {
        deliver(a, b, PL_SDP_OFFER);
        if (pl_rand_below(rand, 2))
            drain(b);
        okay(b, pl_jsep_set_remote(b->j, PL_SDP_ROLLBACK, NULL));
        drain(b);
    }
    okay(a, pl_jsep_set_local(a->j, PL_SDP_ROLLBACK, NULL));
    drain(a);
}

static pl_jsep_transceiver *any(side *s, pl_rand *rand)
{
    size_t n = pl_jsep_n_transceivers(s->j);
    return n ? pl_jsep_transceiver_at(s->j, pl_rand_below(rand, (uint32_t)n)) : NULL;
}

static void change(side *s, pl_rand *rand)
{
    static const char *const vp8[] = { "VP8" }, *const g711[] = { "PCMA", "opus" };
    pl_media_type kind = pl_rand_below(rand, 2) ? PL_VIDEO : PL_AUDIO;
    pl_direction direction = (pl_direction)pl_rand_below(rand, 4);
    pl_jsep_track track = { .stream_id = { "s1", "s2" }, .n_streams = pl_rand_below(rand, 3) };
    pl_jsep_transceiver *t = any(s, rand);
    uint32_t what = pl_rand_below(rand, 10);
    if (what < 3 && pl_jsep_n_transceivers(s->j) < 8) {
        if (pl_rand_below(rand, 2))
            okay(s, pl_jsep_add_track(s->j, kind, &track, &t));
        else
            okay(s, pl_jsep_add_transceiver(s->j, kind, direction, &track, &t));
        if (!t->user)
            t->user = &known;
    } else if (what == 3) {
        pl_jsep_want_data(s->j);
    } else if (what == 4) {
        pl_jsep_restart_ice(s->j);
    } else if (what == 5 && t) {
        okay(s, pl_jsep_stop(s->j, t));
    } else if (what == 6 && t) {
        okay(s, pl_jsep_remove_track(s->j, t));
    } else if (what == 7 && t && !t->stopping) {
        okay(s, pl_jsep_set_codec_preferences(s->j, t, t->kind == PL_VIDEO ? vp8 : g711, 1));
    } else if (t && !t->stopping) {
        okay(s, pl_jsep_set_direction(s->j, t, direction));
    }
    drain(s);
}

/* --- agreement --------------------------------------------------------------------------------------------
 */

static bool can_receive(const pl_jsep_media *m, const pl_negotiated_codec *c)
{
    for (size_t i = 0; i < m->n_recv; i++) {
        const pl_negotiated_codec *r = &m->recv_codec[i];
        if (r->pt == c->pt && strcmp(r->codec->name, c->codec->name) == 0)
            return c->rtx_pt < 0 || r->rtx_pt == c->rtx_pt;
    }
    return false;
}

static void check_media(const pl_jsep_media *from, const pl_jsep_media *to)
{
    OK(from->send == to->receive);
    OK(from->n_send > 0);
    for (size_t i = 0; i < from->n_send; i++)
        OK(can_receive(to, &from->send_codec[i]));
    OK(memcmp(from->send_ext, to->recv_ext, sizeof from->send_ext) == 0);
    OK(!from->send || pl_desc_ssrc_of(to->remote, from->ssrc));
    OK(!from->send || pl_desc_rtx_ssrc(to->remote, from->ssrc) == from->rtx_ssrc);
}

/* Within one BUNDLE group a payload type and an extension id mean one thing (RFC 9143 9). */
static void check_numbers(const pl_desc *d)
{
    const char *name[128] = { NULL }, *uri[256] = { NULL };
    for (size_t i = 0; i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        for (size_t k = 0; !pl_desc_rejected(m) && k < m->codecs.n; k++) {
            const pl_desc_codec *c = &m->codecs.at[k];
            OK(!name[c->pt] || strcmp(name[c->pt], c->name) == 0);
            name[c->pt] = c->name;
        }
        for (size_t k = 0; !pl_desc_rejected(m) && k < m->exts.n; k++) {
            OK(!uri[m->exts.at[k].id] || strcmp(uri[m->exts.at[k].id], m->exts.at[k].uri) == 0);
            uri[m->exts.at[k].id] = m->exts.at[k].uri;
        }
    }
}

static void check_agreement(side *a, side *b)
{
    const pl_desc *l = pl_jsep_current_local(a->j), *r = pl_jsep_current_remote(a->j);
    OK(pl_jsep_state(a->j) == PL_SIGNALING_STABLE && pl_jsep_state(b->j) == PL_SIGNALING_STABLE);
    if (!l)
        return;
    OK(l->media.n == r->media.n);
    check_numbers(l);
    check_numbers(r);
    for (int i = 0; i < l->media.n; i++) {
        pl_jsep_transceiver *x = pl_jsep_transceiver_of_mid(a->j, l->media.at[i].mid);
        pl_jsep_transceiver *y = pl_jsep_transceiver_of_mid(b->j, l->media.at[i].mid);
        OK(!x == !y);
        OK(strcmp(l->media.at[i].mid, r->media.at[i].mid) == 0);
        if (!x)
            continue;
        pl_jsep_media m = { 0 }, n = { 0 };
        OK(x->kind == y->kind && x->mline == i && y->mline == i);
        OK(x->current == pl_direction_reverse((pl_direction)y->current));
        OK(pl_jsep_negotiated(a->j, x, &m) && pl_jsep_negotiated(b->j, y, &n));
        check_media(&m, &n);
        check_media(&n, &m);
    }
    OK(a->data == b->data);
    const char *mid;
    int mline;
    bool has_transport = pl_jsep_transport_section(a->j, &mid, &mline);
    OK(has_transport == pl_jsep_transport_section(b->j, &mid, &mline));
    if (!has_transport)
        return;
    OK(strcmp(a->remote_ufrag, b->ufrag) == 0 && strcmp(b->remote_ufrag, a->ufrag) == 0);
    OK(a->role != b->role && a->role && b->role);
    OK(a->controlling != b->controlling);
}

static void settle(side *a, side *b, pl_rand *rand)
{
    for (int round = 0; pl_jsep_negotiation_needed(a->j) || pl_jsep_negotiation_needed(b->j); round++) {
        OK(round < 6);
        if (pl_jsep_negotiation_needed(a->j))
            negotiate(a, b, rand);
        else
            negotiate(b, a, rand);
    }
    check_agreement(a, b);
}

static void start(side *s, uint64_t seed)
{
    *s = (side){ .signaling = PL_SIGNALING_STABLE };
    pl_jsep_conf conf = peer_conf(pl_rand_seed(&s->state, seed));
    OK(pl_jsep_new(&s->j, &conf) == PL_OK);
}

static void run(uint64_t seed)
{
    side a, b;
    pl_rand_seeded state;
    run_seed = seed;
    pl_rand rand = pl_rand_seed(&state, seed);
    start(&a, seed * 2 + 1000);
    start(&b, seed * 2 + 1001);
    for (uint32_t step = 4 + pl_rand_below(&rand, 12); step > 0; step--) {
        side *x = pl_rand_below(&rand, 2) ? &a : &b, *y = x == &a ? &b : &a;
        switch (pl_rand_below(&rand, 8)) {
        case 0: negotiate(x, y, &rand); break;
        case 1: glare(x, y, &rand); break;
        case 2: try_and_take_back(x, y, &rand); break;
        case 3: settle(x, y, &rand); break;
        default: change(x, &rand); break;
        }
    }
    settle(&a, &b, &rand);
    pl_jsep_free(a.j);
    pl_jsep_free(b.j);
}

PL_TEST(random_negotiations_end_in_agreement)
{
    uint64_t first = pl_test_seed(0);
    uint64_t n = getenv("PL_SEED") ? 1 : 3000;
    for (uint64_t seed = first; seed < first + n; seed++)
        run(seed);
}

PL_TESTS(t(random_negotiations_end_in_agreement))
