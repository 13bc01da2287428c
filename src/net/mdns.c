#include "net/mdns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "net/ifaddr.h"
#include "net/thread.h"

static const pl_addr group4 = { .family = PL_AF_IP4, .ip = { 224, 0, 0, 251 }, .port = PL_MDNS_PORT };
static const pl_addr group6 = { .family = PL_AF_IP6,
                                .ip = { 0xff, 0x02, [15] = 0xfb },
                                .port = PL_MDNS_PORT };

/* One family: its socket and the interfaces it works on. */
typedef struct side {
    pl_udp *udp; /* NULL: this family has no multicast here */
    const pl_addr *group;
    uint32_t if_index[PL_MDNS_IF_MAX];
    size_t n_ifs;
    bool shared; /* on port 5353, so it hears the group */
} side;

struct pl_mdns {
    pl_loop *loop;
    side side[2];
    pl_mdns_fn fn;
    void *user;
    bool in_callback, closed;
};

static void on_datagrams(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    pl_mdns *m = user;
    m->in_callback = true;
    for (size_t i = 0; i < n && !m->closed; i++)
        m->fn(m->user, now_us, &batch[i]);
    m->in_callback = false;
    if (m->closed)
        free(m);
}

static void add_interface(side *s, const pl_ifaddr *a)
{
    if (a->addr.family != s->group->family || s->n_ifs == PL_MDNS_IF_MAX)
        return;
    for (size_t i = 0; i < s->n_ifs; i++) {
        if (s->if_index[i] == a->index)
            return;
    }
    s->if_index[s->n_ifs++] = a->index;
}

/* Link-local IPv6 addresses are enough for mDNS. Loopback only where there is nothing else, so that two
 * programs on a machine without network still find each other. */
static void find_interfaces(side *s)
{
    pl_ifaddr list[PL_IFADDR_MAX];
    size_t n = pl_ifaddr_list(list, PL_IFADDR_MAX, PL_IFADDR_LOOPBACK | PL_IFADDR_LINK_LOCAL);
    for (size_t i = 0; i < n; i++) {
        if (list[i].multicast && list[i].type != PL_IF_LOOPBACK)
            add_interface(s, &list[i]);
    }
    for (size_t i = 0; i < n && s->n_ifs == 0; i++) {
        if (list[i].type == PL_IF_LOOPBACK)
            add_interface(s, &list[i]);
    }
}

static pl_err open_socket(pl_mdns *m, side *s, uint16_t port)
{
    pl_udp_conf conf = { .bind = { .family = s->group->family, .port = port },
                         .fn = on_datagrams,
                         .user = m,
                         .offload = PL_UDP_OFFLOAD_OFF,
                         .multicast_hops = 255, /* RFC 6762 11 */
                         .reuse_addr = true };
    return pl_udp_open(&s->udp, m->loop, &conf);
}

static void open_side(pl_mdns *m, side *s, const pl_addr *group)
{
    s->group = group;
    find_interfaces(s);
    if (s->n_ifs == 0)
        return;
    s->shared = open_socket(m, s, PL_MDNS_PORT) == PL_OK;
    if (!s->shared && open_socket(m, s, 0) != PL_OK)
        return;
    size_t n_joined = 0;
    for (size_t i = 0; s->shared && i < s->n_ifs; i++)
        n_joined += pl_udp_join(s->udp, s->group, s->if_index[i]) == PL_OK;
    s->shared = n_joined > 0;
}

pl_err pl_mdns_open(pl_mdns **out, pl_loop *loop, pl_mdns_fn fn, void *user)
{
    PL_OWNED(loop);
    *out = NULL;
    pl_mdns *m = calloc(1, sizeof *m);
    if (!m)
        return PL_ENOMEM;
    m->loop = loop;
    m->fn = fn;
    m->user = user;
    open_side(m, &m->side[0], &group4);
    open_side(m, &m->side[1], &group6);
    if (!m->side[0].udp && !m->side[1].udp) {
        free(m);
        return PL_EIO;
    }
    *out = m;
    return PL_OK;
}

void pl_mdns_close(pl_mdns *m)
{
    if (!m)
        return;
    PL_OWNED(m->loop);
    assert(!m->closed);
    pl_udp_close(m->side[0].udp);
    pl_udp_close(m->side[1].udp);
    m->closed = true;
    if (!m->in_callback)
        free(m);
}

static size_t send_side(side *s, const void *data, size_t len)
{
    size_t n_sent = 0;
    if (!s->udp)
        return 0;
    pl_dgram d = { .path.remote = *s->group, .data = (uint8_t *)(uintptr_t)data, .len = len };
    for (size_t i = 0; i < s->n_ifs; i++) {
        if (pl_udp_multicast_if(s->udp, s->if_index[i]) == PL_OK)
            n_sent += pl_udp_send(s->udp, &d) == PL_OK;
    }
    return n_sent;
}

pl_err pl_mdns_send(pl_mdns *m, const void *data, size_t len)
{
    size_t n_sent = send_side(&m->side[0], data, len);
    n_sent += send_side(&m->side[1], data, len);
    return n_sent > 0 ? PL_OK : PL_EIO;
}

pl_err pl_mdns_send_to(pl_mdns *m, const pl_addr *to, const void *data, size_t len)
{
    pl_dgram d = { .path.remote = *to, .data = (uint8_t *)(uintptr_t)data, .len = len };
    side *s = &m->side[to->family == PL_AF_IP6];
    return s->udp ? pl_udp_send(s->udp, &d) : PL_EIO;
}

bool pl_mdns_is_shared(const pl_mdns *m)
{
    return m->side[0].shared || m->side[1].shared;
}
