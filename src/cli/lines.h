/* lines.h - JSON Lines on standard input and output, beside an application-driven loop.
 * Shape    one reader on a descriptor, polled together with the loop; whole lines are handed out, an overlong
 *          one is reported and skipped. The writer prints one object a line and flushes.
 * Thread   the program's only one. */
#ifndef PL_CLI_LINES_H
#define PL_CLI_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "peerline/loop.h"

enum { PL_LINE_MAX = 1 << 20 };

typedef struct pl_lines {
    int fd;
    bool ended;    /* end of input */
    bool skipping; /* an overlong line, until its end */
    char *buf;
    size_t n, cap;
    void *user;
    void (*line)(void *user, char *text, size_t len); /* zero-terminated, without the line end */
    void (*overlong)(void *user);
} pl_lines;

void pl_lines_clear(pl_lines *l);
/* Waits up to timeout_us for input or for the loop, then reads lines and runs the loop once. False when the
 * machine refused to wait. */
bool pl_lines_wait(pl_lines *l, pl_loop *loop, int64_t timeout_us);
/* The same, and for one descriptor more; NULL, or fd -1: none. */
typedef struct pl_lines_also {
    int fd;
    bool to_write; /* else to read */
    bool ready;    /* or broken: reading or writing will say */
} pl_lines_also;
bool pl_lines_wait_also(pl_lines *l, pl_loop *loop, pl_lines_also *also, int64_t timeout_us);
/* Whether a descriptor takes bytes at this moment. */
bool pl_lines_writable(int fd);

/* Prints and frees the object. */
void pl_lines_print(json_t *object);

#endif
