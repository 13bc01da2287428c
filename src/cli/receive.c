/* receive - what `send` or a page sends, into a folder or to standard output. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/files_code.h"
#include "cli/files_disk.h"
#include "cli/files_pipe.h"
#include "cli/files_run.h"
#include "cli/options.h"
#include "cli/process.h"
#include "net/loop.h"
#include "transfer/words.h"

enum { NAMES_SHOWN = 10, PIPE_WINDOW = 16 << 20 };

static pl_files_options opt = { .patience_s = 3600 };
static struct {
    const char *dir;
    bool yes, overwrite;
} where = { .dir = "." };

static struct {
    pl_files_run run;
    pl_files_disk disk;
    pl_files_pipe pipe;
    pl_transfer_receiver *receiver;
    bool to_pipe, looking, asking, flowing, done, store_due;
    char code[PL_TRANSFER_CODE_MAX], peer[PL_ROOM_NAME_LEN];
} me;

static void flush_output(void)
{
    pl_files_link *link = pl_files_meet_link(me.run.meet);
    pl_transfer_output o;
    while (link && pl_transfer_receiver_poll_output(me.receiver, &o) &&
           !pl_files_link_send(link, o.data, o.len))
        pl_transfer_receiver_sent(me.receiver);
}

static pl_transfer_entry entry(uint32_t index)
{
    return pl_transfer_manifest_get(pl_transfer_receiver_manifest(me.receiver), index);
}

/* Ends it, and tells the other side. */
static void refuse(pl_transfer_code code, const char *why)
{
    pl_transfer_receiver_cancel(me.receiver, code, why);
    flush_output();
    pl_files_run_end(&me.run, why);
}

/* ---- what is offered ---- */

static void show_offer(void)
{
    char amount[PL_FILES_AMOUNT_MAX];
    const pl_transfer_manifest *m = pl_transfer_receiver_manifest(me.receiver);
    bool stream = entry(0).kind == PL_TRANSFER_STREAM;
    pl_files_note(&me.run.say, stream ? "%s%sa stream" : "%s%s%u file%s, %s", me.peer,
                  me.peer[0] ? " offers " : "Offered: ", (unsigned)m->n_files, m->n_files == 1 ? "" : "s",
                  pl_files_amount(m->total, amount));
    for (uint32_t i = 0; i < m->n && i < NAMES_SHOWN && !stream; i++) {
        pl_transfer_entry e = entry(i);
        pl_files_note(&me.run.say, "    %.*s%s  %s", (int)e.path.n, e.path.p,
                      e.kind == PL_TRANSFER_FOLDER ? "/" : "",
                      e.kind == PL_TRANSFER_FILE ? pl_files_amount(e.size, amount) : "");
    }
    if (m->n > NAMES_SHOWN)
        pl_files_note(&me.run.say, "    and %u more", (unsigned)(m->n - NAMES_SHOWN));
    pl_files_event(
        &me.run.say, "offer",
        json_pack("{ss si sI}", "peer", me.peer, "files", (int)m->n_files, "bytes", (json_int_t)m->total));
}

static void accept_offer(void)
{
    pl_transfer_progress p;
    if (!me.to_pipe && !pl_files_disk_has_room(&me.disk)) {
        refuse(PL_TRANSFER_NO_SPACE, me.disk.error);
        return;
    }
    if (!me.to_pipe && !pl_files_disk_make_folders(&me.disk)) {
        refuse(PL_TRANSFER_FAILED, me.disk.error);
        return;
    }
    if (pl_transfer_receiver_accept(me.receiver))
        return;
    me.flowing = true;
    pl_transfer_receiver_progress(me.receiver, &p);
    pl_files_rate_start(&me.run.say, &p);
    pl_files_event(&me.run.say, "accepted", NULL);
    flush_output();
}

static void taken(void)
{
    me.asking = false;
    me.looking = !me.to_pipe;
    if (me.to_pipe)
        accept_offer();
}

static void ask(void)
{
    if (where.yes || me.to_pipe) {
        taken();
    } else if (me.run.in.fd < 0 || !isatty(me.run.in.fd)) {
        refuse(PL_TRANSFER_DECLINED,
               "nobody can be asked: standard input is no terminal, and --yes was not said");
    } else {
        me.asking = true;
        pl_files_tell(&me.run.say, "Accept? [y/N]");
    }
}

static void on_offer(bool again)
{
    const pl_transfer_manifest *m = pl_transfer_receiver_manifest(me.receiver);
    if (again) { /* everything is as it was, the open file, too */
        accept_offer();
        return;
    }
    show_offer();
    if (me.to_pipe && (m->n != 1 || entry(0).kind == PL_TRANSFER_FOLDER))
        refuse(PL_TRANSFER_REFUSED, "only one file can go to standard output");
    else if (!me.to_pipe && !pl_files_disk_begin(&me.disk, me.receiver))
        refuse(PL_TRANSFER_FAILED, me.disk.error);
    else
        ask();
}

/* ---- files ---- */

static void bad_file(uint32_t index, const char *why)
{
    pl_files_tell(&me.run.say, "%s", why);
    pl_files_event(&me.run.say, "error", json_pack("{ss}", "message", why));
    pl_transfer_receiver_stored(me.receiver, index, PL_TRANSFER_UNWRITTEN, why);
}

static void on_begins(const pl_transfer_receiver_event *e)
{
    pl_str path = entry(e->index).path;
    bool had = !me.to_pipe && me.disk.found[e->index] && e->offset == 0;
    if (had)
        pl_files_note(&me.run.say, "* %.*s: what is here is another or damaged: from the start", (int)path.n,
                      path.p);
    pl_files_event(&me.run.say, "file",
                   json_pack("{ss% sI sb}", "name", path.p, path.n, "offset", (json_int_t)e->offset,
                             "resumed", e->offset > 0));
    if (me.to_pipe) {
        if (e->offset != me.pipe.came)
            refuse(PL_TRANSFER_FAILED, "what was written to standard output cannot be taken back");
        return;
    }
    if (!pl_files_disk_open(&me.disk, e->index, e->offset))
        bad_file(e->index, me.disk.error);
}

static void on_data(const pl_transfer_receiver_event *e)
{
    if (me.to_pipe) {
        if (!pl_files_pipe_add(&me.pipe, e->data, e->len))
            refuse(PL_TRANSFER_FAILED, "no memory");
        return;
    }
    if (!pl_files_disk_write(&me.disk, e->data, e->len))
        bad_file(e->index, me.disk.error);
    pl_transfer_receiver_written(me.receiver, e->len);
}

static void say_stored(uint32_t index, const char *as, const uint8_t sha256[PL_SHA256_LEN])
{
    char hex[2 * PL_SHA256_LEN + 1];
    pl_str path = entry(index).path;
    pl_files_note(&me.run.say, "%s  %s", pl_files_hex(sha256, PL_SHA256_LEN, hex), as);
    pl_files_event(
        &me.run.say, "stored",
        json_pack("{ss% ss ss ss}", "name", path.p, path.n, "status", "whole", "as", as, "sha256", hex));
}

/* What goes to a pipe is stored when the last byte has left. */
static void pipe_ended(void)
{
    if (!me.store_due || !pl_files_pipe_empty(&me.pipe))
        return;
    me.store_due = false;
    say_stored(0, "standard output", me.pipe.sha256);
    pl_transfer_receiver_stored(me.receiver, 0, PL_TRANSFER_WHOLE, NULL);
    flush_output();
}

static void on_end(const pl_transfer_receiver_event *e)
{
    pl_str path = entry(e->index).path;
    if (!e->whole) {
        pl_files_tell(&me.run.say, "%.*s: its checksum is wrong: thrown away", (int)path.n, path.p);
        pl_files_event(&me.run.say, "stored",
                       json_pack("{ss% ss}", "name", path.p, path.n, "status", "damaged"));
    }
    if (me.to_pipe) {
        memcpy(me.pipe.sha256, e->sha256, sizeof me.pipe.sha256);
        me.store_due = e->whole;
        pipe_ended();
    } else if (!pl_files_disk_store(&me.disk, e->whole)) {
        bad_file(e->index, me.disk.error);
    } else if (e->whole) {
        pl_transfer_receiver_stored(me.receiver, e->index, PL_TRANSFER_WHOLE, NULL);
        say_stored(e->index, me.disk.stored_as, e->sha256);
    }
}

static void on_missing(const pl_transfer_receiver_event *e)
{
    pl_str path = entry(e->index).path;
    pl_files_tell(&me.run.say, "%.*s: the other side cannot read it%s%s", (int)path.n, path.p,
                  e->text[0] ? ": " : "", e->text);
    pl_files_event(&me.run.say, "stored", json_pack("{ss% ss}", "name", path.p, path.n, "status", "unread"));
    if (!me.to_pipe)
        pl_files_disk_leave(&me.disk);
}

static void on_failed(const pl_transfer_receiver_event *e)
{
    char text[400];
    snprintf(text, sizeof text, "%s: %s%s%s", e->theirs ? "the other side" : "what came was refused",
             pl_transfer_code_str(e->code), e->text[0] ? ": " : "", e->text);
    pl_files_run_end(&me.run, text);
}

static void hear(void)
{
    pl_transfer_receiver_event e;
    while (pl_transfer_receiver_poll_event(me.receiver, &e)) {
        switch (e.kind) {
        case PL_TRANSFER_RECEIVER_OFFER: on_offer(e.again); break;
        case PL_TRANSFER_RECEIVER_BEGINS: on_begins(&e); break;
        case PL_TRANSFER_RECEIVER_DATA: on_data(&e); break;
        case PL_TRANSFER_RECEIVER_END: on_end(&e); break;
        case PL_TRANSFER_RECEIVER_MISSING: on_missing(&e); break;
        case PL_TRANSFER_RECEIVER_DONE:
            me.done = true;
            pl_files_run_end(&me.run, NULL);
            break;
        case PL_TRANSFER_RECEIVER_FAILED: on_failed(&e); break;
        }
    }
}

/* ---- the other side ---- */

static void on_opened(void *user, const char *peer)
{
    pl_files_link *link = pl_files_meet_link(me.run.meet);
    (void)user;
    me.looking = me.asking = false;
    snprintf(me.peer, sizeof me.peer, "%s", peer);
    if (pl_transfer_receiver_start(me.receiver, pl_files_link_message_max(link))) {
        pl_files_run_end(&me.run, "the other side takes too short messages");
        return;
    }
    pl_files_run_opened(&me.run, peer);
}

static void on_message(void *user, const uint8_t *data, size_t len)
{
    (void)user;
    pl_transfer_receiver_input(me.receiver, data, len);
    hear();
    flush_output();
}

static void on_writable(void *user)
{
    (void)user;
    flush_output();
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
    if (!me.asking)
        return;
    if (len && (text[0] == 'y' || text[0] == 'Y'))
        taken();
    else
        refuse(PL_TRANSFER_DECLINED, "declined");
}

static void look(void)
{
    if (pl_files_disk_look(&me.disk))
        return;
    me.looking = false;
    accept_offer();
}

static void write_pipe(void)
{
    uint64_t n = pl_files_pipe_write(&me.pipe);
    if (me.pipe.failed) {
        refuse(PL_TRANSFER_STOPPED, "standard output takes no more");
        return;
    }
    pl_transfer_receiver_written(me.receiver, n);
    pipe_ended();
    flush_output();
}

static void tell_stop(void)
{
    refuse(PL_TRANSFER_STOPPED, "stopped");
    if (!me.to_pipe && me.flowing)
        pl_files_tell(&me.run.say,
                      "What has arrived is kept as NAME" PL_TRANSFER_PARTIAL " and need not be sent again.");
}

static void receive_all(void)
{
    pl_transfer_progress p;
    while (!me.run.over) {
        pl_lines_also also = { .fd = me.to_pipe && !pl_files_pipe_empty(&me.pipe) ? STDOUT_FILENO : -1,
                               .to_write = true };
        int64_t at_us = PL_NEVER;
        pl_transfer_receiver_progress(me.receiver, &p);
        if (me.flowing && p.n_files)
            at_us = pl_files_progress(&me.run.say, &p, entry(p.index).path);
        pl_files_run_wait(&me.run, &also, me.looking ? 0 : at_us);
        if (me.run.over)
            break;
        if (pl_told_to_stop())
            tell_stop();
        else if (also.ready)
            write_pipe();
        else if (me.looking)
            look();
    }
}

/* What the argument is: a code to paste, a code of a room, or nothing. */
static int read_argument(int n_args, char **args)
{
    if (!n_args)
        return PL_EXIT_OK;
    if (strstr(args[0], PL_FILES_CODE_MARK)) {
        me.run.codes = true;
        return PL_EXIT_OK;
    }
    if (pl_transfer_code_read(me.code, pl_str_of(args[0])))
        return PL_EXIT_OK;
    pl_complain(&pl_cmd_receive, "'%s' is no code: it looks like 7-crossover-clock-table", args[0]);
    return PL_EXIT_USAGE;
}

static int open_all(int n_args, char **args)
{
    pl_transfer_receiver_conf conf = { .window = 0 };
    pl_files_meet_conf meet = { .code = me.code[0] ? me.code : NULL,
                                .opened = on_opened,
                                .message = on_message,
                                .writable = on_writable,
                                .lost = on_lost };
    me.to_pipe = strcmp(where.dir, "-") == 0;
    if (me.to_pipe && opt.json) {
        pl_complain(&pl_cmd_receive, "--json and --dir - both want standard output");
        return PL_EXIT_USAGE;
    }
    conf.window = me.to_pipe ? PIPE_WINDOW : 0;
    if (pl_transfer_receiver_new(&me.receiver, &conf))
        return PL_EXIT_FAILED;
    if (me.to_pipe)
        pl_files_pipe_init(&me.pipe, STDOUT_FILENO, PIPE_WINDOW);
    else if (!pl_files_disk_init(&me.disk, where.dir, where.overwrite)) {
        pl_complain(&pl_cmd_receive, "%s", me.disk.error);
        return PL_EXIT_FAILED;
    }
    me.run.in.line = on_line;
    int code = pl_files_run_open(&me.run, &pl_cmd_receive, &opt, isatty(STDIN_FILENO) ? STDIN_FILENO : -1);
    if (code)
        return code;
    if (!me.run.codes)
        pl_files_note(&me.run.say, me.code[0] ? "* waiting for the sender" : "* waiting for a sender as %s",
                      me.run.name);
    code = pl_files_run_meet(&me.run, meet);
    if (!code && me.run.codes && pl_files_meet_paste(me.run.meet, args[n_args - 1])) {
        pl_complain(&pl_cmd_receive, "the code is damaged, or not the whole of it is there");
        return PL_EXIT_USAGE;
    }
    return code;
}

static int run(int n_args, char **args)
{
    pl_transfer_progress p = { .total = 0 };
    int code = read_argument(n_args, args);
    if (code)
        return code;
    code = open_all(n_args, args);
    if (!code)
        receive_all();
    if (me.done && !me.to_pipe)
        pl_files_disk_finish(&me.disk);
    if (me.receiver)
        pl_transfer_receiver_progress(me.receiver, &p);
    if (code) { /* already said why */
        pl_files_meet_free(me.run.meet);
        me.run.meet = NULL;
    }
    int end = pl_files_run_close(&me.run, &p, false);
    pl_files_disk_clear(&me.disk);
    pl_files_pipe_clear(&me.pipe);
    pl_transfer_receiver_free(me.receiver);
    return code ? code : end;
}

static const pl_opt options[] = {
    { "dir", PL_OPT_TEXT, &where.dir, "FOLDER",
      "Where it goes; - writes one file or stream to standard output. Default: here.", 0, 0 },
    { "yes", PL_OPT_FLAG, &where.yes, NULL, "Accept without a question.", 0, 0 },
    { "overwrite", PL_OPT_FLAG, &where.overwrite, NULL,
      "Replace files of the same name. By default the new one becomes NAME (1).", 0, 0 },
    PL_FILES_OPTIONS(opt),
    { NULL, PL_OPT_FLAG, NULL, NULL, NULL, 0, 0 },
};

const pl_command pl_cmd_receive = {
    .name = "receive",
    .summary = "receive what `peerline send` or a page sends",
    .args = "[CODE]",
    .max_args = 1,
    .opts = options,
    .run = run,
    .details =
        "CODE is what the sender shows: a number and words, or a long code in quotes, whose answer is "
        "printed and "
        "pasted there. Without CODE whoever sends to our --name in the server's common room is heard, a "
        "page, too. "
        "On a terminal the offer is shown and a question asked; elsewhere --yes must be said.\n\n"
        "A file is NAME.part until it is whole and its SHA-256 is the sender's. When the connection breaks, "
        "both "
        "sides find each other again and go on; partial files of an earlier run, and files that are there "
        "already with the same size and time, are checked by their hash and not sent again. Symbolic links "
        "are never followed, and nothing is written outside the folder.\n\n"
        "With --json every line is an object with \"event\": code, connected, offer, accepted, file, "
        "progress, "
        "stored, lost, error, end.\n\n"
        "Exit status: 0 when every file has arrived, 1 when one has not, 2 for a wrong option or code.",
};
