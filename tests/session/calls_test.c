/* The same calls over every way: from ringing to the end, and what may come between. */
#include "session/scene.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/time.h"

static const scene_way ways[] = {
    { "the classic protocol", { "http", "http" }, true, true, true },
    { "WebSocket", { "ws", "ws" }, true, true, true },
    { "one of each", { "ws", "http" }, true, true, true },
    { "paste", { "paste:", "paste:" }, false, false, false },
    { "paste as JSON", { "paste:json", "paste:json" }, false, false, false },
    { "XMPP", { "xmpp:", "xmpp:" }, false, true, true, "" },
    { "XMPP over WebSocket", { "xmpp:", "xmpp:" }, false, true, true, "wss" },
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

static void ring_and_talk(scene *sc)
{
    scene_call *a, *b;
    dial(sc, &a, &b);
    PL_EQ(pl_session_ring(b->s), PL_OK);
    if (sc->way->rings)
        SCENE_UNTIL(sc, a->n_ringing == 1);
    PL_EQ(pl_session_ring(a->s), PL_ESTATE);
    PL_EQ(pl_session_accept(a->s), PL_ESTATE);
    PL_OKAY(pl_session_wants(b->s, PL_AUDIO) && !pl_session_wants(b->s, PL_VIDEO));
    if (sc->way->rooms) {
        PL_STREQ(pl_session_peer_name(b->s), "ann");
        PL_STREQ(pl_session_peer_name(a->s), "bob");
    }
    PL_EQ(b->n_connect, 0);
    pl_peer_connection *none;
    PL_EQ(pl_session_open_connection(b->s, &none, sc->bob.factory, NULL, NULL), PL_ESTATE);
    PL_EQ(pl_session_accept(b->s), PL_OK);
    PL_EQ(pl_session_accept(b->s), PL_ESTATE);
    SCENE_UNTIL(sc, a->n_heard && b->n_heard);
    PL_EQ(a->n_accepted, 1);
    PL_EQ(a->n_tracks, 1);
    PL_EQ(b->n_tracks, 1);
    PL_EQ(a->n_ended + b->n_ended, 0);
}

static void caller_hangs_up(scene *sc)
{
    scene_call *a, *b;
    scene_connect(sc, &a, &b);
    pl_session_hang_up(a->s);
    PL_EQ(a->n_ended, 0); /* events come from the loop */
    SCENE_UNTIL(sc, a->n_ended == 1);
    PL_EQ(a->reason, PL_SESSION_HUNG_UP);
    scene_drop(a); /* without a server the connection's end is the message */
    SCENE_UNTIL(sc, b->n_ended == 1);
    PL_EQ(b->reason, PL_SESSION_HUNG_UP);
    PL_STREQ(b->why, "");
}

static void callee_hangs_up(scene *sc)
{
    scene_call *a, *b;
    scene_connect(sc, &a, &b);
    scene_drop(b); /* freeing is hanging up, too */
    SCENE_UNTIL(sc, a->n_ended == 1);
    PL_EQ(a->reason, PL_SESSION_HUNG_UP);
}

static void refuses(scene *sc, pl_session_reason reason)
{
    scene_call *a, *b;
    dial(sc, &a, &b);
    pl_session_reject(b->s, reason);
    PL_OKAY(pl_session_is_over(b->s));
    SCENE_UNTIL(sc, a->n_ended == 1);
    PL_EQ(a->reason, reason);
    PL_EQ(a->n_accepted, 0);
    scene_pass(sc, PL_MS(20));
    PL_EQ(b->n_ended, 0); /* who decided is not told */
}

static void is_declined(scene *sc)
{
    refuses(sc, PL_SESSION_DECLINED);
}

static void is_busy(scene *sc)
{
    refuses(sc, PL_SESSION_BUSY);
}

static void caller_gives_up(scene *sc)
{
    scene_call *a, *b;
    dial(sc, &a, &b);
    pl_session_hang_up(a->s);
    SCENE_UNTIL(sc, a->n_ended == 1);
    PL_EQ(a->reason, PL_SESSION_CANCELLED);
    if (!sc->way->trickles)
        return; /* nobody carries it */
    SCENE_UNTIL(sc, b->n_ended == 1);
    PL_EQ(b->reason, PL_SESSION_CANCELLED);
    PL_EQ(pl_session_accept(b->s), PL_ESTATE);
}

static size_t n_living(pl_peer_connection *pc)
{
    pl_rtp_transceiver *all[8];
    size_t n = pl_peer_connection_get_transceivers(pc, all, 8), living = 0;
    for (size_t i = 0; i < n; i++)
        living += pl_rtp_transceiver_direction(all[i]) != PL_STOPPED;
    return living;
}

/* Another medium, from either side, and away with it again. */
static void media_come_and_go(scene *sc)
{
    scene_call *a, *b;
    pl_rtp_transceiver *video;
    scene_connect(sc, &a, &b);
    size_t tracks = b->n_tracks;
    PL_EQ(pl_peer_connection_add_transceiver(a->pc, PL_VIDEO,
                                             &(pl_transceiver_init){ .direction = PL_SENDONLY }, &video),
          PL_OK);
    SCENE_UNTIL(sc, b->n_tracks == tracks + 1);
    SCENE_UNTIL(sc, pl_rtp_transceiver_current_direction(video) == PL_SENDONLY);
    PL_EQ(pl_rtp_transceiver_set_direction(video, PL_INACTIVE), PL_OK);
    SCENE_UNTIL(sc, pl_rtp_transceiver_current_direction(video) == PL_INACTIVE);
    PL_EQ(pl_rtp_transceiver_stop(video), PL_OK);
    SCENE_UNTIL(sc, n_living(b->pc) == 1);
    tracks = a->n_tracks;
    PL_EQ(pl_peer_connection_add_track(b->pc, PL_VIDEO, NULL, &video), PL_OK);
    SCENE_UNTIL(sc, a->n_tracks == tracks + 1);
    PL_EQ(a->n_ended + b->n_ended + a->n_refused + b->n_refused, 0);
}

/* Both sides change something in the same moment. */
static void changes_cross(scene *sc)
{
    scene_call *a, *b;
    pl_rtp_transceiver *t;
    if (!sc->way->trickles)
        return; /* people carry one text after the other */
    scene_connect(sc, &a, &b);
    size_t at_a = a->n_tracks, at_b = b->n_tracks;
    PL_EQ(pl_peer_connection_add_transceiver(a->pc, PL_VIDEO, NULL, &t), PL_OK);
    PL_EQ(pl_peer_connection_add_transceiver(b->pc, PL_VIDEO, NULL, &t), PL_OK);
    SCENE_UNTIL(sc, a->n_tracks >= at_a + 1 && b->n_tracks >= at_b + 1);
    SCENE_UNTIL(sc, pl_peer_connection_get_signaling_state(a->pc) == PL_SIGNALING_STABLE &&
                        pl_peer_connection_get_signaling_state(b->pc) == PL_SIGNALING_STABLE);
    PL_EQ(a->n_ended + b->n_ended, 0);
}

static void path_is_restarted(scene *sc)
{
    scene_call *a, *b;
    scene_connect(sc, &a, &b);
    size_t stable = a->n_stable;
    pl_peer_connection_restart_ice(a->pc);
    SCENE_UNTIL(sc, a->n_stable > stable);
    size_t heard = b->n_heard;
    PL_EQ(pl_data_channel_send_text(a->chat, "still there"), PL_OK);
    SCENE_UNTIL(sc, b->n_heard > heard);
    PL_EQ(a->n_ended + b->n_ended, 0);
}

static void cut_connections(void)
{
    size_t n = 0;
    for (int fd = 3; fd < 1024; fd++) {
        struct sockaddr_storage peer = { 0 };
        int type = 0;
        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof type }) == 0 &&
            type == SOCK_STREAM &&
            getpeername(fd, (struct sockaddr *)&peer, &(socklen_t){ sizeof peer }) == 0 &&
            (peer.ss_family == AF_INET || peer.ss_family == AF_INET6))
            n += shutdown(fd, SHUT_RDWR) == 0;
    }
    PL_OKAY(n >= 2);
}

/* The streams are resumed (XEP-0198), and the call can be changed as before. */
static void account_is_cut_off(scene *sc)
{
    scene_call *a, *b;
    if (!sc->way->server)
        return;
    scene_connect(sc, &a, &b);
    size_t opened = sc->ann.n_open, bobs = sc->bob.n_open;
    cut_connections();
    SCENE_UNTIL(sc, sc->ann.n_open > opened && sc->bob.n_open > bobs);
    PL_EQ(pl_signaling_get_link(sc->ann.sig), PL_LINK_OPEN);
    size_t stable = a->n_stable;
    pl_peer_connection_restart_ice(a->pc);
    SCENE_UNTIL(sc, a->n_stable > stable);
    PL_EQ(a->n_refused + a->n_ended + b->n_ended, 0);
}

PL_TEST(ringing_and_talking)
{
    over_each(ring_and_talk);
}

PL_TEST(the_caller_hangs_up)
{
    over_each(caller_hangs_up);
}

PL_TEST(the_callee_hangs_up)
{
    over_each(callee_hangs_up);
}

PL_TEST(declined_and_busy)
{
    over_each(is_declined);
    over_each(is_busy);
}

PL_TEST(given_up)
{
    over_each(caller_gives_up);
}

PL_TEST(media_come_and_go_in_a_call)
{
    over_each(media_come_and_go);
}

PL_TEST(two_changes_that_cross)
{
    over_each(changes_cross);
}

PL_TEST(a_restart_of_ice)
{
    over_each(path_is_restarted);
}

PL_TEST(a_cut_stream_goes_on)
{
    over_each(account_is_cut_off);
}

int main(void)
{
    const struct CMUnitTest tests[] = { t(ringing_and_talking),
                                        t(the_caller_hangs_up),
                                        t(the_callee_hangs_up),
                                        t(declined_and_busy),
                                        t(given_up),
                                        t(media_come_and_go_in_a_call),
                                        t(two_changes_that_cross),
                                        t(a_restart_of_ice),
                                        t(a_cut_stream_goes_on) };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scene_stop_servers();
    return failed;
}
