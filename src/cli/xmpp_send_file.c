/* peerline xmpp send-file: files to one device of an account, one after the other, each until it is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/xmpp_files.h"
#include "net/loop.h"

enum { PIECE = 256 << 10, HASH_PIECES = 16, AGAIN_US = 1000000 };

typedef enum phase {
    HASHING,
    LOOKING, /* for a device that takes files */
    OFFERED,
    FLOWING,
    DONE
} phase;

static struct {
    xmpp_session *s;
    pl_file_session *session;
    phase phase;
    int at, fd;
    pl_jid to;
    bool failed, over, was_lost, online;
    pl_jingle_reason reason;
    char why[PL_JINGLE_TEXT_MAX + 1];
    pl_jingle_file file;
    pl_sha256_run run;
    uint64_t offset; /* hashed, or written to the session */
    uint64_t agreed;
    int64_t give_up_us, again_us, bar_us;
    uint8_t piece[PIECE];
    char hex[2 * PL_SHA256_LEN + 1];
} me = { .fd = -1 };

static const char *path(void)
{
    return me.s->args[1 + me.at];
}

/* ---- one file after the other ---- */

static void next_file(void);

static void file_over(bool good, const char *why)
{
    if (!good) {
        me.failed = true;
        xmpp_failed(me.s, path(), why);
    }
    if (me.fd >= 0)
        close(me.fd);
    me.fd = -1;
    me.at++;
    next_file();
}

static void next_file(void)
{
    struct stat st;
    if (me.at + 1 >= me.s->n_args) {
        me.phase = DONE;
        return;
    }
    const char *slash = strrchr(path(), '/'), *name = slash ? slash + 1 : path();
    me.file = (pl_jingle_file){ .has_size = true, .has_range = true };
    me.was_lost = false;
    me.offset = 0;
    pl_sha256_begin(&me.run);
    me.phase = HASHING;
    me.fd = open(path(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (me.fd < 0 || fstat(me.fd, &st))
        file_over(false, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        file_over(false, "is no file");
    else if (!pl_str_copy(pl_str_of(name), me.file.name, sizeof me.file.name))
        file_over(false, "its name is too long");
    else
        me.file.size = (uint64_t)st.st_size;
}

static long read_at(uint64_t offset, size_t cap)
{
    for (;;) {
        ssize_t n = pread(me.fd, me.piece, cap < PIECE ? cap : PIECE, (off_t)offset);
        if (n >= 0 || errno != EINTR)
            return (long)n;
    }
}

static void hash_some(void)
{
    uint8_t hash[PL_SHA256_LEN];
    for (int i = 0; i < HASH_PIECES && me.offset < me.file.size; i++) {
        long n = read_at(me.offset, PIECE);
        if (n <= 0) {
            file_over(false, n ? strerror(errno) : "became shorter");
            return;
        }
        pl_sha256_more(&me.run, me.piece, (size_t)n);
        me.offset += (uint64_t)n;
    }
    if (me.offset < me.file.size)
        return;
    pl_sha256_so_far(&me.run, hash);
    pl_files_hex(hash, sizeof hash, me.hex);
    (void)pl_jingle_file_add_hash(&me.file, "sha-256", hash, sizeof hash);
    me.phase = LOOKING;
    me.again_us = 0;
    me.give_up_us = pl_clock_us() + (int64_t)(xmpp_opt.patience_s * 1e6);
}

/* ---- the session ---- */

static void send_some(void)
{
    while (me.offset < me.agreed && !me.over) {
        uint64_t left = me.agreed - me.offset;
        long n = read_at(me.offset, left < PIECE ? (size_t)left : PIECE);
        if (n <= 0) {
            pl_file_session_end(me.session, PL_JINGLE_FAILED_APPLICATION, "the file became shorter");
            return;
        }
        size_t taken = pl_file_session_write_bytes(me.session, me.piece, (size_t)n);
        me.offset += taken;
        if (taken < (size_t)n)
            return;
    }
}

static void progress_of(pl_transfer_progress *p)
{
    *p = (pl_transfer_progress){
        .total = me.file.size, .done = me.offset, .n_files = 1, .index = (uint32_t)me.at
    };
}

static void on_room(void *user)
{
    pl_transfer_progress p;
    (void)user;
    if (me.phase != FLOWING) {
        me.phase = FLOWING;
        progress_of(&p);
        pl_files_rate_start(&xmpp_of_files.say, &p);
        pl_files_note(&xmpp_of_files.say, "* %s: %s", me.file.name, xmpp_files_way(me.session));
    }
    send_some();
}

static void on_wanted(void *user, uint64_t offset, uint64_t length)
{
    (void)user;
    me.offset = offset;
    me.agreed = offset + length;
    pl_files_event(
        &xmpp_of_files.say, "accepted",
        json_pack("{ss sI sb}", "name", me.file.name, "offset", (json_int_t)offset, "resumed", offset > 0));
}

static void on_over(void *user, pl_jingle_reason reason, bool by_peer, const char *text)
{
    (void)user, (void)by_peer;
    me.over = true;
    me.reason = reason;
    snprintf(me.why, sizeof me.why, "%s", xmpp_files_why(reason, text));
}

static void offer_to(const char *device)
{
    char size[PL_FILES_AMOUNT_MAX];
    pl_file_session_conf conf = xmpp_files_conf();
    conf.wanted = on_wanted;
    conf.room = on_room;
    conf.over = on_over;
    me.again_us = pl_clock_us() + AGAIN_US;
    pl_err err = pl_file_session_offer(&me.session, &conf, device, &me.file);
    if (err == PL_ESTATE)
        return; /* the account is on its way back */
    if (err) {
        file_over(false, pl_err_str(err));
        return;
    }
    me.phase = OFFERED;
    pl_files_note(&xmpp_of_files.say, "* offering %s (%s) to %s", me.file.name,
                  pl_files_amount(me.file.size, size), device);
    pl_files_event(&xmpp_of_files.say, "offer",
                   json_pack("{ss ss sI ss}", "to", device, "name", me.file.name, "size",
                             (json_int_t)me.file.size, "sha256", me.hex));
}

/* The best device that says it takes files; a full address is taken at its word. */
static const char *device(void)
{
    if (me.to.resource_n)
        return me.to.text;
    for (const pl_device *d = NULL; (d = pl_presence_next(me.s->presence, me.to.text, d));) {
        if (pl_caps_can(me.s->caps, d->jid, PL_NS_JINGLE_FILE) == PL_CAN)
            return d->jid;
    }
    return NULL;
}

static void look(void)
{
    const char *to = me.online && pl_clock_us() >= me.again_us ? device() : NULL;
    bool proxy_known = !xmpp_of_files.proxy || pl_byte_proxy_search_done(xmpp_of_files.proxy);
    if (to && proxy_known)
        offer_to(to);
    else if (pl_clock_us() >= me.give_up_us)
        file_over(false, "nobody there takes files: a contact who is online, or a full address, is needed");
}

static void say_sent(void)
{
    pl_files_note(&xmpp_of_files.say, "%s  %s", me.hex, me.file.name);
    pl_files_event(&xmpp_of_files.say, "stored",
                   json_pack("{ss ss ss ss}", "name", me.file.name, "status", "whole", "sha256", me.hex,
                             "way", xmpp_files_way(me.session)));
}

static void session_over(void)
{
    bool flowed = me.phase == FLOWING;
    bool again = me.reason != PL_JINGLE_SUCCESS && xmpp_files_may_pass(me.reason) &&
                 (flowed || me.was_lost || me.reason == PL_JINGLE_BUSY);
    if (me.reason == PL_JINGLE_SUCCESS)
        say_sent();
    pl_file_session_free(me.session);
    me.session = NULL;
    me.over = false;
    if (again) {
        me.was_lost = true;
        me.phase = LOOKING;
        me.again_us = pl_clock_us() + AGAIN_US;
        if (flowed)
            me.give_up_us = pl_clock_us() + (int64_t)(xmpp_opt.patience_s * 1e6);
        pl_files_note(&xmpp_of_files.say, "* %s; trying again", me.why);
        pl_files_event(&xmpp_of_files.say, "lost", json_pack("{ss}", "why", me.why));
    } else {
        file_over(me.reason == PL_JINGLE_SUCCESS, me.why);
    }
}

/* ---- the action ---- */

static void send_begin(xmpp_session *s)
{
    me.s = s;
    if (pl_jid_parse(&me.to, pl_str_of(s->args[0]))) {
        xmpp_failed(s, s->args[0], "is no address");
        s->code = PL_EXIT_USAGE;
        s->closed = true;
        return;
    }
    if (!xmpp_files_begin(s, NULL)) {
        s->closed = true;
        return;
    }
    next_file();
}

static void send_opened(xmpp_session *s, bool again)
{
    (void)s;
    me.online = true;
    xmpp_files_opened(again);
}

static int64_t send_due_us(xmpp_session *s)
{
    (void)s;
    int64_t at_us = me.s && xmpp_of_files.jingle ? xmpp_files_due_us() : PL_NEVER;
    if (me.phase == HASHING || me.phase == DONE || me.over)
        return 0;
    if (me.phase == LOOKING)
        at_us = pl_min_us(at_us, pl_clock_us() + AGAIN_US / 10);
    return me.phase == FLOWING ? pl_min_us(at_us, me.bar_us) : at_us;
}

static void send_turned(xmpp_session *s)
{
    pl_transfer_progress p;
    if (s->finishing || s->closed || !xmpp_of_files.jingle)
        return;
    xmpp_files_turned();
    if (me.over)
        session_over();
    if (me.phase == HASHING)
        hash_some();
    if (me.phase == LOOKING)
        look();
    if (me.phase == FLOWING) {
        progress_of(&p);
        me.bar_us = pl_files_progress(&xmpp_of_files.say, &p, pl_str_of(me.file.name));
    }
    if (me.phase == DONE)
        xmpp_finish(s, me.failed ? PL_EXIT_FAILED : PL_EXIT_OK);
}

static void send_finishing(xmpp_session *s)
{
    (void)s;
    pl_file_session_free(me.session);
    me.session = NULL;
}

static void send_end(xmpp_session *s)
{
    (void)s;
    pl_file_session_free(me.session);
    if (me.fd >= 0)
        close(me.fd);
    xmpp_files_end();
}

const xmpp_action xmpp_send_file = { .seen = true,
                                     .no_input = true,
                                     .begin = send_begin,
                                     .end = send_end,
                                     .opened = send_opened,
                                     .due_us = send_due_us,
                                     .turned = send_turned,
                                     .finishing = send_finishing };
