/* A session under way: stanzas are counted and acknowledged, and silence is asked about. */
#include <stdio.h>
#include <stdlib.h>

#include "xmpp/stream_internal.h"

enum {
    ASK_AFTER = 16, /* stanzas without a word of the server's about them */
    ASK_MS = 500,   /* or so long after the first */
};

static void put_plain(pl_xmpp_stream *s, const char *name)
{
    stream_put_element(s, pl_xml_new(PL_NS_SM, name));
}

static void ask_ack(pl_xmpp_stream *s)
{
    s->ack_asked = true;
    s->unasked = 0;
    s->ask_ack_us = PL_NEVER;
    s->answer_us = pl_min_us(s->answer_us, s->now_us + PL_SEC(PL_XMPP_ANSWER_S));
    put_plain(s, "r");
}

/* What the server had not seen of the session before goes out again, in order. */
static void send_again(pl_xmpp_stream *s)
{
    PL_EACH (n, &s->conf.sm->unacked) {
        const pl_xmpp_unacked *u = pl_of(n, pl_xmpp_unacked, in_queue);
        stream_put_stanza(s, (pl_str){ u->text, u->len });
    }
    if (s->conf.sm->n_unacked)
        ask_ack(s);
}

void flow_begin(pl_xmpp_stream *s, bool resumed)
{
    stream_enter(s, STREAM_READY);
    s->resumed = resumed;
    s->tell_ready = true;
    if (resumed)
        send_again(s);
}

static void on_ack(pl_xmpp_stream *s, const pl_xml *e)
{
    uint64_t h;
    if (!pl_xml_attr_u64(e, "h", UINT32_MAX, &h) || pl_xmpp_sm_ack(s->conf.sm, (uint32_t)h)) {
        pl_xmpp_sm_end(s->conf.sm); /* the two do not agree on what was sent: nothing to be resumed */
        stream_fail(s, PL_XMPP_BROKEN, "undefined-condition", "the server acknowledges what was not sent");
        return;
    }
    s->ack_asked = false;
    if (s->conf.sm->n_unacked && s->unasked == 0) /* answered too early */
        s->unasked = 1;
}

static void answer_ack(pl_xmpp_stream *s)
{
    pl_xml *a = pl_xml_new(PL_NS_SM, "a");
    pl_xml_set_u64(a, "h", s->conf.sm->in_h);
    stream_put_element(s, a);
}

bool flow_element(pl_xmpp_stream *s, const pl_xml *e)
{
    if (!s->conf.sm->enabled || s->state != STREAM_READY)
        return pl_xml_is(e, PL_NS_SM, NULL);
    if (pl_xml_is(e, PL_NS_SM, "r"))
        answer_ack(s);
    else if (pl_xml_is(e, PL_NS_SM, "a"))
        on_ack(s, e);
    else
        return false;
    if (s->state == STREAM_READY)
        flow_tick(s);
    return true;
}

void flow_stanza(pl_xmpp_stream *s, pl_xml *stanza)
{
    bool pong = pl_xml_is(stanza, NULL, "iq") && s->id[0] && pl_xml_attr_is(stanza, "id", s->id);
    if (s->conf.sm->enabled && s->state >= STREAM_READY)
        s->conf.sm->in_h++;
    stream_in *i = pong || s->n_in >= STREAM_EVENTS_MAX ? NULL : malloc(sizeof *i);
    if (i) {
        *i = (stream_in){ .stanza = stanza };
        pl_list_push_back(&s->in, &i->in_list);
        s->n_in++;
        return;
    }
    pl_xml_free(stanza);
    if (!pong)
        stream_fail(s, PL_XMPP_LIMIT, NULL, "more came than there is room for");
}

/* XEP-0198's request is shorter than a ping and asks the same. */
static void ask_alive(pl_xmpp_stream *s)
{
    if (s->conf.sm->enabled) {
        ask_ack(s);
        return;
    }
    char domain[PL_JID_PART_MAX + 1];
    snprintf(s->id, sizeof s->id, "ping-%u", ++s->id_no);
    (void)pl_str_copy(pl_jid_domain(&s->jid), domain, sizeof domain);
    pl_xml *iq = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_set(iq, "type", "get");
    pl_xml_set(iq, "id", s->id);
    pl_xml_set(iq, "to", domain);
    pl_xml_add(iq, NS_PING, "ping");
    stream_put_element(s, iq);
    s->answer_us = s->now_us + PL_SEC(PL_XMPP_ANSWER_S);
}

static void keep_acked(pl_xmpp_stream *s)
{
    if (!s->conf.sm->enabled || s->ack_asked || s->unasked == 0)
        return;
    if (s->unasked >= ASK_AFTER || s->now_us >= s->ask_ack_us)
        ask_ack(s);
    else if (s->ask_ack_us == PL_NEVER)
        s->ask_ack_us = s->now_us + PL_MS(ASK_MS);
}

/* Over BOSH requests come and go all the time, and end by themselves when nobody is there. */
static void keep_alive(pl_xmpp_stream *s)
{
    if (s->conf.framing == PL_XMPP_FRAMED_BOSH)
        return;
    if (s->answer_us == PL_NEVER && s->now_us - s->heard_us >= PL_SEC(PL_XMPP_SILENCE_S))
        ask_alive(s);
    else if (s->conf.framing == PL_XMPP_FRAMED_TCP && s->now_us - s->said_us >= PL_SEC(PL_XMPP_WHITESPACE_S))
        stream_put(s, PL_XMPP_FRAME_SPACE, PL_STR(" "));
}

void flow_tick(pl_xmpp_stream *s)
{
    if (s->now_us >= s->answer_us && s->conf.framing != PL_XMPP_FRAMED_BOSH) {
        stream_die(s, PL_XMPP_UNREACHABLE, "the server answers no more: the link is dead");
        return;
    }
    keep_acked(s);
    if (s->state == STREAM_READY)
        keep_alive(s);
}

void flow_probe(pl_xmpp_stream *s)
{
    if (s->conf.framing == PL_XMPP_FRAMED_BOSH)
        return;
    if (s->answer_us == PL_NEVER)
        ask_alive(s);
    s->answer_us = pl_min_us(s->answer_us, s->now_us + PL_SEC(PL_XMPP_PROBE_S));
}

int64_t flow_next_us(const pl_xmpp_stream *s)
{
    int64_t next = s->ack_asked ? PL_NEVER : s->ask_ack_us;
    if (s->conf.framing == PL_XMPP_FRAMED_BOSH)
        return next;
    if (s->answer_us != PL_NEVER)
        next = pl_min_us(next, s->answer_us);
    else
        next = pl_min_us(next, s->heard_us + PL_SEC(PL_XMPP_SILENCE_S));
    return s->conf.framing == PL_XMPP_FRAMED_TCP ? pl_min_us(next, s->said_us + PL_SEC(PL_XMPP_WHITESPACE_S))
                                                 : next;
}
