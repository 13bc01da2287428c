#include "net/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#ifdef SO_ATTACH_REUSEPORT_CBPF
#include <linux/filter.h>
#endif

#include "base/log.h"
#include "net/loop_internal.h"
#include "net/sigpipe.h"
#include "net/sockaddr.h"

enum { READ_BYTES = 64 * 1024, BACKLOG = 128 };

struct pl_tcp {
    uv_tcp_t h;
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    pl_loop *loop;
    pl_timer later; /* tells `closed` from the loop, never inside a call */
    pl_tcp_events on;
    void *user;
    size_t queue_max;
    size_t pending; /* bytes of writes that libuv has not reported back */
    pl_addr local, remote;
    pl_err end; /* what `later` will tell */
    bool connected, ended, paused, freed, shut, quick_ack;
};

struct pl_tcp_listener {
    uv_tcp_t h;
    pl_loop *loop;
    pl_tcp_listen_conf conf;
    pl_addr addr;
};

typedef struct write_req {
    uv_write_t req;
    pl_tcp *s;
    size_t len; /* the bytes follow */
} write_req;

static pl_err err_of(int status)
{
    return status == UV_ENOMEM ? PL_ENOMEM : status == UV_ENOTSUP ? PL_ENOTSUP : PL_EIO;
}

/* --- birth and death --- */

/* af: makes the system's socket at once, so that options can be set before it is bound; AF_UNSPEC: later. */
static pl_tcp *new_stream(pl_loop *loop, size_t queue_max, int af)
{
    pl_tcp *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    if (uv_tcp_init_ex(&loop->uv, &s->h, (unsigned)af) != 0) {
        free(s);
        return NULL;
    }
    s->loop = loop;
    s->queue_max = queue_max ? queue_max : PL_TCP_QUEUE_MAX;
    s->h.data = s->connect.data = s->shutdown.data = s;
    loop->n_tcp++;
    return s;
}

static void on_stream_closed(uv_handle_t *h)
{
    free(h->data);
}

void pl_tcp_close(pl_tcp *s)
{
    if (!s || s->freed)
        return;
    PL_OWNED(s->loop);
    s->freed = true;
    s->loop->n_tcp--;
    pl_timer_cancel(s->loop, &s->later);
    uv_close((uv_handle_t *)&s->h, on_stream_closed);
}

static void tell_end(void *arg, int64_t now_us)
{
    (void)now_us;
    pl_tcp *s = arg;
    if (s->on.closed)
        s->on.closed(s->user, s->end);
}

/* The stream is over; `closed` is told once, from the loop. */
static void end(pl_tcp *s, pl_err err)
{
    if (s->ended || s->freed)
        return;
    s->ended = true;
    s->end = err;
    if (s->connected)
        uv_read_stop((uv_stream_t *)&s->h);
    s->later = (pl_timer){ .fn = tell_end, .arg = s };
    pl_timer_set(s->loop, &s->later, pl_loop_now_us(s->loop));
}

static void read_names(pl_tcp *s)
{
    struct sockaddr_storage sa;
    int len = sizeof sa;
    if (uv_tcp_getsockname(&s->h, (struct sockaddr *)&sa, &len) == 0)
        pl_sockaddr_to(&s->local, (struct sockaddr *)&sa);
    len = sizeof sa;
    if (uv_tcp_getpeername(&s->h, (struct sockaddr *)&sa, &len) == 0)
        pl_sockaddr_to(&s->remote, (struct sockaddr *)&sa);
}

/* --- reading --- */

/* All streams of a loop read into the loop's one buffer: it is handed on before the next read. */
static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    pl_loop *loop = ((pl_tcp *)h->data)->loop;
    if (!loop->tcp_buf)
        loop->tcp_buf = malloc(READ_BYTES);
    *buf = uv_buf_init(loop->tcp_buf, loop->tcp_buf ? READ_BYTES : 0); /* empty: libuv reports ENOBUFS */
}

/* The kernel forgets it by itself, so it is said anew with every read. */
static void ack_now(pl_tcp *s)
{
#ifdef TCP_QUICKACK
    int fd = -1, one = 1;
    if (uv_fileno((uv_handle_t *)&s->h, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
#else
    (void)s;
#endif
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    pl_tcp *s = h->data;
    if (s->quick_ack)
        ack_now(s);
    if (n > 0 && s->on.data)
        s->on.data(s->user, (uint8_t *)buf->base, (size_t)n);
    else if (n == UV_EOF)
        end(s, PL_OK);
    else if (n < 0)
        end(s, n == UV_ENOBUFS ? PL_ENOMEM : PL_EIO);
}

static void read_on(pl_tcp *s)
{
    int err = uv_read_start((uv_stream_t *)&s->h, on_alloc, on_read);
    if (err != 0)
        end(s, err_of(err));
}

void pl_tcp_pause(pl_tcp *s, bool paused)
{
    PL_OWNED(s->loop);
    if (s->paused == paused)
        return;
    s->paused = paused;
    if (!s->connected || s->ended || s->freed)
        return;
    if (paused)
        uv_read_stop((uv_stream_t *)&s->h);
    else
        read_on(s);
}

/* --- writing --- */

size_t pl_tcp_queued(const pl_tcp *s)
{
    return s->pending;
}

static void on_written(uv_write_t *req, int status)
{
    write_req *w = req->data;
    pl_tcp *s = w->s;
    s->pending -= w->len;
    free(w);
    if (s->freed)
        return;
    if (status != 0)
        end(s, err_of(status));
    else if (s->pending == 0 && !s->ended && s->on.drained)
        s->on.drained(s->user);
}

static pl_err write_later(pl_tcp *s, const uint8_t *data, size_t len)
{
    write_req *w = malloc(sizeof *w + len);
    if (!w)
        return PL_ENOMEM;
    *w = (write_req){ .s = s, .len = len };
    w->req.data = w;
    memcpy(w + 1, data, len);
    uv_buf_t buf = uv_buf_init((char *)(w + 1), (unsigned)len);
    int err = uv_write(&w->req, (uv_stream_t *)&s->h, &buf, 1, on_written);
    if (err != 0) {
        free(w);
        return err_of(err);
    }
    s->pending += len;
    return PL_OK;
}

static pl_err write_now(pl_tcp *s, const uint8_t *data, size_t len)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)data, (unsigned)len);
    int n = s->pending == 0 ? uv_try_write((uv_stream_t *)&s->h, &buf, 1) : 0;
    size_t taken = n > 0 ? (size_t)n : 0; /* an error comes again, and is told, with the rest */
    return taken == len ? PL_OK : write_later(s, data + taken, len - taken);
}

pl_err pl_tcp_write(pl_tcp *s, const void *data, size_t len)
{
    PL_OWNED(s->loop);
    if (!s->connected || s->ended || s->freed || s->shut)
        return PL_ESTATE;
    if (len > s->queue_max - s->pending)
        return PL_ENOSPC;
    if (len == 0)
        return PL_OK;
    pl_sigpipe pipe = { 0 };
    if (!s->loop->no_sigpipe)
        pl_sigpipe_hold(&pipe);
    pl_err err = write_now(s, data, len);
    pl_sigpipe_release(&pipe);
    return err;
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)req;
    (void)status; /* a stream that is gone tells so by reading */
}

pl_err pl_tcp_shutdown(pl_tcp *s)
{
    PL_OWNED(s->loop);
    if (!s->connected || s->ended || s->freed || s->shut)
        return PL_ESTATE;
    int err = uv_shutdown(&s->shutdown, (uv_stream_t *)&s->h, on_shutdown);
    s->shut = err == 0;
    return err == 0 ? PL_OK : err_of(err);
}

/* --- connecting --- */

static void on_connect(uv_connect_t *req, int status)
{
    pl_tcp *s = req->data;
    if (s->freed)
        return;
    if (status != 0) {
        end(s, err_of(status));
        return;
    }
    s->connected = true;
    uv_tcp_nodelay(&s->h, 1);
    read_names(s);
    if (s->on.connected)
        s->on.connected(s->user);
    if (!s->freed && !s->paused && !s->ended)
        read_on(s);
}

static int bind_and_connect(pl_tcp *s, const pl_addr *to, const pl_addr *from, bool reuse_port)
{
    struct sockaddr_storage sa;
    int err = 0, fd = -1, one = 1;
    if (reuse_port && uv_fileno((uv_handle_t *)&s->h, &fd) == 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    if (pl_sockaddr_from(&sa, from, false) > 0)
        err = uv_tcp_bind(&s->h, (struct sockaddr *)&sa, 0);
    if (err == 0 && pl_sockaddr_from(&sa, to, false) > 0)
        err = uv_tcp_connect(&s->connect, &s->h, (struct sockaddr *)&sa, on_connect);
    return err;
}

pl_err pl_tcp_connect(pl_tcp **out, pl_loop *loop, const pl_addr *to, const pl_tcp_conf *conf)
{
    PL_OWNED(loop);
    *out = NULL;
    if ((to->family != PL_AF_IP4 && to->family != PL_AF_IP6) || to->port == 0)
        return PL_EINVAL;
    int af = !conf->reuse_port ? AF_UNSPEC : to->family == PL_AF_IP6 ? AF_INET6 : AF_INET;
    pl_tcp *s = new_stream(loop, conf->queue_max, af);
    if (!s)
        return PL_ENOMEM;
    s->on = conf->on;
    s->user = conf->user;
    s->remote = *to;
    s->quick_ack = conf->quick_ack;
    int err = bind_and_connect(s, to, &conf->bind, conf->reuse_port);
    if (err != 0) {
        pl_log_info(NULL, "tcp: connect: %s", uv_strerror(err));
        pl_tcp_close(s);
        return err_of(err);
    }
    *out = s;
    return PL_OK;
}

const pl_addr *pl_tcp_local(const pl_tcp *s)
{
    return &s->local;
}

const pl_addr *pl_tcp_remote(const pl_tcp *s)
{
    return &s->remote;
}

void pl_tcp_set_events(pl_tcp *s, const pl_tcp_events *on, void *user)
{
    PL_OWNED(s->loop);
    s->on = *on;
    s->user = user;
}

/* --- listening --- */

static void on_incoming(uv_stream_t *h, int status)
{
    pl_tcp_listener *l = h->data;
    pl_tcp *s = status == 0 ? new_stream(l->loop, l->conf.queue_max, AF_UNSPEC) : NULL;
    if (!s) {
        pl_log_info(NULL, "tcp: accept: %s", status ? uv_strerror(status) : "no memory");
        return;
    }
    if (uv_accept(h, (uv_stream_t *)&s->h) != 0) {
        pl_tcp_close(s);
        return;
    }
    s->connected = true;
    uv_tcp_nodelay(&s->h, 1);
    read_names(s);
    l->conf.accepted(l->conf.user, s);
    if (!s->freed && !s->paused)
        read_on(s); /* s is still there when it was closed in `accepted`: libuv frees it later */
}

static void on_listener_closed(uv_handle_t *h)
{
    free(h->data);
}

#ifdef SO_ATTACH_REUSEPORT_CBPF

/* A program for the kernel that picks the listener: the client's address, its words mixed, modulo n. Negative
 * offsets reach the IP header before the TCP segment. */
static bool attach_by_ip(int fd, bool v6, unsigned n)
{
    const uint32_t at = (uint32_t)SKF_NET_OFF + (v6 ? 8 : 12), words = v6 ? 4 : 1;
    struct sock_filter code[24];
    uint16_t len = 0;
    for (uint32_t i = 0; i < words; i++) { /* M[0] ^= word i */
        code[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at + 4 * i);
        if (i > 0) {
            code[len++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_MEM, 0);
            code[len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0);
        }
        code[len++] = (struct sock_filter)BPF_STMT(BPF_ST, 0);
    }
    code[len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1u);
    code[len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16);
    code[len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n);
    code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
    struct sock_fprog prog;
    memset(&prog, 0, sizeof prog); /* the kernel is shown its padding, too */
    prog.len = len;
    prog.filter = code;
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &prog, sizeof prog) == 0;
}

#else

static bool attach_by_ip(int fd, bool v6, unsigned n)
{
    (void)fd, (void)v6, (void)n;
    return false;
}

#endif

static int bind_and_listen(pl_tcp_listener *l)
{
    struct sockaddr_storage sa;
    const pl_tcp_listen_conf *conf = &l->conf;
    int fd = -1, one = 1,
        err = uv_tcp_init_ex(&l->loop->uv, &l->h, conf->bind.family == PL_AF_IP6 ? AF_INET6 : AF_INET);
    if (err != 0)
        return err;
    l->h.data = l;
    if (uv_fileno((uv_handle_t *)&l->h, &fd) == 0 && conf->reuse_port)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
    pl_sockaddr_from(&sa, &conf->bind, false);
    err = uv_tcp_bind(&l->h, (struct sockaddr *)&sa, conf->bind.family == PL_AF_IP6 ? UV_TCP_IPV6ONLY : 0);
    if (err == 0)
        err = uv_listen((uv_stream_t *)&l->h, conf->backlog ? conf->backlog : BACKLOG, on_incoming);
    if (err == 0 && conf->by_client_ip > 1 &&
        !attach_by_ip(fd, conf->bind.family == PL_AF_IP6, conf->by_client_ip))
        err = UV_ENOTSUP;
    if (err != 0)
        uv_close((uv_handle_t *)&l->h, on_listener_closed);
    return err;
}

pl_err pl_tcp_listen(pl_tcp_listener **out, pl_loop *loop, const pl_tcp_listen_conf *conf)
{
    PL_OWNED(loop);
    *out = NULL;
    if ((conf->bind.family != PL_AF_IP4 && conf->bind.family != PL_AF_IP6) || !conf->accepted)
        return PL_EINVAL;
    pl_tcp_listener *l = calloc(1, sizeof *l);
    if (!l)
        return PL_ENOMEM;
    l->loop = loop;
    l->conf = *conf;
    int err = bind_and_listen(l);
    if (err != 0) {
        pl_log_info(NULL, "tcp: listen: %s", uv_strerror(err));
        if (!l->h.data)
            free(l); /* the handle was never made, so nothing will close it */
        return err_of(err);
    }
    struct sockaddr_storage sa;
    int len = sizeof sa;
    uv_tcp_getsockname(&l->h, (struct sockaddr *)&sa, &len);
    pl_sockaddr_to(&l->addr, (struct sockaddr *)&sa);
    *out = l;
    return PL_OK;
}

void pl_tcp_listener_close(pl_tcp_listener *l)
{
    if (!l)
        return;
    PL_OWNED(l->loop);
    uv_close((uv_handle_t *)&l->h, on_listener_closed);
}

const pl_addr *pl_tcp_listener_addr(const pl_tcp_listener *l)
{
    return &l->addr;
}
