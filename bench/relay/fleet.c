#include "fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RTO_US = 500000, TRIES_MAX = 8, ASKED_MAX = 4, EVENTS = 256 };

/* One order on its way. */
typedef struct job {
    load_fleet *fleet;
    const load_order *order;
    load_result result;
    size_t next;                           /* the first that has not begun */
    load_client *waiting[LOAD_WINDOW_MAX]; /* those under way, in no order */
    size_t n_waiting;
} job;

/* A socket of its own for a client; in place of the one it had, when that one's address did not serve. */
static void open_client(load_fleet *f, size_t i)
{
    load_client *c = &f->client[i];
    struct sockaddr_in at = load_client_addr(i);
    int fd = load_socket(&at, &f->server->at, f->gro);
    if (c->fd >= 0)
        close(c->fd);
    c->fd = fd;
    c->nonce_len = 0;
    load_epoll_add(f->epoll, fd, i);
}

void load_fleet_open(load_fleet *f, const load_server *server, size_t n, bool gro)
{
    *f = (load_fleet){ .server = server, .n = n, .gro = gro };
    load_raise_files(n + 512); /* and as many peers as a mode opens */
    f->client = calloc(n, sizeof *f->client);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!f->client || f->epoll < 0)
        load_die("no memory for %zu clients", n);
    f->rand = pl_rand_seed(&f->seed, (uint64_t)load_now_us());
    for (size_t i = 0; i < n; i++) {
        load_client *c = &f->client[i];
        c->fd = -1;
        open_client(f, i);
        c->channel = (uint16_t)(LOAD_FIRST_CHANNEL + i % 4096);
        c->peer = load_bound(c->fd);
    }
}

void load_fleet_close(load_fleet *f)
{
    for (size_t i = 0; i < f->n; i++)
        close(f->client[i].fd);
    close(f->epoll);
    free(f->client);
}

/* --- messages --- */

static void put_what(pl_stun_wr *w, const load_client *c, const load_order *order)
{
    switch (order->method) {
    case PL_STUN_ALLOCATE:
        pl_stun_put_u8(w, PL_STUN_REQUESTED_TRANSPORT, 17);
        if (order->lifetime)
            pl_stun_put_u32(w, PL_STUN_LIFETIME, order->lifetime);
        break;
    case PL_STUN_REFRESH: pl_stun_put_u32(w, PL_STUN_LIFETIME, order->lifetime); break;
    case PL_STUN_CHANNEL_BIND: pl_stun_put_u16(w, PL_STUN_CHANNEL_NUMBER, c->channel); /* fall through */
    case PL_STUN_CREATE_PERMISSION: pl_stun_put_xor_addr(w, PL_STUN_XOR_PEER_ADDRESS, &c->peer); break;
    default: break;
    }
}

size_t load_build(load_fleet *f, load_client *c, const load_order *order, uint8_t *buf)
{
    pl_stun_wr w = pl_stun_begin(buf, LOAD_MESSAGE_MAX, PL_STUN_REQUEST, order->method, c->id);
    put_what(&w, c, order);
    if (c->nonce_len > 0) {
        pl_stun_put_str(&w, PL_STUN_USERNAME, pl_str_of(f->server->user));
        pl_stun_put_str(&w, PL_STUN_REALM, pl_str_of(f->realm));
        pl_stun_put_str(&w, PL_STUN_NONCE, (pl_str){ c->nonce, c->nonce_len });
        pl_stun_put_integrity(&w, f->key, f->key_len);
    }
    return pl_stun_end(&w);
}

bool load_take_nonce(load_fleet *f, load_client *c, const pl_stun_msg *m)
{
    pl_str realm, nonce;
    if (pl_stun_get_str(m, PL_STUN_NONCE, &nonce) || pl_stun_get_str(m, PL_STUN_REALM, &realm) ||
        nonce.n == 0 || nonce.n > sizeof c->nonce)
        return false;
    memcpy(c->nonce, nonce.p, nonce.n);
    c->nonce_len = (uint8_t)nonce.n;
    if (f->key_len == 0) {
        if (!pl_str_copy(realm, f->realm, sizeof f->realm))
            return false;
        f->key_len = pl_stun_long_term_key(PL_STUN_ALG_MD5, pl_str_of(f->server->user), realm,
                                           pl_str_of(f->server->password), f->key);
    }
    return f->key_len > 0;
}

/* --- a job --- */

/* The same bytes again, unless it is the first time: a server knows a repeated request by its transaction id. */
static void transmit(job *j, load_client *c)
{
    uint8_t buf[LOAD_MESSAGE_MAX];
    if (c->n_sent == 0)
        pl_rand_bytes(&j->fleet->rand, c->id, sizeof c->id);
    size_t len = load_build(j->fleet, c, j->order, buf);
    if (send(c->fd, buf, len, 0) < 0 && errno != ECONNREFUSED && errno != EAGAIN)
        load_die("send: %s", strerror(errno));
    c->n_sent++;
    c->sent_us = load_now_us();
}

static void begin_more(job *j)
{
    const load_order *o = j->order;
    size_t window = o->window < LOAD_WINDOW_MAX ? o->window : LOAD_WINDOW_MAX;
    while (j->n_waiting < window && j->next < o->first + o->n) {
        load_client *c = &j->fleet->client[j->next++];
        c->state = LOAD_WAITING;
        c->n_sent = c->n_asked = 0;
        c->error = 0;
        j->waiting[j->n_waiting++] = c;
        transmit(j, c);
    }
}

static void end(job *j, load_client *c, load_state state, uint16_t error)
{
    c->state = (uint8_t)state;
    c->error = error;
    if (state == LOAD_DONE) {
        j->result.n_done++;
    } else {
        j->result.n_failed++;
        j->result.error = error;
    }
}

static void on_answer(job *j, load_client *c, const uint8_t *pkt, size_t len)
{
    pl_stun_msg m;
    if (c->state != LOAD_WAITING || pl_stun_parse(&m, pkt, len) != PL_OK ||
        memcmp(m.id, c->id, sizeof c->id) != 0 || m.method != j->order->method)
        return; /* late, or not for us */
    if (m.cls == PL_STUN_SUCCESS) {
        if (m.method == PL_STUN_ALLOCATE &&
            pl_stun_get_xor_addr(&m, PL_STUN_XOR_RELAYED_ADDRESS, &c->relayed))
            load_die("an allocation without an address");
        end(j, c, LOAD_DONE, 0);
        return;
    }
    uint16_t code;
    pl_str reason;
    if (m.cls != PL_STUN_ERROR || pl_stun_get_error(&m, &code, &reason) != PL_OK)
        return;
    if ((code == 401 || code == 438) && c->n_asked++ < ASKED_MAX && load_take_nonce(j->fleet, c, &m)) {
        c->n_sent = 0;
        transmit(j, c);
        return;
    }
    if (code == 437 && m.method == PL_STUN_ALLOCATE && c->n_asked++ < ASKED_MAX) {
        /* The server remembers an allocation that had this address (RFC 8656 7.4): take another. */
        open_client(j->fleet, (size_t)(c - j->fleet->client));
        c->n_sent = 0;
        transmit(j, c);
        return;
    }
    end(j, c, LOAD_FAILED, code);
}

static void receive(job *j)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(j->fleet->epoll, event, EVENTS, 20);
    for (int i = 0; i < n; i++) {
        load_client *c = &j->fleet->client[event[i].data.u64];
        uint8_t buf[2048];
        for (ssize_t len; (len = recv(c->fd, buf, sizeof buf, 0)) > 0;)
            on_answer(j, c, buf, (size_t)len);
    }
}

/* Takes out those that have ended; asks again for those that have waited too long. */
static void sweep(job *j)
{
    int64_t now_us = load_now_us();
    for (size_t i = 0; i < j->n_waiting;) {
        load_client *c = j->waiting[i];
        if (c->state == LOAD_WAITING && now_us - c->sent_us > (int64_t)RTO_US << (c->n_sent > 3 ? 2 : 0)) {
            if (c->n_sent >= TRIES_MAX) {
                end(j, c, LOAD_FAILED, 0);
            } else {
                transmit(j, c);
                j->result.n_again++;
            }
        }
        if (c->state == LOAD_WAITING)
            i++;
        else
            j->waiting[i] = j->waiting[--j->n_waiting];
    }
}

load_result load_fleet_run(load_fleet *f, const load_order *order)
{
    job j = { .fleet = f, .order = order, .next = order->first };
    load_usage before = load_measure(f->server);
    begin_more(&j);
    while (j.n_waiting > 0) {
        receive(&j);
        sweep(&j);
        begin_more(&j);
    }
    j.result.wall_us = (double)(load_now_us() - before.at_us);
    j.result.cpu_us = load_cpu_us_since(f->server, &before);
    return j.result;
}

load_result load_fleet_must(load_fleet *f, const load_order *order, const char *what)
{
    load_result r = load_fleet_run(f, order);
    if (r.n_failed > 0)
        load_die("%s: %zu of %zu failed (%s %u)", what, r.n_failed, order->n,
                 r.error ? "refused with" : "no answer", r.error);
    return r;
}
