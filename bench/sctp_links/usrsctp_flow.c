/* usrsctp without its threads: packets and timers are given to it here, and the time it reads is the simulation's. It is tuned
 * as the libraries that use it tune it (libdatachannel's values), with buffers of 16 MiB. */
#ifdef PL_BENCH_USRSCTP
#include "usrsctp_flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../shared/usrsctp_end.h"
#include "base/time.h"
#include "sim/link.h"

enum {
    BUFFER = 16 << 20,
    MESSAGE = 65536,
    PACKET_MAX = PL_SCTP_MTU_DEFAULT + SIM_FLOW_OVERHEAD,
    PAYLOAD = PL_SCTP_MTU_DEFAULT - 28,
    QUEUE_LEAST = 16 * PACKET_MAX,
    TICK_US = 10000, /* of usrsctp's timers */
    FIRST_CWND = 10,
    MAX_BURST = 10,
    CHUNKS_MAX = 1 << 16, /* that wait for a missing one; 512 by default */
    SACK_DELAY_MS = 20
};

static struct {
    int64_t now_us, ticked_us;
    sim_link *link[2]; /* link[i] carries what end i sends */
    char end[2];       /* their addresses name the ends */
    struct socket *socket[2];
    bool full;
    uint64_t bytes;
} w;

/* The program's, and so usrsctp's. */
int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    (void)zone;
    tv->tv_sec = (time_t)(w.now_us / 1000000);
    tv->tv_usec = (suseconds_t)(w.now_us % 1000000);
    return 0;
}

static int on_output(void *addr, void *buffer, size_t len, uint8_t tos, uint8_t set_df)
{
    (void)tos, (void)set_df;
    int from = addr == &w.end[1];
    uint8_t packet[PACKET_MAX + 64] = { 0 };
    if (!w.link[from] || len + SIM_FLOW_OVERHEAD > sizeof packet)
        return 0;
    memcpy(packet + SIM_FLOW_OVERHEAD, buffer, len);
    sim_link_send(w.link[from], w.now_us, NULL, packet, len + SIM_FLOW_OVERHEAD);
    return 0;
}

static int on_receive(struct socket *s, union sctp_sockstore addr, void *data, size_t len,
                      struct sctp_rcvinfo info, int flags, void *ulp)
{
    (void)s, (void)addr, (void)info, (void)ulp;
    if (data && !(flags & MSG_NOTIFICATION))
        w.bytes += len;
    free(data);
    return 1;
}

static void tune(void)
{
    usrsctp_init_nothreads(0, on_output, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_sysctl_set_sctp_sendspace(BUFFER);
    usrsctp_sysctl_set_sctp_recvspace(BUFFER);
    usrsctp_sysctl_set_sctp_initial_cwnd(FIRST_CWND);
    usrsctp_sysctl_set_sctp_max_burst_default(MAX_BURST);
    usrsctp_sysctl_set_sctp_max_chunks_on_queue(CHUNKS_MAX);
    usrsctp_sysctl_set_sctp_delayed_sack_time_default(SACK_DELAY_MS);
}

static void fill(void)
{
    static const uint8_t message[MESSAGE];
    bench_usrsctp_fill(w.socket[0], message, sizeof message);
}

static void run_until(int64_t until_us)
{
    uint8_t packet[PACKET_MAX + 64];
    size_t len;
    while (w.now_us < until_us) {
        for (int to = 0; to < 2; to++) {
            bool any = false;
            while (sim_link_recv(w.link[!to], w.now_us, NULL, packet, sizeof packet, &len)) {
                usrsctp_conninput(&w.end[to], packet + SIM_FLOW_OVERHEAD, len - SIM_FLOW_OVERHEAD, 0);
                any = true;
            }
            if (any && to == 0)
                fill();
        }
        if (w.now_us - w.ticked_us >= TICK_US) {
            usrsctp_handle_timers((uint32_t)((w.now_us - w.ticked_us) / 1000));
            w.ticked_us = w.now_us;
            fill();
        }
        int64_t next_us = pl_min_us(sim_link_next_us(w.link[0]), sim_link_next_us(w.link[1]));
        next_us = pl_min_us(next_us, w.ticked_us + TICK_US);
        w.now_us = pl_min_us(until_us, pl_max_us(next_us, w.now_us + 1));
    }
}

static void make_links(const sim_flows_conf *conf)
{
    size_t bdp = (size_t)(conf->rate_bps / 8000 * conf->rtt_us / 1000);
    sim_net there = { .rate_bps = conf->rate_bps,
                      .delay_us = conf->rtt_us - conf->rtt_us / 2,
                      .loss = conf->loss };
    sim_net back = { .delay_us = conf->rtt_us / 2 };
    there.queue_bytes = conf->queue ? conf->queue : bdp > QUEUE_LEAST ? bdp : QUEUE_LEAST;
    w.link[0] = sim_link_new(&there, conf->seed);
    w.link[1] = sim_link_new(&back, conf->seed + 1);
}

static double measure(const sim_flows_conf *conf)
{
    w.now_us = w.ticked_us = w.now_us + PL_SEC(1000);
    w.bytes = 0;
    make_links(conf);
    tune();
    for (int i = 0; i < 2; i++)
        w.socket[i] = bench_usrsctp_end(&w.end[i], BUFFER, PL_SCTP_MTU_DEFAULT, on_receive);
    for (int i = 0; i < 2; i++)
        bench_usrsctp_connect(w.socket[i], &w.end[i]);
    int64_t begin_us = w.now_us;
    run_until(begin_us + conf->from_us);
    uint64_t before = w.bytes;
    run_until(begin_us + conf->for_us);
    double bps = (double)(w.bytes - before) * 8e6 / (double)(conf->for_us - conf->from_us);
    return bps / (double)conf->rate_bps * PACKET_MAX / PAYLOAD;
}
/* In a process of its own, since usrsctp does not survive to be ended and begun anew in one. */
double usrsctp_flow_run(const sim_flows_conf *conf)
{
    int fds[2];
    double utilisation = 0;
    fflush(NULL);
    if (pipe(fds) < 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        utilisation = measure(conf);
        _exit(write(fds[1], &utilisation, sizeof utilisation) != sizeof utilisation);
    }
    close(fds[1]);
    bool ok = child > 0 && read(fds[0], &utilisation, sizeof utilisation) == sizeof utilisation;
    close(fds[0]);
    if (child > 0)
        waitpid(child, NULL, 0);
    return ok ? utilisation : -1;
}
#endif
