/* Requests and who waits for their answers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "xmpp/client_internal.h"

static void forget(pl_xmpp_client *c, client_request *q)
{
    pl_list_remove(&q->in_requests);
    c->n_requests--;
    free(q->to);
    free(q);
}

/* It is gone before its asker is told, who may ask again. */
static void tell(pl_xmpp_client *c, client_request *q, const pl_xml *answer)
{
    pl_xmpp_answer_fn fn = q->fn;
    void *owner = q->owner;
    forget(c, q);
    if (fn)
        fn(owner, answer);
}

/* The answer must come from whom was asked, or anybody could give it who guesses an id. What goes to the account or its
 * server is answered by any of the names these have (RFC 6120 10.3.3). */
static bool from_whom_asked(const pl_xmpp_client *c, const client_request *q, const pl_xml *iq)
{
    const char *text = pl_xml_attr_of(iq, "from");
    pl_jid from;
    if (!text)
        return !q->to || pl_str_is(pl_jid_bare(&c->account), q->to);
    if (pl_jid_parse(&from, pl_str_of(text)))
        return false;
    if (q->to)
        return strcmp(q->to, from.text) == 0;
    return pl_jid_eq(&from, &c->bound) || pl_str_is(pl_jid_bare(&c->account), from.text) ||
           pl_str_is(pl_jid_domain(&c->account), from.text);
}

bool client_answered(pl_xmpp_client *c, const pl_xml *iq)
{
    PL_EACH (n, &c->requests) {
        client_request *q = pl_of(n, client_request, in_requests);
        if (pl_xml_attr_is(iq, "id", q->id) && from_whom_asked(c, q, iq)) {
            tell(c, q, iq);
            return true;
        }
    }
    return false;
}

/* The first that is due; the list may be another one after each call out. */
static client_request *first_due(const pl_xmpp_client *c, int64_t by_us)
{
    PL_EACH (n, &c->requests) {
        client_request *q = pl_of(n, client_request, in_requests);
        if (q->until_us <= by_us)
            return q;
    }
    return NULL;
}

void client_time_out(pl_xmpp_client *c)
{
    for (client_request *q; (q = first_due(c, c->now_us));)
        tell(c, q, NULL);
}

int64_t client_next_timeout(const pl_xmpp_client *c)
{
    int64_t next = PL_NEVER;
    PL_EACH (n, &c->requests)
        next = pl_min_us(next, pl_of(n, client_request, in_requests)->until_us);
    return next;
}

static client_request *first_before(const pl_xmpp_client *c, uint64_t no)
{
    PL_EACH (n, &c->requests) {
        client_request *q = pl_of(n, client_request, in_requests);
        if (q->no < no)
            return q;
    }
    return NULL;
}

/* Those who are told may ask again and forget others. */
void client_forget_all(pl_xmpp_client *c, bool tell_them)
{
    uint64_t no = c->request_no;
    for (client_request *q; (q = first_before(c, no));) {
        if (tell_them)
            tell(c, q, NULL);
        else
            forget(c, q);
    }
}

void pl_xmpp_forget(pl_xmpp_client *c, const void *owner)
{
    PL_EACH (n, &c->requests) {
        client_request *q = pl_of(n, client_request, in_requests);
        if (q->owner == owner)
            q->fn = NULL;
    }
}

/* PL_EINVAL: the iq goes to no address, or is none. */
static pl_err fill(pl_xmpp_client *c, client_request *q, const pl_xml *iq)
{
    const char *to = pl_xml_attr_of(iq, "to");
    pl_jid j;
    if (!pl_xml_is(iq, PL_NS_CLIENT, "iq") ||
        !(pl_xml_attr_is(iq, "type", "get") || pl_xml_attr_is(iq, "type", "set")))
        return PL_EINVAL;
    if (to) {
        if (pl_jid_parse(&j, pl_str_of(to)))
            return PL_EINVAL;
        q->to = strdup(j.text);
        if (!q->to)
            return PL_ENOMEM;
    }
    char token[11];
    pl_xmpp_client_token(c, token, 10);
    q->no = c->request_no++;
    snprintf(q->id, sizeof q->id, "%s%" PRIx64, token, q->no);
    return PL_OK;
}

pl_err pl_xmpp_ask(pl_xmpp_client *c, pl_xml *iq, int64_t timeout_us, pl_xmpp_answer_fn fn, void *owner)
{
    client_request *q = c->n_requests < PL_XMPP_IQS_MAX ? calloc(1, sizeof *q) : NULL;
    pl_err err = q ? fill(c, q, iq) : c->n_requests < PL_XMPP_IQS_MAX ? PL_ENOMEM : PL_ENOSPC;
    if (!iq)
        err = PL_ENOMEM;
    if (err) {
        pl_xml_free(iq);
    } else {
        pl_xml_set(iq, "id", q->id);
        err = pl_xmpp_send(c, iq);
    }
    if (err) {
        if (q)
            free(q->to);
        free(q);
        return err;
    }
    q->fn = fn;
    q->owner = owner;
    q->until_us = pl_xmpp_client_now(c) + (timeout_us > 0 ? timeout_us : PL_SEC(PL_XMPP_IQ_TIMEOUT_S));
    pl_list_push_back(&c->requests, &q->in_requests);
    c->n_requests++;
    return PL_OK;
}
