/* The program: finds the subcommand and hands over. */
#include <stdio.h>
#include <string.h>

#include "cli/options.h"

static const pl_command *const commands[] = { &pl_cmd_serve, &pl_cmd_demo,    &pl_cmd_call,    &pl_cmd_peer,
                                              &pl_cmd_send,  &pl_cmd_receive, &pl_cmd_publish, &pl_cmd_play,
                                              &pl_cmd_ice,   &pl_cmd_nat,     &pl_cmd_relay,   &pl_cmd_xmpp };
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void usage(FILE *to)
{
    fprintf(to, "peerline - audio, video and data between peers, and with browsers\n\n"
                "Usage: peerline COMMAND [options]\n\nCommands:\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(to, "\n  --version  print the version\n  --man      print the man page (mdoc)\n\n"
                "'peerline COMMAND --help' tells more. PEERLINE_LOG=debug|info|warn|off sets the log.\n");
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(word, commands[i]->name) == 0)
            return pl_command_main(commands[i], argc - 2, argv + 2);
    }
    if (strcmp(word, "--version") == 0) {
        printf("peerline %s\n", PL_VERSION);
        return PL_EXIT_OK;
    }
    if (strcmp(word, "--man") == 0) {
        pl_commands_man(commands, N_COMMANDS);
        return PL_EXIT_OK;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        usage(stdout);
        return PL_EXIT_OK;
    }
    if (word[0])
        fprintf(stderr, "peerline: there is no command '%s'\n\n", word);
    usage(stderr);
    return PL_EXIT_USAGE;
}
