/* peerline xmpp muc: a chat room, line by line. */
#include <stdio.h>
#include <string.h>

#include "cli/xmpp_password.h"
#include "cli/xmpp_say.h"
#include "cli/xmpp_session.h"
#include "crypto/hmac.h"

static pl_muc *room;

/* ---- what happens there ---- */

static const char *const names[] = {
    [PL_MUC_JOINED] = "joined", [PL_MUC_NOT_IN] = "not-in",   [PL_MUC_OUT] = "out",
    [PL_MUC_CAME] = "came",     [PL_MUC_CHANGED] = "changed", [PL_MUC_RENAMED] = "renamed",
    [PL_MUC_WENT] = "went",     [PL_MUC_SAID] = "said",       [PL_MUC_WHISPERED] = "whispered",
    [PL_MUC_TOPIC] = "topic",   [PL_MUC_REFUSED] = "refused", [PL_MUC_ASKED] = "asked"
};

static json_t *occupant_json(const pl_occupant *o)
{
    json_t *j =
        json_pack("{ss ss ss ss sb}", "nick", o->nick, "role", pl_muc_role_str(o->role), "affiliation",
                  pl_muc_affiliation_str(o->affiliation), "show", pl_show_str(o->show), "self", o->self);
    pl_xmpp_member(j, "jid", o->jid);
    pl_xmpp_member(j, "status", o->status && o->status[0] ? o->status : NULL);
    return j;
}

static json_t *event_json(const pl_muc_event *e)
{
    json_t *o = json_object();
    bool ends = e->type == PL_MUC_OUT || e->type == PL_MUC_WENT;
    pl_xmpp_member(o, "nick", e->nick);
    if (e->occupant)
        json_object_set_new(o, "occupant", occupant_json(e->occupant));
    if (e->message) {
        pl_xmpp_member(o, "body", e->message->body);
        pl_xmpp_member(o, "stamp", e->message->stamp);
        pl_xmpp_member(o, "id", e->message->id);
    }
    if (e->type == PL_MUC_SAID)
        json_object_set_new(o, "history", json_boolean(e->history));
    if (e->type == PL_MUC_JOINED)
        json_object_set_new(o, "created", json_boolean(e->created));
    pl_xmpp_member(o, "why", ends ? pl_muc_why_str(e->why) : NULL);
    pl_xmpp_member(o, "by", e->by);
    pl_xmpp_member(o, "reason", e->reason);
    pl_xmpp_member(o, "topic", e->topic);
    pl_xmpp_member(o, "error", e->error);
    pl_xmpp_member(o, "text", e->text);
    return o;
}

static json_t *occupants_json(void)
{
    json_t *list = json_array();
    for (const pl_occupant *o = NULL; (o = pl_muc_next(room, o));)
        json_array_append_new(list, occupant_json(o));
    return list;
}

static void print_joined(const pl_muc_event *e)
{
    pl_xmpp_print(stderr, "* in %s as %s", pl_muc_room(room), e->nick);
    for (const pl_occupant *o = NULL; (o = pl_muc_next(room, o));)
        pl_xmpp_print(stderr, "*   %s (%s)", o->nick, pl_muc_role_str(o->role));
}

static void print_end(const pl_muc_event *e, const char *who)
{
    pl_xmpp_print(stdout, "* %s: %s%s%s%s%s", who, pl_muc_why_str(e->why), e->by ? " by " : "", e->by,
                  e->reason ? ": " : "", e->reason);
}

static void print_event(const pl_muc_event *e)
{
    const char *nick = e->nick ? e->nick : "the room";
    switch (e->type) {
    case PL_MUC_JOINED: print_joined(e); break;
    case PL_MUC_NOT_IN: pl_xmpp_print(stderr, "the room refuses: %s %s", e->error, e->text); break;
    case PL_MUC_REFUSED: pl_xmpp_print(stderr, "refused: %s %s", e->error, e->text); break;
    case PL_MUC_OUT: print_end(e, "you are out"); break;
    case PL_MUC_WENT: print_end(e, e->occupant->nick); break;
    case PL_MUC_CAME: pl_xmpp_print(stdout, "* %s came", e->occupant->nick); break;
    case PL_MUC_CHANGED:
        pl_xmpp_print(stdout, "* %s is %s, %s", e->occupant->nick, pl_show_str(e->occupant->show),
                      pl_muc_role_str(e->occupant->role));
        break;
    case PL_MUC_RENAMED: pl_xmpp_print(stdout, "* %s is %s now", e->nick, e->occupant->nick); break;
    case PL_MUC_TOPIC: pl_xmpp_print(stdout, "* topic: %s", e->topic); break;
    case PL_MUC_SAID: pl_xmpp_print(stdout, "%s: %s", nick, e->message->body); break;
    case PL_MUC_WHISPERED: pl_xmpp_print(stdout, "%s whispers: %s", nick, e->message->body); break;
    case PL_MUC_ASKED:
        pl_xmpp_print(stdout, "* %s asks for voice: /role %s participant gives it", nick, nick);
        break;
    }
}

static void on_event(void *user, const pl_muc_event *e)
{
    xmpp_session *s = user;
    if (s->json) {
        json_t *o = event_json(e);
        if (e->type == PL_MUC_JOINED)
            json_object_set_new(o, "occupants", occupants_json());
        xmpp_event(s, names[e->type], o);
    } else {
        print_event(e);
    }
    if (e->type == PL_MUC_JOINED)
        s->ready = !s->finishing;
    if (e->type == PL_MUC_NOT_IN && !s->json && strcmp(e->error, "conflict") == 0)
        pl_xmpp_print(stderr, "  the nickname is taken; --nick NAME chooses another");
    if (e->type == PL_MUC_NOT_IN || (e->type == PL_MUC_OUT && e->why != PL_MUC_LOST))
        xmpp_finish(s, e->type == PL_MUC_OUT && e->why == PL_MUC_LEFT ? PL_EXIT_OK : PL_EXIT_FAILED);
}

/* ---- what is asked for ---- */

static void leave(xmpp_session *s)
{
    if (!pl_muc_is_in(room) || pl_muc_leave(room, NULL))
        xmpp_finish(s, PL_EXIT_OK); /* else when the room says that we are out */
}

/* Words of an owner or a moderator. False: none of them. */
static bool rule(xmpp_session *s, const char *word, const char *what, const char *more)
{
    static const char *const roles[] = { "none", "visitor", "participant", "moderator" },
                             *const affiliations[] = { "outcast", "none", "member", "admin", "owner" };
    bool role = strcmp(word, "role") == 0, affiliation = strcmp(word, "affiliation") == 0;
    bool directly = strcmp(word, "invite-directly") == 0, invite = directly || strcmp(word, "invite") == 0;
    size_t i = 0, n = role ? 4 : 5;
    if (!role && !affiliation && !invite && strcmp(word, "configure") != 0)
        return false;
    if (!what || !what[0] || (!more && !invite)) {
        xmpp_failed(s, word, "says too little");
    } else if (invite) {
        xmpp_try(s, word,
                 directly ? pl_muc_invite_directly(room, what, more) : pl_muc_invite(room, what, more));
    } else if (!role && !affiliation) {
        xmpp_try(s, word, pl_muc_configure(room, what, more));
    } else {
        while (i < n && strcmp(more, role ? roles[i] : affiliations[i]) != 0)
            i++;
        if (i == n)
            xmpp_failed(s, more,
                        role ? "is none of none, visitor, participant, moderator"
                             : "is none of outcast, none, member, admin, owner");
        else if (role)
            xmpp_try(s, word, pl_muc_set_role(room, what, (pl_muc_role)i, NULL));
        else
            xmpp_try(s, word, pl_muc_set_affiliation(room, what, (pl_muc_affiliation)i, NULL));
    }
    return true;
}

/* what: nickname, text, topic; more: a reason, a whispered text; either may be NULL. False: no such word. */
static bool obey(xmpp_session *s, const char *word, const char *what, const char *more)
{
    static const char *const words[] = { "nick", "kick", "ban", "topic", "whisper", "say" };
    size_t i = 0;
    while (i < 6 && strcmp(word, words[i]) != 0)
        i++;
    if (i == 6)
        return rule(s, word, what, more);
    if (!what || (i != 3 && !what[0])) {
        xmpp_failed(s, word, "says nothing");
        return true;
    }
    switch (i) {
    case 0: xmpp_try(s, word, pl_muc_set_nick(room, what)); break;
    case 1: xmpp_try(s, word, pl_muc_kick(room, what, more)); break;
    case 2: xmpp_try(s, word, pl_muc_ban(room, what, more)); break;
    case 3: xmpp_try(s, word, pl_muc_set_topic(room, what)); break;
    case 4: xmpp_try(s, word, pl_muc_whisper(room, what, more ? more : "")); break;
    default: xmpp_try(s, word, pl_muc_say(room, what)); break;
    }
    return true;
}

static void on_line(xmpp_session *s, char *text)
{
    char *rest = text + 1;
    if (text[0] != '/' || text[1] == '/') {
        (void)obey(s, "say", text[0] == '/' ? text + 1 : text, NULL);
        return;
    }
    const char *word = strsep(&rest, " ");
    if (strcmp(word, "quit") == 0) {
        leave(s);
        return;
    }
    if (strcmp(word, "voice") == 0) {
        xmpp_try(s, word, pl_muc_ask_for_voice(room));
        return;
    }
    bool two = strcmp(word, "nick") != 0 && strcmp(word, "topic") != 0 &&
               strcmp(word, "say") != 0; /* an address or nickname, and more */
    const char *what = two && rest ? strsep(&rest, " ") : rest;
    if (!obey(s, word, what, two ? rest : NULL))
        xmpp_failed(s, word,
                    "is no command; there are /nick /kick /ban /topic /whisper /role /affiliation /invite "
                    "/invite-directly /voice /configure and /quit");
}

static void on_command(xmpp_session *s, const char *word, const json_t *all)
{
    const char *nick = json_string_value(json_object_get(all, "nick"));
    const char *jid = json_string_value(json_object_get(all, "jid"));
    const char *body = json_string_value(json_object_get(all, "body"));
    const char *reason = json_string_value(json_object_get(all, "reason"));
    const char *topic = json_string_value(json_object_get(all, "topic"));
    const char *what = strcmp(word, "say") == 0     ? body
                       : strcmp(word, "topic") == 0 ? topic
                       : strcmp(word, "ban") == 0   ? jid
                                                    : nick;
    const char *more = strcmp(word, "whisper") == 0 ? body : reason;
    if (strcmp(word, "role") == 0 || strcmp(word, "affiliation") == 0) {
        more = json_string_value(json_object_get(all, word));
        what = strcmp(word, "role") == 0 ? nick : jid;
    } else if (strcmp(word, "invite") == 0 || strcmp(word, "invite-directly") == 0) {
        what = jid;
    } else if (strcmp(word, "configure") == 0) {
        what = json_string_value(json_object_get(all, "key"));
        more = json_string_value(json_object_get(all, "value"));
    }
    if (strcmp(word, "leave") == 0)
        leave(s);
    else if (strcmp(word, "voice") == 0)
        xmpp_try(s, word, pl_muc_ask_for_voice(room));
    else if (!obey(s, word, what, more))
        xmpp_failed(s, word,
                    "is no command; there are say, whisper, nick, kick, ban, topic, role, affiliation, "
                    "invite, invite-directly, voice, configure, leave and quit");
}

/* ---- life ---- */

static void muc_begin(xmpp_session *s)
{
    char local[PL_JID_PART_MAX + 1];
    char secret[PL_XMPP_PASSWORD_MAX + 1] = "";
    (void)pl_str_copy(pl_jid_local(pl_xmpp_client_jid(s->client)), local, sizeof local);
    if (xmpp_opt.room_password_file &&
        !pl_xmpp_password(s->cmd, xmpp_opt.room_password_file, "", false, secret)) {
        s->closed = true;
        return;
    }
    pl_muc_conf conf = { .room = s->args[0],
                         .nick = xmpp_opt.nick ? xmpp_opt.nick : local,
                         .password = secret[0] ? secret : NULL,
                         .history = (int)xmpp_opt.history,
                         .caps = s->caps,
                         .event = on_event,
                         .user = s };
    pl_err err = pl_muc_new(&room, s->client, &conf);
    pl_wipe(secret, sizeof secret);
    err = err ? err : pl_muc_join(room);
    xmpp_try(s, s->args[0], err);
    if (err) {
        s->code = PL_EXIT_USAGE;
        s->closed = true;
    }
}

static void muc_end(xmpp_session *s)
{
    (void)s;
    pl_muc_free(room);
    room = NULL;
}

/* Lines wait until we are in. */
static void muc_opened(xmpp_session *s, bool again)
{
    (void)again;
    s->ready = s->ready && pl_muc_is_in(room);
}

const xmpp_action xmpp_muc = { .seen = true,
                               .begin = muc_begin,
                               .end = muc_end,
                               .opened = muc_opened,
                               .line = on_line,
                               .command = on_command,
                               .input_ended = leave };
