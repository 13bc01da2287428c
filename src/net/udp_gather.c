/* The cork: what is sent in a batch, gathered by destination over all sockets of a loop, so that it leaves in as
 * few segmented sends as there are flows, in whatever order their datagrams came. */
#include <stdlib.h>
#include <string.h>

#include "net/udp_internal.h"

enum { NO_PIECE = UINT32_MAX };

static void on_sleep(void *arg, int64_t now_us)
{
    (void)now_us;
    udp_gather *g = arg;
    for (size_t i = 0; i < g->n_out; i++)
        g->out[i].u->cork = false;
    pl_udp_gather_flush(g);
}

void pl_udp_gather_init(udp_gather *g)
{
    g->n_out = g->n_pieces = g->n_bytes = 0;
    g->flush_hook = (pl_loop_hook){ .fn = on_sleep, .arg = g };
    g->round = 1;
    memset(g->place, 0, sizeof g->place);
}

/* ---- destinations ---- */

static uint32_t place_of(const udp_out *out)
{
    uint32_t ip;
    memcpy(&ip, out->remote.family == PL_AF_IP4 ? out->remote.ip : out->remote.ip + 12, sizeof ip);
    uint32_t h = ((uint32_t)((uintptr_t)out->u >> 5) ^ ip) * 0x9e3779b1u + out->remote.port * 0x85ebca6bu;
    return h >> 24; /* peers can make these collide; then their own datagrams leave one by one */
}
_Static_assert(UDP_PLACES == 256, "place_of gives eight bits");

static bool same_way(const udp_out *a, const udp_out *b)
{
    return a->u == b->u && pl_addr_eq(&a->remote, &b->remote) && pl_addr_eq(&a->local, &b->local) &&
           a->tos == b->tos;
}

/* Whether `next` can be further segments of `last`. */
static bool joins(const udp_out *last, const udp_out *next)
{
    size_t segment = last->segment;
    bool fits = next->len <= segment || next->segment == segment;
    return segment > 0 && next->len > 0 && fits && last->len % segment == 0 &&
           last->len + next->len <= PL_UDP_SEGMENTS_MAX * segment &&
           last->len + next->len <= PL_UDP_SIZE_MAX && same_way(last, next);
}

/* ---- gathering ---- */

static void add_piece(udp_gather *g, struct udp_chain *c, const struct iovec *iov)
{
    if (iov->iov_len == 0)
        return;
    uint8_t *bytes = g->bytes + g->n_bytes;
    memcpy(bytes, iov->iov_base, iov->iov_len);
    g->n_bytes += iov->iov_len;
    uint32_t at = (uint32_t)g->n_pieces++;
    g->piece[at] = (udp_piece){ .iov = { .iov_base = bytes, .iov_len = iov->iov_len }, .next = NO_PIECE };
    if (c->first == NO_PIECE)
        c->first = at;
    else
        g->piece[c->last].next = at;
    c->last = at;
}

static void add_pieces(udp_gather *g, size_t at, const udp_out *out)
{
    for (size_t i = 0; i < out->n_iov; i++)
        add_piece(g, &g->chain[at], &out->iov[i]);
}

static bool has_room(const udp_gather *g, const udp_out *out)
{
    return g->n_out < PL_UDP_BATCH_MAX && g->n_pieces + out->n_iov <= UDP_PIECES_MAX &&
           g->n_bytes + out->len <= UDP_GATHER_BYTES;
}

pl_err pl_udp_gather_add(udp_gather *g, const udp_out *out)
{
    if (!has_room(g, out))
        pl_udp_gather_flush(g);
    if (!has_room(g, out))
        return pl_udp_send_row(out->u, out, 1);
    struct udp_place *place = &g->place[place_of(out)];
    if (place->round == g->round && joins(&g->out[place->out], out)) {
        g->out[place->out].len += out->len;
        add_pieces(g, place->out, out);
        return PL_OK;
    }
    if (g->n_out == 0)
        pl_loop_hook_add(out->u->loop, &g->flush_hook);
    size_t at = g->n_out++;
    g->out[at] = *out;
    g->chain[at] = (struct udp_chain){ .first = NO_PIECE, .last = NO_PIECE };
    *place = (struct udp_place){ .round = g->round, .out = (uint32_t)at };
    add_pieces(g, at, out);
    return PL_OK;
}

/* ---- sending ---- */

/* The kernel wants the pieces of a message in a row; those that touch become one. */
static size_t flatten(const udp_gather *g, const struct udp_chain *c, struct iovec *to)
{
    size_t n = 0;
    for (uint32_t i = c->first; i != NO_PIECE; i = g->piece[i].next) {
        const struct iovec *iov = &g->piece[i].iov;
        if (n > 0 && (uint8_t *)to[n - 1].iov_base + to[n - 1].iov_len == iov->iov_base)
            to[n - 1].iov_len += iov->iov_len;
        else
            to[n++] = *iov;
    }
    return n;
}

void pl_udp_gather_flush(udp_gather *g)
{
    if (g->n_out == 0)
        return;
    size_t n = g->n_out, at = 0;
    pl_loop_hook_remove(&g->flush_hook);
    for (size_t i = 0; i < n; i++) {
        g->out[i].iov = g->flat + at;
        g->out[i].n_iov = flatten(g, &g->chain[i], g->flat + at);
        at += g->out[i].n_iov;
    }
    for (size_t i = 0, end; i < n; i = end) { /* neighbours of one socket by one call */
        for (end = i + 1; end < n && g->out[end].u == g->out[i].u; end++)
            ;
        (void)pl_udp_send_row(g->out[i].u, &g->out[i], end - i);
    }
    g->n_out = g->n_pieces = g->n_bytes = 0;
    g->round++;
}

/* ---- what users call ---- */

void pl_udp_cork(pl_udp *u)
{
    PL_OWNED(u->loop);
    u->cork = true;
}

void pl_udp_flush(pl_udp *u)
{
    PL_OWNED(u->loop);
    u->cork = false;
    pl_udp_gather_flush(&u->loop->udp->gather);
}
