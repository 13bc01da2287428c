#include "cli/call_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/report.h"
#include "net/loop.h"
#include "session/negotiation.h"

enum { NAME_MAX_BYTES = 256 };

struct pl_call_session {
    pl_call_session_conf conf;
    char name[NAME_MAX_BYTES], peer[NAME_MAX_BYTES];
    pl_peer_connection *pc;
    pl_media *media;
    pl_data_channel *chat;
    pl_negotiation negotiation;
    bool chat_open, ended, connected, expects_audio, expects_video;
    int64_t made_us, connected_us, ended_us;
};

static void progress(pl_call_session *s, const char *text)
{
    if (s->conf.progress)
        s->conf.progress(s->conf.user, text);
}

static void end(pl_call_session *s, const char *reason)
{
    if (s->ended)
        return;
    s->ended = true;
    s->ended_us = pl_clock_us();
    s->conf.ended(s->conf.user, reason);
}

/* ---- chat ---- */

static void on_chat_open(void *user, pl_data_channel *c)
{
    pl_call_session *s = user;
    (void)c;
    s->chat_open = true;
    progress(s, "chat is open");
}

static void on_chat_message(void *user, pl_data_channel *c, const uint8_t *data, size_t len, bool binary)
{
    pl_call_session *s = user;
    (void)c;
    if (!binary && s->conf.chat)
        s->conf.chat(s->conf.user, (const char *)data, len);
}

static void on_chat_close(void *user, pl_data_channel *c)
{
    pl_call_session *s = user;
    if (s->chat == c) {
        s->chat_open = false;
        s->chat = NULL;
    }
    pl_data_channel_free(c);
}

static pl_data_channel_observer chat_observer(pl_call_session *s)
{
    return (pl_data_channel_observer){
        .user = s, .on_open = on_chat_open, .on_message = on_chat_message, .on_close = on_chat_close
    };
}

static void on_data_channel(void *user, pl_data_channel *c)
{
    pl_call_session *s = user;
    if (s->chat) {
        pl_data_channel_free(c); /* one chat is enough */
        return;
    }
    pl_data_channel_observer o = chat_observer(s);
    pl_data_channel_set_observer(c, &o);
    s->chat = c;
}

/* ---- connection ---- */

static void on_negotiation_needed(void *user)
{
    pl_negotiation_needed(&((pl_call_session *)user)->negotiation);
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    pl_negotiation_local_candidate(&((pl_call_session *)user)->negotiation, c);
}

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
    pl_call_session *s = user;
    if (state == PL_CONNECTION_CONNECTED && !s->connected) {
        s->connected = true;
        s->connected_us = pl_clock_us();
        progress(s, "connected");
    } else if (state == PL_CONNECTION_DISCONNECTED) {
        if (reason[0])
            end(s, NULL); /* the peer hung up */
        else
            progress(s, "the path is silent: waiting for it to come back");
    } else if (state == PL_CONNECTION_FAILED) {
        end(s, reason);
    }
}

static void on_track(void *user, pl_rtp_transceiver *t)
{
    pl_call_session *s = user;
    bool audio = pl_rtp_transceiver_kind(t) == PL_AUDIO;
    progress(s, audio ? "the peer sends audio" : "the peer sends video");
    *(audio ? &s->expects_audio : &s->expects_video) = true;
    pl_err err = pl_media_attach(s->media, t);
    if (err && err != PL_ESTATE) /* a second track of a kind is heard by nobody */
        progress(s, "a track cannot be received");
}

/* ---- what the peer says ---- */

static pl_err negotiation_describe(void *user, pl_sdp_type type, const char *sdp)
{
    const pl_call_session_conf *conf = &((pl_call_session *)user)->conf;
    conf->describe(conf->user, type, sdp);
    return PL_OK;
}

static void negotiation_candidate(void *user, const pl_ice_candidate *c)
{
    const pl_call_session_conf *conf = &((pl_call_session *)user)->conf;
    conf->candidate(conf->user, c);
}

static void negotiation_refused(void *user, pl_err err, const char *why)
{
    (void)err;
    progress(user, why);
}

static void negotiation_failed(void *user, pl_err err, const char *why)
{
    (void)err;
    end(user, why);
}

static void negotiation_note(void *user, const char *text)
{
    progress(user, text);
}

void pl_call_session_described(pl_call_session *s, pl_sdp_type type, const char *sdp)
{
    if (!s->ended)
        pl_negotiation_description(&s->negotiation, type, sdp);
}

void pl_call_session_trickled(pl_call_session *s, const pl_ice_candidate *c)
{
    if (!s->ended)
        pl_negotiation_remote_candidate(&s->negotiation, c);
}

/* ---- life ---- */

static bool has_source(const char *source)
{
    return source && strcmp(source, "none") != 0;
}

static pl_err add_media(pl_call_session *s, pl_media_type kind, const char *source)
{
    pl_transceiver_init init = { .stream_id = "peerline" };
    pl_rtp_transceiver *t;
    pl_err err;
    if (has_source(source)) {
        err = pl_peer_connection_add_track(s->pc, kind, &init, &t);
    } else if (s->conf.caller) {
        init.direction = PL_RECVONLY;
        err = pl_peer_connection_add_transceiver(s->pc, kind, &init, &t);
    } else {
        return PL_OK; /* the caller's offer makes it */
    }
    return err ? err : pl_media_attach(s->media, t);
}

static pl_err open_all(pl_call_session *s)
{
    const pl_peer_connection_observer observer = { .user = s,
                                                   .on_negotiation_needed = on_negotiation_needed,
                                                   .on_ice_candidate = on_candidate,
                                                   .on_ice_candidate_error = on_candidate_error,
                                                   .on_connection_state = on_connection,
                                                   .on_data_channel = on_data_channel,
                                                   .on_track = on_track };
    pl_err err = pl_peer_connection_new(&s->pc, s->conf.factory, s->conf.connection, &observer);
    s->negotiation.pc = s->pc;
    if (!err)
        err = add_media(s, PL_AUDIO, s->conf.media.audio_source);
    if (!err)
        err = add_media(s, PL_VIDEO, s->conf.media.video_source);
    if (err || !s->conf.caller)
        return err;
    pl_data_channel_observer chat = chat_observer(s);
    return pl_peer_connection_create_data_channel(s->pc, "chat", NULL, &chat, &s->chat);
}

pl_err pl_call_session_new(pl_call_session **out, const pl_call_session_conf *conf, char *error, size_t cap)
{
    *out = NULL;
    error[0] = 0;
    pl_call_session *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->conf = *conf;
    s->made_us = pl_clock_us();
    snprintf(s->name, sizeof s->name, "%s", conf->name);
    snprintf(s->peer, sizeof s->peer, "%s", conf->peer);
    s->negotiation =
        (pl_negotiation){ .polite = !conf->caller,
                          .started = conf->caller, /* its offer follows from negotiation needed */
                          .user = s,
                          .describe = negotiation_describe,
                          .candidate = negotiation_candidate,
                          .refused = negotiation_refused,
                          .failed = negotiation_failed,
                          .note = negotiation_note };
    pl_err err = pl_media_new(&s->media, &conf->media, error, cap);
    if (!err && (err = open_all(s)))
        snprintf(error, cap, "the connection cannot be made: %s", pl_err_str(err));
    if (err) {
        pl_call_session_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

bool pl_call_session_say(pl_call_session *s, const char *text)
{
    return s->chat_open && pl_data_channel_send_text(s->chat, text) == PL_OK;
}

bool pl_call_session_connected(const pl_call_session *s)
{
    return s->connected;
}

double pl_call_session_seconds(const pl_call_session *s)
{
    int64_t until_us = s->ended ? s->ended_us : pl_clock_us();
    return s->connected ? (double)(until_us - s->connected_us) / 1e6 : 0;
}

int64_t pl_call_session_deadline_us(const pl_call_session *s)
{
    return s->connected ? PL_NEVER : s->made_us + (int64_t)(s->conf.patience_s * 1e6);
}

json_t *pl_call_session_report(pl_call_session *s, const char *failure)
{
    pl_report_conf conf = { .name = s->name,
                            .peer = s->peer,
                            .seconds = pl_call_session_seconds(s),
                            .failure = failure,
                            .want_audio = s->expects_audio,
                            .want_video = s->expects_video };
    return pl_report_make(s->pc, s->media, &conf);
}

void pl_call_session_hang_up(pl_call_session *s)
{
    s->conf.hang_up(s->conf.user);
    end(s, NULL);
}

void pl_call_session_free(pl_call_session *s)
{
    if (!s)
        return;
    pl_media_free(s->media);
    pl_data_channel_free(s->chat);
    pl_peer_connection_free(s->pc);
    pl_negotiation_clear(&s->negotiation);
    free(s);
}
