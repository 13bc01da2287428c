/* log.h - how rooms write to the log that peerline/log.h configures.
 * Shape    a pl_log is a name ("ice[3f]") and a rate limit; plain data, zero state legal (name "peerline").
 * Thread   any; the sink is called under one lock. Lines are cut at 500 bytes. */
#ifndef PL_BASE_LOG_H
#define PL_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/shared.h"
#include "peerline/log.h"

PL_SHARED_BEGIN

enum { PL_LOG_NAME_MAX = 24 };

typedef struct pl_log {
    char name[PL_LOG_NAME_MAX];
} pl_log;

void pl_log_name(pl_log *log, const char *kind, uint32_t id); /* "kind[id]" */
bool pl_log_wants(pl_log_level level);
void pl_log_write(const pl_log *log, pl_log_level level, const char *fmt, ...) PL_PRINTF(3, 4);

/* The arguments are not evaluated when the level is off. log may be NULL. */
#define pl_log_debug(log, ...)                                                                               \
    (pl_log_wants(PL_LOG_DEBUG) ? pl_log_write((log), PL_LOG_DEBUG, __VA_ARGS__) : (void)0)
#define pl_log_info(log, ...)                                                                                \
    (pl_log_wants(PL_LOG_INFO) ? pl_log_write((log), PL_LOG_INFO, __VA_ARGS__) : (void)0)
#define pl_log_warn(log, ...)                                                                                \
    (pl_log_wants(PL_LOG_WARN) ? pl_log_write((log), PL_LOG_WARN, __VA_ARGS__) : (void)0)

/* Text of an address, or a short hash of it unless private matters may be shown. Returns out. */
const char *pl_log_addr(const pl_addr *a, char out[PL_ADDR_TEXT_MAX]);
/* A secret or a name of a user: itself or "(hidden)". */
const char *pl_log_private(const char *text);

/* Lines that an outsider can cause: at most one per second and place, then with the number left unsaid.
 *     if (pl_rate_pass(&s->bad_packet, now_us)) pl_log_info(log, "bad packet (%u more)", pl_rate_missed(..));
 */
typedef struct pl_rate {
    int64_t next_us;
    uint32_t missed;
} pl_rate;
bool pl_rate_pass(pl_rate *r, int64_t now_us);
uint32_t pl_rate_missed(pl_rate *r); /* how many were refused since the last pass; resets */

PL_SHARED_END

#endif
