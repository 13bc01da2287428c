/* How full SCTP keeps long and lossy links, in virtual time: every rate, round trip and loss, for each controller; then
 * how two share a link, and one with a TCP by CUBIC. A queue of one bandwidth-delay product, 10 s from
 * when the association is up.
 *     bench/sctp_links [SECONDS] [RATE_MBIT]  prints a table; with a rate only the cells of that rate */
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "sim/sctp_flows.h"

static const struct {
    pl_sctp_congestion which;
    const char *name;
} control[] = { { PL_SCTP_CONGESTION_RENO, "RFC 9260" },
                { PL_SCTP_CONGESTION_CUBIC, "cubic" },
                { PL_SCTP_CONGESTION_CUBIC_BDP, "cubic-bdp" },
                { PL_SCTP_CONGESTION_BBR, "bbr" },
                { PL_SCTP_CONGESTION_LEDBAT, "ledbat" } };
enum { N_CONTROLS = sizeof control / sizeof *control };

static const int64_t rates[] = { 10, 100, 1000 }, rtts_ms[] = { 1, 20, 100, 300 };
static const double losses[] = { 0, 0.0001, 0.001, 0.01 };

static void print_cell(int64_t rate, int64_t rtt_ms, double loss, int64_t for_us)
{
    printf("| %4d Mbit/s | %3d ms | %4.2f %% |", (int)rate, (int)rtt_ms, loss * 100);
    for (size_t c = 0; c < N_CONTROLS; c++) {
        sim_flows f;
        sim_flows_conf conf = { .n = 1,
                                .rate_bps = rate * 1000000,
                                .rtt_us = PL_MS(rtt_ms),
                                .loss = loss,
                                .from_us = 2 * PL_MS(rtt_ms),
                                .for_us = for_us + 2 * PL_MS(rtt_ms),
                                .congestion = control[c].which,
                                .seed = 1 };
        sim_flows_run(&f, &conf);
        printf(" %5.1f %% |", f.utilisation * 100);
        fflush(stdout);
    }
    printf("\n");
}

static void print_shares(int64_t rate, int64_t rtt_ms)
{
    printf("| %4d Mbit/s | %3d ms |", (int)rate, (int)rtt_ms);
    for (size_t c = 0; c < N_CONTROLS; c++) {
        sim_flows two, beside;
        sim_flows_conf conf = { .n = 2,
                                .rate_bps = rate * 1000000,
                                .rtt_us = PL_MS(rtt_ms),
                                .for_us = PL_SEC(60),
                                .from_us = PL_SEC(10),
                                .apart_us = PL_SEC(2),
                                .congestion = control[c].which,
                                .seed = 1 };
        sim_flows_run(&two, &conf);
        conf.n = 1;
        conf.tcp = true;
        sim_flows_run(&beside, &conf);
        double share = beside.goodput_bps[0] / (beside.goodput_bps[0] + beside.goodput_bps[SIM_FLOWS_MAX]);
        printf(" %.2f, %4.1f %% |", two.jain, share * 100);
        fflush(stdout);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    int64_t for_us = PL_SEC(argc > 1 ? atoi(argv[1]) : 10), only = argc > 2 ? atoi(argv[2]) : 0;
    printf("| rate | RTT | loss |");
    for (size_t c = 0; c < N_CONTROLS; c++)
        printf(" %s |", control[c].name);
    printf("\n|---|---|---|---|---|---|\n");
    for (size_t r = 0; r < 3; r++) {
        for (size_t d = 0; d < 4; d++) {
            for (size_t l = 0; l < 4 && (!only || only == rates[r]); l++)
                print_cell(rates[r], rtts_ms[d], losses[l], for_us);
        }
    }
    printf(
        "\nJain's index of two flows, and the share of one beside TCP by CUBIC:\n\n|---|---|---|---|---|\n");
    for (size_t r = 0; r < 2; r++) {
        for (size_t d = 1; d < 3 && (!only || only == rates[r]); d++)
            print_shares(rates[r], rtts_ms[d]);
    }
    return 0;
}
