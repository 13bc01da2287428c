#include "cli/whip_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "cli/lines.h"
#include "cli/process.h"
#include "cli/report.h"
#include "cli/talk.h"
#include "cli/token.h"
#include "crypto/hmac.h"
#include "net/loop.h"
#include "peerline/session.h"
#include "signal/whip_url.h"

static struct {
    const pl_whip_command *c;
    pl_loop *loop;
    pl_factory *factory;
    pl_configuration conf;
    pl_signaling *way;
    pl_talk *talk;
    pl_lines in;
    char token[PL_TOKEN_BYTES];
    bool ended, closed;
    char why[PL_SESSION_WHY_MAX];
} me;

/* ---- words ---- */

static void note(const char *text)
{
    if (me.c->opt->json)
        pl_lines_print(json_pack("{ss ss}", "type", "note", "text", text));
    else
        printf("* %s\n", text);
    fflush(stdout);
}

static void on_progress(void *user, const char *text)
{
    (void)user;
    note(text);
}

static void on_ended(void *user, const char *reason)
{
    (void)user;
    me.ended = true;
    snprintf(me.why, sizeof me.why, "%s", reason ? reason : "");
}

static void on_link(void *user, pl_signaling_link link, pl_err err, const char *text, bool again)
{
    (void)user, (void)err, (void)text;
    me.closed = link == PL_LINK_CLOSED && !again;
}

/* There is no channel that could say something. */
static void on_chat(void *user, const char *text, size_t len)
{
    (void)user, (void)text, (void)len;
}

/* ---- the run ---- */

static void on_line(void *user, char *text, size_t len)
{
    (void)user, (void)len;
    if (strcmp(text, "/restart") == 0)
        pl_talk_restart(me.talk);
    else if (strcmp(text, "/quit") == 0)
        pl_tell_to_stop();
    else
        note("/restart restarts ICE, /quit ends");
}

static void on_overlong(void *user)
{
    (void)user;
}

static int64_t left_us(void)
{
    int64_t at_us = pl_talk_deadline_us(me.talk);
    double seconds = me.c->opt->seconds;
    if (seconds > 0 && pl_talk_connected(me.talk))
        at_us = pl_clock_us() + (int64_t)((seconds - pl_talk_seconds(me.talk)) * 1e6);
    return pl_max_us(pl_min_us(at_us - pl_clock_us(), PL_MS(500)), 0);
}

static void wait_for_end(void)
{
    double seconds = me.c->opt->seconds;
    while (!me.ended && !pl_told_to_stop()) {
        if (!pl_lines_wait(&me.in, me.loop, left_us()))
            break;
        if (seconds > 0 && pl_talk_seconds(me.talk) >= seconds)
            break;
        if (pl_clock_us() >= pl_talk_deadline_us(me.talk) && !me.ended)
            on_ended(NULL, "no connection in time");
    }
}

/* Once it is over the server hears so; a second signal does not wait for that. */
static void say_end(void)
{
    int told = pl_told_to_stop();
    int64_t until_us = pl_clock_us() + PL_SEC(5);
    pl_talk_hang_up(me.talk);
    pl_signaling_close(me.way);
    while (!me.closed && pl_told_to_stop() <= told && pl_clock_us() < until_us)
        (void)pl_loop_run_once(me.loop, PL_MS(100));
}

static bool print_report(bool connected)
{
    const char *failure = me.why[0] ? me.why : connected ? NULL : "it ended before it was connected";
    json_t *report = pl_talk_report(me.talk, failure);
    bool good = report && pl_report_good(report);
    if (!report && !me.c->opt->json)
        pl_complain(me.c->cmd, "%s", failure ? failure : "there was no session");
    if (!report)
        report =
            json_pack("{ss ss ss sb ss}", "type", "report", "name", me.c->play ? "play" : "publish", "peer",
                      me.c->url, "good", 0, "reason", failure ? failure : "there was no session");
    else if (!me.c->opt->json)
        pl_report_print(report, isatty(STDOUT_FILENO));
    if (me.c->opt->json)
        pl_lines_print(report);
    else
        json_decref(report);
    return good;
}

static bool dial(void)
{
    const pl_session_observer observer = pl_talk_observer(me.talk);
    pl_session *s;
    if (pl_session_call(&s, me.way, NULL, &observer)) {
        pl_complain(me.c->cmd, "out of memory");
        return false;
    }
    pl_talk_join(me.talk, s);
    return true;
}

static bool begin(void)
{
    char url[PL_WHIP_URL_MAX + 8], error[PL_SESSION_WHY_MAX];
    const pl_talk_conf talk = { .factory = me.factory,
                                .connection = &me.conf,
                                .media = me.c->media,
                                .way = me.c->play ? PL_TALK_RECEIVE : PL_TALK_SEND,
                                .kind = { me.c->kind[0], me.c->kind[1] },
                                .name = me.c->play ? "play" : "publish",
                                .patience_s = me.c->opt->patience_s,
                                .chat = on_chat,
                                .progress = on_progress,
                                .ended = on_ended };
    const pl_signaling_observer observer = { .on_link = on_link };
    const pl_signaling_conf conf = { .url = url,
                                     .token = me.token[0] ? me.token : NULL,
                                     .ca_file = me.c->opt->ice.ca_file,
                                     .no_options = me.c->opt->no_options,
                                     .patience_us = (int64_t)(me.c->opt->patience_s * 1e6) };
    snprintf(url, sizeof url, "%s:%s", me.c->play ? "whep" : "whip", me.c->url);
    if (pl_talk_new(&me.talk, &talk, error, sizeof error) ||
        pl_signaling_open(&me.way, me.loop, &conf, &observer, error, sizeof error)) {
        pl_complain(me.c->cmd, "%s", error);
        return false;
    }
    return dial();
}

static bool hold_session(void)
{
    bool good = false;
    if (begin()) {
        wait_for_end();
        good = print_report(pl_talk_connected(me.talk));
        say_end();
    }
    pl_talk_free(me.talk);
    pl_signaling_free(me.way);
    return good;
}

/* The relays of "relay alone" may be those that the endpoint names. */
static bool read_ice(pl_factory_conf *factory)
{
    pl_ice_options *ice = &me.c->opt->ice;
    const char *policy = ice->policy;
    ice->policy = NULL;
    bool ok = pl_ice_options_factory(ice, me.c->cmd, factory) &&
              pl_ice_options_connection(ice, me.c->cmd, &me.conf);
    if (policy && strcmp(policy, "relay") == 0)
        me.conf.ice_transport_policy = PL_ICE_TRANSPORT_RELAY;
    return ok;
}

int pl_whip_command_run(const pl_whip_command *c)
{
    pl_factory_conf factory = { .loopback = true };
    bool good = false;
    me.c = c;
    me.in = (pl_lines){ .fd = STDIN_FILENO, .line = on_line, .overlong = on_overlong };
    if (!pl_whip_url_ok(c->url)) {
        pl_complain(c->cmd, "an http or https address is wanted, not '%s'", c->url);
        return PL_EXIT_USAGE;
    }
    if (!read_ice(&factory) || !pl_token_find(c->cmd, c->opt->token_file, c->opt->ask_token, me.token))
        return PL_EXIT_USAGE;
    pl_catch_signals(false);
    pl_err err = pl_loop_new(&me.loop, NULL);
    factory.loop = me.loop;
    if (!err)
        err = pl_factory_new(&me.factory, &factory);
    if (err)
        pl_complain(c->cmd, "no network, or a file of certificates that cannot be read");
    else
        good = hold_session();
    pl_factory_free(me.factory);
    pl_loop_free(me.loop);
    pl_lines_clear(&me.in);
    pl_wipe(me.token, sizeof me.token);
    return good ? PL_EXIT_OK : PL_EXIT_FAILED;
}
