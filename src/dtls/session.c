#include "dtls/session.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/log.h"
#include "crypto/hmac.h"
#include "dtls/handshake.h"
#include "dtls/queue.h"
#include "dtls/record.h"
#include "dtls/trust.h"

enum {
    ALERT_WARNING = 1,
    ALERT_FATAL = 2,
    ALERT_CLOSE_NOTIFY = 0,
    ALERT_BAD_CERTIFICATE = 42,
    HS_FINISHED = 20,
    SMALL = 512, /* alerts and handshake messages of an established session */
};
/* How long a fatal alert in clear is doubted before it is believed. */
#define ALERT_DOUBT_US PL_SEC(1)

struct pl_dtls {
    pl_dtls_ctx *ctx;
    size_t mtu;
    int64_t first_rto_us;
    pl_log log;

    pl_dtls_state state, told;
    pl_dtls_role role;
    char reason[PL_DTLS_REASON_MAX];

    pl_dtls_hs *hs; /* from start until the handshake is complete or the session over */
    bool complete;
    pl_dtls_trust trust;
    pl_dtls_record record;
    uint64_t plain_seq;
    uint8_t finished[PL_DTLS_FINISHED_LEN];
    pl_srtp_keys srtp;
    const char *cipher, *group;

    pl_dtls_queue held; /* before start: early datagrams; then application data before its time, as records */
    pl_dtls_queue out;  /* datagrams to send */
    pl_dtls_queue in;   /* application data to be polled */

    int64_t start_us, handshake_us, rto_us;
    int64_t retransmit_us; /* deadline; NEVER while the flight still waits to be polled */
    int64_t give_up_us;
    int64_t believe_alert_us;

    uint64_t n_in, n_junk, n_early_dropped, n_retransmits, n_data_dropped, n_replayed;
};

const char *pl_dtls_state_str(pl_dtls_state s)
{
    static const char *const name[] = { "new", "connecting", "connected", "closed", "failed" };
    return name[s];
}

/* ---- state ---- */

static const uint8_t may_go[] = {
    [PL_DTLS_NEW] = 1 << PL_DTLS_CONNECTING | 1 << PL_DTLS_CLOSED,
    [PL_DTLS_CONNECTING] = 1 << PL_DTLS_CONNECTED | 1 << PL_DTLS_CLOSED | 1 << PL_DTLS_FAILED,
    [PL_DTLS_CONNECTED] = 1 << PL_DTLS_CLOSED | 1 << PL_DTLS_FAILED,
    [PL_DTLS_CLOSED] = 0,
    [PL_DTLS_FAILED] = 0,
};

static void stop_timers(pl_dtls *d)
{
    d->retransmit_us = d->give_up_us = d->believe_alert_us = PL_NEVER;
}

static void forget_handshake(pl_dtls *d)
{
    pl_dtls_hs_free(d->hs);
    d->hs = NULL;
    stop_timers(d);
    if (d->out.n == 0)
        pl_dtls_queue_clear(&d->out);
}

/* The only place where the state changes. */
static void enter(pl_dtls *d, pl_dtls_state to, const char *why)
{
    (void)may_go; /* without assertions */
    assert(may_go[d->state] & 1 << to);
    pl_log_debug(&d->log, "%s -> %s: %s", pl_dtls_state_str(d->state), pl_dtls_state_str(to), why);
    d->state = to;
    if (to != PL_DTLS_CLOSED && to != PL_DTLS_FAILED)
        return;
    snprintf(d->reason, sizeof d->reason, "%s", why);
    forget_handshake(d);
    pl_dtls_queue_clear(&d->held);
    pl_dtls_record_clear(&d->record);
    pl_wipe(&d->srtp, sizeof d->srtp);
}

static bool is_over(const pl_dtls *d)
{
    return d->state == PL_DTLS_CLOSED || d->state == PL_DTLS_FAILED;
}

/* ---- sending ---- */

static void say(pl_dtls *d, uint8_t type, const uint8_t *data, size_t len)
{
    size_t cap = PL_DTLS_HEADER_LEN + len + PL_DTLS_OVERHEAD, n;
    uint8_t *at = pl_dtls_queue_reserve(&d->out, PL_DTLS_OUT_MAX, cap);
    if (at && pl_dtls_record_seal(&d->record, type, data, len, at, cap, &n) == PL_OK)
        pl_dtls_queue_commit(&d->out, n);
}

static void say_alert(pl_dtls *d, uint8_t level, uint8_t description)
{
    if (d->complete)
        say(d, PL_DTLS_ALERT, (const uint8_t[]){ level, description }, 2);
    else if (d->hs && level == ALERT_FATAL)
        pl_dtls_hs_alert(d->hs, description);
}

/* The peer repeats its Finished because our last flight was lost: ChangeCipherSpec and Finished again, in one
 * datagram, with new record numbers (RFC 6347 4.2.4). */
static void repeat_last_flight(pl_dtls *d)
{
    enum { CAP = 2 * PL_DTLS_HEADER_LEN + 1 + PL_DTLS_FINISHED_LEN + PL_DTLS_OVERHEAD };
    uint8_t *at = pl_dtls_queue_reserve(&d->out, PL_DTLS_OUT_MAX, CAP);
    if (!at)
        return;
    pl_wr w = pl_wr_init(at, CAP);
    pl_wr_u8(&w, PL_DTLS_CCS);
    pl_wr_u16(&w, PL_DTLS_VERSION);
    pl_wr_u16(&w, 0);
    pl_wr_u16(&w, (uint16_t)(d->plain_seq >> 32));
    pl_wr_u32(&w, (uint32_t)d->plain_seq);
    pl_wr_u16(&w, 1);
    pl_wr_u8(&w, 1);
    d->plain_seq++;
    size_t n = 0;
    if (pl_dtls_record_seal(&d->record, PL_DTLS_HANDSHAKE, d->finished, sizeof d->finished, w.p,
                            pl_wr_left(&w), &n) != PL_OK)
        return;
    pl_dtls_queue_commit(&d->out, pl_wr_len(&w) + n);
    d->n_retransmits++;
}

/* ---- receiving ---- */

static void on_appdata(pl_dtls *d, const pl_dtls_rec *rec)
{
    if (d->state != PL_DTLS_CONNECTED) {
        if (!pl_dtls_queue_push(&d->held, PL_DTLS_IN_MAX, rec->raw, rec->raw_len))
            d->n_data_dropped++;
        return;
    }
    size_t room = pl_dtls_record_room(&d->record, rec), len = 0;
    uint8_t *at = pl_dtls_queue_reserve(&d->in, PL_DTLS_INBOX_MAX, room);
    if (!at) {
        d->n_data_dropped++;
        return;
    }
    pl_err err = pl_dtls_record_open(&d->record, rec, at, room, &len);
    if (err == PL_OK && len > 0)
        pl_dtls_queue_commit(&d->in, len);
    d->n_replayed += err == PL_EAGAIN;
    d->n_junk += err == PL_EPROTO;
}

static void on_alert(pl_dtls *d, const uint8_t *alert, size_t len)
{
    char why[PL_DTLS_REASON_MAX];
    if (len != 2 || (alert[0] != ALERT_FATAL && alert[1] != ALERT_CLOSE_NOTIFY))
        return;
    if (alert[1] == ALERT_CLOSE_NOTIFY) {
        say_alert(d, ALERT_WARNING, ALERT_CLOSE_NOTIFY); /* RFC 5246 7.2.1: answered with its like */
        enter(d, PL_DTLS_CLOSED, "closed by the peer");
        return;
    }
    snprintf(why, sizeof why, "alert of the peer: %s", pl_dtls_alert_str(alert[1]));
    enter(d, PL_DTLS_FAILED, why);
}

/* Alerts and handshake messages: HelloRequest and ClientHello would be a renegotiation, which WebRTC does not
 * have, and are dropped. */
static void on_control(pl_dtls *d, const pl_dtls_rec *rec)
{
    uint8_t plain[SMALL];
    size_t len = 0;
    pl_err err = pl_dtls_record_open(&d->record, rec, plain, sizeof plain, &len);
    d->n_replayed += err == PL_EAGAIN;
    d->n_junk += err == PL_EPROTO || err == PL_ENOSPC;
    if (err != PL_OK)
        return;
    if (rec->type == PL_DTLS_ALERT)
        on_alert(d, plain, len);
    else if (d->role == PL_DTLS_SERVER && len > 0 && plain[0] == HS_FINISHED)
        repeat_last_flight(d);
}

static void on_record(pl_dtls *d, const pl_dtls_rec *rec)
{
    if (rec->epoch == 0)
        return; /* what the peer repeats of its handshake, or anybody's alert */
    switch (rec->type) {
    case PL_DTLS_APPDATA: on_appdata(d, rec); break;
    case PL_DTLS_ALERT:
    case PL_DTLS_HANDSHAKE: on_control(d, rec); break;
    default: d->n_junk++; break;
    }
}

static void read_records(pl_dtls *d, pl_rd datagram)
{
    pl_dtls_rec rec;
    while (!is_over(d) && pl_dtls_rec_next(&datagram, &rec))
        on_record(d, &rec);
    d->n_junk += !is_over(d) && (pl_rd_left(&datagram) > 0 || !pl_rd_ok(&datagram));
}

/* ---- the handshake ---- */

/* What came before its time is read now, in order. */
static void release_held(pl_dtls *d)
{
    pl_dtls_queue held = d->held;
    const uint8_t *p;
    size_t len;
    d->held = (pl_dtls_queue){ 0 };
    for (; (p = pl_dtls_queue_peek(&held, &len)) != NULL; pl_dtls_queue_drop(&held))
        if (!is_over(d))
            read_records(d, pl_rd_init(p, len));
    pl_dtls_queue_clear(&held);
}

/* The handshake is complete: do we know whom we speak with? */
static void judge(pl_dtls *d, int64_t now_us)
{
    switch (pl_dtls_trust_ask(&d->trust)) {
    case PL_DTLS_UNKNOWN: break;
    case PL_DTLS_TRUSTED:
        if (!d->complete || d->state != PL_DTLS_CONNECTING)
            break;
        d->handshake_us = pl_max_us(now_us - d->start_us, 1);
        enter(d, PL_DTLS_CONNECTED, d->cipher);
        release_held(d);
        break;
    case PL_DTLS_STRANGER:
        say_alert(d, ALERT_FATAL, ALERT_BAD_CERTIFICATE);
        enter(d, PL_DTLS_FAILED, "the peer's certificate has none of the announced fingerprints");
        break;
    }
}

static void on_complete(pl_dtls *d, int64_t now_us)
{
    pl_dtls_result r;
    if (pl_dtls_hs_finish(d->hs, &r) != PL_OK) {
        enter(d, PL_DTLS_FAILED, "no memory for the keys");
        return;
    }
    d->complete = true;
    d->record = r.record;
    d->plain_seq = r.plain_seq;
    memcpy(d->finished, r.finished, sizeof d->finished);
    d->srtp = r.srtp;
    d->cipher = r.cipher;
    d->group = r.group;
    pl_wipe(&r, sizeof r);
    forget_handshake(d);
    judge(d, now_us);
}

static void on_new_flight(pl_dtls *d)
{
    d->rto_us = d->first_rto_us;
    d->retransmit_us = d->give_up_us = PL_NEVER; /* they start when the flight has been polled */
}

static void go_on(pl_dtls *d, int64_t now_us, pl_rd datagram)
{
    pl_dtls_hs_status status = pl_dtls_hs_feed(d->hs, &datagram);
    d->n_junk += pl_dtls_hs_take_junk(d->hs);
    if (pl_dtls_hs_flight_is_new(d->hs))
        on_new_flight(d);
    int alert = pl_dtls_hs_plain_alert(d->hs);
    if (alert < 0)
        d->believe_alert_us = PL_NEVER;
    else if (d->believe_alert_us == PL_NEVER)
        d->believe_alert_us = now_us + ALERT_DOUBT_US;
    switch (status) {
    case PL_DTLS_HS_GOING: d->n_junk += pl_rd_left(&datagram) > 0 || !pl_rd_ok(&datagram); break;
    case PL_DTLS_HS_FAILED: enter(d, PL_DTLS_FAILED, pl_dtls_hs_reason(d->hs)); break;
    case PL_DTLS_HS_DONE:
        on_complete(d, now_us);
        read_records(d, datagram);
        break;
    }
}

static void feed(pl_dtls *d, int64_t now_us, pl_rd datagram)
{
    if (d->complete)
        read_records(d, datagram);
    else
        go_on(d, now_us, datagram);
}

/* ---- verbs ---- */

pl_err pl_dtls_new(pl_dtls **out, const pl_dtls_conf *conf, int64_t now_us)
{
    pl_dtls *d = calloc(1, sizeof *d);
    if (!d)
        return PL_ENOMEM;
    size_t mtu = conf->mtu ? conf->mtu : PL_DTLS_MTU;
    d->ctx = pl_dtls_ctx_ref(conf->ctx);
    d->mtu = mtu < PL_DTLS_MTU_MIN ? PL_DTLS_MTU_MIN : mtu > PL_DTLS_MTU_MAX ? PL_DTLS_MTU_MAX : mtu;
    d->first_rto_us = conf->rto_us > 0 ? pl_min_us(conf->rto_us, PL_DTLS_RTO_MAX_US) : PL_DTLS_RTO_US;
    d->rto_us = d->first_rto_us;
    d->start_us = now_us;
    d->cipher = d->group = "";
    stop_timers(d);
    pl_log_name(&d->log, "dtls", conf->log_id);
    *out = d;
    return PL_OK;
}

pl_err pl_dtls_set_remote(pl_dtls *d, int64_t now_us, const pl_fingerprint *list, size_t n)
{
    if (is_over(d))
        return PL_ESTATE;
    pl_err err = pl_dtls_trust_want(&d->trust, list, n);
    if (err == PL_OK)
        judge(d, now_us);
    pl_dtls_check(d);
    return err;
}

pl_err pl_dtls_start(pl_dtls *d, int64_t now_us, pl_dtls_role role)
{
    if (d->state != PL_DTLS_NEW)
        return PL_ESTATE;
    pl_dtls_hs_conf conf = {
        .ctx = d->ctx, .role = role, .mtu = d->mtu, .trust = &d->trust, .out = &d->out, .held = &d->held
    };
    pl_err err = pl_dtls_hs_new(&d->hs, &conf);
    if (err != PL_OK)
        return err;
    d->role = role;
    d->start_us = now_us;
    enter(d, PL_DTLS_CONNECTING, role == PL_DTLS_CLIENT ? "as client" : "as server");
    go_on(d, now_us, pl_rd_init(NULL, 0));

    pl_dtls_queue early = d->held;
    const uint8_t *p;
    size_t len;
    d->held = (pl_dtls_queue){ 0 };
    for (; (p = pl_dtls_queue_peek(&early, &len)) != NULL; pl_dtls_queue_drop(&early))
        if (!is_over(d))
            feed(d, now_us, pl_rd_init(p, len));
    pl_dtls_queue_clear(&early);
    pl_dtls_check(d);
    return PL_OK;
}

/* RFC 7983: 20 to 63 is DTLS. */
static bool looks_right(const uint8_t *pkt, size_t len)
{
    return len >= PL_DTLS_HEADER_LEN && pkt[0] >= 20 && pkt[0] <= 63;
}

void pl_dtls_input(pl_dtls *d, int64_t now_us, const uint8_t *pkt, size_t len)
{
    d->n_in++;
    if (!looks_right(pkt, len)) {
        d->n_junk++;
    } else if (d->state == PL_DTLS_NEW) {
        if (len > PL_DTLS_EARLY_BYTES_MAX || !pl_dtls_queue_push(&d->held, PL_DTLS_EARLY_MAX, pkt, len))
            d->n_early_dropped++;
    } else if (!is_over(d)) {
        feed(d, now_us, pl_rd_init(pkt, len));
    }
    pl_dtls_check(d);
}

static void retransmit(pl_dtls *d)
{
    pl_dtls_hs_resend(d->hs);
    d->n_retransmits++;
    d->rto_us = pl_min_us(2 * d->rto_us, PL_DTLS_RTO_MAX_US);
    d->retransmit_us = PL_NEVER; /* until polled */
}

void pl_dtls_tick(pl_dtls *d, int64_t now_us)
{
    char why[PL_DTLS_REASON_MAX];
    if (now_us >= d->give_up_us) {
        enter(d, PL_DTLS_FAILED, "handshake: the peer does not answer");
    } else if (now_us >= d->believe_alert_us) {
        int alert = pl_dtls_hs_plain_alert(d->hs);
        snprintf(why, sizeof why, "handshake: alert of the peer: %s", pl_dtls_alert_str(alert));
        enter(d, PL_DTLS_FAILED, why);
    } else if (now_us >= d->retransmit_us) {
        retransmit(d);
    }
    pl_dtls_check(d);
}

int64_t pl_dtls_next_us(const pl_dtls *d)
{
    return pl_min_us(d->retransmit_us, pl_min_us(d->give_up_us, d->believe_alert_us));
}

/* A flight's timers start when its last datagram has been taken: while the transport is not up it just waits,
 * instead of piling up copies. */
static void start_timers(pl_dtls *d, int64_t now_us)
{
    if (!d->hs || d->out.n > 0 || !pl_dtls_hs_in_flight(d->hs) || d->retransmit_us != PL_NEVER)
        return;
    d->retransmit_us = now_us + d->rto_us;
    if (d->give_up_us == PL_NEVER)
        d->give_up_us = now_us + PL_DTLS_PATIENCE_US;
}

bool pl_dtls_poll_output(pl_dtls *d, int64_t now_us, pl_dgram *out)
{
    size_t len;
    const uint8_t *p = pl_dtls_queue_peek(&d->out, &len);
    if (!p || len > out->cap)
        return false;
    memcpy(out->data, p, len);
    out->len = len;
    out->segment = 0;
    pl_dtls_queue_drop(&d->out);
    if (d->out.n == 0 && !d->hs)
        pl_dtls_queue_clear(&d->out); /* an established session seldom speaks for itself */
    start_timers(d, now_us);
    pl_dtls_check(d);
    return true;
}

bool pl_dtls_poll_data(pl_dtls *d, uint8_t *buf, size_t cap, size_t *len)
{
    const uint8_t *p;
    size_t n;
    while ((p = pl_dtls_queue_peek(&d->in, &n)) != NULL) {
        bool fits = n <= cap;
        if (fits) {
            memcpy(buf, p, n);
            *len = n;
        }
        d->n_data_dropped += !fits;
        pl_dtls_queue_drop(&d->in);
        if (fits)
            return true;
    }
    return false;
}

bool pl_dtls_poll_event(pl_dtls *d, pl_dtls_event *out)
{
    if (d->told == d->state)
        return false;
    d->told = d->state;
    *out = (pl_dtls_event){ .state = d->state, .reason = d->reason };
    return true;
}

pl_err pl_dtls_protect(pl_dtls *d, const uint8_t *data, size_t len, uint8_t *out, size_t cap, size_t *out_len)
{
    if (d->state != PL_DTLS_CONNECTED)
        return PL_ESTATE;
    if (len == 0 || len > PL_DTLS_DATA_MAX)
        return PL_EINVAL;
    return pl_dtls_record_seal(&d->record, PL_DTLS_APPDATA, data, len, out, cap, out_len);
}

void pl_dtls_close(pl_dtls *d, int64_t now_us)
{
    (void)now_us;
    if (is_over(d))
        return;
    say_alert(d, ALERT_WARNING, ALERT_CLOSE_NOTIFY);
    enter(d, PL_DTLS_CLOSED, "closed here");
    pl_dtls_check(d);
}

pl_dtls_state pl_dtls_get_state(const pl_dtls *d)
{
    return d->state;
}

pl_err pl_dtls_export_srtp(const pl_dtls *d, pl_srtp_keys *out)
{
    if (d->state != PL_DTLS_CONNECTED)
        return PL_ESTATE;
    if (d->srtp.profile == PL_SRTP_NONE)
        return PL_ENOTSUP;
    *out = d->srtp;
    return PL_OK;
}

void pl_dtls_get_info(const pl_dtls *d, pl_dtls_info *out)
{
    *out = (pl_dtls_info){ .role = d->role,
                           .profile = d->srtp.profile,
                           .cipher = d->cipher,
                           .group = d->group,
                           .version = d->complete ? PL_DTLS_VERSION : 0,
                           .remote_cert = d->trust.der,
                           .remote_cert_len = d->trust.der_len,
                           .handshake_us = d->handshake_us,
                           .n_in = d->n_in,
                           .n_junk = d->n_junk,
                           .n_early_dropped = d->n_early_dropped,
                           .n_retransmits = d->n_retransmits,
                           .n_data_dropped = d->n_data_dropped,
                           .n_replayed = d->n_replayed };
    if (d->trust.der)
        (void)!pl_fingerprint_of(&out->remote, PL_HASH_SHA256, d->trust.der, d->trust.der_len);
}

void pl_dtls_check(const pl_dtls *d)
{
    bool shaking = d->state == PL_DTLS_CONNECTING && !d->complete;
    assert((d->hs != NULL) == shaking);
    assert(shaking || pl_dtls_next_us(d) == PL_NEVER);
    assert(d->state != PL_DTLS_CONNECTED || d->complete);
    assert(d->state == PL_DTLS_CONNECTED || d->state == PL_DTLS_CLOSED || d->state == PL_DTLS_FAILED ||
           d->in.n == 0);
    assert(!is_over(d) || d->held.n == 0);
    (void)shaking;
}

void pl_dtls_free(pl_dtls *d)
{
    if (!d)
        return;
    pl_dtls_hs_free(d->hs);
    pl_dtls_record_clear(&d->record);
    pl_dtls_trust_clear(&d->trust);
    pl_dtls_queue_clear(&d->held);
    pl_dtls_queue_clear(&d->out);
    pl_dtls_queue_clear(&d->in);
    pl_dtls_ctx_free(d->ctx);
    pl_wipe(d, sizeof *d);
    free(d);
}
