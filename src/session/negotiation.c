#include "session/negotiation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

enum { WHY_MAX = 320 };

void pl_negotiation_clear(pl_negotiation *n)
{
    free(n->refusal);
    n->refusal = NULL;
}

static void fail(pl_negotiation *n, const char *what, pl_err err)
{
    char why[WHY_MAX / 2] = "", text[WHY_MAX];
    pl_peer_connection_error_text(n->pc, why, sizeof why);
    snprintf(text, sizeof text, "%s: %s", what, why[0] ? why : pl_err_str(err));
    n->failed(n->user, err, text);
}

static bool is_stable(const pl_negotiation *n)
{
    return pl_peer_connection_get_signaling_state(n->pc) == PL_SIGNALING_STABLE;
}

/* ---- what was refused ---- */

/* An offer without what differs in each one: its version, and the candidates. */
static char *essence_of(const char *sdp)
{
    pl_buf b = pl_buf_init(SIZE_MAX / 2);
    for (pl_str rest = pl_str_of(sdp); rest.p;) {
        pl_str line = pl_str_cut(&rest, '\n');
        if (pl_str_starts(line, "o=") || pl_str_starts(line, "c=") || pl_str_starts(line, "a=rtcp:") ||
            pl_str_starts(line, "a=candidate:") || pl_str_starts(line, "a=end-of-candidates"))
            continue;
        if (pl_str_starts(line, "m=")) { /* the port is that of a candidate */
            pl_str kind = pl_str_cut(&line, ' '), port = pl_str_cut(&line, ' ');
            pl_buf_addf(&b, "%.*s %d ", (int)kind.n, kind.p, !pl_str_is(port, "0"));
        }
        if (line.n)
            pl_buf_add(&b, line.p, line.n);
        pl_buf_add(&b, "\n", 1);
    }
    return pl_buf_take(&b);
}

/* Back in stable the connection asks again for what it still needs: that is no news. */
static bool was_refused(pl_negotiation *n)
{
    char *sdp = NULL, *now = NULL;
    if (!n->refusal)
        return false;
    if (pl_peer_connection_create_offer(n->pc, NULL, &sdp) == PL_OK)
        now = essence_of(sdp);
    bool same = !now || strcmp(now, n->refusal) == 0;
    pl_free(sdp);
    free(now);
    return same;
}

static void keep_refusal(pl_negotiation *n)
{
    char *sdp = NULL;
    pl_negotiation_clear(n);
    if (pl_peer_connection_create_offer(n->pc, NULL, &sdp) == PL_OK)
        n->refusal = essence_of(sdp);
    pl_free(sdp);
    if (!n->refusal)
        n->refusal = strdup(""); /* without memory nothing is the same, and it is tried once more */
}

void pl_negotiation_refused(pl_negotiation *n, pl_err err, const char *why)
{
    if (!n->pc || pl_peer_connection_get_signaling_state(n->pc) != PL_SIGNALING_HAVE_LOCAL_OFFER)
        return;
    n->untold = false;
    if (!n->agreed) {
        n->failed(n->user, err, why);
        return;
    }
    if (pl_peer_connection_set_local_description(n->pc, PL_SDP_ROLLBACK, NULL)) {
        n->failed(n->user, err, why);
        return;
    }
    keep_refusal(n);
    n->refused(n->user, err, why);
}

/* ---- ours ---- */

static void tell(pl_negotiation *n)
{
    pl_sdp_type type = PL_SDP_OFFER;
    char *sdp = NULL;
    n->untold = false;
    pl_err err = pl_peer_connection_local_description(n->pc, &type, &sdp);
    if (!err && !sdp)
        err = PL_ENOMEM;
    if (!err)
        err = n->describe(n->user, type, sdp);
    pl_free(sdp);
    if (!err)
        return;
    if (type == PL_SDP_OFFER && n->agreed && err != PL_ENOMEM)
        pl_negotiation_refused(n, err,
                               err == PL_ENOTSUP ? "the way of this call cannot carry such a change"
                                                 : "the change cannot be told to the other side now");
    else
        n->failed(n->user, err, "the description cannot be sent");
}

static void tell_when_whole(pl_negotiation *n)
{
    n->untold = n->whole && pl_peer_connection_get_ice_gathering_state(n->pc) != PL_ICE_GATHERING_COMPLETE;
    if (!n->untold)
        tell(n);
}

static void offer(pl_negotiation *n)
{
    if (!is_stable(n) || was_refused(n))
        return; /* back in stable it is asked for again */
    pl_negotiation_clear(n);
    pl_err err = pl_peer_connection_set_local_description(n->pc, PL_SDP_OFFER, NULL);
    if (err)
        fail(n, "no offer", err);
    else
        tell_when_whole(n);
}

void pl_negotiation_needed(pl_negotiation *n)
{
    n->wants = !n->started; /* the callee answers first */
    if (n->started)
        offer(n);
}

void pl_negotiation_start(pl_negotiation *n)
{
    n->started = true;
    if (n->wants) {
        n->wants = false;
        offer(n);
    }
}

void pl_negotiation_gathering(pl_negotiation *n, pl_ice_gathering_state state)
{
    if (n->untold && state == PL_ICE_GATHERING_COMPLETE)
        tell(n);
}

void pl_negotiation_local_candidate(pl_negotiation *n, const pl_ice_candidate *c)
{
    if (!n->whole)
        n->candidate(n->user, c);
}

/* ---- theirs ---- */

static void answer(pl_negotiation *n)
{
    pl_err err = pl_peer_connection_set_local_description(n->pc, PL_SDP_ANSWER, NULL);
    if (err) {
        fail(n, "no answer", err);
        return;
    }
    n->started = n->agreed = true;
    n->wants = false; /* what the answer had no place for is asked for again */
    tell_when_whole(n);
}

void pl_negotiation_description(pl_negotiation *n, pl_sdp_type type, const char *sdp)
{
    bool stable = is_stable(n);
    if (type == PL_SDP_ANSWER && stable) {
        n->note(n->user, "the other side answers what was not asked");
        return;
    }
    n->ignoring = type == PL_SDP_OFFER && !stable && !n->polite;
    if (n->ignoring)
        return;
    if (type == PL_SDP_OFFER && !stable) {
        n->untold = false;
        if (n->withdrawn)
            n->withdrawn(n->user);
    }
    pl_err err = pl_peer_connection_set_remote_description(n->pc, type, sdp);
    if (err)
        fail(n, "the peer's description", err);
    else if (type == PL_SDP_OFFER)
        answer(n);
    else
        n->agreed = true;
}

void pl_negotiation_remote_candidate(pl_negotiation *n, const pl_ice_candidate *c)
{
    if (pl_peer_connection_add_ice_candidate(n->pc, c) && !n->ignoring)
        n->note(n->user, "a candidate of the peer is of no use");
}
