/* Two peers in one process greet each other over a data channel. No threads: main() turns the loop. */
#include <peerline/loop.h>
#include <peerline/peer_connection.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(call) ((call) == PL_OK ? (void)0 : abort())
static int n_heard;

static void on_candidate(void *other, const pl_ice_candidate *candidate) /* signaling is a mere call here */
{
    MUST(pl_peer_connection_add_ice_candidate(*(pl_peer_connection **)other, candidate));
}
static void on_open(void *name, pl_data_channel *channel)
{
    MUST(pl_data_channel_send_text(channel, name));
}
static void on_message(void *name, pl_data_channel *channel, const uint8_t *data, size_t len, bool binary)
{
    printf("%s: %s on \"%s\": hello from %.*s\n", (char *)name, binary ? "bytes" : "text",
           pl_data_channel_label(channel), (int)len, (const char *)data);
    n_heard++;
}
int main(void)
{
    pl_loop *loop;
    pl_factory *factory;
    pl_peer_connection *peer[2];
    pl_data_channel *channel[2];
    MUST(pl_loop_new(&loop, NULL));
    MUST(pl_factory_new(&factory, &(pl_factory_conf){ .loop = loop, .loopback = true }));
    for (int i = 0; i < 2; i++) {
        pl_peer_connection_observer watch = { .user = &peer[!i], .on_ice_candidate = on_candidate };
        pl_data_channel_observer talk = { i ? "Bob" : "Ada", .on_open = on_open, .on_message = on_message };
        pl_data_channel_init both_make_it = { .negotiated = true, .id = 0 };
        MUST(pl_peer_connection_new(&peer[i], factory, NULL, &watch));
        MUST(pl_peer_connection_create_data_channel(peer[i], "chat", &both_make_it, &talk, &channel[i]));
    }
    for (int i = 0; i < 2; i++) { /* peer 0 offers, peer 1 answers */
        pl_sdp_type type = i ? PL_SDP_ANSWER : PL_SDP_OFFER;
        char *sdp;
        MUST(pl_peer_connection_set_local_description(peer[i], type, NULL));
        MUST(pl_peer_connection_local_description(peer[i], NULL, &sdp));
        MUST(pl_peer_connection_set_remote_description(peer[!i], type, sdp));
        pl_free(sdp);
    }
    while (n_heard < 2)
        MUST(pl_loop_run_once(loop, -1));
    for (int i = 0; i < 2; i++) {
        pl_data_channel_free(channel[i]);
        pl_peer_connection_free(peer[i]);
    }
    pl_factory_free(factory);
    pl_loop_free(loop);
}
