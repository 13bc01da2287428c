/* From options to a session, and what all actions do alike. */
#include "cli/xmpp_session.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/process.h"
#include "cli/xmpp_password.h"
#include "cli/xmpp_say.h"
#include "crypto/hmac.h"
#include "net/loop.h"

enum { CLOSE_S = 4, TURN_US = 500000 };

/* ---- saying ---- */

void xmpp_event(xmpp_session *s, const char *name, json_t *more)
{
    json_t *o = s->json ? json_pack("{ss}", "event", name) : NULL;
    if (o && more)
        json_object_update(o, more);
    if (o)
        pl_lines_print(o);
    json_decref(more);
}

void xmpp_failed(xmpp_session *s, const char *what, const char *why)
{
    if (s->json)
        xmpp_event(s, "error", json_pack("{ss ss}", "what", what, "why", why));
    else
        pl_xmpp_print(stderr, "peerline xmpp: %s: %s", what, why);
}

void xmpp_try(xmpp_session *s, const char *what, pl_err err)
{
    if (err == PL_EINVAL)
        xmpp_failed(s, what, "that is no address, or a value out of its range");
    else if (err == PL_ESTATE)
        xmpp_failed(s, what, "not now: there is no session, or we are not in the room");
    else if (err)
        xmpp_failed(s, what, pl_err_str(err));
}

const char *xmpp_wants(xmpp_session *s, const json_t *all, const char *name)
{
    const char *text = json_string_value(json_object_get(all, name));
    if (!text)
        xmpp_failed(s, name, "is missing in the command, or no text");
    return text;
}

json_t *xmpp_message_json(const pl_message *m)
{
    static const char *const carbon[] = { NULL, "received", "sent" };
    json_t *o = json_pack("{ss}", "type", pl_message_type_str(m->type));
    pl_xmpp_member(o, "from", m->from);
    pl_xmpp_member(o, "to", m->to);
    pl_xmpp_member(o, "id", m->id);
    pl_xmpp_member(o, "thread", m->thread);
    pl_xmpp_member(o, "subject", m->subject);
    pl_xmpp_member(o, "body", m->body);
    pl_xmpp_member(o, "stamp", m->stamp);
    pl_xmpp_member(o, "error", m->error);
    pl_xmpp_member(o, "carbon", carbon[m->carbon]);
    return o;
}

void xmpp_finish(xmpp_session *s, int code)
{
    if (s->finishing)
        return;
    s->finishing = true;
    s->ready = false;
    s->code = code == PL_EXIT_OK && s->failed ? PL_EXIT_FAILED : code;
    if (s->action->finishing)
        s->action->finishing(s);
    pl_xmpp_connection_close(s->connection);
}

/* ---- troubles ---- */

static const char *advice(pl_xmpp_fault fault)
{
    switch (fault) {
    case PL_XMPP_BAD_CERTIFICATE:
        return "the server's certificate must be for the domain of the address and by an authority that is "
               "trusted; "
               "--ca-file FILE names another authority (PEM)";
    case PL_XMPP_NOT_AUTHORIZED:
        return "the password is wrong, or there is no such account; 'peerline xmpp login --register' makes "
               "one "
               "where the server lets anybody";
    case PL_XMPP_UNREACHABLE: return "--host and --port say where the server is when DNS does not";
    case PL_XMPP_NO_TLS: return "--insecure goes on without TLS, for a server on this machine";
    case PL_XMPP_NO_MECHANISM: return "the server offers no SCRAM, and a password is not sent as it is";
    case PL_XMPP_UNPROVEN: return "somebody may stand between here and the server: do not log in";
    case PL_XMPP_REPLACED: return "the same resource signed in elsewhere; --resource takes another";
    default: return NULL;
    }
}

static void on_trouble(void *user, pl_xmpp_fault fault, const char *why, bool again, int64_t in_us)
{
    xmpp_session *s = user;
    const char *hint = advice(fault);
    again = again && s->was_opened; /* who has never been in would wait for a mistake of his own to pass */
    if (s->json) {
        json_t *o = json_pack("{ss ss sb}", "fault", pl_xmpp_fault_str(fault), "why", why, "again", again);
        if (again)
            json_object_set_new(o, "in_seconds", json_real((double)in_us / 1e6));
        xmpp_event(s, "trouble", o);
    } else {
        pl_xmpp_print(stderr, again ? "peerline xmpp: %s; trying again" : "peerline xmpp: %s", why);
        if (hint && !again)
            pl_xmpp_print(stderr, "  %s", hint);
    }
    if (!again) {
        s->code = PL_EXIT_FAILED;
        s->closed = true;
    }
}

/* ---- what features tell ---- */

static void on_state(void *user, pl_xmpp_state state, bool resumed)
{
    xmpp_session *s = user;
    if (state == PL_XMPP_CLOSED)
        s->closed = true;
    if (state != PL_XMPP_OPENED)
        return;
    bool again = s->was_opened;
    const char *security = pl_xmpp_connection_security(s->connection);
    s->was_opened = true;
    if (!s->action->no_input)
        s->ready = !s->finishing;
    xmpp_event(s, "online",
               json_pack("{ss ss sb}", "jid", pl_xmpp_client_jid(s->client)->text, "security", security,
                         "resumed", resumed));
    if (!s->json && (!again || s->action == &xmpp_login))
        pl_xmpp_print(stderr, "signed in as %s (%s)", pl_xmpp_client_jid(s->client)->text, security);
    if (s->action->opened && !resumed)
        s->action->opened(s, again);
}

static void on_loaded(void *user, const char *error)
{
    xmpp_session *s = user;
    if (error)
        xmpp_failed(s, "the contacts", error[0] ? error : "no answer");
    if (s->action->loaded)
        s->action->loaded(s, !error);
}

static void on_contact(void *user, const pl_contact *c, bool gone)
{
    xmpp_session *s = user;
    if (s->action->contact)
        s->action->contact(s, c, gone);
}

static void on_device(void *user, const pl_device *d)
{
    xmpp_session *s = user;
    if (s->action->device)
        s->action->device(s, d);
}

static void on_asked(void *user, const char *jid, const char *status)
{
    xmpp_session *s = user;
    if (s->action->asked)
        s->action->asked(s, jid, status);
}

static void on_answered(void *user, const char *jid, bool allowed)
{
    xmpp_session *s = user;
    if (s->action->answered)
        s->action->answered(s, jid, allowed);
}

static void on_refused(void *user, const char *jid, const char *condition)
{
    xmpp_session *s = user;
    if (s->action->refused)
        s->action->refused(s, jid, condition);
}

static void on_message(void *user, const pl_message *m)
{
    xmpp_session *s = user;
    if (s->action->message)
        s->action->message(s, m);
}

/* To any room that we are not in: whoever looks at the account may want to know. */
static void on_invited(void *user, const pl_invitation *i)
{
    xmpp_session *s = user;
    json_t *o = json_pack("{ss sb}", "room", i->room, "direct", i->direct);
    pl_xmpp_member(o, "by", i->by[0] ? i->by : NULL);
    pl_xmpp_member(o, "reason", i->reason);
    pl_xmpp_member(o, "password", i->password);
    xmpp_event(s, "invitation", o);
    if (!s->json)
        pl_xmpp_print(stderr, "* %s invites you to %s%s%s; 'peerline xmpp muc ACCOUNT ROOM' enters",
                      i->by[0] ? i->by : "somebody", i->room, i->reason ? ": " : "",
                      i->reason ? i->reason : "");
}

static void on_delivered(void *user, const char *from, const char *id)
{
    xmpp_session *s = user;
    if (s->action->delivered)
        s->action->delivered(s, from, id);
}

static void on_caps(void *user)
{
    xmpp_session *s = user;
    if (s->presence)
        xmpp_try(s, "presence", pl_presence_repeat(s->presence));
}

/* ---- input ---- */

static void on_line(void *user, char *text, size_t len)
{
    xmpp_session *s = user;
    json_error_t error;
    (void)len;
    text[strcspn(text, "\r")] = 0;
    if (s->finishing)
        return;
    if (!s->json) {
        if (s->action->line && text[0])
            s->action->line(s, text);
        return;
    }
    json_t *o = json_loads(text, 0, &error);
    const char *word = json_string_value(json_object_get(o, "do"));
    if (!word)
        xmpp_failed(s, "command", "wants to be an object with a text \"do\"");
    else if (strcmp(word, "quit") == 0)
        xmpp_finish(s, PL_EXIT_OK);
    else if (s->action->command)
        s->action->command(s, word, o);
    json_decref(o);
}

static void on_overlong(void *user)
{
    xmpp_failed(user, "input", "a line was too long and was left out");
}

/* ---- life ---- */

static pl_err make_features(xmpp_session *s)
{
    static const pl_disco_identity self = { "client", "console", "Peerline" };
    pl_show show = PL_SHOW_ONLINE;
    pl_roster_conf roster = { .loaded = on_loaded, .changed = on_contact, .user = s };
    pl_caps_conf caps = { .node = "urn:peerline", .changed = on_caps, .user = s };
    pl_err err = pl_disco_new(&s->disco, s->client, &self);
    caps.disco = s->disco;
    err = err ? err : pl_caps_new(&s->caps, s->client, &caps);
    if (s->action->loaded || s->action->seen)
        err = err ? err : pl_roster_new(&s->roster, s->client, &roster);
    pl_presence_conf presence = { .roster = s->roster,
                                  .caps = s->caps,
                                  .changed = on_device,
                                  .asked = on_asked,
                                  .answered = on_answered,
                                  .refused = on_refused,
                                  .user = s };
    pl_messages_conf messages = { .roster = s->roster,
                                  .carbons = s->action->seen,
                                  .message = on_message,
                                  .delivered = on_delivered,
                                  .invited = on_invited,
                                  .user = s };
    err = err ? err : pl_presence_new(&s->presence, s->client, &presence);
    err = err ? err : pl_messages_new(&s->messages, s->client, &messages);
    err = err ? err : pl_disco_add(s->disco, PL_NS_RECEIPTS);
    err = err ? err : pl_disco_add(s->disco, PL_NS_MUC);
    err = err ? err : pl_disco_add(s->disco, PL_NS_CONFERENCE);
    (void)(xmpp_opt.show && pl_show_of(xmpp_opt.show, &show));
    if (!s->action->seen)
        show = PL_SHOW_OFFLINE;
    return err ? err : pl_presence_set(s->presence, show, (int)xmpp_opt.priority, xmpp_opt.status);
}

/* The account with the resource that --resource wants. */
static bool account_of(const pl_command *cmd, const char *text, pl_jid *out)
{
    char full[PL_JID_MAX + 1];
    if (pl_jid_parse(out, pl_str_of(text)) || !out->local_n) {
        pl_complain(cmd, "'%s' is no account: it looks like romeo@example.org", text);
        return false;
    }
    if (!xmpp_opt.resource)
        return true;
    snprintf(full, sizeof full, "%.*s/%s", (int)pl_jid_bare(out).n, out->text, xmpp_opt.resource);
    if (pl_jid_parse(out, pl_str_of(full))) {
        pl_complain(cmd, "--resource: '%s' cannot be one", xmpp_opt.resource);
        return false;
    }
    return true;
}

static bool conf_of(const pl_command *cmd, pl_xmpp_connection_conf *conf)
{
    const xmpp_options *o = &xmpp_opt;
    if ((o->websocket != NULL) + (o->bosh != NULL) + o->direct_tls > 1) {
        pl_complain(cmd, "--websocket, --bosh and --direct-tls are three ways: choose one");
        return false;
    }
    conf->via = o->websocket         ? PL_XMPP_VIA_WEBSOCKET
                : o->bosh            ? PL_XMPP_VIA_BOSH
                : o->direct_tls      ? PL_XMPP_VIA_TLS
                : o->host || o->port ? PL_XMPP_VIA_STARTTLS
                                     : PL_XMPP_VIA_AUTO;
    const char *url = o->websocket ? o->websocket : o->bosh;
    conf->url = url && strcmp(url, "auto") != 0 ? url : NULL;
    conf->host = o->host;
    conf->port = (uint16_t)o->port;
    conf->ca_file = o->ca_file;
    conf->create_account = o->create;
    conf->insecure = o->insecure;
    return true;
}

static bool connect_to(xmpp_session *s, const char *account)
{
    char password[PL_XMPP_PASSWORD_MAX + 1];
    pl_jid jid;
    pl_xmpp_connection_conf conf = { .trouble = on_trouble, .user = s };
    if (!account_of(s->cmd, account, &jid) || !conf_of(s->cmd, &conf) ||
        !pl_xmpp_password(s->cmd, xmpp_opt.password_file, account, xmpp_opt.create, password))
        return false;
    conf.jid = jid.text;
    conf.password = password;
    pl_err err = pl_xmpp_connection_new(&s->connection, s->loop, &conf);
    pl_wipe(password, sizeof password);
    if (err == PL_EINVAL)
        pl_complain(s->cmd, "the URL or the file of --ca-file cannot be used");
    else if (err)
        pl_complain(s->cmd, "%s", pl_err_str(err));
    return !err;
}

static void turn(xmpp_session *s, int64_t until_us)
{
    if (s->action->due_us)
        until_us = pl_min_us(until_us, s->action->due_us(s));
    int64_t left = until_us == PL_NEVER ? TURN_US : until_us - pl_clock_us();
    s->lines.fd = s->ready ? STDIN_FILENO : -1;
    (void)pl_lines_wait(&s->lines, s->loop, left < 0 ? 0 : left < TURN_US ? left : TURN_US);
    if (s->action->turned)
        s->action->turned(s);
    if (s->lines.ended && s->ready) {
        s->ready = false;
        if (s->action->input_ended)
            s->action->input_ended(s);
        else
            xmpp_finish(s, PL_EXIT_OK);
    }
}

static void live(xmpp_session *s)
{
    int64_t by_us = pl_clock_us() + (int64_t)(xmpp_opt.timeout_s * 1e6), close_us = PL_NEVER;
    while (!s->closed && pl_clock_us() < close_us) {
        if (pl_told_to_stop())
            xmpp_finish(s, s->was_opened ? PL_EXIT_OK : PL_EXIT_FAILED);
        if (!s->was_opened && !s->finishing && pl_clock_us() >= by_us) {
            xmpp_failed(s, "log-in", "it took too long; --timeout gives it more");
            xmpp_finish(s, PL_EXIT_FAILED);
        }
        if (s->finishing && close_us == PL_NEVER)
            close_us = pl_clock_us() + PL_SEC(CLOSE_S);
        turn(s, s->finishing ? close_us : s->was_opened ? PL_NEVER : by_us);
    }
}

static void clear(xmpp_session *s)
{
    if (s->action->end)
        s->action->end(s);
    pl_registration_clear(&s->registration);
    pl_messages_free(s->messages);
    pl_presence_free(s->presence);
    pl_roster_free(s->roster);
    pl_caps_free(s->caps);
    pl_disco_free(s->disco);
    if (s->client)
        pl_xmpp_remove_handler(s->client, &s->handler);
    pl_xmpp_connection_free(s->connection);
    pl_loop_free(s->loop);
    pl_lines_clear(&s->lines);
}

int xmpp_session_run(const pl_command *cmd, const xmpp_action *action, int n_args, char **args)
{
    xmpp_session s = { .cmd = cmd,
                       .action = action,
                       .n_args = n_args - 1,
                       .args = args + 1,
                       .json = xmpp_opt.json,
                       .terminal = isatty(STDOUT_FILENO) && !xmpp_opt.json };
    s.lines = (pl_lines){ .fd = -1, .user = &s, .line = on_line, .overlong = on_overlong };
    s.code = PL_EXIT_FAILED;
    pl_catch_signals(false);
    if (pl_loop_new(&s.loop, NULL) || !connect_to(&s, args[0])) {
        pl_loop_free(s.loop);
        return PL_EXIT_FAILED;
    }
    s.client = pl_xmpp_connection_client(s.connection);
    pl_registration_init(&s.registration, s.client);
    pl_err err = make_features(&s);
    s.handler = (pl_xmpp_handler){ .state = on_state, .user = &s };
    pl_xmpp_add_handler(s.client, PL_XMPP_ALL, &s.handler);
    if (err) {
        xmpp_failed(&s, "start", pl_err_str(err));
    } else {
        if (action->begin)
            action->begin(&s);
        pl_xmpp_connection_open(s.connection);
        live(&s);
    }
    clear(&s);
    return s.code;
}
