/* Any text: refused, or read, written and read again equal; then set as an offer on one engine (fresh, or with
 * a session running) and as an answer on another. */
#include <stdlib.h>

#include "sdp/sdp.h"
#include "tests/desc/jsep_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int truth)
{
    if (!truth)
        abort();
}

static pl_desc *round_trip(const pl_desc *d)
{
    char *text;
    size_t len;
    pl_desc *back = NULL;
    must(pl_sdp_write(d, &text, &len) == PL_OK);
    if (len <= PL_SDP_TEXT_MAX)
        must(pl_sdp_parse(&back, text, len, NULL) == PL_OK && pl_desc_eq(d, back));
    free(text);
    return back;
}

static pl_jsep *engine(pl_rand_seeded *state, uint64_t seed)
{
    pl_jsep *j;
    pl_jsep_transceiver *t;
    pl_jsep_conf conf = peer_conf(pl_rand_seed(state, seed));
    must(pl_jsep_new(&j, &conf) == PL_OK);
    must(pl_jsep_add_track(j, PL_AUDIO, NULL, &t) == PL_OK);
    must(pl_jsep_add_track(j, PL_VIDEO, NULL, &t) == PL_OK);
    pl_jsep_want_data(j);
    return j;
}

static void poll_all(pl_jsep *j)
{
    pl_jsep_event e;
    pl_jsep_media m;
    while (pl_jsep_poll_event(j, &e)) {
        if (e.kind == PL_JSEP_TRANSCEIVER)
            (void)pl_jsep_negotiated(j, e.u.transceiver, &m);
    }
    (void)pl_jsep_negotiation_needed(j);
    pl_jsep_check(j);
}

static void as_offer(const pl_desc *d, uint64_t seed)
{
    pl_rand_seeded state;
    pl_jsep *j = engine(&state, seed);
    if (seed % 2)
        must(pl_jsep_set_local_implicit(j) == PL_OK); /* it comes as glare */
    if (pl_jsep_set_remote(j, PL_SDP_OFFER, d) == PL_OK) {
        if (seed % 4 < 2)
            poll_all(j);
        pl_err err = pl_jsep_set_local_implicit(j);
        must(err == PL_OK || err == PL_ENOSPC);
        if (err == PL_OK)
            pl_desc_free(round_trip(pl_jsep_current_local(j)));
        if (pl_jsep_set_remote(j, PL_SDP_OFFER, d) == PL_OK) /* the same again, now as renegotiation */
            must(pl_jsep_set_remote(j, PL_SDP_ROLLBACK, NULL) == PL_OK);
        err = pl_jsep_set_local_implicit(j);
        must(err == PL_OK || err == PL_ENOSPC);
        if (err == PL_OK)
            pl_desc_free(round_trip(pl_jsep_pending_local(j)));
    }
    poll_all(j);
    pl_jsep_free(j);
}

static void as_answer(const pl_desc *d, uint64_t seed)
{
    pl_rand_seeded state;
    pl_jsep *j = engine(&state, seed);
    must(pl_jsep_set_local_implicit(j) == PL_OK);
    if (pl_jsep_set_remote(j, PL_SDP_ANSWER, d) == PL_OK)
        must(pl_jsep_set_local_implicit(j) == PL_OK);
    poll_all(j);
    pl_jsep_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_desc *d;
    pl_sdp_error error;
    if (pl_sdp_parse(&d, (const char *)data, size, &error)) {
        must(error.text[0] != 0);
        return 0;
    }
    pl_desc_free(round_trip(d));
    as_offer(d, size);
    as_answer(d, size);
    pl_desc_free(d);
    return 0;
}
