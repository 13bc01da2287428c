/* The bytes of a Jingle content. */
#include "signal/byte_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/ifaddr.h"
#include "signal/byte_conn.h"

struct pl_byte_stream {
    pl_byte_stream_conf conf;
    char *peer, *sid;
    pl_s5b *s5b;
    pl_ibb *ibb;
    pl_tcp_listener *listener[PL_BYTE_LISTENERS_MAX];
    size_t n_listeners, n_guests;
    pl_list conns;
    byte_conn *used;
    pl_timer timer;
    pl_xmpp_handler handler;
    char proxy_jid[PL_S5B_JID_MAX + 1];
    uint16_t block; /* of in-band */
    bool is_open, over, starved, pumping, again;
};

static void pump(pl_byte_stream *b);

static int64_t now(const pl_byte_stream *b)
{
    return pl_xmpp_client_now(b->conf.client);
}

static void tell(pl_byte_stream *b, pl_byte_event e)
{
    if (b->over)
        return;
    b->is_open = b->is_open || e == PL_BYTE_OPEN;
    b->over = e == PL_BYTE_ENDED || e == PL_BYTE_BROKEN;
    b->conf.event(b->conf.user, e);
}

/* ---- connections ---- */

static byte_conn *by_cid(pl_byte_stream *b, const char *cid)
{
    PL_EACH (n, &b->conns) {
        byte_conn *c = pl_of(n, byte_conn, in_owner);
        if (cid[0] && strcmp(c->cid, cid) == 0)
            return c;
    }
    return NULL;
}

static void drop(pl_byte_stream *b, byte_conn *c)
{
    if (c && c->ours && c->talk.server)
        b->n_guests--;
    if (c && c == b->used)
        b->used = NULL;
    byte_conn_close(c);
}

static bool on_wanted(void *user, const char *dst)
{
    pl_byte_stream *b = user;
    return b->s5b && strcmp(dst, pl_s5b_dst_in(b->s5b)) == 0;
}

static void on_activated(void *user, const pl_xml *answer)
{
    pl_byte_stream *b = user;
    if (b->s5b)
        pl_s5b_activated(b->s5b, now(b), answer && pl_xml_attr_is(answer, "type", "result"));
    pump(b);
}

/* XEP-0065 6.3.5: our connection to our own proxy stands, and so does the peer's. */
static void activate(pl_byte_stream *b)
{
    pl_xml *iq = pl_xmpp_iq("set", b->proxy_jid), *query = pl_xml_add(iq, PL_NS_BYTESTREAMS, "query");
    pl_xml_set(query, "sid", b->sid);
    pl_xml_add_text(query, NULL, "activate", b->peer);
    if (pl_xmpp_ask(b->conf.client, iq, 0, on_activated, b))
        pl_s5b_activated(b->s5b, now(b), false);
}

static void on_open(void *user, byte_conn *c)
{
    pl_byte_stream *b = user;
    if (!c->talk.server && c->ours)
        activate(b);
    else if (!c->talk.server && b->s5b)
        pl_s5b_connected(b->s5b, now(b), c->cid);
    pump(b);
}

static void on_broken(void *user, byte_conn *c, bool in_order)
{
    pl_byte_stream *b = user;
    bool was_used = c == b->used, to_proxy = c->ours && !c->talk.server;
    char cid[sizeof c->cid];
    memcpy(cid, c->cid, sizeof cid);
    drop(b, c);
    if (was_used)
        tell(b, in_order ? PL_BYTE_ENDED : PL_BYTE_BROKEN);
    else if (b->s5b && to_proxy)
        pl_s5b_activated(b->s5b, now(b), false);
    else if (b->s5b && cid[0])
        pl_s5b_failed(b->s5b, now(b), cid);
    pump(b);
}

static void on_conn_data(void *user, const uint8_t *data, size_t len)
{
    pl_byte_stream *b = user;
    if (!b->over)
        b->conf.data(b->conf.user, data, len);
}

static void on_drained(void *user)
{
    pl_byte_stream *b = user;
    if (b->starved) {
        b->starved = false;
        tell(b, PL_BYTE_WRITABLE);
    }
}

static const byte_conn_events conn_events = {
    .wanted = on_wanted, .open = on_open, .data = on_conn_data, .drained = on_drained, .broken = on_broken
};

static void on_accepted(void *user, pl_tcp *tcp)
{
    pl_byte_stream *b = user;
    byte_conn *c;
    if (b->n_guests >= PL_BYTE_GUESTS_MAX || !b->s5b || b->is_open)
        pl_tcp_close(tcp);
    else if (byte_conn_accept(&c, &b->conns, b->conf.loop, tcp, &conn_events, b) == PL_OK)
        b->n_guests++;
}

/* ---- what the negotiation orders ---- */

static void connect_to(pl_byte_stream *b, const pl_s5b_event *e)
{
    byte_conn *c = NULL;
    uint16_t port = e->candidate->port ? e->candidate->port : 1080;
    if (byte_conn_connect(&c, &b->conns, b->conf.loop, e->candidate->host, port, e->dst, &conn_events, b)) {
        pl_s5b_failed(b->s5b, now(b), e->candidate->cid);
        return;
    }
    memcpy(c->cid, e->candidate->cid, sizeof c->cid);
}

static void connect_proxy(pl_byte_stream *b, const pl_s5b_event *e)
{
    byte_conn *c = NULL;
    if (byte_conn_connect(&c, &b->conns, b->conf.loop, e->candidate->host, e->candidate->port, e->dst,
                          &conn_events, b))
        pl_s5b_activated(b->s5b, now(b), false);
    else
        c->ours = true;
}

/* Of several guests the newest that has said its words: the peer leaves those that it does not use. */
static byte_conn *ours_to_use(pl_byte_stream *b, bool proxy)
{
    byte_conn *best = NULL;
    PL_EACH (n, &b->conns) {
        byte_conn *c = pl_of(n, byte_conn, in_owner);
        if (c->ours && c->is_open && c->talk.server != proxy)
            best = c;
    }
    return best;
}

static void stop_listening(pl_byte_stream *b)
{
    while (b->n_listeners)
        pl_tcp_listener_close(b->listener[--b->n_listeners]);
}

static void use(pl_byte_stream *b, const pl_s5b_event *e)
{
    byte_conn *c =
        e->ours ? ours_to_use(b, e->candidate->type == PL_S5B_PROXY) : by_cid(b, e->candidate->cid);
    stop_listening(b);
    if (!c) {
        tell(b, PL_BYTE_BROKEN);
        return;
    }
    PL_EACH (n, &b->conns) {
        byte_conn *other = pl_of(n, byte_conn, in_owner);
        if (other != c)
            drop(b, other);
    }
    b->used = c;
    byte_conn_use(c);
    tell(b, PL_BYTE_OPEN);
}

static bool obey(pl_byte_stream *b)
{
    pl_s5b_event e;
    bool any = false;
    for (; b->s5b && pl_s5b_poll_event(b->s5b, &e); any = true) {
        switch (e.kind) {
        case PL_S5B_CONNECT: connect_to(b, &e); break;
        case PL_S5B_STOP: drop(b, by_cid(b, e.candidate->cid)); break;
        case PL_S5B_ACTIVATE: connect_proxy(b, &e); break;
        case PL_S5B_USE: use(b, &e); break;
        case PL_S5B_FAILED_NOW: tell(b, PL_BYTE_UNMADE); break;
        }
    }
    return any;
}

static bool say_all(pl_byte_stream *b)
{
    pl_xml *content = b->s5b ? pl_xml_new(PL_NS_JINGLE, "content") : NULL;
    bool any = false;
    for (pl_xml *t; content && b->s5b && (t = pl_s5b_poll_output(b->s5b, content)); any = true)
        b->conf.say(b->conf.user, t);
    pl_xml_free(content);
    return any;
}

/* ---- in-band ---- */

static void read_band(pl_byte_stream *b)
{
    uint8_t block[PL_BYTE_BLOCK];
    for (size_t n; (n = pl_ibb_read(b->ibb, block, sizeof block)) && !b->over;)
        b->conf.data(b->conf.user, block, n);
}

static bool hear_band(pl_byte_stream *b)
{
    pl_ibb_event e;
    bool any = false;
    for (; b->ibb && pl_ibb_poll_event(b->ibb, &e); any = true) {
        if (e == PL_IBB_OPENED)
            tell(b, PL_BYTE_OPEN);
        read_band(b);
        if (e == PL_IBB_WRITABLE && b->starved) {
            b->starved = false;
            tell(b, PL_BYTE_WRITABLE);
        } else if (e == PL_IBB_CLOSED || e == PL_IBB_FAILED) {
            tell(b, e == PL_IBB_CLOSED ? PL_BYTE_ENDED : PL_BYTE_BROKEN);
        }
    }
    return any;
}

static bool send_band(pl_byte_stream *b)
{
    bool any = false;
    for (pl_xml *e; b->ibb && (e = pl_ibb_poll_output(b->ibb, now(b))); any = true) {
        if (pl_xmpp_send(b->conf.client, e))
            break; /* its answer will be missed, and break the stream */
    }
    return any;
}

static bool on_stanza(void *user, const pl_xml *stanza)
{
    pl_byte_stream *b = user;
    bool taken = b->ibb && pl_ibb_input(b->ibb, now(b), stanza);
    if (taken)
        pump(b);
    return taken;
}

/* ---- time ---- */

static void pump(pl_byte_stream *b)
{
    if (b->pumping) { /* the loop that we are in looks once more */
        b->again = true;
        return;
    }
    b->pumping = true;
    do
        b->again = false;
    while (obey(b) || say_all(b) || hear_band(b) || send_band(b) || b->again);
    b->pumping = false;
    int64_t at_us = b->s5b ? pl_s5b_next_us(b->s5b) : PL_NEVER;
    if (b->ibb)
        at_us = pl_min_us(at_us, pl_ibb_next_us(b->ibb));
    pl_timer_set(b->conf.loop, &b->timer, at_us);
}

static void on_time(void *arg, int64_t now_us)
{
    pl_byte_stream *b = arg;
    (void)now_us;
    if (b->s5b)
        pl_s5b_tick(b->s5b, now(b));
    if (b->ibb)
        pl_ibb_tick(b->ibb, now(b));
    pump(b);
}

/* ---- beginning ---- */

static void offer_address(pl_byte_stream *b, const pl_addr *addr, pl_s5b_candidate *c, uint16_t preference)
{
    pl_tcp_listen_conf conf = { .bind = *addr, .accepted = on_accepted, .user = b };
    char text[PL_ADDR_TEXT_MAX];
    if (pl_tcp_listen(&b->listener[b->n_listeners], b->conf.loop, &conf))
        return;
    const pl_addr *at = pl_tcp_listener_addr(b->listener[b->n_listeners]);
    if (strlen(pl_xmpp_client_jid(b->conf.client)->text) > PL_S5B_JID_MAX) {
        pl_tcp_listener_close(b->listener[b->n_listeners]);
        return;
    }
    *c = (pl_s5b_candidate){ .type = PL_S5B_DIRECT,
                             .priority = pl_s5b_priority(PL_S5B_DIRECT, preference),
                             .port = at->port };
    snprintf(c->host, sizeof c->host, "%s", pl_addr_ip_str(at, text));
    snprintf(c->cid, sizeof c->cid, "%c-direct-%zu", b->conf.initiator ? 'i' : 'r', b->n_listeners);
    (void)pl_str_copy(pl_str_of(pl_xmpp_client_jid(b->conf.client)->text), c->jid, sizeof c->jid);
    b->n_listeners++;
}

/* This machine's addresses; its own loop where there is no other. */
static void listen_all(pl_byte_stream *b, pl_s5b_candidate *c)
{
    pl_ifaddr list[PL_BYTE_LISTENERS_MAX];
    size_t n = pl_ifaddr_list(list, PL_BYTE_LISTENERS_MAX, 0);
    if (!n)
        n = pl_ifaddr_list(list, PL_BYTE_LISTENERS_MAX, PL_IFADDR_LOOPBACK);
    for (size_t i = 0; i < n; i++)
        offer_address(b, &list[i].addr, &c[b->n_listeners], (uint16_t)(1000 - i));
}

static pl_err begin_s5b(pl_byte_stream *b)
{
    pl_s5b_candidate ours[PL_BYTE_LISTENERS_MAX + 1];
    const pl_byte_proxy *proxy = b->conf.proxy;
    if (!b->conf.proxy_only)
        listen_all(b, ours);
    pl_s5b_conf conf = { .self = pl_xmpp_client_jid(b->conf.client)->text,
                         .peer = b->peer,
                         .sid = b->sid,
                         .initiator = b->conf.initiator,
                         .ours = ours,
                         .n_ours = b->n_listeners };
    if (proxy && proxy->host[0]) {
        pl_s5b_candidate *c = &ours[conf.n_ours++];
        *c = (pl_s5b_candidate){ .type = PL_S5B_PROXY,
                                 .priority = pl_s5b_priority(PL_S5B_PROXY, 0),
                                 .port = proxy->port };
        memcpy(c->host, proxy->host, sizeof c->host);
        memcpy(c->jid, proxy->jid, sizeof c->jid);
        memcpy(b->proxy_jid, proxy->jid, sizeof b->proxy_jid);
        snprintf(c->cid, sizeof c->cid, "%c-proxy", b->conf.initiator ? 'i' : 'r');
    }
    return pl_s5b_new(&b->s5b, &conf);
}

pl_err pl_byte_stream_new(pl_byte_stream **out, const pl_byte_stream_conf *conf)
{
    pl_byte_stream *b = *out = calloc(1, sizeof *b);
    if (!b)
        return PL_ENOMEM;
    b->conf = *conf;
    b->block = conf->initiator ? PL_IBB_BLOCK : PL_IBB_BLOCK_TAKEN;
    b->timer = (pl_timer){ .fn = on_time, .arg = b };
    pl_list_init(&b->conns);
    b->handler = (pl_xmpp_handler){ .stanza = on_stanza, .user = b };
    pl_xmpp_add_handler(conf->client, PL_XMPP_SENDER, &b->handler);
    b->peer = strdup(conf->peer);
    b->sid = strdup(conf->sid);
    pl_err err = !b->peer || !b->sid ? PL_ENOMEM : conf->in_band ? PL_OK : begin_s5b(b);
    b->conf.proxy = NULL;
    b->conf.peer = b->peer;
    b->conf.sid = b->sid;
    if (err) {
        pl_byte_stream_free(b);
        *out = NULL;
    }
    return err;
}

void pl_byte_stream_free(pl_byte_stream *b)
{
    if (!b)
        return;
    pl_timer_cancel(b->conf.loop, &b->timer);
    pl_xmpp_remove_handler(b->conf.client, &b->handler);
    pl_xmpp_forget(b->conf.client, b);
    stop_listening(b);
    byte_conn_close_all(&b->conns);
    pl_s5b_free(b->s5b);
    pl_ibb_free(b->ibb);
    free(b->peer);
    free(b->sid);
    free(b);
}

/* ---- the owner's words ---- */

pl_xml *pl_byte_stream_write(const pl_byte_stream *b, pl_xml *content)
{
    return b->s5b ? pl_s5b_write_transport(b->s5b, content)
                  : pl_ibb_write_transport(content, b->sid, b->block);
}

static pl_err begin_band(pl_byte_stream *b, const pl_xml *transport)
{
    const char *sid;
    uint16_t block;
    pl_err err = pl_ibb_parse_transport(transport, &sid, &block);
    if (!err && strcmp(sid, b->sid) != 0)
        err = PL_EPROTO;
    if (err || b->ibb)
        return err ? err : PL_ESTATE;
    b->block = block < b->block ? block : b->block; /* XEP-0261 2.2: the acceptor may ask for less */
    pl_ibb_conf conf = { .peer = b->peer, .sid = b->sid, .block = b->block, .opens = b->conf.initiator };
    return pl_ibb_new(&b->ibb, &conf, now(b));
}

pl_err pl_byte_stream_offered(pl_byte_stream *b, const pl_xml *transport)
{
    pl_err err = b->s5b ? pl_s5b_offered(b->s5b, now(b), transport) : begin_band(b, transport);
    pump(b);
    return err;
}

pl_err pl_byte_stream_told(pl_byte_stream *b, const pl_xml *transport)
{
    pl_err err = b->s5b ? pl_s5b_told(b->s5b, now(b), transport) : PL_ESTATE;
    pump(b);
    return err;
}

pl_err pl_byte_stream_go_in_band(pl_byte_stream *b)
{
    if (b->is_open || b->ibb)
        return PL_ESTATE;
    stop_listening(b);
    byte_conn_close_all(&b->conns);
    b->n_guests = 0;
    pl_s5b_free(b->s5b);
    b->s5b = NULL;
    return PL_OK;
}

bool pl_byte_stream_is_in_band(const pl_byte_stream *b)
{
    return !b->s5b;
}

bool pl_byte_stream_is_open(const pl_byte_stream *b)
{
    return b->is_open && !b->over;
}

size_t pl_byte_stream_write_bytes(pl_byte_stream *b, const void *data, size_t len)
{
    size_t n = 0;
    if (pl_byte_stream_is_open(b))
        n = b->used ? byte_conn_write(b->used, data, len) : b->ibb ? pl_ibb_write(b->ibb, data, len) : 0;
    b->starved = b->starved || n < len;
    pump(b);
    return n;
}

void pl_byte_stream_close(pl_byte_stream *b)
{
    if (b->used)
        (void)pl_tcp_shutdown(b->used->tcp);
    if (b->ibb)
        pl_ibb_close(b->ibb);
    pump(b);
}
