/* The frame buffer against a model decoder: whatever the network does, nothing that cannot be decoded is given
 * out, everything that can be recovered is, and a stream always comes back. */
#include "pl_test.h"

#include "base/time.h"
#include "pl_alloc.h"
#include "sim/media_net.h"
#include "video/frame_buffer.h"

enum { FRAME_US = 33333, PART_MAX = 40 };

/* A frame of our own: VP8's descriptor around {first byte, number 32, part, of n, needs}. */
typedef struct sender {
    uint32_t number;
    int layers; /* 1, or 3: the pattern 0 2 1 2 */
    uint8_t tl0;
    bool want_key;
    uint32_t last_base; /* number of the last base-layer frame */
    uint32_t last_mid;
    sim_media *net;
} sender;

static void put_packet(sender *s, int64_t now_us, bool key, int tid, uint32_t needs, uint32_t part,
                       uint32_t n)
{
    pl_media_packet p = { .rtp_ts = (uint32_t)(now_us * 9 / 100), .marker = part + 1 == n, .pt = 96 };
    uint8_t *at = p.payload;
    *at++ = (uint8_t)(0x80 | (part == 0 ? 0x10 : 0));
    *at++ = (uint8_t)(s->layers > 1 ? 0xe0 : 0x80);
    *at++ = (uint8_t)(0x80 | (s->number >> 8 & 0x7f));
    *at++ = (uint8_t)s->number;
    if (s->layers > 1) {
        *at++ = s->tl0;
        *at++ = (uint8_t)(tid << 6 | (tid > 0 && needs == s->last_base ? 0x20 : 0));
    }
    uint8_t body[] = { (uint8_t)!key, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0 };
    memcpy(at, body, sizeof body);
    at += sizeof body;
    memcpy(at, &s->number, 4);
    memcpy(at + 4, &needs, 4);
    at[8] = (uint8_t)part;
    at[9] = (uint8_t)n;
    p.len = (uint16_t)(at + 10 - p.payload);
    sim_media_send(s->net, now_us, &p);
}

static void send_frame(sender *s, int64_t now_us)
{
    static const int pattern[] = { 0, 2, 1, 2 };
    int tid = s->layers > 1 ? pattern[s->number % 4] : 0;
    bool key = s->number == 0 || (s->want_key && tid == 0);
    uint32_t needs = tid == 0             ? s->last_base
                     : tid == 1           ? s->last_base
                     : s->number % 4 == 1 ? s->last_base
                                          : s->last_mid;
    uint32_t n = 1 + pl_rand_below(sim_media_rand(s->net), key ? PART_MAX : 8);
    if (key)
        s->want_key = false;
    if (tid == 0)
        s->tl0++;
    for (uint32_t part = 0; part < n; part++)
        put_packet(s, now_us, key, tid, needs, part, n);
    if (tid == 0)
        s->last_base = s->last_mid = s->number;
    if (tid == 1)
        s->last_mid = s->number;
    s->number++;
}

typedef struct model {
    uint8_t decoded[4096]; /* by frame number */
    uint32_t n_decoded, last_number;
    int64_t last_us, longest_us;
    uint64_t seed;
} model;

static void check_frame(model *m, const pl_frame *f, int64_t now_us)
{
    uint32_t number = 0, needs = 0;
    PL_OKAY(f->len % 20 == 0 && f->len > 0);
    for (size_t at = 0; at < f->len; at += 20) {
        const uint8_t *part = f->data + at + 10;
        memcpy(&number, part, 4);
        memcpy(&needs, part + 4, 4);
        if (part[8] != at / 20 || part[9] != f->len / 20)
            fail_msg("seed %llu: frame %u is not whole", (unsigned long long)m->seed, number);
    }
    if (m->n_decoded && number <= m->last_number)
        fail_msg("seed %llu: frame %u after %u", (unsigned long long)m->seed, number, m->last_number);
    if (!f->key && !m->decoded[needs])
        fail_msg("seed %llu: frame %u needs %u", (unsigned long long)m->seed, number, needs);
    m->decoded[number] = 1;
    m->last_number = number;
    if (m->n_decoded++ && now_us - m->last_us > m->longest_us)
        m->longest_us = now_us - m->last_us;
    m->last_us = now_us;
}

typedef struct run_conf {
    sim_media_conf net;
    int n_frames, layers;
    int64_t dark_from_us, dark_to_us;
    bool mute_keys; /* requests for key frames do not arrive */
} run_conf;

static void run(const run_conf *conf, uint64_t seed, model *m, pl_frame_buffer_count *count)
{
    *m = (model){ .seed = seed };
    sim_media *net = sim_media_new(&conf->net, seed);
    sender s = { .net = net, .layers = conf->layers ? conf->layers : 1 };
    pl_frame_buffer *b;
    PL_EQ(pl_frame_buffer_new(&b), PL_OK);
    pl_frame_buffer_rtt(b, 2 * conf->net.delay_us);
    int64_t asked_us = 0, now_us = 1000000, end_us = now_us + (int64_t)conf->n_frames * FRAME_US + 1500000;
    size_t before = pl_allocs();
    for (int64_t next_us = now_us; now_us < end_us; now_us += 1000) {
        if (now_us >= next_us && s.number < (uint32_t)conf->n_frames) {
            if (conf->dark_to_us > now_us && now_us >= conf->dark_from_us)
                sim_media_blackout(net, conf->dark_to_us);
            send_frame(&s, now_us);
            next_us += FRAME_US;
        }
        pl_media_packet p;
        while (sim_media_recv(net, now_us, &p))
            pl_frame_buffer_insert(b, &pl_payload_vp8, &p);
        for (pl_frame f; pl_frame_buffer_next(b, now_us, &f);)
            check_frame(m, &f, now_us);
        if (pl_frame_buffer_wants_key(b) && now_us - asked_us > 300000 && !conf->mute_keys) {
            s.want_key = true;
            asked_us = now_us;
        }
        if (now_us % 50000 == 0)
            pl_frame_buffer_check(b);
    }
    PL_EQ(pl_allocs() - before, 0);
    *count = *pl_frame_buffer_counts(b);
    pl_frame_buffer_free(b);
    sim_media_free(net);
}

static void need(bool ok, uint64_t seed, const char *what, const model *m)
{
    if (!ok)
        fail_msg("seed %llu: %s (%u frames, longest pause %lld ms)", (unsigned long long)seed, what,
                 m->n_decoded, (long long)(m->longest_us / 1000));
}

PL_TEST(a_clean_network_loses_nothing)
{
    model m;
    pl_frame_buffer_count c;
    run(&(run_conf){ .net = { .delay_us = 20000 }, .n_frames = 200 }, 1, &m, &c);
    PL_EQ(m.n_decoded, 200);
    PL_EQ(c.n_dropped + c.n_late + c.n_malformed + c.n_gaps_abandoned, 0);
    PL_LE(m.longest_us, FRAME_US + 2000);
}

PL_TEST(reordering_and_duplicates_lose_nothing)
{
    uint64_t first = pl_test_seed(1);
    for (uint64_t seed = first; seed < first + 300; seed++) {
        model m;
        pl_frame_buffer_count c;
        run(&(run_conf){ .net = { .delay_us = 20000, .jitter_us = 60000, .duplicate = 0.05 },
                         .n_frames = 60,
                         .mute_keys = true },
            seed, &m, &c);
        need(m.n_decoded == 60, seed, "frames are missing", &m);
    }
}

PL_TEST(retransmissions_are_waited_for)
{
    /* 8 % lost, each retransmitted at most twice: nothing is abandoned, no key frame is wanted. */
    uint64_t first = pl_test_seed(1);
    for (uint64_t seed = first; seed < first + 500; seed++) {
        model m;
        pl_frame_buffer_count c;
        run(&(run_conf){ .net = { .loss = 0.08,
                                  .delay_us = 30000,
                                  .jitter_us = 10000,
                                  .retransmit_us = 65000,
                                  .retransmits = 2,
                                  .last_one_comes = true },
                         .n_frames = 60,
                         .mute_keys = true },
            seed, &m, &c);
        need(m.n_decoded >= 58, seed, "frames are missing", &m);
        need(m.longest_us < 400000, seed, "a pause", &m);
    }
}

PL_TEST(what_cannot_be_recovered_ends_with_a_key_frame)
{
    uint64_t first = pl_test_seed(1);
    uint64_t decoded = 0;
    for (uint64_t seed = first; seed < first + 1000; seed++) {
        model m;
        pl_frame_buffer_count c;
        run(&(run_conf){ .net = { .loss = 0.03,
                                  .delay_us = 30000,
                                  .jitter_us = 30000,
                                  .duplicate = 0.02,
                                  .retransmit_us = 70000,
                                  .retransmits = 1 },
                         .n_frames = 90 },
            seed, &m, &c);
        need(m.n_decoded > 20, seed, "too few", &m);
        need(m.longest_us < 2500000, seed, "a pause", &m);
        decoded += m.n_decoded;
    }
    PL_GE(decoded * 100 / 90000, 90);
}

PL_TEST(an_outage_ends_with_a_key_frame)
{
    uint64_t first = pl_test_seed(1);
    for (uint64_t seed = first; seed < first + 200; seed++) {
        model m;
        pl_frame_buffer_count c;
        run(&(run_conf){ .net = { .delay_us = 30000 },
                         .n_frames = 120,
                         .dark_from_us = 2000000,
                         .dark_to_us = 3000000 },
            seed, &m, &c);
        need(m.n_decoded > 70, seed, "too few", &m);
        need(m.longest_us < 1700000, seed, "a pause", &m);
        need(m.last_number == 119, seed, "the end is missing", &m);
    }
}

PL_TEST(layers_go_on_without_a_key_frame)
{
    /* Without retransmission; losses in the upper layers cost no more than their own frames. */
    uint64_t first = pl_test_seed(1);
    for (uint64_t seed = first; seed < first + 500; seed++) {
        model m;
        pl_frame_buffer_count c;
        run(&(run_conf){ .net = { .loss = 0.02, .delay_us = 20000, .jitter_us = 20000 },
                         .n_frames = 100,
                         .layers = 3 },
            seed, &m, &c);
        need(m.n_decoded > 15, seed, "too few", &m);
        need(m.last_number >= 60, seed, "the end is missing", &m);
    }
}

static pl_media_packet packet(int64_t seq, uint32_t ts, bool first, bool key, bool marker)
{
    pl_media_packet p = {
        .ext_seq = seq, .rtp_ts = ts, .marker = marker, .pt = 96, .len = 11, .arrival_us = seq
    };
    static const uint8_t head[] = { 0, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0 };
    p.payload[0] = first ? 0x10 : 0;
    memcpy(p.payload + 1, head, sizeof head);
    p.payload[1] = !key;
    return p;
}

PL_TEST(padding_closes_gaps)
{
    pl_frame_buffer *b;
    pl_frame f;
    PL_EQ(pl_frame_buffer_new(&b), PL_OK);
    pl_media_packet key = packet(100, 1, true, true, true), pad = { .ext_seq = 101, .rtp_ts = 1 },
                    delta = packet(102, 3001, true, false, true);
    pl_frame_buffer_insert(b, &pl_payload_vp8, &key);
    PL_OKAY(pl_frame_buffer_peek(b, 0, &f) && f.data == NULL && f.len == 10);
    PL_OKAY(pl_frame_buffer_next(b, 0, &f) && f.key && f.len == 10);
    pl_frame_buffer_insert(b, &pl_payload_vp8, &delta);
    PL_OKAY(!pl_frame_buffer_next(b, 200, &f));
    PL_EQ(pl_frame_buffer_next_us(b), 102 + PL_FRAME_WAIT_MIN_US);
    pl_frame_buffer_insert(b, &pl_payload_vp8, &pad);
    PL_OKAY(pl_frame_buffer_next(b, 200, &f) && !f.key);
    PL_EQ(pl_frame_buffer_next_us(b), PL_NEVER);
    PL_EQ(f.ext_ts - 3001, (int64_t)1 << 32);
    pl_frame_buffer_broken(b); /* the decoder says no: only a key frame now */
    PL_OKAY(pl_frame_buffer_wants_key(b));
    delta.ext_seq = 103;
    delta.rtp_ts = 6001;
    pl_frame_buffer_insert(b, &pl_payload_vp8, &delta);
    PL_OKAY(!pl_frame_buffer_next(b, 200, &f));
    pl_media_packet again = packet(104, 9001, true, true, false);
    pl_frame_buffer_insert(b, &pl_payload_vp8, &again);
    PL_OKAY(!pl_frame_buffer_wants_key(b)); /* one is coming */
    again = packet(105, 9001, false, false, true);
    pl_frame_buffer_insert(b, &pl_payload_vp8, &again);
    PL_OKAY(pl_frame_buffer_next(b, 200, &f) && f.key && f.len == 20);
    pl_frame_buffer_check(b);
    pl_frame_buffer_free(b);
}

PL_TEST(hostile_packets)
{
    uint64_t first = pl_test_seed(1);
    for (uint64_t seed = first; seed < first + 200; seed++) {
        pl_rand_seeded state;
        pl_rand rand = pl_rand_seed(&state, seed);
        pl_frame_buffer *b;
        PL_EQ(pl_frame_buffer_new(&b), PL_OK);
        int64_t seq = 70000, now_us = 0;
        for (int i = 0; i < 1000; i++, now_us += pl_rand_below(&rand, 20000)) {
            seq += pl_rand_below(&rand, 200) ? pl_rand_below(&rand, 3) : pl_rand_below(&rand, 100000);
            pl_media_packet p =
                packet(seq - pl_rand_below(&rand, 4), pl_rand_below(&rand, 8) * 3000, pl_rand_below(&rand, 2),
                       pl_rand_below(&rand, 4) == 0, pl_rand_below(&rand, 2));
            p.arrival_us = now_us;
            p.ssrc = pl_rand_below(&rand, 300) == 0;
            if (pl_rand_below(&rand, 3) == 0) {
                p.len = (uint16_t)pl_rand_below(&rand, PL_MEDIA_PAYLOAD_MAX + 20);
                pl_rand_bytes(&rand, p.payload, 30);
            }
            pl_frame_buffer_insert(b, &pl_payload_vp8, &p);
            pl_frame_buffer_check(b);
            for (pl_frame f; pl_rand_below(&rand, 2) && pl_frame_buffer_next(b, now_us, &f);)
                PL_OKAY(f.len > 0);
        }
        pl_frame_buffer_check(b);
        pl_frame_buffer_free(b);
    }
}

PL_TESTS(t(a_clean_network_loses_nothing), t(reordering_and_duplicates_lose_nothing),
         t(retransmissions_are_waited_for), t(what_cannot_be_recovered_ends_with_a_key_frame),
         t(an_outage_ends_with_a_key_frame), t(layers_go_on_without_a_key_frame), t(padding_closes_gaps),
         t(hostile_packets))
