/* parse_internal.h - what the files of the reader share. Private to jingle/.
 *   parse.c            contents, groups, what must be secured
 *   parse_rtp.c        the description of audio and video
 *   parse_transport.c  ICE, DTLS, SCTP, raw UDP */
#ifndef PL_JINGLE_PARSE_INTERNAL_H
#define PL_JINGLE_PARSE_INTERNAL_H

#include "jingle/parse.h"

typedef struct pl_jingle_reader {
    pl_desc *d;
    const pl_jingle_parse_conf *conf;
    pl_jingle_fault *fault; /* never NULL */
} pl_jingle_reader;

/* Writes the fault and returns err. */
pl_err pl_jingle_refuse(pl_jingle_reader *r, pl_err err, pl_jingle_reason reason, const char *fmt, ...)
    PL_PRINTF(4, 5);
/* XML may hold what would be a new line, or two words, in a description. A token has no space; NULL and "" are none. */
bool pl_jingle_is_token(const char *text);
bool pl_jingle_is_plain(const char *text);
uint8_t pl_jingle_direction_of(pl_jingle_senders s, bool by_initiator);

PL_NODISCARD pl_err pl_jingle_parse_rtp(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *description);
PL_NODISCARD pl_err pl_jingle_parse_transport(pl_jingle_reader *r, pl_desc_media *m, const pl_xml *transport);

#endif
