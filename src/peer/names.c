/* names.c - who has a .local name? One multicast socket for all connections of a factory, opened with the
 * first question and closed with the last; each question is asked three times, then given up.
 * Source   draft-ietf-mmusic-mdns-ice-candidates 3.2, RFC 6762 5.1 and 5.2. */
#include "peer/peer_internal.h"

#include <stdlib.h>

#include "ice/mdns.h"
#include "net/mdns.h"

enum { QUESTIONS_MAX = 64 };

typedef struct question {
    pl_node node;
    pl_peer_connection *peer;
    char name[PL_ICE_NAME_MAX + 1];
    int n_asked;
    int64_t next_us;
} question;

struct peer_names {
    pl_factory *factory;
    pl_mdns *mdns;
    pl_timer timer;
    pl_list questions;
    int n_questions;
};

static const int64_t again_us[] = { PL_SEC(1), PL_SEC(2), PL_SEC(2) }; /* asked at 0, 1, 3 s; over at 5 s */

static void ask(peer_names *n, question *q, int64_t now_us)
{
    uint8_t query[PL_MDNS_QUERY_MAX];
    size_t len = pl_mdns_query(q->name, !pl_mdns_is_shared(n->mdns), query, sizeof query);
    if (len)
        (void)pl_mdns_send(n->mdns, query, len);
    q->next_us = now_us + again_us[q->n_asked++];
}

/* The question is gone before the core hears, because hearing may lead to another question. */
static void answer(peer_names *n, question *q, const pl_addr *addr)
{
    question done = *q;
    pl_list_remove(&q->node);
    n->n_questions--;
    free(q);
    pl_pc_resolved(done.peer->core, pl_loop_now_us(n->factory->net), done.name, addr);
    peer_pump(done.peer);
}

static void set_timer(peer_names *n)
{
    int64_t at_us = PL_NEVER;
    PL_EACH (i, &n->questions)
        at_us = pl_min_us(at_us, pl_of(i, question, node)->next_us);
    pl_timer_set(n->factory->net, &n->timer, at_us);
    if (pl_list_empty(&n->questions)) {
        pl_mdns_close(n->mdns);
        n->mdns = NULL;
    }
}

static question *due(peer_names *n, int64_t now_us)
{
    PL_EACH (i, &n->questions) {
        question *q = pl_of(i, question, node);
        if (q->next_us <= now_us)
            return q;
    }
    return NULL;
}

static void on_timer(void *arg, int64_t now_us)
{
    peer_names *n = arg;
    for (question *q; (q = due(n, now_us));) {
        if (q->n_asked < (int)(sizeof again_us / sizeof again_us[0]))
            ask(n, q, now_us);
        else
            answer(n, q, NULL);
    }
    set_timer(n);
}

static question *answered_by(peer_names *n, const pl_udp_rx *rx, pl_addr *out)
{
    PL_EACH (i, &n->questions) {
        question *q = pl_of(i, question, node);
        pl_addr addr[PL_MDNS_ANSWERS_MAX];
        size_t n_addr = 0;
        if (pl_mdns_answer(rx->data, rx->len, q->name, addr, &n_addr) || !n_addr)
            continue;
        *out = addr[0];
        return q;
    }
    return NULL;
}

static void on_datagram(void *user, int64_t now_us, const pl_udp_rx *rx)
{
    peer_names *n = user;
    pl_addr addr;
    (void)now_us;
    for (question *q; (q = answered_by(n, rx, &addr));)
        answer(n, q, &addr);
    set_timer(n);
}

peer_names *peer_names_new(pl_factory *f)
{
    peer_names *n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    n->factory = f;
    n->timer = (pl_timer){ .fn = on_timer, .arg = n };
    pl_list_init(&n->questions);
    return n;
}

void peer_names_free(peer_names *n)
{
    if (!n)
        return;
    pl_timer_cancel(n->factory->net, &n->timer);
    pl_mdns_close(n->mdns);
    free(n);
}

void peer_names_ask(peer_names *n, pl_peer_connection *p, const char *name)
{
    int64_t now_us = pl_loop_now_us(n->factory->net);
    question *q = n->n_questions < QUESTIONS_MAX ? calloc(1, sizeof *q) : NULL;
    bool open = n->mdns || pl_mdns_open(&n->mdns, n->factory->net, on_datagram, n) == PL_OK;
    if (!q || !open) {
        free(q);
        pl_log_info(&p->log, "the name %s cannot be asked for: %s", pl_log_private(name),
                    open ? "too many questions" : "no multicast here");
        pl_pc_resolved(p->core, now_us, name, NULL);
        return;
    }
    q->peer = p;
    (void)pl_str_copy(pl_str_of(name), q->name, sizeof q->name);
    pl_list_push_back(&n->questions, &q->node);
    n->n_questions++;
    ask(n, q, now_us);
    set_timer(n);
}

void peer_names_forget(peer_names *n, pl_peer_connection *p)
{
    PL_EACH (i, &n->questions) {
        question *q = pl_of(i, question, node);
        if (q->peer != p)
            continue;
        pl_list_remove(&q->node);
        n->n_questions--;
        free(q);
    }
    set_timer(n);
}
