/* An application that does not take its messages: memory stays bounded, the sender is told, nothing is lost. */
#include "pl_test.h"

#include <stdatomic.h>
#include <unistd.h>

#include "peerline/peer_connection.h"

enum {
    MESSAGE = 64 * 1024,
    SEND_BUFFER = 1 << 20,
    /* What may be on its way: the sender's buffer, and SCTP's first window, in which the events that wait for the
     * signaling thread count, with a tenth and a message that each may be over. */
    ON_ITS_WAY_MAX = SEND_BUFFER + (2 << 20) + (2 << 20) / 10 + 4 * MESSAGE,
    STILL = 150, /* refusals in a row, 2 ms apart, after which nothing moves any more */
    WAIT = 10000 /* naps of 2 ms that only a broken connection needs */
};

typedef struct end {
    pl_factory *factory;
    pl_peer_connection *peer;
    pl_data_channel *channel;
    _Atomic bool open;
} end;

static _Atomic bool may_go_on;
static _Atomic uint32_t n_received;

static void on_open(void *user, pl_data_channel *channel)
{
    (void)channel;
    atomic_store(&((end *)user)->open, true);
}

static void on_message(void *user, pl_data_channel *channel, const uint8_t *data, size_t len, bool binary)
{
    uint32_t number;
    (void)user, (void)channel;
    while (!atomic_load(&may_go_on))
        usleep(2000);
    PL_OKAY(binary && len == MESSAGE);
    memcpy(&number, data, sizeof number);
    PL_EQ(number, atomic_fetch_add(&n_received, 1));
}

static void make(end *e)
{
    static const pl_data_channel_init both_make_it = { .negotiated = true, .id = 0 };
    pl_factory_conf conf = { .bind_address = "127.0.0.1", .loopback = true };
    pl_configuration peer_conf = { .data_send_buffer = SEND_BUFFER };
    pl_data_channel_observer watch = { .user = e, .on_open = on_open, .on_message = on_message };
    PL_EQ(pl_factory_new(&e->factory, &conf), PL_OK);
    PL_EQ(pl_peer_connection_new(&e->peer, e->factory, &peer_conf, NULL), PL_OK);
    PL_EQ(pl_peer_connection_create_data_channel(e->peer, "slow", &both_make_it, &watch, &e->channel), PL_OK);
}

static void describe(end *from, end *to, pl_sdp_type type)
{
    char *sdp;
    PL_EQ(pl_peer_connection_set_local_description(from->peer, type, NULL), PL_OK);
    for (int i = 0; i < WAIT; i++) {
        if (pl_peer_connection_get_ice_gathering_state(from->peer) == PL_ICE_GATHERING_COMPLETE)
            break;
        usleep(2000);
    }
    PL_EQ(pl_peer_connection_local_description(from->peer, NULL, &sdp), PL_OK);
    PL_EQ(pl_peer_connection_set_remote_description(to->peer, type, sdp), PL_OK);
    pl_free(sdp);
}

static void drop(end *e)
{
    pl_data_channel_free(e->channel);
    pl_peer_connection_free(e->peer);
    pl_factory_free(e->factory);
}

PL_TEST(a_slow_application_closes_the_window)
{
    static uint8_t message[MESSAGE];
    end a = { 0 }, b = { 0 };
    uint32_t n_sent = 0;
    int n_refused = 0;
    make(&a);
    make(&b);
    describe(&a, &b, PL_SDP_OFFER);
    describe(&b, &a, PL_SDP_ANSWER);
    for (int i = 0; i < WAIT && !(atomic_load(&a.open) && atomic_load(&b.open)); i++)
        usleep(2000);
    PL_OKAY(atomic_load(&a.open) && atomic_load(&b.open));

    while (n_refused < STILL && (size_t)n_sent * MESSAGE <= ON_ITS_WAY_MAX) {
        memcpy(message, &n_sent, sizeof n_sent);
        pl_err err = pl_data_channel_send(a.channel, message, sizeof message, true);
        if (err == PL_EAGAIN) {
            n_refused++;
            usleep(2000);
        } else {
            PL_EQ(err, PL_OK);
            n_sent++;
            n_refused = 0;
        }
    }
    PL_LE((size_t)n_sent * MESSAGE, ON_ITS_WAY_MAX);
    PL_EQ(atomic_load(&n_received), 0);

    atomic_store(&may_go_on, true);
    for (int i = 0; i < WAIT && atomic_load(&n_received) < n_sent; i++)
        usleep(2000);
    PL_EQ(atomic_load(&n_received), n_sent);
    drop(&a);
    drop(&b);
}

PL_TESTS(t(a_slow_application_closes_the_window))
