/* Trickled candidates of both sides (RFC 8838, RFC 9429 3.5, W3C addIceCandidate). */
#include "desc/jsep_internal.h"

static pl_str without_prefix(pl_str text)
{
    if (pl_str_starts(text, "a="))
        text = (pl_str){ text.p + 2, text.n - 2 };
    while (text.n && (text.p[text.n - 1] == '\r' || text.p[text.n - 1] == '\n'))
        text.n--;
    return text;
}

/* The value behind "ufrag" in the extensions of a candidate (RFC 8839 5.1: name and value alternate behind
 * the six fixed fields), or an empty slice. */
static pl_str ufrag_of(pl_str candidate)
{
    pl_str rest = candidate;
    for (int i = 0; i < 6 && rest.p; i++)
        (void)pl_str_cut(&rest, ' ');
    while (rest.p) {
        pl_str name = pl_str_cut(&rest, ' ');
        pl_str value = rest.p ? pl_str_cut(&rest, ' ') : PL_STR("");
        if (pl_str_is(name, "ufrag"))
            return value;
    }
    return PL_STR("");
}

static int section_of(const pl_desc *d, const char *mid, int mline)
{
    if (mid)
        return pl_desc_find_mid(d, mid);
    return mline >= 0 && mline < d->media.n ? mline : -1;
}

static const char *ufrag_in(const pl_desc *d, int i)
{
    const pl_desc_media *m = &d->media.at[i];
    return m->ufrag ? m->ufrag : d->media.at[pl_bundle_transport_of(d, i)].ufrag;
}

static bool belongs(const pl_desc *d, int i, pl_str ufrag)
{
    const char *own = ufrag_in(d, i);
    return !pl_desc_rejected(&d->media.at[i]) && (ufrag.n == 0 || (own && pl_str_is(ufrag, own)));
}

static pl_err add_to(pl_desc *d, int i, pl_str text)
{
    pl_desc_media *m = &d->media.at[i];
    if (text.n == 0) {
        m->end_of_candidates = true;
        return PL_OK;
    }
    if (m->candidates.n >= PL_DESC_CANDIDATES_MAX || text.n > PL_DESC_TEXT_MAX)
        return PL_ENOSPC; /* asked before, so that the description does not turn bad */
    return pl_desc_add_candidate(d, m, text) ? PL_OK : pl_desc_err(d);
}

static void end_all(pl_desc *d)
{
    for (size_t i = 0; d && i < d->media.n; i++)
        d->media.at[i].end_of_candidates = true;
}

pl_err pl_jsep_add_remote_candidate(pl_jsep *j, pl_str text, const char *mid, int mline, const char *ufrag)
{
    pl_err err = pl_jsep_enter(j);
    if (err)
        return err;
    if (!j->pending_remote && !j->current_remote)
        return pl_jsep_fail(j, PL_ESTATE, NULL, -1, "there is no remote description yet");
    text = without_prefix(text);
    if (pl_str_is(text, "end-of-candidates"))
        text = PL_STR("");
    if (text.n && (!pl_str_starts(text, "candidate:") || memchr(text.p, 0, text.n) ||
                   memchr(text.p, '\n', text.n) || memchr(text.p, '\r', text.n)))
        return pl_jsep_fail(j, PL_EPROTO, NULL, -1, "this is not a candidate");
    if (!mid && mline < 0) {
        if (text.n)
            return pl_jsep_fail(j, PL_EPROTO, NULL, -1, "neither mid nor index given");
        end_all(j->pending_remote);
        end_all(j->current_remote);
        return PL_OK;
    }
    pl_str generation = ufrag && *ufrag ? pl_str_of(ufrag) : ufrag_of(text);
    pl_desc *const in[] = { j->pending_remote, j->current_remote };
    bool found_section = false, added = false;
    for (size_t k = 0; k < 2; k++) {
        int i = in[k] ? section_of(in[k], mid, mline) : -1;
        found_section = found_section || i >= 0;
        if (i < 0 || (!belongs(in[k], i, generation) && !(text.n == 0 && !generation.n)))
            continue;
        err = add_to(in[k], i, text);
        if (err)
            return pl_jsep_fail(j, err, in[k], i, "more than %d candidates", PL_DESC_CANDIDATES_MAX);
        added = true;
        if (generation.n == 0)
            break; /* without a name of its generation it belongs to the newest description */
    }
    if (!found_section)
        return pl_jsep_fail(j, PL_EPROTO, NULL, -1, "no section has mid \"%.20s\", index %d", mid ? mid : "",
                            mline);
    return added ? PL_OK
                 : pl_jsep_fail(j, PL_EPROTO, NULL, -1,
                                "the candidate is of another generation, or its section is rejected");
}

pl_err pl_jsep_add_local_candidate(pl_jsep *j, pl_str text, const char *ufrag)
{
    pl_err err = pl_jsep_enter(j);
    if (err)
        return err;
    text = without_prefix(text);
    pl_desc *const in[] = { j->pending_local, j->current_local, j->spare };
    for (size_t k = 0; k < sizeof in / sizeof *in; k++) {
        const pl_desc_media *m = pl_jsep_own_transport(j, in[k]);
        if (!m || strcmp(m->ufrag, ufrag) != 0)
            continue;
        err = add_to(in[k], (int)(m - in[k]->media.at), text);
        if (err)
            return err;
    }
    return PL_OK;
}

bool pl_jsep_transport_section(const pl_jsep *j, const char **mid, int *mline)
{
    const pl_desc *d = pl_jsep_local(j, NULL);
    const pl_desc_media *m = pl_jsep_own_transport(j, d);
    if (!m)
        return false;
    *mid = m->mid;
    *mline = (int)(m - d->media.at);
    return true;
}
