/* connection.c - a session's peer connection: it stands between the connection and the application's observer, negotiates, and
 * asks for another path where the way can carry that. */
#include <stdlib.h>
#include <string.h>

#include "peer/media_port.h"
#include "session/session_internal.h"

/* ---- what negotiation says ---- */

static pl_err say_description(void *user, pl_sdp_type type, const char *sdp)
{
    pl_session *s = user;
    return s->dropped ? PL_EAGAIN : s->sig->backend->describe(s, type, sdp);
}

static void say_candidate(void *user, const pl_ice_candidate *c)
{
    pl_session *s = user;
    if (s->over || s->dropped)
        return;
    pl_err err = s->sig->backend->candidate(s, c);
    if (err && err != PL_ESTATE)
        pl_session_note(s, "a candidate cannot be sent: %s", pl_err_str(err));
}

static void negotiation_refused(void *user, pl_err err, const char *why)
{
    pl_session *s = user;
    if (s->n_restarts)
        s->n_restarts = SESSION_RESTARTS_MAX; /* until the path is well by itself */
    if (pl_peer_connection_get_connection_state(s->pc) == PL_CONNECTION_FAILED)
        session_end(s, PL_SESSION_FAILED, why);
    else
        session_refused(s, err, why);
}

static void negotiation_withdrawn(void *user)
{
    pl_session *s = user;
    if (!s->dropped && s->sig->backend->withdrawn)
        s->sig->backend->withdrawn(s);
}

static void negotiation_failed(void *user, pl_err err, const char *why)
{
    (void)err;
    session_end(user, PL_SESSION_FAILED, why);
}

static void negotiation_note(void *user, const char *text)
{
    pl_session_note(user, "%s", text);
}

/* ---- the path ---- */

static void look_again(pl_session *s, int64_t in_us)
{
    pl_timer_set(s->sig->loop, &s->silent, pl_loop_now_us(s->sig->loop) + in_us);
}

/* Not while an earlier one waits for its answer. */
static void restart(pl_session *s, const char *why)
{
    if (s->over)
        return;
    look_again(s, SESSION_ANSWER_US);
    if (s->n_restarts == SESSION_RESTARTS_MAX ||
        pl_peer_connection_get_signaling_state(s->pc) != PL_SIGNALING_STABLE)
        return;
    s->n_restarts++;
    pl_session_note(s, "%s: restarting ICE", why);
    pl_peer_connection_restart_ice(s->pc);
}

static void on_silent(void *user, int64_t now_us)
{
    pl_session *s = user;
    (void)now_us;
    if (pl_peer_connection_get_connection_state(s->pc) == PL_CONNECTION_FAILED)
        session_end(s, PL_SESSION_FAILED, "the path is lost, and the other side does not answer");
    else
        restart(s, "the path is silent");
}

/* What took the path, another network or a router's reboot, may have taken the way as well: it is to be there when the restart
 * is to be told. */
static void path_is_silent(pl_session *s)
{
    if (s->sig->backend->check && !s->dropped)
        s->sig->backend->check(s->sig);
    if (s->sig->backend->restarts)
        look_again(s, SESSION_SILENT_US);
    else
        pl_session_note(s, "the path is silent: waiting for it to come back");
}

static void path_is_lost(pl_session *s, const char *reason)
{
    if (s->connected && s->sig->backend->restarts && s->n_restarts < SESSION_RESTARTS_MAX && !s->dropped)
        restart(s, "the path is lost");
    else
        session_end(s, PL_SESSION_FAILED, reason);
}

/* The end is told after the state, so the application hears of both in order. */
static void watch(pl_session *s, pl_peer_connection_state state, const char *reason)
{
    if (s->over)
        return;
    if (state != PL_CONNECTION_DISCONNECTED)
        pl_timer_cancel(s->sig->loop, &s->silent);
    if (state == PL_CONNECTION_CONNECTED) {
        s->connected = true;
        s->n_restarts = 0;
    } else if (state == PL_CONNECTION_DISCONNECTED && reason[0]) {
        session_end(s, PL_SESSION_GONE, "");
        s->reason = PL_SESSION_HUNG_UP; /* they closed the connection, and know */
    } else if (state == PL_CONNECTION_DISCONNECTED) {
        path_is_silent(s);
    } else if (state == PL_CONNECTION_FAILED) {
        path_is_lost(s, reason);
    }
}

/* ---- between the connection and the application ---- */

static void on_negotiation_needed(void *user)
{
    pl_session *s = user;
    pl_peer_connection_observer app = s->app;
    if (!s->over && s->started)
        pl_negotiation_needed(&s->negotiation);
    else if (!s->over)
        s->negotiation.wants = true;
    if (app.on_negotiation_needed)
        app.on_negotiation_needed(app.user);
}

static void on_signaling_state(void *user, pl_signaling_state state)
{
    pl_peer_connection_observer app = ((pl_session *)user)->app;
    if (app.on_signaling_state)
        app.on_signaling_state(app.user, state);
}

static void on_gathering(void *user, pl_ice_gathering_state state)
{
    pl_session *s = user;
    pl_peer_connection_observer app = s->app;
    if (!s->over)
        pl_negotiation_gathering(&s->negotiation, state);
    if (app.on_ice_gathering_state)
        app.on_ice_gathering_state(app.user, state);
}

static void on_candidate(void *user, const pl_ice_candidate *c)
{
    pl_session *s = user;
    pl_peer_connection_observer app = s->app;
    if (!s->over)
        pl_negotiation_local_candidate(&s->negotiation, c);
    if (app.on_ice_candidate)
        app.on_ice_candidate(app.user, c);
}

static void on_candidate_error(void *user, const pl_ice_candidate_error *e)
{
    pl_peer_connection_observer app = ((pl_session *)user)->app;
    if (app.on_ice_candidate_error)
        app.on_ice_candidate_error(app.user, e);
}

static void on_ice_connection(void *user, pl_ice_connection_state state)
{
    pl_peer_connection_observer app = ((pl_session *)user)->app;
    if (app.on_ice_connection_state)
        app.on_ice_connection_state(app.user, state);
}

static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    pl_session *s = user;
    pl_peer_connection_observer app = s->app;
    watch(s, state, reason);
    if (app.on_connection_state)
        app.on_connection_state(app.user, state, reason);
}

static void on_data_channel(void *user, pl_data_channel *c)
{
    pl_peer_connection_observer app = ((pl_session *)user)->app;
    if (app.on_data_channel)
        app.on_data_channel(app.user, c);
    else
        pl_data_channel_free(c);
}

static void on_track(void *user, pl_rtp_transceiver *t)
{
    pl_peer_connection_observer app = ((pl_session *)user)->app;
    if (app.on_track)
        app.on_track(app.user, t);
}

/* ---- life ---- */

static pl_err new_connection(pl_session *s, pl_factory *factory, const pl_configuration *conf)
{
    const pl_peer_connection_observer between = { .user = s,
                                                  .on_negotiation_needed = on_negotiation_needed,
                                                  .on_signaling_state = on_signaling_state,
                                                  .on_ice_gathering_state = on_gathering,
                                                  .on_ice_candidate = on_candidate,
                                                  .on_ice_candidate_error = on_candidate_error,
                                                  .on_ice_connection_state = on_ice_connection,
                                                  .on_connection_state = on_connection,
                                                  .on_data_channel = on_data_channel,
                                                  .on_track = on_track };
    pl_configuration own = conf ? *conf : (pl_configuration){ 0 };
    if (!s->outgoing && s->sig->backend->callee_mids)
        own.mid_prefix = s->sig->backend->callee_mids;
    pl_err err = pl_peer_connection_new(&s->pc, factory, &own, &between);
    s->has_servers = conf && conf->n_ice_servers > 0;
    if (!err && s->n_servers)
        pl_session_add_servers(s, s->servers, s->n_servers);
    return err;
}

pl_err pl_session_open_connection(pl_session *s, pl_peer_connection **out, pl_factory *factory,
                                  const pl_configuration *conf, const pl_peer_connection_observer *observer)
{
    const pl_backend *backend = s->sig->backend;
    *out = NULL;
    if (s->pc || s->over || !s->accepted)
        return PL_ESTATE;
    if (!pl_peer_factory_is_on(factory, s->sig->loop))
        return PL_EINVAL;
    s->app = observer ? *observer : (pl_peer_connection_observer){ 0 };
    pl_err err = new_connection(s, factory, conf);
    if (err)
        return err;
    s->silent = (pl_timer){ .fn = on_silent, .arg = s };
    s->negotiation = (pl_negotiation){ .pc = s->pc,
                                       .whole = backend->whole,
                                       .user = s,
                                       .describe = say_description,
                                       .candidate = say_candidate,
                                       .refused = negotiation_refused,
                                       .withdrawn = negotiation_withdrawn,
                                       .failed = negotiation_failed,
                                       .note = negotiation_note };
    s->due.start = true; /* when the application has put its tracks on it */
    session_due(s);
    *out = s->pc;
    return PL_OK;
}

bool connection_takes(const pl_session *s)
{
    return s->started;
}

static bool is_polite(const pl_session *s)
{
    const pl_backend *b = s->sig->backend;
    return b->polite && !s->dropped ? b->polite(s) : !s->outgoing;
}

static void take_early(pl_session *s)
{
    char *sdp = s->early;
    s->early = NULL;
    if (sdp)
        pl_negotiation_description(&s->negotiation, s->early_type, sdp);
    free(sdp);
    for (pl_node *n; !s->over && (n = pl_list_pop_front(&s->early_candidates));) {
        session_candidate *k = pl_of(n, session_candidate, node);
        const pl_ice_candidate c = { k->text, k->mid, k->mline, k->ufrag };
        pl_negotiation_remote_candidate(&s->negotiation, &c);
        free(k);
    }
    s->n_early = 0;
}

void connection_start(pl_session *s)
{
    if (s->over || !s->pc)
        return;
    s->started = true;
    s->negotiation.polite = is_polite(s);
    take_early(s);
    if (s->reached && !s->over)
        pl_negotiation_start(&s->negotiation);
}

void connection_close(pl_session *s)
{
    pl_timer_cancel(s->sig->loop, &s->silent);
}

void connection_free(pl_session *s)
{
    pl_timer_cancel(s->sig->loop, &s->silent);
    pl_peer_connection_free(s->pc);
    s->pc = NULL;
    pl_negotiation_clear(&s->negotiation);
}

/* ---- servers of the way ---- */

static const char *put(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t n = strlen(text) + 1;
    const char *start = memcpy(*at, text, n);
    *at += n;
    return start;
}

static size_t room_for(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static pl_err keep_servers(pl_session *s, const pl_ice_server *servers, size_t n)
{
    size_t bytes = n * sizeof *servers;
    for (size_t i = 0; i < n; i++)
        bytes += room_for(servers[i].url) + room_for(servers[i].username) + room_for(servers[i].credential);
    pl_ice_server *copy = malloc(bytes);
    if (!copy)
        return PL_ENOMEM;
    char *at = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        copy[i].url = put(&at, servers[i].url);
        copy[i].username = put(&at, servers[i].username);
        copy[i].credential = put(&at, servers[i].credential);
    }
    free(s->servers);
    s->servers = copy;
    s->n_servers = n;
    return PL_OK;
}

void pl_session_add_servers(pl_session *s, const pl_ice_server *servers, size_t n)
{
    if (!n || s->over || s->has_servers)
        return;
    pl_err err = s->pc ? pl_peer_connection_add_ice_servers(s->pc, servers, n) : keep_servers(s, servers, n);
    s->has_servers = s->pc && !err;
    if (err)
        pl_session_note(s, "the ICE servers that the other side names are of no use");
}
