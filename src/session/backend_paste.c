/* backend_paste.c - calls whose two descriptions people carry: each side gives out one text, whole with its candidates.
 * Source   docs/session.md, "Copy and paste".
 *
 *     peerline-call:BASE64.CRC      of the JSON of words.h, with "call", a name of the call; wrapped; CRC-32 in 8 hex digits
 *     {"type":"offer","sdp":"…"}    what browsers say, understood and (paste:json) written, on one line */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rand.h"
#include "crypto/base64.h"
#include "crypto/crc.h"
#include "net/loop.h"
#include "session/backend.h"
#include "session/words.h"

#define MARK "peerline-call:"

enum { ID_BYTES = 6, ID_LEN = 2 * ID_BYTES, WIDTH = 76, CODE_MAX = 2 * PL_SESSION_TEXT_MAX };

typedef struct paste {
    pl_signaling *sig;
    bool json;
    pl_buf in; /* what was pasted and is not whole yet */
    pl_timer soon;
    bool leaving;
} paste;

/* A session's state. */
typedef struct paste_call {
    char id[ID_LEN + 1]; /* "": of a browser that knows none */
    bool json;
} paste_call;

/* ---- the code ---- */

/* Takes text. */
static char *code_of(char *text)
{
    size_t n = strlen(text), len = PL_BASE64_LEN(n);
    char *b64 = malloc(len + 1);
    pl_buf out = pl_buf_init(CODE_MAX);
    if (b64) {
        pl_base64_encode(text, n, b64);
        pl_buf_addf(&out, MARK);
        for (size_t at = 0; at < len; at += WIDTH)
            pl_buf_addf(&out, "\n%.*s", (int)(len - at < WIDTH ? len - at : WIDTH), b64 + at);
        pl_buf_addf(&out, ".%08x", pl_crc32(text, n));
    }
    free(b64);
    free(text);
    char *code = b64 ? pl_buf_take(&out) : NULL;
    pl_buf_clear(&out);
    return code;
}

/* Chats break lines, quote them with > and put spaces in. */
static char *without_quotes(const char *code)
{
    char *out = malloc(strlen(code) + 1), *to = out;
    for (; out && *code; code++) {
        if (isalnum((unsigned char)*code) || strchr("+/=-_.", *code))
            *to++ = *code;
    }
    if (out)
        *to = '\0';
    return out;
}

static pl_err text_of_code(char **out, const char *behind_mark)
{
    char *code = without_quotes(behind_mark), *dot = code ? strchr(code, '.') : NULL;
    size_t n = dot ? (size_t)(dot - code) : 0;
    pl_err err = !code ? PL_ENOMEM : !dot || strlen(dot) < 9 ? PL_EAGAIN : PL_OK;
    *out = err ? NULL : malloc(n + 1);
    if (!err && !*out)
        err = PL_ENOMEM;
    if (!err) {
        size_t len;
        dot[9] = '\0';
        bool whole = pl_base64_decode(code, n, (uint8_t *)*out, n, &len);
        if (!whole || strtoul(dot + 1, NULL, 16) != pl_crc32(*out, len))
            err = PL_EPROTO;
        else
            (*out)[len] = '\0';
    }
    if (err) {
        free(*out);
        *out = NULL;
    }
    free(code);
    return err;
}

/* ---- saying ---- */

static json_t *tags_of(const paste_call *c)
{
    return c->id[0] ? json_pack("{ss}", "call", c->id) : NULL;
}

/* Takes text. */
static pl_err give_out(pl_session *s, char *text)
{
    const paste_call *c = pl_session_state(s);
    char *out = text && !c->json ? code_of(text) : text;
    if (!out)
        return PL_ENOMEM;
    pl_sig_text(pl_session_signaling(s), out);
    free(out);
    return PL_OK;
}

static pl_err paste_describe(pl_session *s, pl_sdp_type type, const char *sdp)
{
    json_t *tags = tags_of(pl_session_state(s));
    char *text = pl_words_description(type, sdp, tags);
    json_decref(tags);
    return give_out(s, text);
}

static pl_err paste_candidate(pl_session *s, const pl_ice_candidate *c)
{
    (void)s, (void)c;
    return PL_OK; /* they are all in the description */
}

/* Who is connected hears it from the connection. */
static void paste_end(pl_session *s, pl_session_reason reason, const char *why)
{
    (void)why;
    if (pl_session_was_connected(s) || pl_session_is_outgoing(s) || reason == PL_SESSION_GONE)
        return;
    json_t *tags = tags_of(pl_session_state(s));
    char *text = pl_words_bye(reason, tags);
    json_decref(tags);
    if (give_out(s, text))
        pl_session_note(s, "there is no memory to decline with");
}

/* ---- calls ---- */

static paste_call *new_call(pl_session *s, const char *id, bool json)
{
    paste_call *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    snprintf(c->id, sizeof c->id, "%s", id);
    c->json = json;
    pl_session_set_state(s, c);
    return c;
}

static pl_err paste_call_out(pl_session *s)
{
    const paste *p = pl_sig_state(pl_session_signaling(s));
    static const pl_rand machine;
    uint8_t bytes[ID_BYTES];
    char id[ID_LEN + 1];
    pl_rand_bytes(&machine, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    if (!new_call(s, id, p->json))
        return PL_ENOMEM;
    pl_session_set_peer(s, id, "the other side");
    pl_session_reached(s);
    return PL_OK;
}

static void paste_drop(pl_session *s)
{
    free(pl_session_state(s));
}

/* By the call's name; a browser's answer has none, and is for the one call that has no answer yet. */
static pl_session *session_of(const paste *p, const pl_words *w, const char *id)
{
    for (pl_session *s = pl_sig_next(p->sig, NULL); s; s = pl_sig_next(p->sig, s)) {
        const paste_call *c = pl_session_state(s);
        bool nameless =
            !id[0] && w->kind != PL_WORDS_OFFER && pl_session_is_outgoing(s) && !pl_session_is_agreed(s);
        if (c && !pl_session_is_over(s) && (nameless || (id[0] && strcmp(c->id, id) == 0)))
            return s;
    }
    return NULL;
}

static pl_err called(paste *p, const pl_words *w, const char *id, bool json)
{
    static const char name[] = "the other side";
    pl_session *s;
    if (!pl_sig_may_call(p->sig, id, name, true))
        return PL_ESTATE;
    pl_err err = pl_sig_called(p->sig, &s, id, name);
    if (err)
        return err;
    if (!new_call(s, id, json)) {
        pl_session_over(s, PL_SESSION_FAILED, "out of memory");
        return PL_ENOMEM;
    }
    pl_session_described(s, PL_SDP_OFFER, w->sdp);
    return PL_OK;
}

static pl_err take(paste *p, const char *text, bool json)
{
    pl_words w;
    pl_err err = pl_words_read(&w, text, strlen(text));
    if (err)
        return err;
    const char *id = json_string_value(json_object_get(w.json, "call"));
    if (id && strlen(id) > ID_LEN)
        err = PL_EPROTO;
    pl_session *s = err ? NULL : session_of(p, &w, id ? id : "");
    if (err || w.kind == PL_WORDS_CANDIDATE || w.kind == PL_WORDS_OTHER || w.kind == PL_WORDS_RINGING)
        err = PL_EPROTO;
    else if (!s && w.kind == PL_WORDS_OFFER)
        err = called(p, &w, id ? id : "", json);
    else if (!s)
        err = PL_ESTATE;
    else if (w.kind == PL_WORDS_BYE)
        pl_session_over(s, w.reason, "");
    else
        pl_session_described(s, w.kind == PL_WORDS_OFFER ? PL_SDP_OFFER : PL_SDP_ANSWER, w.sdp);
    pl_words_clear(&w);
    return err;
}

/* ---- pasting ---- */

/* A JSON object is whole when its last brace is there. */
static pl_err take_json(paste *p, const char *text)
{
    json_error_t error;
    json_t *o = json_loads(text, JSON_DISABLE_EOF_CHECK, &error);
    if (!o)
        return json_error_code(&error) == json_error_premature_end_of_input ? PL_EAGAIN : PL_EPROTO;
    char *whole = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    pl_err err = whole ? take(p, whole, true) : PL_ENOMEM;
    free(whole);
    return err;
}

static pl_err take_code(paste *p, const char *mark)
{
    char *text;
    pl_err err = text_of_code(&text, mark + strlen(MARK));
    if (!err)
        err = take(p, text, false);
    free(text);
    return err;
}

static pl_err paste_paste(pl_signaling *sig, const char *text)
{
    paste *p = pl_sig_state(sig);
    pl_buf_add(&p->in, text, strlen(text));
    pl_buf_add(&p->in, "\n", 1);
    const char *all = pl_buf_z(&p->in);
    const char *mark = all ? strstr(all, MARK) : NULL, *brace = all ? strchr(all, '{') : NULL;
    pl_err err = p->leaving ? PL_ESTATE
                 : !all     ? PL_ENOSPC
                 : mark     ? take_code(p, mark)
                 : brace    ? take_json(p, brace)
                            : PL_EPROTO;
    if (err == PL_EAGAIN)
        return err;
    pl_buf_clear(&p->in);
    p->in = pl_buf_init(CODE_MAX);
    return err;
}

/* ---- the way ---- */

static void on_soon(void *user, int64_t now_us)
{
    paste *p = user;
    (void)now_us;
    if (p->leaving)
        pl_sig_closed(p->sig, PL_OK, "", false);
    else
        pl_sig_opened(p->sig, "");
}

static pl_err paste_open(pl_signaling *sig, const pl_signaling_conf *conf, char *error, size_t cap)
{
    const char *how = strchr(conf->url, ':') + 1;
    if (*how && strcmp(how, "json") != 0) {
        snprintf(error, cap, "paste: or paste:json is wanted");
        return PL_EINVAL;
    }
    paste *p = calloc(1, sizeof *p);
    if (!p)
        return PL_ENOMEM;
    *p =
        (paste){ .sig = sig, .json = *how, .in = pl_buf_init(CODE_MAX), .soon = { .fn = on_soon, .arg = p } };
    pl_err err = pl_sig_set_callee(sig, PL_STR("the other side"));
    if (err) {
        free(p);
        return err;
    }
    pl_timer_set(pl_sig_loop(sig), &p->soon, pl_loop_now_us(pl_sig_loop(sig)));
    pl_sig_set_state(sig, p);
    return PL_OK;
}

static void paste_close(pl_signaling *sig)
{
    paste *p = pl_sig_state(sig);
    p->leaving = true;
    pl_timer_set(pl_sig_loop(sig), &p->soon, pl_loop_now_us(pl_sig_loop(sig)));
}

static void paste_free(pl_signaling *sig)
{
    paste *p = pl_sig_state(sig);
    pl_timer_cancel(pl_sig_loop(sig), &p->soon);
    pl_buf_clear(&p->in);
    free(p);
}

static const char *const schemes[] = { "paste:", NULL };
const pl_backend pl_backend_paste = {
    .kind = "paste",
    .scheme = schemes,
    .whole = true,
    .open = paste_open,
    .close = paste_close,
    .free = paste_free,
    .paste = paste_paste,
    .call = paste_call_out,
    .describe = paste_describe,
    .candidate = paste_candidate,
    .end = paste_end,
    .drop = paste_drop,
};
