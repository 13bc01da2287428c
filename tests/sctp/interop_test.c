/* Against usrsctp, in one process over an in-memory link: both roles, losses, partial reliability, resets,
 * and both ways to end. usrsctp keeps its own threads and clock, so these tests run in real time, a second or
 * two each; they wait for facts and never for a duration. */
#include "pl_test.h"

#include <pthread.h>
#include <time.h>
#include <usrsctp.h>

#include "base/rand.h"
#include "base/time.h"
#include "sctp/association.h"

enum { PORT = 5000, QUEUE_MAX = 4096, PACKET_MAX = 2048, N_MAX = 400 };

typedef struct queued {
    size_t len;
    uint8_t data[PACKET_MAX];
} queued;

typedef struct message {
    uint16_t sid;
    uint32_t ppid;
    size_t len;
    uint8_t *data;
} message;

typedef struct bench_link {
    pl_sctp *ours;
    struct socket *listening, *theirs;
    double loss;
    pl_rand_seeded state;
    pl_rand rand;
    pthread_mutex_t lock; /* usrsctp's threads write here */
    queued *queue;
    unsigned head, n;
    message got[N_MAX]; /* what usrsctp has received */
    unsigned n_got;
    bool theirs_up, theirs_down;
    unsigned resets_seen;
    /* ours */
    unsigned connected, closed, reset_in, reset_out, n_received;
    message received[N_MAX];
    pl_sctp_event last_closed;
} interop;

static interop *it; /* usrsctp's callbacks have no better way for accepted sockets */

static int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return PL_SEC(t.tv_sec) + t.tv_nsec / 1000;
}

static int on_output(void *addr, void *buffer, size_t length, uint8_t tos, uint8_t set_df)
{
    (void)addr, (void)tos, (void)set_df;
    pthread_mutex_lock(&it->lock);
    if (it->n < QUEUE_MAX && length <= PACKET_MAX) {
        queued *q = &it->queue[(it->head + it->n++) % QUEUE_MAX];
        q->len = length;
        memcpy(q->data, buffer, length);
    }
    pthread_mutex_unlock(&it->lock);
    return 0;
}

static bool take_output(uint8_t *out, size_t *len)
{
    pthread_mutex_lock(&it->lock);
    bool any = it->n > 0;
    if (any) {
        *len = it->queue[it->head].len;
        memcpy(out, it->queue[it->head].data, *len);
        it->head = (it->head + 1) % QUEUE_MAX;
        it->n--;
    }
    pthread_mutex_unlock(&it->lock);
    return any;
}

static void on_notification(const union sctp_notification *n)
{
    switch (n->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
        if (n->sn_assoc_change.sac_state == SCTP_COMM_UP)
            it->theirs_up = true;
        else if (n->sn_assoc_change.sac_state == SCTP_COMM_LOST ||
                 n->sn_assoc_change.sac_state == SCTP_SHUTDOWN_COMP)
            it->theirs_down = true;
        break;
    case SCTP_STREAM_RESET_EVENT: it->resets_seen++; break;
    default: break;
    }
}

/* Large messages come in pieces, the last marked. */
static void on_piece(const struct sctp_rcvinfo *info, uint8_t *data, size_t len, bool last)
{
    message *m = &it->got[it->n_got];
    uint8_t *joined = it->n_got < N_MAX - 1 ? realloc(m->data, m->len + len) : NULL;
    if (joined) {
        memcpy(joined + m->len, data, len);
        *m = (message){ info->rcv_sid, ntohl(info->rcv_ppid), m->len + len, joined };
        it->n_got += last;
    }
    free(data);
}

static int on_receive(struct socket *sock, union sctp_sockstore addr, void *data, size_t len,
                      struct sctp_rcvinfo info, int flags, void *ulp)
{
    (void)sock, (void)addr, (void)ulp;
    if (!data)
        return 1;
    pthread_mutex_lock(&it->lock);
    if (flags & MSG_NOTIFICATION) {
        on_notification(data);
        free(data);
    } else {
        on_piece(&info, data, len, flags & MSG_EOR);
    }
    pthread_mutex_unlock(&it->lock);
    return 1;
}

static bool lost(void)
{
    return it->loss > 0 && pl_rand_u32(&it->rand) < it->loss * 4294967296.0;
}

static void take_ours(void)
{
    pl_sctp_msg m;
    pl_sctp_event e;
    while (pl_sctp_recv(it->ours, &m)) {
        PL_OKAY(it->n_received < N_MAX);
        message *r = &it->received[it->n_received++];
        *r = (message){ m.sid, m.ppid, m.len, malloc(m.len) };
        memcpy(r->data, m.data, m.len);
        pl_sctp_msg_free(&m);
    }
    while (pl_sctp_poll_event(it->ours, &e)) {
        it->connected += e.kind == PL_SCTP_EVENT_CONNECTED;
        it->reset_in += e.kind == PL_SCTP_EVENT_RESET_IN;
        it->reset_out += e.kind == PL_SCTP_EVENT_RESET_OUT && e.error == PL_OK;
        if (e.kind == PL_SCTP_EVENT_CLOSED) {
            it->closed++;
            it->last_closed = e;
        }
    }
}

static void pump(void)
{
    uint8_t packet[PACKET_MAX];
    size_t len;
    int64_t now_us = clock_us();
    while (take_output(packet, &len)) {
        if (!lost())
            pl_sctp_input(it->ours, now_us, packet, len);
    }
    if (now_us >= pl_sctp_next_us(it->ours))
        pl_sctp_tick(it->ours, now_us);
    take_ours();
    while (pl_sctp_poll_output(it->ours, now_us, packet, sizeof packet, &len)) {
        if (!lost())
            usrsctp_conninput(it, packet, len, 0);
    }
    pl_sctp_check(it->ours);
    struct timespec pause = { 0, 200000 };
    nanosleep(&pause, NULL);
}

#define UNTIL(fact)                                                                                          \
    do {                                                                                                     \
        int64_t give_up_us = clock_us() + PL_SEC(60);                                                        \
        while (!(fact)) {                                                                                    \
            pump();                                                                                          \
            if (clock_us() > give_up_us)                                                                     \
                fail_msg("never came: %s", #fact);                                                           \
        }                                                                                                    \
    } while (0)

static struct sockaddr_conn address(void)
{
    struct sockaddr_conn a;
    memset(&a, 0, sizeof a);
    a.sconn_family = AF_CONN;
    a.sconn_port = htons(PORT);
    a.sconn_addr = it;
    return a;
}

static void set_option(struct socket *s, int option, const void *value, size_t len)
{
    PL_EQ(usrsctp_setsockopt(s, IPPROTO_SCTP, option, value, (socklen_t)len), 0);
}

static struct socket *their_socket(void)
{
    struct socket *s = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_receive, NULL, 0, NULL);
    PL_OKAY(s != NULL);
    struct linger off = { .l_onoff = 1, .l_linger = 0 };
    PL_EQ(usrsctp_setsockopt(s, SOL_SOCKET, SO_LINGER, &off, sizeof off), 0);
    usrsctp_set_non_blocking(s, 1);
    static const uint16_t events[] = { SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT };
    for (size_t i = 0; i < 2; i++) {
        struct sctp_event e = { .se_assoc_id = SCTP_ALL_ASSOC, .se_type = events[i], .se_on = 1 };
        set_option(s, SCTP_EVENT, &e, sizeof e);
    }
    struct sctp_assoc_value reset = { .assoc_id = SCTP_ALL_ASSOC,
                                      .assoc_value =
                                          SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ };
    set_option(s, SCTP_ENABLE_STREAM_RESET, &reset, sizeof reset);
    struct sctp_initmsg init = { .sinit_num_ostreams = 100, .sinit_max_instreams = 100 };
    set_option(s, SCTP_INITMSG, &init, sizeof init);
    struct sctp_rtoinfo rto = {
        .srto_assoc_id = SCTP_FUTURE_ASSOC, .srto_initial = 300, .srto_min = 100, .srto_max = 500
    };
    set_option(s, SCTP_RTOINFO, &rto, sizeof rto);
    struct sockaddr_conn a = address();
    PL_EQ(usrsctp_bind(s, (struct sockaddr *)&a, sizeof a), 0);
    return s;
}

static void start(double loss, uint64_t seed)
{
    it = calloc(1, sizeof *it);
    it->queue = calloc(QUEUE_MAX, sizeof *it->queue);
    pthread_mutex_init(&it->lock, NULL);
    it->rand = pl_rand_seed(&it->state, seed);
    it->loss = loss;
    usrsctp_init(0, on_output, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_register_address(it);
    pl_sctp_conf conf = { .rto_initial_us = PL_MS(300), .rto_min_us = PL_MS(100) };
    PL_EQ(pl_sctp_new(&it->ours, &conf, clock_us()), PL_OK);
}

static void stop(void)
{
    if (it->theirs)
        usrsctp_close(it->theirs);
    if (it->listening)
        usrsctp_close(it->listening);
    usrsctp_deregister_address(it);
    while (usrsctp_finish() != 0)
        pump();
    for (unsigned i = 0; i < N_MAX; i++)
        free(it->got[i].data);
    for (unsigned i = 0; i < it->n_received; i++)
        free(it->received[i].data);
    pl_sctp_free(it->ours);
    pthread_mutex_destroy(&it->lock);
    free(it->queue);
    free(it);
    it = NULL;
}

static bool accepted(void)
{
    if (!it->theirs)
        it->theirs = usrsctp_accept(it->listening, NULL, NULL);
    return it->theirs != NULL;
}

/* We begin, usrsctp listens. */
static void connect_ours(void)
{
    it->listening = their_socket();
    PL_EQ(usrsctp_listen(it->listening, 1), 0);
    pl_sctp_connect(it->ours, clock_us());
    UNTIL(it->connected == 1 && accepted());
    usrsctp_set_ulpinfo(it->theirs, NULL);
}

/* Both begin, as two WebRTC peers do; or usrsctp alone. */
static void connect_theirs(bool both)
{
    it->theirs = their_socket();
    struct sockaddr_conn a = address();
    if (both)
        pl_sctp_connect(it->ours, clock_us());
    (void)usrsctp_connect(it->theirs, (struct sockaddr *)&a, sizeof a);
    UNTIL(it->connected == 1 && it->theirs_up);
}

static void fill(uint8_t *data, size_t len, unsigned number)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(number * 37 + i * 11 + (i >> 9));
}

static const size_t sizes[] = { 1, 4, 100, 1159, 1160, 1161, 1200, 5000, 65536, 262144 };
enum { N_SIZES = sizeof sizes / sizeof *sizes };

static void check_message(const message *m, size_t number)
{
    static uint8_t want[262144];
    PL_EQ(m->len, sizes[number % N_SIZES]);
    PL_EQ(m->sid, number % 7);
    PL_EQ(m->ppid, 51 + number);
    fill(want, m->len, (unsigned)number);
    PL_OKAY(memcmp(m->data, want, m->len) == 0);
}

static void theirs_send(unsigned number, uint8_t *data)
{
    size_t len = sizes[number % N_SIZES];
    struct sctp_sendv_spa spa = { .sendv_flags = SCTP_SEND_SNDINFO_VALID };
    spa.sendv_sndinfo.snd_sid = (uint16_t)(number % 7);
    spa.sendv_sndinfo.snd_ppid = htonl(51 + number);
    fill(data, len, number);
    UNTIL(usrsctp_sendv(it->theirs, data, len, NULL, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0) == (ssize_t)len);
}

static int by_ppid(const void *a, const void *b)
{
    const message *x = a, *y = b;
    return x->ppid < y->ppid ? -1 : x->ppid > y->ppid;
}

/* Messages of all sizes both ways on seven streams; per stream they come in order. */
static void exchange(unsigned n)
{
    static uint8_t data[262144];
    int size = 1 << 20;
    PL_EQ(usrsctp_setsockopt(it->theirs, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    for (unsigned i = 0; i < n; i++) {
        fill(data, sizes[i % N_SIZES], i);
        PL_EQ(pl_sctp_send(it->ours, clock_us(), (uint16_t)(i % 7), 51 + i, data, sizes[i % N_SIZES], NULL),
              PL_OK);
        theirs_send(i, data);
    }
    UNTIL(it->n_got == n && it->n_received == n && pl_sctp_buffered_total(it->ours) == 0);
    const message *list[] = { it->got, it->received };
    for (int side = 0; side < 2; side++) {
        uint32_t last[7] = { 0 };
        for (unsigned i = 0; i < n; i++) {
            PL_OKAY(last[list[side][i].sid] < list[side][i].ppid);
            last[list[side][i].sid] = list[side][i].ppid;
        }
    }
    qsort(it->got, n, sizeof *it->got, by_ppid);
    qsort(it->received, n, sizeof *it->received, by_ppid);
    for (unsigned i = 0; i < n; i++) {
        check_message(&it->got[i], i);
        check_message(&it->received[i], i);
    }
}

PL_TEST(we_connect_to_usrsctp)
{
    start(0, 1);
    connect_ours();
    exchange(40);
    stop();
}

PL_TEST(usrsctp_connects_to_us)
{
    start(0, 2);
    connect_theirs(false);
    exchange(40);
    stop();
}

PL_TEST(both_connect_at_once)
{
    start(0, 3);
    connect_theirs(true);
    exchange(20);
    stop();
}

PL_TEST(both_ways_with_losses)
{
    start(0.02, pl_test_seed(4));
    connect_ours();
    exchange(30);
    pl_sctp_stats stats;
    pl_sctp_get_stats(it->ours, &stats);
    PL_GE(stats.chunks_retransmitted, 1);
    stop();
}

PL_TEST(partial_reliability_towards_usrsctp)
{
    static uint8_t data[20000];
    start(0.1, pl_test_seed(5));
    connect_ours();
    pl_sctp_send_opts once = { .limit_retransmits = true };
    enum { N = 100 };
    for (unsigned i = 0; i < N; i++) {
        fill(data, sizeof data, i);
        PL_EQ(pl_sctp_send(it->ours, clock_us(), 1, i, data, sizeof data, i == N - 1 ? NULL : &once), PL_OK);
    }
    UNTIL(it->n_got > 0 && it->got[it->n_got - 1].ppid == N - 1 && pl_sctp_buffered_total(it->ours) == 0);
    pl_sctp_stats stats;
    pl_sctp_get_stats(it->ours, &stats);
    PL_GE(stats.messages_abandoned, 1);
    PL_GE(it->n_got + stats.messages_abandoned, N);
    for (unsigned i = 0; i < it->n_got; i++) {
        PL_OKAY(i == 0 || it->got[i - 1].ppid < it->got[i].ppid);
        fill(data, sizeof data, it->got[i].ppid);
        PL_OKAY(it->got[i].len == sizeof data && memcmp(it->got[i].data, data, sizeof data) == 0);
    }
    stop();
}

static void theirs_send_unreliably(unsigned ppid, const uint8_t *data, size_t len, bool reliable)
{
    struct sctp_sendv_spa spa = { .sendv_flags = SCTP_SEND_SNDINFO_VALID };
    spa.sendv_sndinfo.snd_sid = 3;
    spa.sendv_sndinfo.snd_ppid = htonl(ppid);
    if (!reliable) {
        spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
        spa.sendv_prinfo.pr_policy = SCTP_PR_SCTP_RTX;
        spa.sendv_prinfo.pr_value = 0;
    }
    UNTIL(usrsctp_sendv(it->theirs, data, len, NULL, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0) == (ssize_t)len);
}

PL_TEST(partial_reliability_from_usrsctp)
{
    static uint8_t data[5000];
    start(0.05, pl_test_seed(6));
    connect_theirs(true);
    enum { N = 60 };
    for (unsigned i = 0; i < N; i++) {
        fill(data, sizeof data, i);
        theirs_send_unreliably(i, data, sizeof data, i == N - 1);
    }
    UNTIL(it->n_received > 0 && it->received[it->n_received - 1].ppid == N - 1);
    for (unsigned i = 0; i < it->n_received; i++) {
        fill(data, sizeof data, it->received[i].ppid);
        PL_OKAY(it->received[i].len == sizeof data && memcmp(it->received[i].data, data, sizeof data) == 0);
    }
    stop();
}

static void their_reset(uint16_t sid)
{
    union { /* the list of streams follows the struct */
        struct sctp_reset_streams r;
        uint8_t bytes[sizeof(struct sctp_reset_streams) + 2];
    } request;
    memset(&request, 0, sizeof request);
    request.r.srs_flags = SCTP_STREAM_RESET_OUTGOING;
    request.r.srs_number_streams = 1;
    request.r.srs_stream_list[0] = sid;
    UNTIL(usrsctp_setsockopt(it->theirs, IPPROTO_SCTP, SCTP_RESET_STREAMS, &request, sizeof request.bytes) ==
          0);
}

PL_TEST(streams_are_reset_both_ways)
{
    static const uint16_t sid = 4;
    start(0.02, pl_test_seed(7));
    connect_ours();
    for (unsigned round = 1; round <= 3; round++) {
        PL_EQ(pl_sctp_send(it->ours, clock_us(), sid, 51, "to you", 6, NULL), PL_OK);
        UNTIL(it->n_got == round);
        PL_EQ(pl_sctp_reset_streams(it->ours, clock_us(), &sid, 1), PL_OK);
        UNTIL(it->reset_out == round);
        theirs_send_unreliably(round, (const uint8_t *)"to me", 5, true);
        UNTIL(it->n_received == round);
        their_reset(3);
        UNTIL(it->reset_in == round);
    }
    PL_GE(it->resets_seen, 3);
    stop();
}

PL_TEST(we_shut_down)
{
    start(0, 8);
    connect_ours();
    PL_EQ(pl_sctp_send(it->ours, clock_us(), 0, 51, "last words", 10, NULL), PL_OK);
    pl_sctp_shutdown(it->ours, clock_us());
    UNTIL(it->closed == 1 && it->theirs_down);
    PL_EQ(it->last_closed.error, PL_OK);
    PL_EQ(it->n_got, 1);
    stop();
}

PL_TEST(usrsctp_shuts_down)
{
    start(0, 9);
    connect_theirs(true);
    PL_EQ(usrsctp_shutdown(it->theirs, SHUT_WR), 0);
    UNTIL(it->closed == 1);
    PL_EQ(it->last_closed.error, PL_OK);
    stop();
}

PL_TEST(usrsctp_aborts_and_we_abort)
{
    start(0, 10);
    connect_theirs(true);
    usrsctp_close(it->theirs); /* linger is off: ABORT */
    it->theirs = NULL;
    UNTIL(it->closed == 1);
    PL_EQ(it->last_closed.error, PL_EPROTO);
    stop();
    start(0, 11);
    connect_ours();
    pl_sctp_abort(it->ours, clock_us(), "enough");
    UNTIL(it->theirs_down);
    PL_EQ(it->closed, 1);
    stop();
}

PL_TESTS(t(we_connect_to_usrsctp), t(usrsctp_connects_to_us), t(both_connect_at_once),
         t(both_ways_with_losses), t(partial_reliability_towards_usrsctp),
         t(partial_reliability_from_usrsctp), t(streams_are_reset_both_ways), t(we_shut_down),
         t(usrsctp_shuts_down), t(usrsctp_aborts_and_we_abort))
