#include "desc/rules.h"

#include <assert.h>

/* --- direction --------------------------------------------------------------------------------------------
 */

bool pl_direction_sends(pl_direction d)
{
    return d == PL_SENDRECV || d == PL_SENDONLY;
}

bool pl_direction_receives(pl_direction d)
{
    return d == PL_SENDRECV || d == PL_RECVONLY;
}

pl_direction pl_direction_make(bool send, bool receive)
{
    return send ? receive ? PL_SENDRECV : PL_SENDONLY : receive ? PL_RECVONLY : PL_INACTIVE;
}

pl_direction pl_direction_reverse(pl_direction d)
{
    return pl_direction_make(pl_direction_receives(d), pl_direction_sends(d));
}

pl_direction pl_direction_and(pl_direction a, pl_direction b)
{
    return pl_direction_make(pl_direction_sends(a) && pl_direction_sends(b),
                             pl_direction_receives(a) && pl_direction_receives(b));
}

/* --- DTLS role --------------------------------------------------------------------------------------------
 */

pl_desc_setup pl_setup_answer(pl_desc_setup offer, pl_desc_setup ours, pl_desc_role kept)
{
    switch (offer) {
    case PL_DESC_SETUP_ACTIVE: return PL_DESC_SETUP_PASSIVE;
    case PL_DESC_SETUP_PASSIVE: return PL_DESC_SETUP_ACTIVE;
    case PL_DESC_SETUP_HOLDCONN: return PL_DESC_SETUP_NONE;
    case PL_DESC_SETUP_NONE:
    case PL_DESC_SETUP_ACTPASS: break;
    }
    if (kept != PL_DESC_ROLE_NONE)
        return kept == PL_DESC_ROLE_CLIENT ? PL_DESC_SETUP_ACTIVE : PL_DESC_SETUP_PASSIVE;
    return ours == PL_DESC_SETUP_PASSIVE ? PL_DESC_SETUP_PASSIVE : PL_DESC_SETUP_ACTIVE;
}

pl_desc_role pl_setup_role(pl_desc_setup answer, bool we_answered)
{
    bool answerer_is_client = answer == PL_DESC_SETUP_ACTIVE || answer == PL_DESC_SETUP_NONE;
    if (!answerer_is_client && answer != PL_DESC_SETUP_PASSIVE)
        return PL_DESC_ROLE_NONE;
    return answerer_is_client == we_answered ? PL_DESC_ROLE_CLIENT : PL_DESC_ROLE_SERVER;
}

/* --- bundle -----------------------------------------------------------------------------------------------
 */

int pl_bundle_transport_of(const pl_desc *d, int i)
{
    const pl_desc_group *g = pl_desc_group_of(d, "BUNDLE", d->media.at[i].mid);
    for (size_t k = 0; g && k < g->mids.n; k++) {
        int at = pl_desc_find_mid(d, g->mids.at[k]);
        if (at >= 0 && !pl_desc_rejected(&d->media.at[at]))
            return at;
    }
    return i;
}

bool pl_bundle_valid(const pl_desc *d)
{
    bool seen[PL_DESC_MEDIA_MAX] = { false };
    for (size_t i = 0; i < d->groups.n; i++) {
        const pl_desc_group *g = &d->groups.at[i];
        if (strcmp(g->semantics, "BUNDLE") != 0)
            continue;
        for (size_t k = 0; k < g->mids.n; k++) {
            int at = pl_desc_find_mid(d, g->mids.at[k]);
            if (at < 0 || seen[at])
                return false;
            seen[at] = true;
        }
    }
    return true;
}

/* --- what both support ------------------------------------------------------------------------------------
 */

/* For each codec of the offer: ours that is the same, or NULL when it is not agreed on. */
typedef struct agreement {
    const pl_desc_media *offer, *ours;
    const pl_desc_codec *match[PL_DESC_CODECS_MAX];
    size_t n_media; /* agreed codecs that are no helpers */
} agreement;

static bool is_agreed(const agreement *a, int pt)
{
    for (size_t i = 0; i < a->offer->codecs.n; i++) {
        if (a->offer->codecs.at[i].pt == pt)
            return a->match[i] != NULL;
    }
    return false;
}

/* Media codecs first, then what carries them (red, FEC, events), then what repeats those (rtx). */
static void agree(agreement *a)
{
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < a->offer->codecs.n; i++) {
            const pl_desc_codec *c = &a->offer->codecs.at[i];
            int needs = pl_desc_codec_is_rtx(c) ? 2 : pl_desc_codec_is_helper(c) ? 1 : 0;
            if (needs != round || (round > 0 && a->n_media == 0))
                continue;
            int base = pl_desc_codec_base(c);
            if (base >= 0 && !is_agreed(a, base))
                continue;
            a->match[i] = pl_desc_codec_find(a->ours, a->offer, c);
            a->n_media += round == 0 && a->match[i];
        }
    }
}

/* With level-asymmetry-allowed on both sides each states its own level; otherwise the lower one holds for
 * both directions (RFC 6184 8.2.2). */
static const char *answer_fmtp(const pl_desc_codec *offered, const pl_desc_codec *ours)
{
    if (pl_desc_codec_base(offered) >= 0 && !pl_desc_codec_is_rtx(offered))
        return offered->fmtp; /* red: payload types of the offer */
    pl_str x = { 0 }, y = { 0 };
    pl_h264_profile p, q;
    if (!pl_str_ieq(pl_str_of(ours->name), PL_STR("H264")))
        return ours->fmtp;
    if (pl_desc_fmtp(offered->fmtp, "level-asymmetry-allowed", &x) && pl_str_is(x, "1") &&
        pl_desc_fmtp(ours->fmtp, "level-asymmetry-allowed", &y) && pl_str_is(y, "1"))
        return ours->fmtp;
    x = y = (pl_str){ 0 };
    (void)pl_desc_fmtp(offered->fmtp, "profile-level-id", &x);
    (void)pl_desc_fmtp(ours->fmtp, "profile-level-id", &y);
    bool known = pl_h264_profile_parse(x, &p) && pl_h264_profile_parse(y, &q);
    return known && p.level < q.level ? offered->fmtp : ours->fmtp;
}

static void add_agreed(pl_desc *d, pl_desc_media *answer, const agreement *a, size_t i)
{
    const pl_desc_codec *offered = &a->offer->codecs.at[i], *ours = a->match[i];
    pl_desc_codec *c = pl_desc_add_codec(d, answer);
    assert(ours);
    if (!c)
        return;
    *c = *offered;
    c->name = pl_desc_textz(d, ours->name);
    c->fmtp = pl_desc_textz(d, answer_fmtp(offered, ours));
    c->feedback = offered->feedback & ours->feedback;
}

/* In the order of `ours`: every offered form of each, with the rtx that repeats it behind it. */
static void add_in_our_order(pl_desc *d, pl_desc_media *answer, const agreement *a)
{
    bool done[PL_DESC_CODECS_MAX] = { false };
    for (size_t k = 0; k < a->ours->codecs.n; k++) {
        for (size_t i = 0; i < a->offer->codecs.n; i++) {
            if (done[i] || a->match[i] != &a->ours->codecs.at[k] || pl_desc_codec_is_rtx(a->match[i]))
                continue;
            done[i] = true;
            add_agreed(d, answer, a, i);
            for (size_t r = 0; r < a->offer->codecs.n; r++) {
                const pl_desc_codec *rtx = &a->offer->codecs.at[r];
                if (done[r] || !a->match[r] || !pl_desc_codec_is_rtx(rtx) ||
                    rtx->apt != a->offer->codecs.at[i].pt)
                    continue;
                done[r] = true;
                add_agreed(d, answer, a, r);
            }
        }
    }
}

size_t pl_answer_codecs(pl_desc *d, pl_desc_media *answer, const pl_desc_media *offer,
                        const pl_desc_media *ours, bool our_order)
{
    agreement a = { .offer = offer, .ours = ours };
    agree(&a);
    if (a.n_media == 0)
        return 0;
    if (our_order) {
        add_in_our_order(d, answer, &a);
        return a.n_media;
    }
    for (size_t i = 0; i < offer->codecs.n; i++) {
        if (a.match[i])
            add_agreed(d, answer, &a, i);
    }
    return a.n_media;
}

static bool id_usable(const pl_desc_media *offer, uint16_t id)
{
    return (id >= 1 && id <= 14) || (id >= 16 && id <= 255 && offer->extmap_allow_mixed);
}

void pl_answer_exts(pl_desc *d, pl_desc_media *answer, const pl_desc_media *offer, const pl_desc_media *ours)
{
    for (size_t i = 0; i < offer->exts.n; i++) {
        const pl_desc_ext *theirs = &offer->exts.at[i];
        const pl_desc_ext *own = pl_desc_ext_of_uri(ours, theirs->uri);
        if (!own || !id_usable(offer, theirs->id) || pl_desc_ext_of_uri(answer, theirs->uri))
            continue;
        pl_direction both = pl_direction_and(pl_direction_reverse((pl_direction)theirs->direction),
                                             (pl_direction)own->direction);
        pl_desc_ext *e = both == PL_INACTIVE ? NULL : pl_desc_add_ext(d, answer);
        if (!e)
            continue;
        e->uri = pl_desc_textz(d, theirs->uri);
        e->id = theirs->id;
        e->direction = (uint8_t)both;
    }
}

/* --- what a section pair means ----------------------------------------------------------------------------
 */

static pl_negotiated_codec with_rtx(const pl_desc_media *m, const pl_desc_codec *c)
{
    const pl_desc_codec *rtx = pl_desc_rtx_of(m, c->pt);
    return (pl_negotiated_codec){ .codec = c, .pt = c->pt, .rtx_pt = (int16_t)(rtx ? rtx->pt : -1) };
}

size_t pl_negotiated_send(const pl_desc_media *local, const pl_desc_media *remote, bool we_answered,
                          pl_negotiated_codec out[PL_NEGOTIATED_CODECS_MAX])
{
    const pl_desc_media *answer = we_answered ? local : remote, *offer = we_answered ? remote : local;
    size_t n = 0;
    for (size_t i = 0; i < answer->codecs.n && n < PL_NEGOTIATED_CODECS_MAX; i++) {
        const pl_desc_codec *a = &answer->codecs.at[i];
        if (pl_desc_codec_is_rtx(a))
            continue;
        /* An offer may hold one codec twice; the answer's payload type says which is meant. */
        const pl_desc_codec *o = pl_desc_codec_of_pt(offer, a->pt);
        if (!o || !pl_desc_codec_same(offer, o, answer, a))
            o = pl_desc_codec_find(offer, answer, a);
        if (!o)
            continue;
        out[n] = with_rtx(remote, we_answered ? o : a);
        if (!pl_desc_rtx_of(local, we_answered ? a->pt : o->pt))
            out[n].rtx_pt = -1;
        n++;
    }
    return n;
}

size_t pl_negotiated_recv(const pl_desc_media *local, pl_negotiated_codec out[PL_NEGOTIATED_CODECS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < local->codecs.n && n < PL_NEGOTIATED_CODECS_MAX; i++) {
        if (!pl_desc_codec_is_rtx(&local->codecs.at[i]))
            out[n++] = with_rtx(local, &local->codecs.at[i]);
    }
    return n;
}
