/* The description of audio and video: XEP-0167 with what 0293, 0294 and 0339 add to it. */
#include <stdio.h>
#include <string.h>

#include "desc/codec.h"
#include "jingle/parse_internal.h"

static pl_err malformed(pl_jingle_reader *r, const char *what)
{
    return pl_jingle_refuse(r, PL_EPROTO, PL_JINGLE_FAILED_APPLICATION, "%s is malformed", what);
}

/* --- payload types -------------------------------------------------------------------------------------------- */

static uint16_t feedback_of(const pl_xml *in)
{
    uint16_t bits = 0;
    for (const pl_xml *f = pl_xml_child(in, PL_NS_JINGLE_RTP_FB, "rtcp-fb"); f;
         f = pl_xml_next(f, PL_NS_JINGLE_RTP_FB, "rtcp-fb")) {
        const char *type = pl_xml_attr_of(f, "type"), *subtype = pl_xml_attr_of(f, "subtype");
        char text[32];
        snprintf(text, sizeof text, "%s%s%s", type ? type : "", subtype && subtype[0] ? " " : "",
                 subtype ? subtype : "");
        for (int bit = 0; bit < PL_FB_N; bit++) {
            if (strcmp(text, pl_desc_feedback_str(bit)) == 0)
                bits |= (uint16_t)(1 << bit);
        }
    }
    return bits;
}

/* One parameter as SDP writes it. Those of telephone-event have no name there (RFC 4733 2.4.1). */
static bool add_parameter(pl_buf *b, const pl_desc_codec *c, const char *name, const char *value)
{
    bool has_name = name && name[0], has_value = value && value[0];
    if ((has_name && !pl_jingle_is_plain(name)) || (has_value && !pl_jingle_is_plain(value)))
        return false;
    if (has_name && strcmp(name, "events") == 0 && pl_str_ieq(pl_str_of(c->name), PL_STR("telephone-event")))
        has_name = false;
    if (has_name || has_value)
        pl_buf_addf(b, "%s%s%s%s", b->n ? ";" : "", has_name ? name : "", has_name && has_value ? "=" : "",
                    has_value ? value : "");
    return true;
}

static pl_err read_parameters(pl_jingle_reader *r, pl_desc_codec *c, const pl_xml *in)
{
    pl_buf b = pl_buf_init(PL_DESC_TEXT_MAX);
    bool rtx = pl_desc_codec_is_rtx(c), fine = true;
    for (const pl_xml *p = pl_xml_child(in, PL_NS_JINGLE_RTP, "parameter"); p && fine;
         p = pl_xml_next(p, PL_NS_JINGLE_RTP, "parameter")) {
        uint64_t apt;
        if (rtx && pl_xml_attr_is(p, "name", "apt") && pl_xml_attr_u64(p, "value", 127, &apt))
            c->apt = (int16_t)apt;
        else
            fine = add_parameter(&b, c, pl_xml_attr_of(p, "name"), pl_xml_attr_of(p, "value"));
    }
    if (b.n && fine)
        c->fmtp = pl_desc_textz(r->d, pl_buf_z(&b));
    bool bad = b.bad;
    pl_buf_clear(&b);
    return !fine ? malformed(r, "a parameter") : bad ? PL_ENOSPC : PL_OK;
}

/* RFC 3551: payload types whose name may be left out. */
static const struct {
    uint8_t pt;
    const char *name;
} static_pt[] = { { 0, "PCMU" }, { 3, "GSM" }, { 8, "PCMA" }, { 9, "G722" }, { 13, "CN" }, { 18, "G729" } };

static const char *name_of(const pl_xml *payload, uint64_t pt)
{
    const char *name = pl_xml_attr_of(payload, "name");
    for (size_t i = 0; !name && i < sizeof static_pt / sizeof *static_pt; i++) {
        if (static_pt[i].pt == pt)
            name = static_pt[i].name;
    }
    return name;
}

static void read_ptime(pl_desc_media *m, const pl_xml *payload)
{
    uint64_t ms;
    if (!m->ptime_ms && pl_xml_attr_u64(payload, "ptime", 65535, &ms))
        m->ptime_ms = (uint16_t)ms;
    if (!m->maxptime_ms && pl_xml_attr_u64(payload, "maxptime", 65535, &ms))
        m->maxptime_ms = (uint16_t)ms;
}

static pl_err read_payload(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *payload, uint16_t for_all)
{
    uint64_t pt, clock = m->kind == PL_DESC_VIDEO ? 90000 : 8000, channels = 1;
    if (!pl_xml_attr_u64(payload, "id", 127, &pt))
        return malformed(r, "a payload type's id");
    const char *name = name_of(payload, pt), *rate = pl_xml_attr_of(payload, "clockrate");
    if ((rate && !pl_xml_attr_u64(payload, "clockrate", UINT32_MAX, &clock)) || !clock)
        return malformed(r, "a clock rate");
    if (pl_xml_attr_of(payload, "channels") &&
        (!pl_xml_attr_u64(payload, "channels", 255, &channels) || !channels))
        return malformed(r, "a number of channels");
    if (name && (!pl_jingle_is_token(name) || strchr(name, '/')))
        return malformed(r, "a codec's name");
    if (!name || pl_desc_codec_of_pt(m, (int)pt))
        return PL_OK; /* nothing anybody could mean, or said already */
    pl_desc_codec *c = pl_desc_add_codec(r->d, m);
    if (!c)
        return pl_desc_err(r->d);
    *c = (pl_desc_codec){ .name = pl_desc_textz(r->d, name),
                          .pt = (uint8_t)pt,
                          .clock_hz = (uint32_t)clock,
                          .channels = (uint8_t)channels,
                          .apt = -1,
                          .feedback = (uint16_t)(for_all | feedback_of(payload)) };
    read_ptime(m, payload);
    pl_err err = read_parameters(r, c, payload);
    if (!err && pl_desc_codec_is_rtx(c) && c->apt < 0)
        m->codecs.n--; /* repeats nothing */
    return err;
}

/* --- the rest ------------------------------------------------------------------------------------------------- */

static pl_err read_bandwidth(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *description)
{
    for (const pl_xml *b = pl_xml_child(description, PL_NS_JINGLE_RTP, "bandwidth"); b;
         b = pl_xml_next(b, PL_NS_JINGLE_RTP, "bandwidth")) {
        uint64_t n;
        if (!pl_str_u64(pl_str_trim(pl_str_of(b->text)), UINT32_MAX, &n))
            return malformed(r, "a bandwidth");
        if (pl_xml_attr_is(b, "type", "AS"))
            m->bandwidth_as_kbps = (uint32_t)n;
        else if (pl_xml_attr_is(b, "type", "TIAS"))
            m->bandwidth_tias_bps = (uint32_t)n;
    }
    return PL_OK;
}

static pl_err read_ext(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *hdrext)
{
    uint64_t id;
    pl_jingle_senders senders;
    const char *uri = pl_xml_attr_of(hdrext, "uri");
    const pl_xml *p = pl_xml_child(hdrext, PL_NS_JINGLE_RTP_HDREXT, "parameter");
    if (!pl_xml_attr_u64(hdrext, "id", 65535, &id) || !id || !pl_jingle_is_token(uri) ||
        !pl_jingle_senders_of(pl_xml_attr_of(hdrext, "senders"), &senders))
        return malformed(r, "a header extension");
    pl_desc_ext *e = pl_desc_add_ext(r->d, m);
    if (!e)
        return pl_desc_err(r->d);
    e->id = (uint16_t)id;
    e->uri = pl_desc_textz(r->d, uri);
    e->direction = pl_jingle_direction_of(senders, r->conf->by_initiator);
    pl_buf b = pl_buf_init(PL_DESC_TEXT_MAX);
    bool fine = true;
    for (; p && fine; p = pl_xml_next(p, PL_NS_JINGLE_RTP_HDREXT, "parameter")) {
        const char *name = pl_xml_attr_of(p, "name"), *value = pl_xml_attr_of(p, "value");
        fine = pl_jingle_is_plain(name) && (!value || !value[0] || pl_jingle_is_plain(value));
        if (fine)
            pl_buf_addf(&b, "%s%s%s%s", b.n ? " " : "", name, value && value[0] ? "=" : "",
                        value ? value : "");
    }
    if (fine && b.n)
        e->attributes = pl_desc_textz(r->d, pl_buf_z(&b));
    bool bad = b.bad;
    pl_buf_clear(&b);
    return !fine ? malformed(r, "a header extension") : bad ? PL_ENOSPC : PL_OK;
}

/* "stream track", as RFC 8830 has it. */
static void read_msid(pl_jingle_reader *r, pl_desc_ssrc *s, const char *value)
{
    pl_str rest = pl_str_of(value), stream = pl_str_cut(&rest, ' ');
    s->stream = stream.n ? pl_desc_text(r->d, stream) : NULL;
    rest = rest.p ? pl_str_trim(rest) : PL_STR("");
    s->track = stream.n && rest.n && !memchr(rest.p, ' ', rest.n) ? pl_desc_text(r->d, rest) : NULL;
}

static pl_err read_source(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *source)
{
    uint64_t ssrc;
    if (!pl_xml_attr_u64(source, "ssrc", UINT32_MAX, &ssrc))
        return malformed(r, "a source");
    pl_desc_ssrc *s = pl_desc_add_ssrc(r->d, m, (uint32_t)ssrc);
    if (!s)
        return pl_desc_err(r->d);
    for (const pl_xml *p = pl_xml_child(source, PL_NS_JINGLE_RTP_SSMA, "parameter"); p;
         p = pl_xml_next(p, PL_NS_JINGLE_RTP_SSMA, "parameter")) {
        const char *value = pl_xml_attr_of(p, "value");
        if (!pl_jingle_is_plain(value))
            continue;
        if (pl_xml_attr_is(p, "name", "cname"))
            s->cname = pl_desc_textz(r->d, value);
        else if (pl_xml_attr_is(p, "name", "msid"))
            read_msid(r, s, value);
    }
    return PL_OK;
}

static pl_err read_source_group(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *group)
{
    const char *semantics = pl_xml_attr_of(group, "semantics");
    if (!pl_jingle_is_token(semantics))
        return malformed(r, "a group of sources");
    pl_desc_ssrc_group *g = pl_desc_add_ssrc_group(r->d, m);
    if (!g)
        return pl_desc_err(r->d);
    g->semantics = pl_desc_textz(r->d, semantics);
    for (const pl_xml *s = pl_xml_child(group, PL_NS_JINGLE_RTP_SSMA, "source"); s;
         s = pl_xml_next(s, PL_NS_JINGLE_RTP_SSMA, "source")) {
        uint64_t ssrc;
        if (!pl_xml_attr_u64(s, "ssrc", UINT32_MAX, &ssrc))
            return malformed(r, "a group of sources");
        if (!pl_desc_ssrc_group_add(r->d, g, (uint32_t)ssrc))
            return pl_desc_err(r->d);
    }
    return PL_OK;
}

static pl_err read_stream(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *stream)
{
    const char *id = pl_xml_attr_of(stream, "id"), *track = pl_xml_attr_of(stream, "track");
    if (!pl_jingle_is_token(id) || (track && track[0] && !pl_jingle_is_token(track)))
        return malformed(r, "a stream");
    pl_desc_msid *s = pl_desc_add_msid(r->d, m);
    if (!s)
        return pl_desc_err(r->d);
    s->stream = pl_desc_textz(r->d, id);
    s->track = track && track[0] ? pl_desc_textz(r->d, track) : NULL;
    return PL_OK;
}

static pl_err read_child(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *c, uint16_t for_all)
{
    if (pl_xml_is(c, PL_NS_JINGLE_RTP, "payload-type"))
        return read_payload(r, m, c, for_all);
    if (pl_xml_is(c, PL_NS_JINGLE_RTP_HDREXT, "rtp-hdrext"))
        return read_ext(r, m, c);
    if (pl_xml_is(c, PL_NS_JINGLE_RTP_SSMA, "source"))
        return read_source(r, m, c);
    if (pl_xml_is(c, PL_NS_JINGLE_RTP_SSMA, "ssrc-group"))
        return read_source_group(r, m, c);
    if (pl_xml_is(c, PL_NS_JINGLE_RTP_MSID, "stream"))
        return read_stream(r, m, c);
    return PL_OK;
}

pl_err pl_jingle_parse_rtp(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *description)
{
    uint16_t for_all = feedback_of(description);
    uint64_t ssrc;
    pl_err err = read_bandwidth(r, m, description);
    for (const pl_xml *c = description->first; c && !err; c = c->next)
        err = read_child(r, m, c, for_all);
    if (!err && m->codecs.n == 0) /* nothing that has a name: an answer must list something */
        m->formats = "0";
    if (!err && m->ssrcs.n == 0 && pl_xml_attr_u64(description, "ssrc", UINT32_MAX, &ssrc) &&
        !pl_desc_add_ssrc(r->d, m, (uint32_t)ssrc))
        err = pl_desc_err(r->d);
    m->rtcp_mux = pl_xml_child(description, PL_NS_JINGLE_RTP, "rtcp-mux") != NULL;
    m->rtcp_rsize = pl_xml_child(description, PL_NS_JINGLE_RTP, "rtcp-reduced-size") != NULL;
    m->extmap_allow_mixed = pl_xml_child(description, PL_NS_JINGLE_RTP_HDREXT, "extmap-allow-mixed") != NULL;
    return err;
}
