/* header.h - what a datagram on the media port is, and the RTP header.
 * Source   RFC 7983 (which protocol), RFC 5761 4 (RTP or RTCP), RFC 3550 5.1 and 5.3.1.
 * Shape    plain data; nothing to free. A parsed header holds offsets, not pointers, so it stays true when
 *          the packet is decrypted, copied or moved as a whole.
 * Errors   PL_EPROTO for anything that is not a whole RTP version 2 packet.
 *
 *     0                   1                   2                   3
 *    |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *    |                           timestamp                           |
 *    |                             SSRC                              |
 *    |                     CSRC, CC times (0..15)                    |
 *    |  extension profile (if X)     |  length in 32-bit words       |
 *    |  extension data ... | payload ... | padding (if P), its length |
 */
#ifndef PL_RTP_HEADER_H
#define PL_RTP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "peerline/error.h"

enum { PL_RTP_HEADER_MIN = 12, PL_RTP_CSRC_MAX = 15, PL_RTP_PACKET_MAX = 65535, PL_RTP_PADDING_MAX = 255 };

typedef enum pl_demux_kind {
    PL_IS_JUNK = 0,
    PL_IS_STUN, /* first byte 0..3 */
    PL_IS_DTLS, /* 20..63 */
    PL_IS_TURN, /* 64..79, channel data */
    PL_IS_RTP,  /* 128..191, second byte without marker bit not 64..95 */
    PL_IS_RTCP  /* 128..191, packet type 192..223 */
} pl_demux_kind;

/* Looks at the first two bytes (and refuses what is too short for its kind); the rooms validate the rest. */
pl_demux_kind pl_demux(const uint8_t *pkt, size_t len);

typedef struct pl_rtp_header {
    uint32_t ssrc;
    uint32_t rtp_ts;
    uint16_t seq;
    uint8_t pt;
    bool marker;
    uint8_t n_csrc;
    bool padded;          /* P bit as it stands in the packet */
    uint16_t ext_profile; /* 0xbede, 0x100x, another, or 0 without extension */
    uint16_t ext_at;      /* offset of the extension data (behind profile and length); 0: no extension */
    uint16_t ext_len;     /* its bytes, a multiple of 4 */
    uint16_t payload_at;  /* = bytes of header, CSRCs and extension */
    uint16_t payload_len; /* without padding */
    uint16_t pad_len;     /* 0..255, counting the length byte */
} pl_rtp_header;

/* A whole, decrypted packet: padding is validated and taken off payload_len. */
PL_NODISCARD pl_err pl_rtp_parse(pl_rtp_header *out, const uint8_t *pkt, size_t len);
/* The header alone, for a packet whose payload (and so its padding length) is still encrypted: payload_len
 * is all that follows the header and pad_len is 0. */
PL_NODISCARD pl_err pl_rtp_parse_header(pl_rtp_header *out, const uint8_t *pkt, size_t len);
/* CSRC number i, i < h->n_csrc. */
uint32_t pl_rtp_csrc(const uint8_t *pkt, size_t i);

/* Writes the fixed header at w's start (w must be empty): pt, marker, seq, rtp_ts, ssrc and n_csrc of h, and
 * the CSRCs (csrc may be NULL when there are none). Extensions follow by pl_rtp_ext_write, then payload,
 * then pl_rtp_pad. */
void pl_rtp_write(pl_wr *w, const pl_rtp_header *h, const uint32_t *csrc);
/* Appends n bytes of padding (1..255) and sets the P bit. n 0 does nothing. */
void pl_rtp_pad(pl_wr *w, size_t n);

/* Rewriting fields of a packet in place; pkt holds at least PL_RTP_HEADER_MIN bytes. */
static inline uint16_t pl_rtp_seq(const uint8_t *pkt)
{
    return pl_get16(pkt + 2);
}
static inline uint32_t pl_rtp_ssrc(const uint8_t *pkt)
{
    return pl_get32(pkt + 8);
}
static inline void pl_rtp_set_pt(uint8_t *pkt, uint8_t pt)
{
    pkt[1] = (uint8_t)((pkt[1] & 0x80) | (pt & 0x7f));
}
static inline void pl_rtp_set_seq(uint8_t *pkt, uint16_t seq)
{
    pl_put16(pkt + 2, seq);
}
static inline void pl_rtp_set_ssrc(uint8_t *pkt, uint32_t ssrc)
{
    pl_put32(pkt + 8, ssrc);
}

#endif
