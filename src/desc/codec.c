#include "desc/codec.h"

static const char *const ext_uri[PL_DESC_EXT_KINDS] = {
    [PL_DESC_EXT_MID] = "urn:ietf:params:rtp-hdrext:sdes:mid",
    [PL_DESC_EXT_ABS_SEND_TIME] = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    [PL_DESC_EXT_TRANSPORT_CC] = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    [PL_DESC_EXT_AUDIO_LEVEL] = "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    [PL_DESC_EXT_RID] = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    [PL_DESC_EXT_RRID] = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
};

const char *pl_desc_ext_uri(pl_desc_ext_kind kind)
{
    return (size_t)kind < PL_DESC_EXT_KINDS ? ext_uri[kind] : "";
}

pl_desc_ext_kind pl_desc_ext_of(const char *uri)
{
    for (int k = 0; k < PL_DESC_EXT_KINDS; k++) {
        if (strcmp(uri, ext_uri[k]) == 0)
            return (pl_desc_ext_kind)k;
    }
    return PL_DESC_EXT_KINDS;
}

bool pl_desc_fmtp(const char *fmtp, const char *name, pl_str *value)
{
    for (pl_str rest = pl_str_of(fmtp); rest.p;) {
        pl_str param = pl_str_trim(pl_str_cut(&rest, ';'));
        pl_str key = pl_str_trim(pl_str_cut(&param, '='));
        if (pl_str_ieq(key, pl_str_of(name))) {
            *value = param.p ? pl_str_trim(param) : PL_STR("");
            return true;
        }
    }
    return false;
}

static bool is_named(const pl_desc_codec *c, const char *name)
{
    return pl_str_ieq(pl_str_of(c->name), pl_str_of(name));
}

bool pl_desc_codec_is_rtx(const pl_desc_codec *c)
{
    return is_named(c, "rtx");
}

bool pl_desc_codec_is_helper(const pl_desc_codec *c)
{
    static const char *const helper[] = { "rtx",        "red", "ulpfec",         "flexfec",
                                          "flexfec-03", "CN",  "telephone-event" };
    for (size_t i = 0; i < sizeof helper / sizeof *helper; i++) {
        if (is_named(c, helper[i]))
            return true;
    }
    return false;
}

/* --- H.264 ------------------------------------------------------------------------------------------------
 */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* RFC 6184 table 5, and High and Constrained High of H.264 A.2.4: profile_idc, the bits of profile-iop that
 * matter, what they must be. The first row that fits. */
static const struct {
    uint8_t idc, mask, value, profile;
} h264_row[] = {
    { 0x42, 0x4f, 0x40, PL_H264_CONSTRAINED_BASELINE },
    { 0x4d, 0x8f, 0x80, PL_H264_CONSTRAINED_BASELINE },
    { 0x58, 0xcf, 0xc0, PL_H264_CONSTRAINED_BASELINE },
    { 0x42, 0x4f, 0x00, PL_H264_BASELINE },
    { 0x58, 0xcf, 0x80, PL_H264_BASELINE },
    { 0x4d, 0xaf, 0x00, PL_H264_MAIN },
    { 0x64, 0xff, 0x0c, PL_H264_CONSTRAINED_HIGH },
    { 0x64, 0xff, 0x00, PL_H264_HIGH },
};

bool pl_h264_profile_parse(pl_str text, pl_h264_profile *out)
{
    if (text.n == 0) {
        *out = (pl_h264_profile){ PL_H264_CONSTRAINED_BASELINE, 31 };
        return true;
    }
    uint32_t v = 0;
    for (size_t i = 0; i < text.n; i++) {
        int digit = hex(text.p[i]);
        if (text.n != 6 || digit < 0)
            return false;
        v = v << 4 | (uint32_t)digit;
    }
    uint8_t idc = (uint8_t)(v >> 16), iop = (uint8_t)(v >> 8), level = (uint8_t)v;
    bool is_1b = level == 11 && (iop & 0x10) && idc != 0x64;
    *out = (pl_h264_profile){ PL_H264_OTHER, is_1b ? 9 : level };
    for (size_t i = 0; i < sizeof h264_row / sizeof *h264_row; i++) {
        uint8_t bits = is_1b ? (uint8_t)(iop & ~0x10) : iop;
        if (h264_row[i].idc == idc && (bits & h264_row[i].mask) == h264_row[i].value) {
            out->profile = h264_row[i].profile;
            break;
        }
    }
    return true;
}

static bool h264_profile_same(const pl_desc_codec *a, const pl_desc_codec *b)
{
    pl_str x = { 0 }, y = { 0 };
    pl_h264_profile p, q;
    (void)pl_desc_fmtp(a->fmtp, "profile-level-id", &x);
    (void)pl_desc_fmtp(b->fmtp, "profile-level-id", &y);
    if (!pl_h264_profile_parse(x, &p) || !pl_h264_profile_parse(y, &q))
        return false;
    return p.profile == q.profile && p.profile != PL_H264_OTHER;
}

/* --- sameness ---------------------------------------------------------------------------------------------
 */

/* A parameter that both must have alike; absent means `otherwise`. */
static bool param_same(const pl_desc_codec *a, const pl_desc_codec *b, const char *name,
                       const char *otherwise)
{
    pl_str x = pl_str_of(otherwise), y = x;
    (void)pl_desc_fmtp(a->fmtp, name, &x);
    (void)pl_desc_fmtp(b->fmtp, name, &y);
    return pl_str_ieq(x, y);
}

static bool parameters_same(const pl_desc_codec *a, const pl_desc_codec *b)
{
    if (is_named(a, "H264"))
        return param_same(a, b, "packetization-mode", "0") && h264_profile_same(a, b);
    if (is_named(a, "VP9"))
        return param_same(a, b, "profile-id", "0");
    if (is_named(a, "AV1"))
        return param_same(a, b, "profile", "0");
    if (is_named(a, "H265"))
        return param_same(a, b, "profile-id", "1") && param_same(a, b, "tier-flag", "0");
    return true;
}

int pl_desc_codec_base(const pl_desc_codec *c)
{
    if (pl_desc_codec_is_rtx(c))
        return c->apt;
    uint64_t pt;
    pl_str rest = pl_str_of(c->fmtp);
    if (is_named(c, "red") && rest.n && pl_str_u64(pl_str_trim(pl_str_cut(&rest, '/')), 127, &pt))
        return (int)pt;
    return -1;
}

static bool plain_same(const pl_desc_codec *a, const pl_desc_codec *b)
{
    return a->clock_hz == b->clock_hz && a->channels == b->channels &&
           pl_str_ieq(pl_str_of(a->name), pl_str_of(b->name)) && parameters_same(a, b);
}

bool pl_desc_codec_same(const pl_desc_media *a_in, const pl_desc_codec *a, const pl_desc_media *b_in,
                        const pl_desc_codec *b)
{
    if (!plain_same(a, b))
        return false;
    int a_pt = pl_desc_codec_base(a), b_pt = pl_desc_codec_base(b);
    if (a_pt < 0 && b_pt < 0)
        return !pl_desc_codec_is_rtx(a);
    const pl_desc_codec *a_base = pl_desc_codec_of_pt(a_in, a_pt), *b_base = pl_desc_codec_of_pt(b_in, b_pt);
    /* One step only: rtx of red of a codec is compared as rtx of red, so that a circle cannot hold us. */
    return a_base && b_base && !pl_desc_codec_is_rtx(a_base) && plain_same(a_base, b_base);
}

const pl_desc_codec *pl_desc_codec_find(const pl_desc_media *in, const pl_desc_media *c_in,
                                        const pl_desc_codec *c)
{
    for (size_t i = 0; i < in->codecs.n; i++) {
        if (pl_desc_codec_same(in, &in->codecs.at[i], c_in, c))
            return &in->codecs.at[i];
    }
    return NULL;
}

const pl_desc_codec *pl_desc_rtx_of(const pl_desc_media *m, uint8_t pt)
{
    for (size_t i = 0; i < m->codecs.n; i++) {
        if (m->codecs.at[i].apt == pt && pl_desc_codec_is_rtx(&m->codecs.at[i]))
            return &m->codecs.at[i];
    }
    return NULL;
}
