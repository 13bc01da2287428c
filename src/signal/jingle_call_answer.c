/* Our side's answer to what the peer asked, and what the peer is told of it. */
#include <string.h>

#include "signal/jingle_call_internal.h"

/* The answer has less than there was. */
static void tell_removed(pl_jingle_call *c)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (int i = 0; i < c->local->media.n; i++) {
        pl_jingle_content content;
        if (!call_alive(c->local, i) && call_alive(c->remote, i) && !c->added[i] &&
            call_has_content(c, c->remote->media.at[i].mid, &content))
            pl_jingle_write_name(body, content.name, NULL);
    }
    call_must(c, PL_JINGLE_CONTENT_REMOVE, body);
}

/* What the peer does not know of us, as it would from an answer. */
static void tell_sources(pl_jingle_call *c, const pl_desc *before)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (int i = 0; i < c->local->media.n; i++) {
        const pl_desc_media *m = &c->local->media.at[i];
        pl_jingle_content content;
        if (call_alive(c->local, i) && call_alive(before, i) && !c->added[i] && m->ssrcs.n + m->msids.n > 0 &&
            call_has_content(c, m->mid, &content) && !call_same_sources(m, &before->media.at[i]))
            call_write_description(c, c->local, m, body);
    }
    call_must(c, PL_JINGLE_DESCRIPTION_INFO, body);
}

static void accept_replaced(pl_jingle_call *c)
{
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (const pl_xml *e = pl_xml_child(c->asked_xml, PL_NS_JINGLE, "content"); e;
         e = pl_xml_next(e, PL_NS_JINGLE, "content")) {
        int i = call_find(c->local, pl_xml_attr_of(e, "name"));
        if (i >= 0)
            call_write_transport(c, c->local, &c->local->media.at[i], NULL, false, body);
    }
    call_must(c, PL_JINGLE_TRANSPORT_ACCEPT, body);
}

static void tell_all(pl_jingle_call *c, const pl_desc *before)
{
    pl_jingle_action by = c->asked_by;
    if (by == PL_JINGLE_TRANSPORT_INFO) {
        c->owes_credentials = true;
        c->pay_by_us = c->now_us + CALL_PAY_US;
    }
    if (by == PL_JINGLE_CONTENT_ADD)
        call_accept_added(c);
    else if (by == PL_JINGLE_TRANSPORT_REPLACE)
        accept_replaced(c);
    if (!c->over && (by == PL_JINGLE_TRANSPORT_REPLACE || by == PL_JINGLE_TRANSPORT_INFO))
        call_trickle_all(c, c->local);
    if (!c->over)
        tell_removed(c);
    if (!c->over)
        tell_sources(c, before);
    memset(c->added, 0, sizeof c->added);
}

static pl_err accept_call(pl_jingle_call *c)
{
    const pl_jingle_write_conf conf = { .by_initiator = false };
    pl_xml *body = pl_xml_new(PL_NS_JINGLE, "jingle");
    for (int i = 0; i < c->local->media.n; i++) {
        pl_jingle_content content;
        const pl_desc_media *m = &c->local->media.at[i];
        if (!call_alive(c->local, i) || !call_has_content(c, m->mid, &content))
            continue; /* the caller may have taken it back while it rang */
        (void)pl_jingle_write_content(c->local, m, body, &conf);
    }
    if (!pl_xml_err(body) && !pl_xml_child(body, NULL, NULL)) {
        pl_xml_free(body);
        call_give_up(c, PL_JINGLE_FAILED_APPLICATION, NULL, "nothing of what was offered can be taken");
        return PL_OK;
    }
    pl_jingle_write_groups(c->local, body);
    return pl_jingle_accept(c->session, c->now_us, body);
}

/* The answer's part in DTLS is ours, and settles the peer's. */
static void settle_setup(pl_jingle_call *c)
{
    for (int i = 0; i < c->local->media.n && !c->peer_setup; i++) {
        uint8_t ours = call_alive(c->local, i) ? c->local->media.at[i].setup : PL_DESC_SETUP_NONE;
        if (ours == PL_DESC_SETUP_ACTIVE)
            c->peer_setup = PL_DESC_SETUP_PASSIVE;
        else if (ours == PL_DESC_SETUP_PASSIVE)
            c->peer_setup = PL_DESC_SETUP_ACTIVE;
    }
}

/* What our side does not take is not there. */
static void drop_rejected(pl_jingle_call *c)
{
    for (int i = 0; i < c->local->media.n; i++) {
        if (!call_alive(c->local, i) && call_alive(c->remote, i))
            call_reject(&c->remote->media.at[i]);
    }
}

pl_err call_answer(pl_jingle_call *c, pl_desc *answer)
{
    bool fits = c->asked && answer->media.n == c->asked->media.n, first = !c->local;
    pl_err err = PL_OK;
    if (!fits) {
        pl_desc_free(answer);
        return c->asked ? PL_EPROTO : PL_ESTATE;
    }
    pl_desc *before = c->local;
    pl_desc_free(c->remote);
    c->remote = c->asked;
    c->asked = NULL;
    c->local = answer;
    settle_setup(c);
    if (first)
        err = accept_call(c);
    else
        tell_all(c, before);
    drop_rejected(c);
    pl_desc_free(before);
    if (!err)
        call_end_if_void(c);
    call_next(c);
    return err;
}
