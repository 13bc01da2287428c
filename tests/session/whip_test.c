/* Sessions with an endpoint of WHIP and WHEP, against our server: publishing and playing, the path restarted, what cannot be changed,
 * and every end. */
#include "session/scene.h"

#include "base/time.h"
#include "server/server.h"

typedef struct stage {
    scene sc; /* Ann publishes, Bob plays */
    scene_way way;
    pl_server *server;
    char url[2][120];
} stage;

static void stage_begin(stage *st)
{
    static const pl_whip_conf whip = { .bind_address = "127.0.0.1" };
    pl_server_conf conf = { .http = { .n_listen = 1 }, .whip = &whip };
    conf.http.listen[0] = (pl_addr){ .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } };
    *st = (stage){ .way = { .name = "WHIP" } };
    scene_begin(&st->sc, &st->way);
    PL_EQ(pl_server_new(&st->server, st->sc.loop, &conf), PL_OK);
    unsigned port = pl_server_addr(st->server, 0)->port;
    snprintf(st->url[0], sizeof st->url[0], "whip:http://127.0.0.1:%u/whip/stage", port);
    snprintf(st->url[1], sizeof st->url[1], "whep:http://127.0.0.1:%u/whep/stage", port);
    st->way.scheme[0] = st->url[0];
    st->way.scheme[1] = st->url[1];
}

static void stage_end(stage *st)
{
    scene *sc = &st->sc;
    party *p[] = { &sc->ann, &sc->bob };
    for (int i = 0; i < 2; i++) { /* what is still to be said to the server is said */
        if (!p[i]->sig)
            continue;
        pl_signaling_close(p[i]->sig);
        SCENE_UNTIL(sc, p[i]->n_closed == 1);
        PL_EQ(p[i]->err, PL_OK);
    }
    pl_server_free(st->server);
    scene_end(sc);
}

static pl_whip_server_stats stats_of(const stage *st)
{
    pl_server_stats stats;
    pl_server_get_stats(st->server, &stats);
    return stats.whip.sessions;
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
                                            .on_connection_state = on_state,
                                            .on_signaling_state = on_signaling };
    const bool plays = strcmp(pl_signaling_kind(c->of->sig), "whep") == 0;
    const pl_transceiver_init init = { .direction = plays ? PL_RECVONLY : PL_SENDONLY, .stream_id = "stage" };
    pl_rtp_transceiver *t;
    PL_EQ(pl_session_open_connection(c->s, &c->pc, c->of->factory, NULL, &o), PL_OK);
    PL_EQ(pl_peer_connection_add_transceiver(c->pc, PL_AUDIO, &init, &t), PL_OK);
}

static scene_call *dial(party *p)
{
    scene_call *c = scene_dial(p, NULL);
    c->silent = true; /* the connection is made here */
    SCENE_UNTIL(p->in, c->n_connect == 1 || c->n_ended == 1);
    if (c->n_connect)
        open_connection(c);
    return c;
}

static scene_call *connects(party *p)
{
    scene_open(p, NULL);
    scene_call *c = dial(p);
    SCENE_UNTIL(p->in, c->n_connected == 1);
    PL_EQ(c->n_accepted, 1);
    return c;
}

PL_TEST(publishing_and_playing)
{
    stage st;
    stage_begin(&st);
    scene_call *a = connects(&st.sc.ann), *b = connects(&st.sc.bob);
    PL_STREQ(pl_signaling_kind(st.sc.ann.sig), "whip");
    PL_OKAY(strstr(pl_session_peer_name(a->s), "/whip/stage"));
    PL_EQ(stats_of(&st).n_publishers, 1);
    PL_EQ(stats_of(&st).n_viewers, 1);
    pl_session_hang_up(b->s);
    SCENE_UNTIL(&st.sc, b->n_ended == 1 && stats_of(&st).n_viewers == 0);
    PL_EQ(b->reason, PL_SESSION_HUNG_UP);
    pl_session_hang_up(a->s);
    SCENE_UNTIL(&st.sc, a->n_ended == 1 && stats_of(&st).n_publishers == 0);
    stage_end(&st);
}

PL_TEST(another_path)
{
    stage st;
    stage_begin(&st);
    scene_call *a = connects(&st.sc.ann);
    size_t stable = a->n_stable;
    pl_peer_connection_restart_ice(a->pc);
    SCENE_UNTIL(&st.sc, a->n_stable > stable && strstr(a->notes, "ICE is restarted"));
    PL_EQ(stats_of(&st).n_restarts, 1);
    PL_EQ(a->n_ended + a->n_refused, 0);
    stage_end(&st);
}

/* There is no word for another medium: it is taken back, said once, and the call goes on. */
PL_TEST(what_cannot_be_changed)
{
    stage st;
    pl_rtp_transceiver *t;
    stage_begin(&st);
    scene_call *a = connects(&st.sc.ann);
    PL_EQ(pl_peer_connection_add_transceiver(a->pc, PL_VIDEO, NULL, &t), PL_OK);
    SCENE_UNTIL(&st.sc, a->n_refused == 1);
    PL_EQ(a->refused, PL_ENOTSUP);
    PL_OKAY(a->why[0]);
    scene_pass(&st.sc, PL_MS(30));
    PL_EQ(a->n_refused, 1);
    PL_EQ(a->n_ended, 0);
    PL_EQ(pl_peer_connection_get_signaling_state(a->pc), PL_SIGNALING_STABLE);
    stage_end(&st);
}

PL_TEST(who_comes_second_is_refused)
{
    stage st;
    stage_begin(&st);
    scene_call *a = connects(&st.sc.ann);
    st.way.scheme[1] = st.url[0]; /* Bob publishes, too; the server says later, and we have no patience */
    scene_open(&st.sc.bob, NULL);
    scene_call *b = dial(&st.sc.bob);
    pl_session_hang_up(b->s);
    SCENE_UNTIL(&st.sc, b->n_ended == 1);
    PL_OKAY(b->reason == PL_SESSION_CANCELLED || strstr(b->why, "409"));
    PL_EQ(a->n_ended, 0);
    stage_end(&st);
}

PL_TEST(the_server_ends_it)
{
    stage st;
    stage_begin(&st);
    scene_call *a = connects(&st.sc.ann);
    pl_peer_connection_restart_ice(a->pc);
    SCENE_UNTIL(&st.sc,
                strstr(a->notes, "ICE is restarted")); /* so the server has the end of the handshake, too */
    pl_server_free(st.server);
    st.server = NULL;
    SCENE_UNTIL(&st.sc, a->n_ended == 1);
    PL_EQ(a->reason, PL_SESSION_HUNG_UP);
    stage_end(&st);
}

PL_TEST(nobody_there)
{
    stage st;
    pl_signaling *none;
    stage_begin(&st);
    const char *const wrong[] = { "whip:", "whip:ftp://host/", "whep:http:", "whip:http://user@host/" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char error[100];
        const pl_signaling_conf conf = { .url = wrong[i] };
        PL_EQ(pl_signaling_open(&none, st.sc.loop, &conf, NULL, error, sizeof error), PL_EINVAL);
        PL_OKAY(error[0] && !none);
    }
    st.way.scheme[0] = "whip:http://127.0.0.1:1/whip/x";
    scene_open(&st.sc.ann, NULL);
    scene_call *a = dial(&st.sc.ann);
    SCENE_UNTIL(&st.sc, a->n_ended == 1);
    PL_EQ(a->reason, PL_SESSION_FAILED);
    PL_OKAY(a->why[0]);
    scene_drop(a);
    pl_session *s;
    PL_EQ(pl_session_call(&s, st.sc.ann.sig, &(pl_session_conf){ .to = "bob" }, NULL), PL_EINVAL);
    stage_end(&st);
}

PL_TESTS(t(publishing_and_playing), t(another_path), t(what_cannot_be_changed),
         t(who_comes_second_is_refused), t(the_server_ends_it), t(nobody_there))
