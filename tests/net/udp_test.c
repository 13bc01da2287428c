/* Real sockets over loopback: whatever way the kernel carries them, the same bytes arrive. */
#include "net_help.h"

#include <malloc.h>

#include "base/rand.h"
#include "net/udp.h"

enum { BYTES_MAX = 1 << 20, DATAGRAMS_MAX = 4096 };

/* One socket and everything it heard. */
struct end {
    pl_loop *loop;
    pl_udp *udp;
    pl_path path; /* of the last datagram */
    uint8_t ecn;
    size_t n, n_calls, n_bytes, batch_max;
    uint16_t len[DATAGRAMS_MAX];
    uint8_t bytes[BYTES_MAX];
    bool keep, echo, close_inside;
};

static void on_datagrams(void *user, int64_t now_us, const pl_udp_rx *batch, size_t n)
{
    struct end *e = user;
    PL_LE(now_us, pl_clock_us());
    PL_LE(n, PL_UDP_BATCH_MAX);
    e->n_calls++;
    e->batch_max = n > e->batch_max ? n : e->batch_max;
    for (size_t i = 0; i < n; i++) {
        e->path = *batch[i].path;
        e->ecn = batch[i].ecn;
        if (e->keep && e->n < DATAGRAMS_MAX && e->n_bytes + batch[i].len <= BYTES_MAX) {
            e->len[e->n] = (uint16_t)batch[i].len;
            memcpy(e->bytes + e->n_bytes, batch[i].data, batch[i].len);
        }
        e->n++;
        e->n_bytes += batch[i].len;
        memset(batch[i].data, 0xee, batch[i].len); /* ours to change, and nobody else's */
        if (e->echo) {
            pl_dgram d = { .path = *batch[i].path, .data = batch[i].data, .len = batch[i].len };
            PL_EQ(pl_udp_send(e->udp, &d), PL_OK);
        }
    }
    if (e->close_inside) {
        pl_udp_close(e->udp);
        e->udp = NULL;
    }
}

static struct end *end_new(pl_loop *loop, const char *bind, const pl_udp_conf *like)
{
    struct end *e = calloc(1, sizeof *e);
    PL_OKAY(e != NULL);
    e->loop = loop;
    e->keep = true;
    pl_udp_conf conf = like ? *like : (pl_udp_conf){ 0 };
    conf.bind = help_addr(bind);
    conf.fn = on_datagrams;
    conf.user = e;
    conf.recv_buf = 4 << 20;
    PL_EQ(pl_udp_open(&e->udp, loop, &conf), PL_OK);
    PL_OKAY(pl_udp_addr(e->udp)->port != 0);
    return e;
}

static void end_free(struct end *e)
{
    pl_udp_close(e->udp);
    free(e);
}

static pl_dgram to(const struct end *e, const void *data, size_t len, size_t segment)
{
    return (pl_dgram){ .path.remote = *pl_udp_addr(e->udp),
                       .data = (uint8_t *)(uintptr_t)data,
                       .len = len,
                       .segment = segment };
}

static void fill(uint8_t *out, size_t len, uint64_t seed)
{
    pl_rand_seeded state;
    pl_rand rand = pl_rand_seed(&state, seed);
    pl_rand_bytes(&rand, out, len);
}

/* --- the same bytes, by every way --- */

/* Rows of many sizes: single, exactly full, with a short last, of 1-byte segments, longer than one call may
 * carry in segments (64) and in bytes (64 KiB). */
static const struct {
    size_t len, segment;
} rows[] = { { 0, 0 },       { 1, 0 },        { 1200, 0 },         { 1200, 1200 },          { 2400, 1200 },
             { 2401, 1200 }, { 12000, 1200 }, { 11999, 1200 },     { 63 * 7, 7 },           { 64 * 7, 7 },
             { 65 * 7, 7 },  { 200, 1 },      { 64 * 1200, 1200 }, { 90 * 1200 + 5, 1200 }, { 3000, 5000 },
             { 9000, 0 },    { 65507, 0 },    { 60000, 20000 } };

static void deliver_all(const char *bind, pl_udp_offload sender, pl_udp_offload receiver, bool cork)
{
    static uint8_t data[128 * 1024];
    pl_loop *loop = help_loop();
    struct end *a = end_new(loop, bind, &(pl_udp_conf){ .offload = sender });
    struct end *b = end_new(loop, bind, &(pl_udp_conf){ .offload = receiver });
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = rows[i].len, segment = rows[i].segment && rows[i].segment < len ? rows[i].segment : len;
        size_t want = len ? (len + segment - 1) / segment : 1;
        fill(data, len, 7 + i);
        b->n = b->n_bytes = 0;
        if (cork)
            pl_udp_cork(a->udp);
        pl_dgram d = to(b, data, len, rows[i].segment);
        PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
        if (cork)
            pl_udp_flush(a->udp);
        HELP_UNTIL(loop, b->n >= want);
        PL_EQ(b->n, want);
        PL_EQ(b->n_bytes, len);
        PL_MEMEQ(b->bytes, data, len);
        for (size_t k = 0; k < want; k++)
            PL_EQ(b->len[k], k + 1 < want ? segment : len - k * segment);
        PL_OKAY(pl_addr_eq(&b->path.remote, pl_udp_addr(a->udp)));
        PL_OKAY(pl_addr_eq(&b->path.local, pl_udp_addr(b->udp)));
    }
    const pl_udp_stats *sent = pl_udp_get_stats(a->udp), *got = pl_udp_get_stats(b->udp);
    PL_EQ(sent->n_sent, got->n_received);
    PL_EQ(sent->bytes_sent, got->bytes_received);
    PL_EQ(sent->n_dropped + sent->n_refused + got->n_truncated, 0);
    PL_EQ(sent->n_segmented > 0, pl_udp_sends_segments(a->udp));
    if (!pl_udp_receives_segments(b->udp))
        PL_EQ(got->n_coalesced, 0);
    end_free(a);
    end_free(b);
    pl_loop_free(loop);
}

PL_TEST(every_way_delivers_the_same_bytes)
{
    static const char *const bind[] = { "127.0.0.1:0", "[::1]:0" };
    for (int i = 0; i < 2 * 2 * 2 * 2; i++) {
        deliver_all(bind[i & 1], i & 2 ? PL_UDP_OFFLOAD_OFF : PL_UDP_OFFLOAD_AUTO,
                    i & 4 ? PL_UDP_OFFLOAD_OFF : PL_UDP_OFFLOAD_AUTO, i & 8);
    }
}

PL_TEST(offload_can_be_turned_off_from_outside)
{
    pl_loop *loop = help_loop();
    setenv("PL_UDP_OFFLOAD", "off", 1);
    struct end *a = end_new(loop, "127.0.0.1:0", NULL);
    PL_OKAY(!pl_udp_sends_segments(a->udp) && !pl_udp_receives_segments(a->udp));
    unsetenv("PL_UDP_OFFLOAD");
    end_free(a);
    pl_loop_free(loop);
}

/* A segment above the interface's MTU: the kernel refuses to segment, so each goes by itself. */
PL_TEST(a_refused_segmentation_falls_back)
{
    static uint8_t data[3 * 65000];
    pl_loop *loop = help_loop();
    struct end *a = end_new(loop, "127.0.0.1:0", NULL), *b = end_new(loop, "127.0.0.1:0", NULL);
    fill(data, sizeof data, 1);
    pl_dgram d = to(b, data, sizeof data, 65000);
    PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
    HELP_UNTIL(loop, b->n == 3);
    PL_MEMEQ(b->bytes, data, sizeof data);
    end_free(a);
    end_free(b);
    pl_loop_free(loop);
}

/* --- the cork --- */

PL_TEST(a_cork_joins_neighbours_and_keeps_order)
{
    enum { N = 150 };
    static uint8_t data[N][100];
    pl_loop *loop = help_loop();
    struct end *a = end_new(loop, "127.0.0.1:0", NULL), *b = end_new(loop, "127.0.0.1:0", NULL);
    struct end *c = end_new(loop, "127.0.0.1:0", NULL);
    size_t to_b = 0, to_c = 0, size_b = 0;
    pl_udp_cork(a->udp);
    for (int i = 0; i < N; i++) {
        size_t len = i % 10 == 9 ? 60 : 100; /* a short one ends a row */
        bool other = i % 50 == 49;
        data[i][0] = (uint8_t)i;
        pl_dgram d = to(other ? c : b, data[i], len, 0);
        PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
        to_b += !other;
        to_c += other;
        size_b += other ? 0 : len;
    }
    PL_EQ(pl_udp_get_stats(a->udp)->n_sent, 0);
    pl_udp_flush(a->udp);
    const pl_udp_stats *stats = pl_udp_get_stats(a->udp);
    PL_EQ(stats->n_sent, N);
    if (pl_udp_sends_segments(a->udp)) {
        PL_EQ(stats->n_send_calls, 1);
        PL_GE(stats->n_segmented, N - to_c);
    }
    HELP_UNTIL(loop, b->n == to_b && c->n == to_c);
    PL_EQ(b->n_bytes, size_b);
    size_t at = 0;
    for (int i = 0, k = 0; i < N; i++) {
        if (i % 50 == 49)
            continue;
        PL_EQ(b->bytes[at], i);
        at += b->len[k++];
    }
    end_free(a);
    end_free(b);
    end_free(c);
    pl_loop_free(loop);
}

PL_TEST(a_forgotten_cork_empties_itself)
{
    static uint8_t data[70000];
    pl_loop *loop = help_loop();
    struct end *a = end_new(loop, "127.0.0.1:0", NULL), *b = end_new(loop, "127.0.0.1:0", NULL);
    pl_udp_cork(a->udp);
    pl_udp_cork(b->udp);
    for (int i = 0; i < 3; i++) { /* two sockets take the one cork of the loop from each other */
        pl_dgram d = to(b, data, 40000, 1000), back = to(a, data, 10, 0), big = to(b, data, 70000, 1000);
        PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
        PL_EQ(pl_udp_send(b->udp, &back), PL_OK);
        PL_EQ(pl_udp_send(a->udp, &big), PL_OK);
    }
    HELP_UNTIL(loop, b->n == 3 * 110 && a->n == 3);
    pl_udp_cork(a->udp);
    pl_dgram last = to(b, data, 10, 0);
    PL_EQ(pl_udp_send(a->udp, &last), PL_OK);
    end_free(a); /* closing says the last word */
    HELP_UNTIL(loop, b->n == 3 * 110 + 1);
    end_free(b);
    pl_loop_free(loop);
}

/* --- life --- */

PL_TEST(a_socket_may_close_inside_its_callback)
{
    static uint8_t data[200 * 100];
    pl_loop *loop = help_loop();
    struct end *a = end_new(loop, "127.0.0.1:0", NULL), *b = end_new(loop, "127.0.0.1:0", NULL);
    b->close_inside = true;
    pl_dgram d = to(b, data, sizeof data, 100);
    PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
    HELP_UNTIL(loop, b->udp == NULL);
    PL_EQ(pl_loop_run_once(loop, PL_MS(10)), PL_OK);
    PL_EQ(b->n_calls, 1);
    PL_LE(b->n, PL_UDP_BATCH_MAX);
    end_free(a);
    end_free(b);
    pl_loop_free(loop);
}

PL_TEST(sending_inside_the_callback_spares_the_rest_of_the_batch)
{
    static uint8_t data[40][50];
    pl_loop *loop = help_loop();
    /* no GRO at b: several messages of one recvmmsg are still to be walked while it echoes */
    struct end *a = end_new(loop, "127.0.0.1:0", NULL);
    struct end *b = end_new(loop, "127.0.0.1:0", &(pl_udp_conf){ .offload = PL_UDP_OFFLOAD_OFF });
    b->echo = true;
    for (int i = 0; i < 40; i++) {
        memset(data[i], i, 10 + (size_t)i);
        pl_dgram d = to(b, data[i], 10 + (size_t)i, 0);
        PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
    }
    HELP_UNTIL(loop, a->n == 40);
    PL_GE(b->batch_max, 2);
    for (size_t i = 0, at = 0; i < 40; at += b->len[i++]) {
        PL_EQ(b->len[i], 10 + i);
        PL_EQ(b->bytes[at], i);
        PL_EQ(a->len[i], 10 + i);
    }
    end_free(a);
    end_free(b);
    pl_loop_free(loop);
}

PL_TEST(an_any_socket_tells_its_local_address)
{
    static const char *const peer_bind[] = { "127.0.0.1:0", "[::1]:0", "127.0.0.1:0" };
    static const char *const any_bind[] = { "0.0.0.0:0", "[::]:0", "[::]:0" };
    for (int i = 0; i < 3; i++) {
        pl_loop *loop = help_loop();
        struct end *any = end_new(loop, any_bind[i], &(pl_udp_conf){ .dual_stack = i == 2 });
        struct end *peer = end_new(loop, peer_bind[i], NULL);
        any->echo = true;
        pl_dgram d = to(any, "hello", 5, 0);
        d.path.remote = *pl_udp_addr(peer->udp);
        d.path.remote.port = pl_udp_addr(any->udp)->port;
        PL_EQ(pl_udp_send(peer->udp, &d), PL_OK);
        HELP_UNTIL(loop, peer->n == 1);
        PL_OKAY(pl_addr_eq(&any->path.remote, pl_udp_addr(peer->udp)));
        PL_OKAY(pl_addr_eq(&any->path.local, &d.path.remote));
        PL_OKAY(pl_addr_eq(&peer->path.remote, &d.path.remote)); /* answered from where it was asked */
        end_free(any);
        end_free(peer);
        pl_loop_free(loop);
    }
}

PL_TEST(marks_arrive)
{
    static const char *const bind[] = { "127.0.0.1:0", "[::1]:0" };
    for (int i = 0; i < 2; i++) {
        pl_loop *loop = help_loop();
        struct end *a = end_new(loop, bind[i], &(pl_udp_conf){ .ecn = 1, .dont_fragment = true });
        struct end *b = end_new(loop, bind[i], &(pl_udp_conf){ .recv_ecn = true });
        pl_dgram d = to(b, "x", 1, 0);
        PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
        HELP_UNTIL(loop, b->n == 1);
        PL_EQ(b->ecn, 1);
        d.path.dscp = 46; /* together with a DSCP the codepoint stays */
        b->ecn = 0;
        PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
        HELP_UNTIL(loop, b->n == 2);
        PL_EQ(b->ecn, 1);
        end_free(a);
        end_free(b);
        pl_loop_free(loop);
    }
}

PL_TEST(two_sockets_share_a_port)
{
    pl_loop *loop = help_loop();
    struct end *a = end_new(loop, "127.0.0.1:0", &(pl_udp_conf){ .reuse_port = true });
    char text[PL_ADDR_TEXT_MAX];
    struct end *b =
        end_new(loop, pl_addr_str(pl_udp_addr(a->udp), text), &(pl_udp_conf){ .reuse_port = true });
    PL_OKAY(pl_addr_eq(pl_udp_addr(a->udp), pl_udp_addr(b->udp)));
    pl_udp *c;
    pl_udp_conf conf = { .bind = *pl_udp_addr(a->udp), .fn = on_datagrams };
    PL_EQ(pl_udp_open(&c, loop, &conf), PL_EIO);
    conf.bind.family = PL_AF_NONE;
    PL_EQ(pl_udp_open(&c, loop, &conf), PL_EINVAL);
    PL_OKAY(c == NULL);
    pl_udp_close(NULL);
    end_free(a);
    end_free(b);
    pl_loop_free(loop);
}

PL_TEST(wrong_sends_are_refused)
{
    static uint8_t data[70000];
    pl_loop *loop = help_loop();
    struct end *a = end_new(loop, "127.0.0.1:0", NULL), *b = end_new(loop, "[::1]:0", NULL);
    pl_dgram d = to(b, data, 10, 0);
    PL_EQ(pl_udp_send(a->udp, &d), PL_EINVAL); /* IPv6 from an IPv4 socket */
    d = to(a, data, 10, 0);
    PL_EQ(pl_udp_send(b->udp, &d), PL_EINVAL); /* and the other way, as it is not a dual-stack one */
    d = to(a, data, PL_UDP_SIZE_MAX + 1, 0);
    PL_EQ(pl_udp_send(a->udp, &d), PL_EINVAL);
    d = to(a, data, 10, 0);
    d.path.remote.family = PL_AF_NONE;
    PL_EQ(pl_udp_send(a->udp, &d), PL_EINVAL);
    d = to(a, data, 10, 0);
    d.path.remote = help_addr("255.255.255.255:9"); /* broadcast, which nobody allowed */
    PL_EQ(pl_udp_send(a->udp, &d), PL_EIO);
    PL_EQ(pl_udp_get_stats(a->udp)->n_refused, 1);
    end_free(a);
    end_free(b);
    pl_loop_free(loop);
}

/* --- bounds --- */

PL_TEST(a_hundred_thousand_datagrams_leave_nothing_behind)
{
    enum { ROUNDS = 1600, ROW = 64, SIZE = 300 };
    static uint8_t data[ROW * SIZE];
    pl_loop *loop = help_loop();
    struct end *a = end_new(loop, "127.0.0.1:0", NULL), *b = end_new(loop, "127.0.0.1:0", NULL);
    b->keep = false;
    size_t heap_after_first = 0;
    for (int i = 0; i < ROUNDS; i++) {
        pl_dgram d = to(b, data, sizeof data, SIZE);
        PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
        HELP_UNTIL(loop, b->n == (size_t)(i + 1) * ROW);
        if (i == 10)
            heap_after_first = mallinfo2().uordblks;
    }
    PL_EQ(b->n, ROUNDS * ROW);
    PL_EQ(b->n_bytes, (size_t)ROUNDS * ROW * SIZE);
    PL_EQ(mallinfo2().uordblks, heap_after_first); /* nothing is allocated a datagram, so nothing is left */
    PL_EQ(pl_udp_get_stats(a->udp)->n_dropped, 0);
    end_free(a);
    end_free(b);
    pl_loop_free(loop);
}

PL_TESTS(t(every_way_delivers_the_same_bytes), t(offload_can_be_turned_off_from_outside),
         t(a_refused_segmentation_falls_back), t(a_cork_joins_neighbours_and_keeps_order),
         t(a_forgotten_cork_empties_itself), t(a_socket_may_close_inside_its_callback),
         t(sending_inside_the_callback_spares_the_rest_of_the_batch),
         t(an_any_socket_tells_its_local_address), t(marks_arrive), t(two_sockets_share_a_port),
         t(wrong_sends_are_refused), t(a_hundred_thousand_datagrams_leave_nothing_behind))
