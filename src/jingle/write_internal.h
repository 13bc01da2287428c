/* write_internal.h - what the files of the writer share. Private to jingle/.
 *   write.c            contents and groups
 *   write_rtp.c        the description of audio and video
 *   write_transport.c  ICE, DTLS, SCTP, raw UDP */
#ifndef PL_JINGLE_WRITE_INTERNAL_H
#define PL_JINGLE_WRITE_INTERNAL_H

#include "jingle/write.h"

/* The word for who sends, given a direction of the writer; NULL for both, which need not be said. */
const char *pl_jingle_senders_from(uint8_t direction, bool by_initiator);
void pl_jingle_write_rtp(const pl_desc_media *m, pl_xml *content, const pl_jingle_write_conf *conf);
void pl_jingle_write_transport(const pl_desc *d, const pl_desc_media *m, pl_xml *content,
                               const pl_jingle_write_conf *conf);

#endif
