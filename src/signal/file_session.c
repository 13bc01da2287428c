/* One file over a Jingle session. */
#include "signal/file_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/digest.h"
#include "net/loop.h"

enum { SID_LEN = 24 };
#define CONTENT "file"

struct pl_file_session {
    pl_file_session_conf conf;
    pl_jingle_session *session; /* NULL once it has ended */
    pl_byte_stream *bytes;
    pl_jingle_file file;
    pl_timer timer;
    pl_xml *transport; /* the caller's, until we accept: before that nothing is tried */
    char *peer, *content;
    uint64_t left; /* bytes of the agreed part that are still to come or go */
    bool offers, by_initiator, accepted, told_whole, told_over;
    bool end_known; /* the part's length is agreed on; else the end of the stream is the end */
};

const char *const *pl_file_session_applications(void)
{
    static const char *const list[] = { PL_NS_JINGLE_FILE, PL_NS_JINGLE_FILE_4, NULL };
    return list;
}

const char *const *pl_file_session_transports(void)
{
    static const char *const list[] = { PL_NS_JINGLE_S5B, PL_NS_JINGLE_IBB, NULL };
    return list;
}

const char *const *pl_file_session_features(void)
{
    static const char *const list[] = {
        PL_NS_JINGLE, PL_NS_JINGLE_FILE, PL_NS_JINGLE_S5B, PL_NS_JINGLE_IBB,
        PL_NS_IBB,    PL_NS_BYTESTREAMS, PL_NS_HASHES,     "urn:xmpp:hash-function-text-names:sha-256",
        NULL
    };
    return list;
}

static int64_t now(const pl_file_session *f)
{
    return pl_xmpp_client_now(f->conf.client);
}

static void run(pl_file_session *f)
{
    pl_xmpp_jingle_run(f->conf.jingle);
}

static void wait_for(pl_file_session *f, int64_t us)
{
    pl_timer_set(f->conf.loop, &f->timer, us == PL_NEVER ? PL_NEVER : pl_loop_now_us(f->conf.loop) + us);
}

static void over(pl_file_session *f, pl_jingle_reason reason, bool by_peer, const char *text)
{
    if (f->told_over)
        return;
    f->told_over = true;
    wait_for(f, PL_NEVER);
    f->conf.over(f->conf.user, reason, by_peer, text ? text : "");
}

void pl_file_session_end(pl_file_session *f, pl_jingle_reason reason, const char *text)
{
    if (f->session)
        (void)!pl_jingle_terminate(f->session, now(f), reason, text, NULL);
    over(f, reason, false, text);
    run(f);
}

/* ---- what is said in the session ---- */

static pl_xml *body_of(const pl_file_session *f, pl_xml **content)
{
    pl_xml *jingle = pl_xml_new(PL_NS_JINGLE, "jingle");
    *content = pl_xml_add(jingle, NULL, "content");
    pl_xml_set(*content, "creator", f->by_initiator ? "initiator" : "responder");
    pl_xml_set(*content, "name", f->content);
    return jingle;
}

/* with: of the transport, copied; NULL: our own. */
static void request(pl_file_session *f, pl_jingle_action action, const pl_xml *with)
{
    pl_xml *content, *body = body_of(f, &content);
    if (with)
        pl_xml_add_copy(content, with);
    else
        pl_byte_stream_write(f->bytes, content);
    if (f->session && pl_jingle_request(f->session, now(f), action, body))
        pl_file_session_end(f, PL_JINGLE_GENERAL_ERROR, "no memory");
    else if (!f->session)
        pl_xml_free(body);
}

/* ---- what the bytes say ---- */

static const pl_jingle_hash *known_hash(const pl_file_session *f)
{
    const pl_jingle_hash *h = pl_jingle_file_hash(&f->file, "sha-256");
    return h && !h->used_only && h->len == PL_SHA256_LEN ? h : NULL;
}

static bool hash_is_promised(const pl_file_session *f)
{
    const pl_jingle_hash *h = pl_jingle_file_hash(&f->file, "sha-256");
    return h && h->used_only;
}

static void say_whole(pl_file_session *f, bool waited)
{
    if (f->told_whole || f->told_over)
        return;
    if (!waited && hash_is_promised(f)) {
        wait_for(f, PL_FILE_CHECKSUM_US);
        return;
    }
    f->told_whole = true;
    wait_for(f, PL_NEVER);
    f->conf.whole(f->conf.user, known_hash(f));
}

static void take_bytes(void *user, const uint8_t *data, size_t len)
{
    pl_file_session *f = user;
    if (f->offers || f->told_whole || f->told_over || (f->end_known && !f->left))
        return;
    if (f->end_known && len > f->left) {
        pl_file_session_end(f, PL_JINGLE_MEDIA_ERROR, "more came than was offered");
        return;
    }
    f->left -= f->end_known ? len : 0;
    wait_for(f, PL_FILE_SILENCE_US);
    f->conf.data(f->conf.user, data, len);
    if (f->end_known && f->left == 0 && !f->told_over)
        say_whole(f, false);
}

static void on_stream_ended(pl_file_session *f, bool in_order)
{
    if (!f->offers && in_order && !f->end_known)
        say_whole(f, false);
    else if (f->left || !f->end_known)
        pl_file_session_end(f, PL_JINGLE_CONNECTIVITY_ERROR, "the stream broke");
    /* else all is through, and the session says how it ends */
}

/* Whoever called proposes the other way; who was called waits for it. */
static void on_no_way(pl_file_session *f)
{
    wait_for(f, PL_FILE_SILENCE_US);
    if (!f->session || !pl_jingle_we_called(f->session))
        return;
    if (pl_byte_stream_go_in_band(f->bytes))
        pl_file_session_end(f, PL_JINGLE_FAILED_TRANSPORT, NULL);
    else
        request(f, PL_JINGLE_TRANSPORT_REPLACE, NULL);
    run(f);
}

static void on_byte_event(void *user, pl_byte_event e)
{
    pl_file_session *f = user;
    if (f->told_over)
        return;
    switch (e) {
    case PL_BYTE_OPEN:
        wait_for(f, PL_FILE_SILENCE_US);
        if (f->offers)
            f->conf.room(f->conf.user);
        else if (f->end_known && f->left == 0)
            say_whole(f, false);
        break;
    case PL_BYTE_WRITABLE:
        wait_for(f, PL_FILE_SILENCE_US);
        if (f->offers)
            f->conf.room(f->conf.user);
        break;
    case PL_BYTE_ENDED:
    case PL_BYTE_BROKEN: on_stream_ended(f, e == PL_BYTE_ENDED); break;
    case PL_BYTE_UNMADE: on_no_way(f); break;
    }
}

static void say_transport(void *user, const pl_xml *transport)
{
    pl_file_session *f = user;
    request(f, PL_JINGLE_TRANSPORT_INFO, transport);
    run(f);
}

size_t pl_file_session_write_bytes(pl_file_session *f, const void *data, size_t len)
{
    size_t n = f->told_over || !f->offers
                   ? 0
                   : pl_byte_stream_write_bytes(f->bytes, data, len < f->left ? len : (size_t)f->left);
    f->left -= n;
    if (n && f->left == 0) {
        pl_byte_stream_close(f->bytes);
        wait_for(f, PL_FILE_GOODBYE_US);
    }
    return n;
}

/* ---- what the session says ---- */

static const pl_xml *child_of(const pl_xml *jingle, const char *name)
{
    const pl_xml *content = jingle ? pl_xml_child(jingle, jingle->ns, "content") : NULL;
    return content ? pl_xml_child(content, NULL, name) : NULL;
}

static void on_accepted(pl_file_session *f, const pl_jingle_event *e)
{
    pl_jingle_file part;
    uint64_t offset = 0, length = f->file.size;
    const pl_xml *description = child_of(e->jingle, "description");
    if (description) {
        if (pl_jingle_file_parse(description, &part)) {
            pl_file_session_end(f, PL_JINGLE_FAILED_APPLICATION, "the acceptance is malformed");
            return;
        }
        part.has_size = true; /* of ours, whatever it says */
        part.size = f->file.size;
        if (!pl_jingle_file_part(&part, &offset, &length)) {
            pl_file_session_end(f, PL_JINGLE_FAILED_APPLICATION, "there is no such part of the file");
            return;
        }
    }
    f->left = length;
    f->end_known = f->accepted = true;
    wait_for(f, PL_FILE_SILENCE_US);
    f->conf.wanted(f->conf.user, offset, length);
    if (pl_byte_stream_offered(f->bytes, child_of(e->jingle, "transport")))
        pl_file_session_end(f, PL_JINGLE_FAILED_TRANSPORT, "the transport is malformed");
    else if (length == 0)
        wait_for(f, PL_FILE_GOODBYE_US);
}

static void on_replace(pl_file_session *f, const pl_xml *transport)
{
    bool good = f->bytes && pl_xml_is(transport, PL_NS_JINGLE_IBB, "transport") &&
                !pl_byte_stream_is_open(f->bytes) && pl_byte_stream_go_in_band(f->bytes) == PL_OK &&
                pl_byte_stream_offered(f->bytes, transport) == PL_OK;
    request(f, good ? PL_JINGLE_TRANSPORT_ACCEPT : PL_JINGLE_TRANSPORT_REJECT, good ? NULL : transport);
    run(f);
}

static void on_info(pl_file_session *f, const pl_jingle_event *e)
{
    pl_jingle_file said;
    if (e->info == PL_JINGLE_CHECKSUM && !f->offers && hash_is_promised(f) &&
        pl_jingle_file_checksum_parse(e->info_xml, &said) == PL_OK) {
        memcpy(f->file.hash, said.hash, sizeof said.hash);
        f->file.n_hashes = said.n_hashes;
        if (f->end_known && f->left == 0)
            say_whole(f, true);
    } else if (e->info == PL_JINGLE_RECEIVED && f->offers && f->accepted && f->left == 0) {
        if (f->session) /* XEP-0234 8.1: who has all says so, and we say good-bye */
            (void)!pl_jingle_terminate(f->session, now(f), PL_JINGLE_SUCCESS, NULL, NULL);
        over(f, PL_JINGLE_SUCCESS, false, NULL);
    }
}

static void on_action(pl_file_session *f, const pl_jingle_event *e)
{
    const pl_xml *transport = child_of(e->jingle, "transport");
    if (!f->bytes && e->action != PL_JINGLE_TRANSPORT_REPLACE && e->action != PL_JINGLE_SESSION_INFO)
        return; /* before we have accepted there is nothing to tell us */
    switch (e->action) {
    case PL_JINGLE_SESSION_ACCEPT: on_accepted(f, e); break;
    case PL_JINGLE_TRANSPORT_INFO: (void)!pl_byte_stream_told(f->bytes, transport); break;
    case PL_JINGLE_TRANSPORT_REPLACE: on_replace(f, transport); break;
    case PL_JINGLE_TRANSPORT_ACCEPT:
        if (pl_byte_stream_offered(f->bytes, transport))
            pl_file_session_end(f, PL_JINGLE_FAILED_TRANSPORT, NULL);
        break;
    case PL_JINGLE_TRANSPORT_REJECT:
        pl_file_session_end(f, PL_JINGLE_FAILED_TRANSPORT, "no way for the bytes was found");
        break;
    case PL_JINGLE_SESSION_INFO: on_info(f, e); break;
    default: break;
    }
}

/* Without `received`, a farewell of success says the same when everything was sent. */
static void on_ended(pl_file_session *f, const pl_jingle_event *e)
{
    pl_jingle_reason reason = e->reason;
    f->session = NULL;
    if (reason == PL_JINGLE_SUCCESS && f->left && f->end_known)
        reason = PL_JINGLE_CANCEL;
    if (!f->offers && reason == PL_JINGLE_SUCCESS && f->end_known && f->left == 0) {
        say_whole(f, true); /* the sender left before we had looked */
        return;
    }
    const char *text = e->text && e->text[0] ? e->text : e->condition;
    over(f, reason, e->by_peer, text);
}

void pl_file_session_event(pl_file_session *f, const pl_jingle_event *e)
{
    switch (e->kind) {
    case PL_JINGLE_ACTION:
        if (!f->told_over)
            on_action(f, e);
        break;
    case PL_JINGLE_REFUSED:
        if (e->action == PL_JINGLE_TRANSPORT_REPLACE)
            pl_file_session_end(f, PL_JINGLE_FAILED_TRANSPORT, "no way for the bytes was found");
        break;
    case PL_JINGLE_ENDED_NOW: on_ended(f, e); break;
    default: break;
    }
}

/* ---- time ---- */

static void on_time(void *arg, int64_t now_us)
{
    pl_file_session *f = arg;
    (void)now_us;
    if (!f->offers && f->end_known && f->left == 0)
        say_whole(f, true);
    else
        pl_file_session_end(f, PL_JINGLE_TIMEOUT, "nothing came for a minute");
}

/* ---- life ---- */

static pl_file_session *session_new(const pl_file_session_conf *conf, const char *peer, const char *content)
{
    pl_file_session *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->conf = *conf;
    f->timer = (pl_timer){ .fn = on_time, .arg = f };
    f->by_initiator = true;
    f->peer = strdup(peer);
    f->content = strdup(content);
    if (f->peer && f->content)
        return f;
    pl_file_session_free(f);
    return NULL;
}

static pl_err make_bytes(pl_file_session *f, const char *sid, bool initiator, bool in_band)
{
    pl_byte_stream_conf conf = { .loop = f->conf.loop,
                                 .client = f->conf.client,
                                 .peer = f->peer,
                                 .sid = sid,
                                 .initiator = initiator,
                                 .in_band = in_band,
                                 .proxy_only = f->conf.proxy_only,
                                 .proxy = f->conf.proxy,
                                 .user = f,
                                 .event = on_byte_event,
                                 .data = take_bytes,
                                 .say = say_transport };
    return pl_byte_stream_new(&f->bytes, &conf);
}

pl_err pl_file_session_offer(pl_file_session **out, const pl_file_session_conf *conf, const char *peer,
                             const pl_jingle_file *file)
{
    char sid[SID_LEN + 1];
    pl_jingle *jingle = pl_xmpp_jingle_sessions(conf->jingle);
    pl_file_session *f = *out = NULL;
    if (!jingle)
        return PL_ESTATE;
    if (!(f = session_new(conf, peer, CONTENT)))
        return PL_ENOMEM;
    f->offers = true;
    f->file = *file;
    pl_xmpp_client_token(conf->client, sid, SID_LEN);
    pl_err err = make_bytes(f, sid, true, conf->in_band);
    if (!err) {
        pl_xml *content, *body = body_of(f, &content);
        pl_xml_set(content, "senders", "initiator");
        pl_jingle_file_write(content, file);
        pl_byte_stream_write(f->bytes, content);
        err = pl_jingle_initiate(jingle, now(f), peer, NULL, body, &f->session);
    }
    if (err) {
        pl_file_session_free(f);
        return err;
    }
    pl_jingle_set_user(f->session, f);
    *out = f;
    run(f);
    return PL_OK;
}

/* One whole file that the caller sends. */
static pl_jingle_reason look_at_offer(const pl_jingle_event *e, pl_jingle_file *file, const char **content)
{
    const pl_xml *c = e->jingle ? pl_xml_child(e->jingle, e->jingle->ns, "content") : NULL;
    const char *senders = pl_xml_attr_of(c, "senders");
    *content = pl_xml_attr_of(c, "name");
    if (!c || !*content || pl_xml_next(c, c->ns, "content") || (senders && strcmp(senders, "initiator") != 0))
        return PL_JINGLE_UNSUPPORTED_APPLICATIONS;
    if (pl_jingle_file_parse(pl_xml_child(c, NULL, "description"), file) || !file->name[0] ||
        file->range_offset || file->range_length)
        return PL_JINGLE_FAILED_APPLICATION;
    return PL_JINGLE_NO_REASON;
}

pl_err pl_file_session_take(pl_file_session **out, const pl_file_session_conf *conf, const pl_jingle_event *e)
{
    pl_jingle_file file;
    const char *content;
    pl_err err = PL_EPROTO;
    *out = NULL;
    if (pl_jingle_session_state(e->session) == PL_JINGLE_ENDED)
        return PL_ENOTSUP; /* admitting it has ended it: no file, or no transport of ours */
    pl_jingle_reason reason = look_at_offer(e, &file, &content);
    pl_file_session *f = reason ? NULL : session_new(conf, pl_jingle_peer(e->session), content);
    if (f) {
        f->file = file;
        f->end_known = file.has_size;
        f->left = file.size;
        f->transport = pl_xml_copy(child_of(e->jingle, "transport"));
        err = f->transport ? PL_OK : PL_EPROTO;
        reason = err ? PL_JINGLE_FAILED_TRANSPORT : PL_JINGLE_NO_REASON;
    }
    if (!f || err) {
        pl_file_session_free(f);
        (void)!pl_jingle_terminate(e->session, pl_xmpp_client_now(conf->client),
                                   reason ? reason : PL_JINGLE_GENERAL_ERROR, NULL, NULL);
        return err;
    }
    f->session = e->session;
    pl_jingle_set_user(e->session, f);
    *out = f;
    return PL_OK;
}

void pl_file_session_free(pl_file_session *f)
{
    if (!f)
        return;
    f->told_over = true;
    if (f->session) {
        pl_jingle_set_user(f->session, NULL);
        (void)!pl_jingle_terminate(f->session, now(f), PL_JINGLE_CANCEL, NULL, NULL);
        f->session = NULL;
        run(f);
    }
    pl_timer_cancel(f->conf.loop, &f->timer);
    pl_byte_stream_free(f->bytes);
    pl_xml_free(f->transport);
    free(f->peer);
    free(f->content);
    free(f);
}

/* ---- the receiver's words ---- */

/* Our way for the bytes: the caller's kind, by its id. */
static pl_err make_our_end(pl_file_session *f)
{
    bool in_band = pl_xml_is(f->transport, PL_NS_JINGLE_IBB, "transport");
    const char *sid = pl_xml_attr_of(f->transport, "sid");
    if (!sid || !sid[0] || strlen(sid) > PL_IBB_SID_MAX)
        return PL_EPROTO;
    return make_bytes(f, sid, false, in_band);
}

static pl_err say_accepted(pl_file_session *f, uint64_t from)
{
    pl_jingle_file part = f->file;
    pl_xml *content, *body = body_of(f, &content);
    part.range_offset = from;
    pl_xml_set(content, "senders", "initiator");
    pl_jingle_file_write(content, &part);
    pl_byte_stream_write(f->bytes, content);
    return pl_jingle_accept(f->session, now(f), body);
}

pl_err pl_file_session_accept(pl_file_session *f, uint64_t offset, uint64_t *from)
{
    *from = f->file.has_range && f->end_known && offset <= f->file.size ? offset : 0;
    if (!f->session || f->offers || f->accepted)
        return PL_ESTATE;
    f->left = f->end_known ? f->file.size - *from : 0;
    f->accepted = true;
    pl_err err = make_our_end(f);
    err = err ? err : pl_byte_stream_offered(f->bytes, f->transport);
    if (err)
        pl_file_session_end(f, PL_JINGLE_FAILED_TRANSPORT, NULL);
    else if ((err = say_accepted(f, *from)))
        pl_file_session_end(f, PL_JINGLE_GENERAL_ERROR, NULL);
    else
        wait_for(f, PL_FILE_SILENCE_US);
    run(f);
    return err;
}

void pl_file_session_finish(pl_file_session *f, bool good)
{
    if (good && f->session)
        (void)!pl_jingle_tell_xml(f->session, now(f), pl_jingle_file_received("initiator", f->content));
    if (!good) {
        pl_file_session_end(f, PL_JINGLE_MEDIA_ERROR, "the file's hash is wrong");
        return;
    }
    if (f->session)
        (void)!pl_jingle_terminate(f->session, now(f), PL_JINGLE_SUCCESS, NULL, NULL);
    over(f, PL_JINGLE_SUCCESS, false, NULL);
    run(f);
}

/* ---- looking ---- */

const pl_jingle_file *pl_file_session_file(const pl_file_session *f)
{
    return &f->file;
}

const char *pl_file_session_peer(const pl_file_session *f)
{
    return f->peer;
}

bool pl_file_session_in_band(const pl_file_session *f)
{
    return f->bytes && pl_byte_stream_is_in_band(f->bytes);
}

bool pl_file_session_flows(const pl_file_session *f)
{
    return f->bytes && pl_byte_stream_is_open(f->bytes);
}
