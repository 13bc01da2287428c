/* ice_line.h - what the other side must know, as one short line that people paste: "peerline1:" and base64.
 * Source   ours; what is in it is that of peer/ice_words.h, without related addresses and with foundations numbered.
 * Shape    bytes: length of all (16 bits), CRC-32 of what follows the CRC, flags, ufrag and pwd behind their lengths,
 *          the number of candidates, and each: kind, foundation, priority, port, address or name.
 * Errors   of reading: PL_EAGAIN, more is to come; PL_EPROTO, damaged. Chats break lines, quote them and put spaces in:
 *          whatever is no letter of base64 is skipped, and the length tells the end. */
#ifndef PL_CLI_ICE_LINE_H
#define PL_CLI_ICE_LINE_H

#include "base/slice.h"
#include "peer/ice_words.h"

enum {
    PL_ICE_LINE_BYTES_MAX = 8192,
    PL_ICE_LINE_MAX = 12000 /* characters, with the final zero */
};

/* Zero-terminated into out; false when it does not fit: too many candidates with long names. */
bool pl_ice_line_write(const pl_ice_words *words, char out[PL_ICE_LINE_MAX]);
/* From all that was pasted so far: a line of ours (also inside JSON), or lines of SDP, which are whole with
 * end-of-candidates. */
PL_NODISCARD pl_err pl_ice_line_read(pl_ice_words *out, const char *text);

#endif
