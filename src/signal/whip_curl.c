#include "signal/whip_curl.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/hmac.h"
#include "net/loop.h"
#include "signal/curl_loop.h"

enum { HEAD_BYTES_MAX = 65536, CONNECT_MS = 10000, CALL_MS = 20000, DELETE_MS = 3000, LINE_MAX_BYTES = 5000 };

struct pl_whip_curl {
    pl_loop *loop;
    pl_whip_client *client;
    pl_curl *curl;
    CURL *easy;
    struct curl_slist *headers;
    char *ca_file;
    void (*event)(void *user, const pl_whip_event *ev);
    void *user;
    pl_timer timer;
    bool running;
    pl_buf head, body; /* of the answer; head: the lines of its headers */
    char error[CURL_ERROR_SIZE];
};

/* ---- what comes back ---- */

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    pl_whip_curl *k = user;
    pl_buf_add(&k->body, data, size * n);
    return k->body.bad ? 0 : size * n;
}

/* Each answer has its own headers: those of "100 Continue" go when the real one begins. */
static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    pl_whip_curl *k = user;
    if (pl_str_starts((pl_str){ data, size * n }, "HTTP/"))
        k->head.n = 0;
    pl_buf_add(&k->head, data, size * n);
    return k->head.bad ? 0 : size * n;
}

static size_t split_headers(const pl_whip_curl *k, pl_whip_header *out)
{
    pl_str rest = { k->head.p, k->head.n };
    size_t n = 0;
    (void)pl_str_cut(&rest, '\n'); /* the status line */
    while (rest.p && n < PL_WHIP_HEADERS_MAX) {
        pl_str value = pl_str_cut(&rest, '\n');
        if (value.n && value.p[value.n - 1] == '\r')
            value.n--;
        pl_str name = pl_str_cut(&value, ':');
        if (value.p)
            out[n++] = (pl_whip_header){ name, pl_str_trim(value) };
    }
    return n;
}

static void finish(pl_whip_curl *k, CURLcode code)
{
    pl_whip_header header[PL_WHIP_HEADERS_MAX];
    pl_whip_result r = { .header = header, .body = { k->body.p, k->body.n } };
    char why[CURL_ERROR_SIZE + 16];
    long status = 0;
    int64_t now_us = pl_loop_now_us(k->loop);
    k->running = false;
    curl_easy_getinfo(k->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK) {
        r.status = (int)status;
        r.n_headers = split_headers(k, header);
        pl_whip_client_result(k->client, now_us, &r, NULL);
    } else {
        snprintf(why, sizeof why, "%s", k->error[0] ? k->error : curl_easy_strerror(code));
        pl_whip_client_result(k->client, now_us, NULL, why);
    }
    pl_buf_clear(&k->head);
    pl_buf_clear(&k->body);
}

static void on_done(void *user, CURL *easy, CURLcode code)
{
    pl_whip_curl *k = user;
    (void)easy;
    finish(k, code);
    pl_whip_curl_kick(k);
}

/* ---- what is asked ---- */

static bool add_line(pl_whip_curl *k, const char *name, const char *value)
{
    char line[LINE_MAX_BYTES];
    if (!value)
        return true;
    int n = snprintf(line, sizeof line, "%s%s", name, value);
    struct curl_slist *more = n > 0 && (size_t)n < sizeof line ? curl_slist_append(k->headers, line) : NULL;
    pl_wipe(line, sizeof line);
    if (more)
        k->headers = more;
    return more != NULL;
}

static bool set_headers(pl_whip_curl *k, const pl_whip_call *call)
{
    curl_slist_free_all(k->headers);
    k->headers = NULL;
    return add_line(k, "Expect:", "") && add_line(k, "Content-Type: ", call->type) &&
           add_line(k, "Accept: ", call->accept) && add_line(k, "If-Match: ", call->if_match) &&
           add_line(k, "Authorization: Bearer ", call->token);
}

static bool set_options(pl_whip_curl *k, const pl_whip_call *call)
{
    CURL *e = k->easy;
    bool ends = strcmp(call->method, "DELETE") == 0;
    curl_easy_reset(e);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(ends ? DELETE_MS : CONNECT_MS));
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(ends ? DELETE_MS : CALL_MS));
    curl_easy_setopt(e, CURLOPT_USERAGENT, "peerline");
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, k->error);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, k);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, k);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, k->headers);
    if (k->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, k->ca_file);
    if (call->type) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
        curl_easy_setopt(e, CURLOPT_POSTFIELDS, call->body.n ? call->body.p : "");
    }
    return curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK &&
           curl_easy_setopt(e, CURLOPT_URL, call->url) == CURLE_OK;
}

static void start(pl_whip_curl *k, const pl_whip_call *call)
{
    k->head = pl_buf_init(HEAD_BYTES_MAX);
    k->body = pl_buf_init(PL_WHIP_BODY_MAX);
    k->error[0] = '\0';
    k->running = true;
    if (!set_headers(k, call) || !set_options(k, call) || pl_curl_start(k->curl, k->easy))
        finish(k, CURLE_OUT_OF_MEMORY);
}

/* Tells what there is to tell, asks what there is to ask, until neither is. */
static void on_time(void *user, int64_t now_us)
{
    pl_whip_curl *k = user;
    pl_whip_event ev;
    pl_whip_call call;
    for (;;) {
        while (pl_whip_client_poll_event(k->client, &ev))
            k->event(k->user, &ev);
        if (k->running)
            return;
        if (pl_whip_client_poll_call(k->client, now_us, &call))
            start(k, &call);
        else if (!pl_whip_client_poll_event(k->client, &ev))
            break;
        else
            k->event(k->user, &ev);
    }
    pl_timer_set(k->loop, &k->timer, pl_whip_client_next_us(k->client));
}

void pl_whip_curl_kick(pl_whip_curl *k)
{
    pl_timer_set(k->loop, &k->timer, pl_loop_now_us(k->loop));
}

/* ---- life ---- */

pl_err pl_whip_curl_new(pl_whip_curl **out, pl_loop *loop, const pl_whip_curl_conf *conf)
{
    *out = NULL;
    pl_whip_curl *k = calloc(1, sizeof *k);
    if (!k)
        return PL_ENOMEM;
    k->loop = loop;
    k->event = conf->event;
    k->user = conf->user;
    k->timer = (pl_timer){ .fn = on_time, .arg = k };
    pl_err err = pl_whip_client_new(&k->client, &conf->client, pl_loop_now_us(loop));
    if (!err)
        err = pl_curl_new(&k->curl, loop, on_done, k);
    if (!err && !(k->easy = curl_easy_init()))
        err = PL_ENOMEM;
    if (!err && conf->ca_file && !(k->ca_file = strdup(conf->ca_file)))
        err = PL_ENOMEM;
    if (err) {
        pl_whip_curl_free(k);
        return err;
    }
    pl_whip_curl_kick(k);
    *out = k;
    return PL_OK;
}

void pl_whip_curl_free(pl_whip_curl *k)
{
    if (!k)
        return;
    pl_timer_cancel(k->loop, &k->timer);
    if (k->easy && k->running)
        pl_curl_stop(k->curl, k->easy);
    if (k->easy)
        curl_easy_cleanup(k->easy);
    pl_curl_free(k->curl);
    curl_slist_free_all(k->headers);
    pl_buf_clear(&k->head);
    pl_buf_clear(&k->body);
    pl_whip_client_free(k->client);
    free(k->ca_file);
    free(k);
}

pl_whip_client *pl_whip_curl_client(pl_whip_curl *k)
{
    return k->client;
}
