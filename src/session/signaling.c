/* signaling.c - a way from its opening to its end, and the sessions on it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session/backends.h"
#include "session/session_internal.h"

pl_signaling *sig_new(pl_loop *loop, const pl_backend *backend, const pl_signaling_observer *observer)
{
    pl_signaling *sig = calloc(1, sizeof *sig);
    if (!sig)
        return NULL;
    sig->loop = loop;
    sig->backend = backend;
    sig->refs = 1;
    sig->log = (pl_log){ "session" };
    if (observer)
        sig->on = *observer;
    pl_list_init(&sig->sessions);
    sig_queue_init(sig);
    return sig;
}

pl_err pl_signaling_open(pl_signaling **out, pl_loop *loop, const pl_signaling_conf *conf,
                         const pl_signaling_observer *observer, char *error, size_t cap)
{
    char why[PL_SESSION_WHY_MAX] = "";
    const pl_backend *backend = conf->url ? pl_backend_for(conf->url) : NULL;
    pl_signaling *sig = backend ? sig_new(loop, backend, observer) : NULL;
    pl_err err = !conf->url || !backend ? PL_ENOTSUP : !sig ? PL_ENOMEM : PL_OK;
    *out = NULL;
    if (cap)
        error[0] = '\0';
    if (!err)
        err = backend->open(sig, conf, why, sizeof why);
    if (err) {
        if (cap)
            snprintf(error, cap, "%s", why[0] ? why : backend ? pl_err_str(err) : "no such kind of address");
        if (sig)
            free(sig->callee);
        free(sig);
        return err;
    }
    *out = sig;
    return PL_OK;
}

void pl_signaling_close(pl_signaling *sig)
{
    PL_EACH (n, &sig->sessions) {
        pl_session_hang_up(pl_of(n, pl_session, in_signaling));
    }
    sig->backend->close(sig);
}

void sig_unref(pl_signaling *sig)
{
    if (--sig->refs)
        return;
    pl_timer_cancel(sig->loop, &sig->timer);
    sig_queue_clear(sig);
    free(sig->callee);
    free(sig);
}

/* Calls of which the application has not heard are nobody's. */
static void free_unheard(pl_signaling *sig)
{
    PL_EACH (n, &sig->sessions) {
        pl_session *s = pl_of(n, pl_session, in_signaling);
        if (s->handed)
            continue;
        session_ended(s, PL_SESSION_GONE, ""); /* without a word */
        pl_session_free(s);
    }
}

void pl_signaling_free(pl_signaling *sig)
{
    if (!sig)
        return;
    free_unheard(sig);
    PL_EACH (n, &sig->sessions) {
        pl_session *s = pl_of(n, pl_session, in_signaling);
        if (!s->connected)
            session_ended(s, PL_SESSION_GONE, "the way of the call was closed");
        session_drop(s);
    }
    sig->backend->free(sig);
    sig->state = NULL;
    sig->dead = true;
    sig->link = PL_LINK_CLOSED;
    sig->on = (pl_signaling_observer){ 0 };
    sig_queue_clear(sig);
    sig_unref(sig);
}

pl_signaling_link pl_signaling_get_link(const pl_signaling *sig)
{
    return sig->told_link;
}

const char *pl_signaling_kind(const pl_signaling *sig)
{
    return sig->backend->kind;
}

const char *pl_signaling_callee(const pl_signaling *sig)
{
    return sig->callee;
}

pl_err pl_signaling_paste(pl_signaling *sig, const char *text)
{
    if (strlen(text) > PL_SESSION_TEXT_MAX)
        return PL_ENOSPC;
    return sig->backend->paste ? sig->backend->paste(sig, text) : PL_ENOTSUP;
}

/* ---- for backends ---- */

pl_loop *pl_sig_loop(const pl_signaling *sig)
{
    return sig->loop;
}

void *pl_sig_state(const pl_signaling *sig)
{
    return sig->state;
}

void pl_sig_set_state(pl_signaling *sig, void *state)
{
    sig->state = state;
}

pl_err pl_sig_set_callee(pl_signaling *sig, pl_str name)
{
    char *copy = strndup(name.p ? name.p : "", name.n);
    if (!copy)
        return PL_ENOMEM;
    free(sig->callee);
    sig->callee = copy;
    return PL_OK;
}

bool pl_sig_may_call(pl_signaling *sig, const char *address, const char *name, bool fallback)
{
    return sig->on.may_call ? sig->on.may_call(sig->on.user, address, name) : fallback;
}

pl_err pl_sig_called(pl_signaling *sig, pl_session **out, const char *address, const char *name)
{
    *out = NULL;
    if (sig->dead || !sig->on.on_call)
        return PL_ESTATE;
    pl_err err = session_new(out, sig, NULL, address, name, false);
    if (err)
        return err;
    (*out)->due.call = true;
    session_due(*out);
    return PL_OK;
}

pl_session *pl_sig_next(const pl_signaling *sig, const pl_session *after)
{
    const pl_node *n = after ? after->in_signaling.next : sig->sessions.next;
    return n == &sig->sessions ? NULL : pl_of(n, pl_session, in_signaling);
}
