/* The classic protocol, client side: one transfer hangs in /wait, the other signs in, posts the texts one by
 * one and signs out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "signal/client_internal.h"
#include "signal/curl_loop.h"

/* The server keeps a peer for half a minute when nobody waits for it. Where none answers there is nobody to keep it. */
enum { RETRIES_MAX = 12, REFUSED_RETRIES_MAX = 3, STALL_SEC = 8, URL_MAX = 2048 };
static const int64_t retry_min_us = PL_MS(200), retry_us = PL_SEC(1);

typedef enum job { JOB_NONE, JOB_SIGN_IN, JOB_MESSAGE, JOB_SIGN_OUT } job;

typedef struct transfer {
    CURL *easy;
    pl_buf body;
    pl_peer_id pragma;
    char error[CURL_ERROR_SIZE];
} transfer;

struct client_carrier {
    pl_room_client *client;
    pl_curl *curl;
    transfer control, wait;
    struct curl_slist *headers;
    job job;
    int n_failed_waits, n_failed_posts;
    pl_timer wait_again, post_again;
};

/* ---- transfers ---- */

static size_t on_body(char *data, size_t size, size_t n, void *user)
{
    transfer *t = user;
    pl_buf_add(&t->body, data, size * n);
    return t->body.bad ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *user)
{
    transfer *t = user;
    pl_str value = { data, size * n };
    pl_str name = pl_str_cut(&value, ':');
    uint64_t id;
    while (value.n && (value.p[value.n - 1] == '\n' || value.p[value.n - 1] == '\r'))
        value.n--;
    if (pl_str_ieq(name, PL_STR("Pragma")) && pl_str_u64(pl_str_trim(value), INT32_MAX, &id))
        t->pragma = (pl_peer_id)id;
    return size * n;
}

static bool transfer_init(transfer *t, const client_carrier *k)
{
    t->easy = curl_easy_init();
    t->body = pl_buf_init(CLIENT_LIST_MAX);
    if (!t->easy)
        return false;
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(t->easy, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPIDLE, 30L);
    curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPINTVL, 10L);
    curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "peerline");
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, k->headers);
    return true;
}

static void transfer_clear(transfer *t, pl_curl *curl)
{
    if (t->easy) {
        if (curl)
            pl_curl_stop(curl, t->easy);
        curl_easy_cleanup(t->easy);
    }
    pl_buf_clear(&t->body);
}

static void request(client_carrier *k, transfer *t, const char *path_and_query)
{
    const client_url *u = &k->client->url;
    char url[URL_MAX];
    bool ip6 = strchr(u->host, ':') != NULL;
    snprintf(url, sizeof url, "%s://%s%s%s:%u%s%s", u->tls ? "https" : "http", ip6 ? "[" : "", u->host,
             ip6 ? "]" : "", u->port, u->path, path_and_query);
    pl_buf_clear(&t->body);
    t->body = pl_buf_init(CLIENT_LIST_MAX);
    t->pragma = 0;
    t->error[0] = '\0';
    curl_easy_setopt(t->easy, CURLOPT_URL, url);
    if (pl_curl_start(k->curl, t->easy))
        client_lost(k->client, PL_ENOMEM, true, "no memory for a request");
}

/* ---- what we ask ---- */

static void ask_wait(client_carrier *k)
{
    char path[64];
    snprintf(path, sizeof path, "/wait?peer_id=%u", k->client->id);
    request(k, &k->wait, path);
}

static void ask_sign_in(client_carrier *k)
{
    char path[3 * PL_ROOMS_NAME_MAX + 32];
    char *name = curl_easy_escape(k->control.easy, k->client->name, 0);
    snprintf(path, sizeof path, "/sign_in?%s", name ? name : "");
    curl_free(name);
    k->job = JOB_SIGN_IN;
    curl_easy_setopt(k->control.easy, CURLOPT_TIMEOUT_MS, 15000L);
    request(k, &k->control, path);
}

static void ask_message(client_carrier *k, const client_text *t)
{
    char path[64];
    snprintf(path, sizeof path, "/message?peer_id=%u&to=%u", k->client->id, t->to);
    k->job = JOB_MESSAGE;
    curl_easy_setopt(k->control.easy, CURLOPT_TIMEOUT_MS, 0L);
    curl_easy_setopt(k->control.easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(k->control.easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_SEC);
    curl_easy_setopt(k->control.easy, CURLOPT_POST, 1L);
    curl_easy_setopt(k->control.easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->len);
    curl_easy_setopt(k->control.easy, CURLOPT_POSTFIELDS,
                     (const char *)t->text); /* stays in the queue until it is sent */
    request(k, &k->control, path);
}

static void ask_sign_out(client_carrier *k)
{
    char path[64];
    snprintf(path, sizeof path, "/sign_out?peer_id=%u", k->client->id);
    k->job = JOB_SIGN_OUT;
    curl_easy_setopt(k->control.easy, CURLOPT_HTTPGET, 1L);
    curl_easy_setopt(k->control.easy, CURLOPT_TIMEOUT_MS, 2000L);
    request(k, &k->control, path);
}

static void kick(client_carrier *k)
{
    pl_room_client *c = k->client;
    if (k->job != JOB_NONE || !c->id)
        return;
    const client_text *t = client_first_text(c);
    if (t)
        ask_message(k, t);
    else if (c->leaving)
        ask_sign_out(k);
}

/* ---- what comes back ---- */

/* "name,id,connected" */
static bool parse_entry(pl_str line, pl_room_peer *peer, char name[PL_ROOMS_NAME_MAX + 1], bool *connected)
{
    uint64_t id, flag;
    pl_str text = pl_str_cut(&line, ','), number = pl_str_cut(&line, ',');
    if (!pl_str_u64(number, INT32_MAX, &id) || !pl_str_u64(pl_str_trim(line), 1, &flag) || id == 0 ||
        !pl_str_copy(text, name, PL_ROOMS_NAME_MAX + 1))
        return false;
    *peer = (pl_room_peer){ (pl_peer_id)id, name };
    *connected = flag;
    return true;
}

typedef struct peer_list {
    pl_room_peer *peer;
    char (*name)[PL_ROOMS_NAME_MAX + 1];
    size_t n;
} peer_list;

static size_t count_lines(const pl_buf *text)
{
    size_t n = 1;
    for (size_t i = 0; i < text->n; i++)
        n += text->p[i] == '\n';
    return n;
}

static void on_signed_in(client_carrier *k, transfer *t)
{
    size_t max = count_lines(&t->body);
    peer_list list = { .peer = calloc(max, sizeof *list.peer), .name = calloc(max, sizeof *list.name) };
    pl_str rest = { t->body.p, t->body.n };
    while (list.peer && list.name && rest.p && list.n < max) {
        bool connected;
        pl_str line = pl_str_cut(&rest, '\n');
        if (parse_entry(line, &list.peer[list.n], list.name[list.n], &connected) && connected &&
            list.peer[list.n].id != t->pragma)
            list.n++;
    }
    k->job = JOB_NONE;
    if (list.peer && list.name)
        client_signed_in(k->client, t->pragma, list.peer, list.n);
    else
        client_lost(k->client, PL_ENOMEM, true, "no memory for the list of peers");
    free(list.peer);
    free(list.name);
    if (k->client->id) {
        ask_wait(k);
        kick(k);
    }
}

static long status_of(CURL *easy)
{
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static void refused(client_carrier *k, const transfer *t, long status)
{
    pl_err err = status == 429 || status == 503 ? PL_ENOSPC : PL_EPROTO;
    bool again = err == PL_ENOSPC || k->client->id;
    client_lost(k->client, err, again, "the server answers %ld %.*s", status,
                (int)(t->body.n < 80 ? t->body.n : 80), t->body.p ? t->body.p : "");
}

static bool is_busy(long status)
{
    return status == 429 || status == 503;
}

static bool is_refused(const transfer *t)
{
    long error = 0;
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &error);
    return error == ECONNREFUSED;
}

/* On its next try, as the device may have another network by then. */
static bool may_try_again(transfer *t, int *n_failed)
{
    curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
    return ++*n_failed <= (is_refused(t) ? REFUSED_RETRIES_MAX : RETRIES_MAX);
}

static void post_again(client_carrier *k)
{
    pl_timer_set(k->client->loop, &k->post_again, pl_loop_now_us(k->client->loop) + retry_us);
}

/* A busy server is asked again. One peer that has left does not end our own stay. */
static void on_posted(client_carrier *k, long status)
{
    if (is_busy(status) && ++k->n_failed_posts <= RETRIES_MAX) {
        post_again(k);
        return;
    }
    if (status != 200)
        pl_log_info(&k->client->log, "a message to peer %u was refused with %ld",
                    client_first_text(k->client)->to, status);
    curl_easy_setopt(k->control.easy, CURLOPT_FRESH_CONNECT, 0L);
    k->n_failed_posts = 0;
    k->job = JOB_NONE;
    client_text_sent(k->client);
    kick(k);
}

static void on_control_done(client_carrier *k, CURLcode result)
{
    transfer *t = &k->control;
    job was = k->job;
    long status = status_of(t->easy);
    if (was == JOB_SIGN_OUT) {
        client_lost(k->client, PL_OK, false, "signed out");
        return;
    }
    if (result != CURLE_OK && was == JOB_MESSAGE && may_try_again(t, &k->n_failed_posts)) {
        post_again(k);
        return;
    }
    if (result != CURLE_OK) {
        client_lost(k->client, PL_EIO, true, "%s: %s", k->client->url_text,
                    t->error[0] ? t->error : curl_easy_strerror(result));
        return;
    }
    if (was == JOB_SIGN_IN) {
        if (status == 200 && t->pragma)
            on_signed_in(k, t);
        else
            refused(k, t, status);
        return;
    }
    on_posted(k, status);
}

static void deliver(client_carrier *k, const transfer *t)
{
    char name[PL_ROOMS_NAME_MAX + 1];
    pl_room_peer peer;
    bool connected;
    pl_str body = { t->body.p ? t->body.p : "", t->body.n };
    if (t->pragma != k->client->id)
        client_message(k->client, t->pragma, body.p, body.n);
    else if (parse_entry(pl_str_cut(&body, '\n'), &peer, name, &connected)) /* a notification is one line */
        client_presence(k->client, connected, peer.id, peer.name);
}

/* A hanging request that ends without an answer is asked again, as the old client does: proxies cut them. */
static void on_wait_done(client_carrier *k, CURLcode result)
{
    transfer *t = &k->wait;
    long status = status_of(t->easy);
    if (result != CURLE_OK || is_busy(status)) {
        if (!may_try_again(t, &k->n_failed_waits))
            client_lost(k->client, PL_EIO, true, "%s: %s", k->client->url_text,
                        t->error[0] ? t->error : curl_easy_strerror(result));
        else
            pl_timer_set(k->client->loop, &k->wait_again,
                         pl_loop_now_us(k->client->loop) +
                             (result && k->n_failed_waits < 4 ? retry_min_us : retry_us));
        return;
    }
    if (status != 200 || !t->pragma) {
        refused(k, t, status);
        return;
    }
    curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 0L);
    k->n_failed_waits = 0;
    (void)pl_buf_z(&t->body);
    deliver(k, t);
    ask_wait(k);
}

static void on_wait_again(void *user, int64_t now_us)
{
    (void)now_us;
    ask_wait(user);
}

static void on_post_again(void *user, int64_t now_us)
{
    client_carrier *k = user;
    (void)now_us;
    k->job = JOB_NONE;
    kick(k);
}

static void on_done(void *user, CURL *easy, CURLcode result)
{
    client_carrier *k = user;
    if (k->client->timer.node.linked) /* lost already */
        return;
    if (easy == k->control.easy)
        on_control_done(k, result);
    else
        on_wait_done(k, result);
}

/* ---- life ---- */

/* The hanging request is asked on a new connection, which shows by itself whether the server can be reached. */
static void check(client_carrier *k)
{
    if (!k->client->id || k->client->timer.node.linked || k->wait_again.node.linked)
        return;
    pl_curl_stop(k->curl, k->wait.easy);
    curl_easy_setopt(k->wait.easy, CURLOPT_FRESH_CONNECT, 1L);
    ask_wait(k);
}

static void close_carrier(client_carrier *k)
{
    pl_timer_cancel(k->client->loop, &k->wait_again);
    pl_timer_cancel(k->client->loop, &k->post_again);
    transfer_clear(&k->control, k->curl);
    transfer_clear(&k->wait, k->curl);
    pl_curl_free(k->curl);
    curl_slist_free_all(k->headers);
    free(k);
}

static client_carrier *open_carrier(pl_room_client *c)
{
    client_carrier *k = calloc(1, sizeof *k);
    if (!k)
        return NULL;
    k->client = c;
    k->wait_again = (pl_timer){ .fn = on_wait_again, .arg = k };
    k->post_again = (pl_timer){ .fn = on_post_again, .arg = k };
    k->headers = curl_slist_append(NULL, "Content-Type: text/plain");
    if (k->headers) /* the old server answers no "Expect: 100-continue" */
        k->headers = curl_slist_append(k->headers, "Expect:") ? k->headers : NULL;
    if (!k->headers || pl_curl_new(&k->curl, c->loop, on_done, k) || !transfer_init(&k->control, k) ||
        !transfer_init(&k->wait, k)) {
        close_carrier(k);
        return NULL;
    }
    ask_sign_in(k);
    return k;
}

const client_carrier_ops client_classic_ops = { open_carrier, kick, check, close_carrier };
