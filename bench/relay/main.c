/* bench-relay - loads any STUN or TURN server over UDP on loopback and measures it from outside.
 *     bench-relay stun     [OPTIONS] ADDR:PORT     Binding requests
 *     bench-relay data     [OPTIONS] ADDR:PORT     ChannelData relayed
 *     bench-relay allocate [OPTIONS] ADDR:PORT     allocations made, bound, refreshed, deleted; their memory
 *     bench-relay hold     [OPTIONS] ADDR:PORT     allocations kept alive
 *     bench-relay mix      [OPTIONS] ADDR:PORT     much traffic, some of it hostile: is it relayed rightly?
 *     bench-relay flood    [OPTIONS] ADDR:PORT     requests without credentials: what does a stranger get?
 *     bench-relay floor    [OPTIONS] ADDR:PORT     is itself a server that does the least, until it is ended
 * Prints one JSON line; `cpu_us` is the server's, per unit of work. docs/performance.md tells how it is used. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modes.h"

typedef struct words {
    load_server server;
    unsigned n, sockets, in_flight, size, burst_min, burst_max, rate, hostile, limit, slots;
    double seconds;
    data_direction direction;
    char *user;
} words;

static void usage(FILE *to)
{
    fputs("usage: bench-relay stun|data|allocate|hold|mix|flood|floor [OPTIONS] ADDR:PORT\n"
          "  --pid PID            the server's process, whose CPU and memory are told\n"
          "  --user NAME:PASSWORD long-term credentials (bench:bench)\n"
          "  --seconds S          how long (2)\n"
          "  --n N                allocations (data: 8, allocate and mix: 1000, hold: 10000)\n"
          "  --sockets N          of stun (8)\n"
          "  --in-flight N        of each socket or allocation (32; allocate: allocations at once, 64)\n"
          "  --size BYTES         of a payload (1200)\n"
          "  --direction up|down|echo   client to peer (the default), peer to client, and back\n"
          "  --burst MIN[-MAX]    datagrams sent as one segmented burst, and received so (1: one by one)\n"
          "  --rate N             data: datagrams per second (as many as go); mix: of all clients (5000); "
          "flood:\n"
          "                       requests (5000)\n"
          "  --hostile PERCENT    mix: of what the server gets (5)\n"
          "  --slots N            floor: datagrams or bursts by one system call (64)\n"
          "  --limit N            flood: answers per second that the server's limit allows (0: any)\n",
          to);
}

static unsigned number(const char *text, unsigned max)
{
    char *end;
    unsigned long v = strtoul(text, &end, 10);
    if (end == text || *end || v > max)
        load_die("not a number up to %u: %s", max, text);
    return (unsigned)v;
}

static void take_direction(words *w, const char *text)
{
    static const char *const name[] = { "up", "down", "echo" };
    for (int i = 0; i < 3; i++)
        if (strcmp(text, name[i]) == 0) {
            w->direction = (data_direction)i;
            return;
        }
    load_die("no direction: %s", text);
}

static void take_burst(words *w, char *text)
{
    char *max = strchr(text, '-');
    if (max)
        *max++ = 0;
    w->burst_min = number(text, 48);
    w->burst_max = max ? number(max, 48) : w->burst_min;
    if (w->burst_min < 1 || w->burst_max < w->burst_min)
        load_die("no burst: %s", text);
}

static void take_user(words *w, char *text)
{
    char *colon = strchr(text, ':');
    if (!colon)
        load_die("--user wants NAME:PASSWORD");
    *colon = 0;
    w->server.user = text;
    w->server.password = colon + 1;
}

static void read_words(words *w, int argc, char **argv)
{
    static const struct option option[] = {
        { "pid", 1, NULL, 'p' },   { "user", 1, NULL, 'u' },      { "seconds", 1, NULL, 's' },
        { "n", 1, NULL, 'n' },     { "sockets", 1, NULL, 'o' },   { "in-flight", 1, NULL, 'i' },
        { "size", 1, NULL, 'z' },  { "direction", 1, NULL, 'd' }, { "burst", 1, NULL, 'b' },
        { "rate", 1, NULL, 'r' },  { "hostile", 1, NULL, 't' },   { "limit", 1, NULL, 'l' },
        { "slots", 1, NULL, 'k' }, { "help", 0, NULL, 'h' },      { 0 },
    };
    *w = (words){ .sockets = 8, .size = 1200, .burst_min = 1, .burst_max = 1, .seconds = 2, .hostile = 5 };
    w->server.user = w->server.password = "bench";
    for (int c; (c = getopt_long(argc, argv, "h", option, NULL)) != -1;)
        switch (c) {
        case 'p': w->server.pid = (pid_t)number(optarg, 1u << 30); break;
        case 'u': take_user(w, optarg); break;
        case 's': w->seconds = strtod(optarg, NULL); break;
        case 'n': w->n = number(optarg, 60000); break;
        case 'o': w->sockets = number(optarg, 64); break;
        case 'i': w->in_flight = number(optarg, 1024); break;
        case 'z': w->size = number(optarg, 1300); break;
        case 'd': take_direction(w, optarg); break;
        case 'b': take_burst(w, optarg); break;
        case 'r': w->rate = number(optarg, 1000000); break;
        case 't': w->hostile = number(optarg, 90); break;
        case 'l': w->limit = number(optarg, 1000000); break;
        case 'k': w->slots = number(optarg, 64); break;
        case 'h': usage(stdout); exit(0);
        default: usage(stderr); exit(2);
        }
}

static unsigned or_else(unsigned told, unsigned usual)
{
    return told ? told : usual;
}

int main(int argc, char **argv)
{
    words w;
    pl_addr at;
    read_words(&w, argc, argv);
    if (argc - optind != 2 || pl_addr_parse(&at, argv[optind + 1], strlen(argv[optind + 1])) ||
        at.family != PL_AF_IP4) {
        usage(stderr);
        return 2;
    }
    w.server.at = load_sockaddr(&at);
    const char *mode = argv[optind];
    int64_t span_us = (int64_t)(w.seconds * 1e6);
    const load_server *server = &w.server;
    if (strcmp(mode, "stun") == 0) {
        stun_run(&(stun_order){ server, w.sockets, or_else(w.in_flight, 32), span_us });
    } else if (strcmp(mode, "data") == 0) {
        data_run(&(data_order){ server, w.direction, or_else(w.n, 8), or_else(w.in_flight, 32), w.size,
                                w.burst_min, w.burst_max, w.rate, span_us });
    } else if (strcmp(mode, "allocate") == 0) {
        allocate_run(&(allocate_order){ server, or_else(w.n, 1000), or_else(w.in_flight, 64) });
    } else if (strcmp(mode, "hold") == 0) {
        hold_run(&(hold_order){ server, or_else(w.n, 10000), span_us });
    } else if (strcmp(mode, "mix") == 0) {
        mix_run(&(mix_order){ server, or_else(w.n, 1000), or_else(w.rate, 5000), w.hostile, span_us });
    } else if (strcmp(mode, "flood") == 0) {
        flood_run(&(flood_order){ server, or_else(w.rate, 5000), w.limit, span_us });
    } else if (strcmp(mode, "floor") == 0) {
        floor_run(&(floor_order){ w.server.at, or_else(w.slots, 64) });
    } else {
        usage(stderr);
        return 2;
    }
    return 0;
}
