/* INIT, INIT ACK, COOKIE ECHO, COOKIE ACK: beginning, both beginning at once, beginning again (RFC 9260 5).
 */
#include <assert.h>
#include <stdlib.h>

#include "sctp/association_internal.h"

/* Some peers (pion before 2024) drop a whole INIT or INIT ACK for one parameter that they do not know. So the only one that
 * is younger than they are is not said to a peer that did not say it itself, nor in the INITs after this many. */
enum { PLAIN_AFTER = 2 };

/* What we offer, and may use when the peer offers it too. */
static uint8_t our_extensions(const pl_sctp *s)
{
    unsigned ours = PL_SCTP_EXT_FORWARD_TSN | PL_SCTP_EXT_RECONFIG;
    if (!s->conf.no_interleaving)
        ours |= PL_SCTP_EXT_INTERLEAVE;
    if (s->conf.zero_checksum)
        ours |= PL_SCTP_EXT_ZERO_CHECKSUM;
    return (uint8_t)ours;
}

static uint16_t fewer(uint16_t a, uint16_t b)
{
    return a < b ? a : b;
}

void pl_sctp_connect(pl_sctp *s, int64_t now_us)
{
    s->now_us = now_us;
    if (s->state != PL_SCTP_CLOSED || s->ended)
        return;
    pl_sctp_enter(s, PL_SCTP_COOKIE_WAIT, "connect");
    pl_sctp_settle(s);
}

static pl_sctp_init about_us(const pl_sctp *s, uint32_t tag, uint32_t tsn)
{
    return (pl_sctp_init){ .tag = tag,
                           .a_rwnd = (uint32_t)s->conf.recv_buffer,
                           .streams_out = s->conf.max_streams_out,
                           .streams_in = s->conf.max_streams_in,
                           .tsn = tsn,
                           .extensions = our_extensions(s) };
}

void pl_sctp_write_init(pl_sctp *s, pl_wr *w)
{
    pl_sctp_init init = about_us(s, s->my_tag, s->my_tsn);
    init.preserve_ms = s->preserve_ms;
    if (s->n_init_tries >= PLAIN_AFTER)
        init.extensions &= (uint8_t)~PL_SCTP_EXT_ZERO_CHECKSUM;
    pl_sctp_init_write(w, PL_SCTP_INIT, &init);
}

/* 5.2.6: the way there and back takes longer than the cookie lives; the next one should live twice what was missing
 * longer. A peer that never has enough is given up. */
void pl_sctp_on_stale_cookie(pl_sctp *s, uint32_t stale_us)
{
    if (++s->n_stale > s->conf.max_init_retransmits) {
        pl_sctp_end(s, PL_EIO, PL_SCTP_CAUSE_STALE_COOKIE, "every cookie is stale");
        return;
    }
    s->preserve_ms = 2 * (stale_us / 1000) + 1;
    s->peer_tag = 0;
    pl_sctp_outstanding_timeout(&s->sent);
    pl_sctp_enter(s, PL_SCTP_COOKIE_WAIT, "stale cookie");
}

/* What the peer asks for, up to twice what a cookie has anyway: more would let old ones pile up. */
static int64_t cookie_life(const pl_sctp *s, const pl_sctp_init *in)
{
    return s->conf.cookie_life_us + pl_min_us(PL_MS((int64_t)in->preserve_ms), s->conf.cookie_life_us);
}

/* An ABORT in answer to an INIT or INIT ACK that cannot be lived with. */
static void refuse(pl_sctp *s, uint32_t tag, pl_sctp_cause cause, const void *value, size_t len)
{
    uint8_t packet[128];
    pl_wr w = pl_wr_init(packet, sizeof packet);
    pl_wr_zeros(&w, PL_SCTP_HEADER);
    size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_ABORT, 0);
    pl_sctp_cause_write(&w, cause, value, len);
    pl_sctp_chunk_end(&w, chunk);
    pl_sctp_reply_packet(s, tag, &w);
}

static bool acceptable(pl_sctp *s, const pl_sctp_init *in)
{
    if (in->host_name) {
        refuse(s, in->tag, PL_SCTP_CAUSE_UNRESOLVABLE_ADDRESS, NULL, 0);
    } else if (in->tag == 0 || in->streams_in == 0 || in->streams_out == 0 || in->a_rwnd < 1500) {
        if (in->tag != 0) /* an answer needs a tag; 3.3.2 */
            refuse(s, in->tag, PL_SCTP_CAUSE_INVALID_PARAM, NULL, 0);
    } else {
        return true;
    }
    s->stats.bad_packets++;
    return false;
}

/* What comes back as a cookie. Who has no association yet, or is just beginning one, offers the tag it uses;
 * one that is up offers new numbers and notes the old ones, by which a restart is known (5.2.1, 5.2.2). */
static pl_sctp_cookie make_cookie(pl_sctp *s, const pl_sctp_init *in)
{
    bool beginning = s->state <= PL_SCTP_COOKIE_ECHOED;
    pl_sctp_cookie c = { .my_tag = s->my_tag,
                         .peer_tag = in->tag,
                         .my_tsn = s->my_tsn,
                         .peer_tsn = in->tsn,
                         .peer_rwnd = in->a_rwnd,
                         .peer_streams_out = in->streams_out,
                         .peer_streams_in = in->streams_in,
                         .extensions = in->extensions,
                         .made_us = s->now_us,
                         .life_us = cookie_life(s, in) };
    if (s->state != PL_SCTP_CLOSED && s->peer_tag != 0) {
        c.tie_mine = s->my_tag;
        c.tie_peer = s->peer_tag;
    }
    if (!beginning) {
        do
            c.my_tag = pl_rand_u32(&s->conf.rand);
        while (c.my_tag == 0 || c.my_tag == s->my_tag);
        c.my_tsn = pl_rand_u32(&s->conf.rand);
    }
    return c;
}

/* 5.1, 5.2.1, 5.2.2: an INIT is answered in any state and changes none. */
void pl_sctp_on_init(pl_sctp *s, pl_rd body)
{
    pl_sctp_init in;
    if (pl_sctp_init_parse(&in, body) != PL_OK) {
        s->stats.bad_packets++;
        return;
    }
    if (s->state == PL_SCTP_SHUTDOWN_ACK_SENT) { /* 9.2 */
        s->wants |= PL_SCTP_WANT_SHUTDOWN_ACK;
        return;
    }
    if (!acceptable(s, &in))
        return;
    pl_sctp_cookie cookie = make_cookie(s, &in);
    uint8_t sealed[PL_SCTP_COOKIE_LEN], packet[PL_SCTP_MTU_DEFAULT];
    pl_sctp_cookie_seal(&cookie, s->key, sealed);
    pl_sctp_init ack = about_us(s, cookie.my_tag, cookie.my_tsn);
    if (!(in.extensions & PL_SCTP_EXT_ZERO_CHECKSUM))
        ack.extensions &= (uint8_t)~PL_SCTP_EXT_ZERO_CHECKSUM;
    ack.cookie = sealed;
    ack.cookie_len = sizeof sealed;
    pl_wr w = pl_wr_init(packet, sizeof packet < s->conf.mtu ? sizeof packet : s->conf.mtu);
    for (size_t fit = 0; in.n_unknown > 0; in.n_unknown--) { /* what would not fit is not reported */
        fit = 0;
        for (size_t i = 0; i < in.n_unknown; i++)
            fit += pl_sctp_pad4(4 + pl_rd_left(&in.unknown[i]));
        if (fit < PL_SCTP_QUOTE_MAX)
            break;
    }
    memcpy(ack.unknown, in.unknown, sizeof ack.unknown);
    ack.n_unknown = in.n_unknown;
    pl_wr_zeros(&w, PL_SCTP_HEADER);
    pl_sctp_init_write(&w, PL_SCTP_INIT_ACK, &ack);
    pl_sctp_reply_packet(s, in.tag, &w);
}

/* What both sides need to know of each other, from an INIT ACK or a cookie. */
static void adopt_peer(pl_sctp *s, uint32_t tag, uint32_t tsn, uint32_t rwnd, uint16_t streams_out,
                       uint16_t streams_in, uint8_t extensions)
{
    s->peer_tag = tag;
    s->peer_rwnd = s->widest_rwnd = rwnd;
    s->streams_out = fewer(s->conf.max_streams_out, streams_in);
    s->streams_in = fewer(s->conf.max_streams_in, streams_out);
    s->extensions = extensions & our_extensions(s);
    s->out.interleaved = s->sent.interleaved = s->extensions & PL_SCTP_EXT_INTERLEAVE;
    pl_sctp_sack_clear(&s->in);
    pl_sctp_sack_init(&s->in, tsn, s->conf.sack_delay_us);
    pl_sctp_reset_init(s, s->my_tsn, tsn);
}

static void report_unknown(pl_sctp *s, const pl_sctp_init *in)
{
    uint8_t chunk[2 * PL_SCTP_QUOTE_MAX];
    pl_wr w = pl_wr_init(chunk, sizeof chunk);
    size_t error = pl_sctp_chunk_begin(&w, PL_SCTP_ERROR, 0);
    size_t cause = pl_sctp_param_begin(&w, PL_SCTP_CAUSE_UNRECOGNIZED_PARAMS);
    for (size_t i = 0; i < in->n_unknown; i++) {
        if (pl_wr_left(&w) < pl_sctp_pad4(pl_rd_left(&in->unknown[i])))
            break;
        pl_wr_bytes(&w, in->unknown[i].p, pl_rd_left(&in->unknown[i]));
        pl_wr_align(&w, 4);
    }
    pl_sctp_param_end(&w, cause);
    pl_sctp_chunk_end(&w, error);
    pl_sctp_reply_chunk(s, &w);
}

/* 5.1 C; in any other state it is old (5.2.3). */
void pl_sctp_on_init_ack(pl_sctp *s, pl_rd body)
{
    pl_sctp_init in;
    if (s->state != PL_SCTP_COOKIE_WAIT)
        return;
    if (pl_sctp_init_parse(&in, body) != PL_OK) {
        s->stats.bad_packets++;
        return;
    }
    if (!acceptable(s, &in)) {
        pl_sctp_end(s, PL_EPROTO, PL_SCTP_CAUSE_INVALID_PARAM, "unusable INIT ACK");
        return;
    }
    size_t room = s->conf.mtu - PL_SCTP_HEADER - PL_SCTP_CHUNK_HEADER;
    if (!in.cookie || in.cookie_len > room || in.cookie_len > PL_SCTP_COOKIE_MAX) {
        static const uint8_t missing[] = { 0, 0, 0, 1, 0, PL_SCTP_PARAM_COOKIE };
        refuse(s, in.tag, PL_SCTP_CAUSE_MISSING_PARAM, missing, sizeof missing);
        pl_sctp_end(s, PL_EPROTO, PL_SCTP_CAUSE_MISSING_PARAM, "INIT ACK without a cookie to use");
        return;
    }
    uint8_t *cookie = malloc(in.cookie_len + 1);
    if (!cookie)
        return; /* T1 asks again */
    memcpy(cookie, in.cookie, in.cookie_len);
    free(s->cookie);
    s->cookie = cookie;
    s->cookie_len = in.cookie_len;
    if (s->n_init_tries == 0) /* else which INIT it answers is not known */
        pl_sctp_begin_sending(s, s->now_us - (s->t1_us - s->rto.rto_us));
    s->n_init_tries = 0;
    adopt_peer(s, in.tag, in.tsn, in.a_rwnd, in.streams_out, in.streams_in, in.extensions);
    pl_sctp_enter(s, PL_SCTP_COOKIE_ECHOED, "INIT ACK");
    if (in.n_unknown > 0)
        report_unknown(s, &in);
}

static void establish(pl_sctp *s, const char *why)
{
    pl_sctp_enter(s, PL_SCTP_ESTABLISHED, why);
    free(s->cookie);
    s->cookie = NULL;
    s->n_errors = s->n_init_tries = s->n_stale = 0;
    s->preserve_ms = 0;
    if (s->rto.srtt_us == 0) /* the handshake's doubling is not the path's fault */
        pl_sctp_rto_init(&s->rto, s->conf.rto_initial_us, s->conf.rto_min_us, s->conf.rto_max_us);
    pl_sctp_purge_from(s, s->streams_out); /* for streams that the peer does not have */
    pl_sctp_reset_spare(s, s->streams_out);
    pl_sctp_restart_heartbeat(s);
    s->tells |= PL_SCTP_TELL_CONNECTED;
}

void pl_sctp_on_cookie_ack(pl_sctp *s)
{
    if (s->state == PL_SCTP_COOKIE_ECHOED) /* 5.1 E; else 5.2.5 */
        establish(s, "COOKIE ACK");
}

static void adopt_cookie(pl_sctp *s, const pl_sctp_cookie *c)
{
    adopt_peer(s, c->peer_tag, c->peer_tsn, c->peer_rwnd, c->peer_streams_out, c->peer_streams_in,
               c->extensions);
}

/* 5.2.4 A: the peer lost its memory. Both directions begin at their new numbers; what was under way is lost,
 * because nobody can say how much of it arrived. */
static void restart(pl_sctp *s, const pl_sctp_cookie *c)
{
    pl_sctp_forget_sent(s);
    pl_sctp_purge_from(s, 0);
    pl_sctp_streams_renumber(&s->out);
    pl_sctp_reassembly_restart(&s->re);
    pl_sctp_reset_clear(s);
    pl_sctp_reset_spare(s, 0);
    pl_sctp_streams_date_resets(&s->out);
    s->my_tag = c->my_tag;
    s->my_tsn = c->my_tsn;
    pl_sctp_outstanding_init(&s->sent, s->my_tsn);
    pl_sctp_mtu_forget(s);
    pl_sctp_cc_restart(&s->cc);
    s->first_pace = 0;
    s->burst_limit = s->cc.cwnd;
    pl_sctp_recovery_init(&s->recovery);
    s->heartbeat_out = false;
    pl_sctp_rto_init(&s->rto, s->conf.rto_initial_us, s->conf.rto_min_us, s->conf.rto_max_us);
    adopt_cookie(s, c);
    establish(s, "restarted by the peer");
    s->tells &= ~(unsigned)PL_SCTP_TELL_CONNECTED;
    s->tells |= PL_SCTP_TELL_RESTARTED;
}

static void cookie_in_shutdown(pl_sctp *s)
{
    uint8_t chunk[8];
    pl_wr w = pl_wr_init(chunk, sizeof chunk);
    size_t error = pl_sctp_chunk_begin(&w, PL_SCTP_ERROR, 0);
    pl_sctp_cause_write(&w, PL_SCTP_CAUSE_COOKIE_IN_SHUTDOWN, NULL, 0);
    pl_sctp_chunk_end(&w, error);
    pl_sctp_reply_chunk(s, &w);
    s->wants |= PL_SCTP_WANT_SHUTDOWN_ACK;
}

/* The table of 5.2.4. Returns whether a COOKIE ACK is due. */
static bool act_on_cookie(pl_sctp *s, const pl_sctp_cookie *c)
{
    bool mine = c->my_tag == s->my_tag, peers = c->peer_tag == s->peer_tag;
    bool beginning = s->state == PL_SCTP_COOKIE_WAIT || s->state == PL_SCTP_COOKIE_ECHOED;
    if (s->state == PL_SCTP_CLOSED) {
        adopt_cookie(s, c);
        establish(s, "COOKIE ECHO");
        pl_sctp_begin_sending(s, s->now_us - c->made_us);
        return true;
    }
    if (mine && peers) { /* D: the cookies crossed, or the COOKIE ACK was lost */
        if (s->state == PL_SCTP_COOKIE_ECHOED)
            establish(s, "COOKIE ECHO, both began");
        return true;
    }
    if (mine) { /* B: both began, and the peer's INIT ACK to us is still on its way, or was of an older try */
        if (beginning) {
            adopt_cookie(s, c);
            establish(s, "COOKIE ECHO, both began");
        }
        return beginning;
    }
    if (!peers && c->tie_mine == s->my_tag && c->tie_peer == s->peer_tag && c->tie_mine != 0) { /* A */
        if (s->state == PL_SCTP_SHUTDOWN_ACK_SENT) {
            cookie_in_shutdown(s);
            return false;
        }
        restart(s, c);
        return true;
    }
    return false; /* C, and what fits nowhere */
}

static void report_stale(pl_sctp *s, const pl_sctp_cookie *c)
{
    uint8_t packet[PL_SCTP_HEADER + 12];
    pl_wr w = pl_wr_init(packet, sizeof packet);
    pl_wr_zeros(&w, PL_SCTP_HEADER);
    size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_ERROR, 0);
    int64_t over_us = s->now_us - c->made_us - c->life_us;
    pl_sctp_cause_stale_cookie(&w, over_us > UINT32_MAX ? UINT32_MAX : (uint32_t)over_us);
    pl_sctp_chunk_end(&w, chunk);
    pl_sctp_reply_packet(s, c->peer_tag, &w);
}

/* 5.1.5 */
void pl_sctp_on_cookie_echo(pl_sctp *s, uint32_t packet_tag, pl_rd body)
{
    pl_sctp_cookie c;
    if (s->ended || pl_sctp_cookie_open(&c, s->key, body.p, pl_rd_left(&body)) != PL_OK ||
        c.my_tag != packet_tag) {
        s->stats.bad_packets++;
        return;
    }
    bool current = s->state != PL_SCTP_CLOSED && c.my_tag == s->my_tag && c.peer_tag == s->peer_tag;
    if (s->now_us - c.made_us > c.life_us && !current) {
        report_stale(s, &c);
        return;
    }
    if (act_on_cookie(s, &c))
        s->wants |= PL_SCTP_WANT_COOKIE_ACK;
}
