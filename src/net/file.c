#include "net/file.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/loop_internal.h"

struct pl_file {
    pl_loop *loop;
    int fd;
    bool reading, freed;
    uv_fs_t req;
    pl_file_done done;
    void *user;
};

pl_err pl_file_open(pl_file **out, pl_loop *loop, int fd, uint64_t *size)
{
    struct stat st;
    PL_OWNED(loop);
    *out = NULL;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return PL_EIO;
    pl_file *f = calloc(1, sizeof *f);
    if (!f)
        return PL_ENOMEM;
    f->loop = loop;
    f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (f->fd < 0) {
        free(f);
        return PL_EIO;
    }
    *size = (uint64_t)st.st_size;
    *out = f;
    return PL_OK;
}

static void destroy(pl_file *f)
{
    close(f->fd);
    free(f);
}

static void on_read(uv_fs_t *req)
{
    pl_file *f = req->data;
    int64_t n = req->result < 0 ? PL_EIO : (int64_t)req->result;
    uv_fs_req_cleanup(req);
    f->loop->n_reads--;
    f->done(f->user, n);
    f->reading = false; /* only now: done may have freed it */
    if (f->freed)
        destroy(f);
}

pl_err pl_file_read(pl_file *f, const pl_file_part *part, unsigned n_parts, uint64_t offset,
                    pl_file_done done, void *user)
{
    uv_buf_t buf[PL_FILE_PARTS_MAX];
    PL_OWNED(f->loop);
    assert(n_parts > 0 && n_parts <= PL_FILE_PARTS_MAX);
    if (f->reading)
        return PL_ESTATE;
    for (unsigned i = 0; i < n_parts; i++)
        buf[i] = uv_buf_init(part[i].data, (unsigned)part[i].len);
    f->done = done;
    f->user = user;
    f->req.data = f;
    if (uv_fs_read(&f->loop->uv, &f->req, f->fd, buf, n_parts, (int64_t)offset, on_read) != 0)
        return PL_EIO;
    f->reading = true;
    f->loop->n_reads++;
    return PL_OK;
}

void pl_file_free(pl_file *f)
{
    if (!f)
        return;
    PL_OWNED(f->loop);
    f->freed = true;
    if (!f->reading)
        destroy(f);
}
