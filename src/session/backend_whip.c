/* backend_whip.c - calls to an endpoint of WHIP (we publish) or WHEP (we play): signal/whip_curl.h, a client for each session.
 * Source   RFC 9725, draft-ietf-wish-whep. What they can carry of changes is an ICE restart; docs/whip.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "net/loop.h"
#include "sdp/fragment.h"
#include "sdp/sdp.h"
#include "session/backend.h"
#include "signal/whip_curl.h"

static const int64_t patience_us = PL_SEC(30), goodbye_us = PL_SEC(5);

typedef struct whip {
    pl_signaling *sig;
    char *url, *token, *ca_file; /* the latter two may be NULL */
    bool no_options, leaving, told;
    int64_t patience_us;
    pl_list calls;
    pl_timer soon; /* what is not to be done inside of a client's callback */
    int64_t give_up_us;
} whip;

/* A session's state; outlives the session until the server knows that it is over. */
typedef struct whip_call {
    pl_node node;
    whip *way;
    pl_session *s; /* NULL: dropped */
    pl_whip_curl *http;
    char *offer; /* whose candidates need not be told again */
    bool ending, closed;
} whip_call;

static whip *way_of(const pl_session *s)
{
    return pl_sig_state(pl_session_signaling(s));
}

static void look_soon(whip *w)
{
    pl_timer_set(pl_sig_loop(w->sig), &w->soon, pl_loop_now_us(pl_sig_loop(w->sig)));
}

/* ---- the end ---- */

static void free_call(whip_call *c)
{
    pl_list_remove(&c->node);
    pl_whip_curl_free(c->http);
    free(c->offer);
    free(c);
}

/* DELETE, where there is something to delete; CLOSED follows. */
static void end_call(whip_call *c)
{
    if (c->ending)
        return;
    c->ending = true;
    pl_whip_client_end(pl_whip_curl_client(c->http));
    pl_whip_curl_kick(c->http);
}

static void whip_end(pl_session *s, pl_session_reason reason, const char *why)
{
    (void)reason, (void)why;
    end_call(pl_session_state(s));
}

static void whip_drop(pl_session *s)
{
    whip_call *c = pl_session_state(s);
    c->s = NULL;
    end_call(c);
    look_soon(c->way);
}

/* What nobody needs any more is freed, and the goodbye ends when the last server has heard it. */
static void on_soon(void *user, int64_t now_us)
{
    whip *w = user;
    PL_EACH (n, &w->calls) {
        whip_call *c = pl_of(n, whip_call, node);
        if (c->closed && !c->s)
            free_call(c);
    }
    if (!w->told && !w->leaving) {
        w->told = true;
        pl_sig_opened(w->sig, "");
    }
    bool waits = false;
    PL_EACH (n, &w->calls) {
        waits = waits || !pl_of(n, whip_call, node)->closed;
    }
    if (w->leaving && (!waits || now_us >= w->give_up_us))
        pl_sig_closed(w->sig, PL_OK, "", false);
    else if (w->leaving)
        pl_timer_set(pl_sig_loop(w->sig), &w->soon, w->give_up_us);
}

/* ---- offer and answer ---- */

static bool keep_offer(whip_call *c, const char *sdp)
{
    char *copy = strdup(sdp);
    if (!copy)
        return false;
    free(c->offer);
    c->offer = copy;
    return true;
}

/* The same sections with other ICE names: that, and nothing else, a session can be asked for later. */
static bool is_restart(const char *now, const char *before)
{
    pl_desc *a = NULL, *b = NULL;
    bool restart = false;
    if (!pl_sdp_parse(&a, now, strlen(now), NULL) && !pl_sdp_parse(&b, before, strlen(before), NULL)) {
        pl_sdp_fragment f, g;
        pl_sdp_fragment_of(a, &f);
        pl_sdp_fragment_of(b, &g);
        restart = a->media.n == b->media.n && !pl_str_eq(f.ufrag, g.ufrag);
        for (size_t i = 0; restart && i < a->media.n; i++)
            restart = a->media.at[i].direction == b->media.at[i].direction &&
                      pl_desc_rejected(&a->media.at[i]) == pl_desc_rejected(&b->media.at[i]);
    }
    pl_desc_free(a);
    pl_desc_free(b);
    return restart;
}

static pl_err whip_describe(pl_session *s, pl_sdp_type type, const char *sdp)
{
    whip_call *c = pl_session_state(s);
    pl_whip_client *client = pl_whip_curl_client(c->http);
    bool first = !c->offer;
    if (type != PL_SDP_OFFER || (!first && !is_restart(sdp, c->offer)))
        return PL_ENOTSUP;
    pl_err err = first ? pl_whip_client_offer(client, pl_loop_now_us(pl_sig_loop(c->way->sig)), sdp)
                       : pl_whip_client_restart(client, sdp);
    if (!err && !keep_offer(c, sdp))
        err = PL_ENOMEM;
    pl_whip_curl_kick(c->http);
    return err;
}

static pl_err whip_candidate(pl_session *s, const pl_ice_candidate *cand)
{
    whip_call *c = pl_session_state(s);
    const char *line = cand->candidate;
    if (c->ending || (c->offer && strstr(c->offer, line[0] ? line : "a=end-of-candidates")))
        return PL_OK;
    pl_err err = pl_whip_client_candidate(pl_whip_curl_client(c->http), line);
    pl_whip_curl_kick(c->http);
    return err;
}

/* The answer of before with the fragment's ICE names (RFC 9725 4.3.3). */
static pl_err answer_again(pl_session *s, const char *fragment)
{
    pl_sdp_fragment f;
    pl_sdp_type type;
    pl_desc *d = NULL;
    char *old = NULL, *answer = NULL;
    pl_err err = pl_sdp_fragment_parse(&f, pl_str_of(fragment));
    if (!err)
        err = pl_peer_connection_remote_description(pl_session_get_connection(s), &type, &old);
    if (!err)
        err = pl_sdp_parse(&d, old ? old : "", old ? strlen(old) : 0, NULL);
    if (!err)
        err = pl_sdp_fragment_apply(&f, d);
    if (!err)
        err = pl_sdp_write(d, &answer, NULL);
    if (!err)
        pl_session_described(s, PL_SDP_ANSWER, answer);
    pl_desc_free(d);
    pl_free(old);
    free(answer);
    return err;
}

static void on_restarted(pl_session *s, const char *fragment)
{
    pl_err err = answer_again(s, fragment);
    if (err)
        pl_session_refused(s, err, "the server's answer to an ICE restart means nothing");
    else if (!pl_session_is_over(s))
        pl_session_note(s, "ICE is restarted");
}

static void add_servers(pl_session *s, const pl_whip_links *links)
{
    pl_ice_server server[PL_WHIP_LINKS_MAX];
    for (size_t i = 0; i < links->n; i++) {
        const pl_whip_link *l = &links->link[i];
        server[i] = (pl_ice_server){ l->url, l->username[0] ? l->username : NULL,
                                     l->credential[0] ? l->credential : NULL };
    }
    pl_session_add_servers(s, server, links->n);
}

static void on_event(void *user, const pl_whip_event *ev)
{
    whip_call *c = user;
    pl_session *s = c->s;
    if (ev->kind == PL_WHIP_CLOSED) {
        c->closed = true;
        look_soon(c->way);
    }
    if (!s || (pl_session_is_over(s) && ev->kind != PL_WHIP_NOTE))
        return;
    switch (ev->kind) {
    case PL_WHIP_READY:
        add_servers(s, ev->links);
        pl_session_reached(s);
        break;
    case PL_WHIP_ANSWER:
        pl_session_described(s, PL_SDP_ANSWER, ev->text);
        add_servers(s, ev->links);
        break;
    case PL_WHIP_RESTARTED: on_restarted(s, ev->text); break;
    case PL_WHIP_NO_RESTART: pl_session_refused(s, PL_ENOTSUP, ev->text); break;
    case PL_WHIP_NOTE: pl_session_note(s, "%s", ev->text); break;
    case PL_WHIP_FAILED: pl_session_over(s, PL_SESSION_FAILED, ev->text); break;
    case PL_WHIP_CLOSED: break;
    }
}

/* ---- calls ---- */

static pl_err whip_call_out(pl_session *s)
{
    whip *w = way_of(s);
    if (pl_session_to(s) && strcmp(pl_session_to(s), w->url) != 0)
        return PL_EINVAL;
    whip_call *c = calloc(1, sizeof *c);
    if (!c)
        return PL_ENOMEM;
    c->way = w;
    c->s = s;
    const pl_whip_curl_conf conf = { .client = { .url = w->url,
                                                 .token = w->token,
                                                 .no_options = w->no_options,
                                                 .patience_us = w->patience_us },
                                     .ca_file = w->ca_file,
                                     .event = on_event,
                                     .user = c };
    pl_err err = pl_whip_curl_new(&c->http, pl_sig_loop(w->sig), &conf);
    if (err) {
        free(c);
        return err;
    }
    pl_list_push_back(&w->calls, &c->node);
    pl_session_set_state(s, c);
    pl_session_set_peer(s, w->url, w->url);
    return PL_OK;
}

/* ---- the way ---- */

static void clear(whip *w)
{
    free(w->url);
    free(w->token);
    free(w->ca_file);
    free(w);
}

static bool copy(char **to, const char *text)
{
    *to = text ? strdup(text) : NULL;
    return !text || *to;
}

/* Whether a client would take it, before there is one. */
static pl_err check(const whip *w)
{
    pl_whip_client *probe;
    pl_err err = pl_whip_client_new(&probe, &(pl_whip_client_conf){ .url = w->url, .token = w->token }, 0);
    pl_whip_client_free(probe);
    return err;
}

static pl_err whip_open(pl_signaling *sig, const pl_signaling_conf *conf, char *error, size_t cap)
{
    whip *w = calloc(1, sizeof *w);
    if (!w)
        return PL_ENOMEM;
    w->sig = sig;
    w->no_options = conf->no_options;
    w->patience_us = conf->patience_us > 0 ? conf->patience_us : patience_us;
    w->soon = (pl_timer){ .fn = on_soon, .arg = w };
    pl_list_init(&w->calls);
    bool copied = copy(&w->url, strchr(conf->url, ':') + 1) && copy(&w->token, conf->token) &&
                  copy(&w->ca_file, conf->ca_file);
    pl_err err = copied ? check(w) : PL_ENOMEM;
    if (!err)
        err = pl_sig_set_callee(sig, pl_str_of(w->url));
    if (err) {
        if (err == PL_EINVAL)
            snprintf(error, cap, "an http or https address is wanted, and a token without blanks");
        clear(w);
        return err;
    }
    pl_sig_set_state(sig, w);
    look_soon(w);
    return PL_OK;
}

static void whip_close(pl_signaling *sig)
{
    whip *w = pl_sig_state(sig);
    w->leaving = true;
    PL_EACH (n, &w->calls) {
        end_call(pl_of(n, whip_call, node));
    } /* those that are over for us, too */
    w->give_up_us = pl_loop_now_us(pl_sig_loop(sig)) + goodbye_us;
    look_soon(w);
}

static void whip_free(pl_signaling *sig)
{
    whip *w = pl_sig_state(sig);
    PL_EACH (n, &w->calls) {
        free_call(pl_of(n, whip_call, node));
    }
    pl_timer_cancel(pl_sig_loop(sig), &w->soon);
    clear(w);
}

#define WHIP_VERBS                                                                                           \
    .restarts = true, .open = whip_open, .close = whip_close, .free = whip_free, .call = whip_call_out,      \
    .describe = whip_describe, .candidate = whip_candidate, .end = whip_end, .drop = whip_drop

static const char *const whip_schemes[] = { "whip:", NULL }, *const whep_schemes[] = { "whep:", NULL };
const pl_backend pl_backend_whip = { .kind = "whip", .scheme = whip_schemes, WHIP_VERBS };
const pl_backend pl_backend_whep = { .kind = "whep", .scheme = whep_schemes, WHIP_VERBS };
