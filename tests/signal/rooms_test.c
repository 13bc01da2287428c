/* The rooms: who is there, in what order things are heard, and what an outsider cannot make grow. */
#include "pl_test.h"

#include <inttypes.h>

#include "base/rand.h"
#include "signal/rooms_resume.h"

static pl_rooms *rooms_new(const pl_rooms_conf *conf)
{
    pl_rooms *r;
    PL_EQ(pl_rooms_new(&r, conf ? conf : &(pl_rooms_conf){ 0 }), PL_OK);
    return r;
}

static pl_peer_id sign_in(pl_rooms *r, const char *name)
{
    pl_peer_id id;
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR(""), pl_str_of(name), &id), PL_OK);
    pl_rooms_check(r);
    return id;
}

static void listen_to(pl_rooms *r, pl_peer_id id, void *listener)
{
    void *replaced;
    PL_EQ(pl_rooms_listen(r, 0, id, listener, &replaced), PL_OK);
    PL_OKAY(!replaced);
}

static pl_err send_text(pl_rooms *r, pl_peer_id from, pl_peer_id to, const char *text)
{
    return pl_rooms_send(r, 0, from, to, PL_STR("text/plain"), pl_str_of(text));
}

static void expect(pl_rooms *r, pl_peer_id id, pl_rooms_kind kind, pl_peer_id peer, const char *text)
{
    pl_rooms_item item;
    PL_OKAY(pl_rooms_take(r, 0, id, &item));
    PL_EQ(item.kind, kind);
    PL_EQ(item.peer, peer);
    PL_OKAY(pl_str_is(kind == PL_ROOMS_MESSAGE ? item.data : item.name, text));
    pl_rooms_check(r);
}

static void expect_nothing(pl_rooms *r, pl_peer_id id)
{
    pl_rooms_item item;
    PL_OKAY(!pl_rooms_take(r, 0, id, &item));
    pl_rooms_check(r);
}

PL_TEST(a_room_takes_so_many)
{
    pl_rooms *r;
    pl_peer_id id, other;
    PL_EQ(pl_rooms_new(&r, &(pl_rooms_conf){ .max_room = 2 }), PL_OK);
    for (int i = 0; i < 2; i++)
        PL_EQ(pl_rooms_sign_in(r, 0, PL_STR("red"), PL_STR("a"), &id), PL_OK);
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR("red"), PL_STR("b"), &other), PL_ENOSPC);
    PL_EQ(other, 0);
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR("blue"), PL_STR("b"), &other), PL_OK);
    pl_rooms_sign_out(r, 0, id);
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR("red"), PL_STR("b"), &other), PL_OK);
    pl_rooms_check(r);
    pl_rooms_free(r);
}

PL_TEST(things_are_heard_in_the_order_they_happened)
{
    pl_rooms *r = rooms_new(NULL);
    pl_peer_id ann = sign_in(r, "ann"), bob = sign_in(r, "bob");
    PL_EQ(send_text(r, bob, ann, "one"), PL_OK);
    pl_peer_id cid = sign_in(r, "cid");
    PL_EQ(send_text(r, cid, ann, "two"), PL_OK);
    pl_rooms_sign_out(r, 0, cid);
    expect(r, ann, PL_ROOMS_JOINED, bob, "bob");
    expect(r, ann, PL_ROOMS_MESSAGE, bob, "one");
    expect(r, ann, PL_ROOMS_JOINED, cid, "cid");
    expect(r, ann, PL_ROOMS_MESSAGE, cid, "two");
    expect(r, ann, PL_ROOMS_LEFT, cid, "cid");
    expect_nothing(r, ann);
    expect(r, bob, PL_ROOMS_JOINED, cid, "cid");
    expect(r, bob, PL_ROOMS_LEFT, cid, "cid");
    expect_nothing(r, bob);
    PL_EQ(pl_rooms_get_stats(r)->log_bytes, 0); /* everybody has heard: nothing is kept */
    pl_rooms_free(r);
}

PL_TEST(names_are_checked)
{
    pl_rooms *r = rooms_new(NULL);
    pl_rooms_peer peer;
    PL_OKAY(pl_rooms_find(r, sign_in(r, "Zoë, of\n3"), &peer));
    PL_OKAY(pl_str_is(peer.name, "Zoë_ of_3"));
    PL_OKAY(pl_rooms_find(r, sign_in(r, ""), &peer));
    PL_OKAY(pl_str_is(peer.name, "peer_2"));
    PL_OKAY(sign_in(r, "twin") != sign_in(r, "twin"));

    char longest[4 * PL_ROOMS_NAME_CHARS + 5] = "";
    for (int i = 0; i < PL_ROOMS_NAME_CHARS; i++)
        memcpy(longest + 4 * i, "\xf0\x9f\x98\x80", 5);
    sign_in(r, longest);
    longest[4 * PL_ROOMS_NAME_CHARS] = 'x';
    pl_peer_id id;
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR(""), pl_str_of(longest), &id), PL_EINVAL);
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR(""), PL_STR("\xc0\xaf"), &id), PL_EINVAL);
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR("a\nb"), PL_STR("x"), &id), PL_EINVAL);
    PL_EQ(id, 0);
    PL_EQ(pl_rooms_get_stats(r)->n_refused, 3);
    pl_rooms_check(r);
    pl_rooms_free(r);
}

PL_TEST(rooms_do_not_hear_each_other)
{
    pl_rooms *r = rooms_new(NULL);
    pl_peer_id a, b, c;
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR("red"), PL_STR("a"), &a), PL_OK);
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR("blue"), PL_STR("b"), &b), PL_OK);
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR("red"), PL_STR("c"), &c), PL_OK);
    PL_EQ(pl_rooms_get_stats(r)->n_rooms, 2);
    PL_EQ(send_text(r, a, b, "psst"), PL_EINVAL);
    PL_EQ(send_text(r, a, c, "hello"), PL_OK);
    expect_nothing(r, b);
    expect(r, a, PL_ROOMS_JOINED, c, "c");
    const void *cursor = NULL;
    pl_rooms_peer peer;
    PL_OKAY(pl_rooms_each(r, a, &cursor, &peer));
    PL_EQ(peer.id, c);
    PL_OKAY(!pl_rooms_each(r, a, &cursor, &peer));
    pl_rooms_sign_out(r, 0, a);
    pl_rooms_sign_out(r, 0, c);
    PL_EQ(pl_rooms_get_stats(r)->n_rooms, 1);
    pl_rooms_check(r);
    pl_rooms_free(r);
}

PL_TEST(limits_hold)
{
    pl_rooms_conf conf = { .max_peers = 3, .max_queue = 4, .max_queue_bytes = 4000, .max_total_bytes = 9000 };
    pl_rooms *r = rooms_new(&conf);
    pl_peer_id a = sign_in(r, "a"), b = sign_in(r, "b"), c = sign_in(r, "c"), d;
    PL_EQ(pl_rooms_sign_in(r, 0, PL_STR(""), PL_STR("d"), &d), PL_ENOSPC);
    for (int i = 0; i < 4; i++)
        PL_EQ(send_text(r, a, b, "x"), PL_OK);
    PL_EQ(send_text(r, a, b, "x"), PL_ENOSPC);
    static char big[PL_ROOMS_MESSAGE_MAX + 1];
    PL_EQ(pl_rooms_send(r, 0, a, c, PL_STR(""), (pl_str){ big, sizeof big }), PL_EINVAL);
    PL_EQ(pl_rooms_send(r, 0, a, c, PL_STR(""), (pl_str){ big, 3900 }), PL_OK);
    PL_EQ(pl_rooms_send(r, 0, a, c, PL_STR(""), (pl_str){ big, 100 }), PL_ENOSPC); /* this queue */
    PL_EQ(pl_rooms_send(r, 0, b, a, PL_STR(""), (pl_str){ big, 3900 }), PL_OK);
    pl_rooms_item item;
    while (pl_rooms_take(r, 0, b, &item))
        ;
    PL_EQ(pl_rooms_send(r, 0, a, b, PL_STR(""), (pl_str){ big, 1200 }), PL_ENOSPC); /* all together */
    PL_EQ(pl_rooms_send(r, 0, a, b, PL_STR("a\r\nX: y"), PL_STR("x")), PL_EINVAL);
    PL_EQ(send_text(r, 77, a, "x"), PL_ESTATE);
    PL_EQ(send_text(r, a, 77, "x"), PL_EINVAL);
    pl_rooms_check(r);
    pl_rooms_free(r);
}

PL_TEST(who_is_not_listened_for_goes)
{
    pl_rooms *r = rooms_new(&(pl_rooms_conf){ .idle_us = PL_SEC(30) });
    int conn;
    void *replaced;
    pl_peer_id a = sign_in(r, "a"), b = sign_in(r, "b");
    PL_EQ(pl_rooms_listen(r, PL_SEC(20), a, &conn, &replaced), PL_OK);
    PL_EQ(pl_rooms_next_us(r), PL_SEC(30));
    pl_rooms_tick(r, PL_SEC(30));
    PL_EQ(pl_rooms_get_stats(r)->n_peers, 1);
    PL_EQ(pl_rooms_next_us(r), PL_NEVER); /* a listened-for peer stays for ever */
    pl_rooms_unlisten(r, PL_SEC(100), a, &conn);
    pl_rooms_tick(r, PL_SEC(130) - 1);
    PL_EQ(pl_rooms_get_stats(r)->n_peers, 1);
    expect(r, a, PL_ROOMS_JOINED, b, "b");
    expect(r, a, PL_ROOMS_LEFT, b, "b");
    pl_rooms_tick(r, PL_SEC(130));
    PL_EQ(pl_rooms_get_stats(r)->n_peers, 0);
    PL_EQ(pl_rooms_get_stats(r)->n_idle, 2);
    pl_rooms_check(r);
    pl_rooms_free(r);
}

PL_TEST(ready_is_told_once_and_the_newest_listener_wins)
{
    pl_rooms *r = rooms_new(NULL);
    int old, newer;
    void *replaced;
    pl_peer_id a = sign_in(r, "a"), b = sign_in(r, "b");
    pl_rooms_event ev;
    PL_OKAY(!pl_rooms_poll_event(r, &ev));
    listen_to(r, a, &old);
    PL_OKAY(pl_rooms_poll_event(r, &ev));
    PL_EQ(ev.kind, PL_ROOMS_READY);
    PL_OKAY(ev.id == a && ev.listener == &old);
    PL_EQ(send_text(r, b, a, "x"), PL_OK);
    PL_OKAY(!pl_rooms_poll_event(r, &ev));
    PL_EQ(pl_rooms_listen(r, 0, a, &newer, &replaced), PL_OK);
    PL_OKAY(replaced == &old);
    pl_rooms_unlisten(r, 0, a, &old); /* too late: changes nothing */
    PL_OKAY(pl_rooms_poll_event(r, &ev));
    PL_OKAY(ev.listener == &newer);
    expect(r, a, PL_ROOMS_JOINED, b, "b");
    expect(r, a, PL_ROOMS_MESSAGE, b, "x");
    expect_nothing(r, a);
    PL_EQ(send_text(r, b, a, "y"), PL_OK);
    PL_OKAY(pl_rooms_poll_event(r, &ev));
    pl_rooms_sign_out(r, 0, a);
    PL_OKAY(pl_rooms_poll_event(r, &ev));
    PL_EQ(ev.kind, PL_ROOMS_GONE);
    PL_OKAY(ev.id == a && ev.listener == &newer);
    PL_EQ(pl_rooms_listen(r, 0, a, &newer, &replaced), PL_ESTATE);
    PL_OKAY(!pl_rooms_poll_event(r, &ev));
    pl_rooms_check(r);
    pl_rooms_free(r);
}

PL_TEST(a_listener_that_dies_before_it_is_told_is_forgotten)
{
    pl_rooms *r = rooms_new(NULL);
    int conn;
    pl_rooms_event ev;
    pl_peer_id a = sign_in(r, "a");
    listen_to(r, a, &conn);
    pl_rooms_sign_out(r, 0, a);
    pl_rooms_unlisten(r, 0, a, &conn);
    PL_OKAY(!pl_rooms_poll_event(r, &ev));
    pl_rooms_check(r);
    pl_rooms_free(r);
}

PL_TEST(who_falls_behind_is_signed_out_and_memory_stays_bounded)
{
    pl_rooms *r = rooms_new(NULL);
    pl_peer_id slow = sign_in(r, "slow"), id;
    pl_rooms_item item;
    for (int i = 0; i < PL_ROOMS_LOG_MAX; i++) {
        PL_EQ(pl_rooms_sign_in(r, 0, PL_STR(""), PL_STR("passer-by"), &id), PL_OK);
        pl_rooms_sign_out(r, 0, id);
    }
    PL_LE(pl_rooms_get_stats(r)->log_bytes, PL_ROOMS_LOG_MAX * 64);
    pl_rooms_check(r);
    PL_OKAY(!pl_rooms_take(r, 0, slow, &item));
    PL_EQ(pl_rooms_get_stats(r)->n_behind, 1);
    PL_EQ(pl_rooms_get_stats(r)->n_peers, 0);
    pl_rooms_check(r);
    pl_rooms_free(r);
}

/* ---- simulation: every message once and in order, presence true for everybody, whatever the order ---- */

enum { SIM_PEERS = 24, SIM_STEPS = 3000 };

typedef struct sim_peer {
    pl_peer_id id;
    bool listening;
    bool knows[SIM_PEERS]; /* who it believes to be there */
    uint32_t sent[SIM_PEERS], heard[SIM_PEERS];
} sim_peer;

typedef struct sim {
    pl_rooms *rooms;
    pl_rand rand;
    int64_t now_us;
    sim_peer peer[SIM_PEERS];
} sim;

static int slot_of(const sim *s, pl_peer_id id)
{
    for (int i = 0; i < SIM_PEERS; i++) {
        if (s->peer[i].id == id)
            return i;
    }
    return -1;
}

static void sim_sign_in(sim *s, int i)
{
    sim_peer *p = &s->peer[i];
    char name[8];
    snprintf(name, sizeof name, "%d", i);
    PL_EQ(pl_rooms_sign_in(s->rooms, s->now_us, PL_STR("sim"), pl_str_of(name), &p->id), PL_OK);
    const void *cursor = NULL;
    pl_rooms_peer other;
    while (pl_rooms_each(s->rooms, p->id, &cursor, &other))
        p->knows[slot_of(s, other.id)] = true;
}

static void sim_forget(sim *s, int i)
{
    for (int j = 0; j < SIM_PEERS; j++) /* a new peer in this slot starts its numbers anew */
        s->peer[j].sent[i] = s->peer[j].heard[i] = 0;
    s->peer[i] = (sim_peer){ 0 };
}

static void sim_take(sim *s, int i)
{
    sim_peer *p = &s->peer[i];
    pl_rooms_item item;
    if (!pl_rooms_take(s->rooms, s->now_us, p->id, &item))
        return;
    if (item.kind != PL_ROOMS_MESSAGE) {
        uint64_t j;
        PL_OKAY(pl_str_u64(item.name, SIM_PEERS - 1, &j)); /* peers are called by their slot */
        PL_EQ(p->knows[j], item.kind == PL_ROOMS_LEFT);
        p->knows[j] = item.kind == PL_ROOMS_JOINED;
        return;
    }
    int from = slot_of(s, item.peer);
    uint32_t number;
    PL_EQ(item.data.n, sizeof number);
    memcpy(&number, item.data.p, sizeof number);
    if (from >= 0) { /* else it left after sending */
        PL_OKAY(from == i || p->knows[from]);
        PL_EQ(number, p->heard[from]);
        p->heard[from]++;
    }
}

static void sim_send(sim *s, int i, int j)
{
    sim_peer *from = &s->peer[i], *to = &s->peer[j];
    if (!from->id || !to->id)
        return;
    pl_err err = pl_rooms_send(s->rooms, s->now_us, from->id, to->id, PL_STR(""),
                               (pl_str){ (const char *)&from->sent[j], sizeof from->sent[j] });
    PL_OKAY(err == PL_OK || err == PL_ENOSPC);
    from->sent[j] += err == PL_OK;
}

static void sim_events(sim *s)
{
    pl_rooms_event ev;
    while (pl_rooms_poll_event(s->rooms, &ev)) {
        sim_peer *p = ev.listener;
        if (ev.kind == PL_ROOMS_GONE && p->id == ev.id)
            sim_forget(s, (int)(p - s->peer));
    }
    for (int i = 0; i < SIM_PEERS; i++) { /* the idle go silently */
        pl_rooms_peer found;
        if (s->peer[i].id && !pl_rooms_find(s->rooms, s->peer[i].id, &found))
            sim_forget(s, i);
    }
}

static void sim_step(sim *s)
{
    int i = (int)pl_rand_below(&s->rand, SIM_PEERS), j = (int)pl_rand_below(&s->rand, SIM_PEERS);
    sim_peer *p = &s->peer[i];
    void *replaced;
    s->now_us += pl_rand_below(&s->rand, 400000);
    pl_rooms_tick(s->rooms, s->now_us);
    sim_events(s);
    if (!p->id) {
        sim_sign_in(s, i);
        return;
    }
    switch (pl_rand_below(&s->rand, 16)) {
    case 0:
        pl_rooms_sign_out(s->rooms, s->now_us, p->id);
        if (!p->listening)
            sim_forget(s, i);
        break;
    case 1:
        pl_rooms_unlisten(s->rooms, s->now_us, p->id, p);
        p->listening = false;
        break;
    case 2:
    case 3:
        PL_EQ(pl_rooms_listen(s->rooms, s->now_us, p->id, p, &replaced), PL_OK);
        p->listening = true;
        break;
    case 4:
    case 5:
    case 6:
    case 7: sim_send(s, i, j); break;
    default: sim_take(s, i); break;
    }
    sim_events(s);
}

PL_TEST(simulation_keeps_order_and_presence)
{
    uint64_t seed = pl_test_seed(1);
    for (uint64_t run = 0; run < 30; run++) {
        pl_rand_seeded state;
        sim s = { .rand = pl_rand_seed(&state, seed + run) };
        pl_rooms_conf conf = { .rand = s.rand, .max_queue = 20, .idle_us = PL_SEC(20) };
        print_message("seed %" PRIu64 "\n", seed + run);
        s.rooms = rooms_new(&conf);
        for (int step = 0; step < SIM_STEPS; step++) {
            sim_step(&s);
            if (step % 16 == 0)
                pl_rooms_check(s.rooms);
        }
        for (int i = 0; i < SIM_PEERS; i++) { /* at rest everybody knows exactly who is there */
            for (int n = 0; s.peer[i].id && n < 10000; n++)
                sim_take(&s, i);
        }
        for (int i = 0; i < SIM_PEERS; i++) {
            for (int j = 0; s.peer[i].id && j < SIM_PEERS; j++) {
                PL_EQ(s.peer[i].knows[j], i != j && s.peer[j].id != 0);
                if (s.peer[j].id)
                    PL_EQ(s.peer[i].sent[j], s.peer[j].heard[i]);
            }
        }
        PL_EQ(pl_rooms_get_stats(s.rooms)->queued_bytes, 0);
        PL_EQ(pl_rooms_get_stats(s.rooms)->log_bytes, 0);
        pl_rooms_check(s.rooms);
        pl_rooms_free(s.rooms);
    }
}

/* ---- coming back ---- */

static void take_texts(pl_rooms *r, int64_t now_us, pl_peer_id id, int first, int n)
{
    pl_rooms_item item;
    for (int i = first; i < first + n; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        PL_OKAY(pl_rooms_take(r, now_us, id, &item));
        PL_EQ(item.kind, PL_ROOMS_MESSAGE);
        PL_OKAY(pl_str_is(item.data, text));
        pl_rooms_check(r);
    }
}

static void send_texts(pl_rooms *r, pl_peer_id from, pl_peer_id to, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        PL_EQ(send_text(r, from, to, text), PL_OK);
    }
}

PL_TEST(who_comes_back_hears_what_it_missed)
{
    pl_rooms *r = rooms_new(&(pl_rooms_conf){ 0 });
    pl_peer_id ann = sign_in(r, "ann"), bob = sign_in(r, "bob");
    int first, second;
    void *replaced;
    pl_rooms_event ev;
    pl_rooms_bind(r, bob);
    pl_rooms_keep(r, bob);
    uint64_t start = pl_rooms_seq(r);
    listen_to(r, bob, &first);
    send_texts(r, ann, bob, 0, 10);
    take_texts(r, 0, bob, 0, 6);
    PL_EQ(pl_rooms_resume(r, 0, bob, start + 2), PL_OK); /* four were swallowed, and nobody saw the break */
    bool gone = false;
    while (pl_rooms_poll_event(r, &ev))
        gone |= ev.kind == PL_ROOMS_GONE && ev.listener == &first;
    PL_OKAY(gone);
    PL_EQ(pl_rooms_listen(r, 0, bob, &second, &replaced), PL_OK);
    take_texts(r, 0, bob, 2, 8);
    pl_rooms_unlisten(r, 0, bob, &second);
    PL_EQ(pl_rooms_resume(r, 0, bob, start + 10), PL_OK);
    PL_EQ(pl_rooms_get_stats(r)->kept_bytes, 0);
    pl_rooms_tick(r, PL_SEC(PL_ROOMS_RESUME_S) + PL_SEC(30));
    PL_EQ(pl_rooms_resume(r, 0, bob, start + 10), PL_ESTATE); /* too late */
    pl_rooms_free(r);
}

PL_TEST(what_is_kept_is_bounded)
{
    pl_rooms *r = rooms_new(&(pl_rooms_conf){ .max_total_bytes = 1 << 20 });
    pl_peer_id ann = sign_in(r, "ann"), bob = sign_in(r, "bob");
    int listener;
    pl_rooms_keep(r, bob);
    uint64_t start = pl_rooms_seq(r);
    listen_to(r, bob, &listener);
    listen_to(r, ann, &listener);
    send_texts(r, ann, bob, 0, PL_ROOMS_KEPT_MAX + 1);
    take_texts(r, 0, bob, 0, PL_ROOMS_KEPT_MAX + 1);
    PL_EQ(pl_rooms_resume(r, 0, bob, start), PL_ESTATE); /* the first is kept no more */
    PL_EQ(pl_rooms_resume(r, 0, bob, start + 1), PL_OK);
    listen_to(r, bob, &listener);
    take_texts(r, 0, bob, 1, PL_ROOMS_KEPT_MAX);
    send_texts(r, ann, bob, 100, 1); /* by time */
    take_texts(r, PL_SEC(PL_ROOMS_KEPT_S) + 1, bob, 100, 1);
    PL_EQ(pl_rooms_resume(r, 0, bob, start + PL_ROOMS_KEPT_MAX), PL_ESTATE);
    size_t one = pl_rooms_get_stats(r)->kept_bytes;
    PL_OKAY(one > 0 && one < 256);
    static char large[PL_ROOMS_MESSAGE_MAX];
    memset(large, 'x', sizeof large);
    for (int i = 0; i < 3; i++) { /* by bytes, of one and then of all */
        pl_rooms_item item;
        PL_EQ(pl_rooms_send(r, 0, ann, bob, PL_STR(""), (pl_str){ large, sizeof large }), PL_OK);
        PL_OKAY(pl_rooms_take(r, 0, bob, &item));
        pl_rooms_check(r);
        PL_OKAY(pl_rooms_get_stats(r)->kept_bytes <= PL_ROOMS_KEPT_BYTES);
    }
    PL_EQ(pl_rooms_resume(r, 0, bob, start), PL_ESTATE);
    pl_rooms_sign_out(r, 0, bob);
    PL_EQ(pl_rooms_get_stats(r)->kept_bytes, 0);
    pl_rooms_free(r);
}

PL_TEST(who_did_not_say_that_it_comes_back_cannot)
{
    pl_rooms *r = rooms_new(&(pl_rooms_conf){ 0 });
    pl_peer_id ann = sign_in(r, "ann");
    pl_rooms_bind(r, ann);
    PL_EQ(pl_rooms_resume(r, 0, ann, 0), PL_ESTATE);
    pl_rooms_free(r);
}

PL_TESTS(t(who_comes_back_hears_what_it_missed), t(what_is_kept_is_bounded),
         t(who_did_not_say_that_it_comes_back_cannot), t(a_room_takes_so_many),
         t(things_are_heard_in_the_order_they_happened), t(names_are_checked),
         t(rooms_do_not_hear_each_other), t(limits_hold), t(who_is_not_listened_for_goes),
         t(ready_is_told_once_and_the_newest_listener_wins),
         t(a_listener_that_dies_before_it_is_told_is_forgotten),
         t(who_falls_behind_is_signed_out_and_memory_stays_bounded), t(simulation_keeps_order_and_presence))
