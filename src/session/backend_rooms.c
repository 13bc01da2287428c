/* backend_rooms.c - calls through a server's rooms, by the classic protocol or WebSocket.
 * Source   docs/signaling.md, "What peers say to each other": one call between two peers at a time; the first offer calls. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"
#include "session/backend.h"
#include "session/rooms_url.h"
#include "session/words.h"
#include "signal/client.h"
#include "signal/client_peers.h"

static const int64_t sign_out_us = PL_SEC(1);

typedef struct rooms {
    pl_signaling *sig;
    pl_room_client *client;
    client_peers peers; /* who is there */
    char *want;         /* of the URL, or NULL */
    char name[PL_ROOMS_NAME_MAX + 1];
    bool in;
    pl_timer bye; /* the sign-out takes too long, or there is nothing to sign out of */
} rooms;

/* A session's state. */
typedef struct rooms_call {
    pl_peer_id peer; /* 0: not there yet, or lost with the sign-in of which it was known */
    bool waited;     /* people have been told that it is not there */
} rooms_call;

static rooms *rooms_of(const pl_session *s)
{
    return pl_sig_state(pl_session_signaling(s));
}

static rooms_call *call_of(const pl_session *s)
{
    return pl_session_state(s);
}

/* ---- who ---- */

enum { ADDRESS_MAX = 16 };

static const char *address_of(pl_peer_id id, char out[ADDRESS_MAX])
{
    snprintf(out, ADDRESS_MAX, "#%" PRIu32, id);
    return out;
}

/* By address first: names are what anybody chooses. Of those with one name the one that came first. */
static const client_peer *find(const rooms *r, const char *to)
{
    char address[ADDRESS_MAX];
    const client_peer *named = NULL;
    for (size_t i = 0; i < r->peers.n; i++) {
        const client_peer *p = &r->peers.at[i];
        if (strcmp(address_of(p->id, address), to) == 0)
            return p;
        if (!named && strcmp(p->name, to) == 0)
            named = p;
    }
    return named;
}

static const char *name_of(const rooms *r, pl_peer_id id)
{
    for (size_t i = 0; i < r->peers.n; i++) {
        if (r->peers.at[i].id == id)
            return r->peers.at[i].name;
    }
    return "somebody";
}

/* The session with a peer, of which there is one that is not over. */
static pl_session *session_with(const rooms *r, pl_peer_id peer)
{
    for (pl_session *s = pl_sig_next(r->sig, NULL); s; s = pl_sig_next(r->sig, s)) {
        const rooms_call *c = call_of(s);
        if (c && c->peer == peer && !pl_session_is_over(s))
            return s;
    }
    return NULL;
}

/* ---- saying ---- */

/* Takes text. */
static pl_err say_to(rooms *r, pl_peer_id peer, char *text)
{
    pl_err err = !text   ? PL_ENOMEM
                 : !peer ? PL_EAGAIN
                         : pl_room_client_send(r->client, peer, text, strlen(text));
    free(text);
    return err == PL_ESTATE ? PL_EAGAIN : err;
}

static void answer_bye(rooms *r, pl_peer_id peer, pl_session_reason reason)
{
    if (say_to(r, peer, pl_words_bye(reason, NULL)))
        pl_sig_note(r->sig, "the server did not take a message");
}

static pl_err rooms_describe(pl_session *s, pl_sdp_type type, const char *sdp)
{
    return say_to(rooms_of(s), call_of(s)->peer, pl_words_description(type, sdp, NULL));
}

static pl_err rooms_candidate(pl_session *s, const pl_ice_candidate *c)
{
    return say_to(rooms_of(s), call_of(s)->peer, pl_words_candidate(c, NULL));
}

static pl_err rooms_ring(pl_session *s)
{
    return say_to(rooms_of(s), call_of(s)->peer, pl_words_ringing(NULL));
}

static void rooms_end(pl_session *s, pl_session_reason reason, const char *why)
{
    (void)why;
    if (reason != PL_SESSION_GONE && call_of(s)->peer) /* who is gone might be calling anew already */
        answer_bye(rooms_of(s), call_of(s)->peer, reason);
}

/* ---- calling ---- */

static void look_for(rooms *r, pl_session *s)
{
    rooms_call *c = call_of(s);
    const char *to = pl_session_to(s) ? pl_session_to(s) : r->want;
    const client_peer *p = find(r, to);
    char address[ADDRESS_MAX];
    if (c->peer || pl_session_is_over(s))
        return;
    if (p && !session_with(r, p->id)) {
        c->peer = p->id;
        pl_session_set_peer(s, address_of(p->id, address), p->name);
        pl_session_reached(s);
    } else if (!c->waited) {
        c->waited = true;
        pl_session_note(s, p ? "%s is in another call: waiting" : "%s is not here yet: waiting", to);
    }
}

static void look_for_all(rooms *r)
{
    for (pl_session *s = pl_sig_next(r->sig, NULL); s; s = pl_sig_next(r->sig, s)) {
        if (call_of(s) && pl_session_is_outgoing(s) && !pl_session_is_agreed(s))
            look_for(r, s);
    }
}

static pl_err rooms_call_out(pl_session *s)
{
    rooms *r = rooms_of(s);
    const char *to = pl_session_to(s) ? pl_session_to(s) : r->want;
    const client_peer *p = find(r, to);
    if (p && session_with(r, p->id))
        return PL_ESTATE;
    rooms_call *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    pl_session_set_state(s, c);
    if (r->in)
        look_for(r, s);
    return PL_OK;
}

static void rooms_drop(pl_session *s)
{
    free(call_of(s));
}

static bool rooms_polite(const pl_session *s)
{
    return pl_room_client_id(rooms_of(s)->client) > call_of(s)->peer;
}

/* ---- being called ---- */

static void called(rooms *r, pl_peer_id from, const pl_words *w)
{
    char address[ADDRESS_MAX];
    const char *name = name_of(r, from);
    pl_session *s;
    address_of(from, address);
    if (!pl_sig_may_call(r->sig, address, name, true)) {
        answer_bye(r, from, PL_SESSION_DECLINED);
        return;
    }
    rooms_call *c = calloc(1, sizeof *c);
    pl_err err = c ? pl_sig_called(r->sig, &s, address, name) : PL_ENOMEM;
    if (err) {
        free(c);
        answer_bye(r, from, err == PL_ESTATE ? PL_SESSION_DECLINED : PL_SESSION_BUSY);
        return;
    }
    c->peer = from;
    pl_session_set_state(s, c);
    pl_session_described(s, PL_SDP_OFFER, w->sdp);
}

/* Whoever offers files hears that nobody takes them here. */
static void decline_other(rooms *r, pl_peer_id from, const json_t *o)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    if (!type || strcmp(type, "offer") != 0)
        return;
    json_t *bye = json_pack("{ss sO ss sO* sO*}", "type", "bye", "for", json_object_get(o, "for"), "reason",
                            "declined", "id", json_object_get(o, "id"), "try", json_object_get(o, "try"));
    char *text = bye ? json_dumps(bye, JSON_COMPACT) : NULL;
    json_decref(bye);
    if (say_to(r, from, text))
        pl_sig_note(r->sig, "the server did not take a message");
}

static void hear_bye(pl_session *s, pl_session_reason reason)
{
    bool undecided = !pl_session_is_outgoing(s) && !pl_session_is_accepted(s);
    pl_session_over(s, undecided ? PL_SESSION_CANCELLED : reason, "");
}

static void hear(rooms *r, pl_peer_id from, const pl_words *w)
{
    pl_session *s = session_with(r, from);
    if (w->kind == PL_WORDS_OTHER && json_object_get(w->json, "for"))
        decline_other(r, from, w->json);
    else if (w->kind == PL_WORDS_OFFER && !s)
        called(r, from, w);
    else if (!s)
        return; /* of a call that is over, or that never was */
    else if (w->kind == PL_WORDS_OFFER || w->kind == PL_WORDS_ANSWER)
        pl_session_described(s, w->kind == PL_WORDS_OFFER ? PL_SDP_OFFER : PL_SDP_ANSWER, w->sdp);
    else if (w->kind == PL_WORDS_CANDIDATE)
        pl_session_trickled(s, &w->cand);
    else if (w->kind == PL_WORDS_RINGING)
        pl_session_rings(s);
    else if (w->kind == PL_WORDS_BYE)
        hear_bye(s, w->reason);
    else
        pl_session_note(s, "a message of the peer is not understood");
}

static void on_message(void *user, pl_peer_id from, const char *text, size_t len)
{
    pl_words w;
    if (pl_words_read(&w, text, len))
        return; /* others may use the room for what they like */
    hear(user, from, &w);
    pl_words_clear(&w);
}

/* ---- the room ---- */

static void tell_peer(rooms *r, const pl_room_peer *p, bool here, bool before)
{
    char address[ADDRESS_MAX];
    const pl_signaling_peer peer = { address_of(p->id, address), p->name, here, before };
    pl_sig_peer(r->sig, &peer);
}

static void on_signed_in(void *user, pl_peer_id id, const pl_room_peer *peers, size_t n)
{
    rooms *r = user;
    char text[PL_ROOMS_NAME_MAX + 64];
    (void)id;
    r->in = true;
    snprintf(text, sizeof text, "signed in as %s; %zu other%s here", r->name, n, n == 1 ? "" : "s");
    pl_sig_opened(r->sig, text);
    for (size_t i = 0; i < n; i++) {
        client_peers_add(&r->peers, peers[i].id, peers[i].name);
        tell_peer(r, &peers[i], true, true);
    }
    look_for_all(r);
}

static void on_joined(void *user, const pl_room_peer *peer)
{
    rooms *r = user;
    pl_session *s = session_with(r, peer->id);
    client_peers_add(&r->peers, peer->id, peer->name);
    tell_peer(r, peer, true, false);
    if (s) /* it called before we heard its name */
        pl_session_set_peer(s, NULL, peer->name);
    look_for_all(r);
}

/* A call that is connected needs no room: it ends when its path dies. */
static void on_left(void *user, const pl_room_peer *peer)
{
    rooms *r = user;
    pl_session *s = session_with(r, peer->id);
    tell_peer(r, peer, false, false);
    if (s && !pl_session_was_connected(s))
        pl_session_over(s, PL_SESSION_GONE, "the peer has left");
    client_peers_remove(&r->peers, peer->id); /* peer may be what stands there */
}

/* With the sign-in the ids are lost. Who was only looked for is looked for again. */
static void on_closed(void *user, pl_err err, const char *why, bool again)
{
    rooms *r = user;
    r->in = false;
    client_peers_clear(&r->peers);
    for (pl_session *s = pl_sig_next(r->sig, NULL); s; s = pl_sig_next(r->sig, s)) {
        rooms_call *c = call_of(s);
        bool waits = again && c && !c->peer && pl_session_is_outgoing(s) && !pl_session_is_agreed(s);
        if (c)
            c->peer = 0;
        if (!waits && !pl_session_is_agreed(s))
            pl_session_over(s, PL_SESSION_GONE, why);
    }
    pl_timer_cancel(pl_sig_loop(r->sig), &r->bye);
    pl_sig_closed(r->sig, err, why, again);
}

static void on_bye_time(void *user, int64_t now_us)
{
    (void)now_us;
    on_closed(user, PL_OK, "", false);
}

static void rooms_close(pl_signaling *sig)
{
    rooms *r = pl_sig_state(sig);
    pl_room_client_sign_out(r->client);
    pl_timer_set(pl_sig_loop(sig), &r->bye, pl_loop_now_us(pl_sig_loop(sig)) + (r->in ? sign_out_us : 0));
}

static void rooms_check(pl_signaling *sig)
{
    pl_room_client_check(((rooms *)pl_sig_state(sig))->client);
}

static void rooms_free(pl_signaling *sig)
{
    rooms *r = pl_sig_state(sig);
    pl_timer_cancel(pl_sig_loop(sig), &r->bye);
    pl_room_client_free(r->client);
    client_peers_clear(&r->peers);
    free(r->want);
    free(r);
}

static void choose_name(rooms *r, const char *wanted)
{
    char host[64] = "peerline";
    (void)gethostname(host, sizeof host - 1);
    if (wanted)
        snprintf(r->name, sizeof r->name, "%s", wanted);
    else
        snprintf(r->name, sizeof r->name, "peerline@%s", host);
}

static pl_err open_client(rooms *r, const pl_signaling_conf *conf, const pl_rooms_url *url)
{
    const pl_room_client_conf client = { .url = url->server,
                                         .name = r->name,
                                         .room = url->room[0] ? url->room : NULL,
                                         .once = conf->once,
                                         .on = { on_signed_in, on_joined, on_left, on_message, on_closed },
                                         .user = r };
    return pl_room_client_new(&r->client, pl_sig_loop(r->sig), &client);
}

static pl_err rooms_open(pl_signaling *sig, const pl_signaling_conf *conf, char *error, size_t cap)
{
    pl_rooms_url url;
    pl_err err = conf->name && strlen(conf->name) > PL_ROOMS_NAME_MAX
                     ? PL_EINVAL
                     : pl_rooms_url_parse(&url, conf->url, conf->room);
    if (err) {
        snprintf(error, cap, "no address of a server's rooms, or no name that it takes");
        return err;
    }
    rooms *r = calloc(1, sizeof *r);
    if (r) {
        r->sig = sig;
        r->bye = (pl_timer){ .fn = on_bye_time, .arg = r };
        r->want = url.name;
        choose_name(r, conf->name);
        err = open_client(r, conf, &url);
        url.name = NULL;
    }
    if (r && !err && r->want && r->want[0])
        err = pl_sig_set_callee(sig, pl_str_of(r->want));
    if (err == PL_EINVAL)
        snprintf(error, cap, "the server %s or the name \"%s\" cannot be used", url.server, r->name);
    pl_rooms_url_clear(&url);
    if (!r || err) {
        if (r) {
            pl_room_client_free(r->client);
            free(r->want);
        }
        free(r);
        return r ? err : PL_ENOMEM;
    }
    pl_sig_set_state(sig, r);
    return PL_OK;
}

static const char *const schemes[] = { "http:", "https:", "ws:", "wss:", NULL };
const pl_backend pl_backend_rooms = {
    .kind = "rooms",
    .scheme = schemes,
    .restarts = true,
    .open = rooms_open,
    .close = rooms_close,
    .free = rooms_free,
    .call = rooms_call_out,
    .ring = rooms_ring,
    .describe = rooms_describe,
    .candidate = rooms_candidate,
    .end = rooms_end,
    .drop = rooms_drop,
    .check = rooms_check,
    .polite = rooms_polite,
};
