/* The JSEP engine by itself: the state table, rollback, renegotiation, restart, candidates. */
#include "pl_test.h"

#include "desc/jsep_peer.h"

static pl_rand_seeded state_a, state_b;

static pl_jsep *engine_with(pl_rand_seeded *state, uint64_t seed, char mid_prefix)
{
    pl_jsep *j;
    pl_jsep_conf conf = peer_conf(pl_rand_seed(state, seed));
    conf.mid_prefix = mid_prefix;
    PL_EQ(pl_jsep_new(&j, &conf), PL_OK);
    return j;
}

static pl_jsep *engine(pl_rand_seeded *state, uint64_t seed)
{
    return engine_with(state, seed, 0);
}

typedef struct two {
    pl_jsep *a, *b;
    pl_jsep_transceiver *audio;
} two;

static two pair(void)
{
    two p = { .a = engine(&state_a, 1), .b = engine(&state_b, 2) };
    PL_EQ(pl_jsep_add_track(p.a, PL_AUDIO, NULL, &p.audio), PL_OK);
    return p;
}

static void free_pair(two *p)
{
    pl_jsep_free(p->a);
    pl_jsep_free(p->b);
}

static void check(pl_jsep *j, pl_err err)
{
    if (err)
        print_error("%s\n", pl_jsep_error(j));
    PL_EQ(err, PL_OK);
    pl_jsep_check(j);
}

static void offer(pl_jsep *from, pl_jsep *to)
{
    check(from, pl_jsep_set_local(from, PL_SDP_OFFER, NULL));
    check(to, pl_jsep_set_remote(to, PL_SDP_OFFER, pl_jsep_pending_local(from)));
}

static void answer(pl_jsep *from, pl_jsep *to)
{
    check(from, pl_jsep_set_local(from, PL_SDP_ANSWER, NULL));
    check(to, pl_jsep_set_remote(to, PL_SDP_ANSWER, pl_jsep_current_local(from)));
}

static void negotiate(pl_jsep *a, pl_jsep *b)
{
    offer(a, b);
    answer(b, a);
}

/* --- the state table -------------------------------------------------------------------------------------- */

/* RFC 9429 3.2: brings an engine into each state. `d` receives an offer and an answer of the other side. */
static two in_state(pl_signaling_state s)
{
    two p = pair();
    pl_jsep_transceiver *t;
    PL_EQ(pl_jsep_add_track(p.b, PL_AUDIO, NULL, &t), PL_OK);
    switch (s) {
    case PL_SIGNALING_STABLE: break;
    case PL_SIGNALING_HAVE_LOCAL_OFFER: offer(p.a, p.b); break;
    case PL_SIGNALING_HAVE_REMOTE_OFFER: offer(p.b, p.a); break;
    case PL_SIGNALING_HAVE_LOCAL_PRANSWER:
        offer(p.b, p.a);
        check(p.a, pl_jsep_set_local(p.a, PL_SDP_PRANSWER, NULL));
        break;
    case PL_SIGNALING_HAVE_REMOTE_PRANSWER:
        offer(p.a, p.b);
        check(p.b, pl_jsep_set_local(p.b, PL_SDP_PRANSWER, NULL));
        check(p.a, pl_jsep_set_remote(p.a, PL_SDP_PRANSWER, pl_jsep_pending_local(p.b)));
        break;
    case PL_SIGNALING_CLOSED: pl_jsep_close(p.a); break;
    }
    PL_EQ(pl_jsep_state(p.a), s);
    return p;
}

enum { S = PL_SIGNALING_STABLE, LO, RO, LP, RP, CLOSED, NO };
static const struct {
    bool local;
    pl_sdp_type type;
    int to[6]; /* from each state in the order of pl_signaling_state */
} table[] = {
    { true, PL_SDP_OFFER, { LO, LO, NO, NO, NO, NO } },
    { true, PL_SDP_ANSWER, { NO, NO, S, S, NO, NO } },
    { true, PL_SDP_PRANSWER, { NO, NO, LP, LP, NO, NO } },
    { true, PL_SDP_ROLLBACK, { NO, S, S, NO, NO, NO } },
    { false, PL_SDP_OFFER, { RO, RO, RO, NO, NO, NO } },
    { false, PL_SDP_ANSWER, { NO, S, NO, NO, S, NO } },
    { false, PL_SDP_PRANSWER, { NO, RP, NO, NO, RP, NO } },
    { false, PL_SDP_ROLLBACK, { NO, S, S, NO, NO, NO } },
};

PL_TEST(every_transition)
{
    for (size_t row = 0; row < sizeof table / sizeof *table; row++) {
        for (int from = S; from <= CLOSED; from++) {
            two p = in_state((pl_signaling_state)from);
            /* What the other side would send: an offer, or its answer to ours. */
            pl_desc *d = NULL;
            pl_jsep *c = engine(&state_b, 3);
            pl_jsep_transceiver *t;
            PL_EQ(pl_jsep_add_track(c, PL_AUDIO, NULL, &t), PL_OK);
            if (!table[row].local && table[row].type == PL_SDP_OFFER) {
                check(c, pl_jsep_set_local_implicit(c));
            } else {
                pl_jsep *o = engine(&state_b, 4);
                PL_EQ(pl_jsep_add_track(o, PL_AUDIO, NULL, &t), PL_OK);
                bool ours = from == LO || from == RP;
                if (!ours)
                    check(o, pl_jsep_set_local_implicit(o));
                check(c, pl_jsep_set_remote(c, PL_SDP_OFFER, pl_jsep_pending_local(ours ? p.a : o)));
                check(c, pl_jsep_set_local_implicit(c));
                pl_jsep_free(o);
            }
            PL_EQ(pl_desc_copy(&d, pl_jsep_local(c, NULL)), PL_OK);
            pl_err err = table[row].local ? pl_jsep_set_local(p.a, table[row].type, NULL)
                                          : pl_jsep_set_remote(p.a, table[row].type, d);
            int to = table[row].to[from];
            PL_EQ(err, to == NO ? PL_ESTATE : PL_OK);
            PL_EQ(pl_jsep_state(p.a), to == NO ? from : to);
            PL_EQ(pl_jsep_error(p.a)[0] != 0, to == NO);
            pl_jsep_check(p.a);
            pl_desc_free(d);
            pl_jsep_free(c);
            free_pair(&p);
        }
    }
}

/* --- a session through its life --------------------------------------------------------------------------- */

PL_TEST(audio_then_video_then_less)
{
    two p = pair();
    pl_jsep_transceiver *video, *again;
    negotiate(p.a, p.b);
    PL_STREQ(p.audio->mid, "0");
    PL_EQ(p.audio->current, PL_SENDONLY); /* the other side has nothing to send */
    PL_EQ(peer_drain(p.b, PL_JSEP_TRACK), 1);
    PL_OKAY(!pl_jsep_negotiation_needed(p.a) && !pl_jsep_negotiation_needed(p.b));

    PL_EQ(pl_jsep_add_track(p.b, PL_AUDIO, NULL, &again), PL_OK); /* takes the one the offer made */
    PL_EQ(pl_jsep_n_transceivers(p.b), 1);
    PL_EQ(again->direction, PL_SENDRECV);
    PL_OKAY(pl_jsep_negotiation_needed(p.b));
    negotiate(p.b, p.a);
    PL_EQ(p.audio->current, PL_SENDRECV);

    PL_EQ(pl_jsep_add_track(p.a, PL_VIDEO, NULL, &video), PL_OK);
    pl_jsep_want_data(p.a);
    PL_OKAY(pl_jsep_negotiation_needed(p.a));
    negotiate(p.a, p.b);
    PL_STREQ(video->mid, "1");
    PL_EQ(pl_jsep_current_local(p.a)->media.n, 3);
    peer_drain(p.b, PL_JSEP_STATE);
    PL_EQ(pl_jsep_stop(p.a, video), PL_OK);
    PL_EQ(video->direction, PL_STOPPED);
    PL_OKAY(pl_jsep_negotiation_needed(p.a));
    peer_drain(p.a, PL_JSEP_STATE);
    negotiate(p.a, p.b);
    PL_EQ(pl_jsep_n_transceivers(p.a), 1);
    PL_EQ(pl_jsep_n_transceivers(p.b), 1);
    PL_EQ(peer_drain(p.a, PL_JSEP_REMOVED), 1);
    PL_EQ(peer_drain(p.b, PL_JSEP_REMOVED), 1);
    PL_OKAY(pl_desc_rejected(&pl_jsep_current_local(p.a)->media.at[1]));

    PL_EQ(pl_jsep_add_track(p.b, PL_AUDIO, NULL, &again), PL_OK); /* the free place is used, of any kind */
    negotiate(p.b, p.a);
    PL_EQ(again->mline, 1);
    PL_EQ(pl_jsep_current_local(p.a)->media.n, 3);
    PL_EQ(pl_jsep_current_local(p.a)->media.at[1].kind, PL_DESC_AUDIO);
    PL_OKAY(strcmp(again->mid, "1") != 0);

    PL_EQ(pl_jsep_remove_track(p.a, p.audio), PL_OK);
    negotiate(p.a, p.b);
    PL_EQ(p.audio->current, PL_RECVONLY);
    PL_EQ(peer_drain(p.b, PL_JSEP_MUTE), 1);
    free_pair(&p);
}

PL_TEST(ice_restart_is_seen_by_both)
{
    two p = pair();
    char before[8];
    negotiate(p.a, p.b);
    snprintf(before, sizeof before, "%s", pl_jsep_current_local(p.a)->media.at[0].ufrag);
    PL_EQ(peer_drain(p.a, PL_JSEP_GATHER), 1);
    PL_EQ(peer_drain(p.b, PL_JSEP_GATHER), 1);
    negotiate(p.a, p.b); /* without a restart nothing changes */
    PL_STREQ(pl_jsep_current_local(p.a)->media.at[0].ufrag, before);
    PL_EQ(peer_drain(p.a, PL_JSEP_TRANSPORT) + peer_drain(p.b, PL_JSEP_TRANSPORT), 0);
    pl_jsep_restart_ice(p.a);
    PL_OKAY(pl_jsep_negotiation_needed(p.a));
    for (int round = 0; round < 2; round++) {
        negotiate(p.a, p.b);
        PL_OKAY(!pl_jsep_negotiation_needed(p.a));
        PL_OKAY(strcmp(pl_jsep_current_local(p.a)->media.at[0].ufrag, before) != 0);
        for (int side = 0; side < 2; side++) {
            pl_jsep_event e;
            int gather = 0, restart = 0;
            while (pl_jsep_poll_event(side ? p.b : p.a, &e)) {
                gather += e.kind == PL_JSEP_GATHER && e.u.gather.restart;
                restart +=
                    e.kind == PL_JSEP_TRANSPORT && e.u.transport.ice_restart && !e.u.transport.dtls_changed;
            }
            PL_EQ(gather, round == 0);
            PL_EQ(restart, round == 0);
        }
    }
    free_pair(&p);
}

/* A transport that ended with its last section is not begun again, nor are its restarts. */
PL_TEST(credentials_are_never_used_again)
{
    two p = pair();
    pl_jsep_transceiver *t = p.audio;
    char used[4][8];
    for (int i = 0; i < 4; i++) {
        negotiate(p.a, p.b);
        snprintf(used[i], sizeof used[i], "%s", pl_jsep_current_local(p.a)->media.at[t->mline].ufrag);
        for (int k = 0; k < i; k++)
            PL_OKAY(strcmp(used[k], used[i]) != 0);
        if (i % 2 == 0) {
            pl_jsep_restart_ice(p.a);
            continue;
        }
        PL_EQ(pl_jsep_stop(p.a, t), PL_OK);
        negotiate(p.a, p.b);
        PL_EQ(pl_jsep_add_track(p.a, PL_AUDIO, NULL, &t), PL_OK);
    }
    free_pair(&p);
}

PL_TEST(restart_survives_a_rollback)
{
    two p = pair();
    negotiate(p.a, p.b);
    peer_drain(p.a, PL_JSEP_STATE);
    char used[8], offered[8];
    snprintf(used, sizeof used, "%s", pl_jsep_current_local(p.a)->media.at[0].ufrag);
    pl_jsep_restart_ice(p.a);
    check(p.a, pl_jsep_set_local_implicit(p.a));
    PL_EQ(peer_drain(p.a, PL_JSEP_GATHER), 1);
    snprintf(offered, sizeof offered, "%s", pl_jsep_pending_local(p.a)->media.at[0].ufrag);
    PL_OKAY(strcmp(offered, used) != 0);
    check(p.a, pl_jsep_set_local(p.a, PL_SDP_ROLLBACK, NULL));
    PL_EQ(peer_drain(p.a, PL_JSEP_GATHER), 1); /* back to the ones in use */
    PL_OKAY(pl_jsep_negotiation_needed(p.a));
    negotiate(p.a, p.b);
    PL_OKAY(!pl_jsep_negotiation_needed(p.a));
    PL_EQ(peer_drain(p.b, PL_JSEP_TRANSPORT), 1);
    PL_STREQ(pl_jsep_current_local(p.a)->media.at[0].ufrag, offered); /* its candidates are out already */
    pl_jsep_restart_ice(p.a);
    negotiate(p.a, p.b);
    PL_OKAY(strcmp(pl_jsep_current_local(p.a)->media.at[0].ufrag, offered) != 0);
    free_pair(&p);
}

PL_TEST(rollback_restores_everything)
{
    two p = pair();
    negotiate(p.a, p.b);
    peer_drain(p.b, PL_JSEP_STATE);
    pl_desc *before;
    PL_EQ(pl_desc_copy(&before, pl_jsep_current_local(p.b)), PL_OK);
    pl_jsep_transceiver *video;
    PL_EQ(pl_jsep_add_track(p.a, PL_VIDEO, NULL, &video), PL_OK);
    PL_EQ(pl_jsep_set_direction(p.a, p.audio, PL_RECVONLY), PL_OK);
    pl_jsep_want_data(p.a);
    offer(p.a, p.b);
    PL_EQ(pl_jsep_n_transceivers(p.b), 2);
    PL_OKAY(!pl_jsep_transceiver_at(p.b, 0)->receiving && pl_jsep_transceiver_at(p.b, 1)->receiving);
    check(p.b, pl_jsep_set_remote(p.b, PL_SDP_ROLLBACK, NULL));
    check(p.a, pl_jsep_set_local(p.a, PL_SDP_ROLLBACK, NULL));
    PL_EQ(peer_drain(p.b, PL_JSEP_STATE), 0); /* nothing was told meanwhile, so nothing is different */
    PL_EQ(pl_jsep_n_transceivers(p.b), 1);
    PL_OKAY(pl_jsep_transceiver_at(p.b, 0)->receiving);
    PL_OKAY(pl_desc_eq(before, pl_jsep_current_local(p.b)));
    PL_OKAY(!pl_jsep_pending_remote(p.b) && !pl_jsep_pending_local(p.a));
    PL_OKAY(video->mid[0] == 0 && video->mline == -1);
    PL_EQ(p.audio->direction, PL_RECVONLY); /* what the application wanted stays wanted */
    PL_OKAY(pl_jsep_negotiation_needed(p.a));
    negotiate(p.a, p.b);
    PL_STREQ(video->mid, "3"); /* 1 and 2 were given away once */
    pl_desc_free(before);
    free_pair(&p);
}

PL_TEST(taken_transceiver_outlives_the_rollback)
{
    two p = pair();
    pl_jsep_transceiver *mine;
    offer(p.a, p.b);
    PL_EQ(pl_jsep_add_track(p.b, PL_AUDIO, NULL, &mine), PL_OK); /* takes the offer's */
    PL_OKAY(mine->by_remote);
    check(p.b, pl_jsep_set_remote(p.b, PL_SDP_ROLLBACK, NULL));
    PL_EQ(pl_jsep_n_transceivers(p.b), 1);
    PL_OKAY(pl_jsep_transceiver_at(p.b, 0) == mine && mine->mline == -1);
    free_pair(&p);
}

PL_TEST(glare_as_in_perfect_negotiation)
{
    two p = pair();
    pl_jsep_transceiver *video;
    PL_EQ(pl_jsep_add_track(p.b, PL_VIDEO, NULL, &video), PL_OK);
    check(p.a, pl_jsep_set_local_implicit(p.a));
    check(p.b, pl_jsep_set_local_implicit(p.b));
    PL_STREQ(video->mid, "0"); /* both named their section 0 */
    check(p.b, pl_jsep_set_remote(p.b, PL_SDP_OFFER, pl_jsep_pending_local(p.a))); /* b is polite */
    PL_EQ(pl_jsep_state(p.b), PL_SIGNALING_HAVE_REMOTE_OFFER);
    PL_EQ(video->mline, -1);
    answer(p.b, p.a);
    PL_OKAY(pl_jsep_negotiation_needed(p.b));
    negotiate(p.b, p.a);
    PL_EQ(video->mline, 1);
    PL_EQ(pl_jsep_n_transceivers(p.a), 2);
    PL_OKAY(!pl_jsep_negotiation_needed(p.a) && !pl_jsep_negotiation_needed(p.b));
    free_pair(&p);
}

/* Names of both sides that are given at one time are not the same, and none is given twice. */
PL_TEST(mids_of_ones_own)
{
    two p = { .a = engine(&state_a, 1), .b = engine_with(&state_b, 2, 'r') };
    pl_jsep_transceiver *mine, *theirs;
    PL_EQ(pl_jsep_add_track(p.a, PL_AUDIO, NULL, &p.audio), PL_OK);
    negotiate(p.a, p.b);
    PL_EQ(pl_jsep_add_transceiver(p.a, PL_VIDEO, PL_SENDRECV, NULL, &mine), PL_OK);
    PL_EQ(pl_jsep_add_track(p.b, PL_VIDEO, NULL, &theirs), PL_OK);
    check(p.a, pl_jsep_set_local_implicit(p.a));
    check(p.b, pl_jsep_set_local_implicit(p.b));
    PL_STREQ(mine->mid, "1");
    PL_STREQ(theirs->mid, "r0");
    check(p.b, pl_jsep_set_local(p.b, PL_SDP_ROLLBACK, NULL));
    check(p.a, pl_jsep_set_local(p.a, PL_SDP_ROLLBACK, NULL));
    negotiate(p.b, p.a);
    PL_STREQ(theirs->mid, "r1");
    negotiate(p.a, p.b);
    PL_STREQ(mine->mid, "2");
    free_pair(&p);
}

/* --- what is refused, and that it changes nothing --------------------------------------------------------- */

static void refuse(pl_jsep *j, pl_sdp_type type, pl_desc *d, const char *why)
{
    pl_signaling_state before = pl_jsep_state(j);
    size_t n = pl_jsep_n_transceivers(j);
    PL_EQ(pl_jsep_set_remote(j, type, d), PL_EPROTO);
    if (!strstr(pl_jsep_error(j), why))
        print_error("\"%s\" does not say \"%s\"\n", pl_jsep_error(j), why);
    PL_OKAY(strstr(pl_jsep_error(j), why));
    PL_EQ(pl_jsep_state(j), before);
    PL_EQ(pl_jsep_n_transceivers(j), n);
    pl_jsep_check(j);
}

PL_TEST(invalid_offers)
{
    static const char *const why[] = { "ufrag",    "password has 3", "fingerprint",
                                       "holdconn", "same mid",       "BUNDLE" };
    for (size_t i = 0; i < sizeof why / sizeof *why; i++) {
        two p = pair();
        pl_jsep_transceiver *t;
        pl_desc *d;
        PL_EQ(pl_jsep_add_track(p.a, PL_VIDEO, NULL, &t), PL_OK);
        check(p.a, pl_jsep_set_local_implicit(p.a));
        PL_EQ(pl_desc_copy(&d, pl_jsep_pending_local(p.a)), PL_OK);
        pl_desc_media *m = d->media.at;
        switch (i) {
        case 0: m[0].ufrag = m[1].ufrag = NULL; break;
        case 1: m[0].pwd = "abc"; break;
        case 2: m[0].fingerprints.n = m[1].fingerprints.n = 0; break;
        case 3: m[0].setup = PL_DESC_SETUP_HOLDCONN; break;
        case 4: m[1].mid = m[0].mid; break;
        default: d->groups.at[0].mids.at[0] = "nobody"; break;
        }
        refuse(p.b, PL_SDP_OFFER, d, why[i]);
        pl_desc_free(d);
        free_pair(&p);
    }
}

PL_TEST(invalid_answers)
{
    static const char *const why[] = { "sections", "mid", "another kind", "actpass", "rtcp-mux", "no codec" };
    for (size_t i = 0; i < sizeof why / sizeof *why; i++) {
        two p = pair();
        pl_desc *d;
        offer(p.a, p.b);
        check(p.b, pl_jsep_set_local_implicit(p.b));
        PL_EQ(pl_desc_copy(&d, pl_jsep_current_local(p.b)), PL_OK);
        pl_desc_media *m = d->media.at;
        switch (i) {
        case 0: pl_desc_add_media_copy(d, m); break;
        case 1: m[0].mid = "x"; break;
        case 2: m[0].kind = PL_DESC_VIDEO; break;
        case 3: m[0].setup = PL_DESC_SETUP_ACTPASS; break;
        case 4: m[0].rtcp_mux = false; break;
        default:
            m[0].codecs.at[0].name = "nothing";
            m[0].codecs.n = 1;
            break;
        }
        if (i == 1)
            d->groups.n = 0;
        refuse(p.a, PL_SDP_ANSWER, d, why[i]);
        pl_desc_free(d);
        check(p.a, pl_jsep_set_remote(p.a, PL_SDP_ANSWER, pl_jsep_current_local(p.b))); /* still welcome */
        free_pair(&p);
    }
}

PL_TEST(reoffers_keep_places)
{
    two p = pair();
    pl_desc *d;
    negotiate(p.a, p.b);
    check(p.a, pl_jsep_set_local_implicit(p.a));
    PL_EQ(pl_desc_copy(&d, pl_jsep_pending_local(p.a)), PL_OK);
    d->media.at[0].mid = d->groups.at[0].mids.at[0] = "other";
    refuse(p.b, PL_SDP_OFFER, d, "in use");
    d->media.n = 0;
    d->groups.n = 0;
    refuse(p.b, PL_SDP_OFFER, d, "fewer");
    pl_desc_free(d);
    free_pair(&p);
}

/* --- candidates ------------------------------------------------------------------------------------------- */

#define CAND(n) "candidate:" #n " 1 udp 2130706431 192.0.2." #n " 4000 typ host"

PL_TEST(candidates_of_both_sides)
{
    two p = pair();
    const char *mid;
    int mline;
    pl_jsep_event e;
    PL_OKAY(!pl_jsep_transport_section(p.a, &mid, &mline));
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR(CAND(1)), "0", 0, NULL), PL_ESTATE);
    offer(p.a, p.b);
    PL_OKAY(pl_jsep_transport_section(p.a, &mid, &mline));
    PL_STREQ(mid, "0");
    const char *ufrag = pl_jsep_pending_local(p.a)->media.at[0].ufrag;
    PL_EQ(pl_jsep_add_local_candidate(p.a, PL_STR(CAND(1)), ufrag), PL_OK);
    PL_EQ(pl_jsep_add_local_candidate(p.a, PL_STR(CAND(9)), "unknown"), PL_OK);
    PL_EQ(pl_jsep_pending_local(p.a)->media.at[0].candidates.n, 1);

    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR("a=" CAND(1)), mid, -1, ufrag), PL_OK);
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR(CAND(2) " ufrag nope"), mid, 0, NULL), PL_EPROTO);
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR(CAND(2)), mid, 0, "nope"), PL_EPROTO);
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR(CAND(2)), "7", 0, NULL), PL_EPROTO);
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR(CAND(2)), NULL, 7, NULL), PL_EPROTO);
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR(CAND(2)), NULL, -1, NULL), PL_EPROTO);
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR("rubbish"), mid, 0, NULL), PL_EPROTO);
    PL_EQ(peer_drain(p.b, PL_JSEP_CANDIDATE), 0); /* its generation is not in use yet */
    answer(p.b, p.a);
    PL_EQ(peer_drain(p.b, PL_JSEP_CANDIDATE), 1);
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR(CAND(2)), NULL, 0, NULL), PL_OK);
    PL_OKAY(pl_jsep_poll_event(p.b, &e) && e.kind == PL_JSEP_CANDIDATE);
    PL_STREQ(e.u.candidate.text, CAND(2));
    PL_STREQ(e.u.candidate.mid, "0");
    PL_OKAY(!pl_jsep_poll_event(p.b, &e));
    PL_EQ(pl_jsep_add_remote_candidate(p.b, PL_STR(""), "0", -1, NULL), PL_OK);
    PL_OKAY(pl_jsep_poll_event(p.b, &e) && e.kind == PL_JSEP_CANDIDATE && !e.u.candidate.text);
    PL_OKAY(!pl_jsep_poll_event(p.b, &e));
    for (int i = 0; i < PL_DESC_CANDIDATES_MAX + 5; i++) {
        char text[96];
        snprintf(text, sizeof text, "candidate:%d 1 udp 1 192.0.2.1 %d typ host", i + 100, i + 1000);
        PL_EQ(pl_jsep_add_remote_candidate(p.b, pl_str_of(text), "0", -1, NULL),
              (i < PL_DESC_CANDIDATES_MAX - 2 ? PL_OK : PL_ENOSPC));
    }
    const pl_desc *again;
    check(p.a, pl_jsep_create_offer(p.a, false, &again));
    PL_EQ(again->media.at[0].candidates.n, 1); /* the same generation brings what is known of it */
    check(p.a, pl_jsep_create_offer(p.a, true, &again));
    PL_EQ(again->media.at[0].candidates.n, 0);
    free_pair(&p);
}

/* --- the rest --------------------------------------------------------------------------------------------- */

PL_TEST(preferences_order_offer_and_answer)
{
    two p = pair();
    static const char *const g711[] = { "pcma", "opus" }, *const wrong[] = { "G729" };
    PL_EQ(pl_jsep_set_codec_preferences(p.a, p.audio, wrong, 1), PL_EINVAL);
    PL_EQ(pl_jsep_set_codec_preferences(p.a, p.audio, g711, 2), PL_OK);
    negotiate(p.a, p.b);
    const pl_desc_media *m = &pl_jsep_current_local(p.a)->media.at[0];
    PL_EQ(m->codecs.n, 2);
    PL_EQ(m->codecs.at[0].pt, 8);
    pl_jsep_media n;
    PL_OKAY(pl_jsep_negotiated(p.a, p.audio, &n));
    PL_EQ(n.send_codec[0].pt, 8);
    PL_EQ(n.send_ext[PL_DESC_EXT_MID], 4);
    free_pair(&p);
}

PL_TEST(arguments_are_checked)
{
    pl_jsep *j = engine(&state_a, 5);
    pl_jsep_transceiver *t;
    pl_jsep_track blank = { .stream_id = { "a b" }, .n_streams = 1 }, many = { .n_streams = 9 };
    PL_EQ(pl_jsep_add_track(j, PL_AUDIO, &blank, &t), PL_EINVAL);
    PL_EQ(pl_jsep_add_track(j, PL_AUDIO, &many, &t), PL_EINVAL);
    PL_EQ(pl_jsep_add_transceiver(j, PL_AUDIO, PL_STOPPED, NULL, &t), PL_EINVAL);
    for (int i = 0; i < PL_JSEP_TRANSCEIVERS_MAX; i++)
        PL_EQ(pl_jsep_add_transceiver(j, PL_VIDEO, PL_SENDRECV, NULL, &t), PL_OK);
    PL_EQ(pl_jsep_add_transceiver(j, PL_VIDEO, PL_SENDRECV, NULL, &t), PL_ENOSPC);
    t = pl_jsep_transceiver_at(j, 0);
    pl_jsep_want_data(j);
    check(j, pl_jsep_set_local_implicit(j));
    PL_EQ(pl_jsep_pending_local(j)->media.n, PL_DESC_MEDIA_MAX);
    PL_EQ(pl_jsep_stop(j, t), PL_OK);
    PL_EQ(pl_jsep_set_direction(j, t, PL_SENDRECV), PL_ESTATE);
    pl_jsep_close(j);
    PL_EQ(pl_jsep_set_local_implicit(j), PL_ESTATE);
    PL_EQ(peer_drain(j, PL_JSEP_STATE), 1);
    pl_jsep_free(j);
    pl_jsep_conf conf = peer_conf((pl_rand){ 0 });
    conf.mid_prefix = ' ';
    PL_EQ(pl_jsep_new(&j, &conf), PL_EINVAL);
    conf = peer_conf((pl_rand){ 0 });
    conf.n_fingerprints = 0;
    PL_EQ(pl_jsep_new(&j, &conf), PL_EINVAL);
}

/* An idle data connection keeps two descriptions of about a kilobyte each. */
PL_TEST(memory_of_an_idle_connection)
{
    pl_jsep *a = engine(&state_a, 1), *b = engine(&state_b, 2);
    pl_jsep_want_data(a);
    negotiate(a, b);
    PL_EQ(peer_drain(a, PL_JSEP_DATA), 1);
    PL_LE(pl_desc_bytes(pl_jsep_current_local(a)) + pl_desc_bytes(pl_jsep_current_remote(a)), 3000);
    pl_jsep_free(a);
    pl_jsep_free(b);
}

PL_TESTS(t(every_transition), t(audio_then_video_then_less), t(ice_restart_is_seen_by_both),
         t(credentials_are_never_used_again), t(restart_survives_a_rollback), t(rollback_restores_everything),
         t(taken_transceiver_outlives_the_rollback), t(glare_as_in_perfect_negotiation), t(mids_of_ones_own),
         t(invalid_offers), t(invalid_answers), t(reoffers_keep_places), t(candidates_of_both_sides),
         t(preferences_order_offer_and_answer), t(arguments_are_checked), t(memory_of_an_idle_connection))
