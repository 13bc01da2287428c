/* negotiate.c - the journey from words to state: SDP in, JSEP decides, and what it decided is applied to ICE,
 * DTLS, data and transceivers. */
#include "pc/pc_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "sdp/sdp.h"

/* ---- what JSEP decided ---- */

static void on_gather(pl_pc *pc, const pl_jsep_event *ev)
{
    const char *ufrag = ev->u.gather.ufrag, *pwd = ev->u.gather.pwd;
    pl_err err = PL_OK;
    pc->gather_wanted = true;
    (void)pl_str_copy(pl_str_of(ufrag), pc->gather_ufrag, sizeof pc->gather_ufrag);
    if (!pc->ice) {
        /* Whoever offers first is controlling (RFC 8445 6.1.1). The answerer's checks may overtake its answer, so
         * the role must stand from the start. */
        bool offering = pl_jsep_state(pc->jsep) == PL_SIGNALING_HAVE_LOCAL_OFFER;
        pl_ice_conf conf = { .rand = pc->conf.rand,
                             .log_id = pc->conf.log_id,
                             .ufrag = ufrag,
                             .pwd = pwd,
                             .controlling = offering && !pc->conf.ice_lite,
                             .lite = pc->conf.ice_lite,
                             .relay_only = pc->conf.relay_only,
                             .without = pc->conf.ice_without };
        err = pl_ice_new(&pc->ice, &conf, pc->now_us);
    } else if (strcmp(pl_ice_ufrag(pc->ice), ufrag) != 0) {
        /* A rollback brings back the credentials of before the offer; everything else is a restart. */
        if (pl_ice_rollback(pc->ice, pc->now_us) || strcmp(pl_ice_ufrag(pc->ice), ufrag) != 0)
            err = pl_ice_restart(pc->ice, pc->now_us, ufrag, pwd);
    }
    if (err)
        pc_fail(pc, "ICE: %s", pl_err_str(err));
}

static size_t read_fingerprints(const pl_desc_fingerprint *in, size_t n, pl_fingerprint *out, size_t cap)
{
    size_t n_out = 0;
    for (size_t i = 0; i < n && n_out < cap; i++) {
        if (!pl_fingerprint_parse(&out[n_out], in[i].hash, strlen(in[i].hash), in[i].value,
                                  strlen(in[i].value)))
            n_out++;
    }
    return n_out;
}

static void on_transport(pl_pc *pc, const pl_jsep_event *ev)
{
    if (!pc->ice)
        return; /* there was no memory for it, and the connection has failed */
    pl_fingerprint fp[PL_DTLS_FINGERPRINT_MAX];
    size_t n = read_fingerprints(ev->u.transport.fingerprints, ev->u.transport.n_fingerprints, fp,
                                 PL_DTLS_FINGERPRINT_MAX);
    pl_dtls_conf conf = { .ctx = pc->conf.dtls_ctx, .log_id = pc->conf.log_id };
    if (!pc->dtls && pl_dtls_new(&pc->dtls, &conf, pc->now_us)) {
        pc_fail(pc, "no memory for a DTLS session");
        return;
    }
    if (pl_dtls_set_remote(pc->dtls, pc->now_us, fp, n)) {
        pc_fail(pc, "the peer's description has no usable fingerprint (sha-256, sha-384 or sha-512)");
        return;
    }
    if (!pc->has_role) {
        pc->has_role = true;
        pc->role = ev->u.transport.role == PL_DESC_ROLE_CLIENT ? PL_DTLS_CLIENT : PL_DTLS_SERVER;
        if (pc->data)
            pl_data_set_role(pc->data, pc->role == PL_DTLS_CLIENT);
    }
    if (!pc->has_transport)
        pl_ice_set_controlling(pc->ice, pc->now_us, ev->u.transport.controlling);
    pc->has_transport = true;
    pl_err err = pl_ice_set_remote(pc->ice, pc->now_us, ev->u.transport.ufrag, ev->u.transport.pwd,
                                   ev->u.transport.lite);
    if (err)
        pc_fail(pc, "ICE refuses the peer's credentials: %s", pl_err_str(err));
}

static void on_candidate(pl_pc *pc, const pl_jsep_event *ev)
{
    pl_ice_cand c;
    const char *text = ev->u.candidate.text;
    if (!pc->ice)
        return;
    if (!text) {
        pl_ice_remote_done(pc->ice, pc->now_us);
        return;
    }
    pl_err err = pl_ice_cand_parse(&c, text, strlen(text));
    if (!err)
        err = pl_ice_add_remote(pc->ice, pc->now_us, &c);
    if (err && pl_rate_pass(&pc->bad_packet, pc->now_us))
        pl_log_debug(&pc->log, "a remote candidate is of no use: %s", pl_err_str(err));
}

static void on_data(pl_pc *pc, const pl_jsep_event *ev)
{
    pc->data_agreed = ev->u.data.accepted;
    if (!ev->u.data.accepted) {
        if (pc->data)
            pl_data_close(pc->data, pc->now_us);
        return;
    }
    if (pc_data_make(pc)) {
        pc_fail(pc, "no memory for data channels");
        return;
    }
    uint64_t max = ev->u.data.max_message_size;
    pl_data_set_remote(pc->data, ev->u.data.remote_port, max == UINT64_MAX ? 0 : max);
}

static void on_transceiver(pl_pc *pc, pl_jsep_transceiver *j)
{
    pc_transceiver *t = pc_transceiver_of(pc, j);
    if (t)
        pc_transceiver_apply(pc, t);
}

static void on_track(pl_pc *pc, pl_jsep_transceiver *j)
{
    pl_pc_event e = { .kind = PL_PC_EV_TRACK, .text = "" };
    pc_transceiver *t = pc_transceiver_of(pc, j);
    if (!t)
        return;
    pc_transceiver_apply(pc, t);
    e.u.transceiver = t->index;
    pc_note_add(pc, &e);
}

static void on_removed(pl_pc *pc, pl_jsep_transceiver *j)
{
    pc_transceiver *t = j->user;
    if (!t)
        return;
    t->j = NULL;
    pc_transceiver_apply(pc, t);
}

void pc_apply_jsep(pl_pc *pc)
{
    pl_jsep_event ev;
    while (pl_jsep_poll_event(pc->jsep, &ev)) {
        switch (ev.kind) {
        case PL_JSEP_STATE:
            /* W3C 4.4.1.5: back in stable, what is still needed is asked for anew. */
            if (ev.u.state == PL_SIGNALING_STABLE)
                pc->needed_told = false;
            break;
        case PL_JSEP_GATHER: on_gather(pc, &ev); break;
        case PL_JSEP_TRANSPORT: on_transport(pc, &ev); break;
        case PL_JSEP_CANDIDATE: on_candidate(pc, &ev); break;
        case PL_JSEP_TRANSCEIVER: on_transceiver(pc, ev.u.transceiver); break;
        case PL_JSEP_TRACK: on_track(pc, ev.u.transceiver); break;
        case PL_JSEP_MUTE: on_transceiver(pc, ev.u.transceiver); break;
        case PL_JSEP_REMOVED: on_removed(pc, ev.u.transceiver); break;
        case PL_JSEP_DATA: on_data(pc, &ev); break;
        }
    }
    pc_check_negotiation(pc);
    pc_settle(pc);
}

/* ---- calls ---- */

static pl_err begin(pl_pc *pc, int64_t now_us)
{
    pc->now_us = now_us;
    pc->error[0] = 0;
    return pc->closed ? pc_error(pc, PL_ESTATE, "the connection is closed") : PL_OK;
}

static pl_err from_jsep(pl_pc *pc, pl_err err)
{
    const char *said = pl_jsep_error(pc->jsep);
    return pc_error(pc, err, "%s", said[0] ? said : pl_err_str(err));
}

static pl_err write_sdp(pl_pc *pc, const pl_desc *d, char **sdp)
{
    pl_err err = pl_sdp_write(d, sdp, NULL);
    return pc_error(pc, err, "the description cannot be written: %s", pl_err_str(err));
}

static pl_err parse_sdp(pl_pc *pc, const char *sdp, pl_desc **out)
{
    pl_sdp_error what;
    *out = NULL;
    if (!sdp)
        return pc_error(pc, PL_EINVAL, "there is no description");
    pl_err err = pl_sdp_parse(out, sdp, strlen(sdp), &what);
    return pc_error(pc, err, "%s", what.text[0] ? what.text : pl_err_str(err));
}

pl_err pl_pc_create_offer(pl_pc *pc, int64_t now_us, bool ice_restart, char **sdp)
{
    const pl_desc *d;
    *sdp = NULL;
    pl_err err = begin(pc, now_us);
    if (err)
        return err;
    err = pl_jsep_create_offer(pc->jsep, ice_restart, &d);
    return err ? from_jsep(pc, err) : write_sdp(pc, d, sdp);
}

pl_err pl_pc_create_answer(pl_pc *pc, int64_t now_us, char **sdp)
{
    const pl_desc *d;
    *sdp = NULL;
    pl_err err = begin(pc, now_us);
    if (err)
        return err;
    err = pl_jsep_create_answer(pc->jsep, &d);
    return err ? from_jsep(pc, err) : write_sdp(pc, d, sdp);
}

pl_err pl_pc_set_local(pl_pc *pc, int64_t now_us, pl_sdp_type type, const char *sdp)
{
    pl_desc *d = NULL;
    pl_err err = begin(pc, now_us);
    if (err)
        return err;
    if (!sdp && type != PL_SDP_ROLLBACK) {
        err = pl_jsep_set_local_implicit(pc->jsep);
    } else {
        if (type != PL_SDP_ROLLBACK && (err = parse_sdp(pc, sdp, &d)))
            return err;
        err = pl_jsep_set_local(pc->jsep, type, d);
    }
    pl_desc_free(d);
    if (err)
        return from_jsep(pc, err);
    pc_apply_jsep(pc);
    return PL_OK;
}

pl_err pl_pc_set_remote(pl_pc *pc, int64_t now_us, pl_sdp_type type, const char *sdp)
{
    pl_desc *d = NULL;
    pl_err err = begin(pc, now_us);
    if (err)
        return err;
    if (type != PL_SDP_ROLLBACK && (err = parse_sdp(pc, sdp, &d)))
        return err;
    err = pl_jsep_set_remote(pc->jsep, type, d);
    pl_desc_free(d);
    if (err)
        return from_jsep(pc, err);
    pc_apply_jsep(pc);
    return PL_OK;
}

static pl_err description(pl_pc *pc, const pl_desc *d, char **sdp)
{
    *sdp = NULL;
    pc->error[0] = 0;
    return d ? write_sdp(pc, d, sdp) : PL_OK;
}

pl_err pl_pc_local_description(pl_pc *pc, pl_sdp_type *type, char **sdp)
{
    return description(pc, pl_jsep_local(pc->jsep, type), sdp);
}

pl_err pl_pc_remote_description(pl_pc *pc, pl_sdp_type *type, char **sdp)
{
    return description(pc, pl_jsep_remote(pc->jsep, type), sdp);
}

/* The text is checked as a candidate here, so that a caller hears of it at once; an unknown type or transport
 * is to be ignored (RFC 8839 5.1). */
static pl_err check_candidate(pl_pc *pc, pl_str line)
{
    pl_ice_cand c;
    pl_err err = pl_ice_cand_parse(&c, line.p, line.n);
    if (err == PL_ENOTSUP)
        return PL_OK;
    return pc_error(pc, err, "not a candidate: \"%.*s\"", (int)(line.n < 80 ? line.n : 80), line.p);
}

pl_err pl_pc_add_candidate(pl_pc *pc, int64_t now_us, const pl_ice_candidate *c)
{
    pl_str line = { NULL, 0 };
    bool end = false;
    pl_err err = begin(pc, now_us);
    if (err)
        return err;
    err = pl_sdp_candidate_line(pl_str_of(c->candidate ? c->candidate : ""), &line, &end);
    if (err)
        return pc_error(pc, err, "not a candidate: \"%.80s\"", c->candidate);
    if (!end && (err = check_candidate(pc, line)))
        return err;
    err = pl_jsep_add_remote_candidate(pc->jsep, line, c->sdp_mid, c->sdp_mline_index, c->username_fragment);
    if (err)
        return from_jsep(pc, err);
    pc_apply_jsep(pc);
    return PL_OK;
}

void pl_pc_restart_ice(pl_pc *pc, int64_t now_us)
{
    if (begin(pc, now_us))
        return;
    pl_jsep_restart_ice(pc->jsep);
    pc_apply_jsep(pc);
}

bool pl_pc_wants_gathering(const pl_pc *pc)
{
    return pc->gather_wanted && pc->ice && !pc->closed;
}
