/* XMPP over BOSH: bosh.h says what is asked when, libcurl asks. TLS is libcurl's, so there is no channel binding. */
#include <stdio.h>
#include <stdlib.h>

#include "signal/curl_loop.h"
#include "signal/xmpp_internal.h"
#include "signal/xmpp_meta.h"
#include "xmpp/bosh.h"

enum { LEAVE_S = 2, CONNECT_MS = 8000 };

typedef struct transfer {
    CURL *easy;
    bool running, done;
    CURLcode result;
    pl_buf body;
    char error[CURL_ERROR_SIZE];
} transfer;

typedef struct bosh_link {
    xmpp_link base;
    pl_node in_leaving;
    xmpp_meta *meta;
    pl_bosh *bosh;
    pl_curl *curl;
    struct curl_slist *headers;
    transfer transfer[PL_BOSH_REQUESTS];
    pl_timer timer;   /* answers are read here, where libcurl's objects may go */
    int64_t leave_us; /* leaving: until then */
    bool leaving, up;
    bool telling, dead; /* dead while telling: freed after it */
    char url[XMPP_META_URL_MAX];
} bosh_link;

static bosh_link *of(xmpp_link *k)
{
    return (bosh_link *)k;
}

static int64_t now_of(const bosh_link *l)
{
    return pl_loop_now_us(l->base.x->loop);
}

static void set_timer(bosh_link *l)
{
    int64_t at = l->bosh ? pl_bosh_next_us(l->bosh) : PL_NEVER;
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        if (l->transfer[i].done)
            at = now_of(l);
    }
    if (l->leaving)
        at = pl_min_us(at, l->leave_us);
    pl_timer_set(l->base.x->loop, &l->timer, at);
}

/* ---- libcurl ---- */

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    transfer *t = user;
    pl_buf_add(&t->body, data, size * n);
    return t->body.bad ? 0 : size * n;
}

static void on_done(void *user, CURL *easy, CURLcode result)
{
    bosh_link *l = user;
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        transfer *t = &l->transfer[i];
        if (t->easy != easy)
            continue;
        t->running = false;
        t->done = true;
        t->result = result;
    }
    set_timer(l);
}

static bool set_up(bosh_link *l, transfer *t)
{
    const char *ca = l->base.x->ca_file;
    CURL *e = t->easy = curl_easy_init();
    t->body = pl_buf_init(PL_BOSH_BODY_MAX + 4096);
    return e && curl_easy_setopt(e, CURLOPT_URL, l->url) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_TIMEOUT, (long)(PL_BOSH_WAIT_S + PL_BOSH_SLACK_S)) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_USERAGENT, "peerline") == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_HTTPHEADER, l->headers) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           (!ca || curl_easy_setopt(e, CURLOPT_CAINFO, ca) == CURLE_OK);
}

static pl_err start(bosh_link *l)
{
    pl_xmpp_connection *x = l->base.x;
    l->headers = curl_slist_append(NULL, "Content-Type: text/xml; charset=utf-8");
    struct curl_slist *more = l->headers ? curl_slist_append(l->headers, "Expect:") : NULL;
    if (!more || pl_curl_new(&l->curl, x->loop, on_done, l))
        return PL_ENOMEM;
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        if (!set_up(l, &l->transfer[i]))
            return PL_ENOMEM;
    }
    return pl_bosh_new(&l->bosh, x->domain, &(pl_rand){ 0 }, now_of(l));
}

/* Whatever is due is asked. */
static void ask(bosh_link *l)
{
    pl_bosh_request r;
    while (pl_bosh_poll_request(l->bosh, now_of(l), &r)) {
        transfer *t = &l->transfer[r.slot];
        pl_buf_clear(&t->body);
        t->error[0] = 0;
        t->done = false;
        t->running =
            curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r.text.n) == CURLE_OK &&
            curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, r.text.p) == CURLE_OK &&
            pl_curl_start(l->curl, t->easy) == PL_OK;
        if (!t->running)
            pl_bosh_failed(l->bosh, now_of(l), r.slot, 0);
    }
    set_timer(l);
}

/* ---- up ---- */

static bool is_certificate(CURLcode result)
{
    return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_ISSUER_ERROR;
}

/* False: the link is gone. */
static bool tell_result(bosh_link *l, unsigned slot)
{
    transfer *t = &l->transfer[slot];
    long status = 0;
    t->done = false;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (is_certificate(t->result) && !l->leaving) {
        char why[160];
        snprintf(why, sizeof why, "the certificate is refused: %.110s", t->error);
        xmpp_down(l->base.x, PL_XMPP_BAD_CERTIFICATE, why);
        return false;
    }
    if (t->result == CURLE_OK && status == 200)
        pl_bosh_answered(l->bosh, now_of(l), slot, (pl_str){ t->body.p ? t->body.p : "", t->body.n });
    else
        pl_bosh_failed(l->bosh, now_of(l), slot, t->result == CURLE_OK ? (int)status : 0);
    pl_buf_clear(&t->body);
    return true;
}

static void end_link(bosh_link *l);

/* What the answers held goes up; any of it may end this link. */
static void tell_reads(bosh_link *l)
{
    pl_xml_read read;
    pl_xmpp_fault fault;
    const char *why;
    l->telling = true;
    while (!l->dead && pl_bosh_poll_read(l->bosh, &read)) {
        if (l->leaving)
            pl_xml_free(read.element);
        else
            xmpp_read(l->base.x, &read);
    }
    l->telling = false;
    if (l->dead)
        free(l);
    else if (!pl_bosh_poll_end(l->bosh, &fault, &why))
        ask(l);
    else if (l->leaving)
        end_link(l);
    else
        xmpp_down(l->base.x, fault, why);
}

static void on_time(void *user, int64_t now_us)
{
    bosh_link *l = user;
    if (!l->bosh || !l->up) { /* begun, and told from here */
        l->up = l->bosh != NULL;
        if (l->up)
            xmpp_up(l->base.x, PL_XMPP_FRAMED_BOSH, strncmp(l->url, "https:", 6) == 0, NULL);
        else
            xmpp_down(l->base.x, PL_XMPP_LIMIT, "no connection can be made");
        return;
    }
    if (l->leaving && now_us >= l->leave_us) {
        end_link(l);
        return;
    }
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        if (l->transfer[i].done && !tell_result(l, i))
            return;
    }
    tell_reads(l);
}

/* ---- verbs ---- */

static void end_link(bosh_link *l)
{
    pl_timer_cancel(l->base.x->loop, &l->timer);
    pl_list_remove(&l->in_leaving);
    xmpp_meta_cancel(l->meta);
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        transfer *t = &l->transfer[i];
        if (t->running)
            pl_curl_stop(l->curl, t->easy);
        if (t->easy)
            curl_easy_cleanup(t->easy);
        pl_buf_clear(&t->body);
    }
    pl_curl_free(l->curl);
    curl_slist_free_all(l->headers);
    pl_bosh_free(l->bosh);
    l->dead = true;
    if (!l->telling)
        free(l);
}

void xmpp_bosh_close_all(pl_list *leaving)
{
    PL_EACH (n, leaving)
        end_link(pl_of(n, bosh_link, in_leaving));
}

static void close_link(xmpp_link *k)
{
    end_link(of(k));
}

/* The last request ends the session; the server would hold it for minutes otherwise. */
static void finish_link(xmpp_link *k)
{
    bosh_link *l = of(k);
    if (!l->up) {
        end_link(l);
        return;
    }
    l->leaving = true;
    l->leave_us = now_of(l) + PL_SEC(LEAVE_S);
    pl_list_push_back(&l->base.x->leaving, &l->in_leaving);
    ask(l);
}

static void on_meta(void *user, const char *url, const char *why)
{
    bosh_link *l = user;
    l->meta = NULL;
    if (!url || !pl_str_copy(pl_str_of(url), l->url, sizeof l->url)) {
        xmpp_down(l->base.x, PL_XMPP_UNREACHABLE, why);
        return;
    }
    (void)!start(l); /* on_time tells either way */
    pl_timer_set(l->base.x->loop, &l->timer, 0);
}

static pl_err begin(bosh_link *l)
{
    pl_xmpp_connection *x = l->base.x;
    if (!x->url)
        return xmpp_meta_ask(&l->meta, x->loop, x->domain, x->ca_file, XMPP_META_BOSH, on_meta, l);
    if (!pl_str_copy(pl_str_of(x->url), l->url, sizeof l->url))
        return PL_EINVAL;
    pl_err err = start(l);
    pl_timer_set(x->loop, &l->timer, 0);
    return err;
}

static pl_err open_link(xmpp_link **out, pl_xmpp_connection *x, const char *other)
{
    bosh_link *l = calloc(1, sizeof *l);
    (void)other;
    *out = NULL;
    if (!l)
        return PL_ENOMEM;
    l->base.x = x;
    l->timer = (pl_timer){ .fn = on_time, .arg = l };
    pl_err err = begin(l);
    if (err) {
        end_link(l);
        return err;
    }
    *out = &l->base;
    return PL_OK;
}

/* What is said together goes in one request: asked when the loop comes round. */
static pl_err write_link(xmpp_link *k, const pl_xmpp_output *out)
{
    bosh_link *l = of(k);
    if (!l->bosh)
        return PL_ESTATE;
    pl_bosh_put(l->bosh, now_of(l), out);
    pl_timer_set(l->base.x->loop, &l->timer, now_of(l));
    return PL_OK;
}

static bool is_full(const xmpp_link *k)
{
    (void)k;
    return false; /* what waits is one body; the stream bounds it */
}

static const char *version(const xmpp_link *k)
{
    const bosh_link *l = (const bosh_link *)k;
    return strncmp(l->url, "https:", 6) == 0 ? "HTTPS" : "";
}

const xmpp_link_ops xmpp_bosh_ops = {
    open_link, write_link, NULL, is_full, finish_link, close_link, version
};
