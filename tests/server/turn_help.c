#include "turn_help.h"

#include <time.h>
#include <unistd.h>

#include "crypto/cert.h"

pl_addr help_addr(const char *text)
{
    pl_addr a;
    PL_EQ(pl_addr_parse(&a, text, strlen(text)), PL_OK);
    return a;
}

/* ---- in ---- */

static void take_message(help_turn *t, const uint8_t *data, size_t len)
{
    pl_stun_msg m;
    pl_rd value;
    if (data[0] & 0x40) {
        t->channel = pl_get16(data);
        t->len = pl_get16(data + 2);
        PL_LE(t->len + 4, len);
        PL_LE(t->len, sizeof t->data);
        memcpy(t->data, data + 4, t->len);
        t->n_data++;
        return;
    }
    PL_EQ(pl_stun_parse(&m, data, len), PL_OK);
    if (m.cls == PL_STUN_INDICATION) {
        (void)!pl_stun_get_xor_addr(&m, PL_STUN_XOR_PEER_ADDRESS, &t->from);
        if (pl_stun_get_icmp(&m, &t->icmp) == PL_OK)
            t->n_icmp++;
        if (m.method == PL_STUN_CONNECTION_ATTEMPT) {
            PL_EQ(pl_stun_get_u32(&m, PL_STUN_CONNECTION_ID, &t->connection_id), PL_OK);
            t->n_attempts++;
        }
        if (pl_stun_find(&m, PL_STUN_DATA_ATTR, &value)) {
            t->channel = 0;
            t->len = pl_rd_left(&value);
            PL_LE(t->len, sizeof t->data);
            memcpy(t->data, value.p, t->len);
            t->n_data++;
        }
        return;
    }
    if (memcmp(m.id, t->id, sizeof t->id) != 0)
        return; /* a late one */
    PL_LE(len, sizeof t->answer);
    memcpy(t->answer, data, len);
    PL_EQ(pl_stun_parse(&t->msg, t->answer, len), PL_OK);
    t->answered = true;
}

static void take_stream(help_turn *t, const uint8_t *data, size_t len)
{
    PL_LE(t->n_in + len, sizeof t->in);
    memcpy(t->in + t->n_in, data, len);
    t->n_in += len;
    while (!t->raw && t->n_in > 0) {
        pl_stun_frame f = pl_stun_frame_next(t->in, t->n_in, 0);
        PL_OKAY(f.kind != PL_STUN_FRAME_BROKEN);
        if (f.kind == PL_STUN_FRAME_MORE)
            return;
        take_message(t, t->in + f.at, f.len);
        t->n_in -= f.advance;
        memmove(t->in, t->in + f.advance, t->n_in);
    }
}

static void flush_tls(help_turn *t)
{
    pl_buf cipher = pl_buf_init(1 << 20);
    pl_tls_output(t->tls, &cipher);
    if (cipher.n > 0)
        PL_EQ(pl_tcp_write(t->tcp, cipher.p, cipher.n), PL_OK);
    pl_buf_clear(&cipher);
}

static void flush_dtls(help_turn *t)
{
    uint8_t out[20000];
    pl_dgram d = { .path.remote = t->server, .data = out };
    while (pl_tls_dgram_poll_output(t->dtls, out, sizeof out, &d.len))
        PL_EQ(pl_udp_send(t->udp, &d), PL_OK);
}

static void on_stream(void *user, uint8_t *data, size_t len)
{
    help_turn *t = user;
    bool ended = false;
    if (!t->tls) {
        take_stream(t, data, len);
        return;
    }
    pl_buf plain = pl_buf_init(1 << 20);
    PL_EQ(pl_tls_input(t->tls, data, len, &plain, &ended), PL_OK);
    flush_tls(t);
    if (plain.n > 0)
        take_stream(t, (const uint8_t *)plain.p, plain.n);
    pl_buf_clear(&plain);
}

static void on_connected(void *user)
{
    help_turn *t = user;
    t->connected = true;
    if (t->tls)
        flush_tls(t);
}

static void on_closed(void *user, pl_err err)
{
    (void)err;
    ((help_turn *)user)->closed = true;
}

static void on_datagrams(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    help_turn *t = user;
    for (size_t i = 0; i < n; i++) {
        uint8_t record[20000];
        size_t len;
        if (!t->dtls) {
            take_message(t, batch[i].data, batch[i].len);
            continue;
        }
        PL_EQ(pl_tls_dgram_input(t->dtls, now_us, batch[i].data, batch[i].len), PL_OK);
        while (pl_tls_dgram_poll_data(t->dtls, record, sizeof record, &len))
            take_message(t, record, len);
        flush_dtls(t);
    }
}

/* ---- life ---- */

static char pem_file[] = "/tmp/turn_help_XXXXXX";

static void remove_file(void)
{
    unlink(pem_file);
}

const char *help_certificate(void)
{
    static bool made;
    if (made)
        return pem_file;
    pl_cert *c;
    pl_buf pem = pl_buf_init(PL_CERT_PEM_MAX);
    int fd = mkstemp(pem_file);
    PL_GE(fd, 0);
    PL_EQ(pl_cert_new(&c, &(pl_cert_conf){ .now_s = time(NULL) }), PL_OK);
    PL_EQ(pl_cert_write_pem(c, &pem), PL_OK);
    PL_EQ(write(fd, pem.p, pem.n), pem.n);
    close(fd);
    pl_buf_clear(&pem);
    pl_cert_free(c);
    atexit(remove_file);
    made = true;
    return pem_file;
}

static void open_stream(help_turn *t)
{
    pl_tcp_conf conf = { .on = { on_connected, on_stream, NULL, on_closed }, .user = t };
    PL_EQ(pl_tcp_connect(&t->tcp, t->loop, &t->server, &conf), PL_OK);
    HELP_UNTIL(t->loop, t->connected && (!t->tls || pl_tls_is_ready(t->tls)));
}

static void open_dgram(help_turn *t)
{
    pl_udp_conf conf = { .bind = t->server, .fn = on_datagrams, .user = t };
    conf.bind.port = 0;
    PL_EQ(pl_udp_open(&t->udp, t->loop, &conf), PL_OK);
    if (t->dtls) {
        flush_dtls(t);
        HELP_UNTIL(t->loop, pl_tls_dgram_is_ready(t->dtls));
    }
}

help_turn *help_turn_open(pl_loop *loop, pl_relay_transport how, const pl_addr *server)
{
    help_turn *t = calloc(1, sizeof *t);
    PL_OKAY(t != NULL);
    t->loop = loop;
    t->how = how;
    t->server = *server;
    if (how == PL_RELAY_TLS || how == PL_RELAY_DTLS) {
        pl_tls_conf conf = { .datagrams = how == PL_RELAY_DTLS, .trust_all = true };
        PL_EQ(pl_tls_ctx_new(&t->ctx, &conf), PL_OK);
    }
    if (how == PL_RELAY_TLS)
        PL_EQ(pl_tls_new(&t->tls, t->ctx, NULL), PL_OK);
    if (how == PL_RELAY_DTLS)
        PL_EQ(pl_tls_dgram_new(&t->dtls, t->ctx, NULL, 0, pl_loop_now_us(loop)), PL_OK);
    if (how == PL_RELAY_TCP || how == PL_RELAY_TLS)
        open_stream(t);
    else
        open_dgram(t);
    return t;
}

void help_turn_close(help_turn *t)
{
    pl_udp_close(t->udp);
    pl_tcp_close(t->tcp);
    pl_tls_free(t->tls);
    pl_tls_dgram_free(t->dtls);
    pl_tls_ctx_free(t->ctx);
    free(t);
}

void help_turn_login(help_turn *t, const char *user, const char *password)
{
    PL_EQ(pl_stun_cred_set(&t->cred, pl_str_of(user), pl_str_of(password)), PL_OK);
}

/* ---- out ---- */

void help_turn_raw(help_turn *t, const void *data, size_t len)
{
    if (t->udp && !t->dtls) {
        pl_dgram d = { .path.remote = t->server, .data = (uint8_t *)(uintptr_t)data, .len = len };
        PL_EQ(pl_udp_send(t->udp, &d), PL_OK);
    } else if (t->dtls) {
        PL_EQ(pl_tls_dgram_write(t->dtls, data, len), PL_OK);
        flush_dtls(t);
    } else if (t->tls) {
        PL_EQ(pl_tls_write(t->tls, data, len), PL_OK);
        flush_tls(t);
    } else {
        size_t step = t->write_bytes ? t->write_bytes : len;
        for (size_t at = 0; at < len; at += step) {
            PL_EQ(pl_tcp_write(t->tcp, (const uint8_t *)data + at, len - at < step ? len - at : step), PL_OK);
            if (t->write_bytes)
                PL_EQ(pl_loop_run_once(t->loop, 0), PL_OK);
        }
    }
}

static void send_request(help_turn *t, uint16_t method, help_fill fill, const void *arg,
                         pl_stun_cred_try *try)
{
    uint8_t pkt[2048];
    pl_rand_bytes(&(pl_rand){ 0 }, t->id, sizeof t->id);
    pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_REQUEST, method, t->id);
    if (fill)
        fill(&s, arg);
    if (pl_stun_cred_is_set(&t->cred))
        pl_stun_cred_put(&t->cred, &s, try);
    size_t len = pl_stun_end(&s);
    PL_GE(len, 20);
    t->answered = false;
    help_turn_raw(t, pkt, len);
}

uint16_t help_turn_ask(help_turn *t, uint16_t method, help_fill fill, const void *arg)
{
    pl_stun_cred_try try = { 0 };
    for (;;) {
        uint16_t code = 0;
        pl_str reason;
        send_request(t, method, fill, arg, &try);
        HELP_UNTIL(t->loop, t->answered);
        if (t->msg.cls == PL_STUN_SUCCESS)
            return 0;
        PL_EQ(pl_stun_get_error(&t->msg, &code, &reason), PL_OK);
        if (!pl_stun_cred_is_set(&t->cred) ||
            pl_stun_cred_on_error(&t->cred, &t->msg, &try) != PL_STUN_CRED_RETRY)
            return code;
    }
}

static void fill_allocate(pl_stun_wr *s, const void *arg)
{
    (void)arg;
    pl_stun_put_u8(s, PL_STUN_REQUESTED_TRANSPORT, 17);
}

uint16_t help_turn_allocate(help_turn *t, pl_addr *relayed)
{
    uint16_t code = help_turn_ask(t, PL_STUN_ALLOCATE, fill_allocate, NULL);
    if (code == 0)
        PL_EQ(pl_stun_get_xor_addr(&t->msg, PL_STUN_XOR_RELAYED_ADDRESS, relayed), PL_OK);
    return code;
}

static void fill_peer(pl_stun_wr *s, const void *arg)
{
    pl_stun_put_xor_addr(s, PL_STUN_XOR_PEER_ADDRESS, arg);
}

uint16_t help_turn_permit(help_turn *t, const pl_addr *peer)
{
    return help_turn_ask(t, PL_STUN_CREATE_PERMISSION, fill_peer, peer);
}

struct bind_args {
    uint16_t channel;
    const pl_addr *peer;
};

static void fill_bind(pl_stun_wr *s, const void *arg)
{
    const struct bind_args *b = arg;
    pl_stun_put_u16(s, PL_STUN_CHANNEL_NUMBER, b->channel);
    pl_stun_put_xor_addr(s, PL_STUN_XOR_PEER_ADDRESS, b->peer);
}

uint16_t help_turn_bind(help_turn *t, uint16_t channel, const pl_addr *peer)
{
    return help_turn_ask(t, PL_STUN_CHANNEL_BIND, fill_bind, &(struct bind_args){ channel, peer });
}

static void fill_lifetime(pl_stun_wr *s, const void *arg)
{
    pl_stun_put_u32(s, PL_STUN_LIFETIME, *(const uint32_t *)arg);
}

uint16_t help_turn_refresh(help_turn *t, uint32_t lifetime_s)
{
    return help_turn_ask(t, PL_STUN_REFRESH, fill_lifetime, &lifetime_s);
}

void help_turn_send(help_turn *t, uint16_t channel, const pl_addr *peer, const void *data, size_t len)
{
    uint8_t pkt[2048] = { 0 }, id[PL_STUN_ID_LEN] = { 0 };
    size_t n;
    if (channel) {
        bool stream = t->tcp != NULL;
        pl_stun_channel_put(pkt, channel, (uint16_t)len);
        memcpy(pkt + 4, data, len);
        n = 4 + len + (stream ? pl_stun_channel_pad(4 + len) : 0);
    } else {
        pl_stun_wr s = pl_stun_begin(pkt, sizeof pkt, PL_STUN_INDICATION, PL_STUN_SEND, id);
        pl_stun_put_xor_addr(&s, PL_STUN_XOR_PEER_ADDRESS, peer);
        pl_stun_put(&s, PL_STUN_DATA_ATTR, data, len);
        n = pl_stun_end(&s);
    }
    help_turn_raw(t, pkt, n);
}

/* ---- peers ---- */

static void on_peer(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    help_peer *p = user;
    (void)now_us;
    for (size_t i = 0; i < n; i++) {
        p->from = batch[i].path->remote;
        p->len = batch[i].len;
        PL_LE(p->len, sizeof p->data);
        memcpy(p->data, batch[i].data, p->len);
        p->n++;
    }
}

help_peer *help_peer_open(pl_loop *loop, const char *bind)
{
    help_peer *p = calloc(1, sizeof *p);
    PL_OKAY(p != NULL);
    pl_udp_conf conf = { .bind = help_addr(bind), .fn = on_peer, .user = p };
    PL_EQ(pl_udp_open(&p->udp, loop, &conf), PL_OK);
    return p;
}

void help_peer_close(help_peer *p)
{
    pl_udp_close(p->udp);
    free(p);
}

void help_peer_send(help_peer *p, const pl_addr *to, const void *data, size_t len)
{
    pl_dgram d = { .path.remote = *to, .data = (uint8_t *)(uintptr_t)data, .len = len };
    PL_EQ(pl_udp_send(p->udp, &d), PL_OK);
}
