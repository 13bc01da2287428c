/* whip_command.h - what `publish` and `play` do alike: token, loop, one session, its end and its report.
 * Shape    of the process: one call. Thread: the program's only one. */
#ifndef PL_CLI_WHIP_COMMAND_H
#define PL_CLI_WHIP_COMMAND_H

#include "cli/ice_options.h"
#include "peerline/media.h"

typedef struct pl_whip_options {
    pl_ice_options ice;
    const char *token_file;
    double seconds, patience_s;
    bool ask_token, no_options, json;
} pl_whip_options;

typedef struct pl_whip_command {
    const pl_command *cmd;
    bool play;
    const char *url;
    pl_media_conf media;
    bool kind[2]; /* by pl_media_type */
    pl_whip_options *opt;
} pl_whip_command;

/* Runs the session to its end. Returns the exit code. */
int pl_whip_command_run(const pl_whip_command *c);

/* Rows for a table of options; o: a static pl_whip_options. */
#define PL_WHIP_OPTIONS(o)                                                                                   \
    { "token-file",                                                                                          \
      PL_OPT_TEXT,                                                                                           \
      &(o).token_file,                                                                                       \
      "FILE",                                                                                                \
      "The bearer token: the first line of this file. Default: what the environment variable "               \
      "PEERLINE_TOKEN says, if it is set.",                                                                  \
      0,                                                                                                     \
      0 },                                                                                                   \
        { "ask-token", PL_OPT_FLAG, &(o).ask_token, NULL, "Ask for the token on the terminal.", 0, 0 },      \
        { "seconds",                                                                                         \
          PL_OPT_REAL,                                                                                       \
          &(o).seconds,                                                                                      \
          "SECONDS",                                                                                         \
          "End after so long in the session. Default: never.",                                               \
          0,                                                                                                 \
          1e6 },                                                                                             \
        { "patience",                                                                                        \
          PL_OPT_REAL,                                                                                       \
          &(o).patience_s,                                                                                   \
          "SECONDS",                                                                                         \
          "Give up without a connection after so long; until then a server that says when to come back is "  \
          "asked again. Default: 30.",                                                                       \
          1,                                                                                                 \
          1e5 },                                                                                             \
        { "no-options",                                                                                      \
          PL_OPT_FLAG,                                                                                       \
          &(o).no_options,                                                                                   \
          NULL,                                                                                              \
          "Do not ask the endpoint for STUN and TURN servers first (OPTIONS).",                              \
          0,                                                                                                 \
          0 },                                                                                               \
    {                                                                                                        \
        "json", PL_OPT_FLAG, &(o).json, NULL,                                                                \
            "Print JSON Lines: {\"type\":\"note\",...} as it goes, {\"type\":\"report\",...} at the end.",   \
            0, 0                                                                                             \
    }
#endif
