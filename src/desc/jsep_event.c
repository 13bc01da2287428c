/* What changed, found by comparing the state with what was told; and what a section pair means. */
#include "base/hash.h"
#include "desc/jsep_internal.h"

/* --- fingerprints of texts --------------------------------------------------------------------------------
 */

/* Zero means "nothing told yet", so a hash is never zero. */
static uint64_t mix(const pl_jsep *j, uint64_t h, const char *text)
{
    uint64_t part[2] = { h, pl_siphash(j->hash_key, text ? text : "", text ? strlen(text) : 0) };
    h = pl_siphash(j->hash_key, part, sizeof part);
    return h ? h : 1;
}

static uint64_t hash_ice(const pl_jsep *j, const pl_desc_media *m)
{
    return mix(j, mix(j, 0, m->ufrag), m->pwd);
}

static uint64_t hash_dtls(const pl_jsep *j, const pl_desc_media *m)
{
    uint64_t h = (uint64_t)j->role;
    for (size_t i = 0; i < m->fingerprints.n; i++)
        h = mix(j, mix(j, h, m->fingerprints.at[i].hash), m->fingerprints.at[i].value);
    return h ? h : 1;
}

/* --- the session ------------------------------------------------------------------------------------------
 */

static bool event_state(pl_jsep *j, pl_jsep_event *out)
{
    if (j->told_state == j->state)
        return false;
    j->told_state = out->u.state = j->state;
    out->kind = PL_JSEP_STATE;
    return true;
}

static bool event_gather(pl_jsep *j, pl_jsep_event *out)
{
    const pl_desc *d = pl_jsep_local(j, NULL);
    const pl_desc_media *m = pl_jsep_own_transport(j, d);
    if (!m)
        return false;
    uint64_t h = hash_ice(j, m);
    if (h == j->told_gather)
        return false;
    out->kind = PL_JSEP_GATHER;
    out->u.gather.ufrag = m->ufrag;
    out->u.gather.pwd = m->pwd;
    out->u.gather.mid = m->mid;
    out->u.gather.mline = (int)(m - d->media.at);
    out->u.gather.restart = j->told_gather != 0;
    j->told_gather = h;
    return true;
}

/* The answered pair and the section that carries its transport; false when there is none. */
static bool transport_of(const pl_jsep *j, const pl_desc **local, const pl_desc **remote, int *tagged)
{
    bool we_answered;
    if (!pl_jsep_pair(j, local, remote, &we_answered))
        return false;
    *tagged = pl_jsep_tagged(we_answered ? *local : *remote);
    return *tagged >= 0;
}

static bool event_transport(pl_jsep *j, pl_jsep_event *out)
{
    const pl_desc *local, *remote;
    int tagged;
    if (!transport_of(j, &local, &remote, &tagged))
        return false;
    const pl_desc_media *m = pl_jsep_remote_transport(remote, tagged);
    uint64_t ice = hash_ice(j, m), dtls = hash_dtls(j, m);
    if (ice == j->told_ice && dtls == j->told_dtls)
        return false;
    out->kind = PL_JSEP_TRANSPORT;
    out->u.transport.ufrag = m->ufrag;
    out->u.transport.pwd = m->pwd;
    out->u.transport.local_ufrag = local->media.at[tagged].ufrag;
    out->u.transport.local_pwd = local->media.at[tagged].pwd;
    out->u.transport.lite = remote->ice_lite;
    out->u.transport.controlling =
        remote->ice_lite == j->conf.ice_lite ? j->controlling : remote->ice_lite; /* RFC 8445 6.1.1 */
    out->u.transport.trickle = (m->ice_options & PL_ICE_OPT_TRICKLE) != 0;
    out->u.transport.ice_restart = j->told_ice != 0 && ice != j->told_ice;
    out->u.transport.role = j->role;
    out->u.transport.fingerprints = m->fingerprints.at;
    out->u.transport.n_fingerprints = m->fingerprints.n;
    out->u.transport.dtls_changed = j->told_dtls != 0 && dtls != j->told_dtls;
    if (ice != j->told_ice) {
        memset(j->told_candidates, 0, sizeof j->told_candidates);
        j->told_end = false;
    }
    j->told_ice = ice;
    j->told_dtls = dtls;
    return true;
}

static bool event_data(pl_jsep *j, pl_jsep_event *out)
{
    const pl_desc *local, *remote;
    int tagged;
    pl_jsep_told_data now = { 0 };
    uint16_t local_port = 0;
    if (!transport_of(j, &local, &remote, &tagged))
        return false;
    if (j->data_mline >= 0 && j->data_mline < local->media.n) {
        const pl_desc_media *l = &local->media.at[j->data_mline], *r = &remote->media.at[j->data_mline];
        /* A data section that only a pending offer has is not in the pair yet. */
        if (pl_desc_is_data(l) && pl_desc_is_data(r) && !pl_desc_rejected(l) && !pl_desc_rejected(r)) {
            now.accepted = true;
            now.remote_port = r->sctp_port ? r->sctp_port : 5000;
            now.max_message_size = pl_desc_message_size(r);
            local_port = l->sctp_port;
        }
    }
    if (now.accepted == j->told_data.accepted && now.remote_port == j->told_data.remote_port &&
        now.max_message_size == j->told_data.max_message_size)
        return false;
    j->told_data = now;
    out->kind = PL_JSEP_DATA;
    out->u.data.accepted = now.accepted;
    out->u.data.local_port = local_port;
    out->u.data.remote_port = now.remote_port;
    out->u.data.max_message_size = now.max_message_size;
    return true;
}

/* --- transceivers -----------------------------------------------------------------------------------------
 */

static bool event_transceiver(pl_jsep *j, pl_jsep_event *out)
{
    for (size_t i = 0; i < j->n_t; i++) {
        pl_jsep_transceiver *t = j->t[i];
        pl_jsep_slot *s = t->slot;
        if (s->told_applied != s->applied) {
            s->told_applied = s->applied;
            out->kind = PL_JSEP_TRANSCEIVER;
        } else if (s->told_receiving != t->receiving) {
            s->told_receiving = t->receiving;
            out->kind = t->receiving ? PL_JSEP_TRACK : PL_JSEP_MUTE;
        } else {
            continue;
        }
        s->known = true;
        out->u.transceiver = t;
        return true;
    }
    return false;
}

static bool event_removed(pl_jsep *j, pl_jsep_event *out)
{
    for (pl_jsep_transceiver *t = j->gone; t; t = t->slot->next) {
        if (t->slot->told_gone || (!t->slot->known && !t->user))
            continue;
        t->slot->told_gone = true;
        out->kind = PL_JSEP_REMOVED;
        out->u.transceiver = t;
        return true;
    }
    return false;
}

/* --- candidates -------------------------------------------------------------------------------------------
 */

/* A bundled section may bring candidates of its own for the same credentials: peers differ in where they
 * write and trickle them. */
static bool shares_transport(const pl_desc *remote, int i, const pl_desc_media *transport)
{
    const pl_desc_media *m = &remote->media.at[i];
    if (m == transport)
        return true;
    if (pl_desc_rejected(m))
        return false;
    return m->ufrag ? strcmp(m->ufrag, transport->ufrag) == 0
                    : &remote->media.at[pl_bundle_transport_of(remote, i)] == transport;
}

static bool event_candidate(pl_jsep *j, pl_jsep_event *out)
{
    const pl_desc *local, *remote;
    int tagged;
    if (!transport_of(j, &local, &remote, &tagged))
        return false;
    const pl_desc_media *transport = pl_jsep_remote_transport(remote, tagged);
    bool end = false;
    out->kind = PL_JSEP_CANDIDATE;
    for (int i = 0; i < remote->media.n; i++) {
        const pl_desc_media *m = &remote->media.at[i];
        if (!shares_transport(remote, i, transport))
            continue;
        end = end || m->end_of_candidates;
        if (j->told_candidates[i] >= m->candidates.n)
            continue;
        out->u.candidate.text = m->candidates.at[j->told_candidates[i]++];
        out->u.candidate.mid = m->mid;
        return true;
    }
    if (!end || j->told_end)
        return false;
    j->told_end = true;
    out->u.candidate.text = NULL;
    out->u.candidate.mid = transport->mid;
    return true;
}

bool pl_jsep_poll_event(pl_jsep *j, pl_jsep_event *out)
{
    *out = (pl_jsep_event){ .kind = PL_JSEP_STATE };
    if (event_state(j, out))
        return true;
    if (j->state == PL_SIGNALING_CLOSED)
        return false;
    return event_gather(j, out) || event_transport(j, out) || event_data(j, out) ||
           event_transceiver(j, out) || event_removed(j, out) || event_candidate(j, out);
}

/* --- what was negotiated ----------------------------------------------------------------------------------
 */

static void fill_exts(uint8_t send[PL_DESC_EXT_KINDS], uint8_t recv[PL_DESC_EXT_KINDS],
                      const pl_desc_media *local, const pl_desc_media *remote)
{
    for (size_t i = 0; i < remote->exts.n; i++) {
        const pl_desc_ext *r = &remote->exts.at[i], *l = pl_desc_ext_of_uri(local, r->uri);
        pl_desc_ext_kind kind = pl_desc_ext_of(r->uri);
        if (!l || kind == PL_DESC_EXT_KINDS || r->id == 0 || r->id > 255 || l->id > 255)
            continue;
        pl_direction both =
            pl_direction_and((pl_direction)l->direction, pl_direction_reverse((pl_direction)r->direction));
        if (pl_direction_sends(both))
            send[kind] = (uint8_t)r->id;
        if (pl_direction_receives(both))
            recv[kind] = (uint8_t)l->id;
    }
}

/* b=TIAS counts bits of the media, b=AS kilobits with IP headers (RFC 3890): the smaller is kept. */
static uint32_t bandwidth(const pl_desc_media *m)
{
    uint64_t as = (uint64_t)m->bandwidth_as_kbps * 1000, tias = m->bandwidth_tias_bps;
    uint64_t limit = as && tias ? as < tias ? as : tias : as + tias;
    return limit > UINT32_MAX ? UINT32_MAX : (uint32_t)limit;
}

bool pl_jsep_negotiated(const pl_jsep *j, const pl_jsep_transceiver *t, pl_jsep_media *out)
{
    const pl_desc *local, *remote;
    bool we_answered;
    *out = (pl_jsep_media){ 0 };
    if (!pl_jsep_pair(j, &local, &remote, &we_answered) || t->mline < 0 || t->mline >= local->media.n)
        return false;
    const pl_desc_media *l = &local->media.at[t->mline], *r = &remote->media.at[t->mline];
    if (strcmp(l->mid, t->mid) != 0 || !pl_jsep_usable(we_answered ? local : remote, t->mline))
        return false;
    out->send = pl_direction_sends((pl_direction)t->current);
    out->receive = pl_direction_receives((pl_direction)t->current);
    out->n_send = pl_negotiated_send(l, r, we_answered, out->send_codec);
    out->n_recv = pl_negotiated_recv(l, out->recv_codec);
    fill_exts(out->send_ext, out->recv_ext, l, r);
    out->rtcp_rsize = l->rtcp_rsize && r->rtcp_rsize;
    out->ssrc = t->ssrc;
    for (size_t i = 0; i < out->n_send; i++)
        out->rtx_ssrc = out->send_codec[i].rtx_pt >= 0 ? t->rtx_ssrc : out->rtx_ssrc;
    out->cname = j->cname;
    out->bandwidth_bps = bandwidth(r);
    out->local = l;
    out->remote = r;
    return true;
}

size_t pl_jsep_remote_streams(const pl_jsep *j, const pl_jsep_transceiver *t, const char **stream_ids,
                              size_t max, const char **track_id)
{
    const pl_desc *remote = pl_jsep_remote(j, NULL);
    if (track_id)
        *track_id = NULL;
    if (!remote || t->mline < 0 || t->mline >= remote->media.n)
        return 0;
    const pl_desc_media *m = &remote->media.at[t->mline];
    size_t n = 0;
    if (strcmp(m->mid, t->mid) != 0)
        return 0; /* the place of a section before it */
    if (m->msids.n && track_id)
        *track_id = m->msids.at[0].track;
    for (size_t i = 0; i < m->msids.n && n < max; i++) {
        if (strcmp(m->msids.at[i].stream, "-") != 0)
            stream_ids[n++] = m->msids.at[i].stream;
    }
    if (m->msids.n || m->ssrcs.n == 0 || !m->ssrcs.at[0].stream)
        return n;
    if (track_id)
        *track_id = m->ssrcs.at[0].track; /* the older form, RFC 8830's draft: on the SSRC */
    if (max > 0 && strcmp(m->ssrcs.at[0].stream, "-") != 0)
        stream_ids[n++] = m->ssrcs.at[0].stream;
    return n;
}
