/* ice_names.c - .local names: who has that of a remote candidate, and answering for those that hide our own addresses.
 * One multicast socket for all connections of a loop, open while there is a question or a name of ours. Each question is
 * asked three times, then given up.
 * Source   draft-ietf-mmusic-mdns-ice-candidates 3.1 and 3.2; RFC 6762 5.1, 5.2, 5.4 and 6 (answers, and how often). */
#include "peer/ice_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ice/mdns.h"
#include "net/mdns.h"

enum { QUESTIONS_MAX = 64, OWNED_MAX = 512 };
#define AGAIN_US PL_SEC(1) /* RFC 6762 6: a record is multicast once a second at most */

typedef struct question {
    pl_node node;
    pl_ice_io *io;
    char name[PL_ICE_NAME_MAX + 1];
    int n_asked;
    int64_t next_us;
} question;

typedef struct owned {
    pl_node node;
    pl_ice_io *io;
    char name[IO_MDNS_NAME_LEN + 1];
    pl_addr addr;
    int64_t quiet_until_us;
} owned;

struct ice_names {
    pl_loop *loop;
    pl_mdns *mdns;
    pl_timer timer;
    pl_list questions, owned;
    int n_questions, n_owned;
};

static const int64_t again_us[] = { PL_SEC(1), PL_SEC(2), PL_SEC(2) }; /* asked at 0, 1, 3 s; over at 5 s */

/* ---- asking ---- */

static void ask(ice_names *n, question *q, int64_t now_us)
{
    uint8_t query[PL_MDNS_QUERY_MAX];
    size_t len = pl_mdns_query(q->name, !pl_mdns_is_shared(n->mdns), query, sizeof query);
    if (len)
        (void)pl_mdns_send(n->mdns, query, len);
    q->next_us = now_us + again_us[q->n_asked++];
}

static void answer(ice_names *n, question *q, const pl_addr *addr)
{
    pl_ice_io *io = q->io;
    pl_list_remove(&q->node);
    n->n_questions--;
    pl_ice_resolved(io->ice, pl_loop_now_us(n->loop), q->name, addr);
    free(q);
    io_changed_soon(io);
}

static void set_timer(ice_names *n)
{
    int64_t at_us = PL_NEVER;
    PL_EACH (i, &n->questions)
        at_us = pl_min_us(at_us, pl_of(i, question, node)->next_us);
    pl_timer_set(n->loop, &n->timer, at_us);
    if (pl_list_empty(&n->questions) && pl_list_empty(&n->owned)) {
        pl_mdns_close(n->mdns);
        n->mdns = NULL;
    }
}

static void on_timer(void *arg, int64_t now_us)
{
    ice_names *n = arg;
    PL_EACH (i, &n->questions) {
        question *q = pl_of(i, question, node);
        if (q->next_us > now_us)
            continue;
        if (n->mdns && q->n_asked < (int)(sizeof again_us / sizeof again_us[0]))
            ask(n, q, now_us);
        else
            answer(n, q, NULL);
    }
    set_timer(n);
}

static void take_answer(ice_names *n, const pl_udp_rx *rx)
{
    PL_EACH (i, &n->questions) {
        question *q = pl_of(i, question, node);
        pl_addr addr[PL_MDNS_ANSWERS_MAX];
        size_t n_addr = 0;
        if (pl_mdns_answer(rx->data, rx->len, q->name, addr, &n_addr) || !n_addr)
            continue;
        answer(n, q, &addr[0]);
    }
}

/* ---- answering ---- */

static void give_answer(ice_names *n, int64_t now_us, const pl_udp_rx *rx)
{
    PL_EACH (i, &n->owned) {
        owned *o = pl_of(i, owned, node);
        uint8_t response[PL_MDNS_QUERY_MAX];
        bool unicast;
        if (now_us < o->quiet_until_us || !pl_mdns_asks_for(rx->data, rx->len, o->name, &unicast))
            continue;
        size_t len = pl_mdns_respond(o->name, &o->addr, response, sizeof response);
        if (!len)
            continue;
        if (unicast || rx->path->remote.port != PL_MDNS_PORT) {
            (void)pl_mdns_send_to(n->mdns, &rx->path->remote, response, len);
        } else {
            o->quiet_until_us = now_us + AGAIN_US;
            (void)pl_mdns_send(n->mdns, response, len);
        }
    }
}

static void on_datagram(void *user, int64_t now_us, const pl_udp_rx *rx)
{
    ice_names *n = user;
    give_answer(n, now_us, rx);
    take_answer(n, rx);
    set_timer(n);
}

/* ---- the verbs ---- */

pl_err ice_names_new(ice_names **out, pl_loop *loop)
{
    ice_names *n = calloc(1, sizeof *n);
    *out = n;
    if (!n)
        return PL_ENOMEM;
    n->loop = loop;
    n->timer = (pl_timer){ .fn = on_timer, .arg = n };
    pl_list_init(&n->questions);
    pl_list_init(&n->owned);
    return PL_OK;
}

void ice_names_free(ice_names *n)
{
    if (!n)
        return;
    pl_timer_cancel(n->loop, &n->timer);
    pl_mdns_close(n->mdns);
    free(n);
}

static bool need_socket(ice_names *n)
{
    return n->mdns || pl_mdns_open(&n->mdns, n->loop, on_datagram, n) == PL_OK;
}

void ice_names_ask(ice_names *n, pl_ice_io *io, const char *name)
{
    int64_t now_us = pl_loop_now_us(n->loop);
    question *q = n->n_questions < QUESTIONS_MAX ? calloc(1, sizeof *q) : NULL;
    bool open = need_socket(n);
    if (!q || !open) {
        free(q);
        pl_log_info(&io->log, "the name %s cannot be asked for: %s", pl_log_private(name),
                    open ? "too many questions" : "no multicast here");
        pl_ice_resolved(io->ice, now_us, name, NULL);
        io_changed_soon(io);
        return;
    }
    q->io = io;
    (void)pl_str_copy(pl_str_of(name), q->name, sizeof q->name);
    pl_list_push_back(&n->questions, &q->node);
    n->n_questions++;
    ask(n, q, now_us);
    set_timer(n);
}

/* A version 4 UUID (RFC 9562), as the draft wants names to be. */
static void make_name(char out[IO_MDNS_NAME_LEN + 1])
{
    uint8_t b[16];
    char hex[2 * sizeof b + 1];
    pl_rand_bytes(NULL, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < sizeof b; i++)
        snprintf(hex + 2 * i, 3, "%02x", b[i]);
    snprintf(out, IO_MDNS_NAME_LEN + 1, "%.8s-%.4s-%.4s-%.4s-%.12s.local", hex, hex + 8, hex + 12, hex + 16,
             hex + 20);
}

/* An address whose name nobody can ask for is still hidden: peers then reach us by other candidates. */
void ice_names_own(ice_names *n, pl_ice_io *io, const pl_addr *ip, char name[IO_MDNS_NAME_LEN + 1])
{
    make_name(name);
    owned *o = n->n_owned < OWNED_MAX ? calloc(1, sizeof *o) : NULL;
    if (!o || !need_socket(n)) {
        free(o);
        pl_log_info(&io->log, "nobody on this link can ask for our names");
        return;
    }
    o->io = io;
    o->addr = *ip;
    (void)pl_str_copy(pl_str_of(name), o->name, sizeof o->name);
    pl_list_push_back(&n->owned, &o->node);
    n->n_owned++;
}

static void disown(ice_names *n, owned *o)
{
    pl_list_remove(&o->node);
    n->n_owned--;
    free(o);
}

void ice_names_disown(ice_names *n, const char *name)
{
    PL_EACH (i, &n->owned) {
        owned *o = pl_of(i, owned, node);
        if (strcmp(o->name, name) == 0)
            disown(n, o);
    }
    set_timer(n);
}

void ice_names_forget(ice_names *n, pl_ice_io *io)
{
    PL_EACH (i, &n->questions) {
        question *q = pl_of(i, question, node);
        if (q->io != io)
            continue;
        pl_list_remove(&q->node);
        n->n_questions--;
        free(q);
    }
    PL_EACH (k, &n->owned) {
        owned *o = pl_of(k, owned, node);
        if (o->io == io)
            disown(n, o);
    }
    set_timer(n);
}

/* Groups are joined by interface, so new ones are joined by beginning anew. */
void ice_names_network_changed(ice_names *n)
{
    if (!n->mdns)
        return;
    pl_mdns_close(n->mdns);
    n->mdns = NULL;
    if (!need_socket(n))
        pl_log_info(NULL, "no interface carries multicast now: .local names are not heard");
}
