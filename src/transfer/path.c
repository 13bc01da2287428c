#include "transfer/path.h"

#include <stdint.h>

/* One code point of text that is valid UTF-8. */
static uint32_t next_char(const uint8_t **p)
{
    const uint8_t *at = *p;
    int more = at[0] < 0x80 ? 0 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : 3;
    uint32_t c = more ? at[0] & (0x3f >> more) : at[0];
    for (int i = 1; i <= more; i++)
        c = c << 6 | (at[i] & 0x3f);
    *p = at + 1 + more;
    return c;
}

/* What would end a line, move the cursor, or show a name as another: C0, C1, line and paragraph separators, marks and
 * overrides of direction. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

bool pl_transfer_text_ok(pl_str text)
{
    if (text.n == 0)
        return true;
    if (!pl_utf8_valid(text.p, text.n))
        return false;
    for (const uint8_t *p = (const uint8_t *)text.p, *end = p + text.n; p < end;) {
        if (is_control(next_char(&p)))
            return false;
    }
    return true;
}

static const char *check_characters(pl_str path)
{
    if (!pl_utf8_valid(path.p, path.n))
        return "a name is no UTF-8";
    if (!pl_transfer_text_ok(path))
        return "a name has control characters";
    if (memchr(path.p, '\\', path.n))
        return "a name has a backslash";
    return NULL;
}

static const char *check_part(pl_str part)
{
    const pl_str suffix = PL_STR(PL_TRANSFER_PARTIAL);
    if (part.n == 0)
        return "a name is empty";
    if (pl_str_is(part, ".") || pl_str_is(part, ".."))
        return "a name leads elsewhere";
    if (part.n > PL_TRANSFER_PART_MAX)
        return "a name is too long";
    if (part.p[0] == ' ' || part.p[part.n - 1] == ' ' || part.p[part.n - 1] == '.')
        return "a name begins or ends with a blank, or ends with a dot";
    if (part.n >= suffix.n && pl_str_ieq((pl_str){ part.p + part.n - suffix.n, suffix.n }, suffix))
        return "a name ends with " PL_TRANSFER_PARTIAL;
    return NULL;
}

const char *pl_transfer_path_check(pl_str path)
{
    int depth = 0;
    if (path.n == 0)
        return "a name is empty";
    if (path.n > PL_TRANSFER_PATH_MAX)
        return "a path is too long";
    if (path.p[0] == '/')
        return "a path is absolute";
    const char *why = check_characters(path);
    for (pl_str rest = path; !why && rest.p;) {
        if (++depth > PL_TRANSFER_DEPTH_MAX)
            return "a path is too deep";
        why = check_part(pl_str_cut(&rest, '/'));
    }
    return why;
}
