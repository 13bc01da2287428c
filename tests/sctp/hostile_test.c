/* A peer that has gone mad, thousands of times (sim/sctp_enemy.h): nothing breaks, what is held stays within the window
 * and a tenth, answers stay in proportion to what was asked, and the association goes on or ends with a reason.
 * PL_SEED=n runs that one, checked after every packet; PL_SEEDS=n so many. */
#include "pl_test.h"

#include <malloc.h>

#include "pair.h"
#include "sctp/association_internal.h"
#include "sim/sctp_enemy.h"

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 300 };
#else
enum { SEEDS = 1000 };
#endif

enum {
    PACKETS = 250,
    WINDOW = 200000,
    PACKET_MAX = 2048,
    SLACK = 24000,         /* of memory beside the window: cores, replies */
    CACHED = 64 * 7 * 520, /* freed blocks that malloc keeps and counts as used: 64 sizes, seven of each */
    STREAMS = 2000,        /* what the victim allows; what it keeps of them counts in the window */
    INIT_FACTOR = 14       /* an INIT ACK with its cookie, per byte of INIT */
};

typedef struct siege {
    pl_sctp *victim, *honest;
    pl_rand_seeded state[3];
    pl_rand rand;
    sim_enemy enemy;
    uint64_t seed;
    int64_t now_us;
    bool sends, reads, answers, check; /* the application's manners; the honest peer answers, too */
    uint64_t bytes_in, bytes_out, packets_out;
    bool closed;
    pl_sctp_event last;
} siege;

static uint32_t below(siege *s, uint32_t n)
{
    return pl_rand_below(&s->rand, n);
}

static void begin(siege *s, uint64_t seed)
{
    *s = (siege){ .seed = seed, .now_us = PL_SEC(1) };
    s->rand = pl_rand_seed(&s->state[2], seed);
    pl_sctp_conf conf = { .recv_buffer = WINDOW,
                          .max_message_size = 20000,
                          .send_buffer_max = 100000,
                          .max_streams_in = STREAMS,
                          .max_streams_out = STREAMS,
                          .no_interleaving = below(s, 2) == 0 };
    conf.congestion = (pl_sctp_congestion)below(s, PL_SCTP_CONGESTION_LEDBAT + 1);
    conf.scheduler = (pl_sctp_scheduler)below(s, PL_SCTP_SCHEDULER_FAIR + 1);
    pl_sctp **end[2] = { &s->victim, &s->honest };
    for (int i = 0; i < 2; i++) {
        conf.rand = pl_rand_seed(&s->state[i], seed * 2 + (uint64_t)i);
        PL_EQ(pl_sctp_new(end[i], &conf, s->now_us), PL_OK);
    }
    sim_enemy_init(&s->enemy, seed);
    s->sends = below(s, 2);
    s->reads = below(s, 2);
    s->answers = below(s, 3) == 0;
}

static void take(siege *s)
{
    pl_sctp_msg m;
    pl_sctp_event e;
    for (bool any = true; any;) {
        any = false;
        while (pl_sctp_poll_event(s->victim, &e)) {
            PL_OKAY(!s->closed);
            s->closed = e.kind == PL_SCTP_EVENT_CLOSED;
            s->last = e;
        }
        while ((s->reads || pl_sctp_get_state(s->victim) == PL_SCTP_CLOSED) && pl_sctp_recv(s->victim, &m)) {
            PL_LE(m.len, 20000);
            any = true;
            pl_sctp_msg_free(&m);
        }
    }
}

/* What the victim says goes nowhere, or to its honest peer, whose answers come back. */
static void answer(siege *s, bool watched)
{
    uint8_t packet[PACKET_MAX];
    size_t len;
    while (pl_sctp_poll_output(s->victim, s->now_us, packet, sizeof packet, &len)) {
        s->bytes_out += len;
        s->packets_out++;
        if (watched)
            sim_enemy_saw(&s->enemy, true, packet, len);
        if (watched || s->answers)
            pl_sctp_input(s->honest, s->now_us, packet, len);
    }
    while ((watched || s->answers) &&
           pl_sctp_poll_output(s->honest, s->now_us, packet, sizeof packet, &len)) {
        if (watched)
            sim_enemy_saw(&s->enemy, false, packet, len);
        else
            s->bytes_in += len;
        pl_sctp_input(s->victim, s->now_us, packet, len);
    }
}

static void meet(siege *s)
{
    static const uint8_t data[3000];
    pl_sctp_connect(s->honest, s->now_us);
    for (int i = 0; i < 12; i++) {
        if (i == 5) {
            PL_EQ(pl_sctp_send(s->victim, s->now_us, 1, 53, data, sizeof data, NULL), PL_OK);
            PL_EQ(pl_sctp_send(s->honest, s->now_us, 1, 53, data, sizeof data, NULL), PL_OK);
        }
        answer(s, true);
        take(s);
    }
    PL_EQ(pl_sctp_get_state(s->victim), PL_SCTP_ESTABLISHED);
    s->bytes_in = s->bytes_out = s->packets_out = 0;
}

static size_t heap(void)
{
    return mallinfo2()
        .uordblks; /* 0 under a sanitizer, where other tests of this folder watch the counters */
}

static void check(siege *s, size_t heap_before, sim_attack attack)
{
    pl_sctp_stats stats;
    if (s->check)
        pl_sctp_check(s->victim);
    pl_sctp_get_stats(s->victim, &stats);
    size_t most = WINDOW + WINDOW / 10;
    size_t own = 2 * stats.send_buffered + SLACK + CACHED;
    size_t now = heap(), held = pl_sctp_held(s->victim);
    if (held > most || now > heap_before + most + own)
        fail_msg("seed %llu, %s: %zu bytes are held of a window of %d, %zu of memory in all",
                 (unsigned long long)s->seed, sim_attack_str(attack), held, WINDOW, now - heap_before);
}

static void application(siege *s)
{
    static const uint8_t data[20000];
    pl_sctp_send_opts o = { .unordered = below(s, 2), .limit_retransmits = below(s, 2) };
    while (s->sends && pl_sctp_send(s->victim, s->now_us, (uint16_t)below(s, 5), 53, data,
                                    1 + below(s, 19999), &o) == PL_OK)
        ;
}

/* Returns whether all of it was INITs, whose answers are longer. */
static void attack(siege *s)
{
    uint8_t packet[PACKET_MAX];
    sim_attack favourite = (sim_attack)below(s, SIM_ATTACKS);
    size_t before = heap();
    for (int i = 0; i < PACKETS && !s->closed; i++) {
        sim_attack kind = below(s, 4) ? favourite : (sim_attack)below(s, SIM_ATTACKS);
        size_t len = sim_enemy_packet(&s->enemy, kind, packet, sizeof packet);
        s->bytes_in += len;
        application(s);
        if (len > 0)
            pl_sctp_input(s->victim, s->now_us, packet, len);
        take(s);
        check(s, before, kind);
        if (below(s, 3) == 0) {
            answer(s, false);
            s->now_us += below(s, 20000);
            if (s->now_us >= pl_sctp_next_us(s->victim))
                pl_sctp_tick(s->victim, s->now_us);
            check(s, before, kind);
        }
    }
    answer(s, false);
}

/* The enemy has gone and says nothing any more: timers run out in bounded work, and the end is told. */
static void aftermath(siege *s)
{
    int n = 0;
    s->sends = false;
    s->reads = true;
    s->answers = false;
    pl_sctp_shutdown(s->victim, s->now_us);
    for (; !s->closed && n < 2000; n++) {
        answer(s, false);
        take(s);
        int64_t at_us = pl_sctp_next_us(s->victim);
        if (at_us == PL_NEVER)
            break;
        s->now_us = at_us > s->now_us ? at_us : s->now_us + 1;
        pl_sctp_tick(s->victim, s->now_us);
    }
    take(s);
    if (!s->closed)
        fail_msg("seed %llu: no end after %d timers", (unsigned long long)s->seed, n);
    PL_OKAY(s->last.reason[0] != 0);
    answer(s, false);
    PL_OKAY(pl_sctp_next_us(s->victim) == PL_NEVER);
    pl_sctp_check(s->victim);
}

PL_TEST(a_mad_peer)
{
    bool one = getenv("PL_SEED") != NULL;
    const char *text = getenv("PL_SEEDS");
    uint64_t first = pl_test_seed(1), n = one ? 1 : text ? strtoull(text, NULL, 0) : SEEDS, ended = 0;
    uint64_t worst = 0;
    for (uint64_t seed = first; seed < first + n; seed++) {
        static siege s;
        begin(&s, seed);
        s.check = one || seed % 8 == 0;
        meet(&s);
        attack(&s);
        ended += s.closed;
        if (!s.sends && s.bytes_in > 0 && s.bytes_out * 10 / s.bytes_in > worst)
            worst = s.bytes_out * 10 / s.bytes_in;
        if (!s.sends && s.bytes_out > INIT_FACTOR * s.bytes_in + 4000)
            fail_msg("seed %llu: %llu bytes out for %llu in", (unsigned long long)seed,
                     (unsigned long long)s.bytes_out, (unsigned long long)s.bytes_in);
        aftermath(&s);
        pl_sctp_free(s.victim);
        pl_sctp_free(s.honest);
    }
    print_message("%llu of %llu ended before the siege did; at most %.1f bytes out per byte in\n",
                  (unsigned long long)ended, (unsigned long long)n, (double)worst / 10);
    if (!one)
        PL_OKAY(ended > n / 50 && ended < n / 5); /* both ways are taken, and most sieges last */
}

PL_TESTS(t(a_mad_peer))
