/* words.h - what people say to each other about a transfer: a code to meet by, and digits to compare.
 * Source   ours (docs/transfer.md, "Who is at the other end").
 * Shape    plain functions; randomness is the caller's.
 * Trap     the server sees the code, so the code proves nothing about the server; the digits do, when people
 *          compare them. */
#ifndef PL_TRANSFER_WORDS_H
#define PL_TRANSFER_WORDS_H

#include "base/rand.h"
#include "base/slice.h"
#include "crypto/digest.h"

enum {
    PL_TRANSFER_CODE_MAX = 64,  /* characters of a code, with the final zero */
    PL_TRANSFER_DIGITS_LEN = 23 /* "12345 67890 12345 67890" */
};

/* "7-crossover-clock-table": a number below 100 and three of 256 words, 30 bits; nobody else is met by
 * accident, and a stranger who guesses meets the server's limit of requests first. Zero-terminated. */
void pl_transfer_code_make(char out[PL_TRANSFER_CODE_MAX], const pl_rand *rand);
/* What was typed may be such a code: a number and at least two words of letters; case and spaces for dashes do not
 * matter. Writes it as the sender says it. */
bool pl_transfer_code_read(char out[PL_TRANSFER_CODE_MAX], pl_str typed);
/* From both sides' certificates, the same at both ends: 20 digits that cost 2^49 hashes to forge. */
void pl_transfer_digits(char out[PL_TRANSFER_DIGITS_LEN + 1], const uint8_t one[PL_SHA256_LEN],
                        const uint8_t other[PL_SHA256_LEN]);

#endif
