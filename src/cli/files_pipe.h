/* files_pipe.h - what was received on its way to standard output, which may be slower than the network.
 * Shape    init/clear inside its owner; zero state legal. Holds at most the transfer's window. */
#ifndef PL_CLI_FILES_PIPE_H
#define PL_CLI_FILES_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/digest.h"

typedef struct pl_files_pipe {
    int fd;
    bool regular; /* a file: it takes everything at once */
    uint8_t *ring;
    size_t cap, at, n;
    uint64_t came;
    bool failed;
    uint8_t sha256[PL_SHA256_LEN]; /* room for the caller's */
} pl_files_pipe;

void pl_files_pipe_init(pl_files_pipe *p, int fd, size_t cap);
void pl_files_pipe_clear(pl_files_pipe *p);
/* False: no memory, or more than the window. */
bool pl_files_pipe_add(pl_files_pipe *p, const uint8_t *data, size_t len);
bool pl_files_pipe_empty(const pl_files_pipe *p);
/* After poll(2) said that it may be written: returns how many bytes went. */
size_t pl_files_pipe_write(pl_files_pipe *p);

#endif
