#include "signal/xmpp_meta.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/loop.h"
#include "signal/curl_loop.h"
#include "xml/reader.h"

#define NS_XRD "http://docs.oasis-open.org/ns/xri/xrd-1.0"

enum { TIMEOUT_S = 10 };

struct xmpp_meta {
    pl_loop *loop;
    pl_curl *curl;
    CURL *easy;
    pl_buf body;
    xmpp_meta_kind kind;
    xmpp_meta_fn fn;
    void *user;
    pl_timer timer; /* the answer is told from here, where the transfer's object may be freed */
    CURLcode result;
};

bool xmpp_meta_parse(pl_str text, xmpp_meta_kind kind, char url[XMPP_META_URL_MAX])
{
    const char *rel =
        kind == XMPP_META_BOSH ? "urn:xmpp:alt-connections:xbosh" : "urn:xmpp:alt-connections:websocket";
    const char *scheme = kind == XMPP_META_BOSH ? "https://" : "wss://";
    pl_xml *xrd;
    bool found = false;
    if (pl_xml_parse(&xrd, text))
        return false;
    for (const pl_xml *l = pl_xml_child(xrd, NS_XRD, "Link"); l && !found;
         l = pl_xml_next(l, NS_XRD, "Link")) {
        const char *href = pl_xml_attr_of(l, "href");
        found = pl_xml_attr_is(l, "rel", rel) && href && strncmp(href, scheme, strlen(scheme)) == 0 &&
                pl_str_copy(pl_str_of(href), url, XMPP_META_URL_MAX);
    }
    pl_xml_free(xrd);
    return found;
}

void xmpp_meta_cancel(xmpp_meta *m)
{
    if (!m)
        return;
    pl_timer_cancel(m->loop, &m->timer);
    if (m->curl && m->easy)
        pl_curl_stop(m->curl, m->easy);
    if (m->easy)
        curl_easy_cleanup(m->easy);
    pl_curl_free(m->curl);
    pl_buf_clear(&m->body);
    free(m);
}

static void on_time(void *user, int64_t now_us)
{
    xmpp_meta *m = user;
    char url[XMPP_META_URL_MAX], why[120] = "the domain's host-meta names no such address";
    long status = 0;
    (void)now_us;
    curl_easy_getinfo(m->easy, CURLINFO_RESPONSE_CODE, &status);
    bool found = m->result == CURLE_OK && status == 200 && !m->body.bad &&
                 xmpp_meta_parse((pl_str){ m->body.p, m->body.n }, m->kind, url);
    if (m->result != CURLE_OK)
        snprintf(why, sizeof why, "the domain's host-meta: %s", curl_easy_strerror(m->result));
    xmpp_meta_fn fn = m->fn;
    void *to = m->user;
    xmpp_meta_cancel(m);
    fn(to, found ? url : NULL, why);
}

static void on_done(void *user, CURL *easy, CURLcode result)
{
    xmpp_meta *m = user;
    (void)easy;
    m->result = result;
    pl_timer_set(m->loop, &m->timer, pl_loop_now_us(m->loop));
}

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    xmpp_meta *m = user;
    pl_buf_add(&m->body, data, size * n);
    return m->body.bad ? 0 : size * n;
}

static bool set_up(xmpp_meta *m, const char *domain, const char *ca_file)
{
    char url[300];
    snprintf(url, sizeof url, "https://%s/.well-known/host-meta", domain);
    m->easy = curl_easy_init();
    return m->easy && curl_easy_setopt(m->easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(m->easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(m->easy, CURLOPT_REDIR_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(m->easy, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           curl_easy_setopt(m->easy, CURLOPT_MAXREDIRS, 3L) == CURLE_OK &&
           curl_easy_setopt(m->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(m->easy, CURLOPT_TIMEOUT, (long)TIMEOUT_S) == CURLE_OK &&
           curl_easy_setopt(m->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(m->easy, CURLOPT_WRITEDATA, m) == CURLE_OK &&
           (!ca_file || curl_easy_setopt(m->easy, CURLOPT_CAINFO, ca_file) == CURLE_OK);
}

pl_err xmpp_meta_ask(xmpp_meta **out, pl_loop *loop, const char *domain, const char *ca_file,
                     xmpp_meta_kind kind, xmpp_meta_fn fn, void *user)
{
    xmpp_meta *m = calloc(1, sizeof *m);
    *out = NULL;
    if (!m)
        return PL_ENOMEM;
    m->loop = loop;
    m->kind = kind;
    m->fn = fn;
    m->user = user;
    m->body = pl_buf_init(XMPP_META_MAX);
    m->timer = (pl_timer){ .fn = on_time, .arg = m };
    pl_err err = pl_curl_new(&m->curl, loop, on_done, m);
    if (!err && !set_up(m, domain, ca_file))
        err = PL_ENOMEM;
    if (!err)
        err = pl_curl_start(m->curl, m->easy);
    if (err) {
        xmpp_meta_cancel(m);
        return err;
    }
    *out = m;
    return PL_OK;
}
