/* One end of a connection to somebody else: the offer goes to standard output once all candidates are known, the answer
 * comes from standard input, both as they are, with a line of one dot behind them. Then a channel "feed" is kept full until
 * standard input ends. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pair.h"

enum { SDP_MAX = 65536 };

static bool gathered, is_open, failed;

static void on_gathering(void *user, pl_ice_gathering_state state)
{
    (void)user;
    gathered = state == PL_ICE_GATHERING_COMPLETE;
}

static void on_state(void *user, pl_peer_connection_state state, const char *reason)
{
    (void)user;
    if (state == PL_CONNECTION_FAILED)
        fprintf(stderr, "bench-data: %s\n", reason);
    failed = state == PL_CONNECTION_FAILED;
}

static void on_open(void *user, pl_data_channel *c)
{
    (void)user, (void)c;
    is_open = true;
}

static void say_offer(pl_peer_connection *pc)
{
    char *sdp;
    bench_check(pl_peer_connection_create_offer(pc, NULL, &sdp), "offer");
    bench_check(pl_peer_connection_set_local_description(pc, PL_SDP_OFFER, sdp), "local offer");
    pl_free(sdp);
    while (!gathered)
        bench_wait(0.1);
    pl_sdp_type type;
    bench_check(pl_peer_connection_local_description(pc, &type, &sdp), "local description");
    printf("%s.\n", sdp);
    fflush(stdout);
    pl_free(sdp);
}

static void hear_answer(pl_peer_connection *pc)
{
    static char sdp[SDP_MAX];
    char line[4096];
    size_t len = 0;
    while (fgets(line, sizeof line, stdin) && strcmp(line, ".\n") != 0) {
        size_t n = strlen(line);
        if (len + n >= sizeof sdp)
            bench_die("the answer is too long");
        memcpy(sdp + len, line, n + 1);
        len += n;
    }
    bench_check(pl_peer_connection_set_remote_description(pc, PL_SDP_ANSWER, sdp), "the answer");
}

static bool stdin_ended(void)
{
    struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
    char byte;
    return poll(&p, 1, 0) > 0 && read(STDIN_FILENO, &byte, 1) <= 0;
}

void bench_feed(size_t len)
{
    pl_peer_connection_observer o = { .on_ice_gathering_state = on_gathering,
                                      .on_connection_state = on_state };
    pl_data_channel_observer seen = { .on_open = on_open };
    uint8_t *message = calloc(1, len ? len : 1);
    side s = { 0 };
    if (!message)
        bench_die("out of memory");
    setvbuf(stdin, NULL, _IONBF, 0); /* poll and read see what is left */
    bench_check(pl_peer_connection_new(&s.pc, bench_factory(), NULL, &o), "connection");
    bench_check(pl_peer_connection_create_data_channel(s.pc, "feed", NULL, &seen, &s.channel), "channel");
    say_offer(s.pc);
    hear_answer(s.pc);
    while (!failed && !stdin_ended()) {
        if (is_open)
            bench_fill(&s, message, len);
        bench_wait(0.01);
    }
    pl_data_channel_free(s.channel);
    pl_peer_connection_free(s.pc);
    free(message);
}
