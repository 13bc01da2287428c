/* I-DATA and I-FORWARD-TSN as they leave us (RFC 8260), read chunk by chunk; the other side is this file. */
#include "pl_test.h"

#include "pair.h"
#include "sctp/association_internal.h"
#include "sctp/chunk.h"
#include "sctp/chunk_forward.h"

enum { CHUNKS_MAX = 2000, PPID = 51 };

/* What has left end 0 since it was last asked. */
typedef struct seen {
    pl_sctp_data data[CHUNKS_MAX];
    unsigned packet[CHUNKS_MAX]; /* in which packet it stood */
    size_t n_data, n_packets, n_forwards;
    uint32_t forward_tsn;
    pl_sctp_skip skip[PL_SCTP_SKIP_MAX];
    size_t n_skips;
} seen;

static pair *begin(pl_sctp_scheduler scheduler)
{
    static pair p;
    pl_sctp_conf conf = { .scheduler = scheduler, .heartbeat_us = -1 };
    pair_init(&p, &conf, &conf, NULL, 1);
    pair_connect(&p);
    pl_sctp *s = p.end[0];
    s->extensions |= PL_SCTP_EXT_INTERLEAVE;
    s->out.interleaved = s->sent.interleaved = true;
    return &p;
}

static void look_forward(seen *out, const pl_sctp_chunk *chunk)
{
    pl_sctp_forward f;
    PL_EQ(pl_sctp_forward_parse(&f, chunk->body, true), PL_OK);
    out->n_forwards++;
    out->forward_tsn = f.cumulative_tsn;
    out->n_skips = f.n_skips;
    for (size_t i = 0; i < f.n_skips; i++)
        out->skip[i] = pl_sctp_forward_skip(&f, i);
}

/* Everything that wants to leave now. */
static const seen *look(pair *p)
{
    static seen out;
    static uint8_t packet[2048];
    size_t len;
    out.n_data = out.n_packets = out.n_forwards = out.n_skips = 0;
    for (; pl_sctp_poll_output(p->end[0], p->now_us, packet, sizeof packet, &len); out.n_packets++) {
        pl_rd chunks = pl_rd_init(packet + PL_SCTP_HEADER, len - PL_SCTP_HEADER);
        pl_sctp_check(p->end[0]);
        for (pl_sctp_chunk chunk; pl_sctp_chunk_next(&chunks, &chunk);) {
            PL_OKAY(chunk.type != PL_SCTP_DATA && chunk.type != PL_SCTP_FORWARD_TSN);
            if (chunk.type == PL_SCTP_I_FORWARD_TSN)
                look_forward(&out, &chunk);
            if (chunk.type != PL_SCTP_I_DATA)
                continue;
            PL_LE(out.n_data + 1, CHUNKS_MAX);
            out.packet[out.n_data] = (unsigned)out.n_packets;
            PL_EQ(pl_sctp_data_parse(&out.data[out.n_data++], &chunk), PL_OK);
        }
    }
    return &out;
}

/* The peer says that it has everything up to tsn, and so much room. */
static void acknowledge_with(pair *p, uint32_t tsn, size_t window)
{
    uint8_t packet[64];
    pl_wr w = pl_wr_init(packet, sizeof packet);
    pl_sctp_header h = { PL_SCTP_PORT, PL_SCTP_PORT, p->end[0]->my_tag };
    pl_sctp_packet_begin(&w, &h);
    size_t chunk = pl_sctp_chunk_begin(&w, PL_SCTP_SACK, 0);
    pl_wr_u32(&w, tsn);
    pl_wr_u32(&w, (uint32_t)window);
    pl_wr_u32(&w, 0);
    pl_sctp_chunk_end(&w, chunk);
    pl_sctp_packet_end(&w);
    pl_sctp_input(p->end[0], p->now_us, packet, pl_wr_len(&w));
}

static void acknowledge(pair *p, uint32_t tsn)
{
    acknowledge_with(p, tsn, 1 << 20);
}

static void send_part(pair *p, uint16_t sid, size_t len, bool last)
{
    static const uint8_t data[1 << 20];
    PL_EQ(pl_sctp_send_part(p->end[0], p->now_us, sid, PPID, data, len, last, NULL), PL_OK);
}

/* The peer's window, now and at its widest. */
static void set_window(pair *p, size_t bytes)
{
    p->end[0]->peer_rwnd = p->end[0]->widest_rwnd = bytes;
}

static size_t bytes_of(const seen *out, uint16_t sid)
{
    size_t n = 0;
    for (size_t i = 0; i < out->n_data; i++)
        n += out->data[i].sid == sid ? out->data[i].len : 0;
    return n;
}

/* Says so with this window, and hears what follows. */
static const seen *next(pair *p, size_t window)
{
    uint32_t last = p->end[0]->sent.next_tsn - 1;
    p->now_us += PL_MS(5);
    acknowledge_with(p, last, window);
    return look(p);
}

static void send(pair *p, uint16_t sid, size_t len, const pl_sctp_send_opts *opts)
{
    static const uint8_t data[400000];
    PL_EQ(pl_sctp_send(p->end[0], p->now_us, sid, PPID, data, len, opts), PL_OK);
}

static const pl_sctp_send_opts unordered = { .unordered = true };

PL_TEST(messages_are_numbered_by_stream_and_kind)
{
    pair *p = begin(PL_SCTP_SCHEDULER_ROUND_ROBIN);
    send(p, 1, 10, NULL);
    send(p, 1, 10, &unordered);
    send(p, 1, 10, NULL);
    send(p, 1, 10, &unordered);
    send(p, 2, 10, &unordered);
    static const struct {
        uint16_t sid;
        bool u;
        uint32_t mid;
    } want[] = {
        { 1, false, 0 }, { 2, true, 0 }, { 1, true, 0 }, { 1, false, 1 }, { 1, true, 1 },
    };
    const seen *out = look(p);
    PL_EQ(out->n_data, 5);
    for (size_t i = 0; i < 5; i++) {
        const pl_sctp_data *d = &out->data[i];
        PL_EQ(d->sid, want[i].sid);
        PL_EQ(d->mid, want[i].mid);
        PL_EQ(d->flags & ~PL_SCTP_DATA_I, PL_SCTP_DATA_B | PL_SCTP_DATA_E | (want[i].u ? PL_SCTP_DATA_U : 0));
        PL_EQ(d->ppid, PPID);
        PL_EQ(d->len, 10);
    }
    pair_clear(p);
}

/* A turn is a packet: large messages share the link, each with its own count of fragments. */
PL_TEST(fragments_of_different_messages_interleave)
{
    pair *p = begin(PL_SCTP_SCHEDULER_ROUND_ROBIN);
    for (uint16_t sid = 0; sid < 3; sid++)
        send(p, sid, 3500, sid == 2 ? &unordered : NULL);
    const seen *out = look(p);
    uint32_t next_fsn[3] = { 0 };
    size_t bytes[3] = { 0 };
    unsigned n_ends = 0;
    for (size_t i = 0; i < out->n_data; i++) {
        const pl_sctp_data *d = &out->data[i];
        bool first = d->flags & PL_SCTP_DATA_B;
        if (i > 0)
            PL_EQ(d->tsn, out->data[i - 1].tsn + 1);
        PL_EQ(first, next_fsn[d->sid] == 0);
        PL_EQ(d->fsn, next_fsn[d->sid]++);
        PL_EQ(d->ppid, first ? PPID : 0);
        PL_EQ(d->mid, 0);
        bytes[d->sid] += d->len;
        n_ends += d->flags & PL_SCTP_DATA_E;
        if (out->packet[i] < 6)
            PL_EQ(d->sid, out->packet[i] % 3);
    }
    PL_EQ(n_ends, 3);
    for (int i = 0; i < 3; i++)
        PL_EQ(bytes[i], 3500);
    pair_clear(p);
}

/* Several messages, half sent and given up at once: one chunk names the last of each stream and kind, and its
 * point lies behind all that has gone. */
PL_TEST(half_sent_messages_of_many_streams_are_given_up)
{
    pair *p = begin(PL_SCTP_SCHEDULER_ROUND_ROBIN);
    pl_sctp_send_opts brief = { .lifetime_us = PL_MS(50) },
                      brief_u = { .lifetime_us = PL_MS(50), .unordered = true };
    for (uint16_t sid = 0; sid < 4; sid++)
        send(p, sid, 50000, sid % 2 ? &brief_u : &brief);
    send(p, 3, 10, &brief); /* behind: not a byte of it goes */
    const seen *out = look(p);
    PL_GE(out->n_data, 8);
    uint32_t last_tsn = out->data[out->n_data - 1].tsn;
    size_t n_first = out->n_data;
    PL_LE(n_first, 30);
    p->now_us += PL_MS(60);
    acknowledge(p, out->data[1].tsn); /* the peer has two, lacks the rest */
    out = look(p);
    PL_EQ(out->n_data, 0);
    PL_EQ(p->end[0]->out.n_queued, 0);
    pl_sctp_stats stats;
    pl_sctp_get_stats(p->end[0], &stats);
    PL_EQ(stats.abandoned_sent, 4);
    PL_EQ(stats.abandoned_unsent, 1);
    for (int i = 0; i < 50 && out->n_forwards == 0; i++) {
        p->now_us = pl_sctp_next_us(p->end[0]);
        pl_sctp_tick(p->end[0], p->now_us);
        out = look(p);
    }
    PL_EQ(out->n_forwards, 1);
    PL_EQ(out->forward_tsn, last_tsn + 4); /* with one TSN for the unsent rest of each */
    PL_EQ(out->n_skips, 4);
    bool named[4] = { false };
    for (size_t i = 0; i < 4; i++) {
        PL_OKAY(!named[out->skip[i].sid]);
        named[out->skip[i].sid] = true;
        PL_EQ(out->skip[i].unordered, out->skip[i].sid % 2);
        PL_EQ(out->skip[i].mid, 0);
    }
    acknowledge(p, out->forward_tsn);
    pl_sctp_check(p->end[0]);
    PL_EQ(pl_sctp_buffered_total(p->end[0]), 0);
    send(p, 1, 10, &unordered); /* numbers go on */
    send(p, 0, 10, NULL);
    out = look(p);
    PL_EQ(out->n_data, 2);
    PL_EQ(out->data[0].mid, 1);
    PL_EQ(out->data[1].mid, 1);
    pair_clear(p);
}

/* Both kinds of one stream have an entry each, with the last message of the kind. */
PL_TEST(skips_name_the_last_of_each_kind)
{
    pair *p = begin(PL_SCTP_SCHEDULER_ROUND_ROBIN);
    pl_sctp_send_opts once = { .limit_retransmits = true },
                      once_u = { .limit_retransmits = true, .unordered = true };
    send(p, 9, 10, NULL);
    for (int i = 0; i < 3; i++) {
        send(p, 9, 10, &once);
        send(p, 9, 10, &once_u);
    }
    const seen *out = look(p);
    PL_EQ(out->n_data, 7);
    uint32_t first = out->data[0].tsn;
    acknowledge(p, first);
    for (int i = 0; i < 50 && out->n_forwards == 0; i++) {
        p->now_us = pl_sctp_next_us(p->end[0]);
        pl_sctp_tick(p->end[0], p->now_us);
        out = look(p);
    }
    PL_EQ(out->forward_tsn, first + 6);
    PL_EQ(out->n_skips, 2);
    for (size_t i = 0; i < 2; i++)
        PL_EQ(out->skip[i].mid, out->skip[i].unordered ? 2 : 3);
    PL_OKAY(out->skip[0].unordered != out->skip[1].unordered);
    pair_clear(p);
}

/* One fragment acknowledged of each of many messages, and the rest unsent for want of window: nothing is outstanding
 * by which the peer could be told, so a TSN is made for it. */
PL_TEST(what_was_acknowledged_whole_can_be_given_up_too)
{
    pair *p = begin(PL_SCTP_SCHEDULER_ROUND_ROBIN);
    pl_sctp_send_opts brief = { .lifetime_us = PL_MS(50) };
    send(p, 5, 50000, &brief);
    const seen *out = look(p);
    uint32_t last = out->data[out->n_data - 1].tsn;
    p->now_us += PL_MS(60);
    acknowledge(p, last);
    out = look(p);
    PL_EQ(out->n_data, 0);
    PL_EQ(out->n_forwards, 1);
    PL_EQ(out->forward_tsn, last + 1);
    PL_EQ(out->n_skips, 1);
    PL_EQ(out->skip[0].sid, 5);
    pair_clear(p);
}

/* --- messages half there must not fill the peer's window so that none is ever whole --- */

PL_TEST(what_fits_into_half_of_the_window_begins_at_once)
{
    pair *p = begin(PL_SCTP_SCHEDULER_ROUND_ROBIN);
    set_window(p, 30000);
    send(p, 0, 7000, NULL);
    send(p, 1, 7000, NULL);
    send(p, 2, 16000, NULL);
    send(p, 3, 16000, NULL);
    send(p, 7, 100, NULL);
    const seen *out = look(p);
    PL_GE(bytes_of(out, 0), 3000);
    PL_GE(bytes_of(out, 1), 3000);
    PL_GE(bytes_of(out, 2), 1000); /* 14,000 are promised, of 15,000; the first of the others goes without */
    PL_EQ(bytes_of(out, 3), 0);
    PL_EQ(bytes_of(out, 7), 100); /* a small one is whole at once */
    for (int i = 0; i < 50 && p->end[0]->out.n_queued > 0; i++)
        next(p, 30000);
    PL_EQ(p->end[0]->out.n_queued, 0);
    PL_EQ(p->end[0]->out.promised, 0);
    pair_clear(p);
}

/* A peer that hands out whole messages only: its window closes by what has come of each. */
PL_TEST(a_message_as_long_as_the_window_goes_alone)
{
    pair *p = begin(PL_SCTP_SCHEDULER_ROUND_ROBIN);
    set_window(p, 60000);
    for (uint16_t sid = 1; sid <= 3; sid++)
        send(p, sid, 55000, NULL);
    size_t held = 0;
    const seen *out = look(p);
    for (int i = 0; i < 100 && pl_sctp_buffered(p->end[0], 1) > 0; i++) {
        PL_GE(pl_sctp_buffered(p->end[0], 2) + pl_sctp_buffered(p->end[0], 3), 110000 - 7000);
        held += bytes_of(out, 1) + bytes_of(out, 2) + bytes_of(out, 3);
        out = next(p, 60000 - held);
    }
    PL_EQ(pl_sctp_buffered(p->end[0], 1), 0);
    for (int i = 0; i < 200 && p->end[0]->out.n_queued > 0; i++)
        next(p, 60000);
    PL_EQ(p->end[0]->out.n_queued, 0);
    pair_clear(p);
}

/* Nobody knows how long they will be: those that began later leave nearly all of the window to the first. */
PL_TEST(of_messages_in_parts_the_first_goes_on)
{
    enum { WINDOW = 100000 };
    pair *p = begin(PL_SCTP_SCHEDULER_ROUND_ROBIN);
    set_window(p, WINDOW);
    size_t held[4] = { 0 }, sum = 0;
    for (uint16_t sid = 1; sid <= 3; sid++)
        send_part(p, sid, 200000, false);
    const seen *out = look(p);
    for (int i = 0; i < 100 && out->n_data > 0 && sum < WINDOW - 2000; i++) {
        for (uint16_t sid = 1; sid <= 3; sid++)
            held[sid] += bytes_of(out, sid);
        sum = held[1] + held[2] + held[3];
        out = next(p, WINDOW - sum);
    }
    PL_LE(held[2] + held[3], WINDOW / 8);
    PL_GE(held[1], WINDOW - WINDOW / 8 - 5000);
    /* It ends where it is, and is handed out: the second is the first now. */
    PL_EQ(pl_sctp_send_part(p->end[0], p->now_us, 1, PPID, "x", 1, true, NULL), PL_OK);
    for (int i = 0; i < 400 && pl_sctp_buffered(p->end[0], 1) > 0; i++)
        next(p, 2400);
    PL_EQ(pl_sctp_buffered(p->end[0], 1), 0);
    sum = held[2] + held[3];
    size_t third = pl_sctp_buffered(p->end[0], 3);
    for (int i = 0; i < 100 && sum < WINDOW - 2000; i++) {
        out = next(p, WINDOW - sum);
        sum += bytes_of(out, 2) + bytes_of(out, 3);
    }
    PL_GE(pl_sctp_buffered(p->end[0], 3) + WINDOW / 8, third);
    PL_LE(pl_sctp_buffered(p->end[0], 2), 200000 - WINDOW / 2);
    pair_clear(p);
}

/* All that the window lets go, whatever pace and bursts are: bytes of streams 1 and 2. */
static void flood(pair *p, size_t bytes[3])
{
    bytes[1] = bytes[2] = 0;
    for (int i = 0; i < 10; i++) {
        p->now_us += PL_MS(1);
        p->end[0]->burst_limit = SIZE_MAX;
        const seen *out = look(p);
        bytes[1] += bytes_of(out, 1);
        bytes[2] += bytes_of(out, 2);
    }
}

/* A file without end that the peer takes as it comes, with as much under way as its window holds: a message of many
 * packets gets its turn all the same. */
PL_TEST(a_large_message_passes_one_without_end)
{
    enum { WINDOW = 20000 };
    size_t bytes[3], file = 0;
    pair *p = begin(PL_SCTP_SCHEDULER_FAIR);
    p->end[0]->cc.cwnd = 1 << 20;
    set_window(p, WINDOW);
    send_part(p, 1, 400000, false);
    flood(p, bytes);
    PL_GE(bytes[1], WINDOW - 2500); /* alone it has all of the window */
    send(p, 2, 15000, NULL);
    int rounds = 0;
    for (; rounds < 40 && pl_sctp_buffered(p->end[0], 2) > 0; rounds++) {
        acknowledge_with(p, p->end[0]->sent.next_tsn - 1, WINDOW);
        flood(p, bytes);
        file += bytes[1];
    }
    PL_LE(rounds, 20);
    PL_GE(file, 15000);
    pair_clear(p);
}

PL_TEST(a_message_in_parts_interleaves_and_waits_alone)
{
    static const uint8_t data[20000];
    pair *p = begin(PL_SCTP_SCHEDULER_FAIR);
    PL_EQ(pl_sctp_send_part(p->end[0], p->now_us, 1, PPID, data, 3000, false, NULL), PL_OK);
    send(p, 2, 3000, NULL);
    const seen *out = look(p);
    size_t bytes[3] = { 0 };
    for (size_t i = 0; i < out->n_data; i++)
        bytes[out->data[i].sid] += out->data[i].len;
    PL_EQ(bytes[2], 3000); /* passes what waits for its next part */
    PL_GE(bytes[1], 3000 - PL_SCTP_OUT_HELD - 200);
    PL_LE(bytes[1], 2999);
    uint32_t n_fragments = 0;
    for (size_t i = 0; i < out->n_data; i++) {
        n_fragments += out->data[i].sid == 1;
        PL_OKAY(out->data[i].sid == 2 || !(out->data[i].flags & PL_SCTP_DATA_E));
    }
    PL_EQ(pl_sctp_next_us(p->end[0]), p->end[0]->t3_us); /* nothing else to be done */
    PL_EQ(pl_sctp_send_part(p->end[0], p->now_us, 1, PPID, data, 0, true, NULL), PL_OK);
    size_t before = bytes[1];
    out = look(p);
    PL_EQ(out->n_data, 1);
    PL_EQ(out->data[0].fsn, n_fragments);
    PL_EQ(out->data[0].len, 3000 - before);
    PL_OKAY(out->data[0].flags & PL_SCTP_DATA_E);
    pair_clear(p);
}

/* RFC 8831 6.4: an application may change its mind while a message is half out; the next packet heeds it. */
PL_TEST(a_priority_changes_amid_a_message)
{
    enum { LEN = 400000 };
    pair *p = begin(PL_SCTP_SCHEDULER_FAIR);
    size_t told[3];
    for (uint16_t sid = 0; sid < 2; sid++)
        send(p, sid, LEN, NULL);
    static const uint16_t priority[3] = { 256, 1024, 128 };
    size_t sum[2] = { 0 };
    for (int phase = 0; phase < 3; phase++) {
        size_t bytes[2] = { 0 };
        PL_EQ(pl_sctp_set_priority(p->end[0], 0, priority[phase]), PL_OK);
        for (int i = 0; i < 1000 && bytes[0] + bytes[1] < 150000; i++) {
            const seen *out = next(p, 1 << 20);
            bytes[0] += bytes_of(out, 0);
            bytes[1] += bytes_of(out, 1);
        }
        size_t due = (bytes[0] + bytes[1]) * priority[phase] / (priority[phase] + 256u);
        told[phase] = bytes[0];
        PL_LE(bytes[0], due + 6000);
        PL_GE(bytes[0] + 6000, due);
        sum[0] += bytes[0];
        sum[1] += bytes[1];
    }
    PL_OKAY(told[1] > told[0] && told[0] > told[2]);
    PL_LE(sum[0], LEN); /* one message each, all the while */
    PL_LE(sum[1], LEN);
    pair_clear(p);
}

PL_TESTS(t(a_priority_changes_amid_a_message), t(messages_are_numbered_by_stream_and_kind),
         t(fragments_of_different_messages_interleave), t(half_sent_messages_of_many_streams_are_given_up),
         t(skips_name_the_last_of_each_kind), t(what_was_acknowledged_whole_can_be_given_up_too),
         t(what_fits_into_half_of_the_window_begins_at_once), t(a_message_as_long_as_the_window_goes_alone),
         t(of_messages_in_parts_the_first_goes_on), t(a_large_message_passes_one_without_end),
         t(a_message_in_parts_interleaves_and_waits_alone))
