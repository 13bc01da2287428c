/* peerline xmpp login: does it work, and what an account's owner does with it; peerline xmpp send: one message. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/xmpp_password.h"
#include "cli/xmpp_say.h"
#include "cli/xmpp_session.h"
#include "crypto/hmac.h"

static void on_done(void *user, const pl_xml *answer, const char *error)
{
    xmpp_session *s = user;
    (void)answer;
    if (error)
        xmpp_failed(s, xmpp_opt.remove ? "removing the account" : "the new password",
                    error[0] ? error : "no answer");
    else if (!s->json)
        fputs(xmpp_opt.remove ? "the account is gone\n" : "the password is another now\n", stderr);
    xmpp_finish(s, error ? PL_EXIT_FAILED : PL_EXIT_OK);
}

static pl_err change_password(xmpp_session *s)
{
    char password[PL_XMPP_PASSWORD_MAX + 1];
    if (!pl_xmpp_password(s->cmd, xmpp_opt.new_password_file, "", false, password))
        return PL_EIO;
    pl_err err = pl_registration_change_password(&s->registration, password, on_done, s);
    pl_wipe(password, sizeof password);
    return err;
}

static void login_opened(xmpp_session *s, bool again)
{
    pl_err err = PL_OK;
    if (again)
        return;
    if (xmpp_opt.remove)
        err = pl_registration_remove_account(&s->registration, on_done, s);
    else if (xmpp_opt.new_password_file)
        err = change_password(s);
    else
        xmpp_finish(s, PL_EXIT_OK);
    if (err) {
        xmpp_try(s, "login", err);
        xmpp_finish(s, PL_EXIT_FAILED);
    }
}

const xmpp_action xmpp_login = { .no_input = true, .opened = login_opened };

/* ---- send ---- */

enum { TEXT_MAX = 1 << 16 };

static struct {
    char text[TEXT_MAX + 1];
    const char *body;
    char id[PL_MESSAGE_ID_MAX];
    bool failed;
} out;

/* All of it before the log-in: a session does not wait for who types. */
static void send_begin(xmpp_session *s)
{
    out.body = s->args[1];
    if (strcmp(s->args[1], "-") != 0)
        return;
    size_t n = fread(out.text, 1, TEXT_MAX, stdin);
    if (n == TEXT_MAX && fgetc(stdin) != EOF) {
        xmpp_failed(s, "send", "standard input holds more than 65536 bytes");
        s->closed = true;
        return;
    }
    while (n && (out.text[n - 1] == '\n' || out.text[n - 1] == '\r'))
        n--;
    out.text[n] = 0;
    out.body = out.text;
}

/* The server has taken what was sent before: had it refused the message, that would have come. */
static void on_taken(void *user, const pl_xml *answer)
{
    xmpp_session *s = user;
    if (!answer && !out.failed)
        xmpp_failed(s, "send", "the server does not answer: the message may be lost");
    xmpp_finish(s, answer && !out.failed ? PL_EXIT_OK : PL_EXIT_FAILED);
}

static void send_opened(xmpp_session *s, bool again)
{
    pl_message_out m = { .type = PL_MESSAGE_CHAT, .to = s->args[0], .body = out.body };
    if (again)
        return;
    pl_err err = pl_messages_send(s->messages, &m, out.id);
    if (!err) {
        pl_xml *ping = pl_xmpp_iq("get", NULL);
        pl_xml_add(ping, "urn:xmpp:ping", "ping");
        err = pl_xmpp_ask(s->client, ping, 0, on_taken, s);
    }
    xmpp_try(s, "send", err);
    if (err)
        xmpp_finish(s, PL_EXIT_FAILED);
    else
        xmpp_event(s, "sent", json_pack("{ss}", "id", out.id));
}

static void send_message(xmpp_session *s, const pl_message *m)
{
    if (!m->error || !m->id || strcmp(m->id, out.id) != 0)
        return;
    out.failed = true;
    xmpp_failed(s, s->args[0], m->error);
}

const xmpp_action xmpp_send = {
    .no_input = true, .begin = send_begin, .opened = send_opened, .message = send_message
};
