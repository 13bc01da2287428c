/* rtx.h - retransmission as a stream of its own: original packet in, RTX packet out, and back.
 * Source   RFC 4588 4: SSRC, payload type and sequence number are those of the RTX stream; timestamp, marker,
 *          CSRCs and extensions stay; the original sequence number stands before the original payload.
 *          RFC 8852: rid becomes repaired-rid.
 * Shape    functions on bytes, nothing kept.
 * Errors   PL_EPROTO for a packet that is not RTP or, unwrapping, too short for the number (padding that
 *          carries nothing is such a packet: count it and drop it); PL_ENOSPC when it does not fit. */
#ifndef PL_RTP_RTX_H
#define PL_RTP_RTX_H

#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"
#include "rtp/ext.h"

enum { PL_RTX_OVERHEAD = 2 };

typedef struct pl_rtx_stream {
    uint32_t ssrc;
    uint16_t seq; /* of the next packet; wrap counts it up. Start at random. */
    uint8_t pt;
} pl_rtx_stream;

/* Writes the RTX packet of pkt to out (no overlap; cap >= len + 2 is enough) and counts the stream up. The
 * padding of the original is left out. Stamp it after pl_rtp_ext_locate. map may be NULL. */
PL_NODISCARD pl_err pl_rtx_wrap(pl_rtx_stream *rtx, const pl_rtp_ext_map *map, const uint8_t *pkt, size_t len,
                                uint8_t *out, size_t cap, size_t *out_len);
/* Turns an RTX packet into the original in place, two bytes shorter (*len), padding gone. ssrc and pt: of
 * the original stream. */
PL_NODISCARD pl_err pl_rtx_unwrap(uint8_t *pkt, size_t *len, uint32_t ssrc, uint8_t pt,
                                  const pl_rtp_ext_map *map);

#endif
