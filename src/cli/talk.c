#include "cli/talk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/report.h"
#include "net/loop.h"

enum { NAME_MAX_BYTES = 256 };

struct pl_talk {
    pl_talk_conf conf;
    char name[NAME_MAX_BYTES];
    pl_session *session;
    pl_peer_connection *pc; /* NULL: the other side is not there yet. The session's */
    pl_media *media;
    pl_data_channel *chat;
    bool chat_open, ended, connected, hung_up, expects[2];
    int64_t since_us, connected_us, ended_us;
};

static void progress(pl_talk *t, const char *text)
{
    t->conf.progress(t->conf.user, text);
}

static void end(pl_talk *t, const char *reason)
{
    if (t->ended)
        return;
    t->ended = true;
    t->ended_us = pl_clock_us();
    t->conf.ended(t->conf.user, reason);
}

/* ---- chat ---- */

static void on_chat_open(void *user, pl_data_channel *c)
{
    pl_talk *t = user;
    (void)c;
    t->chat_open = true;
    progress(t, "chat is open");
}

static void on_chat_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    pl_talk *t = user;
    (void)c;
    if (!binary)
        t->conf.chat(t->conf.user, (const char *)data, len);
}

static void on_chat_close(void *user, pl_data_channel *c)
{
    pl_talk *t = user;
    if (t->chat == c) {
        t->chat_open = false;
        t->chat = NULL;
    }
    pl_data_channel_free(c);
}

static pl_data_channel_observer chat_observer(pl_talk *t)
{
    return (pl_data_channel_observer){
        .user = t, .on_open = on_chat_open, .on_message = on_chat_message, .on_close = on_chat_close
    };
}

static void on_data_channel(void *user, pl_data_channel *c)
{
    pl_talk *t = user;
    if (t->chat) {
        pl_data_channel_free(c); /* one chat is enough */
        return;
    }
    pl_data_channel_observer o = chat_observer(t);
    pl_data_channel_set_observer(c, &o);
    t->chat = c;
}

/* ---- connection ---- */

/* Silence is no news: of many interfaces some always lead nowhere. */
static void on_candidate_error(void *user, const pl_ice_candidate_error *e)
{
    char text[400];
    snprintf(text, sizeof text, "%s gives no candidate: %d %s", e->url, e->error_code, e->error_text);
    if (e->error_code < 700)
        progress(user, text);
}

static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    pl_talk *t = user;
    (void)reason; /* the session ends with it */
    if (state != PL_CONNECTION_CONNECTED || t->ended)
        return;
    progress(t, t->connected ? "connected again" : "connected");
    t->connected_us = t->connected ? t->connected_us : pl_clock_us();
    t->connected = true;
}

static void on_track(void *user, pl_rtp_transceiver *tr)
{
    pl_talk *t = user;
    bool audio = pl_rtp_transceiver_kind(tr) == PL_AUDIO;
    if (t->conf.way == PL_TALK_BOTH)
        progress(t, audio ? "the peer sends audio" : "the peer sends video");
    t->expects[audio ? PL_AUDIO : PL_VIDEO] = true;
    pl_err err = pl_media_attach(t->media, tr);
    if (err && err != PL_ESTATE) /* a second track of a kind is heard by nobody */
        progress(t, "a track cannot be received");
}

static bool has_source(const char *source)
{
    return source && strcmp(source, "none") != 0;
}

static pl_err add_media(pl_talk *t, pl_media_type kind, const char *source)
{
    static const pl_direction direction[] = { PL_SENDRECV, PL_SENDONLY, PL_RECVONLY };
    pl_transceiver_init init = { .stream_id = "peerline", .direction = direction[t->conf.way] };
    pl_rtp_transceiver *tr;
    pl_err err;
    if (!t->conf.kind[kind])
        return PL_OK;
    if (t->conf.way == PL_TALK_BOTH && has_source(source)) {
        err = pl_peer_connection_add_track(t->pc, kind, &init, &tr);
    } else if (pl_session_is_outgoing(t->session)) {
        if (t->conf.way == PL_TALK_BOTH)
            init.direction = PL_RECVONLY;
        err = pl_peer_connection_add_transceiver(t->pc, kind, &init, &tr);
    } else {
        return PL_OK; /* the caller's offer makes it */
    }
    return err ? err : pl_media_attach(t->media, tr);
}

static pl_err open_all(pl_talk *t)
{
    const pl_peer_connection_observer observer = { .user = t,
                                                   .on_ice_candidate_error = on_candidate_error,
                                                   .on_connection_state = on_connection,
                                                   .on_data_channel = on_data_channel,
                                                   .on_track = on_track };
    pl_err err =
        pl_session_open_connection(t->session, &t->pc, t->conf.factory, t->conf.connection, &observer);
    if (!err)
        err = add_media(t, PL_AUDIO, t->conf.media.audio_source);
    if (!err)
        err = add_media(t, PL_VIDEO, t->conf.media.video_source);
    if (err || t->conf.way != PL_TALK_BOTH || !pl_session_is_outgoing(t->session))
        return err;
    pl_data_channel_observer chat = chat_observer(t);
    return pl_peer_connection_create_data_channel(t->pc, "chat", NULL, &chat, &t->chat);
}

/* ---- session ---- */

static void on_ringing(void *user)
{
    progress(user, "it rings there");
}

static void on_connect(void *user)
{
    pl_talk *t = user;
    char text[NAME_MAX_BYTES + 32];
    if (t->ended)
        return;
    snprintf(text, sizeof text, "%s %s", pl_session_is_outgoing(t->session) ? "calling" : "answering",
             pl_talk_peer(t));
    progress(t, text);
    t->since_us = pl_clock_us();
    pl_err err = open_all(t);
    if (!err)
        return;
    snprintf(text, sizeof text, "the connection cannot be made: %s", pl_err_str(err));
    pl_session_hang_up(t->session);
    end(t, text);
}

static void on_refused(void *user, pl_err err, const char *why)
{
    (void)err;
    progress(user, why);
}

static const char *why_of(const pl_talk *t, pl_session_reason reason, const char *why)
{
    static const char *const word[] = { [PL_SESSION_CANCELLED] = "they have given up",
                                        [PL_SESSION_DECLINED] = "they do not want it",
                                        [PL_SESSION_BUSY] = "they are busy",
                                        [PL_SESSION_ELSEWHERE] = "another device has dealt with it",
                                        [PL_SESSION_NO_ANSWER] = "nobody answers",
                                        [PL_SESSION_NOT_FOUND] = "there is nobody of that name",
                                        [PL_SESSION_REFUSED] = "the server does not let us",
                                        [PL_SESSION_GONE] = "the other side has gone",
                                        [PL_SESSION_FAILED] = "the connection has failed" };
    if (reason == PL_SESSION_HUNG_UP && !t->hung_up && t->conf.way == PL_TALK_SEND)
        return "the server has closed the connection";
    if (reason == PL_SESSION_HUNG_UP || t->hung_up)
        return NULL;
    return why[0] ? why : word[reason];
}

static void on_ended(void *user, pl_session_reason reason, const char *why)
{
    end(user, why_of(user, reason, why));
}

static void on_note(void *user, const char *text)
{
    progress(user, text);
}

pl_session_observer pl_talk_observer(pl_talk *t)
{
    return (pl_session_observer){ .user = t,
                                  .on_ringing = on_ringing,
                                  .on_connect = on_connect,
                                  .on_refused = on_refused,
                                  .on_ended = on_ended,
                                  .on_note = on_note };
}

/* ---- life ---- */

pl_err pl_talk_new(pl_talk **out, const pl_talk_conf *conf, char *error, size_t cap)
{
    *out = NULL;
    error[0] = '\0';
    pl_talk *t = calloc(1, sizeof *t);
    if (!t)
        return PL_ENOMEM;
    t->conf = *conf;
    t->since_us = pl_clock_us();
    snprintf(t->name, sizeof t->name, "%s", conf->name);
    pl_err err = pl_media_new(&t->media, &conf->media, error, cap);
    if (err) {
        pl_talk_free(t);
        return err;
    }
    *out = t;
    return PL_OK;
}

void pl_talk_join(pl_talk *t, pl_session *session)
{
    t->session = session;
}

const char *pl_talk_peer(const pl_talk *t)
{
    return pl_session_peer_name(t->session);
}

const char *pl_talk_peer_address(const pl_talk *t)
{
    return pl_session_peer_address(t->session);
}

bool pl_talk_crosses(const pl_talk *t, const pl_session *caller)
{
    const char *whom = pl_talk_peer(t), *who = pl_session_peer_address(caller);
    size_t n = strcspn(who, "/");
    return pl_session_is_outgoing(t->session) && !t->pc && strcspn(whom, "/") == n &&
           strncmp(whom, who, n) == 0;
}

bool pl_talk_say(pl_talk *t, const char *text)
{
    return t->chat_open && pl_data_channel_send_text(t->chat, text) == PL_OK;
}

bool pl_talk_reached(const pl_talk *t)
{
    return t->pc != NULL;
}

bool pl_talk_connected(const pl_talk *t)
{
    return t->connected;
}

double pl_talk_seconds(const pl_talk *t)
{
    int64_t until_us = t->ended ? t->ended_us : pl_clock_us();
    return t->connected ? (double)(until_us - t->connected_us) / 1e6 : 0;
}

int64_t pl_talk_deadline_us(const pl_talk *t)
{
    return t->connected ? PL_NEVER : t->since_us + (int64_t)(t->conf.patience_s * 1e6);
}

void pl_talk_give_up(pl_talk *t, const char *reason)
{
    end(t, reason);
    pl_talk_hang_up(t);
}

json_t *pl_talk_report(pl_talk *t, const char *failure)
{
    const pl_report_conf conf = { .name = t->name,
                                  .peer = pl_talk_peer(t),
                                  .seconds = pl_talk_seconds(t),
                                  .failure = failure,
                                  .want_audio = t->expects[PL_AUDIO],
                                  .want_video = t->expects[PL_VIDEO] };
    return t->pc ? pl_report_make(t->pc, t->media, &conf) : NULL;
}

void pl_talk_hang_up(pl_talk *t)
{
    t->hung_up = true;
    pl_session_hang_up(t->session);
    end(t, NULL);
}

void pl_talk_restart(pl_talk *t)
{
    if (t->connected && !t->ended)
        pl_peer_connection_restart_ice(t->pc);
}

void pl_talk_free(pl_talk *t)
{
    if (!t)
        return;
    pl_media_free(t->media);
    pl_data_channel_free(t->chat);
    pl_session_free(t->session);
    free(t);
}
