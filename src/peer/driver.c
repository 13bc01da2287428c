/* driver.c - what a core lacks: a clock, a timer and, through pl_ice_io, the network. One pump ends everything that
 * touched the core:
 *     send what it has > tell what it says > wake engines > ask when to come back */
#include "peer/peer_internal.h"

void peer_send_all(pl_peer_connection *p, int64_t now_us)
{
    pl_dgram d = { .data = p->factory->out_buf, .cap = PEER_OUT_CAP };
    while (pl_pc_poll_output(p->core, now_us, &d))
        pl_ice_io_send(p->io, &d);
}

static void wake_engines(pl_peer_connection *p)
{
    uint64_t posted = pl_pc_take_posted(p->core);
    uint32_t version = pl_pc_media_version(p->core);
    int n = pl_pc_n_transceivers(p->core);
    for (int i = 0; posted && i < n; i++) {
        pl_rtp_transceiver *t = p->transceiver[i];
        if ((posted >> i & 1) && t && t->port.posted)
            t->port.posted(t->port.user);
    }
    if (version == p->media_version)
        return;
    p->media_version = version;
    for (int i = 0; i < n; i++) {
        pl_rtp_transceiver *t = p->transceiver[i];
        pl_pc_media_info info;
        if (!t || !t->port.changed)
            continue;
        pl_pc_media_info_get(p->core, i, &info);
        t->port.changed(t->port.user, &info);
    }
}

static void gather(pl_peer_connection *p)
{
    p->gathered = true;
    pl_ice_io_gather(p->io, pl_pc_ice(p->core));
    pl_pc_ice_changed(p->core, pl_loop_now_us(p->factory->net));
    p->again = true;
}

/* Delivering on an application's own loop may call back in and even free the connection, so the pump notes
 * that it was asked again instead of nesting. */
void peer_pump(pl_peer_connection *p)
{
    if (p->pumping) {
        p->again = true;
        return;
    }
    p->pumping = true;
    peer_ref(p);
    do {
        p->again = false;
        if (!p->core)
            break;
        int64_t now_us = pl_loop_now_us(p->factory->net);
        pl_ice_io_settle(p->io);
        peer_count_untold(p, now_us);
        peer_send_all(p, now_us);
        pl_pc_ice_changed(p->core,
                          now_us); /* being asked may have led the agent on: connections to open ... */
        peer_send_all(p, now_us);  /* ... and what follows from that */
        wake_engines(p);
        if (pl_pc_wants_gathering(p->core) && !p->gathered)
            gather(p);
        if (peer_feed(p))
            p->again = true;
        peer_take_events(p);
    } while (p->again);
    p->pumping = false;
    if (p->core && p->closing)
        pl_ice_io_close(p->io); /* the last words have gone */
    if (p->core)
        pl_timer_set(p->factory->net, &p->timer, pl_pc_next_us(p->core));
    peer_unref(p);
}

/* ---- what pl_ice_io calls ---- */

static void on_packet(void *user, int64_t now_us, const pl_path *path, uint8_t *pkt, size_t len)
{
    pl_peer_connection *p = user;
    if (p->core)
        pl_pc_input(p->core, now_us, path, pkt, len);
}

static void on_changed(void *user)
{
    pl_peer_connection *p = user;
    if (p->core)
        pl_pc_ice_changed(p->core, pl_loop_now_us(p->factory->net));
    peer_pump(p);
}

const pl_ice_io_events peer_io_events = { .input = on_packet, .changed = on_changed };
