/* createAnswer (RFC 9429 5.3). */
#include "desc/jsep_internal.h"

typedef struct answering {
    pl_jsep *j;
    const pl_desc *offer;
    pl_desc *d;
    pl_jsep_creds creds;
    pl_desc_setup setup;
    bool accept[PL_DESC_MEDIA_MAX];
    pl_jsep_ours ours;
} answering;

/* --- which sections ---------------------------------------------------------------------------------------
 */

static bool has_common_codec(answering *k, const pl_desc_media *m)
{
    const pl_jsep_transceiver *t = pl_jsep_transceiver_of_mid(k->j, m->mid);
    pl_jsep_ours_of(k->j, m->kind, t, &k->ours);
    for (size_t i = 0; i < m->codecs.n; i++) {
        if (!pl_desc_codec_is_helper(&m->codecs.at[i]) && pl_desc_codec_find(&k->ours.m, m, &m->codecs.at[i]))
            return true;
    }
    return false;
}

/* By itself, whatever its transport. */
static bool acceptable(answering *k, int i)
{
    const pl_desc_media *m = &k->offer->media.at[i];
    if (pl_desc_rejected(m))
        return false;
    if (pl_desc_is_data(m))
        return i == k->j->data_mline;
    if (!pl_desc_is_rtp(m))
        return false;
    const pl_jsep_transceiver *t = pl_jsep_transceiver_of_mid(k->j, m->mid);
    bool bundled = pl_bundle_transport_of(k->offer, i) != i;
    return t && !t->stopping && (m->rtcp_mux || bundled) && has_common_codec(k, m);
}

/* The section whose transport the session has or shall have: the one in use while it is acceptable, else the
 * first acceptable of the group of the first acceptable. -1: none. */
static int choose_leader(answering *k)
{
    const pl_desc_media *current = pl_jsep_own_transport(k->j, k->j->current_local);
    int kept = current ? pl_desc_find_mid(k->offer, current->mid) : -1;
    if (kept >= 0 && k->accept[kept])
        return kept;
    for (int i = 0; i < k->offer->media.n; i++) {
        if (!k->accept[i])
            continue;
        const pl_desc_group *g = pl_desc_group_of(k->offer, "BUNDLE", k->offer->media.at[i].mid);
        for (size_t n = 0; g && n < g->mids.n; n++) {
            int at = pl_desc_find_mid(k->offer, g->mids.at[n]);
            if (at >= 0 && k->accept[at])
                return at;
        }
        return i;
    }
    return -1;
}

static void choose_sections(answering *k, int *leader, const pl_desc_group **group)
{
    for (int i = 0; i < k->offer->media.n; i++)
        k->accept[i] = acceptable(k, i);
    *leader = choose_leader(k);
    *group = *leader < 0 ? NULL : pl_desc_group_of(k->offer, "BUNDLE", k->offer->media.at[*leader].mid);
    for (int i = 0; i < k->offer->media.n; i++) {
        bool together = i == *leader || (*group && pl_desc_group_has(*group, k->offer->media.at[i].mid));
        k->accept[i] = k->accept[i] && together;
    }
}

/* --- the transport ----------------------------------------------------------------------------------------
 */

static void take_creds(pl_jsep_creds *out, const pl_desc_media *m)
{
    pl_str_copy(pl_str_of(m->ufrag), out->ufrag, sizeof out->ufrag);
    pl_str_copy(pl_str_of(m->pwd), out->pwd, sizeof out->pwd);
}

/* Where the peer described the transport in use, or NULL. */
static const pl_desc_media *their_transport(const pl_jsep *j)
{
    const pl_desc *answer = j->answered ? j->current_local : j->current_remote;
    int tagged = answer ? pl_jsep_tagged(answer) : -1;
    return tagged < 0 ? NULL : pl_jsep_remote_transport(j->current_remote, tagged);
}

/* An offer with new credentials restarts ICE, and the answer must bring new ones too (RFC 8839 4.4.2). */
static void choose_creds(answering *k, const pl_desc_media *theirs)
{
    pl_jsep *j = k->j;
    const pl_desc_media *pending = pl_jsep_own_transport(j, j->pending_local);
    const pl_desc_media *mine = pl_jsep_own_transport(j, j->current_local);
    const pl_desc_media *last = pl_jsep_own_transport(j, j->last_answer);
    const pl_desc_media *before = their_transport(j);
    bool restart = before && before->ufrag && theirs->ufrag &&
                   (strcmp(before->ufrag, theirs->ufrag) != 0 || strcmp(before->pwd, theirs->pwd) != 0);
    if (pending)
        take_creds(&k->creds, pending);
    else if (!mine)
        k->creds = j->first;
    else if (!restart)
        take_creds(&k->creds, mine);
    else if (last && strcmp(last->ufrag, mine->ufrag) != 0)
        take_creds(&k->creds, last); /* asked twice for one offer */
    else
        pl_jsep_next_creds(j, mine->ufrag, &k->creds);
}

static bool same_fingerprints(const pl_desc_media *a, const pl_desc_media *b)
{
    if (a->fingerprints.n != b->fingerprints.n)
        return false;
    for (size_t i = 0; i < a->fingerprints.n; i++) {
        if (strcmp(a->fingerprints.at[i].value, b->fingerprints.at[i].value) != 0)
            return false;
    }
    return true;
}

static void choose_setup(answering *k, const pl_desc_media *theirs)
{
    const pl_jsep *j = k->j;
    pl_desc_setup ours = j->conf.setup == PL_SETUP_PASSIVE ? PL_DESC_SETUP_PASSIVE : PL_DESC_SETUP_ACTIVE;
    const pl_desc_media *before = their_transport(j);
    bool goes_on = before && same_fingerprints(theirs, before);
    k->setup = pl_setup_answer((pl_desc_setup)theirs->setup, ours, goes_on ? j->role : PL_DESC_ROLE_NONE);
}

/* --- sections ---------------------------------------------------------------------------------------------
 */

static void put_media(answering *k, const pl_desc_media *offered, pl_desc_media *m)
{
    const pl_jsep_transceiver *t = pl_jsep_transceiver_of_mid(k->j, offered->mid);
    pl_jsep_ours_of(k->j, offered->kind, t, &k->ours);
    m->direction = (uint8_t)pl_direction_and((pl_direction)t->direction,
                                             pl_direction_reverse((pl_direction)offered->direction));
    m->rtcp_mux = true;
    m->rtcp_rsize = offered->rtcp_rsize;
    m->rtcp_port = 9;
    pl_answer_codecs(k->d, m, offered, &k->ours.m, t->slot->n_preferences > 0);
    pl_answer_exts(k->d, m, offered, &k->ours.m);
    pl_jsep_put_sender(k->j, k->d, m, t);
}

static void put_section(answering *k, int i)
{
    const pl_desc_media *offered = &k->offer->media.at[i];
    if (!k->accept[i]) {
        pl_jsep_put_rejected(k->d, offered, offered->mid);
        return;
    }
    pl_desc_media *m = pl_desc_add_media(k->d, (pl_desc_kind)offered->kind);
    if (!m)
        return;
    m->mid = pl_desc_textz(k->d, offered->mid);
    m->proto = offered->proto;
    m->proto_text = pl_desc_textz(k->d, offered->proto_text);
    m->extmap_allow_mixed = offered->extmap_allow_mixed;
    if (pl_desc_is_data(m))
        pl_jsep_put_data(k->j, k->d, m);
    else
        put_media(k, offered, m);
    pl_jsep_put_transport(k->j, k->d, m, &k->creds, k->setup);
}

static void put_bundle(answering *k, const pl_desc_group *group, int leader)
{
    pl_desc_group *g = group ? pl_desc_add_group(k->d, "BUNDLE") : NULL;
    if (!g)
        return;
    pl_desc_group_add(k->d, g, k->offer->media.at[leader].mid);
    for (size_t n = 0; n < group->mids.n; n++) {
        int at = pl_desc_find_mid(k->offer, group->mids.at[n]);
        if (at >= 0 && at != leader && k->accept[at])
            pl_desc_group_add(k->d, g, group->mids.at[n]);
    }
}

pl_err pl_jsep_create_answer(pl_jsep *j, const pl_desc **out)
{
    *out = NULL;
    pl_err err = pl_jsep_enter(j);
    if (err)
        return err;
    if (j->state != PL_SIGNALING_HAVE_REMOTE_OFFER && j->state != PL_SIGNALING_HAVE_LOCAL_PRANSWER)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "there is no remote offer to answer");
    answering k = { .j = j, .offer = j->pending_remote };
    int leader;
    const pl_desc_group *group;
    choose_sections(&k, &leader, &group);
    if (leader >= 0) {
        const pl_desc_media *theirs = pl_jsep_remote_transport(k.offer, leader);
        choose_creds(&k, theirs);
        choose_setup(&k, theirs);
    }
    err = pl_jsep_begin(j, &k.d);
    if (err)
        return err;
    k.d->extmap_allow_mixed = k.offer->extmap_allow_mixed;
    for (int i = 0; i < k.offer->media.n; i++)
        put_section(&k, i);
    put_bundle(&k, group, leader);
    pl_desc *made;
    err = pl_jsep_finish(j, k.d, &made);
    if (err)
        return pl_jsep_fail(j, err, NULL, -1, err == PL_ENOMEM ? "no memory" : "the answer is too large");
    pl_desc_free(j->last_answer);
    j->last_answer = made;
    j->last_answer_changes = j->changes;
    *out = made;
    return PL_OK;
}
