/* trace.h - what the chunks of a packet say, a line for each, when PL_TRACE is set: for finding out why two stand still. */
#ifndef TESTS_SCTP_TRACE_H
#define TESTS_SCTP_TRACE_H

#include <stddef.h>
#include <stdint.h>

void trace_packet(int64_t now_us, const char *who, const uint8_t *packet, size_t len);

#endif
