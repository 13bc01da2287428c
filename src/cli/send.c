/* send - files, folders or standard input to one other terminal or page, over a data channel. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/files_run.h"
#include "cli/files_tree.h"
#include "cli/options.h"
#include "cli/process.h"
#include "net/loop.h"
#include "transfer/words.h"

enum {
    CHECKS_A_ROUND = 8, /* MiB hashed of what the receiver has, before the network has its turn */
    ARGS_MAX = 4096
};

static pl_files_options opt = { .patience_s = 3600 };
static struct {
    const char *to, *room;
} where;

static struct {
    pl_files_run run;
    pl_files_tree tree;
    pl_transfer_sender *sender;
    uint8_t *block; /* with room in front */
    bool stream, stream_wanted, more, flowing;
    size_t stream_max;
    char code[PL_TRANSFER_CODE_MAX], id[2 * PL_TRANSFER_ID_LEN + 1];
    int terminal; /* where people paste when standard input is sent, or -1 */
    bool done;
} me = { .terminal = -1 };

/* ---- the transfer ---- */

static pl_transfer_entry entry(uint32_t index)
{
    const pl_transfer_manifest *m = pl_transfer_sender_manifest(me.sender);
    return pl_transfer_manifest_get(m, index < m->n ? index : m->n - 1);
}

static const char *const status_words[] = { "whole", "damaged on its way", "could not be written there",
                                            "could not be read" };

static void say_stored(const pl_transfer_sender_event *e)
{
    char hex[2 * PL_SHA256_LEN + 1];
    pl_str path = entry(e->index).path;
    pl_files_hex(e->sha256, PL_SHA256_LEN, hex);
    if (e->code == PL_TRANSFER_WHOLE)
        pl_files_note(&me.run.say, "%s  %.*s", hex, (int)path.n, path.p);
    else
        pl_files_tell(&me.run.say, "%.*s: %s", (int)path.n, path.p, status_words[e->code]);
    pl_files_event(&me.run.say, "stored",
                   json_pack("{ss% ss ss}", "name", path.p, path.n, "status",
                             e->code == PL_TRANSFER_WHOLE ? "whole" : status_words[e->code], "sha256", hex));
}

static void say_failed(const pl_transfer_sender_event *e)
{
    char text[400];
    const char *who = e->theirs ? "the other side" : "this side";
    if (e->theirs && e->code == PL_TRANSFER_DECLINED)
        snprintf(text, sizeof text, "declined%s%s", e->text[0] ? ": " : "", e->text);
    else
        snprintf(text, sizeof text, "%s: %s%s%s", who, pl_transfer_code_str(e->code), e->text[0] ? ": " : "",
                 e->text);
    pl_files_run_end(&me.run, text);
}

static void hear(void)
{
    pl_transfer_sender_event e;
    pl_transfer_progress p;
    char amount[PL_FILES_AMOUNT_MAX];
    while (pl_transfer_sender_poll_event(me.sender, &e)) {
        switch (e.kind) {
        case PL_TRANSFER_SENDER_ACCEPTED:
            me.flowing = true;
            pl_transfer_sender_progress(me.sender, &p);
            pl_files_rate_start(&me.run.say, &p);
            if (e.bytes)
                pl_files_note(&me.run.say, "* the other side has %s already: checking",
                              pl_files_amount(e.bytes, amount));
            pl_files_event(&me.run.say, "accepted", json_pack("{sI}", "have", (json_int_t)e.bytes));
            break;
        case PL_TRANSFER_SENDER_BEGINS:
            pl_files_event(&me.run.say, "file",
                           json_pack("{ss% sI sb}", "name", entry(e.index).path.p, entry(e.index).path.n,
                                     "offset", (json_int_t)e.bytes, "resumed", e.resumed));
            break;
        case PL_TRANSFER_SENDER_STORED: say_stored(&e); break;
        case PL_TRANSFER_SENDER_DONE:
            me.done = true;
            pl_files_run_end(&me.run, NULL);
            break;
        case PL_TRANSFER_SENDER_FAILED: say_failed(&e); break;
        }
    }
}

/* One piece for the core. False: standard input has nothing yet. */
static bool read_for(const pl_transfer_want *w)
{
    uint8_t *at = me.block + PL_TRANSFER_HEADROOM;
    if (w->stream) { /* read when poll says so */
        me.stream_wanted = true;
        me.stream_max = w->max;
        return false;
    }
    long n = pl_files_tree_read(&me.tree, w->index, w->offset, at, w->max);
    if (n < 0)
        pl_transfer_sender_unreadable(me.sender, w->index, me.tree.error);
    else
        pl_transfer_sender_read(me.sender, at, (size_t)n);
    return true;
}

/* From the disk to the channel until one of them has enough; what takes long is left for the next round. */
static void pump(void)
{
    pl_files_link *link = pl_files_meet_link(me.run.meet);
    pl_transfer_want w;
    pl_transfer_output o;
    me.more = me.stream_wanted = false;
    for (int n_checks = 0; link && !me.more;) {
        bool wanted = pl_transfer_sender_want(me.sender, &w) && read_for(&w);
        bool any = pl_transfer_sender_poll_output(me.sender, &o);
        if (any && pl_files_link_send(link, o.data, o.len))
            break; /* `writable` comes, or the end of the link */
        if (any)
            pl_transfer_sender_sent(me.sender);
        if (!any && !wanted)
            break;
        me.more = !any && ++n_checks == CHECKS_A_ROUND;
    }
    hear();
}

static void read_stream(void)
{
    uint8_t *at = me.block + PL_TRANSFER_HEADROOM;
    ssize_t n = read(STDIN_FILENO, at, me.stream_max);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0)
        pl_transfer_sender_unreadable(me.sender, 0, strerror(errno));
    else
        pl_transfer_sender_read(me.sender, at, (size_t)n);
    pump();
}

/* ---- the other side ---- */

static void on_opened(void *user, const char *peer)
{
    pl_files_link *link = pl_files_meet_link(me.run.meet);
    (void)user;
    if (pl_transfer_sender_start(me.sender, pl_files_link_message_max(link))) {
        pl_files_run_end(&me.run, "the other side takes too short messages");
        return;
    }
    pl_files_run_opened(&me.run, peer);
    pump();
}

static void on_message(void *user, const uint8_t *data, size_t len)
{
    (void)user;
    pl_transfer_sender_input(me.sender, data, len);
    pump();
}

static void on_writable(void *user)
{
    (void)user;
    pump();
}

static void on_lost(void *user, const char *why)
{
    (void)user;
    pl_files_run_lost(&me.run, why, me.flowing);
    me.flowing = false;
}

/* ---- the run ---- */

static void on_line(void *user, char *text, size_t len)
{
    (void)user;
    pl_files_run_paste(&me.run, text, len);
}

static void say_how(void)
{
    char amount[PL_FILES_AMOUNT_MAX];
    const pl_transfer_manifest *m = pl_transfer_sender_manifest(me.sender);
    pl_files_note(&me.run.say, me.stream ? "Sending standard input" : "Sending %u file%s, %s",
                  (unsigned)m->n_files, m->n_files == 1 ? "" : "s", pl_files_amount(m->total, amount));
    pl_files_event(
        &me.run.say, "offer",
        json_pack("{si sI ss}", "files", (int)m->n_files, "bytes", (json_int_t)m->total, "id", me.id));
    if (me.code[0]) {
        bool usual = strcmp(me.run.opt->server, PL_FILES_SERVER) == 0;
        pl_files_tell(&me.run.say, "Run this on the other machine:\n\n    peerline receive %s%s%s%s\n",
                      usual ? "" : "--server ", usual ? "" : me.run.opt->server, usual ? "" : " ", me.code);
        pl_files_event(&me.run.say, "code", json_pack("{ss}", "code", me.code));
    } else if (where.to) {
        pl_files_note(&me.run.say, "* waiting for %s", where.to);
    }
}

static void on_left_out(const char *text)
{
    if (!opt.quiet)
        pl_complain(&pl_cmd_send, "%s", text);
}

static bool add_all(int n_args, char **args)
{
    pl_transfer_sender_conf conf = { .rand = { NULL } };
    if (pl_transfer_sender_new(&me.sender, &conf))
        return false;
    pl_files_tree_init(&me.tree, me.sender, on_left_out);
    for (int i = 0; i < n_args; i++) {
        if (!pl_files_tree_add(&me.tree, args[i])) {
            pl_complain(&pl_cmd_send, "%s", me.tree.error);
            return false;
        }
        me.stream |= strcmp(args[i], "-") == 0;
    }
    pl_files_hex(pl_transfer_sender_id(me.sender), PL_TRANSFER_ID_LEN, me.id);
    if (me.stream && n_args > 1) {
        pl_complain(&pl_cmd_send, "standard input is sent alone");
        return false;
    }
    return pl_transfer_sender_manifest(me.sender)->n > 0;
}

static int check_options(void)
{
    int n = (where.to != NULL) + (where.room != NULL) + opt.paste;
    if (n > 1) {
        pl_complain(&pl_cmd_send, "say one of --to, --room and --code");
        return PL_EXIT_USAGE;
    }
    if (where.room && !pl_transfer_code_read(me.code, pl_str_of(where.room))) {
        pl_complain(&pl_cmd_send, "--room wants a number and words, such as 7-crossover-clock, not '%s'",
                    where.room);
        return PL_EXIT_USAGE;
    }
    if (!where.room && !where.to && !opt.paste)
        pl_transfer_code_make(me.code, &(pl_rand){ NULL });
    return PL_EXIT_OK;
}

static void tell_stop(void)
{
    pl_transfer_output o;
    pl_files_link *link = pl_files_meet_link(me.run.meet);
    pl_transfer_sender_cancel(me.sender, PL_TRANSFER_STOPPED, "");
    if (link && pl_transfer_sender_poll_output(me.sender, &o) && !pl_files_link_send(link, o.data, o.len))
        pl_transfer_sender_sent(me.sender);
    pl_files_run_end(&me.run, "stopped; what has arrived is kept there, and need not be sent again");
}

static void send_all(void)
{
    pl_transfer_progress p;
    while (!me.run.over) {
        pl_lines_also also = { .fd = me.stream_wanted ? STDIN_FILENO : -1 };
        int64_t at_us = PL_NEVER;
        pl_transfer_sender_progress(me.sender, &p);
        if (me.flowing)
            at_us = pl_files_progress(&me.run.say, &p, entry(p.index).path);
        pl_files_run_wait(&me.run, &also, me.more ? 0 : at_us);
        if (pl_told_to_stop() && !me.run.over)
            tell_stop();
        else if (also.ready && me.stream_wanted)
            read_stream();
        else if (me.more)
            pump();
    }
}

static int run(int n_args, char **args)
{
    pl_files_meet_conf conf = { .sender = true,
                                .to = where.to,
                                .id = me.id,
                                .opened = on_opened,
                                .message = on_message,
                                .writable = on_writable,
                                .lost = on_lost };
    pl_transfer_progress p = { .total = 0 };
    int code = check_options();
    if (code)
        return code;
    me.block = malloc(PL_TRANSFER_HEADROOM + PL_TRANSFER_BLOCK);
    bool ready = me.block && add_all(n_args, args);
    if (me.stream && opt.paste)
        me.terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC);
    me.run.codes = opt.paste;
    me.run.in.line = on_line;
    if (ready)
        code = pl_files_run_open(&me.run, &pl_cmd_send, &opt,
                                 !opt.paste  ? -1
                                 : me.stream ? me.terminal
                                             : STDIN_FILENO);
    if (ready && !code) {
        conf.code = me.code[0] ? me.code : NULL;
        say_how();
        code = pl_files_run_meet(&me.run, conf);
    }
    if (ready && !code)
        send_all();
    if (ready && me.sender)
        pl_transfer_sender_progress(me.sender, &p);
    int end = pl_files_run_close(&me.run, &p, me.done);
    if (!ready || me.tree.n_missed)
        end = PL_EXIT_FAILED;
    pl_files_tree_clear(&me.tree);
    pl_transfer_sender_free(me.sender);
    free(me.block);
    if (me.terminal >= 0)
        close(me.terminal);
    return code ? code : end;
}

static const pl_opt options[] = {
    { "to", PL_OPT_TEXT, &where.to, "NAME",
      "To whoever has this name in the server's common room: a page, or `peerline receive --name NAME`.", 0,
      0 },
    { "room", PL_OPT_TEXT, &where.room, "CODE", "Use this code again, rather than a new one.", 0, 0 },
    { "code", PL_OPT_FLAG, &opt.paste, NULL,
      "Without a server: print a long code to be pasted at the other side, and read its answer. When the "
      "connection breaks, run both sides again with new codes.",
      0, 0 },
    PL_FILES_OPTIONS(opt),
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_send = {
    .name = "send",
    .summary = "send files, folders or standard input to another terminal or a page",
    .args = "PATH...",
    .min_args = 1,
    .max_args = ARGS_MAX,
    .opts = options,
    .run = run,
    .details =
        "Prints a code such as 7-crossover-clock-table; `peerline receive 7-crossover-clock-table` on the "
        "other "
        "machine gets the files, directly from this one. The code is the name of a room at the server, where "
        "the "
        "two find each other; its STUN (port 3478) is used, too, unless --ice-server says otherwise. What is "
        "sent is encrypted between the two; both sides show 20 digits, which "
        "are "
        "equal when not even the server stands between.\n\n"
        "PATH is a file, a folder with all in it (without symbolic links), or - for standard input. When the "
        "connection breaks, both sides find each other again and go on where they were; also after one of "
        "them was "
        "started again (the sender with --room). What was received before is checked by its hash first. At "
        "the "
        "end the SHA-256 of each file is printed, which both sides have compared.\n\n"
        "With --json every line is an object with \"event\": offer, code, connected, accepted, file, "
        "progress, "
        "stored, lost, error, end.\n\n"
        "Exit status: 0 when every file has arrived, 1 when one has not, 2 for a wrong option.",
};
