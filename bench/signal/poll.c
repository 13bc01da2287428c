/* Peers of the classic protocol: a request that hangs until there is something, and another one for each thing they say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../relay/load.h"
#include "swarm.h"

typedef struct post {
    pl_node in_posts; /* first: swarm_end frees it by that */
    size_t len;
    char request[];
} post;

static void wait_on(swarm_peer *p)
{
    char request[128];
    int n =
        snprintf(request, sizeof request, "GET /wait?peer_id=%u HTTP/1.1\r\nHost: localhost\r\n\r\n", p->id);
    swarm_open(p, &p->main, request, (size_t)n);
}

static void sign_in(swarm_peer *p)
{
    char request[128];
    int n = snprintf(request, sizeof request,
                     "GET /room/bench-%u/sign_in?p%u HTTP/1.1\r\nHost: localhost\r\n\r\n", p->room, p->index);
    swarm_open(p, &p->other, request, (size_t)n);
}

/* One at a time, so that they arrive in order. */
static void post_next(swarm_peer *p)
{
    pl_node *n = p->posting ? NULL : pl_list_pop_front(&p->posts);
    if (!n)
        return;
    post *next = pl_of(n, post, in_posts);
    p->posting = true;
    swarm_open(p, &p->other, next->request, next->len);
    free(next);
}

static void send_text(swarm_peer *p, const swarm_peer *to, const char *text, size_t len)
{
    post *m = malloc(sizeof *m + len + 256);
    if (!m)
        load_die("no memory");
    *m = (post){ .len = 0 };
    int n = snprintf(m->request, len + 256,
                     "POST /message?peer_id=%u&to=%u HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n"
                     "Content-Type: text/plain\r\n\r\n%.*s",
                     p->id, to->id, len, (int)len, text);
    m->len = (size_t)n;
    pl_list_push_back(&p->posts, &m->in_posts);
    post_next(p);
}

typedef struct answer {
    long status;
    uint32_t pragma;
    pl_str body;
} answer;

static unsigned long number_after(pl_str head, const char *name)
{
    const char *at = swarm_find(head, name);
    return at ? strtoul(at + strlen(name), NULL, 10) : 0;
}

/* False when it is not whole yet. */
static bool read_answer(const swarm_conn *c, answer *out)
{
    pl_str all = { c->in.p, c->in.n };
    const char *end = swarm_find(all, "\r\n\r\n");
    if (!end)
        return false;
    pl_str head = { all.p, (size_t)(end + 2 - all.p) };
    size_t body_at = head.n + 2, len = number_after(head, "\r\nContent-Length: ");
    *out = (answer){ .status = strtol(all.p + 9, NULL, 10),
                     .pragma = (uint32_t)number_after(head, "\r\nPragma: "),
                     .body = { all.p + body_at, len } };
    return all.n >= body_at + len;
}

static void on_signed_in(swarm_peer *p, const answer *a)
{
    if (a->status != 200 || !a->pragma)
        load_die("peer %u may not sign in: %ld %.*s", p->index, a->status, (int)a->body.n, a->body.p);
    p->id = a->pragma;
    swarm_close(&p->other);
    wait_on(p);
    swarm_signed_in(p);
}

static void input(swarm_peer *p, swarm_conn *c)
{
    answer a;
    if (!read_answer(c, &a))
        return;
    if (c == &p->main) {
        if (a.status != 200)
            load_die("peer %u may not wait: %ld %.*s", p->index, a.status, (int)a.body.n, a.body.p);
        if (a.pragma != p->id)
            swarm_heard(p, a.body.p, a.body.n);
        wait_on(p);
    } else if (!p->id) {
        on_signed_in(p, &a);
    } else {
        p->swarm->count.n_refused += a.status != 200;
        swarm_close(c);
        p->posting = false;
        post_next(p);
    }
}

/* Without an answer. A hanging request is asked again, as its clients do. */
static void closed(swarm_peer *p, swarm_conn *c)
{
    p->swarm->count.n_cut++;
    if (!p->id)
        load_die("peer %u: the connection was cut", p->index);
    if (c == &p->main) {
        wait_on(p);
    } else {
        p->posting = false;
        post_next(p);
    }
}

const swarm_way swarm_poll = { "long poll", sign_in, send_text, input, closed };
