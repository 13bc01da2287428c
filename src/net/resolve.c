#include "net/resolve.h"

#include <stdlib.h>
#include <string.h>

#include "net/loop_internal.h"
#include "net/sockaddr.h"

struct pl_resolve {
    uv_getaddrinfo_t req; /* unused for an address in text */
    pl_loop *loop;
    pl_timer at_once; /* answers an address in text, from the loop */
    pl_addr literal;
    uint16_t port;
    bool cancelled;
    pl_resolve_fn fn;
    void *user;
};

static void answer(pl_resolve *q, pl_err err, const pl_addr *addr, size_t n)
{
    pl_resolve_fn fn = q->fn;
    void *user = q->user;
    free(q); /* first: fn may ask again, or end everything */
    fn(user, err, addr, n);
}

static void on_at_once(void *arg, int64_t now_us)
{
    (void)now_us;
    pl_resolve *q = arg;
    pl_addr addr = q->literal;
    answer(q, PL_OK, &addr, 1);
}

static bool is_listed(const pl_addr *list, size_t n, const pl_addr *a)
{
    for (size_t i = 0; i < n; i++) {
        if (pl_addr_eq(&list[i], a))
            return true;
    }
    return false;
}

static void on_answer(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
    pl_resolve *q = req->data;
    pl_addr addr[PL_RESOLVE_ADDR_MAX];
    size_t n = 0;
    for (struct addrinfo *ai = status == 0 ? res : NULL; ai && n < PL_RESOLVE_ADDR_MAX; ai = ai->ai_next) {
        if (!pl_sockaddr_to(&addr[n], ai->ai_addr))
            continue;
        addr[n].port = q->port;
        n += !is_listed(addr, n, &addr[n]);
    }
    uv_freeaddrinfo(res);
    if (q->cancelled)
        free(q);
    else if (n > 0)
        answer(q, PL_OK, addr, n);
    else
        answer(q, status == UV_ENOMEM || status == UV_EAI_MEMORY ? PL_ENOMEM : PL_EIO, NULL, 0);
}

static bool is_literal(pl_resolve *q, const char *host, size_t len, pl_family family)
{
    if (pl_addr_parse_ip(&q->literal, host, len) != PL_OK)
        return false;
    q->literal.port = q->port;
    return family == PL_AF_NONE || q->literal.family == family;
}

static pl_err ask_system(pl_resolve *q, const char *host, pl_family family)
{
    struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_family = AF_UNSPEC };
    if (family != PL_AF_NONE)
        hints.ai_family = family == PL_AF_IP4 ? AF_INET : AF_INET6;
    int err = uv_getaddrinfo(&q->loop->uv, &q->req, on_answer, host, NULL, &hints);
    if (err == 0)
        return PL_OK;
    return err == UV_ENOMEM ? PL_ENOMEM : PL_EINVAL; /* the latter: a name that IDNA refuses */
}

pl_err pl_resolve_start(pl_resolve **out, pl_loop *loop, const char *host, uint16_t port, pl_family family,
                        pl_resolve_fn fn, void *user)
{
    PL_OWNED(loop);
    *out = NULL;
    size_t len = strlen(host);
    if (len == 0 || len > PL_RESOLVE_NAME_MAX || !fn)
        return PL_EINVAL;
    pl_resolve *q = calloc(1, sizeof *q);
    if (!q)
        return PL_ENOMEM;
    q->loop = loop;
    q->port = port;
    q->fn = fn;
    q->user = user;
    q->req.data = q;
    q->at_once = (pl_timer){ .fn = on_at_once, .arg = q };
    if (is_literal(q, host, len, family)) {
        pl_timer_set(loop, &q->at_once, pl_loop_now_us(loop));
    } else {
        pl_err err = ask_system(q, host, family);
        if (err != PL_OK) {
            free(q);
            return err;
        }
    }
    *out = q;
    return PL_OK;
}

void pl_resolve_cancel(pl_resolve *q)
{
    if (!q)
        return;
    PL_OWNED(q->loop);
    if (q->at_once.node.linked) {
        pl_timer_cancel(q->loop, &q->at_once);
        free(q);
        return;
    }
    q->cancelled =
        true; /* freed in on_answer, which comes in any case: a running getaddrinfo cannot be stopped */
    uv_cancel((uv_req_t *)&q->req);
}
