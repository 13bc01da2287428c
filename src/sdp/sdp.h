/* sdp.h - session descriptions as text: read into pl_desc and written from it.
 * Source   RFC 8866 and the attributes of RFC 9429; old forms that peers still write (DTLS/SCTP with sctpmap,
 *          ssrc-level msid, static payload types without rtpmap).
 * Shape    functions; the description is the caller's. A description read from text and written again reads
 *          back equal. Unknown attributes and lines are skipped.
 * Limits   text of PL_SDP_TEXT_MAX bytes, lines of PL_SDP_LINE_MAX, and the maxima of desc/description.h.
 * Errors   PL_EPROTO the text is no session description, PL_ENOSPC a maximum, PL_ENOMEM; the error says the
 *          line. */
#ifndef PL_SDP_SDP_H
#define PL_SDP_SDP_H

#include "base/slice.h"
#include "desc/description.h"

enum { PL_SDP_TEXT_MAX = 1 << 20, PL_SDP_LINE_MAX = 16384, PL_SDP_ERROR_MAX = 120 };

typedef struct pl_sdp_error {
    uint32_t line;               /* counted from 1; 0: about the whole text */
    char text[PL_SDP_ERROR_MAX]; /* "line 12: fingerprint is not hexadecimal" */
} pl_sdp_error;

/* text need not end in zero. *out is the caller's (pl_desc_free); NULL after an error. error may be NULL. */
PL_NODISCARD pl_err pl_sdp_parse(pl_desc **out, const char *text, size_t len, pl_sdp_error *error);
/* *out is a new text with CR LF line ends and a final zero, to be freed with free(); *len (may be NULL)
 * without the zero. */
PL_NODISCARD pl_err pl_sdp_write(const pl_desc *d, char **out, size_t *len);

/* What stands in a trickled candidate (JSON "candidate", a=candidate line): gives "candidate:…" without "a="
 * and line end in *out, *end true and *out empty for the end of candidates ("" or "end-of-candidates").
 * Errors: PL_EPROTO neither. */
PL_NODISCARD pl_err pl_sdp_candidate_line(pl_str text, pl_str *out, bool *end);
/* The section that sdpMid and sdpMLineIndex name (W3C: mid has precedence): its index, or -1. mid NULL and
 * mline -1 mean not given. */
int pl_sdp_section(const pl_desc *d, const char *mid, int mline);

#endif
