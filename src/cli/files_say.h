/* files_say.h - what `send` and `receive` tell: lines and a bar for people on standard error, JSON Lines for programs on
 * standard output.
 * Shape    plain data; zero state: for people, no terminal. One thread. */
#ifndef PL_CLI_FILES_SAY_H
#define PL_CLI_FILES_SAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "transfer/sender.h"

enum { PL_FILES_AMOUNT_MAX = 32 };

typedef struct pl_files_say {
    bool json, quiet, terminal;
    bool bar_shown;
    int64_t start_us; /* of the transfer's bytes; 0: not yet */
    int64_t next_us;  /* of the bar */
    int64_t last_us;  /* of the rate */
    uint64_t last_done;
    double rate; /* bytes a second, smoothed */
} pl_files_say;

void pl_files_say_init(pl_files_say *s, bool json, bool quiet);
/* For people; not with json or quiet. */
void pl_files_note(pl_files_say *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For people, even when quiet. */
void pl_files_tell(pl_files_say *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* {"event":name, ...}; takes more, which may be NULL. */
void pl_files_event(pl_files_say *s, const char *name, json_t *more);
/* When it is time for it: the bar, a line or an event. Returns when it is to be called again. */
int64_t pl_files_progress(pl_files_say *s, const pl_transfer_progress *p, pl_str name);
/* The bytes begin, or begin again after a break. */
void pl_files_rate_start(pl_files_say *s, const pl_transfer_progress *p);
double pl_files_seconds(const pl_files_say *s);
/* "1.5 GiB"; returns out. */
const char *pl_files_amount(uint64_t bytes, char out[PL_FILES_AMOUNT_MAX]);
const char *pl_files_hex(const uint8_t *bytes, size_t n, char *out); /* out: 2n + 1 */

#endif
