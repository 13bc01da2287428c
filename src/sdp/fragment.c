#include "sdp/fragment.h"

#include "sdp/reader.h"

/* ---- reading ---- */

static bool has_control(pl_str line)
{
    for (size_t i = 0; i < line.n; i++) {
        if ((unsigned char)line.p[i] < ' ' && line.p[i] != '\t')
            return true;
    }
    return false;
}

static bool is_ice_text(pl_str s, size_t min, size_t max)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '+' ||
                  c == '/';
        /* Some old stacks put more into their names; what would end a line or a word may not be among it. */
        if (!ok && !strchr("-_=.:", c))
            return false;
    }
    return s.n >= min && s.n <= max;
}

/* All sections are one transport, so all say the same. */
static pl_err take_name(pl_str *name, pl_str value, size_t min)
{
    value = pl_str_trim(value);
    if (!is_ice_text(value, min, PL_DESC_UFRAG_MAX))
        return PL_EPROTO;
    if (name->n && !pl_str_eq(*name, value))
        return PL_EPROTO;
    *name = value;
    return PL_OK;
}

static pl_err take_candidate(pl_sdp_fragment *f, pl_str line)
{
    pl_str text;
    bool end;
    if (pl_sdp_candidate_line(line, &text, &end))
        return PL_EPROTO;
    if (end) {
        f->end_of_candidates = true;
        return PL_OK;
    }
    if (f->n_candidates == PL_SDP_FRAGMENT_CANDIDATES_MAX)
        return PL_ENOSPC;
    f->candidate[f->n_candidates++] = text;
    return PL_OK;
}

static pl_err take_attribute(pl_sdp_fragment *f, pl_str value, size_t n_sections)
{
    pl_str rest = value, name = pl_str_cut(&rest, ':');
    if (pl_str_is(name, "ice-ufrag"))
        return take_name(&f->ufrag, rest, 4);
    if (pl_str_is(name, "ice-pwd"))
        return take_name(&f->pwd, rest, 22);
    if (pl_str_is(name, "candidate") || pl_str_is(name, "end-of-candidates"))
        return n_sections ? take_candidate(f, value) : PL_EPROTO;
    if (pl_str_is(name, "mid") && n_sections == 1) {
        f->mid = pl_str_trim(rest);
        return f->mid.n && f->mid.n <= PL_DESC_MID_MAX ? PL_OK : PL_EPROTO;
    }
    return PL_OK;
}

static pl_err take_section(pl_sdp_fragment *f, pl_str value, size_t *n_sections)
{
    pl_str kind = pl_sdp_word(&value), port = pl_sdp_word(&value), proto = pl_sdp_word(&value);
    if (!kind.n || !port.n || !proto.n)
        return PL_EPROTO;
    if (++*n_sections > PL_SDP_FRAGMENT_SECTIONS_MAX)
        return PL_ENOSPC;
    if (*n_sections == 1)
        f->kind = kind;
    return PL_OK;
}

pl_err pl_sdp_fragment_parse(pl_sdp_fragment *out, pl_str text)
{
    size_t n_sections = 0, n_lines = 0;
    *out = (pl_sdp_fragment){ 0 };
    if (text.n > PL_SDP_FRAGMENT_MAX)
        return PL_ENOSPC;
    while (text.p && text.n) {
        pl_str line = pl_str_cut(&text, '\n');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n == 0)
            continue;
        if (line.n < 2 || line.p[1] != '=' || line.p[0] < 'a' || line.p[0] > 'z' || has_control(line))
            return PL_EPROTO;
        pl_str value = { line.p + 2, line.n - 2 };
        pl_err err = PL_OK;
        if (line.p[0] == 'm')
            err = take_section(out, value, &n_sections);
        else if (line.p[0] == 'a')
            err = take_attribute(out, value, n_sections);
        if (err)
            return err;
        n_lines++;
    }
    return n_lines ? PL_OK : PL_EPROTO;
}

/* ---- writing ---- */

static void put(pl_buf *out, const char *name, pl_str value)
{
    if (value.n)
        pl_buf_addf(out, "a=%s%.*s\r\n", name, (int)value.n, value.p);
}

void pl_sdp_fragment_write(const pl_sdp_fragment *f, pl_buf *out)
{
    put(out, "ice-ufrag:", f->ufrag);
    put(out, "ice-pwd:", f->pwd);
    if (!f->mid.n)
        return;
    pl_str kind = f->kind.n ? f->kind : PL_STR("audio");
    pl_buf_addf(out, "m=%.*s 9 UDP/TLS/RTP/SAVPF 0\r\n", (int)kind.n, kind.p);
    put(out, "mid:", f->mid);
    for (size_t i = 0; i < f->n_candidates; i++)
        put(out, "", f->candidate[i]);
    if (f->end_of_candidates)
        pl_buf_addf(out, "a=end-of-candidates\r\n");
}

/* ---- to and from descriptions ---- */

static const pl_desc_media *first_section(const pl_desc *d)
{
    for (size_t i = 0; i < d->media.n; i++) {
        if (!pl_desc_rejected(&d->media.at[i]))
            return &d->media.at[i];
    }
    return NULL;
}

void pl_sdp_fragment_of(const pl_desc *d, pl_sdp_fragment *out)
{
    static const char *const word[] = { "audio", "video", "application" };
    const pl_desc_media *m = first_section(d);
    *out = (pl_sdp_fragment){ 0 };
    if (!m)
        return;
    out->ufrag = pl_str_of(m->ufrag);
    out->pwd = pl_str_of(m->pwd);
    out->mid = pl_str_of(m->mid);
    out->kind = pl_str_of(m->kind < PL_DESC_OTHER ? word[m->kind] : "audio");
    out->end_of_candidates = m->end_of_candidates;
    for (size_t i = 0; i < m->candidates.n && out->n_candidates < PL_SDP_FRAGMENT_CANDIDATES_MAX; i++)
        out->candidate[out->n_candidates++] = pl_str_of(m->candidates.at[i]);
}

pl_err pl_sdp_fragment_apply(const pl_sdp_fragment *f, pl_desc *d)
{
    if (!f->ufrag.n || !f->pwd.n)
        return PL_EPROTO;
    bool first = true;
    for (size_t i = 0; i < d->media.n; i++) {
        pl_desc_media *m = &d->media.at[i];
        if (pl_desc_rejected(m))
            continue;
        m->ufrag = pl_desc_text(d, f->ufrag);
        m->pwd = pl_desc_text(d, f->pwd);
        m->candidates.n = 0;
        m->end_of_candidates = false;
        for (size_t k = 0; first && k < f->n_candidates; k++)
            (void)pl_desc_add_candidate(d, m, f->candidate[k]);
        m->end_of_candidates = first && f->end_of_candidates;
        first = false;
    }
    return pl_desc_err(d);
}
