#include "signal/whip_client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hmac.h"
#include "sdp/fragment.h"
#include "sdp/sdp.h"
#include "signal/whip_client_internal.h"

/* ---- events ---- */

static void add_note(pl_whip_client *c, pl_whip_event_kind kind, const char *fmt, va_list args)
    PL_PRINTF(3, 0);
static void add_note(pl_whip_client *c, pl_whip_event_kind kind, const char *fmt, va_list args)
{
    bool ends = kind == PL_WHIP_FAILED || kind == PL_WHIP_CLOSED;
    if (c->n_notes == WHIP_NOTES_MAX) { /* nobody polls: words for people give way */
        if (!ends)
            return;
        c->n_notes--;
    }
    whip_note *n = &c->note[c->n_notes++];
    n->kind = kind;
    vsnprintf(n->text, sizeof n->text, fmt, args);
}

void whip_note_add(pl_whip_client *c, pl_whip_event_kind kind, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add_note(c, kind, fmt, args);
    va_end(args);
}

void whip_fail(pl_whip_client *c, const char *fmt, ...)
{
    va_list args;
    if (c->state >= WHIP_LOST)
        return;
    c->state = WHIP_LOST;
    va_start(args, fmt);
    add_note(c, PL_WHIP_FAILED, fmt, args);
    va_end(args);
}

static void take_text(pl_whip_client *c)
{
    free(c->told_text);
    c->told_text = c->text;
    c->text = NULL;
}

static bool tell(pl_whip_event *out, pl_whip_event_kind kind, const char *text)
{
    *out = (pl_whip_event){ .kind = kind, .text = text ? text : "" };
    return true;
}

bool pl_whip_client_poll_event(pl_whip_client *c, pl_whip_event *out)
{
    if (c->ready_wanted || c->answer_wanted) {
        bool ready = c->ready_wanted;
        c->ready_wanted = c->answer_wanted = false;
        c->told_links = c->links;
        if (!ready)
            take_text(c);
        (void)tell(out, ready ? PL_WHIP_READY : PL_WHIP_ANSWER, ready ? "" : c->told_text);
        out->links = &c->told_links;
        return true;
    }
    if (c->restarted_wanted) {
        c->restarted_wanted = false;
        take_text(c);
        return tell(out, PL_WHIP_RESTARTED, c->told_text);
    }
    if (c->n_notes == 0)
        return false;
    c->told = c->note[0];
    memmove(c->note, c->note + 1, --c->n_notes * sizeof c->note[0]);
    return tell(out, c->told.kind, c->told.text);
}

/* ---- the owner's verbs ---- */

void whip_drop_candidates(pl_whip_client *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(c->candidate[i]);
    c->n_candidates -= n;
    memmove(c->candidate, c->candidate + n, c->n_candidates * sizeof c->candidate[0]);
}

static char *copy(pl_str s)
{
    char *z = malloc(s.n + 1);
    if (z) {
        if (s.n)
            memcpy(z, s.p, s.n);
        z[s.n] = '\0';
    }
    return z;
}

static bool replace(char **to, pl_str with)
{
    char *z = copy(with);
    if (!z)
        return false;
    free(*to);
    *to = z;
    return true;
}

/* The ICE names that candidates are told with from now on. */
static pl_err keep_names(pl_whip_client *c, const pl_desc *d)
{
    pl_sdp_fragment f;
    pl_sdp_fragment_of(d, &f);
    if (!f.ufrag.n || !f.pwd.n || !f.mid.n)
        return PL_EPROTO;
    bool kept = replace(&c->ufrag, f.ufrag) && replace(&c->pwd, f.pwd) && replace(&c->mid, f.mid) &&
                replace(&c->kind, f.kind);
    return kept ? PL_OK : PL_ENOMEM;
}

static pl_err take_offer(pl_whip_client *c, const char *sdp)
{
    pl_desc *d;
    pl_err err = pl_sdp_parse(&d, sdp, strlen(sdp), NULL);
    if (err)
        return err;
    err = keep_names(c, d);
    pl_desc_free(d);
    if (!err && !replace(&c->offer, pl_str_of(sdp)))
        err = PL_ENOMEM;
    return err;
}

pl_err pl_whip_client_offer(pl_whip_client *c, int64_t now_us, const char *sdp)
{
    (void)now_us;
    if (c->state != WHIP_WANTING || c->ending)
        return PL_ESTATE;
    pl_err err = take_offer(c, sdp);
    if (!err)
        c->state = WHIP_OFFERING;
    return err;
}

pl_err pl_whip_client_candidate(pl_whip_client *c, const char *line)
{
    if (!line[0]) {
        c->end_of_candidates = true;
        return PL_OK;
    }
    if (c->n_candidates == PL_WHIP_CANDIDATES_MAX)
        return PL_ENOSPC;
    char *z = copy(pl_str_of(line));
    if (!z)
        return PL_ENOMEM;
    c->candidate[c->n_candidates++] = z;
    return PL_OK;
}

pl_err pl_whip_client_restart(pl_whip_client *c, const char *sdp)
{
    if (c->state != WHIP_UP || c->ending || c->restarting)
        return PL_ESTATE;
    pl_err err = take_offer(c, sdp);
    if (err)
        return err;
    whip_drop_candidates(c, c->n_candidates);
    c->n_under_way = 0;
    c->end_of_candidates = c->end_under_way = false;
    c->restarting = true;
    c->again_us = 0;
    return PL_OK;
}

void pl_whip_client_end(pl_whip_client *c)
{
    if (c->ending)
        return;
    c->ending = true;
    c->again_us = 0;
}

/* ---- requests ---- */

/* The names and candidates of the offer at hand. */
static void write_restart(pl_whip_client *c)
{
    pl_desc *d;
    pl_sdp_fragment f;
    if (pl_sdp_parse(&d, c->offer, strlen(c->offer), NULL)) {
        c->body.bad = true;
        return;
    }
    pl_sdp_fragment_of(d, &f);
    pl_sdp_fragment_write(&f, &c->body);
    pl_desc_free(d);
}

static void write_candidates(pl_whip_client *c)
{
    pl_sdp_fragment f = { .ufrag = pl_str_of(c->ufrag),
                          .pwd = pl_str_of(c->pwd),
                          .mid = pl_str_of(c->mid),
                          .kind = pl_str_of(c->kind),
                          .end_of_candidates = c->end_of_candidates };
    for (size_t i = 0; i < c->n_candidates && i < PL_SDP_FRAGMENT_CANDIDATES_MAX; i++)
        f.candidate[f.n_candidates++] = pl_str_of(c->candidate[i]);
    c->n_under_way = f.n_candidates;
    c->end_under_way = f.end_of_candidates;
    pl_sdp_fragment_write(&f, &c->body);
}

static whip_job next_job(const pl_whip_client *c)
{
    bool trickles = c->n_candidates > 0 || c->end_of_candidates;
    if (c->state == WHIP_OVER)
        return JOB_NONE;
    if (c->ending)
        return c->session[0] ? JOB_DELETE : JOB_NONE;
    switch (c->state) {
    case WHIP_ASKING: return JOB_OPTIONS;
    case WHIP_OFFERING: return JOB_POST;
    case WHIP_UP: return c->restarting ? JOB_RESTART : trickles && !c->no_patch ? JOB_TRICKLE : JOB_NONE;
    default: return JOB_NONE;
    }
}

static void prepare(pl_whip_client *c, whip_job job, pl_whip_call *out)
{
    static const char *const method[] = { "", "OPTIONS", "POST", "PATCH", "PATCH", "DELETE" };
    const char *home = job == JOB_OPTIONS || job == JOB_POST ? c->endpoint : c->session;
    pl_buf_clear(&c->body);
    c->body = pl_buf_init(PL_WHIP_BODY_MAX);
    if (c->redirected != job)
        c->n_redirects = 0;
    c->redirected = job;
    if (!c->n_redirects)
        memcpy(c->target, home, sizeof c->target);
    *out = (pl_whip_call){ .method = method[job], .url = c->target };
    out->token = c->token && pl_whip_url_same_origin(c->target, c->endpoint) ? c->token : NULL;
    if (job == JOB_POST) {
        out->type = out->accept = "application/sdp";
        pl_buf_add(&c->body, c->offer, strlen(c->offer));
    } else if (job == JOB_TRICKLE || job == JOB_RESTART) {
        out->type = "application/trickle-ice-sdpfrag";
        out->if_match = job == JOB_RESTART ? "*" : c->etag[0] ? c->etag : NULL;
        if (job == JOB_RESTART)
            write_restart(c);
        else
            write_candidates(c);
    }
    out->body = (pl_str){ c->body.p, c->body.n };
}

bool pl_whip_client_poll_call(pl_whip_client *c, int64_t now_us, pl_whip_call *out)
{
    whip_job job = next_job(c);
    if (c->job != JOB_NONE)
        return false;
    if (c->ending && job == JOB_NONE && c->state != WHIP_OVER) {
        c->state = WHIP_OVER;
        whip_note_add(c, PL_WHIP_CLOSED, "there was no session to end");
    }
    if (job == JOB_NONE || now_us < c->again_us)
        return false;
    prepare(c, job, out);
    if (c->body.bad) {
        whip_fail(c, "no memory for a request");
        return false;
    }
    c->job = job;
    return true;
}

int64_t pl_whip_client_next_us(const pl_whip_client *c)
{
    bool says_closed = c->ending && c->state != WHIP_OVER;
    return c->job == JOB_NONE && (next_job(c) != JOB_NONE || says_closed) ? c->again_us : PL_NEVER;
}

/* ---- life ---- */

static bool token_ok(const char *token)
{
    for (const char *p = token; *p; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return false;
    }
    return token[0] && strlen(token) <= PL_WHIP_CLIENT_TOKEN_MAX;
}

pl_err pl_whip_client_new(pl_whip_client **out, const pl_whip_client_conf *conf, int64_t now_us)
{
    *out = NULL;
    if (!pl_whip_url_ok(conf->url) || (conf->token && !token_ok(conf->token)))
        return PL_EINVAL;
    pl_whip_client *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    memcpy(c->endpoint, conf->url, strlen(conf->url) + 1);
    c->give_up_us = now_us + conf->patience_us;
    c->body = pl_buf_init(PL_WHIP_BODY_MAX);
    if (conf->token && !(c->token = copy(pl_str_of(conf->token)))) {
        pl_whip_client_free(c);
        return PL_ENOMEM;
    }
    c->state = conf->no_options ? WHIP_WANTING : WHIP_ASKING;
    c->ready_wanted = conf->no_options;
    *out = c;
    return PL_OK;
}

void pl_whip_client_free(pl_whip_client *c)
{
    if (!c)
        return;
    if (c->token)
        pl_wipe(c->token, strlen(c->token));
    whip_drop_candidates(c, c->n_candidates);
    pl_buf_clear(&c->body);
    free(c->token);
    free(c->offer);
    free(c->ufrag);
    free(c->pwd);
    free(c->mid);
    free(c->kind);
    free(c->text);
    free(c->told_text);
    pl_wipe(c, sizeof *c); /* credentials of relays */
    free(c);
}

void pl_whip_client_check(const pl_whip_client *c)
{
    assert(c->n_candidates <= PL_WHIP_CANDIDATES_MAX && c->n_under_way <= c->n_candidates);
    assert(c->n_notes <= WHIP_NOTES_MAX);
    assert(c->state != WHIP_UP || c->session[0]);
    assert(c->state != WHIP_OFFERING || c->offer);
    assert(!c->restarting || c->offer || c->state >= WHIP_LOST);
    assert(c->n_redirects <= PL_WHIP_REDIRECTS_MAX);
}
