/* Peers and pasted texts that mean no good: what they can make us hold is bounded, and nobody else's call suffers. */
#include "session/scene.h"

#include "base/time.h"
#include "session/session_internal.h"
#include "signal/client.h"

static const scene_way way = { "WebSocket", { "ws", "ws" }, true, true, true };
static const scene_way paste = { "paste", { "paste:", "paste:" }, false, false, false };

typedef struct enemy {
    scene *sc;
    pl_room_client *client;
    pl_peer_id victim;
    bool in;
    size_t n_heard, n_busy, n_declined;
} enemy;

static void on_signed_in(void *user, pl_peer_id id, const pl_room_peer *peers, size_t n)
{
    enemy *e = user;
    (void)id;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(peers[i].name, "bob") == 0)
            e->victim = peers[i].id;
    }
    e->in = true;
}

static void on_message(void *user, pl_peer_id from, const char *text, size_t len)
{
    enemy *e = user;
    (void)from, (void)len;
    e->n_heard++;
    e->n_busy += strstr(text, "\"reason\":\"busy\"") != NULL;
    e->n_declined += strstr(text, "\"reason\":\"declined\"") != NULL;
}

static void enemy_comes(enemy *e, scene *sc)
{
    char url[80];
    snprintf(url, sizeof url, "ws://127.0.0.1:%u", sc->port);
    *e = (enemy){ .sc = sc };
    const pl_room_client_conf conf = {
        .url = url, .name = "eve", .on = { .signed_in = on_signed_in, .message = on_message }, .user = e
    };
    PL_EQ(pl_room_client_new(&e->client, sc->loop, &conf), PL_OK);
    SCENE_UNTIL(sc, e->in);
    PL_OKAY(e->victim);
}

/* Waits when the server takes no more at once. */
static void says(enemy *e, const char *text)
{
    int64_t end_us = scene_deadline();
    pl_err err;
    do
        err = pl_room_client_send(e->client, e->victim, text, strlen(text));
    while (err == PL_ENOSPC && scene_turn(e->sc, end_us));
    PL_EQ(err, PL_OK);
    (void)scene_turn(e->sc, 0);
}

static const char offer[] =
    "{\"type\":\"offer\",\"sdp\":\"v=0\\r\\no=- 1 1 IN IP4 0\\r\\ns=-\\r\\nt=0 0\\r\\n\"}";

/* A friend's call in between proves that bob is well. */
static void bob_is_well(scene *sc)
{
    size_t before = sc->bob.n_incoming;
    scene_call *a = scene_dial(&sc->ann, NULL);
    SCENE_UNTIL(sc, sc->bob.n_incoming == before + 1);
    scene_call *b = scene_last(&sc->bob);
    PL_EQ(pl_session_accept(b->s), PL_OK);
    SCENE_UNTIL(sc, a->n_heard && b->n_heard);
}

PL_TEST(words_out_of_place)
{
    static const char *const text[] = {
        "",
        "BYE",
        "{\"type\":\"bye\"}",
        "{\"type\":\"answer\",\"sdp\":\"v=0\"}",
        "{\"candidate\":\"candidate:1 1 udp 1 1.1.1.1 9 typ host\",\"sdpMid\":\"0\"}",
        "{\"ringing\":true}",
        "{\"type\":\"offer\"}",
        "{\"for\":\"nothing\",\"type\":\"bye\"}",
        "[[[[[[",
        "{\"type\":\"dance\"}"
    };
    scene sc;
    enemy eve;
    scene_begin(&sc, &way);
    scene_open(&sc.bob, NULL);
    scene_open(&sc.ann, "bob");
    enemy_comes(&eve, &sc);
    for (size_t i = 0; i < sizeof text / sizeof text[0]; i++)
        says(&eve, text[i]);
    bob_is_well(&sc);
    PL_EQ(sc.bob.n_incoming, 1); /* ann's */
    PL_EQ(eve.n_heard, 0);
    says(&eve, "{\"type\":\"offer\",\"for\":\"something new\",\"id\":\"x\"}");
    SCENE_UNTIL(&sc, eve.n_declined == 1);
    pl_room_client_free(eve.client);
    scene_end(&sc);
}

PL_TEST(floods_before_an_answer)
{
    scene sc;
    enemy eve;
    char candidate[200];
    scene_begin(&sc, &way);
    scene_open(&sc.bob, NULL);
    scene_open(&sc.ann, "bob");
    enemy_comes(&eve, &sc);
    says(&eve, offer);
    SCENE_UNTIL(&sc, sc.bob.n_incoming == 1);
    for (int i = 0; i < 3 * PL_SESSION_EARLY_MAX; i++) {
        snprintf(candidate, sizeof candidate,
                 "{\"candidate\":\"candidate:%d 1 udp 1 10.0.0.1 9 typ host\",\"sdpMid\":\"0\"}", i);
        says(&eve, candidate);
    }
    const pl_session *s = sc.bob.call[0].s;
    SCENE_UNTIL(&sc, s->n_early == PL_SESSION_EARLY_MAX);
    for (int i = 0; i < 50; i++)
        says(&eve, offer); /* the newest counts, with its candidates */
    SCENE_UNTIL(&sc, s->n_early == 0);
    bob_is_well(&sc);
    scene_call *b = &sc.bob.call[0];
    PL_EQ(sc.bob.n_incoming, 2); /* eve's one and ann's */
    PL_EQ(b->n_ended, 0);
    PL_OKAY(!pl_session_wants(b->s, PL_AUDIO));
    PL_EQ(pl_session_accept(b->s), PL_OK); /* it is a description of nothing: there is nothing to connect */
    SCENE_UNTIL(&sc, b->n_connect == 1 && eve.n_heard > 0);
    pl_room_client_free(eve.client);
    scene_end(&sc);
}

PL_TEST(descriptions_that_break_the_rules)
{
    static const char *const sdp[] = { "", "v=1", "v=0\\r\\nm=audio", "nonsense",
                                       "v=0\\r\\nm=audio 9 RTP/AVP 0\\r\\n" };
    scene sc;
    enemy eve;
    scene_begin(&sc, &way);
    scene_open(&sc.bob, NULL);
    scene_open(&sc.ann, "bob");
    enemy_comes(&eve, &sc);
    for (size_t i = 0; i < sizeof sdp / sizeof sdp[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "{\"type\":\"offer\",\"sdp\":\"%s\"}", sdp[i]);
        says(&eve, text);
        SCENE_UNTIL(&sc, sc.bob.n_incoming == i + 1);
        scene_call *b = scene_last(&sc.bob);
        PL_EQ(pl_session_accept(b->s), PL_OK);
        SCENE_UNTIL(&sc, b->n_ended == 1);
        PL_EQ(b->reason, PL_SESSION_FAILED);
        PL_OKAY(strstr(b->why, "the peer's description"));
        scene_drop(b);
        sc.bob.n_calls = 0;
    }
    SCENE_UNTIL(&sc, eve.n_heard == sizeof sdp / sizeof sdp[0]); /* a bye each */
    bob_is_well(&sc);
    pl_room_client_free(eve.client);
    scene_end(&sc);
}

/* One peer is one call; many peers are as many as there is room for. */
PL_TEST(more_callers_than_there_is_room_for)
{
    enum { ENEMIES = PL_SESSIONS_MAX + 6 };
    static enemy eve[ENEMIES];
    scene sc;
    size_t busy = 0;
    scene_begin(&sc, &way);
    scene_open(&sc.bob, NULL);
    sc.bob.undecided = true;
    for (size_t i = 0; i < ENEMIES; i++) {
        enemy_comes(&eve[i], &sc);
        says(&eve[i], offer);
    }
    SCENE_UNTIL(&sc, sc.bob.n_incoming == PL_SESSIONS_MAX);
    for (size_t i = PL_SESSIONS_MAX; i < ENEMIES; i++)
        SCENE_UNTIL(&sc, eve[i].n_busy == 1);
    for (size_t i = 0; i < ENEMIES; i++) {
        busy += eve[i].n_busy;
        pl_room_client_free(eve[i].client);
    }
    PL_EQ(busy, 6);
    pl_session *none;
    PL_EQ(pl_session_call(&none, sc.bob.sig, &(pl_session_conf){ .to = "somebody" }, NULL), PL_ENOSPC);
    scene_end(&sc);
}

PL_TEST(who_may_not_ring)
{
    scene sc;
    enemy eve;
    scene_begin(&sc, &way);
    scene_open(&sc.bob, NULL);
    enemy_comes(&eve, &sc);
    sc.bob.deaf = true;
    says(&eve, offer);
    SCENE_UNTIL(&sc, eve.n_declined == 1);
    PL_EQ(sc.bob.n_incoming, 0);
    pl_room_client_free(eve.client);
    scene_end(&sc);
}

/* In a call that runs, too. */
PL_TEST(nonsense_in_a_call)
{
    scene sc;
    enemy eve;
    scene_begin(&sc, &way);
    scene_open(&sc.bob, NULL);
    enemy_comes(&eve, &sc);
    scene_open(&sc.ann, "bob");
    scene_call *a = scene_dial(&sc.ann, NULL);
    SCENE_UNTIL(&sc, sc.bob.n_incoming == 1);
    scene_call *b = scene_last(&sc.bob);
    PL_EQ(pl_session_accept(b->s), PL_OK);
    SCENE_UNTIL(&sc, a->n_heard && b->n_heard);
    for (int i = 0; i < 100; i++) { /* of somebody else, about nothing of hers */
        says(&eve, "{\"type\":\"bye\"}");
        says(&eve, "{\"type\":\"answer\",\"sdp\":\"v=0\"}");
        says(&eve, "{\"candidate\":\"\"}");
    }
    size_t heard = a->n_heard;
    PL_EQ(pl_data_channel_send_text(b->chat, "well"), PL_OK);
    SCENE_UNTIL(&sc, a->n_heard > heard);
    PL_EQ(a->n_ended + b->n_ended, 0);
    pl_room_client_free(eve.client);
    scene_end(&sc);
}

PL_TEST(texts_that_were_damaged)
{
    scene sc;
    scene_begin(&sc, &paste);
    scene_open(&sc.ann, NULL);
    scene_open(&sc.bob, NULL);
    pl_signaling *bob = sc.bob.sig;
    sc.bob.sig = NULL; /* what is pasted is ours to choose */
    (void)scene_dial(&sc.ann, NULL);
    SCENE_UNTIL(&sc, sc.ann.n_texts == 1);
    char *whole = sc.ann.text[0], *bad = strdup(whole);
    size_t n = strlen(whole);
    PL_EQ(pl_signaling_paste(bob, "hello"), PL_EPROTO);
    PL_EQ(pl_signaling_paste(bob, "{\"type\":\"answer\",\"sdp\":\"v=0\"}"), PL_ESTATE);
    PL_EQ(pl_signaling_paste(bob, "{\"candidate\":\"\"}"), PL_EPROTO);
    PL_EQ(pl_signaling_paste(bob, "{]"), PL_EPROTO);
    PL_EQ(pl_signaling_paste(bob, "{\"type\":"), PL_EAGAIN);
    PL_EQ(pl_signaling_paste(bob, "]"), PL_EPROTO);
    for (size_t at = 20; at < n; at += 97) { /* a letter is another one */
        memcpy(bad, whole, n + 1);
        bad[at] = bad[at] == 'A' ? 'B' : 'A';
        PL_OKAY(pl_signaling_paste(bob, bad) != PL_OK);
        PL_EQ(pl_signaling_paste(bob, ".00000000"), PL_EPROTO); /* the end, if that was what is missing */
    }
    memset(bad, 'x', n);
    for (size_t i = 0; i < 2 * PL_SESSION_TEXT_MAX / n + 2; i++)
        (void)!pl_signaling_paste(bob, i ? bad : "peerline-call:");
    PL_EQ(sc.bob.n_incoming, 0);
    (void)!pl_signaling_paste(bob, ".00000000");
    for (size_t at = 0; at < n; at += 50) { /* a chat breaks and quotes it */
        char piece[64];
        snprintf(piece, sizeof piece, "> %.50s ", whole + at);
        PL_EQ(pl_signaling_paste(bob, piece), at + 50 < n ? PL_EAGAIN : PL_OK);
    }
    SCENE_UNTIL(&sc, sc.bob.n_incoming == 1);
    free(bad);
    sc.bob.sig = bob;
    sc.bob.n_pasted = sc.bob.n_texts;
    sc.ann.n_pasted = sc.ann.n_texts;
    scene_end(&sc);
}

PL_TESTS(t(words_out_of_place), t(floods_before_an_answer), t(descriptions_that_break_the_rules),
         t(more_callers_than_there_is_room_for), t(who_may_not_ring), t(nonsense_in_a_call),
         t(texts_that_were_damaged))
