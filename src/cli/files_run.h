/* files_run.h - what `send` and `receive` have in common around their cores: options, the loop, meeting, what people
 * paste and answer, what is said of it all.
 * Shape    one of each in the process, made by open and ended by close; the rest is the command's own. */
#ifndef PL_CLI_FILES_RUN_H
#define PL_CLI_FILES_RUN_H

#include "base/time.h"
#include "cli/files_meet.h"
#include "cli/files_say.h"
#include "cli/files_tree.h"
#include "cli/ice_options.h"
#include "cli/lines.h"
#include "cli/options.h"

typedef struct pl_files_options {
    const char *server, *name;
    pl_ice_options ice;
    double patience_s;
    bool json, quiet, paste;
} pl_files_options;

enum { PL_FILES_STUN_MAX = 300 };
#define PL_FILES_SERVER "http://127.0.0.1:8888"

/* Rows for a table of options; o: a static pl_files_options. */
#define PL_FILES_OPTIONS(o)                                                                                  \
    { "server",                                                                                              \
      PL_OPT_TEXT,                                                                                           \
      &(o).server,                                                                                           \
      "URL",                                                                                                 \
      "The signaling server, as of `peerline serve`. Default: " PL_FILES_SERVER ".",                         \
      0,                                                                                                     \
      0 },                                                                                                   \
        { "name", PL_OPT_TEXT, &(o).name, "NAME", "How others see us. Default: peerline@HOST.", 0, 0 },      \
        { "patience",                                                                                        \
          PL_OPT_REAL,                                                                                       \
          &(o).patience_s,                                                                                   \
          "SECONDS",                                                                                         \
          "Give up when the other side is not there for so long, before or in the middle. Default: 3600.",   \
          1,                                                                                                 \
          1e7 },                                                                                             \
        { "json", PL_OPT_FLAG, &(o).json, NULL, "Print what happens as JSON Lines.", 0, 0 },                 \
        { "quiet", PL_OPT_FLAG, &(o).quiet, NULL, "Say nothing but questions and errors.", 0, 0 },           \
        PL_ICE_OPTIONS((o).ice)

typedef struct pl_files_run {
    const pl_command *cmd;
    pl_files_options *opt;
    pl_files_say say;
    pl_loop *loop;
    pl_factory *factory;
    pl_configuration connection;
    pl_files_meet *meet;
    pl_lines in; /* what people paste and answer; fd -1: nobody is asked */
    pl_buf pasted;
    bool codes, code_due; /* they are pasted; the other side's is waited for */
    char name[PL_ROOM_NAME_LEN];
    char stun[PL_FILES_STUN_MAX]; /* that of the rooms' server, when no other was named */
    pl_ice_server stun_server;
    bool over, failed;
    char why[PL_FILES_ERROR_MAX];
} pl_files_run;

/* Makes loop and factory. in_fd: where people type, or -1. The exit code, PL_EXIT_OK to go on. */
int pl_files_run_open(pl_files_run *r, const pl_command *cmd, pl_files_options *opt, int in_fd);
/* Enters the room, or makes the code; conf needs sender, code, to, id, and the callbacks opened, message, writable,
 * lost. The exit code. */
int pl_files_run_meet(pl_files_run *r, pl_files_meet_conf conf);
/* Our side of what is pasted goes to the user; the other side's comes by these lines. */
void pl_files_run_paste(pl_files_run *r, const char *text, size_t len);
/* A link is there, or no more; what is said of it. */
void pl_files_run_opened(pl_files_run *r, const char *peer);
void pl_files_run_lost(pl_files_run *r, const char *why, bool amid);
/* The end: it failed when why is not NULL. Only the first one counts. */
void pl_files_run_end(pl_files_run *r, const char *why);
/* Waits at most until at_us, for the descriptor `also`, too. */
bool pl_files_run_wait(pl_files_run *r, pl_lines_also *also, int64_t at_us);
/* Says how it ended; returns the exit code. wait: the other side closes first. */
int pl_files_run_close(pl_files_run *r, const pl_transfer_progress *p, bool wait);

#endif
