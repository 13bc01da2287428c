/* bulk.c - one end of a data channel that is kept full, through the public interface: what tests/natlab/links measures.
 *
 *   bulk send DIR            offers, and sends 64 KiB messages until the other end is gone
 *   bulk receive DIR SECONDS answers, counts what arrives in SECONDS from when the channel is open, and prints it as JSON
 *
 * The descriptions travel as files in DIR. */
#include <peerline/loop.h>
#include <peerline/peer_connection.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MUST(call) must((call), #call)

enum { MESSAGE = 65536, QUEUE_BYTES = 8 << 20, BEAT_US = 20000, SDP_MAX = 65536, PATIENCE_S = 20 };

typedef struct end {
    const char *dir;
    bool sends;
    double seconds; /* to be counted */
    pl_peer_connection *peer;
    pl_data_channel *channel;
    bool gathered, told, open, over;
    int64_t begin_ms;
    uint64_t bytes;
} end;

static void must(pl_err err, const char *what)
{
    if (err == PL_OK)
        return;
    fprintf(stderr, "bulk: %s: %s\n", what, pl_err_str(err));
    exit(1);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- what happens --- */

static void on_gathering(void *user, pl_ice_gathering_state state)
{
    ((end *)user)->gathered = state == PL_ICE_GATHERING_COMPLETE;
}

static void on_connection(void *user, pl_peer_connection_state state, const char *reason)
{
    end *e = user;
    if (state == PL_CONNECTION_FAILED || (state == PL_CONNECTION_DISCONNECTED && *reason))
        e->over = true;
}

static void on_open(void *user, pl_data_channel *channel)
{
    end *e = user;
    (void)channel;
    e->open = true;
    e->begin_ms = now_ms();
}

static void on_close(void *user, pl_data_channel *channel)
{
    (void)channel;
    ((end *)user)->over = true;
}

static void on_message(void *user, pl_data_channel *channel, const uint8_t *data, size_t len, bool binary)
{
    end *e = user;
    (void)channel, (void)data, (void)binary;
    if ((double)(now_ms() - e->begin_ms) < e->seconds * 1000)
        e->bytes += len;
    else
        e->over = true;
}

/* It is for ever. */
static void release(void *user)
{
    (void)user;
}

static void fill(void *user, pl_data_channel *channel)
{
    static const uint8_t message[MESSAGE];
    while (pl_data_channel_buffered_amount(channel) < QUEUE_BYTES) {
        pl_err err = pl_data_channel_send_lent(channel, message, sizeof message, true, release, NULL);
        if (err == PL_EAGAIN || err == PL_ESTATE)
            return;
        MUST(err);
    }
    (void)user;
}

static void watch(end *e, pl_data_channel *channel)
{
    pl_data_channel_observer o = { .user = e,
                                   .on_open = on_open,
                                   .on_close = on_close,
                                   .on_message = on_message,
                                   .on_buffered_amount_low = fill };
    e->channel = channel;
    pl_data_channel_set_observer(channel, &o);
}

static void on_channel(void *user, pl_data_channel *channel)
{
    watch(user, channel);
    on_open(user, channel);
}

/* --- descriptions --- */

static void tell(end *e)
{
    char *sdp, path[512], part[520];
    MUST(pl_peer_connection_local_description(e->peer, NULL, &sdp));
    snprintf(path, sizeof path, "%s/%s.sdp", e->dir, e->sends ? "offer" : "answer");
    snprintf(part, sizeof part, "%s.part", path);
    FILE *f = fopen(part, "w");
    if (!f || fputs(sdp, f) < 0 || fclose(f) || rename(part, path))
        must(PL_EIO, path);
    pl_free(sdp);
    e->told = true;
}

/* False until the other end has written it. */
static bool hear(end *e)
{
    static char sdp[SDP_MAX];
    char path[512];
    snprintf(path, sizeof path, "%s/%s.sdp", e->dir, e->sends ? "answer" : "offer");
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    sdp[fread(sdp, 1, sizeof sdp - 1, f)] = 0;
    fclose(f);
    MUST(pl_peer_connection_set_remote_description(e->peer, e->sends ? PL_SDP_ANSWER : PL_SDP_OFFER, sdp));
    return true;
}

static int run(end *e)
{
    pl_loop *loop;
    pl_factory *factory;
    pl_peer_connection_observer o = { .user = e,
                                      .on_ice_gathering_state = on_gathering,
                                      .on_connection_state = on_connection,
                                      .on_data_channel = on_channel };
    MUST(pl_loop_new(&loop, NULL));
    MUST(pl_factory_new(&factory, &(pl_factory_conf){ .loop = loop, .no_loopback = true, .no_ipv6 = true }));
    MUST(pl_peer_connection_new(&e->peer, factory, NULL, &o));
    if (e->sends) {
        pl_data_channel *channel;
        MUST(pl_peer_connection_create_data_channel(e->peer, "bulk", NULL, NULL, &channel));
        watch(e, channel);
        pl_data_channel_set_buffered_amount_low_threshold(channel, QUEUE_BYTES / 2);
        MUST(pl_peer_connection_set_local_description(e->peer, PL_SDP_OFFER, NULL));
    }
    bool heard = false;
    int64_t until_ms = now_ms() + (int64_t)((PATIENCE_S + e->seconds) * 1000);
    while (!e->over && now_ms() < until_ms) {
        MUST(pl_loop_run_once(loop, BEAT_US));
        if (!heard && (!e->sends || e->told)) {
            heard = hear(e);
            if (heard && !e->sends)
                MUST(pl_peer_connection_set_local_description(e->peer, PL_SDP_ANSWER, NULL));
        }
        if (e->gathered && !e->told)
            tell(e);
        if (e->sends && e->open)
            fill(e, e->channel);
    }
    double s = (double)(now_ms() - e->begin_ms) / 1000;
    bool whole = e->open && s >= e->seconds;
    if (!e->sends)
        printf("{\"bytes\":%llu,\"seconds\":%.3f,\"mbit_s\":%.2f}\n", (unsigned long long)e->bytes,
               e->seconds, (double)e->bytes * 8 / 1e6 / e->seconds);
    pl_data_channel_free(e->channel);
    pl_peer_connection_free(e->peer);
    pl_factory_free(factory);
    pl_loop_free(loop);
    return e->sends || whole ? 0 : 1;
}

int main(int argc, char **argv)
{
    end e = { .sends = argc > 1 && !strcmp(argv[1], "send") };
    if (argc < 3 || (!e.sends && (strcmp(argv[1], "receive") != 0 || argc < 4))) {
        fprintf(stderr, "usage: bulk send DIR | bulk receive DIR SECONDS\n");
        return 2;
    }
    e.dir = argv[2];
    e.seconds = e.sends ? 600 : strtod(argv[3], NULL);
    return run(&e);
}
