/* whip_client_result.c - what an answer means for the session, and what a person is told of it. */
#include <stdlib.h>

#include "sdp/fragment.h"
#include "signal/whip_client_internal.h"

enum { AGAIN_DEFAULT_S = 5, AGAIN_MAX_S = 60, PATCH_TRIES = 3, SAID_MAX = 120 };

static pl_str header(const pl_whip_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_headers; i++) {
        if (pl_str_ieq(r->header[i].name, pl_str_of(name)))
            return r->header[i].value;
    }
    return (pl_str){ 0 };
}

static void read_links(pl_whip_links *links, const pl_whip_result *r)
{
    *links = (pl_whip_links){ 0 };
    for (size_t i = 0; i < r->n_headers; i++) {
        if (pl_str_ieq(r->header[i].name, PL_STR("Link")))
            pl_whip_links_read(links, r->header[i].value);
    }
}

static bool type_is(const pl_whip_result *r, const char *wanted)
{
    pl_str type = header(r, "Content-Type");
    return pl_str_ieq(pl_str_trim(pl_str_cut(&type, ';')), pl_str_of(wanted));
}

/* The beginning of a text that came with a refusal; what could paint on a terminal is left out. */
static const char *said(const pl_whip_result *r, char out[SAID_MAX + 4])
{
    size_t n = 0;
    bool is_text =
        type_is(r, "text/plain") || type_is(r, "application/problem+json") || type_is(r, "application/json");
    out[0] = '\0';
    for (size_t i = 0; is_text && i < r->body.n && n + 3 < SAID_MAX; i++) {
        char ch = r->body.p[i];
        if (ch == '\n' || ch == '\r')
            break;
        if (n == 0) {
            memcpy(out, ": ", 2);
            n = 2;
        }
        out[n++] = (unsigned char)ch < ' ' || (unsigned char)ch >= 0x7f ? '?' : ch;
    }
    out[n] = '\0';
    return out;
}

static bool is_good(int status)
{
    return status >= 200 && status < 300;
}

/* ---- redirects ---- */

/* True: the same request goes elsewhere. RFC 9725 4.5: 307 and 308 alone, since the others may change a POST into a GET. */
static bool follow(pl_whip_client *c, const pl_whip_result *r)
{
    char ref[PL_WHIP_URL_MAX], to[PL_WHIP_URL_MAX];
    if (r->status != 307 && r->status != 308)
        return false;
    if (c->n_redirects == PL_WHIP_REDIRECTS_MAX) {
        whip_note_add(c, PL_WHIP_NOTE, "the server sends us round in a circle");
        return false;
    }
    if (!pl_str_copy(header(r, "Location"), ref, sizeof ref) || !ref[0] ||
        pl_whip_url_resolve(c->target, ref, to)) {
        whip_note_add(c, PL_WHIP_NOTE, "the server sends us to no address");
        return false;
    }
    if (pl_whip_url_is_secure(c->target) && !pl_whip_url_is_secure(to)) {
        whip_note_add(c, PL_WHIP_NOTE, "the server sends us from https to http, where we do not go");
        return false;
    }
    if (c->token && !pl_whip_url_same_origin(to, c->endpoint))
        whip_note_add(c, PL_WHIP_NOTE, "redirected to another server, which does not get the token");
    memcpy(c->target, to, sizeof c->target);
    c->n_redirects++;
    return true;
}

/* ---- coming back ---- */

/* True: the server has said when to come back, and there is patience for that. */
static bool come_back(pl_whip_client *c, int64_t now_us, const pl_whip_result *r)
{
    pl_str text = header(r, "Retry-After");
    uint64_t s = AGAIN_DEFAULT_S; /* a date is a long time at most */
    bool may = r->status == 503 || r->status == 429 || ((r->status == 404 || r->status == 409) && text.p);
    if (!may)
        return false;
    if (text.p && !pl_str_u64(text, UINT32_MAX, &s))
        s = AGAIN_DEFAULT_S;
    if (s > AGAIN_MAX_S)
        s = AGAIN_MAX_S;
    int64_t at_us = now_us + PL_SEC(s ? s : 1);
    if (at_us > c->give_up_us)
        return false;
    c->again_us = at_us;
    return true;
}

/* ---- each request ---- */

static void ready(pl_whip_client *c)
{
    c->state = WHIP_WANTING;
    c->ready_wanted = true;
}

/* A server that does not know OPTIONS has no servers to name, or names them with its answer. */
static void on_options(pl_whip_client *c, const pl_whip_result *r, const char *why)
{
    c->links = (pl_whip_links){ 0 };
    if (!r) {
        whip_fail(c, "%s", why);
        return;
    }
    if (is_good(r->status))
        read_links(&c->links, r);
    ready(c);
}

static const char *why_not(int status)
{
    switch (status) {
    case 400: return "the server does not understand the offer (400)";
    case 401: return "the server wants a token, or does not know this one (401)";
    case 403: return "the server does not let us (403)";
    case 404: return "there is nothing at that address (404)";
    case 405: return "that address takes no offers (405): is it an endpoint of WHIP or WHEP?";
    case 406: return "the server cannot answer that offer (406)";
    case 409: return "the server is busy with that name (409)";
    case 413: return "the offer is too long for the server (413)";
    case 415: return "the server takes no offers of type application/sdp (415)";
    case 422: return "the server refuses the offer (422)";
    case 429: return "we have asked too often (429)";
    case 503: return "the server is full (503)";
    default: return NULL;
    }
}

static void refuse_post(pl_whip_client *c, const pl_whip_result *r)
{
    char text[SAID_MAX + 4];
    const char *known = why_not(r->status);
    if (known)
        whip_fail(c, "%s%s", known, said(r, text));
    else
        whip_fail(c, "the server answers %d where 201 was to come%s", r->status, said(r, text));
}

static void on_created(pl_whip_client *c, const pl_whip_result *r)
{
    char ref[PL_WHIP_URL_MAX];
    if (!pl_str_copy(header(r, "Location"), ref, sizeof ref) || !ref[0] ||
        pl_whip_url_resolve(c->target, ref, c->session)) {
        c->session[0] = '\0';
        whip_fail(c, "the server made a session and does not say where");
        return;
    }
    if (!pl_str_copy(header(r, "ETag"), c->etag, sizeof c->etag))
        c->etag[0] = '\0';
    if (!type_is(r, "application/sdp") || r->body.n == 0) {
        whip_fail(c, "the server's answer is no description");
        return;
    }
    pl_buf text = pl_buf_init(PL_WHIP_BODY_MAX + 1);
    pl_buf_add(&text, r->body.p, r->body.n);
    free(c->text);
    c->text = pl_buf_take(&text);
    if (!c->text) {
        whip_fail(c, "no memory for the answer");
        return;
    }
    read_links(&c->links, r);
    free(c->offer);
    c->offer = NULL;
    c->state = WHIP_UP;
    c->answer_wanted = true;
}

static void on_post(pl_whip_client *c, int64_t now_us, const pl_whip_result *r, const char *why)
{
    char text[SAID_MAX + 4];
    if (!r)
        whip_fail(c, "%s", why);
    else if (r->status == 201)
        on_created(c, r);
    else if (come_back(c, now_us, r))
        whip_note_add(c, PL_WHIP_NOTE, "%s%s: asking again in %d s",
                      why_not(r->status) ? why_not(r->status) : "not now", said(r, text),
                      (int)((c->again_us - now_us) / 1000000));
    else
        refuse_post(c, r);
}

static void sent(pl_whip_client *c)
{
    whip_drop_candidates(c, c->n_under_way);
    if (c->end_under_way)
        c->end_of_candidates = false;
    c->n_under_way = 0;
    c->end_under_way = false;
    c->n_failed_patches = 0;
}

static bool session_is_gone(pl_whip_client *c, const pl_whip_result *r)
{
    if (r->status != 404 && r->status != 410)
        return false;
    c->session[0] = '\0';
    whip_fail(c, "the server has forgotten our session (%d)", r->status);
    return true;
}

/* Candidates that cannot be told are no reason to end: the others may do. */
static void on_trickled(pl_whip_client *c, int64_t now_us, const pl_whip_result *r, const char *why)
{
    char text[SAID_MAX + 4];
    if ((!r || r->status == 503 || r->status == 429) && ++c->n_failed_patches < PATCH_TRIES) {
        c->again_us = now_us + PL_SEC(1);
        c->n_under_way = 0;
        c->end_under_way = false;
        return;
    }
    sent(c);
    if (!r) {
        whip_note_add(c, PL_WHIP_NOTE, "candidates were not told: %s", why);
    } else if (is_good(r->status) || session_is_gone(c, r)) {
        return;
    } else if (r->status == 405 || r->status == 501) {
        c->no_patch = true;
        whip_note_add(c, PL_WHIP_NOTE, "the server takes no candidates after the offer (%d)", r->status);
    } else if (r->status == 412) {
        whip_note_add(c, PL_WHIP_NOTE,
                      "the server has gone on to another ICE session (412): candidates left out");
    } else if (r->status == 428) {
        c->no_patch = true;
        whip_note_add(c, PL_WHIP_NOTE,
                      "the server wants to know which ICE session candidates are for, and gave it no "
                      "name (428)");
    } else {
        whip_note_add(c, PL_WHIP_NOTE, "the server refuses candidates (%d)%s", r->status, said(r, text));
    }
}

static void on_new_names(pl_whip_client *c, const pl_whip_result *r)
{
    pl_sdp_fragment f;
    if (!type_is(r, "application/trickle-ice-sdpfrag") || pl_sdp_fragment_parse(&f, r->body) || !f.ufrag.n ||
        !f.pwd.n) {
        whip_note_add(c, PL_WHIP_NO_RESTART,
                      "the server's answer to a restart is no fragment with ICE names");
        return;
    }
    pl_buf text = pl_buf_init(PL_WHIP_BODY_MAX + 1);
    pl_buf_add(&text, r->body.p, r->body.n);
    free(c->text);
    c->text = pl_buf_take(&text);
    if (!pl_str_copy(header(r, "ETag"), c->etag, sizeof c->etag))
        c->etag[0] = '\0';
    c->restarted_wanted = c->text != NULL;
    if (!c->text)
        whip_note_add(c, PL_WHIP_NO_RESTART, "no memory");
}

static void on_restarted(pl_whip_client *c, int64_t now_us, const pl_whip_result *r, const char *why)
{
    char text[SAID_MAX + 4];
    if ((!r || r->status == 503 || r->status == 429) && ++c->n_failed_patches < PATCH_TRIES) {
        c->again_us = now_us + PL_SEC(1); /* the network may just be coming back */
        return;
    }
    c->n_failed_patches = 0;
    c->restarting = false;
    if (!r)
        whip_note_add(c, PL_WHIP_NO_RESTART, "%s", why);
    else if (r->status == 200)
        on_new_names(c, r);
    else if (!session_is_gone(c, r))
        whip_note_add(c, PL_WHIP_NO_RESTART, "the server does not restart ICE (%d)%s", r->status,
                      said(r, text));
}

static void on_deleted(pl_whip_client *c, const pl_whip_result *r, const char *why)
{
    char text[SAID_MAX + 4];
    c->state = WHIP_OVER;
    c->session[0] = '\0';
    if (!r)
        whip_note_add(c, PL_WHIP_NOTE, "the server was not told that it is over: %s", why);
    else if (!is_good(r->status) && r->status != 404)
        whip_note_add(c, PL_WHIP_NOTE, "the server does not end the session (%d)%s", r->status,
                      said(r, text));
    whip_note_add(c, PL_WHIP_CLOSED, "ended");
}

void pl_whip_client_result(pl_whip_client *c, int64_t now_us, const pl_whip_result *r, const char *why)
{
    whip_job job = c->job;
    c->job = JOB_NONE;
    c->again_us = 0;
    if (job == JOB_NONE)
        return;
    if (!why)
        why = "no answer";
    if (r && follow(c, r))
        return;
    bool stale = job == JOB_TRICKLE && c->restarting; /* what was told was of the past already */
    switch (job) {
    case JOB_NONE: break;
    case JOB_OPTIONS: on_options(c, r, why); break;
    case JOB_POST: on_post(c, now_us, r, why); break;
    case JOB_TRICKLE:
        if (!stale)
            on_trickled(c, now_us, r, why);
        break;
    case JOB_RESTART: on_restarted(c, now_us, r, why); break;
    case JOB_DELETE: on_deleted(c, r, why); break;
    }
    c->n_redirects = 0;
}
