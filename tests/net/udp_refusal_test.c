/* A kernel that refuses: its send calls are replaced here by ones that fail as told, and else do the real
 * thing. What was refused must leave later, in order, or be counted. */
#include "net_help.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/udp.h"

static struct {
    int err;            /* what to answer... */
    int times;          /* ...that often; -1: always */
    bool only_segments; /* ...to calls that ask for segmentation */
    unsigned at_most;   /* messages that one call takes; 0: all */
    int n_calls;
} kernel;

static bool refuses(const struct msghdr *m)
{
    kernel.n_calls++;
    if (kernel.times == 0)
        return false;
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    if (kernel.only_segments && !(c && c->cmsg_level == IPPROTO_UDP))
        return false;
    kernel.times -= kernel.times > 0;
    errno = kernel.err;
    return true;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    return refuses(m) ? -1 : syscall(SYS_sendmsg, fd, m, flags);
}

int sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
    if (refuses(&m[0].msg_hdr))
        return -1;
    n = kernel.at_most && n > kernel.at_most ? kernel.at_most : n;
    return (int)syscall(SYS_sendmmsg, fd, m, n, flags);
}

struct pair {
    pl_loop *loop;
    pl_udp *a, *b;
    size_t n, n_bytes, n_wrong;
    uint8_t next; /* datagrams are filled with their number */
};

static void count(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    struct pair *p = user;
    (void)now_us;
    for (size_t i = 0; i < n; i++) {
        p->n_wrong += batch[i].len > 0 && batch[i].data[0] != p->next++;
        p->n_bytes += batch[i].len;
        p->n++;
    }
}

static struct pair pair_open(void)
{
    memset(&kernel, 0, sizeof kernel);
    return (struct pair){ .loop = help_loop() };
}

static void pair_bind(struct pair *p)
{
    pl_udp_conf conf = { .bind = help_addr("127.0.0.1:0"), .fn = count, .user = p, .recv_buf = 4 << 20 };
    PL_EQ(pl_udp_open(&p->a, p->loop, &conf), PL_OK);
    PL_EQ(pl_udp_open(&p->b, p->loop, &conf), PL_OK);
}

static void pair_close(struct pair *p)
{
    pl_udp_close(p->a);
    pl_udp_close(p->b);
    pl_loop_free(p->loop);
}

enum { ROW = 20, SIZE = 1000 };
static uint8_t row[ROW * SIZE];

/* Sends a row of ROW datagrams numbered from `first`. */
static pl_err send_row(struct pair *p, int first)
{
    for (int i = 0; i < ROW; i++)
        memset(row + i * SIZE, first + i, SIZE);
    pl_dgram d = { .path.remote = *pl_udp_addr(p->b), .data = row, .len = sizeof row, .segment = SIZE };
    return pl_udp_send(p->a, &d);
}

PL_TEST(what_the_kernel_has_no_room_for_waits_in_order)
{
    struct pair p = pair_open();
    pair_bind(&p);
    const pl_udp_stats *stats = pl_udp_get_stats(p.a);
    kernel.err = EAGAIN;
    kernel.times = -1;
    PL_EQ(send_row(&p, 0), PL_OK);
    int n_calls = kernel.n_calls;
    PL_EQ(send_row(&p, ROW), PL_OK);
    PL_EQ(kernel.n_calls, n_calls); /* does not even try: it must not overtake */
    PL_EQ(stats->n_queued, 2 * ROW);
    PL_EQ(pl_loop_run_once(p.loop, 0), PL_OK); /* still no room */
    kernel.times = 0;
    HELP_UNTIL(p.loop, p.n == 2 * ROW);
    PL_EQ(p.n_wrong, 0);
    PL_EQ(send_row(&p, 2 * ROW), PL_OK);
    PL_EQ(stats->n_sent, 3 * ROW);
    PL_EQ(stats->n_queued, 2 * ROW);
    PL_EQ(stats->n_dropped, 0);
    PL_EQ(pl_loop_run_once(p.loop, PL_MS(5)), PL_OK);
    PL_EQ(p.n, 3 * ROW);
    n_calls = kernel.n_calls;
    PL_EQ(pl_loop_run_once(p.loop, PL_MS(1)), PL_OK);
    PL_EQ(kernel.n_calls, n_calls); /* and nobody watches for room any more */
    pair_close(&p);
}

PL_TEST(the_queue_has_an_end)
{
    struct pair p = pair_open();
    pair_bind(&p);
    const pl_udp_stats *stats = pl_udp_get_stats(p.a);
    kernel.err = EAGAIN;
    kernel.times = -1;
    size_t n_fit = PL_UDP_QUEUE_MAX / sizeof row;
    for (size_t i = 0; i < n_fit; i++)
        PL_EQ(send_row(&p, 0), PL_OK);
    for (int i = 0; i < 10; i++)
        PL_EQ(send_row(&p, 0), PL_ENOSPC);
    PL_EQ(stats->n_queued, n_fit * ROW);
    PL_EQ(stats->n_dropped, 10 * ROW);
    kernel.times = 0;
    HELP_UNTIL(p.loop, p.n == n_fit * ROW);
    PL_EQ(send_row(&p, 0), PL_OK);
    kernel.times = -1;
    PL_EQ(send_row(&p, 0), PL_OK); /* waits; closing frees it */
    pair_close(&p);
}

PL_TEST(a_device_without_checksums_ends_segmentation)
{
    struct pair p = pair_open();
    pair_bind(&p);
    if (!pl_udp_sends_segments(p.a)) /* an old kernel: there is nothing to end */
        kernel.times = 0;
    kernel.err = EIO;
    kernel.times = -1;
    kernel.only_segments = true;
    PL_EQ(send_row(&p, 0), PL_OK);
    PL_OKAY(!pl_udp_sends_segments(p.a));
    int n_calls = kernel.n_calls;
    PL_EQ(send_row(&p, ROW), PL_OK);
    PL_EQ(kernel.n_calls, n_calls + 1); /* one sendmmsg, no further try */
    HELP_UNTIL(p.loop, p.n == 2 * ROW);
    PL_EQ(p.n_wrong, 0);
    PL_EQ(pl_udp_get_stats(p.a)->n_segmented, 0);
    PL_EQ(pl_udp_get_stats(p.a)->n_dropped, 0);
    pair_close(&p);
}

PL_TEST(a_route_that_wants_no_segments_is_given_up_after_some_tries)
{
    struct pair p = pair_open();
    pair_bind(&p);
    bool had = pl_udp_sends_segments(p.a);
    kernel.err = EINVAL;
    kernel.times = 1;
    kernel.only_segments = true;
    PL_EQ(send_row(&p, 0), PL_OK);
    PL_EQ(pl_udp_sends_segments(p.a), had); /* once may be one route's MTU */
    kernel.times = -1;
    for (int i = 1; i <= 8; i++)
        PL_EQ(send_row(&p, i * ROW), PL_OK);
    PL_OKAY(!pl_udp_sends_segments(p.a));
    HELP_UNTIL(p.loop, p.n == 9 * ROW);
    PL_EQ(p.n_wrong, 0);
    PL_EQ(pl_udp_get_stats(p.a)->n_dropped, 0);
    pair_close(&p);
}

PL_TEST(a_call_that_takes_a_part_is_continued)
{
    struct pair p = pair_open();
    setenv("PL_UDP_OFFLOAD", "off", 1);
    pair_bind(&p);
    unsetenv("PL_UDP_OFFLOAD");
    kernel.at_most = 3;
    PL_EQ(send_row(&p, 0), PL_OK);
    PL_EQ(pl_udp_get_stats(p.a)->n_send_calls, (ROW + 2) / 3);
    HELP_UNTIL(p.loop, p.n == ROW);
    PL_EQ(p.n_wrong, 0);
    pair_close(&p);
}

PL_TEST(icmp_errors_are_somebody_elses)
{
    struct pair p = pair_open();
    pair_bind(&p);
    kernel.err = ECONNREFUSED;
    kernel.times = 1;
    PL_EQ(send_row(&p, 0), PL_OK);
    PL_EQ(pl_udp_get_stats(p.a)->n_refused, 1);
    HELP_UNTIL(p.loop, p.n == ROW);
    kernel.times = -1; /* for ever: given up, not repeated for ever */
    PL_EQ(send_row(&p, ROW), PL_EIO);
    kernel.err = ENETUNREACH;
    PL_EQ(send_row(&p, ROW), PL_EIO);
    kernel.err = ENOBUFS; /* the device's queue is full: lost, as on any network */
    PL_EQ(send_row(&p, ROW), PL_EIO);
    PL_GE(pl_udp_get_stats(p.a)->n_dropped, 1);
    kernel.times = 0;
    PL_EQ(send_row(&p, ROW), PL_OK);
    HELP_UNTIL(p.loop, p.n == 2 * ROW);
    pair_close(&p);
}

PL_TESTS(t(what_the_kernel_has_no_room_for_waits_in_order), t(the_queue_has_an_end),
         t(a_device_without_checksums_ends_segmentation),
         t(a_route_that_wants_no_segments_is_given_up_after_some_tries),
         t(a_call_that_takes_a_part_is_continued), t(icmp_errors_are_somebody_elses))
