/* path.h - which names of files may travel: relative paths of plain UTF-8 that mean the same place everywhere.
 * Source   ours (docs/transfer.md, "Names"); UTF-8 as RFC 3629.
 * Shape    one call, no state. Any thread.
 * Errors   a sentence that says what is wrong, for people; NULL when nothing is. */
#ifndef PL_TRANSFER_PATH_H
#define PL_TRANSFER_PATH_H

#include "base/slice.h"

enum {
    PL_TRANSFER_PATH_MAX = 1024, /* bytes of a whole path */
    PL_TRANSFER_PART_MAX = 200,  /* bytes between two slashes: what file systems take, less our suffix */
    PL_TRANSFER_DEPTH_MAX = 64
};

/* The name of a file that is not whole yet is its own with this behind; such a name is not taken from a peer. */
#define PL_TRANSFER_PARTIAL ".part"

/* NULL when the path may be used below a folder, else why not: empty, absolute, "." or "..", an empty part, a
 * backslash, control characters (those that turn the direction of writing
 * included), a blank or dot at an end that some systems drop, no UTF-8, too long, too deep. */
const char *pl_transfer_path_check(pl_str path);
/* UTF-8 that may be shown on a terminal: none of the control characters that a name may not have. */
bool pl_transfer_text_ok(pl_str text);

#endif
