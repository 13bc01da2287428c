/* main.c - the loop of natbox. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "natbox.h"

static volatile sig_atomic_t quit;

static void on_signal(int s)
{
    (void)s;
    quit = 1;
}

/* Exact times need to run when they come: best effort, all of it. */
static void prepare_process(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1);
    struct sigaction sa = { .sa_handler = on_signal };
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
    setpriority(PRIO_PROCESS, 0, -20);
    sched_setscheduler(0, SCHED_RR, &(struct sched_param){ .sched_priority = 1 });
}

static void read_conf(const char *path)
{
    char line[4096];
    FILE *f = fopen(path, "re");
    if (!f)
        die("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, f))
        stmt(line);
    fclose(f);
}

static void read_device(struct node *n)
{
    static uint8_t buf[MAXPKT];
    for (int b = 0; b < 32; b++) {
        ssize_t len = read(n->fd, buf, sizeof buf);
        if (len <= 0)
            return;
        struct pkt *p = pkt_new(buf, (size_t)len);
        now = clock_ns();
        run_events();
        if (n->pcap >= 0)
            pcap_write(n->pcap, p);
        struct node *by = host_uplink(n, p);
        if (by)
            link_send(&by->link[UP], p);
        else
            free(p);
    }
}

static void read_ctl(void)
{
    static char ctl[8192];
    static size_t nctl;
    ssize_t len = read(ctlfd, ctl + nctl, sizeof ctl - 1 - nctl);
    if (len > 0)
        nctl += (size_t)len;
    ctl[nctl] = 0;
    now = clock_ns();
    for (char *e; (e = strchr(ctl, '\n'));) {
        *e = 0;
        note("ctl: %s", ctl);
        stmt(ctl);
        nctl -= (size_t)(e + 1 - ctl);
        memmove(ctl, e + 1, nctl + 1);
    }
    if (nctl == sizeof ctl - 1)
        die("a statement of more than %zu bytes", nctl);
}

static void run(void)
{
    struct pollfd pf[MAXNODES + 1];
    struct node *pn[MAXNODES + 1];
    nfds_t n = 0;
    for (int i = 0; i < nnodes; i++)
        if (nodes[i].kind == K_HOST) {
            pn[n] = &nodes[i];
            pf[n++] = (struct pollfd){ .fd = nodes[i].fd, .events = POLLIN };
        }
    pf[n] = (struct pollfd){ .fd = ctlfd, .events = POLLIN };
    while (!quit) {
        now = clock_ns();
        run_events();
        struct timespec to = { 1, 0 };
        ns_t at = ev_next(), t = clock_ns();
        if (at != UINT64_MAX) {
            ns_t w = at > t ? at - t : 0;
            to = (struct timespec){ (time_t)(w / SEC), (long)(w % SEC) };
        }
        if (ppoll(pf, n + 1, &to, NULL) <= 0)
            continue;
        for (nfds_t i = 0; i < n; i++)
            if (pf[i].revents & POLLIN)
                read_device(pn[i]);
        if (pf[n].revents & POLLIN)
            read_ctl();
    }
}

int main(int argc, char **argv)
{
    if (argc != 2)
        die("usage: natbox CONFIG");
    prepare_process();
    now = t0 = clock_ns();
    mknode("net", K_NET);
    read_conf(argv[1]);
    puts("ready");
    fflush(stdout);
    if (!hold)
        start();
    run();
    now = clock_ns();
    stats_row(now);
    if (nodes[0].noroute)
        note("%llu packets had no route", (unsigned long long)nodes[0].noroute);
    return 0;
}
