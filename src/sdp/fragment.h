/* fragment.h - what of a description travels alone while candidates are found: the ICE names and candidates of
 * application/trickle-ice-sdpfrag.
 * Source   RFC 8840 4.4 and 9 (the grammar and its media type), RFC 9725 4.3 (how WHIP uses it: one section, that of
 *          the whole bundle), RFC 8839 (the attributes).
 * Shape    a plain value; its slices point into the text that was parsed, and nothing is to be freed.
 * Limits   text of PL_SDP_FRAGMENT_MAX bytes, PL_SDP_FRAGMENT_CANDIDATES_MAX candidates.
 * Errors   PL_EPROTO the text is no fragment, or names two different ICE sessions; PL_ENOSPC a maximum. Attributes that
 *          are not about ICE are skipped. */
#ifndef PL_SDP_FRAGMENT_H
#define PL_SDP_FRAGMENT_H

#include "base/slice.h"
#include "desc/description.h"

enum { PL_SDP_FRAGMENT_MAX = 65536, PL_SDP_FRAGMENT_CANDIDATES_MAX = 64, PL_SDP_FRAGMENT_SECTIONS_MAX = 16 };

typedef struct pl_sdp_fragment {
    pl_str ufrag, pwd; /* of the session, or of the first section that says them; empty: not said */
    pl_str mid, kind;  /* of the first section: "0", "audio"; empty when there is none */
    bool end_of_candidates;
    size_t n_candidates;
    pl_str candidate[PL_SDP_FRAGMENT_CANDIDATES_MAX]; /* "candidate:…", without "a=" */
} pl_sdp_fragment;

PL_NODISCARD pl_err pl_sdp_fragment_parse(pl_sdp_fragment *out, pl_str text);
/* Appends the text. Without mid the fragment has no section, and then neither candidates nor their end. */
void pl_sdp_fragment_write(const pl_sdp_fragment *f, pl_buf *out);
/* What d has to say of ICE: its names, and the candidates of the section that all are bundled with. Lent from d. A
 * fragment takes the first PL_SDP_FRAGMENT_CANDIDATES_MAX. */
void pl_sdp_fragment_of(const pl_desc *d, pl_sdp_fragment *out);
/* Puts new ICE names and candidates in the place of the old ones, in every section of d: what d would be after the
 * restart that the fragment is about. Errors: PL_EPROTO (the fragment lacks a name), or pl_desc_err(d). */
PL_NODISCARD pl_err pl_sdp_fragment_apply(const pl_sdp_fragment *f, pl_desc *d);

#endif
