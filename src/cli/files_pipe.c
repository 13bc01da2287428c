#include "cli/files_pipe.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/lines.h"

enum { AT_ONCE = 1 << 20 }; /* a call */

void pl_files_pipe_init(pl_files_pipe *p, int fd, size_t cap)
{
    struct stat st;
    *p = (pl_files_pipe){ .fd = fd, .cap = cap };
    p->regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

void pl_files_pipe_clear(pl_files_pipe *p)
{
    free(p->ring);
    *p = (pl_files_pipe){ .fd = -1 };
}

bool pl_files_pipe_empty(const pl_files_pipe *p)
{
    return p->n == 0;
}

bool pl_files_pipe_add(pl_files_pipe *p, const uint8_t *data, size_t len)
{
    if (!p->ring)
        p->ring = malloc(p->cap);
    if (!p->ring || len > p->cap - p->n)
        return false;
    size_t to = (p->at + p->n) % p->cap, first = len < p->cap - to ? len : p->cap - to;
    memcpy(p->ring + to, data, first);
    memcpy(p->ring, data + first, len - first);
    p->n += len;
    p->came += len;
    return true;
}

/* A pipe that poll calls writable takes PIPE_BUF bytes without blocking, and no more is promised; it is not set to
 * non-blocking, since others may share it. */
size_t pl_files_pipe_write(pl_files_pipe *p)
{
    size_t sum = 0;
    while (p->n && sum < AT_ONCE && (p->regular || pl_lines_writable(p->fd))) {
        size_t len = p->n < p->cap - p->at ? p->n : p->cap - p->at, most = p->regular ? AT_ONCE : PIPE_BUF;
        ssize_t n = write(p->fd, p->ring + p->at, len < most ? len : most);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0) {
            p->failed = true;
            break;
        }
        p->at = (p->at + (size_t)n) % p->cap;
        p->n -= (size_t)n;
        sum += (size_t)n;
    }
    return sum;
}
