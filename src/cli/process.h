/* process.h - what the system tells a subcommand (signals, how many files), and what a server says while it runs.
 * Shape    of the process: one of each. Lines may be printed on any thread; they come out whole, in order.
 * Thread   signals come to the thread that called pl_catch_signals, if it is the only one that does not block them. */
#ifndef PL_CLI_PROCESS_H
#define PL_CLI_PROCESS_H

#include <stdbool.h>

/* SIGINT and SIGTERM are counted from now on and end a waiting system call, SIGHUP too with `reload`; SIGPIPE does
 * nothing. */
void pl_catch_signals(bool reload);
/* Threads that are started while signals are blocked inherit that, so that these come to the one thread that opens them
 * again and ends its waiting. */
void pl_block_signals(bool blocked);
int pl_told_to_stop(void);    /* how often */
void pl_tell_to_stop(void);   /* as a signal would */
bool pl_told_to_reload(void); /* since the last time it was asked */

/* As many descriptors as the system grants: each connection or allocation is one, and the usual limit of a thousand would
 * end a server early. */
void pl_raise_file_limit(void);

/* Between the two, what is printed on standard output stays together; the end writes it out. They nest. */
void pl_say_begin(void);
void pl_say_end(void);
void pl_say_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The log goes to standard output, too: as JSON Lines {"type":"log",...} or as it is. level: a pl_log_level. */
void pl_say_log(bool json, int level);

#endif
