#include "cli/negotiation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pl_negotiation_clear(pl_negotiation *n)
{
    json_decref(n->tags);
    n->tags = NULL;
}

void pl_negotiation_say(pl_negotiation *n, json_t *o)
{
    if (o && n->tags)
        json_object_update(o, n->tags);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (text)
        n->send(n->user, text, strlen(text));
    free(text);
    json_decref(o);
}

static void send_description(pl_negotiation *n)
{
    pl_sdp_type type;
    char *sdp;
    if (pl_peer_connection_local_description(n->pc, &type, &sdp) || !sdp)
        return;
    pl_negotiation_say(n, json_pack("{ss ss}", "type", pl_sdp_type_str(type), "sdp", sdp));
    pl_free(sdp);
}

static void fail(pl_negotiation *n, const char *what, pl_err err)
{
    char why[200], text[300];
    pl_peer_connection_error_text(n->pc, why, sizeof why);
    snprintf(text, sizeof text, "%s: %s", what, why[0] ? why : pl_err_str(err));
    n->failed(n->user, text);
}

void pl_negotiation_needed(pl_negotiation *n)
{
    if (!n->started)
        return; /* the callee answers first */
    n->making_offer = true;
    pl_err err = pl_peer_connection_set_local_description(n->pc, PL_SDP_OFFER, NULL);
    if (err)
        fail(n, "no offer", err);
    else
        send_description(n);
    n->making_offer = false;
}

void pl_negotiation_candidate(pl_negotiation *n, const pl_ice_candidate *c)
{
    pl_negotiation_say(n, json_pack("{ss ss si ss}", "candidate", c->candidate, "sdpMid", c->sdp_mid,
                                    "sdpMLineIndex", c->sdp_mline_index, "usernameFragment",
                                    c->username_fragment));
}

static void take_description(pl_negotiation *n, pl_sdp_type type, const char *sdp)
{
    bool stable = pl_peer_connection_get_signaling_state(n->pc) == PL_SIGNALING_STABLE;
    bool collision = type == PL_SDP_OFFER && (n->making_offer || !stable);
    n->ignore_offer = n->caller && collision;
    if (n->ignore_offer)
        return;
    pl_err err = pl_peer_connection_set_remote_description(n->pc, type, sdp);
    if (err) {
        fail(n, "the peer's description", err);
        return;
    }
    n->started = true;
    if (type != PL_SDP_OFFER)
        return;
    err = pl_peer_connection_set_local_description(n->pc, PL_SDP_ANSWER, NULL);
    if (err)
        fail(n, "no answer", err);
    else
        send_description(n);
}

static void take_candidate(pl_negotiation *n, const json_t *o)
{
    const json_t *mline = json_object_get(o, "sdpMLineIndex");
    pl_ice_candidate c = { .candidate = json_string_value(json_object_get(o, "candidate")),
                           .sdp_mid = json_string_value(json_object_get(o, "sdpMid")),
                           .sdp_mline_index = json_is_integer(mline) ? (int)json_integer_value(mline) : -1,
                           .username_fragment = json_string_value(json_object_get(o, "usernameFragment")) };
    if (c.candidate && pl_peer_connection_add_ice_candidate(n->pc, &c) && !n->ignore_offer)
        n->note(n->user, "a candidate of the peer is of no use");
}

bool pl_negotiation_take(pl_negotiation *n, const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    const char *sdp = json_string_value(json_object_get(o, "sdp"));
    if (type && sdp && strcmp(type, "offer") == 0)
        take_description(n, PL_SDP_OFFER, sdp);
    else if (type && sdp && strcmp(type, "answer") == 0)
        take_description(n, PL_SDP_ANSWER, sdp);
    else if (json_object_get(o, "candidate"))
        take_candidate(n, o);
    else
        return false;
    return true;
}
