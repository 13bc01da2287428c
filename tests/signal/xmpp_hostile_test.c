/* Servers that mean ill, met by the connection as the program makes it, over TCP, WebSocket and BOSH: what they send ends
 * the session with the standard's error and a sentence, whatever the transport; nothing grows. */
#include "pl_test.h"

#include "crypto/base64.h"
#include "net/tcp.h"
#include "signal/websocket.h"
#include "signal/xmpp_fixture.h"
#include "xmpp/driver.h"

#define ATTRS "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='x' version='1.0'"
#define OPEN  "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='example.org' id='x' version='1.0'/>"
#define BODY                                                                                                 \
    "<body xmlns='http://jabber.org/protocol/httpbind' xmlns:stream='http://etherx.jabber.org/streams' "     \
    "sid='s' wait='60' requests='2' from='example.org'"
#define STREAM_HEADER "<?xml version='1.0'?><stream:stream " ATTRS " from='example.org'>"
#define STREAMS       "xmlns:stream='http://etherx.jabber.org/streams'"
#define OFFER(x)                                                                                             \
    "<stream:features " STREAMS "><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>" x        \
    "</mechanism></mechanisms></stream:features>"
#define STARTTLS                                                                                             \
    "<stream:features " STREAMS "><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
#define PROCEED "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

/* What may be sent at most before it has to be over: a stanza, what the kernel holds, and much to spare. */
enum { SENT_MAX = 48 << 20, PIECE = 64 << 10 };

typedef struct evil {
    pl_tcp_listener *listener;
    pl_tcp *tcp;
    pl_xmpp_via via;
    pl_buf heard;      /* of the connection that stands, all of it */
    const char *say;   /* after the header, in the framing of the transport */
    const char *raw;   /* or as it is */
    const char *bytes; /* and these, which may hold zeros */
    size_t n_bytes;
    const char *piece;                         /* PIECE bytes again and again, as fast as they are taken */
    bool spoken, begun, end, deaf, no_upgrade; /* end: closes behind what is said; deaf: reads no answer */
    void (*answer)(struct evil *e);            /* to what came after that */
    unsigned which, step, n_met;
    size_t sent, skip; /* skip: of the piece, when it is not the first */
    pl_ws ws;          /* what the client says by it */
} evil;

#define SUCCESS(x) "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" x "</success>"
enum { SCRAM_LIES = 11, WAYS = 3 };

static const pl_xmpp_via ways[] = { PL_XMPP_VIA_STARTTLS, PL_XMPP_VIA_WEBSOCKET, PL_XMPP_VIA_BOSH };
static pl_loop *loop;

/* ---- the server ---- */

static void put(evil *e, const void *data, size_t len)
{
    if (len && e->tcp && pl_tcp_write(e->tcp, data, len) == PL_OK)
        e->sent += len;
}

static void put_text(evil *e, const char *text)
{
    put(e, text, strlen(text));
}

/* One element or what shall pass for one. */
static void put_framed(evil *e, const char *text)
{
    pl_buf out = pl_buf_init(1 << 20);
    pl_ws ws;
    if (e->via == PL_XMPP_VIA_WEBSOCKET) {
        pl_ws_init(&ws, false, 1 << 20, (pl_rand){ 0 });
        pl_ws_put(&ws, PL_WS_TEXT, text, strlen(text), &out);
        pl_ws_clear(&ws);
    } else if (e->via == PL_XMPP_VIA_BOSH) {
        pl_buf_addf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n" BODY ">%s</body>",
                    strlen(BODY "></body>") + strlen(text), text);
    } else {
        pl_buf_addf(&out, "%s", text);
    }
    PL_OKAY(!out.bad);
    put(e, out.p, out.n);
    pl_buf_clear(&out);
}

/* The upgrade's answer, with the client's key. */
static void accept_upgrade(evil *e)
{
    char accept[PL_WS_ACCEPT_LEN + 1], text[300];
    const char *all = pl_buf_z(&e->heard), *key = all ? strstr(all, "Sec-WebSocket-Key: ") : NULL;
    PL_OKAY(key && pl_ws_accept((pl_str){ key + 19, strcspn(key + 19, "\r") }, accept));
    snprintf(text, sizeof text,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n",
             accept);
    put_text(e, text);
}

/* As much as is taken now. The pieces go on in each other. */
static void pour(evil *e)
{
    size_t before = SENT_MAX;
    while (e->sent < SENT_MAX && e->sent != before) {
        before = e->sent;
        put(e, e->piece + (e->begun ? e->skip : 0), PIECE - (e->begun ? e->skip : 0));
        e->begun = true;
    }
}

static void speak(evil *e)
{
    if (e->via == PL_XMPP_VIA_WEBSOCKET && !e->no_upgrade)
        accept_upgrade(e);
    if (e->say && e->via == PL_XMPP_VIA_WEBSOCKET)
        put_framed(e, OPEN);
    else if (e->say && e->via == PL_XMPP_VIA_STARTTLS)
        put_text(e, STREAM_HEADER);
    if (e->raw)
        put_text(e, e->raw);
    if (e->say)
        put_framed(e, e->say);
    put(e, e->bytes, e->n_bytes);
    if (e->piece)
        pour(e);
    if (e->end)
        pl_tcp_shutdown(e->tcp);
    if (e->deaf)
        pl_tcp_pause(e->tcp, true);
}

/* What was said, without the frames. */
static void hear(evil *e, uint8_t *data, size_t len)
{
    if (!e->spoken || e->via != PL_XMPP_VIA_WEBSOCKET) {
        pl_buf_add(&e->heard, data, len);
        return;
    }
    pl_buf out = pl_buf_init(1024);
    for (size_t at = 0, used; at < len; at += used) {
        pl_ws_progress p = pl_ws_feed(&e->ws, data + at, len - at, &used, &out);
        if (p == PL_WS_MESSAGE)
            pl_buf_add(&e->heard, e->ws.message.p, e->ws.message.n);
        else if (p != PL_WS_MORE)
            break;
    }
    pl_buf_clear(&out);
}

static void on_data(void *user, uint8_t *data, size_t len)
{
    evil *e = user;
    hear(e, data, len);
    const char *all = pl_buf_z(&e->heard);
    PL_OKAY(all);
    bool whole = strstr(all, e->via == PL_XMPP_VIA_STARTTLS ? "version=" : "\r\n\r\n");
    if (e->spoken && e->answer) {
        e->answer(e);
    } else if (!e->spoken && whole) {
        e->spoken = true;
        speak(e);
    }
}

static void on_drained(void *user)
{
    evil *e = user;
    if (e->piece)
        pour(e);
}

static void on_closed(void *user, pl_err err)
{
    evil *e = user;
    (void)err;
    pl_tcp_close(e->tcp);
    e->tcp = NULL;
}

static void on_accepted(void *user, pl_tcp *tcp)
{
    static const pl_tcp_events on = { .data = on_data, .drained = on_drained, .closed = on_closed };
    evil *e = user;
    pl_tcp_close(e->tcp);
    pl_buf_clear(&e->heard);
    pl_ws_clear(&e->ws);
    pl_ws_init(&e->ws, false, 1 << 20, (pl_rand){ 0 });
    e->tcp = tcp;
    e->spoken = false;
    e->step = 0;
    e->n_met++;
    pl_tcp_set_events(tcp, &on, e);
}

/* ---- the client ---- */

typedef struct meeting {
    evil e;
    xmpp_user u;
    char url[64], why[200], heard[2048]; /* what is left of it */
} meeting;

static void meet_as(meeting *m, pl_xmpp_via via, bool once)
{
    pl_tcp_listen_conf listen = { .accepted = on_accepted, .user = &m->e };
    PL_EQ(pl_addr_parse_ip(&listen.bind, "127.0.0.1", 9), PL_OK);
    m->e.via = via;
    m->e.heard = pl_buf_init(16 << 20);
    PL_EQ(pl_tcp_listen(&m->e.listener, loop, &listen), PL_OK);
    uint16_t port = pl_tcp_listener_addr(m->e.listener)->port;
    pl_xmpp_connection_conf conf = { .jid = "romeo@example.org/orchard",
                                     .password = "correct horse",
                                     .via = via,
                                     .insecure = true,
                                     .once = once };
    if (via == PL_XMPP_VIA_STARTTLS) {
        conf.host = "127.0.0.1";
        conf.port = port;
    } else {
        snprintf(m->url, sizeof m->url, "%s://127.0.0.1:%u/x", via == PL_XMPP_VIA_BOSH ? "http" : "ws", port);
        conf.url = m->url;
    }
    xmpp_user_new(&m->u, loop, &conf);
}

static void part(meeting *m)
{
    xmpp_user_free(&m->u);
    pl_tcp_close(m->e.tcp);
    pl_tcp_listener_close(m->e.listener);
    pl_buf_clear(&m->e.heard);
    pl_ws_clear(&m->e.ws);
}

/* One meeting that ends in this fault. The caller has set what is said. heard_too: what the client's last words hold. */
static void ends(meeting *m, const char *what, pl_xmpp_via via, pl_xmpp_fault fault, const char *heard_too)
{
    meet_as(m, via, true);
    XMPP_UNTIL(loop,
               m->u.state == PL_XMPP_CLOSED && m->u.n_troubles && (!m->e.tcp || via == PL_XMPP_VIA_BOSH));
    const char *all = pl_buf_z(&m->e.heard);
    if (m->u.fault != fault || (heard_too && !strstr(all, heard_too)))
        print_error("%s, way %d: fault %s: %s\nheard: %.400s\n", what, via, pl_xmpp_fault_str(m->u.fault),
                    m->u.why, all);
    PL_EQ(m->u.fault, fault);
    PL_EQ(m->u.n_troubles, 1);
    PL_EQ(m->u.n_opened, 0);
    PL_OKAY(strlen(m->u.why) > 10);
    PL_LE(m->e.sent, SENT_MAX);
    PL_OKAY(!heard_too || strstr(all, heard_too));
    PL_OKAY(!strstr(all, "correct horse"));
    snprintf(m->why, sizeof m->why, "%s", m->u.why);
    snprintf(m->heard, sizeof m->heard, "%s", all);
    part(m);
}

/* ---- XML ---- */

static char deep[200 * 4 + 1], wide[400 * 1024], many[64 * 1024];

static void make_big_ones(void)
{
    size_t n = 0;
    for (int i = 0; i < 200; i++)
        n += (size_t)snprintf(deep + n, sizeof deep - n, "<aa>");
    n = (size_t)snprintf(wide, sizeof wide, "<message to='");
    memset(wide + n, 'x', sizeof wide - n - 4);
    memcpy(wide + sizeof wide - 4, "'/>", 4);
    n = (size_t)snprintf(many, sizeof many, "<message");
    for (int i = 0; n < sizeof many - 40; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, " a%d=''", i);
    snprintf(many + n, sizeof many - n, "/>");
}

/* What no stream may hold (RFC 6120 11), and what is too much of it. Over BOSH an error is said by leaving. */
PL_TEST(xml_that_means_ill)
{
    static const struct {
        const char *what, *text, *condition;
        bool no_text; /* of WebSocket, which then refuses it before */
    } cases[] = {
        { "a bomb of entities",
          "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]><m>&c;</m>",
          "not-well-formed" },
        { "a document type", "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><x/>", "not-well-formed" },
        { "an entity", "<message>&other;</message>", "not-well-formed" },
        { "an instruction", "<message><?php x?></message>", "not-well-formed" },
        { "a comment", "<message><!-- x --></message>", "not-well-formed" },
        { "UTF-8 that is none", "<message>\xc0\xaf</message>", "not-well-formed", true },
        { "half a surrogate", "<message>\xed\xa0\x80</message>", "not-well-formed", true },
        { "a control character", "<message>&#1;</message>", "not-well-formed" },
        { "tags that cross", "<a><b></a></b>", "not-well-formed" },
        { "a prefix of nobody", "<x:a/>", "not-well-formed" },
        { "an attribute twice", "<a b='1' b='2'/>", "not-well-formed" },
        { "deep nesting", deep, "policy-violation" },
        { "a huge attribute", wide, "policy-violation" },
        { "many attributes", many, "policy-violation" },
        { "a stanza before its time", "<message xmlns='jabber:client'/>", "bad-format" },
        { "another namespace", "<features xmlns='urn:features'/>", "bad-format" },
    };
    make_big_ones();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int w = 0; w < WAYS; w++) {
            meeting m = { .e = { .say = cases[i].text } };
            ends(&m, cases[i].what, ways[w], PL_XMPP_BROKEN,
                 ways[w] == PL_XMPP_VIA_BOSH || (w && cases[i].no_text) ? NULL : cases[i].condition);
        }
    }
}

PL_TEST(an_element_without_end)
{
    static char piece[PIECE + 1];
    memset(piece, 'x', PIECE);
    for (int w = 0; w < 2; w++) { /* in a text, in a tag */
        meeting m = { .e = { .raw = w ? STREAM_HEADER "<message a='" : STREAM_HEADER "<message><body>",
                             .piece = piece } };
        ends(&m, "without end", PL_XMPP_VIA_STARTTLS, PL_XMPP_BROKEN, "policy-violation");
    }
}

PL_TEST(headers_of_others)
{
    static const struct {
        const char *text, *condition;
        pl_xmpp_fault fault;
    } cases[] = {
        { "<stream:stream " ATTRS " from='example.net'>", "invalid-from", PL_XMPP_BROKEN },
        { "<stream:stream xmlns:stream='urn:x' version='1.0'>", "invalid-namespace", PL_XMPP_BROKEN },
        { "<html>", "invalid-namespace", PL_XMPP_BROKEN },
        { "HTTP/1.1 400 Bad Request\r\n\r\n", "not-well-formed", PL_XMPP_BROKEN },
        { STREAM_HEADER "<a xmlns='urn:x'/>", "bad-format", PL_XMPP_BROKEN },
        { STREAM_HEADER "</stream:stream>", "</stream:stream>", PL_XMPP_UNREACHABLE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        meeting m = { .e = { .raw = cases[i].text } };
        ends(&m, cases[i].text, PL_XMPP_VIA_STARTTLS, cases[i].fault, cases[i].condition);
    }
}

/* ---- TLS and the log-in ---- */

static void proceed_and_more(evil *e)
{
    static const char *const more[] = { PROCEED OFFER("PLAIN"), PROCEED "<stream:stream>", PROCEED "x",
                                        PROCEED PROCEED };
    const char *all = pl_buf_z(&e->heard);
    if (e->step == 0 && strstr(all, "<starttls"))
        put_text(e, more[e->which]);
    e->step += strstr(all, "<starttls") != NULL;
}

/* Said with <proceed/>, to be taken for something said under TLS. */
PL_TEST(what_comes_with_proceed)
{
    for (unsigned i = 0; i < 4; i++) {
        meeting m = { .e = { .say = STARTTLS, .answer = proceed_and_more, .which = i } };
        ends(&m, "slipped in", PL_XMPP_VIA_STARTTLS, PL_XMPP_BROKEN, "<starttls");
        PL_OKAY(strstr(m.why, "slipped in"));
    }
}

/* Or a packet later: it meets TLS, which it is not. */
static void proceed_then_more(evil *e)
{
    const char *all = pl_buf_z(&e->heard), *at = strstr(all, "<starttls");
    if (e->step == 0 && at) {
        put_text(e, PROCEED);
        e->step = 1;
    } else if (e->step == 1 && at && memchr(at, 0x16, e->heard.n - (size_t)(at - all))) { /* its hello */
        put_text(e, OFFER("PLAIN"));
        e->step = 2;
    }
}

PL_TEST(what_comes_after_proceed)
{
    meeting m = { .e = { .say = STARTTLS, .answer = proceed_then_more } };
    ends(&m, "no TLS", PL_XMPP_VIA_STARTTLS, PL_XMPP_UNREACHABLE, NULL);
    PL_OKAY(!strstr(m.heard, "<auth"));
}

PL_TEST(plain_is_not_said_in_the_clear)
{
    for (int w = 0; w < WAYS; w++) {
        meeting m = { .e = { .say = OFFER("PLAIN") } };
        ends(&m, "PLAIN", ways[w], PL_XMPP_NO_MECHANISM, NULL);
    }
}

/* A challenge made of the nonce of the client's and what else the case has. */
static void challenge(evil *e)
{
    static const struct {
        const char *nonce, *rest;
    } first[] = {
        { "%.*s", ",s=QSXCR+Q6sek8bf92,i=4096" }, /* not extended */
        { "another", ",s=QSXCR+Q6sek8bf92,i=4096" },
        { "%.*smore", ",s=QSXCR+Q6sek8bf92,i=0" },
        { "%.*smore", ",s=QSXCR+Q6sek8bf92,i=1" },
        { "%.*smore", ",s=QSXCR+Q6sek8bf92,i=-1" },
        { "%.*smore", ",s=QSXCR+Q6sek8bf92,i=4294967295" }, /* an hour's work */
        { "%.*smore", ",s=QSXCR+Q6sek8bf92,i=99999999999999999999" },
        { "%.*smore", ",s=QSXCR+Q6sek8bf92" },
        { "%.*smore", ",s=,i=4096" },
        { "%.*smore", ",s=QSXCR+Q6sek8bf92,i=4096" }, /* right; the lie follows */
        { "%.*smore", ",s=QSXCR+Q6sek8bf92,i=4096" },
    };
    char text[1024], from[256], message[512], base64[PL_BASE64_LEN(512) + 1];
    const char *all = pl_buf_z(&e->heard), *at = strstr(all, "<auth");
    const char *chars = at ? strchr(at, '>') : NULL;
    size_t n = 0;
    if (e->step == 1 && strstr(all, "</response>")) {
        put_framed(e, e->which == SCRAM_LIES - 1 ? SUCCESS("dj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQT0=")
                                                 : SUCCESS(""));
        e->step = 2;
    }
    if (e->step || !chars || !strstr(all, "</auth>"))
        return;
    e->step = 1;
    PL_OKAY(pl_base64_decode(chars + 1, strcspn(chars + 1, "<"), (uint8_t *)from, sizeof from - 1, &n));
    from[n] = 0;
    const char *nonce = strstr(from, "r=");
    PL_OKAY(nonce);
    int used = snprintf(message, sizeof message, "r=");
    if (strstr(first[e->which].nonce, "%"))
        used += snprintf(message + used, sizeof message - (size_t)used, "%s%s", nonce + 2,
                         first[e->which].nonce + 4);
    else
        used += snprintf(message + used, sizeof message - (size_t)used, "%s", first[e->which].nonce);
    used += snprintf(message + used, sizeof message - (size_t)used, "%s", first[e->which].rest);
    base64[pl_base64_encode(message, (size_t)used, base64)] = 0;
    snprintf(text, sizeof text, "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>%s</challenge>", base64);
    put_framed(e, text);
}

/* The server must prove that it knows the password, and may not make us work for hours (RFC 5802 5, 7804 4). */
PL_TEST(scram_with_a_server_that_lies)
{
    for (unsigned i = 0; i < SCRAM_LIES; i++) {
        for (int w = 0; w < WAYS - 1; w++) {
            meeting m = { .e = { .say = OFFER("SCRAM-SHA-1"), .answer = challenge, .which = i } };
            ends(&m, "a lie", ways[w], PL_XMPP_UNPROVEN, "<abort");
        }
    }
}

/* ---- redirects ---- */

PL_TEST(sent_round_in_a_circle)
{
    static char error[300];
    meeting m = { .e = { .say = error } };
    meet_as(&m, PL_XMPP_VIA_STARTTLS, true);
    snprintf(error, sizeof error,
             "<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>127.0.0.1:%u"
             "</see-other-host></stream:error></stream:stream>",
             pl_tcp_listener_addr(m.e.listener)->port);
    XMPP_UNTIL(loop, m.u.state == PL_XMPP_CLOSED && m.u.n_troubles);
    PL_EQ(m.u.fault, PL_XMPP_UNREACHABLE);
    PL_EQ(m.e.n_met, PL_XMPP_REDIRECTS_MAX + 1);
    PL_OKAY(strstr(m.u.why, "see-other-host"));
    part(&m);
}

/* ---- WebSocket ---- */

static void websocket_says(const char *what, const char *bytes, size_t n, pl_xmpp_fault fault)
{
    meeting m = { .e = { .raw = "", .bytes = bytes, .n_bytes = n } };
    ends(&m, what, PL_XMPP_VIA_WEBSOCKET, fault, NULL);
}
#define WS(what, bytes) websocket_says(what, bytes, sizeof(bytes) - 1, PL_XMPP_BROKEN)

PL_TEST(frames_that_mean_ill)
{
    WS("masked", "\x81\x83\x01\x02\x03\x04"
                 "abc");
    WS("a continuation of nothing", "\x80\x03"
                                    "<a>");
    WS("a text inside a text", "\x01\x02<a\x81\x02/>");
    WS("reserved bits", "\xc1\x04<a/>");
    WS("an unknown kind", "\x83\x04<a/>");
    WS("binary", "\x82\x04<a/>");
    WS("a ping in pieces", "\x09\x01x");
    WS("a long ping", "\x89\x7e\x00\x7e");
    WS("a frame of 8 EiB", "\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff");
    WS("a frame of more than a stanza", "\x81\x7f\x00\x00\x00\x00\x10\x00\x00\x00");
    WS("no UTF-8", "\x81\x02\xc0\xaf");
    WS("two elements in one frame", "\x81\x08<a/><a/>");
    WS("half an element in a frame", "\x81\x03<a>");
    WS("half a tag in a frame", "\x81\x02<a");
    websocket_says("closed", "\x88\x02\x03\xe8", 4, PL_XMPP_UNREACHABLE);
}

/* Each is answered, so what is answered has to be bounded where the server does not read. */
PL_TEST(floods_over_websocket)
{
    static char pings[PIECE + 1], pieces[PIECE + 1];
    for (size_t i = 0; i < PIECE; i++) {
        pings[i] = "\x89\x02hi"[i % 4];
        pieces[i] = (i < 4 ? "\x01\x02<a" : "\x00\x02xx")[i % 4];
    }
    meeting deaf = { .e = { .raw = "", .piece = pings, .deaf = true } };
    ends(&deaf, "pings", PL_XMPP_VIA_WEBSOCKET, PL_XMPP_UNREACHABLE, NULL);
    meeting m = { .e = { .raw = "", .piece = pieces, .skip = 4 } };
    ends(&m, "pieces without end", PL_XMPP_VIA_WEBSOCKET, PL_XMPP_BROKEN, NULL);
}

/* ---- HTTP ---- */

#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
PL_TEST(answers_that_are_no_upgrade)
{
    static const char *const heads[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\n\r\n",
        SWITCH "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n",
    };
    for (size_t i = 0; i < 3; i++) {
        meeting m = { .e = { .raw = heads[i], .no_upgrade = true } };
        ends(&m, heads[i], PL_XMPP_VIA_WEBSOCKET, PL_XMPP_BROKEN, NULL);
    }
    static char piece[PIECE + 1];
    memset(piece, 'x', PIECE);
    meeting m = { .e = { .raw = "HTTP/1.1 101 ", .piece = piece, .no_upgrade = true } };
    ends(&m, "a head without end", PL_XMPP_VIA_WEBSOCKET, PL_XMPP_BROKEN, NULL);
}

#define HTTP "HTTP/1.1 200 OK\r\n"
PL_TEST(answers_that_are_no_bosh)
{
    static const struct {
        const char *text;
        pl_xmpp_fault fault;
    } cases[] = {
        { HTTP "Content-Length: 6\r\n\r\n<html>", PL_XMPP_BROKEN },
        { HTTP "Content-Length: 0\r\n\r\n", PL_XMPP_BROKEN },
        { HTTP "Content-Length: 55\r\n\r\n<body xmlns='http://jabber.org/protocol/httpbind'/>    ",
          PL_XMPP_BROKEN },
        { HTTP "Content-Length: 62\r\n\r\n<body xmlns='http://jabber.org/protocol/httpbind' sid=''/>    ",
          PL_XMPP_BROKEN },
        { "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
          PL_XMPP_BROKEN },
        { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", PL_XMPP_BROKEN },
        { "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", PL_XMPP_UNREACHABLE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        meeting m = { .e = { .raw = cases[i].text, .end = true } };
        ends(&m, cases[i].text, PL_XMPP_VIA_BOSH, cases[i].fault, NULL);
    }
}

PL_TEST(a_body_without_end)
{
    static char piece[PIECE + 1];
    memset(piece, 'x', PIECE);
    meeting m = { .e = { .raw = HTTP "Content-Length: 99999999999\r\n\r\n" BODY " a='", .piece = piece } };
    ends(&m, "a body without end", PL_XMPP_VIA_BOSH, PL_XMPP_UNREACHABLE, NULL);
    PL_OKAY(!m.e.tcp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        t(xml_that_means_ill),
        t(an_element_without_end),
        t(headers_of_others),
        t(what_comes_with_proceed),
        t(what_comes_after_proceed),
        t(plain_is_not_said_in_the_clear),
        t(scram_with_a_server_that_lies),
        t(sent_round_in_a_circle),
        t(frames_that_mean_ill),
        t(floods_over_websocket),
        t(answers_that_are_no_upgrade),
        t(answers_that_are_no_bosh),
        t(a_body_without_end),
    };
    if (pl_loop_new(&loop, NULL))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pl_loop_free(loop);
    return failed;
}
