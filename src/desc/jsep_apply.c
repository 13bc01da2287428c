/* setLocalDescription, setRemoteDescription, rollback (RFC 9429 5.9 to 5.11, W3C 4.4.1.5): everything that
 * can fail is done first, then the change is made by functions that cannot. */
#include <assert.h>
#include <stdlib.h>

#include "desc/jsep_internal.h"

/* --- rollback ---------------------------------------------------------------------------------------------
 */

static void dissociate(pl_jsep *j, pl_jsep_transceiver *t)
{
    t->mline = -1;
    t->mid[0] = 0;
    t->receiving = false;
    if (t->by_remote && !t->by_add_track)
        pl_jsep_remove(j, t);
    else
        t->by_remote = false; /* the application has taken it over */
}

/* Takes back the sections that transceivers were given since the state was stable, except those that `keep`
 * still has. */
static void dissociate_pending(pl_jsep *j, const pl_desc *keep)
{
    for (size_t i = j->n_t; i-- > 0;) {
        pl_jsep_transceiver *t = j->t[i];
        if (t->slot->saved.associated || t->mline < 0)
            continue;
        bool kept =
            keep && pl_desc_find_mid(keep, t->mid) == t->mline && keep->media.at[t->mline].kind == t->kind;
        if (!kept)
            dissociate(j, t);
    }
}

static void rollback(pl_jsep *j)
{
    dissociate_pending(j, NULL);
    for (size_t i = 0; i < j->n_t; i++) {
        pl_jsep_transceiver *t = j->t[i];
        t->receiving = t->slot->saved.receiving;
        t->current = t->slot->saved.current;
        t->has_current = t->slot->saved.has_current;
    }
    j->data_mline = j->saved_data_mline;
    if (j->pending_local) { /* what was gathered for it may serve the next description */
        pl_desc_free(j->spare);
        j->spare = j->pending_local;
    }
    pl_desc_free(j->pending_remote);
    j->pending_local = j->pending_remote = NULL;
    j->state = PL_SIGNALING_STABLE;
    j->changes++;
}

static pl_err roll_back(pl_jsep *j)
{
    if (j->state != PL_SIGNALING_HAVE_LOCAL_OFFER && j->state != PL_SIGNALING_HAVE_REMOTE_OFFER)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "there is no offer to roll back");
    rollback(j);
    return PL_OK;
}

/* --- answers ----------------------------------------------------------------------------------------------
 */

static void stop(pl_jsep *j, pl_jsep_transceiver *t)
{
    t->stopping = t->stopped = true;
    t->direction = PL_STOPPED;
    t->current = PL_INACTIVE;
    t->has_current = false;
    t->receiving = false;
    pl_jsep_remove(j, t);
}

static void answer_transceiver(pl_jsep *j, pl_jsep_transceiver *t, const pl_desc *local,
                               const pl_desc *remote, bool we_answered, bool final)
{
    const pl_desc_media *l = &local->media.at[t->mline], *r = &remote->media.at[t->mline];
    bool usable = pl_jsep_usable(we_answered ? local : remote, t->mline);
    if (!usable && final) {
        stop(j, t);
        return;
    }
    pl_direction d =
        pl_direction_and((pl_direction)l->direction, pl_direction_reverse((pl_direction)r->direction));
    t->current = (uint8_t)(usable ? d : PL_INACTIVE);
    t->has_current = true;
    t->receiving = pl_direction_receives((pl_direction)t->current);
    t->slot->ever_sent = t->slot->ever_sent || pl_direction_sends((pl_direction)t->current);
    if (!we_answered)
        t->slot->refused = pl_direction_sends((pl_direction)l->direction) && !pl_direction_sends(d);
    t->slot->applied++;
}

static void answer_data(pl_jsep *j, const pl_desc *answer, bool final)
{
    if (j->data_mline < 0 || !final || pl_jsep_usable(answer, j->data_mline))
        return;
    j->data_mline = -1;
    j->want_data = false; /* asking again would be refused again: a new channel must ask */
}

static void answer_transport(pl_jsep *j, const pl_desc *answer, bool we_answered)
{
    int tagged = pl_jsep_tagged(answer);
    if (tagged < 0)
        return;
    j->role = pl_setup_role((pl_desc_setup)answer->media.at[tagged].setup, we_answered);
    if (!j->has_controlling) {
        j->has_controlling = true;
        j->controlling = !we_answered; /* RFC 8445 6.1.1; restarts keep the role */
    }
}

static void save_stable(pl_jsep *j)
{
    for (size_t i = 0; i < j->n_t; i++) {
        pl_jsep_transceiver *t = j->t[i];
        t->slot->saved.associated = t->mline >= 0;
        t->slot->saved.has_current = t->has_current;
        t->slot->saved.current = t->current;
        t->slot->saved.receiving = t->receiving;
        t->slot->offer_index = -1;
    }
    j->saved_data_mline = j->data_mline;
}

static void forget_made(pl_jsep *j)
{
    pl_desc_free(j->last_offer);
    pl_desc_free(j->last_answer);
    pl_desc_free(j->spare);
    j->last_offer = j->last_answer = j->spare = NULL;
}

static void become_stable(pl_jsep *j, bool we_answered)
{
    pl_desc_free(j->current_local);
    pl_desc_free(j->current_remote);
    j->current_local = j->pending_local;
    j->current_remote = j->pending_remote;
    j->pending_local = j->pending_remote = NULL;
    j->answered = we_answered;
    j->state = PL_SIGNALING_STABLE;
    save_stable(j);
    forget_made(j);
    const pl_desc_media *transport = pl_jsep_own_transport(j, j->current_local);
    if (!transport || strcmp(transport->ufrag, j->restart_ufrag) != 0)
        j->restart_ufrag[0] = 0; /* the restart that was asked for is done */
    if (!transport) { /* none is left: a later one is another, and its restarts have credentials of their own */
        pl_jsep_make_creds(j, &j->first);
        j->next = (pl_jsep_creds){ 0 };
    }
}

/* Both pending descriptions are there and one of them is the answer. */
static void apply_answer(pl_jsep *j, bool we_answered, bool final)
{
    const pl_desc *local = j->pending_local, *remote = j->pending_remote;
    const pl_desc *answer = we_answered ? local : remote;
    for (size_t i = j->n_t; i-- > 0;) {
        if (j->t[i]->mline >= 0)
            answer_transceiver(j, j->t[i], local, remote, we_answered, final);
    }
    answer_data(j, answer, final);
    answer_transport(j, answer, we_answered);
    j->changes++;
    memset(j->told_candidates, 0, sizeof j->told_candidates);
    if (final)
        become_stable(j, we_answered);
    else
        j->state = we_answered ? PL_SIGNALING_HAVE_LOCAL_PRANSWER : PL_SIGNALING_HAVE_REMOTE_PRANSWER;
}

/* --- local ------------------------------------------------------------------------------------------------
 */

static void number_after(pl_jsep *j, const char *mid)
{
    uint64_t n;
    if (j->conf.mid_prefix && mid[0] == j->conf.mid_prefix)
        mid++;
    if (pl_str_u64(pl_str_of(mid), UINT32_MAX - 1, &n) && n >= j->next_mid)
        j->next_mid = (uint32_t)n + 1;
}

static void apply_local_offer(pl_jsep *j, pl_desc *d)
{
    for (size_t i = 0; i < j->n_t; i++) {
        pl_jsep_transceiver *t = j->t[i];
        if (t->mline >= 0 || t->slot->offer_index < 0)
            continue;
        t->mline = t->slot->offer_index;
        pl_str_copy(pl_str_of(d->media.at[t->mline].mid), t->mid, sizeof t->mid);
    }
    for (int i = 0; i < d->media.n; i++) {
        number_after(j, d->media.at[i].mid);
        if (pl_desc_is_data(&d->media.at[i]) && !pl_desc_rejected(&d->media.at[i]))
            j->data_mline = i;
    }
    pl_desc_free(j->pending_local);
    j->pending_local = d;
    j->version = d->session_version;
    j->state = PL_SIGNALING_HAVE_LOCAL_OFFER;
}

static pl_err local_offer(pl_jsep *j, const pl_desc *d)
{
    if (j->state != PL_SIGNALING_STABLE && j->state != PL_SIGNALING_HAVE_LOCAL_OFFER)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "a local offer cannot be set in this signaling state");
    pl_err err = PL_OK;
    if (!d && (!j->last_offer || j->last_offer_changes != j->changes))
        err = pl_jsep_create_offer(j, false, &d);
    else if (!d)
        d = j->last_offer;
    else if (!j->last_offer || !pl_desc_eq_but_candidates(d, j->last_offer))
        err = pl_jsep_fail(j, PL_EPROTO, NULL, -1, "this is not the offer that was created last");
    pl_desc *copy = NULL;
    if (!err)
        err = pl_desc_copy(&copy, d);
    if (err)
        return err;
    pl_jsep_put_candidates(j, copy); /* those that came since it was created */
    apply_local_offer(j, copy);
    return PL_OK;
}

static pl_err local_answer(pl_jsep *j, const pl_desc *d, bool final)
{
    if (j->state != PL_SIGNALING_HAVE_REMOTE_OFFER && j->state != PL_SIGNALING_HAVE_LOCAL_PRANSWER)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "there is no remote offer to answer");
    pl_err err = PL_OK;
    if (!d && (!j->last_answer || j->last_answer_changes != j->changes))
        err = pl_jsep_create_answer(j, &d);
    else if (!d)
        d = j->last_answer;
    else if (!j->last_answer || !pl_desc_eq_but_candidates(d, j->last_answer))
        err = pl_jsep_fail(j, PL_EPROTO, NULL, -1, "this is not the answer that was created last");
    pl_desc *copy = NULL;
    if (!err)
        err = pl_desc_copy(&copy, d);
    if (err)
        return err;
    pl_jsep_put_candidates(j, copy);
    pl_desc_free(j->pending_local);
    j->pending_local = copy;
    j->version = copy->session_version;
    apply_answer(j, true, final);
    return PL_OK;
}

pl_err pl_jsep_set_local(pl_jsep *j, pl_sdp_type type, const pl_desc *d)
{
    pl_err err = pl_jsep_enter(j);
    if (err)
        return err;
    switch (type) {
    case PL_SDP_OFFER: return local_offer(j, d);
    case PL_SDP_ANSWER: return local_answer(j, d, true);
    case PL_SDP_PRANSWER: return local_answer(j, d, false);
    case PL_SDP_ROLLBACK: return roll_back(j);
    }
    return PL_EINVAL;
}

pl_err pl_jsep_set_local_implicit(pl_jsep *j)
{
    bool answer = j->state == PL_SIGNALING_HAVE_REMOTE_OFFER || j->state == PL_SIGNALING_HAVE_LOCAL_PRANSWER;
    return pl_jsep_set_local(j, answer ? PL_SDP_ANSWER : PL_SDP_OFFER, NULL);
}

/* --- remote -----------------------------------------------------------------------------------------------
 */

/* Transceivers a remote offer may need, made before anything is changed. */
typedef struct stock {
    pl_jsep_transceiver *at[PL_DESC_MEDIA_MAX];
    size_t n;
} stock;

static void free_stock(stock *s)
{
    while (s->n)
        pl_jsep_transceiver_free(s->at[--s->n]);
}

static bool wants_transceiver(const pl_desc_media *m)
{
    return pl_desc_is_rtp(m) && !pl_desc_rejected(m);
}

static pl_err fill_stock(pl_jsep *j, const pl_desc *d, stock *s)
{
    pl_err err = PL_OK;
    size_t n = 0;
    for (size_t i = 0; i < d->media.n; i++) {
        const pl_jsep_transceiver *t = pl_jsep_transceiver_of_mid(j, d->media.at[i].mid);
        n += wants_transceiver(&d->media.at[i]) && !(t && t->slot->saved.associated);
    }
    err = pl_jsep_reserve(j, n);
    for (size_t i = 0; !err && i < d->media.n && s->n < n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        const pl_jsep_transceiver *t = pl_jsep_transceiver_of_mid(j, m->mid);
        if (!wants_transceiver(m) || (t && t->slot->saved.associated))
            continue;
        err = pl_jsep_transceiver_new(j, (pl_media_type)m->kind, &s->at[s->n]);
        s->n += !err;
    }
    if (err)
        free_stock(s);
    return err;
}

static pl_jsep_transceiver *take_stock(stock *s, uint8_t kind)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->at[i]->kind != kind)
            continue;
        pl_jsep_transceiver *t = s->at[i];
        s->at[i] = s->at[--s->n];
        return t;
    }
    assert(!"stock was filled for every section");
    return NULL;
}

/* RFC 9429 5.10: a peer that would receive from us gets a transceiver that addTrack made; anything else gets
 * a new one that only receives. */
static pl_jsep_transceiver *associate(pl_jsep *j, const pl_desc_media *m, stock *s)
{
    bool theirs_receives = pl_direction_receives((pl_direction)m->direction);
    for (size_t i = 0; theirs_receives && i < j->n_t; i++) {
        pl_jsep_transceiver *t = j->t[i];
        if (t->kind == m->kind && t->mline < 0 && t->by_add_track && !t->stopping)
            return t;
    }
    pl_jsep_transceiver *t = take_stock(s, m->kind);
    t->direction = PL_RECVONLY;
    t->by_remote = true;
    pl_jsep_append(j, t);
    return t;
}

static void apply_remote_section(pl_jsep *j, const pl_desc *d, int i, stock *s)
{
    const pl_desc_media *m = &d->media.at[i];
    if (pl_desc_is_data(m) && !pl_desc_rejected(m) && j->data_mline < 0)
        j->data_mline = i;
    pl_jsep_transceiver *t = pl_jsep_transceiver_of_mid(j, m->mid);
    if (!t && wants_transceiver(m)) {
        t = associate(j, m, s);
        t->mline = i;
        pl_str_copy(pl_str_of(m->mid), t->mid, sizeof t->mid);
    }
    if (t)
        t->receiving = !pl_desc_rejected(m) && !t->stopping && pl_direction_sends((pl_direction)m->direction);
}

static void apply_remote_offer(pl_jsep *j, pl_desc *d, stock *s)
{
    if (j->state == PL_SIGNALING_HAVE_LOCAL_OFFER)
        rollback(j);
    dissociate_pending(j, d);
    j->data_mline = j->saved_data_mline;
    pl_desc_free(j->last_answer); /* was made for another offer */
    j->last_answer = NULL;
    for (int i = 0; i < d->media.n; i++)
        apply_remote_section(j, d, i, s);
    pl_desc_free(j->pending_remote);
    j->pending_remote = d;
    j->state = PL_SIGNALING_HAVE_REMOTE_OFFER;
    j->changes++;
}

static pl_err remote_offer(pl_jsep *j, pl_desc *d)
{
    if (j->state != PL_SIGNALING_STABLE && j->state != PL_SIGNALING_HAVE_REMOTE_OFFER &&
        j->state != PL_SIGNALING_HAVE_LOCAL_OFFER)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "a remote offer cannot be set in this signaling state");
    stock s = { .n = 0 };
    pl_err err = pl_jsep_name_sections(j, d, NULL);
    if (!err)
        err = pl_jsep_verify_offer(j, d);
    if (!err)
        err = fill_stock(j, d, &s);
    if (err)
        return err;
    apply_remote_offer(j, d, &s);
    free_stock(&s);
    return PL_OK;
}

static pl_err remote_answer(pl_jsep *j, pl_desc *d, bool final)
{
    if (j->state != PL_SIGNALING_HAVE_LOCAL_OFFER && j->state != PL_SIGNALING_HAVE_REMOTE_PRANSWER)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "there is no local offer to be answered");
    pl_err err = pl_jsep_name_sections(j, d, j->pending_local);
    if (!err)
        err = pl_jsep_verify_answer(j, d, j->pending_local);
    if (err)
        return err;
    pl_desc_free(j->pending_remote);
    j->pending_remote = d;
    apply_answer(j, false, final);
    return PL_OK;
}

pl_err pl_jsep_set_remote(pl_jsep *j, pl_sdp_type type, const pl_desc *d)
{
    pl_err err = pl_jsep_enter(j);
    if (err || type == PL_SDP_ROLLBACK)
        return err ? err : roll_back(j);
    pl_desc *copy;
    err = pl_desc_copy(&copy, d);
    if (err)
        return err;
    err = type == PL_SDP_OFFER ? remote_offer(j, copy) : remote_answer(j, copy, type == PL_SDP_ANSWER);
    if (err)
        pl_desc_free(copy);
    return err;
}
