/* Looking at descriptions: equality, lookups, words. */
#include "desc/description.h"

static bool text_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* --- equality ---------------------------------------------------------------------------------------------
 */

static bool codecs_eq(const pl_desc_media *a, const pl_desc_media *b)
{
    if (a->codecs.n != b->codecs.n)
        return false;
    for (size_t i = 0; i < a->codecs.n; i++) {
        const pl_desc_codec *x = &a->codecs.at[i], *y = &b->codecs.at[i];
        if (x->pt != y->pt || x->clock_hz != y->clock_hz || x->channels != y->channels || x->apt != y->apt ||
            x->feedback != y->feedback || !text_eq(x->name, y->name) || !text_eq(x->fmtp, y->fmtp))
            return false;
    }
    return true;
}

static bool exts_eq(const pl_desc_media *a, const pl_desc_media *b)
{
    if (a->exts.n != b->exts.n)
        return false;
    for (size_t i = 0; i < a->exts.n; i++) {
        const pl_desc_ext *x = &a->exts.at[i], *y = &b->exts.at[i];
        if (x->id != y->id || x->direction != y->direction || !text_eq(x->uri, y->uri) ||
            !text_eq(x->attributes, y->attributes))
            return false;
    }
    return true;
}

static bool sources_eq(const pl_desc_media *a, const pl_desc_media *b)
{
    if (a->ssrcs.n != b->ssrcs.n || a->ssrc_groups.n != b->ssrc_groups.n || a->msids.n != b->msids.n)
        return false;
    for (size_t i = 0; i < a->ssrcs.n; i++) {
        const pl_desc_ssrc *x = &a->ssrcs.at[i], *y = &b->ssrcs.at[i];
        if (x->ssrc != y->ssrc || !text_eq(x->cname, y->cname) || !text_eq(x->stream, y->stream) ||
            !text_eq(x->track, y->track))
            return false;
    }
    for (size_t i = 0; i < a->ssrc_groups.n; i++) {
        const pl_desc_ssrc_group *x = &a->ssrc_groups.at[i], *y = &b->ssrc_groups.at[i];
        if (!text_eq(x->semantics, y->semantics) || x->ssrcs.n != y->ssrcs.n)
            return false;
        for (size_t k = 0; k < x->ssrcs.n; k++) {
            if (x->ssrcs.at[k] != y->ssrcs.at[k])
                return false;
        }
    }
    for (size_t i = 0; i < a->msids.n; i++) {
        if (!text_eq(a->msids.at[i].stream, b->msids.at[i].stream) ||
            !text_eq(a->msids.at[i].track, b->msids.at[i].track))
            return false;
    }
    return true;
}

static bool layers_eq(const pl_desc_layer *a, const pl_desc_layer *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!text_eq(a[i].rid, b[i].rid) || a[i].paused != b[i].paused ||
            a[i].alternative != b[i].alternative)
            return false;
    }
    return true;
}

static bool rids_eq(const pl_desc_media *a, const pl_desc_media *b)
{
    if (a->rids.n != b->rids.n || a->simulcast_send.n != b->simulcast_send.n ||
        a->simulcast_recv.n != b->simulcast_recv.n)
        return false;
    for (size_t i = 0; i < a->rids.n; i++) {
        const pl_desc_rid *x = &a->rids.at[i], *y = &b->rids.at[i];
        if (x->send != y->send || !text_eq(x->id, y->id) || !text_eq(x->params, y->params))
            return false;
    }
    return layers_eq(a->simulcast_send.at, b->simulcast_send.at, a->simulcast_send.n) &&
           layers_eq(a->simulcast_recv.at, b->simulcast_recv.at, a->simulcast_recv.n);
}

static bool transport_eq(const pl_desc_media *a, const pl_desc_media *b)
{
    if (a->fingerprints.n != b->fingerprints.n || a->setup != b->setup || a->ice_options != b->ice_options ||
        !text_eq(a->ufrag, b->ufrag) || !text_eq(a->pwd, b->pwd))
        return false;
    for (size_t i = 0; i < a->fingerprints.n; i++) {
        if (!text_eq(a->fingerprints.at[i].hash, b->fingerprints.at[i].hash) ||
            !text_eq(a->fingerprints.at[i].value, b->fingerprints.at[i].value))
            return false;
    }
    return true;
}

static bool candidates_eq(const pl_desc_media *a, const pl_desc_media *b)
{
    if (a->candidates.n != b->candidates.n || a->end_of_candidates != b->end_of_candidates)
        return false;
    for (size_t i = 0; i < a->candidates.n; i++) {
        if (!text_eq(a->candidates.at[i], b->candidates.at[i]))
            return false;
    }
    return true;
}

static bool media_eq(const pl_desc_media *a, const pl_desc_media *b)
{
    return text_eq(a->mid, b->mid) && text_eq(a->kind_text, b->kind_text) &&
           text_eq(a->proto_text, b->proto_text) && text_eq(a->formats, b->formats) &&
           text_eq(a->address, b->address) && a->port == b->port && a->rtcp_port == b->rtcp_port &&
           a->kind == b->kind && a->proto == b->proto && a->direction == b->direction &&
           a->bundle_only == b->bundle_only && a->rtcp_mux == b->rtcp_mux && a->rtcp_rsize == b->rtcp_rsize &&
           a->extmap_allow_mixed == b->extmap_allow_mixed && a->ptime_ms == b->ptime_ms &&
           a->maxptime_ms == b->maxptime_ms && a->bandwidth_as_kbps == b->bandwidth_as_kbps &&
           a->bandwidth_tias_bps == b->bandwidth_tias_bps && a->sctp_port == b->sctp_port &&
           a->sctp_streams == b->sctp_streams && a->has_max_message_size == b->has_max_message_size &&
           a->max_message_size == b->max_message_size && codecs_eq(a, b) && exts_eq(a, b) &&
           sources_eq(a, b) && rids_eq(a, b) && transport_eq(a, b);
}

static bool groups_eq(const pl_desc *a, const pl_desc *b)
{
    if (a->groups.n != b->groups.n)
        return false;
    for (size_t i = 0; i < a->groups.n; i++) {
        const pl_desc_group *x = &a->groups.at[i], *y = &b->groups.at[i];
        if (!text_eq(x->semantics, y->semantics) || x->mids.n != y->mids.n)
            return false;
        for (size_t k = 0; k < x->mids.n; k++) {
            if (!text_eq(x->mids.at[k], y->mids.at[k]))
                return false;
        }
    }
    return true;
}

bool pl_desc_eq_but_candidates(const pl_desc *a, const pl_desc *b)
{
    if (a->media.n != b->media.n || a->session_id != b->session_id ||
        a->session_version != b->session_version || a->ice_lite != b->ice_lite ||
        a->extmap_allow_mixed != b->extmap_allow_mixed || !text_eq(a->username, b->username) ||
        !text_eq(a->msid_semantic, b->msid_semantic) || !groups_eq(a, b))
        return false;
    for (size_t i = 0; i < a->media.n; i++) {
        if (!media_eq(&a->media.at[i], &b->media.at[i]))
            return false;
    }
    return true;
}

bool pl_desc_eq(const pl_desc *a, const pl_desc *b)
{
    if (!pl_desc_eq_but_candidates(a, b))
        return false;
    for (size_t i = 0; i < a->media.n; i++) {
        if (!candidates_eq(&a->media.at[i], &b->media.at[i]))
            return false;
    }
    return true;
}

/* --- lookups ----------------------------------------------------------------------------------------------
 */

int pl_desc_find_mid(const pl_desc *d, const char *mid)
{
    for (size_t i = 0; mid && i < d->media.n; i++) {
        if (d->media.at[i].mid && strcmp(d->media.at[i].mid, mid) == 0)
            return (int)i;
    }
    return -1;
}

bool pl_desc_group_has(const pl_desc_group *g, const char *mid)
{
    for (size_t i = 0; mid && i < g->mids.n; i++) {
        if (strcmp(g->mids.at[i], mid) == 0)
            return true;
    }
    return false;
}

const pl_desc_group *pl_desc_group_of(const pl_desc *d, const char *semantics, const char *mid)
{
    for (size_t i = 0; i < d->groups.n; i++) {
        const pl_desc_group *g = &d->groups.at[i];
        if (strcmp(g->semantics, semantics) == 0 && pl_desc_group_has(g, mid))
            return g;
    }
    return NULL;
}

bool pl_desc_rejected(const pl_desc_media *m)
{
    return m->port == 0 && !m->bundle_only;
}

bool pl_desc_is_data(const pl_desc_media *m)
{
    return m->kind == PL_DESC_APPLICATION &&
           (m->proto == PL_DESC_UDP_DTLS_SCTP || m->proto == PL_DESC_OLD_DTLS_SCTP);
}

bool pl_desc_is_rtp(const pl_desc_media *m)
{
    return (m->kind == PL_DESC_AUDIO || m->kind == PL_DESC_VIDEO) && m->proto == PL_DESC_UDP_TLS_SAVPF;
}

const pl_desc_codec *pl_desc_codec_of_pt(const pl_desc_media *m, int pt)
{
    for (size_t i = 0; i < m->codecs.n; i++) {
        if (m->codecs.at[i].pt == pt)
            return &m->codecs.at[i];
    }
    return NULL;
}

const pl_desc_ext *pl_desc_ext_of_uri(const pl_desc_media *m, const char *uri)
{
    for (size_t i = 0; i < m->exts.n; i++) {
        if (strcmp(m->exts.at[i].uri, uri) == 0)
            return &m->exts.at[i];
    }
    return NULL;
}

const pl_desc_ssrc *pl_desc_ssrc_of(const pl_desc_media *m, uint32_t ssrc)
{
    for (size_t i = 0; i < m->ssrcs.n; i++) {
        if (m->ssrcs.at[i].ssrc == ssrc)
            return &m->ssrcs.at[i];
    }
    return NULL;
}

uint32_t pl_desc_rtx_ssrc(const pl_desc_media *m, uint32_t ssrc)
{
    for (size_t i = 0; i < m->ssrc_groups.n; i++) {
        const pl_desc_ssrc_group *g = &m->ssrc_groups.at[i];
        if (strcmp(g->semantics, "FID") == 0 && g->ssrcs.n >= 2 && g->ssrcs.at[0] == ssrc)
            return g->ssrcs.at[1];
    }
    return 0;
}

uint64_t pl_desc_message_size(const pl_desc_media *m)
{
    if (!m->has_max_message_size)
        return PL_DESC_DEFAULT_MESSAGE_SIZE;
    return m->max_message_size ? m->max_message_size : UINT64_MAX;
}

/* --- words ------------------------------------------------------------------------------------------------
 */

const char *pl_desc_proto_str(const pl_desc_media *m)
{
    if (m->proto_text)
        return m->proto_text;
    switch ((pl_desc_proto)m->proto) {
    case PL_DESC_UDP_TLS_SAVPF: return "UDP/TLS/RTP/SAVPF";
    case PL_DESC_UDP_DTLS_SCTP: return "UDP/DTLS/SCTP";
    case PL_DESC_OLD_DTLS_SCTP: return "DTLS/SCTP";
    case PL_DESC_PROTO_OTHER: break;
    }
    return "RTP/AVP";
}

const char *pl_desc_setup_str(pl_desc_setup s)
{
    static const char *const word[] = { "", "actpass", "active", "passive", "holdconn" };
    return (size_t)s < sizeof word / sizeof *word ? word[s] : "";
}

const char *pl_desc_direction_str(uint8_t direction)
{
    static const char *const word[] = { "sendrecv", "sendonly", "recvonly", "inactive" };
    return direction < PL_STOPPED ? word[direction] : "inactive";
}

const char *pl_desc_feedback_str(int bit)
{
    static const char *const word[PL_FB_N] = { "nack",      "nack pli",  "ccm fir",  "transport-cc",
                                               "goog-remb", "ccm tmmbr", "nack sli", "nack rpsi",
                                               "rrtr",      "goog-lntf" };
    return bit >= 0 && bit < PL_FB_N ? word[bit] : "";
}
