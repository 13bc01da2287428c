/* whip_table.c - the sessions by their ids, the names with who publishes and who watches, and when they are over. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/whip_internal.h"

/* ---- finding ---- */

pl_whip_name *whip_find_name(const pl_whip_server *w, pl_str text)
{
    for (pl_hash_node *n = pl_hash_find(&w->by_name, text.p, text.n); n; n = pl_hash_next(n)) {
        pl_whip_name *name = pl_of(n, pl_whip_name, by_text);
        if (pl_str_is(text, name->text))
            return name;
    }
    return NULL;
}

pl_whip_session *whip_find_session(const pl_whip_server *w, pl_whip_role role, pl_str name, pl_str id)
{
    for (pl_hash_node *n = pl_hash_find(&w->by_id, id.p, id.n); n; n = pl_hash_next(n)) {
        pl_whip_session *s = pl_of(n, pl_whip_session, by_id);
        if (s->role == role && pl_str_is(id, s->id) && pl_str_is(name, s->name->text))
            return s;
    }
    return NULL;
}

/* ---- coming ---- */

static pl_whip_name *name_of(pl_whip_server *w, pl_str text)
{
    pl_whip_name *name = whip_find_name(w, text);
    if (name)
        return name;
    name = calloc(1, sizeof *name);
    if (!name)
        return NULL;
    pl_list_init(&name->viewers);
    if (!pl_str_copy(text, name->text, sizeof name->text) ||
        pl_hash_insert(&w->by_name, &name->by_text, text.p, text.n)) {
        free(name);
        return NULL;
    }
    return name;
}

static void *drop_name_if_empty(pl_whip_server *w, pl_whip_name *name)
{
    if (name->publisher || name->n_viewers > 0)
        return NULL;
    void *user = name->user;
    pl_list_remove(&name->in_orphans);
    pl_hash_remove(&w->by_name, &name->by_text);
    free(name);
    return user;
}

static void make_ids(pl_whip_server *w, pl_whip_session *s)
{
    uint8_t random[PL_WHIP_ID_LEN / 2 + 4];
    pl_rand_bytes(&w->conf.rand, random, sizeof random);
    for (size_t i = 0; i < PL_WHIP_ID_LEN / 2; i++)
        snprintf(s->id + 2 * i, 3, "%02x", random[i]);
    for (size_t i = 0; i < 4; i++)
        snprintf(s->tag + 2 * i, 3, "%02x", random[PL_WHIP_ID_LEN / 2 + i]);
}

static void join(pl_whip_server *w, pl_whip_session *s)
{
    pl_whip_name *name = s->name;
    if (s->role == PL_WHIP_PUBLISH) {
        assert(!name->publisher);
        name->publisher = s;
        pl_list_remove(&name->in_orphans);
        w->stats.n_publishers++;
    } else {
        pl_list_push_back(&name->viewers, &s->in_name);
        name->n_viewers++;
        w->stats.n_viewers++;
    }
    w->stats.n_sessions++;
}

pl_whip_session *whip_session_new(pl_whip_server *w, int64_t now_us, pl_whip_role role, pl_str name)
{
    pl_whip_session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    make_ids(w, s);
    s->role = role;
    s->made_us = now_us;
    s->name = name_of(w, name);
    if (!s->name || pl_hash_insert(&w->by_id, &s->by_id, s->id, PL_WHIP_ID_LEN)) {
        if (s->name)
            (void)drop_name_if_empty(w,
                                     s->name); /* its user is NULL: it has just been made, or is not empty */
        free(s);
        return NULL;
    }
    pl_list_push_back(&w->waiting, &s->in_waiting);
    join(w, s);
    return s;
}

void pl_whip_server_connected(pl_whip_server *w, pl_whip_session *s)
{
    (void)w;
    s->connected = true;
    pl_list_remove(&s->in_waiting);
}

/* ---- going ---- */

static void leave(pl_whip_server *w, int64_t now_us, pl_whip_session *s)
{
    pl_whip_name *name = s->name;
    if (s->role == PL_WHIP_PLAY) {
        pl_list_remove(&s->in_name);
        name->n_viewers--;
        w->stats.n_viewers--;
    } else {
        name->publisher = NULL;
        w->stats.n_publishers--;
        if (name->n_viewers > 0) {
            name->orphan_us = now_us;
            pl_list_push_back(&w->orphans, &name->in_orphans);
        }
    }
    w->stats.n_sessions--;
}

void *pl_whip_server_drop(pl_whip_server *w, int64_t now_us, pl_whip_session *s)
{
    pl_whip_name *name = s->name;
    leave(w, now_us, s);
    pl_list_remove(&s->in_waiting);
    pl_hash_remove(&w->by_id, &s->by_id);
    free(s);
    return drop_name_if_empty(w, name);
}

pl_whip_session *pl_whip_server_expired(pl_whip_server *w, int64_t now_us)
{
    pl_node *first = pl_list_first(&w->waiting), *orphan = pl_list_first(&w->orphans);
    pl_whip_session *s = first ? pl_of(first, pl_whip_session, in_waiting) : NULL;
    if (s && now_us >= s->made_us + w->conf.connect_us) {
        w->stats.n_expired++;
        return s;
    }
    pl_whip_name *name = orphan ? pl_of(orphan, pl_whip_name, in_orphans) : NULL;
    if (name && now_us >= name->orphan_us + w->conf.linger_us) {
        w->stats.n_expired++;
        return pl_of(pl_list_first(&name->viewers), pl_whip_session, in_name);
    }
    return NULL;
}

int64_t pl_whip_server_next_us(const pl_whip_server *w)
{
    int64_t at_us = PL_NEVER;
    const pl_node *first = pl_list_first(&w->waiting), *orphan = pl_list_first(&w->orphans);
    if (first)
        at_us = pl_of(first, const pl_whip_session, in_waiting)->made_us + w->conf.connect_us;
    if (orphan)
        at_us =
            pl_min_us(at_us, pl_of(orphan, const pl_whip_name, in_orphans)->orphan_us + w->conf.linger_us);
    return at_us;
}

pl_whip_session *pl_whip_server_any(pl_whip_server *w)
{
    for (size_t i = 0; i < w->by_id.n_buckets; i++) {
        if (w->by_id.bucket[i])
            return pl_of(w->by_id.bucket[i], pl_whip_session, by_id);
    }
    return NULL;
}

/* ---- life ---- */

pl_err pl_whip_server_new(pl_whip_server **out, const pl_whip_server_conf *conf)
{
    uint8_t key[16];
    *out = NULL;
    if (conf->max_sessions > PL_WHIP_SESSIONS_MAX || conf->connect_us < 0 || conf->linger_us < 0)
        return PL_EINVAL;
    pl_whip_server *w = calloc(1, sizeof *w);
    if (!w)
        return PL_ENOMEM;
    w->conf = *conf;
    w->conf.max_sessions = conf->max_sessions ? conf->max_sessions : 1000;
    w->conf.max_viewers = conf->max_viewers ? conf->max_viewers : 500;
    w->conf.connect_us = conf->connect_us ? conf->connect_us : PL_SEC(30);
    w->conf.linger_us = conf->linger_us ? conf->linger_us : PL_SEC(30);
    pl_rand_bytes(&w->conf.rand, key, sizeof key);
    pl_hash_init(&w->by_id, w->conf.max_sessions, key);
    pl_hash_init(&w->by_name, w->conf.max_sessions, key);
    pl_list_init(&w->waiting);
    pl_list_init(&w->orphans);
    *out = w;
    return PL_OK;
}

void pl_whip_server_free(pl_whip_server *w)
{
    if (!w)
        return;
    assert(w->stats.n_sessions == 0 && "drop the sessions first");
    pl_hash_clear(&w->by_id);
    pl_hash_clear(&w->by_name);
    free(w);
}

void pl_whip_server_get_stats(const pl_whip_server *w, pl_whip_server_stats *out)
{
    *out = w->stats;
}

static void check_name(const pl_whip_name *name, uint32_t *n_viewers, uint32_t *n_publishers)
{
    uint32_t n = 0;
    PL_EACH (v, &name->viewers) {
        const pl_whip_session *s = pl_of(v, const pl_whip_session, in_name);
        assert(s->name == name && s->role == PL_WHIP_PLAY);
        n++;
    }
    assert(n == name->n_viewers && (n > 0 || name->publisher));
    assert(pl_node_linked(&name->in_orphans) == !name->publisher);
    *n_viewers += n;
    *n_publishers += name->publisher != NULL;
}

void pl_whip_server_check(const pl_whip_server *w)
{
    uint32_t n_viewers = 0, n_publishers = 0, n_sessions = 0;
    for (size_t i = 0; i < w->by_name.n_buckets; i++) {
        for (const pl_hash_node *n = w->by_name.bucket[i]; n; n = n->next)
            check_name(pl_of(n, const pl_whip_name, by_text), &n_viewers, &n_publishers);
    }
    for (size_t i = 0; i < w->by_id.n_buckets; i++) {
        for (const pl_hash_node *n = w->by_id.bucket[i]; n; n = n->next) {
            const pl_whip_session *s = pl_of(n, const pl_whip_session, by_id);
            assert(pl_node_linked(&s->in_waiting) == !s->connected);
            n_sessions++;
        }
    }
    assert(n_viewers == w->stats.n_viewers && n_publishers == w->stats.n_publishers);
    assert(n_sessions == w->stats.n_sessions && n_sessions == n_viewers + n_publishers);
    assert(n_sessions <= w->conf.max_sessions);
}
