/* Rows in, slices out: what a relay does with sockets. Over loopback, with offload and without. */
#include "net_help.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net/udp.h"

enum { N_MAX = 512, BYTES_MAX = 1 << 20 };

/* Hears rows, cut here, so that a test can compare datagrams. */
struct ear {
    pl_udp *udp;
    size_t n, n_rows, n_bytes, row_max;
    size_t len[N_MAX];
    uint8_t bytes[BYTES_MAX];
    pl_udp *forward; /* sends every datagram on, behind a header */
    pl_addr to[2];   /* by turns */
    size_t n_errors;
    uint8_t tos;
    pl_udp_error error;
};

static void forward_row(struct ear *e, const pl_udp_row *row)
{
    size_t i = 0;
    for (size_t at = 0; at < row->len; at += row->segment, i++) {
        uint8_t header[4] = { 0x40, 1, 2, 3 };
        size_t len = row->len - at < row->segment ? row->len - at : row->segment;
        pl_path path = { .remote = e->to[row->data[at] % 2] };
        uint8_t copy[512];
        memcpy(copy, header, 4);
        memcpy(copy + 4, row->data + at, len);
        pl_dgram d = { .path = path, .data = copy, .len = 4 + len };
        PL_EQ(pl_udp_send(e->forward, &d), PL_OK);
    }
}

static void on_rows(void *user, int64_t now_us, const pl_udp_row *rows, size_t n)
{
    struct ear *e = user;
    PL_LE(now_us, pl_clock_us());
    for (size_t r = 0; r < n; r++) {
        const pl_udp_row *row = &rows[r];
        e->n_rows++;
        e->tos = row->tos;
        e->row_max = row->len > e->row_max ? row->len : e->row_max;
        PL_LE(e->n_bytes + row->len, BYTES_MAX);
        memcpy(e->bytes + e->n_bytes, row->data, row->len);
        e->n_bytes += row->len;
        for (size_t at = 0; at < row->len; at += row->segment)
            e->len[e->n++] = row->len - at < row->segment ? row->len - at : row->segment;
        if (e->forward) {
            pl_udp_cork(e->forward);
            forward_row(e, row);
            pl_udp_flush(e->forward);
        }
    }
}

static void on_error(void *user, int64_t now_us, const pl_udp_error *error)
{
    struct ear *e = user;
    (void)now_us;
    e->n_errors++;
    e->error = *error;
}

static struct ear *ear_new(pl_loop *loop, const char *bind, pl_udp_offload offload)
{
    struct ear *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    pl_udp_conf conf = { .bind = help_addr(bind),
                         .rows = on_rows,
                         .on_error = on_error,
                         .user = e,
                         .offload = offload,
                         .recv_ecn = true,
                         .recv_buf = 4 << 20 };
    PL_EQ(pl_udp_open(&e->udp, loop, &conf), PL_OK);
    return e;
}

static void ear_free(struct ear *e)
{
    pl_udp_close(e->udp);
    free(e);
}

/* Headers and payloads from two places, three segments and a short one. */
PL_TEST(slices_become_segments)
{
    static const char *const bind[] = { "127.0.0.1:0", "[::1]:0" };
    for (int i = 0; i < 4; i++) {
        pl_loop *loop = help_loop();
        struct ear *a = ear_new(loop, bind[i & 1], i & 2 ? PL_UDP_OFFLOAD_OFF : PL_UDP_OFFLOAD_AUTO);
        struct ear *b = ear_new(loop, bind[i & 1], PL_UDP_OFFLOAD_AUTO);
        static const uint8_t head[4] = { 'h', 'e', 'a', 'd' };
        uint8_t payload[400], want[416];
        pl_slice slice[9];
        size_t len = 0;
        for (size_t k = 0; k < sizeof payload; k++)
            payload[k] = (uint8_t)k;
        for (int k = 0; k < 4; k++) {
            size_t part = k < 3 ? 120 : 40;
            slice[2 * k] = (pl_slice){ head, sizeof head };
            slice[2 * k + 1] = (pl_slice){ payload + k * 120, part };
            memcpy(want + len, head, sizeof head);
            memcpy(want + len + 4, payload + k * 120, part);
            len += 4 + part;
        }
        slice[8] = (pl_slice){ NULL, 0 };
        pl_path path = { .remote = *pl_udp_addr(b->udp) };
        PL_EQ(pl_udp_sendv(a->udp, &path, 0, slice, 9, 124), PL_OK);
        HELP_UNTIL(loop, b->n == 4);
        PL_EQ(b->n_bytes, len);
        PL_MEMEQ(b->bytes, want, len);
        PL_EQ(b->len[0], 124);
        PL_EQ(b->len[3], 44);
        PL_EQ(pl_udp_get_stats(a->udp)->n_segmented, pl_udp_sends_segments(a->udp) ? 4 : 0);
        PL_EQ(pl_udp_sendv(a->udp, &path, 0, slice, PL_UDP_SLICES_MAX + 1, 124), PL_EINVAL);
        path.remote.family = PL_AF_NONE;
        PL_EQ(pl_udp_sendv(a->udp, &path, 0, slice, 1, 0), PL_EINVAL);
        ear_free(a);
        ear_free(b);
        pl_loop_free(loop);
    }
}

/* Datagrams for two peers that come by turns leave as one segmented send each. */
PL_TEST(a_cork_sorts_by_destination)
{
    enum { N = 40, SIZE = 200 };
    pl_loop *loop = help_loop();
    struct ear *client = ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO);
    struct ear *relay = ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO);
    struct ear *out = ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO);
    struct ear *peer[] = { ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO),
                           ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO) };
    static uint8_t data[N * SIZE];
    relay->forward = out->udp;
    for (int i = 0; i < 2; i++)
        relay->to[i] = *pl_udp_addr(peer[i]->udp);
    for (int i = 0; i < N; i++)
        memset(data + i * SIZE, i, SIZE);
    pl_path path = { .remote = *pl_udp_addr(relay->udp) };
    PL_EQ(pl_udp_sendv(client->udp, &path, 0, &(pl_slice){ data, sizeof data }, 1, SIZE), PL_OK);
    HELP_UNTIL(loop, peer[0]->n == N / 2 && peer[1]->n == N / 2);
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < N / 2; i++) {
            const uint8_t *at = peer[k]->bytes + i * (SIZE + 4);
            PL_EQ(peer[k]->len[i], SIZE + 4);
            PL_MEMEQ(at, "\x40\x01\x02\x03", 4);
            PL_EQ(at[4], 2 * i + k);
            PL_EQ(at[SIZE + 3], 2 * i + k);
        }
    }
    if (pl_udp_receives_segments(relay->udp) && pl_udp_sends_segments(out->udp)) {
        PL_EQ(relay->n_rows, 1); /* the row came as one... */
        PL_EQ(pl_udp_get_stats(out->udp)->n_send_calls, 1);
        PL_EQ(pl_udp_get_stats(out->udp)->n_segmented, N); /* ...and left as two */
    }
    ear_free(client);
    ear_free(relay);
    ear_free(out);
    ear_free(peer[0]);
    ear_free(peer[1]);
    pl_loop_free(loop);
}

/* More than a cork can take leaves earlier; order and bytes stay. */
PL_TEST(a_full_cork_spills)
{
    enum { N = 450 };
    uint8_t data[100];
    pl_loop *loop = help_loop();
    struct ear *a = ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO);
    struct ear *b = ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO);
    pl_udp_cork(a->udp);
    for (int i = 0; i < N; i++) {
        size_t len = i % 3 == 0 ? 1 : i % 3 == 1 ? 66 : 100;
        memset(data, i, len);
        pl_dgram d = { .path.remote = *pl_udp_addr(b->udp), .data = data, .len = len };
        PL_EQ(pl_udp_send(a->udp, &d), PL_OK);
    }
    PL_LE(pl_udp_get_stats(a->udp)->n_sent, N - 1);
    pl_udp_flush(a->udp);
    PL_EQ(pl_udp_get_stats(a->udp)->n_sent, N);
    HELP_UNTIL(loop, b->n == N);
    for (size_t i = 0, at = 0; i < N; at += b->len[i++]) {
        PL_EQ(b->len[i], i % 3 == 0 ? 1 : i % 3 == 1 ? 66 : 100);
        PL_EQ(b->bytes[at], (uint8_t)i);
    }
    ear_free(a);
    ear_free(b);
    pl_loop_free(loop);
}

/* A relayed address moves to another loop: nothing that the system holds for it is lost. */
PL_TEST(a_socket_moves_to_another_loop)
{
    pl_loop *loop = help_loop(), *other = help_loop();
    struct ear *a = ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO);
    struct ear *b = ear_new(loop, "127.0.0.1:0", PL_UDP_OFFLOAD_AUTO);
    pl_path path = { .remote = *pl_udp_addr(b->udp) };
    pl_udp_conf conf = { .bind = path.remote, .rows = on_rows, .user = b };
    conf.fd = pl_udp_take(b->udp);
    PL_GE(conf.fd, 1);
    PL_EQ(pl_udp_sendv(a->udp, &path, 0, &(pl_slice){ "x", 1 }, 1, 0), PL_OK);
    PL_EQ(pl_udp_open(&b->udp, other, &conf), PL_OK);
    PL_OKAY(pl_addr_eq(pl_udp_addr(b->udp), &path.remote));
    HELP_UNTIL(other, b->n == 1);
    ear_free(a);
    ear_free(b);
    pl_loop_free(loop);
    pl_loop_free(other);
}

/* DSCP and ECN pass as one byte. */
PL_TEST(the_whole_tos_is_told)
{
    static const char *const bind[] = { "127.0.0.1:0", "[::1]:0" };
    for (int i = 0; i < 2; i++) {
        pl_loop *loop = help_loop();
        struct ear *a = ear_new(loop, bind[i], PL_UDP_OFFLOAD_AUTO);
        struct ear *b = ear_new(loop, bind[i], PL_UDP_OFFLOAD_AUTO);
        pl_path path = { .remote = *pl_udp_addr(b->udp) };
        PL_EQ(pl_udp_sendv(a->udp, &path, 46 << 2 | 2, &(pl_slice){ "x", 1 }, 1, 0), PL_OK);
        HELP_UNTIL(loop, b->n == 1);
        PL_EQ(b->tos, 46 << 2 | 2);
        ear_free(a);
        ear_free(b);
        pl_loop_free(loop);
    }
}

/* Nobody listens there: the port's "unreachable" names the peer it was meant for. */
PL_TEST(icmp_errors_name_the_peer)
{
    static const char *const bind[] = { "127.0.0.1:0", "[::1]:0" };
    for (int i = 0; i < 2; i++) {
        pl_loop *loop = help_loop();
        struct ear *a = ear_new(loop, bind[i], PL_UDP_OFFLOAD_AUTO);
        struct ear *b = ear_new(loop, bind[i], PL_UDP_OFFLOAD_AUTO);
        pl_path path = { .remote = *pl_udp_addr(b->udp) };
        ear_free(b);
        PL_EQ(pl_udp_sendv(a->udp, &path, 0, &(pl_slice){ "x", 1 }, 1, 0), PL_OK);
        HELP_UNTIL(loop, a->n_errors == 1);
        PL_OKAY(pl_addr_eq(&a->error.remote, &path.remote));
        PL_EQ(a->error.is_icmp6, i == 1);
        PL_EQ(a->error.type, i ? 1 : 3); /* destination unreachable */
        PL_EQ(a->error.code, i ? 4 : 3); /* port unreachable */
        PL_EQ(a->error.mtu, 0);
        path.remote = *pl_udp_addr(a->udp); /* and it still carries datagrams */
        PL_EQ(pl_udp_sendv(a->udp, &path, 0, &(pl_slice){ "y", 1 }, 1, 0), PL_OK);
        HELP_UNTIL(loop, a->n == 1);
        ear_free(a);
        pl_loop_free(loop);
    }
}

/* DF on a datagram above loopback's MTU: nothing leaves; without, fragments arrive. */
PL_TEST(dont_fragment_follows_the_word)
{
    static const char *const bind[] = { "127.0.0.1:0", "[::1]:0" };
    static uint8_t data[65507];
    for (int i = 0; i < 2; i++) {
        pl_loop *loop = help_loop();
        struct ear *a = ear_new(loop, bind[i], PL_UDP_OFFLOAD_OFF);
        struct ear *b = ear_new(loop, bind[i], PL_UDP_OFFLOAD_OFF);
        pl_path path = { .remote = *pl_udp_addr(b->udp) };
        pl_slice slice = { data, sizeof data };
        pl_udp_dont_fragment(a->udp, true);
        pl_udp_dont_fragment(a->udp, true);
        if (pl_udp_sendv(a->udp, &path, 0, &slice, 1, 0) == PL_OK) {
            HELP_UNTIL(loop, b->n == 1); /* this system's loopback is wide enough */
            b->n = 0;
        } else {
            PL_EQ(pl_udp_get_stats(a->udp)->n_dropped, 1);
        }
        pl_udp_dont_fragment(a->udp, false);
        PL_EQ(pl_udp_sendv(a->udp, &path, 0, &slice, 1, 0), PL_OK);
        HELP_UNTIL(loop, b->n == 1);
        PL_EQ(b->len[0], sizeof data);
        ear_free(a);
        ear_free(b);
        pl_loop_free(loop);
    }
}

PL_TEST(one_kind_of_receiver_is_wanted)
{
    pl_loop *loop = help_loop();
    pl_udp *u;
    PL_EQ(pl_udp_open(&u, loop, &(pl_udp_conf){ .bind = help_addr("127.0.0.1:0") }), PL_EINVAL);
    pl_loop_free(loop);
}

PL_TESTS(t(slices_become_segments), t(a_cork_sorts_by_destination), t(a_full_cork_spills),
         t(a_socket_moves_to_another_loop), t(the_whole_tos_is_told), t(icmp_errors_name_the_peer),
         t(dont_fragment_follows_the_word), t(one_kind_of_receiver_is_wanted))
