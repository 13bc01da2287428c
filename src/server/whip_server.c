/* whip_server.c - from a request to a status: path, method, token, type, condition, content. */
#include "server/whip_server.h"

#include <stdio.h>

#include "sdp/sdp.h"
#include "server/whip_internal.h"

enum { AGAIN_NO_PUBLISHER_S = 2, AGAIN_FULL_S = 10 };

/* One request on its way through the checks. */
typedef struct ask {
    pl_whip_server *w;
    int64_t now_us;
    const pl_http_request *req;
    const pl_addr *from;
    pl_http_reply *reply;
    pl_whip_task *task;
    pl_whip_role role;
    pl_str name, id; /* id: p NULL at the endpoint itself */
} ask;

/* ---- replies ---- */

/* Pages of any origin may speak WHIP here; what protects is the token, which no browser sends by itself. */
static void add_cors(pl_buf *head)
{
    pl_buf_addf(
        head, "Access-Control-Allow-Origin: *\r\n"
              "Access-Control-Expose-Headers: Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After, "
              "WWW-Authenticate\r\n");
}

static void say(pl_http_reply *reply, int status, const char *text)
{
    reply->status = status;
    reply->type = "text/plain; charset=utf-8";
    pl_buf_addf(&reply->body, "%s\n", text);
}

static void refuse(const ask *a, int status, const char *text)
{
    pl_whip_server_refused(a->w, status, text, a->reply);
}

void pl_whip_server_refused(pl_whip_server *w, int status, const char *text, pl_http_reply *reply)
{
    w->stats.n_refused++;
    say(reply, status, text);
    if (status == 503)
        pl_buf_addf(&reply->head, "Retry-After: %d\r\n", AGAIN_FULL_S);
}

static void add_etag(const pl_whip_session *s, pl_buf *head)
{
    pl_buf_addf(head, "ETag: \"%s-%u\"\r\n", s->tag, s->generation);
}

/* ---- who may ---- */

static bool host_is_local(pl_str host)
{
    static const char *const local[] = { "localhost", "127.0.0.1", "[::1]" };
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        size_t n = strlen(local[i]);
        if (host.n >= n && pl_str_ieq((pl_str){ host.p, n }, pl_str_of(local[i])) &&
            (host.n == n || host.p[n] == ':'))
            return true;
    }
    return false;
}

/* A page from elsewhere that a browser of this machine shows is not of this machine. */
static bool is_local(const ask *a)
{
    pl_str origin = pl_http_header_get(a->req, "Origin");
    if (!pl_addr_is_loopback(a->from))
        return false;
    if (!origin.p)
        return true;
    (void)pl_str_cut(&origin, ':'); /* the scheme */
    return origin.n > 2 && host_is_local((pl_str){ origin.p + 2, origin.n - 2 });
}

static pl_whip_verdict verdict_of(const ask *a)
{
    const pl_whip_server_conf *conf = &a->w->conf;
    if (conf->access)
        return pl_whip_access_ask(conf->access, a->role, a->name,
                                  pl_whip_bearer(pl_http_header_get(a->req, "Authorization")));
    return conf->open || is_local(a) ? PL_WHIP_MAY : PL_WHIP_MAY_NOT;
}

static bool may(const ask *a)
{
    pl_whip_verdict v = verdict_of(a);
    if (v == PL_WHIP_MAY)
        return true;
    a->w->stats.n_unauthorized++;
    if (v == PL_WHIP_WHO) {
        bool wrong = pl_http_header_get(a->req, "Authorization").p != NULL;
        pl_buf_addf(&a->reply->head, "WWW-Authenticate: Bearer realm=\"peerline\"%s\r\n",
                    wrong ? ", error=\"invalid_token\"" : "");
        refuse(a, 401, "A bearer token is needed.");
    } else {
        refuse(a, 403,
               a->w->conf.access ? "That token is not for this."
                                 : "Only clients of the server's own machine may do that.");
    }
    return false;
}

/* ---- what a body is ---- */

static bool type_is(const pl_http_request *req, const char *wanted)
{
    pl_str type = pl_http_header_get(req, "Content-Type");
    return pl_str_ieq(pl_str_trim(pl_str_cut(&type, ';')), pl_str_of(wanted));
}

static bool accepts(const pl_http_request *req, const char *type)
{
    pl_str rest = pl_http_header_get(req, "Accept");
    if (!rest.p)
        return true;
    while (rest.p) {
        pl_str one = pl_str_cut(&rest, ',');
        one = pl_str_trim(pl_str_cut(&one, ';'));
        if (pl_str_ieq(one, pl_str_of(type)) || pl_str_is(one, "*/*") ||
            pl_str_ieq(one, PL_STR("application/*")))
            return true;
    }
    return false;
}

static bool body_is(const ask *a, const char *type, size_t max)
{
    if (!type_is(a->req, type)) {
        pl_buf_addf(&a->reply->head, "%s: %s\r\n", a->id.p ? "Accept-Patch" : "Accept-Post", type);
        refuse(a, 415, "That is not the type of body that is taken here.");
    } else if (a->req->body.n > max) {
        refuse(a, 413, "That body is too long.");
    } else {
        return true;
    }
    return false;
}

/* ---- POST to an endpoint ---- */

static bool section_is_used(const pl_desc_media *m, pl_whip_role role)
{
    uint8_t one_way = role == PL_WHIP_PUBLISH ? PL_SENDONLY : PL_RECVONLY;
    return !pl_desc_rejected(m) && pl_desc_is_rtp(m) &&
           (m->direction == one_way || m->direction == PL_SENDRECV);
}

/* RFC 9725 4.2: one audio and one video at most; which way they go follows from the role. */
static bool offer_fits(const ask *a, const pl_desc *d)
{
    size_t n[2] = { 0, 0 };
    for (size_t i = 0; i < d->media.n; i++) {
        const pl_desc_media *m = &d->media.at[i];
        if (section_is_used(m, a->role))
            n[m->kind == PL_DESC_VIDEO]++;
    }
    a->task->offers[PL_AUDIO] = n[0] > 0;
    a->task->offers[PL_VIDEO] = n[1] > 0;
    if (n[0] + n[1] == 0)
        refuse(a, 422,
               a->role == PL_WHIP_PUBLISH ? "The offer sends neither audio nor video."
                                          : "The offer receives neither audio nor video.");
    else if (n[0] > 1 || n[1] > 1)
        refuse(a, 422, "One audio and one video section, please.");
    else
        return true;
    return false;
}

static bool read_offer(const ask *a, char ufrag[PL_DESC_UFRAG_MAX + 1])
{
    pl_desc *d;
    pl_sdp_error error;
    pl_sdp_fragment names;
    pl_err err = pl_sdp_parse(&d, a->req->body.p ? a->req->body.p : "", a->req->body.n, &error);
    if (err) {
        refuse(a, err == PL_ENOMEM ? 503 : 400, error.text[0] ? error.text : "That is no description.");
        return false;
    }
    bool fits = offer_fits(a, d);
    pl_sdp_fragment_of(d, &names);
    if (fits && (names.ufrag.n == 0 || !pl_str_copy(names.ufrag, ufrag, PL_DESC_UFRAG_MAX + 1))) {
        refuse(a, 422, "The offer has no ICE name.");
        fits = false;
    }
    pl_desc_free(d);
    return fits;
}

static bool is_room(const ask *a)
{
    const pl_whip_server *w = a->w;
    const pl_whip_name *name = whip_find_name(w, a->name);
    if (a->role == PL_WHIP_PUBLISH && name && name->publisher) {
        refuse(a, 409, "Somebody publishes under that name already.");
        return false;
    }
    if (a->role == PL_WHIP_PLAY && !(name && name->publisher && name->publisher->opened)) {
        pl_buf_addf(&a->reply->head, "Retry-After: %d\r\n", AGAIN_NO_PUBLISHER_S);
        refuse(a, 404, "Nobody publishes under that name now.");
        return false;
    }
    if (w->stats.n_sessions >= w->conf.max_sessions ||
        (a->role == PL_WHIP_PLAY && name->n_viewers >= w->conf.max_viewers)) {
        refuse(a, 503, "There is no room for another session.");
        return false;
    }
    return true;
}

static void on_post(const ask *a)
{
    char ufrag[PL_DESC_UFRAG_MAX + 1];
    if (!body_is(a, "application/sdp", PL_WHIP_OFFER_MAX))
        return;
    if (!accepts(a->req, "application/sdp")) {
        refuse(a, 406, "The answer is application/sdp.");
        return;
    }
    if (!is_room(a) || !read_offer(a, ufrag))
        return;
    pl_whip_session *s = whip_session_new(a->w, a->now_us, a->role, a->name);
    if (!s) {
        refuse(a, 503, "The server is out of memory.");
        return;
    }
    memcpy(s->ufrag, ufrag, sizeof s->ufrag);
    a->task->kind = PL_WHIP_OPEN;
    a->task->session = s;
    a->task->sdp = a->req->body;
}

void pl_whip_server_opened(pl_whip_server *w, pl_whip_session *s, const pl_http_request *req, pl_str answer,
                           pl_http_reply *reply)
{
    s->opened = true;
    w->stats.n_opened++;
    reply->status = 201;
    reply->type = "application/sdp";
    pl_buf_addf(&reply->head, "Location: /%s/%s/%s\r\nAccept-Patch: application/trickle-ice-sdpfrag\r\n",
                s->role == PL_WHIP_PUBLISH ? "whip" : "whep", s->name->text, s->id);
    add_etag(s, &reply->head);
    if (w->conf.links)
        w->conf.links(w->conf.user, req, &reply->head);
    pl_buf_add(&reply->body, answer.p, answer.n);
}

/* ---- PATCH and DELETE of a session ---- */

static bool matches(const pl_whip_session *s, pl_str list)
{
    char etag[32];
    snprintf(etag, sizeof etag, "\"%s-%u\"", s->tag, s->generation);
    while (list.p) {
        if (pl_str_is(pl_str_trim(pl_str_cut(&list, ',')), etag))
            return true;
    }
    return false;
}

/* RFC 9725 4.3.1: candidates name the ICE session they are for, a restart names any. WHEP's players of today know no
 * If-Match; that the fragment has the ICE name of the session serves as well. */
static pl_whip_task_kind what_patch(const ask *a, const pl_whip_session *s, const pl_sdp_fragment *f)
{
    pl_str cond = pl_http_header_get(a->req, "If-Match");
    bool same = !f->ufrag.n || pl_str_is(f->ufrag, s->ufrag);
    if (!cond.p && !(a->role == PL_WHIP_PLAY && f->ufrag.n && same))
        refuse(a, 428, "If-Match is needed: the session's ETag, or * for an ICE restart.");
    else if (cond.p && pl_str_is(cond, "*"))
        return same ? PL_WHIP_TRICKLE : PL_WHIP_RESTART;
    else if (cond.p && !matches(s, cond))
        refuse(a, 412, "That is an ICE session of the past.");
    else if (!same)
        refuse(a, 422, "The fragment is of another ICE session; a restart has If-Match: *.");
    else
        return PL_WHIP_TRICKLE;
    return PL_WHIP_ANSWERED;
}

static void on_patch(const ask *a, pl_whip_session *s)
{
    pl_sdp_fragment *f = &a->task->fragment;
    if (!body_is(a, "application/trickle-ice-sdpfrag", PL_SDP_FRAGMENT_MAX))
        return;
    if (pl_sdp_fragment_parse(f, a->req->body)) {
        refuse(a, 400, "That is no SDP fragment.");
        return;
    }
    pl_whip_task_kind kind = what_patch(a, s, f);
    if (kind == PL_WHIP_RESTART && !f->pwd.n) {
        refuse(a, 422, "A restart has ice-ufrag and ice-pwd.");
        return;
    }
    a->task->kind = kind;
    a->task->session = s;
    if (kind == PL_WHIP_TRICKLE)
        a->reply->status = 204;
}

void pl_whip_server_restarted(pl_whip_server *w, pl_whip_session *s, const pl_sdp_fragment *theirs,
                              const pl_sdp_fragment *ours, pl_http_reply *reply)
{
    s->generation++;
    (void)pl_str_copy(theirs->ufrag, s->ufrag, sizeof s->ufrag);
    w->stats.n_restarts++;
    reply->status = 200;
    reply->type = "application/trickle-ice-sdpfrag";
    add_etag(s, &reply->head);
    pl_sdp_fragment_write(ours, &reply->body);
}

static void on_session(const ask *a)
{
    pl_whip_session *s = whip_find_session(a->w, a->role, a->name, a->id);
    if (!may(a))
        return;
    if (!s || !s->opened) {
        refuse(a, 404, "There is no such session.");
    } else if (a->req->method == PL_HTTP_PATCH) {
        on_patch(a, s);
    } else if (a->req->method == PL_HTTP_DELETE) {
        a->task->kind = PL_WHIP_END;
        a->task->session = s;
        a->reply->status = 200;
    } else { /* RFC 9725 4.2: reserved */
        pl_buf_addf(&a->reply->head, "Allow: OPTIONS, PATCH, DELETE\r\n");
        refuse(a, 405, "A session takes PATCH and DELETE.");
    }
}

/* ---- the way in ---- */

/* A preflight comes without a token and gets no servers; a client that asks by itself does. */
static void on_options(const ask *a)
{
    pl_http_reply *r = a->reply;
    bool preflight = pl_http_header_get(a->req, "Access-Control-Request-Method").p != NULL;
    r->status = 204;
    pl_buf_addf(&r->head,
                "Allow: %s\r\nAccess-Control-Allow-Methods: OPTIONS, POST, PATCH, DELETE\r\n"
                "Access-Control-Allow-Headers: Authorization, Content-Type, If-Match, ETag\r\n"
                "Access-Control-Max-Age: 600\r\n",
                a->id.p ? "OPTIONS, PATCH, DELETE" : "OPTIONS, POST");
    if (a->id.p)
        pl_buf_addf(&r->head, "Accept-Patch: application/trickle-ice-sdpfrag\r\n");
    else
        pl_buf_addf(&r->head, "Accept-Post: application/sdp\r\n");
    if (!preflight && !a->id.p && a->w->conf.links && verdict_of(a) == PL_WHIP_MAY)
        a->w->conf.links(a->w->conf.user, a->req, &r->head);
}

/* "/whip/NAME" or "/whip/NAME/ID" */
static bool parse_path(ask *a)
{
    pl_str rest = a->req->path;
    bool whip = pl_str_starts(rest, "/whip/");
    if (!whip && !pl_str_starts(rest, "/whep/"))
        return false;
    a->role = whip ? PL_WHIP_PUBLISH : PL_WHIP_PLAY;
    rest = (pl_str){ rest.p + 6, rest.n - 6 };
    a->name = pl_str_cut(&rest, '/');
    a->id = rest;
    return true;
}

void pl_whip_server_request(pl_whip_server *w, int64_t now_us, const pl_http_request *req,
                            const pl_addr *from, pl_http_reply *reply, pl_whip_task *task)
{
    ask a = { .w = w, .now_us = now_us, .req = req, .from = from, .reply = reply, .task = task };
    *task = (pl_whip_task){ .kind = PL_WHIP_NOT_MINE };
    if (!parse_path(&a))
        return;
    task->kind = PL_WHIP_ANSWERED;
    add_cors(&reply->head);
    if (!pl_whip_name_ok(a.name)) {
        refuse(&a, 404, "Names have up to 64 letters, digits and -._~.");
    } else if (req->method == PL_HTTP_OPTIONS) {
        on_options(&a);
    } else if (a.id.p) {
        on_session(&a);
    } else if (req->method != PL_HTTP_POST) {
        pl_buf_addf(&reply->head, "Allow: OPTIONS, POST\r\n");
        refuse(&a, 405, "An endpoint takes POST.");
    } else if (may(&a)) {
        on_post(&a);
    }
}
