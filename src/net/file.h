/* file.h - a file read without waiting: threads of libuv's pool read it, and the loop hears when they have.
 * Shape    one read at a time, at an offset, into several buffers. The descriptor is doubled, so that its owner may
 *          close it at any time.
 * Errors   PL_EIO: not open, not a regular file, or the disk refused.
 * Thread   its loop's. */
#ifndef PL_NET_FILE_H
#define PL_NET_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/shared.h"
#include "net/loop.h"

PL_SHARED_BEGIN

enum { PL_FILE_PARTS_MAX = 16 };

typedef struct pl_file pl_file;

typedef struct pl_file_part {
    void *data;
    size_t len;
} pl_file_part;

/* n: bytes read, less than asked for at the file's end; negative: a pl_err. */
typedef void (*pl_file_done)(void *user, int64_t n);

/* size: how long the file is now. Errors: PL_EIO, PL_ENOMEM. */
PL_NODISCARD pl_err pl_file_open(pl_file **out, pl_loop *loop, int fd, uint64_t *size);
/* done runs on the loop, later and never inside this call, also when the file was freed in the meantime: the parts
 * must stay until then. It may free the file, but not read on. Errors: PL_ESTATE (one is under way), PL_EIO; then done
 * does not run. */
PL_NODISCARD pl_err pl_file_read(pl_file *f, const pl_file_part *part, unsigned n_parts, uint64_t offset,
                                 pl_file_done done, void *user);
/* NULL is fine. */
void pl_file_free(pl_file *f);

PL_SHARED_END

#endif
