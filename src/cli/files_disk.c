#include "cli/files_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    LOOK_PIECE = 1 << 20,
    LOOK_PIECES = 8,  /* a call */
    NAMES_MAX = 1000, /* "NAME (999)" */
    FILE_NAME_MAX = PL_TRANSFER_PART_MAX + 16
};
enum { FOUND_NOTHING, FOUND_PART, FOUND_WHOLE };

static bool fail(pl_files_disk *d, const char *what, const char *why)
{
    snprintf(d->error, sizeof d->error, "%.200s: %s", what, why);
    return false;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

bool pl_files_disk_init(pl_files_disk *d, const char *folder, bool overwrite)
{
    *d = (pl_files_disk){ .root = -1, .look_fd = -1, .fd = -1, .folder = -1, .overwrite = overwrite };
    d->buffer = malloc(LOOK_PIECE);
    if (!d->buffer)
        return fail(d, folder, "no memory");
    if (mkdir(folder, 0777) && errno != EEXIST)
        return fail(d, folder, strerror(errno));
    d->root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return d->root >= 0 || fail(d, folder, strerror(errno));
}

static void forget(pl_files_disk *d)
{
    close_fd(&d->look_fd);
    close_fd(&d->fd);
    close_fd(&d->folder);
    free(d->found);
    d->found = NULL;
}

void pl_files_disk_clear(pl_files_disk *d)
{
    if (!d->buffer)
        return;
    forget(d);
    close_fd(&d->root);
    free(d->buffer);
    d->buffer = NULL;
}

static bool begin(pl_files_disk *d, const pl_transfer_manifest *manifest)
{
    forget(d);
    d->manifest = manifest;
    d->look_at = 0;
    d->found = calloc(manifest->n, 1);
    return d->found || fail(d, "offer", "no memory");
}

bool pl_files_disk_begin(pl_files_disk *d, pl_transfer_receiver *receiver)
{
    d->receiver = receiver;
    d->one = NULL;
    return begin(d, pl_transfer_receiver_manifest(receiver));
}

bool pl_files_disk_begin_one(pl_files_disk *d, const pl_transfer_manifest *manifest, pl_files_found *one)
{
    d->receiver = NULL;
    d->one = one;
    one->n = 0;
    pl_sha256_begin(&one->run);
    return begin(d, manifest);
}

static pl_transfer_entry entry(const pl_files_disk *d, uint32_t index)
{
    return pl_transfer_manifest_get(d->manifest, index);
}

/* ---- names ---- */

/* The folder in which a path's last part lies, opened part by part; make: what is missing. -1 with errno. */
static int open_above(const pl_files_disk *d, pl_str path, bool make, pl_str *last)
{
    char part[FILE_NAME_MAX];
    int at = fcntl(d->root, F_DUPFD_CLOEXEC, 0);
    pl_str rest = path;
    for (*last = pl_str_cut(&rest, '/'); at >= 0 && rest.p; *last = pl_str_cut(&rest, '/')) {
        int next = -1;
        if (pl_str_copy(*last, part, sizeof part)) {
            if (make && mkdirat(at, part, 0777) && errno != EEXIST)
                next = -1;
            else
                next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        int saved = errno;
        close(at);
        errno = saved;
        at = next;
    }
    return at;
}

static bool part_name(pl_str name, char out[FILE_NAME_MAX])
{
    int n = snprintf(out, FILE_NAME_MAX, "%.*s" PL_TRANSFER_PARTIAL, (int)name.n, name.p);
    return n > 0 && n < FILE_NAME_MAX;
}

/* "photo.jpg" is "photo (2).jpg" the second time; a name that begins with its only dot has no ending. */
static bool numbered_name(pl_str name, int number, char out[FILE_NAME_MAX])
{
    size_t dot = name.n;
    for (size_t i = 1; name.p && i < name.n; i++)
        dot = name.p[i] == '.' ? i : dot;
    int n = number ? snprintf(out, FILE_NAME_MAX, "%.*s (%d)%.*s", (int)dot, name.p, number,
                              (int)(name.n - dot), name.p + dot)
                   : snprintf(out, FILE_NAME_MAX, "%.*s", (int)name.n, name.p);
    return n > 0 && n < FILE_NAME_MAX;
}

/* ---- what is there ---- */

static int open_to_read(int folder, const char *name, struct stat *st)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0 && (fstat(fd, st) || !S_ISREG(st->st_mode)))
        close_fd(&fd);
    return fd;
}

static int64_t mtime_us(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
}

/* A partial file no longer than it may be, or a whole one of the same size and time. */
static void find(pl_files_disk *d, uint32_t index)
{
    pl_transfer_entry e = entry(d, index);
    char name[FILE_NAME_MAX];
    struct stat st;
    pl_str last;
    int folder = e.kind == PL_TRANSFER_FILE && e.size ? open_above(d, e.path, false, &last) : -1;
    if (folder < 0)
        return;
    if (part_name(last, name))
        d->look_fd = open_to_read(folder, name, &st);
    if (d->look_fd >= 0 && (st.st_size == 0 || (uint64_t)st.st_size > e.size))
        close_fd(&d->look_fd);
    d->found[index] = d->look_fd >= 0 ? FOUND_PART : FOUND_NOTHING;
    if (d->look_fd < 0 && pl_str_copy(last, name, sizeof name)) {
        d->look_fd = open_to_read(folder, name, &st);
        if (d->look_fd >= 0 && ((uint64_t)st.st_size != e.size || !e.mtime_us || mtime_us(&st) != e.mtime_us))
            close_fd(&d->look_fd);
        d->found[index] = d->look_fd >= 0 ? FOUND_WHOLE : FOUND_NOTHING;
    }
    close(folder);
    d->look_offset = 0;
}

/* Who counts what is found: a transfer's receiver, or the only file's owner. */
static void forget_bytes(pl_files_disk *d)
{
    if (d->receiver) {
        pl_transfer_receiver_forget(d->receiver, d->look_at);
        return;
    }
    d->one->n = 0;
    pl_sha256_begin(&d->one->run);
}

static pl_err have_bytes(pl_files_disk *d, size_t n)
{
    if (d->receiver)
        return pl_transfer_receiver_have_bytes(d->receiver, d->look_at, d->buffer, n);
    d->one->n += n;
    pl_sha256_more(&d->one->run, d->buffer, n);
    return PL_OK;
}

static void look_end(pl_files_disk *d, bool good)
{
    if (!good) {
        forget_bytes(d);
        d->found[d->look_at] = FOUND_NOTHING;
    }
    close_fd(&d->look_fd);
    d->look_at++;
}

static void look_piece(pl_files_disk *d)
{
    ssize_t n = pread(d->look_fd, d->buffer, LOOK_PIECE, (off_t)d->look_offset);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        uint64_t size = entry(d, d->look_at).size;
        look_end(d, n == 0 && (d->found[d->look_at] == FOUND_PART || d->look_offset == size));
        return;
    }
    d->look_offset += (uint64_t)n;
    if (have_bytes(d, (size_t)n))
        look_end(d, false);
}

bool pl_files_disk_look(pl_files_disk *d)
{
    uint32_t n = d->manifest->n;
    int budget = LOOK_PIECES * 16; /* a piece is worth sixteen files that are not there */
    while (d->look_at < n && budget > 0) {
        if (d->look_fd < 0) {
            find(d, d->look_at);
            budget--;
            d->look_at += d->look_fd < 0;
        } else {
            look_piece(d);
            budget -= 16;
        }
    }
    return d->look_at < n;
}

bool pl_files_disk_has_room(pl_files_disk *d)
{
    const pl_transfer_manifest *m = d->manifest;
    struct statvfs v;
    uint64_t need = m->total;
    for (uint32_t i = 0; i < m->n; i++)
        need -= d->receiver ? pl_transfer_receiver_have(d->receiver, i) : d->one->n;
    if (fstatvfs(d->root, &v) == 0 && need > (uint64_t)v.f_bavail * v.f_frsize)
        return fail(d, "the disk", "not enough free space: make some, or choose another folder");
    return true;
}

bool pl_files_disk_make_folders(pl_files_disk *d)
{
    const pl_transfer_manifest *m = d->manifest;
    for (uint32_t i = 0; i < m->n; i++) {
        pl_transfer_entry e = pl_transfer_manifest_get(m, i);
        char name[FILE_NAME_MAX], path[PL_TRANSFER_PATH_MAX + 1];
        pl_str last;
        if (e.kind != PL_TRANSFER_FOLDER)
            continue;
        int folder = open_above(d, e.path, true, &last);
        bool good = folder >= 0 && pl_str_copy(last, name, sizeof name) &&
                    (mkdirat(folder, name, 0777) == 0 || errno == EEXIST);
        int saved = errno;
        close_fd(&folder);
        if (!good)
            return pl_str_copy(e.path, path, sizeof path) && fail(d, path, strerror(saved));
    }
    return true;
}

/* ---- the file at hand ---- */

static bool fail_entry(pl_files_disk *d, uint32_t index, const char *why)
{
    char path[PL_TRANSFER_PATH_MAX + 1];
    (void)pl_str_copy(entry(d, index).path, path, sizeof path);
    close_fd(&d->fd);
    close_fd(&d->folder);
    return fail(d, path, why);
}

bool pl_files_disk_open(pl_files_disk *d, uint32_t index, uint64_t offset)
{
    char name[FILE_NAME_MAX];
    struct stat st;
    pl_str last;
    close_fd(&d->fd);
    close_fd(&d->folder);
    d->index = index;
    d->pos = offset;
    if (offset == 0)
        d->found[index] = FOUND_NOTHING; /* of another file, or damaged */
    d->folder = open_above(d, entry(d, index).path, true, &last);
    if (d->folder < 0)
        return fail_entry(d, index, strerror(errno));
    if (d->found[index] == FOUND_WHOLE)
        return true; /* in its place already */
    if (!part_name(last, name))
        return fail_entry(d, index, "the name is too long");
    d->fd =
        openat(d->folder, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600);
    if (d->fd < 0)
        return fail_entry(d, index, strerror(errno));
    if (flock(d->fd, LOCK_EX | LOCK_NB))
        return fail_entry(d, index, "another transfer is writing it");
    if (fstat(d->fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1 || (uint64_t)st.st_size < offset)
        return fail_entry(d, index, "what is there of it is no file of ours");
    if (ftruncate(d->fd, (off_t)offset))
        return fail_entry(d, index, strerror(errno));
    d->found[index] = FOUND_PART;
    return true;
}

bool pl_files_disk_write(pl_files_disk *d, const uint8_t *data, size_t len)
{
    while (len) {
        ssize_t n = pwrite(d->fd, data, len, (off_t)d->pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_entry(d, d->index, n ? strerror(errno) : "nothing can be written");
        data += n;
        len -= (size_t)n;
        d->pos += (uint64_t)n;
    }
    return true;
}

static struct timespec time_of(int64_t us)
{
    int64_t s = us / 1000000, rest = us % 1000000;
    return (struct timespec){ .tv_sec = (time_t)(rest < 0 ? s - 1 : s),
                              .tv_nsec = (long)(rest < 0 ? rest + 1000000 : rest) * 1000 };
}

static mode_t mode_of(uint16_t mode)
{
    mode_t mask = umask(0);
    umask(mask);
    return (mode_t)(mode & PL_TRANSFER_MODE_MASK & ~mask);
}

static void dress(int fd, const pl_transfer_entry *e)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, time_of(e->mtime_us) };
    (void)fchmod(fd, mode_of(e->mode ? e->mode : 0666));
    if (e->mtime_us)
        (void)futimens(fd, times);
}

/* Under the first name that is free; the kernel decides, so that nobody comes between. */
static bool rename_free(pl_files_disk *d, const char *from, pl_str name, char as[FILE_NAME_MAX])
{
    for (int i = 0; i < NAMES_MAX; i++) {
        if (!numbered_name(name, i, as)) {
            errno = ENAMETOOLONG;
            return false;
        }
        if (linkat(d->folder, from, d->folder, as, 0) == 0) {
            (void)unlinkat(d->folder, from, 0);
            return true;
        }
        struct stat st;
        bool no_links = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS; /* FAT and the like */
        if (no_links && fstatat(d->folder, as, &st, AT_SYMLINK_NOFOLLOW))
            return renameat(d->folder, from, d->folder, as) == 0;
        if (!no_links && errno != EEXIST)
            return false;
    }
    return false;
}

static bool put_in_place(pl_files_disk *d, pl_str path)
{
    char part[FILE_NAME_MAX], as[FILE_NAME_MAX];
    pl_str last = path;
    for (pl_str rest = path; rest.p;)
        last = pl_str_cut(&rest, '/');
    bool good = part_name(last, part);
    if (good && d->overwrite)
        good = numbered_name(last, 0, as) && renameat(d->folder, part, d->folder, as) == 0;
    else if (good)
        good = rename_free(d, part, last, as);
    if (!good)
        return fail_entry(d, d->index, strerror(errno));
    snprintf(d->stored_as, sizeof d->stored_as, "%.*s%s", (int)(path.n - last.n), path.p, as);
    return true;
}

bool pl_files_disk_store(pl_files_disk *d, bool keep)
{
    pl_transfer_entry e = entry(d, d->index);
    char part[FILE_NAME_MAX];
    if (d->found[d->index] == FOUND_WHOLE) {
        close_fd(&d->folder);
        return pl_str_copy(e.path, d->stored_as, sizeof d->stored_as);
    }
    if (!keep) {
        pl_str last;
        pl_files_disk_leave(d);
        d->folder = open_above(d, e.path, false, &last);
        if (d->folder >= 0 && part_name(last, part))
            (void)unlinkat(d->folder, part, 0);
        close_fd(&d->folder);
        return true;
    }
    dress(d->fd, &e);
    int fd = d->fd;
    d->fd = -1;
    if (close(fd)) /* what a file server could not write it says here */
        return fail_entry(d, d->index, strerror(errno));
    bool good = put_in_place(d, e.path);
    close_fd(&d->folder);
    return good;
}

void pl_files_disk_leave(pl_files_disk *d)
{
    close_fd(&d->fd);
    close_fd(&d->folder);
}

void pl_files_disk_finish(pl_files_disk *d)
{
    const pl_transfer_manifest *m = d->manifest;
    for (uint32_t i = m->n; i-- > 0;) { /* what lies deeper comes later in the list, and is done first */
        pl_transfer_entry e = pl_transfer_manifest_get(m, i);
        char name[FILE_NAME_MAX];
        pl_str last;
        int folder = e.kind == PL_TRANSFER_FOLDER ? open_above(d, e.path, false, &last) : -1;
        if (folder < 0 || !pl_str_copy(last, name, sizeof name)) {
            close_fd(&folder);
            continue;
        }
        int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            dress(fd, &e);
        close_fd(&fd);
        close(folder);
    }
}
