#include "cli/whip_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "cli/report.h"
#include "net/loop.h"
#include "sdp/fragment.h"
#include "sdp/sdp.h"
#include "signal/whip_curl.h"

enum { RESTARTS_MAX = 5, SILENT_US = 2000000 };

struct pl_whip_run {
    pl_whip_run_conf conf;
    pl_whip_curl *http;
    pl_peer_connection *pc; /* NULL until the endpoint has named its servers */
    pl_media *media;
    char *offer; /* whose candidates need not be told again */
    pl_timer silent;
    bool has_servers, connected, ended, restarting, expects[2];
    int n_restarts;
    int64_t made_us, connected_us, ended_us;
};

static void progress(pl_whip_run *s, const char *text)
{
    s->conf.progress(s->conf.user, text);
}

static void end(pl_whip_run *s, const char *reason)
{
    if (s->ended)
        return;
    s->ended = true;
    s->ended_us = pl_clock_us();
    pl_timer_cancel(s->conf.loop, &s->silent);
    s->conf.ended(s->conf.user, reason);
}

static void fail(pl_whip_run *s, const char *what, pl_err err)
{
    char why[200] = "", text[300];
    if (s->pc)
        pl_peer_connection_error_text(s->pc, why, sizeof why);
    snprintf(text, sizeof text, "%s: %s", what, why[0] ? why : pl_err_str(err));
    end(s, text);
}

/* ---- candidates ---- */

static bool is_in_offer(const pl_whip_run *s, const char *line)
{
    return s->offer && strstr(s->offer, line[0] ? line : "a=end-of-candidates");
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    pl_whip_run *s = user;
    if (is_in_offer(s, c->candidate))
        return;
    if (pl_whip_client_candidate(pl_whip_curl_client(s->http), c->candidate))
        progress(s, "there are too many candidates: one is left out");
    pl_whip_curl_kick(s->http);
}

static void on_candidate_error(void *user, const pl_ice_candidate_error *e)
{
    char text[400];
    snprintf(text, sizeof text, "%s gives no candidate: %d %s", e->url, e->error_code, e->error_text);
    if (e->error_code < 700)
        progress(user, text);
}

/* ---- offer and answer ---- */

static pl_err make_local_offer(pl_whip_run *s)
{
    pl_sdp_type type;
    pl_err err = pl_peer_connection_set_local_description(s->pc, PL_SDP_OFFER, NULL);
    pl_free(s->offer);
    s->offer = NULL;
    if (!err)
        err = pl_peer_connection_local_description(s->pc, &type, &s->offer);
    return err ? err : s->offer ? PL_OK : PL_ENOMEM;
}

static void restart(pl_whip_run *s, const char *why)
{
    if (s->ended || s->restarting || s->n_restarts == RESTARTS_MAX ||
        pl_peer_connection_get_signaling_state(s->pc) != PL_SIGNALING_STABLE)
        return;
    progress(s, why);
    s->n_restarts++;
    pl_peer_connection_restart_ice(s->pc);
    pl_err err = make_local_offer(s);
    if (!err)
        err = pl_whip_client_restart(pl_whip_curl_client(s->http), s->offer);
    s->restarting = err == PL_OK;
    if (err)
        fail(s, "no ICE restart", err);
    pl_whip_curl_kick(s->http);
}

static void on_silent(void *user, int64_t now_us)
{
    (void)now_us;
    restart(user, "the path is silent: restarting ICE");
}

/* The answer of before with the fragment's ICE names (RFC 9725 4.3.3). */
static pl_err answer_again(pl_whip_run *s, const char *fragment)
{
    pl_sdp_fragment f;
    pl_sdp_type type;
    pl_desc *d = NULL;
    char *old = NULL, *answer = NULL;
    pl_err err = pl_sdp_fragment_parse(&f, pl_str_of(fragment));
    if (!err)
        err = pl_peer_connection_remote_description(s->pc, &type, &old);
    if (!err)
        err = pl_sdp_parse(&d, old ? old : "", old ? strlen(old) : 0, NULL);
    if (!err)
        err = pl_sdp_fragment_apply(&f, d);
    if (!err)
        err = pl_sdp_write(d, &answer, NULL);
    if (!err)
        err = pl_peer_connection_set_remote_description(s->pc, PL_SDP_ANSWER, answer);
    pl_desc_free(d);
    pl_free(old);
    free(answer);
    return err;
}

static void on_restarted(pl_whip_run *s, const char *fragment)
{
    s->restarting = false;
    pl_err err = answer_again(s, fragment);
    if (err)
        fail(s, "the server's answer to an ICE restart", err);
    else
        progress(s, "ICE is restarted");
}

static void on_no_restart(pl_whip_run *s, const char *why)
{
    s->restarting = false;
    s->n_restarts = RESTARTS_MAX;
    progress(s, why);
    if (pl_peer_connection_set_local_description(s->pc, PL_SDP_ROLLBACK, NULL))
        progress(s, "the restart cannot be taken back");
    if (pl_peer_connection_get_connection_state(s->pc) == PL_CONNECTION_FAILED)
        end(s, "the path is lost, and the server does not restart ICE");
}

static void add_servers(pl_whip_run *s, const pl_whip_links *links)
{
    pl_ice_server server[PL_WHIP_LINKS_MAX];
    for (size_t i = 0; i < links->n; i++) {
        const pl_whip_link *l = &links->link[i];
        server[i] = (pl_ice_server){ l->url, l->username[0] ? l->username : NULL,
                                     l->credential[0] ? l->credential : NULL };
    }
    if (!s->has_servers && links->n > 0 && pl_peer_connection_add_ice_servers(s->pc, server, links->n))
        progress(s, "the ICE servers that the endpoint names are of no use");
    else
        s->has_servers |= links->n > 0;
}

static void on_answer(pl_whip_run *s, const pl_whip_event *ev)
{
    pl_err err = pl_peer_connection_set_remote_description(s->pc, PL_SDP_ANSWER, ev->text);
    if (err)
        fail(s, "the server's answer", err);
    else
        add_servers(s, ev->links);
}

/* ---- connection ---- */

static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    pl_whip_run *s = user;
    if (state != PL_CONNECTION_DISCONNECTED)
        pl_timer_cancel(s->conf.loop, &s->silent);
    if (state == PL_CONNECTION_CONNECTED) {
        progress(s, s->connected ? "connected again" : "connected");
        s->connected_us = s->connected ? s->connected_us : pl_clock_us();
        s->connected = true;
        s->n_restarts = 0;
    } else if (state == PL_CONNECTION_DISCONNECTED && reason[0]) {
        end(s, s->conf.play ? NULL : "the server has closed the connection");
    } else if (state == PL_CONNECTION_DISCONNECTED) {
        pl_timer_set(s->conf.loop, &s->silent, pl_clock_us() + SILENT_US);
    } else if (state == PL_CONNECTION_FAILED) {
        bool again = s->connected && s->n_restarts < RESTARTS_MAX;
        if (again)
            restart(s, "the path is lost: restarting ICE");
        else
            end(s, reason);
    }
}

static void on_track(void *user, pl_rtp_transceiver *t)
{
    pl_whip_run *s = user;
    s->expects[pl_rtp_transceiver_kind(t)] = true;
}

static pl_err add_media(pl_whip_run *s)
{
    const pl_transceiver_init init = { .direction = s->conf.play ? PL_RECVONLY : PL_SENDONLY,
                                       .stream_id = "peerline" };
    pl_err err = PL_OK;
    for (int k = 0; k < 2 && !err; k++) {
        pl_rtp_transceiver *t;
        if (!s->conf.kind[k])
            continue;
        err = pl_peer_connection_add_transceiver(s->pc, (pl_media_type)k, &init, &t);
        if (!err)
            err = pl_media_attach(s->media, t);
    }
    return err;
}

static void on_ready(pl_whip_run *s, const pl_whip_links *links)
{
    const pl_peer_connection_observer observer = { .user = s,
                                                   .on_ice_candidate = on_candidate,
                                                   .on_ice_candidate_error = on_candidate_error,
                                                   .on_connection_state = on_connection,
                                                   .on_track = on_track };
    s->has_servers = s->conf.connection->n_ice_servers > 0;
    pl_err err = pl_peer_connection_new(&s->pc, s->conf.factory, s->conf.connection, &observer);
    if (!err) {
        add_servers(s, links);
        err = add_media(s);
    }
    if (!err)
        err = make_local_offer(s);
    if (!err)
        err = pl_whip_client_offer(pl_whip_curl_client(s->http), pl_clock_us(), s->offer);
    if (err)
        fail(s, "no offer can be made", err);
    pl_whip_curl_kick(s->http);
}

static void on_event(void *user, const pl_whip_event *ev)
{
    pl_whip_run *s = user;
    if (s->ended && ev->kind != PL_WHIP_CLOSED && ev->kind != PL_WHIP_NOTE)
        return;
    switch (ev->kind) {
    case PL_WHIP_READY: on_ready(s, ev->links); break;
    case PL_WHIP_ANSWER: on_answer(s, ev); break;
    case PL_WHIP_RESTARTED: on_restarted(s, ev->text); break;
    case PL_WHIP_NO_RESTART: on_no_restart(s, ev->text); break;
    case PL_WHIP_NOTE: progress(s, ev->text); break;
    case PL_WHIP_FAILED: end(s, ev->text); break;
    case PL_WHIP_CLOSED: s->conf.closed(s->conf.user); break;
    }
}

/* ---- verbs ---- */

pl_err pl_whip_run_new(pl_whip_run **out, const pl_whip_run_conf *conf, char *error, size_t cap)
{
    *out = NULL;
    error[0] = '\0';
    pl_whip_run *s = calloc(1, sizeof *s);
    if (!s)
        return PL_ENOMEM;
    s->conf = *conf;
    s->made_us = pl_clock_us();
    s->silent = (pl_timer){ .fn = on_silent, .arg = s };
    const pl_whip_curl_conf http = { .client = { .url = conf->url,
                                                 .token = conf->token,
                                                 .no_options = conf->no_options,
                                                 .patience_us = (int64_t)(conf->patience_s * 1e6) },
                                     .ca_file = conf->ca_file,
                                     .event = on_event,
                                     .user = s };
    pl_err err = pl_media_new(&s->media, &conf->media, error, cap);
    if (!err && (err = pl_whip_curl_new(&s->http, conf->loop, &http)))
        snprintf(error, cap, "%s",
                 err == PL_EINVAL ? "an http or https address is wanted, and a token without blanks"
                                  : pl_err_str(err));
    if (err) {
        pl_whip_run_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

bool pl_whip_run_connected(const pl_whip_run *s)
{
    return s->connected;
}

double pl_whip_run_seconds(const pl_whip_run *s)
{
    int64_t until_us = s->ended ? s->ended_us : pl_clock_us();
    return s->connected ? (double)(until_us - s->connected_us) / 1e6 : 0;
}

int64_t pl_whip_run_deadline_us(const pl_whip_run *s)
{
    return s->connected ? PL_NEVER : s->made_us + (int64_t)(s->conf.patience_s * 1e6);
}

void pl_whip_run_restart(pl_whip_run *s)
{
    if (s->connected)
        restart(s, "restarting ICE");
}

void pl_whip_run_end(pl_whip_run *s)
{
    end(s, NULL);
    pl_whip_client_end(pl_whip_curl_client(s->http));
    pl_whip_curl_kick(s->http);
}

json_t *pl_whip_run_report(pl_whip_run *s, const char *failure)
{
    const pl_report_conf conf = { .name = s->conf.play ? "play" : "publish",
                                  .peer = s->conf.url,
                                  .seconds = pl_whip_run_seconds(s),
                                  .failure = failure,
                                  .want_audio = s->expects[PL_AUDIO],
                                  .want_video = s->expects[PL_VIDEO] };
    return s->pc ? pl_report_make(s->pc, s->media, &conf) : NULL;
}

void pl_whip_run_free(pl_whip_run *s)
{
    if (!s)
        return;
    pl_timer_cancel(s->conf.loop, &s->silent);
    pl_whip_curl_free(s->http);
    pl_media_free(s->media);
    pl_peer_connection_free(s->pc);
    pl_free(s->offer);
    free(s);
}
