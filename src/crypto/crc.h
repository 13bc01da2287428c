/* crc.h - the two checksums of packets: CRC-32 (ITU V.42, STUN FINGERPRINT) and CRC-32C (Castagnoli, SCTP).
 * Source   RFC 8489 14.7, RFC 9260 appendix A.
 * Shape    one call, no state. The fastest way this machine has is chosen when the library is loaded:
 *          SSE4.2 with PCLMULQDQ, the ARMv8 CRC instructions, or tables of eight slices.
 * Errors   none. Any thread. */
#ifndef PL_CRYPTO_CRC_H
#define PL_CRYPTO_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t pl_crc32(const void *data, size_t len);
/* The value as RFC 9260 computes it; it goes into the packet with the least significant byte first. */
uint32_t pl_crc32c(const void *data, size_t len);
/* Goes on from the CRC of what stood before (0 for nothing): lets a field count as zero without a copy. */
uint32_t pl_crc32c_more(uint32_t crc, const void *data, size_t len);

/* The portable ways, for machines without the instructions and to test the fast ones against. */
uint32_t pl_crc32_table(const void *data, size_t len);
uint32_t pl_crc32c_table(uint32_t crc, const void *data, size_t len);

#endif
