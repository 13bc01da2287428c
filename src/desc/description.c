#include "desc/description.h"

#include <assert.h>
#include <stdlib.h>

#include "desc/arena.h"

/* A description, its arena and its first block are one allocation, so that a copy of known size is one. */
typedef struct whole {
    pl_desc desc;
    pl_desc_arena arena;
    pl_desc_block first;
} whole;

enum { FIRST_BLOCK = 1024 };

static pl_err new_sized(pl_desc **out, size_t bytes)
{
    *out = NULL;
    whole *w = malloc(sizeof *w + bytes);
    if (!w)
        return PL_ENOMEM;
    *w = (whole){ .first.size = bytes };
    w->arena.block = &w->first;
    w->arena.held = sizeof *w + bytes;
    w->desc.arena = &w->arena;
    *out = &w->desc;
    return PL_OK;
}

pl_err pl_desc_new(pl_desc **out)
{
    return new_sized(out, FIRST_BLOCK);
}

void pl_desc_free(pl_desc *d)
{
    if (!d)
        return;
    pl_desc_arena_clear(d->arena);
    free(d); /* the first member of its `whole` */
}

pl_err pl_desc_err(const pl_desc *d)
{
    return d->arena->err;
}

size_t pl_desc_bytes(const pl_desc *d)
{
    return d->arena->held;
}

const char *pl_desc_text(pl_desc *d, pl_str text)
{
    return pl_desc_arena_text(d->arena, text);
}

const char *pl_desc_textz(pl_desc *d, const char *text)
{
    return text ? pl_desc_text(d, pl_str_of(text)) : NULL;
}

/* --- lists ------------------------------------------------------------------------------------------------
 */

/* What every PL_DESC_LIST looks like to the functions that grow one. */
typedef struct any_list {
    void *at;
    uint16_t n, cap;
} any_list;

static bool reserve(pl_desc *d, void *list, size_t item, size_t cap)
{
    any_list *l = list;
    if (cap <= l->cap)
        return true;
    void *at = pl_desc_arena_get(d->arena, cap * item);
    if (!at)
        return false;
    if (l->n)
        memcpy(at, l->at, l->n * item);
    l->at = at;
    l->cap = (uint16_t)cap;
    return true;
}

static void *add(pl_desc *d, void *list, size_t item, size_t max)
{
    any_list *l = list;
    if (d->arena->err)
        return NULL;
    if (l->n >= max) {
        d->arena->err = PL_ENOSPC;
        return NULL;
    }
    if (l->n == l->cap && !reserve(d, l, item, l->cap ? l->cap * 2u : 2u))
        return NULL;
    return memset((char *)l->at + item * l->n++, 0, item);
}

#define ADD(d, list, max) add((d), &(list), sizeof *(list).at, (max))
/* An empty list of exactly as many places as `from` has items. */
#define RESERVE_LIKE(d, list, from) reserve((d), &(list), sizeof *(list).at, (from).n)

pl_desc_media *pl_desc_add_media(pl_desc *d, pl_desc_kind kind)
{
    pl_desc_media *m = ADD(d, d->media, PL_DESC_MEDIA_MAX);
    if (!m)
        return NULL;
    m->kind = (uint8_t)kind;
    m->proto = kind == PL_DESC_APPLICATION ? PL_DESC_UDP_DTLS_SCTP
               : kind == PL_DESC_OTHER     ? PL_DESC_PROTO_OTHER
                                           : PL_DESC_UDP_TLS_SAVPF;
    m->direction = PL_SENDRECV;
    m->port = 9;
    return m;
}

pl_desc_codec *pl_desc_add_codec(pl_desc *d, pl_desc_media *m)
{
    pl_desc_codec *c = ADD(d, m->codecs, PL_DESC_CODECS_MAX);
    if (c) {
        c->name = "";
        c->channels = 1;
        c->apt = -1;
    }
    return c;
}

pl_desc_ext *pl_desc_add_ext(pl_desc *d, pl_desc_media *m)
{
    pl_desc_ext *e = ADD(d, m->exts, PL_DESC_EXTS_MAX);
    if (e)
        e->uri = "";
    return e;
}

pl_desc_ssrc *pl_desc_add_ssrc(pl_desc *d, pl_desc_media *m, uint32_t ssrc)
{
    for (size_t i = 0; i < m->ssrcs.n; i++) {
        if (m->ssrcs.at[i].ssrc == ssrc)
            return &m->ssrcs.at[i];
    }
    pl_desc_ssrc *s = ADD(d, m->ssrcs, PL_DESC_SSRCS_MAX);
    if (s)
        s->ssrc = ssrc;
    return s;
}

pl_desc_ssrc_group *pl_desc_add_ssrc_group(pl_desc *d, pl_desc_media *m)
{
    pl_desc_ssrc_group *g = ADD(d, m->ssrc_groups, PL_DESC_SSRC_GROUPS_MAX);
    if (g)
        g->semantics = "";
    return g;
}

bool pl_desc_ssrc_group_add(pl_desc *d, pl_desc_ssrc_group *g, uint32_t ssrc)
{
    uint32_t *at = ADD(d, g->ssrcs, PL_DESC_SSRC_GROUP_LEN_MAX);
    if (at)
        *at = ssrc;
    return at != NULL;
}

pl_desc_msid *pl_desc_add_msid(pl_desc *d, pl_desc_media *m)
{
    pl_desc_msid *s = ADD(d, m->msids, PL_DESC_MSIDS_MAX);
    if (s)
        s->stream = "-";
    return s;
}

pl_desc_rid *pl_desc_add_rid(pl_desc *d, pl_desc_media *m)
{
    pl_desc_rid *r = ADD(d, m->rids, PL_DESC_RIDS_MAX);
    if (r)
        r->id = "";
    return r;
}

pl_desc_layer *pl_desc_add_layer(pl_desc *d, pl_desc_media *m, bool send)
{
    pl_desc_layer *l =
        send ? ADD(d, m->simulcast_send, PL_DESC_RIDS_MAX) : ADD(d, m->simulcast_recv, PL_DESC_RIDS_MAX);
    if (l)
        l->rid = "";
    return l;
}

pl_desc_fingerprint *pl_desc_add_fingerprint(pl_desc *d, pl_desc_media *m)
{
    pl_desc_fingerprint *f = ADD(d, m->fingerprints, PL_DESC_FINGERPRINTS_MAX);
    if (f)
        f->hash = f->value = "";
    return f;
}

bool pl_desc_add_candidate(pl_desc *d, pl_desc_media *m, pl_str text)
{
    for (size_t i = 0; i < m->candidates.n; i++) {
        if (pl_str_is(text, m->candidates.at[i]))
            return true;
    }
    const char *copy = pl_desc_text(d, text);
    const char **at = copy ? ADD(d, m->candidates, PL_DESC_CANDIDATES_MAX) : NULL;
    if (at)
        *at = copy;
    return at != NULL;
}

pl_desc_group *pl_desc_add_group(pl_desc *d, const char *semantics)
{
    const char *copy = pl_desc_textz(d, semantics);
    pl_desc_group *g = copy ? ADD(d, d->groups, PL_DESC_GROUPS_MAX) : NULL;
    if (g)
        g->semantics = copy;
    return g;
}

bool pl_desc_group_add(pl_desc *d, pl_desc_group *g, const char *mid)
{
    const char *copy = pl_desc_textz(d, mid);
    const char **at = copy ? ADD(d, g->mids, PL_DESC_MEDIA_MAX) : NULL;
    if (at)
        *at = copy;
    return at != NULL;
}

/* --- copies -----------------------------------------------------------------------------------------------
 */

/* The tables of a section with every text taken over into d. A failure sticks in d; the half-made section is
 * then never looked at. */
static void copy_rtp(pl_desc *d, pl_desc_media *to, const pl_desc_media *m)
{
    RESERVE_LIKE(d, to->codecs, m->codecs);
    for (size_t i = 0; i < m->codecs.n; i++) {
        pl_desc_codec *c = pl_desc_add_codec(d, to);
        if (!c)
            return;
        *c = m->codecs.at[i];
        c->name = pl_desc_textz(d, c->name);
        c->fmtp = pl_desc_textz(d, c->fmtp);
    }
    RESERVE_LIKE(d, to->exts, m->exts);
    for (size_t i = 0; i < m->exts.n; i++) {
        pl_desc_ext *e = pl_desc_add_ext(d, to);
        if (!e)
            return;
        *e = m->exts.at[i];
        e->uri = pl_desc_textz(d, e->uri);
        e->attributes = pl_desc_textz(d, e->attributes);
    }
    RESERVE_LIKE(d, to->rids, m->rids);
    for (size_t i = 0; i < m->rids.n; i++) {
        pl_desc_rid *r = pl_desc_add_rid(d, to);
        if (!r)
            return;
        *r = m->rids.at[i];
        r->id = pl_desc_textz(d, r->id);
        r->params = pl_desc_textz(d, r->params);
    }
    for (int send = 0; send < 2; send++) {
        size_t n = send ? m->simulcast_send.n : m->simulcast_recv.n;
        for (size_t i = 0; i < n; i++) {
            pl_desc_layer *l = pl_desc_add_layer(d, to, send);
            if (!l)
                return;
            *l = send ? m->simulcast_send.at[i] : m->simulcast_recv.at[i];
            l->rid = pl_desc_textz(d, l->rid);
        }
    }
}

static void copy_sources(pl_desc *d, pl_desc_media *to, const pl_desc_media *m)
{
    RESERVE_LIKE(d, to->ssrcs, m->ssrcs);
    for (size_t i = 0; i < m->ssrcs.n; i++) {
        const pl_desc_ssrc *from = &m->ssrcs.at[i];
        pl_desc_ssrc *s = pl_desc_add_ssrc(d, to, from->ssrc);
        if (!s)
            return;
        s->cname = pl_desc_textz(d, from->cname);
        s->stream = pl_desc_textz(d, from->stream);
        s->track = pl_desc_textz(d, from->track);
    }
    RESERVE_LIKE(d, to->ssrc_groups, m->ssrc_groups);
    for (size_t i = 0; i < m->ssrc_groups.n; i++) {
        const pl_desc_ssrc_group *from = &m->ssrc_groups.at[i];
        pl_desc_ssrc_group *g = pl_desc_add_ssrc_group(d, to);
        if (!g)
            return;
        g->semantics = pl_desc_textz(d, from->semantics);
        RESERVE_LIKE(d, g->ssrcs, from->ssrcs);
        for (size_t k = 0; k < from->ssrcs.n; k++)
            pl_desc_ssrc_group_add(d, g, from->ssrcs.at[k]);
    }
    RESERVE_LIKE(d, to->msids, m->msids);
    for (size_t i = 0; i < m->msids.n; i++) {
        pl_desc_msid *s = pl_desc_add_msid(d, to);
        if (!s)
            return;
        s->stream = pl_desc_textz(d, m->msids.at[i].stream);
        s->track = pl_desc_textz(d, m->msids.at[i].track);
    }
}

static void copy_transport(pl_desc *d, pl_desc_media *to, const pl_desc_media *m)
{
    to->ufrag = pl_desc_textz(d, m->ufrag);
    to->pwd = pl_desc_textz(d, m->pwd);
    RESERVE_LIKE(d, to->fingerprints, m->fingerprints);
    for (size_t i = 0; i < m->fingerprints.n; i++) {
        pl_desc_fingerprint *f = pl_desc_add_fingerprint(d, to);
        if (!f)
            return;
        f->hash = pl_desc_textz(d, m->fingerprints.at[i].hash);
        f->value = pl_desc_textz(d, m->fingerprints.at[i].value);
    }
    RESERVE_LIKE(d, to->candidates, m->candidates);
    for (size_t i = 0; i < m->candidates.n; i++)
        pl_desc_add_candidate(d, to, pl_str_of(m->candidates.at[i]));
}

pl_desc_media *pl_desc_add_media_copy(pl_desc *d, const pl_desc_media *m)
{
    pl_desc_media from = *m; /* m may be a section of d, which adding moves */
    pl_desc_media *to = pl_desc_add_media(d, (pl_desc_kind)from.kind);
    if (!to)
        return NULL;
    m = &from;
    to->mid = pl_desc_textz(d, m->mid);
    to->kind_text = pl_desc_textz(d, m->kind_text);
    to->proto_text = pl_desc_textz(d, m->proto_text);
    to->formats = pl_desc_textz(d, m->formats);
    to->address = pl_desc_textz(d, m->address);
    to->port = m->port;
    to->rtcp_port = m->rtcp_port;
    to->proto = m->proto;
    to->direction = m->direction;
    to->setup = m->setup;
    to->ice_options = m->ice_options;
    to->bundle_only = m->bundle_only;
    to->rtcp_mux = m->rtcp_mux;
    to->rtcp_rsize = m->rtcp_rsize;
    to->end_of_candidates = m->end_of_candidates;
    to->extmap_allow_mixed = m->extmap_allow_mixed;
    to->ptime_ms = m->ptime_ms;
    to->maxptime_ms = m->maxptime_ms;
    to->bandwidth_as_kbps = m->bandwidth_as_kbps;
    to->bandwidth_tias_bps = m->bandwidth_tias_bps;
    to->sctp_port = m->sctp_port;
    to->sctp_streams = m->sctp_streams;
    to->has_max_message_size = m->has_max_message_size;
    to->max_message_size = m->max_message_size;
    copy_rtp(d, to, m);
    copy_sources(d, to, m);
    copy_transport(d, to, m);
    return pl_desc_err(d) ? NULL : to;
}

static void copy_into(pl_desc *to, const pl_desc *d)
{
    to->username = pl_desc_textz(to, d->username);
    to->session_id = d->session_id;
    to->session_version = d->session_version;
    to->msid_semantic = pl_desc_textz(to, d->msid_semantic);
    to->ice_lite = d->ice_lite;
    to->extmap_allow_mixed = d->extmap_allow_mixed;
    RESERVE_LIKE(to, to->groups, d->groups);
    for (size_t i = 0; i < d->groups.n; i++) {
        const pl_desc_group *from = &d->groups.at[i];
        pl_desc_group *g = pl_desc_add_group(to, from->semantics);
        if (!g)
            return;
        RESERVE_LIKE(to, g->mids, from->mids);
        for (size_t k = 0; k < from->mids.n; k++)
            pl_desc_group_add(to, g, from->mids.at[k]);
    }
    RESERVE_LIKE(to, to->media, d->media);
    for (size_t i = 0; i < d->media.n; i++)
        pl_desc_add_media_copy(to, &d->media.at[i]);
}

/* The first copy shows how many bytes the second needs: it runs the same course, so it fits exactly. */
pl_err pl_desc_copy(pl_desc **out, const pl_desc *d)
{
    *out = NULL;
    if (pl_desc_err(d))
        return pl_desc_err(d);
    pl_desc *rough, *exact = NULL;
    pl_err err = new_sized(&rough, 2 * FIRST_BLOCK);
    if (err)
        return err;
    copy_into(rough, d);
    err = pl_desc_err(rough);
    if (!err)
        err = new_sized(&exact, rough->arena->bytes);
    pl_desc_free(rough);
    if (err)
        return err;
    copy_into(exact, d);
    err = pl_desc_err(exact);
    if (err)
        pl_desc_free(exact);
    else
        *out = exact;
    return err;
}
