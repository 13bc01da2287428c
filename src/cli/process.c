#include "cli/process.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "peerline/log.h"

enum { FILES_WANTED = 1 << 20 };

/* ---- signals ---- */

static volatile sig_atomic_t stops, reloads;

static void on_signal(int sig)
{
    if (sig == SIGHUP)
        reloads = 1;
    else
        stops++;
}

void pl_catch_signals(bool reload)
{
    struct sigaction sa = { .sa_handler = on_signal }; /* no SA_RESTART: waiting must end */
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    if (reload)
        sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

void pl_block_signals(bool blocked)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

int pl_told_to_stop(void)
{
    return stops;
}

void pl_tell_to_stop(void)
{
    stops++;
}

bool pl_told_to_reload(void)
{
    bool told = reloads;
    reloads = 0;
    return told;
}

void pl_raise_file_limit(void)
{
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0)
        return;
    if (geteuid() == 0 && lim.rlim_max < FILES_WANTED)
        lim.rlim_max = FILES_WANTED;
    lim.rlim_cur = lim.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &lim) != 0 && getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &lim);
    }
}

/* ---- lines ---- */

static bool log_is_json;

void pl_say_begin(void)
{
    flockfile(stdout);
}

void pl_say_end(void)
{
    fflush(stdout);
    funlockfile(stdout);
}

void pl_say_line(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    pl_say_begin();
    vprintf(fmt, args);
    putchar('\n');
    pl_say_end();
    va_end(args);
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20)
            printf("\\u%04x", *p);
        else if (*p == '"' || *p == '\\')
            printf("\\%c", *p);
        else
            putchar(*p);
    }
    putchar('"');
}

static void on_log(void *user, pl_log_level level, const char *line)
{
    static const char *const name[] = { "debug", "info", "warn" };
    (void)user;
    pl_say_begin();
    if (log_is_json) {
        printf("{\"type\":\"log\",\"level\":\"%s\",\"text\":", name[level]);
        print_json_text(line);
        printf("}\n");
    } else {
        printf("%s\n", line);
    }
    pl_say_end();
}

void pl_say_log(bool json, int level)
{
    log_is_json = json;
    pl_log_to(on_log, NULL, (pl_log_level)level);
}
