/* How full SCTP keeps long and lossy links, in virtual time: every rate, round trip and loss, for each controller and
 * for usrsctp; what larger windows make of the largest cell; what is left when much is lost; then for each path how two
 * share it, one with a TCP by CUBIC, and how long packets wait. A queue of one bandwidth-delay product, 10 s from when the association is up.
 *     bench/sctp_links [SECONDS] [RATE_MBIT]  prints tables; with a rate only the cells of that rate */
#include <stdio.h>
#include <stdlib.h>

#include "base/time.h"
#include "sim/sctp_flows.h"
#ifdef PL_BENCH_USRSCTP
#include "sctp_links/usrsctp_flow.h"
#endif

static const struct {
    pl_sctp_congestion which;
    const char *name;
} control[] = { { PL_SCTP_CONGESTION_RENO, "RFC 9260" },
                { PL_SCTP_CONGESTION_CUBIC, "CUBIC" },
                { PL_SCTP_CONGESTION_DEFAULT, "default" },
                { PL_SCTP_CONGESTION_BBR, "BBR" },
                { PL_SCTP_CONGESTION_LEDBAT, "LEDBAT" } };
enum { N_CONTROLS = sizeof control / sizeof *control, N_ALONE = N_CONTROLS - 1, LARGE = 64 << 20 };

static const int64_t rates[] = { 10, 100, 1000 }, rtts_ms[] = { 1, 20, 100, 300 };
static const double losses[] = { 0, 0.0001, 0.001, 0.01 };

static sim_flows_conf alone(int64_t rate, int64_t rtt_ms, double loss, int64_t for_us)
{
    return (sim_flows_conf){ .n = 1,
                             .rate_bps = rate * 1000000,
                             .rtt_us = PL_MS(rtt_ms),
                             .loss = loss,
                             .from_us = 2 * PL_MS(rtt_ms),
                             .for_us = for_us + 2 * PL_MS(rtt_ms),
                             .seed = 1 };
}

static void print_cell(const sim_flows_conf *cell, bool theirs)
{
    printf("| %4d Mbit/s | %3d ms | %4.2f %% |", (int)(cell->rate_bps / 1000000), (int)(cell->rtt_us / 1000),
           cell->loss * 100);
#ifdef PL_BENCH_USRSCTP
    if (theirs)
        printf(" %5.1f %% |", usrsctp_flow_run(cell) * 100);
#else
    (void)theirs;
#endif
    for (size_t c = 0; c < N_ALONE; c++) {
        sim_flows f;
        sim_flows_conf conf = *cell;
        conf.congestion = control[c].which;
        sim_flows_run(&f, &conf);
        printf(" %5.1f %% |", f.utilisation * 100);
        fflush(stdout);
    }
    printf("\n");
}

static void print_alone(int64_t for_us, int64_t only)
{
#ifdef PL_BENCH_USRSCTP
    printf("| rate | RTT | loss | usrsctp |");
#else
    printf("| rate | RTT | loss |");
#endif
    for (size_t c = 0; c < N_ALONE; c++)
        printf(" %s |", control[c].name);
    printf("\n");
    for (size_t r = 0; r < 3; r++) {
        for (size_t i = 0; i < 16 && (!only || only == rates[r]); i++) {
            sim_flows_conf cell = alone(rates[r], rtts_ms[i / 4], losses[i % 4], for_us);
            print_cell(&cell, true);
        }
    }
}

/* The windows of both sides at 64 MiB in place of 16. */
static void print_large(int64_t for_us)
{
    printf("\nWith windows of 64 MiB, without usrsctp:\n\n");
    for (size_t l = 0; l < 2; l++) {
        sim_flows_conf cell = alone(1000, 100, losses[l], for_us);
        cell.recv_buffer_max = cell.send_buffer = LARGE;
        print_cell(&cell, false);
    }
}

/* Radio links and bad Wi-Fi, for a minute. */
static void print_worse(void)
{
    static const int64_t long_ms[] = { 100, 300, 500 };
    static const double much[] = { 0.03, 0.07, 0.1 };
    printf("\nMuch lost, for a minute:\n\n");
    for (size_t i = 0; i < 9; i++) {
        sim_flows_conf cell = alone(10, long_ms[i / 3], much[i % 3], PL_SEC(60));
        print_cell(&cell, true);
    }
}

/* Utilisation by one for a minute, and how long its packets wait; Jain's index of two; the share of one beside TCP. */
static void print_shares(int64_t rate, int64_t rtt_ms)
{
    printf("| %4d Mbit/s | %3d ms |", (int)rate, (int)rtt_ms);
    for (size_t c = 0; c < N_CONTROLS; c++) {
        sim_flows one, two, beside;
        sim_flows_conf conf = alone(rate, rtt_ms, 0, PL_SEC(60));
        conf.from_us = PL_SEC(10);
        conf.apart_us = PL_SEC(2);
        conf.congestion = control[c].which;
        sim_flows_run(&one, &conf);
        conf.n = 2;
        sim_flows_run(&two, &conf);
        conf.n = 1;
        conf.tcp = true;
        sim_flows_run(&beside, &conf);
        double share = beside.goodput_bps[0] / (beside.goodput_bps[0] + beside.goodput_bps[SIM_FLOWS_MAX]);
        printf(" %5.1f %%, %4.1f ms, %.2f, %4.1f %% |", one.utilisation * 100, (double)one.queue_us * 1e-3,
               two.jain, share * 100);
        fflush(stdout);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    int64_t for_us = PL_SEC(argc > 1 ? atoi(argv[1]) : 10), only = argc > 2 ? atoi(argv[2]) : 0;
    static const int64_t shared_ms[] = { 20, 50, 100 };
    print_alone(for_us, only);
    if (!only || only == 1000)
        print_large(for_us);
    if (!only || only == 10)
        print_worse();
    printf("\nAlone for a minute: utilisation, wait in the queue; Jain's index of two; share beside TCP by "
           "CUBIC:\n\n"
           "| rate | RTT |");
    for (size_t c = 0; c < N_CONTROLS; c++)
        printf(" %s |", control[c].name);
    printf("\n");
    for (size_t i = 0; i < 6; i++) {
        if (!only || only == rates[i / 3])
            print_shares(rates[i / 3], shared_ms[i % 3]);
    }
    return 0;
}
