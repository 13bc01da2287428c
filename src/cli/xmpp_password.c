#include "cli/xmpp_password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "crypto/hmac.h"

static bool from_file(const pl_command *cmd, const char *path, char *out)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        pl_complain(cmd, "%s: %s", path, strerror(errno));
        return false;
    }
    out[0] = 0;
    bool read = fgets(out, PL_XMPP_PASSWORD_MAX + 1, f);
    bool whole = strchr(out, '\n') || feof(f);
    (void)fclose(f);
    out[strcspn(out, "\r\n")] = 0;
    if (!read || !out[0] || !whole) {
        pl_complain(cmd, "%s: its first line is no password (1 to %d bytes)", path, PL_XMPP_PASSWORD_MAX);
        return false;
    }
    return true;
}

/* What is typed is not shown; a signal ends it, and the terminal is as before. */
static bool ask(int tty, const char *question, const char *who, char *out)
{
    struct termios before, quiet;
    if (tcgetattr(tty, &before))
        return false;
    quiet = before;
    quiet.c_lflag &= (tcflag_t) ~(ECHO | ECHONL);
    quiet.c_lflag |= ICANON;
    (void)dprintf(tty, "%s%s: ", question, who);
    if (tcsetattr(tty, TCSAFLUSH, &quiet))
        return false;
    ssize_t n = read(tty, out, PL_XMPP_PASSWORD_MAX);
    (void)tcsetattr(tty, TCSAFLUSH, &before);
    (void)dprintf(tty, "\n");
    out[n > 0 ? n : 0] = 0;
    out[strcspn(out, "\r\n")] = 0;
    return n > 0 && out[0];
}

static bool from_prompt(const pl_command *cmd, const char *who, bool twice, char *out)
{
    char again[PL_XMPP_PASSWORD_MAX + 1];
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (tty < 0) {
        pl_complain(cmd, "there is no terminal to ask for a password: give --password-file FILE or set "
                         "PEERLINE_XMPP_PASSWORD");
        return false;
    }
    bool ok = ask(tty, "Password of ", who, out);
    if (!ok)
        pl_complain(cmd, "no password was given");
    if (ok && twice) {
        ok = ask(tty, "Once more, for ", who, again) && strcmp(out, again) == 0;
        if (!ok)
            pl_complain(cmd, "the two are not alike");
        pl_wipe(again, sizeof again);
    }
    (void)close(tty);
    return ok;
}

bool pl_xmpp_password(const pl_command *cmd, const char *file, const char *who, bool twice,
                      char out[PL_XMPP_PASSWORD_MAX + 1])
{
    char *env = getenv("PEERLINE_XMPP_PASSWORD");
    if (file)
        return from_file(cmd, file, out);
    if (!env)
        return from_prompt(cmd, who, twice, out);
    if (!env[0] || strlen(env) > PL_XMPP_PASSWORD_MAX) {
        pl_complain(cmd, "PEERLINE_XMPP_PASSWORD is no password (1 to %d bytes)", PL_XMPP_PASSWORD_MAX);
        return false;
    }
    memcpy(out, env, strlen(env) + 1);
    pl_wipe(env, strlen(env)); /* what we start, or who looks at us, does not see it */
    return true;
}
