/* bench-data - what a data channel costs: throughput, latency, set-up and memory of pairs of peers in this process,
 * over loopback sockets with ICE and DTLS. Prints JSON lines.
 * Uses the public interface alone, on one loop without threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

static int usage(void)
{
    fprintf(
        stderr,
        "usage: bench-data throughput MESSAGE_BYTES SECONDS RUNS\n"
        "       bench-data latency SECONDS\n"
        "       bench-data feed MESSAGE_BYTES    (offer to stdout, answer from stdin, each closed by a dot)\n"
        "       bench-data setup N\n"
        "       bench-data rss PAIRS\n"
        "       bench-data idle PAIRS SECONDS\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int code = 0;
    bench_begin(strcmp(what, "feed") == 0 ? NULL : "127.0.0.1");
    if (strcmp(what, "throughput") == 0 && argc == 5) {
        for (int i = 0; i < atoi(argv[4]); i++)
            bench_throughput((size_t)atol(argv[2]), atof(argv[3]));
    } else if (strcmp(what, "latency") == 0 && argc == 3) {
        bench_latency(atof(argv[2]));
    } else if (strcmp(what, "feed") == 0 && argc == 3) {
        bench_feed((size_t)atol(argv[2]));
    } else if (strcmp(what, "setup") == 0 && argc == 3 && atoi(argv[2]) > 0) {
        bench_setup(atoi(argv[2]));
    } else if (strcmp(what, "rss") == 0 && argc == 3 && atoi(argv[2]) > 0) {
        bench_rss(atoi(argv[2]));
    } else if (strcmp(what, "idle") == 0 && argc == 4 && atoi(argv[2]) > 0) {
        bench_idle(atoi(argv[2]), atof(argv[3]));
    } else {
        code = usage();
    }
    bench_end();
    return code;
}
