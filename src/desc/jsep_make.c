/* The parts that our offers and our answers have in common. */
#include <stdio.h>
#include <stdlib.h>

#include "desc/jsep_internal.h"

/* --- our side of a section --------------------------------------------------------------------------------
 */

static void put_ours(pl_jsep_ours *out, const pl_desc_codec *c)
{
    for (size_t i = 0; i < out->m.codecs.n; i++) {
        if (out->codec[i].pt == c->pt)
            return;
    }
    if (out->m.codecs.n < PL_DESC_CODECS_MAX)
        out->codec[out->m.codecs.n++] = *c;
}

static void put_preferred(const pl_jsep_kind_conf *conf, const char *name, pl_jsep_ours *out)
{
    for (size_t i = 0; i < conf->n_codecs; i++) {
        const pl_desc_codec *c = &conf->codec[i];
        if (!pl_str_ieq(pl_str_of(c->name), pl_str_of(name)))
            continue;
        put_ours(out, c);
        for (size_t k = 0; k < conf->n_codecs; k++) {
            if (conf->codec[k].apt == c->pt && pl_desc_codec_is_rtx(&conf->codec[k]))
                put_ours(out, &conf->codec[k]);
        }
    }
}

void pl_jsep_ours_of(const pl_jsep *j, uint8_t kind, const pl_jsep_transceiver *t, pl_jsep_ours *out)
{
    const pl_jsep_kind_conf *conf = &j->conf.kind[kind];
    out->m = (pl_desc_media){ .kind = kind };
    out->m.codecs.at = out->codec;
    out->m.exts.at = out->ext;
    for (size_t i = 0; i < conf->n_exts; i++)
        out->ext[out->m.exts.n++] = conf->ext[i];
    for (size_t i = 0; t && i < t->slot->n_preferences; i++)
        put_preferred(conf, t->slot->preference[i], out);
    for (size_t i = 0; (!t || t->slot->n_preferences == 0) && i < conf->n_codecs; i++)
        put_ours(out, &conf->codec[i]);
}

/* --- numbers ----------------------------------------------------------------------------------------------
 */

void pl_jsep_numbers_collect(pl_jsep_numbers *n, const pl_desc *d)
{
    for (size_t i = 0; d && i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        if (!pl_desc_is_rtp(m) || pl_desc_rejected(m))
            continue;
        for (size_t k = 0; k < m->codecs.n; k++) {
            const pl_desc_codec *c = &m->codecs.at[k];
            if (!n->pt[c->pt].codec) {
                n->pt[c->pt].in = m;
                n->pt[c->pt].codec = c;
            }
        }
        for (size_t k = 0; k < m->exts.n; k++) {
            const pl_desc_ext *e = &m->exts.at[k];
            if (e->id < sizeof n->ext / sizeof *n->ext && !n->ext[e->id])
                n->ext[e->id] = e->uri;
        }
    }
}

/* The payload type this codec has already, else its usual one if that is free, else any free one of the
 * dynamic range and, when that is full, of 35..63 (64..95 would be taken for RTCP, RFC 5761 4). */
static int pick_pt(const pl_jsep_numbers *n, const pl_desc_media *in, const pl_desc_codec *c)
{
    for (int pt = 0; pt < 128; pt++) {
        if (n->pt[pt].codec && n->pt[pt].in->kind == in->kind &&
            pl_desc_codec_same(n->pt[pt].in, n->pt[pt].codec, in, c))
            return pt;
    }
    if (!n->pt[c->pt].codec)
        return c->pt;
    for (int pt = 96; pt < 128; pt++) {
        if (!n->pt[pt].codec)
            return pt;
    }
    for (int pt = 35; pt < 64; pt++) {
        if (!n->pt[pt].codec)
            return pt;
    }
    return -1;
}

static void put_codecs(pl_desc *d, pl_desc_media *m, const pl_desc_media *ours, pl_jsep_numbers *n)
{
    int now[128];
    memset(now, -1, sizeof now);
    for (size_t i = 0; i < ours->codecs.n; i++) {
        const pl_desc_codec *c = &ours->codecs.at[i];
        int base = pl_desc_codec_base(c); /* of rtx and red: stands before them in the configuration */
        if ((base >= 0 && now[base] < 0) || (base < 0 && pl_desc_codec_is_rtx(c)))
            continue;
        int pt = pick_pt(n, ours, c);
        pl_desc_codec *to = pt < 0 || pl_desc_codec_of_pt(m, pt) ? NULL : pl_desc_add_codec(d, m);
        if (!to)
            continue;
        *to = *c;
        to->pt = (uint8_t)pt;
        to->name = pl_desc_textz(d, c->name);
        to->fmtp = pl_desc_textz(d, c->fmtp);
        if (pl_desc_codec_is_rtx(c)) {
            to->apt = (int16_t)now[base];
        } else if (base >= 0) {
            char both[16];
            snprintf(both, sizeof both, "%d/%d", now[base], now[base]);
            to->fmtp = pl_desc_textz(d, both);
        }
        now[c->pt] = pt;
        n->pt[pt].in = m; /* stays readable: an arena keeps what a growing list leaves behind */
        n->pt[pt].codec = to;
    }
}

static int pick_ext_id(const pl_jsep_numbers *n, const pl_desc_ext *e)
{
    for (int id = 1; id < 15; id++) {
        if (n->ext[id] && strcmp(n->ext[id], e->uri) == 0)
            return id;
    }
    if (e->id >= 1 && e->id < 15 && !n->ext[e->id])
        return e->id;
    for (int id = 1; id < 15; id++) {
        if (!n->ext[id])
            return id;
    }
    return 0;
}

static void put_exts(pl_desc *d, pl_desc_media *m, const pl_desc_media *ours, pl_jsep_numbers *n)
{
    for (size_t i = 0; i < ours->exts.n; i++) {
        const pl_desc_ext *e = &ours->exts.at[i];
        int id = pick_ext_id(n, e);
        pl_desc_ext *to = id ? pl_desc_add_ext(d, m) : NULL;
        if (!to)
            continue;
        *to = *e;
        to->uri = pl_desc_textz(d, e->uri);
        to->attributes = pl_desc_textz(d, e->attributes);
        to->id = (uint16_t)id;
        n->ext[id] = to->uri;
    }
}

void pl_jsep_put_numbered(pl_desc *d, pl_desc_media *m, const pl_jsep_ours *ours, pl_jsep_numbers *n)
{
    put_codecs(d, m, &ours->m, n);
    put_exts(d, m, &ours->m, n);
}

/* --- parts of a section -----------------------------------------------------------------------------------
 */

static void put_msids(pl_desc *d, pl_desc_media *m, const pl_jsep_transceiver *t)
{
    for (size_t i = 0; i < t->n_streams || i == 0; i++) {
        pl_desc_msid *s = pl_desc_add_msid(d, m);
        if (!s)
            return;
        s->stream = pl_desc_textz(d, t->n_streams ? t->stream_id[i] : "-");
        s->track = pl_desc_textz(d, t->track_id);
    }
}

void pl_jsep_put_sender(const pl_jsep *j, pl_desc *d, pl_desc_media *m, const pl_jsep_transceiver *t)
{
    if (!pl_direction_sends((pl_direction)m->direction))
        return;
    bool rtx = false;
    for (size_t i = 0; i < m->codecs.n; i++)
        rtx = rtx || pl_desc_codec_is_rtx(&m->codecs.at[i]);
    put_msids(d, m, t);
    const uint32_t ssrc[2] = { t->ssrc, t->rtx_ssrc };
    for (int i = 0; i < (rtx ? 2 : 1); i++) {
        pl_desc_ssrc *s = pl_desc_add_ssrc(d, m, ssrc[i]);
        if (s)
            s->cname = pl_desc_textz(d, j->cname);
    }
    pl_desc_ssrc_group *g = rtx ? pl_desc_add_ssrc_group(d, m) : NULL;
    if (!g)
        return;
    g->semantics = pl_desc_textz(d, "FID");
    pl_desc_ssrc_group_add(d, g, t->ssrc);
    pl_desc_ssrc_group_add(d, g, t->rtx_ssrc);
}

void pl_jsep_put_transport(const pl_jsep *j, pl_desc *d, pl_desc_media *m, const pl_jsep_creds *creds,
                           pl_desc_setup setup)
{
    const pl_desc_media *self = &j->self->media.at[0];
    m->ufrag = pl_desc_textz(d, creds->ufrag);
    m->pwd = pl_desc_textz(d, creds->pwd);
    m->ice_options = j->conf.no_trickle ? 0 : PL_ICE_OPT_TRICKLE;
    m->setup = (uint8_t)setup;
    for (size_t i = 0; i < self->fingerprints.n; i++) {
        pl_desc_fingerprint *f = pl_desc_add_fingerprint(d, m);
        if (!f)
            return;
        f->hash = pl_desc_textz(d, self->fingerprints.at[i].hash);
        f->value = pl_desc_textz(d, self->fingerprints.at[i].value);
    }
}

void pl_jsep_put_data(const pl_jsep *j, pl_desc *d, pl_desc_media *m)
{
    (void)d;
    m->sctp_port = j->conf.sctp_port;
    m->has_max_message_size = true;
    m->max_message_size = j->conf.max_message_size == UINT64_MAX ? 0 : j->conf.max_message_size;
    if (m->proto == PL_DESC_OLD_DTLS_SCTP)
        m->sctp_streams = 65535;
}

void pl_jsep_put_rejected(pl_desc *d, const pl_desc_media *like, const char *mid)
{
    pl_desc_media from = *like; /* d may be what `like` is in */
    pl_desc_media *m = pl_desc_add_media(d, (pl_desc_kind)from.kind);
    if (!m)
        return;
    m->mid = pl_desc_textz(d, mid);
    m->kind_text = pl_desc_textz(d, from.kind_text);
    m->proto = from.proto;
    m->proto_text = pl_desc_textz(d, from.proto_text);
    m->formats = pl_desc_textz(d, from.formats);
    m->port = 0;
    m->direction = PL_INACTIVE;
    if (pl_desc_is_data(m))
        m->sctp_port = from.sctp_port ? from.sctp_port : 5000;
    /* A section needs one format at least (RFC 8866 9); which one says nothing, but rtx cannot stand alone.
     */
    size_t first = 0;
    while (first < from.codecs.n && pl_desc_codec_is_rtx(&from.codecs.at[first]))
        first++;
    if (first == from.codecs.n) {
        if (pl_desc_is_rtp(m) && !m->formats)
            m->formats = pl_desc_textz(d, "127");
        return;
    }
    pl_desc_codec *c = pl_desc_add_codec(d, m);
    if (!c)
        return;
    *c = from.codecs.at[first];
    c->name = pl_desc_textz(d, c->name);
    c->fmtp = NULL;
    c->feedback = 0;
}

/* --- beginning and end ------------------------------------------------------------------------------------
 */

pl_err pl_jsep_begin(const pl_jsep *j, pl_desc **out)
{
    pl_err err = pl_desc_new(out);
    if (err)
        return err;
    (*out)->session_id = j->session_id;
    (*out)->session_version = j->version;
    (*out)->ice_lite = j->conf.ice_lite;
    (*out)->msid_semantic = pl_desc_textz(*out, "WMS *");
    return PL_OK;
}

void pl_jsep_put_candidates(const pl_jsep *j, pl_desc *d)
{
    int at = pl_jsep_tagged(d);
    pl_desc_media *m = at < 0 ? NULL : &d->media.at[at];
    const pl_desc *const source[] = { j->pending_local, j->current_local, j->spare };
    for (size_t i = 0; m && m->ufrag && i < sizeof source / sizeof *source; i++) {
        for (size_t k = 0; source[i] && k < source[i]->media.n; k++) {
            const pl_desc_media *s = &source[i]->media.at[k];
            if (!s->ufrag || strcmp(s->ufrag, m->ufrag) != 0)
                continue;
            for (size_t n = 0; n < s->candidates.n; n++)
                pl_desc_add_candidate(d, m, pl_str_of(s->candidates.at[n]));
            m->end_of_candidates = m->end_of_candidates || s->end_of_candidates;
        }
    }
}

pl_err pl_jsep_finish(pl_jsep *j, pl_desc *d, pl_desc **out)
{
    /* RFC 9429 5.2.2: the version grows with every change, and only then. */
    for (size_t i = 0; i < d->media.n; i++)
        d->media.at[i].extmap_allow_mixed = d->media.at[i].extmap_allow_mixed || d->extmap_allow_mixed;
    pl_jsep_put_candidates(j, d);
    if (!j->current_local || !pl_desc_eq_but_candidates(d, j->current_local))
        d->session_version = j->version + 1;
    pl_err err = pl_desc_copy(out, d);
    pl_desc_free(d);
    return err;
}
