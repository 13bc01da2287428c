#include "server/web.h"

#include <stdio.h>
#include <stdlib.h>

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        { ".html", "text/html; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".webmanifest", "application/manifest+json" },
        { ".txt", "text/plain; charset=utf-8" },
    };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    }
    return NULL;
}

/* One directory level, and only characters that mean nothing to a file system. */
static bool path_is_plain(pl_str path)
{
    if (path.n < 2 || path.n > PL_WEB_PATH_MAX || path.p[0] != '/' || path.p[1] == '.')
        return false;
    for (size_t i = 1; i < path.n; i++) {
        char c = path.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

static bool get_built_in(pl_str path, pl_http_file *out)
{
    for (size_t i = 0; i < pl_web_n_files; i++) {
        const pl_web_file *f = &pl_web_files[i];
        if (!pl_str_is(path, f->path))
            continue;
        *out = (pl_http_file){ .type = f->type, .data = f->data, .len = f->len };
        snprintf(out->etag, sizeof out->etag, "%s", f->etag);
        return true;
    }
    return false;
}

static bool read_file(const char *name, pl_http_file *out)
{
    FILE *f = fopen(name, "rb");
    char *data = f ? malloc(PL_WEB_FILE_MAX) : NULL;
    size_t len = data ? fread(data, 1, PL_WEB_FILE_MAX, f) : 0;
    bool whole = data && len < PL_WEB_FILE_MAX && !ferror(f);
    if (f)
        fclose(f);
    if (!whole) {
        free(data);
        return false;
    }
    char *fit = realloc(data, len ? len : 1);
    out->release = fit ? fit : data;
    out->data = out->release;
    out->len = len;
    return true;
}

bool pl_web_get(const char *dir, pl_str path, pl_http_file *out)
{
    char name[4096];
    if (pl_str_is(path, "/"))
        path = PL_STR("/index.html");
    if (!path_is_plain(path))
        return false;
    if (!dir)
        return get_built_in(path, out);
    int n = snprintf(name, sizeof name, "%s%.*s", dir, (int)path.n, path.p);
    *out = (pl_http_file){ 0 };
    if (n < 0 || (size_t)n >= sizeof name || !(out->type = type_of(name)))
        return false;
    return read_file(name, out);
}
