/* call - the native client: calls whom an address names, by whatever way, or answers who calls. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/slice.h"
#include "base/time.h"
#include "cli/ice_options.h"
#include "cli/lines.h"
#include "cli/options.h"
#include "cli/process.h"
#include "cli/report.h"
#include "cli/room.h"
#include "cli/talk.h"
#include "cli/token.h"
#include "cli/xmpp_password.h"
#include "cli/xmpp_say.h"
#include "crypto/hmac.h"
#include "net/loop.h"
#include "peerline/session.h"

static const int64_t goodbye_us = PL_SEC(5);

static struct {
    const char *server, *name, *audio, *video, *record_audio, *record_video;
    const char *account, *password_file, *xmpp_server, *token_file;
    pl_ice_options ice;
    double duration_s, patience_s;
    bool json, once, anybody, insecure, ask_token;
} opt = { .server = "http://127.0.0.1:8888", .audio = "tone", .video = "pattern", .patience_s = 30 };

static struct {
    pl_loop *loop;
    pl_factory *factory;
    pl_configuration conf; /* from the options */
    pl_signaling *way;
    pl_talk *talk;
    const char *url;
    const char *peer; /* who was named beside the address, or NULL */
    char name[PL_ROOM_NAME_LEN];
    char password[PL_XMPP_PASSWORD_MAX + 1], token[PL_TOKEN_BYTES];
    bool wanted;                                       /* we call */
    bool over, failed, open, closed, call_ended, told; /* told: how the call went */
    char why[PL_SESSION_WHY_MAX];                      /* why the call ended badly, "" when it did not */
    pl_lines in;
} me;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (opt.json)
        pl_lines_print(json_pack("{ss ss}", "type", "note", "text", text));
    else
        pl_xmpp_print(stdout, "* %s", text);
}

static void give_up(const char *why)
{
    if (!me.over)
        pl_complain(&pl_cmd_call, "%s", why);
    me.failed = me.over = true;
}

static bool is_kind(const char *kind)
{
    return strcmp(pl_signaling_kind(me.way), kind) == 0;
}

/* ---- the call ---- */

static void talk_chat(void *user, const char *text, size_t len)
{
    (void)user;
    const char *from = pl_talk_peer(me.talk);
    char *z = opt.json ? NULL : strndup(text, len);
    if (opt.json)
        pl_lines_print(json_pack("{ss ss ss%}", "type", "chat", "from", from, "text", text, len));
    else if (z)
        pl_xmpp_print(stdout, "%s: %s", from, z);
    free(z);
}

static void talk_progress(void *user, const char *text)
{
    (void)user;
    note("%s", text);
}

static void talk_ended(void *user, const char *reason)
{
    (void)user;
    me.call_ended = true;
    snprintf(me.why, sizeof me.why, "%s", reason ? reason : "");
}

static bool is_there(const char *source)
{
    return strcmp(source, "none") != 0;
}

static bool begin_talk(void)
{
    char why[PL_SESSION_WHY_MAX];
    const pl_talk_way way = is_kind("whip") ? PL_TALK_SEND : is_kind("whep") ? PL_TALK_RECEIVE : PL_TALK_BOTH;
    const bool both = way == PL_TALK_BOTH;
    const pl_talk_conf conf = {
        .factory = me.factory,
        .connection = &me.conf,
        .media = { .audio_source = way == PL_TALK_RECEIVE ? NULL : opt.audio,
                   .video_source = way == PL_TALK_RECEIVE ? NULL : opt.video,
                   .record_audio = way == PL_TALK_SEND ? NULL : opt.record_audio,
                   .record_video = way == PL_TALK_SEND ? NULL : opt.record_video },
        .way = way,
        .kind = { [PL_AUDIO] = both || is_there(opt.audio), [PL_VIDEO] = both || is_there(opt.video) },
        .name = opt.account ? opt.account : me.name,
        .patience_s = opt.patience_s,
        .chat = talk_chat,
        .progress = talk_progress,
        .ended = talk_ended,
    };
    me.call_ended = me.told = false;
    me.why[0] = '\0';
    if (!pl_talk_new(&me.talk, &conf, why, sizeof why))
        return true;
    give_up(why[0] ? why : "the call cannot be made");
    return false;
}

static void dial(void)
{
    pl_session *s;
    if (!begin_talk())
        return;
    const pl_session_observer observer = pl_talk_observer(me.talk);
    const pl_session_conf conf = {
        .to = me.peer, .audio = is_there(opt.audio), .video = is_there(opt.video), .data = true
    };
    pl_err err = pl_session_call(&s, me.way, &conf, &observer);
    if (!err) {
        pl_talk_join(me.talk, s);
        return;
    }
    pl_talk_free(me.talk);
    me.talk = NULL;
    give_up(err == PL_EINVAL ? "nobody of that name can be called" : "the call cannot be made");
}

static void print_report(void)
{
    const char *failure = me.why[0]                     ? me.why
                          : !pl_talk_connected(me.talk) ? "the call ended before it was connected"
                                                        : NULL;
    json_t *report = pl_talk_report(me.talk, failure);
    me.failed |= !report || !pl_report_good(report);
    if (!report && !opt.json)
        pl_complain(&pl_cmd_call, "%s", failure);
    if (!report && opt.json)
        report = json_pack("{ss ss ss sb ss}", "type", "report", "name", me.name, "peer",
                           pl_talk_peer(me.talk), "good", 0, "reason", failure);
    if (opt.json && report) {
        pl_lines_print(report);
    } else if (report) {
        putchar('\n');
        pl_report_print(report, isatty(STDOUT_FILENO));
        json_decref(report);
    }
}

static void finish_call(void)
{
    if (pl_talk_reached(me.talk))
        note("the call with %s has ended after %.1f s", pl_talk_peer(me.talk), pl_talk_seconds(me.talk));
    print_report();
    me.told = true;
    me.over |= me.wanted || opt.once;
    if (me.over)
        return; /* the connection stays until the other side has been told */
    pl_talk_free(me.talk);
    me.talk = NULL;
    note("waiting for the next call");
}

/* ---- the way ---- */

static void on_link(void *user, pl_signaling_link link, pl_err err, const char *text, bool again)
{
    (void)user;
    me.open |= link == PL_LINK_OPEN;
    me.closed = link == PL_LINK_CLOSED && !again;
    if (link == PL_LINK_OPEN && text[0])
        note("%s", text);
    if (link == PL_LINK_CLOSED && again)
        note("%s: trying again", text);
    else if (link == PL_LINK_CLOSED && err && !(me.talk && pl_talk_connected(me.talk)))
        give_up(text);
}

static void on_peer(void *user, const pl_signaling_peer *peer)
{
    (void)user;
    if (me.talk && pl_talk_reached(me.talk))
        return;
    if (peer->before && peer->here && opt.json)
        note("%s is here", peer->name);
    else if (peer->before && peer->here)
        pl_xmpp_print(stdout, "    %s", peer->name);
    else
        note(peer->here ? "%s is here" : "%s has left", peer->name);
}

/* With pasted texts both begin alike: whoever gets the other's text first answers it instead of calling. Who calls us while we
 * call him is answered, too. */
static bool gives_way(const pl_session *caller)
{
    return me.talk && (is_kind("paste") ? !pl_talk_connected(me.talk) : pl_talk_crosses(me.talk, caller));
}

/* One call at a time: a second caller hears that we are busy. */
static void on_call(void *user, pl_session *s)
{
    (void)user;
    if (gives_way(s)) {
        pl_talk_free(me.talk);
        me.talk = NULL;
    } else if (me.talk || me.wanted || me.over) {
        pl_session_reject(s, PL_SESSION_BUSY);
        pl_session_free(s);
        return;
    }
    if (!begin_talk()) {
        pl_session_free(s);
        return;
    }
    const pl_session_observer observer = pl_talk_observer(me.talk);
    pl_talk_join(me.talk, s);
    pl_session_set_observer(s, &observer);
    if (pl_session_accept(s))
        pl_talk_give_up(me.talk, "the call cannot be taken");
}

static void on_text(void *user, const char *text)
{
    (void)user;
    if (opt.json) {
        pl_lines_print(json_pack("{ss ss}", "type", "text", "text", text));
        return;
    }
    note("give this to the other side:");
    printf("\n%s\n\n", text);
    note("and paste here what you get from there");
}

static void on_way_note(void *user, const char *text)
{
    (void)user;
    note("%s", text);
}

/* ---- the run ---- */

static bool is_pasted(const char *text)
{
    pl_err err = is_kind("paste") ? pl_signaling_paste(me.way, text) : PL_ENOTSUP;
    if (err == PL_ESTATE)
        note("that text answers nothing");
    return err != PL_ENOTSUP && err != PL_EPROTO;
}

static void on_line(void *user, char *text, size_t len)
{
    (void)user, (void)len;
    if (strcmp(text, "/bye") == 0 && me.talk)
        pl_talk_hang_up(me.talk);
    else if (strcmp(text, "/restart") == 0 && me.talk)
        pl_talk_restart(me.talk);
    else if (strcmp(text, "/quit") == 0)
        pl_tell_to_stop();
    else if (!is_pasted(text) && (!me.talk || !pl_talk_say(me.talk, text)))
        note("nobody hears: there is no open chat");
}

static void on_overlong(void *user)
{
    (void)user;
    note("that line is too long");
}

static int64_t next_deadline_us(void)
{
    if (!me.talk)
        return PL_NEVER;
    if (opt.duration_s > 0 && pl_talk_connected(me.talk))
        return pl_clock_us() + (int64_t)((opt.duration_s - pl_talk_seconds(me.talk)) * 1e6);
    return pl_talk_deadline_us(me.talk);
}

static const char *why_too_late(void)
{
    return pl_talk_reached(me.talk) ? "no connection in time"
           : !me.open               ? "the server does not answer"
                                    : "the peer has not come";
}

static void check_clock(void)
{
    if (me.talk && !me.call_ended && opt.duration_s > 0 && pl_talk_seconds(me.talk) >= opt.duration_s)
        pl_talk_hang_up(me.talk);
    if (me.talk && !me.call_ended && pl_clock_us() >= pl_talk_deadline_us(me.talk))
        pl_talk_give_up(me.talk, why_too_late());
    if (me.talk && me.call_ended)
        finish_call();
}

static void loop_until_over(void)
{
    while (!me.over && !pl_told_to_stop()) {
        int64_t left_us = pl_max_us(pl_min_us(next_deadline_us() - pl_clock_us(), PL_MS(500)), 0);
        if (!pl_lines_wait(&me.in, me.loop, left_us))
            break;
        check_clock();
    }
    if (me.talk && !me.told) {
        pl_talk_hang_up(me.talk);
        finish_call();
    }
}

/* The other side, or the server, hears of the end; a second signal does not wait for that. */
static void leave(void)
{
    int told = pl_told_to_stop();
    int64_t until_us = pl_clock_us() + goodbye_us;
    if (!me.way)
        return;
    if (!me.closed)
        pl_signaling_close(me.way);
    while (!me.closed && pl_told_to_stop() <= told && pl_clock_us() < until_us)
        (void)pl_loop_run_once(me.loop, PL_MS(100));
    pl_talk_free(me.talk);
    pl_signaling_free(me.way);
}

static pl_err open_way(void)
{
    char why[PL_SESSION_WHY_MAX];
    const pl_signaling_conf conf = { .url = me.url ? me.url : opt.server,
                                     .name = me.name,
                                     .room = me.url ? NULL : "",
                                     .account = opt.account,
                                     .password = me.password[0] ? me.password : NULL,
                                     .server = opt.xmpp_server,
                                     .token = me.token[0] ? me.token : NULL,
                                     .ca_file = opt.ice.ca_file,
                                     .insecure = opt.insecure,
                                     .anybody = opt.anybody,
                                     .patience_us = (int64_t)(opt.patience_s * 1e6) };
    const pl_signaling_observer observer = {
        .on_link = on_link, .on_peer = on_peer, .on_call = on_call, .on_text = on_text, .on_note = on_way_note
    };
    pl_err err = pl_signaling_open(&me.way, me.loop, &conf, &observer, why, sizeof why);
    if (err)
        pl_complain(&pl_cmd_call, "%s: %s", conf.url, why);
    return err;
}

static void look_at_argument(const char *arg)
{
    static const char *const schemes[] = { "http://", "https://", "ws://", "wss://",
                                           "xmpp:",   "whip:",    "whep:", "paste:" };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (pl_str_starts(pl_str_of(arg), schemes[i])) {
            me.url = arg;
            return;
        }
    }
    me.peer = arg;
}

/* What proves who we are to the kind of server that the address names. */
static bool find_secrets(void)
{
    bool xmpp = me.url && pl_str_starts(pl_str_of(me.url), "xmpp:"),
         whip = me.url && pl_str_starts(pl_str_of(me.url), "wh");
    if (xmpp && !opt.account) {
        pl_complain(&pl_cmd_call, "--as ACCOUNT is needed: whose calls are they?");
        return false;
    }
    if (xmpp && !pl_xmpp_password(&pl_cmd_call, opt.password_file, opt.account, false, me.password))
        return false;
    return !whip || pl_token_find(&pl_cmd_call, opt.token_file, opt.ask_token, me.token);
}

static pl_err open_all(pl_factory_conf *factory)
{
    pl_err err = pl_loop_new(&me.loop, NULL);
    factory->loop = me.loop;
    if (!err)
        err = pl_factory_new(&me.factory, factory);
    if (err)
        pl_complain(&pl_cmd_call, "no network, or a file of certificates that cannot be read");
    else
        err = open_way();
    if (err)
        return err;
    me.wanted = me.peer || pl_signaling_callee(me.way);
    return PL_OK;
}

static int run(int n_args, char **args)
{
    pl_factory_conf factory = { .loopback = true };
    if (!pl_ice_options_factory(&opt.ice, &pl_cmd_call, &factory) ||
        !pl_ice_options_connection(&opt.ice, &pl_cmd_call, &me.conf))
        return PL_EXIT_USAGE;
    if (n_args)
        look_at_argument(args[0]);
    if (!find_secrets())
        return PL_EXIT_USAGE;
    me.in = (pl_lines){ .fd = STDIN_FILENO, .line = on_line, .overlong = on_overlong };
    pl_room_choose_name(me.name, opt.name);
    pl_catch_signals(false);
    pl_err err = open_all(&factory);
    if (!err && me.wanted)
        dial();
    if (!err)
        loop_until_over();
    leave();
    pl_factory_free(me.factory);
    pl_loop_free(me.loop);
    pl_lines_clear(&me.in);
    pl_wipe(me.password, sizeof me.password);
    pl_wipe(me.token, sizeof me.token);
    if (err)
        return err == PL_EINVAL || err == PL_ENOTSUP ? PL_EXIT_USAGE : PL_EXIT_FAILED;
    return me.failed ? PL_EXIT_FAILED : PL_EXIT_OK;
}

static const pl_opt options[] = {
    { "server", PL_OPT_TEXT, &opt.server, "URL",
      "The signaling server, when the argument is no address. Default: http://127.0.0.1:8888. http and "
      "https: the "
      "classic protocol, ws and wss: WebSocket.",
      0, 0 },
    { "name", PL_OPT_TEXT, &opt.name, "NAME", "How others see us. Default: peerline@HOST.", 0, 0 },
    { "as", PL_OPT_TEXT, &opt.account, "ACCOUNT", "xmpp: the account that calls, or is called.", 0, 0 },
    { "password-file", PL_OPT_TEXT, &opt.password_file, "FILE",
      "xmpp: the password is this file's first line. Else it is in PEERLINE_XMPP_PASSWORD, or asked for.", 0,
      0 },
    { "xmpp-server", PL_OPT_TEXT, &opt.xmpp_server, "WHERE",
      "xmpp: in place of what DNS says: HOST[:PORT], tls://HOST[:PORT], or a URL of WebSocket (ws, wss) or "
      "BOSH "
      "(http, https).",
      0, 0 },
    { "anybody", PL_OPT_FLAG, &opt.anybody, NULL,
      "xmpp: answer whoever calls. Default: contacts alone; others learn nothing.", 0, 0 },
    { "insecure", PL_OPT_FLAG, &opt.insecure, NULL,
      "xmpp: go on when the server has no TLS. For servers on this machine.", 0, 0 },
    { "token-file", PL_OPT_TEXT, &opt.token_file, "FILE",
      "whip, whep: the bearer token is this file's first line. Default: what PEERLINE_TOKEN says, if it is "
      "set.",
      0, 0 },
    { "ask-token", PL_OPT_FLAG, &opt.ask_token, NULL, "whip, whep: ask for the token on the terminal.", 0,
      0 },
    { "audio", PL_OPT_TEXT, &opt.audio, "SOURCE",
      "What to say: a WAV file, tone[:HZ] or none. Default: tone.", 0, 0 },
    { "video", PL_OPT_TEXT, &opt.video, "SOURCE",
      "What to show: a Y4M or IVF (VP8) file, pattern or none. Default: pattern.", 0, 0 },
    { "record-audio", PL_OPT_TEXT, &opt.record_audio, "OUT.wav", "Write what is heard.", 0, 0 },
    { "record-video", PL_OPT_TEXT, &opt.record_video, "OUT.ivf",
      "Write what is seen: .ivf as received, .y4m decoded.", 0, 0 },
    PL_ICE_OPTIONS(opt.ice),
    { "duration", PL_OPT_REAL, &opt.duration_s, "SECONDS",
      "Hang up after so long in the call. Default: never.", 0, 1e6 },
    { "patience", PL_OPT_REAL, &opt.patience_s, "SECONDS",
      "Give up without a connection after so long. Default: 30.", 1, 1e5 },
    { "once", PL_OPT_FLAG, &opt.once, NULL, "End after the first call.", 0, 0 },
    { "json", PL_OPT_FLAG, &opt.json, NULL,
      "Print JSON Lines: {\"type\":\"note\",...} as it goes, chat, and {\"type\":\"report\",...} at the end "
      "of a "
      "call.",
      0, 0 },
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_call = {
    .name = "call",
    .summary = "call whom an address names, by any way, or answer calls",
    .args = "[PEER|URL]",
    .max_args = 1,
    .opts = options,
    .run = run,
    .details =
        "With PEER, waits for a peer of that name at --server and calls it; without, answers whoever calls, "
        "one "
        "at a time. With an address the call goes another way, and is the same call:\n"
        "http://HOST:8888/#NAME, or ws://…, calls NAME in a server's room; without #NAME it answers there. "
        "http://HOST:8888/ROOM#NAME is a room of its own.\n"
        "xmpp:romeo@example.org --as juliet@example.org calls an account, whose devices ring; \"xmpp:\" "
        "alone "
        "answers.\n"
        "whip:https://HOST/PATH publishes to an endpoint, whep:https://HOST/PATH plays what one sends.\n"
        "paste: needs no server: both sides start alike, and one text each way is copied and pasted by hand. "
        "paste:json writes it as browsers know it.\n\n"
        "Lines typed are sent as chat; /bye hangs up, /restart looks for another path, /quit ends. At the "
        "end of a "
        "call its report is printed: set-up by phase, path, bitrate, loss, jitter, frames, freezes, "
        "level.\n\n"
        "Exit status: 0 when the calls were good, 1 when one was not, 2 for a wrong option.",
};
