#include "interop_rig.h"

#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "pl_test.h"
#include "sctp/chunk_init.h"
#include "trace.h"

enum { PORT = 5000, PACKET_MAX = 4096, TICK_US = 1000 };

interop *it; /* usrsctp's callbacks have no better way for accepted sockets */

/* --- usrsctp's clock and its random numbers: these are the functions of libc that it calls --- */

#define SEEN_BY_USRSCTP __attribute__((visibility("default"))) /* else it would find libc's */

SEEN_BY_USRSCTP int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    (void)zone;
    struct timespec t;
    if (it) {
        *tv = (struct timeval){ .tv_sec = it->now_us / 1000000, .tv_usec = it->now_us % 1000000 };
        return 0;
    }
    int result = clock_gettime(CLOCK_REALTIME, &t);
    *tv = (struct timeval){ .tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000 };
    return result;
}

SEEN_BY_USRSCTP long syscall(long number, ...)
{
    static long (*real)(long, ...);
    long arg[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        arg[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_getrandom && it) {
        pl_rand_bytes(&it->chance, (void *)arg[0], (size_t)arg[1]); /* NOLINT: as the kernel takes it */
        return arg[1];
    }
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "syscall");
    return real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

/* --- what usrsctp says --- */

static int first_missing(const sim_ledger *l)
{
    for (uint32_t i = 0; i < l->n; i++) {
        if (!l->m[i].arrived && !l->m[i].partial && !l->m[i].excused)
            return (int)i;
    }
    return -1;
}

void interop_fail(const char *what)
{
    fail_msg("%s; seed %llu, at %.3f s: missing %u of ours (from %d on) and %u of theirs (%d), %s %s", what,
             (unsigned long long)it->conf.seed, (double)it->now_us * 1e-6, sim_ledger_missing(&it->sent[0]),
             first_missing(&it->sent[0]), sim_ledger_missing(&it->sent[1]), first_missing(&it->sent[1]),
             pl_sctp_state_str(pl_sctp_get_state(it->ours)), it->closed ? it->last_closed.reason : "");
}

/* RFC 5061 4.2.7: ASCONF among the extensions of an INIT. */
static void look_at_init(pl_rd body)
{
    pl_sctp_param p;
    pl_rd_skip(&body, 16);
    while (pl_sctp_param_next(&body, &p)) {
        while (p.type == PL_SCTP_PARAM_EXTENSIONS && pl_rd_left(&p.value) > 0)
            it->offers_asconf |= pl_rd_u8(&p.value) == 0xc1;
    }
}

static void look_at(const uint8_t *packet, size_t len)
{
    pl_rd chunks = pl_rd_init(packet, len);
    pl_sctp_chunk c;
    pl_rd_skip(&chunks, PL_SCTP_HEADER);
    while (pl_sctp_chunk_next(&chunks, &c)) {
        it->n_seen[c.type]++;
        if (c.type == PL_SCTP_INIT || c.type == PL_SCTP_INIT_ACK)
            look_at_init(c.body);
        it->n_immediate += (c.type == PL_SCTP_DATA || c.type == PL_SCTP_I_DATA) && c.flags & 8;
    }
}

static int on_output(void *addr, void *buffer, size_t length, uint8_t tos, uint8_t set_df)
{
    (void)addr, (void)tos, (void)set_df;
    look_at(buffer, length);
    trace_packet(it->now_us, "they", buffer, length);
    sim_link_send(it->link[1], it->now_us, NULL, buffer, length);
    return 0;
}

/* A message of which pieces were handed out has been given up by us. */
static void on_broken(uint16_t sid)
{
    sim_ledger *l = &it->sent[0];
    for (unsigned i = 0; i < 2 * SIM_LEDGER_SLOTS; i++) {
        int64_t number = l->piece_of[i / 2][i % 2] - 1;
        if (l->sid[i / 2] != sid || number < 0 || !l->m[number].partial)
            continue;
        pl_sctp_msg m = {
            .sid = sid, .ppid = (uint32_t)number, .unordered = i % 2, .continues = true, .broken = true
        };
        const char *wrong = sim_ledger_arrived(l, &m);
        it->wrong = it->wrong ? it->wrong : wrong;
        return;
    }
}

static void on_notification(const union sctp_notification *n)
{
    const struct sctp_assoc_change *change = &n->sn_assoc_change;
    switch (n->sn_header.sn_type) {
    case SCTP_ASSOC_CHANGE:
        if (change->sac_state == SCTP_COMM_UP) {
            it->theirs_up = true;
            for (size_t i = 0; i < change->sac_length - sizeof *change; i++)
                it->supports_interleaving |= change->sac_info[i] == SCTP_ASSOC_SUPPORTS_INTERLEAVING;
        } else if (change->sac_state == SCTP_COMM_LOST || change->sac_state == SCTP_SHUTDOWN_COMP) {
            it->theirs_down = true;
        }
        break;
    case SCTP_STREAM_RESET_EVENT: {
        const struct sctp_stream_reset_event *e = &n->sn_strreset_event;
        size_t k = (e->strreset_length - sizeof *e) / sizeof e->strreset_stream_list[0];
        for (size_t i = 0; e->strreset_flags & SCTP_STREAM_RESET_INCOMING_SSN && i < k; i++) {
            const char *wrong = sim_ledger_reset_in(&it->sent[0], e->strreset_stream_list[i]);
            it->wrong = it->wrong ? it->wrong : wrong;
            it->resets_seen++;
        }
        for (size_t i = 0; e->strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN && i < k; i++)
            sim_ledger_reset_out(&it->sent[1], e->strreset_stream_list[i]);
        break;
    }
    case SCTP_PARTIAL_DELIVERY_EVENT: on_broken((uint16_t)n->sn_pdapi_event.pdapi_stream); break;
    case SCTP_STREAM_CHANGE_EVENT:
        it->streams_seen++;
        it->their_streams_in = n->sn_strchange_event.strchange_instrms;
        it->their_streams_out = n->sn_strchange_event.strchange_outstrms;
        break;
    default: break;
    }
}

/* Large messages come in pieces, the last marked. */
static void on_piece(const struct sctp_rcvinfo *info, uint8_t *data, size_t len, bool last)
{
    uint32_t number = ntohl(info->rcv_ppid);
    sim_ledger *l = &it->sent[0];
    pl_sctp_msg m = { .sid = info->rcv_sid,
                      .ppid = number,
                      .unordered = info->rcv_flags & SCTP_UNORDERED,
                      .continues = number < l->n && l->m[number].n_here > 0,
                      .more = !last,
                      .data = data,
                      .len = len };
    const char *wrong = sim_ledger_arrived(l, &m);
    it->wrong = it->wrong ? it->wrong : wrong;
}

static int on_receive(struct socket *sock, union sctp_sockstore addr, void *data, size_t len,
                      struct sctp_rcvinfo info, int flags, void *ulp)
{
    (void)sock, (void)addr, (void)ulp;
    if (!data)
        return 1;
    if (flags & MSG_NOTIFICATION)
        on_notification(data);
    else
        on_piece(&info, data, len, flags & MSG_EOR);
    free(data);
    return 1;
}

/* --- what we say --- */

static void on_event(const pl_sctp_event *e)
{
    const char *wrong;
    switch (e->kind) {
    case PL_SCTP_EVENT_CONNECTED: it->connected++; break;
    case PL_SCTP_EVENT_RESET_IN:
        it->resets_in++;
        wrong = sim_ledger_reset_in(&it->sent[1], e->sid);
        it->wrong = it->wrong ? it->wrong : wrong;
        break;
    case PL_SCTP_EVENT_RESET_OUT:
        it->resets_out += e->error == PL_OK;
        sim_ledger_reset_out(&it->sent[0], e->sid);
        break;
    case PL_SCTP_EVENT_STREAMS:
        it->streams_events++;
        it->last_streams = *e;
        break;
    case PL_SCTP_EVENT_CLOSED:
        it->closed++;
        it->last_closed = *e;
        break;
    default: break;
    }
}

static void take_ours(void)
{
    pl_sctp_msg m;
    pl_sctp_event e;
    for (bool any = true; any;) {
        any = false;
        while (pl_sctp_poll_event(it->ours, &e))
            on_event(&e);
        while (!it->hold && pl_sctp_recv(it->ours, &m)) {
            const char *wrong = sim_ledger_arrived(&it->sent[1], &m);
            it->wrong = it->wrong ? it->wrong : wrong;
            pl_sctp_msg_free(&m);
            any = true;
        }
    }
}

/* --- time --- */

void interop_step(void)
{
    static uint8_t packet[PACKET_MAX];
    size_t len;
    while (sim_link_recv(it->link[1], it->now_us, NULL, packet, sizeof packet, &len)) {
        trace_packet(it->now_us, "    they, here", packet, len);
        pl_sctp_input(it->ours, it->now_us, packet, len);
        take_ours();
    }
    while (sim_link_recv(it->link[0], it->now_us, NULL, packet, sizeof packet, &len)) {
        trace_packet(it->now_us, "    we, there", packet, len);
        usrsctp_conninput(it, packet, len, 0);
    }
    if (it->now_us >= pl_sctp_next_us(it->ours))
        pl_sctp_tick(it->ours, it->now_us);
    take_ours();
    while (pl_sctp_poll_output(it->ours, it->now_us, packet, sizeof packet, &len)) {
        trace_packet(it->now_us, "we", packet, len);
        sim_link_send(it->link[0], it->now_us, NULL, packet, len);
    }
    pl_sctp_check(it->ours);
    if (it->wrong)
        interop_fail(it->wrong);
    it->now_us += TICK_US;
    usrsctp_handle_timers(TICK_US / 1000);
}

/* --- sockets --- */

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

void interop_set(int option, const void *value, size_t len)
{
    set_option(it->theirs, option, value, len);
}

static void set_number(struct socket *s, int option, uint32_t value)
{
    struct sctp_assoc_value v = { .assoc_id = SCTP_ALL_ASSOC, .assoc_value = value };
    set_option(s, option, &v, sizeof v);
}

static void set_size(struct socket *s, int option)
{
    int size = it->conf.buffers ? it->conf.buffers : 1 << 20;
    PL_EQ(usrsctp_setsockopt(s, SOL_SOCKET, option, &size, sizeof size), 0);
}

static void want_events(struct socket *s)
{
    static const uint16_t events[] = { SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT, SCTP_STREAM_CHANGE_EVENT,
                                       SCTP_PARTIAL_DELIVERY_EVENT };
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        struct sctp_event e = { .se_assoc_id = SCTP_ALL_ASSOC, .se_type = events[i], .se_on = 1 };
        set_option(s, SCTP_EVENT, &e, sizeof e);
    }
}

static struct socket *their_socket(void)
{
    struct socket *s = usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_receive, NULL, 0, NULL);
    PL_OKAY(s != NULL);
    struct linger off = { .l_onoff = 1, .l_linger = 0 };
    PL_EQ(usrsctp_setsockopt(s, SOL_SOCKET, SO_LINGER, &off, sizeof off), 0);
    usrsctp_set_non_blocking(s, 1);
    want_events(s);
    set_size(s, SO_SNDBUF);
    set_size(s, SO_RCVBUF);
    set_number(s, SCTP_ENABLE_STREAM_RESET, SCTP_ENABLE_RESET_STREAM_REQ | SCTP_ENABLE_CHANGE_ASSOC_REQ);
    uint16_t n = it->conf.streams ? it->conf.streams : 100;
    struct sctp_initmsg init = { .sinit_num_ostreams = n, .sinit_max_instreams = n };
    set_option(s, SCTP_INITMSG, &init, sizeof init);
    struct sctp_rtoinfo rto = {
        .srto_assoc_id = SCTP_FUTURE_ASSOC, .srto_initial = 300, .srto_min = 100, .srto_max = 2000
    };
    set_option(s, SCTP_RTOINFO, &rto, sizeof rto);
    int on = 1, level = 2;
    set_option(s, SCTP_NODELAY, &on, sizeof on);
    if (it->conf.explicit_eor)
        set_option(s, SCTP_EXPLICIT_EOR, &on, sizeof on);
    if (it->conf.interleaving) {
        set_option(s, SCTP_FRAGMENT_INTERLEAVE, &level, sizeof level);
        set_number(s, INTEROP_INTERLEAVING_SUPPORTED, 1);
    }
    struct sockaddr_conn a = address();
    PL_EQ(usrsctp_bind(s, (struct sockaddr *)&a, sizeof a), 0);
    return s;
}

void interop_start(const interop_conf *conf)
{
    it = calloc(1, sizeof *it);
    it->conf = *conf;
    it->now_us = PL_SEC(1000);
    it->chance = pl_rand_seed(&it->chance_state, conf->seed + 1);
    for (int i = 0; i < 2; i++) {
        it->link[i] = sim_link_new(&conf->net, conf->seed * 2 + (uint64_t)i);
        for (unsigned slot = 0; slot < SIM_LEDGER_SLOTS; slot++)
            it->sent[i].sid[slot] = (uint16_t)slot;
    }
    usrsctp_init_nothreads(0, on_output, NULL);
    usrsctp_sysctl_set_sctp_ecn_enable(0);
    usrsctp_register_address(it);
    pl_sctp_conf c = conf->ours;
    c.rand = pl_rand_seed(&it->state, conf->seed);
    c.rto_initial_us = PL_MS(300);
    c.rto_min_us = PL_MS(100);
    PL_EQ(pl_sctp_new(&it->ours, &c, it->now_us), PL_OK);
}

void interop_stop(void)
{
    if (it->theirs)
        usrsctp_close(it->theirs);
    if (it->listening)
        usrsctp_close(it->listening);
    usrsctp_deregister_address(it);
    for (int i = 0; usrsctp_finish() != 0; i++) {
        PL_LE(i, 100000);
        interop_step();
    }
    for (int i = 0; i < 2; i++) {
        sim_link_free(it->link[i]);
        sim_ledger_clear(&it->sent[i]);
    }
    pl_sctp_free(it->ours);
    free(it);
    it = NULL;
}

static bool accepted(void)
{
    if (!it->theirs)
        it->theirs = usrsctp_accept(it->listening, NULL, NULL);
    return it->theirs != NULL;
}

void interop_connect(interop_who who)
{
    struct sockaddr_conn a = address();
    if (who == INTEROP_WE) {
        it->listening = their_socket();
        PL_EQ(usrsctp_listen(it->listening, 1), 0);
    } else {
        it->theirs = their_socket();
        (void)usrsctp_connect(it->theirs, (struct sockaddr *)&a, sizeof a);
    }
    if (who != INTEROP_THEY)
        pl_sctp_connect(it->ours, it->now_us);
    if (who == INTEROP_WE)
        UNTIL(accepted());
    UNTIL(it->connected == 1 && (it->theirs_up || who == INTEROP_WE));
    if (who == INTEROP_WE)
        want_events(it->theirs);
}

/* --- messages --- */

bool interop_send(unsigned slot, uint32_t len, const pl_sctp_send_opts *opts)
{
    static const pl_sctp_send_opts plain;
    sim_ledger *l = &it->sent[0];
    const pl_sctp_send_opts *o = opts ? opts : &plain;
    pl_err err = pl_sctp_send(it->ours, it->now_us, l->sid[slot], l->n, sim_ledger_bytes(l->n), len, o);
    if (err == PL_EAGAIN)
        return false;
    if (err != PL_OK)
        interop_fail("we may not send");
    sim_ledger_sent(l, slot, len, false, o);
    return true;
}

static void set_policy(struct sctp_prinfo *p, const pl_sctp_send_opts *o)
{
    if (o->lifetime_us > 0) {
        *p = (struct sctp_prinfo){ SCTP_PR_SCTP_TTL, (uint32_t)(o->lifetime_us / 1000) };
    } else if (o->limit_retransmits) {
        *p = (struct sctp_prinfo){ SCTP_PR_SCTP_RTX, o->max_retransmits };
    } else if (o->limit_priority) {
        *p = (struct sctp_prinfo){ SCTP_PR_SCTP_BUF, o->buffer_priority };
    }
}

bool interop_their_send(unsigned slot, uint32_t len, const pl_sctp_send_opts *opts, uint16_t flags)
{
    static const pl_sctp_send_opts plain;
    sim_ledger *l = &it->sent[1];
    const pl_sctp_send_opts *o = opts ? opts : &plain;
    struct sctp_sendv_spa spa = { .sendv_flags = SCTP_SEND_SNDINFO_VALID | SCTP_SEND_PRINFO_VALID };
    spa.sendv_sndinfo.snd_sid = l->sid[slot];
    spa.sendv_sndinfo.snd_ppid = htonl(l->n);
    spa.sendv_sndinfo.snd_flags = (uint16_t)(flags | (o->unordered ? SCTP_UNORDERED : 0));
    set_policy(&spa.sendv_prinfo, o);
    ssize_t n =
        usrsctp_sendv(it->theirs, sim_ledger_bytes(l->n), len, NULL, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0);
    if (n < 0 && (errno == EWOULDBLOCK || errno == EAGAIN))
        return false;
    if (n != (ssize_t)len)
        interop_fail("usrsctp may not send");
    sim_ledger_sent(l, slot, len, false, o);
    return true;
}

bool interop_settled(void)
{
    return sim_ledger_missing(&it->sent[0]) == 0 && sim_ledger_missing(&it->sent[1]) == 0 &&
           pl_sctp_buffered_total(it->ours) == 0;
}

void interop_their_reset(uint16_t sid)
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
