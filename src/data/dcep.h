/* dcep.h - the two messages that open a data channel in-band, and the payload types of its messages.
 * Source   RFC 8832 5, 8.2; RFC 8831 8.
 *   OPEN  | 3 | channel type | priority 16 | reliability 32 | label length 16 | protocol length 16 | label |
 *         | protocol |
 *   ACK   | 2 |
 * Shape    plain data; label and protocol are lent. */
#ifndef PL_DATA_DCEP_H
#define PL_DATA_DCEP_H

#include "base/bytes.h"
#include "base/slice.h"
#include "peerline/error.h"

/* RFC 8831 8; the two partial ones are deprecated, and understood. */
enum {
    PL_PPID_DCEP = 50,
    PL_PPID_STRING = 51,
    PL_PPID_BINARY_PARTIAL = 52,
    PL_PPID_BINARY = 53,
    PL_PPID_STRING_PARTIAL = 54,
    PL_PPID_STRING_EMPTY = 56,
    PL_PPID_BINARY_EMPTY = 57
};

enum { PL_DCEP_ACK = 2, PL_DCEP_OPEN = 3, PL_DCEP_OPEN_HEADER = 12 };

typedef enum pl_dcep_reliability {
    PL_DCEP_RELIABLE = 0,
    PL_DCEP_RETRANSMITS = 1, /* parameter: how many */
    PL_DCEP_LIFETIME = 2     /* parameter: milliseconds */
} pl_dcep_reliability;

typedef struct pl_dcep_open {
    pl_dcep_reliability reliability;
    bool unordered;
    uint16_t priority;
    uint32_t parameter;
    pl_str label, protocol;
} pl_dcep_open;

/* The type of a DCEP message, or -1 when it is empty. */
int pl_dcep_type(const uint8_t *data, size_t len);
/* Errors: PL_EPROTO (lengths, channel type, or text that is not UTF-8). */
PL_NODISCARD pl_err pl_dcep_open_parse(pl_dcep_open *out, pl_rd msg);
void pl_dcep_open_write(pl_wr *w, const pl_dcep_open *o);

#endif
