/* I-DATA and I-FORWARD-TSN as they reach us (RFC 8260), written chunk by chunk; the sending side is this file. What pieces are
 * made of them is in pieces_test.c. */
#include "pl_test.h"

#include "rawpeer.h"
#include "sctp/chunk_forward.h"

enum {
    B = PL_SCTP_DATA_B,
    E = PL_SCTP_DATA_E,
    U = PL_SCTP_DATA_U,
    ALL = PL_SCTP_EXT_FORWARD_TSN | PL_SCTP_EXT_RECONFIG | PL_SCTP_EXT_INTERLEAVE,
    PPID = 51
};

static void up(rawpeer *r)
{
    raw_up_with(r, NULL, ALL);
}

/* A packet with one fragment; its text is all of its payload. */
static void say(rawpeer *r, uint32_t ahead, uint16_t sid, uint32_t mid, uint32_t fsn, uint8_t flags,
                const char *text)
{
    pl_sctp_data d = { .tsn = r->tsn + ahead,
                       .sid = sid,
                       .mid = mid,
                       .fsn = fsn,
                       .ppid = flags & B ? PPID : 0,
                       .flags = flags,
                       .interleaved = true,
                       .payload = (const uint8_t *)text,
                       .len = strlen(text) };
    raw_begin(r, r->its_tag);
    pl_sctp_data_write(&r->w, &d);
    raw_give(r);
}

static void forward(rawpeer *r, uint32_t ahead, const pl_sctp_skip *skips, size_t n)
{
    raw_begin(r, r->its_tag);
    pl_sctp_forward_write(&r->w, true, r->tsn + ahead, skips, n);
    raw_give(r);
}

static void hear(rawpeer *r, uint16_t sid, bool unordered, const char *text)
{
    pl_sctp_msg m;
    PL_OKAY(pl_sctp_recv(r->sctp, &m));
    PL_EQ(m.sid, sid);
    PL_EQ(m.ppid, PPID);
    PL_EQ(m.unordered, unordered);
    PL_EQ(m.len, strlen(text));
    PL_MEMEQ(m.data, text, m.len);
    PL_OKAY(!m.continues && !m.more && !m.broken);
    pl_sctp_msg_free(&m);
}

static void hear_nothing(rawpeer *r)
{
    PL_OKAY(pl_sctp_peek(r->sctp) == NULL);
}

static size_t held(const rawpeer *r)
{
    return r->sctp->re.held;
}

PL_TEST(messages_of_streams_and_kinds_interleave)
{
    rawpeer r;
    up(&r);
    say(&r, 0, 1, 0, 0, B, "one-");
    say(&r, 1, 2, 0, 0, B, "two-");
    say(&r, 2, 1, 0, 0, B | U, "loose-"); /* ordered and not count apart */
    say(&r, 3, 2, 0, 1, E, "ends");
    say(&r, 4, 1, 0, 1, 0, "goes-");
    say(&r, 5, 1, 0, 1, E | U, "one");
    say(&r, 6, 1, 0, 2, E, "on");
    hear(&r, 2, false, "two-ends");
    hear(&r, 1, true, "loose-one");
    hear(&r, 1, false, "one-goes-on");
    hear_nothing(&r);
    PL_EQ(held(&r), 0);
    raw_clear(&r);
}

/* Every order of arrival of a message's fragments, over which TSNs say nothing. */
PL_TEST(fragments_come_in_any_order)
{
    static const char *const text[4] = { "a", "bc", "def", "ghij" };
    for (int order = 0; order < 24; order++) {
        rawpeer r;
        up(&r);
        int left[4] = { 0, 1, 2, 3 }, n = 4;
        for (int i = 0, rest = order; i < 4; i++) {
            int at = rest % n, f = left[at];
            rest /= n;
            memmove(left + at, left + at + 1, (size_t)(n - at - 1) * sizeof *left);
            n--;
            hear_nothing(&r);
            say(&r, (uint32_t)f, 3, 0, (uint32_t)f, (uint8_t)((f == 0 ? B : 0) | (f == 3 ? E : 0)), text[f]);
        }
        hear(&r, 3, false, "abcdefghij");
        PL_EQ(held(&r), 0);
        raw_clear(&r);
    }
}

PL_TEST(ordered_messages_wait_for_their_turn_and_others_do_not)
{
    rawpeer r;
    up(&r);
    say(&r, 1, 4, 2, 0, B | E, "third");
    say(&r, 2, 4, 1, 0, B | E, "second");
    say(&r, 3, 4, 7, 0, B | E | U, "loose");
    hear(&r, 4, true, "loose");
    hear_nothing(&r);
    say(&r, 0, 4, 0, 0, B | E, "first");
    hear(&r, 4, false, "first");
    hear(&r, 4, false, "second");
    hear(&r, 4, false, "third");
    raw_clear(&r);
}

/* Numbers of 32 bits come round; here they are set shortly before. */
PL_TEST(message_numbers_wrap)
{
    rawpeer r;
    up(&r);
    say(&r, 0, 5, 0, 0, B | E, "x");
    hear(&r, 5, false, "x");
    forward(&r, 1, &(pl_sctp_skip){ .sid = 5, .mid = 0x50000000 }, 1);
    forward(&r, 2, &(pl_sctp_skip){ .sid = 5, .mid = 0xa0000000 }, 1);
    forward(&r, 3, &(pl_sctp_skip){ .sid = 5, .mid = UINT32_MAX - 1 }, 1);
    say(&r, 5, 5, 0, 0, B | E, "after");
    hear_nothing(&r);
    say(&r, 4, 5, UINT32_MAX, 0, B | E, "before");
    hear(&r, 5, false, "before");
    hear(&r, 5, false, "after");
    raw_clear(&r);
}

/* RFC 8260 2.3.1: what was skipped goes, what waited behind it comes, and the other kind is not touched. */
PL_TEST(skipping_frees_the_kind_that_it_names)
{
    rawpeer r;
    up(&r);
    say(&r, 0, 1, 0, 0, B, "lost-");
    say(&r, 1, 1, 0, 0, B | U, "kept-");
    say(&r, 3, 1, 1, 0, B | E, "behind");
    hear_nothing(&r);
    forward(&r, 2, &(pl_sctp_skip){ .sid = 1, .mid = 0 }, 1);
    hear(&r, 1, false, "behind");
    hear_nothing(&r);
    say(&r, 4, 1, 0, 1, E | U, "whole");
    hear(&r, 1, true, "kept-whole");
    PL_EQ(held(&r), 0);
    raw_clear(&r);
}

/* A chunk of a message that was skipped comes late: nothing would ever take it away again. */
PL_TEST(what_comes_late_of_a_skipped_message_is_not_kept)
{
    for (int unordered = 0; unordered < 2; unordered++) {
        uint8_t u = unordered ? U : 0;
        rawpeer r;
        up(&r);
        say(&r, 2, 1, 4, 0, (uint8_t)(B | E | U), "x");
        hear(&r, 1, true, "x");
        forward(&r, 0, &(pl_sctp_skip){ .sid = 1, .unordered = unordered, .mid = 5 }, 1);
        say(&r, 1, 1, 5, 1, u, "late");
        PL_EQ(held(&r), 0);
        PL_EQ(r.sctp->re.n_unfinished, 0);
        PL_EQ(r.sctp->in.cumulative_tsn, r.tsn + 2); /* acknowledged all the same */
        say(&r, 3, 1, 6, 0, (uint8_t)(B | u), "next ");
        say(&r, 4, 1, 6, 1, (uint8_t)(E | u), "one");
        hear(&r, 1, unordered, "next one");
        raw_clear(&r);
    }
}

/* The memory of the last skip ends before numbers come round to it. */
PL_TEST(a_skip_is_forgotten_in_time)
{
    rawpeer r;
    up(&r);
    forward(&r, 0, &(pl_sctp_skip){ .sid = 1, .unordered = true, .mid = 5 }, 1);
    uint32_t mid = 5;
    for (uint32_t i = 1; i <= 8; i++) { /* twice around, in steps that a peer takes in years */
        mid += 0x3fffffff;
        say(&r, i, 1, mid, 0, B | E | U, "x");
        hear(&r, 1, true, "x");
    }
    raw_clear(&r);
}

/* --- what breaks the protocol --- */

/* RFC 8260 2.2.1, 2.3.1: the kind that was agreed on is the only one. */
PL_TEST(the_wrong_kind_of_chunk_ends_the_association)
{
    for (int which = 0; which < 4; which++) {
        bool agreed = which < 2, data = which % 2 == 0;
        rawpeer r;
        raw_up_with(&r, NULL, agreed ? ALL : ALL & ~PL_SCTP_EXT_INTERLEAVE);
        pl_sctp_data d = {
            .tsn = r.tsn, .flags = B | E, .interleaved = !agreed, .payload = (const uint8_t *)"x", .len = 1
        };
        raw_begin(&r, r.its_tag);
        if (data)
            pl_sctp_data_write(&r.w, &d);
        else
            pl_sctp_forward_write(&r.w, !agreed, r.tsn, &(pl_sctp_skip){ .sid = 0, .mid = 0 }, 1);
        raw_give(&r);
        hear_nothing(&r);
        PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
        PL_OKAY(raw_hears_cause(&r, PL_SCTP_ABORT, PL_SCTP_CAUSE_PROTOCOL_VIOLATION));
        pl_sctp_event ev = { 0 };
        while (pl_sctp_poll_event(r.sctp, &ev) && ev.kind != PL_SCTP_EVENT_CLOSED)
            ;
        PL_EQ(ev.kind, PL_SCTP_EVENT_CLOSED);
        PL_EQ(ev.error, PL_EPROTO);
        PL_EQ(ev.cause, PL_SCTP_CAUSE_PROTOCOL_VIOLATION);
        raw_clear(&r);
    }
}

PL_TEST(fragments_that_fit_nowhere_do_no_harm)
{
    rawpeer r;
    up(&r);
    say(&r, 0, 1, 0, 0, B | E, "one");
    say(&r, 1, 1, 0, 0, B | E, "one"); /* a number that is past */
    say(&r, 2, 1, 1, 0, B, "two-");
    say(&r, 3, 1, 1, 0, B, "two-"); /* a fragment twice */
    say(&r, 4, 2, 0, 3, 0, "later");
    say(&r, 5, 2, 0, 3, 0, "later"); /* twice, before its turn */
    say(&r, 6, 2, 0, 2, E, "ends early");
    say(&r, 7, 2, 0, 0, B, "four-");
    say(&r, 8, 2, 0, 1, 0, "and-");
    say(&r, 9, 1, 1, 1, E, "done");
    hear(&r, 1, false, "one");
    hear(&r, 2, false, "four-and-ends early"); /* what lies behind the end goes with it */
    hear(&r, 1, false, "two-done");
    hear_nothing(&r);
    PL_EQ(held(&r), 0);
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    raw_clear(&r);
}

PL_TEST(a_message_above_the_limit_ends_the_association)
{
    static const pl_sctp_conf conf = { .max_message_size = 10 };
    rawpeer r;
    raw_up_with(&r, &conf, ALL);
    say(&r, 0, 1, 0, 0, B, "12345");
    say(&r, 1, 1, 0, 2, E, "12345"); /* as long as it may be, with a gap that must be longer */
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
    say(&r, 2, 1, 0, 1, 0, "1");
    PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_CLOSED);
    raw_clear(&r);
}

/* --- truncation --- */

/* A chunk cut short, with a length that says so: what is left has another meaning or none, and is never read beyond. */
static void cut(rawpeer *r, const uint8_t *chunk, size_t left)
{
    uint8_t *copy = malloc(left); /* so that a sanitizer sees the end */
    PL_OKAY(copy != NULL);
    memcpy(copy, chunk, left);
    copy[2] = (uint8_t)(left >> 8);
    copy[3] = (uint8_t)left;
    raw_begin(r, r->its_tag);
    pl_wr_bytes(&r->w, copy, left);
    while (pl_wr_len(&r->w) % 4)
        pl_wr_u8(&r->w, 0);
    raw_give(r);
    raw_hush(r);
    free(copy);
}

PL_TEST(every_new_chunk_cut_short_is_refused)
{
    static const pl_sctp_skip skips[] = { { .sid = 1, .mid = 2 }, { .sid = 1, .unordered = true, .mid = 2 } };
    static const uint16_t sids[] = { 1, 2, 3 };
    for (int which = 0; which < 6; which++) {
        uint8_t chunk[256];
        pl_wr w = pl_wr_init(chunk, sizeof chunk);
        rawpeer r;
        up(&r);
        pl_sctp_data d = { .tsn = r.tsn, .interleaved = true, .flags = B | E, .ppid = PPID };
        d.payload = (const uint8_t *)"1234";
        d.len = 4;
        size_t least = 4;
        switch (which) {
        case 0:
            pl_sctp_data_write(&w, &d);
            least = PL_SCTP_IDATA_HEADER;
            break;
        case 1:
            pl_sctp_forward_write(&w, true, r.tsn + 5, skips, 2);
            least = 8;
            break;
        case 2: {
            size_t c = pl_sctp_chunk_begin(&w, PL_SCTP_RECONFIG, 0);
            pl_sctp_reset_out_write(&w, r.tsn, r.its_tsn - 1, r.tsn - 1, sids, 3);
            pl_sctp_chunk_end(&w, c);
            break;
        }
        case 3:
        case 4: {
            size_t c = pl_sctp_chunk_begin(&w, PL_SCTP_RECONFIG, 0);
            pl_sctp_add_write(&w, which == 3 ? PL_SCTP_ADD_OUT : PL_SCTP_ADD_IN, r.tsn, 3);
            pl_sctp_chunk_end(&w, c);
            break;
        }
        default: {
            size_t c = pl_sctp_chunk_begin(&w, PL_SCTP_RECONFIG, 0);
            pl_sctp_reset_response_write(&w, r.its_tsn, PL_SCTP_RESET_PERFORMED);
            pl_sctp_chunk_end(&w, c);
        }
        }
        size_t len = pl_wr_len(&w);
        uint32_t reset_seq = r.sctp->reset.peer_seq;
        for (size_t left = 4; left < len; left++) {
            if ((which == 0 || which == 1) && left >= least)
                break; /* a shorter payload, or fewer streams: another chunk, and a good one */
            uint64_t bad = r.sctp->stats.bad_packets;
            cut(&r, chunk, left);
            PL_EQ(pl_sctp_get_state(r.sctp), PL_SCTP_ESTABLISHED);
            PL_EQ(r.sctp->in.cumulative_tsn, r.tsn - 1);
            PL_EQ(r.sctp->reset.peer_seq, reset_seq);
            PL_EQ(r.sctp->streams_in, 10);
            PL_OKAY(which > 1 || r.sctp->stats.bad_packets == bad + 1);
            hear_nothing(&r);
        }
        raw_clear(&r);
    }
}

PL_TESTS(t(messages_of_streams_and_kinds_interleave), t(fragments_come_in_any_order),
         t(ordered_messages_wait_for_their_turn_and_others_do_not), t(message_numbers_wrap),
         t(skipping_frees_the_kind_that_it_names), t(what_comes_late_of_a_skipped_message_is_not_kept),
         t(a_skip_is_forgotten_in_time), t(the_wrong_kind_of_chunk_ends_the_association),
         t(fragments_that_fit_nowhere_do_no_harm), t(a_message_above_the_limit_ends_the_association),
         t(every_new_chunk_cut_short_is_refused))
