#include "cli/call_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/report.h"
#include "net/loop.h"

enum { NAME_MAX_BYTES = 256 };

struct pl_call_session {
    pl_call_session_conf conf;
    char name[NAME_MAX_BYTES], peer[NAME_MAX_BYTES];
    pl_peer_connection *pc;
    pl_media *media;
    pl_data_channel *chat;
    bool chat_open, making_offer, ignore_offer, started, ended, connected, expects_audio, expects_video;
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

static void send_json(pl_call_session *s, json_t *o)
{
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    if (text)
        s->conf.send(s->conf.user, text, strlen(text));
    free(text);
    json_decref(o);
}

static void send_description(pl_call_session *s)
{
    pl_sdp_type type;
    char *sdp;
    if (pl_peer_connection_local_description(s->pc, &type, &sdp) || !sdp)
        return;
    send_json(s, json_pack("{ss ss}", "type", pl_sdp_type_str(type), "sdp", sdp));
    pl_free(sdp);
}

static void fail(pl_call_session *s, const char *what, pl_err err)
{
    char why[200], text[300];
    pl_peer_connection_error_text(s->pc, why, sizeof why);
    snprintf(text, sizeof text, "%s: %s", what, why[0] ? why : pl_err_str(err));
    end(s, text);
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
    pl_call_session *s = user;
    if (!s->started)
        return; /* the callee answers first */
    s->making_offer = true;
    pl_err err = pl_peer_connection_set_local_description(s->pc, PL_SDP_OFFER, NULL);
    if (err)
        fail(s, "no offer", err);
    else
        send_description(s);
    s->making_offer = false;
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    pl_call_session *s = user;
    send_json(s, json_pack("{ss ss si ss}", "candidate", c->candidate, "sdpMid", c->sdp_mid, "sdpMLineIndex",
                           c->sdp_mline_index, "usernameFragment", c->username_fragment));
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

static void take_description(pl_call_session *s, pl_sdp_type type, const char *sdp)
{
    bool stable = pl_peer_connection_get_signaling_state(s->pc) == PL_SIGNALING_STABLE;
    bool collision = type == PL_SDP_OFFER && (s->making_offer || !stable);
    s->ignore_offer = s->conf.caller && collision;
    if (s->ignore_offer)
        return;
    pl_err err = pl_peer_connection_set_remote_description(s->pc, type, sdp);
    if (err) {
        fail(s, "the peer's description", err);
        return;
    }
    s->started = true;
    if (type != PL_SDP_OFFER)
        return;
    err = pl_peer_connection_set_local_description(s->pc, PL_SDP_ANSWER, NULL);
    if (err)
        fail(s, "no answer", err);
    else
        send_description(s);
}

static void take_candidate(pl_call_session *s, const json_t *o)
{
    const json_t *mline = json_object_get(o, "sdpMLineIndex");
    pl_ice_candidate c = { .candidate = json_string_value(json_object_get(o, "candidate")),
                           .sdp_mid = json_string_value(json_object_get(o, "sdpMid")),
                           .sdp_mline_index = json_is_integer(mline) ? (int)json_integer_value(mline) : -1,
                           .username_fragment = json_string_value(json_object_get(o, "usernameFragment")) };
    if (c.candidate && pl_peer_connection_add_ice_candidate(s->pc, &c) && !s->ignore_offer)
        progress(s, "a candidate of the peer is of no use");
}

void pl_call_session_message(pl_call_session *s, const char *text, size_t len)
{
    if (s->ended)
        return;
    if (len == 3 && memcmp(text, "BYE", 3) == 0) { /* the classic client's way */
        end(s, NULL);
        return;
    }
    json_t *o = json_loadb(text, len, 0, NULL);
    const char *type = json_string_value(json_object_get(o, "type"));
    const char *sdp = json_string_value(json_object_get(o, "sdp"));
    if (type && strcmp(type, "bye") == 0)
        end(s, NULL);
    else if (type && sdp && strcmp(type, "offer") == 0)
        take_description(s, PL_SDP_OFFER, sdp);
    else if (type && sdp && strcmp(type, "answer") == 0)
        take_description(s, PL_SDP_ANSWER, sdp);
    else if (json_object_get(o, "candidate"))
        take_candidate(s, o);
    else
        progress(s, "a message of the peer is not understood");
    json_decref(o);
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
    s->started = conf->caller; /* its offer follows from negotiation needed */
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
    send_json(s, json_pack("{ss}", "type", "bye"));
    end(s, NULL);
}

void pl_call_session_free(pl_call_session *s)
{
    if (!s)
        return;
    pl_media_free(s->media);
    pl_data_channel_free(s->chat);
    pl_peer_connection_free(s->pc);
    free(s);
}
