/* ice - the chat of two terminals: each prints a line that is pasted at the other, then what is typed goes over the path
 * that ICE has found. Uses the public interface on a loop of its own, so that everything happens in one thread. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ice_line.h"
#include "cli/ice_options.h"
#include "cli/ice_say.h"
#include "cli/lines.h"
#include "cli/options.h"
#include "cli/process.h"
#include "net/loop.h"
#include "peerline/ice.h"

enum {
    PASTED_MAX = 64 * 1024,
    WAITING_MAX = 64 * 1024, /* bytes typed before there is a path */
    PAIRS_MAX = 128,
    LOOK_US = 2000, /* between two looks for the other side's file */
    LINGER_US = 100000,
    FAREWELL = 0x04 /* EOT, alone in a datagram: this side has ended */
};

static pl_ice_options path_opt;
static struct {
    bool relay_only, lite, json, sdp, answer, echo, loopback;
    const char *offer_file, *answer_file;
    double timeout_s, gather_s, duration_s;
} opt = { .timeout_s = 30, .gather_s = 5 };

static struct {
    pl_loop *loop;
    pl_factory *factory;
    pl_ice_transport *ice;
    pl_lines in;
    pl_buf pasted, waiting; /* waiting: lines, each with its end */
    pl_ice_words words;     /* scratch */
    bool gathered, told, asked, connected, done, failed, ended;
    int64_t start_us, known_us; /* known: both sides' words are */
    uint64_t sent, received;
    char reason[128];
} me;

/* ---- out ---- */

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
    va_list args;
    if (opt.json)
        return;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

static double ms_since(int64_t us)
{
    return us ? (double)(pl_clock_us() - us) / 1e3 : 0;
}

/* Takes more; adds the times: "ms" since the start, "known_ms" since both sides knew each other's candidates,
 * "time_us" since 1970. */
static void event(const char *name, json_t *more)
{
    json_t *o = opt.json && !me.ended ? json_pack("{ss sf sI}", "event", name, "ms", ms_since(me.start_us),
                                                  "time_us", (json_int_t)pl_wall_us())
                                      : NULL;
    if (o && me.known_us)
        json_object_set_new(o, "known_ms", json_real(ms_since(me.known_us)));
    if (o && more)
        json_object_update(o, more);
    if (o)
        pl_lines_print(o);
    json_decref(more);
}

static void finish(bool failed, const char *why)
{
    if (me.done)
        return;
    me.done = true;
    me.failed = failed;
    snprintf(me.reason, sizeof me.reason, "%s", why);
}

static const char *our_file(void)
{
    return opt.answer ? opt.answer_file : opt.offer_file;
}
static const char *their_file(void)
{
    return opt.answer ? opt.offer_file : opt.answer_file;
}

/* Under another name first: who waits for the file must never see half of it. */
static bool write_file(const char *path, const char *text)
{
    char tmp[4096];
    if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= (int)sizeof tmp)
        return false;
    FILE *f = fopen(tmp, "w");
    if (!f)
        return false;
    bool good = fputs(text, f) >= 0;
    good = fclose(f) == 0 && good;
    return good && rename(tmp, path) == 0;
}

static void check_known(void)
{
    if (!me.told || !me.asked || me.known_us)
        return;
    me.known_us = pl_clock_us();
    event("known", NULL);
}

static void say_line(const char *line, const char *sdp)
{
    const char *text = opt.sdp ? sdp : line;
    if (our_file()) {
        if (!write_file(our_file(), text))
            finish(true, strerror(errno));
    } else if (!opt.json) {
        note("Give this to the other side:");
        printf("%s\n", text);
        fflush(stdout);
    }
    event("local", json_pack("{ss ss}", "line", line, "sdp", sdp));
    if (!me.asked && !their_file())
        note("Then paste here what the other side gives you:");
}

/* What is said now is all that will be said: candidates found later would have no way to the other side. */
static pl_err make_words(char line[PL_ICE_LINE_MAX], pl_buf *sdp)
{
    static const char end[] = "a=end-of-candidates\r\n";
    char *text;
    pl_err err = pl_ice_transport_local(me.ice, &text);
    if (!err)
        err = pl_ice_words_read(&me.words, text);
    if (!err) {
        pl_buf_add(sdp, text, strlen(text));
        if (!me.words.complete)
            pl_buf_add(sdp, end, sizeof end - 1);
        me.words.complete = true;
        err = sdp->bad ? PL_ENOMEM : pl_ice_line_write(&me.words, line) ? PL_OK : PL_ENOSPC;
    }
    pl_free(text);
    return err;
}

static void tell(void)
{
    char line[PL_ICE_LINE_MAX];
    pl_buf sdp = pl_buf_init(PASTED_MAX);
    pl_err err = make_words(line, &sdp);
    me.told = true;
    if (err)
        finish(true, pl_err_str(err));
    else
        say_line(line, pl_buf_z(&sdp));
    pl_buf_clear(&sdp);
    check_known();
}

/* ---- in: the other side's words ---- */

/* One side must choose the pair. With files it is the offer's; else the words decide, and both sides have them. */
static void choose_role(void)
{
    char *sdp;
    pl_ice_words *own = malloc(sizeof *own);
    pl_err err = pl_ice_transport_local(me.ice, &sdp);
    if (own && !err && !pl_ice_words_read(own, sdp) && !our_file())
        pl_ice_transport_set_controlling(me.ice, strcmp(own->ufrag, me.words.ufrag) > 0);
    pl_free(sdp);
    free(own);
}

/* is_all: no more is to come, as in a file. */
static void take_words(const char *text, bool is_all)
{
    pl_buf sdp = pl_buf_init(PASTED_MAX);
    pl_err err = pl_ice_line_read(&me.words, text);
    if (err == PL_EAGAIN && !is_all)
        return;
    if (err == PL_EAGAIN)
        err = pl_ice_words_read(&me.words, text);
    if (!err) {
        pl_buf cands = pl_buf_init(PASTED_MAX);
        for (size_t i = 0; i < me.words.n; i++) {
            char line[PL_ICE_CAND_TEXT_MAX];
            if (pl_ice_cand_print(&me.words.cand[i], line, sizeof line))
                pl_buf_addf(&cands, "a=%s\r\n", line);
        }
        pl_ice_words_write(&sdp, me.words.ufrag, me.words.pwd, me.words.lite, (pl_str){ cands.p, cands.n },
                           me.words.complete);
        choose_role();
        err = sdp.bad || cands.bad ? PL_ENOMEM : pl_ice_transport_set_remote(me.ice, pl_buf_z(&sdp));
        pl_buf_clear(&cands);
    }
    pl_buf_clear(&sdp);
    if (err) {
        pl_buf_clear(&me.pasted);
        note("That is no whole line of the other side; please paste it again.");
        event("error", json_pack("{ss}", "message", "the other side's words are damaged"));
        if (their_file() || me.in.ended)
            finish(true, "the other side's words are damaged");
        return;
    }
    me.asked = true;
    note("Connecting ...");
    event("remote", json_pack("{si}", "candidates", (int)me.words.n));
    check_known();
}

static void look_for_file(void)
{
    char text[PASTED_MAX];
    FILE *f = fopen(their_file(), "r");
    if (!f)
        return;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    take_words(text, true);
}

/* ---- data ---- */

static void send_line(const char *text, size_t len)
{
    if (!len)
        return;
    if (!pl_ice_transport_send(me.ice, text, len))
        me.sent++;
}

static void send_waiting(void)
{
    pl_str rest = { me.waiting.p, me.waiting.n };
    while (rest.n) {
        pl_str line = pl_str_cut(&rest, '\n');
        send_line(line.p, line.n);
    }
    me.waiting.n = 0;
}

static void take_line(void *user, char *text, size_t len)
{
    (void)user;
    if (!me.asked && !their_file()) {
        pl_buf_add(&me.pasted, text, len);
        pl_buf_add(&me.pasted, "\n", 1);
        const char *all = pl_buf_z(&me.pasted);
        if (all)
            take_words(all, false);
        else
            pl_buf_clear(&me.pasted);
        return;
    }
    if (me.connected) {
        send_line(text, len);
    } else if (me.waiting.n + len < WAITING_MAX) {
        pl_buf_add(&me.waiting, text, len);
        pl_buf_add(&me.waiting, "\n", 1);
    }
}

static void overlong(void *user)
{
    (void)user;
    note("A line of more than %d bytes is not sent.", (int)PL_ICE_DATAGRAM_MAX);
}

static void on_data(void *user, const uint8_t *data, size_t len)
{
    (void)user;
    if (me.ended)
        return;
    if (len == 1 && data[0] == FAREWELL) {
        note("The other side has ended.");
        finish(false, "the other side has ended");
        return;
    }
    me.received++;
    if (opt.echo)
        send_line((const char *)data, len);
    if (!opt.json) {
        fwrite(data, 1, len, stdout);
        putchar('\n');
        fflush(stdout);
        return;
    }
    json_t *text = json_stringn((const char *)data, len); /* NULL: no UTF-8 */
    event("data", text ? json_pack("{so sI}", "text", text, "bytes", (json_int_t)len)
                       : json_pack("{sI}", "bytes", (json_int_t)len));
}

/* ---- what the transport says ---- */

static void on_gathering(void *user, pl_ice_gathering_state state)
{
    (void)user;
    event("gathering", json_pack("{ss}", "state", pl_ice_gathering_state_str(state)));
    if (state == PL_ICE_GATHERING_COMPLETE)
        me.gathered = true;
}

static void on_candidate(void *user, const char *candidate)
{
    (void)user;
    if (candidate[0])
        event("candidate", json_pack("{ss}", "candidate", candidate));
}

static void on_state(void *user, pl_ice_connection_state state)
{
    bool first = !me.connected;
    (void)user;
    event("state", json_pack("{ss}", "state", pl_ice_connection_state_str(state)));
    if (state == PL_ICE_CONNECTION_CONNECTED || state == PL_ICE_CONNECTION_COMPLETED) {
        me.connected = true;
        if (first) {
            note("Connected after %.0f ms. What you type goes to the other side; Ctrl-D ends.",
                 ms_since(me.known_us));
            send_waiting();
        }
    } else if (state == PL_ICE_CONNECTION_FAILED) {
        finish(true, me.connected ? "the path is lost" : "no path was found");
    } else if (state == PL_ICE_CONNECTION_DISCONNECTED) {
        note("Nothing is heard of the other side ...");
    }
}

static void on_selected(void *user, const pl_ice_transport_pair *pair)
{
    char path[PL_ICE_PATH_MAX];
    (void)user;
    note("Path: %s, %s %s to %s %s, %.0f ms", pl_ice_path_str(pair, path),
         pl_ice_candidate_type_str(pair->local_type), pair->local,
         pl_ice_candidate_type_str(pair->remote_type), pair->remote, (double)pair->rtt_us / 1e3);
    event("selected", pl_ice_pair_json(pair));
}

/* ---- the run ---- */

static int refuse(pl_err err, const char *what)
{
    pl_complain(&pl_cmd_ice, "%s: %s", what, pl_err_str(err));
    return err == PL_EINVAL || err == PL_ENOTSUP ? PL_EXIT_USAGE : PL_EXIT_FAILED;
}

static int open_transport(void)
{
    static const pl_ice_transport_observer observer = { .on_candidate = on_candidate,
                                                        .on_gathering_state = on_gathering,
                                                        .on_state = on_state,
                                                        .on_selected = on_selected,
                                                        .on_data = on_data };
    pl_configuration paths = { .n_ice_servers = 0 };
    pl_factory_conf factory = { .loop = me.loop, .loopback = opt.loopback, .ice_lite = opt.lite };
    if (opt.relay_only)
        path_opt.policy = "relay";
    if (!pl_ice_options_factory(&path_opt, &pl_cmd_ice, &factory) ||
        !pl_ice_options_connection(&path_opt, &pl_cmd_ice, &paths))
        return PL_EXIT_USAGE;
    pl_ice_transport_conf conf = { .servers = paths.ice_servers,
                                   .n_servers = paths.n_ice_servers,
                                   .policy = paths.ice_transport_policy,
                                   .controlling = !opt.answer };
    pl_err err = pl_factory_new(&me.factory, &factory);
    if (err)
        return refuse(err, "--interfaces, --ports, --ca-file or the network");
    err = pl_ice_transport_new(&me.ice, me.factory, &conf, &observer);
    if (err)
        return refuse(err, "an ICE server");
    err = pl_ice_transport_gather(me.ice);
    return err ? refuse(err, "gathering") : PL_EXIT_OK;
}

/* When this round must be looked at again, if nothing happens. */
static int64_t next_us(void)
{
    int64_t at_us = PL_NEVER;
    if (!me.told)
        at_us = me.start_us + (int64_t)(opt.gather_s * 1e6);
    if (!me.connected && me.asked)
        at_us = pl_min_us(at_us, me.known_us + (int64_t)(opt.timeout_s * 1e6));
    if (opt.duration_s > 0)
        at_us = pl_min_us(at_us, me.start_us + (int64_t)(opt.duration_s * 1e6));
    if (me.told && !me.asked && their_file())
        at_us = pl_min_us(at_us, pl_clock_us() + LOOK_US);
    return at_us;
}

static void check_clock(void)
{
    int64_t now_us = pl_clock_us();
    if (!me.told && (me.gathered || now_us >= me.start_us + (int64_t)(opt.gather_s * 1e6)))
        tell();
    if (me.told && !me.asked && their_file())
        look_for_file();
    bool due = me.known_us && now_us >= me.known_us + (int64_t)(opt.timeout_s * 1e6);
    if (!me.connected && due)
        finish(true, "no path within --timeout");
    if (opt.duration_s > 0 && now_us >= me.start_us + (int64_t)(opt.duration_s * 1e6))
        finish(!me.connected, me.connected ? "--duration is over" : "no path within --duration");
    if (pl_told_to_stop())
        finish(!me.connected, "interrupted");
    if (!me.in.ended || opt.duration_s > 0)
        return;
    if (!me.asked && !their_file())
        finish(true, "the input has ended without the other side's words");
    else if (me.connected)
        finish(false, "the input has ended");
}

static void say_end(void)
{
    pl_ice_transport_pair pair[PAIRS_MAX];
    uint64_t checks = 0;
    size_t n = pl_ice_transport_get_pairs(me.ice, pair, PAIRS_MAX);
    for (size_t i = 0; i < n && i < PAIRS_MAX; i++) {
        checks += pair[i].checks_sent;
        if (pair[i].selected)
            event("pair", pl_ice_pair_json(&pair[i]));
    }
    note("%s%s: %llu lines sent, %llu received", me.failed ? "Failed, " : "Ended, ", me.reason,
         (unsigned long long)me.sent, (unsigned long long)me.received);
    event("end", json_pack("{sb ss sI sI sI sI}", "good", !me.failed, "reason", me.reason, "sent",
                           (json_int_t)me.sent, "received", (json_int_t)me.received, "pairs", (json_int_t)n,
                           "checks", (json_int_t)checks));
    me.ended = true; /* what still comes while the last words leave is not told */
}

/* Three times, for it may be lost. */
static void say_farewell(void)
{
    static const uint8_t farewell[] = { FAREWELL };
    bool goes = me.connected;
    for (int i = 0; i < 3 && goes; i++)
        goes = !pl_ice_transport_send(me.ice, farewell, sizeof farewell);
}

/* What was sent last may wait in a stream to a relay. */
static void linger(void)
{
    int64_t until_us = pl_clock_us() + (me.connected ? LINGER_US : 0);
    for (int64_t left_us; (left_us = until_us - pl_clock_us()) > 0;) {
        if (pl_loop_run_once(me.loop, left_us))
            return;
    }
}

static int run(int n_args, char **args)
{
    if (!opt.offer_file != !opt.answer_file || (opt.answer && !opt.answer_file)) {
        pl_complain(&pl_cmd_ice, "--offer-file and --answer-file go together, and --answer with them");
        return PL_EXIT_USAGE;
    }
    pl_catch_signals(false);
    if (pl_loop_new(&me.loop, NULL))
        return PL_EXIT_FAILED;
    me.start_us = pl_clock_us();
    me.in = (pl_lines){ .fd = STDIN_FILENO, .line = take_line, .overlong = overlong };
    me.pasted = pl_buf_init(PASTED_MAX);
    me.waiting = pl_buf_init(WAITING_MAX);
    int code = open_transport();
    if (!code && n_args)
        take_words(args[0], true);
    if (!code && n_args && !me.asked)
        code = refuse(PL_EINVAL, "the other side's line");
    while (!code && !me.done) {
        int64_t at_us = next_us();
        int64_t left_us = at_us == PL_NEVER ? PL_SEC(3600) : pl_max_us(at_us - pl_clock_us(), 0);
        if (!pl_lines_wait(&me.in, me.loop, left_us))
            code = PL_EXIT_FAILED;
        check_clock();
    }
    if (!code)
        say_end();
    say_farewell();
    linger();
    pl_ice_transport_free(me.ice);
    pl_factory_free(me.factory);
    pl_loop_free(me.loop);
    pl_lines_clear(&me.in);
    pl_buf_clear(&me.pasted);
    pl_buf_clear(&me.waiting);
    return code ? code : me.failed ? PL_EXIT_FAILED : PL_EXIT_OK;
}

static const pl_opt options[] = {
    PL_ICE_OPTIONS(path_opt),
    { "relay-only", PL_OPT_FLAG, &opt.relay_only, NULL, "The same as --ice-transport-policy relay.", 0, 0 },
    { "lite", PL_OPT_FLAG, &opt.lite, NULL, "This host has a public address: only answer checks, send none.",
      0, 0 },
    { "loopback", PL_OPT_FLAG, &opt.loopback, NULL, "Loopback addresses, too.", 0, 0 },
    { "timeout", PL_OPT_REAL, &opt.timeout_s, "SECONDS",
      "To wait for a connection once both sides know each other. Default: 30.", 0.01, 1e6 },
    { "gather-time", PL_OPT_REAL, &opt.gather_s, "SECONDS",
      "The line is printed when all servers have answered, or after this time. Default: 5.", 0.01, 1e6 },
    { "duration", PL_OPT_REAL, &opt.duration_s, "SECONDS",
      "End after this time, not at the end of the input.", 0, 1e6 },
    { "offer-file", PL_OPT_TEXT, &opt.offer_file, "FILE",
      "Exchange the lines through files: this one is written (with --answer: waited for and read) ...", 0,
      0 },
    { "answer-file", PL_OPT_TEXT, &opt.answer_file, "FILE",
      "... and this one is waited for and read (written).", 0, 0 },
    { "answer", PL_OPT_FLAG, &opt.answer, NULL, "With files: be the side that answers.", 0, 0 },
    { "sdp", PL_OPT_FLAG, &opt.sdp, NULL,
      "Say lines of SDP, for other programs with ICE, in place of one short line. Both are always "
      "understood.",
      0, 0 },
    { "echo", PL_OPT_FLAG, &opt.echo, NULL, "Send everything straight back.", 0, 0 },
    { "json", PL_OPT_FLAG, &opt.json, NULL, "Print JSON Lines: what happens, with times.", 0, 0 },
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_ice = {
    .name = "ice",
    .summary = "the chat of two terminals: a path between two hosts, whatever NATs lie between",
    .args = "[LINE]",
    .min_args = 0,
    .max_args = 1,
    .opts = options,
    .run = run,
    .details =
        "Start it on both hosts. Each prints one line; paste it into the other's terminal (line "
        "breaks and quotes that "
        "a chat adds do no harm), or give it as LINE. Then every line that is typed on one side is "
        "printed on the "
        "other. What comes is printed on standard output, everything else on standard error.\n\n"
        "Lines travel as datagrams, one each, unencrypted: they may be lost, and whoever sees the "
        "lines that are pasted "
        "may take part.\n\n"
        "With --json every line is an object with \"event\": gathering, candidate, local (our words twice, "
        "as "
        "\"line\" and \"sdp\"), remote, known (both sides' words), state, selected, data, error, pair, end; "
        "with \"ms\" "
        "since the start, \"known_ms\" since both sides' words are known, and \"time_us\" since 1970.\n\n"
        "Exit status: 0 when there was a connection and it ended at the end of the input, by an "
        "interrupt, after "
        "--duration, or because the other side ended; 1 when there was none or it was lost; 2 for a "
        "wrong option.",
};
