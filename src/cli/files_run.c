#include "cli/files_run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/files_code.h"
#include "cli/process.h"
#include "net/loop.h"

enum { PASTED_MAX = 64 * 1024, ROUND_US = 500000 };

static void overlong(void *user)
{
    (void)user;
}

int pl_files_run_open(pl_files_run *r, const pl_command *cmd, pl_files_options *opt, int in_fd)
{
    pl_factory_conf factory = { .loopback = true };
    r->cmd = cmd;
    r->opt = opt;
    r->in.fd = in_fd;
    r->in.overlong = overlong;
    r->pasted = pl_buf_init(PASTED_MAX);
    if (!opt->server)
        opt->server = PL_FILES_SERVER;
    if (!pl_ice_options_factory(&opt->ice, cmd, &factory) ||
        !pl_ice_options_connection(&opt->ice, cmd, &r->connection))
        return PL_EXIT_USAGE;
    pl_files_say_init(&r->say, opt->json, opt->quiet);
    pl_room_choose_name(r->name, opt->name);
    pl_catch_signals(false);
    if (pl_loop_new(&r->loop, NULL))
        return PL_EXIT_FAILED;
    factory.loop = r->loop;
    if (pl_factory_new(&r->factory, &factory)) {
        pl_complain(cmd, "no network, or a file of certificates that cannot be read");
        return PL_EXIT_FAILED;
    }
    return PL_EXIT_OK;
}

void pl_files_run_end(pl_files_run *r, const char *why)
{
    if (r->over)
        return;
    r->over = true;
    r->failed = why != NULL;
    snprintf(r->why, sizeof r->why, "%s", why ? why : "");
}

/* ---- meeting ---- */

static void on_note(void *user, const char *text)
{
    pl_files_run *r = user;
    pl_files_note(&r->say, "* %s", text);
}

static void on_described(void *user, const char *code)
{
    pl_files_run *r = user;
    pl_files_event(&r->say, "code", json_pack("{ss}", "code", code));
    if (!r->say.json)
        pl_files_tell(&r->say,
                      r->code_due ? "Run this on the other machine:\n" : "Paste this at the other side:\n");
    if (!r->say.json)
        pl_files_tell(&r->say, r->code_due ? "peerline receive '%s'\n" : "%s\n", code);
    if (r->code_due)
        pl_files_note(&r->say, "Then paste here what it answers:");
}

static void on_failed(void *user, const char *why)
{
    pl_files_run_end(user, why);
}

/* `peerline serve` answers STUN beside its rooms, which is enough behind most NATs. */
static void use_its_stun(pl_files_run *r)
{
    const char *scheme = strstr(r->opt->server, "://"), *host = scheme ? scheme + 3 : r->opt->server;
    size_t n = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/?#");
    int len = snprintf(r->stun, sizeof r->stun, "stun:%.*s", (int)n, host);
    if (n == 0 || (size_t)len >= sizeof r->stun)
        return;
    r->stun_server.url = r->stun;
    r->connection.ice_servers = &r->stun_server;
    r->connection.n_ice_servers = 1;
}

int pl_files_run_meet(pl_files_run *r, pl_files_meet_conf conf)
{
    if (!r->codes && r->connection.n_ice_servers == 0)
        use_its_stun(r);
    conf.loop = r->loop;
    conf.factory = r->factory;
    conf.connection = &r->connection;
    conf.server = r->codes ? NULL : r->opt->server;
    conf.name = r->name;
    conf.patience_s = r->opt->patience_s;
    conf.user = r;
    conf.note = on_note;
    conf.described = on_described;
    conf.failed = on_failed;
    r->code_due = r->codes && conf.sender;
    pl_err err = pl_files_meet_new(&r->meet, &conf);
    if (err)
        pl_complain(r->cmd, "--server %s or the name \"%s\" cannot be used: %s", r->opt->server, r->name,
                    pl_err_str(err));
    return !err ? PL_EXIT_OK : err == PL_EINVAL ? PL_EXIT_USAGE : PL_EXIT_FAILED;
}

void pl_files_run_paste(pl_files_run *r, const char *text, size_t len)
{
    if (!r->code_due)
        return;
    pl_buf_add(&r->pasted, text, len);
    pl_buf_add(&r->pasted, "\n", 1);
    const char *all = pl_buf_z(&r->pasted);
    pl_err err = all ? pl_files_meet_paste(r->meet, all) : PL_EPROTO;
    if (err == PL_EAGAIN)
        return;
    pl_buf_clear(&r->pasted);
    r->pasted = pl_buf_init(PASTED_MAX);
    if (!err) {
        r->code_due = false;
        pl_files_note(&r->say, "* connecting");
        return;
    }
    pl_files_tell(&r->say, "That is no whole code of the other side; please paste it again.");
    pl_files_event(&r->say, "error", json_pack("{ss}", "message", "the code is damaged"));
}

/* ---- the other side ---- */

void pl_files_run_opened(pl_files_run *r, const char *peer)
{
    char digits[PL_TRANSFER_DIGITS_LEN + 1] = "";
    (void)pl_files_link_digits(pl_files_meet_link(r->meet), digits);
    pl_files_event(&r->say, "connected", json_pack("{ss ss}", "peer", peer, "digits", digits));
    pl_files_note(&r->say, "* connected%s%s", peer[0] ? " with " : "", peer);
    if (!r->codes)
        pl_files_note(&r->say, "* nobody stands between when both sides show %s", digits);
}

void pl_files_run_lost(pl_files_run *r, const char *why, bool amid)
{
    if (amid)
        pl_files_note(&r->say, "* connection lost: %s; waiting for the other side", why);
    pl_files_event(&r->say, "lost", json_pack("{ss}", "reason", why));
}

/* ---- the run ---- */

bool pl_files_run_wait(pl_files_run *r, pl_lines_also *also, int64_t at_us)
{
    int64_t now_us = pl_clock_us();
    at_us = pl_min_us(pl_min_us(at_us, pl_files_meet_next_us(r->meet)), now_us + ROUND_US);
    if (!pl_lines_wait_also(&r->in, r->loop, also, pl_max_us(at_us - now_us, 0))) {
        pl_files_run_end(r, "the system does not let us wait");
        return false;
    }
    pl_files_meet_tick(r->meet);
    if (r->in.ended && r->code_due)
        pl_files_run_end(r, "the input has ended without the other side's code");
    return !r->over;
}

static void say_end(pl_files_run *r, const pl_transfer_progress *p)
{
    char amount[PL_FILES_AMOUNT_MAX], rate[PL_FILES_AMOUNT_MAX];
    double seconds = pl_files_seconds(&r->say);
    double speed = seconds > 0.001 ? (double)p->carried / seconds : 0;
    bool good = !r->failed && p->n_bad == 0;
    if (r->failed)
        pl_files_tell(&r->say, "peerline %s: %s", r->cmd->name, r->why);
    else if (p->n_bad)
        pl_files_tell(&r->say, "peerline %s: %u of %u files did not arrive", r->cmd->name, (unsigned)p->n_bad,
                      (unsigned)p->n_files);
    if (p->n_whole)
        pl_files_note(&r->say, "%u file%s, %s in %.1f s (%s/s)", (unsigned)p->n_whole,
                      p->n_whole == 1 ? "" : "s", pl_files_amount(p->carried, amount), seconds,
                      pl_files_amount((uint64_t)speed, rate));
    pl_files_event(&r->say, "end",
                   json_pack("{sb ss si si sI sI sf}", "good", good, "reason", r->why, "whole",
                             (int)p->n_whole, "bad", (int)p->n_bad, "done", (json_int_t)p->done, "carried",
                             (json_int_t)p->carried, "seconds", seconds));
}

int pl_files_run_close(pl_files_run *r, const pl_transfer_progress *p, bool wait)
{
    if (r->meet)
        pl_files_meet_end(r->meet, wait);
    if (r->meet)
        say_end(r, p);
    pl_files_meet_free(r->meet);
    pl_factory_free(r->factory);
    pl_loop_free(r->loop);
    pl_lines_clear(&r->in);
    pl_buf_clear(&r->pasted);
    return r->failed || p->n_bad ? PL_EXIT_FAILED : PL_EXIT_OK;
}
