/* reader.h - the state of one parse, shared by the session's lines and the attributes. Private to sdp/. */
#ifndef PL_SDP_READER_H
#define PL_SDP_READER_H

#include "desc/codec.h"
#include "sdp/sdp.h"

typedef struct pl_sdp_reader {
    pl_desc *d;
    pl_desc_media *m;      /* the section being read, or NULL before the first */
    pl_desc_media session; /* what the session says for sections that do not say it themselves */
    bool has_direction, session_has_direction;
    uint16_t feedback_for_all; /* a=rtcp-fb:* */
    pl_str formats;            /* of the m= line */
    uint32_t line;
    pl_sdp_error *error;
} pl_sdp_reader;

/* Writes the error with the line; returns err. */
pl_err pl_sdp_fail(pl_sdp_reader *r, pl_err err, const char *fmt, ...) PL_PRINTF(3, 4);
/* The next word behind any number of blanks; empty at the end. */
pl_str pl_sdp_word(pl_str *rest);
/* One a= line, without "a=". Unknown ones are PL_OK. */
PL_NODISCARD pl_err pl_sdp_attribute(pl_sdp_reader *r, pl_str line);
/* The section is complete: names codecs, resolves rtx, takes over what the session says. */
PL_NODISCARD pl_err pl_sdp_end_section(pl_sdp_reader *r);

#endif
