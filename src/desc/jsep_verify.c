/* What a description of the peer must keep to before anything of it is applied (RFC 9429 5.8). */
#include <stdio.h>

#include "desc/jsep_internal.h"

enum { UFRAG_MIN = 4, PWD_MIN = 22, PWD_MAX = 256 }; /* RFC 8839 5.4 */

pl_err pl_jsep_name_sections(pl_jsep *j, pl_desc *d, const pl_desc *offer)
{
    uint32_t next = 0;
    for (size_t i = 0; i < d->media.n; i++) {
        pl_desc_media *m = &d->media.at[i];
        if (m->mid)
            continue;
        if (offer && i < offer->media.n) {
            m->mid = pl_desc_textz(d, offer->media.at[i].mid);
            continue;
        }
        char mid[16];
        do
            snprintf(mid, sizeof mid, "%u", next++);
        while (pl_desc_find_mid(d, mid) >= 0 || pl_jsep_transceiver_of_mid(j, mid) ||
               (j->current_remote && pl_desc_find_mid(j->current_remote, mid) >= 0));
        m->mid = pl_desc_textz(d, mid);
    }
    return pl_desc_err(d);
}

static pl_err verify_groups(pl_jsep *j, const pl_desc *d)
{
    for (int i = 0; i < d->media.n; i++) {
        const char *mid = d->media.at[i].mid;
        if (!mid || !*mid || strlen(mid) > PL_DESC_MID_MAX)
            return pl_jsep_fail(j, PL_EPROTO, d, i, "mid is empty or longer than %d", PL_DESC_MID_MAX);
        if (pl_desc_find_mid(d, mid) != i)
            return pl_jsep_fail(j, PL_EPROTO, d, i, "an earlier section has the same mid");
    }
    if (!pl_bundle_valid(d))
        return pl_jsep_fail(j, PL_EPROTO, NULL, -1,
                            "a BUNDLE group names a section that is not there, or one twice");
    return PL_OK;
}

static pl_err verify_transport(pl_jsep *j, const pl_desc *d, int i, bool answer)
{
    const pl_desc_media *m = &d->media.at[i];
    if (!m->ufrag || !m->pwd)
        return pl_jsep_fail(j, PL_EPROTO, d, i, "no ICE ufrag or password");
    size_t ufrag = strlen(m->ufrag), pwd = strlen(m->pwd);
    if (ufrag < UFRAG_MIN || ufrag > PL_DESC_UFRAG_MAX)
        return pl_jsep_fail(j, PL_EPROTO, d, i, "ICE ufrag has %zu characters, not 4 to 256", ufrag);
    if (pwd < PWD_MIN || pwd > PWD_MAX)
        return pl_jsep_fail(j, PL_EPROTO, d, i, "ICE password has %zu characters, not 22 to 256", pwd);
    if (m->fingerprints.n == 0)
        return pl_jsep_fail(j, PL_EPROTO, d, i, "no fingerprint: DTLS is required (RFC 8827 6.5)");
    if (m->setup == PL_DESC_SETUP_HOLDCONN || (answer && m->setup == PL_DESC_SETUP_ACTPASS))
        return pl_jsep_fail(j, PL_EPROTO, d, i, "setup:%s is not allowed in an %s",
                            pl_desc_setup_str((pl_desc_setup)m->setup), answer ? "answer" : "offer");
    return PL_OK;
}

/* A bundled section may leave its transport to the one it is bundled with; somewhere it must be complete. */
static pl_err verify_transports(pl_jsep *j, const pl_desc *d, bool answer)
{
    for (int i = 0; i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        if (pl_desc_rejected(m) || (!pl_desc_is_rtp(m) && !pl_desc_is_data(m)))
            continue;
        pl_err err = verify_transport(j, d, pl_jsep_described_by(d, i), answer);
        if (err)
            return err;
    }
    return PL_OK;
}

/* A place keeps its kind and its mid until it is rejected (RFC 9429 5.2.2, 5.10). */
static pl_err verify_places(pl_jsep *j, const pl_desc *d)
{
    const pl_desc *local = j->current_local, *remote = j->current_remote;
    if (!local)
        return PL_OK;
    if (d->media.n < remote->media.n)
        return pl_jsep_fail(j, PL_EPROTO, NULL, -1, "the offer has %d sections, fewer than the %d agreed on",
                            d->media.n, remote->media.n);
    for (int i = 0; i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        const pl_desc_media *was = i < remote->media.n ? &remote->media.at[i] : NULL;
        bool free = !was || pl_desc_rejected(was) || pl_desc_rejected(&local->media.at[i]);
        if (!free && (strcmp(was->mid, m->mid) != 0 || was->kind != m->kind))
            return pl_jsep_fail(j, PL_EPROTO, d, i,
                                "was mid \"%.20s\" of another kind or name, and is in use", was->mid);
        /* Only what is associated for good counts: what our pending offer has given a name is taken back. */
        const pl_jsep_transceiver *t = pl_jsep_transceiver_of_mid(j, m->mid);
        if (t && t->slot->saved.associated && t->mline != i)
            return pl_jsep_fail(j, PL_EPROTO, d, i, "its mid belongs to section %d", t->mline);
    }
    return PL_OK;
}

pl_err pl_jsep_verify_offer(pl_jsep *j, const pl_desc *d)
{
    pl_err err = verify_groups(j, d);
    if (!err)
        err = verify_places(j, d);
    return err ? err : verify_transports(j, d, false);
}

static pl_err verify_answered(pl_jsep *j, const pl_desc *d, const pl_desc *offer, int i)
{
    const pl_desc_media *a = &d->media.at[i], *o = &offer->media.at[i];
    if (a->kind != o->kind || strcmp(a->mid, o->mid) != 0)
        return pl_jsep_fail(j, PL_EPROTO, d, i, "the offer's section has mid \"%.20s\"%s", o->mid,
                            a->kind != o->kind ? " and another kind" : "");
    if (pl_desc_rejected(a))
        return PL_OK;
    if (pl_desc_rejected(o))
        return pl_jsep_fail(j, PL_EPROTO, d, i, "was offered with port 0 and cannot be accepted");
    if (pl_desc_is_rtp(a) != pl_desc_is_rtp(o) || pl_desc_is_data(a) != pl_desc_is_data(o))
        return pl_jsep_fail(j, PL_EPROTO, d, i, "answers with another protocol, %.30s", pl_desc_proto_str(a));
    if (!pl_desc_is_rtp(a))
        return PL_OK;
    if (!a->rtcp_mux && pl_bundle_transport_of(d, i) == i)
        return pl_jsep_fail(j, PL_EPROTO, d, i, "no rtcp-mux, which is required");
    pl_negotiated_codec codec[PL_NEGOTIATED_CODECS_MAX];
    size_t n = pl_negotiated_send(o, a, false, codec);
    for (size_t k = 0; k < n; k++) {
        if (!pl_desc_codec_is_helper(codec[k].codec))
            return PL_OK;
    }
    return pl_jsep_fail(j, PL_EPROTO, d, i, "no codec that was offered");
}

pl_err pl_jsep_verify_answer(pl_jsep *j, const pl_desc *d, const pl_desc *offer)
{
    if (d->media.n != offer->media.n)
        return pl_jsep_fail(j, PL_EPROTO, NULL, -1, "the answer has %d sections, the offer %d", d->media.n,
                            offer->media.n);
    pl_err err = verify_groups(j, d);
    for (int i = 0; !err && i < d->media.n; i++)
        err = verify_answered(j, d, offer, i);
    return err ? err : verify_transports(j, d, true);
}
