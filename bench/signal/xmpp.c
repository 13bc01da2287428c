/* Accounts of an XMPP server by TCP without encryption, anonymous, so that it has to look nobody up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../relay/load.h"
#include "swarm.h"

enum { GREETED, LOGGING_IN, GREETED_AGAIN, BINDING, OPEN };

static void put(swarm_peer *p, const char *text)
{
    swarm_write(&p->main, text, strlen(text));
}

static size_t stream_head(const swarm_peer *p, char *out, size_t cap)
{
    return (size_t)snprintf(out, cap,
                            "<?xml version='1.0'?><stream:stream to='%s' xmlns='jabber:client' "
                            "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
                            p->swarm->domain);
}

static void sign_in(swarm_peer *p)
{
    char head[256];
    size_t n = stream_head(p, head, sizeof head);
    p->stage = GREETED;
    swarm_open(p, &p->main, head, n);
}

static void send_text(swarm_peer *p, const swarm_peer *to, const char *text, size_t len)
{
    static char stanza[SWARM_TEXT_MAX + 512];
    int n = snprintf(stanza, sizeof stanza, "<message to='%s' type='chat'><body>%.*s</body></message>",
                     to->jid, (int)len, text);
    swarm_write(&p->main, stanza, (size_t)n);
}

static void on_messages(swarm_peer *p, swarm_conn *c)
{
    size_t at = 0;
    for (;;) {
        pl_str rest = { c->in.p + at, c->in.n - at };
        const char *end = swarm_find(rest, "</message>");
        if (!end)
            break;
        const char *body = swarm_find(rest, "<body>"), *body_end = swarm_find(rest, "</body>");
        pl_str stanza = { rest.p, (size_t)(end - rest.p) };
        if (swarm_find(stanza, "type='error'"))
            p->swarm->count.n_refused++;
        else if (body && body_end && body_end < end)
            swarm_heard(p, body + 6, (size_t)(body_end - body) - 6);
        at = (size_t)(end + 10 - c->in.p);
    }
    swarm_consume(c, at);
}

/* What the server must have said before the next stage. */
static bool has_said(swarm_conn *c, const char *what)
{
    const char *at = swarm_find((pl_str){ c->in.p, c->in.n }, what);
    if (at)
        swarm_consume(c, (size_t)(at - c->in.p) + strlen(what));
    return at != NULL;
}

static void take_jid(swarm_peer *p, swarm_conn *c)
{
    pl_str said = { c->in.p, c->in.n };
    const char *from = swarm_find(said, "<jid>"), *to = swarm_find(said, "</jid>");
    if (!from || !to || !pl_str_copy((pl_str){ from + 5, (size_t)(to - from) - 5 }, p->jid, sizeof p->jid))
        return;
    swarm_consume(c, c->in.n);
    p->id = p->index + 1;
    p->stage = OPEN;
    put(p, "<presence/>");
    swarm_signed_in(p);
}

static void input(swarm_peer *p, swarm_conn *c)
{
    char head[256];
    if (p->stage < BINDING && swarm_find((pl_str){ c->in.p, c->in.n }, "<failure"))
        load_die("account %u may not log in: %.*s", p->index, (int)c->in.n, c->in.p);
    switch (p->stage) {
    case GREETED:
        if (has_said(c, "</stream:features>")) {
            p->stage = LOGGING_IN;
            put(p, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
        }
        break;
    case LOGGING_IN:
        if (has_said(c, "<success")) {
            p->stage = GREETED_AGAIN;
            swarm_consume(c, c->in.n);
            swarm_write(c, head, stream_head(p, head, sizeof head));
        }
        break;
    case GREETED_AGAIN:
        if (has_said(c, "</stream:features>")) {
            p->stage = BINDING;
            put(p, "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        }
        break;
    case BINDING: take_jid(p, c); break;
    default: on_messages(p, c); break;
    }
}

static void closed(swarm_peer *p, swarm_conn *c)
{
    (void)c;
    load_die("account %u: the server cut the connection", p->index);
}

const swarm_way swarm_xmpp = { "XMPP", sign_in, send_text, input, closed };
