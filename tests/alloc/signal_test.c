/* The server's rooms with every allocation failing once: who is refused hears so, and everybody else goes on. */
#include "pl_test.h"

#include "base/slice.h"
#include "fail.h"
#include "signal/limits.h"
#include "signal/rooms.h"
#include "signal/ws_protocol.h"

enum { PEERS = 12 };

static pl_rand_seeded seed;

static void refused_or_done(pl_err err)
{
    PL_OKAY(err == PL_OK || (fail_is_on() && err != PL_EPROTO));
}

static void drain(pl_rooms *r, int64_t now_us)
{
    pl_rooms_event e;
    pl_rooms_item item;
    while (pl_rooms_poll_event(r, &e)) {
        while (e.kind == PL_ROOMS_READY && pl_rooms_take(r, now_us, e.id, &item))
            continue;
        pl_rooms_check(r);
    }
}

static void rooms_scenario(void)
{
    pl_rooms *r;
    pl_rooms_conf conf = { .rand = pl_rand_seed(&seed, 1), .max_queue = 4 };
    pl_peer_id id[PEERS] = { 0 };
    int64_t now_us = PL_SEC(1);
    pl_err err = pl_rooms_new(&r, &conf);
    refused_or_done(err);
    if (err)
        return;
    for (int i = 0; i < PEERS; i++) {
        void *before;
        refused_or_done(
            pl_rooms_sign_in(r, now_us, pl_str_of(i % 3 ? "" : "hall"), pl_str_of("name"), &id[i]));
        pl_rooms_check(r);
        if (id[i] && i % 2)
            refused_or_done(pl_rooms_listen(r, now_us, id[i], &id[i], &before));
    }
    for (int i = 0; i < PEERS; i++) {
        for (int k = 0; k < 3; k++)
            (void)!pl_rooms_send(r, now_us, id[i], id[(i + 3) % PEERS], pl_str_of("text/plain"),
                                 pl_str_of("hello"));
        pl_rooms_check(r);
    }
    drain(r, now_us);
    for (int i = 0; i < PEERS; i += 3)
        pl_rooms_sign_out(r, now_us, id[i]);
    drain(r, now_us);
    pl_rooms_tick(r, now_us + PL_SEC(100)); /* the others have been idle */
    drain(r, now_us + PL_SEC(100));
    pl_rooms_check(r);
    pl_rooms_free(r);
}

PL_TEST(rooms)
{
    fail_each(rooms_scenario);
}

static void says(pl_ws_session *s, pl_rooms *r, const char *text)
{
    pl_buf out = pl_buf_init(PL_WS_TEXT_MAX);
    pl_err err = pl_ws_session_input(s, r, PL_SEC(1), text, strlen(text), &out);
    PL_OKAY(!err || fail_is_on());
    while (pl_ws_session_next(s, r, PL_SEC(1), &out))
        pl_rooms_check(r);
    pl_buf_clear(&out);
}

static void websocket_scenario(void)
{
    pl_rooms *r;
    pl_rooms_conf conf = { .rand = pl_rand_seed(&seed, 1) };
    pl_ws_session s[2] = { { .listener = &s[0] }, { .listener = &s[1] } };
    pl_limits limits;
    pl_limit *held[20];
    pl_err err = pl_rooms_new(&r, &conf);
    refused_or_done(err);
    if (err)
        return;
    for (int i = 0; i < 2; i++)
        says(&s[i], r, "{\"type\":\"sign_in\",\"name\":\"anna\",\"room\":\"hall\"}");
    char text[200];
    snprintf(text, sizeof text, "{\"type\":\"message\",\"to\":%u,\"data\":{\"a\":[1,2,3]}}",
             (unsigned)s[1].id);
    says(&s[0], r, text);
    says(&s[1], r, "{\"type\":\"ping\"}");
    says(&s[1], r, "{\"type\":\"sign_out\"}");
    for (int i = 0; i < 2; i++)
        pl_ws_session_end(&s[i], r, PL_SEC(2));
    pl_rooms_check(r);
    pl_rooms_free(r);
    pl_limits_init(&limits, 3, 10, 20, conf.rand);
    for (uint8_t i = 0; i < 20; i++) {
        pl_addr a = { .family = PL_AF_IP4, .ip = { 10, 0, 0, (uint8_t)(i / 2) }, .port = 1 };
        held[i] = pl_limits_enter(&limits, PL_SEC(1), &a);
        PL_OKAY(held[i] || fail_is_on());
    }
    for (int i = 0; i < 20; i++) {
        if (held[i])
            pl_limits_leave(&limits, held[i]);
    }
    pl_limits_clear(&limits);
}

PL_TEST(websocket)
{
    fail_each(websocket_scenario);
}

PL_TESTS(t(rooms), t(websocket))
