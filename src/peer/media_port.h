/* media_port.h - where an engine docks at a transceiver: its rings and three calls. The only two places where
 * media threads meet the network loop are these rings (docs/architecture.md, threads).
 * Shape    the port lives in the engine; rings are the engine's too, and must outlive the detaching.
 * Thread   attach, detach and pl_peer_media_kick from any thread; the callbacks come on the network thread
 *          and must not block: they copy, or ring a bell. */
#ifndef PL_PEER_MEDIA_PORT_H
#define PL_PEER_MEDIA_PORT_H

#include "base/ring.h"
#include "base/shared.h"
#include "pc/pc.h"
#include "peerline/peer_connection.h"
#include "rtp/media_packet.h"

PL_SHARED_BEGIN

typedef struct pl_media_port {
    pl_pc_rings rings;
    void *user;
    /* recv_in has got something. */
    void (*posted)(void *user);
    /* What was negotiated has changed; also called once by attach. */
    void (*changed)(void *user, const pl_pc_media_info *info);
} pl_media_port;

/* The port is copied. Replaces one attached before. Errors: PL_ESTATE (connection closed), PL_ENOMEM. */
PL_NODISCARD pl_err pl_peer_attach_media(pl_rtp_transceiver *t, const pl_media_port *port);
/* After it returns the loop touches neither rings nor callbacks. */
void pl_peer_detach_media(pl_rtp_transceiver *t);
/* recv_out or send_out has got something: the loop will look. Cheap, wait-free while the bell is ringing. */
void pl_peer_media_kick(pl_rtp_transceiver *t);
/* The factory's connections live, and call back, on this loop of the application's. */
bool pl_peer_factory_is_on(const pl_factory *factory, const struct pl_loop *loop);

PL_SHARED_END

#endif
