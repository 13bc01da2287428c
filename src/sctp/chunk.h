/* chunk.h - the frame of SCTP: common header, checksum, and the walk over chunks and parameters.
 * Source   RFC 9260 3, 3.1, 3.2, 3.2.1; checksum appendix A.
 * Shape    plain values; parsed bytes stay where they are and are lent. Chunks of one packet are read with
 *          pl_sctp_chunk_next until false; written between pl_sctp_chunk_begin and _end.
 * Errors   PL_EPROTO; a writer that runs out of room goes bad and stays so. */
#ifndef PL_SCTP_CHUNK_H
#define PL_SCTP_CHUNK_H

#include "base/bytes.h"
#include "peerline/error.h"

enum {
    PL_SCTP_HEADER = 12,       /* common header */
    PL_SCTP_CHUNK_HEADER = 4,  /* type, flags, length */
    PL_SCTP_DATA_HEADER = 16,  /* chunk header, TSN, stream, SSN, PPID */
    PL_SCTP_IDATA_HEADER = 20, /* chunk header, TSN, stream, reserved, MID, PPID or FSN */
    PL_SCTP_SACK_HEADER = 16
};

typedef enum pl_sctp_chunk_type {
    PL_SCTP_DATA = 0,
    PL_SCTP_INIT = 1,
    PL_SCTP_INIT_ACK = 2,
    PL_SCTP_SACK = 3,
    PL_SCTP_HEARTBEAT = 4,
    PL_SCTP_HEARTBEAT_ACK = 5,
    PL_SCTP_ABORT = 6,
    PL_SCTP_SHUTDOWN = 7,
    PL_SCTP_SHUTDOWN_ACK = 8,
    PL_SCTP_ERROR = 9,
    PL_SCTP_COOKIE_ECHO = 10,
    PL_SCTP_COOKIE_ACK = 11,
    PL_SCTP_SHUTDOWN_COMPLETE = 14,
    PL_SCTP_I_DATA = 64,         /* RFC 8260 */
    PL_SCTP_RECONFIG = 130,      /* RFC 6525 */
    PL_SCTP_PAD = 132,           /* RFC 4820 */
    PL_SCTP_FORWARD_TSN = 192,   /* RFC 3758 */
    PL_SCTP_I_FORWARD_TSN = 194, /* RFC 8260 */
} pl_sctp_chunk_type;

/* ABORT and SHUTDOWN COMPLETE: the verification tag is the sender's own (RFC 9260 8.5.1). */
enum { PL_SCTP_FLAG_T = 1 };

/* What a receiver does with a chunk or parameter it does not know: the two highest bits of the type, of 8 or
 * 16 bits (RFC 9260 3.2, 3.2.1). */
static inline bool pl_sctp_unknown_stops(unsigned type, unsigned bits)
{
    return !(type >> (bits - 1) & 1);
}
static inline bool pl_sctp_unknown_reports(unsigned type, unsigned bits)
{
    return type >> (bits - 2) & 1;
}

typedef struct pl_sctp_header {
    uint16_t src_port, dst_port;
    uint32_t tag;
} pl_sctp_header;

typedef struct pl_sctp_chunk {
    uint8_t type, flags;
    pl_rd body;         /* behind the chunk header, without padding */
    const uint8_t *raw; /* the whole chunk without padding, to quote it in an error */
    size_t raw_len;
} pl_sctp_chunk;

/* Checks length and checksum; *chunks then walks what is behind the header. */
PL_NODISCARD pl_err pl_sctp_packet_open(pl_sctp_header *out, pl_rd *chunks, const uint8_t *pkt, size_t len);
/* The same. zero_allowed: we have told the peer that its packets need no checksum (RFC 9653), so 0 stands for one
 * except with an INIT. */
PL_NODISCARD pl_err pl_sctp_packet_open_zero(pl_sctp_header *out, pl_rd *chunks, const uint8_t *pkt,
                                             size_t len, bool zero_allowed);
/* False at the end and, with chunks->bad set, at a chunk that does not fit. */
bool pl_sctp_chunk_next(pl_rd *chunks, pl_sctp_chunk *out);

void pl_sctp_packet_begin(pl_wr *w, const pl_sctp_header *h);
/* Puts the checksum into a packet that starts where the writer started. Without this call it is 0. */
void pl_sctp_packet_end(pl_wr *w);
/* Between the two stands the body; end pads to four bytes. */
size_t pl_sctp_chunk_begin(pl_wr *w, uint8_t type, uint8_t flags);
void pl_sctp_chunk_end(pl_wr *w, size_t begun);

/* Parameters and error causes share one form: type 16, length 16, value, padding. */
typedef struct pl_sctp_param {
    uint16_t type;
    pl_rd value;
    const uint8_t *raw;
    size_t raw_len;
} pl_sctp_param;
bool pl_sctp_param_next(pl_rd *params, pl_sctp_param *out);
size_t pl_sctp_param_begin(pl_wr *w, uint16_t type);
void pl_sctp_param_end(pl_wr *w, size_t begun);

const char *pl_sctp_chunk_str(uint8_t type);

static inline size_t pl_sctp_pad4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

#endif
