/* A call's messages go over Jingle and come out as they went in, with the descriptions of real peers. */
#include "pl_test.h"

#include "jingle/jingle_side.h"
#include "sdp/files.h"
#include "sdp/sdp.h"
#include "signal/jingle_call.h"

enum { SAID_MAX = 32 };

typedef struct phrase { /* what the peer said, as it comes out */
    bool is_candidate;
    pl_sdp_type type;
    char *text, mid[64], ufrag[64];
} phrase;

typedef struct phone {
    side *s;
    pl_jingle_call *call;
    phrase said[SAID_MAX];
    size_t n_said, n_taken;
    bool ended;
    pl_err refused;
    pl_jingle_reason reason;
    char why[200], note[200];
} phone;

static void on_description(void *user, pl_sdp_type type, const char *sdp)
{
    phone *p = user;
    PL_OKAY(p->n_said < SAID_MAX);
    p->said[p->n_said++] = (phrase){ .type = type, .text = strdup(sdp) };
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    phone *p = user;
    PL_OKAY(p->n_said < SAID_MAX);
    phrase *f = &p->said[p->n_said++];
    *f = (phrase){ .is_candidate = true, .text = strdup(c->candidate) };
    snprintf(f->mid, sizeof f->mid, "%s", c->sdp_mid);
    snprintf(f->ufrag, sizeof f->ufrag, "%s", c->username_fragment ? c->username_fragment : "");
}

static void on_refused(void *user, pl_err err, const char *why)
{
    phone *p = user;
    p->refused = err;
    snprintf(p->note, sizeof p->note, "%s", why);
}

static void on_note(void *user, const char *text)
{
    phone *p = user;
    snprintf(p->note, sizeof p->note, "%s", text);
}

static void on_ended(void *user, pl_jingle_reason reason, const char *why)
{
    phone *p = user;
    PL_OKAY(!p->ended);
    p->ended = true;
    p->reason = reason;
    snprintf(p->why, sizeof p->why, "%s", why);
}

static phone *phone_new(const char *name, uint64_t seed)
{
    phone *p = calloc(1, sizeof *p);
    p->s = side_new(name, seed);
    return p;
}

static pl_jingle_call_conf conf_of(phone *p, pl_jingle_session *session, const char *peer)
{
    return (pl_jingle_call_conf){ .jingle = p->s->j,
                                  .peer = peer,
                                  .session = session,
                                  .user = p,
                                  .description = on_description,
                                  .candidate = on_candidate,
                                  .refused = on_refused,
                                  .note = on_note,
                                  .ended = on_ended };
}

static void give_call(phone *p, pl_jingle_session *session, const char *peer)
{
    const pl_jingle_call_conf conf = conf_of(p, session, peer);
    PL_EQ(pl_jingle_call_new(&p->call, &conf), PL_OK);
}

static void events(phone *p)
{
    pl_jingle_event e;
    while (pl_jingle_poll_event(p->s->j, &e)) {
        if (e.kind == PL_JINGLE_INCOMING && pl_jingle_session_state(e.session) != PL_JINGLE_ENDED) {
            PL_EQ(pl_jingle_admit(e.session, 0), PL_OK);
            give_call(p, e.session, NULL);
        }
        if (p->call)
            pl_jingle_call_event(p->call, 0, &e);
    }
}

static void flow(phone *a, phone *b)
{
    do {
        events(a);
        events(b);
    } while (deliver(a->s, b->s) + deliver(b->s, a->s) > 0);
    events(a);
    events(b);
}

static void phone_free(phone *p)
{
    pl_jingle_call_free(p->call, 0);
    for (size_t i = 0; i < p->n_said; i++)
        free(p->said[i].text);
    side_free(p->s);
    free(p);
}

static pl_err take_sdp(phone *p, pl_sdp_type type, const char *sdp)
{
    return pl_jingle_call_describe(p->call, 0, type, sdp);
}

static void hang_up(phone *p)
{
    PL_EQ(pl_jingle_call_hang_up(p->call, 0), PL_OK);
}

/* The next description that came out, of this type. */
static pl_desc *heard(phone *p, pl_sdp_type type)
{
    PL_OKAY(p->n_taken < p->n_said);
    const phrase *f = &p->said[p->n_taken++];
    PL_OKAY(!f->is_candidate);
    PL_EQ(f->type, type);
    pl_desc *d;
    PL_EQ(pl_sdp_parse(&d, f->text, strlen(f->text), NULL), PL_OK);
    return d;
}

/* What a connection needs of it. */
static void is_meant(const pl_desc *want, const pl_desc *have)
{
    PL_EQ(want->media.n, have->media.n);
    for (size_t i = 0; i < want->media.n; i++) {
        const pl_desc_media *x = &want->media.at[i], *y = &have->media.at[i];
        PL_STREQ(x->mid, y->mid);
        PL_EQ(x->kind, y->kind);
        PL_EQ(x->codecs.n, y->codecs.n);
        PL_EQ(x->exts.n, y->exts.n);
        PL_EQ(x->ssrcs.n, y->ssrcs.n);
        PL_EQ(x->direction, y->direction);
        PL_EQ(x->setup, y->setup);
        PL_STREQ(x->ufrag, y->ufrag);
        PL_STREQ(x->fingerprints.at[0].value, y->fingerprints.at[0].value);
    }
}

/* A recorded answer, as if it had been given to the recorded offer: its sections have the offer's names. */
static char *fitting_answer(const char *peer, const char *offer_text)
{
    size_t len;
    char *text = sdp_file(peer, "answer", &len), *out;
    pl_desc *offer, *answer;
    PL_EQ(pl_sdp_parse(&offer, offer_text, strlen(offer_text), NULL), PL_OK);
    PL_EQ(pl_sdp_parse(&answer, text, len, NULL), PL_OK);
    PL_EQ(offer->media.n, answer->media.n);
    for (size_t i = 0; i < offer->media.n; i++) {
        PL_EQ(offer->media.at[i].kind, answer->media.at[i].kind);
        answer->groups.at[0].mids.at[i] = answer->media.at[i].mid = offer->media.at[i].mid;
    }
    PL_EQ(pl_sdp_write(answer, &out, NULL), PL_OK);
    pl_desc_free(offer);
    pl_desc_free(answer);
    free(text);
    return out;
}

static void called(phone *a, phone *b, const char *peer)
{
    size_t len;
    char *offer = sdp_file(peer, "offer", &len), *answer = fitting_answer(peer, offer);
    give_call(a, NULL, JULIET);
    PL_EQ(take_sdp(a, PL_SDP_OFFER, offer), PL_OK);
    flow(a, b);
    pl_desc *said, *got = heard(b, PL_SDP_OFFER);
    PL_EQ(pl_sdp_parse(&said, offer, strlen(offer), NULL), PL_OK);
    is_meant(said, got);
    pl_desc_free(said);
    pl_desc_free(got);
    PL_EQ(take_sdp(b, PL_SDP_ANSWER, answer), PL_OK);
    flow(a, b);
    got = heard(a, PL_SDP_ANSWER);
    PL_EQ(pl_sdp_parse(&said, answer, strlen(answer), NULL), PL_OK);
    is_meant(said, got);
    pl_desc_free(said);
    pl_desc_free(got);
    PL_EQ(pl_jingle_session_state(pl_jingle_call_session(a->call)), PL_JINGLE_ACTIVE);
    PL_EQ(pl_jingle_session_state(pl_jingle_call_session(b->call)), PL_JINGLE_ACTIVE);
    free(offer);
    free(answer);
}

PL_TEST(calls_of_real_peers)
{
    for (int i = 0; i < SDP_PEERS; i++) {
        phone *a = phone_new(ROMEO, 1), *b = phone_new(JULIET, 2);
        called(a, b, sdp_peer[i]);
        hang_up(i % 2 ? a : b);
        flow(a, b);
        PL_OKAY(a->ended && b->ended);
        PL_EQ(a->reason, PL_JINGLE_SUCCESS);
        PL_EQ(b->reason, PL_JINGLE_SUCCESS);
        PL_STREQ(a->why, "");
        PL_EQ(take_sdp(a, PL_SDP_OFFER, "v=0"), PL_ESTATE);
        phone_free(a);
        phone_free(b);
    }
}

PL_TEST(candidates)
{
    phone *a = phone_new(ROMEO, 1), *b = phone_new(JULIET, 2);
    called(a, b, "chromium");
    static const char line[] = "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host";
    pl_ice_candidate c = { line, "0", 0, "pehQ" };
    PL_EQ(pl_jingle_call_candidate(a->call, 0, &c), PL_OK);
    c = (pl_ice_candidate){ "", "0", -1, NULL };
    PL_EQ(pl_jingle_call_candidate(a->call, 0, &c), PL_OK);
    c = (pl_ice_candidate){ line, "0", 0, "other" }; /* of no description: nobody hears it */
    PL_EQ(pl_jingle_call_candidate(a->call, 0, &c), PL_OK);
    flow(a, b);
    PL_EQ(b->n_said, 3);
    PL_OKAY(b->said[1].is_candidate && b->said[2].is_candidate);
    PL_STREQ(b->said[1].text, line);
    PL_STREQ(b->said[1].mid, "0");
    PL_STREQ(b->said[1].ufrag, "pehQ");
    PL_STREQ(b->said[2].text, "");
    PL_EQ(take_sdp(a, PL_SDP_OFFER, "x"), PL_EPROTO);
    PL_EQ(take_sdp(a, PL_SDP_ROLLBACK, ""), PL_EPROTO);
    PL_OKAY(!a->ended && !b->ended);
    phone_free(a);
    phone_free(b);
}

static char *with_direction(const char *sdp, const char *from, const char *to)
{
    const char *at = strstr(sdp, from);
    char *out = malloc(strlen(sdp) + strlen(to) + 1);
    sprintf(out, "%.*s%s%s", (int)(at - sdp), sdp, to, at + strlen(from));
    return out;
}

/* One side holds the call: an offer with another direction, and its answer. */
PL_TEST(directions)
{
    phone *a = phone_new(ROMEO, 1), *b = phone_new(JULIET, 2);
    called(a, b, "chromium");
    size_t len;
    char *offer = sdp_file("chromium", "offer", &len),
         *hold = with_direction(offer, "a=sendrecv", "a=sendonly");
    PL_EQ(take_sdp(a, PL_SDP_OFFER, hold), PL_OK);
    flow(a, b);
    pl_desc *got = heard(b, PL_SDP_OFFER);
    PL_EQ(got->media.at[0].direction, PL_SENDONLY);
    PL_EQ(got->media.at[1].direction, PL_SENDRECV);
    pl_desc_free(got);
    char *answer = fitting_answer("chromium", offer),
         *held = with_direction(answer, "a=sendrecv", "a=recvonly");
    PL_EQ(take_sdp(b, PL_SDP_ANSWER, held), PL_OK);
    got = heard(a, PL_SDP_ANSWER);
    PL_EQ(got->media.at[0].direction, PL_RECVONLY);
    pl_desc_free(got);
    PL_EQ(take_sdp(a, PL_SDP_OFFER, offer), PL_OK); /* and takes it up again */
    flow(a, b);
    got = heard(b, PL_SDP_OFFER);
    PL_EQ(got->media.at[0].direction, PL_SENDRECV);
    pl_desc_free(got);
    PL_EQ(take_sdp(b, PL_SDP_ANSWER, answer), PL_OK);
    flow(a, b);
    got = heard(a, PL_SDP_ANSWER);
    PL_EQ(got->media.at[0].direction, PL_SENDRECV);
    pl_desc_free(got);
    PL_OKAY(pl_jingle_call_is_quiet(a->call) && pl_jingle_call_is_quiet(b->call));
    free(hold);
    free(held);
    free(answer);
    free(offer);
    phone_free(a);
    phone_free(b);
}

/* The one who is called takes the sound alone: to the caller, an answer whose picture is rejected. */
PL_TEST(part_of_an_offer)
{
    phone *a = phone_new(ROMEO, 1), *b = phone_new(JULIET, 2);
    size_t len;
    char *offer = sdp_file("chromium", "offer", &len), *answer = sdp_file("chromium", "answer", &len);
    char *less = with_direction(answer, "m=video 9", "m=video 0");
    give_call(a, NULL, JULIET);
    PL_EQ(take_sdp(a, PL_SDP_OFFER, offer), PL_OK);
    flow(a, b);
    PL_EQ(pl_jingle_tell(pl_jingle_call_session(b->call), 0, PL_JINGLE_RINGING, NULL), PL_OK);
    flow(a, b);
    PL_STREQ(a->note, "it rings there");
    PL_EQ(take_sdp(b, PL_SDP_ANSWER, less), PL_OK);
    flow(a, b);
    pl_desc *got = heard(a, PL_SDP_ANSWER);
    PL_EQ(got->media.n, 3);
    PL_OKAY(!pl_desc_rejected(&got->media.at[0]) && pl_desc_rejected(&got->media.at[1]) &&
            !pl_desc_rejected(&got->media.at[2]));
    PL_STREQ(got->media.at[1].mid, "1");
    pl_desc_free(got);
    free(less);
    free(offer);
    free(answer);
    phone_free(a);
    phone_free(b);
}

/* Hung up before it was taken up; declined; not secured; cut. */
PL_TEST(ends)
{
    phone *a = phone_new(ROMEO, 1), *b = phone_new(JULIET, 2);
    size_t len;
    char *offer = sdp_file("firefox", "offer", &len);
    give_call(a, NULL, JULIET);
    PL_EQ(take_sdp(a, PL_SDP_OFFER, offer), PL_OK);
    flow(a, b);
    hang_up(a);
    flow(a, b);
    PL_EQ(a->reason, PL_JINGLE_CANCEL);
    PL_EQ(b->reason, PL_JINGLE_CANCEL);
    phone_free(a);
    phone_free(b);
    a = phone_new(ROMEO, 1), b = phone_new(JULIET, 2);
    give_call(a, NULL, JULIET);
    PL_EQ(take_sdp(a, PL_SDP_OFFER, offer), PL_OK);
    flow(a, b);
    hang_up(b);
    flow(a, b);
    PL_EQ(a->reason, PL_JINGLE_DECLINE);
    PL_STREQ(a->why, "decline");
    phone_free(a);
    phone_free(b);
    free(offer);
    a = phone_new(ROMEO, 1), b = phone_new(JULIET, 2);
    pl_jingle_session *s;
    PL_EQ(pl_jingle_initiate(a->s->j, 0, JULIET, NULL, audio("voice"), &s), PL_OK);
    flow(a, b);
    PL_OKAY(b->ended && b->n_said == 0);
    PL_EQ(b->reason, PL_JINGLE_SECURITY_ERROR);
    flow(a, b);
    PL_EQ(pl_jingle_n_sessions(a->s->j), 0);
    phone_free(a);
    phone_free(b);
    a = phone_new(ROMEO, 1), b = phone_new(JULIET, 2);
    called(a, b, "pion");
    pl_jingle_cut(a->s->j, 0);
    flow(a, b);
    PL_EQ(a->reason, PL_JINGLE_GONE);
    phone_free(a);
    phone_free(b);
}

/* A recorded answer to the first n sections of its offer. */
static char *answer_to_first(const char *peer, size_t n)
{
    size_t len;
    char *offer = sdp_file(peer, "offer", &len), *text = fitting_answer(peer, offer), *out;
    pl_desc *d;
    PL_EQ(pl_sdp_parse(&d, text, strlen(text), NULL), PL_OK);
    d->media.n = d->groups.at[0].mids.n = n;
    PL_EQ(pl_sdp_write(d, &out, NULL), PL_OK);
    pl_desc_free(d);
    free(text);
    free(offer);
    return out;
}

/* The peer hears of `heard_n` sections of three; our side gets an answer to all of them. */
static void goes_without(const char *peer, bool channels, bool video, size_t heard_n)
{
    size_t len;
    char *offer = sdp_file(peer, "offer", &len), *answer = answer_to_first(peer, heard_n);
    phone *a = phone_new(ROMEO, 1), *b = phone_new(JULIET, 2);
    pl_jingle_call_conf conf = conf_of(a, NULL, JULIET);
    conf.no_channels = !channels;
    conf.no_video = !video;
    PL_EQ(pl_jingle_call_new(&a->call, &conf), PL_OK);
    PL_EQ(take_sdp(a, PL_SDP_OFFER, offer), PL_OK);
    flow(a, b);
    pl_desc *got = heard(b, PL_SDP_OFFER);
    PL_EQ(got->media.n, heard_n);
    PL_EQ(got->groups.at[0].mids.n, heard_n);
    pl_desc_free(got);
    PL_EQ(take_sdp(b, PL_SDP_ANSWER, answer), PL_OK);
    flow(a, b);
    got = heard(a, PL_SDP_ANSWER);
    PL_EQ(got->media.n, 3);
    for (size_t i = 0; i < 3; i++)
        PL_EQ(pl_desc_rejected(&got->media.at[i]), i >= heard_n);
    PL_EQ(got->groups.at[0].mids.n, heard_n);
    pl_desc_free(got);
    PL_OKAY(!a->ended && !b->ended);
    phone_free(a);
    phone_free(b);
    free(offer);
    free(answer);
}

PL_TEST(left_unsaid)
{
    goes_without("pion", true, true, 3);
    goes_without("pion", false, true, 2);
    goes_without("pion", false, false, 1);
}

/* A call of nothing else says them all the same: the peer knows best. */
PL_TEST(nothing_else_to_say)
{
    size_t len;
    char *offer = sdp_file("pion", "offer", &len), *text;
    pl_desc *d;
    PL_EQ(pl_sdp_parse(&d, offer, len, NULL), PL_OK);
    PL_EQ(d->media.at[2].kind, PL_DESC_APPLICATION);
    d->media.at[0] = d->media.at[2];
    d->groups.at[0].mids.at[0] = d->media.at[0].mid;
    d->media.n = d->groups.at[0].mids.n = 1;
    PL_EQ(pl_sdp_write(d, &text, NULL), PL_OK);
    phone *a = phone_new(ROMEO, 1), *b = phone_new(JULIET, 2);
    pl_jingle_call_conf conf = conf_of(a, NULL, JULIET);
    conf.no_channels = true;
    PL_EQ(pl_jingle_call_new(&a->call, &conf), PL_OK);
    PL_EQ(take_sdp(a, PL_SDP_OFFER, text), PL_OK);
    flow(a, b);
    pl_desc *got = heard(b, PL_SDP_OFFER);
    PL_EQ(got->media.n, 1);
    PL_EQ(got->media.at[0].kind, PL_DESC_APPLICATION);
    pl_desc_free(got);
    pl_desc_free(d);
    phone_free(a);
    phone_free(b);
    free(text);
    free(offer);
}

PL_TESTS(t(calls_of_real_peers), t(candidates), t(directions), t(part_of_an_offer), t(left_unsaid),
         t(nothing_else_to_say), t(ends))
