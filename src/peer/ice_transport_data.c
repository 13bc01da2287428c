/* ice_transport_data.c - datagrams of the application: from any thread to the chosen pair, and from the peer up. */
#include "peer/ice_transport.h"
#include "stun/message.h"

#include <stdlib.h>

/* ---- in ---- */

/* Anybody may send to our port. Those the peer has named, or has shown by a check with the right password, are the
 * peer's addresses; data has no other mark. */
static bool is_of_peer(const pl_ice *agent, const pl_path *path)
{
    pl_path selected;
    if (pl_ice_selected(agent, &selected) && pl_addr_eq(&selected.remote, &path->remote))
        return true;
    pl_ice_cand_info info[PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX];
    size_t n = pl_ice_get_candidates(agent, info, PL_ICE_LOCALS_MAX + PL_ICE_REMOTES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (info[i].remote && info[i].proto == path->proto && pl_addr_eq(&info[i].addr, &path->remote))
            return true;
    }
    return false;
}

void ice_transport_input(void *transport, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len)
{
    pl_ice_transport *t = transport;
    pl_path of = *path;
    if (!t->agent || !pl_ice_unwrap(t->agent, now_us, &of, &pkt, &len))
        return;
    if (pl_stun_is_message(pkt, len)) {
        pl_ice_input(t->agent, now_us, &of, pkt, len);
        return;
    }
    if (!is_of_peer(t->agent, &of)) {
        char text[PL_ADDR_TEXT_MAX];
        t->stray++;
        if (pl_rate_pass(&t->stray_said, now_us))
            pl_log_debug(&t->log, "data from %s, which is no address of the peer's (%llu so far)",
                         pl_log_addr(&of.remote, text), (unsigned long long)t->stray);
        return;
    }
    pl_ice_count_received(t->agent, now_us, 1, len);
    ice_transport_note_data(t, pkt, len);
}

/* ---- out ---- */

static pl_err send_now(pl_ice_transport *t, const void *data, size_t len)
{
    int64_t now_us = pl_loop_now_us(t->factory->net);
    pl_dgram d = { .data = t->factory->out_buf, .cap = PEER_OUT_CAP, .len = len };
    if (!t->agent || !pl_ice_selected(t->agent, &d.path))
        return PL_ESTATE;
    memcpy(d.data, data, len);
    if (pl_ice_wrap(t->agent, now_us, &d))
        return PL_ESTATE; /* the relay is gone; the agent looks for another way */
    pl_ice_io_send(t->io, &d);
    pl_ice_count_sent(t->agent, now_us, 1, len);
    return PL_OK;
}

static ice_send *next_send(pl_ice_transport *t)
{
    pl_mutex_lock(&t->lock);
    pl_node *n = pl_list_pop_front(&t->sends);
    ice_send *s = n ? pl_of(n, ice_send, node) : NULL;
    if (s)
        t->send_bytes -= s->len;
    pl_mutex_unlock(&t->lock);
    return s;
}

void ice_transport_send_queued(void *transport)
{
    pl_ice_transport *t = transport;
    for (ice_send *s; (s = next_send(t));) {
        (void)send_now(t, s->data, s->len); /* without a path it is lost, as in the network */
        free(s);
    }
    if (t->agent)
        ice_transport_pump(t);
}

void ice_transport_drop_sends(pl_ice_transport *t)
{
    for (ice_send *s; (s = next_send(t));)
        free(s);
}

static pl_err queue_send(pl_ice_transport *t, const void *data, size_t len)
{
    ice_send *s = malloc(sizeof *s + len);
    if (!s)
        return PL_ENOMEM;
    *s = (ice_send){ .len = len };
    memcpy(s->data, data, len);
    pl_mutex_lock(&t->lock);
    pl_err err = !t->has_path ? PL_ESTATE : t->send_bytes + len > PL_ICE_SEND_QUEUE_MAX ? PL_ENOSPC : PL_OK;
    if (!err) {
        pl_list_push_back(&t->sends, &s->node);
        t->send_bytes += len;
    }
    pl_mutex_unlock(&t->lock);
    if (err) {
        free(s);
        return err;
    }
    return pl_wake_up(&t->kick);
}

pl_err pl_ice_transport_send(pl_ice_transport *t, const void *data, size_t len)
{
    if (!len || len > PL_ICE_DATAGRAM_MAX)
        return PL_EINVAL;
    if (!pl_loop_is_here(t->factory->net))
        return queue_send(t, data, len);
    pl_err err = send_now(t, data, len);
    if (!err)
        ice_transport_pump(t); /* a relay may need a channel for what was sent */
    return err;
}
