/* The attributes: one small function each, found by name. */
#include <stdio.h>
#include <stdlib.h>

#include "sdp/reader.h"

/* The section the attribute belongs to, or what stands for the session. */
static pl_desc_media *place(pl_sdp_reader *r)
{
    return r->m ? r->m : &r->session;
}

static int shown(pl_str s)
{
    return s.n > 24 ? 24 : (int)s.n;
}

/* --- session ----------------------------------------------------------------------------------------------
 */

static pl_err on_group(pl_sdp_reader *r, pl_str v)
{
    pl_str semantics = pl_sdp_word(&v);
    if (r->m || !semantics.n)
        return PL_OK;
    pl_desc_group *g = pl_desc_add_group(r->d, "");
    if (!g)
        return pl_desc_err(r->d);
    g->semantics = pl_desc_text(r->d, semantics);
    for (pl_str mid; (mid = pl_sdp_word(&v)).n;) {
        char z[PL_DESC_MID_MAX + 1];
        if (!pl_str_copy(mid, z, sizeof z))
            return pl_sdp_fail(r, PL_EPROTO, "mid longer than %d characters", PL_DESC_MID_MAX);
        if (!pl_desc_group_add(r->d, g, z))
            return pl_desc_err(r->d);
    }
    return PL_OK;
}

static pl_err on_ice_lite(pl_sdp_reader *r, pl_str v)
{
    (void)v;
    r->d->ice_lite = true;
    return PL_OK;
}

static pl_err on_msid_semantic(pl_sdp_reader *r, pl_str v)
{
    v = pl_str_trim(v);
    if (!r->m && v.n)
        r->d->msid_semantic = pl_desc_text(r->d, v);
    return PL_OK;
}

static pl_err on_extmap_allow_mixed(pl_sdp_reader *r, pl_str v)
{
    (void)v;
    if (!r->m)
        r->d->extmap_allow_mixed = true;
    place(r)->extmap_allow_mixed = true;
    return PL_OK;
}

/* --- transport --------------------------------------------------------------------------------------------
 */

static pl_err read_token(pl_sdp_reader *r, pl_str v, size_t max, const char **out)
{
    pl_str word = pl_sdp_word(&v);
    if (!word.n || word.n > max || pl_sdp_word(&v).n)
        return pl_sdp_fail(r, PL_EPROTO, "needs one word of at most %zu characters", max);
    *out = pl_desc_text(r->d, word);
    return PL_OK;
}

static pl_err on_ice_ufrag(pl_sdp_reader *r, pl_str v)
{
    return read_token(r, v, PL_DESC_UFRAG_MAX, &place(r)->ufrag);
}

static pl_err on_ice_pwd(pl_sdp_reader *r, pl_str v)
{
    return read_token(r, v, PL_DESC_UFRAG_MAX, &place(r)->pwd);
}

static pl_err on_ice_options(pl_sdp_reader *r, pl_str v)
{
    for (pl_str word; (word = pl_sdp_word(&v)).n;) {
        if (pl_str_is(word, "trickle"))
            place(r)->ice_options |= PL_ICE_OPT_TRICKLE;
        else if (pl_str_is(word, "ice2"))
            place(r)->ice_options |= PL_ICE_OPT_ICE2;
        else if (pl_str_is(word, "renomination"))
            place(r)->ice_options |= PL_ICE_OPT_RENOMINATION;
    }
    return PL_OK;
}

static pl_err on_candidate(pl_sdp_reader *r, pl_str v)
{
    char line[PL_DESC_TEXT_MAX + 1];
    v = pl_str_trim(v);
    if (!r->m || !v.n)
        return PL_OK;
    int n = snprintf(line, sizeof line, "candidate:%.*s", (int)v.n, v.p);
    if (n < 0 || (size_t)n >= sizeof line)
        return pl_sdp_fail(r, PL_ENOSPC, "candidate too long");
    return pl_desc_add_candidate(r->d, r->m, (pl_str){ line, (size_t)n }) ? PL_OK : pl_desc_err(r->d);
}

static pl_err on_end_of_candidates(pl_sdp_reader *r, pl_str v)
{
    (void)v;
    place(r)->end_of_candidates = true;
    return PL_OK;
}

static bool is_hex_list(pl_str v)
{
    for (size_t i = 0; i < v.n; i++) {
        char c = v.p[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (i % 3 == 2 ? c != ':' : !hex)
            return false;
    }
    return v.n % 3 == 2;
}

/* hash name in lower case, value in upper case, so that two texts of one fingerprint are equal */
static pl_err on_fingerprint(pl_sdp_reader *r, pl_str v)
{
    char name[24], hex[256];
    pl_str hash = pl_sdp_word(&v), value = pl_sdp_word(&v);
    if (!hash.n || !pl_str_copy(hash, name, sizeof name) || !pl_str_copy(value, hex, sizeof hex) ||
        !is_hex_list(value))
        return pl_sdp_fail(r, PL_EPROTO, "fingerprint is not a hash name and pairs of hexadecimal digits");
    for (char *c = name; *c; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
    for (char *c = hex; *c; c++)
        *c = (char)(*c >= 'a' && *c <= 'f' ? *c - 32 : *c);
    pl_desc_fingerprint *f = pl_desc_add_fingerprint(r->d, place(r));
    if (!f)
        return pl_desc_err(r->d);
    f->hash = pl_desc_textz(r->d, name);
    f->value = pl_desc_textz(r->d, hex);
    return PL_OK;
}

static pl_err on_setup(pl_sdp_reader *r, pl_str v)
{
    v = pl_str_trim(v);
    for (int s = PL_DESC_SETUP_ACTPASS; s <= PL_DESC_SETUP_HOLDCONN; s++) {
        if (pl_str_is(v, pl_desc_setup_str((pl_desc_setup)s))) {
            place(r)->setup = (uint8_t)s;
            return PL_OK;
        }
    }
    return pl_sdp_fail(r, PL_EPROTO, "setup \"%.*s\" is unknown", shown(v), v.p);
}

/* --- data -------------------------------------------------------------------------------------------------
 */

static pl_err on_sctp_port(pl_sdp_reader *r, pl_str v)
{
    uint64_t n;
    if (!r->m)
        return PL_OK;
    if (!pl_str_u64(pl_str_trim(v), 65535, &n) || n == 0)
        return pl_sdp_fail(r, PL_EPROTO, "sctp-port is not 1 to 65535");
    r->m->sctp_port = (uint16_t)n;
    return PL_OK;
}

static pl_err on_max_message_size(pl_sdp_reader *r, pl_str v)
{
    uint64_t n;
    if (!r->m)
        return PL_OK;
    if (!pl_str_u64(pl_str_trim(v), UINT64_MAX, &n))
        return pl_sdp_fail(r, PL_EPROTO, "max-message-size is no number");
    r->m->has_max_message_size = true;
    r->m->max_message_size = n;
    return PL_OK;
}

static pl_err on_sctpmap(pl_sdp_reader *r, pl_str v)
{
    uint64_t n;
    (void)pl_sdp_word(&v); /* port: of the m= line */
    (void)pl_sdp_word(&v); /* webrtc-datachannel */
    if (r->m && pl_str_u64(pl_sdp_word(&v), 65535, &n))
        r->m->sctp_streams = (uint16_t)n;
    return PL_OK;
}

/* --- RTP --------------------------------------------------------------------------------------------------
 */

/* The codec an attribute names by payload type; NULL: none that the m= line lists. */
static pl_desc_codec *codec_of(pl_sdp_reader *r, pl_str *v)
{
    uint64_t pt;
    if (!r->m || !pl_str_u64(pl_sdp_word(v), 127, &pt))
        return NULL;
    for (size_t i = 0; i < r->m->codecs.n; i++) {
        if (r->m->codecs.at[i].pt == pt)
            return &r->m->codecs.at[i];
    }
    return NULL;
}

static pl_err on_rtpmap(pl_sdp_reader *r, pl_str v)
{
    pl_desc_codec *c = codec_of(r, &v);
    if (!c)
        return PL_OK;
    uint64_t clock, channels = 1;
    pl_str rest = pl_sdp_word(&v);
    pl_str name = pl_str_cut(&rest, '/'), rate = pl_str_cut(&rest, '/');
    if (!name.n || !pl_str_u64(rate, UINT32_MAX, &clock) || !clock ||
        (rest.p && (!pl_str_u64(rest, 255, &channels) || !channels)))
        return pl_sdp_fail(r, PL_EPROTO, "rtpmap is not name/clock or name/clock/channels");
    c->name = pl_desc_text(r->d, name);
    c->clock_hz = (uint32_t)clock;
    c->channels = (uint8_t)channels;
    return PL_OK;
}

static pl_err on_fmtp(pl_sdp_reader *r, pl_str v)
{
    pl_desc_codec *c = codec_of(r, &v);
    v = pl_str_trim(v);
    if (!c || !v.n)
        return PL_OK;
    if (!c->fmtp) {
        c->fmtp = pl_desc_text(r->d, v);
        return PL_OK;
    }
    pl_buf both = pl_buf_init(PL_DESC_TEXT_MAX); /* further lines of one payload type add to the first */
    pl_buf_addf(&both, "%s;%.*s", c->fmtp, (int)v.n, v.p);
    bool bad = both.bad;
    c->fmtp = bad ? c->fmtp : pl_desc_textz(r->d, pl_buf_z(&both));
    pl_buf_clear(&both);
    return bad ? pl_sdp_fail(r, PL_ENOSPC, "fmtp too long") : PL_OK;
}

static uint16_t feedback_bit(pl_str v)
{
    char text[32] = "";
    size_t n = 0;
    for (pl_str word; (word = pl_sdp_word(&v)).n;) {
        if (n + word.n + 2 > sizeof text)
            return 0;
        if (n)
            text[n++] = ' ';
        memcpy(text + n, word.p, word.n);
        n += word.n;
        text[n] = 0;
    }
    for (int bit = 0; bit < PL_FB_N; bit++) {
        if (strcmp(text, pl_desc_feedback_str(bit)) == 0)
            return (uint16_t)(1 << bit);
    }
    return 0;
}

static pl_err on_rtcp_fb(pl_sdp_reader *r, pl_str v)
{
    pl_str all = v;
    if (pl_str_is(pl_sdp_word(&all), "*")) {
        r->feedback_for_all |= feedback_bit(all);
        return PL_OK;
    }
    pl_desc_codec *c = codec_of(r, &v);
    if (c)
        c->feedback |= feedback_bit(v);
    return PL_OK;
}

static bool direction_of(pl_str v, uint8_t *out)
{
    for (int d = PL_SENDRECV; d < PL_STOPPED; d++) {
        if (pl_str_is(v, pl_desc_direction_str((uint8_t)d))) {
            *out = (uint8_t)d;
            return true;
        }
    }
    return false;
}

static pl_err on_extmap(pl_sdp_reader *r, pl_str v)
{
    uint64_t id;
    uint8_t direction = PL_SENDRECV;
    pl_str way = pl_sdp_word(&v), number = pl_str_cut(&way, '/'), uri = pl_sdp_word(&v);
    if (!pl_str_u64(number, 65535, &id) || !id || !uri.n || (way.p && !direction_of(way, &direction)))
        return pl_sdp_fail(r, PL_EPROTO, "extmap is not a number and a URI");
    pl_desc_ext *e = pl_desc_add_ext(r->d, place(r));
    if (!e)
        return pl_desc_err(r->d);
    v = pl_str_trim(v);
    e->id = (uint16_t)id;
    e->direction = direction;
    e->uri = pl_desc_text(r->d, uri);
    e->attributes = v.n ? pl_desc_text(r->d, v) : NULL;
    return PL_OK;
}

static void read_msid(pl_sdp_reader *r, pl_str v, const char **stream, const char **track)
{
    pl_str s = pl_sdp_word(&v), t = pl_sdp_word(&v);
    *stream = s.n ? pl_desc_text(r->d, s) : NULL;
    *track = t.n ? pl_desc_text(r->d, t) : NULL;
}

static pl_err on_msid(pl_sdp_reader *r, pl_str v)
{
    if (!r->m || !pl_str_trim(v).n)
        return PL_OK;
    pl_desc_msid *s = pl_desc_add_msid(r->d, r->m);
    if (!s)
        return pl_desc_err(r->d);
    read_msid(r, v, &s->stream, &s->track);
    return PL_OK;
}

static pl_err on_ssrc(pl_sdp_reader *r, pl_str v)
{
    uint64_t ssrc;
    if (!r->m)
        return PL_OK;
    if (!pl_str_u64(pl_sdp_word(&v), UINT32_MAX, &ssrc))
        return pl_sdp_fail(r, PL_EPROTO, "SSRC is not a number of 32 bits");
    pl_desc_ssrc *s = pl_desc_add_ssrc(r->d, r->m, (uint32_t)ssrc);
    if (!s)
        return pl_desc_err(r->d);
    v = pl_str_trim(v);
    pl_str name = pl_str_cut(&v, ':');
    v = v.p ? pl_str_trim(v) : PL_STR("");
    if (v.n && pl_str_is(name, "cname"))
        s->cname = pl_desc_text(r->d, v);
    else if (v.n && pl_str_is(name, "msid"))
        read_msid(r, v, &s->stream, &s->track);
    return PL_OK;
}

static pl_err on_ssrc_group(pl_sdp_reader *r, pl_str v)
{
    pl_str semantics = pl_sdp_word(&v);
    if (!r->m || !semantics.n)
        return PL_OK;
    pl_desc_ssrc_group *g = pl_desc_add_ssrc_group(r->d, r->m);
    if (!g)
        return pl_desc_err(r->d);
    g->semantics = pl_desc_text(r->d, semantics);
    for (pl_str word; (word = pl_sdp_word(&v)).n;) {
        uint64_t ssrc;
        if (!pl_str_u64(word, UINT32_MAX, &ssrc))
            return pl_sdp_fail(r, PL_EPROTO, "SSRC is not a number of 32 bits");
        if (!pl_desc_ssrc_group_add(r->d, g, (uint32_t)ssrc))
            return pl_desc_err(r->d);
    }
    return PL_OK;
}

static pl_err on_rid(pl_sdp_reader *r, pl_str v)
{
    pl_str id = pl_sdp_word(&v), way = pl_sdp_word(&v);
    if (!r->m)
        return PL_OK;
    if (!id.n || (!pl_str_is(way, "send") && !pl_str_is(way, "recv")))
        return pl_sdp_fail(r, PL_EPROTO, "rid is not an id and send or recv");
    pl_desc_rid *rid = pl_desc_add_rid(r->d, r->m);
    if (!rid)
        return pl_desc_err(r->d);
    v = pl_str_trim(v);
    rid->id = pl_desc_text(r->d, id);
    rid->send = pl_str_is(way, "send");
    rid->params = v.n ? pl_desc_text(r->d, v) : NULL;
    return PL_OK;
}

/* "1,~2;3": layers between ";", alternatives of one between "," (RFC 8853 5.1). */
static pl_err read_layers(pl_sdp_reader *r, pl_str list, bool send)
{
    while (list.p) {
        pl_str layer = pl_str_cut(&list, ';');
        for (bool alternative = false; layer.p; alternative = true) {
            pl_str id = pl_str_cut(&layer, ',');
            bool paused = id.n && id.p[0] == '~';
            if (paused)
                id = (pl_str){ id.p + 1, id.n - 1 };
            if (!id.n)
                return pl_sdp_fail(r, PL_EPROTO, "simulcast names an empty rid");
            pl_desc_layer *l = pl_desc_add_layer(r->d, r->m, send);
            if (!l)
                return pl_desc_err(r->d);
            l->rid = pl_desc_text(r->d, id);
            l->paused = paused;
            l->alternative = alternative;
        }
    }
    return PL_OK;
}

static pl_err on_simulcast(pl_sdp_reader *r, pl_str v)
{
    for (pl_str way; r->m && (way = pl_sdp_word(&v)).n;) {
        pl_str list = pl_sdp_word(&v);
        bool send = pl_str_is(way, "send");
        if ((!send && !pl_str_is(way, "recv")) || (send ? r->m->simulcast_send.n : r->m->simulcast_recv.n))
            return PL_OK; /* an early draft's form: no simulcast then */
        pl_err err = read_layers(r, list, send);
        if (err)
            return err;
    }
    return PL_OK;
}

/* --- section ----------------------------------------------------------------------------------------------
 */

static pl_err on_mid(pl_sdp_reader *r, pl_str v)
{
    return r->m ? read_token(r, v, PL_DESC_MID_MAX, &r->m->mid) : PL_OK;
}

static pl_err on_rtcp(pl_sdp_reader *r, pl_str v)
{
    uint64_t port;
    if (r->m && pl_str_u64(pl_sdp_word(&v), 65535, &port))
        r->m->rtcp_port = (uint16_t)port;
    return PL_OK;
}

static pl_err on_ptime(pl_sdp_reader *r, pl_str v)
{
    uint64_t ms;
    if (r->m && pl_str_u64(pl_str_trim(v), 65535, &ms))
        r->m->ptime_ms = (uint16_t)ms;
    return PL_OK;
}

static pl_err on_maxptime(pl_sdp_reader *r, pl_str v)
{
    uint64_t ms;
    if (r->m && pl_str_u64(pl_str_trim(v), 65535, &ms))
        r->m->maxptime_ms = (uint16_t)ms;
    return PL_OK;
}

static pl_err on_rtcp_mux(pl_sdp_reader *r, pl_str v)
{
    (void)v;
    place(r)->rtcp_mux = true;
    return PL_OK;
}

static pl_err on_rtcp_rsize(pl_sdp_reader *r, pl_str v)
{
    (void)v;
    place(r)->rtcp_rsize = true;
    return PL_OK;
}

static pl_err on_bundle_only(pl_sdp_reader *r, pl_str v)
{
    (void)v;
    place(r)->bundle_only = true;
    return PL_OK;
}

static const struct {
    const char *name;
    pl_err (*read)(pl_sdp_reader *r, pl_str value);
} attribute[] = {
    { "rtpmap", on_rtpmap },
    { "fmtp", on_fmtp },
    { "rtcp-fb", on_rtcp_fb },
    { "extmap", on_extmap },
    { "ssrc", on_ssrc },
    { "candidate", on_candidate },
    { "ssrc-group", on_ssrc_group },
    { "msid", on_msid },
    { "mid", on_mid },
    { "rtcp-mux", on_rtcp_mux },
    { "rtcp-rsize", on_rtcp_rsize },
    { "rtcp", on_rtcp },
    { "ice-ufrag", on_ice_ufrag },
    { "ice-pwd", on_ice_pwd },
    { "ice-options", on_ice_options },
    { "ice-lite", on_ice_lite },
    { "end-of-candidates", on_end_of_candidates },
    { "fingerprint", on_fingerprint },
    { "setup", on_setup },
    { "group", on_group },
    { "msid-semantic", on_msid_semantic },
    { "extmap-allow-mixed", on_extmap_allow_mixed },
    { "bundle-only", on_bundle_only },
    { "rid", on_rid },
    { "simulcast", on_simulcast },
    { "sctp-port", on_sctp_port },
    { "max-message-size", on_max_message_size },
    { "sctpmap", on_sctpmap },
    { "ptime", on_ptime },
    { "maxptime", on_maxptime },
};

pl_err pl_sdp_attribute(pl_sdp_reader *r, pl_str line)
{
    pl_str value = line, name = pl_str_trim(pl_str_cut(&value, ':'));
    uint8_t direction;
    if (!value.p)
        value = PL_STR("");
    if (direction_of(name, &direction)) {
        place(r)->direction = direction;
        *(r->m ? &r->has_direction : &r->session_has_direction) = true;
        return PL_OK;
    }
    for (size_t i = 0; i < sizeof attribute / sizeof *attribute; i++) {
        if (pl_str_is(name, attribute[i].name))
            return attribute[i].read(r, value);
    }
    return PL_OK;
}

/* --- the end of a section ---------------------------------------------------------------------------------
 */

/* RFC 3551 table 4 and 5: payload types that need no rtpmap. */
static const struct {
    uint8_t pt;
    const char *name;
    uint32_t clock_hz;
} static_pt[] = { { 0, "PCMU", 8000 },  { 3, "GSM", 8000 },   { 4, "G723", 8000 },
                  { 8, "PCMA", 8000 },  { 9, "G722", 8000 },  { 13, "CN", 8000 },
                  { 15, "G728", 8000 }, { 18, "G729", 8000 }, { 34, "H263", 90000 } };

static void name_static(pl_desc_codec *c)
{
    for (size_t i = 0; i < sizeof static_pt / sizeof *static_pt; i++) {
        if (static_pt[i].pt == c->pt) {
            c->name = static_pt[i].name;
            c->clock_hz = static_pt[i].clock_hz;
        }
    }
}

/* Takes apt out of the parameters of rtx (RFC 4588 8.1); what is left stays as text. */
static pl_err resolve_rtx(pl_sdp_reader *r, pl_desc_codec *c)
{
    pl_str value;
    uint64_t apt;
    if (!pl_desc_fmtp(c->fmtp, "apt", &value) || !pl_str_u64(value, 127, &apt))
        return PL_OK; /* apt stays -1 and the codec is dropped */
    pl_buf left = pl_buf_init(PL_DESC_TEXT_MAX);
    for (pl_str rest = pl_str_of(c->fmtp); rest.p;) {
        pl_str param = pl_str_trim(pl_str_cut(&rest, ';')), name = param;
        name = pl_str_trim(pl_str_cut(&name, '='));
        if (param.n && !pl_str_ieq(name, PL_STR("apt")))
            pl_buf_addf(&left, "%s%.*s", left.n ? ";" : "", (int)param.n, param.p);
    }
    c->apt = (int16_t)apt;
    c->fmtp = left.n ? pl_desc_textz(r->d, pl_buf_z(&left)) : NULL;
    bool bad = left.bad;
    pl_buf_clear(&left);
    return bad ? PL_ENOMEM : PL_OK;
}

static pl_err finish_codecs(pl_sdp_reader *r)
{
    pl_desc_media *m = r->m;
    size_t kept = 0;
    for (size_t i = 0; i < m->codecs.n; i++) {
        pl_desc_codec *c = &m->codecs.at[i];
        if (!c->name[0])
            name_static(c);
        c->feedback |= r->feedback_for_all;
        bool rtx = pl_desc_codec_is_rtx(c);
        pl_err err = rtx ? resolve_rtx(r, c) : PL_OK;
        if (err)
            return err;
        if (c->name[0] && (!rtx || c->apt >= 0))
            m->codecs.at[kept++] = *c;
    }
    m->codecs.n = (uint16_t)kept;
    if (kept == 0) /* nothing we can name, yet an answer must list something */
        m->formats = pl_desc_text(r->d, r->formats);
    return PL_OK;
}

static pl_err inherit(pl_sdp_reader *r)
{
    pl_desc_media *m = r->m;
    const pl_desc_media *s = &r->session;
    if (!m->ufrag && !m->pwd) {
        m->ufrag = s->ufrag;
        m->pwd = s->pwd;
    }
    m->ice_options |= s->ice_options;
    m->end_of_candidates = m->end_of_candidates || s->end_of_candidates;
    m->extmap_allow_mixed = m->extmap_allow_mixed || s->extmap_allow_mixed;
    if (!m->setup)
        m->setup = s->setup;
    if (!m->address)
        m->address = s->address;
    if (!r->has_direction && r->session_has_direction)
        m->direction = s->direction;
    bool own = m->fingerprints.n > 0;
    for (size_t i = 0; !own && i < s->fingerprints.n; i++) {
        pl_desc_fingerprint *f = pl_desc_add_fingerprint(r->d, m);
        if (!f)
            return pl_desc_err(r->d);
        *f = s->fingerprints.at[i];
    }
    for (size_t i = 0; pl_desc_is_rtp(m) && i < s->exts.n; i++) {
        pl_desc_ext *e = pl_desc_ext_of_uri(m, s->exts.at[i].uri) ? NULL : pl_desc_add_ext(r->d, m);
        if (e)
            *e = s->exts.at[i];
    }
    return PL_OK;
}

pl_err pl_sdp_end_section(pl_sdp_reader *r)
{
    if (!r->m)
        return PL_OK;
    pl_err err = pl_desc_is_rtp(r->m) ? finish_codecs(r) : PL_OK;
    return err ? err : inherit(r);
}
