/* A call's descriptions, section by section. */
#include <string.h>

#include "signal/jingle_call_internal.h"

bool call_alive(const pl_desc *d, int i)
{
    return d && i >= 0 && i < d->media.n && !pl_desc_rejected(&d->media.at[i]);
}

int call_find(const pl_desc *d, const char *mid)
{
    for (int i = 0; d && mid && i < d->media.n; i++) {
        if (call_alive(d, i) && d->media.at[i].mid && strcmp(d->media.at[i].mid, mid) == 0)
            return i;
    }
    return -1;
}

pl_desc *call_copy(const pl_desc *d)
{
    pl_desc *out;
    return pl_desc_copy(&out, d) ? NULL : out;
}

void call_reject(pl_desc_media *m)
{
    m->port = 0;
    m->bundle_only = false;
    m->direction = PL_INACTIVE;
}

static void add_rejected(pl_desc *d, const pl_desc_media *like)
{
    pl_desc_media *m = pl_desc_add_media(d, (pl_desc_kind)like->kind);
    if (!m)
        return;
    m->mid = pl_desc_textz(d, like->mid);
    call_reject(m);
}

/* A group names what is alive; one that is left empty is left out. */
static void add_groups(pl_desc *d, const pl_desc *from)
{
    for (size_t i = 0; i < from->groups.n; i++) {
        const pl_desc_group *group = &from->groups.at[i];
        pl_desc_group *g = NULL;
        for (size_t k = 0; k < group->mids.n; k++) {
            if (call_find(d, group->mids.at[k]) < 0)
                continue;
            if (!g)
                g = pl_desc_add_group(d, group->semantics);
            if (g)
                (void)pl_desc_group_add(d, g, group->mids.at[k]);
        }
    }
}

static pl_desc *whole(pl_desc *d)
{
    if (pl_desc_err(d) == PL_OK)
        return d;
    pl_desc_free(d);
    return NULL;
}

static pl_desc *begin_like(const pl_desc *from)
{
    pl_desc *d;
    if (pl_desc_new(&d))
        return NULL;
    d->ice_lite = from->ice_lite;
    d->extmap_allow_mixed = from->extmap_allow_mixed;
    return d;
}

pl_desc *call_in_order(const pl_desc *offer, const pl_desc *said)
{
    pl_desc *d = begin_like(said);
    for (int i = 0; d && i < offer->media.n; i++) {
        int k = call_alive(offer, i) ? call_find(said, offer->media.at[i].mid) : -1;
        if (k >= 0)
            (void)pl_desc_add_media_copy(d, &said->media.at[k]);
        else
            add_rejected(d, &offer->media.at[i]);
    }
    if (!d)
        return NULL;
    add_groups(d, said);
    return whole(d);
}

pl_desc *call_finish(const pl_desc *from, uint8_t setup)
{
    pl_desc *d = begin_like(from);
    if (!d)
        return NULL;
    for (int i = 0; i < from->media.n; i++) {
        pl_desc_media *m = pl_desc_add_media_copy(d, &from->media.at[i]);
        if (m && setup && m->fingerprints.n)
            m->setup = setup;
    }
    add_groups(d, from);
    return whole(d);
}

pl_desc_media *call_put(pl_desc *d, int i, const pl_desc_media *m)
{
    pl_desc_media *at = pl_desc_add_media_copy(d, m);
    if (!at || i == d->media.n - 1)
        return at;
    d->media.at[i] = *at; /* all it points to is the description's */
    d->media.n--;
    return &d->media.at[i];
}

/* --- transports ----------------------------------------------------------------------------------------------- */

/* The section that describes the transport which those of the group share, but m. */
static const pl_desc_media *leader_of(const pl_desc *d, const pl_desc_media *m)
{
    for (int i = 0; i < d->media.n; i++) {
        const pl_desc_media *l = &d->media.at[i];
        if (l != m && call_alive(d, i) && l->ufrag && l->pwd && l->fingerprints.n)
            return l;
    }
    return NULL;
}

static void join(pl_desc *d, const char *leader, const char *mid)
{
    pl_desc_group *g = NULL;
    for (size_t i = 0; i < d->groups.n && !g; i++) {
        if (strcmp(d->groups.at[i].semantics, "BUNDLE") == 0)
            g = &d->groups.at[i];
    }
    if (!g)
        g = pl_desc_add_group(d, "BUNDLE");
    if (g && !pl_desc_group_has(g, leader)) /* it was added to a group of which nothing was left */
        (void)pl_desc_group_add(d, g, leader);
    if (g && !pl_desc_group_has(g, mid))
        (void)pl_desc_group_add(d, g, mid);
}

/* RFC 9143 7.1.3 and XEP-0338: what is bundled has one transport, and need describe it once. Without a group that says so,
 * a content shares the transport whose credentials it has, or when it describes none at all. */
void call_share_transport(pl_desc *d, pl_desc_media *m, bool grouped)
{
    const pl_desc_media *l = leader_of(d, m);
    if (!l || (!grouped && m->ufrag && strcmp(m->ufrag, l->ufrag) != 0))
        return;
    if (!m->ufrag || !m->pwd)
        call_set_credentials(d, m, l->ufrag, l->pwd);
    for (size_t i = 0; i < l->fingerprints.n && m->fingerprints.n < l->fingerprints.n; i++) {
        pl_desc_fingerprint *f = pl_desc_add_fingerprint(d, m);
        if (f)
            *f = l->fingerprints.at[i];
    }
    if (!m->setup)
        m->setup = l->setup;
    m->ice_options |= l->ice_options;
    m->rtcp_mux = m->rtcp_mux || pl_desc_is_rtp(m);
    join(d, l->mid, m->mid);
}

void call_set_credentials(pl_desc *d, pl_desc_media *m, const char *ufrag, const char *pwd)
{
    m->ufrag = pl_desc_textz(d, ufrag);
    m->pwd = pl_desc_textz(d, pwd);
}

static bool has_fingerprint(const pl_desc_media *m, const pl_desc_fingerprint *f)
{
    for (size_t i = 0; i < m->fingerprints.n; i++) {
        if (strcmp(m->fingerprints.at[i].hash, f->hash) == 0 &&
            strcmp(m->fingerprints.at[i].value, f->value) == 0)
            return true;
    }
    return false;
}

bool call_knows_key(const pl_desc *d, const pl_desc_media *m)
{
    for (size_t i = 0; i < m->fingerprints.n; i++) {
        bool known = false;
        for (int k = 0; d && k < d->media.n; k++)
            known = known || has_fingerprint(&d->media.at[k], &m->fingerprints.at[i]);
        if (!known)
            return false;
    }
    return true;
}

void call_hold_to(pl_jingle_call *c, const pl_desc *said)
{
    if (!c->first)
        c->first = call_copy(said);
}

/* --- what is compared ------------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool call_same_sources(const pl_desc_media *a, const pl_desc_media *b)
{
    if (a->ssrcs.n != b->ssrcs.n || a->msids.n != b->msids.n || a->ssrc_groups.n != b->ssrc_groups.n)
        return false;
    for (size_t i = 0; i < a->ssrcs.n; i++) {
        if (a->ssrcs.at[i].ssrc != b->ssrcs.at[i].ssrc)
            return false;
    }
    for (size_t i = 0; i < a->msids.n; i++) {
        if (!same_text(a->msids.at[i].stream, b->msids.at[i].stream) ||
            !same_text(a->msids.at[i].track, b->msids.at[i].track))
            return false;
    }
    return true;
}

pl_jingle_senders call_senders(uint8_t direction, bool by_initiator)
{
    switch ((pl_direction)direction) {
    case PL_SENDRECV: return PL_JINGLE_BOTH;
    case PL_SENDONLY: return by_initiator ? PL_JINGLE_BY_INITIATOR : PL_JINGLE_BY_RESPONDER;
    case PL_RECVONLY: return by_initiator ? PL_JINGLE_BY_RESPONDER : PL_JINGLE_BY_INITIATOR;
    default: return PL_JINGLE_BY_NONE;
    }
}

/* --- contents that say one thing -------------------------------------------------------------------------------- */

static pl_jingle_write_conf how(const pl_jingle_call *c)
{
    return (pl_jingle_write_conf){ .by_initiator = c->we_called };
}

static void write_without(const pl_jingle_call *c, const pl_desc *d, const pl_desc_media *m, pl_xml *body,
                          const char *part)
{
    const pl_jingle_write_conf conf = how(c);
    pl_xml *content = pl_jingle_write_content(d, m, body, &conf), *out = pl_xml_child(content, NULL, part);
    pl_xml_set(content, "senders", NULL);
    if (out)
        pl_xml_remove(out);
}

void call_write_transport(const pl_jingle_call *c, const pl_desc *d, const pl_desc_media *m, const char *line,
                          bool end, pl_xml *body)
{
    pl_desc_media now = *m;
    now.candidates.at = &line;
    now.candidates.n = line != NULL;
    now.end_of_candidates = end;
    write_without(c, d, &now, body, "description");
}

void call_write_description(const pl_jingle_call *c, const pl_desc *d, const pl_desc_media *m, pl_xml *body)
{
    write_without(c, d, m, body, "transport");
}

void call_write_senders(const pl_jingle_call *c, const pl_desc_media *m, pl_xml *body)
{
    pl_jingle_write_name(body, m->mid, pl_jingle_senders_str(call_senders(m->direction, c->we_called)));
}
