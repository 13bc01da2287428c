/* rtp.h - the W3C's RTCRtpTransceiver in C. Engines attach through media.h; sending and receiving RTP payloads of
 * an application's own (a forwarding server, a device with a hardware encoder) will be here.
 * Threads and ownership as in peer_connection.h; a transceiver lives as long as its connection. */
#ifndef PEERLINE_RTP_H
#define PEERLINE_RTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peerline/error.h"
#include "peerline/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pl_rtp_transceiver pl_rtp_transceiver;

enum {
    PL_TRANSCEIVERS_MAX = 62,
    PL_STREAM_ID_MAX = 64 /* characters of a stream's or track's id (RFC 8830) */
};

typedef enum pl_media_type { PL_AUDIO, PL_VIDEO } pl_media_type;
typedef enum pl_direction { PL_SENDRECV, PL_SENDONLY, PL_RECVONLY, PL_INACTIVE, PL_STOPPED } pl_direction;

/* W3C RTCRtpTransceiverInit. */
typedef struct pl_transceiver_init {
    pl_direction direction;
    const char *stream_id;       /* msid stream; NULL: "-" (none) */
    const char *preferred_codec; /* "opus", "PCMU", "PCMA", "VP8": alone offered; NULL: all */
} pl_transceiver_init;

/* Constant for the transceiver's life. */
PL_API pl_media_type pl_rtp_transceiver_kind(const pl_rtp_transceiver *transceiver);
/* W3C mid: copied into out (cap bytes), always zero-terminated; "" before negotiation. */
PL_API void pl_rtp_transceiver_mid(pl_rtp_transceiver *transceiver, char *out, size_t cap);
/* W3C direction: what we wish; PL_STOPPED once it is stopped, or its connection is gone. */
PL_API pl_direction pl_rtp_transceiver_direction(pl_rtp_transceiver *transceiver);
/* W3C currentDirection: what was negotiated, as we see it; PL_INACTIVE before the first answer. */
PL_API pl_direction pl_rtp_transceiver_current_direction(pl_rtp_transceiver *transceiver);
/* W3C RTCTrackEvent.streams, known from on_track on: the id of the stream'th stream that the peer's track belongs to (msid,
 * RFC 8830), copied into out (cap bytes), zero-terminated. Tracks with a stream in common are played in step. False, and
 * "", when there are not so many. */
PL_API bool pl_rtp_transceiver_remote_stream(pl_rtp_transceiver *transceiver, size_t stream, char *out,
                                             size_t cap);
/* The id that the peer gave to its track, in the same way; "" when it gave none. */
PL_API void pl_rtp_transceiver_remote_track(pl_rtp_transceiver *transceiver, char *out, size_t cap);
/* Takes effect with the next negotiation; on_negotiation_needed follows.
 * Errors: PL_ESTATE (stopped, closed), PL_EINVAL (PL_STOPPED: that is pl_rtp_transceiver_stop). */
PL_NODISCARD PL_API pl_err pl_rtp_transceiver_set_direction(pl_rtp_transceiver *transceiver,
                                                            pl_direction direction);
/* W3C stop(): neither sends nor receives any more; the section is rejected with the next negotiation, and
 * on_negotiation_needed follows. Cannot be undone. Errors: PL_ESTATE (stopped already, closed). */
PL_NODISCARD PL_API pl_err pl_rtp_transceiver_stop(pl_rtp_transceiver *transceiver);
PL_API const char *pl_direction_str(pl_direction direction); /* "sendrecv" … */

#ifdef __cplusplus
}
#endif
#endif
