#include "session/scene.h"

#include "base/time.h"
#include "net/loop.h"
#include "signal/xmpp_fixture.h"

/* ---- connections ---- */

static void on_chat_message(void *user, pl_data_channel *ch, const uint8_t *data, size_t len, bool binary)
{
    scene_call *c = user;
    (void)ch, (void)binary;
    c->n_heard++;
    snprintf(c->heard, sizeof c->heard, "%.*s", (int)len, (const char *)data);
}

static void on_chat_open(void *user, pl_data_channel *ch)
{
    scene_call *c = user;
    char text[64];
    snprintf(text, sizeof text, "hello from %s", c->of->name);
    PL_EQ(pl_data_channel_send_text(ch, text), PL_OK);
}

static pl_data_channel_observer chat_of(scene_call *c)
{
    return (pl_data_channel_observer){ .user = c, .on_open = on_chat_open, .on_message = on_chat_message };
}

static void on_data_channel(void *user, pl_data_channel *ch)
{
    scene_call *c = user;
    const pl_data_channel_observer o = chat_of(c);
    *(c->chat ? &c->other : &c->chat) = ch;
    pl_data_channel_set_observer(ch, &o);
}

static void on_track(void *user, pl_rtp_transceiver *t)
{
    (void)t;
    ((scene_call *)user)->n_tracks++;
}

static void on_state(void *user, pl_peer_connection_state state, const char *reason)
{
    (void)reason;
    ((scene_call *)user)->n_connected += state == PL_CONNECTION_CONNECTED;
}

static void on_signaling(void *user, pl_signaling_state state)
{
    ((scene_call *)user)->n_stable += state == PL_SIGNALING_STABLE;
}

static void open_connection(scene_call *c)
{
    const pl_peer_connection_observer o = { .user = c,
                                            .on_data_channel = on_data_channel,
                                            .on_track = on_track,
                                            .on_signaling_state = on_signaling,
                                            .on_connection_state = on_state };
    pl_rtp_transceiver *t;
    PL_EQ(pl_session_open_connection(c->s, &c->pc, c->of->factory, NULL, &o), PL_OK);
    PL_OKAY(pl_session_get_connection(c->s) == c->pc);
    PL_EQ(pl_peer_connection_add_track(c->pc, PL_AUDIO, NULL, &t), PL_OK);
    if (c->video)
        PL_EQ(pl_peer_connection_add_track(c->pc, PL_VIDEO, NULL, &t), PL_OK);
    if (pl_session_is_outgoing(c->s)) {
        const pl_data_channel_observer chat = chat_of(c);
        PL_EQ(pl_peer_connection_create_data_channel(c->pc, "chat", NULL, &chat, &c->chat), PL_OK);
    }
}

/* ---- sessions ---- */

static void living(scene_call *c)
{
    PL_OKAY(c->s);
    PL_EQ(c->n_ended, 0); /* it is the last event */
}

static void on_ringing(void *user)
{
    scene_call *c = user;
    living(c);
    c->n_ringing++;
}

static void on_connect(void *user)
{
    scene_call *c = user;
    living(c);
    c->n_connect++;
    if (!c->silent)
        open_connection(c);
}

static void on_accepted(void *user)
{
    scene_call *c = user;
    living(c);
    c->n_accepted++;
}

static void on_refused(void *user, pl_err err, const char *why)
{
    scene_call *c = user;
    living(c);
    c->n_refused++;
    c->refused = err;
    snprintf(c->why, sizeof c->why, "%s", why);
}

static void on_ended(void *user, pl_session_reason reason, const char *why)
{
    scene_call *c = user;
    living(c);
    c->n_ended++;
    c->reason = reason;
    snprintf(c->why, sizeof c->why, "%s", why);
    PL_OKAY(pl_session_is_over(c->s));
}

static void on_session_note(void *user, const char *text)
{
    scene_call *c = user;
    living(c);
    size_t n = strlen(c->notes);
    snprintf(c->notes + n, sizeof c->notes - n, "%s\n", text);
}

static pl_session_observer session_observer(scene_call *c)
{
    return (pl_session_observer){ c,          on_ringing, on_connect,     on_accepted,
                                  on_refused, on_ended,   on_session_note };
}

static scene_call *next_call(party *p)
{
    PL_OKAY(p->n_calls < SCENE_CALLS);
    scene_call *c = &p->call[p->n_calls++];
    *c = (scene_call){ .of = p };
    return c;
}

scene_call *scene_last(party *p)
{
    PL_OKAY(p->n_calls);
    return &p->call[p->n_calls - 1];
}

scene_call *scene_dial(party *p, const char *to)
{
    scene_call *c = next_call(p);
    const pl_session_observer o = session_observer(c);
    const pl_session_conf conf = { .to = to, .audio = true };
    PL_EQ(pl_session_call(&c->s, p->sig, &conf, &o), PL_OK);
    PL_OKAY(pl_session_is_outgoing(c->s));
    return c;
}

void scene_drop(scene_call *c)
{
    pl_data_channel_free(c->chat);
    pl_data_channel_free(c->other);
    pl_session_free(c->s);
    c->chat = c->other = NULL;
    c->s = NULL;
    c->pc = NULL;
}

/* ---- the way ---- */

static void on_link(void *user, pl_signaling_link link, pl_err err, const char *text, bool again)
{
    party *p = user;
    PL_EQ(link, pl_signaling_get_link(p->sig));
    PL_OKAY(text);
    p->n_open += link == PL_LINK_OPEN;
    p->n_closed += link == PL_LINK_CLOSED;
    if (link == PL_LINK_CLOSED) {
        p->err = err;
        p->again = again;
    }
}

static void on_peer(void *user, const pl_signaling_peer *peer)
{
    party *p = user;
    p->n_came += peer->here;
    p->n_left += !peer->here;
    snprintf(p->last, sizeof p->last, "%s", peer->address);
}

static bool may_call(void *user, const char *address, const char *name)
{
    (void)address, (void)name;
    return !((party *)user)->deaf;
}

static void on_call(void *user, pl_session *s)
{
    party *p = user;
    if (p->undecided) {
        p->kept[p->n_incoming++] = s;
        return;
    }
    scene_call *c = next_call(p);
    const pl_session_observer o = session_observer(c);
    c->s = s;
    p->n_incoming++;
    PL_OKAY(!pl_session_is_outgoing(s));
    pl_session_set_observer(s, &o);
}

static void on_text(void *user, const char *text)
{
    party *p = user;
    PL_OKAY(p->n_texts < sizeof p->text / sizeof p->text[0]);
    p->text[p->n_texts++] = strdup(text);
}

/* People carry what the ways do not: line by line, as a terminal gives it. */
static void carry_by_hand(party *from, party *to)
{
    while (from->n_pasted < from->n_texts && to->sig) {
        char *text = from->text[from->n_pasted++], *rest = NULL;
        for (char *line = strtok_r(text, "\n", &rest); line;) {
            char *next = strtok_r(NULL, "\n", &rest);
            pl_err err = pl_signaling_paste(to->sig, line);
            PL_OKAY(err == (next ? PL_EAGAIN : PL_OK) || err == PL_ESTATE);
            line = next;
        }
    }
}

int64_t scene_deadline(void)
{
    return pl_clock_us() + PL_SEC(30);
}

bool scene_turn(scene *sc, int64_t end_us)
{
    (void)pl_loop_run_once(sc->loop, 5000);
    carry_by_hand(&sc->ann, &sc->bob);
    carry_by_hand(&sc->bob, &sc->ann);
    return pl_clock_us() < end_us;
}

void scene_pass(scene *sc, int64_t us)
{
    int64_t end_us = pl_clock_us() + us;
    while (scene_turn(sc, end_us))
        continue;
}

/* ---- a server of XMPP ---- */

static xmpp_server prosody;

static void start_prosody(void)
{
    static const char *const options[] = { "--account", "ann:secret", "--account", "bob:secret", NULL };
    if (!prosody.pid)
        xmpp_server_start(&prosody, "prosody", options);
}

void scene_stop_servers(void)
{
    if (prosody.pid)
        xmpp_server_stop(&prosody);
}

/* An account, and where its server is. They are in no contact lists. */
static void use_account(const party *p, const char *callee, pl_signaling_conf *conf, char url[200],
                        char server[200])
{
    static char account[2][100];
    char *mine = account[p == &p->in->bob];
    bool ws = strcmp(p->in->way->server, "wss") == 0;
    snprintf(url, 200, "xmpp:%s%s%s", callee ? callee : "", callee ? "@" : "", callee ? prosody.domain : "");
    snprintf(mine, sizeof account[0], "%s@%s", p->name, prosody.domain);
    if (ws)
        snprintf(server, 200, "%s", prosody.websocket_tls);
    else
        snprintf(server, 200, "%s127.0.0.1:%u", p->in->way->server,
                 p->in->way->server[0] ? prosody.c2s_tls : prosody.c2s);
    conf->account = mine;
    conf->password = "secret";
    conf->server = server;
    conf->ca_file = prosody.ca;
    conf->anybody = true;
}

void scene_open(party *p, const char *callee)
{
    scene *sc = p->in;
    char url[200], server[200], error[200];
    const pl_signaling_observer o = { p, on_link, on_peer, may_call, on_call, on_text, NULL };
    if (sc->way->rooms)
        snprintf(url, sizeof url, "%s://127.0.0.1:%u%s%s", sc->way->scheme[p == &sc->bob], sc->port,
                 callee ? "/#" : "", callee ? callee : "");
    else
        snprintf(url, sizeof url, "%s", sc->way->scheme[p == &sc->bob]);
    pl_signaling_conf conf = { .url = url, .name = p->name };
    if (sc->way->server)
        use_account(p, callee, &conf, url, server);
    PL_EQ(pl_signaling_open(&p->sig, sc->loop, &conf, &o, error, sizeof error), PL_OK);
    size_t open = p->n_open;
    SCENE_UNTIL(sc, p->n_open > open);
}

void scene_begin(scene *sc, const scene_way *way)
{
    *sc = (scene){ .way = way, .ann = { .name = "ann" }, .bob = { .name = "bob" } };
    sc->ann.in = sc->bob.in = sc;
    PL_EQ(pl_loop_new(&sc->loop, NULL), PL_OK);
    if (way->server)
        start_prosody();
    if (way->rooms) {
        pl_http_server_conf conf = { .rate = 10000, .burst = 10000, .n_listen = 1 };
        if (strcmp(way->scheme[1], "ws") == 0) /* how long who has vanished is kept */
            conf.rooms.idle_us = PL_SEC(3);
        conf.listen[0] = (pl_addr){ .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } };
        PL_EQ(pl_http_server_new(&sc->server, sc->loop, &conf), PL_OK);
        sc->port = pl_http_server_addr(sc->server, 0)->port;
    }
    const pl_factory_conf factory = { .loop = sc->loop, .bind_address = "127.0.0.1" };
    PL_EQ(pl_factory_new(&sc->ann.factory, &factory), PL_OK);
    PL_EQ(pl_factory_new(&sc->bob.factory, &factory), PL_OK);
}

static void party_end(party *p)
{
    for (size_t i = 0; i < p->n_calls; i++)
        scene_drop(&p->call[i]);
    for (size_t i = 0; i < PL_SESSIONS_MAX; i++)
        pl_session_free(p->kept[i]);
    pl_signaling_free(p->sig);
    pl_factory_free(p->factory);
    for (size_t i = 0; i < p->n_texts; i++)
        free(p->text[i]);
}

void scene_end(scene *sc)
{
    party_end(&sc->ann);
    party_end(&sc->bob);
    pl_http_server_free(sc->server);
    pl_loop_free(sc->loop);
}

void scene_connect(scene *sc, scene_call **ann, scene_call **bob)
{
    scene_open(&sc->bob, NULL);
    scene_open(&sc->ann, "bob");
    scene_call *a = *ann = scene_dial(&sc->ann, NULL);
    SCENE_UNTIL(sc, sc->bob.n_incoming == 1);
    scene_call *b = *bob = scene_last(&sc->bob);
    PL_EQ(pl_session_accept(b->s), PL_OK);
    SCENE_UNTIL(sc, a->n_heard && b->n_heard);
    PL_STREQ(a->heard, "hello from bob");
    PL_STREQ(b->heard, "hello from ann");
    PL_EQ(a->n_connect, 1);
    PL_EQ(a->n_accepted, 1);
    PL_EQ(b->n_connect, 1);
    PL_OKAY(pl_session_was_connected(a->s) && pl_session_was_connected(b->s));
}
