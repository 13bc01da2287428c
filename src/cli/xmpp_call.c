/* peerline xmpp call: calls an account, or rings when a contact calls, by Jingle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/call_session.h"
#include "cli/report.h"
#include "cli/xmpp_say.h"
#include "cli/xmpp_session.h"
#include "net/loop.h"
#include "session/words.h"
#include "signal/jingle_call.h"
#include "signal/xmpp_jingle.h"

enum { EARLY_MAX = 512 }; /* messages of a caller that is not answered yet */

typedef enum phase {
    FREE,
    DIALLING, /* the account is asked, no device has said yes */
    RINGING,
    AWAITED, /* we said yes to a proposal; the caller's description follows */
    TALKING  /* from the first description on */
} phase;

static struct {
    xmpp_session *s;
    pl_factory *factory;
    pl_configuration conf;
    pl_xmpp_jingle *x;
    pl_jingle_call *jingle;
    pl_call_session *call;
    phase phase;
    bool dialled, over, failed;
    char id[PL_JMI_ID_MAX + 1]; /* of the proposal, or "" */
    char peer[PL_JMI_JID_MAX + 1];
    char why[300]; /* why the call ended badly, "" when it did not */
    json_t *early; /* in order, as the words of rooms */
    int64_t give_up_us;
} phone = { .give_up_us = PL_NEVER };

static int64_t now(void)
{
    return pl_xmpp_client_now(phone.s->client);
}

/* ---- saying ---- */

static void note(const char *text)
{
    xmpp_event(phone.s, "progress", json_pack("{ss}", "text", text));
    if (!phone.s->json)
        pl_xmpp_print(stdout, "* %s", text);
}

static void note_of_peer(const char *event, const char *fmt, json_t *more)
{
    json_object_set_new(more, "from", json_string(phone.peer));
    xmpp_event(phone.s, event, more);
    if (!phone.s->json)
        pl_xmpp_print(stdout, fmt, phone.peer);
}

/* ---- the end of a call ---- */

static void over(const char *why)
{
    if (phone.over)
        return;
    phone.over = true;
    snprintf(phone.why, sizeof phone.why, "%s", why ? why : "");
}

static void print_report(void)
{
    const char *failure = phone.why[0]                             ? phone.why
                          : !pl_call_session_connected(phone.call) ? "the call ended before it was connected"
                                                                   : NULL;
    json_t *report = pl_call_session_report(phone.call, failure);
    phone.failed |= !pl_report_good(report);
    if (phone.s->json) {
        xmpp_event(phone.s, "report", report);
        return;
    }
    putchar('\n');
    pl_report_print(report, isatty(STDOUT_FILENO));
    json_decref(report);
    fflush(stdout);
}

/* Frees what the call was made of; who called, or was asked to answer once, leaves. */
static void finish_call(void)
{
    bool talked = phone.call != NULL;
    if (talked)
        print_report();
    else if (phone.why[0])
        xmpp_failed(phone.s, "call", phone.why);
    phone.failed |= !talked && phone.dialled;
    pl_jingle_call_free(phone.jingle, now());
    if (phone.id[0] && pl_xmpp_jingle_messages(phone.x))
        (void)!pl_jmi_finish(pl_xmpp_jingle_messages(phone.x), phone.id, PL_JINGLE_SUCCESS);
    pl_xmpp_jingle_run(phone.x);
    pl_call_session_free(phone.call);
    json_decref(phone.early);
    phone.call = NULL;
    phone.jingle = NULL;
    phone.early = NULL;
    phone.phase = FREE;
    phone.over = false;
    phone.id[0] = phone.why[0] = '\0';
    phone.give_up_us = PL_NEVER;
    if (phone.dialled || (xmpp_opt.once && talked))
        xmpp_finish(phone.s, phone.failed ? PL_EXIT_FAILED : PL_EXIT_OK);
}

/* ---- the call itself ---- */

static void said(pl_err err)
{
    if (err && err != PL_ESTATE)
        over("the call cannot be said in Jingle");
    pl_xmpp_jingle_run(phone.x);
}

static void call_describe(void *user, pl_sdp_type type, const char *sdp)
{
    (void)user;
    said(phone.jingle ? pl_jingle_call_describe(phone.jingle, now(), type, sdp) : PL_ESTATE);
}

static void call_candidate(void *user, const pl_ice_candidate *c)
{
    (void)user;
    said(phone.jingle ? pl_jingle_call_candidate(phone.jingle, now(), c) : PL_ESTATE);
}

static void call_hang_up(void *user)
{
    (void)user;
    said(phone.jingle ? pl_jingle_call_hang_up(phone.jingle, now()) : PL_ESTATE);
}

static void call_chat(void *user, const char *text, size_t len)
{
    char *z = malloc(len + 1);
    (void)user;
    if (!z)
        return;
    memcpy(z, text, len);
    z[len] = '\0';
    xmpp_event(phone.s, "chat", json_pack("{ss ss}", "from", phone.peer, "body", z));
    if (!phone.s->json)
        pl_xmpp_print(stdout, "%s: %s", phone.peer, z);
    free(z);
}

static void call_progress(void *user, const char *text)
{
    (void)user;
    note(text);
}

static void call_ended(void *user, const char *reason)
{
    (void)user;
    over(reason);
}

/* What the caller said before it was answered. */
static void say_again(const json_t *early)
{
    pl_words w;
    if (pl_words_read(&w, json_string_value(early), json_string_length(early)))
        return;
    if (w.kind == PL_WORDS_CANDIDATE)
        pl_call_session_trickled(phone.call, &w.cand);
    else
        pl_call_session_described(phone.call, w.kind == PL_WORDS_OFFER ? PL_SDP_OFFER : PL_SDP_ANSWER, w.sdp);
    pl_words_clear(&w);
}

static void start_call(bool caller)
{
    char why[256];
    pl_call_session_conf conf = { .factory = phone.factory,
                                  .connection = &phone.conf,
                                  .media = { .audio_source = xmpp_opt.audio,
                                             .video_source = xmpp_opt.video,
                                             .record_audio = xmpp_opt.record_audio,
                                             .record_video = xmpp_opt.record_video },
                                  .name = pl_xmpp_client_jid(phone.s->client)->text,
                                  .peer = phone.peer,
                                  .caller = caller,
                                  .patience_s = xmpp_opt.patience_s,
                                  .describe = call_describe,
                                  .candidate = call_candidate,
                                  .hang_up = call_hang_up,
                                  .chat = call_chat,
                                  .progress = call_progress,
                                  .ended = call_ended };
    phone.phase = TALKING;
    phone.give_up_us = PL_NEVER;
    if (pl_call_session_new(&phone.call, &conf, why, sizeof why)) {
        over(why[0] ? why : "the call cannot be made");
        return;
    }
    for (size_t i = 0; i < json_array_size(phone.early); i++)
        say_again(json_array_get(phone.early, i));
    json_decref(phone.early);
    phone.early = NULL;
}

/* ---- what Jingle says ---- */

/* Takes text. */
static void keep(char *text)
{
    if (!phone.early)
        phone.early = json_array();
    if (text && json_array_size(phone.early) < EARLY_MAX)
        json_array_append_new(phone.early, json_string(text));
    free(text);
}

static void on_description(void *user, pl_sdp_type type, const char *sdp)
{
    (void)user;
    if (phone.call)
        pl_call_session_described(phone.call, type, sdp);
    else
        keep(pl_words_description(type, sdp, NULL));
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    (void)user;
    if (phone.call)
        pl_call_session_trickled(phone.call, c);
    else
        keep(pl_words_candidate(c, NULL));
}

static void on_refused(void *user, pl_err err, const char *why)
{
    (void)user, (void)err;
    over(why);
}

static void on_note(void *user, const char *text)
{
    (void)user;
    note(text);
}

static void on_ended(void *user, pl_jingle_reason reason, const char *why)
{
    (void)user, (void)reason;
    if (phone.phase == RINGING)
        note_of_peer("missed", "* %s has given up", json_object());
    over(why[0] ? why : NULL);
}

static void join_session(pl_jingle_session *session, const char *sid)
{
    pl_jingle_call_conf conf = { .jingle = pl_xmpp_jingle_sessions(phone.x),
                                 .peer = phone.peer,
                                 .sid = sid,
                                 .session = session,
                                 .description = on_description,
                                 .candidate = on_candidate,
                                 .refused = on_refused,
                                 .note = on_note,
                                 .ended = on_ended };
    if (!conf.jingle || pl_jingle_call_new(&phone.jingle, &conf))
        over("the call cannot be made");
}

static bool may_ring(const char *jid)
{
    return xmpp_opt.anybody || (phone.s->roster && pl_roster_find(phone.s->roster, jid));
}

static void accept_call(void)
{
    pl_err err = PL_OK;
    if (phone.jingle) {
        start_call(false);
    } else {
        err = pl_jmi_proceed(pl_xmpp_jingle_messages(phone.x), phone.id);
        phone.phase = AWAITED;
        phone.give_up_us = pl_clock_us() + (int64_t)(xmpp_opt.patience_s * 1e6);
    }
    xmpp_try(phone.s, "accept", err);
    pl_xmpp_jingle_run(phone.x);
}

static void decline_call(void)
{
    if (phone.jingle && pl_jingle_call_session(phone.jingle))
        (void)!pl_jingle_terminate(pl_jingle_call_session(phone.jingle), now(), PL_JINGLE_DECLINE, NULL,
                                   NULL);
    else if (phone.id[0])
        (void)!pl_jmi_reject(pl_xmpp_jingle_messages(phone.x), phone.id, PL_JINGLE_DECLINE);
    phone.id[0] = '\0'; /* nothing came of it that could be finished */
    pl_xmpp_jingle_run(phone.x);
    over(NULL);
}

static void ring(bool audio, bool video, bool data)
{
    phone.phase = RINGING;
    note_of_peer("ringing", "* %s calls: /accept or /decline",
                 json_pack("{sb sb sb}", "audio", audio, "video", video, "data", data));
    if (xmpp_opt.answer)
        accept_call();
}

/* A session without a proposal before it: from a client that does not know them, or to this very device. */
static void on_direct(const pl_jingle_event *e)
{
    bool rings = may_ring(pl_jingle_peer(e->session));
    bool busy = phone.phase != FREE || phone.dialled;
    if (!rings) {
        (void)!pl_jingle_ignore(e->session, now());
        return;
    }
    if (pl_jingle_admit(e->session, now()))
        return;
    if (busy) {
        (void)!pl_jingle_terminate(e->session, now(), PL_JINGLE_BUSY, NULL, NULL);
        return;
    }
    snprintf(phone.peer, sizeof phone.peer, "%s", pl_jingle_peer(e->session));
    join_session(e->session, NULL);
    if (!phone.jingle)
        return;
    pl_jingle_call_event(phone.jingle, now(), e);
    if (phone.over)
        return;
    (void)!pl_jingle_tell(e->session, now(), PL_JINGLE_RINGING, NULL);
    ring(true, true, false);
}

static void on_session(void *user, const pl_jingle_event *e)
{
    (void)user;
    bool awaited = e->kind == PL_JINGLE_INCOMING && phone.phase == AWAITED &&
                   strcmp(pl_jingle_sid(e->session), phone.id) == 0 &&
                   strcmp(pl_jingle_peer(e->session), phone.peer) == 0;
    if (e->kind == PL_JINGLE_INCOMING && !awaited) {
        on_direct(e);
        return;
    }
    if (awaited) {
        if (pl_jingle_admit(e->session, now()))
            return;
        join_session(e->session, NULL);
        if (!phone.over)
            start_call(false);
    }
    if (phone.jingle)
        pl_jingle_call_event(phone.jingle, now(), e);
}

/* ---- what proposals say ---- */

static void on_proposed(const pl_jmi_event *e)
{
    pl_jmi *m = pl_xmpp_jingle_messages(phone.x);
    if (!may_ring(e->from)) {
        (void)!pl_jmi_ignore(m, e->id);
        return;
    }
    if (phone.phase != FREE || phone.dialled) {
        (void)!pl_jmi_reject(m, e->id, PL_JINGLE_BUSY);
        return;
    }
    snprintf(phone.id, sizeof phone.id, "%s", e->id);
    snprintf(phone.peer, sizeof phone.peer, "%s", e->from);
    (void)!pl_jmi_ring(m, e->id);
    ring(e->audio, e->video, e->data);
}

static void proceed(const char *device)
{
    snprintf(phone.peer, sizeof phone.peer, "%s", device);
    join_session(NULL, phone.id);
    if (!phone.over)
        start_call(true);
}

static void on_proposal(void *user, const pl_jmi_event *e)
{
    (void)user;
    if (e->kind == PL_JMI_INCOMING) {
        on_proposed(e);
        return;
    }
    if (strcmp(e->id, phone.id) != 0)
        return;
    switch (e->kind) {
    case PL_JMI_RINGING: note("it rings there"); break;
    case PL_JMI_PROCEED:
        if (phone.phase == DIALLING)
            proceed(e->from);
        break;
    case PL_JMI_REJECTED: over(e->reason == PL_JINGLE_BUSY ? "they are busy" : "they do not want it"); break;
    case PL_JMI_FAILED: over("there is no such account, or it takes no calls"); break;
    case PL_JMI_EXPIRED:
    case PL_JMI_RETRACTED:
    case PL_JMI_TAKEN:
        if (phone.phase == DIALLING) {
            over("nobody answers");
        } else if (phone.phase == RINGING || phone.phase == AWAITED) {
            note_of_peer("missed",
                         e->kind == PL_JMI_TAKEN ? "* another device has dealt with %s" : "* %s has given up",
                         json_pack("{sb}", "taken", e->kind == PL_JMI_TAKEN));
            phone.id[0] = '\0';
            over(NULL);
        }
        break;
    default: break;
    }
}

/* The best device that can be called and does not know proposals, so that it would not ring. NULL: others know them, or what
 * they know is not known yet. */
static const char *device_without_proposals(void)
{
    const char *best = NULL;
    for (const pl_device *d = pl_presence_next(phone.s->presence, phone.peer, NULL); d;
         d = pl_presence_next(phone.s->presence, phone.peer, d)) {
        if (pl_caps_can(phone.s->caps, d->jid, PL_NS_JINGLE_MESSAGE) != PL_CAN_NOT)
            return NULL;
        if (!best && pl_caps_can(phone.s->caps, d->jid, PL_NS_JINGLE_RTP) == PL_CAN)
            best = d->jid;
    }
    return best;
}

/* What contacts can comes after we have signed in, and dialled. */
static void call_without_proposal(void)
{
    const char *device = phone.phase == DIALLING ? device_without_proposals() : NULL;
    if (!device)
        return;
    (void)!pl_jmi_retract(pl_xmpp_jingle_messages(phone.x), phone.id, PL_JINGLE_CANCEL);
    phone.id[0] = '\0';
    snprintf(phone.peer, sizeof phone.peer, "%s", device);
    join_session(NULL, NULL);
    if (!phone.over)
        start_call(true);
    pl_xmpp_jingle_run(phone.x);
}

/* ---- the action ---- */

static void dial(void)
{
    const char *to = phone.s->args[0];
    pl_jid jid;
    if (pl_jid_parse(&jid, pl_str_of(to))) {
        xmpp_failed(phone.s, to, "is no address");
        xmpp_finish(phone.s, PL_EXIT_USAGE);
        return;
    }
    phone.dialled = true;
    snprintf(phone.peer, sizeof phone.peer, "%s", jid.text);
    xmpp_event(phone.s, "calling", json_pack("{ss}", "to", jid.text));
    if (!phone.s->json)
        pl_xmpp_print(stdout, "* calling %s", jid.text);
    if (jid.resource_n) {
        join_session(NULL, NULL);
        if (!phone.over)
            start_call(true);
    } else {
        bool audio = strcmp(xmpp_opt.audio, "none") != 0, video = strcmp(xmpp_opt.video, "none") != 0;
        phone.phase = DIALLING;
        phone.give_up_us = pl_clock_us() + (int64_t)(xmpp_opt.patience_s * 1e6);
        if (!pl_xmpp_jingle_messages(phone.x) ||
            pl_jmi_propose(pl_xmpp_jingle_messages(phone.x), now(), jid.text, audio || !video, video, true,
                           phone.id))
            over("the call cannot be proposed");
    }
    pl_xmpp_jingle_run(phone.x);
}

static void call_begin(xmpp_session *s)
{
    pl_factory_conf factory = { .loop = s->loop, .loopback = true };
    pl_xmpp_jingle_conf jingle = { .client = s->client, .session = on_session, .proposal = on_proposal };
    phone.s = s;
    xmpp_opt.ice.ca_file = xmpp_opt.ca_file;
    bool well = pl_ice_options_factory(&xmpp_opt.ice, s->cmd, &factory) &&
                pl_ice_options_connection(&xmpp_opt.ice, s->cmd, &phone.conf);
    if (!well || pl_factory_new(&phone.factory, &factory) || pl_xmpp_jingle_new(&phone.x, &jingle)) {
        if (well)
            xmpp_failed(s, "call", "no network, or a file of certificates that cannot be read");
        s->code = well ? PL_EXIT_FAILED : PL_EXIT_USAGE;
        s->closed = true;
        return;
    }
    for (const char *const *f = pl_xmpp_jingle_features(); *f; f++)
        xmpp_try(s, "service discovery", pl_disco_add(s->disco, *f));
}

static void call_opened(xmpp_session *s, bool again)
{
    if (s->n_args > 0 && !again && !phone.dialled)
        dial();
    else if (s->n_args == 0 && !again && !s->json)
        pl_xmpp_print(stdout, "* waiting for calls");
}

static void hang_up(void)
{
    if (phone.call) {
        pl_call_session_hang_up(phone.call);
    } else if (phone.phase == DIALLING) {
        (void)!pl_jmi_retract(pl_xmpp_jingle_messages(phone.x), phone.id, PL_JINGLE_CANCEL);
        phone.id[0] = '\0';
        over("given up");
    } else if (phone.phase != FREE) {
        decline_call();
    }
    pl_xmpp_jingle_run(phone.x);
}

static void say(const char *text)
{
    if (!phone.call || !pl_call_session_say(phone.call, text))
        xmpp_failed(phone.s, "chat", "nobody hears: there is no open chat");
}

static void answer_with(bool yes)
{
    if (phone.phase != RINGING)
        xmpp_failed(phone.s, yes ? "accept" : "decline", "nobody calls");
    else if (yes)
        accept_call();
    else
        decline_call();
}

static void call_line(xmpp_session *s, char *text)
{
    if (strcmp(text, "/accept") == 0 || strcmp(text, "/decline") == 0)
        answer_with(text[1] == 'a');
    else if (strcmp(text, "/bye") == 0)
        hang_up();
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
    int64_t at_us = phone.give_up_us;
    if (phone.x)
        at_us = pl_min_us(at_us, pl_xmpp_jingle_next_us(phone.x));
    if (phone.jingle)
        at_us = pl_min_us(at_us, pl_jingle_call_next_us(phone.jingle));
    if (phone.call) {
        at_us = pl_min_us(at_us, pl_call_session_deadline_us(phone.call));
        if (xmpp_opt.duration_s > 0 && pl_call_session_connected(phone.call))
            at_us = pl_min_us(
                at_us,
                pl_clock_us() + (int64_t)((xmpp_opt.duration_s - pl_call_session_seconds(phone.call)) * 1e6));
    }
    return phone.over ? pl_clock_us() : at_us;
}

static void call_turned(xmpp_session *s)
{
    if (s->finishing || !phone.x)
        return;
    call_without_proposal();
    if (phone.jingle)
        pl_jingle_call_tick(phone.jingle, now());
    pl_xmpp_jingle_run(phone.x);
    if (phone.call && !phone.over && xmpp_opt.duration_s > 0 &&
        pl_call_session_seconds(phone.call) >= xmpp_opt.duration_s)
        hang_up();
    if (phone.call && !phone.over && pl_clock_us() >= pl_call_session_deadline_us(phone.call))
        over("no connection in time");
    if (!phone.over && pl_clock_us() >= phone.give_up_us) {
        if (phone.phase == DIALLING)
            hang_up();
        over("nobody answers");
    }
    if (phone.over)
        finish_call();
}

/* Somebody wants to leave: the peer hears of it while the account is still signed in. */
static void call_finishing(xmpp_session *s)
{
    (void)s;
    if (phone.phase == FREE || !phone.x)
        return;
    hang_up();
    finish_call();
}

static void call_end(xmpp_session *s)
{
    (void)s;
    pl_jingle_call_free(phone.jingle, phone.s ? now() : 0);
    pl_xmpp_jingle_free(phone.x);
    pl_call_session_free(phone.call);
    json_decref(phone.early);
    pl_factory_free(phone.factory);
}

/* It asks for the roster, whose contacts may ring, and hears when it is there. */
static void call_loaded(xmpp_session *s)
{
    (void)s;
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
