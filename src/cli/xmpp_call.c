/* peerline xmpp call: calls an account, or rings when a contact calls, beside whatever else the account is there for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/report.h"
#include "cli/talk.h"
#include "cli/xmpp_say.h"
#include "cli/xmpp_session.h"
#include "net/loop.h"
#include "session/account.h"

static struct {
    xmpp_session *s;
    pl_factory *factory;
    pl_configuration conf; /* from the options */
    pl_signaling *way;
    pl_session *caller; /* rings, and waits for a decision */
    pl_talk *talk;
    bool dialled, over, failed;
    char why[PL_SESSION_WHY_MAX]; /* why the call ended badly, "" when it did not */
} phone;

/* ---- saying ---- */

static void note(const char *text)
{
    xmpp_event(phone.s, "progress", json_pack("{ss}", "text", text));
    if (!phone.s->json)
        pl_xmpp_print(stdout, "* %s", text);
}

static void note_of_caller(const char *event, const char *fmt, json_t *more)
{
    const char *from = pl_session_peer_address(phone.caller);
    json_object_set_new(more, "from", json_string(from));
    xmpp_event(phone.s, event, more);
    if (!phone.s->json)
        pl_xmpp_print(stdout, fmt, from);
}

/* ---- the call ---- */

static void talk_chat(void *user, const char *text, size_t len)
{
    (void)user;
    const char *from = pl_talk_peer_address(phone.talk);
    char *z = strndup(text, len);
    if (!z)
        return;
    xmpp_event(phone.s, "chat", json_pack("{ss ss}", "from", from, "body", z));
    if (!phone.s->json)
        pl_xmpp_print(stdout, "%s: %s", from, z);
    free(z);
}

static void talk_progress(void *user, const char *text)
{
    (void)user;
    note(text);
}

static void talk_ended(void *user, const char *reason)
{
    (void)user;
    phone.over = true;
    snprintf(phone.why, sizeof phone.why, "%s", reason ? reason : "");
}

static bool begin_talk(void)
{
    char why[PL_SESSION_WHY_MAX];
    const pl_talk_conf conf = { .factory = phone.factory,
                                .connection = &phone.conf,
                                .media = { .audio_source = xmpp_opt.audio,
                                           .video_source = xmpp_opt.video,
                                           .record_audio = xmpp_opt.record_audio,
                                           .record_video = xmpp_opt.record_video },
                                .way = PL_TALK_BOTH,
                                .kind = { [PL_AUDIO] = true, [PL_VIDEO] = true },
                                .name = pl_xmpp_client_jid(phone.s->client)->text,
                                .patience_s = xmpp_opt.patience_s,
                                .chat = talk_chat,
                                .progress = talk_progress,
                                .ended = talk_ended };
    phone.over = false;
    phone.why[0] = '\0';
    if (!pl_talk_new(&phone.talk, &conf, why, sizeof why))
        return true;
    xmpp_failed(phone.s, "call", why[0] ? why : "the call cannot be made");
    phone.failed = true;
    return false;
}

static void print_report(void)
{
    const char *failure = phone.why[0]                     ? phone.why
                          : !pl_talk_connected(phone.talk) ? "the call ended before it was connected"
                                                           : NULL;
    json_t *report = pl_talk_report(phone.talk, failure);
    phone.failed |= !report || !pl_report_good(report);
    if (!report) {
        xmpp_failed(phone.s, "call", failure);
    } else if (phone.s->json) {
        xmpp_event(phone.s, "report", report);
    } else {
        putchar('\n');
        pl_report_print(report, isatty(STDOUT_FILENO));
        json_decref(report);
        fflush(stdout);
    }
}

/* Who called, or was asked to answer once, leaves. */
static void finish_call(void)
{
    print_report();
    pl_talk_free(phone.talk);
    phone.talk = NULL;
    phone.over = false;
    if (phone.dialled || xmpp_opt.once)
        xmpp_finish(phone.s, phone.failed ? PL_EXIT_FAILED : PL_EXIT_OK);
}

/* ---- being called ---- */

static void drop_caller(void)
{
    pl_session_free(phone.caller);
    phone.caller = NULL;
}

static void accept_call(void)
{
    pl_session *s = phone.caller;
    if (!begin_talk()) {
        drop_caller();
        return;
    }
    const pl_session_observer observer = pl_talk_observer(phone.talk);
    phone.caller = NULL;
    pl_talk_join(phone.talk, s);
    pl_session_set_observer(s, &observer);
    if (pl_session_accept(s))
        pl_talk_give_up(phone.talk, "the call cannot be taken");
}

static void decline_call(void)
{
    pl_session_reject(phone.caller, PL_SESSION_DECLINED);
    drop_caller();
}

/* They have given up, or another device of ours has dealt with it. */
static void on_missed(void *user, pl_session_reason reason, const char *why)
{
    bool taken = reason == PL_SESSION_ELSEWHERE;
    (void)user, (void)why;
    note_of_caller("missed", taken ? "* another device has dealt with %s" : "* %s has given up",
                   json_pack("{sb}", "taken", taken));
    drop_caller();
}

/* One call at a time: a second caller hears that we are busy. */
static void on_call(void *user, pl_session *s)
{
    static const pl_session_observer ringing = { .on_ended = on_missed };
    (void)user;
    if (phone.talk && pl_talk_crosses(phone.talk, s)) {
        pl_talk_free(phone.talk);
        phone.talk = NULL;
        phone.caller = s;
        accept_call();
        return;
    }
    if (phone.caller || phone.talk || phone.dialled || phone.s->finishing) {
        pl_session_reject(s, PL_SESSION_BUSY);
        pl_session_free(s);
        return;
    }
    phone.caller = s;
    pl_session_set_observer(s, &ringing);
    xmpp_try(phone.s, "ring", pl_session_ring(s));
    note_of_caller(
        "ringing", "* %s calls: /accept or /decline",
        json_pack("{sb sb}", "audio", pl_session_wants(s, PL_AUDIO), "video", pl_session_wants(s, PL_VIDEO)));
    if (xmpp_opt.answer)
        accept_call();
}

/* ---- the action ---- */

static bool is_there(const char *source)
{
    return strcmp(source, "none") != 0;
}

static void dial(void)
{
    const pl_session_conf conf = { .to = phone.s->args[0],
                                   .audio = is_there(xmpp_opt.audio),
                                   .video = is_there(xmpp_opt.video),
                                   .data = true };
    pl_session *s;
    phone.dialled = true;
    xmpp_event(phone.s, "calling", json_pack("{ss}", "to", conf.to));
    if (!phone.s->json)
        pl_xmpp_print(stdout, "* calling %s", conf.to);
    if (!begin_talk()) {
        xmpp_finish(phone.s, PL_EXIT_FAILED);
        return;
    }
    const pl_session_observer observer = pl_talk_observer(phone.talk);
    pl_err err = pl_session_call(&s, phone.way, &conf, &observer);
    if (!err) {
        pl_talk_join(phone.talk, s);
        return;
    }
    pl_talk_free(phone.talk);
    phone.talk = NULL;
    xmpp_failed(phone.s, conf.to, err == PL_EINVAL ? "is no address" : "cannot be called");
    xmpp_finish(phone.s, err == PL_EINVAL ? PL_EXIT_USAGE : PL_EXIT_FAILED);
}

static void on_way_note(void *user, const char *text)
{
    (void)user;
    note(text);
}

static void call_begin(xmpp_session *s)
{
    pl_factory_conf factory = { .loop = s->loop, .loopback = true };
    const pl_session_account account = { .connection = s->connection,
                                         .disco = s->disco,
                                         .caps = s->caps,
                                         .roster = s->roster,
                                         .presence = s->presence };
    const pl_signaling_observer observer = { .on_call = on_call, .on_note = on_way_note };
    phone.s = s;
    xmpp_opt.ice.ca_file = xmpp_opt.ca_file;
    bool well = pl_ice_options_factory(&xmpp_opt.ice, s->cmd, &factory) &&
                pl_ice_options_connection(&xmpp_opt.ice, s->cmd, &phone.conf);
    if (well && !pl_factory_new(&phone.factory, &factory) &&
        !pl_signaling_open_account(&phone.way, s->loop, &account, xmpp_opt.anybody, &observer))
        return;
    if (well)
        xmpp_failed(s, "call", "no network, or a file of certificates that cannot be read");
    s->code = well ? PL_EXIT_FAILED : PL_EXIT_USAGE;
    s->closed = true;
}

static void call_opened(xmpp_session *s, bool again)
{
    if (s->n_args > 0 && !again)
        dial();
    else if (s->n_args == 0 && !again && !s->json)
        pl_xmpp_print(stdout, "* waiting for calls");
}

static void call_loaded(xmpp_session *s, bool known)
{
    (void)s, (void)known;
    pl_signaling_account_ready(phone.way);
}

static void hang_up(void)
{
    if (phone.caller)
        decline_call();
    else if (phone.talk && pl_talk_reached(phone.talk))
        pl_talk_hang_up(phone.talk);
    else if (phone.talk)
        pl_talk_give_up(phone.talk, "given up");
}

static void say(const char *text)
{
    if (!phone.talk || !pl_talk_say(phone.talk, text))
        xmpp_failed(phone.s, "chat", "nobody hears: there is no open chat");
}

static void answer_with(bool yes)
{
    if (!phone.caller)
        xmpp_failed(phone.s, yes ? "accept" : "decline", "nobody calls");
    else if (yes)
        accept_call();
    else
        decline_call();
}

static void restart(void)
{
    if (phone.talk)
        pl_talk_restart(phone.talk);
}

static void call_line(xmpp_session *s, char *text)
{
    if (strcmp(text, "/accept") == 0 || strcmp(text, "/decline") == 0)
        answer_with(text[1] == 'a');
    else if (strcmp(text, "/bye") == 0)
        hang_up();
    else if (strcmp(text, "/restart") == 0)
        restart();
    else if (strcmp(text, "/quit") == 0)
        xmpp_finish(s, phone.failed ? PL_EXIT_FAILED : PL_EXIT_OK);
    else
        say(text);
}

static void call_command(xmpp_session *s, const char *word, const json_t *all)
{
    const char *body;
    if (strcmp(word, "accept") == 0 || strcmp(word, "decline") == 0)
        answer_with(word[0] == 'a');
    else if (strcmp(word, "hang-up") == 0)
        hang_up();
    else if (strcmp(word, "restart") == 0)
        restart();
    else if (strcmp(word, "say") != 0)
        xmpp_failed(s, word, "is no command");
    else if ((body = xmpp_wants(s, all, "body")))
        say(body);
}

/* A call goes on without input. */
static void call_input_ended(xmpp_session *s)
{
    (void)s;
}

static int64_t call_due_us(xmpp_session *s)
{
    (void)s;
    if (!phone.talk)
        return PL_NEVER;
    if (phone.over)
        return pl_clock_us();
    if (xmpp_opt.duration_s > 0 && pl_talk_connected(phone.talk))
        return pl_clock_us() + (int64_t)((xmpp_opt.duration_s - pl_talk_seconds(phone.talk)) * 1e6);
    return pl_talk_deadline_us(phone.talk);
}

static void call_turned(xmpp_session *s)
{
    if (s->finishing || !phone.talk)
        return;
    if (!phone.over && xmpp_opt.duration_s > 0 && pl_talk_seconds(phone.talk) >= xmpp_opt.duration_s)
        pl_talk_hang_up(phone.talk);
    if (!phone.over && pl_clock_us() >= pl_talk_deadline_us(phone.talk))
        pl_talk_give_up(phone.talk, pl_talk_reached(phone.talk) ? "no connection in time" : "nobody answers");
    if (phone.over)
        finish_call();
}

/* Somebody wants to leave: the peer hears of it while the account is still signed in. */
static void call_finishing(xmpp_session *s)
{
    (void)s;
    hang_up();
    if (phone.talk)
        finish_call();
}

static void call_end(xmpp_session *s)
{
    (void)s;
    pl_session_free(phone.caller);
    pl_talk_free(phone.talk);
    pl_signaling_free(phone.way);
    pl_factory_free(phone.factory);
}

const xmpp_action xmpp_call = { .seen = true,
                                .begin = call_begin,
                                .end = call_end,
                                .opened = call_opened,
                                .loaded = call_loaded,
                                .line = call_line,
                                .command = call_command,
                                .input_ended = call_input_ended,
                                .due_us = call_due_us,
                                .turned = call_turned,
                                .finishing = call_finishing };
