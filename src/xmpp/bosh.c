#include "xmpp/bosh.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/hmac.h"

#define NS_XBOSH "urn:xmpp:xbosh"

enum { PAYLOAD_MAX = 4 << 20, RETRY_MS = 1000 };

typedef enum slot_state { SLOT_FREE, SLOT_READY, SLOT_ASKED, SLOT_ANSWERED } slot_state;

typedef struct slot {
    slot_state state;
    uint64_t rid;
    char *text;
    size_t len;
    unsigned tries;
    int64_t at_us; /* READY: not before */
    bool ends;     /* it said terminate */
    pl_xml *body;  /* ANSWERED: to be read when those before it were */
} slot;

typedef struct ready_read {
    pl_node in_list;
    pl_xml_read read;
} ready_read;

typedef enum bosh_state { BOSH_IDLE, BOSH_CREATING, BOSH_OPEN, BOSH_ENDING, BOSH_OVER } bosh_state;

struct pl_bosh {
    char *domain;
    bosh_state state;
    int64_t now_us;
    uint64_t rid;      /* of the next request */
    uint64_t read_rid; /* whose answer is read next */
    char sid[PL_BOSH_SID_MAX + 1];
    pl_buf payload; /* of the stream's, for the next request */
    bool restart, terminate;
    bool await_header; /* the features of a restarted stream come without one */
    unsigned window;   /* requests at once that the server takes */
    slot slot[PL_BOSH_REQUESTS];
    pl_list reads;
    bool tell_end;
    pl_xmpp_fault fault;
    char why[160];
};

/* ---- life ---- */

pl_err pl_bosh_new(pl_bosh **out, const char *domain, const pl_rand *rand, int64_t now_us)
{
    *out = NULL;
    pl_bosh *b = calloc(1, sizeof *b);
    if (!b)
        return PL_ENOMEM;
    b->domain = strdup(domain);
    if (!b->domain) {
        free(b);
        return PL_ENOMEM;
    }
    b->now_us = now_us;
    b->rid = 1 + (pl_rand_u64(rand) >> 13); /* below 2^51: XEP-0124 7.1 wants room up to 2^53 */
    b->read_rid = b->rid;
    b->window = 1;
    b->payload = pl_buf_init(PAYLOAD_MAX);
    pl_list_init(&b->reads);
    *out = b;
    return PL_OK;
}

static void clear_slot(slot *s)
{
    if (s->text)
        pl_wipe(s->text, s->len); /* it may hold a password */
    free(s->text);
    pl_xml_free(s->body);
    *s = (slot){ .state = SLOT_FREE };
}

static void clear_payload(pl_bosh *b)
{
    if (b->payload.p)
        pl_wipe(b->payload.p, b->payload.n);
    pl_buf_clear(&b->payload);
}

void pl_bosh_free(pl_bosh *b)
{
    pl_xml_read read;
    if (!b)
        return;
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++)
        clear_slot(&b->slot[i]);
    while (pl_bosh_poll_read(b, &read))
        pl_xml_free(read.element);
    clear_payload(b);
    free(b->domain);
    free(b);
}

static void end(pl_bosh *b, pl_xmpp_fault fault, const char *why)
{
    if (b->state == BOSH_OVER)
        return;
    b->state = BOSH_OVER;
    b->fault = fault;
    snprintf(b->why, sizeof b->why, "%s", why);
    b->tell_end = true;
}

/* ---- out ---- */

/* What is queued goes in one body; a restart goes before what is said after it. */
void pl_bosh_put(pl_bosh *b, int64_t now_us, const pl_xmpp_output *out)
{
    b->now_us = now_us;
    switch (out->frame) {
    case PL_XMPP_FRAME_OPEN:
        if (b->state == BOSH_IDLE)
            b->state = BOSH_CREATING;
        else
            b->restart = true;
        break;
    case PL_XMPP_FRAME_ELEMENT:
        pl_buf_add(&b->payload, out->text.p, out->text.n);
        if (b->payload.bad)
            end(b, PL_XMPP_LIMIT, "no room for what is to be sent");
        break;
    case PL_XMPP_FRAME_CLOSE: b->terminate = true; break;
    case PL_XMPP_FRAME_SPACE: break;
    }
}

static slot *slot_in(pl_bosh *b, slot_state state)
{
    slot *oldest = NULL;
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        slot *s = &b->slot[i];
        if (s->state == state && (!oldest || s->rid < oldest->rid))
            oldest = s;
    }
    return oldest;
}

static unsigned n_out(const pl_bosh *b)
{
    unsigned n = 0;
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++)
        n += b->slot[i].state == SLOT_READY || b->slot[i].state == SLOT_ASKED;
    return n;
}

/* Some servers look for the very prefix "xmpp" that the XEP's examples have, so it is written like a name. */
static pl_xml *new_body(pl_bosh *b, bool creating)
{
    pl_xml *e = pl_xml_new(PL_NS_BOSH, "body");
    pl_xml_set_u64(e, "rid", b->rid);
    if (creating || b->restart)
        pl_xml_set(e, "xmlns:xmpp", NS_XBOSH);
    if (creating) {
        pl_xml_set(e, "to", b->domain);
        pl_xml_set(e, "ver", "1.11");
        pl_xml_set(e, "hold", "1");
        pl_xml_set_u64(e, "wait", PL_BOSH_WAIT_S);
        pl_xml_set(e, "content", "text/xml; charset=utf-8");
        pl_xml_set(e, "xmpp:version", "1.0");
        pl_xml_set_ns(e, PL_NS_XML, "lang", "en");
    } else {
        pl_xml_set(e, "sid", b->sid);
    }
    if (b->restart) {
        pl_xml_set(e, "to", b->domain);
        pl_xml_set(e, "xmpp:restart", "true");
        pl_xml_set_ns(e, PL_NS_XML, "lang", "en");
    }
    if (b->terminate && !b->restart && !creating)
        pl_xml_set(e, "type", "terminate");
    return e;
}

/* The body's tag is written by the tree, what is in it was text already. A restart says nothing else. */
static bool write_body(pl_bosh *b, slot *s, bool creating)
{
    pl_buf text = pl_buf_init(PAYLOAD_MAX + 8192);
    pl_xml *e = new_body(b, creating);
    bool says = !creating && !b->restart && b->payload.n;
    pl_xml_write(e, NULL, &text);
    if (says && !text.bad && text.n > 2) {
        text.n -= 2; /* "/>" */
        pl_buf_addf(&text, ">");
        pl_buf_add(&text, b->payload.p, b->payload.n);
        pl_buf_addf(&text, "</body>");
    }
    pl_err err = pl_xml_err(e);
    pl_xml_free(e);
    s->len = text.n;
    s->text = err ? NULL : pl_buf_take(&text);
    if (err)
        pl_buf_clear(&text);
    if (!s->text)
        return false;
    if (says)
        clear_payload(b);
    return true;
}

static void make_request(pl_bosh *b)
{
    bool creating = b->state == BOSH_CREATING, restarting = b->restart;
    slot *s = slot_in(b, SLOT_FREE);
    if (!s || !write_body(b, s, creating)) {
        end(b, PL_XMPP_LIMIT, "no memory");
        return;
    }
    s->state = SLOT_READY;
    s->rid = b->rid++;
    s->at_us = b->now_us;
    if (restarting) {
        b->restart = false;
        b->await_header = true;
    } else if (!creating && b->terminate && b->payload.n == 0) {
        s->ends = true;
        b->state = BOSH_ENDING;
    }
}

/* XEP-0124 11: one that waits while nothing is to be said; another as soon as something is. */
static bool wants_request(const pl_bosh *b)
{
    unsigned n = n_out(b);
    bool speaks = b->restart || b->payload.n || b->terminate;
    if (b->state == BOSH_CREATING)
        return b->slot[0].state == SLOT_FREE;
    return b->state == BOSH_OPEN && (n == 0 || (speaks && n < b->window));
}

static bool has_free_slot(const pl_bosh *b)
{
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        if (b->slot[i].state == SLOT_FREE)
            return true;
    }
    return false;
}

bool pl_bosh_poll_request(pl_bosh *b, int64_t now_us, pl_bosh_request *out)
{
    b->now_us = now_us;
    if (wants_request(b) && has_free_slot(b))
        make_request(b);
    slot *s = slot_in(b, SLOT_READY);
    if (b->state == BOSH_OVER || !s || s->at_us > now_us)
        return false;
    s->state = SLOT_ASKED;
    s->tries++;
    *out = (pl_bosh_request){ (unsigned)(s - b->slot), { s->text, s->len } };
    return true;
}

int64_t pl_bosh_next_us(const pl_bosh *b)
{
    int64_t next = PL_NEVER;
    if (b->state == BOSH_OVER)
        return next;
    if (wants_request(b) && has_free_slot(b))
        return b->now_us;
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        if (b->slot[i].state == SLOT_READY)
            next = pl_min_us(next, b->slot[i].at_us);
    }
    return next;
}

/* ---- in ---- */

static void give(pl_bosh *b, pl_xml_read_type type, pl_xml *element)
{
    ready_read *r = malloc(sizeof *r);
    if (!r) {
        pl_xml_free(element);
        end(b, PL_XMPP_LIMIT, "no memory");
        return;
    }
    *r = (ready_read){ .read = { type, element } };
    pl_list_push_back(&b->reads, &r->in_list);
}

bool pl_bosh_poll_read(pl_bosh *b, pl_xml_read *out)
{
    pl_node *n = pl_list_pop_front(&b->reads);
    if (!n)
        return false;
    ready_read *r = pl_of(n, ready_read, in_list);
    *out = r->read;
    free(r);
    return true;
}

bool pl_bosh_poll_end(pl_bosh *b, pl_xmpp_fault *fault, const char **why)
{
    if (!b->tell_end || !pl_list_empty(&b->reads))
        return false;
    b->tell_end = false;
    *fault = b->fault;
    *why = b->why;
    return true;
}

/* XMPP's header, from what the body says of it. */
static void give_header(pl_bosh *b, const pl_xml *body)
{
    pl_xml *h = pl_xml_new(PL_NS_STREAM, "stream");
    pl_xml_set(h, "from", pl_xml_attr_of(body, "from"));
    pl_xml_set(h, "id", pl_xml_attr_of(body, "authid"));
    pl_xml_set(h, "version", "1.0");
    if (pl_xml_err(h)) {
        pl_xml_free(h);
        end(b, PL_XMPP_LIMIT, "no memory");
        return;
    }
    give(b, PL_XML_OPENED, h);
}

static void on_created(pl_bosh *b, const pl_xml *body)
{
    const char *sid = pl_xml_attr_of(body, "sid");
    uint64_t window;
    if (!sid || !*sid || !pl_str_copy(pl_str_of(sid), b->sid, sizeof b->sid)) {
        end(b, PL_XMPP_BROKEN, "the server gives no session over BOSH");
        return;
    }
    b->window =
        pl_xml_attr_u64(body, "requests", 1000, &window) && window < PL_BOSH_REQUESTS ? 1 : PL_BOSH_REQUESTS;
    b->state = BOSH_OPEN;
    give_header(b, body);
}

static void on_terminate(pl_bosh *b, const pl_xml *body)
{
    const char *c = pl_xml_attr_of(body, "condition");
    char why[100];
    if (b->state == BOSH_ENDING || !c || strcmp(c, "remote-stream-error") == 0) {
        give(b, PL_XML_CLOSED, NULL); /* an error that says more was in it */
        end(b, PL_XMPP_UNREACHABLE, "the server ended the BOSH session");
        return;
    }
    snprintf(why, sizeof why, "the server ended the BOSH session: %.40s", c);
    bool refused = strcmp(c, "host-unknown") == 0 || strcmp(c, "host-gone") == 0 ||
                   strcmp(c, "policy-violation") == 0 || strcmp(c, "improper-addressing") == 0;
    end(b,
        refused                         ? PL_XMPP_REFUSED
        : strcmp(c, "bad-request") == 0 ? PL_XMPP_BROKEN
                                        : PL_XMPP_UNREACHABLE,
        why);
}

static void read_body(pl_bosh *b, const pl_xml *body, bool ends)
{
    if (b->state == BOSH_CREATING && !pl_xml_attr_is(body, "type", "terminate"))
        on_created(b, body);
    for (const pl_xml *c = body->first; c && b->state != BOSH_OVER; c = c->next) {
        pl_xml *e = pl_xml_copy(c);
        if (e)
            give(b, PL_XML_ELEMENT, e);
        else
            end(b, PL_XMPP_LIMIT, "no memory");
    }
    if (b->state == BOSH_OVER)
        return;
    if (pl_xml_attr_is(body, "type", "terminate") || ends)
        on_terminate(b, body);
    else if (pl_xml_attr_is(body, "type", "error"))
        end(b, PL_XMPP_UNREACHABLE, "the server had an error that passes");
}

/* In the order in which was asked. The features of a restarted stream come without a header: it is ours to tell, with the
 * next that is said, whichever request that answers. */
static void read_answers(pl_bosh *b)
{
    for (slot *s; b->state != BOSH_OVER && (s = slot_in(b, SLOT_ANSWERED)) && s->rid == b->read_rid;) {
        pl_xml *body = s->body;
        bool ends = s->ends;
        s->body = NULL;
        clear_slot(s);
        b->read_rid++;
        if (b->await_header && body->first) {
            b->await_header = false;
            give_header(b, body);
        }
        read_body(b, body, ends);
        pl_xml_free(body);
    }
}

static pl_err parse(pl_xml **out, pl_str text)
{
    pl_xml_reader *r;
    pl_xml_read read = { 0 };
    pl_err err = pl_xml_reader_new(&r, PL_XML_DOCUMENT, PL_BOSH_BODY_MAX);
    if (err)
        return err;
    err = pl_xml_reader_input(r, text.p, text.n);
    if (!pl_xml_reader_poll(r, &read) && !err)
        err = PL_EPROTO;
    pl_xml_reader_free(r);
    *out = read.element;
    if (err) {
        pl_xml_free(read.element);
        *out = NULL;
    }
    return err;
}

void pl_bosh_answered(pl_bosh *b, int64_t now_us, unsigned at, pl_str text)
{
    slot *s = &b->slot[at % PL_BOSH_REQUESTS];
    b->now_us = now_us;
    if (s->state != SLOT_ASKED || b->state == BOSH_OVER)
        return;
    pl_err err = parse(&s->body, text);
    if (err || !pl_xml_is(s->body, PL_NS_BOSH, "body")) {
        end(b, err == PL_ENOMEM ? PL_XMPP_LIMIT : PL_XMPP_BROKEN, "what the server sent is no BOSH");
        return;
    }
    s->state = SLOT_ANSWERED;
    read_answers(b);
}

/* XEP-0124 14: the server keeps its last answers, so the very same request is asked again. */
void pl_bosh_failed(pl_bosh *b, int64_t now_us, unsigned at, int status)
{
    slot *s = &b->slot[at % PL_BOSH_REQUESTS];
    char why[80];
    b->now_us = now_us;
    if (s->state != SLOT_ASKED || b->state == BOSH_OVER)
        return;
    bool may_pass = status == 0 || status >= 500;
    if (may_pass && b->state != BOSH_CREATING && s->tries < PL_BOSH_TRIES) {
        s->state = SLOT_READY;
        s->at_us = now_us + PL_MS(RETRY_MS) * s->tries;
        return;
    }
    if (status)
        snprintf(why, sizeof why, "the server answers BOSH with status %d", status);
    else
        snprintf(why, sizeof why, "the server does not answer over BOSH");
    end(b, may_pass || b->state != BOSH_CREATING ? PL_XMPP_UNREACHABLE : PL_XMPP_BROKEN, why);
}

void pl_bosh_check(const pl_bosh *b)
{
    assert(b->window >= 1 && b->window <= PL_BOSH_REQUESTS);
    assert(b->read_rid <= b->rid && b->rid - b->read_rid <= PL_BOSH_REQUESTS);
    for (unsigned i = 0; i < PL_BOSH_REQUESTS; i++) {
        const slot *s = &b->slot[i];
        assert((s->state == SLOT_ANSWERED) == (s->body != NULL) || b->state == BOSH_OVER);
        assert((s->state == SLOT_FREE) == (s->text == NULL));
        assert(s->state == SLOT_FREE || (s->rid >= b->read_rid && s->rid < b->rid));
    }
}
