/* What goes away in the middle of a call: the peer, the server, the way, the application's interest; and who is not there yet. */
#include "session/scene.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include "base/time.h"
#include "net/loop.h"

static const scene_way ways[] = {
    { "the classic protocol", { "http", "http" }, true, true, true },
    { "WebSocket", { "ws", "ws" }, true, true, true },
};

static void over_each(void (*play)(scene *sc))
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        scene sc;
        scene_begin(&sc, &ways[i]);
        play(&sc);
        scene_end(&sc);
    }
}

static void dial(scene *sc, scene_call **ann, scene_call **bob)
{
    scene_open(&sc->bob, NULL);
    scene_open(&sc->ann, "bob");
    *ann = scene_dial(&sc->ann, NULL);
    SCENE_UNTIL(sc, sc->bob.n_incoming == 1);
    *bob = scene_last(&sc->bob);
}

static void leave(scene *sc, party *p)
{
    size_t closed = p->n_closed;
    pl_signaling_close(p->sig);
    SCENE_UNTIL(sc, p->n_closed > closed);
    PL_EQ(p->err, PL_OK);
    PL_OKAY(!p->again);
    pl_signaling_free(p->sig);
    p->sig = NULL;
}

/* Bob's whole program goes while it rings there. */
static void peer_goes_while_ringing(scene *sc)
{
    scene_call *a, *b;
    dial(sc, &a, &b);
    leave(sc, &sc->bob);
    SCENE_UNTIL(sc, a->n_ended == 1);
    PL_EQ(a->reason, PL_SESSION_DECLINED); /* who leaves in order says so */
    SCENE_UNTIL(sc, b->n_ended == 1);
    PL_EQ(pl_session_accept(b->s), PL_ESTATE);
}

/* The way is cut without a word: the server notices. */
static void peer_vanishes(scene *sc)
{
    scene_call *a, *b;
    dial(sc, &a, &b);
    if (strcmp(sc->way->scheme[1], "ws") != 0)
        return; /* of a classic client the server learns after half a minute */
    pl_signaling_free(sc->bob.sig);
    sc->bob.sig = NULL;
    SCENE_UNTIL(sc, b->n_ended == 1 && a->n_ended == 1);
    PL_EQ(b->reason, PL_SESSION_GONE);
    PL_EQ(a->reason, PL_SESSION_GONE);
    PL_STREQ(a->why, "the peer has left");
}

/* A call that is connected goes on without its way; changes are refused. */
static void way_is_freed_in_a_call(scene *sc)
{
    scene_call *a, *b;
    pl_rtp_transceiver *t;
    scene_connect(sc, &a, &b);
    pl_signaling_free(sc->ann.sig);
    sc->ann.sig = NULL;
    size_t heard = b->n_heard;
    PL_EQ(pl_data_channel_send_text(a->chat, "still here"), PL_OK);
    SCENE_UNTIL(sc, b->n_heard > heard);
    PL_EQ(pl_peer_connection_add_track(a->pc, PL_VIDEO, NULL, &t), PL_OK);
    SCENE_UNTIL(sc, a->n_refused == 1);
    PL_EQ(a->refused, PL_EAGAIN);
    PL_EQ(pl_peer_connection_get_signaling_state(a->pc), PL_SIGNALING_STABLE);
    scene_pass(sc, PL_MS(50)); /* it is still needed, and not asked for again and again */
    PL_EQ(a->n_refused, 1);
    PL_EQ(pl_peer_connection_add_track(a->pc, PL_VIDEO, NULL, &t), PL_OK);
    scene_pass(sc, PL_MS(20));
    PL_EQ(a->n_ended + b->n_ended, 0);
    scene_drop(a);
    SCENE_UNTIL(sc, b->n_ended == 1);
    PL_EQ(b->reason, PL_SESSION_HUNG_UP);
}

static void server_vanishes(scene *sc)
{
    scene_call *a, *b;
    scene_connect(sc, &a, &b);
    scene_call *waits = scene_dial(&sc->ann, "cid");
    SCENE_UNTIL(sc, strstr(waits->notes, "cid is not here yet: waiting"));
    pl_http_server_free(sc->server);
    sc->server = NULL;
    SCENE_UNTIL(sc, sc->ann.n_closed >= 1 && sc->bob.n_closed >= 1);
    PL_OKAY(sc->ann.again && sc->ann.err != PL_OK);
    size_t heard = b->n_heard;
    PL_EQ(pl_data_channel_send_text(a->chat, "still here"), PL_OK);
    SCENE_UNTIL(sc, b->n_heard > heard);
    PL_EQ(a->n_ended + b->n_ended + waits->n_ended, 0); /* who waits, waits */
    pl_session_hang_up(waits->s);
    SCENE_UNTIL(sc, waits->n_ended == 1);
    PL_EQ(waits->reason, PL_SESSION_CANCELLED);
}

static void server_vanishes_while_ringing(scene *sc)
{
    scene_call *a, *b;
    dial(sc, &a, &b);
    pl_http_server_free(sc->server);
    sc->server = NULL;
    SCENE_UNTIL(sc, a->n_ended == 1 && b->n_ended == 1);
    PL_EQ(a->reason, PL_SESSION_GONE);
    PL_EQ(b->reason, PL_SESSION_GONE);
    PL_OKAY(a->why[0]);
}

static void comes_later(scene *sc)
{
    scene_open(&sc->ann, "bob");
    scene_call *a = scene_dial(&sc->ann, NULL);
    SCENE_UNTIL(sc, strstr(a->notes, "bob is not here yet: waiting"));
    PL_EQ(a->n_connect, 0);
    scene_open(&sc->bob, NULL);
    SCENE_UNTIL(sc, sc->bob.n_incoming == 1);
    PL_EQ(pl_session_accept(scene_last(&sc->bob)->s), PL_OK);
    SCENE_UNTIL(sc, a->n_heard == 1);
    PL_EQ(sc->ann.n_came, 1);
}

/* Both have said yes: one call comes of it, and nobody rings. */
static void both_call(scene *sc)
{
    scene_open(&sc->ann, "bob");
    scene_open(&sc->bob, "ann");
    scene_call *a = scene_dial(&sc->ann, NULL), *b = scene_dial(&sc->bob, NULL);
    SCENE_UNTIL(sc, a->n_heard && b->n_heard);
    PL_EQ(sc->ann.n_incoming + sc->bob.n_incoming, 0);
    PL_EQ(a->n_accepted, 1);
    PL_EQ(b->n_accepted, 1);
    PL_EQ(a->n_ended + b->n_ended, 0);
}

/* Nothing reaches this process's sockets of that type (but listeners), or everything does again. */
static void deafen(int of_type, bool deaf)
{
    struct sock_filter nothing = { .code = BPF_RET | BPF_K };
    const struct sock_fprog program = { .len = 1, .filter = &nothing };
    size_t n = 0;
    for (int fd = 3; fd < 1024; fd++) {
        int type = 0, listens = 0;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof type }) || type != of_type)
            continue;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &(socklen_t){ sizeof listens }) || listens)
            continue;
        n += setsockopt(fd, SOL_SOCKET, deaf ? SO_ATTACH_FILTER : SO_DETACH_FILTER, &program,
                        sizeof program) == 0;
    }
    PL_OKAY(n >= 2);
}

/* A router starts anew, or a device changes its network: no connection of before lives, and none is reset. Takes eight seconds: so
 * long ICE waits before it calls a path silent, and the session before it asks for another. */
static void network_is_another(scene *sc)
{
    scene_call *a, *b;
    scene_connect(sc, &a, &b);
    size_t connected = a->n_connected, heard = b->n_heard;
    deafen(SOCK_DGRAM, true);
    deafen(SOCK_STREAM, true);
    SCENE_UNTIL(sc, strstr(a->notes, "the path is silent: restarting ICE") ||
                        strstr(b->notes, "the path is silent: restarting ICE"));
    deafen(SOCK_DGRAM, false);
    SCENE_UNTIL(sc, a->n_connected > connected);
    PL_EQ(pl_data_channel_send_text(a->chat, "still there"), PL_OK);
    SCENE_UNTIL(sc, b->n_heard > heard);
    PL_EQ(a->n_ended + b->n_ended, 0);
    PL_EQ(sc->ann.n_closed + sc->bob.n_closed, 0); /* they were the same peers all the time */
}

/* Who has no interest in the call opens no connection, or frees in any event. */
static void nobody_connects(scene *sc)
{
    scene_call *a, *b;
    dial(sc, &a, &b);
    b->silent = true;
    PL_EQ(pl_session_accept(b->s), PL_OK);
    SCENE_UNTIL(sc, b->n_connect == 1);
    pl_session_hang_up(a->s);
    SCENE_UNTIL(sc, b->n_ended == 1);
    PL_EQ(b->n_tracks, 0);
}

static void several_at_once(scene *sc)
{
    party cid = { .in = sc, .name = "cid" };
    const pl_factory_conf factory = { .loop = sc->loop, .bind_address = "127.0.0.1" };
    scene_call *a, *b;
    PL_EQ(pl_factory_new(&cid.factory, &factory), PL_OK);
    scene_connect(sc, &a, &b);
    scene_open(&cid, "bob");
    scene_call *c = scene_dial(&cid, NULL);
    SCENE_UNTIL(sc, sc->bob.n_incoming == 2);
    PL_EQ(pl_session_accept(scene_last(&sc->bob)->s), PL_OK);
    SCENE_UNTIL(sc, c->n_heard == 1);
    pl_session *twice;
    PL_EQ(pl_session_call(&twice, sc->bob.sig, &(pl_session_conf){ .to = "cid" }, NULL), PL_ESTATE);
    scene_drop(c);
    SCENE_UNTIL(sc, scene_last(&sc->bob)->n_ended == 1);
    PL_EQ(a->n_ended + b->n_ended, 0);
    pl_signaling_free(cid.sig);
    pl_factory_free(cid.factory);
}

PL_TEST(a_peer_goes_while_ringing)
{
    over_each(peer_goes_while_ringing);
}

PL_TEST(a_peer_vanishes)
{
    over_each(peer_vanishes);
}

PL_TEST(a_call_without_its_way)
{
    over_each(way_is_freed_in_a_call);
}

PL_TEST(the_server_vanishes)
{
    over_each(server_vanishes);
    over_each(server_vanishes_while_ringing);
}

PL_TEST(who_comes_later)
{
    over_each(comes_later);
}

PL_TEST(both_call_each_other)
{
    for (int i = 0; i < 10; i++)
        over_each(both_call);
}

PL_TEST(another_network)
{
    over_each(network_is_another);
}

PL_TEST(no_connection_is_opened)
{
    over_each(nobody_connects);
}

PL_TEST(several_calls_at_once)
{
    over_each(several_at_once);
}

PL_TESTS(t(a_peer_goes_while_ringing), t(a_peer_vanishes), t(a_call_without_its_way), t(the_server_vanishes),
         t(who_comes_later), t(both_call_each_other), t(no_connection_is_opened), t(several_calls_at_once),
         t(another_network))
