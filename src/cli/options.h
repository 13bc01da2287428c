/* options.h - subcommands and their options as tables: parsed, printed by --help, and written as the man
 * page, all from the same rows.
 * Shape    static tables; values land in static variables that the rows point to. One thread.
 * Errors   a wrong option is said on standard error with what would be right; exit code 2. */
#ifndef PL_CLI_OPTIONS_H
#define PL_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PL_EXIT_OK = 0, PL_EXIT_FAILED = 1, PL_EXIT_USAGE = 2, PL_OPT_LIST_MAX = 16 };

typedef enum pl_opt_kind {
    PL_OPT_FLAG,   /* bool *: present or not */
    PL_OPT_TEXT,   /* const char ** */
    PL_OPT_INT,    /* int64_t *, min..max */
    PL_OPT_REAL,   /* double *, min..max */
    PL_OPT_CHOICE, /* const char **: one of the words of `arg` ("all|relay") */
    PL_OPT_LIST    /* pl_opt_list *: may be given several times */
} pl_opt_kind;

typedef struct pl_opt_list {
    size_t n;
    const char *item[PL_OPT_LIST_MAX];
} pl_opt_list;

typedef struct pl_opt {
    const char *name; /* without the dashes; NULL ends a table */
    pl_opt_kind kind;
    void *to;
    const char *arg;  /* how the value is called in the help, or the choices */
    const char *help; /* one or two sentences; defaults in them */
    double min, max;  /* of numbers */
} pl_opt;

/* What the first argument of a command may be, with help of its own. */
typedef struct pl_verb {
    const char *name, *summary;
    const char *args;       /* behind it, as in pl_command */
    int min_args, max_args; /* behind it */
    const char *details;    /* or NULL */
    const char *opts;       /* "audio video": options that some verbs take and others refuse; or NULL */
    const void *user;       /* the command's own */
} pl_verb;

typedef struct pl_command {
    const char *name, *summary; /* summary: one line, no full stop */
    const char *args;           /* positional arguments as the usage line shows them: "[PEER]" */
    int min_args, max_args;
    const char *details;                 /* paragraphs for --help and the man page, or NULL */
    const pl_opt *opts;                  /* or NULL */
    const pl_verb *verbs;                /* a table that a row without a name ends, or NULL */
    int (*run)(int n_args, char **args); /* positional arguments; returns the exit code */
} pl_command;

/* Parses argv (without program and subcommand), answers --help, checks verb, number of arguments and whose options they are,
 * calls run. Returns the exit code. */
int pl_command_main(const pl_command *cmd, int argc, char **argv);
void pl_command_help(const pl_command *cmd);
const pl_verb *pl_command_verb(const pl_command *cmd, const char *name); /* NULL: none */
/* The man page of all commands in mdoc. */
void pl_commands_man(const pl_command *const *cmds, size_t n);
/* Prints "peerline NAME: sentence" to standard error. */
void pl_complain(const pl_command *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

extern const pl_command pl_cmd_serve, pl_cmd_demo, pl_cmd_call, pl_cmd_peer, pl_cmd_ice, pl_cmd_relay,
    pl_cmd_nat, pl_cmd_send, pl_cmd_receive, pl_cmd_publish, pl_cmd_play, pl_cmd_xmpp;

#endif
