/* call - the native client: signs in to a server's room, calls the peer that is named or answers who calls.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/call_session.h"
#include "cli/ice_options.h"
#include "cli/lines.h"
#include "cli/options.h"
#include "cli/process.h"
#include "cli/report.h"
#include "cli/room.h"
#include "net/loop.h"
#include "signal/client.h"

static struct {
    const char *server, *name, *audio, *video, *record_audio, *record_video;
    pl_ice_options ice;
    double duration_s, patience_s;
    bool json, once;
} opt = { .server = "http://127.0.0.1:8888", .audio = "tone", .video = "pattern", .patience_s = 30 };

static struct {
    pl_loop *loop;
    pl_factory *factory;
    pl_configuration conf; /* from the options */
    pl_room_client *room;
    pl_room_known known;
    pl_call_session *call;
    pl_peer_id peer_id;
    char peer_name[256], name[PL_ROOM_NAME_LEN];
    const char *wanted; /* whom to call, or NULL */
    bool called, over, failed, call_ended, signed_in;
    char why[300]; /* why the call ended badly, "" when it did not */
    pl_lines in;
    int64_t give_up_us; /* the wanted peer has not come */
} me;

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *fmt, ...)
{
    va_list args;
    if (opt.json)
        return;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static void give_up(const char *why)
{
    pl_complain(&pl_cmd_call, "%s", why);
    me.failed = me.over = true;
}

/* ---- the call ---- */

static void call_send(void *user, const char *text, size_t len)
{
    (void)user;
    pl_err err = pl_room_client_send(me.room, me.peer_id, text, len);
    if (err)
        note("* the server did not take a message: %s", pl_err_str(err));
}

static void call_chat(void *user, const char *text, size_t len)
{
    (void)user;
    if (opt.json)
        pl_lines_print(json_pack("{ss ss ss%}", "type", "chat", "from", me.peer_name, "text", text, len));
    else
        note("%s: %.*s", me.peer_name, (int)len, text);
}

static void call_progress(void *user, const char *text)
{
    (void)user;
    note("* %s", text);
}

static void call_ended(void *user, const char *reason)
{
    (void)user;
    me.call_ended = true;
    snprintf(me.why, sizeof me.why, "%s", reason ? reason : "");
}

static void begin_call(pl_peer_id id, const char *name, bool caller)
{
    char why[256];
    pl_call_session_conf conf = {
        .factory = me.factory,
        .connection = &me.conf,
        .media = { .audio_source = opt.audio,
                   .video_source = opt.video,
                   .record_audio = opt.record_audio,
                   .record_video = opt.record_video },
        .name = me.name,
        .peer = name,
        .caller = caller,
        .patience_s = opt.patience_s,
        .send = call_send,
        .chat = call_chat,
        .progress = call_progress,
        .ended = call_ended,
    };
    me.peer_id = id;
    me.call_ended = false;
    snprintf(me.peer_name, sizeof me.peer_name, "%s", name);
    note("* %s %s", caller ? "calling" : "answering", name);
    if (pl_call_session_new(&me.call, &conf, why, sizeof why))
        give_up(why[0] ? why : "the call cannot be made");
}

static void finish_call(void)
{
    double seconds = pl_call_session_seconds(me.call);
    const char *failure = me.why[0]                             ? me.why
                          : !pl_call_session_connected(me.call) ? "the call ended before it was connected"
                                                                : NULL;
    json_t *report = pl_call_session_report(me.call, failure);
    bool good = pl_report_good(report);
    note("* the call with %s has ended after %.1f s", me.peer_name, seconds);
    if (opt.json) {
        pl_lines_print(report);
    } else {
        putchar('\n');
        pl_report_print(report, isatty(STDOUT_FILENO));
        json_decref(report);
    }
    pl_call_session_free(me.call);
    me.call = NULL;
    me.failed |= !good;
    if (me.wanted || opt.once)
        me.over = true;
    else
        note("* waiting for the next call");
}

/* ---- the room ---- */

static void look_for_wanted(const pl_room_peer *p)
{
    if (!me.wanted || me.called || me.call || strcmp(p->name, me.wanted) != 0)
        return;
    me.called = true;
    begin_call(p->id, p->name, true);
}

static void on_signed_in(void *user, pl_peer_id id, const pl_room_peer *peers, size_t n)
{
    (void)user, (void)id;
    me.signed_in = true;
    note("* signed in as %s; %zu other%s here", me.name, n, n == 1 ? "" : "s");
    for (size_t i = 0; i < n; i++) {
        pl_room_known_add(&me.known, &peers[i]);
        if (!me.call)
            note("    %s", peers[i].name);
        look_for_wanted(&peers[i]);
    }
    if (me.wanted && !me.called)
        note("* %s is not here yet: waiting", me.wanted);
}

static void on_joined(void *user, const pl_room_peer *peer)
{
    (void)user;
    pl_room_known_add(&me.known, peer);
    if (!me.call)
        note("* %s is here", peer->name);
    look_for_wanted(peer);
}

static void on_left(void *user, const pl_room_peer *peer)
{
    (void)user;
    if (!me.call)
        note("* %s has left", peer->name);
    else if (peer->id == me.peer_id && !pl_call_session_connected(me.call))
        call_ended(NULL, "the peer has left");
}

/* Whoever offers files hears that nobody takes them here. */
static void decline_files(pl_peer_id from, const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    if (!type || strcmp(type, "offer") != 0)
        return;
    json_t *bye = json_pack("{ss ss ss sO* sO*}", "type", "bye", "for", "files", "reason", "declined", "id",
                            json_object_get(o, "id"), "try", json_object_get(o, "try"));
    char *text = bye ? json_dumps(bye, JSON_COMPACT) : NULL;
    if (text && pl_room_client_send(me.room, from, text, strlen(text)))
        note("* the server did not take a message");
    free(text);
    json_decref(bye);
}

/* A second caller hears bye; who calls is learnt from the message, since its name may still be unknown. */
static void on_message(void *user, pl_peer_id from, const char *text, size_t len)
{
    (void)user;
    json_t *o = json_loadb(text, len, 0, NULL);
    const char *type = json_string_value(json_object_get(o, "type"));
    bool offer = type && strcmp(type, "offer") == 0, files = json_object_get(o, "for") != NULL;
    if (files)
        decline_files(from, o);
    json_decref(o);
    if (files)
        return;
    if (me.call && from == me.peer_id) {
        pl_call_session_message(me.call, text, len);
        return;
    }
    if (!offer)
        return;
    if (me.call || me.wanted || me.over) {
        static const char bye[] = "{\"type\":\"bye\",\"reason\":\"busy\"}";
        if (pl_room_client_send(me.room, from, bye, sizeof bye - 1))
            note("* the server did not take a message");
        return;
    }
    begin_call(from, pl_room_known_name(&me.known, from), false);
    if (me.call)
        pl_call_session_message(me.call, text, len);
}

static void on_closed(void *user, pl_err err, const char *why, bool again)
{
    (void)user;
    me.signed_in = false;
    if (again)
        note("* %s: trying again", why);
    else if (err)
        give_up(why);
}

/* ---- the run ---- */

static void on_line(void *user, char *text, size_t len)
{
    (void)user, (void)len;
    if (strcmp(text, "/bye") == 0 && me.call)
        pl_call_session_hang_up(me.call);
    else if (strcmp(text, "/quit") == 0)
        pl_tell_to_stop();
    else if (!me.call || !pl_call_session_say(me.call, text))
        note("* nobody hears: there is no open chat");
}

static void on_overlong(void *user)
{
    (void)user;
    note("* that line is too long");
}

static int64_t next_deadline_us(void)
{
    int64_t at_us = PL_NEVER;
    if (me.call) {
        at_us = pl_call_session_deadline_us(me.call);
        if (opt.duration_s > 0 && pl_call_session_connected(me.call))
            at_us = pl_clock_us() + (int64_t)((opt.duration_s - pl_call_session_seconds(me.call)) * 1e6);
    } else if (me.wanted && !me.called) {
        at_us = me.give_up_us;
    }
    return at_us;
}

static void check_clock(void)
{
    int64_t now_us = pl_clock_us();
    if (me.call && !me.call_ended && opt.duration_s > 0 && pl_call_session_seconds(me.call) >= opt.duration_s)
        pl_call_session_hang_up(me.call);
    if (me.call && !me.call_ended && now_us >= pl_call_session_deadline_us(me.call))
        call_ended(NULL, "no connection in time");
    if (!me.call && me.wanted && !me.called && now_us >= me.give_up_us)
        give_up(me.signed_in ? "the peer has not come" : "the server does not answer");
    if (me.call && me.call_ended)
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
    if (me.call) {
        pl_call_session_hang_up(me.call);
        finish_call();
    }
}

static pl_err open_room(void)
{
    pl_room_client_conf conf = { .url = opt.server,
                                 .name = me.name,
                                 .on = { .signed_in = on_signed_in,
                                         .peer_joined = on_joined,
                                         .peer_left = on_left,
                                         .message = on_message,
                                         .closed = on_closed } };
    return pl_room_client_new(&me.room, me.loop, &conf);
}

static int run(int n_args, char **args)
{
    pl_factory_conf factory = { .loopback = true };
    if (!pl_ice_options_factory(&opt.ice, &pl_cmd_call, &factory) ||
        !pl_ice_options_connection(&opt.ice, &pl_cmd_call, &me.conf))
        return PL_EXIT_USAGE;
    me.wanted = n_args ? args[0] : NULL;
    me.give_up_us = pl_clock_us() + (int64_t)(opt.patience_s * 1e6);
    me.in = (pl_lines){ .fd = STDIN_FILENO, .line = on_line, .overlong = on_overlong };
    pl_room_choose_name(me.name, opt.name);
    pl_catch_signals(false);
    pl_err err = pl_loop_new(&me.loop, NULL);
    factory.loop = me.loop;
    if (!err)
        err = pl_factory_new(&me.factory, &factory);
    if (err)
        pl_complain(&pl_cmd_call, "no network, or a file of certificates that cannot be read");
    if (!err && (err = open_room()))
        pl_complain(&pl_cmd_call, "--server %s or the name \"%s\" cannot be used", opt.server, me.name);
    if (!err)
        loop_until_over();
    pl_room_leave(me.loop, me.room, &me.signed_in);
    pl_factory_free(me.factory);
    pl_loop_free(me.loop);
    pl_lines_clear(&me.in);
    if (err)
        return err == PL_EINVAL ? PL_EXIT_USAGE : PL_EXIT_FAILED;
    return me.failed ? PL_EXIT_FAILED : PL_EXIT_OK;
}

static const pl_opt options[] = {
    { "server", PL_OPT_TEXT, &opt.server, "URL",
      "The signaling server. Default: http://127.0.0.1:8888. http and https: the classic protocol, ws and "
      "wss: WebSocket.",
      0, 0 },
    { "name", PL_OPT_TEXT, &opt.name, "NAME", "How others see us. Default: peerline@HOST.", 0, 0 },
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
    { "json", PL_OPT_FLAG, &opt.json, NULL, "Print chat and reports as JSON lines.", 0, 0 },
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_call = {
    .name = "call",
    .summary = "call a peer through a server, or answer calls",
    .args = "[PEER]",
    .max_args = 1,
    .opts = options,
    .run = run,
    .details = "With PEER, waits for a peer of that name and calls it; without, answers whoever calls, one "
               "at a time. "
               "Lines typed are sent as chat; /bye hangs up, /quit ends. At the end of a call its report is "
               "printed: "
               "set-up by phase, path, bitrate, loss, jitter, frames, freezes, level.\n\n"
               "Exit status: 0 when the calls were good, 1 when one was not, 2 for a wrong option.",
};
