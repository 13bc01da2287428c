/* log.h - where the library's diary goes.
 * Levels: debug tells state changes with reasons; info what an operator would write down; warn asks a
 * human to act. Happenings per packet are counters, never lines. Addresses and credentials are replaced
 * by a short hash unless pl_log_show_private(true) was called. */
#ifndef PEERLINE_LOG_H
#define PEERLINE_LOG_H

#include <stdbool.h>

#include "peerline/export.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pl_log_level { PL_LOG_DEBUG, PL_LOG_INFO, PL_LOG_WARN, PL_LOG_OFF } pl_log_level;

/* Takes one line without newline. May be called on any of the library's threads, never concurrently. */
typedef void (*pl_log_fn)(void *user, pl_log_level level, const char *line);

/* Sends all lines of at least `level` to fn; fn NULL means standard error, which is also the default
 * (at PL_LOG_WARN; the environment variable PEERLINE_LOG=debug|info|warn|off overrules the default).
 * Any thread; takes effect at once. */
PL_API void pl_log_to(pl_log_fn fn, void *user, pl_log_level level);

/* Whether addresses and credentials stand in the log as they are. Default false. Any thread. */
PL_API void pl_log_show_private(bool show);

#ifdef __cplusplus
}
#endif
#endif
