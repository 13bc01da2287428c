/* base64.h - RFC 4648 base64 with padding, and its URL form read as well.
 * Shape    one call each; no state, no allocation. Any thread. */
#ifndef PL_CRYPTO_BASE64_H
#define PL_CRYPTO_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that n bytes become, without the final zero. */
#define PL_BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* out holds PL_BASE64_LEN(len) + 1 characters; returns their number without the final zero. */
size_t pl_base64_encode(const void *data, size_t len, char *out);
/* At most `cap` bytes into out; padding may be missing, spaces and line ends may not stand inside. False when
 * the text is malformed or does not fit. *out_len is set only on success. */
bool pl_base64_decode(const char *text, size_t len, uint8_t *out, size_t cap, size_t *out_len);

#endif
