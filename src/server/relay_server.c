/* All workers of a relay: where they listen, by which rules, and their common life. */
#include "server/relay_server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "net/ifaddr.h"
#include "server/relay_worker.h"

enum { PORT_TRIES = 8 };
#define DRAIN_LOOK_US PL_MS(100)

static const pl_log server_log = { "relay" };

static pl_err refuse(char *say, pl_err err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static pl_err refuse(char *say, pl_err err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(say, PL_RELAY_SAY_MAX, fmt, args);
    va_end(args);
    return err;
}

/* ---- for workers ---- */

bool rs_server_take_conn(pl_relay_server *s)
{
    if (atomic_fetch_add(&s->n_conns, 1) < atomic_load(&s->max_conns))
        return true;
    atomic_fetch_sub(&s->n_conns, 1);
    return false;
}

void rs_server_give_conn(pl_relay_server *s)
{
    atomic_fetch_sub(&s->n_conns, 1);
}

bool rs_server_relay_ip(const pl_relay_server *s, pl_family family, pl_addr *out)
{
    int f = family == PL_AF_IP6;
    size_t n = s->n_relay_ip[f];
    if (n == 0)
        return false;
    *out = s->relay_ip[f][n > 1 ? pl_rand_below(&(pl_rand){ 0 }, (uint32_t)n) : 0];
    return true;
}

void rs_server_map(const pl_relay_server *s, pl_addr *a)
{
    for (size_t i = 0; i < s->n_externals; i++) {
        const pl_relay_external *e = &s->external[i];
        if (e->addr.family != a->family || (e->local.family != PL_AF_NONE && !pl_addr_ip_eq(&e->local, a)))
            continue;
        uint16_t port = a->port;
        *a = e->addr;
        a->port = port;
        return;
    }
}

/* ---- where ---- */

static void add_place(pl_relay_server *s, const pl_addr *a, bool tcp, bool secure, uint8_t at)
{
    for (size_t i = 0; i < s->n_places; i++) {
        const pl_relay_place *p = &s->place[i];
        if (a->port != 0 && p->tcp == tcp && pl_addr_eq(&p->addr, a))
            return;
    }
    const pl_relay_place *before = s->n_places > 0 ? &s->place[s->n_places - 1] : NULL;
    s->place_twin[s->n_places] =
        tcp && before && !before->tcp && a->port == 0 && pl_addr_eq(&before->addr, a);
    s->place_at[s->n_places] = at;
    s->place[s->n_places++] = (pl_relay_place){ .addr = *a, .tcp = tcp, .secure = secure };
}

static void add_places(pl_relay_server *s)
{
    const pl_relay_settings *set = &s->settings;
    if (set->primary.family != PL_AF_NONE) {
        for (unsigned at = 0; at < PL_STUN_N_SOCKETS; at++) {
            pl_addr a = at & PL_STUN_AT_IP ? set->alternate : set->primary;
            a.port = at & PL_STUN_AT_PORT ? set->alternate.port : set->primary.port;
            add_place(s, &a, false, false, (uint8_t)at);
            if (!set->no_tcp)
                add_place(s, &a, true, false, (uint8_t)at);
        }
    }
    for (size_t i = 0; i < set->n_listen; i++) {
        if (s->without_ip6 && set->listen[i].family == PL_AF_IP6)
            continue;
        if (!set->no_udp)
            add_place(s, &set->listen[i], false, false, UINT8_MAX);
        if (!set->no_tcp)
            add_place(s, &set->listen[i], true, false, UINT8_MAX);
    }
    for (size_t i = 0; i < set->n_tls; i++) {
        add_place(s, &set->tls[i], false, true, UINT8_MAX);
        add_place(s, &set->tls[i], true, true, UINT8_MAX);
    }
}

static void add_relay_ip(pl_relay_server *s, const pl_addr *a)
{
    int f = a->family == PL_AF_IP6;
    if (pl_addr_is_any(a) || s->n_relay_ip[f] == PL_RELAY_ADDRS_MAX)
        return;
    pl_addr *to = &s->relay_ip[f][s->n_relay_ip[f]++];
    *to = *a;
    to->port = 0;
}

/* Relayed addresses are those that were named; else of each family one that is listened on, or when that is "any"
 * the machine's first. */
static void choose_relay_ips(pl_relay_server *s)
{
    pl_ifaddr found[PL_IFADDR_MAX];
    for (size_t i = 0; i < s->settings.n_relay_addresses; i++)
        add_relay_ip(s, &s->settings.relay_address[i]);
    if (s->settings.n_relay_addresses > 0)
        return;
    for (size_t i = 0; i < s->n_places; i++) {
        const pl_addr *a = &s->place[i].addr;
        if (s->n_relay_ip[a->family == PL_AF_IP6] == 0)
            add_relay_ip(s, a);
    }
    size_t n = pl_ifaddr_list(found, PL_IFADDR_MAX, PL_IFADDR_STABLE);
    if (n == 0)
        n = pl_ifaddr_list(found, PL_IFADDR_MAX, PL_IFADDR_LOOPBACK);
    for (size_t i = 0; i < s->n_places; i++) {
        pl_family f = (pl_family)s->place[i].addr.family;
        for (size_t k = 0; k < n && s->n_relay_ip[f == PL_AF_IP6] == 0; k++) {
            if (found[k].addr.family == f)
                add_relay_ip(s, &found[k].addr);
        }
    }
}

/* ---- by which rules ---- */

static void rules_free(rs_rules *r)
{
    if (!r)
        return;
    pl_stun_auth_free(r->auth);
    pl_tls_ctx_free(r->tls);
    pl_tls_ctx_free(r->dtls);
    free(r);
}

static void add_own(rs_rules *r, const pl_addr *a)
{
    enum { OWN_MAX = sizeof r->own / sizeof *r->own };
    if (pl_addr_is_any(a) || a->family == PL_AF_NONE || r->policy.n_own == OWN_MAX)
        return;
    r->own[r->policy.n_own++] = *a;
}

/* What a client must not reach through us: everything we are. */
static void list_own(rs_rules *r, const pl_relay_server *s)
{
    pl_ifaddr found[PL_IFADDR_MAX];
    bool any = false;
    for (size_t i = 0; i < s->n_places; i++) {
        add_own(r, &s->place[i].addr);
        any |= pl_addr_is_any(&s->place[i].addr);
    }
    for (int f = 0; f < 2; f++) {
        for (size_t i = 0; i < s->n_relay_ip[f]; i++)
            add_own(r, &s->relay_ip[f][i]);
    }
    for (size_t i = 0; i < s->settings.n_externals; i++)
        add_own(r, &s->settings.external[i].addr);
    size_t n = any ? pl_ifaddr_list(found, PL_IFADDR_MAX, PL_IFADDR_STABLE) : 0;
    for (size_t i = 0; i < n; i++)
        add_own(r, &found[i].addr);
}

static void make_policy(rs_rules *r, const pl_relay_server *s, const pl_relay_settings *set)
{
    memcpy(r->allow, set->allow, sizeof r->allow);
    memcpy(r->deny, set->deny, sizeof r->deny);
    r->policy = (pl_relay_policy){ .allow = r->allow,
                                   .n_allow = set->n_allow,
                                   .deny = r->deny,
                                   .n_deny = set->n_deny,
                                   .own = r->own,
                                   .port_lo = set->port_lo,
                                   .port_hi = set->port_hi,
                                   .max_per_user = (uint32_t)set->user_quota,
                                   .max_per_client = (uint32_t)set->client_quota,
                                   .max_total = (uint32_t)set->total_quota,
                                   .bytes_per_s = (uint32_t)(set->bandwidth / 8),
                                   .unauth_per_s = (uint32_t)set->unauthenticated_rate };
    list_own(r, s);
}

static bool make_tls(rs_rules *r, const pl_relay_settings *set, char *say)
{
    pl_tls_conf conf = { .server = true,
                         .cert_file = set->cert,
                         .key_file = set->key,
                         .alpn = PL_TLS_ALPN_TURN "," PL_TLS_ALPN_STUN };
    if (set->n_tls == 0)
        return true;
    pl_err err = pl_tls_ctx_new(&r->tls, &conf);
    conf.datagrams = true;
    if (err == PL_OK)
        err = pl_tls_ctx_new(&r->dtls, &conf);
    if (err != PL_OK)
        refuse(say, err, "certificate %.200s with key %.200s: cannot be used", set->cert, set->key);
    return err == PL_OK;
}

/* nonce_key: of the rules before, so that clients' nonces stay good. */
static pl_err make_rules(rs_rules **out, const pl_relay_server *s, const pl_relay_settings *set,
                         const uint8_t *nonce_key, char *say)
{
    rs_rules *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r)
        return refuse(say, PL_ENOMEM, "out of memory");
    make_policy(r, s, set);
    if ((!set->no_auth && !pl_relay_auth_read(&r->auth, set, nonce_key, say)) || !make_tls(r, set, say)) {
        rules_free(r);
        return PL_EINVAL;
    }
    *out = r;
    return PL_OK;
}

/* ---- life ---- */

static unsigned count_threads(const pl_relay_server *s)
{
    if (!s->conf.own_threads)
        return 1;
    unsigned n = s->settings.threads ? (unsigned)s->settings.threads : pl_thread_processors();
    return n < PL_RELAY_THREADS_MAX ? n : PL_RELAY_THREADS_MAX;
}

static void close_worker(pl_relay_server *s, unsigned i)
{
    rs_worker *w = s->worker[i];
    if (!w)
        return;
    pl_loop *loop = w->own_loop ? w->loop : NULL;
    rs_worker_close(w);
    pl_loop_free(loop); /* runs what is left in its mailbox, which sees `closing` */
}

static void close_workers(pl_relay_server *s)
{
    atomic_store(&s->closing, true);
    for (unsigned i = 0; i < s->n_workers; i++) {
        if (s->worker[i] && s->worker[i]->own_loop)
            pl_loop_stop(s->worker[i]->loop);
    }
    for (unsigned i = 0; i < s->n_workers; i++)
        close_worker(s, i);
    for (unsigned i = 0; i < s->n_workers; i++) {
        free(s->worker[i]);
        s->worker[i] = NULL;
    }
    atomic_store(&s->closing, false);
}

static pl_err open_worker(pl_relay_server *s, unsigned i)
{
    pl_loop *loop = s->loop;
    char name[16];
    rs_worker *w = calloc(1, sizeof *w); /* its scratch is touched when it is first used */
    if (!w)
        return PL_ENOMEM;
    s->worker[i] = w;
    snprintf(name, sizeof name, "relay-%u", i);
    if (s->conf.own_threads) {
        pl_err err = pl_loop_new(&loop, &(pl_loop_conf){ .name = name });
        if (err != PL_OK)
            return err;
        w->loop = loop; /* freed with the worker from here on */
        pl_loop_set_rest(loop, RS_REST_US);
        w->own_loop = true;
    }
    return rs_worker_open(w, s, i, loop);
}

static pl_err open_workers(pl_relay_server *s)
{
    pl_err err = PL_OK;
    for (unsigned i = 0; i < s->n_workers && err == PL_OK; i++)
        err = open_worker(s, i);
    return err;
}

static pl_err start_workers(pl_relay_server *s)
{
    pl_err err = PL_OK;
    for (unsigned i = 0; i < s->n_workers && err == PL_OK && s->conf.own_threads; i++)
        err = pl_loop_start(s->worker[i]->loop);
    return err;
}

static void init_binding(pl_relay_server *s)
{
    pl_stun_server_conf conf = { .software = s->settings.no_software ? NULL : RS_SOFTWARE,
                                 .primary = s->settings.primary,
                                 .alternate = s->settings.alternate };
    rs_server_map(s, &conf.primary);
    rs_server_map(s, &conf.alternate);
    pl_stun_server_init(&s->binding, &conf);
}

/* Why it failed, in *say; true when it is worth another try, with what is changed for it. */
static bool mend(pl_relay_server *s, pl_err err, char *say)
{
    char text[PL_ADDR_TEXT_MAX];
    if (err == PL_ENOTSUP &&
        s->n_workers > 1) { /* this kernel cannot send all streams of a client to one thread */
        pl_log_warn(&server_log, "this system cannot spread TCP by client: one thread serves all");
        s->n_workers = 1;
        return true;
    }
    if (err != PL_EIO || s->failed_place >= s->n_places) {
        refuse(say, err, "cannot start: %s", pl_err_str(err));
        return false;
    }
    const pl_relay_place *p = &s->place[s->failed_place];
    refuse(say, err, "cannot listen on %s (%s)", pl_addr_str(&p->addr, text), p->tcp ? "TCP" : "UDP");
    if (s->settings.listen_is_default && !s->without_ip6 && p->addr.family == PL_AF_IP6) {
        s->without_ip6 = true;
        return true;
    }
    return s->place_twin[s->failed_place]; /* TCP found the port taken that UDP was given for "any" */
}

static pl_err open_all(pl_relay_server *s, char *say)
{
    pl_err err = PL_EIO;
    for (int i = 0; i < PORT_TRIES; i++) {
        s->n_places = s->n_relay_ip[0] = s->n_relay_ip[1] = 0;
        s->failed_place = SIZE_MAX;
        add_places(s);
        choose_relay_ips(s);
        rules_free(s->rules);
        if ((err = make_rules(&s->rules, s, &s->settings, NULL, say)) != PL_OK)
            return err;
        if ((err = open_workers(s)) == PL_OK)
            return PL_OK;
        close_workers(s);
        if (!mend(s, err, say))
            break;
    }
    return err;
}

pl_err pl_relay_server_new(pl_relay_server **out, pl_loop *loop, const pl_relay_server_conf *conf,
                           char say[PL_RELAY_SAY_MAX])
{
    *out = NULL;
    pl_relay_server *s = calloc(1, sizeof *s);
    if (!s)
        return refuse(say, PL_ENOMEM, "out of memory");
    s->loop = loop;
    s->conf = *conf;
    s->settings = *conf->settings;
    memcpy(s->external, s->settings.external, sizeof s->external);
    s->n_externals = s->settings.n_externals;
    atomic_store(&s->max_conns, s->settings.max_connections);
    s->conf.settings = NULL;
    s->started_us = pl_loop_now_us(loop);
    s->n_workers = count_threads(s);
    pl_mutex_init(&s->line_lock);
    init_binding(s);
    pl_err err = pl_relay_shared_new(&s->shared, (size_t)s->settings.total_quota, &(pl_rand){ 0 });
    if (err != PL_OK)
        refuse(say, err, "cannot start: %s", pl_err_str(err));
    if (err == PL_OK)
        err = open_all(s, say);
    if (err == PL_OK && (err = start_workers(s)) != PL_OK)
        refuse(say, err, "cannot start a thread");
    if (err != PL_OK) {
        pl_relay_server_free(s);
        return err;
    }
    *out = s;
    return PL_OK;
}

void pl_relay_server_free(pl_relay_server *s)
{
    if (!s)
        return;
    pl_timer_cancel(s->loop, &s->drain_timer);
    close_workers(s);
    pl_relay_shared_free(s->shared);
    rules_free(s->rules);
    pl_mutex_clear(&s->line_lock);
    pl_wipe(&s->settings, sizeof s->settings);
    free(s);
}

/* ---- reload ---- */

typedef struct change {
    rs_worker *w;
    const rs_rules *rules;
    pl_err err;
} change;

/* A DTLS listener is made of the certificate; sessions go on with theirs. */
static pl_err renew_dtls(rs_worker *w, pl_tls_ctx *dtls)
{
    for (size_t i = 0; i < w->n_listeners; i++) {
        rs_listener *l = &w->listener[i];
        pl_tls_listener *fresh;
        if (!l->dtls)
            continue;
        pl_err err = pl_tls_listener_new(&fresh, dtls, 0);
        if (err != PL_OK)
            return err;
        pl_tls_listener_free(l->dtls);
        l->dtls = fresh;
    }
    return PL_OK;
}

static void apply(void *arg)
{
    change *c = arg;
    rs_worker *w = c->w;
    c->err = renew_dtls(w, c->rules->dtls);
    if (c->err != PL_OK)
        return;
    w->tls = c->rules->tls;
    w->dtls = c->rules->dtls;
    pl_relay_set_policy(w->core, &c->rules->policy);
    pl_relay_set_auth(w->core, c->rules->auth);
}

static pl_err apply_to_all(pl_relay_server *s, const rs_rules *rules)
{
    pl_err err = PL_OK;
    for (unsigned i = 0; i < s->n_workers && err == PL_OK; i++) {
        change c = { .w = s->worker[i], .rules = rules };
        err = pl_loop_call(c.w->loop, apply, &c);
        err = err ? err : c.err;
    }
    return err;
}

pl_err pl_relay_server_reload(pl_relay_server *s, const pl_relay_settings *settings,
                              char say[PL_RELAY_SAY_MAX])
{
    const char *key;
    rs_rules *rules;
    if (!pl_relay_settings_reloadable(&s->settings, settings, &key))
        return refuse(say, PL_EINVAL, "%s cannot change while running; restart for that", key);
    const uint8_t *nonce_key = s->rules->auth ? pl_stun_auth_nonce_key(s->rules->auth) : NULL;
    pl_err err = make_rules(&rules, s, settings, nonce_key, say);
    if (err != PL_OK)
        return err;
    err = apply_to_all(s, rules);
    if (err != PL_OK) { /* some may have changed over: all go back */
        if (apply_to_all(s, s->rules) == PL_OK)
            rules_free(rules);
        return refuse(say, err, "reload: %s", pl_err_str(err));
    }
    rules_free(s->rules);
    s->rules = rules;
    s->settings = *settings;
    atomic_store(&s->max_conns, settings->max_connections);
    s->n_reloads++;
    return PL_OK;
}

/* ---- drain ---- */

typedef struct farewell {
    rs_worker *w;
    int64_t until_us;
    pl_addr alternate[2];
    size_t n;
    bool empty;
} farewell;

static void begin_farewell(void *arg)
{
    farewell *f = arg;
    int64_t now_us = rs_now_us(f->w);
    pl_relay_drain(f->w->core, now_us, f->until_us, f->alternate, f->n);
    rs_pump(f->w, now_us);
    rs_leave(f->w, now_us);
}

static void look(void *arg)
{
    farewell *f = arg;
    f->empty = pl_relay_is_empty(f->w->core);
}

static void on_drain_timer(void *arg, int64_t now_us)
{
    pl_relay_server *s = arg;
    bool empty = true;
    for (unsigned i = 0; i < s->n_workers && empty; i++) {
        farewell f = { .w = s->worker[i] };
        empty = pl_loop_call(f.w->loop, look, &f) == PL_OK && f.empty;
    }
    if (empty || now_us >= s->drain_until_us)
        s->drained(s->drained_user);
    else
        pl_timer_set(s->loop, &s->drain_timer, now_us + DRAIN_LOOK_US);
}

void pl_relay_server_drain(pl_relay_server *s, void (*done)(void *user), void *user)
{
    if (s->draining)
        return;
    int64_t now_us = pl_loop_now_us(s->loop);
    s->draining = true;
    s->drained = done;
    s->drained_user = user;
    s->drain_until_us = now_us + PL_SEC(s->settings.drain_seconds);
    s->drain_timer = (pl_timer){ .fn = on_drain_timer, .arg = s };
    for (unsigned i = 0; i < s->n_workers; i++) {
        farewell f = { .w = s->worker[i], .until_us = s->drain_until_us };
        for (size_t k = 0; k < s->settings.n_alternate_servers; k++) {
            const char *text = s->settings.alternate_server[k];
            if (pl_addr_parse(&f.alternate[f.n], text, strlen(text)) == PL_OK)
                f.n++;
        }
        if (pl_loop_call(f.w->loop, begin_farewell, &f) != PL_OK)
            pl_log_warn(&server_log, "a thread does not hear that it should drain");
    }
    pl_timer_set(s->loop, &s->drain_timer, now_us); /* never inside this call */
}

bool pl_relay_server_is_draining(const pl_relay_server *s)
{
    return s->draining;
}

/* ---- the rest ---- */

size_t pl_relay_server_n_places(const pl_relay_server *s)
{
    return s->n_places;
}

const pl_relay_place *pl_relay_server_place(const pl_relay_server *s, size_t i)
{
    return &s->place[i];
}

unsigned pl_relay_server_n_threads(const pl_relay_server *s)
{
    return s->n_workers;
}

void pl_relay_make_credentials(const char *secret, const char *id, int64_t end_s, char *name, char *password)
{
    uint8_t tag[PL_SHA1_LEN];
    char text[PL_BASE64_LEN(PL_SHA1_LEN) + 1];
    snprintf(name, PL_RELAY_TEXT_MAX, "%lld:%.200s", (long long)end_s, id);
    pl_hmac_sha1(secret, strlen(secret), &(pl_slice){ name, strlen(name) }, 1, tag);
    pl_base64_encode(tag, sizeof tag, text);
    snprintf(password, PL_RELAY_TEXT_MAX, "%s", text);
}
