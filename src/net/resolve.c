#include "net/resolve.h"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "net/loop.h"
#include "net/sockaddr.h"
#include "net/srv.h"
#include "net/thread.h"

/* The system's resolver waits as long as it likes and cannot be stopped. So each question to it has a detached
 * thread of its own (libuv's pool would be joined at the end of the process): who cancels leaves the thread alone
 * with this, which the last of the two frees. */
typedef struct question {
    pl_mutex lock;       /* guards asker */
    pl_resolve *asker;   /* NULL: cancelled */
    _Atomic int n_users; /* the asker and the thread, and the thread's post */
    char host[PL_RESOLVE_NAME_MAX + 1];
    char srv[PL_RESOLVE_NAME_MAX + 32]; /* "_stun._udp.example.org", or "" */
    char also[PL_RESOLVE_NAME_MAX + 32];
    bool records_only; /* the records are the answer */
    pl_srv record[2 * PL_SRV_MAX];
    size_t n_records;
    uint16_t port;
    int family; /* of the system */
    pl_err err;
    size_t n;
    pl_addr addr[PL_RESOLVE_ADDR_MAX];
} question;

struct pl_resolve {
    pl_loop *loop;
    pl_timer at_once; /* gives a known answer, from the loop */
    pl_addr known[2];
    size_t n_known;
    question *asked;  /* NULL where the answer is known */
    pl_resolve_fn fn; /* or on_records */
    pl_resolve_srv_fn on_records;
    void *user;
};

static _Atomic int n_threads;

static void drop(question *s)
{
    if (atomic_fetch_sub(&s->n_users, 1) > 1)
        return;
    pl_mutex_clear(&s->lock);
    free(s);
}

static void answer(pl_resolve *q, pl_err err, const pl_addr *addr, size_t n)
{
    pl_resolve_fn fn = q->fn;
    void *user = q->user;
    free(q); /* first: fn may ask again, or end everything */
    fn(user, err, addr, n);
}

/* --- on the question's thread --- */

static bool is_listed(const pl_addr *list, size_t n, const pl_addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (pl_addr_eq(&list[i], a))
            return true;
    }
    return false;
}

static void take_addresses(question *s, const struct addrinfo *ai, uint16_t port)
{
    for (; ai && s->n < PL_RESOLVE_ADDR_MAX; ai = ai->ai_next) {
        pl_addr *addr = &s->addr[s->n];
        if (!pl_sockaddr_to(addr, ai->ai_addr))
            continue;
        addr->port = port;
        s->n += !is_listed(s->addr, s->n, addr);
    }
}

static void ask_addresses(question *s, const char *host, uint16_t port)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_family = s->family }, *found = NULL;
#ifdef AI_IDN
    for (const char *p = host; *p; p++) {
        if (*p & 0x80)
            hints.ai_flags |= AI_IDN;
    }
#endif
    int err = getaddrinfo(host, NULL, &hints, &found);
    if (err == 0) {
        take_addresses(s, found, port);
        freeaddrinfo(found);
    }
    s->err = s->n > 0 ? PL_OK : err == EAI_MEMORY ? PL_ENOMEM : PL_EIO;
}

/* How many records there are, in the order to try them. */
static size_t ask_srv(const char *name, pl_srv out[PL_SRV_MAX])
{
    enum { ANSWER_MAX = 8192, WAIT_S = 2, TRIES = 2 };
    uint8_t answer[ANSWER_MAX];
    struct __res_state state = { 0 };
    size_t n = 0;
    if (res_ninit(&state) != 0)
        return 0;
    state.retrans =
        WAIT_S; /* many servers drop what they do not know: the addresses shall not wait for long */
    state.retry = TRIES;
    int len = res_nquery(&state, name, ns_c_in, ns_t_srv, answer, sizeof answer);
    res_nclose(&state);
    if (len < 0 || (size_t)len > sizeof answer || pl_srv_parse(answer, (size_t)len, out, &n))
        return 0;
    return n;
}

static void ask_records(question *s)
{
    s->n_records = ask_srv(s->srv, s->record);
    size_t n = s->also[0] ? ask_srv(s->also, s->record + s->n_records) : 0;
    for (size_t i = 0; i < n; i++)
        s->record[s->n_records++].set = 1;
    pl_srv_order(s->record, s->n_records, NULL);
}

static void ask_system(question *s)
{
    if (s->records_only) {
        ask_records(s);
        return;
    }
    pl_srv srv[PL_SRV_MAX];
    size_t n = s->srv[0] ? ask_srv(s->srv, srv) : 0;
    pl_srv_order(srv, n, NULL);
    s->err = PL_EIO;
    if (n == 0)
        ask_addresses(s, s->host, s->port);
    for (size_t i = 0; i < n; i++) {
        if (srv[i].target[0] && srv[i].port)
            ask_addresses(s, srv[i].target, srv[i].port);
    }
    if (s->n > 0)
        s->err = PL_OK;
}

static void on_answer(void *arg);

/* Posts the answer while the asker is held, so that it cannot go away between looking and posting. */
static bool post_answer(question *s)
{
    pl_mutex_lock(&s->lock);
    bool done = true;
    if (s->asker) {
        atomic_fetch_add(&s->n_users, 1);
        done = pl_loop_post(s->asker->loop, on_answer, s) == PL_OK;
        if (!done)
            atomic_fetch_sub(&s->n_users, 1);
    }
    pl_mutex_unlock(&s->lock);
    return done;
}

static void thread_main(void *arg)
{
    question *s = arg;
    ask_system(s);
    while (!post_answer(s)) /* a full mailbox: this thread has time */
        pl_thread_sleep_us(PL_MS(20));
    drop(s);
    atomic_fetch_sub(&n_threads, 1);
}

/* --- on the loop --- */

static void answer_records(question *s)
{
    pl_resolve *q = s->asker;
    pl_resolve_srv_fn fn = q->on_records;
    void *user = q->user;
    drop(s); /* the post's; the asker's holds the records until they were told */
    free(q);
    fn(user, s->record, s->n_records);
    drop(s);
}

static void on_answer(void *arg)
{
    question *s = arg;
    pl_resolve *q = s->asker;
    if (s->records_only) {
        answer_records(s);
        return;
    }
    pl_addr addr[PL_RESOLVE_ADDR_MAX];
    size_t n = s->n;
    pl_err err = s->err;
    memcpy(addr, s->addr, n * sizeof *addr);
    drop(s); /* the post's */
    drop(s); /* the asker's */
    answer(q, err, addr, n);
}

static void on_at_once(void *arg, int64_t now_us)
{
    (void)now_us;
    pl_resolve *q = arg;
    pl_addr addr[2] = { q->known[0], q->known[1] };
    answer(q, PL_OK, addr, q->n_known);
}

static void know(pl_resolve *q, pl_addr addr, uint16_t port, pl_family family)
{
    addr.port = port;
    if (family == PL_AF_NONE || addr.family == family)
        q->known[q->n_known++] = addr;
}

/* "localhost" and all below it, with or without a final dot, never leave this machine (RFC 6761 6.3). */
static bool is_localhost(pl_str name)
{
    static const pl_str tail = { ".localhost", 10 };
    if (name.n > 0 && name.p[name.n - 1] == '.')
        name.n--;
    return pl_str_ieq(name, PL_STR("localhost")) ||
           (name.n > tail.n && pl_str_ieq((pl_str){ name.p + name.n - tail.n, tail.n }, tail));
}

/* What needs no question. */
static void look_known(pl_resolve *q, pl_str host, uint16_t port, pl_family family)
{
    pl_addr literal;
    if (pl_addr_parse_ip(&literal, host.p, host.n) == PL_OK) {
        know(q, literal, port, family);
    } else if (is_localhost(host)) {
        know(q, (pl_addr){ .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } }, port, family);
        know(q, (pl_addr){ .family = PL_AF_IP6, .ip = { [15] = 1 } }, port, family);
    }
}

static question *question_new(pl_resolve *asker, const pl_resolve_service *what)
{
    question *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    pl_mutex_init(&s->lock);
    s->asker = asker;
    atomic_store(&s->n_users, 2); /* the asker and the thread */
    snprintf(s->host, sizeof s->host, "%s", what->host);
    if (what->service && !what->port)
        snprintf(s->srv, sizeof s->srv, "_%s._%s.%s", what->service, what->proto, what->host);
    s->port = what->port ? what->port : what->default_port;
    s->family = what->family == PL_AF_IP4 ? AF_INET : what->family == PL_AF_IP6 ? AF_INET6 : AF_UNSPEC;
    return s;
}

static pl_err start_thread(question *s)
{
    if (atomic_fetch_add(&n_threads, 1) >= PL_RESOLVE_MAX) {
        atomic_fetch_sub(&n_threads, 1);
        return PL_ENOSPC;
    }
    pl_err err = pl_thread_start_detached("peerline-dns", thread_main, s);
    if (err != PL_OK)
        atomic_fetch_sub(&n_threads, 1);
    return err;
}

static pl_err ask(pl_resolve *q, const pl_resolve_service *what)
{
    q->asked = question_new(q, what);
    if (!q->asked)
        return PL_ENOMEM;
    pl_err err = start_thread(q->asked);
    if (err != PL_OK) {
        drop(q->asked); /* there is no thread */
        drop(q->asked);
    }
    return err;
}

pl_err pl_resolve_service_start(pl_resolve **out, pl_loop *loop, const pl_resolve_service *what,
                                pl_resolve_fn fn, void *user)
{
    PL_OWNED(loop);
    *out = NULL;
    size_t len = strlen(what->host);
    if (len == 0 || len > PL_RESOLVE_NAME_MAX || !fn)
        return PL_EINVAL;
    pl_resolve *q = calloc(1, sizeof *q);
    if (!q)
        return PL_ENOMEM;
    q->loop = loop;
    q->fn = fn;
    q->user = user;
    q->at_once = (pl_timer){ .fn = on_at_once, .arg = q };
    look_known(q, (pl_str){ what->host, len }, what->port ? what->port : what->default_port, what->family);
    pl_err err = q->n_known > 0 ? PL_OK : ask(q, what);
    if (err != PL_OK) {
        free(q);
        return err;
    }
    if (q->n_known > 0)
        pl_timer_set(loop, &q->at_once, pl_loop_now_us(loop));
    *out = q;
    return PL_OK;
}

pl_err pl_resolve_start(pl_resolve **out, pl_loop *loop, const char *host, uint16_t port, pl_family family,
                        pl_resolve_fn fn, void *user)
{
    pl_resolve_service what = { .host = host, .default_port = port, .family = family };
    return pl_resolve_service_start(out, loop, &what, fn, user);
}

pl_err pl_resolve_srv_start(pl_resolve **out, pl_loop *loop, const char *name, const char *also,
                            pl_resolve_srv_fn fn, void *user)
{
    PL_OWNED(loop);
    *out = NULL;
    if (!*name || strlen(name) > PL_RESOLVE_NAME_MAX || (also && strlen(also) > PL_RESOLVE_NAME_MAX) || !fn)
        return PL_EINVAL;
    pl_resolve *q = calloc(1, sizeof *q);
    question *s = q ? question_new(q, &(pl_resolve_service){ .host = name }) : NULL;
    if (!s) {
        free(q);
        return PL_ENOMEM;
    }
    *q = (pl_resolve){ .loop = loop, .asked = s, .on_records = fn, .user = user };
    s->records_only = true;
    snprintf(s->srv, sizeof s->srv, "%s", name);
    snprintf(s->also, sizeof s->also, "%s", also ? also : "");
    pl_err err = start_thread(s);
    if (err) {
        drop(s); /* there is no thread */
        drop(s);
        free(q);
        return err;
    }
    *out = q;
    return PL_OK;
}

void pl_resolve_cancel(pl_resolve *q)
{
    if (!q)
        return;
    PL_OWNED(q->loop);
    pl_timer_cancel(q->loop, &q->at_once);
    question *s = q->asked;
    if (s) {
        pl_mutex_lock(&s->lock);
        s->asker = NULL; /* from now on the thread posts nothing */
        pl_mutex_unlock(&s->lock);
        if (pl_loop_forget(q->loop, on_answer, s) > 0)
            drop(s); /* the post's */
        drop(s);     /* ours */
    }
    free(q);
}
