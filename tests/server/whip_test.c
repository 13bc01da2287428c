/* WHIP and WHEP over real HTTP and real sockets, without a codec: a publisher whose packets the test makes, and a hundred
 * viewers that must get every one of them; key frames, another publisher, the end. */
#include "pl_test.h"

#include "base/time.h"
#include "net/loop.h"
#include "peer/media_port.h"
#include "peerline/log.h"
#include "server/server.h"
#include "signal/whip_curl.h"

enum { VIEWERS = 100, PACKETS = 300, PAYLOAD = 900 };

static const pl_addr loopback = { .family = PL_AF_IP4, .ip = { 127, 0, 0, 1 } };

typedef struct world {
    pl_loop *loop;
    pl_server *server;
    pl_factory *factory;
    char base[64];
} world;

/* A client of either protocol, with one video transceiver that the test feeds or empties. */
typedef struct client {
    world *w;
    bool plays;
    pl_whip_curl *http;
    pl_peer_connection *pc;
    pl_rtp_transceiver *video;
    pl_pc_rings rings;
    pl_pc_media_info info;
    bool connected, failed, closed, gone;
    int n_got, n_wrong, n_keys_wanted;
    int64_t first_seq, last_seq;
    uint32_t last_ts;
    char why[PL_WHIP_WHY_MAX];
} client;

/* ---- what is sent and what comes ---- */

static void on_posted(void *user)
{
    client *c = user;
    const pl_media_msg *msg;
    while ((msg = pl_ring_peek(c->rings.recv_in))) {
        const pl_media_packet *p = &msg->u.packet;
        if (msg->kind == PL_MEDIA_PACKET) {
            c->n_wrong += p->len != PAYLOAD || p->payload[1] != p->payload[PAYLOAD - 1];
            c->first_seq = c->n_got++ ? pl_min_us(c->first_seq, p->ext_seq) : p->ext_seq;
            c->last_seq = pl_max_us(c->last_seq, p->ext_seq);
            c->last_ts = p->rtp_ts;
        }
        pl_ring_drop(c->rings.recv_in);
    }
}

static void on_changed(void *user, const pl_pc_media_info *info)
{
    client *c = user;
    c->info = *info;
}

static void hear_wishes(client *c)
{
    const pl_media_msg *msg;
    while ((msg = pl_ring_peek(c->rings.send_in))) {
        c->n_keys_wanted += msg->kind == PL_MEDIA_WANT_KEY;
        pl_ring_drop(c->rings.send_in);
    }
}

static void send_packet(client *c, int i)
{
    pl_media_msg msg = { .kind = PL_MEDIA_PACKET };
    pl_media_packet *p = &msg.u.packet;
    p->rtp_ts = (uint32_t)i * 3000;
    p->pt = c->info.send_pt;
    p->marker = true;
    p->len = PAYLOAD;
    p->audio_level = PL_AUDIO_LEVEL_NONE;
    memset(p->payload, i, PAYLOAD);
    PL_OKAY(pl_ring_push(c->rings.send_out, &msg));
    pl_peer_media_kick(c->video);
}

/* ---- clients ---- */

static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    client *c = user;
    c->connected |= state == PL_CONNECTION_CONNECTED;
    c->gone |= state == PL_CONNECTION_FAILED || (state == PL_CONNECTION_DISCONNECTED && reason[0]);
}

static void make_offer(client *c)
{
    const pl_peer_connection_observer o = { .user = c, .on_connection_state = on_connection };
    const pl_transceiver_init init = { .direction = c->plays ? PL_RECVONLY : PL_SENDONLY };
    const pl_media_port port = { .rings = c->rings, .user = c, .posted = on_posted, .changed = on_changed };
    pl_sdp_type type;
    char *sdp;
    PL_EQ(pl_peer_connection_new(&c->pc, c->w->factory, NULL, &o), PL_OK);
    PL_EQ(pl_peer_connection_add_transceiver(c->pc, PL_VIDEO, &init, &c->video), PL_OK);
    PL_EQ(pl_peer_attach_media(c->video, &port), PL_OK);
    PL_EQ(pl_peer_connection_set_local_description(c->pc, PL_SDP_OFFER, NULL), PL_OK);
    PL_EQ(pl_peer_connection_local_description(c->pc, &type, &sdp), PL_OK);
    PL_EQ(pl_whip_client_offer(pl_whip_curl_client(c->http), pl_clock_us(), sdp), PL_OK);
    pl_whip_curl_kick(c->http);
    pl_free(sdp);
}

static void on_event(void *user, const pl_whip_event *ev)
{
    client *c = user;
    if (ev->kind == PL_WHIP_READY)
        make_offer(c);
    if (ev->kind == PL_WHIP_ANSWER)
        PL_EQ(pl_peer_connection_set_remote_description(c->pc, PL_SDP_ANSWER, ev->text), PL_OK);
    if (ev->kind == PL_WHIP_FAILED)
        snprintf(c->why, sizeof c->why, "%s", ev->text);
    c->failed |= ev->kind == PL_WHIP_FAILED;
    c->closed |= ev->kind == PL_WHIP_CLOSED;
}

static client *client_new(world *w, bool plays, const char *name)
{
    client *c = calloc(1, sizeof *c);
    char url[128];
    c->w = w;
    c->plays = plays;
    PL_EQ(pl_ring_new(&c->rings.recv_in, sizeof(pl_media_msg), 128), PL_OK);
    PL_EQ(pl_ring_new(&c->rings.recv_out, sizeof(pl_media_msg), 8), PL_OK);
    PL_EQ(pl_ring_new(&c->rings.send_in, sizeof(pl_media_msg), 64), PL_OK);
    PL_EQ(pl_ring_new(&c->rings.send_out, sizeof(pl_media_msg), 64), PL_OK);
    snprintf(url, sizeof url, "%s/%s/%s", w->base, plays ? "whep" : "whip", name);
    const pl_whip_curl_conf conf = { .client = { .url = url, .no_options = true },
                                     .event = on_event,
                                     .user = c };
    PL_EQ(pl_whip_curl_new(&c->http, w->loop, &conf), PL_OK);
    return c;
}

static void client_free(client *c)
{
    pl_whip_curl_free(c->http);
    pl_peer_connection_free(c->pc);
    pl_ring_free(c->rings.recv_in);
    pl_ring_free(c->rings.recv_out);
    pl_ring_free(c->rings.send_in);
    pl_ring_free(c->rings.send_out);
    free(c);
}

/* ---- the world ---- */

static void world_open(world *w, const pl_whip_conf *whip)
{
    char text[PL_ADDR_TEXT_MAX];
    const pl_server_conf conf = { .http = { .listen = { loopback }, .n_listen = 1 }, .whip = whip };
    const pl_factory_conf factory = { .bind_address = "127.0.0.1" };
    pl_factory_conf fc = factory;
    PL_EQ(pl_loop_new(&w->loop, NULL), PL_OK);
    PL_EQ(pl_server_new(&w->server, w->loop, &conf), PL_OK);
    fc.loop = w->loop;
    PL_EQ(pl_factory_new(&w->factory, &fc), PL_OK);
    snprintf(w->base, sizeof w->base, "http://%s", pl_addr_str(pl_server_addr(w->server, 0), text));
}

static void world_close(world *w)
{
    pl_server_free(w->server);
    pl_factory_free(w->factory);
    pl_loop_free(w->loop);
}

/* Turns the loop until the condition holds; a minute is a failure. */
#define UNTIL(w, what)                                                                                       \
    do {                                                                                                     \
        int64_t give_up_us = pl_clock_us() + PL_SEC(60);                                                     \
        while (!(what) && pl_clock_us() < give_up_us)                                                        \
            (void)pl_loop_run_once((w)->loop, 5000);                                                         \
        PL_OKAY(what);                                                                                       \
    } while (0)

static pl_whip_stats stats_of(const world *w)
{
    pl_server_stats st;
    pl_server_get_stats(w->server, &st);
    return st.whip;
}

static void end_client(world *w, client *c)
{
    pl_whip_client_end(pl_whip_curl_client(c->http));
    pl_whip_curl_kick(c->http);
    UNTIL(w, c->closed);
    client_free(c);
}

static bool all_connected(client **v, int n)
{
    for (int i = 0; i < n; i++) {
        if (!v[i]->connected)
            return false;
    }
    return true;
}

static bool all_got(client **v, int n, int packets)
{
    for (int i = 0; i < n; i++) {
        if (v[i]->n_got < packets)
            return false;
    }
    return true;
}

PL_TEST(a_hundred_viewers_get_every_packet)
{
    world w;
    client *v[VIEWERS];
    const pl_whip_conf conf = { .bind_address = "127.0.0.1" };
    int64_t start_us = pl_clock_us();
    world_open(&w, &conf);
    client *publisher = client_new(&w, false, "a");
    UNTIL(&w, publisher->connected && publisher->info.sending);
    for (int i = 0; i < VIEWERS; i++)
        v[i] = client_new(&w, true, "a");
    UNTIL(&w, all_connected(v, VIEWERS));
    PL_EQ(stats_of(&w).sessions.n_viewers, VIEWERS);
    UNTIL(&w, stats_of(&w).packets.keys_wanted >= VIEWERS); /* each of them begins with one */
    for (int i = 0; i < PACKETS; i++) {
        send_packet(publisher, i);
        int64_t next_us = pl_clock_us() + PL_MS(10);
        while (pl_clock_us() < next_us)
            (void)pl_loop_run_once(w.loop, 2000);
        hear_wishes(publisher);
    }
    UNTIL(&w, all_got(v, VIEWERS, PACKETS));
    for (int i = 0; i < VIEWERS; i++) {
        PL_EQ(v[i]->n_got, PACKETS);
        PL_EQ(v[i]->last_seq - v[i]->first_seq + 1, PACKETS);
        PL_EQ(v[i]->n_wrong, 0);
    }
    PL_OKAY(publisher->n_keys_wanted >= 1); /* asked for by a hundred, told seldom */
    PL_LE(stats_of(&w).packets.keys_asked, (pl_clock_us() - start_us) / PL_STREAM_KEY_US + 2);
    PL_EQ(stats_of(&w).packets.n_dropped, 0);
    for (int i = 0; i < VIEWERS; i++)
        end_client(&w, v[i]);
    PL_EQ(stats_of(&w).sessions.n_viewers, 0);
    end_client(&w, publisher);
    PL_EQ(stats_of(&w).sessions.n_sessions, 0);
    PL_EQ(stats_of(&w).packets.packets_in, PACKETS);
    PL_EQ(stats_of(&w).packets.packets_out, PACKETS * VIEWERS);
    world_close(&w);
}

static void send_some(world *w, client *publisher, client *viewer, int n)
{
    int until = viewer->n_got + n;
    for (int i = 0; i < n; i++)
        send_packet(publisher, i);
    UNTIL(w, viewer->n_got >= until);
}

PL_TEST(viewers_stay_for_the_next_publisher)
{
    world w;
    const pl_whip_conf conf = { .bind_address = "127.0.0.1" };
    world_open(&w, &conf);
    client *first = client_new(&w, false, "a");
    UNTIL(&w, first->connected && first->info.sending);
    client *viewer = client_new(&w, true, "a");
    UNTIL(&w, viewer->connected && stats_of(&w).packets.keys_wanted >= 1);
    send_some(&w, first, viewer, 10);
    uint32_t ts = viewer->last_ts;
    end_client(&w, first);
    client *second = client_new(&w, false, "a");
    UNTIL(&w, second->connected && second->info.sending);
    send_some(&w, second, viewer, 10);
    PL_EQ(viewer->n_wrong, 0);
    PL_EQ(viewer->last_seq - viewer->first_seq + 1, viewer->n_got); /* not even a gap in numbers */
    PL_OKAY((int32_t)(viewer->last_ts - ts) > 0);
    end_client(&w, viewer);
    end_client(&w, second);
    world_close(&w);
}

PL_TEST(what_is_left_is_taken_away)
{
    world w;
    const pl_whip_conf conf = { .bind_address = "127.0.0.1",
                                .linger_us = PL_MS(200),
                                .connect_us = PL_MS(3000) };
    world_open(&w, &conf);
    client *publisher = client_new(&w, false, "a");
    UNTIL(&w, publisher->connected);
    client *viewer = client_new(&w, true, "a"), *other = client_new(&w, true, "a"),
           *none = client_new(&w, true, "b");
    UNTIL(&w, viewer->connected && other->connected && none->failed);
    PL_OKAY(strstr(none->why, "404"));
    client_free(none);
    client_free(other); /* closes its connection, and forgets to say DELETE */
    UNTIL(&w, stats_of(&w).sessions.n_viewers == 1);
    client_free(publisher);
    UNTIL(&w, stats_of(&w).sessions.n_publishers == 0);
    UNTIL(&w, stats_of(&w).sessions.n_viewers == 0 && viewer->gone); /* nobody has come in time */
    client_free(viewer);
    world_close(&w);
}

PL_TEST(the_server_stops_while_all_goes_on)
{
    world w;
    const pl_whip_conf conf = { .bind_address = "127.0.0.1" };
    world_open(&w, &conf);
    client *publisher = client_new(&w, false, "a");
    UNTIL(&w, publisher->connected && publisher->info.sending);
    client *viewer = client_new(&w, true, "a");
    UNTIL(&w, viewer->connected && stats_of(&w).packets.keys_wanted >= 1); /* so the server says, too */
    send_packet(publisher, 1);
    pl_server_free(w.server);
    w.server = NULL;
    UNTIL(&w, publisher->gone && viewer->gone); /* they hear so */
    client_free(publisher);
    client_free(viewer);
    world_close(&w);
}

PL_TESTS(t(a_hundred_viewers_get_every_packet), t(viewers_stay_for_the_next_publisher),
         t(what_is_left_is_taken_away), t(the_server_stops_while_all_goes_on))
