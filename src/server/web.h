/* web.h - the files of the page: those built into the program, or those of a directory.
 * Shape    built in: static data. A directory is read again for every answer, for people who work on the
 *          page; its files belong to the answer.
 * Errors   false: no such file, or a path that could lead out of the directory. */
#ifndef PL_SERVER_WEB_H
#define PL_SERVER_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "signal/http_server.h"

enum { PL_WEB_FILE_MAX = 2 * 1024 * 1024, PL_WEB_PATH_MAX = 100 };

typedef struct pl_web_file {
    const char *path, *type;
    const uint8_t *data;
    size_t len;
    const char *etag;
} pl_web_file;

/* From web/, by cmake/EmbedWeb.cmake. */
extern const pl_web_file pl_web_files[];
extern const size_t pl_web_n_files;

/* dir NULL: built in. "/" means "/index.html". */
bool pl_web_get(const char *dir, pl_str path, pl_http_file *out);

#endif
