#include "cli/nat_probe.h"

#include <string.h>

#include "net/ifaddr.h"
#include "net/tcp.h"
#include "net/tls.h"
#include "net/tls_dgram.h"
#include "net/udp.h"
#include "stun/stream.h"

enum { LOOK_US = 250000, STREAM_MAX = 16 * 1024, DGRAM_MAX = 2048 };

/* ---- discovery ---- */

typedef struct discovery discovery;
typedef struct probe_socket {
    discovery *of;
    unsigned number;
    pl_udp *udp;
} probe_socket;

struct discovery {
    const pl_nat_net *net;
    pl_stun_nat *nat;
    probe_socket sockets[PL_STUN_NAT_N_SOCKETS];
    pl_timer timer;
    pl_stun_nat_event at;
};

static void pump_discovery(discovery *d, int64_t now_us)
{
    uint8_t buf[PL_STUN_NAT_DGRAM_MAX];
    unsigned socket;
    pl_dgram out = { .data = buf, .cap = sizeof buf };
    while (pl_stun_nat_poll_output(d->nat, now_us, &out, &socket))
        (void)pl_udp_send(d->sockets[socket].udp, &out);
    while (pl_stun_nat_poll_event(d->nat, &d->at))
        continue;
    pl_timer_set(d->net->loop, &d->timer, pl_stun_nat_next_us(d->nat));
}

static void on_probe(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    probe_socket *s = user;
    for (size_t i = 0; i < n; i++)
        pl_stun_nat_input(s->of->nat, now_us, s->number, &batch[i].path->remote, batch[i].data, batch[i].len);
    pump_discovery(s->of, now_us);
}

static void on_discovery_time(void *arg, int64_t now_us)
{
    discovery *d = arg;
    pl_stun_nat_tick(d->nat, now_us);
    pump_discovery(d, now_us);
}

static pl_err open_sockets(discovery *d, const pl_addr *local, pl_stun_nat_conf *conf)
{
    for (unsigned i = 0; i < PL_STUN_NAT_N_SOCKETS; i++) {
        probe_socket *s = &d->sockets[i];
        *s = (probe_socket){ .of = d, .number = i };
        pl_udp_conf udp = { .bind = *local, .fn = on_probe, .user = s, .offload = PL_UDP_OFFLOAD_OFF };
        pl_err err = pl_udp_open(&s->udp, d->net->loop, &udp);
        if (err)
            return err;
        conf->local[i] = *pl_udp_addr(s->udp);
    }
    return PL_OK;
}

static void run_discovery(discovery *d)
{
    int64_t start_us = pl_clock_us();
    pump_discovery(d, pl_loop_now_us(d->net->loop));
    while (d->at.stage != PL_NAT_STAGE_DONE) {
        if (d->net->progress)
            d->net->progress(&d->at, pl_clock_us() - start_us);
        (void)pl_loop_run_once(d->net->loop, LOOK_US);
    }
}

static pl_err source_of(const pl_nat_net *net, const pl_addr *server, pl_addr *local)
{
    *local = net->local;
    return local->family == PL_AF_NONE ? pl_ifaddr_source(local, server) : PL_OK;
}

pl_err pl_nat_discover(const pl_nat_net *net, const pl_addr *server, const pl_stun_nat_conf *how,
                       pl_nat_result *out)
{
    discovery d = { .net = net, .timer = { .fn = on_discovery_time, .arg = &d } };
    pl_stun_nat_conf conf = *how;
    pl_addr local;
    conf.server = *server;
    *out = (pl_nat_result){ 0 };
    pl_err err = source_of(net, server, &local);
    if (!err)
        err = open_sockets(&d, &local, &conf);
    if (!err)
        err = pl_stun_nat_new(&d.nat, &conf, pl_loop_now_us(net->loop));
    if (!err) {
        run_discovery(&d);
        *out = *pl_stun_nat_get_result(d.nat);
        pl_timer_cancel(net->loop, &d.timer);
        pl_stun_nat_free(d.nat);
    }
    for (unsigned i = 0; i < PL_STUN_NAT_N_SOCKETS; i++)
        pl_udp_close(d.sockets[i].udp);
    return err;
}

/* ---- one Binding ---- */

typedef struct binding {
    const pl_nat_net *net;
    pl_nat_binding *out;
    pl_stun_transport transport;
    pl_addr server;
    char host[PL_STUN_CLIENT_DOMAIN_MAX + 1]; /* the certificate's, of the server we are with */
    pl_stun_client *client;
    pl_tcp *tcp;
    pl_udp *udp;
    pl_tls_ctx *ctx;
    pl_tls *tls;
    pl_tls_dgram *dtls;
    bool connected; /* tcp takes bytes */
    pl_buf in;      /* of the stream, decrypted, from a message's first byte on */
    pl_timer timer;
    int64_t start_us, end_us;
    bool done;
} binding;

static void end(binding *b, const char *failure)
{
    if (b->done)
        return;
    b->done = true;
    b->out->failure = failure;
}

static void hang_up(binding *b)
{
    pl_tcp_close(b->tcp);
    pl_udp_close(b->udp);
    pl_tls_free(b->tls);
    pl_tls_dgram_free(b->dtls);
    pl_buf_clear(&b->in);
    b->tcp = NULL;
    b->udp = NULL;
    b->tls = NULL;
    b->dtls = NULL;
    b->connected = false;
    b->in = pl_buf_init(STREAM_MAX);
}

static void send_cipher(binding *b)
{
    pl_buf cipher = pl_buf_init(STREAM_MAX);
    if (b->tls && b->connected)
        pl_tls_output(b->tls, &cipher);
    if (cipher.n && pl_tcp_write(b->tcp, cipher.p, cipher.n))
        end(b, "the connection broke");
    pl_buf_clear(&cipher);
}

static void send_records(binding *b)
{
    uint8_t buf[DGRAM_MAX];
    pl_dgram d = { .path = { .remote = b->server }, .data = buf };
    while (b->dtls && pl_tls_dgram_poll_output(b->dtls, buf, sizeof buf, &d.len))
        (void)pl_udp_send(b->udp, &d);
}

static pl_err send_message(binding *b, const pl_dgram *d)
{
    switch (b->transport) {
    case PL_STUN_UDP: return pl_udp_send(b->udp, d);
    case PL_STUN_TCP: return pl_tcp_write(b->tcp, d->data, d->len);
    case PL_STUN_TLS: return pl_tls_write(b->tls, d->data, d->len);
    case PL_STUN_DTLS: return pl_tls_dgram_write(b->dtls, d->data, d->len);
    }
    return PL_EINVAL;
}

static bool is_stream(const binding *b)
{
    return b->transport == PL_STUN_TCP || b->transport == PL_STUN_TLS;
}

static void dial(binding *b);

static void on_client_event(binding *b, const pl_stun_client_event *e)
{
    if (e->kind == PL_STUN_CLIENT_MOVED) {
        b->server = e->server;
        if (e->domain[0])
            memcpy(b->host, e->domain, sizeof b->host);
        hang_up(b);
        dial(b);
        return;
    }
    b->out->event = *e;
    end(b, e->kind == PL_STUN_CLIENT_ANSWER ? NULL
           : e->err == PL_EIO               ? "there is no answer"
           : e->err == PL_EPROTO            ? "the answer cannot be believed"
                                            : "the server refuses");
}

static void pump(binding *b)
{
    uint8_t buf[PL_STUN_CLIENT_REQUEST_MAX];
    pl_dgram d = { .data = buf, .cap = sizeof buf };
    pl_stun_client_event e;
    int64_t now_us = pl_loop_now_us(b->net->loop), next_us = b->end_us;
    while (b->client && !b->done && pl_stun_client_poll_output(b->client, now_us, &d)) {
        if (send_message(b, &d) && is_stream(b))
            end(b, "the connection broke");
    }
    send_cipher(b);
    send_records(b);
    while (b->client && !b->done && pl_stun_client_poll_event(b->client, &e))
        on_client_event(b, &e);
    if (b->client)
        next_us = pl_min_us(next_us, pl_stun_client_next_us(b->client));
    if (b->dtls)
        next_us = pl_min_us(next_us, pl_tls_dgram_next_us(b->dtls));
    pl_timer_set(b->net->loop, &b->timer, b->done ? PL_NEVER : next_us);
}

/* The way to the server is open: ask, or ask again where we were sent. */
static void on_open(binding *b)
{
    int64_t now_us = pl_loop_now_us(b->net->loop);
    if (b->client) {
        pl_stun_client_connected(b->client, now_us);
        return;
    }
    pl_stun_client_conf conf = { .server = b->server,
                                 .stream = is_stream(b),
                                 .ti_us = b->end_us - now_us,
                                 .username = b->net->username,
                                 .password = b->net->password,
                                 .credentials =
                                     b->net->username.n ? PL_STUN_CRED_LONG_TERM : PL_STUN_CRED_NONE,
                                 .software = PL_STR("peerline nat") };
    b->out->connect_us = now_us - b->start_us;
    b->out->local = b->tcp ? *pl_tcp_local(b->tcp) : *pl_udp_addr(b->udp);
    if (pl_stun_client_new(&b->client, &conf, now_us))
        end(b, "out of memory");
}

static void on_time(void *arg, int64_t now_us)
{
    binding *b = arg;
    if (b->client)
        pl_stun_client_tick(b->client, now_us);
    if (b->dtls && pl_tls_dgram_tick(b->dtls, now_us))
        end(b, "the DTLS handshake failed");
    if (now_us >= b->end_us)
        end(b, b->client ? "there is no answer" : "the connection takes too long");
    pump(b);
}

static void take_messages(binding *b)
{
    while (!b->done && b->in.n) {
        pl_stun_frame f = pl_stun_frame_next((const uint8_t *)b->in.p, b->in.n, STREAM_MAX);
        if (f.kind == PL_STUN_FRAME_BROKEN)
            end(b, "the server does not speak STUN there");
        if (f.kind == PL_STUN_FRAME_MORE || b->done)
            return;
        if (b->client && f.kind == PL_STUN_FRAME_MESSAGE)
            pl_stun_client_input(b->client, pl_loop_now_us(b->net->loop), NULL, b->in.p + f.at, f.len);
        memmove(b->in.p, b->in.p + f.advance, b->in.n - f.advance);
        b->in.n -= f.advance;
    }
}

static void on_tcp_connected(void *user)
{
    binding *b = user;
    b->connected = true;
    if (b->transport == PL_STUN_TCP)
        on_open(b);
    pump(b);
}

static void on_tcp_data(void *user, uint8_t *data, size_t len)
{
    binding *b = user;
    bool was_ready = b->tls && pl_tls_is_ready(b->tls), ended = false;
    if (!b->tls) {
        pl_buf_add(&b->in, data, len);
    } else if (pl_tls_input(b->tls, data, len, &b->in, &ended)) {
        end(b, was_ready ? "the TLS connection broke"
                         : "the TLS handshake failed (a certificate that is not trusted here needs --ca or "
                           "--insecure)");
    } else if (!was_ready && pl_tls_is_ready(b->tls)) {
        on_open(b);
    }
    if (b->in.bad)
        end(b, "the server sends too much");
    take_messages(b);
    pump(b);
}

static void on_tcp_closed(void *user, pl_err err)
{
    binding *b = user;
    end(b, b->client ? "the server hung up"
           : err     ? "the connection was refused"
                     : "the server hung up at once");
}

static void on_datagrams(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    binding *b = user;
    for (size_t i = 0; i < n && !b->done; i++) {
        uint8_t buf[DGRAM_MAX];
        size_t len;
        if (!b->dtls) {
            pl_stun_client_input(b->client, now_us, batch[i].path, batch[i].data, batch[i].len);
            continue;
        }
        bool was_ready = pl_tls_dgram_is_ready(b->dtls);
        if (pl_tls_dgram_input(b->dtls, now_us, batch[i].data, batch[i].len))
            end(b, "the DTLS handshake failed (a certificate that is not trusted here needs --ca or "
                   "--insecure)");
        else if (!was_ready && pl_tls_dgram_is_ready(b->dtls))
            on_open(b);
        while (!b->done && b->client && pl_tls_dgram_poll_data(b->dtls, buf, sizeof buf, &len))
            pl_stun_client_input(b->client, now_us, batch[i].path, buf, len);
    }
    pump(b);
}

static pl_err dial_stream(binding *b)
{
    pl_tcp_conf conf = {
        .on = { .connected = on_tcp_connected, .data = on_tcp_data, .closed = on_tcp_closed },
        .user = b,
        .bind = b->net->local
    };
    pl_err err = b->transport == PL_STUN_TLS ? pl_tls_new(&b->tls, b->ctx, b->host) : PL_OK;
    return err ? err : pl_tcp_connect(&b->tcp, b->net->loop, &b->server, &conf);
}

static pl_err dial_datagrams(binding *b)
{
    pl_udp_conf conf = { .fn = on_datagrams, .user = b, .offload = PL_UDP_OFFLOAD_OFF };
    pl_err err = source_of(b->net, &b->server, &conf.bind);
    if (!err)
        err = pl_udp_open(&b->udp, b->net->loop, &conf);
    if (!err && b->transport == PL_STUN_DTLS)
        err = pl_tls_dgram_new(&b->dtls, b->ctx, b->host, 0, pl_loop_now_us(b->net->loop));
    else if (!err)
        on_open(b);
    return err;
}

static void dial(binding *b)
{
    if (is_stream(b) ? dial_stream(b) : dial_datagrams(b))
        end(b, "no connection can be made");
}

static pl_err make_ctx(binding *b)
{
    pl_tls_conf conf = { .datagrams = b->transport == PL_STUN_DTLS,
                         .ca_file = b->net->ca_file,
                         .trust_all = b->net->trust_all,
                         .alpn = PL_TLS_ALPN_STUN };
    return b->transport >= PL_STUN_TLS ? pl_tls_ctx_new(&b->ctx, &conf) : PL_OK;
}

bool pl_nat_bind(const pl_nat_net *net, const pl_addr *server, pl_stun_transport transport,
                 pl_nat_binding *out)
{
    binding b = { .net = net,
                  .out = out,
                  .transport = transport,
                  .server = *server,
                  .timer = { .fn = on_time, .arg = &b },
                  .in = pl_buf_init(STREAM_MAX) };
    *out = (pl_nat_binding){ 0 };
    (void)pl_str_copy(pl_str_of(net->host), b.host, sizeof b.host);
    b.start_us = pl_loop_now_us(net->loop);
    b.end_us = b.start_us + net->timeout_us;
    if (make_ctx(&b))
        end(&b, "the certificates of --ca cannot be read");
    else
        dial(&b);
    pump(&b);
    while (!b.done)
        (void)pl_loop_run_once(net->loop, LOOK_US);
    pl_timer_cancel(net->loop, &b.timer);
    hang_up(&b);
    pl_buf_clear(&b.in);
    pl_stun_client_free(b.client);
    pl_tls_ctx_free(b.ctx);
    return out->failure == NULL;
}
