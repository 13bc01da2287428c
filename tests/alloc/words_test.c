/* Descriptions and what is decided by them, with every allocation failing once: a call either does all or refuses with
 * PL_ENOMEM, and the next one works. */
#include "pl_test.h"

#include "desc/jsep_peer.h"
#include "fail.h"
#include "sdp/files.h"
#include "sdp/sdp.h"

#define expect(call) expect_at(call, __LINE__)

static void expect_at(pl_err err, int line)
{
    if (err && !(fail_is_on() && err == PL_ENOMEM))
        fail_msg("line %d: %s: PL_ALLOC_N=%ld", line, pl_err_str(err), fail_at_n());
}

/* ---- texts of real peers ---- */

static char *text[2 * SDP_PEERS];
static size_t text_len[2 * SDP_PEERS];

static void texts_scenario(void)
{
    for (int i = 0; i < 2 * SDP_PEERS; i++) {
        pl_desc *d;
        pl_sdp_error what;
        char *again;
        size_t len;
        pl_err err = pl_sdp_parse(&d, text[i], text_len[i], &what);
        expect(err);
        if (err) {
            PL_OKAY(!d);
            continue;
        }
        err = pl_sdp_write(d, &again, &len);
        expect(err);
        if (!err)
            free(again);
        pl_desc_free(d);
    }
}

PL_TEST(texts)
{
    for (int i = 0; i < 2 * SDP_PEERS; i++)
        text[i] = sdp_file(sdp_peer[i / 2], i % 2 ? "answer" : "offer", &text_len[i]);
    fail_each(texts_scenario);
    for (int i = 0; i < 2 * SDP_PEERS; i++)
        free(text[i]);
}

/* ---- offer and answer ---- */

static void drain(pl_jsep *j)
{
    pl_jsep_event e;
    pl_jsep_media m;
    while (pl_jsep_poll_event(j, &e)) {
        if (e.kind == PL_JSEP_TRANSCEIVER)
            (void)pl_jsep_negotiated(j, e.u.transceiver, &m);
    }
    pl_jsep_check(j);
}

/* Tried twice: what failed for want of memory must succeed the second time, because only one allocation fails. */
#define TWICE(call)                                                                                          \
    do {                                                                                                     \
        pl_err pl_first = (call);                                                                            \
        expect(pl_first);                                                                                    \
        if (pl_first)                                                                                        \
            expect(call);                                                                                    \
    } while (0)

static void negotiate(pl_jsep *a, pl_jsep *b, bool restart)
{
    const pl_desc *d;
    if (pl_jsep_state(a) != PL_SIGNALING_STABLE || pl_jsep_state(b) != PL_SIGNALING_STABLE)
        return; /* the last one found no memory for a copy in between */
    pl_err err = pl_jsep_create_offer(a, restart, &d);
    if (err)
        err = pl_jsep_create_offer(a, restart, &d);
    expect(err);
    if (err)
        return;
    pl_desc *offer;
    err = pl_desc_copy(&offer, d);
    expect(err);
    if (err)
        return;
    TWICE(pl_jsep_set_local(a, PL_SDP_OFFER, offer));
    drain(a);
    TWICE(pl_jsep_set_remote(b, PL_SDP_OFFER, offer));
    drain(b);
    pl_desc_free(offer);
    if (pl_jsep_state(b) != PL_SIGNALING_HAVE_REMOTE_OFFER)
        return;
    err = pl_jsep_create_answer(b, &d);
    if (err)
        err = pl_jsep_create_answer(b, &d);
    expect(err);
    pl_desc *answer;
    if (err || pl_desc_copy(&answer, d))
        return;
    TWICE(pl_jsep_set_local(b, PL_SDP_ANSWER, answer));
    drain(b);
    if (pl_jsep_state(a) == PL_SIGNALING_HAVE_LOCAL_OFFER)
        TWICE(pl_jsep_set_remote(a, PL_SDP_ANSWER, answer));
    drain(a);
    pl_desc_free(answer);
}

static void candidates(pl_jsep *from, pl_jsep *to)
{
    static const char line[] = "candidate:1 1 udp 2130706431 10.0.0.1 4000 typ host";
    const pl_desc *local = pl_jsep_local(from, NULL);
    if (local && local->media.n)
        expect(pl_jsep_add_local_candidate(from, pl_str_of(line), local->media.at[0].ufrag));
    if (pl_jsep_remote(to, NULL))
        expect(pl_jsep_add_remote_candidate(to, pl_str_of(line), NULL, 0, NULL));
    drain(from);
    drain(to);
}

static void jsep_scenario(void)
{
    static pl_rand_seeded seed[2];
    pl_jsep *j[2] = { NULL };
    pl_jsep_transceiver *t = NULL, *other = NULL;
    pl_jsep_track track = { .track_id = "track", .stream_id = { "one", "two" }, .n_streams = 2 };
    static const char *const vp8[] = { "VP8" };
    for (int i = 0; i < 2; i++) {
        pl_jsep_conf conf = peer_conf(pl_rand_seed(&seed[i], 5 + (uint64_t)i));
        pl_err err = pl_jsep_new(&j[i], &conf);
        expect(err);
        if (err)
            goto out;
    }
    expect(pl_jsep_add_track(j[0], PL_AUDIO, &track, &t));
    if (pl_jsep_add_transceiver(j[0], PL_VIDEO, PL_SENDRECV, &track, &t) == PL_OK)
        expect(pl_jsep_set_codec_preferences(j[0], t, vp8, 1));
    expect(pl_jsep_add_track(j[1], PL_VIDEO, &track, &other));
    pl_jsep_want_data(j[0]);
    negotiate(j[0], j[1], false);
    candidates(j[0], j[1]);
    candidates(j[1], j[0]);
    pl_jsep_restart_ice(j[1]);
    expect(pl_jsep_add_transceiver(j[1], PL_AUDIO, PL_SENDONLY, NULL, &other));
    negotiate(j[1], j[0], true);
    if (pl_jsep_n_transceivers(j[0]) > 0)
        expect(pl_jsep_stop(j[0], pl_jsep_transceiver_at(j[0], 0)));
    if (pl_jsep_state(j[0]) == PL_SIGNALING_STABLE) {
        expect(pl_jsep_set_local_implicit(j[0]));
        drain(j[0]);
        if (pl_jsep_state(j[0]) == PL_SIGNALING_HAVE_LOCAL_OFFER)
            expect(pl_jsep_set_local(j[0], PL_SDP_ROLLBACK, NULL));
        drain(j[0]);
    }
    negotiate(j[0], j[1], false);
    if (!fail_is_on()) {
        PL_EQ(pl_jsep_state(j[0]), PL_SIGNALING_STABLE);
        PL_EQ(pl_jsep_state(j[1]), PL_SIGNALING_STABLE);
    }
out:
    pl_jsep_free(j[0]);
    pl_jsep_free(j[1]);
}

PL_TEST(offers_and_answers)
{
    fail_each(jsep_scenario);
}

PL_TESTS(t(texts), t(offers_and_answers))
