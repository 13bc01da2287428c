#include "cli/files_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transfer/path.h"

enum { ROOTS_MAX = 65535 };

void pl_files_tree_init(pl_files_tree *t, pl_transfer_sender *sender, void (*note)(const char *text))
{
    *t = (pl_files_tree){ .sender = sender, .fd = -1, .note = note };
}

static void close_file(pl_files_tree *t)
{
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
}

void pl_files_tree_clear(pl_files_tree *t)
{
    close_file(t);
    for (size_t i = 0; i < t->n_roots; i++)
        free(t->root[i]);
    free(t->root);
    free(t->root_of);
    *t = (pl_files_tree){ .fd = -1 };
}

static bool refuse(pl_files_tree *t, const char *path, const char *why)
{
    snprintf(t->error, sizeof t->error, "%.300s: %s", path, why);
    return false;
}

static void leave_out(pl_files_tree *t, const char *path, const char *why)
{
    char text[PL_FILES_ERROR_MAX];
    snprintf(text, sizeof text, "left out: %.300s: %s", path, why);
    t->note(text);
}

/* It should have been sent. */
static void miss(pl_files_tree *t, const char *path, const char *why)
{
    t->n_missed++;
    leave_out(t, path, why);
}

static bool remember_root(pl_files_tree *t, uint32_t index, size_t root)
{
    if (index >= t->cap_entries) {
        size_t cap = t->cap_entries ? t->cap_entries * 2 : 64;
        uint16_t *more = realloc(t->root_of, cap * sizeof *more);
        if (!more)
            return false;
        t->root_of = more;
        t->cap_entries = cap;
    }
    t->root_of[index] = (uint16_t)root;
    return true;
}

/* False when nothing more can be added; an entry that may not travel is left out, and that is true. */
static bool add_entry(pl_files_tree *t, size_t root, const char *name, const struct stat *st)
{
    const char *why;
    uint32_t index = pl_transfer_sender_manifest(t->sender)->n;
    bool folder = S_ISDIR(st->st_mode);
    pl_transfer_entry e = { .path = pl_str_of(name),
                            .size = folder ? 0 : (uint64_t)st->st_size,
                            .mode = (uint16_t)(st->st_mode & PL_TRANSFER_MODE_MASK),
                            .mtime_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000,
                            .kind = folder ? PL_TRANSFER_FOLDER : PL_TRANSFER_FILE };
    pl_err err = pl_transfer_sender_add(t->sender, &e, &why);
    if (err == PL_EINVAL && pl_transfer_path_check(e.path)) {
        miss(t, name, why);
        return true;
    }
    if (err)
        return refuse(t, name, why);
    return remember_root(t, index, root) || refuse(t, name, "no memory");
}

static int not_dots(const struct dirent *d)
{
    return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool walk(pl_files_tree *t, size_t root, int fd, const char *name, int depth);

/* One thing found in a folder that is open. */
static bool walk_entry(pl_files_tree *t, size_t root, int folder, const char *file, const char *name,
                       int depth)
{
    struct stat st;
    int fd = -1;
    if (fstatat(folder, file, &st, AT_SYMLINK_NOFOLLOW)) {
        miss(t, name, strerror(errno));
        return true;
    }
    if (S_ISREG(st.st_mode))
        return add_entry(t, root, name, &st);
    if (!S_ISDIR(st.st_mode)) {
        leave_out(t, name, S_ISLNK(st.st_mode) ? "a symbolic link" : "no file");
        return true;
    }
    if (depth == PL_FILES_DEPTH_MAX) {
        miss(t, name, "too deep");
        return true;
    }
    fd = openat(folder, file, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        miss(t, name, strerror(errno));
        return true;
    }
    return add_entry(t, root, name, &st) && walk(t, root, fd, name, depth + 1);
}

/* Takes fd. */
static bool walk(pl_files_tree *t, size_t root, int fd, const char *name, int depth)
{
    struct dirent **list = NULL;
    int n = scandirat(fd, ".", &list, not_dots, by_name);
    bool good = true;
    if (n < 0)
        miss(t, name, strerror(errno));
    for (int i = 0; i < n; i++) {
        char below[PL_TRANSFER_PATH_MAX + NAME_MAX + 2];
        bool fits = snprintf(below, sizeof below, "%s/%s", name, list[i]->d_name) < (int)sizeof below;
        if (good && fits)
            good = walk_entry(t, root, fd, list[i]->d_name, below, depth);
        else if (!fits)
            miss(t, name, "a path is too long");
        free(list[i]);
    }
    free(list);
    close(fd);
    return good;
}

static bool add_root(pl_files_tree *t, const char *path)
{
    char **more = t->n_roots < ROOTS_MAX ? realloc(t->root, (t->n_roots + 1) * sizeof *more) : NULL;
    char *copy = more ? strdup(path) : NULL;
    if (more)
        t->root = more;
    if (copy)
        t->root[t->n_roots++] = copy;
    return copy || refuse(t, path, "no memory");
}

/* The last part of a path as people mean it: of "." and "a/.." what it really is. */
static bool base_of(const char *path, char out[NAME_MAX + 1])
{
    char *real = realpath(path, NULL);
    const char *slash = real ? strrchr(real, '/') : NULL;
    const char *end = path + strlen(path);
    while (end > path + 1 && end[-1] == '/')
        end--;
    const char *start = end;
    while (start > path && start[-1] != '/')
        start--;
    pl_str last = { start, (size_t)(end - start) };
    bool odd = pl_str_is(last, ".") || pl_str_is(last, "..") || last.n == 0;
    bool good = odd ? slash && slash[1] && pl_str_copy(pl_str_of(slash + 1), out, NAME_MAX + 1)
                    : pl_str_copy(last, out, NAME_MAX + 1);
    free(real);
    return good;
}

static bool add_stream(pl_files_tree *t)
{
    const char *why;
    pl_transfer_entry e = {
        .path = PL_STR("stdin"), .size = PL_TRANSFER_SIZE_UNKNOWN, .mode = 0644, .kind = PL_TRANSFER_STREAM
    };
    return pl_transfer_sender_add(t->sender, &e, &why) == PL_OK || refuse(t, "-", why);
}

bool pl_files_tree_add(pl_files_tree *t, const char *path)
{
    char name[NAME_MAX + 1];
    struct stat st;
    if (strcmp(path, "-") == 0)
        return add_stream(t);
    if (stat(path, &st))
        return refuse(t, path, strerror(errno));
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return refuse(t, path, "neither a file nor a folder");
    if (!base_of(path, name))
        return refuse(t, path, "it has no name");
    const char *why = pl_transfer_path_check(pl_str_of(name));
    if (why)
        return refuse(t, path, why);
    if (!add_root(t, path) || !add_entry(t, t->n_roots - 1, name, &st))
        return false;
    if (!S_ISDIR(st.st_mode))
        return true;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? walk(t, t->n_roots - 1, fd, name, 1) : refuse(t, path, strerror(errno));
}

static bool open_file(pl_files_tree *t, uint32_t index)
{
    pl_transfer_entry e = pl_transfer_manifest_get(pl_transfer_sender_manifest(t->sender), index);
    pl_str below = e.path;
    struct stat st;
    char path[PATH_MAX];
    pl_str_cut(&below, '/'); /* the first part is the argument itself */
    const char *root = t->root[t->root_of[index]];
    int n = snprintf(path, sizeof path, "%s%s%.*s", root, below.p ? "/" : "", (int)below.n,
                     below.p ? below.p : "");
    close_file(t);
    if (n >= (int)sizeof path)
        return refuse(t, root, "a path is too long");
    t->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (below.p ? O_NOFOLLOW : 0));
    if (t->fd < 0 || fstat(t->fd, &st) || !S_ISREG(st.st_mode)) {
        refuse(t, path, t->fd < 0 ? strerror(errno) : "no file any more");
        close_file(t);
        return false;
    }
    (void)posix_fadvise(t->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    t->fd_index = index;
    return true;
}

long pl_files_tree_read(pl_files_tree *t, uint32_t index, uint64_t offset, uint8_t *into, size_t cap)
{
    if ((t->fd < 0 || t->fd_index != index) && !open_file(t, index))
        return -1;
    ssize_t n;
    do
        n = pread(t->fd, into, cap, (off_t)offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        snprintf(t->error, sizeof t->error, "%s", strerror(errno));
    return (long)n;
}
