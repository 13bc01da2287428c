#include "sctp/chunk.h"

#include "crypto/crc.h"

enum { CHECKSUM_AT = 8 };

/* The checksum counts its own field as zero and travels least significant byte first. */
static uint32_t checksum(const uint8_t *pkt, size_t len)
{
    static const uint8_t zero[4];
    uint32_t crc = pl_crc32c_more(0, pkt, CHECKSUM_AT);
    crc = pl_crc32c_more(crc, zero, sizeof zero);
    return pl_crc32c_more(crc, pkt + PL_SCTP_HEADER, len - PL_SCTP_HEADER);
}

static uint32_t get32_le(const uint8_t *at)
{
    return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

static void put32_le(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
    at[2] = (uint8_t)(v >> 16);
    at[3] = (uint8_t)(v >> 24);
}

/* A zero where the peer may leave the checksum out spares the look at every byte; the packet with an INIT
 * carries one always, for who sends it knows nothing of us (RFC 9653 5.2). */
static bool intact(const uint8_t *pkt, size_t len, bool zero_allowed)
{
    uint32_t told = get32_le(pkt + CHECKSUM_AT);
    if (told == 0 && zero_allowed && pkt[PL_SCTP_HEADER] != PL_SCTP_INIT)
        return true;
    return told == checksum(pkt, len);
}

pl_err pl_sctp_packet_open(pl_sctp_header *out, pl_rd *chunks, const uint8_t *pkt, size_t len)
{
    return pl_sctp_packet_open_zero(out, chunks, pkt, len, false);
}

pl_err pl_sctp_packet_open_zero(pl_sctp_header *out, pl_rd *chunks, const uint8_t *pkt, size_t len,
                                bool zero_allowed)
{
    *out = (pl_sctp_header){ 0 };
    *chunks = (pl_rd){ 0 };
    /* A packet holds at least one chunk, and all chunks are padded. */
    if (len < PL_SCTP_HEADER + PL_SCTP_CHUNK_HEADER || len % 4)
        return PL_EPROTO;
    if (!intact(pkt, len, zero_allowed))
        return PL_EPROTO;
    *out = (pl_sctp_header){ pl_get16(pkt), pl_get16(pkt + 2), pl_get32(pkt + 4) };
    *chunks = pl_rd_init(pkt + PL_SCTP_HEADER, len - PL_SCTP_HEADER);
    return PL_OK;
}

void pl_sctp_packet_begin(pl_wr *w, const pl_sctp_header *h)
{
    pl_wr_u16(w, h->src_port);
    pl_wr_u16(w, h->dst_port);
    pl_wr_u32(w, h->tag);
    pl_wr_u32(w, 0);
}

void pl_sctp_packet_end(pl_wr *w)
{
    if (pl_wr_ok(w))
        put32_le(w->start + CHECKSUM_AT, checksum(w->start, pl_wr_len(w)));
}

/* Reads the length that counts its own four-byte header, and passes over the padding, which the last element
 * may lack when its container's length leaves it out. */
static bool element(pl_rd *r, const uint8_t *start, size_t len, pl_rd *body)
{
    if (!pl_rd_ok(r) || len < 4) {
        r->bad = true;
        return false;
    }
    *body = pl_rd_sub(r, len - 4);
    if (!pl_rd_ok(r))
        return false;
    size_t padding = pl_sctp_pad4((size_t)(r->p - start)) - (size_t)(r->p - start);
    pl_rd_skip(r, padding < pl_rd_left(r) ? padding : pl_rd_left(r));
    return true;
}

bool pl_sctp_chunk_next(pl_rd *chunks, pl_sctp_chunk *out)
{
    *out = (pl_sctp_chunk){ 0 };
    if (pl_rd_left(chunks) == 0)
        return false;
    const uint8_t *start = chunks->p;
    out->type = pl_rd_u8(chunks);
    out->flags = pl_rd_u8(chunks);
    size_t len = pl_rd_u16(chunks);
    out->raw = start;
    out->raw_len = len;
    return element(chunks, start, len, &out->body);
}

bool pl_sctp_param_next(pl_rd *params, pl_sctp_param *out)
{
    *out = (pl_sctp_param){ 0 };
    if (pl_rd_left(params) == 0)
        return false;
    const uint8_t *start = params->p;
    out->type = pl_rd_u16(params);
    size_t len = pl_rd_u16(params);
    out->raw = start;
    out->raw_len = len;
    return element(params, start, len, &out->value);
}

size_t pl_sctp_chunk_begin(pl_wr *w, uint8_t type, uint8_t flags)
{
    size_t begun = pl_wr_mark(w);
    pl_wr_u8(w, type);
    pl_wr_u8(w, flags);
    pl_wr_u16(w, 0);
    return begun;
}

void pl_sctp_chunk_end(pl_wr *w, size_t begun)
{
    pl_wr_patch16(w, begun + 2, (uint16_t)(pl_wr_len(w) - begun));
    pl_wr_align(w, 4);
}

size_t pl_sctp_param_begin(pl_wr *w, uint16_t type)
{
    size_t begun = pl_wr_mark(w);
    pl_wr_u16(w, type);
    pl_wr_u16(w, 0);
    return begun;
}

void pl_sctp_param_end(pl_wr *w, size_t begun)
{
    pl_sctp_chunk_end(w, begun); /* the length stands at the same place */
}

const char *pl_sctp_chunk_str(uint8_t type)
{
    switch (type) {
    case PL_SCTP_DATA: return "DATA";
    case PL_SCTP_INIT: return "INIT";
    case PL_SCTP_INIT_ACK: return "INIT ACK";
    case PL_SCTP_SACK: return "SACK";
    case PL_SCTP_HEARTBEAT: return "HEARTBEAT";
    case PL_SCTP_HEARTBEAT_ACK: return "HEARTBEAT ACK";
    case PL_SCTP_ABORT: return "ABORT";
    case PL_SCTP_SHUTDOWN: return "SHUTDOWN";
    case PL_SCTP_SHUTDOWN_ACK: return "SHUTDOWN ACK";
    case PL_SCTP_ERROR: return "ERROR";
    case PL_SCTP_COOKIE_ECHO: return "COOKIE ECHO";
    case PL_SCTP_COOKIE_ACK: return "COOKIE ACK";
    case PL_SCTP_SHUTDOWN_COMPLETE: return "SHUTDOWN COMPLETE";
    case PL_SCTP_I_DATA: return "I-DATA";
    case PL_SCTP_RECONFIG: return "RE-CONFIG";
    case PL_SCTP_PAD: return "PAD";
    case PL_SCTP_FORWARD_TSN: return "FORWARD TSN";
    case PL_SCTP_I_FORWARD_TSN: return "I-FORWARD-TSN";
    default: return "unknown chunk";
    }
}
