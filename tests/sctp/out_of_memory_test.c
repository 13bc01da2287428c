/* Sending while any one allocation fails: calls say so, nothing is lost of what they took, nothing leaks. */
#include "pl_test.h"

#include "pair.h"
#include "pl_alloc.h"

enum { LENT = 3000, PART = 3000 };

static uint8_t bytes[8 * LENT];
static unsigned n_released, n_got;

static void on_release(void *user)
{
    (void)user;
    n_released++;
}

/* A link that asks for no memory: a packet every 4 ms, 10 ms late, and one in thirteen is lost. */
static struct {
    struct {
        int64_t at_us;
        size_t len;
        uint8_t data[PL_SCTP_MTU_DEFAULT];
    } packet[64];
    size_t first, end;
    int64_t free_us;
} wire[2];

static void put(pair *p, int from, const uint8_t *data, size_t len)
{
    static unsigned n;
    if (++n % 13 == 0 || wire[from].end - wire[from].first == 64)
        return;
    wire[from].free_us = pl_max_us(wire[from].free_us, p->now_us) + PL_MS(4);
    size_t i = wire[from].end++ % 64;
    wire[from].packet[i].at_us = wire[from].free_us + PL_MS(10);
    wire[from].packet[i].len = len;
    memcpy(wire[from].packet[i].data, data, len);
}

static void run(pair *p, int64_t until_us)
{
    static uint8_t out[2048];
    for (; p->now_us < until_us; p->now_us += PL_MS(1)) {
        for (int i = 0; i < 2; i++) {
            size_t len;
            pl_sctp_msg m;
            for (size_t k; wire[1 - i].first != wire[1 - i].end &&
                           wire[1 - i].packet[k = wire[1 - i].first % 64].at_us <= p->now_us;
                 wire[1 - i].first++)
                pl_sctp_input(p->end[i], p->now_us, wire[1 - i].packet[k].data, wire[1 - i].packet[k].len);
            if (p->now_us >= pl_sctp_next_us(p->end[i]))
                pl_sctp_tick(p->end[i], p->now_us);
            while (pl_sctp_poll_output(p->end[i], p->now_us, out, sizeof out, &len))
                put(p, i, out, len);
            for (; pl_sctp_recv(p->end[i], &m); pl_sctp_msg_free(&m))
                n_got += i == 1;
            pl_sctp_check(p->end[i]);
        }
    }
}

static bool over(const pair *p)
{
    return pl_sctp_get_state(p->end[0]) == PL_SCTP_CLOSED;
}

/* Refused for want of memory, or taken. */
static unsigned taken(pl_err err)
{
    PL_OKAY(err == PL_OK || err == PL_ENOMEM || err == PL_EAGAIN || err == PL_ESTATE);
    return err == PL_OK;
}

/* Every kind of message, some given up while queued and some half sent; returns what was taken. */
static unsigned send_all_kinds(pair *p, unsigned *n_lent)
{
    pl_sctp *s = p->end[0];
    pl_sctp_lent lent = { bytes, LENT, on_release, NULL };
    pl_sctp_send_opts ranked = { .limit_priority = true, .buffer_priority = 9 };
    pl_sctp_send_opts better = { .limit_priority = true, .buffer_priority = 1 };
    pl_sctp_send_opts brief = { .lifetime_us = PL_MS(30) };
    unsigned n = taken(pl_sctp_send(s, p->now_us, 0, 53, bytes, 10, NULL));
    *n_lent = taken(pl_sctp_send_lent(s, p->now_us, 40, 53, &lent, &ranked));
    bool open = taken(pl_sctp_send_part(s, p->now_us, 80, 53, bytes, PART, false, NULL));
    n += open;
    n += taken(pl_sctp_send(s, p->now_us, 1, 53, bytes, 8 * LENT, &brief));
    n += taken(pl_sctp_send(s, p->now_us, 2, 53, bytes, LENT, &better));
    (void)taken(pl_sctp_set_priority(s, 300, 512));
    run(p, p->now_us + PL_MS(45));
    for (int i = 0; open && i < 50; i++) { /* memory is back with the next try */
        pl_err err = pl_sctp_send_part(s, p->now_us, 80, 53, bytes, 100, true, NULL);
        (void)taken(err);
        if (err == PL_OK || err == PL_ESTATE)
            break;
        run(p, p->now_us + PL_MS(10));
    }
    return n + *n_lent;
}

PL_TEST(any_allocation_may_fail_while_sending)
{
    unsigned n_failures = 0;
    for (long n = 0; n == 0 || n_failures == (unsigned)n; n++) {
        pl_sctp_conf conf = { .send_buffer_max = 40000 };
        pl_sctp_stats stats;
        unsigned n_lent;
        pair p;
        n_released = n_got = 0;
        pair_init(&p, &conf, NULL, NULL, 1);
        pair_connect(&p);
        memset(wire, 0, sizeof wire);
        pl_alloc_fail_after(n);
        unsigned n_taken = send_all_kinds(&p, &n_lent);
        n_failures += pl_alloc_has_failed();
        for (int i = 0; i < 60 && !over(&p) && pl_sctp_buffered_total(p.end[0]) > 0; i++)
            run(&p, p.now_us + PL_SEC(1));
        pl_sctp_get_stats(p.end[0], &stats);
        if (!over(&p)) { /* a receiver without memory ends it */
            PL_EQ(stats.messages_sent + stats.messages_abandoned, n_taken);
            PL_EQ(stats.send_buffered, 0);
            PL_GE(n_got + stats.messages_abandoned, n_taken);
        }
        pair_clear(&p);
        PL_EQ(n_released, n_lent);
    }
    PL_GE(n_failures, 20);
}

PL_TESTS(t(any_allocation_may_fail_while_sending))
