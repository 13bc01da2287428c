/* peerline xmpp receive: files that contacts offer, one at a time, into a folder. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/files_disk.h"
#include "cli/xmpp_files.h"
#include "cli/xmpp_say.h"
#include "net/loop.h"

typedef enum phase {
    FREE,
    ASKING,
    SEEKING, /* what is there of it already */
    TAKING
} phase;

static struct {
    xmpp_session *s;
    pl_file_session *session;
    phase phase;
    bool over, stored;
    pl_jingle_reason reason;
    char why[PL_JINGLE_TEXT_MAX + 1];
    pl_files_disk disk;
    pl_files_found found;
    pl_transfer_manifest manifest;
    pl_jingle_file taken; /* the last that was agreed to: who comes back with it is not asked about again */
    char taken_from[PL_JINGLE_JID_MAX + 1];
    int64_t bar_us;
} me;

static const pl_jingle_file *file(void)
{
    return pl_file_session_file(me.session);
}

static void decline(const char *text)
{
    pl_file_session_end(me.session, PL_JINGLE_DECLINE, text);
}

/* ---- taking ---- */

static void disk_failed(void)
{
    me.s->failed = true;
    xmpp_failed(me.s, "disk", me.disk.error);
    pl_file_session_end(me.session, PL_JINGLE_FAILED_APPLICATION, "it cannot be stored");
}

static bool is_too_large(uint64_t size)
{
    return xmpp_opt.max_size && size > (uint64_t)xmpp_opt.max_size;
}

/* Its sender said no size, and goes on and on: what there is of it is of no use. */
static void grew_too_large(void)
{
    me.s->failed = true;
    (void)pl_files_disk_store(&me.disk, false);
    xmpp_failed(me.s, file()->name, "is larger than --max-size");
    pl_file_session_end(me.session, PL_JINGLE_CANCEL, "it is larger than what is taken here");
}

static void on_data(void *user, const uint8_t *data, size_t len)
{
    (void)user;
    if (is_too_large(me.found.n + len)) {
        grew_too_large();
        return;
    }
    pl_sha256_more(&me.found.run, data, len);
    me.found.n += len;
    if (!pl_files_disk_write(&me.disk, data, len)) {
        disk_failed();
        if (!file()->has_size) /* nobody knew that it would not fit, nor where it would go on */
            (void)pl_files_disk_store(&me.disk, false);
    }
}

static void say_stored(const char *hex, bool checked)
{
    pl_files_note(&xmpp_of_files.say, "%s  %s%s", hex, me.disk.stored_as,
                  checked ? "" : " (its sender said no hash)");
    pl_files_event(&xmpp_of_files.say, "stored",
                   json_pack("{ss ss ss ss sb ss}", "name", file()->name, "status", "whole", "as",
                             me.disk.stored_as, "sha256", hex, "checked", checked, "way",
                             xmpp_files_way(me.session)));
}

static void on_whole(void *user, const pl_jingle_hash *said)
{
    uint8_t hash[PL_SHA256_LEN];
    char hex[2 * PL_SHA256_LEN + 1];
    (void)user;
    pl_sha256_so_far(&me.found.run, hash);
    pl_files_hex(hash, sizeof hash, hex);
    bool good = !said || memcmp(said->value, hash, sizeof hash) == 0;
    if (!pl_files_disk_store(&me.disk, good)) {
        disk_failed();
        return;
    }
    if (good) {
        me.stored = true;
        say_stored(hex, said != NULL);
    } else {
        me.s->failed = true;
        pl_files_tell(&xmpp_of_files.say, "%s: its checksum is wrong: thrown away", file()->name);
        pl_files_event(&xmpp_of_files.say, "stored",
                       json_pack("{ss ss}", "name", file()->name, "status", "damaged"));
    }
    pl_file_session_finish(me.session, good);
}

static void on_over(void *user, pl_jingle_reason reason, bool by_peer, const char *text)
{
    (void)user, (void)by_peer;
    me.over = true;
    me.reason = reason;
    snprintf(me.why, sizeof me.why, "%s", xmpp_files_why(reason, text));
}

static void accept_file(void)
{
    pl_transfer_progress p = { .total = file()->size, .n_files = 1 };
    uint64_t from = 0;
    me.phase = TAKING;
    if (pl_file_session_accept(me.session, me.found.n, &from))
        return; /* over has been told */
    if (from < me.found.n) {
        me.found.n = 0;
        pl_sha256_begin(&me.found.run);
    }
    pl_files_note(&xmpp_of_files.say, "* %s%s", file()->name,
                  from ? ": going on with what is here of it" : "");
    pl_files_event(
        &xmpp_of_files.say, "file",
        json_pack("{ss sI sb}", "name", file()->name, "offset", (json_int_t)from, "resumed", from > 0));
    p.done = from;
    pl_files_rate_start(&xmpp_of_files.say, &p);
    if (!pl_files_disk_open(&me.disk, 0, from))
        disk_failed();
}

static void seek(void)
{
    if (pl_files_disk_look(&me.disk))
        return;
    if (!pl_files_disk_has_room(&me.disk)) {
        xmpp_failed(me.s, file()->name, me.disk.error);
        decline("there is no room for it");
        return;
    }
    accept_file();
}

static void agree(void)
{
    me.taken = *file();
    snprintf(me.taken_from, sizeof me.taken_from, "%s", pl_file_session_peer(me.session));
    me.phase = SEEKING;
    if (!pl_files_disk_begin_one(&me.disk, &me.manifest, &me.found))
        disk_failed();
}

/* ---- the offer ---- */

static bool is_contact(const char *jid)
{
    return xmpp_opt.anybody || (me.s->roster && pl_roster_find(me.s->roster, jid));
}

static bool same_account(const char *a, const char *b)
{
    pl_jid x, y;
    return !pl_jid_parse(&x, pl_str_of(a)) && !pl_jid_parse(&y, pl_str_of(b)) && pl_jid_bare_eq(&x, &y);
}

/* The rest of a file that was agreed to. */
static bool comes_back(void)
{
    const pl_jingle_hash *now = pl_jingle_file_hash(file(), "sha-256"),
                         *then = pl_jingle_file_hash(&me.taken, "sha-256");
    return now && then && !now->used_only && now->len == then->len &&
           memcmp(now->value, then->value, now->len) == 0 && strcmp(file()->name, me.taken.name) == 0 &&
           same_account(me.taken_from, pl_file_session_peer(me.session));
}

static void say_offer(void)
{
    char size[PL_FILES_AMOUNT_MAX], hex[2 * PL_JINGLE_FILE_HASH_MAX + 1] = "";
    const pl_jingle_hash *h = pl_jingle_file_hash(file(), "sha-256");
    if (h && !h->used_only)
        pl_files_hex(h->value, h->len, hex);
    json_t *o = json_pack("{ss ss ss}", "from", pl_file_session_peer(me.session), "name", file()->name,
                          "sha256", hex);
    if (file()->has_size)
        json_object_set_new(o, "size", json_integer((json_int_t)file()->size));
    pl_files_event(&xmpp_of_files.say, "offer", o);
    pl_files_note(&xmpp_of_files.say, "* %s offers %s (%s)", pl_file_session_peer(me.session), file()->name,
                  file()->has_size ? pl_files_amount(file()->size, size) : "of unknown size");
}

static void ask(void)
{
    bool somebody = me.s->json || (isatty(STDIN_FILENO) && isatty(STDERR_FILENO));
    say_offer();
    if (xmpp_opt.yes || comes_back()) {
        agree();
    } else if (!somebody) {
        pl_files_tell(&xmpp_of_files.say, "declined: nobody can be asked; --yes accepts without a question");
        decline(NULL);
    } else {
        me.phase = ASKING;
        pl_files_note(&xmpp_of_files.say, "Take it? [y/N]");
    }
}

/* False: why says what is wrong with the name. */
static bool name_it(const char **why)
{
    pl_transfer_entry e = { .path = pl_str_of(file()->name), .kind = PL_TRANSFER_FILE, .size = file()->size };
    pl_transfer_manifest_clear(&me.manifest);
    pl_transfer_manifest_init(&me.manifest, 1, NULL);
    *why = pl_transfer_path_check(e.path);
    return !*why && pl_transfer_manifest_add(&me.manifest, &e, why) == PL_OK;
}

static void on_incoming(const pl_jingle_event *e)
{
    int64_t now_us = pl_xmpp_client_now(me.s->client);
    pl_file_session_conf conf = xmpp_files_conf();
    const char *why = NULL;
    if (!is_contact(pl_jingle_peer(e->session))) {
        (void)!pl_jingle_ignore(e->session, now_us);
        return;
    }
    if (pl_jingle_admit(e->session, now_us) || pl_jingle_session_state(e->session) == PL_JINGLE_ENDED)
        return;
    if (me.session || me.s->finishing) {
        (void)!pl_jingle_terminate(e->session, now_us, PL_JINGLE_BUSY, NULL, NULL);
        return;
    }
    conf.data = on_data;
    conf.whole = on_whole;
    conf.over = on_over;
    me.over = me.stored = false;
    if (pl_file_session_take(&me.session, &conf, e))
        return;
    if (file()->has_size && is_too_large(file()->size)) {
        xmpp_failed(me.s, file()->name, "is larger than --max-size");
        decline("it is larger than what is taken here");
        return;
    }
    if (name_it(&why)) {
        ask();
        return;
    }
    xmpp_failed(me.s, file()->name, why ? why : "cannot be stored under this name");
    decline("the name is not taken");
}

static void answer_with(bool yes)
{
    if (me.phase != ASKING)
        xmpp_failed(me.s, yes ? "accept" : "decline", "nothing is offered");
    else if (yes)
        agree();
    else
        decline(NULL);
}

/* ---- the end of one ---- */

static void session_over(void)
{
    bool good = me.reason == PL_JINGLE_SUCCESS && me.stored;
    if (!good && me.phase == TAKING) {
        pl_files_disk_leave(&me.disk);
        pl_files_event(&xmpp_of_files.say, "lost", json_pack("{ss ss}", "name", file()->name, "why", me.why));
    }
    if (!good)
        pl_files_note(&xmpp_of_files.say, "* %s: %s", file()->name, me.why);
    bool ends = xmpp_opt.once && (good || me.reason == PL_JINGLE_MEDIA_ERROR);
    pl_file_session_free(me.session);
    me.session = NULL;
    me.phase = FREE;
    me.over = false;
    if (ends) {
        me.s->failed = !good; /* the one that was waited for is here, whatever came before it */
        xmpp_finish(me.s, PL_EXIT_OK);
    }
}

/* ---- the action ---- */

static void receive_begin(xmpp_session *s)
{
    me.s = s;
    if (!pl_files_disk_init(&me.disk, xmpp_opt.into ? xmpp_opt.into : ".", xmpp_opt.overwrite)) {
        xmpp_failed(s, "--into", me.disk.error);
        s->closed = true;
    } else if (!xmpp_files_begin(s, on_incoming)) {
        s->closed = true;
    }
}

static void receive_opened(xmpp_session *s, bool again)
{
    xmpp_files_opened(again);
    if (!again && !s->json)
        pl_xmpp_print(stderr, "* waiting for files");
}

static void receive_line(xmpp_session *s, char *text)
{
    if (strcmp(text, "/quit") == 0)
        xmpp_finish(s, PL_EXIT_OK);
    else
        answer_with(text[0] == 'y' || text[0] == 'Y');
}

static void receive_command(xmpp_session *s, const char *word, const json_t *all)
{
    (void)all;
    if (strcmp(word, "accept") == 0 || strcmp(word, "decline") == 0)
        answer_with(word[0] == 'a');
    else
        xmpp_failed(s, word, "is no command; there are accept, decline and quit");
}

static void receive_input_ended(xmpp_session *s)
{
    (void)s; /* files come without it */
}

static int64_t receive_due_us(xmpp_session *s)
{
    (void)s;
    if (me.over || me.phase == SEEKING)
        return 0;
    int64_t at_us = xmpp_of_files.jingle ? xmpp_files_due_us() : PL_NEVER;
    return me.phase == TAKING ? pl_min_us(at_us, me.bar_us) : at_us;
}

static void receive_turned(xmpp_session *s)
{
    if (s->finishing || s->closed || !xmpp_of_files.jingle)
        return;
    xmpp_files_turned();
    if (!me.over && me.phase == SEEKING)
        seek();
    if (me.over) {
        session_over();
    } else if (me.phase == TAKING && pl_file_session_flows(me.session)) {
        pl_transfer_progress p = { .total = file()->size, .done = me.found.n, .n_files = 1 };
        me.bar_us = pl_files_progress(&xmpp_of_files.say, &p, pl_str_of(file()->name));
    } else {
        me.bar_us = PL_NEVER;
    }
}

static void receive_finishing(xmpp_session *s)
{
    (void)s;
    if (me.phase == TAKING)
        pl_files_tell(&xmpp_of_files.say,
                      "What has arrived is kept as NAME" PL_TRANSFER_PARTIAL " and need not be sent again.");
    pl_file_session_free(me.session);
    me.session = NULL;
    pl_files_disk_leave(&me.disk);
}

static void receive_end(xmpp_session *s)
{
    (void)s;
    pl_file_session_free(me.session);
    pl_files_disk_clear(&me.disk);
    pl_transfer_manifest_clear(&me.manifest);
    xmpp_files_end();
}

const xmpp_action xmpp_receive = { .seen = true,
                                   .begin = receive_begin,
                                   .end = receive_end,
                                   .opened = receive_opened,
                                   .line = receive_line,
                                   .command = receive_command,
                                   .input_ended = receive_input_ended,
                                   .due_us = receive_due_us,
                                   .turned = receive_turned,
                                   .finishing = receive_finishing };
