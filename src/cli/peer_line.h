/* peer_line.h - one line that `peerline peer` reads, as what it asks for.
 * Shape    a line lends its texts until it is cleared; the zero state is legal to clear.
 * Errors   PL_EPROTO: the line is not JSON, its type is unknown or something in it is missing or malformed; `error`
 *          says what. PL_ENOMEM. After either, kind and label stand when they were readable. */
#ifndef PL_CLI_PEER_LINE_H
#define PL_CLI_PEER_LINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "peerline/peer_connection.h"

typedef enum pl_peer_line_kind {
    PL_PEER_LINE_NONE,
    PL_PEER_LINE_DESCRIPTION, /* sdp_type, sdp */
    PL_PEER_LINE_CANDIDATE,   /* candidate */
    PL_PEER_LINE_SEND,        /* label, data, len, binary */
    PL_PEER_LINE_RESTART_ICE,
    PL_PEER_LINE_CLOSE
} pl_peer_line_kind;

typedef struct pl_peer_line {
    pl_peer_line_kind kind;
    pl_sdp_type sdp_type;
    const char *sdp;
    pl_ice_candidate candidate;
    const char *label; /* NULL: any channel */
    const void *data;
    size_t len;
    bool binary;
    char error[256];
    json_t *json;  /* owner of the texts */
    void *decoded; /* owner of binary data */
} pl_peer_line;

PL_NODISCARD pl_err pl_peer_line_parse(pl_peer_line *out, const char *text, size_t len);
void pl_peer_line_clear(pl_peer_line *line);

#endif
