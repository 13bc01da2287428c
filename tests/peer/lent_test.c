/* Bytes that are lent: given back once, whatever happens. And the amount that is buffered, exact for sends of every kind. */
#include "peer/pipe.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { KIB = 1024, N_THREADS = 3, N_EACH = 400 };

typedef struct loan {
    _Atomic unsigned n_released;
    pipe_duo *p;
    uint8_t *data; /* freed with it */
} loan;

static void release(void *user)
{
    loan *l = user;
    free(l->data); /* whoever still reads it is found by the sanitizer */
    l->data = NULL;
    atomic_fetch_add(&l->n_released, 1);
}

static pl_err lend(pipe_duo *p, loan *l, uint64_t at, size_t len, bool binary)
{
    l->data = malloc(len ? len : 1);
    PL_OKAY(l->data != NULL);
    memcpy(l->data, pipe_bytes(at), len);
    pl_err err = pl_data_channel_send_lent(p->a.channel, l->data, len, binary, release, l);
    if (err) {
        free(l->data);
        l->data = NULL;
    }
    return err;
}

static unsigned n_back(const loan *l, size_t n)
{
    unsigned back = 0;
    for (size_t i = 0; i < n; i++) {
        PL_LE(l[i].n_released, 1);
        back += l[i].n_released;
    }
    return back;
}

PL_TEST(lent_bytes_arrive_and_come_back_once)
{
    for (int own = 0; own < 2; own++) {
        static loan l[50];
        memset(l, 0, sizeof l);
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = own, .whole = true });
        uint64_t at = 0;
        for (int i = 0; i < 50; i++) {
            size_t len = i % 10 == 0 ? 0 : (size_t)i * 2000 + 1;
            PL_EQ(lend(&p, &l[i], at, len, true), PL_OK);
            at += len;
        }
        PIPE_UNTIL(&p, p.b.n_messages == 50 && n_back(l, 50) == 50);
        PL_EQ(p.b.n_bytes, at);
        PL_OKAY(!p.b.wrong);
        pipe_close(&p);
        PL_EQ(n_back(l, 50), 50);
    }
}

PL_TEST(refused_bytes_stay_the_callers)
{
    pipe_duo p;
    pipe_open(&p, &(pipe_conf){ .whole = true, .conf = { .data_send_buffer = 300 * KIB } });
    loan l = { 0 };
    PL_EQ(pl_data_channel_send_lent(p.a.channel, "abc", 3, true, NULL, NULL), PL_EINVAL);
    PL_EQ(lend(&p, &l, 0, 262145, true), PL_EINVAL);
    PL_EQ(pl_data_channel_send_lent(p.a.channel, "\xff", 1, false, release, &l), PL_EINVAL);
    pl_data_channel_close(p.a.channel);
    PL_EQ(lend(&p, &l, 0, 10, true), PL_ESTATE);
    PIPE_UNTIL(&p, p.a.closed);
    PL_EQ(lend(&p, &l, 0, 10, true), PL_ESTATE);
    pipe_close(&p);
    PL_EQ(l.n_released, 0);
}

PL_TEST(they_come_back_however_it_ends)
{
    for (int how = 0; how < 8; how++) {
        enum { N = 40 };
        static loan l[N];
        memset(l, 0, sizeof l);
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = how % 2, .whole = true });
        pl_data_channel_pause(p.b.channel); /* so that the window closes and much is under way */
        for (int i = 0; i < N; i++)
            PL_EQ(lend(&p, &l[i], (uint64_t)i * 200 * KIB, 200 * KIB, true), PL_OK);
        for (int i = 0; i < 5; i++)
            pipe_nap(&p);
        switch (how / 2) {
        case 0: pl_peer_connection_close(p.a.pc); break;
        case 1: pl_peer_connection_close(p.b.pc); break;
        case 2:
            pl_data_channel_free(p.a.channel); /* what was queued goes first */
            p.a.channel = NULL;
            pl_data_channel_resume(p.b.channel);
            break;
        default: break;
        }
        if (how / 2 < 3)
            PIPE_UNTIL(&p, n_back(l, N) == N);
        PL_OKAY(how / 2 < 3 || n_back(l, N) < N);
        pipe_close(&p);
        PL_EQ(n_back(l, N), N);
        PL_OKAY(!p.b.wrong);
    }
}

/* --- the amount --- */

PL_TEST(the_amount_is_exact)
{
    for (int own = 0; own < 2; own++) {
        pipe_duo p;
        loan l = { 0 };
        pipe_open(&p, &(pipe_conf){ .own_loop = own, .whole = true });
        pl_data_channel_set_buffered_amount_low_threshold(p.a.channel, 100000);
        pl_data_channel_pause(p.b.channel);
        for (int i = 0; i < 100; i++) /* until it has heard of it */
            pipe_nap(&p);
        size_t sent = 0;
        while (sent < 6000 * KIB) { /* beyond what the window lets out */
            PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(sent), 100 * KIB, true), PL_OK);
            sent += 100 * KIB;
        }
        for (int i = 0; i < 100; i++)
            pipe_nap(&p);
        size_t before = pl_data_channel_buffered_amount(p.a.channel);
        PL_LE(before, sent);
        PL_LE(100001, before);
        unsigned low = p.a.n_low; /* it may have been low between two of these sends */
        PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(sent), 12345, true), PL_OK);
        PL_EQ(pl_data_channel_buffered_amount(p.a.channel), before + 12345);
        PL_EQ(lend(&p, &l, sent + 12345, 678, true), PL_OK);
        PL_EQ(pl_data_channel_buffered_amount(p.a.channel), before + 12345 + 678);
        PL_EQ(p.a.n_low, low);
        pl_data_channel_resume(p.b.channel);
        PIPE_UNTIL(&p, p.b.n_bytes == sent + 12345 + 678);
        PIPE_UNTIL(&p, p.a.n_low == low + 1);
        PL_EQ(pl_data_channel_buffered_amount(p.a.channel), 0);
        PL_OKAY(!p.b.wrong);
        pipe_close(&p);
        PL_EQ(l.n_released, 1);
    }
}

/* It adds nothing to any amount, and must go all the same: at once, not with the next timer. */
PL_TEST(an_empty_message_waits_for_nobody)
{
    for (int own = 0; own < 2; own++) {
        pipe_duo p;
        pipe_open(&p, &(pipe_conf){ .own_loop = own, .whole = true });
        for (int i = 0; i < 300; i++) /* what setting up has left to do */
            pipe_nap(&p);
        for (unsigned i = 0; i < 10; i++) {
            PL_EQ(pl_data_channel_send(p.a.channel, NULL, 0, i % 2), PL_OK);
            for (int nap = 0; nap < 1000 && p.b.n_messages == i; nap++)
                pipe_nap(&p);
            PL_EQ(p.b.n_messages, i + 1);
        }
        pipe_close(&p);
    }
}

static void *send_many(void *arg)
{
    pipe_duo *p = arg;
    for (int i = 0; i < N_EACH;) {
        pl_err err = pl_data_channel_send(p->a.channel, pipe_bytes(0), 1000, true);
        PL_OKAY(err == PL_OK || err == PL_EAGAIN);
        i += err == PL_OK;
    }
    return NULL;
}

PL_TEST(sends_from_many_threads)
{
    pipe_duo p;
    pthread_t thread[N_THREADS];
    pipe_open(&p, &(pipe_conf){ .whole = true, .conf = { .data_send_buffer = 300 * KIB } });
    for (int i = 0; i < N_THREADS; i++)
        PL_EQ(pthread_create(&thread[i], NULL, send_many, &p), 0);
    for (int i = 0; i < N_THREADS; i++)
        PL_EQ(pthread_join(thread[i], NULL), 0);
    PIPE_UNTIL(&p, p.b.n_messages == N_THREADS * N_EACH);
    PL_EQ(p.b.n_bytes, N_THREADS * N_EACH * 1000);
    PIPE_UNTIL(&p, pl_data_channel_buffered_amount(p.a.channel) == 0);
    pipe_close(&p);
}

PL_TEST(who_was_refused_is_told_when_to_go_on)
{
    for (int own = 0; own < 2; own++) {
        pipe_duo p;
        pipe_open(&p,
                  &(pipe_conf){ .own_loop = own, .whole = true, .conf = { .data_send_buffer = 256 * KIB } });
        pl_data_channel_pause(p.b.channel);
        uint64_t sent = 0;
        int n_refused = 0;
        while (n_refused < 100) { /* until the window is closed and all buffers are full */
            pl_err err = pl_data_channel_send(p.a.channel, pipe_bytes(sent), 64 * KIB, true);
            PL_OKAY(err == PL_OK || err == PL_EAGAIN);
            sent += err == PL_OK ? 64 * KIB : 0;
            n_refused = err == PL_OK ? 0 : n_refused + 1;
            if (err)
                pipe_nap(&p);
        }
        unsigned before = p.a.n_low;
        PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(sent), 64 * KIB, true), PL_EAGAIN);
        pl_data_channel_resume(p.b.channel);
        PIPE_UNTIL(&p, p.a.n_low > before);
        PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(sent), 64 * KIB, true), PL_OK);
        PIPE_UNTIL(&p, p.b.n_bytes == sent + 64 * KIB);
        PL_OKAY(!p.b.wrong);
        PL_EQ(pl_data_channel_send(p.a.channel, pipe_bytes(0), 256 * KIB, true), PL_OK);
        pipe_close(&p);
    }
}

PL_TESTS(t(lent_bytes_arrive_and_come_back_once), t(refused_bytes_stay_the_callers),
         t(they_come_back_however_it_ends), t(the_amount_is_exact), t(an_empty_message_waits_for_nobody),
         t(sends_from_many_threads), t(who_was_refused_is_told_when_to_go_on))
