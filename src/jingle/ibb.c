/* A stream of bytes inside XMPP. */
#include "jingle/ibb.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "crypto/base64.h"
#include "jingle/stanza.h"

typedef enum state { WAITING, OPENING, OPEN, CLOSING, OVER } state; /* WAITING: for the peer to open */

typedef struct bytes { /* a queue: what was put last is at the end */
    uint8_t *p;
    size_t at, n, cap;
} bytes;

typedef struct answer {
    pl_node node;
    pl_xml *iq;
} answer;

struct pl_ibb {
    char *peer;
    char sid[PL_IBB_SID_MAX + 1];
    state state;
    uint16_t block, seq_out, seq_in;
    uint64_t next_id, oldest_id; /* of our requests: those between are under way */
    bytes out, in;
    size_t under_way; /* bytes of blocks without an answer */
    uint16_t block_n[PL_IBB_WINDOW];
    int64_t sent_us[PL_IBB_WINDOW];
    uint8_t window; /* blocks that may be under way */
    bool wants_close, close_sent;
    bool tell_opened, tell_readable, tell_writable, tell_end, failed, refused_write;
    int64_t deadline_us, now_us;
    pl_list answers, held; /* held: for blocks that were not read */
    size_t n_held;
    bool want_open; /* to be sent (again) */
};

/* --- bytes ------------------------------------------------------------------------------------------------------ */

static size_t put(bytes *b, const uint8_t *data, size_t len)
{
    if (len > PL_IBB_BUFFER - b->n)
        len = PL_IBB_BUFFER - b->n;
    if (b->at && b->at + b->n + len > b->cap) {
        memmove(b->p, b->p + b->at, b->n);
        b->at = 0;
    }
    if (b->n + len > b->cap) {
        size_t cap = b->cap ? b->cap : 4096;
        while (cap < b->n + len)
            cap *= 2;
        uint8_t *p = realloc(b->p, cap);
        if (!p)
            return 0;
        b->p = p;
        b->cap = cap;
    }
    if (len)
        memcpy(b->p + b->at + b->n, data, len);
    b->n += len;
    return len;
}

static void drop(bytes *b, size_t n)
{
    b->at += n;
    b->n -= n;
    if (b->n == 0)
        b->at = 0;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

pl_err pl_ibb_new(pl_ibb **out, const pl_ibb_conf *conf, int64_t now_us)
{
    *out = NULL;
    if (!conf->sid[0] || strlen(conf->sid) > PL_IBB_SID_MAX)
        return PL_EINVAL;
    pl_ibb *b = calloc(1, sizeof *b);
    char *peer = strdup(conf->peer);
    if (!b || !peer) {
        free(b);
        free(peer);
        return PL_ENOMEM;
    }
    b->peer = peer;
    snprintf(b->sid, sizeof b->sid, "%s", conf->sid);
    b->block = conf->block ? conf->block : PL_IBB_BLOCK;
    b->window = PL_IBB_WINDOW_FIRST;
    b->want_open = conf->opens;
    b->state = conf->opens ? OPENING : WAITING;
    b->now_us = now_us;
    b->deadline_us = now_us + PL_IBB_ACK_US;
    pl_list_init(&b->answers);
    pl_list_init(&b->held);
    *out = b;
    return PL_OK;
}

static void free_answers(pl_list *list)
{
    PL_EACH (n, list) {
        answer *a = pl_of(n, answer, node);
        pl_list_remove(n);
        pl_xml_free(a->iq);
        free(a);
    }
}

void pl_ibb_free(pl_ibb *b)
{
    if (!b)
        return;
    free_answers(&b->answers);
    free_answers(&b->held);
    free(b->out.p);
    free(b->in.p);
    free(b->peer);
    free(b);
}

static void end(pl_ibb *b, bool failed)
{
    if (b->state == OVER)
        return;
    b->state = OVER;
    b->failed = failed;
    b->tell_end = true;
    b->want_open = false;
    b->deadline_us = PL_NEVER;
    pl_list_splice_back(&b->answers, &b->held);
    b->n_held = 0;
}

/* --- what the peer asks --------------------------------------------------------------------------------------------- */

static void reply(pl_ibb *b, pl_list *where, pl_xml *iq)
{
    answer *a = pl_xml_err(iq) ? NULL : calloc(1, sizeof *a);
    if (!a) {
        pl_xml_free(iq);
        end(b, true); /* the peer would wait for it for ever */
        return;
    }
    a->iq = iq;
    pl_list_push_back(where, &a->node);
}

static void refuse(pl_ibb *b, const pl_xml *iq, const char *type, const char *condition)
{
    pl_xml *e = pl_jingle_answer_result(b->peer, pl_xml_attr_of(iq, "id"));
    pl_xml_set(e, "type", "error");
    pl_xml *error = pl_xml_add(e, NULL, "error");
    pl_xml_set(error, "type", type);
    pl_xml_add(error, PL_NS_STANZAS, condition);
    reply(b, &b->answers, e);
}

static void accept(pl_ibb *b, const pl_xml *iq)
{
    reply(b, &b->answers, pl_jingle_answer_result(b->peer, pl_xml_attr_of(iq, "id")));
}

static void on_open(pl_ibb *b, const pl_xml *iq, const pl_xml *open)
{
    uint64_t block;
    const char *stanza = pl_xml_attr_of(open, "stanza");
    if (b->state != WAITING)
        refuse(b, iq, "cancel", "not-acceptable");
    else if (!pl_xml_attr_u64(open, "block-size", PL_IBB_BLOCK_MAX, &block) || block == 0)
        refuse(b, iq, "modify", "bad-request");
    else if (stanza && strcmp(stanza, "iq") != 0)
        refuse(b, iq, "cancel", "feature-not-implemented"); /* messages are not acknowledged */
    else if (block > b->block)
        refuse(b, iq, "modify", "resource-constraint");
    else {
        b->block = (uint16_t)block;
        b->state = OPEN;
        b->deadline_us = PL_NEVER;
        b->tell_opened = true;
        accept(b, iq);
    }
}

/* XEP-0047 2.2: a number that is not the next, and what is no base64, end the stream. */
static void on_data(pl_ibb *b, const pl_xml *iq, const pl_xml *data)
{
    uint8_t block[PL_IBB_BLOCK_MAX];
    size_t len;
    uint64_t seq;
    if (b->state != OPEN && b->state != CLOSING) {
        refuse(b, iq, "cancel", "item-not-found");
    } else if (!pl_xml_attr_u64(data, "seq", UINT16_MAX, &seq) || seq != b->seq_in) {
        refuse(b, iq, "cancel", "unexpected-request");
        end(b, true);
    } else if (!pl_base64_decode(data->text, strlen(data->text), block, sizeof block, &len) ||
               len > b->block) {
        refuse(b, iq, "modify", "bad-request");
        end(b, true);
    } else if (put(&b->in, block, len) < len) {
        refuse(b, iq, "wait", "resource-constraint"); /* more than the window was sent without an answer */
        end(b, true);
    } else {
        b->seq_in++;
        b->tell_readable = b->tell_readable || len > 0;
        bool full = b->in.n > PL_IBB_BUFFER / 2;
        b->n_held += full;
        reply(b, full ? &b->held : &b->answers, pl_jingle_answer_result(b->peer, pl_xml_attr_of(iq, "id")));
    }
}

static bool on_request(pl_ibb *b, const pl_xml *iq)
{
    const pl_xml *e = iq->first;
    while (e && strcmp(e->ns, PL_NS_IBB) != 0)
        e = e->next;
    if (!e || !pl_xml_attr_is(e, "sid", b->sid))
        return false;
    if (strcmp(e->name, "open") == 0)
        on_open(b, iq, e);
    else if (strcmp(e->name, "data") == 0)
        on_data(b, iq, e);
    else if (strcmp(e->name, "close") == 0) {
        accept(b, iq);
        end(b, b->out.n > 0 && b->state != OVER);
    } else
        refuse(b, iq, "modify", "bad-request");
    return true;
}

/* --- answers to us -------------------------------------------------------------------------------------------------- */

/* A block that was too large for the other side is tried by halves (XEP-0047 2.1). */
static void on_open_refused(pl_ibb *b, const pl_xml *iq)
{
    const char *condition, *text;
    (void)pl_jingle_error_in(iq, &condition, &text);
    if (strcmp(condition, "resource-constraint") == 0 && b->block / 2 >= PL_IBB_BLOCK_MIN) {
        b->block /= 2;
        b->want_open = true;
        b->deadline_us = b->now_us + PL_IBB_ACK_US;
    } else {
        end(b, true);
    }
}

/* A server that lets so many bytes a second pass, or a thin line, has a queue of our blocks: it is kept short. */
static void pace(pl_ibb *b, int64_t took_us)
{
    if (took_us <= PL_IBB_FAST_US && b->window < PL_IBB_WINDOW)
        b->window++;
    else if (took_us > PL_IBB_SLOW_US && b->window > 1)
        b->window--;
}

static void on_block_arrived(pl_ibb *b)
{
    size_t slot = b->oldest_id % PL_IBB_WINDOW, n = b->block_n[slot];
    pace(b, b->now_us - b->sent_us[slot]);
    b->oldest_id++;
    b->under_way -= n;
    drop(&b->out, n);
    if (b->refused_write && b->out.n <= PL_IBB_BUFFER / 2) { /* a piece worth reading from a disk */
        b->tell_writable = true;
        b->refused_write = false;
    }
    b->deadline_us = b->oldest_id < b->next_id ? b->now_us + PL_IBB_ACK_US : PL_NEVER;
}

static void on_result(pl_ibb *b)
{
    if (b->state == OPENING) {
        b->oldest_id++;
        b->state = OPEN;
        b->tell_opened = true;
        b->deadline_us = PL_NEVER;
    } else if (b->close_sent && b->oldest_id + 1 == b->next_id) {
        b->oldest_id++;
        end(b, false);
    } else {
        on_block_arrived(b);
    }
}

/* Answers come in the order of what they answer: the server keeps it (RFC 6120 10.1). */
static bool on_answer(pl_ibb *b, const pl_xml *iq)
{
    char id[PL_IBB_SID_MAX + 32];
    snprintf(id, sizeof id, "ibb-%s-%llu", b->sid, (unsigned long long)b->oldest_id);
    if (b->oldest_id == b->next_id || !pl_xml_attr_is(iq, "id", id))
        return false;
    if (b->state == OVER) {
        b->oldest_id++;
    } else if (pl_xml_attr_is(iq, "type", "result")) {
        on_result(b);
    } else if (b->state == OPENING) {
        b->oldest_id++;
        on_open_refused(b, iq);
    } else {
        b->oldest_id++;
        end(b, !b->close_sent);
    }
    return true;
}

bool pl_ibb_input(pl_ibb *b, int64_t now_us, const pl_xml *stanza)
{
    b->now_us = now_us;
    const char *type = pl_xml_attr_of(stanza, "type");
    if (!pl_xml_is(stanza, PL_NS_CLIENT, "iq") || !type || !pl_xml_attr_of(stanza, "id") ||
        !pl_xml_attr_is(stanza, "from", b->peer))
        return false;
    bool ours = false;
    if (strcmp(type, "set") == 0)
        ours = on_request(b, stanza);
    else if (strcmp(type, "result") == 0 || strcmp(type, "error") == 0)
        ours = on_answer(b, stanza);
    pl_ibb_check(b);
    return ours;
}

/* --- what we ask ------------------------------------------------------------------------------------------------------ */

static pl_xml *request(pl_ibb *b, const char *word, pl_xml **e)
{
    pl_xml *iq = pl_xml_new(PL_NS_CLIENT, "iq");
    pl_xml_set(iq, "to", b->peer);
    pl_xml_setf(iq, "id", "ibb-%s-%llu", b->sid, (unsigned long long)b->next_id);
    pl_xml_set(iq, "type", "set");
    *e = pl_xml_add(iq, PL_NS_IBB, word);
    pl_xml_set(*e, "sid", b->sid);
    return iq;
}

/* Without memory it is tried again with the next poll. */
static pl_xml *sent(pl_ibb *b, pl_xml *iq)
{
    if (pl_xml_err(iq)) {
        pl_xml_free(iq);
        return NULL;
    }
    b->next_id++;
    b->deadline_us = b->now_us + PL_IBB_ACK_US;
    return iq;
}

static pl_xml *send_open(pl_ibb *b)
{
    pl_xml *open, *iq = request(b, "open", &open);
    pl_xml_set_u64(open, "block-size", b->block);
    pl_xml_set(open, "stanza", "iq");
    iq = sent(b, iq);
    b->want_open = !iq;
    return iq;
}

static pl_xml *send_block(pl_ibb *b)
{
    size_t n = b->out.n - b->under_way;
    if (n > b->block)
        n = b->block;
    char *text = malloc(PL_BASE64_LEN(n) + 1);
    pl_xml *data, *iq = request(b, "data", &data);
    pl_xml_set_u64(data, "seq", b->seq_out);
    if (text)
        pl_xml_say(data, (pl_str){ text, pl_base64_encode(b->out.p + b->out.at + b->under_way, n, text) });
    if (!text) {
        pl_xml_free(iq);
        return NULL;
    }
    free(text);
    size_t slot = b->next_id % PL_IBB_WINDOW;
    iq = sent(b, iq);
    if (iq) {
        b->block_n[slot] = (uint16_t)n;
        b->sent_us[slot] = b->now_us;
        b->under_way += n;
        b->seq_out++;
    }
    return iq;
}

static bool may_send_block(const pl_ibb *b)
{
    return b->out.n > b->under_way && b->next_id - b->oldest_id < b->window &&
           (b->under_way == 0 || b->under_way + b->block <= PL_IBB_UNDER_WAY);
}

static pl_xml *send_close(pl_ibb *b)
{
    pl_xml *close, *iq = sent(b, request(b, "close", &close));
    b->close_sent = iq != NULL;
    if (iq)
        b->state = CLOSING;
    return iq;
}

pl_xml *pl_ibb_poll_output(pl_ibb *b, int64_t now_us)
{
    b->now_us = now_us;
    pl_node *n = pl_list_pop_front(&b->answers);
    if (n) {
        answer *a = pl_of(n, answer, node);
        pl_xml *iq = a->iq;
        free(a);
        return iq;
    }
    if (b->want_open)
        return send_open(b);
    if (b->state != OPEN)
        return NULL;
    if (may_send_block(b))
        return send_block(b);
    if (b->wants_close && b->out.n == 0 && b->oldest_id == b->next_id)
        return send_close(b);
    return NULL;
}

/* --- the owner's side --------------------------------------------------------------------------------------------------- */

size_t pl_ibb_write(pl_ibb *b, const void *data, size_t len)
{
    if (b->state == OVER || b->wants_close)
        return 0;
    size_t n = put(&b->out, data, len);
    b->refused_write = n < len;
    return n;
}

size_t pl_ibb_read(pl_ibb *b, void *out, size_t cap)
{
    size_t n = b->in.n < cap ? b->in.n : cap;
    if (n)
        memcpy(out, b->in.p + b->in.at, n);
    drop(&b->in, n);
    if (b->in.n <= PL_IBB_BUFFER / 2 && b->n_held) {
        pl_list_splice_back(&b->answers, &b->held);
        b->n_held = 0;
    }
    return n;
}

void pl_ibb_close(pl_ibb *b)
{
    b->wants_close = true;
    if (b->state == WAITING)
        end(b, false);
}

size_t pl_ibb_unsent(const pl_ibb *b)
{
    return b->out.n;
}

static bool take(bool *flag)
{
    bool was = *flag;
    *flag = false;
    return was;
}

bool pl_ibb_poll_event(pl_ibb *b, pl_ibb_event *out)
{
    if (take(&b->tell_opened))
        *out = PL_IBB_OPENED;
    else if (take(&b->tell_readable))
        *out = PL_IBB_READABLE;
    else if (take(&b->tell_writable))
        *out = PL_IBB_WRITABLE;
    else if (take(&b->tell_end))
        *out = b->failed ? PL_IBB_FAILED : PL_IBB_CLOSED;
    else
        return false;
    return true;
}

void pl_ibb_tick(pl_ibb *b, int64_t now_us)
{
    b->now_us = now_us;
    if (b->deadline_us <= now_us)
        end(b, true);
    pl_ibb_check(b);
}

int64_t pl_ibb_next_us(const pl_ibb *b)
{
    return b->deadline_us;
}

void pl_ibb_check(const pl_ibb *b)
{
    assert(b->under_way <= b->out.n && b->out.n <= PL_IBB_BUFFER && b->in.n <= PL_IBB_BUFFER);
    assert(b->oldest_id <= b->next_id && b->next_id - b->oldest_id <= PL_IBB_WINDOW);
    assert(b->window >= 1 && b->window <= PL_IBB_WINDOW);
    assert(b->state != OVER || (b->deadline_us == PL_NEVER && b->n_held == 0));
    assert((b->n_held == 0) == pl_list_empty(&b->held));
}

/* --- as a transport ------------------------------------------------------------------------------------------------------- */

pl_xml *pl_ibb_write_transport(pl_xml *content, const char *sid, uint16_t block)
{
    pl_xml *t = pl_xml_add(content, PL_NS_JINGLE_IBB, "transport");
    pl_xml_set_u64(t, "block-size", block ? block : PL_IBB_BLOCK);
    pl_xml_set(t, "sid", sid);
    return t;
}

pl_err pl_ibb_parse_transport(const pl_xml *transport, const char **sid, uint16_t *block)
{
    uint64_t n;
    *sid = transport ? pl_xml_attr_of(transport, "sid") : NULL;
    if (!pl_xml_is(transport, PL_NS_JINGLE_IBB, "transport") || !*sid || !(*sid)[0] ||
        strlen(*sid) > PL_IBB_SID_MAX || !pl_xml_attr_u64(transport, "block-size", PL_IBB_BLOCK_MAX, &n) ||
        n == 0)
        return PL_EPROTO;
    *block = (uint16_t)n;
    return PL_OK;
}
