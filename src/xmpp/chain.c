/* Stanzas and states through the handlers, level by level. */
#include "xmpp/client_internal.h"

void pl_xmpp_add_handler(pl_xmpp_client *c, pl_xmpp_level level, pl_xmpp_handler *h)
{
    pl_list_push_back(&c->handlers[level], &h->in_level);
}

void pl_xmpp_remove_handler(pl_xmpp_client *c, pl_xmpp_handler *h)
{
    for (client_walk *w = c->walks; w; w = w->outer) {
        if (w->next == &h->in_level)
            w->next = h->in_level.next;
    }
    pl_list_remove(&h->in_level);
}

/* The next handler of the walk's level, or NULL. The walk already stands behind it, so it may go. */
static pl_xmpp_handler *step(client_walk *w, pl_list *level)
{
    if (w->next == level)
        return NULL;
    pl_xmpp_handler *h = pl_of(w->next, pl_xmpp_handler, in_level);
    w->next = w->next->next;
    return h;
}

static bool ask_level(pl_xmpp_client *c, pl_list *level, const pl_xml *stanza)
{
    client_walk w = { c->walks, level->next };
    bool taken = false;
    c->walks = &w;
    for (pl_xmpp_handler *h; !taken && (h = step(&w, level));) {
        bool answer = h->stanza && h->stanza(h->user, stanza);
        taken = answer && level != &c->handlers[PL_XMPP_PEEK];
    }
    c->walks = w.outer;
    return taken;
}

void client_tell_state(pl_xmpp_client *c, pl_xmpp_state state, bool resumed)
{
    for (int i = 0; i < PL_XMPP_LEVELS; i++) {
        client_walk w = { c->walks, c->handlers[i].next };
        c->walks = &w;
        for (pl_xmpp_handler *h; (h = step(&w, &c->handlers[i]));) {
            if (h->state)
                h->state(h->user, state, resumed);
        }
        c->walks = w.outer;
    }
}

/* ---- what RFC 6120 asks of a stanza ---- */

bool pl_xmpp_sender(const pl_xmpp_client *c, const pl_xml *stanza, pl_jid *out)
{
    const char *from = pl_xml_attr_of(stanza, "from");
    return pl_jid_parse(out, from ? pl_str_of(from) : pl_jid_bare(&c->account)) == PL_OK;
}

/* For this account, and from an address if from any (8.1.1.2, 8.1.2.1). */
static bool well_addressed(const pl_xmpp_client *c, const pl_xml *stanza)
{
    const char *to = pl_xml_attr_of(stanza, "to");
    pl_jid j;
    if (!pl_xmpp_sender(c, stanza, &j))
        return false;
    if (!to)
        return true;
    return pl_jid_parse(&j, pl_str_of(to)) == PL_OK && pl_jid_bare_eq(&j, &c->bound) &&
           (j.resource_n == 0 || pl_jid_eq(&j, &c->bound));
}

static bool is_request(const pl_xml *iq)
{
    return pl_xml_attr_is(iq, "type", "get") || pl_xml_attr_is(iq, "type", "set");
}

static bool is_answer(const pl_xml *iq)
{
    return pl_xml_attr_is(iq, "type", "result") || pl_xml_attr_is(iq, "type", "error");
}

static void refuse(pl_xmpp_client *c, const pl_xml *iq, const char *type, const char *condition)
{
    pl_err err = pl_xmpp_send(c, pl_xmpp_error(iq, type, condition));
    if (err)
        pl_log_debug(&c->log, "an answer could not be sent: %s", pl_err_str(err));
}

/* What every client does without being asked to (XEP-0199), and what 8.2.3 and 8.4 ask of one that does not. */
static void answer_request(pl_xmpp_client *c, const pl_xml *iq)
{
    if (!iq->first || iq->first->next) {
        refuse(c, iq, "modify", "bad-request");
        return;
    }
    if (ask_level(c, &c->handlers[PL_XMPP_PEEK], iq))
        return;
    for (int i = PL_XMPP_PEEK + 1; i < PL_XMPP_LEVELS; i++) {
        if (ask_level(c, &c->handlers[i], iq))
            return;
    }
    if (pl_xml_is(iq->first, "urn:xmpp:ping", "ping") && pl_xml_attr_is(iq, "type", "get")) {
        pl_err err = pl_xmpp_send(c, pl_xmpp_result(iq));
        if (err)
            pl_log_debug(&c->log, "a ping could not be answered: %s", pl_err_str(err));
        return;
    }
    refuse(c, iq, "cancel", "service-unavailable");
}

void client_dispatch(pl_xmpp_client *c, const pl_xml *stanza)
{
    bool iq = pl_xml_is(stanza, PL_NS_CLIENT, "iq");
    if (!well_addressed(c, stanza)) {
        pl_log_debug(&c->log, "a stanza with wrong addresses was dropped");
        return;
    }
    if (iq && (!pl_xml_attr_of(stanza, "id") || (!is_request(stanza) && !is_answer(stanza)))) {
        pl_log_debug(&c->log, "an iq without id or type was dropped");
        return;
    }
    if (iq && is_request(stanza)) {
        answer_request(c, stanza);
        return;
    }
    (void)ask_level(c, &c->handlers[PL_XMPP_PEEK], stanza);
    if (iq && client_answered(c, stanza))
        return;
    for (int i = PL_XMPP_PEEK + 1; i < PL_XMPP_LEVELS; i++) {
        if (ask_level(c, &c->handlers[i], stanza))
            return;
    }
}
