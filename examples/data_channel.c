/* Two peers in one process open a data channel and greet each other; no threads: we run the loop ourselves.
 *     cc data_channel.c $(pkg-config --cflags --libs peerline) */
#include <stdio.h>
#include <stdlib.h>

#include <peerline/loop.h>
#include <peerline/peer_connection.h>

static bool greeted;

static void must(pl_err err)
{
    if (err != PL_OK) {
        fprintf(stderr, "%s\n", pl_err_str(err));
        exit(1);
    }
}
static void on_open(void *user, pl_data_channel *channel)
{
    (void)user;
    must(pl_data_channel_send_text(channel, "Hello from A"));
}
static void on_message(void *name, pl_data_channel *channel, const uint8_t *data, size_t len, bool binary)
{
    (void)binary;
    printf("%s heard: %.*s\n", (const char *)name, (int)len, (const char *)data);
    if (*(const char *)name == 'B')
        must(pl_data_channel_send_text(channel, "Hello from B"));
    else
        greeted = true;
}
static void on_candidate(void *other, const pl_ice_candidate *candidate) /* signaling: here, a call */
{
    must(pl_peer_connection_add_ice_candidate(*(pl_peer_connection **)other, candidate));
}
static pl_data_channel *theirs;
static void on_data_channel(void *user, pl_data_channel *channel)
{
    (void)user;
    theirs = channel;
    pl_data_channel_set_observer(channel,
                                 &(pl_data_channel_observer){ .user = "B", .on_message = on_message });
}

int main(void)
{
    pl_loop *loop;
    pl_factory *factory;
    pl_peer_connection *a, *b;
    pl_data_channel *channel;
    char *sdp;
    must(pl_loop_new(&loop, NULL));
    must(pl_factory_new(&factory, &(pl_factory_conf){ .loop = loop, .loopback = true }));
    pl_peer_connection_observer on_a = { .user = &b, .on_ice_candidate = on_candidate };
    pl_peer_connection_observer on_b = { &a, .on_ice_candidate = on_candidate,
                                         .on_data_channel = on_data_channel };
    must(pl_peer_connection_new(&a, factory, NULL, &on_a));
    must(pl_peer_connection_new(&b, factory, NULL, &on_b));
    pl_data_channel_observer on_channel = { .user = "A", .on_open = on_open, .on_message = on_message };
    must(pl_peer_connection_create_data_channel(a, "chat", NULL, &on_channel, &channel));

    must(pl_peer_connection_set_local_description(a, PL_SDP_OFFER, NULL));
    must(pl_peer_connection_local_description(a, NULL, &sdp));
    must(pl_peer_connection_set_remote_description(b, PL_SDP_OFFER, sdp));
    pl_free(sdp);
    must(pl_peer_connection_set_local_description(b, PL_SDP_ANSWER, NULL));
    must(pl_peer_connection_local_description(b, NULL, &sdp));
    must(pl_peer_connection_set_remote_description(a, PL_SDP_ANSWER, sdp));
    pl_free(sdp);

    while (!greeted)
        must(pl_loop_run_once(loop, -1));

    pl_data_channel_free(channel);
    pl_data_channel_free(theirs);
    pl_peer_connection_free(a);
    pl_peer_connection_free(b);
    pl_factory_free(factory);
    pl_loop_free(loop);
    return 0;
}
