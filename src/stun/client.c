#include "stun/client.h"

#include <assert.h>
#include <stdlib.h>

#include "crypto/hmac.h"
#include "stun/credentials.h"
#include "stun/integrity.h"

enum { SOFTWARE_MAX = 127 };

typedef enum client_state {
    ASKING, /* a transaction is under way */
    MOVING, /* a stream to the next server is being made */
    OVER    /* the last event is there, or taken */
} client_state;

struct pl_stun_client {
    pl_stun_client_conf conf; /* its texts point into the fields below */
    char software[SOFTWARE_MAX + 1];
    pl_stun_cred cred; /* also keeps short-term names */
    pl_stun_cred_try try;
    client_state state;
    pl_stun_tx tx;
    uint8_t request[PL_STUN_CLIENT_REQUEST_MAX];
    size_t request_len;
    bool is_signed; /* the request carries an integrity, so its answer must */
    pl_addr server;
    pl_addr asked[PL_STUN_CLIENT_HOPS_MAX + 1]; /* servers so far, this one included */
    size_t n_asked;
    bool has_event;
    pl_stun_client_event event;
    pl_stun_client_counters count;
};

/* ---- one transaction ---- */

static void put_credentials(pl_stun_client *c, pl_stun_wr *s)
{
    pl_str password = pl_str_of(c->cred.password);
    c->is_signed = false;
    if (c->conf.credentials == PL_STUN_CRED_LONG_TERM) {
        pl_stun_cred_put(&c->cred, s, &c->try);
        c->is_signed = c->try.authed;
    } else if (c->conf.credentials == PL_STUN_CRED_SHORT_TERM) {
        /* Both, because nobody has told us which one the server knows (RFC 8489 9.1.2). */
        pl_stun_put_str(s, PL_STUN_USERNAME, pl_str_of(c->cred.username));
        pl_stun_put_integrity(s, password.p, password.n);
        pl_stun_put_integrity256(s, password.p, password.n, PL_STUN_SHA256_LEN);
        c->is_signed = true;
    }
}

static void build_request(pl_stun_client *c)
{
    pl_stun_wr s = pl_stun_begin(c->request, sizeof c->request, PL_STUN_REQUEST, PL_STUN_BINDING, c->tx.id);
    if (c->conf.classic) {
        pl_rand_bytes(&c->conf.rand, c->request + 4, 4); /* 128 bits of id, and no cookie */
        c->request[4] |= 0x80;                           /* the cookie's first bit is zero */
    } else {
        if (c->software[0])
            pl_stun_put_str(&s, PL_STUN_SOFTWARE, pl_str_of(c->software));
        put_credentials(c, &s);
        if (c->conf.fingerprint)
            pl_stun_put_fingerprint(&s);
    }
    c->request_len = pl_stun_end(&s);
    assert(c->request_len > 0);
}

static void ask(pl_stun_client *c, int64_t now_us)
{
    pl_stun_tx_conf once = { .rto_us = c->conf.ti_us, .rc = 1, .rm = 1 };
    pl_stun_tx_start(&c->tx, c->conf.stream ? &once : &c->conf.tx, &c->conf.rand, now_us);
    c->state = ASKING;
    build_request(c);
}

static void finish(pl_stun_client *c, const pl_stun_client_event *event)
{
    c->event = *event;
    c->event.server = c->server;
    c->event.n_sent = c->tx.n_sent;
    c->has_event = true;
    c->state = OVER;
}

static void fail(pl_stun_client *c, pl_err err, uint16_t code)
{
    finish(c,
           &(pl_stun_client_event){ .kind = PL_STUN_CLIENT_FAILED, .err = err, .code = code, .rtt_us = -1 });
}

/* ---- other servers ---- */

static bool was_asked(const pl_stun_client *c, const pl_addr *server)
{
    for (size_t i = 0; i < c->n_asked; i++) {
        if (pl_addr_eq(&c->asked[i], server))
            return true;
    }
    return false;
}

/* The first ALTERNATE-SERVER of the family we use: the other one may be unreachable from here. */
static bool find_alternate(const pl_stun_client *c, const pl_stun_msg *m, pl_addr *to)
{
    pl_err err;
    for (unsigned n = 0; (err = pl_stun_get_addr_nth(m, PL_STUN_ALTERNATE_SERVER, n, to)) != PL_ENOTSUP;
         n++) {
        if (!err && to->family == c->server.family && to->port)
            return true;
    }
    return false;
}

/* RFC 8489 10. A server that was asked already would send us in a circle. */
static void follow(pl_stun_client *c, int64_t now_us, const pl_stun_msg *m)
{
    pl_addr to;
    pl_str domain;
    if (!find_alternate(c, m, &to) || was_asked(c, &to) || c->n_asked > PL_STUN_CLIENT_HOPS_MAX) {
        fail(c, PL_EPROTO, 300);
        return;
    }
    c->server = to;
    c->asked[c->n_asked++] = to;
    c->count.redirects++;
    pl_stun_cred_forget(&c->cred);
    c->try = (pl_stun_cred_try){ 0 };
    if (!c->conf.stream) {
        ask(c, now_us);
        return;
    }
    c->state = MOVING;
    c->event = (pl_stun_client_event){ .kind = PL_STUN_CLIENT_MOVED, .server = to, .rtt_us = -1 };
    if (!pl_stun_get_str(m, PL_STUN_ALTERNATE_DOMAIN, &domain))
        (void)pl_str_copy(domain, c->event.domain, sizeof c->event.domain);
    c->has_event = true;
}

void pl_stun_client_connected(pl_stun_client *c, int64_t now_us)
{
    if (c->state == MOVING)
        ask(c, now_us);
    pl_stun_client_check(c);
}

/* ---- answers ---- */

static bool is_answer(const pl_stun_client *c, const pl_path *path, const pl_stun_msg *m)
{
    bool from_server = !path || c->conf.stream || pl_addr_eq(&path->remote, &c->server);
    return from_server && c->tx.n_sent > 0 && m->method == PL_STUN_BINDING &&
           (m->cls == PL_STUN_SUCCESS || m->cls == PL_STUN_ERROR) &&
           memcmp(m->pkt + 4, c->request + 4, 4 + PL_STUN_ID_LEN) == 0 &&
           pl_stun_check_fingerprint(m) != PL_EPROTO;
}

static bool is_genuine(const pl_stun_client *c, const pl_stun_msg *m)
{
    pl_str password = pl_str_of(c->cred.password);
    if (!c->is_signed)
        return true;
    if (c->conf.credentials == PL_STUN_CRED_LONG_TERM)
        return pl_stun_cred_check(&c->cred, m) == PL_OK;
    return m->integrity256_at ? !pl_stun_check_integrity256(m, password.p, password.n)
                              : !pl_stun_check_integrity(m, password.p, password.n);
}

/* On a stream nobody else can have sent it, and nothing further will come (RFC 8489 9.1.4). */
static void on_forged(pl_stun_client *c)
{
    c->count.forged++;
    if (c->conf.stream)
        fail(c, PL_EPROTO, 0);
}

static void on_success(pl_stun_client *c, int64_t now_us, const pl_stun_msg *m)
{
    pl_stun_client_event e = { .kind = PL_STUN_CLIENT_ANSWER };
    pl_str software;
    int64_t rtt_us;
    if (m->n_unknown || (pl_stun_get_xor_addr(m, PL_STUN_XOR_MAPPED_ADDRESS, &e.mapped) &&
                         pl_stun_get_addr(m, PL_STUN_MAPPED_ADDRESS, &e.mapped))) {
        fail(c, PL_EPROTO, 0);
        return;
    }
    if (pl_stun_get_addr(m, PL_STUN_OTHER_ADDRESS, &e.other))
        (void)!pl_stun_get_addr(m, PL_STUN_CHANGED_ADDRESS, &e.other);
    if (pl_stun_get_addr(m, PL_STUN_RESPONSE_ORIGIN, &e.origin))
        (void)!pl_stun_get_addr(m, PL_STUN_SOURCE_ADDRESS, &e.origin);
    if (!pl_stun_get_str(m, PL_STUN_SOFTWARE, &software)) {
        software.n = software.n < sizeof e.software ? software.n : sizeof e.software - 1;
        (void)pl_str_copy(software, e.software, sizeof e.software);
    }
    e.rtt_us = pl_stun_tx_rtt(&c->tx, now_us, &rtt_us) ? rtt_us : -1;
    finish(c, &e);
}

static void on_refusal(pl_stun_client *c, int64_t now_us, const pl_stun_msg *m, uint16_t code)
{
    if (code == 300) {
        follow(c, now_us, m);
        return;
    }
    fail(c, PL_ENOTSUP, code);
}

static void on_challenge(pl_stun_client *c, int64_t now_us, const pl_stun_msg *m, uint16_t code)
{
    pl_stun_cred_verdict verdict = PL_STUN_CRED_REFUSED;
    if (c->conf.credentials == PL_STUN_CRED_LONG_TERM)
        verdict = pl_stun_cred_on_error(&c->cred, m, &c->try);
    if (verdict == PL_STUN_CRED_RETRY) {
        c->count.challenges++;
        ask(c, now_us);
    } else {
        fail(c, verdict == PL_STUN_CRED_BROKEN ? PL_EPROTO : PL_ENOTSUP, code);
    }
}

static void on_error(pl_stun_client *c, int64_t now_us, const pl_stun_msg *m)
{
    uint16_t code;
    pl_str reason;
    if (pl_stun_get_error(m, &code, &reason))
        fail(c, PL_EPROTO, 0);
    else if (code == 401 || code == 438) /* never signed: whoever asks so does not know us yet */
        on_challenge(c, now_us, m, code);
    else if (!is_genuine(c, m))
        on_forged(c);
    else
        on_refusal(c, now_us, m, code);
}

void pl_stun_client_input(pl_stun_client *c, int64_t now_us, const pl_path *path, const void *pkt, size_t len)
{
    pl_stun_msg m;
    if (c->state != ASKING || pl_stun_parse(&m, pkt, len) || !is_answer(c, path, &m))
        c->count.ignored++;
    else if (m.cls == PL_STUN_ERROR)
        on_error(c, now_us, &m);
    else if (!is_genuine(c, &m))
        on_forged(c);
    else
        on_success(c, now_us, &m);
    pl_stun_client_check(c);
}

/* ---- verbs ---- */

pl_err pl_stun_client_new(pl_stun_client **out, const pl_stun_client_conf *conf, int64_t now_us)
{
    *out = NULL;
    if (conf->server.family == PL_AF_NONE || conf->software.n > SOFTWARE_MAX)
        return PL_EINVAL;
    pl_stun_client *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    c->conf = *conf;
    c->conf.username = c->conf.password = c->conf.software = (pl_str){ 0 };
    c->conf.ti_us = conf->ti_us > 0 ? conf->ti_us : PL_MS(39500);
    bool fits = pl_str_copy(conf->software, c->software, sizeof c->software) || conf->software.n == 0;
    if (fits && conf->credentials != PL_STUN_CRED_NONE)
        fits = pl_stun_cred_set(&c->cred, conf->username, conf->password) == PL_OK;
    if (!fits) {
        pl_stun_client_free(c);
        return PL_EINVAL;
    }
    c->server = c->asked[0] = conf->server;
    c->n_asked = 1;
    ask(c, now_us);
    *out = c;
    return PL_OK;
}

void pl_stun_client_tick(pl_stun_client *c, int64_t now_us)
{
    if (c->state == ASKING && pl_stun_tx_dead(&c->tx, now_us))
        fail(c, c->count.forged ? PL_EPROTO : PL_EIO, 0);
    pl_stun_client_check(c);
}

int64_t pl_stun_client_next_us(const pl_stun_client *c)
{
    return c->state == ASKING ? pl_stun_tx_next_us(&c->tx) : PL_NEVER;
}

bool pl_stun_client_poll_output(pl_stun_client *c, int64_t now_us, pl_dgram *out)
{
    if (c->state != ASKING || !pl_stun_tx_due(&c->tx, now_us) || out->cap < c->request_len)
        return false;
    memcpy(out->data, c->request, c->request_len);
    out->len = c->request_len;
    out->segment = 0;
    out->path.remote = c->server;
    out->path.proto = c->conf.stream ? PL_TCP : PL_UDP;
    pl_stun_tx_sent(&c->tx, now_us);
    c->count.sent++;
    return true;
}

bool pl_stun_client_poll_event(pl_stun_client *c, pl_stun_client_event *out)
{
    if (!c->has_event)
        return false;
    *out = c->event;
    c->has_event = false;
    return true;
}

void pl_stun_client_check(const pl_stun_client *c)
{
    assert(c->n_asked >= 1 && c->n_asked <= PL_STUN_CLIENT_HOPS_MAX + 1);
    assert(pl_addr_eq(&c->server, &c->asked[c->n_asked - 1]));
    assert(c->state != ASKING || (c->request_len >= PL_STUN_HEADER_LEN && !c->has_event) ||
           c->event.kind == PL_STUN_CLIENT_MOVED);
    assert(c->state != MOVING || c->conf.stream);
}

void pl_stun_client_free(pl_stun_client *c)
{
    if (!c)
        return;
    pl_wipe(c, sizeof *c);
    free(c);
}

const pl_stun_client_counters *pl_stun_client_get_counters(const pl_stun_client *c)
{
    return &c->count;
}
