/* Packets as large as the path carries, on real sockets: two ends in network namespaces of their own, a router between them
 * whose far link is as wide as the test likes. What crosses both links is
 * looked at packet by packet. */
#include "own_net.h"
#include "peer/pipe.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

enum { END_A, END_B, ROUTER, MESSAGE = 65536 };

/* What has been seen on a link since the last forget(). */
typedef struct link_watch {
    int fd;
    size_t longest;      /* IP packet that is whole */
    unsigned n_df;       /* longer than the far link, and not to be cut */
    unsigned n_may;      /* longer than that, and may be cut */
    unsigned n_parts;    /* fragments */
    size_t longest_part; /* of them */
} link_watch;

static int space[3], far_mtu;
static link_watch near_a, near_b;

static void enter(int which)
{
    PL_EQ(setns(space[which], CLONE_NEWNET), 0);
}

static int space_of_this_thread(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY);
    PL_GE(fd, 0);
    return fd;
}

static void ip(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void ip(const char *format, ...)
{
    char args[250];
    va_list list;
    va_start(list, format);
    vsnprintf(args, sizeof args, format, list);
    va_end(list);
    own_net_ip(args);
}

static int sniffer(const char *device)
{
    int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)), room = 8 << 20;
    struct sockaddr_ll at = { .sll_family = AF_PACKET,
                              .sll_protocol = htons(ETH_P_ALL),
                              .sll_ifindex = (int)if_nametoindex(device) };
    PL_GE(fd, 0);
    PL_EQ(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    return fd;
}

/* End e has 10.77.<e>.1 and fd77:<e>::1, the router .2. Without large sends, so that what is seen is what a wire carries. The router
 * is told its neighbours, since a mute one cannot ask for them: its own solicitations are among what the rules drop. */
static void lay_link(int e)
{
    ip("link add r%d type veth peer name e0 address 02:77:00:00:00:0%d netns /proc/%d/fd/%d", e, e,
       (int)getpid(), space[e]);
    ip("link set r%d addrgenmode none gso_max_segs 1 up", e);
    ip("addr add 10.77.%d.2/24 dev r%d", e, e);
    ip("addr add fd77:%d::2/64 dev r%d nodad", e, e);
    ip("neigh add 10.77.%d.1 lladdr 02:77:00:00:00:0%d dev r%d nud permanent", e, e, e);
    ip("neigh add fd77:%d::1 lladdr 02:77:00:00:00:0%d dev r%d nud permanent", e, e, e);
    enter(e);
    ip("link set e0 addrgenmode none gso_max_segs 1 up");
    ip("addr add 10.77.%d.1/24 dev e0", e);
    ip("addr add fd77:%d::1/64 dev e0 nodad", e);
    ip("route add default via 10.77.%d.2", e);
    ip("route add default via fd77:%d::2", e);
    enter(ROUTER);
}

static void build(void)
{
    own_net_enter(false);
    space[ROUTER] = space_of_this_thread();
    for (int e = 0; e < 2; e++) {
        PL_EQ(unshare(CLONE_NEWNET), 0);
        own_net_ip("link set lo up");
        space[e] = space_of_this_thread();
    }
    enter(ROUTER);
    lay_link(END_A);
    lay_link(END_B);
    own_net_write("/proc/sys/net/ipv4/ip_forward", "1");
    own_net_write("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    ip("rule add iif lo blackhole"); /* what it has to say itself goes nowhere, in IPv4 */
    near_a.fd = sniffer("r0");
    near_b.fd = sniffer("r1");
}

/* How wide the far link is from now on. */
static void widen(int mtu)
{
    ip("link set r1 mtu %d", mtu);
    far_mtu = mtu;
}

static void note(link_watch *w, const uint8_t *p, size_t len, bool four)
{
    bool part = four ? (p[6] & 0x3f) || p[7] : p[6] == 44, may = four && !(p[6] & 0x40);
    if (part) {
        w->n_parts++;
        w->longest_part = len > w->longest_part ? len : w->longest_part;
        return;
    }
    if ((four ? p[9] : p[6]) != 17) /* UDP */
        return;
    w->longest = len > w->longest ? len : w->longest;
    if (len <= (size_t)far_mtu)
        return;
    w->n_may += may;
    w->n_df += !may;
}

/* Towards B. */
static void look(link_watch *w, int direction)
{
    uint8_t p[60];
    struct sockaddr_ll from = { 0 };
    for (;;) {
        socklen_t n = sizeof from;
        ssize_t len = recvfrom(w->fd, p, sizeof p, MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &n);
        if (len < 0)
            return;
        bool four = from.sll_protocol == htons(ETH_P_IP);
        if (from.sll_pkttype == direction && len >= 40 && (four || from.sll_protocol == htons(ETH_P_IPV6)))
            note(w, p, (size_t)len, four);
    }
}

static void look_at_both(void)
{
    look(&near_a, PACKET_HOST);
    look(&near_b, PACKET_OUTGOING);
}

static void forget(void)
{
    look_at_both();
    near_a = (link_watch){ .fd = near_a.fd };
    near_b = (link_watch){ .fd = near_b.fd };
}

static uint64_t sent;

static void send_one(pipe_duo *p)
{
    if (pl_data_channel_buffered_amount(p->a.channel) < 4 * MESSAGE) {
        PL_EQ(pl_data_channel_send(p->a.channel, pipe_bytes(sent), MESSAGE, true), PL_OK);
        sent += MESSAGE;
    }
    usleep(2000);
    look_at_both();
}

/* Sends until `condition`, half a minute at most. */
#define SEND_UNTIL(p, condition)                                                                             \
    do {                                                                                                     \
        int64_t send_end_us = pl_clock_us() + PL_SEC(40);                                                    \
        while (!(condition) && pl_clock_us() < send_end_us)                                                  \
            send_one(p);                                                                                     \
        PL_OKAY(condition);                                                                                  \
    } while (0)

static void open_pair(pipe_duo *p, int version)
{
    static const char *const addresses[2][2] = { { "10.77.0.1", "10.77.1.1" }, { "fd77:0::1", "fd77:1::1" } };
    const char *const *of = addresses[version == 6];
    sent = 0;
    forget();
    pipe_open(p, &(pipe_conf){ .place = enter, .addresses = { of[0], of[1] } });
    enter(ROUTER);
}

static void close_pair(pipe_duo *p)
{
    PIPE_UNTIL(p, atomic_load(&p->b.n_bytes) == sent);
    PL_OKAY(!atomic_load(&p->b.wrong));
    pipe_close(p);
}

/* Probes go with DF, whatever else does. */
static void finds(int version, int mtu, size_t at_least)
{
    pipe_duo p;
    widen(mtu);
    open_pair(&p, version);
    SEND_UNTIL(&p, near_b.longest >= at_least && (mtu == 1500 || near_a.n_df > 0));
    PL_LE(near_b.longest, mtu);
    PL_EQ(near_a.n_may, 0);
    PL_EQ(near_a.n_parts, 0);
    PL_EQ(near_b.n_parts, 0);
    close_pair(&p);
}

PL_TEST(a_link_of_1500_is_found)
{
    finds(4, 1500, 1490);
    finds(6, 1500, 1480);
}

PL_TEST(a_link_of_1400_is_found)
{
    finds(4, 1400, 1390);
    finds(6, 1400, 1360);
}

PL_TEST(a_link_of_1280_is_found)
{
    finds(4, 1280, 1250);
    finds(6, 1280, 1270);
}

/* The path narrows amid a transfer, and no word of it comes. Routers of IPv4 cut what has no DF, among it what is sent in batches:
 * so all goes on. */
PL_TEST(where_routers_cut_all_goes_on)
{
    pipe_duo p;
    widen(1500);
    open_pair(&p, 4);
    SEND_UNTIL(&p, near_b.longest >= 1490);
    widen(1280);
    forget();
    uint64_t before = atomic_load(&p.b.n_bytes);
    SEND_UNTIL(&p, atomic_load(&p.b.n_bytes) > before + 64 * MESSAGE);
    PL_GE(near_b.n_parts, 2);
    PL_LE(near_b.longest, 1280);
    PL_LE(near_b.longest_part, 1280);
    close_pair(&p);
}

/* Those of IPv6 cut nothing. Where they do not say so either, the sender's system cuts what is longer than its own link: what was
 * cut for the larger path is made so long, and nothing is lost. */
PL_TEST(where_routers_are_mute_the_sender_cuts)
{
    pipe_duo p;
    widen(1500);
    open_pair(&p, 6);
    SEND_UNTIL(&p, near_b.longest >= 1480);
    ip("-6 rule add iif lo blackhole");
    enter(END_A);
    ip("-6 route flush cache"); /* what routers have said before */
    enter(ROUTER);
    widen(1280);
    forget();
    uint64_t before = atomic_load(&p.b.n_bytes);
    SEND_UNTIL(&p, atomic_load(&p.b.n_bytes) > before + 64 * MESSAGE);
    PL_GE(near_a.n_df, 1); /* lost, without a word */
    PL_GE(near_a.n_parts, 2);
    PL_LE(near_a.longest_part, 1280);
    PL_LE(near_b.longest, 1280);
    close_pair(&p);
    ip("-6 rule del iif lo blackhole");
}

/* Where they do say so: the sender's system does. */
PL_TEST(where_routers_cut_nothing_the_sender_does)
{
    pipe_duo p;
    widen(1500);
    open_pair(&p, 6);
    SEND_UNTIL(&p, near_b.longest >= 1480);
    widen(1280);
    forget();
    uint64_t before = atomic_load(&p.b.n_bytes);
    SEND_UNTIL(&p, atomic_load(&p.b.n_bytes) > before + 64 * MESSAGE);
    PL_GE(near_a.n_parts, 2);
    PL_LE(near_a.longest_part, 1280);
    PL_LE(near_b.longest, 1280);
    close_pair(&p);
}

static int set_up(void **state)
{
    (void)state;
    build();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { t(a_link_of_1500_is_found),
                                        t(a_link_of_1400_is_found),
                                        t(a_link_of_1280_is_found),
                                        t(where_routers_cut_all_goes_on),
                                        t(where_routers_are_mute_the_sender_cuts),
                                        t(where_routers_cut_nothing_the_sender_does) };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
