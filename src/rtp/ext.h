/* ext.h - RTP header extensions: which id means what, reading them, writing them, and stamping the two that
 * are known only at the moment of sending.
 * Source   RFC 8285 (one-byte and two-byte form), RFC 9143 15 (mid), RFC 8852 (rid), RFC 6464 (audio level),
 *          RFC 5450 (toffset), 3GPP TS 26.114 7.4.5 (video orientation), abs-send-time, abs-capture-time
 *          and transport-wide-cc-01/02 as documented with libwebrtc.
 * Shape    plain data, zero state legal (a zeroed map knows no extension); nothing to free.
 * Errors   PL_EPROTO when an element runs over the extension; unknown ids are skipped; a known element of a
 *          wrong length is ignored as if absent.
 */
#ifndef PL_RTP_EXT_H
#define PL_RTP_EXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/slice.h"
#include "peerline/error.h"
#include "rtp/header.h"

typedef enum pl_rtp_ext_kind {
    PL_EXT_NONE = 0,
    PL_EXT_MID,
    PL_EXT_RID,
    PL_EXT_REPAIRED_RID,
    PL_EXT_ABS_SEND_TIME,
    PL_EXT_TWCC,    /* transport-wide-cc-extensions-01: 2 bytes */
    PL_EXT_TWCC_V2, /* transport-wide-cc-02: 2 bytes, or 4 with a feedback request */
    PL_EXT_AUDIO_LEVEL,
    PL_EXT_VIDEO_ORIENTATION,
    PL_EXT_TOFFSET,
    PL_EXT_ABS_CAPTURE_TIME,
    PL_EXT_KINDS
} pl_rtp_ext_kind;

enum { PL_EXT_ID_MAX = 255, PL_EXT_TEXT_MAX = 32 /* bytes of a mid or rid that we send */ };

const char *pl_rtp_ext_uri(pl_rtp_ext_kind kind); /* "" for PL_EXT_NONE */
pl_rtp_ext_kind pl_rtp_ext_kind_of(pl_str uri);   /* PL_EXT_NONE when unknown */

/* What was negotiated: one per m-section or, with BUNDLE, one per transport (RFC 8843 makes them agree). */
typedef struct pl_rtp_ext_map {
    uint8_t id[PL_EXT_KINDS]; /* 0: not negotiated; 15 never (RFC 8285 4.2) */
} pl_rtp_ext_map;

/* Errors: PL_EPROTO when id is not 1..14 or 16..255 or belongs to another kind already. */
PL_NODISCARD pl_err pl_rtp_ext_map_set(pl_rtp_ext_map *m, pl_rtp_ext_kind kind, unsigned id);
static inline bool pl_rtp_ext_map_has(const pl_rtp_ext_map *m, pl_rtp_ext_kind kind)
{
    return m->id[kind] != 0;
}

typedef struct pl_rtp_ext {
    uint32_t has;                  /* 1 << pl_rtp_ext_kind; TWCC_V2 sets its own bit and that of TWCC */
    pl_str mid, rid, repaired_rid; /* parsed: lent from the packet */
    uint32_t abs_send_time;        /* 24 bits, 6.18 seconds; pl_abs_send_time makes it */
    uint16_t twcc_seq;
    bool twcc_wants_feedback;       /* V2 with a request for immediate feedback ... */
    uint16_t twcc_feedback_packets; /* ... about so many packets up to this one */
    uint8_t audio_level;            /* -dBov, 0 (loudest) .. 127 */
    bool voice;
    uint8_t rotation; /* quarter turns clockwise, 0..3 */
    bool camera_back, flip;
    int32_t toffset;        /* 24 bits signed, RTP ticks */
    uint64_t capture_ntp;   /* abs-capture-time: NTP 32.32 of the capturing machine */
    int64_t capture_offset; /* its clock against ours, Q32.32; 0 when not given */
} pl_rtp_ext;

static inline bool pl_rtp_ext_has(const pl_rtp_ext *e, pl_rtp_ext_kind kind)
{
    return (e->has >> kind & 1) != 0;
}

/* Reads all known elements of the packet that h was parsed from. A packet without extension is fine. */
PL_NODISCARD pl_err pl_rtp_ext_parse(pl_rtp_ext *out, const pl_rtp_ext_map *m, const uint8_t *pkt,
                                     const pl_rtp_header *h);

/* Where in a packet the late elements stand: offsets from its first byte, 0 when absent. */
typedef struct pl_rtp_stamp_at {
    uint16_t abs_send_time, twcc;
} pl_rtp_stamp_at;

/* Writes the extension block behind the fixed header that w holds: every element of e->has that m knows,
 * one-byte form unless an id or a length needs the two-byte form, padded to 32 bits, X bit set. Nothing is
 * written when nothing is wanted. at (may be NULL) learns where the late elements stand: to reserve them,
 * set their bit and leave the value 0. */
void pl_rtp_ext_write(pl_wr *w, const pl_rtp_ext_map *m, const pl_rtp_ext *e, pl_rtp_stamp_at *at);
/* Finds the late elements of a finished packet, for instance one from the history. */
pl_rtp_stamp_at pl_rtp_ext_locate(const pl_rtp_ext_map *m, const uint8_t *pkt, const pl_rtp_header *h);
/* Stamps at the moment of sending; what has no place is left out. */
void pl_rtp_stamp(uint8_t *pkt, const pl_rtp_stamp_at *at, int64_t now_us, uint16_t twcc_seq);
/* 24 bits, 6.18 fixed point, of any clock. */
uint32_t pl_abs_send_time(int64_t now_us);
/* The element of `kind` in a packet, or NULL; *len set. To be rewritten in place, in its length. */
uint8_t *pl_rtp_ext_find(const pl_rtp_ext_map *m, uint8_t *pkt, const pl_rtp_header *h, pl_rtp_ext_kind kind,
                         size_t *len);
/* Makes an element of one kind one of another, same bytes: rid > repaired-rid for a retransmission
 * (RFC 8852 3.1) and back. Without `from` in the packet or `to` in the map nothing changes. */
void pl_rtp_ext_rename(const pl_rtp_ext_map *m, uint8_t *pkt, const pl_rtp_header *h, pl_rtp_ext_kind from,
                       pl_rtp_ext_kind to);

/* Element by element, both forms; padding is skipped.
 *     pl_rtp_ext_it it = pl_rtp_ext_begin(pkt, &h); pl_rtp_ext_elem el;
 *     while (pl_rtp_ext_next(&it, &el)) ...            then pl_rd_ok(&it.rd) */
typedef struct pl_rtp_ext_it {
    pl_rd rd;
    bool two_byte;
} pl_rtp_ext_it;
typedef struct pl_rtp_ext_elem {
    uint8_t id;
    uint8_t len;
    const uint8_t *data;
} pl_rtp_ext_elem;
pl_rtp_ext_it pl_rtp_ext_begin(const uint8_t *pkt, const pl_rtp_header *h);
bool pl_rtp_ext_next(pl_rtp_ext_it *it, pl_rtp_ext_elem *out);

#endif
