/* stream.h - one name at which somebody publishes and others watch: packets in, packets out, nothing decoded.
 * Source   RFC 7667 3.7 (selective forwarding), RFC 4585 (PLI); RTX, NACK and congestion control are those of each
 *          connection.
 * Shape    lives on the loop of the connections, which are the caller's: pl_stream_new gives, pl_stream_free takes. A
 *          viewer joins and leaves by a handle of its own. Publisher and viewers may come and go in any order.
 * Limits   PL_STREAM_RING slots of a packet each way and viewer; what does not fit is dropped and counted.
 * Thread   the loop's owner. */
#ifndef PL_SERVER_STREAM_H
#define PL_SERVER_STREAM_H

#include "peer/media_port.h"
#include "peerline/loop.h"
#include "server/stream_map.h"

enum { PL_STREAM_RING_IN = 512, PL_STREAM_RING_VIDEO = 128, PL_STREAM_RING_AUDIO = 32 };

typedef struct pl_stream pl_stream;
typedef struct pl_stream_viewer pl_stream_viewer;

typedef struct pl_stream_stats {
    uint64_t packets_in, bytes_in, packets_out, bytes_out;
    uint64_t n_dropped; /* of another codec or source, too large, or for a ring that was full */
    uint64_t keys_wanted, keys_asked;
} pl_stream_stats;

PL_NODISCARD pl_err pl_stream_new(pl_stream **out, pl_loop *loop);
/* Viewers must have left and the publisher, too. NULL is fine. */
void pl_stream_free(pl_stream *s);
/* The first audio and the first video section of a connection whose answer is made become what is forwarded. Errors:
 * PL_ESTATE (somebody publishes), PL_EINVAL (it sends neither), PL_ENOMEM. */
PL_NODISCARD pl_err pl_stream_publish(pl_stream *s, pl_peer_connection *pc);
/* Before the connection is freed. Viewers stay, and see what is published next. */
void pl_stream_unpublish(pl_stream *s);
/* The name of the codec that is published, "" when nothing is. */
const char *pl_stream_codec(const pl_stream *s, pl_media_type kind);
/* Sends to these transceivers (NULL: not of this kind), once they are negotiated. Errors: PL_ENOMEM, PL_ESTATE. */
PL_NODISCARD pl_err pl_stream_view(pl_stream_viewer **out, pl_stream *s, pl_rtp_transceiver *const t[2]);
/* Before the viewer's connection is freed. NULL is fine. */
void pl_stream_unview(pl_stream_viewer *v);
void pl_stream_get_stats(const pl_stream *s, pl_stream_stats *out);

#endif
