#include "cli/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

static bool first_line(FILE *f, char out[PL_TOKEN_BYTES])
{
    bool got = f && fgets(out, PL_TOKEN_BYTES, f);
    out[got ? strcspn(out, "\r\n") : 0] = '\0';
    return got && out[0];
}

static bool from_file(const pl_command *cmd, const char *name, char out[PL_TOKEN_BYTES])
{
    FILE *f = fopen(name, "r");
    bool got = first_line(f, out);
    if (f)
        fclose(f);
    if (!got)
        pl_complain(cmd, "--token-file %s: no token can be read there", name);
    return got;
}

/* Nothing of it is shown. */
static bool from_terminal(const pl_command *cmd, char out[PL_TOKEN_BYTES])
{
    struct termios was, quiet;
    FILE *tty = fopen("/dev/tty", "r+");
    if (!tty || tcgetattr(fileno(tty), &was)) {
        pl_complain(cmd, "--ask-token: there is no terminal to ask on");
        if (tty)
            fclose(tty);
        return false;
    }
    quiet = was;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
    fprintf(tty, "Token: ");
    fflush(tty);
    bool got = first_line(tty, out);
    tcsetattr(fileno(tty), TCSAFLUSH, &was);
    fprintf(tty, "\n");
    fclose(tty);
    return got;
}

bool pl_token_find(const pl_command *cmd, const char *file, bool ask, char out[PL_TOKEN_BYTES])
{
    const char *env = getenv("PEERLINE_TOKEN");
    out[0] = '\0';
    if (file)
        return from_file(cmd, file, out);
    if (ask)
        return from_terminal(cmd, out);
    if (env && !pl_str_copy(pl_str_of(env), out, PL_TOKEN_BYTES)) {
        pl_complain(cmd, "PEERLINE_TOKEN is too long");
        return false;
    }
    return true;
}
