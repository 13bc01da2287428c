/* slice.h - lent text (pointer and length) and a growing buffer born with its maximum.
 * Shape    pl_str is a plain value; pl_buf owns its bytes, zero state legal, pl_buf_clear frees.
 * Errors   a buffer that reaches its maximum or finds no memory goes bad and stays so: ask once, at the end.
 */
#ifndef PL_BASE_SLICE_H
#define PL_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "peerline/export.h"

typedef struct pl_str {
    const char *p;
    size_t n;
} pl_str;

#define PL_STR(literal) ((pl_str){ (literal), sizeof(literal) - 1 })

static inline pl_str pl_str_of(const char *z)
{
    return (pl_str){ z, z ? strlen(z) : 0 };
}
static inline bool pl_str_eq(pl_str a, pl_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool pl_str_is(pl_str a, const char *z)
{
    return pl_str_eq(a, pl_str_of(z));
}
bool pl_str_ieq(pl_str a, pl_str b); /* ASCII case folded */
bool pl_str_starts(pl_str a, const char *z);
/* Cuts *rest at the first `sep`: returns what stood before it and leaves what stood behind. Without a
 * separator returns all and leaves an empty slice with p NULL, so `while (rest.p)` walks every field. */
pl_str pl_str_cut(pl_str *rest, char sep);
pl_str pl_str_trim(pl_str a); /* spaces and tabs at both ends */
/* Whole text is a decimal number of at most `max`. */
bool pl_str_u64(pl_str a, uint64_t max, uint64_t *out);
/* Copies into a fixed array with a final zero; false (and "") when it does not fit or holds a zero byte. */
bool pl_str_copy(pl_str a, char *out, size_t cap);
/* Valid UTF-8 by RFC 3629: no overlong forms, no surrogates. */
bool pl_utf8_valid(const void *text, size_t len);

typedef struct pl_buf {
    char *p;
    size_t n, cap, max;
    bool bad;
} pl_buf;

static inline pl_buf pl_buf_init(size_t max)
{
    return (pl_buf){ .max = max };
}
void pl_buf_clear(pl_buf *b);
void pl_buf_add(pl_buf *b, const void *data, size_t n);
void pl_buf_addf(pl_buf *b, const char *fmt, ...) PL_PRINTF(2, 3);
/* The text with a final zero that is not counted; "" when empty, NULL when bad. Owned by the buffer. */
const char *pl_buf_z(pl_buf *b);
/* Hands the bytes over, zero-terminated, to be freed with free(); NULL when bad. The buffer is
 * empty after. */
char *pl_buf_take(pl_buf *b);

#endif
