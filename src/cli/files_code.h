/* files_code.h - a description of a connection for files as one short line that people paste: the ICE part is the line
 * of cli/ice_line.h, before it stand the certificate's fingerprint and which side it is.
 * Source   docs/transfer.md, "Signaling".
 * Errors   of reading as there: PL_EAGAIN, more is to come; PL_EPROTO, damaged, or the code of the wrong side. */
#ifndef PL_CLI_FILES_CODE_H
#define PL_CLI_FILES_CODE_H

#include "base/slice.h"
#include "cli/ice_line.h"
#include "crypto/digest.h"

#define PL_FILES_CODE_MARK "peerline-files:"

enum { PL_FILES_CODE_MAX = PL_ICE_LINE_MAX + 128, PL_FILES_CODE_SDP_MAX = 64 * 1024 };

/* From a description with all its candidates. Errors: PL_EPROTO (no SHA-256 fingerprint, no ICE part), PL_ENOSPC. */
PL_NODISCARD pl_err pl_files_code_write(char out[PL_FILES_CODE_MAX], const char *sdp, bool from_sender);
/* Back into a description. */
PL_NODISCARD pl_err pl_files_code_read(pl_buf *sdp, const char *text, bool from_sender);
/* a=fingerprint of a description; false when it has none of SHA-256. */
bool pl_files_fingerprint(const char *sdp, uint8_t out[PL_SHA256_LEN]);

#endif
