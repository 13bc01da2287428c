/* createOffer (RFC 9429 5.2) and the question whether one is needed (W3C 4.7.3). */
#include <assert.h>
#include <stdio.h>

#include "desc/jsep_internal.h"

/* The newest descriptions of both sides: what the order of sections comes from. */
typedef struct base {
    const pl_desc *local, *remote;
    size_t n;
} base;

static base base_of(const pl_jsep *j)
{
    base b = { .local = pl_jsep_local(j, NULL), .remote = pl_jsep_remote(j, NULL) };
    size_t l = b.local ? b.local->media.n : 0, r = b.remote ? b.remote->media.n : 0;
    b.n = l > r ? l : r;
    return b;
}

static const pl_desc_media *section(const pl_desc *d, size_t i)
{
    return d && i < d->media.n ? &d->media.at[i] : NULL;
}

typedef struct making {
    pl_jsep *j;
    pl_desc *d;
    base b;
    pl_jsep_creds creds;
    pl_desc_setup setup;
    pl_jsep_numbers numbers;
    pl_jsep_ours ours;
    uint32_t next_mid;
    int index[PL_JSEP_TRANSCEIVERS_MAX]; /* of each transceiver without a mid: its section, or -1 */
} making;

static void mid_of_new(making *k, char out[16])
{
    const char prefix[2] = { k->j->conf.mid_prefix, 0 };
    do
        snprintf(out, 16, "%s%u", prefix, k->next_mid++);
    while (pl_desc_find_mid(k->d, out) >= 0 || (k->b.local && pl_desc_find_mid(k->b.local, out) >= 0) ||
           (k->b.remote && pl_desc_find_mid(k->b.remote, out) >= 0));
}

static void put_media(making *k, const pl_jsep_transceiver *t, const char *mid)
{
    pl_desc_media *m = pl_desc_add_media(k->d, (pl_desc_kind)t->kind);
    if (!m)
        return;
    m->mid = pl_desc_textz(k->d, mid);
    m->direction = t->stopping ? PL_INACTIVE : t->direction;
    m->rtcp_mux = m->rtcp_rsize = true;
    m->rtcp_port = 9;
    pl_jsep_ours_of(k->j, t->kind, t, &k->ours);
    pl_jsep_put_numbered(k->d, m, &k->ours, &k->numbers);
    pl_jsep_put_sender(k->j, k->d, m, t);
    pl_jsep_put_transport(k->j, k->d, m, &k->creds, k->setup);
}

static void put_data(making *k, const pl_desc_media *before, const char *mid)
{
    pl_desc_media *m = pl_desc_add_media(k->d, PL_DESC_APPLICATION);
    if (!m)
        return;
    m->mid = pl_desc_textz(k->d, mid);
    if (before) {
        m->proto = before->proto;
        m->proto_text = pl_desc_textz(k->d, before->proto_text);
    }
    pl_jsep_put_data(k->j, k->d, m);
    pl_jsep_put_transport(k->j, k->d, m, &k->creds, k->setup);
}

/* The next transceiver that has no section yet and is not given one in this offer. */
static pl_jsep_transceiver *next_new(making *k, size_t *at)
{
    for (size_t i = 0; i < k->j->n_t; i++) {
        pl_jsep_transceiver *t = k->j->t[i];
        if (t->mline < 0 && !t->stopping && k->index[i] < 0) {
            *at = i;
            return t;
        }
    }
    return NULL;
}

static void put_new(making *k, pl_jsep_transceiver *t, size_t at)
{
    char mid[16];
    mid_of_new(k, mid);
    k->index[at] = k->d->media.n;
    put_media(k, t, mid);
}

/* Section i as it was: the same use, or rejected, or a new use of a rejected place (RFC 9429 5.2.2). */
static void put_existing(making *k, size_t i)
{
    const pl_desc_media *local = section(k->b.local, i), *remote = section(k->b.remote, i);
    const pl_desc_media *like = local ? local : remote;
    pl_jsep_transceiver *t = pl_jsep_transceiver_of_mline(k->j, (int)i);
    size_t at;
    assert(like); /* i is below the longer of the two */
    if (t && t->stopping)
        pl_jsep_put_rejected(k->d, like, t->mid);
    else if (t)
        put_media(k, t, t->mid);
    else if ((int)i == k->j->data_mline)
        put_data(k, like, like->mid);
    else if (((local && pl_desc_rejected(local)) || (remote && pl_desc_rejected(remote))) &&
             (t = next_new(k, &at)))
        put_new(k, t, at);
    else
        pl_jsep_put_rejected(k->d, like, like->mid);
}

static void put_group_member(pl_desc *d, pl_desc_group *g, const char *mid)
{
    int at = pl_desc_find_mid(d, mid);
    if (at >= 0 && !pl_desc_rejected(&d->media.at[at]) && !pl_desc_group_has(g, mid))
        pl_desc_group_add(d, g, mid);
}

/* One group of all. What was bundled keeps its order, so that the section that carries the transport goes on
 * to (RFC 9143 7.4). */
static void put_bundle(making *k)
{
    bool any = false;
    for (size_t i = 0; i < k->d->media.n; i++)
        any = any || !pl_desc_rejected(&k->d->media.at[i]);
    pl_desc_group *g = any ? pl_desc_add_group(k->d, "BUNDLE") : NULL;
    if (!g)
        return;
    const pl_desc_media *tagged = pl_jsep_own_transport(k->j, k->j->current_local);
    if (tagged)
        put_group_member(k->d, g, tagged->mid);
    for (size_t i = 0; i < k->d->media.n; i++)
        put_group_member(k->d, g, k->d->media.at[i].mid);
}

/* The credentials in use, or new ones for a restart (RFC 8839 4.4.1.1.1). */
static void choose_creds(making *k, bool ice_restart)
{
    pl_jsep *j = k->j;
    k->creds = j->first;
    const pl_desc *const in_use[] = { j->pending_local, j->current_local };
    for (size_t i = 0; i < 2; i++) {
        const pl_desc_media *m = pl_jsep_own_transport(j, in_use[i]);
        if (!m)
            continue;
        pl_str_copy(pl_str_of(m->ufrag), k->creds.ufrag, sizeof k->creds.ufrag);
        pl_str_copy(pl_str_of(m->pwd), k->creds.pwd, sizeof k->creds.pwd);
        break;
    }
    if (ice_restart || strcmp(k->creds.ufrag, j->restart_ufrag) == 0)
        pl_jsep_next_creds(j, k->creds.ufrag, &k->creds);
}

static pl_desc_setup offered_setup(const pl_jsep *j)
{
    return j->conf.setup == PL_SETUP_ACTIVE    ? PL_DESC_SETUP_ACTIVE
           : j->conf.setup == PL_SETUP_PASSIVE ? PL_DESC_SETUP_PASSIVE
                                               : PL_DESC_SETUP_ACTPASS;
}

static void put_sections(making *k)
{
    for (size_t i = 0; i < k->b.n; i++)
        put_existing(k, i);
    size_t at;
    for (pl_jsep_transceiver *t; (t = next_new(k, &at));)
        put_new(k, t, at);
    if (k->j->want_data && k->j->data_mline < 0) {
        char mid[16];
        mid_of_new(k, mid);
        put_data(k, NULL, mid);
    }
    put_bundle(k);
}

pl_err pl_jsep_create_offer(pl_jsep *j, bool ice_restart, const pl_desc **out)
{
    *out = NULL;
    pl_err err = pl_jsep_enter(j);
    if (err)
        return err;
    making k = { .j = j, .b = base_of(j), .setup = offered_setup(j), .next_mid = j->next_mid };
    for (size_t i = 0; i < j->n_t; i++)
        k.index[i] = -1;
    choose_creds(&k, ice_restart);
    pl_jsep_numbers_collect(&k.numbers, j->pending_local);
    pl_jsep_numbers_collect(&k.numbers, j->current_local);
    pl_jsep_numbers_collect(&k.numbers, j->current_remote);
    pl_jsep_numbers_collect(&k.numbers, j->pending_remote);
    err = pl_jsep_begin(j, &k.d);
    if (err)
        return err;
    k.d->extmap_allow_mixed = true;
    put_sections(&k);
    pl_desc *made;
    err = pl_jsep_finish(j, k.d, &made);
    if (err)
        return pl_jsep_fail(j, err, NULL, -1, err == PL_ENOMEM ? "no memory" : "the offer is too large");
    pl_desc_free(j->last_offer);
    j->last_offer = made;
    j->last_offer_changes = j->changes;
    for (size_t i = 0; i < j->n_t; i++)
        j->t[i]->slot->offer_index = k.index[i];
    *out = made;
    return PL_OK;
}

/* --- is one needed? ---------------------------------------------------------------------------------------
 */

static bool msids_match(const pl_desc_media *m, const pl_jsep_transceiver *t)
{
    size_t n = t->n_streams ? t->n_streams : 1;
    if (m->msids.n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(m->msids.at[i].stream, t->n_streams ? t->stream_id[i] : "-") != 0)
            return false;
    }
    return true;
}

static bool transceiver_needs(const pl_jsep *j, const pl_jsep_transceiver *t)
{
    const pl_desc_media *local = section(j->current_local, (size_t)t->mline);
    const pl_desc_media *remote = section(j->current_remote, (size_t)t->mline);
    if (t->mline < 0 || !t->slot->saved.associated || !local || !remote)
        return !t->stopping;
    if (t->stopping)
        return true;
    pl_direction wanted = (pl_direction)t->direction, mine = (pl_direction)local->direction;
    pl_direction theirs = pl_direction_reverse((pl_direction)remote->direction);
    /* Two sides that only want to send would offer in turn without end by the letter of W3C 4.7.3: what the
     * peer has refused is not asked again until the application or the peer changes something. */
    bool refused = j->answered && t->slot->refused && !pl_direction_sends(theirs);
    if (pl_direction_sends(wanted) && !msids_match(local, t) && !refused)
        return true;
    if (j->answered)
        return mine != pl_direction_and(wanted, theirs); /* what was offered allowed no more */
    return wanted != mine && wanted != theirs;
}

bool pl_jsep_negotiation_needed(const pl_jsep *j)
{
    if (j->state == PL_SIGNALING_CLOSED)
        return false;
    if (j->restart_ufrag[0] || (j->want_data && j->saved_data_mline < 0))
        return true;
    for (size_t i = 0; i < j->n_t; i++) {
        if (transceiver_needs(j, j->t[i]))
            return true;
    }
    return false;
}
