/* demo - what `make run` runs: a server in this process, two native peers in processes of their own, a call
 * between them with real speech and pictures, and their reports. On a terminal it goes on serving. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/options.h"
#include "cli/process.h"
#include "cli/report.h"
#include "net/ifaddr.h"
#include "net/loop.h"
#include "server/server.h"

enum { TEXT_MAX = 256 * 1024, SPARE_S = 25, PATH_BYTES = 512 };

static struct {
    double seconds;
    const char *out, *media;
    int64_t port, stun_port;
    bool json, no_serve;
} opt = { .seconds = 10, .out = "out", .port = PL_SERVER_PORT, .stun_port = PL_SERVER_STUN_PORT };

typedef struct child {
    const char *name;
    pid_t pid;
    int fd; /* its standard output, -1 at the end */
    char *text;
    size_t n;
    int status;
    char audio[PATH_BYTES], video[PATH_BYTES];
} child;

static struct {
    pl_loop *loop;
    pl_server *server;
    child peer[2];
    char self[PATH_BYTES];
    char media[PATH_BYTES];
    uint16_t port;
} me;

static bool is_terminal(void)
{
    return isatty(STDOUT_FILENO) && !opt.json;
}

/* ---- where things are ---- */

static bool has_media(const char *dir)
{
    char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/speech.wav", dir);
    return access(path, R_OK) == 0;
}

/* Beside an installed program (../share/peerline/media), in a source tree (share/media above the program), or
 * where --media says. */
static bool find_media(void)
{
    static const char *const from_program[] = { "../share/peerline/media", "../../share/media" };
    ssize_t n = readlink("/proc/self/exe", me.self, sizeof me.self - 1);
    if (n <= 0)
        return false;
    me.self[n] = 0;
    if (opt.media) {
        snprintf(me.media, sizeof me.media, "%s", opt.media);
        return has_media(me.media);
    }
    int dir = (int)(strrchr(me.self, '/') - me.self);
    for (size_t i = 0; i < 2; i++) {
        snprintf(me.media, sizeof me.media, "%.*s/%s", dir, me.self, from_program[i]);
        if (has_media(me.media))
            return true;
    }
    return false;
}

/* ---- the server ---- */

static pl_err start_server(void)
{
    pl_server_conf conf = { .n_stun = 1 };
    pl_addr any = { .family = PL_AF_IP4 };
    pl_err err = PL_EIO;
    conf.http.n_listen = 1;
    for (int try = 0; try < 2 && err; try++) { /* the usual ports, or any when they are taken */
        conf.http.listen[0] = any;
        conf.http.listen[0].port = (uint16_t)(try ? 0 : opt.port);
        conf.stun[0] = any;
        conf.stun[0].port = (uint16_t)(try ? 0 : opt.stun_port);
        err = pl_server_new(&me.server, me.loop, &conf);
    }
    if (!err)
        me.port = pl_server_addr(me.server, 0)->port;
    return err;
}

/* ---- the peers ---- */

static void run_child(const child *c, int out, const char *callee)
{
    char server[64], stun[64], seconds[32], audio_in[PATH_BYTES + 16], video_in[PATH_BYTES + 16];
    snprintf(server, sizeof server, "http://127.0.0.1:%u", me.port);
    snprintf(stun, sizeof stun, "stun:127.0.0.1:%u", pl_server_stun_addr(me.server, 0)->port);
    snprintf(seconds, sizeof seconds, "%g", opt.seconds);
    snprintf(audio_in, sizeof audio_in, "%s/speech.wav", me.media);
    snprintf(video_in, sizeof video_in, "%s/cockatoo.ivf", me.media);
    const char *args[] = { me.self,
                           "call",
                           "--server",
                           server,
                           "--name",
                           c->name,
                           "--ice-server",
                           stun,
                           "--audio",
                           audio_in,
                           "--video",
                           video_in,
                           "--record-audio",
                           c->audio,
                           "--record-video",
                           c->video,
                           "--json",
                           "--once",
                           callee ? "--duration" : NULL,
                           seconds,
                           callee,
                           NULL };
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execv(me.self, (char *const *)args);
    _exit(127);
}

static bool start_child(child *c, const char *name, const char *callee)
{
    int fd[2];
    c->name = name;
    c->fd = -1;
    snprintf(c->audio, sizeof c->audio, "%s/received-by-%s.wav", opt.out, name);
    snprintf(c->video, sizeof c->video, "%s/received-by-%s.ivf", opt.out, name);
    c->text = malloc(TEXT_MAX);
    if (!c->text || pipe(fd))
        return false;
    c->pid = fork();
    if (c->pid == 0) {
        close(fd[0]);
        run_child(c, fd[1], callee);
    }
    close(fd[1]);
    c->fd = fd[0];
    return c->pid > 0;
}

static void read_child(child *c)
{
    ssize_t n = c->n < TEXT_MAX - 1 ? read(c->fd, c->text + c->n, TEXT_MAX - 1 - c->n) : 0;
    if (n < 0 && errno == EINTR)
        return;
    if (n > 0) {
        c->n += (size_t)n;
        return;
    }
    close(c->fd);
    c->fd = -1;
}

static void wait_child(child *c)
{
    pid_t ended = 0;
    while (c->pid > 0 && (ended = waitpid(c->pid, &c->status, 0)) < 0 && errno == EINTR)
        continue; /* a signal reached the child, too */
    if (ended == c->pid)
        c->pid = 0;
}

static void draw_progress(double elapsed, double whole)
{
    int done = (int)(elapsed / whole * 40);
    printf("\r  calling  ");
    for (int i = 0; i < 40; i++)
        printf("%s", i < done ? "█" : "░");
    printf(" %4.1f of %.0f s ", elapsed < whole ? elapsed : whole, whole);
    fflush(stdout);
}

/* Serves while both call; false when they take too long. */
static bool watch_children(void)
{
    int64_t start_us = pl_clock_us(), end_us = start_us + (int64_t)((opt.seconds + SPARE_S) * 1e6);
    while ((me.peer[0].fd >= 0 || me.peer[1].fd >= 0) && !pl_told_to_stop()) {
        struct pollfd fd[3] = { { .fd = pl_loop_fd(me.loop), .events = POLLIN },
                                { .fd = me.peer[0].fd, .events = POLLIN },
                                { .fd = me.peer[1].fd, .events = POLLIN } };
        int64_t now_us = pl_clock_us(), wait_us = pl_min_us(pl_loop_timeout_us(me.loop), PL_MS(100));
        if (now_us > end_us)
            return false;
        (void)poll(fd, 3, (int)((wait_us + 999) / 1000));
        for (int i = 0; i < 2; i++) {
            if (fd[i + 1].revents)
                read_child(&me.peer[i]);
        }
        pl_loop_run_once(me.loop, 0);
        if (is_terminal())
            draw_progress((double)(now_us - start_us) / 1e6, opt.seconds + 0.5);
    }
    if (is_terminal())
        printf("\r%70s\r", "");
    return !pl_told_to_stop();
}

/* The last line that is a report. */
static json_t *report_of(const child *c)
{
    json_t *report = NULL;
    c->text[c->n] = 0;
    for (char *line = c->text; line && *line;) {
        char *end = strchr(line, '\n');
        json_t *o = json_loadb(line, end ? (size_t)(end - line) : strlen(line), 0, NULL);
        const char *type = json_string_value(json_object_get(o, "type"));
        if (type && strcmp(type, "report") == 0) {
            json_decref(report);
            report = json_incref(o);
        }
        json_decref(o);
        line = end ? end + 1 : NULL;
    }
    return report;
}

static void stop_children(void)
{
    for (int i = 0; i < 2; i++) {
        if (me.peer[i].pid > 0)
            kill(me.peer[i].pid, SIGTERM);
        wait_child(&me.peer[i]);
        if (me.peer[i].fd >= 0)
            close(me.peer[i].fd);
        free(me.peer[i].text);
        me.peer[i].text = NULL;
    }
}

/* ---- what came of it ---- */

static const char *judge(const child *c, const json_t *report)
{
    if (!report)
        return "printed no report";
    if (!pl_report_good(report)) {
        const char *why = json_string_value(json_object_get(report, "reason"));
        return why ? why : "had a bad call";
    }
    return c->status == 0 ? NULL : "ended with an error";
}

static bool tell(void)
{
    bool good = true;
    for (int i = 0; i < 2; i++) {
        child *c = &me.peer[i];
        json_t *report = report_of(c);
        const char *why = judge(c, report);
        if (report && opt.json) {
            char *text = json_dumps(report, JSON_COMPACT);
            printf("%s\n", text ? text : "{}");
            free(text);
        } else if (report) {
            pl_report_print(report, is_terminal());
        }
        if (why)
            pl_complain(&pl_cmd_demo, "%s: %s", c->name, why);
        good &= !why;
        json_decref(report);
    }
    if (!opt.json)
        printf("recorded: %s %s\n          %s %s\n", me.peer[0].audio, me.peer[0].video, me.peer[1].audio,
               me.peer[1].video);
    return good;
}

/* ---- the run ---- */

static void say_addresses(void)
{
    pl_ifaddr list[PL_IFADDR_MAX];
    char ip[PL_ADDR_TEXT_MAX];
    size_t n = pl_ifaddr_list(list, PL_IFADDR_MAX, 0);
    printf("\nOpen in a browser:  http://localhost:%u\n", me.port);
    for (size_t i = 0; i < n; i++) {
        if (list[i].addr.family == PL_AF_IP4)
            printf("              or:  http://%s:%u   (camera and microphone need https or localhost)\n",
                   pl_addr_ip_str(&list[i].addr, ip), me.port);
    }
    printf("Call it from here:  peerline call --server http://localhost:%u NAME\nControl-C ends.\n", me.port);
    fflush(stdout);
}

static int make_call(void)
{
    if (is_terminal())
        printf("A server at port %u, two peers in two processes, a call of %g seconds.\n", me.port,
               opt.seconds);
    if (!start_child(&me.peer[0], "Bob", NULL) || !start_child(&me.peer[1], "Ada", "Bob")) {
        pl_complain(&pl_cmd_demo, "the peers do not start: %s", strerror(errno));
        return PL_EXIT_FAILED;
    }
    if (!watch_children()) {
        pl_complain(&pl_cmd_demo, pl_told_to_stop() ? "interrupted" : "the call takes too long");
        return PL_EXIT_FAILED;
    }
    wait_child(&me.peer[0]);
    wait_child(&me.peer[1]);
    return tell() ? PL_EXIT_OK : PL_EXIT_FAILED;
}

static int run(int n_args, char **args)
{
    (void)n_args, (void)args;
    pl_catch_signals(false);
    if (!find_media()) {
        pl_complain(&pl_cmd_demo,
                    "speech.wav and cockatoo.ivf are not found%s%s; --media DIR says where they are",
                    opt.media ? " in " : "", opt.media ? opt.media : "");
        return PL_EXIT_FAILED;
    }
    if (mkdir(opt.out, 0777) && errno != EEXIST) {
        pl_complain(&pl_cmd_demo, "--out %s: %s", opt.out, strerror(errno));
        return PL_EXIT_FAILED;
    }
    if (pl_loop_new(&me.loop, NULL))
        return PL_EXIT_FAILED;
    int code = PL_EXIT_FAILED;
    if (start_server())
        pl_complain(&pl_cmd_demo, "the server does not start: is another one running on port %d?",
                    (int)opt.port);
    else
        code = make_call();
    stop_children();
    if (me.server && is_terminal() && !opt.no_serve && !pl_told_to_stop()) {
        say_addresses();
        while (!pl_told_to_stop())
            pl_loop_run_once(me.loop, PL_SEC(1));
    }
    pl_server_free(me.server);
    pl_loop_free(me.loop);
    return code;
}

static const pl_opt options[] = {
    { "seconds", PL_OPT_REAL, &opt.seconds, "SECONDS", "How long the call lasts. Default: 10.", 1, 3600 },
    { "out", PL_OPT_TEXT, &opt.out, "DIR", "Where the recordings go. Default: out.", 0, 0 },
    { "media", PL_OPT_TEXT, &opt.media, "DIR",
      "Where speech.wav and cockatoo.ivf are. Default: as installed.", 0, 0 },
    { "port", PL_OPT_INT, &opt.port, "PORT", "Of the server; another one when it is taken. Default: 8888.", 0,
      65535 },
    { "stun-port", PL_OPT_INT, &opt.stun_port, "PORT", "Default: 3478.", 0, 65535 },
    { "no-serve", PL_OPT_FLAG, &opt.no_serve, NULL, "End after the call, on a terminal too.", 0, 0 },
    { "json", PL_OPT_FLAG, &opt.json, NULL, "Print the two reports as JSON lines and end.", 0, 0 },
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_demo = {
    .name = "demo",
    .summary = "a server and two native peers in a call, with its report",
    .args = "",
    .opts = options,
    .run = run,
    .details =
        "Starts the server (signaling, web page, STUN) and two native peers in processes of their own, which "
        "find "
        "each other through it and call with real speech and moving pictures; records what each received and "
        "prints both call reports. On a terminal it then goes on serving until Control-C.\n\n"
        "Exit status: 0 when the call was good, 1 with the reason when not.",
};
