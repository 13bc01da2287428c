/* Audio and video as XEP-0167 has them, with what 0293, 0294 and 0339 add. */
#include <stdio.h>

#include "desc/codec.h"
#include "jingle/write_internal.h"

static void set_text(pl_xml *e, const char *name, pl_str value)
{
    pl_xml_setf(e, name, "%.*s", (int)value.n, value.p);
}

static void write_feedback(const pl_desc_codec *c, pl_xml *payload)
{
    for (int bit = 0; bit < PL_FB_N; bit++) {
        if (!(c->feedback & 1u << bit))
            continue;
        pl_str subtype = pl_str_of(pl_desc_feedback_str(bit)), type = pl_str_cut(&subtype, ' ');
        pl_xml *f = pl_xml_add(payload, PL_NS_JINGLE_RTP_FB, "rtcp-fb");
        set_text(f, "type", type);
        if (subtype.n)
            set_text(f, "subtype", subtype);
    }
}

/* "a=1;b=2" of SDP, one element each. What has no name there ("111/111" of red) is a name without a value, but for
 * telephone-event, whose list of keys is called "events". */
static void write_parameters(const pl_desc_codec *c, pl_xml *payload)
{
    bool keys = pl_str_ieq(pl_str_of(c->name), PL_STR("telephone-event"));
    if (c->apt >= 0) {
        pl_xml *p = pl_xml_add(payload, NULL, "parameter");
        pl_xml_set(p, "name", "apt");
        pl_xml_set_u64(p, "value", (uint64_t)c->apt);
    }
    for (pl_str rest = pl_str_of(c->fmtp); rest.p;) {
        pl_str value = pl_str_trim(pl_str_cut(&rest, ';')), name = pl_str_trim(pl_str_cut(&value, '='));
        if (!name.n)
            continue;
        pl_xml *p = pl_xml_add(payload, NULL, "parameter");
        if (keys && !value.p) {
            value = name;
            name = PL_STR("events");
        }
        set_text(p, "name", name);
        if (value.p)
            set_text(p, "value", pl_str_trim(value));
    }
}

static void write_codec(const pl_desc_media *m, const pl_desc_codec *c, pl_xml *description)
{
    pl_xml *payload = pl_xml_add(description, NULL, "payload-type");
    pl_xml_set_u64(payload, "id", c->pt);
    pl_xml_set(payload, "name", c->name);
    pl_xml_set_u64(payload, "clockrate", c->clock_hz);
    if (c->channels > 1)
        pl_xml_set_u64(payload, "channels", c->channels);
    if (m->ptime_ms)
        pl_xml_set_u64(payload, "ptime", m->ptime_ms);
    if (m->maxptime_ms)
        pl_xml_set_u64(payload, "maxptime", m->maxptime_ms);
    write_parameters(c, payload);
    write_feedback(c, payload);
}

static void write_bandwidth(pl_xml *description, const char *type, uint32_t value)
{
    char text[16];
    snprintf(text, sizeof text, "%u", (unsigned)value);
    if (value)
        pl_xml_set(pl_xml_add_text(description, NULL, "bandwidth", text), "type", type);
}

static void write_exts(const pl_desc_media *m, pl_xml *description, const pl_jingle_write_conf *conf)
{
    for (size_t i = 0; i < m->exts.n; i++) {
        const pl_desc_ext *e = &m->exts.at[i];
        pl_xml *x = pl_xml_add(description, PL_NS_JINGLE_RTP_HDREXT, "rtp-hdrext");
        pl_xml_set_u64(x, "id", e->id);
        pl_xml_set(x, "uri", e->uri);
        pl_xml_set(x, "senders", pl_jingle_senders_from(e->direction, conf->by_initiator));
        for (pl_str rest = pl_str_of(e->attributes); rest.p;) {
            pl_str value = pl_str_cut(&rest, ' '), name = pl_str_cut(&value, '=');
            if (!name.n)
                continue;
            pl_xml *p = pl_xml_add(x, NULL, "parameter");
            set_text(p, "name", name);
            if (value.p)
                set_text(p, "value", value);
        }
    }
    if (m->extmap_allow_mixed)
        pl_xml_add(description, PL_NS_JINGLE_RTP_HDREXT, "extmap-allow-mixed");
}

static void write_source(const pl_desc_ssrc *s, pl_xml *description)
{
    pl_xml *source = pl_xml_add(description, PL_NS_JINGLE_RTP_SSMA, "source");
    pl_xml_set_u64(source, "ssrc", s->ssrc);
    if (s->cname) {
        pl_xml *p = pl_xml_add(source, NULL, "parameter");
        pl_xml_set(p, "name", "cname");
        pl_xml_set(p, "value", s->cname);
    }
    if (s->stream) {
        pl_xml *p = pl_xml_add(source, NULL, "parameter");
        pl_xml_set(p, "name", "msid");
        pl_xml_setf(p, "value", "%s%s%s", s->stream, s->track ? " " : "", s->track ? s->track : "");
    }
}

static void write_sources(const pl_desc_media *m, pl_xml *description)
{
    for (size_t i = 0; i < m->ssrc_groups.n; i++) {
        const pl_desc_ssrc_group *g = &m->ssrc_groups.at[i];
        pl_xml *group = pl_xml_add(description, PL_NS_JINGLE_RTP_SSMA, "ssrc-group");
        pl_xml_set(group, "semantics", g->semantics);
        for (size_t k = 0; k < g->ssrcs.n; k++)
            pl_xml_set_u64(pl_xml_add(group, NULL, "source"), "ssrc", g->ssrcs.at[k]);
    }
    for (size_t i = 0; i < m->ssrcs.n; i++)
        write_source(&m->ssrcs.at[i], description);
    for (size_t i = 0; i < m->msids.n; i++) {
        pl_xml *stream = pl_xml_add(description, PL_NS_JINGLE_RTP_MSID, "stream");
        pl_xml_set(stream, "id", m->msids.at[i].stream);
        pl_xml_set(stream, "track", m->msids.at[i].track);
    }
}

void pl_jingle_write_rtp(const pl_desc_media *m, pl_xml *content, const pl_jingle_write_conf *conf)
{
    pl_xml *description = pl_xml_add(content, PL_NS_JINGLE_RTP, "description");
    pl_xml_set(description, "media", m->kind == PL_DESC_VIDEO ? "video" : "audio");
    if (m->ssrcs.n)
        pl_xml_set_u64(description, "ssrc", m->ssrcs.at[0].ssrc);
    for (size_t i = 0; i < m->codecs.n; i++)
        write_codec(m, &m->codecs.at[i], description);
    write_bandwidth(description, "AS", m->bandwidth_as_kbps);
    write_bandwidth(description, "TIAS", m->bandwidth_tias_bps);
    write_exts(m, description, conf);
    write_sources(m, description);
    if (m->rtcp_mux)
        pl_xml_add(description, NULL, "rtcp-mux");
    if (m->rtcp_rsize)
        pl_xml_add(description, NULL, "rtcp-reduced-size");
}
