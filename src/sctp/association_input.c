/* The way in: whose packet it is (RFC 9260 8.5), then each chunk to the room that knows what it means. */
#include <stdio.h>

#include "sctp/association_internal.h"

static void quote_error(pl_sctp *s, pl_sctp_cause cause, const uint8_t *quote, size_t len)
{
    uint8_t chunk[PL_SCTP_QUOTE_MAX + 8];
    pl_wr w = pl_wr_init(chunk, sizeof chunk);
    size_t error = pl_sctp_chunk_begin(&w, PL_SCTP_ERROR, 0);
    pl_sctp_cause_write(&w, cause, quote, len < PL_SCTP_QUOTE_MAX ? len : PL_SCTP_QUOTE_MAX);
    pl_sctp_chunk_end(&w, error);
    pl_sctp_reply_chunk(s, &w);
}

/* --- SACK --- */

static void on_sack(pl_sctp *s, pl_rd body)
{
    pl_sctp_sack_chunk sack;
    if (!pl_sctp_may_send(s))
        return;
    if (pl_sctp_sack_parse(&sack, body) != PL_OK) {
        s->stats.bad_packets++;
        return;
    }
    s->stats.sacks_received++;
    pl_sctp_take_sack(s, &sack);
}

/* --- heartbeat --- */

static void on_heartbeat(pl_sctp *s, const pl_sctp_chunk *chunk)
{
    uint8_t answer[PL_SCTP_MTU_DEFAULT];
    pl_wr w = pl_wr_init(answer, sizeof answer);
    size_t begun = pl_sctp_chunk_begin(&w, PL_SCTP_HEARTBEAT_ACK, 0);
    pl_wr_bytes(&w, chunk->body.p, pl_rd_left(&chunk->body));
    pl_sctp_chunk_end(&w, begun);
    pl_sctp_reply_chunk(s, &w);
}

static void on_heartbeat_ack(pl_sctp *s, pl_rd body)
{
    pl_sctp_param p;
    pl_rd info = body;
    if (pl_sctp_param_next(&info, &p) && pl_sctp_mtu_on_answer(s, p.value))
        return;
    if (!s->heartbeat_out || !pl_sctp_param_next(&body, &p) || p.type != PL_SCTP_PARAM_HEARTBEAT_INFO)
        return;
    int64_t sent_us = (int64_t)pl_rd_u64(&p.value);
    uint64_t nonce = pl_rd_u64(&p.value);
    if (!pl_rd_ok(&p.value) || nonce != s->heartbeat_nonce)
        return;
    s->heartbeat_out = false;
    s->n_errors = 0;
    if (sent_us >= s->path_since_us)
        pl_sctp_rto_sample(&s->rto, s->now_us - sent_us);
    pl_sctp_restart_heartbeat(s);
}

/* --- ending --- */

static bool tag_fits_end(const pl_sctp *s, uint32_t tag, uint8_t flags)
{
    return flags & PL_SCTP_FLAG_T ? tag == s->peer_tag && s->peer_tag != 0
                                  : tag == s->my_tag; /* 8.5.1 B, C */
}

static void on_abort(pl_sctp *s, pl_rd body)
{
    char reason[PL_SCTP_REASON_MAX];
    pl_sctp_param cause;
    uint16_t code = pl_sctp_param_next(&body, &cause) ? cause.type : 0;
    snprintf(reason, sizeof reason, "aborted by the peer: %s", pl_sctp_cause_str(code));
    pl_sctp_end(s, PL_EPROTO, code, reason);
}

static void take_cumulative(pl_sctp *s, pl_rd body)
{
    pl_sctp_sack_chunk sack = { .cumulative_tsn = pl_rd_u32(&body), .a_rwnd = (uint32_t)s->peer_rwnd };
    if (pl_rd_ok(&body))
        pl_sctp_take_sack(s, &sack);
}

/* 9.2 */
static void on_shutdown(pl_sctp *s, pl_rd body)
{
    switch (s->state) {
    case PL_SCTP_ESTABLISHED:
    case PL_SCTP_SHUTDOWN_PENDING:
        take_cumulative(s, body);
        pl_sctp_enter(s, PL_SCTP_SHUTDOWN_RECEIVED, "SHUTDOWN");
        break;
    case PL_SCTP_SHUTDOWN_RECEIVED: take_cumulative(s, body); break;
    case PL_SCTP_SHUTDOWN_SENT: pl_sctp_enter(s, PL_SCTP_SHUTDOWN_ACK_SENT, "SHUTDOWN, both close"); break;
    case PL_SCTP_SHUTDOWN_ACK_SENT: s->wants |= PL_SCTP_WANT_SHUTDOWN_ACK; break;
    default: break;
    }
}

static void reply_shutdown_complete(pl_sctp *s, uint32_t tag, uint8_t flags)
{
    uint8_t out[PL_SCTP_HEADER + PL_SCTP_CHUNK_HEADER];
    pl_wr w = pl_wr_init(out, sizeof out);
    pl_wr_zeros(&w, PL_SCTP_HEADER);
    pl_sctp_chunk_end(&w, pl_sctp_chunk_begin(&w, PL_SCTP_SHUTDOWN_COMPLETE, flags));
    pl_sctp_reply_packet(s, tag, &w);
}

static void on_shutdown_ack(pl_sctp *s, uint32_t tag)
{
    if (s->state == PL_SCTP_SHUTDOWN_SENT || s->state == PL_SCTP_SHUTDOWN_ACK_SENT) {
        reply_shutdown_complete(s, s->peer_tag, 0);
        pl_sctp_end(s, PL_OK, 0, "shut down");
    } else if (s->state <= PL_SCTP_COOKIE_ECHOED) { /* 8.5.1 E: of an association that is no more */
        reply_shutdown_complete(s, tag, PL_SCTP_FLAG_T);
    }
}

/* Stale cookie (5.2.6): begin again. Other errors are for the log. */
static void on_error(pl_sctp *s, pl_rd body)
{
    for (pl_sctp_param cause; pl_sctp_param_next(&body, &cause);) {
        pl_log_debug(&s->log, "the peer reports: %s", pl_sctp_cause_str(cause.type));
        if (cause.type == PL_SCTP_CAUSE_STALE_COOKIE && s->state == PL_SCTP_COOKIE_ECHOED) {
            pl_sctp_on_stale_cookie(s, pl_rd_u32(&cause.value));
            return;
        }
    }
}

/* --- the packet --- */

/* False when the rest of the packet must not be read. */
static bool unknown_chunk(pl_sctp *s, const pl_sctp_chunk *chunk)
{
    if (pl_sctp_unknown_reports(chunk->type, 8) && s->state >= PL_SCTP_ESTABLISHED)
        quote_error(s, PL_SCTP_CAUSE_UNRECOGNIZED_CHUNK, chunk->raw, chunk->raw_len);
    return !pl_sctp_unknown_stops(chunk->type, 8);
}

static bool on_chunk(pl_sctp *s, pl_sctp_packet *p, const pl_sctp_chunk *chunk)
{
    bool up = s->state >= PL_SCTP_ESTABLISHED;
    switch (chunk->type) {
    case PL_SCTP_DATA:
    case PL_SCTP_I_DATA: pl_sctp_on_data(s, p, chunk); break;
    case PL_SCTP_SACK: on_sack(s, chunk->body); break;
    case PL_SCTP_FORWARD_TSN:
    case PL_SCTP_I_FORWARD_TSN: pl_sctp_on_forward(s, p, chunk); break;
    case PL_SCTP_INIT_ACK: pl_sctp_on_init_ack(s, chunk->body); return false; /* stands alone */
    case PL_SCTP_COOKIE_ECHO: /* what is behind one that was refused is nobody's, or under another tag */
        pl_sctp_on_cookie_echo(s, p->tag, chunk->body);
        return p->tag == s->my_tag && s->state != PL_SCTP_CLOSED;
    case PL_SCTP_COOKIE_ACK: pl_sctp_on_cookie_ack(s); break;
    case PL_SCTP_HEARTBEAT: on_heartbeat(s, chunk); break;
    case PL_SCTP_HEARTBEAT_ACK: on_heartbeat_ack(s, chunk->body); break;
    case PL_SCTP_RECONFIG:
        if (up)
            pl_sctp_reset_input(s, chunk->body);
        break;
    case PL_SCTP_ERROR: on_error(s, chunk->body); break;
    case PL_SCTP_SHUTDOWN: on_shutdown(s, chunk->body); break;
    case PL_SCTP_SHUTDOWN_ACK: on_shutdown_ack(s, p->tag); break;
    case PL_SCTP_INIT:  /* stands alone: among others it is none */
    case PL_SCTP_ABORT: /* on_end has answered these */
    case PL_SCTP_SHUTDOWN_COMPLETE: break;
    default: return unknown_chunk(s, chunk);
    }
    return !s->ended;
}

/* 8.4, 8.5: chunks whose verification tag has rules of its own, when they come first. True: the packet is
 * done. */
static bool on_first(pl_sctp *s, const pl_sctp_header *h, const pl_sctp_chunk *first, size_t left)
{
    switch (first->type) {
    case PL_SCTP_INIT:
        if (h->tag == 0 && left == 0)
            pl_sctp_on_init(s, first->body);
        else
            s->stats.bad_packets++;
        return true;
    case PL_SCTP_SHUTDOWN_ACK:
        if (s->state != PL_SCTP_CLOSED)
            break;
        on_shutdown_ack(s, h->tag);
        return true;
    case PL_SCTP_COOKIE_ECHO: return false; /* the cookie itself says whose it is */
    case PL_SCTP_ABORT:
    case PL_SCTP_SHUTDOWN_COMPLETE: return false;
    default: break;
    }
    if (h->tag == s->my_tag && s->state != PL_SCTP_CLOSED)
        return false;
    s->stats.bad_packets++;
    return true;
}

/* ABORT may follow other chunks; SHUTDOWN COMPLETE stands alone. True: the packet is done. */
static bool on_end(pl_sctp *s, const pl_sctp_header *h, const pl_sctp_chunk *chunk)
{
    if (chunk->type != PL_SCTP_ABORT && chunk->type != PL_SCTP_SHUTDOWN_COMPLETE)
        return false;
    if (s->state == PL_SCTP_CLOSED)
        return true;
    if (!tag_fits_end(s, h->tag, chunk->flags))
        s->stats.bad_packets++;
    else if (chunk->type == PL_SCTP_ABORT)
        on_abort(s, chunk->body);
    else if (s->state == PL_SCTP_SHUTDOWN_ACK_SENT)
        pl_sctp_end(s, PL_OK, 0, "shut down");
    return true;
}

static void on_chunks(pl_sctp *s, const pl_sctp_header *h, pl_rd *chunks)
{
    pl_sctp_packet p = { .tag = h->tag };
    pl_sctp_chunk chunk;
    for (bool first = true; pl_sctp_chunk_next(chunks, &chunk); first = false) {
        if (first && on_first(s, h, &chunk, pl_rd_left(chunks)))
            return;
        if (on_end(s, h, &chunk) || !on_chunk(s, &p, &chunk))
            break;
    }
    if (!pl_rd_ok(chunks))
        s->stats.bad_packets++;
    if (!p.data || s->ended)
        return;
    pl_sctp_sack_packet(&s->in, s->now_us, p.at_once);
    if (s->state == PL_SCTP_SHUTDOWN_SENT) { /* 9.2: SACK and SHUTDOWN for every packet of data */
        s->wants |= PL_SCTP_WANT_SHUTDOWN;
        s->t2_us = s->now_us + s->rto.rto_us;
    }
}

void pl_sctp_input(pl_sctp *s, int64_t now_us, const uint8_t *pkt, size_t len)
{
    pl_sctp_header h;
    pl_rd chunks;
    s->now_us = now_us;
    s->stats.packets_received++;
    s->stats.bytes_received += len;
    if (pl_sctp_packet_open_zero(&h, &chunks, pkt, len, s->conf.zero_checksum) != PL_OK ||
        h.dst_port != s->conf.local_port || h.src_port != s->conf.remote_port) {
        s->stats.bad_packets++;
        return;
    }
    if (h.tag == s->my_tag)
        s->mtu.heard = true;
    on_chunks(s, &h, &chunks);
    pl_sctp_settle(s);
}
