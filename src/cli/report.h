/* report.h - the call report: what a call was like, as JSON and as a table for people.
 * Shape    pl_report_make takes a snapshot of a connection and returns an object (owned by the caller);
 *          pl_report_print draws one to standard output.
 *
 *     {"name", "peer", "good", "reason", "seconds",
 *      "setup_ms": {"gathering", "ice", "dtls", "channel", "first_audio", "first_key_frame"},
 *      "pair": {"local", "remote", "protocol", "rtt_ms"},
 *      "audio": {"codec", "sent_kbps", "received_kbps", "lost", "lost_percent", "jitter_ms",
 *                "concealed_percent", "level_dbov", "buffer_ms"},
 *      "video": {"codec", "sent_kbps", "received_kbps", "lost", "lost_percent", "jitter_ms", "size",
 *                "frames", "key_frames", "fps", "freezes", "freeze_ms", "nacks", "plis", "repeated"}} */
#ifndef PL_CLI_REPORT_H
#define PL_CLI_REPORT_H

#include <jansson.h>

#include "peerline/media.h"
#include "peerline/peer_connection.h"

typedef struct pl_report_conf {
    const char *name, *peer;
    double seconds;              /* since connected */
    const char *failure;         /* why the call failed, or NULL */
    bool want_audio, want_video; /* what must have come for the call to be good */
} pl_report_conf;

json_t *pl_report_make(pl_peer_connection *pc, pl_media *media, const pl_report_conf *conf);
/* color: use ANSI colours. */
void pl_report_print(const json_t *report, bool color);
bool pl_report_good(const json_t *report);

#endif
