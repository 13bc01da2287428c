#include "net/mailbox.h"

#include <stdlib.h>

enum { FIRST_CAP = 16, KEEP_CAP = 256 }; /* a burst's memory is given back */

void pl_mailbox_init(pl_mailbox *m)
{
    *m = (pl_mailbox){ .next_out = 0 };
    pl_mutex_init(&m->lock);
}

void pl_mailbox_clear(pl_mailbox *m)
{
    free(m->in.at);
    free(m->out.at);
    pl_mutex_clear(&m->lock);
}

static pl_err grow(pl_posts *p)
{
    if (p->n == PL_LOOP_POSTS_MAX)
        return PL_ENOSPC;
    size_t cap = p->cap ? p->cap * 2 : FIRST_CAP;
    pl_post *at = realloc(p->at, cap * sizeof *at);
    if (!at)
        return PL_ENOMEM;
    p->at = at;
    p->cap = cap;
    return PL_OK;
}

pl_err pl_mailbox_put(pl_mailbox *m, pl_loop_fn fn, void *arg, bool *was_empty)
{
    pl_mutex_lock(&m->lock);
    pl_err err = m->in.n < m->in.cap ? PL_OK : grow(&m->in);
    *was_empty = m->in.n == 0;
    if (err == PL_OK)
        m->in.at[m->in.n++] = (pl_post){ fn, arg };
    pl_mutex_unlock(&m->lock);
    return err;
}

static void swap(pl_mailbox *m)
{
    pl_mutex_lock(&m->lock);
    pl_posts full = m->in;
    m->in = m->out;
    m->out = full;
    pl_mutex_unlock(&m->lock);
}

bool pl_mailbox_drain(pl_mailbox *m)
{
    if (m->next_out < m->out.n)
        return true; /* called by one of them: the drain below us goes on */
    swap(m);
    bool any = m->out.n > 0;
    for (m->next_out = 0; m->next_out < m->out.n;) {
        pl_post post = m->out.at[m->next_out++];
        if (post.fn)
            post.fn(post.arg);
    }
    m->next_out = m->out.n = 0;
    if (m->out.cap > KEEP_CAP) {
        free(m->out.at);
        m->out = (pl_posts){ 0 };
    }
    return any;
}

static unsigned forget_in(pl_posts *p, size_t from, pl_loop_fn fn, void *arg)
{
    unsigned n = 0;
    for (size_t i = from; i < p->n; i++) {
        if (p->at[i].fn != fn || p->at[i].arg != arg)
            continue;
        p->at[i].fn = NULL;
        n++;
    }
    return n;
}

unsigned pl_mailbox_forget(pl_mailbox *m, pl_loop_fn fn, void *arg)
{
    unsigned n = forget_in(&m->out, m->next_out, fn, arg);
    pl_mutex_lock(&m->lock);
    n += forget_in(&m->in, 0, fn, arg);
    pl_mutex_unlock(&m->lock);
    return n;
}
