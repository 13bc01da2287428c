#include "server/redis.h"

#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "crypto/hmac.h"
#include "net/resolve.h"
#include "server/redis_reply.h"
#include "server/redis_scripts.h"
#include "server/redis_url.h"
#include "server/redis_watch.h"

enum { SHA_LEN = 40, READ_COUNT = 1000, BLOCK_MS = 2000, SCRIPTS = 3, OPS_AT_ONCE = 32 };
#define PAUSE_MIN_US PL_MS(250)
#define PAUSE_MAX_US PL_SEC(2)
#define SILENCE_US   PL_SEC(5) /* longer than a read waits */
#define PACE_US                                                                                              \
    PL_MS(2) /* between two readings, and two askings, at least: under load each carries several messages */

static const pl_log redis_log = { "redis" };

typedef enum redis_phase { WAITING, RESOLVING, CONNECTING, SETTING_UP, RUNNING } redis_phase;

struct pl_redis {
    pl_loop *loop;
    pl_share *share;
    void (*changed)(void *user);
    void *user;
    pl_redis_url at;
    char prefix[PL_REDIS_TEXT_MAX];
    redis_phase phase;
    pl_resolve *resolve;
    redisAsyncContext *asks, *reads;
    unsigned n_connected, n_setting_up, n_loaded;
    char sha[SCRIPTS][SHA_LEN + 1]; /* of the scripts, in the order of pl_share_ask_kind */
    bool reading;
    int64_t pause_us, heard_us;
    pl_timer timer, read_timer;
    int64_t read_us, asked_us; /* when reading was asked for last, and anything else */
    pl_loop_hook hook;
    pl_rate said;
};

static void drop(pl_redis *r, const char *why);
static void read_on(pl_redis *r);

static int64_t now(const pl_redis *r)
{
    return pl_loop_now_us(r->loop);
}

/* False when the reply is none, or an error, and the connection was dropped. */
static bool is_well(pl_redis *r, const redisReply *reply)
{
    if (!reply) /* the connection has ended; its own callback tells */
        return false;
    r->heard_us = now(r);
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    drop(r, reply->str);
    return false;
}

/* ---- asking ---- */

static void on_hello(redisAsyncContext *c, void *reply_, void *user)
{
    pl_redis *r = user;
    const redisReply *reply = reply_, *all = NULL;
    (void)c;
    if (!is_well(r, reply))
        return;
    all = redis_item(reply, 5);
    size_t n = all && all->type == REDIS_REPLY_ARRAY ? all->elements / 2 : 0;
    pl_share_peer *peers = calloc(n ? n : 1, sizeof *peers);
    if (!peers) {
        drop(r, "no memory for the list of peers");
        return;
    }
    for (size_t i = 0; i < n; i++)
        peers[i] = redis_peer(redis_id(redis_item(all, 2 * i)), redis_text(redis_item(all, 2 * i + 1)));
    pl_share_hello hello = { .done = redis_number(redis_item(reply, 0)),
                             .first_id = redis_id(redis_item(reply, 1)),
                             .seq = redis_number(redis_item(reply, 3)),
                             .birth = redis_text(redis_item(reply, 4)),
                             .peers = peers,
                             .n_peers = n };
    pl_str secret = redis_text(redis_item(reply, 2));
    hello.n_ids = hello.first_id ? PL_SHARE_IDS : 0;
    if (secret.n == sizeof hello.secret) {
        memcpy(hello.secret, secret.p, sizeof hello.secret);
        pl_share_hello_answered(r->share, now(r), &hello);
        r->pause_us = PAUSE_MIN_US;
        read_on(r);
    } else {
        drop(r, "what it keeps under our prefix is not ours");
    }
    free(peers);
    r->changed(r->user);
}

static void on_op(redisAsyncContext *c, void *reply, void *user)
{
    pl_redis *r = user;
    (void)c;
    if (!is_well(r, reply))
        return;
    for (size_t i = 0; redis_item(reply, i + 1) && r->phase == RUNNING; i += 2) {
        pl_share_answer a = { .result = (pl_share_result)redis_number(redis_item(reply, i)),
                              .at = redis_number(redis_item(reply, i + 1)) };
        pl_share_op_answered(r->share, now(r), &a);
    }
    r->changed(r->user);
}

static void on_beat(redisAsyncContext *c, void *reply, void *user)
{
    pl_redis *r = user;
    (void)c;
    if (!is_well(r, reply))
        return;
    pl_peer_id first = redis_id(redis_item(reply, 1));
    pl_share_beat_answered(r->share, now(r), redis_number(redis_item(reply, 0)) != 0, first,
                           first ? PL_SHARE_IDS : 0, redis_number(redis_item(reply, 2)));
    r->changed(r->user);
}

typedef struct arguments {
    const char *p[5 + OPS_AT_ONCE * PL_REDIS_OP_ARGS];
    size_t n[5 + OPS_AT_ONCE * PL_REDIS_OP_ARGS];
    int count;
    char numbers[4 * OPS_AT_ONCE][24];
    int n_numbers;
} arguments;

static void add(arguments *a, pl_str s)
{
    a->p[a->count] = s.p ? s.p : "";
    a->n[a->count++] = s.n;
}

static void add_z(arguments *a, const char *z)
{
    add(a, pl_str_of(z));
}

static void add_number(arguments *a, uint64_t n)
{
    char *at = a->numbers[a->n_numbers++];
    snprintf(at, sizeof a->numbers[0], "%llu", (unsigned long long)n);
    add_z(a, at);
}

static void call(pl_redis *r, const arguments *a, redisCallbackFn *fn)
{
    if (redisAsyncCommandArgv(r->asks, fn, r, a->count, (const char **)a->p, a->n) != REDIS_OK)
        drop(r, "it takes no more");
}

static const char *kind_of(const pl_rooms_op *op)
{
    static const char *const kinds[] = {
        [PL_ROOMS_OP_JOIN] = "join", [PL_ROOMS_OP_LEAVE] = "leave", [PL_ROOMS_OP_SEND] = "send",
        [PL_ROOMS_OP_MOVE] = "move", [PL_ROOMS_OP_HEARD] = "heard", [PL_ROOMS_OP_BUSY] = "busy",
        [PL_ROOMS_OP_CALM] = "calm",
    };
    return kinds[op->kind];
}

static void add_op(arguments *a, const pl_rooms_op *op)
{
    add_number(a, op->number);
    add_z(a, kind_of(op));
    add_number(a, op->id);
    add_number(a, op->to);
    add_number(a, op->seq);
    add_z(a, op->bound ? "1" : "0");
    add(a, op->room);
    add(a, op->name);
    add(a, op->type);
    add(a, op->data);
}

static void begin(pl_redis *r, arguments *a, pl_share_ask_kind kind)
{
    a->count = a->n_numbers = 0;
    add_z(a, "EVALSHA");
    add_z(a, r->sha[kind]);
    add_z(a, "0");
    add_z(a, r->prefix);
    add_z(a, pl_share_node(r->share));
}

static void ask(pl_redis *r, arguments *a, const pl_share_ask *ask)
{
    begin(r, a, ask->kind);
    add_number(a, ask->n_ids);
    if (ask->kind == PL_SHARE_HELLO) {
        add_number(a, ask->highest_id);
        add_number(a, ask->highest_seq);
        add(a, (pl_str){ (const char *)ask->secret, sizeof ask->secret });
        add_z(a, ask->birth);
        add_number(a, ask->first_base);
        add_number(a, PL_SHARE_ID_ROOM);
        call(r, a, on_hello);
    } else {
        add_number(a, ask->forget_seq);
        add_number(a, PL_SHARE_GRACE_S);
        call(r, a, on_beat);
    }
}

/* What is to be asked now, operations that follow each other in one call. */
static void ask_what_is_due(pl_redis *r, int64_t now_us)
{
    arguments ops, other;
    unsigned n = 0;
    pl_share_ask next;
    while (r->phase == RUNNING && pl_share_poll_ask(r->share, now_us, &next)) {
        r->asked_us = now_us;
        if (n > 0 && (n == OPS_AT_ONCE || next.kind != PL_SHARE_OP)) {
            call(r, &ops, on_op);
            n = 0;
        }
        if (next.kind != PL_SHARE_OP) {
            ask(r, &other, &next);
            continue;
        }
        if (n++ == 0)
            begin(r, &ops, PL_SHARE_OP);
        add_op(&ops, next.op);
    }
    if (n > 0 && r->phase == RUNNING)
        call(r, &ops, on_op);
}

/* Before the loop sleeps: what the rounds since the last time brought is asked in one go. */
static void ask_all(void *user, int64_t now_us)
{
    pl_redis *r = user;
    bool is_time = now_us - r->asked_us >= PACE_US;
    if (is_time)
        ask_what_is_due(r, now_us);
    if (r->phase != RUNNING)
        return;
    int64_t at_us = is_time ? pl_share_next_us(r->share) : r->asked_us + PACE_US;
    pl_timer_set(r->loop, &r->timer, pl_min_us(at_us, r->heard_us + SILENCE_US));
}

/* ---- reading ---- */

static void on_note(pl_redis *r, const redisReply *entry)
{
    pl_share_note note = redis_note(entry);
    pl_share_note_read(r->share, now(r), &note);
}

static void on_message(pl_redis *r, const redisReply *entry)
{
    pl_share_message m = redis_message(entry);
    pl_share_message_read(r->share, now(r), &m);
}

/* One stream's entries; how many. */
static size_t take(pl_redis *r, const redisReply *reply, const char *key_end,
                   void (*fn)(pl_redis *, const redisReply *))
{
    for (size_t k = 0; reply->type == REDIS_REPLY_ARRAY && k < reply->elements; k++) {
        pl_str key = redis_text(redis_item(reply->element[k], 0));
        const redisReply *entries = redis_item(reply->element[k], 1);
        size_t n = strlen(key_end);
        if (!entries || key.n < n || memcmp(key.p + key.n - n, key_end, n) != 0)
            continue;
        for (size_t i = 0; i < entries->elements; i++)
            fn(r, entries->element[i]);
        return entries->elements;
    }
    return 0;
}

/* A message is not heard before the coming of who sent it: with more notes than one reading gives, the messages wait. */
static void on_read(redisAsyncContext *c, void *reply, void *user)
{
    pl_redis *r = user;
    (void)c;
    r->reading = false;
    if (!is_well(r, reply))
        return;
    if (take(r, reply, "notes", on_note) < READ_COUNT)
        take(r, reply, pl_share_node(r->share), on_message);
    r->changed(r->user);
    if (now(r) - r->read_us >= PACE_US) /* under load one reading brings several messages */
        read_on(r);
    else
        pl_timer_set(r->loop, &r->read_timer, r->read_us + PACE_US);
}

static void on_read_time(void *user, int64_t now_us)
{
    (void)now_us;
    read_on(user);
}

static void read_on(pl_redis *r)
{
    uint64_t notes, messages;
    if (r->phase != RUNNING || r->reading || !pl_share_reads(r->share, &notes, &messages))
        return;
    r->reading = true;
    r->read_us = now(r);
    if (redisAsyncCommand(r->reads, on_read, r,
                          "XREAD COUNT %d BLOCK %d STREAMS %snotes %sto:%s %llu-0 %llu-0", READ_COUNT,
                          BLOCK_MS, r->prefix, r->prefix, pl_share_node(r->share), (unsigned long long)notes,
                          (unsigned long long)messages) != REDIS_OK)
        drop(r, "it takes no more");
}

/* ---- connections ---- */

static void start_running(pl_redis *r)
{
    r->phase = RUNNING;
    pl_log_info(&redis_log, "connected");
    pl_share_connected(r->share, now(r));
    pl_loop_hook_add(r->loop, &r->hook);
}

static void on_set_up(redisAsyncContext *c, void *reply, void *user)
{
    pl_redis *r = user;
    (void)c;
    if (is_well(r, reply) && --r->n_setting_up == 0)
        start_running(r);
}

static void on_loaded(redisAsyncContext *c, void *reply, void *user)
{
    pl_redis *r = user;
    (void)c;
    if (!is_well(r, reply))
        return;
    unsigned i = r->n_loaded++; /* they come in order */
    if (i >= SCRIPTS || !pl_str_copy(redis_text(reply), r->sha[i], sizeof r->sha[i]))
        drop(r, "it takes no scripts");
    else if (--r->n_setting_up == 0)
        start_running(r);
}

static void set_up(pl_redis *r, redisAsyncContext *c)
{
    int err = REDIS_OK;
    if (r->at.password[0]) {
        r->n_setting_up++;
        err |= r->at.name[0] ? redisAsyncCommand(c, on_set_up, r, "AUTH %s %s", r->at.name, r->at.password)
                             : redisAsyncCommand(c, on_set_up, r, "AUTH %s", r->at.password);
    }
    if (r->at.database) {
        r->n_setting_up++;
        err |= redisAsyncCommand(c, on_set_up, r, "SELECT %u", r->at.database);
    }
    if (err)
        drop(r, "it takes no more");
}

static void load_scripts(pl_redis *r)
{
    static const char *const script[SCRIPTS] = {
        [PL_SHARE_HELLO] = pl_redis_hello, [PL_SHARE_OP] = pl_redis_op, [PL_SHARE_BEAT] = pl_redis_beat
    };
    for (int i = 0; i < SCRIPTS && r->phase == SETTING_UP; i++) {
        r->n_setting_up++;
        if (redisAsyncCommand(r->asks, on_loaded, r, "SCRIPT LOAD %s", script[i]) != REDIS_OK)
            drop(r, "it takes no more");
    }
}

static void on_connected(const redisAsyncContext *c, int status)
{
    pl_redis *r = c->data;
    if (!r)
        return;
    if (status != REDIS_OK) { /* hiredis frees the context after this call */
        if (c == r->asks)
            r->asks = NULL;
        else
            r->reads = NULL;
        drop(r, c->errstr);
        return;
    }
    if (++r->n_connected < 2)
        return;
    r->phase = SETTING_UP;
    r->n_setting_up = r->n_loaded = 0;
    set_up(r, r->reads);
    if (r->phase == SETTING_UP)
        set_up(r, r->asks);
    if (r->phase == SETTING_UP)
        load_scripts(r);
}

static void on_disconnected(const redisAsyncContext *c, int status)
{
    pl_redis *r = c->data;
    (void)status;
    if (!r)
        return;
    if (c == r->asks)
        r->asks = NULL;
    else if (c == r->reads)
        r->reads = NULL;
    drop(r, c->err ? c->errstr : "it hung up");
}

static redisAsyncContext *open_context(pl_redis *r, const char *ip, uint16_t port)
{
    redisAsyncContext *c = redisAsyncConnect(ip, port);
    if (!c)
        return NULL;
    if (c->err || pl_redis_watch(c, r->loop)) {
        redisAsyncFree(c);
        return NULL;
    }
    c->data = r;
    redisAsyncSetConnectCallback(c, on_connected);
    redisAsyncSetDisconnectCallback(c, on_disconnected);
    return c;
}

static void on_resolved(void *user, pl_err err, const pl_addr *addr, size_t n)
{
    pl_redis *r = user;
    char ip[PL_ADDR_TEXT_MAX];
    r->resolve = NULL;
    if (err || n == 0) {
        drop(r, "no such host");
        return;
    }
    pl_addr_ip_str(&addr[0], ip);
    r->phase = CONNECTING;
    r->n_connected = 0;
    r->asks = open_context(r, ip, addr[0].port);
    r->reads = r->asks ? open_context(r, ip, addr[0].port) : NULL;
    if (!r->reads)
        drop(r, "cannot connect");
    else
        pl_timer_set(r->loop, &r->timer, r->heard_us + SILENCE_US);
}

static void connect_it(pl_redis *r)
{
    r->phase = RESOLVING;
    r->heard_us = now(r);
    if (pl_resolve_start(&r->resolve, r->loop, r->at.host, r->at.port, PL_AF_NONE, on_resolved, r))
        drop(r, "cannot look for its host");
}

static void close_context(redisAsyncContext **c)
{
    redisAsyncContext *old = *c;
    *c = NULL;
    if (!old)
        return;
    old->data = NULL; /* no word of it any more */
    redisAsyncFree(old);
}

/* All that belongs to a connection goes; the next is tried after a pause. */
static void drop(pl_redis *r, const char *why)
{
    if (r->phase == WAITING)
        return;
    if (pl_rate_pass(&r->said, now(r)))
        pl_log_warn(&redis_log,
                    "Redis at %s:%u: %s; the other nodes are out of reach, what is said to them waits",
                    r->at.host, r->at.port, why);
    r->phase = WAITING;
    r->reading = false;
    pl_loop_hook_remove(&r->hook);
    pl_resolve_cancel(r->resolve);
    r->resolve = NULL;
    close_context(&r->asks);
    close_context(&r->reads);
    pl_share_lost(r->share, now(r));
    pl_timer_set(r->loop, &r->timer, now(r) + r->pause_us);
    r->pause_us = pl_min_us(2 * r->pause_us, PAUSE_MAX_US);
}

static void on_time(void *user, int64_t now_us)
{
    pl_redis *r = user;
    if (r->phase == WAITING)
        connect_it(r);
    else if (now_us >= r->heard_us + SILENCE_US)
        drop(r, "it is silent");
    /* else the hook asks what is due */
}

/* ---- life ---- */

pl_err pl_redis_new(pl_redis **out, pl_loop *loop, const pl_redis_conf *conf, char say[PL_REDIS_SAY_MAX])
{
    const char *prefix = conf->prefix ? conf->prefix : "peerline:";
    *out = NULL;
    say[0] = '\0';
    pl_redis *r = calloc(1, sizeof *r);
    if (!r)
        return PL_ENOMEM;
    r->loop = loop;
    r->changed = conf->changed;
    r->user = conf->user;
    r->pause_us = PAUSE_MIN_US;
    r->timer = (pl_timer){ .fn = on_time, .arg = r };
    r->read_timer = (pl_timer){ .fn = on_read_time, .arg = r };
    r->hook = (pl_loop_hook){ .fn = ask_all, .arg = r };
    bool fits =
        pl_str_copy(pl_str_of(prefix), r->prefix, sizeof r->prefix) &&
        pl_redis_url_parse(&r->at, conf->url) &&
        (!conf->password || pl_str_copy(pl_str_of(conf->password), r->at.password, sizeof r->at.password));
    pl_err err = fits ? pl_share_new(&r->share, conf->rooms, &(pl_rand){ 0 }) : PL_EINVAL;
    if (err) {
        snprintf(say, PL_REDIS_SAY_MAX, "a Redis is redis://[USER@]HOST[:PORT][/DATABASE]");
        pl_redis_free(r);
        return err;
    }
    connect_it(r);
    *out = r;
    return PL_OK;
}

void pl_redis_free(pl_redis *r)
{
    if (!r)
        return;
    r->phase = WAITING; /* nothing is said any more */
    pl_loop_hook_remove(&r->hook);
    pl_timer_cancel(r->loop, &r->timer);
    pl_timer_cancel(r->loop, &r->read_timer);
    pl_resolve_cancel(r->resolve);
    close_context(&r->asks);
    close_context(&r->reads);
    pl_share_free(r->share);
    pl_wipe(r->at.password, sizeof r->at.password);
    free(r);
}

bool pl_redis_is_idle(const pl_redis *r)
{
    return r->phase != RUNNING || pl_share_is_idle(r->share);
}

const pl_share_stats *pl_redis_get_stats(const pl_redis *r)
{
    return pl_share_get_stats(r->share);
}
