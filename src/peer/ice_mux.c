/* ice_mux.c - many connections on one UDP port: one socket an address, and whose each packet is.
 *   a request with a user name   belongs to who has its first half as ufrag (RFC 8445 7.2.2)
 *   an answer                    to who asked, by transaction ID
 *   all else                     to who last answered, or sent data to, that remote address
 * The third table is written only by what goes out. An agent answers a request with success only when its integrity
 * holds, so a stranger cannot draw another's packets to himself by naming an ufrag. */
#include "peer/ice_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "stun/message.h"

enum {
    USERS_MAX = 16384, /* bounds the tables */
    SOCKETS_MAX = 32,
    UFRAGS = 2, /* of a connection: the newest, and the one before a restart */
    STUN_HEADER = 20,
    TX_LEN = 12,
    METHOD_CLASS_REQUEST = 0x0001,
    METHOD_CLASS_SUCCESS = 0x0101,
    BUFFER_BYTES = 4 << 20 /* for the bursts of all together */
};

typedef struct remote_key {
    uint8_t socket, family;
    uint16_t port;
    uint8_t ip[16];
} remote_key;

typedef struct remote {
    pl_hash_node in_remotes;
    mux_user *user;
    remote_key key;
    bool used;
} remote;

typedef struct asked {
    pl_hash_node in_asked;
    mux_user *user;
    uint8_t tx[TX_LEN];
    bool used;
} asked;

typedef struct word {
    pl_hash_node in_ufrags;
    mux_user *user;
    char ufrag[PL_ICE_UFRAG_MAX + 1];
    bool used;
} word;

struct mux_socket {
    pl_node in_mux;
    ice_mux *mux;
    pl_udp *udp;
    unsigned n_users;
    uint8_t number;
    bool busy; /* inside its callback: freed after it */
};

struct ice_mux {
    pl_loop *loop;
    uint16_t port;
    pl_list sockets;
    uint32_t numbers; /* bit n: in use */
    pl_hash remotes, asked, ufrags;
    pl_list touched; /* users with packets in this batch */
};

struct mux_user {
    pl_node in_touched;
    ice_mux *mux;
    pl_ice_io *io;
    remote remote[PL_ICE_HUB_REMOTES_MAX];
    asked asked[PL_ICE_HUB_ASKED_MAX];
    word word[UFRAGS];
    unsigned next_remote, next_asked, next_word;
};

/* ---- tables ---- */

static remote_key key_of(const mux_socket *s, const pl_addr *a)
{
    remote_key k = { .socket = s->number, .family = a->family, .port = a->port };
    memcpy(k.ip, a->ip, sizeof k.ip);
    return k;
}

static remote *find_remote(const ice_mux *m, const remote_key *k)
{
    for (pl_hash_node *n = pl_hash_find(&m->remotes, k, sizeof *k); n; n = pl_hash_next(n)) {
        remote *r = pl_of(n, remote, in_remotes);
        if (memcmp(&r->key, k, sizeof *k) == 0)
            return r;
    }
    return NULL;
}

static void drop_remote(ice_mux *m, remote *r)
{
    if (r->used)
        pl_hash_remove(&m->remotes, &r->in_remotes);
    r->used = false;
}

static void note_remote(mux_user *u, const mux_socket *s, const pl_addr *to)
{
    ice_mux *m = u->mux;
    remote_key k = key_of(s, to);
    remote *r = find_remote(m, &k);
    if (r && r->user == u)
        return;
    if (r)
        drop_remote(m, r); /* the peer's address now serves another connection */
    r = &u->remote[u->next_remote++ % PL_ICE_HUB_REMOTES_MAX];
    drop_remote(m, r);
    r->user = u;
    r->key = k;
    r->used = pl_hash_insert(&m->remotes, &r->in_remotes, &k, sizeof k) == PL_OK;
}

static asked *find_asked(const ice_mux *m, const uint8_t tx[TX_LEN])
{
    for (pl_hash_node *n = pl_hash_find(&m->asked, tx, TX_LEN); n; n = pl_hash_next(n)) {
        asked *a = pl_of(n, asked, in_asked);
        if (memcmp(a->tx, tx, TX_LEN) == 0)
            return a;
    }
    return NULL;
}

static void drop_asked(ice_mux *m, asked *a)
{
    if (a->used)
        pl_hash_remove(&m->asked, &a->in_asked);
    a->used = false;
}

static void note_asked(mux_user *u, const uint8_t tx[TX_LEN])
{
    if (find_asked(u->mux, tx))
        return; /* a retransmission */
    asked *a = &u->asked[u->next_asked++ % PL_ICE_HUB_ASKED_MAX];
    drop_asked(u->mux, a);
    a->user = u;
    memcpy(a->tx, tx, TX_LEN);
    a->used = pl_hash_insert(&u->mux->asked, &a->in_asked, tx, TX_LEN) == PL_OK;
}

static mux_user *find_ufrag(const ice_mux *m, pl_str ufrag)
{
    for (pl_hash_node *n = pl_hash_find(&m->ufrags, ufrag.p, ufrag.n); n; n = pl_hash_next(n)) {
        word *w = pl_of(n, word, in_ufrags);
        if (pl_str_is(ufrag, w->ufrag))
            return w->user;
    }
    return NULL;
}

static void drop_word(ice_mux *m, word *w)
{
    if (w->used)
        pl_hash_remove(&m->ufrags, &w->in_ufrags);
    w->used = false;
}

/* After a restart the agent has another ufrag; checks with the former one are still on their way. */
void mux_note_ufrag(mux_user *u)
{
    const char *now = u->io->ice ? pl_ice_ufrag(u->io->ice) : NULL;
    const word *last = &u->word[(u->next_word + UFRAGS - 1) % UFRAGS];
    if (!now || (last->used && strcmp(last->ufrag, now) == 0))
        return;
    word *w = &u->word[u->next_word++ % UFRAGS];
    drop_word(u->mux, w);
    w->user = u;
    if (pl_str_copy(pl_str_of(now), w->ufrag, sizeof w->ufrag))
        w->used = pl_hash_insert(&u->mux->ufrags, &w->in_ufrags, now, strlen(now)) == PL_OK;
}

/* ---- in ---- */

static bool is_stun(const uint8_t *pkt, size_t len)
{
    return len >= STUN_HEADER && pkt[0] < 4 && pl_get32(pkt + 4) == PL_STUN_COOKIE;
}

/* The part of USERNAME before the colon. */
static pl_str local_ufrag(const uint8_t *pkt, size_t len)
{
    pl_rd r = pl_rd_init(pkt + STUN_HEADER, len - STUN_HEADER);
    while (pl_rd_ok(&r) && pl_rd_left(&r) >= 4) {
        uint16_t type = pl_rd_u16(&r), n = pl_rd_u16(&r);
        const uint8_t *value = pl_rd_take(&r, n);
        if (value && type == PL_STUN_USERNAME) {
            pl_str rest = { (const char *)value, n };
            return pl_str_cut(&rest, ':');
        }
        pl_rd_skip(&r, -(size_t)n & 3);
    }
    return (pl_str){ NULL, 0 };
}

static mux_user *user_of(const mux_socket *s, const pl_path *path, const uint8_t *pkt, size_t len)
{
    const ice_mux *m = s->mux;
    if (is_stun(pkt, len)) {
        if ((pl_get16(pkt) & 0x0110) == 0) { /* a request */
            pl_str ufrag = local_ufrag(pkt, len);
            mux_user *u = ufrag.n ? find_ufrag(m, ufrag) : NULL;
            if (u)
                return u;
        }
        const asked *a = find_asked(m, pkt + 8);
        if (a)
            return a->user;
    }
    remote_key k = key_of(s, &path->remote);
    const remote *r = find_remote(m, &k);
    return r ? r->user : NULL;
}

static void tell_touched(ice_mux *m)
{
    for (pl_node *n; (n = pl_list_pop_front(&m->touched));) {
        pl_ice_io *io = pl_of(n, mux_user, in_touched)->io;
        io_enter(io);
        if (!io->closed)
            io->on.changed(io->user);
        io_leave(io);
    }
}

static void on_datagrams(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    mux_socket *s = user;
    ice_mux *m = s->mux;
    s->busy = true;
    for (size_t i = 0; i < n && s->udp; i++) {
        mux_user *u = user_of(s, batch[i].path, batch[i].data, batch[i].len);
        if (!u)
            continue;
        pl_ice_io *io = u->io;
        if (!pl_node_linked(&u->in_touched))
            pl_list_push_back(&m->touched, &u->in_touched);
        io_enter(io);
        io_input(io, now_us, batch[i].path, batch[i].data, batch[i].len);
        io_leave(io);
    }
    tell_touched(m);
    s->busy = false;
    if (!s->udp)
        free(s);
}

/* ---- sockets ---- */

pl_err mux_socket_get(mux_socket **out, ice_mux *m, const pl_addr *ip)
{
    *out = NULL;
    PL_EACH (n, &m->sockets) {
        mux_socket *s = pl_of(n, mux_socket, in_mux);
        if (!pl_addr_ip_eq(pl_udp_addr(s->udp), ip) || pl_udp_addr(s->udp)->scope != ip->scope)
            continue;
        s->n_users++;
        *out = s;
        return PL_OK;
    }
    uint8_t number = 0;
    while (number < SOCKETS_MAX && m->numbers >> number & 1)
        number++;
    if (number == SOCKETS_MAX)
        return PL_ENOSPC;
    mux_socket *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    pl_udp_conf conf = {
        .bind = *ip, .fn = on_datagrams, .user = s, .recv_buf = BUFFER_BYTES, .send_buf = BUFFER_BYTES
    };
    conf.bind.port = m->port;
    pl_err err = pl_udp_open(&s->udp, m->loop, &conf);
    if (err) {
        free(s);
        return err;
    }
    s->mux = m;
    s->number = number;
    s->n_users = 1;
    m->numbers |= UINT32_C(1) << number;
    pl_list_push_back(&m->sockets, &s->in_mux);
    *out = s;
    return PL_OK;
}

void mux_socket_put(mux_socket *s)
{
    if (--s->n_users > 0)
        return;
    s->mux->numbers &= ~(UINT32_C(1) << s->number);
    pl_list_remove(&s->in_mux);
    pl_udp_close(s->udp);
    s->udp = NULL;
    if (!s->busy)
        free(s);
}

const pl_addr *mux_socket_addr(const mux_socket *s)
{
    return pl_udp_addr(s->udp);
}

/* ---- life ---- */

pl_err ice_mux_new(ice_mux **out, pl_loop *loop, uint16_t port)
{
    uint8_t key[16];
    ice_mux *m = calloc(1, sizeof *m);
    *out = m;
    if (!m)
        return PL_ENOMEM;
    m->loop = loop;
    m->port = port;
    pl_list_init(&m->sockets);
    pl_list_init(&m->touched);
    pl_rand_bytes(NULL, key, sizeof key); /* strangers choose what is looked up */
    pl_hash_init(&m->remotes, (size_t)USERS_MAX * PL_ICE_HUB_REMOTES_MAX, key);
    pl_hash_init(&m->asked, (size_t)USERS_MAX * PL_ICE_HUB_ASKED_MAX, key);
    pl_hash_init(&m->ufrags, (size_t)USERS_MAX * UFRAGS, key);
    return PL_OK;
}

void ice_mux_free(ice_mux *m)
{
    if (!m)
        return;
    assert(pl_list_empty(&m->sockets));
    pl_hash_clear(&m->remotes);
    pl_hash_clear(&m->asked);
    pl_hash_clear(&m->ufrags);
    free(m);
}

pl_err mux_user_new(mux_user **out, ice_mux *m, pl_ice_io *io)
{
    mux_user *u = calloc(1, sizeof *u);
    *out = u;
    if (!u)
        return PL_ENOMEM;
    u->mux = m;
    u->io = io;
    return PL_OK;
}

void mux_user_free(mux_user *u)
{
    if (!u)
        return;
    for (int i = 0; i < PL_ICE_HUB_REMOTES_MAX; i++)
        drop_remote(u->mux, &u->remote[i]);
    for (int i = 0; i < PL_ICE_HUB_ASKED_MAX; i++)
        drop_asked(u->mux, &u->asked[i]);
    for (int i = 0; i < UFRAGS; i++)
        drop_word(u->mux, &u->word[i]);
    pl_list_remove(&u->in_touched);
    free(u);
}

/* ---- out ---- */

void mux_send(mux_user *u, mux_socket *s, const pl_dgram *d)
{
    mux_note_ufrag(u);
    if (is_stun(d->data, d->len)) {
        uint16_t type = pl_get16(d->data);
        if (type == METHOD_CLASS_REQUEST)
            note_asked(u, d->data + 8);
        else if (type == METHOD_CLASS_SUCCESS)
            note_remote(u, s, &d->path.remote);
    } else {
        note_remote(u, s, &d->path.remote);
    }
    (void)pl_udp_send(s->udp, d);
}
